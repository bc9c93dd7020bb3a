//! Asks one library for one thing, in a process of its own: whatever the library does to that process is an answer too.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::items;

/// Room for a `zmq_msg_t`.
#[repr(C, align(8))]
struct Message([u8; 64]);

type Answer = Result<String, String>;

const ZMQ: c_int = 156_384_712;
const EFSM: c_int = ZMQ + 51;
const ENOCOMPATPROTO: c_int = ZMQ + 52;
const ETERM: c_int = ZMQ + 53;
const EMTHREAD: c_int = ZMQ + 54;

/// A library, loaded; and a context of its.
struct Library {
    handle: *mut c_void,
    context: *mut c_void,
}

/// The `zmq_` function of that name and type.
macro_rules! function {
    ($library:expr, $name:literal, fn($($argument:ty),*) $(-> $result:ty)?) => {{
        let symbol = $library.symbol($name).ok_or_else(|| concat!("no ", $name).to_owned())?;
        // SAFETY: zmq.h gives this function that type.
        let function: unsafe extern "C" fn($($argument),*) $(-> $result)? = unsafe { std::mem::transmute(symbol) };
        function
    }};
}

/// Answers, in one line.
pub fn run(library: &Path, kind: &str, name: &str) -> Result<String, String> {
    // SAFETY: plain system call. A call that never comes back ends this process.
    unsafe { libc::alarm(20) };
    let path = CString::new(library.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
    // SAFETY: loading runs the constructors of the library that is asked, as in any program.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        return Err(format!("{}: cannot be loaded", library.display()));
    }
    let mut library = Library { handle, context: std::ptr::null_mut() };
    if kind == "function" {
        return Ok(if library.symbol(name).is_some() { "yes" } else { "missing" }.to_owned());
    }
    let new = function!(library, "zmq_ctx_new", fn() -> *mut c_void);
    // SAFETY: no preconditions.
    library.context = unsafe { new() };
    match kind {
        "socket-type" => library.socket_type(name),
        "socket-option" => library.socket_option(number(&items::SOCKET_OPTIONS, name)?),
        "context-option" => library.context_option(name, number(&items::CONTEXT_OPTIONS, name)?),
        "message-option" => library.message_option(number(&items::MESSAGE_OPTIONS, name)?),
        "transport" => library.transport(name),
        "mechanism" => library.mechanism(name),
        "errno" => library.errno_of(name),
        "event" => library.event(name),
        "capability" => library.capability(name),
        _ => Err(format!("no such kind of thing: {kind}")),
    }
}

fn number(table: &[(&str, i32)], name: &str) -> Result<c_int, String> {
    table.iter().find(|(n, _)| *n == name).map(|(_, number)| *number).ok_or(format!("no such thing: {name}"))
}

type Socket = *mut c_void;

const PAIR: c_int = 0;
const PUB: c_int = 1;
const REP: c_int = 4;
const DEALER: c_int = 5;
const ROUTER: c_int = 6;
const PULL: c_int = 7;
const PUSH: c_int = 8;
const DGRAM: c_int = 18;
const DONTWAIT: c_int = 1;
const SNDMORE: c_int = 2;

impl Library {
    fn symbol(&self, name: &str) -> Option<*mut c_void> {
        let name = CString::new(name).ok()?;
        // SAFETY: a loaded library and a terminated name.
        let symbol = unsafe { libc::dlsym(self.handle, name.as_ptr()) };
        (!symbol.is_null()).then_some(symbol)
    }

    /// What the last call failed with.
    fn errno(&self) -> Result<c_int, String> {
        let errno = function!(self, "zmq_errno", fn() -> c_int);
        // SAFETY: no preconditions.
        Ok(unsafe { errno() })
    }

    /// Turns what a function returned into a result.
    fn check(&self, result: c_int) -> Result<c_int, String> {
        if result == -1 { Err(errno_name(self.errno()?)) } else { Ok(result) }
    }

