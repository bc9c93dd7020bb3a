use super::*;
use crate::options::SocketType;
use crate::zmtp::HandshakeEvent;
use crate::zmtp::frame;
use std::collections::BTreeMap;

/// A security library in which everybody is who he says: tokens say how many steps are to come, and wrapping reverses all bits.
struct Toy {
    /// Tokens that this side still has to make.
    left: u8,
    client: bool,
}

struct Reversed;

impl Side for Toy {
    fn step(&mut self, token: &[u8]) -> Result<Step, Refused> {
        let expected: &[u8] = if self.client && self.left == 1 { b"" } else { b"toy" };
        if token != expected && !(self.client && token.is_empty()) {
            return Err(Refused);
        }
        if self.left == 0 {
            return Ok(Step { token: Vec::new(), complete: true });
        }
        self.left -= 1;
        Ok(Step { token: b"toy".to_vec(), complete: !self.client && self.left == 0 })
    }

    fn peer(&self) -> Result<Vec<u8>, Refused> {
        if self.client { Err(Refused) } else { Ok(b"alice@REALM".to_vec()) }
    }

    fn into_protection(self: Box<Self>) -> Arc<dyn Protection> {
        Arc::new(Reversed)
    }
}

impl Protection for Reversed {
    fn wrap(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        if plain.ends_with(b"unspeakable") {
            return Err(Refused);
        }
        out.extend(plain.iter().map(|byte| !byte));
        out.extend_from_slice(b"mac");
        Ok(())
    }

    fn unwrap(&self, wrapped: &[u8], take: &mut dyn FnMut(&[u8])) -> Result<(), Refused> {
        let plain = wrapped.strip_suffix(b"mac").ok_or(Refused)?;
        take(&plain.iter().map(|byte| !byte).collect::<Vec<_>>());
        Ok(())
    }
}

fn toy(client: bool, left: u8) -> Begin {
    Box::new(move || Ok(Box::new(Toy { left, client })))
}

fn negotiation(socket_type: SocketType) -> Negotiation {
    Negotiation::new(socket_type, Vec::new(), BTreeMap::new())
}

/// One side of a handshake, and what it has learnt.
struct Peer {
    handshake: Handshake,
    negotiation: Negotiation,
}

impl Peer {
    fn client() -> Self {
        let handshake = Handshake::client(toy(true, 1), false);
        Self { handshake, negotiation: negotiation(SocketType::Dealer) }
    }

    fn server(zap: Zap) -> Self {
        let handshake = Handshake::server(toy(false, 1), false, zap);
        Self { handshake, negotiation: negotiation(SocketType::Router) }
    }

    fn work(&mut self) -> Result<(), Error> {
        let work = self.handshake.take_work().expect("there is work");
        assert!(self.handshake.take_work().is_none(), "it is done once");
        self.handshake.work_done(work())
    }

    fn says(&mut self) -> Option<Vec<u8>> {
        self.handshake.next_command(&mut self.negotiation).unwrap()
    }

    fn hears(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        self.handshake.process_command(body, &mut self.negotiation)
    }

    fn answer(&mut self, reply: ZapReply) -> Result<(), ProtocolError> {
        self.handshake.zap_reply(reply, &mut self.negotiation)
    }
}

fn refused(code: u32) -> Result<(), ProtocolError> {
    Err(ProtocolError::with_code(code))
}

fn answer(status: u16) -> ZapReply {
    ZapReply::Answer { status, user_id: b"user".to_vec(), metadata: Vec::new() }
}

/// Both, up to the client's consent, which the server hasn't heard.
fn up_to_consent(zap: Zap) -> (Peer, Peer, Vec<u8>) {
    let (mut client, mut server) = (Peer::client(), Peer::server(zap));
    assert_eq!(client.says(), None, "nothing is said before the work is done");
    client.work().unwrap();
    let token = client.says().unwrap();
    assert_eq!(token, b"\x08INITIATE\0\0\0\x03toy");
    server.hears(&token).unwrap();
    assert_eq!(server.says(), None);
    server.work().unwrap();
    client.hears(&server.says().unwrap()).unwrap();
    client.work().unwrap();
    let consent = client.says().unwrap();
    assert_eq!(consent, b"");
    (client, server, consent)
}

