//! What goes through: all patterns, encrypted and not, subscriptions, large messages.

use crate::Case;
use crate::middle::Middle;
use crate::support::{Context, Socket, eventually};
use crate::world::{World, ask, serve, usual};
use zmq::ffi::constants::*;

pub const CASES: &[Case] = &[
    ("every_pattern_encrypted", usual, || patterns(false)),
    ("every_pattern_in_plaintext", usual, || patterns(true)),
    ("subscriptions_are_kept", usual, subscriptions_are_kept),
    ("messages_of_any_size_go_both_ways_at_once", usual, messages_of_any_size_go_both_ways_at_once),
    ("what_is_encrypted_cannot_be_read_on_the_way", usual, what_is_encrypted_cannot_be_read_on_the_way),
    ("heartbeats_go_through", usual, heartbeats_go_through),
    ("the_client_may_bind", usual, the_client_may_bind),
    ("hundred_clients_at_once", usual, hundred_clients_at_once),
];

/// Two sockets; the one that binds is the server.
fn pair(context: &Context, types: (i32, i32), endpoint: &str, plaintext: bool) -> (Socket, Socket) {
    let (server, client) = (context.socket(types.0), context.socket(types.1));
    serve(&server, plaintext);
    ask(&client, plaintext);
    server.bind(endpoint).unwrap();
    (server, client)
}

fn patterns(plaintext: bool) {
    let context = Context::new();
    let folder = std::env::temp_dir().join(format!("ferrozmq-gssapi-{}", std::process::id()));
    let ipc = format!("ipc://{}", folder.display());
    for endpoint in ["tcp://127.0.0.1:*", &ipc, "ws://127.0.0.1:*"] {
        let connected = |types| {
            let (server, client) = pair(&context, types, endpoint, plaintext);
            client.connect(&server.last_endpoint()).unwrap();
            (server, client)
        };
        for types in [(ZMQ_PAIR, ZMQ_PAIR), (ZMQ_DEALER, ZMQ_DEALER), (ZMQ_CHANNEL, ZMQ_CHANNEL)] {
            let (server, client) = connected(types);
            client.send(b"to").unwrap();
            assert_eq!(server.recv().as_deref(), Ok(&b"to"[..]));
            server.send(b"back").unwrap();
            assert_eq!(client.recv().as_deref(), Ok(&b"back"[..]));
        }
        let (server, client) = connected((ZMQ_REP, ZMQ_REQ));
        for _ in 0..3 {
            client.send_more(b"question").unwrap();
            client.send(b"?").unwrap();
            assert_eq!(server.recv_all().unwrap(), [&b"question"[..], b"?"]);
            server.send(b"answer").unwrap();
            assert_eq!(client.recv().as_deref(), Ok(&b"answer"[..]));
        }
        let (server, client) = connected((ZMQ_ROUTER, ZMQ_DEALER));
        client.send(b"to").unwrap();
        let message = server.recv_all().unwrap();
        assert_eq!(message[1], b"to");
        server.send_more(&message[0]).unwrap();
        server.send(b"back").unwrap();
        assert_eq!(client.recv().as_deref(), Ok(&b"back"[..]));

        for types in [(ZMQ_PULL, ZMQ_PUSH), (ZMQ_GATHER, ZMQ_SCATTER)] {
            let (server, client) = connected(types);
            for number in 0..100 {
                client.send(&[number]).unwrap();
            }
            for number in 0..100 {
                assert_eq!(server.recv().as_deref(), Ok(&[number][..]));
            }
        }
        for types in [(ZMQ_SERVER, ZMQ_CLIENT), (ZMQ_PEER, ZMQ_PEER)] {
            let (server, client) = pair(&context, types, endpoint, plaintext);
            let to = if types.1 == ZMQ_PEER {
                client.connect_peer(&server.last_endpoint()).unwrap()
            } else {
                client.connect(&server.last_endpoint()).unwrap();
                0
            };
            let send = |body: &[u8]| if to == 0 { client.send(body) } else { client.send_to(to, body) };
            eventually("connected", || send(b"to").is_ok());
            let (from, body) = server.recv_from().unwrap();
            assert_eq!(body, b"to");
            server.send_to(from, b"back").unwrap();
            assert_eq!(client.recv().as_deref(), Ok(&b"back"[..]));
        }
        publish(&context, endpoint, plaintext);
    }
}

