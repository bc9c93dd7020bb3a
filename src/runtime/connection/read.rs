//! The half of a connection that reads: from the descriptor to the pipe.

use super::datagrams::Receiver;
use super::{BY_REFERENCE, Connection, Failure, Next, ReadBuffer};
use crate::error::Error;
use crate::message::{Kind, Message};
use crate::pattern::ReplyFrames;
use crate::pipe::Outbound;
use crate::runtime::io_thread::IoCommand;
use crate::runtime::mailbox::Command;
use crate::sys::sockopt;
use crate::zmtp::decoder::Progress;
use crate::zmtp::mechanism::{WorkError, WorkResult, ZapReply};
use crate::zmtp::{Decoder, Established, Handshake, HandshakeEvent, ProtocolError};
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// In the middle of a large body, a wake-up is worth so many bytes (or what is missing).
const LARGE_STEP: usize = 256 * 1024;
/// So many bytes count as one more message.
const LARGE_COST: usize = 4 * 1024;
/// A read behind a large body asks for this much only, so that the next body can be read straight into its place.
const READ_BEHIND_BODY: usize = 8 * 1024;

/// What a connection's reading half is at.
#[allow(clippy::large_enum_variant)] // most connections are open, and decoding shouldn't follow one more pointer
pub(super) enum ReadStage {
    Handshake(Box<Handshake>),
    /// The handshake is done, and the session has to say where messages go.
    Established(Box<Established>),
    Open {
        decoder: Decoder,
        outbound: Outbound,
        /// What a REQ socket's peer may say next; `None` for all other types.
        replies: Option<ReplyFrames>,
    },
    /// No stream of bytes at all.
    Datagrams(Box<Receiver>),
    /// What arrives is dropped.
    Deaf,
    Closed,
}

pub(super) struct ReadHalf {
    pub(super) stage: ReadStage,
    pub(super) buffer: ReadBuffer,
    /// The kernel had no more when it was asked last, and there was no event since.
    pub(super) dry: bool,
    /// The last message was large.
    pub(super) large: bool,
    pub(super) limit: usize,
    /// How many bytes have to arrive before the descriptor is readable.
    pub(super) low_water: usize,
    pub(super) message: Message,
}

