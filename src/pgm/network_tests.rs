//! Sources and receivers together, in virtual time.

use super::packet::{self, Identity, Marks, Spm};
use super::testing::*;
use super::*;

const SECOND: u64 = 1000 * MS;

fn one_and_one(seed: u64, faults: Faults) -> World {
    let mut world = World::new(seed, faults);
    world.add_sender(sender_config(0));
    world.add_receiver(receiver_config(0));
    world
}

/// With windows as long as libzmq has them by default: what is sent in ten seconds.
fn long_windows(seed: u64, faults: Faults, receivers: usize) -> World {
    let mut world = World::new(seed, faults);
    world.add_sender(SenderConfig { window: 8000, ..sender_config(0) });
    for receiver in 0..receivers {
        world.add_receiver(ReceiverConfig { window: 8000, ..receiver_config(receiver) });
    }
    world
}

/// All numbers of a range, in order, once.
fn assert_all(world: &World, receiver: usize, numbers: std::ops::Range<u32>) {
    let (seen, losses) = world.numbers(receiver);
    assert_eq!(losses, 0);
    assert!(seen.iter().copied().eq(numbers.clone()), "{} of {}", seen.len(), numbers.len());
}

#[test]
fn everything_arrives_in_order_over_a_good_network() {
    let mut world = one_and_one(1, Faults { delay: MS, ..Faults::default() });
    world.send_numbers(0..1000, 1000);
    world.run(2 * SECOND);
    assert_all(&world, 0, 0..1000);
    assert_eq!(world.upstream, 0, "the SPMs at the beginning make asking needless");
    // Three SPMs, the data, and heartbeats.
    assert!((1003..1010).contains(&world.downstream), "{}", world.downstream);
}

#[test]
fn everything_that_the_windows_cover_arrives_in_order_over_a_bad_one() {
    for seed in 1..19 {
        let faults = Faults {
            lost: [0, 50, 200][seed as usize % 3],
            doubled: 50,
            spread: [1, 3 * MS, 20 * MS][seed as usize / 3 % 3],
            delay: MS,
            corrupted: 10,
        };
        let mut world = long_windows(seed, faults, 2);
        world.run(SECOND);
        world.send_numbers(0..2000, 700);
        world.run(30 * SECOND);
        assert_all(&world, 0, 0..2000);
        assert_all(&world, 1, 0..2000);
    }
}

#[test]
fn numbers_go_round() {
    for first in [u32::MAX - 100, u32::MAX / 2 - 100] {
        let faults = Faults { lost: 100, spread: 5 * MS, ..Faults::default() };
        let mut world = World::new(u64::from(first), faults);
        world.add_sender(SenderConfig { first: Sequence(first), window: 50, ..sender_config(0) });
        world.add_receiver(ReceiverConfig { window: 50, ..receiver_config(0) });
        world.run(SECOND);
        // Slowly enough for the short window.
        for number in 0..300 {
            world.send_numbers(number..number + 1, 100);
            world.run(20 * MS);
        }
        world.run(5 * SECOND);
        assert_all(&world, 0, 0..300);
    }
}

#[test]
fn the_last_packet_is_missed_by_the_heartbeat_and_repaired() {
    let mut world = one_and_one(1, Faults::default());
    world.run(SECOND);
    world.deaf[0] = true;
    world.send_numbers(0..1, 10);
    world.run(10 * MS);
    world.deaf[0] = false;
    world.run(80 * MS);
    assert_eq!(world.numbers(0).0.len(), 0);
    world.run(100 * MS);
    assert_all(&world, 0, 0..1);
}

#[test]
fn a_late_receiver_begins_with_what_it_hears_first() {
    let faults = Faults { lost: 100, ..Faults::default() };
    let mut world = long_windows(3, faults, 1);
    world.run(SECOND);
    world.send_numbers(0..3000, 1000);
    world.run(SECOND);
    world.add_receiver(receiver_config(1));
    world.run(20 * SECOND);
    assert_all(&world, 0, 0..3000);
    let (seen, losses) = world.numbers(1);
    assert_eq!(losses, 0);
    let first = seen[0];
    assert!((500..2000).contains(&first), "{first}");
    assert_all(&world, 1, first..3000);
}

