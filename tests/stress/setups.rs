//! Many short connections at once, to sockets whose threads wait in every way: who has to be woken by a connection that has just opened, or by the
//! first message behind a handshake, is.
//!
//! Handshakes are watched by the I/O thread, open connections by whoever waits for the socket, so these tests are about the moment in between.

use crate::support::{Context, Socket, errno};
use crate::{PATIENCE, socket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use zmq::ffi::constants::*;
use zmq::ffi::poll::{zmq_poll, zmq_pollitem_t};
use zmq::ffi::util::zmq_curve_keypair;

/// How two sockets reach each other.
#[derive(Clone, Copy, Debug)]
enum Way {
    Tcp,
    Ipc,
    Ws,
    Curve,
    WsCurve,
}

const WAYS: [Way; 5] = [Way::Tcp, Way::Ipc, Way::Ws, Way::Curve, Way::WsCurve];

/// A place to bind to.
struct Place {
    way: Way,
    public: [u8; 41],
    secret: [u8; 41],
}

impl Place {
    fn new(way: Way) -> Self {
        let (mut public, mut secret) = ([0_u8; 41], [0_u8; 41]);
        // SAFETY: room for 41 characters each.
        let code = unsafe { zmq_curve_keypair(public.as_mut_ptr().cast(), secret.as_mut_ptr().cast()) };
        assert_eq!(code, 0);
        Self { way, public, secret }
    }

    /// An endpoint that nobody else uses, for connections neither: each process has a loopback address of its own here.
    fn endpoint(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let scheme = match self.way {
            Way::Ipc => return format!("ipc://@ferrozmq-setups-{process}-{number}"),
            Way::Tcp | Way::Curve => "tcp",
            Way::Ws | Way::WsCurve => "ws",
        };
        let [_, high, middle, low] = process.to_be_bytes();
        let host = std::net::Ipv4Addr::new(127, 128 | high, middle, low);
        format!("{scheme}://{host}:{}", 10_000 + number)
    }

    fn is_sealed(&self) -> bool {
        matches!(self.way, Way::Curve | Way::WsCurve)
    }

    fn bound(&self, context: &Context, kind: i32) -> (Socket, String) {
        let (socket, endpoint) = (self.server(context, kind), self.endpoint());
        socket.bind(&endpoint).expect("it is free");
        (socket, endpoint)
    }

    fn server(&self, context: &Context, kind: i32) -> Socket {
        let socket = socket(context, kind);
        if self.is_sealed() {
            socket.set(ZMQ_CURVE_SERVER, 1).expect("an int");
            socket.set_bytes(ZMQ_CURVE_SECRETKEY, &self.secret).expect("a key");
        }
        socket
    }

    fn client(&self, context: &Context, kind: i32) -> Socket {
        let socket = socket(context, kind);
        socket.set(ZMQ_RECONNECT_IVL, 1).expect("an int");
        if self.is_sealed() {
            // Its own keys don't matter.
            socket.set_bytes(ZMQ_CURVE_SERVERKEY, &self.public).expect("a key");
            socket.set_bytes(ZMQ_CURVE_PUBLICKEY, &self.public).expect("a key");
            socket.set_bytes(ZMQ_CURVE_SECRETKEY, &self.secret).expect("a key");
        }
        socket
    }
}

/// Polls them all until the first one of them can be received from.
fn poll(sockets: &[&Socket]) {
    let item = |socket: &&Socket| zmq_pollitem_t {
        socket: socket.handle(),
        fd: 0,
        events: ZMQ_POLLIN as i16,
        revents: 0,
    };
    let mut items: Vec<_> = sockets.iter().map(item).collect();
    // SAFETY: so many items.
    let ready = unsafe { zmq_poll(items.as_mut_ptr(), items.len() as i32, i64::from(PATIENCE)) };
    assert!(ready >= 1, "the poll has slept on: {ready}, {}", errno());
}

/// Sleeps on `ZMQ_FD` until there is something to be received.
fn watch(socket: &Socket) {
    let fd = socket.get(ZMQ_FD).expect("a descriptor");
    while socket.get(ZMQ_EVENTS).expect("events") & ZMQ_POLLIN == 0 {
        let mut item = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one item.
        assert_eq!(unsafe { libc::poll(&mut item, 1, PATIENCE) }, 1, "ZMQ_FD stayed quiet");
    }
}

/// How a thread waits for messages.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Waiting {
    /// By receiving, and by polls of one socket and of two.
    Mixed,
    /// By the descriptor, as an event loop does.
    Descriptor,
    /// By receiving, which another thread does at the same time.
    Shared,
}

fn receive(socket: &Socket, idle: &Socket, waiting: Waiting, number: u32) -> Vec<u8> {
    match (waiting, number % 3) {
        (Waiting::Descriptor, _) => watch(socket),
        (Waiting::Mixed, 0) => poll(&[socket]),
        (Waiting::Mixed, 1) => poll(&[idle, socket]),
        _ => {}
    }
    socket.recv().unwrap_or_else(|error| panic!("{waiting:?}, message {number}: error {error}"))
}

const SENDERS: u32 = 3;

