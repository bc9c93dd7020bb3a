//! Endpoint strings by the hundred: bind, connect, unbind, disconnect, and what `ZMQ_LAST_ENDPOINT` says.

use crate::Case;
use crate::script::{Errno, Socket, Test, show};
use crate::zmq;

/// Hosts, for binding and connecting.
const HOSTS: [&str; 34] = [
    "127.0.0.1",
    "127.1",
    "127.0.0.2",
    "0.0.0.0",
    "*",
    "lo",
    "localhost",
    "nosuchhost.invalid",
    "nosuchif0",
    "",
    " ",
    "[::1]",
    "::1",
    "[::]",
    "[*]",
    "[::1%lo]",
    "[::1%1]",
    "[::1%nosuch0]",
    "[fe80::1%lo]",
    "[127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[]",
    "[",
    "]",
    "[::1",
    "::1]",
    "256.0.0.1",
    "1.2.3",
    "192.0.2.7",
    "127.0.0.1 ",
    " 127.0.0.1",
    "0x7f.1",
    "a_b",
    "-",
];

/// Ports.
const PORTS: [&str; 22] = [
    ":5555",
    ":*",
    ":0",
    ":!",
    "",
    ":",
    ":1",
    ":65535",
    ":65536",
    ":70000",
    ":-1",
    ":+5555",
    ": 5555",
    ":5555 ",
    ":5555x",
    ":x",
    ":0x15b3",
    ":05555",
    ":99999999999",
    ":5555/",
    ":5555?q",
    "::5555",
];

const OTHERS: [&str; 62] = [
    "",
    ":",
    "/",
    "://",
    "tcp",
    "tcp:",
    "tcp:/",
    "tcp://",
    "tcp:///",
    "TCP://127.0.0.1:5555",
    "Tcp://127.0.0.1:5555",
    " tcp://127.0.0.1:5555",
    "tcp ://127.0.0.1:5555",
    "tcp:127.0.0.1:5555",
    "tcp4://127.0.0.1:5555",
    "tcp6://[::1]:5555",
    "xyz://127.0.0.1:5555",
    "://127.0.0.1:5555",
    "127.0.0.1:5555",
    "tcp://tcp://127.0.0.1:5555",
    "http://127.0.0.1:5555",
    "norm://224.0.0.1:5555",
    "vmci://*",
    "vmci://1:5555",
    "vmci://",
    "vsock://",
    "ipc:@a",
    "inproc",
    "inproc:",
    "inproc:/",
    "inproc://",
    "inproc://a",
    "inproc://*",
    "inproc:// ",
    "inproc://a/b?c",
    "inproc://A",
    "INPROC://a",
    "inproc://\u{e9}",
    "tcp://127.0.0.1:5555;127.0.0.1:6666",
    "tcp://127.0.0.1;127.0.0.1:6666",
    "tcp://127.0.0.1:0;127.0.0.1:6666",
    "tcp://127.0.0.1:7777;127.0.0.1:6666",
    "tcp://lo;127.0.0.1:6666",
    "tcp://lo:0;127.0.0.1:6666",
    "tcp://*:0;127.0.0.1:6666",
    "tcp://*;127.0.0.1:6666",
    "tcp://;127.0.0.1:6666",
    "tcp://127.0.0.1:0;",
    "tcp://;",
    "tcp://nosuchif0;127.0.0.1:6666",
    "tcp://[::1]:0;127.0.0.1:6666",
    "tcp://[::1]:0;[::1]:6666",
    "tcp://127.0.0.1:x;127.0.0.1:6666",
    "tcp://192.0.2.9:0;127.0.0.1:6666",
    "tcp://localhost;127.0.0.1:6666",
    "tcp://127.0.0.1:0;127.0.0.1:6666;127.0.0.1:7777",
    "tcp://127.0.0.1:80:5555",
    "tcp://127.0.0.1:5555:80",
    "tcp://user@127.0.0.1:5555",
    "tcp://127.0.0.1:5555#a",
    "tcp://127.0.0.1\\:5555",
    "tcp://127.0.0.1,5555",
];

const PATHS: [&str; 24] = [
    "DIR/a",
    "DIR/",
    "DIR",
    "DIR/nosuch/a",
    "",
    "*",
    "*x",
    "x*",
    "@abstract",
    "@",
    "@@",
    "@a/b",
    "relative",
    "./relative",
    "../relative",
    ".",
    "/",
    "/nosuch/a",
    "/proc/a",
    "DIR/with space",
    "DIR/a:b",
    "DIR/a;b",
    "DIR/a*b",
    "//DIR/double",
];

