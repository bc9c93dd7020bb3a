//! The options of wss: what they let through, what they refuse, and what is heard of that.

use crate::certificates::{HOST, Identity, bind, two};
use crate::support::{Context, Socket, eventually};
use crate::watch::Watch;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use std::process::Command;
use zmq::ffi::constants::*;

fn talk(one: &Socket, other: &Socket) {
    one.send(b"there").unwrap();
    assert_eq!(other.recv().unwrap(), b"there");
    other.send(b"and back").unwrap();
    assert_eq!(one.recv().unwrap(), b"and back");
}

#[test]
fn the_library_says_that_it_has_it() {
    // SAFETY: a C string.
    assert_eq!(unsafe { zmq::ffi::util::zmq_has(c"WSS".as_ptr()) }, 1);
}

#[test]
fn a_trusted_server_is_talked_to() {
    let context = Context::new();
    let (server, client, endpoint) = two(&context, &Identity::new(), ZMQ_DEALER, ZMQ_DEALER);
    assert!(endpoint.starts_with("wss://127.0.0.1:"), "{endpoint}");
    let (servers, clients) = (Watch::new(&context, &server), Watch::new(&context, &client));
    client.connect(&endpoint).unwrap();
    assert_eq!(client.last_endpoint(), endpoint, "by which it is disconnected");
    talk(&client, &server);
    let accepted = servers.wait_for(ZMQ_EVENT_ACCEPTED);
    assert_eq!(accepted.local, endpoint);
    servers.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    let connected = clients.wait_for(ZMQ_EVENT_CONNECTED);
    assert_eq!(connected.remote, endpoint);
    clients.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    client.disconnect(&endpoint).unwrap();
    servers.wait_for(ZMQ_EVENT_DISCONNECTED);
    server.unbind(&endpoint).unwrap();
}

#[test]
fn a_server_needs_a_certificate_and_its_key() {
    let context = Context::new();
    let (mine, other) = (Identity::new(), Identity::new());
    let server = context.socket(ZMQ_PULL);
    for (certificate, key) in [
        ("", ""),
        (&*mine.certificate, ""),
        ("", &*mine.key),
        (&mine.certificate, &other.key),
        ("no certificate", &mine.key),
        (&mine.certificate, "no key"),
        (&mine.key, &mine.certificate),
    ] {
        let set = |option, value: &str| server.set_bytes(option, value.as_bytes()).unwrap();
        set(ZMQ_WSS_CERT_PEM, certificate);
        set(ZMQ_WSS_KEY_PEM, key);
        assert_eq!(server.bind("wss://127.0.0.1:*"), Err(libc::EINVAL), "{certificate:.30} {key:.30}");
    }
    mine.give(&server);
    bind(&server);
}

#[test]
fn what_is_to_be_trusted_has_to_be_readable() {
    let context = Context::new();
    let client = context.socket(ZMQ_PUSH);
    let identity = Identity::new();
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for wrong in [&identity.certificate[..100], empty, &(identity.certificate.clone() + empty)] {
        client.set_bytes(ZMQ_WSS_TRUST_PEM, wrong.as_bytes()).unwrap();
        assert_eq!(client.connect("wss://127.0.0.1:1"), Err(libc::EINVAL), "{wrong}");
    }
    client.set_bytes(ZMQ_WSS_TRUST_PEM, identity.certificate.as_bytes()).unwrap();
    client.connect("wss://127.0.0.1:1").unwrap();
}

