//! Panics in the library: the C layer turns them into errors and I/O threads survive them, so they would go unnoticed.

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts them from now on.
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
