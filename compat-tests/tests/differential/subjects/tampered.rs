//! Each byte of the conversation of two sockets changed in turn on its way: what both ends make of it, with mechanisms and over WebSockets.
//!
//! subjects/malformed.rs does this for NULL, with a peer that goes on whatever is said. Here both ends are the library, since the conversation is
//! in cipher.

use std::time::{Duration, Instant};

use crate::Case;
use crate::keys::{Keys, Mechanism};
use crate::relay::{Change, Relay, Way};
use crate::script::{Show, Socket, Test, m};
use crate::watch::Watch;
use crate::zmq;

/// Bytes that one case changes.
const PORTION: usize = 8;

/// What is done to a byte. Letters stay letters in the upgrade, so that it stays HTTP.
fn changes(transport: &str, way: Way, at: usize) -> [u8; 2] {
    let text = if way == Way::ToServer { 190 } else { 160 };
    if transport == "ws" && at < text { [0x01, 0x02] } else { [0x01, 0xff] }
}

/// Where a request has its key, and a response its reason and the answer to the key: what is wrong with those is seen by one of the
/// libraries only, and subjects/websocket.rs has it.
fn is_left_out(transport: &str, way: Way, at: usize) -> bool {
    transport == "ws"
        && match way {
            Way::ToServer => (96..124).contains(&at),
            Way::ToClient => (12..33).contains(&at) || (94..128).contains(&at),
        }
}

/// Each conversation, and which bytes of it are changed on the way to the server, and to the client.
///
/// What is in a box is the same wherever it is changed, and so are most letters of a request's headers, so those are thinned out.
fn conversations() -> [(&'static str, Mechanism, [Vec<usize>; 2]); 5] {
    let thinned = |dense: &[std::ops::Range<usize>], step: usize, count: usize| {
        (0..count)
            .filter(|at| at % step == 0 || dense.iter().any(|range| range.contains(at)))
            .collect::<Vec<_>>()
    };
    [
        ("tcp", Mechanism::Plain, [thinned(&[8..34, 62..130], 9, 150), thinned(&[8..34, 62..105], 9, 105)]),
        (
            "tcp",
            Mechanism::Curve,
            [
                thinned(&[10..14, 31..34, 62..76, 264..280, 520..545], 31, 600),
                thinned(&[10..14, 31..34, 62..78, 232..245], 31, 290),
            ],
        ),
        ("ws", Mechanism::Null, [thinned(&[0..20, 195..255], 7, 260), thinned(&[0..20, 165..205], 7, 210)]),
        ("ws", Mechanism::Plain, [(190..270).collect(), (165..215).collect()]),
        (
            "ws",
            Mechanism::Curve,
            [thinned(&[195..215, 400..410], 41, 700), thinned(&[165..180, 340..350], 41, 380)],
        ),
    ]
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (transport, mechanism, ways) in conversations() {
        for (way, places) in [Way::ToServer, Way::ToClient].into_iter().zip(ways) {
            let kept: Vec<usize> =
                places.into_iter().filter(|at| !is_left_out(transport, way, *at)).collect();
            for places in kept.chunks(PORTION) {
                let places = places.to_vec();
                cases.push(Case::new(
                    format!("tampered/{transport} {mechanism:?} {way:?}, from byte {}", places[0]),
                    move |t| changed(t, transport, mechanism, way, &places),
                ));
            }
        }
    }
    cases
}

struct Trial<'a> {
    what: String,
    server: Socket<'a>,
    client: Socket<'a>,
    bound: Watch<'a>,
    connected: Watch<'a>,
    relay: Relay,
}

fn begin<'a>(t: &'a Test, transport: &str, mechanism: Mechanism, keys: &Keys, change: Change) -> Trial<'a> {
    let (server, client) = (t.socket_over(transport, zmq::PULL), t.socket_over(transport, zmq::PUSH));
    let _ = client.set_int(zmq::RECONNECT_IVL, 60_000);
    keys.server(&server, mechanism);
    keys.client(&client, mechanism);
    let endpoint = server.bind_anywhere(transport);
    let address = endpoint.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let Some(relay) = Relay::new(address, change) else {
        t.say("no relay");
        t.end()
    };
    t.name(&format!(":{}", relay.port()), ":RELAY");
    let (bound, connected) = (Watch::new(&server), Watch::new(&client));
    let _ = client.connect(&format!("{transport}://127.0.0.1:{}", relay.port()));
    let _ = client.send_now(m!("hello"));
    let what = format!("byte {} ^ {:#04x}", change.at, change.xor);
    Trial { what, server, client, bound, connected, relay }
}

/// Lets all talk until it is quiet.
fn talk(t: &Test, trials: &mut [Trial], handler: &Socket, quiet: Duration) {
    let mut last = Instant::now();
    let start = last;
    while last.elapsed() < quiet && start.elapsed() < t.limit() * 3 {
        let mut any = false;
        for trial in trials.iter_mut() {
            any |= trial.relay.turn();
        }
        while let Ok(request) = handler.recv_now() {
            let number = request.get(1).cloned().unwrap_or_default();
            let _ = handler.send(m!("1.0", number, "200", "OK", "user", ""));
            any = true;
        }
        if any {
            last = Instant::now();
        } else {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn changed(t: &Test, transport: &str, mechanism: Mechanism, way: Way, places: &[usize]) {
    t.remote();
    let keys = Keys::new(t);
    let handler = t.socket(zmq::REP);
    if mechanism == Mechanism::Plain {
        let _ = handler.bind("inproc://zeromq.zap.01");
    }
    let mut trials: Vec<Trial> = places
        .iter()
        .flat_map(|at| changes(transport, way, *at).map(|xor| Change { way, at: *at, xor }))
        .map(|change| begin(t, transport, mechanism, &keys, change))
        .collect();
    talk(t, &mut trials, &handler, t.quiet() * 3);
    for _ in 0..2 {
        for trial in &trials {
            let _ = (trial.client.events(), trial.server.events());
        }
        talk(t, &mut trials, &handler, t.quiet());
    }
    for trial in &mut trials {
        let open = !trial.relay.closed[0] && !trial.relay.closed[1];
        // Whether an end comes before what was to be sent is a matter of time.
        let passed = if open { format!("{:?} bytes", trial.relay.passed) } else { "an end".to_owned() };
        t.say(format_args!("{}: {passed}, received {}", trial.what, trial.server.recv_now().show()));
        t.say(format_args!("  bound: {}", trial.bound.so_far()));
        t.say(format_args!("  connected: {}", trial.connected.so_far()));
        trial.relay.end();
    }
    t.settle();
    t.settle();
    // The reference's servers end when the handler's pipes have.
    let _ = handler.close();
    for trial in trials {
        t.say(format_args!("  {} at the end, bound: {}", trial.what, trial.bound.so_far()));
        t.say(format_args!("  {} at the end, connected: {}", trial.what, trial.connected.so_far()));
        let _ = (trial.server.close(), trial.client.close());
        trial.bound.skip_until("MONITOR_STOPPED");
        trial.connected.skip_until("MONITOR_STOPPED");
        trial.bound.close();
        trial.connected.close();
    }
}
