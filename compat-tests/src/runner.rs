//! Runs programs in parallel, looks twice at what goes wrong, and collects the judgements.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::compile::Compiled;
use crate::library::Library;
use crate::lists::{Cases, KnownFailures, Program, ReferenceRuns};
use crate::sandbox::{self, Job, Network};
use crate::unity::{self, End, Outcome};
use crate::verdict::{Verdict, judge};

/// Isolated cases that may hang before the rest of the program is given up, so that a program of twenty cases that
/// all hang doesn't take twenty time limits.
const MAX_HANGS: u32 = 2;

/// Programs that get a second look. When more than that go wrong it is no bad luck, and the time is better saved.
const MAX_SECOND_LOOKS: usize = 12;

/// What one run of one program came to.
#[derive(Clone, Debug)]
pub struct ProgramRun {
    /// Case by case.
    pub outcomes: Vec<(String, Outcome)>,
    /// How the (first) process ended.
    pub end: Option<End>,
    /// How long it all took.
    pub seconds: f64,
    /// The end of what it wrote.
    pub tail: String,
}

/// What became of a program, after a second look where one was due.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Its name.
    pub name: String,
    /// Case by case.
    pub verdicts: Vec<(String, Verdict)>,
    /// What was unexpected the first time and not the second.
    pub flaky: Vec<(String, Verdict)>,
    /// The run that the verdicts are about.
    pub run: ProgramRun,
}

impl Judged {
    /// True if nothing in it fails the run.
    pub fn is_fine(&self) -> bool {
        !self.verdicts.iter().any(|(_, v)| v.is_unexpected())
    }
}

/// What all the runs have in common.
pub struct Runner<'a> {
    /// The library under test.
    pub library: &'a Library,
    /// The cases that must appear.
    pub cases: &'a Cases,
    /// The cases that are known to fail.
    pub known: &'a KnownFailures,
    /// How the reference fared.
    pub reference: &'a ReferenceRuns,
    /// Upstream's tree, for the names of cases in the sources.
    pub vendor: &'a Path,
    /// Where fuzz inputs are, one folder per program; it need not exist.
    pub corpora: PathBuf,
    /// Programs at a time.
    pub jobs: usize,
    /// Run only the cases whose name contains this.
    pub case_filter: Option<&'a str>,
    /// Whether a program that goes wrong gets a second chance.
    pub second_look: bool,
    /// What network the programs get.
    pub network: Network,
    /// Things that the machine lacks, in upstream's words for it: a case that skips itself for one of them may.
    pub lacking: Vec<&'static str>,
}