/// Hosts and ports of udp.
const UDP: [&str; 28] = [
    "127.0.0.1:5556",
    "*:5556",
    "127.0.0.1:*",
    "127.0.0.1:0",
    "127.0.0.1",
    "127.0.0.1:",
    ":5556",
    "",
    "lo:5556",
    "lo;127.0.0.1:5556",
    "127.0.0.1;127.0.0.1:5556",
    "224.0.0.251:5556",
    "lo;224.0.0.251:5556",
    "127.0.0.1;224.0.0.251:5556",
    "*;224.0.0.251:5556",
    "nosuchif0;224.0.0.251:5556",
    "239.255.255.255:5556",
    "255.255.255.255:5556",
    "[::1]:5556",
    "[::]:5556",
    "[ff02::1]:5556",
    "lo;[ff02::1]:5556",
    "localhost:5556",
    "nosuchhost.invalid:5556",
    "192.0.2.7:5556",
    "127.0.0.1:65536",
    "127.0.0.1:x",
    "127.0.0.1:-1",
];

/// What follows `ws://`.
const WS: [&str; 27] = [
    "127.0.0.1:5557",
    "127.0.0.1:*",
    "127.0.0.1:5557/",
    "127.0.0.1:5557/a",
    "127.0.0.1:5557/a/b",
    "127.0.0.1:*/a",
    "127.0.0.1:5557/a?b",
    "127.0.0.1:5557a",
    "127.0.0.1:/a",
    "127.0.0.1/a",
    "127.0.0.1",
    "",
    "/",
    "*:5557",
    "*:*",
    "lo:5557",
    "localhost:5557",
    "nosuchhost.invalid:5557",
    "[::1]:5557",
    "[::1]:5557/a",
    ":5557",
    "127.0.0.1:65536",
    "127.0.0.1:x",
    "127.0.0.1:0",
    "127.0.0.1:5557//",
    "127.0.0.1:5557/ a",
    "0.0.0.0:5557",
];

pub fn cases() -> Vec<Case> {
    let mut endpoints: Vec<(String, String)> = Vec::new();
    let mut add = |group: &str, endpoint: String| endpoints.push((group.to_owned(), endpoint));
    for host in HOSTS {
        for port in [":5555", ":*"] {
            add("tcp hosts", format!("tcp://{host}{port}"));
        }
    }
    for port in PORTS {
        for host in ["127.0.0.1", "*", "[::1]", "lo"] {
            add("tcp ports", format!("tcp://{host}{port}"));
        }
    }
    OTHERS.iter().for_each(|endpoint| add("others", (*endpoint).to_owned()));
    for length in [90, 106, 107, 108, 109, 200, 300] {
        add("ipc", format!("ipc://@{}", "a".repeat(length - 1)));
        add("ipc", format!("ipc:///tmp/{}", "a".repeat(length - 5)));
    }
    for length in [255, 256, 257, 1000] {
        add("others", format!("inproc://{}", "a".repeat(length)));
        add("others", format!("tcp://{}:5555", "a".repeat(length)));
    }
    PATHS.iter().for_each(|path| add("ipc", format!("ipc://{path}")));
    WS.iter().for_each(|rest| add("ws", format!("ws://{rest}")));
    WS.iter().take(12).for_each(|rest| add("wss", format!("wss://{rest}")));
    UDP.iter().for_each(|rest| add("udp", format!("udp://{rest}")));

    let mut cases = Vec::new();
    for ipv6 in [0, 1] {
        for (group, kinds) in [
            ("tcp hosts", &[zmq::PULL][..]),
            ("tcp ports", &[zmq::PULL]),
            ("others", &[zmq::PULL]),
            ("ipc", &[zmq::PULL]),
            ("ws", &[zmq::PULL]),
            ("wss", &[zmq::PULL]),
            ("udp", &[zmq::DISH, zmq::RADIO, zmq::DGRAM, zmq::PULL]),
        ] {
            if ipv6 == 1 && matches!(group, "ipc" | "others") {
                continue;
            }
            for kind in kinds {
                let own: Vec<String> = endpoints
                    .iter()
                    .filter(|(of, _)| of == group)
                    .map(|(_, endpoint)| endpoint.clone())
                    .collect();
                for (number, some) in own.chunks(12).enumerate() {
                    let (some, kind) = (some.to_vec(), *kind);
                    let name = format!(
                        "endpoints/{group}/{}{}/{number}",
                        zmq::TYPES[kind as usize],
                        ["", " with IPV6"][ipv6 as usize]
                    );
                    cases.push(Case::new(name, move |t| {
                        some.iter().for_each(|endpoint| one(t, endpoint, kind, ipv6))
                    }));
                }
            }
        }
    }
    cases.push(Case::new("endpoints/twice", twice));
    cases.push(Case::new("endpoints/several", several));
    cases.push(Case::new("endpoints/types", types));
    cases.push(Case::new("endpoints/LAST_ENDPOINT sizes", last_endpoint_sizes));
    cases
}