/// Both, ready.
fn established() -> (Peer, Peer) {
    let (mut client, mut server, consent) = up_to_consent(Zap::Off);
    server.hears(&consent).unwrap();
    client.hears(&server.says().unwrap()).unwrap();
    assert_eq!(server.handshake.status(), Status::Handshaking);
    server.hears(&client.says().unwrap()).unwrap();
    (client, server)
}

#[test]
fn two_sides_come_together() {
    let (client, server) = established();
    for peer in [client, server] {
        assert_eq!(peer.handshake.status(), Status::Ready);
        let codec = Box::new(peer.handshake).into_codec();
        assert!(codec.seal.is_some() && codec.unseal.is_some());
    }
}

#[test]
fn without_encryption_ready_and_messages_are_in_the_clear() {
    let (mut client, mut server, _) = up_to_consent(Zap::Off);
    (client.handshake.plaintext, server.handshake.plaintext) = (true, true);
    server.hears(b"").unwrap();
    let ready = server.says().unwrap();
    assert!(ready.starts_with(b"\x05READY\x0bSocket-Type\0\0\0\x06ROUTER"));
    client.hears(&ready).unwrap();
    server.hears(&client.says().unwrap()).unwrap();
    let codec = Box::new(server.handshake).into_codec();
    assert!(codec.seal.is_none() && codec.unseal.is_none());
}

#[test]
fn both_have_to_encrypt_or_none() {
    for client_is_plain in [false, true] {
        let (mut client, mut server, _) = up_to_consent(Zap::Off);
        (client.handshake.plaintext, server.handshake.plaintext) = (client_is_plain, !client_is_plain);
        server.hears(b"").unwrap();
        let ready = server.says().unwrap();
        assert_eq!(client.hears(&ready), refused(code::UNEXPECTED_COMMAND));
    }
}

#[test]
fn the_handler_is_asked_about_the_principal_and_its_word_counts() {
    let (_, mut server, _) = up_to_consent(Zap::Enforced);
    server.hears(b"").unwrap();
    assert_eq!(server.handshake.status(), Status::AwaitingZap);
    let credentials = vec![b"alice@REALM".to_vec()];
    assert_eq!(server.handshake.zap_request(), Some(ZapRequest { mechanism: "GSSAPI", credentials }));
    assert_eq!(server.handshake.zap_request(), None);
    assert_eq!(server.says(), None, "not before the answer");
    server.answer(answer(200)).unwrap();
    assert!(server.says().is_some());

    for status in [400, 500] {
        let (mut client, mut server, _) = up_to_consent(Zap::Optional);
        server.hears(b"").unwrap();
        server.handshake.zap_request().unwrap();
        server.answer(answer(status)).unwrap();
        let error = server.says().unwrap();
        assert_eq!(error, zap::error_command(status));
        assert_eq!(server.handshake.status(), Status::Failed);
        assert_eq!(server.says(), None);
        let told = client.hears(&error).unwrap_err();
        assert_eq!(told.event, Some(HandshakeEvent::Auth(status)));
    }
    let (_, mut server, _) = up_to_consent(Zap::Optional);
    server.hears(b"").unwrap();
    server.handshake.zap_request().unwrap();
    server.answer(answer(300)).unwrap();
    assert_eq!((server.says(), server.handshake.status()), (None, Status::Failed));

    for (zap, admitted) in [(Zap::Optional, true), (Zap::Enforced, false)] {
        let (_, mut server, _) = up_to_consent(zap);
        server.hears(b"").unwrap();
        server.handshake.zap_request().unwrap();
        assert_eq!(server.answer(ZapReply::Unavailable).is_ok(), admitted);
    }
}

