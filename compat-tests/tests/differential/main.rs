//! Our library and the reference library, each driven through the same calls in a process of its own, and compared by what is seen, line
//! by line.
//!
//! A subject is a module that has cases; a case is a script that says what it calls and what comes of it. What differs either stands in
//! `known.toml`, with the row of docs/differences.md that gives the reason, or is a failure; so is what stands there and is seen no more. A case that
//! differs is run again with more patience before it counts, as a loaded machine may be late.
//!
//! `cargo test --test differential -- [--list] [--show] [--quick] [TEXT]...` runs the cases whose name contains one of the texts; `--show` shows all that was
//! said, `--quick` is done with what differs sooner.
//! `DIFFERENTIAL_OURS=FILE` takes that library in the place of ours.

#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod api;
mod bare;
#[allow(unsafe_code)]
mod child;
mod compare;
#[allow(unsafe_code)]
mod keys;
mod relay;
#[allow(unsafe_code)]
mod script;
mod subjects;
#[allow(unsafe_code)]
mod watch;
mod zmq;

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use compare::{Hunk, Known, differences};
use script::Test;

/// Processes at a time. They wait more than they compute.
const WORKERS: usize = 20;
/// Cases that one process runs.
const PORTION: usize = 12;
/// How patient the first run is, and those of what differed.
const PATIENCE: [u32; 3] = [1, 4, 10];

/// The argument that makes this program the process with a library.
const CHILD: &str = "--child";

/// A script with its name, which begins with that of its subject.
pub struct Case {
    pub name: String,
    pub run: Box<dyn Fn(&Test) + Sync + Send>,
}

impl Case {
    pub fn new(name: impl Into<String>, run: impl Fn(&Test) + Sync + Send + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// What a case said, with its end as the last line.
type Lines = Vec<String>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.as_slice() {
        [flag, library, patience, names @ ..] if flag == CHILD => {
            let mut cases = subjects::all();
            cases.retain(|case| names.contains(&case.name));
            child::run(Path::new(library), patience.parse().unwrap_or(1), &cases).map(|()| true)
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

/// Upstream's library, which the judge builds.
fn reference_library() -> Result<PathBuf, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_compat-tests"))
        .arg("build-reference")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| e.to_string())?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        Ok(PathBuf::from(folder).join("libzmq.so.5"))
    } else {
        Err("the reference library does not build".to_owned())
    }
}

fn root() -> Result<&'static Path, String> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or_else(|| "the package has no parent folder".to_owned())
}

