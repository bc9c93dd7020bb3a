//! A connection: a descriptor, a half that reads and a half that writes, each under its own lock.
//!
//! Whoever holds a half may drive it: an I/O thread, or a caller in the middle of a send or a receive (see
//! [`super::group`]). Who drives doesn't wait for a half that somebody else drives, but tells the holder to go round once
//! more ([`Handover`]). Only the I/O thread waits for one, to open, close or question it.
//!
//! What has to happen once in a connection's life (the handshake is done, the peer has gone) isn't done here, but told to
//! the session, in the I/O thread.

use super::buffer::{BATCH, BY_REFERENCE, ReadBuffer, WriteBatch};
use super::group::Group;
use super::io_thread::IoCommand;
use super::link::SessionLink;
use super::mailbox::{Command, Mailbox};
use crate::error::Error;
use crate::message::{Kind, Message};
use crate::options::Options;
use crate::pattern::ReplyFrames;
use crate::pipe::{Inbound, Outbound, PipeEnd};
use crate::sys::handover::Handover;
use crate::sys::sockopt;
use crate::transport::Stream;
use crate::zmtp::decoder::Progress;
use crate::zmtp::{Decoder, Encoder, Established, Handshake, ProtocolError};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How many messages a caller decodes at a time: enough to make a read worth while, few enough for the cache.
pub const CALLER_BUDGET: usize = 256;
/// How many messages an I/O thread decodes before it looks after others.
pub const IO_BUDGET: usize = 4096;
/// In the middle of a large body, a wake-up is worth so many bytes (or what is missing).
const LARGE_STEP: usize = 256 * 1024;
/// A read behind a large body asks for this much only, so that the next body can be read straight into its place.
const READ_BEHIND_BODY: usize = 8 * 1024;

/// Why a connection has ended.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// The peer has closed it, or the transport has failed.
    Transport(Error),
    /// The peer broke the protocol, or was refused.
    Protocol(ProtocolError),
}

/// See the module's text.
pub struct Connection {
    /// Its name in the group.
    pub token: u64,
    /// The group that watches it.
    pub group: Arc<Group>,
    /// The session that it belongs to.
    pub link: Arc<SessionLink>,
    mailbox: Arc<Mailbox>,
    stream: Stream,
    read: Handover<ReadHalf>,
    write: Handover<WriteHalf>,
    /// The kernel takes no more bytes for now.
    blocked: AtomicBool,
    /// The peer has shut its side down: a read that gets less than it asked for isn't the last one.
    hung_up: AtomicBool,
    /// Something has arrived since the session looked last (heartbeats).
    heard: AtomicBool,
    /// The I/O thread looks regularly whether there is something to write (see [`super::streams`]).
    streaming: AtomicBool,
    /// The handshake is done, and messages flow.
    open: AtomicBool,
    /// Messages written.
    written: AtomicU64,
    /// The session was told that the connection has ended.
    reported: AtomicBool,
    /// Nobody wants to hear what the peer says: its endpoint was unbound.
    deaf: AtomicBool,
}

/// What a connection's reading half is at.
#[allow(clippy::large_enum_variant)] // most connections are open, and decoding shouldn't follow one more pointer
enum ReadStage {
    Handshake(Box<Handshake>),
    /// The handshake is done, and the session has to say where messages go.
    Established(Box<Established>),
    Open {
        decoder: Decoder,
        outbound: Outbound,
        /// What a REQ socket's peer may say next; `None` for all other types.
        replies: Option<ReplyFrames>,
    },
    /// What arrives is dropped.
    Deaf,
    Closed,
}

struct ReadHalf {
    stage: ReadStage,
    buffer: ReadBuffer,
    /// The kernel had no more when it was asked last, and there was no event since.
    dry: bool,
    /// The last message was large.
    large: bool,
    limit: usize,
    /// How many bytes have to arrive before the descriptor is readable.
    low_water: usize,
    message: Message,
}

enum WriteStage {
    /// Only what the handshake says.
    Handshake,
    Open {
        encoder: Encoder,
        inbound: Inbound,
    },
    Closed,
}

