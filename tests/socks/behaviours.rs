//! Connecting through a SOCKS5 proxy.

use crate::support::{Context, PATIENCE};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use zmq::ffi::constants::*;

const NAME: &str = "only.the.proxy.knows";

/// What a proxy does with a connection.
#[derive(Clone, Copy)]
enum Behaviour {
    HangsUp,
    TalksHttp,
    WantsAnotherMethod,
    RejectsThePassword,
    RefusesTheRequest,
    /// Says nothing, for as long as the client stays.
    Stalls,
    /// The reply and the target's first bytes come together.
    Serves,
    /// All answers come byte by byte.
    ServesSlowly,
}

/// Takes one connection for each behaviour, and connects [`NAME`] to `target`'s port.
fn proxy(target: &str, user: &'static str, behaviours: Vec<Behaviour>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let target = target.strip_prefix("tcp://").unwrap().to_owned();
    let thread = thread::spawn(move || {
        for behaviour in behaviours {
            let (client, _) = listener.accept().unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client.set_nodelay(true).unwrap();
            serve(client, &target, user, behaviour);
        }
    });
    (address, thread)
}

fn expect(client: &mut TcpStream, expected: &[u8]) {
    let mut received = vec![0; expected.len()];
    client.read_exact(&mut received).unwrap();
    assert_eq!(received, expected);
}

fn say(client: &mut TcpStream, answer: &[u8], behaviour: Behaviour) {
    let step = if matches!(behaviour, Behaviour::ServesSlowly) { 1 } else { answer.len() };
    answer.chunks(step).for_each(|part| client.write_all(part).unwrap());
}

fn serve(mut client: TcpStream, target: &str, user: &str, behaviour: Behaviour) {
    let method = if user.is_empty() { 0 } else { 2 };
    expect(&mut client, &[5, 1, method]);
    match behaviour {
        Behaviour::HangsUp => {}
        Behaviour::Stalls => assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "it gives up"),
        Behaviour::TalksHttp => say(&mut client, b"HTTP/1.1 400 Bad Request\r\n\r\n", behaviour),
        Behaviour::WantsAnotherMethod => say(&mut client, &[5, 255], behaviour),
        _ => {
            say(&mut client, &[5, method], behaviour);
            authenticate(client, target, user, behaviour);
        }
    }
}

fn authenticate(mut client: TcpStream, target: &str, user: &str, behaviour: Behaviour) {
    if !user.is_empty() {
        let text = |text: &str| [&[text.len() as u8][..], text.as_bytes()].concat();
        expect(&mut client, &[&[1][..], &text(user), &text("secret")].concat());
        if matches!(behaviour, Behaviour::RejectsThePassword) {
            return say(&mut client, &[1, 1], behaviour);
        }
        say(&mut client, &[1, 0], behaviour);
    }
    let port: u16 = target.rsplit_once(':').unwrap().1.parse().unwrap();
    let name = [&[NAME.len() as u8][..], NAME.as_bytes(), &port.to_be_bytes()].concat();
    expect(&mut client, &[&[5, 1, 0, 3][..], &name].concat());
    if matches!(behaviour, Behaviour::RefusesTheRequest) {
        return say(&mut client, &[5, 5, 0, 1, 0, 0, 0, 0, 0, 0], behaviour);
    }
    let mut peer = TcpStream::connect(target).unwrap();
    // The target greets first: ten bytes.
    let mut answer = [&[5, 0, 0, 3][..], &name, &[0; 10]].concat();
    let greeting = answer.len() - 10;
    peer.read_exact(&mut answer[greeting..]).unwrap();
    say(&mut client, &answer, behaviour);
    forward(client, peer);
}

fn forward(client: TcpStream, peer: TcpStream) {
    client.set_read_timeout(None).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), peer.try_clone().unwrap());
    let there = thread::spawn(move || {
        // Either end may hang up at any time.
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
    let _ = std::io::copy(&mut &peer, &mut &client);
    let _ = client.shutdown(std::net::Shutdown::Both);
    there.join().unwrap();
}

/// Messages go both ways through the last of the connections that the proxy takes.
fn check(user: &'static str, behaviours: Vec<Behaviour>) {
    let context = Context::new();
    let (bound, connected) = (context.socket(ZMQ_PAIR), context.socket(ZMQ_PAIR));
    let target = bound.bind_tcp();
    let (address, thread) = proxy(&target, user, behaviours);
    connected.set_bytes(ZMQ_SOCKS_PROXY, address.as_bytes()).unwrap();
    connected.set_bytes(ZMQ_SOCKS_USERNAME, user.as_bytes()).unwrap();
    connected.set_bytes(ZMQ_SOCKS_PASSWORD, b"secret").unwrap();
    connected.set(ZMQ_RECONNECT_IVL, 1).unwrap();
    connected.set(ZMQ_CONNECT_TIMEOUT, 500).unwrap();
    let port = target.rsplit_once(':').unwrap().1;
    connected.connect(&format!("tcp://{NAME}:{port}")).unwrap();
    connected.send(b"there").unwrap();
    assert_eq!(bound.recv().unwrap(), b"there");
    bound.send(&[7; 50_000]).unwrap();
    assert_eq!(connected.recv().unwrap(), [7; 50_000]);
    drop(connected);
    thread.join().unwrap();
}

#[test]
fn a_proxy_leads_to_a_name_that_only_it_knows() {
    check("", vec![Behaviour::Serves]);
}

#[test]
fn a_proxy_may_ask_who_it_is_and_dribble() {
    check("user", vec![Behaviour::ServesSlowly]);
}

#[test]
fn a_proxy_that_refuses_is_asked_again() {
    use Behaviour::*;
    check("", vec![HangsUp, TalksHttp, WantsAnotherMethod, RefusesTheRequest, Serves]);
    check("user", vec![RejectsThePassword, RefusesTheRequest, Serves]);
}

/// `ZMQ_CONNECT_TIMEOUT` is for the whole way.
#[test]
fn a_proxy_that_stalls_is_given_up() {
    check("", vec![Behaviour::Stalls, Behaviour::Serves]);
}

/// A socket is closed while its proxy says nothing: that connection ends, and the context too.
#[test]
fn closing_does_not_wait_for_a_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let context = Context::new();
    let socket = context.socket(ZMQ_PUSH);
    socket.set_bytes(ZMQ_SOCKS_PROXY, listener.local_addr().unwrap().to_string().as_bytes()).unwrap();
    socket.connect(&format!("tcp://{NAME}:1")).unwrap();
    let (mut client, _) = listener.accept().unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    expect(&mut client, &[5, 1, 0]);
    drop(socket);
    drop(context);
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
}