#[test]
fn initiate_is_checked() {
    let wrong: [(&[u8], u32); 10] = [
        (b"", code::MALFORMED_COMMAND),
        (b"\x08", code::MALFORMED_COMMAND),
        (b"\x08INITIAT", code::MALFORMED_COMMAND),
        (b"\x05HELLOtoken", code::UNEXPECTED_COMMAND),
        (b"\x05READY\0", code::UNEXPECTED_COMMAND),
        (b"\x08INITIATE\0\0\0", code::MALFORMED_INITIATE),
        (b"\x08INITIATE\0\0\0\0", code::MALFORMED_INITIATE),
        (b"\x08INITIATE\0\0\0\x04toy", code::MALFORMED_INITIATE),
        (b"\x08INITIATE\0\0\0\x02toy", code::MALFORMED_INITIATE),
        (b"\x08INITIATE\xff\xff\xff\xfftoy", code::MALFORMED_INITIATE),
    ];
    for (body, code) in wrong {
        assert_eq!(Peer::server(Zap::Off).hears(body), refused(code), "{body:?}");
    }
    let longest = initiate(&vec![0; MAX_TOKEN]).unwrap();
    assert_eq!(Peer::server(Zap::Off).hears(&longest), Ok(()));
    let longer = initiate(&vec![0; MAX_TOKEN + 1]).unwrap();
    assert_eq!(Peer::server(Zap::Off).hears(&longer), refused(code::MALFORMED_INITIATE));
}

#[test]
fn a_token_that_the_library_refuses_ends_it() {
    let mut server = Peer::server(Zap::Off);
    server.hears(&initiate(b"garbage").unwrap()).unwrap();
    assert_eq!(server.work(), Err(Error::AccessDenied));
    assert_eq!(server.says(), None);
    assert_eq!(server.hears(b"\x08INITIATE\0\0\0\x03toy"), refused(code::UNEXPECTED_COMMAND));
    let mut client = Peer::client();
    client.handshake = Handshake::client(Box::new(|| Err(Refused)), false);
    assert_eq!(client.work(), Err(Error::AccessDenied));
}

#[test]
fn steps_are_counted() {
    let mut server = Peer::server(Zap::Off);
    server.handshake = Handshake::server(toy(false, 200), false, Zap::Off);
    for _ in 0..MAX_STEPS {
        server.hears(&initiate(b"toy").unwrap()).unwrap();
        server.work().unwrap();
        assert!(server.says().is_some());
    }
    server.hears(&initiate(b"toy").unwrap()).unwrap();
    assert_eq!(server.work(), Err(Error::AccessDenied));
}

#[test]
fn commands_out_of_turn_are_refused() {
    let token = initiate(b"toy").unwrap();
    // While somebody works on a token, before and after that.
    let mut client = Peer::client();
    assert_eq!(client.hears(&token), refused(code::UNEXPECTED_COMMAND));
    let mut server = Peer::server(Zap::Off);
    server.hears(&token).unwrap();
    let work = server.handshake.take_work().unwrap();
    assert_eq!(server.hears(&token), refused(code::UNEXPECTED_COMMAND));
    assert_eq!(server.handshake.work_done(work()), Err(Error::State));
    // Something else than consent.
    for body in [&token[..], b"\x05READY\0", b"x"] {
        let (_, mut server, _) = up_to_consent(Zap::Off);
        assert_eq!(server.hears(body), refused(code::UNEXPECTED_COMMAND));
    }
    // While the handler is asked.
    let (_, mut server, _) = up_to_consent(Zap::Optional);
    server.hears(b"").unwrap();
    assert_eq!(server.hears(b""), refused(code::UNEXPECTED_COMMAND));
    assert!(server.answer(answer(200)).is_err(), "it is over");
    // READY in the clear, and an ERROR that a client tells the server.
    let (mut client, _, _) = up_to_consent(Zap::Off);
    assert_eq!(client.hears(b"\x05READY\0"), refused(code::UNEXPECTED_COMMAND));
    let mut server = Peer::server(Zap::Off);
    assert_eq!(server.hears(&zap::error_command(400)), refused(code::UNEXPECTED_COMMAND));
    // An answer, and work, that nobody has asked for.
    assert!(Peer::server(Zap::Optional).answer(answer(200)).is_err());
    assert!(Peer::client().handshake.work_done(Box::new(())).is_err());
}

#[test]
fn a_socket_type_that_does_not_go_with_ours_is_invalid() {
    let (mut client, mut server, _) = up_to_consent(Zap::Off);
    server.negotiation = negotiation(SocketType::Pub);
    server.hears(b"").unwrap();
    let ready = server.says().unwrap();
    assert_eq!(client.hears(&ready), refused(code::INVALID_METADATA));
}

