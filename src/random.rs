//! Unpredictable bytes (`getrandom`(2)).

use crate::error::{Error, Result};

/// Fills the buffer. It blocks only while the system starts up.
///
/// # Errors
/// What the system says; `ENOSYS` if it has none.
pub fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| Error::from_errno(error.raw_os_error().unwrap_or(libc::ENOSYS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_differ() {
        let (mut a, mut b) = ([0; 32], [0; 32]);
        fill(&mut a).unwrap();
        fill(&mut b).unwrap();
        assert_ne!(a, b);
    }
}
