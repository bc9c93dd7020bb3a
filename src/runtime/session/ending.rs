//! How a session's connection ends, and the session itself: reconnecting, lingering, giving up.

use super::{Fate, MS, NOTIFY_DISCONNECT, Role, Session};
use crate::message::Message;
use crate::options::SocketType;
use crate::pipe::PipeEnd;
use crate::runtime::connection::{Failure, IO_BUDGET, Remains};
use crate::runtime::io_thread::SessionId;
use crate::runtime::mailbox::Command;
use crate::runtime::monitor::event;
use crate::zmtp::{HandshakeEvent, ProtocolError};
use std::os::fd::AsRawFd;
use std::sync::atomic::{Ordering, fence};

/// `ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED`
const STOP_HANDSHAKE_FAILED: i32 = 2;
/// `ZMQ_RECONNECT_STOP_AFTER_DISCONNECT`
const STOP_AFTER_DISCONNECT: i32 = 4;

impl Session {
    /// The connection has ended.
    pub fn failed(&mut self, token: u64, failure: Failure, now: u64) -> Fate {
        if !self.is_current(token) {
            return Fate::Live;
        }
        self.unwatch();
        let Some(connection) = self.connection.take() else { return Fate::Live };
        let fd = connection.stream().as_raw_fd();
        let was_open = std::mem::take(&mut self.open);
        let had_mechanism = std::mem::take(&mut self.has_mechanism);
        (self.handshake_until, self.heartbeat, self.inquiry) = (None, None, None);
        let Remains { outbound, inbound, cut, refused } = connection.close();
        if let (Some(outbound), Some(inbound)) = (outbound, inbound) {
            self.parked = Some(PipeEnd { outbound, inbound });
        }
        drop(connection);
        let options = self.owner.options.clone();
        self.clean_pipe(cut);
        let notify = if options.raw_socket {
            options.stream_notify
        } else {
            was_open && options.router_notify & NOTIFY_DISCONNECT != 0
        };
        if notify {
            self.push_to_socket(Message::new());
        }
        let in_handshake = matches!(failure, Failure::Transport(_)) && !(was_open && had_mechanism);
        self.report(failure, in_handshake && !refused);
        self.emit(event::DISCONNECTED, fd as u64);
        self.endpoints.local.clear();
        if was_open {
            let kind = options.socket_type;
            let (wanted, body) = match self.role {
                Role::Connect { .. } => (kind.receives_hiccup(), &options.hiccup_msg),
                Role::Accept { .. } | Role::Datagrams(_) | Role::Multicast(_) => {
                    (kind.receives_disconnect(), &options.disconnect_msg)
                }
            };
            if wanted
                && !body.is_empty()
                && let Ok(message) = Message::from_slice(body)
            {
                self.push_to_socket(message);
            }
        }
        self.publish();
        let stops = in_handshake && options.reconnect_stop & STOP_HANDSHAKE_FAILED != 0;
        match (&self.role, failure) {
            (Role::Connect { .. }, Failure::Transport(_)) if !stops => self.reconnect(now),
            _ => self.end(),
        }
    }

    /// Tells monitors of a handshake that has failed. `in_handshake`: without a further reason. (A connection that has no mechanism never
    /// leaves the handshake in this respect, as upstream.)
    fn report(&self, failure: Failure, in_handshake: bool) {
        match failure {
            Failure::Protocol(ProtocolError { event: Some(event), .. }) => self.emit_handshake(event),
            Failure::Transport(error) if in_handshake => {
                // What TLS finds wrong is no call's errno, and libzmq tells that of its last one: a read that found nothing.
                let errno = match error.errno() {
                    libc::EPROTO | libc::EACCES => libc::EAGAIN,
                    errno => errno,
                };
                self.emit(event::HANDSHAKE_FAILED_NO_DETAIL, errno as u64);
            }
            _ => {}
        }
    }

    pub(super) fn emit_handshake(&self, event: HandshakeEvent) {
        match event {
            HandshakeEvent::Upgraded => self.emit(event::HANDSHAKE_SUCCEEDED, 0),
            HandshakeEvent::Protocol(code) => self.emit(event::HANDSHAKE_FAILED_PROTOCOL, code.into()),
            HandshakeEvent::Auth(status) => self.emit(event::HANDSHAKE_FAILED_AUTH, status.into()),
            HandshakeEvent::NoDetail(error) => {
                self.emit(event::HANDSHAKE_FAILED_NO_DETAIL, error.errno() as u64);
            }
        }
    }

    /// Drops what was received or sent in part only.
    fn clean_pipe(&mut self, cut: bool) {
        let Some(end) = &mut self.parked else { return };
        end.outbound.rollback();
        let mut message = Message::new();
        let mut more = cut;
        while more && end.inbound.pop(&mut message) {
            more = message.more();
            if end.inbound.count(&message)
                && let Some(pipe) = self.link.as_ref().and_then(|link| link.pipe())
            {
                self.owner.mailbox.post(Command::Room(pipe));
            }
        }
    }

    /// Hands the socket a message of the engine's own. `publish` shows it.
    fn push_to_socket(&mut self, message: Message) {
        if let Some(end) = &mut self.parked {
            end.outbound.push(message);
        }
    }

    pub(super) fn publish(&mut self) {
        if let (Some(end), Some(link)) = (&mut self.parked, &self.link)
            && end.outbound.flush()
        {
            match link.pipe() {
                Some(pipe) => self.owner.mailbox.post(Command::Readable(pipe)),
                None => self.owner.mailbox.notify(),
            }
        }
    }

