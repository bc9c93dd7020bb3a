//! The errno of each function in each wrong state, and the options of messages.
//!
//! Left out is what the reference doesn't survive: closed, null and foreign handles of contexts, pollers and timers, null endpoints and
//! buffers, closed messages. What ours says to those is in tests/misuse.

use std::ptr::null_mut;

use crate::Case;
use crate::script::{Message, Outcome, Show, Socket, Test, call, join_group, m, show, shutdown};
use crate::zmq;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, name) in (0..).zip(zmq::TYPES) {
        cases.push(Case::new(format!("states/{name}, fresh"), move |t| calls(t, &t.socket(kind))));
        cases.push(Case::new(format!("states/{name}, after zmq_ctx_shutdown"), move |t| {
            let s = t.socket(kind);
            let _ = s.bind("inproc://bound");
            show!(t, shutdown(t));
            calls(t, &s);
            calls(t, &s);
        }));
        cases.push(Case::new(format!("states/{name}, with a peer"), move |t| with_peer(t, kind)));
        cases.push(Case::new(format!("states/{name}, in the middle of a message"), move |t| middle(t, kind)));
    }
    for (name, run) in [
        ("null and closed sockets", no_socket as fn(&Test)),
        ("sockets that can't be", no_type),
        ("contexts", contexts),
        ("limits of contexts", limits),
        ("pollers", pollers),
        ("timers", timers),
        ("messages", messages),
        ("message properties", properties),
        ("groups and routing ids", groups),
        ("poll", poll),
        ("proxies", proxies),
        ("keys", keys),
    ] {
        cases.push(Case::new(format!("states/{name}"), run));
    }
    cases
}

/// Every function of a socket.
fn calls(t: &Test, s: &Socket) {
    show!(t, s.bind("inproc://a"));
    show!(t, s.bind("nonsense"));
    show!(t, s.connect("inproc://b"));
    show!(t, s.connect("nonsense"));
    show!(t, s.unbind("inproc://nobody"));
    show!(t, s.unbind("nonsense"));
    show!(t, s.disconnect("inproc://nobody"));
    show!(t, s.disconnect("nonsense"));
    show!(t, s.send_with(b"a", zmq::DONTWAIT));
    show!(t, s.send_with(b"", zmq::DONTWAIT));
    show!(t, s.send_with(b"a", zmq::DONTWAIT | zmq::SNDMORE));
    show!(t, s.send_with(b"b", zmq::DONTWAIT));
    show!(t, s.send_with(b"c", zmq::DONTWAIT | 0x70));
    show!(t, s.recv_part(zmq::DONTWAIT).map(|part| part.0));
    show!(t, s.recv_part(zmq::DONTWAIT | 0x70).map(|part| part.0));
    let mut message = t.message_of(b"body");
    show!(t, message.send(s, zmq::DONTWAIT));
    show!(t, message.close());
    for option in
        [zmq::TYPE, zmq::LINGER, zmq::EVENTS, zmq::RCVMORE, zmq::SNDHWM, zmq::THREAD_SAFE, zmq::TOPICS_COUNT]
    {
        show!(t, ["option {option}"], s.get_int(option));
    }
    show!(t, s.get(zmq::FD, 4).map(|fd| fd.len()));
    show!(t, s.set_int(zmq::LINGER, 0));
    show!(t, s.set_int(zmq::SNDHWM, 5));
    show!(t, s.set(zmq::SUBSCRIBE, b"a"));
    show!(t, s.set(zmq::UNSUBSCRIBE, b"never"));
    show!(t, join_group(s, "group"));
    show!(t, join_group(s, "group"));
    show!(t, join_group(s, "a group of sixteen"));
    show!(t, join_group(s, &"g".repeat(256)));
    show!(t, leave_group(s, "group"));
    show!(t, leave_group(s, "group"));
    show!(t, leave_group(s, "never"));
    show!(t, peer_state(s, b"peer"));
    show!(t, connect_peer(s, "inproc://nobody"));
    show!(t, crate::watch::monitor(s, "inproc://monitor", 1, 1, zmq::PAIR));
    show!(t, crate::watch::stop(s));
    show!(t, s.poll(zmq::POLLIN | zmq::POLLOUT, 0));
}

fn leave_group(s: &Socket, group: &str) -> Outcome {
    let group = std::ffi::CString::new(group).unwrap_or_default();
    call!(s.test, leave(s.handle, group.as_ptr()))
}

fn peer_state(s: &Socket, id: &[u8]) -> Outcome {
    call!(s.test, socket_get_peer_state(s.handle, id.as_ptr().cast(), id.len()))
}

