//! Sockets closed and contexts ended in one thread while others are in the middle of using them.

use std::ffi::c_void;
use std::ptr;
use std::sync::Barrier;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use libc::{EAGAIN, EFAULT, EFSM, EHOSTUNREACH, ENOTSOCK, ETERM};
use zmq::ffi::constants::*;
use zmq::ffi::poll::*;
use zmq::ffi::poller::*;
use zmq::ffi::socket::*;

use crate::support::{Context, errno};
use crate::{assert_no_panics, watch_for_panics};

/// What libzmq adds to errno.h.
mod libc {
    pub use ::libc::*;
    pub const EFSM: i32 = 156_384_763;
    pub const ETERM: i32 = 156_384_765;
}

/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Fails the test, in the place of hanging, if `work` takes too long.
fn in_time(work: impl FnOnce() + Send + 'static) {
    watch_for_panics();
    let (done, wait) = channel();
    let worker = std::thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    match wait.recv_timeout(LIMIT) {
        Err(RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
    }
    assert_no_panics();
}

#[derive(Clone, Copy)]
struct Handle(*mut c_void);
// SAFETY: the library's handles may be used from any thread.
unsafe impl Send for Handle {}

type Work = fn(*mut c_void) -> i32;

/// What a thread does with a socket, over and over.
const WORK: [(&str, Work); 7] = [
    // SAFETY: in each of these, the buffers are as long as said; the handle may go stale at any moment, which is what is tested.
    ("send", |s| unsafe { zmq_send(s, c"message".as_ptr().cast(), 7, 0) }),
    // SAFETY: as above.
    ("recv", |s| unsafe { zmq_recv(s, ptr::from_mut(&mut [0_u64; 4]).cast(), 32, 0) }),
    // SAFETY: as above.
    ("try recv", |s| unsafe { zmq_recv(s, ptr::from_mut(&mut [0_u64; 4]).cast(), 32, ZMQ_DONTWAIT) }),
    // SAFETY: as above.
    ("poll", |s| unsafe { zmq_poll(&mut zmq_pollitem_t { socket: s, fd: 0, events: 3, revents: 0 }, 1, 50) }),
    // SAFETY: as above.
    ("setsockopt", |s| unsafe { zmq_setsockopt(s, ZMQ_SNDTIMEO, (&raw const TIMEOUT).cast(), 4) }),
    // SAFETY: as above.
    ("getsockopt", |s| unsafe {
        zmq_getsockopt(s, ZMQ_EVENTS, ptr::from_mut(&mut [0_u64; 1]).cast(), &mut 4)
    }),
    // SAFETY: as above.
    ("connect", |s| unsafe { zmq_connect(s, c"tcp://127.0.0.1:9".as_ptr()) }),
];

static TIMEOUT: i32 = 50;

fn work_until_it_fails(name: &str, work: Work, handle: Handle, allowed: &[i32]) {
    let Handle(socket) = handle;
    for round in 0_u64.. {
        if work(socket) == -1 {
            let errno = errno();
            if errno == allowed[0] {
                return;
            }
            // It has no peer, or is the other side's turn.
            assert!(
                allowed.contains(&errno) || [EAGAIN, EFSM, EHOSTUNREACH].contains(&errno),
                "{name}: {errno}"
            );
        }
        if round % 64 == 0 {
            std::thread::yield_now();
        }
    }
}

/// One socket, a thread for each kind of work on it, and somebody who pulls the carpet away. `ends` are the errnos by which a thread may learn of it.
fn pull_away(endpoint: &'static str, ends: [i32; 2], pull: fn(&Context, *mut c_void)) {
    for round in 0..20_u64 {
        let context = Context::new();
        let peer = context.socket(ZMQ_DEALER);
        peer.bind(endpoint).expect("a free address");
        let socket = context.socket(ZMQ_DEALER);
        socket.connect(&peer.last_endpoint()).expect("an address");
        let start = Barrier::new(WORK.len() + 1);
        std::thread::scope(|scope| {
            for (name, work) in WORK {
                let (start, handle) = (&start, Handle(socket.handle()));
                scope.spawn(move || {
                    start.wait();
                    work_until_it_fails(name, work, handle, &ends);
                });
            }
            start.wait();
            // Some traffic from the other side, for longer each round, so that the end comes at different moments.
            let until = Instant::now() + Duration::from_micros(round * 300);
            while Instant::now() < until {
                let _ = peer.try_send(b"message");
                let _ = peer.try_recv();
            }
            pull(&context, socket.handle());
        });
        drop(socket);
        drop(peer);
    }
}

fn close(_context: &Context, socket: *mut c_void) {
    // SAFETY: a living socket.
    assert_eq!(unsafe { zmq_close(socket) }, 0);
}

fn shut_down(context: &Context, _socket: *mut c_void) {
    context.shutdown();
}

#[test]
fn a_socket_closed_while_others_use_it_is_enotsock_for_them() {
    for endpoint in ["inproc://pull", "tcp://127.0.0.1:*"] {
        in_time(move || pull_away(endpoint, [ENOTSOCK, ENOTSOCK], close));
    }
}

#[test]
fn a_context_shut_down_while_its_sockets_are_in_use_is_eterm_for_all() {
    for endpoint in ["inproc://pull", "tcp://127.0.0.1:*"] {
        in_time(move || pull_away(endpoint, [ETERM, ENOTSOCK], shut_down));
    }
}

#[test]
fn a_socket_closed_while_another_thread_sleeps_in_it_wakes_the_sleeper() {
    in_time(|| {
        let context = Context::new();
        for kind in [ZMQ_PULL, ZMQ_SUB, ZMQ_REP, ZMQ_DEALER] {
            for endpoint in ["inproc://sleeper", "tcp://127.0.0.1:*"] {
                let socket = context.socket(kind);
                socket.set(ZMQ_RCVTIMEO, -1).expect("an option");
                socket.bind(endpoint).expect("a free address");
                std::thread::scope(|scope| {
                    let sleeper = scope.spawn(|| socket.recv().map(drop));
                    std::thread::sleep(Duration::from_millis(5)); // so that it does sleep; if not yet, that must do as well
                    assert_eq!(socket.close(), Ok(0));
                    assert_eq!(sleeper.join().expect("no panic"), Err(ENOTSOCK));
                });
            }
        }
    });
}

#[test]
fn many_threads_close_one_socket_and_one_of_them_succeeds() {
    in_time(|| {
        let context = Context::new();
        for _ in 0..200 {
            let socket = context.socket(ZMQ_DEALER);
            let start = Barrier::new(4);
            let closed: i32 = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            match socket.close() {
                                Ok(_) => 1,
                                Err(errno) => {
                                    assert_eq!(errno, ENOTSOCK);
                                    0
                                }
                            }
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
            });
            assert_eq!(closed, 1);
        }
    });
}

