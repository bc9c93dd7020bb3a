//! Z85, binary data as printable text (RFC 32).

/// Characters of a 32-byte key in Z85.
pub const KEY_TEXT: usize = 40;

const ALPHABET: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Value of each byte as a digit; 85 for those that are none.
const DIGITS: [u8; 256] = {
    let mut digits = [85; 256];
    let mut value = 0;
    while value < 85 {
        digits[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// Five characters for every four bytes; `None` if the size isn't a multiple of four.
pub fn encode(bytes: &[u8]) -> Option<String> {
    let (groups, []) = bytes.as_chunks::<4>() else { return None };
    let mut text = String::with_capacity(groups.len() * 5);
    for &group in groups {
        let value = u32::from_be_bytes(group);
        for power in [85_u32.pow(4), 85_u32.pow(3), 85_u32.pow(2), 85, 1] {
            text.push(ALPHABET[(value / power % 85) as usize] as char);
        }
    }
    Some(text)
}

/// Four bytes for every five characters; `None` if the size isn't a multiple of five and at least that, at a
/// character that isn't in the alphabet, or if five characters stand for more than 32 bits.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let (groups @ [_, ..], []) = text.as_chunks::<5>() else { return None };
    let mut bytes = Vec::with_capacity(groups.len() * 4);
    for group in groups {
        let mut value: u32 = 0;
        for &character in group {
            let digit = DIGITS[character as usize];
            if digit == 85 {
                return None;
            }
            value = value.checked_mul(85)?.checked_add(digit.into())?;
        }
        bytes.extend_from_slice(&value.to_be_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn example_of_the_rfc() {
        let bytes = [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b];
        assert_eq!(encode(&bytes).as_deref(), Some("HelloWorld"));
        assert_eq!(decode(b"HelloWorld").as_deref(), Some(&bytes[..]));
    }

    #[test]
    fn limits() {
        assert_eq!(encode(&[]).as_deref(), Some(""));
        assert_eq!(encode(&[0; 3]), None);
        assert_eq!(encode(&[0xff; 4]).as_deref(), Some("%nSc0"));
        assert_eq!(decode(b"%nSc0"), Some(vec![0xff; 4]));
        for bad in ["", "0000", "%nSc1", "#####", "0000 ", "0000\"", "0000\x7f"] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(decode(&[0xff; 5]), None);
    }
}
