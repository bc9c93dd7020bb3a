//! The upgrade, frames and mechanisms together, without sockets; bytes that no peer should send.

use super::*;
use crate::dice::Dice;
use crate::error::Error;
use crate::message::{Kind, Message};
use crate::options::SocketType;
use crate::zmtp::error::{HandshakeEvent, code};
use crate::zmtp::testing::OneCommand;
use crate::zmtp::{Decoded, Established, Handshake, HandshakeConfig, ProtocolError};
use std::collections::BTreeMap;

#[path = "../../../tests/websocket/bytes.rs"]
mod bytes;
mod fragments;

use bytes::{ACCEPT, KEY, UNGRANTED, frame, request};

const REFUSED: ProtocolError = ProtocolError::with_code(code::WS_UNSPECIFIED);

/// Bytes that differ, and are the same in each run.
fn random(bytes: &mut [u8]) -> crate::error::Result<()> {
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = (at as u8).wrapping_mul(77).wrapping_add(13);
    }
    Ok(())
}

fn client_side() -> Side {
    Side::Client { host: "example.com".to_owned(), path: "/a".to_owned() }
}

fn handshake_with(side: Side, socket_type: SocketType, id: &[u8], max_msg_size: i64) -> Handshake {
    Handshake::new(HandshakeConfig {
        socket_type,
        routing_id: id.to_vec(),
        mechanism: OneCommand::boxed("NULL", true),
        max_msg_size,
        metadata: BTreeMap::new(),
        websocket: Some(Config { side, random, wants_routing_id: socket_type == SocketType::Router }),
    })
}

fn server(socket_type: SocketType) -> Handshake {
    handshake_with(Side::Server, socket_type, b"", -1)
}

fn response(protocol: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
    )
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, Some([1, 2, 3, 4]))
}

fn ready(socket_type: &str) -> Vec<u8> {
    let mut body = b"\x02\x05READY\x0bSocket-Type\0\0\0".to_vec();
    body.push(socket_type.len() as u8);
    body.extend_from_slice(socket_type.as_bytes());
    body
}

/// Lets two handshakes talk, `step` bytes at a time.
fn converse(client: &mut Handshake, server: &mut Handshake, step: usize) -> Result<(), ProtocolError> {
    let mut pending = [Vec::new(), Vec::new()];
    for _ in 0..20 {
        pending[0].append(client.output());
        pending[1].append(server.output());
        if pending.iter().all(Vec::is_empty) {
            return Ok(());
        }
        for (from, to) in [(0, &mut *server), (1, &mut *client)] {
            let bytes = std::mem::take(&mut pending[from]);
            for piece in bytes.chunks(step) {
                if to.is_established() {
                    pending[from].extend_from_slice(piece);
                } else {
                    let used = to.input(piece)?;
                    pending[from].extend_from_slice(&piece[used..]);
                }
            }
        }
    }
    panic!("they never come to an end");
}

fn established(handshake: Handshake) -> Established {
    assert!(handshake.is_established());
    handshake.into_established().expect("it is established")
}

/// All messages in `bytes`, which arrive `step` at a time; bodies that are asked for are read in place.
fn decode(side: &mut Established, bytes: &[u8], step: usize) -> Result<Vec<Message>, ProtocolError> {
    let mut messages = Vec::new();
    let mut input = bytes;
    while !input.is_empty() {
        let (piece, rest) = input.split_at(input.len().min(step));
        input = rest;
        let mut piece = piece;
        loop {
            let (used, decoded) = side.decoder.decode(piece)?;
            piece = &piece[used..];
            match decoded {
                Decoded::Message(message) => messages.push(message),
                Decoded::Need => break,
                Decoded::Body => {
                    let body = side.decoder.body();
                    let n = body.len().min(input.len()).min(step);
                    body[..n].copy_from_slice(&input[..n]);
                    input = &input[n..];
                    messages.extend(side.decoder.filled(n)?);
                    break;
                }
            }
        }
    }
    Ok(messages)
}

