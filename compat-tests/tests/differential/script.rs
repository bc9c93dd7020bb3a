//! What a script is written with: sockets whose calls give `Ok` or an errno, and lines that say what was seen.
//!
//! Everything here is meant to be wrong now and then: null and closed handles are passed on as they are.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_int};
use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use crate::api::{Api, Handle, PollItem, RawMessage};
use crate::zmq;

/// Calls a function of the library and makes a `Result` of what it returns: -1 is the errno of the call.
macro_rules! call {
    ($test:expr, $function:ident($($argument:expr),* $(,)?)) => {{
        // SAFETY: pointers are those of live buffers with their lengths, or null where a script asks what null does. Handles are
        // whatever the script says; scripts leave out what kills the reference library.
        let result = unsafe { ($test.api.$function)($($argument),*) };
        if i64::from(result) == -1 { Err($test.errno()) } else { Ok(result) }
    }};
}

/// Shows a call and what came of it: `show!(t, socket.bind("tcp://*:1"))`, or with a text in the place of the call.
macro_rules! show {
    ($test:expr, $call:expr) => {{
        let result = $call;
        $test.say(format_args!("{} = {}", $crate::script::flat(stringify!($call)), $crate::script::Show::show(&result)));
    }};
    ($test:expr, [$($text:tt)*], $call:expr) => {{
        let result = $call;
        $test.say(format_args!("{} = {}", format_args!($($text)*), $crate::script::Show::show(&result)));
    }};
}
pub(crate) use call;
pub(crate) use show;

/// The parts of a message: `m!("id", body)`.
macro_rules! m {
    ($($part:expr),* $(,)?) => {
        &[$(AsRef::<[u8]>::as_ref(&$part)),*]
    };
}
pub(crate) use m;

/// A number that `zmq_errno` gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub c_int);

/// What most calls give.
pub type Outcome<T = c_int> = Result<T, Errno>;

impl Errno {
    pub const AGAIN: Self = Self(libc::EAGAIN);
}

/// Ports that the system gave to a connecting side, replaced by a star.
fn without_ephemeral_ports(line: &str) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(colon) = rest.find(':') {
        let (before, after) = rest.split_at(colon + 1);
        clean.push_str(before);
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 5 && after[..5].parse().is_ok_and(|port: u32| (32_768..61_000).contains(&port)) {
            clean.push('*');
            rest = &after[5..];
        } else {
            rest = after;
        }
    }
    clean + rest
}

/// Called from scripts as a plain text of the call.
pub fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How a value stands in a line.
pub trait Show {
    fn show(&self) -> String;
}

impl Show for Errno {
    fn show(&self) -> String {
        errno_name(self.0)
    }
}
impl<T: Show> Show for &T {
    fn show(&self) -> String {
        (*self).show()
    }
}
impl<T: Show> Show for Outcome<T> {
    fn show(&self) -> String {
        match self {
            Ok(value) => value.show(),
            Err(errno) => errno.show(),
        }
    }
}
impl<T: Show> Show for Option<T> {
    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "none".to_owned(), Show::show)
    }
}
impl<T: Show> Show for Vec<T> {
    fn show(&self) -> String {
        let parts: Vec<String> = self.iter().map(Show::show).collect();
        format!("[{}]", parts.join(" "))
    }
}
impl Show for Vec<u8> {
    fn show(&self) -> String {
        bytes(self)
    }
}
impl Show for [u8] {
    fn show(&self) -> String {
        bytes(self)
    }
}
impl Show for String {
    fn show(&self) -> String {
        format!("{self:?}")
    }
}
impl Show for Socket<'_> {
    fn show(&self) -> String {
        if self.handle.is_null() { "null".to_owned() } else { "socket".to_owned() }
    }
}
impl Show for () {
    fn show(&self) -> String {
        "ok".to_owned()
    }
}
macro_rules! plain {
    ($($type:ty)*) => { $(impl Show for $type {
        fn show(&self) -> String {
            self.to_string()
        }
    })* };
}
plain!(c_int u32 i64 u64 usize bool &str);

