//! The ZAP handler (RFC 27): what it is told, and what follows from each thing that it may do.

use std::io::{Read, Write};

use crate::support::Socket;
use crate::wire::{dial, frame, greeting, property, ready};
use crate::world::{BOTH, HANDLER, Mechanism, SHORT, World, failure, recv_properties, reply, send_all};
use zmq::ffi::constants::*;

const CODES: u64 = 0x2000_0000;

/// Accepts the next request and answers it.
fn answer(handler: &Socket, parts: &[&[u8]]) {
    handler.recv_all().expect("a request");
    send_all(handler, parts).unwrap();
}

#[test]
fn the_request_says_who_asks_for_whom() {
    for mechanism in BOTH {
        let world = World::new(mechanism);
        let handler = world.handler(ZMQ_REP);
        let (client, _) = world.client();
        let mut expected: Vec<&[u8]> = vec![b"1.0", b"1", b"D", b"127.0.0.1", b"IDENT"];
        match mechanism {
            Mechanism::Null => expected.push(b"NULL"),
            Mechanism::Plain => expected.extend([&b"PLAIN"[..], b"admin", b"secret"]),
        }
        assert_eq!(handler.recv_all().unwrap(), expected);
        send_all(&handler, &reply("200")).unwrap();
        world.assert_serves(&client);
    }
}

#[test]
fn a_peer_over_ipc_is_known_by_its_process() {
    let world = World::new(Mechanism::Null);
    let handler = world.handler(ZMQ_REP);
    world.server.bind("ipc://@ferrozmq-test-zap-address").unwrap();
    let client = world.context.socket(ZMQ_DEALER);
    client.connect("ipc://@ferrozmq-test-zap-address").unwrap();
    let address = String::from_utf8(handler.recv_all().unwrap()[3].clone()).unwrap();
    assert!(address.starts_with("localhost:"), "{address}");
    assert!(address.ends_with(&format!(":{}", std::process::id())), "{address}");
    send_all(&handler, &reply("200")).unwrap();
    world.assert_serves(&client);
}

#[test]
fn a_router_answers_many_in_any_order() {
    for mechanism in BOTH {
        let world = World::new(mechanism);
        let handler = world.handler(ZMQ_ROUTER);
        // Marks don't count for requests; nobody is turned away.
        handler.set(ZMQ_RCVHWM, 1).unwrap();
        handler.set(ZMQ_SNDHWM, 1).unwrap();
        let clients: Vec<_> = (0..20).map(|_| world.client()).collect();
        let mut requests: Vec<_> = clients.iter().map(|_| handler.recv_all().unwrap()).collect();
        requests.reverse();
        for (index, request) in requests.iter().enumerate() {
            assert_eq!(request[1], b"", "the routing id, then the delimiter");
            let envelope: [&[u8]; 2] = [&request[0], b""];
            let status = if index % 2 == 0 { "200" } else { "400" };
            send_all(&handler, &[&envelope[..], &reply(status)].concat()).unwrap();
        }
        let outcomes = clients.iter().map(|(_, watch)| failure(watch).event);
        let (let_in, refused): (Vec<i32>, Vec<i32>) =
            outcomes.partition(|event| *event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
        assert_eq!((let_in.len(), refused), (10, vec![ZMQ_EVENT_HANDSHAKE_FAILED_AUTH; 10]));
    }
}

#[test]
fn each_status_has_its_events() {
    for mechanism in BOTH {
        for (status, code) in [("400", 400), ("500", 500)] {
            let world = World::new(mechanism);
            let handler = world.handler(ZMQ_REP);
            let (_client, clients) = world.client();
            answer(&handler, &reply(status));
            world.watch.expect(&[ZMQ_EVENT_ACCEPTED]);
            world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, code);
            world.watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
            clients.expect(&[ZMQ_EVENT_CONNECT_DELAYED, ZMQ_EVENT_CONNECTED]);
            let refused = clients.next();
            assert_eq!((refused.event, refused.values), (ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, vec![code]));
            clients.expect(&[ZMQ_EVENT_DISCONNECTED]);
            // It doesn't try again, though it would ten milliseconds later.
            clients.0.set(ZMQ_RCVTIMEO, 100).unwrap();
            assert_eq!(clients.0.recv(), Err(libc::EAGAIN));
        }
        let world = World::new(mechanism);
        let handler = world.handler(ZMQ_REP);
        let (client, clients) = world.client();
        answer(&handler, &reply("200"));
        world.watch.expect(&[ZMQ_EVENT_ACCEPTED, ZMQ_EVENT_HANDSHAKE_SUCCEEDED]);
        clients.expect(&[ZMQ_EVENT_CONNECT_DELAYED, ZMQ_EVENT_CONNECTED, ZMQ_EVENT_HANDSHAKE_SUCCEEDED]);
        world.assert_serves(&client);
    }
}

