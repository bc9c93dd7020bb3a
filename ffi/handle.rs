//! What C holds of a socket: a pointer that leads nowhere, but names a cell and its generation.
//!
//! Bits 4 to 7 tell what kind of handle it is, 8 to 29 the cell, 30 to 46 the generation. So it is never null, looks aligned, and fits into the 47 bits
//! that languages which tag pointers leave to a user's address.

use libc::c_void;

use crate::error::{Error, Result};
use crate::runtime::cell::{CELLS, GENERATIONS, SocketRef};

const SOCKET: usize = 0x50;
const KIND_MASK: usize = 0xff;
const INDEX_SHIFT: u32 = 8;
const GENERATION_SHIFT: u32 = 30;

/// The handle of a socket.
pub fn from_socket(socket: SocketRef) -> *mut c_void {
    let bits =
        SOCKET | (socket.index as usize) << INDEX_SHIFT | (socket.generation as usize) << GENERATION_SHIFT;
    std::ptr::without_provenance_mut(bits)
}

/// The socket that a handle names, if it is a socket's at all; whether that lives is for its cell to say.
///
/// # Errors
/// [`Error::NotSocket`]
#[inline]
pub fn socket(handle: *const c_void) -> Result<SocketRef> {
    let bits = handle.addr();
    let generation = bits >> GENERATION_SHIFT;
    if bits & KIND_MASK != SOCKET || generation >= GENERATIONS as usize {
        return Err(Error::NotSocket);
    }
    Ok(SocketRef { index: (bits >> INDEX_SHIFT) as u32 & (CELLS - 1), generation: generation as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_its_socket_and_nothing_else_does() {
        for (index, generation) in [(0, 0), (1, 1), (CELLS - 1, GENERATIONS - 1)] {
            let named = SocketRef { index, generation };
            let handle = from_socket(named);
            assert_eq!(socket(handle), Ok(named));
            assert!(!handle.is_null() && handle.addr() < 1 << 47 && handle.addr().is_multiple_of(16));
        }
        let local = 0_u64;
        assert_eq!(socket(std::ptr::null()), Err(Error::NotSocket));
        assert_eq!(socket(std::ptr::from_ref(&local).cast()), Err(Error::NotSocket));
        assert_eq!(socket(std::ptr::without_provenance(usize::MAX)), Err(Error::NotSocket));
    }
}
