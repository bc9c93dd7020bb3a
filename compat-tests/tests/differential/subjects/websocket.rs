//! What a bare peer is answered over `ws://`: the upgrade, the frames' headers, control frames and commands.

use std::net::TcpListener;

use crate::Case;
use crate::bare::{Bare, listen, property};
use crate::script::{Show, Socket, Test, m, show};
use crate::watch::Watch;
use crate::zmq;

const KEY: &str = "x3JJHMbDL1EzLkh9GBhXDw==";

const BINARY: u8 = 0x82;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, change) in requests() {
        cases.push(Case::new(format!("websocket/request with {name}"), move |t| asks(t, &change())));
    }
    for (name, from, to) in RESPONSES {
        cases.push(Case::new(format!("websocket/response with {name}"), move |t| granted(t, from, to)));
    }
    for protocol in ["ZWS2.0/NULL", "ZWS2.0"] {
        for (name, frames) in frames() {
            cases.push(Case::new(format!("websocket/{protocol}, {name}"), move |t| {
                framed(t, protocol, &frames());
            }));
        }
    }
    for (name, first) in handshakes() {
        cases.push(Case::new(format!("websocket/mechanism, {name}"), move |t| shaken(t, &first())));
    }
    for (kind, peer) in super::wire::PEERS {
        if kind == zmq::STREAM {
            continue;
        }
        let name = zmq::TYPES[kind as usize];
        cases.push(Case::new(format!("websocket/commands to {name}"), move |t| commands(t, kind, peer)));
    }
    cases.push(Case::new("websocket/asked by a client", request_of));
    cases
}

