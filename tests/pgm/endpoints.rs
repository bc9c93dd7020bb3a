//! What is an endpoint, and for whom.

use super::*;
use machines::in_two_namespaces;
use std::ffi::CString;
use zmq::ffi::util::zmq_has;

#[test]
fn zmq_has_pgm() {
    let name = CString::new("pgm").expect("no zero byte");
    // SAFETY: a C string.
    assert_eq!(unsafe { zmq_has(name.as_ptr()) }, 1);
}

#[test]
fn only_publishers_and_subscribers_multicast() {
    let context = Context::new();
    for kind in [ZMQ_PUSH, ZMQ_PULL, ZMQ_DEALER, ZMQ_REQ, ZMQ_REP, ZMQ_ROUTER, ZMQ_PAIR, ZMQ_RADIO, ZMQ_DISH]
    {
        let socket = context.socket(kind);
        for endpoint in ["pgm://lo;239.77.2.1:5100", "epgm://lo;239.77.2.1:5100"] {
            assert_eq!(socket.connect(endpoint), Err(ENOCOMPATPROTO));
            assert_eq!(socket.bind(endpoint), Err(ENOCOMPATPROTO));
        }
    }
}

#[test]
fn what_is_wrong_is_einval_at_once() {
    let context = Context::new();
    for kind in [ZMQ_PUB, ZMQ_SUB] {
        for address in
            ["lo", "lo;239.77.2.1", "lo;239.77.2.1:0", "lo;10.0.0.1:5100", "nosuch;239.77.2.1:5100"]
        {
            let socket = socket(&context, kind);
            assert_eq!(socket.connect(&format!("epgm://{address}")), Err(libc::EINVAL), "{address}");
            assert_eq!(socket.bind(&format!("pgm://{address}")), Err(libc::EINVAL), "{address}");
        }
        let socket = socket(&context, kind);
        socket.set(ZMQ_MULTICAST_MAXTPDU, 54).expect("an option");
        assert_eq!(socket.connect("epgm://lo;239.77.2.1:5100"), Err(libc::EINVAL));
    }
}

#[test]
fn endpoints_are_undone() {
    in_two_namespaces("endpoints::endpoints_are_undone", |here, there| {
        let context = Context::new();
        let (publisher, subscriber) = (socket(&context, ZMQ_PUB), socket(&context, ZMQ_SUB));
        let (ours, theirs) = ("epgm://one;239.77.2.2:5101", "epgm://two;239.77.2.2:5101");
        here.connect(&publisher, ours).expect("an endpoint");
        assert_eq!(publisher.last_endpoint(), ours);
        there.bind(&subscriber, theirs).expect("an endpoint");
        greet(&publisher, &[&subscriber]);
        subscriber.disconnect(theirs).expect("undone");
        assert_eq!(subscriber.disconnect(theirs), Err(libc::ENOENT));
        publisher.send(b"unheard").expect("sent");
        subscriber.set(ZMQ_RCVTIMEO, 200).expect("an option");
        assert_eq!(subscriber.recv(), Err(libc::EAGAIN));
        there.connect(&subscriber, theirs).expect("again");
        greet(&publisher, &[&subscriber]);
        publisher.unbind(ours).expect("undone");
        subscriber.set(ZMQ_RCVTIMEO, 200).expect("an option");
        publisher.send(b"unheard").expect("nobody is there");
        assert_eq!(subscriber.recv(), Err(libc::EAGAIN));
    });
}

/// `struct __user_cap_header_struct` and two of `struct __user_cap_data_struct`: `capset`(2).
#[test]
fn pgm_without_the_privilege_is_einval() {
    std::thread::spawn(|| {
        let header: [u32; 2] = [0x2008_0522, 0];
        let nothing = [0_u32; 6];
        // SAFETY: the two structs live for the call. It concerns this thread alone.
        let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), nothing.as_ptr()) };
        assert_eq!(result, 0, "giving up is always possible");
        let context = Context::new();
        for kind in [ZMQ_PUB, ZMQ_SUB] {
            let socket = socket(&context, kind);
            assert_eq!(socket.connect("pgm://lo;239.77.2.3:5102"), Err(libc::EINVAL));
            socket.connect("epgm://lo;239.77.2.3:5102").expect("datagrams need none");
        }
    })
    .join()
    .expect("no panic");
}