    fn socket(&self, kind: c_int) -> Result<Socket, String> {
        let open = function!(self, "zmq_socket", fn(*mut c_void, c_int) -> Socket);
        // SAFETY: the context is this process's own; a null one is refused.
        let socket = unsafe { open(self.context, kind) };
        self.check(if socket.is_null() { -1 } else { 0 })?;
        for (option, value) in [(17, 0), (27, 3_000), (28, 3_000)] {
            // Linger and time-outs, so that nothing waits for ever. Some types lack one of them.
            let _ = self.set(socket, option, &i32::to_ne_bytes(value));
        }
        Ok(socket)
    }

    fn set(&self, socket: Socket, option: c_int, value: &[u8]) -> Result<c_int, String> {
        let set = function!(self, "zmq_setsockopt", fn(Socket, c_int, *const c_void, usize) -> c_int);
        // Upstream looks at a few bytes of some values whatever their length, so there are some.
        let readable = [value, &[0; 8]].concat();
        // SAFETY: an open socket, and a value with its length.
        self.check(unsafe { set(socket, option, readable.as_ptr().cast(), value.len()) })
    }

    fn get(&self, socket: Socket, option: c_int, value: &mut [u8]) -> Result<usize, String> {
        let get = function!(self, "zmq_getsockopt", fn(Socket, c_int, *mut c_void, *mut usize) -> c_int);
        let mut size = value.len();
        // SAFETY: an open socket, and a buffer with its length.
        self.check(unsafe { get(socket, option, value.as_mut_ptr().cast(), &mut size) })?;
        Ok(size)
    }

    fn bind(&self, socket: Socket, endpoint: &str) -> Result<String, String> {
        let bind = function!(self, "zmq_bind", fn(Socket, *const c_char) -> c_int);
        let text = CString::new(endpoint).map_err(|e| e.to_string())?;
        // SAFETY: an open socket and a terminated string.
        self.check(unsafe { bind(socket, text.as_ptr()) })?;
        let mut last = [0; 256];
        let size = self.get(socket, 32, &mut last)?;
        Ok(String::from_utf8_lossy(&last[..size]).trim_end_matches('\0').to_owned())
    }

    fn connect(&self, socket: Socket, endpoint: &str) -> Result<c_int, String> {
        let connect = function!(self, "zmq_connect", fn(Socket, *const c_char) -> c_int);
        let text = CString::new(endpoint).map_err(|e| e.to_string())?;
        // SAFETY: an open socket and a terminated string.
        self.check(unsafe { connect(socket, text.as_ptr()) })
    }

    fn send(&self, socket: Socket, data: &[u8], flags: c_int) -> Result<c_int, String> {
        let send = function!(self, "zmq_send", fn(Socket, *const c_void, usize, c_int) -> c_int);
        // SAFETY: data with its length; a socket that is none is refused.
        self.check(unsafe { send(socket, data.as_ptr().cast(), data.len(), flags) })
    }

    fn recv(&self, socket: Socket, flags: c_int) -> Result<Vec<u8>, String> {
        let recv = function!(self, "zmq_recv", fn(Socket, *mut c_void, usize, c_int) -> c_int);
        let mut buffer = vec![0; 512];
        // SAFETY: a buffer with its length; a socket that is none is refused.
        let size = self.check(unsafe { recv(socket, buffer.as_mut_ptr().cast(), buffer.len(), flags) })?;
        buffer.truncate(usize::try_from(size).unwrap_or(0));
        Ok(buffer)
    }

    fn socket_type(&self, name: &str) -> Answer {
        let kind = items::SOCKET_TYPES.iter().position(|n| *n == name).ok_or("no such type")?;
        self.socket(kind as c_int).map(|_| "yes".to_owned())
    }

