//! Peers that say wrong things, on either side: it costs them their connection, monitors hear the right event, and all others go on.

use crate::peer::*;
use crate::support::{Context, Socket};
use crate::watch::Watch;
use crate::zmtp::Dice;
use zmq::ffi::constants::*;

/// `ZMQ_PROTOCOL_ERROR_WS_UNSPECIFIED`
const REFUSED: u64 = 0x3000_0000;

/// A server with a client that behaves.
struct Server {
    pull: Socket,
    push: Socket,
    watch: Watch,
    endpoint: String,
    _context: Context,
}

impl Server {
    fn new() -> Self {
        let context = Context::new();
        let (pull, push) = (context.socket(ZMQ_PULL), context.socket(ZMQ_PUSH));
        pull.set_bytes(ZMQ_MAXMSGSIZE, &100_000_i64.to_ne_bytes()).unwrap();
        pull.bind("ws://127.0.0.1:*").unwrap();
        let endpoint = pull.last_endpoint();
        push.connect(&endpoint).unwrap();
        push.send(b"first").unwrap();
        assert_eq!(pull.recv().unwrap(), b"first");
        let watch = Watch::new(&context, &pull);
        Self { pull, push, watch, endpoint, _context: context }
    }

    fn goes_on(&self) {
        self.goes_on_after(b"");
    }

    fn goes_on_after(&self, bytes: &[u8]) {
        self.push.send(b"still there").unwrap();
        assert_eq!(self.pull.recv().unwrap(), b"still there", "{}", bytes.escape_ascii());
    }

    /// Says that in pieces. It is refused with these events behind ACCEPTED.
    fn refuses(&self, bytes: &[u8], step: usize, events: &[i32]) {
        let mut peer = Peer::dial(&self.endpoint);
        bytes.chunks(step).for_each(|piece| peer.say(piece));
        assert!(peer.is_closed(), "{}", bytes.escape_ascii());
        self.watch.expect(&[ZMQ_EVENT_ACCEPTED]);
        for &expected in events {
            let event = self.watch.next();
            assert_eq!(event.event, expected, "{}", bytes.escape_ascii());
            if expected == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL {
                assert_eq!(event.values, [REFUSED]);
            }
        }
        self.goes_on_after(bytes);
    }
}

#[test]
fn a_conversation_byte_by_byte_and_in_random_pieces_is_understood() {
    let server = Server::new();
    let mut dice = Dice(0x1357_9bdf_0246_8ace);
    let bytes = [
        request("ZWS2.0/NULL").into_bytes(),
        masked(BINARY, &ready("PUSH")),
        masked(PING, b"x"),
        masked(BINARY, b"\x01one"),
        masked(PONG, b""),
        masked(0x02, &[&[0][..], &[b'x'; 100]].concat()),
        masked(PING, b"x"),
        masked(0x00, &[b'x'; 150]),
        masked(0x80, &[b'x'; 50]),
    ]
    .concat();
    for round in 0..30 {
        let mut peer = Peer::dial(&server.endpoint);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(if round == 0 { 1 } else { 1 + dice.below(rest.len()) });
            peer.say(piece);
            rest = behind;
        }
        assert_eq!(server.pull.recv_all().unwrap(), [b"one".to_vec(), vec![b'x'; 300]]);
    }
    server.goes_on();
}

#[test]
fn requests_with_each_field_wrong() {
    let server = Server::new();
    let change = |from: &str, to: &str| request("ZWS2.0/NULL").replace(from, to);
    let many = (0..300).map(|n| format!("H{n}: 1")).collect::<Vec<_>>().join("\r\n");
    let huge = (0..60).map(|n| format!("H{n}: {}", "a".repeat(2000))).collect::<Vec<_>>().join("\r\n");
    for text in [
        change("GET", "POST"),
        change("HTTP/1.1", "HTTP/1.0"),
        change("HTTP/1.1", "HTTP/1.1 "),
        change("/x", ""),
        change(&format!("Sec-WebSocket-Key: {KEY}\r\n"), ""),
        change(KEY, ""),
        change("Upgrade: websocket", "Upgrade: h2c"),
        change("Upgrade: websocket\r\n", ""),
        change("Connection: Upgrade", "Connection: close"),
        change("Connection: Upgrade\r\n", ""),
        change("ZWS2.0/NULL", "chat"),
        change("ZWS2.0/NULL", "ZWS2.0/PLAIN"),
        change("ZWS2.0/NULL", "ZWS2.0/CURVE"),
        change("Sec-WebSocket-Protocol: ZWS2.0/NULL\r\n", ""),
        change("\r\n", "\n"),
        change("Host: h", "Host"),
        change("Host: h", "Host : h"),
        change("Host: h", "\0: h"),
        change("Host: h", &format!("Cookie: {}", "a".repeat(2049))),
        change("Host: h", &format!("{}: 1", "a".repeat(1025))),
        change("Host: h", &many),
        change("Host: h", &huge),
        "\u{1f98e}".to_owned(),
        "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(),
    ] {
        for step in [7, usize::MAX] {
            let events = [ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, ZMQ_EVENT_DISCONNECTED];
            server.refuses(text.as_bytes(), step, &events);
        }
    }
    // ZMTP without a WebSocket is none either.
    let events = [ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, ZMQ_EVENT_DISCONNECTED];
    server.refuses(&crate::zmtp::greeting(), usize::MAX, &events);
}

