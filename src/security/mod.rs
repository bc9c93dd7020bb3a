//! Security mechanisms, one file each: implementations of [`crate::zmtp::Mechanism`]. What they have in common about
//! authentication is in [`zap`].

pub mod curve;
pub mod gssapi;
pub mod null;
pub mod plain;
pub mod zap;
