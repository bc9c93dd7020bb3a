//! `wss://`: whom a socket trusts, what goes through, and peers that misbehave below the WebSocket.

mod certificates;
mod hostile;
#[path = "../sockets/support.rs"]
mod support;
mod traffic;
mod trust;
#[path = "../sessions/watch.rs"]
mod watch;
