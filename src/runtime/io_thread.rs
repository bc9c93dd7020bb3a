//! An I/O thread: it accepts, connects, keeps the time, and drives the connections that no caller drives.
//!
//! Everything that happens once in a session's life happens here, in one thread, so that sessions need no locks. Others
//! post an [`IoCommand`] and go on.

use super::connection::{Connection, Failure, IO_BUDGET};
use super::group::Group;
use super::listener::ListenerEntry;
use super::owner::Owner;
use super::session::multicast::Channel;
use super::session::{Fate, Role, Session};
use super::streams::Streams;
use crate::error::Result;
use crate::message::Message;
use crate::mutex::Mutex;
use crate::options::ContextOptions;
use crate::pipe::PipeEnd;
use crate::sys::thread::Thread;
use crate::sys::time;
use crate::transport::udp::Datagrams;
use crate::transport::{Connector, Listener};
use crate::zmtp::HandshakeEvent;
use crate::zmtp::mechanism::{WorkResult, ZapRequest};
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Poll, Token, Waker};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::link::SessionLink;

const WAKER: Token = Token(0);
const STREAMS: Token = Token(1);
/// How often lent groups are looked after, in nanoseconds.
const LENT_TICK: u64 = 5_000_000;

/// Names a session, or a listener, within its I/O thread. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub usize);

/// What an I/O thread is asked to do.
#[allow(missing_docs)] // the variants say what their fields are
pub enum IoCommand {
    /// A socket's first endpoint: from now on watch its connections.
    AddGroup(Arc<Group>),
    /// A caller watches them now; see to it that they come back.
    Lent(Arc<Group>),
    /// Go on with the connections that were left in the middle.
    DriveGroup(Token),
    /// Accept connections.
    Listen(Box<Listen>),
    /// Stop that, and end the connections that were accepted there as with `StopSession`.
    StopListening { listener: SessionId, linger: i32 },
    /// Connect, and keep connected.
    Connect(Box<Connect>),
    /// Exchange datagrams; without a descriptor for it, end at once.
    Datagrams {
        id: SessionId,
        socket: Option<Box<Datagrams>>,
        owner: Arc<Owner>,
        pipe: (PipeEnd, Arc<SessionLink>),
    },
    /// Send to a group, or receive from it.
    Multicast { id: SessionId, channel: Box<Channel>, owner: Arc<Owner>, pipe: (PipeEnd, Arc<SessionLink>) },
    /// The endpoint was disconnected: end the session, after what is queued was written or the time (ms; negative for ever)
    /// is up.
    StopSession { session: SessionId, linger: i32 },
    /// The socket was closed: so for all of its sessions and listeners.
    CloseSocket { group: Token, linger: i32 },
    /// The socket has closed its end of the session's pipe.
    PipeClosed(SessionId),
    /// A stream of sends has begun.
    Stream(Arc<Connection>),
    /// There is something in the session's pipe, or room, and the socket doesn't know for which connection.
    Nudge(SessionId),
    /// There is room for what was read.
    Read(Arc<Connection>),
    /// There is more to be written than was written in one go.
    Write(Arc<Connection>),
    /// A handshake is done.
    Established { session: SessionId, connection: u64 },
    /// A handshake has something to tell monitors, and goes on.
    HandshakeEvent { session: SessionId, connection: u64, event: HandshakeEvent },
    /// The peer has said that it closes the connection.
    PeerCloses { session: SessionId, connection: u64, message: Message },
    /// A connection has ended.
    Failed { session: SessionId, connection: u64, failure: Failure },
    /// Everything that a closed pipe had left is written.
    Flushed { session: SessionId, connection: u64 },
    /// A PING has come.
    Heartbeat { session: SessionId, message: Message },
    /// A handshake has a question for the ZAP handler.
    AskZap { session: SessionId, connection: u64, request: Box<ZapRequest> },
    /// What a handshake had to be done has been done.
    WorkDone { session: SessionId, connection: u64, result: WorkResult },
    /// The ZAP handler has answered, or has gone.
    ZapNews { session: SessionId, connection: u64 },
    /// End the thread.
    Stop,
}

/// A listener to be served.
pub struct Listen {
    /// Its name.
    pub id: SessionId,
    /// The listening socket.
    pub listener: Listener,
    /// What monitors call it.
    pub endpoint: String,
    /// The socket it belongs to.
    pub owner: Arc<Owner>,
}

/// A session to be started.
pub struct Connect {
    /// Its name.
    pub id: SessionId,
    /// Where to.
    pub connector: Connector,
    /// The socket it belongs to.
    pub owner: Arc<Owner>,
    /// Its pipe, unless it is to be made when the connection stands (`ZMQ_IMMEDIATE`).
    pub pipe: Option<(PipeEnd, Arc<SessionLink>)>,
}

