//! TLS 1.2 and 1.3 under a stream, for `wss://`, by rustls.
//!
//! One lock holds the state of both directions, as they meet in it: what is read may have to be answered (the handshake, alerts, updates of
//! keys). Three things follow for whoever waits for the descriptor, which is edge-triggered:
//!
//! - What TLS has to say is written by whoever comes upon it. If the kernel doesn't take it, [`Tls::has_unsent`] is true until
//!   [`Tls::flush`] was called after the descriptor had become writable.
//! - What [`Tls::write`] took may still be here, encrypted. It is written when `has_unsent` is false.
//! - A read that gets less than it asked for has emptied the kernel's buffer and this one, unless [`Tls::has_more`].
//!
//! What is written before the handshake is done waits here, up to a limit. If that was too little, [`Tls::take_resumed`] says when it is
//! worth while to try again, as no event will.

mod config;
#[cfg(test)]
mod tests;
mod verify;

pub(super) use config::{ClientTls, ServerTls};

use crate::mutex::Mutex;
use rustls::{AlertDescription, Connection};
use smallvec::SmallVec;
use socket2::Socket;
use std::fmt;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes that one read of the descriptor asks for.
const BATCH: usize = 64 * 1024;
/// Bytes that may wait to be written, encrypted, or plain before the handshake is done.
const MAX_UNSENT: usize = 64 * 1024;
/// What one read decrypts at most, so that the other direction doesn't wait for it for long.
const MAX_READ: usize = 256 * 1024;
/// No record is longer than that (RFC 8446, section 5.2, and RFC 5246, section 6.2.3). The beginning of one may have been read already.
pub(super) const MAX_RECORD: usize = 5 + 16 * 1024 + 2048;
/// How many empty buffers are kept.
const KEPT: usize = 8;

/// Never waited for: who finds them taken does without, and so does a child of `fork` whose parent had them taken.
static BUFFERS: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// One end of a TLS connection, without its descriptor.
pub(super) struct Tls {
    state: Mutex<State>,
    /// There are encrypted bytes that the kernel hasn't taken. Set before it is asked to, so that an event finds it set.
    unsent: AtomicBool,
    /// The last read left something that no event will tell of.
    more: AtomicBool,
    /// See `take_resumed`.
    resumed: AtomicBool,
}

struct State {
    session: Connection,
    /// Read, and not handed to the session yet.
    raw: RawBuffer,
    /// The peer has ended its direction.
    ended: bool,
    /// Why the connection is of no more use: the errno.
    failed: Option<i32>,
    /// The peer doesn't speak TLS. It would take an alert for an answer in its own protocol (and libzmq sends none).
    foreign: bool,
    /// A write before the end of the handshake has found no room.
    starved: bool,
}

#[derive(Default)]
struct RawBuffer {
    bytes: Option<Box<[u8]>>,
    start: usize,
    end: usize,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    fn new(session: Connection) -> Self {
        let mut session = session;
        session.set_buffer_limit(Some(MAX_UNSENT));
        Self {
            state: Mutex::new(State {
                session,
                raw: RawBuffer::default(),
                ended: false,
                failed: None,
                foreign: false,
                starved: false,
            }),
            unsent: AtomicBool::new(false),
            more: AtomicBool::new(false),
            resumed: AtomicBool::new(false),
        }
    }

    /// Reads and decrypts what is there, and answers what TLS itself has to.
    ///
    /// `Ok(0)`: the peer has ended its direction, with or without saying so.
    ///
    /// Errors: `EAGAIN`, during the handshake too. `EACCES` if one side doesn't accept the other's certificate, `EPROTO` for everything
    /// else that isn't as it should be, an end before the handshake's among it. What `recv`(2) says.
    pub(super) fn read(&self, socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        let limit = buffer.len().min(MAX_READ);
        let (count, outcome) = self.fill(&mut state, socket, &mut buffer[..limit]);
        state.raw.release();
        // With bytes to return, whatever has ended the loop is found again by the next read. Only waiting needs no next one.
        let drained = matches!(&outcome, Err(error) if error.kind() == ErrorKind::WouldBlock);
        self.more.store(!drained, Ordering::Relaxed);
        if count > 0 { Ok(count) } else { outcome.map(|()| 0) }
    }

