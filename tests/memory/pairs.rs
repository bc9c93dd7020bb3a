//! The pairs of sockets that come and go.

use crate::certificates::Identity;
use crate::support::{Context, Socket};
use crate::{Usage, turns};
use std::ffi::CString;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use zmq::ffi::constants::*;
use zmq::ffi::socket::{zmq_join, zmq_msg_send};
use zmq::ffi::util::zmq_curve_keypair;
use zmq::message::Message;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Transport {
    Inproc,
    Tcp,
    Ipc,
    Ws,
    Wss,
    Udp,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Security {
    /// NULL.
    None,
    /// NULL, and the ZAP handler is asked.
    Asked,
    Plain,
    /// PLAIN, and the handler says no.
    Denied,
    Curve,
    /// CURVE, and the handler is asked.
    CurveAsked,
    /// CURVE, and the client has a wrong idea of the server's key.
    WrongKey,
}

impl Security {
    fn asks(self) -> bool {
        matches!(self, Self::Asked | Self::Plain | Self::Denied | Self::CurveAsked)
    }

    fn lets_in(self) -> bool {
        !matches!(self, Self::Denied | Self::WrongKey)
    }
}

/// The types, the one that binds first.
const KINDS: [(i32, i32); 14] = [
    (ZMQ_PAIR, ZMQ_PAIR),
    (ZMQ_PUB, ZMQ_SUB),
    (ZMQ_SUB, ZMQ_PUB),
    (ZMQ_XPUB, ZMQ_XSUB),
    (ZMQ_REP, ZMQ_REQ),
    (ZMQ_ROUTER, ZMQ_DEALER),
    (ZMQ_PULL, ZMQ_PUSH),
    (ZMQ_SERVER, ZMQ_CLIENT),
    (ZMQ_DISH, ZMQ_RADIO),
    (ZMQ_RADIO, ZMQ_DISH),
    (ZMQ_GATHER, ZMQ_SCATTER),
    (ZMQ_PEER, ZMQ_PEER),
    (ZMQ_CHANNEL, ZMQ_CHANNEL),
    (ZMQ_STREAM, ZMQ_STREAM),
];

fn keys() -> ([u8; 41], [u8; 41]) {
    let (mut public, mut secret) = ([0_u8; 41], [0_u8; 41]);
    // SAFETY: room for 41 characters each.
    let code = unsafe { zmq_curve_keypair(public.as_mut_ptr().cast(), secret.as_mut_ptr().cast()) };
    assert_eq!(code, 0);
    (public, secret)
}

/// One thing that comes and goes.
struct Pair {
    transport: Transport,
    security: Security,
    kinds: (i32, i32),
    server: ([u8; 41], [u8; 41]),
    client: ([u8; 41], [u8; 41]),
    identity: Option<Identity>,
}

impl Pair {
    fn new(transport: Transport, security: Security, kinds: (i32, i32)) -> Self {
        let identity = (transport == Transport::Wss).then(Identity::new);
        Self { transport, security, kinds, server: keys(), client: keys(), identity }
    }

    fn bind(&self, socket: &Socket) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let endpoint = match self.transport {
            Transport::Inproc => format!("inproc://{number}"),
            Transport::Ipc => format!("ipc://@ferrozmq-memory-{}-{number}", std::process::id()),
            Transport::Tcp => "tcp://127.0.0.1:*".to_owned(),
            Transport::Ws => "ws://127.0.0.1:*".to_owned(),
            Transport::Wss => "wss://127.0.0.1:*".to_owned(),
            Transport::Udp => {
                // Each process has a loopback address of its own here.
                let [_, high, middle, low] = std::process::id().to_be_bytes();
                let endpoint =
                    format!("udp://127.{}.{middle}.{low}:{}", 128 | high, 10_000 + number % 50_000);
                socket.bind(&endpoint).expect("it is free");
                return endpoint;
            }
        };
        socket.bind(&endpoint).expect("a name of its own");
        socket.last_endpoint()
    }

    /// Gives the two what the mechanism and the transport need.
    fn prepare(&self, server: &Socket, client: &Socket) {
        if self.security.asks() {
            server.set_bytes(ZMQ_ZAP_DOMAIN, b"domain").expect("a domain");
        }
        match self.security {
            Security::None | Security::Asked => {}
            Security::Plain | Security::Denied => {
                server.set(ZMQ_PLAIN_SERVER, 1).expect("an int");
                client.set_bytes(ZMQ_PLAIN_USERNAME, b"name").expect("a name");
                client.set_bytes(ZMQ_PLAIN_PASSWORD, b"word").expect("a word");
            }
            Security::Curve | Security::CurveAsked | Security::WrongKey => {
                server.set(ZMQ_CURVE_SERVER, 1).expect("an int");
                server.set_bytes(ZMQ_CURVE_SECRETKEY, &self.server.1).expect("a key");
                let known = if self.security == Security::WrongKey { &self.client.0 } else { &self.server.0 };
                client.set_bytes(ZMQ_CURVE_SERVERKEY, known).expect("a key");
                client.set_bytes(ZMQ_CURVE_PUBLICKEY, &self.client.0).expect("a key");
                client.set_bytes(ZMQ_CURVE_SECRETKEY, &self.client.1).expect("a key");
            }
        }
        if let Some(identity) = &self.identity {
            identity.give(server);
            identity.trust(client);
        }
        for socket in [server, client] {
            socket.set(ZMQ_RECONNECT_IVL, 1).expect("an int");
        }
    }

    /// They come, talk, and go.
    fn turn(&self, context: &Context) {
        let (server, client) = (context.socket(self.kinds.0), context.socket(self.kinds.1));
        self.prepare(&server, &client);
        for (socket, kind) in [(&server, self.kinds.0), (&client, self.kinds.1)] {
            match kind {
                ZMQ_SUB => drop(socket.set_bytes(ZMQ_SUBSCRIBE, b"").expect("a subscription")),
                ZMQ_DISH => join(socket),
                _ => {}
            }
        }
        let endpoint = self.bind(&server);
        if self.security == Security::WrongKey || self.security == Security::Denied {
            let monitor = watch(context, &server);
            client.connect(&endpoint).expect("it is bound");
            refused(&monitor);
            return;
        }
        if self.kinds == (ZMQ_DGRAM, ZMQ_DGRAM) {
            self.bind(&client);
            client.send_more(endpoint.trim_start_matches("udp://").as_bytes()).expect("an address");
            client.send(b"hello").expect("room");
            // The loopback interface loses nothing.
            assert_eq!(server.recv_all().expect("a datagram")[1], b"hello");
            return;
        }
        if self.kinds == (ZMQ_PEER, ZMQ_PEER) {
            let id = client.connect_peer(&endpoint).expect("a peer");
            client.send_to(id, b"hello").expect("it is connected");
        } else {
            client.connect(&endpoint).expect("it is bound");
        }
        talk(self.kinds, &server, &client);
    }
}

