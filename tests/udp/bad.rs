//! Datagrams that are not what they should be. They cost nothing but themselves: nobody can tell who has sent them.

use std::net::UdpSocket;

use zmq::ffi::constants::*;

use crate::dice::Dice;
use crate::support::{Context, PATIENCE, Socket};
use crate::{dish, free_port, hear, heard, publish, together};

/// A DISH, whom a stranger talks to, and a RADIO that behaves.
struct Scene {
    dish: Socket,
    radio: Socket,
    stranger: UdpSocket,
    // Last, so that the sockets are closed before it ends.
    _context: Context,
}

impl Scene {
    fn new(groups: &[&str]) -> Self {
        let context = Context::new();
        let port = free_port();
        let dish = dish(&context, &format!("udp://127.0.0.1:{port}"), groups);
        let radio = context.socket(ZMQ_RADIO);
        radio.connect(&format!("udp://127.0.0.1:{port}")).expect("an endpoint");
        let stranger = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        stranger.connect(("127.0.0.1", port)).expect("an address");
        Self { dish, radio, stranger, _context: context }
    }

    fn throw(&self, bytes: &[u8]) {
        self.stranger.send(bytes).expect("sent");
    }

    /// The next message is the RADIO's, and nothing that was thrown before is one.
    fn go_on(&self) {
        publish(&self.radio, "good", b"message").expect("sent");
        assert_eq!(hear(&self.dish), heard("good", "message"));
    }
}

#[test]
fn groups_of_any_length_are_understood_or_dropped() {
    let _together = together();
    let scene = Scene::new(&["good"]);
    scene.throw(b"");
    for length in 0..=255_u8 {
        // Cut short everywhere: at the beginning, in the middle, one byte before the end.
        for there in [0, usize::from(length) / 2, usize::from(length).saturating_sub(1)] {
            let mut datagram = vec![length];
            datagram.resize(1 + there, b'x');
            scene.throw(&datagram);
        }
        scene.go_on();
    }
    let long = "x".repeat(200);
    crate::join(&scene.dish, &long).expect("joined");
    scene.throw(&[&[200], long.as_bytes(), b"body"].concat());
    assert_eq!(hear(&scene.dish), heard(&long, "body"));
}

#[test]
fn long_datagrams_overrun_nothing() {
    let _together = together();
    let scene = Scene::new(&["good", ""]);
    for size in [7935, 7936, 7937, 8191, 8192, 8193, 65_506, 65_507] {
        let mut datagram = vec![0];
        datagram.resize(size, b'y');
        scene.throw(&datagram);
        assert_eq!(hear(&scene.dish), Ok((String::new(), vec![b'y'; size - 1])));
        // The same with a group that isn't wanted.
        datagram[0] = 255;
        scene.throw(&datagram);
        scene.go_on();
    }
}

#[test]
fn a_group_ends_at_a_zero_byte() {
    let _together = together();
    let scene = Scene::new(&["good", ""]);
    scene.throw(b"\x09good\0evilbody");
    assert_eq!(hear(&scene.dish), heard("good", "body"));
    scene.throw(b"\x02\0\0body");
    assert_eq!(hear(&scene.dish), heard("", "body"));
}

#[test]
fn random_datagrams_disturb_nobody() {
    let _together = together();
    let scene = Scene::new(&["good"]);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..300 {
        for _ in 0..10 {
            let mut datagram: Vec<u8> = (0..dice.below(600)).map(|_| dice.below(256) as u8).collect();
            // Nothing in it may be the group by chance.
            datagram.iter_mut().filter(|byte| **byte == b'g').for_each(|byte| *byte = 0);
            scene.throw(&datagram);
        }
        scene.go_on();
    }
}

#[test]
fn every_byte_of_a_message_may_be_wrong() {
    let _together = together();
    let scene = Scene::new(&["good"]);
    let message = b"\x04goodbody";
    for cut in 0..=4 {
        scene.throw(&message[..cut]);
    }
    scene.go_on();
    for at in 0..5 {
        for bit in 0..8 {
            let mut wrong = *message;
            wrong[at] ^= 1 << bit;
            scene.throw(&wrong);
        }
        scene.go_on();
    }
}

#[test]
fn a_dgram_receives_whatever_comes() {
    let _together = together();
    let context = Context::new();
    let port = free_port();
    let dgram = context.socket(ZMQ_DGRAM);
    dgram.bind(&format!("udp://127.0.0.1:{port}")).expect("an endpoint");
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    stranger.set_read_timeout(Some(PATIENCE)).expect("an option");
    let mut dice = Dice(7);
    for size in [0, 1, 7936, 8192, 8193, 65_507].into_iter().chain((0..100).map(|step| step * 13)) {
        let body: Vec<u8> = (0..size).map(|_| dice.below(256) as u8).collect();
        stranger.send_to(&body, ("127.0.0.1", port)).expect("sent");
        let parts = dgram.recv_all().expect("a datagram");
        assert_eq!((parts.len(), &parts[1]), (2, &body));
    }
}
