//! Subscription messages: which an XPUB gets to see under each of its options, and which messages then arrive.

use std::ffi::c_int;

use crate::Case;
use crate::script::{Socket, Test, m, show};
use crate::zmq;

/// What is set on the XPUB.
const OPTIONS: [(&str, &[(c_int, c_int)]); 12] = [
    ("none", &[]),
    ("VERBOSE", &[(zmq::XPUB_VERBOSE, 1)]),
    ("VERBOSER", &[(zmq::XPUB_VERBOSER, 1)]),
    ("VERBOSE off again", &[(zmq::XPUB_VERBOSER, 1), (zmq::XPUB_VERBOSE, 0)]),
    ("VERBOSE then VERBOSER off", &[(zmq::XPUB_VERBOSE, 1), (zmq::XPUB_VERBOSER, 0)]),
    ("MANUAL", &[(zmq::XPUB_MANUAL, 1)]),
    ("MANUAL VERBOSER", &[(zmq::XPUB_MANUAL, 1), (zmq::XPUB_VERBOSER, 1)]),
    ("MANUAL_LAST_VALUE", &[(zmq::XPUB_MANUAL_LAST_VALUE, 1)]),
    ("ONLY_FIRST_SUBSCRIBE", &[(zmq::ONLY_FIRST_SUBSCRIBE, 1)]),
    ("ONLY_FIRST_SUBSCRIBE VERBOSE", &[(zmq::ONLY_FIRST_SUBSCRIBE, 1), (zmq::XPUB_VERBOSE, 1)]),
    ("INVERT_MATCHING", &[(zmq::INVERT_MATCHING, 1)]),
    ("NODROP", &[(zmq::XPUB_NODROP, 1)]),
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for transport in ["inproc", "tcp"] {
        for (name, options) in OPTIONS {
            let run = move |of: fn(&Test, &str, &[(c_int, c_int)])| move |t: &Test| of(t, transport, options);
            cases.push(Case::new(format!("subscriptions/one SUB, {transport}, {name}"), run(one_sub)));
            cases.push(Case::new(format!("subscriptions/two SUBs, {transport}, {name}"), run(two_subs)));
            cases.push(Case::new(format!("subscriptions/XSUB, {transport}, {name}"), run(raw)));
            cases.push(Case::new(format!("subscriptions/manual answers, {transport}, {name}"), run(manual)));
        }
        for verbose in [0, 1] {
            cases.push(Case::new(
                format!("subscriptions/XSUB_VERBOSE_UNSUBSCRIBE {verbose}, {transport}"),
                move |t| verbose_unsubscribe(t, transport, verbose),
            ));
        }
        cases.push(Case::new(format!("subscriptions/WELCOME_MSG, {transport}"), move |t| {
            welcome(t, transport)
        }));
        cases.push(Case::new(format!("subscriptions/XSUB upwards, {transport}"), move |t| {
            upwards(t, transport)
        }));
        cases.push(Case::new(format!("subscriptions/topics, {transport}"), move |t| topics(t, transport)));
        cases.push(Case::new(format!("subscriptions/forwarding, {transport}"), move |t| {
            forwarding(t, transport)
        }));
        cases.push(Case::new(format!("subscriptions/INVERT_MATCHING, {transport}"), move |t| {
            inverted(t, transport)
        }));
        cases.push(Case::new(format!("subscriptions/ONLY_FIRST_SUBSCRIBE parts, {transport}"), move |t| {
            only_first(t, transport)
        }));
        cases.push(Case::new(format!("subscriptions/of PUB, {transport}"), move |t| of_pub(t, transport)));
    }
    cases
}

fn publisher<'a>(t: &'a Test, transport: &str, options: &[(c_int, c_int)]) -> (Socket<'a>, String) {
    let publisher = t.socket(zmq::XPUB);
    for (option, value) in options {
        show!(t, ["set {option} to {value}"], publisher.set_int(*option, *value));
    }
    let endpoint = publisher.bind_anywhere(transport);
    (publisher, endpoint)
}

/// Does something, and shows what the publisher then receives.
fn step(t: &Test, what: &str, publisher: &Socket, done: crate::script::Outcome) {
    show!(t, ["{what}"], done);
    show!(t, ["  the publisher gets"], publisher.recv_all());
}

