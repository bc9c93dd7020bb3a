//! A peer: a process that publishes or subscribes by one library. The publisher says hello until it is told to go; the subscriber says what it hears.

use std::io::BufRead;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::api::{Api, Errno, Socket};

/// Types of sockets, as zmq.h has them.
pub const PUB: i32 = 1;
pub const SUB: i32 = 2;
pub const XPUB: i32 = 9;
pub const XSUB: i32 = 10;
/// Options.
const SUBSCRIBE: i32 = 6;
const RATE: i32 = 8;
const SNDHWM: i32 = 23;
const RCVHWM: i32 = 24;
const RCVTIMEO: i32 = 27;
/// `ZMQ_SNDMORE`
const MORE: i32 = 2;

/// What is published.
struct Load {
    /// Messages.
    count: usize,
    /// Sizes of their parts: around those at which the length takes more bytes, a packet is full, and beyond.
    sizes: [usize; 10],
}

impl Load {
    fn named(name: &str) -> Result<Self, String> {
        match name {
            "pgm" => Ok(Self { count: 1500, sizes: [0, 1, 100, 253, 254, 255, 1447, 1448, 3000, 20_000] }),
            // Less than what a publisher keeps: Debian's library lets what is new overwrite what isn't sent.
            "norm" => Ok(Self { count: 400, sizes: [0, 1, 100, 253, 254, 255, 1389, 1390, 1391, 3000] }),
            // A frame of more than 2038 bytes lets a publisher of libzmq's spin for ever.
            "norm-short" => {
                Ok(Self { count: 400, sizes: [0, 1, 100, 253, 254, 255, 1389, 1390, 1391, 2000] })
            }
            _ => Err(format!("{name} is no load")),
        }
    }

    /// The parts of a message.
    fn parts(&self, number: usize) -> Vec<Vec<u8>> {
        let count = 1 + usize::from(number.is_multiple_of(5)) * 2;
        (0..count)
            .map(|part| {
                let mut body = format!("{number}/{part} ").into_bytes();
                let size = self.sizes[(number * 3 + part) % self.sizes.len()];
                body.resize(body.len().max(size), number as u8);
                body
            })
            .collect()
    }
}

/// Runs until its work is done.
pub fn run(library: &Path, kind: &str, endpoint: &str, load: &str) -> Result<(), String> {
    // A driver that is killed takes its peers along.
    // SAFETY: plain system call without pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let load = Load::named(load)?;
    let kind: i32 = kind.parse().map_err(|_| "a type")?;
    let api = Api::load(library)?;
    let context = api.context();
    let say = |errno: Errno| format!("errno {errno}");
    let socket = api.socket(context, kind).map_err(say)?;
    for (option, value) in [(RATE, 40_000), (SNDHWM, 0), (RCVHWM, 0), (RCVTIMEO, 20_000)] {
        api.set(socket, option, &i32::to_ne_bytes(value)).map_err(say)?;
    }
    match kind {
        SUB => drop(api.set(socket, SUBSCRIBE, b"").map_err(say)?),
        XSUB => drop(api.send(socket, &[1], 0).map_err(say)?),
        _ => {}
    }
    api.connect(socket, endpoint).map_err(say)?;
    match kind {
        PUB | XPUB => publish(&api, socket, &load).map_err(say)?,
        _ => subscribe(&api, socket, &load)?,
    }
    api.close(socket).map_err(say)?;
    api.term(context).map_err(say)?;
    Ok(())
}

fn publish(api: &Api, socket: Socket, load: &Load) -> Result<(), Errno> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    while told.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Timeout) {
        api.send(socket, b"hello", 0)?;
    }
    for number in 0..load.count {
        let parts = load.parts(number);
        for (index, part) in parts.iter().enumerate() {
            api.send(socket, part, if index + 1 < parts.len() { MORE } else { 0 })?;
        }
    }
    // It is there for repairs until everything has arrived.
    let _ = told.recv();
    Ok(())
}

fn subscribe(api: &Api, socket: Socket, load: &Load) -> Result<(), String> {
    let message = || -> Result<Vec<Vec<u8>>, String> {
        let mut parts = Vec::new();
        loop {
            let (part, more) =
                api.recv(socket, <[u8]>::to_vec).map_err(|errno| format!("nothing comes: errno {errno}"))?;
            parts.push(part);
            if !more {
                return Ok(parts);
            }
        }
    };
    if message()? != [b"hello"] {
        return Err("no greeting".to_owned());
    }
    println!("heard");
    let mut next = message()?;
    while next == [b"hello"] {
        next = message()?;
    }
    for number in 0..load.count {
        if next != load.parts(number) {
            let begins = String::from_utf8_lossy(&next[0][..next[0].len().min(20)]).into_owned();
            println!("{begins:?} in the place of {number}");
            return Ok(());
        }
        if number + 1 < load.count {
            next = message()?;
        }
    }
    println!("all");
    Ok(())
}
