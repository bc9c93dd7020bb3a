//! The handshake: from the first byte to the point where messages flow.
//!
//! ```text
//! Greeting --3.x--> Commands (the mechanism's, then READY) --> Established
//!     \----1.0, 2.0--> RoutingId (one frame each way) ----------^
//! ```
//!
//! Over a WebSocket an [`Upgrade`] from HTTP takes the place of the greeting. Without a mechanism it is all there is.

use super::command::Accepts;
use super::error::code;
use super::greeting::{self, Greeting, GreetingExchange};
use super::mechanism::{
    Codec, Mechanism, Negotiation, Peer, Status, Work, WorkError, WorkResult, ZapReply, ZapRequest,
};
use super::websocket::{self, FrameReader, FrameWriter, Protocol, Side, Upgrade};
use super::{Decoded, Decoder, Encoder, HandshakeEvent, ProtocolError, Version, frame};
use crate::error::Error;
use crate::message::Message;
use crate::options::SocketType;
use std::collections::BTreeMap;

/// What a handshake needs to know of its own side.
pub struct HandshakeConfig {
    /// The type of the socket.
    pub socket_type: SocketType,
    /// `ZMQ_ROUTING_ID`; empty if unset.
    pub routing_id: Vec<u8>,
    /// The security mechanism, ready to begin.
    pub mechanism: Box<dyn Mechanism>,
    /// `ZMQ_MAXMSGSIZE` in bytes, negative for none. It counts for the handshake's own frames too.
    pub max_msg_size: i64,
    /// The properties of `ZMQ_METADATA`, whose names begin with `X-`.
    pub metadata: BTreeMap<Vec<u8>, Vec<u8>>,
    /// For a WebSocket: which side this is.
    pub websocket: Option<websocket::Config>,
}

/// A connection that can exchange messages.
pub struct Established {
    /// What both speak. For a WebSocket, what comes nearest to it.
    pub version: Version,
    /// A mechanism was agreed on, and its handshake is the one that has succeeded (`ZMQ_EVENT_HANDSHAKE_SUCCEEDED`). ZMTP 1.0 and 2.0 have
    /// none, and a WebSocket may have none.
    pub has_mechanism: bool,
    /// The peer answers heartbeats: ZMTP 3, and WebSockets.
    pub has_heartbeats: bool,
    /// The peer's routing id isn't known yet. If the socket wants it, it comes as the first message ([`crate::message::Kind::RoutingId`]).
    pub routing_id_follows: bool,
    /// For what arrives.
    pub decoder: Decoder,
    /// For what is sent.
    pub encoder: Encoder,
    /// Who the peer is.
    pub peer: Peer,
    /// The peer can't subscribe (it speaks no versioned ZMTP), so a PUB or XPUB has to send it everything.
    pub subscribe_to_all: bool,
}

/// The handshake of one connection.
pub struct Handshake {
    phase: Phase,
    mechanism: Option<Box<dyn Mechanism>>,
    negotiation: Negotiation,
    max_msg_size: i64,
    out: Vec<u8>,
}

enum Phase {
    Greeting(GreetingExchange),
    Upgrade(Box<(Upgrade, websocket::Config)>),
    /// A peer of ZMTP 1.0 or 2.0: its first frame is its routing id.
    RoutingId(Agreed),
    /// A peer of ZMTP 3.
    Commands(Agreed),
    Established(Agreed),
    /// After an error.
    Failed,
}

/// What the greetings, or a WebSocket's upgrade, have settled: how frames are read and written.
struct Agreed {
    version: Version,
    decoder: Decoder,
    unversioned: bool,
    /// For a WebSocket.
    websocket: Option<WebSocket>,
}

struct WebSocket {
    writer: Box<FrameWriter>,
    protocol: Protocol,
}

impl Agreed {
    /// Whether there is a mechanism.
    fn has_mechanism(&self) -> bool {
        match &self.websocket {
            Some(websocket) => websocket.protocol == Protocol::Mechanism,
            None => self.version.has_mechanism(),
        }
    }
}

