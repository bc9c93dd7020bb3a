use super::*;
use crate::options::SocketType;
use crate::zmtp::HandshakeEvent;
use std::collections::BTreeMap;

fn negotiation(socket_type: SocketType) -> Negotiation {
    Negotiation::new(socket_type, Vec::new(), BTreeMap::new())
}

fn answer(status: u16) -> ZapReply {
    ZapReply::Answer { status, user_id: b"admin".to_vec(), metadata: Vec::new() }
}

const HELLO_ADMIN: &[u8] = b"\x05HELLO\x05admin\x06secret";
const PEERS_INITIATE: &[u8] = b"\x08INITIATE\x0bSocket-Type\0\0\0\x03REQ";

/// A REP server that has come as far as the handler's question.
fn asked(zap: Zap) -> (Server, Negotiation) {
    let (mut server, mut talk) = (Server::new(zap), negotiation(SocketType::Rep));
    assert_eq!((server.status(), server.zap_request()), (Status::Handshaking, None));
    assert_eq!(server.next_command(&mut talk), Ok(None), "the client begins");
    server.process_command(HELLO_ADMIN, &mut talk).unwrap();
    assert_eq!(server.status(), Status::AwaitingZap);
    let credentials = vec![b"admin".to_vec(), b"secret".to_vec()];
    assert_eq!(server.zap_request(), Some(ZapRequest { mechanism: "PLAIN", credentials }));
    assert_eq!(server.zap_request(), None, "asked once");
    assert_eq!(server.next_command(&mut talk), Ok(None));
    (server, talk)
}

/// ... and beyond: it waits for INITIATE.
fn welcomed() -> (Server, Negotiation) {
    let (mut server, mut talk) = asked(Zap::Enforced);
    server.zap_reply(answer(200), &mut talk).unwrap();
    assert_eq!(server.next_command(&mut talk).unwrap().unwrap(), WELCOME);
    assert_eq!((server.status(), server.next_command(&mut talk)), (Status::Handshaking, Ok(None)));
    (server, talk)
}

/// A DEALER client that waits for WELCOME.
fn greeted() -> (Client, Negotiation) {
    let (mut client, mut talk) = (Client::new(b"admin", b"secret"), negotiation(SocketType::Dealer));
    assert_eq!(client.next_command(&mut talk).unwrap().unwrap(), HELLO_ADMIN);
    assert_eq!((client.status(), client.next_command(&mut talk)), (Status::Handshaking, Ok(None)));
    (client, talk)
}

fn refused(code: u32) -> Result<(), ProtocolError> {
    Err(ProtocolError::with_code(code))
}

#[test]
fn four_commands_and_an_answer_are_all() {
    let (mut client, mut here) = greeted();
    let (mut server, mut there) = asked(Zap::Enforced);
    assert!(!client.allows_legacy_peers() && !server.allows_legacy_peers());
    assert_eq!((client.name(), server.name()), ("PLAIN", "PLAIN"));
    server.zap_reply(answer(200), &mut there).unwrap();
    let welcome = server.next_command(&mut there).unwrap().unwrap();
    client.process_command(&welcome, &mut here).unwrap();
    let initiate = client.next_command(&mut here).unwrap().unwrap();
    assert!(initiate.starts_with(b"\x08INITIATE\x0bSocket-Type\0\0\0\x06DEALER\x08Identity"));
    server.process_command(&initiate, &mut there).unwrap();
    let ready = server.next_command(&mut there).unwrap().unwrap();
    assert_eq!(ready, b"\x05READY\x0bSocket-Type\0\0\0\x03REP");
    client.process_command(&ready, &mut here).unwrap();
    assert_eq!((client.status(), server.status()), (Status::Ready, Status::Ready));
}

#[test]
fn the_handler_refuses() {
    for (status, command) in
        [(300, None), (400, Some(b"^RROR\x03400".to_vec())), (500, Some(b"^RROR\x03500".to_vec()))]
    {
        let (mut server, mut talk) = asked(Zap::Enforced);
        server.zap_reply(answer(status), &mut talk).unwrap();
        assert_eq!(server.next_command(&mut talk), Ok(command));
        assert_eq!((server.status(), server.next_command(&mut talk)), (Status::Failed, Ok(None)));
        assert_eq!(server.process_command(PEERS_INITIATE, &mut talk), refused(code::UNSPECIFIED));
    }
}

#[test]
fn a_client_understands_upstreams_error_and_the_rfcs() {
    for name in [UPSTREAMS_ERROR, zap::ERROR] {
        let end = |reason: &[u8]| {
            let (mut client, mut talk) = greeted();
            client.process_command(&[name, reason].concat(), &mut talk).unwrap_err()
        };
        for status in [300, 400, 500] {
            assert_eq!(end(&zap::reason(status)).event, Some(HandshakeEvent::Auth(status)));
        }
        assert_eq!(end(b"\x03401"), ProtocolError::silent(Error::Protocol));
        for malformed in [&b""[..], b"\x04400", b"\xff"] {
            assert_eq!(end(malformed), ProtocolError::with_code(code::MALFORMED_ERROR));
        }
    }
}

#[test]
fn nobody_to_ask_is_nobody_let_in() {
    let (mut server, mut talk) = asked(Zap::Enforced);
    assert_eq!(server.zap_reply(ZapReply::Unavailable, &mut talk), Err(zap::no_handler()));
    let (mut server, mut talk) = (Server::new(Zap::NoDomain), negotiation(SocketType::Rep));
    assert_eq!(server.process_command(HELLO_ADMIN, &mut talk), Err(zap::no_handler()));
    assert_eq!(server.zap_request(), None);
}

