//! Every option of every socket type, value by value and errno by errno: our table, and our library, against what
//! the reference library answers.
//!
//! `recorded.txt` holds the reference library's answers. With `FERROZMQ_REFERENCE` set to the path of a `libzmq.so.5`
//! the recording itself is compared with that library, as `make test` does with the one that it has built; with `--record` it is written
//! anew.

mod library;
mod probe;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use probe::{CONTEXT, FRAGILE, FRAGILE_FOR_CONTEXTS, IDS, Input, Output, TOGETHER, Target};
use zmq::options::{
    self, ContextOptions, Features, Given, Got, Options, RuntimeValue, SocketType, id, write_int,
};
use zmq::runtime::features::FEATURES;

/// The parts that the recorded library was built with.
const RECORDED_FEATURES: Features = Features {
    plain: true,
    curve: true,
    gssapi: || true,
    zap: true,
    socks: true,
    wss: true,
    norm: || true,
    vmci: true,
};

const ZMQ_POLLOUT: i32 = 2;

/// Answers by type and option, one line each.
type Answers = BTreeMap<(Subject, i32), String>;

/// A type of socket, or (`None`) a context.
type Subject = Option<SocketType>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [probe, path] = arguments.as_slice()
        && probe == library::PROBE
    {
        library::print_answers(path);
        return ExitCode::SUCCESS;
    }
    let reference = std::env::var_os("FERROZMQ_REFERENCE").map(PathBuf::from);
    if arguments.iter().any(|argument| argument == "--record") {
        let Some(reference) = reference else {
            eprintln!("FERROZMQ_REFERENCE is not set: it has to name the library to record");
            return ExitCode::FAILURE;
        };
        let recorded = write_down(&read_back(&library::answers(&reference)));
        std::fs::write(recording(), recorded).expect("the recording can be written");
        return ExitCode::SUCCESS;
    }

    let recorded = read_back(&std::fs::read_to_string(recording()).expect("the recording can be read"));
    let mut report = Report::default();
    report.test("table_answers_as_recorded", differences(&recorded, &table_answers(), true));
    let ours = read_back(&library::answers(&our_library()));
    let expected = without_missing_parts(&recorded, &FEATURES);
    report.test("library_answers_as_recorded", differences(&expected, &ours, true));
    let bare = read_back(&library::answers_without_system_libraries(&our_library()));
    let expected = without_missing_parts(&recorded, &Features::BUILT_IN);
    report.test("library_without_those_of_the_system", differences(&expected, &bare, true));
    match reference {
        Some(path) => {
            let answers = read_back(&library::answers(&path));
            let expected = without_missing_parts(&recorded, &features_of(&answers));
            report.test("reference_answers_as_recorded", differences(&expected, &answers, false));
        }
        None => report.ignored("reference_answers_as_recorded", "FERROZMQ_REFERENCE is not set"),
    }
    report.finish()
}

/// Counts and prints as the standard test harness does.
#[derive(Default)]
struct Report {
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Report {
    fn test(&mut self, name: &str, differences: Vec<String>) {
        if differences.is_empty() {
            println!("test {name} ... ok");
            self.passed += 1;
        } else {
            println!("test {name} ... FAILED: {} differences", differences.len());
            differences.iter().take(40).for_each(|difference| println!("{difference}"));
            self.failed += 1;
        }
    }

    fn ignored(&mut self, name: &str, reason: &str) {
        println!("test {name} ... ignored, {reason}");
        self.ignored += 1;
    }

    fn finish(self) -> ExitCode {
        let Self { passed, failed, ignored } = self;
        let verdict = if failed == 0 { "ok" } else { "FAILED" };
        println!("test result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored");
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// The library of this build, which Cargo puts beside the test programs.
fn our_library() -> PathBuf {
    let program = std::env::current_exe().expect("this program has a path");
    program.with_file_name("libzmq.so")
}

fn recording() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/options_reference/recorded.txt")
}

fn subject_name(subject: Subject) -> &'static str {
    subject.map_or(CONTEXT, SocketType::name)
}

/// Reads answers, whether in groups or not: lines `option ID: TYPE...`, then the answers, indented.
fn read_back(text: &str) -> Answers {
    let mut answers = Answers::new();
    let (mut keys, mut block) = (Vec::new(), String::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with(' ') {
            writeln!(block, "{line}").expect("strings take everything");
            continue;
        }
        if !block.is_empty() {
            let block = std::mem::take(&mut block);
            answers.extend(keys.drain(..).map(|key| (key, block.clone())));
        }
        let (id, types) =
            line.strip_prefix("option ").and_then(|rest| rest.split_once(": ")).expect("a line of options");
        let id = id.parse().expect("a number");
        let named = |name: &str| match name {
            CONTEXT => None,
            name => Some(SocketType::from_name(name.as_bytes()).expect("a socket type")),
        };
        match types {
            "all" => keys.extend(SocketType::ALL.map(|socket_type| (Some(socket_type), id))),
            types => keys.extend(types.split(' ').map(|name| (named(name), id))),
        }
    }
    answers.extend(keys.drain(..).map(|key| (key, block.clone())));
    answers
}

/// Writes answers, equal ones once.
fn write_down(answers: &Answers) -> String {
    let mut groups: BTreeMap<&str, BTreeMap<i32, Vec<&str>>> = BTreeMap::new();
    for ((subject, id), block) in answers {
        groups.entry(block).or_default().entry(*id).or_default().push(subject_name(*subject));
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, options)| (options.len() < 5, options.keys().next().copied()));
    let mut text = String::from(
        "# Answers of the reference library, 4.3.5 with drafts, CURVE and GSSAPI, as tests/options_reference records them.\n",
    );
    for (block, options) in groups {
        for (id, types) in options {
            let types = if !types.contains(&CONTEXT) && types.len() == SocketType::ALL.len() {
                "all".into()
            } else {
                types.join(" ")
            };
            writeln!(text, "option {id}: {types}").expect("strings take everything");
        }
        text.push_str(block);
    }
    text
}

