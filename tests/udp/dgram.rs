//! DGRAM.

use std::net::UdpSocket;

use zmq::ffi::constants::*;

use crate::support::{Context, PATIENCE, Socket, eventually};
use crate::{alone, free_port, together};

/// A DGRAM, and its port.
fn dgram(context: &Context) -> (Socket, u16) {
    let (socket, port) = (context.socket(ZMQ_DGRAM), free_port());
    socket.bind(&format!("udp://127.0.0.1:{port}")).expect("an endpoint");
    (socket, port)
}

fn say(socket: &Socket, to: &[u8], body: &[u8]) {
    socket.send_more(to).expect("an address");
    socket.send(body).expect("a body");
}

#[test]
fn an_answer_goes_back_where_the_question_came_from() {
    let _together = together();
    let context = Context::new();
    let ((asks, from), (answers, to)) = (dgram(&context), dgram(&context));
    for size in [0, 1, 100, 9000, 65_507] {
        let body = vec![b'q'; size];
        say(&asks, format!("127.0.0.1:{to}").as_bytes(), &body);
        let parts = answers.recv_all().expect("a question");
        assert_eq!(parts[0], format!("127.0.0.1:{from}\0").into_bytes());
        assert_eq!(parts[1..], [body]);
        say(&answers, &parts[0], b"answer");
        let parts = asks.recv_all().expect("an answer");
        assert_eq!(parts, [format!("127.0.0.1:{to}\0").into_bytes(), b"answer".to_vec()]);
    }
}

#[test]
fn any_program_can_be_talked_to() {
    let _together = together();
    let context = Context::new();
    let (socket, port) = dgram(&context);
    let other = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    other.set_read_timeout(Some(PATIENCE)).expect("an option");
    let name = other.local_addr().expect("an address").to_string();
    other.send_to(b"hello", ("127.0.0.1", port)).expect("sent");
    assert_eq!(socket.recv_all().expect("a datagram"), [format!("{name}\0").into_bytes(), b"hello".to_vec()]);
    say(&socket, name.as_bytes(), b"and hello");
    let mut buffer = [0; 100];
    let (count, from) = other.recv_from(&mut buffer).expect("a datagram");
    assert_eq!((&buffer[..count], from.port()), (&b"and hello"[..], port));
}

#[test]
fn ipv6_peers_have_names_too() {
    let _together = together();
    let context = Context::new();
    let (socket, port) = (context.socket(ZMQ_DGRAM), free_port());
    socket.set(ZMQ_IPV6, 1).expect("an option");
    socket.bind(&format!("udp://*:{port}")).expect("an endpoint");
    for host in ["[::1]", "127.0.0.1"] {
        let name = format!("{host}:{port}");
        say(&socket, name.as_bytes(), host.as_bytes());
        let parts = socket.recv_all().expect("its own datagram");
        assert_eq!(parts, [format!("{name}\0").into_bytes(), host.as_bytes().to_vec()]);
    }
}

#[test]
fn what_is_no_address_is_dropped() {
    let _together = together();
    let context = Context::new();
    let (socket, port) = dgram(&context);
    let good = format!("127.0.0.1:{port}");
    for wrong in
        [&b""[..], b"nonsense", b"127.0.0.1", b"127.0.0.1:0", b":1", b"[::1]:1", b"localhost:1", &[0xff; 300]]
    {
        say(&socket, wrong, b"lost");
        say(&socket, good.as_bytes(), b"found");
        assert_eq!(socket.recv_all().expect("its own datagram")[1], b"found");
    }
}

#[test]
fn messages_have_two_parts() {
    let _together = together();
    let context = Context::new();
    let (socket, port) = dgram(&context);
    assert_eq!(socket.send(b"no body"), Err(libc::EINVAL));
    socket.send_more(format!("127.0.0.1:{port}").as_bytes()).expect("an address");
    assert_eq!(socket.send_more(b"and a third"), Err(libc::EINVAL));
    socket.send(b"body").expect("a body");
    assert_eq!(socket.recv_all().expect("its own datagram")[1], b"body");
}

#[test]
fn a_socket_without_an_endpoint_reaches_nobody() {
    let _together = together();
    let context = Context::new();
    let socket = context.socket(ZMQ_DGRAM);
    assert_eq!(socket.get(ZMQ_EVENTS), Ok(0));
    assert_eq!(socket.send_more(b"127.0.0.1:9"), Err(libc::EHOSTUNREACH));
    assert_eq!(socket.try_recv(), Err(libc::EAGAIN));
    // As when the address can't be used, which is found out in the background.
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("udp://{}", taken.local_addr().expect("an address"));
    socket.bind(&endpoint).expect("it is silent about it");
    eventually("it knows", || socket.send_more(b"127.0.0.1:9") == Err(libc::EHOSTUNREACH));
    socket.unbind(&endpoint).expect("it was bound");
    socket.bind("udp://127.0.0.1:*").expect("an endpoint");
    say(&socket, b"127.0.0.1:9", b"x");
}

#[test]
fn a_second_endpoint_is_not_served() {
    let _together = together();
    let context = Context::new();
    let (socket, port) = dgram(&context);
    let second = free_port();
    socket.bind(&format!("udp://127.0.0.1:{second}")).expect("it is silent about it");
    let other = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    other.send_to(b"unheard", ("127.0.0.1", second)).expect("sent");
    let _ = other.send_to(b"heard", ("127.0.0.1", port));
    assert_eq!(socket.recv_all().expect("a datagram")[1], b"heard");
}

#[test]
fn a_descriptor_tells_of_datagrams() {
    let _together = together();
    let context = Context::new();
    let (socket, port) = dgram(&context);
    let fd = socket.get(ZMQ_FD).expect("a descriptor");
    while socket.get(ZMQ_EVENTS).expect("events") & ZMQ_POLLIN != 0 {}
    let other = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    other.send_to(b"hello", ("127.0.0.1", port)).expect("sent");
    let mut item = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    eventually("the descriptor and the events say so", || {
        // SAFETY: one item.
        unsafe { libc::poll(&mut item, 1, 100) };
        socket.get(ZMQ_EVENTS).expect("events") & ZMQ_POLLIN != 0
    });
    assert_eq!(socket.recv_all().expect("a datagram")[1], b"hello");
}

/// Sends that the system refuses at once or later (by ICMP) neither end anything nor keep a thread busy.
#[test]
fn datagrams_that_cannot_be_sent_are_lost_and_nothing_else() {
    let _alone = alone();
    let context = Context::new();
    let (socket, port) = dgram(&context);
    let closed = free_port();
    let large = vec![0; 65_508];
    for _ in 0..50 {
        say(&socket, format!("127.0.0.1:{closed}").as_bytes(), b"refused");
        say(&socket, format!("127.0.0.1:{port}").as_bytes(), &large);
        say(&socket, b"240.0.0.1:9", b"unreachable");
        say(&socket, b"0.0.0.1:9", b"no address");
        say(&socket, format!("127.0.0.1:{port}").as_bytes(), b"here");
        assert_eq!(socket.recv_all().expect("its own datagram")[1], b"here");
    }
    // SAFETY: it writes to the structure only.
    let busy = || unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time);
        time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    };
    let before = busy();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let spent = busy() - before;
    assert!(spent < 100, "{spent} ms of 300 while nothing happened");
}
