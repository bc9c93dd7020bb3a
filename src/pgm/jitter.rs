//! Random times, so that receivers don't all ask at once.

/// Numbers that nobody has to be unable to guess (xorshift64*).
#[derive(Clone, Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// Different seeds give different numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number in `1..=limit`.
    pub fn up_to(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % limit.max(1) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_the_range_comes() {
        let mut jitter = Jitter::new(0);
        let mut seen = [false; 8];
        for _ in 0..500 {
            seen[jitter.up_to(8) as usize - 1] = true;
        }
        assert_eq!(seen, [true; 8]);
        assert_eq!(jitter.up_to(0), 1);
    }
}
