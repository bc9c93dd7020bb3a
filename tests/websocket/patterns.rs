//! Sockets of each kind over `ws://`.

use crate::peer::{BINARY, Peer, masked};
use crate::support::{Context, Outcome, Socket, errno, eventually};
use std::ffi::CStr;
use zmq::ffi::constants::*;
use zmq::ffi::socket::{zmq_msg_recv, zmq_msg_send};
use zmq::ffi::util::zmq_has;
use zmq::message::Message;

fn send_all(socket: &Socket, parts: &[&[u8]]) -> Outcome<()> {
    let (last, first) = parts.split_last().expect("a part");
    for part in first {
        socket.send_more(part)?;
    }
    socket.send(last).map(drop)
}

/// A message of any size.
fn recv_message(socket: &Socket) -> Outcome<Vec<u8>> {
    let mut message = Message::new();
    // SAFETY: a message and a socket.
    if unsafe { zmq_msg_recv(&mut message, socket.handle(), 0) } < 0 {
        return Err(errno());
    }
    Ok(message.data().to_vec())
}

fn bind(socket: &Socket) -> String {
    socket.bind("ws://127.0.0.1:*/path").expect("a free port");
    socket.last_endpoint()
}

fn pair(context: &Context, binder: i32, connector: i32) -> (Socket, Socket) {
    let (a, b) = (context.socket(binder), context.socket(connector));
    b.connect(&bind(&a)).expect("an endpoint");
    (a, b)
}

#[test]
fn it_is_there() {
    let has = |name: &CStr| {
        // SAFETY: a C string.
        unsafe { zmq_has(name.as_ptr()) }
    };
    assert_eq!((has(c"WS"), has(c"ws")), (1, 0));
}

#[test]
fn requests_are_answered() {
    let context = Context::new();
    let (rep, req) = pair(&context, ZMQ_REP, ZMQ_REQ);
    for round in 0..100_u8 {
        req.send(&[round]).unwrap();
        assert_eq!(rep.recv().unwrap(), [round]);
        send_all(&rep, &[b"a", b"", &[round]]).unwrap();
        assert_eq!(req.recv_all().unwrap(), [b"a".to_vec(), vec![], vec![round]]);
    }
}

#[test]
fn sizes_around_each_form_of_length_arrive_whole_both_ways() {
    let context = Context::new();
    let (router, dealer) = pair(&context, ZMQ_ROUTER, ZMQ_DEALER);
    let mut sizes = vec![0, 1, 32, 33, 34, 124, 125, 126, 127, 255, 256, 8191, 8192, 16_383, 16_384, 65_533];
    sizes.extend([65_534, 65_535, 65_536, 100_000, 1 << 20, 5_000_001]);
    for size in sizes {
        let body: Vec<u8> = (0..size).map(|at| (at % 253) as u8).collect();
        send_all(&dealer, &[&body, b"end"]).unwrap();
        let parts = receive(&router, 3);
        assert!(parts[1] == body && parts[2] == b"end", "{size}");
        send_all(&router, &[&parts[0], &body, b"end"]).unwrap();
        let parts = receive(&dealer, 2);
        assert!(parts[0] == body && parts[1] == b"end", "{size}");
    }
}

/// A message of so many parts, whose bodies may be large.
fn receive(socket: &Socket, count: usize) -> Vec<Vec<u8>> {
    let parts: Vec<_> = (0..count).map(|_| recv_message(socket).expect("a part")).collect();
    assert_eq!(socket.get(ZMQ_RCVMORE), Ok(0));
    parts
}

#[test]
fn a_stream_of_messages_keeps_its_order() {
    const COUNT: u32 = 50_000;
    let context = Context::new();
    let (pull, push) = pair(&context, ZMQ_PULL, ZMQ_PUSH);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..COUNT {
                // Of all sizes up to 300, so that both forms of header come in all places.
                let mut body = number.to_le_bytes().to_vec();
                body.resize(4 + (number % 297) as usize, number as u8);
                push.send(&body).expect("room");
            }
        });
        for number in 0..COUNT {
            let body = pull.recv().expect("a message");
            assert_eq!(body[..4], number.to_le_bytes());
            assert_eq!(body.len(), 4 + (number % 297) as usize);
            assert!(body[4..].iter().all(|&byte| byte == number as u8));
        }
    });
}

#[test]
fn subscriptions_come_and_go() {
    let context = Context::new();
    let (xpub, sub) = pair(&context, ZMQ_XPUB, ZMQ_SUB);
    sub.set_bytes(ZMQ_SUBSCRIBE, b"A").unwrap();
    assert_eq!(xpub.recv().unwrap(), b"\x01A");
    let long = vec![b'B'; 70_000];
    sub.set_bytes(ZMQ_SUBSCRIBE, &long).unwrap();
    assert_eq!(recv_message(&xpub).unwrap(), [&[1][..], &long].concat());
    for body in [&b"nobody"[..], b"A1"] {
        xpub.send(body).unwrap();
    }
    assert_eq!(sub.recv().unwrap(), b"A1");
    sub.set_bytes(ZMQ_UNSUBSCRIBE, b"A").unwrap();
    assert_eq!(xpub.recv().unwrap(), b"\0A");
}

