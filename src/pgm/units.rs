//! Units of data (APDUs) that are longer than a packet (RFC 3208, section 9.5). libzmq sends none, others may.

use super::Sequence;
use super::packet::Fragment;
use super::receive_window::Stored;

/// The longest unit, in bytes; OpenPGM's limit.
const MAX: u32 = 0xffff;

/// Puts units together again, from packets that come in order.
#[derive(Default)]
pub struct Units {
    partial: Option<Partial>,
}

struct Partial {
    first: Sequence,
    total: u32,
    bytes: Vec<u8>,
}

impl Units {
    /// A unit, once it is complete. Parts that don't fit together are dropped; `Err` then, since data are missing.
    pub fn add(&mut self, stored: Stored) -> Result<Option<Box<[u8]>>, ()> {
        let Some(Fragment { first, offset, total }) = stored.fragment else {
            return if self.partial.take().is_some() { Err(()) } else { Ok(Some(stored.payload)) };
        };
        if offset == 0 {
            let interrupted = self.partial.take().is_some();
            if interrupted || total > MAX {
                return Err(());
            }
            self.partial = Some(Partial { first, total, bytes: Vec::with_capacity(total as usize) });
        }
        let fits = |partial: &Partial| {
            (partial.first, partial.total, partial.bytes.len()) == (first, total, offset as usize)
        };
        let Some(mut partial) = self.partial.take().filter(fits) else { return Err(()) };
        partial.bytes.extend_from_slice(&stored.payload);
        if partial.bytes.len() == total as usize {
            return Ok(Some(partial.bytes.into()));
        }
        self.partial = Some(partial);
        Ok(None)
    }

    /// Forgets what isn't complete.
    pub fn clear(&mut self) {
        self.partial = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(sequence: u32, first: u32, offset: u32, total: u32, payload: &[u8]) -> Stored {
        let fragment = (total > 0).then_some(Fragment { first: Sequence(first), offset, total });
        Stored { sequence: Sequence(sequence), payload: payload.into(), fragment }
    }

    #[test]
    fn parts_become_a_unit() {
        let mut units = Units::default();
        assert_eq!(units.add(part(1, 1, 0, 0, b"alone")), Ok(Some(b"alone"[..].into())));
        assert_eq!(units.add(part(2, 2, 0, 5, b"ab")), Ok(None));
        assert_eq!(units.add(part(3, 2, 2, 5, b"cd")), Ok(None));
        assert_eq!(units.add(part(4, 2, 4, 5, b"e")), Ok(Some(b"abcde"[..].into())));
    }

    #[test]
    fn what_does_not_fit_is_a_loss() {
        let mut units = Units::default();
        assert!(units.add(part(3, 2, 2, 5, b"cd")).is_err(), "no beginning");
        assert_eq!(units.add(part(4, 4, 0, 5, b"ab")), Ok(None));
        assert!(units.add(part(5, 4, 3, 5, b"de")).is_err(), "a hole");
        assert_eq!(units.add(part(6, 6, 0, 5, b"ab")), Ok(None));
        assert!(units.add(part(7, 7, 0, 0, b"alone")).is_err(), "an end that didn't come");
        assert_eq!(units.add(part(8, 8, 0, 0, b"alone")), Ok(Some(b"alone"[..].into())));
        assert!(units.add(part(9, 9, 0, MAX + 1, b"ab")).is_err(), "too long");
    }
}
