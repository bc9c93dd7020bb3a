//! The options of vmci reach the sockets.

use crate::places::{socket, watch};
use crate::support::Context;
use std::mem::MaybeUninit;
use zmq::ffi::constants::*;

/// An option of an `AF_VSOCK` socket.
fn get<T>(fd: u64, option: i32) -> T {
    let mut value = MaybeUninit::<T>::zeroed();
    let mut length = size_of::<T>() as libc::socklen_t;
    let fd = i32::try_from(fd).expect("a descriptor");
    // SAFETY: room for a value of the length that is stated; any bytes are one.
    let result =
        unsafe { libc::getsockopt(fd, libc::AF_VSOCK, option, value.as_mut_ptr().cast(), &raw mut length) };
    assert_eq!(result, 0, "option {option}");
    // SAFETY: it was zeroed at least.
    unsafe { value.assume_init() }
}

/// Size, least, most of the buffers, and the time to connect.
fn of(fd: u64) -> (u64, u64, u64, i64) {
    let time: libc::timeval = get(fd, 6);
    (get(fd, 0), get(fd, 1), get(fd, 2), time.tv_sec * 1000 + time.tv_usec / 1000)
}

#[test]
#[ignore = "make test-vm"]
fn sizes_of_buffers_and_the_time_to_connect() {
    let context = Context::new();
    let (server, client) = (socket(&context, ZMQ_DEALER), socket(&context, ZMQ_DEALER));
    for (socket, size, least, most, time) in
        [(&server, 8192_u64, 4096_u64, 16384_u64, 2500), (&client, 1 << 20, 65536, 2 << 20, 1500)]
    {
        socket.set_bytes(ZMQ_VMCI_BUFFER_SIZE, &size.to_ne_bytes()).unwrap();
        socket.set_bytes(ZMQ_VMCI_BUFFER_MIN_SIZE, &least.to_ne_bytes()).unwrap();
        socket.set_bytes(ZMQ_VMCI_BUFFER_MAX_SIZE, &most.to_ne_bytes()).unwrap();
        socket.set(ZMQ_VMCI_CONNECT_TIMEOUT, time).unwrap();
    }
    let (server_events, client_events) = (watch(&context, &server), watch(&context, &client));
    server.bind("vmci://1:*").unwrap();
    client.connect(&server.last_endpoint()).unwrap();
    client.send(&vec![1; 60_000]).unwrap();
    assert_eq!(server.recv().map(|body| body.len()), Ok(60_000));

    let listening = server_events.wait_for(ZMQ_EVENT_LISTENING).values[0];
    let accepted = server_events.wait_for(ZMQ_EVENT_ACCEPTED).values[0];
    let connected = client_events.wait_for(ZMQ_EVENT_CONNECTED).values[0];
    assert_eq!(of(listening), (8192, 4096, 16384, 2500));
    assert_eq!(of(accepted), (8192, 4096, 16384, 2500));
    assert_eq!(of(connected), (1 << 20, 65536, 2 << 20, 1500));
}

#[test]
#[ignore = "make test-vm"]
fn a_size_is_kept_within_its_limits_and_vsock_has_none_of_it() {
    let context = Context::new();
    let most = |endpoint: &str| {
        let server = socket(&context, ZMQ_DEALER);
        server.set_bytes(ZMQ_VMCI_BUFFER_SIZE, &(1_u64 << 30).to_ne_bytes()).unwrap();
        server.set_bytes(ZMQ_VMCI_BUFFER_MAX_SIZE, &8192_u64.to_ne_bytes()).unwrap();
        let events = watch(&context, &server);
        server.bind(endpoint).unwrap();
        let (size, _, most, time) = of(events.wait_for(ZMQ_EVENT_LISTENING).values[0]);
        (size, most, time)
    };
    assert_eq!(most("vmci://1:*"), (8192, 8192, 2000));
    assert_eq!(most("vsock://1:*"), (262_144, 262_144, 2000));
}
