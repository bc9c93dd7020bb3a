//! XSUB: a subscriber that sends its subscriptions as messages (RFC 29).
//!
//! A message that begins with a byte 1 subscribes to the topic behind it, one that begins with 0 cancels that;
//! any other goes to the publishers as it is.

use super::routing::{Distribution, FilteredQueue};
use super::subscriptions::{CountedSubscriptions, Removed, subscription};
use super::{Attachment, Env, Pattern};
use crate::error::{Error, Result};
use crate::message::{Kind, Message};
use crate::options::Options;
use crate::pipe::PipeId;

/// The XSUB pattern, and most of SUB.
#[derive(Default)]
pub struct XSub {
    inbound: FilteredQueue,
    outbound: Distribution,
    subscriptions: CountedSubscriptions,
    /// The next part to be sent has its message's first part before it.
    sending: bool,
    /// That next part may be a subscription too.
    may_subscribe: bool,
    /// Only messages that were subscribed to are received (SUB).
    filter: bool,
}

impl XSub {
    /// For a socket that receives only what it has subscribed to.
    pub fn filtering() -> Self {
        Self { filter: true, ..Self::default() }
    }

    /// Tells one publisher what is subscribed to.
    fn send_subscriptions(&mut self, env: &mut Env, pipe: PipeId) {
        self.subscriptions.for_each(|topic| {
            // A publisher that has no room for a subscription misses it, as with ZMQ_SUBSCRIBE itself.
            if let Ok(mut message) = Message::from_slice(topic) {
                message.set_kind(Kind::Subscribe);
                env.pipes.write(pipe, &mut message);
            }
        });
        env.pipes.flush(pipe);
    }
}

/// Whether a subscriber is to receive the message that begins with this part.
fn wants(subscriptions: &CountedSubscriptions, options: &Options, first: &Message) -> bool {
    subscriptions.matches(first.data()) != options.invert_matching
}

