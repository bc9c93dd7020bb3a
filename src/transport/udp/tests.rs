use super::*;
use crate::options::ContextOptions;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

fn resolved(address: &str, local: bool, ipv6: bool) -> Result<(String, String)> {
    Address::resolve(address, local, ipv6).map(|found| (found.local.to_string(), found.target.to_string()))
}

fn both(own: &str, target: &str) -> Result<(String, String)> {
    Ok((own.to_owned(), target.to_owned()))
}

/// Measured on the reference, which tells the error only.
#[test]
fn addresses_to_bind() {
    for (address, expected) in [
        ("*:5555", both("0.0.0.0:5555", "0.0.0.0:5555")),
        ("*:*", both("0.0.0.0:0", "0.0.0.0:0")),
        ("127.0.0.1:5555", both("127.0.0.1:5555", "127.0.0.1:5555")),
        ("203.0.113.9:5555", both("203.0.113.9:5555", "203.0.113.9:5555")),
        ("lo:5555", both("127.0.0.1:5555", "127.0.0.1:5555")),
        ("localhost:5555", both("127.0.0.1:5555", "127.0.0.1:5555")),
        ("239.0.0.1:5555", both("0.0.0.0:5555", "239.0.0.1:5555")),
        ("lo;239.0.0.1:5555", both("127.0.0.1:5555", "239.0.0.1:5555")),
        ("127.0.0.1;239.0.0.1:5555", both("127.0.0.1:5555", "239.0.0.1:5555")),
        ("*;239.0.0.1:5555", both("0.0.0.0:5555", "239.0.0.1:5555")),
        ("nosuch;239.0.0.1:5555", Err(Error::NoDevice)),
        ("lo;127.0.0.1:5555", Err(Error::Invalid)),
        ("239.0.0.1;239.0.0.1:5555", Err(Error::Invalid)),
        ("[::1]:5555", Err(Error::NoDevice)),
        ("127.0.0.1", Err(Error::Invalid)),
        ("127.0.0.1:", Err(Error::Invalid)),
        (":5555", Err(Error::NoDevice)),
        (";:5555", Err(Error::NoDevice)),
    ] {
        assert_eq!(resolved(address, true, false), expected, "{address}");
    }
}

#[test]
fn addresses_to_connect_to() {
    for (address, expected) in [
        ("127.0.0.1:5555", both("0.0.0.0:5555", "127.0.0.1:5555")),
        ("255.255.255.255:5555", both("0.0.0.0:5555", "255.255.255.255:5555")),
        ("239.0.0.1:5555", both("0.0.0.0:5555", "239.0.0.1:5555")),
        ("lo;239.0.0.1:5555", both("127.0.0.1:5555", "239.0.0.1:5555")),
        ("*:5555", Err(Error::Invalid)),
        ("127.0.0.1:*", Err(Error::Invalid)),
        ("lo:5555", Err(Error::Invalid)),
    ] {
        assert_eq!(resolved(address, false, false), expected, "{address}");
    }
}

#[test]
fn addresses_of_ipv6() {
    for (address, expected) in [
        ("*:5555", both("[::]:5555", "[::]:5555")),
        ("[::1]:5555", both("[::1]:5555", "[::1]:5555")),
        ("127.0.0.1:5555", both("[::ffff:127.0.0.1]:5555", "[::ffff:127.0.0.1]:5555")),
        ("[ff02::1]:5555", both("[::]:5555", "[ff02::1]:5555")),
        ("lo;[ff02::1]:5555", both("[::1]:5555", "[ff02::1]:5555")),
        ("*;[ff02::1]:5555", both("[::]:5555", "[ff02::1]:5555")),
        ("[::1];[ff02::1]:5555", Err(Error::NoDevice)),
        // A group of IPv4 takes a socket of IPv4.
        ("239.0.0.1:5555", both("0.0.0.0:5555", "239.0.0.1:5555")),
        ("lo;239.0.0.1:5555", both("127.0.0.1:5555", "239.0.0.1:5555")),
    ] {
        assert_eq!(resolved(address, true, true), expected, "{address}");
    }
    let interface = |address| Address::resolve(address, true, true).map(|found| found.interface);
    assert_eq!(interface("[ff02::1]:5555"), Ok(0));
    assert_eq!(interface("*;[ff02::1]:5555"), Ok(0));
    assert_eq!(interface("lo;[ff02::1]:5555"), Ok(1));
    assert_eq!(interface("[ff02::1%lo]:5555"), Ok(1));
}

