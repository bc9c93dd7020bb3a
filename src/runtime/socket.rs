//! A socket: a pattern, its pipes, its options, and what they are connected to. Nothing here waits; see [`super::blocking`].
//!
//! All of it is under the socket's lock. The rest of the world posts to the mailbox, and each call works that off first.

use super::connection::CALLER_BUDGET;
use super::context::Context;
use super::endpoint::Endpoint;
use super::features::FEATURES;
use super::group::Group;
use super::io_thread::IoCommand;
use super::link::Link;
use super::mailbox::{Command, Mailbox};
use super::monitor::Monitor;
use super::owner::Owner;
use crate::error::{Error, Result};
use crate::message::Message;
use crate::options::{Applied, ContextOptions, Given, Got, Options, RuntimeValue, SocketType, write_int};
use crate::pattern::{Attachment, Env, Pattern};
use crate::pipe::{Notice, PipeEnd, PipeId, Pipes};
use crate::sys::time;
use std::sync::Arc;

/// `ZMQ_POLLIN`
pub const POLLIN: i16 = 1;
/// `ZMQ_POLLOUT`
pub const POLLOUT: i16 = 2;
/// A send that comes so many nanoseconds after the last write, or more, isn't part of a stream (see [`super::streams`]), nor is one that something was
/// received before, or waited for.
const STREAM_GAP: u64 = 10_000;
/// A burst of sends that may not wait is over after so many nanoseconds.
const BURST: u64 = 1_000_000;
/// A message counts once more for each of these that it fills, in bytes.
const PAGE: usize = 4096;

/// See the module's text.
pub struct Socket {
    pub(super) context: Arc<Context>,
    pub(super) kind: SocketType,
    pub(super) options: Options,
    pub(super) pipes: Pipes,
    pattern: Box<dyn Pattern>,
    pub(super) mailbox: Arc<Mailbox>,
    /// The other sides of the pipes, by the pipes' places.
    pub(super) links: Vec<Option<(PipeId, Link)>>,
    pub(super) group: Option<Arc<Group>>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) monitor: Arc<Monitor>,
    /// The message received last has more parts.
    receive_more: bool,
    /// The context was terminated.
    pub(super) stopped: bool,
    /// Something was received, or waited for, since the last send: the next send isn't part of a stream.
    turned: bool,
    /// Messages received since the last wait, and whether something was sent.
    received: u32,
    sent: bool,
    /// See `take_stream`.
    stream: Option<u32>,
    /// There are connections in the middle of a stream of sends.
    has_streams: bool,
    /// From when on a send isn't part of a stream.
    alone_from: u64,
    /// When room was looked for last in the burst of sends that is under way; 0 when it may be looked for.
    burst: u64,
    /// It is of a type that publishes: its peers subscribe.
    publishes: bool,
    /// When `hear_subscribers` has looked last (`time::tick`).
    heard: u64,
    commands: Vec<Command>,
    notices: Vec<Notice>,
}

macro_rules! with_pattern {
    ($socket:ident, $method:ident $(, $argument:expr)*) => {
        $socket.pattern.$method(&mut Env { pipes: &mut $socket.pipes, options: &mut $socket.options } $(, $argument)*)
    };
}