fn watch(context: &Context, socket: &Socket) -> Socket {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let endpoint = format!("inproc://monitor-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let address = CString::new(endpoint.clone()).expect("no zero byte");
    // SAFETY: a socket, and a C string.
    let code = unsafe {
        zmq::ffi::monitor::zmq_socket_monitor(
            socket.handle(),
            address.as_ptr(),
            ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
                | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
                | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
        )
    };
    assert_eq!(code, 0);
    let monitor = context.socket(ZMQ_PAIR);
    monitor.connect(&endpoint).expect("it is bound");
    monitor
}

fn refused(monitor: &Socket) {
    assert_eq!(monitor.recv_all().expect("an event").len(), 2);
}

fn join(socket: &Socket) {
    let group = CString::new("group").expect("no zero byte");
    // SAFETY: a socket, and a C string.
    assert_eq!(unsafe { zmq_join(socket.handle(), group.as_ptr()) }, 0);
}

/// Sends to the group.
fn radiate(socket: &Socket) {
    let mut message = Message::from_slice(b"hello").expect("memory");
    message.set_group(b"group").expect("a group");
    // SAFETY: a message of our own.
    assert_eq!(unsafe { zmq_msg_send(&mut message, socket.handle(), 0) }, 5);
}

/// Publishes until it is heard.
fn until_heard(publish: impl Fn(), hearer: &Socket) {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        publish();
        match hearer.try_recv() {
            Ok(_) => return,
            Err(error) => assert_eq!(error, libc::EAGAIN),
        }
        assert!(Instant::now() < end, "nobody hears");
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// A message from one to the other, so that all of a connection is there.
fn talk(kinds: (i32, i32), server: &Socket, client: &Socket) {
    let large = [7; 40_000];
    match kinds {
        (ZMQ_PUB, _) => until_heard(|| assert_eq!(server.send(&large), Ok(40_000)), client),
        (_, ZMQ_PUB) => until_heard(|| assert_eq!(client.send(&large), Ok(40_000)), server),
        (ZMQ_RADIO, _) => until_heard(|| radiate(server), client),
        (_, ZMQ_RADIO) => until_heard(|| radiate(client), server),
        (ZMQ_XPUB, _) => {
            client.send(b"\x01").expect("room");
            assert_eq!(server.recv().expect("a subscription"), b"\x01");
            server.send(b"hello").expect("room");
            assert_eq!(client.recv().expect("a message"), b"hello");
        }
        (ZMQ_REP, _) => {
            client.send(&large).expect("room");
            assert_eq!(server.recv().expect("a request").len(), large.len());
            server.send(b"hello").expect("room");
            assert_eq!(client.recv().expect("a reply"), b"hello");
        }
        (ZMQ_STREAM, _) => {
            let id = client.recv().expect("the peer's name");
            assert_eq!(client.recv().expect("that it is connected"), b"");
            client.send_more(&id).expect("it is there");
            client.send(b"hello").expect("room");
            while server.recv_all().expect("bytes")[1] != b"hello" {}
        }
        (ZMQ_PEER, _) => assert_eq!(server.recv().expect("a message"), b"hello"),
        _ => {
            client.send(&large).expect("room");
            // A ROUTER gives the name first.
            assert!(!server.recv().expect("a message").is_empty());
        }
    }
}

/// Answers everybody, until the context ends.
fn authenticate(handler: &Socket, status: &str) {
    while let Ok(request) = handler.recv_all() {
        let parts = [&request[0][..], &request[1], status.as_bytes(), b"", b"user"];
        if parts.into_iter().try_for_each(|part| handler.send_more(part).map(drop)).is_err() {
            return;
        }
        let _ = handler.send(b"");
    }
}

/// Ends the context for all its sockets, so that a test that fails doesn't wait for its other threads.
struct Ending<'a>(&'a Context);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.shutdown();
    }
}

