//! Filters by which the kernel drops packets before a socket gets them (`SO_ATTACH_FILTER`, `socket`(7)), and the means to find the sockets that a library of
//! the system's has opened.
//!
//! A [`Filter`] is a program for the machine of `bpf`(4): an accumulator, an index register, 16 words of memory, jumps forward only. What reads behind the end of
//! a packet drops it.

use super::check;
use crate::error::Result;
use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

// `linux/bpf_common.h`: classes, sizes, modes, operations.
const LD: u16 = 0x00;
const LDX: u16 = 0x01;
const ST: u16 = 0x02;
const ALU: u16 = 0x04;
const JMP: u16 = 0x05;
const RET: u16 = 0x06;
const W: u16 = 0x00;
const H: u16 = 0x08;
const B: u16 = 0x10;
const ABS: u16 = 0x20;
const IND: u16 = 0x40;
const MEM: u16 = 0x60;
const LEN: u16 = 0x80;
const SUB: u16 = 0x10;
const ADD: u16 = 0x00;
const MUL: u16 = 0x20;
const AND: u16 = 0x50;
const LSH: u16 = 0x60;
const RSH: u16 = 0x70;
const X: u16 = 0x08;
const JEQ: u16 = 0x10;
const JGT: u16 = 0x20;
const JGE: u16 = 0x30;
const JSET: u16 = 0x40;

/// How many bytes of a value are read.
#[derive(Clone, Copy, Debug)]
pub enum Size {
    /// One.
    Byte,
    /// Two, in the order of the network.
    Half,
    /// Four.
    Word,
}

impl Size {
    fn code(self) -> u16 {
        match self {
            Self::Byte => B,
            Self::Half => H,
            Self::Word => W,
        }
    }
}

/// An operation on the accumulator with a constant.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// `a + k`
    Add,
    /// `a - k`
    Sub,
    /// `a & k`
    And,
    /// `a << k`
    ShiftLeft,
    /// `a >> k`
    ShiftRight,
}

/// A condition on the accumulator.
#[derive(Clone, Copy, Debug)]
pub enum Condition {
    /// Equal to the number.
    Is(u32),
    /// One of the bits is set, or none of them is.
    HasNone(u32),
    /// At least the number.
    AtLeast(u32),
    /// At most the number.
    AtMost(u32),
    /// At most what is kept in this place.
    AtMostKept(u32),
    /// At least what is kept in this place.
    AtLeastKept(u32),
}

/// A program, which is written from its beginning to its end. See the module's text.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    code: Vec<libc::sock_filter>,
}

impl Filter {
    fn push(mut self, code: u16, jt: u8, jf: u8, k: u32) -> Self {
        self.code.push(libc::sock_filter { code, jt, jf, k });
        self
    }

    /// The packet's length, in bytes.
    pub fn length(self) -> Self {
        self.push(LD | W | LEN, 0, 0, 0)
    }

    /// A value at a place of the packet.
    pub fn load(self, size: Size, at: u32) -> Self {
        self.push(LD | size.code() | ABS, 0, 0, at)
    }

    /// A value so many bytes behind a place of the packet that is kept.
    pub fn load_behind(self, size: Size, kept: u32, at: u32) -> Self {
        self.push(LDX | W | MEM, 0, 0, kept).push(LD | size.code() | IND, 0, 0, at)
    }

    /// A value that is kept.
    pub fn kept(self, place: u32) -> Self {
        self.push(LD | W | MEM, 0, 0, place)
    }

    /// Keeps the accumulator in a place (0 to 15).
    pub fn keep(self, place: u32) -> Self {
        self.push(ST, 0, 0, place)
    }

    /// Changes the accumulator.
    pub fn then(self, operation: Operation, with: u32) -> Self {
        let code = match operation {
            Operation::Add => ADD,
            Operation::Sub => SUB,
            Operation::And => AND,
            Operation::ShiftLeft => LSH,
            Operation::ShiftRight => RSH,
        };
        self.push(ALU | code, 0, 0, with)
    }

    /// Adds what is kept, or takes it away, or multiplies by it.
    pub fn plus(self, kept: u32) -> Self {
        self.push(LDX | W | MEM, 0, 0, kept).push(ALU | ADD | X, 0, 0, 0)
    }

