//! The order of monitor events in every way a connection can begin, fail and end.

use std::net::TcpListener;

use crate::Case;
use crate::bare::{Bare, greeting, greeting_of, listen, ready};
use crate::script::{Socket, Test, m, show};
use crate::watch::{Watch, monitor, stop};
use crate::zmq;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for transport in ["tcp", "ipc", "ws", "wss"] {
        for version in [1, 2] {
            let mut add = |name: &str, run: fn(&Test, &str, i32)| {
                cases.push(Case::new(format!("monitor/{name}, {transport}, v{version}"), move |t| {
                    run(t, transport, version)
                }));
            };
            add("the connected side closes", connected_closes);
            add("the bound side closes", bound_closes);
            add("disconnect", disconnect);
            add("unbind", unbind);
            add("address in use", in_use);
            add("refused, then there", refused);
            add("the bound side comes back", comes_back);
            add("disconnect while nobody is there", disconnect_early);
        }
    }
    for (kind, _) in super::wire::PEERS {
        cases.push(Case::new(format!("monitor/types that meet {}", zmq::TYPES[kind as usize]), move |t| {
            types(t, kind)
        }));
    }
    for stop in [0, 1, 2, 3, 4, 7] {
        for how in ["refused", "closes at once", "silent", "garbage", "wrong type", "closes later"] {
            cases.push(Case::new(format!("monitor/RECONNECT_STOP {stop}, {how}"), move |t| {
                reconnect_stop(t, stop, how)
            }));
        }
    }
    for (name, run) in [
        ("handshake times out", silent_peer as fn(&Test)),
        ("an end at each byte", ends),
        ("filters", filters),
        ("mechanisms", mechanisms),
        ("arguments", arguments),
        ("masks", masks),
        ("the end of the context", context_ends),
        ("stopping", stopping),
        ("inproc", inproc),
        ("a bind that fails while nobody has subscribed to the monitor", unread),
        ("pipes stats", pipes_stats),
    ] {
        cases.push(Case::new(format!("monitor/{name}"), run));
    }
    cases
}

/// Lets sockets see what has happened to their pipes. A pipe ends in two exchanges, and each calls for a look.
fn notice(t: &Test, sockets: &[&Socket]) {
    for _ in 0..3 {
        t.settle();
        sockets.iter().for_each(|socket| drop(socket.events()));
    }
}

/// Ends both and reads the monitors to the end.
fn end(s: &[(&str, &Socket, &Watch)]) {
    for (name, socket, watch) in s {
        let _ = socket.close();
        watch.until(name, "MONITOR_STOPPED");
    }
}

/// One that is bound, and one that is connected.
fn sockets<'a>(t: &'a Test, transport: &str) -> (Socket<'a>, Socket<'a>) {
    if transport == "wss" {
        // What the reference calls an endpoint that it connects to is compared in subjects/endpoints.rs.
        t.name("wss://", "ws://");
    }
    (t.socket_over(transport, zmq::PULL), t.socket_over(transport, zmq::PUSH))
}

/// Waits for the handshake, which over a WebSocket comes after that of the upgrade.
fn ready_at(watch: &Watch, who: &str, transport: &str) {
    for _ in 0..if transport.starts_with("ws") { 2 } else { 1 } {
        watch.until(who, "HANDSHAKE_SUCCEEDED");
    }
}

fn connected<'a>(
    t: &'a Test,
    transport: &str,
    version: i32,
    reconnect: i32,
) -> (Socket<'a>, Watch<'a>, Socket<'a>, Watch<'a>, String) {
    let (s, c) = sockets(t, transport);
    // Later than the script lasts, so that attempts don't go on and on.
    let _ = c.set_int(zmq::RECONNECT_IVL, reconnect);
    let (ws, wc) = (Watch::version(&s, version), Watch::version(&c, version));
    let endpoint = s.bind_anywhere(transport);
    show!(t, ["connect"], c.connect(&endpoint));
    ready_at(&wc, "connected", transport);
    ready_at(&ws, "bound", transport);
    (s, ws, c, wc, endpoint)
}

fn connected_closes(t: &Test, transport: &str, version: i32) {
    let (s, ws, c, wc, _) = connected(t, transport, version, 60_000);
    end(&[("connected", &c, &wc)]);
    ws.until("bound", "DISCONNECTED");
    end(&[("bound", &s, &ws)]);
}

