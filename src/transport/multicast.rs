//! Multicast: one descriptor (or more) by which bytes go to a whole group of hosts, and come from any number of sources. There is nobody to
//! shake hands with, and no connection that could be lost.
//!
//! Such a transport moves bytes. What the messages in them look like, and which of a source's bytes make one, is known above it
//! (`zmtp::multicast`); so all it has to tell is where a message begins, and where something is missing.

use std::os::fd::RawFd;

/// How messages lie in the bytes, as libzmq has it for the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Frames of ZMTP 1.0 (pgm, epgm).
    Zmtp1,
    /// Frames of ZMTP 2.0, each after a byte that is 0 for the first one of a message and 255 for the others (norm).
    MarkedZmtp2,
}

/// A descriptor that is to be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The descriptor; it stays the transport's.
    pub fd: RawFd,
    /// Whether to call when it can be written to, too.
    pub writable: bool,
}

/// Something that a source has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Which source: the same number for as long as it is known.
    pub source: u64,
    /// What of it.
    pub what: Piece,
}

/// See [`Arrival`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// So many bytes, which follow the ones before. The first message that begins among them begins at `start`, if one does and the transport knows.
    Bytes {
        /// How many there are in the buffer.
        len: usize,
        /// Less than `len`.
        start: Option<usize>,
    },
    /// Here some are missing.
    Gap,
    /// It has gone; its number may be given to another one.
    Gone,
}

/// An endpoint of a multicast transport: it sends, or it receives.
///
/// It lives in an I/O thread, which calls it when one of its descriptors is ready or its time has come, and whenever there is something to do for
/// it. Times are nanoseconds of the monotonic clock. Nothing in it waits, nor works for long: what doesn't fit now is refused, or left until the
/// next call. Whatever the network sends, it neither ends nor fails.
///
/// Dropping it ends it at once.
pub trait Multicast: Send {
    /// How messages lie in the bytes.
    fn layout(&self) -> Layout;

    /// What to watch; the same ones all along. Readiness is told once for each change of it (edge-triggered), so [`Self::ready`] takes all there is, or
    /// [`Self::due`] says that it is to be called again.
    fn watched(&self) -> Vec<Watched>;

    /// A descriptor has become ready, or the time of [`Self::due`] has come.
    fn ready(&mut self, now: u64);

    /// When to call [`Self::ready`] at the latest.
    fn due(&self) -> Option<u64>;

    /// Takes bytes to be sent, and says how many; fewer than there are if it has no room. It says by [`Self::due`] or a descriptor when to try again.
    /// `begins`: they begin a message.
    fn send(&mut self, bytes: &[u8], begins: bool, now: u64) -> usize;

    /// There is no more for now, so what it has taken is to go out.
    fn flush(&mut self, now: u64);

    /// Whether all that it has taken has gone out, and need not be kept for the group any longer. As long as it is false, a socket that is closed lingers.
    fn is_drained(&self) -> bool;

    /// The next thing that has arrived, with its bytes at the beginning of `buffer`, which has at least [`MAX_PIECE`] of room. `None`: nothing before the next call of
    /// [`Self::ready`]. When it isn't called, for the socket has no room, what comes is lost sooner or later.
    fn receive(&mut self, buffer: &mut [u8], now: u64) -> Option<Arrival>;

    /// What this source sends isn't understood any more: of its bytes, none are of use before the next beginning of a message.
    fn out_of_step(&mut self, _source: u64) {}
}

/// The longest piece that arrives at once, in bytes.
pub const MAX_PIECE: usize = 1 << 16;
