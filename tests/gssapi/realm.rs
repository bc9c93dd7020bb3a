//! A realm of our own: a KDC on the loopback interface, principals, key tables, and caches of tickets.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The name of the realm.
pub const REALM: &str = "REALM.TEST";
/// The service that the tests' server is.
pub const SERVICE: &str = "zmq@localhost";
/// Its principal.
pub const SERVICE_PRINCIPAL: &str = "zmq/localhost@REALM.TEST";
/// Two users, both with a ticket.
pub const ALICE: &str = "alice@REALM.TEST";
/// See [`ALICE`].
pub const BOB: &str = "bob@REALM.TEST";

/// Runs until it is dropped.
pub struct Realm {
    folder: PathBuf,
    kdc: Option<Child>,
    /// When alice got a ticket for a second.
    short: Option<Instant>,
}

impl Realm {
    /// Makes the realm, and starts its KDC.
    pub fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("realm-{}", std::process::id()));
        fs::create_dir_all(folder.join("tickets")).expect("a folder");
        let mut realm = Self { folder, kdc: None, short: None };
        let port = free_port();
        realm.write("krb5.conf", &client_configuration(port));
        let folder = realm.folder.display();
        let server = format!(
            "[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n[realms]\n \
             {REALM} = {{\n  database_name = {folder}/database\n  key_stash_file = {folder}/stash\n  acl_file = {folder}/acl\n }}\n"
        );
        realm.write("kdc.conf", &server);
        realm.run("kdb5_util", &["create", "-s", "-r", REALM, "-P", "master"]);
        for principal in ["alice", "bob", "zmq/localhost", "other/localhost", "stale/localhost"] {
            realm.kadmin(&format!("addprinc -randkey {principal}"));
        }
        for (table, principals) in [
            ("service", "zmq/localhost"),
            ("both", "zmq/localhost other/localhost"),
            ("other", "other/localhost"),
            ("stale", "stale/localhost"),
            ("alice", "alice"),
            ("bob", "bob"),
        ] {
            realm.kadmin(&format!("ktadd -norandkey -k {folder}/{table}.keytab {principals}"));
        }
        realm.kadmin("cpw -randkey stale/localhost");
        realm.start_kdc(port);
        for user in ["bob", "alice"] {
            realm.ticket(user, &realm.tickets(), "1h");
        }
        realm.ticket("alice", &realm.cache("alice"), "1h");
        realm.ticket("alice", &realm.cache("short"), "1s");
        realm.short = Some(Instant::now());
        realm
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).expect("a file");
    }

    fn start_kdc(&mut self, port: u16) {
        let mut command = self.command("krb5kdc");
        command.arg("-n").arg("-P").arg(self.folder.join("pid"));
        self.kdc = Some(command.spawn().expect("scripts/deps.sh kerberos installs it"));
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "the KDC doesn't listen");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// One of the KDC's programs, or its clients'. Where Debian has them isn't always on the path.
    fn command(&self, program: &str) -> Command {
        let path = ["/usr/sbin", "/usr/bin"].map(|folder| Path::new(folder).join(program));
        let path = path.into_iter().find(|path| path.exists()).unwrap_or(program.into());
        let mut command = Command::new(path);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        self.enter(&mut command);
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = self.command(program);
        command.args(arguments);
        finish(program, command);
    }

    fn kadmin(&self, query: &str) {
        self.run("kadmin.local", &["-r", REALM, "-q", query]);
    }

    /// Gets a ticket by the user's key.
    fn ticket(&self, user: &str, cache: &str, lifetime: &str) {
        let table = self.folder.join(format!("{user}.keytab"));
        let table = table.to_str().expect("text");
        let mut command = self.command("kinit");
        command.args(["-k", "-t", table, "-l", lifetime, user]).env("KRB5CCNAME", cache);
        finish("kinit", command);
    }

    /// Sets the environment of a process that belongs to the realm: a service with its key, and somebody who has tickets as alice, above all, and as bob.
    pub fn enter(&self, command: &mut Command) {
        command
            .env("KRB5_CONFIG", self.folder.join("krb5.conf"))
            .env("KRB5_KDC_PROFILE", self.folder.join("kdc.conf"))
            .env("KRB5_KTNAME", self.keys("service"))
            .env("KRB5_CLIENT_KTNAME", self.folder.join("none.keytab"))
            .env("KRB5CCNAME", self.tickets())
            .env("KRB5RCACHENAME", format!("file2:{}/replays", self.folder.display()));
    }

    /// The same, as the beginning of a command.
    pub fn environment(&self) -> Vec<OsString> {
        let mut command = Command::new("env");
        self.enter(&mut command);
        let assign = |(name, value): (&OsStr, Option<&OsStr>)| {
            [name, OsStr::new("="), value.unwrap_or_default()].join("".as_ref())
        };
        std::iter::once("env".into()).chain(command.get_envs().map(assign)).collect()
    }

    /// A key table.
    pub fn keys(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.keytab"))
    }

    /// A cache of one ticket.
    pub fn cache(&self, name: &str) -> String {
        format!("FILE:{}/{name}", self.folder.display())
    }

    /// A cache whose ticket has expired. This waits until it has, and a second more, by which clocks may differ.
    pub fn expired(&self) -> String {
        const LIFE: Duration = Duration::from_millis(2500);
        if let Some(short) = self.short {
            std::thread::sleep(LIFE.saturating_sub(short.elapsed()));
        }
        self.cache("short")
    }

    /// The caches of both users.
    fn tickets(&self) -> String {
        format!("DIR:{}/tickets", self.folder.display())
    }

    /// A configuration whose KDC is at another port.
    pub fn configuration_with(&self, port: u16) -> PathBuf {
        let name = format!("krb5-{port}.conf");
        self.write(&name, &client_configuration(port));
        self.folder.join(name)
    }

    /// A folder in which the library is one that can't be loaded.
    pub fn folder_without_library(&self) -> PathBuf {
        let folder = self.folder.join("nothing");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("libgssapi_krb5.so.2"), "").expect("a file");
        folder
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        if let Some(kdc) = &mut self.kdc {
            let _ = kdc.kill();
            let _ = kdc.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs a program to its end.
fn finish(program: &str, mut command: Command) {
    let output = command.output();
    let output =
        output.unwrap_or_else(|error| panic!("{program}: {error}; scripts/deps.sh kerberos installs it"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// No name server is asked, and clocks may differ by a second.
fn client_configuration(port: u16) -> String {
    format!(
        "[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n \
         dns_canonicalize_hostname = false\n rdns = false\n clockskew = 1\n[realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n\
         [domain_realm]\n localhost = {REALM}\n"
    )
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}
