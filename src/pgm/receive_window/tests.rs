use super::*;
use crate::pgm::packet::Marks;

const FREE: usize = usize::MAX;

struct Fixture {
    window: ReceiveWindow,
    jitter: Jitter,
    now: u64,
}

impl Fixture {
    fn new(limit: usize) -> Self {
        Self { window: ReceiveWindow::new(limit), jitter: Jitter::new(5), now: 1000 * MS }
    }

    fn data_with_trail(&mut self, sequence: u32, trail: u32) -> bool {
        let payload = sequence.to_be_bytes();
        let data = Data {
            sequence: Sequence(sequence),
            trail: Sequence(trail),
            fragment: None,
            marks: Marks::default(),
            payload: &payload,
        };
        self.window.data(&data, self.now, FREE, &mut self.jitter)
    }

    fn data(&mut self, sequence: u32) -> bool {
        self.data_with_trail(sequence, 0)
    }

    fn spm(&mut self, trail: u32, lead: u32) {
        self.window.spm(Sequence(trail), Sequence(lead), self.now, FREE, &mut self.jitter);
    }

    /// What can be delivered: numbers, and losses as how many, negative.
    fn deliveries(&mut self) -> Vec<i64> {
        let mut all = Vec::new();
        while let Some(delivery) = self.window.next() {
            all.push(match delivery {
                Delivery::Data(stored) => i64::from(stored.sequence.0),
                Delivery::Lost(count) => -i64::from(count),
            });
        }
        assert!(!self.window.has_next());
        all
    }

    /// What is asked for in a time.
    fn asked(&mut self, duration: u64) -> Vec<u32> {
        let end = self.now + duration;
        let mut named = Vec::new();
        while self.window.due() <= end {
            self.now = self.window.due().max(self.now);
            self.window.time_has_come(self.now, usize::MAX, &mut named, &mut self.jitter);
        }
        self.now = end;
        named.into_iter().map(|sequence| sequence.0).collect()
    }
}

#[test]
fn packets_are_delivered_in_order_once() {
    let mut fixture = Fixture::new(100);
    assert!(fixture.data(5));
    assert_eq!(fixture.deliveries(), [5]);
    assert!(fixture.data(8));
    assert!(fixture.data(7));
    assert!(!fixture.data(8), "again");
    assert!(!fixture.data(5), "again");
    assert_eq!(fixture.deliveries(), []);
    assert!(!fixture.data(4), "before the first one");
    assert!(fixture.data(6));
    assert_eq!(fixture.deliveries(), [6, 7, 8]);
    assert_eq!(fixture.window.len(), 0);
    assert_eq!(fixture.asked(1000 * MS), [] as [u32; 0], "nothing is missing any more");
}

#[test]
fn a_missing_packet_is_asked_for_until_somebody_answers() {
    let mut fixture = Fixture::new(100);
    fixture.data(0);
    fixture.data(3);
    assert_eq!(fixture.asked(51 * MS), [1, 2], "after a back-off");
    assert_eq!(fixture.asked(140 * MS), [], "a confirmation is waited for");
    fixture.window.confirm(Sequence(1), fixture.now);
    assert_eq!(fixture.asked(100 * MS), [2], "nobody has confirmed that");
    assert_eq!(fixture.asked(200 * MS), [1], "it was confirmed, but has not come");
    fixture.data(1);
    fixture.data(2);
    assert_eq!(fixture.deliveries(), [0, 1, 2, 3]);
    assert_eq!(fixture.asked(1000 * MS), []);
}

#[test]
fn a_confirmation_before_the_own_question_makes_that_needless() {
    let mut fixture = Fixture::new(100);
    fixture.data(0);
    fixture.data(2);
    fixture.window.confirm(Sequence(1), fixture.now);
    fixture.window.confirm(Sequence(50), fixture.now);
    assert_eq!(fixture.asked(199 * MS), []);
    assert_eq!(fixture.asked(60 * MS), [1]);
}

#[test]
fn what_nobody_repairs_is_lost_in_the_end() {
    for confirmed in [false, true] {
        let mut fixture = Fixture::new(100);
        fixture.data(0);
        fixture.data(2);
        assert_eq!(fixture.deliveries(), [0]);
        let mut asked = 0;
        for _ in 0..1000 {
            let count = fixture.asked(20 * MS).len();
            asked += count;
            if confirmed && count > 0 {
                fixture.window.confirm(Sequence(1), fixture.now);
            }
        }
        assert_eq!(asked, usize::from(RETRIES));
        assert_eq!(fixture.deliveries(), [-1, 2]);
        assert_eq!(fixture.window.due(), u64::MAX);
    }
}

