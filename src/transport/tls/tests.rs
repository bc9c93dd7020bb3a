//! Our two ends against each other, over loopback connections, without the runtime.

use super::*;
use crate::options::{ContextOptions, Options, SocketType};
use crate::transport::Scheme;
use crate::transport::Stream;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    PKCS_ED25519, date_time_ymd,
};
use rustls::pki_types::ServerName;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

mod hostile;
mod trust;

const PATIENCE: Duration = Duration::from_secs(10);
const HOST: &str = "server.example";

/// A certificate and its key, PEM.
struct Identity {
    certificate: String,
    key: String,
}

/// Self-signed; `change` makes it what the test is about.
fn self_signed(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Identity { certificate: certificate.pem(), key: key.serialize_pem() }
}

fn options() -> Options {
    Options::new(SocketType::Pair, &ContextOptions::default())
}

fn server_options(identity: &Identity) -> Options {
    let mut options = options();
    options.wss_cert_pem = identity.certificate.clone().into_bytes();
    options.wss_key_pem = identity.key.clone().into_bytes();
    options
}

fn client_options(trust: &str, host: &str) -> Options {
    let mut options = options();
    options.wss_trust_pem = trust.as_bytes().to_vec();
    options.wss_hostname = host.as_bytes().to_vec();
    options
}

fn sockets() -> (Socket, Socket) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    for end in [&client, &server] {
        end.set_nonblocking(true).unwrap();
        end.set_nodelay(true).unwrap();
    }
    (client.into(), server.into())
}

fn client_end(socket: Socket, options: &Options) -> Stream {
    Stream::new(Scheme::Wss, socket).with_tls(ClientTls::new(options).unwrap().connect().unwrap())
}

fn server_end(socket: Socket, options: &Options) -> Stream {
    Stream::new(Scheme::Wss, socket).with_tls(ServerTls::new(options).unwrap().accept().unwrap())
}

fn pair() -> (Stream, Stream) {
    let identity = self_signed(&[HOST], |_| {});
    let (client, server) = sockets();
    let trusting = client_options(&identity.certificate, HOST);
    (client_end(client, &trusting), server_end(server, &server_options(&identity)))
}

