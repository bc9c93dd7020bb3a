//! What is said to a SOCKS5 proxy (RFC 1928; user name and password: RFC 1929), before the connection leads on to its target.
//!
//! Bytes in, bytes out. One method is offered, and `CONNECT` is the only request. No more is ever read than the proxy's
//! answers hold, as what follows them is the peer's already.

use std::fmt;
use std::net::IpAddr;

use super::resolve::{leading_integer, parse_numeric};
use crate::error::{Error, Result};

const VERSION: u8 = 5;
/// Of the sub-negotiation of RFC 1929.
const AUTH_VERSION: u8 = 1;
const NO_AUTHENTICATION: u8 = 0;
const USERNAME_PASSWORD: u8 = 2;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const DOMAIN_NAME: u8 = 3;
const IPV6: u8 = 4;
/// The longest answer: a reply with a domain name of 255 bytes.
const MAX_ANSWER: usize = 5 + 255 + 2;
/// The last of the reply codes that RFC 1928 gives a meaning to.
const LAST_REPLY: u8 = 8;

/// Why there is no way through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It doesn't speak SOCKS5: an answer has this where its version belongs.
    Version(u8),
    /// It wants a method that isn't known here; 255: none of those that were offered.
    Method(u8),
    /// It doesn't accept the user name and password, and gives this status.
    Credentials(u8),
    /// It refuses the request, with this reply code (RFC 1928, section 6).
    Request(u8),
    /// Its reply isn't one.
    Malformed,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self {
            Self::Version(version) => return write!(f, "the proxy answers in version {version}"),
            Self::Method(method) => return write!(f, "the proxy wants method {method}"),
            Self::Credentials(status) => {
                return write!(f, "the proxy rejects the user name and password: {status}");
            }
            Self::Malformed => "the proxy's reply is malformed",
            Self::Request(1) => "general failure of the proxy",
            Self::Request(2) => "not allowed by the proxy's rules",
            Self::Request(3) => "network unreachable from the proxy",
            Self::Request(4) => "host unreachable from the proxy",
            Self::Request(5) => "connection refused to the proxy",
            Self::Request(6) => "time to live expired on the proxy's way",
            Self::Request(7) => "the proxy doesn't know the command",
            Self::Request(8) => "the proxy doesn't know the type of address",
            Self::Request(code) => return write!(f, "the proxy refuses with code {code}"),
        };
        f.write_str(reason)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Credentials(_) | Refusal::Request(2) => Self::AccessDenied,
            Refusal::Request(3 | 4) => Self::HostUnreachable,
            Refusal::Request(6) => Self::TimedOut,
            Refusal::Request(_) | Refusal::Method(_) => Self::ConnectionRefused,
            Refusal::Version(_) | Refusal::Malformed => Self::Protocol,
        }
    }
}

/// Which answer comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Method,
    AuthStatus,
    Reply,
    Nothing,
}

/// One conversation with a proxy.
pub struct Exchange {
    /// Encoded beforehand, so that an address that can't be sent fails before anything is.
    request: Vec<u8>,
    credentials: Vec<u8>,
    awaited: Awaited,
    output: Vec<u8>,
    sent: usize,
    answer: [u8; MAX_ANSWER],
    received: usize,
}

impl fmt::Debug for Exchange {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("awaited", &self.awaited).finish_non_exhaustive()
    }
}

impl Exchange {
    /// Asks to be connected to `target`, which is `host:port`: a numeric address goes to the proxy as such, and any other host
    /// by its name, for the proxy to look up. With an empty user name no authentication is offered.
    ///
    /// Errors: `EINVAL` for a target without a host or a port, or if one of the strings is longer than 255 bytes.
    pub fn new(target: &str, username: &[u8], password: &[u8]) -> Result<Self> {
        let (host, port) = target.rsplit_once(':').ok_or(Error::Invalid)?;
        // As `tcp::` reads ports, but there is none to choose here.
        let port = leading_integer(port) as u16;
        if port == 0 {
            return Err(Error::Invalid);
        }
        let mut request = vec![VERSION, CONNECT, 0];
        push_host(&mut request, host)?;
        request.extend(port.to_be_bytes());
        let mut credentials = vec![AUTH_VERSION];
        push_text(&mut credentials, username)?;
        push_text(&mut credentials, password)?;
        let method = if username.is_empty() { NO_AUTHENTICATION } else { USERNAME_PASSWORD };
        Ok(Self {
            request,
            credentials,
            awaited: Awaited::Method,
            output: vec![VERSION, 1, method],
            sent: 0,
            answer: [0; MAX_ANSWER],
            received: 0,
        })
    }

    /// What is to be sent now.
    pub fn output(&self) -> &[u8] {
        self.output.get(self.sent..).unwrap_or_default()
    }

