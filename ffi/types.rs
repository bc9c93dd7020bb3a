//! The types of `zmq.h` that more than one section uses.
//!
//! cbindgen leaves these out: the header's prelude declares them, because C has function types and
//! alignment attributes that no Rust declaration turns into.

use libc::{c_int, c_void};

/// A message, 64 bytes that the caller owns (zmq_msg_init(3)).
#[allow(non_camel_case_types)]
pub type zmq_msg_t = crate::message::Message;

/// A file descriptor.
#[allow(non_camel_case_types)]
pub type zmq_fd_t = c_int;

/// Releases the body of a message made by `zmq_msg_init_data`: body, then hint.
#[allow(non_camel_case_types)]
pub type zmq_free_fn = Option<unsafe extern "C" fn(data: *mut c_void, hint: *mut c_void)>;

/// Called when a timer is due: its id, then the argument given to `zmq_timers_add`.
#[allow(non_camel_case_types)]
pub type zmq_timer_fn = Option<unsafe extern "C-unwind" fn(timer_id: c_int, arg: *mut c_void)>;

/// The body of a thread started by `zmq_threadstart`.
#[allow(non_camel_case_types)]
pub type zmq_thread_fn = Option<unsafe extern "C-unwind" fn(arg: *mut c_void)>;
