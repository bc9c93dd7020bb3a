//! A descriptor for PGM's packets, over IP or in UDP datagrams.

use super::address::Address;
use crate::options::Options;
use crate::sys::datagrams::{self, BATCH, Incoming, Outgoing};
use crate::transport::tcp;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, RawFd};

/// PGM's number among the protocols over IP.
const IPPROTO_PGM: i32 = 113;
/// What routers are told: expedited forwarding, as OpenPGM asks for on behalf of libzmq.
const EXPEDITED: u32 = 0x2e << 2;
/// How many errors in a row are gone past before the descriptor is left until the next event.
const PATIENCE: usize = 8;
/// Room for the header that raw IPv4 sockets show.
const MAX_IP_HEADER: usize = 60;

/// What packets go in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encapsulation {
    /// Nothing (`pgm://`).
    Ip,
    /// UDP datagrams (`epgm://`).
    Udp,
}

/// See the module's text. It is non-blocking.
pub struct Channel {
    socket: Socket,
    /// Packets come with the header of IPv4.
    headers: bool,
    /// Packets that were received together, each in a place of so many bytes; how many there are, and the next one.
    buffer: Box<[u8]>,
    place: usize,
    incoming: [Incoming; BATCH],
    count: usize,
    next: usize,
    /// More may have arrived since the descriptor was dry.
    readable: bool,
}

impl Channel {
    /// A descriptor bound to this address, one of the machine's or a group. Packets to groups go by the address's interface.
    pub fn open(
        address: &Address,
        bound: IpAddr,
        options: &Options,
        encapsulation: Encapsulation,
        max_packet: usize,
    ) -> io::Result<Self> {
        let bound = address.with_port(bound);
        let domain = Domain::for_address(bound);
        let socket = match encapsulation {
            Encapsulation::Udp => Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP)),
            Encapsulation::Ip => {
                Socket::new(domain, Type::RAW.nonblocking(), Some(Protocol::from(IPPROTO_PGM)))
            }
        }?;
        // Others on this machine may listen to the same group, or publish there.
        socket.set_reuse_address(true)?;
        tcp::wish(&socket, options);
        if !options.bindtodevice.is_empty() {
            socket.bind_device(Some(&options.bindtodevice))?;
        }
        let hops = u32::try_from(options.multicast_hops).unwrap_or(1).min(255);
        // The own machine doesn't hear what it sends, as with libzmq, which has `ZMQ_MULTICAST_LOOP` for udp only.
        match (address.own, bound.ip()) {
            (IpAddr::V4(own), ip) => {
                socket.set_multicast_loop_v4(false)?;
                socket.set_multicast_ttl_v4(hops)?;
                socket.set_multicast_if_v4(&own)?;
                let _ = socket.set_tos_v4(EXPEDITED);
                bind(&socket, bound, encapsulation)?;
                if let IpAddr::V4(group) = ip
                    && group.is_multicast()
                {
                    socket.set_multicast_all_v4(false)?;
                    socket.join_multicast_v4(&group, &own)?;
                }
            }
            (IpAddr::V6(_), ip) => {
                // Raw sockets are so, and can't be told.
                if encapsulation == Encapsulation::Udp {
                    socket.set_only_v6(true)?;
                }
                socket.set_multicast_loop_v6(false)?;
                socket.set_multicast_hops_v6(hops)?;
                socket.set_multicast_if_v6(address.interface)?;
                bind(&socket, bound, encapsulation)?;
                if let IpAddr::V6(group) = ip
                    && group.is_multicast()
                {
                    // Kernels before 4.20 haven't got it.
                    let _ = socket.set_multicast_all_v6(false);
                    socket.join_multicast_v6(&group, address.interface)?;
                }
            }
        }
        let headers = encapsulation == Encapsulation::Ip && bound.is_ipv4();
        Ok(Self {
            socket,
            headers,
            buffer: Box::default(),
            // One byte more shows that a packet is too long.
            place: max_packet + 1 + if headers { MAX_IP_HEADER } else { 0 },
            incoming: [Incoming::default(); BATCH],
            count: 0,
            next: 0,
            readable: true,
        })
    }

    pub fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// The descriptor may have something to read.
    pub fn wake(&mut self) {
        self.readable = true;
    }

    /// The next packet, and where from; `None` if there is none before the next [`Self::wake`].
    pub fn receive(&mut self) -> Option<(&[u8], IpAddr)> {
        let mut errors = 0;
        loop {
            while self.next < self.count {
                let index = self.next;
                self.next += 1;
                let Incoming { len, truncated, from, .. } = self.incoming[index];
                let Some(from) = from.filter(|_| !truncated) else { continue };
                let start = index * self.place;
                let Some(skipped) = self.header(&self.buffer[start..start + len]) else { continue };
                return Some((&self.buffer[start + skipped..start + len], from.ip()));
            }
            if !self.readable {
                return None;
            }
            if let Err(error) = self.fill() {
                errors += 1;
                self.readable = error.kind() != io::ErrorKind::WouldBlock && errors < PATIENCE;
            }
        }
    }

    /// How long the header of IP is before a packet. `None` if it is none.
    fn header(&self, bytes: &[u8]) -> Option<usize> {
        if !self.headers {
            return Some(0);
        }
        let length = usize::from(bytes.first()? & 0x0f) * 4;
        (length <= bytes.len()).then_some(length)
    }

    fn fill(&mut self) -> io::Result<()> {
        (self.count, self.next) = (0, 0);
        if self.buffer.is_empty() {
            self.buffer = vec![0; BATCH * self.place].into();
        }
        let fd = self.socket.as_fd();
        self.count = datagrams::receive(fd, &mut self.buffer, self.place, BATCH, true, &mut self.incoming)?;
        self.readable = self.count == BATCH;
        Ok(())
    }

    /// Sends the first `count` of the packets that `packet` gives by their number, and says how many went.
    ///
    /// Errors: that of the first.
    pub fn send<'a>(&self, count: usize, packet: impl Fn(usize) -> Outgoing<'a>) -> io::Result<usize> {
        datagrams::send(self.socket.as_fd(), count, packet)
    }

    /// Sends a packet for which it isn't worth while to wait.
    pub fn send_once(&self, packet: &[u8], to: SocketAddr) {
        let to = self.target(to);
        let _ = self.send(1, |_| Outgoing { to: &to, parts: [packet, &[]] });
    }

    /// An address as the descriptor takes it.
    pub fn target(&self, mut to: SocketAddr) -> SockAddr {
        if self.socket.protocol().ok().flatten() != Some(Protocol::UDP) {
            // Raw sockets have no ports, and for IPv6 must not be given any.
            to.set_port(0);
        }
        to.into()
    }
}

fn bind(socket: &Socket, mut to: SocketAddr, encapsulation: Encapsulation) -> io::Result<()> {
    if encapsulation == Encapsulation::Ip {
        to.set_port(0);
    }
    socket.bind(&to.into())
}