    /// See [`Self::plus`].
    pub fn minus(self, kept: u32) -> Self {
        self.push(LDX | W | MEM, 0, 0, kept).push(ALU | SUB | X, 0, 0, 0)
    }

    /// See [`Self::plus`].
    pub fn times(self, kept: u32) -> Self {
        self.push(LDX | W | MEM, 0, 0, kept).push(ALU | MUL | X, 0, 0, 0)
    }

    /// A jump over so many instructions if the condition doesn't hold.
    fn unless(self, condition: Condition, over: u8) -> Self {
        match condition {
            Condition::Is(k) => self.push(JMP | JEQ, 0, over, k),
            Condition::HasNone(k) => self.push(JMP | JSET, over, 0, k),
            Condition::AtLeast(k) => self.push(JMP | JGE, 0, over, k),
            Condition::AtMost(k) => self.push(JMP | JGT, over, 0, k),
            Condition::AtMostKept(place) => {
                self.push(LDX | W | MEM, 0, 0, place).push(JMP | JGT | X, over, 0, 0)
            }
            Condition::AtLeastKept(place) => {
                self.push(LDX | W | MEM, 0, 0, place).push(JMP | JGE | X, 0, over, 0)
            }
        }
    }

    /// Drops the packet unless the condition holds.
    pub fn require(self, condition: Condition) -> Self {
        // Over the next one, which goes over the dropping.
        self.unless(condition, 1).push(JMP, 0, 0, 1).drop()
    }

    /// Does this if the condition holds, and goes on behind it else. It has to be short (255 instructions).
    pub fn when(self, condition: Condition, then: impl FnOnce(Self) -> Self) -> Self {
        let inner = then(Self::default());
        let over = u8::try_from(inner.code.len()).unwrap_or(u8::MAX);
        debug_assert_eq!(usize::from(over), inner.code.len());
        let mut this = self.unless(condition, over);
        this.code.extend(inner.code);
        this
    }

    /// Lets the packet through.
    pub fn accept(self) -> Self {
        self.push(RET, 0, 0, u32::MAX)
    }

    /// Drops the packet.
    pub fn drop(self) -> Self {
        self.push(RET, 0, 0, 0)
    }

    /// Has the kernel apply it to all that comes for the socket from now on.
    ///
    /// # Errors
    /// What `setsockopt`(2) says: `EINVAL` for a program that isn't one, `ENOMEM`.
    pub fn attach(&self, socket: &OwnedFd) -> Result<()> {
        let mut code = self.code.clone();
        let program =
            libc::sock_fprog { len: u16::try_from(code.len()).unwrap_or(0), filter: code.as_mut_ptr() };
        // SAFETY: the program's pointer and length are those of `code`, which the kernel copies.
        check(unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const program).cast(),
                size_of_val(&program) as libc::socklen_t,
            )
        })?;
        Ok(())
    }
}

/// The sockets that the process has now, by what the kernel calls them.
#[derive(Debug)]
pub struct Sockets(HashSet<String>);

impl Sockets {
    /// All of them.
    ///
    /// # Errors
    /// What the system says if `/proc` can't be read.
    pub fn now() -> Result<Self> {
        Ok(Self(descriptors()?.into_iter().map(|(_, name)| name).collect()))
    }

    /// Those sockets for datagrams on these local ports that have come since; each as a descriptor of the caller's own.
    ///
    /// # Errors
    /// As for [`Self::now`].
    pub fn new_on(&self, ports: &[u16]) -> Result<Vec<OwnedFd>> {
        let mut found = Vec::new();
        for (fd, name) in descriptors()? {
            if self.0.contains(&name) {
                continue;
            }
            // SAFETY: no pointers. The number may be of something else by now; what it is is looked at below.
            let Ok(own) = check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) }) else { continue };
            // SAFETY: it was just made.
            let own = unsafe { OwnedFd::from_raw_fd(own) };
            let socket = socket2::SockRef::from(&own);
            let port = socket
                .local_addr()
                .ok()
                .and_then(|name| name.as_socket())
                .map(|name: SocketAddr| name.port());
            if socket.r#type().is_ok_and(|kind| kind == socket2::Type::DGRAM)
                && port.is_some_and(|port| ports.contains(&port))
            {
                found.push(own);
            }
        }
        Ok(found)
    }
}

