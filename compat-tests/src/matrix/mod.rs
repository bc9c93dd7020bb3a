//! The matrix: each function, socket type, option, transport, mechanism, errno and event of zmq.h, asked of three libraries one by one, each time in a process of
//! its own; and the test that shows it.

mod items;
mod libraries;
#[allow(unsafe_code)]
mod probe;
mod witnesses;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::library::Library;
use crate::machine;
use crate::progress::Progress;
use crate::vendor::package_dir;
use libraries::Asked;
pub use libraries::debian;
use witnesses::Witnesses;

pub use probe::run as probe;

/// What may be missing.
const NOT_YET: &[&str] = &[];

/// A row: what is asked for, and by which name.
struct Row {
    kind: &'static str,
    name: String,
    /// What the sources of tests call it.
    term: String,
}

/// A table, with its heading.
struct Section {
    title: &'static str,
    rows: Vec<Row>,
}

fn sections() -> Result<Vec<Section>, String> {
    let row =
        |kind, name: &str, prefix: &str| Row { kind, name: name.to_owned(), term: format!("{prefix}{name}") };
    let rows = |kind, names: &mut dyn Iterator<Item = &str>, prefix: &str| -> Vec<Row> {
        names.map(|name| row(kind, name, prefix)).collect()
    };
    let list = package_dir().with_file_name("tests/abi_functions.txt");
    let functions = std::fs::read_to_string(&list).map_err(|e| format!("{}: {e}", list.display()))?;
    let mut names = functions.lines().filter_map(|line| line.split_whitespace().nth(1));
    let transports = items::TRANSPORTS.iter().map(|(name, _)| Row {
        kind: "transport",
        name: (*name).to_owned(),
        term: if name.contains(' ') { "ZMQ_SOCKS_PROXY".to_owned() } else { format!("{name}://") },
    });
    let mechanisms = items::MECHANISMS.iter().map(|name| Row {
        kind: "mechanism",
        name: (*name).to_owned(),
        term: if *name == "NULL" { "ZMQ_NULL".to_owned() } else { format!("ZMQ_{name}_SERVER") },
    });
    Ok(vec![
        Section { title: "Functions", rows: rows("function", &mut names, "") },
        Section {
            title: "Socket types",
            rows: rows("socket-type", &mut items::SOCKET_TYPES.into_iter(), "ZMQ_"),
        },
        Section { title: "Transports", rows: transports.collect() },
        Section { title: "Mechanisms", rows: mechanisms.collect() },
        Section {
            title: "What zmq_has says",
            rows: items::CAPABILITIES
                .iter()
                .map(|name| Row { kind: "capability", name: (*name).to_owned(), term: "zmq_has".to_owned() })
                .collect(),
        },
        Section {
            title: "Socket options",
            rows: rows("socket-option", &mut items::SOCKET_OPTIONS.iter().map(|(name, _)| *name), "ZMQ_"),
        },
        Section {
            title: "Context options",
            rows: rows("context-option", &mut items::CONTEXT_OPTIONS.iter().map(|(name, _)| *name), "ZMQ_"),
        },
        Section {
            title: "Message options",
            rows: rows("message-option", &mut items::MESSAGE_OPTIONS.iter().map(|(name, _)| *name), "ZMQ_"),
        },
        Section { title: "Error numbers", rows: rows("errno", &mut items::ERRNOS.into_iter(), "") },
        Section {
            title: "Monitor events",
            rows: rows("event", &mut items::EVENTS.iter().map(|(name, _)| *name), "ZMQ_EVENT_"),
        },
    ])
}

