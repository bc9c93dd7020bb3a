//! The library under test: where it is, its header, and what it says that it can do.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::vendor::{package_dir, work_dir};

/// A library under test.
#[derive(Clone, Debug)]
pub struct Library {
    /// `ours` or `reference`; also the name of its folder in the work folder.
    pub role: &'static str,
    /// A folder that holds nothing but `libzmq.so.5` and `libzmq.so`.
    pub dir: PathBuf,
    /// The folder with the `zmq.h` that the programs are compiled against; `None` means upstream's own.
    pub include: Option<PathBuf>,
    /// The defines that state what the library can do, from its own `zmq_has`.
    pub capabilities: Vec<&'static str>,
}

/// What upstream's `configure` would define, by the name that `zmq_has` knows. Without them cases silently
/// aren't there, and with a wrong one `test_capabilities` fails.
const CAPABILITIES: [(&str, &str); 9] = [
    ("curve", "ZMQ_HAVE_CURVE"),
    ("WS", "ZMQ_HAVE_WS"),
    ("WSS", "ZMQ_HAVE_WSS"),
    ("tipc", "ZMQ_HAVE_TIPC"),
    ("norm", "ZMQ_HAVE_NORM"),
    ("pgm", "ZMQ_HAVE_OPENPGM"),
    ("gssapi", "HAVE_LIBGSSAPI_KRB5"),
    ("vmci", "ZMQ_HAVE_VMCI"),
    ("ipc", "ZMQ_HAVE_IPC"),
];

impl Library {
    /// Copies the library file to a folder of its own, so that a rebuild does not disturb a run, and asks it what
    /// it can do.
    pub fn stage(role: &'static str, file: &Path, include: Option<PathBuf>) -> Result<Library, String> {
        let dir = work_dir().join(role).join("lib");
        let target = dir.join("libzmq.so.5");
        let stage = || -> std::io::Result<()> {
            fs::create_dir_all(&dir)?;
            // Renamed into place: a process that has the old one mapped keeps it.
            let fresh = dir.join("fresh");
            fs::copy(file, &fresh)?;
            fs::rename(&fresh, &target)?;
            let link = dir.join("libzmq.so");
            if fs::symlink_metadata(&link).is_err() {
                std::os::unix::fs::symlink("libzmq.so.5", &link)?;
            }
            Ok(())
        };
        stage().map_err(|e| format!("{}: {e}", file.display()))?;
        let capabilities = probe(&target)?;
        Ok(Library { role, dir, include, capabilities })
    }

    /// Builds our library (release) and stages it with our header.
    pub fn ours() -> Result<Library, String> {
        let root = package_dir().parent().ok_or("the package has no parent folder")?;
        let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--release", "--quiet", "--lib", "--manifest-path"])
            .arg(root.join("Cargo.toml"))
            .env_remove("CARGO_TARGET_DIR")
            .status()
            .map_err(|e| format!("cargo build: {e}"))?;
        if !status.success() {
            return Err("the library does not build".to_owned());
        }
        Library::stage("ours", &root.join("target/release/libzmq.so"), Some(root.join("include")))
    }
}

/// Loads the library and asks `zmq_has`. Both libraries have the same soname; absolute paths keep them apart.
fn probe(file: &Path) -> Result<Vec<&'static str>, String> {
    let path = CString::new(file.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
    // SAFETY: loading runs the library's constructors; this is the library under test, which a program would load in
    // the same way.
    let handle: *mut c_void = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        // SAFETY: called right after a failed dlopen in this thread, so it gives a terminated string or null.
        let reason = unsafe {
            let reason = libc::dlerror();
            if reason.is_null() {
                String::new()
            } else {
                CStr::from_ptr(reason).to_string_lossy().into_owned()
            }
        };
        return Err(format!("{}: cannot be loaded: {reason}", file.display()));
    }
    // SAFETY: a valid handle and a terminated name.
    let symbol = unsafe { libc::dlsym(handle, c"zmq_has".as_ptr()) };
    if symbol.is_null() {
        return Err(format!("{}: has no zmq_has", file.display()));
    }
    // SAFETY: the man page gives `int zmq_has (const char *)` as the function's type.
    let has: extern "C" fn(*const c_char) -> c_int = unsafe { std::mem::transmute(symbol) };
    let mut found = Vec::new();
    for (name, define) in CAPABILITIES {
        let name = CString::new(name).map_err(|e| e.to_string())?;
        if has(name.as_ptr()) == 1 {
            found.push(define);
        }
    }
    Ok(found)
}
