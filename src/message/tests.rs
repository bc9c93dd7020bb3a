use super::*;
use crate::error::Error;
use crate::metadata::{Metadata, SOCKET_TYPE};
use std::ffi::c_void;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Sizes around all limits of the storage.
fn sizes() -> impl Iterator<Item = usize> {
    (0..=100).chain([255, 256, 1000, 4096, 65_535, 1 << 20])
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + len) as u8).collect()
}

unsafe extern "C" fn count_free(_data: *mut c_void, hint: *mut c_void) {
    // SAFETY: the tests give an AtomicUsize that outlives all messages.
    unsafe { (*hint.cast::<AtomicUsize>()).fetch_add(1, Ordering::SeqCst) };
}

/// A message over `body`; `calls` counts the calls of its free function.
fn external(body: &mut [u8], calls: &AtomicUsize) -> Message {
    let hint = (&raw const *calls).cast_mut().cast();
    // SAFETY: the tests keep the body and the counter for longer than the message.
    unsafe { Message::from_external(body.as_mut_ptr(), body.len(), count_free, hint) }.unwrap()
}

/// Moves a message as a C program would: byte by byte.
fn move_bytes(message: Message) -> Message {
    let message = ManuallyDrop::new(message);
    let mut moved = MaybeUninit::<Message>::uninit();
    let (from, to) =
        ((&raw const *message).cast::<MaybeUninit<u8>>(), moved.as_mut_ptr().cast::<MaybeUninit<u8>>());
    for i in 0..64 {
        // SAFETY: both are 64 bytes; the original isn't used again.
        unsafe { to.add(i).write(from.add(i).read()) };
    }
    // SAFETY: all bytes were written.
    unsafe { moved.assume_init() }
}

fn is_valid(message: &Message) -> bool {
    // SAFETY: it is a reference.
    unsafe { Message::is_valid(message) }
}

#[test]
fn new_is_empty_plain_data() {
    let message = Message::new();
    assert!(message.is_empty() && message.data().is_empty() && message.group().is_empty());
    assert!(!message.more() && !message.is_shared() && message.is_inline() && is_valid(&message));
    assert_eq!((message.kind(), message.routing_id()), (Kind::Data, 0));
    assert!(message.metadata().is_none());
}

#[test]
fn bodies_of_all_sizes_survive_moves_and_sharing() {
    for size in sizes() {
        let body = pattern(size);
        let mut message = move_bytes(Message::from_slice(&body).unwrap());
        assert_eq!((message.data(), message.len()), (&body[..], size));
        assert_eq!(message.is_inline(), size <= MAX_INLINE);
        let copy = move_bytes(message.share());
        assert_eq!(copy.data(), &body[..]);
        assert_eq!((message.is_shared(), copy.is_shared()), (size > MAX_INLINE, size > MAX_INLINE));
        assert_eq!(copy.as_ptr() == message.as_ptr(), size > MAX_INLINE);
        drop(message);
        assert_eq!(copy.data(), &body[..]);
    }
}

#[test]
fn with_size_can_be_filled() {
    for size in sizes() {
        let body = pattern(size);
        let mut message = Message::with_size(size).unwrap();
        assert_eq!(message.len(), size);
        message.data_mut().copy_from_slice(&body);
        assert_eq!(message.data(), &body[..]);
    }
}

#[test]
fn the_front_can_be_cut_off() {
    for size in sizes() {
        for cut in [0, 1, 16, size / 2, size, size + 1] {
            let body = pattern(size);
            let mut message = Message::from_slice(&body).unwrap();
            message.set_more(true);
            message.remove_front(cut);
            assert_eq!(message.data(), &body[cut.min(size)..]);
            assert!(message.more());
            let copy = message.share();
            drop(message);
            assert_eq!(copy.data(), &body[cut.min(size)..]);
        }
    }
}

#[test]
fn take_moves_everything() {
    let metadata = Metadata::builder().build();
    for size in sizes() {
        let body = pattern(size);
        let mut message = Message::from_slice(&body).unwrap();
        message.set_metadata(Some(metadata.clone()));
        message.set_group(&[b'g'; 20]).unwrap();
        message.set_more(true);
        message.set_routing_id(7);
        let taken = message.take();
        assert!(
            message.is_empty()
                && !message.more()
                && message.metadata().is_none()
                && message.group().is_empty()
        );
        assert_eq!((taken.data(), taken.group(), taken.more()), (&body[..], &[b'g'; 20][..], true));
        assert_eq!((taken.routing_id(), taken.metadata().is_some()), (7, true));
    }
    assert_eq!(Arc::strong_count(&metadata), 1);
}

