//! Runs one program in an empty folder and a network namespace of its own, under a time limit.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::corpora;
use crate::unity::End;
use crate::vendor::package_dir;

/// What is to be run.
pub struct Job<'a> {
    /// The program.
    pub program: &'a Path,
    /// The folder that holds the library under test.
    pub library_dir: &'a Path,
    /// An existing folder that becomes the program's own; emptied first.
    pub folder: &'a Path,
    /// A folder of fuzz inputs, offered where the program looks for its corpus.
    pub corpus: Option<PathBuf>,
    /// It needs a KDC.
    pub kdc: bool,
    /// Part of the name of the cases to run; `None` runs all.
    pub include: Option<&'a str>,
    /// Seconds until it is killed.
    pub time_limit: u64,
}

/// What it did.
pub struct Finished {
    /// How it ended.
    pub end: End,
    /// How long it took.
    pub seconds: f64,
    /// All that it wrote to standard output.
    pub stdout: String,
    /// All that it wrote to standard error.
    pub stderr: String,
}

/// What network a program can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// The machine's own, because namespaces can't be made here. Programs then have to run one at a time, because
    /// upstream's tests use fixed ports here and there.
    Shared,
    /// One of its own, with nothing but loopback.
    Loopback,
    /// One of its own, with an interface that carries multicast.
    Multicast,
}

impl Network {
    /// The best that this machine has.
    pub fn best() -> Network {
        for network in [Network::Multicast, Network::Loopback] {
            let mut command = Command::new("true");
            enter_namespace(&mut command, network);
            if command.status().is_ok_and(|status| status.success()) {
                return network;
            }
        }
        Network::Shared
    }
}

/// Whether a KDC can be started: Debian's package krb5-kdc is there.
pub fn has_kdc() -> bool {
    ["krb5kdc", "kadmin.local"].iter().all(|program| Path::new("/usr/sbin").join(program).exists())
}

