//! Messages: the unit that sockets send and receive, and in C the `zmq_msg_t`.
//!
//! The body of a message is one of
//!
//! - inline, up to [`MAX_INLINE`] bytes;
//! - in a block of its own, from a cache of such memory (`pool`), together with a reference count;
//! - in memory of the caller's, with a function that frees it ([`Message::from_external`]);
//! - in memory that is there for ever ([`Message::from_constant`]).
//!
//! [`Message::share`] makes a second message that refers to the same body. Until then nothing is counted, so that most messages
//! never cost an atomic operation.
//!
//! `unsafe` code is in the submodules only.
#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod block;
#[allow(unsafe_code)]
mod group;
#[allow(unsafe_code)]
mod pool;
#[allow(unsafe_code)]
mod shares;
mod state;
#[allow(unsafe_code)]
mod storage;
#[cfg(test)]
#[allow(unsafe_code)]
mod tests;
#[allow(unsafe_code)]
mod words;

pub use block::FreeFn;
pub use group::MAX_GROUP;
pub use shares::Shares;
pub use storage::{MAX_INLINE, Message};

/// Frees memory that is kept for messages to come, except for a little that each thread has; for when there may be none for a
/// while.
pub fn trim() {
    pool::trim();
}

/// What a message means to the engine. Programs only ever see [`Kind::Data`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A part of a user's message.
    #[default]
    Data,
    /// PING (ZMTP 3.1); the body is TTL and context.
    Ping,
    /// PONG (ZMTP 3.1); the body is the context.
    Pong,
    /// A subscription; the body is the topic.
    Subscribe,
    /// Takes a subscription back; the body is the topic.
    Cancel,
    /// Joins a group; it is in [`Message::group`].
    Join,
    /// Leaves a group; it is in [`Message::group`].
    Leave,
    /// The peer closes the connection.
    Close,
    /// The peer's routing id.
    RoutingId,
    /// A message that the engine makes itself (`ZMQ_HELLO_MSG`, `ZMQ_DISCONNECT_MSG`, `ZMQ_HICCUP_MSG`).
    Hello,
    /// The last thing in a pipe.
    Delimiter,
    /// The user id that a ZAP handler gave.
    Credential,
    /// Any other command; the body is the whole of it.
    Command,
}

impl Kind {
    const ALL: [Kind; 13] = [
        Kind::Data,
        Kind::Ping,
        Kind::Pong,
        Kind::Subscribe,
        Kind::Cancel,
        Kind::Join,
        Kind::Leave,
        Kind::Close,
        Kind::RoutingId,
        Kind::Hello,
        Kind::Delimiter,
        Kind::Credential,
        Kind::Command,
    ];
}

impl Message {
    /// Whether the body is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether more parts of the same message follow.
    #[inline]
    pub fn more(&self) -> bool {
        self.state() & state::MORE != 0
    }

    /// States whether more parts of the same message follow.
    #[inline]
    pub fn set_more(&mut self, more: bool) {
        self.set_state(state::MORE, if more { state::MORE } else { 0 });
    }

    /// What the message means to the engine.
    #[inline]
    pub fn kind(&self) -> Kind {
        let index = (self.state() & state::KIND) >> state::KIND_SHIFT;
        Kind::ALL.get(usize::from(index)).copied().unwrap_or_default()
    }

    /// Whether it is a part of a user's message.
    #[inline]
    pub fn is_data(&self) -> bool {
        self.state() & state::KIND == 0
    }

    /// Sets what the message means to the engine.
    #[inline]
    pub fn set_kind(&mut self, kind: Kind) {
        self.set_state(state::KIND, (kind as u16) << state::KIND_SHIFT);
    }

    /// Whether the body may be shared with another message, and so must not be changed (the property `ZMQ_SHARED`).
    #[inline]
    pub fn is_shared(&self) -> bool {
        self.state() & state::STORAGE == state::CONSTANT || self.state() & state::SHARED != 0
    }

    /// Whether sharing the message copies its body: it is inline.
    #[inline]
    pub fn is_inline(&self) -> bool {
        self.state() & state::STORAGE == state::INLINE
    }
}

impl Default for Message {
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("Message");
        out.field("len", &self.len()).field("more", &self.more()).field("kind", &self.kind());
        out.field("data", &self.data()[..self.len().min(32)].escape_ascii().to_string())
            .finish_non_exhaustive()
    }
}
