//! A server, a ZAP handler for it, and clients; all in one context, and all driven by the test's own thread.

use std::ffi::{CStr, CString};

use crate::support::{Context, Outcome, Socket};
use crate::watch::{Event, Watch};
use zmq::ffi::constants::*;
use zmq::ffi::message::{zmq_msg_close, zmq_msg_gets, zmq_msg_init};
use zmq::ffi::socket::zmq_msg_recv;

/// Where handlers are bound.
pub const HANDLER: &str = "inproc://zeromq.zap.01";
/// How long a handshake that fails only by that may take, in milliseconds.
pub const SHORT: i32 = 150;

/// What the server demands. CURVE has tests of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    Null,
    Plain,
}

pub const BOTH: [Mechanism; 2] = [Mechanism::Null, Mechanism::Plain];

/// See the module's text. Sockets are closed before the context ends.
pub struct World {
    pub mechanism: Mechanism,
    pub server: Socket,
    pub watch: Watch,
    pub endpoint: String,
    pub context: Context,
}

impl World {
    /// A server of the domain "D".
    pub fn new(mechanism: Mechanism) -> Self {
        Self::with(mechanism, |_| {})
    }

    /// With options of its own.
    pub fn with(mechanism: Mechanism, options: impl FnOnce(&Socket)) -> Self {
        Self::with_domain(mechanism, "D", options)
    }

    /// ... and of another domain, or none.
    pub fn with_domain(mechanism: Mechanism, domain: &str, options: impl FnOnce(&Socket)) -> Self {
        let context = Context::new();
        let server = context.socket(ZMQ_DEALER);
        server.set_bytes(ZMQ_ROUTING_ID, b"IDENT").unwrap();
        if !domain.is_empty() {
            server.set_bytes(ZMQ_ZAP_DOMAIN, domain.as_bytes()).unwrap();
        }
        if mechanism == Mechanism::Plain {
            server.set(ZMQ_PLAIN_SERVER, 1).unwrap();
        }
        options(&server);
        let watch = Watch::new(&context, &server);
        let endpoint = server.bind_tcp();
        watch.expect(&[ZMQ_EVENT_LISTENING]);
        Self { mechanism, server, watch, endpoint, context }
    }

    /// A handler of that type.
    pub fn handler(&self, kind: i32) -> Socket {
        let handler = self.context.socket(kind);
        handler.bind(HANDLER).expect("the only handler");
        handler
    }

    /// A client that connects, and its monitor.
    pub fn client(&self) -> (Socket, Watch) {
        self.client_as(b"admin", b"secret")
    }

    /// ... with this name and password.
    pub fn client_as(&self, username: &[u8], password: &[u8]) -> (Socket, Watch) {
        let client = self.context.socket(ZMQ_DEALER);
        client.set(ZMQ_RECONNECT_IVL, 10).unwrap();
        if self.mechanism == Mechanism::Plain {
            client.set_bytes(ZMQ_PLAIN_USERNAME, username).unwrap();
            client.set_bytes(ZMQ_PLAIN_PASSWORD, password).unwrap();
        }
        let watch = Watch::new(&self.context, &client);
        client.connect(&self.endpoint).unwrap();
        (client, watch)
    }

    /// A message from the client comes to the server.
    pub fn assert_serves(&self, client: &Socket) {
        client.send(b"hello").unwrap();
        assert_eq!(self.server.recv().as_deref(), Ok(&b"hello"[..]));
    }

    /// Waits for the server's event with this value.
    pub fn expect_failure(&self, event: i32, value: u64) {
        let failed = failure(&self.watch);
        assert_eq!((failed.event, failed.values), (event, vec![value]));
    }

    /// Waits until the server's connection has ended.
    pub fn expect_disconnected(&self) {
        self.watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    }
}

/// The next event about a handshake's end.
pub fn failure(watch: &Watch) -> Event {
    loop {
        let event = watch.next();
        if event.event >= ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL || event.event == ZMQ_EVENT_DISCONNECTED {
            return event;
        }
    }
}

/// A good reply of that status, for the user "user".
pub fn reply(status: &str) -> Vec<&[u8]> {
    vec![b"1.0", b"1", status.as_bytes(), b"text", b"user", b""]
}

/// Sends a message of several parts.
pub fn send_all(socket: &Socket, parts: &[&[u8]]) -> Outcome<i32> {
    let (last, first) = parts.split_last().expect("parts");
    for part in first {
        socket.send_more(part)?;
    }
    socket.send(last)
}

/// Receives one part, and these properties of it.
pub fn recv_properties(socket: &Socket, names: &[&str]) -> (i32, Vec<Option<String>>) {
    let mut message = std::mem::MaybeUninit::uninit();
    // SAFETY: initialised first, closed last, and used by nobody else. Properties are C strings that live as long.
    unsafe {
        assert_eq!(zmq_msg_init(message.as_mut_ptr()), 0);
        let len = zmq_msg_recv(message.as_mut_ptr(), socket.handle(), 0);
        let properties = names.iter().map(|name| {
            let name = CString::new(*name).expect("no zero byte");
            let value = zmq_msg_gets(message.as_ptr(), name.as_ptr());
            (!value.is_null()).then(|| CStr::from_ptr(value).to_string_lossy().into_owned())
        });
        let properties = properties.collect();
        zmq_msg_close(message.as_mut_ptr());
        (len, properties)
    }
}
