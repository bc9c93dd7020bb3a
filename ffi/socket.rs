//! Sockets: zmq_socket(3) and the pages that it names; also what sends and receives messages.

use libc::{c_char, c_int, c_void, iovec, size_t};

use super::boundary::{c_string, call, call_unit, slice, slice_mut};
use super::constants::ZMQ_FD;
use super::message::message_mut;
use super::types::zmq_msg_t;
use super::{context, handle};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::options::{Given, SocketType};
use crate::runtime::cell::SocketRef;
use crate::runtime::socket::Socket;
use crate::runtime::{self, blocking};

const DONTWAIT: c_int = 1;
const SNDMORE: c_int = 2;

/// An endpoint. Ours are text; an ipc path that isn't UTF-8 is refused (docs/differences.md).
///
/// # Safety
/// As for [`c_string`].
unsafe fn endpoint_text<'a>(endpoint: *const c_char) -> Result<&'a str> {
    // SAFETY: the caller's promise.
    let bytes = unsafe { c_string(endpoint) }.map_err(|_| Error::Invalid)?;
    std::str::from_utf8(bytes).map_err(|_| Error::Invalid)
}

/// Does something with a socket and an endpoint.
///
/// # Safety
/// As for [`c_string`].
unsafe fn with_endpoint(
    socket: *mut c_void,
    endpoint: *const c_char,
    action: impl FnOnce(&mut Socket, &str) -> Result<()>,
) -> c_int {
    call_unit(|| {
        let mut socket = handle::socket(socket)?.lock()?;
        // SAFETY: the caller's promise.
        action(&mut socket, unsafe { endpoint_text(endpoint) }?)
    })
}

/// A size as C's functions return it.
fn size(bytes: usize) -> c_int {
    c_int::try_from(bytes).unwrap_or(c_int::MAX)
}

#[inline]
fn send(socket: SocketRef, message: &mut Message, flags: c_int) -> Result<c_int> {
    let sent = size(message.len());
    message.set_more(flags & SNDMORE != 0);
    if message.metadata().is_some() {
        // Properties are of the connection that a message came by; the next receiver has another.
        message.set_metadata(None);
    }
    blocking::send(socket, message, flags & DONTWAIT != 0)?;
    Ok(sent)
}

/// A new socket, or null (zmq_socket(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket(context: *mut c_void, socket_type: c_int) -> *mut c_void {
    call(|| {
        let context = context::context(context)?;
        let kind = SocketType::from_raw(socket_type);
        let refusal = if context.is_terminating() { Error::Terminated } else { Error::Invalid };
        context.socket(kind.ok_or(refusal)?).map(handle::from_socket)
    })
}

/// Closes a socket; what it still has to send is sent in the background (zmq_close(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_close(socket: *mut c_void) -> c_int {
    call_unit(|| runtime::close(handle::socket(socket)?))
}

/// Sets an option of a socket (zmq_setsockopt(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_setsockopt(
    socket: *mut c_void,
    option: c_int,
    value: *const c_void,
    len: size_t,
) -> c_int {
    call_unit(|| {
        let mut socket = handle::socket(socket)?.lock()?;
        let given = if value.is_null() {
            Given::Null(len)
        } else {
            // SAFETY: the caller passes a value of that length.
            Given::Bytes(unsafe { slice(value, len) }?)
        };
        socket.set_option(option, given)
    })
}

/// An option of a socket (zmq_getsockopt(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_getsockopt(
    socket: *mut c_void,
    option: c_int,
    value: *mut c_void,
    len: *mut size_t,
) -> c_int {
    call_unit(|| {
        let mut socket = handle::socket(socket)?.lock()?;
        // That a thread-safe socket has no descriptor comes before whether there is room for one.
        let no_room =
            if option == ZMQ_FD && socket.kind().is_thread_safe() { Error::Invalid } else { Error::Fault };
        // SAFETY: the caller passes a pointer to the length of the buffer, or null.
        let len = unsafe { len.as_mut() }.ok_or(no_room)?;
        // SAFETY: the caller passes a buffer of that length. Upstream calls one that is too small, or none, invalid.
        let buffer = unsafe { slice_mut(value, *len) }.map_err(|_| Error::Invalid)?;
        *len = socket.get_option(option, buffer)?;
        Ok(())
    })
}

