//! Calls of the operating system, fenced: safe interfaces, and the only `unsafe` code below the C layer besides messages and
//! queues.
//!
//! What a platform must supply:
//!
//! | module | what | here |
//! |---|---|---|
//! | [`futex`] | sleep on a word of memory, wake those who do | `futex`(2) |
//! | [`eventfd`] | a descriptor that can be made readable | `eventfd`(2) |
//! | [`epoll`] | wait for many descriptors; such a set is a descriptor itself | `epoll`(7) |
//! | [`poll`] | wait for a few descriptors, with a signal mask | `ppoll`(2) |
//! | [`membarrier`] | a fence in all threads of the process (optional) | `membarrier`(2) |
//! | [`thread`] | a thread; its name, CPUs, scheduling, signal mask | pthreads |
//! | [`fork`] | notice a `fork` | `pthread_atfork`(3) |
//! | `thread_token` | tells threads apart | the thread pointer |
//! | [`sockopt`] | when a socket counts as readable | `SO_RCVLOWAT` |
//! | [`datagrams`] | many datagrams in one call | `sendmmsg`(2), `recvmmsg`(2) |
//! | [`addresses`] | addresses that can be read, for handles | `mmap`(2) |
//! | [`descriptor`] | descriptors that the program hands over | `getsockopt`(2) |
//! | [`gssapi`] | secure contexts, by the system's library if it is there | `libgssapi_krb5` |
//! | [`helpers`] | threads for what may take long | pthreads |
//! | [`library`] | libraries that are loaded when they are needed | `dlopen`(3) |
//! | [`norm`] | reliable multicast (optional) | `libnorm` |
//! | [`packet_filter`] | the kernel drops packets | `SO_ATTACH_FILTER` |
//! | [`timerfd`] | a precise timer that is a descriptor | `timerfd_create`(2) |
//! | [`tipc`] | addresses of a family that the libraries in use don't know | `linux/tipc.h` |
//! | [`time`] | a monotonic clock | `clock_gettime`(2) |
//!
//! A wait never outlasts the arrival of a signal: it ends with "interrupted" even if the handler was installed with
//! `SA_RESTART`, since programs rely on `EINTR`.

pub mod addresses;
pub mod bell;
pub mod biased;
pub mod datagrams;
pub mod descriptor;
pub mod epoll;
pub mod eventfd;
pub mod fork;
pub mod futex;
pub mod gssapi;
pub mod handover;
pub mod helpers;
pub mod lazy_bool;
pub mod library;
pub mod membarrier;
pub mod norm;
pub mod packet_filter;
mod place;
pub mod poll;
mod primitive;
pub mod sockopt;
pub mod thread;
mod thread_token;
pub mod time;
pub mod timerfd;
pub mod tipc;
pub mod waiters;

use crate::error::{Error, Result};

/// The error that the last failed call of the C library left in `errno`.
fn last_error() -> Error {
    Error::from_errno(errno::errno().0)
}

/// Turns a C library call's -1 into the error.
fn check(result: libc::c_int) -> Result<libc::c_int> {
    if result == -1 { Err(last_error()) } else { Ok(result) }
}
