//! Which test shows a thing: the one that speaks of it most, of upstream's that run here, or else of ours.

use std::path::Path;

use crate::lists::{Cases, KnownFailures};
use crate::vendor::{list, package_dir};

/// The sources of all tests.
pub struct Witnesses {
    upstream: Vec<(String, String)>,
    ours: Vec<(String, String)>,
}

impl Witnesses {
    /// Reads them.
    pub fn read(vendor: &Path) -> Result<Witnesses, String> {
        let (cases, known) = (Cases::load()?, KnownFailures::load()?);
        let mut upstream = Vec::new();
        for (name, program) in &cases.programs {
            // One that skips itself everywhere, or fails, shows nothing.
            if program.may_skip.len() < program.cases.len() && !known.0.contains_key(name) {
                let path = vendor.join(format!("tests/{name}.cpp"));
                upstream.push((name.clone(), std::fs::read_to_string(&path).unwrap_or_default()));
            }
        }
        let root = package_dir().with_file_name("");
        let mut ours = Vec::new();
        for folder in ["tests", "compat-tests/tests"] {
            collect(&root, &root.join(folder), &mut ours)?;
        }
        Ok(Witnesses { upstream, ours })
    }

    /// For the matrix's last column; empty if none speaks of it.
    pub fn of(&self, term: &str) -> String {
        let best = |sources: &[(String, String)]| {
            let counted = sources.iter().map(|(name, text)| (mentions(text, term), name));
            counted
                .filter(|(count, _)| *count > 0)
                .max_by_key(|(count, name)| (*count, std::cmp::Reverse((*name).clone())))
                .map(|(_, name)| name.clone())
        };
        // Our tests are in Rust, and name options without the prefix.
        let short = term.strip_prefix("ZMQ_").unwrap_or(term);
        let ours = |term: &str| {
            let counted = self.ours.iter().map(|(name, text)| (mentions(text, term), name));
            counted
                .filter(|(count, _)| *count > 0)
                .max_by_key(|(count, _)| *count)
                .map(|(_, name)| name.clone())
        };
        best(&self.upstream).or_else(|| ours(term)).or_else(|| ours(short)).unwrap_or_default()
    }
}

/// How often a text has the term as a word.
fn mentions(text: &str, term: &str) -> usize {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(term)
        .filter(|(at, found)| {
            let before = text[..*at].chars().next_back();
            let after = text[at + found.len()..].chars().next();
            !before.is_some_and(is_word) && (found.ends_with('/') || !after.is_some_and(is_word))
        })
        .count()
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<(String, String)>) -> Result<(), String> {
    for path in list(folder)? {
        if path.is_dir() {
            collect(root, &path, sources)?;
        } else if path.extension().is_some_and(|e| e == "rs" || e == "c" || e == "py") {
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            sources.push((name, std::fs::read_to_string(&path).unwrap_or_default()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole() {
        assert_eq!(mentions("zmq_send (zmq_sendmsg, zmq_send)", "zmq_send"), 2);
        assert_eq!(mentions("\"ws://127\" wss://", "ws://"), 1);
        assert_eq!(mentions("ZMQ_PUB, ZMQ_PUBX", "ZMQ_PUB"), 1);
    }
}
