//! `interface;group:port`, as OpenPGM reads it: `interface;groups;group:port` in full, where packets are received from several groups and sent to
//! another one, and all but the port may be left out.

use crate::error::{Error, Result};
use crate::transport::resolve::{leading_integer, parse_numeric};
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};

/// The groups of addresses that name none: 239.192.0.1 and ff08::1, OpenPGM's.
const DEFAULT_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 192, 0, 1));
const DEFAULT_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff08, 0, 0, 0, 0, 0, 0, 1));
/// How many groups an address may have (IP_MAX_MEMBERSHIPS is 20).
const MAX_GROUPS: usize = 20;

/// An address, with everything that it leaves to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Of the interface by which packets go and come.
    pub own: IpAddr,
    /// Its index.
    pub interface: u32,
    /// Where packets are received from.
    pub receive: Vec<IpAddr>,
    /// Where they are sent to.
    pub send: IpAddr,
    /// The port of the session, and that of the datagrams.
    pub port: u16,
}

impl Address {
    /// Errors: `EINVAL`.
    pub fn resolve(address: &str) -> Result<Self> {
        let (network, port) = address.rsplit_once(':').ok_or(Error::Invalid)?;
        let port = match leading_integer(port) as u16 {
            0 => return Err(Error::Invalid),
            port => port,
        };
        let mut parts = network.split(';');
        let interface = parts.next().unwrap_or_default();
        let receive = parts.next().filter(|groups| !groups.is_empty());
        // A group alone needs no semicolon.
        let (interface, receive) = match receive {
            None if parse_group(interface).is_ok() => ("", Some(interface)),
            receive => (interface, receive),
        };
        let send = parts.next().filter(|groups| !groups.is_empty());
        if parts.next().is_some() {
            return Err(Error::Invalid);
        }
        let (own, prefix) = parse_network(interface)?;
        let receive = match receive {
            Some(groups) => groups.split(',').map(parse_group).collect::<Result<Vec<_>>>()?,
            None if own.is_some_and(|own| own.is_ipv6()) => vec![DEFAULT_V6],
            None => vec![DEFAULT_V4],
        };
        let send = match send {
            Some(group) => parse_group(group)?,
            None => receive[0],
        };
        let family = |address: &IpAddr| address.is_ipv4() == send.is_ipv4();
        if receive.len() > MAX_GROUPS || !receive.iter().all(family) || !own.iter().all(family) {
            return Err(Error::Invalid);
        }
        let (own, interface) =
            find_interface(interface, own.map(|own| (own, prefix)), send).ok_or(Error::Invalid)?;
        Ok(Self { own, interface, receive, send, port })
    }

    /// A group of the family that all of it has.
    pub fn group(&self) -> IpAddr {
        self.send
    }

    /// With the port, and for IPv6 with the interface.
    pub fn with_port(&self, ip: IpAddr) -> SocketAddr {
        let mut address = SocketAddr::new(ip, self.port);
        if let SocketAddr::V6(address) = &mut address
            && (is_link_local(*address.ip()) || address.ip().is_multicast())
        {
            address.set_scope_id(self.interface);
        }
        address
    }
}

fn is_link_local(ip: Ipv6Addr) -> bool {
    ip.is_unicast_link_local() || ip.segments()[0] & 0xff0f == 0xff02
}

/// The address of an interface, or of a network with the length of its prefix; `None` if it is a name.
fn parse_network(interface: &str) -> Result<(Option<IpAddr>, u32)> {
    let Some((host, length)) = interface.split_once('/') else { return Ok((parse_host(interface), 128)) };
    let length = length.parse().map_err(|_| Error::Invalid)?;
    Ok((Some(parse_host(host).ok_or(Error::Invalid)?), length))
}

/// Whether the first `prefix` bits of both are the same.
fn same_network(one: IpAddr, other: IpAddr, prefix: u32) -> bool {
    let differing = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros().min(32),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        _ => return false,
    };
    differing >= prefix.min(if one.is_ipv4() { 32 } else { 128 })
}

/// A numeric address, IPv6 ones in brackets or not, and with a zone or not.
fn parse_host(host: &str) -> Option<IpAddr> {
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let host = host.split_once('%').map_or(host, |(host, _)| host);
    parse_numeric(host)
}

fn parse_group(group: &str) -> Result<IpAddr> {
    parse_host(group).filter(IpAddr::is_multicast).ok_or(Error::Invalid)
}

/// The address and the index of an interface that has this name or address, or of the one by which packets to the group go.
fn find_interface(name: &str, own: Option<(IpAddr, u32)>, group: IpAddr) -> Option<(IpAddr, u32)> {
    let entries: Vec<_> = getifaddrs().ok()?.collect();
    let own = match own {
        None if name.is_empty() => {
            Some((route(group).or_else(|| any_for_multicast(&entries, group))?, u32::MAX))
        }
        own => own,
    };
    // Of several addresses that fit, those of a group's own scope are better.
    let local = matches!(group, IpAddr::V6(group) if is_link_local(group));
    let matching = |entry: &&InterfaceAddress| {
        let Some(ip) = ip_of(entry).filter(|ip| ip.is_ipv4() == group.is_ipv4()) else { return false };
        own.map_or(entry.interface_name == name, |(own, prefix)| same_network(own, ip, prefix))
    };
    let scope = |entry: &&InterfaceAddress| match ip_of(entry) {
        Some(IpAddr::V6(ip)) => ip.is_unicast_link_local() != local,
        _ => false,
    };
    let mut fitting: Vec<_> = entries.iter().filter(matching).collect();
    fitting.sort_by_key(scope);
    // One that is new may not be usable as yet (RFC 4862, "tentative").
    let entry = *fitting.iter().find(|entry| is_usable(entry)).or(fitting.first())?;
    let index = nix::net::if_::if_nametoindex(entry.interface_name.as_str()).ok()?;
    Some((ip_of(entry)?, index))
}

fn is_usable(entry: &InterfaceAddress) -> bool {
    let address = entry.address.as_ref();
    address.and_then(|address| address.as_sockaddr_in6()).is_none_or(|address| {
        let address = SocketAddrV6::new(address.ip(), 0, 0, address.scope_id());
        UdpSocket::bind(address).is_ok()
    })
}

fn ip_of(entry: &InterfaceAddress) -> Option<IpAddr> {
    let address = entry.address.as_ref()?;
    let v4 = address.as_sockaddr_in().map(|address| address.ip().into());
    v4.or_else(|| address.as_sockaddr_in6().map(|address| address.ip().into()))
}

/// The own address on the way to a group.
fn route(group: IpAddr) -> Option<IpAddr> {
    let any: IpAddr =
        if group.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((group, 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

fn any_for_multicast(entries: &[InterfaceAddress], group: IpAddr) -> Option<IpAddr> {
    let wanted = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_MULTICAST;
    let usable = |entry: &&InterfaceAddress| {
        entry.flags.contains(wanted) && !entry.flags.contains(InterfaceFlags::IFF_LOOPBACK)
    };
    entries.iter().filter(usable).filter_map(ip_of).find(|ip| ip.is_ipv4() == group.is_ipv4())
}
