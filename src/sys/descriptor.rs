//! Descriptors that the program hands over to the library.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::fork::ForkLock;
use crate::error::{Error, Result};

/// The descriptors in the library's hands now, so that none is taken, and closed, twice.
static ADOPTED: ForkLock<BTreeSet<RawFd>> = ForkLock::new(BTreeSet::new());

/// A socket that the program has handed over (`ZMQ_USE_FD`), wrapped as a `T`. It is closed on drop.
#[derive(Debug)]
pub struct Adopted<T: AsRawFd> {
    /// Empty only while this is being dropped.
    socket: Option<T>,
}

impl<T: AsRawFd + From<OwnedFd>> Adopted<T> {
    /// Takes the descriptor over: from now on the library closes it.
    ///
    /// Errors: `EBADF` or `ENOTSOCK` if it isn't a socket, `EADDRINUSE` if the library has it already. It stays the program's then.
    pub fn new(descriptor: RawFd) -> Result<Self> {
        let mut adopted = ADOPTED.lock();
        if adopted.contains(&descriptor) {
            return Err(Error::AddressInUse);
        }
        let mut socket_type: libc::c_int = 0;
        let mut length = size_of_val(&socket_type) as libc::socklen_t;
        // SAFETY: the pointers are to live locals of the size that is stated.
        let result = unsafe {
            libc::getsockopt(
                descriptor,
                libc::SOL_SOCKET,
                libc::SO_TYPE,
                (&raw mut socket_type).cast(),
                &raw mut length,
            )
        };
        if result != 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        // SAFETY: it is open, as the call above shows, and by ZMQ_USE_FD's contract (man page zmq_setsockopt)
        // the program hands it over; the library itself has it once, as `adopted` shows.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        adopted.insert(descriptor);
        Ok(Self { socket: Some(socket.into()) })
    }
}

impl<T: AsRawFd> Deref for Adopted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.socket {
            Some(socket) => socket,
            None => unreachable!("the socket is taken out on drop only"),
        }
    }
}

impl<T: AsRawFd> Drop for Adopted<T> {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take() {
            // Closed under the lock: as soon as it is closed, its number may mean another descriptor, which
            // somebody may hand over at once.
            let mut adopted = ADOPTED.lock();
            adopted.remove(&socket.as_raw_fd());
            drop(socket);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::IntoRawFd;

    use super::*;

    #[test]
    fn a_socket_is_taken_once_and_closed_in_the_end() {
        let listener = TcpListener::bind("127.0.0.79:0").unwrap();
        let address = listener.local_addr().unwrap();
        let descriptor = listener.into_raw_fd();
        let adopted = Adopted::<TcpListener>::new(descriptor).unwrap();
        assert_eq!(Adopted::<TcpListener>::new(descriptor).unwrap_err(), Error::AddressInUse);
        assert_eq!(adopted.local_addr().unwrap(), address);
        drop(adopted);
        assert!(std::net::TcpStream::connect(address).is_err());
    }

    #[test]
    fn only_sockets_are_taken() {
        assert_eq!(Adopted::<OwnedFd>::new(-1).unwrap_err(), Error::BadDescriptor);
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(Adopted::<OwnedFd>::new(file.as_raw_fd()).unwrap_err(), Error::NotSocket);
    }
}
