//! Sockets: zmq_socket(3) and the pages that it names; also what sends and receives messages.
#![allow(unused_variables)] // until the engine is behind it

use libc::{c_char, c_int, c_void, iovec, size_t};

use super::boundary::call;
use super::types::zmq_msg_t;
use crate::error::Error;

/// A new socket, or null (zmq_socket(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket(context: *mut c_void, socket_type: c_int) -> *mut c_void {
    call(|| Err(Error::NotSupported))
}

/// Closes a socket; what it still has to send is sent in the background (zmq_close(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_close(socket: *mut c_void) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Sets an option of a socket (zmq_setsockopt(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_setsockopt(
    socket: *mut c_void,
    option: c_int,
    value: *const c_void,
    len: size_t,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// An option of a socket (zmq_getsockopt(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_getsockopt(
    socket: *mut c_void,
    option: c_int,
    value: *mut c_void,
    len: *mut size_t,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Accepts connections at an endpoint (zmq_bind(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_bind(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Connects to an endpoint (zmq_connect(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_connect(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Stops accepting connections at an endpoint (zmq_unbind(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_unbind(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Ends a connection to an endpoint (zmq_disconnect(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_disconnect(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Sends a copy of a buffer; returns the bytes sent (zmq_send(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_send(
    socket: *mut c_void,
    buffer: *const c_void,
    len: size_t,
    flags: c_int,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Sends a buffer that never changes, without a copy (zmq_send_const(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_send_const(
    socket: *mut c_void,
    buffer: *const c_void,
    len: size_t,
    flags: c_int,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Receives into a buffer; returns the size of the message, of which what exceeds the buffer is lost (zmq_recv(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_recv(
    socket: *mut c_void,
    buffer: *mut c_void,
    len: size_t,
    flags: c_int,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Sends a message, which is empty afterwards; returns the bytes sent (zmq_msg_send(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_send(message: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Receives a message; returns its size (zmq_msg_recv(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_recv(message: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Deprecated: `zmq_msg_send` with its arguments in another order (zmq_sendmsg(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_sendmsg(socket: *mut c_void, message: *mut zmq_msg_t, flags: c_int) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Deprecated: `zmq_msg_recv` with its arguments in another order (zmq_recvmsg(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_recvmsg(socket: *mut c_void, message: *mut zmq_msg_t, flags: c_int) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Sends each buffer as a part of one message; returns the bytes of the last part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_sendiov(
    socket: *mut c_void,
    buffers: *mut iovec,
    count: size_t,
    flags: c_int,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Receives the parts of a message into buffers from malloc(3), which the caller frees; sets `count` to their number and returns it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_recviov(
    socket: *mut c_void,
    buffers: *mut iovec,
    count: *mut size_t,
    flags: c_int,
) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Joins a group (zmq_join(3)).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_join(socket: *mut c_void, group: *const c_char) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Leaves a group (zmq_leave(3)).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_leave(socket: *mut c_void, group: *const c_char) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// Connects to an endpoint; returns the routing id of the peer, or 0 (zmq_connect_peer(3)).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_connect_peer(socket: *mut c_void, endpoint: *const c_char) -> u32 {
    call(|| Err(Error::NotSupported))
}

/// Ends the connection to the peer with a routing id.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_disconnect_peer(socket: *mut c_void, routing_id: u32) -> c_int {
    call(|| Err(Error::NotSupported))
}

/// What a ROUTER can do with a peer now: ZMQ_POLLIN, ZMQ_POLLOUT.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket_get_peer_state(
    socket: *mut c_void,
    routing_id: *const c_void,
    len: size_t,
) -> c_int {
    call(|| Err(Error::NotSupported))
}
