//! Connecting.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use socket2::{SockAddr, Socket};

use super::{Scheme, Stream, Unopened, ipc, tcp};
use crate::error::{Error, Result};
use crate::options::Options;

/// An address to connect to, as often as need be.
#[derive(Clone, Debug)]
pub struct Connector {
    target: Target,
    endpoint: String,
}

#[derive(Clone, Debug)]
enum Target {
    /// Resolved anew for each attempt: names and interfaces change.
    Tcp(String),
    Ipc(SockAddr),
}

/// An attempt to connect. When its descriptor becomes writable, it has succeeded or failed.
#[derive(Debug)]
pub struct Attempt {
    socket: Socket,
    tcp: bool,
    connected: bool,
}

impl Connector {
    /// Checks an address. Of tcp's only the characters are looked at, so whether a host exists or a port
    /// is in range shows in [`Connector::start`].
    ///
    /// Errors: `EINVAL`, `ENAMETOOLONG`, `EPROTONOSUPPORT` for a transport that isn't one of streams.
    pub fn new(scheme: Scheme, address: &str) -> Result<Self> {
        let target = match scheme {
            Scheme::Tcp => {
                tcp::check_connect_address(address)?;
                Target::Tcp(address.to_owned())
            }
            Scheme::Ipc => Target::Ipc(ipc::parse(address)?),
            _ => return Err(Error::ProtocolNotSupported),
        };
        Ok(Self { target, endpoint: format!("{}://{address}", scheme.name()) })
    }

    /// The endpoint as `ZMQ_LAST_ENDPOINT` gives it after `zmq_connect`: as it was given.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Begins to connect. May block to look a name up.
    ///
    /// Errors: `EINVAL` for an unknown host or a bad port, `ENODEV` for an unknown source address, and what
    /// `socket`(2), `bind`(2) and `connect`(2) say. All of them may be over at the next attempt.
    pub fn start(&self, options: &Options) -> Result<Attempt, Unopened> {
        let (socket, address, tcp) = match &self.target {
            Target::Tcp(address) => {
                let (socket, address) = tcp::open_to_connect(address, options)?;
                (socket, address.into(), true)
            }
            Target::Ipc(address) => (ipc::open()?, address.clone(), false),
        };
        let connected = match socket.connect(&address) {
            Ok(()) => true,
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => false,
            Err(error) => return Err(Unopened::closing(&socket, error)),
        };
        Ok(Attempt { socket, tcp, connected })
    }

    /// Whether a refusal may be the end of it (`ZMQ_RECONNECT_STOP_CONN_REFUSED`, which is for tcp).
    pub fn heeds_refusal(&self) -> bool {
        matches!(self.target, Target::Tcp(_))
    }
}

impl Attempt {
    /// Whether the connection stands already, so that there is nothing to wait for before [`Attempt::finish`].
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Ends an attempt whose descriptor became writable.
    ///
    /// Errors: why the connection failed, `ECONNREFUSED` for example.
    pub fn finish(self, options: &Options) -> Result<Stream> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error.into());
        }
        if self.tcp {
            tcp::tune(&self.socket, options)?;
        }
        Ok(Stream::new(self.socket))
    }
}

impl AsFd for Attempt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Attempt {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
