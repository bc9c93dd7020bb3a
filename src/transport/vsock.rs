//! `vsock://` (upstream's `zmq_vsock`(7), which came after 4.3.5): between virtual machines and their host, by `vsock`(7).
//!
//! An address is `cid:port`. Each may be `*` or `-1`: any, or to be chosen by the system. `@` is the host's.

use socket2::{Domain, SockAddr, Socket, Type};

use super::resolve::leading_unsigned;
use super::{Scheme, Unopened, vmci};
use crate::error::{Error, Result};
use crate::options::Options;

/// What a machine is called, and what is called so there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Context id.
    pub cid: u32,
    pub port: u32,
}

impl Address {
    /// Parses an address of [`Scheme::Vsock`] or [`Scheme::Vmci`].
    ///
    /// Errors: `EINVAL`; `ENODEV` if it asks for this machine's own id, and there is none.
    pub(super) fn parse(scheme: Scheme, address: &str) -> Result<Self> {
        let (machine, port) = address.rsplit_once(':').ok_or(Error::Invalid)?;
        let cid = match machine {
            "@" if scheme == Scheme::Vmci => vmci::local_cid()?,
            "@" => vsock::VMADDR_CID_HOST,
            _ => number_or_any(machine)?,
        };
        Ok(Self { cid, port: number_or_any(port)? })
    }

    /// The address in a socket's name, if it is of this family.
    pub(super) fn of(name: &SockAddr) -> Option<Self> {
        name.as_vsock_address().map(|(cid, port)| Self { cid, port })
    }

    /// As an endpoint.
    pub(super) fn endpoint(self, scheme: Scheme) -> String {
        let text = |number: u32| if number == ANY { "*".to_owned() } else { number.to_string() };
        format!("{}://{}:{}", scheme.name(), text(self.cid), text(self.port))
    }
}

impl From<Address> for SockAddr {
    fn from(address: Address) -> Self {
        SockAddr::vsock(address.cid, address.port)
    }
}

/// `VMADDR_CID_ANY` and `VMADDR_PORT_ANY`.
const ANY: u32 = vsock::VMADDR_CID_ANY;

/// As upstream reads it: what follows the digits is ignored.
fn number_or_any(text: &str) -> Result<u32> {
    if matches!(text, "*" | "-1") {
        return Ok(ANY);
    }
    let (number, _) = leading_unsigned(text).ok_or(Error::Invalid)?;
    u32::try_from(number).map_err(|_| Error::Invalid)
}

/// A new socket.
///
/// Errors: `EAFNOSUPPORT` where the kernel has no such family; what setting the options of vmci says.
pub(super) fn open(scheme: Scheme, options: &Options) -> Result<Socket, Unopened> {
    let socket = Socket::new(Domain::VSOCK, Type::STREAM.nonblocking(), None)?;
    if scheme == Scheme::Vmci {
        vmci::tune(&socket, options).map_err(|error| Unopened::closing(&socket, error))?;
    }
    Ok(socket)
}

/// Opens a listening socket. The endpoint is what monitors call it.
pub(super) fn listen(scheme: Scheme, address: &str, options: &Options) -> Result<(Socket, String), Unopened> {
    let address = Address::parse(scheme, address)?;
    let socket = open(scheme, options)?;
    match socket.bind(&address.into()).and_then(|()| socket.listen(options.backlog)) {
        Ok(()) => Ok((socket, address.endpoint(scheme))),
        Err(error) => Err(Unopened::closing(&socket, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What libzmq's parser makes of them. That of vsock, in upstream's master, is the one of vmci but for `@`.
    #[test]
    fn addresses_mean_what_they_mean_upstream() {
        for scheme in [Scheme::Vsock, Scheme::Vmci] {
            for (address, expected) in [
                ("1:5560", "1:5560"),
                ("*:5560", "*:5560"),
                ("-1:5560", "*:5560"),
                ("4294967295:5560", "*:5560"),
                ("1:*", "1:*"),
                ("1:-1", "1:*"),
                ("*:*", "*:*"),
                ("1:4294967295", "1:*"),
                ("0:0", "0:0"),
                ("4294967294:4294967294", "4294967294:4294967294"),
                ("007:08", "7:8"),
                ("+1:+2", "1:2"),
                (" 1: 2", "1:2"),
                ("\t1:\n2", "1:2"),
                ("1x:2y", "1:2"),
                ("1 :2 ", "1:2"),
                ("1.5:2/path", "1:2"),
                ("0x10:1", "0:1"),
                ("1:2:3", "1:3"),
                ("-18446744073709551615:5", "1:5"),
                ("-0:5", "0:5"),
            ] {
                let found = Address::parse(scheme, address).map(|address| address.endpoint(scheme));
                assert_eq!(found, Ok(format!("{}://{expected}", scheme.name())), "{address}");
            }
            for address in [
                "1",
                ":",
                ":5560",
                "1:",
                "*:",
                "x:1",
                "1:x",
                "**:1",
                "*1:1",
                "1:**",
                "-2:1",
                "1:-2",
                " *:1",
                "- 1:1",
                "+-1:1",
                "4294967296:1",
                "1:4294967296",
                "18446744073709551615:1",
                "18446744073709551616:1",
                "1:99999999999999999999",
                " :1",
                "1: ",
                "@x:1",
                "1:@",
                "localhost:1",
            ] {
                assert_eq!(Address::parse(scheme, address), Err(Error::Invalid), "{address}");
            }
        }
    }

    #[test]
    fn at_is_the_host_or_this_machine() {
        assert_eq!(Address::parse(Scheme::Vsock, "@:1"), Ok(Address { cid: 2, port: 1 }));
        let own = Address::parse(Scheme::Vmci, "@:1").map(|address| address.cid);
        assert_eq!(own, vmci::local_cid());
    }
}
