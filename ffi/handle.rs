//! What C holds of a socket: an address at which nothing is kept, but which names a cell and its generation.
//!
//! It is a real address, and what lies there can be read: programs look whether a pointer leads to a socket or to an object of their own by reading
//! the object's tag (czmq does that in every call that takes either). They find zeros. It is aligned as `malloc` aligns.

use libc::c_void;

use crate::error::{Error, Result};
use crate::runtime::cell::SocketRef;

/// The handle of a socket.
pub fn from_socket(socket: SocketRef) -> *mut c_void {
    socket.address().map_or(std::ptr::null_mut(), std::ptr::with_exposed_provenance_mut)
}

/// The socket that a handle names, if it is a socket's at all; whether that lives is for its cell to say.
///
/// # Errors
/// [`Error::NotSocket`]
#[inline(always)]
pub fn socket(handle: *const c_void) -> Result<SocketRef> {
    SocketRef::at(handle.addr()).ok_or(Error::NotSocket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_pointers_name_no_socket() {
        let local = 0_u64;
        assert_eq!(socket(std::ptr::null()), Err(Error::NotSocket));
        assert_eq!(socket(std::ptr::from_ref(&local).cast()), Err(Error::NotSocket));
        assert_eq!(socket(std::ptr::without_provenance(usize::MAX)), Err(Error::NotSocket));
    }
}
