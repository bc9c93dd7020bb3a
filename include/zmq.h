/* ferrozmq: the C API of libzmq. Made by cbindgen from ffi/; `FERROZMQ_WRITE_HEADER=1 cargo build` makes it anew. */

#ifndef __ZMQ_H_INCLUDED__
#define __ZMQ_H_INCLUDED__


#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#define ZMQ_MAKE_VERSION(major, minor, patch) ((major) * 10000 + (minor) * 100 + (patch))
#define ZMQ_VERSION ZMQ_MAKE_VERSION (ZMQ_VERSION_MAJOR, ZMQ_VERSION_MINOR, ZMQ_VERSION_PATCH)

/* ZMQ_NO_EXPORT: for those who declare visibility themselves. */
#if !defined ZMQ_NO_EXPORT && defined __GNUC__ && __GNUC__ >= 4
#define ZMQ_EXPORT __attribute__ ((visibility ("default")))
#else
#define ZMQ_EXPORT
#endif

/* The header brings the integer types of C99 along. */
#define ZMQ_DEFINED_STDINT 1

/* Errors of POSIX, for a platform that has no number of its own for one. */
#ifndef ENOTSUP
#define ENOTSUP (ZMQ_HAUSNUMERO + 1)
#endif
#ifndef EPROTONOSUPPORT
#define EPROTONOSUPPORT (ZMQ_HAUSNUMERO + 2)
#endif
#ifndef ENOBUFS
#define ENOBUFS (ZMQ_HAUSNUMERO + 3)
#endif
#ifndef ENETDOWN
#define ENETDOWN (ZMQ_HAUSNUMERO + 4)
#endif
#ifndef EADDRINUSE
#define EADDRINUSE (ZMQ_HAUSNUMERO + 5)
#endif
#ifndef EADDRNOTAVAIL
#define EADDRNOTAVAIL (ZMQ_HAUSNUMERO + 6)
#endif
#ifndef ECONNREFUSED
#define ECONNREFUSED (ZMQ_HAUSNUMERO + 7)
#endif
#ifndef EINPROGRESS
#define EINPROGRESS (ZMQ_HAUSNUMERO + 8)
#endif
#ifndef ENOTSOCK
#define ENOTSOCK (ZMQ_HAUSNUMERO + 9)
#endif
#ifndef EMSGSIZE
#define EMSGSIZE (ZMQ_HAUSNUMERO + 10)
#endif
#ifndef EAFNOSUPPORT
#define EAFNOSUPPORT (ZMQ_HAUSNUMERO + 11)
#endif
#ifndef ENETUNREACH
#define ENETUNREACH (ZMQ_HAUSNUMERO + 12)
#endif
#ifndef ECONNABORTED
#define ECONNABORTED (ZMQ_HAUSNUMERO + 13)
#endif
#ifndef ECONNRESET
#define ECONNRESET (ZMQ_HAUSNUMERO + 14)
#endif
#ifndef ENOTCONN
#define ENOTCONN (ZMQ_HAUSNUMERO + 15)
#endif
#ifndef ETIMEDOUT
#define ETIMEDOUT (ZMQ_HAUSNUMERO + 16)
#endif
#ifndef EHOSTUNREACH
#define EHOSTUNREACH (ZMQ_HAUSNUMERO + 17)
#endif
#ifndef ENETRESET
#define ENETRESET (ZMQ_HAUSNUMERO + 18)
#endif

/* What these macros announce: zmq_timers_* and, as a draft, zmq_poller_*. */
#define ZMQ_HAVE_TIMERS
#ifdef ZMQ_BUILD_DRAFT_API
#define ZMQ_HAVE_POLLER

/* Names of message properties (zmq_msg_gets(3)). */
#define ZMQ_MSG_PROPERTY_ROUTING_ID "Routing-Id"
#define ZMQ_MSG_PROPERTY_SOCKET_TYPE "Socket-Type"
#define ZMQ_MSG_PROPERTY_USER_ID "User-Id"
#define ZMQ_MSG_PROPERTY_PEER_ADDRESS "Peer-Address"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A message. Opaque; 64 bytes, aligned like a pointer (zmq_msg_init(3)). */
typedef struct zmq_msg_t {
#ifdef __GNUC__
    unsigned char _[64] __attribute__ ((aligned (sizeof (void *))));
#else
    unsigned char _[64];
#endif
} zmq_msg_t;

/* A file descriptor. */
typedef int zmq_fd_t;

/* Releases the body of a message: body, then hint (zmq_msg_init_data(3)). */
typedef void (zmq_free_fn) (void *data, void *hint);

/* Called when a timer is due (zmq_timers(3)). */
typedef void (zmq_timer_fn) (int timer_id, void *arg);

/* The body of a thread (zmq_threadstart). */
typedef void (zmq_thread_fn) (void *arg);

