//! Junk on a listening port.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use zmq::ffi::constants::{
    ZMQ_BACKLOG, ZMQ_DEALER, ZMQ_HANDSHAKE_IVL, ZMQ_IN_BATCH_SIZE, ZMQ_MAXMSGSIZE, ZMQ_PULL, ZMQ_PUSH,
    ZMQ_RCVTIMEO, ZMQ_ROUTER, ZMQ_XPUB,
};

use crate::support::{Context, Socket};
use crate::wire::{Dice, command, conversation, dial, frame, greeting, is_closed, property, ready, say};
use crate::{alone, assert_no_panics, watch_for_panics};

/// A listener with a peer that behaves, to see whether the others disturb it.
struct Bystanders {
    pull: Socket,
    push: Socket,
    endpoint: String,
    sent: u32,
    // Last, so that the sockets are closed before it ends.
    _context: Context,
}

impl Bystanders {
    fn new() -> Self {
        watch_for_panics();
        let context = Context::new();
        let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
        // What doesn't fit there waits a second for the system to try again.
        pull.set(ZMQ_BACKLOG, 1000).expect("an option");
        let endpoint = pull.bind_tcp();
        push.connect(&endpoint).expect("an endpoint");
        let mut this = Self { pull, push, endpoint, sent: 0, _context: context };
        this.go_on();
        this
    }

    /// The one that behaves is served as ever, and nobody else's message comes.
    fn go_on(&mut self) {
        self.sent += 1;
        let body = self.sent.to_string();
        self.push.send(body.as_bytes()).expect("a peer");
        assert_eq!(self.pull.recv().as_deref(), Ok(body.as_bytes()));
    }

    fn dial(&self) -> TcpStream {
        dial(&self.endpoint)
    }
}

impl Drop for Bystanders {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.go_on();
            assert_no_panics();
        }
    }
}

#[test]
fn a_conversation_byte_by_byte_and_in_random_chunks_is_understood() {
    let _alone = alone();
    let mut bystanders = Bystanders::new();
    let mut dice = Dice(0x1234_5678_9abc_def1);
    for round in 0..40 {
        let body = format!("message {round}");
        let mut stream = bystanders.dial();
        let bytes = conversation(body.as_bytes());
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let count = if round == 0 { 1 } else { 1 + dice.below(rest.len()) };
            say(&mut stream, &rest[..count]);
            rest = &rest[count..];
        }
        assert_eq!(bystanders.pull.recv().as_deref(), Ok(body.as_bytes()));
        bystanders.go_on();
    }
}

#[test]
fn commands_that_are_none_are_passed_over() {
    let _alone = alone();
    let mut bystanders = Bystanders::new();
    let mut stream = bystanders.dial();
    say(&mut stream, &[greeting(), ready("PUSH")].concat());
    for body in
        [&b""[..], b"\x04PIN", b"\xff", b"\x03FOO", b"\x00", b"\x04PING", b"\x04PING\x00", b"\x09SUBSCRIBE"]
    {
        say(&mut stream, &frame(4, body));
        bystanders.go_on();
    }
    say(&mut stream, &frame(0, b"still here"));
    assert_eq!(bystanders.pull.recv().as_deref(), Ok(&b"still here"[..]));
}

/// The I/O thread does handshakes itself, and what it reads in small pieces comes faster than it reads.
#[test]
fn a_handshake_without_end_keeps_nobody_from_theirs() {
    let _alone = alone();
    watch_for_panics();
    let context = Context::new();
    let (flooded, pull) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PULL));
    flooded.set(ZMQ_IN_BATCH_SIZE, 64).expect("an option");
    let endpoint = pull.bind_tcp();
    let mut flood = dial(&flooded.bind_tcp());
    // A command of 2 GiB.
    say(&mut flood, &[greeting(), vec![6], (1_u64 << 31).to_be_bytes().to_vec()].concat());
    let (over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) && sent.load(Ordering::SeqCst) < 1 << 31 {
                let count = flood.write(&[0; 64 * 1024]).expect("the server reads on");
                sent.fetch_add(count, Ordering::SeqCst);
            }
        });
        let mut outcomes = Vec::new();
        for _ in 0..5 {
            let mut stream = dial(&endpoint);
            say(&mut stream, &conversation(b"hello"));
            outcomes.push(pull.recv());
            let before = sent.load(Ordering::SeqCst);
            while sent.load(Ordering::SeqCst) == before {
                std::thread::yield_now();
            }
        }
        over.store(true, Ordering::SeqCst);
        assert_eq!(outcomes, vec![Ok(b"hello".to_vec()); 5]);
    });
    assert_no_panics();
}