/// `zmq_connect_peer`, of whose number only whether it is one is shown.
fn connect_peer(s: &Socket, endpoint: &str) -> Outcome<bool> {
    let endpoint = std::ffi::CString::new(endpoint).unwrap_or_default();
    // SAFETY: what the script gives, with a terminated string.
    let id = unsafe { (s.test.api.connect_peer)(s.handle, endpoint.as_ptr()) };
    if id == 0 { Err(s.test.errno()) } else { Ok(true) }
}

fn with_peer(t: &Test, kind: i32) {
    let Some((_, other)) = super::wire::PEERS.into_iter().find(|(of, _)| *of == kind) else { return };
    let (s, p) = t.pair("inproc", kind, other);
    let _ = p.set(zmq::SUBSCRIBE, b"");
    let _ = (s.events(), p.events());
    show!(t, s.events());
    show!(t, p.events());
    show!(t, s.send_now(m!("one")));
    show!(t, s.send_now(m!("one", "two")));
    show!(t, p.recv_now().map(|message| message.last().cloned()));
    show!(t, p.send_now(m!("one")));
    show!(t, p.send_now(m!("one", "two")));
    show!(t, s.recv_now().map(|message| message.last().cloned()));
    show!(t, s.recv_now().map(|message| message.last().cloned()));
    show!(t, peer_state(&s, b"peer"));
    show!(t, s.events());
    show!(t, p.close());
    for _ in 0..3 {
        t.settle();
        let _ = s.events();
    }
    show!(t, s.events());
    show!(t, s.send_now(m!("late")));
    show!(t, s.recv_now().map(|message| message.last().cloned()));
}

/// What may be done while a message has been sent, or received, in part.
fn middle(t: &Test, kind: i32) {
    let Some((_, other)) = super::wire::PEERS.into_iter().find(|(of, _)| *of == kind) else { return };
    let (s, p) = t.pair("inproc", kind, other);
    let _ = p.set(zmq::SUBSCRIBE, b"");
    let _ = (s.events(), p.events());
    show!(t, s.send_with(b"part", zmq::SNDMORE | zmq::DONTWAIT));
    show!(t, s.events());
    show!(t, s.recv_part(zmq::DONTWAIT).map(|part| part.0));
    show!(t, s.connect("inproc://elsewhere"));
    show!(t, s.set_int(zmq::LINGER, 0));
    show!(t, s.get_int(zmq::RCVMORE));
    show!(t, p.recv_part(zmq::DONTWAIT).map(|part| part.1));
    show!(t, s.send_with(b"end", zmq::DONTWAIT));
    show!(t, p.recv_part(zmq::DONTWAIT).map(|part| part.1));
    show!(t, p.get_int(zmq::RCVMORE));
    show!(t, p.send_with(b"in between", zmq::DONTWAIT));
    show!(t, p.recv_part(zmq::DONTWAIT).map(|part| part.1));
    show!(t, p.get_int(zmq::RCVMORE));
    // A part that isn't the last, and then the end of the socket.
    show!(t, s.send_with(b"part", zmq::SNDMORE | zmq::DONTWAIT));
    show!(t, s.close());
    for _ in 0..3 {
        t.settle();
        let _ = p.events();
    }
    show!(t, p.recv_part(zmq::DONTWAIT).map(|part| part.1));
}

fn no_socket(t: &Test) {
    calls(t, &t.handle(null_mut()));
    show!(t, t.handle(null_mut()).close());
}

fn no_type(t: &Test) {
    for kind in [-1, 21, 22, 100, i32::MAX, i32::MIN] {
        show!(t, ["type {kind}"], t.bare_socket(kind));
    }
    show!(t, ["a null context"], t.socket_in(null_mut(), zmq::PAIR));
    show!(t, shutdown(t));
    show!(t, ["after zmq_ctx_shutdown"], t.bare_socket(zmq::PAIR));
    show!(t, ["a wrong one after zmq_ctx_shutdown"], t.bare_socket(99));
}

fn contexts(t: &Test) {
    show!(t, ["term of null"], call!(t, ctx_term(null_mut())));
    show!(t, ["shutdown of null"], call!(t, ctx_shutdown(null_mut())));
    show!(t, ["set of null"], call!(t, ctx_set(null_mut(), zmq::IO_THREADS, 1)));
    show!(t, ["get of null"], call!(t, ctx_get(null_mut(), zmq::IO_THREADS)));
    let context = t.context();
    for option in [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 42, 70, 99] {
        show!(t, ["get {option}"], call!(t, ctx_get(context, option)));
        for value in [-2, -1, 0, 1, 2, 1_000_000, i32::MAX] {
            // Threads by the million are more than either library can make.
            if option == zmq::IO_THREADS && value > 2 {
                continue;
            }
            show!(t, ["set {option} to {value}"], call!(t, ctx_set(context, option, value)));
        }
        show!(t, ["get {option}"], call!(t, ctx_get(context, option)));
    }
}