/// Names the part of an endpoint that the system has chosen.
fn name_chosen(t: &Test, asked: &str, got: &str) {
    if asked.starts_with("ipc://*") {
        t.name(got, "ipc://CHOSEN");
    }
    let digits = |text: &str| {
        let text = text.rsplit(':').next().unwrap_or_default();
        text.chars().take_while(char::is_ascii_digit).collect::<String>()
    };
    let port = digits(got);
    if port.parse::<u16>().is_ok_and(|port| port >= 32_768 && port != 65_535) && !asked.contains(&port) {
        t.name(&format!(":{port}"), ":CHOSEN");
    }
}

fn open(t: &Test, kind: i32, ipv6: i32) -> Socket<'_> {
    let socket = t.socket(kind);
    let _ = socket.set_int(zmq::IPV6, ipv6);
    // Whatever is connected to needs not be told again and again that nobody is there.
    let _ = socket.set_int(zmq::RECONNECT_IVL, -1);
    socket
}

fn one(t: &Test, endpoint: &str, kind: i32, ipv6: i32) {
    let endpoint = endpoint.replace("DIR", &t.folder.display().to_string());
    let shown = if endpoint.len() > 100 {
        format!("{:.20}...{}", endpoint, endpoint.len())
    } else {
        endpoint.clone()
    };
    let wss = endpoint.starts_with("wss");
    if endpoint.starts_with("ws") {
        t.needs(if wss { "WSS" } else { "WS" });
    }
    if endpoint.starts_with("udp") {
        let socket = open(t, zmq::DISH, 0);
        if socket.bind("udp://127.0.0.1:5550") == Err(Errno(libc::EPROTONOSUPPORT)) {
            t.say("no udp in the library");
            t.end();
        }
        let _ = socket.close();
    }
    // Without a key the reference doesn't survive binding wss.
    if !wss {
        bind(t, &endpoint, &shown, kind, ipv6);
    }

    let socket = open(t, kind, ipv6);
    show!(t, ["{shown:?}: connect"], socket.connect(&endpoint));
    show!(t, ["{shown:?}: LAST_ENDPOINT"], socket.last_endpoint());
    show!(t, ["{shown:?}: disconnect"], socket.disconnect(&endpoint));
    show!(t, ["{shown:?}: disconnect again"], socket.disconnect(&endpoint));
    show!(t, ["{shown:?}: unbind what was connected"], socket.unbind(&endpoint));
    let _ = socket.close();
    // An unbound or closed endpoint is free when the thread that had it has noticed.
    std::thread::sleep(std::time::Duration::from_millis(2) * t.patience);
}

fn bind(t: &Test, endpoint: &str, shown: &str, kind: i32, ipv6: i32) {
    let socket = open(t, kind, ipv6);
    let bound = socket.bind(endpoint);
    let last = socket.last_endpoint();
    if bound.is_ok() {
        name_chosen(t, endpoint, &last);
    }
    show!(t, ["{shown:?}: bind"], bound);
    show!(t, ["{shown:?}: LAST_ENDPOINT"], last.clone());
    show!(t, ["{shown:?}: unbind"], socket.unbind(endpoint));
    if last != endpoint && !last.is_empty() {
        show!(t, ["{shown:?}: unbind {last:?}"], socket.unbind(&last));
    }
    show!(t, ["{shown:?}: unbind again"], socket.unbind(endpoint));
    show!(t, ["{shown:?}: disconnect what was bound"], socket.disconnect(endpoint));
    let _ = socket.close();
}

