//! `tipc://` (man page `zmq_tipc`): sockets of one machine or cluster that are found by what they serve.
//!
//! | address | what it is | for |
//! |---|---|---|
//! | `{type,lower,upper}` | instances of a service | `zmq_bind` |
//! | `{type,instance}`, `{type,instance}@zone.cluster.node` | whoever serves the instance, there | `zmq_connect` |
//! | `<zone.cluster.node:port>` | one socket, by the name that the system has given it | `zmq_connect` |
//! | `<*>` | a socket that the system gives a name, and nothing else | `zmq_bind` |
//!
//! As upstream, the first two may be used for both, numbers are read as `scanf`(3) does, and what follows them is ignored.

use socket2::{Domain, SockAddr, Socket, Type};

use super::Unopened;
use super::resolve::leading_unsigned;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::sys::tipc::{self, Address};

/// Types below belong to TIPC itself.
const RESERVED_TYPES: u32 = 64;

/// What stands in an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// `<*>`
    Any,
    At(Address),
}

/// Parses an address.
///
/// Errors: `EINVAL`.
pub(super) fn parse(address: &str) -> Result<Parsed> {
    if address.starts_with("<*>") {
        return Ok(Parsed::Any);
    }
    // What upstream makes of none.
    let mut domain = node([1, 0, 0]);
    if let Some(at) = address.find('@') {
        let (count, numbers, rest) = scan(&address[at..], "@..");
        if count != 3 || !rest.is_empty() {
            return Err(Error::Invalid);
        }
        domain = node(numbers);
    }
    let (count, [service, lower, upper], _) = scan(address, "{,,");
    match count {
        3 if service >= RESERVED_TYPES && lower <= upper => {
            Ok(Parsed::At(Address::Range { service, lower, upper }))
        }
        2 if service > RESERVED_TYPES => {
            Ok(Parsed::At(Address::Service { service, instance: lower, domain }))
        }
        0 => {
            let (count, [zone, cluster, number, port], _) = scan(address, "<..:");
            let socket = Address::Socket { node: node([zone, cluster, number]), port };
            if count == 4 { Ok(Parsed::At(socket)) } else { Err(Error::Invalid) }
        }
        _ => Err(Error::Invalid),
    }
}

/// Numbers with a character in front of each, as `scanf`(3) finds them: how many there are before something else comes, and what that is.
fn scan<'a, const N: usize>(text: &'a str, marks: &str) -> (usize, [u32; N], &'a str) {
    let (mut count, mut numbers, mut rest) = (0, [0; N], text);
    for (number, mark) in numbers.iter_mut().zip(marks.chars()) {
        let Some((value, behind)) = rest.strip_prefix(mark).and_then(leading_unsigned) else { break };
        // Cut, as it goes into an `unsigned int`.
        *number = value as u32;
        count += 1;
        rest = behind;
    }
    (count, numbers, rest)
}

/// `zone.cluster.node` as one number of 8, 12 and 12 bits, where too large ones run into each other.
fn node([zone, cluster, number]: [u32; 3]) -> u32 {
    zone << 24 | cluster << 12 | number
}

/// An address as an endpoint. That of a service has its domain for a third number.
pub(super) fn endpoint(address: Address) -> String {
    match address {
        Address::Range { service, lower, upper: third }
        | Address::Service { service, instance: lower, domain: third } => {
            format!("tipc://{{{service}, {lower}, {third}}}")
        }
        Address::Socket { node, port } => {
            let (zone, cluster, number) = (node >> 24, node >> 12 & 0xfff, node & 0xfff);
            format!("tipc://<{zone}.{cluster}.{number}:{port}>")
        }
    }
}

/// What an address to connect to means, and the endpoint. A service without a domain is looked for everywhere, though that isn't what the
/// endpoint says: upstream looks for it in 1.0.0, where kernels since 4.17 don't find it.
///
/// Errors: `EINVAL`, also for `<*>`.
pub(super) fn parse_to_connect(address: &str) -> Result<(Address, String)> {
    let Parsed::At(mut parsed) = parse(address)? else { return Err(Error::Invalid) };
    let endpoint = endpoint(parsed);
    if let Address::Service { domain, .. } = &mut parsed
        && !address.contains('@')
    {
        *domain = 0;
    }
    Ok((parsed, endpoint))
}

/// A new socket.
///
/// Errors: `EAFNOSUPPORT` where the kernel has no TIPC.
pub(super) fn open() -> Result<Socket> {
    Ok(Socket::new(Domain::from(tipc::FAMILY), Type::STREAM.nonblocking(), None)?)
}

/// Opens a listening socket. The endpoint is what monitors call it.
pub(super) fn listen(address: &str, options: &Options) -> Result<(Socket, String), Unopened> {
    let parsed = parse(address)?;
    if matches!(parsed, Parsed::At(Address::Socket { .. })) {
        // Such names the system gives.
        return Err(Error::Invalid.into());
    }
    let socket = open()?;
    let listening = || match parsed {
        Parsed::At(address) => {
            socket.bind(&SockAddr::from(address))?;
            socket.listen(options.backlog)?;
            Ok(endpoint(address))
        }
        Parsed::Any => {
            let name = socket.local_addr()?;
            socket.listen(options.backlog)?;
            Ok(tipc::address_of(&name).map(endpoint).unwrap_or_default())
        }
    };
    match listening() {
        Ok(endpoint) => Ok((socket, endpoint)),
        Err::<_, std::io::Error>(error) => Err(Unopened::closing(&socket, error)),
    }
}

#[cfg(test)]
mod tests;
