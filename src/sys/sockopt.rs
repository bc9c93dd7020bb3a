//! Socket options that no library in use has a call for.

use super::check;
use crate::error::Result;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `SO_RCVLOWAT`: the socket isn't readable before so many bytes have arrived, or the end.
///
/// # Errors
/// What `setsockopt`(2) says.
pub fn set_receive_low_water(socket: BorrowedFd<'_>, bytes: usize) -> Result<()> {
    let value = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    let size = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the value lives for the call, and its size is stated.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw const value).cast(),
            size,
        )
    };
    check(result).map(drop)
}
