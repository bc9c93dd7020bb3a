//! How many messages each pair of high-water marks accepts.

use crate::Case;
use crate::script::{Socket, Test, m, show};
use crate::zmq;

const MARKS: [i32; 6] = [0, 1, 2, 3, 10, 100];
/// Where "without limit" is taken as seen.
const MANY: usize = 1_000;

/// Pairs of a sending and a receiving type whose sender can be full.
const PAIRS: [(i32, i32); 9] = [
    (zmq::PUSH, zmq::PULL),
    (zmq::DEALER, zmq::ROUTER),
    (zmq::DEALER, zmq::DEALER),
    (zmq::DEALER, zmq::REP),
    (zmq::PAIR, zmq::PAIR),
    (zmq::SCATTER, zmq::GATHER),
    (zmq::CLIENT, zmq::SERVER),
    (zmq::CHANNEL, zmq::CHANNEL),
    (zmq::PEER, zmq::PEER),
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (sender, receiver) in PAIRS.into_iter().take(8) {
        let name = format!("{} to {}", zmq::TYPES[sender as usize], zmq::TYPES[receiver as usize]);
        cases.push(Case::new(format!("marks/inproc {name}"), move |t| inproc(t, sender, receiver)));
        cases.push(Case::new(format!("marks/absent {name}"), move |t| absent(t, sender)));
    }
    cases.push(Case::new("marks/multipart", multipart));
    cases.push(Case::new("marks/refill", refill));
    cases.push(Case::new("marks/changed later", changed));
    cases.push(Case::new("marks/PUB drops", publish));
    cases.push(Case::new("marks/XPUB NODROP", nodrop));
    cases.push(Case::new("marks/ROUTER", router));
    cases.push(Case::new("marks/CONFLATE", conflate));
    cases.push(Case::new("marks/IMMEDIATE", immediate));
    cases.push(Case::new("marks/upwards", upwards));
    cases
}

fn with_marks(t: &Test, kind: i32, send: i32, receive: i32) -> Socket<'_> {
    let socket = t.socket(kind);
    let _ = socket.set_int(zmq::SNDHWM, send);
    let _ = socket.set_int(zmq::RCVHWM, receive);
    socket
}

fn inproc(t: &Test, sender: i32, receiver: i32) {
    for send in MARKS {
        for receive in MARKS {
            for order in ["bind first", "connect first, bind later", "sender binds"] {
                // Marks of the other direction are odd ones, so that a mix-up shows.
                let (s, r) = (with_marks(t, sender, send, 7), with_marks(t, receiver, 13, receive));
                let endpoint = format!("inproc://{send}-{receive}-{order}");
                let before = match order {
                    "bind first" => {
                        let _ = (r.bind(&endpoint), s.connect(&endpoint));
                        0
                    }
                    "sender binds" => {
                        let _ = (s.bind(&endpoint), r.connect(&endpoint));
                        0
                    }
                    _ => {
                        let _ = s.connect(&endpoint);
                        let before = s.fill(&[b"a"], MANY);
                        let _ = r.bind(&endpoint);
                        before
                    }
                };
                let taken = s.fill(&[b"a"], MANY);
                t.say(format_args!("{send} x {receive}, {order}: {before} + {taken}, then {}", s.events()));
                if sender != zmq::CLIENT || before + taken > 0 {
                    let mut received = 0;
                    while received < before + taken && r.recv_now().is_ok() {
                        received += 1;
                    }
                    t.say(format_args!(
                        "{send} x {receive}, {order}: received {received}, then {} more",
                        s.fill(&[b"a"], MANY)
                    ));
                }
                let _ = (s.close(), r.close());
            }
        }
    }
}

fn absent(t: &Test, sender: i32) {
    for send in MARKS {
        for endpoints in [&["tcp://127.0.0.1:1"][..], &["tcp://127.0.0.1:1", "ipc:///nosuch/a"]] {
            let s = with_marks(t, sender, send, 7);
            for endpoint in endpoints {
                let _ = s.connect(endpoint);
            }
            t.say(format_args!(
                "{send}, {} endpoints: {}, then {}",
                endpoints.len(),
                s.fill(&[b"a"], MANY),
                s.events()
            ));
            let _ = s.close();
        }
    }
}

