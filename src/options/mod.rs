//! What can be set on a socket and on a context.
//!
//! [`Options`] holds a socket's settings as typed fields, for the rest of the library to read. How C reaches them
//! (ids, sizes, limits, which socket types know which option) is described once, in the table of `table.rs`.
//! Man pages: `zmq_setsockopt`, `zmq_getsockopt`, `zmq_ctx_set`, `zmq_ctx_get`.

mod address_mask;
mod context;
mod entry;
mod features;
mod rules;
mod socket_type;
mod table;

pub use address_mask::AddressMask;
pub(crate) use address_mask::parse_ipv4;
pub use context::ContextOptions;
pub use entry::{Applied, Given, Got, RuntimeValue, write_int};
pub use features::Features;
pub use socket_type::SocketType;
pub use table::{id, is_built_in, name};

use std::collections::{BTreeMap, BTreeSet};

/// A security mechanism, with the number that `zmq.h` gives it.
#[repr(i32)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MechanismKind {
    /// No security (RFC 37).
    #[default]
    Null = 0,
    /// User name and password (RFC 24).
    Plain = 1,
    /// CurveZMQ (RFC 26).
    Curve = 2,
    /// Kerberos (RFC 38).
    Gssapi = 3,
}

/// The settings of one socket.
///
/// A field bears its option's name in lower case, and is in the option's unit: intervals and time-outs in
/// milliseconds, sizes in bytes, high-water marks in messages. The ranges that `zmq_setsockopt` enforces
/// hold for every field.
#[derive(Clone, Debug)]
pub struct Options {
    /// The socket's type.
    pub socket_type: SocketType,
    /// The parts of the library that this socket's options may switch on.
    pub features: Features,

    // Every socket
    /// Bit mask of the I/O threads that may serve new connections; 0: all of them.
    pub affinity: u64,
    /// The routing id that peers learn; empty, or 1 to 255 bytes.
    pub routing_id: Vec<u8>,
    /// Messages that may wait for one peer; 0: unlimited.
    pub sndhwm: i32,
    /// Messages from one peer that may wait to be received; 0: unlimited.
    pub rcvhwm: i32,
    /// How long unsent messages outlive the socket; -1: for ever, 0: not at all.
    pub linger: i32,
    /// How long a send may block; -1: for ever, 0: not at all.
    pub sndtimeo: i32,
    /// How long a receive may block; -1: for ever, 0: not at all.
    pub rcvtimeo: i32,
    /// Whether messages go to completed connections only.
    pub immediate: bool,
    /// Whether only the last message is kept. See [`Options::effective_conflate`].
    pub conflate: bool,
    /// Largest message that a peer may send; -1 (any negative): unlimited.
    pub maxmsgsize: i64,
    /// The endpoint bound or connected last, as C reads it (without the terminating zero).
    pub last_endpoint: Vec<u8>,
    /// Properties `X-...` that are sent to peers in the handshake.
    pub metadata: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Sent to every new peer, if the socket type does that; empty: none.
    pub hello_msg: Vec<u8>,
    /// Received when a peer goes away, if the socket type does that; empty: none.
    pub disconnect_msg: Vec<u8>,
    /// Received when a connection was lost and is being made anew, if the socket type does that; empty: none.
    pub hiccup_msg: Vec<u8>,