#[test]
fn what_the_source_has_no_more_is_lost_at_once() {
    let mut fixture = Fixture::new(100);
    fixture.data(0);
    fixture.data(5);
    fixture.data_with_trail(7, 3);
    assert_eq!(fixture.deliveries(), [0, -2]);
    fixture.data(3);
    fixture.data(4);
    assert_eq!(fixture.deliveries(), [3, 4, 5]);
    fixture.spm(7, 9);
    assert_eq!(fixture.deliveries(), [-1, 7]);
    // A late repair still counts as long as its turn hasn't come.
    fixture.data_with_trail(12, 10);
    assert!(fixture.data(11));
    assert!(!fixture.data(6));
    assert_eq!(fixture.deliveries(), [-2]);
    assert!(fixture.data(10));
    assert_eq!(fixture.deliveries(), [10, 11, 12]);
}

#[test]
fn an_spm_tells_of_packets_that_nobody_has_seen() {
    let mut fixture = Fixture::new(100);
    fixture.spm(0, u32::MAX);
    assert_eq!(fixture.asked(100 * MS), [], "nothing was sent as yet");
    fixture.spm(0, 1);
    fixture.spm(0, 1);
    assert_eq!(fixture.asked(51 * MS), [0, 1]);
    fixture.data(0);
    fixture.data(1);
    assert_eq!(fixture.deliveries(), [0, 1]);
    fixture.spm(0, 0);
    fixture.spm(0, 1);
    assert_eq!(fixture.asked(1000 * MS), []);
}

#[test]
fn a_full_window_gives_up_what_is_missing_longest() {
    let mut fixture = Fixture::new(4);
    fixture.data(0);
    assert_eq!(fixture.deliveries(), [0]);
    fixture.data(2);
    fixture.data(3);
    assert!(fixture.data(4));
    assert_eq!(fixture.deliveries(), []);
    assert!(fixture.data(5), "1 has to go");
    assert!(!fixture.data(6), "2 is only to be read");
    assert_eq!(fixture.deliveries(), [-1, 2, 3, 4, 5]);
    assert!(fixture.data(6));
    assert_eq!(fixture.deliveries(), [6]);
}

#[test]
fn a_packet_far_ahead_needs_a_second_one() {
    let mut fixture = Fixture::new(10);
    fixture.data(0);
    assert!(!fixture.data(1000));
    assert!(fixture.data(1), "one from here");
    assert!(!fixture.data(1001));
    assert!(!fixture.data(2_000_000), "another lie");
    assert!(!fixture.data(1001));
    assert_eq!(fixture.deliveries(), [0, 1]);
    assert!(fixture.data(1002));
    assert_eq!(fixture.deliveries(), [-1000, 1002]);
    assert!(fixture.data(1003));
    assert_eq!(fixture.deliveries(), [1003]);
    // Half of all numbers ahead is behind.
    assert!(!fixture.data(1004_u32.wrapping_add(1 << 31)));
    assert!(fixture.data(1004));
}

#[test]
fn an_allowance_limits_holes_beyond_what_every_source_has() {
    let mut fixture = Fixture::new(1000);
    let mut data = |sequence: u32, allowance: usize| {
        let data = Data {
            sequence: Sequence(sequence),
            trail: Sequence(0),
            fragment: None,
            marks: Marks::default(),
            payload: b"x",
        };
        fixture.window.data(&data, 0, allowance, &mut fixture.jitter)
    };
    assert!(data(0, 0));
    assert!(data(GUARANTEED as u32 - 1, 0));
    assert!(!data(GUARANTEED as u32, 0));
    assert!(!data(500, 100));
    assert!(data(500, 1000));
}

#[test]
fn floods_of_confirmations_leave_no_timers_behind() {
    let mut fixture = Fixture::new(1000);
    fixture.data(0);
    fixture.data(900);
    for round in 0..200 {
        for sequence in 1..900 {
            fixture.window.confirm(Sequence(sequence), fixture.now + round);
        }
        fixture.spm(0, 900);
    }
    assert!(fixture.window.timers.len() <= 2 * 900, "{}", fixture.window.timers.len());
}