    /// Decrypts into the buffer until that is full (`Ok`), the stream has ended (`Ok`), or an error.
    fn fill(&self, state: &mut State, socket: &Socket, buffer: &mut [u8]) -> (usize, io::Result<()>) {
        let mut filled = 0;
        let mut drained = false;
        // The first flight of a client, for one, has no cause that was read.
        self.send(state, socket);
        while filled < buffer.len() {
            match state.decrypted(&mut buffer[filled..]) {
                Ok(Some(count)) => {
                    filled += count;
                    continue;
                }
                Ok(None) => {}
                Err(error) => return (filled, Err(error)),
            }
            if let Some(errno) = state.failed {
                return (filled, Err(io::Error::from_raw_os_error(errno)));
            }
            if state.ended {
                let early = state.session.is_handshaking();
                return (
                    filled,
                    if early { Err(io::Error::from_raw_os_error(libc::EPROTO)) } else { Ok(()) },
                );
            }
            if state.raw.is_empty() {
                // After a short read the kernel has no more; an end that came with it is looked for by the next read.
                if drained && filled > 0 {
                    return (filled, Err(ErrorKind::WouldBlock.into()));
                }
                match (&*socket).read(state.raw.room()) {
                    Ok(0) => {
                        state.ended = true;
                        continue;
                    }
                    Ok(count) => {
                        drained = count < BATCH;
                        state.raw.end = count;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return (filled, Err(error)),
                }
            }
            let was_handshaking = state.session.is_handshaking();
            state.digest();
            self.send(state, socket);
            if was_handshaking && !state.session.is_handshaking() && std::mem::take(&mut state.starved) {
                self.resumed.store(true, Ordering::SeqCst);
            }
        }
        (filled, Ok(()))
    }

    /// Encrypts and writes. The bytes that it took may wait to be written; fewer than were offered when the kernel takes no more.
    ///
    /// Errors: `EAGAIN` if none could be taken, `EPIPE` when the connection has failed, and what `send`(2) says.
    pub(super) fn write(&self, socket: &Socket, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.state.lock();
        let mut slices: SmallVec<[IoSlice<'_>; 8]> = SmallVec::from_slice(buffers);
        let mut rest = &mut slices[..];
        let mut taken = 0;
        if state.failed.is_some() {
            return Err(ErrorKind::BrokenPipe.into());
        }
        while self.try_send(&mut state, socket)? {
            if rest.iter().all(|slice| slice.is_empty()) {
                return Ok(taken);
            }
            let count = state.session.writer().write_vectored(rest)?;
            if count == 0 {
                // Nothing waits to be written, and yet there is no room: it is the handshake that is waited for.
                state.starved = true;
                break;
            }
            taken += count;
            IoSlice::advance_slices(&mut rest, count);
        }
        if taken > 0 { Ok(taken) } else { Err(ErrorKind::WouldBlock.into()) }
    }

    /// Writes what is left of what was taken. Whether the kernel has all of it.
    ///
    /// Errors: what `send`(2) says.
    pub(super) fn flush(&self, socket: &Socket) -> io::Result<bool> {
        self.try_send(&mut self.state.lock(), socket)
    }

    /// Whether there is something for `flush` to write, when the descriptor is writable.
    pub(super) fn has_unsent(&self) -> bool {
        self.unsent.load(Ordering::SeqCst)
    }

    /// Whether the last read, though it got less than it asked for, wasn't the last before the next event.
    pub(super) fn has_more(&self) -> bool {
        self.more.load(Ordering::Relaxed)
    }

    /// Whether a write found no room before the end of the handshake, and a read has come to that end since the last call.
    pub(super) fn take_resumed(&self) -> bool {
        self.resumed.load(Ordering::Relaxed) && self.resumed.swap(false, Ordering::SeqCst)
    }

    /// Tells the peer that nothing follows, as far as that can be done without waiting.
    pub(super) fn close(&self, socket: &Socket) {
        let mut state = self.state.lock();
        if state.failed.is_none() && !state.session.is_handshaking() {
            state.session.send_close_notify();
            self.send(&mut state, socket);
        }
    }

    fn try_send(&self, state: &mut State, socket: &Socket) -> io::Result<bool> {
        while state.session.wants_write() && !state.foreign {
            self.unsent.store(true, Ordering::SeqCst);
            match state.session.write_tls(&mut Wire(socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.unsent.store(false, Ordering::SeqCst);
        Ok(true)
    }

    /// As `try_send`, on the way of reading: what goes wrong here, the next read of the descriptor meets as well.
    fn send(&self, state: &mut State, socket: &Socket) {
        let _ = self.try_send(state, socket);
    }
}

impl State {
    /// Plain bytes that are there already. `None`: there are none.
    fn decrypted(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.session.reader().read(buffer) {
            Ok(0) => {
                // `close_notify`. What may follow it is ignored (RFC 8446, section 6.1).
                self.ended = true;
                Ok(None)
            }
            Ok(count) => Ok(Some(count)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::UnexpectedEof) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Hands what was read to the session.
    fn digest(&mut self) {
        let handshaking = self.session.is_handshaking();
        if self.session.read_tls(&mut self.raw).is_err() {
            self.failed = Some(libc::EPROTO);
        } else if let Err(error) = self.session.process_new_packets() {
            self.failed = Some(errno_of(&error));
            self.foreign = handshaking && matches!(error, rustls::Error::InvalidMessage(_));
        }
    }
}

/// What a failure of TLS is called.
fn errno_of(error: &rustls::Error) -> i32 {
    use AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked,
        CertificateUnknown, UnknownCA, UnrecognisedName, UnsupportedCertificate,
    };
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => libc::EACCES,
        rustls::Error::AlertReceived(
            AccessDenied
            | BadCertificate
            | CertificateExpired
            | CertificateRequired
            | CertificateRevoked
            | CertificateUnknown
            | UnknownCA
            | UnrecognisedName
            | UnsupportedCertificate,
        ) => libc::EACCES,
        _ => libc::EPROTO,
    }
}

impl RawBuffer {
    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Room for one read, when it is empty.
    fn room(&mut self) -> &mut [u8] {
        (self.start, self.end) = (0, 0);
        self.bytes.get_or_insert_with(|| {
            let kept = BUFFERS.try_lock().and_then(|mut kept| kept.pop());
            kept.unwrap_or_else(|| vec![0; BATCH].into_boxed_slice())
        })
    }

    /// Gives the memory back if it is empty, so that an idle connection has none.
    fn release(&mut self) {
        if self.is_empty()
            && let Some(bytes) = self.bytes.take()
            && let Some(mut kept) = BUFFERS.try_lock()
            && kept.len() < KEPT
        {
            kept.push(bytes);
        }
    }
}

/// For the session, which takes as much as it has room for.
impl Read for RawBuffer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(bytes) = &self.bytes else { return Ok(0) };
        let count = buffer.len().min(self.end - self.start);
        buffer[..count].copy_from_slice(&bytes[self.start..self.start + count]);
        self.start += count;
        Ok(count)
    }
}

/// The descriptor, to be written to without `SIGPIPE`.
struct Wire<'a>(&'a Socket);

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send_with_flags(bytes, libc::MSG_NOSIGNAL)
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.send_vectored_with_flags(buffers, libc::MSG_NOSIGNAL)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
