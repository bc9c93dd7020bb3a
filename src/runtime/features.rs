//! Which optional parts of the library are there, in this process: those that are built in, and those that the system has a library for.

use crate::options::Features;
use crate::sys::{gssapi, norm};

/// What sockets go by. Nothing is loaded before an option asks.
pub const FEATURES: Features =
    Features { gssapi: gssapi::require, norm: norm::require, ..Features::BUILT_IN };

/// Whether this is the name, for `zmq_has`(3), of a part that is there by a library of the system's.
pub fn is_loaded(name: &[u8]) -> bool {
    name == b"gssapi" && gssapi::is_available()
}