/// Sends some topics, and shows which arrive.
fn offer(t: &Test, publisher: &Socket, subscribers: &[&Socket]) {
    for topic in ["", "a", "ab", "abc", "b", "c"] {
        if let Err(errno) = publisher.send_now(m!(topic)) {
            show!(t, ["  {topic:?} isn't taken"], errno);
        }
    }
    for (number, subscriber) in subscribers.iter().enumerate() {
        show!(t, ["  subscriber {number} gets"], subscriber.recv_all());
    }
}

fn one_sub(t: &Test, transport: &str, options: &[(c_int, c_int)]) {
    let (p, endpoint) = publisher(t, transport, options);
    let s = t.socket(zmq::SUB);
    show!(t, s.set(zmq::SUBSCRIBE, b"before"));
    show!(t, s.set(zmq::SUBSCRIBE, b"before"));
    step(t, "connect", &p, s.connect(&endpoint));
    step(t, "subscribe a", &p, s.set(zmq::SUBSCRIBE, b"a"));
    step(t, "subscribe a again", &p, s.set(zmq::SUBSCRIBE, b"a"));
    step(t, "subscribe ab", &p, s.set(zmq::SUBSCRIBE, b"ab"));
    step(t, "subscribe nothing", &p, s.set(zmq::SUBSCRIBE, b""));
    offer(t, &p, &[&s]);
    step(t, "unsubscribe nothing", &p, s.set(zmq::UNSUBSCRIBE, b""));
    step(t, "unsubscribe nothing again", &p, s.set(zmq::UNSUBSCRIBE, b""));
    step(t, "unsubscribe what never was", &p, s.set(zmq::UNSUBSCRIBE, b"never"));
    offer(t, &p, &[&s]);
    step(t, "unsubscribe a", &p, s.set(zmq::UNSUBSCRIBE, b"a"));
    offer(t, &p, &[&s]);
    step(t, "unsubscribe a", &p, s.set(zmq::UNSUBSCRIBE, b"a"));
    step(t, "unsubscribe a", &p, s.set(zmq::UNSUBSCRIBE, b"a"));
    offer(t, &p, &[&s]);
    show!(t, s.disconnect(&endpoint));
    // A pipe ends in two exchanges between the sockets, and each calls for a look.
    for _ in 0..3 {
        t.settle();
        let _ = (s.events(), p.events());
    }
    show!(t, ["  the publisher gets"], p.recv_all());
    step(t, "connect again", &p, s.connect(&endpoint));
    step(t, "close", &p, s.close());
}

fn two_subs(t: &Test, transport: &str, options: &[(c_int, c_int)]) {
    let (p, endpoint) = publisher(t, transport, options);
    let (a, b) = (t.socket(zmq::SUB), t.socket(zmq::SUB));
    step(t, "first connects", &p, a.connect(&endpoint));
    step(t, "second connects", &p, b.connect(&endpoint));
    step(t, "first subscribes a", &p, a.set(zmq::SUBSCRIBE, b"a"));
    step(t, "second subscribes a", &p, b.set(zmq::SUBSCRIBE, b"a"));
    step(t, "second subscribes a again", &p, b.set(zmq::SUBSCRIBE, b"a"));
    step(t, "second subscribes c", &p, b.set(zmq::SUBSCRIBE, b"c"));
    offer(t, &p, &[&a, &b]);
    step(t, "first unsubscribes a", &p, a.set(zmq::UNSUBSCRIBE, b"a"));
    offer(t, &p, &[&a, &b]);
    step(t, "second unsubscribes a", &p, b.set(zmq::UNSUBSCRIBE, b"a"));
    step(t, "second unsubscribes a again", &p, b.set(zmq::UNSUBSCRIBE, b"a"));
    step(t, "first subscribes c", &p, a.set(zmq::SUBSCRIBE, b"c"));
    step(t, "first goes", &p, a.close());
    offer(t, &p, &[&b]);
    step(t, "second goes", &p, b.close());
}

