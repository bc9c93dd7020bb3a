//! Messages: `zmq_msg_*`.
//!
//! Nothing in here can panic, and a program calls some of it for each message, so these entry points go without
//! [`boundary::call`].
//!
//! Upstream aborts, or reads through the pointer, where a message is null, closed or was never initialised; here that is EFAULT.

use super::boundary::{self, CReturn, fail};
use super::constants::{ZMQ_MORE, ZMQ_SHARED, ZMQ_SRCFD};
use super::types::{zmq_free_fn, zmq_msg_t};
use crate::error::{Error, Result};
use crate::message::{MAX_GROUP, Message};
use crate::metadata::{Metadata, SOURCE_FD};
use libc::{c_char, c_int, c_void, size_t};
use std::ptr;

/// The message at `message`.
///
/// # Safety
/// It is null or points to 64 bytes that nothing else writes to during `'a`.
#[inline]
pub(super) unsafe fn message_ref<'a>(message: *const zmq_msg_t) -> Result<&'a Message> {
    // SAFETY: the caller vouches for the pointer, and what is valid is a message.
    unsafe { if Message::is_valid(message) { Ok(&*message) } else { Err(Error::Fault) } }
}

/// As [`message_ref`], to change it.
///
/// # Safety
/// It is null or points to 64 bytes that nothing else uses during `'a`.
#[inline]
pub(super) unsafe fn message_mut<'a>(message: *mut zmq_msg_t) -> Result<&'a mut Message> {
    // SAFETY: as in `message_ref`.
    unsafe { if Message::is_valid(message) { Ok(&mut *message) } else { Err(Error::Fault) } }
}

/// Makes `message` the new one, or an empty one if that failed: then closing it does no harm.
///
/// # Safety
/// `message` is null or points to 64 bytes, aligned.
#[inline]
unsafe fn initialise(message: *mut zmq_msg_t, new: impl FnOnce() -> Result<Message>) -> c_int {
    if message.is_null() {
        return fail(Error::Fault);
    }
    match new() {
        Ok(new) => {
            // SAFETY: the caller vouches for the memory. What was there before is no message yet, so it isn't dropped.
            unsafe { message.write(new) };
            0
        }
        Err(error) => {
            // SAFETY: as above.
            unsafe { message.write(Message::new()) };
            fail(error)
        }
    }
}

#[inline]
fn finish<T: CReturn>(result: Result<T>) -> T {
    result.unwrap_or_else(fail)
}

/// Makes an empty message (zmq_msg_init(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_init(message: *mut zmq_msg_t) -> c_int {
    // SAFETY: the page asks for a pointer to a zmq_msg_t.
    unsafe { initialise(message, || Ok(Message::new())) }
}

/// Makes a message of a given size, with arbitrary content (zmq_msg_init_size(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_init_size(message: *mut zmq_msg_t, size: size_t) -> c_int {
    // SAFETY: the page asks for a pointer to a zmq_msg_t.
    unsafe { initialise(message, || Message::with_size(size)) }
}

/// Makes a message over memory of the caller's, which `free_fn` gets back with `hint`, once, from any thread. Without a
/// function the memory is never freed, and must not change (zmq_msg_init_data(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_init_data(
    message: *mut zmq_msg_t,
    data: *mut c_void,
    size: size_t,
    free_fn: zmq_free_fn,
    hint: *mut c_void,
) -> c_int {
    let new = || {
        // SAFETY: the page asks for a buffer of that size; the slice isn't kept.
        unsafe { boundary::slice(data, size) }?;
        match free_fn {
            // SAFETY: the buffer was checked, and it is the message's until the function is called.
            Some(free) => unsafe { Message::from_external(data.cast(), size, free, hint) },
            // SAFETY: the buffer was checked, and without a function it has to stay for ever.
            None => Ok(unsafe { Message::from_constant(data.cast(), size) }),
        }
    };
    // SAFETY: the page asks for a pointer to a zmq_msg_t.
    unsafe { initialise(message, new) }
}

/// Makes a message with a copy of a buffer (zmq_msg_init_buffer(3)).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_init_buffer(
    message: *mut zmq_msg_t,
    data: *const c_void,
    size: size_t,
) -> c_int {
    // SAFETY: the page asks for a pointer to a zmq_msg_t and a buffer of that size.
    unsafe { initialise(message, || Message::from_slice(boundary::slice(data, size)?)) }
}

/// Releases a message; it has to be initialised before it can be used again (zmq_msg_close(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_close(message: *mut zmq_msg_t) -> c_int {
    // SAFETY: the page asks for a pointer to a zmq_msg_t that nobody else uses.
    match unsafe { message_mut(message) } {
        Ok(message) => {
            message.close();
            0
        }
        Err(error) => fail(error),
    }
}

/// Moves a message; the source is empty then (zmq_msg_move(3)). Moving one to itself does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_move(dest: *mut zmq_msg_t, source: *mut zmq_msg_t) -> c_int {
    // SAFETY: the page asks for pointers to two messages that nobody else uses; there are two references only if they differ.
    finish(unsafe { with_two(dest, source, Message::take) })
}

/// Makes a message refer to another one's body (zmq_msg_copy(3)). Copying one to itself does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_copy(dest: *mut zmq_msg_t, source: *mut zmq_msg_t) -> c_int {
    // SAFETY: as in zmq_msg_move.
    finish(unsafe { with_two(dest, source, Message::share) })
}

