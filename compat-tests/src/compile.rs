//! Compiles upstream's test programs, unmodified, and keeps what it compiled by content.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::library::Library;
use crate::vendor::{list, package_dir, work_dir};

/// For every program, whatever the library can do.
const FLAGS: [&str; 15] = [
    "-O0",
    "-w",
    "-pthread",
    "-DZMQ_CUSTOM_PLATFORM_HPP",
    "-DUNITY_USE_COMMAND_LINE_ARGS",
    "-DUNITY_EXCLUDE_FLOAT",
    "-DZMQ_BUILD_DRAFT_API",
    "-DZMQ_HAVE_UIO",
    "-DHAVE_MKDTEMP",
    "-DZMQ_HAVE_LINUX",
    "-DHAVE_FORK",
    "-DZMQ_HAVE_PPOLL",
    "-DZMQ_HAVE_SO_PEERCRED",
    "-DZMQ_HAVE_SO_PRIORITY",
    "-DZMQ_HAVE_IPC",
];

/// The helpers that upstream links into every program.
const HELPERS: [&str; 4] = ["testutil", "testutil_monitoring", "testutil_security", "testutil_unity"];

/// Where the compiled program is, or what the compiler said.
pub type Compiled = Result<PathBuf, String>;

/// Compiles programs against one library.
pub struct Compiler {
    tree: PathBuf,
    out: PathBuf,
    flags: Vec<String>,
    archive: PathBuf,
    library_dir: PathBuf,
    common: u64,
}

impl Compiler {
    /// Prepares the tree that the programs are compiled in, and compiles what they share.
    pub fn new(vendor: &Path, library: &Library) -> Result<Compiler, String> {
        let work = work_dir();
        let role = work.join(library.role);
        let out = role.join("bin");
        let empty = work.join("platform");
        let prepare = || -> std::io::Result<()> {
            fs::create_dir_all(&out)?;
            fs::create_dir_all(&empty)?;
            write_if_changed(&empty.join("platform.hpp"), b"")
        };
        prepare().map_err(|e| format!("{}: {e}", role.display()))?;
        let tree = match &library.include {
            Some(include) => lay_out(vendor, include, &role.join("tree"))?,
            None => vendor.to_owned(),
        };
        let mut flags: Vec<String> = FLAGS.iter().map(|f| (*f).to_owned()).collect();
        flags.extend(library.capabilities.iter().map(|d| format!("-D{d}")));
        flags.push(format!("-I{}", empty.display()));
        flags.push(format!("-I{}", tree.join("external/unity").display()));
        flags.push(format!("-I{}", package_dir().join("support").display()));

        let mut hasher = DefaultHasher::new();
        compiler_version()?.hash(&mut hasher);
        flags.hash(&mut hasher);
        hash_file(&package_dir().join("support/vmci_sockets.h"), &mut hasher)?;
        for folder in ["tests", "include", "src", "external/unity"] {
            for path in list(&tree.join(folder))? {
                if matches!(path.extension().and_then(|e| e.to_str()), Some("h" | "hpp")) {
                    hash_file(&path, &mut hasher)?;
                }
            }
        }
        let mut compiler = Compiler {
            archive: out.join("support.a"),
            library_dir: library.dir.clone(),
            common: hasher.finish(),
            tree,
            out,
            flags,
        };
        compiler.archive = compiler.support()?;
        Ok(compiler)
    }

    /// Unity, our control of it, and upstream's helpers, as an archive.
    fn support(&self) -> Result<PathBuf, String> {
        let control = package_dir().join("support/unity_control.c");
        let mut sources = vec![control, self.tree.join("external/unity/unity.c")];
        sources.extend(HELPERS.iter().map(|h| self.tree.join(format!("tests/{h}.cpp"))));
        let archive = self.out.join(format!("support-{:016x}.a", self.key(&sources)?));
        if archive.exists() {
            return Ok(archive);
        }
        let mut objects = Vec::new();
        for source in &sources {
            let object =
                self.out.join(source.file_name().ok_or("a source without a name")?).with_extension("o");
            let c = source.extension().is_some_and(|e| e == "c");
            let mut command = Command::new(if c { "gcc" } else { "g++" });
            command.arg(if c { "-std=gnu99" } else { "-std=gnu++11" }).args(&self.flags);
            check(command.arg("-c").arg(source).arg("-o").arg(&object))?;
            objects.push(object);
        }
        // The control is named by no program, so it can't come from an archive: one relocatable object, then.
        let fresh = archive.with_extension("fresh");
        check(Command::new("ld").arg("-r").args(&objects).arg("-o").arg(&fresh))?;
        fs::rename(&fresh, &archive).map_err(|e| e.to_string())?;
        Ok(archive)
    }

