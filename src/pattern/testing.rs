//! A socket without a runtime, and peers that hold the other ends of its pipes.

use super::{Attachment, Env, Pattern};
use crate::error::Result;
use crate::message::{Kind, Message};
use crate::options::{ContextOptions, Options, SocketType};
use crate::pipe::{Marks, Notice, PipeEnd, PipeId, Pipes, pipe};

/// A message as tests write it down: its parts.
pub type Parts = Vec<String>;

/// A part with this body.
pub fn part(body: &[u8], more: bool) -> Message {
    let mut message = Message::from_slice(body).unwrap();
    message.set_more(more);
    message
}

/// A pattern with its pipes and options; does what the runtime does after each call.
pub struct Socket {
    pub pattern: Box<dyn Pattern>,
    pub pipes: Pipes,
    pub options: Options,
}

/// The other end of one of a socket's pipes.
pub struct Peer {
    pub id: PipeId,
    end: PipeEnd,
}

impl Socket {
    pub fn new(socket_type: SocketType) -> Self {
        Self {
            pattern: super::new(socket_type),
            pipes: Pipes::new(),
            options: Options::new(socket_type, &ContextOptions::default()),
        }
    }

    /// Calls the pattern, then lets pipes go that have ended.
    pub fn call<R>(&mut self, call: impl FnOnce(&mut dyn Pattern, &mut Env) -> R) -> R {
        let mut env = Env { pipes: &mut self.pipes, options: &mut self.options };
        let result = call(&mut *self.pattern, &mut env);
        while let Some(notice) = env.pipes.next_notice() {
            if let Notice::Ended(id) = notice {
                self.pattern.terminated(&mut env, id);
                env.pipes.remove(id);
            }
        }
        result
    }

    /// A peer that has connected.
    pub fn peer(&mut self) -> Peer {
        self.peer_with(Attachment { subscribe_to_all: false, locally_initiated: false }, |_| {})
    }

    /// A peer that has connected and given its routing id.
    pub fn peer_named(&mut self, routing_id: &str) -> Peer {
        let attachment = Attachment { subscribe_to_all: false, locally_initiated: false };
        self.peer_with(attachment, |end| {
            let mut message = part(routing_id.as_bytes(), false);
            message.set_kind(Kind::RoutingId);
            end.outbound.push(message);
            let _ = end.outbound.flush();
        })
    }

    /// A peer, after `prepare` has had its end of the pipe.
    pub fn peer_with(&mut self, attachment: Attachment, prepare: impl FnOnce(&mut PipeEnd)) -> Peer {
        let marks = Marks {
            send: usize::try_from(self.options.sndhwm).unwrap(),
            receive: usize::try_from(self.options.rcvhwm).unwrap(),
            peer: None,
        };
        let (here, mut end) = pipe(marks, self.options.conflate);
        prepare(&mut end);
        let id = self.pipes.insert(here);
        self.call(|pattern, env| pattern.attached(env, id, attachment));
        Peer { id, end }
    }

    pub fn send_part(&mut self, body: &[u8], more: bool) -> Result<()> {
        let mut message = part(body, more);
        let result = self.call(|pattern, env| pattern.send(env, &mut message));
        assert!(result.is_err() || (message.is_empty() && !message.more()));
        result
    }

    pub fn send(&mut self, parts: &[&str]) -> Result<()> {
        for (index, body) in parts.iter().enumerate() {
            self.send_part(body.as_bytes(), index + 1 < parts.len())?;
        }
        Ok(())
    }

    pub fn recv_part(&mut self) -> Result<Message> {
        let mut message = Message::new();
        self.call(|pattern, env| pattern.recv(env, &mut message)).map(|()| message)
    }

    pub fn recv(&mut self) -> Result<Parts> {
        let mut parts = Parts::new();
        loop {
            let message = self.recv_part()?;
            parts.push(String::from_utf8_lossy(message.data()).into_owned());
            if !message.more() {
                return Ok(parts);
            }
        }
    }

    pub fn has_in(&mut self) -> bool {
        self.call(|pattern, env| pattern.has_in(env))
    }

    pub fn has_out(&mut self) -> bool {
        self.call(|pattern, env| pattern.has_out(env))
    }

    pub fn set(&mut self, option: i32, value: &[u8]) -> Result<()> {
        self.call(|pattern, env| pattern.set_option(env, option, value))
    }
}

impl Peer {
    pub fn send(&mut self, socket: &mut Socket, parts: &[&str]) {
        for (index, body) in parts.iter().enumerate() {
            self.push(part(body.as_bytes(), index + 1 < parts.len()));
        }
        self.flush(socket);
    }

    /// Sends a part of a kind that only engines make.
    pub fn send_kind(&mut self, socket: &mut Socket, kind: Kind, body: &str) {
        let mut message = part(body.as_bytes(), false);
        message.set_kind(kind);
        self.push(message);
        self.flush(socket);
    }

    pub fn push(&mut self, message: Message) {
        self.end.outbound.push(message);
    }

    /// Whether the pipe to the socket takes another message.
    pub fn has_room(&mut self) -> bool {
        self.end.outbound.has_room() || self.end.outbound.wait_for_room()
    }

    pub fn flush(&mut self, socket: &mut Socket) {
        if self.end.outbound.flush() {
            self.wake(socket);
        }
    }

    fn wake(&mut self, socket: &mut Socket) {
        if socket.pipes.activate_read(self.id) {
            socket.call(|pattern, env| pattern.read_activated(env, self.id));
        }
    }

    /// The next part that the socket has sent here.
    pub fn recv_part(&mut self, socket: &mut Socket) -> Option<Message> {
        let mut message = Message::new();
        if !self.end.inbound.pop(&mut message) {
            return None;
        }
        if self.end.inbound.count(&message) && socket.pipes.activate_write(self.id) {
            socket.call(|pattern, env| pattern.write_activated(env, self.id));
        }
        Some(message)
    }

    /// The next message that the socket has sent here.
    pub fn recv(&mut self, socket: &mut Socket) -> Option<Parts> {
        let mut parts = Parts::new();
        loop {
            let message = self.recv_part(socket)?;
            parts.push(String::from_utf8_lossy(message.data()).into_owned());
            if !message.more() {
                return Some(parts);
            }
        }
    }

    /// All messages of one part that the socket has sent here.
    pub fn recv_all(&mut self, socket: &mut Socket) -> Parts {
        std::iter::from_fn(|| self.recv(socket)).map(|parts| parts.concat()).collect()
    }

    /// Goes away; what was sent before can still be read.
    pub fn close(mut self, socket: &mut Socket) {
        let woken = self.end.outbound.close();
        socket.call(|_, env| env.pipes.peer_closed(self.id));
        if woken {
            self.wake(socket);
        }
    }
}
