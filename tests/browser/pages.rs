//! Pages that are DEALER, REQ, SUB and PUSH to sockets of ours, lose their connections and come again.

use crate::chromium::Browser;
use crate::support::{Context, Outcome, Socket, errno, eventually};
use zmq::ffi::constants::*;
use zmq::ffi::socket::zmq_msg_recv;
use zmq::message::Message;

/// What pages have in common: `open (where)` gives a connection without a mechanism, which begins with a routing id; `send (parts)` on it
/// sends a message; and its `onparts` is called with each one that arrives. Parts are arrays of bytes.
const LIBRARY: &str = r"
const bytes = text => new TextEncoder().encode(text);
function open(where, id = '') {
  const socket = new WebSocket(where, 'ZWS2.0');
  socket.binaryType = 'arraybuffer';
  let parts = [], greeted = false;
  const part = (flags, body) => {
    const frame = new Uint8Array(1 + body.length);
    frame[0] = flags;
    frame.set(body, 1);
    socket.send(frame);
  };
  const link = {
    socket,
    send(message) { message.forEach((body, at) => part(at + 1 < message.length ? 1 : 0, body)); },
    onopen() {}, onparts() {}, onclose() {},
  };
  socket.onopen = () => { part(0, bytes(id)); link.onopen(); };
  socket.onclose = event => link.onclose(event);
  socket.onmessage = event => {
    const frame = new Uint8Array(event.data);
    if (!greeted) { greeted = true; return; }
    parts.push(frame.slice(1));
    if (frame[0] & 1) return;
    const message = parts;
    parts = [];
    link.onparts(message);
  };
  return link;
}
";

fn bind(socket: &Socket) -> String {
    // A browser takes its time to start, on a machine that has other things to do.
    socket.set(ZMQ_RCVTIMEO, crate::START).expect("an option");
    socket.bind("ws://127.0.0.1:*/zmq").expect("a free port");
    socket.last_endpoint()
}

fn page(script: &str) -> String {
    format!("<!DOCTYPE html><script>{LIBRARY}{script}</script>")
}

/// A message of any size, in its parts.
fn recv_all(socket: &Socket) -> Outcome<Vec<Vec<u8>>> {
    let mut parts = Vec::new();
    loop {
        let mut message = Message::new();
        // SAFETY: a message and a socket.
        if unsafe { zmq_msg_recv(&mut message, socket.handle(), 0) } < 0 {
            return Err(errno());
        }
        parts.push(message.data().to_vec());
        if !message.more() {
            return Ok(parts);
        }
    }
}

#[test]
fn a_dealer_in_a_page_talks_to_a_router() {
    let context = Context::new();
    let router = context.socket(ZMQ_ROUTER);
    let endpoint = bind(&router);
    let _browser = Browser::open(
        &page(&format!(
            "const link = open('{endpoint}', 'page');
             link.onopen = () => link.send([bytes('hello'), bytes(''), bytes('from ' + link.socket.protocol)]);
             link.onparts = parts => link.send(parts);"
        )),
        &[],
    );
    let parts: [&[u8]; 4] = [b"page", b"hello", b"", b"from ZWS2.0"];
    assert_eq!(recv_all(&router).unwrap(), parts);
    // What a page sends in a large frame this browser cuts into fragments: 1 MiB is some.
    for size in [0, 1, 124, 125, 126, 65_534, 65_535, 65_536, 1 << 20, 5_000_000] {
        let body: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        router.send_more(b"page").unwrap();
        router.send_more(&body).unwrap();
        router.send(b"end").unwrap();
        let echo = recv_all(&router).unwrap_or_else(|error| panic!("{size}: {error}"));
        assert!(echo == [b"page".to_vec(), body, b"end".to_vec()], "{size}");
    }
}

