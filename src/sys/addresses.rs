//! Addresses that stand for something else, but may be read through.

use super::last_error;
use crate::error::Result;

/// Address space of `length` bytes, which reads as zeros, takes no memory (reading maps the kernel's page of zeros), and is never given back. Writing
/// to it faults.
///
/// # Errors
/// `ENOMEM`: a limit on address space; `EAGAIN`: one on locked memory, in a program that has said `mlockall (MCL_FUTURE)`.
pub fn readable(length: usize) -> Result<usize> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping, where the kernel likes it, touches nothing that exists.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ, flags, -1, 0) };
    if start == libc::MAP_FAILED { Err(last_error()) } else { Ok(start.expose_provenance()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_reads_as_zeros() {
        const LENGTH: usize = 1 << 20;
        let start = readable(LENGTH).unwrap();
        for offset in (0..LENGTH).step_by(1000) {
            let address = std::ptr::with_exposed_provenance::<u8>(start + offset);
            // SAFETY: within the mapping, which stays.
            assert_eq!(unsafe { address.read() }, 0);
        }
    }

    #[test]
    fn what_cannot_be_had_is_an_error() {
        assert_eq!(readable(1 << 62), Err(crate::error::Error::OutOfMemory));
    }
}
