//! A cache of memory for bodies.
//!
//! A message is often made by one thread and released by another, again and again, and that is what allocators are slow at:
//! each block goes back to where it was allocated, under a lock, and its cache lines go to and fro; a large one is given back to
//! the kernel, and its pages have to be faulted in again by the next message.
//!
//! Here blocks of one size class go round instead. Each thread has a few for itself, and exchanges them with all others
//! a batch at a time, through a depot. What is passed on is their addresses, in arrays: memory that is in here is neither read
//! nor written.
//!
//! It is bounded ([`LIMITS`]), the depots are emptied when a context ends ([`trim`]), and what a thread has goes there when it
//! ends. Everything here may refuse, and `malloc` and `free` take its place: a thread that is about to end has no blocks of its own any more,
//! and a depot is never waited for (a child of `fork` may have inherited it locked).

use super::block::Header;
use crate::mutex::Mutex;
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many size classes there are: up to 4 MiB.
pub(super) const CLASSES: usize = 33;
/// The classes of which threads keep blocks: up to 64 KiB. Larger bodies cost more than a lock.
const LOCAL: usize = 21;
/// The class of a body that isn't in memory of this pool.
pub(super) const NONE: usize = usize::MAX;

/// How many blocks a thread exchanges at once, at most.
const MAX_BATCH: usize = 32;
/// How many bytes it exchanges at once, at most (but at least one block).
const MAX_BATCH_BYTES: usize = 64 * 1024;

/// How many bytes all depots together keep: those of bodies up to [`SMALL`] bytes, and the others.
const LIMITS: [usize; 2] = [8 << 20, 32 << 20];
const SMALL: usize = 4096;

/// How many bytes they have now. (Where an amount is only compared with a limit, or a hint, relaxed ordering is enough.)
static KEPT: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

/// A block that nobody uses.
struct Block(NonNull<Header>);

// SAFETY: memory of malloc's belongs to whoever has it.
unsafe impl Send for Block {}

/// Blocks of one class that any thread may have. On lines of its own, as threads write to it at the same time as to others.
#[repr(align(128))]
struct Depot {
    /// How many there are; to find out without the lock that there is nothing to be had, or no room.
    count: AtomicUsize,
    blocks: Mutex<Vec<Block>>,
}

static DEPOTS: [Depot; CLASSES] =
    [const { Depot { count: AtomicUsize::new(0), blocks: Mutex::new(Vec::new()) } }; CLASSES];

/// Blocks of one class that a thread has for itself. The last one in is the first one out.
struct Stack {
    len: usize,
    /// Two batches: one that has just gone to the depot or come from there isn't needed back at once.
    room: usize,
    blocks: [MaybeUninit<NonNull<Header>>; 2 * MAX_BATCH],
}

/// What a thread has for itself.
struct Local {
    stacks: [Stack; LOCAL],
}

thread_local! {
    /// Null before the first use, and at the thread's end. Without a destructor, so that access is one call.
    static THIS_THREAD: Cell<*mut Local> = const { Cell::new(ptr::null_mut()) };
    /// The destructor.
    static AT_EXIT: AtExit = const { AtExit };
}

struct AtExit;

impl Drop for AtExit {
    fn drop(&mut self) {
        let local = THIS_THREAD.replace(ptr::null_mut());
        if !local.is_null() {
            // SAFETY: made by `open`, with malloc, and nobody has the address any more.
            unsafe {
                (*local).close();
                libc::free(local.cast());
            }
        }
    }
}

impl Local {
    /// Gives all blocks away.
    fn close(&mut self) {
        for (class, stack) in self.stacks.iter_mut().enumerate() {
            deposit(class, stack, stack.len);
            while let Some(block) = stack.pop() {
                // SAFETY: the block is nobody's.
                unsafe { libc::free(block.as_ptr().cast()) };
            }
        }
    }
}

/// The class of bodies of this size, or [`NONE`]. There are two for each power of two, so that no more than a third of
/// a block goes unused.
#[inline]
pub(super) fn class_of(size: usize) -> usize {
    let last = size.saturating_sub(1);
    if last < 64 {
        return 0;
    }
    let power = last.ilog2() as usize;
    let class = 2 * (power - 6) + (last >> (power - 1) & 1) + 1;
    if class < CLASSES { class } else { NONE }
}

/// The size of the bodies of a class, in bytes.
#[inline]
pub(super) const fn capacity(class: usize) -> usize {
    [64, 96][class % 2] << (class / 2)
}

/// Which of the [`LIMITS`] a class counts towards.
const fn group(class: usize) -> usize {
    (capacity(class) > SMALL) as usize
}

const fn limit(class: usize) -> usize {
    LIMITS[group(class)]
}

/// How many blocks of a class a thread exchanges at once.
const fn batch(class: usize) -> usize {
    let fit = MAX_BATCH_BYTES / capacity(class);
    if fit > MAX_BATCH { MAX_BATCH } else { fit }
}

/// A block of this class, if there is one, with arbitrary content.
#[inline]
pub(super) fn take(class: usize) -> Option<NonNull<Header>> {
    if class < LOCAL {
        let local = THIS_THREAD.get();
        if !local.is_null()
            // SAFETY: it is this thread's alone, and nothing here calls anything that uses it.
            && let Some(block) = unsafe { &mut (&mut (*local).stacks)[class] }.pop()
        {
            return Some(block);
        }
    }
    take_slowly(class)
}

