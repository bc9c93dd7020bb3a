//! What the reference doesn't survive, call by call: each is a case of its own, whose last line says how the process ended.
//!
//! known.toml has the row of docs/differences.md for each that differs. What reads memory that was freed may end in any way, so those entries say
//! `sometimes`.

use std::ffi::{c_char, c_int};
use std::ptr::{null, null_mut};

use crate::Case;
use crate::api::{PollItem, PollerEvent, RawMessage};
use crate::keys::Mechanism;
use crate::script::{Test, call, join_group, m, show};
use crate::watch::{Watch, monitor};
use crate::zmq;

/// A name, and what is done.
type Call = (&'static str, fn(&Test));

pub fn cases() -> Vec<Case> {
    let cases: Vec<Call> = vec![
        ("handles: zmq_ctx_term twice", |t| {
            let context = t.context();
            show!(t, ["term"], call!(t, ctx_term(context)));
            show!(t, ["again"], call!(t, ctx_term(context)));
        }),
        ("handles: a context that has ended", |t| {
            let context = t.context();
            show!(t, ["term"], call!(t, ctx_term(context)));
            show!(t, ["socket"], t.socket_in(context, zmq::PAIR));
            show!(t, ["get"], call!(t, ctx_get(context, zmq::IO_THREADS)));
            show!(t, ["shutdown"], call!(t, ctx_shutdown(context)));
        }),
        ("handles: a socket that was closed", |t| {
            let s = t.socket(zmq::PUSH);
            show!(t, s.close());
            t.settle();
            show!(t, s.send_now(m!("a")));
            show!(t, s.close());
        }),
        ("handles: a poller that was destroyed", |t| {
            // SAFETY: no preconditions.
            let poller = unsafe { (t.api.poller_new)() };
            let mut gone = poller;
            show!(t, ["destroy"], call!(t, poller_destroy(&raw mut gone)));
            show!(t, ["size"], call!(t, poller_size(poller)));
        }),
        ("handles: timers that were destroyed", |t| {
            // SAFETY: no preconditions.
            let timers = unsafe { (t.api.timers_new)() };
            let mut gone = timers;
            show!(t, ["destroy"], call!(t, timers_destroy(&raw mut gone)));
            show!(t, ["execute"], call!(t, timers_execute(timers)));
        }),
        ("handles: a message as a socket", |t| {
            let mut message = t.message();
            let handle = t.handle(message.raw().cast());
            show!(t, handle.send_now(m!("a")));
        }),
        ("null: bind", |t| {
            let s = t.socket(zmq::PUSH);
            show!(t, ["bind"], call!(t, bind(s.handle, null())));
        }),
        ("null: connect", |t| {
            let s = t.socket(zmq::PUSH);
            show!(t, ["connect"], call!(t, connect(s.handle, null())));
        }),
        ("null: unbind and disconnect", |t| {
            let s = t.socket(zmq::PUSH);
            show!(t, ["unbind"], call!(t, unbind(s.handle, null())));
            show!(t, ["disconnect"], call!(t, disconnect(s.handle, null())));
        }),
        ("null: send", |t| {
            let (s, _p) = t.pair("inproc", zmq::PUSH, zmq::PULL);
            show!(t, ["nothing of it"], call!(t, send(s.handle, null(), 0, zmq::DONTWAIT)));
            show!(t, ["send"], call!(t, send(s.handle, null(), 5, zmq::DONTWAIT)));
        }),
        ("null: recv", |t| {
            let (s, p) = t.pair("inproc", zmq::PUSH, zmq::PULL);
            let _ = (s.send_now(m!("hello")), s.send_now(m!("hello")));
            show!(t, ["nothing of it"], call!(t, recv(p.handle, null_mut(), 0, 0)));
            show!(t, ["recv"], call!(t, recv(p.handle, null_mut(), 5, 0)));
        }),
        ("null: a message to send", |t| {
            let (s, _p) = t.pair("inproc", zmq::PUSH, zmq::PULL);
            show!(t, ["msg_send"], call!(t, msg_send(null_mut(), s.handle, zmq::DONTWAIT)));
        }),
        ("null: a message to receive", |t| {
            let (s, p) = t.pair("inproc", zmq::PUSH, zmq::PULL);
            let _ = s.send_now(m!("hello"));
            show!(t, ["msg_recv"], call!(t, msg_recv(null_mut(), p.handle, 0)));
        }),
        ("null: zmq_msg_init", |t| show!(t, ["init"], call!(t, msg_init(null_mut())))),
        ("null: zmq_msg_close", |t| show!(t, ["close"], call!(t, msg_close(null_mut())))),
        ("null: zmq_msg_size", |t| {
            // SAFETY: what null does is what is asked.
            show!(t, ["size"], unsafe { (t.api.msg_size)(null()) });
        }),
        ("null: zmq_msg_data", |t| {
            // SAFETY: what null does is what is asked.
            show!(t, ["data"], unsafe { (t.api.msg_data)(null_mut()) }.is_null());
        }),
        ("null: poll items", |t| show!(t, ["poll"], call!(t, poll(null_mut(), 1, 0)))),
        ("negative: poll items", |t| {
            let mut item = PollItem { socket: null_mut(), fd: -1, events: 1, revents: 0 };
            show!(t, ["poll"], call!(t, poll(&raw mut item, -1, 0)));
        }),
        ("null: zmq_has", |t| {
            // SAFETY: what null does is what is asked.
            show!(t, ["has"], unsafe { (t.api.has)(null()) });
        }),
        ("null: z85", |t| {
            let mut text: [c_char; 41] = [0; 41];
            // SAFETY: what null does is what is asked; the other buffer has room.
            show!(t, ["encode"], unsafe { (t.api.z85_encode)(text.as_mut_ptr(), null(), 32) }.is_null());
        }),
        ("null: keys", |t| {
            show!(t, ["keypair"], call!(t, curve_keypair(null_mut(), null_mut())));
        }),
        ("null: option value", |t| {
            let s = t.socket(zmq::PULL);
            show!(t, ["SNDHWM"], call!(t, setsockopt(s.handle, zmq::SNDHWM, null(), 4)));
            show!(t, ["ROUTING_ID"], call!(t, setsockopt(s.handle, zmq::ROUTING_ID, null(), 4)));
        }),
        ("null: group", |t| {
            let s = t.socket(zmq::DISH);
            show!(t, ["join"], call!(t, join(s.handle, null())));
        }),
        ("null: the group of a message", |t| {
            let mut message = t.message();
            show!(t, ["set"], call!(t, msg_set_group(message.raw(), null())));
        }),
        ("null: poller event", |t| {
            // SAFETY: no preconditions.
            let poller = unsafe { (t.api.poller_new)() };
            let (s, p) = t.pair("inproc", zmq::PUSH, zmq::PULL);
            let _ = s.send_now(m!("a"));
            show!(t, ["add"], call!(t, poller_add(poller, p.handle, null_mut(), 1)));
            show!(t, ["wait"], call!(t, poller_wait(poller, null_mut(), 0)));
        }),
        ("closed message: close", |t| {
            let mut message = t.message();
            show!(t, message.close());
            show!(t, message.close());
        }),
        ("closed message: send", |t| {
            let (s, _p) = t.pair("inproc", zmq::PUSH, zmq::PULL);
            let mut message = t.message();
            show!(t, message.close());
            show!(t, message.send(&s, zmq::DONTWAIT));
        }),
        ("closed message: receive", |t| {
            let (s, p) = t.pair("inproc", zmq::PUSH, zmq::PULL);
            let _ = s.send_now(m!("hello"));
            let mut message = t.message();
            show!(t, message.close());
            show!(t, message.recv(&p, 0));
        }),
        ("closed message: size", |t| {
            let mut message = t.message();
            show!(t, message.close());
            // SAFETY: what a closed message does is what is asked.
            show!(t, ["size"], unsafe { (t.api.msg_size)(message.raw()) });
        }),
        ("closed message: data", |t| {
            let mut message = t.message();
            show!(t, message.close());
            // SAFETY: what a closed message does is what is asked.
            show!(t, ["data"], unsafe { (t.api.msg_data)(message.raw()) }.is_null());
        }),
        ("closed message: copy", |t| {
            let (mut from, mut to) = (t.message(), t.message());
            show!(t, from.close());
            show!(t, ["copy"], call!(t, msg_copy(to.raw(), from.raw())));
        }),
        ("closed message: move", |t| {
            let (mut from, mut to) = (t.message(), t.message());
            show!(t, from.close());
            show!(t, ["move"], call!(t, msg_move(to.raw(), from.raw())));
        }),
        ("no message: memory of zeros", |t| {
            let (s, _p) = t.pair("inproc", zmq::PUSH, zmq::PULL);
            let mut raw = RawMessage([0; 64]);
            show!(t, ["send"], call!(t, msg_send(&raw mut raw, s.handle, zmq::DONTWAIT)));
            show!(t, ["close"], call!(t, msg_close(&raw mut raw)));
        }),
        ("message: copied to itself", |t| {
            let mut message = t.message_of(&[b'x'; 1000]);
            let raw = message.raw();
            show!(t, ["copy"], call!(t, msg_copy(raw, raw)));
            show!(t, ["left"], message.body().len());
        }),
        ("message: moved to itself", |t| {
            let mut message = t.message_of(b"body");
            let raw = message.raw();
            show!(t, ["move"], call!(t, msg_move(raw, raw)));
            show!(t, ["left"], message.body().len());
        }),
        ("routing: CONNECT_ROUTING_ID twice", |t| {
            let (a, b, r) = (t.socket(zmq::DEALER), t.socket(zmq::DEALER), t.socket(zmq::ROUTER));
            let (first, second) = (a.bind_anywhere("tcp"), b.bind_anywhere("tcp"));
            for endpoint in [first, second] {
                show!(t, r.set(zmq::CONNECT_ROUTING_ID, b"same"));
                show!(t, ["connect"], r.connect(&endpoint));
            }
            t.settle();
            show!(t, ["sent"], r.send_now(m!("same", "hello")));
        }),
        ("ZAP: an enforced domain that isn't set, on a PLAIN server", |t| {
            let keys = crate::keys::Keys::new(t);
            let (s, c) = (t.socket(zmq::PULL), t.socket(zmq::PUSH));
            show!(t, s.set_int(zmq::ZAP_ENFORCE_DOMAIN, 1));
            keys.server(&s, Mechanism::Plain);
            keys.client(&c, Mechanism::Plain);
            let watch = Watch::new(&s);
            let endpoint = s.bind_anywhere("tcp");
            show!(t, ["connect"], c.connect(&endpoint));
            watch.until("bound", "HANDSHAKE_FAILED_NO_DETAIL");
        }),
        ("ZAP: a handler that is a PUSH", |t| {
            let handler = t.socket(zmq::PUSH);
            show!(t, handler.bind("inproc://zeromq.zap.01"));
            let keys = crate::keys::Keys::new(t);
            let (s, c) = (t.socket(zmq::PULL), t.socket(zmq::PUSH));
            keys.server(&s, Mechanism::Plain);
            keys.client(&c, Mechanism::Plain);
            let watch = Watch::new(&s);
            let endpoint = s.bind_anywhere("tcp");
            show!(t, ["connect"], c.connect(&endpoint));
            watch.until("bound", "ACCEPTED");
            t.settle();
            show!(t, s.events());
        }),
        ("wss: bound without a certificate", |t| {
            t.needs("WSS");
            let s = t.socket(zmq::PULL);
            show!(t, s.bind("wss://127.0.0.1:*"));
        }),
        ("wss: trusts what is no certificate", |t| {
            let (s, c) = (t.socket_over("wss", zmq::PULL), t.socket(zmq::PUSH));
            let endpoint = s.bind_anywhere("wss");
            let text = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
            show!(t, ["set"], c.set(zmq::WSS_TRUST_PEM, text));
            show!(t, ["connect"], c.connect(&endpoint));
            t.settle();
        }),
        ("ws: heartbeats without a mechanism", |t| {
            let s = t.socket_over("ws", zmq::PULL);
            show!(t, s.set_int(zmq::HEARTBEAT_IVL, 20));
            let endpoint = s.bind_anywhere("ws");
            let address = endpoint.trim_start_matches("ws://").trim_end_matches("/path");
            let bare = crate::bare::Bare::connect(t, address);
            bare.send(
                b"GET /path HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Protocol: ZWS2.0\r\n\
                  Sec-WebSocket-Version: 13\r\n\r\n\x82\x81\0\0\0\0\0",
            );
            let _ = bare.read_for(t.quiet() * 4);
            t.say("still there");
        }),
        ("ws: an address of 8 KiB", |t| {
            let s = t.socket_over("ws", zmq::PULL);
            let c = t.socket(zmq::PUSH);
            let endpoint = s.bind_anywhere("ws");
            let long = format!("{}{}", endpoint.trim_end_matches("path"), "a".repeat(8192));
            show!(t, ["connect"], c.connect(&long));
            show!(t, ["sent"], c.send(m!("hello")));
            show!(t, ["received"], s.recv());
        }),
        ("timers: an interval of zero", |t| {
            unsafe extern "C" fn handler(_: c_int, _: *mut std::ffi::c_void) {}
            // SAFETY: no preconditions.
            let timers = unsafe { (t.api.timers_new)() };
            show!(t, ["add"], call!(t, timers_add(timers, 0, Some(handler), null_mut())).is_ok());
            soon(t);
            show!(t, ["execute"], call!(t, timers_execute(timers)));
        }),
        ("poller: waits for no event at most", |t| {
            // SAFETY: no preconditions.
            let poller = unsafe { (t.api.poller_new)() };
            let (s, p) = t.pair("inproc", zmq::PUSH, zmq::PULL);
            let _ = s.send_now(m!("a"));
            show!(t, ["add"], call!(t, poller_add(poller, p.handle, null_mut(), 1)));
            let mut event = PollerEvent { socket: null_mut(), fd: 0, user_data: null_mut(), events: 0 };
            soon(t);
            show!(t, ["wait"], call!(t, poller_wait_all(poller, &raw mut event, 0, 20)));
        }),
        ("poller: a socket whose context has ended", |t| {
            // SAFETY: no preconditions.
            let poller = unsafe { (t.api.poller_new)() };
            let s = t.socket(zmq::PULL);
            show!(t, ["add"], call!(t, poller_add(poller, s.handle, null_mut(), 1)));
            show!(t, crate::script::shutdown(t));
            let mut event = PollerEvent { socket: null_mut(), fd: 0, user_data: null_mut(), events: 0 };
            show!(t, ["wait"], call!(t, poller_wait(poller, &raw mut event, 20)));
        }),
        ("proxy: a socket that was closed", |t| {
            let (a, b) = (t.socket(zmq::PULL), t.socket(zmq::PUSH));
            show!(t, a.close());
            t.settle();
            soon(t);
            show!(t, ["proxy"], call!(t, proxy(a.handle, b.handle, null_mut())));
        }),
        ("monitor: a second one", |t| {
            let s = t.socket(zmq::PULL);
            soon(t);
            show!(t, monitor(&s, "inproc://first", 0xffff, 1, zmq::PAIR));
            show!(t, monitor(&s, "inproc://second", 0xffff, 1, zmq::PAIR));
            let reader = t.socket(zmq::PAIR);
            show!(t, reader.connect("inproc://second"));
            let _ = s.bind_anywhere("tcp");
            show!(t, ["heard"], reader.recv().map(|parts| parts.len()));
        }),
        ("monitor: one that nobody reads", |t| {
            let s = t.socket(zmq::PULL);
            show!(t, monitor(&s, "inproc://m", 0xffff, 1, zmq::PUSH));
            let _ = s.bind_anywhere("tcp");
            soon(t);
            show!(t, ["stop"], crate::watch::stop(&s));
        }),
        ("DISH: a JOIN of a long group", |t| {
            let (s, c) = (t.socket(zmq::RADIO), t.socket(zmq::DISH));
            let endpoint = s.bind_anywhere("tcp");
            let address = endpoint.trim_start_matches("tcp://");
            let bare = crate::bare::Bare::connect(t, address);
            let _ = bare.shake_hands("DISH");
            bare.send(&crate::bare::command("JOIN", &[b'g'; 300]));
            let _ = bare.read();
            show!(t, ["connect"], c.connect(&endpoint));
            show!(t, ["join"], join_group(&c, "g"));
            t.settle();
            show!(t, s.events());
        }),
        ("DGRAM: sends without an endpoint", |t| {
            let s = t.socket(zmq::DGRAM);
            show!(t, s.send_now(m!("127.0.0.1:9", "hello")));
        }),
        ("SUB: a subscription of a megabyte", |t| {
            let s = t.socket(zmq::SUB);
            show!(t, ["set"], s.set(zmq::SUBSCRIBE, &vec![b'a'; 1 << 20]));
            show!(t, s.close());
            show!(t, ["term"], call!(t, ctx_term(t.context())));
        }),
        ("XPUB: a subscription of a megabyte", |t| {
            let s = t.socket(zmq::XPUB);
            let endpoint = s.bind_anywhere("tcp");
            let bare = crate::bare::Bare::connect(t, endpoint.trim_start_matches("tcp://"));
            let _ = bare.shake_hands("SUB");
            let mut topic = vec![b'a'; 1 << 20];
            topic[0] = 1;
            bare.send(&crate::bare::frame(0, &topic));
            show!(t, ["length"], s.recv().map(|parts| parts[0].len()));
            drop(bare);
            show!(t, ["length"], s.recv().map(|parts| parts[0].len()));
            show!(t, s.close());
            show!(t, ["term"], call!(t, ctx_term(t.context())));
        }),
        ("options: what the kernel refuses", |t| {
            let s = t.socket(zmq::PULL);
            show!(t, ["BINDTODEVICE"], s.set(zmq::BINDTODEVICE, b"nosuch"));
            show!(t, ["bind"], s.bind("tcp://127.0.0.1:*"));
        }),
        ("options: USE_FD of no socket", |t| {
            let s = t.socket(zmq::PULL);
            show!(t, s.set_int(zmq::USE_FD, 1_000_000));
            show!(t, ["bind"], s.bind("tcp://127.0.0.1:*"));
            show!(t, s.close());
            show!(t, ["term"], call!(t, ctx_term(t.context())));
        }),
    ];
    cases.into_iter().map(|(name, run)| Case::new(format!("fatal/{name}"), run)).collect()
}

/// What follows hangs, or is done at once: no need to wait for long.
fn soon(t: &Test) {
    // SAFETY: plain system call without pointers.
    unsafe { libc::alarm(2 * t.patience.min(6)) };
}
