//! A real browser, headless Chromium (`scripts/deps.sh browser` installs it), speaks ZWS 2.0 to a socket of ours, with and without TLS.

#[allow(dead_code)]
#[path = "../wss/certificates.rs"]
mod certificates;
mod chromium;
mod pages;
#[path = "../sockets/support.rs"]
mod support;
#[path = "../sessions/watch.rs"]
mod watch;

use certificates::Identity;
use chromium::Browser;
use support::{Context, Socket};
use watch::Watch;
use zmq::ffi::constants::*;

/// How long the browser may take to start, in milliseconds.
const START: i32 = 60_000;

/// What the browser runs: a ZWS peer that says a word, and then sends back what it gets, each part backwards. A browser can ask for no
/// mechanism: a subprotocol with a slash is none to it. So both sides begin with their routing id, here an empty one.
const PAGE: &str = r#"<!DOCTYPE html><script>
const socket = new WebSocket(ENDPOINT, 'ZWS2.0');
socket.binaryType = 'arraybuffer';
let begun = false;
socket.onopen = () => socket.send(new Uint8Array([0]));
socket.onmessage = event => {
    const frame = new Uint8Array(event.data);
    if (begun) {
        frame.subarray(1).reverse();
        socket.send(frame);
    } else {
        begun = true;
        const word = frame.length == 1 && frame[0] == 0 ? 'the browser' : 'a wrong beginning';
        socket.send(new Uint8Array([0, ...new TextEncoder().encode(word)]));
    }
};
</script>"#;

/// Talks to the browser until all has been said.
fn talk(socket: &Socket) {
    socket.set(ZMQ_RCVTIMEO, START).unwrap();
    assert_eq!(socket.recv().unwrap(), b"the browser");
    for size in [0, 1, 124, 125, 126, 8191, 8192, 60_000] {
        let body: Vec<u8> = (0..size).map(|at| (at ^ (at >> 8)) as u8).collect();
        socket.send(&body).unwrap();
        let backwards: Vec<u8> = body.into_iter().rev().collect();
        assert_eq!(socket.recv().unwrap(), backwards, "{size}");
    }
    for part in [&b"one"[..], b"", b"two"] {
        socket.send_more(part).unwrap();
    }
    socket.send(b"three").unwrap();
    assert_eq!(socket.recv_all().unwrap(), [&b"eno"[..], b"", b"owt", b"eerht"]);
    for number in 0..1000_u32 {
        socket.send(&number.to_be_bytes()).unwrap();
    }
    for number in 0..1000_u32 {
        assert_eq!(socket.recv().unwrap(), number.to_le_bytes());
    }
}

fn page(socket: &Socket) -> String {
    PAGE.replace("ENDPOINT", &format!("{:?}", socket.last_endpoint()))
}

fn check(scheme: &str, arguments: &[&str]) {
    let context = Context::new();
    let socket = context.socket(ZMQ_DEALER);
    Identity::new().give(&socket);
    socket.bind(&format!("{scheme}://127.0.0.1:*/zws")).unwrap();
    let watch = Watch::new(&context, &socket);
    let browser = Browser::open(&page(&socket), arguments);
    talk(&socket);
    drop(browser);
    watch.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    watch.wait_for(ZMQ_EVENT_DISCONNECTED);
}

#[test]
fn ws() {
    check("ws", &[]);
}

#[test]
fn wss() {
    check("wss", &["--ignore-certificate-errors"]);
}

/// The browser knows nobody who has vouched for the certificate. It says so, and the socket goes on.
#[test]
fn wss_that_the_browser_does_not_trust() {
    let context = Context::new();
    let socket = context.socket(ZMQ_DEALER);
    Identity::new().give(&socket);
    socket.bind("wss://127.0.0.1:*/zws").unwrap();
    let watch = Watch::new(&context, &socket);
    watch.0.set(ZMQ_RCVTIMEO, START).unwrap();
    let browser = Browser::open(&page(&socket), &[]);
    let failed = watch.wait_for(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
    assert_eq!(failed.values, [libc::EAGAIN as u64]);
    watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    drop(browser);
    assert_eq!(socket.try_recv(), Err(libc::EAGAIN));
}
