use super::*;
use crate::dice::Dice;
use crate::message::Kind;
use crate::options::SocketType;
use crate::zmtp::Encoder;

const VERSIONS: [Version; 4] = [Version::V1, Version::V2, Version::V3_0, Version::V3_1];

fn decoder(version: Version, max: i64) -> Decoder {
    let accepts = if version.has_mechanism() { Accepts::of(SocketType::XPub) } else { Accepts::Nothing };
    Decoder::for_handshake(version, max).establish(accepts, None)
}

fn message(kind: Kind, more: bool, body: &[u8]) -> Message {
    let mut message = Message::from_slice(body).unwrap();
    message.set_kind(kind);
    message.set_more(more);
    message
}

/// All messages in `bytes`, fed in pieces whose sizes `chunk` says, large bodies by the way of `body`.
fn decode_all(
    decoder: &mut Decoder,
    bytes: &[u8],
    mut chunk: impl FnMut() -> usize,
) -> Result<Vec<Message>, ProtocolError> {
    let mut messages = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (mut piece, after) = rest.split_at(chunk().min(rest.len()));
        rest = after;
        loop {
            let (used, decoded) = decoder.decode(piece)?;
            piece = &piece[used..];
            match decoded {
                Decoded::Message(message) => messages.push(message),
                Decoded::Need => {
                    assert!(piece.is_empty());
                    assert!(decoder.body().len() <= DIRECT_READ);
                    break;
                }
                Decoded::Body => {
                    assert!(piece.is_empty());
                    assert!(decoder.body().len() > DIRECT_READ);
                    let n = decoder.body().len().min(rest.len()).min(chunk());
                    decoder.body()[..n].copy_from_slice(&rest[..n]);
                    rest = &rest[n..];
                    messages.extend(decoder.filled(n)?);
                    break;
                }
            }
        }
    }
    Ok(messages)
}

#[test]
fn messages_come_back_whatever_the_pieces() {
    let sizes =
        [0, 1, 8, 32, 33, 34, 100, 252, 253, 254, 255, 256, 1000, DIRECT_READ, DIRECT_READ + 1, 50_000];
    for version in VERSIONS {
        let mut sent = Vec::new();
        for (at, size) in sizes.into_iter().enumerate() {
            let body: Vec<u8> = (0..size).map(|i| (i * 7 + at) as u8).collect();
            sent.push(message(Kind::Data, at % 2 == 0, &body));
        }
        if version == Version::V3_1 {
            for kind in [Kind::Subscribe, Kind::Cancel, Kind::Ping, Kind::Pong] {
                sent.extend([0, 5, 250, 300].map(|size| message(kind, false, &vec![b't'; size])));
            }
        }
        sent.push(message(Kind::Data, false, b"the end"));
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(version, None);
        sent.iter().for_each(|message| encoder.encode(message, &mut bytes));
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        let mut chunks: Vec<Box<dyn FnMut() -> usize>> =
            vec![Box::new(|| usize::MAX), Box::new(|| 1), Box::new(|| 2), Box::new(|| 3), Box::new(|| 8192)];
        chunks.push(Box::new(move || 1 + dice.below(300)));
        for chunk in chunks {
            let received = decode_all(&mut decoder(version, -1), &bytes, chunk).unwrap();
            assert_eq!(received.len(), sent.len(), "{version:?}");
            for (received, sent) in received.iter().zip(&sent) {
                assert_eq!((received.kind(), received.more()), (sent.kind(), sent.more()));
                assert!(received.data() == sent.data());
            }
        }
    }
}

#[test]
fn a_large_body_is_read_into_its_place() {
    let body = vec![5; 3 * DIRECT_READ];
    let mut bytes = Vec::new();
    Encoder::new(Version::V3_1, None).encode(&message(Kind::Data, true, &body), &mut bytes);
    let mut decoder = decoder(Version::V3_1, -1);
    assert!(matches!(decoder.decode(&bytes[..100]), Ok((100, Decoded::Body))));
    assert_eq!(decoder.body().len(), body.len() - 91);
    decoder.body().fill(5);
    assert!(decoder.filled(1000).unwrap().is_none());
    assert!(matches!(decoder.decode(&[]), Ok((0, Decoded::Body))));
    let missing = decoder.body().len();
    assert_eq!(missing, body.len() - 1091);
    let message = decoder.filled(missing + 10).unwrap().unwrap();
    assert!(message.data() == body && message.more());
    assert!(decoder.body().is_empty());
    assert!(decoder.filled(1).unwrap().is_none());
    assert!(matches!(decoder.decode(b"\x00\x01x"), Ok((3, Decoded::Message(_)))));
}

#[test]
fn a_message_never_exceeds_the_limit() {
    for version in VERSIONS {
        for size in [0, 5, 10, 11, 33, 34, 300] {
            let mut bytes = Vec::new();
            Encoder::new(version, None).encode(&message(Kind::Data, false, &vec![0; size]), &mut bytes);
            for chunk in [1, 1000] {
                let result = decode_all(&mut decoder(version, 10), &bytes, || chunk);
                match result {
                    Ok(messages) => assert!(size <= 10 && messages.len() == 1, "{version:?} {size}"),
                    Err(error) => {
                        assert!(size > 10);
                        assert_eq!(error, ProtocolError::silent(Error::MessageSize));
                    }
                }
            }
        }
        // Nothing but empty messages.
        let empty = if version == Version::V1 { [1, 0] } else { [0, 0] };
        assert!(matches!(decoder(version, 0).decode(&empty), Ok((2, Decoded::Message(_)))));
        let one = if version == Version::V1 { [2, 0] } else { [0, 1] };
        assert!(decoder(version, 0).decode(&one).is_err());
    }
}

