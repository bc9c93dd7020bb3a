//! What the sessions and listeners of a socket know of it.

use super::context::Context;
use super::group::Group;
use super::mailbox::Mailbox;
use super::monitor::Monitor;
use crate::options::Options;
use std::sync::Arc;

/// The socket that a session or a listener works for, as it was when `zmq_bind` or `zmq_connect` was called.
pub struct Owner {
    /// The context; it waits for its sessions before it ends.
    pub context: Arc<Context>,
    /// Where the socket is told things.
    pub mailbox: Arc<Mailbox>,
    /// The socket's connections.
    pub group: Arc<Group>,
    /// The options at that time.
    pub options: Options,
    /// Who listens to the socket's events.
    pub monitor: Arc<Monitor>,
}

impl Owner {
    /// For one `zmq_bind` or `zmq_connect`. The context waits until all that comes of that has ended: from now on, as the I/O thread
    /// may hear of it later than the context of its end.
    pub fn new(
        context: Arc<Context>,
        mailbox: Arc<Mailbox>,
        group: Arc<Group>,
        options: Options,
        monitor: Arc<Monitor>,
    ) -> Arc<Self> {
        context.sessions_begin();
        Arc::new(Self { context, mailbox, group, options, monitor })
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.context.sessions_end();
    }
}
