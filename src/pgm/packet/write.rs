//! Packets: what is sent, put together (RFC 3208, sections 8 and 9).

use super::options::{END, FIN, HEAD, LENGTH, LENGTH_SIZE, NAK_LIST};
use super::{
    AFI_IP, AFI_IP6, HEADER, MAX_NAMED, NAK, NCF, NETWORK_SIGNIFICANT, ODATA, OPTIONS_PRESENT, RDATA, SPM,
    SPMR, Spm, Tsi, checksum,
};
use crate::pgm::Sequence;
use core::net::IpAddr;

/// What a packet with data has before them, in bytes: there are no options.
pub const DATA_HEADER: usize = HEADER + 8;

/// Which source and session a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The source.
    pub tsi: Tsi,
    /// The data-destination port.
    pub port: u16,
}

impl Identity {
    fn header(self, kind: u8, flags: u8) -> [u8; HEADER] {
        let Self { tsi, port } = self;
        let (source, destination) =
            if matches!(kind, NAK | SPMR) { (port, tsi.port) } else { (tsi.port, port) };
        let ([s0, s1], [d0, d1]) = (source.to_be_bytes(), destination.to_be_bytes());
        let [g0, g1, g2, g3, g4, g5] = tsi.gsi;
        [s0, s1, d0, d1, kind, flags, 0, 0, g0, g1, g2, g3, g4, g5, 0, 0]
    }
}

fn put_address(address: IpAddr, out: &mut Vec<u8>) {
    let family = if address.is_ipv4() { AFI_IP } else { AFI_IP6 };
    out.extend_from_slice(&family.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    match address {
        IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
        IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
    }
}

/// OPT_LENGTH, for options of `size` bytes, and the head of the only one that follows.
fn put_option(kind: u8, size: usize, out: &mut Vec<u8>) {
    let [t0, t1] = ((LENGTH_SIZE + size) as u16).to_be_bytes();
    out.extend_from_slice(&[LENGTH, LENGTH_SIZE as u8, t0, t1, kind | END, size as u8, 0, 0]);
}

/// Writes the checksum into a packet that is otherwise complete.
fn seal(packet: &mut [u8]) {
    packet[6..8].fill(0);
    let sum = checksum(packet);
    packet[6..8].copy_from_slice(&sum.to_be_bytes());
}

/// An SPM. `Marks::rst` isn't sent.
pub fn spm(identity: Identity, spm: &Spm) -> Vec<u8> {
    let flags = if spm.marks.fin { OPTIONS_PRESENT } else { 0 };
    let mut out = identity.header(SPM, flags).to_vec();
    for number in [spm.sequence, spm.trail, spm.lead] {
        out.extend_from_slice(&number.0.to_be_bytes());
    }
    put_address(spm.path, &mut out);
    if spm.marks.fin {
        put_option(FIN, HEAD, &mut out);
    }
    seal(&mut out);
    out
}

/// A request for an SPM.
pub fn spmr(identity: Identity) -> Vec<u8> {
    let mut out = identity.header(SPMR, 0).to_vec();
    seal(&mut out);
    out
}

/// A NAK for these packets, or (`confirms`) an NCF. `None` for no packets; of more than [`MAX_NAMED`] only the first ones are named.
pub fn nak(
    identity: Identity,
    confirms: bool,
    sequences: &[Sequence],
    source: IpAddr,
    group: IpAddr,
) -> Option<Vec<u8>> {
    let (first, others) = sequences[..sequences.len().min(MAX_NAMED)].split_first()?;
    let flags = if others.is_empty() { 0 } else { OPTIONS_PRESENT | NETWORK_SIGNIFICANT };
    let mut out = identity.header(if confirms { NCF } else { NAK }, flags).to_vec();
    out.extend_from_slice(&first.0.to_be_bytes());
    put_address(source, &mut out);
    put_address(group, &mut out);
    if !others.is_empty() {
        put_option(NAK_LIST, HEAD + 4 * others.len(), &mut out);
        for number in others {
            out.extend_from_slice(&number.0.to_be_bytes());
        }
    }
    seal(&mut out);
    Some(out)
}

/// Makes original data of a packet whose data begin at [`DATA_HEADER`]: writes what is before them.
pub fn finish_data(identity: Identity, sequence: Sequence, trail: Sequence, packet: &mut [u8]) {
    let length = (packet.len() - DATA_HEADER) as u16;
    packet[..HEADER].copy_from_slice(&identity.header(ODATA, 0));
    packet[14..HEADER].copy_from_slice(&length.to_be_bytes());
    packet[16..20].copy_from_slice(&sequence.0.to_be_bytes());
    packet[20..24].copy_from_slice(&trail.0.to_be_bytes());
    seal(packet);
}

/// Makes repair data of original data, or renews them.
pub fn turn_into_repair(trail: Sequence, packet: &mut [u8]) {
    packet[4] = RDATA;
    packet[20..24].copy_from_slice(&trail.0.to_be_bytes());
    seal(packet);
}
