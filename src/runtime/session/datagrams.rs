//! A session over udp: there is nobody to shake hands with, nor to lose.

use super::{Fate, Role, Session};
use crate::options::SocketType;
use crate::pipe::PipeEnd;
use crate::runtime::connection::{Connection, Destination, Failure, Form, IO_BUDGET, Receiver, Sender};
use crate::runtime::mailbox::Command;
use std::os::fd::AsRawFd;
use std::sync::Arc;

impl Session {
    /// Begins to send and to receive, if there is a descriptor for it.
    pub fn start_datagrams(&mut self, now: u64) -> Fate {
        let Role::Datagrams(socket) = &mut self.role else { return Fate::Live };
        let (Some(socket), Some(link)) = (socket.take(), self.link.clone()) else { return self.end() };
        let Some(PipeEnd { outbound, inbound }) = self.parked.take() else { return self.end() };
        let owner = self.owner.clone();
        let options = &owner.options;
        let form = if options.socket_type == SocketType::Dgram { Form::Named } else { Form::Grouped };
        let form = socket.directions.receive.then_some(form);
        let destination = match socket.target {
            _ if !socket.directions.send => Destination::Nowhere,
            Some(target) => Destination::One(target),
            None => Destination::Named { ipv6: socket.ipv6 },
        };
        let halves = (Receiver::new(form, options.maxmsgsize, outbound), Sender::new(destination, inbound));
        let (group, mailbox) = (owner.group.clone(), owner.mailbox.clone());
        let connection = owner.group.insert(|token| {
            Connection::datagrams(token, group, link.clone(), mailbox, socket.stream, halves)
        });
        self.connection = Some(connection.clone());
        self.open = true;
        // It isn't announced to the group: callers that wait leave the receiving to the I/O thread. A caller that has the connections reads them
        // when it waits, and what it does in between may take longer than the kernel has room for datagrams.
        if let Some(pipe) = link.pipe() {
            let connection = Arc::downgrade(&connection);
            owner.mailbox.post(Command::Connected { pipe, connection, metadata: None });
        }
        let (fd, token) = (connection.stream().as_raw_fd(), connection.token);
        if let Err(error) = owner.group.watch(fd, token) {
            return self.failed(token, Failure::Transport(error), now);
        }
        connection.drive_write(false);
        connection.drive_read(true, IO_BUDGET);
        Fate::Live
    }
}