    /// Whether any type of socket takes any value for it, and gives one.
    fn socket_option(&self, option: c_int) -> Answer {
        let key = [b'k'; 32];
        let int = |value: i32| value.to_ne_bytes().to_vec();
        let values: [Vec<u8>; 12] = [
            int(1),
            int(0),
            int(100),
            int(-1),
            1_i64.to_ne_bytes().to_vec(),
            b"".to_vec(),
            b"127.0.0.1:1".to_vec(),
            b"127.0.0.1".to_vec(),
            b"X-key:value".to_vec(),
            b"lo".to_vec(),
            key.to_vec(),
            b"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7".to_vec(),
        ];
        let (mut sets, mut gets, mut why) = (false, false, String::new());
        for kind in 0..items::SOCKET_TYPES.len() as c_int {
            let Ok(socket) = self.socket(kind) else { continue };
            for size in [4, 8, 41, 256] {
                // Upstream's key options write a zero behind 40 characters.
                gets |= self.get(socket, option, &mut vec![0; size]).is_ok();
            }
            for value in &values {
                match self.set(socket, option, value) {
                    Ok(_) => sets = true,
                    Err(errno) => why = errno,
                }
            }
        }
        match (sets, gets) {
            (true, true) => Ok("set, get".to_owned()),
            (true, false) => Ok("set".to_owned()),
            (false, true) => Ok("get".to_owned()),
            (false, false) => Err(why),
        }
    }

    fn context_option(&self, name: &str, option: c_int) -> Answer {
        let set = function!(self, "zmq_ctx_set", fn(*mut c_void, c_int, c_int) -> c_int);
        let get = function!(self, "zmq_ctx_get", fn(*mut c_void, c_int) -> c_int);
        // SOCKET_LIMIT and THREAD_PRIORITY share a number: the one is got, the other set.
        if name == "THREAD_AFFINITY_CPU_REMOVE" {
            // What can be removed has to be there.
            // SAFETY: a context and numbers.
            unsafe { set(self.context, 7, 0) };
        }
        let (settable, gettable) = (name != "SOCKET_LIMIT", name != "THREAD_PRIORITY");
        // SAFETY: a context and numbers.
        let sets =
            settable && [1, 0, 100].iter().any(|value| unsafe { set(self.context, option, *value) } == 0);
        // SAFETY: as above.
        let gets = gettable && unsafe { get(self.context, option) } != -1;
        match (sets, gets) {
            (true, true) => Ok("set, get".to_owned()),
            (true, false) => Ok("set".to_owned()),
            (false, true) => Ok("get".to_owned()),
            (false, false) => Err(errno_name(self.errno()?)),
        }
    }

    fn message_option(&self, option: c_int) -> Answer {
        let init = function!(self, "zmq_msg_init", fn(*mut Message) -> c_int);
        let get = function!(self, "zmq_msg_get", fn(*const Message, c_int) -> c_int);
        let receive = function!(self, "zmq_msg_recv", fn(*mut Message, Socket, c_int) -> c_int);
        let (here, there) = self.connected(PAIR, PAIR, "tcp://127.0.0.1:*")?;
        self.send(here, b"message", 0)?;
        let mut message = Message([0; 64]);
        // SAFETY: the message is initialised before the others see it.
        let value = unsafe {
            init(&mut message);
            self.check(receive(&mut message, there, 0))?;
            get(&message, option)
        };
        self.check(value).map(|_| "get".to_owned())
    }

    /// Two sockets with each other.
    fn connected(&self, bound: c_int, connected: c_int, endpoint: &str) -> Result<(Socket, Socket), String> {
        let (one, other) = (self.socket(bound)?, self.socket(connected)?);
        let endpoint = self.bind(one, endpoint)?;
        self.connect(other, &endpoint)?;
        Ok((one, other))
    }

    /// "messages" if one came through, "yes" if an endpoint was taken.
    fn transport(&self, name: &str) -> Answer {
        let (_, endpoint) = items::TRANSPORTS.iter().find(|(n, _)| *n == name).ok_or("no such transport")?;
        match name {
            "tcp" | "ipc" | "inproc" | "ws" | "tipc" | "vsock" | "vmci" => {
                let (one, other) = self.connected(PAIR, PAIR, endpoint)?;
                self.send(other, b"message", 0)?;
                if self.recv(one, 0)? != b"message" {
                    return Err("another message".to_owned());
                }
                Ok("messages".to_owned())
            }
            "udp" => {
                // Where there are draft sockets; elsewhere nothing can use it.
                let socket = self.socket(DGRAM)?;
                let free = std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
                let address = free.map_err(|e| e.to_string())?.to_string();
                self.bind(socket, &format!("udp://{address}"))?;
                self.send(socket, address.as_bytes(), SNDMORE)?;
                self.send(socket, b"message", 0)?;
                self.recv(socket, 0)?;
                if self.recv(socket, 0)? != b"message" {
                    return Err("another message".to_owned());
                }
                Ok("messages".to_owned())
            }
            "SOCKS5 proxy" => self.set(self.socket(PAIR)?, 68, b"127.0.0.1:1").map(|_| "yes".to_owned()),
            "pgm" | "epgm" | "norm" => self.connect(self.socket(PUB)?, endpoint).map(|_| "yes".to_owned()),
            _ => self.connect(self.socket(PAIR)?, endpoint).map(|_| "yes".to_owned()),
        }
    }

