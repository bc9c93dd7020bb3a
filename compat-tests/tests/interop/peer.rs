//! A peer: a process that does with one library what the driver tells it to, line by line, until there are no more lines.
//!
//! Each line is answered by `ok` and what the command gives, or by `error` and an errno value.

use std::collections::HashMap;
use std::ffi::c_int;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;

use crate::api::{Address, Api, Context, Errno, Socket};
use crate::authenticator::Authenticator;
use crate::frame::{Frame, report};
use crate::wire::Kind;

/// `ZMQ_SNDMORE`
const MORE: c_int = 2;
/// `ZMQ_EVENTS`
const EVENTS: c_int = 15;
/// `ZMQ_RCVTIMEO`
const RCVTIMEO: c_int = 27;
/// `ZMQ_EVENT_ALL`
const ALL_EVENTS: c_int = 0xffff;
/// `ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL`, `_PROTOCOL`, `_AUTH`
const FAILURES: [u16; 3] = [0x0800, 0x2000, 0x4000];
/// `ZMQ_LAST_ENDPOINT`
const LAST_ENDPOINT: c_int = 32;

/// A socket, and what its type needs to be remembered.
struct Place {
    socket: Socket,
    kind: c_int,
    /// Where the next message goes: to who sent the last one, or to the group.
    address: Address,
    /// Whom the authenticator of this side took the last sender for.
    user: Option<String>,
    /// Where the events of the socket are reported.
    monitor: Option<Socket>,
}

struct Peer {
    api: Arc<Api>,
    context: Context,
    sockets: HashMap<String, Place>,
    authenticator: Option<Authenticator>,
    /// How many sockets were watched.
    monitors: usize,
}

/// Runs until standard input ends.
pub fn run(library: &Path) -> Result<(), String> {
    // A driver that is killed takes its peers along.
    // SAFETY: plain system call without pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let api = Arc::new(Api::load(library)?);
    let context = api.context();
    let mut peer = Peer { api, context, sockets: HashMap::new(), authenticator: None, monitors: 0 };
    let mut stdout = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| e.to_string())?;
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let answer = match peer.obey(&words) {
            Ok(text) => format!("ok {text}"),
            Err(errno) => format!("error {errno}"),
        };
        writeln!(stdout, "{}", answer.trim_end()).and_then(|()| stdout.flush()).map_err(|e| e.to_string())?;
    }
    Ok(())
}

impl Peer {
    fn obey(&mut self, words: &[&str]) -> Result<String, Errno> {
        let number = |text: &str| text.parse::<c_int>().map_err(|_| libc::EINVAL);
        match words {
            ["term"] => {
                self.authenticator = None;
                self.api.term(self.context).map(|_| String::new())
            }
            ["keypair"] => self.api.curve_keypair().map(|(public, secret)| format!("{public} {secret}")),
            ["zap", user, credentials @ ..] => {
                let credentials = credentials.iter().map(|c| Frame::parse(c).map(|frame| frame.bytes()));
                let credentials: Option<Vec<Vec<u8>>> = credentials.collect();
                let credentials = credentials.ok_or(libc::EINVAL)?;
                let user =
                    Frame::parse(user).map(|frame| String::from_utf8_lossy(&frame.bytes()).into_owned());
                let user = user.ok_or(libc::EINVAL)?;
                if let Some(authenticator) = &self.authenticator {
                    authenticator.admit(user, credentials);
                } else {
                    let (api, context) = (self.api.clone(), self.context);
                    self.authenticator = Some(Authenticator::start(api, context, user, credentials)?);
                }
                Ok(String::new())
            }
            ["socket", name, kind] => {
                let kind = number(kind)?;
                let socket = self.api.socket(self.context, kind)?;
                let place = Place { socket, kind, address: Address::None, user: None, monitor: None };
                self.sockets.insert((*name).to_owned(), place);
                Ok(String::new())
            }
            [command, name, arguments @ ..] => {
                let Peer { api, context, sockets, monitors, .. } = self;
                let place = sockets.get_mut(*name).ok_or(libc::ENOENT)?;
                let socket = place.socket;
                match (*command, arguments) {
                    ("close", []) => {
                        if let Some(monitor) = place.monitor {
                            // Before its reader goes: an event that nobody can read keeps upstream's I/O thread waiting.
                            api.unmonitor(socket)?;
                            api.close(monitor)?;
                        }
                        sockets.remove(*name);
                        api.close(socket).map(|_| String::new())
                    }
                    ("int", [option, value]) => {
                        let value = number(value)?.to_ne_bytes();
                        api.set(socket, number(option)?, &value).map(|_| String::new())
                    }
                    ("bytes", [option, value]) => {
                        let value = Frame::parse(value).ok_or(libc::EINVAL)?.bytes();
                        api.set(socket, number(option)?, &value).map(|_| String::new())
                    }
                    ("bind", [endpoint]) => {
                        api.bind(socket, endpoint)?;
                        api.text(socket, LAST_ENDPOINT)
                    }
                    ("connect", [endpoint]) if place.kind == Kind::Peer as c_int => {
                        place.address = Address::RoutingId(api.connect_peer(socket, endpoint)?);
                        Ok(String::new())
                    }
                    ("connect", [endpoint]) => api.connect(socket, endpoint).map(|_| String::new()),
                    ("group", [group]) => {
                        place.address = Address::Group((*group).to_owned());
                        Ok(String::new())
                    }
                    ("join", [group]) => api.membership(socket, group, true).map(|_| String::new()),
                    ("leave", [group]) => api.membership(socket, group, false).map(|_| String::new()),
                    ("watch", []) => {
                        *monitors += 1;
                        let endpoint = format!("inproc://monitor-{monitors}");
                        api.monitor(socket, &endpoint, ALL_EVENTS)?;
                        let monitor = api.socket(*context, Kind::Pair as c_int)?;
                        place.monitor = Some(monitor);
                        api.set(monitor, RCVTIMEO, &8_000_i32.to_ne_bytes())?;
                        api.connect(monitor, &endpoint).map(|_| String::new())
                    }
                    ("refusal", []) => refusal(api, place.monitor.ok_or(libc::ENOENT)?),
                    ("send", frames) => place.send(api, frames).map(|()| String::new()),
                    ("events", []) => api.number(socket, EVENTS).map(|events| events.to_string()),
                    ("recv", []) => place.recv(api),
                    ("user", []) => Ok(place.user.clone().unwrap_or_default()),
                    ("gather", [size]) => place.gather(api, size.parse().map_err(|_| libc::EINVAL)?),
                    ("burst", [count]) => place.burst(api, number(count)?),
                    ("count", [count]) => place.count(api, number(count)?),
                    _ => Err(libc::ENOSYS),
                }
            }
            _ => Err(libc::ENOSYS),
        }
    }
}

