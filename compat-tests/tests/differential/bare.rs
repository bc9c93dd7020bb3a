//! A peer that is no library: bytes of ZMTP by hand.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::script::{Show, Test, bytes};

/// A connection.
pub struct Bare<'a> {
    test: &'a Test,
    stream: TcpStream,
}

/// What was read, and whether the other side has ended.
pub struct Seen {
    pub bytes: Vec<u8>,
    pub end: &'static str,
}

impl Show for Seen {
    fn show(&self) -> String {
        format!("{} {}", bytes(&self.bytes), self.end)
    }
}

impl<'a> Bare<'a> {
    /// Connects to where a library has bound.
    pub fn connect(test: &'a Test, endpoint: &str) -> Self {
        match TcpStream::connect(endpoint.trim_start_matches("tcp://")) {
            Ok(stream) => Self::over(test, stream),
            Err(error) => {
                test.say(format_args!("a bare peer can't connect: {error}"));
                test.end()
            }
        }
    }

    /// Takes the next connection of a library.
    pub fn accept(test: &'a Test, listener: &TcpListener) -> Self {
        let deadline = Instant::now() + test.limit();
        let _ = listener.set_nonblocking(true);
        loop {
            match listener.accept() {
                Ok((stream, _)) => return Self::over(test, stream),
                Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => {
                    test.say(format_args!("nobody connects: {error}"));
                    test.end()
                }
            }
        }
    }

    fn over(test: &'a Test, stream: TcpStream) -> Self {
        let _ = (stream.set_nonblocking(false), stream.set_nodelay(true));
        Self { test, stream }
    }

    /// Sends, whether the other side is still there or not.
    pub fn send(&self, bytes: &[u8]) {
        let _ = (&self.stream).write_all(bytes);
    }

    /// Reads what comes until it is quiet.
    pub fn read(&self) -> Seen {
        self.read_for(self.test.quiet())
    }

    /// Reads what comes until nothing has come for so long.
    pub fn read_for(&self, quiet: Duration) -> Seen {
        let _ = self.stream.set_read_timeout(Some(quiet));
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 65_536]);
        loop {
            match (&self.stream).read(&mut buffer) {
                Ok(0) => return Seen { bytes, end: "closed" },
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) =>
                {
                    return Seen { bytes, end: "open" };
                }
                // Whether bytes that nobody read make an end a reset is up to the system.
                Err(_) => return Seen { bytes, end: "closed" },
            }
        }
    }

    /// Reads until so many bytes have come, or what comes within the limit.
    pub fn read_exactly(&self, count: usize) -> Seen {
        let _ = self.stream.set_read_timeout(Some(self.test.limit()));
        let mut bytes = vec![0; count];
        match (&self.stream).read_exact(&mut bytes) {
            Ok(()) => Seen { bytes, end: "open" },
            Err(_) => Seen { bytes: Vec::new(), end: "closed or too few" },
        }
    }

    /// Greets as a NULL peer of that type, and takes the library's greeting and READY.
    pub fn shake_hands(&self, kind: &str) -> Seen {
        self.send(&greeting());
        self.send(&ready(kind, &[]));
        let greeting = self.read_exactly(64);
        if greeting.end != "open" {
            return greeting;
        }
        let head = self.read_exactly(2);
        if head.bytes.first() == Some(&4) { self.read_exactly(head.bytes[1].into()) } else { head }
    }
}

/// A listener on a port of its own, and the endpoint to connect to.
pub fn listen(test: &Test) -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0");
    let endpoint = listener.as_ref().ok().and_then(|listener| listener.local_addr().ok());
    let (Ok(listener), Some(endpoint)) = (listener, endpoint) else {
        test.say("a bare peer can't listen");
        test.end()
    };
    test.name(&format!(":{}", endpoint.port()), ":BARE");
    (listener, format!("tcp://{endpoint}"))
}

/// The greeting of ZMTP 3.1 with the NULL mechanism.
pub fn greeting() -> Vec<u8> {
    greeting_of(3, 1, "NULL", false)
}

/// Any greeting of ZMTP 3.
pub fn greeting_of(major: u8, minor: u8, mechanism: &str, server: bool) -> Vec<u8> {
    let mut greeting = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, major, minor];
    greeting.extend_from_slice(mechanism.as_bytes());
    greeting.resize(32, 0);
    greeting.push(server.into());
    greeting.resize(64, 0);
    greeting
}

/// A frame: flags, length, body.
pub fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    match u8::try_from(body.len()) {
        Ok(short) => frame.extend_from_slice(&[flags, short]),
        Err(_) => {
            frame.push(flags | 2);
            frame.extend_from_slice(&(body.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(body);
    frame
}

/// A command: name and data.
pub fn command(name: &str, data: &[u8]) -> Vec<u8> {
    let mut body = vec![name.len() as u8];
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(data);
    frame(4, &body)
}

/// A property of READY.
pub fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let mut property = vec![name.len() as u8];
    property.extend_from_slice(name.as_bytes());
    property.extend_from_slice(&(value.len() as u32).to_be_bytes());
    property.extend_from_slice(value);
    property
}

/// READY of a socket type, with further properties.
pub fn ready(kind: &str, more: &[u8]) -> Vec<u8> {
    command("READY", &[property("Socket-Type", kind.as_bytes()), more.to_vec()].concat())
}
