//! Descriptors that run out, while connections are accepted and while sockets are made.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use libc::{EAGAIN, EMFILE};
use zmq::ffi::constants::{ZMQ_DEALER, ZMQ_PULL, ZMQ_PUSH, ZMQ_RCVTIMEO};
use zmq::ffi::poll::{zmq_poll, zmq_pollitem_t};

use crate::support::{Context, Socket, eventually};
use crate::wire::{conversation, say};
use crate::{alone, assert_no_panics, watch_for_panics};

/// All the descriptors that the process may have. Given back when dropped.
struct Hoard {
    files: Vec<File>,
    limit: libc::rlimit,
}

impl Hoard {
    /// Takes all but so many.
    fn all_but(spare: usize) -> Self {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: a structure to be filled in.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) }, 0);
        let highest = std::fs::read_dir("/proc/self/fd").expect("proc").count() as u64 + 200;
        let lower = libc::rlimit { rlim_cur: highest.min(limit.rlim_cur), rlim_max: limit.rlim_max };
        // SAFETY: a valid structure; the soft limit alone changes.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &lower) }, 0);
        let mut files = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            files.push(file);
        }
        files.truncate(files.len() - spare);
        Self { files, limit }
    }
}

impl Drop for Hoard {
    fn drop(&mut self) {
        self.files.clear();
        // SAFETY: what getrlimit gave.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &self.limit) };
    }
}

fn unconnected() -> socket2::Socket {
    socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a descriptor")
}

/// Processor time that the process has used.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a structure to be filled in.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn connections_wait_while_there_are_no_descriptors_and_are_served_when_there_are() {
    let _alone = alone();
    watch_for_panics();
    let context = Context::new();
    let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
    let endpoint = pull.bind_tcp();
    push.connect(&endpoint).expect("an endpoint");
    push.send(b"before").expect("a peer");
    assert_eq!(pull.recv().as_deref(), Ok(&b"before"[..]));

    // Descriptors to connect with, and none to accept with.
    let sockets: Vec<_> = (0..3).map(|_| unconnected()).collect();
    let hoard = Hoard::all_but(0);
    let address: SocketAddr = endpoint.trim_start_matches("tcp://").parse().expect("an address");
    let mut streams: Vec<TcpStream> = sockets
        .into_iter()
        .map(|socket| {
            socket.connect(&address.into()).expect("somebody listens");
            socket.into()
        })
        .collect();
    for stream in &mut streams {
        say(stream, &conversation(b"late"));
    }
    let (start, before) = (Instant::now(), cpu_time());
    // Time passes, during which nothing may spin, and those that are there already are served.
    let mut rounds = 0_u32;
    while start.elapsed() < Duration::from_millis(600) {
        push.send(b"meanwhile").expect("a peer");
        assert_eq!(pull.recv().as_deref(), Ok(&b"meanwhile"[..]));
        std::thread::sleep(Duration::from_millis(20));
        rounds += 1;
    }
    let used = cpu_time() - before;
    assert!(rounds > 5 && used < Duration::from_millis(200), "{used:?} of processor time in 600 ms");

    drop(hoard);
    for _ in 0..streams.len() {
        assert_eq!(pull.recv().as_deref(), Ok(&b"late"[..]));
    }
    assert_no_panics();
}

#[test]
fn sockets_and_endpoints_that_find_no_descriptor_say_so_and_nothing_is_lost() {
    let _alone = alone();
    watch_for_panics();
    for spare in 0..12 {
        let context = Context::new();
        let hoard = Hoard::all_but(spare);
        let mut errors = Vec::new();
        let mut note = |result: Result<i32, i32>| {
            if let Err(errno) = result {
                errors.push(errno);
            }
        };
        let socket = context.try_socket(ZMQ_DEALER);
        match &socket {
            Ok(socket) => {
                note(socket.bind("tcp://127.0.0.1:*"));
                note(socket.bind("ipc://*"));
                note(socket.connect("tcp://127.0.0.1:9"));
                note(socket.bind("inproc://any"));
                note(socket.get(zmq::ffi::constants::ZMQ_FD));
                note(socket.get(zmq::ffi::constants::ZMQ_EVENTS));
            }
            Err(errno) => errors.push(*errno),
        }
        assert!(errors.iter().all(|errno| *errno == EMFILE), "{spare} to spare: {errors:?}");
        assert!(spare > 0 || !errors.is_empty(), "nothing needs a descriptor");
        drop(hoard);

        // The same things work now, with the same context and the same socket.
        let socket = socket.unwrap_or_else(|_| context.socket(ZMQ_DEALER));
        works(&context, &socket);
    }
    assert_no_panics();
}

