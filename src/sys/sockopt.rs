//! Socket options that no library in use has a call for.

use super::check;
use crate::error::Result;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

/// `SO_RCVLOWAT`: the socket isn't readable before so many bytes have arrived, or the end.
///
/// # Errors
/// What `setsockopt`(2) says.
pub fn set_receive_low_water(socket: BorrowedFd<'_>, bytes: usize) -> Result<()> {
    let value = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    set(socket, libc::SOL_SOCKET, libc::SO_RCVLOWAT, &value)
}

/// What an `AF_VSOCK` socket's buffers have: `linux/vm_sockets.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VmBuffer {
    /// `SO_VM_SOCKETS_BUFFER_SIZE`
    Size = 0,
    /// `SO_VM_SOCKETS_BUFFER_MIN_SIZE`
    Least = 1,
    /// `SO_VM_SOCKETS_BUFFER_MAX_SIZE`
    Most = 2,
}

/// `SO_VM_SOCKETS_CONNECT_TIMEOUT`, with the time as the machine's `timeval`.
const CONNECT_TIMEOUT: libc::c_int = 6;

/// Sets the size of an `AF_VSOCK` socket's buffers, or a limit of it. The kernel cuts the size to its limits.
///
/// # Errors
/// What `setsockopt`(2) says.
pub fn set_vm_buffer(socket: &impl AsFd, what: VmBuffer, bytes: u64) -> Result<()> {
    set(socket.as_fd(), libc::AF_VSOCK, what as libc::c_int, &bytes)
}

/// How long an `AF_VSOCK` socket may take to connect.
///
/// # Errors
/// `ERANGE` for a time that is too long, and what else `setsockopt`(2) says.
pub fn set_vm_connect_timeout(socket: &impl AsFd, time: Duration) -> Result<()> {
    let seconds = libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX);
    let value = libc::timeval { tv_sec: seconds, tv_usec: time.subsec_micros().into() };
    set(socket.as_fd(), libc::AF_VSOCK, CONNECT_TIMEOUT, &value)
}

fn set<T>(socket: BorrowedFd<'_>, level: libc::c_int, option: libc::c_int, value: &T) -> Result<()> {
    let size = size_of::<T>() as libc::socklen_t;
    // SAFETY: the value lives for the call, and its size is stated.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, std::ptr::from_ref(value).cast(), size)
    };
    check(result).map(drop)
}
