//! Who gets which message when there are several peers: load balancing and fair queueing, also while peers come and go.

use crate::Case;
use crate::script::{Socket, Test, show};
use crate::zmq;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let senders = [
        (zmq::PUSH, zmq::PULL),
        (zmq::DEALER, zmq::DEALER),
        (zmq::DEALER, zmq::ROUTER),
        (zmq::REQ, zmq::REP),
        (zmq::REQ, zmq::ROUTER),
        (zmq::CLIENT, zmq::SERVER),
        (zmq::SCATTER, zmq::GATHER),
    ];
    for transport in ["inproc", "tcp", "ipc"] {
        for (sender, receiver) in senders {
            let name =
                format!("{} to {}, {transport}", zmq::TYPES[sender as usize], zmq::TYPES[receiver as usize]);
            cases.push(Case::new(format!("balance/from {name}"), move |t| {
                spread(t, transport, sender, receiver)
            }));
            if sender != zmq::REQ {
                cases.push(Case::new(format!("balance/marks, {name}"), move |t| {
                    marks(t, transport, sender, receiver)
                }));
            }
        }
        for (sender, receiver) in [
            (zmq::PUSH, zmq::PULL),
            (zmq::DEALER, zmq::ROUTER),
            (zmq::DEALER, zmq::DEALER),
            (zmq::DEALER, zmq::REP),
            (zmq::PUB, zmq::SUB),
            (zmq::XPUB, zmq::XSUB),
            (zmq::CLIENT, zmq::SERVER),
            (zmq::SCATTER, zmq::GATHER),
            (zmq::RADIO, zmq::DISH),
        ] {
            let name = format!(
                "{} from {}, {transport}",
                zmq::TYPES[receiver as usize],
                zmq::TYPES[sender as usize]
            );
            cases.push(Case::new(format!("balance/{name}"), move |t| gather(t, transport, sender, receiver)));
        }
    }
    cases
}

/// Connects one to another, and waits until messages go through.
fn join(t: &Test, transport: &str, binds: &Socket, connects: &Socket) -> String {
    let endpoint = binds.bind_anywhere(transport);
    let _ = connects.connect(&endpoint);
    if transport != "inproc" {
        t.settle();
    }
    endpoint
}

/// Lets a socket see that a peer has gone. A pipe ends in two exchanges between the sockets, and each calls for a look.
fn notice(t: &Test, s: &Socket) {
    for _ in 0..3 {
        t.settle();
        let _ = s.events();
    }
}

/// What each receiver has got, received in the order of the receivers.
fn heard(t: &Test, what: &str, receivers: &[Socket]) {
    for (number, receiver) in receivers.iter().enumerate() {
        let messages: Vec<_> =
            receiver.recv_all().into_iter().map(|parts| parts.last().cloned().unwrap_or_default()).collect();
        show!(t, ["{what}: receiver {number}"], messages);
    }
}

fn send_numbers(t: &Test, what: &str, sender: &Socket, numbers: std::ops::Range<u8>) {
    for number in numbers {
        let body = format!("{number}");
        if let Err(errno) = sender.send_now(&[body.as_bytes()]) {
            show!(t, ["{what}: {number} isn't taken"], errno);
        }
    }
}

fn spread(t: &Test, transport: &str, sender: i32, receiver: i32) {
    let s = t.socket(sender);
    if sender == zmq::REQ {
        let _ = (s.set_int(zmq::REQ_RELAXED, 1), s.set_int(zmq::REQ_CORRELATE, 1));
    }
    let mut receivers: Vec<Socket> = (0..3).map(|_| t.socket(receiver)).collect();
    let mut endpoints: Vec<String> = receivers.iter().map(|r| join(t, transport, r, &s)).collect();
    send_numbers(t, "three", &s, 0..8);
    heard(t, "three", &receivers);

    // A fourth comes in the middle.
    send_numbers(t, "three again", &s, 8..9);
    let late = t.socket(receiver);
    endpoints.push(join(t, transport, &late, &s));
    receivers.push(late);
    send_numbers(t, "four", &s, 9..18);
    heard(t, "four", &receivers);

    // One goes by disconnecting, one by closing.
    show!(t, s.disconnect(&endpoints[1]));
    notice(t, &s);
    send_numbers(t, "without the second", &s, 18..25);
    heard(t, "without the second", &receivers);
    show!(t, receivers[0].close());
    receivers.remove(0);
    if transport == "inproc" {
        notice(t, &s);
        send_numbers(t, "without the first", &s, 25..32);
        heard(t, "without the first", &receivers);
    }
}