#[test]
fn unsharing_keeps_everything_else() {
    for size in [20, 40] {
        let mut message = Message::from_static(&[1; 40][..size]);
        message.set_group(&[b'g'; 20]).unwrap();
        message.set_more(true);
        message.set_kind(Kind::Pong);
        message.set_routing_id(7);
        message.data_mut()[size - 1] = 2;
        let copy = message.share();
        assert_eq!(
            (copy.group(), copy.more(), copy.kind(), copy.routing_id()),
            (&[b'g'; 20][..], true, Kind::Pong, 7)
        );
        assert_eq!((copy.len(), copy.data()[0], copy.data()[size - 1]), (size, 1, 2));
    }
}

#[test]
fn absurd_sizes_are_out_of_memory() {
    for size in [usize::MAX, usize::MAX - 16, isize::MAX as usize, isize::MAX as usize - 16] {
        assert_eq!(Message::with_size(size).unwrap_err(), Error::OutOfMemory);
    }
}

#[test]
fn writing_to_a_shared_body_leaves_the_other_message_alone() {
    let mut message = Message::from_slice(&[1; 50]).unwrap();
    let mut copy = message.share();
    copy.data_mut()[0] = 2;
    assert_eq!((message.data()[0], copy.data()[0]), (1, 2));
    assert!(!copy.is_shared() && message.is_shared());
    // The message is the only one left, so there is nothing to copy.
    let before = message.as_ptr();
    message.data_mut()[0] = 3;
    assert!(message.as_ptr() == before && !message.is_shared());
    let again = message.share();
    assert_eq!((again.data()[0], again.len()), (3, 50));
}

#[test]
fn constants_are_referred_to_and_never_written() {
    static BODY: [u8; 100] = [7; 100];
    let mut message = Message::from_static(&BODY);
    assert!(message.is_shared() && message.as_ptr() == BODY.as_ptr());
    let copy = message.share();
    assert_eq!(copy.as_ptr(), BODY.as_ptr());
    message.data_mut()[0] = 8;
    assert_eq!((message.data()[0], BODY[0], message.is_shared()), (8, 7, false));
    // A short one becomes inline.
    let mut short = Message::from_static(b"abc");
    short.data_mut()[0] = b'x';
    assert!(short.data() == b"xbc" && short.is_inline());
    // SAFETY: null is allowed for an empty body.
    let mut empty = unsafe { Message::from_constant(std::ptr::null(), 0) };
    assert!(empty.data().is_empty() && empty.data_mut().is_empty());
}