impl Pattern for XSub {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, _attachment: Attachment) {
        self.inbound.attach(pipe);
        self.outbound.attach(pipe);
        self.send_subscriptions(env, pipe);
    }

    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        let first = !std::mem::replace(&mut self.sending, message.more());
        if first {
            self.may_subscribe = !env.options.only_first_subscribe;
        }
        let pass_on = if !first && !self.may_subscribe {
            true
        } else {
            // Repeated subscriptions are passed on: a forwarder with ZMQ_XPUB_VERBOSE wants to see them.
            let change = subscription(message);
            let pass_on = match change {
                Some((true, topic)) => {
                    self.subscriptions.add(topic);
                    true
                }
                Some((false, topic)) => {
                    self.subscriptions.remove(topic) == Removed::Last || env.options.xsub_verbose_unsubscribe
                }
                None => true,
            };
            self.may_subscribe |= change.is_some();
            pass_on
        };
        if pass_on {
            self.outbound.send_to_all(env.pipes, message);
        } else {
            *message = Message::new();
        }
        Ok(())
    }

    #[inline]
    fn recv(&mut self, env: &mut Env, out: &mut Message) -> Result<()> {
        let received = if self.filter {
            let wants = |message: &Message| wants(&self.subscriptions, env.options, message);
            self.inbound.recv(env.pipes, out, wants)
        } else {
            self.inbound.unfiltered().recv(env.pipes, out).is_some()
        };
        if received { Ok(()) } else { Err(Error::Again) }
    }

    fn has_in(&mut self, env: &mut Env) -> bool {
        if !self.filter {
            return self.inbound.unfiltered().has_in(env.pipes);
        }
        self.inbound.has_in(env.pipes, |message| wants(&self.subscriptions, env.options, message))
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
        self.send_subscriptions(env, pipe);
    }

    fn terminated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.inbound.terminated(pipe);
        self.outbound.terminated(pipe);
    }

    fn topics_count(&self) -> Result<i32> {
        Ok(i32::try_from(self.subscriptions.len()).unwrap_or(i32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SocketType;
    use crate::pattern::testing::{Peer, Socket};

    fn xsub() -> Socket {
        Socket::new(SocketType::XSub)
    }

    /// What a publisher was sent: subscriptions as `+topic`, cancellations as `-topic`.
    fn sent(xsub: &mut Socket, peer: &mut Peer) -> Vec<String> {
        std::iter::from_fn(|| peer.recv_part(xsub))
            .map(|message| match subscription(&message) {
                Some((true, topic)) => ("+", topic.to_vec()),
                Some((false, topic)) => ("-", topic.to_vec()),
                None => ("", message.data().to_vec()),
            })
            .map(|(sign, topic)| format!("{sign}{}", String::from_utf8_lossy(&topic)))
            .collect()
    }

    #[test]
    fn subscriptions_go_to_all_publishers() {
        let mut xsub = xsub();
        assert!(xsub.has_out());
        xsub.send(&["\u{1}early"]).unwrap();
        let (mut a, mut b) = (xsub.peer(), xsub.peer());
        xsub.send(&["\u{1}x"]).unwrap();
        xsub.send(&["message"]).unwrap();
        for peer in [&mut a, &mut b] {
            assert_eq!(sent(&mut xsub, peer), ["+early", "+x", "message"]);
        }
        assert_eq!(xsub.pattern.topics_count(), Ok(2));
    }

    #[test]
    fn only_the_last_cancellation_is_sent_unless_verbose() {
        let mut xsub = xsub();
        let mut a = xsub.peer();
        for message in ["\u{1}x", "\u{1}x", "\u{0}x", "\u{0}x", "\u{0}x"] {
            xsub.send(&[message]).unwrap();
        }
        assert_eq!(sent(&mut xsub, &mut a), ["+x", "+x", "-x"]);
        xsub.options.xsub_verbose_unsubscribe = true;
        xsub.send(&["\u{0}x"]).unwrap();
        assert_eq!(sent(&mut xsub, &mut a), ["-x"]);
    }

    #[test]
    fn a_publisher_that_was_away_is_told_again() {
        let mut xsub = xsub();
        let mut a = xsub.peer();
        for message in ["\u{1}x", "\u{1}x", "\u{1}y", "\u{1}z", "\u{0}z"] {
            xsub.send(&[message]).unwrap();
        }
        sent(&mut xsub, &mut a);
        xsub.call(|pattern, env| pattern.hiccuped(env, a.id));
        assert_eq!(sent(&mut xsub, &mut a), ["+x", "+y"]);
    }

    #[test]
    fn later_parts_are_subscriptions_unless_only_the_first_may_be() {
        let mut xsub = xsub();
        xsub.send(&["message", "\u{1}x"]).unwrap();
        assert_eq!(xsub.pattern.topics_count(), Ok(1));
        xsub.options.only_first_subscribe = true;
        xsub.send(&["message", "\u{1}y"]).unwrap();
        assert_eq!(xsub.pattern.topics_count(), Ok(1));
        xsub.send(&["\u{1}y", "\u{1}z"]).unwrap();
        assert_eq!(xsub.pattern.topics_count(), Ok(3));
    }

    #[test]
    fn receives_everything_that_comes() {
        let mut xsub = xsub();
        let (mut a, mut b) = (xsub.peer(), xsub.peer());
        a.send(&mut xsub, &["a1", "more"]);
        a.send(&mut xsub, &["a2"]);
        b.send(&mut xsub, &["b1"]);
        assert!(xsub.has_in());
        assert_eq!(xsub.recv().unwrap(), ["a1", "more"]);
        assert_eq!(xsub.recv().unwrap(), ["b1"]);
        assert_eq!(xsub.recv().unwrap(), ["a2"]);
        assert_eq!(xsub.recv(), Err(Error::Again));
    }
}
