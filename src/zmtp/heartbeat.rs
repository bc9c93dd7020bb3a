//! Heartbeats (RFC 37, "Heartbeating"; `ZMQ_HEARTBEAT_IVL`, `_TTL` and `_TIMEOUT` in `zmq_setsockopt`(3)).
//!
//! All times are milliseconds on a clock of the caller's.

use crate::error::Result;
use crate::message::{Kind, Message};

/// A PONG returns no more of a PING's context than this (RFC 37, "ping-context").
const MAX_CONTEXT: usize = 16;

/// The options, as `Options` holds them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatConfig {
    /// `ZMQ_HEARTBEAT_IVL`: milliseconds between PINGs; 0 or less for none.
    pub interval: i32,
    /// `ZMQ_HEARTBEAT_TTL`: tenths of a second after which the peer shall give this side up; 0 for never.
    pub ttl: u16,
    /// `ZMQ_HEARTBEAT_TIMEOUT`: milliseconds to wait for a sign of life after a PING; 0 for ever, negative as long as
    /// `interval`.
    pub timeout: i32,
}

/// What is due.
#[derive(Debug)]
pub enum Due {
    /// Nothing before [`Heartbeat::deadline`].
    Nothing,
    /// This PING is to be sent; then ask again.
    Ping(Message),
    /// The peer has been silent for too long: close the connection, and reconnect as after a loss of it.
    Expired,
}

/// The heartbeat of one established connection of ZMTP 3.
#[derive(Debug)]
pub struct Heartbeat {
    interval: u64,
    timeout: u64,
    ttl: u16,
    next_ping: Option<u64>,
    /// Until when our PING has to be followed by something.
    reply_by: Option<u64>,
    /// Until when the peer promised, by the TTL in its PING, to send something.
    alive_until: Option<u64>,
}

impl Heartbeat {
    /// Starts at the end of the handshake.
    pub fn new(config: HeartbeatConfig, now: u64) -> Self {
        let interval = u64::try_from(config.interval).unwrap_or(0);
        let timeout = match u64::try_from(config.timeout) {
            _ if interval == 0 => 0,
            Ok(timeout) => timeout,
            Err(_) => interval,
        };
        Self {
            interval,
            timeout,
            ttl: config.ttl,
            next_ping: (interval > 0).then(|| now.saturating_add(interval)),
            reply_by: None,
            alive_until: None,
        }
    }

    /// Something arrived, whatever it was.
    #[inline]
    pub fn received(&mut self) {
        self.reply_by = None;
        self.alive_until = None;
    }

    /// A PING arrived; `body` is its TTL and context. The PONG that answers it.
    ///
    /// # Errors
    /// [`crate::error::Error::OutOfMemory`].
    pub fn ping(&mut self, now: u64, body: &[u8]) -> Result<Message> {
        self.received();
        let (ttl, context) = match body.split_first_chunk() {
            Some((ttl, context)) => (u16::from_be_bytes(*ttl), context),
            None => (0, &[][..]),
        };
        if ttl > 0 {
            self.alive_until = Some(now.saturating_add(u64::from(ttl) * 100));
        }
        let mut pong = Message::from_slice(&context[..context.len().min(MAX_CONTEXT)])?;
        pong.set_kind(Kind::Pong);
        Ok(pong)
    }

    /// What is due at `now`. To be asked when [`Self::deadline`] has come, after everything that has arrived was taken in.
    ///
    /// # Errors
    /// [`crate::error::Error::OutOfMemory`].
    pub fn due(&mut self, now: u64) -> Result<Due> {
        let past = |time: Option<u64>| time.is_some_and(|time| time <= now);
        if past(self.reply_by) || past(self.alive_until) {
            return Ok(Due::Expired);
        }
        if !past(self.next_ping) {
            return Ok(Due::Nothing);
        }
        self.next_ping = Some(now.saturating_add(self.interval));
        if self.timeout > 0 {
            self.reply_by.get_or_insert(now.saturating_add(self.timeout));
        }
        let mut ping = Message::from_slice(&self.ttl.to_be_bytes())?;
        ping.set_kind(Kind::Ping);
        Ok(Due::Ping(ping))
    }

