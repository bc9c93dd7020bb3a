//! PUB: a publisher (RFC 29).

use super::xpub::XPub;
use super::{Attachment, Env, Pattern};
use crate::error::Result;
use crate::message::Message;
use crate::pipe::PipeId;

/// The PUB pattern: an XPUB that doesn't show its subscriptions.
pub struct Publish {
    xpub: XPub,
}

impl Default for Publish {
    fn default() -> Self {
        Self { xpub: XPub::mute() }
    }
}

impl Pattern for Publish {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, attachment: Attachment) {
        // Nobody here reads what a closing peer may have left.
        env.pipes.set_no_delay(pipe);
        self.xpub.attached(env, pipe, attachment);
    }

    #[inline]
    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        self.xpub.send(env, message)
    }

    fn has_out(&mut self, env: &mut Env) -> bool {
        self.xpub.has_out(env)
    }

    fn read_activated(&mut self, env: &mut Env, pipe: PipeId) {
        self.xpub.read_activated(env, pipe);
    }

    fn write_activated(&mut self, env: &mut Env, pipe: PipeId) {
        self.xpub.write_activated(env, pipe);
    }

    fn terminated(&mut self, env: &mut Env, pipe: PipeId) {
        self.xpub.terminated(env, pipe);
    }

    fn set_option(&mut self, env: &mut Env, id: i32, value: &[u8]) -> Result<()> {
        self.xpub.set_option(env, id, value)
    }

    fn topics_count(&self) -> Result<i32> {
        self.xpub.topics_count()
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::message::Kind;
    use crate::options::SocketType;
    use crate::pattern::testing::Socket;

    #[test]
    fn publishes_and_never_receives() {
        let mut publisher = Socket::new(SocketType::Pub);
        let mut a = publisher.peer();
        a.send_kind(&mut publisher, Kind::Subscribe, "x");
        a.send(&mut publisher, &["not read by anybody"]);
        assert!(!publisher.has_in() && publisher.has_out());
        assert_eq!(publisher.recv(), Err(Error::NotSupported));
        assert_eq!(publisher.pattern.topics_count(), Ok(1));
        publisher.send(&["x", "1"]).unwrap();
        publisher.send(&["y", "2"]).unwrap();
        assert_eq!(a.recv(&mut publisher).unwrap(), ["x", "1"]);
        assert_eq!(a.recv(&mut publisher), None);
        a.close(&mut publisher);
        assert!(publisher.pipes.is_empty());
        assert_eq!(publisher.pattern.topics_count(), Ok(0));
    }

    #[test]
    fn conflated_only_the_last_message_is_kept() {
        let mut publisher = Socket::new(SocketType::Pub);
        publisher.options.conflate = true;
        let mut a = publisher.peer();
        a.send_kind(&mut publisher, Kind::Subscribe, "");
        for body in ["1", "2", "3"] {
            publisher.send(&[body]).unwrap();
        }
        assert_eq!(a.recv_all(&mut publisher), ["3"]);
    }
}