#[test]
fn a_context_ended_by_many_threads_at_once_ends() {
    in_time(|| {
        for _ in 0..50 {
            let context = Context::new();
            let socket = context.socket(ZMQ_DEALER);
            socket.connect("tcp://127.0.0.1:9").expect("an address");
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        let ended = context.term();
                        assert!(ended == Ok(0) || ended == Err(EFAULT), "{ended:?}");
                    });
                }
                scope.spawn(|| {
                    assert_eq!(socket.recv().map(drop), Err(ETERM));
                    assert_eq!(socket.close(), Ok(0));
                });
            });
        }
    });
}

#[test]
fn a_poller_over_a_socket_that_is_closed_goes_on() {
    in_time(|| {
        let context = Context::new();
        let (gone, other) = (context.socket(ZMQ_DEALER), context.socket(ZMQ_DEALER));
        other.bind("inproc://other").expect("a free name");
        let peer = context.socket(ZMQ_DEALER);
        peer.connect("inproc://other").expect("a name");
        // SAFETY: a new poller, and living sockets; that one is closed is what is tested.
        unsafe {
            let mut poller = zmq_poller_new();
            assert_eq!(zmq_poller_add(poller, gone.handle(), ptr::null_mut(), 1), 0);
            assert_eq!(zmq_poller_add(poller, other.handle(), ptr::null_mut(), 1), 0);
            assert_eq!(gone.close(), Ok(0));
            peer.send(b"message").expect("a peer");
            let mut events = [const { std::mem::MaybeUninit::<zmq_poller_event_t>::zeroed() }; 2];
            let count = zmq_poller_wait_all(poller, events.as_mut_ptr().cast(), 2, 1000);
            assert!(count == 1 || (count == -1 && errno() == ENOTSOCK), "{count}");
            // It is taken out all the same.
            assert_eq!((zmq_poller_remove(poller, gone.handle()), errno()), (-1, ENOTSOCK));
            assert_eq!(zmq_poller_wait_all(poller, events.as_mut_ptr().cast(), 2, 1000), 1);
            assert_eq!(zmq_poller_destroy(&mut poller), 0);
        }
    });
}
