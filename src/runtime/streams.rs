//! Connections in the middle of a stream of sends, and when what is queued on them is written.
//!
//! A message that is sent by itself is written at once, by its sender. When sends follow each other quickly, one write each would
//! cost far more than all the rest, and waking the I/O thread for each too. So in a stream messages are queued, and written in
//! batches: by the sender when the pipe is full or when it goes over to waiting, and by the I/O thread, which looks at such
//! connections every [`SHORTEST`] nanoseconds, so that what was sent last doesn't wait for long when the sender goes quiet. The
//! look is worth little when whole batches go by between two of them, so it becomes rarer then, up to [`LONGEST`].

use super::connection::Connection;
use crate::error::Result;
use crate::sys::timerfd::TimerFd;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// Nanoseconds between two looks.
const SHORTEST: u64 = 25_000;
/// The same while much is sent.
const LONGEST: u64 = 200_000;
/// Messages between two looks that are much.
const MUCH: u64 = 200;

/// The streams of one I/O thread.
pub struct Streams {
    timer: TimerFd,
    interval: u64,
    watched: Vec<(Arc<Connection>, u64)>,
}

impl Streams {
    /// None as yet.
    pub fn new() -> Result<Self> {
        Ok(Self { timer: TimerFd::new()?, interval: SHORTEST, watched: Vec::new() })
    }

    /// Readable when it is time for `look`.
    pub fn as_raw_fd(&self) -> RawFd {
        self.timer.as_raw_fd()
    }

    /// A stream has begun.
    pub fn begin(&mut self, connection: Arc<Connection>) {
        if self.watched.is_empty() {
            self.interval = SHORTEST;
            self.timer.set(Duration::from_nanos(SHORTEST));
        }
        let written = connection.written();
        self.watched.push((connection, written));
    }

    /// Writes what waits, and forgets the streams that have ended.
    pub fn look(&mut self) {
        let mut much = false;
        self.watched.retain_mut(|(connection, seen)| {
            connection.drive_write(false);
            let written = connection.written();
            much |= written - *seen >= MUCH;
            let goes_on = written != *seen;
            *seen = written;
            if !goes_on {
                connection.end_stream();
            }
            goes_on
        });
        self.interval = if much { (self.interval * 2).min(LONGEST) } else { SHORTEST };
        if !self.watched.is_empty() {
            self.timer.set(Duration::from_nanos(self.interval));
        }
    }
}
