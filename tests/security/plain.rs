//! PLAIN (RFC 24), through the C ABI and byte by byte.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::support::{Context, PATIENCE, Socket};
use crate::watch::Watch;
use crate::wire::{Dice, command, dial, frame, property, say};
use crate::world::{Mechanism, SHORT, World, failure, reply, send_all};
use zmq::ffi::constants::*;

const UNSPECIFIED: u64 = 0x1000_0000;
const UNEXPECTED: u64 = 0x1000_0001;
const MALFORMED_COMMAND: u64 = 0x1000_0011;
const MALFORMED_HELLO: u64 = 0x1000_0013;
const MALFORMED_ERROR: u64 = 0x1000_0015;
const MALFORMED_WELCOME: u64 = 0x1000_0017;
const INVALID_METADATA: u64 = 0x1000_0018;
const MISMATCH: u64 = 0x1100_0002;

fn greeting() -> Vec<u8> {
    let mut bytes = crate::wire::greeting();
    bytes[12..17].copy_from_slice(b"PLAIN");
    bytes
}

fn hello() -> Vec<u8> {
    command("HELLO", b"\x05admin\x06secret")
}

fn initiate() -> Vec<u8> {
    command("INITIATE", &property("Socket-Type", b"DEALER"))
}

/// Answers as a program would that knows one user. Runs until the context ends.
fn judge(handler: &Socket) {
    while let Ok(request) = handler.recv_all() {
        let known = request[6..] == [b"admin".to_vec(), b"secret".to_vec()];
        if send_all(handler, &reply(if known { "200" } else { "400" })).is_err() {
            break;
        }
    }
}

/// A server with a handler in a thread of its own, and a client that behaves, to see whether the others disturb it.
struct Bystanders {
    client: Socket,
    handler: Option<std::thread::JoinHandle<()>>,
    // Last, so that the sockets are closed before it ends.
    world: World,
}

impl Bystanders {
    fn new() -> Self {
        let world = World::new(Mechanism::Plain);
        let handler = world.handler(ZMQ_REP);
        handler.set(ZMQ_RCVTIMEO, -1).unwrap();
        let handler = std::thread::spawn(move || judge(&handler));
        let (client, _) = world.client();
        world.assert_serves(&client);
        world.watch.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
        Self { client, handler: Some(handler), world }
    }

    fn dial(&self) -> TcpStream {
        dial(&self.world.endpoint)
    }

    fn go_on(&self) {
        self.world.assert_serves(&self.client);
    }
}

impl Drop for Bystanders {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.go_on();
            self.world.context.shutdown();
            self.handler.take().map(std::thread::JoinHandle::join);
        }
    }
}

#[test]
fn the_right_password_lets_in_and_no_other() {
    let bystanders = Bystanders::new();
    let wrong: [(&[u8], &[u8]); 4] =
        [(b"admin", b"wrong"), (b"root", b"secret"), (b"admin", b"\0"), (&[b'x'; 255], &[0xff; 255])];
    for (username, password) in wrong {
        let (_client, clients) = bystanders.world.client_as(username, password);
        bystanders.world.watch.expect(&[ZMQ_EVENT_ACCEPTED]);
        bystanders.world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, 400);
        bystanders.world.watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
        let refused = failure(&clients);
        assert_eq!((refused.event, refused.values), (ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, vec![400]));
        bystanders.go_on();
    }
    let (client, _) = bystanders.world.client_as(b"admin", b"secret");
    bystanders.world.assert_serves(&client);
}

#[test]
fn a_server_that_connects_asks_as_well() {
    let context = Context::new();
    let (server, client) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
    let handler = context.socket(ZMQ_REP);
    handler.bind(crate::world::HANDLER).unwrap();
    server.set(ZMQ_PLAIN_SERVER, 1).unwrap();
    client.set_bytes(ZMQ_PLAIN_USERNAME, b"admin").unwrap();
    let endpoint = client.bind_tcp();
    server.connect(&endpoint).unwrap();
    assert_eq!(handler.recv_all().unwrap()[6..], [b"admin".to_vec(), Vec::new()]);
    send_all(&handler, &reply("200")).unwrap();
    client.send(b"hello").unwrap();
    assert_eq!(server.recv().as_deref(), Ok(&b"hello"[..]));
}

