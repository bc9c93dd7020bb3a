//! Real sockets: loopback and files, no fixed ports.

use std::io::ErrorKind;
use std::os::fd::{AsFd, IntoRawFd};
use std::path::PathBuf;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::options::{AddressMask, ContextOptions};

fn options() -> Options {
    Options::new(SocketType::Pair, &ContextOptions::default())
}

fn ipv6() -> Options {
    Options { ipv6: true, ..options() }
}

fn bind(endpoint: &str, options: &Options) -> Result<Listener> {
    let (scheme, address) = parse_endpoint(endpoint)?;
    Listener::bind(scheme, address, options).map_err(|unopened| unopened.error)
}

fn connector(endpoint: &str) -> Result<Connector> {
    let (scheme, address) = parse_endpoint(endpoint)?;
    Connector::new(scheme, address, &options())
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
    let attempt = connector(endpoint)?.start(options).map_err(|unopened| unopened.error)?;
    if !attempt.is_connected() {
        wait(&attempt, Interest::WRITABLE);
    }
    match attempt.finish(options)? {
        Reached::Target(stream) => Ok(stream),
        Reached::Proxy(tunnel) => panic!("{tunnel:?}"),
    }
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

/// The endpoint of a file in a folder.
fn ipc(folder: &TempDir, file: &str) -> String {
    format!("ipc://{}", folder.path().join(file).display())
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
    for endpoint in ["foo://x", "TCP://127.0.0.1:*", " tcp://127.0.0.1:*", "ws2://x"] {
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
            assert_eq!(
                got.as_deref().map_err(|unopened| unopened.error),
                expected,
                "{address:?} ipv6 {}",
                options.ipv6
            );
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
        let connector = Connector::new(Scheme::Tcp, address, &options()).expect(address);
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
        assert_eq!(
            Connector::new(Scheme::Tcp, address, &options()).unwrap_err(),
            Error::Invalid,
            "{address}"
        );
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
        let connector = Connector::new(Scheme::Tcp, address, &options()).unwrap();
        assert_eq!(connector.start(&options()).unwrap_err().error, expected, "{address}");
    }
}

#[test]
fn bytes_travel_both_ways() {
    let folder = tempdir().unwrap();
    for (endpoint, options) in [
        ("tcp://127.0.0.1:*".to_owned(), options()),
        ("tcp://[::1]:*".to_owned(), ipv6()),
        ("tcp://127.0.0.1:*".to_owned(), ipv6()),
        (ipc(&folder, "socket"), options()),
    ] {
        let (ours, theirs, _listener) = pair(&endpoint, &options);
        exchange(&ours, &theirs);
    }
}

#[test]
fn ends_have_names() {
    let pid = std::process::id();
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    for (options, host) in [(options(), "127.0.0.1"), (ipv6(), "::ffff:127.0.0.1")] {
        let (ours, theirs, listener) = pair("tcp://127.0.0.1:*", &options);
        assert_eq!(ours.remote_endpoint(), listener.endpoint());
        assert_eq!(theirs.local_endpoint(), listener.endpoint());
        assert_eq!(ours.local_endpoint(), theirs.remote_endpoint());
        assert_eq!((ours.peer_address().as_str(), theirs.peer_address().as_str()), (host, host));
    }
    let folder = tempdir().unwrap();
    let abstract_name = format!("ipc://@{}", folder.path().display());
    for endpoint in [ipc(&folder, "socket"), abstract_name] {
        let (ours, theirs, listener) = pair(&endpoint, &options());
        assert_eq!(listener.endpoint(), endpoint);
        assert_eq!(ours.remote_endpoint(), endpoint);
        assert_eq!(theirs.local_endpoint(), endpoint);
        assert_eq!(ours.local_endpoint(), "ipc://");
        assert_eq!(theirs.remote_endpoint(), "ipc://");
        assert_eq!(theirs.peer_address(), format!("localhost:{uid}:{gid}:{pid}"));
    }
}

#[test]
fn a_peer_that_has_gone_keeps_its_name() {
    let listener = bind("tcp://127.0.0.1:*", &options()).unwrap();
    let address = listener.endpoint().strip_prefix("tcp://").unwrap();
    let gone = std::net::TcpStream::connect(address).unwrap();
    let name = gone.local_addr().unwrap();
    let here = connect(listener.endpoint(), &options()).unwrap();
    // A reset: `getpeername` says `ENOTCONN` afterwards, though what was sent before can still be read.
    socket2::SockRef::from(&gone).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(gone);
    let theirs = accept(&listener, &options());
    assert_eq!(
        (theirs.peer_address(), theirs.remote_endpoint()),
        ("127.0.0.1".to_owned(), format!("tcp://{name}"))
    );
    let there = accept(&listener, &options());
    socket2::SockRef::from(&here).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    let endpoint = here.local_endpoint();
    drop(here);
    assert_eq!((there.peer_address(), there.remote_endpoint()), ("127.0.0.1".to_owned(), endpoint));
}

#[test]
fn a_tcp_address_is_bound_once() {
    let listener = bind("tcp://127.0.0.1:*", &options()).unwrap();
    let endpoint = listener.endpoint().to_owned();
    assert_eq!(bind(&endpoint, &options()).unwrap_err(), Error::AddressInUse);
    // Connections that linger on the port don't keep it.
    let ours = connect(&endpoint, &options()).unwrap();
    let theirs = accept(&listener, &options());
    listener.close().unwrap();
    drop(theirs);
    let again = bind(&endpoint, &options()).unwrap();
    drop(ours);
    assert_eq!(again.endpoint(), endpoint);
}

/// On an address of its own, so that no other test gets the port meanwhile.
#[test]
fn nobody_listens() {
    let listener = bind("tcp://127.0.0.77:*", &options()).unwrap();
    let endpoint = listener.endpoint().to_owned();
    listener.close().unwrap();
    assert_eq!(connect(&endpoint, &options()).unwrap_err(), Error::ConnectionRefused);

    let folder = tempdir().unwrap();
    let endpoint = ipc(&folder, "socket");
    assert_eq!(connect(&endpoint, &options()).unwrap_err(), Error::NotFound);
    bind(&endpoint, &options()).unwrap().close().unwrap();
    assert_eq!(connect(&endpoint, &options()).unwrap_err(), Error::ConnectionRefused);
}

#[test]
fn nothing_waits() {
    let listener = bind("tcp://127.0.0.1:*", &options()).unwrap();
    assert!(matches!(listener.accept(&options()), Ok(Accepted::WouldBlock)));
}

#[test]
fn a_connection_comes_from_its_source_address() {
    let listener = bind("tcp://127.0.0.1:*", &options()).unwrap();
    let address = listener.endpoint().strip_prefix("tcp://").unwrap();
    let ours = connect(&format!("tcp://127.0.0.2:0;{address}"), &options()).unwrap();
    assert_eq!(accept(&listener, &options()).peer_address(), "127.0.0.2");
    // The port can be used again, for another server.
    let source = ours.local_endpoint();
    let source = source.strip_prefix("tcp://").unwrap();
    let other = bind("tcp://127.0.0.1:*", &options()).unwrap();
    let address = other.endpoint().strip_prefix("tcp://").unwrap();
    let second = connect(&format!("tcp://{source};{address}"), &options()).unwrap();
    assert_eq!(second.local_endpoint(), ours.local_endpoint());
}

/// What the reference says to `zmq_bind` and `zmq_connect`.
#[test]
fn ipc_addresses() {
    let folder = tempdir().unwrap();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    let inside = folder.path().to_str().unwrap().len() + 1;
    let longest = ipc(&folder, &"x".repeat(107 - inside));
    let too_long = ipc(&folder, &"x".repeat(108 - inside));
    let abstract_name = format!("ipc://@{}", folder.path().display());
    for (endpoint, bound, connectable) in [
        (&ipc(&folder, "a b:c"), Ok(()), true),
        (&ipc(&folder, "nosuch/x"), Err(Error::NotFound), true),
        (&ipc(&folder, "folder"), Err(Error::AddressInUse), true),
        (&"ipc://.".to_owned(), Err(Error::AddressInUse), true),
        (&"ipc:///".to_owned(), Err(Error::AddressInUse), true),
        (&abstract_name, Ok(()), true),
        (&"ipc://@".to_owned(), Err(Error::Invalid), false),
        (&longest, Ok(()), true),
        (&too_long, Err(Error::NameTooLong), false),
    ] {
        assert_eq!(bind(endpoint, &options()).map(|_| ()), bound, "{endpoint}");
        let connector = connector(endpoint);
        assert_eq!(
            connector.as_ref().map(Connector::endpoint).ok(),
            connectable.then_some(endpoint.as_str())
        );
    }
}

#[test]
fn an_ipc_path_is_taken_over_and_an_abstract_name_is_not() {
    let folder = tempdir().unwrap();
    let endpoint = ipc(&folder, "socket");
    std::fs::write(folder.path().join("socket"), "not even a socket").unwrap();
    let first = bind(&endpoint, &options()).unwrap();
    let second = bind(&endpoint, &options()).unwrap();
    let _ours = connect(&endpoint, &options()).unwrap();
    accept(&second, &options());
    assert!(matches!(first.accept(&options()), Ok(Accepted::WouldBlock)));
    // The first must not remove what is the second's now; and the file of a path stays anyway.
    first.close().unwrap();
    connect(&endpoint, &options()).unwrap();
    second.close().unwrap();
    assert!(folder.path().join("socket").exists());

    let endpoint = format!("ipc://@{}", folder.path().display());
    let _first = bind(&endpoint, &options()).unwrap();
    assert_eq!(bind(&endpoint, &options()).unwrap_err(), Error::AddressInUse);
}

#[test]
fn an_ipc_wildcard_makes_a_folder_and_removes_it() {
    for endpoint in ["ipc://*", "ipc://*x"] {
        let (ours, theirs, listener) = pair(endpoint, &options());
        exchange(&ours, &theirs);
        let path = PathBuf::from(listener.endpoint().strip_prefix("ipc://").unwrap());
        assert_eq!(path.file_name().unwrap(), "socket");
        let folder = path.parent().unwrap().to_owned();
        assert!(folder.file_name().unwrap().to_str().unwrap().starts_with("tmp"));
        assert!(folder.is_dir());
        if endpoint == "ipc://*" {
            listener.close().unwrap();
        } else {
            drop(listener);
        }
        assert!(!folder.exists());
    }
    let listener = bind("ipc://*", &options()).unwrap();
    std::fs::remove_file(listener.endpoint().strip_prefix("ipc://").unwrap()).unwrap();
    assert_eq!(listener.close(), Err(Error::NotFound));
}

#[test]
fn tcp_accept_filters() {
    for (filters, ipv6, admitted) in [
        (&["10.0.0.0/8"][..], false, false),
        (&["10.0.0.0/8", "127.0.0.0/8"], false, true),
        (&["127.0.0.1"], true, true),
        (&["::1"], true, false),
    ] {
        let masks = filters.iter().map(|filter| AddressMask::parse(filter.as_bytes(), ipv6).unwrap());
        let options = Options { tcp_accept_filters: masks.collect(), ipv6, ..options() };
        let listener = bind("tcp://127.0.0.1:*", &options).unwrap();
        let _ours = connect(listener.endpoint(), &options).unwrap();
        wait(&listener, Interest::READABLE);
        let accepted = listener.accept(&options).unwrap();
        assert_eq!(matches!(accepted, Accepted::Stream(_)), admitted, "{filters:?}");
        assert_eq!(matches!(accepted, Accepted::Filtered), !admitted, "{filters:?}");
    }
}

#[test]
fn ipc_accept_filters() {
    let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
    let pid = std::process::id() as i32;
    let with = |uids: &[u32], gids: &[u32], pids: &[i32]| Options {
        ipc_filter_uid: uids.iter().copied().collect(),
        ipc_filter_gid: gids.iter().copied().collect(),
        ipc_filter_pid: pids.iter().copied().collect(),
        ..options()
    };
    for (options, admitted) in [
        (with(&[uid], &[], &[]), true),
        (with(&[uid + 1], &[], &[]), false),
        (with(&[], &[gid], &[]), true),
        (with(&[], &[gid + 54321], &[]), false),
        (with(&[], &[], &[pid]), true),
        (with(&[], &[], &[pid + 1]), false),
        (with(&[uid + 1], &[], &[pid]), true),
    ] {
        let listener = bind("ipc://*", &options).unwrap();
        let _ours = connect(listener.endpoint(), &options).unwrap();
        wait(&listener, Interest::READABLE);
        let accepted = listener.accept(&options).unwrap();
        assert_eq!(matches!(accepted, Accepted::Stream(_)), admitted);
    }
}

#[test]
fn a_listening_socket_can_be_handed_over() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("socket");
    let tcp = std::net::TcpListener::bind("127.0.0.78:0").unwrap();
    let tcp_endpoint = format!("tcp://{}", tcp.local_addr().unwrap());
    let ipc = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let ipc_endpoint = super::tests::ipc(&folder, "socket");
    // The address given is not used, as long as it is valid.
    for (descriptor, given, endpoint) in [
        (tcp.into_raw_fd(), "tcp://ignored", tcp_endpoint),
        (ipc.into_raw_fd(), "ipc://ignored", ipc_endpoint),
    ] {
        let options = Options { use_fd: descriptor, ..options() };
        let listener = bind(given, &options).unwrap();
        assert_eq!(listener.endpoint(), endpoint);
        assert_eq!(bind(given, &options).unwrap_err(), Error::AddressInUse);
        let ours = connect(&endpoint, &options).unwrap();
        exchange(&ours, &accept(&listener, &options));
        listener.close().unwrap();
        // A child that another test has forked may keep it open for a moment.
        let refused = (0..1000).find_map(|_| {
            let outcome = connect(&endpoint, &options);
            outcome.err().or_else(|| {
                std::thread::sleep(std::time::Duration::from_millis(1));
                None
            })
        });
        assert_eq!(refused, Some(Error::ConnectionRefused));
    }
    assert!(path.exists());
}

