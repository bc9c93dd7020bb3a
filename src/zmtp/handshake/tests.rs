use super::*;
use crate::message::Kind;
use crate::metadata::Metadata;
use crate::zmtp::mechanism::Seal;
use crate::zmtp::testing::OneCommand;

fn config(socket_type: SocketType, routing_id: &[u8]) -> HandshakeConfig {
    HandshakeConfig {
        socket_type,
        routing_id: routing_id.to_vec(),
        mechanism: OneCommand::boxed("TEST", true),
        max_msg_size: -1,
        metadata: BTreeMap::from([(b"X-key".to_vec(), b"value".to_vec())]),
        websocket: None,
    }
}

fn handshake(socket_type: SocketType, routing_id: &[u8]) -> Handshake {
    Handshake::new(config(socket_type, routing_id))
}

fn v3_greeting(minor: u8) -> Vec<u8> {
    let mut bytes = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, minor];
    bytes.extend_from_slice(b"TEST");
    bytes.resize(64, 0);
    bytes
}

fn ready(properties: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    for (name, value) in properties {
        crate::zmtp::properties::write(name.as_bytes(), value, &mut body);
    }
    let mut frame = Vec::new();
    frame::write(Version::V3_1, frame::COMMAND, body.len(), &mut frame);
    frame.extend(body);
    frame
}

/// Feeds `bytes` in pieces of `chunk`, as a connection would, and says how many were used.
fn feed(handshake: &mut Handshake, bytes: &[u8], chunk: usize) -> Result<usize, ProtocolError> {
    let mut used = 0;
    while used < bytes.len() && !handshake.is_established() {
        let end = bytes.len().min(used + chunk);
        let n = handshake.input(&bytes[used..end])?;
        assert!(n == end - used || handshake.is_established());
        used += n;
    }
    Ok(used)
}

#[test]
fn two_of_ours_meet() {
    for chunk in [1, 2, 7, 64, 1000] {
        let mut a = handshake(SocketType::Dealer, b"me");
        let mut b = handshake(SocketType::Router, b"");
        for _ in 0..200 {
            let from_a = std::mem::take(a.output());
            let from_b = std::mem::take(b.output());
            assert_eq!(feed(&mut b, &from_a, chunk), Ok(from_a.len()));
            assert_eq!(feed(&mut a, &from_b, chunk), Ok(from_b.len()));
        }
        let (a, b) = (a.into_established().unwrap(), b.into_established().unwrap());
        assert_eq!((a.version, b.version), (Version::V3_1, Version::V3_1));
        assert_eq!(a.peer.socket_type, Some(SocketType::Router));
        assert_eq!(b.peer.socket_type, Some(SocketType::Dealer));
        assert_eq!(b.peer.routing_id, b"me");
        assert_eq!(a.peer.routing_id, b"");
        let names: Vec<_> = b.peer.properties.iter().map(|(name, _)| name.as_slice()).collect();
        assert_eq!(names, [&b"Socket-Type"[..], b"Identity", b"X-key"]);
        assert!(!a.subscribe_to_all);
    }
}

