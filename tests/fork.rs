//! Children of `fork`. They have a program of their own, since each has all of its parent's descriptors for as long as it lives: what another
//! test closes meanwhile stays open there, and its peer isn't told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use support::{Context, PATIENCE};
use zmq::ffi::constants::{ETERM as TERMINATED, *};
use zmq::sys::fork::{self, ForkLock};
use zmq::sys::helpers;

#[path = "sockets/support.rs"]
mod support;

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
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
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
        stop.store(true, Ordering::Relaxed);
        assert!(all_good);
    });
}

#[test]
fn a_child_is_of_the_next_generation() {
    fork::watch();
    fork::watch();
    let before = fork::generation();
    // SAFETY: the child calls nothing but async-signal-safe functions.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: ends the child at once.
        unsafe { libc::_exit((fork::generation() == before + 1) as i32) };
    }
    let mut status = 0;
    // SAFETY: the child was just made, and `status` can be written.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1);
    assert_eq!(fork::generation(), before);
}

#[test]
fn a_child_finds_the_lock_free_and_its_value_whole() {
    static PAIR: ForkLock<(u64, u64)> = ForkLock::new((0, 0));
    static STOP: AtomicBool = AtomicBool::new(false);
    let busy = std::thread::spawn(|| {
        while !STOP.load(Ordering::Relaxed) {
            let mut pair = PAIR.lock();
            pair.0 += 1;
            std::hint::black_box(&mut *pair);
            pair.1 += 1;
        }
    });
    for _ in 0..200 {
        // SAFETY: the child takes a lock that is made for it, and ends. A lock that is never free ends it by SIGALRM.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: both are async-signal-safe.
            unsafe {
                libc::alarm(20);
                let pair = PAIR.lock();
                libc::_exit((pair.0 == pair.1) as i32);
            }
        }
        let mut status = 0;
        // SAFETY: the child was just made, and `status` can be written.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1);
    }
    STOP.store(true, Ordering::Relaxed);
    busy.join().expect("no panic");
}

#[test]
fn a_child_has_helpers_of_its_own() {
    let (hold, held) = mpsc::channel::<()>();
    let (begun, begins) = mpsc::channel();
    helpers::submit(Box::new(move || {
        begun.send(()).unwrap();
        let _ = held.recv();
    }))
    .unwrap();
    begins.recv().unwrap();
    // SAFETY: the child makes a thread and waits for it, and ends. If it got stuck, SIGALRM would end it.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: async-signal-safe.
        unsafe { libc::alarm(20) };
        let (done, result) = mpsc::channel();
        let submitted = helpers::submit(Box::new(move || done.send(()).unwrap()));
        let done = submitted.is_ok() && result.recv().is_ok();
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(done.into()) };
    }
    let mut status = 0;
    // SAFETY: the child was just made, and `status` can be written.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1);
    drop(hold);
}
