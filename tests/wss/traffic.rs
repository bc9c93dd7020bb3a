//! What goes through a connection by TLS.

use crate::certificates::{Identity, two};
use crate::support::{Context, PATIENCE, Socket, eventually};
use crate::watch::Watch;
use std::thread;
use zmq::ffi::constants::*;
use zmq::ffi::socket::zmq_recv;
use zmq::ffi::util::zmq_curve_keypair;

/// Bytes that differ from their neighbours.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

/// A message of up to `room` bytes.
fn recv_large(socket: &Socket, room: usize) -> Vec<u8> {
    let mut body = vec![0; room];
    // SAFETY: a buffer of that length.
    let len = unsafe { zmq_recv(socket.handle(), body.as_mut_ptr().cast(), body.len(), 0) };
    body.truncate(usize::try_from(len).expect("a message"));
    body
}

#[test]
fn all_sizes_both_ways() {
    let context = Context::new();
    let (server, client, endpoint) = two(&context, &Identity::new(), ZMQ_PAIR, ZMQ_PAIR);
    client.connect(&endpoint).unwrap();
    // About a record, a batch, the limit of what waits to be written.
    for size in [0, 1, 125, 126, 16_383, 16_384, 16_385, 65_535, 65_536, 70_000, 262_144, 1_000_003] {
        let body = pattern(size);
        client.send(&body).unwrap();
        assert_eq!(recv_large(&server, size + 1), body, "{size}");
        server.send(&body).unwrap();
        assert_eq!(recv_large(&client, size + 1), body, "{size}");
    }
    for parts in [2, 10, 100] {
        for _ in 1..parts {
            client.send_more(b"part").unwrap();
        }
        client.send(b"last").unwrap();
        assert_eq!(server.recv_all().unwrap().len(), parts);
    }
}

/// Neither side can go on writing before the other reads; both do both.
#[test]
fn large_messages_both_ways_at_once() {
    const COUNT: usize = 12;
    const SIZE: usize = 1 << 20;
    let context = Context::new();
    let (server, client, endpoint) = two(&context, &Identity::new(), ZMQ_DEALER, ZMQ_DEALER);
    for socket in [&server, &client] {
        socket.set(ZMQ_SNDHWM, 2).unwrap();
        socket.set(ZMQ_RCVHWM, 2).unwrap();
    }
    client.connect(&endpoint).unwrap();
    let body = pattern(SIZE);
    thread::scope(|scope| {
        for socket in [&server, &client] {
            let body = &body;
            scope.spawn(move || (0..COUNT).for_each(|_| assert_eq!(socket.send(body), Ok(SIZE as i32))));
            scope.spawn(move || (0..COUNT).for_each(|_| assert!(recv_large(socket, SIZE + 1) == *body)));
        }
    });
}

#[test]
fn many_small_messages() {
    const COUNT: u32 = 50_000;
    let context = Context::new();
    let (server, client, endpoint) = two(&context, &Identity::new(), ZMQ_PULL, ZMQ_PUSH);
    client.connect(&endpoint).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| (0..COUNT).for_each(|number| assert!(client.send(&number.to_ne_bytes()).is_ok())));
        for number in 0..COUNT {
            assert_eq!(server.recv().unwrap(), number.to_ne_bytes());
        }
    });
}

/// What was sent before the close is written, also what TLS had taken and the kernel hadn't.
#[test]
fn a_socket_that_is_closed_says_all_it_had_to_say() {
    const COUNT: usize = 60;
    let context = Context::new();
    let (server, client, endpoint) = two(&context, &Identity::new(), ZMQ_PULL, ZMQ_PUSH);
    client.set(ZMQ_LINGER, -1).unwrap();
    client.connect(&endpoint).unwrap();
    let body = pattern(100_000);
    for _ in 0..COUNT {
        client.send(&body).unwrap();
    }
    client.close().unwrap();
    for _ in 0..COUNT {
        assert_eq!(recv_large(&server, body.len() + 1), body);
    }
}

#[test]
fn many_clients_of_one_server() {
    const CLIENTS: usize = 20;
    let context = Context::new();
    let identity = Identity::new();
    let (server, first, endpoint) = two(&context, &identity, ZMQ_REP, ZMQ_REQ);
    first.connect(&endpoint).unwrap();
    let others: Vec<Socket> = (1..CLIENTS)
        .map(|_| {
            let client = context.socket(ZMQ_REQ);
            identity.trust(&client);
            client.connect(&endpoint).unwrap();
            client
        })
        .collect();
    for client in others.iter().chain([&first]) {
        client.send(b"question").unwrap();
    }
    for _ in 0..CLIENTS {
        assert_eq!(server.recv().unwrap(), b"question");
        server.send(b"answer").unwrap();
    }
    for client in others.iter().chain([&first]) {
        assert_eq!(client.recv().unwrap(), b"answer");
    }
}

