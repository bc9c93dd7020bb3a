//! A WebSocket of the test's own, on either side, byte by byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use data_encoding::BASE64;
use sha1::{Digest, Sha1};

pub use crate::bytes::*;

pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;

/// A response that a client of ours takes.
pub fn response(key: &str, protocol: &str) -> String {
    let accept = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n",
        BASE64.encode(&accept)
    )
}

/// As a client sends it.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, Some([0x12, 0x34, 0x56, 0x78]))
}

/// As a server sends it.
pub fn bare(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, None)
}

/// READY of a socket of that type, with the flags byte.
pub fn ready(socket_type: &str) -> Vec<u8> {
    let mut body = b"\x02\x05READY\x0bSocket-Type\0\0\0".to_vec();
    body.push(u8::try_from(socket_type.len()).expect("a short name"));
    body.extend_from_slice(socket_type.as_bytes());
    body
}

/// A connection.
pub struct Peer(pub TcpStream);

impl Peer {
    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("an option");
        Self(stream)
    }

    /// To an endpoint `ws://address:port/path`.
    pub fn dial(endpoint: &str) -> Self {
        let address = endpoint.trim_start_matches("ws://").split('/').next().expect("an address");
        Self::new(TcpStream::connect(address).expect("somebody listens"))
    }

    pub fn accept(listener: &TcpListener) -> Self {
        Self::new(listener.accept().expect("a connection").0)
    }

    /// A client that was granted the upgrade.
    pub fn upgraded(endpoint: &str, protocol: &str) -> Self {
        let mut peer = Self::dial(endpoint);
        peer.say(request(protocol).as_bytes());
        let head = peer.head();
        assert!(head.contains(ACCEPT) && head.contains(&format!("Protocol: {protocol}\r\n")), "{head}");
        peer
    }

    /// A client that has shaken hands.
    pub fn ready(endpoint: &str, socket_type: &str) -> Self {
        let mut peer = Self::upgraded(endpoint, "ZWS2.0/NULL");
        peer.say(&masked(BINARY, &ready(socket_type)));
        let (first, body) = peer.frame();
        assert_eq!((first, &body[..7]), (BINARY, &b"\x02\x05READY"[..]));
        peer
    }

    /// A client without a mechanism, with that routing id.
    pub fn plain(endpoint: &str, id: &[u8]) -> Self {
        let mut peer = Self::upgraded(endpoint, "ZWS2.0");
        peer.say(&masked(BINARY, &[b"\0", id].concat()));
        assert_eq!(peer.frame(), (BINARY, b"\0".to_vec()));
        peer
    }

    /// Reads a request and grants it. Its head.
    pub fn grant(&mut self, protocol: &str) -> String {
        let head = self.head();
        self.say(response(key_of(&head), protocol).as_bytes());
        head
    }

    /// Sends; that the other side has closed the connection meanwhile is what it may do.
    pub fn say(&mut self, bytes: &[u8]) {
        match self.0.write_all(bytes) {
            Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                panic!("{error}")
            }
            _ => {}
        }
    }

    fn exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).expect("more bytes");
        bytes
    }

    /// Up to the empty line.
    pub fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.exactly(1));
        }
        String::from_utf8(head).expect("text")
    }

    /// The next frame: its first byte, and its payload, unmasked.
    pub fn frame(&mut self) -> (u8, Vec<u8>) {
        let start = self.exactly(2);
        let length = match start[1] & 0x7f {
            126 => usize::from(u16::from_be_bytes(self.exactly(2)[..].try_into().unwrap())),
            127 => usize::try_from(u64::from_be_bytes(self.exactly(8)[..].try_into().unwrap())).unwrap(),
            length => usize::from(length),
        };
        let mask = if start[1] & 0x80 == 0 { vec![0; 4] } else { self.exactly(4) };
        let payload = self.exactly(length);
        (start[0], payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect())
    }

    /// Whether the other side closes, within five seconds.
    pub fn is_closed(&mut self) -> bool {
        crate::zmtp::is_closed(&mut self.0)
    }
}

/// The key in a request.
pub fn key_of(head: &str) -> &str {
    let rest = head.split_once("Sec-WebSocket-Key: ").expect("a key").1;
    rest.split("\r\n").next().expect("a line")
}

/// A listener, and the endpoint to connect to.
pub fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("ws://{}/path", listener.local_addr().expect("a name"));
    (listener, endpoint)
}
