//! Packets that nobody should send.

use super::*;
use dice::Dice;
use machines::in_two_namespaces;
use std::net::UdpSocket;
use zmq::pgm::{Identity, Sender, SenderConfig, Sequence, Tsi};

/// Sends datagrams from the namespace to an address.
fn flood(there: &Namespace, to: &'static str, packets: impl Iterator<Item = Vec<u8>> + Send + 'static) {
    there.run(move || {
        let socket = UdpSocket::bind("10.77.0.2:0").expect("a port");
        for packet in packets {
            let _ = socket.send_to(&packet, to);
        }
    });
}

/// Junk of all lengths, and good packets with some bytes changed, half of them with a right checksum (none).
fn junk(good: Vec<Vec<u8>>, count: usize) -> impl Iterator<Item = Vec<u8>> + Send {
    let mut dice = Dice(7);
    (0..count).map(move |round| {
        let mut packet = match round % 4 {
            0 => {
                let len = dice.below(100);
                dice.bytes(len)
            }
            1 => vec![round as u8; dice.below(3000)],
            _ => good[dice.below(good.len())].clone(),
        };
        for _ in 0..dice.below(4) {
            let at = dice.below(packet.len().max(1));
            if let Some(byte) = packet.get_mut(at) {
                *byte = dice.below(256) as u8;
            }
        }
        if round % 2 == 0
            && let Some(sum) = packet.get_mut(6..8)
        {
            sum.fill(0);
        }
        packet
    })
}

/// What a source of that number sends first: SPMs, then some data.
fn good_packets(source: u32, port: u16) -> Vec<Vec<u8>> {
    let [a, b, c, d] = source.to_be_bytes();
    let config = SenderConfig {
        identity: Identity { tsi: Tsi { gsi: [9, 9, a, b, c, d], port: 77 }, port },
        first: Sequence(0),
        address: "10.77.0.2".parse().expect("an address"),
        group: "239.77.3.1".parse().expect("an address"),
        rate: 1 << 30,
        max_tpdu: 1500,
        overhead: 28,
        window: 100,
    };
    let mut sender = Sender::new(config, 0);
    for number in 0..4 {
        // Two bytes that say where a message begins, then a frame of ZMTP 1.0.
        let mut packet = vec![0; zmq::pgm::DATA_HEADER];
        packet.extend_from_slice(&[0, 0, 5, 0]);
        packet.extend_from_slice(format!("bad{number}").as_bytes());
        sender.push(packet.into(), 0);
    }
    (0..).map_while(|index| sender.packet(index).map(<[u8]>::to_vec)).collect()
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("procfs");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * 4096
}

#[test]
fn junk_ends_nothing() {
    in_two_namespaces("hostile::junk_ends_nothing", |here, there| {
        let context = Context::new();
        let (publisher, subscriber) = (socket(&context, ZMQ_PUB), context.socket(ZMQ_SUB));
        for prefix in [&b"hello"[..], b"go", b"true"] {
            subscriber.set_bytes(ZMQ_SUBSCRIBE, prefix).expect("subscribed");
        }
        subscriber.set(ZMQ_RATE, RATE).expect("an option");
        // Both hear what comes from there: the subscriber what is sent to the group, the publisher what is sent to its host.
        here.connect(&publisher, "epgm://one;239.77.3.1:5201").expect("an endpoint");
        there.ip("route add 239.77.3.1/32 dev two");
        let listener = Context::new();
        here.connect(&subscriber, "epgm://one;239.77.3.1:5201").expect("an endpoint");
        let other = context.socket(ZMQ_SUB);
        other.set_bytes(ZMQ_SUBSCRIBE, b"").expect("subscribed");
        let far = socket(&listener, ZMQ_SUB);
        there.connect(&far, "epgm://two;239.77.3.1:5201").expect("an endpoint");
        greet(&publisher, &[&far]);
        let good: Vec<_> = (0..20).flat_map(|source| good_packets(source, 5201)).collect();
        let before = resident();
        flood(there, "239.77.3.1:5201", junk(good.clone(), 100_000));
        flood(there, "10.77.0.1:5201", junk(good, 100_000));
        let true_source = socket(&context, ZMQ_PUB);
        there.connect(&true_source, "epgm://two;239.77.3.1:5201").expect("an endpoint");
        greet(&true_source, &[&subscriber]);
        for number in 0..200 {
            true_source.send(format!("true {number}").as_bytes()).expect("sent");
        }
        for number in 0..200 {
            assert_eq!(subscriber.recv(), Ok(format!("true {number}").into_bytes()));
        }
        publisher.send(b"still").expect("sent");
        while far.recv().expect("the publisher goes on") != b"still" {}
        let grown = resident().saturating_sub(before);
        assert!(grown < 100 << 20, "{grown} bytes");
    });
}

#[test]
fn sources_without_number_do_not_displace_a_true_one() {
    in_two_namespaces("hostile::sources_without_number_do_not_displace_a_true_one", |here, there| {
        let context = Context::new();
        let (publisher, subscriber) = (socket(&context, ZMQ_PUB), socket(&context, ZMQ_SUB));
        there.connect(&publisher, "epgm://two;239.77.3.2:5202").expect("an endpoint");
        here.connect(&subscriber, "epgm://one;239.77.3.2:5202").expect("an endpoint");
        there.ip("route add 239.77.3.2/32 dev two");
        greet(&publisher, &[&subscriber]);
        let before = resident();
        // Of each the first and the last packet, so that there are holes.
        let holes = |source| {
            let packets = good_packets(source, 5202);
            [packets[3].clone(), packets[6].clone()]
        };
        flood(there, "239.77.3.2:5202", (0..20_000).flat_map(holes));
        for number in 0..500 {
            publisher.send(&body(number, 500)).expect("sent");
        }
        let mut next = 0;
        while next < 500 {
            let message = subscriber.recv().unwrap_or_else(|errno| panic!("{next}: {errno}"));
            if !message.starts_with(b"bad") {
                assert!(message == body(next, 500), "{next}");
                next += 1;
            }
        }
        let grown = resident().saturating_sub(before);
        assert!(grown < 100 << 20, "{grown} bytes");
    });
}
