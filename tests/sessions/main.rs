//! What happens to connections, through the C ABI: monitors, reconnecting, notifications, and peers that misbehave.

mod endings;
mod monitor;
mod notices;
mod peer;
#[path = "../sockets/support.rs"]
mod support;
mod watch;
