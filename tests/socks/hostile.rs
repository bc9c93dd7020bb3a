//! Proxies that answer wrongly: each answer costs one attempt, monitors hear of it, and the next one is made.

use crate::dice::Dice;
use crate::support::{Context, PATIENCE, Socket};
use crate::watch::Watch;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use zmq::ffi::constants::*;

const METHOD: [u8; 2] = [5, 0];
const REPLY: [u8; 10] = [5, 0, 0, 1, 127, 0, 0, 1, 1, 2];
/// What comes for `tcp://127.0.0.1:258`: the methods and the request.
const SAID: [usize; 2] = [3, 10];

/// A socket that connects through a proxy of this test's, which listens.
fn client(context: &Context) -> (Socket, Watch, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = context.socket(ZMQ_PAIR);
    socket.set_bytes(ZMQ_SOCKS_PROXY, listener.local_addr().unwrap().to_string().as_bytes()).unwrap();
    socket.set(ZMQ_RECONNECT_IVL, 1).unwrap();
    let watch = Watch::new(context, &socket);
    (socket, watch, listener)
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (proxy, _) = listener.accept().unwrap();
    proxy.set_read_timeout(Some(PATIENCE)).unwrap();
    proxy.set_nodelay(true).unwrap();
    proxy
}

/// Hears what a client says before its answers, and gives those, as far as it stays. What it says then, until it hangs up or is asked
/// to by the end of the stream.
fn answer(listener: &TcpListener, answers: [&[u8]; 2], step: usize) -> Vec<u8> {
    let mut proxy = accept(listener);
    for (answer, expected) in answers.into_iter().zip(SAID) {
        let mut said = vec![0; expected];
        if proxy.read_exact(&mut said).is_err() {
            return Vec::new();
        }
        for part in answer.chunks(step) {
            if proxy.write_all(part).is_err() {
                return Vec::new();
            }
        }
    }
    let _ = proxy.shutdown(Shutdown::Write);
    let mut rest = Vec::new();
    let _ = proxy.read_to_end(&mut rest);
    rest
}

/// A way through at last: a message goes to a peer by it.
fn serve(context: &Context, socket: &Socket, listener: &TcpListener) {
    let bound = context.socket(ZMQ_PAIR);
    let peer = bound.bind_tcp();
    let mut proxy = accept(listener);
    for (answer, expected) in [&METHOD[..], &REPLY[..]].into_iter().zip(SAID) {
        proxy.read_exact(&mut vec![0; expected]).unwrap();
        proxy.write_all(answer).unwrap();
    }
    let target = TcpStream::connect(peer.strip_prefix("tcp://").unwrap()).unwrap();
    let (mut from, mut to) = (proxy.try_clone().unwrap(), target.try_clone().unwrap());
    let there = thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let back = thread::spawn(move || {
        let _ = std::io::copy(&mut &target, &mut &proxy);
        let _ = proxy.shutdown(Shutdown::Both);
    });
    socket.send(b"through").unwrap();
    assert_eq!(bound.recv().unwrap(), b"through");
    drop(bound);
    back.join().unwrap();
    socket.disconnect("tcp://127.0.0.1:258").unwrap();
    there.join().unwrap();
}

/// `CONNECT_DELAYED` may be missing, when the connection to the proxy stands at once.
fn expect_refusal(watch: &Watch) {
    let mut event = watch.next();
    if event.event == ZMQ_EVENT_CONNECT_DELAYED {
        event = watch.next();
    }
    assert_eq!(event.event, ZMQ_EVENT_CLOSED, "{event:?}");
    watch.expect(&[ZMQ_EVENT_CONNECT_RETRIED]);
}

#[test]
fn every_reply_code_but_success_is_a_refusal() {
    let context = Context::new();
    let (socket, watch, listener) = client(&context);
    socket.connect("tcp://127.0.0.1:258").unwrap();
    for code in (1..=10).chain([127, 255]) {
        let mut reply = REPLY;
        reply[1] = code;
        assert_eq!(answer(&listener, [&METHOD, &reply], 10), [], "nothing is said to it any more");
        expect_refusal(&watch);
    }
    for method in [1, 3, 255] {
        assert_eq!(answer(&listener, [&[5, method], &REPLY], 10), []);
        expect_refusal(&watch);
    }
    serve(&context, &socket, &listener);
}

