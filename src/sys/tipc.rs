//! Addresses of TIPC (`linux/tipc.h`), which no library in use knows.

use socket2::{SockAddr, SockAddrStorage};

/// The address family.
pub const FAMILY: libc::c_int = libc::AF_TIPC;

/// How far a published name is seen. The kernel takes the widest scope, a zone, for the cluster, which there is one of.
const ZONE_SCOPE: i8 = 1;

/// `sockaddr_tipc`: three numbers, which mean what the type says.
#[repr(C)]
struct Raw {
    family: libc::sa_family_t,
    address_type: u8,
    scope: i8,
    numbers: [u32; 3],
}

const RANGE: u8 = 1;
const SERVICE: u8 = 2;
const SOCKET: u8 = 3;

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// The instances of a service that a socket serves, both ends included.
    Range {
        /// Which service.
        service: u32,
        /// The first instance.
        lower: u32,
        /// The last one.
        upper: u32,
    },
    /// Whoever serves an instance of a service.
    Service {
        /// Which service.
        service: u32,
        /// Which instance.
        instance: u32,
        /// Where to look for it; 0: anywhere.
        domain: u32,
    },
    /// One socket.
    Socket {
        /// The node that it is on.
        node: u32,
        /// Its number there.
        port: u32,
    },
}

impl From<Address> for SockAddr {
    fn from(address: Address) -> Self {
        let (address_type, scope, numbers) = match address {
            Address::Range { service, lower, upper } => (RANGE, ZONE_SCOPE, [service, lower, upper]),
            Address::Service { service, instance, domain } => (SERVICE, 0, [service, instance, domain]),
            Address::Socket { node, port } => (SOCKET, 0, [port, node, 0]),
        };
        let raw = Raw { family: FAMILY as libc::sa_family_t, address_type, scope, numbers };
        let mut storage = SockAddrStorage::zeroed();
        // SAFETY: `Raw` is laid out as the kernel's structure and smaller than the storage, which is aligned for any of them, and any
        // bytes are a valid one.
        unsafe { *storage.view_as::<Raw>() = raw };
        // SAFETY: so much of the storage was written, and the family says what it is.
        unsafe { SockAddr::new(storage, size_of::<Raw>() as libc::socklen_t) }
    }
}

/// The address in a socket's name; `None` if it is of another family, or of a type that there isn't.
pub fn address_of(name: &SockAddr) -> Option<Address> {
    if libc::c_int::from(name.family()) != FAMILY || (name.len() as usize) < size_of::<Raw>() {
        return None;
    }
    // SAFETY: a `SockAddr` is made of a storage that is larger than `Raw` and aligned for any address, and any bytes are a valid `Raw`.
    let raw = unsafe { name.as_ptr().cast::<Raw>().read() };
    let [first, second, third] = raw.numbers;
    match raw.address_type {
        RANGE => Some(Address::Range { service: first, lower: second, upper: third }),
        SERVICE => Some(Address::Service { service: first, instance: second, domain: third }),
        SOCKET => Some(Address::Socket { node: second, port: first }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes are those that a C program fills a `sockaddr_tipc` with.
    #[test]
    fn addresses_are_laid_out_as_the_kernel_has_them() {
        let bytes = |address: Address| {
            let name = SockAddr::from(address);
            assert_eq!(address_of(&name), Some(address));
            // SAFETY: a name of this length.
            unsafe { std::slice::from_raw_parts(name.as_ptr().cast::<u8>(), name.len() as usize) }.to_vec()
        };
        let expected = |kind: u8, scope: u8, numbers: [u32; 3]| {
            let mut bytes = 30_u16.to_ne_bytes().to_vec();
            bytes.extend([kind, scope]);
            bytes.extend(numbers.into_iter().flat_map(u32::to_ne_bytes));
            bytes
        };
        let range = Address::Range { service: 5560, lower: 1, upper: 2 };
        assert_eq!(bytes(range), expected(1, 1, [5560, 1, 2]));
        let service = Address::Service { service: 5560, instance: 1, domain: 0x0100_1001 };
        assert_eq!(bytes(service), expected(2, 0, [5560, 1, 0x0100_1001]));
        let socket = Address::Socket { node: 0x0100_1001, port: 77 };
        assert_eq!(bytes(socket), expected(3, 0, [77, 0x0100_1001, 0]));
    }

    #[test]
    fn other_names_have_no_such_address() {
        assert_eq!(address_of(&"127.0.0.1:80".parse::<std::net::SocketAddr>().unwrap().into()), None);
        assert_eq!(address_of(&SockAddr::unix("/x").unwrap()), None);
        assert_eq!(address_of(&SockAddr::vsock(1, 2)), None);
    }
}
