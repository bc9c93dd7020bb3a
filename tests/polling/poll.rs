//! `zmq_poll` and `zmq_ppoll`.

use super::*;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};
use zmq::ffi::poll::zmq_ppoll;

const TRANSPORTS: [&str; 2] = ["tcp", "inproc"];
const FOR_EVER: i64 = -1;

#[test]
fn a_message_from_another_thread_ends_the_wait() {
    for transport in TRANSPORTS {
        // Few sockets, more than need no allocation, and more than are taken over from the I/O thread.
        for others in [0, 1, 20, 80] {
            let context = Context::new();
            let (pull, push) = context.pair(transport, (ZMQ_PULL, ZMQ_PUSH));
            let idle: Vec<_> = (0..others).map(|_| context.pair(transport, (ZMQ_PULL, ZMQ_PUSH))).collect();
            let answers = context.pair(transport, (ZMQ_PULL, ZMQ_PUSH));
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for round in 0..200_u8 {
                        push.send(&[round]);
                        answers.0.recv();
                    }
                });
                let mut items: Vec<_> = idle.iter().map(|(pull, _)| pull.item(IN)).collect();
                items.insert(others / 2, pull.item(IN));
                for round in 0..200_u8 {
                    assert_eq!(poll(&mut items, FOR_EVER), Ok(1));
                    assert_eq!(items.iter().map(|item| item.revents).sum::<c_short>(), IN);
                    assert_eq!(items[others / 2].revents, IN);
                    assert_eq!(pull.try_recv(ZMQ_DONTWAIT), Ok(vec![round]));
                    answers.1.send(b"");
                }
            });
        }
    }
}

#[test]
fn all_that_wait_for_a_socket_are_woken() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (pull, push) = context.pair(transport, (ZMQ_PULL, ZMQ_PUSH));
        let (other, _other) = context.pair(transport, (ZMQ_PULL, ZMQ_PUSH));
        let barrier = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for kind in 0..3 {
                let (pull, other, barrier) = (&pull, &other, &barrier);
                scope.spawn(move || {
                    for _ in 0..100 {
                        // Alone, with others, and twice: different ways to sleep.
                        let mut items = vec![pull.item(IN)];
                        match kind {
                            0 => {}
                            1 => items.push(other.item(IN)),
                            _ => items.push(pull.item(IN)),
                        }
                        // The message may come between the look at the first item and that at the second.
                        let found = poll(&mut items, FOR_EVER).unwrap();
                        assert_eq!(found as usize, items.iter().filter(|item| item.revents == IN).count());
                        assert!(found > 0);
                        barrier.wait();
                        barrier.wait();
                    }
                });
            }
            for _ in 0..100 {
                push.send(b"x");
                barrier.wait();
                assert_eq!(pull.recv(), b"x");
                barrier.wait();
            }
        });
    }
}

#[test]
fn time_outs_are_not_early_and_clear_what_was_there() {
    let context = Context::new();
    let (tcp, inproc) =
        (context.pair("tcp", (ZMQ_PULL, ZMQ_PUSH)), context.pair("inproc", (ZMQ_PULL, ZMQ_PUSH)));
    let mut items = [tcp.0.item(IN), inproc.0.item(IN)];
    for count in 0..=2 {
        for timeout in [0, 20] {
            let start = Instant::now();
            assert_eq!(poll(&mut items[..count], timeout), Ok(0));
            assert!(start.elapsed() >= Duration::from_millis(timeout as u64));
            assert!(items[..count].iter().all(|item| item.revents == 0));
        }
    }
}

