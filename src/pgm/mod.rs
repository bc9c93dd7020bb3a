//! PGM, reliable multicast (RFC 3208): the protocol's two sides, without descriptors, threads or clocks. Packets and times go in; packets and data come out.
//!
//! [`Sender`] is a source, [`Receiver`] follows any number of sources up to a limit. What is implemented, and what isn't, stands in `docs/pgm.md`.
//! All times are nanoseconds on a clock of the caller's.

mod checksum;
mod jitter;
mod packet;
mod rate;
mod receive_window;
mod receiver;
mod sender;
mod sequence;
mod source;
mod transmit_window;
mod units;

pub use packet::{DATA_HEADER, Identity, Tsi};
pub use receiver::{Arrival, Outgoing, Receiver, ReceiverConfig, To};
pub use sender::{Sender, SenderConfig};
pub use sequence::Sequence;

/// A millisecond.
const MS: u64 = 1_000_000;

/// How many packets a window has, for a rate in kbit/s (`ZMQ_RATE`), a time in milliseconds (`ZMQ_RECOVERY_IVL`) and the longest packet in bytes
/// (`ZMQ_MULTICAST_MAXTPDU`): what is sent at that rate in that time, as libzmq reckons it.
pub fn window_size(rate: u64, recovery: u64, max_tpdu: usize) -> usize {
    let bytes = (rate / 8).saturating_mul(recovery);
    let packets = bytes / (max_tpdu.max(1) as u64);
    usize::try_from(packets).unwrap_or(usize::MAX).clamp(1, i32::MAX as usize)
}

#[cfg(test)]
mod network_tests;
#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_as_large_as_upstreams() {
        assert_eq!(window_size(100, 10_000, 1500), 80);
        assert_eq!(window_size(1_000_000, 10_000, 1500), 833_333);
        assert_eq!(window_size(7, 10_000, 1500), 1);
        assert_eq!(window_size(u64::MAX, u64::MAX, 0), i32::MAX as usize);
    }
}
