//! The order of the layers, where `unsafe` may stand, and how long a file may get (docs/architecture.md).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What the C ABI may name. The runtime, the first of these, may name the others.
const BELOW_FFI: &[&str] = &[
    "runtime",
    "pattern",
    "transport",
    "security",
    "pipe",
    "zmtp",
    "pgm",
    "sys",
    "error",
    "options",
    "message",
    "metadata",
    "mutex",
    "random",
    "z85",
];

/// What each top-level module may name, from the top down. A new module needs a line of its own.
const LAYERS: &[(&str, &[&str])] = &[
    ("ffi", BELOW_FFI),
    ("runtime", BELOW_FFI.split_at(1).1),
    // State machines over pipes: no wire, no address, no call of the system.
    ("pattern", &["pipe", "error", "options", "message", "metadata"]),
    // Addresses and descriptors, never frames.
    ("transport", &["pgm", "sys", "error", "options", "metadata", "mutex", "random"]),
    // Implements the mechanism that the wire declares; the wire names none.
    ("security", &["zmtp", "error", "options", "message", "metadata", "random", "z85", "vectors"]),
    ("pipe", &["error", "message", "options", "metadata", "mutex"]),
    ("zmtp", &["error", "options", "message", "metadata"]),
    // The protocol alone: packets and times in, packets and data out.
    ("pgm", &[]),
    ("sys", &["error", "mutex"]),
    ("options", &["error", "z85"]),
    ("message", &["error", "metadata", "mutex"]),
    ("metadata", &[]),
    ("mutex", &[]),
    ("random", &["error"]),
    ("error", &[]),
    ("z85", &[]),
    ("vectors", &[]),
];

/// Modules that get time, bytes and messages as arguments, and what they would need to get them by themselves.
const SANS_IO: &[&str] = &["pattern", "zmtp", "pgm", "security"];
const IO: &[&str] = &[
    "std::net",
    "std::os",
    "std::thread",
    "std::fs",
    "std::io",
    "Instant",
    "SystemTime",
    "mio",
    "socket2",
    "nix",
];

/// Where `unsafe` may stand: folders, which end in a slash, and files.
const UNSAFE: &[&str] = &[
    "ffi/",
    "src/sys/",
    "src/pipe/queue.rs",
    "src/pipe/queue_loom.rs",
    "src/message.rs",
    "src/message/",
    "src/vectors.rs",
];

const LONGEST_FILE: usize = 800;

/// A source file of the library.
struct Source {
    /// From the root of the project.
    path: String,
    /// The top-level module that it belongs to; `lib` for `src/lib.rs`.
    module: String,
    /// How deep its own module lies below the crate's root.
    depth: usize,
    /// Without comments and literals.
    code: String,
    lines: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "ffi"] {
        collect(&root.join(folder), &mut files);
    }
    let sources: Vec<_> = files.iter().map(|file| source(root, file)).collect();
    assert!(sources.len() > 30, "only {} files found", sources.len());
    sources
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn source(root: &Path, file: &Path) -> Source {
    let text = fs::read_to_string(file).expect("a source file");
    let path = file.strip_prefix(root).expect("below the root").to_str().expect("UTF-8").to_owned();
    // `src/lib.rs` mounts `ffi/` beside the modules of `src/`.
    let inside = path.strip_prefix("src/").unwrap_or(&path).trim_end_matches(".rs").trim_end_matches("/mod");
    let modules: Vec<&str> = inside.split('/').collect();
    Source {
        module: modules[0].to_owned(),
        depth: modules.len(),
        code: without_comments_and_literals(&text),
        lines: text.lines().count(),
        path,
    }
}

/// Blanks out what the compiler doesn't take for code. Lifetimes look like character literals that never end.
fn without_comments_and_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(raw) = raw_string(rest) {
            raw
        } else if next == '"' {
            1 + quoted(&rest[1..], '"')
        } else if next == '\'' && is_character(&rest[1..]) {
            1 + quoted(&rest[1..], '\'')
        } else {
            code.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[skipped..];
    }
    code
}

/// The length of a raw string at the beginning of `text`.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix('r')?.find(|character| character != '#')?;
    let body = text[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(body.find(&end).map_or(text.len(), |at| 2 + hashes + at + end.len()))
}

/// The length of the rest of a literal, with its closing quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// After a single quote: a character literal rather than a lifetime.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars();
    match characters.next() {
        Some('\\') => true,
        _ => characters.next() == Some('\''),
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Every place where `path` stands as whole words: what follows it there.
fn uses<'a>(code: &'a str, path: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(path)
        .filter(|(at, _)| !code[..*at].ends_with(is_word))
        .map(move |(at, _)| &code[at + path.len()..])
        .filter(|rest| !rest.starts_with(is_word))
}