/// Bytes as text where they are text; runs of one byte as `byte*times`.
pub fn bytes(value: &[u8]) -> String {
    let mut text = String::from("'");
    for run in value.chunk_by(|a, b| a == b) {
        let one = match run[0] {
            b'\'' => "\\'".to_owned(),
            byte => byte.escape_ascii().to_string(),
        };
        if run.len() > 3 {
            let _ = write!(text, "{{{one}*{}}}", run.len());
        } else {
            run.iter().for_each(|_| text.push_str(&one));
        }
    }
    text.push('\'');
    text
}

/// The name of an errno that ZeroMQ knows.
pub fn errno_name(errno: c_int) -> String {
    const HAUSNUMERO: c_int = 156_384_712;
    let name = match errno {
        0 => "errno 0",
        libc::EPERM => "EPERM",
        libc::ENOENT => "ENOENT",
        libc::EINTR => "EINTR",
        libc::ENXIO => "ENXIO",
        libc::EBADF => "EBADF",
        libc::EAGAIN => "EAGAIN",
        libc::ENOMEM => "ENOMEM",
        libc::EACCES => "EACCES",
        libc::EFAULT => "EFAULT",
        libc::EBUSY => "EBUSY",
        libc::ENODEV => "ENODEV",
        libc::ENOTDIR => "ENOTDIR",
        libc::EISDIR => "EISDIR",
        libc::EINVAL => "EINVAL",
        libc::EMFILE => "EMFILE",
        libc::ENAMETOOLONG => "ENAMETOOLONG",
        libc::EPIPE => "EPIPE",
        libc::EPROTO => "EPROTO",
        libc::ENOTSOCK => "ENOTSOCK",
        libc::EMSGSIZE => "EMSGSIZE",
        libc::EPROTONOSUPPORT => "EPROTONOSUPPORT",
        libc::ENOTSUP => "ENOTSUP",
        libc::EAFNOSUPPORT => "EAFNOSUPPORT",
        libc::EADDRINUSE => "EADDRINUSE",
        libc::EADDRNOTAVAIL => "EADDRNOTAVAIL",
        libc::ENETDOWN => "ENETDOWN",
        libc::ENETUNREACH => "ENETUNREACH",
        libc::ECONNABORTED => "ECONNABORTED",
        libc::ECONNRESET => "ECONNRESET",
        libc::ENOBUFS => "ENOBUFS",
        libc::ENOTCONN => "ENOTCONN",
        libc::ETIMEDOUT => "ETIMEDOUT",
        libc::ECONNREFUSED => "ECONNREFUSED",
        libc::EHOSTUNREACH => "EHOSTUNREACH",
        libc::EINPROGRESS => "EINPROGRESS",
        _ => match errno - HAUSNUMERO {
            51 => "EFSM",
            52 => "ENOCOMPATPROTO",
            53 => "ETERM",
            54 => "EMTHREAD",
            _ => return format!("errno {errno}"),
        },
    };
    name.to_owned()
}

/// One run of one script on one library.
pub struct Test {
    pub api: &'static Api,
    /// Waiting times are multiplied by this: more than 1 when a difference is looked at again.
    pub patience: u32,
    /// A folder of its own, empty at first.
    pub folder: PathBuf,
    context: Cell<Handle>,
    endpoints: Cell<usize>,
    remote: Cell<bool>,
    names: RefCell<Vec<(String, String)>>,
}

impl Test {
    pub fn new(api: &'static Api, patience: u32, folder: &Path) -> Self {
        let folder = folder.to_owned();
        let names = vec![(folder.display().to_string(), "DIR".to_owned())];
        Self {
            api,
            patience,
            folder,
            context: Cell::new(null_mut()),
            endpoints: Cell::new(0),
            remote: Cell::new(false),
            names: RefCell::new(names),
        }
    }

