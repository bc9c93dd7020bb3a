//! What a bare peer is answered under PLAIN and CURVE when it says something else than is due.

use crate::Case;
use crate::bare::{Bare, command, frame, greeting_of, listen, property, ready};
use crate::keys::{Keys, Mechanism};
use crate::script::{Show, Socket, Test, m, show};
use crate::watch::Watch;
use crate::zmq;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: String, run: Box<dyn Fn(&Test) + Sync + Send>| {
        cases.push(Case::new(format!("mechanisms/{name}"), run));
    };
    for (what, said) in instead_of_hello() {
        add(format!("PLAIN server, {what} for HELLO"), Box::new(move |t| plain_server(t, &said, None)));
    }
    for (what, said) in instead_of_initiate() {
        add(
            format!("PLAIN server, {what} for INITIATE"),
            Box::new(move |t| plain_server(t, &plain_hello(b"admin", b"secret"), Some(&said))),
        );
    }
    for (what, said) in instead_of_welcome() {
        add(format!("PLAIN client, {what} for WELCOME"), Box::new(move |t| plain_client(t, &said, None)));
    }
    for (what, said) in instead_of_ready() {
        add(
            format!("PLAIN client, {what} for READY"),
            Box::new(move |t| plain_client(t, &command("WELCOME", b""), Some(&said))),
        );
    }
    for (what, said) in curve_commands() {
        let also = said.clone();
        add(format!("CURVE server, {what} for HELLO"), Box::new(move |t| curve(t, true, &said)));
        add(format!("CURVE client, {what} for WELCOME"), Box::new(move |t| curve(t, false, &also)));
    }
    cases
}

fn plain_hello(name: &[u8], password: &[u8]) -> Vec<u8> {
    let data = [&[name.len() as u8], name, &[password.len() as u8], password].concat();
    command("HELLO", &data)
}

