//! PLAIN: a user name and a password, in clear text (RFC 24). The ZAP handler decides about them (RFC 27).
//!
//! ```text
//! client                         server
//!    HELLO (name, password) --->        asks the handler
//!                           <--- WELCOME, or ERROR
//!    INITIATE (properties)  --->
//!                           <--- READY (properties)
//! ```

use super::zap::{self, Verdict, Zap};
use crate::error::Error;
use crate::zmtp::ProtocolError;
use crate::zmtp::error::code;
use crate::zmtp::mechanism::{Mechanism, Negotiation, Status, ZapReply, ZapRequest};

const NAME: &str = "PLAIN";
const HELLO: &[u8] = b"\x05HELLO";
const WELCOME: &[u8] = b"\x07WELCOME";
const INITIATE: &[u8] = b"\x08INITIATE";
const READY: &[u8] = b"\x05READY";
/// What upstream calls ERROR under PLAIN, by accident: its length and first letter, written as `"\x05E"` in C, are one
/// character there, 0x5e. Its clients know no other name (and report anything else as a breach of the protocol), so this
/// is what servers send; clients understand it and the one of RFC 24.
const UPSTREAMS_ERROR: &[u8] = b"^RROR";

/// The handshake of the side that has a user name and a password.
pub struct Client {
    username: Vec<u8>,
    password: Vec<u8>,
    state: ClientState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientState {
    SendHello,
    AwaitWelcome,
    SendInitiate,
    AwaitReady,
    Ready,
}

impl Client {
    /// A handshake that begins. Both have at most 255 bytes, which the options see to; of longer ones that much is sent.
    pub fn new(username: &[u8], password: &[u8]) -> Self {
        Self { username: username.to_vec(), password: password.to_vec(), state: ClientState::SendHello }
    }
}

impl Mechanism for Client {
    fn name(&self) -> &'static str {
        NAME
    }

    fn status(&self) -> Status {
        if self.state == ClientState::Ready { Status::Ready } else { Status::Handshaking }
    }

    fn next_command(&mut self, negotiation: &mut Negotiation) -> Result<Option<Vec<u8>>, ProtocolError> {
        Ok(match self.state {
            ClientState::SendHello => {
                self.state = ClientState::AwaitWelcome;
                let mut body = HELLO.to_vec();
                write_text(&self.username, &mut body);
                write_text(&self.password, &mut body);
                Some(body)
            }
            ClientState::SendInitiate => {
                self.state = ClientState::AwaitReady;
                Some(negotiation.properties_after(INITIATE))
            }
            _ => None,
        })
    }

    fn process_command(&mut self, body: &[u8], negotiation: &mut Negotiation) -> Result<(), ProtocolError> {
        let unexpected = Err(ProtocolError::with_code(code::UNEXPECTED_COMMAND));
        if let Some(rest) = body.strip_prefix(WELCOME) {
            return match self.state {
                ClientState::AwaitWelcome if rest.is_empty() => {
                    self.state = ClientState::SendInitiate;
                    Ok(())
                }
                ClientState::AwaitWelcome => Err(ProtocolError::with_code(code::MALFORMED_WELCOME)),
                _ => unexpected,
            };
        }
        if let Some(properties) = body.strip_prefix(READY) {
            if self.state != ClientState::AwaitReady {
                return unexpected;
            }
            // A socket type that doesn't go with ours counts as malformed here, as upstream.
            let properties = negotiation.peer_properties(properties);
            properties.map_err(|_| ProtocolError::with_code(code::INVALID_METADATA))?;
            self.state = ClientState::Ready;
            return Ok(());
        }
        match body.strip_prefix(UPSTREAMS_ERROR).or_else(|| body.strip_prefix(zap::ERROR)) {
            Some(reason) if matches!(self.state, ClientState::AwaitWelcome | ClientState::AwaitReady) => {
                Err(zap::refusal(reason))
            }
            _ => unexpected,
        }
    }
}