/// Waits until a handshake has failed, and says how, as `zmq.h` numbers it: the event and its value. (Over WebSockets, the handshake of that protocol has
/// succeeded before.)
fn refusal(api: &Api, monitor: Socket) -> Result<String, Errno> {
    loop {
        let (event, _) = api.recv(monitor, |frame| {
            let event = u16::from_ne_bytes([frame[0], frame[1]]);
            (event, i32::from_ne_bytes([frame[2], frame[3], frame[4], frame[5]]))
        })?;
        api.recv(monitor, |_| ())?; // the endpoint
        if FAILURES.contains(&event.0) {
            return Ok(format!("{:#x} {}", event.0, event.1));
        }
    }
}

impl Place {
    fn send(&self, api: &Api, frames: &[&str]) -> Result<(), Errno> {
        for (index, frame) in frames.iter().enumerate() {
            let bytes = Frame::parse(frame).ok_or(libc::EINVAL)?.bytes();
            let flags = if index + 1 < frames.len() { MORE } else { 0 };
            api.send_to(self.socket, &bytes, flags, &self.address)?;
        }
        Ok(())
    }

    fn recv(&mut self, api: &Api) -> Result<String, Errno> {
        let mut frames = Vec::new();
        loop {
            let (frame, more, origin) = api.recv_from(self.socket, report)?;
            if origin.routing_id != 0 {
                self.address = Address::RoutingId(origin.routing_id);
            }
            if self.kind == Kind::Dish as c_int && self.address != Address::Group(origin.group) {
                return Err(libc::EPROTO);
            }
            self.user = origin.user_id;
            frames.push(frame);
            if !more {
                return Ok(frames.join(" "));
            }
        }
    }

    /// Receives from a STREAM socket until there are `size` bytes, and reports them as one part.
    fn gather(&self, api: &Api, size: usize) -> Result<String, Errno> {
        let mut bytes = Vec::with_capacity(size);
        while bytes.len() < size {
            api.recv(self.socket, |_| ())?;
            api.recv(self.socket, |part| bytes.extend_from_slice(part))?;
        }
        Ok(report(&bytes))
    }

    /// Sends that many small numbered messages.
    fn burst(&self, api: &Api, count: c_int) -> Result<String, Errno> {
        for number in 0..count {
            // Between 4 and 67 bytes: both what fits into a message and what doesn't.
            let mut bytes = number.to_le_bytes().to_vec();
            bytes.resize(4 + number as usize % 64, b'.');
            api.send_to(self.socket, &bytes, 0, &self.address)?;
        }
        Ok(String::new())
    }

    /// Receives what `burst` sent, in that order.
    fn count(&self, api: &Api, count: c_int) -> Result<String, Errno> {
        for number in 0..count {
            let expected = |part: &[u8]| {
                part.len() == 4 + number as usize % 64 && part.starts_with(&number.to_le_bytes())
            };
            if !api.recv(self.socket, expected)?.0 {
                return Ok(format!("message {number} is another"));
            }
        }
        Ok("all".to_owned())
    }
}
