//! `zmq_poller_*`.

use super::*;
use std::io::Write;
use std::os::fd::AsRawFd;
use zmq::ffi::poller::*;

/// Socket, descriptor, data and events.
type Event = (usize, c_int, usize, c_short);

struct Poller(*mut c_void);

// SAFETY: pollers may be used by any thread.
unsafe impl Sync for Poller {}

impl Poller {
    fn new() -> Self {
        // SAFETY: takes nothing.
        Self(unsafe { zmq_poller_new() })
    }

    fn add(&self, socket: &Socket, data: usize, events: c_short) -> Result<c_int, c_int> {
        // SAFETY: any handle will do.
        checked(unsafe { zmq_poller_add(self.0, socket.0, std::ptr::without_provenance_mut(data), events) })
    }

    fn modify(&self, socket: &Socket, events: c_short) -> Result<c_int, c_int> {
        // SAFETY: any handle will do.
        checked(unsafe { zmq_poller_modify(self.0, socket.0, events) })
    }

    fn remove(&self, socket: &Socket) -> Result<c_int, c_int> {
        // SAFETY: any handle will do.
        checked(unsafe { zmq_poller_remove(self.0, socket.0) })
    }

    fn size(&self) -> c_int {
        // SAFETY: any handle will do.
        unsafe { zmq_poller_size(self.0) }
    }

    /// What is in each of three places afterwards.
    fn wait(&self, timeout: i64) -> Result<(c_int, [Event; 3]), c_int> {
        let dirty = zmq_poller_event_t {
            socket: std::ptr::without_provenance_mut(1),
            fd: 7,
            user_data: std::ptr::without_provenance_mut(1),
            events: 7,
        };
        let mut events = [dirty; 3];
        // SAFETY: room for three events.
        let count = checked(unsafe { zmq_poller_wait_all(self.0, events.as_mut_ptr(), 3, timeout) })?;
        Ok((count, events.map(|event| (event.socket.addr(), event.fd, event.user_data.addr(), event.events))))
    }

    fn destroy(&self) -> Result<c_int, c_int> {
        let mut handle = self.0;
        // SAFETY: a handle, stale or not.
        let destroyed = checked(unsafe { zmq_poller_destroy(&mut handle) })?;
        assert!(handle.is_null());
        Ok(destroyed)
    }
}

const NONE: Event = (0, -1, 0, 0);

#[test]
fn tells_what_is_ready_and_clears_the_rest() {
    let context = Context::new();
    let (pull, push) = context.pair("inproc", (ZMQ_PULL, ZMQ_PUSH));
    let (reader, mut writer) = system_pipe();
    let (fd, poller) = (reader.as_raw_fd(), Poller::new());
    assert_eq!(poller.add(&pull, 16, IN), Ok(0));
    assert_eq!(poller.add(&push, 32, OUT), Ok(0));
    // SAFETY: any handle will do.
    unsafe {
        assert_eq!(zmq_poller_add_fd(poller.0, fd, std::ptr::without_provenance_mut(48), IN), 0);
    }
    assert_eq!(poller.size(), 3);
    let (pulled, pushed, read) = ((pull.0.addr(), -1, 16, IN), (push.0.addr(), -1, 32, OUT), (0, fd, 48, IN));
    assert_eq!(poller.wait(-1), Ok((1, [pushed, NONE, NONE])));
    push.send(b"");
    assert_eq!(poller.wait(-1), Ok((2, [pulled, pushed, NONE])));
    writer.write_all(b"x").unwrap();
    assert_eq!(poller.wait(-1), Ok((3, [pulled, pushed, read])));
    assert_eq!(poller.modify(&push, 0), Ok(0));
    assert_eq!(poller.remove(&pull), Ok(0));
    assert_eq!(poller.wait(-1), Ok((1, [read, NONE, NONE])));
    // SAFETY: any handle will do.
    unsafe {
        assert_eq!(zmq_poller_modify_fd(poller.0, fd, 0), 0);
        assert_eq!(poller.wait(0), Err(libc::EAGAIN));
        assert_eq!(zmq_poller_remove_fd(poller.0, fd), 0);
        assert_eq!(checked(zmq_poller_remove_fd(poller.0, fd)), Err(libc::EINVAL));
    }
    assert_eq!(poller.size(), 1);
    assert_eq!(poller.destroy(), Ok(0));
}