#[test]
fn what_breaks_the_protocol_is_cut_off() {
    let _alone = alone();
    let mut bystanders = Bystanders::new();
    let hello = [greeting(), ready("PUSH")].concat();
    let mut mechanism = greeting();
    mechanism[12..16].copy_from_slice(b"NONE");
    let long = |size: u64| [&[2_u8][..], &size.to_be_bytes()].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("another mechanism", mechanism),
        ("a message in the place of READY", [greeting(), frame(0, b"message")].concat()),
        ("another command in the place of READY", [greeting(), command("HELLO", b"")].concat()),
        ("ERROR in the place of READY", [greeting(), command("ERROR", b"\x03bad")].concat()),
        ("an empty command", [greeting(), frame(4, b"")].concat()),
        ("a name longer than its command", [greeting(), frame(4, b"\xffREADY")].concat()),
        ("READY cut off in a name", [greeting(), command("READY", b"\x0bSocket")].concat()),
        ("READY cut off in a size", [greeting(), command("READY", b"\x01a\x00\x00")].concat()),
        ("READY cut off in a value", [greeting(), command("READY", b"\x01a\xff\xff\xff\xffv")].concat()),
        ("READY with a socket type that there isn't", [greeting(), ready("NONSENSE")].concat()),
        ("READY with an incompatible socket type", [greeting(), ready("REP")].concat()),
        ("READY with a long identity", {
            let identity = property("Identity", &[7; 200]);
            let socket_type = property("Socket-Type", b"NONSENSE");
            [greeting(), command("READY", &[identity[..100].to_vec(), socket_type].concat())].concat()
        }),
        ("a long message with a negative size", [hello.clone(), long(u64::MAX)].concat()),
        ("a long message with an impossible size", [hello.clone(), long(1 << 63)].concat()),
        ("a command with an impossible size", {
            [hello.clone(), vec![6], (u64::MAX / 2).to_be_bytes().to_vec()].concat()
        }),
    ];
    for (name, bytes) in cases {
        let mut whole = bystanders.dial();
        say(&mut whole, &bytes);
        assert!(is_closed(&mut whole), "{name}");
        bystanders.go_on();
        let mut dripping = bystanders.dial();
        for byte in &bytes {
            say(&mut dripping, std::slice::from_ref(byte));
        }
        assert!(is_closed(&mut dripping), "{name}, byte by byte");
        bystanders.go_on();
    }
}

#[test]
fn sizes_that_are_announced_and_never_come_cost_no_memory() {
    let _alone = alone();
    let mut bystanders = Bystanders::new();
    let before = resident();
    let hello = [greeting(), ready("PUSH")].concat();
    let streams: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = bystanders.dial();
            // A terabyte each.
            say(
                &mut stream,
                &[hello.clone(), vec![2], (1_u64 << 40).to_be_bytes().to_vec(), vec![7; 100]].concat(),
            );
            stream
        })
        .collect();
    bystanders.go_on();
    let after = resident();
    assert!(after < before + 64 * 1024, "{before} KiB before, {after} KiB after");
    drop(streams);
    bystanders.go_on();
}

/// Kilobytes of memory that the process has in use.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    line.split_ascii_whitespace().nth(1).and_then(|size| size.parse().ok()).expect("a number")
}

