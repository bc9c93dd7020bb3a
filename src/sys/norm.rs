//! `libnorm`, the NORM protocol (RFC 5740) of the U.S. Naval Research Laboratory, loaded when it is needed.
//!
//! An instance has a thread of its own, which does all that the protocol asks for. What happens is told by events, and a descriptor is readable while
//! there are some. All functions may be called from any thread: they stop the instance's for as long as they work.

use super::fork::{self, ForkLock};
use super::library::system_library;
use super::thread::SignalGuard;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void};
use std::os::fd::RawFd;
use std::ptr;

type Handle = *const c_void;

/// `NormEvent`
#[repr(C)]
struct RawEvent {
    kind: c_int,
    session: Handle,
    sender: Handle,
    object: Handle,
}

// `NormEventType`, as far as it is of interest; the numbers are part of the library's ABI.
const TX_QUEUE_VACANCY: c_int = 1;
const TX_QUEUE_EMPTY: c_int = 2;
const TX_FLUSH_COMPLETED: c_int = 3;
const REMOTE_SENDER_NEW: c_int = 10;
const REMOTE_SENDER_INACTIVE: c_int = 14;
const RX_OBJECT_NEW: c_int = 17;
const RX_OBJECT_UPDATED: c_int = 19;
const RX_OBJECT_COMPLETED: c_int = 20;
const RX_OBJECT_ABORTED: c_int = 21;
const GRTT_UPDATED: c_int = 23;
const CC_ACTIVE: c_int = 24;

/// `NORM_OBJECT_STREAM`
const STREAM: c_int = 3;
/// `NORM_SYNC_STREAM`: a receiver wants all that a sender still has.
const SYNC_STREAM: c_int = 1;
/// `NORM_FLUSH_ACTIVE`: receivers are told where the stream ends for now, so that they ask for what they lack.
const FLUSH_ACTIVE: c_int = 2;
/// `NORM_NODE_ANY`: the library chooses, by the machine's address.
const NODE_ANY: u32 = 0xffff_ffff;

type Alloc = unsafe extern "C" fn(usize) -> *mut c_char;
type Free = unsafe extern "C" fn(*mut c_char);

system_library! {
    /// The functions of `normApi.h` that are used.
    #[allow(non_snake_case)]
    struct Norm in ["libnorm.so.1"];
    fn NormCreateInstance(priority_boost: bool) -> Handle;
    fn NormStopInstance(instance: Handle);
    fn NormRestartInstance(instance: Handle) -> bool;
    fn NormSuspendInstance(instance: Handle) -> bool;
    fn NormResumeInstance(instance: Handle);
    fn NormSetAllocationFunctions(instance: Handle, alloc: Alloc, free: Free);
    fn NormGetDescriptor(instance: Handle) -> c_int;
    fn NormGetNextEvent(instance: Handle, event: *mut RawEvent, wait: bool) -> bool;
    fn NormCreateSession(instance: Handle, address: *const c_char, port: u16, node: u32) -> Handle;
    fn NormDestroySession(session: Handle);
    fn NormIsUnicastAddress(address: *const c_char) -> bool;
    fn NormSetTTL(session: Handle, ttl: u8) -> bool;
    fn NormSetTOS(session: Handle, tos: u8) -> bool;
    fn NormSetRxPortReuse(session: Handle, reuse: bool, bind: *const c_char, sender: *const c_char, port: u16);
    fn NormSetLoopback(session: Handle, loopback: bool) -> bool;
    fn NormSetMulticastInterface(session: Handle, interface: *const c_char) -> bool;
    fn NormSetDefaultUnicastNack(session: Handle, unicast: bool);
    fn NormSetDefaultSyncPolicy(session: Handle, policy: c_int);
    fn NormSetRxCacheLimit(session: Handle, count: u16);
    fn NormStartReceiver(session: Handle, buffer: c_ulong) -> bool;
    fn NormStopReceiver(session: Handle);
    fn NormGetRandomSessionId() -> u16;
    fn NormStartSender(session: Handle, id: u16, buffer: u32, segment: u16, data: u16, parity: u16, fec: u8) -> bool;
    fn NormStopSender(session: Handle);
    fn NormSetTxRate(session: Handle, bits_per_second: f64);
    fn NormSetCongestionControl(session: Handle, enable: bool, adjust: bool);
    fn NormSetEcnSupport(session: Handle, ecn: bool, ignore_loss: bool, tolerate_loss: bool);
    fn NormSetAutoParity(session: Handle, count: u8);
    fn NormStreamOpen(session: Handle, buffer: u32, info: *const c_char, info_len: c_uint) -> Handle;
    fn NormStreamSetPushEnable(stream: Handle, push: bool);
    fn NormStreamWrite(stream: Handle, bytes: *const c_char, len: c_uint) -> c_uint;
    fn NormStreamMarkEom(stream: Handle);
    fn NormStreamFlush(stream: Handle, eom: bool, mode: c_int);
    fn NormStreamRead(stream: Handle, bytes: *mut c_char, len: *mut c_uint) -> bool;
    fn NormStreamSeekMsgStart(stream: Handle) -> bool;
    fn NormObjectGetType(object: Handle) -> c_int;
    fn NormObjectGetSender(object: Handle) -> Handle;
    fn NormObjectRetain(object: Handle);
    fn NormObjectRelease(object: Handle);
    fn NormNodeGetId(node: Handle) -> u32;
    fn NormNodeDelete(node: Handle);
    fn NormGetRxPort(session: Handle) -> u16;
    fn NormGetTxPort(session: Handle) -> u16;
}