/// The numbers of the process's sockets, and what the kernel calls them.
fn descriptors() -> Result<Vec<(i32, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let (Some(number), Ok(target)) = (number, fs::read_link(entry.path()))
            && let Some(target) = target.to_str().filter(|target| target.starts_with("socket:"))
        {
            found.push((number, target.to_owned()));
        }
    }
    Ok(found)
}

/// Drops what has come for a socket already.
pub fn empty(socket: &OwnedFd) {
    let socket = socket2::SockRef::from(socket);
    let mut buffer = [std::mem::MaybeUninit::uninit(); 1];
    // Bounded, as more may come all the time.
    for _ in 0..100_000 {
        if socket.recv_with_flags(&mut buffer, libc::MSG_DONTWAIT).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::time::Duration;

    /// Which of the packets come through.
    fn passed(filter: &Filter, packets: &[&[u8]]) -> Vec<Vec<u8>> {
        let before = Sockets::now().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let address = socket.local_addr().unwrap();
        let found = before.new_on(&[address.port()]).unwrap();
        assert_eq!(found.len(), 1);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.send_to(b"before", address).unwrap();
        filter.attach(&found[0]).unwrap();
        empty(&found[0]);
        for packet in packets {
            sender.send_to(packet, address).unwrap();
        }
        // The last one has to come through.
        let mut all = Vec::new();
        loop {
            let mut buffer = [0; 100];
            let len = socket.recv(&mut buffer).unwrap();
            all.push(buffer[..len].to_vec());
            if Some(&all[all.len() - 1][..]) == packets.last().copied() {
                return all;
            }
        }
    }

    #[test]
    fn the_kernel_drops_what_it_is_told_to() {
        // The UDP header, 8 bytes, counts.
        let filter = Filter::default()
            .length()
            .require(Condition::AtLeast(10))
            .require(Condition::AtMost(12))
            .keep(0)
            .load(Size::Byte, 8)
            .when(Condition::Is(b'a'.into()), Filter::accept)
            .when(Condition::Is(b'l'.into()), |filter| {
                // The second byte is the packet's length.
                filter
                    .load(Size::Byte, 9)
                    .require(Condition::AtMostKept(0))
                    .require(Condition::AtLeastKept(0))
                    .accept()
            })
            .when(Condition::HasNone(0x40), |filter| {
                // Behind so many bytes more.
                filter
                    .then(Operation::And, 3)
                    .keep(1)
                    .load_behind(Size::Byte, 1, 8)
                    .require(Condition::Is(7))
                    .accept()
            })
            .drop();
        let sent: [&[u8]; 10] = [
            b"a",
            b"a2",
            b"aaaaa",
            b"b2",
            b"l\x0a",
            b"l\x0b",
            b"l\x0b!",
            b"\x02\x00\x07",
            b"\x02\x07\x00",
            b"a!",
        ];
        let expected: [&[u8]; 5] = [b"a2", b"l\x0a", b"l\x0b!", b"\x02\x00\x07", b"a!"];
        assert_eq!(passed(&filter, &sent), expected);
    }

    #[test]
    fn it_counts() {
        let filter = Filter::default()
            .load(Size::Byte, 8)
            .keep(0)
            .load(Size::Half, 9)
            .times(0)
            .keep(1)
            .load(Size::Word, 11)
            .minus(1)
            .plus(0)
            .then(Operation::Add, 1)
            .then(Operation::Sub, 2)
            .then(Operation::ShiftLeft, 4)
            .then(Operation::ShiftRight, 3)
            .require(Condition::Is(2 * (5 + 3 + 1 - 2)))
            .accept();
        // 3 * 1000 + 5, and not.
        let (right, wrong) = (*b"\x03\x03\xe8\x00\x00\x0b\xbd", *b"\x03\x03\xe8\x00\x00\x0b\xbe");
        assert_eq!(passed(&filter, &[&wrong, &right]), [right]);
    }
}
