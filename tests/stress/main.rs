//! Many threads at once, through the C ABI: what is sent arrives whole, in order and once, and nobody waits for ever.
//!
//! Each test takes a second or two. A wait that ought to have ended long before [`PATIENCE`] fails its test.

mod closing;
mod draft;
mod flow;
mod setups;
mod shared;
#[path = "../sockets/support.rs"]
mod support;
mod waiting;

use std::sync::atomic::{AtomicU32, Ordering};
use support::{Context, Socket};
use zmq::ffi::constants::{ZMQ_RCVHWM, ZMQ_RCVTIMEO, ZMQ_SNDHWM, ZMQ_SNDTIMEO};

/// Milliseconds after which something is taken to be lost.
const PATIENCE: i32 = 10_000;

/// How two sockets reach each other.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Transport {
    Inproc,
    Tcp,
    Ipc,
}

const TRANSPORTS: [Transport; 3] = [Transport::Inproc, Transport::Tcp, Transport::Ipc];

impl Transport {
    /// Binds `socket` somewhere. Where.
    fn bind(self, socket: &Socket) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let endpoint = match self {
            Self::Inproc => format!("inproc://{number}"),
            Self::Tcp => return socket.bind_tcp(),
            Self::Ipc => format!("ipc://@ferrozmq-stress-{}-{number}", std::process::id()),
        };
        socket.bind(&endpoint).expect("a name of its own");
        endpoint
    }
}

/// A socket that fails the test rather than to wait for ever.
fn socket(context: &Context, kind: i32) -> Socket {
    let socket = context.socket(kind);
    socket.set(ZMQ_RCVTIMEO, PATIENCE).expect("an int");
    socket.set(ZMQ_SNDTIMEO, PATIENCE).expect("an int");
    socket
}

/// Two of them, the first bound and the second connected, with high-water marks of `mark`.
fn joined(context: &Context, transport: Transport, kinds: (i32, i32), mark: i32) -> (Socket, Socket) {
    let (bound, connected) = (socket(context, kinds.0), socket(context, kinds.1));
    for socket in [&bound, &connected] {
        socket.set(ZMQ_SNDHWM, mark).expect("an int");
        socket.set(ZMQ_RCVHWM, mark).expect("an int");
    }
    let endpoint = transport.bind(&bound);
    connected.connect(&endpoint).expect("it is bound");
    (bound, connected)
}

/// A body that tells which one it is: mostly short, some middling, a few so large that they are sent by reference.
fn body(from: u8, number: u32) -> Vec<u8> {
    let len = match number % 97 {
        13 => 40_000,
        7 | 50 => 3_000,
        n if n % 3 == 0 => 100,
        _ => 8,
    };
    let mut body = vec![from ^ number as u8; len];
    body[0] = from;
    body[1..5].copy_from_slice(&number.to_le_bytes());
    body
}

/// Which one it is. It has to be whole.
fn read(message: &[u8]) -> (u8, u32) {
    let number = u32::from_le_bytes(message[1..5].try_into().expect("four bytes"));
    assert!(message == body(message[0], number), "message {number} of {} isn't whole", message[0]);
    (message[0], number)
}
