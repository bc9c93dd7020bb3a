//! The events of both ends over `wss://` where TLS, or the upgrade behind it, fails.

use crate::Case;
use crate::bare::{Bare, listen};
use crate::script::{Socket, Test, m, show};
use crate::watch::Watch;
use crate::zmq;

pub fn cases() -> Vec<Case> {
    [
        ("a name that isn't in the certificate", wrong_name as fn(&Test)),
        ("nobody's name", no_name),
        ("a certificate that nobody vouches for", untrusted),
        ("a client of ws", plain_client),
        ("a server of ws", plain_server),
        ("bare peers that connect", bare_clients),
        ("bare peers that are connected to", bare_servers),
    ]
    .into_iter()
    .map(|(name, run)| Case::new(format!("tls/{name}"), run))
    .collect()
}

struct Ends<'a> {
    server: Socket<'a>,
    client: Socket<'a>,
    bound: Watch<'a>,
    connected: Watch<'a>,
}

fn ends<'a>(t: &'a Test, [server, client]: [&str; 2]) -> Ends<'a> {
    t.needs("WSS");
    t.remote();
    // What the reference calls an endpoint that it connects to is compared in subjects/endpoints.rs.
    t.name("wss://", "ws://");
    let (server, client) = (t.socket_over(server, zmq::PULL), t.socket_over(client, zmq::PUSH));
    let _ = client.set_int(zmq::RECONNECT_IVL, 60_000);
    let (bound, connected) = (Watch::new(&server), Watch::new(&client));
    Ends { server, client, bound, connected }
}

fn finish(t: &Test, ends: Ends, endpoint: &str) {
    show!(t, ["connect"], ends.client.connect(endpoint));
    // TLS takes its time.
    t.settle();
    t.settle();
    ends.connected.rest("connected");
    ends.bound.rest("bound");
    // A pipe ends in several steps, each of which a call on the socket has to take.
    for _ in 0..3 {
        t.settle();
        let _ = ends.client.events();
    }
    show!(t, ["sent"], ends.client.send_now(m!("hello")));
    show!(t, ["received"], ends.server.recv_soon());
    let _ = ends.client.close();
    ends.connected.until("connected", "MONITOR_STOPPED");
    ends.bound.rest("bound");
    let _ = ends.server.close();
    ends.bound.until("bound", "MONITOR_STOPPED");
}

fn wrong_name(t: &Test) {
    let ends = ends(t, ["wss", "wss"]);
    let _ = ends.client.set(zmq::WSS_HOSTNAME, b"elsewhere.example");
    let endpoint = ends.server.bind_anywhere("wss");
    finish(t, ends, &endpoint);
}

fn no_name(t: &Test) {
    let ends = ends(t, ["wss", "wss"]);
    let _ = ends.client.set(zmq::WSS_HOSTNAME, b"");
    let endpoint = ends.server.bind_anywhere("wss");
    finish(t, ends, &endpoint);
}

fn untrusted(t: &Test) {
    let ends = ends(t, ["wss", "tcp"]);
    let endpoint = ends.server.bind_anywhere("wss");
    finish(t, ends, &endpoint);
}

fn plain_client(t: &Test) {
    let ends = ends(t, ["wss", "ws"]);
    let endpoint = ends.server.bind_anywhere("wss").replace("wss://", "ws://");
    finish(t, ends, &endpoint);
}

fn plain_server(t: &Test) {
    let ends = ends(t, ["ws", "wss"]);
    let endpoint = ends.server.bind_anywhere("ws").replace("ws://", "wss://");
    finish(t, ends, &endpoint);
}

/// What a peer says that speaks no TLS, or stops in the middle.
const NOISE: [(&str, &[u8]); 5] = [
    ("nothing", b""),
    ("HTTP", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
    ("zeros", &[0; 64]),
    ("the beginning of a record", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ("a record that is too long", b"\x16\x03\x01\xff\xff\x01\x00\x01\xfc\x03\x03"),
];

fn bare_clients(t: &Test) {
    t.needs("WSS");
    for (what, bytes) in NOISE {
        let s = t.socket_over("wss", zmq::PULL);
        let watch = Watch::new(&s);
        let endpoint = s.bind_anywhere("wss");
        let address = endpoint.trim_start_matches("wss://").trim_end_matches("/path").to_owned();
        let bare = Bare::connect(t, &address);
        bare.send(bytes);
        watch.rest(what);
        // What TLS says about it is the affair of whoever made it.
        show!(t, ["the peer sees"], bare.read().end);
        drop(bare);
        watch.rest(what);
        let _ = s.close();
        watch.until(what, "MONITOR_STOPPED");
        watch.close();
    }
}

fn bare_servers(t: &Test) {
    t.needs("WSS");
    // What the reference calls an endpoint that it connects to is compared in subjects/endpoints.rs.
    t.name("wss://", "ws://");
    t.remote();
    for (what, bytes) in NOISE {
        let c = t.socket_over("wss", zmq::PUSH);
        let _ = c.set_int(zmq::RECONNECT_IVL, 60_000);
        let watch = Watch::new(&c);
        let (listener, endpoint) = listen(t);
        show!(t, ["{what}"], c.connect(&endpoint.replace("tcp://", "wss://")));
        let bare = Bare::accept(t, &listener);
        t.settle();
        bare.send(bytes);
        watch.rest(what);
        drop(bare);
        watch.rest(what);
        let _ = c.close();
        watch.until(what, "MONITOR_STOPPED");
        watch.close();
    }
}
