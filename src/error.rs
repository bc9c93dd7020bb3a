//! What can go wrong, one variant per errno.
//!
//! The engine returns [`Error`]; only `ffi/boundary.rs` turns it into a value of C's `errno`.

use libc::c_int;

/// The number that upstream's own errno values are counted from (`ZMQ_HAUSNUMERO` in `zmq.h`).
pub const HAUSNUMERO: c_int = 156_384_712;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $errno:expr;)*) => {
        /// A failure, as `errno`(3) or `zmq.h` names it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Error {
            $($(#[$doc])* $name,)*
            /// Any other error of the operating system, by its number.
            Os(c_int),
        }

        impl Error {
            /// The value for C's `errno`.
            pub const fn errno(self) -> c_int {
                match self { $(Self::$name => $errno,)* Self::Os(number) => number }
            }

            /// The variant for an `errno` value.
            pub const fn from_errno(number: c_int) -> Self {
                $(if number == $errno { return Self::$name; })*
                Self::Os(number)
            }
        }
    };
}

errors! {
    /// EPERM
    NotPermitted = libc::EPERM;
    /// ENOENT: no such endpoint
    NotFound = libc::ENOENT;
    /// EINTR: a signal arrived while waiting
    Interrupted = libc::EINTR;
    /// EBADF
    BadDescriptor = libc::EBADF;
    /// EAGAIN: not now; for a blocking call, the time-out passed
    Again = libc::EAGAIN;
    /// ENOMEM
    OutOfMemory = libc::ENOMEM;
    /// EACCES
    AccessDenied = libc::EACCES;
    /// EFAULT: a bad pointer or handle
    Fault = libc::EFAULT;
    /// EEXIST
    Exists = libc::EEXIST;
    /// ENODEV: no such interface or host
    NoDevice = libc::ENODEV;
    /// EINVAL
    Invalid = libc::EINVAL;
    /// EMFILE: the process has too many descriptors, or the context too many sockets
    TooManyFiles = libc::EMFILE;
    /// ENAMETOOLONG
    NameTooLong = libc::ENAMETOOLONG;
    /// EPROTO
    Protocol = libc::EPROTO;
    /// ENOTSOCK: not a socket, or no longer one
    NotSocket = libc::ENOTSOCK;
    /// EMSGSIZE
    MessageSize = libc::EMSGSIZE;
    /// EPROTONOSUPPORT: a transport that this library doesn't know
    ProtocolNotSupported = libc::EPROTONOSUPPORT;
    /// ENOTSUP: not for this socket type, or not built in
    NotSupported = libc::ENOTSUP;
    /// EADDRINUSE
    AddressInUse = libc::EADDRINUSE;
    /// EADDRNOTAVAIL
    AddressNotAvailable = libc::EADDRNOTAVAIL;
    /// ECONNABORTED
    ConnectionAborted = libc::ECONNABORTED;
    /// ECONNRESET
    ConnectionReset = libc::ECONNRESET;
    /// ENOBUFS
    NoBuffers = libc::ENOBUFS;
    /// ETIMEDOUT
    TimedOut = libc::ETIMEDOUT;
    /// ECONNREFUSED
    ConnectionRefused = libc::ECONNREFUSED;
    /// EHOSTUNREACH: no peer with that routing id
    HostUnreachable = libc::EHOSTUNREACH;
    /// EPIPE
    BrokenPipe = libc::EPIPE;
    /// EDEADLK: the socket is already inside a call of this very thread
    Deadlock = libc::EDEADLK;
    /// EFSM: not in this state
    State = HAUSNUMERO + 51;
    /// ENOCOMPATPROTO: the transport doesn't go with the socket type
    IncompatibleProtocol = HAUSNUMERO + 52;
    /// ETERM: the context was terminated
    Terminated = HAUSNUMERO + 53;
    /// EMTHREAD: no I/O thread is there to do it
    NoIoThread = HAUSNUMERO + 54;
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::from_errno(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?} (errno {})", self.errno())
    }
}

impl std::error::Error for Error {}

/// The engine's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_their_variant() {
        for error in [Error::Again, Error::State, Error::Terminated, Error::NoIoThread] {
            assert_eq!(Error::from_errno(error.errno()), error);
        }
        assert_eq!(Error::from_errno(libc::EXDEV), Error::Os(libc::EXDEV));
    }
}
