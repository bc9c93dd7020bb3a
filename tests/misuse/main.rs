//! What a program can do wrong, through the C ABI: each mistake has to be an error, at once, and nothing else. No call may abort, hang, or fail in a
//! way that tells of a fault of the library's own.

mod arguments;
mod handles;
mod messages;
#[path = "../sockets/panics.rs"]
mod panics;
#[path = "../sockets/support.rs"]
mod support;
mod threads;

pub use panics::{assert_no_panics, watch_for_panics};
