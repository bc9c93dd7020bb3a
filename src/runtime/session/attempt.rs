//! How a session that connects gets its connection: one attempt after the other (`ZMQ_RECONNECT_IVL`, `ZMQ_CONNECT_TIMEOUT`).

use super::{Fate, MS, Role, Session};
use crate::error::Error;
use crate::runtime::monitor::event;
use crate::transport::{Reached, Stream, Unopened};
use mio::unix::SourceFd;
use std::os::fd::AsRawFd;

/// `ZMQ_RECONNECT_STOP_CONN_REFUSED`
const STOP_REFUSED: i32 = 1;

impl Session {
    /// Begins an attempt to connect.
    pub fn start(&mut self, now: u64) -> Fate {
        let Role::Connect { connector, attempt, .. } = &mut self.role else { return Fate::Live };
        match connector.start(&self.owner.options) {
            Ok(begun) if begun.is_connected() => {
                *attempt = Some(begun);
                self.attempt_ready(now)
            }
            Ok(begun) => {
                let fd = begun.as_raw_fd();
                let registry = self.owner.group.io.registry();
                let watched =
                    registry.register(&mut SourceFd(&fd), mio::Token(self.id.0), mio::Interest::WRITABLE);
                *attempt = Some(begun);
                if watched.is_err() {
                    return self.attempt_failed(now);
                }
                self.connect_until = self.connect_deadline(now);
                self.emit(event::CONNECT_DELAYED, libc::EINPROGRESS as u64);
                Fate::Live
            }
            Err(Unopened { closed, .. }) => {
                if let Some(fd) = closed {
                    self.emit(event::CLOSED, fd as u64);
                }
                self.retry_later(now)
            }
        }
    }

    fn connect_deadline(&self, now: u64) -> Option<u64> {
        let timeout = self.owner.options.connect_timeout;
        u64::try_from(timeout).ok().filter(|&ms| ms > 0).map(|ms| now + ms * MS)
    }

    /// The attempt's descriptor is ready: it has succeeded or failed. Or it is a proxy's, who has answered.
    pub fn attempt_ready(&mut self, now: u64) -> Fate {
        let Role::Connect { attempt, tunnel, .. } = &mut self.role else { return Fate::Live };
        if tunnel.is_some() {
            return self.tunnel_ready(now);
        }
        let Some(begun) = attempt.take() else { return Fate::Live };
        let fd = begun.as_raw_fd();
        // It isn't registered if it has connected at once.
        let _ = self.owner.group.io.registry().deregister(&mut SourceFd(&fd));
        let until = self.connect_until.take();
        match begun.finish(&self.owner.options) {
            Ok(Reached::Target(stream)) => self.reached(stream, now),
            Ok(Reached::Proxy(tunnel)) => {
                // The time is for the whole way.
                self.connect_until = until.or_else(|| self.connect_deadline(now));
                self.begin_tunnel(tunnel, now)
            }
            Err(error) => {
                self.emit(event::CLOSED, fd as u64);
                let heeds = matches!(&self.role, Role::Connect { connector, .. } if connector.heeds_refusal(&self.owner.options));
                let stops = self.owner.options.reconnect_stop & STOP_REFUSED != 0;
                if heeds && stops && error == Error::ConnectionRefused {
                    return self.give_up();
                }
                self.retry_later(now)
            }
        }
    }

    pub(super) fn reached(&mut self, stream: Stream, now: u64) -> Fate {
        self.endpoints.local = stream.local_endpoint();
        self.emit(event::CONNECTED, stream.as_raw_fd() as u64);
        self.connected(stream, now)
    }

    pub(super) fn attempt_failed(&mut self, now: u64) -> Fate {
        self.drop_attempt();
        self.retry_later(now)
    }

    pub(super) fn drop_attempt(&mut self) {
        self.connect_until = None;
        let Role::Connect { attempt, tunnel, .. } = &mut self.role else { return };
        let (attempt, tunnel) = (attempt.take(), tunnel.take());
        let fd =
            attempt.as_ref().map(AsRawFd::as_raw_fd).or(tunnel.as_ref().map(|tunnel| tunnel.as_raw_fd()));
        if let Some(fd) = fd {
            let _ = self.owner.group.io.registry().deregister(&mut SourceFd(&fd));
            drop((attempt, tunnel));
            self.emit(event::CLOSED, fd as u64);
        }
    }

    pub(super) fn retry_later(&mut self, now: u64) -> Fate {
        let options = &self.owner.options;
        let Role::Connect { backoff, .. } = &mut self.role else { return self.end() };
        if let Some(ms) = backoff.next(options.reconnect_ivl, options.reconnect_ivl_max) {
            self.reconnect_at = Some(now + ms * MS);
            self.emit(event::CONNECT_RETRIED, ms);
        }
        // Without an interval it stays as it is, for ever.
        Fate::Live
    }
}
