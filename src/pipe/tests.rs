//! Pipes, end to end: order, marks as upstream counts them, closing, and what lies in a queue when it goes.

use super::*;

fn message(text: &str, more: bool) -> Message {
    let mut message = Message::from_slice(text.as_bytes()).expect("short");
    message.set_more(more);
    message
}

fn marks(send: usize, receive: usize, peer: Option<(usize, usize)>) -> Marks {
    Marks { send, receive, peer }
}

fn joined(marks: Marks) -> (Pipes, PipeId, Pipes, PipeId) {
    let (here, there) = pipe(marks, false);
    let (mut a, mut b) = (Pipes::new(), Pipes::new());
    let (a_id, b_id) = (a.insert(here), b.insert(there));
    (a, a_id, b, b_id)
}

fn send(pipes: &mut Pipes, id: PipeId, text: &str, more: bool) -> bool {
    pipes.write(id, &mut message(text, more))
}

fn recv(pipes: &mut Pipes, id: PipeId) -> Option<String> {
    let mut out = Message::new();
    pipes.read(id, &mut out).then(|| String::from_utf8_lossy(out.data()).into_owned())
}

#[test]
fn messages_come_in_order_through_many_chunks() {
    let (mut a, a_id, mut b, b_id) = joined(marks(0, 0, None));
    for round in 0..3 {
        for number in 0..1500 {
            assert!(send(&mut a, a_id, &format!("{round}/{number}"), false));
            a.flush(a_id);
        }
        b.activate_read(b_id);
        for number in 0..1500 {
            assert_eq!(recv(&mut b, b_id), Some(format!("{round}/{number}")));
        }
        assert_eq!(recv(&mut b, b_id), None);
    }
}

#[test]
fn an_unfinished_message_is_not_seen_and_can_be_taken_back() {
    let (mut a, a_id, mut b, b_id) = joined(marks(0, 0, None));
    for part in 0..20 {
        assert!(send(&mut a, a_id, &part.to_string(), true));
    }
    a.flush(a_id);
    assert_eq!(recv(&mut b, b_id), None);
    a.rollback(a_id);
    assert!(send(&mut a, a_id, "whole", false));
    a.flush(a_id);
    assert!(b.activate_read(b_id));
    assert_eq!(recv(&mut b, b_id).as_deref(), Some("whole"));
}

#[test]
fn both_marks_count_and_half_of_them_has_to_be_read() {
    // FACTS of upstream: SNDHWM + RCVHWM messages fit; (total + 1) / 2 read make room for as many.
    let (mut a, a_id, mut b, b_id) = joined(marks(2, 5, Some((7, 3))));
    for _ in 0..5 {
        assert!(send(&mut a, a_id, "x", false));
    }
    assert!(!send(&mut a, a_id, "x", false));
    a.flush(a_id);
    for _ in 0..2 {
        recv(&mut b, b_id).expect("there");
        assert_eq!(b.next_notice(), None);
    }
    recv(&mut b, b_id).expect("there");
    assert_eq!(b.next_notice(), Some(Notice::Room(b_id)));
    assert!(a.activate_write(a_id));
    for _ in 0..3 {
        assert!(send(&mut a, a_id, "x", false));
    }
    assert!(!send(&mut a, a_id, "x", false));
}

#[test]
fn a_multipart_message_counts_once() {
    let (mut a, a_id, ..) = joined(marks(1, 1, None));
    assert!(send(&mut a, a_id, "1", true));
    assert!(send(&mut a, a_id, "2", true));
    assert!(send(&mut a, a_id, "3", false));
    assert!(!send(&mut a, a_id, "4", false));
}

#[test]
fn the_reader_gets_what_a_closed_writer_left() {
    let (mut a, a_id, mut b, b_id) = joined(marks(0, 0, None));
    assert!(send(&mut a, a_id, "last", false));
    a.flush(a_id);
    assert_eq!(a.next_notice(), Some(Notice::Written(a_id)));
    drop(a.remove(a_id));
    b.peer_closed(b_id);
    assert_eq!(b.next_notice(), None);
    assert!(!send(&mut b, b_id, "to nobody", false));
    assert_eq!(recv(&mut b, b_id).as_deref(), Some("last"));
    assert_eq!(recv(&mut b, b_id), None);
    assert_eq!(b.next_notice(), Some(Notice::Ended(b_id)));
}

#[test]
fn conflate_keeps_the_last() {
    let (here, there) = pipe(marks(1, 1, None), true);
    let (mut a, mut b) = (Pipes::new(), Pipes::new());
    let (a_id, b_id) = (a.insert(here), b.insert(there));
    for number in 0..100 {
        assert!(send(&mut a, a_id, &number.to_string(), false));
        a.flush(a_id);
    }
    assert_eq!(recv(&mut b, b_id).as_deref(), Some("99"));
    assert_eq!(recv(&mut b, b_id), None);
}

#[test]
fn two_threads_lose_nothing_and_always_wake_each_other() {
    const COUNT: usize = 100_000;
    let (here, there) = pipe(marks(50, 0, Some((0, 50))), false);
    let (mut outbound, mut inbound) = (here.outbound, there.inbound);
    let writer = std::thread::current();
    let reader = std::thread::spawn(move || {
        let mut out = Message::new();
        for number in 0..COUNT {
            while !inbound.pop(&mut out) {
                if inbound.sleep() {
                    std::thread::park();
                }
            }
            assert_eq!(out.data(), number.to_le_bytes());
            if inbound.count(&out) {
                writer.unpark();
            }
        }
    });
    for number in 0..COUNT {
        while !outbound.wait_for_room() {
            std::thread::park();
        }
        outbound.push(Message::from_slice(&number.to_le_bytes()).expect("short"));
        if outbound.flush() {
            reader.thread().unpark();
        }
    }
    reader.join().expect("everything arrives in order");
}

