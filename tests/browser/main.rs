//! A real browser, headless Chromium (`scripts/deps.sh browser` installs it), speaks ZWS 2.0 to a socket of ours, with and without TLS.

#[allow(dead_code)]
#[path = "../wss/certificates.rs"]
mod certificates;
#[path = "../sockets/support.rs"]
mod support;
#[path = "../sessions/watch.rs"]
mod watch;

use certificates::Identity;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use support::{Context, Socket};
use watch::Watch;
use zmq::ffi::constants::*;

/// How long the browser may take to start, in milliseconds.
const START: i32 = 60_000;

/// One browser at a time: each is a dozen processes.
static TURN: Mutex<()> = Mutex::new(());
static NUMBER: AtomicU32 = AtomicU32::new(0);

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

/// A browser with one page open.
struct Browser {
    process: Child,
    folder: PathBuf,
}

impl Browser {
    fn open(endpoint: &str, arguments: &[&str]) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("browser-{}-{number}", std::process::id());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let page = folder.join("page.html");
        std::fs::write(&page, PAGE.replace("ENDPOINT", &format!("{endpoint:?}"))).unwrap();
        // Its sandbox needs privileges that a container may not have, and its shared memory more room than one gives. It is shown
        // nothing but this page.
        let process = Command::new("chromium")
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .args(arguments)
            .arg(format!("file://{}", page.display()))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromium: {error}; scripts/deps.sh browser installs it"));
        Self { process, folder }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // SAFETY: a signal to the processes that this test has started.
        unsafe { libc::kill(-(self.process.id() as i32), libc::SIGKILL) };
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

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

fn check(scheme: &str, arguments: &[&str]) {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let context = Context::new();
    let socket = context.socket(ZMQ_DEALER);
    Identity::new().give(&socket);
    socket.bind(&format!("{scheme}://127.0.0.1:*/zws")).unwrap();
    let watch = Watch::new(&context, &socket);
    let browser = Browser::open(&socket.last_endpoint(), arguments);
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
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let context = Context::new();
    let socket = context.socket(ZMQ_DEALER);
    Identity::new().give(&socket);
    socket.bind("wss://127.0.0.1:*/zws").unwrap();
    let watch = Watch::new(&context, &socket);
    watch.0.set(ZMQ_RCVTIMEO, START).unwrap();
    let browser = Browser::open(&socket.last_endpoint(), &[]);
    let failed = watch.wait_for(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
    assert_eq!(failed.values, [libc::EACCES as u64]);
    watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    drop(browser);
    assert_eq!(socket.try_recv(), Err(libc::EAGAIN));
}