/// In a context of its own: threads with the priorities set above can't be made.
fn limits(t: &Test) {
    let context = t.context();
    let _ = call!(t, ctx_set(context, zmq::MAX_SOCKETS, 2));
    let _ = call!(t, ctx_set(context, zmq::IO_THREADS, 1));
    show!(t, ["first"], t.bare_socket(zmq::PAIR));
    show!(t, ["second"], t.bare_socket(zmq::PAIR));
    show!(t, ["third"], t.bare_socket(zmq::PAIR));
    show!(t, ["set after the first"], call!(t, ctx_set(context, zmq::MAX_SOCKETS, 10)));
    show!(t, ["get"], call!(t, ctx_get(context, zmq::MAX_SOCKETS)));
    show!(t, ["fourth"], t.bare_socket(zmq::PAIR));
    show!(t, shutdown(t));
    show!(t, shutdown(t));
    show!(t, ["set after shutdown"], call!(t, ctx_set(context, zmq::BLOCKY, 0)));
    show!(t, ["get after shutdown"], call!(t, ctx_get(context, zmq::BLOCKY)));
}

fn pollers(t: &Test) {
    // SAFETY: no preconditions.
    let poller = unsafe { (t.api.poller_new)() };
    let (a, b) = (t.socket(zmq::PULL), t.socket(zmq::PUSH));
    show!(t, ["size"], call!(t, poller_size(poller)));
    show!(t, ["remove what isn't there"], call!(t, poller_remove(poller, a.handle)));
    show!(t, ["modify what isn't there"], call!(t, poller_modify(poller, a.handle, 1)));
    show!(t, ["add nothing"], call!(t, poller_add(poller, null_mut(), null_mut(), 1)));
    show!(t, ["add"], call!(t, poller_add(poller, a.handle, null_mut(), 1)));
    show!(t, ["add again"], call!(t, poller_add(poller, a.handle, null_mut(), 1)));
    for events in [0, 1, 2, 3, 4, 8, 15, 16, 32, -1] {
        show!(t, ["add for {events}"], call!(t, poller_add(poller, b.handle, null_mut(), events)));
        show!(t, ["modify for {events}"], call!(t, poller_modify(poller, a.handle, events)));
        show!(t, ["remove"], call!(t, poller_remove(poller, b.handle)));
    }
    for fd in [-1, 0, 1_000_000] {
        show!(t, ["add descriptor {fd}"], call!(t, poller_add_fd(poller, fd, null_mut(), 1)));
        show!(t, ["add it again"], call!(t, poller_add_fd(poller, fd, null_mut(), 1)));
        show!(t, ["modify descriptor {fd}"], call!(t, poller_modify_fd(poller, fd, 2)));
        show!(t, ["remove descriptor {fd}"], call!(t, poller_remove_fd(poller, fd)));
        show!(t, ["remove it again"], call!(t, poller_remove_fd(poller, fd)));
    }
    show!(t, ["size"], call!(t, poller_size(poller)));
    let mut fd = 0;
    show!(t, ["descriptor"], call!(t, poller_fd(poller, &raw mut fd)));
    let mut event = crate::api::PollerEvent { socket: null_mut(), fd: 7, user_data: null_mut(), events: 9 };
    let _ = call!(t, poller_modify(poller, a.handle, 1));
    show!(t, ["wait"], call!(t, poller_wait(poller, &raw mut event, 0)));
    show!(t, ["what it leaves"], format!("{} {} {}", event.socket.is_null(), event.fd, event.events));
    show!(t, ["wait for none"], call!(t, poller_wait_all(poller, &raw mut event, -1, 0)));
    show!(t, ["null"], call!(t, poller_add(null_mut(), a.handle, null_mut(), 1)));
    show!(t, ["null"], call!(t, poller_wait(null_mut(), &raw mut event, 0)));
    show!(t, ["null"], call!(t, poller_size(null_mut())));
    let mut none = null_mut();
    show!(t, ["destroy nothing"], call!(t, poller_destroy(&raw mut none)));
    show!(t, ["destroy null"], call!(t, poller_destroy(null_mut())));
    let mut poller = poller;
    show!(t, ["destroy"], call!(t, poller_destroy(&raw mut poller)));
    show!(t, ["left"], poller.is_null());
}

