//! What the table says about one option, and how it is carried out.

use super::{Features, Options, SocketType};
use crate::error::{Error, Result};
use crate::z85;

/// A value as C hands it over.
#[derive(Clone, Copy, Debug)]
pub enum Given<'a> {
    /// So many bytes.
    Bytes(&'a [u8]),
    /// A null pointer, with the length that C claims.
    Null(usize),
}

impl<'a> Given<'a> {
    /// The bytes. A null pointer of length 0 is as good as no bytes, any other one is `EINVAL` (in upstream, a crash).
    pub(super) fn bytes(self) -> Result<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Null(0) => Ok(&[]),
            Self::Null(_) => Err(Error::Invalid),
        }
    }

    /// A value of a fixed size; `EINVAL` if the size is another.
    pub(super) fn fixed<const N: usize>(self) -> Result<[u8; N]> {
        self.bytes()?.try_into().map_err(|_| Error::Invalid)
    }

    pub(super) fn int(self) -> Result<i32> {
        self.fixed().map(i32::from_ne_bytes)
    }
}

/// What remains to be done after an option was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Nothing: it is stored in [`Options`].
    Stored,
    /// A high-water mark is stored, and the pipes that exist have to follow.
    HighWaterMark,
    /// Nothing is stored: the socket's pattern has to act on it (`ZMQ_SUBSCRIBE`, `ZMQ_UNSUBSCRIBE`).
    Action,
}

/// An int that is read like an option, but that only the running socket knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeValue {
    /// `ZMQ_RCVMORE`: 1 if the message received last has more parts.
    ReceiveMore,
    /// `ZMQ_FD`: the descriptor to wait on.
    Descriptor,
    /// `ZMQ_EVENTS`: bits `ZMQ_POLLIN`, `ZMQ_POLLOUT`.
    Events,
    /// `ZMQ_TOPICS_COUNT`: number of different subscriptions.
    TopicsCount,
}

/// What became of reading an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Got {
    /// So many bytes of the buffer are the value; C's length becomes that.
    Written(usize),
    /// The caller has to find the value out, and to write it with [`write_int`].
    Ask(RuntimeValue),
}

/// Writes an int to the start of a buffer and zeroes the rest; the value's size. `EINVAL`: the buffer is too small.
pub fn write_int(value: i32, buffer: &mut [u8]) -> Result<usize> {
    write_padded(&value.to_ne_bytes(), buffer)
}

fn write_padded(value: &[u8], buffer: &mut [u8]) -> Result<usize> {
    let (start, rest) = buffer.split_at_mut_checked(value.len()).ok_or(Error::Invalid)?;
    start.copy_from_slice(value);
    rest.fill(0);
    Ok(value.len())
}

fn write_exact(value: &[u8], buffer: &mut [u8]) -> Result<usize> {
    if buffer.len() == value.len() { write_padded(value, buffer) } else { Err(Error::Invalid) }
}

/// A set of socket types.
#[derive(Clone, Copy)]
pub(super) struct Types(u32);

impl Types {
    pub const ALL: Self = Self(u32::MAX);

    pub const fn of(types: &[SocketType]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < types.len() {
            bits |= 1 << types[index] as u32;
            index += 1;
        }
        Self(bits)
    }

    pub const fn contains(self, socket_type: SocketType) -> bool {
        self.0 & 1 << socket_type as u32 != 0
    }
}

/// What an option without bytes means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    /// `EINVAL`.
    Refused,
    /// A null pointer of length 0 clears it, an empty value is `EINVAL`.
    NullClears,
    /// A length of 0 clears it.
    Clears,
    /// A length of 0 clears it, and so does a null pointer of any length.
    AnyNullClears,
}

/// Which ints mean true and false.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    /// 1 and 0 only.
    Strict,
    /// Positive ones and 0.
    NonNegative,
    /// All but 0, and 0.
    Any,
}

/// How a value is checked and stored. What doesn't fit is `EINVAL`, and changes nothing.
#[derive(Clone, Copy)]
pub(super) enum Set {
    Never,
    /// An int in this range.
    Int(i32, i32, fn(&mut Options) -> &mut i32),
    /// An int that means true or false.
    Flag(Truth, fn(&mut Options) -> &mut bool),
    /// Eight bytes.
    Unsigned(fn(&mut Options) -> &mut u64),
    /// Eight bytes.
    Signed(fn(&mut Options) -> &mut i64),
    /// Up to so many bytes.
    Blob(Empty, usize, fn(&mut Options) -> &mut Vec<u8>),
    /// A CURVE key: 32 bytes, or 40 characters of Z85 with or without a terminating zero.
    Key(fn(&mut Options) -> &mut [u8; 32]),
    /// Rules of its own.
    Other(fn(&mut Options, Given) -> Result<()>),
    /// Any bytes, for the pattern.
    Action,
}

/// How a value is read, and into which buffers. A buffer that doesn't fit is `EINVAL`.
#[derive(Clone, Copy)]
pub(super) enum Get {
    Never,
    /// An int, into exactly its size.
    Int(fn(&Options) -> i32),
    /// An int, into at least its size; the rest is zeroed.
    PaddedInt(fn(&Options) -> i32),
    /// An int, into exactly its size; yet the answer is `EINVAL`. Upstream's slip, which programs may have met.
    IntButInvalid(fn(&Options) -> i32),
    /// Eight bytes, into exactly their size.
    Word(fn(&Options) -> [u8; 8]),
    /// Bytes; the rest is zeroed.
    Bytes(fn(&Options) -> &[u8]),
    /// Bytes and a terminating zero; the rest is zeroed.
    Text(fn(&Options) -> &[u8]),
    /// A CURVE key: into 32 bytes as it is, into 41 as Z85.
    Key(fn(&Options) -> &[u8; 32]),
    /// An int, into at least its size; the rest is zeroed.
    Runtime(RuntimeValue),
}

