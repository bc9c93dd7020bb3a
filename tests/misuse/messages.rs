//! Messages used after they were closed, never initialised, or used up by a send.

use std::ptr;

use libc::EFAULT;
use zmq::ffi::constants::*;
use zmq::ffi::message::*;
use zmq::ffi::socket::*;
use zmq::ffi::types::zmq_msg_t;

use crate::support::{Context, errno};
use crate::{assert_no_panics, watch_for_panics};

/// Every function that takes a message fails, and says why where it can.
fn all_refuse(message: &mut zmq_msg_t, socket: *mut std::ffi::c_void) {
    let mut good = zmq_msg_t::default();
    // SAFETY: the message is memory of a message's size; that it isn't one is what is tested.
    unsafe {
        for (name, code) in [
            ("close", zmq_msg_close(message)),
            ("move from", zmq_msg_move(&mut good, message)),
            ("copy from", zmq_msg_copy(&mut good, message)),
            ("more", zmq_msg_more(message)),
            ("get", zmq_msg_get(message, ZMQ_MORE)),
            ("set", zmq_msg_set(message, ZMQ_MORE, 1)),
            ("set_routing_id", zmq_msg_set_routing_id(message, 1)),
            ("set_group", zmq_msg_set_group(message, c"g".as_ptr())),
            ("send", zmq_msg_send(message, socket, ZMQ_DONTWAIT)),
            ("recv", zmq_msg_recv(message, socket, ZMQ_DONTWAIT)),
        ] {
            assert_eq!((name, code), (name, -1));
            assert_eq!((name, errno()), (name, EFAULT));
        }
        assert_eq!(zmq_msg_size(message), 0);
        assert!(zmq_msg_data(message).is_null());
        assert!(zmq_msg_gets(message, c"Socket-Type".as_ptr()).is_null());
        assert!(zmq_msg_group(message).is_null());
        assert_eq!(zmq_msg_routing_id(message), 0);
        assert_eq!(zmq_msg_close(&mut good), 0);
    }
}

#[test]
fn a_closed_message_and_arbitrary_memory_are_refused_everywhere() {
    watch_for_panics();
    let context = Context::new();
    let (a, b) = (context.socket(ZMQ_PAIR), context.socket(ZMQ_PAIR));
    a.bind("inproc://a").expect("a free name");
    b.connect("inproc://a").expect("it is bound");
    for len in [0, 10, 100, 100_000] {
        let mut message = zmq_msg_t::default();
        // SAFETY: room for a message.
        unsafe {
            assert_eq!(zmq_msg_init_size(&mut message, len), 0);
            assert_eq!(zmq_msg_close(&mut message), 0);
        }
        all_refuse(&mut message, a.handle());
        std::mem::forget(message);
    }
    for byte in [0_u8, 0x55, 0xff] {
        let mut memory = std::mem::MaybeUninit::<zmq_msg_t>::uninit();
        // SAFETY: memory of that size; any bytes must do no harm, as long as only the C functions look at them.
        unsafe {
            memory.as_mut_ptr().cast::<u8>().write_bytes(byte, size_of::<zmq_msg_t>());
            all_refuse(&mut *memory.as_mut_ptr(), a.handle());
        }
    }
    // Nothing of that has left the sockets in the middle of anything.
    a.send(b"after all").expect("it is connected");
    assert_eq!(b.recv().as_deref(), Ok(&b"after all"[..]));
    assert_no_panics();
}

#[test]
fn a_message_that_was_sent_is_empty_and_may_be_sent_again() {
    watch_for_panics();
    let context = Context::new();
    let (a, b) = (context.socket(ZMQ_PAIR), context.socket(ZMQ_PAIR));
    a.bind("inproc://a").expect("a free name");
    b.connect("inproc://a").expect("it is bound");
    let mut message = zmq_msg_t::default();
    // SAFETY: a message that is initialised first.
    unsafe {
        assert_eq!(zmq_msg_init_size(&mut message, 100), 0);
        assert_eq!(zmq_msg_send(&mut message, a.handle(), 0), 100);
        assert_eq!(zmq_msg_size(&message), 0);
        assert_eq!(zmq_msg_send(&mut message, a.handle(), 0), 0);
        assert_eq!(zmq_msg_close(&mut message), 0);
        assert_eq!((zmq_msg_close(&mut message), errno()), (-1, EFAULT));
    }
    std::mem::forget(message);
    assert_eq!(b.recv().map(|body| body.len()), Ok(100));
    assert_eq!(b.recv().map(|body| body.len()), Ok(0));
    assert_no_panics();
}

#[test]
fn a_message_copied_or_moved_to_itself_stays_what_it_is() {
    watch_for_panics();
    for len in [3, 33, 34, 5000] {
        let mut message = zmq_msg_t::default();
        let same: *mut zmq_msg_t = &mut message;
        // SAFETY: a message that is initialised first; that both arguments are the same is what is tested.
        unsafe {
            assert_eq!(zmq_msg_init_size(same, len), 0);
            ptr::write_bytes(zmq_msg_data(same).cast::<u8>(), 7, len);
            zmq_msg_copy(same, same);
            zmq_msg_move(same, same);
            assert_eq!(zmq_msg_size(same), len);
            let body = std::slice::from_raw_parts(zmq_msg_data(same).cast::<u8>(), len);
            assert!(body.iter().all(|byte| *byte == 7));
        }
    }
    assert_no_panics();
}
