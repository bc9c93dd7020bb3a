//! ROUTER's and REQ's options: what the application and the peers see.

use crate::Case;
use crate::bare::{Bare, frame, greeting, property, ready};
use crate::script::{Socket, Test, m, show};
use crate::zmq;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for transport in ["inproc", "tcp"] {
        let mut add = |name: &str, run: fn(&Test, &str)| {
            cases.push(Case::new(format!("routing/{name}, {transport}"), move |t| run(t, transport)));
        };
        add("MANDATORY", mandatory);
        add("one id twice", twice);
        add("HANDOVER", handover);
        add("PROBE_ROUTER", probe);
        add("NOTIFY", notify);
        add("CONNECT_ROUTING_ID", chosen);
        add("REQ's states", states);
        add("REQ_RELAXED", relaxed);
        add("REP's envelopes", envelopes);
        add("ids", ids);
    }
    cases.push(Case::new("routing/REQ_CORRELATE on the wire", correlate));
    cases.push(Case::new("routing/REQ and wrong replies", wrong_replies));
    cases.push(Case::new("routing/PROBE_ROUTER on the wire", probe_bytes));
    cases.push(Case::new("routing/ROUTER_RAW", raw));
    cases
}

fn dealer<'a>(t: &'a Test, endpoint: &str, id: &str) -> Socket<'a> {
    let dealer = t.socket(zmq::DEALER);
    let _ = dealer.set(zmq::ROUTING_ID, id.as_bytes());
    let _ = dealer.connect(endpoint);
    dealer
}

/// Lets a socket see what has become of its peers.
fn notice(t: &Test, sockets: &[&Socket]) {
    for _ in 0..3 {
        t.settle();
        sockets.iter().for_each(|socket| drop(socket.events()));
    }
}

/// What is received, with names that were made up replaced.
fn received(s: &Socket) -> Vec<Vec<Vec<u8>>> {
    let mut all = s.recv_all();
    for part in all.iter_mut().flatten() {
        if part.len() == 5 && part[0] == 0 {
            *part = b"MADE UP".to_vec();
        }
    }
    all
}

fn mandatory(t: &Test, transport: &str) {
    for value in [0, 1] {
        let r = t.socket(zmq::ROUTER);
        show!(t, ["MANDATORY {value}"], r.set_int(zmq::ROUTER_MANDATORY, value));
        let endpoint = r.bind_anywhere(transport);
        show!(t, r.events());
        show!(t, ["to nobody"], r.send_now(m!("peer", "body")));
        show!(t, ["to nobody, first part"], r.send_with(b"peer", zmq::SNDMORE));
        show!(t, ["second part"], r.send_with(b"body", 0));
        show!(t, ["one part"], r.send_now(m!("peer")));
        show!(t, ["an empty id"], r.send_now(m!("", "body")));
        let d = dealer(t, &endpoint, "peer");
        show!(t, d.send(m!("hello")));
        show!(t, r.recv());
        show!(t, ["to the peer"], r.send_now(m!("peer", "body")));
        show!(t, d.recv());
        show!(t, ["an id only"], r.send_now(m!("peer")));
        show!(t, ["an id with nothing"], r.send_now(m!("peer", "")));
        show!(t, received(&d));
        show!(t, d.close());
        notice(t, &[&r]);
        show!(t, ["to one who has gone"], r.send_now(m!("peer", "body")));
        let _ = r.close();
    }
}

fn twice(t: &Test, transport: &str) {
    let r = t.socket(zmq::ROUTER);
    let endpoint = r.bind_anywhere(transport);
    let a = dealer(t, &endpoint, "peer");
    show!(t, a.send(m!("from the first")));
    show!(t, r.recv());
    let b = dealer(t, &endpoint, "peer");
    show!(t, b.send(m!("from the second")));
    show!(t, received(&r));
    show!(t, r.send_now(m!("peer", "answer")));
    show!(t, received(&a));
    show!(t, received(&b));
    show!(t, a.close());
    notice(t, &[&r, &b]);
    show!(t, b.send_now(m!("alone now")));
    show!(t, received(&r));
}