#[test]
fn after_a_temporary_failure_the_peer_is_left_alone_and_comes_again() {
    for mechanism in BOTH {
        let world = World::with(mechanism, |server| {
            server.set(ZMQ_HANDSHAKE_IVL, SHORT).unwrap();
        });
        let handler = world.handler(ZMQ_REP);
        let (client, clients) = world.client();
        answer(&handler, &reply("300"));
        world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, 300);
        // Nothing but the interval ends it, and that is no second failure.
        world.watch.expect(&[ZMQ_EVENT_DISCONNECTED, ZMQ_EVENT_ACCEPTED]);
        assert_eq!(failure(&clients).event, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
        clients.expect(&[ZMQ_EVENT_DISCONNECTED, ZMQ_EVENT_CONNECT_RETRIED]);
        answer(&handler, &reply("200"));
        world.assert_serves(&client);
    }
}

#[test]
fn a_malformed_reply_is_told_to_the_monitor_and_ends_the_connection() {
    let cases: [(u64, Vec<&[u8]>); 9] = [
        (CODES + 1, vec![b"1.0"]),
        (CODES + 1, vec![b"1.0", b"1", b"200", b"text", b"user"]),
        (CODES + 1, vec![b"1.0", b"1", b"200", b"text", b"user", b"", b""]),
        (CODES + 2, vec![b"1.0", b"2", b"200", b"text", b"user", b""]),
        (CODES + 3, vec![b"1.1", b"1", b"200", b"text", b"user", b""]),
        (CODES + 4, vec![b"1.0", b"1", b"201", b"text", b"user", b""]),
        (CODES + 4, vec![b"1.0", b"1", b"", b"text", b"user", b""]),
        (CODES + 5, vec![b"1.0", b"1", b"200", b"text", b"user", b"\x05shor"]),
        (CODES + 5, vec![b"1.0", b"1", b"400", b"text", b"user", b"x"]),
    ];
    for mechanism in BOTH {
        let world = World::new(mechanism);
        let handler = world.handler(ZMQ_ROUTER);
        // The client comes again each time, and meets the next one.
        let (client, _) = world.client();
        for (code, parts) in &cases {
            let request = handler.recv_all().unwrap();
            send_all(&handler, &[&[&request[0][..], b""], &parts[..]].concat()).unwrap();
            world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, *code);
            world.watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
        }
        // A ROUTER can get the delimiter wrong.
        let request = handler.recv_all().unwrap();
        send_all(&handler, &[&[&request[0][..], b"x"], &reply("200")[..]].concat()).unwrap();
        world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, CODES);
        world.watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
        let request = handler.recv_all().unwrap();
        send_all(&handler, &[&[&request[0][..], b""], &reply("200")[..]].concat()).unwrap();
        world.assert_serves(&client);
    }
}

#[test]
fn the_user_and_its_properties_come_with_each_message() {
    for mechanism in BOTH {
        let world = World::new(mechanism);
        let handler = world.handler(ZMQ_REP);
        let (client, _) = world.client();
        let metadata = [property("Hello", b"World"), property("Identity", b"chosen by the handler")].concat();
        answer(&handler, &[b"1.0", b"1", b"200", b"", b"Jane", &metadata]);
        client.send(b"hello").unwrap();
        let names = ["User-Id", "Hello", "Identity", "Socket-Type", "Peer-Address", "Nothing"];
        let (len, values) = recv_properties(&world.server, &names);
        let values: Vec<_> = values.iter().map(Option::as_deref).collect();
        let expected = [
            Some("Jane"),
            Some("World"),
            Some("chosen by the handler"),
            Some("DEALER"),
            Some("127.0.0.1"),
            None,
        ];
        assert_eq!((len, &values[..]), (5, &expected[..]));
    }
}

#[test]
fn a_peer_cannot_claim_what_the_handler_says() {
    // Its READY comes before the handler's answer.
    let world = World::new(Mechanism::Null);
    let handler = world.handler(ZMQ_REP);
    let claims = [
        property("Socket-Type", b"DEALER"),
        property("User-Id", b"root"),
        property("Peer-Address", b"10.0.0.1"),
        property("__fd", b"0"),
    ];
    let body = [b"\x05READY".to_vec(), claims.concat()].concat();
    let mut stream = dial(&world.endpoint);
    stream.write_all(&[greeting(), frame(4, &body)].concat()).unwrap();
    answer(&handler, &[b"1.0", b"1", b"200", b"", b"nobody", b""]);
    world.watch.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    stream.write_all(&frame(0, b"hello")).unwrap();
    let (_, values) = recv_properties(&world.server, &["User-Id", "Peer-Address"]);
    assert_eq!(values, [Some("nobody".to_owned()), Some("127.0.0.1".to_owned())]);
}