#[test]
fn options_reach_the_sockets() {
    let options = Options {
        tos: 0x28,
        priority: 3,
        sndbuf: 20_000,
        rcvbuf: 30_000,
        tcp_keepalive: 1,
        tcp_keepalive_cnt: 3,
        tcp_keepalive_idle: 60,
        tcp_keepalive_intvl: 7,
        tcp_maxrt: 1234,
        ..options()
    };
    for options in [options.clone(), Options { ipv6: true, ..options }] {
        let (ours, theirs, _listener) = pair("tcp://127.0.0.1:*", &options);
        for stream in [&ours, &theirs] {
            let socket = SockRef::from(stream);
            assert!(socket.tcp_nodelay().unwrap() && socket.nonblocking().unwrap());
            assert_eq!(socket.tos_v4().unwrap(), 0x28);
            if options.ipv6 {
                assert_eq!(socket.tclass_v6().unwrap(), 0x28);
            }
            assert_eq!(socket.priority().unwrap(), 3);
            // The kernel keeps as much again for its own bookkeeping (man page socket(7)).
            assert_eq!(socket.send_buffer_size().unwrap(), 40_000);
            assert_eq!(socket.recv_buffer_size().unwrap(), 60_000);
            assert!(socket.keepalive().unwrap());
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
            assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(7));
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_millis(1234)));
        }
    }
}

