//! What goes over the wire, and what monitors hear of it: as measured on the reference.

use crate::peer::*;
use crate::support::{Context, Socket};
use crate::watch::Watch;
use std::ffi::CStr;
use zmq::ffi::constants::*;
use zmq::ffi::message::{zmq_msg_close, zmq_msg_gets, zmq_msg_init};
use zmq::ffi::socket::zmq_msg_recv;

fn server(context: &Context, kind: i32) -> (Socket, Watch, String) {
    let socket = context.socket(kind);
    socket.bind("ws://127.0.0.1:*").expect("a free port");
    let watch = Watch::new(context, &socket);
    let endpoint = socket.last_endpoint();
    (socket, watch, endpoint)
}

const OPEN: [i32; 3] = [ZMQ_EVENT_ACCEPTED, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, ZMQ_EVENT_HANDSHAKE_SUCCEEDED];

#[test]
fn a_server_of_ours() {
    let context = Context::new();
    let (pull, watch, endpoint) = server(&context, ZMQ_PULL);
    let mut peer = Peer::ready(&endpoint, "PUSH");
    peer.say(&masked(BINARY, b"\0hello"));
    assert_eq!(pull.recv().unwrap(), b"hello");
    watch.expect(&OPEN);
    // A PING is answered without its body, between messages.
    peer.say(&masked(PING, b"abc"));
    assert_eq!(peer.frame(), (PONG, vec![]));
    // What means nothing is let pass.
    for frame in [masked(PONG, b"x"), masked(BINARY, b"\x02\x04PING\0\0"), masked(BINARY, b"\x02junk")] {
        peer.say(&frame);
    }
    peer.say(&masked(BINARY, b"\0after"));
    assert_eq!(pull.recv().unwrap(), b"after");
    // Close is answered with the same, and is the end.
    peer.say(&masked(CLOSE, b"\x03\xe8bye"));
    assert_eq!(peer.frame(), (CLOSE, b"\x03\xe8bye".to_vec()));
    assert!(peer.is_closed());
    watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
}

/// The size of the next part, and the property `Peer-Address`.
fn recv_with_address(socket: &Socket) -> (i32, String) {
    let mut message = std::mem::MaybeUninit::uninit();
    // SAFETY: initialised first, closed last, and used by nobody else. The property is a C string that lives as long.
    unsafe {
        assert_eq!(zmq_msg_init(message.as_mut_ptr()), 0);
        let size = zmq_msg_recv(message.as_mut_ptr(), socket.handle(), 0);
        let address = zmq_msg_gets(message.as_ptr(), c"Peer-Address".as_ptr());
        assert!(!address.is_null());
        let address = CStr::from_ptr(address).to_string_lossy().into_owned();
        zmq_msg_close(message.as_mut_ptr());
        (size, address)
    }
}

#[test]
fn a_server_of_ours_without_a_mechanism() {
    let context = Context::new();
    let (dealer, watch, endpoint) = server(&context, ZMQ_DEALER);
    let mut peer = Peer::upgraded(&endpoint, "ZWS2.0");
    assert_eq!(peer.frame(), (BINARY, b"\0".to_vec()));
    watch.expect(&OPEN[..2]);
    // Messages flow before the peer has said who it is.
    dealer.send(b"early").unwrap();
    assert_eq!(peer.frame(), (BINARY, b"\0early".to_vec()));
    peer.say(&masked(BINARY, b"\0id"));
    // Control frames mean nothing here.
    for frame in [masked(PING, b"abc"), masked(CLOSE, b"\x03\xe8"), masked(BINARY, b"\0hello")] {
        peer.say(&frame);
    }
    assert_eq!(recv_with_address(&dealer), (5, "127.0.0.1".to_owned()));
    dealer.send(b"late").unwrap();
    assert_eq!(peer.frame(), (BINARY, b"\0late".to_vec()));
}

#[test]
fn a_client_of_ours() {
    let context = Context::new();
    let (listener, endpoint) = listen();
    let push = context.socket(ZMQ_PUSH);
    push.set(ZMQ_RECONNECT_IVL, 10).unwrap();
    let watch = Watch::new(&context, &push);
    push.connect(&endpoint).unwrap();
    let mut peer = Peer::accept(&listener);
    let head = peer.grant("ZWS2.0/NULL");
    let key = key_of(&head);
    assert_eq!(
        head,
        format!(
            "GET /path HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: ZWS2.0/NULL,ZWS2.0\r\n\
             Sec-WebSocket-Version: 13\r\n\r\n"
        )
    );
    assert_eq!((key.len(), &key[22..]), (24, "=="));
    assert_eq!(peer.frame(), (BINARY, ready("PUSH")));
    peer.say(&bare(BINARY, &ready("PULL")));
    push.send(b"hello").unwrap();
    assert_eq!(peer.frame(), (BINARY, b"\0hello".to_vec()));
    watch.wait_for(ZMQ_EVENT_CONNECTED);
    watch.expect(&[ZMQ_EVENT_HANDSHAKE_SUCCEEDED, ZMQ_EVENT_HANDSHAKE_SUCCEEDED]);
    peer.say(&bare(CLOSE, b"\x03\xe8"));
    assert_eq!(peer.frame(), (CLOSE, b"\x03\xe8".to_vec()));
    assert!(peer.is_closed());
    watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
    // It comes again, with another key, and takes what it is offered.
    let mut peer = Peer::accept(&listener);
    assert_ne!(key_of(&peer.grant("ZWS2.0")), key);
    assert_eq!(peer.frame(), (BINARY, b"\0".to_vec()));
    push.send(b"plainly").unwrap();
    assert_eq!(peer.frame(), (BINARY, b"\0plainly".to_vec()));
}

