//! What a security mechanism has to do, and what it is given for it (RFC 37, "Security Mechanisms").
//!
//! The mechanisms themselves stand in `security/`; nothing here knows one by name. A mechanism is a state machine
//! over commands: it is asked for the next one to send, and told each one that arrived. When it is ready, it is
//! turned into the two halves of its message codec, since sending and receiving stand under different locks.

use super::properties;
use super::{HandshakeEvent, ProtocolError};
use crate::error::Error;
use crate::message::Message;
use crate::metadata;
use crate::options::SocketType;
use std::any::Any;
use std::collections::BTreeMap;

/// How far a mechanism has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Commands are still to be exchanged.
    Handshaking,
    /// Nothing moves until [`Mechanism::zap_reply`] is called. Commands that arrive meanwhile may still be handed in.
    AwaitingZap,
    /// The handshake is complete.
    Ready,
    /// The peer was refused. What [`Mechanism::next_command`] gave is still to be sent; nothing comes after it.
    Failed,
}

/// A security mechanism's handshake.
pub trait Mechanism: Send {
    /// The name in the greeting: up to 20 characters, upper case.
    fn name(&self) -> &'static str;

    /// Whether peers of ZMTP 1.0 and 2.0, which know no security, may be let in.
    fn allows_legacy_peers(&self) -> bool {
        false
    }

    /// How far it has come.
    fn status(&self) -> Status;

    /// The body of the next command to send, name included, if it is this side's turn.
    ///
    /// # Errors
    /// [`ProtocolError`] if the handshake can't go on.
    fn next_command(&mut self, negotiation: &mut Negotiation) -> Result<Option<Vec<u8>>, ProtocolError>;

    /// Takes a command that arrived; `body` begins with the length of its name.
    ///
    /// # Errors
    /// [`ProtocolError`] if it is malformed, comes out of turn, or says that the peer refuses.
    fn process_command(&mut self, body: &[u8], negotiation: &mut Negotiation) -> Result<(), ProtocolError>;

    /// The question to put to the ZAP handler (RFC 27); once, when [`Self::status`] turns to `AwaitingZap`.
    fn zap_request(&mut self) -> Option<ZapRequest> {
        None
    }

    /// Goes on after the handler's answer.
    ///
    /// # Errors
    /// [`ProtocolError`] if the answer ends the handshake without a further command to the peer, or none was awaited.
    fn zap_reply(&mut self, _reply: ZapReply, _negotiation: &mut Negotiation) -> Result<(), ProtocolError> {
        Err(ProtocolError::silent(Error::State))
    }

    /// What has to be done before the handshake goes on, and can't be done here, since it may take long.
    fn take_work(&mut self) -> Option<Work> {
        None
    }

    /// Goes on with what came of it.
    ///
    /// # Errors
    /// It has failed.
    fn work_done(&mut self, _result: WorkResult) -> Result<(), Error> {
        Err(Error::State)
    }

    /// What messages go through once the handshake is complete; `None` where they stay as they are.
    fn into_codec(self: Box<Self>) -> Codec {
        Codec::default()
    }
}

/// Something that may take long, because it asks other computers, for instance. It is done in a thread of its own, once.
pub type Work = Box<dyn FnOnce() -> WorkResult + Send>;

/// What comes of [`Work`]: the mechanism knows what it is.
pub type WorkResult = Box<dyn Any + Send>;

/// Why a handshake can't go on after its [`Work`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkError {
    /// It has failed. That isn't the peer's mistake, so a later attempt may do better.
    Failed(Error),
    /// As for [`Mechanism::next_command`].
    Protocol(ProtocolError),
}

/// The halves of a mechanism's message codec.
#[derive(Default)]
pub struct Codec {
    /// For the messages that are sent.
    pub seal: Option<Box<dyn Seal>>,
    /// For the messages that arrive.
    pub unseal: Option<Box<dyn Unseal>>,
}

/// Protects what is sent.
pub trait Seal: Send {
    /// How long the body of the frame gets that carries `parts`, one after the other, and their `flags`
    /// ([`super::frame::MORE`], [`super::frame::COMMAND`]). [`Self::seal`] follows, with the same.
    fn sealed_size(&mut self, flags: u8, parts: [&[u8]; 2]) -> usize;

    /// Appends the body of that frame: as many bytes as [`Self::sealed_size`] has said.
    fn seal(&mut self, flags: u8, parts: [&[u8]; 2], out: &mut Vec<u8>);
}

/// Opens what arrives.
pub trait Unseal: Send {
    /// Puts what is inside `frame`, the body of a frame that arrived, in `out`, and says with which flags it was sent. (Those
    /// that the frame itself bears are nobody's word.)
    ///
    /// # Errors
    /// [`ProtocolError`] if it isn't genuine, or memory is short.
    fn unseal(&mut self, frame: &[u8], out: &mut Message) -> Result<u8, ProtocolError>;

