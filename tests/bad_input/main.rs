//! What peers and the system can do to a program: junk on a listening port, and descriptors that run out. It costs the connection that it happens on,
//! and no other; nothing aborts, hangs or spins.

mod descriptors;
mod draft;
mod groups;
mod junk;
#[path = "../sockets/panics.rs"]
mod panics;
mod slow;
#[path = "../sockets/support.rs"]
mod support;
mod wire;

pub use panics::{assert_no_panics, watch_for_panics};

/// Descriptor limits, and what is counted by the process, don't bear another test beside them.
pub fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
