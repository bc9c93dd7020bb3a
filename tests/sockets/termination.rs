//! The end of contexts and sockets.

use crate::support::{Context, PATIENCE, Socket, eventually};
use std::sync::Arc;
use std::time::{Duration, Instant};
use zmq::ffi::constants::*;

const TERMINATED: i32 = zmq::ffi::constants::ETERM;

/// What `work` returned in a child of `fork`: 0 to 255. The child has this thread only, so it must not fail by a panic.
fn in_child(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child does what programs do in such a child: closes what it has inherited and makes a context of its own.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let good = work();
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(i32::from(!good)) };
    }
    let end = Instant::now() + PATIENCE;
    let mut status = 0;
    loop {
        // SAFETY: the child was just made.
        match unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } {
            0 if Instant::now() < end => std::thread::sleep(Duration::from_millis(1)),
            // SAFETY: it hangs, and is this test's own.
            0 => unsafe {
                libc::kill(child, libc::SIGKILL);
            },
            _ => return libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
        }
    }
}

#[test]
fn a_forked_child_closes_what_it_inherited_and_begins_anew() {
    let context = Context::new();
    let pull = context.socket(ZMQ_PULL);
    let endpoint = pull.bind_tcp();
    let good = in_child(|| {
        let others = [
            pull.try_recv() == Err(TERMINATED),
            pull.set(ZMQ_LINGER, 0) == Err(TERMINATED),
            context.try_socket(ZMQ_PUSH).err() == Some(TERMINATED),
            pull.close() == Ok(0),
            pull.close() == Err(libc::ENOTSOCK),
            context.term() == Ok(0),
            context.term() == Err(libc::EFAULT),
        ];
        let own = Context::new();
        let Ok(push) = own.try_socket(ZMQ_PUSH) else { return false };
        let sent = push.set(ZMQ_LINGER, -1).is_ok()
            && push.connect(&endpoint).is_ok()
            && (0..5).all(|_| push.send(b"hello").is_ok())
            && push.close().is_ok()
            && own.term().is_ok();
        others.iter().all(|&good| good) && sent
    });
    assert!(good);
    for _ in 0..5 {
        assert_eq!(pull.recv().unwrap(), b"hello");
    }
}

#[test]
fn a_child_begins_anew_whatever_the_other_threads_were_doing() {
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let context = Context::new();
                    let (push, pull) = (context.socket(ZMQ_PUSH), context.socket(ZMQ_PULL));
                    pull.bind("inproc://busy").expect("a context of its own");
                    push.connect("inproc://busy").expect("it is bound");
                    push.send(b"message").expect("a peer");
                    assert_eq!(pull.recv().unwrap(), b"message");
                }
            });
        }
        let all_good = (0..100).all(|_| {
            in_child(|| {
                let own = Context::new();
                let Ok(push) = own.try_socket(ZMQ_PUSH) else { return false };
                push.close() == Ok(0) && own.term() == Ok(0)
            })
        });
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(all_good);
    });
}

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
