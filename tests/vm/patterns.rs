//! Sockets of each kind, over each transport.

use crate::places::{PLACES, Place, socket};
use crate::support::{Context, Outcome, Socket, errno, eventually};
use zmq::ffi::constants::*;
use zmq::ffi::socket::zmq_msg_recv;
use zmq::message::Message;

/// A message of any size.
fn recv_message(socket: &Socket) -> Outcome<Vec<u8>> {
    let mut message = Message::new();
    // SAFETY: a message and a socket.
    if unsafe { zmq_msg_recv(&mut message, socket.handle(), 0) } < 0 {
        return Err(errno());
    }
    Ok(message.data().to_vec())
}

fn body(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 253) as u8).collect()
}

#[test]
#[ignore = "make test-vm"]
fn pairs_talk_both_ways() {
    let context = Context::new();
    for place in PLACES {
        let (a, b) = place.pair(&context, ZMQ_PAIR, ZMQ_PAIR);
        for round in 0..20_u8 {
            a.send(&[round, 1]).unwrap();
            b.send(&[round, 2]).unwrap();
            assert_eq!(b.recv(), Ok(vec![round, 1]), "{place:?}");
            assert_eq!(a.recv(), Ok(vec![round, 2]), "{place:?}");
        }
    }
}

#[test]
#[ignore = "make test-vm"]
fn requests_are_answered() {
    let context = Context::new();
    for place in PLACES {
        for (binder, connector) in [(ZMQ_REP, ZMQ_REQ), (ZMQ_REQ, ZMQ_REP)] {
            let (a, b) = place.pair(&context, binder, connector);
            let (rep, req) = if binder == ZMQ_REP { (&a, &b) } else { (&b, &a) };
            for round in 0..20_u8 {
                req.send(&[round]).unwrap();
                assert_eq!(rep.recv(), Ok(vec![round]), "{place:?}");
                rep.send_more(b"a").unwrap();
                rep.send(&[round]).unwrap();
                assert_eq!(req.recv_all(), Ok(vec![b"a".to_vec(), vec![round]]), "{place:?}");
            }
        }
    }
}

/// The next thing that a publisher is told. A subscriber that has bound tells it in a call, as with any transport.
fn told(publisher: &Socket, subscriber: &Socket) -> Vec<u8> {
    let mut said = Vec::new();
    eventually("the publisher is told", || {
        subscriber.get(ZMQ_EVENTS).expect("a socket");
        publisher.try_recv().map(|message| said = message).is_ok()
    });
    said
}

#[test]
#[ignore = "make test-vm"]
fn subscribers_get_what_they_asked_for() {
    let context = Context::new();
    for place in PLACES {
        for (binder, connector) in [(ZMQ_XPUB, ZMQ_SUB), (ZMQ_SUB, ZMQ_XPUB)] {
            let (a, b) = place.pair(&context, binder, connector);
            let (publisher, subscriber) = if binder == ZMQ_XPUB { (&a, &b) } else { (&b, &a) };
            subscriber.set_bytes(ZMQ_SUBSCRIBE, b"wanted").unwrap();
            assert_eq!(told(publisher, subscriber), b"\x01wanted", "{place:?}");
            publisher.send(b"other 1").unwrap();
            publisher.send(b"wanted 1").unwrap();
            assert_eq!(subscriber.recv(), Ok(b"wanted 1".to_vec()), "{place:?}");
            subscriber.set_bytes(ZMQ_UNSUBSCRIBE, b"wanted").unwrap();
            assert_eq!(told(publisher, subscriber), b"\x00wanted", "{place:?}");
            subscriber.set_bytes(ZMQ_SUBSCRIBE, b"other").unwrap();
            assert_eq!(told(publisher, subscriber), b"\x01other", "{place:?}");
            publisher.send(b"wanted 2").unwrap();
            publisher.send(b"other 2").unwrap();
            assert_eq!(subscriber.recv(), Ok(b"other 2".to_vec()), "{place:?}");
        }
    }
}

