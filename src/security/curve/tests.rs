//! Both sides against each other, and against peers that say wrong things, without any IO.

use super::codec::{FROM_CLIENT, FROM_SERVER};
use super::keys::{self, PublicKey, SecretKey, SharedKey};
use super::{Client, Server};
use crate::error::Error;
use crate::message::{Kind, Message};
use crate::options::SocketType;
use crate::security::zap::Zap;
use crate::zmtp::error::code;
use crate::zmtp::mechanism::{Codec, Mechanism, Negotiation, Status, ZapReply, ZapRequest};
use crate::zmtp::{Decoded, Established, Handshake, HandshakeConfig, HandshakeEvent, ProtocolError, frame};
use std::collections::BTreeMap;

struct Keys {
    public: PublicKey,
    secret: SecretKey,
}

fn keys() -> Keys {
    let secret = SecretKey::generate().unwrap();
    Keys { public: secret.public(), secret }
}

fn negotiation(socket_type: SocketType) -> Negotiation {
    Negotiation::new(socket_type, b"me".to_vec(), BTreeMap::new())
}

/// The two sides of a handshake.
struct Pair {
    client: Box<Client>,
    server: Box<Server>,
    client_negotiation: Negotiation,
    server_negotiation: Negotiation,
    client_key: PublicKey,
}

impl Pair {
    fn new(zap: Zap) -> Self {
        let (client, server) = (keys(), keys());
        Self {
            client: Box::new(Client::new(client.public, client.secret, server.public)),
            server: Box::new(Server::new(server.secret, zap)),
            client_negotiation: negotiation(SocketType::Dealer),
            server_negotiation: negotiation(SocketType::Router),
            client_key: client.public,
        }
    }

    fn client_says(&mut self) -> Vec<u8> {
        self.client.next_command(&mut self.client_negotiation).unwrap().unwrap()
    }

    fn server_says(&mut self) -> Vec<u8> {
        self.server.next_command(&mut self.server_negotiation).unwrap().unwrap()
    }

    fn client_hears(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        self.client.process_command(body, &mut self.client_negotiation)
    }

    fn server_hears(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        self.server.process_command(body, &mut self.server_negotiation)
    }

    /// HELLO and WELCOME.
    fn up_to_welcome(mut self) -> Self {
        let hello = self.client_says();
        self.server_hears(&hello).unwrap();
        self
    }

    /// Up to INITIATE, which is the client's turn.
    fn up_to_initiate(self) -> Self {
        let mut pair = self.up_to_welcome();
        let welcome = pair.server_says();
        pair.client_hears(&welcome).unwrap();
        pair
    }

    fn up_to_ready(self) -> Self {
        let mut pair = self.up_to_initiate();
        let initiate = pair.client_says();
        pair.server_hears(&initiate).unwrap();
        pair
    }

    /// The codecs of both.
    fn finish(self) -> (Codec, Codec) {
        let mut pair = self.up_to_ready();
        let ready = pair.server_says();
        pair.client_hears(&ready).unwrap();
        assert_eq!((pair.client.status(), pair.server.status()), (Status::Ready, Status::Ready));
        (pair.client.into_codec(), pair.server.into_codec())
    }
}

fn protocol(code: u32) -> Result<(), ProtocolError> {
    Err(ProtocolError::with_code(code))
}

#[test]
fn the_commands_have_the_sizes_of_the_rfc() {
    let mut pair = Pair::new(Zap::Off);
    let hello = pair.client_says();
    assert_eq!((hello.len(), &hello[..8]), (200, &b"\x05HELLO\x01\x00"[..]));
    assert!(hello[8..80].iter().all(|&byte| byte == 0));
    pair.server_hears(&hello).unwrap();
    let welcome = pair.server_says();
    assert_eq!((welcome.len(), &welcome[..8]), (168, &b"\x07WELCOME"[..]));
    pair.client_hears(&welcome).unwrap();
    let initiate = pair.client_says();
    let metadata = 1 + 11 + 4 + 6 + 1 + 8 + 4 + 2;
    assert_eq!((initiate.len(), &initiate[..9]), (257 + metadata, &b"\x08INITIATE"[..]));
    pair.server_hears(&initiate).unwrap();
    let ready = pair.server_says();
    assert_eq!((ready.len(), &ready[..14]), (30 + metadata, &b"\x05READY\0\0\0\0\0\0\0\x01"[..]));
    pair.client_hears(&ready).unwrap();
}

