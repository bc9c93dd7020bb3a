//! Two sockets in two processes, one bound and one connected, and how their types frame what they say to each other.

use std::time::{Duration, Instant};

use crate::control::{Control, Failure, Step, option};
use crate::frame::Frame;
use crate::security::{Credentials, Fault, Mechanism};
use crate::tls::Certificates;

/// The socket types, with zmq.h's numbers; from SERVER on they belong to the draft API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names are zmq.h's
pub enum Kind {
    Pair = 0,
    Pub = 1,
    Sub = 2,
    Req = 3,
    Rep = 4,
    Dealer = 5,
    Router = 6,
    Pull = 7,
    Push = 8,
    Xpub = 9,
    Xsub = 10,
    Stream = 11,
    Server = 12,
    Client = 13,
    Radio = 14,
    Dish = 15,
    Gather = 16,
    Scatter = 17,
    Dgram = 18,
    Peer = 19,
    Channel = 20,
}

impl Kind {
    /// Whether its messages have one part only.
    pub fn is_single(self) -> bool {
        self as i32 >= Self::Server as i32
    }
}

/// The group that RADIO sends to and DISH has joined.
pub const GROUP: &str = "group";

/// Which of the two: the socket that is bound, or the one that is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Side {
    Bound = 0,
    Connected = 1,
}

impl Side {
    /// The name of its socket.
    pub fn name(self) -> &'static str {
        ["bound", "connected"][self as usize]
    }

    /// The other one.
    pub fn other(self) -> Self {
        if self == Self::Bound { Self::Connected } else { Self::Bound }
    }
}

/// Both sides.
pub const SIDES: [Side; 2] = [Side::Bound, Side::Connected];

/// How long to go on trying what can't be waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The two peers and their sockets.
pub struct Wire<'a> {
    /// The processes, bound side first.
    pub peers: [&'a mut Control; 2],
    /// Their socket types.
    pub kinds: [Kind; 2],
    /// Where they meet.
    pub endpoint: String,
    /// For types that lose messages when a peer dies: options that let them go on afterwards.
    pub resilient: bool,
    /// How the bound side makes sure of the other.
    pub mechanism: Mechanism,
    /// With what.
    pub credentials: Credentials,
    /// What is wrong with the connected side, if it is to be turned away.
    pub fault: Option<Fault>,
    /// What messages are no longer than.
    pub longest: usize,
    /// For `wss://`
    pub certificates: &'a Certificates,
}

