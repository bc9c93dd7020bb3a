//! Peers that say wrong things, and somebody on the way who changes, repeats, holds back or remembers what is said.

use crate::Case;
use crate::middle::Middle;
use crate::realm::SERVICE;
use crate::wire::{Dice, command, dial, frame, is_closed, property, ready, say};
use crate::world::{REFUSED, World, ask, expect_failure, usual};
use std::io::Read;
use std::net::TcpStream;
use zmq::ffi::constants::*;
use zmq::sys::gssapi::{self, Establishing, NameKind, Protection};

pub const CASES: &[Case] = &[
    ("commands_that_are_wrong", usual, commands_that_are_wrong),
    ("tokens_that_are_garbage", usual, tokens_that_are_garbage),
    ("a_token_that_was_used_already", usual, a_token_that_was_used_already),
    ("messages_that_were_tampered_with", usual, messages_that_were_tampered_with),
    ("tokens_that_were_tampered_with", usual, tokens_that_were_tampered_with),
    ("a_client_with_a_ticket_that_says_wrong_things", usual, a_client_with_a_ticket_that_says_wrong_things),
    ("both_have_to_encrypt_or_none", usual, both_have_to_encrypt_or_none),
    ("other_mechanisms_stay_out", usual, other_mechanisms_stay_out),
    ("peers_that_say_nothing", usual, peers_that_say_nothing),
];

const UNEXPECTED: u64 = 0x1000_0001;
const MALFORMED_COMMAND: u64 = 0x1000_0011;
const MALFORMED_MESSAGE: u64 = 0x1000_0012;
const MALFORMED_INITIATE: u64 = 0x1000_0014;
const INVALID_METADATA: u64 = 0x1000_0018;
const CRYPTOGRAPHIC: u64 = 0x1100_0001;
const MISMATCH: u64 = 0x1100_0002;

fn greeting() -> Vec<u8> {
    let mut bytes = crate::wire::greeting();
    bytes[12..18].copy_from_slice(b"GSSAPI");
    bytes
}

/// A frame of any size.
fn any_frame(flags: u8, body: &[u8]) -> Vec<u8> {
    if body.len() < 256 {
        return frame(flags, body);
    }
    [&[flags | 2], &(body.len() as u64).to_be_bytes()[..], body].concat()
}

fn initiate(token: &[u8]) -> Vec<u8> {
    any_frame(4, &[b"\x08INITIATE", &(token.len() as u32).to_be_bytes()[..], token].concat())
}

fn commands_that_are_wrong() {
    let world = World::new();
    let wrong = [
        (command("HELLO", b"x"), UNEXPECTED),
        (ready("DEALER"), UNEXPECTED),
        (frame(4, b""), MALFORMED_COMMAND),
        (frame(4, b"\x08INITIAT"), MALFORMED_COMMAND),
        (frame(4, b"\x08INITIATE"), MALFORMED_INITIATE),
        (command("INITIATE", b"\0\0\0"), MALFORMED_INITIATE),
        (command("INITIATE", b"\0\0\0\0"), MALFORMED_INITIATE),
        (command("INITIATE", b"\0\0\0\x09token"), MALFORMED_INITIATE),
        (command("INITIATE", b"\0\0\0\x01token"), MALFORMED_INITIATE),
        (command("INITIATE", b"\xff\xff\xff\xfftoken"), MALFORMED_INITIATE),
        (initiate(&vec![0; 300_000]), MALFORMED_INITIATE),
        (command("MESSAGE", b"\0\0\0\x01x"), UNEXPECTED),
        (frame(0, b"sneaky"), MALFORMED_COMMAND),
    ];
    for (bytes, code) in wrong {
        let mut peer = dial(&world.endpoint);
        say(&mut peer, &[greeting(), bytes.clone()].concat());
        world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, code);
        assert!(is_closed(&mut peer), "{bytes:?}");
        world.watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    }
    world.assert_unharmed();
}

fn tokens_that_are_garbage() {
    let world = World::new();
    let mut dice = Dice(7);
    let tokens = (0..60).map(|round| match round % 3 {
        0 => dice.bytes(1 + round * 50),
        // What a Kerberos token begins with.
        1 => [&b"\x60\x82\x02\x00\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00"[..], &dice.bytes(600)]
            .concat(),
        // SPNEGO's, to negotiate something.
        _ => [&b"\x60\x48\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x3e\x30\x3c"[..], &dice.bytes(60)].concat(),
    });
    for token in tokens {
        let mut peer = dial(&world.endpoint);
        say(&mut peer, &[greeting(), initiate(&token)].concat());
        world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, REFUSED);
        assert!(is_closed(&mut peer));
        world.watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    }
    world.assert_unharmed();
}