#[test]
fn names_of_peers() {
    let name = |peer: &str| with_peer_name(&peer.parse().unwrap(), <[u8]>::to_vec);
    assert_eq!(name("127.0.0.1:80"), b"127.0.0.1:80\0");
    assert_eq!(name("[::ffff:127.0.0.1]:80"), b"127.0.0.1:80\0");
    assert_eq!(name("[::1]:80"), b"[::1]:80\0");
    assert_eq!(name("[fe80::1%3]:80"), b"[fe80::1%3]:80\0");
    let longest = "[1111:2222:3333:4444:5555:6666:7777:8888%4294967295]:65535";
    assert_eq!(name(longest), [longest.as_bytes(), b"\0"].concat());

    let parsed = |name: &[u8], ipv6| parse_peer(name, ipv6).map(|peer| peer.as_socket().unwrap().to_string());
    for (name, ipv4, ipv6) in [
        (&b"127.0.0.1:80\0"[..], Some("127.0.0.1:80"), Some("[::ffff:127.0.0.1]:80")),
        (b"127.1:80", Some("127.0.0.1:80"), Some("[::ffff:127.0.0.1]:80")),
        (b"255.255.255.255:80", Some("255.255.255.255:80"), Some("[::ffff:255.255.255.255]:80")),
        (b"127.0.0.1:80\0junk", Some("127.0.0.1:80"), Some("[::ffff:127.0.0.1]:80")),
        (b"[::ffff:1.2.3.4]:80", Some("1.2.3.4:80"), Some("[::ffff:1.2.3.4]:80")),
        (b"[::1]:80", None, Some("[::1]:80")),
        (b"[fe80::1%1]:80", None, Some("[fe80::1%1]:80")),
        (b"[fe80::1%lo]:80", None, Some("[fe80::1%1]:80")),
        (b"[fe80::1%nosuch]:80", None, None),
        (b"127.0.0.1:0", None, None),
        (b"127.0.0.1:", None, None),
        (b"127.0.0.1", None, None),
        (b"localhost:80", None, None),
        (b":80", None, None),
        (b"", None, None),
        (b"\0", None, None),
        (b"\xff\xfe:80", None, None),
    ] {
        assert_eq!(parsed(name, false).as_deref(), ipv4, "{}", name.escape_ascii());
        assert_eq!(parsed(name, true).as_deref(), ipv6, "{}", name.escape_ascii());
    }
}

fn options(socket_type: SocketType) -> Options {
    Options::new(socket_type, &ContextOptions::default())
}

fn open(socket_type: SocketType, address: &str) -> Datagrams {
    let local = socket_type != SocketType::Radio;
    Datagrams::open(address, local, &options(socket_type)).unwrap().unwrap()
}

#[test]
fn each_type_binds_or_connects() {
    for socket_type in SocketType::ALL {
        let direction = |local| Directions::of(socket_type, local).map(|found| (found.send, found.receive));
        let (bind, connect) = match socket_type {
            SocketType::Radio => (None, Some((true, false))),
            SocketType::Dish => (Some((false, true)), None),
            SocketType::Dgram => (Some((true, true)), None),
            _ => (None, None),
        };
        assert_eq!(direction(true), bind.ok_or(Error::IncompatibleProtocol));
        assert_eq!(direction(false), connect.ok_or(Error::IncompatibleProtocol));
    }
}

