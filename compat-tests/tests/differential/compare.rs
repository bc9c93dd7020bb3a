//! What two runs of a script differ in, and which differences are known.

use std::path::Path;

use serde::Deserialize;

/// Neighbouring lines that one library has and the other has not.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hunk {
    /// The line before it, which both have.
    pub after: String,
    pub reference: Vec<String>,
    pub ours: Vec<String>,
}

/// The differences between two lists of lines, by their longest common subsequence.
pub fn differences(reference: &[String], ours: &[String]) -> Vec<Hunk> {
    let same_start = reference.iter().zip(ours).take_while(|(a, b)| a == b).count();
    let (a, b) = (&reference[same_start..], &ours[same_start..]);
    // common[i][j]: the length for the lines from i and j on.
    let mut common = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] =
                if a[i] == b[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let before = same_start.checked_sub(1).map(|index| reference[index].clone()).unwrap_or_default();
    let (mut hunks, mut open) = (Vec::new(), Hunk { after: before, ..Hunk::default() });
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            let next = Hunk { after: a[i].clone(), ..Hunk::default() };
            let done = std::mem::replace(&mut open, next);
            if !done.reference.is_empty() || !done.ours.is_empty() {
                hunks.push(done);
            }
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && common[i + 1][j] >= common[i][j + 1]) {
            open.reference.push(a[i].clone());
            i += 1;
        } else {
            open.ours.push(b[j].clone());
            j += 1;
        }
    }
    if !open.reference.is_empty() || !open.ours.is_empty() {
        hunks.push(open);
    }
    hunks
}

/// A difference that is there for a reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The beginning of the row of docs/differences.md that gives the reason.
    pub row: String,
    /// The case; `*` stands for any text.
    pub case: String,
    /// What each of the reference's lines is one of; `*` stands for any text.
    #[serde(default)]
    pub reference: Vec<String>,
    /// The same for ours.
    #[serde(default)]
    pub ours: Vec<String>,
    /// The reference does one thing or the other from run to run, so it may not be seen.
    #[serde(default)]
    pub sometimes: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    difference: Vec<Known>,
}

impl Known {
    /// Reads the list, and looks each row up in the document.
    pub fn read(list: &Path, document: &Path) -> Result<Vec<Self>, String> {
        let read =
            |path: &Path| std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()));
        let known: List = toml::from_str(&read(list)?).map_err(|e| format!("{}: {e}", list.display()))?;
        let document = read(document)?;
        for known in &known.difference {
            if !document.lines().any(|line| line.starts_with(&format!("| {}", known.row))) {
                return Err(format!("{} has no row that begins with {:?}", "docs/differences.md", known.row));
            }
        }
        Ok(known.difference)
    }

    /// Whether it is this one.
    pub fn matches(&self, case: &str, hunk: &Hunk) -> bool {
        let all = |patterns: &[String], lines: &[String]| {
            patterns.is_empty() == lines.is_empty()
                && lines.iter().all(|line| patterns.iter().any(|pattern| like(pattern, line)))
        };
        like(&self.case, case) && all(&self.reference, &hunk.reference) && all(&self.ours, &hunk.ours)
    }
}

/// Whether the text is as the pattern says, in which `*` stands for any text.
pub fn like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            (0..=text.len()).any(|at| text.is_char_boundary(at) && like(rest, &text[at..]))
        }),
    }
}