/// An XSUB says what it likes.
fn raw(t: &Test, transport: &str, options: &[(c_int, c_int)]) {
    let (p, endpoint) = publisher(t, transport, options);
    let s = t.socket(zmq::XSUB);
    step(t, "connect", &p, s.connect(&endpoint));
    for message in [
        &b"\x01a"[..],
        b"\x01a",
        b"\x00a",
        b"\x00a",
        b"\x00never",
        b"\x01",
        b"\x00",
        b"",
        b"\x02b",
        b"user message",
        b"\x01b",
    ] {
        step(t, &format!("send {}", crate::script::bytes(message)), &p, s.send_now(&[message]));
    }
    step(t, "send \\x01, \\x01x", &p, s.send_now(m!(b"\x01c", b"\x01d")));
    step(t, "send user, \\x01x", &p, s.send_now(m!(b"user", b"\x01e")));
    step(t, "send \\x01x, user", &p, s.send_now(m!(b"\x01f", b"user")));
    step(t, "send user, user, \\x00b", &p, s.send_now(m!(b"user", b"user", b"\x00b")));
    for topic in ["a", "b", "c", "d", "e", "f"] {
        let _ = p.send_now(m!(topic));
    }
    show!(t, s.recv_all());
    step(t, "close", &p, s.close());
}

/// The publisher decides on other topics than asked for.
fn manual(t: &Test, transport: &str, options: &[(c_int, c_int)]) {
    let (p, endpoint) = publisher(t, transport, options);
    let (a, b) = (t.socket(zmq::SUB), t.socket(zmq::SUB));
    step(t, "first connects", &p, a.connect(&endpoint));
    step(t, "second connects", &p, b.connect(&endpoint));
    show!(t, ["set without a request"], p.set(zmq::SUBSCRIBE, b"x"));
    step(t, "first subscribes a", &p, a.set(zmq::SUBSCRIBE, b"a"));
    show!(t, ["given: b"], p.set(zmq::SUBSCRIBE, b"b"));
    offer(t, &p, &[&a, &b]);
    step(t, "second subscribes c", &p, b.set(zmq::SUBSCRIBE, b"c"));
    show!(t, ["given: c"], p.set(zmq::SUBSCRIBE, b"c"));
    show!(t, ["given: c again"], p.set(zmq::SUBSCRIBE, b"c"));
    show!(t, ["given: a"], p.set(zmq::SUBSCRIBE, b"a"));
    offer(t, &p, &[&a, &b]);
    step(t, "first unsubscribes a", &p, a.set(zmq::UNSUBSCRIBE, b"a"));
    show!(t, ["taken: b"], p.set(zmq::UNSUBSCRIBE, b"b"));
    show!(t, ["taken: never"], p.set(zmq::UNSUBSCRIBE, b"never"));
    offer(t, &p, &[&a, &b]);
    step(t, "second unsubscribes c", &p, b.set(zmq::UNSUBSCRIBE, b"c"));
    show!(t, ["taken: c"], p.set(zmq::UNSUBSCRIBE, b"c"));
    offer(t, &p, &[&a, &b]);
    step(t, "first subscribes c", &p, a.set(zmq::SUBSCRIBE, b"c"));
    show!(t, ["given: c"], p.set(zmq::SUBSCRIBE, b"c"));
    offer(t, &p, &[&a, &b]);
    step(t, "first goes", &p, a.close());
    offer(t, &p, &[&b]);
    show!(t, ["given: b, to nobody"], p.set(zmq::SUBSCRIBE, b"b"));
    step(t, "second goes", &p, b.close());
    offer(t, &p, &[]);
}

fn verbose_unsubscribe(t: &Test, transport: &str, verbose: c_int) {
    let (p, endpoint) = publisher(t, transport, &[(zmq::XPUB_VERBOSER, 1)]);
    let s = t.socket(zmq::XSUB);
    show!(t, s.set_int(zmq::XSUB_VERBOSE_UNSUBSCRIBE, verbose));
    step(t, "connect", &p, s.connect(&endpoint));
    for message in [b"\x00a", b"\x01a", b"\x01a", b"\x00a", b"\x00a", b"\x00a", b"\x01b", b"\x00b"] {
        step(t, &format!("send {}", crate::script::bytes(message)), &p, s.send_now(&[message]));
    }
    step(t, "close", &p, s.close());
}

