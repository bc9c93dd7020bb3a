//! The events of both ends where mechanisms and ZAP handlers decide who gets in, in every way that can fail.

use std::time::Instant;

use crate::Case;
use crate::keys::{Keys, Mechanism};
use crate::script::{Outcome, Socket, Test, m, show};
use crate::watch::Watch;
use crate::zmq;

/// What a handler may say, with the request's version and number where they belong: what is said, and the parts.
const REPLIES: [(&str, &[&str]); 22] = [
    ("200", &["1.0", "ID", "200", "OK", "user", ""]),
    ("200 without a name", &["1.0", "ID", "200", "", "", ""]),
    ("200 with a property", &["1.0", "ID", "200", "OK", "user", "\u{1}k\0\0\0\u{1}v"]),
    ("300", &["1.0", "ID", "300", "later", "", ""]),
    ("400", &["1.0", "ID", "400", "no", "", ""]),
    ("400 without a reason", &["1.0", "ID", "400", "", "", ""]),
    ("500", &["1.0", "ID", "500", "broken", "", ""]),
    ("100", &["1.0", "ID", "100", "", "", ""]),
    ("201", &["1.0", "ID", "201", "", "", ""]),
    ("600", &["1.0", "ID", "600", "", "", ""]),
    ("no status", &["1.0", "ID", "", "", "", ""]),
    ("a long status", &["1.0", "ID", "2000", "", "", ""]),
    ("letters as status", &["1.0", "ID", "abc", "", "", ""]),
    ("version 1.1", &["1.1", "ID", "200", "OK", "user", ""]),
    ("no version", &["", "ID", "200", "OK", "user", ""]),
    ("another number", &["1.0", "2", "200", "OK", "user", ""]),
    ("no number", &["1.0", "", "200", "OK", "user", ""]),
    ("a part too few", &["1.0", "ID", "200", "OK", "user"]),
    ("a part too many", &["1.0", "ID", "200", "OK", "user", "", ""]),
    ("one part", &["1.0"]),
    ("properties cut short", &["1.0", "ID", "200", "OK", "user", "\u{5}short"]),
    ("400, properties cut short", &["1.0", "ID", "400", "OK", "user", "\u{5}short"]),
];

const MECHANISMS: [Mechanism; 3] = [Mechanism::Null, Mechanism::Plain, Mechanism::Curve];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for transport in ["tcp", "ws"] {
        for mechanism in MECHANISMS {
            let mut add = |name: String, run: Box<dyn Fn(&Test) + Sync + Send>| {
                cases.push(Case::new(format!("security/{transport} {mechanism:?}, {name}"), run));
            };
            for (what, parts) in REPLIES {
                // The reference ends the connection, or leaves it.
                if (transport, mechanism, what) == ("ws", Mechanism::Curve, "300") {
                    continue;
                }
                add(format!("reply {what}"), Box::new(move |t| reply(t, transport, mechanism, parts)));
            }
            for domain in ["", "D"] {
                for enforced in [0, 1] {
                    // The reference aborts.
                    if mechanism == Mechanism::Plain && domain.is_empty() && enforced == 1 {
                        continue;
                    }
                    add(
                        format!("no handler, domain {domain:?}, enforced {enforced}"),
                        Box::new(move |t| nobody(t, transport, mechanism, domain, enforced)),
                    );
                }
            }
            for other in MECHANISMS {
                add(format!("{other:?} connects"), Box::new(move |t| mixed(t, transport, mechanism, other)));
            }
            add("two servers".to_owned(), Box::new(move |t| servers(t, transport, mechanism)));
            // With a mechanism each side refuses the other's HELLO, and who is quicker ends the connection under the other.
            if mechanism == Mechanism::Null {
                add("two clients".to_owned(), Box::new(move |t| clients(t, transport, mechanism)));
            }
            add("a handler that says nothing".to_owned(), Box::new(move |t| silent(t, transport, mechanism)));
            add("a handler that goes".to_owned(), Box::new(move |t| gone(t, transport, mechanism)));
            add("a client that goes".to_owned(), Box::new(move |t| leaves(t, transport, mechanism)));
        }
        cases.push(Case::new(format!("security/{transport} Curve, wrong keys"), move |t| keys(t, transport)));
    }
    cases
}