/// Whether the library is there. The first call loads it.
pub fn is_present() -> bool {
    Norm::library().get().is_some()
}

/// As [`is_present`], for who needs it: that it is missing is said on stderr, once.
pub fn require() -> bool {
    Norm::library().require().is_some()
}

/// Why it isn't there; `None` if it is.
pub fn missing_reason() -> Option<&'static str> {
    Norm::library().missing_reason()
}

/// What the congestion control goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Congestion {
    /// Nothing: so many bits a second.
    Fixed(u64),
    /// Loss, and marks of congestion.
    Controlled {
        /// Packets may be marked instead of dropped.
        ecn: bool,
        /// Only marks count.
        ignore_loss: bool,
        /// Some loss doesn't count.
        tolerate_loss: bool,
    },
}

/// How to send.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// For what may be asked for again, and for what waits; bytes.
    pub buffer: u32,
    /// Bytes of a packet's payload.
    pub segment: u16,
    /// Packets of a block, for which those of parity are made.
    pub block: u16,
    /// Packets of parity that a block has, and how many of them are sent unasked.
    pub parity: u16,
    /// See `parity`.
    pub auto_parity: u8,
    /// The rate.
    pub congestion: Congestion,
    /// What is new pushes out what waits, if there is no room.
    pub push: bool,
}

/// What belongs to a session before it begins.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The name of this node; `None`: the library chooses.
    pub node: Option<u32>,
    /// The group or the peer, without a port.
    pub address: &'a CStr,
    /// The port.
    pub port: u16,
    /// By which multicast goes.
    pub interface: Option<&'a CStr>,
    /// Hops of multicast.
    pub ttl: u8,
    /// `IP_TOS`
    pub tos: u8,
    /// Receivers tell a sender itself what they lack, not the group.
    pub unicast_nacks: bool,
}

/// Something that has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// There is room for sending.
    Vacancy,
    /// As that; all that was written has been sent.
    Empty,
    /// A receiver was heard of.
    Feedback,
    /// Everything was sent, and repeated for whoever has asked for it.
    Flushed,
    /// A sender that wasn't known has sent something.
    NewSender,
    /// A sender has been silent for long.
    SilentSender,
    /// There may be something to be read from this stream.
    Readable(u64),
    /// This stream has ended, and isn't known any more.
    Ended(u64),
    /// Nothing of interest.
    Other,
}

/// A stream that is received.
struct Stream {
    object: Handle,
    sender: Handle,
}

/// A session, with an instance of its own.
pub struct Session {
    norm: &'static Norm,
    instance: Handle,
    session: Handle,
    /// What is sent, if something is.
    outgoing: Handle,
    receives: bool,
    /// The sender that the event spoke of which was got last. Only until the next one is got.
    sender: Handle,
    streams: HashMap<u64, Stream>,
    next_stream: u64,
}

// SAFETY: the handles aren't bound to a thread: each function takes the instance's lock. No two threads use a `Session` at the same time, as what changes
// something needs it mutable.
unsafe impl Send for Session {}

/// For objects that are no streams: there is no memory for them, so the library refuses them.
unsafe extern "C" fn no_memory(_size: usize) -> *mut c_char {
    ptr::null_mut()
}

unsafe extern "C" fn no_free(_memory: *mut c_char) {}

