//! Records what two sockets of a library say to each other: a relay stands between them and keeps both directions.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::api::{Api, Context, Errno, Socket};

/// Option numbers of zmq.h.
mod option {
    pub const ROUTING_ID: i32 = 5;
    pub const SUBSCRIBE: i32 = 6;
    pub const UNSUBSCRIBE: i32 = 7;
    pub const LINGER: i32 = 17;
    pub const RCVTIMEO: i32 = 27;
    pub const PLAIN_SERVER: i32 = 44;
    pub const PLAIN_USERNAME: i32 = 45;
    pub const PLAIN_PASSWORD: i32 = 46;
    pub const CURVE_SERVER: i32 = 47;
    pub const CURVE_PUBLICKEY: i32 = 48;
    pub const CURVE_SECRETKEY: i32 = 49;
    pub const CURVE_SERVERKEY: i32 = 50;
    pub const HEARTBEAT_IVL: i32 = 75;
}

const PUB: i32 = 1;
const SUB: i32 = 2;
const REP: i32 = 4;
const DEALER: i32 = 5;
const ROUTER: i32 = 6;
const PULL: i32 = 7;
const PUSH: i32 = 8;
const XPUB: i32 = 9;
const XSUB: i32 = 10;
const SNDMORE: i32 = 2;

/// The keys that upstream's fuzz programs for CURVE have in their sources, so that a recorded HELLO is valid for them.
const CLIENT_PUBLIC: &[u8] = b"{{k*81)yMWEF{/BxdMd[5RL^qRFxBgoL<8m.D^KD\0";
const CLIENT_SECRET: &[u8] = b"N?Gmik8R[2ACw{b7*[-$S6[4}aO#?DB?#=<OQPc7\0";
const SERVER_PUBLIC: &[u8] = b"3.9-xXwy{g*w72TP*3iB9IJJRxlBH<ufTAvPd2>C\0";
const SERVER_SECRET: &[u8] = b"T}t5GLq%&Qm1)y3ywu-}pY3KEA//{^Ut!M1ut+B4\0";

#[derive(Clone, Copy, PartialEq)]
enum Mechanism {
    Null,
    Plain,
    Curve,
}

/// Two sockets, and what stands between them.
struct Exchange {
    name: &'static str,
    server: i32,
    client: i32,
    scheme: &'static str,
    mechanism: Mechanism,
    heartbeat: bool,
}

const fn exchange(name: &'static str, server: i32, client: i32) -> Exchange {
    Exchange { name, server, client, scheme: "tcp", mechanism: Mechanism::Null, heartbeat: false }
}

const fn over_ws(name: &'static str, server: i32, client: i32, mechanism: Mechanism) -> Exchange {
    Exchange { scheme: "ws", mechanism, ..exchange(name, server, client) }
}

const EXCHANGES: [Exchange; 11] = [
    exchange("pub-sub", PUB, SUB),
    exchange("xpub-xsub", XPUB, XSUB),
    exchange("router-dealer", ROUTER, DEALER),
    Exchange { heartbeat: true, ..exchange("heartbeat", PUB, SUB) },
    Exchange { mechanism: Mechanism::Plain, ..exchange("plain", PUB, SUB) },
    Exchange { mechanism: Mechanism::Curve, ..exchange("curve-pub-sub", PUB, SUB) },
    Exchange { mechanism: Mechanism::Curve, ..exchange("curve-dealer", DEALER, DEALER) },
    over_ws("ws-dealer", DEALER, DEALER, Mechanism::Null),
    over_ws("ws-push-pull", PUSH, PULL, Mechanism::Null),
    over_ws("ws-plain", DEALER, DEALER, Mechanism::Plain),
    Exchange { heartbeat: true, ..over_ws("ws-heartbeat", PUSH, PULL, Mechanism::Null) },
];

