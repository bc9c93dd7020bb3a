//! Listening sockets.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;

use socket2::Socket;

use super::tls::ServerTls;
use super::{Scheme, Stream, Unopened, WebSocket, ipc, tcp, tipc, vsock, ws};
use crate::error::{Error, Result};
use crate::options::Options;
use crate::sys::descriptor::Adopted;

/// A listening socket of any stream transport, non-blocking.
///
/// What it made in the file system for a wildcard address goes when it is closed or dropped. The file of an ipc path
/// that the program chose stays, as it does upstream; the next bind to that path replaces it.
#[derive(Debug)]
pub struct Listener {
    scheme: Scheme,
    socket: ListeningSocket,
    endpoint: String,
    announced: Option<String>,
    directory: Option<ipc::TemporaryDirectory>,
    /// For `ws://` and `wss://`.
    websocket: Option<Arc<WebSocket>>,
    /// For `wss://`.
    tls: Option<ServerTls>,
}

#[derive(Debug)]
enum ListeningSocket {
    Own(Socket),
    /// Handed over by the program (`ZMQ_USE_FD`).
    Adopted(Adopted<Socket>),
}

/// What [`Listener::accept`] found.
#[derive(Debug)]
pub enum Accepted {
    /// A connection, tuned as the options say.
    Stream(Stream),
    /// A connection that the accept filters don't admit; it is closed already.
    Filtered,
    /// Nothing waits to be accepted.
    WouldBlock,
}

impl Listener {
    /// Listens at an address, or takes over the listening socket of `ZMQ_USE_FD`.
    ///
    /// Errors: those of `zmq_bind`(3): `EINVAL`, `ENODEV`, `EADDRINUSE`, `EADDRNOTAVAIL`, `ENAMETOOLONG`, and whatever
    /// the system says. `EBADF` or `ENOTSOCK` for a descriptor that is no socket, `EADDRINUSE` for one that
    /// another listener has. `EINVAL` if wss has no certificate and key that belong together.
    pub fn bind(scheme: Scheme, address: &str, options: &Options) -> Result<Self, Unopened> {
        let tls = if scheme == Scheme::Wss { Some(ServerTls::new(options)?) } else { None };
        let mut directory = None;
        let mut websocket = None;
        let mut announced = None;
        let socket = match scheme {
            Scheme::Tcp | Scheme::Ipc | Scheme::Ws | Scheme::Wss if options.use_fd != -1 => {
                if scheme == Scheme::Ipc {
                    ipc::parse(address)?;
                }
                if matches!(scheme, Scheme::Ws | Scheme::Wss) {
                    websocket = Some(WebSocket { scheme, host: None, path: String::new() });
                }
                let socket = Adopted::<Socket>::new(options.use_fd)?;
                socket.set_nonblocking(true)?;
                ListeningSocket::Adopted(socket)
            }
            Scheme::Tcp => ListeningSocket::Own(tcp::listen(address, options)?),
            Scheme::Ipc => {
                let (socket, wildcard) = ipc::listen(address, options)?;
                directory = wildcard;
                ListeningSocket::Own(socket)
            }
            Scheme::Ws | Scheme::Wss => {
                let (socket, upgrade) = ws::listen(scheme, address, options)?;
                websocket = Some(upgrade);
                ListeningSocket::Own(socket)
            }
            Scheme::Tipc => {
                let (socket, endpoint) = tipc::listen(address, options)?;
                announced = Some(endpoint);
                ListeningSocket::Own(socket)
            }
            Scheme::Vsock | Scheme::Vmci => {
                let (socket, endpoint) = vsock::listen(scheme, address, options)?;
                announced = Some(endpoint);
                ListeningSocket::Own(socket)
            }
            _ => return Err(Error::ProtocolNotSupported.into()),
        };
        let websocket = websocket.map(Arc::new);
        let mut listener =
            Self { scheme, socket, endpoint: String::new(), announced, directory, websocket, tls };
        if let Ok(name) = listener.socket().local_addr() {
            listener.endpoint = match (&listener.websocket, name.as_socket()) {
                (Some(websocket), Some(address)) => websocket.endpoint(&address),
                _ => super::stream::endpoint_of(scheme, &name),
            };
        }
        Ok(listener)
    }

    /// What a listener's monitor calls it that could not be opened, although its address means something.
    pub fn name_unopened(scheme: Scheme, address: &str) -> String {
        match scheme {
            Scheme::Ipc => format!("ipc://{address}"),
            Scheme::Tipc => match tipc::parse(address) {
                Ok(tipc::Parsed::At(address)) => tipc::endpoint(address),
                _ => String::new(),
            },
            Scheme::Vsock | Scheme::Vmci => {
                vsock::Address::parse(scheme, address).map_or_else(|_| String::new(), |a| a.endpoint(scheme))
            }
            _ => String::new(),
        }
    }

    /// The endpoint as `ZMQ_LAST_ENDPOINT` gives it, with wildcards resolved.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What its monitor calls it: the endpoint, but where the address stands for more than one, tipc and vsock, the address.
    pub fn announced(&self) -> &str {
        self.announced.as_deref().unwrap_or(&self.endpoint)
    }

    /// The name by which it is unbound: the endpoint, or with tipc what was bound.
    pub fn known_as<'a>(&'a self, bound: &'a str) -> &'a str {
        if self.scheme == Scheme::Tipc { bound } else { &self.endpoint }
    }

    /// Accepts one connection.
    ///
    /// Errors: what `accept`(2) says. `EMFILE`, `ENFILE`, `ENOBUFS` and `ENOMEM` leave the connection waiting,
    /// so the descriptor stays readable: back off, or this spins.
    pub fn accept(&self, options: &Options) -> Result<Accepted> {
        let (socket, peer) = match self.socket().accept4(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(Accepted::WouldBlock),
            Err(error) => return Err(error.into()),
        };
        let admitted = match self.scheme {
            Scheme::Ipc => ipc::peer_allowed(&socket, options),
            scheme => !scheme.is_over_tcp() || tcp::peer_allowed(&peer, options),
        };
        if !admitted {
            return Ok(Accepted::Filtered);
        }
        if self.scheme.is_over_tcp() {
            tcp::mark(&socket, options)?;
            tcp::tune(&socket, options)?;
        }
        let stream = Stream::accepted(self.scheme, socket, Some(&peer));
        let stream = match &self.websocket {
            Some(websocket) => stream.with_websocket(websocket.clone()),
            None => stream,
        };
        Ok(Accepted::Stream(match &self.tls {
            Some(tls) => stream.with_tls(tls.accept()?),
            None => stream,
        }))
    }

    /// Closes the socket and removes what it made in the file system.
    ///
    /// Errors: why that failed (`ZMQ_EVENT_CLOSE_FAILED`); the socket is closed all the same.
    pub fn close(self) -> Result<()> {
        let Self { socket, directory, .. } = self;
        drop(socket);
        directory.map_or(Ok(()), ipc::TemporaryDirectory::remove)
    }

    fn socket(&self) -> &Socket {
        match &self.socket {
            ListeningSocket::Own(socket) => socket,
            ListeningSocket::Adopted(socket) => socket,
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.socket().as_raw_fd()
    }
}
