//! The bytes that a bare peer sees, and what it is answered.

use std::time::Duration;

use crate::Case;
use crate::bare::{Bare, command, frame, greeting, greeting_of, listen, property, ready};
use crate::script::{Socket, Test, join_group, m, show};
use crate::watch::Watch;
use crate::zmq;

/// Each type with one that it talks to.
pub const PEERS: [(i32, i32); 20] = [
    (zmq::PAIR, zmq::PAIR),
    (zmq::PUB, zmq::SUB),
    (zmq::SUB, zmq::PUB),
    (zmq::REQ, zmq::REP),
    (zmq::REP, zmq::REQ),
    (zmq::DEALER, zmq::ROUTER),
    (zmq::ROUTER, zmq::DEALER),
    (zmq::PULL, zmq::PUSH),
    (zmq::PUSH, zmq::PULL),
    (zmq::XPUB, zmq::SUB),
    (zmq::XSUB, zmq::PUB),
    (zmq::STREAM, zmq::STREAM),
    (zmq::SERVER, zmq::CLIENT),
    (zmq::CLIENT, zmq::SERVER),
    (zmq::RADIO, zmq::DISH),
    (zmq::DISH, zmq::RADIO),
    (zmq::GATHER, zmq::SCATTER),
    (zmq::SCATTER, zmq::GATHER),
    (zmq::PEER, zmq::PEER),
    (zmq::CHANNEL, zmq::CHANNEL),
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, peer) in PEERS {
        let name = zmq::TYPES[kind as usize];
        cases
            .push(Case::new(format!("wire/greeting of {name}, bound"), move |t| stages(t, kind, peer, true)));
        cases.push(Case::new(format!("wire/greeting of {name}, connected"), move |t| {
            stages(t, kind, peer, false)
        }));
        cases.push(Case::new(format!("wire/sent by {name}"), move |t| sent(t, kind, peer)));
        cases.push(Case::new(format!("wire/heard by {name}"), move |t| heard(t, kind, peer)));
        // ZMTP 1 and 2 have no later types.
        if kind < zmq::STREAM {
            cases.push(Case::new(format!("wire/older peers of {name}"), move |t| older(t, kind, peer)));
        }
        cases.push(Case::new(format!("wire/commands to {name}"), move |t| commands(t, kind, peer)));
        cases.push(Case::new(format!("wire/heartbeats of {name}"), move |t| heartbeats(t, kind, peer)));
    }
    cases.push(Case::new("wire/METADATA", metadata));
    cases.push(Case::new("wire/routing ids", routing_ids));
    cases.push(Case::new("wire/properties", properties));
    cases.push(Case::new("wire/greetings", greetings));
    cases
}

fn name(kind: i32) -> &'static str {
    zmq::TYPES[kind as usize]
}

fn stages(t: &Test, kind: i32, peer: i32, bound: bool) {
    t.remote();
    let s = t.socket(kind);
    let _ = (s.set(zmq::SUBSCRIBE, b"topic"), s.set_int(zmq::RECONNECT_IVL, -1));
    if kind == zmq::DISH {
        let _ = join_group(&s, "group");
    }
    let bare = if bound {
        Bare::connect(t, &s.bind_anywhere("tcp"))
    } else {
        let (listener, endpoint) = listen(t);
        show!(t, s.connect(&endpoint));
        Bare::accept(t, &listener)
    };
    let hello = greeting();
    show!(t, ["at first"], bare.read());
    bare.send(&hello[..1]);
    show!(t, ["after one byte"], bare.read());
    bare.send(&hello[1..10]);
    show!(t, ["after the signature"], bare.read());
    bare.send(&hello[10..11]);
    show!(t, ["after the major version"], bare.read());
    bare.send(&hello[11..12]);
    show!(t, ["after the minor version"], bare.read());
    bare.send(&hello[12..63]);
    show!(t, ["after all but one"], bare.read());
    bare.send(&hello[63..]);
    show!(t, ["after the greeting"], bare.read());
    bare.send(&ready(name(peer), &[]));
    show!(t, ["after READY"], bare.read());
    let _ = s.events();
    show!(t, ["after a look"], bare.read());
    show!(t, ["close"], s.close());
    show!(t, ["after the end"], bare.read());
}

/// Ends a connection, and lets the socket see that.
fn part(t: &Test, s: &Socket, watch: &Watch, bare: Bare) {
    drop(bare);
    watch.skip_until("DISCONNECTED");
    for _ in 0..3 {
        t.settle();
        while s.recv_now().is_ok() {}
        let _ = s.events();
    }
}

