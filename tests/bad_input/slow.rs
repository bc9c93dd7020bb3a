//! Peers that take their time.

use std::time::{Duration, Instant};

use crate::support::Context;
use crate::wire::{dial, frame, greeting, is_closed, ready, say};
use crate::{assert_no_panics, watch_for_panics};
use zmq::ffi::constants::*;

#[test]
fn a_peer_of_zmtp_1_or_2_that_never_says_its_name_has_its_time() {
    watch_for_panics();
    let context = Context::new();
    let signature = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f];
    for greeting in [
        [&signature[..], &[1, 8]].concat(),
        [&signature[..], &[0, 8]].concat(),
        // A ZMTP 1.0 peer without a signature: the beginning of a frame that never ends.
        vec![9, 0, b'n', b'a'],
    ] {
        let pull = context.socket(ZMQ_PULL);
        pull.set(ZMQ_HANDSHAKE_IVL, 100).unwrap();
        let mut peer = dial(&pull.bind_tcp());
        let begun = Instant::now();
        say(&mut peer, &greeting);
        assert!(is_closed(&mut peer), "{greeting:?}");
        assert!(begun.elapsed() >= Duration::from_millis(90), "{greeting:?}");
    }
    assert_no_panics();
}

#[test]
fn a_peer_in_the_middle_of_a_large_message_is_alive() {
    watch_for_panics();
    let context = Context::new();
    let pull = context.socket(ZMQ_PULL);
    pull.set(ZMQ_HEARTBEAT_IVL, 100).unwrap();
    pull.set(ZMQ_HEARTBEAT_TIMEOUT, 400).unwrap();
    let mut peer = dial(&pull.bind_tcp());
    say(&mut peer, &[greeting(), ready("PUSH"), frame(0, b"first")].concat());
    assert_eq!(pull.recv().unwrap(), b"first");
    // It answers no PING, as those have to wait for the end of what it sends.
    let begun = Instant::now();
    say(&mut peer, &[0, 20]);
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(50));
        say(&mut peer, b"x");
    }
    assert_eq!(pull.recv().unwrap(), [b'x'; 20]);
    assert!(begun.elapsed() > Duration::from_millis(800));
    // Silence isn't taken for life.
    assert!(is_closed(&mut peer));
    assert_no_panics();
}