/* <sys/uio.h> has it, for those who call zmq_sendiov or zmq_recviov. */
struct iovec;

#ifdef __cplusplus
}
#endif


/* The version of the API that this header declares. */
#define ZMQ_VERSION_MAJOR 4
#define ZMQ_VERSION_MINOR 3
#define ZMQ_VERSION_PATCH 6

/* What the library's own errno values count from. */
#define ZMQ_HAUSNUMERO 156384712

/* Errors that errno(3) has no name for: wrong state, transport and socket type at odds, context terminated, no I/O thread. */
#define EFSM (ZMQ_HAUSNUMERO + 51)
#define ENOCOMPATPROTO (ZMQ_HAUSNUMERO + 52)
#define ETERM (ZMQ_HAUSNUMERO + 53)
#define EMTHREAD (ZMQ_HAUSNUMERO + 54)

/* Context options, zmq_ctx_set(3) and zmq_ctx_get(3). */
#define ZMQ_IO_THREADS 1
#define ZMQ_MAX_SOCKETS 2
#define ZMQ_SOCKET_LIMIT 3
#define ZMQ_THREAD_PRIORITY 3
#define ZMQ_THREAD_SCHED_POLICY 4
#define ZMQ_MAX_MSGSZ 5
#define ZMQ_MSG_T_SIZE 6
#define ZMQ_THREAD_AFFINITY_CPU_ADD 7
#define ZMQ_THREAD_AFFINITY_CPU_REMOVE 8
#define ZMQ_THREAD_NAME_PREFIX 9

/* What a new context starts with. */
#define ZMQ_IO_THREADS_DFLT 1
#define ZMQ_MAX_SOCKETS_DFLT 1023
#define ZMQ_THREAD_PRIORITY_DFLT -1
#define ZMQ_THREAD_SCHED_POLICY_DFLT -1

/* Socket types, zmq_socket(3). */
#define ZMQ_PAIR 0
#define ZMQ_PUB 1
#define ZMQ_SUB 2
#define ZMQ_REQ 3
#define ZMQ_REP 4
#define ZMQ_DEALER 5
#define ZMQ_ROUTER 6
#define ZMQ_PULL 7
#define ZMQ_PUSH 8
#define ZMQ_XPUB 9
#define ZMQ_XSUB 10
#define ZMQ_STREAM 11

/* Socket types by their old names. */
#define ZMQ_XREQ ZMQ_DEALER
#define ZMQ_XREP ZMQ_ROUTER

/* Socket options, zmq_setsockopt(3) and zmq_getsockopt(3). */
#define ZMQ_AFFINITY 4
#define ZMQ_ROUTING_ID 5
#define ZMQ_SUBSCRIBE 6
#define ZMQ_UNSUBSCRIBE 7
#define ZMQ_RATE 8
#define ZMQ_RECOVERY_IVL 9
#define ZMQ_SNDBUF 11
#define ZMQ_RCVBUF 12
#define ZMQ_RCVMORE 13
#define ZMQ_FD 14
#define ZMQ_EVENTS 15
#define ZMQ_TYPE 16
#define ZMQ_LINGER 17
#define ZMQ_RECONNECT_IVL 18
#define ZMQ_BACKLOG 19
#define ZMQ_RECONNECT_IVL_MAX 21
#define ZMQ_MAXMSGSIZE 22
#define ZMQ_SNDHWM 23
#define ZMQ_RCVHWM 24
#define ZMQ_MULTICAST_HOPS 25
#define ZMQ_RCVTIMEO 27
#define ZMQ_SNDTIMEO 28
#define ZMQ_LAST_ENDPOINT 32
#define ZMQ_ROUTER_MANDATORY 33
#define ZMQ_TCP_KEEPALIVE 34
#define ZMQ_TCP_KEEPALIVE_CNT 35
#define ZMQ_TCP_KEEPALIVE_IDLE 36
#define ZMQ_TCP_KEEPALIVE_INTVL 37
#define ZMQ_IMMEDIATE 39
#define ZMQ_XPUB_VERBOSE 40
#define ZMQ_ROUTER_RAW 41
#define ZMQ_IPV6 42
#define ZMQ_MECHANISM 43
#define ZMQ_PLAIN_SERVER 44
#define ZMQ_PLAIN_USERNAME 45
#define ZMQ_PLAIN_PASSWORD 46
#define ZMQ_CURVE_SERVER 47
#define ZMQ_CURVE_PUBLICKEY 48
#define ZMQ_CURVE_SECRETKEY 49
#define ZMQ_CURVE_SERVERKEY 50
#define ZMQ_PROBE_ROUTER 51
#define ZMQ_REQ_CORRELATE 52
#define ZMQ_REQ_RELAXED 53
#define ZMQ_CONFLATE 54
#define ZMQ_ZAP_DOMAIN 55
#define ZMQ_ROUTER_HANDOVER 56
#define ZMQ_TOS 57
#define ZMQ_CONNECT_ROUTING_ID 61
#define ZMQ_GSSAPI_SERVER 62
#define ZMQ_GSSAPI_PRINCIPAL 63
#define ZMQ_GSSAPI_SERVICE_PRINCIPAL 64
#define ZMQ_GSSAPI_PLAINTEXT 65
#define ZMQ_HANDSHAKE_IVL 66
#define ZMQ_SOCKS_PROXY 68
#define ZMQ_XPUB_NODROP 69
#define ZMQ_BLOCKY 70
#define ZMQ_XPUB_MANUAL 71
#define ZMQ_XPUB_WELCOME_MSG 72
#define ZMQ_STREAM_NOTIFY 73
#define ZMQ_INVERT_MATCHING 74
#define ZMQ_HEARTBEAT_IVL 75
#define ZMQ_HEARTBEAT_TTL 76
#define ZMQ_HEARTBEAT_TIMEOUT 77
#define ZMQ_XPUB_VERBOSER 78
#define ZMQ_CONNECT_TIMEOUT 79
#define ZMQ_TCP_MAXRT 80
#define ZMQ_THREAD_SAFE 81
#define ZMQ_MULTICAST_MAXTPDU 84
#define ZMQ_VMCI_BUFFER_SIZE 85
#define ZMQ_VMCI_BUFFER_MIN_SIZE 86
#define ZMQ_VMCI_BUFFER_MAX_SIZE 87
#define ZMQ_VMCI_CONNECT_TIMEOUT 88
#define ZMQ_USE_FD 89
#define ZMQ_GSSAPI_PRINCIPAL_NAMETYPE 90
#define ZMQ_GSSAPI_SERVICE_PRINCIPAL_NAMETYPE 91
#define ZMQ_BINDTODEVICE 92