    /// As [`Self::unseal`], for a frame's body that has memory of its own.
    ///
    /// # Errors
    /// As for [`Self::unseal`].
    fn unseal_in_place(&mut self, frame: Message) -> Result<(u8, Message), ProtocolError>;
}

/// A question to the ZAP handler: what the mechanism knows of it (RFC 27, "Request").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZapRequest {
    /// The mechanism frame.
    pub mechanism: &'static str,
    /// The credential frames.
    pub credentials: Vec<Vec<u8>>,
}

/// What came of a [`ZapRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZapReply {
    /// There is no handler.
    Unavailable,
    /// The handler's answer, parsed.
    Answer {
        /// 200, 300, 400 or 500.
        status: u16,
        /// The user that was recognised.
        user_id: Vec<u8>,
        /// Properties of the user, not yet parsed.
        metadata: Vec<u8>,
    },
}

/// What is known of a peer when the handshake is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its `Identity` property, or the first frame of a ZMTP 1.0 or 2.0 peer; empty if it chose none.
    pub routing_id: Vec<u8>,
    /// Its `Socket-Type` property.
    pub socket_type: Option<SocketType>,
    /// All properties for `zmq_msg_gets`(3), which finds the first of a name: those of the ZAP handler, `User-Id` first, then the
    /// peer's own.
    pub properties: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What the handshake and its mechanism work on together: this side's properties, and what is learnt of the peer.
pub struct Negotiation {
    pub(super) socket_type: SocketType,
    pub(super) routing_id: Vec<u8>,
    pub(super) metadata: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) peer: Peer,
    zap_properties: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) events: Vec<HandshakeEvent>,
}

impl Negotiation {
    /// The state before anything was exchanged. `metadata` are the properties of `ZMQ_METADATA`.
    pub fn new(socket_type: SocketType, routing_id: Vec<u8>, metadata: BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        Self {
            socket_type,
            routing_id,
            metadata,
            peer: Peer::default(),
            zap_properties: Vec::new(),
            events: Vec::new(),
        }
    }

    /// This side's properties behind `prefix`: the body of READY or INITIATE.
    pub fn properties_after(&self, prefix: &[u8]) -> Vec<u8> {
        let mut body = prefix.to_vec();
        properties::write(b"Socket-Type", self.socket_type.name().as_bytes(), &mut body);
        if matches!(self.socket_type, SocketType::Req | SocketType::Dealer | SocketType::Router) {
            properties::write(b"Identity", &self.routing_id, &mut body);
        }
        for (name, value) in &self.metadata {
            properties::write(name, value, &mut body);
        }
        body
    }

    /// Takes the properties that a peer sent in READY or INITIATE. Those that are for this side to say aren't kept.
    ///
    /// # Errors
    /// [`Error::Protocol`] if they are malformed, [`Error::Invalid`] if the peer's socket type doesn't go with ours.
    pub fn peer_properties(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        for property in properties::parse(bytes) {
            let (name, value) = property?;
            self.learn(name, value)?;
            if !metadata::OF_THIS_SIDE.contains(&name) {
                self.peer.properties.push((name.to_vec(), value.to_vec()));
            }
        }
        Ok(())
    }

    /// Takes what the ZAP handler said of the user, whether the user is let in or not.
    ///
    /// # Errors
    /// [`super::error::code::ZAP_INVALID_METADATA`] if the properties are malformed.
    pub fn zap_user(&mut self, user_id: &[u8], metadata: &[u8]) -> Result<(), ProtocolError> {
        self.zap_properties.push((metadata::USER_ID.to_vec(), user_id.to_vec()));
        for property in properties::parse(metadata) {
            let learnt = property.and_then(|(name, value)| {
                self.learn(name, value)?;
                self.zap_properties.push((name.to_vec(), value.to_vec()));
                Ok(())
            });
            learnt.map_err(|_| ProtocolError::with_code(super::error::code::ZAP_INVALID_METADATA))?;
        }
        Ok(())
    }

    /// Heeds the properties that mean something to the engine. Upstream does so with the handler's as well.
    fn learn(&mut self, name: &[u8], value: &[u8]) -> Result<(), ProtocolError> {
        match name {
            b"Identity" => self.peer.routing_id = value.to_vec(),
            b"Socket-Type" => {
                let peer = SocketType::from_name(value);
                if !peer.is_some_and(|peer| properties::compatible(self.socket_type, peer)) {
                    return Err(ProtocolError::silent(Error::Invalid));
                }
                self.peer.socket_type = peer;
            }
            _ => {}
        }
        Ok(())
    }

    /// Tells the monitor of a failure after which the handshake still has a command to send.
    pub fn emit(&mut self, event: HandshakeEvent) {
        self.events.push(event);
    }

    /// What was learnt: of a property that comes twice the first counts, so the handler's word does, not the peer's.
    pub(super) fn into_peer(mut self) -> Peer {
        self.zap_properties.append(&mut self.peer.properties);
        Peer { properties: self.zap_properties, ..self.peer }
    }
}
