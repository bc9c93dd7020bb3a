//! The table of all socket options: man pages `zmq_setsockopt` and `zmq_getsockopt`, and where they are silent, what the
//! reference library answers. Defaults stand in [`Options::new`].

use super::entry::{Applied, Empty, Entry, Get, Given, Got, RuntimeValue, Set, Truth, Types};
use super::{Features, MechanismKind, Options, SocketType, rules};
use crate::error::{Error, Result};

use MechanismKind::{Curve, Gssapi, Null, Plain};
use SocketType::{Dealer, Pub, Radio, Rep, Req, Router, Stream, Sub, XPub, XSub};

const MIN: i32 = i32::MIN;
const MAX: i32 = i32::MAX;
/// Longest routing id, user name, domain and the like.
pub(super) const NAME: usize = u8::MAX as usize;
const ANY_SIZE: usize = usize::MAX;

/// An int that can be set and read.
macro_rules! int {
    ($field:ident, $min:expr, $max:expr) => {
        Entry { set: Set::Int($min, $max, |o| &mut o.$field), get: Get::Int(|o| o.$field), ..Entry::BLANK }
    };
}

/// A flag that can be set and read.
macro_rules! flag {
    ($truth:ident, $field:ident) => {
        Entry {
            set: Set::Flag(Truth::$truth, |o| &mut o.$field),
            get: Get::Int(|o| o.$field.into()),
            ..Entry::BLANK
        }
    };
}

/// A flag of some types, which can only be set.
macro_rules! flag_of {
    ($types:expr, $truth:ident, $field:ident) => {
        flag_of!($types, $truth, $field, |_| ())
    };
    ($types:expr, $truth:ident, $field:ident, $then:expr) => {
        Entry { set_on: $types, get: Get::Never, then: $then, ..flag!($truth, $field) }
    };
}

/// Bytes that can only be set.
macro_rules! blob {
    ($empty:ident, $max:expr, $field:ident) => {
        Entry { set: Set::Blob(Empty::$empty, $max, |o| &mut o.$field), ..Entry::BLANK }
    };
}

/// Bytes that can be set, and be read with a terminating zero.
macro_rules! text {
    ($empty:ident, $max:expr, $field:ident) => {
        Entry { get: Get::Text(|o| &o.$field), ..blob!($empty, $max, $field) }
    };
}

/// A CURVE key.
macro_rules! key {
    ($field:ident, $then:expr) => {
        Entry {
            feature: CURVE,
            set: Set::Key(|o| &mut o.$field),
            then: $then,
            get: Get::Key(|o| &o.$field),
            ..Entry::BLANK
        }
    };
}

/// Whether this side is the server of a mechanism.
macro_rules! server {
    ($feature:expr, $mechanism:ident, $then:expr) => {
        Entry {
            feature: $feature,
            then: $then,
            get: Get::Int(|o| (o.as_server && o.mechanism == $mechanism).into()),
            ..flag!(Strict, as_server)
        }
    };
}

const PUBLISHERS: Types = Types::of(&[Pub, XPub]);
const ROUTERS: Types = Types::of(&[Router, Rep]);
const REQ: Types = Types::of(&[Req]);

type Feature = fn(&Features) -> bool;
const PLAIN: Feature = |features| features.plain;
const CURVE: Feature = |features| features.curve;
const GSSAPI: Feature = |features| (features.gssapi)();
const ZAP: Feature = |features| features.zap;
const SOCKS: Feature = |features| features.socks;
const WSS: Feature = |features| features.wss;
const NORM: Feature = |features| (features.norm)();
const VMCI: Feature = |features| features.vmci;

macro_rules! table {
    ($($id:literal $name:ident: $entry:expr;)*) => {
        /// The options' numbers in `zmq.h`.
        #[allow(missing_docs)]
        pub mod id { $(pub const $name: i32 = $id;)* }

        static TABLE: &[Entry] = &[$(Entry { id: $id, name: stringify!($name), ..$entry },)*];
    };
}

