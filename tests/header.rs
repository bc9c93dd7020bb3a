//! `include/zmq.h` as C and C++ compilers see it, and beside upstream's header, which comes with the package `zeromq-src`.
//!
//! Compilers are `$CC` and `$CXX`, else `cc` and `c++`.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-pedantic", "-Werror"];
const DRAFT: &str = "-DZMQ_BUILD_DRAFT_API";

fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include")
}

/// The folder of upstream's header.
fn upstream() -> PathBuf {
    let target = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = Command::new(cargo)
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--offline",
            "--filter-platform",
            env!("FERROZMQ_TARGET"),
        ])
        .args(["--manifest-path", target])
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata = String::from_utf8(metadata.stdout).expect("JSON");
    metadata
        .split(r#""manifest_path":""#)
        .filter_map(|rest| Path::new(rest.split_once('"')?.0).parent())
        .find(|folder| {
            folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("zeromq-src"))
        })
        .expect("zeromq-src is a dependency of the tests")
        .join("vendor/include")
}

#[derive(Clone, Copy)]
enum Language {
    C,
    Cpp,
}

/// Runs a compiler on `text`.
fn compile(language: Language, text: &str, include: &Path, arguments: &[&str]) -> Output {
    let (variable, fallback, name) = match language {
        Language::C => ("CC", "cc", "c"),
        Language::Cpp => ("CXX", "c++", "c++"),
    };
    let compiler = env::var(variable).unwrap_or_else(|_| fallback.to_owned());
    // `CC="ccache gcc"` is common.
    let mut words = compiler.split_whitespace();
    let mut child = Command::new(words.next().unwrap_or(fallback))
        .args(words)
        .args(["-x", name])
        .args(arguments)
        .arg("-I")
        .arg(include)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("this test needs a compiler, `{compiler}` (${variable}; Debian: g++): {error}")
        });
    // Compilers read all of their input before they write more than a pipe holds.
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("the compiler reads");
    child.wait_with_output().expect("the compiler ends")
}

fn succeed(output: Output, what: &str) -> String {
    assert!(output.status.success(), "{what}:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn compiles_as_c_and_cpp_without_a_warning() {
    let text = "
        #include <zmq_utils.h>
        #include <zmq.h>
        #include <zmq.h>
        #ifdef ZMQ_EXPORT
        #error ZMQ_EXPORT should be undefined after the header
        #endif
        static void release (void *data, void *hint) { (void) data; (void) hint; }
        static void run (int id, void *arg) { (void) id; (void) arg; }
        static void body (void *arg) { (void) arg; }
        int main (void)
        {
            zmq_msg_t message;
            zmq_pollitem_t items[1] = {{0, 0, ZMQ_POLLIN, 0}};
            zmq_free_fn *free_fn = release;
            zmq_timer_fn *timer_fn = &run;
            zmq_thread_fn *thread_fn = body;
            char assert_size[sizeof message == 64 ? 1 : -1];
            (void) assert_size; (void) free_fn;
            zmq_timers_add (zmq_timers_new (), 1, *timer_fn, 0);
            zmq_threadclose (zmq_threadstart (thread_fn, 0));
            return zmq_poll (items, 1, 0) + (int) zmq_msg_size (&message);
        }";
    let cases: [(Language, &[&str]); 8] = [
        (Language::C, &["-std=c99"]),
        (Language::C, &["-std=c11"]),
        (Language::C, &["-std=gnu99", DRAFT]),
        (Language::C, &["-std=gnu11", DRAFT]),
        (Language::Cpp, &["-std=c++98"]),
        (Language::Cpp, &["-std=c++17"]),
        (Language::Cpp, &["-std=c++98", DRAFT]),
        (Language::Cpp, &["-std=c++17", DRAFT]),
    ];
    for (language, standard) in cases {
        let arguments = [&WARNINGS[..], standard, &["-fsyntax-only"]].concat();
        succeed(compile(language, text, &ours(), &arguments), &standard.join(" "));
    }
}

/// The function declarations of a header, as its preprocessor leaves them, without attributes.
fn prototypes(include: &Path, draft: &[&str]) -> Vec<String> {
    let source = "#define ZMQ_NO_EXPORT\n#include <zmq.h>\n";
    let text = succeed(compile(Language::C, source, include, &[draft, &["-E"]].concat()), "preprocessing");
    // `# 12 "file"` says where the following lines come from.
    let mut inside = false;
    let mut header = String::new();
    for line in text.lines() {
        if line.starts_with('#') {
            inside = line.split('"').nth(1).is_some_and(|path| path.ends_with("/zmq.h"));
        } else if inside {
            header.push_str(line);
            header.push('\n');
        }
    }
    header
        .split(';')
        .map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|statement| statement.contains("zmq_") && statement.ends_with(')'))
        .filter(|statement| !statement.contains("typedef") && !statement.contains("__attribute__"))
        .collect()
}

fn function_name(prototype: &str) -> &str {
    let declarator = prototype.split_once('(').expect("a function").0;
    declarator.rsplit([' ', '*']).find(|word| !word.is_empty()).expect("its name")
}

#[test]
fn declares_exactly_the_functions_of_the_api() {
    for (draft, classes) in [(&[][..], &["stable"][..]), (&[DRAFT], &["stable", "draft"])] {
        let expected: BTreeSet<&str> = include_str!("abi_functions.txt")
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(class, _)| classes.contains(class))
            .map(|(_, name)| name)
            .collect();
        let prototypes = prototypes(&ours(), draft);
        let declared: BTreeSet<&str> = prototypes.iter().map(|prototype| function_name(prototype)).collect();
        assert_eq!(declared, expected);
        assert_eq!(prototypes.len(), expected.len(), "a function is declared twice");
    }
}

