//! Connecting.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;

use socket2::{SockAddr, Socket};

use super::socks::Exchange;
use super::tls::ClientTls;
use super::{Scheme, Stream, Tunnel, Unopened, WebSocket, ipc, tcp, tipc, vsock, ws};
use crate::error::{Error, Result};
use crate::options::Options;

/// An address to connect to, as often as need be.
#[derive(Clone, Debug)]
pub struct Connector {
    target: Target,
    endpoint: String,
    /// For `wss://`.
    tls: Option<ClientTls>,
}

#[derive(Clone, Debug)]
enum Target {
    /// Resolved anew for each attempt: names and interfaces change.
    Tcp(String),
    Ipc(SockAddr),
    /// Host and port, likewise, and what is asked for there.
    WebSocket(String, Arc<WebSocket>),
    Tipc(SockAddr),
    /// [`Scheme::Vsock`] or [`Scheme::Vmci`]. Resolved anew for each attempt: a machine may get another id.
    Vsock(Scheme, String),
}

/// An attempt to connect. When its descriptor becomes writable, it has succeeded or failed.
#[derive(Debug)]
pub struct Attempt {
    socket: Socket,
    scheme: Scheme,
    connected: bool,
    websocket: Option<Arc<WebSocket>>,
    /// What is to be said to the proxy, if the connection is to one.
    exchange: Option<Box<Exchange>>,
    tls: Option<ClientTls>,
}

/// What an attempt has come to.
#[derive(Debug)]
pub enum Reached {
    /// The target.
    Target(Stream),
    /// The proxy that is to connect the target.
    Proxy(Box<Tunnel>),
}

impl Connector {
    /// Checks an address. Of tcp's only the characters are looked at, so whether a host exists or a port
    /// is in range shows in [`Connector::start`]. A WebSocket's is looked up.
    ///
    /// Of the options, those of wss count now.
    ///
    /// Errors: `EINVAL`, also for certificates that aren't any, `ENAMETOOLONG`, `EPROTONOSUPPORT` for a transport that isn't one of
    /// streams.
    pub fn new(scheme: Scheme, address: &str, options: &Options) -> Result<Self> {
        let tls = if scheme == Scheme::Wss { Some(ClientTls::new(options)?) } else { None };
        let mut endpoint = format!("{}://{address}", scheme.name());
        let target = match scheme {
            Scheme::Tcp => {
                tcp::check_connect_address(address)?;
                Target::Tcp(address.to_owned())
            }
            Scheme::Ipc => Target::Ipc(ipc::parse(address)?),
            Scheme::Ws | Scheme::Wss => {
                let (name, websocket) = ws::check_connect_address(scheme, address, options.ipv6)?;
                endpoint = name;
                let host_and_port = ws::Address::parse(address)?.host_and_port;
                Target::WebSocket(host_and_port.to_owned(), Arc::new(websocket))
            }
            Scheme::Tipc => {
                let (parsed, name) = tipc::parse_to_connect(address)?;
                endpoint = name;
                Target::Tipc(parsed.into())
            }
            Scheme::Vsock | Scheme::Vmci => {
                endpoint = vsock::Address::parse(scheme, address)?.endpoint(scheme);
                Target::Vsock(scheme, address.to_owned())
            }
            _ => return Err(Error::ProtocolNotSupported),
        };
        Ok(Self { target, endpoint, tls })
    }

    /// The endpoint as `ZMQ_LAST_ENDPOINT` gives it after `zmq_connect`: as it was given, but a WebSocket's always has a path, and numbers are written as they were
    /// understood.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What connections are called while they are made and after: the endpoint, or that of the proxy that leads there.
    pub fn remote_endpoint(&self, options: &Options) -> String {
        if self.has_proxy(options) {
            format!("tcp://{}", String::from_utf8_lossy(&options.socks_proxy))
        } else {
            self.endpoint.clone()
        }
    }

    /// `ZMQ_SOCKS_PROXY` is for tcp.
    fn has_proxy(&self, options: &Options) -> bool {
        matches!(self.target, Target::Tcp(_)) && !options.socks_proxy.is_empty()
    }

    /// Begins to connect: to the target, or with `ZMQ_SOCKS_PROXY` to the proxy. May block to look a name up.
    ///
    /// Errors: `EINVAL` for an unknown host or a bad port, `ENODEV` for an unknown source address, and what
    /// `socket`(2), `bind`(2) and `connect`(2) say. All of them may be over at the next attempt.
    pub fn start(&self, options: &Options) -> Result<Attempt, Unopened> {
        let (mut exchange, mut websocket) = (None, None);
        let (socket, address, scheme) = match &self.target {
            Target::Tcp(target) => {
                let proxied;
                let mut next = target.as_str();
                if self.has_proxy(options) {
                    let hop = tcp::through_proxy(target, &options.socks_proxy)?;
                    let said = Exchange::new(hop.target, &options.socks_username, &options.socks_password)?;
                    exchange = Some(Box::new(said));
                    proxied = hop.proxy;
                    next = &proxied;
                }
                let (socket, address) = tcp::open_to_connect(next, options)?;
                (socket, address.into(), Scheme::Tcp)
            }
            Target::WebSocket(target, upgrade) => {
                websocket = Some(upgrade.clone());
                let (socket, address) = tcp::open_to_connect(target, options)?;
                (socket, address.into(), upgrade.scheme)
            }
            Target::Ipc(address) => (ipc::open()?, address.clone(), Scheme::Ipc),
            Target::Tipc(address) => (tipc::open()?, address.clone(), Scheme::Tipc),
            Target::Vsock(scheme, address) => {
                let address = vsock::Address::parse(*scheme, address)?;
                (vsock::open(*scheme, options)?, address.into(), *scheme)
            }
        };
        let connected = match socket.connect(&address) {
            Ok(()) => true,
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => false,
            Err(error) => return Err(Unopened::closing(&socket, error)),
        };
        Ok(Attempt { socket, scheme, connected, websocket, exchange, tls: self.tls.clone() })
    }

    /// Whether a refusal may be the end of it (`ZMQ_RECONNECT_STOP_CONN_REFUSED`, which isn't for local sockets). That of a proxy may not:
    /// it says nothing of the target.
    pub fn heeds_refusal(&self, options: &Options) -> bool {
        matches!(self.target, Target::Tcp(_) | Target::Vsock(..)) && !self.has_proxy(options)
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
    pub fn finish(self, options: &Options) -> Result<Reached> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error.into());
        }
        if self.scheme.is_over_tcp() {
            tcp::tune(&self.socket, options)?;
        }
        let mut stream = Stream::new(self.scheme, self.socket);
        if let Some(websocket) = self.websocket {
            stream = stream.with_websocket(websocket);
        }
        Ok(match self.exchange {
            Some(exchange) => Reached::Proxy(Box::new(Tunnel::new(stream, *exchange))),
            None => Reached::Target(match &self.tls {
                Some(tls) => stream.with_tls(tls.connect()?),
                None => stream,
            }),
        })
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
