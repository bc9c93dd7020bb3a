//! What goes out, byte by byte, to a socket of the system's.

use std::net::UdpSocket;

use zmq::ffi::constants::*;

use crate::support::{Context, PATIENCE, Socket};
use crate::{dish, free_port, hear, publish, together};

/// A RADIO, and the socket of the system's that it sends to.
fn radio(context: &Context) -> (Socket, UdpSocket) {
    let other = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    other.set_read_timeout(Some(PATIENCE)).expect("an option");
    let radio = context.socket(ZMQ_RADIO);
    radio.connect(&format!("udp://{}", other.local_addr().expect("an address"))).expect("an endpoint");
    (radio, other)
}

#[test]
fn a_message_is_the_length_of_the_group_the_group_and_the_body() {
    let _together = together();
    let context = Context::new();
    let (radio, other) = radio(&context);
    let long = "x".repeat(255);
    for (group, body) in
        [("TV", &b"Friends"[..]), ("", b""), ("", b"body"), (&long, b"y"), ("g", &[7; 60_000])]
    {
        publish(&radio, group, body).expect("sent");
        let mut buffer = vec![0; 70_000];
        let count = other.recv(&mut buffer).expect("a datagram");
        assert_eq!(buffer[..count], datagram(group, body));
    }
}

#[test]
fn a_message_that_fits_no_datagram_is_dropped() {
    let _together = together();
    let context = Context::new();
    let (radio, other) = radio(&context);
    // In one batch with others, at each place.
    for at in 0..5 {
        for number in 0..5_u8 {
            let body = if number == at { vec![0; 1 << 20] } else { vec![number] };
            publish(&radio, "", &body).expect("taken");
        }
        for number in (0..5_u8).filter(|&number| number != at) {
            let mut buffer = [0; 100];
            let count = other.recv(&mut buffer).expect("a datagram");
            assert_eq!(buffer[..count], [0, number]);
        }
    }
}

#[test]
fn what_is_sent_to_a_radio_is_left_where_it_is() {
    let _together = together();
    let context = Context::new();
    let (radio, other) = radio(&context);
    let mut buffer = [0; 100];
    for _ in 0..50 {
        publish(&radio, "", b"x").expect("sent");
        let (_, from) = other.recv_from(&mut buffer).expect("a datagram");
        other.send_to(b"\x01gunasked", from).expect("sent");
    }
    assert_eq!(radio.recv(), Err(libc::ENOTSUP));
}

/// What a datagram to a group is.
fn datagram(group: &str, body: &[u8]) -> Vec<u8> {
    [&[group.len() as u8], group.as_bytes(), body].concat()
}

/// Bodies whose sizes follow each other in all the ways that matter to trains: the same for long, one shorter, one longer, none at all.
fn bodies(round: usize) -> Vec<Vec<u8>> {
    const SIZES: [usize; 12] = [64, 64, 64, 0, 64, 63, 64, 1399, 1399, 1399, 1500, 3000];
    let mut state = round * 7919 + 1;
    let mut size = 64;
    (0..60)
        .map(|number| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if (state >> 33).is_multiple_of(4) {
                size = SIZES[(state >> 40) % SIZES.len()];
            }
            (0..size).map(|at| (at + number + round) as u8).collect()
        })
        .collect()
}

#[test]
fn bursts_of_any_sizes_arrive_one_by_one_and_in_order() {
    let _together = together();
    let context = Context::new();
    let (radio, other) = radio(&context);
    let port = free_port();
    let dish = dish(&context, &format!("udp://127.0.0.1:{port}"), &["", "group"]);
    radio.connect(&format!("udp://127.0.0.1:{port}")).expect("an endpoint");
    let mut buffer = vec![0; 70_000];
    for round in 0..60 {
        let group = ["", "group"][round % 2];
        let bodies = bodies(round);
        for body in &bodies {
            publish(&radio, group, body).expect("sent");
        }
        for body in &bodies {
            assert_eq!(hear(&dish), Ok((group.to_owned(), body.clone())), "round {round}");
            let count = other.recv(&mut buffer).expect("a datagram");
            assert_eq!(buffer[..count], datagram(group, body), "round {round}");
        }
    }
}

#[test]
fn bursts_to_several_peers_go_where_they_should() {
    let _together = together();
    let context = Context::new();
    let receivers: Vec<_> = (0..3)
        .map(|_| {
            let (socket, port) = (context.socket(ZMQ_DGRAM), free_port());
            socket.bind(&format!("udp://127.0.0.1:{port}")).expect("an endpoint");
            (socket, format!("127.0.0.1:{port}"))
        })
        .collect();
    let (sender, port) = (context.socket(ZMQ_DGRAM), free_port());
    sender.bind(&format!("udp://127.0.0.1:{port}")).expect("an endpoint");
    for round in 0..60 {
        let bodies = bodies(round);
        // Runs of one to five to the same peer.
        let to = |number: usize| (number / (1 + round % 5)) % receivers.len();
        for (number, body) in bodies.iter().enumerate() {
            sender.send_more(receivers[to(number)].1.as_bytes()).expect("an address");
            sender.send(body).expect("a body");
        }
        for (number, body) in bodies.iter().enumerate() {
            let parts = receivers[to(number)].0.recv_all().expect("a datagram");
            assert_eq!(parts, [format!("127.0.0.1:{port}\0").into_bytes(), body.clone()], "round {round}");
        }
    }
}
