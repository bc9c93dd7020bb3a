//! Messages with groups (RFC 48): on the wire a message is two frames, the group and then the body.

use super::ProtocolError;
use crate::error::Error;
use crate::message::{MAX_GROUP, Message};

/// A group as the API knows it, a C string: up to the first zero byte.
pub fn until_zero(group: &[u8]) -> &[u8] {
    group.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Puts the two frames of each message that a RADIO sends together again.
#[derive(Default)]
pub(super) struct Assembly {
    /// The group's frame, once it is there.
    group: Option<Message>,
}

impl Assembly {
    /// Takes the next frame; a message if it was a body.
    ///
    /// # Errors
    /// [`Error::Fault`] if there is anything but two frames, or the group is too long.
    pub(super) fn take(&mut self, mut frame: Message, more: bool) -> Result<Option<Message>, ProtocolError> {
        let malformed = ProtocolError::silent(Error::Fault);
        match self.group.take() {
            None if !more || frame.len() > MAX_GROUP => Err(malformed),
            None => {
                self.group = Some(frame);
                Ok(None)
            }
            Some(_) if more => Err(malformed),
            Some(group) => {
                frame.set_group(until_zero(group.data())).map_err(ProtocolError::silent)?;
                Ok(Some(frame))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(body: &[u8]) -> Message {
        Message::from_slice(body).unwrap()
    }

    #[test]
    fn two_frames_are_a_message() {
        let mut assembly = Assembly::default();
        for (group, body) in [(&b"g"[..], &b"body"[..]), (b"", b""), (&[b'x'; 255], b"y")] {
            assert!(assembly.take(frame(group), true).unwrap().is_none());
            let message = assembly.take(frame(body), false).unwrap().unwrap();
            assert_eq!((message.group(), message.data(), message.more()), (group, body, false));
        }
        assert!(assembly.take(frame(b"cut\0here"), true).unwrap().is_none());
        assert_eq!(assembly.take(frame(b""), false).unwrap().unwrap().group(), b"cut");
    }

    #[test]
    fn anything_else_is_an_error() {
        let refused = |frames: &[(&[u8], bool)]| {
            let mut assembly = Assembly::default();
            let mut last = Ok(None);
            for (body, more) in frames {
                assert!(matches!(last, Ok(None)));
                last = assembly.take(frame(body), *more);
            }
            assert_eq!(last.unwrap_err(), ProtocolError::silent(Error::Fault));
        };
        refused(&[(b"group only", false)]);
        refused(&[(b"g", true), (b"b", true)]);
        refused(&[(&[b'x'; 256], true)]);
    }
}
