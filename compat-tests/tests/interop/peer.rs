//! A peer: a process that does with one library what the driver tells it to, line by line, until there are no more lines.
//!
//! Each line is answered by `ok` and what the command gives, or by `error` and an errno value.

use std::collections::HashMap;
use std::ffi::c_int;
use std::io::{BufRead, Write};
use std::path::Path;

use crate::api::{Api, Context, Errno, Socket};
use crate::frame::{Frame, report};

/// `ZMQ_SNDMORE`
const MORE: c_int = 2;
/// `ZMQ_EVENTS`
const EVENTS: c_int = 15;
/// `ZMQ_LAST_ENDPOINT`
const LAST_ENDPOINT: c_int = 32;
/// `ZMQ_SERVER`
const SERVER: c_int = 12;
/// `ZMQ_PEER`
const PEER: c_int = 19;

/// A socket.
#[derive(Clone, Copy)]
struct Open {
    socket: Socket,
    kind: c_int,
    /// Where a type that addresses its peers by number sends to: who was connected to, or heard last.
    route: u32,
}

struct Peer {
    api: Api,
    context: Context,
    sockets: HashMap<String, Open>,
}

/// Runs until standard input ends.
pub fn run(library: &Path) -> Result<(), String> {
    // A driver that is killed takes its peers along.
    // SAFETY: plain system call without pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let api = Api::load(library)?;
    let context = api.context();
    let mut peer = Peer { api, context, sockets: HashMap::new() };
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
            ["term"] => self.api.term(self.context).map(|_| String::new()),
            ["socket", name, kind] => {
                let kind = number(kind)?;
                let socket = self.api.socket(self.context, kind)?;
                self.sockets.insert((*name).to_owned(), Open { socket, kind, route: 0 });
                Ok(String::new())
            }
            [command, name, arguments @ ..] => {
                let open = self.sockets.get_mut(*name).ok_or(libc::ENOENT)?;
                let socket = open.socket;
                match (*command, arguments) {
                    ("close", []) => {
                        self.sockets.remove(*name);
                        self.api.close(socket).map(|_| String::new())
                    }
                    ("int", [option, value]) => {
                        let value = number(value)?.to_ne_bytes();
                        self.api.set(socket, number(option)?, &value).map(|_| String::new())
                    }
                    ("bytes", [option, value]) => {
                        let value = Frame::parse(value).ok_or(libc::EINVAL)?.bytes();
                        self.api.set(socket, number(option)?, &value).map(|_| String::new())
                    }
                    ("bind", [endpoint]) => {
                        self.api.bind(socket, endpoint)?;
                        self.api.text(socket, LAST_ENDPOINT)
                    }
                    ("connect", [endpoint]) if open.kind == PEER => {
                        open.route = self.api.connect_peer(socket, endpoint)?;
                        Ok(String::new())
                    }
                    ("connect", [endpoint]) => self.api.connect(socket, endpoint).map(|_| String::new()),
                    ("send", frames) => open.send(&self.api, frames).map(|()| String::new()),
                    ("events", []) => self.api.number(socket, EVENTS).map(|events| events.to_string()),
                    ("recv", []) => open.recv(&self.api),
                    ("gather", [size]) => open.gather(&self.api, size.parse().map_err(|_| libc::EINVAL)?),
                    ("burst", [count]) => open.burst(&self.api, number(count)?),
                    ("count", [count]) => open.count(&self.api, number(count)?),
                    _ => Err(libc::ENOSYS),
                }
            }
            _ => Err(libc::ENOSYS),
        }
    }
}

impl Open {
    /// Receives one part, and remembers who it is from.
    fn part<T>(&mut self, api: &Api, look: impl FnOnce(&[u8]) -> T) -> Result<(T, bool), Errno> {
        let (route, seen, more) = api.recv_from(self.socket, look)?;
        if matches!(self.kind, SERVER | PEER) {
            self.route = route;
        }
        Ok((seen, more))
    }

    fn send(&mut self, api: &Api, frames: &[&str]) -> Result<(), Errno> {
        for (index, frame) in frames.iter().enumerate() {
            let bytes = Frame::parse(frame).ok_or(libc::EINVAL)?.bytes();
            api.send_to(self.socket, self.route, &bytes, if index + 1 < frames.len() { MORE } else { 0 })?;
        }
        Ok(())
    }

    fn recv(&mut self, api: &Api) -> Result<String, Errno> {
        let mut frames = Vec::new();
        loop {
            let (frame, more) = self.part(api, report)?;
            frames.push(frame);
            if !more {
                return Ok(frames.join(" "));
            }
        }
    }

    /// Receives from a STREAM socket until there are `size` bytes, and reports them as one part.
    fn gather(&mut self, api: &Api, size: usize) -> Result<String, Errno> {
        let mut bytes = Vec::with_capacity(size);
        while bytes.len() < size {
            api.recv(self.socket, |_| ())?;
            api.recv(self.socket, |part| bytes.extend_from_slice(part))?;
        }
        Ok(report(&bytes))
    }

    /// Sends that many small numbered messages.
    fn burst(&mut self, api: &Api, count: c_int) -> Result<String, Errno> {
        for number in 0..count {
            // Between 4 and 67 bytes: both what fits into a message and what doesn't.
            let mut bytes = number.to_le_bytes().to_vec();
            bytes.resize(4 + number as usize % 64, b'.');
            api.send_to(self.socket, self.route, &bytes, 0)?;
        }
        Ok(String::new())
    }

    /// Receives what `burst` sent, in that order.
    fn count(&mut self, api: &Api, count: c_int) -> Result<String, Errno> {
        for number in 0..count {
            let expected = |part: &[u8]| {
                part.len() == 4 + number as usize % 64 && part.starts_with(&number.to_le_bytes())
            };
            if !self.part(api, expected)?.0 {
                return Ok(format!("message {number} is another"));
            }
        }
        Ok("all".to_owned())
    }
}