/// Every command, with every bit changed in turn.
#[test]
fn no_bit_of_a_command_can_be_changed() {
    let flipped = |bytes: &[u8], bit: usize| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    };
    let codes = |error: Result<(), ProtocolError>| match error.unwrap_err().event {
        Some(HandshakeEvent::Protocol(code)) => code,
        other => panic!("{other:?}"),
    };
    for bit in 0..200 * 8 {
        // The padding isn't looked at, nor the highest bit of a public key (RFC 7748).
        if (8 * 8..80 * 8).contains(&bit) || bit == 111 * 8 + 7 {
            continue;
        }
        let mut pair = Pair::new(Zap::Off);
        let hello = flipped(&pair.client_says(), bit);
        let expected = match bit / 8 {
            0 if hello[0] >= 200 => code::MALFORMED_COMMAND,
            0..6 => code::UNEXPECTED_COMMAND,
            6..8 => code::MALFORMED_HELLO,
            _ => code::CRYPTOGRAPHIC,
        };
        assert_eq!(codes(pair.server_hears(&hello)), expected, "HELLO, bit {bit}");
        assert_eq!(pair.server.status(), Status::Failed);
    }
    for bit in 0..168 * 8 {
        let mut pair = Pair::new(Zap::Off).up_to_welcome();
        let welcome = flipped(&pair.server_says(), bit);
        let expected = if bit < 8 * 8 { code::UNEXPECTED_COMMAND } else { code::CRYPTOGRAPHIC };
        assert_eq!(codes(pair.client_hears(&welcome)), expected, "WELCOME, bit {bit}");
    }
    for bit in (0..).step_by(3) {
        let mut pair = Pair::new(Zap::Off).up_to_initiate();
        let initiate = pair.client_says();
        if bit >= 8 * initiate.len() {
            break;
        }
        let initiate = flipped(&initiate, bit);
        let expected = match bit / 8 {
            0 if usize::from(initiate[0]) >= initiate.len() => code::MALFORMED_COMMAND,
            0..9 => code::UNEXPECTED_COMMAND,
            _ => code::CRYPTOGRAPHIC,
        };
        assert_eq!(codes(pair.server_hears(&initiate)), expected, "INITIATE, bit {bit}");
    }
    for bit in (0..).step_by(3) {
        let mut pair = Pair::new(Zap::Off).up_to_ready();
        let ready = pair.server_says();
        if bit >= 8 * ready.len() {
            break;
        }
        let expected = if bit < 6 * 8 { code::UNEXPECTED_COMMAND } else { code::CRYPTOGRAPHIC };
        assert_eq!(codes(pair.client_hears(&flipped(&ready, bit))), expected, "READY, bit {bit}");
    }
}

