//! One pair of socket types, one transport, one way round: everything that they exchange in good health, or after one side was killed.

use std::path::Path;
use std::time::Duration;

use crate::control::{Control, Failure, Step, option};
use crate::datagrams::{self, Exchange};
use crate::frame::Frame;
use crate::partner::Partner;
use crate::security::{Fault, Mechanism};
use crate::tls::Certificates;
use crate::wire::{GROUP, Kind, SIDES, Side, Wire};

/// Sizes at which an encoding, a buffer or a message's form changes, and large ones.
const SIZES: [usize; 16] =
    [0, 1, 33, 34, 254, 255, 256, 257, 8191, 8192, 8193, 65_535, 65_536, 65_537, 1 << 20, 8 << 20];
/// The parts of some messages.
const MULTIPART: [&[usize]; 4] = [&[0, 1, 255, 256], &[8192, 0, 65_536, 0], &[34; 40], &[1 << 20, 1, 33]];
/// Messages in a burst.
const BURST: usize = 5_000;

/// The pairs of types that may talk to each other. Each is run both ways round.
const PAIRS: [(Kind, Kind); 18] = [
    (Kind::Pair, Kind::Pair),
    (Kind::Pub, Kind::Sub),
    (Kind::Pub, Kind::Xsub),
    (Kind::Xpub, Kind::Sub),
    (Kind::Xpub, Kind::Xsub),
    (Kind::Req, Kind::Rep),
    (Kind::Req, Kind::Router),
    (Kind::Dealer, Kind::Rep),
    (Kind::Dealer, Kind::Router),
    (Kind::Dealer, Kind::Dealer),
    (Kind::Router, Kind::Router),
    (Kind::Push, Kind::Pull),
    (Kind::Stream, Kind::Stream),
    (Kind::Server, Kind::Client),
    (Kind::Radio, Kind::Dish),
    (Kind::Scatter, Kind::Gather),
    (Kind::Peer, Kind::Peer),
    (Kind::Channel, Kind::Channel),
];

/// How many of them are of the stable API.
const STABLE: usize = 13;

/// Those that are tried with each mechanism: a type of each family.
const SECURED: [(Kind, Kind); 6] = [
    (Kind::Pub, Kind::Sub),
    (Kind::Req, Kind::Rep),
    (Kind::Dealer, Kind::Router),
    (Kind::Push, Kind::Pull),
    (Kind::Server, Kind::Client),
    (Kind::Radio, Kind::Dish),
];
/// How many of them are of the stable API.
const STABLE_SECURED: usize = 4;

/// Those that JeroMQ is tried with.
const ZMTP_2: [(Kind, Kind); 8] = [
    (Kind::Pair, Kind::Pair),
    (Kind::Pub, Kind::Sub),
    (Kind::Req, Kind::Rep),
    (Kind::Req, Kind::Router),
    (Kind::Dealer, Kind::Rep),
    (Kind::Dealer, Kind::Router),
    (Kind::Dealer, Kind::Dealer),
    (Kind::Push, Kind::Pull),
];

const MECHANISMS: [Mechanism; 4] =
    [Mechanism::NullZap, Mechanism::Plain, Mechanism::Curve, Mechanism::CurveZap];

/// What is done with a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Messages of all sizes.
    Messages,
    /// SIGKILL for the one side, then for the other.
    Reconnection,
    /// A client that may not come in.
    Refusal,
    /// Over udp.
    Datagrams(Exchange),
}

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The types, bound side first.
    pub kinds: [Kind; 2],
    /// Whom our library talks to.
    pub partner: Partner,
    /// Whether our library is the one that binds.
    pub ours_binds: bool,
    /// `tcp`, `ipc`, `ws` or `wss`
    pub transport: &'static str,
    /// How the bound side makes sure of the other.
    pub mechanism: Mechanism,
    /// What is done.
    pub subject: Subject,
}

