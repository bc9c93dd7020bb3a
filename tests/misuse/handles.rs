//! Null, closed, stale and foreign handles, in every function that takes one.

use std::ffi::{c_int, c_void};
use std::ptr;

use libc::{EFAULT, EINVAL, ENOTSOCK, iovec};
use zmq::ffi::constants::*;
use zmq::ffi::context::*;
use zmq::ffi::message::*;
use zmq::ffi::monitor::*;
use zmq::ffi::poll::*;
use zmq::ffi::poller::*;
use zmq::ffi::proxy::*;
use zmq::ffi::socket::*;
use zmq::ffi::timers::*;
use zmq::ffi::types::zmq_msg_t;

use crate::support::{Context, Socket, errno};
use crate::{assert_no_panics, watch_for_panics};

/// One call with a handle in the place that is looked at: whether it failed.
type Call = (&'static str, fn(*mut c_void) -> bool);

fn message() -> zmq_msg_t {
    let mut message = zmq_msg_t::default();
    // SAFETY: room for a message.
    assert_eq!(unsafe { zmq_msg_init_size(&mut message, 3) }, 0);
    message
}

/// A socket that lives as long as the process, for functions that take two handles.
fn good_socket() -> *mut c_void {
    static GOOD: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    let address = GOOD.get_or_init(|| {
        // SAFETY: a new context's handle.
        unsafe { zmq_socket(zmq_ctx_new(), ZMQ_PAIR) }.expose_provenance()
    });
    ptr::with_exposed_provenance_mut(*address)
}

fn good_poller() -> *mut c_void {
    // SAFETY: it takes nothing.
    unsafe { zmq_poller_new() }
}

macro_rules! calls {
    ($($name:literal: $handle:ident => $call:expr;)*) => {
        // SAFETY: everything but the handle is as the man page asks for, and any handle must do no harm.
        &[$(($name, |$handle| unsafe { $call })),*]
    };
}

const ON_SOCKETS: &[Call] = calls! {
    "zmq_close": s => zmq_close(s) == -1;
    "zmq_setsockopt": s => zmq_setsockopt(s, ZMQ_LINGER, (&raw const ZERO).cast(), 4) == -1;
    "zmq_getsockopt": s => zmq_getsockopt(s, ZMQ_LINGER, ptr::from_mut(&mut [0_i32; 2]).cast(), &mut 4) == -1;
    "zmq_bind": s => zmq_bind(s, c"inproc://nowhere".as_ptr()) == -1;
    "zmq_connect": s => zmq_connect(s, c"inproc://nowhere".as_ptr()) == -1;
    "zmq_unbind": s => zmq_unbind(s, c"inproc://nowhere".as_ptr()) == -1;
    "zmq_disconnect": s => zmq_disconnect(s, c"inproc://nowhere".as_ptr()) == -1;
    "zmq_send": s => zmq_send(s, c"x".as_ptr().cast(), 1, 0) == -1;
    "zmq_send_const": s => zmq_send_const(s, c"x".as_ptr().cast(), 1, 0) == -1;
    "zmq_recv": s => zmq_recv(s, ptr::from_mut(&mut [0_i32; 2]).cast(), 4, 0) == -1;
    "zmq_msg_send": s => zmq_msg_send(&mut message(), s, 0) == -1;
    "zmq_msg_recv": s => zmq_msg_recv(&mut message(), s, 0) == -1;
    "zmq_sendmsg": s => zmq_sendmsg(s, &mut message(), 0) == -1;
    "zmq_recvmsg": s => zmq_recvmsg(s, &mut message(), 0) == -1;
    "zmq_sendiov": s => zmq_sendiov(s, &mut iovec { iov_base: ptr::null_mut(), iov_len: 0 }, 1, 0) == -1;
    "zmq_recviov": s => zmq_recviov(s, &mut iovec { iov_base: ptr::null_mut(), iov_len: 0 }, &mut 1, 0) == -1;
    "zmq_join": s => zmq_join(s, c"g".as_ptr()) == -1;
    "zmq_leave": s => zmq_leave(s, c"g".as_ptr()) == -1;
    "zmq_connect_peer": s => zmq_connect_peer(s, c"inproc://nowhere".as_ptr()) == 0;
    "zmq_disconnect_peer": s => zmq_disconnect_peer(s, 1) == -1;
    "zmq_socket_get_peer_state": s => zmq_socket_get_peer_state(s, c"x".as_ptr().cast(), 1) == -1;
    "zmq_socket_monitor": s => zmq_socket_monitor(s, c"inproc://monitor".as_ptr(), 0xffff) == -1;
    "zmq_socket_monitor_versioned": s =>
        zmq_socket_monitor_versioned(s, c"inproc://monitor".as_ptr(), 0xffff, 2, ZMQ_PAIR) == -1;
    "zmq_socket_monitor_pipes_stats": s => zmq_socket_monitor_pipes_stats(s) == -1;
    "zmq_proxy, frontend": s => zmq_proxy(s, good_socket(), ptr::null_mut()) == -1;
    "zmq_proxy, backend": s => zmq_proxy(good_socket(), s, ptr::null_mut()) == -1;
    "zmq_proxy_steerable": s => zmq_proxy_steerable(s, s, ptr::null_mut(), ptr::null_mut()) == -1;
    "zmq_device": s => zmq_device(ZMQ_QUEUE, s, s) == -1;
    "zmq_poller_add": s => zmq_poller_add(good_poller(), s, ptr::null_mut(), POLLIN) == -1;
    "zmq_poller_modify": s => zmq_poller_modify(good_poller(), s, POLLIN) == -1;
    "zmq_poller_remove": s => zmq_poller_remove(good_poller(), s) == -1;
};

/// Functions in which a null socket means something else.
const ON_SOCKETS_BUT_NULL: &[Call] = calls! {
    "zmq_poll": s =>
        zmq_poll(&mut zmq_pollitem_t { socket: s, fd: 0, events: POLLIN, revents: 0 }, 1, 0) == -1;
    "zmq_ppoll": s =>
        zmq_ppoll(&mut zmq_pollitem_t { socket: s, fd: 0, events: POLLIN, revents: 0 }, 1, 0, ptr::null()) == -1;
    "zmq_proxy, capture": s => zmq_proxy(good_socket(), good_socket(), s) == -1;
    "zmq_proxy_steerable, control": s =>
        zmq_proxy_steerable(good_socket(), good_socket(), ptr::null_mut(), s) == -1;
};

const ON_CONTEXTS: &[Call] = calls! {
    "zmq_ctx_term": c => zmq_ctx_term(c) == -1;
    "zmq_ctx_destroy": c => zmq_ctx_destroy(c) == -1;
    "zmq_term": c => zmq_term(c) == -1;
    "zmq_ctx_shutdown": c => zmq_ctx_shutdown(c) == -1;
    "zmq_ctx_set": c => zmq_ctx_set(c, ZMQ_BLOCKY, 1) == -1;
    "zmq_ctx_get": c => zmq_ctx_get(c, ZMQ_BLOCKY) == -1;
    "zmq_ctx_set_ext": c => zmq_ctx_set_ext(c, ZMQ_BLOCKY, (&raw const ZERO).cast(), 4) == -1;
    "zmq_ctx_get_ext": c => zmq_ctx_get_ext(c, ZMQ_BLOCKY, ptr::from_mut(&mut [0_i32; 2]).cast(), &mut 4) == -1;
    "zmq_socket": c => zmq_socket(c, ZMQ_PAIR).is_null();
};

const ON_POLLERS: &[Call] = calls! {
    "zmq_poller_destroy": p => zmq_poller_destroy(&mut p.cast()) == -1;
    "zmq_poller_size": p => zmq_poller_size(p) == -1;
    "zmq_poller_add": p => zmq_poller_add(p, good_socket(), ptr::null_mut(), POLLIN) == -1;
    "zmq_poller_modify": p => zmq_poller_modify(p, good_socket(), POLLIN) == -1;
    "zmq_poller_remove": p => zmq_poller_remove(p, good_socket()) == -1;
    "zmq_poller_wait": p => zmq_poller_wait(p, ptr::from_mut(&mut [0_u64; 8]).cast(), 0) == -1;
    "zmq_poller_wait_all": p => zmq_poller_wait_all(p, ptr::from_mut(&mut [0_u64; 8]).cast(), 1, 0) == -1;
    "zmq_poller_fd": p => zmq_poller_fd(p, &mut 0) == -1;
    "zmq_poller_add_fd": p => zmq_poller_add_fd(p, 0, ptr::null_mut(), POLLIN) == -1;
    "zmq_poller_modify_fd": p => zmq_poller_modify_fd(p, 0, POLLIN) == -1;
    "zmq_poller_remove_fd": p => zmq_poller_remove_fd(p, 0) == -1;
};

#[allow(unused_unsafe)] // most of these are safe functions
const ON_TIMERS: &[Call] = calls! {
    "zmq_timers_destroy": t => zmq_timers_destroy(&mut t.cast()) == -1;
    "zmq_timers_add": t => zmq_timers_add(t, 1, Some(timer), ptr::null_mut()) == -1;
    "zmq_timers_cancel": t => zmq_timers_cancel(t, 1) == -1;
    "zmq_timers_set_interval": t => zmq_timers_set_interval(t, 1, 1) == -1;
    "zmq_timers_reset": t => zmq_timers_reset(t, 1) == -1;
    "zmq_timers_timeout": t => zmq_timers_timeout(t) == -1;
    "zmq_timers_execute": t => zmq_timers_execute(t) == -1;
};

static ZERO: c_int = 0;
const POLLIN: i16 = 1;

unsafe extern "C-unwind" fn timer(_id: c_int, _argument: *mut c_void) {}

/// Each call fails with this errno, whatever the handle. For a null one some functions have another.
fn all_fail(calls: &[Call], handles: &[(&str, *mut c_void)], allowed: fn(&str, &str) -> &'static [c_int]) {
    for (kind, handle) in handles {
        for (name, call) in calls {
            errno::set_errno(errno::Errno(0));
            assert!(call(*handle), "{name} took a handle that is {kind}");
            let (errno, allowed) = (errno(), allowed(name, kind));
            assert!(allowed.contains(&errno), "{name}, {kind}: errno {errno}, not {allowed:?}");
        }
    }
}

/// What they are, and themselves.
type Handles = Vec<(&'static str, *mut c_void)>;

/// Handles of everything that isn't what is asked for, dead or alive.
struct Zoo {
    context: Context,
    /// What keeps a set of timers and a poller alive, to be freed at the end.
    timers: *mut c_void,
    poller: *mut c_void,
    counter: *mut c_void,
    watch: *mut c_void,
    junk: Box<[u64; 64]>,
}

impl Zoo {
    fn new() -> Self {
        watch_for_panics();
        // SAFETY: they take nothing.
        let (poller, counter) = unsafe { (zmq_poller_new(), zmq::ffi::util::zmq_atomic_counter_new()) };
        Self {
            context: Context::new(),
            timers: zmq_timers_new(),
            poller,
            counter,
            watch: zmq::ffi::util::zmq_stopwatch_start(),
            junk: Box::new([0xabab_abab_abab_abab; 64]),
        }
    }

    /// Sockets that once were: closed, closed and replaced, and of a context that has ended.
    fn dead_sockets(&self) -> Handles {
        let closed = self.context.socket(ZMQ_DEALER).handle();
        let replaced = self.context.socket(ZMQ_DEALER).handle();
        let _successors: Vec<_> = (0..200).map(|_| self.context.socket(ZMQ_DEALER)).collect();
        let gone = Context::new();
        let orphan = gone.socket(ZMQ_PAIR).handle();
        drop(gone);
        vec![("closed", closed), ("closed and replaced", replaced), ("of an ended context", orphan)]
    }

    fn rubbish(&self) -> Handles {
        vec![
            ("null", ptr::null_mut()),
            ("the address 1", ptr::without_provenance_mut(1)),
            ("a misaligned address", ptr::without_provenance_mut(0x51)),
            ("the highest address", ptr::without_provenance_mut(usize::MAX)),
            ("memory of the program's", ptr::from_ref(&*self.junk).cast_mut().cast()),
            ("a counter", self.counter),
            ("a stopwatch", self.watch),
        ]
    }

    /// Rubbish, what once was what is asked for, and living things that aren't: all but `wanted`.
    fn all_but(&self, wanted: &str, dead: Handles, socket: &Socket) -> Handles {
        let living = [
            ("a socket", socket.handle()),
            ("a context", self.context.handle()),
            ("a poller", self.poller),
            ("a set of timers", self.timers),
        ];
        assert!(living.iter().any(|&(kind, _)| kind == wanted));
        let others = living.into_iter().filter(|&(kind, _)| kind != wanted);
        self.rubbish().into_iter().chain(dead).chain(others).collect()
    }
}

impl Drop for Zoo {
    fn drop(&mut self) {
        // SAFETY: living handles, each given up once.
        unsafe {
            zmq_timers_destroy(&mut self.timers);
            zmq_poller_destroy(&mut self.poller);
            zmq::ffi::util::zmq_atomic_counter_destroy(&mut self.counter);
        }
        zmq::ffi::util::zmq_stopwatch_stop(self.watch);
        assert_no_panics();
    }
}

fn socket_errnos(name: &str, kind: &str) -> &'static [c_int] {
    match name {
        // As the pages of zmq_proxy and zmq_device have it.
        "zmq_proxy, frontend" | "zmq_proxy, backend" | "zmq_proxy_steerable" | "zmq_device"
            if kind == "null" =>
        {
            &[EFAULT]
        }
        // Nothing that isn't in the set can be changed or taken out.
        "zmq_poller_modify" | "zmq_poller_remove" => &[ENOTSOCK, EINVAL],
        _ => &[ENOTSOCK],
    }
}

#[test]
fn what_is_no_socket_is_enotsock_everywhere() {
    let zoo = Zoo::new();
    let socket = zoo.context.socket(ZMQ_PAIR);
    let mut handles = zoo.all_but("a socket", zoo.dead_sockets(), &socket);
    all_fail(ON_SOCKETS, &handles, socket_errnos);
    handles.retain(|(kind, _)| *kind != "null");
    all_fail(ON_SOCKETS_BUT_NULL, &handles, socket_errnos);
}

/// Programs tell sockets from objects of their own by the tag at the beginning of those, so what a handle leads to is read.
#[test]
fn a_handle_leads_to_memory_that_can_be_read() {
    let context = Context::new();
    let sockets: Vec<_> = (0..200).map(|_| context.socket(ZMQ_DEALER)).collect();
    let handles: Vec<_> = sockets.iter().map(|socket| socket.handle()).collect();
    let look = || {
        for handle in &handles {
            assert!(handle.addr().is_multiple_of(16));
            // SAFETY: what this test is about: it may be read, and holds no pointer or tag that a program might take for its own.
            assert_eq!(unsafe { handle.cast::<[u64; 2]>().read() }, [0, 0]);
        }
    };
    look();
    drop(sockets);
    look();
}

#[test]
fn what_is_no_context_is_efault_everywhere() {
    let zoo = Zoo::new();
    let ended = Context::new();
    let ended_handle = ended.handle();
    ended.term().expect("it ends");
    let socket = zoo.context.socket(ZMQ_PAIR);
    let handles = zoo.all_but("a context", vec![("ended", ended_handle)], &socket);
    all_fail(ON_CONTEXTS, &handles, |_, _| &[EFAULT]);
}

#[test]
fn what_is_no_poller_is_efault_everywhere() {
    let zoo = Zoo::new();
    let mut gone = good_poller();
    let stale = gone;
    // SAFETY: a living poller.
    assert_eq!(unsafe { zmq_poller_destroy(&mut gone) }, 0);
    let socket = zoo.context.socket(ZMQ_PAIR);
    let handles = zoo.all_but("a poller", vec![("destroyed", stale)], &socket);
    all_fail(ON_POLLERS, &handles, |_, _| &[EFAULT]);
    // SAFETY: null is what is tested.
    assert_eq!((unsafe { zmq_poller_destroy(ptr::null_mut()) }, errno()), (-1, EFAULT));
}

#[test]
fn what_is_no_set_of_timers_is_efault_everywhere() {
    let zoo = Zoo::new();
    let mut gone = zmq_timers_new();
    let stale = gone;
    // SAFETY: a living set of timers.
    assert_eq!(unsafe { zmq_timers_destroy(&mut gone) }, 0);
    let socket = zoo.context.socket(ZMQ_PAIR);
    let handles = zoo.all_but("a set of timers", vec![("destroyed", stale)], &socket);
    all_fail(ON_TIMERS, &handles, |_, _| &[EFAULT]);
    // SAFETY: null is what is tested.
    assert_eq!((unsafe { zmq_timers_destroy(ptr::null_mut()) }, errno()), (-1, EFAULT));
}

#[test]
fn a_context_ends_once_and_a_socket_closes_once() {
    watch_for_panics();
    let context = Context::new();
    let socket = context.socket(ZMQ_PUSH);
    assert_eq!(socket.close(), Ok(0));
    assert_eq!(socket.close(), Err(ENOTSOCK));
    assert_eq!(context.term(), Ok(0));
    assert_eq!(context.term(), Err(EFAULT));
    assert_no_panics();
}
