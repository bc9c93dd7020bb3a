//! RADIO to DISH by unicast.

use std::time::{Duration, Instant};

use zmq::ffi::constants::*;

use crate::support::{Context, PATIENCE, Socket};
use crate::{dish, free_port, hear, heard, join, leave, publish, together, try_hear};

/// `ENOCOMPATPROTO`.
const INCOMPATIBLE: i32 = 156_384_712 + 52;

fn radio(context: &Context, endpoint: &str) -> Socket {
    let radio = context.socket(ZMQ_RADIO);
    radio.connect(endpoint).expect("an endpoint");
    radio
}

#[test]
fn messages_reach_who_has_joined_their_group() {
    let _together = together();
    let context = Context::new();
    let port = free_port();
    let dish = dish(&context, &format!("udp://*:{port}"), &["news"]);
    let radio = radio(&context, &format!("udp://127.0.0.1:{port}"));
    publish(&radio, "weather", b"unheard").expect("sent");
    publish(&radio, "news", b"1").expect("sent");
    assert_eq!(hear(&dish), heard("news", "1"));
    let long = "x".repeat(255);
    join(&dish, &long).expect("joined");
    join(&dish, "").expect("joined");
    publish(&radio, &long, b"2").expect("sent");
    publish(&radio, "", b"3").expect("sent");
    radio.send(b"4").expect("sent");
    assert_eq!(hear(&dish), heard(&long, "2"));
    assert_eq!(hear(&dish), heard("", "3"));
    assert_eq!(hear(&dish), heard("", "4"));
    leave(&dish, "news").expect("left");
    publish(&radio, "news", b"unheard").expect("sent");
    publish(&radio, "", b"5").expect("sent");
    assert_eq!(hear(&dish), heard("", "5"));
    assert_eq!(try_hear(&dish), Err(libc::EAGAIN));
}

#[test]
fn ipv6_reaches_both_families() {
    let _together = together();
    let context = Context::new();
    let port = free_port();
    let dish = context.socket(ZMQ_DISH);
    dish.set(ZMQ_IPV6, 1).expect("an option");
    dish.bind(&format!("udp://*:{port}")).expect("an endpoint");
    join(&dish, "g").expect("joined");
    let old = radio(&context, &format!("udp://127.0.0.1:{port}"));
    let new = context.socket(ZMQ_RADIO);
    new.set(ZMQ_IPV6, 1).expect("an option");
    new.connect(&format!("udp://[::1]:{port}")).expect("an endpoint");
    for (radio, body) in [(&old, "by IPv4"), (&new, "by IPv6")] {
        publish(radio, "g", body.as_bytes()).expect("sent");
        assert_eq!(hear(&dish), heard("g", body));
    }
}

#[test]
fn one_radio_reaches_all_that_it_has_connected_to() {
    let _together = together();
    let context = Context::new();
    let (first_port, second_port) = (free_port(), free_port());
    let first = dish(&context, &format!("udp://127.0.0.1:{first_port}"), &["g"]);
    let second = dish(&context, &format!("udp://lo:{second_port}"), &["g"]);
    let third = context.socket(ZMQ_DISH);
    let radio = radio(&context, &format!("udp://127.0.0.1:{first_port}"));
    radio.connect(&format!("udp://localhost:{second_port}")).expect("an endpoint");
    radio.bind("inproc://beside-udp").expect("a name");
    third.connect("inproc://beside-udp").expect("a name");
    join(&third, "g").expect("joined");
    publish(&radio, "g", b"1").expect("sent");
    for dish in [&first, &second, &third] {
        assert_eq!(hear(dish), heard("g", "1"));
    }
    radio.disconnect(&format!("udp://127.0.0.1:{first_port}")).expect("connected");
    publish(&radio, "g", b"2").expect("sent");
    for dish in [&second, &third] {
        assert_eq!(hear(dish), heard("g", "2"));
    }
    assert_eq!(try_hear(&first), Err(libc::EAGAIN));
}