/// How others reach an I/O thread.
pub struct IoHandle {
    commands: Mutex<Vec<IoCommand>>,
    /// The thread takes no more commands. Changes under their lock.
    ended: AtomicBool,
    notified: AtomicBool,
    waker: Waker,
    registry: mio::Registry,
    next_token: AtomicUsize,
    /// How many sockets it serves.
    pub load: AtomicUsize,
    /// Its number in the context, as `ZMQ_AFFINITY` counts.
    pub index: usize,
}

impl IoHandle {
    /// Asks the thread to do something.
    pub fn post(&self, command: IoCommand) {
        let mut commands = self.commands.lock();
        if self.ended.load(Ordering::Relaxed) {
            // The command may keep this handle, so it mustn't be kept here.
            drop(commands);
            return;
        }
        commands.push(command);
        drop(commands);
        if !self.notified.swap(true, Ordering::SeqCst) {
            // It can only fail if the eventfd has gone, with the thread.
            let _ = self.waker.wake();
        }
    }

    /// Asks for `command` if `wanted`.
    pub fn post_if(&self, wanted: bool, command: impl FnOnce() -> IoCommand) {
        if wanted {
            self.post(command());
        }
    }

    /// The set of descriptors that the thread watches.
    pub fn registry(&self) -> &mio::Registry {
        &self.registry
    }

    /// A name for a group, a session or a listener.
    pub fn new_token(&self) -> Token {
        Token(self.next_token.fetch_add(1, Ordering::Relaxed))
    }

    /// As `new_token`.
    pub fn new_session(&self) -> SessionId {
        SessionId(self.new_token().0)
    }
}

struct GroupEntry {
    group: Arc<Group>,
    sessions: HashSet<SessionId>,
    listeners: HashSet<SessionId>,
    /// The socket was closed.
    closed: bool,
}

/// What only the thread itself touches.
pub struct IoThread {
    poll: Poll,
    handle: Arc<IoHandle>,
    groups: HashMap<Token, GroupEntry>,
    /// Boxed, as a table has up to twice as many places as entries.
    sessions: HashMap<SessionId, Box<Session>>,
    listeners: HashMap<SessionId, ListenerEntry>,
    lent: Vec<(Arc<Group>, u32)>,
    lent_check: u64,
    streams: Streams,
    timers: BinaryHeap<Reverse<(u64, SessionId)>>,
    stopping: bool,
}

/// Starts an I/O thread. Its sessions must all have ended before it is told to stop.
pub fn spawn(index: usize, options: &ContextOptions) -> Result<(Arc<IoHandle>, Thread)> {
    let poll = Poll::new()?;
    let handle = Arc::new(IoHandle {
        commands: Mutex::default(),
        ended: AtomicBool::new(false),
        notified: AtomicBool::new(false),
        waker: Waker::new(poll.registry(), WAKER)?,
        registry: poll.registry().try_clone()?,
        next_token: AtomicUsize::new(2),
        load: AtomicUsize::new(0),
        index,
    });
    let streams = Streams::new()?;
    poll.registry().register(&mut SourceFd(&streams.as_raw_fd()), STREAMS, mio::Interest::READABLE)?;
    let io = IoThread {
        poll,
        handle: handle.clone(),
        groups: HashMap::new(),
        sessions: HashMap::new(),
        listeners: HashMap::new(),
        lent: Vec::new(),
        lent_check: u64::MAX,
        streams,
        timers: BinaryHeap::new(),
        stopping: false,
    };
    let setup = super::threads::Setup::new(options, index);
    // With every signal blocked: handlers are the program's threads' business.
    let thread = Thread::spawn(move || {
        setup.apply();
        io.run();
    })?;
    Ok((handle, thread))
}

impl IoThread {
    fn run(mut self) {
        let mut events = Events::with_capacity(256);
        let mut commands = Vec::new();
        while !self.stopping {
            match self.poll.poll(&mut events, self.time_to_wait()) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                // Nothing that a thread could do about it; but never a busy loop.
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
            for event in &events {
                let token = event.token();
                match token {
                    WAKER => {}
                    STREAMS => self.contained(|io| io.streams.look()),
                    _ => self.contained(|io| io.ready(token, event)),
                }
            }
            self.handle.notified.store(false, Ordering::SeqCst);
            std::mem::swap(&mut commands, &mut *self.handle.commands.lock());
            for command in commands.drain(..) {
                self.contained(|io| io.handle_command(command));
            }
            self.contained(Self::keep_time);
        }
        // Whoever was inside a socket when another thread closed it may still post something.
        let mut commands = self.handle.commands.lock();
        self.handle.ended.store(true, Ordering::Relaxed);
        let left = std::mem::take(&mut *commands);
        drop(commands);
        drop(left);
    }

