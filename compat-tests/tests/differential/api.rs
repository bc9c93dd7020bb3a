//! The functions of the C API, from a library file: every one that the scripts call, with the type that `zmq.h` gives it.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_short, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A handle of anything.
pub type Handle = *mut c_void;

/// `zmq_msg_t`
#[repr(C, align(8))]
pub struct RawMessage(pub [u8; 64]);

/// `zmq_pollitem_t`
#[repr(C)]
pub struct PollItem {
    pub socket: Handle,
    pub fd: c_int,
    pub events: c_short,
    pub revents: c_short,
}

/// `zmq_poller_event_t`
#[repr(C)]
pub struct PollerEvent {
    pub socket: Handle,
    pub fd: c_int,
    pub user_data: Handle,
    pub events: c_short,
}

macro_rules! api {
    ($($field:ident: fn($($argument:ty),*) -> $result:ty;)*) => {
        /// The functions, each named without its `zmq_`.
        #[allow(missing_docs)] // the names are those of zmq.h
        pub struct Api {
            $(pub $field: unsafe extern "C" fn($($argument),*) -> $result,)*
        }

        impl Api {
            /// Loads a library by its path. It stays loaded.
            pub fn load(file: &Path) -> Result<Self, String> {
                let path = CString::new(file.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
                // SAFETY: loading runs the constructors of the library under test, as it does in any program.
                let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
                if library.is_null() {
                    // SAFETY: right after a failure of dlopen in this thread dlerror gives a terminated string.
                    let reason = unsafe { CStr::from_ptr(libc::dlerror()) };
                    return Err(reason.to_string_lossy().into_owned());
                }
                let find = |name: &str| {
                    let symbol = CString::new(format!("zmq_{name}")).map_err(|e| e.to_string())?;
                    // SAFETY: a valid library and a terminated name.
                    let symbol = unsafe { libc::dlsym(library, symbol.as_ptr()) };
                    if symbol.is_null() { Err(format!("no zmq_{name}")) } else { Ok(symbol) }
                };
                Ok(Self {
                    $(
                        // SAFETY: zmq.h gives this function the type that the field has.
                        $field: unsafe {
                            std::mem::transmute::<
                                *mut c_void,
                                unsafe extern "C" fn($($argument),*) -> $result,
                            >(find(stringify!($field))?)
                        },
                    )*
                })
            }
        }
    };
}

api! {
    errno: fn() -> c_int;
    has: fn(*const c_char) -> c_int;
    ctx_new: fn() -> Handle;
    ctx_term: fn(Handle) -> c_int;
    ctx_shutdown: fn(Handle) -> c_int;
    ctx_set: fn(Handle, c_int, c_int) -> c_int;
    ctx_get: fn(Handle, c_int) -> c_int;
    ctx_set_ext: fn(Handle, c_int, *const c_void, usize) -> c_int;
    ctx_get_ext: fn(Handle, c_int, Handle, *mut usize) -> c_int;
    socket: fn(Handle, c_int) -> Handle;
    close: fn(Handle) -> c_int;
    setsockopt: fn(Handle, c_int, *const c_void, usize) -> c_int;
    getsockopt: fn(Handle, c_int, Handle, *mut usize) -> c_int;
    bind: fn(Handle, *const c_char) -> c_int;
    connect: fn(Handle, *const c_char) -> c_int;
    unbind: fn(Handle, *const c_char) -> c_int;
    disconnect: fn(Handle, *const c_char) -> c_int;
    connect_peer: fn(Handle, *const c_char) -> u32;
    send: fn(Handle, *const c_void, usize, c_int) -> c_int;
    send_const: fn(Handle, *const c_void, usize, c_int) -> c_int;
    recv: fn(Handle, Handle, usize, c_int) -> c_int;
    msg_init: fn(*mut RawMessage) -> c_int;
    msg_init_size: fn(*mut RawMessage, usize) -> c_int;
    msg_data: fn(*mut RawMessage) -> Handle;
    msg_size: fn(*const RawMessage) -> usize;
    msg_more: fn(*const RawMessage) -> c_int;
    msg_get: fn(*const RawMessage, c_int) -> c_int;
    msg_set: fn(*mut RawMessage, c_int, c_int) -> c_int;
    msg_gets: fn(*const RawMessage, *const c_char) -> *const c_char;
    msg_copy: fn(*mut RawMessage, *mut RawMessage) -> c_int;
    msg_move: fn(*mut RawMessage, *mut RawMessage) -> c_int;
    msg_send: fn(*mut RawMessage, Handle, c_int) -> c_int;
    msg_recv: fn(*mut RawMessage, Handle, c_int) -> c_int;
    msg_close: fn(*mut RawMessage) -> c_int;
    msg_set_routing_id: fn(*mut RawMessage, u32) -> c_int;
    msg_routing_id: fn(*mut RawMessage) -> u32;
    msg_set_group: fn(*mut RawMessage, *const c_char) -> c_int;
    msg_group: fn(*mut RawMessage) -> *const c_char;
    join: fn(Handle, *const c_char) -> c_int;
    leave: fn(Handle, *const c_char) -> c_int;
    poll: fn(*mut PollItem, c_int, c_long) -> c_int;
    socket_monitor: fn(Handle, *const c_char, c_int) -> c_int;
    socket_monitor_versioned: fn(Handle, *const c_char, u64, c_int, c_int) -> c_int;
    socket_monitor_pipes_stats: fn(Handle) -> c_int;
    socket_get_peer_state: fn(Handle, *const c_void, usize) -> c_int;
    poller_new: fn() -> Handle;
    poller_destroy: fn(*mut Handle) -> c_int;
    poller_size: fn(Handle) -> c_int;
    poller_add: fn(Handle, Handle, Handle, c_short) -> c_int;
    poller_modify: fn(Handle, Handle, c_short) -> c_int;
    poller_remove: fn(Handle, Handle) -> c_int;
    poller_wait: fn(Handle, *mut PollerEvent, c_long) -> c_int;
    poller_wait_all: fn(Handle, *mut PollerEvent, c_int, c_long) -> c_int;
    poller_fd: fn(Handle, *mut c_int) -> c_int;
    poller_add_fd: fn(Handle, c_int, Handle, c_short) -> c_int;
    poller_modify_fd: fn(Handle, c_int, c_short) -> c_int;
    poller_remove_fd: fn(Handle, c_int) -> c_int;
    proxy: fn(Handle, Handle, Handle) -> c_int;
    proxy_steerable: fn(Handle, Handle, Handle, Handle) -> c_int;
    timers_new: fn() -> Handle;
    timers_destroy: fn(*mut Handle) -> c_int;
    timers_add: fn(Handle, usize, Option<unsafe extern "C" fn(c_int, Handle)>, Handle) -> c_int;
    timers_cancel: fn(Handle, c_int) -> c_int;
    timers_set_interval: fn(Handle, c_int, usize) -> c_int;
    timers_reset: fn(Handle, c_int) -> c_int;
    timers_timeout: fn(Handle) -> c_long;
    timers_execute: fn(Handle) -> c_int;
    z85_encode: fn(*mut c_char, *const u8, usize) -> *mut c_char;
    z85_decode: fn(*mut u8, *const c_char) -> *mut u8;
    curve_keypair: fn(*mut c_char, *mut c_char) -> c_int;
    curve_public: fn(*mut c_char, *const c_char) -> c_int;
}