/* Message properties, zmq_msg_get(3). */
#define ZMQ_MORE 1
#define ZMQ_SHARED 3

/* Flags of the calls that send and receive. */
#define ZMQ_DONTWAIT 1
#define ZMQ_SNDMORE 2

/* Security mechanisms, what ZMQ_MECHANISM says. */
#define ZMQ_NULL 0
#define ZMQ_PLAIN 1
#define ZMQ_CURVE 2
#define ZMQ_GSSAPI 3

/* The longest group that zmq_join(3) takes, in bytes. */
#define ZMQ_GROUP_MAX_LENGTH 255

/* Options that are deprecated, and options by their old names. */
#define ZMQ_IDENTITY ZMQ_ROUTING_ID
#define ZMQ_CONNECT_RID ZMQ_CONNECT_ROUTING_ID
#define ZMQ_TCP_ACCEPT_FILTER 38
#define ZMQ_IPC_FILTER_PID 58
#define ZMQ_IPC_FILTER_UID 59
#define ZMQ_IPC_FILTER_GID 60
#define ZMQ_IPV4ONLY 31
#define ZMQ_DELAY_ATTACH_ON_CONNECT ZMQ_IMMEDIATE
#define ZMQ_NOBLOCK ZMQ_DONTWAIT
#define ZMQ_FAIL_UNROUTABLE ZMQ_ROUTER_MANDATORY
#define ZMQ_ROUTER_BEHAVIOR ZMQ_ROUTER_MANDATORY

/* A message property that is deprecated: the descriptor that the message came from. */
#define ZMQ_SRCFD 2

/* How to read a GSSAPI principal, zmq_gssapi(7). */
#define ZMQ_GSSAPI_NT_HOSTBASED 0
#define ZMQ_GSSAPI_NT_USER_NAME 1
#define ZMQ_GSSAPI_NT_KRB5_PRINCIPAL 2

/* What a monitor reports, zmq_socket_monitor(3). */
#define ZMQ_EVENT_CONNECTED 0x0001
#define ZMQ_EVENT_CONNECT_DELAYED 0x0002
#define ZMQ_EVENT_CONNECT_RETRIED 0x0004
#define ZMQ_EVENT_LISTENING 0x0008
#define ZMQ_EVENT_BIND_FAILED 0x0010
#define ZMQ_EVENT_ACCEPTED 0x0020
#define ZMQ_EVENT_ACCEPT_FAILED 0x0040
#define ZMQ_EVENT_CLOSED 0x0080
#define ZMQ_EVENT_CLOSE_FAILED 0x0100
#define ZMQ_EVENT_DISCONNECTED 0x0200
#define ZMQ_EVENT_MONITOR_STOPPED 0x0400
#define ZMQ_EVENT_ALL 0xffff
#define ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL 0x0800
#define ZMQ_EVENT_HANDSHAKE_SUCCEEDED 0x1000
#define ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL 0x2000
#define ZMQ_EVENT_HANDSHAKE_FAILED_AUTH 0x4000