fn bound_closes(t: &Test, transport: &str, version: i32) {
    let (s, ws, c, wc, endpoint) = connected(t, transport, version, 60_000);
    end(&[("bound", &s, &ws)]);
    wc.until("connected", "CONNECT_RETRIED");
    show!(t, c.disconnect(&endpoint));
    wc.rest("connected");
    end(&[("connected", &c, &wc)]);
}

fn disconnect(t: &Test, transport: &str, version: i32) {
    let (s, ws, c, wc, endpoint) = connected(t, transport, version, 60_000);
    show!(t, ["disconnect"], c.disconnect(&endpoint));
    notice(t, &[&c, &s]);
    ws.until("bound", "DISCONNECTED");
    wc.rest("connected");
    show!(t, ["connect again"], c.connect(&endpoint));
    ready_at(&wc, "connected", transport);
    ready_at(&ws, "bound", transport);
    end(&[("connected", &c, &wc)]);
    ws.until("bound", "DISCONNECTED");
    end(&[("bound", &s, &ws)]);
}

fn unbind(t: &Test, transport: &str, version: i32) {
    let (s, ws, c, wc, endpoint) = connected(t, transport, version, 60_000);
    show!(t, ["unbind"], s.unbind(&endpoint));
    notice(t, &[&c, &s]);
    ws.rest("bound");
    wc.rest("connected");
    show!(t, ["messages go on, or not"], c.send_now(m!("a")));
    show!(t, s.recv_soon());
    end(&[("connected", &c, &wc)]);
    ws.rest("bound");
    end(&[("bound", &s, &ws)]);
}

fn in_use(t: &Test, transport: &str, version: i32) {
    if transport == "ipc" {
        return;
    }
    let (a, b) = (t.socket_over(transport, zmq::PULL), t.socket_over(transport, zmq::PULL));
    let wb = Watch::version(&b, version);
    let endpoint = a.bind_anywhere(transport);
    show!(t, ["bind"], b.bind(&endpoint));
    wb.rest("second");
    show!(t, ["a host that isn't here"], b.bind(&format!("{transport}://192.0.2.7:5555")));
    wb.rest("second");
    end(&[("second", &b, &wb)]);
}

fn unread(t: &Test) {
    for transport in ["tcp", "ws"] {
        let (a, b) = (t.socket_over(transport, zmq::PULL), t.socket_over(transport, zmq::PULL));
        let endpoint = a.bind_anywhere(transport);
        let name = format!("inproc://unread-{transport}");
        show!(t, ["monitor"], monitor(&b, &name, 0xffff, 1, zmq::PUB));
        show!(t, ["bind {transport}"], b.bind(&endpoint));
    }
}

fn refused(t: &Test, transport: &str, version: i32) {
    let (s, c) = sockets(t, transport);
    let endpoint = s.bind_anywhere(transport);
    show!(t, ["unbind"], s.unbind(&endpoint));
    t.settle();
    let wc = Watch::version(&c, version);
    let _ = c.set_int(zmq::RECONNECT_IVL, 100 * t.patience as i32);
    show!(t, ["connect"], c.connect(&endpoint));
    wc.until("connected", "CONNECT_RETRIED");
    let ws = Watch::version(&s, version);
    show!(t, ["bind"], s.bind(&endpoint));
    ready_at(&wc, "connected", transport);
    ready_at(&ws, "bound", transport);
    end(&[("connected", &c, &wc)]);
    ws.until("bound", "DISCONNECTED");
    end(&[("bound", &s, &ws)]);
}

fn comes_back(t: &Test, transport: &str, version: i32) {
    let (s, ws, c, wc, endpoint) = connected(t, transport, version, 50 * t.patience as i32);
    show!(t, ["unbind"], s.unbind(&endpoint));
    end(&[("bound", &s, &ws)]);
    wc.until("connected", "CONNECT_RETRIED");
    let again = t.socket_over(transport, zmq::PULL);
    let wa = Watch::version(&again, version);
    show!(t, ["bind"], again.bind(&endpoint));
    ready_at(&wa, "bound again", transport);
    for _ in 0..if transport.starts_with("ws") { 2 } else { 1 } {
        wc.skip_until("HANDSHAKE_SUCCEEDED");
    }
    end(&[("connected", &c, &wc)]);
    wa.until("bound again", "DISCONNECTED");
    end(&[("bound again", &again, &wa)]);
}

