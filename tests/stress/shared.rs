//! Several threads on one socket.

use crate::support::Context;
use crate::{TRANSPORTS, body, joined, read};
use std::sync::Mutex;
use std::thread;
use zmq::ffi::constants::{ZMQ_PULL, ZMQ_PUSH};

const THREADS: u8 = 4;
const COUNT: u32 = 1_000;

/// What each thread has sent arrives whole, once, and in that thread's order.
#[test]
fn several_threads_send_by_one_socket() {
    for transport in TRANSPORTS {
        for mark in [3, 1000] {
            let context = Context::new();
            let (pull, push) = joined(&context, transport, (ZMQ_PULL, ZMQ_PUSH), mark);
            thread::scope(|scope| {
                for from in 0..THREADS {
                    let push = &push;
                    scope.spawn(move || {
                        for number in 0..COUNT {
                            push.send(&body(from, number)).expect("room");
                        }
                    });
                }
                let mut next = [0; THREADS as usize];
                for _ in 0..u32::from(THREADS) * COUNT {
                    let (from, number) = read(&pull.recv().expect("a message"));
                    assert_eq!(number, next[usize::from(from)]);
                    next[usize::from(from)] += 1;
                }
            });
            assert_eq!(pull.try_recv(), Err(libc::EAGAIN));
        }
    }
}

/// What was sent is received once, by one thread or another, and no thread sleeps while there is something.
#[test]
fn several_threads_receive_by_one_socket() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (pull, push) = joined(&context, transport, (ZMQ_PULL, ZMQ_PUSH), 10);
        let received = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    loop {
                        let message = pull.recv().expect("a message");
                        if message.is_empty() {
                            return;
                        }
                        let (_, number) = read(&message);
                        received.lock().expect("no panic").push(number);
                    }
                });
            }
            for number in 0..u32::from(THREADS) * COUNT {
                push.send(&body(0, number)).expect("room");
            }
            (0..THREADS).for_each(|_| assert_eq!(push.send(b""), Ok(0)));
        });
        let mut received = received.into_inner().expect("no panic");
        received.sort_unstable();
        assert!(received.into_iter().eq(0..u32::from(THREADS) * COUNT));
    }
}
