//! CLIENT, SERVER, SCATTER, GATHER and CHANNEL over each transport. PEER has more of its own: see `peer`.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::{Context, Socket, eventually};
use libc::{EAGAIN, EHOSTUNREACH, EINVAL, ENOTSUP};
use zmq::ffi::constants::*;

pub const TRANSPORTS: [&str; 3] = ["inproc", "tcp", "ipc"];
/// Each of these types with what it talks to.
const PAIRS: [(i32, i32); 4] =
    [(ZMQ_SERVER, ZMQ_CLIENT), (ZMQ_GATHER, ZMQ_SCATTER), (ZMQ_CHANNEL, ZMQ_CHANNEL), (ZMQ_PEER, ZMQ_PEER)];

/// Binds to a free address. Which.
pub fn bind(socket: &Socket, transport: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let endpoint = match transport {
        "tcp" => return socket.bind_tcp(),
        "ipc" => format!("ipc://@ferrozmq-draft-{}-{number}", std::process::id()),
        _ => format!("inproc://draft-{number}"),
    };
    socket.bind(&endpoint).unwrap();
    endpoint
}

#[test]
fn a_server_answers_each_client_over_every_transport() {
    let context = Context::new();
    for transport in TRANSPORTS {
        let server = context.socket(ZMQ_SERVER);
        let endpoint = bind(&server, transport);
        let clients = [context.socket(ZMQ_CLIENT), context.socket(ZMQ_CLIENT)];
        for (number, client) in (0..).zip(&clients) {
            client.connect(&endpoint).unwrap();
            client.send(&[number]).unwrap();
        }
        let mut ids = [0; 2];
        for _ in 0..2 {
            let (id, body) = server.recv_from().unwrap();
            ids[usize::from(body[0])] = id;
        }
        assert!(ids[0] != 0 && ids[1] != 0 && ids[0] != ids[1]);
        for (number, client) in (0..).zip(&clients) {
            assert_eq!(server.send_to(ids[usize::from(number)], &[number]), Ok(1));
            // The id means something to the server alone.
            assert_eq!(client.recv_from(), Ok((0, vec![number])));
        }
        assert_eq!(server.send_to(ids[0].wrapping_add(1000).max(1), b"x"), Err(EHOSTUNREACH));
        assert_eq!(server.send(b"without an id"), Err(EHOSTUNREACH));
        clients[0].close().unwrap();
        eventually("unreachable", || server.try_send_to(ids[0], b"x") == Err(EHOSTUNREACH));
        assert_eq!(server.send_to(ids[1], b"still here"), Ok(10));
        assert_eq!(clients[1].recv().unwrap(), b"still here");
    }
}

#[test]
fn a_client_takes_its_servers_in_turn() {
    let context = Context::new();
    let client = context.socket(ZMQ_CLIENT);
    assert_eq!(client.try_send(b"nobody"), Err(EAGAIN));
    let servers = [context.socket(ZMQ_SERVER), context.socket(ZMQ_SERVER)];
    for server in &servers {
        client.connect(&bind(server, "inproc")).unwrap();
    }
    for body in [b"1", b"2", b"3", b"4"] {
        client.send(body).unwrap();
    }
    for (server, bodies) in servers.iter().zip([[b"1", b"3"], [b"2", b"4"]]) {
        for body in bodies {
            assert_eq!(server.try_recv().unwrap(), body);
        }
    }
}

#[test]
fn scatter_spreads_and_gather_collects_over_every_transport() {
    let context = Context::new();
    for transport in TRANSPORTS {
        let scatter = context.socket(ZMQ_SCATTER);
        let endpoint = bind(&scatter, transport);
        let gathers = [context.socket(ZMQ_GATHER), context.socket(ZMQ_GATHER)];
        let mut sent = 0_u32;
        for (number, gather) in gathers.iter().enumerate() {
            gather.connect(&endpoint).unwrap();
            // Each gets its share from its connection on.
            eventually("a share for each", || {
                scatter.send(&sent.to_ne_bytes()).unwrap();
                sent += 1;
                std::thread::sleep(std::time::Duration::from_millis(1));
                number == 0 || gather.try_recv().is_ok()
            });
        }
        assert_eq!(scatter.try_recv(), Err(ENOTSUP));
        assert_eq!(gathers[0].try_send(b"x"), Err(ENOTSUP));
        assert_eq!(gathers[0].try_send_more(b"x"), Err(ENOTSUP));
    }
}

