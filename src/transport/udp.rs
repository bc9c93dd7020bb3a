//! `udp://` (man page `zmq_udp`): addresses, and the descriptor that datagrams go by.

use std::io::{IoSlice, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::resolve::{Rules, leading_integer, parse_numeric, resolve, resolve_host};
use super::{Scheme, Stream, tcp};
use crate::error::{Error, Result};
use crate::options::{Options, SocketType};
use crate::sys::datagrams;
pub use crate::sys::datagrams::{BATCH, Incoming, Outgoing, TRAIN};

/// No datagram is longer, in bytes: its length takes 16 bits.
pub const MAX_DATAGRAM: usize = 1 << 16;

/// A descriptor for datagrams, non-blocking.
#[derive(Debug)]
pub struct Datagrams {
    /// The descriptor.
    pub stream: Stream,
    /// Where a RADIO sends to.
    pub target: Option<SockAddr>,
    /// It sends, and it receives.
    pub directions: Directions,
    /// Addresses are IPv6, with IPv4 ones mapped into it.
    pub ipv6: bool,
}

/// Which way datagrams go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directions {
    /// The socket sends.
    pub send: bool,
    /// The socket receives.
    pub receive: bool,
}

impl Directions {
    /// What a socket of that type does at an endpoint that it binds (`local`) or connects to.
    ///
    /// Errors: `ENOCOMPATPROTO` for all but RADIO, which connects, and DISH and DGRAM, which bind.
    pub fn of(socket_type: SocketType, local: bool) -> Result<Self> {
        match (socket_type, local) {
            (SocketType::Radio, false) => Ok(Self { send: true, receive: false }),
            (SocketType::Dish, true) => Ok(Self { send: false, receive: true }),
            (SocketType::Dgram, true) => Ok(Self { send: true, receive: true }),
            _ => Err(Error::IncompatibleProtocol),
        }
    }
}

/// `address:port`, or `interface;address:port` with a multicast address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The own address, which also says by which interface multicast goes (IPv4).
    local: SocketAddr,
    /// The peer's address, or the group.
    target: SocketAddr,
    /// The index of the interface by which multicast goes (IPv6); 0: the system chooses.
    interface: u32,
    multicast: bool,
}

