//! What `make test-vm` runs in a machine of its own, whose kernel has families of sockets that this one's may lack: which programs, and what they came to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::lists::{Cases, KnownFailures, Program};
use crate::unity::{self, End};
use crate::vendor::package_dir;
use crate::verdict::{Verdict, judge};

/// The transports that need it.
const TRANSPORTS: [&str; 2] = ["tipc", "vmci"];

/// A program to run there, and the part of the names of its cases that are wanted; all of them if it is empty.
pub fn programs(cases: &Cases) -> Vec<(String, &'static str)> {
    let mut programs = Vec::new();
    for (name, program) in &cases.programs {
        if TRANSPORTS.iter().any(|transport| name.contains(transport)) {
            programs.push((name.clone(), ""));
        } else if let Some(part) =
            TRANSPORTS.into_iter().find(|part| program.cases.iter().any(|case| case.contains(part)))
        {
            programs.push((name.clone(), part));
        }
    }
    programs
}

/// What the machine wrote to its console.
#[derive(Debug, Default, PartialEq, Eq)]
struct Console {
    /// Its kernel.
    kernel: String,
    /// By name: what a program wrote, and its exit code. Those without a code did not come to an end.
    programs: BTreeMap<String, (String, Option<i32>)>,
    /// What libraries answered: `ROLE KIND NAME`, and the answer.
    answers: BTreeMap<String, String>,
    /// It came to its end.
    done: bool,
}

impl Console {
    /// Reads it: what stands between `=== begin NAME` and `=== end NAME CODE` is a program's.
    fn read(text: &str) -> Console {
        let mut console = Console::default();
        let mut current: Option<String> = None;
        for line in text.lines() {
            let Some((_, said)) = line.split_once("=== ") else {
                if let Some((output, _)) = current.as_ref().and_then(|name| console.programs.get_mut(name)) {
                    let _ = writeln!(output, "{line}");
                }
                continue;
            };
            let words: Vec<&str> = said.split_whitespace().collect();
            match words[..] {
                ["begin", name] => {
                    console.programs.insert(name.to_owned(), Default::default());
                    current = Some(name.to_owned());
                }
                ["end", name, code] => {
                    if let Some(program) = console.programs.get_mut(name) {
                        program.1 = code.parse().ok();
                    }
                    current = None;
                }
                ["kernel", kernel] => console.kernel = kernel.to_owned(),
                ["answer", role, kind, name, ref answer @ ..] => {
                    console.answers.insert(format!("{role} {kind} {name}"), answer.join(" "));
                }
                ["done"] => console.done = true,
                _ => {}
            }
        }
        console
    }
}

/// Where the results are kept, for `readme.sh` and the matrix.
fn folder() -> PathBuf {
    package_dir().join("target/vm")
}

/// Judges what a console shows. Nothing may skip itself there. Whether all is well.
pub fn judge_console(log: &Path) -> Result<bool, String> {
    let text = std::fs::read(log).map_err(|e| format!("{}: {e}", log.display()))?;
    let console = Console::read(&String::from_utf8_lossy(&text));
    let cases = Cases::load()?;
    let (mut passed, mut failed) = (0, 0);
    let mut results = String::new();
    for (name, part) in programs(&cases) {
        let mut expected = Program {
            may_skip: Default::default(),
            ..cases.programs.get(&name).cloned().unwrap_or_default()
        };
        expected.cases.retain(|case| case.contains(part));
        let outcomes = match console.programs.get(&name) {
            Some((output, Some(code))) => unity::cases_of(output, End::Exit(*code)),
            Some((output, None)) => unity::parse(output),
            None => Vec::new(),
        };
        for (case, verdict) in judge(&name, &expected, &KnownFailures::default(), &outcomes, &[]) {
            if verdict == Verdict::Passed {
                passed += 1;
                let _ = writeln!(results, "{name} {case}");
            } else {
                failed += 1;
                println!("FAIL  {name}: {case}: {verdict:?}");
            }
        }
    }
    let mut ours = 0;
    for line in console.programs.get("vm").map_or("", |(output, _)| output).lines() {
        match line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) {
            Some((_, "ok")) => ours += 1,
            Some((name, "FAILED")) => {
                failed += 1;
                println!("FAIL  tests/vm: {name}");
            }
            _ => {}
        }
    }
    if ours == 0 || console.programs.get("vm").is_none_or(|(_, code)| *code != Some(0)) {
        failed += 1;
        println!("FAIL  tests/vm did not end well");
    }
    for (asked, answer) in &console.answers {
        println!("{asked}: {answer}");
    }
    if !console.done {
        failed += 1;
        println!("FAIL  the machine did not come to its end");
    }
    let answers: Vec<String> =
        console.answers.iter().map(|(asked, answer)| format!("{asked} {answer}\n")).collect();
    let write = |name: &str, text: &str| std::fs::write(folder().join(name), text);
    std::fs::create_dir_all(folder())
        .and_then(|()| write("cases", &results))
        .and_then(|()| write("answers", &answers.concat()))
        .map_err(|e| format!("{}: {e}", folder().display()))?;
    println!("Linux {}: {passed} cases of upstream's, {ours} tests of ours", console.kernel);
    println!("{} passed, {failed} failed", passed + ours);
    Ok(failed == 0)
}

/// What a library (`ours`, `reference`) was seen to do there the last time, if it was asked.
pub fn answer(role: &str, kind: &str, name: &str) -> Option<String> {
    let answers = std::fs::read_to_string(folder().join("answers")).ok()?;
    let asked = format!("{role} {kind} {name} yes: ");
    answers.lines().find_map(|line| line.strip_prefix(&asked)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_is_taken_apart() {
        let console = Console::read(
            "SeaBIOS\r\n=== kernel 6.1\n=== begin a\nx.cpp:1:one:PASS\n[ 1.0] noise\n=== end a 0\n=== begin b\nx.cpp:1:two:PASS\n\
             === answer ours transport tipc yes: messages\n",
        );
        assert_eq!(console.kernel, "6.1");
        assert_eq!(console.programs["a"], ("x.cpp:1:one:PASS\n[ 1.0] noise\n".to_owned(), Some(0)));
        assert_eq!(console.programs["b"].1, None);
        assert_eq!(console.answers["ours transport tipc"], "yes: messages");
        assert!(!console.done);
    }

    #[test]
    fn the_programs_of_each_transport_are_chosen() {
        let programs = programs(&Cases::load().unwrap());
        let chosen = |name: &str| programs.iter().find(|(n, _)| n == name).map(|(_, part)| *part);
        assert_eq!(chosen("test_pair_tipc"), Some(""));
        assert_eq!(chosen("test_pair_vmci"), Some(""));
        assert_eq!(chosen("test_monitor"), Some("tipc"));
        assert_eq!(chosen("test_pair_tcp"), None);
    }
}
