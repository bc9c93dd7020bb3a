//! Nothing is left of what has been closed: sockets of each type, over each transport and by each mechanism, come and go by the hundred, and the
//! process has as much memory in use afterwards as before.
//!
//! An allocator counts what Rust code has in use, to the byte. What `malloc` itself has been asked for (bodies of messages) and what libraries
//! written in other languages use shows in the resident size, which is measured more coarsely.
//!
//! `FERROZMQ_TURNS` says how often each of them comes and goes (100).

#[allow(dead_code)]
#[path = "../wss/certificates.rs"]
mod certificates;
mod pairs;
#[path = "../sockets/support.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

/// Bytes and blocks that are allocated now.
static BYTES: AtomicIsize = AtomicIsize::new(0);
static BLOCKS: AtomicIsize = AtomicIsize::new(0);

struct Counting;

// SAFETY: it is the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize, 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize), -1);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize, 0);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn count(bytes: isize, blocks: isize) {
    BYTES.fetch_add(bytes, Ordering::Relaxed);
    BLOCKS.fetch_add(blocks, Ordering::Relaxed);
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the process uses.
#[derive(Clone, Copy, Debug)]
struct Usage {
    bytes: isize,
    blocks: isize,
    resident: isize,
    descriptors: isize,
}

impl Usage {
    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
        let resident = line.split_whitespace().nth(1).and_then(|size| size.parse::<isize>().ok());
        let descriptors = std::fs::read_dir("/proc/self/fd").expect("Linux").count();
        Self {
            bytes: BYTES.load(Ordering::Relaxed),
            blocks: BLOCKS.load(Ordering::Relaxed),
            resident: resident.expect("kilobytes") * 1024,
            descriptors: descriptors as isize,
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            bytes: self.bytes - before.bytes,
            blocks: self.blocks - before.blocks,
            resident: self.resident - before.resident,
            descriptors: self.descriptors - before.descriptors,
        }
    }
}

fn turns() -> usize {
    std::env::var("FERROZMQ_TURNS").ok().and_then(|turns| turns.parse().ok()).unwrap_or(100)
}