/* The value of ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: what the peer, or the ZAP handler, did wrong. */
#define ZMQ_PROTOCOL_ERROR_ZMTP_UNSPECIFIED 0x10000000
#define ZMQ_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND 0x10000001
#define ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE 0x10000002
#define ZMQ_PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE 0x10000003
#define ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED 0x10000011
#define ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE 0x10000012
#define ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO 0x10000013
#define ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_INITIATE 0x10000014
#define ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR 0x10000015
#define ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_READY 0x10000016
#define ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_WELCOME 0x10000017
#define ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_METADATA 0x10000018
#define ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC 0x11000001
#define ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH 0x11000002
#define ZMQ_PROTOCOL_ERROR_ZAP_UNSPECIFIED 0x20000000
#define ZMQ_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY 0x20000001
#define ZMQ_PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID 0x20000002
#define ZMQ_PROTOCOL_ERROR_ZAP_BAD_VERSION 0x20000003
#define ZMQ_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE 0x20000004
#define ZMQ_PROTOCOL_ERROR_ZAP_INVALID_METADATA 0x20000005
#define ZMQ_PROTOCOL_ERROR_WS_UNSPECIFIED 0x30000000

/* Readiness, zmq_poll(3). */
#define ZMQ_POLLIN 1
#define ZMQ_POLLOUT 2
#define ZMQ_POLLERR 4
#define ZMQ_POLLPRI 8

/* How many items the original zmq_poll(3) takes without allocating. It limits nothing. */
#define ZMQ_POLLITEMS_DFLT 16

/* zmq_has(3) is there. */
#define ZMQ_HAS_CAPABILITIES 1

/* Devices, zmq_device(3). */
#define ZMQ_STREAMER 1
#define ZMQ_FORWARDER 2
#define ZMQ_QUEUE 3

#if defined(ZMQ_BUILD_DRAFT_API)
/* Draft socket types. */
#define ZMQ_SERVER 12
#define ZMQ_CLIENT 13
#define ZMQ_RADIO 14
#define ZMQ_DISH 15
#define ZMQ_GATHER 16
#define ZMQ_SCATTER 17
#define ZMQ_DGRAM 18
#define ZMQ_PEER 19
#define ZMQ_CHANNEL 20

/* Draft socket options. */
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#define ZMQ_LOOPBACK_FASTPATH 94
#define ZMQ_METADATA 95
#define ZMQ_MULTICAST_LOOP 96
#define ZMQ_ROUTER_NOTIFY 97
#define ZMQ_XPUB_MANUAL_LAST_VALUE 98
#define ZMQ_SOCKS_USERNAME 99
#define ZMQ_SOCKS_PASSWORD 100
#define ZMQ_IN_BATCH_SIZE 101
#define ZMQ_OUT_BATCH_SIZE 102
#define ZMQ_WSS_KEY_PEM 103
#define ZMQ_WSS_CERT_PEM 104
#define ZMQ_WSS_TRUST_PEM 105
#define ZMQ_WSS_HOSTNAME 106
#define ZMQ_WSS_TRUST_SYSTEM 107
#define ZMQ_ONLY_FIRST_SUBSCRIBE 108
#define ZMQ_RECONNECT_STOP 109
#define ZMQ_HELLO_MSG 110
#define ZMQ_DISCONNECT_MSG 111
#define ZMQ_PRIORITY 112
#define ZMQ_BUSY_POLL 113
#define ZMQ_HICCUP_MSG 114
#define ZMQ_XSUB_VERBOSE_UNSUBSCRIBE 115
#define ZMQ_TOPICS_COUNT 116
#define ZMQ_NORM_MODE 117
#define ZMQ_NORM_UNICAST_NACK 118
#define ZMQ_NORM_BUFFER_SIZE 119
#define ZMQ_NORM_SEGMENT_SIZE 120
#define ZMQ_NORM_BLOCK_SIZE 121
#define ZMQ_NORM_NUM_PARITY 122
#define ZMQ_NORM_NUM_AUTOPARITY 123
#define ZMQ_NORM_PUSH 124

/* Values of ZMQ_NORM_MODE. */
#define ZMQ_NORM_FIXED 0
#define ZMQ_NORM_CC 1
#define ZMQ_NORM_CCL 2
#define ZMQ_NORM_CCE 3
#define ZMQ_NORM_CCE_ECNONLY 4

/* Flags of ZMQ_RECONNECT_STOP: when not to try again. */
#define ZMQ_RECONNECT_STOP_CONN_REFUSED 1
#define ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED 2
#define ZMQ_RECONNECT_STOP_AFTER_DISCONNECT 4

