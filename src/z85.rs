//! Z85, the encoding of keys as printable text (RFC 32): four bytes make five characters.

/// The digits, by value (RFC 32, "Formal Specification").
const DIGITS: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// The characters of a key of 32 bytes.
pub const KEY_TEXT: usize = 40;

/// The value of each byte as a digit; [`NO_DIGIT`] where it is none.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < DIGITS.len() {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
};

const NO_DIGIT: u8 = 0xff;

/// Encodes four bytes.
pub fn encode_group(bytes: [u8; 4]) -> [u8; 5] {
    let mut rest = u32::from_be_bytes(bytes);
    let mut text = [0; 5];
    for digit in text.iter_mut().rev() {
        *digit = DIGITS[(rest % 85) as usize];
        rest /= 85;
    }
    text
}

/// Decodes five characters; `None` if one isn't a digit, or if they stand for more than 32 bits.
pub fn decode_group(text: [u8; 5]) -> Option<[u8; 4]> {
    let mut number = 0u32;
    for digit in text {
        let value = VALUES[usize::from(digit)];
        if value == NO_DIGIT {
            return None;
        }
        number = number.checked_mul(85)?.checked_add(u32::from(value))?;
    }
    Some(number.to_be_bytes())
}

/// Encodes bytes; `None` if their number isn't a multiple of four.
pub fn encode(bytes: &[u8]) -> Option<String> {
    let (groups, []) = bytes.as_chunks::<4>() else { return None };
    Some(groups.iter().flat_map(|group| encode_group(*group)).map(char::from).collect())
}

/// Decodes text; `None` if its length isn't a multiple of five, and at least that, or at the first group that [`decode_group`] refuses.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let (groups @ [_, ..], []) = text.as_chunks::<5>() else { return None };
    let mut bytes = Vec::with_capacity(groups.len() * 4);
    for group in groups {
        bytes.extend_from_slice(&decode_group(*group)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        let bytes = [0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B];
        assert_eq!(encode(&bytes).unwrap(), "HelloWorld");
        assert_eq!(decode(b"HelloWorld").unwrap(), bytes);
    }

    #[test]
    fn every_group_comes_back() {
        for number in (0..=u32::MAX).step_by(65_521).chain([u32::MAX]) {
            assert_eq!(decode_group(encode_group(number.to_be_bytes())), Some(number.to_be_bytes()));
        }
    }

    #[test]
    fn what_is_no_z85_is_refused() {
        assert_eq!(encode(&[0; 3]), None);
        assert_eq!(encode(&[]).as_deref(), Some(""));
        assert_eq!(decode(b""), None);
        assert_eq!(decode(b"0000"), None);
        assert_eq!(decode(b"00\"00"), None);
        assert_eq!(decode(b"00\xff00"), None);
        // 2^32 - 1, the largest there is, then one more, then the largest that can be written.
        assert_eq!(decode(b"%nSc0"), Some(vec![0xff; 4]));
        assert_eq!(decode(b"%nSc1"), None);
        assert_eq!(decode(b"#####"), None);
    }
}
