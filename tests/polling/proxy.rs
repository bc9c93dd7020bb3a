//! `zmq_proxy` and `zmq_proxy_steerable`.

use super::*;
use zmq::ffi::proxy::{zmq_device, zmq_proxy, zmq_proxy_steerable};

fn steerable(frontend: &Socket, backend: &Socket, control: &Socket) -> Result<c_int, c_int> {
    // SAFETY: handles.
    checked(unsafe { zmq_proxy_steerable(frontend.0, backend.0, null_mut(), control.0) })
}

fn plain(frontend: &Socket, backend: &Socket, capture: &Socket) -> Result<c_int, c_int> {
    // SAFETY: handles.
    checked(unsafe { zmq_proxy(frontend.0, backend.0, capture.0) })
}

/// Sends a command; the parts of the reply.
fn command(control: &Socket, command: &[u8]) -> Vec<Vec<u8>> {
    control.send(command);
    control.recv_parts()
}

#[test]
fn whole_messages_go_both_ways_and_to_the_capture_socket() {
    for transport in ["tcp", "inproc"] {
        let context = Context::new();
        let (frontend, client) = context.pair(transport, (ZMQ_ROUTER, ZMQ_REQ));
        let (backend, server) = context.pair(transport, (ZMQ_DEALER, ZMQ_REP));
        let (capture, captured) = context.pair("inproc", (ZMQ_PUSH, ZMQ_PULL));
        std::thread::scope(|scope| {
            let proxy = scope.spawn(|| plain(&frontend, &backend, &capture));
            for round in 0..50_u8 {
                client.send_parts(&[&[round], b"", &[7; 100]]);
                let request = server.recv_parts();
                assert_eq!(request, [vec![round], vec![], vec![7; 100]]);
                // Routing id, delimiter, and the body.
                assert_eq!(captured.recv_parts()[2..], request);
                server.send_parts(&[b"reply", &[round]]);
                let reply = client.recv_parts();
                assert_eq!(reply, [b"reply".to_vec(), vec![round]]);
                assert_eq!(captured.recv_parts()[2..], reply);
            }
            context.shutdown();
            assert_eq!(proxy.join().unwrap(), Err(TERMINATED));
        });
    }
}

#[test]
fn a_control_socket_steers() {
    let context = Context::new();
    let (frontend, push) = context.pair("tcp", (ZMQ_PULL, ZMQ_PUSH));
    let (backend, pull) = context.pair("tcp", (ZMQ_PUSH, ZMQ_PULL));
    let (control, steer) = context.pair("inproc", (ZMQ_REP, ZMQ_REQ));
    let empty = [Vec::<u8>::new()];
    std::thread::scope(|scope| {
        let proxy = scope.spawn(|| steerable(&frontend, &backend, &control));
        push.send_parts(&[b"abc", b"de"]);
        assert_eq!(pull.recv_parts(), [b"abc".to_vec(), b"de".to_vec()]);
        assert_eq!(command(&steer, b"PAUSE"), empty);
        push.send(b"later");
        for unknown in [&b"TERMINATE!"[..], b"pause", b"", b"RESUMES"] {
            assert_eq!(command(&steer, unknown), empty);
        }
        assert_eq!(poll(&mut [pull.item(IN)], 50), Ok(0), "paused");
        let counts = command(&steer, b"STATISTICS");
        let counts: Vec<_> =
            counts.into_iter().map(|part| u64::from_ne_bytes(part.try_into().unwrap())).collect();
        assert_eq!(counts, [2, 5, 0, 0, 0, 0, 2, 5]);
        assert_eq!(command(&steer, b"RESUME"), empty);
        assert_eq!(pull.recv(), b"later");
        assert_eq!(command(&steer, b"TERMINATE"), empty);
        assert_eq!(proxy.join().unwrap(), Ok(0));
    });
}

#[test]
fn nothing_is_taken_that_nobody_has_room_for() {
    let context = Context::new();
    let (frontend, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
    let (backend, pull) = (context.socket(ZMQ_PUSH), context.socket(ZMQ_PULL));
    for (socket, option) in
        [(&frontend, ZMQ_RCVHWM), (&push, ZMQ_SNDHWM), (&backend, ZMQ_SNDHWM), (&pull, ZMQ_RCVHWM)]
    {
        socket.set(option, 1);
    }
    push.connect(&frontend.bind("inproc"));
    let (control, steer) = context.pair("inproc", (ZMQ_REP, ZMQ_REQ));
    std::thread::scope(|scope| {
        let proxy = scope.spawn(|| steerable(&frontend, &backend, &control));
        // The backend has no peer, so only what fits before the proxy is accepted, and it is still in its place.
        assert_eq!(push.try_send(b"1", ZMQ_DONTWAIT), Ok(()));
        assert_eq!(push.try_send(b"2", ZMQ_DONTWAIT), Ok(()));
        let counts = command(&steer, b"STATISTICS");
        assert!(counts.iter().all(|part| part == &[0; 8]));
        assert_eq!(push.try_send(b"3", ZMQ_DONTWAIT), Err(libc::EAGAIN));
        assert_eq!(command(&steer, b"TERMINATE").len(), 1);
        assert_eq!(proxy.join().unwrap(), Ok(0));
        pull.connect(&backend.bind("inproc"));
        let proxy = scope.spawn(|| steerable(&frontend, &backend, &control));
        for body in [b"1", b"2"] {
            assert_eq!(pull.recv(), body);
        }
        for round in 0..100_u8 {
            push.send(&[round]);
            assert_eq!(pull.recv(), [round]);
        }
        assert_eq!(command(&steer, b"TERMINATE").len(), 1);
        assert_eq!(proxy.join().unwrap(), Ok(0));
    });
}

#[test]
fn one_socket_may_be_both_sides() {
    let context = Context::new();
    let (echo, client) = context.pair("tcp", (ZMQ_REP, ZMQ_REQ));
    let (control, steer) = context.pair("inproc", (ZMQ_REP, ZMQ_REQ));
    std::thread::scope(|scope| {
        let proxy = scope.spawn(|| steerable(&echo, &echo, &control));
        for round in 0..20_u8 {
            client.send(&[round]);
            assert_eq!(client.recv(), [round]);
        }
        assert_eq!(command(&steer, b"TERMINATE").len(), 1);
        assert_eq!(proxy.join().unwrap(), Ok(0));
    });
}

#[test]
fn sockets_that_are_none_are_errors() {
    let context = Context::new();
    let (socket, closed) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PULL));
    closed.close();
    // SAFETY: null and stale handles are what is tested.
    unsafe {
        assert_eq!(checked(zmq_proxy(null_mut(), socket.0, null_mut())), Err(libc::EFAULT));
        assert_eq!(checked(zmq_proxy(socket.0, null_mut(), null_mut())), Err(libc::EFAULT));
        assert_eq!(checked(zmq_device(0, socket.0, null_mut())), Err(libc::EFAULT));
        assert_eq!(checked(zmq_proxy(socket.0, closed.0, null_mut())), Err(libc::ENOTSOCK));
        assert_eq!(
            checked(zmq_proxy_steerable(socket.0, socket.0, null_mut(), closed.0)),
            Err(libc::ENOTSOCK)
        );
    }
    context.shutdown();
    // SAFETY: a handle.
    assert_eq!(checked(unsafe { zmq_device(0, socket.0, socket.0) }), Err(TERMINATED));
}
