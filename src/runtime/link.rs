//! What a socket knows of the other side of a pipe: how to tell it that there is something to read, or room.

use super::connection::Connection;
use super::io_thread::{IoCommand, IoHandle, SessionId};
use super::mailbox::{Command, Mailbox};
use crate::mutex::Mutex;
use crate::pipe::PipeId;
use std::sync::Arc;
use std::sync::OnceLock;

/// The other side of one of a socket's pipes.
#[allow(missing_docs)] // the variants say what their fields are
pub enum Link {
    /// Another socket of this context. `side` is the own one.
    Inproc { link: Arc<InprocLink>, side: usize },
    /// A session, and the connection that it has now.
    Session { link: Arc<SessionLink>, connection: Option<Arc<Connection>> },
}

impl Link {
    /// Whether it leads to that session.
    pub fn is_session(&self, id: SessionId) -> bool {
        matches!(self, Self::Session { link, .. } if link.session == id)
    }
}

/// Joins the two sockets of an inproc pipe. A side's pipe id isn't known before its socket has taken its end in. (The side that connects may
/// also be a session that asks the ZAP handler.)
pub struct InprocLink {
    sides: [Side; 2],
}

type MakeCommand = Box<dyn FnOnce(PipeId) -> Command + Send>;

struct Side {
    /// Where it is.
    place: Mutex<Place>,
    /// What this side says last (the peer's `ZMQ_DISCONNECT_MSG`).
    farewell: Mutex<Vec<u8>>,
}

/// Who is told what the other side of an inproc pipe does.
pub enum Listener {
    /// A socket, by commands that name the pipe.
    Socket(Arc<Mailbox>),
    /// A session, for its connection of that name. It has one such pipe, and looks whenever something happens there.
    Session {
        /// The session's.
        link: Arc<SessionLink>,
        /// The connection.
        connection: u64,
    },
}

#[derive(Default)]
struct Place {
    listener: Option<Listener>,
    pipe: Option<PipeId>,
    /// What was said to it before it had its end.
    missed: Vec<MakeCommand>,
}

impl InprocLink {
    /// The side that connects is 0; the one that has bound is 1, and may come later.
    pub fn new(connecting: Listener, bound: Option<Arc<Mailbox>>) -> Arc<Self> {
        let side = |listener| Side {
            place: Mutex::new(Place { listener, ..Place::default() }),
            farewell: Mutex::default(),
        };
        Arc::new(Self { sides: [side(Some(connecting)), side(bound.map(Listener::Socket))] })
    }

    /// The bound socket has come.
    pub fn set_bound(&self, mailbox: Arc<Mailbox>) {
        self.sides[1].place.lock().listener = Some(Listener::Socket(mailbox));
    }

    /// A side has taken its end in.
    pub fn set_pipe(&self, side: usize, pipe: PipeId) {
        let mut place = self.sides[side].place.lock();
        place.pipe = Some(pipe);
        for command in std::mem::take(&mut place.missed) {
            if let Some(Listener::Socket(mailbox)) = &place.listener {
                mailbox.post(command(pipe));
            }
        }
    }

    /// What a side says last, when it closes the pipe.
    pub fn set_farewell(&self, side: usize, body: Vec<u8>) {
        *self.sides[side].farewell.lock() = body;
    }

    /// See `set_farewell`.
    pub fn take_farewell(&self, side: usize) -> Vec<u8> {
        std::mem::take(&mut self.sides[side].farewell.lock())
    }

    /// Posts a command about the pipe to the side that isn't `from`; when it has its end, if it hasn't as yet.
    pub fn post(&self, from: usize, command: impl FnOnce(PipeId) -> Command + Send + 'static) {
        let mut to = self.sides[1 - from].place.lock();
        match (&to.listener, to.pipe) {
            (Some(Listener::Socket(mailbox)), Some(pipe)) => mailbox.post(command(pipe)),
            (Some(Listener::Session { link, connection }), _) => {
                let connection = *connection;
                link.post(|session| IoCommand::ZapNews { session, connection });
            }
            _ => to.missed.push(Box::new(command)),
        }
    }
}

/// Joins a socket's pipe with the session that serves it.
pub struct SessionLink {
    /// The I/O thread that the session lives in.
    pub io: Arc<IoHandle>,
    /// The session there.
    pub session: SessionId,
    /// The listener that has accepted its connection, if it didn't connect.
    pub listener: Option<SessionId>,
    /// The session works at the pipe itself, without a connection, so it hears of all that the socket does there.
    pub direct: bool,
    pipe: OnceLock<PipeId>,
}

impl SessionLink {
    /// For a pipe that the socket hasn't taken in yet.
    pub fn new(io: Arc<IoHandle>, session: SessionId, listener: Option<SessionId>) -> Arc<Self> {
        Arc::new(Self { io, session, listener, direct: false, pipe: OnceLock::new() })
    }

    /// The same for a session that has no connection.
    pub fn direct(io: Arc<IoHandle>, session: SessionId) -> Arc<Self> {
        Arc::new(Self { io, session, listener: None, direct: true, pipe: OnceLock::new() })
    }

    /// The socket has taken its end in.
    pub fn set_pipe(&self, pipe: PipeId) {
        // A link is for one pipe.
        let _ = self.pipe.set(pipe);
    }

    /// The socket's name for the pipe, once it has one.
    pub fn pipe(&self) -> Option<PipeId> {
        self.pipe.get().copied()
    }

    /// Tells the session something.
    pub fn post(&self, command: impl FnOnce(SessionId) -> IoCommand) {
        self.io.post(command(self.session));
    }
}
