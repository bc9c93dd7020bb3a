//! Masking (RFC 6455, section 5.3): what a client sends is combined with four bytes that change from frame to frame.

use super::Random;
use sha1::{Digest, Sha1};

/// The four bytes.
pub(super) type Mask = [u8; 4];

/// Masks `bytes`, or unmasks them. The first of them is the one at `at` in what the mask is for.
#[inline]
pub(super) fn apply(bytes: &mut [u8], mask: Mask, at: usize) {
    let mut mask = mask;
    mask.rotate_left(at % 4);
    let [a, b, c, d] = mask;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    // Eight bytes at a time, of which the compiler makes larger pieces where it can.
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for piece in words {
        *piece = (u64::from_ne_bytes(*piece) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= mask;
    }
}

/// Bytes that are asked for at a time: a call for each frame would cost more than the frame.
const POOL: usize = 1024;

/// A supply of masks that nobody can predict.
pub(super) struct Masks {
    pool: Box<[u8; POOL]>,
    used: usize,
    random: Random,
}

impl Masks {
    /// Nothing is asked for before the first mask.
    pub(super) fn new(random: Random) -> Self {
        Self { pool: Box::new([0; POOL]), used: POOL, random }
    }

    /// The next one.
    #[inline]
    pub(super) fn next(&mut self) -> Mask {
        if self.used == POOL {
            self.refill();
        }
        let mask = self.pool[self.used..].first_chunk().copied().unwrap_or_default();
        self.used += 4;
        mask
    }

    #[cold]
    fn refill(&mut self) {
        self.used = 0;
        if (self.random)(&mut self.pool[..]).is_err() {
            // A frame can't fail for that, and masks protect proxies between the two, not the message: hash what was there.
            let mut previous: [u8; 20] = Sha1::digest(&self.pool[..]).into();
            for piece in self.pool.chunks_mut(previous.len()) {
                previous = Sha1::digest(previous).into();
                piece.copy_from_slice(&previous[..piece.len()]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::collections::HashSet;

    #[test]
    fn a_mask_applies_byte_by_byte_from_anywhere() {
        let mask = [1, 20, 50, 255];
        let plain: Vec<u8> = (0..100).collect();
        for length in 0..plain.len() {
            let expected: Vec<u8> =
                plain[..length].iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
            for cut in 0..=length {
                let mut bytes = plain[..length].to_vec();
                let (front, back) = bytes.split_at_mut(cut);
                apply(front, mask, 0);
                apply(back, mask, cut);
                assert_eq!(bytes, expected, "{length} cut at {cut}");
            }
        }
    }

    #[test]
    fn masks_come_from_the_generator_and_differ_without_it() {
        let counting: Random = |bytes| {
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = at as u8;
            }
            Ok(())
        };
        let mut masks = Masks::new(counting);
        assert_eq!((masks.next(), masks.next()), ([0, 1, 2, 3], [4, 5, 6, 7]));
        let mut masks = Masks::new(|_| Err(Error::Invalid));
        let drawn: HashSet<Mask> = (0..1000).map(|_| masks.next()).collect();
        assert!(drawn.len() > 990);
    }
}