/// Ours, built for release.
fn our_library() -> Result<PathBuf, String> {
    if let Some(file) = std::env::var_os("DIFFERENTIAL_OURS") {
        return Ok(file.into());
    }
    let root = root()?;
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

fn drive(args: &[String]) -> Result<bool, String> {
    let texts: Vec<&String> = args.iter().filter(|arg| !arg.starts_with("--")).collect();
    let flag = |name: &str| args.iter().any(|arg| arg == name);
    let mut names: Vec<String> = subjects::all().into_iter().map(|case| case.name).collect();
    names.retain(|name| texts.is_empty() || texts.iter().any(|text| name.contains(text.as_str())));
    if flag("--list") {
        names.iter().for_each(|name| println!("{name}: test"));
        return Ok(true);
    }
    if names.is_empty() {
        // The filter was meant for another of the package's tests.
        println!("0 passed, 0 failed");
        return Ok(true);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential");
    let known = Known::read(&folder.join("known.toml"), &root()?.join("docs/differences.md"))?;
    let libraries = [reference_library()?, our_library()?];
    let start = Instant::now();

    let mut answers = HashMap::new();
    let mut left = names.clone();
    let mut retried = 0;
    for (round, patience) in PATIENCE.into_iter().take(if flag("--quick") { 2 } else { 3 }).enumerate() {
        if round > 0 {
            retried += left.len();
        }
        answers.extend(run(&libraries, patience, &left)?);
        left.retain(|name| !unknown(name, &answers[name], &known).is_empty());
        if left.is_empty() {
            break;
        }
    }
    let mut seen = vec![false; known.len()];
    for (name, answer) in &answers {
        for hunk in differences(&answer[0], &answer[1]) {
            if let Some(index) = known.iter().position(|known| known.matches(name, &hunk)) {
                seen[index] = true;
            }
        }
    }
    if flag("--show") {
        for name in &names {
            println!("== {name}, the reference\n{}", answers[name][0].join("\n"));
            println!("== {name}, ours\n{}", answers[name][1].join("\n"));
        }
    }
    let missing: Vec<&String> = names.iter().filter(|name| is_missing(&answers[*name])).collect();
    for name in &left {
        println!("FAIL {name}");
        for hunk in unknown(name, &answers[name], &known) {
            println!("   {}", hunk.after);
            hunk.reference.iter().for_each(|line| println!("-  {line}"));
            hunk.ours.iter().for_each(|line| println!("+  {line}"));
        }
    }
    let mut failed = left.len();
    if texts.is_empty() {
        for (known, _) in known.iter().zip(&seen).filter(|(known, seen)| !known.sometimes && !**seen) {
            println!("FAIL known.toml: not seen: {known:?}");
            failed += 1;
        }
    }
    if !missing.is_empty() {
        println!("{} cases need what is missing here, such as {}", missing.len(), missing[0]);
    }
    let lines: usize = answers.values().map(|answer| answer[0].len()).sum();
    println!(
        "{} cases with {lines} lines in {:.1} s; {retried} were looked at again",
        names.len(),
        start.elapsed().as_secs_f64()
    );
    println!("{} passed, {failed} failed", names.len() - left.len() - missing.len());
    Ok(failed == 0)
}

/// The differences of a case that have no reason.
fn unknown(name: &str, answer: &[Lines; 2], known: &[Known]) -> Vec<Hunk> {
    if is_missing(answer) {
        return Vec::new();
    }
    let mut hunks = differences(&answer[0], &answer[1]);
    hunks.retain(|hunk| !known.iter().any(|known| known.matches(name, hunk)));
    hunks
}

/// Whether ours lacks a type of socket or a transport that the case is about, as it may be built without.
fn is_missing(answer: &[Lines; 2]) -> bool {
    let lacks = |lines: &Lines| {
        let last = lines.iter().rev().nth(1).map(String::as_str).unwrap_or_default();
        last.starts_with("no ") && (last.ends_with(" socket: EINVAL") || last.ends_with(" in the library"))
    };
    lacks(&answer[1]) && !lacks(&answer[0])
}

/// Runs the cases on both libraries.
fn run(
    libraries: &[PathBuf; 2],
    patience: u32,
    names: &[String],
) -> Result<HashMap<String, [Lines; 2]>, String> {
    // Neighbours are of one subject and take alike long: dealt out like cards, each portion has some of each.
    let portions = names.len().div_ceil(PORTION);
    let jobs: Vec<(usize, Vec<&String>)> = (0..portions)
        .flat_map(|first| {
            [0, 1].map(|library| (library, names.iter().skip(first).step_by(portions).collect()))
        })
        .collect();
    let (next, answers) = (AtomicUsize::new(0), Mutex::new(HashMap::new()));
    let errors = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((library, names)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let done = run_portion(&libraries[*library], patience, names);
                    match (done, answers.lock(), errors.lock()) {
                        (Ok(done), Ok(mut answers), _) => {
                            for (name, lines) in done {
                                let entry: &mut [Lines; 2] = answers.entry(name).or_default();
                                entry[*library] = lines;
                            }
                        }
                        (Err(error), _, Ok(mut errors)) => errors.push(error),
                        _ => {}
                    }
                }
            });
        }
    });
    let answers = answers.into_inner().map_err(|e| e.to_string())?;
    let errors = errors.into_inner().map_err(|e| e.to_string())?;
    match (errors.first(), names.iter().find(|name| !answers.contains_key(*name))) {
        (Some(error), _) => Err(error.clone()),
        (None, Some(name)) => Err(format!("{name} was not run")),
        _ => Ok(answers),
    }
}

/// Runs cases in one process.
fn run_portion(library: &Path, patience: u32, names: &[&String]) -> Result<Vec<(String, Lines)>, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut process = Command::new(program)
        .arg(CHILD)
        .arg(library)
        .arg(patience.to_string())
        .args(names)
        .env_remove("LD_PRELOAD")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let stdout = process.stdout.take().ok_or("no output")?;
    let mut done: Vec<(String, Lines)> = Vec::new();
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if let Some(name) = line.strip_prefix(child::CASE) {
            done.push((name.to_owned(), Vec::new()));
        } else if let Some((_, lines)) = done.last_mut() {
            lines.push(line.strip_prefix(child::END).map_or(line.clone(), |end| format!("the script {end}")));
        }
    }
    let status = process.wait().map_err(|e| e.to_string())?;
    if status.success() { Ok(done) } else { Err(format!("the process of {}: {status}", names[0])) }
}
