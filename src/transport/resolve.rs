//! Host and port to a socket address, for the transports over IP.
//!
//! The syntax is that of `zmq_tcp`(7): `host:port`, where the host may be a name, an interface, a numeric
//! address (IPv6 in brackets or without), or `*`, and may carry a zone id (RFC 4007) after `%`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs};

use crate::error::{Error, Result};
use crate::options::parse_ipv4;

/// What an address may consist of, which depends on where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The address is to be bound: `*` is allowed for host and port, and an unknown host is `ENODEV`
    /// where it otherwise is `EINVAL`.
    pub bindable: bool,
    /// The host may be the name of an interface.
    pub interfaces: bool,
    /// The host may be a name to look up.
    pub names: bool,
    /// The result is an IPv6 address, an IPv4 one mapped into it if need be (`ZMQ_IPV6`).
    pub ipv6: bool,
}

/// Resolves `host:port`.
pub(crate) fn resolve(address: &str, rules: Rules) -> Result<SocketAddr> {
    // The last colon: IPv6 addresses have more of them.
    let (host, port) = address.rsplit_once(':').ok_or(Error::Invalid)?;
    let port = parse_port(port, rules.bindable)?;
    let (ip, zone) = resolve_host(host, rules)?;
    Ok(match ip {
        IpAddr::V4(ip) => SocketAddr::V4(SocketAddrV4::new(ip, port)),
        IpAddr::V6(ip) => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, zone)),
    })
}

/// Resolves a host without a port. The second value is the zone id, 0 without one.
pub(crate) fn resolve_host(host: &str, rules: Rules) -> Result<(IpAddr, u32)> {
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let (host, zone) = match host.rsplit_once('%') {
        Some((host, zone)) => (host, parse_zone(zone)?),
        None => (host, 0),
    };
    if rules.bindable && host == "*" {
        let any = if rules.ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        return Ok((any, zone));
    }
    if rules.interfaces
        && let Some(ip) = interface_address(host, rules.ipv6)
    {
        return Ok((ip, zone));
    }
    let unknown = if rules.bindable { Error::NoDevice } else { Error::Invalid };
    let ip = match parse_numeric(host) {
        Some(ip) => in_family(ip, rules.ipv6).ok_or(unknown)?,
        None if rules.names => look_up(host, rules.ipv6).map_err(|error| error.unwrap_or(unknown))?,
        None => return Err(unknown),
    };
    Ok((ip, zone))
}

/// A port as `atoi`(3) reads it, cut to 16 bits: upstream does so, and programs have come to rely on
/// strings such as `5555 ` or `5555/path`. A port of zero has to be written `0`, or `*` in a bind.
fn parse_port(port: &str, bindable: bool) -> Result<u16> {
    match port {
        "0" => Ok(0),
        "*" if bindable => Ok(0),
        _ => match leading_integer(port) as u16 {
            0 => Err(Error::Invalid),
            port => Ok(port),
        },
    }
}

/// A zone id: the name of an interface, or its index.
fn parse_zone(zone: &str) -> Result<u32> {
    let index = match zone.as_bytes().first() {
        None => return Err(Error::Invalid),
        Some(first) if first.is_ascii_alphabetic() => nix::net::if_::if_nametoindex(zone).unwrap_or(0),
        Some(_) => leading_integer(zone) as u32,
    };
    if index == 0 { Err(Error::Invalid) } else { Ok(index) }
}

/// The integer that a string begins with, as `strtol`(3) reads it in base ten: white space and a sign
/// may come first, whatever follows the digits is ignored, and a number out of range is the nearest one.
pub(crate) fn leading_integer(text: &str) -> i64 {
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let mut value: i64 = 0;
    for digit in digits.bytes().take_while(u8::is_ascii_digit).map(|digit| i64::from(digit - b'0')) {
        value = value.saturating_mul(10);
        value = if negative { value.saturating_sub(digit) } else { value.saturating_add(digit) };
    }
    value
}

/// The number that a string begins with, as `strtoul`(3) reads it in base ten, and what follows it: white space and a sign may come first, one below zero
/// comes from the other end, and one out of range is the largest. `None` without digits.
pub(super) fn leading_unsigned(text: &str) -> Option<(u64, &str)> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    if digits.is_empty() {
        return None;
    }
    let value = match digits.parse::<u64>() {
        Ok(value) if negative => value.wrapping_neg(),
        Ok(value) => value,
        Err(_) => u64::MAX,
    };
    Some((value, rest))
}