#[test]
fn what_the_windows_do_not_cover_is_a_visible_loss() {
    let mut world = World::new(1, Faults::default());
    world.add_sender(SenderConfig { window: 100, ..sender_config(0) });
    world.add_receiver(ReceiverConfig { window: 100, ..receiver_config(0) });
    world.run(SECOND);
    world.send_numbers(0..200, 500);
    world.run(SECOND);
    world.deaf[0] = true;
    world.send_numbers(200..1000, 500);
    world.run(SECOND);
    world.deaf[0] = false;
    world.send_numbers(1000..1400, 500);
    world.run(20 * SECOND);
    let (seen, losses) = world.numbers(0);
    assert_eq!(losses, 1);
    assert!(seen[..200].iter().copied().eq(0..200));
    let resumed = seen[200];
    assert!(resumed > 800, "{resumed}");
    assert!(seen[200..].iter().copied().eq(resumed..1400), "nothing else is lost");
}

#[test]
fn a_source_that_never_repairs_is_given_up_and_does_not_stop_the_others() {
    let mut world = one_and_one(1, Faults::default());
    world.run(SECOND);
    world.add_sender(sender_config(1));
    // What comes of this source is number 0 and, without anybody to repair the rest, 5.
    let identity = Identity { tsi: tsi(7), port: PORT };
    for sequence in [0, 5] {
        let mut packet = with_room(&unit(sequence, 50));
        packet::finish_data(identity, Sequence(sequence), Sequence(0), &mut packet);
        world.arrive(Host::Receiver(0), 7, &packet);
    }
    world.senders[1].1.extend((100..200).map(|number| unit(number, 50)));
    world.run(SECOND);
    let (seen, losses) = world.numbers(0);
    assert_eq!((seen.len(), losses), (101, 0));
    world.run(15 * SECOND);
    let (seen, losses) = world.numbers(0);
    assert_eq!((seen.len(), seen[101]), (102, 5));
    assert!((1..=4).contains(&losses), "one for all four, or one each: {losses}");
    assert!((40..70).contains(&world.upstream), "asked at most {} times", world.upstream);
}

#[test]
fn one_receiver_asks_for_what_all_have_missed() {
    let mut world = World::new(5, Faults { delay: MS, ..Faults::default() });
    world.add_sender(sender_config(0));
    for receiver in 0..20 {
        world.add_receiver(receiver_config(receiver * 31));
    }
    world.run(SECOND);
    world.deaf.fill(true);
    world.send_numbers(0..10, 1000);
    world.run(20 * MS);
    world.deaf.fill(false);
    world.upstream = 0;
    world.run(2 * SECOND);
    for receiver in 0..20 {
        assert_all(&world, receiver, 0..10);
    }
    // The back-off is up to 50 ms, a confirmation comes after 2: few of twenty are as fast as the first.
    assert!(world.upstream <= 6, "{}", world.upstream);
}

#[test]
fn the_rate_is_kept_and_repairs_do_not_stop_data() {
    let mut world = World::new(1, Faults { lost: 300, ..Faults::default() });
    world.add_sender(SenderConfig { rate: 100_000, ..sender_config(0) });
    world.add_receiver(receiver_config(0));
    world.run(SECOND);
    world.send_numbers(0..1000, 1000 - OVERHEAD - DATA_HEADER);
    let start = world.downstream;
    world.run(SECOND);
    let sent = world.downstream - start;
    // The bucket holds a second's worth: 100 packets, then 100 a second; and repairs for 30 % with their confirmations, some of them twice.
    assert!((250..400).contains(&sent), "{sent}");
    world.run(30 * SECOND);
    assert_all(&world, 0, 0..1000);
}

