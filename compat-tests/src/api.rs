//! The public C API, from a library file. Nothing but what a C program could use.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// An errno value.
pub type Errno = c_int;

/// `zmq_msg_t`
#[repr(C, align(8))]
struct Message([u8; 64]);

/// The functions that the peers call.
pub struct Api {
    ctx_new: unsafe extern "C" fn() -> *mut c_void,
    ctx_term: unsafe extern "C" fn(*mut c_void) -> c_int,
    socket: unsafe extern "C" fn(*mut c_void, c_int) -> *mut c_void,
    close: unsafe extern "C" fn(*mut c_void) -> c_int,
    setsockopt: unsafe extern "C" fn(*mut c_void, c_int, *const c_void, usize) -> c_int,
    getsockopt: unsafe extern "C" fn(*mut c_void, c_int, *mut c_void, *mut usize) -> c_int,
    bind: unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int,
    connect: unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int,
    msg_init: unsafe extern "C" fn(*mut Message) -> c_int,
    msg_init_size: unsafe extern "C" fn(*mut Message, usize) -> c_int,
    msg_data: unsafe extern "C" fn(*mut Message) -> *mut c_void,
    msg_size: unsafe extern "C" fn(*const Message) -> usize,
    msg_more: unsafe extern "C" fn(*const Message) -> c_int,
    msg_send: unsafe extern "C" fn(*mut Message, *mut c_void, c_int) -> c_int,
    msg_recv: unsafe extern "C" fn(*mut Message, *mut c_void, c_int) -> c_int,
    msg_close: unsafe extern "C" fn(*mut Message) -> c_int,
    errno: unsafe extern "C" fn() -> c_int,
    msg_gets: unsafe extern "C" fn(*const Message, *const c_char) -> *const c_char,
    curve_keypair: unsafe extern "C" fn(*mut c_char, *mut c_char) -> c_int,
    socket_monitor: unsafe extern "C" fn(*mut c_void, *const c_char, c_int) -> c_int,
    // Of the draft API, so a library may lack them.
    join: Option<unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int>,
    leave: Option<unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int>,
    connect_peer: Option<unsafe extern "C" fn(*mut c_void, *const c_char) -> u32>,
    msg_set_routing_id: Option<unsafe extern "C" fn(*mut Message, u32) -> c_int>,
    msg_routing_id: Option<unsafe extern "C" fn(*mut Message) -> u32>,
    msg_set_group: Option<unsafe extern "C" fn(*mut Message, *const c_char) -> c_int>,
    msg_group: Option<unsafe extern "C" fn(*mut Message) -> *const c_char>,
}

/// What a message is addressed with, besides its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Nothing: the socket type does without.
    None,
    /// The peer of a SERVER or PEER socket.
    RoutingId(u32),
    /// The group of a RADIO socket's message.
    Group(String),
}

/// What a message brings along, besides its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The peer, where the socket is a SERVER or PEER; otherwise 0.
    pub routing_id: u32,
    /// The group, where it is a DISH.
    pub group: String,
    /// Whom the authenticator took the sender for.
    pub user_id: Option<String>,
}

/// A socket's handle.
#[derive(Clone, Copy)]
pub struct Socket(*mut c_void);

/// A context's handle.
#[derive(Clone, Copy)]
pub struct Context(*mut c_void);

// SAFETY: contexts may be used by any thread (zmq_ctx_new(3)).
unsafe impl Send for Context {}

