//! SUB: a subscriber (RFC 29).

use super::xsub::XSub;
use super::{Attachment, Env, Pattern, SUBSCRIBE, UNSUBSCRIBE};
use crate::error::{Error, Result};
use crate::message::{Kind, Message};
use crate::pipe::PipeId;

/// The SUB pattern: an XSUB whose subscriptions are options, and that receives only what it has subscribed to.
pub struct Subscribe {
    xsub: XSub,
}

impl Default for Subscribe {
    fn default() -> Self {
        Self { xsub: XSub::filtering() }
    }
}

impl Pattern for Subscribe {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, attachment: Attachment) {
        self.xsub.attached(env, pipe, attachment);
    }

    #[inline]
    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        self.xsub.recv(env, out)
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        self.xsub.has_in(env)
    }

    fn read_activated(&mut self, env: &mut Env, pipe: PipeId) {
        self.xsub.read_activated(env, pipe);
    }

    fn write_activated(&mut self, env: &mut Env, pipe: PipeId) {
        self.xsub.write_activated(env, pipe);
    }

    fn hiccuped(&mut self, env: &mut Env, pipe: PipeId) {
        self.xsub.hiccuped(env, pipe);
    }

    fn terminated(&mut self, env: &mut Env, pipe: PipeId) {
        self.xsub.terminated(env, pipe);
    }

    fn set_option(&mut self, env: &mut Env, id: i32, value: &[u8]) -> Result<()> {
        let kind = match id {
            SUBSCRIBE => Kind::Subscribe,
            UNSUBSCRIBE => Kind::Cancel,
            _ => return Err(Error::Invalid),
        };
        let mut message = Message::from_slice(value)?;
        message.set_kind(kind);
        self.xsub.send(env, &mut message)
    }

    fn topics_count(&self) -> Result<i32> {
        self.xsub.topics_count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SocketType;
    use crate::pattern::testing::Socket;

    fn sub(topics: &[&str]) -> Socket {
        let mut sub = Socket::new(SocketType::Sub);
        for topic in topics {
            sub.set(SUBSCRIBE, topic.as_bytes()).unwrap();
        }
        sub
    }

    #[test]
    fn receives_what_it_has_subscribed_to() {
        let mut sub = sub(&["a"]);
        let mut publisher = sub.peer();
        for message in [["b", "1"], ["a", "2"], ["ab", "3"], ["c", "a"]] {
            publisher.send(&mut sub, &message);
        }
        assert!(sub.has_in());
        assert_eq!(sub.recv().unwrap(), ["a", "2"]);
        assert_eq!(sub.recv().unwrap(), ["ab", "3"]);
        assert!(!sub.has_in());
        assert_eq!(sub.recv(), Err(Error::Again));
        sub.set(UNSUBSCRIBE, b"a").unwrap();
        publisher.send(&mut sub, &["a"]);
        assert!(!sub.has_in());
    }

    #[test]
    fn looking_for_a_message_loses_no_part_of_it() {
        let mut sub = sub(&["a"]);
        let mut publisher = sub.peer();
        publisher.send(&mut sub, &["a", "x", "b"]);
        for body in [&b"a"[..], b"x", b"b"] {
            assert!(sub.has_in());
            assert_eq!(sub.recv_part().unwrap().data(), body);
        }
        assert!(!sub.has_in());
    }

    #[test]
    fn inverted_it_receives_what_it_has_not_subscribed_to() {
        let mut sub = sub(&["a"]);
        sub.options.invert_matching = true;
        let mut publisher = sub.peer();
        publisher.send(&mut sub, &["ab"]);
        publisher.send(&mut sub, &["b"]);
        assert_eq!(sub.recv().unwrap(), ["b"]);
        assert_eq!(sub.recv(), Err(Error::Again));
    }

    #[test]
    fn publishers_hear_of_subscriptions() {
        let mut sub = sub(&["x"]);
        let mut publisher = sub.peer();
        sub.set(SUBSCRIBE, b"y").unwrap();
        sub.set(UNSUBSCRIBE, b"x").unwrap();
        sub.set(UNSUBSCRIBE, b"never").unwrap();
        let told = std::iter::from_fn(|| publisher.recv_part(&mut sub))
            .map(|message| (message.kind(), message.data().to_vec()))
            .collect::<Vec<_>>();
        let expected = [(Kind::Subscribe, "x"), (Kind::Subscribe, "y"), (Kind::Cancel, "x")];
        assert_eq!(told, expected.map(|(kind, topic)| (kind, topic.as_bytes().to_vec())));
        assert_eq!(sub.pattern.topics_count(), Ok(1));
    }

    #[test]
    fn sends_nothing_and_knows_no_other_option() {
        let mut sub = sub(&[]);
        assert!(!sub.has_out());
        assert_eq!(sub.send(&["x"]), Err(Error::NotSupported));
        assert_eq!(sub.set(0, b""), Err(Error::Invalid));
    }

    #[test]
    fn a_message_cut_short_lets_nothing_unwanted_through() {
        let mut sub = sub(&["a"]);
        let (mut first, mut second) = (sub.peer(), sub.peer());
        first.send(&mut sub, &["a", "x"]);
        second.send(&mut sub, &["b"]);
        second.send(&mut sub, &["a2"]);
        assert_eq!(sub.recv_part().unwrap().data(), b"a");
        sub.call(|_, env| env.pipes.terminate(first.id, false));
        assert_eq!(sub.recv().unwrap(), ["a2"]);
    }
}