fn welcome(t: &Test, transport: &str) {
    let (p, endpoint) = publisher(t, transport, &[]);
    show!(t, p.set(zmq::XPUB_WELCOME_MSG, b"welcome"));
    let a = t.socket(zmq::SUB);
    show!(t, a.set(zmq::SUBSCRIBE, b""));
    step(t, "connect", &p, a.connect(&endpoint));
    show!(t, a.recv_all());
    show!(t, p.set(zmq::XPUB_WELCOME_MSG, b"another"));
    let b = t.socket(zmq::SUB);
    show!(t, b.set(zmq::SUBSCRIBE, b"a"));
    step(t, "connect", &p, b.connect(&endpoint));
    show!(t, a.recv_all());
    show!(t, b.recv_all());
    let c = t.socket(zmq::SUB);
    show!(t, c.set(zmq::SUBSCRIBE, b"w"));
    step(t, "connect", &p, c.connect(&endpoint));
    show!(t, c.recv_all());
    let d = t.socket(zmq::XSUB);
    step(t, "connect", &p, d.connect(&endpoint));
    show!(t, d.recv_all());
    show!(t, p.set(zmq::XPUB_WELCOME_MSG, b""));
    let e = t.socket(zmq::XSUB);
    step(t, "connect", &p, e.connect(&endpoint));
    show!(t, e.recv_all());
}

fn upwards(t: &Test, transport: &str) {
    let (p, endpoint) = publisher(t, transport, &[]);
    let (a, b) = (t.socket(zmq::XSUB), t.socket(zmq::XSUB));
    let _ = (a.connect(&endpoint), b.connect(&endpoint));
    t.settle();
    for (name, s) in [("a", &a), ("b", &b)] {
        show!(t, ["{name} sends"], s.send_now(m!("from", name)));
        show!(t, ["  the publisher gets"], p.recv_soon());
        show!(t, ["{name} subscribes"], s.send_now(m!(b"\x01x")));
        show!(t, ["  the publisher gets"], p.recv_soon());
    }
    show!(t, a.events());
    show!(t, p.events());
    show!(t, ["a part"], a.send_with(b"part", zmq::SNDMORE));
    show!(t, ["a subscription after a part"], a.send_with(b"\x01y", 0));
    show!(t, p.recv_all());
    let _ = p.send_now(m!("y"));
    show!(t, a.recv_all());
}

/// Which topics match which subscriptions, with bytes of all sorts.
fn topics(t: &Test, transport: &str) {
    let (p, endpoint) = publisher(t, transport, &[]);
    let s = t.socket(zmq::SUB);
    let _ = s.connect(&endpoint);
    let long = vec![b'l'; 300];
    for topic in [
        &b"\0"[..],
        b"\0\0",
        b"\xff",
        b"\xff\xfe",
        b"abc",
        b"abd",
        b"abde",
        b"b",
        &long,
        &long[..255],
        &long[..254],
    ] {
        step(t, &format!("subscribe {}", crate::script::bytes(topic)), &p, s.set(zmq::SUBSCRIBE, topic));
    }
    let try_all = |what: &str| {
        for body in [
            &b""[..],
            b"\0",
            b"\0a",
            b"\xff",
            b"\xff\xfe\xfd",
            b"\xfe",
            b"a",
            b"ab",
            b"abc",
            b"abcd",
            b"abd",
            b"abe",
            b"b",
            b"ba",
            &long,
            &long[..253],
            &long[..254],
        ] {
            let _ = p.send_now(&[body]);
        }
        show!(t, ["{what}"], s.recv_all());
    };
    try_all("all");
    for topic in [&b"abd"[..], b"\0", &long, &long[..255]] {
        step(t, &format!("unsubscribe {}", crate::script::bytes(topic)), &p, s.set(zmq::UNSUBSCRIBE, topic));
    }
    try_all("after some have gone");
    // Only the first part counts.
    let _ = p.send_now(m!("x", "abc"));
    let _ = p.send_now(m!("abc", "x", ""));
    show!(t, s.recv_all());
}

