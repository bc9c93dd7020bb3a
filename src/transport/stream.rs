//! A connected byte stream, and what its ends are called.

use std::io::{self, IoSlice, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use socket2::{SockAddr, Socket};

use super::tls::{self, Tls};
use super::{Scheme, WebSocket, tipc, vsock};
use crate::sys::tipc::{Address as TipcAddress, address_of as tipc_address_of};

/// A connection over any stream transport: non-blocking, closed on `exec`, tuned. Closed on drop.
///
/// Its two directions may be used by two threads at the same time.
#[derive(Debug)]
pub struct Stream {
    scheme: Scheme,
    socket: Socket,
    /// The system forgets it when the peer has gone, though what the peer has sent can still be read. Not for ipc.
    peer: Option<Peer>,
    /// For `ws://` and `wss://`.
    websocket: Option<Arc<WebSocket>>,
    /// For `wss://`.
    tls: Option<Box<Tls>>,
}

/// The peer's address.
#[derive(Clone, Copy, Debug)]
enum Peer {
    Ip(SocketAddr),
    Vsock(vsock::Address),
    Tipc(TipcAddress),
}

impl Peer {
    fn of(name: &SockAddr) -> Option<Self> {
        let ip = name.as_socket().map(Self::Ip);
        let vsock = || vsock::Address::of(name).map(Self::Vsock);
        ip.or_else(vsock).or_else(|| tipc_address_of(name).map(Self::Tipc))
    }
}

impl Stream {
    pub(super) fn new(scheme: Scheme, socket: Socket) -> Self {
        let peer = socket.peer_addr().ok();
        Self::accepted(scheme, socket, peer.as_ref())
    }

    /// One that was accepted from a peer, if there is one.
    pub(super) fn accepted(scheme: Scheme, socket: Socket, peer: Option<&SockAddr>) -> Self {
        Self { scheme, socket, peer: peer.and_then(Peer::of), websocket: None, tls: None }
    }

    /// The same for a WebSocket.
    pub(super) fn with_websocket(self, websocket: Arc<WebSocket>) -> Self {
        Self { websocket: Some(websocket), ..self }
    }

    /// What it has to be upgraded to, for `ws://` and `wss://`.
    pub fn websocket(&self) -> Option<&WebSocket> {
        self.websocket.as_deref()
    }

    /// The same with TLS on top. Its handshake goes on whenever something is read or written; until it is done, reads give `EAGAIN`.
    pub(super) fn with_tls(self, tls: Tls) -> Self {
        Self { tls: Some(Box::new(tls)), ..self }
    }

    /// Of any connected socket, for tests.
    #[cfg(test)]
    pub fn of(socket: Socket) -> Self {
        Self::new(super::Scheme::Tcp, socket)
    }

    #[cfg(test)]
    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_deref()
    }

    /// Reads what is there. `Ok(0)`: the peer has closed its end.
    ///
    /// If it is less than there is room for, all of it was read (unless `has_more`).
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.tls {
            None => (&self.socket).read(buffer),
            Some(tls) => tls.read(&self.socket, buffer),
        }
    }

    /// Writes as much as fits. Never raises `SIGPIPE`.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.tls {
            None => self.socket.send_with_flags(bytes, libc::MSG_NOSIGNAL),
            Some(tls) => tls.write(&self.socket, &[IoSlice::new(bytes)]),
        }
    }

    /// Writes as much of the buffers (at most `IOV_MAX` of them) as fits. Never raises `SIGPIPE`.
    pub fn write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.tls {
            None => self.socket.send_vectored_with_flags(buffers, libc::MSG_NOSIGNAL),
            Some(tls) => tls.write(&self.socket, buffers),
        }
    }

    /// Whether bytes wait here, encrypted, for the kernel to take them: `flush` is to be called when the descriptor is writable.
    #[inline]
    pub fn has_unsent(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_unsent())
    }

    /// Writes what `has_unsent` speaks of, as much as fits. Whether that was all.
    ///
    /// Errors: what `send`(2) says.
    pub fn flush(&self) -> io::Result<bool> {
        self.tls.as_ref().map_or(Ok(true), |tls| tls.flush(&self.socket))
    }

    /// Whether there may be more to be read without a further event, although the last read got less than it asked for.
    #[inline]
    pub fn has_more(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_more())
    }

    /// Whether writing, after it had come to a stop for TLS, can go on since the last read. No event will say so.
    #[inline]
    pub fn take_resumed(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.take_resumed())
    }

    /// How many bytes may have been taken from the kernel that nobody has got yet, at most.
    #[inline]
    pub fn held_back(&self) -> usize {
        if self.tls.is_some() { tls::MAX_RECORD } else { 0 }
    }

    /// Whether the descriptor may be made to wait for more than one byte (`SO_RCVLOWAT`). The others of the kernel's families don't know it, or their
    /// senders wait for a reader that waits for them.
    #[inline]
    pub fn has_low_water(&self) -> bool {
        self.scheme.is_over_tcp() || self.scheme == Scheme::Ipc
    }

    /// Ends it in both directions, for the peer to see, though the descriptor may stay for a while.
    pub fn shut_down(&self) {
        if let Some(tls) = &self.tls {
            tls.close(&self.socket);
        }
        // It fails if the peer was first.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }

    /// This end, as an endpoint; empty when the system doesn't know it (any more).
    pub fn local_endpoint(&self) -> String {
        self.socket.local_addr().map(|name| self.name_of(&name)).unwrap_or_default()
    }

    /// The peer's end, as an endpoint. The end of an ipc connection that connected has no name: `ipc://`. Empty when the system doesn't
    /// know it.
    pub fn remote_endpoint(&self) -> String {
        match self.peer {
            Some(Peer::Ip(peer)) => self.name_of(&peer.into()),
            Some(Peer::Vsock(peer)) => peer.endpoint(self.scheme),
            Some(Peer::Tipc(peer)) => tipc::endpoint(peer),
            None => self.socket.peer_addr().map(|name| self.name_of(&name)).unwrap_or_default(),
        }
    }

    fn name_of(&self, name: &SockAddr) -> String {
        match (&self.websocket, name.as_socket()) {
            (Some(websocket), Some(address)) => websocket.endpoint(&address),
            _ => endpoint_of(self.scheme, name),
        }
    }

    /// The message property `Peer-Address`: the peer's address without a port, or for ipc `localhost:uid:gid:pid`. Empty without a peer, and where
    /// upstream knows none: tipc, vsock, vmci.
    pub fn peer_address(&self) -> String {
        match &self.peer {
            Some(Peer::Ip(peer)) => return host_of(peer),
            Some(_) => return String::new(),
            None => {}
        }
        match self.socket.peer_addr() {
            Ok(name) if name.is_unix() => match getsockopt(&self.socket, PeerCredentials) {
                Ok(peer) => format!("localhost:{}:{}:{}", peer.uid(), peer.gid(), peer.pid()),
                Err(_) => "localhost".to_owned(),
            },
            _ => String::new(),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl From<Stream> for OwnedFd {
    fn from(stream: Stream) -> Self {
        stream.socket.into()
    }
}

/// A socket's name as an endpoint. Of a name in a family that two transports use, `scheme` is which one it is.
pub(super) fn endpoint_of(scheme: Scheme, name: &SockAddr) -> String {
    match Peer::of(name) {
        Some(Peer::Ip(address)) => return tcp_endpoint(&address),
        Some(Peer::Vsock(address)) => return address.endpoint(scheme),
        Some(Peer::Tipc(address)) => return tipc::endpoint(address),
        None => {}
    }
    if let Some(path) = name.as_pathname() {
        return format!("ipc://{}", path.display());
    }
    if let Some(abstract_name) = name.as_abstract_namespace() {
        // Such a name may hold any bytes; for an endpoint, which is a C string, it ends at a NUL.
        let end = abstract_name.iter().position(|&byte| byte == 0).unwrap_or(abstract_name.len());
        return format!("ipc://@{}", String::from_utf8_lossy(&abstract_name[..end]));
    }
    if name.is_unix() { "ipc://".to_owned() } else { String::new() }
}

/// An address as a tcp endpoint.
pub(super) fn tcp_endpoint(address: &SocketAddr) -> String {
    ip_endpoint(Scheme::Tcp, address)
}

/// An address as an endpoint of a transport over IP.
pub(super) fn ip_endpoint(scheme: Scheme, address: &SocketAddr) -> String {
    let (scheme, host, port) = (scheme.name(), host_of(address), address.port());
    match address {
        SocketAddr::V4(_) => format!("{scheme}://{host}:{port}"),
        SocketAddr::V6(_) => format!("{scheme}://[{host}]:{port}"),
    }
}

/// The host as `getnameinfo`(3) writes it with `NI_NUMERICHOST`.
fn host_of(address: &SocketAddr) -> String {
    let SocketAddr::V6(v6) = address else { return address.ip().to_string() };
    let ip = v6.ip();
    let host = match embedded_ipv4(ip) {
        Some(embedded) => format!("::{embedded}"),
        None => ip.to_string(),
    };
    let link_local =
        ip.is_unicast_link_local() || matches!(ip.octets(), [0xff, scope, ..] if scope & 0xf == 2);
    match v6.scope_id() {
        0 => host,
        zone if link_local => match nix::net::if_::if_indextoname(zone) {
            // nix 0.31 answers for an index without an interface with an empty name.
            Ok(interface) if !interface.is_empty() => format!("{host}%{}", interface.to_string_lossy()),
            _ => format!("{host}%{zone}"),
        },
        zone => format!("{host}%{zone}"),
    }
}

/// The IPv4 address of a deprecated "IPv4-compatible" one (RFC 4291, 2.5.5.1), which the C library still
/// writes as `::1.2.3.4` and Rust does not.
fn embedded_ipv4(ip: &Ipv6Addr) -> Option<Ipv4Addr> {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => ip.to_ipv4(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_the_c_library_writes_them() {
        for (address, endpoint) in [
            ("127.0.0.1:80", "tcp://127.0.0.1:80"),
            ("[::]:80", "tcp://[::]:80"),
            ("[::1]:80", "tcp://[::1]:80"),
            ("[::ffff:127.0.0.1]:80", "tcp://[::ffff:127.0.0.1]:80"),
            ("[::1.2.3.4]:80", "tcp://[::1.2.3.4]:80"),
            ("[::0.0.3.4]:80", "tcp://[::304]:80"),
            ("[2001:db8:0:1::]:80", "tcp://[2001:db8:0:1::]:80"),
            ("[fe80::1%1]:80", "tcp://[fe80::1%lo]:80"),
            ("[ff02::1%1]:80", "tcp://[ff02::1%lo]:80"),
            ("[fe80::1%4000000]:80", "tcp://[fe80::1%4000000]:80"),
            ("[2001:db8::1%1]:80", "tcp://[2001:db8::1%1]:80"),
        ] {
            assert_eq!(tcp_endpoint(&address.parse().unwrap()), endpoint);
        }
    }
}