/// What the program has to say first so that a peer of this type can be sent to, and how to say the rest.
fn prepare(t: &Test, s: &Socket, bare: &Bare, kind: i32) {
    match kind {
        zmq::PUB | zmq::XPUB => bare.send(&frame(0, b"\x01")),
        zmq::ROUTER => bare.send(&frame(0, b"hello")),
        zmq::REP => bare.send(&[frame(1, b"envelope"), frame(1, b""), frame(0, b"request")].concat()),
        zmq::SERVER | zmq::PEER => bare.send(&frame(0, b"hello")),
        zmq::RADIO => bare.send(&command("JOIN", b"group")),
        _ => return,
    }
    t.settle();
    let _ = s.events();
}

fn sent(t: &Test, kind: i32, peer: i32) {
    let s = t.socket(kind);
    let _ = s.set(zmq::ROUTING_ID, b"me");
    let _ = s.set_int(zmq::ROUTER_MANDATORY, 1);
    let bare = Bare::connect(t, &s.bind_anywhere("tcp"));
    if kind == zmq::STREAM {
        show!(t, bare.read());
    } else {
        bare.send(&greeting());
        bare.send(&ready(name(peer), &property("Identity", b"peer")));
        show!(t, ["shaken hands"], bare.read());
    }
    prepare(t, &s, &bare, kind);
    let mut routing_id = 0;
    if matches!(kind, zmq::SERVER | zmq::PEER) {
        let mut message = t.message();
        show!(t, ["hello"], message.recv(&s, 0));
        routing_id = message.routing_id();
    }
    let stream_id =
        if kind == zmq::STREAM { s.recv_part(0).map(|part| part.0).unwrap_or_default() } else { Vec::new() };
    for size in [0_usize, 1, 2, 32, 33, 34, 254, 255, 256, 257, 8191, 8192, 8193, 65_535, 65_536] {
        if kind == zmq::REP && size > 0 {
            bare.send(&[frame(1, b""), frame(0, b"request")].concat());
        }
        if matches!(kind, zmq::REP) {
            show!(t, ["request"], s.recv());
        }
        if kind == zmq::REQ && size > 0 {
            bare.send(&[frame(1, b""), frame(0, b"reply")].concat());
            show!(t, ["reply"], s.recv());
        }
        let body = vec![b'x'; size];
        let sent = match kind {
            zmq::ROUTER => s.send(m!("peer", body)),
            zmq::STREAM => s.send(m!(stream_id, body)),
            zmq::SERVER | zmq::PEER | zmq::RADIO => {
                let mut message = t.message_of(&body);
                let _ = if kind == zmq::RADIO {
                    message.set_group("group")
                } else {
                    message.set_routing_id(routing_id)
                };
                message.send(&s, 0)
            }
            _ => s.send(&[&body]),
        };
        show!(t, ["{size} bytes"], sent);
        let _ = s.events();
        if kind == zmq::STREAM && size == 0 {
            // The reference ends the pipe in several steps, each of which a call on the socket has to take.
            for _ in 0..10 {
                t.settle();
                let _ = s.events();
            }
            show!(t, ["the peer sees"], bare.read());
            return;
        }
        show!(t, ["the peer sees"], bare.read());
    }
    if kind == zmq::REP {
        bare.send(&[frame(1, b"a"), frame(1, b"b"), frame(1, b""), frame(0, b"request")].concat());
        show!(t, s.recv());
    }
    if kind == zmq::REQ {
        bare.send(&[frame(1, b""), frame(0, b"reply")].concat());
        show!(t, s.recv());
    }
    let long = vec![b'y'; 300];
    let parts: &[&[u8]] =
        if kind == zmq::ROUTER { m!("peer", "a", "", long, "end") } else { m!("a", "", long, "end") };
    show!(t, ["parts"], s.send(parts));
    show!(t, ["the peer sees"], bare.read());
    for (what, option) in [("subscribe", zmq::SUBSCRIBE), ("unsubscribe", zmq::UNSUBSCRIBE)] {
        for topic in [
            vec![],
            b"topic".to_vec(),
            vec![b't'; 244],
            vec![b't'; 246],
            vec![b't'; 254],
            vec![b't'; 255],
            vec![b't'; 300],
        ] {
            if matches!(kind, zmq::SUB) {
                show!(t, ["{what} {}", topic.len()], s.set(option, &topic));
                show!(t, ["the peer sees"], bare.read());
            }
            if matches!(kind, zmq::XSUB) {
                let byte = [u8::from(option == zmq::SUBSCRIBE)];
                show!(t, ["{what} {}", topic.len()], s.send(&[&[&byte, topic.as_slice()].concat()]));
                show!(t, ["the peer sees"], bare.read());
            }
        }
    }
    if kind == zmq::DISH {
        for group in ["", "g", "a group of a dozen and more letters"] {
            show!(t, ["join {group}"], join_group(&s, group));
            show!(t, ["the peer sees"], bare.read());
        }
    }
    show!(t, s.close());
    show!(t, ["at the end"], bare.read());
}