#[test]
fn a_channel_has_one_peer_over_every_transport() {
    let context = Context::new();
    for transport in TRANSPORTS {
        let channel = context.socket(ZMQ_CHANNEL);
        let endpoint = bind(&channel, transport);
        let first = context.socket(ZMQ_CHANNEL);
        first.connect(&endpoint).unwrap();
        first.send(b"hello").unwrap();
        assert_eq!(channel.recv_from(), Ok((0, b"hello".to_vec())));
        let second = context.socket(ZMQ_CHANNEL);
        second.connect(&endpoint).unwrap();
        // Taken where it is queued, but never received.
        let _ = second.try_send(b"from the second");
        channel.send(b"and back").unwrap();
        assert_eq!(first.recv().unwrap(), b"and back");
        first.send(b"once more").unwrap();
        assert_eq!(channel.recv().unwrap(), b"once more");
        assert_eq!(channel.try_recv(), Err(EAGAIN));
        assert_eq!(second.try_recv(), Err(EAGAIN));
    }
}

#[test]
fn parts_are_refused_with_and_without_a_peer() {
    let context = Context::new();
    for (bound, connected) in PAIRS {
        let (bound, connected) = (context.socket(bound), context.socket(connected));
        let refused = |socket: &Socket| {
            let expected = if socket.get(ZMQ_TYPE) == Ok(ZMQ_GATHER) { ENOTSUP } else { EINVAL };
            assert_eq!(socket.send_more(b"x"), Err(expected));
            assert_eq!(socket.try_send_more(b"x"), Err(expected));
        };
        refused(&bound);
        refused(&connected);
        connected.connect(&bind(&bound, "inproc")).unwrap();
        refused(&bound);
        refused(&connected);
    }
}

#[test]
fn messages_of_several_parts_are_not_received() {
    let context = Context::new();
    for kind in [ZMQ_CLIENT, ZMQ_SERVER, ZMQ_GATHER, ZMQ_PEER, ZMQ_CHANNEL] {
        let socket = context.socket(kind);
        // Over inproc nobody looks at the types.
        let dealer = context.socket(ZMQ_DEALER);
        dealer.connect(&bind(&socket, "inproc")).unwrap();
        dealer.send_more(b"1").unwrap();
        dealer.send(b"2").unwrap();
        // Or a poll would tell of a message, and a receive would wait for one.
        assert_eq!(socket.get(ZMQ_EVENTS).unwrap() & ZMQ_POLLIN, 0);
        assert_eq!(socket.try_recv(), Err(EAGAIN));
        for body in [b"3", b"4"] {
            dealer.send_more(b"x").unwrap();
            dealer.send_more(b"y").unwrap();
            dealer.send(b"z").unwrap();
            dealer.send(body).unwrap();
        }
        assert_eq!(socket.recv_all().unwrap(), [b"3"]);
        assert_eq!(socket.get(ZMQ_EVENTS).unwrap() & ZMQ_POLLIN, ZMQ_POLLIN);
        assert_eq!(socket.recv().unwrap(), b"4");
        assert_eq!(socket.try_recv(), Err(EAGAIN));
    }
}

#[test]
fn a_routing_id_goes_along_within_the_process_where_nobody_sets_it() {
    let context = Context::new();
    for (bound, connected, arrives) in
        [(ZMQ_GATHER, ZMQ_SCATTER, true), (ZMQ_CHANNEL, ZMQ_CHANNEL, true), (ZMQ_SERVER, ZMQ_CLIENT, false)]
    {
        let (bound, connected) = (context.socket(bound), context.socket(connected));
        connected.connect(&bind(&bound, "inproc")).unwrap();
        connected.send_to(77, b"x").unwrap();
        let (id, body) = bound.recv_from().unwrap();
        assert_eq!((id == 77, &body[..]), (arrives, &b"x"[..]));
    }
}

#[test]
fn high_water_marks_add_up_within_the_process() {
    let context = Context::new();
    for (bound, connected) in PAIRS {
        let (bound, connected) = (context.socket(bound), context.socket(connected));
        bound.set(ZMQ_RCVHWM, 3).unwrap();
        connected.set(ZMQ_SNDHWM, 4).unwrap();
        let endpoint = bind(&bound, "inproc");
        let to = match connected.connect_peer(&endpoint) {
            Ok(id) => id,
            Err(error) => {
                assert_eq!(error, ENOTSUP);
                connected.connect(&endpoint).unwrap();
                1
            }
        };
        let fill = || (0..100).take_while(|_| connected.try_send_to(to, b"x").is_ok()).count();
        assert_eq!(fill(), 7);
        assert_eq!(connected.try_send_to(to, b"x"), Err(EAGAIN));
        connected.set(ZMQ_SNDTIMEO, 20).unwrap();
        assert_eq!(connected.send_to(to, b"x"), Err(EAGAIN));
        // A PEER may have other peers, whose pipes aren't full.
        let can_write = connected.get(ZMQ_EVENTS).unwrap() & ZMQ_POLLOUT != 0;
        assert_eq!(can_write, connected.get(ZMQ_TYPE) == Ok(ZMQ_PEER));
        for _ in 0..4 {
            bound.recv().unwrap();
        }
        assert_eq!(fill(), 4);
    }
}