#[test]
fn a_nak_storm_costs_no_more_than_the_rate() {
    let mut world = World::new(1, Faults::default());
    world.add_sender(SenderConfig { rate: 100_000, ..sender_config(0) });
    world.send_numbers(0..500, 1000 - OVERHEAD - DATA_HEADER);
    world.run(6 * SECOND);
    let identity = Identity { tsi: tsi(0), port: PORT };
    let sequences: Vec<_> = (0..500).map(Sequence).collect();
    let start = world.downstream;
    for _ in 0..1000 {
        for named in sequences.chunks(63) {
            let nak = packet::nak(identity, false, named, address(0), GROUP).unwrap();
            world.arrive(Host::Sender(0), 0, &nak);
        }
        world.run(MS);
    }
    let sent = world.downstream - start;
    // 200 repairs in the first second; each NAK is confirmed.
    assert!(sent < 200 + 8000 + 20, "{sent}");
    let (sender, _) = &world.senders[0];
    assert!(sender.packet(0).is_none());
    // Without anything sent in between, little waits.
    for _ in 0..100 {
        for named in sequences.chunks(63) {
            let nak = packet::nak(identity, false, named, address(0), GROUP).unwrap();
            world.arrive(Host::Sender(0), 0, &nak);
        }
    }
    let waiting = (0..).take_while(|&index| world.senders[0].0.packet(index).is_some()).count();
    assert!(waiting <= 200, "{waiting}");
}

fn forged(trail: u32, lead: u32, sequence: u32) -> Vec<u8> {
    let identity = Identity { tsi: tsi(0), port: PORT };
    let spm = Spm {
        sequence: Sequence(sequence),
        trail: Sequence(trail),
        lead: Sequence(lead),
        path: address(9),
        marks: Marks::default(),
    };
    packet::spm(identity, &spm)
}

#[test]
fn a_forged_spm_far_from_the_truth_changes_nothing() {
    let mut world = one_and_one(1, Faults::default());
    world.run(SECOND);
    for number in 0..200 {
        world.send_numbers(number..number + 1, 100);
        world.run(5 * MS);
        // A number of its own that is far ahead, a window far ahead, a window that can't be.
        for spm in [forged(0, 5, 1 << 20), forged(1 << 20, 1 << 21, 4), forged(50, 3, 4)] {
            world.arrive(Host::Receiver(0), 9, &spm);
        }
    }
    world.run(SECOND);
    assert_all(&world, 0, 0..200);
}

#[test]
fn forged_windows_take_a_bounded_time_and_memory() {
    let mut world = one_and_one(1, Faults::default());
    world.run(SECOND);
    world.send_numbers(0..10, 100);
    world.run(SECOND);
    for step in 0..100_u32 {
        let lead = step.wrapping_mul(900) + 10;
        world.arrive(Host::Receiver(0), 9, &forged(0, lead, 100 + step));
    }
    assert_eq!(world.receivers[0].places(), 1000);
    // They are asked for, and given up.
    world.run(20 * SECOND);
    world.seen[0].clear();
    assert!(world.upstream < 64 * 1000 / 63 * 60, "{}", world.upstream);
    assert!(world.receivers[0].places() <= 1000);
}

#[test]
fn sources_are_bounded_and_live_ones_stay() {
    let mut world = one_and_one(1, Faults::default());
    world.run(SECOND);
    world.send_numbers(0..10, 100);
    world.run(SECOND);
    // Two thousand sources that don't exist, each with a hole.
    for number in 0..2000_u32 {
        let identity = Identity {
            tsi: Tsi { gsi: [9, 9, 9, 9, (number >> 8) as u8, number as u8], port: 1 },
            port: PORT,
        };
        for sequence in [0, 900] {
            let mut packet = with_room(&unit(number, 500));
            packet::finish_data(identity, Sequence(sequence), Sequence(0), &mut packet);
            world.arrive(Host::Receiver(0), 9, &packet);
        }
    }
    assert!(world.receivers[0].places() <= 4096 + 256 * 32, "{}", world.receivers[0].places());
    world.seen[0].clear();
    world.send_numbers(10..500, 100);
    world.run(5 * SECOND);
    let own: Vec<_> = world.numbers(0).0.into_iter().filter(|&number| (10..500).contains(&number)).collect();
    assert!(own.into_iter().eq(10..500), "the real source is heard all the same");
    // Two minutes later there is a place for a new one: the false ones were silent.
    world.run(120 * SECOND);
    world.add_sender(sender_config(1));
    world.senders[1].1.push_back(unit(7777, 50));
    world.run(SECOND);
    assert!(world.numbers(0).0.contains(&7777));
}