fn works(context: &Context, socket: &Socket) {
    let peer = context.socket(ZMQ_DEALER);
    let endpoint = peer.bind_tcp();
    socket.connect(&endpoint).expect("there are descriptors");
    // Connections to nowhere may be in the set, and take their share of what is sent.
    peer.send(b"message").expect("a peer");
    assert_eq!(socket.recv().as_deref(), Ok(&b"message"[..]));
}

#[test]
fn a_connection_that_finds_no_descriptor_is_tried_again() {
    let _alone = alone();
    watch_for_panics();
    let context = Context::new();
    let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
    let endpoint = pull.bind_tcp();
    // Its descriptors of its own, so that connecting lacks only the connection's.
    push.bind("tcp://127.0.0.1:*").expect("a free port");
    let hoard = Hoard::all_but(0);
    push.connect(&endpoint).expect("it is tried later");
    let before = cpu_time();
    std::thread::sleep(Duration::from_millis(300));
    assert!(cpu_time() - before < Duration::from_millis(100));
    drop(hoard);
    push.send(b"in the end").expect("a pipe");
    eventually("a message", || pull.try_recv().as_deref() == Ok(&b"in the end"[..]));
    assert_no_panics();
}

#[test]
fn a_poll_of_several_sockets_waits_without_descriptors() {
    let _alone = alone();
    let context = Context::new();
    let pairs: Vec<_> = ["inproc://one", "inproc://two"]
        .iter()
        .map(|endpoint| {
            let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
            pull.bind(endpoint).expect("a name");
            push.connect(endpoint).expect("a name");
            (pull, push)
        })
        .collect();
    let hoard = Hoard::all_but(0);
    let item =
        |(pull, _): &(Socket, Socket)| zmq_pollitem_t { socket: pull.handle(), fd: 0, events: 1, revents: 0 };
    let mut items: Vec<_> = pairs.iter().map(item).collect();
    let mut poll = |timeout: i64| {
        // SAFETY: the items are a slice's.
        unsafe { zmq_poll(items.as_mut_ptr(), 2, timeout) }
    };
    let (start, before) = (Instant::now(), cpu_time());
    assert_eq!(poll(100), 0);
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert!(cpu_time() - before < Duration::from_millis(50));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            pairs[1].1.send(b"a message").expect("a peer");
        });
        assert_eq!(poll(5000), 1);
    });
    assert_eq!(pairs[1].0.try_recv().as_deref(), Ok(&b"a message"[..]));
    drop(hoard);
}

#[test]
fn a_receive_waits_for_connections_without_a_descriptor_of_its_own() {
    let _alone = alone();
    let context = Context::new();
    let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
    let endpoint = pull.bind_tcp();
    push.connect(&endpoint).expect("an endpoint");
    push.send(b"connected").expect("a pipe");
    // It doesn't wait so far.
    eventually("a message", || pull.try_recv().as_deref() == Ok(&b"connected"[..]));
    let hoard = Hoard::all_but(0);
    pull.set(ZMQ_RCVTIMEO, 50).expect("an option");
    assert_eq!(pull.recv().err(), Some(EAGAIN));
    pull.set(ZMQ_RCVTIMEO, 5000).expect("an option");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            push.send(b"a message").expect("a peer");
        });
        assert_eq!(pull.recv().as_deref(), Ok(&b"a message"[..]));
    });
    drop(hoard);
}