#[test]
fn frames_with_each_field_wrong() {
    let server = Server::new();
    let long = |length: u64| [&[BINARY, 0xff][..], &length.to_be_bytes(), &[0; 4], b"\0x"].concat();
    let wrong = [
        masked(0x81, b"\0text"),
        masked(0x80, b"\0continues nothing"),
        masked(0x83, b"\0reserved"),
        masked(0x8f, b""),
        [masked(0x02, b"\0a fragment"), masked(BINARY, b"\0a message inside")].concat(),
        [masked(0x02, b"\0a fragment"), masked(0x01, b"\0text")].concat(),
        [masked(0x02, b"\0"), masked(0x00, &[0; 60_000]), masked(0x00, &[0; 40_001])].concat(),
        [masked(0x02, b""), masked(0x80, b"")].concat(),
        masked(0x09, b""),
        bare(BINARY, b"\0not masked"),
        bare(CLOSE, b""),
        masked(BINARY, b""),
        masked(BINARY, &vec![0; 100_002]),
        masked(PING, &vec![0; 100_001]),
        long(1 << 31),
        long(1 << 62),
        long(1 << 63),
        long(u64::MAX),
    ];
    for protocol in ["ZWS2.0/NULL", "ZWS2.0"] {
        let plain = protocol == "ZWS2.0";
        let first = masked(BINARY, &if plain { b"\0".to_vec() } else { ready("PUSH") });
        let start = [request(protocol).into_bytes(), first].concat();
        let succeeded = if plain { 1 } else { 2 };
        let mut events = vec![ZMQ_EVENT_HANDSHAKE_SUCCEEDED; succeeded];
        if plain {
            // Without a mechanism the connection never counts as one that has shaken hands, but it was no fault of the transport's.
            assert_eq!(succeeded, 1);
        }
        events.push(ZMQ_EVENT_DISCONNECTED);
        for bytes in &wrong {
            for step in [50, usize::MAX] {
                server.refuses(&[&start[..], bytes].concat(), step, &events);
            }
        }
    }
}

/// A connection that has failed isn't read any more, though it takes a moment until it is closed: what came together with the mistake would be
/// understood once more, and in another way.
#[test]
fn nothing_is_read_behind_a_mistake() {
    let server = Server::new();
    let start = [masked(BINARY, b"\0"), masked(BINARY, &vec![0; 100_002])[..20].to_vec()].concat();
    for _ in 0..300 {
        let mut peer = Peer::upgraded(&server.endpoint, "ZWS2.0");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                peer.say(&start);
                (0..50).for_each(|_| peer.say(b"more"));
            });
            // The one that waits is the one that reads.
            server.pull.set(ZMQ_RCVTIMEO, 2).unwrap();
            assert_eq!(server.pull.recv(), Err(libc::EAGAIN));
        });
    }
    server.pull.set(ZMQ_RCVTIMEO, 3000).unwrap();
    server.goes_on();
}

#[test]
fn mechanisms_that_are_out_of_step() {
    let server = Server::new();
    let upgrade = request("ZWS2.0/NULL").into_bytes();
    for wrong in [
        masked(BINARY, b"\x02\x03FOO"),
        masked(PING, b"x"),
        masked(BINARY, b"\0"),
        masked(BINARY, &ready("NONSENSE")),
        masked(BINARY, &ready("REQ")),
        masked(BINARY, &ready("PUSH")[..15]),
        masked(BINARY, b"\x02\x05ERROR\x00"),
    ] {
        let mut peer = Peer::dial(&server.endpoint);
        peer.say(&[&upgrade[..], &wrong].concat());
        assert!(peer.is_closed(), "{}", wrong.escape_ascii());
        server.watch.expect(&[ZMQ_EVENT_ACCEPTED, ZMQ_EVENT_HANDSHAKE_SUCCEEDED]);
        server.watch.wait_for(ZMQ_EVENT_DISCONNECTED);
        server.goes_on();
    }
}