fn multipart(t: &Test) {
    for (send, receive) in [(1, 1), (2, 3), (0, 1), (10, 10)] {
        for parts in 1..6 {
            let (s, r) = (with_marks(t, zmq::PUSH, send, 7), with_marks(t, zmq::PULL, 13, receive));
            let endpoint = format!("inproc://{send}-{receive}-{parts}");
            let _ = (r.bind(&endpoint), s.connect(&endpoint));
            let message = vec![&b"a"[..]; parts];
            let taken = s.fill(&message, 100);
            t.say(format_args!("{send} x {receive}: {taken} of {parts} parts"));
            // One part that is begun when there is no room.
            show!(t, ["first of two parts"], s.send_with(b"a", zmq::SNDMORE | zmq::DONTWAIT));
            show!(t, ["second"], s.send_with(b"b", zmq::DONTWAIT));
            show!(t, ["received"], r.recv_now());
            show!(t, ["taken then"], s.fill(&message, 100));
            let _ = (s.close(), r.close());
        }
    }
}

/// When a full pipe takes messages again, and how many.
fn refill(t: &Test) {
    for (send, receive) in [(1, 1), (1, 2), (2, 2), (3, 2), (5, 5), (10, 10), (10, 1), (1, 10), (100, 100)] {
        let (s, r) = (with_marks(t, zmq::PUSH, send, 7), with_marks(t, zmq::PULL, 13, receive));
        let endpoint = format!("inproc://{send}-{receive}");
        let _ = (r.bind(&endpoint), s.connect(&endpoint));
        let taken = s.fill(&[b"a"], MANY);
        let mut row = Vec::new();
        for _ in 0..taken {
            let _ = r.recv_now();
            row.push(s.fill(&[b"a"], MANY));
        }
        t.say(format_args!("{send} x {receive}: {taken}, then after each receive {row:?}"));
        let _ = (s.close(), r.close());
    }
}

fn changed(t: &Test) {
    for (first, later) in [(2, 10), (10, 2), (2, 0), (0, 2), (10, 5)] {
        for side in ["sender", "receiver"] {
            let (s, r) = (with_marks(t, zmq::PUSH, first, 7), with_marks(t, zmq::PULL, 13, first));
            let endpoint = format!("inproc://{first}-{later}-{side}");
            let _ = (r.bind(&endpoint), s.connect(&endpoint));
            let before = if first == 0 { s.fill(&[b"a"], 20) } else { s.fill(&[b"a"], MANY) };
            let _ =
                if side == "sender" { s.set_int(zmq::SNDHWM, later) } else { r.set_int(zmq::RCVHWM, later) };
            let after = s.fill(&[b"a"], MANY);
            let mut row = Vec::new();
            for _ in 0..before.min(20) {
                let _ = r.recv_now();
                row.push(s.fill(&[b"a"], MANY).min(100));
            }
            t.say(format_args!(
                "{first}, the {side}'s then {later}: {before} + {after}, after each receive {row:?}"
            ));
            let _ = (s.close(), r.close());
        }
    }
}

/// PUB never waits: what its subscriber gets shows where it dropped.
fn publish(t: &Test) {
    for kind in [zmq::PUB, zmq::XPUB] {
        for (send, receive) in [(1, 1), (2, 3), (10, 10), (0, 1), (1, 0)] {
            for parts in [1, 3] {
                let (s, r) = (with_marks(t, kind, send, 0), with_marks(t, zmq::SUB, 0, receive));
                let endpoint = format!("inproc://{kind}-{send}-{receive}-{parts}");
                let _ = (s.bind(&endpoint), r.connect(&endpoint), r.set(zmq::SUBSCRIBE, b""));
                let message = vec![&b"a"[..]; parts];
                let sent = s.fill(&message, 50);
                let (mut whole, mut broken) = (0, 0);
                while let Ok(message) = r.recv_now() {
                    if message.len() == parts { whole += 1 } else { broken += 1 }
                }
                t.say(format_args!(
                    "{} {send} x {receive}, {parts} parts: {sent} sent, {whole} whole, {broken} broken",
                    zmq::TYPES[kind as usize]
                ));
                let _ = (s.close(), r.close());
            }
        }
    }
}

