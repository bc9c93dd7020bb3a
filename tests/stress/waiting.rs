//! All the ways to wait for a message, in turns: none of them loses one, or sleeps while there is one.

use crate::support::{Context, Socket};
use crate::{PATIENCE, TRANSPORTS, body, joined, read};
use std::thread;
use std::time::{Duration, Instant};
use zmq::ffi::constants::{
    ZMQ_DEALER, ZMQ_EVENTS, ZMQ_FD, ZMQ_PAIR, ZMQ_POLLIN, ZMQ_POLLOUT, ZMQ_PULL, ZMQ_PUSH,
};
use zmq::ffi::poll::{zmq_poll, zmq_pollitem_t};

fn has_events(socket: &Socket, wanted: i32) -> bool {
    socket.get(ZMQ_EVENTS).expect("events") & wanted != 0
}

/// Sleeps on `ZMQ_FD` as an event loop does, until there is one of the events.
fn watch(socket: &Socket, fd: i32, wanted: i32) {
    while !has_events(socket, wanted) {
        let mut item = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one item.
        let ready = unsafe { libc::poll(&mut item, 1, PATIENCE) };
        assert_eq!(ready, 1, "ZMQ_FD stayed quiet");
    }
}

fn poll(socket: &Socket, wanted: i32) {
    let mut item = zmq_pollitem_t { socket: socket.handle(), fd: 0, events: wanted as i16, revents: 0 };
    // SAFETY: one item.
    let ready = unsafe { zmq_poll(&mut item, 1, i64::from(PATIENCE)) };
    assert_eq!((ready, i32::from(item.revents) & wanted), (1, wanted), "the poll has slept on");
}

/// The pause between sends: none, or long enough for the receiver to go to sleep, or for the I/O thread to take connections back.
fn pause(number: u32) {
    match number % 200 {
        199 => thread::sleep(Duration::from_millis(12)),
        n if n % 20 == 19 => thread::sleep(Duration::from_micros(100)),
        _ => {}
    }
}

/// Receives `count` messages; before each `wait` may wait for it as it likes.
fn check(kinds: (i32, i32), mark: i32, count: u32, mut wait: impl FnMut(&Socket, u32)) {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (receiver, sender) = joined(&context, transport, kinds, mark);
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..count {
                    pause(number);
                    sender.send(&body(1, number)).expect("room");
                }
            });
            for number in 0..count {
                wait(&receiver, number);
                let message =
                    receiver.recv().unwrap_or_else(|error| panic!("message {number}: error {error}"));
                assert_eq!(read(&message), (1, number));
            }
        });
    }
}

#[test]
fn an_event_loop_on_the_descriptor() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (receiver, sender) = joined(&context, transport, (ZMQ_PULL, ZMQ_PUSH), 20);
        let count = 3_000;
        thread::scope(|scope| {
            scope.spawn(|| {
                let fd = sender.get(ZMQ_FD).expect("a descriptor");
                for number in 0..count {
                    pause(number);
                    while sender.try_send(&body(1, number)) == Err(libc::EAGAIN) {
                        watch(&sender, fd, ZMQ_POLLOUT);
                    }
                }
            });
            let fd = receiver.get(ZMQ_FD).expect("a descriptor");
            let mut number = 0;
            while number < count {
                watch(&receiver, fd, ZMQ_POLLIN);
                while let Ok(message) = receiver.try_recv() {
                    assert_eq!(read(&message), (1, number));
                    number += 1;
                }
            }
        });
    }
}

#[test]
fn polling() {
    check((ZMQ_PULL, ZMQ_PUSH), 20, 2_000, |socket, _| poll(socket, ZMQ_POLLIN));
}

#[test]
fn every_way_in_turns() {
    let mut fds = std::collections::HashMap::new();
    check((ZMQ_DEALER, ZMQ_DEALER), 20, 3_000, |socket, number| {
        match number.wrapping_mul(2_654_435_761) >> 29 {
            0 | 1 => {}
            2 => poll(socket, ZMQ_POLLIN),
            3 => {
                let fd =
                    *fds.entry(socket.handle()).or_insert_with(|| socket.get(ZMQ_FD).expect("a descriptor"));
                watch(socket, fd, ZMQ_POLLIN);
            }
            4 => {
                let end = Instant::now() + Duration::from_millis(PATIENCE as u64);
                while !has_events(socket, ZMQ_POLLIN) {
                    assert!(Instant::now() < end, "ZMQ_EVENTS has never shown it");
                    thread::yield_now();
                }
            }
            // A waiting receive follows each of these, when the connection may be anybody's.
            5 => thread::sleep(Duration::from_micros(50)),
            6 if number % 40 == 0 => thread::sleep(Duration::from_millis(15)),
            _ => drop(has_events(socket, ZMQ_POLLIN)),
        }
    });
}

/// Questions and answers, where each side waits in another way each time.
#[test]
fn ping_pong_in_every_way() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (a, b) = joined(&context, transport, (ZMQ_PAIR, ZMQ_PAIR), 1);
        let wait = |socket: &Socket, number: u32| match number.wrapping_mul(2_654_435_761) >> 30 {
            0 => poll(socket, ZMQ_POLLIN),
            1 => {
                let fd = socket.get(ZMQ_FD).expect("a descriptor");
                watch(socket, fd, ZMQ_POLLIN);
            }
            _ => {}
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..2_000 {
                    wait(&a, number + 1);
                    assert_eq!(read(&a.recv().expect("a question")), (1, number));
                    a.send(&body(2, number)).expect("room");
                }
            });
            for number in 0..2_000 {
                b.send(&body(1, number)).expect("room");
                wait(&b, number);
                assert_eq!(read(&b.recv().expect("an answer")), (2, number));
            }
        });
    }
}
