//! GSSAPI: the peers know each other by tickets of a third party, Kerberos say (RFC 38). RFC 38 leaves the commands open; these are upstream's.
//!
//! ```text
//! client                            server
//!    INITIATE (token)         --->
//!                             <--- INITIATE (token)       and again, for as long as the contexts need more
//!    a command without a name --->      asks the ZAP handler
//!                             <--- READY (properties), or ERROR
//!    READY (properties)       --->
//! ```
//!
//! READY and all that follows is wrapped ([`codec`]), unless `ZMQ_GSSAPI_PLAINTEXT` is set. Nothing here knows the library that
//! makes tokens: it is a [`Side`], which may take its time, so that each step is [`Work`].

mod codec;

use super::zap::{self, Verdict, Zap};
use crate::error::Error;
use crate::message::Message;
use crate::zmtp::ProtocolError;
use crate::zmtp::error::code;
use crate::zmtp::mechanism::{
    Codec, Mechanism, Negotiation, Status, Unseal, Work, WorkResult, ZapReply, ZapRequest,
};
use std::sync::Arc;

const NAME: &str = "GSSAPI";
const INITIATE: &[u8] = b"\x08INITIATE";
const READY: &[u8] = b"\x05READY";
/// The longest token that is taken. Those of Kerberos have some hundred bytes, and with all groups of a Windows domain in them, 64 KiB at most.
const MAX_TOKEN: usize = 256 * 1024;
/// So many tokens each side may need. Kerberos needs one, negotiating mechanisms a few.
const MAX_STEPS: u32 = 16;

/// The security library won't go on. It has its own reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// What came of a [`Side::step`].
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// For the peer; may be empty.
    pub token: Vec<u8>,
    /// This side needs no further one, and knows who the other is (the client), or may ask (the server).
    pub complete: bool,
}

/// One side of a security context.
pub trait Side: Send {
    /// Takes the peer's token, which is empty when the client begins, and makes the next. May take long.
    ///
    /// # Errors
    /// [`Refused`]: there will be no context.
    fn step(&mut self, token: &[u8]) -> Result<Step, Refused>;

    /// The client's name, on the server's side, when the context is complete.
    ///
    /// # Errors
    /// [`Refused`]: it can't be told.
    fn peer(&self) -> Result<Vec<u8>, Refused>;

    /// What protects messages, when the context is complete.
    fn into_protection(self: Box<Self>) -> Arc<dyn Protection>;
}

/// A security context that is complete.
pub trait Protection: Send + Sync {
    /// Appends what `plain` becomes.
    ///
    /// # Errors
    /// [`Refused`]: the context has come to an end.
    fn wrap(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Refused>;

    /// Hands over what is inside.
    ///
    /// # Errors
    /// [`Refused`]: it isn't genuine, or not encrypted, or not the next.
    fn unwrap(&self, wrapped: &[u8], take: &mut dyn FnMut(&[u8])) -> Result<(), Refused>;
}

/// Finds this side's credential and makes the side. May take long.
pub type Begin = Box<dyn FnOnce() -> Result<Box<dyn Side>, Refused> + Send>;

/// The handshake of either side.
pub struct Handshake {
    role: Role,
    /// `ZMQ_GSSAPI_PLAINTEXT`
    plaintext: bool,
    steps: u32,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Client,
    Server(Zap),
}

enum State {
    AwaitToken(Part),
    /// The token of the peer's is there.
    Due(Part, Vec<u8>),
    /// Somebody works on it.
    Working,
    SendToken(Box<dyn Side>, Step),
    /// Server: the client has to say that it is satisfied.
    AwaitConsent(Context),
    AskZap(Context),
    AwaitZap(Context),
    SendReady(Context),
    AwaitReady(Context),
    Ready(Context),
    /// Refuse with this status code.
    SendError(u16),
    /// The client was refused.
    Refused,
    /// After an error.
    Failed,
}

/// A side, or what makes it.
enum Part {
    New(Begin),
    Begun(Box<dyn Side>),
}

/// A context that is complete.
struct Context {
    protection: Arc<dyn Protection>,
    /// Server: the client's name.
    peer: Vec<u8>,
}

/// What comes of this module's [`Work`].
struct Outcome(Result<(Box<dyn Side>, Step), Refused>);

impl Handshake {
    /// A client's handshake that begins.
    pub fn client(begin: Begin, plaintext: bool) -> Self {
        let state = State::Due(Part::New(begin), Vec::new());
        Self { role: Role::Client, plaintext, steps: 0, state }
    }