#[test]
fn an_answer_that_nobody_waits_for_ends_it() {
    let mut talk = negotiation(SocketType::Rep);
    let error = Err(ProtocolError::silent(Error::State));
    assert_eq!(Server::new(Zap::Enforced).zap_reply(answer(200), &mut talk), error);
    let (mut server, mut talk) = welcomed();
    assert_eq!(server.zap_reply(answer(200), &mut talk), error);
    let (mut client, mut talk) = greeted();
    assert_eq!(client.zap_reply(answer(200), &mut talk), error);
}

#[test]
fn every_field_of_hello_is_checked() {
    let hello =
        |body: &[u8]| Server::new(Zap::Enforced).process_command(body, &mut negotiation(SocketType::Rep));
    for body in [&b""[..], b"\x05", b"\0", b"\x05HELL", b"\xffHELLO\x05admin\x06secret"] {
        assert_eq!(hello(body), refused(code::MALFORMED_COMMAND), "{body:?}");
    }
    for body in [&b"\x05hello\0\0"[..], b"\x04HELL\0\0", b"\0HELLO\0\0", WELCOME, PEERS_INITIATE] {
        assert_eq!(hello(body), refused(code::UNEXPECTED_COMMAND), "{body:?}");
    }
    for end in HELLO.len()..HELLO_ADMIN.len() {
        assert_eq!(hello(&HELLO_ADMIN[..end]), refused(code::MALFORMED_HELLO), "cut at {end}");
    }
    assert_eq!(hello(&[HELLO_ADMIN, b"x"].concat()), refused(code::MALFORMED_HELLO));
    let mut lengths = HELLO_ADMIN.to_vec();
    for place in [6, 12] {
        for wrong in (0..=255).filter(|&length| length != HELLO_ADMIN[place]) {
            lengths[place] = wrong;
            assert_eq!(hello(&lengths), refused(code::MALFORMED_HELLO), "length {wrong} at {place}");
        }
        lengths[place] = HELLO_ADMIN[place];
    }
    assert_eq!(hello(b"\x05HELLO\0\0"), Ok(()), "both may be empty");
}

#[test]
fn the_server_hears_each_command_in_its_turn_only() {
    for body in [HELLO_ADMIN, PEERS_INITIATE, b"", b"\x05READY", b"\x05ERROR\0"] {
        let (mut server, mut talk) = asked(Zap::Enforced);
        assert_eq!(server.process_command(body, &mut talk), refused(code::UNSPECIFIED), "while it asks");
        if body != PEERS_INITIATE {
            let (mut server, mut talk) = welcomed();
            assert_eq!(server.process_command(body, &mut talk), refused(code::UNEXPECTED_COMMAND));
        }
        let (mut server, mut talk) = welcomed();
        server.process_command(PEERS_INITIATE, &mut talk).unwrap();
        assert_eq!(server.process_command(body, &mut talk), refused(code::UNSPECIFIED), "in place of READY");
    }
}

#[test]
fn properties_are_checked_on_both_sides() {
    // A cut between the fields of a property is none.
    let between = [INITIATE.len() + 12, INITIATE.len() + 16];
    for end in (INITIATE.len() + 1..PEERS_INITIATE.len()).filter(|end| !between.contains(end)) {
        let (mut server, mut talk) = welcomed();
        let error = server.process_command(&PEERS_INITIATE[..end], &mut talk);
        assert_eq!(error, Err(ProtocolError::silent(Error::Protocol)), "cut at {end}");
    }
    let (mut server, mut talk) = welcomed();
    let error = server.process_command(b"\x08INITIATE\x0bSocket-Type\0\0\0\x03PUB", &mut talk);
    assert_eq!(error, Err(ProtocolError::silent(Error::Invalid)));
    for properties in [&b"\x0bSocket-Type\0\0\0\x03PUB"[..], b"\x0b", b"\x01k\0\0\0\x02v"] {
        let (mut client, mut talk) = greeted();
        client.process_command(WELCOME, &mut talk).unwrap();
        client.next_command(&mut talk).unwrap();
        let error = client.process_command(&[READY, properties].concat(), &mut talk);
        assert_eq!(error, refused(code::INVALID_METADATA), "{properties:?}");
    }
}

#[test]
fn the_client_hears_each_command_in_its_turn_only() {
    for body in [&b""[..], b"\x05", b"\x07welcome", HELLO_ADMIN, PEERS_INITIATE, READY] {
        let (mut client, mut talk) = greeted();
        assert_eq!(client.process_command(body, &mut talk), refused(code::UNEXPECTED_COMMAND), "{body:?}");
    }
    let (mut client, mut talk) = greeted();
    let error = client.process_command(b"\x07WELCOME!", &mut talk);
    assert_eq!(error, refused(code::MALFORMED_WELCOME));
    let (mut client, mut talk) = greeted();
    client.process_command(WELCOME, &mut talk).unwrap();
    for body in [WELCOME, READY, b"\x05ERROR\x03400"] {
        assert_eq!(client.process_command(body, &mut talk), refused(code::UNEXPECTED_COMMAND), "our turn");
    }
    client.next_command(&mut talk).unwrap();
    assert_eq!(client.process_command(WELCOME, &mut talk), refused(code::UNEXPECTED_COMMAND));
    client.process_command(READY, &mut talk).unwrap();
    for body in [WELCOME, READY, b"\x05ERROR\x03400"] {
        assert_eq!(client.process_command(body, &mut talk), refused(code::UNEXPECTED_COMMAND), "ready");
    }
}
