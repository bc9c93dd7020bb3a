//! A peer that says what a test wants it to say: ZMTP by hand over a plain tcp connection (RFC 37).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::support::PATIENCE;

/// A ZMTP 3.1 greeting for the mechanism NULL, 64 bytes.
pub fn greeting() -> Vec<u8> {
    let mut greeting = vec![0; 64];
    (greeting[0], greeting[8], greeting[9]) = (0xff, 1, 0x7f);
    (greeting[10], greeting[11]) = (3, 1);
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

/// A frame with short length.
pub fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let len = u8::try_from(body.len()).expect("a short frame");
    [&[flags, len][..], body].concat()
}

/// The command READY of a socket of that type.
pub fn ready(kind: &str) -> Vec<u8> {
    let len = u8::try_from(kind.len()).expect("a short name");
    frame(4, &[b"\x05READY\x0bSocket-Type\0\0\0", &[len][..], kind.as_bytes()].concat())
}

/// One end of a connection.
pub struct Peer(pub TcpStream);

impl Peer {
    /// Connects to an endpoint.
    pub fn connect(endpoint: &str) -> Self {
        let address = endpoint.strip_prefix("tcp://").expect("a tcp endpoint");
        Self::new(TcpStream::connect(address).expect("somebody who listens"))
    }

    /// Accepts a connection.
    pub fn accept(listener: &TcpListener) -> Self {
        Self::new(listener.accept().expect("a connection").0)
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Self(stream)
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("a connection");
    }

    /// Reads so many bytes.
    pub fn recv(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.read_exact(&mut bytes).expect("bytes");
        bytes
    }

    /// Reads a frame with short length: its flags and body.
    pub fn recv_frame(&mut self) -> (u8, Vec<u8>) {
        let header = self.recv(2);
        (header[0], self.recv(header[1].into()))
    }

    /// Greets, waits for the other side's greeting and READY, and says READY as a socket of that type.
    pub fn shake_hands(&mut self, kind: &str) {
        self.send(&greeting());
        self.recv(64);
        let (flags, _) = self.recv_frame();
        assert_eq!(flags, 4);
        self.send(&ready(kind));
    }

    /// Waits until the other side has closed the connection.
    pub fn expect_end(&mut self) {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}

/// Listens on a free port of the loopback interface. The endpoint too.
pub fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("a port"));
    (listener, endpoint)
}

/// An endpoint where nobody listens.
pub fn nowhere() -> String {
    listen().1
}
