//! Peers that don't keep to what CLIENT, SERVER, GATHER, SCATTER, PEER and CHANNEL say to each other.

use std::net::TcpStream;

use crate::support::{Context, Socket, eventually};
use crate::wire::{Dice, command, dial, frame, greeting, is_closed, property, ready, say};
use crate::{alone, assert_no_panics, watch_for_panics};
use zmq::ffi::constants::*;

/// A type, its name, and that of the type it talks to.
const TYPES: [(i32, &str, &str); 6] = [
    (ZMQ_CLIENT, "CLIENT", "SERVER"),
    (ZMQ_SERVER, "SERVER", "CLIENT"),
    (ZMQ_GATHER, "GATHER", "SCATTER"),
    (ZMQ_SCATTER, "SCATTER", "GATHER"),
    (ZMQ_PEER, "PEER", "PEER"),
    (ZMQ_CHANNEL, "CHANNEL", "CHANNEL"),
];

/// Flags of frames.
const LAST: u8 = 0;
const MORE: u8 = 1;
const LONG: u8 = 2;

fn receives(kind: i32) -> bool {
    kind != ZMQ_SCATTER
}

/// A socket of this type that listens, and where.
fn listener(context: &Context, kind: i32) -> (Socket, String) {
    let socket = context.socket(kind);
    let endpoint = socket.bind_tcp();
    (socket, endpoint)
}

/// A test of these types, one after the other, without a panic in the library. It is given a type, its name, and that of its peers.
fn for_types(which: impl Fn(i32) -> bool, mut test: impl FnMut(&Context, i32, &str, &str)) {
    let _alone = alone();
    watch_for_panics();
    let context = Context::new();
    for (kind, name, peer) in TYPES.into_iter().filter(|&(kind, ..)| which(kind)) {
        test(&context, kind, name, peer);
    }
    assert_no_panics();
}

/// A connection after the handshake.
fn shaken(endpoint: &str, peer: &str) -> TcpStream {
    let mut stream = dial(endpoint);
    say(&mut stream, &[greeting(), ready(peer)].concat());
    stream
}

/// That what comes from there is still received.
fn assert_heard(socket: &Socket, stream: &mut TcpStream, body: &[u8]) {
    say(stream, &frame(LAST, body));
    assert_eq!(socket.recv().as_deref(), Ok(body));
}

#[test]
fn messages_of_several_parts_are_dropped_and_the_connection_goes_on() {
    for_types(receives, |context, kind, _, peer| {
        let (socket, endpoint) = listener(context, kind);
        let mut stream = shaken(&endpoint, peer);
        say(&mut stream, &[frame(MORE, b"a"), frame(LAST, b"b")].concat());
        assert_heard(&socket, &mut stream, b"whole");
        // Far more than a pipe holds.
        let parts = frame(MORE, b"part").repeat(5_000);
        say(&mut stream, &[parts, frame(LAST, b"end")].concat());
        for _ in 0..3_000 {
            say(&mut stream, &[frame(MORE, b""), frame(MORE, b""), frame(LAST, b"")].concat());
        }
        assert_heard(&socket, &mut stream, b"still whole");
        // A message that is cut off with the connection isn't received either.
        say(&mut stream, &frame(MORE, b"the first part only"));
        drop(stream);
        let mut stream = shaken(&endpoint, peer);
        if kind == ZMQ_CHANNEL {
            // It may still have been the first one's.
            eventually("the next one's turn", || {
                stream = shaken(&endpoint, peer);
                say(&mut stream, &frame(LAST, b"another"));
                socket.set(ZMQ_RCVTIMEO, 50).is_ok() && socket.recv().as_deref() == Ok(b"another")
            });
            return;
        }
        assert_heard(&socket, &mut stream, b"another");
        assert_eq!(socket.try_recv(), Err(libc::EAGAIN));
    });
}

