//! RADIO and DISH over tcp: a peer that says wrong things about groups.

use zmq::ffi::constants::{ZMQ_DISH, ZMQ_HEARTBEAT_IVL, ZMQ_HEARTBEAT_TIMEOUT, ZMQ_RADIO, ZMQ_RCVTIMEO};
use zmq::ffi::socket::{zmq_join, zmq_msg_recv, zmq_msg_send};
use zmq::message::Message;

use crate::support::{Context, Socket, eventually};
use crate::wire::{Dice, command, dial, frame, greeting, is_closed, ready, say};
use crate::{alone, assert_no_panics, watch_for_panics};
use std::io::Read;
use std::net::TcpStream;

fn join(dish: &Socket, group: &std::ffi::CStr) {
    // SAFETY: a C string.
    assert_eq!(unsafe { zmq_join(dish.handle(), group.as_ptr()) }, 0);
}

fn publish(radio: &Socket, group: &[u8], body: &[u8]) {
    let mut message = Message::from_slice(body).expect("memory");
    message.set_group(group).expect("a group");
    // SAFETY: a message of our own.
    assert!(unsafe { zmq_msg_send(&mut message, radio.handle(), 0) } >= 0);
}

fn hear(dish: &Socket) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut message = Message::new();
    // SAFETY: a message of our own.
    let code = unsafe { zmq_msg_recv(&mut message, dish.handle(), 0) };
    (code >= 0).then(|| (message.group().to_vec(), message.data().to_vec()))
}

/// A RADIO and a DISH that behave, each of which listens too.
struct Bystanders {
    radio: Socket,
    dish: Socket,
    radio_endpoint: String,
    dish_endpoint: String,
    // Last, so that the sockets are closed before it ends.
    _context: Context,
}

impl Bystanders {
    fn new() -> Self {
        watch_for_panics();
        let context = Context::new();
        let (radio, dish) = (context.socket(ZMQ_RADIO), context.socket(ZMQ_DISH));
        let (radio_endpoint, dish_endpoint) = (radio.bind_tcp(), dish.bind_tcp());
        join(&dish, c"good");
        dish.connect(&radio_endpoint).expect("an endpoint");
        dish.set(ZMQ_RCVTIMEO, 20).expect("an option");
        let this = Self { radio, dish, radio_endpoint, dish_endpoint, _context: context };
        eventually("the RADIO knows of the DISH", || {
            publish(&this.radio, b"good", b"first");
            hear(&this.dish).is_some()
        });
        while hear(&this.dish).is_some() {}
        this.dish.set(ZMQ_RCVTIMEO, 3000).expect("an option");
        this
    }

    /// They are served as ever, and nothing else comes.
    fn go_on(&self) {
        publish(&self.radio, b"good", b"message");
        assert_eq!(hear(&self.dish), Some((b"good".to_vec(), b"message".to_vec())));
    }

    /// A peer that says it is a DISH.
    fn stranger(&self) -> TcpStream {
        let mut stream = dial(&self.radio_endpoint);
        say(&mut stream, &[greeting(), ready("DISH")].concat());
        let mut answer = vec![0; greeting().len() + ready("RADIO").len()];
        stream.read_exact(&mut answer).expect("an answer");
        stream
    }
}

impl Drop for Bystanders {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.go_on();
            assert_no_panics();
        }
    }
}

/// A command whose body is too long for a short frame.
fn long_command(name: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![6];
    bytes.extend_from_slice(&u64::try_from(name.len() + body.len()).expect("a size").to_be_bytes());
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(body);
    bytes
}

#[test]
fn groups_that_are_joined_wrongly_are_not_joined() {
    let _alone = alone();
    let bystanders = Bystanders::new();
    let mut stranger = bystanders.stranger();
    let mut said = Vec::new();
    // Too long by a byte, by much; cut short; never joined; not a command; a name that isn't one.
    said.extend(long_command(b"\x04JOIN", &[b'x'; 256]));
    said.extend(long_command(b"\x04JOIN", &vec![b'x'; 100_000]));
    said.extend(long_command(b"\x05LEAVE", &[b'x'; 256]));
    said.extend(command("LEAVE", b"never joined"));
    said.extend(frame(4, b"\x04JOI"));
    said.extend(frame(4, b"\xffJOIN"));
    said.extend(frame(4, b""));
    said.extend(frame(0, b"\x04JOINgood"));
    said.extend(frame(1, b"\x04JOINgood"));
    said.extend(frame(0, b"and more"));
    said.extend(command("join", b"good"));
    said.extend(command("SUBSCRIBE", b"good"));
    // At last one that is right. It ends at a zero byte, as groups do.
    said.extend(command("JOIN", b"right\0but for this"));
    say(&mut stranger, &said);
    let mut got = [0; 15];
    stranger.set_read_timeout(Some(std::time::Duration::from_millis(20))).expect("an option");
    eventually("the last one has joined", || {
        bystanders.go_on();
        publish(&bystanders.radio, b"right", b"body");
        stranger.read_exact(&mut got[..13]).is_ok()
    });
    assert_eq!(&got[..13], b"\x01\x05right\x00\x04body");
    drop(stranger);
    bystanders.go_on();
}

