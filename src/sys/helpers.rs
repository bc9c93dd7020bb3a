//! Threads for work that may take long, as what an I/O thread mustn't wait for: a name server, say, or a Kerberos KDC.
//!
//! They belong to the process. One is started when there is work and ends when there is none, so nobody has to end them, and `zmq_ctx_term` doesn't
//! wait for them: what they work on knows by itself when nobody wants it any more.

use super::fork::{self, ForkLock};
use super::thread::{self, SignalGuard};
use crate::error::Result;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The most threads at a time. Work that finds them all busy waits for its turn.
const MOST: usize = 16;

type Job = Box<dyn FnOnce() + Send>;

struct Pool {
    jobs: VecDeque<Job>,
    threads: usize,
    /// Of the process; see [`fork`].
    generation: u32,
}

static POOL: ForkLock<Pool> = ForkLock::new(Pool { jobs: VecDeque::new(), threads: 0, generation: 0 });

/// Has `job` done, soon.
///
/// # Errors
/// `EAGAIN`: there is no thread, and none can be made.
pub fn submit(job: Job) -> Result<()> {
    let mut pool = POOL.lock();
    if pool.generation != fork::generation() {
        // The threads are the parent's, and so are the jobs: not to be done here, nor to be dropped in the middle of something.
        std::mem::forget(std::mem::take(&mut pool.jobs));
        (pool.threads, pool.generation) = (0, fork::generation());
    }
    pool.jobs.push_back(job);
    if pool.threads == MOST {
        return Ok(());
    }
    pool.threads += 1;
    drop(pool);
    let _guard = SignalGuard::block_all();
    let Err(error) = std::thread::Builder::new().spawn(work) else { return Ok(()) };
    let mut pool = POOL.lock();
    pool.threads -= 1;
    if pool.threads > 0 {
        return Ok(());
    }
    let jobs = std::mem::take(&mut pool.jobs);
    drop(pool);
    drop(jobs);
    Err(error.into())
}

fn work() {
    thread::set_name(b"ZMQbg/Helper");
    loop {
        let mut pool = POOL.lock();
        let Some(job) = pool.jobs.pop_front() else {
            pool.threads -= 1;
            return;
        };
        drop(pool);
        // A panic is a bug of ours; it costs the job, not the thread.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn all_is_done_though_some_panic() {
        let (done, results) = mpsc::channel();
        for number in 0..100 {
            let done = done.clone();
            submit(Box::new(move || {
                assert_ne!(number % 10, 3, "this is part of the test");
                done.send(number).unwrap();
            }))
            .unwrap();
        }
        drop(done);
        let mut numbers: Vec<_> = results.iter().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..100).filter(|number| number % 10 != 3).collect::<Vec<_>>());
    }

    #[test]
    fn a_child_has_threads_of_its_own() {
        let (hold, held) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        submit(Box::new(move || {
            begun.send(()).unwrap();
            let _ = held.recv();
        }))
        .unwrap();
        begins.recv().unwrap();
        // SAFETY: the child makes a thread and waits for it, and ends. If it got stuck, SIGALRM would end it.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: async-signal-safe.
            unsafe { libc::alarm(20) };
            let (done, result) = mpsc::channel();
            let submitted = submit(Box::new(move || done.send(()).unwrap()));
            let done = submitted.is_ok() && result.recv().is_ok();
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(done.into()) };
        }
        let mut status = 0;
        // SAFETY: the child was just made, and `status` can be written.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1);
        drop(hold);
    }
}