#[test]
fn each_type_and_address_has_its_error() {
    let _together = together();
    let context = Context::new();
    let socket = |kind| context.socket(kind);
    for kind in [ZMQ_PUSH, ZMQ_PUB, ZMQ_CLIENT, ZMQ_ROUTER] {
        assert_eq!(socket(kind).bind("udp://*:5555"), Err(INCOMPATIBLE));
        assert_eq!(socket(kind).connect("udp://127.0.0.1:5555"), Err(INCOMPATIBLE));
    }
    assert_eq!(socket(ZMQ_RADIO).bind("udp://*:5555"), Err(INCOMPATIBLE));
    assert_eq!(socket(ZMQ_DISH).connect("udp://127.0.0.1:5555"), Err(INCOMPATIBLE));
    assert_eq!(socket(ZMQ_DGRAM).connect("udp://127.0.0.1:5555"), Err(INCOMPATIBLE));
    // What is wrong with the address comes second.
    assert_eq!(socket(ZMQ_RADIO).bind("udp://nonsense"), Err(INCOMPATIBLE));
    assert_eq!(socket(ZMQ_DISH).bind("udp://nonsense"), Err(libc::EINVAL));
    assert_eq!(socket(ZMQ_DISH).bind("udp://nosuch;239.0.0.1:5555"), Err(libc::ENODEV));
    assert_eq!(socket(ZMQ_DISH).bind("udp://lo;127.0.0.1:5555"), Err(libc::EINVAL));
    assert_eq!(socket(ZMQ_RADIO).connect("udp://*:5555"), Err(libc::EINVAL));
    assert_eq!(socket(ZMQ_DISH).unbind("udp://*:5555"), Err(libc::ENOENT));
    assert_eq!(join(&socket(ZMQ_RADIO), "g"), Err(libc::ENOTSUP));
    assert_eq!(leave(&socket(ZMQ_DGRAM), "g"), Err(libc::ENOTSUP));
    let radio = socket(ZMQ_RADIO);
    assert_eq!(radio.send_more(b"x"), Err(libc::EINVAL));
    assert_eq!(radio.recv(), Err(libc::ENOTSUP));
    assert_eq!(socket(ZMQ_DISH).send(b"x"), Err(libc::ENOTSUP));
}

#[test]
fn endpoints_are_called_what_they_were_called() {
    let _together = together();
    let context = Context::new();
    let port = free_port();
    let (radio, dish) = (context.socket(ZMQ_RADIO), context.socket(ZMQ_DISH));
    // Without the transport, and with wildcards as they are: so it is upstream.
    dish.bind(&format!("udp://*:{port}")).expect("an endpoint");
    assert_eq!(dish.last_endpoint(), format!("*:{port}"));
    radio.connect(&format!("udp://localhost:{port}")).expect("an endpoint");
    assert_eq!(radio.last_endpoint(), format!("localhost:{port}"));
    assert_eq!(radio.disconnect(&format!("udp://127.0.0.1:{port}")), Err(libc::ENOENT));
    radio.disconnect(&format!("udp://localhost:{port}")).expect("connected");
    assert_eq!(radio.disconnect(&format!("udp://localhost:{port}")), Err(libc::ENOENT));
    // Not the machine's address.
    dish.bind(&format!("udp://203.0.113.9:{port}")).expect("it may become so");
    dish.unbind(&format!("udp://203.0.113.9:{port}")).expect("bound");
}

#[test]
fn what_was_unbound_hears_nothing_and_its_port_is_free() {
    let _together = together();
    let context = Context::new();
    let port = free_port();
    let endpoint = format!("udp://127.0.0.1:{port}");
    let dish = dish(&context, &endpoint, &["g"]);
    let radio = radio(&context, &endpoint);
    publish(&radio, "g", b"1").expect("sent");
    assert_eq!(hear(&dish), heard("g", "1"));
    dish.unbind(&endpoint).expect("bound");
    // Without SO_REUSEADDR it takes the port only when nobody else has it.
    crate::support::eventually("the port is free", || {
        std::net::UdpSocket::bind(format!("127.0.0.1:{port}")).is_ok()
    });
    publish(&radio, "g", b"unheard").expect("sent");
    dish.bind(&endpoint).expect("an endpoint");
    publish(&radio, "g", b"2").expect("sent");
    assert_eq!(hear(&dish), heard("g", "2"));
}

#[test]
fn bodies_of_all_sizes_arrive_whole_and_in_order() {
    let _together = together();
    let context = Context::new();
    let port = free_port();
    let long = "g".repeat(100);
    let dish = dish(&context, &format!("udp://127.0.0.1:{port}"), &["", "g", &long]);
    let radio = radio(&context, &format!("udp://127.0.0.1:{port}"));
    for size in [0, 1, 32, 33, 34, 100, 1471, 1472, 1473, 7936, 8191, 8192, 8193, 20_000, 65_000] {
        let body: Vec<u8> = (0..size).map(|at| (at * 7 + size) as u8).collect();
        for group in ["", "g", &long] {
            publish(&radio, group, &body).expect("sent");
            assert_eq!(hear(&dish), Ok((group.to_owned(), body.clone())), "{size}");
        }
    }
    // 65507 bytes fit a datagram; one is the length of the group.
    publish(&radio, "", &[1; 65_506]).expect("sent");
    assert_eq!(hear(&dish).map(|(_, body)| body.len()), Ok(65_506));
}

