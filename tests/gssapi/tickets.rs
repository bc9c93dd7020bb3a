//! Who is who: principals, kinds of names, key tables, and tickets that aren't good.

use crate::Case;
use crate::realm::{ALICE, BOB, Realm, SERVICE, SERVICE_PRINCIPAL};
use crate::support::{Context, Socket, eventually};
use crate::watch::Watch;
use crate::world::{REFUSED, World, ask, expect_failure, serve, usual};
use crate::zap::{Answers, Handler};
use std::process::Command;
use zmq::ffi::constants::*;

pub const CASES: &[Case] = &[
    ("clients_are_known_by_their_principals", usual, clients_are_known_by_their_principals),
    ("services_are_named_in_three_ways", usual, services_are_named_in_three_ways),
    ("a_server_with_a_principal_is_nobody_else", both_keys, a_server_with_a_principal_is_nobody_else),
    ("the_terminating_zero_may_be_counted_in", usual, the_terminating_zero_may_be_counted_in),
    ("a_key_table_will_do_for_a_client", key_table, a_key_table_will_do_for_a_client),
    ("a_ticket_that_has_expired", expired, nobody_comes_in),
    ("no_ticket", no_ticket, nobody_comes_in),
    ("a_server_with_another_services_key", other_key, nobody_is_accepted),
    ("a_server_with_a_key_of_the_past", stale_key, a_server_with_a_key_of_the_past),
    ("a_server_without_a_key_table", no_keys, nobody_is_accepted),
    ("a_service_that_nobody_knows", usual, a_service_that_nobody_knows),
    ("a_principal_without_a_ticket", usual, a_principal_without_a_ticket),
    ("a_ticket_that_comes_later", later, a_ticket_that_comes_later),
];

fn both_keys(realm: &Realm, command: &mut Command) {
    command.env("KRB5_KTNAME", realm.keys("both"));
}

fn key_table(realm: &Realm, command: &mut Command) {
    command.env("KRB5CCNAME", "MEMORY:").env("KRB5_CLIENT_KTNAME", realm.keys("bob"));
}

fn expired(realm: &Realm, command: &mut Command) {
    command.env("KRB5CCNAME", realm.expired());
}

fn no_ticket(realm: &Realm, command: &mut Command) {
    command.env("KRB5CCNAME", realm.cache("none"));
}

fn other_key(realm: &Realm, command: &mut Command) {
    command.env("KRB5_KTNAME", realm.keys("other"));
}

fn stale_key(realm: &Realm, command: &mut Command) {
    command.env("KRB5_KTNAME", realm.keys("stale"));
}

fn no_keys(realm: &Realm, command: &mut Command) {
    command.env("KRB5_KTNAME", realm.keys("none"));
}

fn later(realm: &Realm, command: &mut Command) {
    command.env("KRB5CCNAME", realm.cache("later")).env("TICKET", realm.cache("alice"));
}

fn name(socket: &Socket, option: i32, name: &[u8], kind_option: i32, kind: i32) {
    socket.set_bytes(option, name).unwrap();
    socket.set(kind_option, kind).unwrap();
}

fn principal(socket: &Socket, text: &[u8], kind: i32) {
    name(socket, ZMQ_GSSAPI_PRINCIPAL, text, ZMQ_GSSAPI_PRINCIPAL_NAMETYPE, kind);
}

fn service(socket: &Socket, text: &[u8], kind: i32) {
    name(socket, ZMQ_GSSAPI_SERVICE_PRINCIPAL, text, ZMQ_GSSAPI_SERVICE_PRINCIPAL_NAMETYPE, kind);
}

/// Upstream asks for a credential that can accept, too, so it finds none for somebody who has a ticket only.
fn clients_are_known_by_their_principals() {
    let world = World::new();
    let handler = Handler::new(&world.context, Answers::Admit);
    let users: [(&[u8], i32, &str); 4] = [
        (b"", 0, ALICE),
        (b"bob@REALM.TEST", ZMQ_GSSAPI_NT_KRB5_PRINCIPAL, BOB),
        (b"bob", ZMQ_GSSAPI_NT_USER_NAME, BOB),
        (b"alice", ZMQ_GSSAPI_NT_KRB5_PRINCIPAL, ALICE),
    ];
    for (text, kind, expected) in users {
        let (client, _) = world.client_with(|client| {
            if !text.is_empty() {
                principal(client, text, kind);
            }
        });
        let request = handler.request();
        assert_eq!(request[5..], [b"GSSAPI".to_vec(), expected.into()]);
        world.assert_serves(&client);
    }
}

fn services_are_named_in_three_ways() {
    let world = World::new();
    let services: [(&[u8], i32); 4] = [
        (SERVICE.as_bytes(), ZMQ_GSSAPI_NT_HOSTBASED),
        (b"zmq/localhost", ZMQ_GSSAPI_NT_USER_NAME),
        (b"zmq/localhost", ZMQ_GSSAPI_NT_KRB5_PRINCIPAL),
        (SERVICE_PRINCIPAL.as_bytes(), ZMQ_GSSAPI_NT_KRB5_PRINCIPAL),
    ];
    for (text, kind) in services {
        let (client, _) = world.client_with(|client| service(client, text, kind));
        world.assert_serves(&client);
    }
    // Read in a way that isn't meant, it is somebody else.
    let (_client, watch) =
        world.client_with(|client| service(client, SERVICE.as_bytes(), ZMQ_GSSAPI_NT_KRB5_PRINCIPAL));
    expect_failure(&watch, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, REFUSED);
}