/// The first names of what follows `crate::`: one, or those in braces.
fn first_names(rest: &str) -> Vec<&str> {
    let name = |text: &'_ str| text.len() - text.trim_start_matches(is_word).len();
    let Some(group) = rest.strip_prefix('{') else { return vec![&rest[..name(rest)]] };
    let mut names = Vec::new();
    let mut depth = 0;
    let mut expected = true;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            _ if expected && is_word(character) => {
                names.push(&group[at..at + name(&group[at..])]);
                expected = false;
            }
            _ => {}
        }
    }
    names
}

/// The top-level modules that a file names, by `crate::`, or by as many `super::` as lead to the root.
fn names(source: &Source) -> BTreeSet<&str> {
    let to_root = "super::".repeat(source.depth);
    let from_crate = uses(&source.code, "crate").filter_map(|rest| rest.strip_prefix("::"));
    let from_super = source
        .code
        .match_indices(&to_root)
        .map(|(at, _)| source.code[at + to_root.len()..].trim_start_matches("super::"));
    let known = |name: &&str| LAYERS.iter().any(|(module, _)| module == name);
    from_crate.chain(from_super).flat_map(first_names).filter(known).collect()
}

#[test]
fn imports_point_down_only() {
    let mut wrong = Vec::new();
    let mut edges = 0;
    for source in sources().iter().filter(|source| source.module != "lib") {
        let (_, allowed) = LAYERS
            .iter()
            .find(|(module, _)| *module == source.module)
            .unwrap_or_else(|| panic!("{}: which layer is `{}`?", source.path, source.module));
        for name in names(source) {
            edges += 1;
            if name != source.module && !allowed.contains(&name) {
                wrong.push(format!("{}: {} may not name {name}", source.path, source.module));
            }
        }
    }
    assert!(edges > 30, "only {edges} imports found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_layers_have_no_cycle() {
    for (at, (module, allowed)) in LAYERS.iter().enumerate() {
        for name in *allowed {
            let below = LAYERS.iter().position(|(other, _)| other == name);
            assert!(below.is_some_and(|below| below > at), "{module} names {name}, which stands above it");
        }
    }
}

#[test]
fn protocol_code_does_no_io() {
    let sources = sources();
    for source in sources.iter().filter(|source| SANS_IO.contains(&source.module.as_str())) {
        for word in IO {
            assert!(uses(&source.code, word).next().is_none(), "{} uses {word}", source.path);
        }
    }
}

#[test]
fn unsafe_stands_where_it_may() {
    let allowed = |path: &str| {
        UNSAFE.iter().any(|place| if place.ends_with('/') { path.starts_with(place) } else { path == *place })
    };
    let mut found = 0;
    for source in sources() {
        if uses(&source.code, "unsafe").next().is_some() {
            found += 1;
            assert!(allowed(&source.path), "{} has `unsafe`", source.path);
        }
    }
    assert!(found > 0, "the word isn't found any more");
}

#[test]
fn files_stay_short() {
    for source in sources() {
        assert!(source.lines <= LONGEST_FILE, "{} has {} lines", source.path, source.lines);
    }
}

#[test]
fn the_reader_of_sources_reads() {
    let code = without_comments_and_literals(
        "use crate::{a::{x, y}, b}; // crate::c\nlet s = \"crate::d\\\" crate::e\"; 'f' r#\"crate::g\"# /* crate::h */ fn f<'a>(c: char) { '\\'' } crate::i::j",
    );
    let found: Vec<_> =
        uses(&code, "crate").filter_map(|rest| rest.strip_prefix("::")).flat_map(first_names).collect();
    assert_eq!(found, ["a", "b", "i"]);
    assert_eq!(uses("unsafe_code not_unsafe unsafe", "unsafe").count(), 1);
}

/// A child of `fork` would wait for a thread that it doesn't have: the rule at `sys::fork::ForkLock`.
#[test]
fn no_static_is_made_by_one_thread_while_others_wait() {
    // Filled under a `ForkLock`.
    const ALLOWED: &str = "src/runtime/cell.rs";
    let waited_for =
        |kind: &str| ["OnceLock", "LazyLock", "Once"].iter().any(|&name| uses(kind, name).next().is_some());
    let found: Vec<String> = sources()
        .iter()
        .flat_map(|source| {
            uses(&source.code, "static").filter_map(|rest| {
                let kind = rest.split(['=', ';', '{', ')']).next().unwrap_or_default();
                (rest.starts_with(' ') && waited_for(kind)).then(|| source.path.clone())
            })
        })
        .collect();
    assert_eq!(found, [ALLOWED]);
}