    /// A server's.
    pub fn server(begin: Begin, plaintext: bool, zap: Zap) -> Self {
        let state = State::AwaitToken(Part::New(begin));
        Self { role: Role::Server(zap), plaintext, steps: 0, state }
    }

    /// The token is sent: whose turn is it now?
    fn after_token(&self, side: Box<dyn Side>, complete: bool) -> Result<State, ProtocolError> {
        if !complete {
            return Ok(State::AwaitToken(Part::Begun(side)));
        }
        Ok(match self.role {
            Role::Client => {
                State::AwaitReady(Context { protection: side.into_protection(), peer: Vec::new() })
            }
            Role::Server(_) => {
                let peer = side.peer().map_err(|Refused| CRYPTOGRAPHIC)?;
                State::AwaitConsent(Context { protection: side.into_protection(), peer })
            }
        })
    }

    fn ready(&self, context: &Context, negotiation: &Negotiation) -> Result<Vec<u8>, ProtocolError> {
        let ready = negotiation.properties_after(READY);
        if self.plaintext {
            return Ok(ready);
        }
        // The flags inside are none, also for this command.
        codec::seal(&*context.protection, 0, [&ready, &[]]).map_err(|Refused| CRYPTOGRAPHIC)
    }

    fn peer_ready(
        &self,
        body: &[u8],
        context: &Context,
        negotiation: &mut Negotiation,
    ) -> Result<(), ProtocolError> {
        let mut opened = Message::new();
        let body = if self.plaintext {
            body
        } else {
            codec::Unsealer::new(context.protection.clone()).unseal(body, &mut opened)?;
            opened.data()
        };
        check_command(body)?;
        let properties = body.strip_prefix(READY).ok_or(UNEXPECTED)?;
        let invalid = ProtocolError::with_code(code::INVALID_METADATA);
        negotiation.peer_properties(properties).map_err(|_| invalid)
    }
}

const CRYPTOGRAPHIC: ProtocolError = ProtocolError::with_code(code::CRYPTOGRAPHIC);
const UNEXPECTED: ProtocolError = ProtocolError::with_code(code::UNEXPECTED_COMMAND);

/// A command has a name, and something behind it.
fn check_command(body: &[u8]) -> Result<(), ProtocolError> {
    match body {
        [length, _, ..] if body.len() > usize::from(*length) => Ok(()),
        _ => Err(ProtocolError::with_code(code::MALFORMED_COMMAND)),
    }
}

/// INITIATE: the token, led by its length in 4 bytes.
fn initiate(token: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    let length = u32::try_from(token.len()).map_err(|_| ProtocolError::silent(Error::MessageSize))?;
    Ok([INITIATE, &length.to_be_bytes(), token].concat())
}

fn token(body: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    let malformed = ProtocolError::with_code(code::MALFORMED_INITIATE);
    let rest = body.strip_prefix(INITIATE).ok_or(UNEXPECTED)?;
    let (length, token) = rest.split_first_chunk().ok_or(malformed)?;
    if usize::try_from(u32::from_be_bytes(*length)) != Ok(token.len()) {
        return Err(malformed);
    }
    // To some libraries, no token means that they are to make a proposal.
    if token.is_empty() || token.len() > MAX_TOKEN {
        return Err(malformed);
    }
    Ok(token.to_vec())
}

impl Mechanism for Handshake {
    fn name(&self) -> &'static str {
        NAME
    }

    fn status(&self) -> Status {
        match self.state {
            State::AskZap(_) | State::AwaitZap(_) => Status::AwaitingZap,
            State::Ready(_) => Status::Ready,
            State::Refused | State::Failed => Status::Failed,
            _ => Status::Handshaking,
        }
    }

