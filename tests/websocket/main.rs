//! `ws://` through the C ABI: what tests/sockets does for tcp, in short; the wire, with a peer of the test's own on either side; and
//! peers that say wrong things.

mod bytes;
mod curve;
mod endpoints;
mod hostile;
mod patterns;
mod peer;
#[path = "../sockets/support.rs"]
mod support;
#[path = "../sessions/watch.rs"]
mod watch;
mod wire;
#[allow(dead_code)]
#[path = "../bad_input/wire.rs"]
mod zmtp;
