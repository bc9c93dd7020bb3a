//! Real proxies: `microsocks` and `dante-server`, as Debian has them (`scripts/deps.sh proxies` installs them).

use crate::support::{Context, Socket};
use crate::watch::Watch;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use zmq::ffi::constants::*;

/// A proxy that runs until it is dropped.
struct Proxy {
    process: Child,
    address: String,
    folder: Option<PathBuf>,
}

impl Proxy {
    /// Starts `command`, which is told to listen at the address.
    fn start(mut command: Command, address: String, folder: Option<PathBuf>) -> Self {
        // A group of its own: one of the proxies has children.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap_or_else(|error| {
            panic!("{:?}: {error}; scripts/deps.sh proxies installs it", command.get_program())
        });
        let mut proxy = Self { process, address, folder };
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(&proxy.address).is_err() {
            assert_eq!(proxy.process.try_wait().unwrap(), None, "it has ended");
            assert!(Instant::now() < end, "it doesn't listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        proxy
    }

    fn microsocks(arguments: &[&str]) -> Self {
        let port = free_port();
        let mut command = Command::new("microsocks");
        command.args(["-i", "127.0.0.1", "-p", &port.to_string()]).args(arguments);
        Self::start(command, format!("127.0.0.1:{port}"), None)
    }

    /// `rules` are the lines of the configuration that say who may do what, and how.
    fn dante(rules: &str) -> Self {
        let port = free_port();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dante-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let configuration = folder.join("danted.conf");
        let text = format!("logoutput: /dev/null\ninternal: 127.0.0.1 port = {port}\nexternal: lo\n{rules}");
        std::fs::write(&configuration, text).unwrap();
        // Where Debian has it isn't always on the path.
        let program = ["/usr/sbin/danted", "/usr/local/sbin/danted"]
            .into_iter()
            .find(|program| Path::new(program).exists())
            .unwrap_or("danted");
        let mut command = Command::new(program);
        command.arg("-f").arg(&configuration).arg("-p").arg(folder.join("pid"));
        Self::start(command, format!("127.0.0.1:{port}"), Some(folder))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // SAFETY: a signal to the processes that this test has started.
        unsafe { libc::kill(-(self.process.id() as i32), libc::SIGTERM) };
        let end = Instant::now() + Duration::from_secs(3);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
        // SAFETY: as above. What is left of them, if anything.
        unsafe { libc::kill(-(self.process.id() as i32), libc::SIGKILL) };
        let _ = self.process.wait();
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn connecting(context: &Context, proxy: &Proxy, user: &str, password: &str) -> Socket {
    let socket = context.socket(ZMQ_DEALER);
    socket.set_bytes(ZMQ_SOCKS_PROXY, proxy.address.as_bytes()).unwrap();
    socket.set_bytes(ZMQ_SOCKS_USERNAME, user.as_bytes()).unwrap();
    socket.set_bytes(ZMQ_SOCKS_PASSWORD, password.as_bytes()).unwrap();
    socket.set(ZMQ_RECONNECT_IVL, 20).unwrap();
    socket
}

/// Messages, small and large, go both ways.
fn talk(bound: &Socket, connected: &Socket) {
    connected.send(b"there").unwrap();
    assert_eq!(bound.recv().unwrap(), b"there");
    bound.send(&[7; 60_000]).unwrap();
    assert_eq!(connected.recv().unwrap(), [7; 60_000]);
    for number in 0..500_u32 {
        connected.send(&number.to_ne_bytes()).unwrap();
    }
    for number in 0..500_u32 {
        assert_eq!(bound.recv().unwrap(), number.to_ne_bytes());
    }
}

/// By an IPv4 address, by a name that the proxy looks up, and by an IPv6 address where there are any.
fn check_targets(proxy: &Proxy, user: &str, password: &str) {
    let context = Context::new();
    for (bind, host, ipv6) in [
        ("tcp://127.0.0.1:*", "127.0.0.1", 0),
        ("tcp://127.0.0.1:*", "localhost", 0),
        ("tcp://[::1]:*", "[::1]", 1),
    ] {
        if ipv6 == 1 && TcpListener::bind("[::1]:0").is_err() {
            continue;
        }
        let bound = context.socket(ZMQ_DEALER);
        bound.set(ZMQ_IPV6, ipv6).unwrap();
        bound.bind(bind).unwrap();
        let endpoint = bound.last_endpoint();
        let port = endpoint.rsplit_once(':').unwrap().1;
        let connected = connecting(&context, proxy, user, password);
        connected.connect(&format!("tcp://{host}:{port}")).unwrap();
        talk(&bound, &connected);
    }
}

/// It is refused for as long as it tries. Monitors know nothing of a connection.
fn check_refused(proxy: &Proxy, user: &str, password: &str, target: &str) {
    let context = Context::new();
    let connected = connecting(&context, proxy, user, password);
    let watch = Watch::new(&context, &connected);
    connected.connect(target).unwrap();
    for _ in 0..3 {
        let mut event = watch.next();
        if event.event == ZMQ_EVENT_CONNECT_DELAYED {
            event = watch.next();
        }
        assert_eq!(event.event, ZMQ_EVENT_CLOSED, "{event:?}");
        watch.expect(&[ZMQ_EVENT_CONNECT_RETRIED]);
    }
}

/// An endpoint where nobody listens.
fn nowhere() -> String {
    format!("tcp://127.0.0.1:{}", free_port())
}

#[test]
fn microsocks_without_authentication() {
    let proxy = Proxy::microsocks(&[]);
    check_targets(&proxy, "", "");
    check_refused(&proxy, "", "", &nowhere());
    check_refused(&proxy, "", "", "tcp://no.such.host.invalid:1");
}

#[test]
fn microsocks_with_name_and_password() {
    let proxy = Proxy::microsocks(&["-u", "someone", "-P", "something"]);
    check_targets(&proxy, "someone", "something");
    let listens = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("tcp://{}", listens.local_addr().unwrap());
    for (user, password) in [("someone", "else"), ("somebody", "something"), ("someone", ""), ("", "")] {
        check_refused(&proxy, user, password, &target);
    }
    listens.set_nonblocking(true).unwrap();
    assert!(listens.accept().is_err(), "nobody was let through");
}

/// The target's side goes away and comes back while the proxy stays, and then the proxy goes.
#[test]
fn through_microsocks_again_and_again() {
    let context = Context::new();
    let port = free_port();
    let endpoint = format!("tcp://127.0.0.1:{port}");
    let proxy = Proxy::microsocks(&[]);
    let connected = connecting(&context, &proxy, "", "");
    let watch = Watch::new(&context, &connected);
    connected.connect(&endpoint).unwrap();
    for _ in 0..3 {
        let bound = context.socket(ZMQ_DEALER);
        bound.bind(&endpoint).unwrap();
        watch.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
        talk(&bound, &connected);
        bound.close().unwrap();
        watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    }
    let bound = context.socket(ZMQ_DEALER);
    bound.bind(&endpoint).unwrap();
    watch.wait_for(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    drop(proxy);
    watch.wait_for(ZMQ_EVENT_DISCONNECTED);
}

const NO_AUTHENTICATION: &str = "clientmethod: none\nsocksmethod: none\n\
    client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\n";

#[test]
fn dante_without_authentication() {
    let proxy = Proxy::dante(&format!(
        "{NO_AUTHENTICATION}socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\n\
         socks pass {{ from: 0.0.0.0/0 to: ::/0 }}\n"
    ));
    check_targets(&proxy, "", "");
    check_refused(&proxy, "", "", &nowhere());
}

#[test]
fn dante_with_a_rule_against_it() {
    let proxy = Proxy::dante(&format!(
        "{NO_AUTHENTICATION}socks block {{ from: 0.0.0.0/0 to: 127.0.0.2/32 }}\n\
         socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\n"
    ));
    let listens = TcpListener::bind("127.0.0.2:0").unwrap();
    check_refused(&proxy, "", "", &format!("tcp://{}", listens.local_addr().unwrap()));
    listens.set_nonblocking(true).unwrap();
    assert!(listens.accept().is_err(), "nobody was let through");
}

/// The accounts are the system's, and this test has none of them: a name and a password that aren't right are rejected,
/// and so is doing without.
#[test]
fn dante_with_authentication_by_the_system() {
    // Only root may look passwords up; without that all are wrong.
    let root = nix::unistd::geteuid().is_root();
    let users = if root { "user.privileged: root\nuser.unprivileged: nobody\n" } else { "" };
    let proxy = Proxy::dante(&format!(
        "clientmethod: none\nsocksmethod: username\n{users}\
         client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\nsocks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\n"
    ));
    let listens = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("tcp://{}", listens.local_addr().unwrap());
    for (user, password) in [("no-such-user", "x"), ("nobody", "not its password"), ("", "")] {
        check_refused(&proxy, user, password, &target);
    }
    listens.set_nonblocking(true).unwrap();
    assert!(listens.accept().is_err(), "nobody was let through");
}