/// PUB, XPUB, SUB and XSUB, either of which may be the server.
fn publish(context: &Context, endpoint: &str, plaintext: bool) {
    for (publisher, subscriber) in
        [(ZMQ_PUB, ZMQ_SUB), (ZMQ_XPUB, ZMQ_SUB), (ZMQ_PUB, ZMQ_XSUB), (ZMQ_XPUB, ZMQ_XSUB)]
    {
        for publisher_serves in [true, false] {
            let types = if publisher_serves { (publisher, subscriber) } else { (subscriber, publisher) };
            let (server, client) = pair(context, types, endpoint, plaintext);
            let (publisher, subscriber) =
                if publisher_serves { (&server, &client) } else { (&client, &server) };
            if types.0 == ZMQ_SUB || types.1 == ZMQ_SUB {
                subscriber.set_bytes(ZMQ_SUBSCRIBE, b"news").unwrap();
            }
            client.connect(&server.last_endpoint()).unwrap();
            if types.0 == ZMQ_XSUB || types.1 == ZMQ_XSUB {
                subscriber.send(b"\x01news").unwrap();
            }
            subscriber.set(ZMQ_RCVTIMEO, 10).unwrap();
            eventually("a subscription", || {
                publisher.send(b"other").unwrap();
                publisher.send(b"news!").unwrap();
                subscriber.recv().as_deref() == Ok(b"news!")
            });
        }
    }
}

/// Upstream up to 4.3.5 sends a subscription's topic without a word that it is one, and so loses it (encrypted, that is).
fn subscriptions_are_kept() {
    for plaintext in [false, true] {
        let context = Context::new();
        let (publisher, subscriber) = pair(&context, (ZMQ_XPUB, ZMQ_SUB), "tcp://127.0.0.1:*", plaintext);
        let endpoint = publisher.last_endpoint();
        subscriber.set(ZMQ_RECONNECT_IVL, 10).unwrap();
        // One before there is a connection, and one after that.
        subscriber.set_bytes(ZMQ_SUBSCRIBE, b"before").unwrap();
        subscriber.connect(&endpoint).unwrap();
        assert_eq!(publisher.recv().as_deref(), Ok(&b"\x01before"[..]));
        subscriber.set_bytes(ZMQ_SUBSCRIBE, b"after").unwrap();
        subscriber.set_bytes(ZMQ_SUBSCRIBE, b"").unwrap();
        assert_eq!(publisher.recv().as_deref(), Ok(&b"\x01after"[..]));
        assert_eq!(publisher.recv().as_deref(), Ok(&b"\x01"[..]));
        subscriber.set_bytes(ZMQ_UNSUBSCRIBE, b"").unwrap();
        assert_eq!(publisher.recv().as_deref(), Ok(&b"\0"[..]));
        publisher.send(b"after that").unwrap();
        assert_eq!(subscriber.recv().as_deref(), Ok(&b"after that"[..]));
        // They are told again to a publisher that comes back.
        publisher.close().unwrap();
        let publisher = context.socket(ZMQ_XPUB);
        serve(&publisher, plaintext);
        eventually("bound again", || publisher.bind(&endpoint).is_ok());
        let mut again = Vec::new();
        eventually("two subscriptions", || {
            // A socket does so when its program calls it.
            assert_eq!(subscriber.try_recv(), Err(libc::EAGAIN));
            again.extend(publisher.try_recv());
            again.len() == 2
        });
        again.sort();
        assert_eq!(again, [&b"\x01after"[..], b"\x01before"]);
        publisher.send(b"before all").unwrap();
        assert_eq!(subscriber.recv().as_deref(), Ok(&b"before all"[..]));
    }
}