/// The client is told why, the server that the client didn't want it; both go on.
fn check_refused(identity: &Identity, change: impl FnOnce(&Socket)) {
    let context = Context::new();
    let (server, client, endpoint) = two(&context, identity, ZMQ_DEALER, ZMQ_DEALER);
    change(&client);
    let (servers, clients) = (Watch::new(&context, &server), Watch::new(&context, &client));
    client.connect(&endpoint).unwrap();
    client.send(b"for nobody else").unwrap();
    for _ in 0..2 {
        clients.expect(&[ZMQ_EVENT_CONNECT_DELAYED, ZMQ_EVENT_CONNECTED]);
        let failed = clients.next();
        assert_eq!(
            (failed.event, &failed.values[..]),
            (ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, &[libc::EAGAIN as u64][..])
        );
        clients.expect(&[ZMQ_EVENT_DISCONNECTED, ZMQ_EVENT_CONNECT_RETRIED]);
        // The next attempt may be accepted in between.
        servers.wait_for(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
        servers.wait_for(ZMQ_EVENT_DISCONNECTED);
    }
    assert_eq!(server.try_recv(), Err(libc::EAGAIN));
}

#[test]
fn a_server_that_nobody_has_vouched_for() {
    check_refused(&Identity::new(), |client| {
        let other = Identity::new();
        client.set_bytes(ZMQ_WSS_TRUST_PEM, other.certificate.as_bytes()).unwrap();
    });
    for nobody in ["", "text without a certificate"] {
        check_refused(&Identity::new(), |client| {
            client.set_bytes(ZMQ_WSS_TRUST_PEM, nobody.as_bytes()).unwrap();
        });
    }
    check_refused(&Identity::new(), |client| {
        client.set_bytes(ZMQ_WSS_TRUST_PEM, b"").unwrap();
        client.set_bytes(ZMQ_WSS_HOSTNAME, b"").unwrap();
    });
}

#[test]
fn another_host() {
    for host in ["other.example", "127.0.0.1", "sub.server.example", "no host name"] {
        check_refused(&Identity::new(), |client| {
            client.set_bytes(ZMQ_WSS_HOSTNAME, host.as_bytes()).unwrap();
        });
    }
}

#[test]
fn a_certificate_that_has_expired_or_is_not_valid_yet() {
    for (from, to) in [(1990, 2000), (2990, 3000)] {
        let identity = Identity::with(|params| {
            (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        });
        check_refused(&identity, |_| {});
    }
}

#[test]
fn without_a_host_name_it_is_not_looked_at() {
    let context = Context::new();
    let (server, client, endpoint) = two(&context, &Identity::new(), ZMQ_PAIR, ZMQ_PAIR);
    client.set_bytes(ZMQ_WSS_HOSTNAME, b"").unwrap();
    client.connect(&endpoint).unwrap();
    talk(&client, &server);
}

/// As upstream's own test has it: a CA's certificate, self-signed, without alternative names.
#[test]
fn a_common_name_is_a_host_too() {
    let identity = Identity::with(|params| {
        params.subject_alt_names.clear();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, HOST);
    });
    let context = Context::new();
    let (server, client, endpoint) = two(&context, &identity, ZMQ_PAIR, ZMQ_PAIR);
    client.connect(&endpoint).unwrap();
    talk(&client, &server);
    check_refused(&identity, |client| {
        client.set_bytes(ZMQ_WSS_HOSTNAME, b"other.example").unwrap();
    });
}

/// A certificate for [`HOST`] that an authority in the middle has issued, with the chain; the root's certificate.
fn issued(change: impl FnOnce(&mut CertificateParams)) -> (Identity, String) {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let root = CertifiedIssuer::self_signed(authority("root"), KeyPair::generate().unwrap()).unwrap();
    let middle =
        CertifiedIssuer::signed_by(authority("middle"), KeyPair::generate().unwrap(), &root).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    change(&mut params);
    let leaf = params.signed_by(&key, &middle).unwrap();
    (Identity { certificate: leaf.pem() + &middle.pem(), key: key.serialize_pem() }, root.pem())
}

#[test]
fn a_chain_of_issuers() {
    let (chain, root) = issued(|_| {});
    let context = Context::new();
    let (server, client, endpoint) = two(&context, &chain, ZMQ_PAIR, ZMQ_PAIR);
    client.set_bytes(ZMQ_WSS_TRUST_PEM, root.as_bytes()).unwrap();
    client.connect(&endpoint).unwrap();
    talk(&client, &server);
}

#[test]
fn certificates_that_are_for_something_else() {
    let (clients, root) =
        issued(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    check_refused(&clients, |client| {
        client.set_bytes(ZMQ_WSS_TRUST_PEM, root.as_bytes()).unwrap();
    });
    let (authority, root) = issued(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    check_refused(&authority, |client| {
        client.set_bytes(ZMQ_WSS_TRUST_PEM, root.as_bytes()).unwrap();
    });
}

/// A server that is refused at first may be replaced; the client is still there.
#[test]
fn it_is_tried_again() {
    let context = Context::new();
    let (wrong, right) = (Identity::new(), Identity::new());
    let (server, client, endpoint) = two(&context, &wrong, ZMQ_PAIR, ZMQ_PAIR);
    right.trust(&client);
    let watch = Watch::new(&context, &client);
    client.connect(&endpoint).unwrap();
    watch.wait_for(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
    server.close().unwrap();
    let server = context.socket(ZMQ_PAIR);
    right.give(&server);
    eventually("the port is free", || server.bind(&endpoint).is_ok());
    talk(&client, &server);
}

/// `ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED`
#[test]
fn or_it_is_not_if_so_wished() {
    let context = Context::new();
    let (_server, client, endpoint) = two(&context, &Identity::new(), ZMQ_PAIR, ZMQ_PAIR);
    client.set_bytes(ZMQ_WSS_HOSTNAME, b"other.example").unwrap();
    client.set(ZMQ_RECONNECT_STOP, ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED).unwrap();
    let watch = Watch::new(&context, &client);
    client.connect(&endpoint).unwrap();
    watch.expect(&[
        ZMQ_EVENT_CONNECT_DELAYED,
        ZMQ_EVENT_CONNECTED,
        ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL,
        ZMQ_EVENT_DISCONNECTED,
    ]);
    client.close().unwrap();
    watch.expect(&[ZMQ_EVENT_MONITOR_STOPPED]);
}

/// What the system trusts is read from where `SSL_CERT_FILE` says, so this is for a process of its own.
#[test]
#[ignore = "run by another test, in a process of its own"]
fn trusted_by_the_system() {
    let context = Context::new();
    let folder = std::path::PathBuf::from(std::env::var_os("SSL_CERT_FILE").unwrap());
    let key = std::fs::read_to_string(folder.with_extension("key")).unwrap();
    let identity = Identity { certificate: std::fs::read_to_string(&folder).unwrap(), key };
    for trusts in [1, 0] {
        let (server, client, endpoint) = two(&context, &identity, ZMQ_PAIR, ZMQ_PAIR);
        client.set_bytes(ZMQ_WSS_TRUST_PEM, b"").unwrap();
        client.set(ZMQ_WSS_TRUST_SYSTEM, trusts).unwrap();
        let watch = Watch::new(&context, &client);
        client.connect(&endpoint).unwrap();
        if trusts == 1 {
            talk(&client, &server);
        } else {
            watch.wait_for(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
        }
    }
}

#[test]
fn whom_the_system_trusts() {
    let identity = Identity::new();
    let file =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("trust-{}.pem", std::process::id()));
    std::fs::write(&file, &identity.certificate).unwrap();
    std::fs::write(file.with_extension("key"), &identity.key).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "trust::trusted_by_the_system"])
        .env("SSL_CERT_FILE", &file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    let _ = std::fs::remove_file(&file);
    let _ = std::fs::remove_file(file.with_extension("key"));
}