/// Who has seen a token can't come in with it.
fn a_token_that_was_used_already() {
    let world = World::new();
    let middle = Middle::new(&world.endpoint);
    let client = world.context.socket(ZMQ_DEALER);
    ask(&client, false);
    client.connect(&middle.endpoint).unwrap();
    world.assert_serves(&client);
    let token = middle.to_server().swap_remove(0);
    world.expect_failure(ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
    let mut thief = dial(&world.endpoint);
    say(&mut thief, &[greeting(), token].concat());
    world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, REFUSED);
    assert!(is_closed(&mut thief));
    world.assert_serves(&client);
}

/// The frames of a client: its token, its consent, READY, and then messages.
const FIRST_MESSAGE: usize = 3;

fn messages_that_were_tampered_with() {
    type Tamper = fn(usize, &[u8]) -> Vec<Vec<u8>>;
    let tampers: [Tamper; 4] = [
        // One bit of the second message.
        |number, frame| {
            let mut frame = frame.to_vec();
            if number == FIRST_MESSAGE + 1 {
                *frame.last_mut().unwrap() ^= 1;
            }
            vec![frame]
        },
        // The first one twice.
        |number, frame| vec![frame.to_vec(); 1 + usize::from(number == FIRST_MESSAGE)],
        // The second one is missing.
        |number, frame| if number == FIRST_MESSAGE + 1 { vec![] } else { vec![frame.to_vec()] },
        // One in the clear before the second one.
        |number, frame| {
            let mut frames = vec![frame.to_vec()];
            if number == FIRST_MESSAGE + 1 {
                frames.insert(0, any_frame(0, b"\x05sneaky"));
            }
            frames
        },
    ];
    for (number, tamper) in tampers.into_iter().enumerate() {
        let world = World::new();
        let middle = Middle::changing(&world.endpoint, move || Box::new(tamper));
        let client = world.context.socket(ZMQ_DEALER);
        ask(&client, false);
        client.set(ZMQ_RECONNECT_IVL, -1).unwrap();
        client.connect(&middle.endpoint).unwrap();
        for body in [&b"first"[..], b"second", b"third"] {
            client.send(body).unwrap();
        }
        assert_eq!(world.server.recv().as_deref(), Ok(&b"first"[..]));
        world.expect_failure(ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
        let code = if number == 3 { UNEXPECTED } else { CRYPTOGRAPHIC };
        world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, code);
        world.assert_unharmed();
    }
}

fn tokens_that_were_tampered_with() {
    let world = World::new();
    for place in [5, 60, 200, 400] {
        let middle = Middle::changing(&world.endpoint, move || {
            Box::new(move |number, frame| {
                let mut frame = frame.to_vec();
                if number == 0 {
                    // Behind the frame's header and the command's.
                    frame[9 + 9 + 4 + place] ^= 1;
                }
                vec![frame]
            })
        });
        let client = world.context.socket(ZMQ_DEALER);
        ask(&client, false);
        client.set(ZMQ_RECONNECT_IVL, -1).unwrap();
        client.connect(&middle.endpoint).unwrap();
        world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, REFUSED);
        world.watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    }
    world.assert_unharmed();
}

/// A client of our own, which has a ticket, and is as far as it wants to be.
struct Insider {
    stream: TcpStream,
    protection: Protection,
}

impl Insider {
    /// Up to the server's READY.
    fn new(endpoint: &str) -> Self {
        let mut stream = dial(endpoint);
        say(&mut stream, &greeting());
        let mut side: Establishing =
            gssapi::initiate(None, (SERVICE.as_bytes(), NameKind::Hostbased)).expect("a ticket");
        let step = side.step(b"").expect("a token");
        say(&mut stream, &initiate(&step.token));
        stream.read_exact(&mut [0; 64]).unwrap();
        let answer = read_frame(&mut stream);
        let step = side.step(&answer[9 + 4..]).expect("the server's token");
        assert!(step.complete && step.token.is_empty());
        say(&mut stream, &frame(4, b""));
        let mut insider = Self { stream, protection: side.into_protection() };
        let ready = read_frame(&mut insider.stream);
        let opened = insider.protection.unwrap(&ready[8 + 4..], <[u8]>::to_vec).expect("READY");
        assert!(opened.starts_with(b"\0\x05READY\x0bSocket-Type"));
        insider
    }

