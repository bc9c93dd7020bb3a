//! Between two machines, as far as the network is concerned.

use zmq::ffi::constants::*;

use crate::machines::{self, Namespace};
use crate::support::{Context, Socket};
use crate::{hear, heard, join, publish, try_hear};

fn in_two_namespaces(test: &str, scene: impl FnOnce(&Namespace, &Namespace)) {
    let _together = crate::together();
    machines::in_two_namespaces(&format!("namespaces::{test}"), scene);
}

fn socket(context: &Context, kind: i32, ipv6: i32) -> Socket {
    let socket = context.socket(kind);
    socket.set(ZMQ_IPV6, ipv6).expect("an option");
    socket
}

/// A DISH `there` hears a RADIO `here`.
fn reaches(here: &Namespace, there: &Namespace, ipv6: i32, bound: &str, connected: &str) {
    let context = Context::new();
    let (radio, dish) = (socket(&context, ZMQ_RADIO, ipv6), socket(&context, ZMQ_DISH, ipv6));
    there.bind(&dish, bound).expect("an endpoint");
    join(&dish, "g").expect("joined");
    here.connect(&radio, connected).expect("an endpoint");
    // The first datagrams of a host may get lost while it asks for the other's address, or is new to a group.
    for _ in 0..100 {
        publish(&radio, "g", b"hello").expect("sent");
        dish.set(ZMQ_RCVTIMEO, 50).expect("an option");
        if let Ok(message) = hear(&dish) {
            assert_eq!(Ok(message), heard("g", "hello"), "{connected} to {bound}");
            return;
        }
    }
    panic!("{connected} doesn't reach {bound}");
}

#[test]
fn unicast_reaches_the_other_machine() {
    in_two_namespaces("unicast_reaches_the_other_machine", |here, there| {
        for bound in ["udp://*:7001", "udp://10.77.0.2:7001", "udp://two:7001"] {
            reaches(here, there, 0, bound, "udp://10.77.0.2:7001");
        }
        for bound in ["udp://*:7001", "udp://[fd77::2]:7001", "udp://two:7001"] {
            reaches(here, there, 1, bound, "udp://[fd77::2]:7001");
        }
        reaches(here, there, 1, "udp://10.77.0.2:7001", "udp://10.77.0.2:7001");
    });
}

#[test]
fn multicast_reaches_the_other_machine() {
    in_two_namespaces("multicast_reaches_the_other_machine", |here, there| {
        reaches(here, there, 0, "udp://two;239.77.0.1:7002", "udp://one;239.77.0.1:7002");
        reaches(here, there, 0, "udp://10.77.0.2;239.77.0.1:7002", "udp://10.77.0.1;239.77.0.1:7002");
        reaches(here, there, 1, "udp://two;[ff02::7702]:7002", "udp://one;[ff02::7702]:7002");
        // A route does instead of an interface.
        for (namespace, interface) in [(here, "one"), (there, "two")] {
            namespace.ip(&format!("route add 224.0.0.0/4 dev {interface}"));
        }
        reaches(here, there, 0, "udp://239.77.0.2:7002", "udp://239.77.0.2:7002");
    });
}

#[test]
fn broadcast_reaches_the_other_machine() {
    in_two_namespaces("broadcast_reaches_the_other_machine", |here, there| {
        reaches(here, there, 0, "udp://*:7003", "udp://10.77.0.255:7003");
        here.ip("route add 255.255.255.255/32 dev one");
        reaches(here, there, 0, "udp://*:7003", "udp://255.255.255.255:7003");
    });
}