    // Connections
    /// Whether IPv6 addresses may be used.
    pub ipv6: bool,
    /// Pending connections that a listener lets the kernel queue.
    pub backlog: i32,
    /// Pause before a connection is made anew; -1: it is not.
    pub reconnect_ivl: i32,
    /// Upper limit for a pause that doubles each time; 0: the pause doesn't change.
    pub reconnect_ivl_max: i32,
    /// When to give up connecting anew: bits `ZMQ_RECONNECT_STOP_*`.
    pub reconnect_stop: i32,
    /// How long connecting may take; 0: as long as the kernel likes.
    pub connect_timeout: i32,
    /// How long the handshake may take; 0: for ever.
    pub handshake_ivl: i32,
    /// Pause between heartbeats; 0: none are sent.
    pub heartbeat_ivl: i32,
    /// Time to live that heartbeats carry, in tenths of a second as on the wire (RFC 37; C sees milliseconds).
    pub heartbeat_ttl: u16,
    /// How long an answer to a heartbeat may take; -1: as long as `heartbeat_ivl`.
    pub heartbeat_timeout: i32,
    /// Kernel's send buffer; -1: the system's default.
    pub sndbuf: i32,
    /// Kernel's receive buffer; -1: the system's default.
    pub rcvbuf: i32,
    /// Bytes to read at a time.
    pub in_batch_size: i32,
    /// Bytes to write at a time.
    pub out_batch_size: i32,
    /// `SO_BUSY_POLL`, in microseconds; 0: off.
    pub busy_poll: i32,
    /// IP type of service.
    pub tos: i32,
    /// `SO_PRIORITY`.
    pub priority: i32,
    /// Interface to bind to (`SO_BINDTODEVICE`); empty: any.
    pub bindtodevice: Vec<u8>,
    /// Descriptor to use for a listener or connection instead of a new one; -1: none.
    pub use_fd: i32,
    /// `SO_KEEPALIVE`: 0, 1, or -1: leave as is.
    pub tcp_keepalive: i32,
    /// `TCP_KEEPCNT`; -1: leave as is.
    pub tcp_keepalive_cnt: i32,
    /// `TCP_KEEPIDLE`; -1: leave as is.
    pub tcp_keepalive_idle: i32,
    /// `TCP_KEEPINTVL`; -1: leave as is.
    pub tcp_keepalive_intvl: i32,
    /// `TCP_USER_TIMEOUT`; 0: leave as is.
    pub tcp_maxrt: i32,
    /// Addresses that may connect; empty: all of them.
    pub tcp_accept_filters: Vec<AddressMask>,
    /// User ids that may connect over ipc; all three filters empty: everybody.
    pub ipc_filter_uid: BTreeSet<u32>,
    /// Group ids that may connect over ipc.
    pub ipc_filter_gid: BTreeSet<u32>,
    /// Process ids that may connect over ipc.
    pub ipc_filter_pid: BTreeSet<i32>,
    /// Has no effect here (it is Windows').
    pub loopback_fastpath: bool,
    /// Whether large messages are received in place.
    pub zero_copy: bool,

    // Multicast
    /// Rate in kilobits per second.
    pub rate: i32,
    /// How long data can be recovered.
    pub recovery_ivl: i32,
    /// Time to live of multicast packets, in hops.
    pub multicast_hops: i32,
    /// Largest transport data unit.
    pub multicast_maxtpdu: i32,
    /// Whether multicast packets reach this machine's sockets.
    pub multicast_loop: bool,

    // Patterns
    /// ROUTER: a message to an unknown peer is an error.
    pub router_mandatory: bool,
    /// ROUTER: a new peer takes over a routing id in use.
    pub router_handover: bool,
    /// ROUTER: speak plain TCP.
    pub router_raw: bool,
    /// ROUTER: which changes of peers to announce: bits `ZMQ_NOTIFY_*`.
    pub router_notify: i32,
    /// DEALER, REQ, ROUTER, REP: send an empty message to each new peer.
    pub probe_router: bool,
    /// ROUTER, REP, STREAM: the routing id that the next connection gets; empty: none. Taken by that connection.
    pub connect_routing_id: Vec<u8>,
    /// REQ: match replies with requests by number.
    pub req_correlate: bool,
    /// REQ: a new request may follow without a reply.
    pub req_relaxed: bool,
    /// STREAM: announce connections and disconnections.
    pub stream_notify: bool,
    /// PUB, XPUB: pass every subscription on, also repeated ones.
    pub xpub_verbose: bool,
    /// PUB, XPUB: pass every cancellation on. (Setting `ZMQ_XPUB_VERBOSER` sets this and `xpub_verbose`.)
    pub xpub_verboser: bool,
    /// PUB, XPUB: the program decides about subscriptions.
    pub xpub_manual: bool,
    /// PUB, XPUB: in manual mode, the next message goes only to the peer that subscribed last.
    pub xpub_manual_last_value: bool,
    /// PUB, XPUB, RADIO: at the high-water mark, block instead of dropping.
    pub xpub_nodrop: bool,
    /// PUB, XPUB: sent to every new subscriber; empty: none.
    pub xpub_welcome_msg: Vec<u8>,
    /// XPUB, PUB, XSUB: only the first part of a message can be a subscription.
    pub only_first_subscribe: bool,
    /// XSUB: pass every cancellation on.
    pub xsub_verbose_unsubscribe: bool,
    /// Publishers and subscribers: messages go to those that did not subscribe to them.
    pub invert_matching: bool,

