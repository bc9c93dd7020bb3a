//! Mechanisms over `ws://`.

use crate::support::{Context, Socket};
use std::ffi::c_char;
use zmq::ffi::constants::*;
use zmq::ffi::util::zmq_curve_keypair;

/// A public and a secret key, as Z85 text with its zero.
fn keys() -> ([u8; 41], [u8; 41]) {
    let (mut public, mut secret) = ([0_u8; 41], [0_u8; 41]);
    // SAFETY: room for 41 characters each.
    let code = unsafe { zmq_curve_keypair(public.as_mut_ptr().cast::<c_char>(), secret.as_mut_ptr().cast()) };
    assert_eq!(code, 0);
    (public, secret)
}

fn curve(context: &Context, server: i32, client: i32) -> (Socket, Socket) {
    let ((server_public, server_secret), (public, secret)) = (keys(), keys());
    let (a, b) = (context.socket(server), context.socket(client));
    a.set(ZMQ_CURVE_SERVER, 1).unwrap();
    a.set_bytes(ZMQ_CURVE_SECRETKEY, &server_secret).unwrap();
    b.set_bytes(ZMQ_CURVE_SERVERKEY, &server_public).unwrap();
    b.set_bytes(ZMQ_CURVE_PUBLICKEY, &public).unwrap();
    b.set_bytes(ZMQ_CURVE_SECRETKEY, &secret).unwrap();
    a.bind("ws://127.0.0.1:*").unwrap();
    b.connect(&a.last_endpoint()).unwrap();
    (a, b)
}

#[test]
fn messages_of_all_sizes_are_sealed_and_opened() {
    let context = Context::new();
    let (rep, req) = curve(&context, ZMQ_REP, ZMQ_REQ);
    for size in [0, 1, 33, 34, 90, 91, 92, 93, 94, 255, 1000, 8191, 20_000, 65_400, 65_536] {
        let body: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        req.send_more(b"first").unwrap();
        req.send(&body).unwrap();
        assert!(rep.recv_all().unwrap() == [b"first".to_vec(), body.clone()], "{size}");
        rep.send(&body).unwrap();
        assert!(req.recv().unwrap() == body, "{size}");
    }
}

/// libzmq sends commands where it seals, and would drop them itself.
#[test]
fn subscriptions_arrive_in_either_form() {
    let context = Context::new();
    let (xpub, sub) = curve(&context, ZMQ_XPUB, ZMQ_SUB);
    sub.set_bytes(ZMQ_SUBSCRIBE, b"A").unwrap();
    assert_eq!(xpub.recv().unwrap(), b"\x01A");
    xpub.send(b"A1").unwrap();
    assert_eq!(sub.recv().unwrap(), b"A1");
    sub.set_bytes(ZMQ_UNSUBSCRIBE, b"A").unwrap();
    assert_eq!(xpub.recv().unwrap(), b"\0A");
}

#[test]
fn plain_lets_those_in_who_know_the_word() {
    let context = Context::new();
    let handler = context.socket(ZMQ_REP);
    handler.bind("inproc://zeromq.zap.01").unwrap();
    let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
    pull.set(ZMQ_PLAIN_SERVER, 1).unwrap();
    pull.set_bytes(ZMQ_ZAP_DOMAIN, b"test").unwrap();
    push.set_bytes(ZMQ_PLAIN_USERNAME, b"user").unwrap();
    push.set_bytes(ZMQ_PLAIN_PASSWORD, b"word").unwrap();
    pull.bind("ws://127.0.0.1:*").unwrap();
    push.connect(&pull.last_endpoint()).unwrap();
    let request = handler.recv_all().unwrap();
    assert_eq!(request[5..], [b"PLAIN".to_vec(), b"user".to_vec(), b"word".to_vec()]);
    assert_eq!(request[3], b"127.0.0.1");
    for part in [&b"1.0"[..], &request[1], b"200", b"OK", b"user"] {
        handler.send_more(part).unwrap();
    }
    handler.send(b"").unwrap();
    push.send(b"let in").unwrap();
    assert_eq!(pull.recv().unwrap(), b"let in");
}