#[test]
fn published_and_subscribed() {
    let context = Context::new();
    let (server, client, endpoint) = two(&context, &Identity::new(), ZMQ_XPUB, ZMQ_SUB);
    client.set_bytes(ZMQ_SUBSCRIBE, b"a").unwrap();
    client.connect(&endpoint).unwrap();
    assert_eq!(server.recv().unwrap(), b"\x01a");
    server.send(b"b1").unwrap();
    server.send(b"a1").unwrap();
    assert_eq!(client.recv().unwrap(), b"a1");
}

/// Lets in whoever is called so, once.
fn authenticate(handler: &Socket, name: &[u8]) {
    let request = handler.recv_all().expect("a request");
    let status: &[u8] = if request[6] == name { b"200" } else { b"400" };
    for part in [b"1.0", &request[1][..], status, b"", b""] {
        handler.send_more(part).unwrap();
    }
    handler.send(b"").unwrap();
}

#[test]
fn plain_above_tls() {
    let context = Context::new();
    let handler = context.socket(ZMQ_REP);
    handler.bind("inproc://zeromq.zap.01").unwrap();
    let (server, client) = (context.socket(ZMQ_PAIR), context.socket(ZMQ_PAIR));
    let identity = Identity::new();
    identity.give(&server);
    identity.trust(&client);
    server.set(ZMQ_PLAIN_SERVER, 1).unwrap();
    client.set_bytes(ZMQ_PLAIN_USERNAME, b"name").unwrap();
    client.set_bytes(ZMQ_PLAIN_PASSWORD, b"word").unwrap();
    server.bind("wss://127.0.0.1:*/path").unwrap();
    client.connect(&server.last_endpoint()).unwrap();
    authenticate(&handler, b"name");
    client.send(b"let in").unwrap();
    assert_eq!(server.recv().unwrap(), b"let in");
}

/// `zmq_curve_keypair`: the public and the secret key, as text.
fn keys() -> [[u8; 41]; 2] {
    let mut keys = [[0; 41]; 2];
    let [public, secret] = &mut keys;
    // SAFETY: room for 41 bytes each.
    assert_eq!(unsafe { zmq_curve_keypair(public.as_mut_ptr().cast(), secret.as_mut_ptr().cast()) }, 0);
    keys
}

#[test]
fn curve_above_tls() {
    let context = Context::new();
    let (server, client, _) = two(&context, &Identity::new(), ZMQ_PAIR, ZMQ_PAIR);
    let ([server_public, server_secret], [client_public, client_secret]) = (keys(), keys());
    server.set(ZMQ_CURVE_SERVER, 1).unwrap();
    server.set_bytes(ZMQ_CURVE_SECRETKEY, &server_secret).unwrap();
    client.set_bytes(ZMQ_CURVE_SERVERKEY, &server_public).unwrap();
    client.set_bytes(ZMQ_CURVE_PUBLICKEY, &client_public).unwrap();
    client.set_bytes(ZMQ_CURVE_SECRETKEY, &client_secret).unwrap();
    server.bind("wss://127.0.0.1:*/curve").unwrap();
    client.connect(&server.last_endpoint()).unwrap();
    for size in [0, 100, 300_000] {
        let body = pattern(size);
        client.send(&body).unwrap();
        assert_eq!(recv_large(&server, size + 1), body);
        server.send(&body).unwrap();
        assert_eq!(recv_large(&client, size + 1), body);
    }
}

/// A peer that says nothing is found out by heartbeats, and a live one isn't.
#[test]
fn heartbeats_go_through() {
    let context = Context::new();
    let (server, client, endpoint) = two(&context, &Identity::new(), ZMQ_PAIR, ZMQ_PAIR);
    client.set(ZMQ_HEARTBEAT_IVL, 20).unwrap();
    client.set(ZMQ_HEARTBEAT_TIMEOUT, 1000).unwrap();
    let watch = Watch::new(&context, &client);
    client.connect(&endpoint).unwrap();
    watch.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    thread::sleep(PATIENCE / 10);
    client.send(b"still there").unwrap();
    assert_eq!(server.recv().unwrap(), b"still there");
    let events = || watch.0.try_recv();
    while let Ok(part) = events() {
        assert_ne!(part, u64::from(ZMQ_EVENT_DISCONNECTED as u32).to_ne_bytes());
    }
}

/// A server goes away, and another comes at the same place.
#[test]
fn reconnected() {
    let context = Context::new();
    let identity = Identity::new();
    let (server, client, endpoint) = two(&context, &identity, ZMQ_PULL, ZMQ_PUSH);
    client.connect(&endpoint).unwrap();
    client.send(b"one").unwrap();
    assert_eq!(server.recv().unwrap(), b"one");
    server.close().unwrap();
    let server = context.socket(ZMQ_PULL);
    identity.give(&server);
    eventually("the port is free", || server.bind(&endpoint).is_ok());
    // What was sent while the old one was closing may be lost with it.
    eventually("a message at the new one", || {
        let _ = client.try_send(b"two");
        server.try_recv().is_ok()
    });
}