/* A draft context option. */
#define ZMQ_ZERO_COPY_RECV 10

/* Flags of ZMQ_ROUTER_NOTIFY. */
#define ZMQ_NOTIFY_CONNECT 1
#define ZMQ_NOTIFY_DISCONNECT 2

/* What a monitor of version 2 can report besides. */
#define ZMQ_EVENT_PIPES_STATS 0x10000

/* Versions of the monitor's messages. */
#define ZMQ_CURRENT_EVENT_VERSION 1
#define ZMQ_CURRENT_EVENT_VERSION_DRAFT 2

/* Everything that a monitor of each version reports. */
#define ZMQ_EVENT_ALL_V1 ZMQ_EVENT_ALL
#define ZMQ_EVENT_ALL_V2 (ZMQ_EVENT_ALL_V1 | ZMQ_EVENT_PIPES_STATS)
#endif

/* A socket, or else a descriptor, and what to wait for on it. */
typedef struct zmq_pollitem_t {
    /* The socket; null to use `fd`. */
    void *socket;
    /* The descriptor, where there is no socket. */
    zmq_fd_t fd;
    /* What to wait for: ZMQ_POLLIN, ZMQ_POLLOUT, ZMQ_POLLERR, ZMQ_POLLPRI. */
    short events;
    /* What there was. */
    short revents;
} zmq_pollitem_t;

#if defined(ZMQ_BUILD_DRAFT_API)
/* What a poller reports. */
typedef struct zmq_poller_event_t {
    /* The socket that is ready, or null. */
    void *socket;
    /* The descriptor that is ready, where there is no socket. */
    zmq_fd_t fd;
    /* What was given when it was added. */
    void *user_data;
    /* What it is ready for. */
    short events;
} zmq_poller_event_t;
#endif

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/* The value of errno, as this library sees it (zmq_errno(3)). */
ZMQ_EXPORT int zmq_errno(void);

/* What an errno value means, in words that live as long as the process (zmq_strerror(3)). */
ZMQ_EXPORT const char *zmq_strerror(int errnum);

/* The version of the API that the library implements (zmq_version(3)). */
ZMQ_EXPORT void zmq_version(int *major, int *minor, int *patch);

/* 1 if the library can do what `capability` names, else 0 (zmq_has(3)). */
ZMQ_EXPORT int zmq_has(const char *capability);

/* Writes `size` bytes, a multiple of 4, as Z85 text with a terminating zero; returns `dest`, or null (zmq_z85_encode(3)). */
ZMQ_EXPORT char *zmq_z85_encode(char *dest, const uint8_t *data, size_t size);

/* Decodes Z85 text, whose length is a multiple of 5; returns `dest`, or null (zmq_z85_decode(3)). */
ZMQ_EXPORT uint8_t *zmq_z85_decode(uint8_t *dest, const char *string);

/*
 Makes a pair of CURVE keys, each 40 characters of Z85 and a zero (zmq_curve_keypair(3)). EFAULT for null; else what the
 system says if it has no random bytes.
 */
ZMQ_EXPORT int zmq_curve_keypair(char *z85_public_key, char *z85_secret_key);

/* The public key that goes with a secret one (zmq_curve_public(3)). EINVAL if that isn't 40 characters of Z85, EFAULT for null. */
ZMQ_EXPORT int zmq_curve_public(char *z85_public_key, const char *z85_secret_key);

/* A new counter, at 0 (zmq_atomic_counter_new(3)). */
ZMQ_EXPORT void *zmq_atomic_counter_new(void);

/* Sets a counter (zmq_atomic_counter_set(3)). */
ZMQ_EXPORT void zmq_atomic_counter_set(void *counter, int value);

/* Adds 1; returns the value from before (zmq_atomic_counter_inc(3)). */
ZMQ_EXPORT int zmq_atomic_counter_inc(void *counter);

/* Subtracts 1; returns 0 when the counter has reached 0, else 1 (zmq_atomic_counter_dec(3)). */
ZMQ_EXPORT int zmq_atomic_counter_dec(void *counter);

/* The value of a counter (zmq_atomic_counter_value(3)). */
ZMQ_EXPORT int zmq_atomic_counter_value(void *counter);

/* Destroys a counter and sets the pointer to null (zmq_atomic_counter_destroy(3)). */
ZMQ_EXPORT void zmq_atomic_counter_destroy(void **counter);

/*
 Starts a stopwatch.

 The handle holds the time itself: nothing is allocated, so nothing can leak or be used too late.
 */
ZMQ_EXPORT void *zmq_stopwatch_start(void);

/* The microseconds since a stopwatch was started; it runs on. */
ZMQ_EXPORT unsigned long zmq_stopwatch_intermediate(void *watch);

/* The microseconds since a stopwatch was started, which ends. */
ZMQ_EXPORT unsigned long zmq_stopwatch_stop(void *watch);

