//! Packets: what arrives, taken apart (RFC 3208, sections 8 and 9). What is sent is made in `write.rs`.

mod options;
mod write;

use super::Sequence;
use super::checksum::checksum;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use options::Options;
pub use write::{DATA_HEADER, Identity, finish_data, nak, spm, spmr, turn_into_repair};

/// The header that all packets have.
const HEADER: usize = 16;

/// Types (section 8).
const SPM: u8 = 0x00;
const ODATA: u8 = 0x04;
const RDATA: u8 = 0x05;
const NAK: u8 = 0x08;
const NCF: u8 = 0x0a;
const SPMR: u8 = 0x0c;

/// Flags (section 8).
const OPTIONS_PRESENT: u8 = 0x01;
const NETWORK_SIGNIFICANT: u8 = 0x02;
const PARITY: u8 = 0x80;

/// Address families (section 8.1).
const AFI_IP: u16 = 1;
const AFI_IP6: u16 = 2;

/// The numbers that one NAK or NCF can name, the first one among them (section 9.3: 62 in the list).
pub const MAX_NAMED: usize = 63;

/// A transport session identifier: who sends (section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tsi {
    /// The global source identifier.
    pub gsi: [u8; 6],
    /// The source's port.
    pub port: u16,
}

/// A packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The source that it comes from, or is for.
    pub tsi: Tsi,
    /// The data-destination port: that of the session.
    pub port: u16,
    /// What it says.
    pub body: Body<'a>,
}

/// What a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// A source path message.
    Spm(Spm),
    /// Original data, or repair data.
    Data(Data<'a>),
    /// A negative acknowledgment.
    Nak(Nak<'a>),
    /// Its confirmation.
    Ncf(Nak<'a>),
    /// A request for an SPM.
    Spmr,
}

/// A source path message (section 8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spm {
    /// Its own number.
    pub sequence: Sequence,
    /// The earliest packet that the source still has.
    pub trail: Sequence,
    /// The last one that it has sent.
    pub lead: Sequence,
    /// Whom to send NAKs to.
    pub path: IpAddr,
    /// The source says so of itself.
    pub marks: Marks,
}

/// What a source says of its session by options (section 9.4 and after).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// OPT_FIN: it ends.
    pub fin: bool,
    /// OPT_RST: it has broken down.
    pub rst: bool,
}

/// A packet with data (section 8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    /// Its number.
    pub sequence: Sequence,
    /// The earliest packet that the source still has.
    pub trail: Sequence,
    /// The part of a longer unit that it is.
    pub fragment: Option<Fragment>,
    /// The source says so of itself.
    pub marks: Marks,
    /// The data.
    pub payload: &'a [u8],
}

/// OPT_FRAGMENT (section 9.5): the data are a part of a unit (APDU) that is longer than a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The packet that the unit begins with.
    pub first: Sequence,
    /// Where in it the part begins.
    pub offset: u32,
    /// How long it is as a whole.
    pub total: u32,
}

/// A NAK or its confirmation (section 8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nak<'a> {
    /// The first of the packets that are missing.
    pub first: Sequence,
    /// The others, in network order (OPT_NAK_LIST).
    list: &'a [[u8; 4]],
    /// The source.
    pub source: IpAddr,
    /// The group that it sends to.
    pub group: IpAddr,
}

impl Nak<'_> {
    /// The packets that are missing, at most [`MAX_NAMED`].
    pub fn sequences(&self) -> impl Iterator<Item = Sequence> {
        core::iter::once(self.first).chain(self.list.iter().map(|&bytes| Sequence(u32::from_be_bytes(bytes))))
    }
}

