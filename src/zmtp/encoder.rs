//! From messages to bytes.

use super::mechanism::Seal;
use super::websocket::FrameWriter;
use super::{Version, command, frame};
use crate::message::{Kind, Message};

/// Up to this size a body fits a frame with a 2-byte header.
const SHORT: usize = 255;

/// How messages are laid out on the wire.
enum Framing {
    Zmtp(Version),
    /// Bodies only, one after another.
    Raw,
    WebSocket(Box<FrameWriter>),
}

/// What ZMTP means to a WebSocket: it has mechanisms and commands, but no commands for subscriptions (RFC 45, "Publish-Subscribe").
const WEBSOCKET: Version = Version::V3_0;

/// Turns messages into the bytes of one direction of an established connection.
pub struct Encoder {
    framing: Framing,
    /// Plain data frames of ZMTP 2.0 or later: the case that is made fast.
    plain: bool,
    /// A frame with the group goes before each body (RADIO).
    groups: bool,
    seal: Option<Box<dyn Seal>>,
}

impl Encoder {
    pub(super) fn new(version: Version, seal: Option<Box<dyn Seal>>) -> Self {
        Self {
            framing: Framing::Zmtp(version),
            plain: version >= Version::V2 && seal.is_none(),
            groups: false,
            seal,
        }
    }

    /// For a RADIO: a message is a frame with the group and one with the body.
    pub(super) fn with_groups(self) -> Self {
        Self { plain: false, groups: true, ..self }
    }

    /// An encoder for a WebSocket.
    pub(super) fn websocket(writer: Box<FrameWriter>, seal: Option<Box<dyn Seal>>) -> Self {
        Self { framing: Framing::WebSocket(writer), plain: false, groups: false, seal }
    }

    /// An encoder that writes bodies and nothing else (`ZMQ_STREAM`, `ZMQ_ROUTER_RAW`).
    pub fn raw() -> Self {
        Self { framing: Framing::Raw, plain: false, groups: false, seal: None }
    }

    /// Appends the whole frame of `message` to `out`.
    ///
    /// Subscriptions become commands for 3.1 peers, and data frames that begin with 1 or 0 for older ones. What the
    /// peer's version can't express (a PING before 3.0) is left out.
    #[inline]
    pub fn encode(&mut self, message: &Message, out: &mut Vec<u8>) {
        let body = message.data();
        if self.plain && body.len() <= SHORT && message.is_data() {
            out.reserve(2 + body.len());
            out.extend_from_slice(&[u8::from(message.more()), body.len() as u8]);
            out.extend_from_slice(body);
        } else {
            self.encode_any(message, out);
        }
    }

    /// Appends everything but the body of `message`, for a body that goes out by reference right after it.
    ///
    /// Only if [`Self::by_reference`] says so.
    pub fn header(&mut self, message: &Message, out: &mut Vec<u8>) {
        debug_assert!(self.by_reference());
        let Some((flags, prefix)) = wire_form(self.version(), message) else { return };
        if self.groups && message.is_data() {
            self.frame(frame::MORE, [message.group(), &[]], out);
        }
        match &mut self.framing {
            Framing::Zmtp(version) => {
                frame::write(*version, flags, prefix.len() + message.len(), out);
                out.extend_from_slice(prefix);
            }
            Framing::WebSocket(writer) => writer.header(flags, prefix, message.len(), out),
            Framing::Raw => {}
        }
    }

    /// Whether bodies appear on the wire as they are: not under a mechanism that encrypts, or in a frame that is masked.
    pub fn by_reference(&self) -> bool {
        let as_they_are = match &self.framing {
            Framing::WebSocket(writer) => writer.by_reference(),
            _ => true,
        };
        as_they_are && self.seal.is_none()
    }