impl Wire<'_> {
    /// The peer on a side.
    pub fn at(&mut self, side: Side) -> &mut Control {
        self.peers[side as usize]
    }

    /// The socket type on a side.
    pub fn kind(&self, side: Side) -> Kind {
        self.kinds[side as usize]
    }

    /// The side that has this type.
    pub fn side_of(&self, kind: Kind) -> Option<Side> {
        SIDES.into_iter().find(|side| self.kind(*side) == kind)
    }

    /// What the bound side's authenticator calls the client. Upstream's REQ and DISH give a connection up whose client has a name: they take the
    /// note of it for the beginning of a message.
    pub fn user(&self) -> &'static str {
        let nameless = self.peers[0].name() != "ours" && matches!(self.kinds[0], Kind::Req | Kind::Dish);
        if self.mechanism.is_authenticated() && !nameless { "someone" } else { "" }
    }

    /// Opens a side's socket and binds or connects it.
    pub fn open(&mut self, side: Side) -> Step<()> {
        let (kind, resilient, name) = (self.kind(side), self.resilient, side.name());
        let (endpoint, mechanism, fault) = (self.endpoint.clone(), self.mechanism, self.fault);
        let user = self.user();
        let peer = &mut *self.peers[side as usize];
        peer.socket(name, kind as i32)?;
        match side {
            Side::Bound => mechanism.serve(peer, name, user, &self.credentials)?,
            Side::Connected => mechanism.enter(peer, name, &self.credentials, fault)?,
        }
        if endpoint.starts_with("wss:") {
            self.certificates.apply(peer, name, side == Side::Bound)?;
        }
        if matches!(kind, Kind::Req | Kind::Dealer | Kind::Router) {
            peer.bytes(name, option::ROUTING_ID, name.as_bytes())?;
        }
        match kind {
            Kind::Router => {
                peer.int(name, option::ROUTER_MANDATORY, 1)?;
                // The peer that was killed may not have been noticed yet when its successor comes by the same name.
                peer.int(name, option::ROUTER_HANDOVER, i32::from(resilient))?;
            }
            Kind::Req if resilient => {
                peer.int(name, option::REQ_RELAXED, 1)?;
                peer.int(name, option::REQ_CORRELATE, 1)?;
            }
            Kind::Sub => peer.bytes(name, option::SUBSCRIBE, b"")?,
            Kind::Dish => {
                peer.ask(&format!("join {name} {GROUP}"))?;
                peer.ask(&format!("group {name} {GROUP}"))?;
            }
            Kind::Radio => drop(peer.ask(&format!("group {name} {GROUP}"))?),
            _ => {}
        }
        if self.fault.is_some() {
            peer.ask(&format!("watch {name}"))?;
        }
        if side == Side::Bound {
            self.endpoint = peer.bind(name, &endpoint)?;
        } else {
            peer.ask(&format!("connect {name} {endpoint}"))?;
        }
        if kind == Kind::Xsub {
            self.at(side).send(name, &[Frame::of([1])])?;
        }
        Ok(())
    }

    /// Closes both sockets.
    pub fn close(&mut self) -> Step<()> {
        for side in SIDES {
            self.at(side).ask(&format!("close {}", side.name()))?;
        }
        Ok(())
    }

    /// What stands before the payload of a message when this side sends it.
    fn envelope_sent(&self, from: Side) -> Vec<Frame> {
        match (self.kind(from), self.kind(from.other())) {
            (Kind::Router, Kind::Req) => vec![Frame::of(from.other().name()), Frame::of("")],
            (Kind::Router, _) => vec![Frame::of(from.other().name())],
            (Kind::Dealer, Kind::Rep) => vec![Frame::of("")],
            _ => Vec::new(),
        }
    }

    /// What stands before the payload of a message when this side receives it.
    fn envelope_received(&self, at: Side) -> Vec<Frame> {
        match (self.kind(at), self.kind(at.other())) {
            (Kind::Router, Kind::Req) => vec![Frame::of(at.other().name()), Frame::of("")],
            (Kind::Router, _) => vec![Frame::of(at.other().name())],
            (Kind::Dealer, Kind::Rep) => vec![Frame::of("")],
            _ => Vec::new(),
        }
    }

    /// A message as this side has to send it.
    pub fn outgoing(&self, from: Side, payload: &[Frame]) -> Vec<Frame> {
        [self.envelope_sent(from), payload.to_vec()].concat()
    }

    /// The same message as it is reported on this side.
    pub fn incoming(&self, at: Side, payload: &[Frame]) -> Vec<String> {
        [self.envelope_received(at), payload.to_vec()].concat().iter().map(Frame::report).collect()
    }

    /// Sends all of these, then receives them on the other side and compares.
    pub fn stream(&mut self, from: Side, payloads: &[Vec<Frame>]) -> Step<()> {
        for payload in payloads {
            let frames: Vec<String> = self.outgoing(from, payload).iter().map(Frame::to_text).collect();
            self.at(from).tell(&format!("send {} {}", from.name(), frames.join(" ")))?;
        }
        for payload in payloads {
            self.expect(from.other(), payload)?;
        }
        for _ in payloads {
            self.at(from).answer("send")?;
        }
        Ok(())
    }

    /// Receives a message that must be this one.
    pub fn expect(&mut self, at: Side, payload: &[Frame]) -> Step<()> {
        let expected = self.incoming(at, payload);
        let received = match self.at(at).recv(at.name()) {
            Err(Failure::Errno(errno, command)) => {
                let parts: Vec<_> = expected.iter().map(|part| format!("{part:.20}")).collect();
                return Err(Failure::Errno(errno, format!("{command} for {parts:?}")));
            }
            other => other?,
        };
        if received == expected {
            return Ok(());
        }
        let library = self.at(at).name();
        Err(Failure::Broken(format!("{library} received {received:?} in the place of {expected:?}")))
    }

    /// Sends numbered messages until one has come through, and lets those that are still on their way arrive.
    pub fn get_through(&mut self, from: Side) -> Step<()> {
        let start = Instant::now();
        for number in 0.. {
            let probe = [Frame::of(format!("probe {number}"))];
            let frames = self.outgoing(from, &probe);
            match self.at(from).send(from.name(), &frames) {
                // No peer at the moment.
                Err(Failure::Errno(libc::EHOSTUNREACH | libc::EAGAIN, _)) => {
                    std::thread::sleep(Duration::from_millis(5))
                }
                Err(failure) => return Err(failure),
                Ok(()) => {
                    let last = self.incoming(from.other(), &probe);
                    let mut patience = 50;
                    let at = from.other();
                    while let Some(received) = self.at(at).recv_soon(at.name(), patience)? {
                        if received == last {
                            return Ok(());
                        }
                        patience = 2_000; // an earlier one; this one follows it
                    }
                }
            }
            if start.elapsed() > PATIENCE {
                break;
            }
        }
        Err(Failure::Broken(format!("nothing comes through to the {} socket", from.other().name())))
    }

    /// A request and its reply, over and over until a pair has come through.
    pub fn get_request_through(&mut self, client: Side) -> Step<()> {
        let (server, start) = (client.other(), Instant::now());
        for number in 0.. {
            let (request, reply) =
                (Frame::of(format!("request {number}")), Frame::of(format!("reply {number}")));
            let frames = self.outgoing(client, std::slice::from_ref(&request));
            self.at(client).send(client.name(), &frames)?;
            let mut current = false;
            // Older requests may come first, and want a reply too.
            while !current && let Some(received) = self.at(server).recv_soon(server.name(), 500)? {
                current = received.last() == Some(&request.report());
                // All but the payload goes back as it came.
                let mut answer: Vec<Frame> =
                    received.iter().rev().skip(1).rev().filter_map(|frame| Frame::parse(frame)).collect();
                answer.push(if current { reply.clone() } else { Frame::of("late") });
                match self.at(server).send(server.name(), &answer) {
                    Ok(()) | Err(Failure::Errno(libc::EHOSTUNREACH, _)) => {}
                    Err(failure) => return Err(failure),
                }
            }
            let expected = self.incoming(client, &[reply]);
            while current && let Some(received) = self.at(client).recv_soon(client.name(), 500)? {
                if received == expected {
                    return Ok(());
                }
            }
            if start.elapsed() > PATIENCE {
                break;
            }
        }
        Err(Failure::Broken("no request is answered".to_owned()))
    }
}
