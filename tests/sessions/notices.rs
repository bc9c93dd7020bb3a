//! Messages of the engine's own: who came, who went, who is back; and what goes out on a new connection.

use crate::peer::{Peer, frame, listen};
use crate::support::Context;
use zmq::ffi::constants::*;

#[test]
fn every_connection_begins_with_the_hello_message() {
    let context = Context::new();
    let client = context.socket(ZMQ_DEALER);
    client.set_bytes(ZMQ_HELLO_MSG, b"hello").unwrap();
    client.set_bytes(ZMQ_HICCUP_MSG, b"hiccup").unwrap();
    client.set(ZMQ_RECONNECT_IVL, 1).unwrap();
    let (listener, endpoint) = listen();
    client.connect(&endpoint).unwrap();
    client.send(b"1").unwrap();
    for message in [b"1", b"2", b"3"] {
        let mut peer = Peer::accept(&listener);
        peer.shake_hands("DEALER");
        assert_eq!(peer.recv_frame().1, b"hello");
        assert_eq!(peer.recv_frame().1, message);
        drop(peer);
        assert_eq!(client.recv().unwrap(), b"hiccup");
        client.send(&[message[0] + 1]).unwrap();
    }
}

#[test]
fn a_router_is_told_who_comes_and_goes() {
    let context = Context::new();
    let router = context.socket(ZMQ_ROUTER);
    router.set(ZMQ_ROUTER_NOTIFY, ZMQ_NOTIFY_CONNECT | ZMQ_NOTIFY_DISCONNECT).unwrap();
    router.set_bytes(ZMQ_DISCONNECT_MSG, b"gone").unwrap();
    let endpoint = router.bind_tcp();
    // Who doesn't get through the handshake was never there.
    Peer::connect(&endpoint).send(b"GET / HTTP/1.1\r\n\r\n");
    let mut peer = Peer::connect(&endpoint);
    peer.shake_hands("DEALER");
    let came = router.recv_all().unwrap();
    assert_eq!((came.len(), &came[1][..]), (2, &b""[..]));
    // Half a message is dropped.
    peer.send(&[frame(0, b"whole"), frame(1, b"half")].concat());
    drop(peer);
    for expected in [&b"whole"[..], b"", b"gone"] {
        assert_eq!(router.recv_all().unwrap(), [&came[0][..], expected]);
    }
    assert_eq!(router.try_recv(), Err(libc::EAGAIN));
}

#[test]
fn raw_connections_are_told_of_and_ended_by_empty_messages() {
    let context = Context::new();
    let stream = context.socket(ZMQ_STREAM);
    let endpoint = stream.bind_tcp();
    let mut peer = Peer::connect(&endpoint);
    let came = stream.recv_all().unwrap();
    assert_eq!((came[0].len(), &came[1][..]), (5, &b""[..]));
    peer.send(b"raw");
    assert_eq!(stream.recv_all().unwrap(), [&came[0][..], b"raw"]);
    stream.send_more(&came[0]).unwrap();
    stream.send(b"answer").unwrap();
    assert_eq!(peer.recv(6), b"answer");
    stream.send_more(&came[0]).unwrap();
    stream.send(b"").unwrap();
    peer.expect_end();

    stream.set(ZMQ_STREAM_NOTIFY, 0).unwrap();
    let mut quiet = Peer::connect(&stream.bind_tcp());
    quiet.send(b"only this");
    assert_eq!(stream.recv_all().unwrap()[1], b"only this");
    drop(quiet);
    let peer = Peer::connect(&endpoint);
    let came = stream.recv_all().unwrap();
    assert_eq!(came[1], b"");
    drop(peer);
    assert_eq!(stream.recv_all().unwrap(), came);
}

#[test]
fn a_raw_connection_goes_by_the_name_it_was_given_and_comes_back() {
    let context = Context::new();
    let stream = context.socket(ZMQ_STREAM);
    stream.set(ZMQ_RECONNECT_IVL, 1).unwrap();
    stream.set_bytes(ZMQ_CONNECT_ROUTING_ID, b"service").unwrap();
    let (listener, endpoint) = listen();
    stream.connect(&endpoint).unwrap();
    for _ in 0..3 {
        let mut peer = Peer::accept(&listener);
        assert_eq!(stream.recv_all().unwrap(), [&b"service"[..], b""]);
        stream.send_more(b"service").unwrap();
        stream.send(b"question").unwrap();
        assert_eq!(peer.recv(8), b"question");
        drop(peer);
        assert_eq!(stream.recv_all().unwrap(), [&b"service"[..], b""]);
    }
    let mut peer = Peer::accept(&listener);
    assert_eq!(stream.recv_all().unwrap(), [&b"service"[..], b""]);
    stream.send_more(b"service").unwrap();
    stream.send(b"").unwrap();
    peer.expect_end();
    assert_eq!(stream.send_more(b"service"), Err(libc::EHOSTUNREACH));
    assert_eq!(stream.disconnect(&endpoint), Ok(0));
}

#[test]
fn a_new_connection_gets_every_subscription_once() {
    let context = Context::new();
    let sub = context.socket(ZMQ_SUB);
    sub.set(ZMQ_RECONNECT_IVL, 1).unwrap();
    sub.set_bytes(ZMQ_SUBSCRIBE, b"a").unwrap();
    let (listener, endpoint) = listen();
    sub.connect(&endpoint).unwrap();
    let mut peer = Peer::accept(&listener);
    peer.shake_hands("PUB");
    assert_eq!(peer.recv_frame(), (4, b"\x09SUBSCRIBEa".to_vec()));
    drop(peer);
    let mut peer = Peer::accept(&listener);
    sub.set_bytes(ZMQ_SUBSCRIBE, b"b").unwrap();
    peer.shake_hands("PUB");
    assert_eq!(peer.recv_frame(), (4, b"\x09SUBSCRIBEa".to_vec()));
    assert_eq!(peer.recv_frame(), (4, b"\x09SUBSCRIBEb".to_vec()));
    peer.send(&[frame(0, b"c"), frame(0, b"bx")].concat());
    assert_eq!(sub.recv().unwrap(), b"bx");
}