#[test]
fn commands_of_the_wrong_length_are_malformed() {
    for length in [0, 1, 5] {
        let mut pair = Pair::new(Zap::Off);
        let hello = pair.client_says();
        assert_eq!(pair.server_hears(&hello[..length]), protocol(code::MALFORMED_COMMAND), "{length}");
    }
    for length in [6, 7, 199, 201] {
        let mut pair = Pair::new(Zap::Off);
        let mut hello = pair.client_says();
        hello.resize(length, 0);
        assert_eq!(pair.server_hears(&hello), protocol(code::MALFORMED_HELLO), "{length}");
    }
    for length in [8, 167, 169] {
        let mut pair = Pair::new(Zap::Off).up_to_welcome();
        let mut welcome = pair.server_says();
        welcome.resize(length, 0);
        assert_eq!(pair.client_hears(&welcome), protocol(code::CRYPTOGRAPHIC), "{length}");
    }
    for (length, expected) in
        [(9, code::MALFORMED_INITIATE), (256, code::MALFORMED_INITIATE), (257, code::CRYPTOGRAPHIC)]
    {
        let mut pair = Pair::new(Zap::Off).up_to_initiate();
        let initiate = pair.client_says();
        assert_eq!(pair.server_hears(&initiate[..length]), protocol(expected), "{length}");
    }
    for (length, expected) in
        [(6, code::MALFORMED_READY), (29, code::MALFORMED_READY), (30, code::CRYPTOGRAPHIC)]
    {
        let mut pair = Pair::new(Zap::Off).up_to_ready();
        let ready = pair.server_says();
        assert_eq!(pair.client_hears(&ready[..length]), protocol(expected), "{length}");
    }
}

#[test]
fn commands_out_of_turn_are_refused() {
    // A server takes nothing while it has something to say, or waits for its ZAP handler.
    let mut pair = Pair::new(Zap::Off);
    let hello = pair.client_says();
    pair.server_hears(&hello).unwrap();
    assert_eq!(pair.server_hears(&hello), protocol(code::UNSPECIFIED));
    let mut pair = Pair::new(Zap::Optional).up_to_initiate();
    let initiate = pair.client_says();
    pair.server_hears(&initiate).unwrap();
    assert_eq!(pair.server.status(), Status::AwaitingZap);
    assert_eq!(pair.server_hears(&initiate), protocol(code::UNSPECIFIED));
    // HELLO twice, INITIATE first.
    let mut pair = Pair::new(Zap::Off);
    let hello = pair.client_says();
    pair.server_hears(&hello).unwrap();
    pair.server_says();
    assert_eq!(pair.server_hears(&hello), protocol(code::UNEXPECTED_COMMAND));
    assert_eq!(Pair::new(Zap::Off).server_hears(&initiate), protocol(code::UNEXPECTED_COMMAND));
    // A client takes nothing before it has said HELLO, READY not before INITIATE, and WELCOME once.
    assert_eq!(Pair::new(Zap::Off).client_hears(b"\x05ERROR\0"), protocol(code::UNEXPECTED_COMMAND));
    let mut pair = Pair::new(Zap::Off).up_to_welcome();
    assert_eq!(pair.client_hears(&[b"\x05READY", &[0; 40][..]].concat()), protocol(code::UNEXPECTED_COMMAND));
    let mut pair = Pair::new(Zap::Off).up_to_welcome();
    let welcome = pair.server_says();
    pair.client_hears(&welcome).unwrap();
    pair.client_says();
    assert_eq!(pair.client_hears(&welcome), protocol(code::UNEXPECTED_COMMAND));
}

#[test]
fn keys_that_dont_fit_lead_nowhere() {
    // A client with another server's key.
    let mut pair = Pair::new(Zap::Off);
    let other = keys();
    *pair.client = Client::new(other.public, other.secret.clone(), other.public);
    let hello = pair.client_says();
    assert_eq!(pair.server_hears(&hello), protocol(code::CRYPTOGRAPHIC));
    // A public key that doesn't go with the client's secret one: the vouch doesn't open.
    let (server, client) = (keys(), keys());
    let mut pair = Pair::new(Zap::Off);
    *pair.server = Server::new(server.secret, Zap::Off);
    *pair.client = Client::new(other.public, client.secret, server.public);
    let mut pair = pair.up_to_initiate();
    let initiate = pair.client_says();
    assert_eq!(pair.server_hears(&initiate), protocol(code::CRYPTOGRAPHIC));
    // Keys of small order, which anybody could have.
    let mut client = Client::new([0; 32], SecretKey::new(&[0; 32]), [0; 32]);
    let error = client.next_command(&mut negotiation(SocketType::Dealer)).unwrap_err();
    assert_eq!(error, ProtocolError::with_code(code::CRYPTOGRAPHIC));
    let mut hello = Pair::new(Zap::Off).client_says();
    hello[80..112].fill(0);
    assert_eq!(Pair::new(Zap::Off).server_hears(&hello), protocol(code::CRYPTOGRAPHIC));
}

