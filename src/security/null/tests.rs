use super::*;
use crate::options::SocketType;
use crate::zmtp::HandshakeEvent;
use std::collections::BTreeMap;

fn negotiation() -> Negotiation {
    Negotiation::new(SocketType::Rep, Vec::new(), BTreeMap::new())
}

const OUR_READY: &[u8] = b"\x05READY\x0bSocket-Type\0\0\0\x03REP";
const PEERS_READY: &[u8] = b"\x05READY\x0bSocket-Type\0\0\0\x03REQ";

fn auth(status: u16) -> ProtocolError {
    ProtocolError { error: Error::Protocol, event: Some(HandshakeEvent::Auth(status)) }
}

#[test]
fn ready_each_way_is_all() {
    let (mut null, mut negotiation) = (Null::new(Zap::Off), negotiation());
    assert!(null.allows_legacy_peers());
    assert_eq!(null.status(), Status::Handshaking);
    assert_eq!(null.next_command(&mut negotiation).unwrap().unwrap(), OUR_READY);
    assert_eq!(null.next_command(&mut negotiation), Ok(None));
    assert_eq!(null.status(), Status::Handshaking);
    null.process_command(PEERS_READY, &mut negotiation).unwrap();
    assert_eq!(null.status(), Status::Ready);
    assert_eq!(null.zap_request(), None);
}

#[test]
fn other_commands_are_refused() {
    for body in [&b""[..], b"\x05", b"\x05HELLO", b"\x04READ", b"READY", b"\x09SUBSCRIBE", b"\x05READ"] {
        let error = Null::new(Zap::Off).process_command(body, &mut negotiation());
        assert_eq!(error, Err(ProtocolError::with_code(code::UNEXPECTED_COMMAND)), "{body:?}");
    }
    let (mut null, mut negotiation) = (Null::new(Zap::Off), negotiation());
    null.process_command(PEERS_READY, &mut negotiation).unwrap();
    let error = null.process_command(PEERS_READY, &mut negotiation);
    assert_eq!(error, Err(ProtocolError::with_code(code::UNEXPECTED_COMMAND)));
}

#[test]
fn an_error_command_ends_it() {
    let process = |body: &[u8]| Null::new(Zap::Off).process_command(body, &mut negotiation()).unwrap_err();
    assert_eq!(process(b"\x05ERROR\x03400"), auth(400));
    assert_eq!(process(b"\x05ERROR\x03500 and more"), auth(500));
    for reason in [&b"\x05ERROR\x00"[..], b"\x05ERROR\x03401", b"\x05ERROR\x06reason"] {
        assert_eq!(process(reason), ProtocolError::silent(Error::Protocol));
    }
    for malformed in [&b"\x05ERROR"[..], b"\x05ERROR\x01", b"\x05ERROR\xffx"] {
        assert_eq!(process(malformed), ProtocolError::with_code(code::MALFORMED_ERROR));
    }
}

fn asked(zap: Zap) -> (Null, Negotiation) {
    let (mut null, mut negotiation) = (Null::new(zap), negotiation());
    assert!(!null.allows_legacy_peers());
    assert_eq!(null.next_command(&mut negotiation), Ok(None));
    assert_eq!(null.status(), Status::AwaitingZap);
    let request = ZapRequest { mechanism: "NULL", credentials: vec![] };
    assert_eq!(null.zap_request(), Some(request));
    assert_eq!(null.zap_request(), None, "asked once");
    (null, negotiation)
}

#[test]
fn the_zap_handler_lets_in() {
    // The peer's READY may come before the handler's answer.
    for early in [false, true] {
        let (mut null, mut negotiation) = asked(Zap::Optional);
        if early {
            null.process_command(PEERS_READY, &mut negotiation).unwrap();
        }
        let metadata = b"\x01k\0\0\0\x01v".to_vec();
        let answer = ZapReply::Answer { status: 200, user_id: b"user".to_vec(), metadata };
        null.zap_reply(answer.clone(), &mut negotiation).unwrap();
        assert_eq!(null.next_command(&mut negotiation).unwrap().unwrap(), OUR_READY);
        if !early {
            null.process_command(PEERS_READY, &mut negotiation).unwrap();
        }
        assert_eq!(null.status(), Status::Ready);
        assert_eq!(null.zap_reply(answer, &mut negotiation), Err(ProtocolError::silent(Error::State)));
    }
}

#[test]
fn the_zap_handler_refuses() {
    for (status, command) in
        [(300, None), (400, Some(b"\x05ERROR\x03400".to_vec())), (500, Some(b"\x05ERROR\x03500".to_vec()))]
    {
        let (mut null, mut negotiation) = asked(Zap::Enforced);
        let answer = ZapReply::Answer { status, user_id: vec![], metadata: vec![] };
        null.zap_reply(answer, &mut negotiation).unwrap();
        assert_eq!(null.next_command(&mut negotiation), Ok(command));
        assert_eq!(null.status(), Status::Handshaking, "the peer hasn't said anything yet");
        null.process_command(PEERS_READY, &mut negotiation).unwrap();
        assert_eq!(null.status(), Status::Failed);
    }
}

#[test]
fn without_a_handler_the_domain_decides() {
    let (mut null, mut negotiation) = asked(Zap::Optional);
    null.zap_reply(ZapReply::Unavailable, &mut negotiation).unwrap();
    assert_eq!(null.next_command(&mut negotiation).unwrap().unwrap(), OUR_READY);
    let (mut null, mut negotiation) = asked(Zap::Enforced);
    let error = null.zap_reply(ZapReply::Unavailable, &mut negotiation).unwrap_err();
    assert_eq!(error.event, Some(HandshakeEvent::NoDetail(Error::Fault)));
}

#[test]
fn metadata_of_the_handler_is_checked() {
    let (mut null, mut negotiation) = asked(Zap::Optional);
    let answer = ZapReply::Answer { status: 200, user_id: vec![], metadata: vec![9] };
    let error = null.zap_reply(answer, &mut negotiation).unwrap_err();
    assert_eq!(error, ProtocolError::with_code(code::ZAP_INVALID_METADATA));
}
