//! Messages in fragments (RFC 6455, section 5.4), as browsers send large ones.

use super::*;
use crate::zmtp::Established;

/// A frame whose message goes on.
fn first(payload: &[u8]) -> Vec<u8> {
    masked(0x02, payload)
}

fn next(payload: &[u8]) -> Vec<u8> {
    frame(0x00, payload, Some([9, 8, 7, 6]))
}

fn last(payload: &[u8]) -> Vec<u8> {
    frame(0x80, payload, Some([0xff, 0, 0xaa, 0x55]))
}

fn sides() -> [Established; 2] {
    [with_null(SocketType::Pull, "PUSH"), plain(SocketType::Pull)]
}

fn data(more: bool, body: &[u8]) -> (Kind, bool, Vec<u8>) {
    (Kind::Data, more, body.to_vec())
}

#[test]
fn a_message_is_the_same_however_it_is_cut() {
    let long: Vec<u8> = (0..40_000_u32).map(|at| (at % 251) as u8).collect();
    let payload = [&[1][..], &long].concat();
    for cut in [0, 1, 2, 3, 127, 9000, payload.len() - 1, payload.len()] {
        let (head, tail) = payload.split_at(cut);
        let half = tail.len() / 2;
        let bytes = [
            masked(0x82, b"\0before"),
            first(head),
            next(&tail[..half]),
            next(b""),
            last(&tail[half..]),
            masked(0x82, b"\0after"),
        ]
        .concat();
        for step in [1, 7, 1000, 20_000, usize::MAX] {
            for mut side in sides() {
                assert_eq!(
                    summary(&decode(&mut side, &bytes, step).unwrap()),
                    [data(false, b"before"), data(true, &long), data(false, b"after")],
                    "{cut} {step}"
                );
            }
        }
    }
    // Nothing but the flags byte, in any of three places.
    for bytes in [
        [first(b"\0"), next(b""), last(b"")],
        [first(b""), next(b"\0"), last(b"")],
        [first(b""), next(b""), last(b"\0")],
    ] {
        for mut side in sides() {
            assert_eq!(summary(&decode(&mut side, &bytes.concat(), 1).unwrap()), [data(false, b"")]);
        }
    }
}

#[test]
fn a_client_joins_what_a_server_has_cut() {
    let mut client = handshake_with(client_side(), SocketType::Push, b"", -1);
    let mut server = server(SocketType::Pull);
    converse(&mut client, &mut server, usize::MAX).unwrap();
    let bytes = [frame(0x02, b"\0on", None), frame(0x80, b"e", None)].concat();
    assert_eq!(summary(&decode(&mut established(client), &bytes, 2).unwrap()), [data(false, b"one")]);
}

#[test]
fn control_frames_may_come_between() {
    let bytes =
        [first(b"\0o"), masked(0x89, b"ping"), next(b"n"), masked(0x8a, b""), masked(0x88, b""), last(b"e")]
            .concat();
    for step in [1, usize::MAX] {
        let [mut with_mechanism, mut plain] = sides();
        let messages = decode(&mut with_mechanism, &bytes, step).unwrap();
        let kinds: Vec<Kind> = messages.iter().map(Message::kind).collect();
        assert_eq!(kinds, [Kind::Ping, Kind::Pong, Kind::Close, Kind::Data]);
        assert_eq!(messages[3].data(), b"one");
        assert_eq!(summary(&decode(&mut plain, &bytes, step).unwrap()), [data(false, b"one")]);
    }
}

#[test]
fn routing_ids_and_commands_may_come_in_fragments() {
    let mut router = handshake_with(Side::Server, SocketType::Router, b"", -1);
    router.input(request("ZWS2.0").as_bytes()).unwrap();
    let bytes = [first(b""), masked(0x89, b""), next(b"\0a"), last(b"bc"), masked(0x82, b"\0hello")].concat();
    let expected = [(Kind::RoutingId, false, b"abc".to_vec()), data(false, b"hello")];
    assert_eq!(summary(&decode(&mut established(router), &bytes, 3).unwrap()), expected);

    let command = ready("PUSH");
    let (head, tail) = command.split_at(9);
    let mut server = server(SocketType::Pull);
    let bytes = [request("ZWS2.0/NULL").into_bytes(), first(head), last(tail)].concat();
    assert_eq!(server.input(&bytes), Ok(bytes.len()));
    let bytes = [first(b"\0me"), last(b"ssage")].concat();
    assert_eq!(summary(&decode(&mut established(server), &bytes, 4).unwrap()), [data(false, b"message")]);

    let mut radio = with_null(SocketType::Radio, "DISH");
    let messages = decode(&mut radio, &[first(b"\x02\x04JO"), last(b"INgroup")].concat(), 4).unwrap();
    assert_eq!((messages[0].kind(), messages[0].group()), (Kind::Join, &b"group"[..]));
}

#[test]
fn fragments_out_of_turn_end_the_connection() {
    let malformed = ProtocolError::silent(Error::Protocol);
    for wrong in [
        last(b"continues nothing"),
        next(b"continues nothing"),
        [first(b"\0a"), masked(0x82, b"\0a message inside")].concat(),
        [first(b"\0a"), first(b"\0a message inside")].concat(),
        [first(b"\0a"), masked(0x81, b"\0text")].concat(),
        [first(b"\0a"), last(b"b"), last(b"continues what was complete")].concat(),
        [first(b"\0a"), masked(0x09, b"a fragment of a PING")].concat(),
        [first(b"\0a"), frame(0x80, b"not masked", None)].concat(),
        [first(b""), last(b"")].concat(),
    ] {
        for step in [1, usize::MAX] {
            for mut side in sides() {
                assert_eq!(decode(&mut side, &wrong, step).unwrap_err(), malformed, "{wrong:?}");
            }
        }
    }
}

#[test]
fn all_fragments_together_are_no_longer_than_a_message_may_be() {
    let too_long = ProtocolError::silent(Error::MessageSize);
    let limited = || open(SocketType::Pull, "ZWS2.0", &masked(0x82, b"\0"), 40);
    let whole = [first(&[0; 21]), next(&[0; 10]), masked(0x89, &[0; 40]), last(&[0; 10])].concat();
    assert_eq!(summary(&decode(&mut limited(), &whole, 1).unwrap()), [data(false, &[0; 40])]);
    // The next one begins anew.
    assert_eq!(decode(&mut limited(), &[&whole[..], &whole].concat(), 3).unwrap().len(), 2);
    for bytes in [
        [first(&[0; 21]), next(&[0; 10]), last(&[0; 11])].concat(),
        [first(b""), next(b""), last(&[0; 42])].concat(),
        [first(&[0; 41]), next(&[0; 1])].concat(),
        [first(&[0; 2]), vec![0x00, 0xff], u64::MAX.to_be_bytes().to_vec(), vec![0; 5]].concat(),
    ] {
        assert_eq!(decode(&mut limited(), &bytes, 5).unwrap_err(), too_long);
    }
}
