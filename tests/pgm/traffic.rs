//! What is published arrives.

use super::*;
use machines::in_two_namespaces;

/// The messages arrive in their order, none is missing, and none comes twice.
fn all_arrive(publisher: &Socket, subscribers: &[&Socket], count: usize) {
    let sizes = [0, 1, 100, 253, 254, 255, 1000, 1440, 1448, 3000, 20_000];
    let size = |number: usize| sizes[number * 7 % sizes.len()];
    for number in 0..count {
        if number % 5 == 0 {
            publisher.send_more(&body(number, size(number + 1))).expect("sent");
            publisher.send_more(b"").expect("sent");
        }
        publisher.send(&body(number, size(number))).expect("sent");
    }
    for subscriber in subscribers {
        for number in 0..count {
            let mut expected = vec![body(number, size(number))];
            if number % 5 == 0 {
                expected = vec![body(number, size(number + 1)), Vec::new(), body(number, size(number))];
            }
            let parts = subscriber.recv_all().unwrap_or_else(|errno| panic!("{number}: {errno}"));
            assert!(parts == expected, "{number}: {:?}", parts.iter().map(Vec::len).collect::<Vec<_>>());
        }
    }
}

fn both_ways(test: &str, lost: u32, scheme: &str) {
    over_a_lossy_cable(test, lost, |here, there, relay| {
        for (round, kinds) in [(0, (ZMQ_PUB, ZMQ_SUB)), (1, (ZMQ_XPUB, ZMQ_XSUB))] {
            let context = Context::new();
            let (publisher, subscriber) = (socket(&context, kinds.0), socket(&context, kinds.1));
            let port = 5000 + round;
            // Binding and connecting are the same.
            there.bind(&subscriber, &format!("{scheme}://two;239.77.1.1:{port}")).expect("an endpoint");
            here.connect(&publisher, &format!("{scheme}://10.77.0.1;239.77.1.1:{port}"))
                .expect("an endpoint");
            greet(&publisher, &[&subscriber]);
            all_arrive(&publisher, &[&subscriber], 500);
        }
        assert!(lost == 0 || relay.dropped() > 20, "{}", relay.dropped());
    });
}

#[test]
fn everything_arrives_by_epgm() {
    both_ways("traffic::everything_arrives_by_epgm", 0, "epgm");
}

#[test]
fn everything_arrives_by_pgm() {
    both_ways("traffic::everything_arrives_by_pgm", 0, "pgm");
}

#[test]
fn everything_arrives_by_epgm_with_losses() {
    both_ways("traffic::everything_arrives_by_epgm_with_losses", 50, "epgm");
}

#[test]
fn everything_arrives_by_pgm_with_losses() {
    both_ways("traffic::everything_arrives_by_pgm_with_losses", 200, "pgm");
}

#[test]
fn everything_arrives_over_ipv6() {
    in_two_namespaces("traffic::everything_arrives_over_ipv6", |here, there| {
        for (scheme, group) in [("epgm", "[ff08::77]"), ("epgm", "[ff02::77]"), ("pgm", "[ff08::78]")] {
            let context = Context::new();
            let (publisher, subscriber) = (socket(&context, ZMQ_PUB), socket(&context, ZMQ_SUB));
            here.connect(&publisher, &format!("{scheme}://one;{group}:5001")).expect("an endpoint");
            there.connect(&subscriber, &format!("{scheme}://two;{group}:5001")).expect("an endpoint");
            greet(&publisher, &[&subscriber]);
            all_arrive(&publisher, &[&subscriber], 100);
        }
    });
}