#[test]
fn a_peer_cannot_claim_it_where_nobody_is_asked() {
    for domain in ["", "D"] {
        let world = World::with_domain(Mechanism::Null, domain, |_| {});
        let claims = [
            property("Socket-Type", b"DEALER"),
            property("User-Id", b"root"),
            property("Peer-Address", b"10.0.0.1"),
            property("__fd", b"0"),
            property("X-other", b"value"),
        ];
        let body = [b"\x05READY".to_vec(), claims.concat()].concat();
        let mut stream = dial(&world.endpoint);
        stream.write_all(&[greeting(), frame(4, &body)].concat()).unwrap();
        world.watch.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
        stream.write_all(&frame(0, b"hello")).unwrap();
        let (_, values) = recv_properties(&world.server, &["User-Id", "Peer-Address", "X-other"]);
        assert_eq!(values, [None, Some("127.0.0.1".to_owned()), Some("value".to_owned())]);
    }
}

#[test]
fn without_a_handler_each_mechanism_does_what_its_options_say() {
    use Mechanism::{Null, Plain};
    for (mechanism, domain, enforced, let_in) in [
        (Null, "D", 0, true),
        (Null, "D", 1, false),
        (Null, "", 1, true),
        (Plain, "D", 0, false),
        (Plain, "D", 1, false),
        (Plain, "", 0, false),
        (Plain, "", 1, false),
    ] {
        let world = World::with_domain(mechanism, domain, |server| {
            server.set(ZMQ_ZAP_ENFORCE_DOMAIN, enforced).unwrap();
        });
        let (client, _) = world.client();
        if let_in {
            world.assert_serves(&client);
            continue;
        }
        world.watch.expect(&[ZMQ_EVENT_ACCEPTED]);
        world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, libc::EFAULT as u64);
        world.watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
        if !(mechanism == Plain && domain.is_empty() && enforced == 1) {
            // It comes again; meanwhile there is a handler.
            let handler = world.handler(ZMQ_REP);
            answer(&handler, &reply("200"));
            world.assert_serves(&client);
        }
    }
}

#[test]
fn a_domain_is_needed_for_null_only() {
    let world = World::with_domain(Mechanism::Null, "", |_| {});
    let handler = world.handler(ZMQ_REP);
    let (client, _) = world.client();
    world.assert_serves(&client);
    assert_eq!(handler.try_recv(), Err(libc::EAGAIN), "nobody asked");

    let world = World::with_domain(Mechanism::Plain, "", |_| {});
    let handler = world.handler(ZMQ_REP);
    let (client, _) = world.client();
    assert_eq!(handler.recv_all().unwrap()[2], b"");
    send_all(&handler, &reply("200")).unwrap();
    world.assert_serves(&client);
}

#[test]
fn a_handler_that_goes_without_an_answer_leaves_the_handshake_to_its_interval() {
    for mechanism in BOTH {
        // Before it has read the request, after that, and in the middle of its reply.
        for progress in 0..3 {
            let world = World::with(mechanism, |server| {
                server.set(ZMQ_HANDSHAKE_IVL, SHORT).unwrap();
            });
            let handler = world.handler(ZMQ_REP);
            let (client, _) = world.client();
            match progress {
                0 => {
                    let mut items = [zmq::ffi::poll::zmq_pollitem_t {
                        socket: handler.handle(),
                        fd: 0,
                        events: ZMQ_POLLIN as i16,
                        revents: 0,
                    }];
                    // SAFETY: one item, one living socket.
                    assert_eq!(unsafe { zmq::ffi::poll::zmq_poll(items.as_mut_ptr(), 1, 3000) }, 1);
                }
                1 => _ = handler.recv_all().unwrap(),
                _ => {
                    handler.recv_all().unwrap();
                    handler.send_more(b"1.0").unwrap();
                    handler.send_more(b"1").unwrap();
                }
            }
            handler.close().unwrap();
            world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, libc::EAGAIN as u64);
            world.expect_disconnected();
            let handler = world.handler(ZMQ_REP);
            answer(&handler, &reply("200"));
            world.assert_serves(&client);
        }
    }
}

