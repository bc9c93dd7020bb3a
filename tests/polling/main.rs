//! Polling, pollers and proxies through the C functions, with real contexts, threads and connections.

mod poll;
mod poller;
mod proxy;
mod thread_safe;

use libc::{c_int, c_short, c_void};
use std::ffi::CString;
use std::ptr::null_mut;
use zmq::ffi::constants::*;
use zmq::ffi::poll::{zmq_poll, zmq_pollitem_t};
use zmq::ffi::{context, socket};

pub(crate) const TERMINATED: c_int = zmq::error::HAUSNUMERO + 53;
pub(crate) const IN: c_short = ZMQ_POLLIN as c_short;
pub(crate) const OUT: c_short = ZMQ_POLLOUT as c_short;
pub(crate) const ERR: c_short = ZMQ_POLLERR as c_short;

/// A context that ends with the test.
pub(crate) struct Context(*mut c_void);

// SAFETY: contexts and sockets may be used by any thread.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    pub(crate) fn new() -> Self {
        // SAFETY: takes nothing.
        Self(unsafe { context::zmq_ctx_new() })
    }

    pub(crate) fn socket(&self, kind: c_int) -> Socket {
        // SAFETY: a living context.
        let socket = Socket(unsafe { socket::zmq_socket(self.0, kind) });
        assert!(!socket.0.is_null());
        socket.set(ZMQ_LINGER, 0);
        // Long enough for any machine; a test that goes wrong ends nevertheless.
        socket.set(ZMQ_RCVTIMEO, 30_000);
        socket.set(ZMQ_SNDTIMEO, 30_000);
        socket
    }

    pub(crate) fn shutdown(&self) {
        // SAFETY: a living context.
        assert_eq!(unsafe { context::zmq_ctx_shutdown(self.0) }, 0);
    }

    /// Two sockets, joined by an address of `transport`.
    pub(crate) fn pair(&self, transport: &str, kinds: (c_int, c_int)) -> (Socket, Socket) {
        let (bound, connected) = (self.socket(kinds.0), self.socket(kinds.1));
        connected.connect(&bound.bind(transport));
        (bound, connected)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // A test that has failed mustn't wait for sockets that it never closed.
        if !std::thread::panicking() {
            // SAFETY: a living context.
            assert_eq!(unsafe { context::zmq_ctx_term(self.0) }, 0);
        }
    }
}

/// A socket that is closed with its owner.
pub(crate) struct Socket(pub *mut c_void);

// SAFETY: as for contexts.
unsafe impl Send for Socket {}
// SAFETY: as above.
unsafe impl Sync for Socket {}

impl Socket {
    pub(crate) fn set(&self, option: c_int, value: c_int) {
        // SAFETY: a value of that size.
        let set =
            unsafe { socket::zmq_setsockopt(self.0, option, (&raw const value).cast(), size_of::<c_int>()) };
        assert_eq!(set, 0);
    }

    pub(crate) fn get(&self, option: c_int) -> c_int {
        let (mut value, mut len) = (0, size_of::<c_int>());
        // SAFETY: a buffer of that size.
        let got =
            unsafe { socket::zmq_getsockopt(self.0, option, (&raw mut value).cast::<c_void>(), &mut len) };
        assert_eq!(got, 0);
        value
    }

    /// Binds to an address that is free; returns it.
    pub(crate) fn bind(&self, transport: &str) -> String {
        static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let endpoint = match transport {
            "tcp" => "tcp://127.0.0.1:*".to_owned(),
            _ => format!("inproc://polling-{number}"),
        };
        let endpoint = CString::new(endpoint).unwrap();
        // SAFETY: a C string.
        assert_eq!(unsafe { socket::zmq_bind(self.0, endpoint.as_ptr()) }, 0);
        let (mut bound, mut len) = ([0_u8; 128], 128);
        // SAFETY: a buffer of that size.
        let got = unsafe {
            socket::zmq_getsockopt(self.0, ZMQ_LAST_ENDPOINT, bound.as_mut_ptr().cast::<c_void>(), &mut len)
        };
        assert_eq!(got, 0);
        String::from_utf8(bound[..len - 1].to_vec()).unwrap()
    }

    pub(crate) fn connect(&self, endpoint: &str) {
        let endpoint = CString::new(endpoint).unwrap();
        // SAFETY: a C string.
        assert_eq!(unsafe { socket::zmq_connect(self.0, endpoint.as_ptr()) }, 0);
    }

    pub(crate) fn try_send(&self, body: &[u8], flags: c_int) -> Result<(), c_int> {
        // SAFETY: a buffer of that size.
        let sent = unsafe { socket::zmq_send(self.0, body.as_ptr().cast::<c_void>(), body.len(), flags) };
        checked(sent).map(drop)
    }

    pub(crate) fn send(&self, body: &[u8]) {
        assert_eq!(self.try_send(body, 0), Ok(()));
    }

    pub(crate) fn send_parts(&self, parts: &[&[u8]]) {
        for (index, part) in parts.iter().enumerate() {
            let more = if index + 1 < parts.len() { ZMQ_SNDMORE } else { 0 };
            assert_eq!(self.try_send(part, more), Ok(()));
        }
    }

    pub(crate) fn try_recv(&self, flags: c_int) -> Result<Vec<u8>, c_int> {
        let mut body = vec![0; 256];
        // SAFETY: a buffer of that size.
        let len = unsafe { socket::zmq_recv(self.0, body.as_mut_ptr().cast::<c_void>(), body.len(), flags) };
        body.truncate(checked(len)? as usize);
        Ok(body)
    }

    pub(crate) fn recv(&self) -> Vec<u8> {
        self.try_recv(0).unwrap()
    }

    pub(crate) fn recv_parts(&self) -> Vec<Vec<u8>> {
        let mut parts = vec![self.recv()];
        while self.get(ZMQ_RCVMORE) != 0 {
            parts.push(self.recv());
        }
        parts
    }

    pub(crate) fn close(&self) {
        // SAFETY: a handle, stale or not.
        assert_eq!(unsafe { socket::zmq_close(self.0) }, 0);
    }

    pub(crate) fn item(&self, events: c_short) -> zmq_pollitem_t {
        zmq_pollitem_t { socket: self.0, fd: 0, events, revents: -1 }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A test may have closed it.
        // SAFETY: a handle, stale or not.
        unsafe { socket::zmq_close(self.0) };
    }
}

pub(crate) fn descriptor(fd: c_int, events: c_short) -> zmq_pollitem_t {
    zmq_pollitem_t { socket: null_mut(), fd, events, revents: -1 }
}

/// What a C function returned, or `errno`.
pub(crate) fn checked(result: c_int) -> Result<c_int, c_int> {
    if result == -1 { Err(errno::errno().0) } else { Ok(result) }
}

/// `zmq_poll`.
pub(crate) fn poll(items: &mut [zmq_pollitem_t], timeout: i64) -> Result<c_int, c_int> {
    // SAFETY: that many items.
    checked(unsafe { zmq_poll(items.as_mut_ptr(), items.len() as c_int, timeout) })
}

/// A pipe of the system: the end to read, the end to write.
pub(crate) fn system_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    std::io::pipe().unwrap()
}
