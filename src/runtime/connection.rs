//! A connection: a descriptor, a half that reads and a half that writes, each under its own lock.
//!
//! Whoever holds a half may drive it: an I/O thread, or a caller in the middle of a send or a receive (see
//! [`super::group`]). Who drives doesn't wait for a half that somebody else drives, but tells the holder to go round once
//! more ([`Handover`]). Only the I/O thread waits for one, to open, close or question it.
//!
//! What has to happen once in a connection's life (the handshake is done, the peer has gone) isn't done here, but told to
//! the session, in the I/O thread.

mod datagrams;
mod read;
mod write;

use super::buffer::{BATCH, BY_REFERENCE, ReadBuffer, WriteBatch};
use super::group::Group;

use super::io_thread::IoCommand;
use super::link::SessionLink;
use super::mailbox::Mailbox;
use crate::error::Error;
use crate::message::{Kind, Message};
use crate::options::Options;
use crate::pattern::ReplyFrames;
use crate::pipe::{Inbound, Outbound, PipeEnd};
use crate::sys::handover::Handover;
use crate::sys::helpers;
use crate::transport::Stream;
use crate::zmtp::mechanism::{Work, WorkError, WorkResult, ZapReply};
use crate::zmtp::{Decoder, Encoder, Established, Handshake, HandshakeEvent, ProtocolError};
pub use datagrams::{Destination, Form, Receiver, Sender};
use read::{ReadHalf, ReadStage};
use std::collections::VecDeque;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use write::{WriteHalf, WriteStage};

/// How many messages a caller decodes at a time: enough to make a read worth while, few enough for the cache.
pub const CALLER_BUDGET: usize = 256;
/// How many messages an I/O thread decodes before it looks after others.
pub const IO_BUDGET: usize = 4096;
/// How many bytes are written before whoever writes looks after others, and the I/O thread goes on later. A message counts as [`MESSAGE_COST`] more.
const WRITE_BUDGET: usize = 1024 * 1024;
/// What a message costs beside its bytes.
const MESSAGE_COST: usize = 32;