fn sealed(codec: &mut Codec, flags: u8, body: &[u8]) -> Vec<u8> {
    let seal = codec.seal.as_mut().unwrap();
    let parts = body.split_at(body.len() / 2);
    let size = seal.sealed_size(flags, [parts.0, parts.1]);
    let mut out = b"before".to_vec();
    seal.seal(flags, [parts.0, parts.1], &mut out);
    assert_eq!(out.len(), 6 + size);
    out.split_off(6)
}

fn opened(codec: &mut Codec, frame: &[u8]) -> Result<(u8, Vec<u8>), ProtocolError> {
    let unseal = codec.unseal.as_mut().unwrap();
    let mut message = Message::new();
    let flags = unseal.unseal(frame, &mut message);
    let in_place = unseal.unseal_in_place(Message::from_slice(frame).unwrap());
    assert_eq!(flags, in_place.as_ref().map(|(flags, _)| *flags).map_err(|error| *error));
    flags.map(|flags| {
        assert_eq!(in_place.unwrap().1.data(), message.data());
        (flags, message.data().to_vec())
    })
}

#[test]
fn messages_come_back_with_their_flags() {
    let mut codec = codec::codec(Arc::new(Reversed));
    let long = vec![7; 100_000];
    for body in [&b""[..], b"x", b"content", &long] {
        for flags in [0, frame::MORE, frame::COMMAND] {
            let frame = sealed(&mut codec, flags, body);
            assert!(frame.starts_with(b"\x07MESSAGE"));
            assert_eq!(opened(&mut codec, &frame), Ok((flags, body.to_vec())));
        }
    }
    // What can't be said isn't said, and the peer ends the connection.
    assert_eq!(sealed(&mut codec, 0, b"unspeakable"), b"");
    assert_eq!(opened(&mut codec, b""), Err(ProtocolError::with_code(code::MALFORMED_COMMAND)));
}

/// A MESSAGE with this plain text in it.
fn message(plain: &[u8]) -> Vec<u8> {
    let mut wrapped = Vec::new();
    Reversed.wrap(plain, &mut wrapped).unwrap();
    let length = u32::try_from(wrapped.len()).unwrap();
    [b"\x07MESSAGE", &length.to_be_bytes()[..], &wrapped].concat()
}

#[test]
fn subscriptions_in_any_form_are_commands() {
    let mut codec = codec::codec(Arc::new(Reversed));
    let subscribe = Ok((frame::COMMAND, b"\x09SUBSCRIBEtopic".to_vec()));
    assert_eq!(opened(&mut codec, &message(b"\x02\x09SUBSCRIBEtopic")), subscribe);
    assert_eq!(opened(&mut codec, &message(b"\x04topic")), subscribe);
    assert_eq!(opened(&mut codec, &message(b"\x08")), Ok((frame::COMMAND, b"\x06CANCEL".to_vec())));
    // Reserved bits mean nothing.
    assert_eq!(opened(&mut codec, &message(b"\xf1x")), Ok((frame::MORE, b"x".to_vec())));
}

#[test]
fn what_is_no_message_is_refused() {
    let mut codec = codec::codec(Arc::new(Reversed));
    let mut wrong_mac = message(b"\0x");
    *wrong_mac.last_mut().unwrap() ^= 1;
    let whole = message(b"\0x");
    let trailing = [&whole[..], b"x"].concat();
    let wrong: [(&[u8], u32); 8] = [
        (b"", code::MALFORMED_COMMAND),
        (b"\x07MESSAG", code::MALFORMED_COMMAND),
        (b"\x05READY\0", code::UNEXPECTED_COMMAND),
        (b"\x07MESSAGE\0\0\0", code::MALFORMED_MESSAGE),
        (&whole[..whole.len() - 1], code::MALFORMED_MESSAGE),
        (&trailing, code::MALFORMED_MESSAGE),
        (&wrong_mac, code::CRYPTOGRAPHIC),
        // Not even flags.
        (&message(b""), code::MALFORMED_MESSAGE),
    ];
    for (frame, code) in wrong {
        assert_eq!(opened(&mut codec, frame), Err(ProtocolError::with_code(code)), "{frame:?}");
    }
}