/// One read: what came, or the errno.
fn read(stream: &Stream) -> Result<Vec<u8>, i32> {
    let mut buffer = vec![0; 16 * 1024];
    match stream.read(&mut buffer) {
        Ok(count) => {
            buffer.truncate(count);
            Ok(buffer)
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(libc::EAGAIN),
        Err(error) => Err(error.raw_os_error().unwrap_or(libc::EIO)),
    }
}

/// Lets both ends work until one gets something else than `EAGAIN`. What the client got, and the server.
fn run(client: &Stream, server: &Stream) -> (Result<Vec<u8>, i32>, Result<Vec<u8>, i32>) {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let outcome = (read(client), read(server));
        if outcome != (Err(libc::EAGAIN), Err(libc::EAGAIN)) {
            return outcome;
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    panic!("nothing happens");
}

/// Sees the handshake through.
fn greet(client: &Stream, server: &Stream) {
    client.write(b"hello").unwrap();
    let end = Instant::now() + PATIENCE;
    while run(client, server).1.as_deref() != Ok(b"hello") {
        assert!(Instant::now() < end, "no hello");
    }
}

/// Whether the client accepts the server, and if not, the errno at its end. The server hears of it by an alert, which says
/// more or less why.
fn meet(client: &Options, server: &Options) -> Result<(), i32> {
    let (client_socket, server_socket) = sockets();
    let (client, server) = (client_end(client_socket, client), server_end(server_socket, server));
    let _ = client.write(b"hello").unwrap();
    let end = Instant::now() + PATIENCE;
    let (mut here, mut there) = (libc::EAGAIN, libc::EAGAIN);
    while Instant::now() < end {
        if let Err(errno) = read(&client) {
            here = errno;
        }
        match read(&server) {
            Ok(said) if said == b"hello" => return Ok(()),
            Ok(other) => panic!("{other:?}"),
            Err(errno) => there = errno,
        }
        if here != libc::EAGAIN && there != libc::EAGAIN {
            assert!(matches!(there, libc::EACCES | libc::EPROTO), "{there}");
            return Err(here);
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    panic!("neither accepted nor refused: {here} {there}");
}

const REFUSED: Result<(), i32> = Err(libc::EACCES);

#[test]
fn what_is_said_before_the_handshake_is_done_waits_for_it() {
    let (client, server) = pair();
    assert_eq!(client.write(b"first").unwrap(), 5);
    assert_eq!(server.write(b"me too").unwrap(), 6);
    let (mut here, mut there) = (Vec::new(), Vec::new());
    while here != b"me too" || there != b"first" {
        let (mine, yours) = run(&client, &server);
        here.extend(mine.unwrap_or_default());
        there.extend(yours.unwrap_or_default());
    }
    assert!(!client.has_unsent() && !server.has_unsent());
}

/// More than may wait before the handshake is done: it is said when it is worth while to go on.
#[test]
fn writing_stops_at_a_limit_before_the_handshake_and_is_resumed() {
    let (client, server) = pair();
    let body = vec![7; 4 * MAX_UNSENT];
    let taken = client.write(&body).unwrap();
    assert!(taken > 0 && taken <= MAX_UNSENT, "{taken}");
    assert_eq!(client.write(&body).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(!client.take_resumed());
    let mut received = 0;
    while received < taken {
        let (nothing, some) = run(&client, &server);
        assert_eq!(nothing, Err(libc::EAGAIN));
        received += some.unwrap_or_default().len();
    }
    assert!(client.take_resumed());
    assert!(!client.take_resumed(), "once");
    assert!(client.write(&body).unwrap() > 0);
}

/// Bytes that differ from their neighbours, so that none can be lost, doubled or moved.
fn pattern(offset: usize, len: usize) -> Vec<u8> {
    (offset..offset + len).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

/// Waits as a connection does: for the descriptor to be readable, or writable if something waits for that.
fn wait(stream: &Stream, events: libc::c_short) {
    crate::sys::poll::poll(&mut [crate::sys::poll::item(stream.as_raw_fd(), events)], Some(PATIENCE))
        .unwrap();
}

fn write_all(stream: &Stream, total: usize) {
    let mut sent = 0;
    while sent < total {
        let bytes = pattern(sent, (total - sent).min(100_000));
        let (head, tail) = bytes.split_at(bytes.len() / 3);
        match stream.write_vectored(&[IoSlice::new(head), IoSlice::new(&[]), IoSlice::new(tail)]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait(stream, libc::POLLOUT),
            Err(error) => panic!("{error}"),
        }
    }
    while !stream.flush().unwrap() {
        wait(stream, libc::POLLOUT);
    }
    assert!(!stream.has_unsent());
}

fn read_all(stream: &Stream, total: usize) {
    let mut received = 0;
    let mut buffer = vec![0; 300_000];
    while received < total {
        // Sizes from one byte to more than one read gives.
        let room = (received * 7 % buffer.len()).max(1);
        match stream.read(&mut buffer[..room]) {
            Ok(0) => panic!("an end after {received}"),
            Ok(count) => {
                assert_eq!(buffer[..count], pattern(received, count));
                received += count;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait(stream, libc::POLLIN),
            Err(error) => panic!("{error}"),
        }
    }
}

/// All four halves at the same time, each in a thread of its own, and the kernel's buffers are small.
#[test]
fn much_goes_both_ways_at_once() {
    const TOTAL: usize = 8 << 20;
    let (client, server) = pair();
    while client.tls_is_handshaking() || server.tls_is_handshaking() {
        let _ = (read(&client), read(&server));
    }
    std::thread::scope(|scope| {
        for stream in [&client, &server] {
            scope.spawn(|| write_all(stream, TOTAL));
            scope.spawn(|| read_all(stream, TOTAL));
        }
    });
    client.shut_down();
    assert_eq!(read(&server), Ok(Vec::new()), "the end is told");
}

#[test]
fn a_short_read_leaves_nothing_behind() {
    let (client, server) = pair();
    while client.tls_is_handshaking() || server.tls_is_handshaking() {
        let _ = (read(&client), read(&server));
    }
    for size in [1, 100, 16 * 1024, 16 * 1024 + 1, 60_000] {
        let mut received = 0;
        assert_eq!(client.write(&vec![1; size]).unwrap(), size);
        let mut buffer = vec![0; 128 * 1024];
        while received < size {
            wait(&server, libc::POLLIN);
            // Until it says that there is no more, without waiting in between: as a connection does for each event.
            loop {
                match server.read(&mut buffer) {
                    Ok(count) => received += count,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::WouldBlock);
                        break;
                    }
                }
                if !server.has_more() {
                    break;
                }
            }
        }
        assert_eq!(received, size);
    }
}

/// No record is longer than what libzmq 4.3.5 reads at a time.
#[test]
fn records_are_short() {
    let identity = self_signed(&[HOST], |_| {});
    let (client_socket, near) = sockets();
    let (far, server_socket) = sockets();
    let client = client_end(client_socket, &client_options(&identity.certificate, HOST));
    let server = server_end(server_socket, &server_options(&identity));
    let body = vec![1; 40_000];
    assert_eq!(client.write(&body).unwrap(), body.len());
    assert_eq!(server.write(&body).unwrap(), body.len());
    let mut logs = [Vec::new(), Vec::new()];
    let (mut here, mut there) = (0, 0);
    let mut buffer = [0; 4096];
    let end = Instant::now() + PATIENCE;
    while (here, there) != (body.len(), body.len()) {
        assert!(Instant::now() < end, "{here} {there}");
        here += read(&client).unwrap_or_default().len();
        there += read(&server).unwrap_or_default().len();
        for (from, to, log) in [(&near, &far, 0), (&far, &near, 1)] {
            if let Ok(count) = (&*from).read(&mut buffer) {
                to.send(&buffer[..count]).unwrap();
                logs[log].extend(&buffer[..count]);
            }
        }
    }
    for log in logs {
        let (mut at, mut longest) = (0, 0);
        while at + 5 <= log.len() {
            let len = usize::from(u16::from_be_bytes([log[at + 3], log[at + 4]]));
            longest = longest.max(len);
            at += 5 + len;
        }
        // With the type and the tag.
        assert_eq!(longest, 8192 + 1 + 16);
    }
}

#[test]
fn versions_one_point_two_and_three() {
    let identity = self_signed(&[HOST], |_| {});
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut roots = rustls::RootCertStore::empty();
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        roots.add(CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(HOST).unwrap();
        let session = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
        let (client_socket, server_socket) = sockets();
        let client = Stream::new(Scheme::Wss, client_socket).with_tls(Tls::new(session.into()));
        let server = server_end(server_socket, &server_options(&identity));
        greet(&client, &server);
    }
}

#[test]
fn buffers_are_not_waited_for() {
    // As a child of `fork` finds them, if another thread of its parent had them.
    let taken = BUFFERS.lock();
    let (done, outcome) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = RawBuffer::default();
        assert_eq!(buffer.room().len(), BATCH);
        buffer.release();
        done.send(()).unwrap();
    });
    assert_eq!(outcome.recv_timeout(PATIENCE), Ok(()));
    drop(taken);
}

impl Stream {
    fn tls_is_handshaking(&self) -> bool {
        self.tls().is_some_and(|tls| tls.state.lock().session.is_handshaking())
    }

    fn refresh_traffic_keys(&self) -> Result<(), rustls::Error> {
        let Some(tls) = self.tls() else { return Ok(()) };
        tls.state.lock().session.refresh_traffic_keys()?;
        let _ = self.flush();
        Ok(())
    }
}