/// Accepts connections at an endpoint (zmq_bind(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_bind(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    // SAFETY: the caller passes a C string, or null.
    unsafe { with_endpoint(socket, endpoint, Socket::bind) }
}

/// Connects to an endpoint (zmq_connect(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_connect(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    // SAFETY: the caller passes a C string, or null.
    unsafe { with_endpoint(socket, endpoint, Socket::connect) }
}

/// Stops accepting connections at an endpoint (zmq_unbind(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_unbind(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    // SAFETY: the caller passes a C string, or null.
    unsafe { with_endpoint(socket, endpoint, Socket::undo_endpoint) }
}

/// Ends a connection to an endpoint (zmq_disconnect(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_disconnect(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    // SAFETY: the caller passes a C string, or null.
    unsafe { with_endpoint(socket, endpoint, Socket::undo_endpoint) }
}

/// Sends a copy of a buffer; returns the bytes sent (zmq_send(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_send(
    socket: *mut c_void,
    buffer: *const c_void,
    len: size_t,
    flags: c_int,
) -> c_int {
    call(|| {
        let socket = handle::socket(socket)?;
        // SAFETY: the caller passes a buffer of that length.
        let mut message = Message::from_slice(unsafe { slice(buffer, len) }?)?;
        send(socket, &mut message, flags)
    })
}

/// Sends a buffer that never changes, without a copy (zmq_send_const(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_send_const(
    socket: *mut c_void,
    buffer: *const c_void,
    len: size_t,
    flags: c_int,
) -> c_int {
    call(|| {
        let socket = handle::socket(socket)?;
        // SAFETY: the caller passes a buffer of that length, which lives and stays as it is for ever (zmq_send_const(3)).
        let data = unsafe { slice(buffer, len) }?;
        // SAFETY: as above.
        let mut message = unsafe { Message::from_constant(data.as_ptr(), data.len()) };
        send(socket, &mut message, flags)
    })
}

/// Receives into a buffer; returns the size of the message, of which what exceeds the buffer is lost (zmq_recv(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_recv(
    socket: *mut c_void,
    buffer: *mut c_void,
    len: size_t,
    flags: c_int,
) -> c_int {
    call(|| {
        let socket = handle::socket(socket)?;
        // SAFETY: the caller passes a buffer of that length.
        let buffer = unsafe { slice_mut(buffer, len) }?;
        let mut message = Message::new();
        blocking::recv(socket, &mut message, flags & DONTWAIT != 0)?;
        let data = message.data();
        let count = data.len().min(buffer.len());
        buffer[..count].copy_from_slice(&data[..count]);
        Ok(size(data.len()))
    })
}

/// Sends a message, which is empty afterwards; returns the bytes sent (zmq_msg_send(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_send(message: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int {
    call(|| {
        // SAFETY: the caller passes a message, or null.
        let message = unsafe { message_mut(message) }?;
        send(handle::socket(socket)?, message, flags)
    })
}

/// Receives a message; returns its size (zmq_msg_recv(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_recv(message: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int {
    call(|| {
        // SAFETY: the caller passes a message, or null.
        let message = unsafe { message_mut(message) }?;
        blocking::recv(handle::socket(socket)?, message, flags & DONTWAIT != 0)?;
        Ok(size(message.len()))
    })
}

/// Deprecated: `zmq_msg_send` with its arguments in another order (zmq_sendmsg(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_sendmsg(socket: *mut c_void, message: *mut zmq_msg_t, flags: c_int) -> c_int {
    // SAFETY: the same contract.
    unsafe { zmq_msg_send(message, socket, flags) }
}

/// Deprecated: `zmq_msg_recv` with its arguments in another order (zmq_recvmsg(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_recvmsg(socket: *mut c_void, message: *mut zmq_msg_t, flags: c_int) -> c_int {
    // SAFETY: the same contract.
    unsafe { zmq_msg_recv(message, socket, flags) }
}