fn handover(t: &Test, transport: &str) {
    let r = t.socket(zmq::ROUTER);
    show!(t, r.set_int(zmq::ROUTER_HANDOVER, 1));
    let endpoint = r.bind_anywhere(transport);
    let a = dealer(t, &endpoint, "peer");
    show!(t, a.send(m!("from the first")));
    show!(t, r.recv());
    let b = dealer(t, &endpoint, "peer");
    show!(t, b.send(m!("from the second")));
    show!(t, received(&r));
    show!(t, r.send_now(m!("peer", "answer")));
    show!(t, received(&b));
    show!(t, received(&a));
}

fn probe(t: &Test, transport: &str) {
    for kind in [zmq::ROUTER, zmq::DEALER, zmq::REQ] {
        let r = t.socket(zmq::ROUTER);
        let endpoint = r.bind_anywhere(transport);
        let c = t.socket(kind);
        show!(t, ["{}", zmq::TYPES[kind as usize]], c.set_int(zmq::PROBE_ROUTER, 1));
        let _ = c.set(zmq::ROUTING_ID, b"prober");
        show!(t, c.connect(&endpoint).is_ok());
        t.settle();
        show!(t, received(&r));
        let b = t.socket(zmq::DEALER);
        let endpoint = b.bind_anywhere(transport);
        show!(t, c.connect(&endpoint).is_ok());
        t.settle();
        show!(t, received(&b));
        let _ = (r.close(), c.close(), b.close());
    }
}

fn notify(t: &Test, transport: &str) {
    for value in 0..4 {
        let r = t.socket(zmq::ROUTER);
        show!(t, ["NOTIFY {value}"], r.set_int(zmq::ROUTER_NOTIFY, value));
        let endpoint = r.bind_anywhere(transport);
        let d = dealer(t, &endpoint, "peer");
        t.settle();
        show!(t, received(&r));
        show!(t, d.send(m!("hello")));
        show!(t, received(&r));
        show!(t, d.close());
        notice(t, &[&r]);
        show!(t, received(&r));
        let _ = r.close();
    }
}

fn chosen(t: &Test, transport: &str) {
    let r = t.socket(zmq::ROUTER);
    let (a, b) = (t.socket(zmq::DEALER), t.socket(zmq::DEALER));
    let _ = a.set(zmq::ROUTING_ID, b"own name");
    let (first, second) = (a.bind_anywhere(transport), b.bind_anywhere(transport));
    show!(t, r.set(zmq::CONNECT_ROUTING_ID, b"a"));
    show!(t, r.connect(&first).is_ok());
    show!(t, r.set(zmq::CONNECT_ROUTING_ID, b"b"));
    show!(t, r.connect(&second).is_ok());
    show!(t, r.get(zmq::CONNECT_ROUTING_ID, 255));
    show!(t, r.send_now(m!("a", "to a")));
    show!(t, r.send_now(m!("b", "to b")));
    show!(t, received(&a));
    show!(t, received(&b));
    show!(t, a.send_now(m!("from a")));
    show!(t, received(&r));
    show!(t, b.send_now(m!("from b")));
    show!(t, received(&r));
    for id in [&b""[..], b"\0zero", &[b'i'; 255], &[b'i'; 256]] {
        show!(t, ["{} bytes", id.len()], r.set(zmq::CONNECT_ROUTING_ID, id));
    }
}