#[test]
fn several_publishers_and_subscribers_share_a_group() {
    over_a_lossy_cable("traffic::several_publishers_and_subscribers_share_a_group", 50, |here, there, _| {
        let context = Context::new();
        let publisher = socket(&context, ZMQ_PUB);
        let (one, other) = (socket(&context, ZMQ_SUB), socket(&context, ZMQ_SUB));
        let stranger = socket(&context, ZMQ_PUB);
        here.connect(&publisher, "epgm://one;239.77.1.2:5002").expect("an endpoint");
        there.connect(&one, "epgm://two;239.77.1.2:5002").expect("an endpoint");
        there.connect(&other, "epgm://two;239.77.1.3,239.77.1.2:5002").expect("an endpoint");
        // Another session of the same group, and another group of the same session.
        for endpoint in ["epgm://one;239.77.1.2:5003", "epgm://one;239.77.1.4:5012"] {
            here.connect(&stranger, endpoint).expect("an endpoint");
        }
        greet(&publisher, &[&one, &other]);
        for _ in 0..10 {
            stranger.send(b"unheard").expect("sent");
        }
        all_arrive(&publisher, &[&one, &other], 200);
        let second = socket(&context, ZMQ_PUB);
        here.connect(&second, "epgm://one;239.77.1.3:5002").expect("an endpoint");
        greet(&second, &[&other]);
        all_arrive(&second, &[&other], 50);
    });
}

#[test]
fn only_what_was_subscribed_to_is_received() {
    in_two_namespaces("traffic::only_what_was_subscribed_to_is_received", |here, there| {
        let context = Context::new();
        let publisher = socket(&context, ZMQ_PUB);
        let subscriber = context.socket(ZMQ_SUB);
        for prefix in [&b"hello"[..], b"go", b"a"] {
            subscriber.set_bytes(ZMQ_SUBSCRIBE, prefix).expect("subscribed");
        }
        here.connect(&publisher, "epgm://one;239.77.1.5:5004").expect("an endpoint");
        there.connect(&subscriber, "epgm://two;239.77.1.5:5004").expect("an endpoint");
        greet(&publisher, &[&subscriber]);
        for body in ["b1", "a1", "", "b2", "a2"] {
            publisher.send(body.as_bytes()).expect("sent");
        }
        assert_eq!(subscriber.recv(), Ok(b"a1".to_vec()));
        assert_eq!(subscriber.recv(), Ok(b"a2".to_vec()));
        // Nobody tells the publisher.
        subscriber.set_bytes(ZMQ_SUBSCRIBE, b"b").expect("subscribed");
        publisher.send(b"b3").expect("sent");
        assert_eq!(subscriber.recv(), Ok(b"b3".to_vec()));
    });
}

#[test]
fn a_late_subscriber_begins_with_a_whole_message() {
    over_a_lossy_cable("traffic::a_late_subscriber_begins_with_a_whole_message", 50, |here, there, _| {
        let context = Context::new();
        let (publisher, early) = (socket(&context, ZMQ_PUB), socket(&context, ZMQ_SUB));
        here.connect(&publisher, "epgm://one;239.77.1.6:5005").expect("an endpoint");
        there.connect(&early, "epgm://two;239.77.1.6:5005").expect("an endpoint");
        greet(&publisher, &[&early]);
        // Messages of some packets each, so that most packets begin in the middle of one.
        for number in 0..300 {
            publisher.send_more(&body(number, 10)).expect("sent");
            publisher.send(&body(number, 10_000)).expect("sent");
        }
        let late = socket(&context, ZMQ_SUB);
        there.connect(&late, "epgm://two;239.77.1.6:5005").expect("an endpoint");
        let first = late.recv_all().expect("something");
        let first: usize = String::from_utf8_lossy(&first[0])
            .split(' ')
            .next()
            .and_then(|text| text.parse().ok())
            .expect("a number");
        for number in first + 1..300 {
            assert!(late.recv_all() == Ok(vec![body(number, 10), body(number, 10_000)]), "{number}");
        }
    });
}

#[test]
fn long_messages_arrive_in_large_packets() {
    over_a_lossy_cable("traffic::long_messages_arrive_in_large_packets", 20, |here, there, _| {
        let context = Context::new();
        let (publisher, subscriber) = (socket(&context, ZMQ_PUB), socket(&context, ZMQ_SUB));
        publisher.set(ZMQ_MULTICAST_MAXTPDU, 9000).expect("an option");
        subscriber.set(ZMQ_MULTICAST_MAXTPDU, 9000).expect("an option");
        here.connect(&publisher, "epgm://one;239.77.1.7:5006").expect("an endpoint");
        there.connect(&subscriber, "epgm://two;239.77.1.7:5006").expect("an endpoint");
        greet(&publisher, &[&subscriber]);
        for number in 0..20 {
            publisher.send(&body(number, 65_000)).expect("sent");
        }
        for number in 0..20 {
            assert!(subscriber.recv() == Ok(body(number, 65_000)), "{number}");
        }
    });
}