/// Each byte of the answers with other values, at once and byte by byte. What is wrong is a refusal, or leads to where the stream ends.
#[test]
fn every_byte_wrong_in_turn() {
    let context = Context::new();
    let (socket, _watch, listener) = client(&context);
    socket.connect("tcp://127.0.0.1:258").unwrap();
    let valid: Vec<u8> = METHOD.into_iter().chain(REPLY).collect();
    for at in 0..valid.len() {
        for value in [0, 1, 2, 3, 4, 5, 6, 0x7f, 0x80, 0xff] {
            let mut answers = valid.clone();
            answers[at] = value;
            let (method, reply) = answers.split_at(METHOD.len());
            let said = answer(&listener, [method, reply], if value % 2 == 0 { 1 } else { 12 });
            // Only the address that the proxy has bound means nothing to us. A peer's greeting begins with 0xff.
            let harmless = answers == valid || at >= 6;
            assert_eq!(said.first(), harmless.then_some(&0xff), "byte {at} is {value}");
        }
    }
    serve(&context, &socket, &listener);
}

#[test]
fn answers_that_are_cut_off() {
    let context = Context::new();
    let (socket, watch, listener) = client(&context);
    socket.connect("tcp://127.0.0.1:258").unwrap();
    for len in 0..METHOD.len() {
        let mut proxy = accept(&listener);
        proxy.read_exact(&mut [0; 3]).unwrap();
        proxy.write_all(&METHOD[..len]).unwrap();
        drop(proxy);
        expect_refusal(&watch);
    }
    for len in 0..REPLY.len() {
        assert_eq!(answer(&listener, [&METHOD, &REPLY[..len]], 1), []);
        expect_refusal(&watch);
    }
    serve(&context, &socket, &listener);
}

#[test]
fn random_answers() {
    let context = Context::new();
    let (socket, _watch, listener) = client(&context);
    socket.connect("tcp://127.0.0.1:258").unwrap();
    let mut dice = Dice(3);
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..1 + dice.below(600)).map(|_| dice.below(256) as u8).collect();
        let mut proxy = accept(&listener);
        let valid = dice.below(2);
        let _ = proxy.write_all(&METHOD[..2 * valid]);
        for part in bytes.chunks(1 + dice.below(bytes.len())) {
            if proxy.write_all(part).is_err() {
                break;
            }
        }
        let _ = proxy.shutdown(Shutdown::Write);
        let mut said = Vec::new();
        let _ = proxy.read_to_end(&mut said);
        assert!(said.len() <= SAID[0] + SAID[1], "such an answer leads nowhere: {said:?}");
    }
    serve(&context, &socket, &listener);
}

/// `ZMQ_CONNECT_TIMEOUT` ends it wherever the proxy stalls.
#[test]
fn stalls_at_every_step() {
    let context = Context::new();
    let (socket, watch, listener) = client(&context);
    socket.set(ZMQ_CONNECT_TIMEOUT, 30).unwrap();
    socket.connect("tcp://127.0.0.1:258").unwrap();
    for (method, reply) in [(0, 0), (1, 0), (2, 0), (2, 1), (2, 4), (2, 9)] {
        let mut proxy = accept(&listener);
        proxy.read_exact(&mut [0; 3]).unwrap();
        proxy.write_all(&METHOD[..method]).unwrap();
        if method == METHOD.len() {
            proxy.read_exact(&mut [0; 10]).unwrap();
            proxy.write_all(&REPLY[..reply]).unwrap();
        }
        assert_eq!(proxy.read(&mut [0; 1]).unwrap(), 0, "it gives up");
        expect_refusal(&watch);
    }
    serve(&context, &socket, &listener);
}

/// Behind the proxy a target stalls: that is a handshake that takes too long, as without a proxy.
#[test]
fn a_target_that_stalls_behind_the_proxy() {
    let context = Context::new();
    let (socket, watch, listener) = client(&context);
    socket.set(ZMQ_HANDSHAKE_IVL, 50).unwrap();
    socket.connect("tcp://127.0.0.1:258").unwrap();
    for _ in 0..2 {
        let mut proxy = accept(&listener);
        for (answer, expected) in [&METHOD[..], &REPLY[..]].into_iter().zip(SAID) {
            proxy.read_exact(&mut vec![0; expected]).unwrap();
            proxy.write_all(answer).unwrap();
        }
        watch.wait_for(ZMQ_EVENT_CONNECTED);
        watch.expect(&[
            ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL,
            ZMQ_EVENT_DISCONNECTED,
            ZMQ_EVENT_CONNECT_RETRIED,
        ]);
    }
    serve(&context, &socket, &listener);
}