fn timers(t: &Test) {
    unsafe extern "C" fn handler(_: i32, _: *mut std::ffi::c_void) {}
    // SAFETY: no preconditions.
    let timers = unsafe { (t.api.timers_new)() };
    show!(t, ["time-out of none"], call!(t, timers_timeout(timers)));
    show!(t, ["execute none"], call!(t, timers_execute(timers)));
    let id = call!(t, timers_add(timers, 100_000, Some(handler), null_mut()));
    show!(t, ["add"], id.is_ok());
    let id = id.unwrap_or(0);
    show!(t, ["add without handler"], call!(t, timers_add(timers, 100_000, None, null_mut())));
    for (what, id) in [("it", id), ("another", id + 100), ("none", -1)] {
        show!(t, ["set interval of {what}"], call!(t, timers_set_interval(timers, id, 200_000)));
        show!(t, ["reset {what}"], call!(t, timers_reset(timers, id)));
        show!(t, ["cancel {what}"], call!(t, timers_cancel(timers, id)));
        show!(t, ["cancel {what} again"], call!(t, timers_cancel(timers, id)));
        show!(t, ["reset {what} afterwards"], call!(t, timers_reset(timers, id)));
    }
    show!(t, ["null"], call!(t, timers_add(null_mut(), 1, Some(handler), null_mut())));
    show!(t, ["null"], call!(t, timers_cancel(null_mut(), 1)));
    show!(t, ["null"], call!(t, timers_execute(null_mut())));
    let mut none = null_mut();
    show!(t, ["destroy nothing"], call!(t, timers_destroy(&raw mut none)));
    let mut timers = timers;
    show!(t, ["destroy"], call!(t, timers_destroy(&raw mut timers)));
    show!(t, ["left"], timers.is_null());
}

fn messages(t: &Test) {
    for size in [0, 1, 29, 30, 33, 34, 1000] {
        let mut message = t.message_of(&vec![b'a'; size]);
        for property in [-1, 0, 1, 2, 3, 4, 5, 100] {
            show!(t, ["{size} bytes: get {property}"], message.get(property));
            show!(t, ["{size} bytes: set {property}"], message.set(property, 1));
        }
        for property in ["Socket-Type", "Identity", "Routing-Id", "Peer-Address", "User-Id", "X-none", ""] {
            show!(t, ["{size} bytes: {property:?}"], message.gets(property));
        }
        let mut copy = t.message();
        show!(t, ["copy"], call!(t, msg_copy(copy.raw(), message.raw())));
        show!(t, ["SHARED"], message.get(zmq::SHARED));
        show!(t, ["SHARED of the copy"], copy.get(zmq::SHARED));
        show!(t, ["same"], copy.body() == message.body());
        let mut moved = t.message();
        show!(t, ["move"], call!(t, msg_move(moved.raw(), message.raw())));
        show!(t, ["moved"], moved.body().len());
        show!(t, ["left behind"], message.body().len());
        for message in [&mut message, &mut copy, &mut moved] {
            show!(t, ["close"], message.close());
        }
    }
    // More bytes than there are.
    let mut raw = crate::api::RawMessage([0; 64]);
    show!(t, ["2^63 bytes"], call!(t, msg_init_size(&raw mut raw, 1 << 63)).is_err());
}

fn properties(t: &Test) {
    for transport in ["inproc", "tcp", "ipc"] {
        for (a, b) in
            [(zmq::DEALER, zmq::ROUTER), (zmq::PUB, zmq::SUB), (zmq::PUSH, zmq::PULL), (zmq::REQ, zmq::REP)]
        {
            let (s, r) = (t.socket(a), t.socket(b));
            let _ = (
                s.set(zmq::ROUTING_ID, b"sender"),
                s.set(zmq::METADATA, b"X-key:value"),
                r.set(zmq::SUBSCRIBE, b""),
            );
            let endpoint = r.bind_anywhere(transport);
            let _ = s.connect(&endpoint);
            t.settle();
            let _ = (r.events(), t.settle(), s.events());
            let _ = s.send(m!("body", "more"));
            let mut message: Message = t.message();
            show!(t, ["{transport} {}", zmq::TYPES[a as usize]], message.recv(&r, 0).is_ok());
            for property in [
                "Socket-Type",
                "Identity",
                "Routing-Id",
                "User-Id",
                "X-key",
                "x-key",
                "Resource",
                "X-none",
                "",
            ] {
                show!(t, ["  {property:?}"], message.gets(property));
            }
            let address = message
                .gets("Peer-Address")
                .map(|address| if address.contains("uid") { "ids".to_owned() } else { address });
            t.say(format_args!("  Peer-Address {}", without_ids(address)));
            show!(t, ["  MORE"], message.get(zmq::MORE));
            let fd = message.get(2);
            show!(t, ["  SRCFD"], fd.is_ok());
            let _ = (s.close(), r.close());
        }
    }
}