fn twice(t: &Test) {
    for endpoint in ["tcp://127.0.0.1:5555", "ipc://DIR/a", "ipc://@a", "inproc://a", "tcp://*:5558"] {
        let shown = endpoint;
        let endpoint = endpoint.replace("DIR", &t.folder.display().to_string());
        let (a, b) = (t.socket(zmq::PULL), t.socket(zmq::PULL));
        show!(t, ["{shown}: first"], a.bind(&endpoint));
        show!(t, ["{shown}: same socket again"], a.bind(&endpoint));
        show!(t, ["{shown}: another socket"], b.bind(&endpoint));
        show!(t, ["{shown}: LAST_ENDPOINT after failure"], b.last_endpoint());
        show!(t, ["{shown}: unbind by the other"], b.unbind(&endpoint));
        show!(t, ["{shown}: connect one's own"], a.connect(&endpoint));
        show!(t, ["{shown}: connect twice"], b.connect(&endpoint));
        show!(t, ["{shown}: connect twice"], b.connect(&endpoint));
        show!(t, ["{shown}: disconnect"], b.disconnect(&endpoint));
        show!(t, ["{shown}: disconnect"], b.disconnect(&endpoint));
        show!(t, ["{shown}: disconnect"], b.disconnect(&endpoint));
        show!(t, ["{shown}: unbind"], a.unbind(&endpoint));
        show!(t, ["{shown}: unbind"], a.unbind(&endpoint));
        t.settle();
        show!(t, ["{shown}: another socket afterwards"], b.bind(&endpoint));
        let _ = (a.close(), b.close());
    }
}

fn several(t: &Test) {
    let s = t.socket(zmq::PULL);
    let first = s.bind_anywhere("tcp");
    let second = s.bind_anywhere("tcp");
    show!(t, s.bind("inproc://a"));
    show!(t, s.last_endpoint());
    show!(t, s.bind("inproc://b"));
    show!(t, s.bind("tcp://nosuchhost.invalid:1"));
    show!(t, s.last_endpoint());
    show!(t, s.unbind("inproc://b"));
    show!(t, s.last_endpoint());
    show!(t, s.unbind(&first));
    show!(t, s.last_endpoint());
    show!(t, s.connect(&second));
    show!(t, s.last_endpoint());
    show!(t, s.disconnect(&second));
    show!(t, s.unbind(&second));
    show!(t, s.connect("inproc://nobody"));
    show!(t, s.disconnect("inproc://nobody"));
    show!(t, s.disconnect("inproc://nobody"));
    show!(t, s.connect("inproc://a"));
    show!(t, s.unbind("inproc://a"));
    show!(t, s.disconnect("inproc://a"));
    show!(t, s.connect("inproc://a"));
    show!(t, s.bind("inproc://a"));
    show!(t, s.disconnect("inproc://a"));
    show!(t, s.close());
}

/// What each type says to each transport.
fn types(t: &Test) {
    for (kind, name) in (0..).zip(zmq::TYPES) {
        let endpoints = ["tcp://127.0.0.1:*", "ipc://*", "inproc://*", "udp://127.0.0.1:5600", "vmci://*:*"];
        for endpoint in endpoints {
            let Ok(s) = t.bare_socket(kind) else {
                t.say(format_args!("no {name} socket: EINVAL"));
                return;
            };
            let _ = s.set_int(zmq::LINGER, 0);
            // A name is free again when the reference's thread that ends sockets has been through.
            let own = endpoint.replace("inproc://*", &format!("inproc://{name}"));
            show!(t, ["{name} binds {endpoint}"], s.bind(&own));
            let _ = s.close();
            let Ok(s) = t.bare_socket(kind) else { return };
            let _ = s.set_int(zmq::LINGER, 0);
            show!(t, ["{name} connects {endpoint}"], s.connect(&endpoint.replace('*', "5601")));
            let _ = s.close();
        }
    }
}

fn last_endpoint_sizes(t: &Test) {
    let s = t.socket(zmq::PULL);
    for size in [0, 1, 2, 9, 10, 11, 12, 100] {
        show!(t, ["without endpoint, room for {size}"], s.get(zmq::LAST_ENDPOINT, size));
    }
    show!(t, s.bind("inproc://*"));
    for size in [0, 1, 9, 10, 11, 12, 100] {
        show!(t, ["room for {size}"], s.get(zmq::LAST_ENDPOINT, size));
    }
    show!(t, s.set(zmq::LAST_ENDPOINT, b"a"));
}
