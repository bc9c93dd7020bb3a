//! PEER, `zmq_connect_peer` and `zmq_disconnect_peer`.

use crate::draft::{TRANSPORTS, bind};
use crate::support::{Context, eventually};
use libc::{EAGAIN, EFAULT, EHOSTUNREACH, EINVAL, ENOENT, ENOTSUP, EPROTONOSUPPORT};
use zmq::error::HAUSNUMERO;
use zmq::ffi::constants::*;

const TERMINATED: i32 = HAUSNUMERO + 53;
const NO_COMPATIBLE_PROTOCOL: i32 = HAUSNUMERO + 52;

#[test]
fn the_id_of_a_connection_can_be_sent_to_at_once() {
    let context = Context::new();
    for transport in TRANSPORTS {
        let (bound, connected) = (context.socket(ZMQ_PEER), context.socket(ZMQ_PEER));
        let there = connected.connect_peer(&bind(&bound, transport)).unwrap();
        assert_eq!(connected.send_to(there, b"question"), Ok(8));
        let (back, question) = bound.recv_from().unwrap();
        assert_eq!(question, b"question");
        bound.send_to(back, b"answer").unwrap();
        assert_eq!(connected.recv_from(), Ok((there, b"answer".to_vec())));
        assert_eq!(connected.try_recv(), Err(EAGAIN));
    }
}

#[test]
fn what_is_sent_before_there_is_a_peer_arrives() {
    let context = Context::new();
    let connected = context.socket(ZMQ_PEER);
    let id = connected.connect_peer("inproc://not-yet").unwrap();
    connected.send_to(id, b"early").unwrap();
    let bound = context.socket(ZMQ_PEER);
    bound.bind("inproc://not-yet").unwrap();
    let (back, early) = bound.recv_from().unwrap();
    assert_eq!(early, b"early");
    bound.send_to(back, b"answer").unwrap();
    assert_eq!(connected.recv_from(), Ok((id, b"answer".to_vec())));
}

#[test]
fn each_connection_to_an_endpoint_has_an_id_of_its_own() {
    let context = Context::new();
    for transport in TRANSPORTS {
        let (bound, connected) = (context.socket(ZMQ_PEER), context.socket(ZMQ_PEER));
        let endpoint = bind(&bound, transport);
        let ids = [0; 2].map(|_| connected.connect_peer(&endpoint).unwrap());
        assert_ne!(ids[0], ids[1]);
        let mut back = Vec::new();
        for (id, body) in ids.into_iter().zip([b"0", b"1"]) {
            connected.send_to(id, body).unwrap();
            let (from, received) = bound.recv_from().unwrap();
            assert_eq!(received, body);
            back.push(from);
        }
        assert_ne!(back[0], back[1]);
        bound.send_to(back[1], b"by the second").unwrap();
        assert_eq!(connected.recv_from(), Ok((ids[1], b"by the second".to_vec())));
        // One zmq_disconnect ends both.
        connected.disconnect(&endpoint).unwrap();
        for id in ids {
            assert_eq!(connected.send_to(id, b"x"), Err(EHOSTUNREACH));
        }
        assert_eq!(connected.disconnect(&endpoint), Err(ENOENT));
    }
}

#[test]
fn connect_peer_is_for_peers_that_need_not_wait_for_a_connection() {
    let context = Context::new();
    for kind in 0..=ZMQ_CHANNEL {
        let socket = context.socket(kind);
        if kind != ZMQ_PEER {
            assert_eq!(socket.connect_peer("inproc://x"), Err(ENOTSUP));
            assert_eq!(socket.connect_peer("nonsense"), Err(ENOTSUP));
            // SAFETY: null will do.
            assert_eq!(unsafe { zmq::ffi::socket::zmq_connect_peer(socket.handle(), std::ptr::null()) }, 0);
            assert_eq!(crate::support::errno(), ENOTSUP);
        }
    }
    let peer = context.socket(ZMQ_PEER);
    assert_eq!(peer.connect_peer("nonsense"), Err(EINVAL));
    assert_eq!(peer.connect_peer("nothing://like:1"), Err(EPROTONOSUPPORT));
    assert_eq!(peer.connect_peer("udp://127.0.0.1:5555"), Err(NO_COMPATIBLE_PROTOCOL));
    peer.set(ZMQ_IMMEDIATE, 1).unwrap();
    assert_eq!(peer.connect_peer("tcp://127.0.0.1:1"), Err(EFAULT));
    assert_eq!(peer.connect_peer("nonsense"), Err(EFAULT));
    peer.set(ZMQ_IMMEDIATE, 0).unwrap();
    assert!(peer.connect_peer("tcp://127.0.0.1:1").is_ok());
    context.shutdown();
    assert_eq!(peer.connect_peer("inproc://x"), Err(TERMINATED));
    assert_eq!(peer.disconnect_peer(1), Err(TERMINATED));
}