#[test]
fn an_id_is_dead_when_its_pipe_has_gone() {
    let (mut a, a_id, ..) = joined(marks(0, 0, None));
    a.remove(a_id);
    let (here, _there) = pipe(marks(0, 0, None), false);
    let other = a.insert(here);
    assert_eq!(other.index(), a_id.index());
    assert_ne!(other, a_id);
    assert!(!send(&mut a, a_id, "x", false));
    assert!(a.remove(a_id).is_none());
}

#[test]
fn a_full_pipe_that_becomes_unlimited_wakes_its_writer() {
    let (mut a, a_id, mut b, b_id) = joined(marks(2, 2, Some((2, 2))));
    for text in ["0", "1", "2", "3"] {
        assert!(send(&mut a, a_id, text, false));
    }
    a.flush(a_id);
    // One more was read than the writer was told of.
    assert_eq!((recv(&mut b, b_id), recv(&mut b, b_id)), (Some("0".into()), Some("1".into())));
    assert!(send(&mut a, a_id, "4", false) && send(&mut a, a_id, "5", false));
    a.flush(a_id);
    assert!(!send(&mut a, a_id, "6", false));
    assert_eq!(recv(&mut b, b_id), Some("2".into()));
    while b.next_notice().is_some() {}
    a.set_own_marks(a_id, 0, 2);
    b.set_peer_marks(b_id, 0, 2);
    assert_eq!(b.next_notice(), Some(Notice::Room(b_id)));
    assert!(a.activate_write(a_id) && send(&mut a, a_id, "6", false));
}

#[test]
fn a_lower_mark_grants_what_was_read_before() {
    let (mut a, a_id, mut b, b_id) = joined(marks(10, 10, Some((10, 10))));
    for _ in 0..7 {
        assert!(send(&mut a, a_id, "x", false));
    }
    a.flush(a_id);
    for _ in 0..7 {
        recv(&mut b, b_id).expect("there");
    }
    assert_eq!(recv(&mut b, b_id), None);
    a.set_own_marks(a_id, 1, 1);
    a.set_peer_marks(a_id, 1, 1);
    assert!(!send(&mut a, a_id, "x", false), "seven were written, and none granted");
    b.set_own_marks(b_id, 1, 1);
    b.set_peer_marks(b_id, 1, 1);
    assert_eq!(b.next_notice(), Some(Notice::Room(b_id)));
    assert!(a.activate_write(a_id));
    assert!(send(&mut a, a_id, "x", false));
}

#[test]
fn after_a_lower_mark_a_reader_that_runs_dry_grants_all() {
    let (here, there) = pipe(marks(10, 10, None), false);
    let (mut outbound, mut inbound) = (here.outbound, there.inbound);
    for _ in 0..3 {
        outbound.push(message("x", false));
    }
    assert!(outbound.flush());
    let mut out = Message::new();
    while inbound.pop(&mut out) {
        assert!(!inbound.count(&out));
    }
    assert!(!inbound.grant_dry(), "by the mark it will be told later");
    assert_eq!(outbound.queued(), 3);
    outbound.set_mark(Mark { own: 2, boost: None });
    assert!(!outbound.wait_for_room());
    assert!(inbound.grant_dry(), "the writer waits");
    assert!(outbound.has_room());
}

#[test]
fn a_strict_writer_finds_room_only_when_it_is_let() {
    let (mut a, a_id, mut b, b_id) = joined(marks(2, 0, None));
    a.set_strict(true);
    let fill = |a: &mut Pipes| (0..10).take_while(|_| send(a, a_id, "x", false)).count();
    let drain = |a: &mut Pipes, b: &mut Pipes| {
        a.flush(a_id);
        b.activate_read(b_id);
        while recv(b, b_id).is_some() {}
    };
    assert_eq!(fill(&mut a), 2);
    drain(&mut a, &mut b);
    assert!(!send(&mut a, a_id, "x", false) && !a.check_write(a_id) && a.is_full(a_id) && a.has_held());
    assert_eq!(a.release_held(), Some((a_id, true)));
    assert_eq!((a.release_held(), a.has_held(), a.is_full(a_id)), (None, false, false));
    assert_eq!(fill(&mut a), 2);
    // Nothing was read: now it waits for the reader to say so.
    assert_eq!(a.release_held(), Some((a_id, false)));
    assert!(a.is_full(a_id));
    drain(&mut a, &mut b);
    assert!(b.has_notices() && a.activate_write(a_id));
    a.set_strict(false);
    assert_eq!(fill(&mut a), 2);
    // One that ends while it is held stays closed.
    a.activate_write(a_id);
    a.set_strict(true);
    assert!(!send(&mut a, a_id, "x", false));
    a.terminate(a_id, true);
    assert_eq!(a.release_held(), Some((a_id, false)));
    assert!(!send(&mut a, a_id, "x", false));
}

#[test]
fn over_inproc_a_strict_writer_sees_what_its_peer_has_read() {
    let (mut a, a_id, mut b, b_id) = joined(marks(1, 0, Some((0, 1))));
    a.set_strict(true);
    for _ in 0..5 {
        assert!(send(&mut a, a_id, "x", false) && send(&mut a, a_id, "x", false));
        a.flush(a_id);
        b.activate_read(b_id);
        while recv(&mut b, b_id).is_some() {}
    }
    assert!(!a.has_held());
}
