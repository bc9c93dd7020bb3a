//! Datagrams, many in one call (`sendmmsg`(2), `recvmmsg`(2)), and many at once on their way through the kernel (`UDP_SEGMENT` and
//! `UDP_GRO`, `udp`(7)): a train of datagrams of one size, sent by one call, goes as one packet as far as it can, and may be received as one.

use super::check;
use crate::error::Result;
use socket2::{MsgHdr, SockAddr, SockAddrStorage, SockRef};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// How many datagrams one call takes at most.
pub const BATCH: usize = 32;

/// A datagram to be sent.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// Where to.
    pub to: &'a SockAddr,
    /// Its bytes: the first part, then the second.
    pub parts: [&'a [u8]; 2],
}

/// A datagram that has arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    /// How many bytes of its place in the buffer it takes.
    pub len: usize,
    /// It was longer than its place.
    pub truncated: bool,
    /// Bytes of each datagram but the last, if it is a train of several; else 0.
    pub segment: usize,
    /// Who has sent it, if that was asked for.
    pub from: Option<SocketAddr>,
}

const NO_HEADER: libc::mmsghdr = libc::mmsghdr {
    // SAFETY: a message header of zeros is a valid one, without a name, parts or ancillary data.
    msg_hdr: unsafe { MaybeUninit::zeroed().assume_init() },
    msg_len: 0,
};
const NO_PART: libc::iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };

/// Sends the first `count` (at least 1, and at most [`BATCH`]) of the datagrams that `datagram` gives by their number, without
/// waiting, and says how many were sent. The first one that can't be sent ends the call; the error is told only if it was number 0.
///
/// # Errors
/// What `sendto`(2) says of the first datagram.
pub fn send<'a>(
    socket: BorrowedFd<'_>,
    count: usize,
    datagram: impl Fn(usize) -> Outgoing<'a>,
) -> io::Result<usize> {
    // One alone shouldn't pay for the room of many.
    if count == 1 {
        send_up_to::<1>(socket, 1, datagram)
    } else {
        send_up_to::<BATCH>(socket, count, datagram)
    }
}

