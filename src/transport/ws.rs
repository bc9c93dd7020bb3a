//! `ws://` and `wss://`: addresses of WebSockets. Below them is tcp.
//!
//! An address is `host:port/path`. The path is what follows the last slash, with the slash, and may be missing; what stands between the
//! port and that slash is ignored. The rules for host and port are tcp's, but no names are looked up for a bind, no interfaces for a
//! connect, and there is no address to connect from.

use socket2::Socket;

use super::resolve::{Rules, resolve};
use super::stream::ip_endpoint;
use super::{Scheme, Unopened, tcp};
use crate::error::{Error, Result};
use crate::options::Options;
use std::net::SocketAddr;

/// What a stream has to know to be a WebSocket's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocket {
    /// [`Scheme::Ws`] or [`Scheme::Wss`].
    pub scheme: Scheme,
    /// The host to ask for; `None` on the side that was asked.
    pub host: Option<String>,
    /// With a slash in front; empty for a listening socket that the program has made (`ZMQ_USE_FD`).
    pub path: String,
}

impl WebSocket {
    /// What an end of a connection is called. The path is the listener's.
    pub(super) fn endpoint(&self, address: &SocketAddr) -> String {
        let path = if self.host.is_none() { self.path.as_str() } else { "" };
        format!("{}{path}", ip_endpoint(self.scheme, address))
    }
}

/// An address, in its parts.
pub(super) struct Address<'a> {
    /// As tcp has it.
    pub host_and_port: &'a str,
    pub path: &'a str,
}

impl<'a> Address<'a> {
    /// Splits an address.
    ///
    /// Errors: `EINVAL` for control characters, which would go into the request as they are.
    pub(super) fn parse(address: &'a str) -> Result<Self> {
        if address.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(Error::Invalid);
        }
        // Of the path first: it may have colons.
        let (host_and_port, path) = address.split_at(address.rfind('/').unwrap_or(address.len()));
        Ok(Self { host_and_port, path: if path.is_empty() { "/" } else { path } })
    }
}

/// What an address to connect to means: the name that the endpoint goes by, and what is asked for there.
///
/// Errors: `EINVAL`, also for a host that isn't known now.
pub(super) fn check_connect_address(
    scheme: Scheme,
    address: &str,
    ipv6: bool,
) -> Result<(String, WebSocket)> {
    let Address { host_and_port, path } = Address::parse(address)?;
    let rules = Rules { bindable: false, interfaces: false, names: true, ipv6 };
    let port = resolve(host_and_port, rules)?.port();
    let host = host_and_port.rsplit_once(':').map_or(host_and_port, |(host, _)| host);
    let websocket = WebSocket { scheme, host: Some(host.to_owned()), path: path.to_owned() };
    Ok((format!("{}://{host}:{port}{path}", scheme.name()), websocket))
}

/// Opens a listening socket.
pub(super) fn listen(
    scheme: Scheme,
    address: &str,
    options: &Options,
) -> Result<(Socket, WebSocket), Unopened> {
    let Address { host_and_port, path } = Address::parse(address)?;
    resolve(host_and_port, Rules { bindable: true, interfaces: true, names: false, ipv6: options.ipv6 })?;
    let socket = tcp::listen(host_and_port, options)?;
    Ok((socket, WebSocket { scheme, host: None, path: path.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{ContextOptions, SocketType};

    /// Measured on the reference; the third, where it is wrong, is master's.
    #[test]
    fn addresses_to_connect_to() {
        for (address, endpoint, host, path) in [
            ("127.0.0.1:5999", "ws://127.0.0.1:5999/", "127.0.0.1", "/"),
            ("127.0.0.1:5999/a/b", "ws://127.0.0.1:5999/b", "127.0.0.1", "/b"),
            ("127.0.0.1:5999/a:b", "ws://127.0.0.1:5999/a:b", "127.0.0.1", "/a:b"),
            ("127.0.0.1:5999/a?b=c d", "ws://127.0.0.1:5999/a?b=c d", "127.0.0.1", "/a?b=c d"),
            ("127.0.0.1:70000", "ws://127.0.0.1:4464/", "127.0.0.1", "/"),
            ("127.0.0.1:5999x", "ws://127.0.0.1:5999/", "127.0.0.1", "/"),
            ("127.0.0.1:5999?q", "ws://127.0.0.1:5999/", "127.0.0.1", "/"),
            ("127.0.0.1:0", "ws://127.0.0.1:0/", "127.0.0.1", "/"),
            ("127.1:5999/", "ws://127.1:5999/", "127.1", "/"),
            ("localhost:5999", "ws://localhost:5999/", "localhost", "/"),
        ] {
            let websocket =
                WebSocket { scheme: Scheme::Ws, host: Some(host.to_owned()), path: path.to_owned() };
            assert_eq!(
                check_connect_address(Scheme::Ws, address, false),
                Ok((endpoint.to_owned(), websocket)),
                "{address}"
            );
        }
        let (endpoint, websocket) = check_connect_address(Scheme::Wss, "[::1]:80/x", true).unwrap();
        assert_eq!((endpoint.as_str(), websocket.host.as_deref()), ("wss://[::1]:80/x", Some("[::1]")));
        for address in [
            "lo:5999",
            "*:5999",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:*",
            "127.0.0.1:x",
            "127.0.0.1;127.0.0.1:5999",
            "[::1]:5999",
            "127.0.0.1/a:80",
            " 127.0.0.1:5999",
            "/a",
            "127.0.0.1:80/\r\nHost: other",
        ] {
            assert_eq!(check_connect_address(Scheme::Ws, address, false), Err(Error::Invalid), "{address}");
        }
    }

    #[test]
    fn addresses_to_bind() {
        let options = Options::new(SocketType::Pair, &ContextOptions::default());
        let path = |address| listen(Scheme::Ws, address, &options).map(|(_, websocket)| websocket.path);
        assert_eq!(path("*:*"), Ok("/".to_owned()));
        assert_eq!(path("lo:*/"), Ok("/".to_owned()));
        assert_eq!(path("127.0.0.1:0/a"), Ok("/a".to_owned()));
        assert_eq!(path("127.0.0.1:0/b:c"), Ok("/b:c".to_owned()));
        for (address, error) in [
            ("localhost:*", Error::NoDevice),
            ("nosuch:80", Error::NoDevice),
            ("[::1]:*", Error::NoDevice),
            ("*:*/a/b", Error::Invalid),
            ("127.0.0.1:0/a/b", Error::Invalid),
            ("127.0.0.1", Error::Invalid),
            ("127.0.0.1:x", Error::Invalid),
            ("127.0.0.1/a:80", Error::Invalid),
            ("/a", Error::Invalid),
        ] {
            assert_eq!(path(address).map_err(|unopened| unopened.error), Err(error), "{address}");
        }
    }
}
