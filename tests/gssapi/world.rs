//! A server that knows its clients by their tickets, and clients.

use crate::realm::{Realm, SERVICE};
use crate::support::{Context, Socket, eventually};
use crate::watch::{Event, Watch};
use std::process::Command;
use zmq::ffi::constants::*;

/// The value of the event when the security library refuses.
pub const REFUSED: u64 = libc::EAGAIN as u64;

/// For cases that need no more than the realm.
pub fn usual(_: &Realm, _: &mut Command) {}

/// See the module's text. Sockets are closed before the context ends.
pub struct World {
    pub server: Socket,
    pub watch: Watch,
    pub endpoint: String,
    plaintext: bool,
    pub context: Context,
}

impl World {
    /// A DEALER that encrypts.
    pub fn new() -> Self {
        Self::with(false, |_| {})
    }

    /// Encrypting or not, and with options of its own.
    pub fn with(plaintext: bool, options: impl FnOnce(&Socket)) -> Self {
        let context = Context::new();
        let server = context.socket(ZMQ_DEALER);
        serve(&server, plaintext);
        options(&server);
        let watch = Watch::new(&context, &server);
        let endpoint = server.bind_tcp();
        watch.expect(&[ZMQ_EVENT_LISTENING]);
        Self { server, watch, endpoint, plaintext, context }
    }

    /// A client, and its monitor.
    pub fn client(&self) -> (Socket, Watch) {
        self.client_with(|_| {})
    }

    /// ... with options of its own.
    pub fn client_with(&self, options: impl FnOnce(&Socket)) -> (Socket, Watch) {
        let client = self.context.socket(ZMQ_DEALER);
        client.set(ZMQ_RECONNECT_IVL, 20).unwrap();
        ask(&client, self.plaintext);
        options(&client);
        let watch = Watch::new(&self.context, &client);
        client.connect(&self.endpoint).unwrap();
        (client, watch)
    }

    /// A message goes each way.
    pub fn assert_serves(&self, client: &Socket) {
        client.send(b"hello").unwrap();
        assert_eq!(self.server.recv().as_deref(), Ok(&b"hello"[..]));
        // It may go to another client, or to one that has just gone.
        eventually("an answer", || {
            let _ = self.server.try_send(b"welcome");
            client.try_recv().as_deref() == Ok(b"welcome")
        });
    }

    /// The server has nothing to read, and a client that behaves is still served.
    pub fn assert_unharmed(&self) {
        assert_eq!(self.server.try_recv(), Err(libc::EAGAIN));
        let (client, _) = self.client();
        self.assert_serves(&client);
    }

    /// Waits for the next failure that the server sees.
    pub fn expect_failure(&self, event: i32, value: u64) {
        expect_failure(&self.watch, event, value);
    }
}

/// The side that has the service's key.
pub fn serve(socket: &Socket, plaintext: bool) {
    socket.set(ZMQ_GSSAPI_SERVER, 1).unwrap();
    socket.set(ZMQ_GSSAPI_PLAINTEXT, plaintext.into()).unwrap();
}

/// The side that has a ticket.
pub fn ask(socket: &Socket, plaintext: bool) {
    socket.set_bytes(ZMQ_GSSAPI_SERVICE_PRINCIPAL, SERVICE.as_bytes()).unwrap();
    socket.set(ZMQ_GSSAPI_PLAINTEXT, plaintext.into()).unwrap();
}

/// Waits for the next event about the end of a handshake, which is this one.
pub fn expect_failure(watch: &Watch, event: i32, value: u64) {
    let next = outcome(watch);
    assert_eq!((next.event, next.values.as_slice()), (event, &[value][..]));
}

/// The next event about a handshake's end, good or bad.
pub fn outcome(watch: &Watch) -> Event {
    loop {
        let event = watch.next();
        if event.event >= ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL || event.event == ZMQ_EVENT_DISCONNECTED {
            return event;
        }
    }
}
