//! Runs one program in an empty folder and a network namespace of its own, under a time limit.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::unity::End;

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

/// True if network namespaces can be made here. Without them programs run one at a time, because upstream's
/// tests use fixed ports here and there.
pub fn namespaces_work() -> bool {
    let mut command = Command::new("true");
    enter_namespace(&mut command);
    command.status().is_ok_and(|status| status.success())
}

/// Runs the program to its end or its time limit, and leaves no process of it behind.
pub fn run(job: &Job, namespaces: bool) -> io::Result<Finished> {
    let cwd = job.folder.join("cwd");
    if job.folder.exists() {
        fs::remove_dir_all(job.folder)?;
    }
    fs::create_dir_all(&cwd)?;
    if let (Some(corpus), Some(name)) = (&job.corpus, job.program.file_name()) {
        let folder = cwd.join("tests/libzmq-fuzz-corpora");
        fs::create_dir_all(&folder)?;
        let mut link: OsString = name.to_owned();
        link.push("_seed_corpus");
        std::os::unix::fs::symlink(corpus, folder.join(link))?;
    }
    let (stdout, stderr) = (job.folder.join("stdout"), job.folder.join("stderr"));
    let mut command = Command::new(job.program);
    command
        .current_dir(&cwd)
        .env("LD_LIBRARY_PATH", job.library_dir)
        .env("TMPDIR", &cwd)
        .env_remove("LD_PRELOAD")
        .env_remove("UNITY_INCLUDE")
        .stdin(std::process::Stdio::null())
        .stdout(File::create(&stdout)?)
        .stderr(File::create(&stderr)?)
        .process_group(0);
    if let Some(include) = job.include {
        command.env("UNITY_INCLUDE", include);
    }
    if namespaces {
        enter_namespace(&mut command);
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

/// Gives the command a network namespace with a loopback interface that is up and carries multicast, as a machine
/// with a network has it.
fn enter_namespace(command: &mut Command) {
    // SAFETY: geteuid has no preconditions.
    let root = unsafe { libc::geteuid() } == 0;
    let flags = if root { libc::CLONE_NEWNET } else { libc::CLONE_NEWUSER | libc::CLONE_NEWNET };
    // SAFETY: between fork and exec only async-signal-safe system calls are made; nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            if libc::unshare(flags) != 0 {
                return Err(io::Error::last_os_error());
            }
            loopback_up()
        });
    }
}

/// Runs between fork and exec: system calls only.
fn loopback_up() -> io::Result<()> {
    // SAFETY: the structures are plain data for which zeroes are valid, they live until the calls return, and the
    // descriptor is closed once on every path.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags =
            (libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_MULTICAST) as libc::c_short;
        let up = libc::ioctl(fd, libc::SIOCSIFFLAGS, &request);
        let error = io::Error::last_os_error();

        // The route for 224.0.0.0/4. Without it the multicast tests find that there is none and skip themselves,
        // so a failure shows there.
        let mut route: libc::rtentry = std::mem::zeroed();
        let address = |address: u32| {
            let mut name: libc::sockaddr_in = std::mem::zeroed();
            name.sin_family = libc::AF_INET as libc::sa_family_t;
            name.sin_addr.s_addr = address.to_be();
            std::mem::transmute::<libc::sockaddr_in, libc::sockaddr>(name)
        };
        let mut device = *b"lo\0";
        route.rt_dst = address(0xe000_0000);
        route.rt_genmask = address(0xf000_0000);
        route.rt_flags = libc::RTF_UP;
        route.rt_dev = device.as_mut_ptr().cast();
        libc::ioctl(fd, libc::SIOCADDRT, &route);
        libc::close(fd);
        if up == 0 { Ok(()) } else { Err(error) }
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
            include: None,
            time_limit,
        };
        let finished = run(&job, false).unwrap();
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
