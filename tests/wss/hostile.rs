//! Peers that do wrong below the WebSocket, at a bound socket and at a connecting one. Each costs its own connection.

use crate::certificates::{HOST, Identity, bind, two};
use crate::support::{Context, PATIENCE, Socket};
use crate::watch::Watch;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use zmq::ffi::constants::*;

/// A bound socket with a client of its own that goes on in spite of what others do.
struct Server {
    identity: Identity,
    socket: Socket,
    good: Socket,
    watch: Watch,
    address: String,
    _context: Context,
}

impl Server {
    fn new() -> Self {
        Self::with_handshake_ivl(30_000)
    }

    /// Handshakes may take so long, in milliseconds.
    fn with_handshake_ivl(ivl: i32) -> Self {
        let context = Context::new();
        let identity = Identity::new();
        let (socket, good) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
        identity.give(&socket);
        identity.trust(&good);
        socket.set(ZMQ_HANDSHAKE_IVL, ivl).unwrap();
        let endpoint = bind(&socket);
        good.connect(&endpoint).unwrap();
        good.send(b"x").unwrap();
        assert_eq!(socket.recv().unwrap(), b"x");
        let watch = Watch::new(&context, &socket);
        let address = endpoint.strip_prefix("wss://").unwrap().trim_end_matches('/').to_owned();
        Self { identity, socket, good, watch, address, _context: context }
    }

    fn connect(&self) -> TcpStream {
        let peer = TcpStream::connect(&self.address).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        peer.set_nodelay(true).unwrap();
        self.watch.expect(&[ZMQ_EVENT_ACCEPTED]);
        peer
    }

    /// By TLS, as it should be, so far.
    fn connect_tls(&self) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.identity.certificate.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let session = ClientConnection::new(Arc::new(config), ServerName::try_from(HOST).unwrap()).unwrap();
        StreamOwned::new(session, self.connect())
    }

    /// The connection ends in the handshake, without a further reason: `errno`, if given.
    fn expect_failure(&self, errno: Option<i32>) {
        let failed = self.watch.next();
        assert_eq!(failed.event, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, "{failed:?}");
        if let Some(errno) = errno {
            assert_eq!(failed.values, [errno as u64]);
        }
        self.watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
    }

    fn goes_on(&self) {
        self.good.send(b"still").unwrap();
        assert_eq!(self.socket.recv().unwrap(), b"still");
    }
}

#[test]
fn what_is_no_tls() {
    let server = Server::new();
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n"[..],
        b"\xff\0\0\0\0\0\0\0\x01\x7f",
        &[0; 100],
        &[22, 3, 1, 0xff, 0xff, 1, 2, 3],
        &[22, 3, 1, 0, 5, 1, 0xff, 0xff, 0xff, 0],
        &[21, 3, 3, 0, 2, 2, 40],
    ] {
        let mut peer = server.connect();
        peer.write_all(bytes).unwrap();
        server.expect_failure(Some(libc::EAGAIN));
        // What it gets is at most an alert, and the end.
        let mut said = Vec::new();
        let _ = peer.read_to_end(&mut said);
        assert!(said.is_empty() || said[0] == 21, "{said:?}");
    }
    server.goes_on();
}

#[test]
fn a_peer_that_says_nothing_or_too_little() {
    let server = Server::with_handshake_ivl(200);
    let hello = client_hello();
    for len in [0, 1, 5, 6, hello.len() / 2, hello.len() - 1, hello.len()] {
        let mut peer = server.connect();
        peer.write_all(&hello[..len]).unwrap();
        server.expect_failure(Some(libc::EAGAIN));
        let mut said = Vec::new();
        let _ = peer.read_to_end(&mut said);
        assert!(said.is_empty() || len == hello.len(), "{len}: {said:?}");
    }
    server.goes_on();
}

#[test]
fn a_peer_that_leaves_in_the_middle() {
    let server = Server::new();
    let hello = client_hello();
    for len in [0, 1, 5, hello.len() / 2, hello.len()] {
        let mut peer = server.connect();
        peer.write_all(&hello[..len]).unwrap();
        peer.shutdown(Shutdown::Both).unwrap();
        server.expect_failure(None);
    }
    server.goes_on();
}

/// The first that a client says.
fn client_hello() -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let context = Context::new();
    let client = context.socket(ZMQ_PUSH);
    Identity::new().trust(&client);
    client.connect(&format!("wss://{}", listener.local_addr().unwrap())).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut hello = vec![0; 5];
    peer.read_exact(&mut hello).unwrap();
    assert_eq!((hello[0], hello[1]), (22, 3));
    let mut body = vec![0; usize::from(u16::from_be_bytes([hello[3], hello[4]]))];
    peer.read_exact(&mut body).unwrap();
    hello.extend(body);
    hello
}

#[test]
fn a_hello_with_each_byte_wrong() {
    let server = Server::new();
    let hello = client_hello();
    for at in 0..hello.len() {
        let mut bytes = hello.clone();
        bytes[at] ^= 0x81;
        let mut peer = server.connect();
        let _ = peer.write_all(&bytes);
        let _ = peer.shutdown(Shutdown::Write);
        server.expect_failure(None);
    }
    server.goes_on();
}