impl Session {
    /// A session that doesn't begin yet. May block to look the address up.
    ///
    /// # Errors
    /// `EPROTONOSUPPORT` without the library; `EINVAL` for an address that is none, `EMFILE` and what else a thread may be refused for.
    pub fn new(setup: &Setup) -> Result<Self> {
        let norm = Norm::library().get().ok_or(Error::ProtocolNotSupported)?;
        let instance = Instance::start(norm)?;
        let (session, outgoing, sender) = (ptr::null(), ptr::null(), ptr::null());
        // From here on, dropping it is what undoes it.
        let mut this = Self {
            norm,
            instance,
            session,
            outgoing,
            receives: false,
            sender,
            streams: HashMap::new(),
            next_stream: 0,
        };
        // SAFETY: the instance was just made, the address is a string, and the functions live as long as the process.
        unsafe {
            (norm.NormSetAllocationFunctions)(instance, no_memory, no_free);
            let node = setup.node.unwrap_or(NODE_ANY);
            this.session = (norm.NormCreateSession)(instance, setup.address.as_ptr(), setup.port, node);
        }
        if this.session.is_null() {
            return Err(Error::Invalid);
        }
        // SAFETY: the session was just made, and strings are strings.
        unsafe {
            let unicast = (norm.NormIsUnicastAddress)(setup.address.as_ptr());
            if !unicast {
                (norm.NormSetTTL)(this.session, setup.ttl);
                (norm.NormSetRxPortReuse)(this.session, true, ptr::null(), ptr::null(), 0);
                (norm.NormSetLoopback)(this.session, true);
                if let Some(interface) = setup.interface {
                    (norm.NormSetMulticastInterface)(this.session, interface.as_ptr());
                }
            }
            if unicast || setup.unicast_nacks {
                (norm.NormSetDefaultUnicastNack)(this.session, true);
            }
            (norm.NormSetTOS)(this.session, setup.tos);
        }
        Ok(this)
    }

    /// Stops the instance's thread until [`Self::resume`]. Calls by other threads wait for as long, so this is for a few calls.
    pub fn suspend(&mut self) -> bool {
        // SAFETY: the instance lives as long as this.
        unsafe { (self.norm.NormSuspendInstance)(self.instance) }
    }

    /// See [`Self::suspend`].
    pub fn resume(&mut self) {
        // SAFETY: as above.
        unsafe { (self.norm.NormResumeInstance)(self.instance) }
    }

    /// Begins to receive, with so many bytes for each sender, and as many again for what isn't read.
    ///
    /// # Errors
    /// What the system says of the address or the interface.
    pub fn start_receiver(&mut self, buffer: u32) -> Result<()> {
        errno::set_errno(errno::Errno(0));
        // SAFETY: the session lives as long as this.
        let started = unsafe {
            (self.norm.NormSetDefaultSyncPolicy)(self.session, SYNC_STREAM);
            (self.norm.NormStartReceiver)(self.session, c_ulong::from(buffer))
        };
        self.receives = started;
        if started { Ok(()) } else { Err(errno_or(Error::NoDevice)) }
    }

    /// The objects of one sender that are received at the same time.
    pub fn limit_objects(&mut self, count: u16) {
        // SAFETY: as above.
        unsafe { (self.norm.NormSetRxCacheLimit)(self.session, count) }
    }

    /// Begins to send.
    ///
    /// # Errors
    /// What the system says of the address or the interface; `ENOMEM`.
    pub fn start_sender(&mut self, sending: &Sending) -> Result<()> {
        let Self { norm, session, .. } = *self;
        errno::set_errno(errno::Errno(0));
        // SAFETY: as above; the info is none.
        unsafe {
            let id = (norm.NormGetRandomSessionId)();
            let Sending { buffer, segment, block, parity, .. } = *sending;
            if !(norm.NormStartSender)(session, id, buffer, segment, block, parity, 0) {
                return Err(errno_or(Error::NoDevice));
            }
            match sending.congestion {
                Congestion::Fixed(rate) => (norm.NormSetTxRate)(session, rate as f64),
                Congestion::Controlled { ecn, ignore_loss, tolerate_loss } => {
                    (norm.NormSetCongestionControl)(session, true, true);
                    if ecn || tolerate_loss {
                        (norm.NormSetEcnSupport)(session, ecn, ignore_loss, tolerate_loss);
                    }
                }
            }
            if sending.auto_parity > 0 {
                (norm.NormSetAutoParity)(session, sending.auto_parity);
            }
            self.outgoing = (norm.NormStreamOpen)(session, buffer, ptr::null(), 0);
            if self.outgoing.is_null() {
                return Err(errno_or(Error::OutOfMemory));
            }
            (norm.NormStreamSetPushEnable)(self.outgoing, sending.push);
        }
        Ok(())
    }