impl Handshake {
    /// Begins: our signature is in [`Self::output`], or a WebSocket's request.
    pub fn new(config: HandshakeConfig) -> Self {
        let mut out = Vec::with_capacity(128);
        let HandshakeConfig { socket_type, routing_id, mechanism, max_msg_size, metadata, websocket } =
            config;
        let name = mechanism.name();
        let phase = match websocket {
            None => {
                Phase::Greeting(GreetingExchange::new(socket_type as u8, name, routing_id.len(), &mut out))
            }
            Some(config) => {
                // Whoever asks a ZAP handler about its peers can't do without a mechanism.
                let upgrade = Upgrade::new(&config, name, mechanism.allows_legacy_peers(), &mut out);
                Phase::Upgrade(Box::new((upgrade, config)))
            }
        };
        Self {
            phase,
            mechanism: Some(mechanism),
            negotiation: Negotiation::new(socket_type, routing_id, metadata),
            max_msg_size,
            out,
        }
    }

    /// Takes bytes from the peer, and says how many of them belong to the handshake. If it is established
    /// afterwards the rest is for the decoder; else all were taken. There may be new output either way, also after
    /// an error.
    ///
    /// # Errors
    /// [`ProtocolError`]: close the connection.
    pub fn input(&mut self, bytes: &[u8]) -> Result<usize, ProtocolError> {
        let result = self.advance(bytes);
        if result.is_err() {
            self.phase = Phase::Failed;
        }
        result
    }

    /// Bytes to send. The caller drains them.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Whether messages can flow.
    pub fn is_established(&self) -> bool {
        matches!(self.phase, Phase::Established(_))
    }

    /// The monitor events that have come up so far, for failures after which there is still something to send. (Those that end the
    /// handshake at once are in the error.)
    pub fn take_events(&mut self) -> Vec<HandshakeEvent> {
        std::mem::take(&mut self.negotiation.events)
    }

    /// The question for the ZAP handler, if one has come up. The answer is for [`Self::zap_reply`].
    pub fn zap_request(&mut self) -> Option<ZapRequest> {
        if !matches!(self.phase, Phase::Commands(_)) {
            return None;
        }
        self.mechanism.as_mut()?.zap_request()
    }

    /// Goes on with the ZAP handler's answer.
    ///
    /// # Errors
    /// [`ProtocolError`]: close the connection.
    pub fn zap_reply(&mut self, reply: ZapReply) -> Result<(), ProtocolError> {
        let result =
            self.mechanism().and_then(|(mechanism, negotiation)| mechanism.zap_reply(reply, negotiation));
        let result = result.and_then(|()| self.send_commands());
        match result {
            Ok(()) => self.settle(),
            Err(_) => self.phase = Phase::Failed,
        }
        result
    }

    /// What has to be done before it goes on, in a thread that may take its time. What comes of it is for [`Self::work_done`].
    pub fn take_work(&mut self) -> Option<Work> {
        if !matches!(self.phase, Phase::Commands(_)) {
            return None;
        }
        self.mechanism.as_mut()?.take_work()
    }

    /// Goes on with what came of the work.
    ///
    /// # Errors
    /// [`WorkError`]: close the connection.
    pub fn work_done(&mut self, result: WorkResult) -> Result<(), WorkError> {
        let outcome = match &mut self.mechanism {
            Some(mechanism) => mechanism.work_done(result).map_err(WorkError::Failed),
            None => Err(WorkError::Failed(Error::State)),
        };
        let outcome = outcome.and_then(|()| self.send_commands().map_err(WorkError::Protocol));
        match outcome {
            Ok(()) => self.settle(),
            Err(_) => self.phase = Phase::Failed,
        }
        outcome
    }

    /// Whether the peer was refused. Monitors have heard of it ([`Self::take_events`]); all that is left is the end of the connection.
    pub fn is_refused(&self) -> bool {
        matches!(self.phase, Phase::Commands(_))
            && self.mechanism.as_ref().is_some_and(|mechanism| mechanism.status() == Status::Failed)
    }