struct Ends<'a> {
    server: Socket<'a>,
    client: Socket<'a>,
    bound: Watch<'a>,
    connected: Watch<'a>,
}

/// Two sockets that have their options, and monitors.
fn ends<'a>(t: &'a Test, transport: &str) -> Ends<'a> {
    t.remote();
    let (server, client) = (t.socket(zmq::PULL), t.socket(zmq::PUSH));
    let _ = client.set_int(zmq::RECONNECT_IVL, 60_000);
    // One side's time is up first. Over ws the reference knows no time.
    let interval = if transport == "ws" { 0 } else { t.quiet().as_millis() as i32 * 6 };
    let _ = (server.set_int(zmq::HANDSHAKE_IVL, interval), client.set_int(zmq::HANDSHAKE_IVL, 0));
    let (bound, connected) = (Watch::new(&server), Watch::new(&client));
    Ends { server, client, bound, connected }
}

fn start(ends: &Ends, transport: &str) {
    if transport == "ws" {
        ends.server.test.needs("WS");
    }
    let endpoint = ends.server.bind_anywhere(transport);
    show!(ends.server.test, ["connect"], ends.client.connect(&endpoint));
}

/// Shows the events of both ends, until nothing more is to be expected.
fn outcome(t: &Test, ends: &Ends) {
    let deadline = Instant::now() + t.quiet() * 16;
    let over = |seen: &[String]| {
        // A WebSocket's upgrade comes before the mechanism's handshake.
        seen.iter().any(|line| line.starts_with("DISCONNECTED") || line.starts_with("CLOSED"))
    };
    let mut seen = [Vec::new(), Vec::new()];
    while Instant::now() < deadline && !seen.iter().all(|seen| over(seen)) {
        for (watch, seen) in [&ends.bound, &ends.connected].into_iter().zip(&mut seen) {
            while let Some(event) = watch.next(t.quiet() / 8) {
                seen.push(event.line);
            }
        }
    }
    for (watch, seen) in [&ends.bound, &ends.connected].into_iter().zip(&mut seen) {
        while let Some(event) = watch.next(t.quiet()) {
            seen.push(event.line);
        }
    }
    for (name, seen) in ["bound", "connected"].iter().zip(&seen) {
        seen.iter().for_each(|line| t.say(format_args!("{name}: {line}")));
    }
}

/// Whether a message goes through, and whom it comes from; then the end, and its events.
fn finish(t: &Test, ends: Ends, handler: Option<Socket>) {
    // A pipe ends in several steps, each of which a call on the socket has to take.
    for _ in 0..5 {
        let _ = (ends.client.events(), ends.server.events());
        t.settle();
    }
    show!(t, ["sent"], ends.client.send_now(m!("hello")));
    ends.server.wait(zmq::POLLIN, t.quiet());
    let mut message = t.message();
    show!(t, ["received"], message.recv(&ends.server, zmq::DONTWAIT));
    for name in ["User-Id", "k"] {
        show!(t, ["{name}"], message.gets(name));
    }
    let _ = ends.client.close();
    ends.connected.until("connected", "MONITOR_STOPPED");
    t.settle();
    let _ = ends.server.events();
    t.settle();
    // The reference's server ends when the handler's pipe has.
    if let Some(handler) = handler {
        let _ = handler.close();
    }
    let _ = ends.server.close();
    ends.bound.until("bound", "MONITOR_STOPPED");
}

fn handler(t: &Test) -> Socket<'_> {
    let handler = t.socket(zmq::REP);
    show!(t, ["handler"], handler.bind("inproc://zeromq.zap.01"));
    handler
}

/// The next request, of which the number is given back.
fn request(t: &Test, handler: &Socket, keys: &Keys) -> Outcome<Vec<u8>> {
    let request = handler.recv()?;
    let shown: Vec<Vec<u8>> = request
        .iter()
        .map(|part| if *part == keys.client_public() { b"THE CLIENT'S KEY".to_vec() } else { part.clone() })
        .collect();
    show!(t, ["asked"], shown);
    Ok(request.get(1).cloned().unwrap_or_default())
}

