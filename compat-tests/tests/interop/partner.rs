//! Whom our library talks to: upstream's library, and programs that have another one. Each is a process that obeys the same commands.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::control::PEER;

/// The version of pyzmq; its wheel brings a libzmq of its own.
const PYZMQ: &str = "pyzmq==27.1.0";
/// Where Debian's package libjeromq-java puts it.
const JEROMQ: &str = "/usr/share/java/jeromq.jar";

/// The argument that makes this program a peer by the crate `zeromq`.
pub const ZMQ_RS: &str = "--zmq-rs";

/// See the module's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Partner {
    /// Upstream's library, built by the judge.
    Reference,
    /// Debian's package of it: 4.3.4, without drafts, with GSSAPI.
    Debian,
    /// Python's binding, from PyPI.
    Pyzmq,
    /// ZeroMQ in Java. Debian's is 0.3.6, which speaks ZMTP 2.0.
    Jeromq,
    /// The crate `zeromq`: ZMTP 3.0, with the mechanism NULL.
    ZmqRs,
}

impl Partner {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Debian => "debian",
            Self::Pyzmq => "pyzmq",
            Self::Jeromq => "jeromq",
            Self::ZmqRs => "zmq.rs",
        }
    }

    /// How long messages to and from it are at most: Python takes its time over a megabyte, and the
    /// crate was still busy decoding one after 20 s, on the sockets that receive from several peers.
    pub fn longest(self) -> usize {
        match self {
            Self::Reference | Self::Debian => usize::MAX,
            Self::Pyzmq | Self::Jeromq => 1 << 20,
            Self::ZmqRs => 65_537,
        }
    }

    /// Makes the program, and returns the command that starts it.
    pub fn prepare(self) -> Result<Vec<OsString>, String> {
        let own = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/peers").join(name);
        match self {
            Self::ZmqRs => {
                let program = std::env::current_exe().map_err(|e| e.to_string())?;
                Ok(vec![program.into(), ZMQ_RS.into()])
            }
            Self::Reference => library_peer(&reference_library()?),
            Self::Debian => debian_peer(),
            Self::Pyzmq => Ok(vec![pyzmq()?.into(), "-u".into(), own("peer.py").into()]),
            Self::Jeromq => {
                let classes = work_dir("jeromq")?;
                if !Path::new(JEROMQ).exists() {
                    return Err(format!("{JEROMQ} is missing: install the package libjeromq-java"));
                }
                let mut compiler = Command::new("javac");
                compiler.args(["-cp", JEROMQ, "-d"]).arg(&classes).arg(own("Peer.java"));
                succeed(&mut compiler, "the package default-jdk-headless")?;
                let path = format!("{JEROMQ}:{}", classes.display());
                Ok(["java", "-cp", &path, "Peer"].iter().map(OsString::from).collect())
            }
        }
    }
}

/// The command of a peer that loads this library.
pub fn library_peer(library: &Path) -> Result<Vec<OsString>, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    Ok(vec![program.into(), PEER.into(), library.into()])
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

/// The command of a peer that loads Debian's.
fn debian_peer() -> Result<Vec<OsString>, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_compat-tests"))
        .arg("debian-library")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (Some(file), Some(path)) = (text.lines().next(), text.lines().nth(1)) else {
        return Err("Debian's library can't be had".to_owned());
    };
    let environment = ["env".into(), format!("LD_LIBRARY_PATH={path}").into()];
    Ok([environment.to_vec(), library_peer(Path::new(file))?].concat())
}

/// A Python that has pyzmq, in a virtual environment of its own.
fn pyzmq() -> Result<PathBuf, String> {
    let folder = work_dir("pyzmq")?;
    let python = folder.join("bin/python");
    let stamp = folder.join("installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == PYZMQ) && python.exists() {
        return Ok(python);
    }
    let mut venv = Command::new("python3");
    succeed(venv.args(["-m", "venv", "--clear"]).arg(&folder), "the package python3-venv")?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    succeed(install.args(["--only-binary", ":all:", PYZMQ]), "a way to PyPI")?;
    std::fs::write(&stamp, PYZMQ).map_err(|e| format!("{}: {e}", stamp.display()))?;
    Ok(python)
}

fn work_dir(name: &str) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/judge").join(name);
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder)
}

/// Runs a command that must succeed. `needs`: what is probably missing if not.
fn succeed(command: &mut Command, needs: &str) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| format!("{name}: {e}: it needs {needs}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{name} failed; it needs {needs}:\n{}", String::from_utf8_lossy(&said)))
}