#[test]
fn a_client_of_ours_masks_with_a_new_mask_each_time() {
    use std::io::Read;
    let context = Context::new();
    let (listener, endpoint) = listen();
    let push = context.socket(ZMQ_PUSH);
    push.connect(&endpoint).unwrap();
    let mut peer = Peer::accept(&listener);
    peer.grant("ZWS2.0");
    peer.frame();
    let mut masks = std::collections::HashSet::new();
    for _ in 0..500 {
        push.send(b"x").unwrap();
        let mut bytes = [0; 8];
        peer.0.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes[..2], [BINARY, 0x82]);
        masks.insert([bytes[2], bytes[3], bytes[4], bytes[5]]);
    }
    assert!(masks.len() > 490);
}

#[test]
fn heartbeats_are_pings_and_silence_ends_the_connection() {
    let context = Context::new();
    for protocol in ["ZWS2.0/NULL", "ZWS2.0"] {
        let (listener, endpoint) = listen();
        let push = context.socket(ZMQ_PUSH);
        push.set(ZMQ_HEARTBEAT_IVL, 50).unwrap();
        push.set(ZMQ_HEARTBEAT_TTL, 1000).unwrap();
        push.set(ZMQ_HEARTBEAT_TIMEOUT, 300).unwrap();
        let watch = Watch::new(&context, &push);
        push.connect(&endpoint).unwrap();
        let mut peer = Peer::accept(&listener);
        peer.grant(protocol);
        peer.frame();
        peer.say(&bare(BINARY, &if protocol == "ZWS2.0" { b"\0".to_vec() } else { ready("PULL") }));
        for _ in 0..10 {
            assert_eq!(peer.frame(), (PING, vec![]));
            peer.say(&bare(PONG, b""));
        }
        assert_eq!(peer.frame(), (PING, vec![]));
        assert!(peer.is_closed(), "{protocol}");
        watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    }
}

/// Upstream has no limit there, which its manual promises.
#[test]
fn the_handshake_has_its_time_for_the_upgrade_too() {
    let context = Context::new();
    let pull = context.socket(ZMQ_PULL);
    pull.set(ZMQ_HANDSHAKE_IVL, 100).unwrap();
    pull.bind("ws://127.0.0.1:*").unwrap();
    let endpoint = pull.last_endpoint();
    let watch = Watch::new(&context, &pull);
    let mut silent = Peer::dial(&endpoint);
    assert!(silent.is_closed());
    let mut halfway = Peer::dial(&endpoint);
    halfway.say(b"GET / HTTP/1.1\r\n");
    assert!(halfway.is_closed());
    let mut no_ready = Peer::upgraded(&endpoint, "ZWS2.0/NULL");
    assert!(no_ready.is_closed());
    for _ in 0..3 {
        watch.wait_for(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
        watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
    }
    // Without a mechanism the upgrade is all there is.
    let mut peer = Peer::plain(&endpoint, b"");
    std::thread::sleep(std::time::Duration::from_millis(200));
    peer.say(&masked(BINARY, b"\0there"));
    assert_eq!(pull.recv().unwrap(), b"there");
}

#[test]
fn subscriptions_are_messages() {
    let context = Context::new();
    let (listener, endpoint) = listen();
    let sub = context.socket(ZMQ_SUB);
    sub.set_bytes(ZMQ_SUBSCRIBE, b"AB").unwrap();
    sub.connect(&endpoint).unwrap();
    let mut peer = Peer::accept(&listener);
    peer.grant("ZWS2.0/NULL");
    peer.frame();
    peer.say(&bare(BINARY, &ready("PUB")));
    assert_eq!(peer.frame(), (BINARY, b"\0\x01AB".to_vec()));
    sub.set_bytes(ZMQ_UNSUBSCRIBE, b"AB").unwrap();
    assert_eq!(peer.frame(), (BINARY, b"\0\0AB".to_vec()));
}
