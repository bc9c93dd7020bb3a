//! What the run came to: the table of failures, the last line, and `report.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::lists::ReferenceRuns;
use crate::runner::Judged;
use crate::verdict::Verdict;

/// How many cases went how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Passed.
    pub passed: usize,
    /// Failed, vanished, or passed though listed: what fails the run.
    pub failed: usize,
    /// Ignored by upstream's tests, as on the reference.
    pub ignored: usize,
    /// Of programs that skipped themselves, as on the reference.
    pub skipped: usize,
    /// Failed as listed.
    pub known: usize,
}

impl Counts {
    /// Counts the cases of all programs.
    pub fn of(judged: &[Judged]) -> Counts {
        let mut counts = Counts::default();
        for (_, verdict) in judged.iter().flat_map(|j| &j.verdicts) {
            match verdict {
                Verdict::Passed => counts.passed += 1,
                Verdict::Ignored(_) => counts.ignored += 1,
                Verdict::Skipped(_) => counts.skipped += 1,
                Verdict::KnownFailure(_) => counts.known += 1,
                Verdict::Failed(_) | Verdict::PassedThoughListed(_) => counts.failed += 1,
            }
        }
        counts
    }
}

/// Several runs as one: a case that went wrong in any of them has gone wrong, and how often is said.
pub fn merge(rounds: Vec<Vec<Judged>>) -> Vec<Judged> {
    let total = rounds.len();
    let mut merged: Vec<Judged> = Vec::new();
    let mut wrong: BTreeMap<(String, String), usize> = BTreeMap::new();
    for program in rounds.into_iter().flatten() {
        for (case, _) in program.verdicts.iter().filter(|(_, verdict)| verdict.is_unexpected()) {
            *wrong.entry((program.name.clone(), case.clone())).or_default() += 1;
        }
        let Some(known) = merged.iter_mut().find(|known| known.name == program.name) else {
            merged.push(program);
            continue;
        };
        if known.is_fine() && !program.is_fine() {
            known.run = program.run;
        }
        known.flaky.extend(program.flaky);
        for (case, verdict) in program.verdicts {
            match known.verdicts.iter_mut().find(|(name, _)| *name == case) {
                Some((_, before)) if !before.is_unexpected() => *before = verdict,
                Some(_) => {}
                None => known.verdicts.push((case, verdict)),
            }
        }
    }
    for program in merged.iter_mut().filter(|_| total > 1) {
        for (case, verdict) in &mut program.verdicts {
            if let (Some(n), Verdict::Failed(why)) =
                (wrong.get(&(program.name.clone(), case.clone())), &mut *verdict)
            {
                *why = format!("in {n} of {total} runs: {why}");
            }
        }
    }
    merged
}

/// The account of a run for a person: failures with what the programs wrote, then flaky programs, then counts.
pub fn account(role: &str, judged: &[Judged], reference: &ReferenceRuns) -> String {
    let mut text = String::new();
    for program in judged.iter().filter(|j| !j.is_fine()) {
        let end = program.run.end.map_or(String::new(), |e| format!(" ({})", e.describe()));
        let _ = writeln!(text, "\n{}{end}", program.name);
        for (case, verdict) in program.verdicts.iter().filter(|(_, v)| v.is_unexpected()) {
            let _ = writeln!(text, "    {case}: {}", say(verdict));
        }
        for line in program.run.tail.lines() {
            let _ = writeln!(text, "      | {line}");
        }
    }
    let flaky: Vec<&Judged> = judged.iter().filter(|j| !j.flaky.is_empty()).collect();
    for program in &flaky {
        let _ = writeln!(
            text,
            "\nFLAKY {}: the reference fails there in {}",
            program.name,
            reference.describe(&program.name)
        );
        for (case, verdict) in &program.flaky {
            let _ = writeln!(text, "    {case}: first {}, then as expected", say(verdict));
        }
    }
    let counts = Counts::of(judged);
    let _ = writeln!(
        text,
        "\n{role}: {} programs; {} cases fail as known-failures.toml says; {} programs flaky",
        judged.len(),
        counts.known,
        flaky.len()
    );
    text
}

/// The line that every run ends with.
pub fn last_line(counts: Counts) -> String {
    let Counts { passed, failed, ignored, skipped, .. } = counts;
    format!("{passed} passed, {failed} failed, {ignored} ignored, {skipped} skipped")
}

fn say(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Passed => "passed".to_owned(),
        Verdict::Ignored(why) => format!("ignored ({why})"),
        Verdict::Skipped(why) => format!("skipped ({why})"),
        Verdict::KnownFailure(why) => format!("fails as listed ({why})"),
        Verdict::Failed(why) => format!("FAILED: {why}"),
        Verdict::PassedThoughListed(why) => format!("PASSED THOUGH LISTED in known-failures.toml ({why})"),
    }
}

fn cell(verdict: Option<&Verdict>) -> &'static str {
    match verdict {
        None => "",
        Some(Verdict::Passed) => "pass",
        Some(Verdict::Ignored(_)) => "ignored",
        Some(Verdict::Skipped(_)) => "skip",
        Some(Verdict::KnownFailure(_)) => "known failure",
        Some(Verdict::Failed(_)) => "**fail**",
        Some(Verdict::PassedThoughListed(_)) => "**pass, though listed**",
    }
}