/// TLS stands, and then it is no WebSocket.
#[test]
fn tls_and_then_nothing_or_nonsense() {
    let server = Server::with_handshake_ivl(1000);
    let mut quiet = server.connect_tls();
    while quiet.conn.is_handshaking() {
        quiet.conn.complete_io(&mut quiet.sock).unwrap();
    }
    server.expect_failure(Some(libc::EAGAIN));
    for nonsense in [&b"nonsense\r\n\r\n"[..], b"POST / HTTP/1.1\r\n\r\n", &[0; 1000]] {
        let mut peer = server.connect_tls();
        peer.write_all(nonsense).unwrap();
        let failed = server.watch.next();
        assert!(
            [ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL]
                .contains(&failed.event),
            "{failed:?}"
        );
        server.watch.wait_for(ZMQ_EVENT_DISCONNECTED);
        let _ = peer.read_to_end(&mut Vec::new());
    }
    server.goes_on();
}

/// A client whose upgrade is right, byte by byte; then it is gone without a word, or after one, or breaks a record.
#[test]
fn how_a_connection_may_end() {
    let server = Server::new();
    for end in 0..4 {
        let mut peer = server.connect_tls();
        let request = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ZWS2.0\r\n\
            Sec-WebSocket-Version: 13\r\n\r\n";
        for byte in request.bytes() {
            peer.write_all(&[byte]).unwrap();
        }
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            peer.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
        match end {
            0 => {}
            1 => peer.conn.send_close_notify(),
            2 => peer.sock.write_all(&[23, 3, 3, 0, 40]).unwrap(),
            _ => peer.sock.write_all(b"plain again").unwrap(),
        }
        let _ = peer.flush();
        if end == 2 {
            peer.sock.write_all(&[9; 40]).unwrap();
        }
        if end != 0 {
            server.watch.wait_for(ZMQ_EVENT_DISCONNECTED);
            continue;
        }
        peer.sock.shutdown(Shutdown::Both).unwrap();
        server.watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    }
    server.goes_on();
}

/// `ws://` to a port of `wss://`, and the other way round.
#[test]
fn one_with_tls_and_one_without() {
    let context = Context::new();
    let (server, plain, endpoint) = two(&context, &Identity::new(), ZMQ_PULL, ZMQ_PUSH);
    let (servers, clients) = (Watch::new(&context, &server), Watch::new(&context, &plain));
    plain.connect(&endpoint.replace("wss:", "ws:")).unwrap();
    servers.wait_for(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
    servers.wait_for(ZMQ_EVENT_DISCONNECTED);
    clients.wait_for(ZMQ_EVENT_DISCONNECTED);
    drop((server, plain));

    let (server, client) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
    server.bind("ws://127.0.0.1:*").unwrap();
    let (servers, clients) = (Watch::new(&context, &server), Watch::new(&context, &client));
    Identity::new().trust(&client);
    client.connect(&server.last_endpoint().replace("ws:", "wss:")).unwrap();
    clients.wait_for(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
    clients.expect(&[ZMQ_EVENT_DISCONNECTED, ZMQ_EVENT_CONNECT_RETRIED]);
    servers.wait_for(ZMQ_EVENT_DISCONNECTED);
}

/// A client meets servers that answer its hello with nonsense, or not at all.
#[test]
fn servers_that_are_none() {
    let context = Context::new();
    let client = context.socket(ZMQ_PUSH);
    Identity::new().trust(&client);
    client.set(ZMQ_RECONNECT_IVL, 1).unwrap();
    client.set(ZMQ_HANDSHAKE_IVL, 100).unwrap();
    let watch = Watch::new(&context, &client);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    client.connect(&format!("wss://{}", listener.local_addr().unwrap())).unwrap();
    for (answer, errno) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], libc::EAGAIN),
        (&[22, 3, 3, 0, 4, 2, 0xff, 0xff, 0xff], libc::EAGAIN),
        (&[22, 3, 3, 0xff, 0xff], libc::EAGAIN),
        (&[21, 3, 3, 0, 2, 2, 40], libc::EAGAIN),
        (&[22, 3, 3, 0, 4], libc::EAGAIN),
        (&[], libc::EAGAIN),
    ] {
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(answer).unwrap();
        let failed = watch.wait_for(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
        assert_eq!(failed.values, [errno as u64], "{answer:?}");
        watch.expect(&[ZMQ_EVENT_DISCONNECTED, ZMQ_EVENT_CONNECT_RETRIED]);
    }
}

/// Whole crowds of them at once.
#[test]
fn a_crowd_at_the_door() {
    let server = Server::new();
    let crowd: Vec<TcpStream> = (0..50)
        .map(|number: u8| {
            let mut peer = server.connect();
            peer.write_all(&[22, 3, 1, 0, 200, number]).unwrap();
            peer
        })
        .collect();
    server.goes_on();
    drop(crowd);
    for _ in 0..50 {
        server.watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    }
    server.goes_on();
}