fn request(protocols: &str) -> String {
    format!(
        "GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n\
         Sec-WebSocket-Protocol: {protocols}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

type Text = Box<dyn Fn() -> String + Sync + Send>;

/// Requests that are right, or wrong in one thing.
fn requests() -> Vec<(&'static str, Text)> {
    let change = |from: &'static str, to: &'static str| -> Text {
        Box::new(move || request("ZWS2.0/NULL").replace(from, to))
    };
    let protocols = |list: &'static str| -> Text { Box::new(move || request(list)) };
    vec![
        ("nothing wrong", change("", "")),
        ("POST", change("GET", "POST")),
        ("get", change("GET", "get")),
        ("HTTP 1.0", change("HTTP/1.1", "HTTP/1.0")),
        ("HTTP 2", change("HTTP/1.1", "HTTP/2")),
        ("no version", change(" HTTP/1.1", "")),
        ("no path", change(" /x", "")),
        ("another path", change("/x", "/another/path?and=a&query")),
        ("no key", change("Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n", "")),
        ("an empty key", change(KEY, "")),
        ("a key of another length", change(KEY, "abc")),
        ("two keys", change("Host: h", "Sec-WebSocket-Key: abc")),
        ("another upgrade", change("Upgrade: websocket", "Upgrade: h2c")),
        ("an upgrade in other letters", change("Upgrade: websocket", "UPGRADE: WebSocket")),
        ("no upgrade", change("Upgrade: websocket\r\n", "")),
        ("Connection: close", change("Connection: Upgrade", "Connection: close")),
        ("Connection: keep-alive, Upgrade", change("Connection: Upgrade", "Connection: keep-alive, Upgrade")),
        ("no Connection", change("Connection: Upgrade\r\n", "")),
        ("no host", change("Host: h\r\n", "")),
        ("no version of WebSockets", change("Sec-WebSocket-Version: 13\r\n", "")),
        ("another version of WebSockets", change("Version: 13", "Version: 8")),
        ("no subprotocol", change("Sec-WebSocket-Protocol: ZWS2.0/NULL\r\n", "")),
        ("subprotocol chat", protocols("chat")),
        ("subprotocol ZWS1.0", protocols("ZWS1.0")),
        ("subprotocol ZWS2.0", protocols("ZWS2.0")),
        ("subprotocol ZWS2.0/", protocols("ZWS2.0/")),
        ("subprotocol ZWS2.0/PLAIN", protocols("ZWS2.0/PLAIN")),
        ("subprotocol ZWS2.0/CURVE", protocols("ZWS2.0/CURVE")),
        ("subprotocol zws2.0/null", protocols("zws2.0/null")),
        ("subprotocol ZWS2.0/NULLX", protocols("ZWS2.0/NULLX")),
        ("subprotocols chat, ZWS2.0/NULL", protocols("chat, ZWS2.0/NULL")),
        ("subprotocols ZWS2.0,ZWS2.0/NULL", protocols("ZWS2.0,ZWS2.0/NULL")),
        ("subprotocols ZWS2.0/NULL,ZWS2.0", protocols("ZWS2.0/NULL,ZWS2.0")),
        ("lines without CR", change("\r\n", "\n")),
        ("a header without a colon", change("Host: h", "Host")),
        ("a header without a name", change("Host: h", ": h")),
        ("a header without a value", change("Host: h", "Host:")),
        ("a header without a space", change("Host: h", "Host:h")),
        ("a space before the colon", change("Host: h", "Host : h")),
        ("a folded header", change("Host: h", "Host: h\r\n more")),
        ("ZMTP", Box::new(|| "\u{1}\0\0\0\0\0\0\0\u{1}\u{7f}".to_owned())),
        ("a response", Box::new(|| "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned())),
        ("an empty line", Box::new(|| "\r\n".to_owned())),
    ]
}

/// What of a right response is replaced by what.
const RESPONSES: [(&str, &str, &str); 20] = [
    ("nothing wrong", "", ""),
    ("a wrong Accept", "Accept: ", "Accept: x"),
    ("no Accept", "Sec-WebSocket-Accept", "X-Accept"),
    ("status 200", "101", "200"),
    ("status 400", "101 Switching Protocols", "400 Bad Request"),
    ("no status", "101 ", ""),
    ("HTTP 1.0", "HTTP/1.1", "HTTP/1.0"),
    ("no HTTP", "HTTP/1.1", "zzz"),
    ("no reason", " Switching Protocols", ""),
    ("another upgrade", "Upgrade: websocket", "Upgrade: h2c"),
    ("no upgrade", "Upgrade: websocket\r\n", ""),
    ("no Connection", "Connection: Upgrade\r\n", ""),
    ("Connection: close", "Connection: Upgrade", "Connection: close"),
    ("no subprotocol", "Sec-WebSocket-Protocol: ZWS2.0/NULL\r\n", ""),
    ("subprotocol ZWS2.0", "ZWS2.0/NULL", "ZWS2.0"),
    ("subprotocol ZWS2.0/CURVE", "ZWS2.0/NULL", "ZWS2.0/CURVE"),
    ("two subprotocols", "ZWS2.0/NULL", "ZWS2.0/NULL,ZWS2.0"),
    ("subprotocol chat", "ZWS2.0/NULL", "chat"),
    ("another header", "Upgrade: websocket", "Upgrade: websocket\r\nServer: some"),
    ("lines without CR", "\r\n", "\n"),
];

/// A frame, masked if there is a mask.
fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
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

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, Some([0x12, 0x34, 0x56, 0x78]))
}

fn command(name: &str, data: &[u8]) -> Vec<u8> {
    [&[2, name.len() as u8][..], name.as_bytes(), data].concat()
}

fn ready(kind: &str) -> Vec<u8> {
    command("READY", &property("Socket-Type", kind.as_bytes()))
}

type Bytes = Box<dyn Fn() -> Vec<u8> + Sync + Send>;

/// What follows a handshake.
fn frames() -> Vec<(&'static str, Bytes)> {
    let one = |first: u8, payload: &'static [u8]| -> Bytes { Box::new(move || masked(first, payload)) };
    let raw = |bytes: &'static [u8]| -> Bytes { Box::new(move || bytes.to_vec()) };
    vec![
        ("a message", one(BINARY, b"\0a")),
        ("an empty message", one(BINARY, b"\0")),
        ("a part", one(BINARY, b"\x01a")),
        ("unknown flags", one(BINARY, b"\xf8a")),
        ("an unknown command", one(BINARY, b"\x02\x03FOO")),
        ("a command without name", one(BINARY, b"\x02\0")),
        ("an empty command", one(BINARY, b"\x02")),
        ("a name cut short", one(BINARY, b"\x02\x09FOO")),
        ("a PING of ZMTP's", Box::new(|| masked(BINARY, &command("PING", b"\0\0c")))),
        ("125 bytes", Box::new(|| masked(BINARY, &[0; 126]))),
        ("300 bytes", Box::new(|| masked(BINARY, &[0; 301]))),
        ("70,000 bytes", Box::new(|| masked(BINARY, &[0; 70_001]))),
        ("reserved bits", one(0xf2, b"\0a")),
        ("a short message in a 16-bit length", raw(b"\x82\xfe\0\x02\0\0\0\0\0a")),
        ("a short message in a 64-bit length", raw(b"\x82\xff\0\0\0\0\0\0\0\x02\0\0\0\0\0a")),
        ("a length with the highest bit", raw(b"\x82\xff\x80\0\0\0\0\0\0\x02\0\0\0\0\0a")),
        ("PING", one(0x89, b"")),
        ("PING with a body", one(0x89, b"abc")),
        ("PONG", one(0x8a, b"")),
        ("Close", one(0x88, b"\x03\xe8bye")),
        ("Close without a reason", one(0x88, b"")),
        ("text, which isn't spoken", one(0x81, b"\0text")),
        ("a reserved opcode, which isn't spoken", one(0x83, b"\0a")),
        ("a reserved control frame, which isn't spoken", one(0x8b, b"")),
        ("a continuation of nothing, which isn't spoken", one(0x80, b"\0a")),
        ("a control frame in fragments, which isn't spoken", one(0x09, b"")),
        ("a frame without the flags byte, which isn't spoken", one(BINARY, b"")),
        ("no mask, which isn't spoken", Box::new(|| frame(BINARY, b"\0a", None))),
        ("fragments", Box::new(|| [masked(0x02, b"\0a"), masked(0x80, b"b")].concat())),
    ]
}

/// What comes in the place of READY.
fn handshakes() -> Vec<(&'static str, Bytes)> {
    let one = |payload: &'static [u8]| -> Bytes { Box::new(move || masked(BINARY, payload)) };
    let of = |payload: Vec<u8>| -> Bytes { Box::new(move || masked(BINARY, &payload)) };
    let mut as_message = ready("PUSH");
    as_message[0] = 0;
    let mut with_more = ready("PUSH");
    with_more[0] = 3;
    let cut = ready("PUSH")[..15].to_vec();
    vec![
        ("READY", of(ready("PUSH"))),
        ("READY as a message", of(as_message)),
        ("READY with more", of(with_more)),
        ("READY cut short", of(cut)),
        ("READY of a wrong type", of(ready("REQ"))),
        ("READY of an unknown type", of(ready("NOSUCH"))),
        ("READY without a type", of(command("READY", b""))),
        ("ERROR", of(command("ERROR", b"\x06reason"))),
        ("ERROR cut short", of(command("ERROR", b"\x09abc"))),
        ("HELLO", of(command("HELLO", b"\0\0"))),
        ("a message", one(b"\0hello")),
        ("nothing", one(b"\0")),
        ("PING", Box::new(|| masked(0x89, b"x"))),
        ("PONG", Box::new(|| masked(0x8a, b"x"))),
        ("Close", Box::new(|| masked(0x88, b""))),
    ]
}

fn bound<'a>(t: &'a Test, kind: i32) -> (Socket<'a>, Watch<'a>, Bare<'a>) {
    let s = t.socket_over("ws", kind);
    let watch = Watch::new(&s);
    let endpoint = s.bind_anywhere("ws");
    let bare = Bare::connect(t, endpoint.trim_start_matches("ws://").trim_end_matches("/path"));
    (s, watch, bare)
}

/// The end as far as it has come, and what the end of the peer makes of it.
fn finish(t: &Test, s: &Socket, watch: &Watch, bare: Bare) {
    let _ = s.events();
    show!(t, ["events"], watch.names());
    drop(bare);
    t.settle();
    let _ = s.events();
    show!(t, ["events at the end"], watch.names());
    let _ = s.close();
    watch.until("watch", "MONITOR_STOPPED");
}

fn asks(t: &Test, request: &str) {
    let (s, watch, bare) = bound(t, zmq::PULL);
    bare.send(request.as_bytes());
    show!(t, ["the peer sees"], bare.read());
    bare.send(&masked(BINARY, &ready("PUSH")));
    let seen = bare.read();
    show!(t, ["behind READY"], seen.end);
    bare.send(&masked(BINARY, b"\0hello"));
    show!(t, ["the socket gets"], s.recv_all());
    finish(t, &s, &watch, bare);
}

/// What a client asks, with its key, which is another each time, taken out.
fn asked<'a>(t: &'a Test, listener: &TcpListener) -> Option<(Bare<'a>, String, String)> {
    let bare = Bare::accept(t, listener);
    let head = String::from_utf8_lossy(&bare.read().bytes).into_owned();
    let key = head.split_once("Sec-WebSocket-Key: ")?.1.split("\r\n").next()?.to_owned();
    let shown = head.replace(&key, "KEY");
    Some((bare, shown, key))
}

