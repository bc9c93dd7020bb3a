//! Gives the shared library the soname that programs linked against libzmq look for, and makes `zmq.h` from `ffi/`.
//!
//! The header goes to `OUT_DIR`, where `tests/header_fresh.rs` compares it with the committed `include/zmq.h`.
//! `FERROZMQ_WRITE_HEADER=1 cargo build` writes the committed one.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use cbindgen::{Builder, Config};

/// The files that declare something for C, in the order in which the header shows them.
const SOURCES: &[&str] = &[
    "constants",
    "util",
    "context",
    "message",
    "socket",
    "monitor",
    "poll",
    "poller",
    "proxy",
    "timers",
    "thread",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libzmq.so.5");
    // Threads of ours may still run in the code after `dlclose`, so the mapping has to stay.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");

    // `tests/header.rs` asks cargo where a package of this platform lies.
    println!("cargo::rustc-env=FERROZMQ_TARGET={}", env::var("TARGET")?);

    println!("cargo::rerun-if-changed=cbindgen.toml");
    println!("cargo::rerun-if-changed=ffi");
    println!("cargo::rerun-if-env-changed=FERROZMQ_WRITE_HEADER");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let header = match header(&root) {
        Ok(header) => header,
        // The sources don't parse, which rustc is about to explain better.
        Err(error) => {
            println!("cargo::warning=no header could be made: {error}");
            return Ok(());
        }
    };
    fs::write(Path::new(&env::var("OUT_DIR")?).join("zmq.h"), &header)?;
    if env::var_os("FERROZMQ_WRITE_HEADER").is_some() {
        fs::write(root.join("include/zmq.h"), &header)?;
    }
    Ok(())
}

/// The text of `zmq.h`.
fn header(root: &Path) -> Result<String, Box<dyn Error>> {
    let mut builder = Builder::new().with_config(Config::from_file(root.join("cbindgen.toml"))?);
    for source in SOURCES {
        builder = builder.with_src(root.join(format!("ffi/{source}.rs")));
    }
    let mut text = Vec::new();
    builder.generate()?.write(&mut text);
    Ok(tidy(&String::from_utf8(text)?))
}

/// Sets cbindgen's text more closely: one guard for draft items that are neighbours, comments of one line on one line, constants without
/// blank lines between them, and those that are sets of bits in hexadecimal.
fn tidy(header: &str) -> String {
    let header = header.replace("#endif\n\n#if defined(ZMQ_BUILD_DRAFT_API)\n", "\n");
    let lines: Vec<&str> = header.lines().collect();
    let mut text = String::new();
    let mut at = 0;
    while at < lines.len() {
        match lines[at..] {
            [open, comment, close, ..] if open.trim() == "/*" && close.trim() == "*/" => {
                text += &format!("{open} {} */\n", comment.trim());
                at += 3;
            }
            [define, "", next, ..] if is_constant(define) && is_constant(next) => {
                text += &constant(define);
                at += 2;
            }
            [line, ..] => {
                text += &if is_constant(line) { constant(line) } else { format!("{line}\n") };
                at += 1;
            }
            [] => unreachable!("`at` is below the number of lines"),
        }
    }
    text
}

fn is_constant(line: &str) -> bool {
    line.starts_with("#define ") && line.split(' ').count() >= 3
}

fn constant(line: &str) -> String {
    let bits =
        ["#define ZMQ_EVENT_", "#define ZMQ_PROTOCOL_ERROR_"].iter().any(|prefix| line.starts_with(prefix));
    match line.rsplit_once(' ').map(|(name, value)| (name, value.parse::<u32>())) {
        Some((name, Ok(value))) if bits => format!("{name} {value:#06x}\n"),
        _ => format!("{line}\n"),
    }
}
