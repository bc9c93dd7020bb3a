//! Messages of several parts, and the socket types that know none.

use crate::message::Message;
use crate::pipe::{PipeId, Pipes};

/// Whether a socket's messages may have several parts. Those of the thread-safe types may not: several threads' parts would run
/// into each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Multipart {
    /// They may.
    #[default]
    Allowed,
    /// What is to be sent is refused (`EINVAL`), what comes is dropped.
    Refused,
}

impl Multipart {
    /// Whether a message that begins with this part is refused.
    #[inline]
    pub fn refuses(self, first: &Message) -> bool {
        first.more() && self == Self::Refused
    }

    /// Whether the message that is to be read next, and is there, is refused.
    #[inline]
    pub fn refuses_next(self, pipes: &mut Pipes, pipe: PipeId) -> bool {
        self == Self::Refused && pipes.peek(pipe).is_some_and(Message::more)
    }
}

/// Drops parts up to the last one of a message. False: the pipe has ended, or is passive, before it.
#[cold]
pub fn drop_message(pipes: &mut Pipes, pipe: PipeId) -> bool {
    let mut part = Message::new();
    while pipes.read(pipe, &mut part) {
        if !part.more() {
            return true;
        }
    }
    false
}
