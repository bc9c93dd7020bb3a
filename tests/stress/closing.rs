//! Sockets and contexts that come and go.

use crate::support::{Context, eventually};
use crate::{TRANSPORTS, Transport, body, joined, read, socket};
use std::sync::Barrier;
use std::thread;
use zmq::ffi::constants::{
    ZMQ_DEALER, ZMQ_LINGER, ZMQ_PAIR, ZMQ_PULL, ZMQ_PUSH, ZMQ_REP, ZMQ_REQ, ZMQ_ROUTER, ZMQ_XPUB, ZMQ_XSUB,
};

#[test]
fn many_threads_make_and_close_sockets() {
    let kinds = [ZMQ_PUSH, ZMQ_PULL, ZMQ_DEALER, ZMQ_ROUTER, ZMQ_REQ, ZMQ_REP, ZMQ_XPUB, ZMQ_XSUB];
    let context = Context::new();
    thread::scope(|scope| {
        for thread in 0..6 {
            let context = &context;
            scope.spawn(move || {
                for turn in 0..150 {
                    let kind = kinds[(thread + turn) % kinds.len()];
                    let (one, other) = (context.socket(kind), context.socket(kind));
                    let endpoint = TRANSPORTS[turn % 3].bind(&one);
                    other.connect(&endpoint).expect("it is bound");
                    let _ = other.try_send(b"x");
                    assert_eq!(one.close(), Ok(0));
                    assert_eq!(one.close(), Err(libc::ENOTSOCK));
                    assert_eq!(one.try_recv(), Err(libc::ENOTSOCK));
                }
            });
        }
    });
}

/// Whoever is inside of a socket when another thread closes it finds it gone, and doesn't wait on.
#[test]
fn closed_while_others_are_inside() {
    for turn in 0..60 {
        let context = Context::new();
        let (a, b) = joined(&context, TRANSPORTS[turn % 3], (ZMQ_DEALER, ZMQ_DEALER), 2);
        let gate = Barrier::new(5);
        thread::scope(|scope| {
            for sends in [true, false, false, true] {
                let (a, gate) = (&a, &gate);
                scope.spawn(move || {
                    gate.wait();
                    let end = loop {
                        let outcome = if sends { a.send(b"a").map(drop) } else { a.recv().map(drop) };
                        if let Err(error) = outcome {
                            break error;
                        }
                    };
                    assert_eq!(end, libc::ENOTSOCK);
                });
            }
            gate.wait();
            for _ in 0..turn {
                let _ = b.try_send(b"b");
                let _ = b.try_recv();
            }
            assert_eq!(a.close(), Ok(0));
        });
    }
}

/// So does whoever is inside when the context ends.
#[test]
fn terminated_while_others_are_inside() {
    for turn in 0..60 {
        let context = Context::new();
        let (a, b) = joined(&context, TRANSPORTS[turn % 3], (ZMQ_PAIR, ZMQ_PAIR), 2);
        thread::scope(|scope| {
            for (own, sends) in [(a, true), (b, false)] {
                scope.spawn(move || {
                    let end = loop {
                        let outcome = if sends { own.send(b"a").map(drop) } else { own.recv().map(drop) };
                        if let Err(error) = outcome {
                            break error;
                        }
                    };
                    assert_eq!(end, zmq::ffi::constants::ETERM);
                    assert_eq!(own.close(), Ok(0));
                });
            }
            if turn % 2 == 0 {
                thread::yield_now();
            }
            assert_eq!(context.term(), Ok(0));
        });
    }
}

#[test]
fn contexts_in_loops() {
    thread::scope(|scope| {
        for thread in 0..4_usize {
            scope.spawn(move || {
                for turn in 0..40 {
                    let context = Context::new();
                    let transport = TRANSPORTS[(thread + turn) % 3];
                    let (pull, push) = joined(&context, transport, (ZMQ_PULL, ZMQ_PUSH), 100);
                    push.send(&body(1, turn as u32)).expect("room");
                    if turn % 2 == 0 {
                        assert_eq!(read(&pull.recv().expect("a message")), (1, turn as u32));
                    }
                    drop((pull, push));
                    assert_eq!(context.term(), Ok(0));
                }
            });
        }
    });
}

/// What was sent before the socket was closed arrives, however quickly the context is ended after that.
#[test]
fn what_lingers_arrives() {
    for turn in 0..80 {
        let transport = if turn % 2 == 0 { Transport::Tcp } else { Transport::Ipc };
        let receiving = Context::new();
        let pull = socket(&receiving, ZMQ_PULL);
        let endpoint = transport.bind(&pull);
        let count = [1, 10, 300][turn % 3];
        thread::scope(|scope| {
            scope.spawn(|| {
                let context = Context::new();
                let push = socket(&context, ZMQ_PUSH);
                push.set(ZMQ_LINGER, -1).expect("an int");
                push.connect(&endpoint).expect("it is bound");
                for number in 0..count {
                    push.send(&body(1, number)).expect("room");
                }
                assert_eq!(push.close(), Ok(0));
                assert_eq!(context.term(), Ok(0));
            });
            for number in 0..count {
                assert_eq!(read(&pull.recv().expect("a message")), (1, number));
            }
        });
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux").count()
}

/// A socket that nobody uses keeps nothing of the peers that have gone meanwhile, and notices that they have.
#[test]
fn peers_come_and_go_while_nobody_looks() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let push = socket(&context, ZMQ_PUSH);
        let endpoint = transport.bind(&push);
        for turn in 0..100 {
            let pull = context.socket(ZMQ_PULL);
            pull.connect(&endpoint).expect("it is bound");
            if turn % 2 == 0 {
                thread::yield_now();
            }
        }
        eventually("nobody is connected", || push.try_send(b"x") == Err(libc::EAGAIN));
        // The other tests of this process have some, too.
        eventually("descriptors are given back", || descriptors() < 900);
        let pull = socket(&context, ZMQ_PULL);
        pull.connect(&endpoint).expect("it is bound");
        push.send(b"y").expect("room");
        assert_eq!(pull.recv().as_deref(), Ok(&b"y"[..]));
    }
}