impl ReadHalf {
    pub(super) fn drive(&mut self, connection: &Arc<Connection>, budget: usize) -> Next {
        // The buffer may still hold what came together with the mistake; decoding that again would make something else of it.
        if connection.is_over() {
            return Next::Wait;
        }
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

    pub(super) fn advance(&mut self, connection: &Arc<Connection>, budget: usize) -> Result<Next, Failure> {
        let mut budget = budget;
        loop {
            match &mut self.stage {
                ReadStage::Closed | ReadStage::Established(_) => return Ok(Next::Wait),
                ReadStage::Datagrams(receiver) => {
                    return Ok(receiver.drive(connection, budget, &mut self.dry));
                }
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
            if budget == 0 {
                return Ok(Next::Again);
            }
            if matches!(self.stage, ReadStage::Deaf) {
                self.buffer.skip(self.buffer.unread().len());
            }
            match self.read(connection, &mut budget).map_err(Failure::Protocol)? {
                Ok(()) => connection.heard.store(true, Ordering::Relaxed),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.dry = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::Transport(error.into())),
            }
        }
    }

    /// In the middle of a large body there is no use in waking up for each packet.
    pub(super) fn expect_much(&mut self, connection: &Connection) {
        // The beginning of what is missing may have left the kernel.
        let missing = self.body().len().saturating_sub(connection.stream.held_back());
        let low_water = if missing > LARGE_STEP / 2 { missing.min(LARGE_STEP) } else { 1 };
        if low_water != self.low_water && connection.stream.has_low_water() {
            self.low_water = low_water;
            // It only saves time.
            let _ = sockopt::set_receive_low_water(connection.stream.as_fd(), low_water);
        }
    }

    /// One read, into the missing part of a large body or the buffer. The outer result is the protocol's, the inner one the system's.
    pub(super) fn read(
        &mut self,
        connection: &Arc<Connection>,
        budget: &mut usize,
    ) -> Result<std::io::Result<()>, ProtocolError> {
        let in_place = self.buffer.is_empty() && self.body().len() > crate::zmtp::decoder::DIRECT_READ;
        let room = if in_place {
            self.body()
        } else {
            let limit = if self.large { READ_BEHIND_BODY.min(self.limit) } else { self.limit };
            self.buffer.room(limit)
        };
        let wanted = room.len();
        let outcome = connection.stream.read(room);
        if connection.stream.take_resumed() {
            connection.drive_write(true);
        }
        let count = match outcome {
            Ok(0) => return Ok(Err(std::io::Error::from_raw_os_error(libc::EPIPE))),
            Ok(count) => count,
            Err(error) => return Ok(Err(error)),
        };
        // The end of a stream is announced once, maybe together with the last bytes: then it is looked for behind them.
        self.dry =
            count < wanted && !connection.hung_up.load(Ordering::Relaxed) && !connection.stream.has_more();
        self.large = in_place;
        // What isn't decoded in this round counts too: a sender that is quicker than this reader must not keep it here.
        if in_place {
            *budget = budget.saturating_sub(count / LARGE_COST);
        } else if !matches!(self.stage, ReadStage::Open { .. }) {
            *budget = budget.saturating_sub(cost(count));
        }
        if !in_place {
            self.buffer.filled(count);
        } else if let ReadStage::Open { decoder, outbound, replies } = &mut self.stage
            && let Some(mut message) = decoder.filled(count)?
            && !connection.is_deaf()
        {
            check_reply(replies, &message)?;
            *budget = budget.saturating_sub(1);
            deliver(connection, outbound, &mut message);
        }
        Ok(Ok(()))
    }

    /// The missing part of a large body.
    pub(super) fn body(&mut self) -> &mut [u8] {
        match &mut self.stage {
            ReadStage::Open { decoder, .. } => decoder.body(),
            _ => &mut [],
        }
    }

    /// True: it is done, and the session's turn.
    pub(super) fn shake_hands(&mut self, connection: &Arc<Connection>) -> Result<bool, Failure> {
        let ReadStage::Handshake(handshake) = &mut self.stage else { return Ok(false) };
        let outcome = handshake.input(self.buffer.unread());
        connection.send_bytes(handshake.output());
        let token = connection.token;
        for event in handshake.take_events() {
            connection.link.post(|session| IoCommand::HandshakeEvent { session, connection: token, event });
        }
        self.buffer.skip(outcome.map_err(Failure::Protocol)?);
        if let Some(request) = handshake.zap_request() {
            let request = Box::new(request);
            connection.link.post(|session| IoCommand::AskZap { session, connection: token, request });
        }
        if let Some(work) = handshake.take_work() {
            connection.have_done(work).map_err(Failure::Transport)?;
        }
        Ok(self.end_handshake(connection))
    }

    /// Goes on after the work that the handshake had to be done.
    pub(super) fn work_done(
        &mut self,
        connection: &Arc<Connection>,
        result: WorkResult,
    ) -> Result<(), WorkError> {
        let ReadStage::Handshake(handshake) = &mut self.stage else { return Ok(()) };
        let outcome = handshake.work_done(result);
        connection.send_bytes(handshake.output());
        outcome?;
        self.end_handshake(connection);
        Ok(())
    }

    /// Goes on after the ZAP handler's answer. What monitors are to hear of it.
    pub(super) fn zap_reply(
        &mut self,
        connection: &Arc<Connection>,
        reply: ZapReply,
    ) -> Result<Vec<HandshakeEvent>, ProtocolError> {
        let ReadStage::Handshake(handshake) = &mut self.stage else { return Ok(Vec::new()) };
        let outcome = handshake.zap_reply(reply);
        connection.send_bytes(handshake.output());
        outcome?;
        let events = handshake.take_events();
        self.end_handshake(connection);
        Ok(events)
    }

    /// If the handshake is done, tells the session so.
    fn end_handshake(&mut self, connection: &Connection) -> bool {
        if !matches!(&self.stage, ReadStage::Handshake(handshake) if handshake.is_established()) {
            return false;
        }
        let stage = std::mem::replace(&mut self.stage, ReadStage::Closed);
        if let ReadStage::Handshake(handshake) = stage
            && let Some(established) = handshake.into_established()
        {
            self.stage = ReadStage::Established(Box::new(established));
        }
        let token = connection.token;
        connection.link.post(|session| IoCommand::Established { session, connection: token });
        true
    }

    /// Decodes what is in the buffer. False: the budget is used up, or the pipe is full.
    pub(super) fn decode(
        &mut self,
        connection: &Arc<Connection>,
        budget: &mut usize,
    ) -> Result<bool, Failure> {
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
    pub(super) fn decode_checked<const CHECK: bool>(
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
                    *budget = budget.saturating_sub(cost(self.message.len()));
                    self.large = self.message.len() >= BY_REFERENCE;
                    if CHECK {
                        check_reply(replies, &self.message)?;
                    }
                    deliver(connection, outbound, &mut self.message);
                }
                Progress::Need => {}
                Progress::Body => self.large = true,
            }
        }
        Ok(true)
    }

    /// Shows the socket what was decoded.
    pub(super) fn publish(&mut self, connection: &Connection) {
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

/// How much of a budget of messages one of so many bytes uses up. What is decoded ahead of its reader lies in memory, and a
/// reader that gets a large body at once finds it in the cache.
#[inline]
fn cost(bytes: usize) -> usize {
    1 + bytes / LARGE_COST
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
fn deliver(connection: &Connection, outbound: &mut Outbound, message: &mut Message) {
    match message.kind() {
        Kind::Ping if connection.may_answer() => {
            let message = message.take();
            connection.link.post(|session| IoCommand::Heartbeat { session, message });
        }
        Kind::Close => {
            let (token, message) = (connection.token, message.take());
            connection.link.post(|session| IoCommand::PeerCloses { session, connection: token, message });
        }
        // That a PONG has come is seen by `heard`.
        Kind::Ping | Kind::Pong => {}
        _ => outbound.push_from(message),
    }
}
