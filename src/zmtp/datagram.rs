//! What RADIO and DISH say over udp, where there is no handshake: a datagram is a message. It begins with the length of the group in one
//! byte, then come the group and the body.

use crate::message::MAX_GROUP;

/// The longest part of a datagram before the body.
pub const MAX_HEAD: usize = 1 + MAX_GROUP;

/// Appends what goes before the body. A group that is too long is cut; messages have none.
pub fn write_head(group: &[u8], out: &mut Vec<u8>) {
    let group = &group[..group.len().min(MAX_GROUP)];
    out.push(group.len() as u8);
    out.extend_from_slice(group);
}

/// The group and the body; `None` if the datagram is shorter than it says the group is.
pub fn parse(datagram: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = datagram.split_first()?;
    rest.split_at_checked(length.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_parsed() {
        for group in [&b""[..], b"g", &[b'x'; 255]] {
            let mut datagram = Vec::new();
            write_head(group, &mut datagram);
            assert!(datagram.len() <= MAX_HEAD);
            assert_eq!(parse(&datagram), Some((group, &b""[..])));
            datagram.extend_from_slice(b"body");
            assert_eq!(parse(&datagram), Some((group, &b"body"[..])));
        }
        let mut cut = Vec::new();
        write_head(&[b'x'; 256], &mut cut);
        assert_eq!(cut.len(), 256);
    }

    #[test]
    fn a_group_that_is_not_all_there_is_none() {
        assert_eq!(parse(b""), None);
        for length in 1..=255_u8 {
            let mut datagram = vec![length];
            datagram.resize(usize::from(length), b'x');
            assert_eq!(parse(&datagram), None, "{length}");
            datagram.push(b'x');
            assert_eq!(
                parse(&datagram).map(|(group, body)| (group.len(), body.len())),
                Some((length.into(), 0))
            );
        }
    }
}
