//! The three committed lists: which cases there are, which of them are known to fail, and how the reference fared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::vendor::package_dir;

/// What must appear of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Its cases, in the order in which they run.
    pub cases: Vec<String>,
    /// The cases that the reference skips too, on a machine with all that the tests ask for in the ordinary way.
    pub may_skip: BTreeSet<String>,
}

/// Which programs and cases must appear: `cases.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cases {
    /// By program.
    pub programs: BTreeMap<String, Program>,
    /// Programs of upstream's that are not run, and why.
    pub excluded: BTreeMap<String, String>,
}

/// The cases that are known to fail, program -> case -> reason: `known-failures.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownFailures(pub BTreeMap<String, BTreeMap<String, String>>);

/// How the reference fared in measured runs: `reference-flaky.toml`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReferenceRuns {
    /// How many runs were measured.
    pub runs: u64,
    /// How many runs of a program were measured, where it was another number.
    pub measured: BTreeMap<String, u64>,
    /// In how many of them a case failed, program -> case, without those that never failed.
    pub failures: BTreeMap<String, BTreeMap<String, u64>>,
    /// The longest that a program took, in seconds.
    pub seconds: BTreeMap<String, f64>,
}

/// `cases.toml`.
pub fn cases_path() -> PathBuf {
    package_dir().join("cases.toml")
}

/// `known-failures.toml`.
pub fn known_failures_path() -> PathBuf {
    package_dir().join("known-failures.toml")
}

/// `reference-flaky.toml`.
pub fn reference_runs_path() -> PathBuf {
    package_dir().join("reference-flaky.toml")
}

fn load(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn table(text: &str) -> Result<toml::Table, String> {
    text.parse::<toml::Table>().map_err(|e| e.to_string())
}

fn strings(value: Option<&toml::Value>) -> Result<Vec<String>, String> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let array = value.as_array().ok_or("expected an array of strings")?;
    array.iter().map(|v| v.as_str().map(str::to_owned).ok_or("expected a string".to_owned())).collect()
}

impl Cases {
    /// Reads `cases.toml`.
    pub fn load() -> Result<Cases, String> {
        Cases::parse(&load(&cases_path())?).map_err(|e| format!("cases.toml: {e}"))
    }

    /// Reads the list from its text.
    pub fn parse(text: &str) -> Result<Cases, String> {
        let mut cases = Cases::default();
        for (key, value) in table(text)? {
            let section = value.as_table().ok_or(format!("{key}: expected a table"))?;
            if key == "excluded" {
                for (path, reason) in section {
                    let reason = reason.as_str().ok_or(format!("{path}: expected a reason"))?;
                    cases.excluded.insert(path.clone(), reason.to_owned());
                }
                continue;
            }
            let program = Program {
                cases: strings(section.get("cases")).map_err(|e| format!("{key}: {e}"))?,
                may_skip: strings(section.get("may_skip"))
                    .map_err(|e| format!("{key}: {e}"))?
                    .into_iter()
                    .collect(),
            };
            if program.cases.is_empty() {
                return Err(format!("{key}: has no cases"));
            }
            cases.programs.insert(key, program);
        }
        Ok(cases)
    }

    /// The list as text.
    pub fn to_text(&self) -> String {
        let mut text = String::from(
            "# Every program and case of upstream's that must appear. One that vanishes fails the run.\n\
             # Written by `compat-tests record-cases` from runs of the reference library; `may_skip` is what it skips.\n\
             # Only [excluded] is edited by hand.\n\n[excluded]\n",
        );
        for (path, reason) in &self.excluded {
            let _ = writeln!(text, "{path:?} = {reason:?}");
        }
        for (name, program) in &self.programs {
            let _ = write!(text, "\n[{name}]\ncases = {}", array(program.cases.iter()));
            if !program.may_skip.is_empty() {
                let _ = write!(text, "may_skip = {}", array(program.may_skip.iter()));
            }
        }
        text
    }
}

