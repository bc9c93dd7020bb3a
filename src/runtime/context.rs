//! A context: its I/O threads, its sockets, and how it ends.

use super::cell::SocketRef;
use super::inproc::Registry;
use super::io_thread::{self, IoCommand, IoHandle};
use super::mailbox::Mailbox;
use super::socket::Socket;
use crate::error::{Error, Result};
use crate::mutex::Mutex;
use crate::options::{ContextOptions, SocketType};
use crate::sys::thread::Thread;
use crate::sys::{fork, futex};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

/// See the module's text.
pub struct Context {
    options: Mutex<ContextOptions>,
    state: Mutex<State>,
    /// Endpoints of the transport inproc.
    pub inproc: Registry,
    /// Sockets, and what was bound or connected, by sockets that are closed too, and hasn't ended yet.
    live: AtomicUsize,
    /// Moves whenever something has ended; `term` sleeps on it.
    ended: AtomicU32,
    terminating: AtomicBool,
    /// See `poison`.
    poisoned: AtomicBool,
    /// The fork generation of the process that made it.
    forks: u32,
}

#[derive(Default)]
struct State {
    sockets: HashMap<SocketRef, Arc<Mailbox>>,
    max_sockets: Option<usize>,
    io: Vec<Arc<IoHandle>>,
    threads: Vec<Thread>,
}

impl Context {
    /// A context, which starts its threads with its first socket.
    pub fn new() -> Arc<Self> {
        fork::watch();
        Arc::new(Self {
            forks: fork::generation(),
            options: Mutex::new(ContextOptions::default()),
            state: Mutex::default(),
            inproc: Registry::default(),
            live: AtomicUsize::new(0),
            ended: AtomicU32::new(0),
            terminating: AtomicBool::new(false),
            poisoned: AtomicBool::new(false),
        })
    }