    /// When [`Self::due`] has something to say, unless something arrives before.
    pub fn deadline(&self) -> Option<u64> {
        [self.next_ping, self.reply_by, self.alive_until].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat(interval: i32, ttl: u16, timeout: i32) -> Heartbeat {
        Heartbeat::new(HeartbeatConfig { interval, ttl, timeout }, 1000)
    }

    fn ping_body(due: Due) -> Option<Vec<u8>> {
        match due {
            Due::Ping(ping) => {
                assert_eq!(ping.kind(), Kind::Ping);
                Some(ping.data().to_vec())
            }
            _ => None,
        }
    }

    #[test]
    fn without_an_interval_nothing_is_ever_due() {
        let mut heartbeat = heartbeat(0, 5, 100);
        assert_eq!(heartbeat.deadline(), None);
        assert!(matches!(heartbeat.due(u64::MAX).unwrap(), Due::Nothing));
    }

    #[test]
    fn pings_come_at_the_interval_with_the_ttl() {
        let mut heartbeat = heartbeat(50, 0x010c, 0);
        for at in [1050, 1100, 1150] {
            assert_eq!(heartbeat.deadline(), Some(at));
            assert!(matches!(heartbeat.due(at - 1).unwrap(), Due::Nothing));
            assert_eq!(ping_body(heartbeat.due(at).unwrap()), Some(vec![1, 12]));
            assert!(matches!(heartbeat.due(at).unwrap(), Due::Nothing));
        }
    }

    #[test]
    fn silence_after_a_ping_expires() {
        let mut heartbeat = heartbeat(50, 0, 80);
        assert!(ping_body(heartbeat.due(1050).unwrap()).is_some());
        assert!(ping_body(heartbeat.due(1100).unwrap()).is_some());
        assert_eq!(heartbeat.deadline(), Some(1130), "a second PING does not put the deadline off");
        assert!(matches!(heartbeat.due(1130).unwrap(), Due::Expired));
        heartbeat.received();
        assert_eq!(heartbeat.deadline(), Some(1150));
    }

    #[test]
    fn a_negative_timeout_is_the_interval() {
        let mut heartbeat = heartbeat(50, 0, -1);
        assert!(ping_body(heartbeat.due(1050).unwrap()).is_some());
        assert!(matches!(heartbeat.due(1100).unwrap(), Due::Expired));
    }

    #[test]
    fn the_peers_ttl_binds_the_peer_until_something_arrives() {
        let mut heartbeat = heartbeat(0, 0, -1);
        let pong = heartbeat.ping(2000, &[0, 3]).unwrap();
        assert_eq!((pong.kind(), pong.data()), (Kind::Pong, &[][..]));
        assert_eq!(heartbeat.deadline(), Some(2300));
        assert!(matches!(heartbeat.due(2299).unwrap(), Due::Nothing));
        assert!(matches!(heartbeat.due(2300).unwrap(), Due::Expired));
        heartbeat.received();
        assert_eq!(heartbeat.deadline(), None);
        // The longest TTL there is.
        heartbeat.ping(0, &[0xff, 0xff]).unwrap();
        assert_eq!(heartbeat.deadline(), Some(6_553_500));
    }

    #[test]
    fn a_pong_returns_the_context_up_to_16_bytes() {
        let mut heartbeat = heartbeat(0, 0, -1);
        let context = *b"0123456789abcdefXYZ";
        for length in 0..=context.len() {
            let body = [&[0, 0], &context[..length]].concat();
            assert_eq!(heartbeat.ping(0, &body).unwrap().data(), &context[..length.min(16)]);
        }
        assert_eq!(heartbeat.deadline(), None, "a TTL of 0 asks for nothing");
    }

    #[test]
    fn a_ping_that_is_cut_short_has_neither_ttl_nor_context() {
        let mut heartbeat = heartbeat(0, 0, -1);
        for body in [&[][..], &[9]] {
            assert!(heartbeat.ping(0, body).unwrap().is_empty());
            assert_eq!(heartbeat.deadline(), None);
        }
    }
}
