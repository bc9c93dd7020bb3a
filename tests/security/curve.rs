//! CURVE (RFC 26), through the C ABI: sockets of both sides, and a peer of our own that says wrong things.

mod hostile;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::curve_peer::{CurvePeer, frame, greeting};
use crate::support::{Context, PATIENCE, Socket};
use crate::watch::{Event, Watch};
use crate::wire::{Dice, dial, is_closed, property, say};
use crate::world::{HANDLER, SHORT, failure, recv_properties, reply, send_all};
use zmq::ffi::constants::*;
use zmq::ffi::util::{zmq_curve_keypair, zmq_curve_public};

const UNSPECIFIED: u64 = 0x1000_0000;
const UNEXPECTED: u64 = 0x1000_0001;
const SEQUENCE: u64 = 0x1000_0002;
const KEY_EXCHANGE: u64 = 0x1000_0003;
const MALFORMED_COMMAND: u64 = 0x1000_0011;
const MALFORMED_MESSAGE: u64 = 0x1000_0012;
const MALFORMED_HELLO: u64 = 0x1000_0013;
const MALFORMED_INITIATE: u64 = 0x1000_0014;
const MALFORMED_ERROR: u64 = 0x1000_0015;
const CRYPTOGRAPHIC: u64 = 0x1100_0001;
const MISMATCH: u64 = 0x1100_0002;

/// A pair of keys, as text.
struct Keys {
    public: [u8; 40],
    secret: [u8; 40],
}

impl Keys {
    fn new() -> Self {
        let (mut public, mut secret, mut again) = ([0_u8; 41], [0_u8; 41], [0_u8; 41]);
        // SAFETY: room for 41 characters each.
        unsafe {
            assert_eq!(zmq_curve_keypair(public.as_mut_ptr().cast(), secret.as_mut_ptr().cast()), 0);
            assert_eq!(zmq_curve_public(again.as_mut_ptr().cast(), secret.as_ptr().cast()), 0);
        }
        assert_eq!(public, again);
        Self { public: *public.first_chunk().unwrap(), secret: *secret.first_chunk().unwrap() }
    }

    fn public(&self) -> [u8; 32] {
        zmq::z85::decode(&self.public).unwrap().try_into().unwrap()
    }
}

fn make_server(socket: &Socket, keys: &Keys) {
    socket.set(ZMQ_CURVE_SERVER, 1).unwrap();
    socket.set_bytes(ZMQ_CURVE_SECRETKEY, &keys.secret).unwrap();
}

fn make_client(socket: &Socket, keys: &Keys, server: &[u8]) {
    socket.set_bytes(ZMQ_CURVE_SERVERKEY, server).unwrap();
    socket.set_bytes(ZMQ_CURVE_PUBLICKEY, &keys.public).unwrap();
    socket.set_bytes(ZMQ_CURVE_SECRETKEY, &keys.secret).unwrap();
    socket.set(ZMQ_RECONNECT_IVL, 10).unwrap();
}

/// A server, its monitor, and a client that behaves, to see whether others disturb it. Sockets are closed before the context ends.
struct World {
    server: Socket,
    watch: Watch,
    client: Socket,
    endpoint: String,
    keys: Keys,
    context: Context,
}

impl World {
    fn new() -> Self {
        let (context, keys) = (Context::new(), Keys::new());
        let server = context.socket(ZMQ_PULL);
        make_server(&server, &keys);
        let watch = Watch::new(&context, &server);
        let endpoint = server.bind_tcp();
        let client = context.socket(ZMQ_PUSH);
        make_client(&client, &Keys::new(), &keys.public);
        client.connect(&endpoint).unwrap();
        let world = Self { server, watch, client, endpoint, keys, context };
        world.go_on();
        world.watch.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
        world
    }

    /// The one that behaves is served as ever.
    fn go_on(&self) {
        self.client.send(b"as ever").unwrap();
        assert_eq!(self.server.recv().as_deref(), Ok(&b"as ever"[..]));
    }

    /// A peer that has been let in.
    fn peer(&self) -> Connected {
        let mut peer = self.greeted();
        peer.hello();
        peer.initiate();
        self.watch.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
        peer
    }

    /// A peer that has greeted.
    fn greeted(&self) -> Connected {
        let mut stream = dial(&self.endpoint);
        say(&mut stream, &greeting());
        let mut theirs = [0; 64];
        stream.read_exact(&mut theirs).unwrap();
        assert_eq!(theirs[12..32], *b"CURVE\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(theirs[32], 0);
        Connected { stream, curve: CurvePeer::new(self.keys.public()) }
    }

    /// The server ends the connection and says why.
    fn refuses(&self, mut peer: Connected, code: u64, what: &str) {
        let failed = failure(&self.watch);
        let expected = (ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, vec![code]);
        assert_eq!((failed.event, failed.values), expected, "{what}");
        self.watch.wait_for(ZMQ_EVENT_DISCONNECTED);
        assert!(is_closed(&mut peer.stream), "{what}");
        self.go_on();
    }
}

/// A peer by hand, and its connection.
struct Connected {
    stream: TcpStream,
    curve: CurvePeer,
}

impl Connected {
    fn send(&mut self, body: &[u8]) {
        say(&mut self.stream, &frame(4, body));
    }

