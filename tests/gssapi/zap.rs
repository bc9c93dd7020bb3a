//! The ZAP handler's part (RFC 27): it is told the client's principal, and its word counts.

use crate::Case;
use crate::support::{Context, PATIENCE, Socket};
use crate::world::{World, expect_failure, outcome, usual};
use std::sync::mpsc;
use zmq::ffi::constants::*;

pub const CASES: &[Case] = &[
    ("the_handler_is_told_who_asks", usual, the_handler_is_told_who_asks),
    ("a_denial_is_honoured", usual, a_denial_is_honoured),
    ("a_denial_of_some_lets_others_in", usual, a_denial_of_some_lets_others_in),
    ("without_a_handler", usual, without_a_handler),
    ("a_handler_that_never_answers", usual, a_handler_that_never_answers),
];

/// What a handler says.
#[derive(Clone, Copy, Debug)]
pub enum Answers {
    Admit,
    Status(&'static [u8]),
    /// 400 to bob, 200 to all others.
    NotBob,
    Nothing,
}

/// A handler in a thread of its own, which ends with its context.
pub struct Handler {
    requests: mpsc::Receiver<Vec<Vec<u8>>>,
}

impl Handler {
    pub fn new(context: &Context, answers: Answers) -> Self {
        let handler = context.socket(ZMQ_REP);
        handler.bind("inproc://zeromq.zap.01").unwrap();
        handler.set(ZMQ_RCVTIMEO, -1).unwrap();
        let (send, requests) = mpsc::channel();
        std::thread::spawn(move || serve(&handler, answers, &send));
        Self { requests }
    }

    /// The next request.
    pub fn request(&self) -> Vec<Vec<u8>> {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }
}

fn serve(handler: &Socket, answers: Answers, log: &mpsc::Sender<Vec<Vec<u8>>>) {
    while let Ok(request) = handler.recv_all() {
        let status: &[u8] = match answers {
            Answers::Admit => b"200",
            Answers::Status(status) => status,
            Answers::NotBob if request[6].starts_with(b"bob@") => b"400",
            Answers::NotBob => b"200",
            Answers::Nothing => b"",
        };
        let _ = log.send(request);
        if status.is_empty() {
            continue;
        }
        for part in [&b"1.0"[..], b"1", status, b"text", b"user"] {
            if handler.send_more(part).is_err() {
                return;
            }
        }
        if handler.send(b"").is_err() {
            return;
        }
    }
}

fn the_handler_is_told_who_asks() {
    for (plaintext, domain) in [(false, ""), (true, ""), (false, "D")] {
        let world = World::with(plaintext, |server| {
            server.set_bytes(ZMQ_ROUTING_ID, b"IDENT").unwrap();
            if !domain.is_empty() {
                server.set_bytes(ZMQ_ZAP_DOMAIN, domain.as_bytes()).unwrap();
            }
        });
        let handler = Handler::new(&world.context, Answers::Admit);
        let (client, _) = world.client();
        let expected = ["1.0", "1", domain, "127.0.0.1", "IDENT", "GSSAPI", "alice@REALM.TEST"];
        assert_eq!(handler.request(), expected.map(|part| part.as_bytes().to_vec()));
        world.assert_serves(&client);
        client.send(b"whose?").unwrap();
        let mut message = zmq::message::Message::new();
        // SAFETY: a message that this function has for itself, and names of properties.
        let user = unsafe {
            assert_eq!(zmq::ffi::socket::zmq_msg_recv(&mut message, world.server.handle(), 0), 6);
            let user = zmq::ffi::message::zmq_msg_gets(&message, c"User-Id".as_ptr());
            std::ffi::CStr::from_ptr(user).to_bytes().to_vec()
        };
        assert_eq!(user, b"user");
    }
}

/// Upstream up to 4.3.5 reports it, and lets the client in.
fn a_denial_is_honoured() {
    for plaintext in [false, true] {
        for (status, value) in [(&b"400"[..], 400), (b"500", 500), (b"300", 300)] {
            let world = World::with(plaintext, |_| {});
            let handler = Handler::new(&world.context, Answers::Status(status));
            let (client, watch) = world.client();
            client.send(b"let me in").unwrap();
            handler.request();
            world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, value);
            if value == 300 {
                // The client isn't told; the connection waits for `ZMQ_HANDSHAKE_IVL`.
                world.server.set(ZMQ_RCVTIMEO, 100).unwrap();
                assert_eq!(world.server.recv(), Err(libc::EAGAIN));
                continue;
            }
            expect_failure(&watch, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, value);
            assert_eq!(outcome(&watch).event, ZMQ_EVENT_DISCONNECTED);
            assert_eq!(outcome(&world.watch).event, ZMQ_EVENT_DISCONNECTED);
            assert_eq!(world.server.try_recv(), Err(libc::EAGAIN));
        }
    }
}

fn a_denial_of_some_lets_others_in() {
    let world = World::new();
    let handler = Handler::new(&world.context, Answers::NotBob);
    let (bob, watch) = world.client_with(|client| {
        client.set_bytes(ZMQ_GSSAPI_PRINCIPAL, b"bob").unwrap();
        client.set(ZMQ_GSSAPI_PRINCIPAL_NAMETYPE, ZMQ_GSSAPI_NT_USER_NAME).unwrap();
    });
    bob.send(b"from bob").unwrap();
    handler.request();
    expect_failure(&watch, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, 400);
    let (alice, _) = world.client();
    world.assert_serves(&alice);
}

/// Everybody with a ticket is let in, unless a domain is enforced.
fn without_a_handler() {
    for (domain, enforced, admitted) in
        [("", false, true), ("D", false, true), ("", true, true), ("D", true, false)]
    {
        let world = World::with(false, |server| {
            if !domain.is_empty() {
                server.set_bytes(ZMQ_ZAP_DOMAIN, domain.as_bytes()).unwrap();
            }
            server.set(ZMQ_ZAP_ENFORCE_DOMAIN, enforced.into()).unwrap();
        });
        let (client, _) = world.client();
        if admitted {
            world.assert_serves(&client);
        } else {
            world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, libc::EFAULT as u64);
        }
    }
}

fn a_handler_that_never_answers() {
    let world = World::with(false, |server| {
        server.set(ZMQ_HANDSHAKE_IVL, 200).unwrap();
    });
    let handler = Handler::new(&world.context, Answers::Nothing);
    let (client, _) = world.client();
    client.send(b"let me in").unwrap();
    handler.request();
    assert_eq!(outcome(&world.watch).event, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
    assert_eq!(world.server.try_recv(), Err(libc::EAGAIN));
}
