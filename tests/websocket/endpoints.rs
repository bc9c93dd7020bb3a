//! Addresses, as measured on the reference (but for a path with a colon, which upstream's master corrects).

use crate::support::{Context, eventually};
use crate::watch::Watch;
use zmq::ffi::constants::*;

#[test]
fn addresses_to_bind_and_what_they_are_called() {
    let context = Context::new();
    for (address, start, path) in [
        ("ws://*:*", "ws://0.0.0.0:", "/"),
        ("ws://*:*/", "ws://0.0.0.0:", "/"),
        ("ws://*:0/a", "ws://0.0.0.0:", "/a"),
        ("ws://lo:*/a:b", "ws://127.0.0.1:", "/a:b"),
        ("ws://127.0.0.1:*/a?b=c d", "ws://127.0.0.1:", "/a?b=c d"),
    ] {
        let socket = context.socket(ZMQ_DEALER);
        socket.bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        let name = socket.last_endpoint();
        assert!(name.starts_with(start) && name.ends_with(path), "{address}: {name}");
        assert_eq!(socket.unbind(address), Err(libc::ENOENT));
        assert_eq!(socket.unbind(&name), Ok(0));
        assert_eq!(socket.unbind(&name), Err(libc::ENOENT));
    }
    let socket = context.socket(ZMQ_DEALER);
    for (address, error) in [
        ("ws://*:*/a/b", libc::EINVAL),
        ("ws://localhost:*", libc::ENODEV),
        ("ws://nosuch:80", libc::ENODEV),
        ("ws://[::1]:*", libc::ENODEV),
        ("ws://127.0.0.1", libc::EINVAL),
        ("ws://127.0.0.1:x", libc::EINVAL),
        ("ws://127.0.0.1/a:80", libc::EINVAL),
        ("ws:///a", libc::EINVAL),
        ("ws://127.0.0.1:0/\n", libc::EINVAL),
        ("WS://127.0.0.1:*", libc::EPROTONOSUPPORT),
    ] {
        assert_eq!(socket.bind(address), Err(error), "{address}");
    }
}

#[test]
fn addresses_to_connect_to_and_what_they_are_called() {
    let context = Context::new();
    for (address, name) in [
        ("ws://127.0.0.1:5999", "ws://127.0.0.1:5999/"),
        ("ws://127.0.0.1:5999/a/b", "ws://127.0.0.1:5999/b"),
        ("ws://127.0.0.1:5999/a:b", "ws://127.0.0.1:5999/a:b"),
        ("ws://localhost:5999", "ws://localhost:5999/"),
        ("ws://127.1:5999?q", "ws://127.1:5999/"),
    ] {
        let socket = context.socket(ZMQ_DEALER);
        socket.connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        assert_eq!(socket.last_endpoint(), name);
        // One connection to each endpoint is enough.
        assert_eq!(socket.connect(address), Ok(0));
        assert_eq!(socket.disconnect(address), Ok(0));
        assert_eq!(socket.disconnect(address), Err(libc::ENOENT));
    }
    let socket = context.socket(ZMQ_DEALER);
    for address in [
        "ws://lo:5999",
        "ws://*:5999",
        "ws://nosuch.invalid:80",
        "ws://127.0.0.1",
        "ws://127.0.0.1:*",
        "ws://127.0.0.1;127.0.0.1:5999",
        "ws://[::1]:5999",
        "ws://127.0.0.1:80/\r\nX: y",
    ] {
        assert_eq!(socket.connect(address), Err(libc::EINVAL), "{address}");
    }
}

#[test]
fn a_path_with_a_colon_leads_there() {
    let context = Context::new();
    let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
    pull.bind("ws://127.0.0.1:*/a:b").unwrap();
    push.connect(&pull.last_endpoint()).unwrap();
    push.send(b"there").unwrap();
    assert_eq!(pull.recv().unwrap(), b"there");
}

#[test]
fn ipv6() {
    let context = Context::new();
    let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
    for socket in [&pull, &push] {
        socket.set(ZMQ_IPV6, 1).unwrap();
    }
    if pull.bind("ws://[::1]:*/six") == Err(libc::EADDRNOTAVAIL) {
        return; // a machine without IPv6
    }
    assert!(pull.last_endpoint().starts_with("ws://[::1]:") && pull.last_endpoint().ends_with("/six"));
    push.connect(&pull.last_endpoint()).unwrap();
    push.send(b"there").unwrap();
    assert_eq!(pull.recv().unwrap(), b"there");
}

#[test]
fn monitors_hear_the_names_with_their_paths() {
    let context = Context::new();
    let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
    let (heard, said) = (Watch::new(&context, &pull), Watch::new(&context, &push));
    pull.bind("ws://127.0.0.1:*/p").unwrap();
    let endpoint = pull.last_endpoint();
    push.connect(&endpoint).unwrap();
    push.send(b"x").unwrap();
    pull.recv().unwrap();
    assert_eq!(heard.wait_for(ZMQ_EVENT_LISTENING).local, endpoint);
    let accepted = heard.wait_for(ZMQ_EVENT_ACCEPTED);
    assert_eq!(accepted.local, endpoint);
    let connected = said.wait_for(ZMQ_EVENT_CONNECTED);
    assert_eq!(connected.remote, endpoint);
    assert_eq!(accepted.remote, format!("{}/p", connected.local));
    pull.unbind(&endpoint).unwrap();
    heard.wait_for(ZMQ_EVENT_CLOSED);
    said.wait_for(ZMQ_EVENT_DISCONNECTED);
}

#[test]
fn unbinding_and_disconnecting_end_the_connection() {
    let context = Context::new();
    let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
    push.set(ZMQ_SNDHWM, 1).unwrap();
    pull.bind("ws://127.0.0.1:*").unwrap();
    let endpoint = pull.last_endpoint();
    push.connect(&endpoint).unwrap();
    push.send(b"x").unwrap();
    assert_eq!(pull.recv().unwrap(), b"x");
    push.disconnect(&endpoint).unwrap();
    assert_eq!(push.try_send(b"nobody"), Err(libc::EAGAIN));
    push.connect(&endpoint).unwrap();
    push.send(b"y").unwrap();
    assert_eq!(pull.recv().unwrap(), b"y");
    pull.unbind(&endpoint).unwrap();
    let other = context.socket(ZMQ_PULL);
    eventually("the port is free", || other.bind(&endpoint).is_ok());
}

#[test]
fn accept_filters_count() {
    let context = Context::new();
    let pull = context.socket(ZMQ_PULL);
    pull.set_bytes(ZMQ_TCP_ACCEPT_FILTER, b"10.0.0.0/8").unwrap();
    pull.bind("ws://127.0.0.1:*").unwrap();
    let watch = Watch::new(&context, &pull);
    let mut peer = crate::peer::Peer::dial(&pull.last_endpoint());
    assert!(peer.is_closed());
    watch.expect(&[ZMQ_EVENT_ACCEPT_FAILED]);
}