    /// So much of `output` was sent.
    pub fn advance(&mut self, sent: usize) {
        self.sent += sent;
    }

    /// The proxy has connected the target: what comes from now on, comes from there.
    pub fn is_done(&self) -> bool {
        self.awaited == Awaited::Nothing
    }

    /// How many bytes may be read now. None while there is something to send.
    pub fn wanted(&self) -> usize {
        if self.output().is_empty() { self.answer_len().saturating_sub(self.received) } else { 0 }
    }

    /// Takes what was read: at most `wanted` bytes; more is ignored.
    ///
    /// Errors: the proxy's refusal, which ends the exchange.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let len = bytes.len().min(self.wanted());
        self.answer[self.received..self.received + len].copy_from_slice(&bytes[..len]);
        self.received += len;
        self.check()?;
        if len == 0 || self.received < self.answer_len() {
            return Ok(());
        }
        let code = self.answer[1];
        self.received = 0;
        match (self.awaited, code) {
            // A proxy may do without the authentication that it was offered, or ask for one that it wasn't: it finds the user
            // name empty then.
            (Awaited::Method, USERNAME_PASSWORD) => {
                self.say(Awaited::AuthStatus, |exchange| std::mem::take(&mut exchange.credentials));
            }
            (Awaited::Method, NO_AUTHENTICATION) | (Awaited::AuthStatus, 0) => {
                self.say(Awaited::Reply, |exchange| std::mem::take(&mut exchange.request));
            }
            (Awaited::Reply, 0) => self.say(Awaited::Nothing, |_| Vec::new()),
            (Awaited::Method, method) => return Err(Refusal::Method(method)),
            (Awaited::AuthStatus, status) => return Err(Refusal::Credentials(status)),
            (Awaited::Reply | Awaited::Nothing, code) => return Err(Refusal::Request(code)),
        }
        Ok(())
    }

    fn say(&mut self, awaited: Awaited, output: impl FnOnce(&mut Self) -> Vec<u8>) {
        self.output = output(self);
        self.sent = 0;
        self.awaited = awaited;
    }

    /// How long the answer is, as far as that can be told: never more than is sure to come.
    fn answer_len(&self) -> usize {
        match (self.awaited, self.received) {
            (Awaited::Nothing, _) => 0,
            (Awaited::Method | Awaited::AuthStatus, _) => 2,
            // The shortest reply has seven bytes. The fifth is needed only for a name, but all have one.
            (Awaited::Reply, 0..5) => 5,
            (Awaited::Reply, _) => match self.answer[3] {
                IPV4 => 4 + 4 + 2,
                IPV6 => 4 + 16 + 2,
                _ => 5 + usize::from(self.answer[4]) + 2,
            },
        }
    }

    /// Looks at what there is of an answer: nonsense isn't waited out.
    fn check(&self) -> Result<(), Refusal> {
        let answer = &self.answer[..self.received];
        let version = if self.awaited == Awaited::AuthStatus { AUTH_VERSION } else { VERSION };
        match answer.first() {
            Some(&other) if other != version => return Err(Refusal::Version(other)),
            _ => {}
        }
        if self.awaited != Awaited::Reply {
            return Ok(());
        }
        let unless = |at: usize, fits: fn(u8) -> bool, refusal: Refusal| match answer.get(at) {
            Some(&byte) if !fits(byte) => Err(refusal),
            _ => Ok(()),
        };
        unless(1, |code| code <= LAST_REPLY, Refusal::Request(self.answer[1]))?;
        unless(2, |reserved| reserved == 0, Refusal::Malformed)?;
        unless(3, |kind| matches!(kind, IPV4 | DOMAIN_NAME | IPV6), Refusal::Malformed)
    }
}

fn push_host(request: &mut Vec<u8>, host: &str) -> Result<()> {
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    match numeric(host) {
        Some(IpAddr::V4(ip)) => {
            request.push(IPV4);
            request.extend(ip.octets());
        }
        Some(IpAddr::V6(ip)) => {
            request.push(IPV6);
            request.extend(ip.octets());
        }
        None if host.is_empty() => return Err(Error::Invalid),
        None => {
            request.push(DOMAIN_NAME);
            push_text(request, host.as_bytes())?;
        }
    }
    Ok(())
}

/// A host that is no name. The zone of an IPv6 address is of this machine, and means nothing to the proxy.
fn numeric(host: &str) -> Option<IpAddr> {
    parse_numeric(host).or_else(|| {
        let (ip, _zone) = host.split_once('%')?;
        ip.parse().ok().map(IpAddr::V6)
    })
}

/// A string behind its length.
fn push_text(to: &mut Vec<u8>, text: &[u8]) -> Result<()> {
    to.push(u8::try_from(text.len()).map_err(|_| Error::Invalid)?);
    to.extend(text);
    Ok(())
}

#[cfg(test)]
mod tests;