/// So many turns in one context.
fn live(pair: &Pair, turns: usize) {
    let context = Context::new();
    std::thread::scope(|scope| {
        let _ending = Ending(&context);
        if pair.security.asks() {
            let handler = context.socket(ZMQ_REP);
            handler.set(ZMQ_RCVTIMEO, -1).expect("an int");
            handler.bind("inproc://zeromq.zap.01").expect("the only one");
            let status = if pair.security.lets_in() { "200" } else { "400" };
            scope.spawn(move || authenticate(&handler, status));
        }
        for _ in 0..turns {
            pair.turn(&context);
        }
    });
}

fn check_pair(pair: &Pair) {
    let name = format!("{:?} {:?} {:?}", pair.kinds, pair.transport, pair.security);
    check(&name, |turns| live(pair, turns));
}

/// It comes and goes, most often within one context, sometimes with it.
fn check(name: &str, live: impl Fn(usize)) {
    let turns = turns();
    // Whatever is kept for use again is there after this.
    live(20);
    let before = Usage::now();
    live(turns / 2);
    (0..10).for_each(|_| live(turns / 20));
    let growth = Usage::now().since(before);
    println!("{name}: {growth:?}");
    // Tables and pools that grow once are far below one block a turn.
    assert!(growth.blocks < 40 + turns as isize / 10, "{name}: {growth:?}");
    assert!(growth.bytes < 2_000_000, "{name}: {growth:?}");
    assert!(growth.resident < 6_000_000, "{name}: {growth:?}");
    assert!(growth.descriptors <= 0, "{name}: {growth:?}");
}

/// Closed by the receiver in the middle of a stream that is decoded a part at a time.
fn cut_off(context: &Context) {
    let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
    for socket in [&pull, &push] {
        socket.set(ZMQ_SNDHWM, 0).expect("an int");
        socket.set(ZMQ_RCVHWM, 0).expect("an int");
    }
    push.connect(&pull.bind_tcp()).expect("it is bound");
    for _ in 0..8 {
        (0..1000).for_each(|_| assert_eq!(push.send(b"hello"), Ok(5)));
        assert_eq!(pull.recv().as_deref(), Ok(&b"hello"[..]));
    }
}

/// All in one test: what others do meanwhile would be counted as well.
#[test]
fn nothing_is_left_of_what_was_closed() {
    check("a stream that is cut off", |turns| {
        let context = Context::new();
        (0..turns).for_each(|_| cut_off(&context));
    });
    every_pair();
}

fn every_pair() {
    for kinds in KINDS {
        for transport in [Transport::Tcp, Transport::Ws] {
            if kinds.0 != ZMQ_STREAM || transport == Transport::Tcp {
                check_pair(&Pair::new(transport, Security::None, kinds));
            }
        }
        if kinds.0 != ZMQ_STREAM {
            check_pair(&Pair::new(Transport::Inproc, Security::None, kinds));
        }
    }
    for kinds in [(ZMQ_DISH, ZMQ_RADIO), (ZMQ_DGRAM, ZMQ_DGRAM)] {
        check_pair(&Pair::new(Transport::Udp, Security::None, kinds));
    }
    let all = [
        Security::None,
        Security::Asked,
        Security::Plain,
        Security::Denied,
        Security::Curve,
        Security::CurveAsked,
        Security::WrongKey,
    ];
    for transport in [Transport::Tcp, Transport::Ipc, Transport::Ws, Transport::Wss] {
        for security in all {
            check_pair(&Pair::new(transport, security, (ZMQ_ROUTER, ZMQ_DEALER)));
        }
    }
}