    /// A panic is a bug of ours. It costs the session or the connection that it happened in, which catch it themselves, and in no case the
    /// thread.
    fn contained(&mut self, work: impl FnOnce(&mut Self)) {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(self))).is_err() {
            eprintln!("libzmq: an I/O thread went on after a panic");
        }
    }

    fn time_to_wait(&self) -> Option<Duration> {
        let next = self.timers.peek().map_or(u64::MAX, |Reverse((at, _))| *at).min(self.lent_check);
        (next != u64::MAX).then(|| Duration::from_nanos(next.saturating_sub(time::monotonic_ns())))
    }

    fn ready(&mut self, token: Token, event: &Event) {
        if let Some(entry) = self.groups.get(&token) {
            if !entry.group.is_lent() {
                entry.group.clone().drive_for_io_thread();
            }
            return;
        }
        let id = SessionId(token.0);
        if self.listeners.contains_key(&id) {
            self.accept(id);
        } else if self.sessions.contains_key(&id) {
            self.with_session(id, |session, now| session.ready(event, now));
        }
    }

    fn handle_command(&mut self, command: IoCommand) {
        match command {
            IoCommand::AddGroup(group) => self.add_group(group),
            IoCommand::Lent(group) => {
                if self.lent.is_empty() {
                    self.lent_check = time::monotonic_ns() + LENT_TICK;
                }
                self.lent.push((group, 0));
            }
            IoCommand::DriveGroup(token) => {
                if let Some(entry) = self.groups.get(&token) {
                    entry.group.clone().drive_for_io_thread();
                }
            }
            IoCommand::Listen(listen) => self.listen(*listen),
            IoCommand::StopListening { listener, linger } => self.unbind(listener, linger),
            IoCommand::Connect(connect) => {
                let Connect { id, connector, owner, pipe } = *connect;
                let role = Role::connect(connector);
                self.add_session(Session::new(id, owner, role, pipe), Session::start);
            }
            IoCommand::Datagrams { id, socket, owner, pipe } => {
                let role = Role::Datagrams(socket.map(|socket| *socket));
                self.add_session(Session::new(id, owner, role, Some(pipe)), Session::start_datagrams);
            }
            IoCommand::Multicast { id, channel, owner, pipe } => {
                let session = Session::new(id, owner, Role::Multicast(channel), Some(pipe));
                self.add_session(session, Session::start_multicast);
            }
            IoCommand::StopSession { session, linger } => {
                self.with_session(session, |session, now| session.disconnect(linger, now));
            }
            IoCommand::CloseSocket { group, linger } => self.close_socket(group, linger),
            IoCommand::PipeClosed(session) => {
                self.with_session(session, |session, now| session.pipe_closed(now));
            }
            IoCommand::Stream(connection) => self.streams.begin(connection),
            IoCommand::Nudge(session) => {
                self.with_session(session, Session::nudge);
            }
            IoCommand::Read(connection) => connection.drive_read(false, IO_BUDGET),
            IoCommand::Write(connection) => drop(connection.drive_write(false)),
            IoCommand::Established { session, connection } => {
                self.with_session(session, |session, now| session.established(connection, now));
            }
            IoCommand::HandshakeEvent { session, connection, event } => {
                self.with_session(session, |session, _| session.handshake_event(connection, event));
            }
            IoCommand::PeerCloses { session, connection, message } => {
                self.with_session(session, |session, now| session.peer_closes(connection, message, now));
            }
            IoCommand::Failed { session, connection, failure } => {
                self.with_session(session, |session, now| session.failed(connection, failure, now));
            }
            IoCommand::Flushed { session, connection } => {
                self.with_session(session, |session, _| session.flushed(connection));
            }
            IoCommand::Heartbeat { session, message } => {
                self.with_session(session, |session, now| session.heartbeat(&message, now));
            }
            IoCommand::AskZap { session, connection, request } => {
                self.with_session(session, |session, now| session.ask_zap(connection, &request, now));
            }
            IoCommand::WorkDone { session, connection, result } => {
                self.with_session(session, |session, now| session.work_done(connection, result, now));
            }
            IoCommand::ZapNews { session, connection } => {
                self.with_session(session, |session, now| session.zap_news(connection, now));
            }
            IoCommand::Stop => self.stopping = true,
        }
    }

    fn add_group(&mut self, group: Arc<Group>) {
        group.watch_in_io_thread();
        let token = group.token;
        let entry = GroupEntry { group, sessions: HashSet::new(), listeners: HashSet::new(), closed: false };
        self.groups.insert(token, entry);
    }

    fn add_session(&mut self, session: Session, begin: impl FnOnce(&mut Session, u64) -> Fate) {
        let id = session.id;
        if let Some(entry) = self.groups.get_mut(&session.owner.group.token) {
            entry.sessions.insert(id);
        }
        self.sessions.insert(id, Box::new(session));
        self.with_session(id, begin);
    }

    /// Lets a session do something, and sees to what follows from it.
    fn with_session(&mut self, id: SessionId, work: impl FnOnce(&mut Session, u64) -> Fate) {
        let now = time::monotonic_ns();
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(session, now)));
        let verdict = outcome.unwrap_or_else(|_| {
            eprintln!("libzmq: a session ends after a panic");
            // It may panic again; then it is dropped as it is.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| session.end()));
            Fate::Over
        });
        match verdict {
            Fate::Live => {
                if let Some(at) = session.next_timer()
                    && session.timer.is_none_or(|set| at < set)
                {
                    session.timer = Some(at);
                    self.timers.push(Reverse((at, id)));
                }
            }
            Fate::Over => {
                let token = session.owner.group.token;
                self.sessions.remove(&id);
                if let Some(entry) = self.groups.get_mut(&token) {
                    entry.sessions.remove(&id);
                }
                self.forget_group_if_over(token);
            }
        }
    }

    fn forget_group_if_over(&mut self, token: Token) {
        if let Some(entry) = self.groups.get(&token)
            && entry.closed
            && entry.sessions.is_empty()
            && entry.listeners.is_empty()
        {
            entry.group.unwatch();
            self.handle.load.fetch_sub(1, Ordering::Relaxed);
            self.groups.remove(&token);
        }
    }

    fn listen(&mut self, Listen { id, listener, endpoint, owner }: Listen) {
        if let Some(entry) = self.groups.get_mut(&owner.group.token) {
            entry.listeners.insert(id);
        }
        let entry = ListenerEntry::new(id, listener, endpoint, owner);
        self.listeners.insert(id, entry);
        self.accept(id);
    }

    fn accept(&mut self, id: SessionId) {
        // Bounded: a flood of connections mustn't keep the thread from the others.
        for _ in 0..64 {
            let Some(entry) = self.listeners.get_mut(&id) else { return };
            match entry.accept(&self.handle) {
                super::listener::Outcome::Session(session) => {
                    self.add_session(*session, Session::start_accepted)
                }
                super::listener::Outcome::Refused => {}
                super::listener::Outcome::Empty => return,
                super::listener::Outcome::RetryAt(at) => {
                    self.timers.push(Reverse((at, id)));
                    return;
                }
            }
        }
        self.timers.push(Reverse((time::monotonic_ns(), id)));
    }

    fn unbind(&mut self, id: SessionId, linger: i32) {
        let Some(listener) = self.listeners.get(&id) else { return };
        let group = self.groups.get(&listener.owner.group.token);
        let mut accepted: Vec<_> = group.iter().flat_map(|group| group.sessions.iter().copied()).collect();
        accepted.sort_unstable();
        self.stop_listening(id);
        for session in accepted {
            if self.sessions.get(&session).is_some_and(|session| session.listener() == Some(id)) {
                self.with_session(session, |session, now| session.stop(linger, now));
            }
        }
    }

    fn stop_listening(&mut self, id: SessionId) {
        if let Some(entry) = self.listeners.remove(&id) {
            let token = entry.owner.group.token;
            entry.close(&self.handle);
            if let Some(group) = self.groups.get_mut(&token) {
                group.listeners.remove(&id);
            }
            self.forget_group_if_over(token);
        }
    }

    fn close_socket(&mut self, token: Token, linger: i32) {
        let Some(entry) = self.groups.get_mut(&token) else { return };
        entry.closed = true;
        entry.group.give_back();
        let listeners: Vec<_> = entry.listeners.iter().copied().collect();
        let mut sessions: Vec<_> = entry.sessions.iter().copied().collect();
        sessions.sort_unstable();
        for id in listeners {
            self.stop_listening(id);
        }
        for id in sessions {
            self.with_session(id, |session, now| session.stop(linger, now));
        }
        self.forget_group_if_over(token);
    }

    fn keep_time(&mut self) {
        let now = time::monotonic_ns();
        while let Some(Reverse((at, id))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            if self.listeners.contains_key(&id) {
                self.accept(id);
            } else if let Some(session) = self.sessions.get_mut(&id)
                && session.timer == Some(at)
            {
                // Else an earlier one was set after it, and has come.
                session.timer = None;
                self.with_session(id, Session::time_has_come);
            }
        }
        if now >= self.lent_check {
            self.lent.retain_mut(|(group, seen)| match group.check_lent(*seen) {
                Some(uses) => {
                    *seen = uses;
                    true
                }
                None => false,
            });
            self.lent_check = if self.lent.is_empty() { u64::MAX } else { now + LENT_TICK };
        }
    }
}
