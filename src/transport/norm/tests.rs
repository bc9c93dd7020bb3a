//! What the filter lets through, packet by packet; and addresses.

use super::filter::filter;
use super::*;
use crate::sys::packet_filter::Filter;
use std::net::UdpSocket;
use std::time::Duration;

const MAX_BUFFER: u32 = 16 << 20;
const SEGMENT: u16 = 1400;

/// A packet of a stream as libzmq's senders send it by `libnorm` (Reed-Solomon of 8 bits), with some of its fields.
#[derive(Clone)]
struct Data {
    version_and_type: u8,
    header_words: u8,
    source: u32,
    flags: u8,
    fec: u8,
    symbol: u8,
    extension: [u8; 2],
    object_size: u64,
    segment: u16,
    block: [u8; 2],
    payload_len: u16,
    payload: usize,
}

const GOOD: Data = Data {
    version_and_type: 0x12,
    header_words: 8,
    source: 1,
    flags: 0x20,
    fec: 5,
    symbol: 3,
    extension: [64, 3],
    object_size: 2 << 20,
    segment: SEGMENT,
    block: [16, 4],
    payload_len: 100,
    payload: 100,
};

impl Data {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.version_and_type, self.header_words, 0, 1];
        bytes.extend(self.source.to_be_bytes());
        bytes.extend([0, 7, 100, 0x44, self.flags, self.fec, 0, 1]);
        bytes.extend([0, 0, 9, self.symbol]);
        bytes.extend(self.extension);
        bytes.extend(&self.object_size.to_be_bytes()[2..]);
        bytes.extend(self.segment.to_be_bytes());
        bytes.extend(self.block);
        // What a stream has in front.
        bytes.extend(self.payload_len.to_be_bytes());
        bytes.extend([0; 6]);
        bytes.resize(bytes.len() + self.payload, b'x');
        bytes
    }
}

/// Which of the packets come through.
fn passed(filter: &Filter, packets: &[Vec<u8>]) -> Vec<bool> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    filter.attach(&socket.try_clone().unwrap().into()).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(socket.local_addr().unwrap()).unwrap();
    let last = Data { payload: 77, payload_len: 77, source: 1, ..GOOD }.bytes();
    let mut through = vec![false; packets.len()];
    for (packet, through) in packets.iter().zip(&mut through) {
        sender.send(packet).unwrap();
        sender.send(&last).unwrap();
        let mut buffer = [0; 65_536];
        // The second one always comes.
        let len = socket.recv(&mut buffer).unwrap();
        *through = buffer[..len] == *packet;
        if *through {
            socket.recv(&mut buffer).unwrap();
        }
    }
    through
}

#[test]
fn what_libzmq_sends_comes_through() {
    let good = [
        GOOD,
        Data { flags: 0x21, ..GOOD },
        Data { payload: SEGMENT.into(), payload_len: SEGMENT, ..GOOD },
        // The end of a stream.
        Data { payload: 0, payload_len: 0, ..GOOD },
        // Parity: what is in front is parity too.
        Data { symbol: 16, payload: SEGMENT.into(), payload_len: 0xabcd, ..GOOD },
        Data { block: [251, 4], ..GOOD },
    ];
    let mut packets: Vec<_> = good.iter().map(Data::bytes).collect();
    // NACK and ACK; commands: a flush, congestion control, a squelch, the end, repairs, a request to acknowledge.
    for kind in [0x14, 0x15] {
        packets.push([&[kind, 6][..], &[0; 22]].concat());
        packets.push([&[kind, 8][..], &[0; 50]].concat());
    }
    for (flavor, words) in [(1, 5), (4, 6), (4, 8), (3, 5), (2, 4), (5, 4), (6, 4)] {
        let mut packet = vec![0; 40];
        (packet[0], packet[1], packet[12], packet[13]) = (0x13, words, flavor, 5);
        packets.push(packet);
    }
    let through = passed(&filter(MAX_BUFFER, None), &packets);
    assert!(through.iter().all(|&through| through), "{through:?}");
}