/// One row of the table.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub id: i32,
    /// The name in `zmq.h`, without `ZMQ_`.
    pub name: &'static str,
    /// The part of the library it belongs to.
    pub feature: fn(&Features) -> bool,
    /// Which types can set it.
    pub set_on: Types,
    pub set: Set,
    /// What else follows from setting it.
    pub then: fn(&mut Options),
    /// Which types can read it.
    pub get_on: Types,
    pub get: Get,
}

impl Entry {
    /// An option that nobody can set or read: what the table's rows begin with.
    pub const BLANK: Self = Self {
        id: -1,
        name: "",
        feature: |_| true,
        set_on: Types::ALL,
        set: Set::Never,
        then: |_| (),
        get_on: Types::ALL,
        get: Get::Never,
    };

    pub fn store(&self, options: &mut Options, given: Given) -> Result<Applied> {
        if !self.set_on.contains(options.socket_type) || !(self.feature)(&options.features) {
            return Err(Error::Invalid);
        }
        match self.set {
            Set::Never => return Err(Error::Invalid),
            Set::Int(min, max, field) => {
                *field(options) = given.int()?.in_range(min, max)?;
            }
            Set::Flag(truth, field) => {
                let (min, max) = match truth {
                    Truth::Strict => (0, 1),
                    Truth::NonNegative => (0, i32::MAX),
                    Truth::Any => (i32::MIN, i32::MAX),
                };
                *field(options) = given.int()?.in_range(min, max)? != 0;
            }
            Set::Unsigned(field) => *field(options) = u64::from_ne_bytes(given.fixed()?),
            Set::Signed(field) => *field(options) = i64::from_ne_bytes(given.fixed()?),
            Set::Blob(empty, max, field) => *field(options) = copy(blob(given, empty, max)?)?,
            Set::Key(field) => *field(options) = key(given.bytes()?)?,
            Set::Other(set) => set(options, given)?,
            Set::Action => {
                given.bytes()?;
                return Ok(Applied::Action);
            }
        }
        (self.then)(options);
        Ok(Applied::Stored)
    }

    pub fn load(&self, options: &Options, buffer: &mut [u8]) -> Result<Got> {
        if !self.get_on.contains(options.socket_type) || !(self.feature)(&options.features) {
            return Err(Error::Invalid);
        }
        let written = match self.get {
            Get::Never => Err(Error::Invalid),
            Get::Int(value) => write_exact(&value(options).to_ne_bytes(), buffer),
            Get::PaddedInt(value) => write_int(value(options), buffer),
            Get::IntButInvalid(value) => {
                write_exact(&value(options).to_ne_bytes(), buffer)?;
                Err(Error::Invalid)
            }
            Get::Word(value) => write_exact(&value(options), buffer),
            Get::Bytes(value) => write_padded(value(options), buffer),
            Get::Text(value) => {
                let value = value(options);
                if buffer.len() > value.len() { write_padded(value, buffer) } else { Err(Error::Invalid) }
                    .map(|size| size + 1)
            }
            Get::Key(value) if buffer.len() == z85::KEY_TEXT + 1 => {
                let size = write_padded(z85::encode(value(options)).unwrap_or_default().as_bytes(), buffer)?;
                Ok(size + 1)
            }
            Get::Key(value) => write_exact(value(options), buffer),
            // The caller won't write into a buffer that is too small, so refuse it before it does the work.
            Get::Runtime(_) if buffer.len() < size_of::<i32>() => Err(Error::Invalid),
            Get::Runtime(value) => return Ok(Got::Ask(value)),
        };
        written.map(Got::Written)
    }
}

trait InRange: Sized {
    fn in_range(self, min: Self, max: Self) -> Result<Self>;
}

impl InRange for i32 {
    fn in_range(self, min: Self, max: Self) -> Result<Self> {
        if (min..=max).contains(&self) { Ok(self) } else { Err(Error::Invalid) }
    }
}

pub(super) fn blob(given: Given<'_>, empty: Empty, max: usize) -> Result<&[u8]> {
    match (given, empty) {
        (Given::Null(_), Empty::AnyNullClears) => Ok(&[]),
        (Given::Null(0), Empty::NullClears | Empty::Clears) => Ok(&[]),
        (Given::Bytes([]), Empty::Clears | Empty::AnyNullClears) => Ok(&[]),
        (Given::Bytes(bytes @ [_, ..]), _) if bytes.len() <= max => Ok(bytes),
        _ => Err(Error::Invalid),
    }
}

/// A copy, of a size that a caller chose.
pub(super) fn copy(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| Error::OutOfMemory)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

fn key(bytes: &[u8]) -> Result<[u8; 32]> {
    let text = match bytes.len() {
        32 => return bytes.try_into().map_err(|_| Error::Invalid),
        40 => bytes,
        41 if bytes[40] == 0 => &bytes[..40],
        _ => return Err(Error::Invalid),
    };
    z85::decode(text).and_then(|key| key.try_into().ok()).ok_or(Error::Invalid)
}