/* Sleeps that many seconds, or until a signal. */
ZMQ_EXPORT void zmq_sleep(int seconds);

/* A new context, or null (zmq_ctx_new(3)). */
ZMQ_EXPORT void *zmq_ctx_new(void);

/* Ends a context: waits until all of its sockets are closed and what they linger for is sent (zmq_ctx_term(3)). */
ZMQ_EXPORT int zmq_ctx_term(void *context);

/* Makes every call on the context's sockets return ETERM (zmq_ctx_shutdown(3)). */
ZMQ_EXPORT int zmq_ctx_shutdown(void *context);

/* Sets an option of a context (zmq_ctx_set(3)). */
ZMQ_EXPORT int zmq_ctx_set(void *context, int option, int value);

/* An option of a context (zmq_ctx_get(3)). */
ZMQ_EXPORT int zmq_ctx_get(void *context, int option);

/* Deprecated: `zmq_ctx_new` with a number of I/O threads. */
ZMQ_EXPORT void *zmq_init(int io_threads);

/* Deprecated: `zmq_ctx_term`. */
ZMQ_EXPORT int zmq_term(void *context);

/* Deprecated: `zmq_ctx_term`. */
ZMQ_EXPORT int zmq_ctx_destroy(void *context);

#if defined(ZMQ_BUILD_DRAFT_API)
/* Sets an option of a context whose value may be more than an int. */
ZMQ_EXPORT int zmq_ctx_set_ext(void *context, int option, const void *value, size_t len);

/* An option of a context whose value may be more than an int. */
ZMQ_EXPORT int zmq_ctx_get_ext(void *context, int option, void *value, size_t *len);
#endif

/* Makes an empty message (zmq_msg_init(3)). */
ZMQ_EXPORT int zmq_msg_init(zmq_msg_t *message);

/* Makes a message of a given size, with arbitrary content (zmq_msg_init_size(3)). */
ZMQ_EXPORT int zmq_msg_init_size(zmq_msg_t *message, size_t size);

/*
 Makes a message over memory of the caller's, which `free_fn` gets back with `hint`, once, from any thread. Without a
 function the memory is never freed, and must not change (zmq_msg_init_data(3)).
 */
ZMQ_EXPORT int zmq_msg_init_data(zmq_msg_t *message, void *data, size_t size, zmq_free_fn free_fn, void *hint);

#if defined(ZMQ_BUILD_DRAFT_API)
/* Makes a message with a copy of a buffer (zmq_msg_init_buffer(3)). */
ZMQ_EXPORT int zmq_msg_init_buffer(zmq_msg_t *message, const void *data, size_t size);
#endif

/* Releases a message; it has to be initialised before it can be used again (zmq_msg_close(3)). */
ZMQ_EXPORT int zmq_msg_close(zmq_msg_t *message);

/* Moves a message; the source is empty then (zmq_msg_move(3)). Moving one to itself does nothing. */
ZMQ_EXPORT int zmq_msg_move(zmq_msg_t *dest, zmq_msg_t *source);

/* Makes a message refer to another one's body (zmq_msg_copy(3)). Copying one to itself does nothing. */
ZMQ_EXPORT int zmq_msg_copy(zmq_msg_t *dest, zmq_msg_t *source);

/* The body of a message (zmq_msg_data(3)). */
ZMQ_EXPORT void *zmq_msg_data(zmq_msg_t *message);

/* The size of a message's body, in bytes (zmq_msg_size(3)). 0, with errno set, if it isn't a message. */
ZMQ_EXPORT size_t zmq_msg_size(const zmq_msg_t *message);

/* 1 if more parts follow, else 0 (zmq_msg_more(3)). */
ZMQ_EXPORT int zmq_msg_more(const zmq_msg_t *message);

/* A property of a message: ZMQ_MORE, ZMQ_SHARED or ZMQ_SRCFD (zmq_msg_get(3)). */
ZMQ_EXPORT int zmq_msg_get(const zmq_msg_t *message, int property);

/* Sets a property of a message. There is none that can be set: always EINVAL (zmq_msg_set(3)). */
ZMQ_EXPORT int zmq_msg_set(zmq_msg_t *message, int property, int value);

/*
 A property of the connection that a message came over, as a string that lives as long as the message
 (zmq_msg_gets(3)).
 */
ZMQ_EXPORT const char *zmq_msg_gets(const zmq_msg_t *message, const char *property);

#if defined(ZMQ_BUILD_DRAFT_API)
/* Sets the routing id, which isn't 0 (zmq_msg_set_routing_id(3)). */
ZMQ_EXPORT int zmq_msg_set_routing_id(zmq_msg_t *message, uint32_t routing_id);

/* The routing id, 0 if there is none (zmq_msg_routing_id(3)). */
ZMQ_EXPORT uint32_t zmq_msg_routing_id(zmq_msg_t *message);