struct WriteHalf {
    stage: WriteStage,
    batch: WriteBatch,
    /// Commands of the engine's own, to be sent between two messages.
    commands: VecDeque<Message>,
    /// The parts of a multipart message are on their way.
    more: bool,
    /// The socket has closed its end, and the session was told that everything is written.
    finished: bool,
    limit: usize,
    message: Message,
}

/// What is left when a connection has ended, for the session to go on with.
#[derive(Default)]
pub struct Remains {
    /// The end towards the socket, if the connection was open.
    pub outbound: Option<Outbound>,
    /// The end from the socket.
    pub inbound: Option<Inbound>,
    /// A multipart message was cut off in the middle of being sent.
    pub cut: bool,
}

/// Whether a half has to be driven again soon.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nothing to do before the next event.
    Wait,
    /// The budget is used up.
    Again,
}

/// How much a connection reads and writes at a time (`ZMQ_IN_BATCH_SIZE`, `ZMQ_OUT_BATCH_SIZE`), in bytes.
#[derive(Clone, Copy, Debug)]
pub struct BatchSizes {
    /// One read.
    pub read: usize,
    /// One write.
    pub write: usize,
}

impl BatchSizes {
    /// As the options say; what they leave at upstream's default is ours.
    pub fn from_options(options: &Options) -> Self {
        const UPSTREAMS: i32 = 8192;
        let size = |value: i32| match usize::try_from(value) {
            Ok(size) if value != UPSTREAMS && size > 0 => size,
            _ => BATCH,
        };
        Self { read: size(options.in_batch_size), write: size(options.out_batch_size) }
    }
}

impl Connection {
    /// A connection that begins with a handshake.
    pub fn new(
        token: u64,
        group: Arc<Group>,
        link: Arc<SessionLink>,
        mailbox: Arc<Mailbox>,
        stream: Stream,
        handshake: Handshake,
        sizes: BatchSizes,
    ) -> Arc<Self> {
        Self::with_stage(
            token,
            group,
            link,
            mailbox,
            stream,
            ReadStage::Handshake(Box::new(handshake)),
            sizes,
        )
    }

    fn with_stage(
        token: u64,
        group: Arc<Group>,
        link: Arc<SessionLink>,
        mailbox: Arc<Mailbox>,
        stream: Stream,
        stage: ReadStage,
        sizes: BatchSizes,
    ) -> Arc<Self> {
        let read = ReadHalf {
            stage,
            buffer: ReadBuffer::default(),
            dry: false,
            large: false,
            limit: sizes.read.clamp(1, BATCH),
            low_water: 1,
            message: Message::new(),
        };
        let write = WriteHalf {
            stage: WriteStage::Handshake,
            batch: WriteBatch::default(),
            commands: VecDeque::new(),
            more: false,
            finished: false,
            limit: sizes.write.max(1),
            message: Message::new(),
        };
        Arc::new(Self {
            token,
            group,
            link,
            mailbox,
            stream,
            read: Handover::new(read),
            write: Handover::new(write),
            blocked: AtomicBool::new(false),
            hung_up: AtomicBool::new(false),
            heard: AtomicBool::new(false),
            streaming: AtomicBool::new(false),
            open: AtomicBool::new(false),
            written: AtomicU64::new(0),
            reported: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
        })
    }

    /// A connection without a handshake and without frames (`ZMQ_STREAM`, `ZMQ_ROUTER_RAW`).
    pub fn raw(
        token: u64,
        group: Arc<Group>,
        link: Arc<SessionLink>,
        mailbox: Arc<Mailbox>,
        stream: Stream,
        established: Established,
        sizes: BatchSizes,
    ) -> Arc<Self> {
        let stage = ReadStage::Established(Box::new(established));
        Self::with_stage(token, group, link, mailbox, stream, stage, sizes)
    }

    /// The descriptor and the addresses.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Whether something has arrived since the last call.
    pub fn take_heard(&self) -> bool {
        self.heard.swap(false, Ordering::Relaxed)
    }