#[test]
fn two_of_the_same_side_get_nowhere() {
    let context = Context::new();
    for servers in [true, false] {
        let (one, other) = (context.socket(ZMQ_DEALER), context.socket(ZMQ_DEALER));
        for socket in [&one, &other] {
            socket.set(ZMQ_HANDSHAKE_IVL, SHORT).unwrap();
            if servers {
                socket.set(ZMQ_PLAIN_SERVER, 1).unwrap();
            } else {
                socket.set_bytes(ZMQ_PLAIN_USERNAME, b"admin").unwrap();
            }
        }
        let watch = Watch::new(&context, &one);
        other.connect(&one.bind_tcp()).unwrap();
        let failed = failure(&watch);
        let expected = if servers {
            (ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, libc::EAGAIN as u64)
        } else {
            (ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, UNEXPECTED)
        };
        assert_eq!((failed.event, failed.values[0]), expected);
    }
}

#[test]
fn a_conversation_byte_by_byte_and_in_random_chunks_is_understood() {
    let bystanders = Bystanders::new();
    let mut dice = Dice(0x1234_5678_9abc_def1);
    for round in 0..20 {
        let mut stream = bystanders.dial();
        let mut talk = |bytes: &[u8], answer: usize| {
            let mut rest = bytes;
            while !rest.is_empty() {
                let count = if round == 0 { 1 } else { 1 + dice.below(rest.len()) };
                say(&mut stream, &rest[..count]);
                rest = &rest[count..];
            }
            let mut bytes = vec![0; answer];
            stream.read_exact(&mut bytes).expect("an answer");
            bytes
        };
        talk(&greeting(), 64);
        assert_eq!(talk(&hello(), 10), command("WELCOME", b""));
        let ready = [property("Socket-Type", b"DEALER"), property("Identity", b"IDENT")].concat();
        let ready = command("READY", &ready);
        assert_eq!(talk(&initiate(), ready.len()), ready);
        let body = format!("message {round}");
        talk(&frame(0, body.as_bytes()), 0);
        assert_eq!(bystanders.world.server.recv().as_deref(), Ok(body.as_bytes()));
        bystanders.go_on();
    }
}

/// What it is called, what the peer says, and what the server's monitor says of it.
type Case = (String, Vec<Vec<u8>>, (i32, u64));

/// What the server's monitor says of a peer that says all this, one after the other, each after an answer has come.
fn outcome(bystanders: &Bystanders, said: &[Vec<u8>]) -> (i32, u64) {
    let mut stream = bystanders.dial();
    for (index, bytes) in said.iter().enumerate() {
        say(&mut stream, bytes);
        // The greeting, WELCOME, READY: what is said next is an answer to that.
        if index + 1 < said.len() {
            let mut answer = [0; 256];
            let wanted = if index == 0 { 64 } else { 10 };
            stream.read_exact(&mut answer[..wanted]).expect("an answer");
        }
    }
    let event = failure(&bystanders.world.watch);
    if event.event != ZMQ_EVENT_DISCONNECTED {
        if event.event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH {
            // A peer that was told so is left to close the connection by itself.
            drop(stream);
        }
        bystanders.world.watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
        return (event.event, event.values[0]);
    }
    (event.event, 0)
}

