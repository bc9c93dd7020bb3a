//! What is asked about each option, and how the answers are written down.
//!
//! An answer is a short line of text. One socket of its own serves each option, so the order of the questions counts:
//! defaults, then one value after the other, then once more every size of buffer.

use std::fmt::Write;

use zmq::options::{id, name};

/// Something that has options: a socket of a library, or [`zmq::options::Options`] itself.
pub trait Target {
    /// `zmq_setsockopt`: errno, 0 for success.
    fn set(&mut self, id: i32, value: Input) -> i32;
    /// `zmq_getsockopt`: errno and the length that C gets. The buffer arrives filled with [`FILL`].
    fn get(&mut self, id: i32, buffer: Output) -> (i32, usize);
}

/// A value to set.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    Bytes(&'a [u8]),
    Null(usize),
    /// A valid pointer with the largest length there is.
    Huge,
}

/// Where to read a value to.
pub enum Output<'a> {
    Buffer(&'a mut [u8]),
    Null(usize),
    Huge,
    /// No pointer to a length.
    NoLength,
}

/// What buffers hold before they are written to.
pub const FILL: u8 = 0xaa;

/// Ids asked about: all that exist, and some around them.
pub const IDS: std::ops::RangeInclusive<i32> = 0..=130;

const BUFFERS: [usize; 16] = [0, 1, 2, 3, 4, 5, 7, 8, 9, 32, 33, 40, 41, 255, 256, 1024];

/// Sizes that show the value of any option after it was set.
const BUFFERS_AFTER: [usize; 4] = [4, 8, 41, 512];

const INTS: [i32; 20] = [
    i32::MIN,
    -100,
    -99,
    -2,
    -1,
    0,
    1,
    2,
    3,
    4,
    5,
    99,
    100,
    254,
    255,
    256,
    1_000_000,
    6_553_599,
    6_553_600,
    i32::MAX,
];

const LONGS: [i64; 4] = [-1, 0, 1, i64::MAX];

/// Not larger, since upstream walks its trie of subscriptions by recursion.
const SIZES: [usize; 14] = [0, 1, 2, 3, 5, 7, 16, 17, 31, 33, 254, 255, 256, 4096];

const TEXTS: [&[u8]; 24] = [
    b"X-name:value",
    b"X-name:other",
    b"X-:v",
    b"X-k:",
    b"x-key:value",
    b"key:value",
    b":value",
    b"X-:value",
    b"127.0.0.1",
    b"10.0.0.0/8",
    b"10.0.0.0/33",
    b"10.0.0.0/",
    b"10.0.0.0/-1",
    b"10.0.0.0/0",
    b"10.1/8x",
    b"::1",
    b"::1/64",
    b"localhost",
    b"lo",
    b"eth0\0",
    b"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
    b"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\0",
    b"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hIDx",
    b"#####$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
];

/// Everything about one option that no library should stumble over.
pub fn run(target: &mut dyn Target, id: i32) -> String {
    let mut lines = String::new();
    let defaults = read(target, id, &BUFFERS);
    line(&mut lines, &["get", &defaults]);

    let mut before = read(target, id, &BUFFERS_AFTER);
    let mut set = |name: &str, value: &[u8]| {
        let error = target.set(id, Input::Bytes(value));
        let after = read(target, id, &BUFFERS_AFTER);
        if after == before {
            line(&mut lines, &["set", name, error_name(error)]);
        } else {
            line(&mut lines, &["set", name, error_name(error), "->", &after]);
        }
        before = after;
    };
    for value in INTS {
        set(&format!("int {value}"), &value.to_ne_bytes());
    }
    for value in LONGS {
        set(&format!("long {value}"), &value.to_ne_bytes());
    }
    for size in SIZES {
        set(&format!("bytes {size}"), &vec![b'a'; size]);
    }
    for text in TEXTS {
        set(&format!("text {}", text.escape_ascii()), text);
    }
    set("key", &std::array::from_fn::<u8, 32, _>(|index| index as u8 + 1));

    let last = read(target, id, &BUFFERS);
    line(&mut lines, &["get", &last]);
    lines
}