/// Sends each buffer as a part of one message; returns the bytes of the last part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_sendiov(
    socket: *mut c_void,
    buffers: *mut iovec,
    count: size_t,
    flags: c_int,
) -> c_int {
    call(|| {
        let socket = handle::socket(socket)?;
        if buffers.is_null() || count == 0 {
            return Err(Error::Invalid);
        }
        // SAFETY: the caller passes that many elements.
        let buffers = unsafe { std::slice::from_raw_parts(buffers, count) };
        let mut sent = 0;
        for (index, buffer) in buffers.iter().enumerate() {
            // SAFETY: each element is a buffer of its length.
            let mut message = Message::from_slice(unsafe { slice(buffer.iov_base, buffer.iov_len) }?)?;
            let more = if index + 1 < count { flags | SNDMORE } else { flags & !SNDMORE };
            sent = send(socket, &mut message, more)?;
        }
        Ok(sent)
    })
}

/// Receives the parts of a message into buffers from malloc(3), which the caller frees; sets `count` to their number and returns it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_recviov(
    socket: *mut c_void,
    buffers: *mut iovec,
    count: *mut size_t,
    flags: c_int,
) -> c_int {
    call(|| {
        let socket = handle::socket(socket)?;
        // SAFETY: the caller passes a pointer to the number of elements, or null.
        let count = unsafe { count.as_mut() }.ok_or(Error::Invalid)?;
        if buffers.is_null() || *count == 0 {
            return Err(Error::Invalid);
        }
        // SAFETY: the caller passes that many elements.
        let buffers = unsafe { std::slice::from_raw_parts_mut(buffers, std::mem::replace(count, 0)) };
        let mut received = 0;
        for buffer in buffers {
            let mut message = Message::new();
            blocking::recv(socket, &mut message, flags & DONTWAIT != 0)?;
            let data = message.data();
            // SAFETY: any size will do; null is checked below.
            let copy = unsafe { libc::malloc(data.len()) };
            if copy.is_null() && !data.is_empty() {
                return Err(Error::OutOfMemory);
            }
            // SAFETY: fresh memory of that size.
            unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), copy.cast(), data.len()) };
            (buffer.iov_base, buffer.iov_len) = (copy, data.len());
            *count += 1;
            received += 1;
            if !message.more() {
                break;
            }
        }
        Ok(received)
    })
}

/// Joins a group (zmq_join(3)).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_join(socket: *mut c_void, group: *const c_char) -> c_int {
    call_unit(|| {
        // SAFETY: the caller passes a C string, or null.
        let group = unsafe { c_string(group) }?;
        handle::socket(socket)?.lock()?.join(group, true)
    })
}

/// Leaves a group (zmq_leave(3)).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_leave(socket: *mut c_void, group: *const c_char) -> c_int {
    call_unit(|| {
        // SAFETY: the caller passes a C string, or null.
        let group = unsafe { c_string(group) }?;
        handle::socket(socket)?.lock()?.join(group, false)
    })
}

/// Connects to an endpoint; returns the routing id of the peer, or 0 (zmq_connect_peer(3)).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_connect_peer(socket: *mut c_void, endpoint: *const c_char) -> u32 {
    call(|| {
        let mut socket = handle::socket(socket)?.lock()?;
        // SAFETY: the caller passes a C string, or null.
        let endpoint = unsafe { endpoint_text(endpoint) };
        socket.connect_peer(endpoint)
    })
}

/// Ends the connection to the peer with a routing id.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_disconnect_peer(socket: *mut c_void, routing_id: u32) -> c_int {
    call(|| {
        handle::socket(socket)?.lock()?.disconnect_peer(routing_id)?;
        Ok(0)
    })
}

/// What a ROUTER can do with a peer now: ZMQ_POLLIN, ZMQ_POLLOUT.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket_get_peer_state(
    socket: *mut c_void,
    routing_id: *const c_void,
    len: size_t,
) -> c_int {
    call(|| {
        // SAFETY: the caller passes a buffer of that length.
        let routing_id = unsafe { slice(routing_id, len) }?;
        handle::socket(socket)?.lock()?.peer_state(routing_id)
    })
}