/// The first address of that family which the interface has.
fn interface_address(name: &str, ipv6: bool) -> Option<IpAddr> {
    nix::ifaddrs::getifaddrs().ok()?.filter(|entry| entry.interface_name == name).find_map(|entry| {
        let address = entry.address?;
        if ipv6 {
            address.as_sockaddr_in6().map(|address| address.ip().into())
        } else {
            address.as_sockaddr_in().map(|address| address.ip().into())
        }
    })
}

/// The same address in the wanted family, if there is one.
fn in_family(ip: IpAddr, ipv6: bool) -> Option<IpAddr> {
    match ip {
        IpAddr::V4(ip) if ipv6 => Some(ip.to_ipv6_mapped().into()),
        IpAddr::V6(ip) if !ipv6 => ip.to_ipv4_mapped().map(IpAddr::from),
        ip => Some(ip),
    }
}

/// A numeric address, in any of the forms that `getaddrinfo`(3) takes without looking anything up.
pub(super) fn parse_numeric(host: &str) -> Option<IpAddr> {
    host.parse().ok().or_else(|| parse_ipv4(host).map(IpAddr::from))
}

/// Looks a name up. `Err(None)`: there is no such name.
///
/// The resolver is asked for both families, and the wanted one is taken first: the same as
/// `AI_V4MAPPED` gives.
fn look_up(host: &str, ipv6: bool) -> Result<IpAddr, Option<Error>> {
    // No host has such a name (RFC 1123, 2.1), and asking could take seconds.
    if host.is_empty() || host.contains([':', '[', ']', '%', '*', ' ']) {
        return Err(None);
    }
    let found: Vec<IpAddr> = (host, 0)
        .to_socket_addrs()
        .map_err(|error| (error.raw_os_error() == Some(libc::ENOMEM)).then_some(Error::OutOfMemory))?
        .map(|address| address.ip())
        .collect();
    let native = found.iter().copied().find(|ip| ip.is_ipv6() == ipv6);
    native.or_else(|| found.iter().find_map(|&ip| in_family(ip, ipv6))).ok_or(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIND: Rules = Rules { bindable: true, interfaces: true, names: true, ipv6: false };
    const CONNECT: Rules = Rules { bindable: false, interfaces: false, names: true, ipv6: false };
    const LITERAL: Rules = Rules { bindable: false, interfaces: false, names: false, ipv6: false };

    fn v6(rules: Rules) -> Rules {
        Rules { ipv6: true, ..rules }
    }

    fn resolved(address: &str, rules: Rules) -> Result<String> {
        resolve(address, rules).map(|address| address.to_string())
    }

    /// Measured on the reference, port by port.
    #[test]
    fn ports_are_read_as_atoi_reads_them() {
        for (port, expected) in [
            ("5555", Ok(5555)),
            ("5555x", Ok(5555)),
            (" 5556", Ok(5556)),
            ("\t5558", Ok(5558)),
            ("+5557", Ok(5557)),
            ("5555?q", Ok(5555)),
            ("5555/path", Ok(5555)),
            ("007000", Ok(7000)),
            ("-1", Ok(65535)),
            ("-10000", Ok(55536)),
            ("65537000", Ok(1000)),
            ("99999999999", Ok(59391)),
            ("99999999999999999999", Ok(65535)),
            ("-99999999999999999999", Err(Error::Invalid)),
            ("65536", Err(Error::Invalid)),
            ("0x15b3", Err(Error::Invalid)),
            ("00", Err(Error::Invalid)),
            ("", Err(Error::Invalid)),
            ("abc", Err(Error::Invalid)),
            ("*x", Err(Error::Invalid)),
            ("0", Ok(0)),
            ("*", Ok(0)),
        ] {
            assert_eq!(parse_port(port, true), expected, "{port:?}");
        }
        assert_eq!(parse_port("*", false), Err(Error::Invalid));
        assert_eq!(parse_port("0", false), Ok(0));
    }

    /// Measured on the reference: bind to the host, any port.
    #[test]
    fn hosts_to_bind() {
        let none = Err(Error::NoDevice);
        for (host, ipv4, ipv6) in [
            ("*", Ok("0.0.0.0"), Ok("::")),
            ("[*]", Ok("0.0.0.0"), Ok("::")),
            ("*%1", Ok("0.0.0.0"), Ok("::")),
            ("127.0.0.1", Ok("127.0.0.1"), Ok("::ffff:127.0.0.1")),
            ("[127.0.0.1]", Ok("127.0.0.1"), Ok("::ffff:127.0.0.1")),
            ("127.1", Ok("127.0.0.1"), Ok("::ffff:127.0.0.1")),
            ("127.0.1", Ok("127.0.0.1"), Ok("::ffff:127.0.0.1")),
            ("0x7f.1", Ok("127.0.0.1"), Ok("::ffff:127.0.0.1")),
            ("0x7f000001", Ok("127.0.0.1"), Ok("::ffff:127.0.0.1")),
            ("2130706433", Ok("127.0.0.1"), Ok("::ffff:127.0.0.1")),
            ("0177.0.0.1", Ok("127.0.0.1"), Ok("::ffff:127.0.0.1")),
            ("127.0.0.01", Ok("127.0.0.1"), Ok("::ffff:127.0.0.1")),
            ("0", Ok("0.0.0.0"), Ok("::ffff:0.0.0.0")),
            ("127.0.0.1%1", Ok("127.0.0.1"), Ok("::ffff:127.0.0.1")),
            ("127.0.0.1%lo", Ok("127.0.0.1"), Ok("::ffff:127.0.0.1")),
            ("127.0.0.1%99", Ok("127.0.0.1"), Ok("::ffff:127.0.0.1")),
            ("lo", Ok("127.0.0.1"), Ok("::1")),
            ("[lo]", Ok("127.0.0.1"), Ok("::1")),
            ("lo%1", Ok("127.0.0.1"), Ok("::1")),
            ("[::ffff:127.0.0.1]", Ok("127.0.0.1"), Ok("::ffff:127.0.0.1")),
            ("[::ffff:7f00:1]", Ok("127.0.0.1"), Ok("::ffff:127.0.0.1")),
            ("[::]", none, Ok("::")),
            ("[::1]", none, Ok("::1")),
            ("::1", none, Ok("::1")),
            ("[::1%lo]", none, Ok("::1")),
            ("127.0.0.1%", Err(Error::Invalid), Err(Error::Invalid)),
            ("127.0.0.1%0", Err(Error::Invalid), Err(Error::Invalid)),
            ("127.0.0.1%nosuch", Err(Error::Invalid), Err(Error::Invalid)),
            ("", none, none),
            ("[]", none, none),
            (":", none, none),
            ("%1", none, none),
            ("[::1", none, none),
            ("::1]", none, none),
            ("[::1]%lo", none, none),
            ("[::1x]", none, none),
            ("127.0.0.1:5561", none, none),
            (" 127.0.0.1", none, none),
            ("127.0.0.1 ", none, none),
            ("a b", none, none),
            ("**", none, none),
        ] {
            for (rules, expected) in [(BIND, ipv4), (v6(BIND), ipv6)] {
                let got = resolve_host(host, rules).map(|(ip, _)| ip.to_string());
                assert_eq!(got.as_deref().map_err(|error| *error), expected, "{host:?} {rules:?}");
            }
        }
    }

    #[test]
    fn names_are_looked_up_where_they_may_be() {
        assert_eq!(resolved("localhost:80", CONNECT).as_deref(), Ok("127.0.0.1:80"));
        assert_eq!(resolved("localhost:80", LITERAL), Err(Error::Invalid));
        assert_eq!(resolved("127.0.0.1:80", LITERAL).as_deref(), Ok("127.0.0.1:80"));
        assert_eq!(resolved("localhost:80", Rules { names: false, ..BIND }), Err(Error::NoDevice));
        assert!(resolve("localhost:80", v6(CONNECT)).is_ok_and(|address| address.is_ipv6()));
    }

    #[test]
    fn a_zone_id_is_kept_for_ipv6() {
        let resolved = resolve("[fe80::1%7]:80", v6(CONNECT));
        assert!(matches!(resolved, Ok(SocketAddr::V6(address)) if address.scope_id() == 7));
    }

    #[test]
    fn wildcards_and_interfaces_are_for_binding() {
        assert_eq!(resolved("127.0.0.1", BIND), Err(Error::Invalid));
        assert_eq!(resolved("127.0.0.1:*", CONNECT), Err(Error::Invalid));
        assert_eq!(resolved("lo:80", LITERAL), Err(Error::Invalid));
        assert_eq!(resolved("*:80", LITERAL), Err(Error::Invalid));
    }
}