/// INITIATE by hand, with a vouch for these keys.
fn initiate(
    pair: &mut Pair,
    vouched: [PublicKey; 2],
    secret: &SecretKey,
    short: &SecretKey,
    hello: &SharedKey,
) -> Vec<u8> {
    let welcome = pair.server_says();
    let nonce = keys::drawn(b"WELCOME-", welcome[8..24].try_into().unwrap());
    let plain = hello.open_box(&nonce, &welcome[24..]).unwrap();
    let server_short: PublicKey = plain[..32].try_into().unwrap();
    let mut inside = [secret.public().as_slice(), &[7; 16]].concat();
    let vouch_key = SharedKey::new(&server_short, secret).unwrap();
    vouch_key.append_box(&keys::drawn(b"VOUCH---", &[7; 16]), vouched.as_flattened(), &mut inside);
    let mut body = [b"\x08INITIATE", &plain[32..], &9_u64.to_be_bytes()].concat();
    let key = SharedKey::new(&server_short, short).unwrap();
    key.append_box(&keys::counted(b"CurveZMQINITIATE", 9), &inside, &mut body);
    body
}

#[test]
fn a_vouch_is_for_one_connection_to_one_server() {
    let (server, client, short, other) = (keys(), keys(), keys(), keys());
    for (vouched, expected) in [
        ([short.public, server.public], Ok(())),
        ([other.public, server.public], protocol(code::KEY_EXCHANGE)),
        ([short.public, other.public], protocol(code::KEY_EXCHANGE)),
    ] {
        let mut pair = Pair::new(Zap::Off);
        *pair.server = Server::new(server.secret.clone(), Zap::Off);
        let key = SharedKey::new(&server.public, &short.secret).unwrap();
        let mut hello = [b"\x05HELLO\x01\0", &[0; 72][..], &short.public, &3_u64.to_be_bytes()].concat();
        key.append_box(&keys::counted(b"CurveZMQHELLO---", 3), &[0; 64], &mut hello);
        pair.server_hears(&hello).unwrap();
        let body = initiate(&mut pair, vouched, &client.secret, &short.secret, &key);
        assert_eq!(pair.server_hears(&body), expected);
    }
}

/// One server's cookie is no use to another connection.
#[test]
fn a_cookie_opens_on_its_own_connection_only() {
    let server = keys();
    let pair = || {
        let mut pair = Pair::new(Zap::Off);
        *pair.server = Server::new(server.secret.clone(), Zap::Off);
        let client = keys();
        *pair.client = Client::new(client.public, client.secret, server.public);
        pair.up_to_initiate()
    };
    let (mut one, mut other) = (pair(), pair());
    let replayed = one.client_says();
    assert_eq!(other.server_hears(&replayed), protocol(code::CRYPTOGRAPHIC));
}

