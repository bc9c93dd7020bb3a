//! What takes a connection.

use crate::support::Context;
use std::time::{Duration, Instant};
use zmq::ffi::constants::*;

#[test]
fn long_subscriptions_arrive() {
    let context = Context::new();
    let (xpub, sub) = (context.socket(ZMQ_XPUB), context.socket(ZMQ_SUB));
    let endpoint = xpub.bind_tcp();
    sub.connect(&endpoint).unwrap();
    for len in [1, 33, 34, 245, 246, 247, 300, 70_000_usize] {
        let topic = vec![b'a'; len];
        sub.set_bytes(ZMQ_SUBSCRIBE, &topic).unwrap();
        let expected: Vec<u8> = [&[1][..], &topic].concat();
        let received = xpub.recv().unwrap_or_else(|error| panic!("{len}: {error}"));
        assert!(received[..] == expected[..received.len()] && received.len() > len.min(65_000), "{len}");
    }
}

fn tick() -> (i64, i64) {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it can be written.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut now) }, 0);
    (now.tv_sec, now.tv_nsec)
}

/// As with upstream, where both take the same way through the I/O threads: who subscribes, and then has something published, gets it.
#[test]
fn a_subscription_that_has_arrived_counts_for_what_is_published_next() {
    for _ in 0..50 {
        let context = Context::new();
        let (xpub, sub) = (context.socket(ZMQ_XPUB), context.socket(ZMQ_SUB));
        let endpoint = xpub.bind_tcp();
        sub.set_bytes(ZMQ_SUBSCRIBE, b"first").unwrap();
        sub.connect(&endpoint).unwrap();
        assert_eq!(xpub.recv().unwrap(), b"\x01first");
        // Both sides know their connection now, and the publisher looks once in each tick of the clock.
        xpub.send(b"first").unwrap();
        assert_eq!(sub.recv().unwrap(), b"first");
        let sent = tick();
        while tick() == sent {
            std::thread::yield_now();
        }
        sub.set_bytes(ZMQ_SUBSCRIBE, b"second").unwrap();
        xpub.send(b"second").unwrap();
        assert_eq!(sub.recv().unwrap(), b"second");
    }
}

#[test]
fn a_hello_message_comes_first_even_from_a_socket_that_is_never_asked() {
    let context = Context::new();
    let router = context.socket(ZMQ_ROUTER);
    router.set_bytes(ZMQ_HELLO_MSG, b"hello").unwrap();
    let endpoint = router.bind_tcp();
    let dealer = context.socket(ZMQ_DEALER);
    dealer.connect(&endpoint).unwrap();
    assert_eq!(dealer.recv().unwrap(), b"hello");
}

#[test]
fn a_sender_that_never_waits_is_told_when_its_mark_is_reached() {
    let context = Context::new();
    let (push, pull) = (context.socket(ZMQ_PUSH), context.socket(ZMQ_PULL));
    push.set(ZMQ_SNDHWM, 10).unwrap();
    let endpoint = push.bind_tcp();
    pull.connect(&endpoint).unwrap();
    push.send(b"x").unwrap();
    pull.recv().unwrap();
    let accepted = push.fill(10_000);
    assert!(accepted < 10_000, "the kernel took everything");
    // But it's no dead end.
    crate::support::eventually("room", || push.try_send(b"x").is_ok());
}

#[test]
fn a_sender_that_never_waits_reaches_its_mark_however_slow_it_is() {
    const MARK: i32 = 4;
    let context = Context::new();
    for (kind, peer) in [(ZMQ_PUSH, ZMQ_PULL), (ZMQ_DEALER, ZMQ_DEALER), (ZMQ_PAIR, ZMQ_PAIR)] {
        let (sender, receiver) = (context.socket(kind), context.socket(peer));
        sender.set(ZMQ_SNDHWM, MARK).unwrap();
        let endpoint = sender.bind_tcp();
        receiver.connect(&endpoint).unwrap();
        sender.send(b"x").unwrap();
        receiver.recv().unwrap();
        let begin = Instant::now();
        let accepted = (0..2_000).take_while(|_| {
            // Long enough for the kernel to take the message before.
            let until = Instant::now() + Duration::from_micros(70);
            while Instant::now() < until {}
            sender.try_send(b"x").is_ok()
        });
        let accepted = accepted.count() as u128;
        // Room that has come is used once in a millisecond.
        assert!(accepted <= MARK as u128 * (3 + begin.elapsed().as_millis()), "{accepted} messages");
        // It isn't refused twice in vain, and who polls sees what there is.
        crate::support::eventually("room", || sender.try_send(b"x").is_ok());
        for _ in 0..100 {
            crate::support::eventually("an event", || sender.get(ZMQ_EVENTS).unwrap() & ZMQ_POLLOUT != 0);
            sender.try_send(b"x").unwrap();
        }
    }
}