    /// The local ports of its sockets, once it has begun.
    pub fn ports(&self) -> [u16; 2] {
        // SAFETY: as above.
        unsafe { [(self.norm.NormGetRxPort)(self.session), (self.norm.NormGetTxPort)(self.session)] }
    }

    /// Readable while there are events. It stays the library's.
    pub fn descriptor(&self) -> RawFd {
        // SAFETY: as above.
        unsafe { (self.norm.NormGetDescriptor)(self.instance) }
    }

    /// The next event.
    pub fn next_event(&mut self) -> Option<Event> {
        self.sender = ptr::null();
        let mut event = RawEvent { kind: 0, session: ptr::null(), sender: ptr::null(), object: ptr::null() };
        // SAFETY: the instance lives, and the event can be written.
        if !unsafe { (self.norm.NormGetNextEvent)(self.instance, &mut event, false) } {
            return None;
        }
        self.sender = event.sender;
        Some(match event.kind {
            TX_QUEUE_VACANCY => Event::Vacancy,
            TX_QUEUE_EMPTY => Event::Empty,
            GRTT_UPDATED | CC_ACTIVE => Event::Feedback,
            TX_FLUSH_COMPLETED => Event::Flushed,
            REMOTE_SENDER_NEW => Event::NewSender,
            REMOTE_SENDER_INACTIVE => Event::SilentSender,
            RX_OBJECT_NEW | RX_OBJECT_UPDATED => {
                self.stream(event.object).map_or(Event::Other, Event::Readable)
            }
            RX_OBJECT_COMPLETED | RX_OBJECT_ABORTED => {
                let known = self.streams.iter().find(|(_, stream)| stream.object == event.object);
                match known.map(|(&number, _)| number) {
                    Some(number) if event.kind == RX_OBJECT_ABORTED => {
                        self.release(number);
                        Event::Ended(number)
                    }
                    // What is left of it can still be read.
                    Some(number) => Event::Readable(number),
                    None => Event::Other,
                }
            }
            _ => Event::Other,
        })
    }

    /// The number of a stream, which it gets when it is seen first. It is kept until it is released.
    fn stream(&mut self, object: Handle) -> Option<u64> {
        if object.is_null() {
            return None;
        }
        if let Some((&number, _)) = self.streams.iter().find(|(_, stream)| stream.object == object) {
            return Some(number);
        }
        // SAFETY: the event keeps the object until the next one is got. From then on it is kept here.
        let sender = unsafe {
            if (self.norm.NormObjectGetType)(object) != STREAM {
                return None;
            }
            (self.norm.NormObjectRetain)(object);
            (self.norm.NormObjectGetSender)(object)
        };
        let number = self.next_stream;
        self.next_stream += 1;
        self.streams.insert(number, Stream { object, sender });
        Some(number)
    }

    fn release(&mut self, number: u64) {
        if let Some(stream) = self.streams.remove(&number) {
            // SAFETY: it was retained when it was inserted, and isn't used any more.
            unsafe { (self.norm.NormObjectRelease)(stream.object) };
        }
    }

    /// How many streams are known.
    pub fn stream_count(&self) -> usize {
        self.streams.len()
    }

    /// The name of the sender that the event spoke of which was got last, and its streams.
    pub fn sender(&self) -> Option<(u32, Vec<u64>)> {
        if self.sender.is_null() {
            return None;
        }
        // SAFETY: the event keeps the sender until the next one is got, which clears this.
        let id = unsafe { (self.norm.NormNodeGetId)(self.sender) };
        let streams = self.streams.iter().filter(|(_, stream)| stream.sender == self.sender);
        Some((id, streams.map(|(&number, _)| number).collect()))
    }

    /// Forgets that sender and its streams, until it sends something again.
    pub fn delete_sender(&mut self) {
        let Some((_, streams)) = self.sender() else { return };
        for number in streams {
            self.release(number);
        }
        // SAFETY: as in `sender`. It has no stream any more that is used here.
        unsafe { (self.norm.NormNodeDelete)(self.sender) };
        self.sender = ptr::null();
    }

