//! What the network sends: garbage, forged senders, senders that announce more than anybody has.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use crate::support::Context;
use crate::{inside, publisher, subscriber};

/// For the group, from outside the library.
fn attacker() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect((Ipv4Addr::new(224, 77, 0, 1), 5556)).expect("a route");
    socket
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    line.split_whitespace().nth(1).and_then(|size| size.parse::<usize>().ok()).expect("kilobytes") * 1024
}

/// A packet of a stream, of a sender with this name.
fn data(source: u32, block: u8, symbol: u8, object_size: u32, payload_len: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x12, 8, 0, 1];
    packet.extend(source.to_be_bytes());
    packet.extend([0, 7, 100, 0x44, 0x20, 5, 0, 0]);
    packet.extend([0, 0, block, symbol]);
    packet.extend([64, 3, 0, 0]);
    packet.extend(object_size.to_be_bytes());
    packet.extend(1400_u16.to_be_bytes());
    packet.extend([16, 4]);
    packet.extend(payload_len.to_be_bytes());
    // A message begins at once; the place in the stream.
    packet.extend([0, 1]);
    packet.extend([0; 4]);
    packet.extend(payload);
    packet
}

/// Numbers that look like chance, the same in each run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Whether messages still go through.
fn assert_works(publisher: &crate::Socket, subscriber: &crate::Socket) {
    let mut tries = 0;
    loop {
        publisher.send(b"still here").expect("a publisher always sends");
        // What forged senders have made up may come in between.
        let end = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end {
            match subscriber.recv() {
                Ok(message) if message == b"still here" => return,
                _ => {}
            }
        }
        tries += 1;
        assert!(tries < 3, "nothing goes through any more");
    }
}

#[test]
fn garbage_harms_nobody() {
    let Some(_alone) = inside("bad::garbage_harms_nobody") else { return };
    let context = Context::new();
    let (subscriber, publisher) = (subscriber(&context, 2), publisher(&context, 1));
    assert_works(&publisher, &subscriber);
    let (attacker, mut chance) = (attacker(), Chance(0x9e37_79b9_7f4a_7c15));
    let good = data(77, 0, 0, 2 << 20, 8, b"\x00\x00\x05abcde");
    let before = resident();
    for round in 0..50_000 {
        let mut packet = if round % 2 == 0 {
            (0..chance.next() % 200).map(|_| chance.next() as u8).collect()
        } else {
            good.clone()
        };
        // One or two bytes of a packet that is none are as in a real one, or the other way round.
        for _ in 0..1 + chance.next() % 2 {
            let at = chance.next() as usize % packet.len().max(1);
            if let Some(byte) = packet.get_mut(at) {
                *byte = if round % 2 == 0 { good[at % good.len()] } else { chance.next() as u8 };
            }
        }
        packet.truncate(1 + chance.next() as usize % packet.len().max(1));
        let _ = attacker.send(&packet);
        if round % 500 == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    assert_works(&publisher, &subscriber);
    let grown = resident().saturating_sub(before);
    assert!(grown < 3 << 29, "{} MiB more", grown >> 20);
}

/// The one packet by which a sender of `libnorm`'s writes behind a receiver's buffer, and the one that it divides by zero for.
#[test]
fn packets_that_lie_harm_nobody() {
    let Some(_alone) = inside("bad::packets_that_lie_harm_nobody") else { return };
    let context = Context::new();
    let (subscriber, publisher) = (subscriber(&context, 2), publisher(&context, 1));
    let attacker = attacker();
    for source in 100..200 {
        attacker.send(&data(source, 0, 0, 2 << 20, u16::MAX, b"short")).expect("it is sent");
        attacker.send(&data(source, 0, 1, u32::MAX, 5, b"short")).expect("it is sent");
        let mut none = data(source, 0, 0, 2 << 20, 5, b"short");
        none[28..30].fill(0); // the segment's size
        attacker.send(&none).expect("it is sent");
        none[28..30].fill(1);
        none[30] = 0; // the segments of a block
        attacker.send(&none).expect("it is sent");
    }
    assert_works(&publisher, &subscriber);
}
/// Streams that begin as they should and go on with what is no frame, or with one that is never finished, by senders without number.
#[test]
fn memory_for_forged_senders_is_bounded() {
    let Some(_alone) = inside("bad::memory_for_forged_senders_is_bounded") else { return };
    let context = Context::new();
    let (subscriber, publisher) = (subscriber(&context, 2), publisher(&context, 1));
    assert_works(&publisher, &subscriber);
    let attacker = attacker();
    let before = resident();
    let mut most = 0;
    let payloads: [&[u8]; 4] = [
        b"\x00\x00\x05abcde",
        b"\x42 is no mark",
        b"\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x00\x02\x00\x00\x00\x00\x0f\x00\x00\x00unfinished",
    ];
    for source in 0..5_000_u32 {
        let payload = payloads[source as usize % payloads.len()];
        let packet = data(1000 + source, 0, 0, 4 << 20, payload.len() as u16, payload);
        attacker.send(&packet).expect("it is sent");
        if source % 50 == 0 {
            std::thread::sleep(Duration::from_millis(2));
            most = most.max(resident().saturating_sub(before));
        }
    }
    // As many senders as are accepted (16), each with twice what it says that it keeps; and as many more as the thread had read before they were known to be too many.
    println!("{} MiB at most", most >> 20);
    assert!(most < 768 << 20, "{} MiB more", most >> 20);
    assert_works(&publisher, &subscriber);
}