impl Socket {
    /// A socket without endpoints.
    pub fn new(
        context: Arc<Context>,
        kind: SocketType,
        pattern: Box<dyn Pattern>,
        options: &ContextOptions,
        mailbox: Arc<Mailbox>,
    ) -> Self {
        Self {
            context,
            kind,
            options: Options { features: FEATURES, ..Options::new(kind, options) },
            pipes: Pipes::new(),
            pattern,
            mailbox,
            links: Vec::new(),
            group: None,
            endpoints: Vec::new(),
            monitor: Arc::new(Monitor::default()),
            receive_more: false,
            stopped: false,
            turned: true,
            received: 0,
            sent: false,
            stream: None,
            has_streams: false,
            alone_from: 0,
            burst: 0,
            publishes: matches!(kind, SocketType::Pub | SocketType::XPub | SocketType::Radio),
            heard: 0,
            commands: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// Its mailbox.
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// The group of its connections, once it has any.
    pub fn group(&self) -> Option<&Arc<Group>> {
        self.group.as_ref()
    }

    /// Its type.
    pub fn kind(&self) -> SocketType {
        self.kind
    }

    /// Its options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Its monitor.
    pub fn monitor(&self) -> &Arc<Monitor> {
        &self.monitor
    }

    /// Its context.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// What its sessions and listeners know of it, with the options as they are now. Makes the group if there is none.
    pub(super) fn owner(&mut self) -> Result<Arc<Owner>> {
        let group = match &self.group {
            Some(group) => group.clone(),
            None => {
                let io = self.context.choose_io_thread(self.options.affinity)?;
                let group = Group::new(io.clone(), self.mailbox.clone())?;
                io.load.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                io.post(IoCommand::AddGroup(group.clone()));
                self.group = Some(group.clone());
                group
            }
        };
        Ok(Owner::new(
            self.context.clone(),
            self.mailbox.clone(),
            group,
            self.options.clone(),
            self.monitor.clone(),
        ))
    }

    /// Works off what was posted. `ETERM` once the context was terminated.
    #[inline]
    pub fn process(&mut self) -> Result<()> {
        self.mailbox.quiet();
        if self.mailbox.has_commands() {
            self.process_commands();
        }
        if self.stopped { Err(Error::Terminated) } else { Ok(()) }
    }

    #[inline(never)]
    fn process_commands(&mut self) {
        let mut commands = std::mem::take(&mut self.commands);
        self.mailbox.take(&mut commands);
        for command in commands.drain(..) {
            self.handle(command);
        }
        self.commands = commands;
        self.settle();
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::AttachInproc { end, link, subscribe_to_all } => {
                let attachment = Attachment { subscribe_to_all, locally_initiated: false };
                self.attach(end, Link::Inproc { link, side: 1 }, attachment);
            }
            Command::AttachSession { end, link, connection, metadata, local } => {
                let attachment = Attachment { subscribe_to_all: false, locally_initiated: local };
                let pipe = self.insert(end, Link::Session { link, connection: connection.upgrade() });
                self.pipes.set_metadata(pipe, Some(metadata));
                with_pattern!(self, attached, pipe, attachment);
                // The session may have ended before it knew the pipe's name, and couldn't say so.
                if self.pipes.is_closed(pipe) {
                    self.handle(Command::Closed(pipe));
                }
            }
            Command::Connected { pipe, connection, metadata } => {
                self.pipes.set_metadata(pipe, metadata);
                self.set_connection(pipe, connection.upgrade());
            }
            Command::Disconnected { pipe } => self.set_connection(pipe, None),
            Command::Readable(pipe) => {
                if self.pipes.activate_read(pipe) {
                    with_pattern!(self, read_activated, pipe);
                }
            }
            Command::Room(pipe) => {
                if self.pipes.activate_write(pipe) {
                    with_pattern!(self, write_activated, pipe);
                }
            }
            Command::Closed(pipe) => {
                if self.pipes.activate_read(pipe) {
                    with_pattern!(self, read_activated, pipe);
                }
                self.pipes.peer_closed(pipe);
            }
            Command::Hiccup(pipe) => with_pattern!(self, hiccuped, pipe),
            Command::PeerMarks(pipe, send, receive) => self.pipes.set_peer_marks(pipe, send, receive),
            Command::EndpointGone { session, forget: true } => {
                self.endpoints.retain(|endpoint| !endpoint.is_session(session));
            }
            Command::EndpointGone { session, forget: false } => {
                self.endpoints.iter_mut().filter(|known| known.is_session(session)).for_each(Endpoint::end);
            }
            Command::Stop => {
                self.monitor.stop();
                self.stopped = true;
            }
        }
    }

    fn insert(&mut self, end: PipeEnd, link: Link) -> PipeId {
        let pipe = self.pipes.insert(end);
        if self.links.len() <= pipe.index() {
            self.links.resize_with(pipe.index() + 1, || None);
        }
        // Before the pattern's first look: what the other side says from now on is heard.
        match &link {
            Link::Inproc { link, side } => link.set_pipe(*side, pipe),
            Link::Session { link, .. } => link.set_pipe(pipe),
        }
        self.links[pipe.index()] = Some((pipe, link));
        pipe
    }

    /// Takes a pipe in.
    pub(super) fn attach(&mut self, end: PipeEnd, link: Link, attachment: Attachment) -> PipeId {
        let pipe = self.insert(end, link);
        with_pattern!(self, attached, pipe, attachment);
        pipe
    }

    /// Takes the pipe of a session that connects in.
    pub(super) fn attach_session(&mut self, end: PipeEnd, link: Link) -> PipeId {
        let pipe = self.insert(end, link);
        let attachment = Attachment { subscribe_to_all: false, locally_initiated: true };
        with_pattern!(self, attached, pipe, attachment);
        pipe
    }

    fn link(&mut self, pipe: PipeId) -> Option<&mut Link> {
        match self.links.get_mut(pipe.index()) {
            Some(Some((id, link))) if *id == pipe => Some(link),
            _ => None,
        }
    }

    fn set_connection(&mut self, pipe: PipeId, to: Option<Arc<super::connection::Connection>>) {
        if let Some(Link::Session { connection, .. }) = self.link(pipe) {
            *connection = to;
        }
    }

    /// Does what the pipes ask for.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.pipes.has_notices() {
            self.settle_notices();
        }
    }

    #[inline(never)]
    fn settle_notices(&mut self) {
        // Ending a pipe may lead to further notices.
        while self.pipes.has_notices() {
            let mut notices = std::mem::take(&mut self.notices);
            self.pipes.take_notices(&mut notices);
            for notice in notices.drain(..) {
                match notice {
                    Notice::Written(pipe) => self.tell_written(pipe),
                    Notice::Room(pipe) => self.tell_room(pipe),
                    Notice::Ended(pipe) => self.end_pipe(pipe),
                }
            }
            self.notices = notices;
        }
    }

    /// The peer sleeps and has something to read now.
    fn tell_written(&mut self, pipe: PipeId) {
        let turned = std::mem::take(&mut self.turned);
        let alone_from = self.alone_from;
        match self.link(pipe) {
            Some(Link::Inproc { link, side }) => link.post(*side, Command::Readable),
            Some(Link::Session { connection: Some(connection), .. }) if !connection.is_over() => {
                let connection = connection.clone();
                if turned || time::monotonic_ns() >= alone_from {
                    let before = connection.bytes_written();
                    if !connection.drive_write(false) {
                        // The kernel's buffer is full: somebody has to be there when it isn't any more.
                        connection.group.give_back();
                    }
                    // Filling the next message takes the program longer if it is large. (A nanosecond for a byte is slow.)
                    let bytes = connection.bytes_written().saturating_sub(before);
                    self.alone_from = time::monotonic_ns() + STREAM_GAP + bytes;
                } else {
                    self.has_streams = true;
                    connection.begin_stream();
                }
            }
            _ => self.nudge(pipe),
        }
    }

    /// The peer waits for room, and there is some now.
    fn tell_room(&mut self, pipe: PipeId) {
        match self.link(pipe) {
            Some(Link::Inproc { link, side }) => link.post(*side, Command::Room),
            Some(Link::Session { connection: Some(connection), .. }) if !connection.is_over() => {
                if connection.group.is_lent() {
                    connection.group.push_ready(connection.clone());
                } else {
                    connection.group.io.post(IoCommand::Read(connection.clone()));
                }
            }
            _ => self.nudge(pipe),
        }
    }

    /// The session may have a connection that the socket hasn't heard of yet, and that has looked before the pipe changed. If it hasn't been posted by
    /// now, the connection is still to look. A session without connections is always told.
    fn nudge(&mut self, pipe: PipeId) {
        let unheard = self.mailbox.has_commands();
        if let Some(Link::Session { link, .. }) = self.link(pipe)
            && (unheard || link.direct)
        {
            link.post(IoCommand::Nudge);
        }
    }

    /// A pipe has ended, or is to end now.
    fn end_pipe(&mut self, pipe: PipeId) {
        if !self.pipes.contains(pipe) {
            return;
        }
        with_pattern!(self, terminated, pipe);
        self.drop_pipe(pipe);
    }

    /// Closes a pipe in both directions and tells the other side.
    fn drop_pipe(&mut self, pipe: PipeId) {
        let Some(mut end) = self.pipes.remove(pipe) else { return };
        let link = self.links.get_mut(pipe.index()).and_then(Option::take);
        self.endpoints.retain(|endpoint| !endpoint.is_inproc_pipe(pipe));
        match link {
            Some((_, Link::Inproc { link, side })) => {
                let farewell = link.take_farewell(side);
                if !farewell.is_empty()
                    && let Ok(message) = Message::from_slice(&farewell)
                {
                    end.outbound.rollback();
                    end.outbound.push(message);
                }
                let _ = end.outbound.close();
                drop(end);
                link.post(side, Command::Closed);
            }
            Some((_, Link::Session { link, .. })) => {
                let _ = end.outbound.close();
                drop(end);
                link.post(IoCommand::PipeClosed);
            }
            None => {}
        }
    }

    /// What follows are sends by a caller that may wait for room, or not.
    ///
    /// Who may not is to be told as soon as it has sent as much as the mark allows, although a connection may have taken all of it
    /// meanwhile: the kernel's buffers are large, and a program that counts on `EAGAIN` would fill them first. So room that has come is used only when
    /// the caller has been told, has received or polled since, or [`BURST`] has gone by (which is also how often upstream looks).
    #[inline]
    pub fn set_may_wait(&mut self, may_wait: bool) {
        let strict = !may_wait || self.options.sndtimeo == 0;
        self.pipes.set_strict(strict && self.refuses());
        if self.pipes.has_held() {
            self.look_for_room_in_time();
        }
    }

    /// Whether a message that there is no room for is refused, and not dropped.
    fn refuses(&self) -> bool {
        match self.kind {
            SocketType::Push
            | SocketType::Dealer
            | SocketType::Pair
            | SocketType::Req
            | SocketType::Stream
            | SocketType::Client
            | SocketType::Server
            | SocketType::Peer
            | SocketType::Channel
            | SocketType::Scatter
            | SocketType::Dgram => true,
            SocketType::Router => self.options.router_mandatory,
            _ => false,
        }
    }

    /// Some peers are left out although they may have room, while others take what is sent, so that nobody is told that there is no room.
    #[cold]
    fn look_for_room_in_time(&mut self) {
        if !self.pipes.is_strict() || time::monotonic_ns().saturating_sub(self.burst) >= BURST {
            self.look_for_room();
        }
    }

    /// There was no room for a message, as far as was known. True: some has come, and may be used now.
    pub fn look_for_room(&mut self) -> bool {
        if !self.pipes.has_held() {
            return false;
        }
        let now = time::monotonic_ns();
        let may_use = !self.pipes.is_strict() || now.saturating_sub(self.burst) >= BURST;
        let mut any = false;
        while let Some((pipe, has_room)) = self.pipes.release_held() {
            if has_room {
                with_pattern!(self, write_activated, pipe);
                any = true;
            }
        }
        // Who is told that there is none may use it the next time.
        self.burst = if any && may_use { now } else { 0 };
        if any && !may_use {
            // And may wait for `ZMQ_FD` until then.
            self.mailbox.notify();
        }
        any && may_use
    }

    /// One part, without waiting. The message's `more` flag is as the caller has set it.
    #[inline]
    pub fn send(&mut self, message: &mut Message) -> Result<()> {
        if self.publishes {
            self.hear_subscribers();
        }
        with_pattern!(self, send, message)?;
        self.settle();
        self.sent = true;
        Ok(())
    }

    /// Reads the subscriptions that have arrived, so that whoever subscribes and then sees to it that something is published gets it. The I/O thread may be
    /// later than the caller, who hears of the latter over another socket. Once in each tick of the clock, so that it costs a fast publisher nothing.
    #[inline(never)]
    fn hear_subscribers(&mut self) {
        let Some(group) = &self.group else { return };
        let now = time::tick();
        if now != self.heard {
            self.heard = now;
            group.clone().catch_up(CALLER_BUDGET);
            if self.mailbox.has_commands() {
                self.process_commands();
            }
        }
    }

    /// How many messages were received since the last wait, if nothing was sent meanwhile; long ones count for several. In the middle
    /// of a long one, what it was before.
    pub fn take_stream(&mut self) -> Option<u32> {
        let received = std::mem::take(&mut self.received);
        if std::mem::take(&mut self.sent) {
            self.stream = None;
        } else if received > 0 {
            self.stream = Some(received);
        }
        self.stream
    }

    /// As `send`, for the engine's own messages.
    pub fn try_send(&mut self, message: &mut Message) -> Result<()> {
        self.process()?;
        self.send(message)
    }

    /// One part, without waiting.
    #[inline]
    pub fn recv(&mut self, out: &mut Message) -> Result<()> {
        let received = with_pattern!(self, recv, out);
        self.settle();
        received?;
        self.turned = true;
        self.burst = 0;
        self.received = self.received.wrapping_add(1 + (out.len() / PAGE) as u32);
        self.receive_more = out.more();
        Ok(())
    }

    /// Reads from the connections what can be had without waiting, if no I/O thread does. True: there may be something now.
    pub fn read_connections(&mut self) -> bool {
        match &self.group {
            Some(group) if group.is_lent() => group.clone().drive_now(CALLER_BUDGET),
            Some(group) if group.has_ready() => group.clone().drive_ready(CALLER_BUDGET),
            _ => false,
        }
    }

    /// Goes on with what was read and not decoded yet. True: there may be something now.
    #[inline]
    pub fn decode_ready(&mut self) -> bool {
        match &self.group {
            Some(group) if group.has_ready() => group.clone().drive_ready(CALLER_BUDGET),
            _ => false,
        }
    }

    /// Writes out what waits in the pipes to make room. True: there may be room now.
    pub fn write_connections(&mut self) -> bool {
        // With many peers the I/O thread is the better one to do it: a write for each would keep the caller for long.
        const FEW: usize = 4;
        let mut any = false;
        for (_, link) in self.links.iter().flatten().take(FEW) {
            if let Link::Session { connection: Some(connection), .. } = link {
                any |= connection.clone().drive_write(false);
            }
        }
        any && self.mailbox.has_commands()
    }

    /// The caller is going to wait, or has waited: what it sends next isn't part of a stream.
    pub fn turn(&mut self) {
        self.turned = true;
        self.burst = 0;
        if std::mem::take(&mut self.has_streams) {
            self.end_streams();
        }
    }

    /// Writes what is queued in the middle of a stream.
    #[cold]
    fn end_streams(&mut self) {
        for (_, link) in self.links.iter().flatten() {
            if let Link::Session { connection: Some(connection), .. } = link
                && connection.is_streaming()
            {
                connection.drive_write(false);
            }
        }
    }

    /// A caller that has waited for room goes: what the kernel didn't take needs somebody who is there when it does.
    pub fn leave_writing(&self) {
        if let Some(group) = &self.group
            && group.is_lent()
            && self.links.iter().flatten().any(|(_, link)| match link {
                Link::Session { connection: Some(connection), .. } => connection.is_blocked(),
                _ => false,
            })
        {
            group.give_back();
        }
    }

    /// `ZMQ_EVENTS`.
    pub fn events(&mut self) -> Result<i16> {
        let events = self.ready(POLLIN | POLLOUT, true);
        self.leave_to_descriptor();
        events
    }

    /// The caller may be going to wait for `ZMQ_FD`, which nobody makes readable while the connections are lent.
    #[inline]
    pub fn leave_to_descriptor(&self) {
        if self.mailbox.has_user_fd()
            && let Some(group) = &self.group
        {
            group.give_back();
        }
    }

    /// Which of the `wanted` events there are. Without `read` the connections aren't asked: the caller is going to wait for
    /// them, or knows that they have nothing new.
    pub fn ready(&mut self, wanted: i16, read: bool) -> Result<i16> {
        self.process()?;
        let mut events = 0;
        if wanted & POLLIN != 0 {
            let mut has_in = with_pattern!(self, has_in);
            self.settle();
            if !has_in && (if read { self.read_connections() } else { self.decode_ready() }) {
                self.process()?;
                has_in = with_pattern!(self, has_in);
                self.settle();
            }
            if has_in {
                events |= POLLIN;
            }
        }
        if wanted & POLLOUT != 0 {
            self.burst = 0;
            self.pipes.set_strict(false);
            self.look_for_room();
            if with_pattern!(self, has_out) {
                events |= POLLOUT;
            }
            self.settle();
        }
        Ok(events)
    }

    /// `zmq_setsockopt`.
    pub fn set_option(&mut self, id: i32, given: Given) -> Result<()> {
        if self.stopped {
            return Err(Error::Terminated);
        }
        match self.options.set(id, given)? {
            Applied::Stored => Ok(()),
            Applied::HighWaterMark => {
                self.apply_marks();
                Ok(())
            }
            Applied::Action => {
                if self.mailbox.has_commands() {
                    // A connection that was lost wants all subscriptions again; this one comes after them.
                    self.process_commands();
                }
                let value = match given {
                    Given::Bytes(bytes) => bytes,
                    Given::Null(_) => &[],
                };
                with_pattern!(self, set_option, id, value)?;
                self.settle();
                Ok(())
            }
        }
    }

    fn apply_marks(&mut self) {
        let mark = |value: i32| usize::try_from(value).unwrap_or(0);
        let (send, receive) = (mark(self.options.sndhwm), mark(self.options.rcvhwm));
        let ids: Vec<_> = self.pipes.ids().collect();
        for pipe in ids {
            self.pipes.set_own_marks(pipe, send, receive);
            match self.link(pipe) {
                Some(Link::Inproc { link, side }) => {
                    link.post(*side, move |pipe| Command::PeerMarks(pipe, send, receive));
                }
                // It may have run dry at the old mark.
                Some(Link::Session { link, .. }) => link.post(IoCommand::Nudge),
                None => {}
            }
        }
        self.settle();
    }

    /// `zmq_getsockopt`; the value's length.
    pub fn get_option(&mut self, id: i32, buffer: &mut [u8]) -> Result<usize> {
        if self.stopped {
            return Err(Error::Terminated);
        }
        match self.options.get(id, buffer)? {
            Got::Written(len) => Ok(len),
            Got::Ask(what) => {
                let value = match what {
                    RuntimeValue::ReceiveMore => self.receive_more.into(),
                    RuntimeValue::Descriptor => self.mailbox.user_fd()?,
                    RuntimeValue::Events => self.events()?.into(),
                    RuntimeValue::TopicsCount => self.pattern.topics_count()?,
                };
                write_int(value, buffer)
            }
        }
    }

    /// `zmq_socket_get_peer_state`.
    pub fn peer_state(&mut self, routing_id: &[u8]) -> Result<i32> {
        with_pattern!(self, peer_state, routing_id)
    }

    /// The pipe of the peer with this 32-bit routing id, for SERVER and PEER sockets.
    pub(super) fn find_peer(&mut self, routing_id: u32) -> Result<PipeId> {
        self.pattern.find_peer(routing_id)
    }

    /// `zmq_join` and `zmq_leave`. They say the same when the context is being terminated, as upstream.
    pub fn join(&mut self, group: &[u8], joined: bool) -> Result<()> {
        self.process_commands();
        with_pattern!(self, join, group, joined)?;
        self.settle();
        Ok(())
    }

    /// Ends everything that the socket has. What still has to be sent goes on in the background, as `ZMQ_LINGER` says.
    pub fn close(mut self: Box<Self>) {
        // From now on nobody attaches another pipe; those that came before are closed below.
        self.context.inproc.forget(&self.mailbox);
        self.process_commands();
        let ids: Vec<_> = self.pipes.ids().collect();
        for pipe in ids {
            self.pipes.rollback(pipe);
            self.drop_pipe(pipe);
        }
        if let Some(group) = &self.group {
            group.io.post(IoCommand::CloseSocket { group: group.token, linger: self.options.linger });
        }
    }
}