    /// Writes to the stream that is sent, as much as there is room for.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        if self.outgoing.is_null() {
            return 0;
        }
        let len = c_uint::try_from(bytes.len()).unwrap_or(c_uint::MAX);
        // SAFETY: the stream lives as long as this, and the bytes are there to be read.
        unsafe { (self.norm.NormStreamWrite)(self.outgoing, bytes.as_ptr().cast(), len) as usize }
    }

    /// What is written next begins a message.
    pub fn mark(&mut self) {
        if !self.outgoing.is_null() {
            // SAFETY: as above.
            unsafe { (self.norm.NormStreamMarkEom)(self.outgoing) };
        }
    }

    /// Sends what was written, although it may not fill a packet, and sees to it that receivers ask for what they lack of it.
    pub fn flush(&mut self) {
        if !self.outgoing.is_null() {
            // SAFETY: as above.
            unsafe { (self.norm.NormStreamFlush)(self.outgoing, true, FLUSH_ACTIVE) };
        }
    }

    /// Reads from a stream. `Ok(0)`: there is nothing as yet; `Err`: something is missing, and reading may go on behind it.
    #[allow(clippy::result_unit_err)]
    pub fn read(&mut self, stream: u64, buffer: &mut [u8]) -> Result<usize, ()> {
        let Some(stream) = self.streams.get(&stream) else { return Ok(0) };
        let mut len = c_uint::try_from(buffer.len()).unwrap_or(c_uint::MAX);
        // SAFETY: the object is retained, and the buffer has room for so much.
        let whole =
            unsafe { (self.norm.NormStreamRead)(stream.object, buffer.as_mut_ptr().cast(), &mut len) };
        if whole { Ok(buffer.len().min(len as usize)) } else { Err(()) }
    }

    /// Goes forward to the next beginning of a message. False: there is none as yet.
    pub fn seek(&mut self, stream: u64) -> bool {
        // SAFETY: as above.
        self.streams
            .get(&stream)
            .is_some_and(|stream| unsafe { (self.norm.NormStreamSeekMsgStart)(stream.object) })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let norm = self.norm;
        for (_, stream) in self.streams.drain() {
            // SAFETY: as in `release`.
            unsafe { (norm.NormObjectRelease)(stream.object) };
        }
        // SAFETY: nothing of the instance is used any more. Its thread ends before it goes.
        unsafe {
            if !self.session.is_null() {
                // Nothing that is told of the session is left, and the library forgets what it has told last when it is asked for the next.
                let suspended = (norm.NormSuspendInstance)(self.instance);
                let mut event =
                    RawEvent { kind: 0, session: ptr::null(), sender: ptr::null(), object: ptr::null() };
                while (norm.NormGetNextEvent)(self.instance, &mut event, false) {}
                if suspended {
                    (norm.NormResumeInstance)(self.instance);
                }
                if self.receives {
                    (norm.NormStopReceiver)(self.session);
                }
                if !self.outgoing.is_null() {
                    (norm.NormStopSender)(self.session);
                }
                (norm.NormDestroySession)(self.session);
            }
        }
        Instance::rest(norm, self.instance);
    }
}

/// An instance that nobody uses, and that has no thread. Version 1.5.9 of the library leaves an epoll open for each one that is destroyed, so they are used again.
struct Instance {
    handle: Handle,
    /// As [`fork::generation`]: a child shares the descriptors of its parent's, and keeps off them.
    generation: u32,
}

// SAFETY: see `Session`.
unsafe impl Send for Instance {}

static RESTING: ForkLock<Vec<Instance>> = ForkLock::new(Vec::new());

impl Instance {
    fn start(norm: &Norm) -> Result<Handle> {
        let generation = fork::generation();
        errno::set_errno(errno::Errno(0));
        // The thread that is started handles no signals of the program's.
        let _signals = SignalGuard::block_all();
        loop {
            let resting = RESTING.lock().pop();
            let Some(resting) = resting else { break };
            // SAFETY: it was stopped, and is nobody else's.
            if resting.generation == generation && unsafe { (norm.NormRestartInstance)(resting.handle) } {
                return Ok(resting.handle);
            }
        }
        // SAFETY: it can be called at any time.
        let handle = unsafe { (norm.NormCreateInstance)(false) };
        if handle.is_null() { Err(errno_or(Error::OutOfMemory)) } else { Ok(handle) }
    }

    /// Ends its thread, and keeps it for the next session. It has none now.
    fn rest(norm: &Norm, handle: Handle) {
        // SAFETY: nobody uses it any more.
        unsafe { (norm.NormStopInstance)(handle) };
        RESTING.lock().push(Self { handle, generation: fork::generation() });
    }
}

/// The error of the last call, if it has left one.
fn errno_or(otherwise: Error) -> Error {
    match errno::errno().0 {
        0 => otherwise,
        number => Error::from_errno(number),
    }
}
