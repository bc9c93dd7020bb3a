//! Options of every socket type: set with arbitrary bytes, then read back into buffers of arbitrary size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zmq::ffi::context::zmq_ctx_new;
use zmq::ffi::socket::{zmq_close, zmq_getsockopt, zmq_setsockopt, zmq_socket};

/// A descriptor that the program hands over would be closed: the fuzzer's own, say.
const USE_FD: i32 = 89;

fuzz_target!(|data: &[u8]| {
    let [kind, rest @ ..] = data else { return };
    thread_local! {
        // SAFETY: it takes nothing.
        static CONTEXT: usize = unsafe { zmq_ctx_new() }.addr();
    }
    let context = CONTEXT.with(|context| std::ptr::without_provenance_mut(*context));
    // SAFETY: the handles are this function's own, and the buffers as long as they are said to be.
    unsafe {
        let socket = zmq_socket(context, i32::from(*kind) % 22);
        if socket.is_null() {
            return;
        }
        let mut rest = rest;
        while let [option, length, tail @ ..] = rest {
            let (value, next) = tail.split_at(usize::from(*length).min(tail.len()));
            rest = next;
            let option = i32::from(*option);
            if option != USE_FD {
                zmq_setsockopt(socket, option, value.as_ptr().cast(), value.len());
            }
            let mut out = [0_u8; 256];
            let mut size = usize::from(*length);
            zmq_getsockopt(socket, option, out.as_mut_ptr().cast(), &mut size);
            assert!(size <= 256);
        }
        assert_eq!(zmq_close(socket), 0);
    }
});