    #[inline(never)]
    fn encode_any(&mut self, message: &Message, out: &mut Vec<u8>) {
        match &mut self.framing {
            Framing::Zmtp(_) => {}
            Framing::Raw => return out.extend_from_slice(message.data()),
            Framing::WebSocket(writer) => match message.kind() {
                Kind::Ping => return writer.ping(out),
                Kind::Pong => return writer.pong(out),
                Kind::Close => return writer.close(message.data(), out),
                _ => {}
            },
        }
        let Some((flags, prefix)) = wire_form(self.version(), message) else { return };
        let body = if is_group_command(message) { message.group() } else { message.data() };
        if self.groups && message.is_data() {
            self.frame(frame::MORE, [message.group(), &[]], out);
        }
        self.frame(flags, [prefix, body], out);
    }

    /// What the peer understands.
    #[inline]
    fn version(&self) -> Version {
        if let Framing::Zmtp(version) = self.framing { version } else { WEBSOCKET }
    }

    /// Appends a frame whose body is `parts`, one after the other.
    #[inline]
    fn frame(&mut self, flags: u8, parts: [&[u8]; 2], out: &mut Vec<u8>) {
        let version = self.version();
        let size = parts[0].len() + parts[1].len();
        match (&mut self.framing, &mut self.seal) {
            (Framing::WebSocket(writer), None) => writer.frame(flags, parts, out),
            (Framing::WebSocket(writer), Some(seal)) => writer.sealed(&mut **seal, flags, parts, out),
            (_, None) => {
                let [prefix, body] = parts;
                out.reserve(frame::MAX_HEADER + size);
                frame::write(version, flags, size, out);
                out.extend_from_slice(prefix);
                out.extend_from_slice(body);
            }
            (_, Some(seal)) => {
                let sealed = seal.sealed_size(flags, parts);
                out.reserve(frame::MAX_HEADER + sealed);
                frame::write(version, 0, sealed, out);
                seal.seal(flags, parts, out);
            }
        }
    }
}

/// Flags and what precedes the body, for a message of any kind; `None` for what this version can't say.
fn wire_form(version: Version, message: &Message) -> Option<(u8, &'static [u8])> {
    let subscription = |first: &'static [u8]| {
        if version >= Version::V3_1 {
            Some((frame::COMMAND, command::name(message.kind())?))
        } else {
            Some((0, first))
        }
    };
    match message.kind() {
        Kind::Data | Kind::Hello => Some((if message.more() { frame::MORE } else { 0 }, &[])),
        Kind::Subscribe => subscription(&[1]),
        Kind::Cancel => subscription(&[0]),
        kind if version.has_mechanism() => Some((frame::COMMAND, command::name(kind)?)),
        _ => None,
    }
}