/// Keeps a block of this class, or frees it.
///
/// # Safety
/// It was allocated by `malloc`, for a header and [`capacity`] bytes, and nobody uses it any more.
#[inline]
pub(super) unsafe fn give(class: usize, block: NonNull<Header>) {
    if class < LOCAL {
        let local = THIS_THREAD.get();
        if !local.is_null()
            // SAFETY: as in `take`.
            && unsafe { &mut (&mut (*local).stacks)[class] }.push(block)
        {
            return;
        }
    }
    if !give_slowly(class, block) {
        // SAFETY: the caller says so.
        unsafe { libc::free(block.as_ptr().cast()) };
    }
}

#[inline(never)]
fn take_slowly(class: usize) -> Option<NonNull<Header>> {
    let depot = DEPOTS.get(class)?;
    if depot.count.load(Ordering::Relaxed) == 0 {
        return None;
    }
    if class >= LOCAL {
        let mut blocks = depot.blocks.try_lock()?;
        let block = blocks.pop()?;
        depot.count.store(blocks.len(), Ordering::Relaxed);
        forget(class, 1);
        return Some(block.0);
    }
    let local = open()?;
    // SAFETY: as in `take`.
    let stack = unsafe { &mut (&mut (*local).stacks)[class] };
    let mut blocks = depot.blocks.try_lock()?;
    let count = batch(class).min(blocks.len());
    let kept = blocks.len() - count;
    for block in blocks.drain(kept..) {
        stack.push(block.0);
    }
    depot.count.store(kept, Ordering::Relaxed);
    drop(blocks);
    forget(class, count);
    stack.pop()
}

/// False: there is no room.
#[inline(never)]
fn give_slowly(class: usize, block: NonNull<Header>) -> bool {
    if class >= LOCAL {
        let mut one = Stack { len: 0, room: 1, blocks: [MaybeUninit::uninit(); 2 * MAX_BATCH] };
        one.push(block);
        deposit(class, &mut one, 1);
        return one.len == 0;
    }
    let Some(local) = open() else { return false };
    // SAFETY: as in `take`.
    let stack = unsafe { &mut (&mut (*local).stacks)[class] };
    if stack.len == stack.room {
        deposit(class, stack, batch(class));
    }
    stack.push(block)
}

/// Moves the `count` last blocks of a stack to the depot; none if they would be too many there.
fn deposit(class: usize, stack: &mut Stack, count: usize) {
    let Some(depot) = DEPOTS.get(class) else { return };
    if count == 0 || KEPT[group(class)].load(Ordering::Relaxed) + count * capacity(class) > limit(class) {
        return;
    }
    let Some(mut blocks) = depot.blocks.try_lock() else { return };
    if blocks.try_reserve(count).is_ok() && admit(class, count) {
        blocks.extend((0..count).map_while(|_| stack.pop()).map(Block));
        depot.count.store(blocks.len(), Ordering::Relaxed);
    }
}

/// Counts blocks as kept in a depot, unless they would be too many.
fn admit(class: usize, count: usize) -> bool {
    let more = |kept| Some(kept + count * capacity(class)).filter(|sum| *sum <= limit(class));
    KEPT[group(class)].fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

/// Blocks have left a depot.
fn forget(class: usize, count: usize) {
    KEPT[group(class)].fetch_sub(count * capacity(class), Ordering::Relaxed);
}

/// Frees what is in the depots: there may be no more messages for a while.
pub(super) fn trim() {
    for (class, depot) in DEPOTS.iter().enumerate() {
        let Some(mut locked) = depot.blocks.try_lock() else { continue };
        let blocks = std::mem::take(&mut *locked);
        depot.count.store(0, Ordering::Relaxed);
        drop(locked);
        forget(class, blocks.len());
        for block in blocks {
            // SAFETY: the block is nobody's.
            unsafe { libc::free(block.0.as_ptr().cast()) };
        }
    }
}

/// What this thread has for itself; `None` at its end, or without memory.
fn open() -> Option<*mut Local> {
    let local = THIS_THREAD.get();
    if !local.is_null() {
        return Some(local);
    }
    // Also sees to it that the destructor will run.
    AT_EXIT.try_with(|_| ()).ok()?;
    // SAFETY: malloc may be called with any size.
    let memory = NonNull::new(unsafe { libc::malloc(size_of::<Local>()) })?.cast::<Local>();
    let local = memory.as_ptr();
    for class in 0..LOCAL {
        // SAFETY: the memory has room for all stacks. Their blocks need no value.
        unsafe {
            let stack = &raw mut (*local).stacks[class];
            (&raw mut (*stack).len).write(0);
            (&raw mut (*stack).room).write(2 * batch(class));
        }
    }
    THIS_THREAD.set(local);
    Some(local)
}

impl Stack {
    #[inline]
    fn pop(&mut self) -> Option<NonNull<Header>> {
        let last = self.len.checked_sub(1)?;
        self.len = last;
        // SAFETY: the first `len` were pushed.
        Some(unsafe { self.blocks.get_unchecked(last).assume_init() })
    }

    #[inline]
    fn push(&mut self, block: NonNull<Header>) -> bool {
        if self.len == self.room {
            return false;
        }
        // SAFETY: `room` is at most the number of blocks.
        unsafe { self.blocks.get_unchecked_mut(self.len).write(block) };
        self.len += 1;
        true
    }
}

#[cfg(test)]
mod tests;