#[test]
fn the_loop_decides_whether_the_own_machine_hears() {
    in_two_namespaces("the_loop_decides_whether_the_own_machine_hears", |here, there| {
        for (group, ipv6) in [("239.77.0.3", 0), ("[ff02::7703]", 1)] {
            let context = Context::new();
            let dish_here = socket(&context, ZMQ_DISH, ipv6);
            let dish_there = socket(&context, ZMQ_DISH, ipv6);
            here.bind(&dish_here, &format!("udp://one;{group}:7004")).expect("an endpoint");
            there.bind(&dish_there, &format!("udp://two;{group}:7004")).expect("an endpoint");
            let radio_of = |looped| {
                let radio = socket(&context, ZMQ_RADIO, ipv6);
                radio.set(ZMQ_MULTICAST_LOOP, looped).expect("an option");
                here.connect(&radio, &format!("udp://one;{group}:7004")).expect("an endpoint");
                radio
            };
            let (looped, silent) = (radio_of(1), radio_of(0));
            for dish in [&dish_here, &dish_there] {
                join(dish, "g").expect("joined");
                dish.set(ZMQ_RCVTIMEO, 50).expect("an option");
            }
            let mut tries = 0..100;
            while tries.next().is_some() {
                publish(&silent, "g", b"to others").expect("sent");
                if let Ok(message) = hear(&dish_there) {
                    assert_eq!(Ok(message), heard("g", "to others"));
                    break;
                }
            }
            assert!(!tries.is_empty(), "{group}: never heard");
            assert_eq!(try_hear(&dish_here), Err(libc::EAGAIN), "{group}");
            publish(&looped, "g", b"to all").expect("sent");
            assert_eq!(hear(&dish_here), heard("g", "to all"));
        }
    });
}

#[test]
fn hops_go_into_the_datagrams() {
    in_two_namespaces("hops_go_into_the_datagrams", |here, there| {
        let context = Context::new();
        for hops in [1, 5, 64] {
            // What arrives is looked at by a socket of the system's.
            let receiver = there.run(|| {
                let socket = std::net::UdpSocket::bind("0.0.0.0:7005").expect("a port");
                let (group, own) =
                    ("239.77.0.5".parse().expect("a group"), "10.77.0.2".parse().expect("an address"));
                socket.join_multicast_v4(&group, &own).expect("joined");
                nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::Ipv4RecvTtl, &true)
                    .expect("an option");
                socket
            });
            let radio = context.socket(ZMQ_RADIO);
            radio.set(ZMQ_MULTICAST_HOPS, hops).expect("an option");
            here.connect(&radio, "udp://one;239.77.0.5:7005").expect("an endpoint");
            let seen = (0..100).find_map(|_| {
                publish(&radio, "g", b"x").expect("sent");
                ttl(&receiver)
            });
            assert_eq!(seen, Some(hops));
        }
    });
}

/// The time to live of a datagram that arrives within 50 ms.
fn ttl(socket: &std::net::UdpSocket) -> Option<i32> {
    use std::os::fd::AsRawFd;
    socket.set_read_timeout(Some(std::time::Duration::from_millis(50))).expect("an option");
    let mut bytes = [0_u8; 100];
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut control = [0_u64; 16];
    // SAFETY: a header of zeros is a valid one, and what it then points to outlives the calls. An ancillary message of that kind is an int.
    unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        (header.msg_iov, header.msg_iovlen) = (&mut part, 1);
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control) as _;
        if libc::recvmsg(socket.as_raw_fd(), &mut header, 0) < 0 {
            return None;
        }
        let message = libc::CMSG_FIRSTHDR(&header).as_ref()?;
        assert_eq!((message.cmsg_level, message.cmsg_type), (libc::IPPROTO_IP, libc::IP_TTL));
        Some(libc::CMSG_DATA(message).cast::<i32>().read_unaligned())
    }
}

#[test]
fn dgrams_of_two_machines_answer_each_other() {
    in_two_namespaces("dgrams_of_two_machines_answer_each_other", |here, there| {
        for (own, other, ipv6) in [("10.77.0.1", "10.77.0.2", 0), ("[fd77::1]", "[fd77::2]", 1)] {
            let context = Context::new();
            let (asks, answers) = (socket(&context, ZMQ_DGRAM, ipv6), socket(&context, ZMQ_DGRAM, ipv6));
            here.bind(&asks, &format!("udp://{own}:7006")).expect("an endpoint");
            there.bind(&answers, &format!("udp://{other}:7006")).expect("an endpoint");
            answers.set(ZMQ_RCVTIMEO, 50).expect("an option");
            let question = (0..100).find_map(|_| {
                asks.send_more(format!("{other}:7006").as_bytes()).expect("an address");
                asks.send(b"question").expect("a body");
                answers.recv_all().ok()
            });
            let question = question.expect("a question arrives");
            assert_eq!(question, [format!("{own}:7006\0").into_bytes(), b"question".to_vec()]);
            answers.send_more(&question[0]).expect("an address");
            answers.send(b"answer").expect("a body");
            assert_eq!(asks.recv_all().expect("an answer")[1], b"answer");
        }
    });
}

