//! A lock-free queue for one producer and one consumer: one direction of a pipe.
//!
//! # How it works
//!
//! Items lie in a linked list of chunks. The first chunk is small, so that an idle pipe costs next to
//! nothing; each further one doubles, up to [`MAX_CHUNK`] items, and the last chunk that the consumer
//! emptied is handed back to the producer through `spare`, so that a busy pipe allocates nothing.
//!
//! The producer owns every slot at and beyond `tail`, the consumer every slot before it. `tail` is the only
//! thing that moves a slot from one to the other: it is stored with `Release` after the slots (and a chunk's
//! `next`) were written, and loaded with `Acquire` before they are read. Both sides keep counts of their
//! own and touch the other's cache line only when theirs say that there is nothing left.
//!
//! An unfinished multipart message is written but not published: [`Producer::publish`] moves `tail` up to the
//! last *complete* message, and [`Producer::rollback`] takes the rest back.
//!
//! # Sleeping
//!
//! A consumer that finds nothing says so in `consumer_asleep` and looks once more; a producer that has
//! published looks at `consumer_asleep`. Each side's own store and its look at the other's are
//! sequentially consistent, so at least one of them sees the other (Dekker's argument): either the consumer finds
//! the item, or the producer finds it asleep, takes the flag back, and owes it a wake-up. The same
//! holds the other way round for `producer_asleep` and `consumed`, when the pipe is full.

use super::primitive::{
    Arc, AtomicBool, AtomicPtr, AtomicUsize, Mutex, Ordering, UnsafeCell, set_before_load, store,
    store_before_load,
};
use crate::message::Message;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::MaybeUninit;
use std::ptr;

/// Items in a queue's first chunk.
const MIN_CHUNK: usize = if cfg!(loom) { 1 } else { 2 };
/// Items in its largest ones: 16 KiB of messages, which stay in the first-level cache.
const MAX_CHUNK: usize = if cfg!(loom) { 2 } else { 256 };

/// The header of a chunk; its slots follow it in the same allocation, and messages fill a line of the cache each.
#[repr(align(64))]
struct Chunk<T> {
    capacity: usize,
    /// Written by the producer before the items behind it are published.
    next: UnsafeCell<*mut Chunk<T>>,
    /// The producer's own way back, for `rollback`.
    previous: UnsafeCell<*mut Chunk<T>>,
}

impl<T> Chunk<T> {
    fn layout(capacity: usize) -> (Layout, usize) {
        let slots = Layout::array::<T>(capacity).expect("capacity is at most MAX_CHUNK");
        let (layout, offset) = Layout::new::<Self>().extend(slots).expect("a chunk is a few KiB");
        (layout.pad_to_align(), offset)
    }

    fn allocate(capacity: usize) -> *mut Self {
        let (layout, _) = Self::layout(capacity);
        // SAFETY: the layout has a size of at least the header's, so it isn't zero.
        let chunk = unsafe { alloc(layout) }.cast::<Self>();
        if chunk.is_null() {
            handle_alloc_error(layout);
        }
        let header = Self {
            capacity,
            next: UnsafeCell::new(ptr::null_mut()),
            previous: UnsafeCell::new(ptr::null_mut()),
        };
        // SAFETY: freshly allocated with room and alignment for the header.
        unsafe { chunk.write(header) };
        chunk
    }

    /// # Safety
    /// `chunk` came from `allocate`, holds no live item, and nobody uses it any more.
    unsafe fn free(chunk: *mut Self) {
        // SAFETY: alive until the line below, by the caller's promise.
        let (layout, _) = Self::layout(unsafe { (*chunk).capacity });
        // SAFETY: allocated with this very layout; the header has no destructor that matters.
        unsafe { dealloc(chunk.cast(), layout) };
    }