/// Each pair, either type bound.
fn orders(pairs: &[(Kind, Kind)]) -> Vec<[Kind; 2]> {
    let both = |(one, other): &(Kind, Kind)| {
        if one == other { vec![[*one, *other]] } else { vec![[*one, *other], [*other, *one]] }
    };
    pairs.iter().flat_map(both).collect()
}

impl Scenario {
    /// All of them.
    pub fn all() -> Vec<Self> {
        use Subject::{Messages, Reconnection, Refusal};
        let mut all = Vec::new();
        let mut add =
            |partner, kinds: &[[Kind; 2]], transports: &[&'static str], mechanism, subjects: &[Subject]| {
                for kinds in kinds {
                    for transport in transports {
                        // STREAM speaks to tcp only.
                        if *transport != "tcp" && kinds.contains(&Kind::Stream) {
                            continue;
                        }
                        for ours_binds in [true, false] {
                            for subject in subjects {
                                let (kinds, transport, subject) = (*kinds, *transport, *subject);
                                all.push(Self { partner, kinds, ours_binds, transport, mechanism, subject });
                            }
                        }
                    }
                }
            };
        let upstream = Partner::Reference;
        add(upstream, &orders(&PAIRS), &["tcp", "ipc"], Mechanism::Null, &[Messages, Reconnection]);
        add(upstream, &orders(&PAIRS), &["ws"], Mechanism::Null, &[Messages]);
        add(upstream, &orders(&SECURED), &["wss"], Mechanism::Null, &[Messages]);
        let dealer_router = [[Kind::Router, Kind::Dealer]];
        add(upstream, &dealer_router, &["ws", "wss"], Mechanism::Null, &[Reconnection]);
        for mechanism in MECHANISMS {
            add(upstream, &orders(&SECURED), &["tcp"], mechanism, &[Messages]);
            add(upstream, &dealer_router, &["ipc", "ws", "wss"], mechanism, &[Messages]);
            add(upstream, &dealer_router, &["tcp", "ipc"], mechanism, &[Reconnection]);
            if !mechanism.faults().is_empty() {
                add(upstream, &dealer_router, &["tcp", "ipc", "ws"], mechanism, &[Refusal]);
            }
        }
        let [groups, peers] = [Exchange::Groups, Exchange::Peers].map(Subject::Datagrams);
        add(upstream, &[[Kind::Dish, Kind::Radio]], &["udp"], Mechanism::Null, &[groups]);
        add(upstream, &[[Kind::Dgram, Kind::Dgram]], &["udp"], Mechanism::Null, &[peers]);

        for mechanism in [Mechanism::Gssapi, Mechanism::GssapiPlaintext] {
            let debian = Partner::Debian;
            add(debian, &orders(&SECURED[..STABLE_SECURED]), &["tcp"], mechanism, &[Messages]);
            add(debian, &dealer_router, &["ipc"], mechanism, &[Messages]);
            add(debian, &dealer_router, &["tcp"], mechanism, &[Reconnection]);
        }

        let pyzmq = Partner::Pyzmq;
        add(pyzmq, &orders(&PAIRS[..STABLE]), &["tcp", "ipc"], Mechanism::Null, &[Messages]);
        add(pyzmq, &dealer_router, &["tcp", "ipc"], Mechanism::Null, &[Reconnection]);
        for mechanism in MECHANISMS {
            add(pyzmq, &orders(&SECURED[..STABLE_SECURED]), &["tcp"], mechanism, &[Messages]);
            if !mechanism.faults().is_empty() {
                add(pyzmq, &dealer_router, &["tcp"], mechanism, &[Refusal]);
            }
        }
        add(Partner::Jeromq, &orders(&ZMTP_2), &["tcp"], Mechanism::Null, &[Messages]);
        add(Partner::Jeromq, &dealer_router, &["tcp"], Mechanism::Null, &[Reconnection]);
        add(
            Partner::ZmqRs,
            &orders(&SECURED[..STABLE_SECURED]),
            &["tcp", "ipc"],
            Mechanism::Null,
            &[Messages],
        );
        all.retain(|scenario| !scenario.loses_subscriptions());
        all
    }

