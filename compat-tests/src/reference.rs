//! Builds upstream's library from its tree, without upstream's `configure`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::compile::{check, write_if_changed};
use crate::vendor::{list, package_dir, work_dir};

/// What upstream's `configure` finds on Linux with glibc and libsodium. All have a value, because many are tested
/// with `#if`.
const DEFINES: [&str; 43] = [
    "ZMQ_BUILD_DRAFT_API",
    "_GNU_SOURCE",
    "ZMQ_HAVE_LINUX",
    "ZMQ_IOTHREAD_POLLER_USE_EPOLL",
    "ZMQ_IOTHREAD_POLLER_USE_EPOLL_CLOEXEC",
    "ZMQ_POLL_BASED_ON_POLL",
    "ZMQ_USE_CV_IMPL_STL11",
    "ZMQ_HAVE_ATOMIC_INTRINSICS",
    "ZMQ_HAVE_EVENTFD",
    "ZMQ_HAVE_EVENTFD_CLOEXEC",
    "ZMQ_HAVE_IPC",
    "ZMQ_HAVE_UIO",
    "HAVE_MKDTEMP",
    "HAVE_FORK",
    "ZMQ_HAVE_PPOLL",
    "ZMQ_HAVE_SO_PEERCRED",
    "ZMQ_HAVE_SO_PRIORITY",
    "ZMQ_HAVE_SO_BINDTODEVICE",
    "ZMQ_HAVE_SO_KEEPALIVE",
    "ZMQ_HAVE_TCP_KEEPCNT",
    "ZMQ_HAVE_TCP_KEEPIDLE",
    "ZMQ_HAVE_TCP_KEEPINTVL",
    "ZMQ_HAVE_CURVE",
    "ZMQ_USE_LIBSODIUM",
    "ZMQ_HAVE_GETRANDOM",
    "ZMQ_HAVE_WS",
    "ZMQ_USE_BUILTIN_SHA1",
    "ZMQ_HAVE_TIPC",
    "ZMQ_HAVE_VMCI",
    "HAVE_ACCEPT4",
    "ZMQ_HAVE_O_CLOEXEC",
    "ZMQ_HAVE_SOCK_CLOEXEC",
    "HAVE_CLOCK_GETTIME",
    "HAVE_STRNLEN",
    "ZMQ_HAVE_NOEXCEPT",
    "HAVE_IF_NAMETOINDEX",
    "HAVE_GETIFADDRS",
    "ZMQ_HAVE_IFADDRS",
    "ZMQ_HAVE_PTHREAD_SETNAME_2",
    "ZMQ_HAVE_PTHREAD_SET_AFFINITY",
    "ZMQ_HAVE_BUSY_POLL",
    "ZMQ_HAVE_STRUCT_SOCKADDR_UN",
    "HAVE_CONDATTR_MONOTONIC",
];

/// A part of the library that needs another library. Without that, upstream's has not got it.
struct Part {
    /// The header that shows whether it is there.
    header: &'static str,
    /// What a compiler and a linker have to be told.
    flags: &'static [&'static str],
    link: &'static str,
}

const PARTS: [Part; 4] = [
    Part {
        header: "/usr/include/gnutls/gnutls.h",
        flags: &["-DZMQ_HAVE_WSS=1", "-DZMQ_USE_GNUTLS=1"],
        link: "-lgnutls",
    },
    Part { header: "/usr/include/normApi.h", flags: &["-DZMQ_HAVE_NORM=1"], link: "-lnorm" },
    Part {
        header: "/usr/include/pgm-5.3/pgm/pgm.h",
        flags: &["-DZMQ_HAVE_OPENPGM=1", "-I/usr/include/pgm-5.3"],
        link: "-lpgm",
    },
    Part {
        header: "/usr/include/gssapi/gssapi.h",
        flags: &["-DHAVE_LIBGSSAPI_KRB5=1"],
        link: "-lgssapi_krb5",
    },
];

/// Builds the library unless it is there, and returns the file. `done` is told how many of how many objects are made.
pub fn build(vendor: &Path, done: &(dyn Fn(usize, usize) + Sync)) -> Result<PathBuf, String> {
    let folder = work_dir().join("reference/build");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let library = folder.join("libzmq.so.5");
    let parts: Vec<&Part> = PARTS.iter().filter(|part| Path::new(part.header).exists()).collect();
    let links: Vec<&str> = parts.iter().map(|part| part.link).collect();
    let recipe = format!("{}\nhidden, {}\n{}", vendor.display(), links.join(" "), DEFINES.join("\n"));
    let stamp = folder.join("recipe");
    if library.exists() && fs::read_to_string(&stamp).is_ok_and(|old| old == recipe) {
        return Ok(library);
    }
    if !Path::new("/usr/include/sodium.h").exists() {
        return Err("the reference library needs libsodium: install the package libsodium-dev".to_owned());
    }
    write_if_changed(&folder.join("platform.hpp"), b"").map_err(|e| e.to_string())?;

    let mut sources: Vec<PathBuf> = list(&vendor.join("src"))?
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == "cpp"))
        .collect();
    if !links.contains(&"-lgnutls") {
        // Without GnuTLS upstream's library has no wss://, and these files don't compile.
        sources.retain(|p| !p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("wss_")));
    }
    sources.push(vendor.join("external/sha1/sha1.c"));
    let objects: Vec<PathBuf> =
        sources.iter().map(|s| folder.join(s.file_name().unwrap_or_default()).with_extension("o")).collect();
    let next = AtomicUsize::new(0);
    let finished = AtomicUsize::new(0);
    let error = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(source), Some(object)) = (sources.get(index), objects.get(index)) else {
                        return;
                    };
                    if let Err(message) = check(&mut compile(vendor, &folder, source, object, &parts)) {
                        next.store(sources.len(), Ordering::Relaxed);
                        error
                            .lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner)
                            .get_or_insert(message);
                        return;
                    }
                    done(finished.fetch_add(1, Ordering::Relaxed) + 1, sources.len());
                }
            });
        }
    });
    if let Some(message) = error.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(message);
    }
    let mut link = Command::new("g++");
    link.args(["-shared", "-pthread", "-Wl,-soname,libzmq.so.5", "-o"]).arg(&library).args(&objects);
    link.args(["-lsodium", "-lrt"]).args(links);
    check(&mut link)?;
    fs::write(&stamp, recipe).map_err(|e| e.to_string())?;
    Ok(library)
}

fn compile(vendor: &Path, folder: &Path, source: &Path, object: &Path, parts: &[&Part]) -> Command {
    let c = source.extension().is_some_and(|e| e == "c");
    let mut command = Command::new(if c { "gcc" } else { "g++" });
    command.args([
        "-O2",
        "-fPIC",
        "-w",
        "-pthread",
        "-DZMQ_CUSTOM_PLATFORM_HPP",
        "-DZMQ_CACHELINE_ALIGNMENT=64",
    ]);
    command.arg("-DHAVE_STRLCPY=0").args(DEFINES.iter().map(|d| format!("-D{d}=1")));
    command.args(parts.iter().flat_map(|part| part.flags));
    if !c {
        command.arg("-std=gnu++11");
    }
    for include in
        [folder.to_owned(), vendor.join("include"), vendor.join("src"), vendor.join("external/unity")]
    {
        command.arg("-I").arg(include);
    }
    // For vmci://, a header of VMware's.
    command.arg("-I").arg(package_dir().join("support"));
    command.arg("-c").arg(source).arg("-o").arg(object);
    command
}
