//! Commands after the handshake: PING, PONG, SUBSCRIBE, CANCEL (RFC 37), JOIN and LEAVE (RFC 48).
//!
//! A command's body begins with its name, led by the name's length. Inside the engine such a command is a
//! [`Message`] of its own [`Kind`], whose body is what follows the name.

use super::groups::until_zero;
use crate::error::Result;
use crate::message::{Kind, Message};
use crate::options::SocketType;

/// The body of a `PING` is the TTL, in tenths of a second, and the context.
const PING: &[u8] = b"\x04PING";
const PONG: &[u8] = b"\x04PONG";
const SUBSCRIBE: &[u8] = b"\x09SUBSCRIBE";
const CANCEL: &[u8] = b"\x06CANCEL";
const JOIN: &[u8] = b"\x04JOIN";
const LEAVE: &[u8] = b"\x05LEAVE";

/// The name, with its length, that a message of this kind has on the wire.
pub(super) fn name(kind: Kind) -> Option<&'static [u8]> {
    Some(match kind {
        Kind::Ping => PING,
        Kind::Pong => PONG,
        Kind::Subscribe => SUBSCRIBE,
        Kind::Cancel => CANCEL,
        Kind::Join => JOIN,
        Kind::Leave => LEAVE,
        _ => return None,
    })
}

/// Which commands a socket takes. What it doesn't take is dropped, as are unknown and malformed commands
/// (the reference does the same).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepts {
    /// Before ZMTP 3 there are no commands.
    Nothing,
    /// PING and PONG only.
    Heartbeats,
    /// Those, SUBSCRIBE and CANCEL.
    Subscriptions,
    /// Heartbeats, JOIN and LEAVE.
    Groups,
}

impl Accepts {
    pub(super) fn of(socket_type: SocketType) -> Self {
        match socket_type {
            SocketType::Pub | SocketType::XPub => Self::Subscriptions,
            SocketType::Radio => Self::Groups,
            _ => Self::Heartbeats,
        }
    }
}

/// The message that the command in `body` stands for; `None` if it is to be dropped.
pub(super) fn parse(body: &[u8], accepts: Accepts) -> Result<Option<Message>> {
    if accepts == Accepts::Nothing {
        return Ok(None);
    }
    let Some((name, rest)) =
        body.split_first().and_then(|(&length, rest)| rest.split_at_checked(length.into()))
    else {
        return Ok(None);
    };
    let kind = match (name, accepts) {
        (b"PING", _) => Kind::Ping,
        (b"PONG", _) => Kind::Pong,
        (b"SUBSCRIBE", Accepts::Subscriptions) => Kind::Subscribe,
        (b"CANCEL", Accepts::Subscriptions) => Kind::Cancel,
        (b"JOIN", Accepts::Groups) => Kind::Join,
        (b"LEAVE", Accepts::Groups) => Kind::Leave,
        _ => return Ok(None),
    };
    let mut message = match kind {
        Kind::Join | Kind::Leave => {
            let mut message = Message::new();
            if message.set_group(until_zero(rest)).is_err() {
                return Ok(None);
            }
            message
        }
        _ => Message::from_slice(rest)?,
    };
    message.set_kind(kind);
    Ok(Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &[u8], accepts: Accepts) -> Option<(Kind, Vec<u8>)> {
        parse(body, accepts).unwrap().map(|message| (message.kind(), message.data().to_vec()))
    }

    #[test]
    fn commands_go_where_they_are_understood() {
        assert_eq!(
            parsed(b"\x09SUBSCRIBEab", Accepts::Subscriptions),
            Some((Kind::Subscribe, b"ab".to_vec()))
        );
        assert_eq!(parsed(b"\x06CANCEL", Accepts::Subscriptions), Some((Kind::Cancel, vec![])));
        assert_eq!(parsed(b"\x04PONGxyz", Accepts::Groups), Some((Kind::Pong, b"xyz".to_vec())));
        assert_eq!(
            parsed(b"\x04PING\x00\x01xyz", Accepts::Heartbeats),
            Some((Kind::Ping, b"\x00\x01xyz".to_vec()))
        );
        assert_eq!(parsed(b"\x09SUBSCRIBEab", Accepts::Heartbeats), None);
        assert_eq!(parsed(b"\x04JOINg", Accepts::Subscriptions), None);
        assert_eq!(parsed(b"\x04PING\x00\x01", Accepts::Nothing), None);
        let join = parse(b"\x04JOINgroup", Accepts::Groups).unwrap().unwrap();
        assert_eq!((join.kind(), join.group()), (Kind::Join, &b"group"[..]));
        let leave = parse(b"\x05LEAVEcut\0here", Accepts::Groups).unwrap().unwrap();
        assert_eq!((leave.kind(), leave.group()), (Kind::Leave, &b"cut"[..]));
        let joining = |length| [JOIN, &vec![b'x'; length]].concat();
        assert!(parse(&joining(255), Accepts::Groups).unwrap().is_some());
        assert!(parse(&joining(256), Accepts::Groups).unwrap().is_none());
    }

    #[test]
    fn unknown_and_malformed_commands_are_dropped() {
        for body in
            [&b""[..], b"\x00", b"\x05PING", b"\xff", b"\x05ERROR\x00", b"\x05READY", b"\x04ping\x00\x00"]
        {
            assert_eq!(parsed(body, Accepts::Subscriptions), None, "{body:?}");
        }
    }
}