    /// # Safety
    /// `chunk` is alive and `index` is below its capacity.
    #[inline]
    unsafe fn slot(chunk: *mut Self, index: usize) -> *mut T {
        let offset = const {
            // The slots begin at the first multiple of T's alignment behind the header.
            let align = align_of::<T>();
            (size_of::<Chunk<T>>() + align - 1) & !(align - 1)
        };
        // SAFETY: inside the allocation, by the caller's promise and `layout`.
        unsafe { chunk.cast::<u8>().add(offset).cast::<T>().add(index) }
    }
}

#[repr(align(64))]
struct Line<T>(T);

struct ConsumerLine {
    /// Messages consumed, as far as the consumer has told (it tells at low-water marks only).
    consumed: AtomicUsize,
    producer_asleep: AtomicBool,
    abandoned: AtomicBool,
}

struct ProducerLine {
    /// Items published since the queue was made.
    tail: AtomicUsize,
    consumer_asleep: AtomicBool,
    /// The consumer shall tell what it has consumed whenever it runs dry.
    eager: AtomicBool,
    closed: AtomicBool,
}

struct Shared<T> {
    producer: Line<ProducerLine>,
    consumer: Line<ConsumerLine>,
    /// An empty chunk of full size on its way back to the producer.
    spare: AtomicPtr<Chunk<T>>,
    /// `ZMQ_CONFLATE`: the last item only, instead of the chunks.
    latest: Option<Mutex<Option<T>>>,
    /// Where the two sides stood when they went; `drop` frees what lies between.
    ends: UnsafeCell<Ends<T>>,
}

struct Ends<T> {
    head: *mut Chunk<T>,
    head_index: usize,
    read: usize,
    written: usize,
}

// SAFETY: items are handed over whole from one thread to the other, which `T: Send` allows; each field of `ends` is
// written by one side only and read by `drop`, which has the only reference.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above: what both sides reach at the same time is atomic or under the mutex.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        let spare = self.spare.load(Ordering::Relaxed);
        if !spare.is_null() {
            // SAFETY: a spare is empty and belongs to nobody else.
            unsafe { Chunk::free(spare) };
        }
        // SAFETY: `drop` has the only reference, so both sides are gone and have left their ends.
        let ends = unsafe { &mut *self.ends.get() };
        let (mut chunk, mut index) = (ends.head, ends.head_index);
        let mut left = ends.written - ends.read;
        while !chunk.is_null() {
            // SAFETY: chunks from the head on are alive and reachable only from here.
            let (capacity, next) = unsafe { ((*chunk).capacity, *(*chunk).next.get()) };
            while left > 0 && index < capacity {
                // SAFETY: `left` items from the head on were written and not read.
                unsafe { ptr::drop_in_place(Chunk::slot(chunk, index)) };
                index += 1;
                left -= 1;
            }
            // SAFETY: its items are dropped.
            unsafe { Chunk::free(chunk) };
            chunk = next;
            index = 0;
        }
    }
}

/// The writing end.
pub struct Producer<T> {
    shared: Arc<Shared<T>>,
    chunk: *mut Chunk<T>,
    index: usize,
    /// Items written, items written up to the last complete message, items published.
    written: usize,
    complete: usize,
    published: usize,
    conflate: bool,
}

/// The reading end.
pub struct Consumer<T> {
    shared: Arc<Shared<T>>,
    chunk: *mut Chunk<T>,
    index: usize,
    read: usize,
    /// The last `tail` seen.
    tail: usize,
    conflate: bool,
}

// SAFETY: the raw pointers lead to chunks that only this side touches (see the module's text), and items are Send.
unsafe impl<T: Send> Send for Producer<T> {}
// SAFETY: as for the producer.
unsafe impl<T: Send> Send for Consumer<T> {}