    fn mechanism(&self, name: &str) -> Answer {
        let (server, client) = (self.socket(DEALER)?, self.socket(DEALER)?);
        let one = 1_i32.to_ne_bytes();
        match name {
            "PLAIN" => {
                self.set(server, 44, &one)?;
                self.set(client, 45, b"name")?;
                self.set(client, 46, b"password")?;
            }
            "CURVE" => {
                let make = function!(self, "zmq_curve_keypair", fn(*mut c_char, *mut c_char) -> c_int);
                let pair = || -> Result<([u8; 41], [u8; 41]), String> {
                    let (mut public, mut secret) = ([0; 41], [0; 41]);
                    // SAFETY: two buffers of the size that the man page asks for.
                    self.check(unsafe { make(public.as_mut_ptr().cast(), secret.as_mut_ptr().cast()) })?;
                    Ok((public, secret))
                };
                let (own, other) = (pair()?, pair()?);
                self.set(server, 47, &one)?;
                self.set(server, 49, &own.1)?;
                self.set(client, 50, &own.0)?;
                self.set(client, 48, &other.0)?;
                self.set(client, 49, &other.1)?;
            }
            "GSSAPI" => return self.set(server, 62, &one).map(|_| "yes".to_owned()),
            _ => {}
        }
        let handler = self.socket(REP)?;
        self.bind(handler, "inproc://zeromq.zap.01")?;
        let endpoint = self.bind(server, "tcp://127.0.0.1:*")?;
        self.connect(client, &endpoint)?;
        if name != "NULL" {
            // Nobody asks about NULL without a domain.
            let mut parts = vec![self.recv(handler, 0)?];
            while self.number(handler, 13)? == 1 {
                parts.push(self.recv(handler, 0)?);
            }
            let id = parts.get(1).cloned().unwrap_or_default();
            for part in [&b"1.0"[..], &id, b"200", b"", b"somebody"] {
                self.send(handler, part, SNDMORE)?;
            }
            self.send(handler, b"", 0)?;
        }
        self.send(client, b"message", 0)?;
        self.recv(server, 0).map(|_| "messages".to_owned())
    }

    fn number(&self, socket: Socket, option: c_int) -> Result<c_int, String> {
        let mut value = [0; 4];
        self.get(socket, option, &mut value)?;
        Ok(c_int::from_ne_bytes(value))
    }

    fn capability(&self, name: &str) -> Answer {
        let has = function!(self, "zmq_has", fn(*const c_char) -> c_int);
        let name = CString::new(name).map_err(|e| e.to_string())?;
        // SAFETY: a terminated string.
        Ok(if unsafe { has(name.as_ptr()) } == 1 { "yes" } else { "no" }.to_owned())
    }