    pub fn errno(&self) -> Errno {
        // SAFETY: zmq_errno has no preconditions.
        Errno(unsafe { (self.api.errno)() })
    }

    /// Writes a line, with what varies from run to run replaced by the names given to it.
    pub fn say(&self, line: impl Display) {
        let mut line = line.to_string();
        for (what, name) in self.names.borrow().iter() {
            line = line.replace(what, name);
        }
        let mut line = without_ephemeral_ports(&line);
        line.push('\n');
        // One write for each line: what is said before a crash is not lost.
        let _ = std::io::stdout().write_all(line.as_bytes()).and_then(|()| std::io::stdout().flush());
    }

    /// From now on lines have `name` in the place of `what`.
    pub fn name(&self, what: &str, name: &str) {
        let mut names = self.names.borrow_mut();
        names.push((what.to_owned(), name.to_owned()));
        names.sort_by_key(|(what, _)| std::cmp::Reverse(what.len()));
    }

    /// A number that no other endpoint of the script has.
    pub fn number(&self) -> usize {
        let number = self.endpoints.get();
        self.endpoints.set(number + 1);
        number
    }

    /// From now on other threads and processes take part, and are waited for.
    pub fn remote(&self) {
        self.remote.set(true);
    }

    /// How long to wait for what ought to come.
    pub fn limit(&self) -> Duration {
        Duration::from_secs(2) * self.patience.min(4)
    }

    /// How long to wait before something counts as not coming.
    pub fn quiet(&self) -> Duration {
        // Over inproc only the thread that ends sockets takes part, beside the script's.
        Duration::from_millis(if self.remote.get() { 20 } else { 4 }) * self.patience
    }

    /// Waits for what gives no sign of its end.
    pub fn settle(&self) {
        std::thread::sleep(self.quiet());
    }

    /// The test's context; made at the first call.
    pub fn context(&self) -> Handle {
        if self.context.get().is_null() {
            // SAFETY: no preconditions.
            self.context.set(unsafe { (self.api.ctx_new)() });
        }
        self.context.get()
    }

    /// A socket of the test's context, with a bound on how long calls take.
    pub fn socket(&self, kind: c_int) -> Socket<'_> {
        let socket = self.bare_socket(kind).unwrap_or_else(|errno| {
            self.say(format_args!("no {} socket: {}", zmq::TYPES[kind as usize], errno.show()));
            self.end()
        });
        let limit = c_int::try_from(self.limit().as_millis()).unwrap_or(c_int::MAX);
        for (option, value) in
            [(zmq::LINGER, 0), (zmq::RCVTIMEO, limit), (zmq::SNDTIMEO, limit), (zmq::RECONNECT_IVL, 20)]
        {
            let _ = socket.set_int(option, value);
        }
        socket
    }

    /// A socket that may be bound and connected over that transport.
    pub fn socket_over(&self, transport: &str, kind: c_int) -> Socket<'_> {
        let socket = self.socket(kind);
        match transport {
            "ws" => self.needs("WS"),
            "wss" => {
                self.needs("WSS");
                crate::keys::Certificates::get(self).apply(&socket);
            }
            _ => {}
        }
        socket
    }

    /// A socket as it comes.
    pub fn bare_socket(&self, kind: c_int) -> Outcome<Socket<'_>> {
        self.socket_in(self.context(), kind)
    }

    /// A socket of any context.
    pub fn socket_in(&self, context: Handle, kind: c_int) -> Outcome<Socket<'_>> {
        // SAFETY: the context is one, or what a script wants to see refused.
        let handle = unsafe { (self.api.socket)(context, kind) };
        if handle.is_null() { Err(self.errno()) } else { Ok(Socket { test: self, handle }) }
    }

    pub fn handle(&self, handle: Handle) -> Socket<'_> {
        Socket { test: self, handle }
    }

    /// Ends the case here if the library was built without this.
    pub fn needs(&self, capability: &str) {
        // SAFETY: a terminated name.
        if unsafe { (self.api.has)(terminated(capability).as_ptr()) } != 1 {
            self.say(format_args!("no {capability} in the library"));
            self.end();
        }
    }

    /// Ends this case's process here.
    pub fn end(&self) -> ! {
        // SAFETY: ends the process; threads and destructors of the library don't matter any more.
        unsafe { libc::_exit(0) }
    }

    /// Two sockets with a connection between them, the first bound to a wildcard of the transport.
    pub fn pair(&self, transport: &str, bound: c_int, connected: c_int) -> (Socket<'_>, Socket<'_>) {
        let (bound, connected) = (self.socket(bound), self.socket(connected));
        let endpoint = bound.bind_anywhere(transport);
        if let Err(errno) = connected.connect(&endpoint) {
            self.say(format_args!("connect fails: {}", errno.show()));
            self.end();
        }
        (bound, connected)
    }

    pub fn message(&self) -> Message<'_> {
        let mut raw = Box::new(RawMessage([0; 64]));
        let _ = call!(self, msg_init(&raw mut *raw));
        Message { test: self, raw }
    }

    pub fn message_of(&self, body: &[u8]) -> Message<'_> {
        let mut message = Message { test: self, raw: Box::new(RawMessage([0; 64])) };
        let _ = call!(self, msg_init_size(message.raw(), body.len()));
        // SAFETY: the message was just made with as many bytes as `body` has.
        unsafe {
            let data = (self.api.msg_data)(message.raw()).cast::<u8>();
            std::ptr::copy_nonoverlapping(body.as_ptr(), data, body.len());
        }
        message
    }
}

