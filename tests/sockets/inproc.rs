//! The transport inproc.

use crate::support::{Context, eventually};
use zmq::ffi::constants::*;

#[test]
fn a_socket_that_binds_subscribes_at_once_at_those_that_connected_before() {
    let context = Context::new();
    let publisher = context.socket(ZMQ_PUB);
    publisher.connect("inproc://a").unwrap();
    let subscriber = context.socket(ZMQ_SUB);
    subscriber.set_bytes(ZMQ_SUBSCRIBE, b"").unwrap();
    subscriber.bind("inproc://a").unwrap();
    publisher.send(b"news").unwrap();
    assert_eq!(subscriber.try_recv().unwrap(), b"news");
}

#[test]
fn a_changed_mark_counts_for_pipes_that_were_made_by_a_late_bind() {
    let context = Context::new();
    let (push, pull) = (context.socket(ZMQ_PUSH), context.socket(ZMQ_PULL));
    pull.set(ZMQ_RCVHWM, 1).unwrap();
    push.set(ZMQ_SNDHWM, 1).unwrap();
    pull.connect("inproc://a").unwrap();
    push.bind("inproc://a").unwrap();
    push.set(ZMQ_SNDHWM, 5).unwrap();
    assert_eq!(push.fill(100), 6);
}

#[test]
fn a_mark_lowered_on_a_full_pipe_counts_when_that_was_read() {
    let context = Context::new();
    let (push, pull) = (context.socket(ZMQ_PUSH), context.socket(ZMQ_PULL));
    pull.set(ZMQ_RCVHWM, 1).unwrap();
    push.set(ZMQ_SNDHWM, 100).unwrap();
    push.bind("inproc://a").unwrap();
    pull.connect("inproc://a").unwrap();
    assert_eq!(push.fill(1000), 101);
    push.set(ZMQ_SNDHWM, 70).unwrap();
    assert_eq!(push.fill(1000), 0);
    let mut read = 0;
    while pull.try_recv().is_ok() {
        read += 1;
    }
    assert_eq!(read, 101);
    // As many as were read since room was granted last are still counted.
    let room = push.fill(1000);
    assert!((8..=71).contains(&room), "{room}");
}

#[test]
fn the_bound_peer_of_a_closed_socket_loses_its_pipe() {
    let context = Context::new();
    let router = context.socket(ZMQ_ROUTER);
    router.set(ZMQ_ROUTER_MANDATORY, 1).unwrap();
    router.bind("inproc://a").unwrap();
    let dealer = context.socket(ZMQ_DEALER);
    dealer.set_bytes(ZMQ_ROUTING_ID, b"d").unwrap();
    dealer.connect("inproc://a").unwrap();
    router.send_more(b"d").unwrap();
    router.send(b"x").unwrap();
    drop(dealer);
    eventually("unreachable", || router.try_send_more(b"d") == Err(libc::EHOSTUNREACH));
}

#[test]
fn a_message_whose_peer_goes_midway_is_dropped() {
    let context = Context::new();
    for waits in [false, true] {
        let push = context.socket(ZMQ_PUSH);
        push.bind("inproc://midway").unwrap();
        let pull = context.socket(ZMQ_PULL);
        pull.connect("inproc://midway").unwrap();
        push.send_more(b"a").unwrap();
        drop(pull);
        let rest = if waits { push.send(b"b") } else { push.try_send(b"b") };
        assert_eq!(rest, Ok(1));
        // It is over, and what comes next is a message of its own.
        let pull = context.socket(ZMQ_PULL);
        pull.connect("inproc://midway").unwrap();
        push.send(b"c").unwrap();
        assert_eq!(pull.recv_all().unwrap(), [b"c"]);
    }
}

#[test]
fn a_sender_that_waits_notices_a_new_peer_and_one_that_reads() {
    let context = Context::new();
    let push = context.socket(ZMQ_PUSH);
    push.set(ZMQ_SNDHWM, 1).unwrap();
    push.bind("inproc://waits").unwrap();
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| (0..100).all(|_| push.send(b"x").is_ok()));
        for _ in 0..10 {
            let pull = context.socket(ZMQ_PULL);
            pull.set(ZMQ_RCVHWM, 1).unwrap();
            pull.connect("inproc://waits").unwrap();
            for _ in 0..5 {
                pull.recv().unwrap();
            }
        }
        let pull = context.socket(ZMQ_PULL);
        pull.set(ZMQ_RCVHWM, 0).unwrap();
        pull.connect("inproc://waits").unwrap();
        assert!(sender.join().unwrap());
    });
}

#[test]
fn a_name_is_free_when_its_socket_is_closed() {
    let context = Context::new();
    for _ in 0..200 {
        let socket = context.socket(ZMQ_PAIR);
        socket.bind("inproc://name").unwrap();
        socket.close().unwrap();
    }
}

#[test]
fn a_rep_answers_two_peers_of_one_routing_id() {
    let context = Context::new();
    let rep = context.socket(ZMQ_REP);
    rep.bind("inproc://rep").unwrap();
    let peers = [context.socket(ZMQ_REQ), context.socket(ZMQ_REQ)];
    for (peer, request) in peers.iter().zip([b"1", b"2"]) {
        peer.set_bytes(ZMQ_ROUTING_ID, b"same").unwrap();
        peer.connect("inproc://rep").unwrap();
        peer.send(request).unwrap();
    }
    for _ in &peers {
        let request = rep.recv().unwrap();
        rep.send(&request).unwrap();
    }
    for (peer, request) in peers.iter().zip([b"1", b"2"]) {
        assert_eq!(peer.recv().unwrap(), request);
    }
}