#[test]
fn what_libnorm_would_stumble_over_does_not() {
    let bad = [
        // Longer by its own account than it may be, or than it is; longer than it may be.
        Data { payload_len: SEGMENT + 1, payload: SEGMENT.into(), ..GOOD },
        Data { payload_len: 101, ..GOOD },
        Data { payload_len: u16::MAX, ..GOOD },
        Data { payload: usize::from(SEGMENT) + 1, ..GOOD },
        Data { symbol: 16, payload: usize::from(SEGMENT) + 1, ..GOOD },
        // What it would divide by, and what it would take memory for.
        Data { segment: 0, payload: 0, payload_len: 0, ..GOOD },
        Data { block: [0, 4], symbol: 0, ..GOOD },
        Data { block: [200, 100], ..GOOD },
        Data { segment: 65_000, block: [200, 20], ..GOOD },
        Data { object_size: 0, ..GOOD },
        Data { object_size: u64::from(MAX_BUFFER) + 1, ..GOOD },
        Data { object_size: 1 << 40, ..GOOD },
        // No stream, or a file, or with further information; nothing that is known.
        Data { flags: 0, ..GOOD },
        Data { flags: 0x30, ..GOOD },
        Data { flags: 0x24, ..GOOD },
        Data { fec: 6, ..GOOD },
        Data { fec: 129, ..GOOD },
        Data { fec: 2, ..GOOD },
        Data { extension: [63, 3], ..GOOD },
        Data { extension: [64, 4], ..GOOD },
        // Another version, another type, a header that is too short or too long.
        Data { version_and_type: 0x22, ..GOOD },
        Data { version_and_type: 0x11, ..GOOD },
        Data { version_and_type: 0x16, ..GOOD },
        Data { version_and_type: 0x10, ..GOOD },
        Data { header_words: 5, ..GOOD },
        Data { header_words: 0, ..GOOD },
        Data { header_words: 255, ..GOOD },
    ];
    let mut packets: Vec<_> = bad.iter().map(Data::bytes).collect();
    // Cut off anywhere.
    let whole = GOOD.bytes();
    packets.extend((0..whole.len() - 1).map(|len| whole[..len].to_vec()));
    for kind in [0x14, 0x15] {
        packets.push([&[kind, 5][..], &[0; 50]].concat());
        packets.push([&[kind, 7][..], &[0; 25]].concat());
    }
    for (flavor, words, fec) in
        [(1, 4, 5), (1, 5, 129), (1, 5, 0), (4, 5, 5), (3, 4, 5), (0, 8, 5), (7, 8, 5), (6, 3, 5)]
    {
        let mut packet = vec![0; 40];
        (packet[0], packet[1], packet[12], packet[13]) = (0x13, words, flavor, fec);
        packets.push(packet);
    }
    let through = passed(&filter(MAX_BUFFER, None), &packets);
    let wrong: Vec<_> = through.iter().enumerate().filter(|(_, through)| **through).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn only_the_senders_that_are_known_come_through() {
    let from = |source| Data { source, ..GOOD }.bytes();
    let known: Vec<u32> = (1..=SENDERS as u32).map(|number| number * 0x0100_0000 + 1).chain([1]).collect();
    let packets =
        [from(1), from(2), from(0x0100_0001), from(0x0100_0000), from(known[SENDERS - 1]), from(u32::MAX)];
    assert_eq!(passed(&filter(MAX_BUFFER, Some(&known)), &packets), [true, false, true, false, true, false]);
}

#[test]
fn addresses_are_read() {
    let address = |node, interface: Option<&str>, host: &str, port| {
        let string = |text: &str| CString::new(text).unwrap();
        Ok(Address { node, interface: interface.map(string), host: string(host), port })
    };
    assert_eq!(Address::parse("224.1.2.3:5556"), address(None, None, "224.1.2.3", 5556));
    assert_eq!(Address::parse("eth0;224.1.2.3:5556"), address(None, Some("eth0"), "224.1.2.3", 5556));
    assert_eq!(Address::parse("7,224.1.2.3:5556"), address(Some(7), None, "224.1.2.3", 5556));
    assert_eq!(Address::parse("7,eth0;224.1.2.3:5556"), address(Some(7), Some("eth0"), "224.1.2.3", 5556));
    assert_eq!(Address::parse("eth0;[ff02::1]:5556"), address(None, Some("eth0"), "ff02::1", 5556));
    assert_eq!(Address::parse("-1,host.example:1"), address(Some(u32::MAX), None, "host.example", 1));
    for wrong in [
        "",
        "224.1.2.3",
        ":5556",
        "224.1.2.3:",
        "224.1.2.3:0",
        "224.1.2.3:65536",
        "224.1.2.3:x",
        "7,eth0;",
        "a\0b:1",
    ] {
        assert_eq!(Address::parse(wrong), Err(Error::Invalid), "{wrong:?}");
    }
}

#[test]
fn what_contradicts_itself_is_made_to_fit() {
    let sent = |block, parity, auto| {
        let mut options = Options::new(SocketType::Pub, &crate::options::ContextOptions::default());
        (options.norm_block_size, options.norm_num_parity, options.norm_num_autoparity) =
            (block, parity, auto);
        let Sending { block, parity, auto_parity, .. } = sending(&options, 1);
        (block, parity, auto_parity)
    };
    assert_eq!(sent(16, 4, 0), (16, 4, 0));
    assert_eq!(sent(16, 4, 8), (16, 8, 8));
    assert_eq!(sent(4, 4, 0), (5, 4, 0));
    assert_eq!(sent(255, 254, 254), (255, 254, 254));
}
