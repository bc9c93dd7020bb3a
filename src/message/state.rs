//! The head of a message: one word that says what it is.
//!
//! In the order of memory: the last byte of an inline body that fills all room; the length of an inline body, else 0; the state
//! (2 bytes); the routing id (4 bytes).
//!
//! The state carries a magic number, so that a message that was closed, or never initialised, is noticed.

/// Something has to be released: the storage, metadata or a long group.
pub const OWNING: u16 = 1;
/// Where the body is.
pub const STORAGE: u16 = 3 << 1;
/// In the message.
pub const INLINE: u16 = 0;
/// In memory that outlives every message.
pub const CONSTANT: u16 = 1 << 1;
/// In memory that belongs to this message and to those that were shared from it. Without [`SHARED`] there are none,
/// and the owner's reference count isn't kept.
pub const OWNED: u16 = 2 << 1;
/// The part that says that this is a message.
pub const MAGIC_MASK: u16 = 0xc0f8;
/// Its value in every message that isn't closed.
pub const MAGIC: u16 = 0x8058;
/// More parts follow.
pub const MORE: u16 = 1 << 8;
/// The storage may be shared with another message (the property `ZMQ_SHARED`).
pub const SHARED: u16 = 1 << 9;
/// A `Kind`, in four bits.
pub const KIND: u16 = 15 << KIND_SHIFT;
/// Where they begin.
pub const KIND_SHIFT: u32 = 10;

/// By how many bits the parts of the head are shifted.
const fn shift(first_byte: u32, bytes: u32) -> u32 {
    8 * if cfg!(target_endian = "little") { first_byte } else { 8 - bytes - first_byte }
}
/// The last byte of an inline body.
pub const LAST_BYTE_AT: u32 = shift(0, 1);
/// The length of an inline body.
pub const LEN_AT: u32 = shift(1, 1);
/// The state.
pub const STATE_AT: u32 = shift(2, 2);
/// The routing id.
pub const ROUTING_ID_AT: u32 = shift(4, 4);
