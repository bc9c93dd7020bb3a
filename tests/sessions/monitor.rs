//! `zmq_socket_monitor`(3): which events come, in which order, with which values.

use crate::peer::{Peer, greeting, listen, nowhere};
use crate::support::Context;
use crate::watch::{Watch, fresh_name, monitor, monitor_v1};
use zmq::ffi::constants::*;
use zmq::ffi::monitor::zmq_socket_monitor_pipes_stats;

#[test]
fn a_connection_from_its_beginning_to_its_end() {
    let context = Context::new();
    let (server, client) = (context.socket(ZMQ_DEALER), context.socket(ZMQ_DEALER));
    let (servers, clients) = (Watch::new(&context, &server), Watch::new(&context, &client));
    let endpoint = server.bind_tcp();
    client.connect(&endpoint).unwrap();

    let listening = servers.next();
    assert_eq!(
        (listening.event, &listening.local[..], &listening.remote[..]),
        (ZMQ_EVENT_LISTENING, &endpoint[..], "")
    );
    let accepted = servers.next();
    assert_eq!((accepted.event, &accepted.local[..]), (ZMQ_EVENT_ACCEPTED, &endpoint[..]));
    let delayed = clients.next();
    assert_eq!(
        (delayed.event, &delayed.values[..]),
        (ZMQ_EVENT_CONNECT_DELAYED, &[libc::EINPROGRESS as u64][..])
    );
    assert_eq!((&delayed.local[..], &delayed.remote[..]), ("", &endpoint[..]));
    let connected = clients.next();
    assert_eq!((connected.event, &connected.remote[..]), (ZMQ_EVENT_CONNECTED, &endpoint[..]));
    assert_eq!(connected.local, accepted.remote);
    servers.expect(&[ZMQ_EVENT_HANDSHAKE_SUCCEEDED]);
    clients.expect(&[ZMQ_EVENT_HANDSHAKE_SUCCEEDED]);

    client.close().unwrap();
    clients.expect(&[ZMQ_EVENT_MONITOR_STOPPED]);
    let disconnected = servers.next();
    assert_eq!((disconnected.event, disconnected.values), (ZMQ_EVENT_DISCONNECTED, accepted.values));
    // What closing does is heard before the monitor ends.
    server.close().unwrap();
    servers.expect(&[ZMQ_EVENT_CLOSED, ZMQ_EVENT_MONITOR_STOPPED]);
}

#[test]
fn attempts_that_are_refused() {
    let context = Context::new();
    let client = context.socket(ZMQ_DEALER);
    client.set(ZMQ_RECONNECT_IVL, 10).unwrap();
    client.set(ZMQ_RECONNECT_IVL_MAX, 40).unwrap();
    let watch = Watch::new(&context, &client);
    client.connect(&nowhere()).unwrap();
    for wait in [10, 20, 40, 40] {
        watch.expect(&[ZMQ_EVENT_CONNECT_DELAYED, ZMQ_EVENT_CLOSED]);
        let retried = watch.next();
        assert_eq!((retried.event, retried.values), (ZMQ_EVENT_CONNECT_RETRIED, vec![wait]));
    }
}

#[test]
fn after_a_lost_connection_the_first_interval_comes_first_again() {
    let context = Context::new();
    let client = context.socket(ZMQ_DEALER);
    client.set(ZMQ_RECONNECT_IVL, 10).unwrap();
    client.set(ZMQ_RECONNECT_IVL_MAX, 1000).unwrap();
    let watch = Watch::new(&context, &client);
    let (listener, endpoint) = listen();
    client.connect(&endpoint).unwrap();
    for _ in 0..3 {
        drop(Peer::accept(&listener));
        let retried = watch.wait_for(ZMQ_EVENT_CONNECT_RETRIED);
        // No longer the address of the connection that was lost.
        assert_eq!((&retried.local[..], &retried.values[..]), ("", &[10][..]));
    }
}

#[test]
fn a_bind_that_fails() {
    let context = Context::new();
    let (first, second) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PULL));
    let endpoint = first.bind_tcp();
    let watch = Watch::new(&context, &second);
    assert_eq!(second.bind(&endpoint), Err(libc::EADDRINUSE));
    watch.expect(&[ZMQ_EVENT_CLOSED]);
    let failed = watch.next();
    assert_eq!((failed.event, failed.values), (ZMQ_EVENT_BIND_FAILED, vec![libc::EADDRINUSE as u64]));
    assert_eq!(failed.local, endpoint["tcp://".len()..]);
    // Nothing was opened, so nothing is closed.
    assert_eq!(second.bind("tcp://no-such-interface:*"), Err(libc::ENODEV));
    watch.expect(&[ZMQ_EVENT_BIND_FAILED]);
}