#[test]
fn joining_without_end_costs_the_peer_itself() {
    let _alone = alone();
    let bystanders = Bystanders::new();
    let mut stranger = bystanders.stranger();
    for round in 0..2000_u32 {
        let group = (round % 500).to_be_bytes();
        let said = [command("JOIN", &group), command("JOIN", &group), command("LEAVE", &group)].concat();
        say(&mut stranger, &said);
    }
    bystanders.go_on();
    drop(stranger);
}

#[test]
fn a_radio_that_does_not_send_two_frames_is_cut_off() {
    let _alone = alone();
    let bystanders = Bystanders::new();
    let hello = [greeting(), ready("RADIO")].concat();
    let mut long_group = vec![3];
    long_group.extend_from_slice(&256_u64.to_be_bytes());
    long_group.extend_from_slice(&[b'x'; 256]);
    let one = frame(0, b"good");
    let three = [frame(1, b"good"), frame(1, b"2"), frame(0, b"3")].concat();
    let then_one = [frame(1, b"good"), frame(0, b"from a stranger"), frame(0, b"x")].concat();
    for (wrong, before) in [(one, 0), (three, 0), (long_group, 0), (then_one, 1)] {
        for at_once in [true, false] {
            let mut stranger = dial(&bystanders.dish_endpoint);
            let said = [&hello[..], &wrong].concat();
            if at_once {
                say(&mut stranger, &said);
            } else {
                said.iter().for_each(|byte| say(&mut stranger, &[*byte]));
            }
            assert!(is_closed(&mut stranger));
            for _ in 0..before {
                assert_eq!(hear(&bystanders.dish), Some((b"good".to_vec(), b"from a stranger".to_vec())));
            }
            bystanders.go_on();
        }
    }
    // What is right is heard, with commands in between.
    let mut stranger = dial(&bystanders.dish_endpoint);
    let said = [&frame(1, b"good")[..], &command("PING", b"\0\0"), &command("WHAT", b""), &frame(0, b"body")];
    say(&mut stranger, &[&hello[..], &said.concat()].concat());
    assert_eq!(hear(&bystanders.dish), Some((b"good".to_vec(), b"body".to_vec())));
}

#[test]
fn random_frames_to_both_disturb_nobody() {
    let _alone = alone();
    let bystanders = Bystanders::new();
    let mut dice = Dice(0x0123_4567_89ab_cdef);
    for round in 0..60 {
        let (endpoint, kind) = match round % 2 {
            0 => (&bystanders.radio_endpoint, "DISH"),
            _ => (&bystanders.dish_endpoint, "RADIO"),
        };
        let mut stranger = dial(endpoint);
        say(&mut stranger, &[greeting(), ready(kind)].concat());
        for _ in 0..20 {
            let flags = dice.below(8) as u8 & !2;
            let count = dice.below(40);
            // Not the group of the others.
            let mut body = dice.bytes(count);
            body.iter_mut().filter(|byte| **byte == b'g').for_each(|byte| *byte = 0);
            say(&mut stranger, &frame(flags, &body));
        }
        let count = dice.below(60);
        say(&mut stranger, &dice.bytes(count));
        bystanders.go_on();
    }
}

/// The reference's DISH ends a connection when a PING comes.
#[test]
fn a_dish_answers_heartbeats() {
    let _alone = alone();
    let context = Context::new();
    let (radio, dish) = (context.socket(ZMQ_RADIO), context.socket(ZMQ_DISH));
    radio.set(ZMQ_HEARTBEAT_IVL, 10).expect("an option");
    radio.set(ZMQ_HEARTBEAT_TIMEOUT, 2000).expect("an option");
    let endpoint = radio.bind_tcp();
    join(&dish, c"g");
    dish.connect(&endpoint).expect("an endpoint");
    dish.set(ZMQ_RCVTIMEO, 20).expect("an option");
    eventually("they know each other", || {
        publish(&radio, b"g", b"first");
        hear(&dish).is_some()
    });
    while hear(&dish).is_some() {}
    // Were the connection lost at a PING, messages would be, too, until it is made again.
    dish.set(ZMQ_RCVTIMEO, 3000).expect("an option");
    for _ in 0..40 {
        std::thread::sleep(std::time::Duration::from_millis(5));
        publish(&radio, b"g", b"still");
        assert_eq!(hear(&dish), Some((b"g".to_vec(), b"still".to_vec())));
    }
}