/// `report.md`: programs and cases, a column for each library that was run.
pub fn markdown(columns: &[(&str, &[Judged])], reference: &ReferenceRuns) -> String {
    let mut text = String::from("# Upstream's test programs\n\n");
    for (role, judged) in columns {
        let counts = Counts::of(judged);
        let _ = writeln!(text, "- {role}: {}, {} known failures", last_line(counts), counts.known);
    }
    let _ = writeln!(text, "- flakiness of the reference measured over {} runs\n", reference.runs);
    let mut rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for program in columns.iter().flat_map(|(_, judged)| judged.iter()) {
        let cases = rows.entry(&program.name).or_default();
        for (case, _) in &program.verdicts {
            if !cases.contains(&case.as_str()) {
                cases.push(case);
            }
        }
    }
    let header: Vec<&str> = columns.iter().map(|(role, _)| *role).collect();
    let _ = writeln!(text, "| program | case | {} | note |", header.join(" | "));
    let _ = writeln!(text, "|---|---|{}---|", "---|".repeat(columns.len()));
    for (program, cases) in &rows {
        for case in cases {
            let verdicts: Vec<Option<&Verdict>> = columns
                .iter()
                .map(|(_, judged)| {
                    let found = judged.iter().find(|j| j.name == *program)?;
                    found.verdicts.iter().find(|(n, _)| n == case).map(|(_, v)| v)
                })
                .collect();
            let mut notes: Vec<String> = verdicts
                .iter()
                .flatten()
                .filter_map(|v| match v {
                    Verdict::Passed => None,
                    Verdict::Ignored(w)
                    | Verdict::Skipped(w)
                    | Verdict::KnownFailure(w)
                    | Verdict::Failed(w)
                    | Verdict::PassedThoughListed(w) => Some(w.clone()),
                })
                .collect();
            notes.dedup();
            for (role, judged) in columns {
                let found = judged.iter().find(|j| j.name == *program);
                if found.is_some_and(|j| j.flaky.iter().any(|(n, _)| n == case)) {
                    notes.push(format!("flaky on {role}"));
                }
            }
            if let Some(n) = reference.failures.get(*program).and_then(|cases| cases.get(*case)) {
                notes.push(format!("the reference failed in {n} of {} runs", reference.runs_of(program)));
            }
            let cells: Vec<&str> = verdicts.into_iter().map(cell).collect();
            let note = notes.join("; ").replace('|', "\\|").replace('\n', " ");
            let _ = writeln!(text, "| {program} | {case} | {} | {note} |", cells.join(" | "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::ProgramRun;

    fn judged(verdicts: &[(&str, Verdict)]) -> Judged {
        Judged {
            name: "test_a".to_owned(),
            verdicts: verdicts.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect(),
            flaky: vec![("one".to_owned(), Verdict::Failed("late".to_owned()))],
            run: ProgramRun { outcomes: Vec::new(), end: None, seconds: 0.1, tail: "the end".to_owned() },
        }
    }

    #[test]
    fn several_runs_are_as_good_as_the_worst() {
        let run = |verdict: Verdict| vec![judged(&[("one", verdict), ("two", Verdict::Passed)])];
        let merged = merge(vec![
            run(Verdict::Passed),
            run(Verdict::Failed("no".to_owned())),
            run(Verdict::Passed),
            run(Verdict::Failed("again".to_owned())),
        ]);
        assert_eq!(last_line(Counts::of(&merged)), "1 passed, 1 failed, 0 ignored, 0 skipped");
        assert_eq!(merged[0].verdicts[0].1, Verdict::Failed("in 2 of 4 runs: no".to_owned()));
        let merged = merge(vec![run(Verdict::Failed("no".to_owned()))]);
        assert_eq!(merged[0].verdicts[0].1, Verdict::Failed("no".to_owned()));
    }

    #[test]
    fn counts_and_says_everything() {
        let programs = [judged(&[
            ("one", Verdict::Passed),
            ("two", Verdict::Failed("no".to_owned())),
            ("three", Verdict::KnownFailure("CURVE".to_owned())),
            ("four", Verdict::PassedThoughListed("PLAIN".to_owned())),
            ("five", Verdict::Skipped("the program skipped itself".to_owned())),
            ("six", Verdict::Ignored("ipv6".to_owned())),
        ])];
        assert_eq!(last_line(Counts::of(&programs)), "1 passed, 2 failed, 1 ignored, 1 skipped");
        let reference = ReferenceRuns { runs: 3, ..Default::default() };
        let text = account("ours", &programs, &reference);
        for part in
            ["two: FAILED: no", "four: PASSED THOUGH LISTED", "| the end", "FLAKY test_a", "0 of 3 runs"]
        {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
        let table = markdown(&[("ours", &programs), ("reference", &programs)], &reference);
        assert!(table.contains("| test_a | two | **fail** | **fail** | no |"), "{table}");
        assert!(table.contains("| test_a | six | ignored | ignored | ipv6 |"), "{table}");
    }
}
