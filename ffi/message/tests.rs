use super::*;
use crate::metadata::{IDENTITY, ROUTING_ID};
use std::ffi::CStr;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A C program's variable, not initialised.
struct Variable(Box<mem::MaybeUninit<Message>>);

impl Variable {
    /// Full of bytes that aren't a message.
    fn new() -> Self {
        let mut memory = Box::new(mem::MaybeUninit::<Message>::uninit());
        // SAFETY: 64 bytes.
        unsafe { memory.as_mut_ptr().cast::<u8>().write_bytes(0xa5, 64) };
        Self(memory)
    }

    /// Initialised with a body.
    fn with(body: &[u8]) -> Self {
        let mut this = Self::new();
        // SAFETY: the memory and the body are there.
        assert_eq!(unsafe { zmq_msg_init_buffer(this.ptr(), body.as_ptr().cast(), body.len()) }, 0);
        this
    }

    fn ptr(&mut self) -> *mut Message {
        self.0.as_mut_ptr()
    }
}

fn body(message: &mut Variable) -> &[u8] {
    // SAFETY: the memory is there, and the body lives as long as the message.
    unsafe {
        let (data, size) = (zmq_msg_data(message.ptr()), zmq_msg_size(message.ptr()));
        if size == 0 { &[] } else { std::slice::from_raw_parts(data.cast(), size) }
    }
}

/// What a call returned, and `errno` if that is a failure.
fn outcome<T: PartialEq>(failed: T, call: impl FnOnce() -> T) -> Result<T, c_int> {
    errno::set_errno(errno::Errno(0));
    let value = call();
    if value == failed && errno::errno().0 != 0 { Err(errno::errno().0) } else { Ok(value) }
}

fn close(message: &mut Variable) -> Result<c_int, c_int> {
    // SAFETY: the memory is there.
    outcome(-1, || unsafe { zmq_msg_close(message.ptr()) })
}

unsafe extern "C" fn count_free(_data: *mut c_void, hint: *mut c_void) {
    // SAFETY: the tests give an AtomicUsize that outlives all messages.
    unsafe { (*hint.cast::<AtomicUsize>()).fetch_add(1, Ordering::SeqCst) };
}

#[test]
fn what_is_no_message_is_efault() {
    let closed = || {
        let mut closed = Variable::with(&[1; 50]);
        assert_eq!(close(&mut closed), Ok(0));
        closed
    };
    let (mut garbage, mut closed, mut good) = (Variable::new(), closed(), Variable::with(b"good"));
    let fault = Err(libc::EFAULT);
    for bad in [ptr::null_mut(), garbage.ptr(), closed.ptr()] {
        // SAFETY: pointers are null, or the memory is there.
        unsafe {
            assert_eq!(outcome(-1, || zmq_msg_close(bad)), fault);
            assert_eq!(outcome(-1, || zmq_msg_copy(good.ptr(), bad)), fault);
            assert_eq!(outcome(-1, || zmq_msg_copy(bad, good.ptr())), fault);
            assert_eq!(outcome(-1, || zmq_msg_copy(bad, bad)), fault);
            assert_eq!(outcome(-1, || zmq_msg_move(good.ptr(), bad)), fault);
            assert_eq!(outcome(-1, || zmq_msg_move(bad, good.ptr())), fault);
            assert_eq!(outcome(-1, || zmq_msg_more(bad)), fault);
            for property in [ZMQ_MORE, ZMQ_SHARED, ZMQ_SRCFD, 99] {
                assert_eq!(outcome(-1, || zmq_msg_get(bad, property)), fault);
            }
            assert_eq!(outcome(-1, || zmq_msg_set(bad, 1, 1)), fault);
            assert_eq!(outcome(-1, || zmq_msg_set_routing_id(bad, 1)), fault);
            assert_eq!(outcome(-1, || zmq_msg_set_group(bad, c"a".as_ptr())), fault);
            assert!(outcome(ptr::null_mut(), || zmq_msg_data(bad)) == Err(libc::EFAULT));
            assert!(outcome(0, || zmq_msg_size(bad)) == Err(libc::EFAULT));
            assert!(outcome(0, || zmq_msg_routing_id(bad)) == Err(libc::EFAULT));
            assert!(outcome(ptr::null(), || zmq_msg_group(bad)) == Err(libc::EFAULT));
            assert!(outcome(ptr::null(), || zmq_msg_gets(bad, c"a".as_ptr())) == Err(libc::EFAULT));
        }
    }
    assert_eq!(body(&mut good), b"good", "failed calls change nothing");
    // SAFETY: as above.
    unsafe {
        let null = ptr::null_mut();
        assert_eq!(outcome(-1, || zmq_msg_init(null)), fault);
        assert_eq!(outcome(-1, || zmq_msg_init_size(null, 1)), fault);
        assert_eq!(outcome(-1, || zmq_msg_init_buffer(null, c"a".as_ptr().cast(), 1)), fault);
        assert_eq!(outcome(-1, || zmq_msg_init_data(null, ptr::null_mut(), 0, None, ptr::null_mut())), fault);
        assert_eq!(outcome(-1, || zmq_msg_set_group(good.ptr(), ptr::null())), fault);
        assert!(outcome(ptr::null(), || zmq_msg_gets(good.ptr(), ptr::null())) == Err(libc::EFAULT));
    }
    assert_eq!(close(&mut good), Ok(0));
}

