//! Streams of messages, in one direction and in both.

use crate::support::{Context, Socket};
use crate::{TRANSPORTS, Transport, body, joined, read};
use std::thread;
use zmq::ffi::constants::{ZMQ_DEALER, ZMQ_PAIR, ZMQ_PULL, ZMQ_PUSH, ZMQ_ROUTER};

fn send_all(socket: &Socket, from: u8, count: u32) {
    for number in 0..count {
        socket.send(&body(from, number)).unwrap_or_else(|error| panic!("message {number}: error {error}"));
    }
}

fn recv_all(socket: &Socket, from: u8, count: u32) {
    for number in 0..count {
        let message = socket.recv().unwrap_or_else(|error| panic!("message {number}: error {error}"));
        assert_eq!(read(&message), (from, number));
    }
}

fn nothing_is_left(socket: &Socket) {
    assert_eq!(socket.try_recv(), Err(libc::EAGAIN));
}

/// Either side waits for the other all the time.
fn one_way(transport: Transport, mark: i32, count: u32) {
    let context = Context::new();
    let (pull, push) = joined(&context, transport, (ZMQ_PULL, ZMQ_PUSH), mark);
    thread::scope(|scope| {
        scope.spawn(|| send_all(&push, 1, count));
        recv_all(&pull, 1, count);
    });
    nothing_is_left(&pull);
}

#[test]
fn one_way_with_small_marks() {
    for transport in TRANSPORTS {
        for mark in [1, 2, 7] {
            one_way(transport, mark, 3_000);
        }
    }
}

#[test]
fn one_way_with_room() {
    for transport in TRANSPORTS {
        one_way(transport, 1000, 10_000);
    }
}

/// Each socket is used by two threads, one of which sends and one of which receives.
#[test]
fn both_ways_at_once() {
    for transport in TRANSPORTS {
        for mark in [2, 100] {
            let context = Context::new();
            let (a, b) = joined(&context, transport, (ZMQ_PAIR, ZMQ_PAIR), mark);
            thread::scope(|scope| {
                scope.spawn(|| send_all(&a, 1, 3_000));
                scope.spawn(|| send_all(&b, 2, 3_000));
                scope.spawn(|| recv_all(&a, 2, 3_000));
                recv_all(&b, 1, 3_000);
            });
            nothing_is_left(&a);
            nothing_is_left(&b);
        }
    }
}

/// A ROUTER answers what several DEALERs ask, in many parts.
#[test]
fn dealers_and_a_router() {
    const DEALERS: u8 = 4;
    const COUNT: u32 = 800;
    for transport in TRANSPORTS {
        let context = Context::new();
        let router = crate::socket(&context, ZMQ_ROUTER);
        let endpoint = transport.bind(&router);
        thread::scope(|scope| {
            for from in 0..DEALERS {
                let (context, endpoint) = (&context, &endpoint);
                scope.spawn(move || {
                    let dealer = crate::socket(context, ZMQ_DEALER);
                    dealer.connect(endpoint).expect("it is bound");
                    // A window of questions that are under way.
                    for number in 0..COUNT + 50 {
                        if number < COUNT {
                            dealer.send_more(b"part").expect("room");
                            dealer.send(&body(from, number)).expect("room");
                        }
                        if number >= 50 {
                            let parts = dealer.recv_all().expect("an answer");
                            assert_eq!(parts.len(), 2);
                            assert_eq!(read(&parts[1]), (from, number - 50));
                        }
                    }
                });
            }
            for _ in 0..u32::from(DEALERS) * COUNT {
                let parts = router.recv_all().expect("a question");
                assert_eq!(parts.len(), 3);
                router.send_more(&parts[0]).expect("room");
                router.send_more(&parts[1]).expect("room");
                router.send(&parts[2]).expect("room");
            }
        });
        nothing_is_left(&router);
    }
}
