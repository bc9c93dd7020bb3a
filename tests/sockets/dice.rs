//! Numbers that look like chance, and are the same in each run. The unit tests have them from here too.
#![allow(dead_code)] // nobody needs all of it

/// A small generator (xorshift). The seed mustn't be 0.
pub struct Dice(pub u64);

impl Dice {
    /// Below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    /// True one time in so many.
    pub fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }
}
