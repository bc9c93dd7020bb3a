//! A peer's ZAP handler (RFC 27): a thread that lets in whoever brings the right credentials, and nobody else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::api::{Api, Context, Errno, Socket};

/// `ZMQ_REP`
const REP: i32 = 4;
/// `ZMQ_LINGER`
const LINGER: i32 = 17;
/// `ZMQ_RCVTIMEO`
const RCVTIMEO: i32 = 27;
/// `ZMQ_SNDMORE`
const MORE: i32 = 2;

/// What those are called that are let in, and what they bring.
type Admitted = (String, Vec<Vec<u8>>);

/// A running handler. It ends when this is dropped.
pub struct Authenticator {
    stop: Arc<AtomicBool>,
    admitted: Arc<Mutex<Admitted>>,
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
        let admitted = Arc::new(Mutex::new((user, credentials)));
        let (stopped, known) = (stop.clone(), admitted.clone());
        let (sender, started) = std::sync::mpsc::channel();
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
                if let Err(errno) = answer(&api, socket, &known)
                    && errno != libc::EAGAIN
                {
                    break;
                }
            }
            let _ = api.close(socket);
        });
        started.recv().unwrap_or(Err(libc::EIO))?;
        Ok(Self { stop, admitted, thread: Some(thread) })
    }

    /// Lets in somebody else from now on.
    pub fn admit(&self, user: String, credentials: Vec<Vec<u8>>) {
        *self.admitted.lock().unwrap_or_else(PoisonError::into_inner) = (user, credentials);
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
    api.bind(socket, "inproc://zeromq.zap.01")?;
    Ok(socket)
}

fn answer(api: &Api, socket: Socket, admitted: &Mutex<Admitted>) -> Result<(), Errno> {
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
    let (user, credentials) = admitted.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let right = request.get(6..).is_some_and(|brought| brought == credentials);
    let (status, user) = if right { ("200", user.as_str()) } else { ("400", "") };
    let reply = [b"1.0", id.as_slice(), status.as_bytes(), b"text", user.as_bytes(), b""];
    for (index, part) in reply.iter().enumerate() {
        api.send(socket, part, if index + 1 < reply.len() { MORE } else { 0 })?;
    }
    Ok(())
}
