//! A yes or no that is found out when it is first asked for.

use std::sync::atomic::{AtomicU8, Ordering};

const UNKNOWN: u8 = 2;

/// Several threads that ask at first may each find it out, for themselves: none waits for another, which a child of `fork` might not have
/// (see [`super::fork::ForkLock`]).
pub struct LazyBool(AtomicU8);

impl LazyBool {
    /// Not known yet.
    pub const fn new() -> Self {
        Self(AtomicU8::new(UNKNOWN))
    }

    /// The answer, which is `find`'s. It has to be the same each time.
    #[inline]
    pub fn get(&self, find: impl FnOnce() -> bool) -> bool {
        match self.0.load(Ordering::Acquire) {
            UNKNOWN => {
                let found = find();
                self.0.store(found.into(), Ordering::Release);
                found
            }
            known => known == 1,
        }
    }
}

impl Default for LazyBool {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_out_once() {
        for answer in [false, true] {
            let lazy = LazyBool::default();
            assert_eq!(lazy.get(|| answer), answer);
            assert_eq!(lazy.get(|| !answer), answer);
        }
    }
}