/// Makes a queue. With `conflate` it holds only the item written last.
pub fn queue<T>(conflate: bool) -> (Producer<T>, Consumer<T>) {
    let chunk = if conflate { ptr::null_mut() } else { Chunk::allocate(MIN_CHUNK) };
    let shared = Arc::new(Shared {
        producer: Line(ProducerLine {
            tail: AtomicUsize::new(0),
            // Nobody has looked yet, so the first item has to be announced.
            consumer_asleep: AtomicBool::new(true),
            eager: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }),
        consumer: Line(ConsumerLine {
            consumed: AtomicUsize::new(0),
            producer_asleep: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
        }),
        spare: AtomicPtr::new(ptr::null_mut()),
        latest: conflate.then(|| Mutex::new(None)),
        ends: UnsafeCell::new(Ends { head: ptr::null_mut(), head_index: 0, read: 0, written: 0 }),
    });
    let producer =
        Producer { shared: shared.clone(), chunk, index: 0, written: 0, complete: 0, published: 0, conflate };
    (producer, Consumer { shared, chunk, index: 0, read: 0, tail: 0, conflate })
}

impl<T> Producer<T> {
    /// Appends an item, without publishing it; `complete` says that it ends a message.
    #[inline]
    pub fn push(&mut self, item: T, complete: bool) {
        if self.conflate {
            return self.replace(item);
        }
        self.slot().write(item);
        self.wrote(complete);
    }

    /// The slot for the next item. It is empty.
    #[inline(always)]
    fn slot(&mut self) -> &mut MaybeUninit<T> {
        // SAFETY: the producer's chunk is alive: the consumer leaves a chunk only when its last item was published.
        if self.index == unsafe { (*self.chunk).capacity } {
            self.next_chunk();
        }
        // SAFETY: below the capacity, and at or beyond `tail`, so this slot is the producer's, and empty.
        unsafe { &mut *Chunk::slot(self.chunk, self.index).cast() }
    }

    /// The slot has an item now.
    #[inline(always)]
    fn wrote(&mut self, complete: bool) {
        self.index += 1;
        self.written += 1;
        if complete {
            self.complete = self.written;
        }
    }

    #[cold]
    fn replace(&mut self, item: T) {
        if let Some(latest) = &self.shared.latest {
            let old = latest.lock().replace(item);
            self.written += 1;
            self.complete = self.written;
            drop(old);
        }
    }

    #[cold]
    fn next_chunk(&mut self) {
        // SAFETY: the producer's chunk is alive, and its `next` is the producer's until items behind it are published.
        let (capacity, next) = unsafe { ((*self.chunk).capacity, (*self.chunk).next.get()) };
        // SAFETY: as above. After a rollback the next chunk may already be there.
        unsafe {
            if (*next).is_null() {
                let spare = self.shared.spare.swap(ptr::null_mut(), Ordering::Acquire);
                let fresh =
                    if spare.is_null() { Chunk::allocate((capacity * 2).min(MAX_CHUNK)) } else { spare };
                *(*fresh).next.get() = ptr::null_mut();
                *(*fresh).previous.get() = self.chunk;
                *next = fresh;
            }
            self.chunk = *next;
        }
        self.index = 0;
    }

    /// Takes back the items of an unfinished message, the last first.
    pub fn rollback(&mut self) -> Option<T> {
        if self.written == self.complete || self.conflate {
            return None;
        }
        if self.index == 0 {
            // SAFETY: an unpublished item lies before this chunk, so the previous one is still the producer's.
            unsafe {
                self.chunk = *(*self.chunk).previous.get();
                self.index = (*self.chunk).capacity;
            }
        }
        self.index -= 1;
        self.written -= 1;
        // SAFETY: written and never published, so it is whole and the producer's.
        Some(unsafe { Chunk::slot(self.chunk, self.index).read() })
    }

    /// Publishes every complete message. True: the consumer was asleep, and the caller owes it a wake-up.
    #[inline]
    pub fn publish(&mut self) -> bool {
        if self.published == self.complete {
            return false;
        }
        self.published = self.complete;
        store_before_load(&self.shared.producer.0.tail, self.complete);
        self.take_sleeper()
    }

    /// The first half of `publish`, for who publishes in several queues. `stores_before_loads` follows, and `take_sleeper` for each of them.
    #[inline]
    pub fn show(&mut self) {
        self.published = self.complete;
        store(&self.shared.producer.0.tail, self.complete);
    }

