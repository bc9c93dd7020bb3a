//! Reads what a program wrote: one line per case, `FILE:LINE:NAME:PASS`, `...:FAIL: MESSAGE` or `...:IGNORE: MESSAGE`.

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed.
    Pass,
    /// It failed, and why.
    Fail(String),
    /// It says that it can't be run here, and why (Unity's `IGNORE`).
    Ignore(String),
    /// The program says that for all its cases, by its exit code.
    Skip(String),
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this exit code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// It had to be killed after this many seconds.
    TimeLimit(u64),
}

impl End {
    /// True if the program ran to its end, whether its cases passed or not.
    pub fn is_orderly(self) -> bool {
        matches!(self, End::Exit(_))
    }

    /// Says it in words.
    pub fn describe(self) -> String {
        match self {
            End::Exit(code) => format!("exit code {code}"),
            End::Signal(libc::SIGABRT) => "aborted".to_owned(),
            End::Signal(libc::SIGSEGV) => "segmentation fault".to_owned(),
            End::Signal(libc::SIGALRM) => "hung (its own alarm ended it)".to_owned(),
            End::Signal(signal) => format!("killed by signal {signal}"),
            End::TimeLimit(seconds) => format!("hung (time limit of {seconds} s)"),
        }
    }
}

/// The exit code by which a program says that it can't run here.
pub const EXIT_SKIPPED: i32 = 77;

/// The case that stands for a program without Unity's output.
pub const WHOLE_PROGRAM: &str = "(program)";

/// The case that fails when all cases passed and the program still ended badly.
pub const EXIT_STATUS: &str = "(exit status)";

/// The cases in `stdout`, in order. A name that occurs several times (a case run for several transports) is one
/// case with the worst of the outcomes.
pub fn parse(stdout: &str) -> Vec<(String, Outcome)> {
    let mut cases: Vec<(String, Outcome)> = Vec::new();
    for line in stdout.lines() {
        let Some((name, outcome)) = parse_line(line) else { continue };
        match cases.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) if rank(&outcome) > rank(known) => *known = outcome,
            Some(_) => {}
            None => cases.push((name, outcome)),
        }
    }
    cases
}

fn rank(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Pass => 0,
        Outcome::Ignore(_) | Outcome::Skip(_) => 1,
        Outcome::Fail(_) => 2,
    }
}

/// One line. The program's own output may stand before Unity's on the same line, so the place is found by
/// `.cpp:DIGITS:`.
fn parse_line(line: &str) -> Option<(String, Outcome)> {
    for (at, _) in line.match_indices(".cpp:") {
        let (number, rest) = line[at + 5..].split_once(':')?;
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let Some((name, verdict)) = rest.split_once(':') else { continue };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            continue;
        }
        let (word, message) = verdict.split_once(':').unwrap_or((verdict, ""));
        let message = format!("line {number}: {}", message.trim());
        match word.trim_end() {
            "PASS" => return Some((name.to_owned(), Outcome::Pass)),
            "FAIL" => return Some((name.to_owned(), Outcome::Fail(message))),
            "IGNORE" => return Some((name.to_owned(), Outcome::Ignore(message))),
            _ => {}
        }
    }
    None
}

/// The cases of a program that ended like this, among them the pseudo cases.
pub fn cases_of(stdout: &str, end: End) -> Vec<(String, Outcome)> {
    let mut cases = parse(stdout);
    if cases.is_empty() {
        let outcome = match end {
            End::Exit(0) => Outcome::Pass,
            End::Exit(EXIT_SKIPPED) => Outcome::Skip("the program skipped itself".to_owned()),
            other => Outcome::Fail(other.describe()),
        };
        cases.push((WHOLE_PROGRAM.to_owned(), outcome));
    } else if end != End::Exit(0)
        && end != End::Exit(EXIT_SKIPPED)
        && !cases.iter().any(|(_, outcome)| matches!(outcome, Outcome::Fail(_)))
    {
        cases.push((EXIT_STATUS.to_owned(), Outcome::Fail(end.describe())));
    }
    cases
}

/// The cases that a program's source names in `RUN_TEST`, for programs that skip themselves before they name any.
pub fn cases_in_source(source: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (at, _) in source.match_indices("RUN_TEST") {
        let rest = source[at + 8..].trim_start();
        let Some(argument) = rest.strip_prefix('(').and_then(|r| r.split(')').next()) else { continue };
        let name = argument.trim();
        if !name.is_empty() && !names.iter().any(|n| n == name) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_three_verdicts() {
        let out = "/v/tests/test_a.cpp:10:test_one:PASS\n\
                   /v/tests/test_a.cpp:22:test_two:FAIL: Expected 1 Was 2\n\
                   /v/tests/test_a.cpp:30:test_three:IGNORE: ipv6 is not available\n\
                   -----------------------\n3 Tests 1 Failures 1 Ignored \nFAIL\n";
        assert_eq!(
            parse(out),
            [
                ("test_one".to_owned(), Outcome::Pass),
                ("test_two".to_owned(), Outcome::Fail("line 22: Expected 1 Was 2".to_owned())),
                ("test_three".to_owned(), Outcome::Ignore("line 30: ipv6 is not available".to_owned())),
            ]
        );
    }

    #[test]
    fn finds_a_verdict_behind_other_output() {
        let out = "progress 10%/v/tests/test_a.cpp:7:test_x:PASS\nsee a.cpp:b.cpp:3:test_y:FAIL\n";
        let names: Vec<_> = parse(out).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["test_x", "test_y"]);
    }

    #[test]
    fn lines_that_only_look_alike_are_not_cases() {
        assert_eq!(
            parse("x.cpp:12: error: something:PASS\nx.cpp:1:a b:PASS\nx.cpp:n:a:PASS\nx.cpp:1:a:PASSED\n"),
            []
        );
    }

    #[test]
    fn a_repeated_case_counts_once_with_its_worst_outcome() {
        let out = "a.cpp:1:t:PASS\na.cpp:2:t:FAIL: no\na.cpp:1:t:PASS\n";
        assert_eq!(parse(out), [("t".to_owned(), Outcome::Fail("line 2: no".to_owned()))]);
    }

    #[test]
    fn a_program_without_cases_is_judged_by_its_exit_code() {
        let whole = |outcome| [(WHOLE_PROGRAM.to_owned(), outcome)];
        assert_eq!(cases_of("hello", End::Exit(0)), whole(Outcome::Pass));
        assert!(matches!(cases_of("", End::Exit(77))[0].1, Outcome::Skip(_)));
        assert_eq!(cases_of("", End::Exit(3)), whole(Outcome::Fail("exit code 3".to_owned())));
        assert_eq!(cases_of("", End::Signal(libc::SIGABRT)), whole(Outcome::Fail("aborted".to_owned())));
    }

    #[test]
    fn a_bad_end_after_good_cases_is_a_failure() {
        let cases = cases_of("a.cpp:1:t:PASS\n", End::Signal(libc::SIGSEGV));
        assert_eq!(cases[1], (EXIT_STATUS.to_owned(), Outcome::Fail("segmentation fault".to_owned())));
        assert_eq!(cases_of("a.cpp:1:t:FAIL: x\n", End::Exit(1)).len(), 1);
    }

    #[test]
    fn finds_the_cases_in_a_source() {
        let source =
            "int main () { UNITY_BEGIN ();\n RUN_TEST (test_a);\n RUN_TEST(test_b); RUN_TEST (test_a); }";
        assert_eq!(cases_in_source(source), ["test_a", "test_b"]);
    }
}
