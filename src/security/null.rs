//! NULL: no security (RFC 37, "The NULL Security Mechanism"). Each side says READY, with its properties, and that is it.
//!
//! With a ZAP domain, the handler is asked about each peer before READY (RFC 27).

use crate::error::Error;
use crate::zmtp::error::code;
use crate::zmtp::mechanism::{Mechanism, Negotiation, Status, ZapReply, ZapRequest};
use crate::zmtp::{HandshakeEvent, ProtocolError};

const READY: &[u8] = b"\x05READY";
const ERROR: &[u8] = b"\x05ERROR";

/// Whether the ZAP handler has a say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zap {
    /// There is no domain (`ZMQ_ZAP_DOMAIN` is empty): everyone is let in.
    #[default]
    Off,
    /// There is a domain; without a handler, everyone is let in.
    Optional,
    /// There is a domain, and `ZMQ_ZAP_ENFORCE_DOMAIN`: without a handler, nobody is let in.
    Enforced,
}

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
            Ours::SendReady | Ours::SentReady | Ours::SendError(_) => Status::Handshaking,
            Ours::Refused => Status::Failed,
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
                Some([ERROR, b"\x03", status.to_string().as_bytes()].concat())
            }
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
        match body.strip_prefix(ERROR) {
            Some(reason) => Err(refusal(reason)),
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
        self.ours = match reply {
            ZapReply::Unavailable if self.zap == Zap::Enforced => {
                let event = Some(HandshakeEvent::NoDetail(Error::Fault));
                return Err(ProtocolError { error: Error::Fault, event });
            }
            ZapReply::Unavailable => Ours::SendReady,
            ZapReply::Answer { status: 200, user_id, metadata } => {
                negotiation.zap_user(user_id, &metadata)?;
                Ours::SendReady
            }
            ZapReply::Answer { status, .. } => {
                negotiation.emit(HandshakeEvent::Auth(status));
                // A temporary failure (300) isn't told to the peer, which may try again (RFC 27).
                if status == 300 { Ours::Refused } else { Ours::SendError(status) }
            }
        };
        Ok(())
    }
}

/// What an ERROR command means, from what follows its name. Mechanisms have it in common.
pub(crate) fn refusal(reason: &[u8]) -> ProtocolError {
    let Some(reason) = reason.split_first().and_then(|(&length, text)| text.get(..length.into())) else {
        return ProtocolError::with_code(code::MALFORMED_ERROR);
    };
    // A status code of the peer's ZAP handler makes it a failure to authenticate; any other reason is just the end.
    let event = match reason {
        b"300" => Some(HandshakeEvent::Auth(300)),
        b"400" => Some(HandshakeEvent::Auth(400)),
        b"500" => Some(HandshakeEvent::Auth(500)),
        _ => None,
    };
    ProtocolError { error: Error::Protocol, event }
}

#[cfg(test)]
mod tests;