    /// Debian's library says what it subscribes to under GSSAPI in such a way that nobody can tell it from a message.
    fn loses_subscriptions(&self) -> bool {
        let theirs = self.kinds[usize::from(self.ours_binds)];
        self.mechanism == Mechanism::Gssapi && theirs == Kind::Sub
    }

    /// What it is called.
    pub fn name(&self) -> String {
        let [bound, connected] = self.kinds;
        let other = self.partner.name();
        let (binds, connects) = if self.ours_binds { ("ours", other) } else { (other, "ours") };
        let subject = match self.subject {
            Subject::Datagrams(_) => "messages".to_owned(),
            subject => format!("{subject:?}").to_lowercase(),
        };
        let mechanism = match self.mechanism {
            Mechanism::Null => String::new(),
            other => format!(", {other:?}"),
        };
        format!(
            "{subject}: {bound:?} bound by {binds}, {connected:?} connected by {connects}, {}{mechanism}",
            self.transport
        )
    }

    /// Runs it. `folder` is for sockets in the file system.
    pub fn run(
        &self,
        ours: &mut Control,
        other: &mut Control,
        folder: &Path,
        certificates: &Certificates,
    ) -> Step<()> {
        let endpoint = match self.transport {
            "ipc" => format!("ipc://{}/socket", folder.display()),
            transport => format!("{transport}://127.0.0.1:*"),
        };
        if let Subject::Datagrams(exchange) = self.subject {
            let (bound, connected) = if self.ours_binds { (ours, other) } else { (other, ours) };
            return datagrams::run(exchange, connected, bound);
        }
        let mut peers = if self.ours_binds { [ours, other] } else { [other, ours] };
        if self.mechanism.wants_new_processes() {
            peers[0].kill_and_restart()?;
            peers[1].kill_and_restart()?;
        }
        let credentials = self.mechanism.credentials(&mut peers)?;
        let mut wire = Wire {
            peers,
            kinds: self.kinds,
            endpoint,
            resilient: self.subject == Subject::Reconnection,
            mechanism: self.mechanism,
            credentials,
            fault: None,
            certificates,
            longest: self.partner.longest(),
        };
        if self.subject == Subject::Refusal {
            return refusals(&mut wire);
        }
        wire.open(Side::Bound)?;
        wire.open(Side::Connected)?;
        match self.subject {
            Subject::Messages => messages(&mut wire)?,
            _ => reconnection(&mut wire)?,
        }
        names(&mut wire)?;
        wire.close()
    }
}

/// What the authenticator called the client is what the bound side's messages say.
fn names(wire: &mut Wire) -> Step<()> {
    let kind = wire.kind(Side::Bound);
    // Those that only send have received nothing, or no more than subscriptions.
    if matches!(kind, Kind::Pub | Kind::Push | Kind::Radio | Kind::Scatter | Kind::Stream | Kind::Xpub) {
        return Ok(());
    }
    let expected = wire.user();
    let user = wire.at(Side::Bound).ask("user bound")?;
    if user == expected {
        return Ok(());
    }
    Err(Failure::Broken(format!("the client is called {user:?}")))
}

