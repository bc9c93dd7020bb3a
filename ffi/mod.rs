//! The extern "C" layer: validate, convert, call, convert, and nothing else.
//!
//! One file per section of `zmq.h`. Every entry point runs inside [`boundary`], which turns the engine's
//! `Result` into a return value and `errno` and keeps panics from crossing into C. The header is generated
//! from these files, so their doc comments are what a C programmer reads.
//!
//! The safety contract of every function is the same, and the man pages state it: a pointer argument is null or points to what
//! its page says it points to, for as long as the page says. Handles are checked, so a stale one is an error.
#![allow(clippy::missing_safety_doc)]

pub mod boundary;
pub mod constants;
pub mod context;
pub mod handle;
pub mod message;
pub mod monitor;
pub mod poll;
pub mod poller;
pub mod proxy;
pub mod socket;
mod table;
pub mod thread;
pub mod timers;
pub mod types;
pub mod util;
