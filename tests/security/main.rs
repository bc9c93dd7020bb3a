//! Security through the C ABI: the ZAP handler's part in it (RFC 27), and the mechanisms. What upstream's tests don't look at: every
//! status and every malformed field, handlers that go, answer late or never, and peers that say wrong things at each point of a handshake.

#[path = "../sessions/watch.rs"]
mod watch;
#[allow(dead_code)]
#[path = "../bad_input/wire.rs"]
mod wire;

mod curve;
mod curve_peer;
mod plain;
#[path = "../sockets/support.rs"]
mod support;
mod world;
mod zap;