#[test]
fn a_close_that_fails() {
    let context = Context::new();
    let socket = context.socket(ZMQ_PULL);
    let watch = Watch::new(&context, &socket);
    socket.bind("ipc://*").unwrap();
    let endpoint = socket.last_endpoint();
    let file = std::path::Path::new(endpoint.strip_prefix("ipc://").unwrap());
    std::fs::remove_file(file).unwrap();
    socket.unbind(&endpoint).unwrap();
    watch.expect(&[ZMQ_EVENT_LISTENING]);
    let failed = watch.next();
    assert_eq!((failed.event, failed.values), (ZMQ_EVENT_CLOSE_FAILED, vec![libc::ENOENT as u64]));
    assert_eq!(failed.local, endpoint);
    assert!(!file.parent().unwrap().exists());
}

#[test]
fn handshakes_that_fail() {
    let context = Context::new();
    let server = context.socket(ZMQ_DEALER);
    let watch = Watch::new(&context, &server);
    let endpoint = server.bind_tcp();
    watch.expect(&[ZMQ_EVENT_LISTENING]);
    let bad_mechanism = greeting().iter().map(|&byte| if byte == b'N' { b'X' } else { byte }).collect();
    let out_of_turn = [greeting(), b"\x04\x06\x05HELLO".to_vec()].concat();
    for (bytes, code) in [(bad_mechanism, 0x1100_0002), (out_of_turn, 0x1000_0001)] {
        let mut peer = Peer::connect(&endpoint);
        let bytes: Vec<u8> = bytes;
        peer.send(&bytes);
        watch.expect(&[ZMQ_EVENT_ACCEPTED]);
        let failed = watch.next();
        assert_eq!((failed.event, failed.values), (ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, vec![code]));
        watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
    }
    // A peer that goes together with its last bytes is noticed at once.
    Peer::connect(&endpoint).send(&greeting()[..11]);
    watch.expect(&[ZMQ_EVENT_ACCEPTED, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, ZMQ_EVENT_DISCONNECTED]);
    server.set(ZMQ_HANDSHAKE_IVL, 10).unwrap();
    server.unbind(&endpoint).unwrap();
    let _mute = Peer::connect(&server.bind_tcp());
    let failed = watch.wait_for(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
    assert_eq!(failed.values, [libc::EAGAIN as u64]);
    watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
}

#[test]
fn incompatible_types_disconnect_both_sides_for_good() {
    let context = Context::new();
    let (publisher, puller) = (context.socket(ZMQ_PUB), context.socket(ZMQ_PULL));
    let (publishers, pullers) = (Watch::new(&context, &publisher), Watch::new(&context, &puller));
    puller.connect(&publisher.bind_tcp()).unwrap();
    publishers.expect(&[ZMQ_EVENT_LISTENING, ZMQ_EVENT_ACCEPTED, ZMQ_EVENT_DISCONNECTED]);
    pullers.expect(&[ZMQ_EVENT_CONNECT_DELAYED, ZMQ_EVENT_CONNECTED, ZMQ_EVENT_DISCONNECTED]);
    puller.close().unwrap();
    pullers.expect(&[ZMQ_EVENT_MONITOR_STOPPED]);
}

#[test]
fn a_monitor_that_nobody_reads_never_blocks() {
    for (kind, with_reader) in [(ZMQ_PAIR, false), (ZMQ_PAIR, true), (ZMQ_PUSH, false), (ZMQ_PUB, true)] {
        let context = Context::new();
        let socket = context.socket(ZMQ_PULL);
        let name = fresh_name();
        monitor(socket.handle(), Some(&name), 0xffff, 1, kind).unwrap();
        let reader = context.socket(if kind == ZMQ_PAIR { ZMQ_PAIR } else { ZMQ_PULL });
        if with_reader && kind == ZMQ_PAIR {
            reader.connect(&name).unwrap();
        }
        for _ in 0..1500 {
            let endpoint = socket.bind_tcp();
            socket.unbind(&endpoint).unwrap();
        }
        socket.close().unwrap();
        if kind == ZMQ_PAIR && with_reader {
            // Whole events only, the oldest first.
            let first = reader.recv_all().unwrap();
            assert_eq!(
                (first.len(), first[0][..2].to_vec()),
                (2, (ZMQ_EVENT_LISTENING as u16).to_ne_bytes().to_vec())
            );
        }
    }
}

#[test]
fn a_reader_that_comes_late_misses_nothing() {
    let context = Context::new();
    let socket = context.socket(ZMQ_PULL);
    let name = fresh_name();
    monitor_v1(socket.handle(), &name, 0xffff).unwrap();
    let endpoint = socket.bind_tcp();
    let reader = Watch::reader(&context, &name);
    let event = reader.0.recv_all().unwrap();
    assert_eq!(event[0][..2], (ZMQ_EVENT_LISTENING as u16).to_ne_bytes());
    assert_eq!(event[1], endpoint.as_bytes());
}

#[test]
fn a_second_monitor_takes_over() {
    let context = Context::new();
    let socket = context.socket(ZMQ_PULL);
    let first = Watch::new(&context, &socket);
    let second = Watch::new(&context, &socket);
    first.expect(&[ZMQ_EVENT_MONITOR_STOPPED]);
    socket.bind_tcp();
    second.expect(&[ZMQ_EVENT_LISTENING]);
    monitor(socket.handle(), None, 0, 1, ZMQ_PAIR).unwrap();
    second.expect(&[ZMQ_EVENT_MONITOR_STOPPED]);
    // Ending it twice is fine.
    monitor(socket.handle(), None, 0, 1, ZMQ_PAIR).unwrap();
    socket.bind_tcp();
    assert_eq!(second.0.try_recv(), Err(libc::EAGAIN));
}

#[test]
fn what_a_monitor_cannot_be() {
    let context = Context::new();
    let socket = context.socket(ZMQ_DEALER);
    let (handle, name) = (socket.handle(), fresh_name());
    for (endpoint, error) in [
        ("tcp://127.0.0.1:*", libc::EPROTONOSUPPORT),
        ("nonsense://x", libc::EPROTONOSUPPORT),
        ("x", libc::EINVAL),
        ("inproc://", libc::EINVAL),
    ] {
        assert_eq!(monitor(handle, Some(endpoint), 1, 1, ZMQ_PAIR), Err(error), "{endpoint}");
    }
    for kind in [ZMQ_XPUB, ZMQ_DEALER, ZMQ_REQ, ZMQ_STREAM, 99, -1] {
        assert_eq!(monitor(handle, Some(&name), 1, 1, kind), Err(libc::EINVAL), "{kind}");
    }
    assert_eq!(monitor(handle, Some(&name), 0x10000, 1, ZMQ_PAIR), Err(libc::EINVAL));
    assert_eq!(monitor_v1(handle, &name, -1), Err(libc::EINVAL));
    assert_eq!(monitor(std::ptr::null_mut(), Some(&name), 1, 1, ZMQ_PAIR), Err(libc::ENOTSOCK));
    context.socket(ZMQ_PAIR).bind(&name).unwrap();
    let other = context.socket(ZMQ_PAIR);
    let taken = fresh_name();
    other.bind(&taken).unwrap();
    assert_eq!(monitor(handle, Some(&taken), 1, 1, ZMQ_PAIR), Err(libc::EADDRINUSE));
    // SAFETY: a socket's handle.
    let stats = unsafe { zmq_socket_monitor_pipes_stats(handle) };
    assert_eq!((stats, crate::support::errno()), (-1, libc::EINVAL));
}

#[test]
fn statistics_of_pipes() {
    let context = Context::new();
    let (push, pull) = (context.socket(ZMQ_PUSH), context.socket(ZMQ_PULL));
    let (pushes, pulls) = (Watch::new(&context, &push), Watch::new(&context, &pull));
    // SAFETY: a socket's handle.
    let ask = |socket: &crate::support::Socket| unsafe { zmq_socket_monitor_pipes_stats(socket.handle()) };
    assert_eq!((ask(&push), crate::support::errno()), (-1, libc::EAGAIN));
    let endpoint = pull.bind_tcp();
    push.connect(&endpoint).unwrap();
    for _ in 0..10 {
        push.send(b"x").unwrap();
    }
    pull.recv().unwrap();
    assert_eq!(ask(&push), 0);
    let stats = pushes.wait_for(ZMQ_EVENT_PIPES_STATS);
    // What the peer has taken counts until half of the mark was taken, as upstream counts.
    assert_eq!((&stats.values[..], &stats.remote[..]), (&[10, 0][..], &endpoint[..]));
    assert_eq!(ask(&pull), 0);
    let stats = pulls.wait_for(ZMQ_EVENT_PIPES_STATS);
    assert_eq!((stats.values[0], &stats.local[..]), (0, &endpoint[..]));
    assert!((1..=10).contains(&stats.values[1]), "{stats:?}");
}