#[test]
fn a_length_beyond_memory_is_an_error() {
    for length in [1 << 62, u64::MAX - 1, u64::MAX] {
        let frame = [&[2][..], &u64::to_be_bytes(length)].concat();
        let error = decoder(Version::V3_1, -1).decode(&frame).unwrap_err();
        assert!(matches!(error.error, Error::OutOfMemory | Error::MessageSize));
        let frame = [&[0xff][..], &u64::to_be_bytes(length), &[0]].concat();
        assert!(decoder(Version::V1, -1).decode(&frame).is_err());
    }
}

#[test]
fn commands_that_mean_nothing_are_skipped() {
    let bytes = b"\x04\x06\x05ERROR\x04\x00\x05\x03\x09xy\x06\0\0\0\0\0\0\0\x04\x03abc\x00\x02hi";
    for chunk in [1, 4, 1000] {
        let messages = decode_all(&mut decoder(Version::V3_1, -1), bytes, || chunk).unwrap();
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].data(), b"hi");
    }
    // Before ZMTP 3 there are none at all.
    let messages =
        decode_all(&mut decoder(Version::V2, -1), b"\x04\x07\x04PING\0\0\x00\x02hi", || 100).unwrap();
    assert_eq!(messages.len(), 1);
}

#[test]
fn a_subscription_is_never_a_part_of_something() {
    let bytes = b"\x05\x0b\x09SUBSCRIBEa";
    let messages = decode_all(&mut decoder(Version::V3_1, -1), bytes, || 100).unwrap();
    assert_eq!((messages[0].kind(), messages[0].more()), (Kind::Subscribe, false));
}

#[test]
fn whatever_arrives_nothing_breaks() {
    let mut dice = Dice(0x1234_5678_9abc_def1);
    for version in VERSIONS {
        for _ in 0..2000 {
            let bytes: Vec<u8> = (0..dice.below(200)).map(|_| dice.below(256) as u8).collect();
            let max = [-1, 0, 20, 1 << 20][dice.below(4)];
            let chunk = 1 + dice.below(50);
            if let Ok(messages) = decode_all(&mut decoder(version, max), &bytes, || chunk) {
                assert!(messages.iter().all(|message| message.len() <= bytes.len()));
            }
        }
    }
}

#[test]
fn raw_input_is_cut_into_messages() {
    let mut decoder = Decoder::raw(4);
    assert!(matches!(decoder.decode(&[]), Ok((0, Decoded::Need))));
    let messages = decode_all(&mut decoder, b"\x04\xff56789", || 100).unwrap();
    assert_eq!(messages.iter().map(Message::data).collect::<Vec<_>>(), [&b"\x04\xff56"[..], b"789"]);
}

#[test]
fn a_message_is_decoded_in_its_place() {
    let mut decoder = decoder(Version::V3_1, -1);
    let mut out = message(Kind::Subscribe, true, &[1; 100]);
    out.set_group(b"a group that needs an allocation of its own, since it is long").unwrap();
    assert_eq!(decoder.decode_into(b"\x00\x02hi", &mut out), Ok((4, Progress::Message)));
    assert_eq!((out.kind(), out.more(), out.data(), out.group()), (Kind::Data, false, &b"hi"[..], &b""[..]));
    assert_eq!(decoder.decode_into(b"\x01\x02ho\x00", &mut out), Ok((4, Progress::Message)));
    assert!(out.more());
    assert_eq!(decoder.decode_into(b"\x00", &mut out), Ok((1, Progress::Need)));
    assert_eq!(decoder.decode_into(b"\x01", &mut out), Ok((1, Progress::Need)));
    assert_eq!(out.data(), b"ho", "nothing happens to it before a message is complete");
    assert_eq!(decoder.decode_into(b"!\x00", &mut out), Ok((1, Progress::Message)));
    assert_eq!((out.data(), out.more()), (&b"!"[..], false));
}

#[test]
fn a_dish_gets_a_group_and_a_body_however_they_are_cut() {
    let dish = || decoder(Version::V3_1, -1).with_groups();
    let mut wire = Vec::new();
    let mut radio = Encoder::new(Version::V3_1, None).with_groups();
    let bodies = [&b"short"[..], b"", &[b'x'; 300], &[b'y'; 40_000]];
    for (group, body) in
        [&b"g"[..], b"", &[b'z'; 255], b"long enough to be stored elsewhere"].iter().zip(bodies)
    {
        let mut message = message(Kind::Data, false, body);
        message.set_group(group).unwrap();
        radio.encode(&message, &mut wire);
        radio.encode(&self::message(Kind::Ping, false, b"\0\0"), &mut wire);
    }
    for size in [1, 2, 3, 7, 100, 9000, usize::MAX] {
        let messages = decode_all(&mut dish(), &wire, || size).unwrap();
        let data: Vec<_> = messages.iter().filter(|message| message.is_data()).collect();
        assert_eq!(data.iter().map(|message| message.data()).collect::<Vec<_>>(), bodies);
        assert_eq!(data.iter().map(|message| message.group().len()).collect::<Vec<_>>(), [1, 0, 255, 34]);
        assert_eq!(messages.len(), 8);
    }
    for wrong in [&b"\x00\x01g"[..], b"\x01\x01g\x01\x01b", b"\x01\x01g\x04\x07\x04PING\0\0\x01\x00"] {
        for size in [1, usize::MAX] {
            assert!(decode_all(&mut dish(), wrong, || size).is_err(), "{wrong:?}");
        }
    }
}