impl Runner<'_> {
    /// Runs all of them, longest first. `started` and `done` are told from several threads.
    pub fn run_all(
        &self,
        programs: &[(String, Compiled)],
        started: &(dyn Fn(&str) + Sync),
        done: &(dyn Fn(&Judged) + Sync),
    ) -> Vec<Judged> {
        let mut order: Vec<&(String, Compiled)> = programs.iter().collect();
        let seconds = |name: &str| self.reference.seconds.get(name).copied().unwrap_or(f64::MAX);
        order.sort_by(|a, b| seconds(&b.0).total_cmp(&seconds(&a.0)));
        let (next, looks) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let results = Mutex::new(BTreeMap::new());
        let folder = std::env::temp_dir().join(format!("compat-{}", std::process::id()));
        std::thread::scope(|scope| {
            for worker in 0..self.jobs {
                let (next, looks, results, order) = (&next, &looks, &results, &order);
                let folder = folder.join(worker.to_string());
                scope.spawn(move || {
                    while let Some((name, compiled)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                        started(name);
                        let judged = self.judge_program(name, compiled, &folder, looks);
                        done(&judged);
                        results.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), judged);
                    }
                });
            }
        });
        // The workers removed their own parts; nothing depends on the rest being gone.
        let _ = std::fs::remove_dir_all(&folder);
        results.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
    }

    fn judge_program(&self, name: &str, compiled: &Compiled, folder: &Path, looks: &AtomicUsize) -> Judged {
        let mut expected = self.cases.programs.get(name).cloned().unwrap_or_default();
        if let Some(filter) = self.case_filter {
            expected.cases.retain(|c| c.contains(filter));
        }
        let verdicts_of = |run: &ProgramRun| judge(name, &expected, self.known, &run.outcomes, &self.lacking);
        let first = self.run_program(name, compiled, &expected, folder);
        let verdicts = verdicts_of(&first);
        let unexpected: Vec<_> = verdicts.iter().filter(|(_, v)| v.is_unexpected()).cloned().collect();
        let fine = unexpected.is_empty() || !self.second_look || compiled.is_err();
        if fine || looks.fetch_add(1, Ordering::Relaxed) >= MAX_SECOND_LOOKS {
            return Judged { name: name.to_owned(), verdicts, flaky: Vec::new(), run: first };
        }
        let second = self.run_program(name, compiled, &expected, folder);
        let again = verdicts_of(&second);
        if again.iter().any(|(_, v)| v.is_unexpected()) {
            // The first run's account stays: it is the one that the second confirms.
            Judged { name: name.to_owned(), verdicts, flaky: Vec::new(), run: first }
        } else {
            Judged { name: name.to_owned(), verdicts: again, flaky: unexpected, run: second }
        }
    }

    /// One run of one program. Where it dies in a case, the cases after that one are run one by one, so that each has
    /// an outcome of its own.
    pub fn run_program(
        &self,
        name: &str,
        compiled: &Compiled,
        expected: &Program,
        folder: &Path,
    ) -> ProgramRun {
        let program = match compiled {
            Ok(program) => program,
            Err(message) => {
                let outcome = Outcome::Fail("it does not compile".to_owned());
                return ProgramRun {
                    outcomes: expected.cases.iter().map(|c| (c.clone(), outcome.clone())).collect(),
                    end: None,
                    seconds: 0.0,
                    tail: message.clone(),
                };
            }
        };
        let limit = self.reference.time_limit(name);
        let mut run = self.execute(program, folder, self.case_filter, limit);
        if run.end.is_some_and(End::is_orderly) || self.cases.programs.is_empty() {
            return run;
        }
        run.outcomes.retain(|(n, _)| n != unity::WHOLE_PROGRAM && n != unity::EXIT_STATUS);
        let reason = run.end.map_or("could not be started".to_owned(), End::describe);
        let missing: Vec<&String> =
            expected.cases.iter().filter(|c| !run.outcomes.iter().any(|(n, _)| n == *c)).collect();
        let Some((culprit, rest)) = missing.split_first() else {
            run.outcomes.push((unity::EXIT_STATUS.to_owned(), Outcome::Fail(reason)));
            return run;
        };
        run.outcomes.push(((*culprit).clone(), Outcome::Fail(reason)));
        let mut hangs = 0;
        for case in rest {
            let outcome = if hangs >= MAX_HANGS || *case == unity::WHOLE_PROGRAM {
                Outcome::Fail(format!("not reached: {culprit} ended the program"))
            } else {
                let alone = self.execute(program, folder, Some(case), limit);
                run.seconds += alone.seconds;
                let hung = matches!(alone.end, Some(End::TimeLimit(_) | End::Signal(libc::SIGALRM)));
                hangs += u32::from(hung);
                match alone.outcomes.into_iter().find(|(n, _)| n == *case) {
                    Some((_, outcome)) => outcome,
                    None => {
                        if !alone.tail.is_empty() {
                            run.tail = alone.tail;
                        }
                        Outcome::Fail(alone.end.map_or("could not be started".to_owned(), End::describe))
                    }
                }
            };
            run.outcomes.push(((*case).clone(), outcome));
        }
        run
    }

    fn execute(&self, program: &Path, folder: &Path, include: Option<&str>, time_limit: u64) -> ProgramRun {
        let corpus = program.file_name().map(|name| self.corpora.join(name)).filter(|c| c.is_dir());
        // Without one, this program skips itself.
        let kdc = program.ends_with("test_security_gssapi")
            && self.library.capabilities.contains(&"HAVE_LIBGSSAPI_KRB5")
            && sandbox::has_kdc();
        let job = Job { program, library_dir: &self.library.dir, folder, corpus, kdc, include, time_limit };
        match sandbox::run(&job, self.network) {
            Ok(finished) => ProgramRun {
                outcomes: unity::cases_of(&finished.stdout, finished.end),
                end: Some(finished.end),
                seconds: finished.seconds,
                tail: tail(&finished.stdout, &finished.stderr),
            },
            Err(error) => ProgramRun {
                outcomes: vec![(unity::WHOLE_PROGRAM.to_owned(), Outcome::Fail(error.to_string()))],
                end: None,
                seconds: 0.0,
                tail: error.to_string(),
            },
        }
    }

    /// The cases of a program as the reference's run shows them; from its source where it skipped itself before
    /// naming any.
    pub fn recorded_cases(&self, name: &str, run: &ProgramRun) -> Program {
        let mut program = Program::default();
        for (case, outcome) in &run.outcomes {
            if case == unity::EXIT_STATUS {
                continue;
            }
            program.cases.push(case.clone());
            if matches!(outcome, Outcome::Ignore(_) | Outcome::Skip(_)) {
                program.may_skip.insert(case.clone());
            }
        }
        if run.end == Some(End::Exit(unity::EXIT_SKIPPED)) && program.cases == [unity::WHOLE_PROGRAM] {
            let source =
                std::fs::read_to_string(self.vendor.join(format!("tests/{name}.cpp"))).unwrap_or_default();
            let named = unity::cases_in_source(&source);
            if !named.is_empty() {
                program.may_skip = named.iter().cloned().collect();
                program.cases = named;
            }
        }
        program
    }
}

/// The last lines of both outputs, without what is said elsewhere: Unity's verdicts and repetitions.
fn tail(stdout: &str, stderr: &str) -> String {
    let last = |text: &str, count: usize| {
        let mut lines: Vec<&str> =
            text.lines().filter(|l| !l.trim().is_empty() && unity::parse(l).is_empty()).collect();
        lines.dedup();
        lines[lines.len().saturating_sub(count)..].join("\n")
    };
    let mut text = last(stdout, 8);
    let errors = last(stderr, 8);
    if !errors.is_empty() {
        text.push_str("\n[stderr] ");
        text.push_str(&errors);
    }
    text
}
