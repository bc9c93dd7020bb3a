//! NULL: no security (RFC 37, "The NULL Security Mechanism"). Each side says READY, with its properties, and that is it.
//!
//! With a ZAP domain, the handler is asked about each peer before READY (RFC 27).

use super::zap::{self, Verdict, Zap};
use crate::error::Error;
use crate::zmtp::ProtocolError;
use crate::zmtp::error::code;
use crate::zmtp::mechanism::{Mechanism, Negotiation, Status, ZapReply, ZapRequest};

const READY: &[u8] = b"\x05READY";

/// The NULL mechanism's handshake. Both sides do the same.
#[derive(Debug)]
pub struct Null {
    zap: Zap,
    ours: Ours,
    ready_received: bool,
}

/// What this side does next, or has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ours {
    AskZap,
    AwaitZap,
    SendReady,
    SentReady,
    /// Refuse with this status code.
    SendError(u16),
    Refused,
}

impl Null {
    /// A handshake that begins.
    pub fn new(zap: Zap) -> Self {
        let ours = if zap == Zap::Off { Ours::SendReady } else { Ours::AskZap };
        Self { zap, ours, ready_received: false }
    }
}

impl Mechanism for Null {
    fn name(&self) -> &'static str {
        "NULL"
    }

    fn allows_legacy_peers(&self) -> bool {
        self.zap == Zap::Off
    }

    fn status(&self) -> Status {
        match self.ours {
            Ours::AskZap | Ours::AwaitZap => Status::AwaitingZap,
            Ours::SentReady if self.ready_received => Status::Ready,
            // To monitors it is a handshake that goes on until the peer has said something.
            Ours::Refused if self.ready_received => Status::Failed,
            _ => Status::Handshaking,
        }
    }

    fn next_command(&mut self, negotiation: &mut Negotiation) -> Result<Option<Vec<u8>>, ProtocolError> {
        Ok(match self.ours {
            Ours::SendReady => {
                self.ours = Ours::SentReady;
                Some(negotiation.properties_after(READY))
            }
            Ours::SendError(status) => {
                self.ours = Ours::Refused;
                Some(zap::error_command(status))
            }
            Ours::AskZap if self.zap == Zap::NoDomain => return Err(zap::no_handler()),
            _ => None,
        })
    }

    fn process_command(&mut self, body: &[u8], negotiation: &mut Negotiation) -> Result<(), ProtocolError> {
        if self.ready_received {
            return Err(ProtocolError::with_code(code::UNEXPECTED_COMMAND));
        }
        if let Some(properties) = body.strip_prefix(READY) {
            self.ready_received = true;
            return negotiation.peer_properties(properties);
        }
        match body.strip_prefix(zap::ERROR) {
            Some(reason) => Err(zap::refusal(reason)),
            None => Err(ProtocolError::with_code(code::UNEXPECTED_COMMAND)),
        }
    }

    fn zap_request(&mut self) -> Option<ZapRequest> {
        if self.ours != Ours::AskZap {
            return None;
        }
        self.ours = Ours::AwaitZap;
        Some(ZapRequest { mechanism: "NULL", credentials: Vec::new() })
    }

    fn zap_reply(&mut self, reply: ZapReply, negotiation: &mut Negotiation) -> Result<(), ProtocolError> {
        if self.ours != Ours::AwaitZap {
            return Err(ProtocolError::silent(Error::State));
        }
        self.ours = match zap::judge(reply, self.zap, negotiation)? {
            Verdict::Admit => Ours::SendReady,
            Verdict::Refuse(status) => Ours::SendError(status),
            Verdict::Ignore => Ours::Refused,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
