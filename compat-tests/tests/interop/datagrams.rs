//! udp: RADIO to DISH, and DGRAM to DGRAM. Both ends of a DGRAM are bound.

use std::net::UdpSocket;

use crate::control::{Control, Failure, Step};
use crate::frame::Frame;
use crate::wire::Kind;

/// What fits into a datagram of upstream's, and what comes close to its limit.
const SIZES: [usize; 9] = [0, 1, 33, 34, 255, 256, 1500, 4096, 8000];

/// Which of the two, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// RADIO connected, DISH bound.
    Groups,
    /// DGRAM, both bound, there and back.
    Peers,
}

/// A port that nobody has at the moment.
fn free_port() -> Step<u16> {
    let address = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    address.map(|a| a.port()).map_err(|e| Failure::Broken(e.to_string()))
}

/// Runs it; `one` sends first.
pub fn run(exchange: Exchange, one: &mut Control, other: &mut Control) -> Step<()> {
    match exchange {
        Exchange::Groups => groups(one, other),
        Exchange::Peers => {
            let ports = [free_port()?, free_port()?];
            for (peer, port) in [(&mut *one, ports[0]), (&mut *other, ports[1])] {
                peer.socket("dgram", Kind::Dgram as i32)?;
                peer.bind("dgram", &format!("udp://127.0.0.1:{port}"))?;
            }
            for (seed, size) in SIZES.iter().enumerate() {
                let body = Frame::Pattern(*size, seed as u64);
                pass(one, other, ports, &body)?;
                pass(other, one, [ports[1], ports[0]], &body)?;
            }
            one.ask("close dgram")?;
            other.ask("close dgram").map(drop)
        }
    }
}

fn pass(from: &mut Control, to: &mut Control, ports: [u16; 2], body: &Frame) -> Step<()> {
    let address = |port| Frame::of(format!("127.0.0.1:{port}"));
    from.send("dgram", &[address(ports[1]), body.clone()])?;
    // With the terminating zero, as upstream has it.
    let sender = Frame::of(format!("127.0.0.1:{}\0", ports[0]));
    expect(to, "dgram", &[sender, body.clone()])
}

fn groups(radio: &mut Control, dish: &mut Control) -> Step<()> {
    let endpoint = format!("udp://127.0.0.1:{}", free_port()?);
    dish.socket("dish", Kind::Dish as i32)?;
    dish.bind("dish", &endpoint)?;
    radio.socket("radio", Kind::Radio as i32)?;
    radio.ask(&format!("connect radio {endpoint}"))?;
    for group in ["group", "a-group-with-a-longer-name"] {
        dish.ask(&format!("join dish {group}"))?;
        dish.ask(&format!("group dish {group}"))?;
        // What the DISH hasn't joined is dropped on its side.
        radio.ask("group radio unknown")?;
        radio.send("radio", &[Frame::of("for nobody")])?;
        radio.ask(&format!("group radio {group}"))?;
        for (seed, size) in SIZES.iter().filter(|size| **size > 0 && **size < 8000).enumerate() {
            let body = Frame::Pattern(*size, seed as u64);
            radio.send("radio", std::slice::from_ref(&body))?;
            expect(dish, "dish", &[body])?;
        }
        dish.ask(&format!("leave dish {group}"))?;
    }
    radio.ask("close radio")?;
    dish.ask("close dish").map(drop)
}

fn expect(peer: &mut Control, name: &str, message: &[Frame]) -> Step<()> {
    let received = peer.recv(name)?;
    let expected: Vec<String> = message.iter().map(Frame::report).collect();
    if received == expected {
        return Ok(());
    }
    Err(Failure::Broken(format!("{} received {received:?} in the place of {expected:?}", peer.name())))
}
