//! A connection to a SOCKS5 proxy, on its way to become one to the target.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use super::Stream;
use super::socks::Exchange;
use crate::error::{Error, Result};

/// The stream to the proxy, and what is said there.
#[derive(Debug)]
pub struct Tunnel {
    stream: Stream,
    exchange: Exchange,
}

impl Tunnel {
    pub(super) fn new(stream: Stream, exchange: Exchange) -> Self {
        Self { stream, exchange }
    }

    /// Says and hears what it can without waiting. Whether the tunnel stands: then [`Tunnel::into_stream`] is next, and else
    /// this again when the descriptor is readable or writable.
    ///
    /// Errors: why the proxy refuses, `EPROTO` if it isn't one, `ECONNRESET` if it hangs up, and what `send`(2) and `recv`(2) say.
    pub fn drive(&mut self) -> Result<bool> {
        let mut buffer = [0; 512];
        while !self.exchange.is_done() {
            let output = self.exchange.output();
            let step = if output.is_empty() {
                let room = self.exchange.wanted().min(buffer.len());
                self.stream.read(&mut buffer[..room])
            } else {
                self.stream.write(output)
            };
            match step {
                Ok(0) => return Err(Error::ConnectionReset),
                Ok(sent) if !output.is_empty() => self.exchange.advance(sent),
                Ok(received) => self.exchange.receive(&buffer[..received])?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// The connection to the target.
    pub fn into_stream(self) -> Stream {
        self.stream
    }
}

impl AsRawFd for Tunnel {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}