/// Writes `target/matrix.md`.
pub fn write(ours: &Library, reference: &Library, vendor: &Path) -> Result<bool, String> {
    let asked = libraries::all(ours, reference)?;
    let sections = sections()?;
    let witnesses = Witnesses::read(vendor)?;
    let questions: Vec<(&Row, &Asked)> =
        sections.iter().flat_map(|s| &s.rows).flat_map(|row| asked.iter().map(move |a| (row, a))).collect();
    let answers = ask_all(&questions)?;

    let mut text = String::from(
        "## What there is\n\nEach row was asked of each library in a process of its own. *messages*: they came through. An errno in italics is what the call failed \
         with. The last column names the test that speaks of it most: one of upstream's programs that pass, or else a file of ours.\n",
    );
    let (mut answers, mut missing) = (answers.into_iter(), Vec::new());
    for section in &sections {
        let _ = write!(text, "\n### {}\n\n| |", section.title);
        for library in &asked {
            let _ = write!(text, " {} |", library.title);
        }
        let _ = write!(text, " test |\n|---|{}---|\n", "---|".repeat(asked.len()));
        for row in &section.rows {
            let cells: Vec<Answer> = answers.by_ref().take(asked.len()).collect();
            let (first, upstream) = (cells.first(), cells.last());
            if first.is_some_and(|a| !a.is_there()) && upstream.is_some_and(Answer::is_there) {
                missing.push(format!("{} `{}`", row.kind, row.name));
            }
            let cells: Vec<String> = cells.iter().map(Answer::cell).collect();
            let _ =
                writeln!(text, "| `{}` | {} | {} |", row.name, cells.join(" | "), witnesses.of(&row.term));
        }
    }
    if !missing.is_empty() {
        let _ = writeln!(text, "\nMissing here, unlike in 4.3.5: {}.", missing.join(", "));
    }
    let path = package_dir().join("target/matrix.md");
    std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    let unexpected = missing.iter().filter(|what| !NOT_YET.iter().any(|name| what.contains(name)));
    let unexpected: Vec<&String> = unexpected.collect();
    for what in &unexpected {
        println!("missing: {what}");
    }
    println!("{} rows: {}", sections.iter().map(|s| s.rows.len()).sum::<usize>(), path.display());
    Ok(unexpected.is_empty())
}

/// What came of a question.
#[derive(Clone, Debug)]
enum Answer {
    Yes(String),
    No(String),
}

impl Answer {
    fn is_there(&self) -> bool {
        matches!(self, Self::Yes(_))
    }

    fn cell(&self) -> String {
        match self {
            Self::Yes(what) => what.clone(),
            Self::No(why) => format!("*{why}*"),
        }
    }
}

fn ask_all(questions: &[(&Row, &Asked)]) -> Result<Vec<Answer>, String> {
    let progress = Progress::new("asking", questions.len());
    let (next, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let answers: Mutex<Vec<Option<Answer>>> = Mutex::new(vec![None; questions.len()]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((index, (row, asked))) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    questions.get(index).map(|question| (index, question))
                } {
                    let answer = ask(asked, row.kind, &row.name);
                    if let Ok(mut answers) = answers.lock() {
                        answers[index] = Some(answer);
                    }
                    progress.count(finished.fetch_add(1, Ordering::Relaxed) + 1, questions.len());
                }
            });
        }
    });
    progress.close();
    let answers = answers.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    answers.into_iter().map(|answer| answer.ok_or("a question without an answer".to_owned())).collect()
}

fn ask(asked: &Asked, kind: &str, name: &str) -> Answer {
    let run = || -> std::io::Result<Answer> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["probe", kind, name, "--library"]).arg(&asked.file).env_remove("LD_PRELOAD");
        if let Some(path) = &asked.path {
            command.env("LD_LIBRARY_PATH", path);
        }
        let output = command.output()?;
        // The last line: libraries that a library uses have things to say as well.
        let said = String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned();
        Ok(match (output.status.code(), said.split_once(' ')) {
            (Some(0), Some(("yes:", what))) if what == "missing" || what == "no" => {
                Answer::No(what.to_owned())
            }
            (Some(0), Some(("yes:", what))) => Answer::Yes(what.to_owned()),
            (Some(0), Some(("no:", why))) => Answer::No(why.to_owned()),
            (Some(code), _) => Answer::No(format!("the process exits with {code}")),
            (None, _) => Answer::No("the process dies".to_owned()),
        })
    };
    let answer = run().unwrap_or_else(|error| Answer::No(error.to_string()));
    if answer.is_there() {
        return answer;
    }
    // What this machine lacks, another one may have had.
    machine::answer(asked.role, kind, name)
        .map_or(answer, |what| Answer::Yes(format!("{what} (`make test-vm`)")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let sections = sections().unwrap();
        assert_eq!(sections[0].rows.len(), 97);
        for section in &sections {
            for (index, row) in section.rows.iter().enumerate() {
                assert!(section.rows[..index].iter().all(|other| other.name != row.name), "{}", row.name);
            }
        }
    }
}
