//! The checksum of a packet: that of TCP and UDP, over the packet alone (RFC 3208, section 8).

/// The complement of the sum of all bytes, taken as pairs in network order, with carries added back. Never 0, which in a packet
/// means that it has none. Over a packet that holds its own checksum the result is `u16::MAX`, if it is right.
pub fn checksum(bytes: &[u8]) -> u16 {
    // Which bytes of a pair come first makes no difference to adding the carries back, so the pairs are added as they lie in memory,
    // four at a time, and turned round in the end.
    let mut sum = 0_u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_ne_bytes(*word);
        sum += (word & 0xffff_ffff) + (word >> 32);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let word = u64::from_ne_bytes(last);
    sum += (word & 0xffff_ffff) + (word >> 32);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let complement = !u16::from_be_bytes((sum as u16).to_ne_bytes());
    if complement == 0 { u16::MAX } else { complement }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the RFC says it, pair by pair.
    fn by_pairs(bytes: &[u8]) -> u16 {
        let mut sum = 0_u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        let complement = !(sum as u16);
        if complement == 0 { u16::MAX } else { complement }
    }

    #[test]
    fn it_is_the_sum_of_all_pairs() {
        // RFC 1071, section 3.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        let bytes: Vec<u8> = (0..2000_u32).map(|i| (i * i / 7 + 250) as u8).collect();
        for len in [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 1471, 1472, 2000] {
            assert_eq!(checksum(&bytes[..len]), by_pairs(&bytes[..len]), "{len}");
            assert_eq!(checksum(&vec![0xff; len]), by_pairs(&vec![0xff; len]), "{len}");
        }
    }
}
