//! ZAP, the protocol by which a server asks the program's handler who may come in (RFC 27): the frames of a request, the
//! checks of a reply, and what all mechanisms make of it alike.
//!
//! The handler is a REP or ROUTER socket that is bound to [`HANDLER`] in the same context. How the frames get there and
//! back is the runtime's business.

use crate::error::{Error, Result};
use crate::message::Message;
use crate::options::MechanismKind;
use crate::zmtp::error::code;
use crate::zmtp::mechanism::{Negotiation, ZapReply, ZapRequest};
use crate::zmtp::{HandshakeEvent, ProtocolError};

/// Where the handler is bound, without `inproc://`.
pub const HANDLER: &str = "zeromq.zap.01";

const VERSION: &[u8] = b"1.0";
/// A connection asks once, and has a pipe of its own to the handler, so one name is enough for all requests.
const REQUEST_ID: &[u8] = b"1";
/// Delimiter, version, request id, status code, status text, user id, metadata.
const REPLY_FRAMES: usize = 7;

/// Whether the handler has a say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zap {
    /// It isn't asked.
    #[default]
    Off,
    /// It is asked; without a handler, everyone is let in.
    Optional,
    /// It is asked; without a handler, nobody is let in.
    Enforced,
    /// `ZMQ_ZAP_ENFORCE_DOMAIN` demands a domain, and there is none: nobody is let in, and nobody is asked.
    NoDomain,
}

impl Zap {
    /// What `ZMQ_ZAP_DOMAIN` and `ZMQ_ZAP_ENFORCE_DOMAIN` mean to a server of this mechanism.
    pub fn new(mechanism: MechanismKind, domain: &[u8], enforced: bool) -> Self {
        match (mechanism, domain.is_empty(), enforced) {
            // Without a domain, NULL knows no ZAP at all.
            (MechanismKind::Null, true, _) => Self::Off,
            // A password that nobody looks at is no use.
            (MechanismKind::Plain, true, true) => Self::NoDomain,
            (MechanismKind::Plain, ..) => Self::Enforced,
            // Encryption without authentication ("Stonehouse"): by the domain that is missing, or the handler.
            (MechanismKind::Curve, true, true) => Self::Off,
            // GSSAPI asks whom there is to ask, and makes no difference between domains.
            (MechanismKind::Gssapi, true, true) => Self::Optional,
            (_, _, true) => Self::Enforced,
            (_, _, false) => Self::Optional,
        }
    }
}

/// What a server does after the handler's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let the peer in.
    Admit,
    /// Send [`error_command`] with this status code, and nothing else.
    Refuse(u16),
    /// Say nothing more. A temporary failure (300) isn't told to the peer, which may try again.
    Ignore,
}

/// Judges what came of a request, for every mechanism alike. The monitor is told of a refusal, and the user's properties are kept.
///
/// # Errors
/// [`no_handler`] if nobody could be asked and somebody had to be; [`code::ZAP_INVALID_METADATA`].
pub fn judge(
    reply: ZapReply,
    zap: Zap,
    negotiation: &mut Negotiation,
) -> std::result::Result<Verdict, ProtocolError> {
    let status = match reply {
        ZapReply::Unavailable => match zap {
            Zap::Off | Zap::Optional => 200,
            Zap::Enforced | Zap::NoDomain => return Err(no_handler()),
        },
        ZapReply::Answer { status, user_id, metadata } => {
            negotiation.zap_user(&user_id, &metadata)?;
            status
        }
    };
    if status == 200 {
        return Ok(Verdict::Admit);
    }
    negotiation.emit(HandshakeEvent::Auth(status));
    Ok(if status == 300 { Verdict::Ignore } else { Verdict::Refuse(status) })
}

/// The end of a handshake that can't ask anybody.
pub fn no_handler() -> ProtocolError {
    ProtocolError { error: Error::Fault, event: Some(HandshakeEvent::NoDetail(Error::Fault)) }
}

