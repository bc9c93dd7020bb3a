//! A peer's ZAP handler (RFC 27): a thread that lets in whoever brings the right credentials, and nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::api::{Api, Context, Errno, Socket};

/// `ZMQ_REP`
const REP: i32 = 4;
/// `ZMQ_LINGER`
const LINGER: i32 = 17;
/// `ZMQ_RCVTIMEO`
const RCVTIMEO: i32 = 27;
/// `ZMQ_SNDMORE`
const MORE: i32 = 2;

/// A running handler. It ends when this is dropped.
pub struct Authenticator {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Authenticator {
    /// Starts it. `user`: what it calls who brings these `credentials` (nothing for NULL, name and password for PLAIN, the public key for CURVE).
    pub fn start(
        api: Arc<Api>,
        context: Context,
        user: String,
        credentials: Vec<Vec<u8>>,
    ) -> Result<Self, Errno> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, (sender, started)) = (stop.clone(), std::sync::mpsc::channel());
        let thread = std::thread::spawn(move || {
            let socket = match open(&api, context) {
                Ok(socket) => socket,
                Err(errno) => {
                    let _ = sender.send(Err(errno));
                    return;
                }
            };
            let _ = sender.send(Ok(()));
            while !stopped.load(Ordering::Relaxed) {
                if let Err(errno) = answer(&api, socket, &user, &credentials)
                    && errno != libc::EAGAIN
                {
                    break;
                }
            }
            let _ = api.close(socket);
        });
        started.recv().unwrap_or(Err(libc::EIO))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Authenticator {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn open(api: &Api, context: Context) -> Result<Socket, Errno> {
    let socket = api.socket(context, REP)?;
    api.set(socket, LINGER, &0_i32.to_ne_bytes())?;
    api.set(socket, RCVTIMEO, &20_i32.to_ne_bytes())?;
    // The name is free once the context has done away with the socket that had it, which no call waits for.
    let start = Instant::now();
    loop {
        match api.bind(socket, "inproc://zeromq.zap.01") {
            Err(libc::EADDRINUSE) if start.elapsed() < Duration::from_secs(5) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            bound => return bound.map(|_| socket),
        }
    }
}

fn answer(api: &Api, socket: Socket, user: &str, credentials: &[Vec<u8>]) -> Result<(), Errno> {
    let mut request = Vec::new();
    loop {
        let (part, more) = api.recv(socket, <[u8]>::to_vec)?;
        request.push(part);
        if !more {
            break;
        }
    }
    // Version, request id, domain, address, routing id, mechanism, credentials.
    let id = request.get(1).cloned().unwrap_or_default();
    let right = request.get(6..).is_some_and(|brought| brought == credentials);
    let (status, user) = if right { ("200", user) } else { ("400", "") };
    let reply = [b"1.0", id.as_slice(), status.as_bytes(), b"text", user.as_bytes(), b""];
    for (index, part) in reply.iter().enumerate() {
        api.send(socket, part, if index + 1 < reply.len() { MORE } else { 0 })?;
    }
    Ok(())
}