fn request_of(t: &Test) {
    for (path, kind) in [("", zmq::PUSH), ("/a/b", zmq::DEALER), ("/x?y=z#f", zmq::SUB)] {
        let c = t.socket_over("ws", kind);
        t.remote();
        let (listener, endpoint) = listen(t);
        show!(t, ["connect to {path:?}"], c.connect(&(endpoint.replace("tcp://", "ws://") + path)));
        match asked(t, &listener) {
            Some((_, head, key)) => show!(t, ["{head}"], key.len()),
            None => t.say("no key"),
        }
        let _ = c.close();
    }
}

/// The answer to a key, as the library itself gives it.
fn accept_for(t: &Test, key: &str) -> String {
    let s = t.socket(zmq::PULL);
    let endpoint = s.bind_anywhere("ws");
    let bare = Bare::connect(t, endpoint.trim_start_matches("ws://").trim_end_matches("/path"));
    bare.send(request("ZWS2.0/NULL").replace(KEY, key).as_bytes());
    let head = String::from_utf8_lossy(&bare.read().bytes).into_owned();
    let _ = s.close();
    head.split("Sec-WebSocket-Accept: ")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next())
        .unwrap_or_default()
        .to_owned()
}

fn granted(t: &Test, from: &str, to: &str) {
    let c = t.socket_over("ws", zmq::PUSH);
    t.remote();
    let _ = c.set_int(zmq::RECONNECT_IVL, 60_000);
    let watch = Watch::new(&c);
    let (listener, endpoint) = listen(t);
    show!(t, ["connect"], c.connect(&endpoint.replace("tcp://", "ws://")));
    let Some((bare, _, key)) = asked(t, &listener) else { return t.say("no key") };
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: ZWS2.0/NULL\r\n\r\n",
        accept_for(t, &key)
    );
    let response = if from.is_empty() { response } else { response.replace(from, to) };
    bare.send(response.as_bytes());
    let seen = bare.read();
    // What is masked with a random mask can't be compared.
    show!(t, ["the peer sees"], format!("{} bytes, {}", seen.bytes.len(), seen.end));
    bare.send(&frame(BINARY, &ready("PULL"), None));
    // A pipe ends in several steps, each of which a call on the socket has to take.
    for _ in 0..3 {
        t.settle();
        let _ = c.events();
    }
    show!(t, ["sent"], c.send_now(m!("hello")));
    let seen = bare.read();
    show!(t, ["the peer sees"], format!("{} bytes, {}", seen.bytes.len(), seen.end));
    finish(t, &c, &watch, bare);
}