#[test]
fn sockets_and_descriptors_together() {
    let context = Context::new();
    let (pull, push) = context.pair("inproc", (ZMQ_PULL, ZMQ_PUSH));
    let (reader, mut writer) = system_pipe();
    let mut items = [
        descriptor(reader.as_raw_fd(), IN),
        pull.item(IN),
        descriptor(-1, IN),
        descriptor(writer.as_raw_fd(), OUT),
    ];
    assert_eq!(poll(&mut items, FOR_EVER), Ok(1));
    assert_eq!(items.map(|item| item.revents), [0, 0, 0, OUT]);
    push.send(b"");
    assert_eq!(poll(&mut items, FOR_EVER), Ok(2));
    assert_eq!(items.map(|item| item.revents), [0, IN, 0, OUT]);
    std::thread::scope(|scope| {
        pull.recv();
        scope.spawn(|| writer.write_all(b"x").unwrap());
        assert_eq!(poll(&mut items[..3], FOR_EVER), Ok(1));
        assert_eq!(items.map(|item| item.revents), [IN, 0, 0, OUT]);
    });
    let fd = reader.as_raw_fd();
    drop(writer);
    assert_eq!(poll(&mut [descriptor(fd, IN)], FOR_EVER), Ok(1));
    let mut item = [descriptor(fd, 0)];
    assert_eq!(poll(&mut item, FOR_EVER), Ok(1));
    assert_eq!(item[0].revents, ERR, "whatever was asked for");
}

#[test]
fn room_ends_the_wait_too() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
        pull.set(ZMQ_RCVHWM, 2);
        push.set(ZMQ_SNDHWM, 2);
        push.connect(&pull.bind(transport));
        let body = vec![0; 1 << 20];
        let mut count = 0;
        std::thread::scope(|scope| {
            // Some more than fit anywhere, each sent without waiting after the poll said so.
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut items = [push.item(OUT), pull.item(0)];
                    assert_eq!(poll(&mut items, FOR_EVER), Ok(1));
                    assert_eq!(items[0].revents, OUT);
                    assert_eq!(push.try_send(&body, ZMQ_DONTWAIT), Ok(()));
                }
            });
            while count < 50 {
                pull.recv();
                count += 1;
            }
        });
    }
}

#[test]
fn what_is_no_list_of_sockets_is_an_error() {
    let context = Context::new();
    let socket = context.socket(ZMQ_PULL);
    // SAFETY: what isn't there isn't touched.
    unsafe {
        assert_eq!(checked(zmq_poll(null_mut(), -1, 0)), Err(libc::EINVAL));
        assert_eq!(checked(zmq_poll(null_mut(), 1, 0)), Err(libc::EFAULT));
        assert_eq!(checked(zmq_poll(null_mut(), 0, 0)), Ok(0));
    }
    let mut items = [socket.item(IN)];
    socket.close();
    assert_eq!(poll(&mut items, FOR_EVER), Err(libc::ENOTSOCK));
    items[0].socket = (&raw mut items).cast();
    assert_eq!(poll(&mut items, FOR_EVER), Err(libc::ENOTSOCK));
}

#[test]
fn closing_and_shutting_down_end_the_wait() {
    for transport in TRANSPORTS {
        for others in [0, 1] {
            let context = Context::new();
            let (pull, push) = context.pair(transport, (ZMQ_PULL, ZMQ_PUSH));
            let (second, _push) = context.pair(transport, (ZMQ_PULL, ZMQ_PUSH));
            // So that the wait has a connection to sleep on.
            push.send(b"");
            pull.recv();
            let mut items = vec![pull.item(IN)];
            items.extend((0..others).map(|_| second.item(IN)));
            let mut items: Vec<_> = items.iter().map(|item| (item.socket.addr(), item.events)).collect();
            let wait = |items: &mut Vec<(usize, c_short)>| {
                let mut items: Vec<_> = items
                    .iter()
                    .map(|(socket, events)| zmq_pollitem_t {
                        socket: std::ptr::without_provenance_mut(*socket),
                        fd: 0,
                        events: *events,
                        revents: 0,
                    })
                    .collect();
                poll(&mut items, FOR_EVER)
            };
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| wait(&mut items));
                pull.close();
                assert_eq!(waiting.join().unwrap(), Err(libc::ENOTSOCK));
            });
            let mut items = vec![(second.0.addr(), IN)];
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| wait(&mut items));
                context.shutdown();
                assert_eq!(waiting.join().unwrap(), Err(TERMINATED));
            });
        }
    }
}