/// How many PINGs may wait for their PONGs to be written. Those that come on top of it aren't answered: nobody sends so
/// many at once in earnest, and a peer that doesn't read would have us keep a PONG for each.
const MAX_PINGS: u32 = 64;

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
    /// The group counts it as open.
    counted: AtomicBool,
    /// Messages written, and bytes.
    written: AtomicU64,
    bytes_written: AtomicU64,
    /// The session was told that the connection has ended.
    reported: AtomicBool,
    /// Nobody wants to hear what the peer says: its endpoint was unbound.
    deaf: AtomicBool,
    /// PINGs that have come, and whose PONGs aren't encoded yet.
    unanswered: AtomicU32,
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
    /// The peer was refused in the handshake, and monitors know.
    pub refused: bool,
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
            counted: AtomicBool::new(false),
            written: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            reported: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            unanswered: AtomicU32::new(0),
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

    /// A connection for datagrams, which is open at once.
    pub fn datagrams(
        token: u64,
        group: Arc<Group>,
        link: Arc<SessionLink>,
        mailbox: Arc<Mailbox>,
        stream: Stream,
        (receiver, sender): (Receiver, Sender),
    ) -> Arc<Self> {
        let stage = ReadStage::Datagrams(Box::new(receiver));
        let sizes = BatchSizes { read: BATCH, write: BATCH };
        let connection = Self::with_stage(token, group, link, mailbox, stream, stage, sizes);
        connection.write.lock().stage = WriteStage::Datagrams(Box::new(sender));
        connection.open.store(true, Ordering::Relaxed);
        connection
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
        self.write.is_held() || self.is_blocked() || self.stream.has_unsent()
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

    /// Writes what is queued, a bounded part of it at a time: a sender may be quicker than whoever writes, who would never be through.
    /// `event`: the kernel takes bytes again. True: it has taken all of it, or somebody else sees to it.
    pub fn drive_write(self: &Arc<Self>, event: bool) -> bool {
        let mut written = true;
        // For all rounds: word that is left again and again mustn't keep the writer either.
        let mut budget = WRITE_BUDGET;
        self.write.drive(event, |half, event| {
            if event {
                self.blocked.store(false, Ordering::Relaxed);
            }
            if !self.is_blocked() {
                self.contained(|| half.drive(self, &mut budget));
            }
            written = !self.is_blocked();
        });
        if budget == 0 && written {
            self.group.io.post(IoCommand::Write(self.clone()));
        }
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

    /// Bytes that the kernel has taken.
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
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

    /// Whether the PING that has come is to be answered. Then `answered` follows.
    fn may_answer(&self) -> bool {
        let more = |count| (count < MAX_PINGS).then_some(count + 1);
        self.unanswered.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// A PONG goes out, or won't, though it may be that of a PING to the connection before this one.
    pub fn answered(&self) {
        let less = |count: u32| count.checked_sub(1);
        let _ = self.unanswered.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Sends a command of the engine's own. A PING doesn't queue behind another one: that one asks the peer the same.
    pub fn send_command(self: &Arc<Self>, command: Message) {
        let mut half = self.write.lock();
        if command.kind() != Kind::Ping || half.commands.iter().all(|queued| queued.kind() != Kind::Ping) {
            half.commands.push_back(command);
        }
        drop(half);
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

    /// Goes on with the handshake after the ZAP handler's answer. What monitors are to hear of it. The session's business.
    ///
    /// # Errors
    /// What ends the connection.
    pub fn zap_reply(self: &Arc<Self>, reply: ZapReply) -> Result<Vec<HandshakeEvent>, Failure> {
        let outcome = self.contained(|| self.read.lock().zap_reply(self, reply));
        outcome.unwrap_or(Ok(Vec::new())).map_err(Failure::Protocol)
    }

    /// Has the handshake's work done. The session hears of what comes of it, unless nobody wants it any more.
    fn have_done(self: &Arc<Self>, work: Work) -> Result<(), Error> {
        let connection = Arc::downgrade(self);
        let wanted = move || connection.upgrade().filter(|connection| !connection.is_over());
        helpers::submit(Box::new(move || {
            if wanted().is_none() {
                return;
            }
            let result = work();
            if let Some(connection) = wanted() {
                let token = connection.token;
                connection.link.post(|session| IoCommand::WorkDone { session, connection: token, result });
            }
        }))
    }

    /// Goes on with the handshake after its work. The session's business.
    ///
    /// # Errors
    /// What ends the connection.
    pub fn work_done(self: &Arc<Self>, result: WorkResult) -> Result<(), Failure> {
        let outcome = self.contained(|| self.read.lock().work_done(self, result));
        outcome.unwrap_or(Ok(())).map_err(|error| match error {
            WorkError::Failed(error) => Failure::Transport(error),
            WorkError::Protocol(error) => Failure::Protocol(error),
        })
    }

    /// It is about to be opened. From now on callers may wait on the group.
    pub fn announce(&self) {
        if !self.counted.swap(true, Ordering::Relaxed) {
            self.group.opened();
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
        if self.counted.swap(false, Ordering::Relaxed) {
            self.group.closed();
        }
        let mut remains = Remains::default();
        let mut read = self.read.lock();
        match std::mem::replace(&mut read.stage, ReadStage::Closed) {
            ReadStage::Open { outbound, .. } => remains.outbound = Some(outbound),
            ReadStage::Datagrams(receiver) => remains.outbound = Some(receiver.outbound),
            ReadStage::Handshake(handshake) => remains.refused = handshake.is_refused(),
            _ => {}
        }
        read.buffer = ReadBuffer::default();
        drop(read);
        let mut write = self.write.lock();
        match std::mem::replace(&mut write.stage, WriteStage::Closed) {
            WriteStage::Open { inbound, .. } => remains.inbound = Some(inbound),
            WriteStage::Datagrams(sender) => remains.inbound = Some(sender.inbound),
            _ => {}
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
            WriteStage::Datagrams(sender) => !sender.is_empty() || sender.inbound.is_ready(),
            _ => false,
        };
        let flushed = half.batch.is_empty() && !queued && !self.stream.has_unsent();
        drop(half);
        // For whoever found the half taken.
        self.drive_write(false);
        flushed
    }
}