/// A body is larger than what the kernel holds of it, so both sides stop and go on many times.
#[test]
#[ignore = "make test-vm"]
fn messages_of_any_size_arrive_whole_both_ways() {
    let context = Context::new();
    for place in PLACES {
        let (router, dealer) = place.pair(&context, ZMQ_ROUTER, ZMQ_DEALER);
        for size in [0, 1, 255, 256, 8192, 65_535, 65_536, 66_001, 262_145, 1 << 20, 5_000_001] {
            let body = body(size);
            dealer.send_more(&body).unwrap();
            dealer.send(b"end").unwrap();
            let id = recv_message(&router).unwrap();
            assert!(recv_message(&router).unwrap() == body, "{place:?}: {size}");
            assert_eq!(recv_message(&router), Ok(b"end".to_vec()));
            router.send_more(&id).unwrap();
            router.send_more(&body).unwrap();
            router.send(b"end").unwrap();
            assert!(recv_message(&dealer).unwrap() == body, "{place:?}: {size}");
            assert_eq!(recv_message(&dealer), Ok(b"end".to_vec()));
        }
    }
}

#[test]
#[ignore = "make test-vm"]
fn many_messages_arrive_in_order_whoever_is_slower() {
    const COUNT: u32 = 2000;
    let context = Context::new();
    for place in PLACES {
        for (binder, connector) in [(ZMQ_PULL, ZMQ_PUSH), (ZMQ_PUSH, ZMQ_PULL)] {
            let (a, b) = place.pair(&context, binder, connector);
            let (pull, push) = if binder == ZMQ_PULL { (&a, &b) } else { (&b, &a) };
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for number in 0..COUNT {
                        let size = if number % 100 == 99 { 20_000 } else { 40 };
                        let mut message = number.to_le_bytes().to_vec();
                        message.resize(size, 7);
                        push.send(&message).expect("room");
                    }
                });
                for number in 0..COUNT {
                    let message =
                        pull.recv().unwrap_or_else(|error| panic!("{place:?}: {number}: errno {error}"));
                    assert_eq!(message[..4], number.to_le_bytes(), "{place:?}");
                }
            });
        }
    }
}

/// Instances of one service that several sockets serve, found by the form of addresses that `zmq_tipc`(7) has: without a domain.
#[test]
#[ignore = "make test-vm"]
fn a_service_may_have_several_servers() {
    let context = Context::new();
    let service = crate::places::fresh_service();
    let servers: Vec<Socket> = (0..2).map(|_| socket(&context, ZMQ_REP)).collect();
    for (server, bound) in servers.iter().zip(["0,10", "5,15"]) {
        server.bind(&format!("tipc://{{{service},{bound}}}")).unwrap();
    }
    for (instance, server) in [(2, 0), (12, 1)] {
        let client = socket(&context, ZMQ_REQ);
        client.connect(&format!("tipc://{{{service},{instance}}}")).unwrap();
        client.send(b"who").unwrap();
        assert_eq!(servers[server].recv(), Ok(b"who".to_vec()));
        servers[server].send(b"me").unwrap();
        assert_eq!(client.recv(), Ok(b"me".to_vec()));
    }
}

#[test]
#[ignore = "make test-vm"]
fn a_publisher_reaches_subscribers_over_all_of_them() {
    let context = Context::new();
    let publisher = socket(&context, ZMQ_XPUB);
    let subscribers: Vec<(Place, Socket)> = PLACES
        .into_iter()
        .map(|place| {
            let subscriber = socket(&context, ZMQ_SUB);
            subscriber.set_bytes(ZMQ_SUBSCRIBE, format!("{place:?}").as_bytes()).unwrap();
            subscriber.connect(&place.bind(&publisher)).unwrap();
            (place, subscriber)
        })
        .collect();
    for _ in &subscribers {
        assert_eq!(publisher.recv().map(|said| said[0]), Ok(1));
    }
    for (place, _) in &subscribers {
        publisher.send(format!("{place:?}").as_bytes()).unwrap();
    }
    for (place, subscriber) in &subscribers {
        assert_eq!(subscriber.recv(), Ok(format!("{place:?}").into_bytes()));
    }
}