#[test]
fn a_peer_that_was_disconnected_is_unreachable() {
    let context = Context::new();
    for transport in TRANSPORTS {
        for kinds in [(ZMQ_PEER, ZMQ_PEER), (ZMQ_SERVER, ZMQ_CLIENT)] {
            let (bound, connected) = (context.socket(kinds.0), context.socket(kinds.1));
            bound.set(ZMQ_LINGER, -1).unwrap();
            let endpoint = bind(&bound, transport);
            let there = match kinds.1 {
                ZMQ_PEER => connected.connect_peer(&endpoint).unwrap(),
                _ => connected.connect(&endpoint).map(|_| 1).unwrap(),
            };
            connected.send_to(there, b"X").unwrap();
            let (back, _) = bound.recv_from().unwrap();
            assert_eq!(bound.disconnect_peer(back.wrapping_add(1).max(1)), Err(EHOSTUNREACH));
            assert_eq!(bound.disconnect_peer(0), Err(EHOSTUNREACH));
            bound.send_to(back, b"what was sent before arrives").unwrap();
            assert_eq!(bound.disconnect_peer(back), Ok(0));
            assert_eq!(bound.send_to(back, b"HELLO"), Err(EHOSTUNREACH));
            assert_eq!(bound.disconnect_peer(back), Err(EHOSTUNREACH));
            assert_eq!(connected.recv().unwrap(), b"what was sent before arrives");
        }
    }
}

#[test]
fn a_connection_to_a_peer_that_was_disconnected_ends_and_may_be_made_again() {
    let context = Context::new();
    for transport in ["tcp", "ipc"] {
        let (bound, connected) = (context.socket(ZMQ_SERVER), context.socket(ZMQ_CLIENT));
        connected.set_bytes(ZMQ_HICCUP_MSG, b"hiccup").unwrap();
        connected.set(ZMQ_RECONNECT_IVL, 10).unwrap();
        let bystander = context.socket(ZMQ_CLIENT);
        let endpoint = bind(&bound, transport);
        connected.connect(&endpoint).unwrap();
        bystander.connect(&endpoint).unwrap();
        connected.send(b"1").unwrap();
        let (back, _) = bound.recv_from().unwrap();
        bystander.send(b"here too").unwrap();
        let (other, _) = bound.recv_from().unwrap();
        bound.disconnect_peer(back).unwrap();
        assert_eq!(connected.recv().unwrap(), b"hiccup");
        connected.send(b"2").unwrap();
        let (anew, body) = bound.recv_from().unwrap();
        assert_eq!(body, b"2");
        assert_ne!(anew, back);
        assert_eq!(bound.send_to(back, b"x"), Err(EHOSTUNREACH));
        bound.send_to(anew, b"3").unwrap();
        assert_eq!(connected.recv().unwrap(), b"3");
        bound.send_to(other, b"and you").unwrap();
        assert_eq!(bystander.recv().unwrap(), b"and you");
    }
}

#[test]
fn who_has_connected_may_disconnect_one_connection_for_good() {
    let context = Context::new();
    for transport in TRANSPORTS {
        let (bound, connected) = (context.socket(ZMQ_PEER), context.socket(ZMQ_PEER));
        bound.set_bytes(ZMQ_DISCONNECT_MSG, b"gone").unwrap();
        connected.set(ZMQ_LINGER, -1).unwrap();
        connected.set(ZMQ_RECONNECT_IVL, 1).unwrap();
        let endpoint = bind(&bound, transport);
        let ids = [0; 2].map(|_| connected.connect_peer(&endpoint).unwrap());
        let mut back = Vec::new();
        for id in ids {
            connected.send_to(id, b"x").unwrap();
            back.push(bound.recv_from().unwrap().0);
        }
        connected.send_to(ids[0], b"last").unwrap();
        connected.disconnect_peer(ids[0]).unwrap();
        assert_eq!(connected.send_to(ids[0], b"x"), Err(EHOSTUNREACH));
        assert_eq!(bound.recv_from(), Ok((back[0], b"last".to_vec())));
        assert_eq!(bound.recv_from(), Ok((back[0], b"gone".to_vec())));
        eventually("unreachable", || bound.try_send_to(back[0], b"x") == Err(EHOSTUNREACH));
        // The other one is as it was, and is still an endpoint of the socket.
        connected.send_to(ids[1], b"still here").unwrap();
        assert_eq!(bound.recv_from(), Ok((back[1], b"still here".to_vec())));
        assert_eq!(connected.disconnect(&endpoint), Ok(0));
        assert_eq!(connected.disconnect(&endpoint), Err(ENOENT));
    }
}

#[test]
fn disconnect_peer_is_for_sockets_that_know_their_peers_by_number() {
    let context = Context::new();
    for kind in 0..=ZMQ_CHANNEL {
        let socket = context.socket(kind);
        let expected = if matches!(kind, ZMQ_SERVER | ZMQ_PEER) { EHOSTUNREACH } else { ENOTSUP };
        assert_eq!(socket.disconnect_peer(1), Err(expected));
        assert_eq!(socket.disconnect_peer(0), Err(expected));
    }
}
