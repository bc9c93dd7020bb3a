//! A process that is stopped and goes on (Ctrl-Z and `fg`, a debugger that attaches) goes on waiting: no handler has run, so no call may
//! fail with `EINTR`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use zmq::ffi::constants::{ZMQ_DEALER, ZMQ_PAIR, ZMQ_RCVTIMEO};
use zmq::ffi::context::zmq_ctx_new;
use zmq::ffi::poll::{zmq_poll, zmq_pollitem_t};
use zmq::ffi::socket::{zmq_bind, zmq_recv, zmq_setsockopt, zmq_socket};

const CHILD: &str = "FERROZMQ_TEST_STOPPED";

/// Waits in the way that the parent asks for, and says how that ended.
fn wait(way: &str) {
    let patience: i32 = 1000;
    // SAFETY: the arguments are what the man pages ask for.
    unsafe {
        let context = zmq_ctx_new();
        let kind = if way == "inproc" { ZMQ_PAIR } else { ZMQ_DEALER };
        let endpoint = if way == "inproc" { c"inproc://stopped" } else { c"tcp://127.0.0.1:*" };
        let socket = zmq_socket(context, kind);
        assert_eq!(zmq_bind(socket, endpoint.as_ptr()), 0);
        assert_eq!(zmq_setsockopt(socket, ZMQ_RCVTIMEO, (&raw const patience).cast(), 4), 0);
        println!("\nwaiting");
        if way == "poll" {
            let mut items = [
                zmq_pollitem_t { socket, fd: 0, events: 1, revents: 0 },
                zmq_pollitem_t {
                    socket: std::ptr::null_mut(),
                    fd: libc::STDIN_FILENO,
                    events: 4,
                    revents: 0,
                },
            ];
            let count = zmq_poll(items.as_mut_ptr(), 2, patience.into());
            println!("\nended {}", if count < 0 { errno::errno().0 } else { 0 });
        } else {
            let mut buffer = [0_u8; 1];
            assert_eq!(zmq_recv(socket, buffer.as_mut_ptr().cast(), 1, 0), -1);
            println!("\nended {}", errno::errno().0);
        }
    }
}

fn stopped_and_continued(way: &str, test: &str) -> i32 {
    let program = std::env::current_exe().expect("a test knows its program");
    let mut child = Command::new(program)
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, way)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test runs itself");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut next = |word: &str| {
        let line = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with(word)));
        line.expect("the child says how it goes").expect("it is text")
    };
    next("waiting");
    // The look before the sleep takes 50 µs at most; what state a thread sleeps in, the system tells.
    let pid = child.id();
    let asleep = || {
        let mut tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the child lives");
        tasks.all(|task| {
            let stat = task.and_then(|task| std::fs::read_to_string(task.path().join("stat")));
            stat.is_ok_and(|stat| stat.contains(") S "))
        })
    };
    let end = Instant::now() + Duration::from_secs(5);
    // Twice, as a thread may sleep for a moment on its way there.
    for _ in 0..2 {
        while !asleep() {
            assert!(Instant::now() < end, "the child never sleeps");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    for signal in [libc::SIGSTOP, libc::SIGCONT] {
        let pid = i32::try_from(pid).expect("process ids are positive ints");
        // SAFETY: sends a signal to a child that wasn't waited for yet, so the number is still its.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
        std::thread::sleep(Duration::from_millis(50));
    }
    let ended = next("ended");
    let status = child.wait().expect("it ends");
    assert!(status.success());
    ended["ended ".len()..].parse().expect("a number")
}

fn check(way: &str, test: &str, expected: i32) {
    match std::env::var(CHILD) {
        Ok(asked) => wait(&asked),
        Err(_) => assert_eq!(stopped_and_continued(way, test), expected),
    }
}

#[test]
fn a_receive_with_connections() {
    check("tcp", "a_receive_with_connections", libc::EAGAIN);
}

#[test]
fn a_receive_within_the_process() {
    check("inproc", "a_receive_within_the_process", libc::EAGAIN);
}

#[test]
fn a_poll() {
    check("poll", "a_poll", 0);
}