    // What follows from the type and from ROUTER_RAW
    /// Whether received messages are filtered here (SUB).
    pub filter: bool,
    /// Whether the peer's routing id reaches the pattern (ROUTER, REP).
    pub recv_routing_id: bool,
    /// Whether the socket speaks no ZMTP (STREAM, DGRAM, ROUTER in raw mode).
    pub raw_socket: bool,

    // Security
    /// The mechanism of all connections; the security option set last decides.
    pub mechanism: MechanismKind,
    /// Whether this side is the mechanism's server.
    pub as_server: bool,
    /// ZAP domain (RFC 27).
    pub zap_domain: Vec<u8>,
    /// Whether an empty ZAP domain means no authentication.
    pub zap_enforce_domain: bool,
    /// PLAIN: user name.
    pub plain_username: Vec<u8>,
    /// PLAIN: password.
    pub plain_password: Vec<u8>,
    /// CURVE: own public key.
    pub curve_publickey: [u8; 32],
    /// CURVE: own secret key.
    pub curve_secretkey: [u8; 32],
    /// CURVE: the server's public key.
    pub curve_serverkey: [u8; 32],
    /// GSSAPI: own principal.
    pub gssapi_principal: Vec<u8>,
    /// GSSAPI: the server's principal.
    pub gssapi_service_principal: Vec<u8>,
    /// GSSAPI: no encryption.
    pub gssapi_plaintext: bool,
    /// GSSAPI: `ZMQ_GSSAPI_NT_*` of the own principal.
    pub gssapi_principal_nametype: i32,
    /// GSSAPI: `ZMQ_GSSAPI_NT_*` of the server's principal.
    pub gssapi_service_principal_nametype: i32,

    // Transports
    /// Address of a SOCKS5 proxy; empty: none.
    pub socks_proxy: Vec<u8>,
    /// User name for the proxy; empty: no authentication.
    pub socks_username: Vec<u8>,
    /// Password for the proxy.
    pub socks_password: Vec<u8>,
    /// wss: private key, PEM.
    pub wss_key_pem: Vec<u8>,
    /// wss: certificate, PEM.
    pub wss_cert_pem: Vec<u8>,
    /// wss: certificates to trust, PEM.
    pub wss_trust_pem: Vec<u8>,
    /// wss: host name to ask for and to verify.
    pub wss_hostname: Vec<u8>,
    /// wss: trust the system's certificates.
    pub wss_trust_system: bool,
    /// vmci: buffer.
    pub vmci_buffer_size: u64,
    /// vmci: smallest buffer.
    pub vmci_buffer_min_size: u64,
    /// vmci: largest buffer.
    pub vmci_buffer_max_size: u64,
    /// vmci: how long connecting may take; -1: the system's default.
    pub vmci_connect_timeout: i32,
    /// norm: `ZMQ_NORM_*` mode of congestion control.
    pub norm_mode: i32,
    /// norm: unicast negative acknowledgements.
    pub norm_unicast_nack: bool,
    /// norm: buffer in KiB.
    pub norm_buffer_size: i32,
    /// norm: segment.
    pub norm_segment_size: i32,
    /// norm: segments per block.
    pub norm_block_size: i32,
    /// norm: parity segments per block.
    pub norm_num_parity: i32,
    /// norm: parity segments sent unasked.
    pub norm_num_autoparity: i32,
    /// norm: push streaming.
    pub norm_push: bool,
}

