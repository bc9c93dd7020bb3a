//! The end of contexts and sockets.

use crate::support::{Context, PATIENCE, Socket, eventually};
use std::sync::Arc;
use std::time::{Duration, Instant};
use zmq::ffi::constants::*;

const TERMINATED: i32 = zmq::ffi::constants::ETERM;

/// What a blocking call returns when `disturb` comes while it waits.
fn disturbed<T: Send>(work: impl FnOnce() -> T + Send, disturb: impl FnOnce()) -> T {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(work);
        // Long enough for it to wait, mostly; if it doesn't yet, the outcome is the same.
        std::thread::sleep(Duration::from_millis(30));
        disturb();
        waiting.join().expect("no panic")
    })
}

#[test]
fn whoever_waits_is_told_that_the_context_ends() {
    for endpoint in [None, Some("tcp://127.0.0.1:*"), Some("inproc://a")] {
        let context = Context::new();
        let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
        if let Some(endpoint) = endpoint {
            pull.bind(endpoint).unwrap();
            push.bind(&endpoint.replace('a', "b")).unwrap();
        }
        let begun = Instant::now();
        let sent = disturbed(|| (push.send(b"x"), pull.recv()), || context.shutdown());
        assert_eq!(sent, (Err(TERMINATED), Err(TERMINATED)), "{endpoint:?}");
        assert!(begun.elapsed() < PATIENCE / 2);
        assert_eq!(context.try_socket(ZMQ_PAIR).err(), Some(TERMINATED));
        assert_eq!(pull.bind("inproc://x"), Err(TERMINATED));
    }
}

#[test]
fn whoever_waits_is_told_that_another_thread_has_closed_the_socket() {
    for endpoint in [None, Some("tcp://127.0.0.1:*")] {
        let context = Context::new();
        let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
        if let Some(endpoint) = endpoint {
            pull.bind(endpoint).unwrap();
            push.bind(endpoint).unwrap();
        }
        assert_eq!(disturbed(|| pull.recv(), || assert_eq!(pull.close(), Ok(0))), Err(libc::ENOTSOCK));
        assert_eq!(disturbed(|| push.send(b"x"), || assert_eq!(push.close(), Ok(0))), Err(libc::ENOTSOCK));
        assert_eq!(pull.close(), Err(libc::ENOTSOCK));
    }
}

#[test]
fn a_context_waits_for_its_sockets() {
    let context = Arc::new(Context::new());
    let socket = context.socket(ZMQ_PAIR);
    let ended = disturbed(
        || (context.term(), Instant::now()),
        || {
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(socket.try_recv(), Err(TERMINATED));
            assert_eq!(socket.close(), Ok(0));
        },
    );
    assert_eq!(ended.0, Ok(0));
    assert_eq!(context.term(), Err(libc::EFAULT));
}

#[test]
fn closed_sockets_make_room_for_others() {
    let context = Context::new();
    // SAFETY: the handle is a context's.
    unsafe { zmq::ffi::context::zmq_ctx_set(context.handle(), ZMQ_MAX_SOCKETS, 2) };
    let (first, _second) = (context.socket(ZMQ_PAIR), context.socket(ZMQ_PAIR));
    assert_eq!(context.try_socket(ZMQ_PAIR).err(), Some(libc::EMFILE));
    drop(first);
    let mut third: Option<Socket> = None;
    eventually("room", || {
        third = context.try_socket(ZMQ_PAIR).ok();
        third.is_some()
    });
}

#[test]
fn lingering_is_given_up_in_time() {
    let context = Context::new();
    let push = context.socket(ZMQ_PUSH);
    push.set(ZMQ_LINGER, 50).unwrap();
    push.connect("tcp://127.0.0.1:1").unwrap();
    push.send(b"nobody is there").unwrap();
    drop(push);
    let begun = Instant::now();
    context.term().unwrap();
    assert!((40..2000).contains(&begun.elapsed().as_millis()));
}
