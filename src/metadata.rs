//! The properties of a connection, which each message that came over it refers to (`zmq_msg_gets`(3)).

use std::collections::HashSet;
use std::ffi::CStr;
use std::sync::Arc;

/// The property that holds the descriptor a message came from, in decimal (`ZMQ_SRCFD`).
pub const SOURCE_FD: &[u8] = b"__fd";
/// The peer's routing id; "Identity" is its older name.
pub const ROUTING_ID: &[u8] = b"Routing-Id";
/// The peer's routing id under its older name.
pub const IDENTITY: &[u8] = b"Identity";
/// The peer's socket type, as `READY` names it.
pub const SOCKET_TYPE: &[u8] = b"Socket-Type";
/// The user id that a ZAP handler gave.
pub const USER_ID: &[u8] = b"User-Id";
/// The peer's address.
pub const PEER_ADDRESS: &[u8] = b"Peer-Address";

/// What only this side can say of a connection: a peer that sends such a property isn't believed.
pub const OF_THIS_SIDE: [&[u8]; 3] = [SOURCE_FD, USER_ID, PEER_ADDRESS];

/// An immutable map from names to values. Names are compared byte for byte, case included.
///
/// There is one per connection, so it is kept compact: all entries stand one behind the other in one allocation.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Per entry: length of the name, length of the value (`u32`, native order), name, value, NUL.
    records: Box<[u8]>,
}

/// Collects the entries of a [`Metadata`].
#[derive(Debug, Default, Clone)]
pub struct Builder {
    records: Vec<u8>,
    /// A peer may send very many.
    names: HashSet<Box<[u8]>>,
}

impl Builder {
    /// Adds an entry, unless there is one of that name: the first one counts.
    pub fn insert(&mut self, name: &[u8], value: &[u8]) -> &mut Self {
        let (Ok(name_len), Ok(value_len)) = (u32::try_from(name.len()), u32::try_from(value.len())) else {
            return self;
        };
        if self.names.insert(name.into()) {
            self.records.extend_from_slice(&name_len.to_ne_bytes());
            self.records.extend_from_slice(&value_len.to_ne_bytes());
            self.records.extend_from_slice(name);
            self.records.extend_from_slice(value);
            self.records.push(0);
        }
        self
    }

    /// Adds all entries of another map whose names aren't there yet.
    pub fn extend(&mut self, other: &Metadata) -> &mut Self {
        for (name, value) in other.iter() {
            self.insert(name, value);
        }
        self
    }

    /// The finished map.
    pub fn build(self) -> Arc<Metadata> {
        Arc::new(Metadata { records: self.records.into_boxed_slice() })
    }
}

impl Metadata {
    /// A builder without entries.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The value of a property. "Identity" finds "Routing-Id" where there is no entry of that very name.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.find(name).map(|value| &value[..value.len() - 1])
    }

    /// The value of a property for C: up to its first NUL byte. It stays where it is as long as `self` lives.
    pub fn get_c_str(&self, name: &[u8]) -> Option<&CStr> {
        CStr::from_bytes_until_nul(self.find(name)?).ok()
    }

    /// All names and values, in the order of insertion.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        entries(&self.records).map(|(name, value)| (name, &value[..value.len() - 1]))
    }

    fn find(&self, name: &[u8]) -> Option<&[u8]> {
        find(&self.records, name).or_else(|| match name {
            IDENTITY => find(&self.records, ROUTING_ID),
            _ => None,
        })
    }
}

/// The value of the entry called `name`, with its NUL.
fn find<'a>(records: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    entries(records).find(|entry| entry.0 == name).map(|entry| entry.1)
}

/// Names and values; values with their NUL, so never empty.
fn entries(mut records: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (name_len, rest) = records.split_first_chunk()?;
        let (value_len, rest) = rest.split_first_chunk()?;
        let (name, rest) = rest.split_at_checked(u32::from_ne_bytes(*name_len) as usize)?;
        let (value, rest) = rest.split_at_checked(u32::from_ne_bytes(*value_len) as usize + 1)?;
        records = rest;
        Some((name, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Arc<Metadata> {
        let mut builder = Metadata::builder();
        builder.insert(SOCKET_TYPE, b"DEALER").insert(ROUTING_ID, b"a\0b").insert(b"X-empty", b"");
        builder.insert(SOCKET_TYPE, b"REQ");
        builder.build()
    }

    #[test]
    fn first_entry_of_a_name_counts() {
        assert_eq!(sample().get(SOCKET_TYPE), Some(&b"DEALER"[..]));
        assert_eq!(sample().iter().count(), 3);
    }

    #[test]
    fn names_are_case_sensitive() {
        assert_eq!(sample().get(b"socket-type"), None);
        assert_eq!(sample().get(b"Socket-Typ"), None);
        assert_eq!(sample().get(b""), None);
    }

    #[test]
    fn identity_is_another_name_of_routing_id() {
        assert_eq!(sample().get(IDENTITY), Some(&b"a\0b"[..]));
        let mut builder = Metadata::builder();
        builder.insert(IDENTITY, b"old").extend(&sample());
        let both = builder.build();
        assert_eq!(both.get(IDENTITY), Some(&b"old"[..]));
        assert_eq!(both.get(ROUTING_ID), Some(&b"a\0b"[..]));
        assert_eq!(both.get(SOCKET_TYPE), Some(&b"DEALER"[..]));
    }

    #[test]
    fn c_strings_end_at_the_first_nul() {
        assert_eq!(sample().get_c_str(ROUTING_ID), Some(c"a"));
        assert_eq!(sample().get_c_str(SOCKET_TYPE), Some(c"DEALER"));
        assert_eq!(sample().get_c_str(b"X-empty"), Some(c""));
        assert_eq!(sample().get(b"X-empty"), Some(&b""[..]));
    }
}