impl Address {
    /// What an address means to a socket that binds (`local`) or connects.
    ///
    /// Errors: `EINVAL`, `ENODEV`; the latter also for an IPv6 group with an interface that isn't given by its name.
    pub fn resolve(address: &str, local: bool, ipv6: bool) -> Result<Self> {
        let (source, target) = match address.rsplit_once(';') {
            Some((source, target)) => (Some(source), target),
            None => (None, address),
        };
        let source = match source {
            Some(name) => Some((name, source_address(name, ipv6)?)),
            None => None,
        };
        let target = resolve(target, Rules { bindable: local, interfaces: local, names: true, ipv6 })?;
        if ipv6 && mapped(target.ip()).is_some_and(|ip| ip.is_multicast()) {
            // IPv6 sockets can't join the groups of IPv4.
            return Self::resolve(address, local, false);
        }
        let multicast = target.ip().is_multicast();
        let any = |ip: IpAddr| match ip {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let zone = match target {
            SocketAddr::V6(target) => target.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        let (own, interface) = match source {
            Some(_) if !multicast => return Err(Error::Invalid),
            Some((name, ip)) => {
                let index = nix::net::if_::if_nametoindex(name).unwrap_or(0);
                if ipv6 && index == 0 && name != "*" {
                    return Err(Error::NoDevice);
                }
                (SocketAddr::new(ip, target.port()), index)
            }
            // A unicast address that is bound is the own one.
            None if local && !multicast => (target, 0),
            None => (SocketAddr::new(any(target.ip()), target.port()), zone),
        };
        Ok(Self { local: own, target, interface, multicast })
    }
}

/// The address of an interface that a group is to be joined on.
fn source_address(name: &str, ipv6: bool) -> Result<IpAddr> {
    let (ip, _) = resolve_host(name, Rules { bindable: true, interfaces: true, names: false, ipv6 })?;
    if ip.is_multicast() { Err(Error::Invalid) } else { Ok(ip) }
}

fn mapped(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V6(ip) => ip.to_ipv4_mapped(),
        IpAddr::V4(_) => None,
    }
}

impl Datagrams {
    /// Opens a socket at an address. `None`: the address can't be used now, because it is taken or the interface or the route is missing.
    /// Upstream finds that out in the background and says nothing, and `zmq_bind` succeeds.
    ///
    /// Errors: `EINVAL`, `ENODEV`, `ENOCOMPATPROTO`; `EMFILE` and whatever else the system says to a new socket or to options.
    pub fn open(address: &str, local: bool, options: &Options) -> Result<Option<Self>> {
        let directions = Directions::of(options.socket_type, local)?;
        let mut resolved = Address::resolve(address, local, options.ipv6)?;
        let socket = match new_socket(&resolved.local) {
            // A machine without IPv6: ZMQ_IPV6 falls back to IPv4.
            Err(error) if resolved.local.is_ipv6() && error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
                resolved = Address::resolve(address, local, false)?;
                new_socket(&resolved.local)?
            }
            socket => socket?,
        };
        tune(&socket, &resolved, options)?;
        let prepared = (|| {
            if directions.send {
                prepare_to_send(&socket, &resolved, options)?;
            }
            if directions.receive {
                listen(&socket, &resolved)?;
            }
            std::io::Result::Ok(())
        })();
        Ok(prepared.is_ok().then(|| Self {
            target: (!directions.receive).then(|| resolved.target.into()),
            directions,
            ipv6: resolved.local.is_ipv6(),
            stream: Stream::new(Scheme::Udp, socket),
        }))
    }

    /// Sends the first `count` of the datagrams that `datagram` gives by their number, and says how many were sent. An error is that of the first.
    ///
    /// Errors: as `sendto`(2).
    pub fn send<'a>(
        stream: &Stream,
        count: usize,
        datagram: impl Fn(usize) -> Outgoing<'a>,
    ) -> std::io::Result<usize> {
        datagrams::send(stream.as_fd(), count, datagram)
    }

    /// Sends several datagrams of `segment` bytes (the last may have less) to one address, all or none.
    ///
    /// Errors: as `sendmsg`(2), among it some that say no more than that they can't be sent at once.
    pub fn send_train(
        stream: &Stream,
        to: &SockAddr,
        parts: &[IoSlice<'_>],
        segment: u16,
    ) -> std::io::Result<()> {
        datagrams::send_train(stream.as_fd(), to, parts, segment)
    }

    /// Receives up to `count` datagrams, or trains of them, into the buffer, each into [`MAX_DATAGRAM`] bytes of it, and says how many there were.
    ///
    /// Errors: as `recvfrom`(2).
    pub fn receive(
        stream: &Stream,
        buffer: &mut [u8],
        count: usize,
        names: bool,
        out: &mut [Incoming; BATCH],
    ) -> std::io::Result<usize> {
        datagrams::receive(stream.as_fd(), buffer, MAX_DATAGRAM, count, names, out)
    }
}

fn new_socket(address: &SocketAddr) -> std::io::Result<Socket> {
    Socket::new(Domain::for_address(*address), Type::DGRAM.nonblocking(), Some(Protocol::UDP))
}

fn tune(socket: &Socket, address: &Address, options: &Options) -> Result<()> {
    if address.local.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    tcp::mark(socket, options)?;
    tcp::wish(socket, options);
    if !options.bindtodevice.is_empty() {
        socket.bind_device(Some(&options.bindtodevice))?;
    }
    Ok(())
}