/// Each thing that can be wrong with a client, and then that the right one is let in all the same.
fn refusals(wire: &mut Wire) -> Step<()> {
    let endpoint = wire.endpoint.clone();
    for fault in wire.mechanism.faults() {
        wire.fault = Some(*fault);
        wire.endpoint.clone_from(&endpoint);
        wire.open(Side::Bound)?;
        wire.open(Side::Connected)?;
        let in_fault = |failure| Failure::Broken(format!("{fault:?}: {failure}"));
        let seen = wire.at(Side::Bound).ask("refusal bound").map_err(in_fault)?;
        let expected = match (wire.mechanism, *fault) {
            // ZMQ_EVENT_HANDSHAKE_FAILED_AUTH with the status
            (_, Fault::Stranger) => "0x4000 400",
            // ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL with ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC
            (_, Fault::OtherServer) => "0x2000 285212673",
            // Either side may be the one that hangs up, so how the other sees it differs.
            (_, Fault::NoMechanism) => "",
        };
        let name = wire.at(Side::Bound).name();
        if !expected.is_empty() && seen != expected {
            return Err(Failure::Broken(format!("{fault:?}: {name} reports {seen}, not {expected}")));
        }
        if *fault == Fault::Stranger {
            let seen = wire.at(Side::Connected).ask("refusal connected")?;
            if seen != expected {
                return Err(Failure::Broken(format!("{fault:?}: the client reports {seen}, not {expected}")));
            }
        }
        // A message of its lies in its own pipe, and goes nowhere.
        wire.at(Side::Connected).send("connected", &[Frame::of("from a stranger")]).or_else(|failure| {
            matches!(failure, Failure::Errno(libc::EAGAIN, _)).then_some(()).ok_or(failure)
        })?;
        if let Some(received) = wire.at(Side::Bound).recv_soon("bound", 50)? {
            return Err(Failure::Broken(format!("{fault:?}: {received:?} came through")));
        }
        wire.close()?;
    }
    wire.fault = None;
    wire.endpoint = endpoint;
    wire.open(Side::Bound)?;
    wire.open(Side::Connected)?;
    contact(wire)?;
    wire.close()
}

/// Messages of all sizes, and of several parts unless a type refuses them.
fn payloads(wire: &Wire) -> Vec<Vec<Frame>> {
    let mut seed = 0;
    let mut frame = |size: usize| {
        seed += 1;
        Frame::Pattern(size, seed)
    };
    let single: Vec<_> =
        SIZES.iter().filter(|size| **size <= wire.longest).map(|size| vec![frame(*size)]).collect();
    let short_enough = |sizes: &&&[usize]| sizes.iter().all(|size| *size <= wire.longest);
    let multipart = MULTIPART.iter().filter(short_enough);
    let multipart: Vec<_> = multipart.map(|sizes| sizes.iter().map(|size| frame(*size)).collect()).collect();
    if SIDES.iter().any(|side| wire.kind(*side).is_single()) { single } else { [single, multipart].concat() }
}

/// The side that publishes, if it is that family.
fn publisher(wire: &Wire) -> Option<Side> {
    wire.side_of(Kind::Pub).or(wire.side_of(Kind::Xpub))
}

/// The side that asks, if it is that family.
fn client(wire: &Wire) -> Option<Side> {
    let server = wire.side_of(Kind::Rep);
    server.map(Side::other).or(wire.side_of(Kind::Req))
}

fn messages(wire: &mut Wire) -> Step<()> {
    if wire.side_of(Kind::Stream).is_some() {
        bytes(wire)
    } else if let Some(publisher) = publisher(wire) {
        publications(wire, publisher)
    } else if let Some(client) = client(wire) {
        requests(wire, client)
    } else if let Some(radio) = wire.side_of(Kind::Radio) {
        groups(wire, radio)
    } else if let Some(sender) = sender(wire) {
        wire.stream(sender, &payloads(wire))?;
        burst(wire, sender)
    } else {
        let first = speaker(wire);
        if wire.kind(first) == Kind::Router {
            wire.get_through(first)?;
            wire.get_through(first.other())?;
        }
        wire.stream(first, &payloads(wire))?;
        wire.stream(first.other(), &payloads(wire))?;
        if wire.side_of(Kind::Router).is_none() {
            burst(wire, first)?;
            burst(wire, first.other())?;
        }
        Ok(())
    }
}

/// The side that only sends, if there is one.
fn sender(wire: &Wire) -> Option<Side> {
    [Kind::Push, Kind::Scatter, Kind::Radio].into_iter().find_map(|kind| wire.side_of(kind))
}

