//! The way between the pipe and a transport, with one that is made up.

use super::*;
use crate::pipe::{Marks, pipe};
use std::collections::VecDeque;

/// Sends into a buffer of so much room, and receives what it is given.
#[derive(Default)]
struct MadeUp {
    sent: Vec<u8>,
    begins: Vec<usize>,
    room: usize,
    flushes: usize,
    arrivals: VecDeque<(u64, Given)>,
    lost_step: Vec<u64>,
}

enum Given {
    Bytes(Vec<u8>, Option<usize>),
    Gap,
    Gone,
}

impl Multicast for MadeUp {
    fn layout(&self) -> Layout {
        Layout::MarkedZmtp2
    }

    fn watched(&self) -> Vec<Watched> {
        Vec::new()
    }

    fn ready(&mut self, _now: u64) {}

    fn due(&self) -> Option<u64> {
        None
    }

    fn send(&mut self, bytes: &[u8], begins: bool, _now: u64) -> usize {
        let taken = bytes.len().min(self.room);
        if begins && taken > 0 {
            self.begins.push(self.sent.len());
        }
        self.sent.extend_from_slice(&bytes[..taken]);
        self.room -= taken;
        taken
    }

    fn flush(&mut self, _now: u64) {
        self.flushes += 1;
    }

    fn is_drained(&self) -> bool {
        true
    }

    fn receive(&mut self, buffer: &mut [u8], _now: u64) -> Option<Arrival> {
        let (source, given) = self.arrivals.pop_front()?;
        let what = match given {
            Given::Bytes(bytes, start) => {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                Piece::Bytes { len: bytes.len(), start }
            }
            Given::Gap => Piece::Gap,
            Given::Gone => Piece::Gone,
        };
        Some(Arrival { source, what })
    }

    fn out_of_step(&mut self, source: u64) {
        self.lost_step.push(source);
    }
}

const FRAMES: Frames = Frames { version: Version::V2, marked: true };
const AMPLE: Marks = Marks { send: 100, receive: 100, peer: None };

fn part(body: &[u8], more: bool) -> Message {
    let mut part = Message::from_slice(body).unwrap();
    part.set_more(more);
    part
}

fn outgoing() -> Outgoing {
    Outgoing {
        frames: FRAMES,
        head: Vec::new(),
        part: Message::new(),
        sent: 0,
        first: true,
        unflushed: false,
    }
}

fn incoming(max_msg_size: i64) -> Incoming {
    Incoming {
        frames: FRAMES,
        max_msg_size,
        buffer: vec![0; MAX_PIECE].into_boxed_slice(),
        current: None,
        sources: HashMap::new(),
        held: 0,
    }
}

/// What has come through the pipe.
fn received(inbound: &mut Inbound) -> Vec<Vec<u8>> {
    let mut message = Message::new();
    let mut all = Vec::new();
    while inbound.pop(&mut message) {
        let _ = inbound.count(&message);
        all.push(message.data().to_vec());
    }
    all
}

#[test]
fn what_the_transport_does_not_take_waits() {
    let (mut socket, mut session) = pipe(AMPLE, false);
    let (mut outgoing, mut transport) = (outgoing(), MadeUp::default());
    for (body, more) in [(&b"abc"[..], true), (b"", false), (b"next", false)] {
        socket.outbound.push(part(body, more));
    }
    let _ = socket.outbound.flush();
    let whole = b"\x00\x01\x03abc\xff\x00\x00\x00\x00\x04next";
    for room in 0..=whole.len() {
        transport.room = room - transport.sent.len();
        assert_eq!(outgoing.drive(&mut transport, &mut session.inbound, || (), 0), Next::Wait);
        assert_eq!(transport.sent, whole[..room]);
        // It is told that there is no more when all of it has gone.
        assert_eq!((transport.flushes == 1, outgoing.is_idle()), (room == whole.len(), room == whole.len()));
    }
    assert_eq!(transport.begins, [0, 9]);
}

#[test]
fn a_pipe_that_was_full_has_room_when_the_transport_takes_some() {
    let (mut socket, mut session) = pipe(Marks { send: 2, ..AMPLE }, false);
    let (mut outgoing, mut transport) = (outgoing(), MadeUp { room: 1000, ..MadeUp::default() });
    while socket.outbound.wait_for_room() {
        socket.outbound.push(part(b"x", false));
    }
    let _ = socket.outbound.flush();
    let told = std::cell::Cell::new(0);
    outgoing.drive(&mut transport, &mut session.inbound, || told.set(told.get() + 1), 0);
    assert_eq!(told.get(), 1);
    assert!(socket.outbound.has_room());
}