type Said = Vec<(&'static str, Vec<u8>)>;

/// What is out of place everywhere.
fn anywhere() -> Said {
    vec![
        ("a message", frame(0, b"hello")),
        ("an empty command", frame(4, b"")),
        ("a command without name", command("", b"")),
        ("a name cut short", frame(4, b"\x09HELLO")),
        ("an unknown command", command("NOSUCH", b"data")),
        ("PING", command("PING", b"\0\0")),
        ("ERROR", command("ERROR", b"\x06reason")),
        ("^RROR", command("^RROR", b"\x06reason")),
        ("ERROR with nothing", command("ERROR", b"")),
        ("ERROR cut short", command("ERROR", b"\x09abc")),
        ("ERROR with a byte too many", command("ERROR", b"\x03abcd")),
        ("ERROR 400", command("ERROR", b"\x03400")),
        ("ERROR 300", command("ERROR", b"\x03300")),
        ("SUBSCRIBE", command("SUBSCRIBE", b"a")),
        ("MESSAGE", command("MESSAGE", &[0; 40])),
    ]
}

fn instead_of_hello() -> Said {
    let mut said = anywhere();
    said.extend([
        ("the right one", plain_hello(b"admin", b"secret")),
        ("empty fields", plain_hello(b"", b"")),
        ("long fields", plain_hello(&[b'n'; 255], &[b'p'; 255])),
        ("zeros", plain_hello(b"a\0b", b"\0")),
        ("no fields", command("HELLO", b"")),
        ("one field", command("HELLO", b"\x05admin")),
        ("a name too long", command("HELLO", b"\x09admin")),
        ("a password too long", command("HELLO", b"\x05admin\x09secret")),
        ("a byte too many", command("HELLO", b"\x05admin\x06secretx")),
        ("a message", frame(0, &plain_hello(b"admin", b"secret")[2..])),
        ("more", frame(5, &plain_hello(b"admin", b"secret")[2..])),
        ("hello", command("hello", b"\x05admin\x06secret")),
        ("INITIATE", command("INITIATE", &property("Socket-Type", b"PUSH"))),
        ("READY", ready("PUSH", &[])),
        ("WELCOME", command("WELCOME", b"")),
        // (A second HELLO ends the connection, and the handler may or may not have been asked by then.)
    ]);
    said
}

fn instead_of_initiate() -> Said {
    let kind = property("Socket-Type", b"PUSH");
    let mut said = anywhere();
    said.extend([
        ("the right one", command("INITIATE", &kind)),
        ("an identity", command("INITIATE", &[kind.clone(), property("Identity", b"me")].concat())),
        ("another property", command("INITIATE", &[kind.clone(), property("X-some", b"v")].concat())),
        ("no type", command("INITIATE", b"")),
        ("a wrong type", command("INITIATE", &property("Socket-Type", b"SUB"))),
        ("an unknown type", command("INITIATE", &property("Socket-Type", b"NOSUCH"))),
        ("a byte too many", command("INITIATE", &[&kind[..], &[0]].concat())),
        ("a length too large", command("INITIATE", &[&kind[..], &[1, b'x', 0, 0, 0, 9, b'v']].concat())),
        ("an empty name", command("INITIATE", &[kind.clone(), property("", b"value")].concat())),
        ("a message", frame(0, &command("INITIATE", &kind)[2..])),
        ("initiate", command("initiate", &kind)),
        ("HELLO", plain_hello(b"admin", b"secret")),
        ("READY", ready("PUSH", &[])),
    ]);
    said
}

fn instead_of_welcome() -> Said {
    let mut said = anywhere();
    said.extend([
        ("the right one", command("WELCOME", b"")),
        ("one with data", command("WELCOME", b"data")),
        ("a message", frame(0, &command("WELCOME", b"")[2..])),
        ("welcome", command("welcome", b"")),
        ("READY", ready("PULL", &[])),
        ("HELLO", plain_hello(b"admin", b"secret")),
        ("INITIATE", command("INITIATE", &property("Socket-Type", b"PULL"))),
        ("WELCOME twice", command("WELCOME", b"").repeat(2)),
    ]);
    said
}

fn instead_of_ready() -> Said {
    let kind = property("Socket-Type", b"PULL");
    let mut said = anywhere();
    said.extend([
        ("the right one", ready("PULL", &[])),
        ("no type", command("READY", b"")),
        ("a wrong type", ready("SUB", &[])),
        ("an unknown type", ready("NOSUCH", &[])),
        ("a byte too many", command("READY", &[&kind[..], &[0]].concat())),
        ("an empty name", command("READY", &[kind.clone(), property("", b"value")].concat())),
        ("a message", frame(0, &command("READY", &kind)[2..])),
        ("WELCOME", command("WELCOME", b"")),
        ("INITIATE", command("INITIATE", &kind)),
        ("READY twice", ready("PULL", &[]).repeat(2)),
    ]);
    said
}

/// Commands of the right size and of others, with nothing that could be opened in them.
fn curve_commands() -> Said {
    let hello = |major: u8, minor: u8, count: usize| {
        let mut data = vec![0; count];
        (data[0], data[1]) = (major, minor);
        command("HELLO", &data)
    };
    let mut said = anywhere();
    said.extend([
        ("HELLO that can't be opened", hello(1, 0, 194)),
        ("HELLO of version 0", hello(0, 0, 194)),
        ("HELLO of version 2", hello(2, 0, 194)),
        ("HELLO of version 1.1", hello(1, 1, 194)),
        ("HELLO cut short", hello(1, 0, 193)),
        ("HELLO with a byte too many", hello(1, 0, 195)),
        ("HELLO as a message", frame(0, &hello(1, 0, 194)[2..])),
        ("PLAIN's HELLO", plain_hello(b"admin", b"secret")),
        ("WELCOME that can't be opened", command("WELCOME", &[0; 160])),
        ("WELCOME cut short", command("WELCOME", &[0; 159])),
        ("WELCOME with a byte too many", command("WELCOME", &[0; 161])),
        ("an empty WELCOME", command("WELCOME", b"")),
        ("INITIATE", command("INITIATE", &[0; 240])),
        ("READY in plain", ready("PUSH", &[])),
        ("READY that can't be opened", command("READY", &[0; 60])),
    ]);
    said
}

/// What has come, and the events so far.
fn look(t: &Test, what: &str, socket: &Socket, watch: &Watch, bare: &Bare) -> bool {
    let _ = socket.events();
    let seen = bare.read();
    // Whether an end comes before what was to be sent is a matter of time.
    show!(t, ["{what}"], if seen.end == "open" { seen.show() } else { seen.end.to_owned() });
    show!(t, ["  events"], watch.names());
    seen.end == "open"
}

fn finish(t: &Test, socket: &Socket, watch: &Watch, bare: Bare, handler: Option<Socket>) {
    bare.send(&frame(0, b"hello"));
    show!(t, ["the socket gets"], socket.recv_all());
    drop(bare);
    t.settle();
    let _ = socket.events();
    show!(t, ["events at the end"], watch.names());
    // The reference's server ends when the handler's pipe has.
    if let Some(handler) = handler {
        let _ = handler.close();
    }
    let _ = socket.close();
    watch.until("watch", "MONITOR_STOPPED");
}

fn plain_server(t: &Test, hello: &[u8], initiate: Option<&[u8]>) {
    t.remote();
    let handler = t.socket(zmq::REP);
    show!(t, handler.bind("inproc://zeromq.zap.01"));
    let s = t.socket(zmq::PULL);
    show!(t, s.set_int(zmq::PLAIN_SERVER, 1));
    let watch = Watch::new(&s);
    let bare = Bare::connect(t, &s.bind_anywhere("tcp"));
    bare.send(&greeting_of(3, 1, "PLAIN", false));
    show!(t, ["greeted"], bare.read());
    bare.send(hello);
    while let Ok(request) = handler.recv_soon() {
        show!(t, ["asked"], request[2..].to_vec());
        show!(t, ["answered"], handler.send(m!("1.0", request[1], "200", "OK", "user", "")));
    }
    if look(t, "answered", &s, &watch, &bare) {
        let usual = command("INITIATE", &property("Socket-Type", b"PUSH"));
        bare.send(initiate.unwrap_or(&usual));
        look(t, "in the end", &s, &watch, &bare);
    }
    finish(t, &s, &watch, bare, Some(handler));
}

fn plain_client(t: &Test, welcome: &[u8], last: Option<&[u8]>) {
    t.remote();
    let c = t.socket(zmq::PUSH);
    let _ = (c.set(zmq::PLAIN_USERNAME, b"admin"), c.set(zmq::PLAIN_PASSWORD, b"secret"));
    let _ = c.set_int(zmq::RECONNECT_IVL, 60_000);
    let watch = Watch::new(&c);
    let (listener, endpoint) = listen(t);
    show!(t, ["connect"], c.connect(&endpoint));
    let bare = Bare::accept(t, &listener);
    bare.send(&greeting_of(3, 1, "PLAIN", true));
    show!(t, ["greeted"], bare.read());
    bare.send(welcome);
    if look(t, "answered", &c, &watch, &bare) {
        let usual = ready("PULL", &[]);
        bare.send(last.unwrap_or(&usual));
        // A pipe ends in several steps, each of which a call on the socket has to take.
        for _ in 0..3 {
            t.settle();
            let _ = c.events();
        }
        show!(t, ["sent"], c.send_now(m!("hello")));
        look(t, "in the end", &c, &watch, &bare);
    }
    finish(t, &c, &watch, bare, None);
}

fn curve(t: &Test, server: bool, said: &[u8]) {
    t.remote();
    let keys = Keys::new(t);
    let socket = t.socket(if server { zmq::PULL } else { zmq::PUSH });
    let _ = socket.set_int(zmq::RECONNECT_IVL, 60_000);
    let watch = Watch::new(&socket);
    let bare = if server {
        keys.server(&socket, Mechanism::Curve);
        Bare::connect(t, &socket.bind_anywhere("tcp"))
    } else {
        keys.client(&socket, Mechanism::Curve);
        let (listener, endpoint) = listen(t);
        show!(t, ["connect"], socket.connect(&endpoint));
        Bare::accept(t, &listener)
    };
    bare.send(&greeting_of(3, 1, "CURVE", !server));
    show!(t, ["greeted with so much"], bare.read().bytes.len());
    bare.send(said);
    look(t, "answered", &socket, &watch, &bare);
    finish(t, &socket, &watch, bare, None);
}