#[test]
fn junk_is_survived() {
    let mut world = one_and_one(1, Faults::default());
    world.run(SECOND);
    let mut jitter = jitter::Jitter::new(99);
    let identity = Identity { tsi: tsi(0), port: PORT };
    let mut good = with_room(&unit(0, 40));
    packet::finish_data(identity, Sequence(0), Sequence(0), &mut good);
    let nak = packet::nak(identity, false, &[Sequence(1), Sequence(2)], address(0), GROUP).unwrap();
    for round in 0..10_000 {
        let mut packet = match round % 4 {
            0 => good.to_vec(),
            1 => nak.clone(),
            2 => forged(0, 3, 4),
            _ => (0..jitter.up_to(60)).map(|_| jitter.up_to(256) as u8).collect(),
        };
        for _ in 0..jitter.up_to(3) {
            let at = jitter.up_to(packet.len() as u64) as usize - 1;
            packet[at] = jitter.up_to(256) as u8;
        }
        if let [_, _, _, _, _, _, c0, c1, ..] = &mut packet[..] {
            (*c0, *c1) = (0, 0);
            let sum = checksum::checksum(&packet).to_be_bytes();
            packet[6..8].copy_from_slice(&sum);
        }
        world.receivers[0].handle(&packet, address(3), GROUP, world.now);
        while world.receivers[0].arrival().is_some() {}
        world.senders[0].0.handle(&packet, world.now);
        world.now += 10_000;
    }
    assert!(world.receivers[0].places() <= 4096 + 256 * 32);
    world.run(400 * SECOND);
    world.seen[0].clear();
    // After such a time of lies the session is a new one.
    world.add_sender(sender_config(1));
    world.run(SECOND);
    world.senders[1].1.extend((0..100).map(|number| unit(number, 50)));
    world.run(5 * SECOND);
    assert_all(&world, 0, 0..100);
}

#[test]
fn the_end_of_a_session_tells_of_its_last_packet() {
    let mut world = one_and_one(1, Faults::default());
    world.run(SECOND);
    world.send_numbers(0..5, 50);
    world.run(10 * MS);
    world.senders[0].0.finish();
    world.run(MS);
    assert!(world.senders[0].0.is_drained());
    assert_eq!(world.senders[0].0.due(), u64::MAX);
    world.run(SECOND);
    assert_all(&world, 0, 0..5);
    assert_eq!(world.receivers[0].sources(), 1);
    world.run(30 * SECOND);
    assert_eq!(world.receivers[0].sources(), 0);
}

#[test]
fn a_silent_source_is_forgotten() {
    let mut world = one_and_one(1, Faults::default());
    world.run(SECOND);
    assert_eq!(world.receivers[0].sources(), 1);
    world.run(600 * SECOND);
    assert_eq!(world.receivers[0].sources(), 1, "ambient SPMs keep it");
    world.senders.clear();
    world.run(301 * SECOND);
    assert_eq!(world.receivers[0].sources(), 0);
    assert_eq!(world.receivers[0].due(), u64::MAX);
}

#[test]
fn a_new_receiver_asks_for_an_spm() {
    let mut world = one_and_one(1, Faults::default());
    world.run(40 * SECOND);
    world.add_receiver(receiver_config(1));
    let mut packet = with_room(&unit(0, 40));
    packet::finish_data(Identity { tsi: tsi(0), port: PORT }, Sequence(0), Sequence(0), &mut packet);
    let before = world.downstream;
    world.arrive(Host::Receiver(1), 0, &packet);
    world.run(SECOND);
    assert_eq!((world.upstream, world.downstream - before), (1, 1));
}