#[test]
fn a_page_asks_and_is_answered() {
    let context = Context::new();
    let rep = context.socket(ZMQ_REP);
    let endpoint = bind(&rep);
    let _browser = Browser::open(
        &page(&format!(
            "const link = open('{endpoint}');
             let count = 0;
             const ask = () => link.send([bytes(''), bytes('question ' + count)]);
             link.onopen = ask;
             link.onparts = parts => {{ count = Number(new TextDecoder().decode(parts[1])); ask(); }};"
        )),
        &[],
    );
    for number in 0..200 {
        assert_eq!(rep.recv().unwrap(), format!("question {number}").as_bytes());
        rep.send((number + 1).to_string().as_bytes()).unwrap();
    }
}

#[test]
fn a_page_subscribes_and_reports() {
    let context = Context::new();
    let (xpub, pull) = (context.socket(ZMQ_XPUB), context.socket(ZMQ_PULL));
    let (news, reports) = (bind(&xpub), bind(&pull));
    let _browser = Browser::open(
        &page(&format!(
            "const reports = open('{reports}');
             reports.onopen = () => {{
               const news = open('{news}');
               news.onopen = () => news.send([Uint8Array.from([1, ...bytes('A')])]);
               news.onparts = parts => reports.send([bytes('got'), ...parts]);
             }};"
        )),
        &[],
    );
    assert_eq!(xpub.recv().unwrap(), b"\x01A");
    for body in [&b"B nobody wants"[..], b"A first", b"A second"] {
        xpub.send(body).unwrap();
    }
    for body in [&b"A first"[..], b"A second"] {
        assert_eq!(pull.recv_all().unwrap(), [b"got", body]);
    }
}

#[test]
fn a_page_sees_its_connection_end_and_comes_again() {
    let context = Context::new();
    let (router, pull) = (context.socket(ZMQ_ROUTER), context.socket(ZMQ_PULL));
    let (endpoint, reports) = (bind(&router), bind(&pull));
    let _browser = Browser::open(
        &page(&format!(
            "const reports = open('{reports}');
             function go() {{
               const link = open('{endpoint}', 'page');
               link.onopen = () => link.send([bytes('here')]);
               link.onparts = () => link.socket.send('text is not spoken');
               link.onclose = () => {{ reports.send([bytes('closed')]); setTimeout(go, 50); }};
             }}
             reports.onopen = go;"
        )),
        &[],
    );
    let here = [b"page".to_vec(), b"here".to_vec()];
    assert_eq!(recv_all(&router).unwrap(), here);
    // Text ends the connection, and only that one.
    router.send_more(b"page").unwrap();
    router.send(b"say something").unwrap();
    assert_eq!(pull.recv().unwrap(), b"closed");
    assert_eq!(recv_all(&router).unwrap(), here);
    // So does the end of the socket.
    router.close().unwrap();
    assert_eq!(pull.recv().unwrap(), b"closed");
    let router = context.socket(ZMQ_ROUTER);
    router.set(ZMQ_RCVTIMEO, crate::START).unwrap();
    eventually("the port is free", || router.bind(&endpoint).is_ok());
    assert_eq!(recv_all(&router).unwrap(), here);
}

#[test]
fn a_page_that_asks_for_another_subprotocol_is_refused() {
    let context = Context::new();
    let (rep, pull) = (context.socket(ZMQ_REP), context.socket(ZMQ_PULL));
    let (endpoint, reports) = (bind(&rep), bind(&pull));
    let _browser = Browser::open(
        &page(&format!(
            "const reports = open('{reports}');
             reports.onopen = () => {{
               for (const name of ['chat', 'ZWS1.0'])
                 new WebSocket('{endpoint}', name).onclose = event => reports.send([bytes(name + ' ' + event.code)]);
             }};"
        )),
        &[],
    );
    let mut refused = [pull.recv().unwrap(), pull.recv().unwrap()];
    refused.sort();
    // 1006: there was no Close frame. (Names with a slash are none to a browser, so it can't ask for a mechanism.)
    assert_eq!(refused, [b"ZWS1.0 1006".to_vec(), b"chat 1006".to_vec()]);
}
