//! Compares what happened with what must happen: the list of cases and the list of known failures.

use crate::lists::{KnownFailures, Program};
use crate::unity::{Outcome, WHOLE_PROGRAM};

/// The judgement on one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passed, and nothing else was expected.
    Passed,
    /// Upstream's test ignores it, on the reference too.
    Ignored(String),
    /// Its program skipped itself, as it does on the reference.
    Skipped(String),
    /// It failed, or did not run, as the list of known failures says.
    KnownFailure(String),
    /// It failed, did not run or skipped itself, and no list says so.
    Failed(String),
    /// It is listed as failing, but passed: the entry has to go.
    PassedThoughListed(String),
}

impl Verdict {
    /// True if it fails the run.
    pub fn is_unexpected(&self) -> bool {
        matches!(self, Verdict::Failed(_) | Verdict::PassedThoughListed(_))
    }
}

/// Judges the outcomes of one program, case by case.
pub fn judge(
    name: &str,
    expected: &Program,
    known: &KnownFailures,
    outcomes: &[(String, Outcome)],
    lacking: &[&str],
) -> Vec<(String, Verdict)> {
    // A program that ended before its first case has one outcome, which is that of all its cases.
    let whole = match outcomes {
        [(name, outcome)] if name == WHOLE_PROGRAM && !expected.cases.contains(name) => Some(outcome),
        _ => None,
    };
    let mut verdicts = Vec::new();
    for case in &expected.cases {
        let outcome = outcomes.iter().find(|(n, _)| n == case).map(|(_, o)| o).or(whole);
        let skip_is_fine = |why: &str| expected.may_skip.contains(case) || names_any(why, lacking);
        let verdict = match (outcome, known.reason(name, case)) {
            (Some(Outcome::Pass), None) if whole.is_none() => Verdict::Passed,
            (Some(Outcome::Pass), Some(reason)) if whole.is_none() => {
                Verdict::PassedThoughListed(reason.to_owned())
            }
            (Some(Outcome::Ignore(why)), None) if skip_is_fine(why) => Verdict::Ignored(why.clone()),
            (Some(Outcome::Skip(why)), None) if skip_is_fine(why) => Verdict::Skipped(why.clone()),
            (_, Some(reason)) => Verdict::KnownFailure(reason.to_owned()),
            (Some(Outcome::Ignore(why) | Outcome::Skip(why)), None) => {
                Verdict::Failed(format!("skipped, unlike on the reference: {why}"))
            }
            (Some(Outcome::Fail(why)), None) => Verdict::Failed(why.clone()),
            (Some(Outcome::Pass) | None, None) => Verdict::Failed("vanished: it did not run".to_owned()),
        };
        verdicts.push((case.clone(), verdict));
    }
    for (case, outcome) in outcomes {
        if expected.cases.contains(case) || (whole.is_some() && case == WHOLE_PROGRAM) {
            continue;
        }
        let why = match outcome {
            Outcome::Fail(why) => why.clone(),
            _ => "not in cases.toml: record the cases anew".to_owned(),
        };
        verdicts.push((case.clone(), Verdict::Failed(why)));
    }
    verdicts
}

/// True if upstream's message names something that the machine lacks, which no library can help.
fn names_any(why: &str, lacking: &[&str]) -> bool {
    let why = why.to_ascii_lowercase();
    lacking.iter().any(|word| why.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Program {
        Program {
            cases: vec!["one".to_owned(), "two".to_owned(), "three".to_owned()],
            may_skip: ["three".to_owned()].into(),
        }
    }

    fn known() -> KnownFailures {
        KnownFailures::parse("[test_a]\ntwo = \"needs CURVE\"\n").unwrap()
    }

    fn outcomes(list: &[(&str, Outcome)]) -> Vec<(String, Outcome)> {
        list.iter().map(|(name, outcome)| ((*name).to_owned(), outcome.clone())).collect()
    }

    fn verdicts(list: &[(&str, Outcome)]) -> Vec<Verdict> {
        judge("test_a", &expected(), &known(), &outcomes(list), &[]).into_iter().map(|(_, v)| v).collect()
    }

    fn fail() -> Outcome {
        Outcome::Fail("no".to_owned())
    }

    fn skip() -> Outcome {
        Outcome::Skip("not here".to_owned())
    }

    #[test]
    fn the_expected_run_has_nothing_unexpected() {
        let got = verdicts(&[("one", Outcome::Pass), ("two", fail()), ("three", skip())]);
        assert_eq!(
            got,
            [
                Verdict::Passed,
                Verdict::KnownFailure("needs CURVE".to_owned()),
                Verdict::Skipped("not here".to_owned())
            ]
        );
        assert!(!got.iter().any(Verdict::is_unexpected));
    }

    #[test]
    fn a_listed_case_that_passes_is_unexpected() {
        let got = verdicts(&[("one", Outcome::Pass), ("two", Outcome::Pass), ("three", Outcome::Pass)]);
        assert_eq!(got[1], Verdict::PassedThoughListed("needs CURVE".to_owned()));
        assert!(got[1].is_unexpected());
        assert_eq!(got[2], Verdict::Passed);
    }

    #[test]
    fn an_unlisted_case_that_fails_is_unexpected() {
        assert_eq!(
            verdicts(&[("one", fail()), ("two", fail()), ("three", skip())])[0],
            Verdict::Failed("no".to_owned())
        );
    }

    #[test]
    fn a_case_that_vanishes_is_unexpected_unless_it_is_listed() {
        let got = verdicts(&[("three", skip())]);
        assert!(matches!(&got[0], Verdict::Failed(why) if why.starts_with("vanished")));
        assert!(matches!(got[1], Verdict::KnownFailure(_)));
    }

    #[test]
    fn a_case_that_skips_itself_where_the_reference_runs_is_unexpected() {
        assert!(matches!(
            verdicts(&[("one", skip()), ("two", fail()), ("three", skip())])[0],
            Verdict::Failed(_)
        ));
    }

    #[test]
    fn a_case_that_nobody_recorded_is_unexpected() {
        let got =
            verdicts(&[("one", Outcome::Pass), ("two", fail()), ("three", skip()), ("four", Outcome::Pass)]);
        assert!(matches!(&got[3], Verdict::Failed(why) if why.contains("cases.toml")));
    }

    #[test]
    fn without_ipv6_the_cases_that_ask_for_it_may_skip() {
        let got = outcomes(&[("one", Outcome::Ignore("line 3: ipv6 is not available".to_owned()))]);
        let on = |lacking: &[&str]| judge("test_a", &expected(), &known(), &got, lacking).remove(0).1;
        assert!(matches!(on(&["multicast", "ipv6"]), Verdict::Ignored(_)));
        assert!(matches!(on(&["multicast"]), Verdict::Failed(_)));
    }

    #[test]
    fn a_program_that_ends_before_its_first_case_decides_all_of_them() {
        let got = verdicts(&[(WHOLE_PROGRAM, skip())]);
        assert!(matches!(got[0], Verdict::Failed(_)));
        assert!(matches!(got[1], Verdict::KnownFailure(_)));
        assert!(matches!(got[2], Verdict::Skipped(_)));
        assert_eq!(got.len(), 3);
        assert!(
            matches!(&verdicts(&[(WHOLE_PROGRAM, Outcome::Pass)])[0], Verdict::Failed(why) if why.starts_with("vanished"))
        );
    }
}