fn disconnect_early(t: &Test, transport: &str, version: i32) {
    let (s, c) = sockets(t, transport);
    let endpoint = s.bind_anywhere(transport);
    let _ = s.unbind(&endpoint);
    t.settle();
    let wc = Watch::version(&c, version);
    let _ = c.set_int(zmq::RECONNECT_IVL, 10_000);
    show!(t, ["connect"], c.connect(&endpoint));
    wc.until("connected", "CONNECT_RETRIED");
    show!(t, ["disconnect"], c.disconnect(&endpoint));
    wc.rest("connected");
    show!(t, ["connect"], c.connect(&endpoint));
    wc.until("connected", "CONNECT_RETRIED");
    end(&[("connected", &c, &wc)]);
}

/// Every other type connects: who gets along with whom, and what is said if they don't.
fn types(t: &Test, kind: i32) {
    t.remote();
    for (other, _) in super::wire::PEERS {
        let (s, c) = (t.socket(kind), t.socket(other));
        let _ = c.set_int(zmq::RECONNECT_IVL, -1);
        let (ws, wc) = (Watch::new(&s), Watch::new(&c));
        let endpoint = s.bind_anywhere("tcp");
        let _ = c.connect(&endpoint);
        wc.skip_until("CONNECTED");
        let (bound, connected) = (ws.names(), wc.names());
        let name = zmq::TYPES[other as usize];
        t.say(format_args!("{name} connects: {connected}"));
        t.say(format_args!("{name} to it: {bound}"));
        let _ = (s.close(), c.close());
        ws.skip_until("MONITOR_STOPPED");
        wc.skip_until("MONITOR_STOPPED");
        ws.close();
        wc.close();
    }
}

/// What a bare listener does to whoever connects.
fn treat(t: &Test, listener: &TcpListener, how: &str) {
    let bare = Bare::accept(t, listener);
    match how {
        "closes at once" => {}
        "silent" => drop(bare.read_for(t.quiet() * 6)),
        "garbage" => {
            let _ = bare.read();
            bare.send(&greeting()[..12]);
            bare.send(&[b'x'; 52]);
            let _ = bare.read_for(t.quiet() * 4);
        }
        "wrong type" => {
            bare.send(&greeting());
            let _ = bare.read_exactly(64);
            bare.send(&ready("PUB", &[]));
            let _ = bare.read_for(t.quiet() * 4);
        }
        _ => {
            let _ = bare.shake_hands("PULL");
            let _ = bare.read();
        }
    }
}

fn reconnect_stop(t: &Test, stop: i32, how: &str) {
    t.remote();
    let c = t.socket(zmq::PUSH);
    let _ = c.set_int(zmq::RECONNECT_IVL, 10_000);
    let _ = c.set_int(zmq::HANDSHAKE_IVL, t.quiet().as_millis() as i32 * 3);
    show!(t, c.set_int(zmq::RECONNECT_STOP, stop));
    let watch = Watch::new(&c);
    let (listener, endpoint) = listen(t);
    if how == "refused" {
        drop(listener);
        show!(t, ["connect"], c.connect(&endpoint));
    } else {
        show!(t, ["connect"], c.connect(&endpoint));
        treat(t, &listener, how);
    }
    watch.rest("connected");
    notice(t, &[&c]);
    show!(t, ["a message is taken"], c.send_now(m!("a")));
    show!(t, ["disconnect"], c.disconnect(&endpoint));
    watch.rest("connected");
    end(&[("connected", &c, &watch)]);
}

fn silent_peer(t: &Test) {
    for sent in [0, 1, 10, 11, 12, 63, 64, 70] {
        let s = t.socket(zmq::PULL);
        show!(t, s.set_int(zmq::HANDSHAKE_IVL, t.quiet().as_millis() as i32 * 3));
        let watch = Watch::new(&s);
        let bare = Bare::connect(t, &s.bind_anywhere("tcp"));
        let hello = [greeting(), ready("PUSH", &[])].concat();
        bare.send(&hello[..sent]);
        watch.until(&format!("after {sent} bytes"), "DISCONNECTED");
        show!(t, ["the peer sees"], bare.read().end);
        end(&[("bound", &s, &watch)]);
        watch.close();
    }
}

