//! How far the run is: one line that updates on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Shows how far a job of many parts is.
pub struct Progress {
    terminal: bool,
    state: Mutex<State>,
}

struct State {
    title: String,
    total: usize,
    done: usize,
    bad: usize,
    running: Vec<String>,
    start: Instant,
}

impl Progress {
    /// A job of `total` parts.
    pub fn new(title: &str, total: usize) -> Progress {
        let state = State {
            title: title.to_owned(),
            total,
            done: 0,
            bad: 0,
            running: Vec::new(),
            start: Instant::now(),
        };
        Progress { terminal: std::io::stderr().is_terminal(), state: Mutex::new(state) }
    }

    /// A part has begun.
    pub fn started(&self, name: &str) {
        self.update(|state| state.running.push(name.to_owned()), None);
    }

    /// A part is done. `line` says how it went: it stands for the part where there is no terminal, and also on one if
    /// it is bad news.
    pub fn finished(&self, name: &str, bad: bool, line: &str) {
        let show = bad || !self.terminal;
        self.update(
            |state| {
                state.running.retain(|n| n != name);
                state.done += 1;
                state.bad += usize::from(bad);
            },
            show.then_some(line),
        );
    }

    /// So many parts are done. Silent without a terminal.
    pub fn count(&self, done: usize, total: usize) {
        self.update(|state| (state.done, state.total) = (done, total), None);
    }

    /// Takes the updating line away.
    pub fn close(&self) {
        if self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    fn update(&self, change: impl FnOnce(&mut State), line: Option<&str>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        // Nobody can be told if the terminal is gone.
        let mut out = std::io::stderr().lock();
        if self.terminal {
            let _ = write!(out, "\r\x1b[K");
        }
        if let Some(line) = line {
            let _ = writeln!(out, "{line}");
        }
        if self.terminal {
            let seconds = state.start.elapsed().as_secs();
            let mut text = format!("{} {}/{}, {seconds} s", state.title, state.done, state.total);
            if state.bad > 0 {
                text.push_str(&format!(", {} bad", state.bad));
            }
            if !state.running.is_empty() {
                text.push_str(&format!(": {}", state.running.join(" ")));
            }
            let text: String = text.chars().take(100).collect();
            let _ = write!(out, "{text}");
        }
        let _ = out.flush();
    }
}
