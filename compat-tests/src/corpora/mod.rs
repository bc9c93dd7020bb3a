//! Inputs for upstream's twelve fuzz programs, which replay the files of a folder and skip themselves where there is none.
//!
//! `corpora/recorded/` holds what sockets of upstream's library have said to each other (`record-corpora` writes it: one file for each direction).
//! From these, from what `seeds` has by hand, and from mutations of both, each program's corpus is made in the work folder before a run. It is
//! the same on every machine.

mod mutate;
mod record;
mod seeds;

use std::fs;
use std::path::{Path, PathBuf};

use crate::api::Api;
use crate::vendor::{list, package_dir, work_dir};
use mutate::{Random, mutate};

/// Inputs for a program that waits half a second at each, and sets itself an alarm of a minute.
const PATIENT: usize = 40;
/// Inputs for a program that only calls functions.
const QUICK: usize = 400;

/// What a program makes of its input.
enum Food {
    /// What the connecting side sends, by the names of recordings, and some things by hand.
    FromClient(&'static [&'static str]),
    /// What the bound side sends.
    FromServer(&'static [&'static str]),
    /// Text or values that calls are made with.
    Values(&'static [&'static [u8]]),
}

const NULL: &[&str] = &["pub-sub", "xpub-xsub", "heartbeat", "router-dealer", "plain", "curve-pub-sub"];
const CURVE: &[&str] = &["curve-dealer", "curve-pub-sub", "plain", "router-dealer"];
const STREAM: &[&str] = &["pub-sub", "router-dealer", "ws-dealer"];
const WS: &[&str] = &["ws-dealer", "ws-push-pull", "ws-plain", "ws-heartbeat"];

const PROGRAMS: [(&str, Food); 12] = [
    ("test_bind_curve_fuzzer", Food::FromClient(CURVE)),
    ("test_bind_fuzzer", Food::Values(seeds::ENDPOINTS)),
    ("test_bind_null_fuzzer", Food::FromClient(NULL)),
    ("test_bind_stream_fuzzer", Food::FromClient(STREAM)),
    ("test_bind_ws_fuzzer", Food::FromClient(WS)),
    ("test_connect_curve_fuzzer", Food::FromServer(CURVE)),
    ("test_connect_fuzzer", Food::Values(seeds::ENDPOINTS)),
    ("test_connect_null_fuzzer", Food::FromServer(NULL)),
    ("test_connect_stream_fuzzer", Food::FromServer(STREAM)),
    ("test_connect_ws_fuzzer", Food::FromServer(WS)),
    ("test_socket_options_fuzzer", Food::Values(seeds::OPTION_VALUES)),
    ("test_z85_decode_fuzzer", Food::Values(seeds::Z85)),
];

/// The name of the folder that a program looks for.
pub fn sought_by(program: &str) -> String {
    // That is what stands in its source; it was copied from the other one.
    let name = if program == "test_connect_stream_fuzzer" { "test_connect_null_fuzzer" } else { program };
    format!("{name}_seed_corpus")
}

fn recorded_dir() -> PathBuf {
    package_dir().join("corpora/recorded")
}

/// Makes all the corpora, and returns the folder that holds one folder for each program.
pub fn make() -> Result<PathBuf, String> {
    let root = work_dir().join("corpora");
    for (program, food) in &PROGRAMS {
        let folder = root.join(program);
        let inputs = inputs(program, food)?;
        write_all(&folder, &inputs).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    Ok(root)
}

/// Writes the inputs, and removes what else there is. A folder is what a program replays, so it must hold nothing else.
fn write_all(folder: &Path, inputs: &[(String, Vec<u8>)]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !inputs.iter().any(|(name, _)| entry.file_name() == name.as_str()) {
            fs::remove_file(entry.path())?;
        }
    }
    for (name, bytes) in inputs {
        crate::compile::write_if_changed(&folder.join(name), bytes)?;
    }
    Ok(())
}

/// The inputs of one program, by name.
fn inputs(program: &str, food: &Food) -> Result<Vec<(String, Vec<u8>)>, String> {
    let (mut inputs, count) = match food {
        Food::FromClient(names) => (recordings(names, "client")?, PATIENT),
        Food::FromServer(names) => (recordings(names, "server")?, PATIENT),
        Food::Values(values) => {
            let named = values.iter().enumerate().map(|(i, value)| (format!("value-{i:03}"), value.to_vec()));
            (named.collect(), QUICK)
        }
    };
    if !matches!(food, Food::Values(_)) {
        inputs.extend(
            seeds::STRANGERS.iter().map(|(name, bytes)| (format!("stranger-{name}"), bytes.to_vec())),
        );
    }
    let originals: Vec<Vec<u8>> = inputs.iter().map(|(_, bytes)| bytes.clone()).collect();
    let others: Vec<&[u8]> = originals.iter().map(Vec::as_slice).collect();
    // What is recorded is worth more changes than what is foreign to the program from the start.
    let worthy = match food {
        Food::FromClient(names) | Food::FromServer(names) => names.len(),
        Food::Values(values) => values.len(),
    };
    for number in 0..count.saturating_sub(inputs.len()) {
        let name = format!("mutated-{number:03}");
        let mut random = Random::named(&format!("{program} {name}"));
        let mutated = mutate(others[number % worthy], &others, &mut random);
        if seeds::is_harmless(program, &mutated) {
            inputs.push((name, mutated));
        }
    }
    Ok(inputs)
}

fn recordings(names: &[&str], side: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
    let read = |name: &&str| {
        let path = recorded_dir().join(format!("{name}.{side}"));
        let bytes = fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok((format!("recorded-{name}"), bytes))
    };
    names.iter().map(read).collect()
}

/// Records anew what the library's sockets say.
pub fn record(library: &Path) -> Result<(), String> {
    let api = Api::load(library)?;
    let folder = recorded_dir();
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for recording in record::record_all(&api)? {
        for (side, bytes) in [("client", &recording.client), ("server", &recording.server)] {
            if bytes.is_empty() {
                return Err(format!("{}: the {side} said nothing", recording.name));
            }
            let path = folder.join(format!("{}.{side}", recording.name));
            fs::write(&path, bytes).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    println!("{} recordings in {}", list(&folder)?.len(), folder.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fuzz_program_of_upstreams_has_its_inputs() {
        let cases = crate::lists::Cases::load().unwrap();
        let fuzzers: Vec<&str> =
            cases.programs.keys().filter(|name| name.ends_with("_fuzzer")).map(String::as_str).collect();
        assert_eq!(PROGRAMS.map(|(name, _)| name).as_slice(), fuzzers);
        for (program, food) in &PROGRAMS {
            let inputs = inputs(program, food).unwrap();
            assert!(inputs.len() >= 30, "{program}: {} inputs", inputs.len());
            assert!(inputs.iter().all(|(_, bytes)| !bytes.is_empty()), "{program}: an empty input");
        }
    }

    #[test]
    fn recordings_are_small() {
        for path in list(&recorded_dir()).unwrap() {
            let size = fs::metadata(&path).unwrap().len();
            assert!(size > 60 && size < 4096, "{}: {size} bytes", path.display());
        }
    }
}
