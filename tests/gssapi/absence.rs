//! Where something is missing: the library, or a KDC that answers.

use crate::Case;
use crate::realm::Realm;
use crate::support::{Context, eventually};
use crate::watch::Watch;
use crate::world::{ask, serve, usual};
use std::net::{TcpListener, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};
use zmq::ffi::constants::*;
use zmq::ffi::util::zmq_has;

pub const CASES: &[Case] = &[
    ("without_the_library_the_options_are_unknown", no_library, without_the_library_the_options_are_unknown),
    ("nothing_is_loaded_before_it_is_needed", usual, nothing_is_loaded_before_it_is_needed),
    ("a_kdc_that_never_answers_holds_nobody_up", stuck_kdc, a_kdc_that_never_answers_holds_nobody_up),
];

const OPTIONS: [i32; 6] = [
    ZMQ_GSSAPI_SERVER,
    ZMQ_GSSAPI_PRINCIPAL,
    ZMQ_GSSAPI_SERVICE_PRINCIPAL,
    ZMQ_GSSAPI_PLAINTEXT,
    ZMQ_GSSAPI_PRINCIPAL_NAMETYPE,
    ZMQ_GSSAPI_SERVICE_PRINCIPAL_NAMETYPE,
];

fn no_library(realm: &Realm, command: &mut Command) {
    command.env("LD_LIBRARY_PATH", realm.folder_without_library());
}

fn stuck_kdc(realm: &Realm, command: &mut Command) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    command.env("KRB5_CONFIG", realm.configuration_with(port)).env("PORT", port.to_string());
    // The tickets for the service that others have got aren't there.
    command.env("KRB5CCNAME", realm.cache("alice"));
}

fn has_gssapi() -> bool {
    // SAFETY: a C string.
    unsafe { zmq_has(c"gssapi".as_ptr()) == 1 }
}

fn is_loaded() -> bool {
    std::fs::read_to_string("/proc/self/maps").unwrap().contains("libgssapi")
}

fn without_the_library_the_options_are_unknown() {
    assert!(!has_gssapi());
    let context = Context::new();
    let socket = context.socket(ZMQ_DEALER);
    for option in OPTIONS {
        assert_eq!(socket.set(option, 1), Err(libc::EINVAL));
        assert_eq!(socket.set_bytes(option, b"name"), Err(libc::EINVAL));
        assert_eq!(socket.get(option), Err(libc::EINVAL));
    }
    assert_eq!(socket.get(ZMQ_MECHANISM), Ok(ZMQ_NULL));
    let reason = zmq::sys::gssapi::missing_reason().expect("a reason");
    assert!(reason.contains("libgssapi_krb5.so.2"), "{reason}");
}

fn nothing_is_loaded_before_it_is_needed() {
    let context = Context::new();
    let (server, client) = (context.socket(ZMQ_DEALER), context.socket(ZMQ_DEALER));
    client.set_bytes(ZMQ_PLAIN_USERNAME, b"").unwrap_err();
    client.connect(&server.bind_tcp()).unwrap();
    client.send(b"content").unwrap();
    server.recv().unwrap();
    assert!(!is_loaded());
    serve(&context.socket(ZMQ_DEALER), false);
    assert!(is_loaded() && has_gssapi());
}

/// Upstream asks the KDC in the I/O thread, which serves nobody meanwhile, and doesn't end.
fn a_kdc_that_never_answers_holds_nobody_up() {
    let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
    let udp = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    let tcp = TcpListener::bind(("127.0.0.1", port)).unwrap();
    udp.set_nonblocking(true).unwrap();
    tcp.set_nonblocking(true).unwrap();
    let asked = || udp.recv(&mut [0; 4096]).is_ok() || tcp.accept().is_ok();

    let context = Context::new();
    let stuck = context.socket(ZMQ_DEALER);
    ask(&stuck, false);
    stuck.set(ZMQ_HANDSHAKE_IVL, 300).unwrap();
    let watch = Watch::new(&context, &stuck);
    let server = context.socket(ZMQ_DEALER);
    serve(&server, false);
    stuck.connect(&server.bind_tcp()).unwrap();
    eventually("asked", asked);
    // Others are served, by the same I/O thread, and timers go on.
    let (push, pull) = (context.socket(ZMQ_PUSH), context.socket(ZMQ_PULL));
    push.connect(&pull.bind_tcp()).unwrap();
    let begun = Instant::now();
    for _ in 0..100 {
        push.send(b"content").unwrap();
        pull.recv().unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(1));
    let late = watch.wait_for(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
    assert_eq!(late.values, [libc::EAGAIN as u64]);
    // And so is the end.
    let begun = Instant::now();
    drop((stuck, watch, server, push, pull));
    context.term().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}
