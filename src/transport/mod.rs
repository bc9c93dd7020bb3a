//! Addresses and descriptors: what an endpoint such as `tcp://host:port` means, how to listen on it and
//! how to connect to it. Frames are none of its business.
//!
//! One transport is one file. [`Listener`], [`Connector`] and [`Stream`] are what the runtime sees of all of them.

mod connector;
mod ipc;
mod listener;
pub mod multicast;
mod norm;
mod pgm;
mod resolve;
mod socks;
mod stream;
mod tcp;
mod tipc;
mod tls;
mod tunnel;
pub mod udp;
mod vmci;
mod vsock;
mod ws;

pub use connector::{Attempt, Connector, Reached};
pub use listener::{Accepted, Listener};
pub use multicast::Multicast;
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

/// How a transport moves messages, and so what serves an endpoint of it.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// From socket to socket, within the context.
    Inproc,
    /// By streams: a [`Listener`], or a [`Connector`].
    Streams,
    /// By datagrams, each one a message.
    Datagrams,
    /// To a group and from it: what this opens. There is no difference between binding and connecting.
    Multicast(OpenMulticast),
    /// Not at all: this library hasn't got it.
    Absent,
}

/// Opens an address for a socket with these options, PUB and XPUB to send and others to receive.
pub type OpenMulticast = fn(&str, &Options) -> Result<Box<dyn Multicast>>;

/// What there is to say of a transport.
#[derive(Clone, Copy, Debug)]
struct Transport {
    name: &'static str,
    kind: Kind,
    types: &'static [SocketType],
    capability: Option<&'static str>,
    present: fn() -> bool,
    require: fn() -> bool,
}

impl Transport {
    /// One of this name, for sockets of all types, of which `zmq_has` doesn't know.
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, types: &[], capability: None, present: || true, require: || true }
    }

    /// For sockets of these types only.
    const fn types(self, types: &'static [SocketType]) -> Self {
        Self { types, ..self }
    }

    /// Only where the machine has what it needs. `require` says on stderr what that is, if it hasn't.
    const fn needing(self, present: fn() -> bool, require: fn() -> bool) -> Self {
        Self { present, require, ..self }
    }

    /// What `zmq_has` calls it.
    const fn known_as(self, capability: &'static str) -> Self {
        Self { capability: Some(capability), ..self }
    }
}

macro_rules! registry {
    ($($(#[$doc:meta])* $scheme:ident = $transport:expr;)*) => {
        /// The part of an endpoint before `://`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Scheme { $($(#[$doc])* $scheme,)* }

        impl Scheme {
            const ALL: &[Self] = &[$(Self::$scheme),*];

            const fn transport(self) -> &'static Transport {
                match self { $(Self::$scheme => const { &$transport },)* }
            }
        }
    };
}

/// The types that publish and subscribe, and so can do without knowing each other.
const PUBLISHING: &[SocketType] = &[SocketType::Pub, SocketType::XPub, SocketType::Sub, SocketType::XSub];

registry! {
    /// `zmq_inproc`(7)
    Inproc = Transport::new("inproc", Kind::Inproc);
    /// `zmq_tcp`(7)
    Tcp = Transport::new("tcp", Kind::Streams);
    /// `zmq_ipc`(7)
    Ipc = Transport::new("ipc", Kind::Streams).known_as("ipc");
    /// `zmq_udp`(7)
    Udp = Transport::new("udp", Kind::Datagrams).types(&[SocketType::Radio, SocketType::Dish, SocketType::Dgram]);
    /// WebSocket, `zmq_ws`(7)
    Ws = Transport::new("ws", Kind::Streams).known_as("WS");
    /// WebSocket over TLS, `zmq_wss`(7)
    Wss = Transport::new("wss", Kind::Streams).known_as("WSS");
    /// `zmq_tipc`(7)
    Tipc = Transport::new("tipc", Kind::Streams).known_as("tipc");
    /// `zmq_vsock`(7)
    Vsock = Transport::new("vsock", Kind::Streams).known_as("vsock");
    /// `zmq_vmci`(7)
    Vmci = Transport::new("vmci", Kind::Streams).known_as("vmci");
    /// `zmq_pgm`(7)
    Pgm = Transport::new("pgm", Kind::Multicast(pgm::open_pgm)).types(PUBLISHING).known_as("pgm");
    /// PGM in UDP datagrams, `zmq_pgm`(7)
    Epgm = Transport::new("epgm", Kind::Multicast(pgm::open_epgm)).types(PUBLISHING);
    /// NORM (RFC 5740), docs/norm.md
    Norm = Transport::new("norm", Kind::Multicast(norm::open)).types(PUBLISHING).known_as("norm").needing(norm::is_present, norm::require);
}

impl Scheme {
    /// As it stands in an endpoint.
    pub const fn name(self) -> &'static str {
        self.transport().name
    }

    /// Whether tcp carries it.
    pub const fn is_over_tcp(self) -> bool {
        matches!(self, Self::Tcp | Self::Ws | Self::Wss)
    }

    /// How it moves messages.
    pub const fn kind(self) -> Kind {
        self.transport().kind
    }

    /// Whether this library has the transport. `udp` counts: no library is without it, and its errors differ.
    const fn is_built_in(self) -> bool {
        !matches!(self.kind(), Kind::Absent)
    }
}

/// Whether `zmq_has` knows a transport by this name, the library has it, and the machine what it needs.
pub fn is_capability(name: &[u8]) -> bool {
    let known =
        |scheme: &&Scheme| scheme.transport().capability.is_some_and(|known| known.as_bytes() == name);
    Scheme::ALL
        .iter()
        .find(known)
        .is_some_and(|scheme| scheme.is_built_in() && (scheme.transport().present)())
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
    let scheme = Scheme::ALL.iter().copied().find(|scheme| scheme.name() == name);
    scheme
        .filter(|scheme| scheme.is_built_in() && (scheme.transport().require)())
        .map(|scheme| (scheme, address))
        .ok_or(Error::ProtocolNotSupported)
}

/// Whether a socket of that type can use the transport: multicast and datagrams go with some types only.
///
/// Errors: `ENOCOMPATPROTO`.
pub fn check_protocol(scheme: Scheme, socket_type: SocketType) -> Result<()> {
    let types = scheme.transport().types;
    if types.is_empty() || types.contains(&socket_type) { Ok(()) } else { Err(Error::IncompatibleProtocol) }
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
