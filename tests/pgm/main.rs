//! pgm and epgm through the C ABI, between network namespaces: over a good network and a bad one, and with hostile packets in it.

#[path = "../sockets/dice.rs"]
mod dice;
mod endpoints;
mod hostile;
#[path = "../sockets/machines.rs"]
mod machines;
#[path = "../sockets/reaching.rs"]
mod reaching;
mod relay;
#[path = "../sockets/support.rs"]
mod support;
mod traffic;

use std::time::{Duration, Instant};

use machines::Namespace;
use relay::over_a_lossy_cable;
use support::{Context, Socket};
use zmq::ffi::constants::*;

/// kbit/s
const RATE: i32 = 50_000;

/// A socket with a high rate, and marks that nothing reaches.
fn socket(context: &Context, kind: i32) -> Socket {
    let socket = context.socket(kind);
    for (option, value) in [(ZMQ_RATE, RATE), (ZMQ_SNDHWM, 0), (ZMQ_RCVHWM, 0), (ZMQ_RCVTIMEO, 20_000)] {
        socket.set(option, value).expect("an option");
    }
    if kind == ZMQ_SUB {
        socket.set_bytes(ZMQ_SUBSCRIBE, b"").expect("subscribed");
    }
    if kind == ZMQ_XSUB {
        socket.send(&[1]).expect("subscribed");
    }
    socket
}

/// Publishes `hello` until each of them has heard it, and leaves nothing of it in them.
fn greet(publisher: &Socket, subscribers: &[&Socket]) {
    let until = Instant::now() + Duration::from_secs(20);
    for subscriber in subscribers {
        subscriber.set(ZMQ_RCVTIMEO, 20).expect("an option");
        loop {
            assert!(Instant::now() < until, "nobody hears anything");
            publisher.send(b"hello").expect("sent");
            if subscriber.recv().is_ok() {
                break;
            }
        }
    }
    publisher.send(b"go").expect("sent");
    for subscriber in subscribers {
        subscriber.set(ZMQ_RCVTIMEO, 20_000).expect("an option");
        while subscriber.recv().expect("the last of them comes") != b"go" {}
    }
}

/// The body of a message with a number.
fn body(number: usize, size: usize) -> Vec<u8> {
    let mut body = format!("{number} ").into_bytes();
    body.resize(body.len().max(size), number as u8);
    body
}
