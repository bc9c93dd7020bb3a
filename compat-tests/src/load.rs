//! Work beside a run, so that the programs are interrupted where they aren't otherwise.

use std::process::{Child, Command, Stdio};

/// A process for each processor, of the lowest priority, that does nothing for ever. They end with this.
pub struct Load(Vec<Child>);

impl Load {
    /// Starts them. Where one can't be started, there is that much less load, which is said.
    pub fn start() -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let mut children = Vec::new();
        for _ in 0..processors {
            let mut command = Command::new("nice");
            command.args(["-n", "19", "sh", "-c", "while :; do :; done"]).stdin(Stdio::null());
            match command.spawn() {
                Ok(child) => children.push(child),
                Err(error) => eprintln!("no load: nice: {error}"),
            }
        }
        Self(children)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // One that has ended is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