#[test]
fn an_answer_that_comes_too_late_or_twice_is_nobodys() {
    for mechanism in BOTH {
        let world = World::with(mechanism, |server| {
            server.set(ZMQ_HANDSHAKE_IVL, SHORT).unwrap();
        });
        let handler = world.handler(ZMQ_ROUTER);
        let (client, _) = world.client();
        let late = handler.recv_all().unwrap();
        world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, libc::EAGAIN as u64);
        // The next connection has asked by now; the first one's denial isn't for it.
        let request = handler.recv_all().unwrap();
        send_all(&handler, &[&[&late[0][..], b""], &reply("400")[..]].concat()).unwrap();
        let good = [&[&request[0][..], b""], &reply("200")[..]].concat();
        send_all(&handler, &good).unwrap();
        world.assert_serves(&client);
        send_all(&handler, &good).unwrap();
        send_all(&handler, &[&[&request[0][..], b""], &reply("400")[..]].concat()).unwrap();
        world.assert_serves(&client);
    }
}

#[test]
fn a_peer_that_goes_while_the_handler_thinks_is_forgotten() {
    for mechanism in BOTH {
        let world = World::new(mechanism);
        let handler = world.handler(ZMQ_REP);
        let (first, _) = world.client();
        let request = handler.recv_all();
        assert!(request.is_ok());
        first.close().unwrap();
        world.expect_disconnected();
        send_all(&handler, &reply("200")).unwrap();
        let (second, _) = world.client();
        answer(&handler, &reply("200"));
        world.assert_serves(&second);
    }
}

#[test]
fn a_handler_of_any_type_is_asked_and_does_no_harm() {
    let silent = [
        ZMQ_PAIR,
        ZMQ_PUB,
        ZMQ_SUB,
        ZMQ_REQ,
        ZMQ_PULL,
        ZMQ_PUSH,
        ZMQ_XPUB,
        ZMQ_XSUB,
        ZMQ_SERVER,
        ZMQ_CLIENT,
        ZMQ_RADIO,
        ZMQ_DISH,
        ZMQ_GATHER,
        ZMQ_SCATTER,
        ZMQ_PEER,
        ZMQ_CHANNEL,
    ];
    for kind in silent {
        let world = World::with(Mechanism::Plain, |server| {
            server.set(ZMQ_HANDSHAKE_IVL, SHORT).unwrap();
        });
        let handler = world.context.try_socket(kind);
        let Ok(handler) = handler else { continue };
        handler.bind(HANDLER).unwrap();
        let (_client, _) = world.client();
        world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, libc::EAGAIN as u64);
        world.expect_disconnected();
        while handler.try_recv().is_ok() {}
    }
    let world = World::new(Mechanism::Plain);
    let handler = world.handler(ZMQ_DEALER);
    let (client, _) = world.client();
    assert_eq!(handler.recv_all().unwrap()[..2], [b"".to_vec(), b"1.0".to_vec()]);
    send_all(&handler, &[&[&b""[..]], &reply("200")[..]].concat()).unwrap();
    world.assert_serves(&client);
}

#[test]
fn a_context_ends_while_requests_are_out() {
    for mechanism in BOTH {
        for shutdown_first in [false, true] {
            let world = World::new(mechanism);
            let handler = world.handler(ZMQ_ROUTER);
            let clients: Vec<_> = (0..5).map(|_| world.client()).collect();
            for _ in 0..3 {
                handler.recv_all().unwrap();
            }
            if shutdown_first {
                world.context.shutdown();
            }
            drop(clients);
            if shutdown_first {
                drop(handler);
                drop(world.server);
            } else {
                drop(world.server);
                drop(handler);
            }
            drop(world.watch);
            world.context.term().unwrap();
        }
    }
}

#[test]
fn peers_of_older_protocols_are_not_let_past_the_handler() {
    let v2 = b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x05";
    for (mechanism, hello) in [
        (Mechanism::Null, &b"\x01\0"[..]),
        (Mechanism::Null, v2),
        (Mechanism::Plain, b"\x01\0"),
        (Mechanism::Plain, v2),
    ] {
        let world = World::new(mechanism);
        let handler = world.handler(ZMQ_REP);
        let mut stream = dial(&world.endpoint);
        stream.write_all(hello).unwrap();
        world.watch.expect(&[ZMQ_EVENT_ACCEPTED, ZMQ_EVENT_DISCONNECTED]);
        assert_eq!(handler.try_recv(), Err(libc::EAGAIN), "nobody asked");
    }
}

#[test]
fn what_a_peer_says_while_the_handler_thinks_is_not_kept_without_end() {
    let world = World::new(Mechanism::Null);
    let handler = world.handler(ZMQ_REP);
    let mut stream = dial(&world.endpoint);
    stream.write_all(&[greeting(), ready("DEALER")].concat()).unwrap();
    handler.recv_all().unwrap();
    // It has said all that it may say.
    stream.write_all(&frame(0, b"message")).unwrap();
    world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, 0x1000_0001);
    world.watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
    send_all(&handler, &reply("200")).unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(rest.len(), 64, "the greeting, and no READY");
}
