//! Short bodies as words.

use super::MAX_INLINE;

/// Up to [`MAX_INLINE`] bytes as words, padded with zeros, and the one that they have no room for. Without a call, a
/// loop or a store: it is all put together in registers.
#[inline(always)]
pub(super) fn to_words(bytes: &[u8]) -> ([u64; 4], u8) {
    let len = bytes.len();
    debug_assert!(len <= MAX_INLINE);
    // The words are put together as little-endian numbers, and turned at the end.
    let word = |at: usize| {
        debug_assert!(at + 8 <= len);
        // SAFETY: it is asked for words within the bytes only.
        u64::from_le_bytes(unsafe { bytes.as_ptr().add(at).cast::<[u8; 8]>().read_unaligned() })
    };
    // The bytes behind the last whole word: those of the slice's last eight that aren't in it. Shifted in two steps because
    // there may be none.
    let rest = || (word(len - 8) >> 1) >> (63 - 8 * (len % 8));
    let (words, last_byte) = match len / 8 {
        0 => ([up_to_seven(bytes), 0, 0, 0], 0),
        1 => ([word(0), rest(), 0, 0], 0),
        2 => ([word(0), word(8), rest(), 0], 0),
        3 => ([word(0), word(8), word(16), rest()], 0),
        _ => (
            [word(0), word(8), word(16), word(24)],
            if len == MAX_INLINE { bytes[MAX_INLINE - 1] } else { 0 },
        ),
    };
    (words.map(u64::to_le), last_byte)
}

/// Up to seven bytes as a little-endian number.
#[inline(always)]
fn up_to_seven(bytes: &[u8]) -> u64 {
    match bytes {
        [] => 0,
        &[a] => a.into(),
        &[a, b] => u64::from(u16::from_le_bytes([a, b])),
        &[a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
        &[a, b, c, d, ..] => {
            let len = bytes.len();
            let (low, high) =
                ([a, b, c, d], [bytes[len - 4], bytes[len - 3], bytes[len - 2], bytes[len - 1]]);
            // Where both have a byte they have the same one.
            u64::from(u32::from_le_bytes(low)) | u64::from(u32::from_le_bytes(high)) << (8 * (len - 4))
        }
    }
}