fn states(t: &Test, transport: &str) {
    let (rep, req) = t.pair(transport, zmq::REP, zmq::REQ);
    show!(t, req.recv_now());
    show!(t, rep.send_now(m!("early")));
    show!(t, req.events());
    show!(t, req.send(m!("a", "b")));
    show!(t, req.events());
    show!(t, req.send_now(m!("again")));
    show!(t, rep.recv());
    show!(t, rep.events());
    show!(t, rep.recv_now());
    show!(t, rep.send_with(b"part", zmq::SNDMORE));
    show!(t, rep.recv_now());
    show!(t, rep.send(m!("end")));
    show!(t, rep.send_now(m!("late")));
    show!(t, req.recv_part(0).map(|part| part.0));
    show!(t, req.send_now(m!("in between")));
    show!(t, req.recv());
    show!(t, req.recv_now());
    show!(t, req.send_with(b"part", zmq::SNDMORE));
    show!(t, req.recv_now());
    show!(t, req.send(m!("end")));
    show!(t, rep.recv_part(0).map(|part| part.0));
    show!(t, rep.send_now(m!("too soon")));
    show!(t, rep.recv());
    show!(t, rep.close());
    notice(t, &[&req]);
    show!(t, req.events());
    show!(t, req.recv_now());
    show!(t, req.send_now(m!("again")));
}

fn relaxed(t: &Test, transport: &str) {
    for correlate in [0, 1] {
        let (rep, req) = (t.socket(zmq::ROUTER), t.socket(zmq::REQ));
        show!(t, ["CORRELATE {correlate}"], req.set_int(zmq::REQ_CORRELATE, correlate));
        show!(t, req.set_int(zmq::REQ_RELAXED, 1));
        let _ = req.set(zmq::ROUTING_ID, b"req");
        let endpoint = rep.bind_anywhere(transport);
        show!(t, req.connect(&endpoint).is_ok());
        show!(t, req.send(m!("first")));
        let first = rep.recv().unwrap_or_default();
        show!(t, first.len());
        show!(t, req.send(m!("second")));
        notice(t, &[&req, &rep]);
        let second = rep.recv_soon().unwrap_or_default();
        show!(t, second.len());
        for (name, request) in [("first", &first), ("second", &second)] {
            let mut answer: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
            answer.pop();
            answer.push(name.as_bytes());
            show!(t, ["{name} is answered"], rep.send_now(&answer));
        }
        show!(t, req.recv_soon());
        show!(t, req.recv_soon());
        show!(t, req.send_now(m!("third")));
        let _ = (rep.close(), req.close());
    }
}

fn envelopes(t: &Test, transport: &str) {
    let (rep, d) = t.pair(transport, zmq::REP, zmq::DEALER);
    for request in [
        m!("", "body") as &[&[u8]],
        m!("a", "", "body"),
        m!("a", "b", "c", "", "body", "more"),
        m!("", "", "body"),
        m!("no delimiter"),
        m!("no", "delimiter"),
        m!(""),
        m!("a", ""),
        m!("", ""),
    ] {
        show!(t, ["request"], request.iter().map(|part| part.to_vec()).collect::<Vec<_>>());
        show!(t, ["  sent"], d.send_now(request));
        show!(t, ["  rep gets"], rep.recv_soon());
        show!(t, ["  rep answers"], rep.send_now(m!("answer")));
        show!(t, ["  dealer gets"], d.recv_soon());
    }
}

fn ids(t: &Test, transport: &str) {
    let r = t.socket(zmq::ROUTER);
    let endpoint = r.bind_anywhere(transport);
    for id in ["", "a", "\0a", "\0abcd", "abcde"] {
        let d = dealer(t, &endpoint, id);
        show!(t, ["{id:?}"], d.send(m!("hello")));
        show!(t, received(&r));
        let _ = d.close();
        notice(t, &[&r]);
    }
}

