//! Real sockets: loopback and files, no fixed ports.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::*;
use crate::options::ContextOptions;

fn options() -> Options {
    Options::new(SocketType::Pair, &ContextOptions::default())
}

fn ipv6() -> Options {
    Options { ipv6: true, ..options() }
}

fn bind(endpoint: &str, options: &Options) -> Result<Listener> {
    let (scheme, address) = parse_endpoint(endpoint)?;
    Listener::bind(scheme, address, options)
}

fn connector(endpoint: &str) -> Result<Connector> {
    let (scheme, address) = parse_endpoint(endpoint)?;
    Connector::new(scheme, address)
}

/// Waits until the descriptor is ready for one or the other.
fn wait(descriptor: &impl AsFd, interest: Interest) {
    use std::os::fd::AsRawFd;
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(1);
    let fd = descriptor.as_fd().as_raw_fd();
    poll.registry().register(&mut SourceFd(&fd), Token(0), interest).unwrap();
    poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
    assert!(!events.is_empty(), "nothing happened");
}

fn connect(endpoint: &str, options: &Options) -> Result<Stream> {
    let attempt = connector(endpoint)?.start(options)?;
    if !attempt.is_connected() {
        wait(&attempt, Interest::WRITABLE);
    }
    attempt.finish(options)
}

fn accept(listener: &Listener, options: &Options) -> Stream {
    wait(listener, Interest::READABLE);
    match listener.accept(options) {
        Ok(Accepted::Stream(stream)) => stream,
        other => panic!("{other:?}"),
    }
}

/// Both ends of a connection.
fn pair(endpoint: &str, options: &Options) -> (Stream, Stream, Listener) {
    let listener = bind(endpoint, options).unwrap();
    let ours = connect(listener.endpoint(), options).unwrap();
    let theirs = accept(&listener, options);
    (ours, theirs, listener)
}

