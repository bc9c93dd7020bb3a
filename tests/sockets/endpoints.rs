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