fn nodrop(t: &Test) {
    for (send, receive) in [(1, 1), (2, 3), (10, 10), (0, 1)] {
        let (s, r) = (with_marks(t, zmq::XPUB, send, 0), with_marks(t, zmq::SUB, 0, receive));
        let fast = with_marks(t, zmq::SUB, 0, 0);
        show!(t, s.set_int(zmq::XPUB_NODROP, 1));
        let endpoint = format!("inproc://{send}-{receive}");
        let _ = (s.bind(&endpoint), r.connect(&endpoint), r.set(zmq::SUBSCRIBE, b""));
        t.say(format_args!("{send} x {receive}: {} sent, then {}", s.fill(&[b"a"], 50), s.events()));
        let _ = fast.connect(&endpoint);
        let _ = fast.set(zmq::SUBSCRIBE, b"");
        t.say(format_args!("with a second one that has room: {}", s.fill(&[b"b"], 50)));
        show!(t, ["what another topic gives"], s.send_now(&[b"c"]));
        t.say(format_args!("the slow one gets {}, the fast one {}", r.drain(), fast.drain()));
        t.say(format_args!("then {} more", s.fill(&[b"b"], 50)));
        let _ = (s.close(), r.close(), fast.close());
    }
}

fn router(t: &Test) {
    for mandatory in [0, 1] {
        for (send, receive) in [(1, 1), (2, 3), (0, 1)] {
            let (s, r) = (with_marks(t, zmq::ROUTER, send, 0), with_marks(t, zmq::DEALER, 0, receive));
            let _ = (s.set_int(zmq::ROUTER_MANDATORY, mandatory), r.set(zmq::ROUTING_ID, b"peer"));
            let endpoint = format!("inproc://{mandatory}-{send}-{receive}");
            let _ = (s.bind(&endpoint), r.connect(&endpoint), r.send(&[b"hello"]));
            show!(t, s.recv());
            t.say(format_args!(
                "mandatory {mandatory}, {send} x {receive}: {} taken, then {}",
                s.fill(m!("peer", "a"), 50),
                s.events()
            ));
            show!(t, s.send_with(b"peer", zmq::SNDMORE | zmq::DONTWAIT));
            show!(t, s.send_with(b"a", zmq::DONTWAIT));
            t.say(format_args!("{} received", r.drain()));
            let _ = (s.close(), r.close());
        }
    }
}

fn conflate(t: &Test) {
    for (sender, receiver) in [(zmq::PUSH, zmq::PULL), (zmq::PUB, zmq::SUB), (zmq::DEALER, zmq::DEALER)] {
        for which in ["both", "sender", "receiver"] {
            for transport in ["inproc", "tcp"] {
                let (s, r) = (t.socket(sender), t.socket(receiver));
                if which != "receiver" {
                    show!(t, s.set_int(zmq::CONFLATE, 1));
                }
                if which != "sender" {
                    show!(t, r.set_int(zmq::CONFLATE, 1));
                }
                let endpoint = r.bind_anywhere(transport);
                let _ = (s.connect(&endpoint), r.set(zmq::SUBSCRIBE, b""));
                t.settle();
                let _ = (r.poll(zmq::POLLIN, 0), s.poll(zmq::POLLOUT, 0));
                t.settle();
                for body in [b"1", b"2", b"3", b"4"] {
                    let _ = s.send_now(&[body]);
                    // Over a connection each is to arrive before the next one is sent.
                    t.settle();
                }
                let got = r.recv_all();
                t.say(format_args!(
                    "{} {transport}, {which}: {} ends with {:?}",
                    zmq::TYPES[sender as usize],
                    got.len(),
                    got.last()
                ));
                let _ = (s.close(), r.close());
            }
        }
    }
}

fn immediate(t: &Test) {
    for kind in [zmq::PUSH, zmq::DEALER, zmq::REQ, zmq::PAIR, zmq::CLIENT, zmq::SCATTER] {
        let Ok(s) = t.bare_socket(kind) else {
            t.say(format_args!("no {} socket: EINVAL", zmq::TYPES[kind as usize]));
            return;
        };
        let _ = (s.set_int(zmq::LINGER, 0), s.set_int(zmq::IMMEDIATE, 1));
        show!(t, s.connect("tcp://127.0.0.1:1"));
        t.say(format_args!("{}: {}, {}", zmq::TYPES[kind as usize], s.events(), s.fill(&[b"a"], 5)));
        let _ = s.close();
    }
}

/// What goes up from a SUB doesn't count.
fn upwards(t: &Test) {
    let (s, r) = (with_marks(t, zmq::XPUB, 1, 1), with_marks(t, zmq::XSUB, 1, 1));
    show!(t, s.bind("inproc://a"));
    show!(t, r.connect("inproc://a"));
    let sent = (0..20_u8).filter(|topic| r.send_now(&[&[1, *topic]]).is_ok()).count();
    t.say(format_args!("{sent} subscriptions sent"));
    show!(t, r.fill(&[b"upwards"], 20));
    show!(t, s.recv_all());
}
