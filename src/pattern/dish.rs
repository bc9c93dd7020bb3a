//! DISH: receives from the groups that it has joined (RFC 48).

use std::collections::HashSet;

use super::routing::{Distribution, FilteredQueue};
use super::{Attachment, Env, Pattern};
use crate::error::{Error, Result};
use crate::message::{Kind, MAX_GROUP, Message};
use crate::pipe::PipeId;

/// The DISH pattern.
#[derive(Default)]
pub struct Dish {
    inbound: FilteredQueue,
    outbound: Distribution,
    groups: HashSet<Box<[u8]>>,
}

impl Dish {
    /// Tells one publisher what is joined.
    fn send_groups(&mut self, env: &mut Env, pipe: PipeId) {
        for group in &self.groups {
            // A publisher that has no room for it misses it, as with `join` itself.
            if let Ok(mut message) = command(Kind::Join, group) {
                env.pipes.write(pipe, &mut message);
            }
        }
        env.pipes.flush(pipe);
    }
}

fn command(kind: Kind, group: &[u8]) -> Result<Message> {
    let mut message = Message::new();
    message.set_group(group)?;
    message.set_kind(kind);
    Ok(message)
}

impl Pattern for Dish {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, _attachment: Attachment) {
        self.inbound.attach(pipe);
        self.outbound.attach(pipe);
        self.send_groups(env, pipe);
    }

    // Publishers know the groups too, but not over udp, and not at once.
    #[inline]
    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        let received = self.inbound.recv(env.pipes, out, |message| self.groups.contains(message.group()));
        if received { Ok(()) } else { Err(Error::Again) }
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        self.inbound.has_in(env.pipes, |message| self.groups.contains(message.group()))
    }

    fn has_out(&mut self, _env: &mut Env) -> bool {
        true
    }

    fn read_activated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.inbound.activated(pipe);
    }

    fn write_activated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.outbound.activated(pipe);
    }

    fn hiccuped(&mut self, env: &mut Env, pipe: PipeId) {
        self.outbound.hiccuped(env.pipes, pipe);
        self.send_groups(env, pipe);
    }

    fn terminated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.inbound.terminated(pipe);
        self.outbound.terminated(pipe);
    }

    fn join(&mut self, env: &mut Env, group: &[u8], joined: bool) -> Result<()> {
        if group.len() > MAX_GROUP {
            return Err(Error::Invalid);
        }
        let mut message = command(if joined { Kind::Join } else { Kind::Leave }, group)?;
        let changed = if joined { self.groups.insert(group.into()) } else { self.groups.remove(group) };
        if !changed {
            return Err(Error::Invalid);
        }
        self.outbound.send_to_all(env.pipes, &mut message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SocketType;
    use crate::pattern::testing::{Peer, Socket, part};

    fn join(socket: &mut Socket, group: &str, joined: bool) -> Result<()> {
        socket.call(|pattern, env| pattern.join(env, group.as_bytes(), joined))
    }

    fn commands(socket: &mut Socket, peer: &mut Peer) -> Vec<(Kind, String)> {
        std::iter::from_fn(|| peer.recv_part(socket))
            .map(|message| (message.kind(), String::from_utf8_lossy(message.group()).into_owned()))
            .collect()
    }

    fn deliver(socket: &mut Socket, peer: &mut Peer, group: &str, body: &str) {
        let mut message = part(body.as_bytes(), false);
        message.set_group(group.as_bytes()).unwrap();
        peer.push(message);
        peer.flush(socket);
    }

    #[test]
    fn publishers_are_told_whenever_they_come() {
        let mut dish = Socket::new(SocketType::Dish);
        join(&mut dish, "a", true).unwrap();
        let mut early = dish.peer();
        join(&mut dish, "b", true).unwrap();
        join(&mut dish, "a", false).unwrap();
        let mut late = dish.peer();
        let say = |kind, group: &str| (kind, group.to_owned());
        assert_eq!(
            commands(&mut dish, &mut early),
            [say(Kind::Join, "a"), say(Kind::Join, "b"), say(Kind::Leave, "a")]
        );
        assert_eq!(commands(&mut dish, &mut late), [say(Kind::Join, "b")]);
        dish.call(|pattern, env| pattern.hiccuped(env, late.id));
        assert_eq!(commands(&mut dish, &mut late), [say(Kind::Join, "b")]);
    }

    #[test]
    fn only_what_is_not_joined_can_be_joined_and_the_other_way_round() {
        let mut dish = Socket::new(SocketType::Dish);
        let mut peer = dish.peer();
        assert_eq!(join(&mut dish, "a", false), Err(Error::Invalid));
        assert_eq!(join(&mut dish, &"x".repeat(256), true), Err(Error::Invalid));
        assert_eq!(join(&mut dish, &"x".repeat(256), false), Err(Error::Invalid));
        join(&mut dish, &"x".repeat(255), true).unwrap();
        join(&mut dish, "", true).unwrap();
        assert_eq!(join(&mut dish, "", true), Err(Error::Invalid));
        join(&mut dish, "", false).unwrap();
        assert_eq!(join(&mut dish, "", false), Err(Error::Invalid));
        assert_eq!(commands(&mut dish, &mut peer).len(), 3);
        let mut pair = Socket::new(SocketType::Pair);
        assert_eq!(join(&mut pair, "a", true), Err(Error::NotSupported));
    }

    #[test]
    fn only_joined_groups_are_received() {
        let mut dish = Socket::new(SocketType::Dish);
        let mut peer = dish.peer();
        join(&mut dish, "a", true).unwrap();
        deliver(&mut dish, &mut peer, "b", "1");
        assert!(!dish.has_in());
        deliver(&mut dish, &mut peer, "a", "2");
        deliver(&mut dish, &mut peer, "", "3");
        deliver(&mut dish, &mut peer, "a", "4");
        assert!(dish.has_in());
        assert_eq!([dish.recv().unwrap(), dish.recv().unwrap()], [["2"], ["4"]]);
        assert_eq!(dish.recv(), Err(Error::Again));
        assert_eq!(dish.send(&["x"]), Err(Error::NotSupported));
        join(&mut dish, "", true).unwrap();
        peer.send(&mut dish, &["no group", "two parts"]);
        peer.send(&mut dish, &["no group"]);
        assert_eq!(dish.recv().unwrap(), ["no group", "two parts"]);
        join(&mut dish, "", false).unwrap();
        deliver(&mut dish, &mut peer, "a", "5");
        assert_eq!(dish.recv().unwrap(), ["5"]);
    }
}
