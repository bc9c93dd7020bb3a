//! Metadata: the properties that peers tell each other in READY (RFC 37, "Connection Metadata").

use super::ProtocolError;
use crate::error::Error;
use crate::options::SocketType;

/// Appends one property: the name led by its length in 1 byte, the value led by its length in 4.
///
/// A name of more than 255 bytes can't be expressed; options don't let one through, and it is left out here.
pub fn write(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    let (Ok(name_length), Ok(value_length)) = (u8::try_from(name.len()), u32::try_from(value.len())) else {
        return;
    };
    out.push(name_length);
    out.extend_from_slice(name);
    out.extend_from_slice(&value_length.to_be_bytes());
    out.extend_from_slice(value);
}

/// The properties in `bytes`, name and value, up to the first one that is cut short, which is an error.
///
/// As in libzmq it is none if the cut is right behind a name or the length of a value: the properties before it count.
pub fn parse(bytes: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), ProtocolError>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        match split(rest) {
            Some((name, value, after)) => {
                rest = after;
                Some(Ok((name, value)))
            }
            None => {
                let cut = std::mem::take(&mut rest);
                (!ends_between_fields(cut)).then(|| Err(ProtocolError::silent(Error::Protocol)))
            }
        }
    })
}

/// Whether a property that is cut short has its name, or its name and the length of its value, and not a byte more.
fn ends_between_fields(bytes: &[u8]) -> bool {
    match bytes {
        [] | [_] => false,
        [length, rest @ ..] => [0, 4].map(|more| usize::from(*length) + more).contains(&rest.len()),
    }
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(length.into())?;
    let (length, rest) = rest.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    Some((name, value, rest))
}

/// Whether a socket of type `own` may talk to one of type `peer` (RFC 37, "The Socket-Type Property").
pub fn compatible(own: SocketType, peer: SocketType) -> bool {
    let peers: &[SocketType] = match own {
        SocketType::Pair => &[SocketType::Pair],
        SocketType::Pub | SocketType::XPub => &[SocketType::Sub, SocketType::XSub],
        SocketType::Sub | SocketType::XSub => &[SocketType::Pub, SocketType::XPub],
        SocketType::Req => &[SocketType::Rep, SocketType::Router],
        SocketType::Rep => &[SocketType::Req, SocketType::Dealer],
        SocketType::Dealer => &[SocketType::Rep, SocketType::Dealer, SocketType::Router],
        SocketType::Router => &[SocketType::Req, SocketType::Dealer, SocketType::Router],
        SocketType::Push => &[SocketType::Pull],
        SocketType::Pull => &[SocketType::Push],
        SocketType::Stream => &[],
        SocketType::Server => &[SocketType::Client],
        SocketType::Client => &[SocketType::Server],
        SocketType::Radio => &[SocketType::Dish],
        SocketType::Dish => &[SocketType::Radio],
        SocketType::Gather => &[SocketType::Scatter],
        SocketType::Scatter => &[SocketType::Gather],
        SocketType::Dgram => &[SocketType::Dgram],
        SocketType::Peer => &[SocketType::Peer],
        SocketType::Channel => &[SocketType::Channel],
    };
    peers.contains(&peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_come_back_in_order() {
        let mut bytes = Vec::new();
        write(b"Socket-Type", b"REQ", &mut bytes);
        write(b"X-empty", b"", &mut bytes);
        assert_eq!(bytes[..16], *b"\x0bSocket-Type\0\0\0\x03");
        let parsed: Vec<_> = parse(&bytes).map(Result::unwrap).collect();
        assert_eq!(parsed, [(&b"Socket-Type"[..], &b"REQ"[..]), (b"X-empty", b"")]);
        assert_eq!(parse(&[]).count(), 0);
    }

    #[test]
    fn a_cut_is_noticed_except_between_the_fields_of_a_property() {
        let mut bytes = Vec::new();
        write(b"A", b"1", &mut bytes);
        let whole = bytes.len();
        write(b"Name", b"value", &mut bytes);
        for end in 1..bytes.len() {
            let error = parse(&bytes[..end]).find_map(Result::err);
            let between = [1 + 1, 1 + 1 + 4, whole, whole + 1 + 4, whole + 1 + 4 + 4];
            let expected = (!between.contains(&end)).then(|| ProtocolError::silent(Error::Protocol));
            assert_eq!(error, expected, "cut at {end}");
            let found = parse(&bytes[..end]).filter_map(Result::ok).count();
            assert_eq!(found, usize::from(end >= whole));
        }
        // An empty name alone is no property yet.
        assert!(parse(b"\0").any(|property| property.is_err()));
    }

    #[test]
    fn a_name_that_is_too_long_is_left_out() {
        let mut bytes = Vec::new();
        write(&[b'x'; 256], b"", &mut bytes);
        assert!(bytes.is_empty());
    }

    #[test]
    fn compatibility_is_mutual() {
        for a in SocketType::ALL {
            for b in SocketType::ALL {
                assert_eq!(compatible(a, b), compatible(b, a), "{a:?} {b:?}");
            }
        }
        assert!(compatible(SocketType::Req, SocketType::Rep));
        assert!(!compatible(SocketType::Req, SocketType::Req));
        assert!(!compatible(SocketType::Stream, SocketType::Stream));
    }
}
