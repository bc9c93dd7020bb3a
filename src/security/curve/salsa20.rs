//! The first blocks of the Salsa20 key streams of consecutive nonces, many at once.
//!
//! A short message needs two blocks of key stream. They depend on each other in nothing, nor on those of the next messages, whose
//! nonces are known beforehand: CURVE counts them. So the blocks of some messages are computed side by side, a lane of a vector each,
//! which takes about as long as two blocks one after the other. No library offers that; docs/security.md has the figures.
//!
//! This is the Salsa20 of <https://cr.yp.to/snuffle/spec.pdf> with 20 rounds and a key of 32 bytes. It branches and indexes on
//! nothing secret.

use crate::vectors::{self, Vectorised};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The first two blocks of a nonce's key stream, in quarters: the first one is what CURVE takes for the MAC.
pub type KeyStream = [[u8; 32]; 4];

/// Nonces whose key streams are computed together.
const NONCES: usize = 8;
/// Blocks that are computed together.
const LANES: usize = 2 * NONCES;

/// "expand 32-byte k"
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// The same word of the state in each lane.
type Words = [u32; LANES];

/// The beginnings of one key's key streams.
pub struct KeyStreams {
    key: [u32; 8],
    /// The first nonce whose key stream is there.
    first: Option<u64>,
    /// Of each nonce two blocks, one after the other.
    blocks: [[u32; 16]; LANES],
    /// Where they are computed. It stands here and not on the stack, so that it need be wiped at the end only.
    state: [Words; 16],
}

impl KeyStreams {
    /// Those of this key.
    pub fn new(key: &[u8; 32]) -> Self {
        let (blocks, state) = ([[0; 16]; LANES], [[0; LANES]; 16]);
        Self { key: words(key), first: None, blocks, state }
    }

    /// The first bytes of the key stream of the nonce that is `counter`, most significant byte first. Quick if
    /// it is not much more than the one that was asked for before.
    #[inline]
    pub fn of(&mut self, counter: u64) -> KeyStream {
        let at = self.first.map_or(u64::MAX, |first| counter.wrapping_sub(first));
        let at = if at < NONCES as u64 { at as usize } else { self.begin_with(counter) };
        let words = &self.blocks.as_chunks::<2>().0[at];
        let mut stream: KeyStream = [[0; 32]; 4];
        let (bytes, _) = stream.as_flattened_mut().as_chunks_mut::<4>();
        for (bytes, word) in bytes.iter_mut().zip(words.as_flattened()) {
            *bytes = word.to_le_bytes();
        }
        stream
    }

    /// Computes the key streams of `first` and the nonces that follow it. Says which of them is the first one's.
    #[inline(never)]
    fn begin_with(&mut self, first: u64) -> usize {
        self.first = Some(first);
        let Self { key, blocks, state, .. } = self;
        vectors::run(Compute { key, first, blocks, state });
        0
    }
}

impl Drop for KeyStreams {
    fn drop(&mut self) {
        self.key.zeroize();
        self.blocks.zeroize();
        self.state.zeroize();
    }
}

impl ZeroizeOnDrop for KeyStreams {}

/// The work of [`KeyStreams::begin_with`].
struct Compute<'a> {
    key: &'a [u32; 8],
    first: u64,
    blocks: &'a mut [[u32; 16]; LANES],
    state: &'a mut [Words; 16],
}

impl Vectorised for Compute<'_> {
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // iterators aren't always inlined into code for wider vectors
    fn run(self) {
        let ([c0, c1, c2, c3], [k0, k1, k2, k3, k4, k5, k6, k7]) = (CONSTANTS, *self.key);
        // The words that are the same in all lanes; those of nonce and counter are 0 here.
        let same = [c0, k0, k1, k2, k3, c1, 0, 0, 0, 0, c2, k4, k5, k6, k7, c3];
        // The others. Two lanes have the same nonce, and the blocks 0 and 1.
        let (mut low, mut high, mut block) = ([0; LANES], [0; LANES], [0; LANES]);
        for lane in 0..LANES {
            [low[lane], high[lane]] = nonce_words(self.first.wrapping_add(lane as u64 / 2));
            block[lane] = lane as u32 % 2;
        }
        let state = self.state;
        for word in 0..16 {
            state[word] = [same[word]; LANES];
        }
        (state[6], state[7], state[8]) = (low, high, block);
        for _ in 0..10 {
            quarter_round(state, 0, 4, 8, 12);
            quarter_round(state, 5, 9, 13, 1);
            quarter_round(state, 10, 14, 2, 6);
            quarter_round(state, 15, 3, 7, 11);
            quarter_round(state, 0, 1, 2, 3);
            quarter_round(state, 5, 6, 7, 4);
            quarter_round(state, 10, 11, 8, 9);
            quarter_round(state, 15, 12, 13, 14);
        }
        for lane in 0..LANES {
            state[6][lane] = state[6][lane].wrapping_add(low[lane]);
            state[7][lane] = state[7][lane].wrapping_add(high[lane]);
            state[8][lane] = state[8][lane].wrapping_add(block[lane]);
        }
        for lane in 0..LANES {
            for word in 0..16 {
                self.blocks[lane][word] = state[word][lane].wrapping_add(same[word]);
            }
        }
    }
}