#[test]
fn every_wrong_field_ends_the_connection_with_its_event() {
    let bystanders = Bystanders::new();
    let protocol = |code| (ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, code);
    let silent = (ZMQ_EVENT_DISCONNECTED, 0);
    let welcomed = |rest: Vec<u8>| vec![greeting(), hello(), rest];
    let begun = |rest: Vec<u8>| vec![greeting(), rest];
    let mut cases: Vec<Case> = Vec::new();
    let mut case = |name: &str, said, expected| cases.push((name.to_owned(), said, expected));

    case("another mechanism", vec![crate::wire::greeting()], protocol(MISMATCH));
    let mut lower = greeting();
    lower[12..17].copy_from_slice(b"plain");
    case("a mechanism in lower case", vec![lower], protocol(MISMATCH));
    let mut longer = greeting();
    longer[17] = b'X';
    case("a mechanism that is longer", vec![longer], protocol(MISMATCH));

    case("an empty command", begun(frame(4, b"")), protocol(MALFORMED_COMMAND));
    case("a command of one byte", begun(frame(4, b"\x05")), protocol(MALFORMED_COMMAND));
    case("a name that is cut short", begun(frame(4, b"\x05HELL")), protocol(MALFORMED_COMMAND));
    case("a name of the wrong length", begun(frame(4, b"\x04HELLO\0\0")), protocol(UNEXPECTED));
    case("another command first", begun(initiate()), protocol(UNEXPECTED));
    case("NULL's READY first", begun(crate::wire::ready("DEALER")), protocol(UNEXPECTED));
    let body = b"\x05admin\x06secret";
    for end in 0..body.len() {
        case(
            &format!("HELLO cut at {end}"),
            begun(command("HELLO", &body[..end])),
            protocol(MALFORMED_HELLO),
        );
    }
    for (place, length) in [(0, 4), (0, 6), (0, 255), (6, 0), (6, 5), (6, 7), (6, 255)] {
        let mut body = *body;
        body[place] = length;
        case(
            &format!("length {length} at {place}"),
            begun(command("HELLO", &body)),
            protocol(MALFORMED_HELLO),
        );
    }
    case("a byte more", begun(command("HELLO", b"\x05admin\x06secret\0")), protocol(MALFORMED_HELLO));
    case("HELLO again", welcomed(hello()), protocol(UNEXPECTED));
    case("HELLO twice at once", begun([hello(), hello()].concat()), protocol(UNSPECIFIED));
    case("INITIATE before WELCOME", begun([hello(), initiate()].concat()), protocol(UNSPECIFIED));
    case("a message in the place of INITIATE", welcomed(frame(0, b"message")), protocol(UNEXPECTED));
    case("READY in the place of INITIATE", welcomed(crate::wire::ready("DEALER")), protocol(UNEXPECTED));
    let properties = property("Socket-Type", b"DEALER");
    // (A cut between the fields of a property is none.)
    for end in (1..properties.len()).filter(|end| ![12, 16].contains(end)) {
        case(&format!("INITIATE cut at {end}"), welcomed(command("INITIATE", &properties[..end])), silent);
    }
    for (place, byte) in [(0, 255), (12, 255), (15, 7), (15, 255)] {
        let mut properties = properties.clone();
        properties[place] = byte;
        case(&format!("property with {byte} at {place}"), welcomed(command("INITIATE", &properties)), silent);
    }
    case(
        "a socket type that doesn't go with it",
        welcomed(command("INITIATE", &property("Socket-Type", b"PUB"))),
        silent,
    );
    case("no socket type at all", welcomed(command("INITIATE", &property("Socket-Type", b""))), silent);
    case(
        "flags that mean nothing",
        begun(frame(0xf8, b"\x05HELLO\0\0")),
        (ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, 400),
    );
    case("a length that nobody has", begun([&[6_u8][..], &u64::MAX.to_be_bytes()].concat()), silent);
    for (name, said, expected) in &cases {
        assert_eq!(outcome(&bystanders, said), *expected, "{name}");
        bystanders.go_on();
    }
}

