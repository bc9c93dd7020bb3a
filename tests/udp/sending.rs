//! What goes out, byte by byte, to a socket of the system's.

use std::net::UdpSocket;

use zmq::ffi::constants::*;

use crate::support::{Context, PATIENCE};
use crate::{publish, together};

#[test]
fn a_message_is_the_length_of_the_group_the_group_and_the_body() {
    let _together = together();
    let context = Context::new();
    let other = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    other.set_read_timeout(Some(PATIENCE)).expect("an option");
    let radio = context.socket(ZMQ_RADIO);
    radio.connect(&format!("udp://{}", other.local_addr().expect("an address"))).expect("an endpoint");
    let long = "x".repeat(255);
    for (group, body) in
        [("TV", &b"Friends"[..]), ("", b""), ("", b"body"), (&long, b"y"), ("g", &[7; 60_000])]
    {
        publish(&radio, group, body).expect("sent");
        let mut buffer = vec![0; 70_000];
        let count = other.recv(&mut buffer).expect("a datagram");
        let expected = [&[group.len() as u8], group.as_bytes(), body].concat();
        assert_eq!(buffer[..count], expected);
    }
}

#[test]
fn a_message_that_fits_no_datagram_is_dropped() {
    let _together = together();
    let context = Context::new();
    let other = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    other.set_read_timeout(Some(PATIENCE)).expect("an option");
    let radio = context.socket(ZMQ_RADIO);
    radio.connect(&format!("udp://{}", other.local_addr().expect("an address"))).expect("an endpoint");
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
    let other = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    other.set_read_timeout(Some(PATIENCE)).expect("an option");
    let radio = context.socket(ZMQ_RADIO);
    radio.connect(&format!("udp://{}", other.local_addr().expect("an address"))).expect("an endpoint");
    let mut buffer = [0; 100];
    for _ in 0..50 {
        publish(&radio, "", b"x").expect("sent");
        let (_, from) = other.recv_from(&mut buffer).expect("a datagram");
        other.send_to(b"\x01gunasked", from).expect("sent");
    }
    assert_eq!(radio.recv(), Err(libc::ENOTSUP));
}
