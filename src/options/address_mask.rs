//! `ZMQ_TCP_ACCEPT_FILTER`: an address with the number of its leading bits that count.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};

use crate::error::{Error, Result};

/// A range of addresses in CIDR form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressMask {
    /// An address in the range.
    pub address: IpAddr,
    /// How many leading bits have to be the same; at most 32 or 128.
    pub bits: u8,
}

impl AddressMask {
    /// Reads `address` or `address/bits`. With `ipv6`, an IPv4 address means its IPv4-mapped IPv6 address, since that
    /// is what an IPv6 listener sees; without, IPv6 addresses are refused. Names are never looked up.
    ///
    /// `EINVAL`: anything else.
    pub fn parse(text: &[u8], ipv6: bool) -> Result<Self> {
        // C reads up to the first zero byte.
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        let text = std::str::from_utf8(text).map_err(|_| Error::Invalid)?;
        let (address, bits) = match text.rsplit_once('/') {
            Some((address, bits)) => (parse_address(address, ipv6)?, Some(bits)),
            None => (parse_address(text, ipv6)?, None),
        };
        let all = if address.is_ipv6() { 128 } else { 32 };
        let bits = match bits {
            None => all,
            Some("0") => 0,
            // As `strtol` reads it: what follows the digits is ignored.
            Some(text) => match leading_number(text) {
                Some(bits @ 1..) if bits <= i64::from(all) => bits as u8,
                _ => return Err(Error::Invalid),
            },
        };
        Ok(Self { address, bits })
    }

    /// Whether the address lies in the range.
    pub fn matches(&self, address: IpAddr) -> bool {
        let (ours, theirs, width) = match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
            _ => return false,
        };
        let ignored = width - u32::from(self.bits).min(width);
        (ours ^ theirs).checked_shr(ignored).unwrap_or(0) == 0
    }
}

fn parse_address(text: &str, ipv6: bool) -> Result<IpAddr> {
    let text = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let text = match text.rsplit_once('%') {
        Some((address, zone)) => {
            check_zone(zone)?;
            address
        }
        None => text,
    };
    if !ipv6 {
        return parse_ipv4(text).map(IpAddr::V4).ok_or(Error::Invalid);
    }
    let address = match parse_ipv4(text) {
        Some(address) => address.to_ipv6_mapped(),
        None => text.parse::<Ipv6Addr>().map_err(|_| Error::Invalid)?,
    };
    Ok(IpAddr::V6(address))
}

/// A zone has to exist (a name) or be a number other than 0. It plays no part in the comparison.
fn check_zone(zone: &str) -> Result<()> {
    let exists = match zone.bytes().next() {
        None => false,
        // The resolver accepts a zone by name only if there is such an interface. The address is a literal, so
        // nothing is looked up.
        Some(first) if first.is_ascii_alphabetic() => {
            (format!("fe80::1%{zone}").as_str(), 0).to_socket_addrs().is_ok()
        }
        Some(_) => leading_number(zone).is_some_and(|number| number as u32 != 0),
    };
    if exists { Ok(()) } else { Err(Error::Invalid) }
}

/// One to four numbers, decimal, octal or hexadecimal, the last one filling what is left (man page `inet_aton`(3)).
pub(crate) fn parse_ipv4(text: &str) -> Option<Ipv4Addr> {
    let parts = text.split('.').map(parse_part).collect::<Option<Vec<u32>>>()?;
    let (&last, leading) = parts.split_last()?;
    if leading.len() > 3 || leading.iter().any(|&part| part > 255) {
        return None;
    }
    let room = 32 - 8 * leading.len() as u32;
    if u64::from(last) >> room != 0 {
        return None;
    }
    let high = leading.iter().enumerate().fold(0, |sum, (index, &part)| sum | part << (24 - 8 * index));
    Some(Ipv4Addr::from_bits(high | last))
}

fn parse_part(text: &str) -> Option<u32> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    if digits.starts_with('+') { None } else { u32::from_str_radix(digits, radix).ok() }
}

/// The number at the start of the text, as `strtol`(3) reads it; `None` if there is none or it is out of range.
fn leading_number(text: &str) -> Option<i64> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let end = text
        .char_indices()
        .find(|&(index, c)| !(c.is_ascii_digit() || index == 0 && matches!(c, '+' | '-')))
        .map_or(text.len(), |(index, _)| index);
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, ipv6: bool) -> Option<(String, u8)> {
        let mask = AddressMask::parse(text.as_bytes(), ipv6).ok()?;
        Some((mask.address.to_string(), mask.bits))
    }

    #[test]
    fn addresses_are_read_as_the_c_library_reads_them() {
        for (text, address, bits) in [
            ("127.0.0.1", "127.0.0.1", 32),
            ("10.0.0.0/8", "10.0.0.0", 8),
            ("10.0.0.0/0", "10.0.0.0", 0),
            ("10.0.0.0/8x", "10.0.0.0", 8),
            ("[10.1]/24", "10.0.0.1", 24),
            ("0x7f.1", "127.0.0.1", 32),
            ("010.0.0.1", "8.0.0.1", 32),
            ("4294967295", "255.255.255.255", 32),
            ("10.0.0.1\0junk", "10.0.0.1", 32),
        ] {
            assert_eq!(parse(text, false), Some((address.into(), bits)), "{text}");
        }
        for text in [
            "",
            "/8",
            "10.0.0.1/",
            "10.0.0.1/33",
            "10.0.0.1/-1",
            "10.0.0.1/x",
            "10.0.0.256",
            "1.2.3.4.5",
            "1.2.3.",
            "localhost",
            "::1",
            "10.0.0.1%",
            "10.0.0.1%0",
            "10.0.0.1%nosuchif",
            "09",
            "4294967296",
            "1.16777216",
        ] {
            assert_eq!(parse(text, false), None, "{text}");
        }
    }

    #[test]
    fn ipv6_takes_both_families() {
        assert_eq!(parse("::1/64", true), Some(("::1".into(), 64)));
        assert_eq!(parse("[fe80::1%lo]", true), Some(("fe80::1".into(), 128)));
        assert_eq!(parse("127.0.0.1", true), Some(("::ffff:127.0.0.1".into(), 128)));
        assert_eq!(parse("::1/129", true), None);
        assert_eq!(parse("::g", true), None);
    }

    #[test]
    fn leading_bits_decide() {
        let mask = AddressMask::parse(b"10.1.0.0/9", false).unwrap();
        assert!(mask.matches("10.127.255.255".parse().unwrap()));
        assert!(!mask.matches("10.128.0.0".parse().unwrap()));
        assert!(!mask.matches("::1".parse().unwrap()));
        let all = AddressMask::parse(b"10.1.0.0/0", false).unwrap();
        assert!(all.matches("192.168.0.1".parse().unwrap()));
        let one = AddressMask::parse(b"::1", true).unwrap();
        assert!(one.matches("::1".parse().unwrap()) && !one.matches("::2".parse().unwrap()));
        let v6 = AddressMask::parse(b"::1/0", true).unwrap();
        assert!(v6.matches("ff::2".parse().unwrap()));
    }
}
