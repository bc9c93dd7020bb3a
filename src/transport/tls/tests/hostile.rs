//! Bytes that no peer should send.

use super::*;
use crate::dice::Dice;

/// Everything that a client sends until it is served, as it is on the wire.
fn client_bytes(identity: &Identity) -> Vec<u8> {
    let (client_socket, near) = sockets();
    let (far, server_socket) = sockets();
    let client = client_end(client_socket, &client_options(&identity.certificate, HOST));
    let server = server_end(server_socket, &server_options(identity));
    client.write(b"hello").unwrap();
    let mut sent = Vec::new();
    let mut buffer = [0; 4096];
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let _ = read(&client);
        for (from, to, log) in [(&near, &far, true), (&far, &near, false)] {
            if let Ok(count) = (&*from).read(&mut buffer) {
                to.send(&buffer[..count]).unwrap();
                if log {
                    sent.extend(&buffer[..count]);
                }
            }
        }
        if read(&server) == Ok(b"hello".to_vec()) {
            return sent;
        }
    }
    panic!("no way through");
}

/// What the server makes of such bytes, and then the end.
fn serve(server: &Options, bytes: &[u8], step: usize) -> Result<Vec<u8>, i32> {
    let (peer, socket) = sockets();
    let server = server_end(socket, server);
    for chunk in bytes.chunks(step) {
        if peer.send(chunk).is_err() {
            break;
        }
        match read(&server) {
            Err(libc::EAGAIN) => {}
            outcome => return outcome,
        }
    }
    let _ = peer.shutdown(std::net::Shutdown::Write);
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        match read(&server) {
            Err(libc::EAGAIN) => std::thread::sleep(Duration::from_micros(50)),
            outcome => return outcome,
        }
    }
    panic!("it goes on for ever");
}

/// The ends that a bad peer may come to: refused, or without an answer until it hung up. (A reset is what it makes of our answers.)
fn is_refused(outcome: &Result<Vec<u8>, i32>) -> bool {
    *outcome == Ok(Vec::new())
        || matches!(outcome, Err(libc::EPROTO | libc::EACCES | libc::ECONNRESET | libc::EPIPE))
}

#[test]
fn a_handshake_with_any_byte_wrong_is_refused() {
    let identity = self_signed(&[HOST], |_| {});
    let server = server_options(&identity);
    let valid = client_bytes(&identity);
    assert!(valid.len() > 200);
    for at in 0..valid.len() {
        for change in [1, 0x80, 0xff] {
            let mut bytes = valid.clone();
            bytes[at] ^= change;
            // The keys are new each time, so the valid bytes can't lead anywhere either.
            let outcome = serve(&server, &bytes, bytes.len());
            assert!(is_refused(&outcome), "{at}: {outcome:?}");
        }
    }
}

#[test]
fn a_handshake_cut_anywhere_is_waited_for_and_ends() {
    let identity = self_signed(&[HOST], |_| {});
    let server = server_options(&identity);
    let valid = client_bytes(&identity);
    let step = (valid.len() / 100).max(1);
    for len in (0..valid.len()).step_by(step) {
        let outcome = serve(&server, &valid[..len], usize::MAX);
        assert!(is_refused(&outcome), "{len}: {outcome:?}");
    }
    assert!(is_refused(&serve(&server, &valid, 1)), "byte by byte");
}

#[test]
fn what_is_no_tls_is_refused_at_once() {
    let server = server_options(&self_signed(&[HOST], |_| {}));
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        &[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f],
        &[0; 64],
        &[22, 3, 1, 0xff, 0xff, 0, 0],
        &[23, 3, 3, 0, 1, 0],
        &[20, 3, 3, 0, 1, 1],
        &[21, 3, 3, 0, 2, 2, 40],
        &[22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff],
    ] {
        let (peer, socket) = sockets();
        let stream = server_end(socket, &server);
        peer.send(bytes).unwrap();
        wait(&stream, libc::POLLIN);
        assert_eq!(read(&stream), Err(libc::EPROTO), "{bytes:?}");
        assert_eq!(read(&stream), Err(libc::EPROTO), "and so it stays");
        assert!(stream.write(b"x").is_err());
    }
}

#[test]
fn random_records_end_the_connection_only() {
    let server = server_options(&self_signed(&[HOST], |_| {}));
    let mut dice = Dice(1);
    for _ in 0..300 {
        let mut bytes = Vec::new();
        for _ in 0..1 + dice.below(4) {
            let len = dice.below(300);
            bytes.extend([20 + dice.below(6) as u8, 3, dice.below(5) as u8]);
            bytes.extend((len as u16).to_be_bytes());
            bytes.extend((0..len).map(|_| dice.below(256) as u8));
        }
        let step = 1 + dice.below(bytes.len());
        let outcome = serve(&server, &bytes, step);
        assert!(is_refused(&outcome), "{outcome:?}");
    }
}

/// After the handshake: what the peer's session encrypts correctly is one thing, what comes without is another.
#[test]
fn bytes_in_between_are_refused_after_the_handshake() {
    let identity = self_signed(&[HOST], |_| {});
    for junk in [&[23, 3, 3, 0, 32][..], &[22, 3, 3, 0, 4, 1, 0, 0, 0], &[21, 3, 3, 0, 2, 1, 90], b"junk!"] {
        let (client_socket, server_socket) = sockets();
        let raw = client_socket.try_clone().unwrap();
        let client = client_end(client_socket, &client_options(&identity.certificate, HOST));
        let server = server_end(server_socket, &server_options(&identity));
        greet(&client, &server);
        raw.send(junk).unwrap();
        raw.send(&[0; 64]).unwrap();
        wait(&server, libc::POLLIN);
        let end = Instant::now() + PATIENCE;
        let outcome = loop {
            let outcome = read(&server);
            if outcome != Err(libc::EAGAIN) || Instant::now() > end {
                break outcome;
            }
        };
        assert_eq!(outcome, Err(libc::EPROTO), "{junk:?}");
    }
}

/// A peer that asks for new keys all the time and reads nothing costs no memory; in the end it is refused.
#[test]
fn updates_of_keys_are_bounded() {
    let identity = self_signed(&[HOST], |_| {});
    let (client_socket, server_socket) = sockets();
    let config = ClientTls::new(&client_options(&identity.certificate, HOST)).unwrap();
    let tls = config.connect().unwrap();
    let client = Stream::new(Scheme::Wss, client_socket).with_tls(tls);
    let server = server_end(server_socket, &server_options(&identity));
    greet(&client, &server);
    let mut updates = 0;
    let outcome = loop {
        updates += 1;
        assert!(updates < 1000, "so many updates of keys are too many");
        if let Err(error) = client.refresh_traffic_keys() {
            panic!("its own end has nothing against it: {error}");
        }
        match read(&server) {
            Err(libc::EAGAIN) => {}
            outcome => break outcome,
        }
    };
    assert_eq!(outcome, Err(libc::EPROTO));
}