fn message(kind: Kind, more: bool, body: &[u8]) -> Message {
    let mut message = Message::from_slice(body).unwrap();
    message.set_kind(kind);
    message.set_more(more);
    message
}

/// A server behind its handshake.
fn open(socket_type: SocketType, protocol: &str, first: &[u8], max: i64) -> Established {
    let mut server = handshake_with(Side::Server, socket_type, b"", max);
    let mut bytes = request(protocol).into_bytes();
    if protocol != "ZWS2.0" {
        bytes.extend_from_slice(first);
    }
    assert_eq!(server.input(&bytes), Ok(bytes.len()));
    let mut server = established(server);
    if protocol == "ZWS2.0" {
        assert!(decode(&mut server, first, usize::MAX).unwrap().len() <= 1);
    }
    server
}

fn with_null(socket_type: SocketType, peer: &str) -> Established {
    open(socket_type, "ZWS2.0/NULL", &masked(0x82, &ready(peer)), -1)
}

fn plain(socket_type: SocketType) -> Established {
    open(socket_type, "ZWS2.0", &masked(0x82, b"\0"), -1)
}

fn summary(messages: &[Message]) -> Vec<(Kind, bool, Vec<u8>)> {
    messages.iter().map(|message| (message.kind(), message.more(), message.data().to_vec())).collect()
}

#[test]
fn two_of_us_agree_on_the_mechanism_and_exchange_messages_however_the_bytes_are_cut() {
    for step in [1, 2, 3, 7, 100, 9000, usize::MAX] {
        let mut client = handshake_with(client_side(), SocketType::Dealer, b"me", -1);
        let mut server = server(SocketType::Router);
        converse(&mut client, &mut server, step).unwrap();
        assert_eq!(client.take_events(), [HandshakeEvent::Upgraded]);
        assert_eq!(server.take_events(), [HandshakeEvent::Upgraded]);
        let (mut client, mut server) = (established(client), established(server));
        assert!(client.has_mechanism && server.has_mechanism && server.has_heartbeats);
        assert_eq!(server.peer.routing_id, b"me");
        for size in
            [0, 1, 31, 32, 33, 34, 123, 124, 125, 126, 255, 4095, 4096, 4097, 65_534, 65_535, 65_536, 200_000]
        {
            let body: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let sent = [
                message(Kind::Data, true, &body),
                message(Kind::Ping, false, b"\0\x05ttl"),
                message(Kind::Data, false, &body),
                message(Kind::Pong, false, b"context"),
            ];
            let received = [
                (Kind::Data, true, body.clone()),
                (Kind::Ping, false, Vec::new()),
                (Kind::Data, false, body.clone()),
                (Kind::Pong, false, Vec::new()),
            ];
            let mut bytes = Vec::new();
            sent.iter().for_each(|message| client.encoder.encode(message, &mut bytes));
            assert_eq!(summary(&decode(&mut server, &bytes, step).unwrap()), received, "{size} by {step}");
            assert!(size < 8 || !bytes.windows(size).any(|window| window == body), "it is masked");
            bytes.clear();
            for message in &sent {
                if message.is_data() {
                    server.encoder.header(message, &mut bytes);
                    bytes.extend_from_slice(message.data());
                } else {
                    server.encoder.encode(message, &mut bytes);
                }
            }
            assert_eq!(summary(&decode(&mut client, &bytes, step).unwrap()), received, "{size} by {step}");
        }
        assert!(server.encoder.by_reference() && !client.encoder.by_reference());
    }
}

