//! How long to wait before connecting again (man page `zmq_setsockopt`, `ZMQ_RECONNECT_IVL`).

use crate::sys::time;

/// The state of one session's waiting.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    /// The last interval of an exponential back-off, in milliseconds.
    current: Option<u64>,
}

impl Backoff {
    /// The connection stood: begin from the start.
    pub fn reset(&mut self) {
        self.current = None;
    }

    /// Milliseconds to wait now; `None`: don't try again, as `interval` is 0 or less. `interval` and `max` are the two options.
    ///
    /// With a maximum the interval doubles each time, up to it. Without one it is `interval` and a random part of up to as much again, so
    /// that peers which lost the same server don't all come back at once.
    pub fn next(&mut self, interval: i32, max: i32) -> Option<u64> {
        let interval = u64::try_from(interval).ok().filter(|&interval| interval > 0)?;
        match u64::try_from(max) {
            Ok(max) if max > 0 => {
                let next = self.current.map_or(interval, |last| last * 2).min(max);
                self.current = Some(next);
                Some(next)
            }
            _ => Some(interval + jitter() % interval),
        }
    }
}

/// Not for secrets: the low bits of the clock, mixed.
fn jitter() -> u64 {
    let mut bits = time::monotonic_ns();
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits ^ (bits >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_maximum() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..5).map(|_| backoff.next(100, 500)).collect();
        assert_eq!(waits, [Some(100), Some(200), Some(400), Some(500), Some(500)]);
        backoff.reset();
        assert_eq!(backoff.next(100, 500), Some(100));
    }

    #[test]
    fn without_a_maximum_it_varies_within_twice_the_interval() {
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            let wait = backoff.next(100, 0).expect("an interval");
            assert!((100..200).contains(&wait), "{wait}");
        }
        assert_eq!(backoff.next(-1, 0), None);
        assert_eq!(backoff.next(0, 100), None);
    }
}
