//! Null pointers, sizes that no buffer has, and endpoints that are none.

use std::ffi::{CString, c_char, c_void};
use std::ptr;

use libc::{EADDRINUSE, EFAULT, EINVAL, ENAMETOOLONG, ENOENT, ENOTSUP, EPROTONOSUPPORT};
use zmq::ffi::constants::*;
use zmq::ffi::message::*;
use zmq::ffi::poll::*;
use zmq::ffi::poller::*;
use zmq::ffi::socket::*;
use zmq::ffi::util::*;

use crate::support::{Context, errno};
use crate::{assert_no_panics, watch_for_panics};

#[test]
fn null_pointers_are_errors() {
    watch_for_panics();
    let context = Context::new();
    let socket = context.socket(ZMQ_DEALER);
    let s = socket.handle();
    let null = ptr::null_mut::<c_void>();
    let text = ptr::null::<c_char>();
    // SAFETY: null pointers are what is tested; the socket lives.
    unsafe {
        for (name, code) in [
            ("bind", zmq_bind(s, text)),
            ("connect", zmq_connect(s, text)),
            ("unbind", zmq_unbind(s, text)),
            ("disconnect", zmq_disconnect(s, text)),
        ] {
            assert_eq!((code, errno()), (-1, EINVAL), "{name}");
        }
        for (name, code) in [
            (
                "getsockopt, no length",
                zmq_getsockopt(s, ZMQ_LINGER, ptr::from_mut(&mut [0_i32; 2]).cast(), ptr::null_mut()),
            ),
            ("send", zmq_send(s, null, 5, 0)),
            ("send_const", zmq_send_const(s, null, 5, 0)),
            ("recv", zmq_recv(s, null, 5, ZMQ_DONTWAIT)),
            ("msg_send", zmq_msg_send(ptr::null_mut(), s, 0)),
            ("msg_recv", zmq_msg_recv(ptr::null_mut(), s, 0)),
            ("poll", zmq_poll(ptr::null_mut(), 1, 0)),
            ("msg_init", zmq_msg_init(ptr::null_mut())),
            ("msg_init_size", zmq_msg_init_size(ptr::null_mut(), 1)),
            ("msg_close", zmq_msg_close(ptr::null_mut())),
            ("join", zmq_join(s, text)),
            ("leave", zmq_leave(s, text)),
        ] {
            assert_eq!((code, errno()), (-1, EFAULT), "{name}");
        }
        for (name, code) in [
            ("sendiov", zmq_sendiov(s, ptr::null_mut(), 1, 0)),
            ("recviov", zmq_recviov(s, ptr::null_mut(), &mut 1, 0)),
            ("recviov, no count", zmq_recviov(s, ptr::from_mut(&mut [0_u64; 2]).cast(), ptr::null_mut(), 0)),
            ("setsockopt", zmq_setsockopt(s, ZMQ_SNDHWM, null, 4)),
            ("setsockopt, huge", zmq_setsockopt(s, ZMQ_ROUTING_ID, text.cast(), usize::MAX)),
        ] {
            assert_eq!((code, errno()), (-1, EINVAL), "{name}");
        }
        // Nothing, from or to nowhere, is fine.
        assert_eq!(zmq_recv(s, null, 0, ZMQ_DONTWAIT), -1);
        assert_eq!(errno(), libc::EAGAIN);
        assert_eq!(zmq_has(text), 0);
        zmq_version(ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        assert!(zmq_z85_encode(ptr::null_mut(), ptr::null(), 4).is_null());
        assert!(zmq_z85_decode(ptr::null_mut(), ptr::null()).is_null());
    }
    assert_no_panics();
}

#[test]
fn sizes_that_no_buffer_has_are_errors() {
    watch_for_panics();
    let context = Context::new();
    let socket = context.socket(ZMQ_DEALER);
    let s = socket.handle();
    let byte = c"x".as_ptr().cast::<c_void>();
    // SAFETY: lengths that no buffer has are what is tested; they must be refused before anything is read.
    unsafe {
        for len in [usize::MAX, isize::MAX as usize + 1] {
            assert_eq!((zmq_send(s, byte, len, 0), errno()), (-1, EINVAL));
            assert_eq!((zmq_send_const(s, byte, len, 0), errno()), (-1, EINVAL));
            assert_eq!((zmq_recv(s, byte.cast_mut(), len, 0), errno()), (-1, EINVAL));
            assert_eq!((zmq_setsockopt(s, ZMQ_ROUTING_ID, byte, len), errno()), (-1, EINVAL));
            let mut message = zmq::ffi::types::zmq_msg_t::default();
            assert_eq!(zmq_msg_init_size(&mut message, len), -1);
            assert!([EINVAL, libc::ENOMEM].contains(&errno()));
            assert_eq!(zmq_msg_size(&message), 0);
        }
        // Above what can be had.
        let mut message = zmq::ffi::types::zmq_msg_t::default();
        assert_eq!((zmq_msg_init_size(&mut message, isize::MAX as usize - 64), errno()), (-1, libc::ENOMEM));
        for count in [-1, i32::MIN] {
            let mut item = zmq_pollitem_t { socket: s, fd: 0, events: 1, revents: 0 };
            assert_eq!((zmq_poll(&mut item, count, 0), errno()), (-1, EINVAL));
            let mut poller = zmq_poller_new();
            let mut event = [0_u64; 8];
            assert_eq!(zmq_poller_wait_all(poller, event.as_mut_ptr().cast(), count, 0), -1);
            assert_eq!(zmq_poller_destroy(&mut poller), 0);
        }
    }
    assert_no_panics();
}

#[test]
fn endpoints_that_are_none_are_errors() {
    watch_for_panics();
    let context = Context::new();
    let socket = context.socket(ZMQ_DEALER);
    let long = "x".repeat(100_000);
    let long_ipc = format!("ipc://{long}");
    let long_abstract = format!("ipc://@{}", "x".repeat(107));
    let long_tcp = format!("tcp://{long}:5555");
    let long_scheme = format!("{long}://x");
    for (endpoint, allowed) in [
        ("", &[EINVAL][..]),
        ("x", &[EINVAL]),
        ("://", &[EINVAL, EPROTONOSUPPORT]),
        ("tcp://", &[EINVAL]),
        ("tcp://:", &[EINVAL]),
        ("tcp://*", &[EINVAL]),
        ("tcp://[::1", &[EINVAL, libc::ENODEV]),
        ("tcp://127.0.0.1:port", &[EINVAL]),
        ("inproc://", &[EINVAL]),
        ("ipc://", &[EINVAL, EADDRINUSE, libc::ENOENT]),
        ("nonsense://x", &[EPROTONOSUPPORT]),
        (&long, &[EINVAL]),
        (&long_scheme, &[EPROTONOSUPPORT, EINVAL]),
        (&long_ipc, &[ENAMETOOLONG]),
        (&long_abstract, &[ENAMETOOLONG]),
        (&long_tcp, &[EINVAL, libc::ENODEV, ENAMETOOLONG]),
    ] {
        let errno = socket.bind(endpoint).expect_err(&format!("{endpoint:.40}"));
        assert!(allowed.contains(&errno), "bind {endpoint:.40}: {errno}");
        let undone = socket.unbind(endpoint).expect_err(&format!("{endpoint:.40}"));
        assert!(undone == ENOENT || allowed.contains(&undone), "unbind {endpoint:.40}: {undone}");
        // Some of them are found wrong only when the connection is tried.
        if let Err(errno) = socket.connect(endpoint) {
            assert!(allowed.contains(&errno), "connect {endpoint:.40}: {errno}");
        }
    }
    let not_text = CString::new(b"ipc:///tmp/\xff\xfe".as_slice()).expect("no zero byte");
    // SAFETY: a C string.
    assert_eq!((unsafe { zmq_bind(socket.handle(), not_text.as_ptr()) }, errno()), (-1, EINVAL));
    assert_no_panics();
}

#[test]
fn every_option_of_every_type_takes_any_bytes_without_harm() {
    watch_for_panics();
    let context = Context::new();
    for kind in 0..=20 {
        let Ok(socket) = context.try_socket(kind) else { continue };
        for option in -1..130 {
            for len in [0, 1, 3, 4, 5, 8, 32, 33, 255, 256, 4096] {
                let value = vec![0xff_u8; len];
                let _ = socket.set_bytes(option, &value);
                let mut room = vec![0_u8; len];
                let mut size = len;
                // SAFETY: room for `len` bytes.
                unsafe {
                    zmq_getsockopt(socket.handle(), option, room.as_mut_ptr().cast(), &mut size);
                }
                assert!(size <= len.max(4096), "option {option} of type {kind}");
            }
        }
    }
    assert_no_panics();
}

#[test]
fn operations_that_a_type_lacks_are_enotsup() {
    watch_for_panics();
    let context = Context::new();
    assert_eq!(context.socket(ZMQ_PUSH).try_recv().map(drop), Err(ENOTSUP));
    assert_eq!(context.socket(ZMQ_PULL).try_send(b"x"), Err(ENOTSUP));
    assert_eq!(context.socket(ZMQ_SUB).try_send(b"x"), Err(ENOTSUP));
    assert_eq!(context.socket(ZMQ_PUB).try_recv().map(drop), Err(ENOTSUP));
    assert_no_panics();
}
