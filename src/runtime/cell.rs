//! Where sockets live: cells that are used again but never freed.
//!
//! C holds a socket by a pointer that means nothing to it, and may use it when the socket has long gone, or while another
//! thread is closing it. So a socket isn't reached by its address but by the number of a cell and the cell's
//! generation: looking it up and locking it is safe whatever C does, and a handle of an earlier generation is an
//! error each time.

use super::socket::Socket;
use crate::error::{Error, Result};
use crate::sys::biased::{BiasedGuard, BiasedMutex};
use crate::sys::fork::{self, ForkLock};
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Generations that a handle can tell apart.
pub const GENERATIONS: u32 = 1 << 17;
/// Cells at most.
pub const CELLS: u32 = 1 << 22;
/// The first block of cells has this many, each further one twice as many as the one before.
const FIRST_BLOCK: u32 = 64;
const BLOCKS: usize = 17;

struct Slot {
    generation: u32,
    socket: Option<Box<Socket>>,
}

struct Cell {
    slot: BiasedMutex<Slot>,
    /// The fork generation of the process that made the socket. In any other, the lock may be held by a thread that isn't there.
    forks: AtomicU32,
}

/// Instead of a fork generation: inherited, and closed in the child.
const CLOSED_IN_CHILD: u32 = u32::MAX;

static BLOCK_TABLE: [OnceLock<Box<[Cell]>>; BLOCKS] = [const { OnceLock::new() }; BLOCKS];
static FREE: ForkLock<Free> = ForkLock::new(Free { cells: VecDeque::new(), made: 0 });

/// First in, first out, so that a number comes back as late as possible.
struct Free {
    cells: VecDeque<u32>,
    made: u32,
}

/// Names a socket, living or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketRef {
    /// The cell.
    pub index: u32,
    /// The cell's generation at the time.
    pub generation: u32,
}

/// Being inside a socket.
pub struct SocketGuard {
    slot: BiasedGuard<'static, Slot>,
}

#[inline]
fn cell(index: u32) -> Option<&'static Cell> {
    let shifted = index.checked_add(FIRST_BLOCK)?;
    let block = (shifted / FIRST_BLOCK).ilog2();
    let first = FIRST_BLOCK << block;
    BLOCK_TABLE.get(block as usize)?.get()?.get((shifted - first) as usize)
}

impl SocketRef {
    /// Puts a socket into a cell. `EMFILE` when there are none left.
    pub fn new(make: impl FnOnce(SocketRef) -> Box<Socket>) -> Result<Self> {
        let index = {
            let mut free = FREE.lock();
            // Kept waiting for a while, so that stale handles stay recognisable for longer.
            if free.cells.len() > 64 || free.made >= CELLS {
                free.cells.pop_front().ok_or(Error::TooManyFiles)?
            } else {
                free.made += 1;
                free.made - 1
            }
        };
        let block = ((index + FIRST_BLOCK) / FIRST_BLOCK).ilog2();
        BLOCK_TABLE.get(block as usize).ok_or(Error::TooManyFiles)?.get_or_init(|| {
            let count = FIRST_BLOCK << block;
            let cell = |_| Cell {
                slot: BiasedMutex::new(Slot { generation: 1, socket: None }),
                forks: AtomicU32::new(fork::generation()),
            };
            (0..count).map(cell).collect()
        });
        let cell = cell(index).ok_or(Error::TooManyFiles)?;
        cell.forks.store(fork::generation(), Ordering::Relaxed);
        let mut slot = cell.slot.lock().ok_or(Error::TooManyFiles)?;
        let this = Self { index, generation: slot.generation };
        slot.socket = Some(make(this));
        Ok(this)
    }

    /// Enters the socket. `ENOTSOCK` if it has gone, `EDEADLK` if this thread is inside already, `ETERM` in a child of `fork` that has
    /// inherited it.
    #[inline]
    pub fn lock(self) -> Result<SocketGuard> {
        let cell = cell(self.index).ok_or(Error::NotSocket)?;
        let forks = cell.forks.load(Ordering::Relaxed);
        if forks != fork::generation() {
            return Err(if forks == CLOSED_IN_CHILD { Error::NotSocket } else { Error::Terminated });
        }
        let slot = cell.slot.lock().ok_or(Error::Deadlock)?;
        if slot.generation != self.generation || slot.socket.is_none() {
            return Err(Error::NotSocket);
        }
        Ok(SocketGuard { slot })
    }
}

impl SocketRef {
    /// Closes a socket that this process has inherited by `fork`: it is left as it is, since its locks may be held by threads that
    /// only the parent has. False: it isn't such a socket. `ENOTSOCK` if it was closed already.
    pub fn close_inherited(self) -> Result<bool> {
        let cell = cell(self.index).ok_or(Error::NotSocket)?;
        let forks = cell.forks.load(Ordering::Relaxed);
        if forks == fork::generation() {
            return Ok(false);
        }
        match cell.forks.swap(CLOSED_IN_CHILD, Ordering::Relaxed) {
            CLOSED_IN_CHILD => Err(Error::NotSocket),
            _ => Ok(true),
        }
    }
}

impl SocketGuard {
    /// Takes the socket out; from now on its handle is stale.
    pub fn take(mut self, this: SocketRef) -> Option<Box<Socket>> {
        let socket = self.slot.socket.take();
        self.slot.generation = (self.slot.generation + 1) % GENERATIONS;
        drop(self);
        FREE.lock().cells.push_back(this.index);
        socket
    }
}

impl Drop for SocketGuard {
    /// A panic inside a socket leaves it in the middle of something, and maybe its peers too.
    #[inline]
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.poison();
        }
    }
}

impl SocketGuard {
    #[cold]
    fn poison(&self) {
        if let Some(socket) = &self.slot.socket {
            socket.context().poison();
        }
    }
}

impl Deref for SocketGuard {
    type Target = Socket;

    #[inline]
    fn deref(&self) -> &Socket {
        // `lock` has looked, and only `take`, which ends the guard, empties a cell.
        self.slot.socket.as_deref().expect("a guard is inside a socket")
    }
}

impl DerefMut for SocketGuard {
    #[inline]
    fn deref_mut(&mut self) -> &mut Socket {
        self.slot.socket.as_deref_mut().expect("a guard is inside a socket")
    }
}
