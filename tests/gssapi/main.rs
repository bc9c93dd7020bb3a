//! GSSAPI (RFC 38) through the C ABI, with a real KDC: `krb5kdc`, as Debian has it (`scripts/deps.sh kerberos` installs it), on the
//! loopback interface, with its own configuration, key tables and caches.
//!
//! The environment says to the system's library who somebody is, and that can't be changed in a program with threads. So each case runs in a process of
//! its own, this very program; without that argument, it starts the KDC and then one case after the other.

mod absence;
mod hostile;
mod middle;
mod realm;
#[path = "../sockets/support.rs"]
mod support;
mod tickets;
mod traffic;
#[path = "../sessions/watch.rs"]
mod watch;
#[allow(dead_code)]
#[path = "../bad_input/wire.rs"]
mod wire;
mod world;
mod zap;

use realm::Realm;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// A case: its name, what it needs of the environment, and what it does.
pub type Case = (&'static str, fn(&Realm, &mut Command), fn());

/// The argument that is followed by the one case to run.
const CASE: &str = "--case";
/// A case that takes longer is stuck.
const LIMIT: Duration = Duration::from_secs(60);

fn cases() -> Vec<Case> {
    [traffic::CASES, tickets::CASES, zap::CASES, hostile::CASES, absence::CASES].concat()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [CASE, name] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        let case = cases().into_iter().find(|(case, ..)| *case == name).expect("a case of this name");
        case.2();
        return ExitCode::SUCCESS;
    }
    let (filters, skipped) = selection(&arguments);
    let wanted = |name: &str| {
        let named = |filters: &[&str]| filters.iter().any(|filter| name.contains(filter));
        (filters.is_empty() || named(&filters)) && !named(&skipped)
    };
    let cases: Vec<Case> = cases().into_iter().filter(|(name, ..)| wanted(name)).collect();
    if cases.is_empty() {
        println!("test result: ok. 0 passed; 0 failed");
        return ExitCode::SUCCESS;
    }
    let realm = Realm::new();
    let failed = cases.iter().filter(|case| !passes(&realm, case)).count();
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {} passed; {failed} failed", cases.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Of the arguments that other test programs know: what names of cases may contain, and what they mustn't.
fn selection(arguments: &[String]) -> (Vec<&str>, Vec<&str>) {
    let (mut filters, mut skipped) = (Vec::new(), Vec::new());
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        match argument {
            "--skip" => skipped.extend(arguments.next()),
            _ if argument.starts_with('-') => {}
            _ => filters.push(argument),
        }
    }
    (filters, skipped)
}

fn passes(realm: &Realm, (name, environment, _): &Case) -> bool {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.args([CASE, name]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    realm.enter(&mut command);
    environment(realm, &mut command);
    let mut child = command.spawn().expect("this program can be started");
    let end = Instant::now() + LIMIT;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > end {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().expect("it has ended");
    let verdict = if output.status.success() { "ok" } else { "FAILED" };
    println!("test {name} ... {verdict}");
    if !output.status.success() {
        println!("{}", output.status);
        println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}
