//! What goes through.

use zmq::ffi::constants::*;

use crate::support::{Context, Socket};
use crate::{inside, publisher, subscriber};

/// Messages of one part and several, short and long, arrive as they were sent, at each of two subscribers.
#[test]
fn messages_arrive_whole_and_in_order() {
    let Some(_alone) = inside("messages::messages_arrive_whole_and_in_order") else { return };
    let context = Context::new();
    let subscribers = [subscriber(&context, 2), subscriber(&context, 3)];
    let publisher = publisher(&context, 1);
    let long: Vec<u8> = (0..60_000_u32).map(|at| (at % 251) as u8).collect();
    let messages: [&[&[u8]]; 6] =
        [&[b"a"], &[b"", b"b", b""], &[&long], &[b"x", &long[..1400], b"y"], &[b""], &[&long[..255]]];
    for message in messages {
        for (index, part) in message.iter().enumerate() {
            let send = if index + 1 < message.len() { Socket::send_more } else { Socket::send };
            send(&publisher, part).expect("a publisher always sends");
        }
    }
    for subscriber in &subscribers {
        for message in messages {
            for (index, part) in message.iter().enumerate() {
                assert!(subscriber.recv().expect("it arrives") == *part, "part {index}");
                assert_eq!(subscriber.get(ZMQ_RCVMORE), Ok(i32::from(index + 1 < message.len())));
            }
        }
    }
}

/// A publisher's last messages are sent although it is closed at once, and the context with it.
#[test]
fn what_was_sent_before_closing_arrives() {
    let Some(_alone) = inside("messages::what_was_sent_before_closing_arrives") else { return };
    let context = Context::new();
    let subscriber = subscriber(&context, 2);
    {
        let context = Context::new();
        let publisher = publisher(&context, 1);
        for number in 0..2000_u32 {
            publisher.send(&number.to_be_bytes().repeat(50)).expect("a publisher always sends");
        }
    }
    for number in 0..2000_u32 {
        assert!(subscriber.recv().expect("it arrives") == number.to_be_bytes().repeat(50), "{number}");
    }
}

/// With nobody there, closing doesn't take long, for ever though it may.
#[test]
fn closing_waits_for_nobody_if_nobody_is_there() {
    let Some(_alone) = inside("messages::closing_waits_for_nobody_if_nobody_is_there") else { return };
    let context = Context::new();
    let publisher = publisher(&context, 1);
    publisher.set(ZMQ_LINGER, -1).expect("an option");
    publisher.send(b"nobody hears this").expect("a publisher always sends");
    drop(publisher);
    let start = std::time::Instant::now();
    context.term().expect("it ends");
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

/// Parts of two publishers' messages don't run into each other, and a subscriber hears only what it has subscribed to.
#[test]
fn two_publishers_and_a_topic() {
    let Some(_alone) = inside("messages::two_publishers_and_a_topic") else { return };
    let context = Context::new();
    let everything = subscriber(&context, 3);
    let some = subscriber(&context, 4);
    some.set_bytes(ZMQ_UNSUBSCRIBE, b"").expect("it is subscribed");
    some.set_bytes(ZMQ_SUBSCRIBE, b"\x02").expect("a subscription");
    let publishers = [publisher(&context, 1), publisher(&context, 2)];
    const COUNT: usize = 200;
    for number in 0..COUNT {
        for (publisher, name) in publishers.iter().zip(1_u8..) {
            publisher.send_more(&[name]).expect("a publisher always sends");
            publisher.send_more(&[name; 700]).expect("a publisher always sends");
            publisher.send(&[&[name][..], &number.to_be_bytes()].concat()).expect("a publisher always sends");
        }
    }
    let mut next = [0_usize, 0];
    for _ in 0..2 * COUNT {
        let [name] = *everything.recv().expect("it arrives") else { panic!("another part") };
        assert!(everything.recv().expect("it arrives") == [name; 700]);
        let number = &mut next[usize::from(name) - 1];
        assert_eq!(everything.recv().expect("it arrives"), [&[name][..], &number.to_be_bytes()].concat());
        *number += 1;
    }
    for number in 0..COUNT {
        assert_eq!(some.recv(), Ok(vec![2]));
        assert!(some.recv().expect("it arrives") == [2; 700]);
        assert_eq!(some.recv(), Ok([&[2][..], &number.to_be_bytes()].concat()));
    }
    assert_eq!(some.try_recv(), Err(libc::EAGAIN));
}

/// XPUB and XSUB, and each way to control the rate.
#[test]
fn each_mode_carries_messages() {
    let Some(_alone) = inside("messages::each_mode_carries_messages") else { return };
    for mode in [ZMQ_NORM_FIXED, ZMQ_NORM_CC, ZMQ_NORM_CCL, ZMQ_NORM_CCE, ZMQ_NORM_CCE_ECNONLY] {
        let context = Context::new();
        let (publisher, subscriber) = (context.socket(ZMQ_XPUB), context.socket(ZMQ_XSUB));
        for socket in [&publisher, &subscriber] {
            for (option, value) in [
                (ZMQ_NORM_MODE, mode),
                (ZMQ_NORM_UNICAST_NACK, 1),
                (ZMQ_NORM_BUFFER_SIZE, 512),
                (ZMQ_NORM_SEGMENT_SIZE, 1000),
                (ZMQ_NORM_BLOCK_SIZE, 32),
                (ZMQ_NORM_NUM_PARITY, 8),
                (ZMQ_NORM_NUM_AUTOPARITY, 2),
                (ZMQ_NORM_PUSH, 1),
                (ZMQ_RATE, 10_000),
                (ZMQ_RCVTIMEO, 20_000),
                (ZMQ_SNDHWM, 0),
                (ZMQ_RCVHWM, 0),
            ] {
                socket.set(option, value).expect("an option");
            }
        }
        subscriber.connect("norm://2,lo;224.77.0.2:5557").expect("libnorm.so.1, of the package libnorm1");
        publisher.connect("norm://1,lo;224.77.0.2:5557").expect("an endpoint");
        for number in 0..100_u32 {
            publisher.send(&number.to_be_bytes().repeat(100)).expect("a publisher always sends");
        }
        for number in 0..100_u32 {
            assert!(
                subscriber.recv().expect("it arrives") == number.to_be_bytes().repeat(100),
                "{mode} {number}"
            );
        }
    }
}
