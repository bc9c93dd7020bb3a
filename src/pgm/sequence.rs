//! Sequence numbers, which go round (RFC 3208, section 5.1.2).

/// The number of a packet. It is followed by 0 after `u32::MAX`, so one is before or after another only if they are less than half
/// of the circle apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sequence(pub u32);

impl Sequence {
    /// The one so many later.
    pub const fn plus(self, count: u32) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// The one so many earlier.
    pub const fn minus(self, count: u32) -> Self {
        Self(self.0.wrapping_sub(count))
    }

    /// How much later than `other` it is; negative if it is earlier.
    pub const fn since(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    /// Whether it is earlier than `other`.
    pub const fn is_before(self, other: Self) -> bool {
        self.since(other) < 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_circle_is_cut_opposite_of_each_number() {
        let last = Sequence(u32::MAX);
        assert_eq!(last.plus(1), Sequence(0));
        assert_eq!(Sequence(0).minus(1), last);
        assert_eq!(Sequence(3).since(last), 4);
        assert_eq!(last.since(Sequence(3)), -4);
        assert!(last.is_before(Sequence(0)));
        assert!(Sequence(5).is_before(Sequence(0x8000_0000)));
        assert!(Sequence(0x8000_0006).is_before(Sequence(5)));
    }
}
