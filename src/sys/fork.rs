//! Noticing a `fork`.
//!
//! A child has a copy of all memory, but none of the other threads, so whatever needs an I/O thread, or a lock that one may
//! have held, can't be used there. Asking for the process id each time would cost a system call, so a counter is
//! changed in the child by `pthread_atfork`(3). (A child of `vfork` or `posix_spawn` isn't counted: it shares its parent's
//! memory and can do nothing but `exec`.)

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// Begins to count. To be called before the first [`generation`] that is remembered.
pub fn watch() {
    static REGISTER: Once = Once::new();
    // SAFETY: the handler does nothing but an atomic operation. It stays registered for ever, and so does the code: the
    // library is linked with `-z nodelete`. A failure (no memory) means that forks go unnoticed.
    REGISTER.call_once(|| unsafe {
        libc::pthread_atfork(None, None, Some(in_child));
    });
}

/// How many forks lie between the process that called [`watch`] first and this one. Something that was made in one generation
/// can't be used in another.
#[inline]
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_of_the_next_generation() {
        watch();
        watch();
        let before = generation();
        // SAFETY: the child calls nothing but async-signal-safe functions.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: ends the child at once.
            unsafe { libc::_exit((generation() == before + 1) as i32) };
        }
        let mut status = 0;
        // SAFETY: the child was just made, and `status` can be written.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1);
        assert_eq!(generation(), before);
    }
}
