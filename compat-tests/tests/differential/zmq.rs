//! The constants of `zmq.h` that the scripts use, without their `ZMQ_`.

#![allow(missing_docs, dead_code)] // the names are those of zmq.h, and the list is whole

use std::ffi::c_int;

/// Socket types by number.
pub const TYPES: [&str; 21] = [
    "PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB", "STREAM",
    "SERVER", "CLIENT", "RADIO", "DISH", "GATHER", "SCATTER", "DGRAM", "PEER", "CHANNEL",
];

pub const PAIR: c_int = 0;
pub const PUB: c_int = 1;
pub const SUB: c_int = 2;
pub const REQ: c_int = 3;
pub const REP: c_int = 4;
pub const DEALER: c_int = 5;
pub const ROUTER: c_int = 6;
pub const PULL: c_int = 7;
pub const PUSH: c_int = 8;
pub const XPUB: c_int = 9;
pub const XSUB: c_int = 10;
pub const STREAM: c_int = 11;
pub const SERVER: c_int = 12;
pub const CLIENT: c_int = 13;
pub const RADIO: c_int = 14;
pub const DISH: c_int = 15;
pub const GATHER: c_int = 16;
pub const SCATTER: c_int = 17;
pub const DGRAM: c_int = 18;
pub const PEER: c_int = 19;
pub const CHANNEL: c_int = 20;

