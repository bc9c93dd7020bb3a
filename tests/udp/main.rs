//! RADIO, DISH and DGRAM over udp, through the C ABI: on one machine, and between two network namespaces.

mod bad;
mod dgram;
#[path = "../sockets/dice.rs"]
mod dice;
mod grouped;
#[path = "../sockets/machines.rs"]
mod machines;
mod multicast;
mod namespaces;
#[path = "../sockets/reaching.rs"]
mod reaching;
mod sending;
#[path = "../sockets/support.rs"]
mod support;

use std::net::UdpSocket;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use support::{Context, Outcome, Socket, errno};
use zmq::ffi::constants::{ZMQ_DISH, ZMQ_DONTWAIT};
use zmq::ffi::socket::{zmq_join, zmq_leave, zmq_msg_recv, zmq_msg_send};
use zmq::message::Message;

static MACHINE: RwLock<()> = RwLock::new(());

/// For a test that doesn't mind others beside it.
pub fn together() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// For a test that measures what the process does.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A port that nobody has now, for IPv4 and IPv6.
pub fn free_port() -> u16 {
    let socket = UdpSocket::bind("[::]:0").or_else(|_| UdpSocket::bind("0.0.0.0:0")).expect("a free port");
    socket.local_addr().expect("an address").port()
}

fn outcome(code: i32) -> Outcome<i32> {
    if code >= 0 { Ok(code) } else { Err(errno()) }
}

/// `zmq_join`.
pub fn join(socket: &Socket, group: &str) -> Outcome<i32> {
    let group = std::ffi::CString::new(group).expect("no zero byte");
    // SAFETY: a C string.
    outcome(unsafe { zmq_join(socket.handle(), group.as_ptr()) })
}

/// `zmq_leave`.
pub fn leave(socket: &Socket, group: &str) -> Outcome<i32> {
    let group = std::ffi::CString::new(group).expect("no zero byte");
    // SAFETY: a C string.
    outcome(unsafe { zmq_leave(socket.handle(), group.as_ptr()) })
}

/// Sends to a group.
pub fn publish(radio: &Socket, group: &str, body: &[u8]) -> Outcome<i32> {
    let mut message = Message::from_slice(body).expect("memory");
    message.set_group(group.as_bytes()).expect("a group");
    // SAFETY: a message of our own.
    outcome(unsafe { zmq_msg_send(&mut message, radio.handle(), 0) })
}

fn receive(dish: &Socket, flags: i32) -> Outcome<(String, Vec<u8>)> {
    let mut message = Message::new();
    // SAFETY: a message of our own.
    outcome(unsafe { zmq_msg_recv(&mut message, dish.handle(), flags) })?;
    Ok((String::from_utf8_lossy(message.group()).into_owned(), message.data().to_vec()))
}

/// The group and the body of the next message.
pub fn hear(dish: &Socket) -> Outcome<(String, Vec<u8>)> {
    receive(dish, 0)
}

/// The same, if it is there already.
pub fn try_hear(dish: &Socket) -> Outcome<(String, Vec<u8>)> {
    receive(dish, ZMQ_DONTWAIT)
}

/// What `hear` gives for a group and a text.
pub fn heard(group: &str, body: &str) -> Outcome<(String, Vec<u8>)> {
    Ok((group.to_owned(), body.as_bytes().to_vec()))
}

/// A DISH at an endpoint, in these groups.
pub fn dish(context: &Context, endpoint: &str, groups: &[&str]) -> Socket {
    let dish = context.socket(ZMQ_DISH);
    dish.bind(endpoint).expect("an endpoint");
    for group in groups {
        join(&dish, group).expect("not joined as yet");
    }
    dish
}
