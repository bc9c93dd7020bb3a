//! What takes a connection.

use crate::support::Context;
use zmq::ffi::constants::*;

#[test]
fn long_subscriptions_arrive() {
    let context = Context::new();
    let (xpub, sub) = (context.socket(ZMQ_XPUB), context.socket(ZMQ_SUB));
    let endpoint = xpub.bind_tcp();
    sub.connect(&endpoint).unwrap();
    for len in [1, 33, 34, 245, 246, 247, 300, 70_000_usize] {
        let topic = vec![b'a'; len];
        sub.set_bytes(ZMQ_SUBSCRIBE, &topic).unwrap();
        let expected: Vec<u8> = [&[1][..], &topic].concat();
        let received = xpub.recv().unwrap_or_else(|error| panic!("{len}: {error}"));
        assert!(received[..] == expected[..received.len()] && received.len() > len.min(65_000), "{len}");
    }
}

#[test]
fn a_hello_message_comes_first_even_from_a_socket_that_is_never_asked() {
    let context = Context::new();
    let router = context.socket(ZMQ_ROUTER);
    router.set_bytes(ZMQ_HELLO_MSG, b"hello").unwrap();
    let endpoint = router.bind_tcp();
    let dealer = context.socket(ZMQ_DEALER);
    dealer.connect(&endpoint).unwrap();
    assert_eq!(dealer.recv().unwrap(), b"hello");
}