    /// The other half.
    #[inline]
    #[must_use]
    pub fn take_sleeper(&self) -> bool {
        let line = &self.shared.producer.0;
        line.consumer_asleep.load(Ordering::SeqCst) && line.consumer_asleep.swap(false, Ordering::AcqRel)
    }

    /// Says that nothing more will come. True: the consumer was asleep and is owed a wake-up.
    pub fn close(&mut self) -> bool {
        while self.rollback().is_some() {}
        self.publish();
        let line = &self.shared.producer.0;
        set_before_load(&line.closed);
        line.consumer_asleep.swap(false, Ordering::AcqRel)
    }

    /// Asks the consumer to tell what it has consumed whenever it runs dry, from now on.
    pub fn set_eager(&self) {
        self.shared.producer.0.eager.store(true, Ordering::SeqCst);
    }

    /// How many messages the consumer says it has consumed.
    #[inline]
    pub fn consumed(&self) -> usize {
        self.shared.consumer.0.consumed.load(Ordering::Acquire)
    }

    /// The consumer is gone: what is written goes nowhere.
    pub fn is_abandoned(&self) -> bool {
        self.shared.consumer.0.abandoned.load(Ordering::Acquire)
    }

    /// Announces that the producer waits for `consumed` to move on from `seen`. False: it already has.
    pub fn sleep(&mut self, seen: usize) -> bool {
        let line = &self.shared.consumer.0;
        set_before_load(&line.producer_asleep);
        if line.consumed.load(Ordering::SeqCst) == seen {
            return true;
        }
        line.producer_asleep.store(false, Ordering::Relaxed);
        false
    }
}

impl Producer<Message> {
    /// As `push`. The message is left empty.
    #[inline(always)]
    pub fn push_from(&mut self, message: &mut Message, complete: bool) {
        if self.conflate {
            return self.replace(message.take());
        }
        message.take_to(self.slot());
        self.wrote(complete);
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.close();
        // SAFETY: this field is the producer's, and `drop` of the shared part comes after this.
        unsafe { (*self.shared.ends.get()).written = if self.conflate { 0 } else { self.written } };
    }
}

impl<T> Consumer<T> {
    /// Whether an item is there.
    #[inline]
    pub fn is_ready(&mut self) -> bool {
        if self.read != self.tail {
            return true;
        }
        self.tail = self.shared.producer.0.tail.load(Ordering::SeqCst);
        self.read != self.tail && (!self.conflate || self.has_latest())
    }

    /// The producer may have replaced an item by one that it hadn't published, which was taken then.
    #[cold]
    fn has_latest(&mut self) -> bool {
        let there = self.shared.latest.as_ref().is_some_and(|latest| latest.lock().is_some());
        if !there {
            self.read = self.tail;
        }
        there
    }

    /// The next item, left in the queue.
    pub fn peek(&mut self) -> Option<&T> {
        if self.conflate || !self.is_ready() {
            return None;
        }
        self.enter_chunk();
        // SAFETY: before `tail`, so it is whole and the consumer's.
        Some(unsafe { &*Chunk::slot(self.chunk, self.index) })
    }

    /// How many of the items that are there are `wanted`; for statistics, as it looks at each of them.
    pub fn count(&mut self, wanted: impl Fn(&T) -> bool) -> usize {
        if !self.is_ready() || self.conflate {
            return (self.read != self.tail).into();
        }
        let (mut chunk, mut index, mut count) = (self.chunk, self.index, 0);
        for _ in self.read..self.tail {
            // SAFETY: the consumer's chunk is alive, and so are those behind it up to the last published item; the slot is before
            // `tail`, so it is whole and the consumer's.
            unsafe {
                if index == (*chunk).capacity {
                    (chunk, index) = (*(*chunk).next.get(), 0);
                }
                count += usize::from(wanted(&*Chunk::slot(chunk, index)));
            }
            index += 1;
        }
        count
    }

    /// What the producer was told last of how many messages were consumed.
    pub fn told(&self) -> usize {
        self.shared.consumer.0.consumed.load(Ordering::Relaxed)
    }

