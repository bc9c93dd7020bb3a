//! Peers that say wrong things. The bytes go the way of tcp's from the first one on (tests/bad_input/ has the rest): what is looked at here is that they do.

use crate::places::{Place, socket};
use crate::support::Context;
use crate::zmtp::{Dice, conversation, frame, greeting, ready};
use socket2::{SockAddr, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;
use zmq::ffi::constants::*;
use zmq::sys::tipc;

/// A connection to an endpoint of `<zone.cluster.node:port>` or `cid:port`.
fn dial(endpoint: &str) -> Socket {
    let numbers: Vec<u32> =
        endpoint.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
    let address: SockAddr = match numbers[..] {
        [zone, cluster, node, port] => {
            tipc::Address::Socket { node: zone << 24 | cluster << 12 | node, port }.into()
        }
        [cid, port] => SockAddr::vsock(cid, port),
        _ => panic!("{endpoint}"),
    };
    let stream = Socket::new(address.domain(), Type::STREAM, None).expect("the family is there");
    stream.connect(&address).expect("somebody listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("an option");
    stream
}

/// What is said is said until the other side closes.
fn say(mut stream: &Socket, bytes: &[u8]) {
    if let Err(error) = stream.write_all(bytes) {
        let ended = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::NotConnected];
        assert!(ended.contains(&error.kind()), "{error}");
    }
}

fn is_closed(mut stream: &Socket) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            // TIPC has no end of a stream: it isn't connected any more.
            Err(error) => {
                let ended = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::NotConnected];
                return ended.contains(&error.kind());
            }
        }
    }
}

const PLACES: [Place; 3] = [Place::TipcSocket, Place::VsockLocal, Place::VmciLocal];

#[test]
#[ignore = "make test-vm"]
fn wrong_bytes_cost_a_connection_and_nothing_else() {
    let context = Context::new();
    for place in PLACES {
        let pull = socket(&context, ZMQ_PULL);
        let endpoint = place.bind(&pull);
        let too_long =
            [greeting(), ready("PUSH"), vec![2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat();
        for wrong in [
            [&[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1][..], b"NONSENSE", &[0; 44]].concat(),
            [greeting(), frame(4, b"\x05HELLO")].concat(),
            [greeting(), ready("NONSENSE")].concat(),
            [greeting(), ready("PUB")].concat(),
            [greeting(), frame(0, b"a message in the place of READY")].concat(),
            too_long,
        ] {
            let stream = dial(&endpoint);
            say(&stream, &wrong);
            assert!(is_closed(&stream), "{place:?}: {wrong:?}");
        }
        let mut dice = Dice(7);
        for _ in 0..60 {
            let mut bytes = conversation(b"whole");
            let at = dice.below(bytes.len());
            bytes[at] ^= 1 << dice.below(8);
            bytes.truncate(1 + dice.below(bytes.len()));
            let stream = dial(&endpoint);
            say(&stream, &bytes);
            // Gone in the middle of it.
            drop(stream);
        }
        let stream = dial(&endpoint);
        for byte in conversation(b"byte by byte") {
            say(&stream, &[byte]);
        }
        // Whatever of the others was a message after all came before.
        while pull.recv().unwrap_or_else(|error| panic!("{place:?}: errno {error}")) != b"byte by byte" {}
    }
}