    /// Whether messages flow, or have flown.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether it has ended, or is about to.
    #[inline]
    pub fn is_over(&self) -> bool {
        self.reported.load(Ordering::SeqCst)
    }

    /// There is an end to what can be read, and no further event will tell of it.
    pub fn hang_up(&self) {
        self.hung_up.store(true, Ordering::Relaxed);
    }

    /// Whether it waits for the kernel to take more bytes.
    #[inline]
    pub fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    fn report(&self, failure: Failure) {
        if !self.reported.swap(true, Ordering::SeqCst) {
            let token = self.token;
            self.link.post(|session| IoCommand::Failed { session, connection: token, failure });
        }
    }

    /// Whether it is of interest that the kernel takes bytes again. Who writes says that it is blocked before it lets go of the half.
    #[inline]
    pub fn wants_to_write(&self) -> bool {
        self.write.is_held() || self.is_blocked()
    }

    /// Reads and decodes what has arrived. `event`: the descriptor has become readable.
    pub fn drive_read(self: &Arc<Self>, event: bool, budget: usize) {
        let mut next = Next::Wait;
        self.read.drive(event, |half, event| {
            half.dry &= !event;
            next = self.contained(|| half.drive(self, budget)).unwrap_or(Next::Wait);
        });
        if next == Next::Again {
            self.group.push_ready(self.clone());
        }
    }

    /// Drops what the peer still sends. The session is about to end.
    pub fn stop_reading(&self) {
        self.deaf.store(true, Ordering::Relaxed);
    }

    fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }

    /// Writes what is queued. `event`: the kernel takes bytes again. True: it has taken all of it, or somebody else sees to it.
    pub fn drive_write(self: &Arc<Self>, event: bool) -> bool {
        let mut written = true;
        self.write.drive(event, |half, event| {
            if event {
                self.blocked.store(false, Ordering::Relaxed);
            }
            if !self.is_blocked() {
                self.contained(|| half.drive(self));
            }
            written = !self.is_blocked();
        });
        written
    }

    /// A panic is a bug of ours; it costs this connection, not the thread or the caller's process.
    fn contained<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        if outcome.is_err() {
            eprintln!("libzmq: a connection is closed after a panic");
            self.report(Failure::Transport(Error::Os(libc::ENOTRECOVERABLE)));
        }
        outcome.ok()
    }

    /// Messages that were taken to be written.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// A stream of sends has begun: the I/O thread sees to it that none of them waits for long.
    pub fn begin_stream(self: &Arc<Self>) {
        if !self.streaming.swap(true, Ordering::SeqCst) {
            self.group.io.post(IoCommand::Stream(self.clone()));
        }
    }

    /// Whether the I/O thread looks at it as a stream.
    pub fn is_streaming(&self) -> bool {
        self.streaming.load(Ordering::SeqCst)
    }

    /// The I/O thread looks no longer.
    pub fn end_stream(self: &Arc<Self>) {
        self.streaming.store(false, Ordering::SeqCst);
        // What was queued before that, in the belief that the I/O thread still looks.
        self.drive_write(false);
    }

    /// Sends a command of the engine's own.
    pub fn send_command(self: &Arc<Self>, command: Message) {
        self.write.lock().commands.push_back(command);
        self.drive_write(false);
    }

    fn send_bytes(self: &Arc<Self>, bytes: &mut Vec<u8>) {
        if !bytes.is_empty() {
            self.write.lock().batch.append(|batch| batch.append(bytes));
            self.drive_write(false);
        }
    }

    /// What the handshake came to, once it is done; the connection waits for `open` then.
    pub fn take_established(&self) -> Option<Established> {
        let mut half = self.read.lock();
        match std::mem::replace(&mut half.stage, ReadStage::Closed) {
            ReadStage::Established(established) => Some(*established),
            other => {
                half.stage = other;
                None
            }
        }
    }

    /// Lets messages flow.
    /// `greeting` is sent before everything else (`ZMQ_HELLO_MSG`), `replies` is for REQ sockets.
    pub fn open(
        self: &Arc<Self>,
        (decoder, encoder): (Decoder, Encoder),
        PipeEnd { outbound, inbound }: PipeEnd,
        greeting: Option<Message>,
        replies: Option<ReplyFrames>,
    ) {
        let mut write = self.write.lock();
        write.commands.extend(greeting);
        write.stage = WriteStage::Open { encoder, inbound };
        drop(write);
        self.read.lock().stage = ReadStage::Open { decoder, outbound, replies };
        self.open.store(true, Ordering::Relaxed);
        self.drive_write(false);
        // The bytes behind the handshake, and an event that came while nobody could use it.
        self.drive_read(true, IO_BUDGET);
    }

    /// From now on what arrives is dropped. The end of the pipe that it would have gone to.
    pub fn stop_receiving(&self) -> Option<Outbound> {
        let mut read = self.read.lock();
        match std::mem::replace(&mut read.stage, ReadStage::Deaf) {
            ReadStage::Open { mut outbound, .. } => {
                outbound.rollback();
                Some(outbound)
            }
            _ => None,
        }
    }

    /// Ends the connection and takes its ends of the pipe out. The session's business.
    pub fn close(&self) -> Remains {
        self.reported.store(true, Ordering::SeqCst);
        self.group.remove(self.stream.as_raw_fd(), self.token);
        let mut remains = Remains::default();
        let mut read = self.read.lock();
        if let ReadStage::Open { outbound, .. } = std::mem::replace(&mut read.stage, ReadStage::Closed) {
            remains.outbound = Some(outbound);
        }
        read.buffer = ReadBuffer::default();
        drop(read);
        let mut write = self.write.lock();
        if let WriteStage::Open { inbound, .. } = std::mem::replace(&mut write.stage, WriteStage::Closed) {
            remains.inbound = Some(inbound);
        }
        remains.cut = write.more;
        write.batch = WriteBatch::default();
        drop(write);
        // The socket may hold on to the connection until it is used the next time.
        self.stream.shut_down();
        remains
    }

    /// Whether everything that was queued has been written.
    pub fn is_flushed(self: &Arc<Self>) -> bool {
        let mut half = self.write.lock();
        let queued = match &mut half.stage {
            WriteStage::Open { inbound, .. } => inbound.is_ready(),
            _ => false,
        };
        let flushed = half.batch.is_empty() && !queued;
        drop(half);
        // For whoever found the half taken.
        self.drive_write(false);
        flushed
    }
}