    /// Says this in a MESSAGE.
    fn say(&mut self, plain: &[u8]) {
        let mut wrapped = Vec::new();
        self.protection.wrap(plain, &mut wrapped).unwrap();
        let body = [b"\x07MESSAGE", &(wrapped.len() as u32).to_be_bytes()[..], &wrapped].concat();
        say(&mut self.stream, &any_frame(0, &body));
    }

    fn ready() -> Vec<u8> {
        [b"\0\x05READY", &property("Socket-Type", b"DEALER")[..]].concat()
    }
}

/// The body of a frame.
fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut header = [0; 2];
    stream.read_exact(&mut header).unwrap();
    let mut length = usize::from(header[1]);
    if header[0] & 2 != 0 {
        let mut rest = [0; 7];
        stream.read_exact(&mut rest).unwrap();
        length = rest.iter().fold(length, |length, byte| length << 8 | usize::from(*byte));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    body
}

/// Upstream aborts when there aren't even flags inside a message.
fn a_client_with_a_ticket_that_says_wrong_things() {
    let world = World::new();
    let succeeded = || world.expect_failure(ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
    let fails_with = |mut insider: Insider, code: u64| {
        world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, code);
        assert!(is_closed(&mut insider.stream));
        world.watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    };
    // As it should be, first.
    let mut insider = Insider::new(&world.endpoint);
    insider.say(&Insider::ready());
    insider.say(b"\0content");
    assert_eq!(world.server.recv().as_deref(), Ok(&b"content"[..]));
    succeeded();
    insider.say(b"");
    fails_with(insider, MALFORMED_MESSAGE);

    for (said, code) in [
        (&b""[..], MALFORMED_MESSAGE),
        (b"\0", MALFORMED_COMMAND),
        (b"\0\x05READ", MALFORMED_COMMAND),
        (b"\0\x05HELLO\0", UNEXPECTED),
        (b"\0\x05READY\xff", INVALID_METADATA),
        (b"\0\x05READY\x0bSocket-Type\0\0\0\x03PUB", INVALID_METADATA),
    ] {
        let mut insider = Insider::new(&world.endpoint);
        insider.say(said);
        fails_with(insider, code);
    }
    // In the clear, which only a ticket's owner could say, but anybody could have said.
    let mut insider = Insider::new(&world.endpoint);
    say(&mut insider.stream, &ready("DEALER"));
    fails_with(insider, UNEXPECTED);
    let mut insider = Insider::new(&world.endpoint);
    say(&mut insider.stream, &frame(0, b"\x07MESSAGE\0\0\0"));
    fails_with(insider, MALFORMED_MESSAGE);
    // Unknown commands and reserved flags are ignored.
    let mut insider = Insider::new(&world.endpoint);
    insider.say(&Insider::ready());
    insider.say(b"\x02\x05WHAT?what");
    insider.say(b"\x02");
    insider.say(b"\xf0content");
    assert_eq!(world.server.recv().as_deref(), Ok(&b"content"[..]));
    succeeded();
    drop(insider);
    world.watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    world.assert_unharmed();
}

fn both_have_to_encrypt_or_none() {
    for plaintext in [false, true] {
        let world = World::with(plaintext, |_| {});
        let (client, watch) = world.client_with(|client| {
            client.set(ZMQ_GSSAPI_PLAINTEXT, (!plaintext).into()).unwrap();
        });
        client.send(b"nobody").unwrap();
        expect_failure(&watch, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, UNEXPECTED);
        assert_eq!(world.server.try_recv(), Err(libc::EAGAIN));
    }
}

fn other_mechanisms_stay_out() {
    let world = World::new();
    let null = world.context.socket(ZMQ_DEALER);
    null.connect(&world.endpoint).unwrap();
    // The connection may have come to its end already.
    let _ = null.try_send(b"nobody");
    world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, MISMATCH);
    world.watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    // ZMTP 1.0 and 2.0 have no mechanisms.
    for old in [&b"\x01\0\x08\0sneaky\0"[..], b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x05\0\0\0\x06sneaky"] {
        let mut peer = dial(&world.endpoint);
        say(&mut peer, old);
        assert!(is_closed(&mut peer));
        world.watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    }
    world.assert_unharmed();
}

fn peers_that_say_nothing() {
    let world = World::with(false, |server| {
        server.set(ZMQ_HANDSHAKE_IVL, 100).unwrap();
    });
    let mut peer = dial(&world.endpoint);
    say(&mut peer, &greeting());
    world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, libc::EAGAIN as u64);
    assert!(is_closed(&mut peer));
    world.assert_unharmed();
}