#[test]
fn groups_are_joined() {
    let context = Context::new();
    let (radio, dish) = pair(&context, ZMQ_RADIO, ZMQ_DISH);
    let group = c"TV";
    // SAFETY: a socket and a C string.
    assert_eq!(unsafe { zmq::ffi::socket::zmq_join(dish.handle(), group.as_ptr()) }, 0);
    eventually("a member", || {
        let mut message = Message::from_slice(b"news").unwrap();
        message.set_group(b"TV").unwrap();
        // SAFETY: a message and a socket.
        unsafe { zmq_msg_send(&mut message, radio.handle(), ZMQ_DONTWAIT) };
        dish.try_recv().is_ok()
    });
}

#[test]
fn a_connection_that_is_lost_is_made_again_and_subscriptions_with_it() {
    let context = Context::new();
    let sub = context.socket(ZMQ_SUB);
    sub.set_bytes(ZMQ_SUBSCRIBE, b"").unwrap();
    sub.set(ZMQ_RECONNECT_IVL, 10).unwrap();
    let first = context.socket(ZMQ_XPUB);
    let endpoint = bind(&first);
    sub.connect(&endpoint).unwrap();
    assert_eq!(first.recv().unwrap(), b"\x01");
    drop(first);
    let second = context.socket(ZMQ_XPUB);
    eventually("the port is free", || second.bind(&endpoint).is_ok());
    eventually("the subscription", || {
        // It is sent by calls on the socket.
        let _ = sub.try_recv();
        second.try_recv().is_ok_and(|body| body == b"\x01")
    });
    second.send(b"again").unwrap();
    assert_eq!(sub.recv().unwrap(), b"again");
}

#[test]
fn what_was_sent_just_before_the_end_arrives() {
    let receiver = Context::new();
    let pull = receiver.socket(ZMQ_PULL);
    let endpoint = bind(&pull);
    for round in 0..20_u8 {
        let context = Context::new();
        let push = context.socket(ZMQ_PUSH);
        push.set(ZMQ_LINGER, -1).unwrap();
        push.connect(&endpoint).unwrap();
        push.send(&[round]).unwrap();
        drop(push);
        context.term().unwrap();
        assert_eq!(pull.recv().unwrap(), [round]);
    }
}

#[test]
fn a_router_knows_its_peers_with_and_without_a_mechanism() {
    let context = Context::new();
    let router = context.socket(ZMQ_ROUTER);
    let endpoint = bind(&router);
    let dealer = context.socket(ZMQ_DEALER);
    dealer.set_bytes(ZMQ_ROUTING_ID, b"named").unwrap();
    dealer.connect(&endpoint).unwrap();
    dealer.send(b"one").unwrap();
    assert_eq!(router.recv_all().unwrap(), [b"named".to_vec(), b"one".to_vec()]);
    let mut peer = Peer::plain(&endpoint, b"plain");
    peer.say(&masked(BINARY, b"\x01first"));
    peer.say(&masked(BINARY, b"\0second"));
    assert_eq!(router.recv_all().unwrap(), [b"plain".to_vec(), b"first".to_vec(), b"second".to_vec()]);
    send_all(&router, &[b"plain", b"to you"]).unwrap();
    assert_eq!(peer.frame(), (BINARY, b"\0to you".to_vec()));
    send_all(&router, &[b"named", b"to you"]).unwrap();
    assert_eq!(dealer.recv().unwrap(), b"to you");
}

/// A message whose body is used elsewhere too must not be masked in its place.
#[test]
fn what_a_client_shares_with_others_is_not_changed() {
    let context = Context::new();
    let push = context.socket(ZMQ_PUB);
    let (one, two) = (context.socket(ZMQ_SUB), context.socket(ZMQ_SUB));
    for sub in [&one, &two] {
        sub.set_bytes(ZMQ_SUBSCRIBE, b"").unwrap();
        push.connect(&bind(sub)).unwrap();
    }
    let body: Vec<u8> = (0..100_000).map(|at| (at % 251) as u8).collect();
    let mut heard = [false; 2];
    eventually("both subscribe", || {
        push.send(b"").unwrap();
        heard = [heard[0] | one.try_recv().is_ok(), heard[1] | two.try_recv().is_ok()];
        heard == [true, true]
    });
    for _ in 0..5 {
        push.send(&body).unwrap();
        for sub in [&one, &two] {
            let next = || recv_message(sub).unwrap();
            assert!(std::iter::repeat_with(next).find(|message| !message.is_empty()).unwrap() == body);
        }
    }
}
