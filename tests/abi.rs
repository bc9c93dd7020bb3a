//! What the shared library shows to the dynamic linker: its name, what it exports, what it needs.

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;
use std::process::Command;

/// The library, which cargo has built for this test, beside it.
fn library() -> PathBuf {
    let tests = env::current_exe().expect("the path of this test");
    let library = tests.with_file_name("libzmq.so");
    assert!(library.exists(), "{} isn't there", library.display());
    library
}

/// What a tool prints about the library.
fn output(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).arg(library()).env("LC_ALL", "C").output();
    let output = output
        .unwrap_or_else(|error| panic!("this test needs `{tool}` (Debian: binutils, libc-bin): {error}"));
    assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The values of an entry of the dynamic section, `[in brackets]`.
fn dynamic(tag: &str) -> Vec<String> {
    output("readelf", &["--dynamic", "--wide"])
        .lines()
        .filter(|line| line.contains(&format!("({tag})")))
        .filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned()))
        .collect()
}

#[test]
fn exactly_the_functions_of_the_api_are_exported() {
    let expected: BTreeSet<String> = include_str!("abi_functions.txt")
        .lines()
        .map(|line| line.split_once(' ').expect("a class and a name").1.to_owned())
        .collect();
    assert_eq!(expected.len(), 97);
    // "address type name", and `name@@VERSION` for a symbol that has a version, which none may have.
    let exported: BTreeSet<String> = output("nm", &["--dynamic", "--defined-only"])
        .lines()
        .map(|line| {
            let [_, kind, name] = line.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{line}") };
            assert_eq!(kind, "T", "{name} isn't a function");
            name.to_owned()
        })
        .collect();
    let missing: Vec<_> = expected.difference(&exported).collect();
    let unexpected: Vec<_> = exported.difference(&expected).collect();
    assert!(
        missing.is_empty() && unexpected.is_empty(),
        "missing: {missing:?}; not in the API: {unexpected:?}"
    );
}

#[test]
fn the_soname_is_libzmqs() {
    assert_eq!(dynamic("SONAME"), ["libzmq.so.5"]);
}

#[test]
fn nothing_is_needed_beyond_the_c_library() {
    // libc was several files before glibc 2.34.
    let allowed = [
        "libc.",
        "libgcc_s.",
        "libpthread.",
        "libdl.",
        "librt.",
        "libm.",
        "ld-linux",
        "ld-musl",
        "linux-vdso",
    ];
    let foreign = |name: &str| !allowed.iter().any(|prefix| name.starts_with(prefix));

    let needed = dynamic("NEEDED");
    assert!(needed.iter().any(|name| name.starts_with("libc.")), "{needed:?}");
    assert!(!needed.iter().any(|name| foreign(name)), "{needed:?}");

    // What those need in turn.
    let loaded = output("ldd", &[]);
    for line in loaded.lines() {
        let path = line.split_whitespace().next().expect("a library");
        assert!(!foreign(path.rsplit('/').next().unwrap_or(path)), "{line}");
    }
}

#[test]
fn the_code_stays_mapped_after_dlclose() {
    assert!(output("readelf", &["--dynamic", "--wide"]).contains("NODELETE"));
}
