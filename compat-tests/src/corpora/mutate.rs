//! Recorded traffic with something wrong in it. The same seed gives the same bytes on every machine.

/// A generator of numbers that need not be good, only the same everywhere (xorshift64*).
pub struct Random(u64);

impl Random {
    /// One stream of numbers for each name.
    pub fn named(name: &str) -> Self {
        // FNV-1a, so that the seed depends on nothing but the name.
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(seed | 1)
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`, which is at least 1.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % limit
    }

    /// One of these.
    pub fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Values at which a length, a flag or a version changes its meaning.
const EDGES: [u8; 12] = [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff];

/// Inputs are kept to this length: what a longer one would show, a short one shows as well.
const LONGEST: usize = 2048;

/// One to three things made wrong in `input`. `others` are inputs of the same program, to graft parts of them in.
pub fn mutate(input: &[u8], others: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(3) {
        change(&mut bytes, others, random);
    }
    if bytes.is_empty() {
        // Upstream's programs pass over empty files.
        bytes.push(*random.one_of(&EDGES));
    }
    bytes.truncate(LONGEST);
    bytes
}

/// One change.
fn change(bytes: &mut Vec<u8>, others: &[&[u8]], random: &mut Random) {
    if bytes.is_empty() {
        return bytes.push(random.next() as u8);
    }
    let at = random.below(bytes.len());
    let end = (at + 1 + random.below(24)).min(bytes.len());
    match random.below(10) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 | 2 => bytes[at] = *random.one_of(&EDGES),
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(at..end)),
        5 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(end..end, again);
        }
        6 => bytes[at..end].reverse(),
        7 => {
            // A length of eight bytes, as long frames have it: huge, negative, or just too much.
            let length = *random.one_of(&[u64::MAX, 1 << 63, i64::MAX as u64, 1 << 32, 65 << 20, 0]);
            let end = (at + 8).min(bytes.len());
            bytes.splice(at..end, length.to_be_bytes());
        }
        8 => {
            let noise: Vec<u8> = (0..=random.below(16)).map(|_| random.next() as u8).collect();
            bytes.splice(at..at, noise);
        }
        _ => {
            let other = *random.one_of(others);
            let from = random.below(other.len().max(1)).min(other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_gives_the_same_bytes() {
        let make = |name| {
            let mut random = Random::named(name);
            (0..50).map(|_| mutate(b"valid traffic", &[b"other"], &mut random)).collect::<Vec<_>>()
        };
        assert_eq!(make("a"), make("a"));
        assert_ne!(make("a"), make("b"));
    }

    #[test]
    fn no_input_is_empty_or_too_long() {
        let mut random = Random::named("lengths");
        for input in [&b"x"[..], &[7; LONGEST]] {
            for _ in 0..2_000 {
                let mutated = mutate(input, &[b"", b"other"], &mut random);
                assert!(!mutated.is_empty() && mutated.len() <= LONGEST);
            }
        }
    }
}
