//! PUB, XPUB, SUB and XSUB over norm, through the C ABI: on one machine, in a network namespace of its own. The system's `libnorm.so.1` has to be there (package
//! `libnorm1`, or `libnorm-dev`).

mod bad;
mod endpoints;
mod messages;
#[path = "../sockets/support.rs"]
mod support;

use std::process::Command;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use support::{Context, Socket};
use zmq::ffi::constants::*;

/// Set in the second run.
const INSIDE: &str = "FERROZMQ_INSIDE_NAMESPACE";

static MACHINE: Mutex<()> = Mutex::new(());

/// Runs a test in a network namespace with nothing but loopback, which carries multicast: the program again, for this test only. `None`: that was done.
/// The name is the test's, with its module's.
fn inside(test: &str) -> Option<MutexGuard<'static, ()>> {
    if std::env::var_os(INSIDE).is_some() {
        for arguments in ["link set lo up", "route add 224.0.0.0/4 dev lo"] {
            let status = Command::new("ip").args(arguments.split(' ')).status();
            assert!(status.is_ok_and(|status| status.success()), "ip {arguments}, of the package iproute2");
        }
        return Some(MACHINE.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
    let program = std::env::current_exe().expect("this program");
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net"])
        .arg(program)
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env(INSIDE, "1")
        .status();
    let status = status.unwrap_or_else(|error| panic!("{test}: unshare, of the package util-linux: {error}"));
    assert!(
        status.success(),
        "{test}: network namespaces are not permitted here, or the test has failed in them"
    );
    None
}

/// A group that only this test uses, in its namespace.
const GROUP: &str = "lo;224.77.0.1:5556";

/// A subscriber to everything, as the node of that number.
fn subscriber(context: &Context, node: u32) -> Socket {
    let socket = context.socket(ZMQ_SUB);
    socket.set_bytes(ZMQ_SUBSCRIBE, b"").expect("a subscription");
    socket.set(ZMQ_RCVHWM, 0).expect("an option");
    socket.set(ZMQ_RCVTIMEO, 20_000).expect("an option");
    socket.connect(&format!("norm://{node},{GROUP}")).expect("libnorm.so.1, of the package libnorm1");
    socket
}

/// A publisher, as the node of that number.
fn publisher(context: &Context, node: u32) -> Socket {
    let socket = context.socket(ZMQ_PUB);
    socket.set(ZMQ_SNDHWM, 0).expect("an option");
    socket.set(ZMQ_LINGER, 20_000).expect("an option");
    socket.bind(&format!("norm://{node},{GROUP}")).expect("libnorm.so.1, of the package libnorm1");
    socket
}

/// A moment for what happens in the background.
fn pause() {
    std::thread::sleep(Duration::from_millis(200));
}
