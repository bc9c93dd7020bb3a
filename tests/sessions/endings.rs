//! How connections end, and what comes after.

use std::os::fd::AsRawFd;

use crate::peer::{Peer, frame, greeting, listen, nowhere};
use crate::support::{Context, eventually};
use crate::watch::Watch;
use zmq::ffi::constants::*;

#[test]
fn unbinding_ends_the_connections_but_not_what_has_arrived() {
    let context = Context::new();
    let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
    let endpoint = pull.bind_tcp();
    push.set(ZMQ_RECONNECT_IVL, -1).unwrap();
    let watch = Watch::new(&context, &push);
    push.connect(&endpoint).unwrap();
    push.send(b"1").unwrap();
    push.send(b"2").unwrap();
    assert_eq!(pull.recv().unwrap(), b"1");
    eventually("arrived", || pull.get(ZMQ_EVENTS).unwrap() & ZMQ_POLLIN != 0);
    pull.unbind(&endpoint).unwrap();
    watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    assert_eq!(pull.recv().unwrap(), b"2");
}

#[test]
fn without_an_interval_a_lost_connection_is_forgotten() {
    for interval in [-1, 0] {
        let context = Context::new();
        let client = context.socket(ZMQ_DEALER);
        client.set(ZMQ_RECONNECT_IVL, interval).unwrap();
        let (listener, endpoint) = listen();
        client.connect(&endpoint).unwrap();
        Peer::accept(&listener).shake_hands("DEALER");
        eventually("forgotten", || client.try_send(b"x") == Err(libc::EAGAIN));
        assert_eq!(client.disconnect(&endpoint), Err(libc::ENOENT));
        // And can be connected to again.
        client.connect(&endpoint).unwrap();
        Peer::accept(&listener).shake_hands("DEALER");
    }
}

#[test]
fn refusals_end_it_if_the_program_wishes() {
    let context = Context::new();
    let client = context.socket(ZMQ_DEALER);
    client.set(ZMQ_RECONNECT_STOP, ZMQ_RECONNECT_STOP_CONN_REFUSED).unwrap();
    let endpoint = nowhere();
    client.connect(&endpoint).unwrap();
    eventually("the end", || client.try_send(b"x") == Err(libc::EAGAIN));
    assert_eq!(client.disconnect(&endpoint), Err(libc::ENOENT));
}

#[test]
fn a_peer_that_breaks_the_protocol_is_not_connected_to_again() {
    let context = Context::new();
    let client = context.socket(ZMQ_DEALER);
    client.set(ZMQ_RECONNECT_IVL, 1).unwrap();
    let watch = Watch::new(&context, &client);
    let (listener, endpoint) = listen();
    client.connect(&endpoint).unwrap();
    let mut peer = Peer::accept(&listener);
    peer.shake_hands("DEALER");
    peer.send(&[2, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    peer.expect_end();
    eventually("no pipe", || client.try_send(b"x") == Err(libc::EAGAIN));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());
    listener.set_nonblocking(false).unwrap();
    // The program may try again, or forget it.
    client.connect(&endpoint).unwrap();
    Peer::accept(&listener).send(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(client.disconnect(&endpoint), Ok(0));
}

#[test]
fn a_service_that_gets_the_envelope_wrong_is_disconnected() {
    let wrong: [&[u8]; 3] = [b"\x00\x01x", b"\x01\x03abc", b"\x01\x00\x01\x01a\x04\x05\x04PING"];
    for bytes in wrong {
        let context = Context::new();
        let client = context.socket(ZMQ_REQ);
        let (listener, endpoint) = listen();
        client.connect(&endpoint).unwrap();
        let mut peer = Peer::accept(&listener);
        peer.shake_hands("REP");
        // A good reply first, with a command between its frames.
        client.send(b"question").unwrap();
        assert_eq!((peer.recv_frame(), peer.recv_frame().1), ((1, Vec::new()), b"question".to_vec()));
        peer.send(&[frame(1, b""), frame(4, b"\x04PING\0\0"), frame(0, b"answer")].concat());
        assert_eq!(client.recv().unwrap(), b"answer");
        peer.send(bytes);
        peer.0.shutdown(std::net::Shutdown::Write).unwrap();
        peer.expect_end();
    }
}

#[test]
fn an_attempt_that_takes_too_long_is_given_up() {
    // The backlog of a listener that accepts nothing is full at some point; what comes then isn't answered.
    let (listener, endpoint) = listen();
    // SAFETY: a listening socket's descriptor.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let context = Context::new();
    let fillers: Vec<_> = (0..4).map(|_| context.socket(ZMQ_STREAM)).collect();
    for filler in &fillers {
        filler.connect(&endpoint).unwrap();
    }
    let client = context.socket(ZMQ_DEALER);
    client.set(ZMQ_CONNECT_TIMEOUT, 50).unwrap();
    client.set(ZMQ_RECONNECT_IVL, 10).unwrap();
    client.set(ZMQ_RECONNECT_IVL_MAX, 10).unwrap();
    let watch = Watch::new(&context, &client);
    client.connect(&endpoint).unwrap();
    for _ in 0..2 {
        watch.wait_for(ZMQ_EVENT_CONNECT_DELAYED);
        let closed = watch.next();
        if closed.event == ZMQ_EVENT_CONNECTED {
            // It got into the backlog; the next one doesn't.
            watch.wait_for(ZMQ_EVENT_CLOSED);
        } else {
            assert_eq!(closed.event, ZMQ_EVENT_CLOSED);
        }
        watch.expect(&[ZMQ_EVENT_CONNECT_RETRIED]);
    }
}

#[test]
fn a_peer_that_promised_to_be_heard_of_and_is_not() {
    let context = Context::new();
    let server = context.socket(ZMQ_DEALER);
    let watch = Watch::new(&context, &server);
    let mut peer = Peer::connect(&server.bind_tcp());
    peer.shake_hands("DEALER");
    // TTL one tenth of a second, and a context that comes back.
    peer.send(&frame(4, b"\x04PING\0\x01context"));
    assert_eq!(peer.recv_frame(), (4, b"\x04PONGcontext".to_vec()));
    watch.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
    peer.expect_end();
}

#[test]
fn a_peer_that_answers_no_ping_is_given_up_and_one_that_does_is_not() {
    let context = Context::new();
    let server = context.socket(ZMQ_DEALER);
    server.set(ZMQ_HEARTBEAT_IVL, 20).unwrap();
    server.set(ZMQ_HEARTBEAT_TIMEOUT, 60).unwrap();
    let watch = Watch::new(&context, &server);
    let mut peer = Peer::connect(&server.bind_tcp());
    peer.shake_hands("DEALER");
    for _ in 0..6 {
        assert_eq!(peer.recv_frame(), (4, b"\x04PING\0\0".to_vec()));
        peer.send(&frame(4, b"\x04PONG"));
    }
    watch.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    assert_eq!(watch.0.try_recv(), Err(libc::EAGAIN));
    watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
}

#[test]
fn a_peer_that_lingers_in_the_handshake_is_no_peer() {
    let context = Context::new();
    let server = context.socket(ZMQ_PUSH);
    let mut peer = Peer::connect(&server.bind_tcp());
    peer.send(&greeting());
    peer.recv(64);
    assert_eq!(server.try_send(b"x"), Err(libc::EAGAIN));
}
