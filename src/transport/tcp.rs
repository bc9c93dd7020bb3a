//! `tcp://` (man page `zmq_tcp`).

use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};

use super::Unopened;
use super::resolve::{Rules, resolve};
use super::stream::tcp_endpoint;
use crate::error::{Error, Result};
use crate::options::Options;

/// An address, and the one to connect from: `source;address`.
struct Resolved {
    address: SocketAddr,
    source: Option<SocketAddr>,
}

fn resolve_both(address: &str, local: bool, ipv6: bool) -> Result<Resolved> {
    let (source, address) = match address.rsplit_once(';') {
        // No name look-ups for the source: it is one of this machine's own addresses.
        Some((source, address)) => {
            let rules = Rules { bindable: true, interfaces: true, names: false, ipv6 };
            (Some(resolve(source, rules)?), address)
        }
        None => (None, address),
    };
    let rules = Rules { bindable: local, interfaces: local, names: true, ipv6 };
    Ok(Resolved { address: resolve(address, rules)?, source })
}

/// The endpoint that an address resolves to, for a bind (`local`) or a connect.
pub(super) fn canonical(address: &str, local: bool, ipv6: bool) -> Result<String> {
    resolve_both(address, local, ipv6).map(|resolved| tcp_endpoint(&resolved.address))
}

/// Checks the characters of an address to connect to; whether it means something shows later.
pub(super) fn check_connect_address(address: &str) -> Result<()> {
    let mut characters = address.bytes();
    let first = characters.next().is_some_and(|c| c.is_ascii_alphanumeric() || b"[:".contains(&c));
    let rest = characters.all(|c| c.is_ascii_alphanumeric() || b".-:%;[]_*".contains(&c));
    let port =
        address.rsplit_once(':').is_some_and(|(_, port)| port.starts_with(|c: char| c.is_ascii_digit()));
    if first && rest && port { Ok(()) } else { Err(Error::Invalid) }
}

/// The way to a target by a proxy.
pub(super) struct ProxyHop<'a> {
    /// The proxy's address, and perhaps one to connect from.
    pub proxy: String,
    /// What the proxy is told: `host:port`.
    pub target: &'a str,
}

/// The address to connect from is this machine's business: it goes with the proxy's, which may have one of its own.
///
/// Errors: `EINVAL` for a proxy that is no text.
pub(super) fn through_proxy<'a>(target: &'a str, proxy: &[u8]) -> Result<ProxyHop<'a>> {
    let proxy = std::str::from_utf8(proxy).map_err(|_| Error::Invalid)?;
    Ok(match target.rsplit_once(';') {
        Some((source, target)) if !proxy.contains(';') => {
            ProxyHop { proxy: format!("{source};{proxy}"), target }
        }
        Some((_, target)) => ProxyHop { proxy: proxy.to_owned(), target },
        None => ProxyHop { proxy: proxy.to_owned(), target },
    })
}

/// Opens a listening socket.
pub(super) fn listen(address: &str, options: &Options) -> Result<Socket, Unopened> {
    let (socket, resolved) = open(address, true, options)?;
    let bound = socket
        .set_reuse_address(true)
        .and_then(|()| socket.bind(&resolved.address.into()))
        .and_then(|()| socket.listen(options.backlog));
    match bound {
        Ok(()) => Ok(socket),
        Err(error) => Err(Unopened::closing(&socket, error)),
    }
}

/// Opens a socket that can be connected to the address returned.
pub(super) fn open_to_connect(address: &str, options: &Options) -> Result<(Socket, SocketAddr), Unopened> {
    let (socket, resolved) = open(address, false, options)?;
    if let Some(source) = resolved.source {
        // So that several connections can share a source port, each to another server.
        let bound = socket.set_reuse_address(true).and_then(|()| socket.bind(&source.into()));
        bound.map_err(|error| Unopened::closing(&socket, error))?;
    }
    Ok((socket, resolved.address))
}

fn open(address: &str, local: bool, options: &Options) -> Result<(Socket, Resolved)> {
    let mut resolved = resolve_both(address, local, options.ipv6)?;
    let socket = match new_socket(&resolved.address) {
        // A machine without IPv6: ZMQ_IPV6 falls back to IPv4.
        Err(error) if resolved.address.is_ipv6() && error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
            resolved = resolve_both(address, local, false)?;
            new_socket(&resolved.address)?
        }
        socket => socket?,
    };
    if resolved.address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    mark(&socket, options)?;
    if !options.bindtodevice.is_empty() {
        socket.bind_device(Some(&options.bindtodevice))?;
    }
    wish(&socket, options);
    Ok((socket, resolved))
}

/// Sizes of buffers and busy polling: the system may cut or refuse them.
pub(super) fn wish(socket: &Socket, options: &Options) {
    if let Ok(size) = usize::try_from(options.sndbuf) {
        let _ = socket.set_send_buffer_size(size);
    }
    if let Ok(size) = usize::try_from(options.rcvbuf) {
        let _ = socket.set_recv_buffer_size(size);
    }
    if let Ok(microseconds @ 1..) = u32::try_from(options.busy_poll) {
        let _ = socket.set_busy_poll(microseconds);
    }
}

fn new_socket(address: &SocketAddr) -> std::io::Result<Socket> {
    Socket::new(Domain::for_address(*address), Type::STREAM.nonblocking(), Some(Protocol::TCP))
}

/// Sets the type of service (`ZMQ_TOS`) and the priority (`ZMQ_PRIORITY`), which an accepted connection does not
/// take over from its listener.
pub(super) fn mark(socket: &Socket, options: &Options) -> Result<()> {
    if let Ok(tos @ 1..) = u32::try_from(options.tos) {
        socket.set_tos_v4(tos)?;
        // Fails on an IPv4 socket, for which the line above has done it.
        let _ = socket.set_tclass_v6(tos);
    }
    if let Ok(priority @ 1..) = u32::try_from(options.priority) {
        socket.set_priority(priority)?;
    }
    Ok(())
}

/// Sets what a connection gets once it stands: no delay (batching is done further up), keep-alives, time-out.
pub(super) fn tune(socket: &Socket, options: &Options) -> Result<()> {
    socket.set_tcp_nodelay(true)?;
    match options.tcp_keepalive {
        -1 => {}
        0 => socket.set_keepalive(false)?,
        _ => {
            let mut keepalive = TcpKeepalive::new();
            if let Ok(count) = u32::try_from(options.tcp_keepalive_cnt) {
                keepalive = keepalive.with_retries(count);
            }
            if let Ok(seconds) = u64::try_from(options.tcp_keepalive_idle) {
                keepalive = keepalive.with_time(Duration::from_secs(seconds));
            }
            if let Ok(seconds) = u64::try_from(options.tcp_keepalive_intvl) {
                keepalive = keepalive.with_interval(Duration::from_secs(seconds));
            }
            socket.set_tcp_keepalive(&keepalive)?;
        }
    }
    if let Ok(milliseconds @ 1..) = u64::try_from(options.tcp_maxrt) {
        socket.set_tcp_user_timeout(Some(Duration::from_millis(milliseconds)))?;
    }
    Ok(())
}

/// Whether a peer passes the accept filters (`ZMQ_TCP_ACCEPT_FILTER`), if there are any.
pub(super) fn peer_allowed(peer: &SockAddr, options: &Options) -> bool {
    let filters = &options.tcp_accept_filters;
    filters.is_empty()
        || peer.as_socket().is_some_and(|peer| filters.iter().any(|mask| mask.matches(peer.ip())))
}