impl Options {
    /// The settings of a new socket of this type in a context with these options.
    pub fn new(socket_type: SocketType, context: &ContextOptions) -> Self {
        use SocketType::*;
        Self {
            socket_type,
            features: Features::BUILT_IN,
            affinity: 0,
            routing_id: Vec::new(),
            sndhwm: 1000,
            rcvhwm: 1000,
            // Pending subscriptions are not worth waiting for.
            linger: if !context.blocky || matches!(socket_type, XSub | Sub | Dish) { 0 } else { -1 },
            sndtimeo: -1,
            rcvtimeo: -1,
            immediate: false,
            conflate: false,
            maxmsgsize: -1,
            last_endpoint: Vec::new(),
            metadata: BTreeMap::new(),
            hello_msg: Vec::new(),
            disconnect_msg: Vec::new(),
            hiccup_msg: Vec::new(),
            ipv6: context.ipv6,
            backlog: 100,
            reconnect_ivl: 100,
            reconnect_ivl_max: 0,
            reconnect_stop: 0,
            connect_timeout: 0,
            handshake_ivl: 30_000,
            heartbeat_ivl: 0,
            heartbeat_ttl: 0,
            heartbeat_timeout: -1,
            sndbuf: -1,
            rcvbuf: -1,
            in_batch_size: 8192,
            out_batch_size: 8192,
            busy_poll: 0,
            tos: 0,
            priority: 0,
            bindtodevice: Vec::new(),
            use_fd: -1,
            tcp_keepalive: -1,
            tcp_keepalive_cnt: -1,
            tcp_keepalive_idle: -1,
            tcp_keepalive_intvl: -1,
            tcp_maxrt: 0,
            tcp_accept_filters: Vec::new(),
            ipc_filter_uid: BTreeSet::new(),
            ipc_filter_gid: BTreeSet::new(),
            ipc_filter_pid: BTreeSet::new(),
            loopback_fastpath: false,
            zero_copy: context.zero_copy,
            rate: 100,
            recovery_ivl: 10_000,
            multicast_hops: 1,
            multicast_maxtpdu: 1500,
            multicast_loop: true,
            router_mandatory: false,
            router_handover: false,
            router_raw: false,
            router_notify: 0,
            probe_router: false,
            connect_routing_id: Vec::new(),
            req_correlate: false,
            req_relaxed: false,
            stream_notify: true,
            xpub_verbose: false,
            xpub_verboser: false,
            xpub_manual: false,
            xpub_manual_last_value: false,
            xpub_nodrop: false,
            xpub_welcome_msg: Vec::new(),
            only_first_subscribe: false,
            xsub_verbose_unsubscribe: false,
            invert_matching: false,
            filter: socket_type == Sub,
            recv_routing_id: matches!(socket_type, Router | Rep),
            raw_socket: matches!(socket_type, Stream | Dgram),
            mechanism: MechanismKind::Null,
            as_server: false,
            zap_domain: Vec::new(),
            zap_enforce_domain: false,
            plain_username: Vec::new(),
            plain_password: Vec::new(),
            curve_publickey: [0; 32],
            curve_secretkey: [0; 32],
            curve_serverkey: [0; 32],
            gssapi_principal: Vec::new(),
            gssapi_service_principal: Vec::new(),
            gssapi_plaintext: false,
            gssapi_principal_nametype: 0,
            gssapi_service_principal_nametype: 0,
            socks_proxy: Vec::new(),
            socks_username: Vec::new(),
            socks_password: Vec::new(),
            wss_key_pem: Vec::new(),
            wss_cert_pem: Vec::new(),
            wss_trust_pem: Vec::new(),
            wss_hostname: Vec::new(),
            wss_trust_system: false,
            vmci_buffer_size: 0,
            vmci_buffer_min_size: 0,
            vmci_buffer_max_size: 0,
            vmci_connect_timeout: -1,
            norm_mode: 1,
            norm_unicast_nack: false,
            norm_buffer_size: 2048,
            norm_segment_size: 1400,
            norm_block_size: 16,
            norm_num_parity: 4,
            norm_num_autoparity: 0,
            norm_push: false,
        }
    }

    /// Whether only the last message is kept: `conflate`, for the types that heed it.
    pub fn effective_conflate(&self) -> bool {
        use SocketType::*;
        self.conflate && matches!(self.socket_type, Dealer | Pull | Push | Pub | Sub)
    }
}
