//! Where sockets live: cells that are used again but never freed.
//!
//! C holds a socket by a pointer that means nothing to it, and may use it when the socket has long gone, or while another
//! thread is closing it. So a socket isn't reached by its address but by the number of a cell and the cell's
//! generation: looking it up and locking it is safe whatever C does, and a handle of an earlier generation is an
//! error each time.
//!
//! The pointer is one of the addresses that belong to the cell, a different one for each generation (see [`addresses`]).

use super::socket::Socket;
use crate::error::{Error, Result};
use crate::sys::addresses;
use crate::sys::biased::{BiasedGuard, BiasedMutex};
use crate::sys::fork::{self, ForkLock};
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The addresses of a cell. It is a compromise: they are only reserved, but count for `RLIMIT_AS`, and in how large a process looks.
const SPAN: usize = 1 << 16;
/// The addresses of one generation: as far apart as what `malloc` returns.
const STEP: usize = 16;
/// Generations that a handle can tell apart.
const GENERATIONS: u32 = (SPAN / STEP) as u32;
/// Cells at most.
const CELLS: u32 = 1 << 22;
/// The first block of cells has this many, each further one twice as many as the one before.
const FIRST_BLOCK: u32 = 64;
const BLOCKS: usize = 17;
/// A cell isn't used again while fewer than this many wait for that, so that stale handles stay recognisable for longer.
const RESTING: usize = 64;

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

/// Cells, and the addresses that stand for them.
struct Block {
    /// Of the first cell; the others' follow.
    addresses: usize,
    cells: Box<[Cell]>,
}

static BLOCK_TABLE: [OnceLock<Block>; BLOCKS] = [const { OnceLock::new() }; BLOCKS];
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

/// The block that a cell is in, and its place there.
#[inline]
fn place(index: u32) -> Option<(usize, usize)> {
    let shifted = index.checked_add(FIRST_BLOCK)?;
    let block = (shifted / FIRST_BLOCK).ilog2();
    Some((block as usize, (shifted - (FIRST_BLOCK << block)) as usize))
}

#[inline(always)]
fn cell(index: u32) -> Option<&'static Cell> {
    // Nearly every program gets by with the first block.
    if index < FIRST_BLOCK {
        return BLOCK_TABLE.first()?.get()?.cells.get(index as usize);
    }
    cell_slowly(index)
}

#[cold]
#[inline(never)]
fn cell_slowly(index: u32) -> Option<&'static Cell> {
    let (block, offset) = place(index)?;
    BLOCK_TABLE.get(block)?.get()?.cells.get(offset)
}

impl Block {
    fn new(number: usize) -> Result<Self> {
        let count = FIRST_BLOCK << number;
        let addresses = addresses::readable(count as usize * SPAN)?;
        let cell = |_| Cell {
            slot: BiasedMutex::new(Slot { generation: 1, socket: None }),
            forks: AtomicU32::new(fork::generation()),
        };
        Ok(Self { addresses, cells: (0..count).map(cell).collect() })
    }
}

impl Cell {
    /// Makes it this process's. False: it is of no use in a child of `fork`, since a thread that only the parent has was just looking at it, by
    /// a stale handle.
    fn adopt(&self) -> bool {
        let generation = fork::generation();
        let good = self.forks.load(Ordering::Relaxed) == generation || self.slot.is_at_rest();
        self.forks.store(if good { generation } else { CLOSED_IN_CHILD }, Ordering::Relaxed);
        good
    }
}

impl Free {
    /// A cell for a new socket.
    fn take(&mut self) -> Result<u32> {
        if self.cells.len() <= RESTING
            && let Ok(index) = self.make()
        {
            return Ok(index);
        }
        self.cells.pop_front().ok_or(Error::TooManyFiles)
    }

    /// A cell that was never used.
    fn make(&mut self) -> Result<u32> {
        let index = self.made;
        let (number, _) = place(index).filter(|_| index < CELLS).ok_or(Error::TooManyFiles)?;
        let block = BLOCK_TABLE.get(number).ok_or(Error::TooManyFiles)?;
        if block.get().is_none() {
            let made = Block::new(number)?;
            // Nobody else makes any: who is here holds the lock on what is free.
            block.get_or_init(|| made);
        }
        self.made += 1;
        Ok(index)
    }
}

