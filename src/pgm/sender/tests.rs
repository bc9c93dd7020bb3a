use super::*;
use crate::pgm::packet::{Packet, parse};
use crate::pgm::testing::{GROUP, OVERHEAD, address, sender_config, with_room};

const START: u64 = 1000 * MS;

/// Everything that a source sends now.
fn sent(sender: &mut Sender, now: u64) -> Vec<Vec<u8>> {
    sender.fill(now);
    let mut all = Vec::new();
    while let Some(packet) = sender.packet(0).map(<[u8]>::to_vec) {
        all.push(packet);
        sender.sent(1);
        sender.fill(now);
    }
    all
}

/// The times of the SPMs until `end`, with what they say of the window.
fn spms(sender: &mut Sender, end: u64) -> Vec<(u64, u32, u32)> {
    let mut all = Vec::new();
    while sender.due() <= end {
        let now = sender.due();
        for packet in sent(sender, now) {
            match parse(&packet) {
                Some(Packet { body: Body::Spm(spm), .. }) => {
                    all.push(((now - START) / MS, spm.trail.0, spm.lead.0));
                }
                other => panic!("{other:?}"),
            }
        }
    }
    all
}

fn nak(sequences: &[u32]) -> Vec<u8> {
    let sequences: Vec<_> = sequences.iter().copied().map(Sequence).collect();
    packet::nak(sender_config(0).identity, false, &sequences, address(0), GROUP).unwrap()
}

#[test]
fn spms_come_at_libzmqs_intervals() {
    let mut sender = Sender::new(sender_config(0), START);
    assert_eq!(sent(&mut sender, START).len(), 3);
    assert_eq!(spms(&mut sender, START + 65_000 * MS), [(30_000, 0, u32::MAX), (60_000, 0, u32::MAX)]);
    let begin = START + 65_000 * MS;
    sender.push(with_room(b"abc"), begin);
    assert_eq!(sent(&mut sender, begin).len(), 1);
    let times: Vec<_> =
        spms(&mut sender, begin + 81_000 * MS).into_iter().map(|(at, ..)| at - 65_000).collect();
    assert_eq!(times, [100, 200, 300, 400, 1700, 8700, 24_700, 25_000, 49_700, 55_000, 79_700]);
    // Ambient ones come while data flow, too.
    let mut sender = Sender::new(sender_config(0), START);
    let mut count = 0;
    for step in 0..700 {
        let now = START + step * 90 * MS;
        sender.push(with_room(b"abc"), now);
        count += sent(&mut sender, now).iter().filter(|packet| packet[4] == 0).count();
    }
    assert_eq!(count, 3 + 2);
}

#[test]
fn a_nak_is_confirmed_before_it_is_answered() {
    let mut sender = Sender::new(SenderConfig { window: 3, ..sender_config(0) }, START);
    sent(&mut sender, START);
    for byte in 0..4 {
        sender.push(with_room(&[byte; 10]), START);
        assert_eq!(sent(&mut sender, START).len(), 1);
    }
    sender.handle(&nak(&[1, 3, 9, 0]), START);
    let packets = sent(&mut sender, START);
    assert_eq!(packets.len(), 4);
    let Some(Packet { body: Body::Ncf(ncf), .. }) = parse(&packets[0]) else { panic!("not an NCF") };
    assert!(ncf.sequences().eq([Sequence(1), Sequence(3)]), "what it has");
    assert_eq!(packets[1][4], 0, "an SPM, because of what it hasn't");
    for (packet, byte) in packets[2..].iter().zip([1, 3]) {
        let Some(Packet { body: Body::Data(data), .. }) = parse(packet) else { panic!("no data") };
        assert_eq!((packet[4], data.sequence.0, data.trail.0), (5, u32::from(byte), 1));
        assert_eq!(data.payload, [byte; 10]);
    }
    // Further SPMs that were asked for come after a while.
    sender.handle(&packet::spmr(sender_config(0).identity), START);
    assert_eq!(sent(&mut sender, START).len(), 0);
    assert_eq!(sent(&mut sender, START + 100 * MS).len(), 1 + 1, "with the heartbeat");
}

#[test]
fn naks_for_others_are_nothing() {
    let mut sender = Sender::new(sender_config(0), START);
    sender.push(with_room(b"abc"), START);
    sent(&mut sender, START);
    let config = sender_config(0);
    let other = sender_config(1).identity;
    for packet in [
        packet::nak(other, false, &[Sequence(0)], address(0), GROUP),
        packet::nak(config.identity, false, &[Sequence(0)], address(1), GROUP),
        packet::nak(config.identity, false, &[Sequence(0)], address(0), address(0)),
        packet::nak(Identity { port: 1, ..config.identity }, false, &[Sequence(0)], address(0), GROUP),
        packet::nak(config.identity, true, &[Sequence(0)], address(0), GROUP),
    ] {
        sender.handle(&packet.unwrap(), START);
    }
    sender.handle(b"", START);
    assert_eq!(sent(&mut sender, START).len(), 0);
}

#[test]
fn data_wait_for_the_rate_and_never_leave_unsent() {
    let mut sender = Sender::new(SenderConfig { rate: 12_500, window: 4, ..sender_config(0) }, START);
    sent(&mut sender, START);
    let size = sender.max_data();
    assert_eq!(size, 1500 - OVERHEAD - DATA_HEADER);
    let mut times = Vec::new();
    let mut now = START;
    for number in 0..20_u8 {
        while !sender.has_room(now) {
            now = sender.room_at().max(now + 1);
            sender.fill(now);
        }
        sender.push(with_room(&vec![number; size]), now);
        let packets = sent(&mut sender, now);
        assert!(packets.last().is_some_and(|packet| packet[4] == 4 && packet[24] == number));
        times.push((now - START) / MS);
    }
    // 8 packets fit into the bucket; from then on one each 120 ms.
    assert_eq!(times[7], 0);
    assert_eq!((times[8], times[19]), (80, 1400));
    assert!(sender.is_drained());
}

#[test]
fn what_was_pushed_without_room_goes_later() {
    let mut sender = Sender::new(SenderConfig { rate: 12_500, ..sender_config(0) }, START);
    sent(&mut sender, START);
    for number in 0..12_u8 {
        sender.push(with_room(&vec![number; 1000]), START);
    }
    assert!(!sender.is_drained());
    let first = sent(&mut sender, START);
    let mut all: Vec<u8> = first.iter().map(|packet| packet[24]).collect();
    let mut steps = 0;
    while !sender.is_drained() {
        steps += 1;
        assert!(steps < 100);
        let now = sender.due();
        all.extend(sent(&mut sender, now).iter().filter(|packet| packet[4] == 4).map(|packet| packet[24]));
    }
    assert!(all.into_iter().eq(0..12));
}