/// Messages, with the names that the socket makes up replaced.
fn known_names(mut messages: Vec<Vec<Vec<u8>>>) -> Vec<Vec<Vec<u8>>> {
    for first in messages.iter_mut().filter_map(|message| message.first_mut()) {
        if first.len() == 5 && first[0] == 0 {
            *first = b"MADE UP".to_vec();
        }
    }
    messages
}

/// Messages of all sizes and of odd shapes from the peer.
fn heard(t: &Test, kind: i32, peer: i32) {
    let s = t.socket(kind);
    let watch = Watch::new(&s);
    let _ = s.set(zmq::SUBSCRIBE, b"");
    let endpoint = s.bind_anywhere("tcp");
    if kind == zmq::DISH {
        let _ = join_group(&s, "group");
    }
    let long = vec![b'z'; 300];
    let messages: [(&str, Vec<u8>); 16] = [
        ("empty", frame(0, b"")),
        ("one byte", frame(0, b"a")),
        ("255", frame(0, &[b'b'; 255])),
        ("256", frame(0, &[b'c'; 256])),
        ("a short one in a long frame", [&[2, 0, 0, 0, 0, 0, 0, 0, 1][..], b"d"].concat()),
        ("two parts", [frame(1, b"e"), frame(0, b"f")].concat()),
        ("an envelope", [frame(1, b"id"), frame(1, b""), frame(0, b"body")].concat()),
        ("two envelopes", [frame(1, b"id"), frame(1, b""), frame(1, b""), frame(0, b"body")].concat()),
        ("a delimiter first", [frame(1, b""), frame(0, b"body")].concat()),
        ("a delimiter only", frame(0, b"")),
        ("a subscription", frame(0, b"\x01a")),
        ("a cancellation", frame(0, b"\x00a")),
        ("a group and a body", [frame(1, b"group"), frame(0, b"body")].concat()),
        ("two empty ones and a long one", [frame(0, b""), frame(0, b""), frame(0, &long)].concat()),
        ("no end", frame(1, b"part")),
        ("that end", frame(0, b"end")),
    ];
    for (what, message) in messages {
        let bare = Bare::connect(t, &endpoint);
        if kind == zmq::STREAM {
            bare.send(&message);
        } else {
            let _ = bare.shake_hands(name(peer));
            watch.skip_until("HANDSHAKE_SUCCEEDED");
            t.settle();
            let _ = s.events();
            let _ = bare.read();
            if kind == zmq::REQ {
                show!(t, ["request"], s.send_now(m!("request")));
            }
            bare.send(&message);
        }
        let got = known_names(s.recv_all());
        show!(t, ["{what}"], got);
        let seen = bare.read();
        show!(t, ["  the peer sees"], &seen);
        if kind == zmq::REP {
            show!(t, ["  answered"], s.send_now(m!("answer")));
        }
        show!(t, ["  events"], watch.names());
        if seen.end == "open" {
            part(t, &s, &watch, bare);
        }
    }
}