#[test]
fn what_is_cut_short_or_repeated_ends_well() {
    let server = Server::new();
    let whole = [
        request("ZWS2.0/NULL").into_bytes(),
        masked(BINARY, &ready("PUSH")),
        masked(BINARY, b"\x01never"),
        masked(BINARY, b"\x01whole"),
    ]
    .concat();
    for end in (0..whole.len()).step_by(7) {
        let mut peer = Peer::dial(&server.endpoint);
        peer.say(&whole[..end]);
    }
    server.goes_on();
    for _ in 0..3 {
        let mut peer = Peer::dial(&server.endpoint);
        peer.say(&[request("ZWS2.0").as_bytes(), request("ZWS2.0").as_bytes()].concat());
        assert!(peer.is_closed());
    }
    server.goes_on();
}

#[test]
fn noise_behind_a_handshake_is_survived() {
    let server = Server::new();
    let mut dice = Dice(0xfeed_beef_cafe_f00d);
    for _ in 0..60 {
        let mut peer = Peer::ready(&server.endpoint, "PUSH");
        let count = 1 + dice.below(200);
        // Commands and halves of messages only: what looks like a message of its own might be received.
        let noise: Vec<u8> = dice.bytes(count);
        peer.say(&masked(BINARY, b"\x01half"));
        peer.say(&masked(0x80 | (dice.below(8) as u8 + 3), &noise));
    }
    server.goes_on();
}

#[test]
fn servers_that_do_not_grant_the_upgrade_are_left_alone() {
    let context = Context::new();
    let (listener, endpoint) = listen();
    for (from, to) in UNGRANTED {
        let push = context.socket(ZMQ_PUSH);
        push.set(ZMQ_RECONNECT_IVL, 1).unwrap();
        let watch = Watch::new(&context, &push);
        push.connect(&endpoint).unwrap();
        let mut peer = Peer::accept(&listener);
        let head = peer.head();
        peer.say(response(key_of(&head), "ZWS2.0/NULL").replace(from, to).as_bytes());
        assert!(peer.is_closed(), "{from} {to}");
        let event = watch.wait_for(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL);
        assert_eq!(event.values, [REFUSED]);
        watch.expect(&[ZMQ_EVENT_DISCONNECTED]);
        // It was the protocol's fault, so it doesn't try again.
        assert!(watch.0.try_recv().is_err());
    }
}

#[test]
fn servers_that_send_wrong_frames_lose_their_client() {
    let context = Context::new();
    let (listener, endpoint) = listen();
    for wrong in [
        masked(BINARY, b"\0masked"),
        bare(0x81, b"\0text"),
        bare(0x80, b"\0continues nothing"),
        [bare(0x02, b"\0fragment"), bare(BINARY, b"\0message")].concat(),
        bare(BINARY, b""),
        [&[BINARY, 127][..], &u64::MAX.to_be_bytes(), b"\0"].concat(),
    ] {
        let pull = context.socket(ZMQ_PULL);
        let watch = Watch::new(&context, &pull);
        pull.connect(&endpoint).unwrap();
        let mut peer = Peer::accept(&listener);
        peer.grant("ZWS2.0/NULL");
        peer.frame();
        peer.say(&bare(BINARY, &ready("PUSH")));
        peer.say(&bare(BINARY, b"\0good"));
        assert_eq!(pull.recv().unwrap(), b"good");
        peer.say(&wrong);
        assert!(peer.is_closed(), "{}", wrong.escape_ascii());
        watch.wait_for(ZMQ_EVENT_DISCONNECTED);
    }
}

#[test]
fn a_server_that_hangs_up_in_the_middle_is_tried_again() {
    let context = Context::new();
    let (listener, endpoint) = listen();
    let push = context.socket(ZMQ_PUSH);
    push.set(ZMQ_RECONNECT_IVL, 1).unwrap();
    push.connect(&endpoint).unwrap();
    for bytes in [&b""[..], b"HTTP/1.1 101 Swi", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: web"] {
        let mut peer = Peer::accept(&listener);
        peer.head();
        peer.say(bytes);
    }
    let mut peer = Peer::accept(&listener);
    peer.grant("ZWS2.0");
    push.send(b"at last").unwrap();
    peer.frame();
    assert_eq!(peer.frame(), (BINARY, b"\0at last".to_vec()));
}
