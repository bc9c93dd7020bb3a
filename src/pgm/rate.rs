//! How fast a source may send (RFC 3208, section 5.1.1; `ZMQ_RATE`).

/// A bucket from which each packet takes its size and into which the rate flows. It holds what comes in a second, or in a millisecond where that is more
/// than a packet, as OpenPGM's does; in the latter case some packets at least, so that a thread that comes a little later hasn't lost them.
///
/// It is kept as the time at which all that was taken will have flowed in again: no rounding adds up, and nothing happens between packets.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// Bytes per second.
    rate: u64,
    /// How far `full_at` may be ahead, in nanoseconds.
    depth: u64,
    full_at: u64,
}

const SECOND: u64 = 1_000_000_000;
/// How many packets may follow each other at once, where the rate is many of them in a second.
const BURST: usize = 16;

impl Bucket {
    /// A full one, for packets of up to `packet` bytes. `rate` is in bytes per second.
    pub fn new(rate: u64, packet: usize) -> Self {
        let rate = rate.max(1);
        let mut bucket = Self { rate, depth: 0, full_at: 0 };
        // A rate so low that a packet takes longer than a second still lets one go at a time.
        bucket.depth = match rate / 1000 >= packet as u64 {
            true => (SECOND / 1000).max(bucket.cost(packet * BURST)),
            false => SECOND.max(bucket.cost(packet)),
        };
        bucket
    }

    /// How many bytes are worth waiting for: what comes in 200 µs.
    pub fn portion(&self) -> usize {
        (self.rate / 5000) as usize
    }

    fn cost(&self, bytes: usize) -> u64 {
        u64::try_from(bytes as u128 * u128::from(SECOND) / u128::from(self.rate)).unwrap_or(u64::MAX / 4)
    }

    /// When so many bytes can be taken, in nanoseconds; not after `now` if they can be at once.
    pub fn ready_at(&self, bytes: usize) -> u64 {
        (self.full_at + self.cost(bytes)).saturating_sub(self.depth)
    }

    /// Whether so many bytes can be taken at once.
    pub fn allows(&self, bytes: usize, now: u64) -> bool {
        self.ready_at(bytes) <= now
    }

    /// Takes them.
    pub fn take(&mut self, bytes: usize, now: u64) {
        self.full_at = self.full_at.max(now) + self.cost(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many packets go in a time, if each goes as soon as it may.
    fn sent(bucket: &mut Bucket, packet: usize, start: u64, duration: u64) -> u64 {
        let (mut now, mut count) = (start, 0);
        while now < start + duration {
            if bucket.allows(packet, now) {
                bucket.take(packet, now);
                count += 1;
            } else {
                now = bucket.ready_at(packet);
            }
        }
        count
    }

    #[test]
    fn the_rate_is_kept_whatever_the_bursts() {
        // 100 kbit/s: a second's worth at once, then the rate.
        let mut slow = Bucket::new(12_500, 1500);
        assert_eq!(sent(&mut slow, 1250, 7, 1), 10);
        assert_eq!(sent(&mut slow, 1250, 8, 10 * SECOND), 100);
        // 1 Gbit/s: a millisecond's worth at once.
        let mut fast = Bucket::new(125_000_000, 1500);
        assert_eq!(sent(&mut fast, 1250, 0, 1), 100);
        let count = sent(&mut fast, 1250, 1, SECOND);
        assert!((99_999..=100_001).contains(&count), "{count}");
        // Idleness saves up no more than the bucket holds.
        assert_eq!(sent(&mut fast, 1250, 60 * SECOND, 1), 100);
    }

    #[test]
    fn a_packet_goes_at_any_rate() {
        let mut slow = Bucket::new(1, 1500);
        assert!(slow.allows(1500, 0));
        slow.take(1500, 0);
        assert!(!slow.allows(1500, 1499 * SECOND));
        assert!(slow.allows(1500, 1500 * SECOND));
        let mut none = Bucket::new(0, 65_535);
        none.take(65_535, u64::MAX / 8);
        assert!(none.ready_at(65_535) > u64::MAX / 8);
    }
}