    fn key(&self, sources: &[PathBuf]) -> Result<u64, String> {
        let mut hasher = DefaultHasher::new();
        self.common.hash(&mut hasher);
        for source in sources {
            fs::read(source).map_err(|e| format!("{}: {e}", source.display()))?.hash(&mut hasher);
        }
        Ok(hasher.finish())
    }

    /// One program. Compiled only if nothing was compiled from the same content before.
    pub fn program(&self, name: &str) -> Compiled {
        let mut sources = vec![self.tree.join(format!("tests/{name}.cpp"))];
        let mut extra: Vec<&str> = Vec::new();
        if name == "test_security_curve" {
            // It carries a CURVE client of its own, made from parts of upstream's library and libsodium. It compiles only
            // with CURVE, and asks the library itself, when it runs, whether that has it.
            sources.extend(["err", "random", "clock"].map(|s| self.tree.join(format!("src/{s}.cpp"))));
            extra = vec![
                "-DZMQ_HAVE_CURVE",
                "-DZMQ_USE_LIBSODIUM",
                "-DZMQ_HAVE_GETRANDOM",
                "-DZMQ_USE_CV_IMPL_STL11",
            ];
        }
        let key = self.key(&sources)? ^ self.key(std::slice::from_ref(&self.archive))?.rotate_left(1);
        let folder = self.out.join(format!("{key:016x}"));
        let program = folder.join(name);
        if program.exists() {
            return Ok(program);
        }
        fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        let fresh = folder.join("fresh");
        let mut command = Command::new("g++");
        command.arg("-std=gnu++11").args(&self.flags).args(&extra);
        if !extra.is_empty() {
            command.arg(format!("-I{}", self.tree.join("src").display()));
        }
        command.args(&sources).arg("-x").arg("none").arg(&self.archive).arg("-o").arg(&fresh);
        command.arg("-L").arg(&self.library_dir).arg("-lzmq");
        if !extra.is_empty() {
            command.arg("-lsodium");
        }
        // A function that the library lacks fails the cases that call it, not the programs that name it: upstream's
        // helpers name more than most programs need.
        command.arg("-Wl,--unresolved-symbols=ignore-all");
        command.arg("-Wl,--wrap=UnityDefaultTestRun"); // see support/unity_control.c
        check(&mut command)?;
        fs::rename(&fresh, &program).map_err(|e| e.to_string())?;
        Ok(program)
    }

    /// All the programs, on as many threads as the machine has CPUs. `done` is told the number finished.
    pub fn programs(&self, names: &[String], done: &(dyn Fn(usize) + Sync)) -> Vec<Compiled> {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let next = AtomicUsize::new(0);
        let finished = AtomicUsize::new(0);
        let results: Mutex<Vec<Option<Compiled>>> = Mutex::new(vec![None; names.len()]);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some((index, name)) = {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        names.get(index).map(|name| (index, name))
                    } {
                        let compiled = self.program(name);
                        if let Ok(mut results) = results.lock() {
                            results[index] = Some(compiled);
                        }
                        done(finished.fetch_add(1, Ordering::Relaxed) + 1);
                    }
                });
            }
        });
        let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        results.into_iter().map(|r| r.unwrap_or_else(|| Err("not compiled".to_owned()))).collect()
    }
}

/// A tree like upstream's, made of links, but with our header. Upstream's programs include `../include/zmq.h` by that
/// name, so only its place in the tree decides which one they get.
fn lay_out(vendor: &Path, include: &Path, tree: &Path) -> Result<PathBuf, String> {
    let lay = || -> std::io::Result<()> {
        if tree.exists() {
            fs::remove_dir_all(tree)?;
        }
        for folder in ["tests", "src", "external/unity"] {
            fs::create_dir_all(tree.join(folder))?;
            for entry in fs::read_dir(vendor.join(folder))? {
                let entry = entry?;
                std::os::unix::fs::symlink(entry.path(), tree.join(folder).join(entry.file_name()))?;
            }
        }
        std::os::unix::fs::symlink(include.canonicalize()?, tree.join("include"))
    };
    if !include.join("zmq.h").exists() {
        return Err(format!("{}: has no zmq.h", include.display()));
    }
    lay().map_err(|e| format!("{}: {e}", tree.display()))?;
    Ok(tree.to_owned())
}

fn hash_file(path: &Path, hasher: &mut DefaultHasher) -> Result<(), String> {
    path.file_name().hash(hasher);
    fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?.hash(hasher);
    Ok(())
}

fn compiler_version() -> Result<Vec<u8>, String> {
    let output = Command::new("g++").arg("--version").output();
    output.map(|o| o.stdout).map_err(|e| format!("g++: {e}. Install the package g++"))
}

/// Runs a command that must succeed; the error is what it wrote.
pub fn check(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().take(12).collect();
    Err(format!("{} failed:\n{}", command.get_program().display(), lines.join("\n")))
}

/// Writes a file unless it has that content already, so that its time stays.
pub fn write_if_changed(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == content) { Ok(()) } else { fs::write(path, content) }
}