#[test]
fn an_address_may_be_taken_or_missing() {
    let dish = open(SocketType::Dish, "127.0.0.1:*");
    let port = dish.stream.local_endpoint().rsplit_once(':').unwrap().1.to_owned();
    // Twice is allowed, as long as both say so.
    open(SocketType::Dish, &format!("127.0.0.1:{port}"));
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(Datagrams::open(&address, true, &options(SocketType::Dish)).unwrap().is_none());
    // This one isn't the machine's, and may be so later.
    open(SocketType::Dish, "203.0.113.9:*");
    // Multicast goes by an interface of this machine.
    for socket_type in [SocketType::Radio, SocketType::Dish] {
        let local = socket_type == SocketType::Dish;
        let opened = Datagrams::open("203.0.113.9;239.0.0.1:5555", local, &options(socket_type));
        assert!(opened.unwrap().is_none());
    }
    let mut refused = options(SocketType::Dish);
    refused.bindtodevice = b"nosuch0".to_vec();
    assert!(Datagrams::open("127.0.0.1:*", true, &refused).is_err());
}

#[test]
fn options_reach_the_socket() {
    let mut options = options(SocketType::Radio);
    options.multicast_hops = 7;
    options.multicast_loop = false;
    options.tos = 0x20;
    options.rcvbuf = 20_000;
    let radio = Datagrams::open("lo;239.0.0.1:5555", false, &options).unwrap().unwrap();
    let socket = socket2::SockRef::from(&radio.stream);
    assert_eq!(socket.multicast_ttl_v4().unwrap(), 7);
    assert!(!socket.multicast_loop_v4().unwrap() && socket.broadcast().unwrap());
    assert_eq!(socket.multicast_if_v4().unwrap(), Ipv4Addr::LOCALHOST);
    assert_eq!(socket.tos_v4().unwrap(), 0x20);
    assert_eq!(socket.recv_buffer_size().unwrap(), 40_000);
    options.ipv6 = true;
    let radio = Datagrams::open("lo;[ff02::1]:5555", false, &options).unwrap().unwrap();
    let socket = socket2::SockRef::from(&radio.stream);
    assert_eq!(socket.multicast_hops_v6().unwrap(), 7);
    assert!(!socket.multicast_loop_v6().unwrap());
    assert_eq!(socket.multicast_if_v6().unwrap(), 1);
}

#[test]
fn the_longest_datagram_arrives() {
    let (here, there) = (open(SocketType::Dgram, "127.0.0.1:*"), open(SocketType::Dgram, "127.0.0.1:*"));
    let name = |of: &Datagrams| {
        parse_peer(of.stream.local_endpoint().trim_start_matches("tcp://").as_bytes(), false)
    };
    let (from, to) = (name(&here).unwrap(), name(&there).unwrap());
    let body = vec![7; 65_507];
    let send = |body: &[u8]| Datagrams::send(&here.stream, 1, |_| Outgoing { to: &to, parts: [b"", body] });
    assert_eq!(send(&body).unwrap(), 1);
    let mut room = vec![0; 2 * MAX_DATAGRAM];
    let mut out = [Incoming::default(); BATCH];
    let end = Instant::now() + Duration::from_secs(3);
    let count = loop {
        match Datagrams::receive(&there.stream, &mut room, BATCH, true, &mut out) {
            Ok(count) => break count,
            Err(error) => {
                assert!(error.kind() == std::io::ErrorKind::WouldBlock && Instant::now() < end, "{error}")
            }
        }
    };
    assert_eq!(count, 1);
    assert_eq!(out[0], Incoming { len: body.len(), from: from.as_socket(), ..Incoming::default() });
    assert_eq!(room[..body.len()], body);
    assert!(there.stream.as_raw_fd() >= 0);
    assert_eq!(send(&vec![7; 65_508]).unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
}
