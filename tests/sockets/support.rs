//! Contexts and sockets for tests: thin wrappers of the C functions, which close what they opened.
//! All of the API that tests may want, whether one does now or not.

#![allow(dead_code)]

use std::ffi::{CString, c_int, c_void};
use std::ptr;
use std::time::{Duration, Instant};

use zmq::ffi::constants::{
    ZMQ_DONTWAIT, ZMQ_LAST_ENDPOINT, ZMQ_LINGER, ZMQ_RCVMORE, ZMQ_RCVTIMEO, ZMQ_SNDMORE, ZMQ_SNDTIMEO,
};
use zmq::ffi::context::{zmq_ctx_new, zmq_ctx_shutdown, zmq_ctx_term};
use zmq::ffi::message::*;
use zmq::ffi::socket::*;

/// What a call returned: what it gives, or errno.
pub type Outcome<T> = Result<T, i32>;

/// `errno`, as the last call on this thread left it.
pub fn errno() -> i32 {
    errno::errno().0
}

fn outcome(code: c_int) -> Outcome<i32> {
    if code >= 0 { Ok(code) } else { Err(errno()) }
}

/// How long what happens in the background may take.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Waits until `done`; fails the test if that takes too long.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "still not: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A context, which ends with its last use.
pub struct Context(*mut c_void);

// SAFETY: the library's handles may be used from any thread.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    pub fn new() -> Self {
        // SAFETY: it takes nothing.
        let handle = unsafe { zmq_ctx_new() };
        assert!(!handle.is_null());
        Self(handle)
    }

    pub fn handle(&self) -> *mut c_void {
        self.0
    }

    pub fn socket(&self, socket_type: c_int) -> Socket {
        self.try_socket(socket_type).expect("a socket")
    }

    pub fn try_socket(&self, socket_type: c_int) -> Outcome<Socket> {
        // SAFETY: the handle is a context's.
        let handle = unsafe { zmq_socket(self.0, socket_type) };
        if handle.is_null() {
            return Err(errno());
        }
        let socket = Socket(handle);
        // A message that never comes fails the test.
        let patience = PATIENCE.as_millis() as i32;
        socket.set(ZMQ_RCVTIMEO, patience)?;
        socket.set(ZMQ_SNDTIMEO, patience)?;
        socket.set(ZMQ_LINGER, 0)?;
        Ok(socket)
    }

    pub fn shutdown(&self) {
        // SAFETY: the handle is a context's.
        assert_eq!(unsafe { zmq_ctx_shutdown(self.0) }, 0);
    }

    /// Waits for the end.
    pub fn term(&self) -> Outcome<i32> {
        // SAFETY: the handle is, or was, a context's.
        outcome(unsafe { zmq_ctx_term(self.0) })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // A test that has failed may have left sockets behind (in other threads): don't hang.
        if !std::thread::panicking() {
            let _ = self.term();
        }
    }
}

/// A socket, closed when dropped.
pub struct Socket(*mut c_void);

// SAFETY: the library's handles may be used from any thread.
unsafe impl Send for Socket {}
// SAFETY: as above.
unsafe impl Sync for Socket {}

impl Socket {
    pub fn handle(&self) -> *mut c_void {
        self.0
    }

    pub fn bind(&self, endpoint: &str) -> Outcome<i32> {
        let endpoint = CString::new(endpoint).expect("no zero byte");
        // SAFETY: a C string.
        outcome(unsafe { zmq_bind(self.0, endpoint.as_ptr()) })
    }

    pub fn connect(&self, endpoint: &str) -> Outcome<i32> {
        let endpoint = CString::new(endpoint).expect("no zero byte");
        // SAFETY: a C string.
        outcome(unsafe { zmq_connect(self.0, endpoint.as_ptr()) })
    }

    pub fn unbind(&self, endpoint: &str) -> Outcome<i32> {
        let endpoint = CString::new(endpoint).expect("no zero byte");
        // SAFETY: a C string.
        outcome(unsafe { zmq_unbind(self.0, endpoint.as_ptr()) })
    }

    pub fn disconnect(&self, endpoint: &str) -> Outcome<i32> {
        let endpoint = CString::new(endpoint).expect("no zero byte");
        // SAFETY: a C string.
        outcome(unsafe { zmq_disconnect(self.0, endpoint.as_ptr()) })
    }

    /// Binds to a free port of the loopback interface. The endpoint.
    pub fn bind_tcp(&self) -> String {
        self.bind("tcp://127.0.0.1:*").expect("a free port");
        self.last_endpoint()
    }

    pub fn set_bytes(&self, option: c_int, value: &[u8]) -> Outcome<i32> {
        // SAFETY: a value of that length.
        outcome(unsafe { zmq_setsockopt(self.0, option, value.as_ptr().cast(), value.len()) })
    }

    pub fn set(&self, option: c_int, value: i32) -> Outcome<i32> {
        self.set_bytes(option, &value.to_ne_bytes())
    }

    pub fn get(&self, option: c_int) -> Outcome<i32> {
        let (mut value, mut len) = (0_i32, size_of::<i32>());
        // SAFETY: room for an int.
        outcome(unsafe { zmq_getsockopt(self.0, option, ptr::from_mut(&mut value).cast(), &mut len) })?;
        Ok(value)
    }

