//! Endpoints: what they may be, and how they come and go.

use std::ffi::CString;

use zmq::ffi::constants::*;
use zmq::ffi::util::zmq_has;

use crate::support::Context;
use crate::{GROUP, inside, pause, publisher, subscriber};

#[test]
fn it_is_there() {
    // SAFETY: a C string.
    assert_eq!(unsafe { zmq_has(c"norm".as_ptr()) }, 1, "libnorm.so.1, of the package libnorm1");
}

#[test]
fn what_is_no_address_is_refused() {
    let Some(_alone) = inside("endpoints::what_is_no_address_is_refused") else { return };
    let context = Context::new();
    let socket = context.socket(ZMQ_PUB);
    for wrong in ["224.77.0.1", "224.77.0.1:", "224.77.0.1:0", "224.77.0.1:70000", ":5556", "1,lo;"] {
        let endpoint = format!("norm://{wrong}");
        assert_eq!(socket.connect(&endpoint), Err(libc::EINVAL), "{wrong}");
        assert_eq!(socket.bind(&endpoint), Err(libc::EINVAL), "{wrong}");
    }
    assert_eq!(socket.connect("norm://no.such.host.invalid:5556"), Err(libc::EINVAL));
    // An interface that isn't there shows when the socket is opened.
    assert!(socket.connect("norm://nowhere0;224.77.0.1:5556").is_err());
    for other in [ZMQ_PAIR, ZMQ_REQ, ZMQ_ROUTER, ZMQ_PUSH, ZMQ_DISH, ZMQ_STREAM] {
        let socket = context.socket(other);
        assert_eq!(socket.connect(&format!("norm://{GROUP}")), Err(ENOCOMPATPROTO), "{other}");
    }
}

/// Binding and connecting are the same, and what is undone is over.
#[test]
fn endpoints_come_and_go() {
    let Some(_alone) = inside("endpoints::endpoints_come_and_go") else { return };
    let context = Context::new();
    let subscriber = subscriber(&context, 2);
    let publisher = publisher(&context, 1);
    let endpoint = format!("norm://1,{GROUP}");
    assert_eq!(publisher.last_endpoint(), endpoint);
    publisher.send(b"first").expect("a publisher always sends");
    assert_eq!(subscriber.recv(), Ok(b"first".to_vec()));
    // Twice is once, for types that need no more.
    publisher.connect(&endpoint).expect("it is connected");
    publisher.disconnect(&endpoint).expect("it was connected");
    assert_eq!(publisher.disconnect(&endpoint), Err(libc::ENOENT));
    pause();
    publisher.send(b"to nobody").expect("a publisher always sends");
    publisher.bind(&endpoint).expect("it can be bound again");
    publisher.send(b"second").expect("a publisher always sends");
    assert_eq!(subscriber.recv(), Ok(b"second".to_vec()));
    publisher.unbind(&endpoint).expect("it was bound");
}

/// Nothing is left of what has come and gone: neither descriptors nor threads.
#[test]
fn nothing_is_left() {
    let Some(_alone) = inside("endpoints::nothing_is_left") else { return };
    let count = |what: &str| std::fs::read_dir(format!("/proc/self/{what}")).expect("Linux").count();
    let once = || {
        let context = Context::new();
        let subscriber = subscriber(&context, 2);
        let publisher = publisher(&context, 1);
        publisher.set(ZMQ_LINGER, 0).expect("an option");
        publisher.send(b"something").expect("a publisher always sends");
        drop((publisher, subscriber));
        context.term().expect("it ends");
    };
    once();
    let before = (count("fd"), count("task"));
    for _ in 0..20 {
        once();
    }
    crate::support::eventually("as many as before", || (count("fd"), count("task")) == before);
}

/// A child of `fork` leaves the parent's session alone, and can have one of its own.
#[test]
fn a_child_has_its_own() {
    let Some(_alone) = inside("endpoints::a_child_has_its_own") else { return };
    let context = Context::new();
    let hearing = subscriber(&context, 2);
    let publishing = publisher(&context, 1);
    let endpoint = CString::new(format!("norm://3,{GROUP}")).expect("no zero byte");
    // SAFETY: the child uses this library only, which allows for that, and ends at once; SIGALRM ends it if it hangs.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: it takes a number.
        unsafe { libc::alarm(20) };
        drop((hearing, publishing));
        let own = Context::new();
        let socket = own.socket(ZMQ_PUB);
        let connected = socket.connect(endpoint.to_str().expect("text")).is_ok();
        let sent = socket.send(b"of the child").is_ok();
        socket.set(ZMQ_LINGER, 10_000).expect("an option");
        drop(socket);
        let ended = own.term().is_ok();
        // SAFETY: it takes a number.
        unsafe { libc::_exit(if connected && sent && ended { 0 } else { 1 }) };
    }
    let mut status = 0;
    assert_eq!(hearing.recv(), Ok(b"of the child".to_vec()));
    // SAFETY: the child was just made, and `status` can be written.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status}");
    publishing.send(b"of the parent").expect("a publisher always sends");
    assert_eq!(hearing.recv(), Ok(b"of the parent".to_vec()));
}