/// A sender may be told that a message has gone, and mustn't lose one peer for that: here another one takes everything at any time.
#[test]
fn a_peer_at_its_mark_gets_its_share_again_though_others_never_are() {
    let context = Context::new();
    let (push, slow, fast) = (context.socket(ZMQ_PUSH), context.socket(ZMQ_PULL), context.socket(ZMQ_PULL));
    push.set(ZMQ_SNDHWM, 10).unwrap();
    fast.set(ZMQ_RCVHWM, 0).unwrap();
    let endpoint = push.bind_tcp();
    slow.connect(&endpoint).unwrap();
    push.send(b"x").unwrap();
    slow.recv().unwrap();
    push.bind("inproc://fast").unwrap();
    fast.connect("inproc://fast").unwrap();
    let mut received = 0;
    crate::support::eventually("ten times the mark", || {
        for _ in 0..100 {
            push.try_send(b"x").unwrap();
        }
        received += std::iter::from_fn(|| slow.try_recv().ok()).count();
        while fast.try_recv().is_ok() {}
        received >= 100
    });
}

#[test]
fn a_peer_at_its_mark_gets_its_share_again_when_the_sender_may_wait() {
    const MARK: usize = 10;
    let context = Context::new();
    let (push, first, second) =
        (context.socket(ZMQ_PUSH), context.socket(ZMQ_PULL), context.socket(ZMQ_PULL));
    push.set(ZMQ_SNDHWM, MARK as i32).unwrap();
    let endpoint = push.bind_tcp();
    first.connect(&endpoint).unwrap();
    for _ in 0..MARK / 2 {
        push.send(b"x").unwrap();
        first.recv().unwrap();
    }
    second.connect(&endpoint).unwrap();
    let mut received = [0; 2];
    let mut drain = || {
        received[0] += std::iter::from_fn(|| first.try_recv().ok()).count();
        received[1] += std::iter::from_fn(|| second.try_recv().ok()).count();
        received
    };
    crate::support::eventually("the second one", || {
        push.send(b"x").unwrap();
        drain()[1] > 0
    });
    // One of the two is at its mark before the other, and left out from here on.
    for _ in 0..MARK {
        push.try_send(b"x").unwrap();
    }
    let before = drain();
    crate::support::eventually("ten times the mark", || {
        push.send(b"x").unwrap();
        let now = drain();
        (0..2).all(|peer| now[peer] > before[peer] + 10 * MARK)
    });
}

/// A full publisher misses subscriptions, but it isn't full because somebody has subscribed often.
#[test]
fn subscriptions_sent_without_waiting_arrive_however_many() {
    let context = Context::new();
    let (xpub, xsub, sub) = (context.socket(ZMQ_XPUB), context.socket(ZMQ_XSUB), context.socket(ZMQ_SUB));
    let endpoint = xpub.bind_tcp();
    for subscriber in [&xsub, &sub] {
        subscriber.set(ZMQ_SNDHWM, 4).unwrap();
        subscriber.connect(&endpoint).unwrap();
    }
    for topic in 0..50_u8 {
        xsub.try_send(&[1, 0, topic]).unwrap();
        assert_eq!(xpub.recv().unwrap(), [1, 0, topic]);
    }
    assert_eq!(sub.try_send(b"x"), Err(libc::ENOTSUP));
    for topic in 0..50_u8 {
        sub.set_bytes(ZMQ_SUBSCRIBE, &[1, topic]).unwrap();
        assert_eq!(xpub.recv().unwrap(), [1, 1, topic]);
    }
}

#[test]
fn what_was_sent_just_before_the_end_arrives() {
    let receiver = Context::new();
    let pull = receiver.socket(ZMQ_PULL);
    let endpoint = pull.bind_tcp();
    for round in 0..50_u8 {
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
fn what_a_stream_receives_is_cut_at_the_size_of_a_batch() {
    use std::io::Write;
    for (size, most) in [(None, 8192), (Some(100), 100), (Some(20_000), 20_000)] {
        let context = Context::new();
        let stream = context.socket(ZMQ_STREAM);
        if let Some(size) = size {
            stream.set(ZMQ_IN_BATCH_SIZE, size).unwrap();
        }
        let endpoint = stream.bind_tcp();
        let mut peer = std::net::TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap();
        assert_eq!(stream.recv_all().unwrap()[1], b"");
        peer.write_all(&[b'x'; 50_000]).unwrap();
        let (mut received, mut longest) = (0, 0);
        while received < 50_000 {
            let length = stream.recv_all().unwrap()[1].len();
            assert!(length <= most, "{length} of {most}");
            (received, longest) = (received + length, longest.max(length));
        }
        assert!(longest == most || size.is_some(), "{longest} of {most}");
    }
}