fn correlate(t: &Test) {
    let req = t.socket(zmq::REQ);
    show!(t, req.set_int(zmq::REQ_CORRELATE, 1));
    let bare = Bare::connect(t, &req.bind_anywhere("tcp"));
    let _ = bare.shake_hands("REP");
    show!(t, req.send(m!("request")));
    let seen = bare.read();
    // The number is a random one at first, and then one more.
    t.say(format_args!("{} bytes", seen.bytes.len()));
    let Some(id) = seen.bytes.get(2..6).map(<[u8]>::to_vec) else { return };
    let number = u32::from_le_bytes([id[0], id[1], id[2], id[3]]);
    bare.send(&[frame(1, b"\xff\xff\xff\xff"), frame(1, b""), frame(0, b"wrong number")].concat());
    bare.send(&[frame(1, b""), frame(0, b"no number")].concat());
    bare.send(&[frame(1, &id), frame(1, b""), frame(0, b"right")].concat());
    show!(t, req.recv());
    show!(t, req.send(m!("another")));
    let seen = bare.read();
    let next = seen.bytes.get(2..6).map(|id| u32::from_le_bytes([id[0], id[1], id[2], id[3]]));
    show!(t, ["one more"], next == Some(number.wrapping_add(1)));
    show!(t, seen.bytes.get(6..).map(<[u8]>::to_vec));
}

fn wrong_replies(t: &Test) {
    for (what, reply) in [
        ("right", [frame(1, b""), frame(0, b"body")].concat()),
        ("no delimiter", frame(0, b"body")),
        ("two parts without delimiter", [frame(1, b"a"), frame(0, b"body")].concat()),
        ("a delimiter only", frame(0, b"")),
        ("an envelope first", [frame(1, b"id"), frame(1, b""), frame(0, b"body")].concat()),
        ("several parts", [frame(1, b""), frame(1, b"a"), frame(0, b"b")].concat()),
        ("two replies", [frame(1, b""), frame(0, b"a"), frame(1, b""), frame(0, b"b")].concat()),
    ] {
        let req = t.socket(zmq::REQ);
        let bare = Bare::connect(t, &req.bind_anywhere("tcp"));
        let _ = bare.shake_hands("REP");
        show!(t, ["{what}"], req.send(m!("request")));
        show!(t, bare.read());
        bare.send(&reply);
        show!(t, req.recv_soon());
        show!(t, req.send_now(m!("next")));
        show!(t, bare.read());
        let _ = req.close();
    }
    // A reply that comes before the request.
    let req = t.socket(zmq::REQ);
    let bare = Bare::connect(t, &req.bind_anywhere("tcp"));
    let _ = bare.shake_hands("REP");
    bare.send(&[frame(1, b""), frame(0, b"early")].concat());
    t.settle();
    show!(t, req.send(m!("request")));
    show!(t, bare.read());
    show!(t, req.recv_soon());
}

fn probe_bytes(t: &Test) {
    for kind in [zmq::ROUTER, zmq::DEALER, zmq::REQ] {
        let s = t.socket(kind);
        show!(t, ["{}", zmq::TYPES[kind as usize]], s.set_int(zmq::PROBE_ROUTER, 1));
        let bare = Bare::connect(t, &s.bind_anywhere("tcp"));
        bare.send(&greeting());
        bare.send(&ready("ROUTER", &property("Identity", b"peer")));
        show!(t, bare.read());
        let _ = s.events();
        show!(t, ["after a look"], bare.read());
    }
}

fn raw(t: &Test) {
    let r = t.socket(zmq::ROUTER);
    show!(t, r.set_int(zmq::ROUTER_RAW, 1));
    let bare = Bare::connect(t, &r.bind_anywhere("tcp"));
    show!(t, ["at first"], bare.read());
    bare.send(b"some bytes");
    let message = r.recv().unwrap_or_default();
    show!(t, message.get(1..).map(<[Vec<u8>]>::to_vec));
    let Some(id) = message.first() else { return };
    show!(t, id.len());
    show!(t, r.send_now(m!(id, "an answer")));
    show!(t, bare.read());
    show!(t, r.send_now(m!(id, "one", "two")));
    show!(t, bare.read());
    show!(t, r.send_now(m!(id, "")));
    notice(t, &[&r]);
    show!(t, bare.read());
}
