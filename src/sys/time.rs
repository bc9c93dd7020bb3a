//! The monotonic clock.

use std::time::Duration;

/// Nanoseconds of the monotonic clock (`CLOCK_MONOTONIC`); they count from an arbitrary point.
#[inline]
pub fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` can be written. The clock exists on every system, so the call can't fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// A number that changes with every tick of the kernel's clock (1 to 10 ms), and costs a quarter of what the time costs.
#[inline]
pub fn tick() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` can be written. Where there is no such clock it stays zero, which is a tick that never ends.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The point `timeout` from now, in the nanoseconds of [`monotonic_ns`].
pub fn deadline(timeout: Duration) -> u64 {
    monotonic_ns().saturating_add(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX))
}

/// For calls that take a `timespec`. Longer than the kernel can count becomes 292 years.
pub(super) fn timespec(ns: u64) -> libc::timespec {
    let ns = ns.min(i64::MAX as u64);
    libc::timespec { tv_sec: (ns / 1_000_000_000) as _, tv_nsec: (ns % 1_000_000_000) as _ }
}

/// As [`timespec`].
pub(super) fn timespec_of(duration: Duration) -> libc::timespec {
    timespec(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_forwards_with_instant() {
        let (start, instant) = (monotonic_ns(), std::time::Instant::now());
        while instant.elapsed() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        assert!(monotonic_ns() - start >= 2_000_000);
    }

    #[test]
    fn deadlines_saturate() {
        assert_eq!(deadline(Duration::MAX), u64::MAX);
        let now = monotonic_ns();
        assert!((now + 1_000_000_000..now + 60_000_000_000).contains(&deadline(Duration::from_secs(1))));
        let longest = timespec(u64::MAX);
        assert_eq!((longest.tv_sec, longest.tv_nsec), (i64::MAX / 1_000_000_000, i64::MAX % 1_000_000_000));
        assert_eq!(timespec_of(Duration::new(3, 5)).tv_nsec, 5);
    }
}