#[test]
fn the_wire_of_a_3_1_handshake() {
    let mut handshake = handshake(SocketType::Req, b"");
    handshake.input(&v3_greeting(1)).unwrap();
    let mut expected = v3_greeting(1);
    expected.extend_from_slice(
        b"\x04\x35\x05READY\x0bSocket-Type\0\0\0\x03REQ\x08Identity\0\0\0\0\x05X-key\0\0\0\x05value",
    );
    assert_eq!(handshake.output().escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[test]
fn only_some_types_tell_an_identity() {
    use SocketType::*;
    for socket_type in SocketType::ALL {
        let mut handshake = handshake(socket_type, b"name");
        handshake.input(&v3_greeting(1)).unwrap();
        let told = handshake.output().windows(8).any(|window| window == b"Identity");
        assert_eq!(told, matches!(socket_type, Req | Dealer | Router), "{socket_type:?}");
    }
}

#[test]
fn a_3_0_peer_gets_3_0() {
    let mut handshake = handshake(SocketType::Sub, b"");
    handshake.input(&v3_greeting(0)).unwrap();
    handshake.input(&ready(&[("Socket-Type", b"PUB")])).unwrap();
    let mut established = handshake.into_established().unwrap();
    assert_eq!(established.version, Version::V3_0);
    let mut subscribe = Message::from_slice(b"topic").unwrap();
    subscribe.set_kind(Kind::Subscribe);
    let mut out = Vec::new();
    established.encoder.encode(&subscribe, &mut out);
    assert_eq!(out, b"\x00\x06\x01topic");
}

#[test]
fn what_follows_the_handshake_is_left_alone() {
    let mut bytes = v3_greeting(1);
    bytes.extend(ready(&[("Socket-Type", b"REP")]));
    let end = bytes.len();
    bytes.extend_from_slice(b"\x00\x05hello");
    for chunk in 1..bytes.len() + 1 {
        let mut handshake = handshake(SocketType::Req, b"");
        assert_eq!(feed(&mut handshake, &bytes, chunk), Ok(end), "chunk {chunk}");
        let mut established = handshake.into_established().unwrap();
        match established.decoder.decode(&bytes[end..]) {
            Ok((7, Decoded::Message(message))) => assert_eq!(message.data(), b"hello"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_2_0_peer() {
    let bytes = b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x05\x00\x04peer\x00\x02hi";
    for chunk in 1..=bytes.len() {
        let mut handshake = handshake(SocketType::Router, b"us");
        assert_eq!(feed(&mut handshake, bytes, chunk), Ok(18));
        assert_eq!(handshake.output()[10..], *b"\x03\x06\x00\x02us");
        let mut established = handshake.into_established().unwrap();
        assert_eq!(established.version, Version::V2);
        assert_eq!(established.peer.routing_id, b"peer");
        assert!(!established.version.has_mechanism());
        assert!(!established.subscribe_to_all);
        assert!(matches!(established.decoder.decode(&bytes[18..]), Ok((4, Decoded::Message(_)))));
    }
}

#[test]
fn a_1_0_peer_with_a_greeting() {
    let bytes = b"\xff\0\0\0\0\0\0\0\x01\x7f\x00\x05\x01\x00\x03\x00hi";
    let mut handshake = handshake(SocketType::Pull, b"us");
    assert_eq!(handshake.input(bytes), Ok(14));
    assert_eq!(handshake.output()[10..], *b"\x03\x07\x03\x00us");
    let established = handshake.into_established().unwrap();
    assert_eq!((established.version, established.peer.routing_id.len()), (Version::V1, 0));
    assert!(!established.subscribe_to_all);
}

#[test]
fn an_unversioned_peer() {
    // With a short routing id, and with one whose header looks like the beginning of a greeting.
    let long_id = [b'x'; 254];
    let long = [b"\xff\0\0\0\0\0\0\0\xff\x00", &long_id[..]].concat();
    for (id_frame, id) in [(&b"\x03\x00ab"[..], &b"ab"[..]), (b"\x01\x00", b""), (&long, &long_id)] {
        for chunk in [1, 3, 10, 1000] {
            let mut handshake = handshake(SocketType::Pub, b"us");
            let bytes = [id_frame, b"\x02\x00\x01"].concat();
            assert_eq!(feed(&mut handshake, &bytes, chunk), Ok(id_frame.len()));
            // Our signature was the header of our routing id.
            assert_eq!(handshake.output()[..], *b"\xff\0\0\0\0\0\0\0\x03\x7fus");
            let mut established = handshake.into_established().unwrap();
            assert_eq!((established.version, &established.peer.routing_id[..]), (Version::V1, id));
            assert!(established.subscribe_to_all);
            match established.decoder.decode(b"\x02\x00\x01") {
                Ok((3, Decoded::Message(message))) => assert_eq!(message.data(), [1]),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn legacy_peers_can_be_refused() {
    for bytes in
        [&b"\x01\x00"[..], b"\xff\0\0\0\0\0\0\0\x01\x7f\x00\x05", b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x05"]
    {
        let mechanism = OneCommand::boxed("TEST", false);
        let mut handshake = Handshake::new(HandshakeConfig { mechanism, ..config(SocketType::Rep, b"") });
        assert_eq!(handshake.input(bytes), Err(ProtocolError::silent(Error::Protocol)));
    }
}

#[test]
fn another_mechanism_is_refused() {
    let mut greeting = v3_greeting(1);
    greeting[12] = b'B';
    let error = handshake(SocketType::Rep, b"").input(&greeting).unwrap_err();
    assert_eq!(error.event, Some(HandshakeEvent::Protocol(0x1100_0002)));
}

#[test]
fn incompatible_types_and_bad_metadata_end_it_silently() {
    let cases: [(Vec<u8>, Error); 5] = [
        (ready(&[("Socket-Type", b"PUB")]), Error::Invalid),
        (ready(&[("Socket-Type", b"")]), Error::Invalid),
        (ready(&[("Socket-Type", b"rep")]), Error::Invalid),
        (b"\x04\x07\x05READY\x05".to_vec(), Error::Protocol),
        (b"\x04\x0d\x05READY\x01k\0\0\0\x05v".to_vec(), Error::Protocol),
    ];
    for (frame, error) in cases {
        let mut handshake = handshake(SocketType::Req, b"");
        handshake.input(&v3_greeting(1)).unwrap();
        assert_eq!(handshake.input(&frame), Err(ProtocolError::silent(error)), "{frame:?}");
        assert!(!handshake.is_established());
        assert!(handshake.input(b"x").is_err(), "it stays failed");
        assert!(handshake.into_established().is_none());
    }
}

#[test]
fn the_largest_message_size_counts_for_the_handshake() {
    let mut handshake = Handshake::new(HandshakeConfig { max_msg_size: 10, ..config(SocketType::Req, b"") });
    handshake.input(&v3_greeting(1)).unwrap();
    assert_eq!(
        handshake.input(&ready(&[("Socket-Type", b"REP")])),
        Err(ProtocolError::silent(Error::MessageSize))
    );
}

#[test]
fn a_property_that_comes_twice_counts_once() {
    let mut handshake = handshake(SocketType::Req, b"");
    handshake.input(&v3_greeting(1)).unwrap();
    handshake
        .input(&ready(&[("Socket-Type", b"REP"), ("X-a", b"1"), ("X-a", b"2"), ("\u{e9}", b"\xff")]))
        .unwrap();
    let mut properties = Metadata::builder();
    for (name, value) in &handshake.into_established().unwrap().peer.properties {
        properties.insert(name, value);
    }
    let expected: [(&[u8], &[u8]); 3] =
        [(b"Socket-Type", b"REP"), (b"X-a", b"1"), ("\u{e9}".as_bytes(), b"\xff")];
    assert!(properties.build().iter().eq(expected));
}

#[test]
fn ready_may_be_a_large_frame() {
    let value = vec![b'v'; 100_000];
    let mut bytes = v3_greeting(1);
    bytes.extend(ready(&[("Socket-Type", b"REP"), ("X-large", &value)]));
    let mut handshake = handshake(SocketType::Req, b"");
    assert_eq!(feed(&mut handshake, &bytes, 1000), Ok(bytes.len()));
    assert!(handshake.is_established());
}

/// Reverses the bits of everything.
struct Flip;

impl Seal for Flip {
    fn sealed_size(&mut self, _flags: u8, parts: [&[u8]; 2]) -> usize {
        1 + parts[0].len() + parts[1].len()
    }

    fn seal(&mut self, flags: u8, parts: [&[u8]; 2], out: &mut Vec<u8>) {
        out.push(!flags);
        out.extend(parts.concat().iter().map(|byte| !byte));
    }
}

impl crate::zmtp::mechanism::Unseal for Flip {
    fn unseal(&mut self, frame: &[u8], out: &mut Message) -> Result<u8, ProtocolError> {
        let (flags, body) = frame.split_first().ok_or(ProtocolError::with_code(code::CRYPTOGRAPHIC))?;
        let body: Vec<_> = body.iter().map(|byte| !byte).collect();
        out.assign(&body).map_err(ProtocolError::silent)?;
        Ok(!flags)
    }

    fn unseal_in_place(&mut self, frame: Message) -> Result<(u8, Message), ProtocolError> {
        let mut message = Message::new();
        Ok((self.unseal(frame.data(), &mut message)?, message))
    }
}

#[test]
fn a_mechanism_can_change_every_message() {
    let mut encoder = Encoder::new(Version::V3_1, Some(Box::new(Flip)));
    let mut decoder =
        Decoder::for_handshake(Version::V3_1, -1).establish(Accepts::Subscriptions, Some(Box::new(Flip)));
    for (kind, more) in
        [(Kind::Data, true), (Kind::Data, false), (Kind::Subscribe, false), (Kind::Ping, false)]
    {
        for size in [0, 5, 300] {
            let mut message = Message::from_slice(&vec![b'm'; size]).unwrap();
            message.set_kind(kind);
            message.set_more(more);
            let mut out = Vec::new();
            encoder.encode(&message, &mut out);
            // As a whole, and cut in two.
            for cut in [out.len(), out.len() - 1] {
                let mut decoded = decoder.decode(&out[..cut]).unwrap();
                if cut < out.len() {
                    assert!(matches!(decoded, (_, Decoded::Need)));
                    decoded = decoder.decode(&out[cut..]).unwrap();
                }
                let (_, Decoded::Message(back)) = decoded else { panic!("{decoded:?}") };
                assert_eq!((back.kind(), back.more(), back.data()), (kind, more, message.data()));
            }
        }
    }
    let error = decoder.decode(b"\x00\x00").unwrap_err();
    assert_eq!(error.event, Some(HandshakeEvent::Protocol(code::CRYPTOGRAPHIC)));
}
