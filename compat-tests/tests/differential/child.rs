//! The process that runs scripts: each in a process of its own, so that one that crashes or hangs is no more than a line.

use std::io;
use std::path::Path;

use crate::Case;
use crate::api::Api;
use crate::script::Test;

/// Seconds that a script may take, times its patience, up to six.
const LIMIT: u32 = 15;

/// What begins the lines that say which case follows, and how it ended.
pub const CASE: &str = "\u{1}case ";
pub const END: &str = "\u{1}end ";

/// Runs the cases one after the other, on the library of that path. Their lines go to standard output.
pub fn run(library: &Path, patience: u32, cases: &[Case]) -> Result<(), String> {
    // A driver that is killed takes its children along.
    // SAFETY: plain system call without pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    if let Err(error) = own_network() {
        eprintln!("no network namespace: {error}");
    }
    let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure lives until the call returns. Crashes are expected; files of them aren't wanted.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) };
    // Loaded once, before any thread exists: a child of fork is then as good as a new process.
    let api: &Api = Box::leak(Box::new(Api::load(library)?));
    for case in cases {
        println!("{CASE}{}", case.name);
        let folder = std::env::temp_dir().join(format!("differential-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        let end = in_child(LIMIT * patience.min(6), || (case.run)(&Test::new(api, patience, &folder)));
        let _ = std::fs::remove_dir_all(&folder);
        println!("{END}{end}");
    }
    Ok(())
}

/// Runs a function in a child process and says how that ended.
fn in_child(seconds: u32, body: impl FnOnce()) -> String {
    // SAFETY: this process has a single thread, so the child may do all that a process may.
    match unsafe { libc::fork() } {
        -1 => format!("fork: {}", io::Error::last_os_error()),
        0 => {
            // SAFETY: plain system calls. The process ends here, without running what the parent has on its stack.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::alarm(seconds);
                if std::env::var_os("DIFFERENTIAL_STDERR").is_none() {
                    libc::close(2);
                    libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY);
                }
            }
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).is_err();
            // SAFETY: as above.
            unsafe { libc::_exit(i32::from(panicked)) }
        }
        child => {
            let mut status = 0;
            // SAFETY: waits for the child made above; the status lives until the call returns.
            while unsafe { libc::waitpid(child, &raw mut status, 0) } != child {}
            match (libc::WIFSIGNALED(status), libc::WTERMSIG(status), libc::WEXITSTATUS(status)) {
                (true, libc::SIGALRM, _) => "hangs".to_owned(),
                (true, libc::SIGABRT | libc::SIGSEGV | libc::SIGBUS | libc::SIGILL, _) => {
                    "crashes".to_owned()
                }
                (true, signal, _) => format!("signal {signal}"),
                (_, _, 0) => "ends".to_owned(),
                _ => "the script fails".to_owned(),
            }
        }
    }
}

/// A network of the process's own, with nothing but loopback.
fn own_network() -> io::Result<()> {
    let done = |result: libc::c_int| if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) };
    // SAFETY: the structure is plain data for which zeroes are valid, and lives until the calls return.
    unsafe {
        let root = libc::geteuid() == 0;
        done(libc::unshare(if root {
            libc::CLONE_NEWNET
        } else {
            libc::CLONE_NEWUSER | libc::CLONE_NEWNET
        }))?;
        let fd = done(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0))?;
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
            *to = *from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        done(libc::ioctl(fd, libc::SIOCSIFFLAGS, &request))?;
        done(libc::close(fd)).map(drop)
    }
}