#[test]
fn the_descriptor_of_a_socket_tells_of_what_comes_after_a_poll() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (pull, push) = context.pair(transport, (ZMQ_PULL, ZMQ_PUSH));
        let fd = pull.get(ZMQ_FD);
        for round in 0..20_u8 {
            push.send(&[round]);
            if round % 2 == 0 {
                assert_eq!(poll(&mut [pull.item(IN)], FOR_EVER), Ok(1));
            } else {
                // As event loops do it.
                while pull.get(ZMQ_EVENTS) & ZMQ_POLLIN == 0 {
                    assert_eq!(poll(&mut [descriptor(fd, IN)], 10_000), Ok(1));
                }
            }
            assert_eq!(pull.try_recv(ZMQ_DONTWAIT), Ok(vec![round]));
        }
    }
}

#[test]
fn the_descriptor_of_a_socket_beside_the_socket_tells_what_it_had_to_tell() {
    let context = Context::new();
    let pull = context.socket(ZMQ_PULL);
    let fd = pull.get(ZMQ_FD);
    for timeout in [0, 10_000] {
        pull.bind("tcp");
        let mut items = [pull.item(IN), descriptor(fd, IN)];
        assert_eq!(poll(&mut items, timeout), Ok(1));
        assert_eq!((items[0].revents, items[1].revents), (0, IN));
        assert_eq!(poll(&mut items, 0), Ok(0), "asking the socket has made it quiet");
    }
}

#[test]
fn the_descriptor_of_a_socket_is_readable_after_bind_and_connect() {
    let context = Context::new();
    for kind in [ZMQ_PULL, ZMQ_PUSH, ZMQ_DEALER, ZMQ_SUB, ZMQ_PUB] {
        let socket = context.socket(kind);
        let fd = socket.get(ZMQ_FD);
        let is_readable = || poll(&mut [descriptor(fd, IN)], 0) == Ok(1);
        socket.get(ZMQ_EVENTS);
        assert!(!is_readable());
        for act in [
            |socket: &Socket| drop(socket.bind("tcp")),
            |socket: &Socket| socket.connect("tcp://127.0.0.1:1"),
        ] {
            act(&socket);
            assert!(is_readable());
            socket.get(ZMQ_EVENTS);
            assert!(!is_readable());
        }
    }
}

extern "C" fn handler(_signal: c_int) {}

#[test]
fn a_signal_that_is_let_through_comes_before_events() {
    let context = Context::new();
    let (pull, push) = context.pair("inproc", (ZMQ_PULL, ZMQ_PUSH));
    push.send(b"");
    // SAFETY: zeroed signal actions and masks are valid, and the handler does nothing.
    let (blocked, open) = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as extern "C" fn(c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, null_mut()), 0);
        let (mut blocked, mut open) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigaddset(&mut blocked, libc::SIGUSR1);
        libc::pthread_sigmask(libc::SIG_BLOCK, &blocked, &mut open);
        (blocked, open)
    };
    let raise = || {
        // SAFETY: this very thread.
        assert_eq!(unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGUSR1) }, 0);
    };
    let ppoll = |timeout: i64, mask: &libc::sigset_t| {
        let mut items = [pull.item(IN)];
        // SAFETY: one item, and a mask.
        checked(unsafe { zmq_ppoll(items.as_mut_ptr(), 1, timeout, mask) })
    };
    raise();
    assert_eq!(ppoll(FOR_EVER, &blocked), Ok(1));
    assert_eq!(ppoll(FOR_EVER, &open), Err(libc::EINTR));
    assert_eq!(ppoll(FOR_EVER, &open), Ok(1));
    pull.recv();
    for timeout in [0, 10_000, FOR_EVER] {
        raise();
        assert_eq!(ppoll(timeout, &open), Err(libc::EINTR));
    }
    raise();
    assert_eq!(ppoll(0, &blocked), Ok(0));
}
