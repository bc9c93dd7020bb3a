//! Binding, connecting and undoing them.

use crate::support::{Context, eventually};
use zmq::ffi::constants::*;

#[test]
fn unbinding_ends_the_connections_that_were_accepted_there() {
    let context = Context::new();
    let (push, pull) = (context.socket(ZMQ_PUSH), context.socket(ZMQ_PULL));
    let endpoint = push.bind_tcp();
    pull.connect(&endpoint).unwrap();
    push.send(b"a").unwrap();
    assert_eq!(pull.recv().unwrap(), b"a");
    push.unbind(&endpoint).unwrap();
    eventually("nowhere to send to", || push.try_send(b"b") == Err(libc::EAGAIN));
    assert_eq!(push.unbind(&endpoint), Err(libc::ENOENT));
}

#[test]
fn what_is_queued_at_an_unbind_still_arrives() {
    let context = Context::new();
    let (push, pull) = (context.socket(ZMQ_PUSH), context.socket(ZMQ_PULL));
    push.set(ZMQ_LINGER, -1).unwrap();
    push.set(ZMQ_SNDHWM, 0).unwrap();
    pull.set(ZMQ_RCVHWM, 1).unwrap();
    let endpoint = push.bind_tcp();
    pull.connect(&endpoint).unwrap();
    let body = vec![7; 50_000];
    for _ in 0..400 {
        push.send(&body).unwrap();
    }
    push.unbind(&endpoint).unwrap();
    for _ in 0..400 {
        assert_eq!(pull.recv().unwrap(), body);
    }
}

#[test]
fn nothing_is_received_by_an_endpoint_that_was_unbound() {
    let context = Context::new();
    for _ in 0..20 {
        let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
        let endpoint = pull.bind_tcp();
        push.set(ZMQ_RECONNECT_IVL, -1).unwrap();
        push.connect(&endpoint).unwrap();
        for body in [b"1", b"2"] {
            push.send(body).unwrap();
        }
        assert_eq!(pull.recv().unwrap(), b"1");
        // What has arrived before is there to be read.
        eventually("arrived", || pull.get(ZMQ_EVENTS).unwrap() & ZMQ_POLLIN != 0);
        pull.unbind(&endpoint).unwrap();
        let _ = push.try_send(b"3");
        assert_eq!(pull.recv().unwrap(), b"2");
        pull.set(ZMQ_RCVTIMEO, 20).unwrap();
        assert_eq!(pull.recv(), Err(libc::EAGAIN));
    }
}
