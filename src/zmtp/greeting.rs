//! The greeting: how two peers find out which version they both speak (RFC 37, "Version Negotiation").
//!
//! It is sent piece by piece, each as the peer's arrives: 10 bytes of signature, which a ZMTP 1.0 peer takes for
//! the header of a routing id; then the version; then, in the form that the peer's version asks for, the rest.

/// The signature: 0xff, 8 bytes, 0x7f.
const SIGNATURE: usize = 10;
/// Where the major version stands, and which one ours is.
const REVISION: (usize, u8) = (10, 3);
/// Where the minor version stands, and which one ours is.
const MINOR: (usize, u8) = (11, 1);
/// Where the mechanism's name stands, and its length.
const MECHANISM: (usize, usize) = (12, 20);
/// Size of a ZMTP 2.0 greeting.
const SIZE_V2: usize = 12;
/// Size of a ZMTP 3 greeting.
const SIZE_V3: usize = 64;

/// What the peer's greeting says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// There is none: these bytes, and what follows, are frames of ZMTP 1.0.
    Unversioned(Vec<u8>),
    /// ZMTP 1.0, with a greeting.
    V1,
    /// ZMTP 2.0.
    V2,
    /// ZMTP 3.0 or later.
    V3 { minor: u8, mechanism: [u8; MECHANISM.1] },
}

/// The exchange of greetings.
pub(super) struct GreetingExchange {
    received: Vec<u8>,
    socket_type: u8,
    mechanism: &'static str,
    /// How far our own has been sent.
    sent: Sent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Signature,
    Revision,
    Everything,
}

impl GreetingExchange {
    /// Begins with our signature, which goes to `out`.
    pub(super) fn new(
        socket_type: u8,
        mechanism: &'static str,
        routing_id_len: usize,
        out: &mut Vec<u8>,
    ) -> Self {
        // To a ZMTP 1.0 peer this is the header of the frame that holds our routing id: a length in the long form.
        out.push(0xff);
        out.extend_from_slice(&(routing_id_len as u64 + 1).to_be_bytes());
        out.push(0x7f);
        Self { received: Vec::with_capacity(SIZE_V3), socket_type, mechanism, sent: Sent::Signature }
    }

    /// Takes what the peer sent and answers it. Says how many bytes were used, and what they came to once they are complete.
    pub(super) fn input(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, Option<Greeting>) {
        for (at, &byte) in input.iter().enumerate() {
            self.received.push(byte);
            if let Some(greeting) = self.step(out) {
                return (at + 1, Some(greeting));
            }
        }
        (input.len(), None)
    }

    /// Reacts to the newest byte.
    fn step(&mut self, out: &mut Vec<u8>) -> Option<Greeting> {
        let received = &self.received;
        // The low bit of the tenth byte is set in a signature, and clear in the flags of a routing id's frame.
        let unversioned =
            received[0] != 0xff || (received.len() == SIGNATURE && received[SIGNATURE - 1] & 1 == 0);
        if unversioned {
            return Some(Greeting::Unversioned(std::mem::take(&mut self.received)));
        }
        if received.len() >= SIGNATURE && self.sent == Sent::Signature {
            out.push(REVISION.1);
            self.sent = Sent::Revision;
        }
        let revision = *received.get(REVISION.0)?;
        let legacy = revision < 2;
        if self.sent == Sent::Revision {
            if legacy {
                out.push(self.socket_type);
            } else {
                let mut rest = [0; SIZE_V3 - MINOR.0];
                rest[0] = MINOR.1;
                let name = self.mechanism.as_bytes();
                let length = name.len().min(MECHANISM.1);
                rest[1..=length].copy_from_slice(&name[..length]);
                out.extend_from_slice(&rest);
            }
            self.sent = Sent::Everything;
        }
        match (legacy, received.len()) {
            (true, SIZE_V2) => Some(if revision == 0 { Greeting::V1 } else { Greeting::V2 }),
            (false, SIZE_V3) => {
                let mechanism = received[MECHANISM.0..].first_chunk().copied().unwrap_or_default();
                // Any major version from 3 on, and 2, which never was one, are spoken to as 3; all but 3.0 as 3.1.
                let minor = if revision == 3 { received[MINOR.0] } else { MINOR.1 };
                Some(Greeting::V3 { minor, mechanism })
            }
            _ => None,
        }
    }
}

