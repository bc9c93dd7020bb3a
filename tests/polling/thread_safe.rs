//! Polling sockets that several threads may share.

use super::*;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use zmq::ffi::poll::zmq_ppoll;
use zmq::ffi::poller::*;

fn server_and_client(context: &Context, transport: &str) -> (Socket, Socket) {
    context.pair(transport, (ZMQ_SERVER, ZMQ_CLIENT))
}

fn found<const N: usize>(
    mut items: [zmq_pollitem_t; N],
    timeout: i64,
) -> (Result<c_int, c_int>, [c_short; N]) {
    let count = poll(&mut items, timeout);
    (count, items.map(|item| item.revents))
}

#[test]
fn a_poll_tells_what_they_have() {
    let context = Context::new();
    for transport in ["inproc", "tcp"] {
        let (server, client) = server_and_client(&context, transport);
        // A server says yes, whoever the message is for.
        assert_eq!(found([server.item(IN | OUT), client.item(IN | OUT)], 0), (Ok(2), [OUT, OUT]));
        assert_eq!(found([server.item(IN)], 10), (Ok(0), [0]));
        client.send(b"x");
        let pair = context.socket(ZMQ_PAIR);
        assert_eq!(found([server.item(IN)], 30_000), (Ok(1), [IN]));
        assert_eq!(found([pair.item(IN), server.item(IN), client.item(IN)], 30_000), (Ok(1), [0, IN, 0]));
        assert_eq!(server.recv(), b"x");
        std::thread::scope(|scope| {
            scope.spawn(|| client.send(b"later"));
            assert_eq!(found([pair.item(IN), server.item(IN)], 30_000), (Ok(1), [0, IN]));
        });
        assert_eq!(server.recv(), b"later");
    }
}

#[test]
fn what_a_poll_takes_beside_them_is_what_a_poller_takes() {
    let context = Context::new();
    let (server, pair) = (context.socket(ZMQ_SERVER), context.socket(ZMQ_PAIR));
    let nothing = descriptor(-1, IN);
    assert_eq!(found([pair.item(IN), nothing], 0), (Ok(0), [0, 0]));
    assert_eq!(found([server.item(OUT), nothing], 0).0, Err(libc::EBADF));
    assert_eq!(found([nothing, server.item(OUT)], 0).0, Err(libc::EBADF));
    assert_eq!(found([server.item(OUT), descriptor(-5, IN)], 0), (Ok(1), [OUT, 0]));
    assert_eq!(found([pair.item(16)], 0), (Ok(0), [0]));
    assert_eq!(found([server.item(OUT | 16)], 0).0, Err(libc::EINVAL));
    let (_reader, writer) = system_pipe();
    assert_eq!(found([server.item(OUT), descriptor(writer.as_raw_fd(), 16)], 0).0, Err(libc::EINVAL));
    // No event at all to wait for.
    assert_eq!(found([server.item(0)], -1).0, Err(libc::EFAULT));
    let begin = std::time::Instant::now();
    assert_eq!(found([server.item(0), pair.item(0)], 20), (Ok(0), [0, 0]));
    assert!(begin.elapsed() >= std::time::Duration::from_millis(20));
    assert_eq!(found([server.item(ERR | ZMQ_POLLPRI as c_short)], 0), (Ok(0), [0]));
    let mut item = server.item(IN);
    // SAFETY: one item, and no mask.
    assert_eq!(checked(unsafe { zmq_ppoll(&mut item, 1, 0, std::ptr::null()) }), Err(libc::EINVAL));
}

#[test]
fn the_items_that_have_events_are_counted_and_errors_are_shown() {
    let context = Context::new();
    let (server, client) = server_and_client(&context, "inproc");
    assert_eq!(
        found([server.item(OUT), client.item(OUT), server.item(IN), server.item(OUT)], 0),
        (Ok(3), [OUT, OUT, 0, OUT])
    );
    let (reader, writer) = system_pipe();
    drop(reader);
    assert_eq!(found([server.item(IN), descriptor(writer.as_raw_fd(), IN)], 0), (Ok(1), [0, ERR]));
}

#[test]
fn the_end_of_the_context_ends_the_poll() {
    let context = Context::new();
    let (server, client) = server_and_client(&context, "tcp");
    std::thread::scope(|scope| {
        let alone = scope.spawn(|| found([server.item(IN)], 30_000).0);
        let both = scope.spawn(|| found([client.item(IN), server.item(IN)], 30_000).0);
        std::thread::sleep(std::time::Duration::from_millis(20));
        context.shutdown();
        assert_eq!(alone.join().unwrap(), Err(TERMINATED));
        assert_eq!(both.join().unwrap(), Err(TERMINATED));
    });
}

/// A poller with a descriptor.
struct Poller(*mut c_void);

// SAFETY: pollers may be used by any thread.
unsafe impl Sync for Poller {}

impl Poller {
    fn new(sockets: &[&Socket]) -> Self {
        // SAFETY: takes nothing.
        let this = Self(unsafe { zmq_poller_new() });
        sockets.iter().for_each(|socket| this.add(socket));
        this
    }

