//! Addresses and descriptors: what an endpoint such as `tcp://host:port` means, how to listen on it and
//! how to connect to it. Frames are none of its business.
//!
//! One transport is one file. [`Listener`], [`Connector`] and [`Stream`] are what the runtime sees of all of them.

mod connector;
mod ipc;
mod listener;
mod resolve;
mod socks;
mod stream;
mod tcp;
mod tls;
mod tunnel;
pub mod udp;
mod ws;

pub use connector::{Attempt, Connector, Reached};
pub use listener::{Accepted, Listener};
pub use stream::Stream;
pub use tunnel::Tunnel;
pub use ws::WebSocket;

use crate::error::{Error, Result};
use crate::options::{Options, SocketType};
use std::os::fd::{AsRawFd, RawFd};

/// Why a socket could not be opened, and its descriptor if it had come that far: monitors hear that it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unopened {
    /// The reason.
    pub error: Error,
    /// What the descriptor was.
    pub closed: Option<RawFd>,
}

impl Unopened {
    fn closing(socket: &impl AsRawFd, error: impl Into<Error>) -> Self {
        Self { error: error.into(), closed: Some(socket.as_raw_fd()) }
    }
}

impl<E: Into<Error>> From<E> for Unopened {
    fn from(error: E) -> Self {
        Self { error: error.into(), closed: None }
    }
}

/// The part of an endpoint before `://`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `zmq_inproc`(7)
    Inproc,
    /// `zmq_tcp`(7)
    Tcp,
    /// `zmq_ipc`(7)
    Ipc,
    /// `zmq_udp`(7)
    Udp,
    /// WebSocket, `zmq_ws`(7)
    Ws,
    /// WebSocket over TLS, `zmq_wss`(7)
    Wss,
    /// `zmq_tipc`(7)
    Tipc,
    /// `zmq_vsock`(7)
    Vsock,
    /// `zmq_vmci`(7)
    Vmci,
    /// `zmq_pgm`(7)
    Pgm,
    /// PGM in UDP datagrams, `zmq_pgm`(7)
    Epgm,
    /// `zmq_norm`(7)
    Norm,
}

impl Scheme {
    const ALL: [Self; 12] = [
        Self::Inproc,
        Self::Tcp,
        Self::Ipc,
        Self::Udp,
        Self::Ws,
        Self::Wss,
        Self::Tipc,
        Self::Vsock,
        Self::Vmci,
        Self::Pgm,
        Self::Epgm,
        Self::Norm,
    ];

    /// As it stands in an endpoint.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inproc => "inproc",
            Self::Tcp => "tcp",
            Self::Ipc => "ipc",
            Self::Udp => "udp",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Tipc => "tipc",
            Self::Vsock => "vsock",
            Self::Vmci => "vmci",
            Self::Pgm => "pgm",
            Self::Epgm => "epgm",
            Self::Norm => "norm",
        }
    }

    /// Whether this library has the transport. `udp` counts: no library is without it, and its errors differ.
    pub const fn is_built_in(self) -> bool {
        matches!(self, Self::Inproc | Self::Tcp | Self::Ipc | Self::Udp | Self::Ws | Self::Wss)
    }
}

/// Splits an endpoint into its transport and the address there.
///
/// Errors: `EINVAL` without `://` or with an empty half, `EPROTONOSUPPORT` for a transport that this library
/// hasn't got. The name of an `inproc` endpoint has no further rules, neither for its length nor its characters.
pub fn parse_endpoint(endpoint: &str) -> Result<(Scheme, &str)> {
    let (name, address) = endpoint.split_once("://").ok_or(Error::Invalid)?;
    if name.is_empty() || address.is_empty() {
        return Err(Error::Invalid);
    }
    let scheme = Scheme::ALL.into_iter().find(|scheme| scheme.name() == name && scheme.is_built_in());
    scheme.map(|scheme| (scheme, address)).ok_or(Error::ProtocolNotSupported)
}

/// Whether a socket of that type can use the transport: multicast and datagrams go with some types only.
///
/// Errors: `ENOCOMPATPROTO`.
pub fn check_protocol(scheme: Scheme, socket_type: SocketType) -> Result<()> {
    use SocketType::{Dgram, Dish, Pub, Radio, Sub, XPub, XSub};
    let compatible = match scheme {
        Scheme::Udp => matches!(socket_type, Radio | Dish | Dgram),
        Scheme::Pgm | Scheme::Epgm | Scheme::Norm => matches!(socket_type, Pub | Sub | XPub | XSub),
        _ => true,
    };
    if compatible { Ok(()) } else { Err(Error::IncompatibleProtocol) }
}

/// Which of a socket's endpoints `zmq_unbind` or `zmq_disconnect` means by `endpoint` (whose parts are
/// `scheme` and `address`). `is_known` tells whether the socket has an endpoint of that name.
///
/// An endpoint is known by the string that `ZMQ_LAST_ENDPOINT` gave for it. With tcp, another spelling of the
/// same address is accepted too, if it resolves to that string: first as an address to connect to, then as one
/// to bind. An address that can't be connected to (`tcp://*:5555`) is not tried further.
///
/// Errors: `ENOENT`. A name that isn't known is looked up, which may block.
pub fn find_endpoint(
    scheme: Scheme,
    endpoint: &str,
    address: &str,
    options: &Options,
    is_known: impl Fn(&str) -> bool,
) -> Result<String> {
    if is_known(endpoint) {
        return Ok(endpoint.to_owned());
    }
    if scheme == Scheme::Tcp {
        for local in [false, true] {
            let Ok(resolved) = tcp::canonical(address, local, options.ipv6) else { break };
            if is_known(&resolved) {
                return Ok(resolved);
            }
        }
    }
    Err(Error::NotFound)
}

#[cfg(test)]
mod tests;
