//! What peers and the system can do to a program: junk on a listening port, and descriptors that run out. It costs the connection that it happens on,
//! and no other; nothing aborts, hangs or spins.

mod descriptors;
mod draft;
mod groups;
mod junk;
#[path = "../sockets/support.rs"]
mod support;
mod wire;

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts the panics in the library from now on: I/O threads survive them, so they would go unnoticed.
pub fn watch_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let place = info.location().map_or("", |place| place.file());
            if place.starts_with("src/") || place.starts_with("ffi/") {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            report(info);
        }));
    });
}

/// None since `watch_for_panics`.
pub fn assert_no_panics() {
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "the library has panicked");
}

/// Descriptor limits, and what is counted by the process, don't bear another test beside them.
pub fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