fn messages_of_any_size_go_both_ways_at_once() {
    for plaintext in [false, true] {
        let world = World::with(plaintext, |_| {});
        let (client, _) = world.client();
        let body = |size: usize| (0..size).map(|at| (at * 7 + size) as u8).collect::<Vec<_>>();
        let sizes = [0, 1, 200, 255, 256, 1000, 8192, 65_535, 300_000, 2_000_000];
        let send = |socket: &Socket| {
            for size in sizes.into_iter().cycle().take(50) {
                socket.send_more(b"size").unwrap();
                socket.send(&body(size)).unwrap();
            }
        };
        let receive = |socket: &Socket| {
            for size in sizes.into_iter().cycle().take(50) {
                assert_eq!(socket.recv().as_deref(), Ok(&b"size"[..]));
                let mut message = zmq::message::Message::new();
                // SAFETY: a message that this function has for itself.
                let len = unsafe { zmq::ffi::socket::zmq_msg_recv(&mut message, socket.handle(), 0) };
                assert_eq!(usize::try_from(len), Ok(size));
                assert!(message.data() == body(size), "{size} bytes");
            }
        };
        let sockets = [&world.server, &client];
        std::thread::scope(|scope| {
            for socket in sockets {
                socket.set(ZMQ_SNDHWM, 0).unwrap();
                socket.set(ZMQ_RCVTIMEO, 20_000).unwrap();
            }
            scope.spawn(|| send(sockets[0]));
            scope.spawn(|| send(sockets[1]));
            scope.spawn(|| receive(sockets[0]));
            scope.spawn(|| receive(sockets[1]));
        });
    }
}

fn what_is_encrypted_cannot_be_read_on_the_way() {
    for plaintext in [false, true] {
        let world = World::with(plaintext, |_| {});
        let middle = Middle::new(&world.endpoint);
        let client = world.context.socket(ZMQ_DEALER);
        ask(&client, plaintext);
        client.set_bytes(ZMQ_ROUTING_ID, b"secret-name").unwrap();
        client.connect(&middle.endpoint).unwrap();
        client.send(b"secret-content").unwrap();
        assert_eq!(world.server.recv().as_deref(), Ok(&b"secret-content"[..]));
        let seen: Vec<u8> = middle.to_server().concat();
        for secret in [&b"secret-name"[..], b"secret-content"] {
            let found = seen.windows(secret.len()).any(|window| window == secret);
            assert_eq!(found, plaintext);
        }
    }
}

fn heartbeats_go_through() {
    for plaintext in [false, true] {
        let world = World::with(plaintext, |server| {
            server.set(ZMQ_HEARTBEAT_IVL, 20).unwrap();
            server.set(ZMQ_HEARTBEAT_TIMEOUT, 2000).unwrap();
        });
        let middle = Middle::new(&world.endpoint);
        let client = world.context.socket(ZMQ_DEALER);
        ask(&client, plaintext);
        client.connect(&middle.endpoint).unwrap();
        client.send(b"x").unwrap();
        world.server.recv().unwrap();
        let before = middle.to_server().len();
        eventually("some PONGs", || middle.to_server().len() > before + 3);
        world.assert_serves(&client);
    }
}

fn the_client_may_bind() {
    let context = Context::new();
    let (client, server) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
    ask(&client, false);
    serve(&server, false);
    server.connect(&client.bind_tcp()).unwrap();
    server.send(b"content").unwrap();
    assert_eq!(client.recv().as_deref(), Ok(&b"content"[..]));
}

fn hundred_clients_at_once() {
    let context = Context::new();
    let server = context.socket(ZMQ_PULL);
    serve(&server, false);
    let endpoint = server.bind_tcp();
    let clients: Vec<Socket> = (0..100)
        .map(|number: u8| {
            let client = context.socket(ZMQ_PUSH);
            ask(&client, false);
            client.connect(&endpoint).unwrap();
            client.send(&[number]).unwrap();
            client
        })
        .collect();
    server.set(ZMQ_RCVTIMEO, 20_000).unwrap();
    let mut numbers: Vec<u8> = clients.iter().map(|_| server.recv().unwrap()[0]).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..100));
}