/// Peers of ZMTP 1 and 2.
fn older(t: &Test, kind: i32, peer: i32) {
    let signature = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f];
    for (what, hello) in [
        ("3.0", greeting_of(3, 0, "NULL", false)),
        ("2.0", [&signature[..], &[1, peer as u8], &frame(0, b"peer")].concat()),
        ("1.0 with a signature", [&signature[..], &[0, peer as u8], &[5, 0], b"peer"].concat()),
        ("1.0", [&[5, 0][..], b"peer"].concat()),
        ("1.0 without a name", vec![1, 0]),
    ] {
        let s = t.socket(kind);
        let _ = s.set(zmq::ROUTING_ID, b"me");
        let _ = s.set(zmq::SUBSCRIBE, b"topic");
        let watch = Watch::new(&s);
        let bare = Bare::connect(t, &s.bind_anywhere("tcp"));
        show!(t, ["{what}: at first"], bare.read());
        bare.send(&hello);
        show!(t, ["{what}: answered"], bare.read());
        let old_frame = |more: u8, body: &[u8]| match what {
            "3.0" | "2.0" => frame(more, body),
            _ => [&[body.len() as u8 + 1, more], body].concat(),
        };
        if what == "3.0" {
            bare.send(&ready(name(peer), &property("Identity", b"peer")));
            show!(t, ["{what}: READY"], bare.read());
        }
        let _ = s.events();
        let message: Vec<u8> = match kind {
            zmq::PUB | zmq::XPUB => old_frame(0, b"\x01a"),
            zmq::REP => [old_frame(1, b""), old_frame(0, b"request")].concat(),
            zmq::SUB | zmq::XSUB => old_frame(0, b"topic"),
            _ => old_frame(0, b"hello"),
        };
        if kind == zmq::REQ {
            show!(t, ["{what}: request"], s.send_now(m!("request")));
        } else {
            bare.send(&message);
        }
        show!(t, ["{what}: the socket gets"], known_names(s.recv_all()));
        let parts: &[&[u8]] = if kind == zmq::ROUTER { m!("peer", "a", "b") } else { m!("a", "b") };
        show!(t, ["{what}: parts"], s.send_now(parts));
        show!(t, ["{what}: one"], s.send_now(m!(vec![b'a'; 254])));
        show!(t, ["{what}: one"], s.send_now(m!(vec![b'a'; 255])));
        show!(t, ["{what}: the peer sees"], bare.read());
        drop(bare);
        watch.rest(what);
        let _ = s.close();
        // To the end: what nobody reads would hold up the reference's thread.
        watch.until(what, "MONITOR_STOPPED");
        watch.close();
    }
}

