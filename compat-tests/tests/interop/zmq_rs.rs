//! A peer as `peer.rs` is one, by the crate `zeromq`: ZMTP 3.0 in Rust, written independently of upstream's library.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use zeromq::util::PeerIdentity;
use zeromq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket,
    SocketOptions, SocketRecv, SocketSend, SubSocket, ZmqError, ZmqMessage,
};

use crate::control::option;
use crate::frame::{Frame, report};
use crate::wire::Kind;

type Errno = i32;

/// What makes a socket of one type.
type Make = fn(SocketOptions) -> Any;

/// A socket of any type.
enum Any {
    Req(ReqSocket),
    Rep(RepSocket),
    Dealer(DealerSocket),
    Router(RouterSocket),
    Pub(PubSocket),
    Sub(SubSocket),
    Push(PushSocket),
    Pull(PullSocket),
}

/// The same for each type.
macro_rules! each {
    ($any:expr, $socket:ident => $what:expr) => {
        match $any {
            Any::Req($socket) => $what,
            Any::Rep($socket) => $what,
            Any::Dealer($socket) => $what,
            Any::Router($socket) => $what,
            Any::Pub($socket) => $what,
            Any::Sub($socket) => $what,
            Any::Push($socket) => $what,
            Any::Pull($socket) => $what,
        }
    };
}

impl Any {
    fn new(kind: i32, options: SocketOptions) -> Option<Self> {
        let kinds: [(Kind, Make); 8] = [
            (Kind::Req, |options| Any::Req(ReqSocket::with_options(options))),
            (Kind::Rep, |options| Any::Rep(RepSocket::with_options(options))),
            (Kind::Dealer, |options| Any::Dealer(DealerSocket::with_options(options))),
            (Kind::Router, |options| Any::Router(RouterSocket::with_options(options))),
            (Kind::Pub, |options| Any::Pub(PubSocket::with_options(options))),
            (Kind::Sub, |options| Any::Sub(SubSocket::with_options(options))),
            (Kind::Push, |options| Any::Push(PushSocket::with_options(options))),
            (Kind::Pull, |options| Any::Pull(PullSocket::with_options(options))),
        ];
        kinds.into_iter().find(|(k, _)| *k as i32 == kind).map(|(_, make)| make(options))
    }

    async fn send(&mut self, message: ZmqMessage) -> Result<(), ZmqError> {
        match self {
            Any::Req(socket) => socket.send(message).await,
            Any::Rep(socket) => socket.send(message).await,
            Any::Dealer(socket) => socket.send(message).await,
            Any::Router(socket) => socket.send(message).await,
            Any::Pub(socket) => socket.send(message).await,
            Any::Push(socket) => socket.send(message).await,
            Any::Sub(_) | Any::Pull(_) => Err(ZmqError::Other("it only receives")),
        }
    }

    async fn recv(&mut self) -> Result<ZmqMessage, ZmqError> {
        match self {
            Any::Req(socket) => socket.recv().await,
            Any::Rep(socket) => socket.recv().await,
            Any::Dealer(socket) => socket.recv().await,
            Any::Router(socket) => socket.recv().await,
            Any::Sub(socket) => socket.recv().await,
            Any::Pull(socket) => socket.recv().await,
            Any::Pub(_) | Any::Push(_) => Err(ZmqError::Other("it only sends")),
        }
    }
}

/// A socket, or what it is going to be made of: its options have to be known first.
struct Place {
    kind: i32,
    identity: Option<Vec<u8>>,
    subscriptions: Vec<String>,
    patience: Duration,
    socket: Option<Any>,
}