fn array<'a>(items: impl Iterator<Item = &'a String>) -> String {
    let items: Vec<String> = items.map(|i| format!("{i:?}")).collect();
    let line = format!("[{}]\n", items.join(", "));
    if line.len() < 100 { line } else { format!("[\n    {},\n]\n", items.join(",\n    ")) }
}

impl KnownFailures {
    /// Reads `known-failures.toml`.
    pub fn load() -> Result<KnownFailures, String> {
        KnownFailures::parse(&load(&known_failures_path())?).map_err(|e| format!("known-failures.toml: {e}"))
    }

    /// Reads the list from its text.
    pub fn parse(text: &str) -> Result<KnownFailures, String> {
        let mut known = KnownFailures::default();
        for (program, value) in table(text)? {
            let section = value.as_table().ok_or(format!("{program}: expected a table"))?;
            for (case, reason) in section {
                let reason = reason.as_str().filter(|r| !r.trim().is_empty());
                let reason = reason.ok_or(format!("{program}: {case}: expected a reason"))?;
                known.0.entry(program.clone()).or_default().insert(case.clone(), reason.to_owned());
            }
        }
        Ok(known)
    }

    /// Entries that name no program or case of the list.
    pub fn strays(&self, cases: &Cases) -> Vec<String> {
        let mut strays = Vec::new();
        for (program, entries) in &self.0 {
            for case in entries.keys() {
                let exists = cases.programs.get(program).is_some_and(|p| p.cases.contains(case));
                if !exists {
                    strays.push(format!("known-failures.toml: {program}: {case}: no such case"));
                }
            }
        }
        strays
    }

    /// The reason why a case is known to fail.
    pub fn reason(&self, program: &str, case: &str) -> Option<&str> {
        self.0.get(program)?.get(case).map(String::as_str)
    }
}

impl ReferenceRuns {
    /// Reads `reference-flaky.toml`.
    pub fn load() -> Result<ReferenceRuns, String> {
        ReferenceRuns::parse(&load(&reference_runs_path())?).map_err(|e| format!("reference-flaky.toml: {e}"))
    }

    /// Reads the table from its text.
    pub fn parse(text: &str) -> Result<ReferenceRuns, String> {
        let root = table(text)?;
        let count = |value: &toml::Value| value.as_integer().and_then(|n| u64::try_from(n).ok());
        let mut runs =
            ReferenceRuns { runs: root.get("runs").and_then(count).unwrap_or(0), ..Default::default() };
        for (program, value) in root.get("measured").and_then(|v| v.as_table()).into_iter().flatten() {
            let n = count(value).ok_or(format!("{program}: expected a count"))?;
            runs.measured.insert(program.clone(), n);
        }
        for (program, value) in root.get("failures").and_then(|v| v.as_table()).into_iter().flatten() {
            for (case, n) in value.as_table().into_iter().flatten() {
                let n = count(n).ok_or(format!("{program}: {case}: expected a count"))?;
                runs.failures.entry(program.clone()).or_default().insert(case.clone(), n);
            }
        }
        for (program, value) in root.get("seconds").and_then(|v| v.as_table()).into_iter().flatten() {
            let seconds = value.as_float().ok_or(format!("{program}: expected seconds"))?;
            runs.seconds.insert(program.clone(), seconds);
        }
        Ok(runs)
    }