    /// Makes a call that fails with it.
    fn errno_of(&self, name: &str) -> Answer {
        let failed = match name {
            "EADDRINUSE" => {
                self.bind(self.socket(PAIR)?, "inproc://taken")?;
                self.bind(self.socket(PAIR)?, "inproc://taken").map(drop)
            }
            "EADDRNOTAVAIL" => self.bind(self.socket(PAIR)?, "tcp://192.0.2.77:5560").map(drop),
            "EAGAIN" => self.recv(self.socket(PULL)?, DONTWAIT).map(drop),
            "EFAULT" => {
                let term = function!(self, "zmq_ctx_term", fn(*mut c_void) -> c_int);
                // SAFETY: null is what it refuses with this.
                self.check(unsafe { term(std::ptr::null_mut()) }).map(drop)
            }
            "EFSM" => self.send(self.socket(REP)?, b"", 0).map(drop),
            "EHOSTUNREACH" => {
                let router = self.socket(ROUTER)?;
                self.set(router, 33, &1_i32.to_ne_bytes())?;
                self.send(router, b"nobody", SNDMORE).map(drop)
            }
            "EINVAL" => self.set(self.socket(PAIR)?, 9_999, b"").map(drop),
            "EMFILE" => {
                let set = function!(self, "zmq_ctx_set", fn(*mut c_void, c_int, c_int) -> c_int);
                // SAFETY: a context and numbers.
                self.check(unsafe { set(self.context, 2, 1) })?;
                self.socket(PAIR)?;
                self.socket(PAIR).map(drop)
            }
            "EMTHREAD" => {
                let set = function!(self, "zmq_ctx_set", fn(*mut c_void, c_int, c_int) -> c_int);
                // SAFETY: a context and numbers.
                self.check(unsafe { set(self.context, 1, 0) })?;
                self.bind(self.socket(PAIR)?, "tcp://127.0.0.1:*").map(drop)
            }
            "ENAMETOOLONG" => self.bind(self.socket(PAIR)?, &format!("ipc://{}", "n".repeat(200))).map(drop),
            "ENOCOMPATPROTO" => self.bind(self.socket(PAIR)?, "udp://127.0.0.1:5560").map(drop),
            "ENODEV" => self.bind(self.socket(PAIR)?, "tcp://no-such-interface:5560").map(drop),
            "ENOENT" => {
                let unbind = function!(self, "zmq_unbind", fn(Socket, *const c_char) -> c_int);
                // SAFETY: an open socket and a terminated string.
                self.check(unsafe { unbind(self.socket(PAIR)?, c"inproc://nobody".as_ptr()) }).map(drop)
            }
            "ENOTSOCK" => self.send(std::ptr::null_mut(), b"", 0).map(drop),
            "ENOTSUP" => self.recv(self.socket(PUSH)?, 0).map(drop),
            "EPROTONOSUPPORT" => self.connect(self.socket(PAIR)?, "carrier-pigeon://loft").map(drop),
            "ETERM" => {
                let shutdown = function!(self, "zmq_ctx_shutdown", fn(*mut c_void) -> c_int);
                let socket = self.socket(PULL)?;
                // SAFETY: the process's context.
                self.check(unsafe { shutdown(self.context) })?;
                self.recv(socket, 0).map(drop)
            }
            "EINTR" => {
                extern "C" fn nothing(_: c_int) {}
                let mut action: libc::sigaction =
                    // SAFETY: plain data for which zeroes are valid.
                    unsafe { std::mem::zeroed() };
                action.sa_sigaction = nothing as extern "C" fn(c_int) as usize;
                // SAFETY: a handler that does nothing, without SA_RESTART; and a timer that interrupts the call below.
                unsafe {
                    libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut());
                    libc::alarm(1);
                }
                self.recv(self.socket(PULL)?, 0).map(drop)
            }
            _ => return Ok("not provoked".to_owned()),
        };
        match failed {
            Err(errno) if errno == name => Ok("yes".to_owned()),
            Err(errno) => Err(errno),
            Ok(()) => Err("no error".to_owned()),
        }
    }

    /// Brings the event about, and waits for it.
    fn event(&self, name: &str) -> Answer {
        let (_, wanted) = items::EVENTS.iter().find(|(n, _)| *n == name).ok_or("no such event")?;
        let watched = self.socket(if name == "CONNECT_DELAYED" { PULL } else { PAIR })?;
        let monitor = self.socket(PAIR)?;
        let second_version = *wanted > 0xffff;
        if second_version {
            let watch = function!(
                self,
                "zmq_socket_monitor_versioned",
                fn(Socket, *const c_char, u64, c_int, c_int) -> c_int
            );
            // SAFETY: an open socket and a terminated string.
            self.check(unsafe { watch(watched, c"inproc://events".as_ptr(), 0x1_ffff, 2, PAIR) })?;
        } else {
            let watch = function!(self, "zmq_socket_monitor", fn(Socket, *const c_char, c_int) -> c_int);
            // SAFETY: an open socket and a terminated string.
            self.check(unsafe { watch(watched, c"inproc://events".as_ptr(), 0xffff) })?;
        }
        self.connect(monitor, "inproc://events")?;
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
        let address = nobody.local_addr().map_err(|e| e.to_string())?;
        let mut peer: Option<std::net::TcpStream> = None;
        match name {
            "CONNECTED" | "CONNECT_DELAYED" => drop(self.connect(watched, &format!("tcp://{address}"))?),
            "CONNECT_RETRIED" | "CLOSED" => {
                drop(nobody);
                self.connect(watched, &format!("tcp://{address}"))?;
            }
            "BIND_FAILED" => drop(self.bind(watched, &format!("tcp://{address}"))),
            "MONITOR_STOPPED" => {
                let watch = function!(self, "zmq_socket_monitor", fn(Socket, *const c_char, c_int) -> c_int);
                // SAFETY: an open socket; null ends the monitor.
                self.check(unsafe { watch(watched, std::ptr::null(), 0) })?;
            }
            "ACCEPT_FAILED" => {
                // ZMQ_TCP_ACCEPT_FILTER, which loopback is not in.
                self.set(watched, 38, b"192.0.2.0/24")?;
                let endpoint = self.bind(watched, "tcp://127.0.0.1:*")?;
                let address = endpoint.trim_start_matches("tcp://");
                peer = Some(std::net::TcpStream::connect(address).map_err(|e| e.to_string())?);
            }
            "CLOSE_FAILED" => {
                // The file that is to be removed has gone.
                let endpoint = self.bind(watched, "ipc://*")?;
                let file = Path::new(endpoint.trim_start_matches("ipc://"));
                std::fs::remove_file(file).map_err(|e| e.to_string())?;
                let unbind = function!(self, "zmq_unbind", fn(Socket, *const c_char) -> c_int);
                let endpoint = CString::new(endpoint.as_str()).map_err(|e| e.to_string())?;
                // SAFETY: an open socket and a terminated string.
                let unbound = self.check(unsafe { unbind(watched, endpoint.as_ptr()) });
                let _ = file.parent().map(std::fs::remove_dir);
                unbound?;
            }
            "HANDSHAKE_FAILED_AUTH" => return self.turned_away(watched, monitor),
            "HANDSHAKE_SUCCEEDED" | "PIPES_STATS" => {
                let endpoint = self.bind(watched, "tcp://127.0.0.1:*")?;
                let other = self.socket(PAIR)?;
                self.connect(other, &endpoint)?;
                self.send(other, b"message", 0)?;
                self.recv(watched, 0)?;
                if second_version {
                    let ask = function!(self, "zmq_socket_monitor_pipes_stats", fn(Socket) -> c_int);
                    // SAFETY: an open socket.
                    self.check(unsafe { ask(watched) })?;
                }
            }
            _ => {
                // LISTENING, ACCEPTED, and what a peer can do wrong.
                let endpoint = self.bind(watched, "tcp://127.0.0.1:*")?;
                let address = endpoint.trim_start_matches("tcp://");
                let mut stream = std::net::TcpStream::connect(address).map_err(|e| e.to_string())?;
                let mut greeting = [0; 64];
                greeting[0] = 0xff;
                greeting[9..14].copy_from_slice(&[0x7f, 3, 0, b'N', b'U']);
                greeting[12..16].copy_from_slice(b"NULL");
                use std::io::Write as _;
                let write = |stream: &mut std::net::TcpStream, bytes: &[u8]| {
                    stream.write_all(bytes).map_err(|e| e.to_string())
                };
                match name {
                    "HANDSHAKE_FAILED_PROTOCOL" => {
                        write(&mut stream, &greeting)?;
                        write(&mut stream, b"\x04\x05\x04WHAT")?;
                    }
                    "HANDSHAKE_FAILED_NO_DETAIL" => write(&mut stream, &greeting[..20])?,
                    "DISCONNECTED" => {
                        write(&mut stream, &greeting)?;
                        write(&mut stream, b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x04PAIR")?;
                        std::thread::sleep(Duration::from_millis(200));
                    }
                    _ => {}
                }
                if matches!(name, "LISTENING" | "ACCEPTED" | "HANDSHAKE_FAILED_PROTOCOL") {
                    peer = Some(stream);
                }
            }
        }
        let seen = self.wait_for(watched, monitor, *wanted, second_version);
        drop(peer);
        seen
    }

    /// A PLAIN client whose password is wrong.
    fn turned_away(&self, watched: Socket, monitor: Socket) -> Answer {
        let handler = self.socket(REP)?;
        self.bind(handler, "inproc://zeromq.zap.01")?;
        self.set(watched, 44, &1_i32.to_ne_bytes())?;
        let client = self.socket(PAIR)?;
        self.set(client, 45, b"name")?;
        self.set(client, 46, b"wrong")?;
        let endpoint = self.bind(watched, "tcp://127.0.0.1:*")?;
        self.connect(client, &endpoint)?;
        let mut parts = vec![self.recv(handler, 0)?];
        while self.number(handler, 13)? == 1 {
            parts.push(self.recv(handler, 0)?);
        }
        let id = parts.get(1).cloned().unwrap_or_default();
        for part in [&b"1.0"[..], &id, b"400", b""] {
            self.send(handler, part, SNDMORE)?;
        }
        self.send(handler, b"", SNDMORE)?;
        self.send(handler, b"", 0)?;
        self.wait_for(watched, monitor, 0x4000, false)
    }

    /// Waits for an event, and lets the socket work its commands off meanwhile.
    fn wait_for(&self, watched: Socket, monitor: Socket, wanted: u64, second_version: bool) -> Answer {
        self.set(monitor, 27, &50_i32.to_ne_bytes())?;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(8) {
            let _ = self.number(watched, 15);
            let first = match self.recv(monitor, 0) {
                Err(errno) if errno == "EAGAIN" => continue,
                other => other?,
            };
            let event = if second_version {
                u64::from_ne_bytes(first.get(..8).and_then(|b| b.try_into().ok()).unwrap_or_default())
            } else {
                u64::from(u16::from_ne_bytes(
                    first.get(..2).and_then(|b| b.try_into().ok()).unwrap_or_default(),
                ))
            };
            while self.number(monitor, 13)? == 1 {
                self.recv(monitor, 0)?;
            }
            if event == wanted {
                return Ok("yes".to_owned());
            }
        }
        Err("it didn't come".to_owned())
    }
}