#[test]
fn a_device_has_to_exist() {
    let options = Options { bindtodevice: b"nosuchdev".to_vec(), ..options() };
    assert_eq!(bind("tcp://127.0.0.1:*", &options).unwrap_err(), Error::NoDevice);
}

/// What the reference's `zmq_unbind` and `zmq_disconnect` find, with `ZMQ_IPV6` off and on.
#[test]
fn endpoints_are_found_by_what_they_resolve_to() {
    let tcp4 = "tcp://127.0.0.1:5999";
    let mapped = "tcp://[::ffff:127.0.0.1]:5999";
    for (known, asked, ipv4, ipv6) in [
        (tcp4, "127.0.0.1:5999", true, true),
        (tcp4, "127.0.0.1:5999x", true, false),
        (tcp4, "127.1:5999", true, false),
        (tcp4, "localhost:5999", true, false),
        (tcp4, "[::ffff:127.0.0.1]:5999", true, false),
        (tcp4, "*:5999", false, false),
        (mapped, "127.0.0.1:5999", false, true),
        (mapped, "[::ffff:127.0.0.1]:5999", true, true),
        ("tcp://0.0.0.0:5999", "0:5999", true, false),
        ("tcp://0.0.0.0:5999", "*:5999", false, false),
        ("tcp://[::]:5999", "[::]:5999", true, true),
        ("tcp://[::]:5999", "*:5999", false, false),
        ("tcp://[::1]:5999", "::1:5999", false, true),
        ("tcp://localhost:5999", "127.0.0.1:5999", false, false),
        ("tcp://127.0.0.1:0;127.0.0.1:5999", "127.0.0.1:0;127.0.0.1:5999", true, true),
        ("tcp://127.0.0.1:0;127.0.0.1:5999", "127.0.0.1:5999", false, false),
    ] {
        for (with_ipv6, found) in [(false, ipv4), (true, ipv6)] {
            let options = Options { ipv6: with_ipv6, ..options() };
            let endpoint = format!("tcp://{asked}");
            let got = find_endpoint(Scheme::Tcp, &endpoint, asked, &options, |name| name == known);
            let expected = if found { Ok(known.to_owned()) } else { Err(Error::NotFound) };
            assert_eq!(got, expected, "{asked} among {known}, ipv6 {with_ipv6}");
        }
    }
    let got = find_endpoint(Scheme::Ipc, "ipc://./a", "./a", &options(), |name| name == "ipc://a");
    assert_eq!(got, Err(Error::NotFound));
}

#[test]
fn a_closed_peer_is_an_error() {
    let (ours, theirs, _listener) = pair("ipc://*", &options());
    drop(theirs);
    assert_eq!(ours.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(
        ours.write_vectored(&[std::io::IoSlice::new(b"x")]).unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    assert_eq!(ours.read(&mut [0; 8]).unwrap(), 0);
}