/// What was said.
pub struct Recording {
    /// Which sockets did.
    pub name: &'static str,
    /// What the side that connected sent.
    pub client: Vec<u8>,
    /// What the side that was bound sent.
    pub server: Vec<u8>,
}

/// All exchanges, one after the other.
pub fn record_all(api: &Api) -> Result<Vec<Recording>, String> {
    EXCHANGES
        .iter()
        .map(|exchange| {
            let context = api.context();
            let recording = record(api, context, exchange).map_err(|e| format!("{}: {e}", exchange.name));
            api.term(context).map_err(|e| format!("{}: zmq_ctx_term: {e}", exchange.name))?;
            recording
        })
        .collect()
}

fn record(api: &Api, context: Context, exchange: &Exchange) -> Result<Recording, String> {
    let errno = |e: Errno| std::io::Error::from_raw_os_error(e).to_string();
    let mut sockets = Vec::new();
    let outcome = talk(api, context, exchange, &mut sockets);
    let relay = outcome.map_err(errno);
    for socket in sockets {
        api.close(socket).map_err(errno)?;
    }
    let (client, server) = relay?.finish();
    Ok(Recording { name: exchange.name, client, server })
}

fn talk(api: &Api, context: Context, exchange: &Exchange, sockets: &mut Vec<Socket>) -> Result<Relay, Errno> {
    let int = |value: i32| value.to_ne_bytes();
    let mut open = |kind: i32| -> Result<Socket, Errno> {
        let socket = api.socket(context, kind)?;
        sockets.push(socket);
        api.set(socket, option::LINGER, &int(0))?;
        api.set(socket, option::RCVTIMEO, &int(3_000))?;
        Ok(socket)
    };
    let (server, client) = (open(exchange.server)?, open(exchange.client)?);
    match exchange.mechanism {
        Mechanism::Null => {}
        Mechanism::Plain => {
            api.set(server, option::PLAIN_SERVER, &int(1))?;
            api.set(client, option::PLAIN_USERNAME, b"admin")?;
            api.set(client, option::PLAIN_PASSWORD, b"password")?;
        }
        Mechanism::Curve => {
            api.set(server, option::CURVE_SERVER, &int(1))?;
            api.set(server, option::CURVE_SECRETKEY, SERVER_SECRET)?;
            api.set(client, option::CURVE_SERVERKEY, SERVER_PUBLIC)?;
            api.set(client, option::CURVE_PUBLICKEY, CLIENT_PUBLIC)?;
            api.set(client, option::CURVE_SECRETKEY, CLIENT_SECRET)?;
        }
    }
    if matches!(exchange.client, DEALER) {
        api.set(client, option::ROUTING_ID, b"name")?;
    }
    if exchange.heartbeat {
        api.set(server, option::HEARTBEAT_IVL, &int(30))?;
        api.set(client, option::HEARTBEAT_IVL, &int(30))?;
    }
    // A PLAIN server asks who may come in.
    let authenticator = if exchange.mechanism == Mechanism::Plain {
        let handler = open(REP)?;
        api.bind(handler, "inproc://zeromq.zap.01")?;
        Some(handler)
    } else {
        None
    };
    api.bind(server, &format!("{}://127.0.0.1:*", exchange.scheme))?;
    let relay = Relay::start(&api.text(server, LAST_ENDPOINT)?).map_err(|_| libc::EIO)?;
    api.connect(client, &format!("{}://127.0.0.1:{}", exchange.scheme, relay.port))?;
    if let Some(handler) = authenticator {
        let request = receive(api, handler)?;
        let id = request.get(1).cloned().unwrap_or_default();
        send(api, handler, &[b"1.0", &id, b"200", b"OK", b"", b""])?;
    }
    converse(api, exchange, server, client)?;
    if exchange.heartbeat {
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(relay)
}

const LAST_ENDPOINT: i32 = 32;

/// Some messages: short and long, one part and several, empty ones.
fn converse(api: &Api, exchange: &Exchange, server: Socket, client: Socket) -> Result<(), Errno> {
    let long = [b'l'; 300];
    let messages: [&[&[u8]]; 4] = [&[b"short"], &[&long], &[b"part", b"", b"last"], &[b""]];
    match (exchange.server, exchange.client) {
        (PUB | XPUB, _) => {
            if exchange.client == SUB {
                api.set(client, option::SUBSCRIBE, b"")?;
                api.set(client, option::SUBSCRIBE, b"topic")?;
            } else {
                send(api, client, &[b"\x01"])?;
            }
            // Published again and again until the subscription has taken effect.
            let deadline = Instant::now() + Duration::from_secs(5);
            api.set(client, option::RCVTIMEO, &20_i32.to_ne_bytes())?;
            while Instant::now() < deadline {
                send(api, server, &[b"start"])?;
                if receive(api, client).is_ok() {
                    break;
                }
            }
            api.set(client, option::RCVTIMEO, &3_000_i32.to_ne_bytes())?;
            for message in messages {
                send(api, server, message)?;
                while receive(api, client)?.last().map(Vec::as_slice) != message.last().copied() {}
            }
            if exchange.client == SUB {
                api.set(client, option::UNSUBSCRIBE, b"topic")?;
            } else {
                send(api, client, &[b"upwards"])?;
                send(api, client, &[b"\x00"])?;
            }
            // Nothing tells when the last of these is on its way.
            std::thread::sleep(Duration::from_millis(100));
        }
        (PUSH, _) => {
            for message in messages {
                send(api, server, message)?;
                receive(api, client)?;
            }
        }
        _ => {
            for message in messages {
                send(api, client, message)?;
                let received = receive(api, server)?;
                let reply: Vec<&[u8]> = received.iter().map(Vec::as_slice).collect();
                send(api, server, &reply)?;
                receive(api, client)?;
            }
        }
    }
    Ok(())
}

fn send(api: &Api, socket: Socket, message: &[&[u8]]) -> Result<(), Errno> {
    for (index, part) in message.iter().enumerate() {
        api.send(socket, part, if index + 1 < message.len() { SNDMORE } else { 0 })?;
    }
    Ok(())
}

fn receive(api: &Api, socket: Socket) -> Result<Vec<Vec<u8>>, Errno> {
    let mut parts = Vec::new();
    loop {
        let (part, more) = api.recv(socket, <[u8]>::to_vec)?;
        parts.push(part);
        if !more {
            return Ok(parts);
        }
    }
}

/// Takes one connection and passes on what comes, either way.
struct Relay {
    port: u16,
    threads: JoinHandle<std::io::Result<[Vec<u8>; 2]>>,
}

impl Relay {
    fn start(endpoint: &str) -> std::io::Result<Relay> {
        let port = endpoint
            .trim_end_matches('/')
            .rsplit(':')
            .next()
            .and_then(|port| port.parse::<u16>().ok())
            .ok_or(std::io::ErrorKind::InvalidInput)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let own = listener.local_addr()?.port();
        let threads = std::thread::spawn(move || {
            let (client, _) = listener.accept()?;
            let server = TcpStream::connect(("127.0.0.1", port))?;
            let upwards = pass_on(client.try_clone()?, server.try_clone()?);
            let downwards = pass_on(server, client);
            Ok([upwards.join().unwrap_or_default(), downwards.join().unwrap_or_default()])
        });
        Ok(Relay { port: own, threads })
    }

    /// What the client sent, and what the server sent. Both must have been closed.
    fn finish(self) -> (Vec<u8>, Vec<u8>) {
        let [client, server] = self.threads.join().ok().and_then(Result::ok).unwrap_or_default();
        (client, server)
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(count) = from.read(&mut buffer)
            && count > 0
        {
            all.extend_from_slice(&buffer[..count]);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        // The other direction may end the same way; whoever is gone can't be shut down.
        let _ = to.shutdown(Shutdown::Write);
        all
    })
}