#[test]
fn commands_are_passed_over() {
    for_types(receives, |context, kind, _, peer| {
        let (socket, endpoint) = listener(context, kind);
        let mut stream = shaken(&endpoint, peer);
        for (name, body) in [
            ("SUBSCRIBE", &b"topic"[..]),
            ("CANCEL", b"topic"),
            ("JOIN", b"group"),
            ("LEAVE", b"group"),
            ("PING", b"\0\0context"),
            ("PONG", b"context"),
            ("ERROR", b"\x03bad"),
            ("READY", b""),
            ("", b""),
            ("UNKNOWN", b"\xff\xff"),
        ] {
            say(&mut stream, &command(name, body));
            assert_heard(&socket, &mut stream, name.as_bytes());
        }
        assert_eq!(socket.try_recv(), Err(libc::EAGAIN));
    });
}

#[test]
fn only_the_type_that_belongs_to_it_may_talk_to_it() {
    for_types(
        |_| true,
        |context, kind, name, peer| {
            let (socket, endpoint) = listener(context, kind);
            for other in [
                "CLIENT", "SERVER", "GATHER", "SCATTER", "PEER", "CHANNEL", "DEALER", "ROUTER", "PAIR",
                "PUSH", "PULL",
            ] {
                if other != peer {
                    assert!(is_closed(&mut shaken(&endpoint, other)), "{other} to {name}");
                }
            }
            if receives(kind) {
                assert_heard(&socket, &mut shaken(&endpoint, peer), b"x");
            }
        },
    );
}

#[test]
fn frames_that_are_too_long_or_malformed_cost_the_connection() {
    for_types(
        |_| true,
        |context, kind, name, peer| {
            let socket = context.socket(kind);
            socket.set_bytes(ZMQ_MAXMSGSIZE, &1000_i64.to_ne_bytes()).expect("an option");
            let endpoint = socket.bind_tcp();
            let long = |flags: u8, size: u64| [&[flags][..], &size.to_be_bytes()].concat();
            for bytes in [
                long(LONG, u64::MAX),
                long(LONG, 1 << 62),
                long(LONG, 1001),
                long(LONG | MORE, 1 << 40),
                long(LONG | 4, u64::MAX),
            ] {
                let mut stream = shaken(&endpoint, peer);
                say(&mut stream, &bytes);
                assert!(is_closed(&mut stream), "{name}: {bytes:?}");
            }
            if receives(kind) && kind != ZMQ_CHANNEL {
                assert_heard(&socket, &mut shaken(&endpoint, peer), b"x");
            }
        },
    );
}

#[test]
fn random_bytes_after_the_handshake_cost_the_connection_at_most() {
    let mut dice = Dice(0x5eed_0f1e_55ed_beef);
    for_types(
        |_| true,
        |context, kind, _, peer| {
            let socket = context.socket(kind);
            socket.set_bytes(ZMQ_MAXMSGSIZE, &100_000_i64.to_ne_bytes()).expect("an option");
            let endpoint = socket.bind_tcp();
            for _ in 0..60 {
                let mut stream = shaken(&endpoint, peer);
                for _ in 0..3 {
                    let count = dice.below(200);
                    say(&mut stream, &dice.bytes(count));
                }
                // Whatever it was, nothing of it has more parts.
                while socket.try_recv().is_ok() {
                    assert_eq!(socket.get(ZMQ_RCVMORE), Ok(0));
                }
            }
            if receives(kind) && kind != ZMQ_CHANNEL {
                let mut stream = shaken(&endpoint, peer);
                say(&mut stream, &frame(LAST, b"an honest one"));
                while socket.recv().expect("the honest one's at least") != b"an honest one" {}
            }
        },
    );
}

/// An id of a peer that has gone, or that it claims for itself, reaches nobody.
#[test]
fn a_peer_has_no_say_in_its_routing_id() {
    let _alone = alone();
    watch_for_panics();
    let context = Context::new();
    let (server, endpoint) = listener(&context, ZMQ_SERVER);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut stream = dial(&endpoint);
        let body = [property("Socket-Type", b"CLIENT"), property("Identity", &7_u32.to_be_bytes())].concat();
        say(&mut stream, &[greeting(), command("READY", &body), frame(LAST, b"x")].concat());
        ids.push(server.recv_from().expect("a message").0);
        drop(stream);
        let gone = *ids.last().expect("one");
        eventually("unreachable", || server.try_send_to(gone, b"x") == Err(libc::EHOSTUNREACH));
    }
    assert_ne!(ids[0], ids[1]);
    assert_no_panics();
}
