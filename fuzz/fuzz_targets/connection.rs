//! Everything that a peer sends over a stream: greeting or HTTP, mechanism, properties, frames, commands.
//!
//! The first bytes choose the socket type, the mechanism, the ZAP handler's answer and how the rest is cut into pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use zmq::message::Message;
use zmq::options::SocketType;
use zmq::security::zap::Zap;
use zmq::security::{curve, null, plain};
use zmq::zmtp::mechanism::{Mechanism, ZapReply};
use zmq::zmtp::websocket::{Config, Side};
use zmq::zmtp::{Decoded, Established, Handshake, HandshakeConfig};

/// More than any peer may make us hold for it besides one message.
const MAX_OUTPUT: usize = 1 << 16;
const MAX_MESSAGE: i64 = 1 << 16;

fn mechanism(choice: u8) -> Box<dyn Mechanism> {
    let secret = || curve::keys::SecretKey::new(&[7; 32]);
    match choice % 7 {
        0 => Box::new(null::Null::new(Zap::Off)),
        1 => Box::new(null::Null::new(Zap::Enforced)),
        2 => Box::new(plain::Client::new(b"user", b"password")),
        3 => Box::new(plain::Server::new(Zap::Enforced)),
        4 => Box::new(null::Null::new(Zap::Optional)),
        5 => Box::new(curve::Client::new(secret().public(), secret(), secret().public())),
        _ => Box::new(curve::Server::new(secret(), Zap::Optional)),
    }
}

/// The same numbers each time, so that the peer's can be guessed.
fn random(bytes: &mut [u8]) -> zmq::error::Result<()> {
    bytes.fill(0x5a);
    Ok(())
}

/// None, or one of the sides of a WebSocket.
fn websocket(choice: u8) -> Option<Config> {
    let side = match choice / 64 {
        1 => Side::Server,
        2 => Side::Client { host: "host".to_owned(), path: "/".to_owned() },
        _ => return None,
    };
    Some(Config { side, random, wants_routing_id: choice % 2 == 0 })
}

fn answer(choice: u8, metadata: &[u8]) -> ZapReply {
    match choice % 5 {
        0 => ZapReply::Unavailable,
        status => ZapReply::Answer {
            status: [200, 300, 400, 500][usize::from(status) - 1],
            user_id: b"someone".to_vec(),
            metadata: metadata.to_vec(),
        },
    }
}

/// Bytes in pieces of `step`; what the handshake leaves over.
fn shake_hands(handshake: &mut Handshake, mut bytes: &[u8], step: usize, zap: u8) -> Option<Vec<u8>> {
    while !handshake.is_established() {
        let piece = &bytes[..step.min(bytes.len())];
        if piece.is_empty() {
            return None;
        }
        let used = handshake.input(piece).ok()?;
        assert!(used <= piece.len());
        assert!(handshake.output().len() < MAX_OUTPUT);
        handshake.take_events();
        bytes = &bytes[used..];
        if handshake.zap_request().is_some() {
            handshake.zap_reply(answer(zap, &bytes[..bytes.len().min(40)])).ok()?;
        } else if used == 0 && !handshake.is_established() {
            return None;
        }
    }
    Some(bytes.to_vec())
}

/// Decodes what is left, and encodes it again.
fn exchange(established: Established, mut bytes: &[u8], step: usize) {
    let Established { mut decoder, mut encoder, .. } = established;
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let piece = &bytes[..step.min(bytes.len())];
        let Ok((used, decoded)) = decoder.decode(piece) else { return };
        assert!(used <= piece.len());
        bytes = &bytes[used..];
        let mut message = None;
        match decoded {
            Decoded::Message(decoded) => message = Some(decoded),
            Decoded::Need => assert!(used > 0 || piece.is_empty()),
            Decoded::Body => {
                let room = decoder.body();
                let count = room.len().min(bytes.len());
                room[..count].copy_from_slice(&bytes[..count]);
                bytes = &bytes[count..];
                match decoder.filled(count) {
                    Ok(decoded) => message = decoded,
                    Err(_) => return,
                }
            }
        }
        if let Some(message) = message {
            assert!(message.len() as i64 <= MAX_MESSAGE);
            out.clear();
            encoder.encode(&message, &mut out);
        }
    }
    encoder.encode(&Message::new(), &mut out);
}

fuzz_target!(|data: &[u8]| {
    let [kind, choice, zap, step, bytes @ ..] = data else { return };
    let kinds = SocketType::ALL;
    let mut handshake = Handshake::new(HandshakeConfig {
        socket_type: kinds[usize::from(*kind) % kinds.len()],
        routing_id: b"name".to_vec(),
        mechanism: mechanism(*choice),
        max_msg_size: MAX_MESSAGE,
        metadata: BTreeMap::new(),
        websocket: websocket(*choice),
    });
    let step = usize::from(*step).max(1);
    if let Some(rest) = shake_hands(&mut handshake, bytes, step, *zap) {
        assert!(handshake.output().len() < MAX_OUTPUT);
        let established = handshake.into_established().expect("it says so");
        exchange(established, &rest, step);
    }
});
