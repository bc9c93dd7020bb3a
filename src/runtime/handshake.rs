//! What a socket's options mean for the handshake, and what is learnt in it.

use super::gssapi::begin as begin_gssapi;
use crate::metadata::{self, Metadata};
use crate::options::{MechanismKind, Options};
use crate::random;
use crate::security::curve::{self, keys::SecretKey};
use crate::security::gssapi;
use crate::security::null::Null;
use crate::security::plain;
use crate::security::zap::Zap;
use crate::transport::{Stream, WebSocket};
use crate::zmtp::mechanism::{Mechanism, Peer};
use crate::zmtp::websocket::{self, Side};
use crate::zmtp::{Decoder, Encoder, Established, Handshake, HandshakeConfig, Version};
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// A handshake as the options and the transport say.
pub fn begin(options: &Options, stream: &Stream) -> Handshake {
    Handshake::new(HandshakeConfig {
        socket_type: options.socket_type,
        routing_id: options.routing_id.clone(),
        mechanism: mechanism(options),
        max_msg_size: options.maxmsgsize,
        metadata: options.metadata.clone(),
        websocket: stream.websocket().map(|websocket| upgrade(websocket, options)),
    })
}

fn upgrade(websocket: &WebSocket, options: &Options) -> websocket::Config {
    let side = match &websocket.host {
        Some(host) => Side::Client { host: host.clone(), path: websocket.path.clone() },
        None => Side::Server,
    };
    websocket::Config { side, random: random::fill, wants_routing_id: options.recv_routing_id }
}

/// What is there instead of a handshake's outcome on a raw connection.
pub fn skip(options: &Options) -> Established {
    Established {
        version: Version::V1,
        has_mechanism: false,
        has_heartbeats: false,
        routing_id_follows: false,
        decoder: Decoder::raw(usize::try_from(options.in_batch_size).unwrap_or(1)),
        encoder: Encoder::raw(),
        peer: Peer::default(),
        subscribe_to_all: false,
    }
}

/// The mechanism of the options, on the side that they say.
fn mechanism(options: &Options) -> Box<dyn Mechanism> {
    let kind = options.mechanism;
    let zap = Zap::new(kind, &options.zap_domain, options.zap_enforce_domain);
    match (kind, options.as_server) {
        (MechanismKind::Null, _) => Box::new(Null::new(zap)),
        (MechanismKind::Plain, true) => Box::new(plain::Server::new(zap)),
        (MechanismKind::Plain, false) => {
            Box::new(plain::Client::new(&options.plain_username, &options.plain_password))
        }
        (MechanismKind::Curve, true) => {
            Box::new(curve::Server::new(SecretKey::new(&options.curve_secretkey), zap))
        }
        (MechanismKind::Curve, false) => {
            let secret = SecretKey::new(&options.curve_secretkey);
            Box::new(curve::Client::new(options.curve_publickey, secret, options.curve_serverkey))
        }
        (MechanismKind::Gssapi, true) => {
            Box::new(gssapi::Handshake::server(begin_gssapi(options), options.gssapi_plaintext, zap))
        }
        (MechanismKind::Gssapi, false) => {
            Box::new(gssapi::Handshake::client(begin_gssapi(options), options.gssapi_plaintext))
        }
    }
}

/// The properties of the messages that will come (man page `zmq_msg_gets`), and the descriptor for `ZMQ_SRCFD`.
pub fn metadata(peer: &Peer, stream: &Stream) -> Arc<Metadata> {
    let mut builder = Metadata::builder();
    let address = stream.peer_address();
    if !address.is_empty() {
        builder.insert(metadata::PEER_ADDRESS, address.as_bytes());
    }
    builder.insert(metadata::SOURCE_FD, stream.as_raw_fd().to_string().as_bytes());
    for (name, value) in &peer.properties {
        builder.insert(name, value);
    }
    builder.build()
}