    /// What the handshake came to, once [`Self::is_established`]; `None` before that.
    pub fn into_established(self) -> Option<Established> {
        let Phase::Established(agreed) = self.phase else { return None };
        let socket_type = self.negotiation.socket_type;
        let has_mechanism = agreed.has_mechanism();
        let has_commands = agreed.version.has_mechanism();
        let accepts = if has_commands { Accepts::of(socket_type) } else { Accepts::Nothing };
        let codec = match self.mechanism {
            Some(mechanism) if has_mechanism => mechanism.into_codec(),
            _ => Codec::default(),
        };
        let encoder = match agreed.websocket {
            Some(websocket) => Encoder::websocket(websocket.writer, codec.seal),
            None => Encoder::new(agreed.version, codec.seal),
        };
        let decoder = agreed.decoder.establish(accepts, codec.unseal);
        Some(Established {
            version: agreed.version,
            has_mechanism,
            has_heartbeats: has_commands,
            routing_id_follows: has_commands && !has_mechanism,
            decoder: if socket_type == SocketType::Dish { decoder.with_groups() } else { decoder },
            encoder: if socket_type == SocketType::Radio { encoder.with_groups() } else { encoder },
            peer: self.negotiation.into_peer(),
            subscribe_to_all: agreed.unversioned && matches!(socket_type, SocketType::Pub | SocketType::XPub),
        })
    }

    fn advance(&mut self, bytes: &[u8]) -> Result<usize, ProtocolError> {
        let mut used = 0;
        if let Phase::Upgrade(upgrade) = &mut self.phase {
            let (n, protocol) = upgrade.0.input(bytes, &mut self.out)?;
            used = n;
            match protocol {
                Some(protocol) => self.upgraded(protocol)?,
                None => return Ok(used),
            }
        }
        if let Phase::Greeting(exchange) = &mut self.phase {
            let (n, greeting) = exchange.input(bytes, &mut self.out);
            used = n;
            match greeting {
                Some(greeting) => self.greeted(greeting)?,
                None => return Ok(used),
            }
        }
        while let Phase::RoutingId(agreed) | Phase::Commands(agreed) = &mut self.phase {
            let (n, frame) = next_frame(&mut agreed.decoder, &bytes[used..])?;
            used += n;
            match frame {
                Some(frame) => self.frame(&frame)?,
                None => return Ok(used),
            }
        }
        match self.phase {
            Phase::Failed => Err(ProtocolError::silent(Error::Protocol)),
            _ => Ok(used),
        }
    }

    fn mechanism(&mut self) -> Result<(&mut dyn Mechanism, &mut Negotiation), ProtocolError> {
        match &mut self.mechanism {
            Some(mechanism) => Ok((&mut **mechanism, &mut self.negotiation)),
            None => Err(ProtocolError::silent(Error::State)),
        }
    }

    /// The greetings are exchanged: goes over to what the version asks for.
    fn greeted(&mut self, greeting: Greeting) -> Result<(), ProtocolError> {
        let max = self.max_msg_size;
        let agreed = |version| Agreed {
            version,
            decoder: Decoder::for_handshake(version, max),
            unversioned: false,
            websocket: None,
        };
        let (mechanism, negotiation) = self.mechanism()?;
        if let Greeting::V3 { minor, mechanism: field } = greeting {
            if !greeting::names(&field, mechanism.name()) {
                return Err(ProtocolError::with_code(code::MECHANISM_MISMATCH));
            }
            self.phase = Phase::Commands(agreed(if minor == 0 { Version::V3_0 } else { Version::V3_1 }));
            return self.send_commands();
        }
        if !mechanism.allows_legacy_peers() {
            return Err(ProtocolError::silent(Error::Protocol));
        }
        let routing_id = std::mem::take(&mut negotiation.routing_id);
        let (mut agreed, replay) = match greeting {
            Greeting::Unversioned(replay) => (Agreed { unversioned: true, ..agreed(Version::V1) }, replay),
            Greeting::V1 => (agreed(Version::V1), Vec::new()),
            Greeting::V2 | Greeting::V3 { .. } => (agreed(Version::V2), Vec::new()),
        };
        if !agreed.unversioned {
            frame::write(agreed.version, 0, routing_id.len(), &mut self.out);
        }
        // An unversioned peer already has the header: our signature.
        self.out.extend_from_slice(&routing_id);
        let (_, frame) = next_frame(&mut agreed.decoder, &replay)?;
        self.phase = Phase::RoutingId(agreed);
        match frame {
            Some(frame) => self.frame(&frame),
            None => Ok(()),
        }
    }

