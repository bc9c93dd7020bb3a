//! Binding, connecting, and undoing both.

use super::inproc::{Joined, Party};
use super::io_thread::{Connect, IoCommand, Listen, SessionId};
use super::link::{Link, SessionLink};
use super::monitor::{Endpoints, event};
use super::session::multicast::Channel;
use super::socket::Socket;
use crate::error::{Error, Result};
use crate::options::SocketType;
use crate::pattern::Attachment;
use crate::pipe::{Marks, PipeEnd, PipeId, pipe};
use crate::transport::udp::Datagrams;
use crate::transport::{
    Connector, Kind, Listener, OpenMulticast, Unopened, check_protocol, find_endpoint, parse_endpoint,
};
use std::os::fd::AsRawFd;

/// Something that a socket has bound or connected to.
pub struct Endpoint {
    /// The name by which it is undone.
    pub name: String,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// A connection that has ended for good, which only `zmq_disconnect` remembers.
    Ended,
    Listener(SessionId),
    Session(SessionId, Option<PipeId>),
    InprocBound,
    InprocPipe(PipeId),
}

impl Endpoint {
    /// The session has ended for good, by itself.
    pub fn end(&mut self) {
        self.what = What::Ended;
    }

    /// Whether it is this session.
    pub fn is_session(&self, id: SessionId) -> bool {
        matches!(self.what, What::Session(session, _) if session == id)
    }

    /// Whether it is a connection by this pipe, within the process.
    pub fn is_inproc_pipe(&self, id: PipeId) -> bool {
        self.what == What::InprocPipe(id)
    }
}

impl Socket {
    /// What monitors call a pipe.
    pub(super) fn pipe_endpoints(&self, pipe: PipeId) -> Endpoints {
        let made_by = |endpoint: &&Endpoint| match endpoint.what {
            What::Session(_, of) => of == Some(pipe),
            What::InprocPipe(of) => of == pipe,
            What::Listener(_) | What::InprocBound | What::Ended => false,
        };
        match (self.endpoints.iter().find(made_by), self.links.get(pipe.index())) {
            (Some(endpoint), _) => Endpoints::connecting(&endpoint.name),
            (None, Some(Some((_, Link::Session { connection: Some(connection), .. })))) => {
                Endpoints::accepted(connection.stream())
            }
            _ => Endpoints::default(),
        }
    }

    /// `zmq_bind`.
    pub fn bind(&mut self, endpoint: &str) -> Result<()> {
        self.process()?;
        let (scheme, address) = parse_endpoint(endpoint)?;
        check_protocol(scheme, self.kind)?;
        if let Kind::Inproc = scheme.kind() {
            let party = Party::new(self.mailbox.clone(), &self.options);
            self.context.inproc.bind(address, party)?;
            self.endpoints.push(Endpoint { name: endpoint.to_owned(), what: What::InprocBound });
            self.options.last_endpoint = endpoint.as_bytes().to_vec();
            // Those that had connected before: what this socket has to say first (subscriptions) goes out now.
            let _ = self.process();
            return Ok(());
        }
        match scheme.kind() {
            Kind::Datagrams => return self.open_datagrams(endpoint, address, true).map(drop),
            Kind::Multicast(open) => return self.open_multicast(endpoint, address, open).map(drop),
            Kind::Inproc | Kind::Streams | Kind::Absent => {}
        }
        let owner = self.owner()?;
        let listener = match Listener::bind(scheme, address, &self.options) {
            Ok(listener) => listener,
            Err(Unopened { error, closed }) => {
                if let Some(fd) = closed {
                    let named = Listener::name_unopened(scheme, address);
                    self.monitor.emit(event::CLOSED, &[fd as u64], &Endpoints::listening(&named));
                }
                let endpoints = Endpoints::listening(address);
                self.monitor.emit(event::BIND_FAILED, &[error.errno() as u64], &endpoints);
                return Err(error);
            }
        };
        let announced = listener.announced().to_owned();
        let endpoints = Endpoints::listening(&announced);
        self.monitor.emit(event::LISTENING, &[listener.as_raw_fd() as u64], &endpoints);
        let io = owner.group.io.clone();
        let id = io.new_session();
        self.options.last_endpoint = listener.endpoint().as_bytes().to_vec();
        let name = listener.known_as(endpoint).to_owned();
        self.endpoints.push(Endpoint { name, what: What::Listener(id) });
        io.post(IoCommand::Listen(Box::new(Listen { id, listener, endpoint: announced, owner })));
        self.ring_user_fd();
        Ok(())
    }

    /// `zmq_connect`.
    pub fn connect(&mut self, endpoint: &str) -> Result<()> {
        self.connect_pipe(endpoint).map(drop)
    }