/// An errno's name.
fn errno_name(errno: c_int) -> String {
    let name = match errno {
        EFSM => "EFSM",
        ENOCOMPATPROTO => "ENOCOMPATPROTO",
        ETERM => "ETERM",
        EMTHREAD => "EMTHREAD",
        libc::EADDRINUSE => "EADDRINUSE",
        libc::EADDRNOTAVAIL => "EADDRNOTAVAIL",
        libc::EAGAIN => "EAGAIN",
        libc::EFAULT => "EFAULT",
        libc::EHOSTUNREACH => "EHOSTUNREACH",
        libc::EINTR => "EINTR",
        libc::EINVAL => "EINVAL",
        libc::EMFILE => "EMFILE",
        libc::EMSGSIZE => "EMSGSIZE",
        libc::ENAMETOOLONG => "ENAMETOOLONG",
        libc::ENODEV => "ENODEV",
        libc::ENOENT => "ENOENT",
        libc::ENOTSOCK => "ENOTSOCK",
        libc::ENOTSUP => "ENOTSUP",
        libc::EPROTONOSUPPORT => "EPROTONOSUPPORT",
        other => {
            // SAFETY: it gives a terminated string for any number.
            let text = unsafe { CStr::from_ptr(libc::strerror(other)) };
            return text.to_string_lossy().into_owned();
        }
    };
    name.to_owned()
}