#[test]
fn the_handler_is_asked_about_the_clients_key() {
    let answer = |status| ZapReply::Answer { status, user_id: b"joe".to_vec(), metadata: Vec::new() };
    let mut pair = Pair::new(Zap::Enforced).up_to_ready();
    assert_eq!(pair.server.status(), Status::AwaitingZap);
    let request = ZapRequest { mechanism: "CURVE", credentials: vec![pair.client_key.to_vec()] };
    assert_eq!((pair.server.zap_request(), pair.server.zap_request()), (Some(request), None));
    pair.server.zap_reply(answer(200), &mut pair.server_negotiation).unwrap();
    let ready = pair.server_says();
    assert_eq!(pair.client_hears(&ready), Ok(()));
    for (status, told) in [(300, false), (400, true), (500, true)] {
        let mut pair = Pair::new(Zap::Optional).up_to_ready();
        pair.server.zap_request().unwrap();
        pair.server.zap_reply(answer(status), &mut pair.server_negotiation).unwrap();
        let command = pair.server.next_command(&mut pair.server_negotiation).unwrap();
        assert_eq!(command.is_some(), told);
        assert_eq!(pair.server.status(), Status::Failed);
        if let Some(command) = command {
            let event = Some(HandshakeEvent::Auth(status));
            assert_eq!(pair.client_hears(&command), Err(ProtocolError { error: Error::Protocol, event }));
        }
    }
    for (zap, goes_on) in [(Zap::Optional, true), (Zap::Enforced, false)] {
        let mut pair = Pair::new(zap).up_to_ready();
        pair.server.zap_request().unwrap();
        let result = pair.server.zap_reply(ZapReply::Unavailable, &mut pair.server_negotiation);
        assert_eq!(result.is_ok(), goes_on);
    }
}

#[test]
fn metadata_that_is_cut_short_or_of_the_wrong_type_is_refused() {
    // The server of a PUSH can't do with a DEALER, nor the other way round.
    let mut pair = Pair::new(Zap::Off);
    pair.server_negotiation = negotiation(SocketType::Push);
    let mut pair = pair.up_to_initiate();
    let body = pair.client_says();
    assert_eq!(pair.server_hears(&body), Err(ProtocolError::silent(Error::Invalid)));
    let mut pair = Pair::new(Zap::Off).up_to_ready();
    pair.server_negotiation = negotiation(SocketType::Push);
    let ready = pair.server_says();
    assert_eq!(pair.client_hears(&ready), protocol(code::INVALID_METADATA));
}

fn seal(codec: &mut Codec, flags: u8, body: &[u8]) -> Vec<u8> {
    let seal = codec.seal.as_mut().unwrap();
    let (first, second) = body.split_at(body.len() / 3);
    let mut out = b"before".to_vec();
    let size = seal.sealed_size(flags, [first, second]);
    seal.seal(flags, [first, second], &mut out);
    assert_eq!(out.len() - 6, size);
    out.split_off(6)
}

/// Both ways of opening it, which have to agree.
fn unseal(codec: &mut Codec, frame: &[u8], in_place: bool) -> Result<(u8, Vec<u8>), ProtocolError> {
    let unseal = codec.unseal.as_mut().unwrap();
    let mut message = Message::new();
    let flags = if in_place {
        let flags;
        (flags, message) = unseal.unseal_in_place(Message::from_slice(frame).unwrap())?;
        flags
    } else {
        unseal.unseal(frame, &mut message)?
    };
    Ok((flags, message.data().to_vec()))
}

const SIZES: [usize; 19] =
    [0, 1, 2, 30, 31, 32, 33, 34, 63, 64, 94, 95, 96, 97, 127, 128, 1000, 65_536, 1_000_001];

#[test]
fn messages_of_all_sizes_go_both_ways() {
    let (mut client, mut server) = Pair::new(Zap::Off).finish();
    for in_place in [false, true] {
        for (round, size) in SIZES.into_iter().chain(SIZES.into_iter().rev()).enumerate() {
            let body: Vec<u8> = (0..size).map(|i| (i * 7 + round) as u8).collect();
            let flags = [0, frame::MORE, frame::COMMAND][round % 3];
            let sealed = seal(&mut client, flags, &body);
            assert_eq!(unseal(&mut server, &sealed, in_place), Ok((flags, body.clone())), "{size}");
            let sealed = seal(&mut server, flags, &body);
            assert_eq!(unseal(&mut client, &sealed, in_place), Ok((flags, body)), "{size}");
        }
    }
}

