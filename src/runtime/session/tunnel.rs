//! Between an attempt that has reached a SOCKS5 proxy and the connection to the target. A proxy that refuses, or talks nonsense,
//! or too late, is an attempt that has failed.

use super::{Fate, Role, Session};
use crate::transport::Tunnel;
use mio::unix::SourceFd;
use std::os::fd::AsRawFd;

impl Session {
    /// The attempt has reached a proxy.
    pub(super) fn begin_tunnel(&mut self, begun: Box<Tunnel>, now: u64) -> Fate {
        let fd = begun.as_raw_fd();
        if let Role::Connect { tunnel, .. } = &mut self.role {
            *tunnel = Some(begun);
        }
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        let registry = self.owner.group.io.registry();
        if registry.register(&mut SourceFd(&fd), mio::Token(self.id.0), interest).is_err() {
            return self.attempt_failed(now);
        }
        self.tunnel_ready(now)
    }

    /// The proxy has answered, or can be told more.
    pub(super) fn tunnel_ready(&mut self, now: u64) -> Fate {
        let Role::Connect { tunnel: slot, .. } = &mut self.role else { return Fate::Live };
        match slot.as_mut().map(|tunnel| tunnel.drive()) {
            None | Some(Ok(false)) => Fate::Live,
            Some(Ok(true)) => {
                let Some(tunnel) = slot.take() else { return Fate::Live };
                let _ = self.owner.group.io.registry().deregister(&mut SourceFd(&tunnel.as_raw_fd()));
                self.connect_until = None;
                self.reached(tunnel.into_stream(), now)
            }
            Some(Err(_)) => self.attempt_failed(now),
        }
    }
}