impl ReadHalf {
    fn drive(&mut self, connection: &Arc<Connection>, budget: usize) -> Next {
        match self.advance(connection, budget) {
            Ok(next) => {
                self.buffer.release();
                next
            }
            Err(failure) => {
                self.publish(connection);
                connection.report(failure);
                Next::Wait
            }
        }
    }

    fn advance(&mut self, connection: &Arc<Connection>, budget: usize) -> Result<Next, Failure> {
        let mut budget = budget;
        loop {
            match &mut self.stage {
                ReadStage::Closed | ReadStage::Established(_) => return Ok(Next::Wait),
                ReadStage::Deaf => {}
                ReadStage::Handshake(_) => {
                    if self.shake_hands(connection)? {
                        return Ok(Next::Wait);
                    }
                }
                ReadStage::Open { .. } => {
                    let go_on = self.decode(connection, &mut budget)?;
                    self.publish(connection);
                    if !go_on {
                        return Ok(if budget == 0 { Next::Again } else { Next::Wait });
                    }
                }
            }
            if self.dry {
                self.expect_much(connection);
                return Ok(Next::Wait);
            }
            if matches!(self.stage, ReadStage::Deaf) {
                self.buffer.skip(self.buffer.unread().len());
            }
            match self.read(connection).map_err(Failure::Protocol)? {
                Ok(()) => connection.heard.store(true, Ordering::Relaxed),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.dry = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::Transport(error.into())),
            }
        }
    }

    /// In the middle of a large body there is no use in waking up for each packet.
    fn expect_much(&mut self, connection: &Connection) {
        let missing = self.body().len();
        let low_water = if missing > LARGE_STEP / 2 { missing.min(LARGE_STEP) } else { 1 };
        if low_water != self.low_water {
            self.low_water = low_water;
            // It only saves time; a transport that doesn't know it wakes up more often.
            let _ = sockopt::set_receive_low_water(connection.stream.as_fd(), low_water);
        }
    }

    /// One read, into the missing part of a large body or the buffer. The outer result is the protocol's, the inner one the system's.
    fn read(&mut self, connection: &Connection) -> Result<std::io::Result<()>, ProtocolError> {
        let in_place = self.buffer.is_empty() && self.body().len() > crate::zmtp::decoder::DIRECT_READ;
        let room = if in_place {
            self.body()
        } else {
            let limit = if self.large { READ_BEHIND_BODY.min(self.limit) } else { self.limit };
            self.buffer.room(limit)
        };
        let wanted = room.len();
        let count = match connection.stream.read(room) {
            Ok(0) => return Ok(Err(std::io::Error::from_raw_os_error(libc::EPIPE))),
            Ok(count) => count,
            Err(error) => return Ok(Err(error)),
        };
        // The end of a stream is announced once, maybe together with the last bytes: then it is looked for behind them.
        self.dry = count < wanted && !connection.hung_up.load(Ordering::Relaxed);
        self.large = in_place;
        if !in_place {
            self.buffer.filled(count);
        } else if let ReadStage::Open { decoder, outbound, replies } = &mut self.stage
            && let Some(message) = decoder.filled(count)?
            && !connection.is_deaf()
        {
            check_reply(replies, &message)?;
            deliver(connection, outbound, message);
        }
        Ok(Ok(()))
    }

    /// The missing part of a large body.
    fn body(&mut self) -> &mut [u8] {
        match &mut self.stage {
            ReadStage::Open { decoder, .. } => decoder.body(),
            _ => &mut [],
        }
    }

    /// True: it is done, and the session's turn.
    fn shake_hands(&mut self, connection: &Arc<Connection>) -> Result<bool, Failure> {
        let ReadStage::Handshake(handshake) = &mut self.stage else { return Ok(false) };
        let outcome = handshake.input(self.buffer.unread());
        connection.send_bytes(handshake.output());
        self.buffer.skip(outcome.map_err(Failure::Protocol)?);
        if !handshake.is_established() {
            return Ok(false);
        }
        let stage = std::mem::replace(&mut self.stage, ReadStage::Closed);
        if let ReadStage::Handshake(handshake) = stage
            && let Some(established) = handshake.into_established()
        {
            self.stage = ReadStage::Established(Box::new(established));
        }
        let token = connection.token;
        connection.link.post(|session| IoCommand::Established { session, connection: token });
        Ok(true)
    }

    /// Decodes what is in the buffer. False: the budget is used up, or the pipe is full.
    fn decode(&mut self, connection: &Arc<Connection>, budget: &mut usize) -> Result<bool, Failure> {
        if connection.is_deaf() {
            self.buffer.skip(self.buffer.unread().len());
            return Ok(true);
        }
        let decoded = match &self.stage {
            ReadStage::Open { replies: Some(_), .. } => self.decode_checked::<true>(connection, budget),
            _ => self.decode_checked::<false>(connection, budget),
        };
        decoded.map_err(Failure::Protocol)
    }

    /// `CHECK`: the peer's frames have to be replies. A parameter of the type, so that all others pay nothing for it.
    #[inline]
    fn decode_checked<const CHECK: bool>(
        &mut self,
        connection: &Arc<Connection>,
        budget: &mut usize,
    ) -> Result<bool, ProtocolError> {
        let ReadStage::Open { decoder, outbound, replies } = &mut self.stage else { return Ok(true) };
        while !self.buffer.is_empty() {
            if *budget == 0 {
                return Ok(false);
            }
            if !outbound.is_mid_message() && !outbound.has_room() && !outbound.wait_for_room() {
                // `Command::Room` of the socket makes the I/O thread go on.
                return Ok(false);
            }
            let (used, progress) = decoder.decode_into(self.buffer.unread(), &mut self.message)?;
            self.buffer.skip(used);
            match progress {
                Progress::Message => {
                    *budget -= 1;
                    self.large = self.message.len() >= BY_REFERENCE;
                    if CHECK {
                        check_reply(replies, &self.message)?;
                    }
                    deliver(connection, outbound, self.message.take());
                }
                Progress::Need => {}
                Progress::Body => self.large = true,
            }
        }
        Ok(true)
    }

    /// Shows the socket what was decoded.
    fn publish(&mut self, connection: &Connection) {
        if let ReadStage::Open { outbound, .. } = &mut self.stage
            && outbound.flush()
        {
            match connection.link.pipe() {
                Some(pipe) => connection.mailbox.post(Command::Readable(pipe)),
                // The socket hasn't taken the pipe in yet; it looks when it does.
                None => connection.mailbox.notify(),
            }
        }
    }
}