    /// The table as text.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "# How the reference library fared. Written by `compat-tests measure-reference --repeat N`.\n\
             # `failures`: in how many of the runs a case failed. `seconds`: the longest that a program took, from which\n\
             # its time limit follows and the order in which the programs are started. `measured`: the runs of programs that were\n\
             # measured another number of times.\n\nruns = {}\n",
            self.runs
        );
        let apart: Vec<_> = self.measured.iter().filter(|(_, n)| **n != self.runs).collect();
        if !apart.is_empty() {
            text.push_str("\n[measured]\n");
        }
        for (program, n) in apart {
            let _ = writeln!(text, "{program} = {n}");
        }
        for (program, cases) in &self.failures {
            let _ = writeln!(text, "\n[failures.{program}]");
            for (case, n) in cases {
                let _ = writeln!(text, "{case:?} = {n}");
            }
        }
        text.push_str("\n[seconds]\n");
        for (program, seconds) in &self.seconds {
            let _ = writeln!(text, "{program} = {seconds:.1}");
        }
        text
    }

    /// In words, how often the reference failed in this program: the worst of its cases.
    pub fn describe(&self, program: &str) -> String {
        let worst = self.failures.get(program).and_then(|cases| cases.values().max()).copied().unwrap_or(0);
        format!("{worst} of {} runs", self.runs_of(program))
    }

    /// How many runs of that program were measured.
    pub fn runs_of(&self, program: &str) -> u64 {
        self.measured.get(program).copied().unwrap_or(self.runs)
    }

    /// The seconds that a program may take here: generous, because a machine under load is slow and a wrong
    /// limit is a wrong verdict.
    pub fn time_limit(&self, program: &str) -> u64 {
        match self.seconds.get(program) {
            Some(seconds) => (15.0 + 4.0 * seconds).ceil() as u64,
            // Not measured: beyond the longest alarm that a program sets for itself, but for two of 360 s.
            None => 200,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_survive_writing_and_reading() {
        let mut cases = Cases::default();
        cases.excluded.insert("unittests/a.cpp".to_owned(), "reaches \"inside\"".to_owned());
        let long: Vec<String> = (0..20).map(|i| format!("test_number_{i}")).collect();
        cases
            .programs
            .insert("test_a".to_owned(), Program { may_skip: [long[3].clone()].into(), cases: long });
        cases.programs.insert(
            "test_b".to_owned(),
            Program { cases: vec!["(program)".to_owned()], may_skip: BTreeSet::new() },
        );
        assert_eq!(Cases::parse(&cases.to_text()), Ok(cases));
    }

    #[test]
    fn reference_runs_survive_writing_and_reading() {
        let mut runs = ReferenceRuns { runs: 7, ..Default::default() };
        runs.failures.entry("test_a".to_owned()).or_default().insert("case (x)".to_owned(), 2);
        runs.seconds.insert("test_a".to_owned(), 1.5);
        runs.measured.insert("test_c".to_owned(), 20);
        assert_eq!(ReferenceRuns::parse(&runs.to_text()), Ok(runs.clone()));
        assert_eq!(runs.describe("test_a"), "2 of 7 runs");
        assert_eq!(runs.describe("test_b"), "0 of 7 runs");
        assert_eq!(runs.describe("test_c"), "0 of 20 runs");
    }

    #[test]
    fn a_known_failure_needs_a_reason_and_a_case_that_exists() {
        assert!(KnownFailures::parse("[test_a]\none = \" \"\n").is_err());
        let known = KnownFailures::parse("[test_a]\none = \"CURVE\"\ngone = \"CURVE\"\n").unwrap();
        let cases = Cases::parse("[test_a]\ncases = [\"one\"]\n").unwrap();
        assert_eq!(known.strays(&cases), ["known-failures.toml: test_a: gone: no such case"]);
    }

    #[test]
    fn the_committed_lists_agree() {
        let cases = Cases::load().unwrap();
        assert_eq!(KnownFailures::load().unwrap().strays(&cases), [""; 0]);
        for program in ReferenceRuns::load().unwrap().seconds.keys() {
            assert!(cases.programs.contains_key(program), "reference-flaky.toml: {program}: no such program");
        }
        for (name, program) in &cases.programs {
            for case in &program.may_skip {
                assert!(program.cases.contains(case), "cases.toml: {name}: may_skip: {case}: no such case");
            }
        }
    }
}