/// A value among several for one socket.
#[derive(Clone, Copy)]
pub enum Step {
    Int(i32, i32),
    Text(i32, &'static [u8]),
    /// A null pointer of length 0.
    Clear(i32),
}

/// Number under which [`TOGETHER`] records what options do to each other.
const OTHERS: i32 = -1;
/// The same for the options of security.
pub const SECURITY: i32 = -2;

use Step::{Clear, Int, Text};

pub const TOGETHER: [(i32, &[Step]); 2] = [
    (
        OTHERS,
        &[
            Text(id::TCP_ACCEPT_FILTER, b"::1"),
            Int(id::IPV4ONLY, 0),
            Text(id::TCP_ACCEPT_FILTER, b"::1"),
            Text(id::TCP_ACCEPT_FILTER, b"::1/128"),
            Text(id::TCP_ACCEPT_FILTER, b"::1/129"),
            Text(id::TCP_ACCEPT_FILTER, b"127.0.0.1/33"),
            Text(id::TCP_ACCEPT_FILTER, b"[fe80::1%lo]/64"),
            Text(id::TCP_ACCEPT_FILTER, b"fe80::1%nosuchif"),
            Text(id::TCP_ACCEPT_FILTER, b"fe80::1%0"),
            Clear(id::TCP_ACCEPT_FILTER),
            Int(id::IPV6, 0),
            Text(id::SUBSCRIBE, b"a"),
            Int(id::XPUB_MANUAL, 1),
            Text(id::SUBSCRIBE, b"a"),
            Text(id::UNSUBSCRIBE, b"a"),
            Clear(id::SUBSCRIBE),
            Int(id::XPUB_MANUAL_LAST_VALUE, 0),
            Text(id::SUBSCRIBE, b"a"),
            Int(id::XPUB_MANUAL_LAST_VALUE, 1),
            Int(id::XPUB_MANUAL, 0),
            Text(id::SUBSCRIBE, b"a"),
        ],
    ),
    (
        SECURITY,
        &[
            Int(id::PLAIN_SERVER, 1),
            Text(id::PLAIN_USERNAME, b"user"),
            Int(id::PLAIN_SERVER, 1),
            Clear(id::PLAIN_PASSWORD),
            Text(id::PLAIN_PASSWORD, b"secret"),
            Int(id::CURVE_SERVER, 1),
            Text(id::CURVE_PUBLICKEY, b"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"),
            Text(id::CURVE_SECRETKEY, b"too short"),
            Int(id::PLAIN_SERVER, 0),
            Text(id::CURVE_SECRETKEY, b"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"),
            Int(id::CURVE_SERVER, 1),
            Text(id::CURVE_SERVERKEY, b"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\0"),
            Int(id::CURVE_SERVER, 0),
        ],
    ),
];

/// What is shown after each step of [`run_together`].
pub const CHANGING: [i32; 6] =
    [id::IPV4ONLY, id::IPV6, id::MECHANISM, id::PLAIN_SERVER, id::CURVE_SERVER, id::PLAIN_USERNAME];

/// Several options of one socket, one after the other, with the ones that others change.
pub fn run_together(target: &mut dyn Target, steps: &[Step]) -> String {
    let mut lines = String::new();
    for step in steps {
        let (id, error) = match *step {
            Int(id, value) => (id, target.set(id, Input::Bytes(&value.to_ne_bytes()))),
            Text(id, value) => (id, target.set(id, Input::Bytes(value))),
            Clear(id) => (id, target.set(id, Input::Null(0))),
        };
        let values = CHANGING.map(|id| read(target, id, &[4, 32])).join("; ");
        line(&mut lines, &["set", name(id).unwrap_or_default(), error_name(error), "->", &values]);
    }
    lines
}

/// A question that may be too much for a library. Each gets a socket of its own.
#[derive(Clone, Copy, Debug)]
pub enum Fragile {
    SetNull(usize),
    SetHuge,
    GetNull(usize),
    GetHuge,
    GetNoLength,
}

pub const FRAGILE: [Fragile; 14] = [
    Fragile::SetNull(0),
    Fragile::SetNull(1),
    Fragile::SetNull(4),
    Fragile::SetNull(5),
    Fragile::SetNull(8),
    Fragile::SetNull(33),
    Fragile::SetNull(255),
    Fragile::SetHuge,
    Fragile::GetNull(0),
    Fragile::GetNull(4),
    Fragile::GetNull(8),
    Fragile::GetNull(255),
    Fragile::GetHuge,
    Fragile::GetNoLength,
];

/// Those that upstream's contexts survive.
pub const FRAGILE_FOR_CONTEXTS: [Fragile; 3] =
    [Fragile::SetNull(0), Fragile::SetNull(33), Fragile::GetNull(0)];

/// What a context is called beside the socket types.
pub const CONTEXT: &str = "CONTEXT";

/// One such question.
pub fn run_fragile(target: &mut dyn Target, id: i32, question: Fragile) -> String {
    let error = match question {
        Fragile::SetNull(size) => target.set(id, Input::Null(size)),
        Fragile::SetHuge => target.set(id, Input::Huge),
        Fragile::GetNull(size) => target.get(id, Output::Null(size)).0,
        Fragile::GetHuge => target.get(id, Output::Huge).0,
        Fragile::GetNoLength => target.get(id, Output::NoLength).0,
    };
    fragile_line(question, error_name(error))
}

pub fn fragile_line(question: Fragile, answer: &str) -> String {
    let mut lines = String::new();
    line(&mut lines, &[&format!("{question:?}"), answer]);
    lines
}

fn line(lines: &mut String, words: &[&str]) {
    lines.push_str("  ");
    lines.push_str(&words.join(" "));
    lines.push('\n');
}

/// The answers for buffers of these sizes; equal answers in a row share one entry.
fn read(target: &mut dyn Target, id: i32, sizes: &[usize]) -> String {
    let mut answers: Vec<(String, String)> = Vec::new();
    for &size in sizes {
        let mut buffer = vec![FILL; size];
        let (error, length) = target.get(id, Output::Buffer(&mut buffer));
        let untouched = buffer.iter().all(|&byte| byte == FILL);
        let answer = match error {
            0 => format!("{}({length})", squeeze(&buffer)),
            _ if untouched && length == size => error_name(error).into(),
            _ => format!("{}!{}({length})", error_name(error), squeeze(&buffer)),
        };
        match answers.last_mut() {
            Some((sizes, last)) if *last == answer => {
                write!(sizes, ",{size}").expect("strings take everything")
            }
            _ => answers.push((size.to_string(), answer)),
        }
    }
    answers.iter().map(|(sizes, answer)| format!("{sizes}={answer}")).collect::<Vec<_>>().join(" ")
}

/// Bytes as hex; runs of a byte as `byte*times`; zeros at the end left out.
fn squeeze(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let mut text = String::new();
    for run in bytes[..end].chunk_by(|a, b| a == b) {
        match run.len() {
            1..=3 => run.iter().for_each(|byte| write!(text, "{byte:02x}").expect("strings take everything")),
            times => write!(text, "{:02x}*{times},", run[0]).expect("strings take everything"),
        }
    }
    if text.is_empty() { "0".into() } else { text }
}

fn error_name(error: i32) -> &'static str {
    match error {
        0 => "ok",
        libc::EINVAL => "EINVAL",
        libc::EFAULT => "EFAULT",
        libc::ENOMEM => "ENOMEM",
        libc::ENOTSUP => "ENOTSUP",
        libc::ENOTSOCK => "ENOTSOCK",
        libc::EAGAIN => "EAGAIN",
        _ => "another error",
    }
}