/// The engine's own commands may come between the frames of a reply.
fn check_reply(replies: &mut Option<ReplyFrames>, message: &Message) -> Result<(), ProtocolError> {
    if let Some(replies) = replies
        && message.kind() == Kind::Data
        && !replies.accept(message)
    {
        return Err(ProtocolError::silent(Error::Fault));
    }
    Ok(())
}

#[inline]
fn deliver(connection: &Connection, outbound: &mut Outbound, message: Message) {
    match message.kind() {
        Kind::Ping | Kind::Pong => {
            connection.link.post(|session| IoCommand::Heartbeat { session, message });
        }
        Kind::Close => {}
        _ => outbound.push(message),
    }
}

impl WriteHalf {
    fn drive(&mut self, connection: &Arc<Connection>) {
        loop {
            self.fill(connection);
            if self.batch.is_empty() {
                self.batch.release();
                return;
            }
            let wanted = self.batch.remaining();
            match self.batch.write(|slices| connection.stream.write_vectored(slices)) {
                Ok(count) => {
                    self.batch.advance(count);
                    if count < wanted {
                        connection.blocked.store(true, Ordering::Relaxed);
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    connection.blocked.store(true, Ordering::Relaxed);
                    return;
                }
                Err(_) => {
                    // What has arrived may still be read; the reading half meets the same error when it is through. But a socket
                    // that has closed its end reads no more.
                    connection.blocked.store(true, Ordering::Relaxed);
                    self.finish(connection);
                    return;
                }
            }
        }
    }

    /// Encodes messages until the batch is full or the pipe is empty.
    fn fill(&mut self, connection: &Arc<Connection>) {
        let WriteStage::Open { encoder, inbound } = &mut self.stage else { return };
        let mut written = 0;
        while !self.batch.is_full(self.limit) {
            if !self.more
                && let Some(command) = self.commands.pop_front()
            {
                self.batch.append(|bytes| encoder.encode(&command, bytes));
                continue;
            }
            if !inbound.pop(&mut self.message) {
                if self.batch.is_empty() && inbound.sleep() {
                    if inbound.is_finished() {
                        self.finish(connection);
                    }
                    break;
                }
                if !self.batch.is_empty() {
                    break;
                }
                continue;
            }
            self.more = self.message.more();
            written += 1;
            if inbound.count(&self.message)
                && let Some(pipe) = connection.link.pipe()
            {
                connection.mailbox.post(Command::Room(pipe));
            }
            if self.message.len() >= BY_REFERENCE && encoder.by_reference() {
                let message = std::mem::take(&mut self.message);
                self.batch.append(|bytes| encoder.header(&message, bytes));
                self.batch.append_body(message);
            } else {
                self.batch.append(|bytes| encoder.encode(&self.message, bytes));
            }
        }
        connection.written.fetch_add(written, Ordering::Relaxed);
        // A body that is written is given back now, not when the next message comes.
        self.message = Message::new();
    }

    /// Tells the session that the socket has closed the pipe and everything is written, or never will be.
    fn finish(&mut self, connection: &Connection) {
        let WriteStage::Open { inbound, .. } = &mut self.stage else { return };
        if inbound.is_closed() && !self.finished {
            self.finished = true;
            let token = connection.token;
            connection.link.post(|session| IoCommand::Flushed { session, connection: token });
        }
    }
}