/// Takes a packet apart. `None` for what is malformed or has a wrong checksum, and for what isn't used here: parity, polls, acknowledgments.
pub fn parse(bytes: &[u8]) -> Option<Packet<'_>> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    let [s0, s1, d0, d1, kind, flags, c0, c1, gsi @ .., l0, l1] = *header;
    let (source, destination) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    // Upper bits are the version.
    if flags & PARITY != 0 || kind & 0xc0 != 0 {
        return None;
    }
    match (c0, c1) {
        // Data must have one (section 8.2).
        (0, 0) if matches!(kind, ODATA | RDATA) => return None,
        (0, 0) => {}
        _ if checksum(bytes) != u16::MAX => return None,
        _ => {}
    }
    let mut reader = Reader { bytes: rest };
    let has_options = flags & OPTIONS_PRESENT != 0;
    let body = match kind {
        SPM => Body::Spm(reader.spm(has_options)?),
        ODATA | RDATA => Body::Data(reader.data(has_options, usize::from(u16::from_be_bytes([l0, l1])))?),
        NAK => Body::Nak(reader.nak(has_options)?),
        NCF => Body::Ncf(reader.nak(has_options)?),
        SPMR => Body::Spmr,
        _ => return None,
    };
    // What goes upstream has the ports the other way round.
    let upstream = matches!(body, Body::Nak(_) | Body::Spmr);
    let (own, port) = if upstream { (destination, source) } else { (source, destination) };
    Some(Packet { tsi: Tsi { gsi, port: own }, port, body })
}

/// What is left of a packet.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        Some(*taken)
    }

    fn sequence(&mut self) -> Option<Sequence> {
        self.take().map(|bytes| Sequence(u32::from_be_bytes(bytes)))
    }

    /// A network layer address, led by its family.
    fn address(&mut self) -> Option<IpAddr> {
        let [a0, a1, _, _] = self.take()?;
        match u16::from_be_bytes([a0, a1]) {
            AFI_IP => self.take().map(|bytes: [u8; 4]| Ipv4Addr::from(bytes).into()),
            AFI_IP6 => self.take().map(|bytes: [u8; 16]| Ipv6Addr::from(bytes).into()),
            _ => None,
        }
    }

    fn options(&mut self, present: bool) -> Option<Options<'a>> {
        if !present {
            return Some(Options::default());
        }
        let (options, rest) = Options::parse(self.bytes)?;
        self.bytes = rest;
        Some(options)
    }

    fn spm(&mut self, has_options: bool) -> Option<Spm> {
        let (sequence, trail, lead) = (self.sequence()?, self.sequence()?, self.sequence()?);
        let path = self.address()?;
        let marks = self.options(has_options)?.marks;
        // An empty window has its lead before its trail (section 8.1); NAKs can go to one host only.
        let is_window = trail.since(lead.plus(1)) <= 0;
        let is_host = !path.is_multicast() && !path.is_unspecified();
        (is_window && is_host).then_some(Spm { sequence, trail, lead, path, marks })
    }

    fn data(&mut self, has_options: bool, length: usize) -> Option<Data<'a>> {
        let (sequence, trail) = (self.sequence()?, self.sequence()?);
        let Options { fragment, marks, .. } = self.options(has_options)?;
        let payload = self.bytes;
        if payload.len() != length || sequence.is_before(trail) {
            return None;
        }
        // One that is the whole unit isn't a part.
        let fragment = fragment.filter(|fragment| fragment.total as usize != length);
        if let Some(Fragment { first, offset, total }) = fragment {
            let end = u64::from(offset) + length as u64;
            let begins = first == sequence;
            if sequence.is_before(first) || begins != (offset == 0) || end > u64::from(total) || length == 0 {
                return None;
            }
        }
        Some(Data { sequence, trail, fragment, marks, payload })
    }

    fn nak(&mut self, has_options: bool) -> Option<Nak<'a>> {
        let first = self.sequence()?;
        let (source, group) = (self.address()?, self.address()?);
        let list = self.options(has_options)?.nak_list;
        Some(Nak { first, list, source, group })
    }
}

#[cfg(test)]
mod tests;
