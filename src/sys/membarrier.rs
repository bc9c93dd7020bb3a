//! A memory fence in all threads of the process (`membarrier`(2)).
//!
//! It lets one side of a protocol go without fences: if that side's two accesses are kept in program order by the compiler
//! alone (`compiler_fence`), then a [`heavy`] on the other side works as if each had a full fence between them.

use super::lazy_bool::LazyBool;

const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: takes no pointers.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Whether [`heavy`] works here. The first call registers the process; a later one costs a load.
#[inline]
pub fn is_available() -> bool {
    static REGISTERED: LazyBool = LazyBool::new();
    REGISTERED.get(|| membarrier(REGISTER_PRIVATE_EXPEDITED))
}

/// A full memory fence in every thread of the process that is running, this one included. `false` if the kernel can't do that;
/// then nothing was done.
pub fn heavy() -> bool {
    // If it fails the registration may have been lost (it isn't said what becomes of it in a child process).
    is_available()
        && (membarrier(PRIVATE_EXPEDITED)
            || (membarrier(REGISTER_PRIVATE_EXPEDITED) && membarrier(PRIVATE_EXPEDITED)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering, compiler_fence};

    #[test]
    fn heavy_does_what_is_available_says() {
        assert_eq!(heavy(), is_available());
        assert!(is_available() || !membarrier(PRIVATE_EXPEDITED));
    }

    /// Dekker's store and load: at least one of the two must see the other.
    #[test]
    fn orders_store_and_load_of_the_light_side() {
        if !is_available() {
            return;
        }
        const ROUNDS: usize = 2000;
        let flags: Vec<[AtomicU32; 2]> = (0..ROUNDS).map(|_| Default::default()).collect();
        let turn = AtomicU32::new(0);
        let light = || {
            let mut seen = Vec::with_capacity(ROUNDS);
            for (i, flag) in flags.iter().enumerate() {
                while turn.load(Ordering::Acquire) <= i as u32 {
                    std::hint::spin_loop();
                }
                flag[0].store(1, Ordering::Relaxed);
                compiler_fence(Ordering::SeqCst);
                seen.push(flag[1].load(Ordering::Relaxed));
            }
            seen
        };
        std::thread::scope(|scope| {
            let light = scope.spawn(light);
            let mut seen = Vec::with_capacity(ROUNDS);
            for (i, flag) in flags.iter().enumerate() {
                turn.store(i as u32 + 1, Ordering::Release);
                flag[1].store(1, Ordering::Relaxed);
                assert!(heavy());
                seen.push(flag[0].load(Ordering::Relaxed));
            }
            let other = light.join().unwrap();
            assert!(seen.iter().zip(&other).all(|(a, b)| a + b > 0));
        });
    }
}