    /// Takes the next item into `out`. False: there is none, and `out` is as it was.
    #[inline]
    pub fn pop_into(&mut self, out: &mut T) -> bool {
        if !self.is_ready() {
            return false;
        }
        if self.conflate {
            return self.take_latest().map(|item| *out = item).is_some();
        }
        self.enter_chunk();
        // SAFETY: before `tail`, so it is whole and the consumer's, and another place than `out`; the count below makes sure it is
        // read once. What was in `out` is dropped once, before it is overwritten. (Written this way it is a few moves of
        // registers; as an `Option` that is assigned it is a call of `memmove`.)
        unsafe {
            ptr::drop_in_place(out);
            ptr::copy_nonoverlapping(Chunk::slot(self.chunk, self.index), out, 1);
        }
        self.index += 1;
        self.read += 1;
        true
    }

    /// Takes the next item.
    pub fn pop(&mut self) -> Option<T> {
        if !self.is_ready() {
            return None;
        }
        if self.conflate {
            return self.take_latest();
        }
        self.enter_chunk();
        // SAFETY: before `tail`, so it is whole and the consumer's; the count below makes sure it is read once.
        let item = unsafe { Chunk::slot(self.chunk, self.index).read() };
        self.index += 1;
        self.read += 1;
        Some(item)
    }

    #[cold]
    fn take_latest(&mut self) -> Option<T> {
        self.read = self.tail;
        self.shared.latest.as_ref().and_then(|latest| latest.lock().take())
    }

    #[inline]
    fn enter_chunk(&mut self) {
        // SAFETY: the consumer's chunk is alive until the consumer frees it.
        if self.index == unsafe { (*self.chunk).capacity } {
            self.next_chunk();
        }
    }

    #[cold]
    fn next_chunk(&mut self) {
        let empty = self.chunk;
        // SAFETY: an item behind this chunk was published, and `next` was written before that.
        self.chunk = unsafe { *(*empty).next.get() };
        self.index = 0;
        // SAFETY: alive, and ours now that everything in it was read.
        let full_size = unsafe { (*empty).capacity } == MAX_CHUNK;
        let useless = if full_size { self.shared.spare.swap(empty, Ordering::AcqRel) } else { empty };
        if !useless.is_null() {
            // SAFETY: empty, and either never given away or just taken back.
            unsafe { Chunk::free(useless) };
        }
    }

    /// Announces that the consumer has nothing to do. False: something has come meanwhile.
    pub fn sleep(&mut self) -> bool {
        set_before_load(&self.shared.producer.0.consumer_asleep);
        if !self.is_ready() {
            return true;
        }
        self.shared.producer.0.consumer_asleep.store(false, Ordering::Relaxed);
        false
    }

    /// Whether the producer wants to be told whenever the consumer runs dry.
    pub fn is_eager(&self) -> bool {
        self.shared.producer.0.eager.load(Ordering::SeqCst)
    }

    /// Tells the producer how many messages were consumed. True: it was asleep, and the caller owes it a wake-up.
    pub fn set_consumed(&mut self, messages: usize) -> bool {
        let line = &self.shared.consumer.0;
        store_before_load(&line.consumed, messages);
        line.producer_asleep.load(Ordering::SeqCst) && line.producer_asleep.swap(false, Ordering::AcqRel)
    }

    /// The producer has said that nothing more will come (there may still be items to read).
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.shared.producer.0.closed.load(Ordering::SeqCst)
    }

    /// Says that nothing more will be read.
    pub fn abandon(&mut self) {
        self.shared.consumer.0.abandoned.store(true, Ordering::Release);
        while self.pop().is_some() {}
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.abandon();
        // SAFETY: these fields are the consumer's, and `drop` of the shared part comes after this.
        let ends = unsafe { &mut *self.shared.ends.get() };
        ends.head = self.chunk;
        ends.head_index = self.index;
        ends.read = if self.conflate { 0 } else { self.read };
    }
}

#[cfg(all(test, loom))]
#[path = "queue_loom.rs"]
mod loom_tests;