/// Commands after the handshake, known and unknown ones, right and wrong ones.
fn commands(t: &Test, kind: i32, peer: i32) {
    if kind == zmq::STREAM {
        return;
    }
    let s = t.socket(kind);
    let watch = Watch::new(&s);
    let endpoint = s.bind_anywhere("tcp");
    let _ = s.set(zmq::SUBSCRIBE, b"");
    let commands: Vec<(&str, Vec<u8>)> = vec![
        ("PING", command("PING", b"\x00\x00")),
        ("PING with context", command("PING", b"\x00\x64context")),
        ("PING with 16 bytes", command("PING", b"\x00\x640123456789abcdef")),
        ("PING with 17 bytes", command("PING", b"\x00\x640123456789abcdefg")),
        ("PONG", command("PONG", b"")),
        ("PONG with context", command("PONG", b"context")),
        ("ERROR", command("ERROR", b"\x03abc")),
        ("ERROR cut short", command("ERROR", b"\x09abc")),
        ("READY again", ready(name(peer), &[])),
        ("SUBSCRIBE", command("SUBSCRIBE", b"topic")),
        ("CANCEL", command("CANCEL", b"topic")),
        ("CANCEL of what never was", command("CANCEL", b"never")),
        ("JOIN", command("JOIN", b"group")),
        ("LEAVE", command("LEAVE", b"group")),
        ("JOIN with nothing", command("JOIN", b"")),
        ("JOIN with much", command("JOIN", &[b'g'; 16])),
        ("an unknown one", command("UNKNOWN", b"data")),
        ("one without name", command("", b"")),
        ("an empty one", frame(4, b"")),
        ("a name cut short", frame(4, b"\x09PING")),
        ("one that says that more follows", frame(5, b"\x04PONG")),
        ("a long one", [&[6, 0, 0, 0, 0, 0, 0, 0, 5][..], b"\x04PONG"].concat()),
        ("reserved flags", frame(0x80, b"body")),
        ("all reserved flags", frame(0xf8, b"body")),
        ("a length with the highest bit", vec![2, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("a huge length", vec![2, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ];
    for (what, bytes) in commands {
        let bare = Bare::connect(t, &endpoint);
        let _ = bare.shake_hands(name(peer));
        watch.skip_until("HANDSHAKE_SUCCEEDED");
        t.settle();
        let _ = s.events();
        let _ = bare.read();
        bare.send(&bytes);
        // One that is sure to be answered if the connection lives on.
        bare.send(&command("PING", b"\x00\x00end"));
        let seen = bare.read();
        show!(t, ["{what}"], &seen);
        // Names that the socket makes up aren't shown.
        let bodies: Vec<_> =
            s.recv_all().into_iter().map(|parts| parts.last().cloned().unwrap_or_default()).collect();
        show!(t, ["  the socket gets"], bodies);
        show!(t, ["  events"], watch.names());
        if seen.end == "open" {
            part(t, &s, &watch, bare);
        }
    }
}

fn heartbeats(t: &Test, kind: i32, peer: i32) {
    if kind == zmq::STREAM {
        return;
    }
    let unit = 40 * t.patience as i32;
    let s = t.socket(kind);
    let _ = (
        s.set_int(zmq::HEARTBEAT_IVL, unit),
        s.set_int(zmq::HEARTBEAT_TTL, 1234),
        s.set_int(zmq::HEARTBEAT_TIMEOUT, unit * 3),
    );
    let watch = Watch::new(&s);
    let endpoint = s.bind_anywhere("tcp");
    let bare = Bare::connect(t, &endpoint);
    let _ = bare.shake_hands(name(peer));
    show!(t, ["the first one"], bare.read_exactly(9));
    bare.send(&command("PONG", b""));
    show!(t, ["the second one"], bare.read_exactly(9));
    // No answer: the end.
    let seen = bare.read_for(Duration::from_millis(unit as u64 * 8));
    t.say(format_args!("then {} bytes or less, {}", seen.bytes.len().max(200), seen.end));
    watch.rest("watch");
}

fn metadata(t: &Test) {
    let s = t.socket(zmq::DEALER);
    for text in ["X-name:value", "X-other:a:b", "X-name:second", "x-low:v"] {
        show!(t, ["{text}"], s.set(zmq::METADATA, text.as_bytes()));
    }
    let bare = Bare::connect(t, &s.bind_anywhere("tcp"));
    show!(t, bare.shake_hands("DEALER"));
}

fn routing_ids(t: &Test) {
    for kind in [zmq::DEALER, zmq::REQ, zmq::ROUTER, zmq::REP, zmq::PUSH] {
        for id in [&b"a"[..], &[b'i'; 255], b"\0zero"] {
            let s = t.socket(kind);
            show!(t, ["{} {}", name(kind), id.len()], s.set(zmq::ROUTING_ID, id));
            let bare = Bare::connect(t, &s.bind_anywhere("tcp"));
            bare.send(&greeting());
            show!(t, bare.read());
            let _ = s.close();
        }
    }
}

/// READY in all shapes.
fn properties(t: &Test) {
    let kind = property("Socket-Type", b"DEALER");
    let two = |a: Vec<u8>, b: Vec<u8>| [a, b].concat();
    let shapes: Vec<(&str, Vec<u8>)> = vec![
        ("as it should be", kind.clone()),
        ("an identity", two(kind.clone(), property("Identity", b"peer"))),
        ("an identity first", two(property("Identity", b"peer"), kind.clone())),
        ("an empty identity", two(kind.clone(), property("Identity", b""))),
        ("an identity that begins with zero", two(kind.clone(), property("Identity", b"\0a"))),
        ("a long identity", two(kind.clone(), property("Identity", &[b'i'; 255]))),
        ("too long an identity", two(kind.clone(), property("Identity", &[b'i'; 256]))),
        ("two identities", [kind.clone(), property("Identity", b"a"), property("Identity", b"b")].concat()),
        ("names in other letters", two(property("socket-type", b"DEALER"), property("IDENTITY", b"a"))),
        ("a type in other letters", property("Socket-Type", b"dealer")),
        ("an unknown type", property("Socket-Type", b"NOSUCH")),
        ("an empty type", property("Socket-Type", b"")),
        ("a type with a zero", property("Socket-Type", b"DEALER\0")),
        ("two types, the wrong one first", two(property("Socket-Type", b"PUB"), kind.clone())),
        ("two types, the wrong one last", two(kind.clone(), property("Socket-Type", b"PUB"))),
        ("no type", property("Identity", b"peer")),
        ("nothing", vec![]),
        ("an empty name", two(kind.clone(), property("", b"value"))),
        ("something else", two(kind.clone(), property("X-else", b"value"))),
        ("an empty value", two(kind.clone(), property("X-else", b""))),
        ("much else", [kind.clone(), property("X-else", &[b'v'; 1000])].concat()),
        ("a byte too many", two(kind.clone(), vec![0])),
        ("five bytes too many", two(kind.clone(), vec![1, b'x', 0, 0, 0])),
        ("an end behind a name", two(kind.clone(), vec![1, b'x'])),
        ("an end behind a length", two(kind.clone(), vec![1, b'x', 0, 0, 0, 9])),
        ("a length too large", two(kind.clone(), vec![1, b'x', 0, 0, 0, 9, b'v'])),
        ("a huge length", two(kind.clone(), vec![1, b'x', 0xff, 0xff, 0xff, 0xff, b'v'])),
        ("a name too long", two(kind, vec![9, b'x'])),
    ];
    let s = t.socket(zmq::ROUTER);
    let watch = Watch::new(&s);
    let endpoint = s.bind_anywhere("tcp");
    for (what, data) in shapes {
        let bare = Bare::connect(t, &endpoint);
        bare.send(&greeting());
        let _ = bare.read_exactly(64);
        let _ = bare.read();
        bare.send(&command("READY", &data));
        let seen = bare.read();
        t.say(format_args!("{what}: {}", seen.end));
        bare.send(&frame(0, b"hello"));
        show!(t, ["  the socket gets"], known_names(s.recv_all()));
        drop(bare);
        show!(t, ["  events"], watch.names_until("DISCONNECTED"));
    }
    // READY takes several forms as a frame, too.
    for (what, bytes) in [
        ("as a message", frame(0, &ready("DEALER", &[])[2..])),
        ("with more", frame(5, &ready("DEALER", &[])[2..])),
        ("in a long frame", [&[6, 0, 0, 0, 0, 0, 0, 0][..], &ready("DEALER", &[])[1..]].concat()),
        ("another name", command("HELLO", b"")),
        ("a shorter name", command("READ", &property("Socket-Type", b"DEALER"))),
        ("ERROR", command("ERROR", b"\x06reason")),
        ("ERROR without a reason", command("ERROR", b"\0")),
        ("ERROR without anything", command("ERROR", b"")),
        ("PING", command("PING", b"\0\0")),
        ("nothing", frame(4, b"")),
    ] {
        let bare = Bare::connect(t, &endpoint);
        bare.send(&greeting());
        let _ = bare.read_exactly(64);
        let _ = bare.read();
        bare.send(&bytes);
        show!(t, ["{what}"], bare.read().end);
        drop(bare);
        show!(t, ["  events"], watch.names_until("DISCONNECTED"));
    }
}

fn greetings(t: &Test) {
    let s = t.socket(zmq::ROUTER);
    let watch = Watch::new(&s);
    let endpoint = s.bind_anywhere("tcp");
    for (what, hello) in [
        ("3.0", greeting_of(3, 0, "NULL", false)),
        ("3.9", greeting_of(3, 9, "NULL", false)),
        ("4.0", greeting_of(4, 0, "NULL", false)),
        ("255.255", greeting_of(255, 255, "NULL", false)),
        ("2.0 with the rest of 3", greeting_of(2, 0, "NULL", false)),
        ("as a server", greeting_of(3, 1, "NULL", true)),
        ("PLAIN", greeting_of(3, 1, "PLAIN", false)),
        ("PLAIN as a server", greeting_of(3, 1, "PLAIN", true)),
        ("CURVE", greeting_of(3, 1, "CURVE", false)),
        ("GSSAPI", greeting_of(3, 1, "GSSAPI", false)),
        ("unknown", greeting_of(3, 1, "NOSUCH", false)),
        ("no mechanism", greeting_of(3, 1, "", false)),
        ("NULLX", greeting_of(3, 1, "NULLX", false)),
        ("null", greeting_of(3, 1, "null", false)),
        ("twenty letters", greeting_of(3, 1, "ABCDEFGHIJKLMNOPQRST", false)),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("zeros", vec![0; 64]),
        ("0xff only", vec![0xff; 64]),
        ("a long length without the last bit", vec![0xff, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 1, 1]),
    ] {
        let bare = Bare::connect(t, &endpoint);
        show!(t, ["{what}"], bare.read());
        bare.send(&hello[..11.min(hello.len())]);
        show!(t, ["{what}: its beginning"], bare.read());
        bare.send(&hello[11.min(hello.len())..]);
        // An end may come before the answer is sent, or after.
        let seen = bare.read();
        show!(t, ["{what}: all of it"], seen.end);
        if seen.end == "open" {
            show!(t, ["  answered"], seen.bytes);
            bare.send(&ready("DEALER", &[]));
            show!(t, ["{what}, READY"], bare.read());
        }
        drop(bare);
        show!(t, ["  events"], watch.names_until("DISCONNECTED"));
    }
}