    /// `zmq_connect_peer`: the routing id of the peer at the other end, to which messages can be sent at once. `ENOTSUP` for anything
    /// but a PEER; `EFAULT` with `ZMQ_IMMEDIATE`, since there is no pipe then before there is a connection.
    ///
    /// What kind of socket it is counts before whether `endpoint` is one.
    pub fn connect_peer(&mut self, endpoint: Result<&str>) -> Result<u32> {
        if self.kind != SocketType::Peer {
            return Err(if self.stopped { Error::Terminated } else { Error::NotSupported });
        }
        self.process()?;
        if self.options.immediate {
            return Err(Error::Fault);
        }
        let pipe = self.connect_pipe(endpoint?)?.ok_or(Error::Fault)?;
        match self.pipes.server_routing_id(pipe) {
            0 => Err(Error::HostUnreachable),
            routing_id => Ok(routing_id),
        }
    }

    /// Connects. The new pipe, if there is one before there is a connection.
    fn connect_pipe(&mut self, endpoint: &str) -> Result<Option<PipeId>> {
        self.process()?;
        let (scheme, address) = parse_endpoint(endpoint)?;
        check_protocol(scheme, self.kind)?;
        match scheme.kind() {
            Kind::Inproc => return self.connect_inproc(endpoint, address).map(Some),
            Kind::Datagrams => return self.open_datagrams(endpoint, address, false).map(Some),
            Kind::Multicast(open) => return self.open_multicast(endpoint, address, open),
            Kind::Streams | Kind::Absent => {}
        }
        if self.is_connected_already(endpoint) {
            return Ok(None);
        }
        let connector = Connector::new(scheme, address, &self.options)?;
        let owner = self.owner()?;
        let io = owner.group.io.clone();
        let id = io.new_session();
        let mut attached = None;
        let mut end_and_link = None;
        if !self.options.immediate {
            let (ours, theirs) = self.new_pipe();
            let link = SessionLink::new(io.clone(), id, None);
            let pipe = self.attach_session(ours, Link::Session { link: link.clone(), connection: None });
            attached = Some(pipe);
            end_and_link = Some((theirs, link));
        }
        self.options.last_endpoint = connector.endpoint().as_bytes().to_vec();
        self.endpoints.push(Endpoint { name: endpoint.to_owned(), what: What::Session(id, attached) });
        io.post(IoCommand::Connect(Box::new(Connect { id, connector, owner, pipe: end_and_link })));
        self.settle();
        self.ring_user_fd();
        Ok(attached)
    }

    /// `udp://`: binding (`local`) and connecting differ in the direction only.
    fn open_datagrams(&mut self, endpoint: &str, address: &str, local: bool) -> Result<PipeId> {
        let socket = Datagrams::open(address, local, &self.options)?;
        let owner = self.owner()?;
        let io = owner.group.io.clone();
        let id = io.new_session();
        let (ours, theirs) = self.new_pipe();
        let link = SessionLink::new(io.clone(), id, None);
        // Nobody at the other end can say which groups it has joined.
        let attachment = Attachment { subscribe_to_all: true, locally_initiated: true };
        let pipe = self.attach(ours, Link::Session { link: link.clone(), connection: None }, attachment);
        self.options.last_endpoint = address.as_bytes().to_vec();
        self.endpoints.push(Endpoint { name: endpoint.to_owned(), what: What::Session(id, Some(pipe)) });
        let socket = socket.map(Box::new);
        io.post(IoCommand::Datagrams { id, socket, owner, pipe: (theirs, link) });
        self.settle();
        self.ring_user_fd();
        Ok(pipe)
    }

    /// A multicast transport, where binding and connecting are the same.
    fn open_multicast(
        &mut self,
        endpoint: &str,
        address: &str,
        open: OpenMulticast,
    ) -> Result<Option<PipeId>> {
        if self.is_connected_already(endpoint) {
            return Ok(None);
        }
        let channel = Box::new(Channel::new(open(address, &self.options)?, &self.options));
        let owner = self.owner()?;
        let io = owner.group.io.clone();
        let id = io.new_session();
        let (ours, theirs) = self.new_pipe();
        let link = SessionLink::direct(io.clone(), id);
        // Nobody at the other end can say what it has subscribed to.
        let attachment = Attachment { subscribe_to_all: true, locally_initiated: true };
        let pipe = self.attach(ours, Link::Session { link: link.clone(), connection: None }, attachment);
        self.options.last_endpoint = endpoint.as_bytes().to_vec();
        self.endpoints.push(Endpoint { name: endpoint.to_owned(), what: What::Session(id, Some(pipe)) });
        io.post(IoCommand::Multicast { id, channel, owner, pipe: (theirs, link) });
        self.settle();
        self.ring_user_fd();
        Ok(Some(pipe))
    }

    /// A pipe for a session, with the marks that the options say. This end and the session's.
    fn new_pipe(&self) -> (PipeEnd, PipeEnd) {
        let mark = |value: i32| usize::try_from(value).unwrap_or(0);
        let marks = Marks { send: mark(self.options.sndhwm), receive: mark(self.options.rcvhwm), peer: None };
        pipe(marks, self.options.effective_conflate())
    }