/// Each message comes over a connection of its own, and ends the receiver's wait.
#[test]
fn a_message_from_each_new_connection() {
    for way in WAYS {
        for waiting in [Waiting::Mixed, Waiting::Descriptor, Waiting::Shared] {
            let context = Context::new();
            let place = Place::new(way);
            let (bound, connecting) =
                if waiting == Waiting::Shared { (ZMQ_SERVER, ZMQ_CLIENT) } else { (ZMQ_PULL, ZMQ_PUSH) };
            let (receiver, endpoint) = place.bound(&context, bound);
            let idle = socket(&context, ZMQ_PULL);
            let turns = 40;
            thread::scope(|scope| {
                for _ in 0..SENDERS {
                    scope.spawn(|| {
                        for turn in 0..turns {
                            let sender = place.client(&context, connecting);
                            sender.set(ZMQ_LINGER, -1).expect("an int");
                            sender.connect(&endpoint).expect("it is bound");
                            assert_eq!(sender.send(b"x"), Ok(1), "{way:?}, turn {turn}");
                        }
                    });
                }
                let receivers = if waiting == Waiting::Shared { 2 } else { 1 };
                let (share, receiver, idle) = (turns * SENDERS / receivers, &receiver, &idle);
                for _ in 0..receivers {
                    scope.spawn(move || {
                        for number in 0..share {
                            assert_eq!(receive(receiver, idle, waiting, number), b"x", "{way:?}");
                        }
                    });
                }
            });
        }
    }
}

/// A thread that waits for somebody to send to goes on with each new connection.
#[test]
fn a_sender_without_peers_goes_on_with_each_new_connection() {
    for way in WAYS {
        let context = Context::new();
        let place = Place::new(way);
        let push = place.server(&context, ZMQ_PUSH);
        let endpoint = place.endpoint();
        // A few messages fill each connection; the rest of the time the sender waits.
        push.set(ZMQ_SNDBUF, 2048).expect("an int");
        push.set(ZMQ_SNDHWM, 2).expect("an int");
        push.bind(&endpoint).expect("it is free");
        let (done, over) = (AtomicU32::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while done.load(Ordering::Relaxed) < SENDERS {
                    push.send(b"x")
                        .unwrap_or_else(|error| panic!("{way:?}: the sender has slept on: {error}"));
                }
                over.store(true, Ordering::Relaxed);
            });
            for _ in 0..SENDERS {
                scope.spawn(|| {
                    for turn in 0..25 {
                        let pull = place.client(&context, ZMQ_PULL);
                        pull.set(ZMQ_RCVHWM, 2).expect("an int");
                        pull.set(ZMQ_RCVBUF, 2048).expect("an int");
                        pull.connect(&endpoint).expect("it is bound");
                        assert_eq!(pull.recv().as_deref(), Ok(&b"x"[..]), "{way:?}, turn {turn}");
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                });
            }
            // The sender may be asleep when the last of those has gone.
            let last = place.client(&context, ZMQ_PULL);
            let end = Instant::now() + Duration::from_secs(100);
            while done.load(Ordering::Relaxed) < SENDERS {
                assert!(Instant::now() < end, "{way:?}: a receiver has failed");
                thread::sleep(Duration::from_millis(1));
            }
            last.connect(&endpoint).expect("it is bound");
            while !over.load(Ordering::Relaxed) {
                let _ = last.try_recv();
            }
        });
    }
}

/// Questions and answers over new connections, with many clients at once; and the same with a server for each, which is bound when its client
/// waits already.
#[test]
fn requests_over_new_connections() {
    for way in WAYS {
        let context = Context::new();
        let place = Place::new(way);
        let (server, endpoint) = place.bound(&context, ZMQ_REP);
        let turns = 30;
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..SENDERS * turns {
                    let request = receive(&server, &server, Waiting::Mixed, number % 3 * 2);
                    assert_eq!(server.send(&request), Ok(request.len() as i32), "{way:?}");
                }
            });
            for client in 0..SENDERS {
                let (context, place, endpoint) = (&context, &place, &endpoint);
                scope.spawn(move || {
                    for turn in 0..turns {
                        let socket = place.client(context, ZMQ_REQ);
                        socket.connect(endpoint).expect("it is bound");
                        ask(&socket, client * turns + turn);
                    }
                });
                scope.spawn(move || {
                    for turn in 0..turns / 3 {
                        bound_late(context, place, turn);
                    }
                });
            }
        });
    }
}

fn ask(socket: &Socket, number: u32) {
    assert_eq!(socket.send(&number.to_ne_bytes()), Ok(4));
    if number.is_multiple_of(2) {
        poll(&[socket]);
    }
    assert_eq!(socket.recv().as_deref(), Ok(&number.to_ne_bytes()[..]));
}

/// Binds after the client has connected and asked, and perhaps when it has tried in vain.
fn bound_late(context: &Context, place: &Place, number: u32) {
    let (server, client) = (place.server(context, ZMQ_REP), place.client(context, ZMQ_REQ));
    let endpoint = place.endpoint();
    client.connect(&endpoint).expect("nobody need be there");
    thread::scope(|scope| {
        scope.spawn(|| ask(&client, number));
        if number.is_multiple_of(2) {
            thread::sleep(Duration::from_millis(2));
        }
        server.bind(&endpoint).expect("it is free");
        let request = receive(&server, &server, Waiting::Mixed, number % 3 * 2);
        assert_eq!(server.send(&request), Ok(request.len() as i32));
    });
}