/// Puts what `make` makes of the source in the place of `dest`.
///
/// # Safety
/// As [`message_mut`], for both; they may be the same.
#[inline]
unsafe fn with_two(
    dest: *mut zmq_msg_t,
    source: *mut zmq_msg_t,
    make: impl FnOnce(&mut Message) -> Message,
) -> Result<c_int> {
    // SAFETY: the caller vouches for both pointers, and each reference ends before the next one begins.
    unsafe {
        if !Message::is_valid(source) || !Message::is_valid(dest) {
            return Err(Error::Fault);
        }
        if !ptr::eq(dest, source) {
            let new = make(&mut *source);
            // In place, without moving the old message out: its head may have been written just now.
            (*dest).close();
            dest.write(new);
        }
    }
    Ok(0)
}

/// The body of a message (zmq_msg_data(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_data(message: *mut zmq_msg_t) -> *mut c_void {
    // SAFETY: the page asks for a pointer to a message that nobody else uses.
    finish(unsafe { message_mut(message) }.map(|message| message.as_mut_ptr().cast()))
}

/// The size of a message's body, in bytes (zmq_msg_size(3)). 0, with errno set, if it isn't a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_size(message: *const zmq_msg_t) -> size_t {
    // SAFETY: the page asks for a pointer to a message.
    match unsafe { message_ref(message) } {
        Ok(message) => message.len(),
        Err(error) => {
            fail::<c_int>(error);
            0
        }
    }
}

/// 1 if more parts follow, else 0 (zmq_msg_more(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_more(message: *const zmq_msg_t) -> c_int {
    // SAFETY: the page asks for a pointer to a message.
    finish(unsafe { message_ref(message) }.map(|message| message.more().into()))
}

/// A property of a message: ZMQ_MORE, ZMQ_SHARED or ZMQ_SRCFD (zmq_msg_get(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_get(message: *const zmq_msg_t, property: c_int) -> c_int {
    // SAFETY: the page asks for a pointer to a message.
    finish(unsafe { message_ref(message) }.and_then(|message| match property {
        ZMQ_MORE => Ok(message.more().into()),
        ZMQ_SHARED => Ok(message.is_shared().into()),
        ZMQ_SRCFD => source_fd(message.metadata().map(|metadata| &**metadata)),
        _ => Err(Error::Invalid),
    }))
}

fn source_fd(metadata: Option<&Metadata>) -> Result<c_int> {
    let value = metadata.and_then(|metadata| metadata.get(SOURCE_FD)).ok_or(Error::Invalid)?;
    str::from_utf8(value).ok().and_then(|value| value.parse().ok()).ok_or(Error::Invalid)
}

/// Sets a property of a message. There is none that can be set: always EINVAL (zmq_msg_set(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_set(message: *mut zmq_msg_t, property: c_int, value: c_int) -> c_int {
    let _ = (property, value);
    // SAFETY: the page asks for a pointer to a message.
    finish(unsafe { message_ref(message) }.and(Err(Error::Invalid)))
}

/// A property of the connection that a message came over, as a string that lives as long as the message
/// (zmq_msg_gets(3)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_gets(message: *const zmq_msg_t, property: *const c_char) -> *const c_char {
    let find = || {
        // SAFETY: the page asks for a pointer to a message and a string.
        let (message, property) = unsafe { (message_ref(message)?, boundary::c_string(property)?) };
        let value = message.metadata().and_then(|metadata| metadata.get_c_str(property));
        Ok(value.ok_or(Error::Invalid)?.as_ptr())
    };
    finish(find())
}

/// Sets the routing id, which isn't 0 (zmq_msg_set_routing_id(3)).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_set_routing_id(message: *mut zmq_msg_t, routing_id: u32) -> c_int {
    // SAFETY: the page asks for a pointer to a message that nobody else uses.
    finish(unsafe { message_mut(message) }.and_then(|message| {
        if routing_id == 0 {
            return Err(Error::Invalid);
        }
        message.set_routing_id(routing_id);
        Ok(0)
    }))
}

/// The routing id, 0 if there is none (zmq_msg_routing_id(3)).
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_routing_id(message: *mut zmq_msg_t) -> u32 {
    // SAFETY: the page asks for a pointer to a message.
    finish(unsafe { message_ref(message) }.map(Message::routing_id))
}

/// Sets the group; of a longer one the first ZMQ_GROUP_MAX_LENGTH bytes count.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_set_group(message: *mut zmq_msg_t, group: *const c_char) -> c_int {
    let set = || {
        if group.is_null() {
            return Err(Error::Fault);
        }
        // SAFETY: the group is a C string, or at least MAX_GROUP bytes.
        let group = unsafe { std::slice::from_raw_parts(group.cast(), libc::strnlen(group, MAX_GROUP)) };
        // SAFETY: the page asks for a pointer to a message that nobody else uses.
        unsafe { message_mut(message) }?.set_group(group).map(|()| 0)
    };
    finish(set())
}

/// The group, an empty string if there is none. It lives until the group is set, or the message moved or closed.
#[cfg(feature = "draft")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_group(message: *mut zmq_msg_t) -> *const c_char {
    // SAFETY: the page asks for a pointer to a message.
    finish(unsafe { message_ref(message) }.map(Message::group_c_str))
}

#[cfg(test)]
mod tests;