#[test]
fn random_mutations_cost_their_connection_at_most() {
    let bystanders = Bystanders::new();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let conversation = [greeting(), hello(), initiate(), frame(0, b"message")].concat();
    for _ in 0..200 {
        let mut bytes = conversation.clone();
        for _ in 0..1 + dice.below(3) {
            let place = dice.below(bytes.len());
            match dice.below(4) {
                0 => bytes[place] = dice.below(256) as u8,
                1 => bytes[place] ^= 1 << dice.below(8),
                2 => bytes.truncate(place.max(1)),
                _ => bytes.insert(place, dice.below(256) as u8),
            }
        }
        let mut stream = bystanders.dial();
        say(&mut stream, &bytes);
        if dice.below(2) == 0 {
            bystanders.go_on();
        }
    }
}

/// A listener by hand, and a PLAIN client that connects to it.
fn by_hand() -> (Context, Socket, Watch, TcpStream) {
    let context = Context::new();
    let client = context.socket(ZMQ_DEALER);
    client.set_bytes(ZMQ_PLAIN_USERNAME, b"admin").unwrap();
    client.set_bytes(ZMQ_PLAIN_PASSWORD, b"secret").unwrap();
    let watch = Watch::new(&context, &client);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    client.connect(&format!("tcp://{}", listener.local_addr().expect("a port"))).unwrap();
    let (mut stream, _) = listener.accept().expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    stream.write_all(&greeting()).expect("a peer");
    let mut said = vec![0; 64 + hello().len()];
    stream.read_exact(&mut said).expect("a greeting and HELLO");
    assert_eq!(said[64..], hello());
    (context, client, watch, stream)
}

#[test]
fn every_wrong_answer_ends_the_clients_connection_with_its_event() {
    let protocol = |code| (ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, code);
    let auth = |status| (ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, status);
    let silent = (ZMQ_EVENT_DISCONNECTED, 0);
    let ready = |properties: &[u8]| command("READY", properties);
    let welcome = || command("WELCOME", b"");
    let cases: Vec<(bool, Vec<u8>, (i32, u64))> = vec![
        (false, frame(4, b""), protocol(UNEXPECTED)),
        (false, frame(4, b"\x07WELCOM"), protocol(UNEXPECTED)),
        (false, frame(4, b"\x06WELCOME"), protocol(UNEXPECTED)),
        (false, command("WELCOME", b"x"), protocol(MALFORMED_WELCOME)),
        (false, hello(), protocol(UNEXPECTED)),
        (false, ready(&property("Socket-Type", b"DEALER")), protocol(UNEXPECTED)),
        (false, command("ERROR", b"\x03400"), auth(400)),
        (false, frame(4, b"^RROR\x03500"), auth(500)),
        (false, command("ERROR", b"\x03402"), silent),
        (false, command("ERROR", b""), protocol(MALFORMED_ERROR)),
        (false, command("ERROR", b"\x04400"), protocol(MALFORMED_ERROR)),
        (true, welcome(), protocol(UNEXPECTED)),
        (true, command("ERROR", b"\x03300"), auth(300)),
        (true, ready(b"\x0bSocket"), protocol(INVALID_METADATA)),
        (true, ready(&property("Socket-Type", b"PULL")), protocol(INVALID_METADATA)),
        (true, frame(0, b"message"), protocol(UNEXPECTED)),
    ];
    for (welcomed, said, expected) in cases {
        let (_context, _client, watch, mut stream) = by_hand();
        if welcomed {
            stream.write_all(&welcome()).expect("a peer");
            let mut header = [0; 2];
            stream.read_exact(&mut header).expect("INITIATE");
            let mut body = vec![0; header[1].into()];
            stream.read_exact(&mut body).expect("INITIATE");
            assert!(body.starts_with(b"\x08INITIATE\x0bSocket-Type\0\0\0\x06DEALER"));
        }
        stream.write_all(&said).expect("a peer");
        let event = failure(&watch);
        assert_eq!((event.event, event.values[0]).0, expected.0, "{said:?}");
        if event.event != ZMQ_EVENT_DISCONNECTED {
            assert_eq!(event.values[0], expected.1, "{said:?}");
            watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
        }
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
}