pub const AFFINITY: c_int = 4;
pub const BACKLOG: c_int = 19;
pub const BINDTODEVICE: c_int = 92;
pub const BLOCKY: c_int = 70;
pub const BUSY_POLL: c_int = 113;
pub const CONFLATE: c_int = 54;
pub const CONNECT_ROUTING_ID: c_int = 61;
pub const CONNECT_TIMEOUT: c_int = 79;
pub const CURRENT_EVENT_VERSION: c_int = 1;
pub const CURRENT_EVENT_VERSION_DRAFT: c_int = 2;
pub const CURVE: c_int = 2;
pub const CURVE_PUBLICKEY: c_int = 48;
pub const CURVE_SECRETKEY: c_int = 49;
pub const CURVE_SERVER: c_int = 47;
pub const CURVE_SERVERKEY: c_int = 50;
pub const DISCONNECT_MSG: c_int = 111;
pub const DONTWAIT: c_int = 1;
pub const EVENTS: c_int = 15;
pub const FD: c_int = 14;
pub const GROUP_MAX_LENGTH: c_int = 255;
pub const HANDSHAKE_IVL: c_int = 66;
pub const HEARTBEAT_IVL: c_int = 75;
pub const HEARTBEAT_TIMEOUT: c_int = 77;
pub const HEARTBEAT_TTL: c_int = 76;
pub const HELLO_MSG: c_int = 110;
pub const HICCUP_MSG: c_int = 114;
pub const IMMEDIATE: c_int = 39;
pub const INVERT_MATCHING: c_int = 74;
pub const IN_BATCH_SIZE: c_int = 101;
pub const IO_THREADS: c_int = 1;
pub const IO_THREADS_DFLT: c_int = 1;
pub const IPC_FILTER_GID: c_int = 60;
pub const IPC_FILTER_PID: c_int = 58;
pub const IPC_FILTER_UID: c_int = 59;
pub const IPV4ONLY: c_int = 31;
pub const IPV6: c_int = 42;
pub const LAST_ENDPOINT: c_int = 32;
pub const LINGER: c_int = 17;
pub const LOOPBACK_FASTPATH: c_int = 94;
pub const MAXMSGSIZE: c_int = 22;
pub const MAX_MSGSZ: c_int = 5;
pub const MAX_SOCKETS: c_int = 2;
pub const MAX_SOCKETS_DFLT: c_int = 1023;
pub const MECHANISM: c_int = 43;
pub const METADATA: c_int = 95;
pub const MORE: c_int = 1;
pub const MULTICAST_HOPS: c_int = 25;
pub const MULTICAST_LOOP: c_int = 96;
pub const MULTICAST_MAXTPDU: c_int = 84;
pub const NOTIFY_CONNECT: c_int = 1;
pub const NOTIFY_DISCONNECT: c_int = 2;
pub const NULL: c_int = 0;
pub const ONLY_FIRST_SUBSCRIBE: c_int = 108;
pub const OUT_BATCH_SIZE: c_int = 102;
pub const PLAIN: c_int = 1;
pub const PLAIN_PASSWORD: c_int = 46;
pub const PLAIN_SERVER: c_int = 44;
pub const PLAIN_USERNAME: c_int = 45;
pub const POLLERR: c_int = 4;
pub const POLLIN: c_int = 1;
pub const POLLOUT: c_int = 2;
pub const POLLPRI: c_int = 8;
pub const PRIORITY: c_int = 112;
pub const PROBE_ROUTER: c_int = 51;
pub const RATE: c_int = 8;
pub const RCVBUF: c_int = 12;
pub const RCVHWM: c_int = 24;
pub const RCVMORE: c_int = 13;
pub const RCVTIMEO: c_int = 27;
pub const RECONNECT_IVL: c_int = 18;
pub const RECONNECT_IVL_MAX: c_int = 21;
pub const RECONNECT_STOP: c_int = 109;
pub const RECONNECT_STOP_AFTER_DISCONNECT: c_int = 4;
pub const RECONNECT_STOP_CONN_REFUSED: c_int = 1;
pub const RECONNECT_STOP_HANDSHAKE_FAILED: c_int = 2;
pub const RECOVERY_IVL: c_int = 9;
pub const REQ_CORRELATE: c_int = 52;
pub const REQ_RELAXED: c_int = 53;
pub const ROUTER_HANDOVER: c_int = 56;
pub const ROUTER_MANDATORY: c_int = 33;
pub const ROUTER_NOTIFY: c_int = 97;
pub const ROUTER_RAW: c_int = 41;
pub const ROUTING_ID: c_int = 5;
pub const SHARED: c_int = 3;
pub const SNDBUF: c_int = 11;
pub const SNDHWM: c_int = 23;
pub const SNDMORE: c_int = 2;
pub const SNDTIMEO: c_int = 28;
pub const SOCKET_LIMIT: c_int = 3;
pub const SOCKS_PASSWORD: c_int = 100;
pub const SOCKS_PROXY: c_int = 68;
pub const SOCKS_USERNAME: c_int = 99;
pub const STREAM_NOTIFY: c_int = 73;
pub const SUBSCRIBE: c_int = 6;
pub const TCP_ACCEPT_FILTER: c_int = 38;
pub const TCP_KEEPALIVE: c_int = 34;
pub const TCP_KEEPALIVE_CNT: c_int = 35;
pub const TCP_KEEPALIVE_IDLE: c_int = 36;
pub const TCP_KEEPALIVE_INTVL: c_int = 37;
pub const TCP_MAXRT: c_int = 80;
pub const THREAD_AFFINITY_CPU_ADD: c_int = 7;
pub const THREAD_AFFINITY_CPU_REMOVE: c_int = 8;
pub const THREAD_NAME_PREFIX: c_int = 9;
pub const THREAD_PRIORITY: c_int = 3;
pub const THREAD_PRIORITY_DFLT: c_int = -1;
pub const THREAD_SAFE: c_int = 81;
pub const THREAD_SCHED_POLICY: c_int = 4;
pub const THREAD_SCHED_POLICY_DFLT: c_int = -1;
pub const TOPICS_COUNT: c_int = 116;
pub const TOS: c_int = 57;
pub const TYPE: c_int = 16;
pub const UNSUBSCRIBE: c_int = 7;
pub const USE_FD: c_int = 89;
pub const WSS_CERT_PEM: c_int = 104;
pub const WSS_HOSTNAME: c_int = 106;
pub const WSS_KEY_PEM: c_int = 103;
pub const WSS_TRUST_PEM: c_int = 105;
pub const WSS_TRUST_SYSTEM: c_int = 107;
pub const XPUB_MANUAL: c_int = 71;
pub const XPUB_MANUAL_LAST_VALUE: c_int = 98;
pub const XPUB_NODROP: c_int = 69;
pub const XPUB_VERBOSE: c_int = 40;
pub const XPUB_VERBOSER: c_int = 78;
pub const XPUB_WELCOME_MSG: c_int = 72;
pub const XSUB_VERBOSE_UNSUBSCRIBE: c_int = 115;
pub const ZAP_DOMAIN: c_int = 55;
pub const ZAP_ENFORCE_DOMAIN: c_int = 93;
pub const ZERO_COPY_RECV: c_int = 10;

/// Events of monitors.
pub const EVENTS_BY_BIT: [(u64, &str); 16] = [
    (0x1, "CONNECTED"),
    (0x2, "CONNECT_DELAYED"),
    (0x4, "CONNECT_RETRIED"),
    (0x8, "LISTENING"),
    (0x10, "BIND_FAILED"),
    (0x20, "ACCEPTED"),
    (0x40, "ACCEPT_FAILED"),
    (0x80, "CLOSED"),
    (0x100, "CLOSE_FAILED"),
    (0x200, "DISCONNECTED"),
    (0x400, "MONITOR_STOPPED"),
    (0x800, "HANDSHAKE_FAILED_NO_DETAIL"),
    (0x1000, "HANDSHAKE_SUCCEEDED"),
    (0x2000, "HANDSHAKE_FAILED_PROTOCOL"),
    (0x4000, "HANDSHAKE_FAILED_AUTH"),
    (0x10000, "PIPES_STATS"),
];
