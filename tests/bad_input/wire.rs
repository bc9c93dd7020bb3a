//! A peer of our own, byte by byte: just enough of ZMTP 3.1 (RFC 37) to say wrong things at any point.

#[path = "../sockets/dice.rs"]
mod dice;

pub use dice::Dice;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Ten bytes of signature, version 3.1, mechanism NULL.
pub fn greeting() -> Vec<u8> {
    let mut bytes = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1];
    bytes.extend_from_slice(b"NULL");
    bytes.resize(64, 0);
    bytes
}

/// A frame with a short size.
pub fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![flags, u8::try_from(body.len()).expect("a short body")];
    bytes.extend_from_slice(body);
    bytes
}

/// A command frame.
pub fn command(name: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(name.len()).expect("a short name")];
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(body);
    frame(4, &bytes)
}

/// A property as READY carries it.
pub fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(name.len()).expect("a short name")];
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(&u32::try_from(value.len()).expect("a short value").to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}

/// READY of a socket of that type.
pub fn ready(socket_type: &str) -> Vec<u8> {
    command("READY", &property("Socket-Type", socket_type.as_bytes()))
}

/// Everything that a well-behaved PUSH says, up to one message.
pub fn conversation(message: &[u8]) -> Vec<u8> {
    [greeting(), ready("PUSH"), frame(0, message)].concat()
}

/// A connection to an endpoint of the form `tcp://address:port`.
pub fn dial(endpoint: &str) -> TcpStream {
    let address: SocketAddr = endpoint.trim_start_matches("tcp://").parse().expect("an address");
    let stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_nodelay(true).expect("an option");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("an option");
    stream
}

/// Sends; that the other side has closed the connection meanwhile is what it may do.
pub fn say(stream: &mut TcpStream, bytes: &[u8]) {
    match stream.write_all(bytes) {
        Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
            panic!("{error}")
        }
        _ => {}
    }
}

/// Reads until the other side closes. False: it hasn't, in five seconds.
pub fn is_closed(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        }
    }
}