#[test]
fn a_sender_to_a_full_peer_waits_until_that_one_reads() {
    let context = Context::new();
    let (server, client) = (context.socket(ZMQ_SERVER), context.socket(ZMQ_CLIENT));
    server.set(ZMQ_SNDHWM, 1).unwrap();
    client.set(ZMQ_RCVHWM, 1).unwrap();
    let endpoint = bind(&server, "inproc");
    let other = context.socket(ZMQ_CLIENT);
    for client in [&client, &other] {
        client.connect(&endpoint).unwrap();
        client.send(b"hello").unwrap();
    }
    let (id, _) = server.recv_from().unwrap();
    let (other_id, _) = server.recv_from().unwrap();
    while server.try_send_to(id, b"x").is_ok() {}
    // Nobody else has to wait.
    server.send_to(other_id, b"y").unwrap();
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| server.send_to(id, b"at last"));
        while client.recv().unwrap() != b"at last" {}
        assert_eq!(sender.join().unwrap(), Ok(7));
    });
}

#[test]
fn who_has_gone_is_unreachable_although_not_all_was_received_from_there() {
    let context = Context::new();
    for transport in TRANSPORTS {
        let (server, client) = (context.socket(ZMQ_SERVER), context.socket(ZMQ_CLIENT));
        client.set(ZMQ_LINGER, -1).unwrap();
        client.connect(&bind(&server, transport)).unwrap();
        client.send(b"1").unwrap();
        let (id, _) = server.recv_from().unwrap();
        client.send(b"2").unwrap();
        client.close().unwrap();
        eventually("unreachable", || server.try_send_to(id, b"x") == Err(EHOSTUNREACH));
        assert_eq!(server.send_to(id, b"x"), Err(EHOSTUNREACH));
        assert_eq!(server.recv_from(), Ok((id, b"2".to_vec())));
        assert_eq!(server.send_to(id, b"x"), Err(EHOSTUNREACH));
    }
}

#[test]
fn thread_safe_sockets_say_so_and_have_no_descriptor() {
    let context = Context::new();
    for kind in [ZMQ_CLIENT, ZMQ_SERVER, ZMQ_GATHER, ZMQ_SCATTER, ZMQ_PEER, ZMQ_CHANNEL] {
        let socket = context.socket(kind);
        assert_eq!(socket.get(ZMQ_THREAD_SAFE), Ok(1));
        assert_eq!(socket.get(ZMQ_FD), Err(EINVAL));
        assert_eq!(socket.get(ZMQ_RCVMORE), Ok(0));
    }
}

#[test]
fn peers_greet_each_other_and_say_when_one_has_gone() {
    let context = Context::new();
    for (bound, connected) in [(ZMQ_SERVER, ZMQ_CLIENT), (ZMQ_PEER, ZMQ_PEER)] {
        for transport in TRANSPORTS {
            let (bound, connected) = (context.socket(bound), context.socket(connected));
            bound.set_bytes(ZMQ_HELLO_MSG, b"hello from the bound one").unwrap();
            bound.set_bytes(ZMQ_DISCONNECT_MSG, b"it has gone").unwrap();
            connected.set_bytes(ZMQ_HELLO_MSG, b"hello from the connected one").unwrap();
            connected.connect(&bind(&bound, transport)).unwrap();
            let (id, hello) = bound.recv_from().unwrap();
            assert_eq!(hello, b"hello from the connected one");
            assert_eq!(connected.recv().unwrap(), b"hello from the bound one");
            connected.close().unwrap();
            assert_eq!(bound.recv_from(), Ok((id, b"it has gone".to_vec())));
            eventually("unreachable", || bound.try_send_to(id, b"x") == Err(EHOSTUNREACH));
        }
    }
}

#[test]
fn who_has_connected_hears_of_a_hiccup_and_goes_on_by_the_same_id() {
    let context = Context::new();
    for transport in ["tcp", "ipc"] {
        let bound = context.socket(ZMQ_PEER);
        let connected = context.socket(ZMQ_PEER);
        connected.set_bytes(ZMQ_HICCUP_MSG, b"hiccup").unwrap();
        connected.set(ZMQ_RECONNECT_IVL, 10).unwrap();
        let endpoint = bind(&bound, transport);
        let id = connected.connect_peer(&endpoint).unwrap();
        connected.send_to(id, b"1").unwrap();
        let (back, _) = bound.recv_from().unwrap();
        bound.close().unwrap();
        assert_eq!(connected.recv_from(), Ok((id, b"hiccup".to_vec())));
        connected.send_to(id, b"2").unwrap();
        let bound = context.socket(ZMQ_PEER);
        eventually("the address is free", || bound.bind(&endpoint).is_ok());
        let (anew, body) = bound.recv_from().unwrap();
        assert_eq!(body, b"2");
        bound.send_to(anew, b"3").unwrap();
        assert_eq!(connected.recv_from(), Ok((id, b"3".to_vec())));
        // The id of a connection that has ended means nothing to another socket.
        assert!(back == anew || bound.send_to(back, b"x") == Err(EHOSTUNREACH));
    }
}