#[inline(always)]
fn nonce_words(counter: u64) -> [u32; 2] {
    let nonce = u64::from_le_bytes(counter.to_be_bytes());
    [nonce as u32, (nonce >> 32) as u32]
}

/// One quarter-round in all lanes.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // lanes of four words
fn quarter_round(state: &mut [Words; 16], a: usize, b: usize, c: usize, d: usize) {
    for lane in 0..LANES {
        let (mut p, mut q, mut r, mut s) = (state[a][lane], state[b][lane], state[c][lane], state[d][lane]);
        q ^= p.wrapping_add(s).rotate_left(7);
        r ^= q.wrapping_add(p).rotate_left(9);
        s ^= r.wrapping_add(q).rotate_left(13);
        p ^= s.wrapping_add(r).rotate_left(18);
        (state[a][lane], state[b][lane], state[c][lane], state[d][lane]) = (p, q, r, s);
    }
}

fn words(key: &[u8; 32]) -> [u32; 8] {
    let (words, _) = key.as_chunks::<4>();
    std::array::from_fn(|i| u32::from_le_bytes(words[i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use salsa20::Salsa20;
    use salsa20::cipher::{KeyIvInit, StreamCipher};

    fn by_the_library(key: &[u8; 32], counter: u64) -> Vec<u8> {
        let mut stream = vec![0; size_of::<KeyStream>()];
        Salsa20::new(key.into(), &counter.to_be_bytes().into()).apply_keystream(&mut stream);
        stream
    }

    /// ECRYPT's test vectors for Salsa20 with keys of 256 bits: set 1 vector 0, set 5 vector 0.
    #[test]
    fn test_vectors() {
        let mut key = [0; 32];
        key[0] = 0x80;
        let expected = [
            0xe3, 0xbe, 0x8f, 0xdd, 0x8b, 0xec, 0xa2, 0xe3, 0xea, 0x8e, 0xf9, 0x47, 0x5b, 0x29, 0xa6, 0xe7,
            0x00, 0x39, 0x51, 0xe1, 0x09, 0x7a, 0x5c, 0x38, 0xd2, 0x3b, 0x7a, 0x5f, 0xad, 0x9f, 0x68, 0x44,
            0xb2, 0x2c, 0x97, 0x55, 0x9e, 0x27, 0x23, 0xc7, 0xcb, 0xbd, 0x3f, 0xe4, 0xfc, 0x8d, 0x9a, 0x07,
            0x44, 0x65, 0x2a, 0x83, 0xe7, 0x2a, 0x9c, 0x46, 0x18, 0x76, 0xaf, 0x4d, 0x7e, 0xf1, 0xa1, 0x17,
        ];
        assert_eq!(KeyStreams::new(&key).of(0)[..2].as_flattened(), expected);
        let expected = [
            0x2a, 0xba, 0x3d, 0xc4, 0x5b, 0x49, 0x47, 0x00, 0x7b, 0x14, 0xc8, 0x51, 0xcd, 0x69, 0x44, 0x56,
            0xb3, 0x03, 0xad, 0x59, 0xa4, 0x65, 0x66, 0x28, 0x03, 0x00, 0x67, 0x05, 0x67, 0x3d, 0x6c, 0x3e,
            0x29, 0xf1, 0xd3, 0x51, 0x0d, 0xfc, 0x04, 0x05, 0x46, 0x3c, 0x03, 0x41, 0x4e, 0x0e, 0x07, 0xe3,
            0x59, 0xf1, 0xf1, 0x81, 0x6c, 0x68, 0xb2, 0x43, 0x4a, 0x19, 0xd3, 0xee, 0xe0, 0x46, 0x48, 0x73,
        ];
        assert_eq!(KeyStreams::new(&[0; 32]).of(1 << 63)[..2].as_flattened(), expected);
    }

    #[test]
    fn key_streams_are_those_of_the_library_in_whatever_order() {
        let key: [u8; 32] = std::array::from_fn(|i| i as u8 * 7 + 1);
        let mut streams = KeyStreams::new(&key);
        let jumps =
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 30, 31, 40, 39, 48, 47, 1 << 32, (1 << 32) + 9, u64::MAX - 3];
        for counter in jumps.into_iter().chain([u64::MAX - 2, u64::MAX, 0, 5]) {
            assert_eq!(streams.of(counter).as_flattened(), by_the_library(&key, counter), "{counter}");
        }
    }

    /// What is compiled for any processor and what for wide vectors is the same.
    #[test]
    fn the_width_of_vectors_makes_no_difference() {
        let (mut narrow, mut wide) = (KeyStreams::new(&[0x5a; 32]), KeyStreams::new(&[0x5a; 32]));
        let KeyStreams { key, blocks, state, .. } = &mut narrow;
        Compute { key, first: 1234, blocks, state }.run();
        wide.of(1234);
        assert_eq!(narrow.blocks, wide.blocks);
    }
}
