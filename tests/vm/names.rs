//! What endpoints are called: by `ZMQ_LAST_ENDPOINT`, by monitors, and to unbind and disconnect. As upstream's, whose parts were run beside this in the same machine.

use crate::places::{PLACES, Place, fresh_service, socket, watch};
use crate::support::Context;
use std::ffi::CStr;
use zmq::ffi::constants::*;
use zmq::ffi::message::zmq_msg_gets;
use zmq::ffi::socket::zmq_msg_recv;
use zmq::message::Message;

/// Whether it is `tipc://<zone.cluster.node:port>`.
fn is_tipc_socket(endpoint: &str) -> bool {
    let parts = endpoint.strip_prefix("tipc://<").and_then(|rest| rest.strip_suffix('>'));
    parts.is_some_and(|parts| {
        let numbers: Vec<_> = parts.split(['.', ':']).collect();
        numbers.len() == 4 && numbers.iter().all(|number| number.parse::<u32>().is_ok())
    })
}

#[test]
#[ignore = "make test-vm"]
fn tipc_is_unbound_by_what_was_bound() {
    let context = Context::new();
    let service = fresh_service();
    for (address, heard) in [
        (format!("tipc://{{{service},0,5}}"), format!("tipc://{{{service}, 0, 5}}")),
        (format!("tipc://{{{service},9}}"), format!("tipc://{{{service}, 9, 16777216}}")),
        (format!("tipc://{{{service},9}}@1.2.3"), format!("tipc://{{{service}, 9, 16785411}}")),
        ("tipc://<*>".to_owned(), String::new()),
    ] {
        let bound = socket(&context, ZMQ_DEALER);
        let events = watch(&context, &bound);
        bound.bind(&address).unwrap_or_else(|error| panic!("{address}: errno {error}"));
        let name = bound.last_endpoint();
        assert!(is_tipc_socket(&name), "{name}");
        let listening = events.wait_for(ZMQ_EVENT_LISTENING);
        let heard = if heard.is_empty() { name.clone() } else { heard };
        assert_eq!((listening.local, listening.remote), (heard.clone(), String::new()));
        assert_eq!(bound.unbind(&name), Err(libc::ENOENT));
        assert_eq!(bound.unbind(&address), Ok(0));
        assert_eq!(bound.unbind(&address), Err(libc::ENOENT));
        assert_eq!(events.wait_for(ZMQ_EVENT_CLOSED).local, heard);
    }
    let refused = socket(&context, ZMQ_DEALER);
    for address in ["tipc://<1.2.3:4>", "tipc://{63,0,0}", "tipc://{6000,2,1}", "tipc://x"] {
        assert_eq!(refused.bind(address), Err(libc::EINVAL), "{address}");
    }
    assert_eq!(refused.connect("tipc://<*>"), Err(libc::EINVAL));
}

#[test]
#[ignore = "make test-vm"]
fn vsock_and_vmci_are_unbound_by_what_came_of_it() {
    let context = Context::new();
    for scheme in ["vsock", "vmci"] {
        for (address, start) in
            [("*:*", "*:"), ("1:*", "1:"), ("-1:-1", "*:"), ("@:*", "2:"), (" +1x:*", "1:")]
        {
            let bound = socket(&context, ZMQ_DEALER);
            let events = watch(&context, &bound);
            let address = format!("{scheme}://{address}");
            bound.bind(&address).unwrap_or_else(|error| panic!("{address}: errno {error}"));
            let name = bound.last_endpoint();
            let start = format!("{scheme}://{start}");
            let port = name.strip_prefix(&start).and_then(|port| port.parse::<u32>().ok());
            assert!(port.is_some(), "{address}: {name}");
            // The event comes before the system has chosen.
            assert_eq!(events.wait_for(ZMQ_EVENT_LISTENING).local, format!("{start}*"));
            assert_eq!(bound.unbind(&format!("{start}*")), Err(libc::ENOENT));
            assert_eq!(bound.unbind(&name), Ok(0));
            assert_eq!(bound.unbind(&name), Err(libc::ENOENT));
            assert_eq!(events.wait_for(ZMQ_EVENT_CLOSED).local, format!("{start}*"));
        }
        let (first, second) = (socket(&context, ZMQ_DEALER), socket(&context, ZMQ_DEALER));
        first.bind(&format!("{scheme}://1:*")).unwrap();
        let taken = first.last_endpoint();
        let events = watch(&context, &second);
        assert_eq!(second.bind(&taken), Err(libc::EADDRINUSE));
        assert_eq!(events.wait_for(ZMQ_EVENT_CLOSED).local, taken);
        assert_eq!(format!("{scheme}://{}", events.wait_for(ZMQ_EVENT_BIND_FAILED).local), taken);
        assert_eq!(second.bind(&format!("{scheme}://77:*")), Err(libc::EADDRNOTAVAIL));
    }
}

/// Both ends name both ends, and the peer has no `Peer-Address`.
#[test]
#[ignore = "make test-vm"]
fn monitors_name_both_ends() {
    let context = Context::new();
    for place in PLACES {
        let (server, client) = (socket(&context, ZMQ_DEALER), socket(&context, ZMQ_DEALER));
        let (server_events, client_events) = (watch(&context, &server), watch(&context, &client));
        let endpoint = place.bind(&server);
        client.connect(&endpoint).unwrap();
        client.send(b"hello").unwrap();
        let mut message = Message::new();
        // SAFETY: a message and a socket; the name is a C string.
        let peer = unsafe {
            assert_eq!(zmq_msg_recv(&mut message, server.handle(), 0), 5, "{place:?}");
            let name: &CStr = c"Peer-Address";
            zmq_msg_gets(&message, name.as_ptr())
        };
        assert!(peer.is_null(), "{place:?}");

        let accepted = server_events.wait_for(ZMQ_EVENT_ACCEPTED);
        let connected = client_events.wait_for(ZMQ_EVENT_CONNECTED);
        // A socket that connects by vsock isn't bound to one of the machine's ids.
        let socket = |name: &str| name.rsplit(':').next().map(str::to_owned);
        assert_eq!(socket(&accepted.remote), socket(&connected.local), "{place:?}");
        let scheme = endpoint.split("://").next().unwrap_or_default();
        if scheme == "tipc" {
            assert!(is_tipc_socket(&accepted.local) && is_tipc_socket(&accepted.remote), "{accepted:?}");
        } else {
            assert_eq!(accepted.local, endpoint, "{place:?}");
            assert!(accepted.remote.starts_with(&format!("{scheme}://")), "{accepted:?}");
        }
        let called = if place == Place::TipcSocket || scheme != "tipc" {
            endpoint.clone()
        } else {
            client.last_endpoint()
        };
        assert_eq!(connected.remote, called, "{place:?}");
        server_events.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
        client_events.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
        assert_eq!(client.disconnect(&endpoint), Ok(0));
        assert_eq!(client.disconnect(&endpoint), Err(libc::ENOENT));
        assert_eq!(server_events.wait_for(ZMQ_EVENT_DISCONNECTED).remote, accepted.remote, "{place:?}");
    }
}