fn with_handler<'a>(
    t: &'a Test,
    transport: &str,
    mechanism: Mechanism,
) -> (Ends<'a>, Socket<'a>, Option<Vec<u8>>) {
    let keys = Keys::new(t);
    let handler = handler(t);
    let ends = ends(t, transport);
    let _ = ends.server.set(zmq::ZAP_DOMAIN, b"domain");
    keys.server(&ends.server, mechanism);
    keys.client(&ends.client, mechanism);
    start(&ends, transport);
    let number = request(t, &handler, &keys);
    (ends, handler, number.ok())
}

fn reply(t: &Test, transport: &str, mechanism: Mechanism, parts: &[&str]) {
    let (ends, handler, number) = with_handler(t, transport, mechanism);
    let Some(number) = number else { return t.say("nobody asks") };
    let parts: Vec<&[u8]> =
        parts.iter().map(|part| if *part == "ID" { &number[..] } else { part.as_bytes() }).collect();
    show!(t, ["answered"], handler.send(&parts));
    outcome(t, &ends);
    finish(t, ends, Some(handler));
}

fn silent(t: &Test, transport: &str, mechanism: Mechanism) {
    let (ends, handler, _) = with_handler(t, transport, mechanism);
    outcome(t, &ends);
    finish(t, ends, Some(handler));
}

fn gone(t: &Test, transport: &str, mechanism: Mechanism) {
    let (ends, handler, _) = with_handler(t, transport, mechanism);
    show!(t, ["close"], handler.close());
    outcome(t, &ends);
    finish(t, ends, None);
}

fn leaves(t: &Test, transport: &str, mechanism: Mechanism) {
    let (ends, handler, number) = with_handler(t, transport, mechanism);
    let _ = ends.client.close();
    ends.connected.until("connected", "MONITOR_STOPPED");
    ends.bound.rest("bound");
    let number = number.unwrap_or_default();
    show!(t, ["answered"], handler.send(m!("1.0", number, "200", "OK", "user", "")));
    ends.bound.rest("bound");
    let _ = handler.close();
    let _ = ends.server.close();
    ends.bound.until("bound", "MONITOR_STOPPED");
}

fn nobody(t: &Test, transport: &str, mechanism: Mechanism, domain: &str, enforced: i32) {
    let keys = Keys::new(t);
    let ends = ends(t, transport);
    let _ = ends.server.set(zmq::ZAP_DOMAIN, domain.as_bytes());
    show!(t, ends.server.set_int(zmq::ZAP_ENFORCE_DOMAIN, enforced));
    keys.server(&ends.server, mechanism);
    keys.client(&ends.client, mechanism);
    start(&ends, transport);
    outcome(t, &ends);
    finish(t, ends, None);
}

fn mixed(t: &Test, transport: &str, server: Mechanism, client: Mechanism) {
    if server == client {
        return;
    }
    let keys = Keys::new(t);
    let ends = ends(t, transport);
    keys.server(&ends.server, server);
    keys.client(&ends.client, client);
    start(&ends, transport);
    outcome(t, &ends);
    finish(t, ends, None);
}

fn servers(t: &Test, transport: &str, mechanism: Mechanism) {
    let keys = Keys::new(t);
    let ends = ends(t, transport);
    keys.server(&ends.server, mechanism);
    keys.server(&ends.client, mechanism);
    start(&ends, transport);
    outcome(t, &ends);
    finish(t, ends, None);
}

fn clients(t: &Test, transport: &str, mechanism: Mechanism) {
    let keys = Keys::new(t);
    let ends = ends(t, transport);
    keys.client(&ends.server, mechanism);
    keys.client(&ends.client, mechanism);
    start(&ends, transport);
    outcome(t, &ends);
    finish(t, ends, None);
}

fn keys(t: &Test, transport: &str) {
    let (keys, others) = (Keys::new(t), Keys::new(t));
    for what in ["another server's key", "keys that don't belong together", "a key of zeros"] {
        t.say(what);
        let ends = ends(t, transport);
        keys.server(&ends.server, Mechanism::Curve);
        keys.client(&ends.client, Mechanism::Curve);
        let changed = match what {
            "another server's key" => ends.client.set(zmq::CURVE_SERVERKEY, others.server_public()),
            "a key of zeros" => ends.client.set(zmq::CURVE_SERVERKEY, &[0; 32]),
            _ => ends.client.set(zmq::CURVE_PUBLICKEY, others.client_public()),
        };
        show!(t, ["set"], changed);
        start(&ends, transport);
        outcome(t, &ends);
        finish(t, ends, None);
    }
}