    fn add(&self, socket: &Socket) {
        // SAFETY: handles.
        assert_eq!(unsafe { zmq_poller_add(self.0, socket.0, null_mut(), IN) }, 0);
    }

    fn fd(&self) -> Result<c_int, c_int> {
        let mut fd = -1;
        // SAFETY: a handle, and a place for the descriptor.
        checked(unsafe { zmq_poller_fd(self.0, &mut fd) }).map(|_| fd)
    }

    /// How many sockets have a message.
    fn wait(&self) -> usize {
        // SAFETY: all zero is an event.
        let mut events = [unsafe { std::mem::zeroed::<zmq_poller_event_t>() }; 4];
        // SAFETY: room for four events.
        match checked(unsafe { zmq_poller_wait_all(self.0, events.as_mut_ptr(), 4, 0) }) {
            Ok(count) => count as usize,
            Err(error) => {
                assert_eq!(error, libc::EAGAIN);
                0
            }
        }
    }

    fn is_readable(&self, timeout: c_int) -> bool {
        let mut item = libc::pollfd { fd: self.fd().unwrap(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one item.
        unsafe { libc::poll(&mut item, 1, timeout) == 1 }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        // SAFETY: a handle.
        assert_eq!(unsafe { zmq_poller_destroy(&mut self.0) }, 0);
    }
}

#[test]
fn a_poller_has_a_descriptor_once_it_had_one_of_them() {
    let context = Context::new();
    let (server, pair) = (context.socket(ZMQ_SERVER), context.socket(ZMQ_PAIR));
    let poller = Poller::new(&[]);
    assert_eq!(poller.fd(), Err(libc::EINVAL));
    poller.add(&pair);
    assert_eq!(poller.fd(), Err(libc::EINVAL));
    poller.add(&server);
    let fd = poller.fd().unwrap();
    // SAFETY: handles.
    assert_eq!(unsafe { zmq_poller_remove(poller.0, server.0) }, 0);
    assert_eq!(poller.fd(), Ok(fd));
}

#[test]
fn the_descriptor_of_a_poller_is_readable_from_a_message_to_the_next_wait() {
    let context = Context::new();
    for transport in ["inproc", "tcp"] {
        let (server, client) = server_and_client(&context, transport);
        let (other, other_client) = server_and_client(&context, transport);
        let poller = Poller::new(&[&server]);
        assert!(poller.fd().is_ok());
        // One that is added later counts as well.
        poller.add(&other);
        assert_eq!(poller.wait(), 0);
        for round in 0..20 {
            client.send(b"x");
            assert!(poller.is_readable(30_000), "round {round}");
            while poller.wait() == 0 {
                assert!(poller.is_readable(30_000), "round {round}");
            }
            assert_eq!(server.recv(), b"x");
            other_client.send(b"y");
            while poller.wait() == 0 {
                assert!(poller.is_readable(30_000), "round {round}");
            }
            assert_eq!(other.recv(), b"y");
        }
        assert_eq!(poller.wait(), 0);
        // SAFETY: handles.
        assert_eq!(unsafe { zmq_poller_remove(poller.0, server.0) }, 0);
        while poller.is_readable(0) {
            poller.wait();
        }
        client.send(b"x");
        assert_eq!(server.recv(), b"x");
        assert!(!poller.is_readable(0));
    }
}

#[test]
fn the_descriptor_of_a_poller_tells_of_what_is_there_already() {
    let context = Context::new();
    let (server, client) = server_and_client(&context, "inproc");
    client.send(b"x");
    let poller = Poller::new(&[&server]);
    assert!(poller.is_readable(0));
    assert_eq!(poller.wait(), 1);
    assert!(!poller.is_readable(0));
}

/// Another thread that receives by the same socket mustn't make the descriptor quiet for one that waits for it.
#[test]
fn the_descriptor_of_a_poller_is_the_pollers_alone() {
    let context = Context::new();
    for transport in ["inproc", "tcp"] {
        let (server, client) = server_and_client(&context, transport);
        let poller = Poller::new(&[&server]);
        assert!(poller.fd().is_ok());
        assert_eq!(poller.wait(), 0);
        const COUNT: usize = 2_000;
        let received = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while received.load(Ordering::SeqCst) < COUNT {
                    if server.try_recv(ZMQ_DONTWAIT).is_ok() {
                        received.fetch_add(1, Ordering::SeqCst);
                        // Leaves some for the other one.
                        std::thread::sleep(std::time::Duration::from_micros(20));
                    }
                }
            });
            scope.spawn(|| {
                while received.load(Ordering::SeqCst) < COUNT {
                    if poller.wait() > 0 {
                        received
                            .fetch_add(usize::from(server.try_recv(ZMQ_DONTWAIT).is_ok()), Ordering::SeqCst);
                    } else if !poller.is_readable(5_000) {
                        assert_eq!(received.load(Ordering::SeqCst), COUNT, "slept through a message");
                    }
                }
            });
            (0..COUNT).for_each(|_| client.send(b"x"));
        });
        assert_eq!(server.try_recv(ZMQ_DONTWAIT), Err(libc::EAGAIN));
    }
}