#[test]
fn a_failed_initialisation_leaves_an_empty_message() {
    let mut message = Variable::new();
    let null = ptr::null_mut();
    // SAFETY: the memory is there; bad buffers are what is tested, and aren't touched.
    unsafe {
        assert_eq!(outcome(-1, || zmq_msg_init_size(message.ptr(), usize::MAX)), Err(libc::ENOMEM));
        assert_eq!(close(&mut message), Ok(0));
        assert_eq!(outcome(-1, || zmq_msg_init_buffer(message.ptr(), null, 5)), Err(libc::EFAULT));
        assert_eq!(close(&mut message), Ok(0));
        assert_eq!(outcome(-1, || zmq_msg_init_data(message.ptr(), null, 5, None, null)), Err(libc::EFAULT));
        assert_eq!(close(&mut message), Ok(0));
        assert_eq!(zmq_msg_init_buffer(message.ptr(), null, 0), 0);
        assert_eq!(close(&mut message), Ok(0));
    }
}

#[test]
fn copy_refers_and_move_empties() {
    for size in [0usize, 5, 33, 34, 1000] {
        let expected = vec![7u8; size];
        let (mut a, mut b, mut c) =
            (Variable::with(&expected), Variable::with(b"old"), Variable::with(&[1; 99]));
        // SAFETY: all are messages.
        unsafe {
            assert_eq!(zmq_msg_copy(b.ptr(), a.ptr()), 0);
            let shared = (size > 33).into();
            assert_eq!(
                (zmq_msg_get(a.ptr(), ZMQ_SHARED), zmq_msg_get(b.ptr(), ZMQ_SHARED)),
                (shared, shared)
            );
            assert_eq!(zmq_msg_data(a.ptr()) == zmq_msg_data(b.ptr()), size > 33);
            assert_eq!(zmq_msg_move(c.ptr(), a.ptr()), 0);
            assert_eq!((zmq_msg_copy(c.ptr(), c.ptr()), zmq_msg_move(c.ptr(), c.ptr())), (0, 0));
        }
        assert_eq!((body(&mut a), body(&mut b), body(&mut c)), (&[][..], &expected[..], &expected[..]));
        for message in [&mut a, &mut b, &mut c] {
            assert_eq!(close(message), Ok(0));
            assert_eq!(close(message), Err(libc::EFAULT));
        }
    }
}

