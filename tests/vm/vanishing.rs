//! Names that aren't there yet, and peers that go.

use crate::places::{PLACES, Place, fresh_service, socket, watch};
use crate::support::Context;
use std::process::{Command, Stdio};
use std::time::Duration;
use zmq::ffi::constants::*;

/// Somewhere to connect to where nobody is, and how to bind there later.
fn nowhere(context: &Context, place: Place) -> (String, String) {
    match place {
        Place::TipcRange => {
            let service = fresh_service();
            (format!("tipc://{{{service},3}}@0.0.0"), format!("tipc://{{{service},0,5}}"))
        }
        Place::TipcInstance => {
            let service = fresh_service();
            (format!("tipc://{{{service},3}}@0.0.0"), format!("tipc://{{{service},3}}"))
        }
        _ => {
            let bound = socket(context, ZMQ_DEALER);
            let endpoint = place.bind(&bound);
            // Free again, and known to be.
            let events = watch(context, &bound);
            let name =
                if place == Place::TipcSocket { "tipc://<*>".to_owned() } else { bound.last_endpoint() };
            bound.unbind(&name).expect("it is bound");
            events.wait_for(ZMQ_EVENT_CLOSED);
            (endpoint.clone(), endpoint)
        }
    }
}

#[test]
#[ignore = "make test-vm"]
fn connecting_goes_on_until_somebody_is_there() {
    let context = Context::new();
    for place in PLACES {
        let (target, later) = nowhere(&context, place);
        let client = socket(&context, ZMQ_DEALER);
        client.set(ZMQ_RECONNECT_IVL, 20).unwrap();
        let events = watch(&context, &client);
        client.connect(&target).unwrap();
        client.send(b"queued").unwrap();
        events.wait_for(ZMQ_EVENT_CLOSED);
        events.wait_for(ZMQ_EVENT_CONNECT_RETRIED);
        events.wait_for(ZMQ_EVENT_CLOSED);
        if place == Place::TipcSocket {
            // Nobody can have that name again.
            continue;
        }
        let server = socket(&context, ZMQ_DEALER);
        server.bind(&later).unwrap_or_else(|error| panic!("{later}: errno {error}"));
        assert_eq!(server.recv(), Ok(b"queued".to_vec()), "{place:?}");
    }
}

#[test]
#[ignore = "make test-vm"]
fn a_server_that_comes_back_is_found_again() {
    let context = Context::new();
    for place in PLACES {
        if place == Place::TipcSocket {
            continue;
        }
        let (target, bound) = nowhere(&context, place);
        let client = socket(&context, ZMQ_DEALER);
        client.set(ZMQ_RECONNECT_IVL, 20).unwrap();
        client.connect(&target).unwrap();
        for round in 0..3_u8 {
            let server = socket(&context, ZMQ_DEALER);
            // What was there before may not have gone quite yet.
            crate::support::eventually("the address is free", || server.bind(&bound).is_ok());
            server.send(&[round]).unwrap();
            assert_eq!(client.recv(), Ok(vec![round]), "{place:?}");
        }
    }
}

/// Another process connects, and is killed.
#[test]
#[ignore = "make test-vm"]
fn a_peer_that_is_killed_is_noticed() {
    let context = Context::new();
    for place in PLACES {
        let server = socket(&context, ZMQ_PULL);
        let events = watch(&context, &server);
        let endpoint = place.bind(&server);
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", "vanishing::the_peer_that_is_killed"])
            .env("FERROZMQ_VM_SERVER", &endpoint)
            .stdout(Stdio::null())
            .spawn()
            .expect("a process");
        assert_eq!(server.recv(), Ok(b"here".to_vec()), "{place:?}");
        let accepted = events.wait_for(ZMQ_EVENT_ACCEPTED);
        child.kill().expect("it lives");
        assert_eq!(events.wait_for(ZMQ_EVENT_DISCONNECTED).remote, accepted.remote, "{place:?}");
        child.wait().expect("it has gone");
        // What has happened to one connection is no other's business.
        let other = socket(&context, ZMQ_PUSH);
        other.connect(&endpoint).unwrap();
        other.send(b"next").unwrap();
        assert_eq!(server.recv(), Ok(b"next".to_vec()), "{place:?}");
    }
}

/// No test but the other process of the one above.
#[test]
#[ignore = "make test-vm"]
fn the_peer_that_is_killed() {
    let Ok(endpoint) = std::env::var("FERROZMQ_VM_SERVER") else { return };
    let context = Context::new();
    let client = socket(&context, ZMQ_PUSH);
    client.connect(&endpoint).expect("an endpoint");
    client.send(b"here").expect("somebody is there");
    std::thread::sleep(Duration::from_secs(60));
}