/// The parts that a reference library was built with: those of the recorded one, but GSSAPI is rarely there.
fn features_of(answers: &Answers) -> Features {
    let answer = |id| answers.get(&(Some(SocketType::Pair), id));
    if answer(id::GSSAPI_SERVER) == answer(*IDS.start()) {
        Features { gssapi: || false, ..RECORDED_FEATURES }
    } else {
        RECORDED_FEATURES
    }
}

/// The recorded answers, with options of parts that aren't there answering as unknown ones do.
fn without_missing_parts(recorded: &Answers, features: &Features) -> Answers {
    let unknown = *IDS.start();
    let secure = features.plain && features.curve;
    let stand_in = |id| if id < 0 || options::is_built_in(id, features) { id } else { unknown };
    recorded
        .keys()
        .filter(|(_, id)| secure || *id != probe::SECURITY)
        .map(|&(subject, id)| {
            let source = if subject.is_some() { stand_in(id) } else { id };
            let block = &recorded[&(subject, source)];
            ((subject, id), if id < 0 { without_missing_states(block, features) } else { block.clone() })
        })
        .collect()
}

/// A recorded script, with those of the options shown after each step answering as unknown ones do that this build doesn't have.
fn without_missing_states(block: &str, features: &Features) -> String {
    let state = |(index, state): (usize, &str)| match options::is_built_in(probe::CHANGING[index], features) {
        true => state.to_owned(),
        false => "4,32=EINVAL".to_owned(),
    };
    let line = |line: &str| {
        let (step, states) = line.split_once(" -> ").expect("a step and what follows from it");
        let states: Vec<_> = states.split("; ").enumerate().map(state).collect();
        format!("{step} -> {}\n", states.join("; "))
    };
    block.lines().map(line).collect()
}

/// The lines that differ. For `ours`, where the recorded library crashes, a plain refusal is right.
fn differences(recorded: &Answers, answers: &Answers, ours: bool) -> Vec<String> {
    let mut differences = Vec::new();
    for (key @ (subject, id), expected) in recorded {
        let name = subject.and_then(|_| options::name(*id)).unwrap_or_default();
        let title = format!("{} {id} {name}", subject_name(*subject));
        let answer = answers.get(key).map_or("", String::as_str);
        if expected.lines().count() != answer.lines().count() {
            differences.push(format!("{title}: another number of answers"));
        }
        for (expected, answer) in expected.lines().zip(answer.lines()) {
            if expected != answer && !(ours && may_differ(*id, expected, answer)) {
                differences.push(format!("{title}\n  recorded {expected}\n  answered {answer}"));
            }
        }
    }
    differences
}

