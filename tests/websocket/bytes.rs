//! What peers say, right and wrong. The unit tests of the wire have it from here too.

pub const KEY: &str = "x3JJHMbDL1EzLkh9GBhXDw==";
/// From RFC 45: the answer to `KEY`.
pub const ACCEPT: &str = "HSmrc0sMlYUkAGmm5OPpG2HaGWk=";

/// A request that a server of ours grants.
pub fn request(protocols: &str) -> String {
    format!(
        "GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n\
         Sec-WebSocket-Protocol: {protocols}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// A frame, masked if there is a mask.
pub fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let mut out = match payload.len() {
        length @ 0..126 => vec![first, bit | length as u8],
        length @ 126..=0xffff => [&[first, bit | 126][..], &(length as u16).to_be_bytes()].concat(),
        length => [&[first, bit | 127][..], &(length as u64).to_be_bytes()].concat(),
    };
    out.extend(mask.iter().flatten());
    let mask = mask.unwrap_or_default();
    out.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    out
}

/// Changes of a response after which it grants nothing.
pub const UNGRANTED: [(&str, &str); 13] = [
    ("Accept: ", "Accept: x"),
    ("Sec-WebSocket-Accept", "X-Accept"),
    ("101", "200"),
    ("101 Switching Protocols", "400 Bad Request"),
    ("HTTP/1.1", "HTTP/1.0"),
    ("HTTP/1.1", "zzz"),
    ("Upgrade: websocket\r\n", ""),
    ("Connection: Upgrade\r\n", ""),
    ("Sec-WebSocket-Protocol: ZWS2.0/NULL\r\n", ""),
    ("ZWS2.0/NULL", "ZWS2.0/CURVE"),
    ("ZWS2.0/NULL", "ZWS2.0/NULL,ZWS2.0"),
    ("ZWS2.0/NULL", "chat"),
    ("\r\n", "\n"),
];