/// Whether the kernel has `AF_VSOCK`.
pub fn has_vsock() -> bool {
    // SAFETY: it takes no pointers.
    let fd = unsafe { libc::socket(libc::AF_VSOCK, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd == -1 {
        return false;
    }
    // SAFETY: it is new, and nobody else's.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    true
}

/// Runs the program to its end or its time limit, and leaves no process of it behind.
pub fn run(job: &Job, network: Network) -> io::Result<Finished> {
    let cwd = job.folder.join("cwd");
    if job.folder.exists() {
        fs::remove_dir_all(job.folder)?;
    }
    fs::create_dir_all(&cwd)?;
    if let (Some(corpus), Some(name)) = (&job.corpus, job.program.file_name()) {
        let folder = cwd.join("tests/libzmq-fuzz-corpora");
        fs::create_dir_all(&folder)?;
        std::os::unix::fs::symlink(corpus, folder.join(corpora::sought_by(&name.to_string_lossy())))?;
    }
    let (stdout, stderr) = (job.folder.join("stdout"), job.folder.join("stderr"));
    let mut command = if job.kdc {
        let mut command = Command::new(package_dir().join("with-kdc.sh"));
        command.arg(job.program);
        command
    } else {
        Command::new(job.program)
    };
    command
        .current_dir(&cwd)
        .env("LD_LIBRARY_PATH", job.library_dir)
        .env("TMPDIR", &cwd)
        // A message of eight lines ought to be the message, not the end of a backtrace.
        .env("RUST_BACKTRACE", "0")
        .env_remove("LD_PRELOAD")
        .env_remove("UNITY_INCLUDE")
        .stdin(std::process::Stdio::null())
        .stdout(File::create(&stdout)?)
        .stderr(File::create(&stderr)?)
        .process_group(0);
    if let Some(include) = job.include {
        command.env("UNITY_INCLUDE", include);
    }
    if network != Network::Shared {
        enter_namespace(&mut command, network);
    }
    no_core_file(&mut command);

    let start = Instant::now();
    let mut child = command.spawn()?;
    let in_time = wait_for_end(&child, Duration::from_secs(job.time_limit))?;
    let seconds = start.elapsed().as_secs_f64();
    // The program may have left children behind; they share its process group. The program itself has not been
    // reaped yet, so that the group's number is still its own.
    // SAFETY: plain system call without pointers.
    unsafe { libc::kill(-(child.id() as libc::pid_t), libc::SIGKILL) };
    let status = child.wait()?;
    let end = match (in_time, status.code(), status.signal()) {
        (false, ..) => End::TimeLimit(job.time_limit),
        (true, Some(code), _) => End::Exit(code),
        (true, None, signal) => End::Signal(signal.unwrap_or(0)),
    };
    let read = |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let finished = Finished { end, seconds, stdout: read(&stdout)?, stderr: read(&stderr)? };
    fs::remove_dir_all(job.folder)?;
    Ok(finished)
}

/// Waits until the child has ended, without reaping it. False if the time is up first.
fn wait_for_end(child: &Child, limit: Duration) -> io::Result<bool> {
    // SAFETY: the call takes no pointers; the id is that of a child which has not been reaped.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id() as libc::c_long, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was opened just above and nobody else owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let milliseconds = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: `poll` is one valid pollfd for the duration of the call.
        match unsafe { libc::poll(&mut poll, 1, milliseconds) } {
            0 if left.is_zero() || Instant::now() >= deadline => return Ok(false),
            0 => {}
            n if n > 0 => return Ok(true),
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

fn no_core_file(command: &mut Command) {
    let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: between fork and exec only async-signal-safe system calls are made, on a structure that is moved in.
    unsafe {
        command.pre_exec(move || {
            libc::setrlimit(libc::RLIMIT_CORE, &limit);
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
}

/// Gives the command a network namespace: a loopback interface, and, unless `network` says otherwise, a further one that
/// carries multicast, as a machine with a network has it.
fn enter_namespace(command: &mut Command, network: Network) {
    // SAFETY: geteuid has no preconditions.
    let root = unsafe { libc::geteuid() } == 0;
    let flags = if root { libc::CLONE_NEWNET } else { libc::CLONE_NEWUSER | libc::CLONE_NEWNET };
    // SAFETY: between fork and exec only async-signal-safe system calls are made; nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            if libc::unshare(flags) != 0 {
                return Err(io::Error::last_os_error());
            }
            interfaces_up(network == Network::Multicast)
        });
    }
}

/// The address of the further interface: from the block for documentation, so that it is nobody's.
const ADDRESS: u32 = 0xc000_0201;

/// `struct in6_ifreq` of `linux/ipv6.h`, which the libc package lacks.
#[repr(C)]
struct In6Ifreq {
    address: [u8; 16],
    prefix_length: u32,
    interface: i32,
}

/// Creates a bridge (`linux/sockios.h`).
const SIOCBRADDBR: libc::c_ulong = 0x89a0;

/// Runs between fork and exec: system calls only.
fn interfaces_up(multicast: bool) -> io::Result<()> {
    let done = |result: libc::c_int| if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
    // SAFETY: the structures are plain data for which zeroes are valid, and they live until the calls return. The
    // descriptors are closed by exec at the latest.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        done(fd)?;
        let up = |name: &[u8]| {
            let mut request: libc::ifreq = std::mem::zeroed();
            for (to, from) in request.ifr_name.iter_mut().zip(name) {
                *to = *from as libc::c_char;
            }
            request.ifr_ifru.ifru_flags =
                (libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_MULTICAST) as libc::c_short;
            done(libc::ioctl(fd, libc::SIOCSIFFLAGS, &request))
        };
        up(b"lo")?;
        if !multicast {
            return Ok(());
        }

        // An address is usable at once if nobody looks for duplicates of it; a bridge without ports has no carrier, so
        // that it would never be.
        let setting = c"/proc/sys/net/ipv6/conf/default/accept_dad".as_ptr();
        let file = libc::open(setting, libc::O_WRONLY | libc::O_CLOEXEC);
        done(file)?;
        done(libc::write(file, c"0".as_ptr().cast(), 1) as libc::c_int)?;

        // A bridge, because every kernel with namespaces has it, and it is made by one call. Loopback won't do:
        // it hands multicast back to a sender that asked not to get it.
        let name = c"net0";
        done(libc::ioctl(fd, SIOCBRADDBR, name.as_ptr()))?;
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(name.to_bytes()) {
            *to = *from as libc::c_char;
        }
        let ipv4 = |address: u32| {
            let mut name: libc::sockaddr_in = std::mem::zeroed();
            name.sin_family = libc::AF_INET as libc::sa_family_t;
            name.sin_addr.s_addr = address.to_be();
            std::mem::transmute::<libc::sockaddr_in, libc::sockaddr>(name)
        };
        request.ifr_ifru.ifru_addr = ipv4(ADDRESS);
        done(libc::ioctl(fd, libc::SIOCSIFADDR, &request))?;
        up(name.to_bytes())?;

        let mut route: libc::rtentry = std::mem::zeroed();
        route.rt_dst = ipv4(0xe000_0000);
        route.rt_genmask = ipv4(0xf000_0000);
        route.rt_flags = libc::RTF_UP;
        route.rt_dev = name.as_ptr().cast_mut();
        done(libc::ioctl(fd, libc::SIOCADDRT, &route))?;

        done(libc::ioctl(fd, libc::SIOCGIFINDEX, &mut request))?;
        let interface = request.ifr_ifru.ifru_ifindex;
        let mut address = [0; 16];
        (address[0], address[15]) = (0xfd, 1);
        let request = In6Ifreq { address, prefix_length: 64, interface };
        let fd6 = libc::socket(libc::AF_INET6, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        done(fd6)?;
        done(libc::ioctl(fd6, libc::SIOCSIFADDR, &request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, time_limit: u64) -> Finished {
        // A shell as the program, its script passed by the variable that the shell reads.
        let folder = std::env::temp_dir().join(format!("compat-sandbox-{}-{script:.8}", std::process::id()));
        let file = folder.with_extension("sh");
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&file, mode).unwrap();
        let job = Job {
            program: &file,
            library_dir: Path::new("/nonexistent"),
            folder: &folder,
            corpus: None,
            kdc: false,
            include: None,
            time_limit,
        };
        let finished = run(&job, Network::Shared).unwrap();
        fs::remove_file(&file).unwrap();
        finished
    }

    #[test]
    fn reports_exit_code_and_output() {
        let finished = sh("echo out; echo err >&2; exit 3", 20);
        assert_eq!(finished.end, End::Exit(3));
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "err\n"));
    }

    #[test]
    fn reports_the_signal() {
        assert_eq!(sh("kill -ABRT $$", 20).end, End::Signal(libc::SIGABRT));
    }

    #[test]
    fn kills_what_hangs() {
        assert_eq!(sh("sleep 600", 1).end, End::TimeLimit(1));
    }

    #[test]
    fn the_folder_is_empty() {
        assert_eq!(sh("ls -A", 20).stdout, "");
    }
}