/// Whether ours may answer differently from the recorded library:
/// - where that one crashes, ours refuses;
/// - a null pointer clears a SOCKS user name or password whatever its length, also with length 4, where it crashes;
/// - a null pointer of more than 15 bytes leaves that one's ZAP domain uninitialized;
/// - that one doesn't look at the length of `ZMQ_XSUB_VERBOSE_UNSUBSCRIBE`, not even if it is 2^64-1.
fn may_differ(id: i32, expected: &str, answer: &str) -> bool {
    let (Some((question, expected)), Some((same_question, answer))) =
        (expected.rsplit_once(' '), answer.rsplit_once(' '))
    else {
        return false;
    };
    question == same_question
        && match (expected, answer) {
            ("crash", "EINVAL" | "EFAULT") => true,
            ("crash", "ok") => {
                matches!(id, id::SOCKS_USERNAME | id::SOCKS_PASSWORD) && question.trim() == "SetNull(4)"
            }
            ("ok", "EINVAL") => matches!(
                (id, question.trim()),
                (id::ZAP_DOMAIN, "SetNull(33)" | "SetNull(255)") | (id::XSUB_VERBOSE_UNSUBSCRIBE, "SetHuge")
            ),
            _ => false,
        }
}

/// What our table answers.
fn table_answers() -> Answers {
    let mut answers = Answers::new();
    for id in IDS {
        let mut block = probe::run(&mut Context::default(), id);
        for question in FRAGILE_FOR_CONTEXTS {
            block += &probe::run_fragile(&mut Context::default(), id, question);
        }
        answers.insert((None, id), block);
    }
    for socket_type in SocketType::ALL {
        for id in IDS {
            let mut block = probe::run(&mut Table::new(socket_type), id);
            for question in FRAGILE {
                block += &probe::run_fragile(&mut Table::new(socket_type), id, question);
            }
            answers.insert((Some(socket_type), id), block);
        }
        for (name, script) in TOGETHER {
            answers
                .insert((Some(socket_type), name), probe::run_together(&mut Table::new(socket_type), script));
        }
    }
    answers
}

/// [`Options`] by themselves, with what an idle socket would add.
struct Table(Options);

impl Table {
    fn new(socket_type: SocketType) -> Self {
        let mut options = Options::new(socket_type, &ContextOptions::default());
        options.features = RECORDED_FEATURES;
        Self(options)
    }

    fn answer_of_idle_socket(&self, value: RuntimeValue) -> i32 {
        use SocketType::*;
        match value {
            // Without peers: those types can send that drop what has no taker.
            RuntimeValue::Events => match self.0.socket_type {
                Pub | XPub | XSub | Router | Stream | Server | Radio | Dish | Peer => ZMQ_POLLOUT,
                _ => 0,
            },
            RuntimeValue::ReceiveMore | RuntimeValue::TopicsCount | RuntimeValue::Descriptor => 0,
        }
    }
}

impl Target for Table {
    fn set(&mut self, id: i32, value: Input) -> i32 {
        let given = match value {
            Input::Bytes(bytes) => Given::Bytes(bytes),
            Input::Null(size) => Given::Null(size),
            // No slice is that long; the C layer refuses it.
            Input::Huge => return libc::EINVAL,
        };
        self.0.set(id, given).map_or_else(|error| error.errno(), |_| 0)
    }

    fn get(&mut self, id: i32, buffer: Output) -> (i32, usize) {
        let buffer = match buffer {
            Output::Buffer(buffer) => buffer,
            Output::Null(0) => &mut [],
            Output::Null(_) | Output::Huge | Output::NoLength => return (libc::EINVAL, 0),
        };
        let size = buffer.len();
        let got = self.0.get(id, buffer).and_then(|got| match got {
            Got::Written(size) => Ok(size),
            Got::Ask(value) => write_int(self.answer_of_idle_socket(value), buffer),
        });
        got.map_or_else(|error| (error.errno(), size), |size| (0, size))
    }
}

/// [`ContextOptions`] by themselves.
#[derive(Default)]
struct Context(ContextOptions);

impl Target for Context {
    fn set(&mut self, id: i32, value: Input) -> i32 {
        let bytes = match value {
            Input::Bytes(bytes) => bytes,
            Input::Null(0) => &[],
            Input::Null(_) | Input::Huge => return libc::EINVAL,
        };
        self.0.set(id, bytes).map_or_else(|error| error.errno(), |()| 0)
    }

    fn get(&mut self, id: i32, buffer: Output) -> (i32, usize) {
        let buffer = match buffer {
            Output::Buffer(buffer) => buffer,
            Output::Null(0) => &mut [],
            Output::Null(_) | Output::Huge | Output::NoLength => return (libc::EINVAL, 0),
        };
        let size = buffer.len();
        (self.0.get_into(id, buffer).map_or_else(|error| error.errno(), |()| 0), size)
    }
}
