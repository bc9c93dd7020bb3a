//! Transports that need families of sockets which few kernels have at hand: tipc, vsock, vmci. `make test-vm` boots a kernel that has them, and runs
//! what is ignored elsewhere.

mod bad;
mod names;
mod options;
mod patterns;
mod places;
#[path = "../sockets/support.rs"]
mod support;
mod vanishing;
#[path = "../sessions/watch.rs"]
mod watch;
#[allow(dead_code)]
#[path = "../bad_input/wire.rs"]
mod zmtp;

use support::Context;
use zmq::ffi::constants::ZMQ_DEALER;

/// Everywhere: a family that the kernel lacks is an error of `zmq_bind`, at once, and to connect goes on trying.
#[test]
fn what_the_kernel_lacks_is_said_at_once() {
    let context = Context::new();
    for (family, bound, connected) in [
        (libc::AF_TIPC, "tipc://{5599,0,0}", "tipc://{5599,0}"),
        (libc::AF_VSOCK, "vsock://*:*", ""),
        (libc::AF_VSOCK, "vmci://*:*", ""),
    ] {
        let lacking = match socket2::Socket::new(family.into(), socket2::Type::STREAM, None) {
            Ok(_) => Ok(0),
            Err(error) => Err(error.raw_os_error().expect("an errno")),
        };
        let socket = context.socket(ZMQ_DEALER);
        assert_eq!(socket.bind(bound), lacking, "{bound}");
        if !connected.is_empty() {
            assert_eq!(socket.connect(connected), Ok(0), "{connected}");
        }
    }
}
