//! Threads for work that may take long, as what an I/O thread mustn't wait for: a name server, say, or a Kerberos KDC.
//!
//! They belong to the process. One is started when there is work and ends when there is none, so nobody has to end them, and `zmq_ctx_term` doesn't
//! wait for them: what they work on knows by itself when nobody wants it any more.

use super::fork::{self, ForkLock};
use super::thread::{self, Thread};
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
    let Err(error) = Thread::spawn(work) else { return Ok(()) };
    let mut pool = POOL.lock();
    pool.threads -= 1;
    if pool.threads > 0 {
        return Ok(());
    }
    let jobs = std::mem::take(&mut pool.jobs);
    drop(pool);
    drop(jobs);
    Err(error)
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
}
