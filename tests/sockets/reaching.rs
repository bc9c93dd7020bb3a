//! Sockets that bind and connect in a namespace.

use crate::machines::Namespace;
use crate::support::Socket;

impl Namespace {
    pub fn bind(&self, socket: &Socket, endpoint: &str) -> Result<i32, i32> {
        self.with(socket, endpoint, Socket::bind)
    }

    pub fn connect(&self, socket: &Socket, endpoint: &str) -> Result<i32, i32> {
        self.with(socket, endpoint, Socket::connect)
    }

    fn with(
        &self,
        socket: &Socket,
        endpoint: &str,
        call: fn(&Socket, &str) -> Result<i32, i32>,
    ) -> Result<i32, i32> {
        let (socket, endpoint) = (std::ptr::from_ref(socket) as usize, endpoint.to_owned());
        self.run(move || {
            // SAFETY: the caller has the socket, and waits.
            call(unsafe { &*(socket as *const Socket) }, &endpoint)
        })
    }
}
