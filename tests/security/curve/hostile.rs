//! Conversations by hand: pieces of any size, and each command with each field wrong.

use super::*;

#[test]
fn a_conversation_byte_by_byte_and_in_random_chunks_is_understood() {
    let world = World::new();
    let mut dice = Dice(0x00c0_ffee);
    for round in 0..12 {
        let mut peer = world.greeted();
        let mut pieces = |peer: &mut Connected, bytes: &[u8]| {
            let mut rest = bytes;
            while !rest.is_empty() {
                let count = if round == 0 { 1 } else { 1 + dice.below(rest.len()) };
                say(&mut peer.stream, &rest[..count]);
                rest = &rest[count..];
            }
        };
        let hello = peer.curve.hello();
        pieces(&mut peer, &frame(4, &hello));
        let (_, welcome) = peer.recv();
        peer.curve.welcomed(&welcome);
        let initiate = peer.curve.initiate();
        pieces(&mut peer, &frame(4, &initiate));
        peer.recv();
        for size in [0, 20, 95, 96, 1000, 20_000] {
            let body = vec![round; size];
            let message = peer.curve.message(0, &body);
            pieces(&mut peer, &frame(0, &message));
            assert_eq!(world.server.recv(), Ok(body));
        }
        world.go_on();
    }
}

/// The flags of a frame are nobody's word: only those inside the box count.
#[test]
fn flags_count_inside_the_box_only() {
    let world = World::new();
    let mut peer = world.peer();
    for outside in [0, 1, 4, 5] {
        let (first, second) = (peer.curve.message(1, b"first"), peer.curve.message(0, b"second"));
        say(&mut peer.stream, &frame(outside, &first));
        say(&mut peer.stream, &frame(outside, &second));
        assert_eq!(world.server.recv_all().unwrap(), [&b"first"[..], b"second"]);
    }
    // An unknown command is dropped, a PING is answered.
    let unknown = peer.curve.message(2, b"\x04WHATever");
    peer.send_message(&unknown);
    let ping = peer.curve.message(2, b"\x04PING\0\0hello");
    peer.send_message(&ping);
    let (flags, pong) = peer.recv();
    assert_eq!((flags, peer.curve.received(&pong)), (0, (2, b"\x04PONGhello".to_vec())));
    world.go_on();
}

#[test]
fn each_wrong_hello_is_refused() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change, u64); 12] = [
        ("empty", |b| b.clear(), MALFORMED_COMMAND),
        ("a name longer than the command", |b| b[0] = 200, MALFORMED_COMMAND),
        ("another name", |b| b[1] = b'J', UNEXPECTED),
        ("a shorter name", |b| b[0] = 4, UNEXPECTED),
        ("INITIATE", |b| b.splice(..6, *b"\x08INITIATE").for_each(drop), UNEXPECTED),
        ("too short", |b| b.truncate(199), MALFORMED_HELLO),
        ("too long", |b| b.push(0), MALFORMED_HELLO),
        ("another major version", |b| b[6] = 2, MALFORMED_HELLO),
        ("another minor version", |b| b[7] = 1, MALFORMED_HELLO),
        ("another key", |b| b[80] ^= 1, CRYPTOGRAPHIC),
        ("another nonce", |b| b[119] ^= 1, CRYPTOGRAPHIC),
        ("another box", |b| b[150] ^= 0x80, CRYPTOGRAPHIC),
    ];
    let world = World::new();
    for (what, change, code) in changes {
        let mut peer = world.greeted();
        let mut hello = peer.curve.hello();
        change(&mut hello);
        peer.send(&hello);
        world.refuses(peer, code, what);
    }
    // A key of small order, with which everybody has the same shared key.
    let mut peer = world.greeted();
    let mut hello = peer.curve.hello();
    hello[80..112].fill(0);
    peer.send(&hello);
    world.refuses(peer, CRYPTOGRAPHIC, "a key of small order");
    // A message instead of a command is taken as one. Upstream doesn't look either.
    let mut peer = world.greeted();
    peer.send_message(b"\x05HELL0");
    world.refuses(peer, UNEXPECTED, "a message");
}