    /// Whether one of a socket that connects to each peer once is connected there; twice would be of no use.
    fn is_connected_already(&mut self, endpoint: &str) -> bool {
        use SocketType::{Dealer, Pub, Req, Sub};
        let single = matches!(self.kind, Dealer | Sub | Pub | Req);
        self.endpoints.retain(|known| known.name != endpoint || known.what != What::Ended);
        single && self.endpoints.iter().any(|known| known.name == endpoint)
    }

    /// `ZMQ_FD` is readable after a bind or connect of anything but inproc, as upstream's is, until `ZMQ_EVENTS` is read: a connect may have made
    /// the socket writable, and an event loop hears of that by its descriptor only.
    fn ring_user_fd(&self) {
        if self.mailbox.has_user_fd() {
            self.mailbox.notify();
        }
    }

    fn connect_inproc(&mut self, endpoint: &str, name: &str) -> Result<PipeId> {
        let party = Party::new(self.mailbox.clone(), &self.options);
        let Joined { end, link, monitor } =
            self.context.inproc.connect(name, party, self.options.effective_conflate());
        let attachment = Attachment { subscribe_to_all: false, locally_initiated: true };
        let pipe = self.attach(end, Link::Inproc { link, side: 0 }, attachment);
        self.options.last_endpoint = endpoint.as_bytes().to_vec();
        self.endpoints.push(Endpoint { name: endpoint.to_owned(), what: What::InprocPipe(pipe) });
        self.settle();
        if let Some(monitor) = monitor {
            monitor.reader_came();
        }
        Ok(pipe)
    }

    /// `zmq_disconnect_peer`: ends the connection to the peer with this routing id, after what was sent to it. `EHOSTUNREACH` if there is
    /// none; `ENOTSUP` for anything but a SERVER or PEER; `ETERM`.
    pub fn disconnect_peer(&mut self, routing_id: u32) -> Result<()> {
        let running = self.process();
        let pipe = match self.find_peer(routing_id) {
            Err(Error::NotSupported) => return Err(Error::NotSupported),
            found => running.and(found)?,
        };
        match self.links.get(pipe.index()) {
            Some(Some((_, Link::Session { link, .. }))) => {
                let (session, io) = (link.session, link.io.clone());
                self.endpoints.retain(|known| !known.is_session(session));
                self.pipes.terminate(pipe, false);
                self.settle();
                io.post(IoCommand::StopSession { session, linger: self.options.linger });
            }
            _ => {
                self.pipes.terminate(pipe, false);
                self.settle();
            }
        }
        Ok(())
    }

    /// `zmq_unbind` and `zmq_disconnect`.
    pub fn undo_endpoint(&mut self, endpoint: &str) -> Result<()> {
        self.process()?;
        let (scheme, address) = parse_endpoint(endpoint)?;
        check_protocol(scheme, self.kind)?;
        if let Kind::Inproc = scheme.kind() {
            return self.undo_inproc(endpoint, address);
        }
        let known = |name: &str| self.endpoints.iter().any(|endpoint| endpoint.name == name);
        let name = find_endpoint(scheme, endpoint, address, &self.options, known)?;
        let mut undone = Vec::new();
        self.endpoints.retain(|endpoint| {
            let this = endpoint.name == name;
            if this {
                undone.push(endpoint.what);
            }
            !this
        });
        for what in undone {
            self.undo(what);
        }
        self.settle();
        Ok(())
    }

    fn undo(&mut self, what: What) {
        let Some(io) = self.group().map(|group| group.io.clone()) else { return };
        match what {
            What::Listener(id) => {
                // What arrives from now on isn't received any more, however long the I/O thread takes.
                for (_, link) in self.links.iter().flatten() {
                    if let Link::Session { link, connection: Some(connection), .. } = link
                        && link.listener == Some(id)
                    {
                        connection.stop_reading();
                    }
                }
                io.post(IoCommand::StopListening { listener: id, linger: self.options.linger });
            }
            What::Session(session, pipe) => {
                let made_later = || {
                    let mut links = self.links.iter().flatten();
                    links.find(|(_, link)| link.is_session(session)).map(|(pipe, _)| *pipe)
                };
                if let Some(pipe) = pipe.or_else(made_later) {
                    self.pipes.terminate(pipe, false);
                    self.settle();
                }
                io.post(IoCommand::StopSession { session, linger: self.options.linger });
            }
            What::InprocBound | What::InprocPipe(_) | What::Ended => {}
        }
    }

    fn undo_inproc(&mut self, endpoint: &str, name: &str) -> Result<()> {
        if self.context.inproc.unbind(name, &self.mailbox).is_ok() {
            self.endpoints.retain(|known| !(known.name == endpoint && known.what == What::InprocBound));
            return Ok(());
        }
        let pipes: Vec<_> = self
            .endpoints
            .iter()
            .filter(|known| known.name == endpoint)
            .filter_map(|known| match known.what {
                What::InprocPipe(pipe) => Some(pipe),
                _ => None,
            })
            .collect();
        if pipes.is_empty() {
            return Err(Error::NotFound);
        }
        for pipe in pipes {
            self.pipes.terminate(pipe, true);
        }
        self.endpoints.retain(|known| known.name != endpoint);
        self.settle();
        Ok(())
    }
}
