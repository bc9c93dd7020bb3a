//! The half of a connection that writes: from the pipe to the descriptor.

use super::datagrams::Sender;
use super::{BY_REFERENCE, Connection, WriteBatch};
use crate::message::{Kind, Message};
use crate::pipe::Inbound;
use crate::runtime::io_thread::IoCommand;
use crate::runtime::mailbox::Command;
use crate::zmtp::Encoder;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(super) enum WriteStage {
    /// Only what the handshake says.
    Handshake,
    Open {
        encoder: Encoder,
        inbound: Inbound,
    },
    /// No stream of bytes at all.
    Datagrams(Box<Sender>),
    Closed,
}

pub(super) struct WriteHalf {
    pub(super) stage: WriteStage,
    pub(super) batch: WriteBatch,
    /// Commands of the engine's own, to be sent between two messages.
    pub(super) commands: VecDeque<Message>,
    /// The parts of a multipart message are on their way.
    pub(super) more: bool,
    /// The socket has closed its end, and the session was told that everything is written.
    pub(super) finished: bool,
    pub(super) limit: usize,
    pub(super) message: Message,
}

impl WriteHalf {
    pub(super) fn drive(&mut self, connection: &Arc<Connection>) {
        if let WriteStage::Datagrams(sender) = &mut self.stage {
            if !sender.drive(connection) {
                connection.blocked.store(true, Ordering::Relaxed);
            } else if sender.inbound.is_finished() {
                self.finish(connection);
            }
            return;
        }
        loop {
            self.fill(connection);
            if self.batch.is_empty() {
                self.batch.release();
                if connection.stream.has_unsent() && self.flush(connection) {
                    // Now everything is written; if the pipe is closed, that is for the session to know.
                    continue;
                }
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

    /// Writes what the stream has taken and the kernel hasn't. Whether that was all.
    #[cold]
    fn flush(&mut self, connection: &Arc<Connection>) -> bool {
        loop {
            match connection.stream.flush() {
                Ok(true) => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(false) => {
                    connection.blocked.store(true, Ordering::Relaxed);
                    return false;
                }
                Err(_) => {
                    connection.blocked.store(true, Ordering::Relaxed);
                    self.finish(connection);
                    return false;
                }
            }
        }
    }

    /// Encodes messages until the batch is full or the pipe is empty.
    pub(super) fn fill(&mut self, connection: &Arc<Connection>) {
        let WriteStage::Open { encoder, inbound } = &mut self.stage else { return };
        let mut written = 0;
        while !self.batch.is_full(self.limit) {
            if !self.more
                && let Some(command) = self.commands.pop_front()
            {
                if command.kind() == Kind::Pong {
                    connection.answered();
                }
                self.batch.append(|bytes| encoder.encode(&command, bytes));
                continue;
            }
            if !inbound.pop(&mut self.message) {
                if self.batch.is_empty() && inbound.sleep() {
                    if inbound.grant_dry()
                        && let Some(pipe) = connection.link.pipe()
                    {
                        connection.mailbox.post(Command::Room(pipe));
                    }
                    if inbound.is_finished() && !connection.stream.has_unsent() {
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
    pub(super) fn finish(&mut self, connection: &Connection) {
        let inbound = match &self.stage {
            WriteStage::Open { inbound, .. } => inbound,
            WriteStage::Datagrams(sender) => &sender.inbound,
            _ => return,
        };
        if inbound.is_closed() && !self.finished {
            self.finished = true;
            let token = connection.token;
            connection.link.post(|session| IoCommand::Flushed { session, connection: token });
        }
    }
}