/// Whether the 20 bytes of a greeting name this mechanism.
pub(super) fn names(field: &[u8; MECHANISM.1], mechanism: &str) -> bool {
    let (name, padding) = field.split_at(mechanism.len().min(field.len()));
    name == mechanism.as_bytes() && padding.iter().all(|&byte| byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(input: &[u8]) -> (Vec<u8>, usize, Option<Greeting>) {
        let mut out = Vec::new();
        let mut exchange = GreetingExchange::new(7, "NULL", 0, &mut out);
        let (used, greeting) = exchange.input(input, &mut out);
        (out, used, greeting)
    }

    fn v3(major: u8, minor: u8) -> Vec<u8> {
        let mut bytes = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, major, minor];
        bytes.extend_from_slice(b"NULL");
        bytes.resize(SIZE_V3, 0);
        bytes
    }

    #[test]
    fn our_greeting_comes_piece_by_piece() {
        let peer = v3(3, 1);
        let mut out = Vec::new();
        let mut exchange = GreetingExchange::new(7, "NULL", 5, &mut out);
        assert_eq!(out, [0xff, 0, 0, 0, 0, 0, 0, 0, 6, 0x7f]);
        let mut sizes = Vec::new();
        for (at, byte) in peer.iter().enumerate() {
            let (used, greeting) = exchange.input(&[*byte], &mut out);
            assert_eq!(used, 1);
            assert_eq!(greeting.is_some(), at == 63);
            sizes.push(out.len());
        }
        assert_eq!(sizes[8..12], [10, 11, 64, 64]);
        assert_eq!(out[10..], peer[10..]);
    }

    #[test]
    fn versions() {
        let mut mechanism = [0; 20];
        mechanism[..4].copy_from_slice(b"NULL");
        for (major, minor, expected) in [(3, 0, 0), (3, 1, 1), (3, 9, 9), (4, 0, 1), (255, 7, 1), (2, 0, 1)] {
            let (out, used, greeting) = exchange(&v3(major, minor));
            assert_eq!((out.len(), used), (64, 64));
            assert_eq!(greeting, Some(Greeting::V3 { minor: expected, mechanism }), "{major}.{minor}");
        }
        for (revision, expected) in [(0, Greeting::V1), (1, Greeting::V2)] {
            let (out, used, greeting) = exchange(&[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, revision, 8, 0, 0]);
            assert_eq!(out[10..], [3, 7]);
            assert_eq!((used, greeting), (12, Some(expected)));
        }
    }

    #[test]
    fn no_greeting_at_all() {
        let (out, used, greeting) = exchange(&[1, 0, 5, 0]);
        assert_eq!((out.len(), used, greeting), (10, 1, Some(Greeting::Unversioned(vec![1]))));
        let long_id = [0xff, 0, 0, 0, 0, 0, 0, 1, 0, 0, b'x'];
        let (out, used, greeting) = exchange(&long_id);
        assert_eq!(
            (out.len(), used, greeting),
            (10, 10, Some(Greeting::Unversioned(long_id[..10].to_vec())))
        );
    }

    #[test]
    fn mechanism_names_are_compared_with_their_padding() {
        let mut field = [0; 20];
        field[..4].copy_from_slice(b"NULL");
        assert!(names(&field, "NULL"));
        assert!(!names(&field, "NUL"));
        assert!(!names(&field, "NULLS"));
        field[19] = 1;
        assert!(!names(&field, "NULL"));
    }
}