#[test]
fn a_message_above_the_limit_is_cut_off_at_its_header() {
    let _alone = alone();
    watch_for_panics();
    let context = Context::new();
    let pull = context.socket(ZMQ_PULL);
    pull.set_bytes(ZMQ_MAXMSGSIZE, &1000_i64.to_ne_bytes()).expect("an option");
    let endpoint = pull.bind_tcp();
    let mut stream = dial(&endpoint);
    let hello = [greeting(), ready("PUSH")].concat();
    say(&mut stream, &[hello, vec![2], 1001_u64.to_be_bytes().to_vec()].concat());
    assert!(is_closed(&mut stream));
    let mut stream = dial(&endpoint);
    say(&mut stream, &conversation(b"small"));
    assert_eq!(pull.recv().as_deref(), Ok(&b"small"[..]));
    assert_no_panics();
}

#[test]
fn conversations_with_single_bytes_changed_disturb_nobody() {
    let _alone = alone();
    let bystanders = Bystanders::new();
    let good = [greeting(), ready("PUSH"), command("PING", b"\0\x0acontext"), frame(1, b"a"), frame(0, b"b")]
        .concat();
    let mut dice = Dice(0xfeed_beef_dead_cafe);
    for position in 0..good.len() {
        for value in [0x00, 0x01, 0x7f, 0x80, 0xff, good[position] ^ 1, good[position] ^ (1 << dice.below(8))]
        {
            let mut bytes = good.clone();
            bytes[position] = value;
            let mut stream = bystanders.dial();
            say(&mut stream, &bytes);
            let _ = stream.shutdown(Shutdown::Write);
        }
        // What is still a valid message may come; all of it is there by the time that a further connection has been served.
        bystanders.push.send(b"mark").expect("a peer");
        loop {
            let part = bystanders.pull.recv().expect("the mark at least");
            if part == b"mark" {
                break;
            }
            assert!(part.len() <= 255, "{part:?}");
        }
    }
    while bystanders.pull.try_recv().is_ok() {}
    drain(&bystanders.pull);
}

/// Until nothing more comes.
fn drain(socket: &Socket) {
    socket.set(zmq::ffi::constants::ZMQ_RCVTIMEO, 100).expect("an option");
    while socket.recv().is_ok() {}
    socket.set(zmq::ffi::constants::ZMQ_RCVTIMEO, 3000).expect("an option");
}

#[test]
fn random_bytes_and_other_protocols_disturb_nobody() {
    let _alone = alone();
    let bystanders = Bystanders::new();
    let mut dice = Dice(0x0123_4567_89ab_cdef);
    let mut streams = Vec::new();
    for round in 0..300 {
        let mut stream = bystanders.dial();
        let count = dice.below(2000);
        let junk = dice.bytes(count);
        let bytes = match round % 6 {
            0 => junk,
            1 => b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            2 => greeting()[..dice.below(64)].to_vec(),
            3 => [greeting(), junk].concat(),
            // After a good handshake, commands only: messages would be let through, and rightly.
            4 => [greeting(), ready("PUSH"), frame(4, &junk[..junk.len().min(200)])].concat(),
            _ => [vec![0xff; 10], junk].concat(),
        };
        say(&mut stream, &bytes);
        match round % 3 {
            0 => drop(stream),
            1 => {
                let _ = stream.shutdown(Shutdown::Write);
                streams.push(stream);
            }
            _ => streams.push(stream),
        }
        if round % 25 == 0 {
            // An unversioned peer's junk may read as messages (RFC 13), so others' messages may come in between.
            bystanders.push.send(b"mark").expect("a peer");
            while bystanders.pull.recv().expect("the mark at least") != b"mark" {}
        }
    }
    drop(streams);
    drain(&bystanders.pull);
}

#[test]
fn a_thousand_connections_dropped_at_once_disturb_nobody() {
    let _alone = alone();
    let mut bystanders = Bystanders::new();
    for bytes in [&b""[..], &greeting()[..11], &conversation(b"")[..64]] {
        let mut streams = Vec::new();
        for _ in 0..1000 {
            let mut stream = bystanders.dial();
            say(&mut stream, bytes);
            streams.push(stream);
            // The descriptors of both ends are this process's.
            if streams.len() == 250 {
                streams.clear();
            }
        }
        drop(streams);
        bystanders.go_on();
    }
}