#[test]
fn a_stream_arrives_in_order() {
    let _together = together();
    let context = Context::new();
    let port = free_port();
    let dish = dish(&context, &format!("udp://127.0.0.1:{port}"), &["g"]);
    let radio = radio(&context, &format!("udp://127.0.0.1:{port}"));
    // As many at a time as the kernel's buffers hold for certain.
    for round in 0..200_u32 {
        for number in 0..50_u32 {
            publish(&radio, "g", &(round * 50 + number).to_ne_bytes()).expect("sent");
        }
        for number in 0..50_u32 {
            let (_, body) = hear(&dish).expect("a message");
            assert_eq!(body, (round * 50 + number).to_ne_bytes());
        }
    }
}

#[test]
fn a_message_that_is_longer_than_allowed_is_dropped() {
    let _together = together();
    let context = Context::new();
    let port = free_port();
    let dish = context.socket(ZMQ_DISH);
    dish.set_bytes(ZMQ_MAXMSGSIZE, &4_i64.to_ne_bytes()).expect("an option");
    dish.bind(&format!("udp://127.0.0.1:{port}")).expect("an endpoint");
    join(&dish, "group").expect("joined");
    let radio = radio(&context, &format!("udp://127.0.0.1:{port}"));
    publish(&radio, "group", b"12345").expect("sent");
    publish(&radio, "group", b"1234").expect("sent");
    assert_eq!(hear(&dish), heard("group", "1234"));
}

#[test]
fn a_dish_that_does_not_receive_keeps_its_mark() {
    let _together = together();
    let context = Context::new();
    let port = free_port();
    let dish = context.socket(ZMQ_DISH);
    dish.set(ZMQ_RCVHWM, 5).expect("an option");
    dish.set(ZMQ_RCVBUF, 1).expect("an option");
    dish.bind(&format!("udp://127.0.0.1:{port}")).expect("an endpoint");
    join(&dish, "g").expect("joined");
    let radio = radio(&context, &format!("udp://127.0.0.1:{port}"));
    for number in 0..1000 {
        publish(&radio, "g", number.to_string().as_bytes()).expect("sent");
    }
    // Some are there, in their order: up to the mark, and what the kernel's buffer holds (which counts packets, and a train as one). The
    // rest was lost.
    let mut numbers = Vec::new();
    dish.set(ZMQ_RCVTIMEO, 100).expect("an option");
    while let Ok((_, body)) = hear(&dish) {
        numbers.push(String::from_utf8(body).expect("text").parse::<u32>().expect("a number"));
    }
    assert!((1..500).contains(&numbers.len()) && numbers.is_sorted(), "{numbers:?}");
    let end = Instant::now() + PATIENCE;
    loop {
        publish(&radio, "g", b"last").expect("sent");
        match hear(&dish) {
            Ok((_, body)) if body == b"last" => break,
            _ => assert!(Instant::now() < end, "nothing comes any more"),
        }
    }
}

#[test]
fn what_was_sent_before_closing_arrives() {
    let _together = together();
    let context = Context::new();
    let port = free_port();
    let dish = dish(&context, &format!("udp://127.0.0.1:{port}"), &["g"]);
    let radio = context.socket(ZMQ_RADIO);
    radio.set(ZMQ_LINGER, -1).expect("an option");
    radio.connect(&format!("udp://127.0.0.1:{port}")).expect("an endpoint");
    for number in 0..100 {
        publish(&radio, "g", number.to_string().as_bytes()).expect("sent");
    }
    radio.close().expect("open");
    for number in 0..100 {
        assert_eq!(hear(&dish), heard("g", &number.to_string()));
    }
}

#[test]
fn the_end_of_the_context_ends_a_receive() {
    let _together = together();
    let context = Context::new();
    let dish = dish(&context, "udp://127.0.0.1:*", &["g"]);
    let dgram = context.socket(ZMQ_DGRAM);
    dgram.bind("udp://127.0.0.1:*").expect("an endpoint");
    std::thread::scope(|scope| {
        for socket in [&dish, &dgram] {
            socket.set(ZMQ_RCVTIMEO, -1).expect("an option");
            scope.spawn(move || {
                assert_eq!(socket.recv(), Err(ETERM));
                socket.close().expect("open");
            });
        }
        std::thread::sleep(Duration::from_millis(20));
        context.shutdown();
    });
    context.term().expect("no socket is left");
}
