//! `docs/differences.md` names a test for each place where this library differs from upstream. Those have to exist.

use std::path::Path;

/// The last column of each row of the document.
fn named_tests(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| what "))
        .filter_map(|line| line.trim_end_matches(['|', ' ']).rsplit("| ").next())
        .collect()
}

#[test]
fn every_named_test_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/differences.md")).expect("the document");
    let named = named_tests(&text);
    assert!(named.len() > 40, "{} rows", named.len());
    for test in named {
        if test == "none" {
            continue;
        }
        let parts: Vec<&str> = test.split('`').filter(|part| !part.trim().is_empty()).collect();
        let file = parts.first().expect("a file");
        let source =
            std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        if let Some(function) = parts.get(1) {
            assert!(source.contains(&format!("fn {function}()")), "{file} has no test {function}");
        }
    }
}

#[test]
fn every_row_has_all_columns() {
    let text = include_str!("../docs/differences.md");
    for line in text.lines().filter(|line| line.starts_with('|')) {
        assert_eq!(line.matches('|').count(), 6, "{line}");
    }
}
