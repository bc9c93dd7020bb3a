//! A cable that loses packets: it joins two interfaces of a namespace, and takes from one to the other what comes, but for some.

use crate::dice::Dice;
use crate::machines::{Namespace, address, in_namespaces};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// A relay that runs until it is dropped.
pub struct Relay {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    /// Of a thousand packets over IP, so many are lost.
    lost: AtomicU32,
    dropped: AtomicUsize,
    over: AtomicBool,
}

impl Relay {
    /// Between two interfaces of this thread's namespace, which are up.
    pub fn new(interfaces: [&str; 2], lost: u32, seed: u64) -> Self {
        let sockets = interfaces.map(|name| open(name).unwrap_or_else(|error| panic!("{name}: {error}")));
        let state = State { lost: lost.into(), dropped: AtomicUsize::new(0), over: AtomicBool::new(false) };
        let state = Arc::new(state);
        let shared = state.clone();
        let thread = std::thread::spawn(move || carry(&sockets, &shared, seed));
        Self { state, thread: Some(thread) }
    }

    /// From now on so many of a thousand packets are lost.
    pub fn lose(&self, thousandths: u32) {
        self.state.lost.store(thousandths, Ordering::Relaxed);
    }

    /// How many were lost.
    pub fn dropped(&self) -> usize {
        self.state.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn index_of(interface: &str) -> io::Result<i32> {
    let name = std::ffi::CString::new(interface)?;
    // SAFETY: a C string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index as i32),
    }
}

/// A socket that sees and sends all packets of an interface, for whomever they are.
fn open(interface: &str) -> io::Result<OwnedFd> {
    let index = index_of(interface)?;
    let protocol = (libc::ETH_P_ALL as u16).to_be();
    // SAFETY: they take numbers, and structs that live for the calls, whose sizes are stated.
    unsafe {
        let fd = check(libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol.into()))?;
        let socket = OwnedFd::from_raw_fd(fd);
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        (address.sll_family, address.sll_protocol) = (libc::AF_PACKET as u16, protocol);
        address.sll_ifindex = index;
        check(libc::bind(fd, (&raw const address).cast(), size_of_val(&address) as u32))?;
        let mut all: libc::packet_mreq = std::mem::zeroed();
        (all.mr_ifindex, all.mr_type) = (index, libc::PACKET_MR_PROMISC as u16);
        let option = libc::PACKET_ADD_MEMBERSHIP;
        check(libc::setsockopt(
            fd,
            libc::SOL_PACKET,
            option,
            (&raw const all).cast(),
            size_of_val(&all) as u32,
        ))?;
        let room: i32 = 16 << 20;
        check(libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            (&raw const room).cast(),
            size_of_val(&room) as u32,
        ))
        .or_else(|_| {
            check(libc::setsockopt(
                fd,
                libc::SOL_SOCKET,
                libc::SO_RCVBUF,
                (&raw const room).cast(),
                size_of_val(&room) as u32,
            ))
        })?;
        Ok(socket)
    }
}

fn carry(sockets: &[OwnedFd; 2], state: &State, seed: u64) {
    let mut dice = Dice(seed);
    let mut buffer = vec![0; 1 << 16];
    while !state.over.load(Ordering::Relaxed) {
        let mut polled = [0, 1].map(|index| libc::pollfd {
            fd: sockets[index].as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        });
        // SAFETY: two entries, which live for the call.
        unsafe { libc::poll(polled.as_mut_ptr(), 2, 20) };
        for index in [0, 1] {
            for _ in 0..64 {
                let Some(len) = receive(&sockets[index], &mut buffer) else { break };
                let frame = &mut buffer[..len];
                let over_ip = matches!(frame.get(12..14), Some([0x08, 0x00] | [0x86, 0xdd]));
                if over_ip && dice.below(1000) < state.lost.load(Ordering::Relaxed) as usize {
                    state.dropped.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                forgive_checksum(frame);
                // SAFETY: the frame lives for the call.
                unsafe {
                    libc::send(sockets[1 - index].as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0);
                }
            }
        }
    }
}

fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Option<usize> {
    // SAFETY: a place for the sender's address and the frame, whose sizes are stated.
    let (len, kind) = unsafe {
        let mut from: libc::sockaddr_ll = std::mem::zeroed();
        let mut size = size_of_val(&from) as u32;
        let (place, flags) = (buffer.as_mut_ptr().cast(), libc::MSG_DONTWAIT);
        let len =
            libc::recvfrom(socket.as_raw_fd(), place, buffer.len(), flags, (&raw mut from).cast(), &mut size);
        (len, from.sll_pkttype)
    };
    match usize::try_from(len) {
        // What was sent here is seen, too.
        Ok(_) if kind == libc::PACKET_OUTGOING => Some(0),
        Ok(len) => Some(len),
        Err(_) => None,
    }
}

/// Between virtual interfaces, the checksum of UDP over IPv4 is only begun. None at all is allowed.
fn forgive_checksum(frame: &mut [u8]) {
    if let [_, _, _, _, _, _, _, _, _, _, _, _, 0x08, 0x00, 0x45, rest @ ..] = frame
        // Of a fragment, it is in the first one.
        && rest.get(5).is_some_and(|offset| offset & 0x1f == 0)
        && rest.get(6) == Some(&0)
        && rest.get(8) == Some(&17)
        && let Some(sum) = rest.get_mut(25..27)
    {
        sum.fill(0);
    }
}

/// Two namespaces with 10.77.0.1 on `one` and 10.77.0.2 on `two`, and between them a cable that loses so many of a thousand packets.
pub fn over_a_lossy_cable(test: &str, lost: u32, scene: impl FnOnce(&Namespace, &Namespace, &Relay)) {
    in_namespaces(test, |[here, there, between]| {
        here.ip(&format!("link add one type veth peer name left netns {}", between.id));
        there.ip(&format!("link add two type veth peer name right netns {}", between.id));
        for interface in ["left", "right"] {
            between.ip(&format!("link set dev {interface} up"));
        }
        address(here, "one", 1);
        address(there, "two", 2);
        let relay = between.run(move || Relay::new(["left", "right"], lost, 42));
        scene(here, there, &relay);
    });
}