impl Api {
    /// Loads a library by its path. It stays loaded.
    #[allow(clippy::missing_transmute_annotations)] // the fields have the types
    pub fn load(file: &Path) -> Result<Self, String> {
        let path = CString::new(file.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
        // SAFETY: loading runs the constructors of the library under test, as it does in any program.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if library.is_null() {
            // SAFETY: right after a failure of dlopen in this thread dlerror gives a terminated string.
            let reason = unsafe { CStr::from_ptr(libc::dlerror()) };
            return Err(reason.to_string_lossy().into_owned());
        }
        let find = |name: &CStr| {
            // SAFETY: a valid library and a terminated name.
            let symbol = unsafe { libc::dlsym(library, name.as_ptr()) };
            if symbol.is_null() { Err(format!("no {}", name.to_string_lossy())) } else { Ok(symbol) }
        };
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: zmq.h gives this function the type that the field has.
                unsafe { std::mem::transmute(find($name)?) }
            };
        }
        macro_rules! draft {
            ($name:literal) => {
                // SAFETY: zmq.h gives this function the type that the field has.
                find($name).ok().map(|symbol| unsafe { std::mem::transmute(symbol) })
            };
        }
        Ok(Self {
            ctx_new: function!(c"zmq_ctx_new"),
            ctx_term: function!(c"zmq_ctx_term"),
            socket: function!(c"zmq_socket"),
            close: function!(c"zmq_close"),
            setsockopt: function!(c"zmq_setsockopt"),
            getsockopt: function!(c"zmq_getsockopt"),
            bind: function!(c"zmq_bind"),
            connect: function!(c"zmq_connect"),
            msg_init: function!(c"zmq_msg_init"),
            msg_init_size: function!(c"zmq_msg_init_size"),
            msg_data: function!(c"zmq_msg_data"),
            msg_size: function!(c"zmq_msg_size"),
            msg_more: function!(c"zmq_msg_more"),
            msg_send: function!(c"zmq_msg_send"),
            msg_recv: function!(c"zmq_msg_recv"),
            msg_close: function!(c"zmq_msg_close"),
            errno: function!(c"zmq_errno"),
            msg_gets: function!(c"zmq_msg_gets"),
            curve_keypair: function!(c"zmq_curve_keypair"),
            socket_monitor: function!(c"zmq_socket_monitor"),
            join: draft!(c"zmq_join"),
            leave: draft!(c"zmq_leave"),
            connect_peer: draft!(c"zmq_connect_peer"),
            msg_set_routing_id: draft!(c"zmq_msg_set_routing_id"),
            msg_routing_id: draft!(c"zmq_msg_routing_id"),
            msg_set_group: draft!(c"zmq_msg_set_group"),
            msg_group: draft!(c"zmq_msg_group"),
        })
    }

    fn check(&self, result: c_int) -> Result<c_int, Errno> {
        // SAFETY: zmq_errno has no preconditions.
        if result == -1 { Err(unsafe { (self.errno)() }) } else { Ok(result) }
    }

    /// `zmq_ctx_new`
    pub fn context(&self) -> Context {
        // SAFETY: no preconditions.
        Context(unsafe { (self.ctx_new)() })
    }

    /// `zmq_ctx_term`
    pub fn term(&self, context: Context) -> Result<c_int, Errno> {
        // SAFETY: the context came from `context`; a stale one is an error.
        self.check(unsafe { (self.ctx_term)(context.0) })
    }

    /// `zmq_socket`
    pub fn socket(&self, context: Context, kind: c_int) -> Result<Socket, Errno> {
        // SAFETY: the context came from `context`.
        let socket = unsafe { (self.socket)(context.0, kind) };
        self.check(if socket.is_null() { -1 } else { 0 })?;
        Ok(Socket(socket))
    }

    /// `zmq_close`
    pub fn close(&self, socket: Socket) -> Result<c_int, Errno> {
        // SAFETY: the peer closes each of its sockets once.
        self.check(unsafe { (self.close)(socket.0) })
    }

    /// `zmq_setsockopt`
    pub fn set(&self, socket: Socket, option: c_int, value: &[u8]) -> Result<c_int, Errno> {
        // SAFETY: an open socket, and a value with its length.
        self.check(unsafe { (self.setsockopt)(socket.0, option, value.as_ptr().cast(), value.len()) })
    }

    /// `zmq_getsockopt` for text.
    pub fn text(&self, socket: Socket, option: c_int) -> Result<String, Errno> {
        let (mut buffer, mut len) = ([0_u8; 256], 256);
        // SAFETY: an open socket, and a buffer with its length.
        self.check(unsafe { (self.getsockopt)(socket.0, option, buffer.as_mut_ptr().cast(), &mut len) })?;
        Ok(String::from_utf8_lossy(buffer[..len].split(|byte| *byte == 0).next().unwrap_or_default())
            .into_owned())
    }

    /// `zmq_getsockopt` for a number.
    pub fn number(&self, socket: Socket, option: c_int) -> Result<c_int, Errno> {
        let (mut value, mut len) = (0 as c_int, size_of::<c_int>());
        // SAFETY: an open socket, and an int with its size.
        self.check(unsafe { (self.getsockopt)(socket.0, option, (&raw mut value).cast(), &mut len) })?;
        Ok(value)
    }

    /// `zmq_bind`
    pub fn bind(&self, socket: Socket, endpoint: &str) -> Result<c_int, Errno> {
        let endpoint = CString::new(endpoint).map_err(|_| libc::EINVAL)?;
        // SAFETY: an open socket and a terminated string.
        self.check(unsafe { (self.bind)(socket.0, endpoint.as_ptr()) })
    }

    /// `zmq_connect`
    pub fn connect(&self, socket: Socket, endpoint: &str) -> Result<c_int, Errno> {
        let endpoint = CString::new(endpoint).map_err(|_| libc::EINVAL)?;
        // SAFETY: an open socket and a terminated string.
        self.check(unsafe { (self.connect)(socket.0, endpoint.as_ptr()) })
    }

    /// `zmq_curve_keypair`: the public and the secret key, in Z85.
    pub fn curve_keypair(&self) -> Result<(String, String), Errno> {
        let (mut public, mut secret) = ([0_u8; 41], [0_u8; 41]);
        // SAFETY: two buffers of the size that the man page asks for.
        self.check(unsafe { (self.curve_keypair)(public.as_mut_ptr().cast(), secret.as_mut_ptr().cast()) })?;
        let text = |key: &[u8; 41]| String::from_utf8_lossy(&key[..40]).into_owned();
        Ok((text(&public), text(&secret)))
    }

    /// `zmq_socket_monitor`
    pub fn monitor(&self, socket: Socket, endpoint: &str, events: c_int) -> Result<c_int, Errno> {
        let endpoint = CString::new(endpoint).map_err(|_| libc::EINVAL)?;
        // SAFETY: an open socket and a terminated string.
        self.check(unsafe { (self.socket_monitor)(socket.0, endpoint.as_ptr(), events) })
    }

    /// `zmq_socket_monitor` without an endpoint: no more events.
    pub fn unmonitor(&self, socket: Socket) -> Result<c_int, Errno> {
        // SAFETY: an open socket; a null endpoint ends the monitor.
        self.check(unsafe { (self.socket_monitor)(socket.0, std::ptr::null(), 0) })
    }

    /// `zmq_connect_peer`: the peer's routing id.
    pub fn connect_peer(&self, socket: Socket, endpoint: &str) -> Result<u32, Errno> {
        let endpoint = CString::new(endpoint).map_err(|_| libc::EINVAL)?;
        let connect_peer = self.connect_peer.ok_or(libc::ENOSYS)?;
        // SAFETY: an open socket and a terminated string.
        match unsafe { connect_peer(socket.0, endpoint.as_ptr()) } {
            0 => Err(self.check(-1).unwrap_err()),
            id => Ok(id),
        }
    }

    /// `zmq_join` or `zmq_leave`
    pub fn membership(&self, socket: Socket, group: &str, join: bool) -> Result<c_int, Errno> {
        let group = CString::new(group).map_err(|_| libc::EINVAL)?;
        let function = if join { self.join } else { self.leave }.ok_or(libc::ENOSYS)?;
        // SAFETY: an open socket and a terminated string.
        self.check(unsafe { function(socket.0, group.as_ptr()) })
    }

    /// Sends one part.
    pub fn send(&self, socket: Socket, part: &[u8], flags: c_int) -> Result<c_int, Errno> {
        self.send_to(socket, part, flags, &Address::None)
    }

    /// Sends one part to somebody.
    pub fn send_to(
        &self,
        socket: Socket,
        part: &[u8],
        flags: c_int,
        address: &Address,
    ) -> Result<c_int, Errno> {
        let mut message = Message([0; 64]);
        // SAFETY: the message is initialised first, its body has the part's size, and it is closed if it wasn't taken.
        unsafe {
            self.check((self.msg_init_size)(&mut message, part.len()))?;
            let data = (self.msg_data)(&mut message).cast::<u8>();
            std::ptr::copy_nonoverlapping(part.as_ptr(), data, part.len());
            let sent = self
                .address(&mut message, address)
                .and_then(|_| self.check((self.msg_send)(&mut message, socket.0, flags)));
            if sent.is_err() {
                (self.msg_close)(&mut message);
            }
            sent
        }
    }

    fn address(&self, message: &mut Message, address: &Address) -> Result<c_int, Errno> {
        match address {
            Address::None => Ok(0),
            Address::RoutingId(id) => {
                let set = self.msg_set_routing_id.ok_or(libc::ENOSYS)?;
                // SAFETY: an initialised message.
                self.check(unsafe { set(message, *id) })
            }
            Address::Group(group) => {
                let set = self.msg_set_group.ok_or(libc::ENOSYS)?;
                let group = CString::new(group.as_str()).map_err(|_| libc::EINVAL)?;
                // SAFETY: an initialised message and a terminated string.
                self.check(unsafe { set(message, group.as_ptr()) })
            }
        }
    }

    /// Receives one part, and hands it to `look`. The second value tells whether there are more.
    pub fn recv<T>(&self, socket: Socket, look: impl FnOnce(&[u8]) -> T) -> Result<(T, bool), Errno> {
        self.receive(socket, |_, body| look(body))
    }

    /// Receives one part with what it brings along, unless that would be much work for nothing (`zmq_msg_group` and others are for single
    /// parts of some socket types only).
    pub fn recv_from<T>(
        &self,
        socket: Socket,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<(T, bool, Origin), Errno> {
        let ((seen, origin), more) = self.receive(socket, |message, body| {
            let text = |text: *const c_char| {
                // SAFETY: null, or a terminated string that lives as long as the message.
                (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
            };
            // SAFETY: the message has been received, and the name is terminated.
            let origin = unsafe {
                Origin {
                    routing_id: self.msg_routing_id.map_or(0, |get| get(message)),
                    group: self.msg_group.and_then(|get| text(get(message))).unwrap_or_default(),
                    user_id: text((self.msg_gets)(message, c"User-Id".as_ptr())),
                }
            };
            (look(body), origin)
        })?;
        Ok((seen, more, origin))
    }

    fn receive<T>(
        &self,
        socket: Socket,
        look: impl FnOnce(&mut Message, &[u8]) -> T,
    ) -> Result<(T, bool), Errno> {
        let mut message = Message([0; 64]);
        // SAFETY: the message is initialised first, and its body is looked at before it is closed.
        unsafe {
            self.check((self.msg_init)(&mut message))?;
            let received = self.check((self.msg_recv)(&mut message, socket.0, 0)).map(|_| {
                let size = (self.msg_size)(&message);
                let data = (self.msg_data)(&mut message).cast::<u8>();
                let body = if size == 0 { &[][..] } else { std::slice::from_raw_parts(data, size) };
                (look(&mut message, body), (self.msg_more)(&message) != 0)
            });
            (self.msg_close)(&mut message);
            received
        }
    }
}