/* Sets the group; of a longer one the first ZMQ_GROUP_MAX_LENGTH bytes count. */
ZMQ_EXPORT int zmq_msg_set_group(zmq_msg_t *message, const char *group);

/* The group, an empty string if there is none. It lives until the group is set, or the message moved or closed. */
ZMQ_EXPORT const char *zmq_msg_group(zmq_msg_t *message);
#endif

/* A new socket, or null (zmq_socket(3)). */
ZMQ_EXPORT void *zmq_socket(void *context, int socket_type);

/* Closes a socket; what it still has to send is sent in the background (zmq_close(3)). */
ZMQ_EXPORT int zmq_close(void *socket);

/* Sets an option of a socket (zmq_setsockopt(3)). */
ZMQ_EXPORT int zmq_setsockopt(void *socket, int option, const void *value, size_t len);

/* An option of a socket (zmq_getsockopt(3)). */
ZMQ_EXPORT int zmq_getsockopt(void *socket, int option, void *value, size_t *len);

/* Accepts connections at an endpoint (zmq_bind(3)). */
ZMQ_EXPORT int zmq_bind(void *socket, const char *endpoint);

/* Connects to an endpoint (zmq_connect(3)). */
ZMQ_EXPORT int zmq_connect(void *socket, const char *endpoint);

/* Stops accepting connections at an endpoint (zmq_unbind(3)). */
ZMQ_EXPORT int zmq_unbind(void *socket, const char *endpoint);

/* Ends a connection to an endpoint (zmq_disconnect(3)). */
ZMQ_EXPORT int zmq_disconnect(void *socket, const char *endpoint);

/* Sends a copy of a buffer; returns the bytes sent (zmq_send(3)). */
ZMQ_EXPORT int zmq_send(void *socket, const void *buffer, size_t len, int flags);

/* Sends a buffer that never changes, without a copy (zmq_send_const(3)). */
ZMQ_EXPORT int zmq_send_const(void *socket, const void *buffer, size_t len, int flags);

/* Receives into a buffer; returns the size of the message, of which what exceeds the buffer is lost (zmq_recv(3)). */
ZMQ_EXPORT int zmq_recv(void *socket, void *buffer, size_t len, int flags);

/* Sends a message, which is empty afterwards; returns the bytes sent (zmq_msg_send(3)). */
ZMQ_EXPORT int zmq_msg_send(zmq_msg_t *message, void *socket, int flags);

/* Receives a message; returns its size (zmq_msg_recv(3)). */
ZMQ_EXPORT int zmq_msg_recv(zmq_msg_t *message, void *socket, int flags);

/* Deprecated: `zmq_msg_send` with its arguments in another order (zmq_sendmsg(3)). */
ZMQ_EXPORT int zmq_sendmsg(void *socket, zmq_msg_t *message, int flags);

/* Deprecated: `zmq_msg_recv` with its arguments in another order (zmq_recvmsg(3)). */
ZMQ_EXPORT int zmq_recvmsg(void *socket, zmq_msg_t *message, int flags);

/* Sends each buffer as a part of one message; returns the bytes of the last part. */
ZMQ_EXPORT int zmq_sendiov(void *socket, struct iovec *buffers, size_t count, int flags);

/* Receives the parts of a message into buffers from malloc(3), which the caller frees; sets `count` to their number and returns it. */
ZMQ_EXPORT int zmq_recviov(void *socket, struct iovec *buffers, size_t *count, int flags);

#if defined(ZMQ_BUILD_DRAFT_API)
/* Joins a group (zmq_join(3)). */
ZMQ_EXPORT int zmq_join(void *socket, const char *group);

/* Leaves a group (zmq_leave(3)). */
ZMQ_EXPORT int zmq_leave(void *socket, const char *group);

/* Connects to an endpoint; returns the routing id of the peer, or 0 (zmq_connect_peer(3)). */
ZMQ_EXPORT uint32_t zmq_connect_peer(void *socket, const char *endpoint);

/* Ends the connection to the peer with a routing id. */
ZMQ_EXPORT int zmq_disconnect_peer(void *socket, uint32_t routing_id);

/* What a ROUTER can do with a peer now: ZMQ_POLLIN, ZMQ_POLLOUT. */
ZMQ_EXPORT int zmq_socket_get_peer_state(void *socket, const void *routing_id, size_t len);
#endif

/* Reports events of a socket to a PAIR socket at an inproc endpoint; a null endpoint ends it (zmq_socket_monitor(3)). */
ZMQ_EXPORT int zmq_socket_monitor(void *socket, const char *endpoint, int events);