fn send_up_to<'a, const N: usize>(
    socket: BorrowedFd<'_>,
    count: usize,
    datagram: impl Fn(usize) -> Outgoing<'a>,
) -> io::Result<usize> {
    let count = count.min(N);
    let mut parts = [[NO_PART; 2]; N];
    let mut headers = [NO_HEADER; N];
    for (index, (header, parts)) in headers.iter_mut().zip(&mut parts).take(count).enumerate() {
        let Outgoing { to, parts: bytes } = datagram(index);
        for (part, bytes) in parts.iter_mut().zip(bytes) {
            // The kernel only reads there.
            *part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        }
        header.msg_hdr.msg_name = to.as_ptr().cast_mut().cast();
        header.msg_hdr.msg_namelen = to.len();
        header.msg_hdr.msg_iov = parts.as_mut_ptr();
        header.msg_hdr.msg_iovlen = parts.len() as _;
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the first `count` headers point to addresses and bytes that are borrowed for 'a, and to `parts`, all of which outlive the
    // call; the kernel writes to the headers' `msg_len` only.
    let sent = unsafe {
        libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count as libc::c_uint, flags as _)
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// How many datagrams a train has at most (older kernels' `UDP_MAX_SEGMENTS`).
pub const TRAIN: usize = 64;

/// Room for one ancillary message with a number in it, aligned.
type Control = [u64; 3];

/// Sends a train: `parts`, one after the other, are cut into datagrams of `segment` bytes; the last may be shorter. All of them are sent, or none.
///
/// # Errors
/// What `sendmsg`(2) says, among it `EINVAL`, `EMSGSIZE`, `EIO` and others where a train isn't possible on that way, though its datagrams may be.
pub fn send_train(
    socket: BorrowedFd<'_>,
    to: &SockAddr,
    parts: &[IoSlice<'_>],
    segment: u16,
) -> io::Result<()> {
    // struct cmsghdr: its length with that of the value, level, type; then the value.
    let mut control = [0; size_of::<Control>()];
    let length = size_of::<libc::cmsghdr>() + size_of::<u16>();
    control[..8].copy_from_slice(&length.to_ne_bytes());
    control[8..12].copy_from_slice(&libc::SOL_UDP.to_ne_bytes());
    control[12..16].copy_from_slice(&libc::UDP_SEGMENT.to_ne_bytes());
    control[16..18].copy_from_slice(&segment.to_ne_bytes());
    let message = MsgHdr::new().with_addr(to).with_buffers(parts).with_control(&control);
    SockRef::from(&socket).sendmsg(&message, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL).map(drop)
}

/// Lets trains arrive as they are.
///
/// # Errors
/// `ENOPROTOOPT` of a kernel that can't (before 5.0). Then all datagrams come one by one.
pub fn receive_trains(socket: BorrowedFd<'_>) -> Result<()> {
    let on: libc::c_int = 1;
    let size = size_of_val(&on) as libc::socklen_t;
    // SAFETY: the value lives for the call, and its size is stated.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_GRO, (&raw const on).cast(), size)
    };
    check(result).map(drop)
}

/// The size of a train's datagrams, if the message is one.
fn segment_of(header: &libc::msghdr) -> usize {
    // SAFETY: the header says where its ancillary data are, and how many bytes of them the kernel has written: to a live `Control`.
    let message = unsafe { libc::CMSG_FIRSTHDR(header) };
    if message.is_null() {
        return 0;
    }
    // SAFETY: not null, so a whole header is there, aligned as `Control` is.
    let (level, kind) = unsafe { ((*message).cmsg_level, (*message).cmsg_type) };
    if (level, kind) != (libc::SOL_UDP, libc::UDP_GRO) {
        return 0;
    }
    // SAFETY: that kind of message carries an int, for which a `Control` has room. (The pointer is the one to all of the data, not
    // one to the header alone.)
    let size = unsafe { libc::CMSG_DATA(message).cast::<libc::c_int>().read_unaligned() };
    usize::try_from(size).unwrap_or(0)
}

/// Receives up to `count` datagrams without waiting, each into a place of `size` bytes of the buffer, and says how many there were.
/// With `names`, also who has sent them. After [`receive_trains`], what is in one place may be a train of them.
///
/// # Errors
/// What `recvfrom`(2) says when there is none.
pub fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    size: usize,
    count: usize,
    names: bool,
    out: &mut [Incoming; BATCH],
) -> io::Result<usize> {
    let mut headers = [NO_HEADER; BATCH];
    let mut parts = [NO_PART; BATCH];
    let mut storage: [MaybeUninit<SockAddrStorage>; BATCH] = [const { MaybeUninit::uninit() }; BATCH];
    let mut controls: [Control; BATCH] = [[0; 3]; BATCH];
    let mut count = count.min(BATCH);
    let mut places = 0;
    for ((((header, part), name), control), place) in headers
        .iter_mut()
        .zip(&mut parts)
        .zip(&mut storage)
        .zip(&mut controls)
        .zip(buffer.chunks_exact_mut(size))
        .take(count)
    {
        header.msg_hdr.msg_control = control.as_mut_ptr().cast();
        header.msg_hdr.msg_controllen = size_of_val(control) as _;
        *part = libc::iovec { iov_base: place.as_mut_ptr().cast(), iov_len: place.len() };
        header.msg_hdr.msg_iov = part;
        header.msg_hdr.msg_iovlen = 1;
        if names {
            // A name that the kernel writes in part, or not at all, has zeros in the rest.
            *name = MaybeUninit::new(SockAddrStorage::zeroed());
            header.msg_hdr.msg_name = name.as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = size_of::<SockAddrStorage>() as libc::socklen_t;
        }
        places += 1;
    }
    count = places;
    // SAFETY: the first `count` headers point to places of their own in `buffer`, and to `parts`,
    // `storage` and `controls`, which outlive the call.
    let received = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            count as libc::c_uint,
            libc::MSG_DONTWAIT as _,
            ptr::null_mut(),
        )
    };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    for ((out, header), name) in out.iter_mut().zip(&headers).zip(&storage).take(received) {
        let from = if names {
            // SAFETY: it was zeroed above, and the kernel has written an address of that length to it, if any.
            unsafe { SockAddr::new(name.assume_init_read(), header.msg_hdr.msg_namelen) }.as_socket()
        } else {
            None
        };
        *out = Incoming {
            len: (header.msg_len as usize).min(size),
            truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            segment: segment_of(&header.msg_hdr),
            from,
        };
    }
    Ok(received)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    fn socket() -> (UdpSocket, SockAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let name = socket.local_addr().unwrap().into();
        (socket, name)
    }

    #[test]
    fn many_go_and_come_in_one_call() {
        let ((here, name), (there, target)) = (socket(), socket());
        let bodies: Vec<Vec<u8>> = (0..40_u8).map(|number| vec![number; number.into()]).collect();
        let outgoing = |index: usize| Outgoing {
            to: &target,
            parts: [&bodies[index][..index / 2], &bodies[index][index / 2..]],
        };
        assert_eq!(send(here.as_fd(), 40, outgoing).unwrap(), BATCH);
        assert_eq!(send(here.as_fd(), 1, |_| outgoing(32)).unwrap(), 1);
        let mut buffer = vec![0; 20 * 64];
        let mut out = [Incoming::default(); BATCH];
        assert_eq!(
            receive(there.as_fd(), &mut buffer, 64, BATCH, true, &mut out).unwrap(),
            20,
            "as there are places"
        );
        for (number, incoming) in out[..20].iter().enumerate() {
            assert_eq!(*incoming, Incoming { len: number, from: name.as_socket(), ..Incoming::default() });
            assert_eq!(buffer[number * 64..][..number], bodies[number]);
        }
        assert_eq!(
            receive(there.as_fd(), &mut buffer, 25, 10, false, &mut out).unwrap(),
            10,
            "as many as asked for"
        );
        assert_eq!(out[0], Incoming { len: 20, ..Incoming::default() });
        assert_eq!(out[9], Incoming { len: 25, truncated: true, ..Incoming::default() });
        assert_eq!(receive(there.as_fd(), &mut buffer, 64, BATCH, true, &mut out).unwrap(), 3);
        assert_eq!(out[2].len, 32);
        let none = receive(there.as_fd(), &mut buffer, 64, BATCH, true, &mut out).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn what_cannot_be_sent_stops_the_batch_before_it() {
        let ((here, _), (_there, target)) = (socket(), socket());
        let large = vec![0; 65_508];
        let outgoing = |index: usize| {
            let body: &[u8] = if index == 2 { &large } else { b"x" };
            Outgoing { to: &target, parts: [b"", body] }
        };
        assert_eq!(send(here.as_fd(), 4, outgoing).unwrap(), 2);
        let error = send(here.as_fd(), 2, |index| outgoing(index + 2)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    }

    #[test]
    fn a_train_arrives_as_one_or_as_its_datagrams() {
        let ((here, _), (there, target)) = (socket(), socket());
        let bytes: Vec<u8> = (0..95).collect();
        let parts = [IoSlice::new(&bytes[..33]), IoSlice::new(b""), IoSlice::new(&bytes[33..])];
        let mut buffer = vec![0; BATCH * 100];
        let mut out = [Incoming::default(); BATCH];
        for whole in [false, true] {
            if whole && receive_trains(there.as_fd()).is_err() {
                return;
            }
            if send_train(here.as_fd(), &target, &parts, 10).is_err() {
                // Not on this kernel.
                return;
            }
            let count = receive(there.as_fd(), &mut buffer, 100, BATCH, false, &mut out).unwrap();
            if whole {
                assert_eq!((count, out[0]), (1, Incoming { len: 95, segment: 10, ..Incoming::default() }));
                assert_eq!(buffer[..95], bytes);
            } else {
                assert_eq!((count, out[0].len, out[9].len), (10, 10, 5));
                assert_eq!((out[0].segment, &buffer[900..905]), (0, &bytes[90..]));
            }
        }
        // One alone isn't a train.
        assert_eq!(send(here.as_fd(), 1, |_| Outgoing { to: &target, parts: [b"", b"x"] }).unwrap(), 1);
        assert_eq!(receive(there.as_fd(), &mut buffer, 100, BATCH, false, &mut out).unwrap(), 1);
        assert_eq!(out[0], Incoming { len: 1, ..Incoming::default() });
    }
}
