//! Where upstream's tree is: the `vendor/` folder of the crate `zeromq-src`, which cargo has downloaded.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of this package.
pub fn package_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Everything that the runner makes lies under here.
pub fn work_dir() -> PathBuf {
    package_dir().join("target/judge")
}

/// Asks cargo for the crate's folder. Downloads it if it isn't there yet.
pub fn locate() -> Result<PathBuf, String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version=1", "--locked", "--manifest-path"])
        .arg(package_dir().join("Cargo.toml"))
        .output()
        .map_err(|e| format!("cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata: {e}"))?;
    let manifest = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|p| p["name"] == "zeromq-src")
        .and_then(|p| p["manifest_path"].as_str())
        .ok_or("cargo metadata does not list zeromq-src")?;
    let vendor = Path::new(manifest).with_file_name("vendor");
    if vendor.join("tests").is_dir() { Ok(vendor) } else { Err(format!("{} has no tests", vendor.display())) }
}

/// The names of upstream's test programs: the stems of `tests/test_*.cpp`, sorted.
pub fn programs(vendor: &Path) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = list(&vendor.join("tests"))?
        .iter()
        .filter_map(|p| p.file_name()?.to_str()?.strip_suffix(".cpp").map(str::to_owned))
        .filter(|n| n.starts_with("test_"))
        .collect();
    names.sort();
    Ok(names)
}

/// Upstream's other programs, as paths relative to its tree: unit tests and performance programs.
pub fn other_programs(vendor: &Path) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for folder in ["unittests", "perf"] {
        for path in list(&vendor.join(folder))? {
            if let (Some("cpp"), Some(name)) =
                (path.extension().and_then(|e| e.to_str()), path.file_name().and_then(|n| n.to_str()))
            {
                names.push(format!("{folder}/{name}"));
            }
        }
    }
    names.sort();
    Ok(names)
}

/// The entries of a folder.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let error = |e| format!("{}: {e}", folder.display());
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(error)? {
        entries.push(entry.map_err(error)?.path());
    }
    entries.sort();
    Ok(entries)
}
