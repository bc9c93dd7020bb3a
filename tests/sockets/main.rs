//! Sockets through the C ABI, in this process: what upstream's tests, or comparing with the reference library, have
//! shown to go wrong once, and what they don't look at.

mod draft;
mod endpoints;
mod inproc;
mod peer;
mod support;
mod tcp;
mod termination;
