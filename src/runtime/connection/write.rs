//! The half of a connection that writes: from the pipe to the descriptor.

use super::datagrams::Sender;
use super::{BY_REFERENCE, Connection, MESSAGE_COST, WriteBatch};
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
    /// Writes until there is nothing left, the kernel takes no more, or the budget is used up: then it is 0.
    pub(super) fn drive(&mut self, connection: &Arc<Connection>, budget: &mut usize) {
        if let WriteStage::Datagrams(sender) = &mut self.stage {
            if !sender.drive(connection, budget) {
                connection.blocked.store(true, Ordering::Relaxed);
            } else if *budget > 0 && sender.inbound.is_finished() {
                self.finish(connection);
            }
            return;
        }
        while *budget > 0 {
            let messages = self.fill(connection);
            *budget = budget.saturating_sub(messages as usize * MESSAGE_COST);
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
                    *budget = budget.saturating_sub(count);
                    connection.bytes_written.fetch_add(count as u64, Ordering::Relaxed);
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

    /// Encodes messages until the batch is full or the pipe is empty. How many.
    pub(super) fn fill(&mut self, connection: &Arc<Connection>) -> u64 {
        let WriteStage::Open { encoder, inbound } = &mut self.stage else { return 0 };
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
        written
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{ContextOptions, Options, SocketType};
    use crate::pipe::{Marks, Outbound, PipeEnd, pipe};
    use crate::runtime::connection::BatchSizes;
    use crate::runtime::group::Group;
    use crate::runtime::io_thread::{self, SessionId};
    use crate::runtime::link::SessionLink;
    use crate::runtime::mailbox::Mailbox;
    use crate::transport::Stream;
    use crate::zmtp::Decoder;
    use std::io::Read;

    const SIZE: usize = 1000;

    /// A connection that writes bodies and nothing else, what goes to it, and the peer. `live`: with an I/O thread.
    fn connection(live: bool) -> (Arc<Connection>, Outbound, socket2::Socket) {
        let (io, thread) = io_thread::spawn(0, &ContextOptions::default()).unwrap();
        if !live {
            io.post(IoCommand::Stop);
            thread.join();
        }
        let (ours, peer) = socket2::Socket::pair(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        ours.set_nonblocking(true).unwrap();
        let mailbox = Arc::new(Mailbox::new());
        let group = Group::new(io.clone(), mailbox.clone()).unwrap();
        if live {
            io.post(IoCommand::AddGroup(group.clone()));
        }
        let link = SessionLink::new(io, SessionId(1), None);
        let options = Options::new(SocketType::Stream, &ContextOptions::default());
        let established = crate::runtime::handshake::skip(&options);
        let sizes = BatchSizes::from_options(&options);
        let fd = std::os::fd::AsRawFd::as_raw_fd(&ours);
        let connection = group.insert(|token| {
            Connection::raw(token, group.clone(), link, mailbox, Stream::of(ours), established, sizes)
        });
        group.watch(fd, connection.token).unwrap();
        let (PipeEnd { outbound, .. }, there) = pipe(Marks { send: 0, receive: 0, peer: None }, false);
        connection.open((Decoder::raw(8192), Encoder::raw()), there, None, None);
        (connection, outbound, peer)
    }

    fn queue(outbound: &mut Outbound, messages: usize) {
        for _ in 0..messages {
            outbound.push(Message::from_slice(&[7; SIZE]).unwrap());
        }
        let _ = outbound.flush();
    }

    #[test]
    fn no_more_is_written_in_one_go_than_the_budget_allows() {
        let (connection, mut outbound, _peer) = connection(false);
        queue(&mut outbound, 150);
        let mut half = connection.write.lock();
        let mut budget = 10 * SIZE;
        half.drive(&connection, &mut budget);
        // One batch, as more than the budget isn't taken back.
        let first = connection.bytes_written();
        assert!(budget == 0 && (1..=70_000).contains(&first) && !connection.is_blocked(), "{first} bytes");
        half.drive(&connection, &mut budget);
        assert_eq!(connection.bytes_written(), first);
        budget = usize::MAX;
        half.drive(&connection, &mut budget);
        assert_eq!(connection.bytes_written(), 150 * SIZE as u64);
        assert!(budget > 0 && budget <= usize::MAX - (150 * SIZE - first as usize));
    }

    #[test]
    fn what_exceeds_the_budget_is_written_later() {
        let (connection, mut outbound, mut peer) = connection(true);
        let messages = 3 * super::super::WRITE_BUDGET / SIZE;
        queue(&mut outbound, messages);
        peer.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let reader = std::thread::spawn(move || {
            let mut bytes = vec![0; 1 << 20];
            let mut left = messages * SIZE;
            while left > 0 {
                left -= peer.read(&mut bytes).unwrap();
            }
        });
        // Nobody drives it again but the I/O thread.
        connection.drive_write(false);
        reader.join().unwrap();
        connection.group.io.post(IoCommand::Stop);
    }
}