#[test]
fn each_wrong_initiate_is_refused() {
    type Change = fn(&mut Connected) -> Vec<u8>;
    let changes: [(&str, Change, u64); 14] = [
        ("empty", |_| Vec::new(), MALFORMED_COMMAND),
        ("HELLO again", |p| p.curve.hello(), UNEXPECTED),
        ("too short", |p| p.curve.initiate()[..256].to_vec(), MALFORMED_INITIATE),
        ("the name alone", |_| b"\x08INITIATE".to_vec(), MALFORMED_INITIATE),
        ("cut", |p| p.curve.initiate()[..270].to_vec(), CRYPTOGRAPHIC),
        ("longer", |p| [p.curve.initiate(), vec![0]].concat(), CRYPTOGRAPHIC),
        ("another nonce of the cookie", |p| flipped(p, 9), CRYPTOGRAPHIC),
        ("another cookie", |p| flipped(p, 60), CRYPTOGRAPHIC),
        ("another nonce", |p| flipped(p, 112), CRYPTOGRAPHIC),
        ("another box", |p| flipped(p, 200), CRYPTOGRAPHIC),
        (
            "a vouch of somebody else",
            |p| {
                let inside = [&p.curve.short_public[..], &p.curve.vouch(), &p.curve.metadata].concat();
                p.curve.initiate_with(&inside)
            },
            CRYPTOGRAPHIC,
        ),
        (
            "a vouch for another connection",
            |p| {
                let ours = p.curve.short_public;
                p.curve.short_public = [5; 32];
                let inside = [&p.curve.public[..], &p.curve.vouch(), &p.curve.metadata].concat();
                p.curve.short_public = ours;
                p.curve.initiate_with(&inside)
            },
            KEY_EXCHANGE,
        ),
        (
            "a vouch for another server",
            |p| {
                p.curve.server = [5; 32];
                p.curve.initiate()
            },
            KEY_EXCHANGE,
        ),
        (
            "a changed vouch",
            |p| {
                let mut vouch = p.curve.vouch();
                vouch[40] ^= 1;
                let inside = [&p.curve.public[..], &vouch, &p.curve.metadata].concat();
                p.curve.initiate_with(&inside)
            },
            CRYPTOGRAPHIC,
        ),
    ];
    let world = World::new();
    for (what, change, code) in changes {
        let mut peer = world.greeted();
        peer.hello();
        let initiate = change(&mut peer);
        peer.send(&initiate);
        world.refuses(peer, code, what);
    }
}

fn flipped(peer: &mut Connected, at: usize) -> Vec<u8> {
    let mut initiate = peer.curve.initiate();
    initiate[at] ^= 4;
    initiate
}

/// As upstream's server, ours ends the connection without a word.
#[test]
fn wrong_metadata_ends_the_connection() {
    let world = World::new();
    let cut = property("Socket-Type", b"PUSH")[..18].to_vec();
    let overflowing = [&b"\x01X"[..], &u32::MAX.to_be_bytes(), b"value"].concat();
    for metadata in
        [cut, overflowing, vec![200], property("Socket-Type", b"REP"), property("Socket-Type", b"")]
    {
        let mut peer = world.greeted();
        peer.hello();
        peer.curve.metadata = metadata;
        let initiate = peer.curve.initiate();
        peer.send(&initiate);
        assert_eq!(failure(&world.watch).event, ZMQ_EVENT_DISCONNECTED);
        assert!(is_closed(&mut peer.stream));
        world.go_on();
    }
}

#[test]
fn each_wrong_message_ends_the_connection() {
    type Change = fn(&mut Connected) -> Vec<u8>;
    let changes: [(&str, Change, u64); 12] = [
        ("empty", |_| Vec::new(), MALFORMED_COMMAND),
        ("a name longer than the command", |_| b"\x07MESSAG".to_vec(), MALFORMED_COMMAND),
        ("in the clear", |_| b"\x05hello world".to_vec(), UNEXPECTED),
        ("ERROR", |_| b"\x05ERROR\x03400".to_vec(), UNEXPECTED),
        ("the name alone", |_| b"\x07MESSAGE".to_vec(), MALFORMED_MESSAGE),
        ("no flags", |p| p.curve.message(0, b"")[..32].to_vec(), MALFORMED_MESSAGE),
        ("cut", |p| p.curve.message(0, b"hello")[..37].to_vec(), CRYPTOGRAPHIC),
        ("longer", |p| [p.curve.message(0, b"hello"), vec![0]].concat(), CRYPTOGRAPHIC),
        ("a bit of a short one", |p| changed(p, 5, 35), CRYPTOGRAPHIC),
        ("a bit of a long one", |p| changed(p, 20_000, 15_000), CRYPTOGRAPHIC),
        ("the MAC", |p| changed(p, 5, 20), CRYPTOGRAPHIC),
        (
            "the nonce of the handshake",
            |p| {
                p.curve.nonce = 2;
                p.curve.message(0, b"hello")
            },
            SEQUENCE,
        ),
    ];
    let world = World::new();
    for (what, change, code) in changes {
        let mut peer = world.peer();
        let message = change(&mut peer);
        peer.send_message(&message);
        world.refuses(peer, code, what);
    }
    for size in [5, 500, 20_000] {
        let mut peer = world.peer();
        let message = peer.curve.message(0, &vec![b'x'; size]);
        peer.send_message(&message);
        assert_eq!(world.server.recv().map(|body| body.len()), Ok(size));
        peer.send_message(&message);
        world.refuses(peer, SEQUENCE, "a replay");
        // Nonces may have gaps, but don't go back.
        let mut peer = world.peer();
        let first = peer.curve.message(0, &vec![b'x'; size]);
        peer.curve.nonce += 1000;
        let later = peer.curve.message(0, b"later");
        peer.send_message(&later);
        assert_eq!(world.server.recv().as_deref(), Ok(&b"later"[..]));
        peer.send_message(&first);
        world.refuses(peer, SEQUENCE, "held back");
    }
}

