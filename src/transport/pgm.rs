//! `pgm://` and `epgm://` (man page `zmq_pgm`): PGM over IP, and in UDP datagrams. The protocol is in [`crate::pgm`]; here are addresses,
//! descriptors, and the two bytes before the data of each packet, which say where in them the first message begins. See docs/pgm.md.

mod address;
mod channel;
mod receiving;
mod sending;

use super::multicast::Multicast;
use crate::error::{Error, Result};
use crate::options::{Options, SocketType};
use crate::pgm::window_size;
use address::Address;
use channel::Encapsulation;
use receiving::Receiving;
use sending::Sending;

/// What goes before the data of a packet: where the first message that begins in them does, or [`NONE`].
const OFFSET: usize = 2;
/// No message begins in a packet.
const NONE: u16 = 0xffff;

/// Opens a `pgm://` address.
///
/// Errors: as [`open_epgm`]; `EINVAL` also without `CAP_NET_RAW`.
pub(super) fn open_pgm(address: &str, options: &Options) -> Result<Box<dyn Multicast>> {
    open(address, options, Encapsulation::Ip)
}

/// Opens an `epgm://` address.
///
/// Errors: `EINVAL` for whatever is wrong with the address, the interface or the options, which is the only errno that libzmq has for them;
/// `EMFILE`, `ENFILE`, `ENOBUFS` and `ENOMEM`.
pub(super) fn open_epgm(address: &str, options: &Options) -> Result<Box<dyn Multicast>> {
    open(address, options, Encapsulation::Udp)
}

fn open(address: &str, options: &Options, encapsulation: Encapsulation) -> Result<Box<dyn Multicast>> {
    let address = Address::resolve(address)?;
    let sizes = Sizes::new(options, encapsulation, address.group().is_ipv6())?;
    let opened: std::io::Result<Box<dyn Multicast>> = match options.socket_type {
        SocketType::Pub | SocketType::XPub => Sending::open(&address, options, encapsulation, sizes)
            .map(|sending| Box::new(sending) as Box<dyn Multicast>),
        _ => Receiving::open(&address, options, encapsulation, sizes)
            .map(|receiving| Box::new(receiving) as Box<dyn Multicast>),
    };
    opened.map_err(|error| match error.raw_os_error() {
        Some(number @ (libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)) => {
            Error::from_errno(number)
        }
        _ => Error::Invalid,
    })
}

/// What the options say about packets.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// The longest packet with all its headers, and what of that comes before PGM's; bytes.
    max_tpdu: usize,
    overhead: usize,
    /// How many packets can be repaired.
    window: usize,
    /// Bytes per second.
    rate: u64,
}

impl Sizes {
    /// Errors: `EINVAL` if no packet could hold data, or more than IP can carry.
    fn new(options: &Options, encapsulation: Encapsulation, ipv6: bool) -> Result<Self> {
        let max_tpdu = usize::try_from(options.multicast_maxtpdu).unwrap_or(0);
        let overhead = if ipv6 { 40 } else { 20 } + if encapsulation == Encapsulation::Udp { 8 } else { 0 };
        if !(overhead + crate::pgm::DATA_HEADER + OFFSET + 1..=usize::from(u16::MAX)).contains(&max_tpdu) {
            return Err(Error::Invalid);
        }
        let rate = u64::try_from(options.rate).unwrap_or(0);
        let recovery = u64::try_from(options.recovery_ivl).unwrap_or(0);
        let window = window_size(rate, recovery, max_tpdu);
        Ok(Self { max_tpdu, overhead, window, rate: rate * 1000 / 8 })
    }
}

#[cfg(test)]
mod tests;