#[test]
fn what_is_wrong_is_an_error() {
    let context = Context::new();
    let (pull, poller) = (context.socket(ZMQ_PULL), Poller::new());
    assert_eq!(poller.wait(-1), Err(libc::EFAULT), "empty");
    assert_eq!(poller.wait(5), Err(libc::EAGAIN));
    assert_eq!(poller.modify(&pull, IN), Err(libc::EINVAL));
    assert_eq!(poller.remove(&pull), Err(libc::EINVAL));
    assert_eq!(poller.add(&pull, 0, 16), Err(libc::EINVAL));
    assert_eq!(poller.add(&pull, 0, 0), Ok(0));
    assert_eq!(poller.add(&pull, 0, 0), Err(libc::EINVAL));
    assert_eq!(poller.wait(-1), Err(libc::EFAULT), "no events");
    assert_eq!(poller.wait(0), Err(libc::EAGAIN));
    assert_eq!(poller.modify(&pull, IN), Ok(0));
    assert_eq!(poller.wait(0), Err(libc::EAGAIN));
    let mut fd = 0;
    // SAFETY: null and any handle will do.
    unsafe {
        assert_eq!(checked(zmq_poller_fd(poller.0, &mut fd)), Err(libc::EINVAL));
        assert_eq!(checked(zmq_poller_add(poller.0, null_mut(), null_mut(), 0)), Err(libc::ENOTSOCK));
        assert_eq!(checked(zmq_poller_add_fd(poller.0, -1, null_mut(), 0)), Err(libc::EBADF));
        assert_eq!(checked(zmq_poller_wait_all(poller.0, null_mut(), 1, 0)), Err(libc::EFAULT));
        assert_eq!(checked(zmq_poller_wait(poller.0, null_mut(), 0)), Err(libc::EFAULT));
        let mut event = std::mem::MaybeUninit::<zmq_poller_event_t>::zeroed().assume_init();
        assert_eq!(checked(zmq_poller_wait_all(poller.0, &mut event, -1, 0)), Err(libc::EINVAL));
        event.fd = 5;
        assert_eq!(checked(zmq_poller_wait(poller.0, &mut event, 0)), Err(libc::EAGAIN));
        assert_eq!(event.fd, -1);
        assert_eq!(checked(zmq_poller_destroy(null_mut())), Err(libc::EFAULT));
    }
    pull.close();
    assert_eq!(poller.wait(-1), Err(libc::ENOTSOCK), "a socket was closed");
    assert_eq!(poller.remove(&pull), Err(libc::ENOTSOCK));
    assert_eq!(poller.size(), 0, "yet it is removed, so that the poller can be used again");
    assert_eq!(poller.destroy(), Ok(0));
    assert_eq!(poller.destroy(), Err(libc::EFAULT));
    assert_eq!((poller.size(), errno::errno().0), (-1, libc::EFAULT));
    assert_eq!(poller.wait(0), Err(libc::EFAULT));
    assert_eq!(poller.add(&pull, 0, 0), Err(libc::EFAULT));
}

#[test]
fn the_end_of_the_context_ends_the_wait() {
    let context = Context::new();
    let (pull, poller) = (context.socket(ZMQ_PULL), Poller::new());
    assert_eq!(poller.add(&pull, 0, IN), Ok(0));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| poller.wait(-1));
        context.shutdown();
        assert_eq!(waiting.join().unwrap(), Err(TERMINATED));
    });
    assert_eq!(poller.remove(&pull), Ok(0));
    assert_eq!(poller.add(&pull, 0, IN), Ok(0));
    assert_eq!(poller.destroy(), Ok(0));
}
