//! A relay between two sockets of the library, which changes a byte on the way.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

/// Which way a byte goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

/// What becomes of the byte of that number on that way.
#[derive(Clone, Copy)]
pub struct Change {
    pub way: Way,
    pub at: usize,
    pub xor: u8,
}

/// Takes one connection, and makes one to the server.
pub struct Relay {
    listener: TcpListener,
    server: String,
    change: Change,
    /// The client's side and the server's.
    streams: Option<[TcpStream; 2]>,
    /// Bytes that came from the client, and from the server.
    pub passed: [usize; 2],
    /// Who has ended.
    pub closed: [bool; 2],
}

impl Relay {
    /// For a server at `address`. `None` if the system refuses something.
    pub fn new(server: &str, change: Change) -> Option<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").ok()?;
        listener.set_nonblocking(true).ok()?;
        let server = server.to_owned();
        Some(Self { listener, server, change, streams: None, passed: [0; 2], closed: [false; 2] })
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.listener.local_addr().map_or(0, |address| address.port())
    }

    /// Passes on what has come. Says whether anything has.
    pub fn turn(&mut self) -> bool {
        if self.streams.is_none() {
            let Ok((client, _)) = self.listener.accept() else { return false };
            let Ok(server) = TcpStream::connect(&self.server) else { return false };
            for stream in [&client, &server] {
                let _ = (stream.set_nonblocking(true), stream.set_nodelay(true));
            }
            self.streams = Some([client, server]);
        }
        let Some(streams) = &self.streams else { return false };
        let (mut any, mut buffer) = (false, [0; 4096]);
        for (from, way) in [(0, Way::ToServer), (1, Way::ToClient)] {
            if self.closed[from] {
                continue;
            }
            match (&streams[from]).read(&mut buffer) {
                Ok(count @ 1..) => {
                    let bytes = &mut buffer[..count];
                    let at = self.change.at.checked_sub(self.passed[from]);
                    if let Some(byte) = at.filter(|_| way == self.change.way).and_then(|at| bytes.get_mut(at))
                    {
                        *byte ^= self.change.xor;
                    }
                    self.passed[from] += count;
                    let _ = (&streams[1 - from]).write_all(bytes);
                    any = true;
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                // Whether it is an end or a reset is a matter of time.
                Ok(_) | Err(_) => {
                    self.closed[from] = true;
                    any = true;
                }
            }
        }
        any
    }

    /// Ends both connections.
    pub fn end(&mut self) {
        self.streams = None;
        self.closed = [true; 2];
    }
}
