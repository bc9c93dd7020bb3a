//! Security mechanisms, one file each: implementations of [`crate::zmtp::Mechanism`].

pub mod null;
