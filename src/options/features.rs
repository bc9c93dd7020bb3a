//! Which optional parts of the library are there.

/// The parts of the library that some options belong to. Without its part, an option is `EINVAL`, as it is in a
/// libzmq that was built without it: better refused than silently without effect, above all for security.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    /// PLAIN (RFC 24).
    pub plain: bool,
    /// CURVE (RFC 26).
    pub curve: bool,
    /// GSSAPI (RFC 38): if the system has a library for it. That is asked when an option of it is used, since asking may load the library.
    pub gssapi: fn() -> bool,
    /// Authentication by ZAP (RFC 27).
    pub zap: bool,
    /// Connecting through a SOCKS5 proxy.
    pub socks: bool,
    /// WebSocket over TLS.
    pub wss: bool,
    /// NORM multicast: likewise.
    pub norm: fn() -> bool,
    /// VMware's virtual sockets.
    pub vmci: bool,
}

impl Features {
    /// What this build of the library has, without the system's help.
    pub const BUILT_IN: Self = Self {
        plain: true,
        curve: true,
        gssapi: || false,
        zap: true,
        socks: true,
        wss: true,
        norm: || false,
        vmci: true,
    };
}