fn changed(peer: &mut Connected, size: usize, at: usize) -> Vec<u8> {
    let mut message = peer.curve.message(0, &vec![b'x'; size]);
    message[at] ^= 1;
    message
}

/// While the handler thinks, it is nobody else's turn.
#[test]
fn a_peer_that_doesnt_wait_for_the_handler_is_refused() {
    let world = World::new();
    let handler = world.context.socket(ZMQ_REP);
    handler.bind(HANDLER).unwrap();
    let mut peer = world.greeted();
    peer.hello();
    let initiate = peer.curve.initiate();
    peer.send(&initiate);
    assert_eq!(handler.recv_all().unwrap()[6], peer.curve.public);
    peer.send(&initiate);
    world.refuses(peer, UNSPECIFIED, "twice");
}

#[test]
fn peers_that_go_in_the_middle_or_talk_nonsense_disturb_nobody() {
    let world = World::new();
    let mut dice = Dice(0xdead_beef);
    for _ in 0..60 {
        let mut peer = world.greeted();
        let hello = frame(4, &peer.curve.hello());
        match dice.below(3) {
            0 => say(&mut peer.stream, &hello[..dice.below(hello.len())]),
            1 => {
                let count = dice.below(3000);
                say(&mut peer.stream, &dice.bytes(count));
            }
            _ => {
                say(&mut peer.stream, &hello);
                let (_, welcome) = peer.recv();
                peer.curve.welcomed(&welcome);
                let mut initiate = frame(4, &peer.curve.initiate());
                for _ in 0..dice.below(4) {
                    let at = dice.below(initiate.len());
                    initiate[at] = dice.below(256) as u8;
                }
                initiate.truncate(dice.below(initiate.len() + 1));
                say(&mut peer.stream, &initiate);
            }
        }
    }
    world.go_on();
}

/// A client, and a server by hand that says this in answer to HELLO. How the client takes it.
fn answered(answer: &[u8]) -> Event {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let context = Context::new();
    let client = context.socket(ZMQ_PUSH);
    make_client(&client, &Keys::new(), &Keys::new().public);
    let watch = Watch::new(&context, &client);
    client.connect(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&greeting()).unwrap();
    stream.read_exact(&mut [0; 64]).unwrap();
    let (flags, hello) = recv_frame(&mut stream);
    assert_eq!((flags, hello.len()), (4, 200));
    stream.write_all(&frame(4, answer)).unwrap();
    assert!(is_closed(&mut stream));
    failure(&watch)
}

#[test]
fn a_client_refuses_servers_that_say_wrong_things() {
    let failed = ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
    let welcome = [b"\x07WELCOME", &[0; 160][..]].concat();
    for (answer, event, value) in [
        (welcome.clone(), failed, CRYPTOGRAPHIC),
        (welcome[..167].to_vec(), failed, CRYPTOGRAPHIC),
        (b"\x07WELCOME".to_vec(), failed, CRYPTOGRAPHIC),
        (Vec::new(), failed, UNEXPECTED),
        (b"\x05HELLO".to_vec(), failed, UNEXPECTED),
        ([b"\x05READY", &[0; 30][..]].concat(), failed, UNEXPECTED),
        (b"\x05ERROR".to_vec(), failed, MALFORMED_ERROR),
        (b"\x05ERROR\x04400".to_vec(), failed, MALFORMED_ERROR),
        (b"\x05ERROR\x03400".to_vec(), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, 400),
    ] {
        let event_seen = answered(&answer);
        assert_eq!((event_seen.event, event_seen.values), (event, vec![value]), "{answer:?}");
    }
    assert_eq!(answered(b"\x05ERROR\x03abc").event, ZMQ_EVENT_DISCONNECTED);
}
