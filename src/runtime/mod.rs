//! The runtime: what moves. Contexts, sockets, sessions, connections, and the threads that serve them.

pub mod blocking;
pub mod buffer;
pub mod cell;
pub mod connection;
pub mod context;
pub mod endpoint;
pub mod features;
pub mod group;
pub mod gssapi;
pub mod handshake;
pub mod inproc;
pub mod io_thread;
pub mod link;
pub mod listener;
pub mod mailbox;
pub mod monitor;
pub mod owner;
pub mod poll;
pub mod poller;
pub mod proxy;
pub mod reconnect;
pub mod session;
pub mod socket;
pub mod spin;
pub mod streams;
pub mod threads;
pub mod timers;
pub mod zap;

use crate::error::Result;
use cell::SocketRef;

/// `zmq_close`. `ENOTSOCK` if it is closed already.
pub fn close(socket: SocketRef) -> Result<()> {
    if socket.close_inherited()? {
        return Ok(());
    }
    let guard = socket.lock()?;
    let context = guard.context().clone();
    if let Some(socket) = guard.take(socket) {
        // Whoever waits on it finds it gone.
        let mailbox = socket.mailbox().clone();
        socket.close();
        mailbox.notify();
    }
    context.socket_closed(socket);
    Ok(())
}
