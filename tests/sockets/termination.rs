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
