//! How an I/O thread is set up, as the context's options say.

use crate::options::ContextOptions;
use crate::sys::thread;

/// Name, processors and scheduling of a thread to be.
pub struct Setup {
    name: Vec<u8>,
    processors: Vec<usize>,
    policy: Option<i32>,
    priority: Option<i32>,
}

impl Setup {
    /// For the I/O thread of this number.
    pub fn new(options: &ContextOptions, index: usize) -> Self {
        let prefix = &options.thread_name_prefix;
        let mut name = Vec::new();
        if !prefix.is_empty() {
            name.extend(prefix);
            name.push(b'/');
        }
        name.extend(format!("ZMQbg/IO/{index}").bytes());
        Self {
            name,
            processors: options
                .thread_affinity_cpus
                .iter()
                .filter_map(|&cpu| usize::try_from(cpu).ok())
                .collect(),
            policy: (options.thread_sched_policy >= 0).then_some(options.thread_sched_policy),
            priority: (options.thread_priority >= 0).then_some(options.thread_priority),
        }
    }

    /// In the new thread. What the system refuses (a priority that needs privileges) stays as it is.
    pub fn apply(&self) {
        thread::set_name(&self.name);
        if !self.processors.is_empty() {
            let _ = thread::set_affinity(&self.processors);
        }
        if self.policy.is_some() || self.priority.is_some() {
            let _ = thread::set_scheduling(self.policy, self.priority);
        }
    }
}
