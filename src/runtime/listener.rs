//! A listener in its I/O thread: it makes a session of each connection that it accepts.

use super::io_thread::{IoHandle, SessionId};
use super::monitor::{Endpoints, event};
use super::owner::Owner;
use super::session::{Role, Session};
use crate::error::Error;
use crate::sys::time;
use crate::transport::{Accepted, Listener};
use mio::unix::SourceFd;
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// How long to leave connections waiting when the system has run out of something, in nanoseconds.
const BACK_OFF: u64 = 100_000_000;

/// See the module's text.
pub struct ListenerEntry {
    id: SessionId,
    listener: Listener,
    endpoints: Endpoints,
    /// The I/O thread hears of new connections.
    watched: bool,
    /// The socket.
    pub owner: Arc<Owner>,
}

/// What one look at the listener gave.
pub enum Outcome {
    /// A connection.
    Session(Box<Session>),
    /// One that isn't let in, or that has gone already.
    Refused,
    /// None, for now.
    Empty,
    /// The system has run out of something: look again at this time.
    RetryAt(u64),
}

impl ListenerEntry {
    /// A listener that `accept` sets going.
    pub fn new(id: SessionId, listener: Listener, endpoint: String, owner: Arc<Owner>) -> Self {
        Self { id, listener, endpoints: Endpoints::listening(&endpoint), watched: false, owner }
    }

    fn emit(&self, event: u64, value: u64) {
        self.owner.monitor.emit(event, &[value], &self.endpoints);
    }

    /// Begins to watch.
    fn watch(&mut self, io: &IoHandle) -> std::io::Result<()> {
        let fd = self.listener.as_raw_fd();
        io.registry().register(&mut SourceFd(&fd), mio::Token(self.id.0), mio::Interest::READABLE)?;
        self.watched = true;
        Ok(())
    }

    /// Accepts one connection. The first call begins to watch for them.
    pub fn accept(&mut self, io: &Arc<IoHandle>) -> Outcome {
        if !self.watched
            && let Err(error) = self.watch(io)
        {
            self.emit(event::ACCEPT_FAILED, Error::from(error).errno() as u64);
            return Outcome::RetryAt(time::monotonic_ns() + BACK_OFF);
        }
        match self.listener.accept(&self.owner.options) {
            Ok(Accepted::Stream(stream)) => {
                let endpoints = Endpoints::accepted(&stream);
                self.owner.monitor.emit(event::ACCEPTED, &[stream.as_raw_fd() as u64], &endpoints);
                let role = Role::Accept { stream: Some(stream), listener: self.id };
                let session = Session::new(SessionId(io.new_token().0), self.owner.clone(), role, None);
                Outcome::Session(Box::new(session))
            }
            Ok(Accepted::Filtered) => {
                self.emit(event::ACCEPT_FAILED, libc::EACCES as u64);
                Outcome::Refused
            }
            Ok(Accepted::WouldBlock) => Outcome::Empty,
            Err(error) => {
                self.emit(event::ACCEPT_FAILED, error.errno() as u64);
                match error {
                    Error::TooManyFiles | Error::Os(libc::ENFILE) | Error::NoBuffers | Error::OutOfMemory => {
                        Outcome::RetryAt(time::monotonic_ns() + BACK_OFF)
                    }
                    _ => Outcome::Refused,
                }
            }
        }
    }

    /// Stops listening.
    pub fn close(self, io: &IoHandle) {
        let fd = self.listener.as_raw_fd();
        let _ = io.registry().deregister(&mut SourceFd(&fd));
        let Self { listener, endpoints, owner, .. } = self;
        match listener.close() {
            Ok(()) => owner.monitor.emit(event::CLOSED, &[fd as u64], &endpoints),
            Err(error) => owner.monitor.emit(event::CLOSE_FAILED, &[error.errno() as u64], &endpoints),
        }
    }
}