fn prepare_to_send(socket: &Socket, address: &Address, options: &Options) -> std::io::Result<()> {
    socket.set_broadcast(true)?;
    let hops = u32::try_from(options.multicast_hops).unwrap_or(0);
    match address.local.ip() {
        IpAddr::V4(own) => {
            socket.set_multicast_loop_v4(options.multicast_loop)?;
            if hops > 0 {
                socket.set_multicast_ttl_v4(hops)?;
            }
            if address.multicast && !own.is_unspecified() {
                socket.set_multicast_if_v4(&own)?;
            }
        }
        IpAddr::V6(_) => {
            socket.set_multicast_loop_v6(options.multicast_loop)?;
            if hops > 0 {
                socket.set_multicast_hops_v6(hops)?;
            }
            if address.multicast && address.interface > 0 {
                socket.set_multicast_if_v6(address.interface)?;
            }
        }
    }
    Ok(())
}

/// Binds the socket, and joins the group.
fn listen(socket: &Socket, address: &Address) -> std::io::Result<()> {
    socket.set_reuse_address(true)?;
    // It only saves time.
    let _ = datagrams::receive_trains(socket.as_fd());
    if !address.multicast {
        // An address that the machine hasn't got yet may come later; it matters to nobody else.
        let _ = match address.local {
            SocketAddr::V4(_) => socket.set_freebind_v4(true),
            SocketAddr::V6(_) => socket.set_freebind_v6(true),
        };
        return socket.bind(&address.local.into());
    }
    // A group is received by all who have joined it.
    socket.set_reuse_port(true)?;
    let port = address.target.port();
    match (address.target.ip(), address.local.ip()) {
        (IpAddr::V4(group), IpAddr::V4(own)) => {
            socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
            socket.join_multicast_v4(&group, &own)
        }
        (IpAddr::V6(group), _) => {
            socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
            socket.join_multicast_v6(&group, address.interface)
        }
        _ => Err(std::io::Error::from_raw_os_error(libc::EINVAL)),
    }
}

/// The name of a peer as a DGRAM receives it, `address:port` and a zero byte; it is given to `use_name`.
pub fn with_peer_name<R>(peer: &SocketAddr, use_name: impl FnOnce(&[u8]) -> R) -> R {
    let peer = match mapped(peer.ip()) {
        Some(ip) => SocketAddr::new(ip.into(), peer.port()),
        None => *peer,
    };
    // An IPv6 address, a zone, a port, and what stands between them.
    let mut name = [0_u8; 80];
    let mut rest = &mut name[..79];
    let written = write!(rest, "{peer}").map(|()| 79 - rest.len()).unwrap_or(0);
    use_name(&name[..=written])
}

/// The address that a DGRAM sends to; `None` if it is none, or not one that the socket can reach. `ipv6`: the socket is of that family.
pub fn parse_peer(name: &[u8], ipv6: bool) -> Option<SockAddr> {
    let name = name.split(|&byte| byte == 0).next()?;
    let name = std::str::from_utf8(name).ok()?;
    let (host, port) = name.rsplit_once(':')?;
    let port = leading_integer(port) as u16;
    if port == 0 {
        return None;
    }
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let (host, zone) = match host.split_once('%') {
        Some((host, zone)) => (host, zone_index(zone)?),
        None => (host, 0),
    };
    let ip = match (parse_numeric(host)?, ipv6) {
        (IpAddr::V4(ip), true) => ip.to_ipv6_mapped().into(),
        (IpAddr::V6(ip), false) => ip.to_ipv4_mapped()?.into(),
        (ip, _) => ip,
    };
    let mut address = SocketAddr::new(ip, port);
    if let SocketAddr::V6(address) = &mut address {
        address.set_scope_id(zone);
    }
    Some(address.into())
}

fn zone_index(zone: &str) -> Option<u32> {
    zone.parse().ok().or_else(|| nix::net::if_::if_nametoindex(zone).ok())
}

#[cfg(test)]
mod tests;