fn a_server_with_a_principal_is_nobody_else() {
    let world = World::new();
    for text in [&b"zmq@localhost"[..], b"other@localhost"] {
        let (client, _) = world.client_with(|client| service(client, text, ZMQ_GSSAPI_NT_HOSTBASED));
        world.assert_serves(&client);
    }
    let world = World::with(false, |server| principal(server, b"other@localhost", ZMQ_GSSAPI_NT_HOSTBASED));
    let (client, _) =
        world.client_with(|client| service(client, b"other@localhost", ZMQ_GSSAPI_NT_HOSTBASED));
    world.assert_serves(&client);
    let (_client, _) = world.client();
    world.expect_failure(ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
    world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, REFUSED);
}

fn the_terminating_zero_may_be_counted_in() {
    let world = World::with(false, |server| principal(server, b"zmq@localhost\0", ZMQ_GSSAPI_NT_HOSTBASED));
    let (client, _) = world.client_with(|client| {
        service(client, b"zmq@localhost\0", ZMQ_GSSAPI_NT_HOSTBASED);
        principal(client, b"alice\0", ZMQ_GSSAPI_NT_USER_NAME);
    });
    world.assert_serves(&client);
}

fn a_key_table_will_do_for_a_client() {
    let world = World::new();
    let handler = Handler::new(&world.context, Answers::Admit);
    let (client, _) = world.client();
    assert_eq!(handler.request()[6], BOB.as_bytes());
    world.assert_serves(&client);
}

/// The client fails, and tries again for as long as it is there.
fn fails(watch: &Watch) {
    for _ in 0..2 {
        expect_failure(watch, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, REFUSED);
        watch.expect(&[ZMQ_EVENT_DISCONNECTED, ZMQ_EVENT_CONNECT_RETRIED]);
    }
}

fn nobody_comes_in() {
    for plaintext in [false, true] {
        let world = World::with(plaintext, |_| {});
        let (client, watch) = world.client();
        client.send(b"nobody").unwrap();
        fails(&watch);
        assert_eq!(world.server.try_recv(), Err(libc::EAGAIN));
    }
}

fn nobody_is_accepted() {
    for plaintext in [false, true] {
        let world = World::with(plaintext, |_| {});
        let (client, _) = world.client();
        client.send(b"nobody").unwrap();
        for _ in 0..2 {
            world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, REFUSED);
            world.watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
        }
        assert_eq!(world.server.try_recv(), Err(libc::EAGAIN));
    }
}

fn a_server_with_a_key_of_the_past() {
    let world = World::new();
    let (_client, _) =
        world.client_with(|client| service(client, b"stale@localhost", ZMQ_GSSAPI_NT_HOSTBASED));
    world.expect_failure(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, REFUSED);
}

fn a_service_that_nobody_knows() {
    let world = World::new();
    for text in [&b"nowhere@localhost"[..], b"zmq@elsewhere.test", b"@", b"\xff\xfe"] {
        let (_client, watch) = world.client_with(|client| service(client, text, ZMQ_GSSAPI_NT_HOSTBASED));
        fails(&watch);
    }
    // None at all.
    let client = world.context.socket(ZMQ_DEALER);
    client.set(ZMQ_GSSAPI_SERVER, 0).unwrap();
    let watch = Watch::new(&world.context, &client);
    client.connect(&world.endpoint).unwrap();
    expect_failure(&watch, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, REFUSED);
}

/// It isn't somebody else's ticket that is used then.
fn a_principal_without_a_ticket() {
    let world = World::new();
    for text in [&b"carol"[..], b"alice@ELSEWHERE.TEST"] {
        let (_client, watch) =
            world.client_with(|client| principal(client, text, ZMQ_GSSAPI_NT_KRB5_PRINCIPAL));
        fails(&watch);
    }
    let context = Context::new();
    let server = context.socket(ZMQ_DEALER);
    serve(&server, false);
    principal(&server, b"carol", ZMQ_GSSAPI_NT_KRB5_PRINCIPAL);
    let watch = Watch::new(&context, &server);
    let client = context.socket(ZMQ_DEALER);
    ask(&client, false);
    client.connect(&server.bind_tcp()).unwrap();
    expect_failure(&watch, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, REFUSED);
}

fn a_ticket_that_comes_later() {
    let world = World::new();
    let (client, watch) = world.client();
    client.send(b"hello").unwrap();
    fails(&watch);
    let path = |variable| std::env::var(variable).unwrap().trim_start_matches("FILE:").to_owned();
    std::fs::copy(path("TICKET"), path("KRB5CCNAME")).unwrap();
    assert_eq!(world.server.recv().as_deref(), Ok(&b"hello"[..]));
    eventually("connected", || client.send(b"more").is_ok());
}