#[test]
fn a_socket_that_is_closed_sends_and_repairs_first() {
    over_a_lossy_cable("traffic::a_socket_that_is_closed_sends_and_repairs_first", 50, |here, there, _| {
        let subscribers = Context::new();
        let subscriber = socket(&subscribers, ZMQ_SUB);
        there.connect(&subscriber, "epgm://two;239.77.1.8:5007").expect("an endpoint");
        let context = Context::new();
        let publisher = socket(&context, ZMQ_PUB);
        publisher.set(ZMQ_LINGER, -1).expect("an option");
        here.connect(&publisher, "epgm://one;239.77.1.8:5007").expect("an endpoint");
        greet(&publisher, &[&subscriber]);
        for number in 0..1000 {
            publisher.send(&body(number, 1000)).expect("sent");
        }
        drop((publisher, context));
        for number in 0..1000 {
            let received = subscriber.recv();
            let begins = received.as_ref().map(|body| String::from_utf8_lossy(&body[..10]));
            assert!(received == Ok(body(number, 1000)), "{number}: {begins:?}");
        }
    });
}

#[test]
fn a_cable_that_is_cut_for_long_is_a_gap_and_no_more() {
    over_a_lossy_cable(
        "traffic::a_cable_that_is_cut_for_long_is_a_gap_and_no_more",
        0,
        |here, there, relay| {
            let context = Context::new();
            let (publisher, subscriber) = (socket(&context, ZMQ_PUB), socket(&context, ZMQ_SUB));
            for socket in [&publisher, &subscriber] {
                // A window of 250 packets.
                socket.set(ZMQ_RECOVERY_IVL, 60).expect("an option");
            }
            here.connect(&publisher, "epgm://one;239.77.1.9:5008").expect("an endpoint");
            there.connect(&subscriber, "epgm://two;239.77.1.9:5008").expect("an endpoint");
            greet(&publisher, &[&subscriber]);
            let all = |numbers: std::ops::Range<usize>| {
                for number in numbers {
                    publisher.send(&body(number, 1200)).expect("sent");
                }
            };
            all(0..100);
            for number in 0..100 {
                assert!(subscriber.recv() == Ok(body(number, 1200)), "{number}");
            }
            relay.lose(1000);
            all(100..2000);
            std::thread::sleep(Duration::from_millis(800));
            relay.lose(0);
            all(2000..4000);
            let mut next = 100;
            let mut gaps = 0;
            while next < 4000 {
                let message = subscriber.recv().unwrap_or_else(|errno| panic!("after {next}: {errno}"));
                let text = String::from_utf8_lossy(&message);
                let number: usize =
                    text.split(' ').next().and_then(|text| text.parse().ok()).expect("a number");
                assert!(message == body(number, 1200) && number >= next, "{number} after {next}");
                gaps += usize::from(number > next);
                next = number + 1;
            }
            // One for the cut; further ones only while packets are as many as the window is long behind.
            assert!((1..20).contains(&gaps), "{gaps}");
        },
    );
}

#[test]
fn a_subscriber_that_does_not_read_catches_up() {
    in_two_namespaces("traffic::a_subscriber_that_does_not_read_catches_up", |here, there| {
        let context = Context::new();
        let (publisher, subscriber) = (socket(&context, ZMQ_PUB), socket(&context, ZMQ_SUB));
        subscriber.set(ZMQ_RCVHWM, 10).expect("an option");
        here.connect(&publisher, "epgm://one;239.77.1.10:5009").expect("an endpoint");
        there.connect(&subscriber, "epgm://two;239.77.1.10:5009").expect("an endpoint");
        greet(&publisher, &[&subscriber]);
        for number in 0..3000 {
            publisher.send(&body(number, 1000)).expect("sent");
        }
        // 3 MB go by, of which the kernel keeps a part at most.
        std::thread::sleep(Duration::from_millis(1500));
        for number in 0..3000 {
            assert!(subscriber.recv() == Ok(body(number, 1000)), "{number}");
        }
    });
}
