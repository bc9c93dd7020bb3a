//! The HTTP of the upgrade (RFC 6455, sections 1.3 and 4): the request, the response, and what has to be in them.

use super::{Protocol, Random};
use crate::zmtp::ProtocolError;
use crate::zmtp::error::code;
use data_encoding::BASE64;
use httparse::{EMPTY_HEADER, Header, Request, Response};
use sha1::{Digest, Sha1};

/// Bytes of a request or a response, at most.
pub(super) const MAX_HEAD: usize = 64 * 1024;
/// Lines of it, at most.
const MAX_HEADERS: usize = 256;
/// Bytes of a header's name and value, at most; libzmq has the same.
const MAX_NAME: usize = 1024;
const MAX_VALUE: usize = 2048;

/// What the key is combined with for the answer.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The subprotocol without a mechanism. With one, a slash and its name follow.
const PLAIN: &str = "ZWS2.0";

/// What monitors hear of an upgrade that fails.
pub(super) const REFUSED: ProtocolError = ProtocolError::with_code(code::WS_UNSPECIFIED);

/// A client's key.
pub(super) fn new_key(random: Random) -> String {
    let mut nonce = [0; 16];
    // It keeps caches from answering, and nothing depends on its being unpredictable.
    let _ = random(&mut nonce);
    BASE64.encode(&nonce)
}

/// The answer to a key.
pub(super) fn accept_for(key: &[u8]) -> String {
    BASE64.encode(&Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// The request. A client without security says that it can do without a mechanism.
pub(super) fn write_request(host: &str, path: &str, key: &str, mechanism: &str, out: &mut Vec<u8>) {
    let or_plain = if mechanism == "NULL" { ",ZWS2.0" } else { "" };
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n\
         Sec-WebSocket-Protocol: {PLAIN}/{mechanism}{or_plain}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    out.extend_from_slice(head.as_bytes());
}

/// The response that grants the upgrade.
pub(super) fn write_response(key: &[u8], protocol: Protocol, mechanism: &str, out: &mut Vec<u8>) {
    let mechanism = match protocol {
        Protocol::Plain => String::new(),
        Protocol::Mechanism => format!("/{mechanism}"),
    };
    let accept = accept_for(key);
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\
         Sec-WebSocket-Protocol: {PLAIN}{mechanism}\r\n\r\n"
    );
    out.extend_from_slice(head.as_bytes());
}

/// A request that asks for what this side can grant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub key: Vec<u8>,
    pub protocol: Protocol,
}

/// Reads what has arrived of a request. `None`: it isn't complete.
///
/// # Errors
/// As soon as it shows that it is none, or asks for something else.
pub(super) fn read_request(head: &[u8], mechanism: &str) -> Result<Option<Asked>, ProtocolError> {
    starts_with(head, b"GET ")?;
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut headers);
    let complete = request.parse(head).map_err(|_| REFUSED)?.is_complete();
    if request.version.is_some_and(|version| version != 1) {
        return Err(REFUSED);
    }
    if !complete {
        return Ok(None);
    }
    let fields = Fields::read(request.headers)?;
    // Of several subprotocols the first that will do is taken.
    let protocol = fields.protocols.iter().find_map(|name| Protocol::named(name, mechanism));
    match (fields.upgrades, fields.key, protocol) {
        (true, Some(key), Some(protocol)) => Ok(Some(Asked { key: key.to_vec(), protocol })),
        _ => Err(REFUSED),
    }
}

/// Reads what has arrived of the response to `key`. `None`: it isn't complete.
///
/// # Errors
/// As soon as it shows that it is none, or doesn't grant what was asked for.
pub(super) fn read_response(
    head: &[u8],
    key: &str,
    mechanism: &str,
) -> Result<Option<Protocol>, ProtocolError> {
    starts_with(head, b"HTTP/1.1 ")?;
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut response = Response::new(&mut headers);
    let complete = response.parse(head).map_err(|_| REFUSED)?.is_complete();
    if response.code.is_some_and(|status| status != 101) {
        return Err(REFUSED);
    }
    if !complete {
        return Ok(None);
    }
    let fields = Fields::read(response.headers)?;
    let [name] = fields.protocols[..] else { return Err(REFUSED) };
    let granted = fields.upgrades && fields.accept == Some(accept_for(key.as_bytes()).as_bytes());
    match Protocol::named(name, mechanism) {
        Some(protocol) if granted => Ok(Some(protocol)),
        _ => Err(REFUSED),
    }
}

impl Protocol {
    /// The subprotocol of this name, if a side with that mechanism speaks it.
    fn named(name: &[u8], mechanism: &str) -> Option<Self> {
        let rest = name.strip_prefix(PLAIN.as_bytes())?;
        match rest.split_first() {
            None if mechanism == "NULL" => Some(Self::Plain),
            Some((b'/', named)) if named == mechanism.as_bytes() => Some(Self::Mechanism),
            _ => None,
        }
    }
}

/// The headers that matter.
#[derive(Default)]
struct Fields<'a> {
    upgrades: bool,
    key: Option<&'a [u8]>,
    accept: Option<&'a [u8]>,
    protocols: Vec<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn read(headers: &[Header<'a>]) -> Result<Self, ProtocolError> {
        let mut fields = Self::default();
        let (mut to_websocket, mut connection) = (false, false);
        for Header { name, value } in headers {
            if name.len() > MAX_NAME || value.len() > MAX_VALUE {
                return Err(REFUSED);
            }
            // Of one that comes twice the last counts, but lists go on.
            if name.eq_ignore_ascii_case("upgrade") {
                to_websocket = value.eq_ignore_ascii_case(b"websocket");
            } else if name.eq_ignore_ascii_case("connection") {
                connection |= list(value).any(|option| option.eq_ignore_ascii_case(b"upgrade"));
            } else if name.eq_ignore_ascii_case("sec-websocket-key") {
                fields.key = Some(*value).filter(|key| !key.is_empty());
            } else if name.eq_ignore_ascii_case("sec-websocket-accept") {
                fields.accept = Some(value);
            } else if name.eq_ignore_ascii_case("sec-websocket-protocol") {
                fields.protocols.extend(list(value));
            }
        }
        fields.upgrades = to_websocket && connection;
        Ok(fields)
    }
}

/// The elements of a list.
fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// Whether `head` begins with that, or may yet.
fn starts_with(head: &[u8], beginning: &[u8]) -> Result<(), ProtocolError> {
    let there = head.len().min(beginning.len());
    if head[..there] == beginning[..there] { Ok(()) } else { Err(REFUSED) }
}
