//! Patterns: what makes a socket a REQ or a PUB. One pattern is one file; types that differ in one respect share theirs.
//!
//! A pattern is a state machine over the socket's pipes. It never blocks, reads no clock and sees no
//! descriptor; the runtime calls it under the socket's lock and does what the pipes ask for afterwards.

mod dealer;
mod dgram;
mod dish;
mod groups;
mod multipart;
mod pair;
mod peers;
mod publish;
mod pull;
mod push;
mod radio;
mod rep;
mod req;
mod router;
pub mod routing;
mod server;
mod stream;
mod subscribe;
pub mod subscriptions;
#[cfg(test)]
mod testing;
mod trie;
mod xpub;
mod xsub;

pub use req::ReplyFrames;

use crate::error::{Error, Result};
use crate::message::Message;
use crate::options::{Options, SocketType};
use crate::pipe::{PipeId, Pipes};
use multipart::Multipart;

/// `ZMQ_SUBSCRIBE`.
const SUBSCRIBE: i32 = 6;
/// `ZMQ_UNSUBSCRIBE`.
const UNSUBSCRIBE: i32 = 7;

/// What a pattern works on: its socket's pipes and options.
pub struct Env<'a> {
    /// The pipes of the socket.
    pub pipes: &'a mut Pipes,
    /// The options of the socket, as they are now.
    pub options: &'a mut Options,
}

/// How a pipe came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The peer is older than ZMTP 1.0's subscriptions, or can't say what it wants (udp): it gets everything.
    pub subscribe_to_all: bool,
    /// This socket connected; false: the peer did.
    pub locally_initiated: bool,
}

/// One socket type's behaviour.
///
/// All calls come under the socket's lock, never re-entrantly. A pipe that `Pipes::read` or `Pipes::write` refused
/// is passive until `read_activated` or `write_activated` names it. After `terminated` the pipe's id is dead.
pub trait Pattern: Send {
    /// A pipe was added.
    fn attached(&mut self, env: &mut Env, pipe: PipeId, attachment: Attachment);
    /// Sends one part (`message.more()` says whether others follow). On success `message` is left empty;
    /// `Error::Again`: it would have to wait. `Error::BrokenPipe`: the peer went away in the middle of this message,
    /// and its earlier parts are lost. Like upstream, the caller reports that as EAGAIN if it may not block; if it
    /// may, it drops this part too and reports success. `Error::NotSupported`: sockets of this type don't send.
    fn send(&mut self, _env: &mut Env, _message: &mut Message) -> Result<()> {
        Err(Error::NotSupported)
    }
    /// Receives one part into `out`; `Error::Again`: there is nothing. `Error::NotSupported`: sockets of this type
    /// don't receive.
    fn recv(&mut self, _env: &mut Env, _out: &mut Message) -> Result<()> {
        Err(Error::NotSupported)
    }
    /// `ZMQ_POLLIN`: `recv` would give a message.
    fn has_in(&mut self, _env: &mut Env) -> bool {
        false
    }
    /// `ZMQ_POLLOUT`: `send` would take a message.
    fn has_out(&mut self, _env: &mut Env) -> bool {
        false
    }
    /// A passive pipe has something to read again. Patterns that ask each pipe anyway needn't hear of it.
    fn read_activated(&mut self, _env: &mut Env, _pipe: PipeId) {}
    /// A passive pipe has room again; likewise.
    fn write_activated(&mut self, _env: &mut Env, _pipe: PipeId) {}
    /// The connection behind the pipe was lost and made again: the peer has forgotten what it knew.
    fn hiccuped(&mut self, _env: &mut Env, _pipe: PipeId) {}
    /// The pipe has ended; it is no longer among `env.pipes`' living ones after this call.
    fn terminated(&mut self, env: &mut Env, pipe: PipeId);
    /// Carries out an option that is an action (`ZMQ_SUBSCRIBE` ...).
    fn set_option(&mut self, _env: &mut Env, _id: i32, _value: &[u8]) -> Result<()> {
        Err(Error::Invalid)
    }
    /// `ZMQ_TOPICS_COUNT`: how many topics the socket is subscribed to, or has subscribers for.
    fn topics_count(&self) -> Result<i32> {
        Err(Error::Invalid)
    }
    /// `zmq_socket_get_peer_state`.
    fn peer_state(&mut self, _env: &mut Env, _routing_id: &[u8]) -> Result<i32> {
        Err(Error::NotSupported)
    }
    /// The pipe of the peer with this 32-bit routing id; `Error::HostUnreachable`: there is none.
    fn find_peer(&mut self, _routing_id: u32) -> Result<PipeId> {
        Err(Error::NotSupported)
    }
    /// `zmq_join` and `zmq_leave`.
    fn join(&mut self, _env: &mut Env, _group: &[u8], _joined: bool) -> Result<()> {
        Err(Error::NotSupported)
    }
}

/// The pattern of a socket type.
pub fn new(socket_type: SocketType) -> Box<dyn Pattern> {
    match socket_type {
        SocketType::Pair => Box::new(pair::Pair::new(Multipart::Allowed)),
        SocketType::Pub => Box::new(publish::Publish::default()),
        SocketType::Sub => Box::new(subscribe::Subscribe::default()),
        SocketType::Req => Box::new(req::Req::default()),
        SocketType::Rep => Box::new(rep::Rep::default()),
        SocketType::Dealer => Box::new(dealer::Dealer::new(Multipart::Allowed)),
        SocketType::Router => Box::new(router::Router::default()),
        SocketType::Pull => Box::new(pull::Pull::new(Multipart::Allowed)),
        SocketType::Push => Box::new(push::Push::new(Multipart::Allowed)),
        SocketType::XPub => Box::new(xpub::XPub::default()),
        SocketType::XSub => Box::new(xsub::XSub::default()),
        SocketType::Stream => Box::new(stream::Stream::default()),
        SocketType::Server | SocketType::Peer => Box::new(server::Server::default()),
        SocketType::Client => Box::new(dealer::Dealer::new(Multipart::Refused)),
        SocketType::Gather => Box::new(pull::Pull::new(Multipart::Refused)),
        SocketType::Scatter => Box::new(push::Push::new(Multipart::Refused)),
        SocketType::Channel => Box::new(pair::Pair::new(Multipart::Refused)),
        SocketType::Radio => Box::new(radio::Radio::default()),
        SocketType::Dgram => Box::new(dgram::Dgram::default()),
        SocketType::Dish => Box::new(dish::Dish::default()),
    }
}

/// Sends the empty message that tells a ROUTER at the other end who is there (`ZMQ_PROBE_ROUTER`).
fn probe(env: &mut Env, pipe: PipeId) {
    if env.options.probe_router && env.pipes.write(pipe, &mut Message::new()) {
        env.pipes.flush(pipe);
    }
}

/// A number that peers can't foresee, for the ids that count up from it.
fn random() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(()) as u32
}
