//! A session: what serves one pipe of a socket, or will, over one connection after the other.
//!
//! A session that connects keeps its pipe while it reconnects; one that was accepted ends with its connection. It lives in
//! its I/O thread, which calls it when something has happened or its time has come ([`Session::next_timer`]).
//!
//! The pipe's end towards the socket is in the connection's halves while that is open, and parked here else.

use super::connection::{BatchSizes, Connection, Failure, Remains};
use super::handshake;
use super::io_thread::SessionId;
use super::link::SessionLink;
use super::mailbox::Command;
use super::monitor::{Endpoints, event};
use super::owner::Owner;
use super::reconnect::Backoff;
use crate::error::Error;
use crate::message::{Kind, Message};
use crate::metadata::Metadata;
use crate::options::SocketType;
use crate::pattern::ReplyFrames;
use crate::pipe::{Marks, PipeEnd, pipe};
use crate::transport::{Attempt, Connector, Reached, Stream, Tunnel, Unopened};
use crate::zmtp::heartbeat::{Due, Heartbeat, HeartbeatConfig};
use crate::zmtp::{Established, HandshakeEvent, ProtocolError};
use mio::unix::SourceFd;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

mod tunnel;

const MS: u64 = 1_000_000;
/// `ZMQ_RECONNECT_STOP_CONN_REFUSED`
const STOP_REFUSED: i32 = 1;
/// `ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED`
const STOP_HANDSHAKE_FAILED: i32 = 2;
/// `ZMQ_RECONNECT_STOP_AFTER_DISCONNECT`
const STOP_AFTER_DISCONNECT: i32 = 4;
/// `ZMQ_NOTIFY_CONNECT`
const NOTIFY_CONNECT: i32 = 1;
/// `ZMQ_NOTIFY_DISCONNECT`
const NOTIFY_DISCONNECT: i32 = 2;

/// Whether a session goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Live,
    /// It has ended, and is to be forgotten.
    Over,
}

/// How a session gets its connection.
pub enum Role {
    /// It connects.
    Connect {
        /// Where to.
        connector: Connector,
        /// The attempt that is under way.
        attempt: Option<Attempt>,
        /// The proxy that the attempt has reached, while it is talked to.
        tunnel: Option<Box<Tunnel>>,
        /// How long to wait between attempts.
        backoff: Backoff,
    },
    /// It was accepted.
    Accept {
        /// Until it begins.
        stream: Option<Stream>,
        /// By whom.
        listener: SessionId,
    },
}

impl Role {
    /// For a session that connects.
    pub fn connect(connector: Connector) -> Self {
        Self::Connect { connector, attempt: None, tunnel: None, backoff: Backoff::default() }
    }
}

/// See the module's text.
pub struct Session {
    /// Its name in the I/O thread.
    pub id: SessionId,
    /// Its socket.
    pub owner: Arc<Owner>,
    role: Role,
    /// The pipe's end towards the socket, while no connection has it.
    parked: Option<PipeEnd>,
    /// The pipe's link; `None` without a pipe.
    link: Option<Arc<SessionLink>>,
    connection: Option<Arc<Connection>>,
    /// The handshake is done and messages flow.
    open: bool,
    /// The connection has a security mechanism, as all of ZMTP 3 have.
    has_mechanism: bool,
    endpoints: Endpoints,
    heartbeat: Option<Heartbeat>,
    /// When to try again, to give up connecting, to give up the handshake, to stop lingering; nanoseconds.
    reconnect_at: Option<u64>,
    connect_until: Option<u64>,
    handshake_until: Option<u64>,
    linger_until: Option<u64>,
    /// For when the I/O thread has set its timer.
    pub timer: Option<u64>,
    /// The socket is closed or has disconnected: end when what is queued is written.
    stopping: bool,
}

impl Session {
    /// A session that `start` or `start_accepted` sets going.
    pub fn new(
        id: SessionId,
        owner: Arc<Owner>,
        role: Role,
        pipe: Option<(PipeEnd, Arc<SessionLink>)>,
    ) -> Self {
        let (parked, link) = match pipe {
            Some((end, link)) => (Some(end), Some(link)),
            None => (None, None),
        };
        let endpoints = match &role {
            Role::Connect { connector, .. } => {
                Endpoints::connecting(&connector.remote_endpoint(&owner.options))
            }
            Role::Accept { stream, .. } => stream.as_ref().map(Endpoints::accepted).unwrap_or_default(),
        };
        Self {
            id,
            owner,
            role,
            parked,
            link,
            connection: None,
            open: false,
            has_mechanism: false,
            endpoints,
            heartbeat: None,
            reconnect_at: None,
            connect_until: None,
            handshake_until: None,
            linger_until: None,
            timer: None,
            stopping: false,
        }
    }