/// XPUB and XSUB as a proxy has them.
fn forwarding(t: &Test, transport: &str) {
    let (p, up) = publisher(t, transport, &[]);
    let (front, back) = (t.socket(zmq::XSUB), t.socket(zmq::XPUB));
    let down = back.bind_anywhere(transport);
    let _ = front.connect(&up);
    let (a, b) = (t.socket(zmq::SUB), t.socket(zmq::SUB));
    let _ = (a.connect(&down), b.connect(&down));
    t.settle();
    for (name, s, option, topic) in [
        ("a subscribes", &a, zmq::SUBSCRIBE, "x"),
        ("b subscribes", &b, zmq::SUBSCRIBE, "x"),
        ("b subscribes", &b, zmq::SUBSCRIBE, "y"),
        ("a unsubscribes", &a, zmq::UNSUBSCRIBE, "x"),
        ("b unsubscribes", &b, zmq::UNSUBSCRIBE, "x"),
    ] {
        show!(t, ["{name}"], s.set(option, topic.as_bytes()));
        for message in back.recv_all() {
            show!(t, ["  handed on"], front.send_now(&message.iter().map(Vec::as_slice).collect::<Vec<_>>()));
            show!(t, ["  as"], message);
        }
        show!(t, ["  the publisher gets"], p.recv_all());
        for topic in ["x", "y"] {
            let _ = p.send_now(m!(topic, "body"));
        }
        for message in front.recv_all() {
            let _ = back.send_now(&message.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
        show!(t, ["  a gets"], a.recv_all());
        show!(t, ["  b gets"], b.recv_all());
    }
    // A publisher that comes later is told what is wanted.
    let late = t.socket(zmq::XPUB);
    let endpoint = late.bind_anywhere(transport);
    show!(t, front.connect(&endpoint).is_ok());
    show!(t, late.recv_all());
}

fn inverted(t: &Test, transport: &str) {
    for (which, at_pub, at_sub) in [("both", 1, 1), ("publisher", 1, 0), ("subscriber", 0, 1)] {
        for kind in [zmq::SUB, zmq::XSUB] {
            let (p, endpoint) = publisher(t, transport, &[(zmq::INVERT_MATCHING, at_pub)]);
            let s = t.socket(kind);
            show!(t, s.set_int(zmq::INVERT_MATCHING, at_sub));
            let _ = s.connect(&endpoint);
            t.settle();
            let _ = p.events();
            let subscribe = |topic: &str| {
                if kind == zmq::SUB {
                    s.set(zmq::SUBSCRIBE, topic.as_bytes())
                } else {
                    s.send_now(&[&[&[1], topic.as_bytes()].concat()])
                }
            };
            t.say(format_args!("{which}, {}", zmq::TYPES[kind as usize]));
            offer(t, &p, &[&s]);
            step(t, "subscribe a", &p, subscribe("a"));
            offer(t, &p, &[&s]);
            step(t, "subscribe nothing", &p, subscribe(""));
            offer(t, &p, &[&s]);
            let _ = (p.close(), s.close());
        }
    }
}

fn only_first(t: &Test, transport: &str) {
    for value in [0, 1] {
        let (p, endpoint) = publisher(t, transport, &[(zmq::ONLY_FIRST_SUBSCRIBE, value)]);
        let s = t.socket(zmq::XSUB);
        show!(t, s.set_int(zmq::ONLY_FIRST_SUBSCRIBE, value));
        let _ = s.connect(&endpoint);
        for parts in [
            &[&b"\x01a"[..], b"\x01b"][..],
            &[b"user", b"\x01c"],
            &[b"\x00a", b"\x01d"],
            &[b"\x01e", b"\x00e", b"user"],
        ] {
            show!(t, ["{value}"], s.send_now(parts));
            show!(t, ["  the publisher gets"], p.recv_all());
        }
        for topic in ["a", "b", "c", "d", "e"] {
            let _ = p.send_now(m!(topic));
        }
        show!(t, s.recv_all());
        let _ = (p.close(), s.close());
    }
}

fn of_pub(t: &Test, transport: &str) {
    let p = t.socket(zmq::PUB);
    let endpoint = p.bind_anywhere(transport);
    for option in
        [zmq::XPUB_VERBOSE, zmq::XPUB_MANUAL, zmq::XPUB_NODROP, zmq::XPUB_VERBOSER, zmq::INVERT_MATCHING]
    {
        show!(t, ["PUB with {option}"], p.set_int(option, 1));
        show!(t, ["PUB with {option}"], p.set_int(option, 0));
    }
    let s = t.socket(zmq::SUB);
    show!(t, s.send_now(m!(b"\x01a")));
    show!(t, p.recv_now());
    let x = t.socket(zmq::XSUB);
    let _ = (
        s.connect(&endpoint),
        x.connect(&endpoint),
        s.set(zmq::SUBSCRIBE, b"a"),
        x.send_now(m!(b"\x01b")),
        x.send_now(m!("user")),
    );
    t.settle();
    show!(t, p.events());
    show!(t, p.get_int(zmq::TOPICS_COUNT));
    t.settle();
    for topic in ["a", "b"] {
        let _ = p.send_now(m!(topic));
    }
    show!(t, s.recv_all());
    show!(t, x.recv_all());
    show!(t, s.get_int(zmq::TOPICS_COUNT));
    show!(t, x.get_int(zmq::TOPICS_COUNT));
}
