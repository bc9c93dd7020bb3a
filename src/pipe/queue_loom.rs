//! loom tries every order in which the two sides' steps can be seen.
//!
//! Items are loom's own `Arc`s around loom's own cells: it reports one that is dropped twice or never, and one that is reached by a
//! thread without having been handed over. Who sleeps is woken by whom it is owed, and by nobody else; so a lost wake-up is a
//! deadlock, which loom reports too. The chunks are of one and two items here.

use super::*;
use loom::cell::UnsafeCell as Tracked;
use loom::sync::{Arc as Item, Condvar};
use loom::thread;

type Items = Item<Tracked<usize>>;

fn item(number: usize) -> Items {
    let item = Item::new(Tracked::new(0));
    // SAFETY: nobody else has it.
    item.with_mut(|place| unsafe { *place = number });
    item
}

fn number(item: &Items) -> usize {
    // SAFETY: loom reports it if anybody writes to it now.
    item.with(|place| unsafe { *place })
}

fn model(preemptions: usize, check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(check);
}

/// A wake-up that lasts until somebody wakes by it.
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn new() -> Item<Self> {
        Item::new(Self { rung: Mutex::new(false), changed: Condvar::new() })
    }

    fn notify(&self) {
        *self.rung.lock() = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut rung = self.rung.lock();
        while !std::mem::take(&mut *rung) {
            rung = self.changed.wait(rung).expect("the model doesn't panic while it holds this");
        }
    }
}

/// Where each side sleeps.
#[derive(Clone)]
struct Bells {
    consumer: Item<Bell>,
    producer: Item<Bell>,
}

impl Bells {
    fn new() -> Self {
        Self { consumer: Bell::new(), producer: Bell::new() }
    }

    fn wake_consumer(&self, owed: bool) {
        if owed {
            self.consumer.notify();
        }
    }

    fn wake_producer(&self, owed: bool) {
        if owed {
            self.producer.notify();
        }
    }
}

/// Reads until the producer has closed, telling of each item.
fn read_all(consumer: &mut Consumer<Items>, bells: &Bells) -> Vec<usize> {
    let mut numbers = Vec::new();
    loop {
        while let Some(item) = consumer.pop() {
            numbers.push(number(&item));
            bells.wake_producer(consumer.set_consumed(numbers.len()));
        }
        if consumer.is_closed() && !consumer.is_ready() {
            return numbers;
        }
        // As a pipe does it, whose end is told apart by whoever wakes it.
        if consumer.sleep() {
            if consumer.is_closed() {
                continue;
            }
            bells.consumer.wait();
        }
    }
}

#[test]
fn loom_each_item_arrives_and_wakes() {
    model(3, || {
        let (mut producer, mut consumer) = queue(false);
        let bells = Bells::new();
        let theirs = bells.clone();
        let reader = thread::spawn(move || read_all(&mut consumer, &theirs));
        for number in 0..4 {
            producer.push(item(number), true);
            bells.wake_consumer(producer.publish());
        }
        bells.wake_consumer(producer.close());
        assert_eq!(reader.join().expect("it doesn't panic"), [0, 1, 2, 3]);
    });
}

/// As a fan-out publishes.
#[test]
fn loom_what_is_shown_in_several_queues_at_once_wakes() {
    model(3, || {
        let (mut producer, mut consumer) = queue(false);
        let bells = Bells::new();
        let theirs = bells.clone();
        let reader = thread::spawn(move || read_all(&mut consumer, &theirs));
        for number in 0..3 {
            producer.push(item(number), true);
            producer.show();
            super::super::primitive::stores_before_loads();
            bells.wake_consumer(producer.take_sleeper());
        }
        bells.wake_consumer(producer.close());
        assert_eq!(reader.join().expect("it doesn't panic"), [0, 1, 2]);
    });
}

#[test]
fn loom_a_full_pipe_wakes_its_writer() {
    model(3, || {
        let (mut producer, mut consumer) = queue(false);
        let bells = Bells::new();
        let theirs = bells.clone();
        let reader = thread::spawn(move || read_all(&mut consumer, &theirs));
        for number in 0..3 {
            // Room for one.
            loop {
                let seen = producer.consumed();
                if number - seen < 1 {
                    break;
                }
                if producer.sleep(seen) {
                    bells.producer.wait();
                }
            }
            producer.push(item(number), true);
            bells.wake_consumer(producer.publish());
        }
        bells.wake_consumer(producer.close());
        assert_eq!(reader.join().expect("it doesn't panic"), [0, 1, 2]);
    });
}

/// Unfinished messages that reach into the next chunks are taken back, and the chunks used again.
#[test]
fn loom_taken_back_while_chunks_go_round() {
    model(3, || {
        let (mut producer, mut consumer) = queue(false);
        let bells = Bells::new();
        let theirs = bells.clone();
        let reader = thread::spawn(move || read_all(&mut consumer, &theirs));
        let mut next = 0;
        for unfinished in [2, 5, 3] {
            for _ in 0..unfinished {
                producer.push(item(99), false);
            }
            while producer.rollback().is_some() {}
            producer.push(item(next), false);
            producer.push(item(next + 1), true);
            next += 2;
            bells.wake_consumer(producer.publish());
        }
        bells.wake_consumer(producer.close());
        assert_eq!(reader.join().expect("it doesn't panic"), [0, 1, 2, 3, 4, 5]);
    });
}

/// What nobody has read is dropped once, whichever side goes first.
#[test]
fn loom_both_ends_go() {
    model(3, || {
        let (mut producer, mut consumer) = queue(false);
        let reader = thread::spawn(move || {
            drop(consumer.pop());
            consumer.abandon();
        });
        for number in 0..4 {
            producer.push(item(number), number != 3);
            producer.publish();
        }
        drop(producer);
        reader.join().expect("it doesn't panic");
    });
}

#[test]
fn loom_conflating_keeps_the_last() {
    model(3, || {
        let (mut producer, mut consumer) = queue(true);
        let bells = Bells::new();
        let theirs = bells.clone();
        let reader = thread::spawn(move || read_all(&mut consumer, &theirs));
        for number in 0..3 {
            producer.push(item(number), true);
            bells.wake_consumer(producer.publish());
        }
        bells.wake_consumer(producer.close());
        let numbers = reader.join().expect("it doesn't panic");
        assert!(numbers.is_sorted() && numbers.last() == Some(&2));
    });
}
