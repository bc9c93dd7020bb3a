use super::*;
use crate::message::Message;
use std::collections::HashSet;
use std::sync::mpsc;
use std::thread;

/// A block of this class, from the pool or fresh.
fn allocate(class: usize) -> NonNull<Header> {
    take(class).unwrap_or_else(|| {
        // SAFETY: malloc may be called with any size.
        NonNull::new(unsafe { libc::malloc(size_of::<Header>() + capacity(class)) }).unwrap().cast()
    })
}

fn release(class: usize, blocks: impl IntoIterator<Item = NonNull<Header>>) {
    for block in blocks {
        // SAFETY: the block was allocated by `allocate`, and isn't used any more.
        unsafe { give(class, block) };
    }
}

/// The depots are the process's: other tests, at the same time, use them, empty them and find them locked. So what should
/// be there is sure to be there only in one of many attempts.
fn in_some_attempt(attempt: impl Fn() -> bool) {
    assert!((0..100).any(|_| attempt()));
}

/// A class of which a thread has many blocks, and hardly any other test.
const OWN: usize = 9;

#[test]
fn every_size_fits_its_class_and_no_smaller_one() {
    for size in (0..10_000).chain([1 << 20, (1 << 20) + 1, (4 << 20) - 1, 4 << 20]) {
        let class = class_of(size);
        assert!(capacity(class) >= size, "{size}");
        assert!(class == 0 || capacity(class - 1) < size, "{size}");
    }
    assert_eq!(class_of(4 << 20), CLASSES - 1);
    for size in [(4 << 20) + 1, usize::MAX] {
        assert_eq!(class_of(size), NONE);
    }
    for class in 0..LOCAL {
        assert!((1..=MAX_BATCH).contains(&batch(class)));
        assert!(2 * batch(class) * capacity(class) <= 2 * MAX_BATCH_BYTES);
    }
    assert!(capacity(LOCAL - 1) <= MAX_BATCH_BYTES && capacity(LOCAL) > MAX_BATCH_BYTES);
}

#[test]
fn a_thread_gets_back_what_it_released_last() {
    thread::spawn(|| {
        let block = allocate(OWN);
        release(OWN, [block]);
        assert_eq!(take(OWN), Some(block));
        release(OWN, [block]);
    })
    .join()
    .unwrap();
}

#[test]
fn blocks_go_from_one_thread_to_another() {
    for (class, count) in [(OWN, 4 * MAX_BATCH), (LOCAL, 4)] {
        in_some_attempt(|| {
            let blocks: Vec<usize> = (0..count).map(|_| allocate(class).as_ptr() as usize).collect();
            let made: HashSet<usize> = blocks.iter().copied().collect();
            thread::spawn(move || {
                release(class, blocks.into_iter().map(|block| NonNull::new(block as *mut Header).unwrap()));
            })
            .join()
            .unwrap();
            let taken: Vec<_> = std::iter::from_fn(|| take(class)).collect();
            let back = taken.iter().filter(|block| made.contains(&(block.as_ptr() as usize))).count();
            release(class, taken);
            back == count
        });
    }
}

#[test]
fn the_depots_are_bounded_and_can_be_emptied() {
    for class in [OWN, CLASSES - 1] {
        in_some_attempt(|| {
            let count = limit(class) / capacity(class) + 100;
            let blocks: Vec<_> = (0..count).map(|_| allocate(class)).collect();
            release(class, blocks);
            let kept = KEPT[group(class)].load(Ordering::Relaxed);
            assert!(kept <= limit(class));
            trim();
            kept > limit(class) / 2 && DEPOTS[class].count.load(Ordering::Relaxed) == 0
        });
    }
}

#[test]
fn a_thread_that_ends_leaves_its_blocks_to_others() {
    in_some_attempt(|| {
        trim();
        thread::spawn(|| {
            let blocks: Vec<_> = (0..3).map(|_| allocate(OWN)).collect();
            release(OWN, blocks);
        })
        .join()
        .unwrap();
        DEPOTS[OWN].count.load(Ordering::Relaxed) >= 3
    });
}

#[test]
fn messages_may_be_made_and_released_while_a_thread_ends() {
    struct Last(Option<Message>);
    impl Drop for Last {
        fn drop(&mut self) {
            assert!(self.0.take().is_some_and(|message| message.data() == [7; 100]));
            drop(Message::from_slice(&[8; 100]).unwrap());
        }
    }
    thread_local!(static LAST: Cell<Option<Last>> = const { Cell::new(None) });
    thread::spawn(|| {
        // Registered before the pool's destructor, so it runs after that.
        LAST.set(None);
        LAST.set(Some(Last(Some(Message::from_slice(&[7; 100]).unwrap()))));
        drop(Message::from_slice(&[9; 100]).unwrap());
    })
    .join()
    .unwrap();
}

#[test]
fn a_locked_depot_is_not_waited_for() {
    for class in [OWN, LOCAL] {
        let locked = DEPOTS[class].blocks.lock();
        thread::spawn(move || {
            let blocks: Vec<_> = (0..5 * MAX_BATCH).map(|_| allocate(class)).collect();
            release(class, blocks);
        })
        .join()
        .unwrap();
        drop(locked);
    }
}

#[test]
fn no_block_is_handed_out_twice() {
    const THREADS: usize = 4;
    let rounds = if cfg!(miri) { 20 } else { 20_000 };
    let (sends, receives): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::sync_channel::<Message>(50)).unzip();
    thread::scope(|scope| {
        for (id, receive) in receives.into_iter().enumerate() {
            let send = sends[(id + 1) % THREADS].clone();
            scope.spawn(move || {
                for round in 0..rounds {
                    let size = 34 + (round * 37 + id) % 5000;
                    let tag = (round % 200) as u8 + id as u8;
                    let mut message = Message::with_size(size).unwrap();
                    message.data_mut().fill(tag);
                    message.set_routing_id(u32::from(tag));
                    // A full channel means that the neighbour is slow; this one is released here then.
                    let _ = send.try_send(message);
                    while let Ok(other) = receive.try_recv() {
                        let tag = other.routing_id() as u8;
                        assert!(other.data().iter().all(|&byte| byte == tag));
                    }
                }
            });
        }
    });
}