    fn next_command(&mut self, negotiation: &mut Negotiation) -> Result<Option<Vec<u8>>, ProtocolError> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::SendToken(side, Step { token, complete }) => {
                self.state = self.after_token(side, complete)?;
                // One that has no more to say sends a command without anything in it; the client's is its consent.
                if token.is_empty() { Ok(Some(Vec::new())) } else { initiate(&token).map(Some) }
            }
            State::SendReady(context) => {
                let ready = self.ready(&context, negotiation)?;
                self.state = match self.role {
                    Role::Client => State::Ready(context),
                    Role::Server(_) => State::AwaitReady(context),
                };
                Ok(Some(ready))
            }
            State::SendError(status) => {
                self.state = State::Refused;
                Ok(Some(zap::error_command(status)))
            }
            state => {
                self.state = state;
                Ok(None)
            }
        }
    }

    fn process_command(&mut self, body: &[u8], negotiation: &mut Negotiation) -> Result<(), ProtocolError> {
        let state = std::mem::replace(&mut self.state, State::Failed);
        if self.role == Role::Client
            && matches!(state, State::AwaitToken(_) | State::AwaitReady(_))
            && let Some(reason) = body.strip_prefix(zap::ERROR)
        {
            return Err(zap::refusal(reason));
        }
        self.state = match state {
            State::AwaitToken(part) => {
                check_command(body)?;
                State::Due(part, token(body)?)
            }
            State::AwaitConsent(context) if body.is_empty() => match self.role {
                Role::Server(Zap::Off) => State::SendReady(context),
                _ => State::AskZap(context),
            },
            State::AwaitReady(context) => {
                self.peer_ready(body, &context, negotiation)?;
                match self.role {
                    Role::Client => State::SendReady(context),
                    Role::Server(_) => State::Ready(context),
                }
            }
            _ => return Err(UNEXPECTED),
        };
        Ok(())
    }

    fn zap_request(&mut self) -> Option<ZapRequest> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::AskZap(context) => {
                let credentials = vec![context.peer.clone()];
                self.state = State::AwaitZap(context);
                Some(ZapRequest { mechanism: NAME, credentials })
            }
            state => {
                self.state = state;
                None
            }
        }
    }

    fn zap_reply(&mut self, reply: ZapReply, negotiation: &mut Negotiation) -> Result<(), ProtocolError> {
        let (State::AwaitZap(context), Role::Server(zap)) =
            (std::mem::replace(&mut self.state, State::Failed), self.role)
        else {
            return Err(ProtocolError::silent(Error::State));
        };
        self.state = match zap::judge(reply, zap, negotiation)? {
            Verdict::Admit => State::SendReady(context),
            Verdict::Refuse(status) => State::SendError(status),
            Verdict::Ignore => State::Refused,
        };
        Ok(())
    }

    fn take_work(&mut self) -> Option<Work> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Due(part, token) => {
                self.state = State::Working;
                Some(Box::new(move || {
                    let side = match part {
                        Part::New(begin) => begin(),
                        Part::Begun(side) => Ok(side),
                    };
                    let outcome = side.and_then(|mut side| side.step(&token).map(|step| (side, step)));
                    Box::new(Outcome(outcome))
                }))
            }
            state => {
                self.state = state;
                None
            }
        }
    }

    fn work_done(&mut self, result: WorkResult) -> Result<(), Error> {
        if !matches!(self.state, State::Working) {
            return Err(Error::State);
        }
        self.state = State::Failed;
        let Ok(outcome) = result.downcast::<Outcome>() else { return Err(Error::State) };
        let (side, step) = outcome.0.map_err(|Refused| Error::AccessDenied)?;
        self.steps += 1;
        if self.steps > MAX_STEPS || (step.token.is_empty() && !step.complete) {
            return Err(Error::AccessDenied);
        }
        self.state = State::SendToken(side, step);
        Ok(())
    }

    fn into_codec(self: Box<Self>) -> Codec {
        match self.state {
            State::Ready(context) if !self.plaintext => codec::codec(context.protection),
            _ => Codec::default(),
        }
    }
}

#[cfg(test)]
mod tests;
