//! Asking the ZAP handler: a pipe from a session straight to the handler's socket, as if a REQ socket had connected to it over inproc. The I/O
//! thread writes a request, and is told when something has happened at the other end; it never waits.
//!
//! The pipe has no high-water marks: it carries one request and one reply. When the reply is there, or nobody wants it any more, it is closed. A
//! handler that goes without having answered leaves the handshake to `ZMQ_HANDSHAKE_IVL`, as one that never answers.

use super::context::Context;
use super::link::{InprocLink, Listener};
use super::mailbox::Command;
use crate::message::Message;
use crate::pipe::PipeEnd;
use crate::security::zap::{HANDLER, Reply};
use crate::zmtp::ProtocolError;
use crate::zmtp::mechanism::ZapReply;
use std::sync::Arc;

/// A request to the ZAP handler that is not answered yet.
pub struct Inquiry {
    end: PipeEnd,
    link: Arc<InprocLink>,
    reply: Reply,
}

impl Inquiry {
    /// Sends a request to the handler of this context; `None`: there is none. `look` has to follow.
    pub fn begin(context: &Context, request: Vec<Message>, session: Listener) -> Option<Self> {
        let (end, link) = context.inproc.ask(HANDLER, request, session)?;
        Some(Self { end, link, reply: Reply::default() })
    }

    /// Looks whether the answer has come. If it hasn't, the session is told when there is something to look at.
    ///
    /// # Errors
    /// The answer is malformed.
    pub fn look(&mut self) -> Result<Option<ZapReply>, ProtocolError> {
        let mut frame = Message::new();
        loop {
            while self.end.inbound.pop(&mut frame) {
                if let Some(reply) = self.reply.frame(frame.take())? {
                    return Ok(Some(reply));
                }
            }
            if self.end.inbound.sleep() {
                return Ok(None);
            }
        }
    }
}

impl Drop for Inquiry {
    fn drop(&mut self) {
        let _ = self.end.outbound.close();
        self.end.inbound.abandon();
        self.link.post(0, Command::Closed);
    }
}