/// A MESSAGE is what NaCl's `crypto_box` makes, whichever way it was made.
#[test]
fn messages_are_boxes() {
    let key = SharedKey::new(&keys().public, &keys().secret).unwrap();
    for size in SIZES {
        let body = vec![0x5a; size];
        let mut codec = super::codec::codec(&key, (FROM_CLIENT, 4), (FROM_SERVER, 4));
        let sealed = seal(&mut codec, frame::MORE, &body);
        let mut expected = [b"\x07MESSAGE", &5_u64.to_be_bytes()[..]].concat();
        let inside = [&[frame::MORE], &body[..]].concat();
        key.append_box(&keys::counted(FROM_CLIENT, 5), &inside, &mut expected);
        assert_eq!(sealed, expected, "{size}");
    }
}

#[test]
fn a_message_that_was_changed_repeated_or_held_back_ends_it() {
    for in_place in [false, true] {
        for size in [0, 3, 31, 95, 96, 300] {
            let (mut client, mut server) = Pair::new(Zap::Off).finish();
            let body = vec![1; size];
            let (one, two) = (seal(&mut client, 0, &body), seal(&mut client, 0, &body));
            unseal(&mut server, &two, in_place).unwrap();
            let replayed = Err(ProtocolError::with_code(code::INVALID_SEQUENCE));
            assert_eq!(unseal(&mut server, &two, in_place), replayed);
            assert_eq!(unseal(&mut server, &one, in_place), replayed);
            // In the other direction it is worth nothing either.
            let reflected = seal(&mut client, 0, &body);
            assert_eq!(
                unseal(&mut client, &reflected, in_place),
                Err(ProtocolError::with_code(code::CRYPTOGRAPHIC))
            );
        }
    }
    for size in [0, 40, 95, 96] {
        let (mut client, mut server) = Pair::new(Zap::Off).finish();
        for bit in 0.. {
            let mut sealed = seal(&mut client, 0, &vec![1; size]);
            if bit >= 8 * sealed.len() {
                break;
            }
            sealed[bit / 8] ^= 1 << (bit % 8);
            let expected = match bit / 8 {
                0 if usize::from(sealed[0]) >= sealed.len() => code::MALFORMED_COMMAND,
                0..8 => code::UNEXPECTED_COMMAND,
                // A nonce of another message: a smaller one, or one that wasn't used.
                8..16 => {
                    let (mut client, mut server) = Pair::new(Zap::Off).finish();
                    let mut sealed = seal(&mut client, 0, &vec![1; size]);
                    sealed[bit / 8] ^= 1 << (bit % 8);
                    let error = unseal(&mut server, &sealed, bit % 2 == 0).unwrap_err();
                    let codes = [code::INVALID_SEQUENCE, code::CRYPTOGRAPHIC].map(ProtocolError::with_code);
                    assert!(codes.contains(&error), "bit {bit}: {error}");
                    continue;
                }
                _ => code::CRYPTOGRAPHIC,
            };
            let error = unseal(&mut server, &sealed, bit % 2 == 0).unwrap_err();
            assert_eq!(error, ProtocolError::with_code(expected), "{size}, bit {bit}");
        }
    }
}

#[test]
fn what_is_no_message_is_refused() {
    for (frame, expected) in [
        (&b""[..], code::MALFORMED_COMMAND),
        (b"\x07", code::MALFORMED_COMMAND),
        (b"\x07MESSAG", code::MALFORMED_COMMAND),
        (b"\x05READY", code::UNEXPECTED_COMMAND),
        (b"\x07MESSAGX123", code::UNEXPECTED_COMMAND),
        (b"\0\0\0\0", code::UNEXPECTED_COMMAND),
        (b"\x07MESSAGE", code::MALFORMED_MESSAGE),
        (b"\x07MESSAGE\0\0\0\0\0\0\0\x09", code::MALFORMED_MESSAGE),
        (b"\x07MESSAGE\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", code::MALFORMED_MESSAGE),
        (b"\x07MESSAGE\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", code::CRYPTOGRAPHIC),
    ] {
        for in_place in [false, true] {
            let (_, mut server) = Pair::new(Zap::Off).finish();
            let error = unseal(&mut server, frame, in_place).unwrap_err();
            assert_eq!(error, ProtocolError::with_code(expected), "{frame:?}");
        }
    }
    // As the shortest there is: no body.
    let (mut client, mut server) = Pair::new(Zap::Off).finish();
    let shortest = seal(&mut client, 0, b"");
    assert_eq!(shortest.len(), 33);
    assert_eq!(unseal(&mut server, &shortest, false), Ok((0, Vec::new())));
}

