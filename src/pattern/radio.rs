//! RADIO: publishes to groups (RFC 48).

use super::groups::Groups;
use super::multipart::Multipart;
use super::routing::Distribution;
use super::{Attachment, Env, Pattern};
use crate::error::{Error, Result};
use crate::message::{Kind, Message};
use crate::pipe::PipeId;

/// The RADIO pattern. A message goes to the members of its group; one without a group, to those of the empty group.
#[derive(Default)]
pub struct Radio {
    groups: Groups,
    outbound: Distribution,
    /// Pipes that get everything: nobody at the other end can say what it has joined (udp).
    unfiltered: Vec<PipeId>,
}

impl Radio {
    /// Reads all that a member has sent.
    fn read_all(&mut self, env: &mut Env, pipe: PipeId) {
        let mut message = Message::new();
        while env.pipes.read(pipe, &mut message) {
            match message.kind() {
                Kind::Join => self.groups.join(pipe, message.group()),
                Kind::Leave => self.groups.leave(pipe, message.group()),
                _ => {}
            }
        }
    }
}

impl Pattern for Radio {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, attachment: Attachment) {
        // Nobody here reads what a closing peer may have left.
        env.pipes.set_no_delay(pipe);
        self.outbound.attach(pipe);
        if attachment.subscribe_to_all {
            self.unfiltered.push(pipe);
        }
        self.read_all(env, pipe);
    }

    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        if Multipart::Refused.refuses(message) {
            return Err(Error::Invalid);
        }
        self.outbound.clear_marks();
        for &pipe in self.groups.members(message.group()).iter().chain(&self.unfiltered) {
            self.outbound.mark(pipe);
        }
        if env.options.xpub_nodrop && !self.outbound.has_room(env.pipes) {
            return Err(Error::Again);
        }
        self.outbound.send_to_marked(env.pipes, message);
        Ok(())
    }

    fn has_out(&mut self, _env: &mut Env) -> bool {
        true
    }

    fn read_activated(&mut self, env: &mut Env, pipe: PipeId) {
        self.read_all(env, pipe);
    }

    fn write_activated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.outbound.activated(pipe);
    }

    fn terminated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.groups.remove(pipe);
        self.unfiltered.retain(|&other| other != pipe);
        self.outbound.terminated(pipe);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SocketType;
    use crate::pattern::testing::{Peer, Socket, part};

    fn command(socket: &mut Socket, peer: &mut Peer, kind: Kind, group: &str) {
        let mut message = Message::new();
        message.set_group(group.as_bytes()).unwrap();
        message.set_kind(kind);
        peer.push(message);
        peer.flush(socket);
    }

    fn publish(socket: &mut Socket, group: &str, body: &str) -> Result<()> {
        let mut message = part(body.as_bytes(), false);
        message.set_group(group.as_bytes()).unwrap();
        socket.call(|pattern, env| pattern.send(env, &mut message))
    }

    #[test]
    fn messages_go_to_the_members_of_their_group_exactly() {
        let mut radio = Socket::new(SocketType::Radio);
        let (mut a, mut b) = (radio.peer(), radio.peer());
        command(&mut radio, &mut a, Kind::Join, "news");
        command(&mut radio, &mut a, Kind::Join, "");
        command(&mut radio, &mut b, Kind::Join, "new");
        for (group, body) in [("news", "1"), ("new", "2"), ("", "3"), ("n", "4")] {
            publish(&mut radio, group, body).unwrap();
        }
        assert_eq!(a.recv_all(&mut radio), ["1", "3"]);
        assert_eq!(b.recv_all(&mut radio), ["2"]);
        assert_eq!(radio.recv(), Err(Error::NotSupported));
        assert!(radio.has_out() && !radio.has_in());
    }

    #[test]
    fn who_joins_twice_leaves_twice_and_gets_each_message_once() {
        let mut radio = Socket::new(SocketType::Radio);
        let (mut a, mut b) = (radio.peer(), radio.peer());
        for peer in [&mut a, &mut b] {
            command(&mut radio, peer, Kind::Join, "g");
        }
        command(&mut radio, &mut a, Kind::Join, "g");
        publish(&mut radio, "g", "1").unwrap();
        command(&mut radio, &mut a, Kind::Leave, "g");
        command(&mut radio, &mut a, Kind::Leave, "never joined");
        publish(&mut radio, "g", "2").unwrap();
        command(&mut radio, &mut a, Kind::Leave, "g");
        command(&mut radio, &mut a, Kind::Leave, "g");
        publish(&mut radio, "g", "3").unwrap();
        assert_eq!(a.recv_all(&mut radio), ["1", "2"]);
        assert_eq!(b.recv_all(&mut radio), ["1", "2", "3"]);
        b.close(&mut radio);
        publish(&mut radio, "g", "4").unwrap();
        assert_eq!(radio.pipes.len(), 1);
    }

    #[test]
    fn a_member_that_is_full_misses_messages_or_is_waited_for() {
        let mut radio = Socket::new(SocketType::Radio);
        radio.options.sndhwm = 2;
        let (mut slow, mut quick) = (radio.peer(), radio.peer());
        command(&mut radio, &mut slow, Kind::Join, "g");
        command(&mut radio, &mut quick, Kind::Join, "g");
        let mut seen = Vec::new();
        for body in ["1", "2", "3", "4"] {
            publish(&mut radio, "g", body).unwrap();
            seen.extend(quick.recv_all(&mut radio));
        }
        assert_eq!(seen, ["1", "2", "3", "4"]);
        assert_eq!(slow.recv_all(&mut radio), ["1", "2"]);
        radio.options.xpub_nodrop = true;
        publish(&mut radio, "g", "5").unwrap();
        publish(&mut radio, "g", "6").unwrap();
        assert_eq!(quick.recv_all(&mut radio), ["5", "6"]);
        assert_eq!(publish(&mut radio, "g", "7"), Err(Error::Again));
        assert_eq!(slow.recv_all(&mut radio), ["5", "6"]);
        publish(&mut radio, "g", "7").unwrap();
        assert_eq!(slow.recv_all(&mut radio), ["7"]);
        assert_eq!(quick.recv_all(&mut radio), ["7"]);
    }

    #[test]
    fn messages_have_one_part() {
        let mut radio = Socket::new(SocketType::Radio);
        let mut a = radio.peer();
        command(&mut radio, &mut a, Kind::Join, "");
        let mut message = part(b"x", true);
        assert_eq!(radio.call(|pattern, env| pattern.send(env, &mut message)), Err(Error::Invalid));
        publish(&mut radio, "", "y").unwrap();
        assert_eq!(a.recv_all(&mut radio), ["y"]);
    }

    #[test]
    fn who_cannot_join_gets_everything() {
        let mut radio = Socket::new(SocketType::Radio);
        let mut a = radio.peer_with(Attachment { subscribe_to_all: true, locally_initiated: true }, |_| {});
        publish(&mut radio, "g", "1").unwrap();
        publish(&mut radio, "", "2").unwrap();
        assert_eq!(a.recv_all(&mut radio), ["1", "2"]);
        a.close(&mut radio);
        publish(&mut radio, "g", "3").unwrap();
        assert!(radio.pipes.is_empty());
    }
}