    pub fn last_endpoint(&self) -> String {
        let mut text = [0_u8; 256];
        let mut len = text.len();
        // SAFETY: room for `len` bytes.
        outcome(unsafe { zmq_getsockopt(self.0, ZMQ_LAST_ENDPOINT, text.as_mut_ptr().cast(), &mut len) })
            .expect("an endpoint");
        String::from_utf8(text[..len - 1].to_vec()).expect("text")
    }

    fn send_flags(&self, body: &[u8], flags: c_int) -> Outcome<i32> {
        // SAFETY: a buffer of that length.
        outcome(unsafe { zmq_send(self.0, body.as_ptr().cast(), body.len(), flags) })
    }

    pub fn send(&self, body: &[u8]) -> Outcome<i32> {
        self.send_flags(body, 0)
    }

    pub fn try_send(&self, body: &[u8]) -> Outcome<i32> {
        self.send_flags(body, ZMQ_DONTWAIT)
    }

    pub fn send_more(&self, body: &[u8]) -> Outcome<i32> {
        self.send_flags(body, ZMQ_SNDMORE)
    }

    pub fn try_send_more(&self, body: &[u8]) -> Outcome<i32> {
        self.send_flags(body, ZMQ_DONTWAIT | ZMQ_SNDMORE)
    }

    fn recv_flags(&self, flags: c_int) -> Outcome<Vec<u8>> {
        let mut body = vec![0; 1 << 16];
        // SAFETY: a buffer of that length.
        let len = outcome(unsafe { zmq_recv(self.0, body.as_mut_ptr().cast(), body.len(), flags) })?;
        body.truncate(usize::try_from(len).expect("a length"));
        Ok(body)
    }

    pub fn recv(&self) -> Outcome<Vec<u8>> {
        self.recv_flags(0)
    }

    pub fn try_recv(&self) -> Outcome<Vec<u8>> {
        self.recv_flags(ZMQ_DONTWAIT)
    }

    /// All parts of a message, waiting for the first.
    pub fn recv_all(&self) -> Outcome<Vec<Vec<u8>>> {
        let mut parts = vec![self.recv()?];
        while self.get(ZMQ_RCVMORE)? != 0 {
            parts.push(self.recv()?);
        }
        Ok(parts)
    }

    /// Sends to the peer with this routing id. What fails leaves the message as it was.
    pub fn send_to(&self, routing_id: u32, body: &[u8]) -> Outcome<i32> {
        self.send_to_flags(routing_id, body, 0)
    }

    pub fn try_send_to(&self, routing_id: u32, body: &[u8]) -> Outcome<i32> {
        self.send_to_flags(routing_id, body, ZMQ_DONTWAIT)
    }

    fn send_to_flags(&self, routing_id: u32, body: &[u8], flags: c_int) -> Outcome<i32> {
        let mut message = zmq::message::Message::new();
        // SAFETY: a message that this function has for itself, and a buffer of that length.
        unsafe {
            outcome(zmq_msg_init_buffer(&mut message, body.as_ptr().cast(), body.len()))?;
            outcome(zmq_msg_set_routing_id(&mut message, routing_id))?;
            let sent = outcome(zmq_msg_send(&mut message, self.0, flags));
            match sent {
                Ok(_) => assert!(message.is_empty() && message.routing_id() == 0),
                Err(_) => assert!(message.data() == body && message.routing_id() == routing_id),
            }
            sent
        }
    }

    /// A message and the routing id that it carries.
    pub fn recv_from(&self) -> Outcome<(u32, Vec<u8>)> {
        self.recv_from_flags(0)
    }

    pub fn try_recv_from(&self) -> Outcome<(u32, Vec<u8>)> {
        self.recv_from_flags(ZMQ_DONTWAIT)
    }

    fn recv_from_flags(&self, flags: c_int) -> Outcome<(u32, Vec<u8>)> {
        let mut message = zmq::message::Message::new();
        // SAFETY: a message that this function has for itself.
        outcome(unsafe { zmq_msg_recv(&mut message, self.0, flags) })?;
        Ok((message.routing_id(), message.data().to_vec()))
    }

    pub fn connect_peer(&self, endpoint: &str) -> Outcome<u32> {
        let endpoint = CString::new(endpoint).expect("no zero byte");
        // SAFETY: a C string.
        match unsafe { zmq_connect_peer(self.0, endpoint.as_ptr()) } {
            0 => Err(errno()),
            routing_id => Ok(routing_id),
        }
    }

    pub fn disconnect_peer(&self, routing_id: u32) -> Outcome<i32> {
        // SAFETY: any number will do.
        outcome(unsafe { zmq_disconnect_peer(self.0, routing_id) })
    }

    /// How many messages it takes without waiting, of at most `max`.
    pub fn fill(&self, max: usize) -> usize {
        (0..max).take_while(|_| self.try_send(b"x").is_ok()).count()
    }

    pub fn close(&self) -> Outcome<i32> {
        // SAFETY: the handle is, or was, a socket's.
        outcome(unsafe { zmq_close(self.0) })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // It may be closed already.
        let _ = self.close();
    }
}