fn is_group_command(message: &Message) -> bool {
    matches!(message.kind(), Kind::Join | Kind::Leave)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: Kind, body: &[u8]) -> Message {
        let mut message = Message::from_slice(body).unwrap();
        message.set_kind(kind);
        message
    }

    fn encoded(version: Version, message: &Message) -> Vec<u8> {
        let mut out = Vec::new();
        Encoder::new(version, None).encode(message, &mut out);
        out
    }

    #[test]
    fn subscriptions_are_commands_or_data_by_version() {
        let subscribe = message(Kind::Subscribe, b"ab");
        assert_eq!(encoded(Version::V3_1, &subscribe), b"\x04\x0c\x09SUBSCRIBEab");
        assert_eq!(encoded(Version::V3_0, &subscribe), b"\x00\x03\x01ab");
        assert_eq!(encoded(Version::V2, &subscribe), b"\x00\x03\x01ab");
        assert_eq!(encoded(Version::V1, &subscribe), b"\x04\x00\x01ab");
        let cancel = message(Kind::Cancel, b"");
        assert_eq!(encoded(Version::V3_1, &cancel), b"\x04\x07\x06CANCEL");
        assert_eq!(encoded(Version::V3_0, &cancel), b"\x00\x01\x00");
        // The prefix counts when the form of the length is chosen.
        let long = message(Kind::Subscribe, &[b'x'; 255]);
        assert_eq!(encoded(Version::V3_0, &long)[..10], [2, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
    }

    #[test]
    fn a_message_with_a_group_is_two_frames() {
        let mut radio = Encoder::new(Version::V3_1, None).with_groups();
        let mut out = Vec::new();
        let mut grouped = message(Kind::Data, b"body");
        grouped.set_group(b"ab").unwrap();
        radio.encode(&grouped, &mut out);
        assert_eq!(out, b"\x01\x02ab\x00\x04body");
        out.clear();
        radio.header(&grouped, &mut out);
        assert_eq!(out, b"\x01\x02ab\x00\x04");
        out.clear();
        radio.encode(&message(Kind::Data, b""), &mut out);
        radio.encode(&message(Kind::Pong, b"c"), &mut out);
        assert_eq!(out, b"\x01\x00\x00\x00\x04\x06\x04PONGc");
        out.clear();
        let mut sealed = Encoder::new(Version::V3_1, Some(Box::new(Tag))).with_groups();
        sealed.encode(&grouped, &mut out);
        assert_eq!(out, b"\x00\x06\x01abtag\x00\x08\x00bodytag");
        // A DISH says what it joins in commands, whatever the version.
        let mut join = Message::new();
        join.set_group(b"g").unwrap();
        join.set_kind(Kind::Join);
        for version in [Version::V3_0, Version::V3_1] {
            assert_eq!(encoded(version, &join), b"\x04\x06\x04JOINg");
        }
        join.set_kind(Kind::Leave);
        assert_eq!(encoded(Version::V3_1, &join), b"\x04\x07\x05LEAVEg");
    }

    #[test]
    fn heartbeats_are_for_3_0_and_later() {
        let ping = message(Kind::Ping, &[0, 10, b'c']);
        for version in [Version::V3_0, Version::V3_1] {
            assert_eq!(encoded(version, &ping), b"\x04\x08\x04PING\x00\x0ac");
        }
        for version in [Version::V1, Version::V2] {
            assert_eq!(encoded(version, &ping), b"");
        }
    }

    #[test]
    fn header_and_body_together_are_what_encode_writes() {
        for version in [Version::V1, Version::V2, Version::V3_0, Version::V3_1] {
            for size in [0, 10, 254, 255, 256, 70_000] {
                for more in [false, true] {
                    let mut message = Message::from_slice(&vec![7; size]).unwrap();
                    message.set_more(more);
                    let mut parts = Vec::new();
                    Encoder::new(version, None).header(&message, &mut parts);
                    parts.extend_from_slice(message.data());
                    assert_eq!(parts, encoded(version, &message));
                }
            }
        }
    }

    #[test]
    fn raw_has_no_header() {
        let mut out = Vec::new();
        let mut encoder = Encoder::raw();
        let message = message(Kind::Data, b"hello");
        encoder.header(&message, &mut out);
        assert!(out.is_empty());
        encoder.encode(&message, &mut out);
        assert_eq!(out, b"hello");
    }

    /// Appends a tag to the plaintext, so that frames grow past 255 bytes on the way.
    struct Tag;

    impl Seal for Tag {
        fn sealed_size(&mut self, _flags: u8, parts: [&[u8]; 2]) -> usize {
            parts[0].len() + parts[1].len() + 4
        }

        fn seal(&mut self, flags: u8, parts: [&[u8]; 2], out: &mut Vec<u8>) {
            out.push(flags);
            out.extend(parts.concat());
            out.extend_from_slice(b"tag");
        }
    }

    #[test]
    fn a_sealed_frame_has_the_header_of_its_sealed_size() {
        for size in [0, 200, 251, 252, 255, 256, 1000] {
            let mut out = b"before".to_vec();
            let mut message = Message::from_slice(&vec![9; size]).unwrap();
            message.set_more(true);
            let mut encoder = Encoder::new(Version::V3_1, Some(Box::new(Tag)));
            assert!(!encoder.by_reference());
            encoder.encode(&message, &mut out);
            let mut expected = b"before".to_vec();
            frame::write(Version::V3_1, 0, size + 4, &mut expected);
            expected.push(frame::MORE);
            expected.extend(vec![9; size]);
            expected.extend_from_slice(b"tag");
            assert_eq!(out, expected, "{size}");
        }
    }
}