#[test]
fn a_handshake_that_stops_is_given_up_in_time() {
    let _alone = alone();
    watch_for_panics();
    let context = Context::new();
    let router = context.socket(ZMQ_ROUTER);
    router.set(ZMQ_HANDSHAKE_IVL, 100).expect("an option");
    let endpoint = router.bind_tcp();
    let bytes = [greeting(), ready("DEALER")].concat();
    let mut streams: Vec<_> = (0..bytes.len())
        .map(|count| {
            let mut stream = dial(&endpoint);
            say(&mut stream, &bytes[..count]);
            stream
        })
        .collect();
    for (count, stream) in streams.iter_mut().enumerate() {
        assert!(is_closed(stream), "after {count} bytes");
    }
    assert_no_panics();
}

#[test]
fn subscriptions_of_all_sizes_cost_their_sender_at_most() {
    let _alone = alone();
    watch_for_panics();
    let context = Context::new();
    let xpub = context.socket(ZMQ_XPUB);
    let endpoint = xpub.bind_tcp();
    // A megabyte: a tree walked by recursion runs out of stack here.
    let mut stream = dial(&endpoint);
    let topic = vec![b't'; 1 << 20];
    let body = [b"\x09SUBSCRIBE", topic.as_slice()].concat();
    let header = [vec![6], (body.len() as u64).to_be_bytes().to_vec()].concat();
    say(&mut stream, &[greeting(), ready("SUB"), header, body].concat());
    // `recv` gives 64 KiB at most.
    assert_eq!(xpub.recv().map(|subscription| subscription[0]), Ok(1));
    drop(stream);
    assert_eq!(xpub.recv().map(|cancellation| cancellation[0]), Ok(0));
    // Cancelled without having been asked for, and junk in the place of either.
    let mut stream = dial(&endpoint);
    say(
        &mut stream,
        &[greeting(), ready("SUB"), command("CANCEL", b"never"), frame(0, b"\x00never")].concat(),
    );
    say(&mut stream, &command("SUBSCRIBE", b"topic"));
    // Upstream reports the cancellation of what nobody asked for, too.
    while xpub.recv().expect("the subscription at least") != b"\x01topic" {}
    assert_no_panics();
}

#[test]
fn a_peer_that_pings_without_end_and_reads_nothing_is_not_answered_without_end() {
    const PINGS: usize = 1_000_000;
    let _alone = alone();
    watch_for_panics();
    let context = Context::new();
    let dealer = context.socket(ZMQ_DEALER);
    // There is much to decode before it.
    dealer.set(ZMQ_RCVTIMEO, 20_000).expect("an option");
    let mut stream = dial(&dealer.bind_tcp());
    say(&mut stream, &[greeting(), ready("DEALER")].concat());
    // More than the system's buffers hold of answers.
    let pings = command("PING", b"\0\0sixteen bytes...").repeat(1000);
    for _ in 0..PINGS / 1000 {
        say(&mut stream, &pings);
    }
    say(&mut stream, &frame(0, b"the end"));
    assert_eq!(dealer.recv().as_deref(), Ok(&b"the end"[..]));
    dealer.send(b"read on").expect("a peer");

    // What was kept to be sent goes before the message.
    let mut reader = BufReader::new(stream);
    reader.read_exact(&mut [0; 64]).expect("a greeting");
    let mut pongs = 0;
    loop {
        let mut head = [0; 2];
        reader.read_exact(&mut head).expect("a frame");
        let mut body = vec![0; head[1].into()];
        reader.read_exact(&mut body).expect("its body");
        pongs += usize::from(body == b"\x04PONGsixteen bytes...");
        if body == b"read on" {
            break;
        }
    }
    assert!((1..PINGS).contains(&pongs), "{pongs} answers were sent or kept");
    assert_no_panics();
}
