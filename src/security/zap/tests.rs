use super::*;
use crate::options::SocketType;
use std::collections::BTreeMap;

const SERVER: RequestedBy<'_> = RequestedBy { domain: b"D", address: b"127.0.0.1", routing_id: b"ID" };

fn negotiation() -> Negotiation {
    Negotiation::new(SocketType::Rep, Vec::new(), BTreeMap::new())
}

fn answer(status: u16) -> ZapReply {
    ZapReply::Answer { status, user_id: b"user".to_vec(), metadata: Vec::new() }
}

/// Feeds frames; all but the last one say that more follow, unless `more` says otherwise.
fn feed(bodies: &[&[u8]], more: impl Fn(usize) -> bool) -> std::result::Result<Option<ZapReply>, u32> {
    let mut reply = Reply::default();
    for (index, body) in bodies.iter().enumerate() {
        let mut frame = Message::from_slice(body).unwrap();
        frame.set_more(more(index));
        match reply.frame(frame) {
            Ok(None) => {}
            Ok(answer) => return Ok(answer),
            Err(ProtocolError { event: Some(HandshakeEvent::Protocol(code)), .. }) => return Err(code),
            Err(other) => panic!("{other:?}"),
        }
    }
    Ok(None)
}

fn parse(bodies: &[&[u8]]) -> std::result::Result<Option<ZapReply>, u32> {
    feed(bodies, |index| index + 1 < bodies.len())
}

const GOOD: [&[u8]; 7] = [b"", b"1.0", b"1", b"200", b"OK", b"user", b""];

#[test]
fn a_request_has_its_frames_in_order() {
    let asked = ZapRequest { mechanism: "PLAIN", credentials: vec![b"admin".to_vec(), Vec::new()] };
    let frames = request(SERVER, &asked).unwrap();
    let bodies: Vec<_> = frames.iter().map(Message::data).collect();
    let expected: [&[u8]; 9] = [b"", b"1.0", b"1", b"D", b"127.0.0.1", b"ID", b"PLAIN", b"admin", b""];
    assert_eq!(bodies, expected);
    let more: Vec<_> = frames.iter().map(Message::more).collect();
    assert_eq!(more, [true, true, true, true, true, true, true, true, false]);
    let frames = request(SERVER, &ZapRequest { mechanism: "NULL", credentials: vec![] }).unwrap();
    assert_eq!((frames.len(), frames[6].more()), (7, false), "the mechanism is the last frame");
}

#[test]
fn a_good_reply_is_understood() {
    for status in [200u16, 300, 400, 500] {
        let (mut bodies, code) = (GOOD, status.to_string());
        bodies[3] = code.as_bytes();
        assert_eq!(parse(&bodies), Ok(Some(answer(status))));
    }
    let mut bodies = GOOD;
    (bodies[4], bodies[5], bodies[6]) = (b"\xff\0", b"\0\xff", b"not looked at here");
    let expected =
        ZapReply::Answer { status: 200, user_id: b"\0\xff".to_vec(), metadata: bodies[6].to_vec() };
    assert_eq!(parse(&bodies), Ok(Some(expected)), "text, user and metadata are anything");
}

#[test]
fn every_frame_is_checked() {
    let wrong: &[(usize, &[&[u8]], u32)] = &[
        (0, &[b"x", b"\0"], code::ZAP_UNSPECIFIED),
        (1, &[b"", b"1", b"1.1", b"1.00", b"2.0", b"1.0\0"], code::ZAP_BAD_VERSION),
        (2, &[b"", b"2", b"11", b"1\0"], code::ZAP_BAD_REQUEST_ID),
        (
            3,
            &[b"", b"20", b"2000", b"100", b"201", b"210", b"600", b"OK!", b" 200", b"200\0"],
            code::ZAP_INVALID_STATUS_CODE,
        ),
    ];
    for &(place, values, expected) in wrong {
        for value in values {
            let mut bodies = GOOD;
            bodies[place] = value;
            assert_eq!(parse(&bodies), Err(expected), "{place} {value:?}");
        }
    }
}

#[test]
fn the_number_of_frames_is_checked() {
    for count in 1..7 {
        assert_eq!(parse(&GOOD[..count]), Err(code::ZAP_MALFORMED_REPLY), "{count} frames");
        assert_eq!(feed(&GOOD[..count], |_| true), Ok(None), "{count} frames, and more to come");
    }
    assert_eq!(feed(&GOOD, |_| true), Err(code::ZAP_MALFORMED_REPLY), "an eighth frame");
}

#[test]
fn the_verdict_is_the_same_for_all() {
    let mut talk = negotiation();
    assert_eq!(judge(answer(200), Zap::Enforced, &mut talk), Ok(Verdict::Admit));
    assert_eq!(judge(answer(300), Zap::Optional, &mut talk), Ok(Verdict::Ignore));
    assert_eq!(judge(answer(400), Zap::Optional, &mut talk), Ok(Verdict::Refuse(400)));
    assert_eq!(judge(answer(500), Zap::Enforced, &mut talk), Ok(Verdict::Refuse(500)));
    for (zap, admitted) in
        [(Zap::Off, true), (Zap::Optional, true), (Zap::Enforced, false), (Zap::NoDomain, false)]
    {
        let verdict = judge(ZapReply::Unavailable, zap, &mut talk);
        assert_eq!(verdict, if admitted { Ok(Verdict::Admit) } else { Err(no_handler()) }, "{zap:?}");
    }
}

#[test]
fn malformed_metadata_ends_it_whatever_the_status() {
    for status in [200, 300, 400, 500] {
        for metadata in [&b"\x01"[..], b"\x01k\0", b"\x01k\0\0\0\x02v", b"\x0bSocket-Type\0\0\0\x03PUB"] {
            let answer = ZapReply::Answer { status, user_id: Vec::new(), metadata: metadata.to_vec() };
            let error = judge(answer, Zap::Enforced, &mut negotiation()).unwrap_err();
            assert_eq!(error, ProtocolError::with_code(code::ZAP_INVALID_METADATA), "{metadata:?}");
        }
    }
}

#[test]
fn domain_and_enforcement_mean_something_else_to_each_mechanism() {
    use MechanismKind::{Curve, Null, Plain};
    for (kind, domain, enforced, expected) in [
        (Null, "", false, Zap::Off),
        (Null, "", true, Zap::Off),
        (Null, "D", false, Zap::Optional),
        (Null, "D", true, Zap::Enforced),
        (Plain, "", false, Zap::Enforced),
        (Plain, "", true, Zap::NoDomain),
        (Plain, "D", false, Zap::Enforced),
        (Plain, "D", true, Zap::Enforced),
        (Curve, "", false, Zap::Optional),
        (Curve, "", true, Zap::Off),
        (Curve, "D", false, Zap::Optional),
        (Curve, "D", true, Zap::Enforced),
    ] {
        assert_eq!(Zap::new(kind, domain.as_bytes(), enforced), expected, "{kind:?} {domain:?} {enforced}");
    }
}

#[test]
fn a_status_code_travels_in_an_error_command() {
    for status in [400, 500] {
        let command = error_command(status);
        let reason = command.strip_prefix(ERROR).unwrap();
        assert_eq!(refusal(reason).event, Some(HandshakeEvent::Auth(status)));
    }
}