#[test]
fn the_bytes_are_those_of_libzmq() {
    let mut client = handshake_with(client_side(), SocketType::Push, b"", -1);
    let mut nonce = [0; 16];
    random(&mut nonce).unwrap();
    let key = data_encoding::BASE64.encode(&nonce);
    let expected = format!(
        "GET /a HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n\
         Sec-WebSocket-Protocol: ZWS2.0/NULL,ZWS2.0\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    assert_eq!(String::from_utf8_lossy(client.output()), expected);

    let mut server = server(SocketType::Pull);
    server.input(request("ZWS2.0/NULL,ZWS2.0").as_bytes()).unwrap();
    let expected = [response("ZWS2.0/NULL").as_bytes(), b"\x82\x1b", &ready("PULL")].concat();
    assert_eq!(*server.output(), expected);

    let mut server = handshake_with(Side::Server, SocketType::Dealer, b"id", -1);
    server.input(request("ZWS2.0").as_bytes()).unwrap();
    let expected = [response("ZWS2.0").as_bytes(), b"\x82\x03\0id"].concat();
    assert_eq!(*server.output(), expected);
    let mut server = established(server);
    assert!(!server.has_mechanism && server.has_heartbeats && server.routing_id_follows);
    let mut bytes = Vec::new();
    for (kind, body) in [
        (Kind::Subscribe, &b"AB"[..]),
        (Kind::Cancel, b"AB"),
        (Kind::Ping, b"\0\x05x"),
        (Kind::Pong, b"x"),
        (Kind::Close, b"\x03\xe8"),
        (Kind::Data, b"hi"),
    ] {
        server.encoder.encode(&message(kind, false, body), &mut bytes);
    }
    let mut join = message(Kind::Join, false, b"");
    join.set_group(b"g").unwrap();
    server.encoder.encode(&join, &mut bytes);
    let expected: [&[u8]; 7] = [
        b"\x82\x04\0\x01AB",
        b"\x82\x04\0\0AB",
        b"\x89\0",
        b"\x8a\0",
        b"\x88\x02\x03\xe8",
        b"\x82\x03\0hi",
        b"\x82\x07\x02\x04JOINg",
    ];
    assert_eq!(bytes, expected.concat());
}

#[test]
fn subprotocols() {
    for (offered, chosen) in [
        ("ZWS2.0", Some("ZWS2.0")),
        ("ZWS2.0/NULL", Some("ZWS2.0/NULL")),
        ("ZWS2.0,ZWS2.0/NULL", Some("ZWS2.0")),
        ("foo, ZWS2.0/CURVE ,  ZWS2.0/NULL", Some("ZWS2.0/NULL")),
        ("foo\r\nSec-WebSocket-Protocol: ZWS2.0", Some("ZWS2.0")),
        ("zws2.0", None),
        ("ZWS2.0/", None),
        ("ZWS2.0/PLAIN", None),
        ("ZWS2.00", None),
        ("", None),
    ] {
        let mut server = server(SocketType::Pull);
        let outcome = server.input(request(offered).as_bytes());
        match chosen {
            Some(chosen) => assert!(server.output().starts_with(response(chosen).as_bytes()), "{offered}"),
            None => {
                assert_eq!(outcome, Err(REFUSED), "{offered}");
                assert!(server.output().is_empty() && server.take_events().is_empty());
            }
        }
    }
    // With a domain for the ZAP handler there is no way round it.
    let asks_zap = |side| {
        Handshake::new(HandshakeConfig {
            socket_type: SocketType::Pull,
            routing_id: Vec::new(),
            mechanism: OneCommand::boxed("NULL", false),
            max_msg_size: -1,
            metadata: BTreeMap::new(),
            websocket: Some(Config { side, random, wants_routing_id: false }),
        })
    };
    assert_eq!(asks_zap(Side::Server).input(request("ZWS2.0").as_bytes()), Err(REFUSED));
    assert!(asks_zap(Side::Server).input(request("ZWS2.0/NULL").as_bytes()).is_ok());
}

/// As the reference answers, one by one; where it is stricter than HTTP, see docs/differences.md.
#[test]
fn requests_that_are_granted_and_refused() {
    let change = |from: &str, to: &str| request("ZWS2.0").replace(from, to);
    let granted = [
        change("Sec-WebSocket-Version: 13\r\n", ""),
        change("Version: 13", "Version: 8"),
        change("Host: h\r\n", ""),
        change(KEY, "!"),
        change("Host: h", "Sec-WebSocket-Key: AAAA"),
        change("Connection: Upgrade", "connection: keep-alive, UPGRADE"),
        change("websocket", "WebSocket"),
        change("/x", "x"),
        change("Host: h", &format!("Cookie: {}", "a".repeat(2048))),
        change("Host: h", &(0..200).map(|n| format!("H{n}: 1")).collect::<Vec<_>>().join("\r\n")),
        change(
            "Host: h",
            &(0..30).map(|n| format!("H{n}: {}", "a".repeat(2000))).collect::<Vec<_>>().join("\r\n"),
        ),
    ];
    let refused = [
        change("GET", "POST"),
        change("GET", "get"),
        change("HTTP/1.1", "HTTP/1.0"),
        change("HTTP/1.1", "HTTP/2.0"),
        change(&format!("Sec-WebSocket-Key: {KEY}\r\n"), ""),
        change(KEY, ""),
        change("Upgrade: websocket\r\n", ""),
        change("Upgrade: websocket", "Upgrade: h2c"),
        change("Connection: Upgrade\r\n", ""),
        change("Connection: Upgrade", "Connection: close"),
        change("\r\n", "\n"),
        change("/x", ""),
        change("Host: h", "Host"),
        change("Host: h", "Host : h"),
        change("Host: h", "Ho\0st: h"),
        change("Host: h", &format!("Cookie: {}", "a".repeat(2049))),
        change("Host: h", &format!("{}: 1", "a".repeat(1025))),
        change("Host: h", &(0..300).map(|n| format!("H{n}: 1")).collect::<Vec<_>>().join("\r\n")),
        change(
            "Host: h",
            &(0..40).map(|n| format!("H{n}: {}", "a".repeat(2000))).collect::<Vec<_>>().join("\r\n"),
        ),
    ];
    for step in [1, 10, usize::MAX] {
        let outcome = |text: &str| {
            let mut server = server(SocketType::Pull);
            text.as_bytes().chunks(step).find_map(|piece| server.input(piece).err()).map_or(Ok(server), Err)
        };
        for text in &granted {
            assert!(outcome(text).is_ok_and(|server| server.is_established()), "{text}");
        }
        for text in &refused {
            assert_eq!(outcome(text).err(), Some(REFUSED), "{text}");
        }
    }
}

#[test]
fn responses_that_grant_and_those_that_do_not() {
    let respond = |change: &dyn Fn(String) -> String| {
        let mut client = handshake_with(client_side(), SocketType::Push, b"", -1);
        let request = String::from_utf8(std::mem::take(client.output())).unwrap();
        let key = request.split("Key: ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap();
        let accept = super::http::accept_for(key.as_bytes());
        client.input(change(response("ZWS2.0/NULL").replace(ACCEPT, &accept)).as_bytes())
    };
    assert!(respond(&|text| text).is_ok());
    let granted = |from: &'static str, to: &'static str| respond(&|text| text.replace(from, to)).is_ok();
    assert!(granted("ZWS2.0/NULL", "ZWS2.0"));
    assert!(granted("Sec-WebSocket", "sec-websocket"));
    assert!(granted("Switching Protocols", "As You Like"));
    assert!(granted("Connection: Upgrade", "Connection: a, upgrade"));
    for (from, to) in UNGRANTED {
        assert_eq!(respond(&|text| text.replace(from, to)), Err(REFUSED), "{from} {to}");
    }
}

#[test]
fn a_long_path_is_asked_for() {
    let path = format!("/{}", "a".repeat(20_000));
    let side = Side::Client { host: "h".to_owned(), path };
    let mut client = handshake_with(side, SocketType::Push, b"", -1);
    let mut server = server(SocketType::Pull);
    converse(&mut client, &mut server, 1000).unwrap();
    assert!(client.is_established() && server.is_established());
}

#[test]
fn without_a_mechanism_the_routing_id_comes_as_the_first_frame() {
    for (first, id) in [(&b"\0abc"[..], &b"abc"[..]), (b"\x01abc", b"abc"), (b"\0", b"")] {
        let mut router = handshake_with(Side::Server, SocketType::Router, b"", -1);
        router.input(request("ZWS2.0").as_bytes()).unwrap();
        let mut router = established(router);
        let bytes = [masked(0x82, first), masked(0x82, b"\0hello")].concat();
        let expected = [(Kind::RoutingId, false, id.to_vec()), (Kind::Data, false, b"hello".to_vec())];
        assert_eq!(summary(&decode(&mut router, &bytes, 1).unwrap()), expected);
    }
    let mut pull = handshake_with(Side::Server, SocketType::Pull, b"", -1);
    pull.input(request("ZWS2.0").as_bytes()).unwrap();
    let bytes = [masked(0x82, b"\0dropped"), masked(0x82, b"\0hello")].concat();
    let messages = decode(&mut established(pull), &bytes, 3).unwrap();
    assert_eq!(summary(&messages), [(Kind::Data, false, b"hello".to_vec())]);
}

#[test]
fn control_frames_mean_something_where_there_is_a_mechanism() {
    let after = (Kind::Data, false, b"after".to_vec());
    for (first, body, kind) in [
        (0x89, &b"abc"[..], Kind::Ping),
        (0x89, b"", Kind::Ping),
        (0x89, &[b'a'; 300], Kind::Ping),
        (0x8a, b"abc", Kind::Pong),
        (0x88, b"\x03\xe8bye", Kind::Close),
        (0xf8, b"", Kind::Close),
    ] {
        let bytes = [masked(first, body), masked(0x82, b"\0after")].concat();
        let kept = if kind == Kind::Ping { &[] } else { body };
        for step in [1, usize::MAX] {
            let messages = decode(&mut with_null(SocketType::Pull, "PUSH"), &bytes, step).unwrap();
            assert_eq!(summary(&messages), [(kind, false, kept.to_vec()), after.clone()]);
            let messages = decode(&mut plain(SocketType::Pull), &bytes, step).unwrap();
            assert_eq!(summary(&messages), std::slice::from_ref(&after));
        }
    }
    // In the middle of the mechanism's handshake they are out of place.
    for first in [0x88, 0x89, 0x8a] {
        let mut server = server(SocketType::Pull);
        let bytes = [request("ZWS2.0/NULL").into_bytes(), masked(first, b"abc")].concat();
        assert_eq!(server.input(&bytes), Err(ProtocolError::with_code(code::UNEXPECTED_COMMAND)));
    }
}

#[test]
fn subscriptions_are_messages_and_commands_of_zmtp_mean_nothing() {
    for mut xpub in [with_null(SocketType::XPub, "SUB"), plain(SocketType::XPub)] {
        let bytes = [
            masked(0x82, b"\0\x01A"),
            masked(0x82, b"\x02\x09SUBSCRIBEA"),
            masked(0x82, b"\x02\x04PING\0\0"),
            masked(0x82, b"\x02junk"),
            masked(0x82, b"\x03junk"),
            masked(0x82, b"\x02"),
            masked(0x82, b"\xfd\x01B"),
        ]
        .concat();
        let messages = decode(&mut xpub, &bytes, 5).unwrap();
        assert_eq!(
            summary(&messages),
            [(Kind::Data, false, b"\x01A".to_vec()), (Kind::Data, true, b"\x01B".to_vec())]
        );
    }
    let mut radio = with_null(SocketType::Radio, "DISH");
    let messages = decode(&mut radio, &masked(0x82, b"\x02\x04JOINgroup"), 4).unwrap();
    assert_eq!((messages[0].kind(), messages[0].group()), (Kind::Join, &b"group"[..]));
}

#[test]
fn frames_that_are_not_spoken_end_the_connection() {
    let malformed = ProtocolError::silent(Error::Protocol);
    let bad = [
        masked(0x81, b"\0text"),
        masked(0x83, b"\0reserved"),
        masked(0x8b, b""),
        frame(0x82, b"\0not masked", None),
        masked(0x82, b""),
        b"\x82\xfe\0\0\0\0\0\0".to_vec(),
    ];
    for bytes in &bad {
        for step in [1, usize::MAX] {
            for mut server in [with_null(SocketType::Pull, "PUSH"), plain(SocketType::Pull)] {
                assert_eq!(decode(&mut server, bytes, step).unwrap_err(), malformed, "{bytes:?}");
            }
        }
    }
    let mut client = handshake_with(client_side(), SocketType::Push, b"", -1);
    let mut server = server(SocketType::Pull);
    converse(&mut client, &mut server, usize::MAX).unwrap();
    assert_eq!(decode(&mut established(client), &masked(0x82, b"\0x"), 1).unwrap_err(), malformed);
    // Reserved bits and lengths in more bytes than they need are let pass, as libzmq does.
    let bytes = [masked(0xf2, b"\0abc"), b"\x82\xfe\0\x04\0\0\0\0\0abc".to_vec()].concat();
    assert_eq!(decode(&mut plain(SocketType::Pull), &bytes, 1).unwrap().len(), 2);
}

#[test]
fn lengths_are_looked_at_before_memory_is_taken() {
    let too_long = ProtocolError::silent(Error::MessageSize);
    for protocol in ["ZWS2.0", "ZWS2.0/NULL"] {
        let open = || {
            open(
                SocketType::Pull,
                protocol,
                &masked(0x82, if protocol == "ZWS2.0" { b"\0" } else { &READY }),
                40,
            )
        };
        assert!(decode(&mut open(), &masked(0x82, &[0; 41]), 1).is_ok());
        for bytes in [masked(0x82, &[0; 42]), masked(0x89, &[0; 41]), masked(0x88, &[0; 1000])] {
            assert_eq!(decode(&mut open(), &bytes, 1).unwrap_err(), too_long);
        }
        for length in [1_u64 << 31, 1 << 62, 1 << 63, u64::MAX] {
            let bytes = [&[0x82, 0xff][..], &length.to_be_bytes(), &[0; 5]].concat();
            assert_eq!(decode(&mut open(), &bytes, 3).unwrap_err(), too_long);
        }
    }
    let bytes = [&[0x82, 0xff][..], &(1_u64 << 63).to_be_bytes(), &[0; 5]].concat();
    assert_eq!(
        decode(&mut plain(SocketType::Pull), &bytes, 1).unwrap_err(),
        ProtocolError::silent(Error::OutOfMemory)
    );
}

/// READY of a PUSH without its flags: what `MAXMSGSIZE` 40 still lets in.
const READY: [u8; 27] = *b"\x02\x05READY\x0bSocket-Type\0\0\0\x04PUSH";

#[test]
fn any_bytes_are_survived() {
    let mut dice = Dice(1);
    let valid = [
        request("ZWS2.0/NULL").into_bytes(),
        masked(0x82, &ready("PUSH")),
        masked(0x82, b"\x01first"),
        masked(0x89, b"ping"),
        masked(0x82, &[0; 300]),
        masked(0x02, b"\0in "),
        masked(0x89, b""),
        masked(0x80, b"fragments"),
        masked(0x88, b"\x03\xe8"),
    ]
    .concat();
    let (mut refused, mut ended, mut understood) = (0, 0, 0);
    for _ in 0..3000 {
        let mut bytes = valid.clone();
        for _ in 0..1 + dice.below(3) {
            let at = dice.below(bytes.len());
            match dice.below(4) {
                0 => bytes[at] = dice.below(256) as u8,
                1 => bytes[at] ^= 1 << dice.below(8),
                2 => bytes.truncate(at.max(1)),
                _ => bytes.splice(at..at, valid[..dice.below(40)].iter().copied()).for_each(drop),
            }
        }
        let mut server = handshake_with(Side::Server, SocketType::Pull, b"", 10_000);
        let mut rest = &bytes[..];
        let step = 1 + dice.below(50);
        while !rest.is_empty() && !server.is_established() {
            let n = rest.len().min(step);
            match server.input(&rest[..n]) {
                Ok(used) => rest = &rest[used..],
                Err(_) => {
                    refused += 1;
                    break;
                }
            }
        }
        if server.is_established() {
            match decode(&mut established(server), rest, step) {
                Ok(_) => understood += 1,
                Err(_) => ended += 1,
            }
        }
    }
    // What was changed got to every stage.
    assert!(refused > 100 && ended > 100 && understood > 100, "{refused} {ended} {understood}");
}