/// `localhost:uid:gid:pid` without the number of the process.
fn without_ids(address: Outcome<String>) -> String {
    match address {
        Ok(address) if address.matches(':').count() == 3 => {
            address.rsplit_once(':').map_or(String::new(), |pair| pair.0.to_owned())
        }
        address => address.show(),
    }
}

fn groups(t: &Test) {
    let mut message = t.message_of(b"body");
    show!(t, message.group());
    for group in
        ["", "g", "fourteen bytes", "fifteen bytes..", "sixteen bytes...", &"g".repeat(255), &"g".repeat(256)]
    {
        show!(t, ["set {}", group.len()], message.set_group(group));
        show!(t, message.group());
    }
    show!(t, message.routing_id());
    for id in [0, 1, u32::MAX] {
        show!(t, ["set {id}"], message.set_routing_id(id));
        show!(t, message.routing_id());
    }
    let mut copy = t.message();
    let _ = call!(t, msg_copy(copy.raw(), message.raw()));
    show!(t, copy.group());
    show!(t, copy.routing_id());
    let push = t.socket(zmq::PUSH);
    show!(t, push.bind("inproc://a"));
    let pull = t.socket(zmq::PULL);
    show!(t, pull.connect("inproc://a"));
    show!(t, message.send(&push, 0));
    let mut received = t.message();
    show!(t, received.recv(&pull, 0));
    show!(t, received.group());
    show!(t, received.routing_id());
}

fn poll(t: &Test) {
    use crate::api::PollItem;
    let s = t.socket(zmq::PULL);
    let item = |socket, fd, events| PollItem { socket, fd, events, revents: 99 };
    show!(t, ["none"], call!(t, poll(null_mut(), 0, 0)));
    for events in [0, 1, 2, 3, 4, 8, 15, 64, -1] {
        let mut one = item(s.handle, 0, events);
        show!(t, ["a socket for {events}"], call!(t, poll(&raw mut one, 1, 0)));
        show!(t, ["  found"], i32::from(one.revents));
    }
    for fd in [-1, 1_000_000] {
        let mut one = item(null_mut(), fd, 1);
        show!(t, ["descriptor {fd}"], call!(t, poll(&raw mut one, 1, 0)));
        show!(t, ["  found"], i32::from(one.revents));
    }
    show!(t, shutdown(t));
    let mut one = item(s.handle, 0, 1);
    show!(t, ["after shutdown"], call!(t, poll(&raw mut one, 1, 0)));
}

fn proxies(t: &Test) {
    let (a, b) = (t.socket(zmq::PULL), t.socket(zmq::PUSH));
    show!(t, ["no frontend"], call!(t, proxy(null_mut(), b.handle, null_mut())));
    show!(t, ["no backend"], call!(t, proxy(a.handle, null_mut(), null_mut())));
    show!(t, ["neither"], call!(t, proxy_steerable(null_mut(), null_mut(), null_mut(), null_mut())));
}

fn keys(t: &Test) {
    t.needs("curve");
    let (mut public, mut secret, mut again) = ([0_i8; 41], [0_i8; 41], [0_i8; 41]);
    show!(t, ["keypair"], call!(t, curve_keypair(public.as_mut_ptr().cast(), secret.as_mut_ptr().cast())));
    show!(t, ["public"], call!(t, curve_public(again.as_mut_ptr().cast(), secret.as_ptr().cast())));
    show!(t, ["same"], again == public);
    let mut out = [0_i8; 64];
    for text in [
        c"",
        c"short",
        c"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI",
        c"#####$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
        c"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI\x7f",
    ] {
        show!(t, ["{text:?}"], call!(t, curve_public(out.as_mut_ptr().cast(), text.as_ptr())));
        let mut bytes = [0_u8; 64];
        // SAFETY: a terminated text, and room for what it can say.
        let decoded = unsafe { (t.api.z85_decode)(bytes.as_mut_ptr(), text.as_ptr()) };
        show!(
            t,
            ["decode {text:?}"],
            if decoded.is_null() { t.errno().show() } else { bytes.to_vec().show() }
        );
    }
}