#[test]
fn a_device_can_be_demanded() {
    in_two_namespaces("a_device_can_be_demanded", |here, there| {
        let context = Context::new();
        let dish = context.socket(ZMQ_DISH);
        dish.set_bytes(ZMQ_BINDTODEVICE, b"lo").expect("an option");
        there.bind(&dish, "udp://*:7007").expect("an endpoint");
        join(&dish, "g").expect("joined");
        let (outside, inside) = (context.socket(ZMQ_RADIO), context.socket(ZMQ_RADIO));
        here.connect(&outside, "udp://10.77.0.2:7007").expect("an endpoint");
        there.connect(&inside, "udp://127.0.0.1:7007").expect("an endpoint");
        publish(&outside, "g", b"unheard").expect("sent");
        publish(&inside, "g", b"heard").expect("sent");
        assert_eq!(hear(&dish), heard("g", "heard"));
        let missing = context.socket(ZMQ_DISH);
        missing.set_bytes(ZMQ_BINDTODEVICE, b"nosuch").expect("an option");
        assert_eq!(there.bind(&missing, "udp://*:7008"), Err(libc::ENODEV));
    });
}

#[test]
fn datagrams_without_a_route_end_nothing_and_later_ones_arrive() {
    in_two_namespaces("datagrams_without_a_route_end_nothing_and_later_ones_arrive", |here, there| {
        let context = Context::new();
        let (radio, dish) = (context.socket(ZMQ_RADIO), context.socket(ZMQ_DISH));
        // An address that the machine hasn't got as yet.
        there.bind(&dish, "udp://10.78.0.2:7009").expect("it may come");
        join(&dish, "g").expect("joined");
        here.connect(&radio, "udp://10.78.0.2:7009").expect("an endpoint");
        for _ in 0..100 {
            publish(&radio, "g", b"lost").expect("taken");
        }
        there.ip("addr add 10.78.0.2/24 dev two");
        here.ip("route add 10.78.0.0/24 dev one");
        dish.set(ZMQ_RCVTIMEO, 50).expect("an option");
        let arrived = (0..100).find_map(|_| {
            publish(&radio, "g", b"found").expect("sent");
            // Those of the early ones that the I/O thread hasn't come to before may arrive, too.
            hear(&dish).ok().filter(|message| *message != ("g".to_owned(), b"lost".to_vec()))
        });
        assert_eq!(arrived, heard("g", "found").ok());
    });
}

/// Bursts of datagrams of one size go through the kernel together where that is possible; here it isn't, as they don't fit the link's packets.
#[test]
fn bursts_arrive_over_links_with_small_packets_too() {
    in_two_namespaces("bursts_arrive_over_links_with_small_packets_too", |here, there| {
        for mtu in [1500, 1300] {
            here.ip(&format!("link set one mtu {mtu}"));
            there.ip(&format!("link set two mtu {mtu}"));
            reaches(here, there, 0, "udp://10.77.0.2:7010", "udp://10.77.0.2:7010");
            let context = Context::new();
            let (radio, dish) = (context.socket(ZMQ_RADIO), context.socket(ZMQ_DISH));
            there.bind(&dish, "udp://10.77.0.2:7011").expect("an endpoint");
            join(&dish, "g").expect("joined");
            here.connect(&radio, "udp://10.77.0.2:7011").expect("an endpoint");
            for round in 0..20 {
                for number in 0..20_u8 {
                    publish(&radio, "g", &vec![number; 1350]).expect("sent");
                }
                for number in 0..20_u8 {
                    assert_eq!(hear(&dish), Ok(("g".to_owned(), vec![number; 1350])), "{mtu}, round {round}");
                }
            }
        }
    });
}