/// The side that has to send first, so that the other one knows it.
fn speaker(wire: &Wire) -> Side {
    wire.side_of(Kind::Dealer).or(wire.side_of(Kind::Client)).unwrap_or(Side::Connected)
}

/// From one group to another.
fn groups(wire: &mut Wire, radio: Side) -> Step<()> {
    let dish = radio.other();
    wire.get_through(radio)?;
    wire.stream(radio, &payloads(wire))?;
    let name = radio.name();
    wire.at(radio).ask(&format!("group {name} another"))?;
    wire.at(radio).send(name, &[Frame::of("for another group")])?;
    if let Some(received) = wire.at(dish).recv_soon(dish.name(), 30)? {
        return Err(Failure::Broken(format!("{received:?} came although its group was never joined")));
    }
    wire.at(dish).ask(&format!("join {} another", dish.name()))?;
    wire.at(dish).ask(&format!("leave {} {GROUP}", dish.name()))?;
    wire.at(dish).ask(&format!("group {} another", dish.name()))?;
    wire.get_through(radio)?;
    wire.stream(radio, &payloads(wire))
}

fn requests(wire: &mut Wire, client: Side) -> Step<()> {
    for payload in payloads(wire) {
        wire.stream(client, std::slice::from_ref(&payload))?;
        wire.stream(client.other(), &[payload])?;
    }
    Ok(())
}

/// Many small messages, sent and received at the same time.
fn burst(wire: &mut Wire, from: Side) -> Step<()> {
    let at = from.other();
    wire.at(from).tell(&format!("burst {} {BURST}", from.name()))?;
    let counted = wire.at(at).ask(&format!("count {} {BURST}", at.name()))?;
    wire.at(from).answer("burst")?;
    if counted == "all" { Ok(()) } else { Err(Failure::Broken(counted)) }
}

fn publications(wire: &mut Wire, publisher: Side) -> Step<()> {
    let subscriber = publisher.other();
    let name = subscriber.name();
    let has_xpub = wire.kind(publisher) == Kind::Xpub;
    let has_xsub = wire.kind(subscriber) == Kind::Xsub;
    // A bound subscriber subscribes when a call of its program finds the new connection, so it has to be trying to receive.
    wire.get_through(publisher)?;
    if has_xpub {
        wire.expect(publisher, &[Frame::of([1])])?;
    }
    wire.stream(publisher, &payloads(wire))?;

    // From everything to one topic: first the topic is added, then everything is removed.
    let topic = b"topic with more than enough bytes to be no small message".to_vec();
    if has_xsub {
        wire.at(subscriber).send(name, &[Frame::of([&[1], topic.as_slice()].concat())])?;
        wire.at(subscriber).send(name, &[Frame::of([0])])?;
    } else {
        wire.at(subscriber).bytes(name, option::SUBSCRIBE, &topic)?;
        wire.at(subscriber).bytes(name, option::UNSUBSCRIBE, b"")?;
    }
    if has_xpub {
        wire.expect(publisher, &[Frame::of([&[1], topic.as_slice()].concat())])?;
        wire.expect(publisher, &[Frame::of([0])])?;
        if has_xsub {
            // Messages that aren't subscriptions travel upwards too.
            wire.stream(subscriber, &[vec![Frame::of("upwards"), Frame::Pattern(70_000, 5)]])?;
        }
        wire.at(publisher).send(publisher.name(), &[Frame::of("another topic"), Frame::of("body")])?;
    } else {
        unwanted(wire, publisher)?;
    }
    wire.stream(publisher, &[vec![Frame::of(topic), Frame::Pattern(70_000, 6)]])
}

/// A PUB can't see when a subscription has been withdrawn: publishes something else until it no longer comes.
fn unwanted(wire: &mut Wire, publisher: Side) -> Step<()> {
    let subscriber = publisher.other();
    let patience = if wire.longest == usize::MAX { 100 } else { 500 };
    for _ in 0..100 {
        wire.at(publisher).send(publisher.name(), &[Frame::of("another topic")])?;
        if wire.at(subscriber).recv_soon(subscriber.name(), patience)?.is_none() {
            return Ok(());
        }
    }
    Err(Failure::Broken("what was unsubscribed still comes".to_owned()))
}

