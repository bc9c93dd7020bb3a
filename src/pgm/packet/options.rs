//! The options of a packet (RFC 3208, section 9). Those that nobody needs here are gone past.

use super::{Fragment, MAX_NAMED, Marks};
use crate::pgm::Sequence;

pub(super) const LENGTH: u8 = 0x00;
const FRAGMENT: u8 = 0x01;
pub(super) const NAK_LIST: u8 = 0x02;
pub(super) const FIN: u8 = 0x0e;
const RST: u8 = 0x0f;
/// Set in the type of the last one.
pub(super) const END: u8 = 0x80;
/// OPT_LENGTH comes first, and is so long.
pub(super) const LENGTH_SIZE: usize = 4;
/// What an option has before its own fields: type, length, two reserved bytes.
pub(super) const HEAD: usize = 4;
/// How many options a packet has at most (section 9.1).
const MAX: usize = 16;

/// What the options of a packet say.
#[derive(Default)]
pub(super) struct Options<'a> {
    pub fragment: Option<Fragment>,
    pub nak_list: &'a [[u8; 4]],
    pub marks: Marks,
}

impl<'a> Options<'a> {
    /// The options that `bytes` begin with, and what follows them. `None` if they are malformed.
    pub fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let [LENGTH, 4, t0, t1, ..] = *bytes else { return None };
        let (mut area, rest) = bytes.split_at_checked(usize::from(u16::from_be_bytes([t0, t1])))?;
        area = area.get(LENGTH_SIZE..)?;
        let mut options = Self::default();
        for _ in 0..MAX {
            let [kind, length, ..] = *area else { return None };
            let (option, others) = area.split_at_checked(usize::from(length))?;
            area = others;
            let fields = option.get(HEAD..)?;
            match kind & !END {
                FRAGMENT => options.fragment = Some(fragment(fields)?),
                NAK_LIST => {
                    let (list, odd) = fields.as_chunks::<4>();
                    if !odd.is_empty() || list.len() >= MAX_NAMED {
                        return None;
                    }
                    options.nak_list = list;
                }
                FIN => options.marks.fin = true,
                RST => options.marks.rst = true,
                _ => {}
            }
            if kind & END != 0 {
                return area.is_empty().then_some((options, rest));
            }
        }
        None
    }
}

fn fragment(fields: &[u8]) -> Option<Fragment> {
    let ([first, offset, total], []) = fields.as_chunks::<4>().0.split_first_chunk::<3>()? else {
        return None;
    };
    let number = |bytes: &[u8; 4]| u32::from_be_bytes(*bytes);
    Some(Fragment { first: Sequence(number(first)), offset: number(offset), total: number(total) })
}
