//! How the options are set whose rules are their own.

use std::collections::BTreeSet;

use super::entry::{Empty, Given, blob, copy};
use super::table::{DECISECOND, NAME};
use super::{AddressMask, MechanismKind, Options};
use crate::error::{Error, Result};

pub(super) fn add_accept_filter(options: &mut Options, given: Given) -> Result<()> {
    let text = blob(given, Empty::NullClears, NAME)?;
    if text.is_empty() {
        options.tcp_accept_filters.clear();
    } else {
        options.tcp_accept_filters.push(AddressMask::parse(text, options.ipv6)?);
    }
    Ok(())
}

/// A process, user or group id to add; a null pointer of length 0 removes them all.
pub(super) fn filter<T: Ord>(set: &mut BTreeSet<T>, given: Given, id: fn(i32) -> T) -> Result<()> {
    match given {
        Given::Null(0) => set.clear(),
        given => _ = set.insert(id(given.int()?)),
    }
    Ok(())
}

/// A user name or password. A null pointer of length 0 turns the mechanism off and leaves them as they are.
pub(super) fn set_plain(
    options: &mut Options,
    given: Given,
    field: fn(&mut Options) -> &mut Vec<u8>,
) -> Result<()> {
    let value = blob(given, Empty::NullClears, NAME)?;
    if value.is_empty() {
        options.mechanism = MechanismKind::Null;
    } else {
        *field(options) = copy(value)?;
        options.as_server = false;
        options.mechanism = MechanismKind::Plain;
    }
    Ok(())
}

pub(super) fn set_heartbeat_ttl(options: &mut Options, given: Given) -> Result<()> {
    // Rounds towards zero, so that -99 is as good as 0.
    options.heartbeat_ttl = (given.int()? / DECISECOND).try_into().map_err(|_| Error::Invalid)?;
    Ok(())
}

/// `X-name:value`. A name that is there already keeps its value.
pub(super) fn add_metadata(options: &mut Options, given: Given) -> Result<()> {
    let text = given.bytes()?;
    let colon = text.iter().position(|&byte| byte == b':').ok_or(Error::Invalid)?;
    let (name, value) = (&text[..colon], &text[colon + 1..]);
    // Upstream refuses a text of four bytes, because it might be an int.
    if value.is_empty() || !name.starts_with(b"X-") || name.len() > NAME || text.len() == size_of::<i32>() {
        return Err(Error::Invalid);
    }
    options.metadata.entry(copy(name)?).or_insert(copy(value)?);
    Ok(())
}

/// Upstream looks at four bytes, whatever the length says. Here, those beyond the length count as zero.
pub(super) fn set_verbose_unsubscribe(options: &mut Options, given: Given) -> Result<()> {
    let Given::Bytes(bytes) = given else { return Err(Error::Invalid) };
    options.xsub_verbose_unsubscribe = bytes.iter().take(size_of::<i32>()).any(|&byte| byte != 0);
    Ok(())
}