    fn emit(&self, event: u64, value: u64) {
        self.owner.monitor.emit(event, &[value], &self.endpoints);
    }

    /// The time of the earliest of what it waits for, in nanoseconds.
    pub fn next_timer(&self) -> Option<u64> {
        let heartbeat = self.heartbeat.as_ref().and_then(|heartbeat| heartbeat.deadline()).map(|at| at * MS);
        [self.reconnect_at, self.connect_until, self.handshake_until, self.linger_until, heartbeat]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due.
    pub fn time_has_come(&mut self, now: u64) -> Verdict {
        let due = |at: Option<u64>| at.is_some_and(|at| at <= now);
        if due(self.linger_until) {
            return self.end();
        }
        if due(self.reconnect_at) {
            self.reconnect_at = None;
            return self.start(now);
        }
        if due(self.connect_until) {
            return self.attempt_failed(now);
        }
        if due(self.handshake_until)
            && let Some(connection) = &self.connection
        {
            let token = connection.token;
            return self.failed(token, Failure::Transport(Error::TimedOut), now);
        }
        self.beat(now)
    }

    /// Begins an attempt to connect.
    pub fn start(&mut self, now: u64) -> Verdict {
        let Role::Connect { connector, attempt, .. } = &mut self.role else { return Verdict::Live };
        match connector.start(&self.owner.options) {
            Ok(begun) if begun.is_connected() => {
                *attempt = Some(begun);
                self.attempt_ready(now)
            }
            Ok(begun) => {
                let fd = begun.as_raw_fd();
                let registry = self.owner.group.io.registry();
                let watched =
                    registry.register(&mut SourceFd(&fd), mio::Token(self.id.0), mio::Interest::WRITABLE);
                *attempt = Some(begun);
                if watched.is_err() {
                    return self.attempt_failed(now);
                }
                self.connect_until = self.connect_deadline(now);
                self.emit(event::CONNECT_DELAYED, libc::EINPROGRESS as u64);
                Verdict::Live
            }
            Err(Unopened { closed, .. }) => {
                if let Some(fd) = closed {
                    self.emit(event::CLOSED, fd as u64);
                }
                self.retry_later(now)
            }
        }
    }

    fn connect_deadline(&self, now: u64) -> Option<u64> {
        let timeout = self.owner.options.connect_timeout;
        u64::try_from(timeout).ok().filter(|&ms| ms > 0).map(|ms| now + ms * MS)
    }

    /// The attempt's descriptor is ready: it has succeeded or failed. Or it is a proxy's, who has answered.
    pub fn attempt_ready(&mut self, now: u64) -> Verdict {
        let Role::Connect { attempt, tunnel, .. } = &mut self.role else { return Verdict::Live };
        if tunnel.is_some() {
            return self.tunnel_ready(now);
        }
        let Some(begun) = attempt.take() else { return Verdict::Live };
        let fd = begun.as_raw_fd();
        // It isn't registered if it has connected at once.
        let _ = self.owner.group.io.registry().deregister(&mut SourceFd(&fd));
        let until = self.connect_until.take();
        match begun.finish(&self.owner.options) {
            Ok(Reached::Target(stream)) => self.reached(stream, now),
            Ok(Reached::Proxy(tunnel)) => {
                // The time is for the whole way.
                self.connect_until = until.or_else(|| self.connect_deadline(now));
                self.begin_tunnel(tunnel, now)
            }
            Err(error) => {
                self.emit(event::CLOSED, fd as u64);
                let heeds = matches!(&self.role, Role::Connect { connector, .. } if connector.heeds_refusal(&self.owner.options));
                let stops = self.owner.options.reconnect_stop & STOP_REFUSED != 0;
                if heeds && stops && error == Error::ConnectionRefused {
                    return self.give_up();
                }
                self.retry_later(now)
            }
        }
    }

    fn reached(&mut self, stream: Stream, now: u64) -> Verdict {
        self.endpoints.local = stream.local_endpoint();
        self.emit(event::CONNECTED, stream.as_raw_fd() as u64);
        self.connected(stream, now)
    }

    fn attempt_failed(&mut self, now: u64) -> Verdict {
        self.drop_attempt();
        self.retry_later(now)
    }

    fn drop_attempt(&mut self) {
        self.connect_until = None;
        let Role::Connect { attempt, tunnel, .. } = &mut self.role else { return };
        let (attempt, tunnel) = (attempt.take(), tunnel.take());
        let fd =
            attempt.as_ref().map(AsRawFd::as_raw_fd).or(tunnel.as_ref().map(|tunnel| tunnel.as_raw_fd()));
        if let Some(fd) = fd {
            let _ = self.owner.group.io.registry().deregister(&mut SourceFd(&fd));
            drop((attempt, tunnel));
            self.emit(event::CLOSED, fd as u64);
        }
    }

    fn retry_later(&mut self, now: u64) -> Verdict {
        let options = &self.owner.options;
        let Role::Connect { backoff, .. } = &mut self.role else { return self.end() };
        if let Some(ms) = backoff.next(options.reconnect_ivl, options.reconnect_ivl_max) {
            self.reconnect_at = Some(now + ms * MS);
            self.emit(event::CONNECT_RETRIED, ms);
        }
        // Without an interval it stays as it is, for ever.
        Verdict::Live
    }

    /// Begins with a connection that was accepted.
    pub fn start_accepted(&mut self, now: u64) -> Verdict {
        match &mut self.role {
            Role::Accept { stream, .. } => match stream.take() {
                Some(stream) => self.connected(stream, now),
                None => Verdict::Live,
            },
            Role::Connect { .. } => Verdict::Live,
        }
    }

    fn connected(&mut self, stream: Stream, now: u64) -> Verdict {
        if let Role::Connect { backoff, .. } = &mut self.role {
            backoff.reset();
        }
        let owner = self.owner.clone();
        let fd = stream.as_raw_fd();
        if self.link.is_none() {
            self.link = Some(SessionLink::new(owner.group.io.clone(), self.id, self.listener()));
        }
        let Some(link) = self.link.clone() else { return Verdict::Live };
        let sizes = BatchSizes::from_options(&owner.options);
        let (group, mailbox) = (owner.group.clone(), owner.mailbox.clone());
        let connection = owner.group.insert(|token| {
            if owner.options.raw_socket {
                let established = handshake::skip(&owner.options);
                return Connection::raw(token, group, link, mailbox, stream, established, sizes);
            }
            let start = handshake::begin(&owner.options);
            Connection::new(token, group, link, mailbox, stream, start, sizes)
        });
        self.connection = Some(connection.clone());
        self.open = false;
        let handshake_ivl = owner.options.handshake_ivl;
        let token = connection.token;
        if owner.options.raw_socket {
            return self.established(token, now);
        }
        self.handshake_until = u64::try_from(handshake_ivl).ok().filter(|&ms| ms > 0).map(|ms| now + ms * MS);
        connection.drive_read(true, super::connection::IO_BUDGET);
        if let Err(error) = owner.group.watch(fd, token) {
            return self.failed(token, Failure::Transport(error), now);
        }
        Verdict::Live
    }

    fn is_current(&self, token: u64) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.token == token)
    }

    /// The handshake is done: messages can flow.
    pub fn established(&mut self, token: u64, now: u64) -> Verdict {
        if !self.is_current(token) || self.open {
            return Verdict::Live;
        }
        let Some(connection) = self.connection.clone() else { return Verdict::Live };
        let Some(established) = connection.take_established() else { return Verdict::Live };
        let Established { version, decoder, encoder, peer, subscribe_to_all } = established;
        self.handshake_until = None;
        let options = self.owner.options.clone();
        let raw = options.raw_socket;
        self.has_mechanism = version.has_mechanism() && !raw;
        let metadata = handshake::metadata(&peer, connection.stream());
        let reused = self.parked.is_some();
        let Some(mut end) = self.attach(&connection, &metadata, subscribe_to_all) else { return self.end() };
        if options.recv_routing_id && !raw {
            let mut id = Message::from_slice(&peer.routing_id).unwrap_or_default();
            id.set_kind(Kind::RoutingId);
            end.outbound.push(id);
        }
        let notify = if raw {
            options.stream_notify
        } else {
            self.has_mechanism && options.router_notify & NOTIFY_CONNECT != 0
        };
        if notify {
            end.outbound.push(Message::new());
        }
        if reused && subscribe_to_all {
            // As such a peer would say if it could: it wants everything. A new pipe begins with that.
            end.outbound.push(Message::from_slice(&[1]).unwrap_or_default());
        }
        if self.has_mechanism {
            self.heartbeat = self.new_heartbeat(now);
            self.emit(event::HANDSHAKE_SUCCEEDED, 0);
        }
        self.open = true;
        let hello = &options.hello_msg;
        let greeting = (options.socket_type.sends_hello() && !hello.is_empty())
            .then(|| Message::from_slice(hello).unwrap_or_default());
        let replies = (options.socket_type == SocketType::Req).then(ReplyFrames::default);
        connection.open((decoder, encoder), end, greeting, replies);
        if raw && let Err(error) = self.owner.group.watch(connection.stream().as_raw_fd(), token) {
            return self.failed(token, Failure::Transport(error), now);
        }
        Verdict::Live
    }

    /// Gives the socket a pipe, or tells it that the one it has is connected (again). The session's end.
    fn attach(
        &mut self,
        connection: &Arc<Connection>,
        metadata: &Arc<Metadata>,
        subscribe_to_all: bool,
    ) -> Option<PipeEnd> {
        let metadata = metadata.clone();
        if let Some(end) = self.parked.take() {
            if let Some(pipe) = self.link.as_ref().and_then(|link| link.pipe()) {
                let connection = Arc::downgrade(connection);
                self.owner.mailbox.post(Command::Connected { pipe, connection, metadata });
            }
            return Some(end);
        }
        if self.stopping {
            return None;
        }
        let options = &self.owner.options;
        let mark = |value: i32| usize::try_from(value).unwrap_or(0);
        let marks = Marks { send: mark(options.sndhwm), receive: mark(options.rcvhwm), peer: None };
        let (theirs, ours) = pipe(marks, options.effective_conflate());
        let link = connection.link.clone();
        let local = matches!(self.role, Role::Connect { .. });
        self.owner.mailbox.post(Command::AttachSession {
            end: theirs,
            link,
            connection: Arc::downgrade(connection),
            metadata,
            subscribe_to_all,
            local,
        });
        Some(ours)
    }

    fn new_heartbeat(&self, now: u64) -> Option<Heartbeat> {
        let options = &self.owner.options;
        let config = HeartbeatConfig {
            interval: options.heartbeat_ivl,
            ttl: options.heartbeat_ttl,
            timeout: options.heartbeat_timeout,
        };
        Some(Heartbeat::new(config, now / MS))
    }

    /// The socket has done something to the pipe while it didn't know of the connection.
    pub fn nudge(&mut self) -> Verdict {
        if let Some(connection) = &self.connection {
            connection.drive_write(false);
            connection.drive_read(false, super::connection::IO_BUDGET);
        }
        Verdict::Live
    }

    /// PING or PONG has come.
    pub fn heartbeat(&mut self, message: &Message, now: u64) -> Verdict {
        if let (Some(heartbeat), Some(connection)) = (&mut self.heartbeat, &self.connection)
            && message.kind() == Kind::Ping
            && let Ok(pong) = heartbeat.ping(now / MS, message.data())
        {
            // What was heard was this very message. The TTL begins with it, so it mustn't end it, too.
            connection.take_heard();
            connection.send_command(pong);
        }
        Verdict::Live
    }

    fn beat(&mut self, now: u64) -> Verdict {
        let (Some(heartbeat), Some(connection)) = (&mut self.heartbeat, self.connection.clone()) else {
            return Verdict::Live;
        };
        // What has arrived and lies in the kernel counts as a sign of life too.
        connection.drive_read(true, super::connection::IO_BUDGET);
        if connection.take_heard() {
            heartbeat.received();
        }
        loop {
            match heartbeat.due(now / MS) {
                Ok(Due::Ping(ping)) => connection.send_command(ping),
                Ok(Due::Expired) => {
                    return self.failed(connection.token, Failure::Transport(Error::TimedOut), now);
                }
                _ => return Verdict::Live,
            }
        }
    }

    /// The connection has ended.
    pub fn failed(&mut self, token: u64, failure: Failure, now: u64) -> Verdict {
        if !self.is_current(token) {
            return Verdict::Live;
        }
        let Some(connection) = self.connection.take() else { return Verdict::Live };
        let fd = connection.stream().as_raw_fd();
        let was_open = std::mem::take(&mut self.open);
        let had_mechanism = std::mem::take(&mut self.has_mechanism);
        (self.handshake_until, self.heartbeat) = (None, None);
        let Remains { outbound, inbound, cut } = connection.close();
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
        self.report(failure, in_handshake);
        self.emit(event::DISCONNECTED, fd as u64);
        self.endpoints.local.clear();
        if was_open {
            let kind = options.socket_type;
            let (wanted, body) = match self.role {
                Role::Connect { .. } => (kind.receives_hiccup(), &options.hiccup_msg),
                Role::Accept { .. } => (kind.receives_disconnect(), &options.disconnect_msg),
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
            Failure::Protocol(ProtocolError { event: Some(event), .. }) => match event {
                HandshakeEvent::Protocol(code) => self.emit(event::HANDSHAKE_FAILED_PROTOCOL, code.into()),
                HandshakeEvent::Auth(status) => self.emit(event::HANDSHAKE_FAILED_AUTH, status.into()),
                HandshakeEvent::NoDetail(error) => {
                    self.emit(event::HANDSHAKE_FAILED_NO_DETAIL, error.errno() as u64);
                }
            },
            Failure::Transport(error) if in_handshake => {
                self.emit(event::HANDSHAKE_FAILED_NO_DETAIL, error.errno() as u64);
            }
            _ => {}
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

    fn publish(&mut self) {
        if let (Some(end), Some(link)) = (&mut self.parked, &self.link)
            && end.outbound.flush()
        {
            match link.pipe() {
                Some(pipe) => self.owner.mailbox.post(Command::Readable(pipe)),
                None => self.owner.mailbox.notify(),
            }
        }
    }

    fn reconnect(&mut self, now: u64) -> Verdict {
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

    fn has_pending(&mut self) -> bool {
        match (&mut self.parked, &self.connection) {
            (Some(end), _) => end.inbound.is_ready(),
            (None, Some(connection)) => self.open && !connection.is_flushed(),
            (None, None) => false,
        }
    }

    /// The listener that it was accepted by.
    pub fn listener(&self) -> Option<SessionId> {
        match self.role {
            Role::Accept { listener, .. } => Some(listener),
            Role::Connect { .. } => None,
        }
    }

    /// The endpoint was disconnected; as `stop`.
    pub fn disconnect(&mut self, linger: i32, now: u64) -> Verdict {
        let gone =
            self.connection.is_none() && self.owner.options.reconnect_stop & STOP_AFTER_DISCONNECT != 0;
        self.stop(if gone { 0 } else { linger }, now)
    }

    /// The endpoint was unbound or the socket closed; `linger` in milliseconds, negative for ever.
    pub fn stop(&mut self, linger: i32, now: u64) -> Verdict {
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
            connection.drive_read(false, super::connection::IO_BUDGET);
            connection.drive_write(false);
        }
        Verdict::Live
    }

    fn tell_closed(&self) {
        if let Some(pipe) = self.link.as_ref().and_then(|link| link.pipe()) {
            self.owner.mailbox.post(Command::Closed(pipe));
        }
    }

    /// The socket has closed its end of the pipe.
    pub fn pipe_closed(&mut self, _now: u64) -> Verdict {
        if let Some(connection) = &self.connection
            && self.open
        {
            // `flushed` follows.
            connection.drive_write(false);
            return Verdict::Live;
        }
        let raw = self.owner.options.raw_socket;
        if raw || (self.stopping && !self.has_pending()) {
            return self.end();
        }
        Verdict::Live
    }

    /// What the socket had left in the pipe that it has closed is written.
    pub fn flushed(&mut self, token: u64) -> Verdict {
        if !self.is_current(token) {
            return Verdict::Live;
        }
        if self.stopping || self.owner.options.raw_socket {
            return self.end();
        }
        // The socket has dropped the pipe, but not the endpoint (a routing id was handed over, say). The peer isn't told; it
        // would connect again and take the routing id back.
        Verdict::Live
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
    fn give_up(&mut self) -> Verdict {
        self.end_with(true)
    }

    /// Ends it for good.
    pub(super) fn end(&mut self) -> Verdict {
        self.end_with(false)
    }

    fn end_with(&mut self, forget: bool) -> Verdict {
        self.drop_attempt();
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
        if !self.stopping && matches!(self.role, Role::Connect { .. }) {
            self.owner.mailbox.post(Command::EndpointGone { session: self.id, forget });
        }
        Verdict::Over
    }
}