    fn send_message(&mut self, body: &[u8]) {
        say(&mut self.stream, &frame(0, body));
    }

    fn recv(&mut self) -> (u8, Vec<u8>) {
        recv_frame(&mut self.stream)
    }

    /// HELLO and WELCOME.
    fn hello(&mut self) {
        let hello = self.curve.hello();
        self.send(&hello);
        let (flags, welcome) = self.recv();
        assert_eq!((flags, welcome.len()), (4, 168));
        self.curve.welcomed(&welcome);
    }

    /// INITIATE and READY.
    fn initiate(&mut self) {
        let initiate = self.curve.initiate();
        self.send(&initiate);
        let (flags, ready) = self.recv();
        assert_eq!(flags, 4);
        assert_eq!(self.curve.ready(&ready), property("Socket-Type", b"PULL"));
    }
}

fn recv_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut header = [0; 2];
    stream.read_exact(&mut header).unwrap();
    let length = if header[0] & 2 == 0 {
        usize::from(header[1])
    } else {
        let mut rest = [0; 7];
        stream.read_exact(&mut rest).unwrap();
        rest.iter().fold(usize::from(header[1]), |length, &byte| length << 8 | usize::from(byte))
    };
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (header[0] & !2, body)
}

#[test]
fn messages_of_all_sizes_in_several_parts_over_tcp_and_ipc() {
    let (context, keys) = (Context::new(), Keys::new());
    for endpoint in ["tcp://127.0.0.1:*", "ipc://*"] {
        let (router, dealer) = (context.socket(ZMQ_ROUTER), context.socket(ZMQ_DEALER));
        make_server(&router, &keys);
        router.bind(endpoint).unwrap();
        make_client(&dealer, &Keys::new(), &keys.public);
        dealer.set_bytes(ZMQ_ROUTING_ID, b"dealer").unwrap();
        dealer.connect(&router.last_endpoint()).unwrap();
        for size in [0, 1, 30, 94, 95, 96, 200, 222, 223, 1000, 8191, 30_000, 65_535] {
            let body: Vec<u8> = (0..size).map(|i| i as u8).collect();
            send_all(&dealer, &[b"", &body, &body, b"end"]).unwrap();
            let parts = router.recv_all().unwrap();
            assert_eq!(parts, [b"dealer".to_vec(), Vec::new(), body.clone(), body, b"end".to_vec()]);
            send_all(&router, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
            assert_eq!(dealer.recv_all().unwrap(), parts[1..]);
        }
    }
}

#[test]
fn a_stream_of_messages_of_mixed_sizes_arrives_in_order() {
    let world = World::new();
    let mut dice = Dice(0x0dd0_5eed);
    let bodies: Vec<Vec<u8>> = (0..2000)
        .map(|i: u32| {
            let most = [20, 110, 3000, 60_000][dice.below(4)];
            let size = dice.below(most);
            [&i.to_be_bytes()[..], &dice.bytes(size)].concat()
        })
        .collect();
    std::thread::scope(|scope| {
        scope.spawn(|| bodies.iter().for_each(|body| assert!(world.client.send(body).is_ok())));
        for body in &bodies {
            assert!(world.server.recv().as_ref() == Ok(body));
        }
    });
}

#[test]
fn subscriptions_and_heartbeats_are_messages_too() {
    let (context, keys) = (Context::new(), Keys::new());
    let (publisher, subscriber) = (context.socket(ZMQ_XPUB), context.socket(ZMQ_SUB));
    make_server(&publisher, &keys);
    make_client(&subscriber, &Keys::new(), &keys.public);
    for socket in [&publisher, &subscriber] {
        socket.set(ZMQ_HEARTBEAT_IVL, 20).unwrap();
        socket.set(ZMQ_HEARTBEAT_TIMEOUT, 1000).unwrap();
    }
    let watch = Watch::new(&context, &subscriber);
    subscriber.connect(&publisher.bind_tcp()).unwrap();
    subscriber.set_bytes(ZMQ_SUBSCRIBE, b"topic").unwrap();
    assert_eq!(publisher.recv().as_deref(), Ok(&b"\x01topic"[..]));
    watch.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    // Some heartbeats later nothing has happened to the connection.
    watch.0.set(ZMQ_RCVTIMEO, 200).unwrap();
    assert!(watch.0.recv().is_err());
    publisher.send(b"other").unwrap();
    publisher.send(b"topic 1").unwrap();
    assert_eq!(subscriber.recv().as_deref(), Ok(&b"topic 1"[..]));
    subscriber.set_bytes(ZMQ_UNSUBSCRIBE, b"topic").unwrap();
    assert_eq!(publisher.recv().as_deref(), Ok(&b"\x00topic"[..]));
}

#[test]
fn requests_are_answered_whoever_binds() {
    let (context, keys) = (Context::new(), Keys::new());
    for server_binds in [true, false] {
        let (req, rep) = (context.socket(ZMQ_REQ), context.socket(ZMQ_REP));
        make_server(&rep, &keys);
        make_client(&req, &Keys::new(), &keys.public);
        if server_binds {
            req.connect(&rep.bind_tcp()).unwrap();
        } else {
            rep.connect(&req.bind_tcp()).unwrap();
        }
        for _ in 0..10 {
            req.send(b"question").unwrap();
            assert_eq!(rep.recv().as_deref(), Ok(&b"question"[..]));
            rep.send(b"answer").unwrap();
            assert_eq!(req.recv().as_deref(), Ok(&b"answer"[..]));
        }
    }
}

fn assert_mismatch(event: Event) {
    assert_eq!((event.event, event.values), (ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, vec![MISMATCH]));
}

#[test]
fn clients_with_wrong_keys_or_mechanisms_stay_outside() {
    let world = World::new();
    let stranger = world.context.socket(ZMQ_PUSH);
    make_client(&stranger, &Keys::new(), &Keys::new().public);
    let theirs = Watch::new(&world.context, &stranger);
    stranger.connect(&world.endpoint).unwrap();
    let failed = failure(&world.watch);
    assert_eq!((failed.event, failed.values), (ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, vec![CRYPTOGRAPHIC]));
    // The client learns nothing but that the connection has ended.
    assert_eq!(failure(&theirs).event, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
    drop((stranger, theirs));
    world.go_on();

    let world = World::new();
    for plain in [false, true] {
        let other = world.context.socket(ZMQ_PUSH);
        if plain {
            other.set_bytes(ZMQ_PLAIN_USERNAME, b"user").unwrap();
            other.set_bytes(ZMQ_PLAIN_PASSWORD, b"password").unwrap();
        }
        let theirs = Watch::new(&world.context, &other);
        other.connect(&world.endpoint).unwrap();
        assert_mismatch(failure(&theirs));
        assert_mismatch(failure(&world.watch));
        world.watch.wait_for(ZMQ_EVENT_DISCONNECTED);
        world.go_on();
    }
}

#[test]
fn a_handler_decides_by_the_clients_key() {
    for (status, code) in [("200", 0), ("300", 300), ("400", 400), ("500", 500)] {
        let (context, keys, client_keys) = (Context::new(), Keys::new(), Keys::new());
        let handler = context.socket(ZMQ_REP);
        handler.bind(HANDLER).unwrap();
        let (server, client) = (context.socket(ZMQ_DEALER), context.socket(ZMQ_DEALER));
        make_server(&server, &keys);
        server.set_bytes(ZMQ_ZAP_DOMAIN, b"D").unwrap();
        make_client(&client, &client_keys, &keys.public);
        client.set(ZMQ_HANDSHAKE_IVL, SHORT).unwrap();
        let (watch, theirs) = (Watch::new(&context, &server), Watch::new(&context, &client));
        client.connect(&server.bind_tcp()).unwrap();
        let request = handler.recv_all().unwrap();
        assert_eq!(request[2], b"D");
        assert_eq!(request[5..], [b"CURVE".to_vec(), client_keys.public().to_vec()]);
        send_all(&handler, &reply(status)).unwrap();
        if code == 0 {
            client.send(b"hello").unwrap();
            let properties = recv_properties(&server, &["User-Id", "Socket-Type"]);
            assert_eq!(properties, (5, vec![Some("user".to_owned()), Some("DEALER".to_owned())]));
            continue;
        }
        let failed = failure(&watch);
        assert_eq!((failed.event, failed.values), (ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, vec![code]));
        let failed = failure(&theirs);
        if code == 300 {
            // Nobody told it.
            assert_eq!(failed.event, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
        } else {
            assert_eq!((failed.event, failed.values), (ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, vec![code]));
        }
    }
}

#[test]
fn without_a_handler_the_domain_decides_if_it_is_enforced() {
    for (domain, enforced, admitted) in [("", 0, true), ("D", 0, true), ("", 1, true), ("D", 1, false)] {
        let (context, keys) = (Context::new(), Keys::new());
        let (server, client) = (context.socket(ZMQ_DEALER), context.socket(ZMQ_DEALER));
        make_server(&server, &keys);
        if !domain.is_empty() {
            server.set_bytes(ZMQ_ZAP_DOMAIN, domain.as_bytes()).unwrap();
        }
        server.set(ZMQ_ZAP_ENFORCE_DOMAIN, enforced).unwrap();
        make_client(&client, &Keys::new(), &keys.public);
        let watch = Watch::new(&context, &server);
        client.connect(&server.bind_tcp()).unwrap();
        if admitted {
            client.send(b"hello").unwrap();
            assert_eq!(server.recv().as_deref(), Ok(&b"hello"[..]), "{domain} {enforced}");
        } else {
            let failed = failure(&watch);
            let fault = vec![libc::EFAULT as u64];
            assert_eq!((failed.event, failed.values), (ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, fault));
        }
    }
}
