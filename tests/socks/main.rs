//! Connecting through SOCKS5 proxies (`ZMQ_SOCKS_PROXY`): scripted ones, which also do wrong, and real ones.

mod behaviours;
#[path = "../sockets/dice.rs"]
mod dice;
mod hostile;
mod real;
#[path = "../sockets/support.rs"]
mod support;
#[path = "../sessions/watch.rs"]
mod watch;