/// The handle of a socket, which may be no socket at all.
#[derive(Clone, Copy)]
pub struct Socket<'a> {
    pub test: &'a Test,
    pub handle: Handle,
}

fn terminated(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

impl Socket<'_> {
    pub fn bind(&self, endpoint: &str) -> Outcome {
        call!(self.test, bind(self.handle, terminated(endpoint).as_ptr()))
    }

    pub fn connect(&self, endpoint: &str) -> Outcome {
        call!(self.test, connect(self.handle, terminated(endpoint).as_ptr()))
    }

    pub fn unbind(&self, endpoint: &str) -> Outcome {
        call!(self.test, unbind(self.handle, terminated(endpoint).as_ptr()))
    }

    pub fn disconnect(&self, endpoint: &str) -> Outcome {
        call!(self.test, disconnect(self.handle, terminated(endpoint).as_ptr()))
    }

    pub fn close(&self) -> Outcome {
        call!(self.test, close(self.handle))
    }

    /// Binds to a wildcard of `tcp`, `ipc`, `ws`, `wss` or `inproc`, and names the endpoint in the lines that follow.
    pub fn bind_anywhere(&self, transport: &str) -> String {
        let test = self.test;
        if transport != "inproc" {
            test.remote();
        }
        let count = test.number();
        let wildcard = match transport {
            "tcp" => "tcp://127.0.0.1:*".to_owned(),
            "ws" | "wss" => format!("{transport}://127.0.0.1:*/path"),
            "ipc" => format!("ipc://{}/{count}", test.folder.display()),
            name => format!("{name}://endpoint{count}"),
        };
        if let Err(errno) = self.bind(&wildcard) {
            test.say(format_args!("bind {transport} fails: {}", errno.show()));
            test.end();
        }
        let endpoint = self.last_endpoint();
        if let Some(port) = endpoint.rsplit(':').next().map(|port| port.trim_end_matches("/path"))
            && port.parse::<u16>().is_ok()
        {
            test.name(&format!(":{port}"), &format!(":PORT{count}"));
        }
        endpoint
    }

    pub fn last_endpoint(&self) -> String {
        let bytes = self.get(zmq::LAST_ENDPOINT, 1024).unwrap_or_default();
        String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
    }

    pub fn set(&self, option: c_int, value: &[u8]) -> Outcome {
        call!(self.test, setsockopt(self.handle, option, value.as_ptr().cast(), value.len()))
    }

    pub fn set_int(&self, option: c_int, value: c_int) -> Outcome {
        self.set(option, &value.to_ne_bytes())
    }

    pub fn get(&self, option: c_int, room: usize) -> Outcome<Vec<u8>> {
        let (mut buffer, mut size) = (vec![0_u8; room], room);
        call!(self.test, getsockopt(self.handle, option, buffer.as_mut_ptr().cast(), &raw mut size))?;
        buffer.truncate(size);
        Ok(buffer)
    }

    pub fn get_int(&self, option: c_int) -> Outcome {
        let bytes = self.get(option, 4)?;
        Ok(bytes.try_into().map_or(c_int::MIN, c_int::from_ne_bytes))
    }

    /// `ZMQ_EVENTS`, as letters.
    pub fn events(&self) -> String {
        match self.get_int(zmq::EVENTS) {
            Ok(events) => ["-", "in", "out", "in+out"].get(events as usize).unwrap_or(&"?").to_string(),
            Err(errno) => errno.show(),
        }
    }

    pub fn send_with(&self, body: &[u8], flags: c_int) -> Outcome {
        call!(self.test, send(self.handle, body.as_ptr().cast(), body.len(), flags))
    }

    /// Sends the parts; waits for room.
    pub fn send(&self, parts: &[&[u8]]) -> Outcome {
        self.send_parts(parts, 0)
    }

    /// Sends the parts if that needs no waiting.
    ///
    /// The reference looks only once in a while whether its peers have made room, except when it is asked for its events.
    pub fn send_now(&self, parts: &[&[u8]]) -> Outcome {
        self.send_parts(parts, zmq::DONTWAIT).or_else(|errno| {
            if errno != Errno::AGAIN {
                return Err(errno);
            }
            let _ = self.events();
            self.send_parts(parts, zmq::DONTWAIT)
        })
    }

    fn send_parts(&self, parts: &[&[u8]], flags: c_int) -> Outcome {
        let mut result = Ok(0);
        for (index, part) in parts.iter().enumerate() {
            let more = if index + 1 < parts.len() { zmq::SNDMORE } else { 0 };
            result = Ok(self.send_with(part, flags | more)?);
        }
        result
    }

    pub fn recv_part(&self, flags: c_int) -> Outcome<(Vec<u8>, bool)> {
        let mut message = self.test.message();
        let received = message.recv(self, flags).map(|_| (message.body(), message.more()));
        let _ = message.close();
        received
    }

    fn recv_parts(&self, flags: c_int) -> Outcome<Vec<Vec<u8>>> {
        let mut parts = Vec::new();
        loop {
            let (body, more) = self.recv_part(flags)?;
            parts.push(body);
            if !more {
                return Ok(parts);
            }
        }
    }

    /// Receives a message that ought to come.
    pub fn recv(&self) -> Outcome<Vec<Vec<u8>>> {
        self.recv_parts(0)
    }

    /// Receives a message that has come.
    pub fn recv_now(&self) -> Outcome<Vec<Vec<u8>>> {
        self.recv_parts(zmq::DONTWAIT)
    }

    /// Receives a message if one comes within the time after which it counts as not coming.
    pub fn recv_soon(&self) -> Outcome<Vec<Vec<u8>>> {
        self.wait(zmq::POLLIN, self.test.quiet());
        self.recv_now()
    }

    /// Everything that comes until it is quiet.
    pub fn recv_all(&self) -> Vec<Vec<Vec<u8>>> {
        let mut messages = Vec::new();
        while let Ok(message) = self.recv_soon() {
            messages.push(message);
            if messages.len() > 10_000 {
                break;
            }
        }
        messages
    }

    /// Waits until the socket has one of the events. False if the time is up first.
    pub fn wait(&self, events: c_int, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        loop {
            // Thread-safe sockets have no descriptor to poll, so all are asked in the same way.
            match self.get_int(zmq::EVENTS) {
                Ok(seen) if seen & events != 0 => return true,
                Ok(_) if Instant::now() < deadline => {}
                _ => return false,
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// How many messages of these parts are taken without waiting, at most `most`.
    pub fn fill(&self, parts: &[&[u8]], most: usize) -> usize {
        let _ = self.events();
        (0..most).take_while(|_| self.send_now(parts).is_ok()).count()
    }

    /// How many messages come until it is quiet.
    pub fn drain(&self) -> usize {
        self.recv_all().len()
    }

    pub fn poll(&self, events: c_int, time: c_int) -> Outcome<String> {
        let mut item = PollItem { socket: self.handle, fd: 0, events: events as i16, revents: 0 };
        let count = call!(self.test, poll(&raw mut item, 1, time.into()))?;
        Ok(format!("{count} {}", item.revents))
    }
}

/// A message on the heap, so that its address stays.
pub struct Message<'a> {
    test: &'a Test,
    raw: Box<RawMessage>,
}

impl Message<'_> {
    pub fn raw(&mut self) -> *mut RawMessage {
        &raw mut *self.raw
    }

    pub fn send(&mut self, socket: &Socket, flags: c_int) -> Outcome {
        call!(self.test, msg_send(self.raw(), socket.handle, flags))
    }

    pub fn recv(&mut self, socket: &Socket, flags: c_int) -> Outcome {
        call!(self.test, msg_recv(self.raw(), socket.handle, flags))
    }

    pub fn close(&mut self) -> Outcome {
        call!(self.test, msg_close(self.raw()))
    }

    pub fn get(&mut self, property: c_int) -> Outcome {
        call!(self.test, msg_get(self.raw(), property))
    }

    pub fn set(&mut self, property: c_int, value: c_int) -> Outcome {
        call!(self.test, msg_set(self.raw(), property, value))
    }

    pub fn gets(&mut self, property: &str) -> Outcome<String> {
        // SAFETY: a live message and a terminated name.
        let value = unsafe { (self.test.api.msg_gets)(self.raw(), terminated(property).as_ptr()) };
        text(value).ok_or_else(|| self.test.errno())
    }

    pub fn set_routing_id(&mut self, id: u32) -> Outcome {
        call!(self.test, msg_set_routing_id(self.raw(), id))
    }

    pub fn routing_id(&mut self) -> u32 {
        // SAFETY: a live message.
        unsafe { (self.test.api.msg_routing_id)(self.raw()) }
    }

    pub fn set_group(&mut self, group: &str) -> Outcome {
        call!(self.test, msg_set_group(self.raw(), terminated(group).as_ptr()))
    }

    pub fn group(&mut self) -> Option<String> {
        // SAFETY: a live message.
        text(unsafe { (self.test.api.msg_group)(self.raw()) })
    }

    pub fn more(&mut self) -> bool {
        // SAFETY: a live message.
        unsafe { (self.test.api.msg_more)(self.raw()) != 0 }
    }

    pub fn body(&mut self) -> Vec<u8> {
        // SAFETY: a live message, whose body has as many bytes as its size says.
        unsafe {
            let size = (self.test.api.msg_size)(self.raw());
            let data = (self.test.api.msg_data)(self.raw()).cast::<u8>();
            if size == 0 { Vec::new() } else { std::slice::from_raw_parts(data, size).to_vec() }
        }
    }
}

fn text(value: *const std::ffi::c_char) -> Option<String> {
    // SAFETY: the library gives null or a terminated string.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_string_lossy().into_owned())
}

/// `zmq_join`
pub fn join_group(socket: &Socket, group: &str) -> Outcome {
    call!(socket.test, join(socket.handle, terminated(group).as_ptr()))
}

/// `zmq_ctx_shutdown` of the test's context.
pub fn shutdown(test: &Test) -> Outcome {
    call!(test, ctx_shutdown(test.context()))
}