fn exchange(one: &Stream, other: &Stream) {
    for (from, to) in [(one, other), (other, one)] {
        assert_eq!(from.write(b"hello").unwrap(), 5);
        wait(to, Interest::READABLE);
        let mut buffer = [0; 16];
        assert_eq!(to.read(&mut buffer).unwrap(), 5);
        assert_eq!(&buffer[..5], b"hello");
        assert_eq!(to.read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

/// A new folder, removed with what is in it when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(nix::unistd::mkdtemp(&std::env::temp_dir().join("zmq-test-XXXXXX")).unwrap())
    }

    fn endpoint(&self, file: &str) -> String {
        format!("ipc://{}", self.0.join(file).display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn endpoints_are_split() {
    assert_eq!(parse_endpoint("tcp://*:5555"), Ok((Scheme::Tcp, "*:5555")));
    assert_eq!(parse_endpoint("ipc:///a://b"), Ok((Scheme::Ipc, "/a://b")));
    assert_eq!(parse_endpoint("inproc:// "), Ok((Scheme::Inproc, " ")));
    let long = format!("inproc://{}", "x".repeat(1000));
    assert!(parse_endpoint(&long).is_ok());
    for endpoint in ["", "tcp", "tcp:", "tcp:/x:1", "://", "://x", "tcp://", "inproc://"] {
        assert_eq!(parse_endpoint(endpoint), Err(Error::Invalid), "{endpoint:?}");
    }
    for endpoint in ["foo://x", "TCP://127.0.0.1:*", " tcp://127.0.0.1:*", "ws2://x", "norm://1"] {
        assert_eq!(parse_endpoint(endpoint), Err(Error::ProtocolNotSupported), "{endpoint:?}");
    }
}

#[test]
fn protocols_go_with_socket_types() {
    assert_eq!(check_protocol(Scheme::Udp, SocketType::Pub), Err(Error::IncompatibleProtocol));
    assert_eq!(check_protocol(Scheme::Udp, SocketType::Radio), Ok(()));
    assert_eq!(check_protocol(Scheme::Norm, SocketType::Req), Err(Error::IncompatibleProtocol));
    assert_eq!(check_protocol(Scheme::Epgm, SocketType::XSub), Ok(()));
    assert_eq!(check_protocol(Scheme::Tcp, SocketType::Req), Ok(()));
}

/// What the reference says to `zmq_bind`, with `ZMQ_IPV6` off and on. A `*` stands for the port that the system chose.
#[test]
fn tcp_binds() {
    use Error::{AddressNotAvailable as NotAvailable, Invalid, NoDevice};
    for (address, ipv4, with_ipv6) in [
        ("*:*", Ok("tcp://0.0.0.0:*"), Ok("tcp://[::]:*")),
        ("*:0", Ok("tcp://0.0.0.0:*"), Ok("tcp://[::]:*")),
        ("127.0.0.1:*", Ok("tcp://127.0.0.1:*"), Ok("tcp://[::ffff:127.0.0.1]:*")),
        ("lo:*", Ok("tcp://127.0.0.1:*"), Ok("tcp://[::1]:*")),
        ("[lo]:*", Ok("tcp://127.0.0.1:*"), Ok("tcp://[::1]:*")),
        ("[::1]:*", Err(NoDevice), Ok("tcp://[::1]:*")),
        ("::1:*", Err(NoDevice), Ok("tcp://[::1]:*")),
        ("[::1%lo]:*", Err(NoDevice), Ok("tcp://[::1]:*")),
        ("[::1%99]:*", Err(NoDevice), Ok("tcp://[::1]:*")),
        ("[::%1]:*", Err(NoDevice), Ok("tcp://[::]:*")),
        ("[fe80::1%lo]:*", Err(NoDevice), Err(NotAvailable)),
        ("[ff02::1]:*", Err(NoDevice), Err(Invalid)),
        ("[::127.0.0.1]:*", Err(NoDevice), Err(NotAvailable)),
        ("[2001:db8::1]:*", Err(NoDevice), Err(NotAvailable)),
        ("0.0.0.0:*", Ok("tcp://0.0.0.0:*"), Ok("tcp://[::ffff:0.0.0.0]:*")),
        ("1.2.3.4:*", Err(NotAvailable), Err(NotAvailable)),
        ("127.0.0.1:0;127.0.0.1:*", Ok("tcp://127.0.0.1:*"), Ok("tcp://[::ffff:127.0.0.1]:*")),
        ("lo:0;127.0.0.1:*", Ok("tcp://127.0.0.1:*"), Ok("tcp://[::ffff:127.0.0.1]:*")),
        ("*:*;127.0.0.1:*", Ok("tcp://127.0.0.1:*"), Ok("tcp://[::ffff:127.0.0.1]:*")),
        ("1.2.3.4:0;127.0.0.1:*", Ok("tcp://127.0.0.1:*"), Ok("tcp://[::ffff:127.0.0.1]:*")),
        ("localhost:0;127.0.0.1:*", Err(NoDevice), Err(NoDevice)),
        ("127.0.0.1;127.0.0.1:*", Err(Invalid), Err(Invalid)),
        ("127.0.0.1:x;127.0.0.1:*", Err(Invalid), Err(Invalid)),
        (";127.0.0.1:*", Err(Invalid), Err(Invalid)),
        ("127.0.0.1:*;", Err(Invalid), Err(Invalid)),
        ("127.0.0.1", Err(Invalid), Err(Invalid)),
        ("127.0.0.1:", Err(Invalid), Err(Invalid)),
        ("127.0.0.1:65536", Err(Invalid), Err(Invalid)),
        ("*", Err(Invalid), Err(Invalid)),
        ("://", Err(Invalid), Err(Invalid)),
    ] {
        for (options, expected) in [(options(), ipv4), (ipv6(), with_ipv6)] {
            let got = Listener::bind(Scheme::Tcp, address, &options).map(|listener| {
                let (host, port) = listener.endpoint().rsplit_once(':').unwrap();
                assert_ne!(port.parse::<u16>(), Ok(0));
                format!("{host}:*")
            });
            assert_eq!(got.as_deref().map_err(|error| *error), expected, "{address:?} ipv6 {}", options.ipv6);
        }
    }
}

/// What the reference says to `zmq_connect`.
#[test]
fn tcp_connects_to_whatever_looks_like_an_address() {
    for address in [
        "127.0.0.1:5555x",
        "127.0.0.1:65536",
        "127.0.0.1:99999999999",
        "127.0.0.1:0x15b3",
        "127.0.0.1:00",
        "127.0.0.1:5561:5562",
        "127.0.0.1:0;localhost:1234",
        "lo:5555;localhost:1235",
        "lo:5560",
        ":5555",
        "localhost:1234",
        "no_such_host:1",
        "[::1]:1234",
        "[::1]",
        "[fe80::1%lo]:1234",
    ] {
        let connector = Connector::new(Scheme::Tcp, address).expect(address);
        assert_eq!(connector.endpoint(), format!("tcp://{address}"));
    }
    for address in [
        "127.0.0.1:*",
        "127.0.0.1: 5556",
        "127.0.0.1:+5557",
        "127.0.0.1:-1",
        "127.0.0.1:",
        "127.0.0.1",
        "127.0.0.1:abc",
        "127.0.0.1:5555?q",
        "127.0.0.1:5555/path",
        "*:5555",
        "-a:5555",
        "in val id:1234",
        "%1:5555",
        ";127.0.0.1:5555",
        "ä:1",
    ] {
        assert_eq!(Connector::new(Scheme::Tcp, address).unwrap_err(), Error::Invalid, "{address}");
    }
}

#[test]
fn unknown_hosts_show_at_the_attempt() {
    for (address, expected) in [
        (":5555", Error::Invalid),
        ("127.0.0.1:65536", Error::Invalid),
        ("127.0.0.1:1:2", Error::Invalid),
        ("localhost:0;127.0.0.1:1234", Error::NoDevice),
        ("1.2.3.4:0;127.0.0.1:1234", Error::AddressNotAvailable),
    ] {
        let connector = Connector::new(Scheme::Tcp, address).unwrap();
        assert_eq!(connector.start(&options()).unwrap_err(), expected, "{address}");
    }
}

#[test]
fn bytes_travel_both_ways() {
    let folder = Folder::new();
    for (endpoint, options) in [
        ("tcp://127.0.0.1:*".to_owned(), options()),
        ("tcp://[::1]:*".to_owned(), ipv6()),
        ("tcp://127.0.0.1:*".to_owned(), ipv6()),
        (folder.endpoint("socket"), options()),
    ] {
        let (ours, theirs, _listener) = pair(&endpoint, &options);
        exchange(&ours, &theirs);
    }
}
