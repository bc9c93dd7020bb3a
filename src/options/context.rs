//! The options of a context (man pages `zmq_ctx_set`, `zmq_ctx_get`).

use std::collections::BTreeSet;

use crate::error::{Error, Result};

/// What a context's `zmq_ctx_set` and `zmq_ctx_get` know. Sockets take over what concerns them when they are created.
#[derive(Clone, Debug)]
pub struct ContextOptions {
    /// I/O threads that the context will start with its first socket.
    pub io_threads: i32,
    /// Sockets that the context will have at most; counts when the first one is created.
    pub max_sockets: i32,
    /// Largest message that may be sent, in bytes.
    pub max_msgsz: i32,
    /// Whether sockets linger for ever by default.
    pub blocky: bool,
    /// Whether sockets use IPv6 by default.
    pub ipv6: bool,
    /// Whether large messages are received in place.
    pub zero_copy: bool,
    /// Scheduling priority of the I/O threads; -1: the system's default.
    pub thread_priority: i32,
    /// Scheduling policy of the I/O threads (`SCHED_*`); -1: the system's default.
    pub thread_sched_policy: i32,
    /// CPUs that the I/O threads may run on; empty: all of them.
    pub thread_affinity_cpus: BTreeSet<i32>,
    /// What the I/O threads' names begin with, up to 16 bytes.
    pub thread_name_prefix: Vec<u8>,
}

/// Ids of `zmq_ctx_set` and `zmq_ctx_get` in `zmq.h`.
mod id {
    pub const IO_THREADS: i32 = 1;
    pub const MAX_SOCKETS: i32 = 2;
    /// To get. The same number as the priority, which can only be set.
    pub const SOCKET_LIMIT: i32 = 3;
    pub const THREAD_PRIORITY: i32 = 3;
    pub const THREAD_SCHED_POLICY: i32 = 4;
    pub const MAX_MSGSZ: i32 = 5;
    pub const MSG_T_SIZE: i32 = 6;
    pub const THREAD_AFFINITY_CPU_ADD: i32 = 7;
    pub const THREAD_AFFINITY_CPU_REMOVE: i32 = 8;
    pub const THREAD_NAME_PREFIX: i32 = 9;
    pub const ZERO_COPY_RECV: i32 = 10;
    pub const IPV6: i32 = 42;
    pub const BLOCKY: i32 = 70;
}

/// What `ZMQ_SOCKET_LIMIT` reads.
const SOCKET_LIMIT: i32 = 65_535;
/// Size of `zmq_msg_t` in bytes.
const MSG_T_SIZE: i32 = 64;
/// A thread's name has room for 16 bytes.
const PREFIX_MAX: usize = 16;

impl Default for ContextOptions {
    fn default() -> Self {
        Self {
            io_threads: 1,
            max_sockets: 1023,
            max_msgsz: i32::MAX,
            blocky: true,
            ipv6: false,
            zero_copy: true,
            thread_priority: -1,
            thread_sched_policy: -1,
            thread_affinity_cpus: BTreeSet::new(),
            thread_name_prefix: Vec::new(),
        }
    }
}

impl ContextOptions {
    /// `zmq_ctx_set_ext`; `zmq_ctx_set` is the same with an int's four bytes.
    ///
    /// `EINVAL`: an unknown option, a wrong size, a value out of range, or a CPU to remove that wasn't there.
    pub fn set(&mut self, option: i32, value: &[u8]) -> Result<()> {
        if option == id::THREAD_NAME_PREFIX {
            self.thread_name_prefix = match int(value) {
                Some(number) => number.to_string().into_bytes(),
                None if (1..=PREFIX_MAX).contains(&value.len()) => value.to_vec(),
                None => return Err(Error::Invalid),
            };
            return Ok(());
        }
        let number = int(value).filter(|&number| number >= 0).ok_or(Error::Invalid)?;
        match option {
            id::IO_THREADS => self.io_threads = number,
            id::MAX_SOCKETS if number >= 1 => self.max_sockets = number,
            id::THREAD_PRIORITY => self.thread_priority = number,
            id::THREAD_SCHED_POLICY => self.thread_sched_policy = number,
            id::MAX_MSGSZ => self.max_msgsz = number,
            id::THREAD_AFFINITY_CPU_ADD => {
                self.thread_affinity_cpus.insert(number);
            }
            id::THREAD_AFFINITY_CPU_REMOVE if !self.thread_affinity_cpus.remove(&number) => {
                return Err(Error::Invalid);
            }
            id::THREAD_AFFINITY_CPU_REMOVE => {}
            id::ZERO_COPY_RECV => self.zero_copy = number != 0,
            id::IPV6 => self.ipv6 = number != 0,
            id::BLOCKY => self.blocky = number != 0,
            _ => return Err(Error::Invalid),
        }
        Ok(())
    }

    /// `zmq_ctx_get`.
    ///
    /// `EINVAL`: an unknown option, or one that can only be set.
    pub fn get(&self, option: i32) -> Result<i32> {
        Ok(match option {
            id::IO_THREADS => self.io_threads,
            id::MAX_SOCKETS => self.max_sockets,
            id::SOCKET_LIMIT => SOCKET_LIMIT,
            id::THREAD_SCHED_POLICY => self.thread_sched_policy,
            id::MAX_MSGSZ => self.max_msgsz,
            id::MSG_T_SIZE => MSG_T_SIZE,
            id::THREAD_NAME_PREFIX => leading_int(&self.thread_name_prefix),
            id::ZERO_COPY_RECV => self.zero_copy.into(),
            id::IPV6 => self.ipv6.into(),
            id::BLOCKY => self.blocky.into(),
            _ => return Err(Error::Invalid),
        })
    }

    /// `zmq_ctx_get_ext`: writes the value to the start of `buffer`. The length that C passed stays as it is.
    ///
    /// `EINVAL`: as for [`Self::get`], or the buffer has the wrong size: an int's, except for the name prefix, which
    /// a buffer of any other size gets as text, without a terminating zero, if it fits.
    pub fn get_into(&self, option: i32, buffer: &mut [u8]) -> Result<()> {
        const INT: usize = size_of::<i32>();
        if option == id::THREAD_NAME_PREFIX && buffer.len() != INT {
            let prefix = &self.thread_name_prefix;
            buffer.get_mut(..prefix.len()).ok_or(Error::Invalid)?.copy_from_slice(prefix);
            return Ok(());
        }
        let buffer: &mut [u8; INT] = buffer.try_into().map_err(|_| Error::Invalid)?;
        *buffer = self.get(option)?.to_ne_bytes();
        Ok(())
    }
}

fn int(value: &[u8]) -> Option<i32> {
    value.try_into().ok().map(i32::from_ne_bytes)
}

/// The number at the start of the text, 0 if there is none (man page `atoi`(3)).
fn leading_int(text: &[u8]) -> i32 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let size = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add((digit - b'0').into()));
    // `atoi` is `strtol` cut down to an int.
    (if negative { -size } else { size }) as i32
}
