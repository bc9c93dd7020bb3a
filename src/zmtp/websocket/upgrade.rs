//! The upgrade from HTTP: what comes before the first frame.

use super::http::{self, MAX_HEAD, REFUSED};
use super::{Config, Side};
use crate::zmtp::ProtocolError;

/// The subprotocol that both sides have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `ZWS2.0`: no mechanism.
    Plain,
    /// `ZWS2.0/` and the mechanism's name.
    Mechanism,
}

/// An upgrade under way.
#[derive(Debug)]
pub struct Upgrade {
    /// The key that was sent, on the client's side.
    key: Option<String>,
    mechanism: &'static str,
    /// Whether a peer may do without a mechanism.
    allows_plain: bool,
    received: Vec<u8>,
}

impl Upgrade {
    /// Begins. A client's request goes to `out`.
    pub fn new(config: &Config, mechanism: &'static str, allows_plain: bool, out: &mut Vec<u8>) -> Self {
        let key = match &config.side {
            Side::Client { host, path } => {
                let key = http::new_key(config.random);
                http::write_request(host, path, &key, mechanism, out);
                Some(key)
            }
            Side::Server => None,
        };
        Self { key, mechanism, allows_plain, received: Vec::new() }
    }

    /// Takes what has arrived. A server's response goes to `out`. How many bytes were used, and what was agreed on once it is done:
    /// then the rest is frames.
    ///
    /// # Errors
    /// The peer asks for, or grants, something else; or what it says is too long, or no HTTP.
    pub fn input(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<Protocol>), ProtocolError> {
        let before = self.received.len();
        let taken = &bytes[..bytes.len().min(MAX_HEAD - before)];
        self.received.extend_from_slice(taken);
        let Some(end) = self.find_end(before)? else {
            if self.received.len() == MAX_HEAD {
                return Err(REFUSED);
            }
            // It is looked at line by line: at each byte would be too often, and at the end too late to notice nonsense.
            if before == 0 || taken.contains(&b'\n') {
                self.read(self.received.len(), out)?;
            }
            return Ok((bytes.len(), None));
        };
        let protocol = self.read(end, out)?.ok_or(REFUSED)?;
        self.received = Vec::new();
        Ok((end - before, Some(protocol)))
    }

    /// Where the empty line ends. Lines end with both CR and LF.
    fn find_end(&self, from: usize) -> Result<Option<usize>, ProtocolError> {
        let received = &self.received;
        for at in from..received.len() {
            if received[at] != b'\n' {
                continue;
            }
            let line = &received[..at];
            if !line.ends_with(b"\r") {
                return Err(REFUSED);
            }
            if line.ends_with(b"\r\n\r") {
                return Ok(Some(at + 1));
            }
        }
        Ok(None)
    }

    fn read(&self, end: usize, out: &mut Vec<u8>) -> Result<Option<Protocol>, ProtocolError> {
        let head = &self.received[..end];
        let protocol = match &self.key {
            Some(key) => http::read_response(head, key, self.mechanism)?,
            None => match http::read_request(head, self.mechanism)? {
                Some(asked) if asked.protocol == Protocol::Plain && !self.allows_plain => {
                    return Err(REFUSED);
                }
                Some(asked) => {
                    http::write_response(&asked.key, asked.protocol, self.mechanism, out);
                    Some(asked.protocol)
                }
                None => None,
            },
        };
        match protocol {
            Some(Protocol::Plain) if !self.allows_plain => Err(REFUSED),
            protocol => Ok(protocol),
        }
    }
}