    /// The upgrade is done.
    fn upgraded(&mut self, protocol: Protocol) -> Result<(), ProtocolError> {
        let Phase::Upgrade(upgrade) = std::mem::replace(&mut self.phase, Phase::Failed) else {
            return Ok(());
        };
        let (_, config) = *upgrade;
        self.negotiation.events.push(HandshakeEvent::Upgraded);
        let (mut writer, reader) = match config.side {
            Side::Client { .. } => (FrameWriter::client(config.random), FrameReader::new(false)),
            Side::Server => (FrameWriter::server(), FrameReader::new(true)),
        };
        let reader = match protocol {
            Protocol::Mechanism => reader,
            Protocol::Plain => {
                writer.frame(0, [&self.negotiation.routing_id, &[]], &mut self.out);
                reader.without_mechanism(config.wants_routing_id)
            }
        };
        let agreed = Agreed {
            version: Version::V3_0,
            decoder: Decoder::for_websocket(reader, self.max_msg_size),
            unversioned: false,
            websocket: Some(WebSocket { writer: Box::new(writer), protocol }),
        };
        match protocol {
            Protocol::Plain => {
                self.phase = Phase::Established(agreed);
                Ok(())
            }
            Protocol::Mechanism => {
                self.phase = Phase::Commands(agreed);
                self.send_commands()
            }
        }
    }

    fn frame(&mut self, frame: &Message) -> Result<(), ProtocolError> {
        if matches!(self.phase, Phase::RoutingId(_)) {
            self.negotiation.peer.routing_id = frame.data().to_vec();
        } else {
            let (mechanism, negotiation) = self.mechanism()?;
            mechanism.process_command(frame.data(), negotiation)?;
            if mechanism.status() == Status::Failed {
                // It was refused before it said this.
                return Err(ProtocolError::silent(Error::Protocol));
            }
            self.send_commands()?;
        }
        self.settle();
        Ok(())
    }

    /// Sends what the mechanism has to say.
    fn send_commands(&mut self) -> Result<(), ProtocolError> {
        let Phase::Commands(agreed) = &mut self.phase else { return Ok(()) };
        let Some(mechanism) = &mut self.mechanism else { return Err(ProtocolError::silent(Error::State)) };
        while let Some(body) = mechanism.next_command(&mut self.negotiation)? {
            if let Some(websocket) = &mut agreed.websocket {
                websocket.writer.frame(frame::COMMAND, [&body, &[]], &mut self.out);
            } else {
                frame::write(agreed.version, frame::COMMAND, body.len(), &mut self.out);
                self.out.extend_from_slice(&body);
            }
        }
        Ok(())
    }

    /// Goes over to `Established` if nothing is missing any more.
    fn settle(&mut self) {
        let ready = self.mechanism.as_ref().is_some_and(|mechanism| mechanism.status() == Status::Ready);
        self.phase = match std::mem::replace(&mut self.phase, Phase::Failed) {
            Phase::RoutingId(agreed) => Phase::Established(agreed),
            Phase::Commands(agreed) if ready => Phase::Established(agreed),
            phase => phase,
        };
    }
}

/// The next whole frame in `input`, and how many bytes were used.
fn next_frame(decoder: &mut Decoder, input: &[u8]) -> Result<(usize, Option<Message>), ProtocolError> {
    // A decoder that has nothing to go on with says so at once, also of an empty input.
    match decoder.decode(input)? {
        (used, Decoded::Message(message)) => Ok((used, Some(message))),
        (used, Decoded::Need | Decoded::Body) => Ok((used, None)),
    }
}

#[cfg(test)]
mod tests;