/// The name of a STREAM's connection, from the empty message that reports its beginning or end.
fn stream_notice(wire: &mut Wire, at: Side) -> Step<Frame> {
    let received = wire.at(at).recv(at.name())?;
    match received.as_slice() {
        [id, empty] if empty == "=" && id.len() == 11 => {
            Frame::parse(id).ok_or_else(|| Failure::Broken(id.clone()))
        }
        _ => Err(Failure::Broken(format!("{received:?} is no notice of a connection"))),
    }
}

fn stream_exchange(wire: &mut Wire, ids: &[Frame; 2], sizes: &[usize]) -> Step<()> {
    for side in SIDES {
        let at = side.other();
        for (seed, size) in sizes.iter().filter(|size| **size > 0).enumerate() {
            let body = Frame::Pattern(*size, seed as u64);
            let frames = format!("{} {}", ids[side as usize].to_text(), body.to_text());
            wire.at(side).tell(&format!("send {} {frames}", side.name()))?;
            let gathered = wire.at(at).ask(&format!("gather {} {size}", at.name()))?;
            wire.at(side).answer("send")?;
            if gathered != body.report() {
                return Err(Failure::Broken(format!("{size} bytes have changed on the way")));
            }
        }
    }
    Ok(())
}

fn bytes(wire: &mut Wire) -> Step<()> {
    let ids = [stream_notice(wire, Side::Bound)?, stream_notice(wire, Side::Connected)?];
    let sizes: Vec<usize> = SIZES.into_iter().filter(|size| *size <= wire.longest).collect();
    stream_exchange(wire, &ids, &sizes)
}

/// Whatever the pair of types can say to each other comes through.
fn contact(wire: &mut Wire) -> Step<()> {
    if let Some(publisher) = publisher(wire) {
        return wire.get_through(publisher);
    }
    if let Some(client) = client(wire) {
        return wire.get_request_through(client);
    }
    if let Some(sender) = sender(wire) {
        return wire.get_through(sender);
    }
    let first = speaker(wire);
    wire.get_through(first)?;
    wire.get_through(first.other())
}

/// Lets the survivor see that its peer has gone. Pipes end while their socket's program makes calls, and take two of them; a PAIR that gets a new
/// connection before that turns it down for good.
fn notice(wire: &mut Wire, survivor: Side) -> Step<()> {
    for _ in 0..4 {
        wire.at(survivor).ask(&format!("events {}", survivor.name()))?;
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn reconnection(wire: &mut Wire) -> Step<()> {
    if wire.side_of(Kind::Stream).is_some() {
        return stream_reconnection(wire);
    }
    contact(wire)?;
    for victim in [Side::Connected, Side::Bound] {
        wire.at(victim).kill_and_restart()?;
        notice(wire, victim.other())?;
        wire.open(victim)?;
        contact(wire)?;
    }
    Ok(())
}

fn stream_reconnection(wire: &mut Wire) -> Step<()> {
    let mut ids = [stream_notice(wire, Side::Bound)?, stream_notice(wire, Side::Connected)?];
    stream_exchange(wire, &ids, &[1, 70_000])?;
    for victim in [Side::Connected, Side::Bound] {
        let survivor = victim.other();
        wire.at(victim).kill_and_restart()?;
        if stream_notice(wire, survivor)? != ids[survivor as usize] {
            return Err(Failure::Broken("another connection has ended".to_owned()));
        }
        wire.open(victim)?;
        ids = [stream_notice(wire, Side::Bound)?, stream_notice(wire, Side::Connected)?];
        stream_exchange(wire, &ids, &[1, 70_000])?;
    }
    Ok(())
}
