//! Each byte of a valid exchange wrong in turn: what is answered, what the program receives, which events there are.

use crate::Case;
use crate::bare::{Bare, command, frame, greeting, property, ready};
use crate::script::{Show, Socket, Test};
use crate::watch::Watch;
use crate::zmq;

/// Bytes that one case changes.
const PORTION: usize = 6;

pub fn cases() -> Vec<Case> {
    let exchanges: [(&'static str, i32, Vec<u8>); 3] = [
        (
            "PULL",
            zmq::PULL,
            [greeting(), ready("PUSH", &[]), frame(1, b"one"), frame(0, &[b'x'; 300])].concat(),
        ),
        (
            "ROUTER",
            zmq::ROUTER,
            [
                greeting(),
                ready("DEALER", &property("Identity", b"peer")),
                frame(0, b"hello"),
                command("PING", b"\0\0c"),
            ]
            .concat(),
        ),
        (
            "XPUB",
            zmq::XPUB,
            [
                greeting(),
                ready("SUB", &[]),
                command("SUBSCRIBE", b"a"),
                command("CANCEL", b"a"),
                frame(0, b"\x01b"),
            ]
            .concat(),
        ),
    ];
    let mut cases = Vec::new();
    for (name, kind, exchange) in exchanges {
        // What follows the head of a long body is no more than body.
        let length = exchange.len().min(130);
        for first in (0..length).step_by(PORTION) {
            let exchange = exchange.clone();
            let indices = first..(first + PORTION).min(length);
            cases.push(Case::new(format!("malformed/{name}, from byte {first}"), move |t| {
                indices.clone().for_each(|index| changed(t, kind, &exchange, index));
            }));
        }
        let exchange = exchange.clone();
        cases.push(Case::new(format!("malformed/{name}, cut short"), move |t| cut(t, kind, &exchange)));
    }
    cases
}

struct Trial<'a> {
    what: String,
    socket: Socket<'a>,
    watch: Watch<'a>,
    bare: Bare<'a>,
}

fn begin<'a>(t: &'a Test, kind: i32, what: String) -> Trial<'a> {
    let socket = t.socket(kind);
    let watch = Watch::new(&socket);
    let bare = Bare::connect(t, &socket.bind_anywhere("tcp"));
    Trial { what, socket, watch, bare }
}

/// Sends the greeting, waits for the other one, and sends the rest: what is sent together may be told apart or not.
fn say(trial: &Trial, bytes: &[u8]) {
    let head = bytes.len().min(64);
    trial.bare.send(&bytes[..head]);
}

fn look(t: &Test, trial: &Trial) {
    let _ = trial.socket.events();
    let seen = trial.bare.read();
    // Whether an end comes before what was to be sent is a matter of time.
    let answer = if seen.end == "open" { seen.show() } else { seen.end.to_owned() };
    t.say(format_args!("{}: {answer}", trial.what));
    let mut got = Vec::new();
    while let Ok(mut message) = trial.socket.recv_now() {
        if message[0].len() == 5 && message[0][0] == 0 {
            message[0] = b"MADE UP".to_vec();
        }
        got.push(message);
    }
    t.say(format_args!("  the socket gets {}", got.show()));
    t.say(format_args!("  events: {}", trial.watch.names()));
}

fn finish(trials: Vec<Trial>) {
    for trial in trials {
        let _ = trial.socket.close();
        trial.watch.skip_until("MONITOR_STOPPED");
        trial.watch.close();
    }
}

fn changed(t: &Test, kind: i32, exchange: &[u8], index: usize) {
    let old = exchange[index];
    let mut values = vec![old ^ 1, old ^ 0x20, old ^ 0x80, !old, 0];
    values.dedup();
    values.retain(|value| *value != old);
    let trials: Vec<Trial> = values
        .iter()
        .map(|value| begin(t, kind, format!("byte {index} {old:#04x} is {value:#04x}")))
        .collect();
    let wrong = |value: u8| {
        let mut bytes = exchange.to_vec();
        bytes[index] = value;
        bytes
    };
    for (trial, value) in trials.iter().zip(&values) {
        say(trial, &wrong(*value));
    }
    t.settle();
    let ready_ends = 64 + 2 + usize::from(exchange[65]);
    for range in [64..ready_ends, ready_ends..exchange.len()] {
        for (trial, value) in trials.iter().zip(&values) {
            trial.bare.send(&wrong(*value)[range.clone()]);
        }
        t.settle();
        trials.iter().for_each(|trial| drop(trial.socket.events()));
    }
    t.settle();
    trials.iter().for_each(|trial| look(t, trial));
    finish(trials);
}

fn cut(t: &Test, kind: i32, exchange: &[u8]) {
    let ready_ends = 64 + 2 + usize::from(exchange[65]);
    for length in
        [ready_ends - 1, ready_ends, ready_ends + 1, ready_ends + 2, ready_ends + 4, exchange.len() - 1]
    {
        let trial = begin(t, kind, format!("{length} bytes"));
        trial.bare.send(&exchange[..64]);
        t.settle();
        trial.bare.send(&exchange[64..length.min(ready_ends)]);
        t.settle();
        trial.bare.send(&exchange[length.min(ready_ends)..length]);
        look(t, &trial);
        finish(vec![trial]);
    }
}