/// The peer goes after so many bytes.
fn ends(t: &Test) {
    for sent in [0, 1, 9, 10, 11, 12, 20, 31, 32, 33, 63, 64, 65, 66, 67, 72, 80, 90, 91, 92] {
        let s = t.socket(zmq::PULL);
        let watch = Watch::new(&s);
        let bare = Bare::connect(t, &s.bind_anywhere("tcp"));
        let hello = [greeting(), ready("PUSH", &[])].concat();
        watch.skip_until("ACCEPTED");
        bare.send(&hello[..sent.min(hello.len())]);
        let _ = bare.read();
        drop(bare);
        watch.until(&format!("after {sent} bytes"), "DISCONNECTED");
        end(&[("bound", &s, &watch)]);
        watch.close();
    }
}

fn filters(t: &Test) {
    for (what, option, value) in [
        ("an address that isn't it", zmq::TCP_ACCEPT_FILTER, &b"10.0.0.0/8"[..]),
        ("the address", zmq::TCP_ACCEPT_FILTER, b"127.0.0.1"),
    ] {
        let (s, c) = (t.socket(zmq::PULL), t.socket(zmq::PUSH));
        show!(t, ["{what}"], s.set(option, value));
        let _ = c.set_int(zmq::RECONNECT_IVL, -1);
        let (ws, wc) = (Watch::new(&s), Watch::new(&c));
        let endpoint = s.bind_anywhere("tcp");
        let _ = c.connect(&endpoint);
        wc.rest("connected");
        ws.rest("bound");
        end(&[("connected", &c, &wc), ("bound", &s, &ws)]);
        ws.close();
        wc.close();
    }
    for (what, option) in
        [("uid", zmq::IPC_FILTER_UID), ("gid", zmq::IPC_FILTER_GID), ("pid", zmq::IPC_FILTER_PID)]
    {
        let (s, c) = (t.socket(zmq::PULL), t.socket(zmq::PUSH));
        show!(t, ["{what}"], s.set_int(option, 77_777));
        let _ = c.set_int(zmq::RECONNECT_IVL, -1);
        let (ws, wc) = (Watch::new(&s), Watch::new(&c));
        let endpoint = s.bind_anywhere("ipc");
        let _ = c.connect(&endpoint);
        wc.rest("connected");
        ws.rest("bound");
        end(&[("connected", &c, &wc), ("bound", &s, &ws)]);
        ws.close();
        wc.close();
    }
}

/// A NULL socket and peers that want another mechanism.
fn mechanisms(t: &Test) {
    for mechanism in ["PLAIN", "CURVE", "GSSAPI", "NOSUCH", ""] {
        let s = t.socket(zmq::PULL);
        let watch = Watch::new(&s);
        let bare = Bare::connect(t, &s.bind_anywhere("tcp"));
        let _ = bare.read();
        bare.send(&greeting_of(3, 1, mechanism, false));
        watch.until(mechanism, "DISCONNECTED");
        end(&[("bound", &s, &watch)]);
        watch.close();
    }
}

fn arguments(t: &Test) {
    let s = t.socket(zmq::PULL);
    for endpoint in ["inproc://ok", "inproc://", "tcp://127.0.0.1:1", "ipc://x", "", "x", "udp://127.0.0.1:1"]
    {
        for version in [0, 1, 2, 3] {
            // A name is free again when the reference's thread that ends sockets has been through.
            let own = endpoint.replace("ok", &format!("ok{version}"));
            show!(t, ["{endpoint:?}, version {version}"], monitor(&s, &own, 1, version, zmq::PAIR));
            show!(t, ["stop"], stop(&s));
        }
    }
    for (kind, name) in (0..22).zip(zmq::TYPES.into_iter().chain(["none"])) {
        show!(t, ["to a {name}"], monitor(&s, &format!("inproc://{name}"), 1, 2, kind));
        show!(t, ["stop"], stop(&s));
    }
    for mask in [0, 0x8000, 0xffff, 0x1_0000, 0x1_ffff, 0x2_0000, 0xffff_ffff, u64::MAX] {
        for version in [1, 2] {
            let name = format!("inproc://m{mask}-{version}");
            show!(t, ["mask {mask:#x}, version {version}"], monitor(&s, &name, mask, version, zmq::PAIR));
            // The reference waits until somebody hears that it stops.
            let reader = t.socket(zmq::PAIR);
            let _ = reader.connect(&name);
            show!(t, ["stop"], stop(&s));
        }
    }
    let taken = t.socket(zmq::PAIR);
    show!(t, taken.bind("inproc://taken"));
    show!(t, ["a name that is taken"], monitor(&s, "inproc://taken", 1, 1, zmq::PAIR));
    show!(t, ["stop"], stop(&s));
    show!(t, ["stop again"], stop(&s));
}