    /// The context's options.
    pub fn options(&self) -> crate::mutex::MutexGuard<'_, ContextOptions> {
        self.options.lock()
    }

    /// Whether `zmq_ctx_shutdown` or `zmq_ctx_term` was called.
    pub fn is_terminating(&self) -> bool {
        self.terminating.load(Ordering::SeqCst)
    }

    /// Whether this process has inherited the context by `fork`, without its threads. It can only be forgotten.
    pub fn is_inherited(&self) -> bool {
        self.forks != fork::generation()
    }

    /// `zmq_socket`. `ETERM`; `EMFILE` when `ZMQ_MAX_SOCKETS` are open; `EINVAL` for a type that isn't built in.
    pub fn socket(self: &Arc<Self>, kind: SocketType) -> Result<SocketRef> {
        let mut state = self.state.lock();
        if self.is_terminating() {
            return Err(Error::Terminated);
        }
        let options = self.options.lock().clone();
        // What was set after the first socket reads back and does nothing, as upstream.
        let max = *state.max_sockets.get_or_insert(usize::try_from(options.max_sockets).unwrap_or(0));
        if state.io.is_empty() {
            self.start_threads(&mut state, &options)?;
        }
        if state.sockets.len() >= max {
            return Err(Error::TooManyFiles);
        }
        let pattern = crate::pattern::new(kind);
        let mailbox = Arc::new(Mailbox::new());
        let socket = Socket::new(self.clone(), kind, pattern, &options, mailbox.clone());
        let this = SocketRef::new(|_| Box::new(socket))?;
        state.sockets.insert(this, mailbox);
        self.live.fetch_add(1, Ordering::SeqCst);
        Ok(this)
    }

    fn start_threads(&self, state: &mut State, options: &ContextOptions) -> Result<()> {
        for index in 0..usize::try_from(options.io_threads).unwrap_or(0) {
            let (handle, thread) = io_thread::spawn(index, options)?;
            state.io.push(handle);
            state.threads.push(thread);
        }
        Ok(())
    }

    /// The least loaded of the I/O threads that `affinity` (a bit for each; 0: any) allows. `EMTHREAD`: there is none.
    pub fn choose_io_thread(&self, affinity: u64) -> Result<Arc<IoHandle>> {
        let state = self.state.lock();
        let allowed = state.io.iter().filter(|io| affinity == 0 || affinity >> io.index.min(63) & 1 == 1);
        let chosen = allowed.min_by_key(|io| io.load.load(Ordering::Relaxed)).ok_or(Error::NoIoThread)?;
        Ok(chosen.clone())
    }

    /// A socket was closed.
    pub fn socket_closed(&self, socket: SocketRef) {
        self.state.lock().sockets.remove(&socket);
        self.something_ended();
    }

    /// A listener, or sessions, begin; the context waits for them.
    pub fn sessions_begin(&self) {
        self.live.fetch_add(1, Ordering::SeqCst);
    }

    /// ... and have ended.
    pub fn sessions_end(&self) {
        self.something_ended();
    }

    fn something_ended(&self) {
        self.live.fetch_sub(1, Ordering::SeqCst);
        self.ended.fetch_add(1, Ordering::SeqCst);
        futex::wake(&self.ended, u32::MAX);
    }

    /// `zmq_ctx_shutdown`: every call on a socket fails with `ETERM` from now on, those that wait now too.
    pub fn shutdown(&self) {
        let state = self.state.lock();
        if !self.terminating.swap(true, Ordering::SeqCst) {
            for mailbox in state.sockets.values() {
                mailbox.stop();
            }
        }
        drop(state);
        self.inproc.clear();
    }

    /// A panic has left a socket of this context in a state that nobody knows: every call on the context's sockets fails with `ETERM`
    /// from now on, and so does ending the context, since what it would wait for may never come.
    pub fn poison(&self) {
        if !self.poisoned.swap(true, Ordering::SeqCst) {
            eprintln!(
                "libzmq: a bug in the library (see the panic) has ended a context: its calls return ETERM"
            );
        }
        self.shutdown();
        self.ended.fetch_add(1, Ordering::SeqCst);
        futex::wake(&self.ended, u32::MAX);
    }

    /// `zmq_ctx_term`: shuts down, waits until every socket was closed and what lingers has gone, and ends the threads. `EINTR`: a
    /// signal handler has run; call it again. `ETERM`: see `poison`.
    pub fn term(&self) -> Result<()> {
        self.shutdown();
        loop {
            let seen = self.ended.load(Ordering::SeqCst);
            if self.poisoned.load(Ordering::SeqCst) {
                return Err(Error::Terminated);
            }
            if self.live.load(Ordering::SeqCst) == 0 {
                break;
            }
            if futex::wait(&self.ended, seen, None) == futex::Wait::Interrupted {
                return Err(Error::Interrupted);
            }
        }
        let (io, threads) = {
            let mut state = self.state.lock();
            (std::mem::take(&mut state.io), std::mem::take(&mut state.threads))
        };
        for handle in io {
            handle.post(IoCommand::Stop);
        }
        for thread in threads {
            thread.join();
        }
        crate::message::trim();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::runtime::{blocking, close};

    #[test]
    fn a_panic_inside_a_socket_ends_its_context_and_nothing_else() {
        let (context, other) = (Context::new(), Context::new());
        let socket = context.socket(SocketType::Dealer).expect("a socket");
        let neighbour = context.socket(SocketType::Dealer).expect("a socket");
        let stranger = other.socket(SocketType::Dealer).expect("a socket");
        let panicked = std::panic::catch_unwind(|| {
            let _inside = socket.lock().expect("a living socket");
            panic!("expected in this test");
        });
        assert!(panicked.is_err());
        let mut message = Message::new();
        for socket in [socket, neighbour] {
            assert_eq!(blocking::recv(socket, &mut message, true), Err(Error::Terminated));
        }
        assert_eq!(context.socket(SocketType::Dealer).err(), Some(Error::Terminated));
        assert_eq!(context.term(), Err(Error::Terminated));
        assert_eq!((close(socket), close(socket)), (Ok(()), Err(Error::NotSocket)));
        assert_eq!(blocking::recv(stranger, &mut message, true), Err(Error::Again));
        assert_eq!((close(neighbour), close(stranger), other.term()), (Ok(()), Ok(()), Ok(())));
    }
}