#[test]
fn free_function_is_called_once() {
    let calls = AtomicUsize::new(0);
    let mut bodies = [pattern(5), pattern(40), Vec::new()];
    for body in &mut bodies {
        calls.store(0, Ordering::SeqCst);
        let mut message = external(body, &calls);
        assert_eq!(message.len(), body.len());
        assert!(!message.is_shared());
        let copies: Vec<Message> = (0..10).map(|_| message.share()).collect();
        let mut message = move_bytes(message);
        let taken = std::mem::take(&mut message);
        drop(message);
        drop(copies);
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        assert_eq!(taken.data(), &body[..]);
        drop(taken);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn free_function_is_called_once_by_unshare_and_close() {
    let (calls, mut body) = (AtomicUsize::new(0), pattern(40));
    let mut message = external(&mut body, &calls);
    drop(message.share());
    message.data_mut()[0] = 99;
    assert_eq!(body[0], 99, "the only message left writes in place");
    drop(message);

    let mut message = external(&mut body, &calls);
    let copy = message.share();
    calls.store(0, Ordering::SeqCst);
    message.data_mut()[0] = 1;
    drop(copy);
    assert_eq!((calls.load(Ordering::SeqCst), message.data()[0]), (1, 1));
    let mut message = external(&mut body, &calls);
    message.close();
    message.close();
    drop(message);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[test]
fn free_function_is_called_once_by_whichever_thread_is_last() {
    let mut body = pattern(1000);
    for _ in 0..200 {
        let calls = AtomicUsize::new(0);
        let expected = pattern(1000);
        let mut message = external(&mut body, &calls);
        let copies: Vec<Message> = (0..3).map(|_| message.share()).collect();
        thread::scope(|scope| {
            for mut copy in copies {
                let expected = &expected;
                scope.spawn(move || {
                    let another = copy.share();
                    drop(copy);
                    assert_eq!(another.data(), &expected[..]);
                });
            }
            drop(message);
        });
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn close_invalidates() {
    for size in [0, 10, 50] {
        let mut message = Message::from_slice(&pattern(size)).unwrap();
        message.set_group(&[b'g'; 100]).unwrap();
        assert!(is_valid(&message));
        message.close();
        assert!(!is_valid(&message));
        message.close();
        assert!(message.data().is_empty() && message.group().is_empty(), "safe, if useless");
    }
    // SAFETY: null is what is asked about.
    assert!(!unsafe { Message::is_valid(std::ptr::null()) });
}

#[test]
fn most_garbage_is_no_message() {
    for byte in 0..=255u8 {
        let garbage = ManuallyDrop::new([u64::from_ne_bytes([byte; 8]); 8]);
        // SAFETY: 64 bytes, aligned.
        assert!(!unsafe { Message::is_valid((&raw const *garbage).cast()) }, "{byte:#x}");
    }
}

#[test]
fn flags_and_kinds_are_independent() {
    for size in [0, 33, 40] {
        let body = pattern(size);
        let mut message = Message::from_slice(&body).unwrap();
        for (kind, more) in Kind::ALL.into_iter().flat_map(|kind| [(kind, true), (kind, false)]) {
            message.set_kind(kind);
            message.set_more(more);
            message.set_routing_id(0xdead_0000 + kind as u32);
            assert_eq!((message.kind(), message.more(), message.is_data()), (kind, more, kind == Kind::Data));
            assert!(is_valid(&message) && message.data() == body && !message.is_shared());
            assert_eq!(message.routing_id(), 0xdead_0000 + kind as u32);
        }
    }
    let mut message = Message::from_slice(&[0; 40]).unwrap();
    message.set_kind(Kind::Ping);
    message.set_more(true);
    message.set_routing_id(0xdead_beef);
    let copy = message.share();
    assert_eq!((copy.kind(), copy.more(), copy.routing_id()), (Kind::Ping, true, 0xdead_beef));
}

#[test]
fn groups_of_all_sizes() {
    for len in [0, 1, 13, 14, 15, 16, 254, 255] {
        let group: Vec<u8> = (0..len).map(|i| b'a' + (i % 26) as u8).collect();
        let mut message = Message::new();
        message.set_group(&[b'x'; 20]).unwrap();
        message.set_group(&group).unwrap();
        let copy = move_bytes(message.share());
        drop(message);
        assert_eq!(copy.group(), &group[..]);
        // SAFETY: the string lives as long as the message.
        assert_eq!(unsafe { std::ffi::CStr::from_ptr(copy.group_c_str()) }.to_bytes(), &group[..]);
    }
    let mut message = Message::new();
    message.set_group(b"kept").unwrap();
    assert_eq!(message.set_group(&[b'x'; MAX_GROUP + 1]).unwrap_err(), Error::Invalid);
    assert_eq!(message.group(), b"kept");
}

#[test]
fn metadata_is_shared_and_given_back() {
    let mut builder = Metadata::builder();
    builder.insert(SOCKET_TYPE, b"REQ");
    let metadata = builder.build();
    let mut message = Message::from_slice(b"x").unwrap();
    message.set_metadata(Some(metadata.clone()));
    let copy = move_bytes(message.share());
    assert_eq!(Arc::strong_count(&metadata), 3);
    assert_eq!(copy.metadata().unwrap().get(SOCKET_TYPE), Some(&b"REQ"[..]));
    message.set_metadata(None);
    assert_eq!(Arc::strong_count(&metadata), 2);
    message.set_metadata(Some(metadata.clone()));
    message.set_metadata(Some(metadata.clone()));
    drop((message, copy));
    assert_eq!(Arc::strong_count(&metadata), 1);
}

#[test]
fn truncate_shortens_only() {
    for size in [10, 33, 34, 200] {
        let body = pattern(size);
        let mut message = Message::from_slice(&body).unwrap();
        message.truncate(size + 1);
        assert_eq!(message.data(), &body[..]);
        message.truncate(7);
        assert_eq!(message.data(), &body[..7]);
        message.truncate(0);
        assert!(message.is_empty());
    }
}

#[test]
fn debug_shows_the_beginning() {
    let text = format!("{:?}", Message::from_slice(&[b'a'; 40]).unwrap());
    assert!(
        text.contains("len: 40") && text.contains(&"a".repeat(32)) && !text.contains(&"a".repeat(33)),
        "{text}"
    );
}
