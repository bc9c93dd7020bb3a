//! Our library and the reference library in two processes, talking to each other: every pair of socket types, either library on either
//! side, tcp, ipc, ws and wss, each mechanism, all sizes, and again after either side was killed.
//! And our library with programs that have another one: pyzmq with the libzmq that it brings, JeroMQ, and the crate zeromq.
//!
//! `cargo test --test interop -- [--list] [TEXT]...` runs the scenarios whose name contains one of the texts. `INTEROP_OURS=FILE` takes that library in the place of ours.

#![deny(unsafe_code)]

#[allow(unsafe_code)]
#[path = "../../src/api.rs"]
mod api; // which the judge has, too
mod authenticator;
mod control;
mod datagrams;
mod frame;
mod partner;
#[allow(unsafe_code)]
mod peer;
#[allow(dead_code)] // some of it is for our own tests only
#[path = "../../../tests/gssapi/realm.rs"]
mod realm; // which our own tests of GSSAPI have, too
mod scenario;
mod security;
mod tls;
mod wire;
mod zmq_rs;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use control::{Control, Failure, PEER, Step};
use partner::{Partner, library_peer};
use realm::Realm;
use scenario::Scenario;
use tls::Certificates;

/// Scenarios at a time. They wait for each other's processes more than they compute.
const WORKERS: usize = 3;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.as_slice() {
        [flag, library] if flag == PEER => peer::run(Path::new(library)).map(|()| true),
        [flag] if flag == partner::ZMQ_RS => zmq_rs::run().map(|()| true),
        _ => drive(&args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

/// Ours, built for release.
fn our_library() -> Result<PathBuf, String> {
    if let Some(file) = std::env::var_os("INTEROP_OURS") {
        return Ok(file.into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the package has no parent folder")?;
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--quiet", "--lib", "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .env_remove("CARGO_TARGET_DIR")
        .status()
        .map_err(|e| format!("cargo build: {e}"))?;
    if !status.success() {
        return Err("the library does not build".to_owned());
    }
    Ok(root.join("target/release/libzmq.so"))
}

struct Driver {
    ours: Vec<OsString>,
    partners: BTreeMap<Partner, Vec<OsString>>,
    certificates: Certificates,
    scenarios: Vec<Scenario>,
    next: AtomicUsize,
    failures: Mutex<Vec<String>>,
    folder: PathBuf,
}

fn drive(args: &[String]) -> Result<bool, String> {
    let texts: Vec<&String> = args.iter().filter(|arg| !arg.starts_with("--")).collect();
    let mut scenarios = Scenario::all();
    scenarios.retain(|s| texts.is_empty() || texts.iter().any(|text| s.name().contains(text.as_str())));
    if args.iter().any(|arg| arg == "--list") {
        scenarios.iter().for_each(|scenario| println!("{}: test", scenario.name()));
        return Ok(true);
    }
    if scenarios.is_empty() {
        // The filter was meant for another of the package's tests.
        println!("0 passed, 0 failed");
        return Ok(true);
    }
    let ours = library_peer(&our_library()?)?;
    let mut partners = BTreeMap::new();
    for scenario in &scenarios {
        if let Entry::Vacant(place) = partners.entry(scenario.partner) {
            place.insert(scenario.partner.prepare()?);
        }
    }
    let realm = scenarios.iter().any(|scenario| scenario.mechanism.wants_realm()).then(Realm::new);
    let in_realm = |command: Vec<OsString>| match &realm {
        Some(realm) => [realm.environment(), command].concat(),
        None => command,
    };
    let ours = in_realm(ours);
    let partners = partners.into_iter().map(|(partner, command)| (partner, in_realm(command))).collect();
    let total = scenarios.len();
    let driver = Driver {
        ours,
        partners,
        certificates: Certificates::new()?,
        scenarios,
        next: AtomicUsize::new(0),
        failures: Mutex::default(),
        folder: std::env::temp_dir().join(format!("interop-{}", std::process::id())),
    };
    let start = Instant::now();
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let driver = &driver;
            scope.spawn(move || driver.work(worker));
        }
    });
    // Sockets of processes that were killed lie about in it.
    let _ = std::fs::remove_dir_all(&driver.folder);
    let failures = driver.failures.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    for failure in &failures {
        println!("FAIL {failure}");
    }
    println!("{total} scenarios in {:.1} s", start.elapsed().as_secs_f64());
    println!("{} passed, {} failed", total - failures.len(), failures.len());
    Ok(failures.is_empty())
}

impl Driver {
    fn start(&self, partner: Partner) -> Step<(Control, Control)> {
        let command = self.partners.get(&partner).map(Vec::as_slice).unwrap_or_default();
        Ok((Control::start("ours", &self.ours)?, Control::start(partner.name(), command)?))
    }

    fn fail(&self, failure: String) {
        self.failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(failure);
    }

    fn work(&self, worker: usize) {
        let folder = self.folder.join(worker.to_string());
        if let Err(error) = std::fs::create_dir_all(&folder) {
            return self.fail(format!("{}: {error}", folder.display()));
        }
        let mut running = BTreeMap::new();
        while let Some(scenario) = self.scenarios.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(failure) = self.run(scenario, &mut running, &folder) {
                self.fail(format!("{}: {failure}", scenario.name()));
                running.remove(&scenario.partner); // whatever state they are in
            }
        }
        // Contexts that have seen all this still end, and their processes in good order.
        for (ours, other) in running.values_mut() {
            if let Err(failure) = ours.finish().and_then(|()| other.finish()) {
                self.fail(format!("the end: {failure}"));
            }
        }
    }

    fn run(
        &self,
        scenario: &Scenario,
        running: &mut BTreeMap<Partner, (Control, Control)>,
        folder: &Path,
    ) -> Result<(), Failure> {
        let (ours, other) = match running.entry(scenario.partner) {
            Entry::Occupied(peers) => peers.into_mut(),
            Entry::Vacant(place) => place.insert(self.start(scenario.partner)?),
        };
        scenario.run(ours, other, folder, &self.certificates)
    }
}