#if defined(ZMQ_BUILD_DRAFT_API)
/* `zmq_socket_monitor` with a version of the reports and the type of the socket that sends them (zmq_socket_monitor_versioned(3)). */
ZMQ_EXPORT int zmq_socket_monitor_versioned(void *socket, const char *endpoint, uint64_t events, int event_version, int socket_type);

/* Asks for a report on how full the pipes of a socket are. */
ZMQ_EXPORT int zmq_socket_monitor_pipes_stats(void *socket);
#endif

/* Waits until an item is ready, `timeout` milliseconds at most (-1: for ever); returns how many are (zmq_poll(3)). */
ZMQ_EXPORT int zmq_poll(struct zmq_pollitem_t *items, int count, long timeout);

#if defined(ZMQ_BUILD_DRAFT_API)
/* `zmq_poll` with a signal mask while it waits (zmq_ppoll(3)). */
ZMQ_EXPORT int zmq_ppoll(struct zmq_pollitem_t *items, int count, long timeout, const sigset_t *signal_mask);

/* A new poller, or null (zmq_poller(3)). */
ZMQ_EXPORT void *zmq_poller_new(void);

/* Destroys a poller and sets the pointer to null. */
ZMQ_EXPORT int zmq_poller_destroy(void **poller);

/* How many sockets and descriptors are in a poller. */
ZMQ_EXPORT int zmq_poller_size(void *poller);

/* Adds a socket. `user_data` comes back with its events. */
ZMQ_EXPORT int zmq_poller_add(void *poller, void *socket, void *user_data, short events);

/* Changes what to wait for on a socket. */
ZMQ_EXPORT int zmq_poller_modify(void *poller, void *socket, short events);

/* Removes a socket. */
ZMQ_EXPORT int zmq_poller_remove(void *poller, void *socket);

/* Waits for one event, `timeout` milliseconds at most (-1: for ever). */
ZMQ_EXPORT int zmq_poller_wait(void *poller, struct zmq_poller_event_t *event, long timeout);

/* Waits for up to `count` events; returns how many there were. */
ZMQ_EXPORT int zmq_poller_wait_all(void *poller, struct zmq_poller_event_t *events, int count, long timeout);

/* A descriptor that is readable when the poller may have an event; pollers of thread-safe sockets have one. */
ZMQ_EXPORT int zmq_poller_fd(void *poller, zmq_fd_t *fd);

/* Adds a descriptor. */
ZMQ_EXPORT int zmq_poller_add_fd(void *poller, zmq_fd_t fd, void *user_data, short events);

/* Changes what to wait for on a descriptor. */
ZMQ_EXPORT int zmq_poller_modify_fd(void *poller, zmq_fd_t fd, short events);

/* Removes a descriptor. */
ZMQ_EXPORT int zmq_poller_remove_fd(void *poller, zmq_fd_t fd);
#endif

/* Passes messages both ways until the context ends; `capture` gets a copy of each, unless it is null (zmq_proxy(3)). */
ZMQ_EXPORT int zmq_proxy(void *frontend, void *backend, void *capture);

/* `zmq_proxy` that `control` can pause, resume, end, and ask for statistics (zmq_proxy_steerable(3)). */
ZMQ_EXPORT int zmq_proxy_steerable(void *frontend, void *backend, void *capture, void *control);

/* Deprecated: `zmq_proxy`. The type changes nothing. */
ZMQ_EXPORT int zmq_device(int device_type, void *frontend, void *backend);

/* A new set of timers. */
ZMQ_EXPORT void *zmq_timers_new(void);

/* Destroys a set of timers and sets the pointer to null. */
ZMQ_EXPORT int zmq_timers_destroy(void **timers_p);

/* Adds a timer that calls `handler` every `interval` milliseconds; returns its id. */
ZMQ_EXPORT int zmq_timers_add(void *timers, size_t interval, zmq_timer_fn handler, void *arg);

/* Cancels a timer. */
ZMQ_EXPORT int zmq_timers_cancel(void *timers, int timer_id);

/* Gives a timer another interval, which begins now. */
ZMQ_EXPORT int zmq_timers_set_interval(void *timers, int timer_id, size_t interval);

/* Begins the interval of a timer anew. */
ZMQ_EXPORT int zmq_timers_reset(void *timers, int timer_id);

/* The milliseconds until a timer is due; -1 without timers. */
ZMQ_EXPORT long zmq_timers_timeout(void *timers);

/* Calls the handlers of all timers that are due. */
ZMQ_EXPORT int zmq_timers_execute(void *timers);

/* Starts a thread, with all signals blocked; returns its handle, or null. */
ZMQ_EXPORT void *zmq_threadstart(zmq_thread_fn func, void *arg);

/* Waits for a thread to end, and frees what it used. */
ZMQ_EXPORT void zmq_threadclose(void *thread);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#undef ZMQ_EXPORT

#endif /* __ZMQ_H_INCLUDED__ */