/// Runs until standard input ends.
pub fn run() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|e| e.to_string())?;
    let mut places = HashMap::new();
    let mut stdout = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| e.to_string())?;
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let answer = match obey(&runtime, &mut places, &words) {
            Ok(text) => format!("ok {text}"),
            Err(errno) => format!("error {errno}"),
        };
        writeln!(stdout, "{}", answer.trim_end()).and_then(|()| stdout.flush()).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn obey(runtime: &Runtime, places: &mut HashMap<String, Place>, words: &[&str]) -> Result<String, Errno> {
    let [command, rest @ ..] = words else { return Err(libc::ENOSYS) };
    let done = |()| String::new();
    match (*command, rest) {
        ("term", []) => Ok(String::new()),
        ("socket", [name, kind]) => {
            let place = Place {
                kind: kind.parse().map_err(|_| libc::EINVAL)?,
                identity: None,
                subscriptions: Vec::new(),
                patience: Duration::from_secs(8),
                socket: None,
            };
            places.insert((*name).to_owned(), place);
            Ok(String::new())
        }
        ("close", [name]) => {
            let place = places.remove(*name);
            if let Some(socket) = place.and_then(|place| place.socket) {
                runtime.block_on(async { each!(socket, socket => drop(socket.close().await)) });
            }
            Ok(String::new())
        }
        (command, [name, arguments @ ..]) => {
            let place = places.get_mut(*name).ok_or(libc::ENOENT)?;
            match (command, arguments) {
                ("int", [number, value]) if *number == option::RCVTIMEO.to_string() => {
                    place.patience = Duration::from_millis(value.parse().map_err(|_| libc::EINVAL)?);
                    Ok(String::new())
                }
                // The crate has neither linger nor anything else that is set here.
                ("int", _) | ("events" | "user", []) => Ok(String::new()),
                ("bytes", [number, value]) => {
                    let value = Frame::parse(value).ok_or(libc::EINVAL)?.bytes();
                    runtime.block_on(place.set(number, value)).map(done)
                }
                ("bind", [endpoint]) => runtime.block_on(place.bind(endpoint)),
                ("connect", [endpoint]) => runtime.block_on(place.connect(endpoint)).map(done),
                ("send", frames) => {
                    let frames: Option<Vec<Frame>> = frames.iter().map(|frame| Frame::parse(frame)).collect();
                    let frames = frames.ok_or(libc::EINVAL)?;
                    let parts = frames.iter().map(|frame| Bytes::from(frame.bytes())).collect();
                    runtime.block_on(place.send(parts)).map(done)
                }
                ("recv", []) => {
                    let parts = runtime.block_on(place.recv())?;
                    let parts: Vec<String> = parts.iter().map(|part| report(part)).collect();
                    Ok(parts.join(" "))
                }
                ("burst", [count]) => {
                    for number in 0..count.parse().map_err(|_| libc::EINVAL)? {
                        runtime.block_on(place.send(vec![numbered(number)]))?;
                    }
                    Ok(String::new())
                }
                ("count", [count]) => {
                    for number in 0..count.parse().map_err(|_| libc::EINVAL)? {
                        if runtime.block_on(place.recv())? != [numbered(number)] {
                            return Ok(format!("message {number} is another"));
                        }
                    }
                    Ok("all".to_owned())
                }
                _ => Err(libc::ENOSYS),
            }
        }
        _ => Err(libc::ENOSYS),
    }
}

fn numbered(number: i32) -> Bytes {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(4 + number as usize % 64, b'.');
    bytes.into()
}

/// The crate's errors aren't numbers.
fn errno(error: ZmqError) -> Errno {
    match error {
        ZmqError::ReturnToSender { .. } | ZmqError::BufferFull(_) => libc::EAGAIN,
        _ => libc::EIO,
    }
}

impl Place {
    async fn socket(&mut self) -> Result<&mut Any, Errno> {
        if self.socket.is_none() {
            let mut options = SocketOptions::default();
            if let Some(identity) = self.identity.take() {
                options.peer_identity(PeerIdentity::try_from(identity).map_err(errno)?);
            }
            let mut socket = Any::new(self.kind, options).ok_or(libc::EINVAL)?;
            if let Any::Sub(socket) = &mut socket {
                for subscription in self.subscriptions.drain(..) {
                    socket.subscribe(&subscription).await.map_err(errno)?;
                }
            }
            self.socket = Some(socket);
        }
        self.socket.as_mut().ok_or(libc::EINVAL)
    }

    async fn set(&mut self, number: &str, value: Vec<u8>) -> Result<(), Errno> {
        let text = || String::from_utf8_lossy(&value).into_owned();
        match number.parse().map_err(|_| libc::EINVAL)? {
            option::ROUTING_ID => self.identity = Some(value),
            option::SUBSCRIBE => match &mut self.socket {
                Some(Any::Sub(socket)) => socket.subscribe(&text()).await.map_err(errno)?,
                _ => self.subscriptions.push(text()),
            },
            option::UNSUBSCRIBE => {
                if let Some(Any::Sub(socket)) = &mut self.socket {
                    socket.unsubscribe(&text()).await.map_err(errno)?;
                }
            }
            _ => return Err(libc::EINVAL),
        }
        Ok(())
    }

    async fn bind(&mut self, endpoint: &str) -> Result<String, Errno> {
        let endpoint = endpoint.replace('*', "0");
        if let Some(path) = endpoint.strip_prefix("ipc://") {
            // The crate doesn't take over a file that a socket has left behind.
            let _ = std::fs::remove_file(path);
        }
        let socket = self.socket().await?;
        each!(socket, socket => socket.bind(&endpoint).await).map(|bound| bound.to_string()).map_err(errno)
    }

    async fn connect(&mut self, endpoint: &str) -> Result<(), Errno> {
        let socket = self.socket().await?;
        each!(socket, socket => socket.connect(endpoint).await).map_err(errno)
    }

    /// Until there is a peer that it can be sent to, as other libraries wait.
    async fn send(&mut self, parts: Vec<Bytes>) -> Result<(), Errno> {
        let socket = self.socket().await?;
        let sending = async {
            loop {
                let message = ZmqMessage::try_from(parts.clone()).map_err(|_| libc::EINVAL)?;
                match socket.send(message).await.map_err(errno) {
                    Err(libc::EAGAIN) => tokio::time::sleep(Duration::from_millis(2)).await,
                    outcome => return outcome,
                }
            }
        };
        timeout(Duration::from_secs(8), sending).await.map_err(|_| libc::EAGAIN)?
    }

    async fn recv(&mut self) -> Result<Vec<Bytes>, Errno> {
        let patience = self.patience;
        let socket = self.socket().await?;
        let received = timeout(patience, socket.recv()).await.map_err(|_| libc::EAGAIN)?;
        received.map(ZmqMessage::into_vec).map_err(errno)
    }
}