/// A nonce that was used up isn't used again: what is sent instead ends the connection, and shows nothing.
#[test]
fn nonces_come_to_an_end() {
    let key = SharedKey::generate().unwrap();
    let mut client = super::codec::codec(&key, (FROM_CLIENT, u64::MAX - 1), (FROM_SERVER, 0));
    let mut server = super::codec::codec(&key, (FROM_SERVER, 0), (FROM_CLIENT, 0));
    let last = seal(&mut client, 0, b"last");
    assert_eq!(unseal(&mut server, &last, false), Ok((0, b"last".to_vec())));
    let over = seal(&mut client, 0, b"over");
    assert!(over.iter().all(|&byte| byte == 0));
    assert_eq!(unseal(&mut server, &over, false), Err(ProtocolError::with_code(code::UNEXPECTED_COMMAND)));
}

fn handshake(socket_type: SocketType, mechanism: Box<dyn Mechanism>) -> Handshake {
    Handshake::new(HandshakeConfig {
        socket_type,
        routing_id: Vec::new(),
        mechanism,
        max_msg_size: -1,
        metadata: BTreeMap::from([(b"X-key".to_vec(), vec![b'v'; 1000])]),
        websocket: None,
    })
}

/// From the greeting to messages, in chunks of `chunk` bytes.
fn converse(chunk: usize) -> (Established, Established) {
    let (client_keys, server_keys) = (keys(), keys());
    let mut client = handshake(
        SocketType::Sub,
        Box::new(Client::new(client_keys.public, client_keys.secret, server_keys.public)),
    );
    let mut server = handshake(SocketType::Pub, Box::new(Server::new(server_keys.secret, Zap::Off)));
    for _ in 0..20 {
        pass(&mut client, &mut server, chunk);
        pass(&mut server, &mut client, chunk);
    }
    assert!(client.is_established() && server.is_established());
    (client.into_established().unwrap(), server.into_established().unwrap())
}

fn pass(from: &mut Handshake, to: &mut Handshake, chunk: usize) {
    let bytes = std::mem::take(from.output());
    for piece in bytes.chunks(chunk) {
        assert_eq!(to.input(piece), Ok(piece.len()));
    }
}

#[test]
fn conversations_in_pieces_of_any_size() {
    for chunk in [1, 7, 100, 100_000] {
        let (mut client, mut server) = converse(chunk);
        assert_eq!(server.peer.socket_type, Some(SocketType::Sub));
        assert_eq!(client.peer.socket_type, Some(SocketType::Pub));
        assert!(client.peer.properties.contains(&(b"X-key".to_vec(), vec![b'v'; 1000])));
        assert!(!client.encoder.by_reference());
        let mut subscription = Message::from_slice(b"topic").unwrap();
        subscription.set_kind(Kind::Subscribe);
        let mut bytes = Vec::new();
        client.encoder.encode(&subscription, &mut bytes);
        // Neither what it is nor what it is about can be seen.
        assert!(!bytes.windows(5).any(|window| window == b"topic" || window == b"SUBSC"));
        let mut received = Vec::new();
        for piece in bytes.chunks(chunk) {
            let mut rest = piece;
            while !rest.is_empty() {
                let (used, decoded) = server.decoder.decode(rest).unwrap();
                rest = &rest[used..];
                if let Decoded::Message(message) = decoded {
                    received.push((message.kind(), message.data().to_vec()));
                }
            }
        }
        assert_eq!(received, [(Kind::Subscribe, b"topic".to_vec())]);
    }
}