#[test]
fn free_function_is_called_once_on_every_way() {
    for size in [0, 10, 100] {
        let calls = AtomicUsize::new(0);
        let mut buffer = vec![3u8; size];
        let (mut a, mut b, mut c) = (Variable::new(), Variable::with(b"b"), Variable::with(b"c"));
        // SAFETY: memory, buffer and counter outlive the messages.
        unsafe {
            let hint = (&raw const calls).cast_mut().cast();
            assert_eq!(
                zmq_msg_init_data(a.ptr(), buffer.as_mut_ptr().cast(), size, Some(count_free), hint),
                0
            );
            assert_eq!(zmq_msg_data(a.ptr()), buffer.as_mut_ptr().cast());
            assert_eq!(zmq_msg_get(a.ptr(), ZMQ_SHARED), 0);
            assert_eq!(zmq_msg_copy(b.ptr(), a.ptr()), 0);
            assert_eq!(zmq_msg_get(b.ptr(), ZMQ_SHARED), 1);
            assert_eq!(zmq_msg_copy(b.ptr(), a.ptr()), 0, "over a copy");
            assert_eq!(zmq_msg_move(c.ptr(), b.ptr()), 0);
        }
        assert_eq!((close(&mut a), close(&mut b)), (Ok(0), Ok(0)));
        assert_eq!((calls.load(Ordering::SeqCst), body(&mut c)), (0, &vec![3u8; size][..]));
        let mut other = Variable::with(b"other");
        // SAFETY: all are messages.
        assert_eq!(unsafe { zmq_msg_move(c.ptr(), other.ptr()) }, 0);
        assert_eq!(calls.load(Ordering::SeqCst), 1, "what is overwritten is released");
        assert_eq!((close(&mut c), close(&mut c), close(&mut other)), (Ok(0), Err(libc::EFAULT), Ok(0)));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn constant_data_is_shared_from_the_start() {
    let mut message = Variable::new();
    let data = c"TEST".as_ptr().cast_mut().cast();
    // SAFETY: the data are static.
    unsafe {
        assert_eq!(zmq_msg_init_data(message.ptr(), data, 5, None, ptr::null_mut()), 0);
        assert_eq!((zmq_msg_get(message.ptr(), ZMQ_SHARED), zmq_msg_data(message.ptr())), (1, data));
    }
    assert_eq!(body(&mut message), b"TEST\0");
    assert_eq!(close(&mut message), Ok(0));
}

#[test]
fn properties() {
    let mut message = Variable::with(b"x");
    let invalid = Err(libc::EINVAL);
    // SAFETY: the message is one.
    unsafe {
        assert_eq!((zmq_msg_more(message.ptr()), zmq_msg_get(message.ptr(), ZMQ_MORE)), (0, 0));
        assert_eq!(outcome(-1, || zmq_msg_get(message.ptr(), ZMQ_SRCFD)), invalid);
        assert_eq!(outcome(-1, || zmq_msg_get(message.ptr(), 99)), invalid);
        assert_eq!(outcome(-1, || zmq_msg_set(message.ptr(), ZMQ_MORE, 1)), invalid);
        assert!(outcome(ptr::null(), || zmq_msg_gets(message.ptr(), c"__fd".as_ptr())) == Err(libc::EINVAL));

        let mut metadata = Metadata::builder();
        metadata.insert(SOURCE_FD, b"17").insert(ROUTING_ID, b"me");
        (*message.ptr()).set_metadata(Some(metadata.build()));
        (*message.ptr()).set_more(true);
        assert_eq!((zmq_msg_more(message.ptr()), zmq_msg_get(message.ptr(), ZMQ_MORE)), (1, 1));
        assert_eq!(zmq_msg_get(message.ptr(), ZMQ_SRCFD), 17);
        let identity = CStr::from_bytes_until_nul(&[IDENTITY, b"\0"].concat()).unwrap().to_owned();
        assert_eq!(CStr::from_ptr(zmq_msg_gets(message.ptr(), identity.as_ptr())), c"me");
        assert!(
            outcome(ptr::null(), || zmq_msg_gets(message.ptr(), c"routing-id".as_ptr())) == Err(libc::EINVAL)
        );
    }
    assert_eq!(close(&mut message), Ok(0));
}

#[test]
fn routing_id_and_group() {
    let (mut message, mut copy) = (Variable::with(b"x"), Variable::with(b""));
    // SAFETY: both are messages, and the strings end.
    unsafe {
        assert_eq!(outcome(0, || zmq_msg_routing_id(message.ptr())), Ok(0), "none, and no error");
        assert_eq!(outcome(-1, || zmq_msg_set_routing_id(message.ptr(), 0)), Err(libc::EINVAL));
        assert_eq!(zmq_msg_set_routing_id(message.ptr(), 77), 0);
        assert_eq!(CStr::from_ptr(zmq_msg_group(message.ptr())), c"");
        assert_eq!(zmq_msg_set_group(message.ptr(), [b'g' as c_char; 300].as_ptr()), 0);
        assert_eq!(zmq_msg_copy(copy.ptr(), message.ptr()), 0);
        assert_eq!(zmq_msg_set_group(message.ptr(), c"short".as_ptr()), 0);
        assert_eq!(CStr::from_ptr(zmq_msg_group(message.ptr())), c"short");
        assert_eq!(CStr::from_ptr(zmq_msg_group(copy.ptr())).to_bytes(), [b'g'; MAX_GROUP]);
        assert_eq!(zmq_msg_routing_id(copy.ptr()), 77);
    }
    assert_eq!((close(&mut message), close(&mut copy)), (Ok(0), Ok(0)));
}
