//! Machines, as far as the network is concerned: network namespaces, joined by virtual interfaces.
//!
//! A namespace belongs to a thread, and lasts as long as that and the sockets that it has opened. Making one needs privileges; without them a test
//! runs itself again as root of a user namespace (`unshare`(1)). Where that isn't permitted either, it fails and says so: these tests have nothing
//! else to try.

use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// Set in the second run.
const INSIDE: &str = "FERROZMQ_INSIDE_NAMESPACE";

type Task = Box<dyn FnOnce() + Send>;

/// A namespace, and the thread that does things there.
pub struct Namespace {
    tasks: Option<Sender<Task>>,
    thread: Option<JoinHandle<()>>,
    /// The thread's number.
    pub id: libc::pid_t,
}

impl Namespace {
    /// `None`: it isn't permitted.
    fn new() -> Option<Self> {
        let (tasks, todo) = channel::<Task>();
        let (ready, made) = channel();
        let thread = std::thread::spawn(move || {
            // SAFETY: they take numbers only.
            let (result, id) = unsafe { (libc::unshare(libc::CLONE_NEWNET), libc::gettid()) };
            ready.send((result == 0).then_some(id)).expect("somebody waits");
            if result == 0 {
                for task in todo {
                    task();
                }
            }
        });
        let id = made.recv().expect("the thread says how it went")?;
        Some(Self { tasks: Some(tasks), thread: Some(thread), id })
    }

    /// Does something there. What panics there panics here.
    pub fn run<R: Send + 'static>(&self, task: impl FnOnce() -> R + Send + 'static) -> R {
        let (done, result) = channel();
        let task: Task = Box::new(move || {
            let _ = done.send(task());
        });
        self.tasks.as_ref().expect("not dropped").send(task).expect("the thread is there");
        result.recv().expect("the task has panicked")
    }

    /// Runs `ip`(8) there.
    pub fn ip(&self, arguments: &str) {
        let arguments = arguments.to_owned();
        self.run(move || {
            let output = Command::new("ip")
                .args(arguments.split(' '))
                .output()
                .unwrap_or_else(|error| panic!("ip, of the package iproute2: {error}"));
            assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        });
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// So many namespaces, for a test of that name.
pub fn in_namespaces<const N: usize>(test: &str, scene: impl FnOnce(&[Namespace; N])) {
    let made: Vec<Namespace> = (0..N).map_while(|_| Namespace::new()).collect();
    let Ok(namespaces) = <[Namespace; N]>::try_from(made) else {
        assert!(
            std::env::var_os(INSIDE).is_none(),
            "{test}: network namespaces are not permitted here, even as root"
        );
        let program = std::env::current_exe().expect("this program");
        let status = Command::new("unshare")
            .args(["--user", "--map-root-user", "--net"])
            .arg(program)
            .args(["--exact", test, "--nocapture", "--test-threads", "1"])
            .env(INSIDE, "1")
            .status();
        let status =
            status.unwrap_or_else(|error| panic!("{test}: unshare, of the package util-linux: {error}"));
        assert!(
            status.success(),
            "{test}: network namespaces are not permitted here, or the test has failed in them"
        );
        return;
    };
    for namespace in &namespaces {
        namespace.ip("link set lo up");
    }
    scene(&namespaces);
}

/// Gives an interface the addresses 10.77.0.`number` and fd77::`number`, and no other route.
pub fn address(namespace: &Namespace, interface: &str, number: u8) {
    namespace.ip(&format!("addr add 10.77.0.{number}/24 brd + dev {interface}"));
    namespace.ip(&format!("addr add fd77::{number}/64 dev {interface} nodad"));
    namespace.ip(&format!("link set {interface} up"));
}

/// Two namespaces: one with 10.77.0.1 and fd77::1 on `one`, the other with 10.77.0.2 and fd77::2 on `two`. Neither has any other route.
pub fn in_two_namespaces(test: &str, scene: impl FnOnce(&Namespace, &Namespace)) {
    in_namespaces(test, |[here, there]| {
        here.ip(&format!("link add one type veth peer name two netns {}", there.id));
        address(here, "one", 1);
        address(there, "two", 2);
        scene(here, there);
    });
}