impl SocketRef {
    /// Puts a socket into a cell. `EMFILE` when there are none left, nor address space for more.
    pub fn new(make: impl FnOnce(SocketRef) -> Box<Socket>) -> Result<Self> {
        let (index, cell) = loop {
            let index = FREE.lock().take()?;
            let cell = cell(index).ok_or(Error::TooManyFiles)?;
            if cell.adopt() {
                break (index, cell);
            }
        };
        let mut slot = cell.slot.lock().ok_or(Error::TooManyFiles)?;
        let this = Self { index, generation: slot.generation };
        slot.socket = Some(make(this));
        Ok(this)
    }

    /// The address that stands for this socket: never null, a multiple of 16, and readable for as long as the process lives.
    pub fn address(self) -> Option<usize> {
        let (block, offset) = place(self.index)?;
        let block = BLOCK_TABLE.get(block)?.get()?;
        Some(block.addresses + offset * SPAN + self.generation as usize * STEP)
    }

    /// What stands at an address; the inverse of [`address`](Self::address). Any number may be asked about.
    #[inline(always)]
    pub fn at(address: usize) -> Option<Self> {
        match Self::within(0, address) {
            Some(found) => Some(found),
            None => Self::at_slowly(address),
        }
    }

    #[cold]
    #[inline(never)]
    fn at_slowly(address: usize) -> Option<Self> {
        (1..BLOCKS).find_map(|block| Self::within(block, address))
    }

    #[inline(always)]
    fn within(number: usize, address: usize) -> Option<Self> {
        let block = BLOCK_TABLE.get(number)?.get()?;
        let offset = address.wrapping_sub(block.addresses);
        let count = (FIRST_BLOCK as usize) << number;
        if offset >= count * SPAN || !offset.is_multiple_of(STEP) {
            return None;
        }
        let first = count as u32 - FIRST_BLOCK;
        Some(Self { index: first + (offset / SPAN) as u32, generation: (offset % SPAN / STEP) as u32 })
    }

    /// Enters the socket. `ENOTSOCK` if it has gone, `EDEADLK` if this thread is inside already, `ETERM` in a child of `fork` that has
    /// inherited it.
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

    /// As `lock`, for the thread that uses the socket all the time, and quick. `None`: it has to be done by `lock`.
    #[inline(always)]
    pub fn enter(self) -> Option<SocketGuard> {
        let cell = cell(self.index)?;
        if cell.forks.load(Ordering::Relaxed) != fork::generation() {
            return None;
        }
        let slot = cell.slot.lock_by_bias()?;
        (slot.generation == self.generation && slot.socket.is_some()).then_some(SocketGuard { slot })
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
    #[inline(always)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_its_cell_and_generation_and_nothing_else_does() {
        // As many cells as three blocks have.
        let made: Vec<u32> = {
            let mut free = FREE.lock();
            (0..7 * FIRST_BLOCK).map(|_| free.make().unwrap()).collect()
        };
        let mut seen = std::collections::HashSet::new();
        for &index in &made {
            for generation in [0, 1, 2, GENERATIONS - 1] {
                let named = SocketRef { index, generation };
                let address = named.address().unwrap();
                assert_eq!(SocketRef::at(address), Some(named));
                assert!(address.is_multiple_of(16) && address < 1 << 47);
                assert!(seen.insert(address));
                assert_eq!(SocketRef::at(address + 8), None);
            }
        }
        for (number, block) in BLOCK_TABLE.iter().enumerate().take(3) {
            let block = block.get().unwrap();
            let end = block.addresses + block.cells.len() * SPAN;
            assert_ne!(SocketRef::at(end - STEP), SocketRef::at(end));
            assert_eq!(SocketRef::within(number, end), None);
            assert_eq!(SocketRef::within(number, block.addresses - STEP), None);
        }
        for address in [0, 16, usize::MAX, usize::MAX - 15] {
            assert_eq!(SocketRef::at(address), None);
        }
    }
}
