//! Many references to one body, counted at once: what a fan-out hands its subscribers.

use super::storage::Message;
use std::mem::ManuallyDrop;

/// Copies of a message that were counted beforehand. Those that aren't taken are given back on drop.
pub struct Shares<'a> {
    original: &'a mut Message,
    /// References that were counted and not handed out; 0 if each copy counts for itself.
    counted: usize,
}

impl Message {
    /// Counts `count` references at once. One atomic operation instead of `count`, which tells while other threads are
    /// giving back what they got first.
    pub fn shares(&mut self, count: usize) -> Shares<'_> {
        let counted = if self.count_shares(count) { count } else { 0 };
        Shares { original: self, counted }
    }
}

impl Shares<'_> {
    /// A message that shares the original's body, as [`Message::share`] makes it.
    #[inline]
    pub fn take(&mut self) -> Message {
        if self.counted == 0 {
            return self.original.share();
        }
        self.counted -= 1;
        // SAFETY: one of the references that were counted is handed out with the copy, and nothing else is owned.
        unsafe { std::ptr::read(self.original) }
    }
}

impl Drop for Shares<'_> {
    fn drop(&mut self) {
        while self.counted > 0 {
            // Its drop gives the reference back.
            drop(self.take());
        }
    }
}

impl Shares<'_> {
    /// Gives a copy that wasn't used back, without touching the count.
    pub fn put_back(&mut self, copy: Message) {
        if self.counted == 0 {
            return drop(copy);
        }
        self.counted += 1;
        let _ = ManuallyDrop::new(copy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_is_given_back() {
        for size in [10, 100, 100_000] {
            let mut message = Message::with_size(size).unwrap();
            message.data_mut().fill(7);
            let mut kept = Vec::new();
            {
                let mut shares = message.shares(5);
                kept.push(shares.take());
                kept.push(shares.take());
                let unused = shares.take();
                shares.put_back(unused);
            }
            drop(message);
            for copy in &kept {
                assert_eq!(copy.len(), size);
                assert!(copy.data().iter().all(|&byte| byte == 7));
            }
            let mut last = kept.pop().unwrap();
            drop(kept);
            // The only one left has the body for itself: writing doesn't copy it.
            let before = last.data().as_ptr();
            let after = last.data_mut().as_ptr();
            assert!(size <= 33 || before == after);
        }
    }
}