#[test]
fn sources_do_not_run_into_each_other() {
    let (mut socket, mut session) = pipe(AMPLE, false);
    let (mut incoming, mut transport) = (incoming(-1), MadeUp::default());
    transport.arrivals.extend([
        (1, Given::Bytes(b"\x00\x01\x01a".to_vec(), Some(0))),
        (2, Given::Bytes(b"\x00\x01\x01A\xff\x00\x01B".to_vec(), Some(0))),
        (1, Given::Bytes(b"\xff\x00\x01b".to_vec(), None)),
    ]);
    assert_eq!(incoming.drive(&mut transport, &mut session.outbound, 0), Next::Wait);
    let _ = session.outbound.flush();
    assert_eq!(received(&mut socket.inbound), [b"A", b"B", b"a", b"b"]);
    assert_eq!(incoming.held, 0);
}

#[test]
fn after_a_gap_it_goes_on_with_the_next_message_that_begins() {
    let (mut socket, mut session) = pipe(AMPLE, false);
    let (mut incoming, mut transport) = (incoming(-1), MadeUp::default());
    transport.arrivals.extend([
        // Late: the end of a message, and one that begins behind it.
        (1, Given::Bytes(b"tail\x00\x00\x01a".to_vec(), Some(4))),
        (1, Given::Bytes(b"\x00\x01\x01b\xff".to_vec(), Some(0))),
        (1, Given::Gap),
        (1, Given::Bytes(b"rest".to_vec(), None)),
        (1, Given::Bytes(b"\x00\x00\x01c".to_vec(), Some(0))),
        // No frame at all.
        (1, Given::Bytes(b"\x42\x00\x00\x01d".to_vec(), Some(1))),
        (1, Given::Bytes(b"\x00\x00\x01e".to_vec(), None)),
        (1, Given::Bytes(b"\x00\x00\x01f".to_vec(), Some(0))),
    ]);
    assert_eq!(incoming.drive(&mut transport, &mut session.outbound, 0), Next::Wait);
    let _ = session.outbound.flush();
    assert_eq!(received(&mut socket.inbound), [b"a", b"c", b"f"]);
    assert_eq!((&*transport.lost_step, incoming.held), (&[1][..], 0));
}

#[test]
fn a_full_pipe_stops_it_until_there_is_room() {
    let (mut socket, mut session) = pipe(Marks { receive: 2, ..AMPLE }, false);
    let (mut incoming, mut transport) = (incoming(-1), MadeUp::default());
    transport.arrivals.push_back((1, Given::Bytes(b"\x00\x00\x01x".repeat(5), Some(0))));
    transport.arrivals.push_back((1, Given::Bytes(b"\x00\x00\x01y".to_vec(), Some(0))));
    let mut all = Vec::new();
    for expected in [2, 2, 2, 0] {
        assert_eq!(incoming.drive(&mut transport, &mut session.outbound, 0), Next::Wait);
        let _ = session.outbound.flush();
        let some = received(&mut socket.inbound);
        assert_eq!(some.len(), expected);
        all.extend(some);
    }
    assert_eq!(all.concat(), b"xxxxxy");
}

#[test]
fn what_unfinished_messages_take_is_bounded() {
    let (_socket, mut session) = pipe(AMPLE, false);
    let (mut incoming, mut transport) = (incoming(-1), MadeUp::default());
    // Each says that it is going to send all that one source may.
    let body = (UNFINISHED - 1000) as u64;
    let head = [&b"\x00\x02"[..], &body.to_be_bytes()].concat();
    for source in 0..10 {
        transport.arrivals.push_back((source, Given::Bytes(head.clone(), Some(0))));
    }
    incoming.drive(&mut transport, &mut session.outbound, 0);
    assert_eq!(transport.lost_step, [4, 5, 6, 7, 8, 9]);
    assert!(incoming.held <= ALL_UNFINISHED);
    for source in 0..10 {
        transport.arrivals.push_back((source, Given::Gone));
    }
    incoming.drive(&mut transport, &mut session.outbound, 0);
    assert_eq!((incoming.held, incoming.sources.len()), (0, 0));
    // More sources than there are places.
    for source in 0..2 * SOURCES as u64 {
        transport.arrivals.push_back((source, Given::Bytes(b"\x00".to_vec(), Some(0))));
    }
    while incoming.drive(&mut transport, &mut session.outbound, 0) == Next::Again {}
    assert_eq!(incoming.sources.len(), SOURCES);
}

#[test]
fn a_flood_leaves_the_thread_to_others_in_between() {
    let (_socket, mut session) = pipe(Marks { receive: 0, ..AMPLE }, false);
    let (mut incoming, mut transport) = (incoming(-1), MadeUp::default());
    for _ in 0..2 * BUDGET {
        transport.arrivals.push_back((1, Given::Gap));
    }
    assert_eq!(incoming.drive(&mut transport, &mut session.outbound, 0), Next::Again);
    assert_eq!(transport.arrivals.len(), BUDGET);
}