/// The name of the command that tells a peer that it is refused.
pub const ERROR: &[u8] = b"\x05ERROR";

/// The body of the ERROR command that tells a peer the status code, 400 or 500.
pub fn error_command(status: u16) -> Vec<u8> {
    [ERROR, &reason(status)].concat()
}

/// What follows the name there: the status code as a text, led by its length.
pub fn reason(status: u16) -> Vec<u8> {
    [&b"\x03"[..], status.to_string().as_bytes()].concat()
}

/// What an ERROR command means to the peer that was sent it, from what follows its name.
pub fn refusal(reason: &[u8]) -> ProtocolError {
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

/// Who asks: what the handler is told of the server and the connection.
#[derive(Clone, Copy, Debug)]
pub struct RequestedBy<'a> {
    /// `ZMQ_ZAP_DOMAIN`
    pub domain: &'a [u8],
    /// The peer's address, as in `Peer-Address` of its messages.
    pub address: &'a [u8],
    /// `ZMQ_ROUTING_ID` of the server's socket; RFC 27 calls it identity.
    pub routing_id: &'a [u8],
}

/// The frames of a request, led by the empty one that REP and ROUTER sockets expect.
///
/// # Errors
/// `ENOMEM`.
pub fn request(by: RequestedBy<'_>, request: &ZapRequest) -> Result<Vec<Message>> {
    let RequestedBy { domain, address, routing_id } = by;
    let fixed = [&b""[..], VERSION, REQUEST_ID, domain, address, routing_id, request.mechanism.as_bytes()];
    let credentials = request.credentials.iter().map(Vec::as_slice);
    let mut frames = Vec::with_capacity(fixed.len() + request.credentials.len());
    for body in fixed.into_iter().chain(credentials) {
        let mut frame = Message::from_slice(body)?;
        frame.set_more(true);
        frames.push(frame);
    }
    if let Some(last) = frames.last_mut() {
        last.set_more(false);
    }
    Ok(frames)
}

/// A handler's reply, frame by frame.
#[derive(Default)]
pub struct Reply {
    frames: Vec<Message>,
}

impl Reply {
    /// Takes the next frame; the answer when it was the last one.
    ///
    /// # Errors
    /// One of the codes `ZMQ_PROTOCOL_ERROR_ZAP_`.
    pub fn frame(&mut self, frame: Message) -> std::result::Result<Option<ZapReply>, ProtocolError> {
        let is_last = self.frames.len() + 1 >= REPLY_FRAMES;
        if frame.more() == is_last {
            return Err(ProtocolError::with_code(code::ZAP_MALFORMED_REPLY));
        }
        self.frames.push(frame);
        if is_last { self.parse().map(Some) } else { Ok(None) }
    }

    fn parse(&self) -> std::result::Result<ZapReply, ProtocolError> {
        let bodies: Vec<&[u8]> = self.frames.iter().map(Message::data).collect();
        let &[delimiter, version, request_id, status, _text, user_id, metadata] = bodies.as_slice() else {
            return Err(ProtocolError::with_code(code::ZAP_MALFORMED_REPLY));
        };
        if !delimiter.is_empty() {
            return Err(ProtocolError::with_code(code::ZAP_UNSPECIFIED));
        }
        if version != VERSION {
            return Err(ProtocolError::with_code(code::ZAP_BAD_VERSION));
        }
        if request_id != REQUEST_ID {
            return Err(ProtocolError::with_code(code::ZAP_BAD_REQUEST_ID));
        }
        let status = match status {
            b"200" => 200,
            b"300" => 300,
            b"400" => 400,
            b"500" => 500,
            _ => return Err(ProtocolError::with_code(code::ZAP_INVALID_STATUS_CODE)),
        };
        Ok(ZapReply::Answer { status, user_id: user_id.to_vec(), metadata: metadata.to_vec() })
    }
}

#[cfg(test)]
mod tests;