/// Two declarations of one function must have compatible types, in C and, with C linkage, in C++; and a pointer of one's type takes the other's address.
#[test]
fn prototypes_are_compatible_with_upstreams() {
    for draft in [&[][..], &[DRAFT]] {
        let mut theirs = prototypes(&upstream(), draft);
        assert_eq!(theirs.len(), if draft.is_empty() { 70 } else { 96 });
        if !draft.is_empty() {
            // On upstream's master, not in the package yet.
            theirs.push("int zmq_disconnect_peer (void *, uint32_t)".to_owned());
        }
        let mut text = "#include <zmq.h>\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n".to_owned();
        for prototype in &theirs {
            let name = function_name(prototype);
            let (result, arguments) = prototype.split_once(name).expect("the name is in it");
            text += &format!("{prototype};\n{result}(*const pointer_to_{name}) {arguments} = {name};\n");
        }
        text += "#ifdef __cplusplus\n}\n#endif\n";
        for (language, standard) in [(Language::C, "-std=gnu11"), (Language::Cpp, "-std=c++17")] {
            let flags = [standard, "-Werror", "-Wno-unused", "-fsyntax-only"];
            succeed(compile(language, &text, &ours(), &[draft, &flags].concat()), standard);
        }
    }
}

/// The names of a header's macros that take no arguments, and whether each has a value.
fn macros(include: &Path) -> BTreeSet<(String, bool)> {
    let text = fs::read_to_string(include.join("zmq.h")).expect("the header");
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("#define "))
        .map(|line| line.split_once(' ').map_or((line, ""), |(name, value)| (name, value.trim())))
        .filter(|(name, _)| !name.contains('(') && !["ZMQ_EXPORT", "__ZMQ_H_INCLUDED__"].contains(name))
        .map(|(name, value)| (name.to_owned(), !value.is_empty()))
        .collect()
}

/// What a program prints that shows every macro of `names` and the layout of every type.
fn values(names: &BTreeSet<(String, bool)>, include: &Path, draft: &[&str], which: &str) -> BTreeSet<String> {
    let mut text = "
        #include <zmq.h>
        #include <cstdio>
        template <typename T> void show (const char *name, T value) { std::printf (\"%s %lld\\n\", name, (long long) value); }
        void show (const char *name, const char *value) { std::printf (\"%s \\\"%s\\\"\\n\", name, value); }
        #define SIZE(type) show (#type, sizeof (type)); show (\"alignment of \" #type, __alignof__ (type))
        #define FIELD(type, field) show (#type \".\" #field, offsetof (type, field)); show (#type \".\" #field \" size\", sizeof (((type *) 0)->field))
        int main ()
        {
            show (\"ZMQ_MAKE_VERSION\", ZMQ_MAKE_VERSION (7, 8, 9));
            SIZE (zmq_msg_t); SIZE (zmq_fd_t); SIZE (zmq_pollitem_t);
            FIELD (zmq_pollitem_t, socket); FIELD (zmq_pollitem_t, fd); FIELD (zmq_pollitem_t, events); FIELD (zmq_pollitem_t, revents);
        #ifdef ZMQ_BUILD_DRAFT_API
            SIZE (zmq_poller_event_t);
            FIELD (zmq_poller_event_t, socket); FIELD (zmq_poller_event_t, fd);
            FIELD (zmq_poller_event_t, user_data); FIELD (zmq_poller_event_t, events);
        #endif
        "
    .to_owned();
    for (name, valued) in names {
        let show =
            if *valued { format!("show (\"{name}\", {name});") } else { format!("show (\"{name}\", \"\");") };
        text += &format!("#ifdef {name}\n{show}\n#else\nshow (\"{name}\", \"not defined\");\n#endif\n");
    }
    text += "return 0; }\n";
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{which}-{}", std::process::id()));
    let output = program.to_str().expect("a path in UTF-8");
    let arguments = [draft, &["-std=gnu++11", "-o", output]].concat();
    succeed(compile(Language::Cpp, &text, include, &arguments), which);
    let shown = succeed(Command::new(&program).output().expect("it runs"), "a program that prints macros");
    fs::remove_file(&program).expect("it is ours");
    shown.lines().map(str::to_owned).collect()
}

#[test]
fn macros_and_layouts_are_upstreams() {
    let upstream = upstream();
    let names = macros(&upstream);
    assert!(names.len() > 230, "only {} macros found", names.len());
    let extra: Vec<_> = macros(&ours()).difference(&names).cloned().collect();
    assert!(extra.is_empty(), "upstream doesn't define {extra:?}");

    for draft in [&[][..], &[DRAFT]] {
        let theirs = values(&names, &upstream, draft, "theirs");
        let ours = values(&names, &ours(), draft, "ours");
        // Upstream's master says 4.3.6; the package has 4.3.5.
        let newer = |line: &&String| !["ZMQ_VERSION 40306", "ZMQ_VERSION_PATCH 6"].contains(&line.as_str());
        let older = |line: &&String| !["ZMQ_VERSION 40305", "ZMQ_VERSION_PATCH 5"].contains(&line.as_str());
        assert!(ours.contains("ZMQ_VERSION 40306"), "the version");
        let missing: Vec<_> = theirs.difference(&ours).filter(older).collect();
        let different: Vec<_> = ours.difference(&theirs).filter(newer).collect();
        assert!(missing.is_empty() && different.is_empty(), "upstream has {missing:?}, ours {different:?}");
    }
}