fn shake(bare: &Bare, protocol: &str, kind: &str) -> String {
    bare.send(request(protocol).as_bytes());
    let _ = bare.read();
    bare.send(&masked(BINARY, &if protocol == "ZWS2.0" { b"\0id".to_vec() } else { ready(kind) }));
    bare.read().end.to_owned()
}

fn framed(t: &Test, protocol: &str, bytes: &[u8]) {
    let (s, watch, bare) = bound(t, zmq::PULL);
    show!(t, ["shaken hands"], shake(&bare, protocol, "PUSH"));
    bare.send(bytes);
    let seen = bare.read();
    show!(t, ["the peer sees"], &seen);
    // One that is received if the connection lives on.
    bare.send(&masked(BINARY, b"\0after"));
    let bodies: Vec<String> =
        s.recv_all().iter().map(|message| message.last().cloned().unwrap_or_default().show()).collect();
    show!(t, ["the socket gets"], bodies);
    show!(t, ["then"], bare.read().end);
    finish(t, &s, &watch, bare);
}

fn shaken(t: &Test, first: &[u8]) {
    let (s, watch, bare) = bound(t, zmq::PULL);
    bare.send(request("ZWS2.0/NULL").as_bytes());
    let _ = bare.read();
    bare.send(first);
    let seen = bare.read();
    show!(t, ["the peer sees"], if seen.end == "open" { seen.show() } else { seen.end.to_owned() });
    bare.send(&masked(BINARY, b"\0after"));
    show!(t, ["the socket gets"], s.recv_all());
    finish(t, &s, &watch, bare);
}

/// Commands of ZMTP's, behind the handshake.
fn commands(t: &Test, kind: i32, peer: i32) {
    let commands: Vec<(&str, Vec<u8>)> = vec![
        ("PING", command("PING", b"\0\0")),
        ("PONG", command("PONG", b"")),
        ("ERROR", command("ERROR", b"\x03abc")),
        ("READY again", ready(zmq::TYPES[peer as usize])),
        ("SUBSCRIBE", command("SUBSCRIBE", b"topic")),
        ("CANCEL", command("CANCEL", b"topic")),
        ("JOIN", command("JOIN", b"group")),
        ("LEAVE", command("LEAVE", b"group")),
        ("a subscription", b"\0\x01topic".to_vec()),
        ("a cancellation", b"\0\0topic".to_vec()),
    ];
    for (what, bytes) in commands {
        let (s, watch, bare) = bound(t, kind);
        let _ = s.set(zmq::SUBSCRIBE, b"");
        let _ = shake(&bare, "ZWS2.0/NULL", zmq::TYPES[peer as usize]);
        let _ = (s.events(), bare.read());
        bare.send(&masked(BINARY, &bytes));
        // It is answered if the connection lives on.
        bare.send(&masked(0x89, b""));
        let seen = bare.read();
        let bodies: Vec<String> =
            s.recv_all().iter().map(|message| message.last().cloned().unwrap_or_default().show()).collect();
        show!(t, ["{what}"], &seen);
        show!(t, ["  the socket gets"], bodies);
        drop(bare);
        show!(t, ["  events"], watch.names());
        let _ = s.close();
        watch.skip_until("MONITOR_STOPPED");
        watch.close();
    }
}