fn marks(t: &Test, transport: &str, sender: i32, receiver: i32) {
    let s = t.socket(sender);
    let _ = s.set_int(zmq::SNDHWM, 1);
    let receivers: Vec<Socket> = (0..3).map(|_| t.socket(receiver)).collect();
    if transport == "inproc" {
        for (receiver, mark) in receivers.iter().zip([1, 4, 2]) {
            let _ = receiver.set_int(zmq::RCVHWM, mark);
            join(t, transport, receiver, &s);
        }
        send_numbers(t, "full", &s, 0..15);
        heard(t, "full", &receivers);
        send_numbers(t, "again", &s, 15..30);
        show!(t, ["the second receives"], body_of(&receivers[1]));
        show!(t, ["the second receives"], body_of(&receivers[1]));
        show!(t, ["the second receives"], body_of(&receivers[1]));
        send_numbers(t, "the second had room", &s, 30..36);
        heard(t, "the second had room", &receivers);
    } else {
        // Nobody is there: as many as the marks allow, in turns, and they stay in their own order.
        let endpoints =
            receivers.iter().map(|receiver| receiver.bind_anywhere(transport)).collect::<Vec<_>>();
        for (receiver, endpoint) in receivers.iter().zip(&endpoints) {
            show!(t, ["unbind"], receiver.unbind(endpoint));
        }
        t.settle();
        for (endpoint, mark) in endpoints.iter().zip([1, 4, 2]) {
            let _ = (s.set_int(zmq::SNDHWM, mark), s.connect(endpoint));
        }
        send_numbers(t, "to nobody", &s, 0..12);
        for (receiver, endpoint) in receivers.iter().zip(&endpoints) {
            show!(t, ["bind again"], receiver.bind(endpoint));
        }
        let deadline = std::time::Instant::now() + t.limit();
        for receiver in &receivers {
            receiver.wait(zmq::POLLIN, deadline.saturating_duration_since(std::time::Instant::now()));
        }
        heard(t, "to nobody", &receivers);
    }
}

fn gather(t: &Test, transport: &str, sender: i32, receiver: i32) {
    let r = t.socket(receiver);
    let senders: Vec<Socket> = (0..3).map(|_| t.socket(sender)).collect();
    if matches!(receiver, zmq::SUB) {
        show!(t, r.set(zmq::SUBSCRIBE, b""));
    }
    if receiver == zmq::DISH {
        show!(t, crate::script::join_group(&r, "g"));
    }
    for (name, s) in ["a", "b", "c"].iter().zip(&senders) {
        let _ = s.set(zmq::ROUTING_ID, name.as_bytes());
    }
    // The receiver connects to the first, and the others to the receiver.
    join(t, transport, &senders[0], &r);
    let endpoint = r.bind_anywhere(transport);
    for s in &senders[1..] {
        let _ = s.connect(&endpoint);
        if transport != "inproc" {
            t.settle();
        }
    }
    if receiver == zmq::XSUB {
        show!(t, r.send(&[&[1]]));
    }
    if matches!(receiver, zmq::XSUB | zmq::SUB | zmq::DISH) {
        let _ = r.events();
        t.settle();
        senders.iter().for_each(|s| drop(s.events()));
    }
    let send = |s: &Socket, body: &str| {
        if sender == zmq::RADIO {
            let mut message = t.message_of(body.as_bytes());
            let _ = message.set_group("g");
            message.send(s, 0)
        } else if receiver == zmq::REP {
            s.send(&[b"", body.as_bytes()])
        } else {
            s.send(&[body.as_bytes()])
        }
    };
    // Each connection is heard before the next one is used, so that all are known in this order.
    for (name, s) in ["c", "a", "b"].iter().zip([2, 0, 1]) {
        let _ = send(&senders[s], name);
        show!(t, ["first"], body_of(&r));
    }
    for (name, s) in ["a", "b", "c"].iter().zip(&senders) {
        for number in 1..4 {
            let _ = send(s, &format!("{name}{number}"));
        }
        if transport != "inproc" {
            t.settle();
        }
    }
    for _ in 0..9 {
        show!(t, ["in turns"], body_of(&r));
    }
    if !matches!(receiver, zmq::REP) && !matches!(sender, zmq::CLIENT | zmq::SCATTER | zmq::RADIO) {
        for s in [&senders[1], &senders[0]] {
            let _ = s.send(&[b"1", b"2", b"3"]);
            let _ = s.send(&[b"4", b"5"]);
        }
        t.settle();
        for _ in 0..4 {
            show!(t, ["multipart"], r.recv());
        }
    }
    // One goes with messages unread, and they are lost or not.
    let _ = (send(&senders[1], "last"), send(&senders[2], "c-last"));
    t.settle();
    show!(t, senders[1].close());
    t.settle();
    for _ in 0..2 {
        show!(t, ["after one has gone"], body_of(&r));
    }
}

/// The last part of what comes; a REP answers, so that it can go on.
fn body_of(r: &Socket) -> crate::script::Outcome<Vec<u8>> {
    let message = r.recv_soon()?;
    let _ = r.send_now(&[b"answer"]);
    Ok(message.into_iter().last().unwrap_or_default())
}