table! {
    4 AFFINITY: Entry {
        set: Set::Unsigned(|o| &mut o.affinity), get: Get::Word(|o| o.affinity.to_ne_bytes()), ..Entry::BLANK
    };
    5 ROUTING_ID: Entry { get: Get::Bytes(|o| &o.routing_id), ..blob!(Refused, NAME, routing_id) };
    6 SUBSCRIBE: Entry { set_on: Types::of(&[Sub, Pub, XPub]), set: Set::Action, ..Entry::BLANK };
    7 UNSUBSCRIBE: Entry { set_on: Types::of(&[Sub, Pub, XPub]), set: Set::Action, ..Entry::BLANK };
    8 RATE: int!(rate, 1, MAX);
    9 RECOVERY_IVL: int!(recovery_ivl, 0, MAX);
    11 SNDBUF: int!(sndbuf, -1, MAX);
    12 RCVBUF: int!(rcvbuf, -1, MAX);
    13 RCVMORE: Entry { get: Get::Runtime(RuntimeValue::ReceiveMore), ..Entry::BLANK };
    14 FD: Entry { get: Get::Runtime(RuntimeValue::Descriptor), get_on: WITH_DESCRIPTOR, ..Entry::BLANK };
    15 EVENTS: Entry { get: Get::Runtime(RuntimeValue::Events), ..Entry::BLANK };
    16 TYPE: Entry { get: Get::Int(|o| o.socket_type.raw()), ..Entry::BLANK };
    17 LINGER: int!(linger, -1, MAX);
    18 RECONNECT_IVL: int!(reconnect_ivl, -1, MAX);
    19 BACKLOG: int!(backlog, 0, MAX);
    21 RECONNECT_IVL_MAX: int!(reconnect_ivl_max, 0, MAX);
    22 MAXMSGSIZE: Entry {
        set: Set::Signed(|o| &mut o.maxmsgsize), get: Get::Word(|o| o.maxmsgsize.to_ne_bytes()), ..Entry::BLANK
    };
    23 SNDHWM: int!(sndhwm, 0, MAX);
    24 RCVHWM: int!(rcvhwm, 0, MAX);
    25 MULTICAST_HOPS: int!(multicast_hops, 1, MAX);
    27 RCVTIMEO: int!(rcvtimeo, -1, MAX);
    28 SNDTIMEO: int!(sndtimeo, -1, MAX);
    31 IPV4ONLY: Entry {
        set: Set::Flag(Truth::Strict, |o| &mut o.ipv6), then: |o| o.ipv6 = !o.ipv6,
        get: Get::Int(|o| (!o.ipv6).into()), ..Entry::BLANK
    };
    32 LAST_ENDPOINT: Entry { get: Get::Text(|o| &o.last_endpoint), ..Entry::BLANK };
    33 ROUTER_MANDATORY: flag_of!(ROUTERS, NonNegative, router_mandatory);
    34 TCP_KEEPALIVE: int!(tcp_keepalive, -1, 1);
    35 TCP_KEEPALIVE_CNT: int!(tcp_keepalive_cnt, -1, MAX);
    36 TCP_KEEPALIVE_IDLE: int!(tcp_keepalive_idle, -1, MAX);
    37 TCP_KEEPALIVE_INTVL: int!(tcp_keepalive_intvl, -1, MAX);
    38 TCP_ACCEPT_FILTER: Entry { set: Set::Other(rules::add_accept_filter), ..Entry::BLANK };
    39 IMMEDIATE: flag!(Strict, immediate);
    40 XPUB_VERBOSE: flag_of!(PUBLISHERS, NonNegative, xpub_verbose, |o| o.xpub_verboser = false);
    41 ROUTER_RAW: flag_of!(ROUTERS, NonNegative, router_raw, |o| if o.router_raw {
        // For good: resetting it doesn't undo these.
        o.recv_routing_id = false;
        o.raw_socket = true;
    });
    42 IPV6: flag!(Strict, ipv6);
    43 MECHANISM: Entry { get: Get::Int(|o| o.mechanism as i32), ..Entry::BLANK };
    44 PLAIN_SERVER: server!(PLAIN, Plain, |o| o.mechanism = if o.as_server { Plain } else { Null });
    45 PLAIN_USERNAME: Entry {
        feature: PLAIN, set: Set::Other(|o, given| rules::set_plain(o, given, |o| &mut o.plain_username)),
        get: Get::Text(|o| &o.plain_username), ..Entry::BLANK
    };
    46 PLAIN_PASSWORD: Entry {
        feature: PLAIN, set: Set::Other(|o, given| rules::set_plain(o, given, |o| &mut o.plain_password)),
        get: Get::Text(|o| &o.plain_password), ..Entry::BLANK
    };
    47 CURVE_SERVER: server!(CURVE, Curve, |o| o.mechanism = if o.as_server { Curve } else { Null });
    48 CURVE_PUBLICKEY: key!(curve_publickey, |o| o.mechanism = Curve);
    49 CURVE_SECRETKEY: key!(curve_secretkey, |o| o.mechanism = Curve);
    50 CURVE_SERVERKEY: key!(curve_serverkey, |o| {
        o.mechanism = Curve;
        o.as_server = false;
    });
    51 PROBE_ROUTER: flag_of!(Types::of(&[Dealer, Req, Router, Rep]), NonNegative, probe_router);
    52 REQ_CORRELATE: flag_of!(REQ, NonNegative, req_correlate);
    53 REQ_RELAXED: flag_of!(REQ, NonNegative, req_relaxed);
    54 CONFLATE: flag!(Strict, conflate);
    55 ZAP_DOMAIN: Entry { feature: ZAP, ..text!(Refused, NAME, zap_domain) };
    56 ROUTER_HANDOVER: flag_of!(ROUTERS, NonNegative, router_handover);
    57 TOS: int!(tos, 0, MAX);
    58 IPC_FILTER_PID: Entry {
        set: Set::Other(|o, given| rules::filter(&mut o.ipc_filter_pid, given, |pid| pid)), ..Entry::BLANK
    };
    59 IPC_FILTER_UID: Entry {
        set: Set::Other(|o, given| rules::filter(&mut o.ipc_filter_uid, given, i32::cast_unsigned)), ..Entry::BLANK
    };
    60 IPC_FILTER_GID: Entry {
        set: Set::Other(|o, given| rules::filter(&mut o.ipc_filter_gid, given, i32::cast_unsigned)), ..Entry::BLANK
    };
    61 CONNECT_ROUTING_ID: Entry {
        set_on: Types::of(&[Router, Rep, Stream]), ..blob!(Refused, ANY_SIZE, connect_routing_id)
    };
    62 GSSAPI_SERVER: server!(GSSAPI, Gssapi, |o| o.mechanism = Gssapi);
    63 GSSAPI_PRINCIPAL: Entry {
        feature: GSSAPI, then: |o| o.mechanism = Gssapi, ..text!(Refused, NAME, gssapi_principal)
    };
    64 GSSAPI_SERVICE_PRINCIPAL: Entry {
        feature: GSSAPI,
        then: |o| {
            o.mechanism = Gssapi;
            o.as_server = false;
        },
        ..text!(Refused, NAME, gssapi_service_principal)
    };
    65 GSSAPI_PLAINTEXT: Entry { feature: GSSAPI, ..flag!(Strict, gssapi_plaintext) };
    66 HANDSHAKE_IVL: int!(handshake_ivl, 0, MAX);
    68 SOCKS_PROXY: Entry { feature: SOCKS, ..text!(NullClears, ANY_SIZE, socks_proxy) };
    69 XPUB_NODROP: flag_of!(Types::of(&[Pub, XPub, Radio]), NonNegative, xpub_nodrop);
    71 XPUB_MANUAL: flag_of!(PUBLISHERS, NonNegative, xpub_manual);
    72 XPUB_WELCOME_MSG: Entry { set_on: PUBLISHERS, ..blob!(Clears, ANY_SIZE, xpub_welcome_msg) };
    73 STREAM_NOTIFY: flag_of!(Types::of(&[Stream]), Strict, stream_notify);
    74 INVERT_MATCHING: flag!(Any, invert_matching);
    75 HEARTBEAT_IVL: int!(heartbeat_ivl, 0, MAX);
    76 HEARTBEAT_TTL: Entry {
        set: Set::Other(rules::set_heartbeat_ttl), get: Get::Int(|o| i32::from(o.heartbeat_ttl) * DECISECOND), ..Entry::BLANK
    };
    77 HEARTBEAT_TIMEOUT: int!(heartbeat_timeout, 0, MAX);
    78 XPUB_VERBOSER: flag_of!(PUBLISHERS, NonNegative, xpub_verboser, |o| o.xpub_verbose = o.xpub_verboser);
    79 CONNECT_TIMEOUT: int!(connect_timeout, 0, MAX);
    80 TCP_MAXRT: int!(tcp_maxrt, 0, MAX);
    81 THREAD_SAFE: Entry { get: Get::PaddedInt(|o| o.socket_type.is_thread_safe().into()), ..Entry::BLANK };
    84 MULTICAST_MAXTPDU: int!(multicast_maxtpdu, 1, MAX);
    85 VMCI_BUFFER_SIZE: Entry { feature: VMCI, set: Set::Unsigned(|o| &mut o.vmci_buffer_size), ..Entry::BLANK };
    86 VMCI_BUFFER_MIN_SIZE: Entry { feature: VMCI, set: Set::Unsigned(|o| &mut o.vmci_buffer_min_size), ..Entry::BLANK };
    87 VMCI_BUFFER_MAX_SIZE: Entry { feature: VMCI, set: Set::Unsigned(|o| &mut o.vmci_buffer_max_size), ..Entry::BLANK };
    88 VMCI_CONNECT_TIMEOUT: Entry { feature: VMCI, get: Get::Never, ..int!(vmci_connect_timeout, MIN, MAX) };
    89 USE_FD: int!(use_fd, -1, MAX);
    90 GSSAPI_PRINCIPAL_NAMETYPE: Entry { feature: GSSAPI, ..int!(gssapi_principal_nametype, 0, 2) };
    91 GSSAPI_SERVICE_PRINCIPAL_NAMETYPE: Entry { feature: GSSAPI, ..int!(gssapi_service_principal_nametype, 0, 2) };
    92 BINDTODEVICE: text!(NullClears, libc::IFNAMSIZ, bindtodevice);
    93 ZAP_ENFORCE_DOMAIN: Entry { feature: ZAP, ..flag!(Any, zap_enforce_domain) };
    94 LOOPBACK_FASTPATH: flag!(Any, loopback_fastpath);
    95 METADATA: Entry { set: Set::Other(rules::add_metadata), ..Entry::BLANK };
    96 MULTICAST_LOOP: flag!(Any, multicast_loop);
    97 ROUTER_NOTIFY: Entry { set_on: ROUTERS, ..int!(router_notify, 0, 3) };
    98 XPUB_MANUAL_LAST_VALUE: flag_of!(PUBLISHERS, NonNegative, xpub_manual_last_value,
        |o| o.xpub_manual = o.xpub_manual_last_value);
    99 SOCKS_USERNAME: Entry { feature: SOCKS, ..text!(AnyNullClears, NAME, socks_username) };
    100 SOCKS_PASSWORD: Entry { feature: SOCKS, ..text!(AnyNullClears, NAME, socks_password) };
    101 IN_BATCH_SIZE: int!(in_batch_size, 1, MAX);
    102 OUT_BATCH_SIZE: int!(out_batch_size, 1, MAX);
    103 WSS_KEY_PEM: Entry { feature: WSS, ..blob!(Clears, ANY_SIZE, wss_key_pem) };
    104 WSS_CERT_PEM: Entry { feature: WSS, ..blob!(Clears, ANY_SIZE, wss_cert_pem) };
    105 WSS_TRUST_PEM: Entry { feature: WSS, ..blob!(Clears, ANY_SIZE, wss_trust_pem) };
    106 WSS_HOSTNAME: Entry { feature: WSS, ..blob!(Clears, ANY_SIZE, wss_hostname) };
    107 WSS_TRUST_SYSTEM: Entry { feature: WSS, get: Get::Never, ..flag!(Strict, wss_trust_system) };
    108 ONLY_FIRST_SUBSCRIBE: flag_of!(Types::of(&[Pub, XPub, XSub]), NonNegative, only_first_subscribe);
    109 RECONNECT_STOP: int!(reconnect_stop, MIN, MAX);
    110 HELLO_MSG: blob!(Clears, ANY_SIZE, hello_msg);
    111 DISCONNECT_MSG: blob!(Clears, ANY_SIZE, disconnect_msg);
    112 PRIORITY: int!(priority, 0, MAX);
    113 BUSY_POLL: Entry { get: Get::IntButInvalid(|o| o.busy_poll), ..int!(busy_poll, MIN, MAX) };
    114 HICCUP_MSG: blob!(Clears, ANY_SIZE, hiccup_msg);
    115 XSUB_VERBOSE_UNSUBSCRIBE: Entry {
        set_on: Types::of(&[XSub]), set: Set::Other(rules::set_verbose_unsubscribe), ..Entry::BLANK
    };
    116 TOPICS_COUNT: Entry {
        get: Get::Runtime(RuntimeValue::TopicsCount), get_on: Types::of(&[Pub, XPub, Sub, XSub]), ..Entry::BLANK
    };
    117 NORM_MODE: Entry { feature: NORM, ..int!(norm_mode, 0, 4) };
    118 NORM_UNICAST_NACK: Entry { feature: NORM, ..flag!(Strict, norm_unicast_nack) };
    119 NORM_BUFFER_SIZE: Entry { feature: NORM, ..int!(norm_buffer_size, 1, MAX) };
    120 NORM_SEGMENT_SIZE: Entry { feature: NORM, ..int!(norm_segment_size, 1, MAX) };
    121 NORM_BLOCK_SIZE: Entry { feature: NORM, ..int!(norm_block_size, 1, 255) };
    122 NORM_NUM_PARITY: Entry { feature: NORM, ..int!(norm_num_parity, 0, 254) };
    123 NORM_NUM_AUTOPARITY: Entry { feature: NORM, ..int!(norm_num_autoparity, 0, 254) };
    124 NORM_PUSH: Entry { feature: NORM, ..flag!(Strict, norm_push) };
}