    fn reconnect(&mut self, now: u64) -> Fate {
        if self.stopping && !self.has_pending() {
            return self.end();
        }
        if self.owner.options.reconnect_ivl <= 0 {
            return self.give_up();
        }
        if let Some(pipe) = self.link.as_ref().and_then(|link| link.pipe()) {
            self.owner.mailbox.post(Command::Disconnected { pipe });
        }
        let options = &self.owner.options;
        let kind = options.socket_type;
        if options.immediate && !self.stopping {
            self.close_pipe();
        } else if matches!(kind, SocketType::Sub | SocketType::XSub | SocketType::Dish) {
            // The peer has forgotten the subscriptions: the socket sends them all again, so those that still wait go.
            if let (Some(end), Some(pipe)) =
                (&mut self.parked, self.link.as_ref().and_then(|link| link.pipe()))
            {
                let mut message = Message::new();
                while end.inbound.pop(&mut message) {
                    let _ = end.inbound.count(&message);
                }
                self.owner.mailbox.post(Command::Hiccup(pipe));
            }
        }
        self.retry_later(now)
    }

    pub(super) fn has_pending(&mut self) -> bool {
        match (&mut self.parked, &self.connection) {
            (Some(end), _) if let Role::Multicast(channel) = &self.role => {
                channel.has_pending(&mut end.inbound)
            }
            (Some(end), _) => end.inbound.is_ready(),
            (None, Some(connection)) => self.open && !connection.is_flushed(),
            (None, None) => false,
        }
    }

    /// The listener that it was accepted by.
    pub fn listener(&self) -> Option<SessionId> {
        match self.role {
            Role::Accept { listener, .. } => Some(listener),
            Role::Connect { .. } | Role::Datagrams(_) | Role::Multicast(_) => None,
        }
    }

    /// The endpoint was disconnected; as `stop`.
    pub fn disconnect(&mut self, linger: i32, now: u64) -> Fate {
        let gone =
            self.connection.is_none() && self.owner.options.reconnect_stop & STOP_AFTER_DISCONNECT != 0;
        self.stop(if gone { 0 } else { linger }, now)
    }

    /// The endpoint was unbound or the socket closed; `linger` in milliseconds, negative for ever.
    pub fn stop(&mut self, linger: i32, now: u64) -> Fate {
        self.stopping = true;
        if linger == 0 || !self.has_pending() {
            return self.end();
        }
        self.linger_until = u64::try_from(linger).ok().map(|ms| now + ms * MS);
        if let Some(connection) = self.connection.clone()
            && self.open
        {
            // After an unbind the socket can still read what has arrived, and closes its end of the pipe in return. Then what it has left
            // there is the last that is sent. In all other cases it has done so already.
            if let Role::Accept { .. } = self.role
                && let Some(mut outbound) = connection.stop_receiving()
            {
                let _ = outbound.close();
                drop(outbound);
                fence(Ordering::SeqCst);
                self.tell_closed();
            }
            connection.drive_read(false, IO_BUDGET);
            connection.drive_write(false);
        }
        if let Role::Multicast(_) = &self.role {
            return self.drive_multicast(now);
        }
        Fate::Live
    }

    fn tell_closed(&self) {
        if let Some(pipe) = self.link.as_ref().and_then(|link| link.pipe()) {
            self.owner.mailbox.post(Command::Closed(pipe));
        }
    }

    /// The socket has closed its end of the pipe.
    pub fn pipe_closed(&mut self, now: u64) -> Fate {
        if let Role::Multicast(_) = &self.role {
            return self.drive_multicast(now);
        }
        if let Some(connection) = &self.connection
            && self.open
        {
            // `flushed` follows.
            connection.drive_write(false);
            return Fate::Live;
        }
        let raw = self.owner.options.raw_socket;
        if raw || (self.stopping && !self.has_pending()) {
            return self.end();
        }
        Fate::Live
    }

    /// What the socket had left in the pipe that it has closed is written.
    pub fn flushed(&mut self, token: u64) -> Fate {
        if !self.is_current(token) {
            return Fate::Live;
        }
        if self.stopping || self.owner.options.raw_socket {
            return self.end();
        }
        // The socket has dropped the pipe, but not the endpoint (a routing id was handed over, say). The peer isn't told; it
        // would connect again and take the routing id back.
        Fate::Live
    }

    /// Closes both directions of the pipe.
    fn close_pipe(&mut self) {
        self.publish();
        if let Some(mut end) = self.parked.take() {
            let _ = end.outbound.close();
            end.inbound.abandon();
            // The socket may be about to say by which name the pipe goes there; see `Pipes::is_closed`.
            fence(Ordering::SeqCst);
        }
        self.tell_closed();
        self.link = None;
    }

    /// Ends it for good, and makes the socket forget the endpoint.
    pub(super) fn give_up(&mut self) -> Fate {
        self.end_with(true)
    }

    /// Ends it for good.
    pub(in crate::runtime) fn end(&mut self) -> Fate {
        self.end_with(false)
    }

    fn end_with(&mut self, forget: bool) -> Fate {
        self.drop_attempt();
        self.inquiry = None;
        self.unwatch();
        self.unwatch_multicast();
        if let Some(connection) = self.connection.take() {
            let Remains { outbound, inbound, .. } = connection.close();
            if let (Some(outbound), Some(inbound)) = (outbound, inbound) {
                self.parked = Some(PipeEnd { outbound, inbound });
            }
            if let Some(end) = &mut self.parked {
                end.outbound.rollback();
            }
        }
        self.close_pipe();
        if !self.stopping && !matches!(self.role, Role::Accept { .. }) {
            self.owner.mailbox.post(Command::EndpointGone { session: self.id, forget });
        }
        Fate::Over
    }
}
