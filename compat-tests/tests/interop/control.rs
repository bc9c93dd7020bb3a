//! The driver's end of a peer: starts the process, tells it what to do, waits for its answers for so long and no longer, kills it.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::frame::Frame;

/// What a peer may take for any command.
const LIMIT: Duration = Duration::from_secs(20);
/// What a peer may take to send or receive, in milliseconds.
const TIMEOUT: i32 = 8_000;

/// The argument that makes this program a peer.
pub const PEER: &str = "--peer";

/// An error number, or a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The library's function failed with this errno, in that command to that peer.
    Errno(i32, String),
    /// The process died, hung, or answered something else.
    Broken(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Errno(errno, command) => {
                write!(f, "{command}: {}", std::io::Error::from_raw_os_error(*errno))
            }
            Self::Broken(text) => write!(f, "{text}"),
        }
    }
}

/// What a step gives.
pub type Step<T> = Result<T, Failure>;

/// A running peer.
pub struct Control {
    name: &'static str,
    command: Vec<OsString>,
    child: Child,
    commands: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Control {
    /// Starts a peer by that command.
    pub fn start(name: &'static str, command: &[OsString]) -> Step<Self> {
        let broken = |e: std::io::Error| Failure::Broken(format!("{name}: {e}"));
        let [program, arguments @ ..] = command else {
            return Err(Failure::Broken(format!("{name}: no command")));
        };
        let mut child = Command::new(program)
            .args(arguments)
            .env_remove("LD_PRELOAD")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(broken)?;
        let (sender, answers) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        let commands = child.stdin.take();
        Ok(Self { name, command: command.to_owned(), child, commands, answers })
    }

    /// The library's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Kills the process, as `kill -9` does, and starts another in its place.
    pub fn kill_and_restart(&mut self) -> Step<()> {
        *self = Self::start(self.name, &self.command)?; // dropping the old one kills it
        Ok(())
    }

    /// Gives a command without waiting for the answer.
    pub fn tell(&mut self, command: &str) -> Step<()> {
        let gone = || Failure::Broken(format!("{}: has died", self.name));
        let mut commands = self.commands.as_ref().ok_or_else(gone)?;
        writeln!(commands, "{command}").map_err(|_| gone())
    }

    /// Waits for an answer.
    pub fn answer(&mut self, command: &str) -> Step<String> {
        let line = self.answers.recv_timeout(LIMIT).map_err(|error| {
            let what = match error {
                RecvTimeoutError::Timeout => "hangs in",
                RecvTimeoutError::Disconnected => "died in",
            };
            Failure::Broken(format!("{}: {what} `{command:.60}`", self.name))
        })?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("ok", text) => Ok(text.to_owned()),
            ("error", errno) => {
                Err(Failure::Errno(errno.parse().unwrap_or(0), format!("{}: `{command:.60}`", self.name)))
            }
            _ => Err(Failure::Broken(format!("{}: answers {line:?}", self.name))),
        }
    }

    /// Gives a command and waits for the answer.
    pub fn ask(&mut self, command: &str) -> Step<String> {
        self.tell(command)?;
        self.answer(command)
    }

    /// Opens a socket whose calls don't wait for ever, and which reconnects soon.
    pub fn socket(&mut self, name: &str, kind: i32) -> Step<()> {
        self.ask(&format!("socket {name} {kind}"))?;
        for (option, value) in [
            (option::LINGER, 0),
            (option::SNDTIMEO, TIMEOUT),
            (option::RCVTIMEO, TIMEOUT),
            (option::RECONNECT_IVL, 20),
        ] {
            self.int(name, option, value)?;
        }
        Ok(())
    }

    /// Sets an option that is a number.
    pub fn int(&mut self, name: &str, option: i32, value: i32) -> Step<()> {
        self.ask(&format!("int {name} {option} {value}")).map(drop)
    }

    /// Sets an option that is a string of bytes.
    pub fn bytes(&mut self, name: &str, option: i32, value: &[u8]) -> Step<()> {
        self.ask(&format!("bytes {name} {option} {}", Frame::of(value).to_text())).map(drop)
    }

    /// Binds, and returns what the endpoint turned out to be. A port that has just been given up may take a moment.
    pub fn bind(&mut self, name: &str, endpoint: &str) -> Step<String> {
        let start = Instant::now();
        loop {
            match self.ask(&format!("bind {name} {endpoint}")) {
                Err(Failure::Errno(libc::EADDRINUSE, _)) if start.elapsed() < Duration::from_secs(3) => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                other => return other,
            }
        }
    }

    /// Sends a message.
    pub fn send(&mut self, name: &str, frames: &[Frame]) -> Step<()> {
        let frames: Vec<String> = frames.iter().map(Frame::to_text).collect();
        self.ask(&format!("send {name} {}", frames.join(" "))).map(drop)
    }

    /// Receives a message, part by part as [`Frame::report`] has it.
    pub fn recv(&mut self, name: &str) -> Step<Vec<String>> {
        let answer = self.ask(&format!("recv {name}"))?;
        Ok(answer.split(' ').map(str::to_owned).collect())
    }

    /// Receives, for a moment only: `None` if nothing came.
    pub fn recv_soon(&mut self, name: &str, milliseconds: i32) -> Step<Option<Vec<String>>> {
        self.int(name, option::RCVTIMEO, milliseconds)?;
        let received = match self.recv(name) {
            Ok(frames) => Some(frames),
            Err(Failure::Errno(libc::EAGAIN, _)) => None,
            Err(failure) => return Err(failure),
        };
        self.int(name, option::RCVTIMEO, TIMEOUT)?;
        Ok(received)
    }

    /// Ends the context and the process in good order.
    pub fn finish(&mut self) -> Step<()> {
        self.ask("term")?;
        self.commands = None;
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            other => Err(Failure::Broken(format!("{}: ended by {other:?}", self.name))),
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // SIGKILL. It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Option numbers of zmq.h.
#[allow(missing_docs)] // the names are zmq.h's
pub mod option {
    pub const ROUTING_ID: i32 = 5;
    pub const SUBSCRIBE: i32 = 6;
    pub const UNSUBSCRIBE: i32 = 7;
    pub const LINGER: i32 = 17;
    pub const RECONNECT_IVL: i32 = 18;
    pub const RCVTIMEO: i32 = 27;
    pub const SNDTIMEO: i32 = 28;
    pub const ROUTER_MANDATORY: i32 = 33;
    pub const PLAIN_SERVER: i32 = 44;
    pub const PLAIN_USERNAME: i32 = 45;
    pub const PLAIN_PASSWORD: i32 = 46;
    pub const CURVE_SERVER: i32 = 47;
    pub const CURVE_PUBLICKEY: i32 = 48;
    pub const CURVE_SECRETKEY: i32 = 49;
    pub const CURVE_SERVERKEY: i32 = 50;
    pub const ZAP_DOMAIN: i32 = 55;
    pub const ROUTER_HANDOVER: i32 = 56;
    pub const GSSAPI_SERVER: i32 = 62;
    pub const GSSAPI_SERVICE_PRINCIPAL: i32 = 64;
    pub const GSSAPI_PLAINTEXT: i32 = 65;
    pub const WSS_KEY_PEM: i32 = 103;
    pub const WSS_CERT_PEM: i32 = 104;
    pub const WSS_TRUST_PEM: i32 = 105;
    pub const WSS_HOSTNAME: i32 = 106;
    pub const REQ_CORRELATE: i32 = 52;
    pub const REQ_RELAXED: i32 = 53;
}