/// The handshake of the side that asks for them.
#[derive(Debug)]
pub struct Server {
    zap: Zap,
    state: ServerState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ServerState {
    AwaitHello,
    /// The credentials are there, and to be asked about.
    AskZap(Vec<Vec<u8>>),
    AwaitZap,
    SendWelcome,
    AwaitInitiate,
    SendReady,
    Ready,
    SendError(u16),
    Refused,
}

impl Server {
    /// A handshake that begins.
    pub fn new(zap: Zap) -> Self {
        Self { zap, state: ServerState::AwaitHello }
    }

    fn hello(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        if !body.first().is_some_and(|&length| body.len() > 1 && body.len() > length.into()) {
            return Err(ProtocolError::with_code(code::MALFORMED_COMMAND));
        }
        let Some(texts) = body.strip_prefix(HELLO) else {
            return Err(ProtocolError::with_code(code::UNEXPECTED_COMMAND));
        };
        let credentials = read_text(texts).and_then(|(username, rest)| match read_text(rest)? {
            (password, []) => Some(vec![username.to_vec(), password.to_vec()]),
            _ => None,
        });
        let credentials = credentials.ok_or(ProtocolError::with_code(code::MALFORMED_HELLO))?;
        if self.zap == Zap::NoDomain {
            return Err(zap::no_handler());
        }
        self.state = ServerState::AskZap(credentials);
        Ok(())
    }
}

impl Mechanism for Server {
    fn name(&self) -> &'static str {
        NAME
    }

    fn status(&self) -> Status {
        match self.state {
            ServerState::AskZap(_) | ServerState::AwaitZap => Status::AwaitingZap,
            ServerState::Ready => Status::Ready,
            ServerState::Refused => Status::Failed,
            _ => Status::Handshaking,
        }
    }

    fn next_command(&mut self, negotiation: &mut Negotiation) -> Result<Option<Vec<u8>>, ProtocolError> {
        Ok(match self.state {
            ServerState::SendWelcome => {
                self.state = ServerState::AwaitInitiate;
                Some(WELCOME.to_vec())
            }
            ServerState::SendReady => {
                self.state = ServerState::Ready;
                Some(negotiation.properties_after(READY))
            }
            ServerState::SendError(status) => {
                self.state = ServerState::Refused;
                Some([UPSTREAMS_ERROR, &zap::reason(status)].concat())
            }
            _ => None,
        })
    }

    fn process_command(&mut self, body: &[u8], negotiation: &mut Negotiation) -> Result<(), ProtocolError> {
        match self.state {
            ServerState::AwaitHello => self.hello(body),
            ServerState::AwaitInitiate => {
                let Some(properties) = body.strip_prefix(INITIATE) else {
                    return Err(ProtocolError::with_code(code::UNEXPECTED_COMMAND));
                };
                negotiation.peer_properties(properties)?;
                self.state = ServerState::SendReady;
                Ok(())
            }
            // It isn't the client's turn; above all, it waits for the handler's answer as we do.
            _ => Err(ProtocolError::with_code(code::UNSPECIFIED)),
        }
    }

    fn zap_request(&mut self) -> Option<ZapRequest> {
        match std::mem::replace(&mut self.state, ServerState::AwaitZap) {
            ServerState::AskZap(credentials) => Some(ZapRequest { mechanism: NAME, credentials }),
            other => {
                self.state = other;
                None
            }
        }
    }

    fn zap_reply(&mut self, reply: ZapReply, negotiation: &mut Negotiation) -> Result<(), ProtocolError> {
        if self.state != ServerState::AwaitZap {
            return Err(ProtocolError::silent(Error::State));
        }
        self.state = match zap::judge(reply, self.zap, negotiation)? {
            Verdict::Admit => ServerState::SendWelcome,
            Verdict::Refuse(status) => ServerState::SendError(status),
            Verdict::Ignore => ServerState::Refused,
        };
        Ok(())
    }
}

/// A text led by its length in 1 byte.
fn write_text(text: &[u8], out: &mut Vec<u8>) {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    out.push(length);
    out.extend_from_slice(&text[..length.into()]);
}

/// The same, and what follows it.
fn read_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    rest.split_at_checked(length.into())
}

#[cfg(test)]
mod tests;