fn masks(t: &Test) {
    for (bit, name) in zmq::EVENTS_BY_BIT.into_iter().filter(|(bit, _)| *bit < 0x1_0000) {
        let (s, c) = (t.socket(zmq::PULL), t.socket(zmq::PUSH));
        show!(t, ["{name} only"], monitor(&s, &format!("inproc://s{bit}"), bit, 1, zmq::PAIR));
        show!(t, ["{name} only"], monitor(&c, &format!("inproc://c{bit}"), bit, 1, zmq::PAIR));
        let (rs, rc) = (t.socket(zmq::PAIR), t.socket(zmq::PAIR));
        let _ = (rs.connect(&format!("inproc://s{bit}")), rc.connect(&format!("inproc://c{bit}")));
        let (ws, wc) = (Watch::reading(rs, 1), Watch::reading(rc, 1));
        let endpoint = s.bind_anywhere("tcp");
        let _ = (c.connect(&endpoint), c.send(m!("a")), s.recv());
        let _ = c.disconnect(&endpoint);
        notice(t, &[&c, &s]);
        ws.rest("bound");
        wc.rest("connected");
        let _ = (s.close(), c.close());
        t.settle();
        ws.rest("bound, at the end");
        wc.rest("connected, at the end");
    }
}

fn context_ends(t: &Test) {
    let (s, c) = (t.socket(zmq::PULL), t.socket(zmq::PUSH));
    let wc = Watch::new(&c);
    let endpoint = s.bind_anywhere("tcp");
    let _ = c.connect(&endpoint);
    wc.until("connected", "HANDSHAKE_SUCCEEDED");
    show!(t, ["shutdown"], crate::script::shutdown(t));
    wc.rest("connected");
    show!(t, c.close());
    wc.rest("connected");
}

fn stopping(t: &Test) {
    let s = t.socket(zmq::PULL);
    let watch = Watch::new(&s);
    let endpoint = s.bind_anywhere("tcp");
    watch.rest("bound");
    show!(t, stop(&s));
    watch.rest("bound");
    show!(t, ["unbind"], s.unbind(&endpoint));
    watch.rest("bound");
    watch.close();
    let again = Watch::version(&s, 2);
    let _ = s.bind_anywhere("tcp");
    again.rest("again");
    end(&[("again", &s, &again)]);
}

fn inproc(t: &Test) {
    let (s, c) = (t.socket(zmq::PULL), t.socket(zmq::PUSH));
    let (ws, wc) = (Watch::new(&s), Watch::new(&c));
    show!(t, s.bind("inproc://a"));
    show!(t, c.connect("inproc://a"));
    show!(t, c.disconnect("inproc://a"));
    show!(t, s.unbind("inproc://a"));
    notice(t, &[&c, &s]);
    end(&[("connected", &c, &wc), ("bound", &s, &ws)]);
}

fn pipes_stats(t: &Test) {
    let (s, c) = (t.socket(zmq::PULL), t.socket(zmq::PUSH));
    show!(t, ["without a monitor"], crate::watch::stats(&s));
    let (ws, wc) = (Watch::version(&s, 2), Watch::version(&c, 2));
    show!(t, ["without a pipe"], crate::watch::stats(&s));
    ws.rest("bound");
    let endpoint = s.bind_anywhere("tcp");
    let _ = c.connect(&endpoint);
    ws.until("bound", "HANDSHAKE_SUCCEEDED");
    wc.until("connected", "HANDSHAKE_SUCCEEDED");
    for _ in 0..3 {
        let _ = c.send(m!("a"));
    }
    t.settle();
    let _ = (s.events(), c.events());
    show!(t, crate::watch::stats(&s));
    show!(t, crate::watch::stats(&c));
    t.settle();
    let _ = (s.events(), c.events());
    ws.rest("bound");
    wc.rest("connected");
}