/// The types whose sockets have a descriptor: those that are not thread-safe.
const WITH_DESCRIPTOR: Types = Types::of(&[
    SocketType::Pair,
    Pub,
    Sub,
    Req,
    Rep,
    Dealer,
    Router,
    SocketType::Pull,
    SocketType::Push,
    XPub,
    XSub,
    Stream,
    SocketType::Dgram,
]);

/// Milliseconds in the unit of the heartbeat's time to live on the wire.
pub(super) const DECISECOND: i32 = 100;

/// Position in the table by id; 255 for ids that are no option.
static POSITIONS: [u8; 128] = {
    let mut positions = [u8::MAX; 128];
    let mut position = 0;
    while position < TABLE.len() {
        positions[TABLE[position].id as usize] = position as u8;
        position += 1;
    }
    positions
};

fn find(id: i32) -> Result<&'static Entry> {
    let position = usize::try_from(id).ok().and_then(|id| POSITIONS.get(id));
    position.and_then(|&position| TABLE.get(position as usize)).ok_or(Error::Invalid)
}

impl Options {
    /// `zmq_setsockopt`: checks the value and stores it, and says what is left to be done.
    ///
    /// `EINVAL`: an option that doesn't exist, isn't built in, can't be set, or not on this type of socket; a value of
    /// the wrong size or out of range. Then nothing has changed. `ENOMEM`: no memory for the value.
    pub fn set(&mut self, id: i32, given: Given) -> Result<Applied> {
        let applied = find(id)?.store(self, given)?;
        Ok(match id {
            id::SNDHWM | id::RCVHWM => Applied::HighWaterMark,
            // A publisher takes subscriptions from the program in manual mode only.
            id::SUBSCRIBE | id::UNSUBSCRIBE if self.socket_type != Sub && !self.xpub_manual => {
                return Err(Error::Invalid);
            }
            _ => applied,
        })
    }

    /// `zmq_getsockopt`: writes the value into the buffer, or names the value that only the running socket knows.
    ///
    /// `EINVAL`: an option that doesn't exist, isn't built in, can't be read, or not on this type of socket; a buffer
    /// of the wrong size.
    pub fn get(&self, id: i32, buffer: &mut [u8]) -> Result<Got> {
        find(id)?.load(self, buffer)
    }
}

/// The name of an option in `zmq.h`, without `ZMQ_`; `None` for ids that are no option.
pub fn name(id: i32) -> Option<&'static str> {
    find(id).ok().map(|entry| entry.name)
}

/// Whether an option belongs to the library, or to one of the parts that are there.
pub fn is_built_in(id: i32, features: &Features) -> bool {
    find(id).is_ok_and(|entry| (entry.feature)(features))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order() {
        assert!(TABLE.windows(2).all(|rows| rows[0].id < rows[1].id));
        assert_eq!(name(id::SNDHWM), Some("SNDHWM"));
        for id in [i32::MIN, -1, 0, 10, 125, 127, 128, 255, i32::MAX] {
            assert_eq!(name(id), None);
        }
    }
}
