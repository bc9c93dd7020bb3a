//! Sockets that are made to be shared: several threads send and receive by each.

use crate::support::Context;
use crate::support::Socket;
use crate::{PATIENCE, TRANSPORTS, body, joined, read, socket};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use zmq::ffi::constants::{
    ZMQ_CHANNEL, ZMQ_CLIENT, ZMQ_GATHER, ZMQ_PEER, ZMQ_POLLIN, ZMQ_RCVTIMEO, ZMQ_SCATTER, ZMQ_SERVER,
};
use zmq::ffi::poll::{zmq_poll, zmq_pollitem_t};

const THREADS: u8 = 3;
const COUNT: u32 = 700;

fn wait_for_message(socket: &Socket) {
    let mut item = zmq_pollitem_t { socket: socket.handle(), fd: 0, events: ZMQ_POLLIN as i16, revents: 0 };
    // SAFETY: one item.
    assert_eq!(unsafe { zmq_poll(&mut item, 1, i64::from(PATIENCE)) }, 1, "the poll has slept on");
}

/// Receives and sends back until there is an empty message, which it leaves to the next thread.
fn answer(server: &Socket, polls: bool) {
    loop {
        if polls {
            wait_for_message(server);
        }
        // Another thread may have been quicker after a poll.
        let received = if polls { server.try_recv_from() } else { server.recv_from() };
        match received {
            Ok((_, request)) if request.is_empty() => return,
            Ok((from, request)) => assert_eq!(server.send_to(from, &request), Ok(request.len() as i32)),
            Err(error) => assert_eq!(error, libc::EAGAIN),
        }
    }
}

/// Several threads ask by each of several clients at once, and several threads answer: each answer comes to the client that has asked, once and
/// whole.
#[test]
fn clients_and_servers_shared_by_threads() {
    for transport in TRANSPORTS {
        for mark in [3, 1000] {
            let context = Context::new();
            let (server, first) = joined(&context, transport, (ZMQ_SERVER, ZMQ_CLIENT), mark);
            let second = socket(&context, ZMQ_CLIENT);
            second.connect(&server.last_endpoint()).expect("it is bound");
            thread::scope(|scope| {
                for number in 0..THREADS {
                    let server = &server;
                    scope.spawn(move || answer(server, number == 0));
                }
                let clients: Vec<_> = [(1, &first), (2, &second)]
                    .map(|(from, client)| scope.spawn(move || ask(client, from)))
                    .into();
                clients.into_iter().for_each(|client| client.join().expect("no panic"));
                (0..THREADS).for_each(|_| assert_eq!(first.send(b""), Ok(0)));
            });
            assert_eq!(first.try_recv(), Err(libc::EAGAIN));
            assert_eq!(second.try_recv(), Err(libc::EAGAIN));
        }
    }
}

/// Two threads send requests by one client and two receive the answers.
fn ask(client: &Socket, from: u8) {
    let (next, outstanding) = (AtomicU32::new(0), AtomicU32::new(COUNT));
    let answers = Mutex::new(Vec::new());
    client.set(ZMQ_RCVTIMEO, PATIENCE).expect("an int");
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= COUNT {
                        return;
                    }
                    client.send(&body(from, number)).expect("room");
                }
            });
            scope.spawn(|| {
                while outstanding
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_ok()
                {
                    let (origin, number) = read(&client.recv().expect("an answer"));
                    assert_eq!(origin, from, "another one's answer");
                    answers.lock().expect("no panic").push(number);
                }
            });
        }
    });
    let mut answers = answers.into_inner().expect("no panic");
    answers.sort_unstable();
    assert!(answers.into_iter().eq(0..COUNT));
}

/// Every thread's messages arrive once, whichever thread receives them.
#[test]
fn pipelines_and_channels_shared_by_threads() {
    for kinds in [(ZMQ_GATHER, ZMQ_SCATTER), (ZMQ_CHANNEL, ZMQ_CHANNEL)] {
        for transport in TRANSPORTS {
            let context = Context::new();
            let (receiver, sender) = joined(&context, transport, kinds, 10);
            let received = Mutex::new(HashMap::<(u8, u32), u32>::new());
            thread::scope(|scope| {
                let senders: Vec<_> = (0..THREADS)
                    .map(|from| {
                        let sender = &sender;
                        scope.spawn(move || {
                            for number in 0..COUNT {
                                sender.send(&body(from, number)).expect("room");
                            }
                        })
                    })
                    .collect();
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        loop {
                            let message = receiver.recv().expect("a message");
                            if message.is_empty() {
                                return;
                            }
                            *received.lock().expect("no panic").entry(read(&message)).or_default() += 1;
                        }
                    });
                }
                senders.into_iter().for_each(|sender| sender.join().expect("no panic"));
                (0..THREADS).for_each(|_| assert_eq!(sender.send(b""), Ok(0)));
            });
            let received = received.into_inner().expect("no panic");
            assert_eq!(received.len(), usize::from(THREADS) * COUNT as usize);
            assert!(received.values().all(|&times| times == 1));
        }
    }
}

/// Connections come and go under threads that send to whoever there is.
#[test]
fn peers_that_come_and_go_while_threads_send_to_them() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let bound = socket(&context, ZMQ_PEER);
        let endpoint = transport.bind(&bound);
        let done = AtomicU32::new(0);
        thread::scope(|scope| {
            // Two that answer, one of which turns peers away from time to time.
            for number in 0..2 {
                let (bound, done) = (&bound, &done);
                scope.spawn(move || {
                    let mut answered = 0;
                    while done.load(Ordering::Relaxed) < 2 {
                        let Ok((from, request)) = bound.try_recv_from() else {
                            thread::yield_now();
                            continue;
                        };
                        match bound.send_to(from, &request) {
                            Ok(sent) => assert_eq!(sent, request.len() as i32),
                            Err(error) => assert_eq!(error, libc::EHOSTUNREACH),
                        }
                        answered += 1;
                        if number == 0 && answered % 50 == 0 {
                            let ended = bound.disconnect_peer(from);
                            assert!(ended.is_ok() || ended == Err(libc::EHOSTUNREACH));
                        }
                    }
                });
            }
            for from in 1..3 {
                let (context, endpoint, done) = (&context, &endpoint, &done);
                scope.spawn(move || {
                    for round in 0..60 {
                        let peer = socket(context, ZMQ_PEER);
                        peer.set(ZMQ_RCVTIMEO, 200).expect("an int");
                        let to = peer.connect_peer(endpoint).expect("it is bound");
                        for number in 0..5 {
                            // Over inproc it may have been turned away; elsewhere it connects again.
                            if peer.send_to(to, &body(from, round * 5 + number)) == Err(libc::EHOSTUNREACH) {
                                break;
                            }
                            if round % 2 == 0
                                && let Ok((sender, answer)) = peer.recv_from()
                            {
                                assert_eq!((sender, read(&answer).0), (to, from));
                            }
                        }
                        match round % 3 {
                            0 => drop(peer.disconnect_peer(to)),
                            1 => drop(peer.disconnect(endpoint)),
                            _ => {}
                        }
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        // It is none the worse for it.
        let peer = socket(&context, ZMQ_PEER);
        let to = peer.connect_peer(&endpoint).expect("it is bound");
        peer.send_to(to, b"and now").expect("room");
        loop {
            let (from, request) = bound.recv_from().expect("a message");
            if request == b"and now" {
                bound.send_to(from, b"yes").expect("it is there");
                break;
            }
        }
        assert_eq!(peer.recv_from(), Ok((to, b"yes".to_vec())));
    }
}
