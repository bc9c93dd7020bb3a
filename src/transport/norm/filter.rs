//! What a NORM socket is let in of the network. `libnorm` believes what it reads: version 1.5.9 copies as many bytes as a packet says (RFC 5740, 4.2.1, the length
//! in the payload of streams), divides by what it says, and takes as much memory as it announces. So the kernel drops what isn't as libzmq's senders and
//! receivers send it, before `libnorm` sees it.

use crate::sys::packet_filter::Condition::{AtLeast, AtLeastKept, AtMost, AtMostKept, HasNone, Is};
use crate::sys::packet_filter::Operation::{Add, And, ShiftLeft, ShiftRight, Sub};
use crate::sys::packet_filter::Size::{Byte, Half, Word};
use crate::sys::packet_filter::{Condition, Filter};

/// A filter sees the UDP header too.
const UDP: u32 = 8;
// Places of the common header (RFC 5740, 4.1), and of messages of objects (4.2.1) and commands (4.2.3).
const VERSION_AND_TYPE: u32 = UDP;
const HEADER_WORDS: u32 = UDP + 1;
const SOURCE: u32 = UDP + 4;
const FLAVOR: u32 = UDP + 12;
const FLAGS: u32 = UDP + 12;
const FEC_ID: u32 = UDP + 13;
const PAYLOAD_ID: u32 = UDP + 16;

const DATA: u32 = 2;
const CMD: u32 = 3;
const NACK: u32 = 4;
const ACK: u32 = 5;
// `NORM_CMD` flavors.
const FLUSH: u32 = 1;
const SQUELCH: u32 = 3;
const CC: u32 = 4;
const ACK_REQ: u32 = 6;

const FLAG_INFO: u32 = 0x04;
const FLAG_FILE: u32 = 0x10;
const FLAG_STREAM: u32 = 0x20;
/// `EXT_FTI`, the object transmission information.
const FTI: u32 = 64;
/// In front of what a stream's packet carries: its length, the first message in it, its place in the stream.
const STREAM_HEADER: u32 = 8;
/// All packets of a block together, in bytes; receivers keep a few blocks.
const MAX_BLOCK: u32 = 4 << 20;

// Where values are kept.
const LENGTH: u32 = 0;
const HEADER: u32 = 1;
const SEGMENT: u32 = 2;
const BLOCK: u32 = 3;
const BEFORE: u32 = 4;
const SYMBOL: u32 = 5;

/// Lets through what belongs to NORM's streams, of senders that say they keep no more than `max_buffer` bytes. If `sources` are given, only theirs.
pub fn filter(max_buffer: u32, sources: Option<&[u32]>) -> Filter {
    let filter = Filter::default()
        .length()
        .keep(LENGTH)
        .load(Byte, VERSION_AND_TYPE)
        .then(ShiftRight, 4)
        .require(Is(1))
        .load(Byte, HEADER_WORDS)
        .then(ShiftLeft, 2)
        .then(Add, UDP)
        .require(AtMostKept(LENGTH))
        .keep(HEADER);
    let kind = |filter: Filter| filter.load(Byte, VERSION_AND_TYPE).then(And, 0xf);
    let filter = kind(filter).when(Is(NACK), |filter| header(filter, 24).accept());
    let filter = kind(filter).when(Is(ACK), |filter| header(filter, 24).accept());
    let filter = kind(filter).when(Is(CMD), command);
    let mut filter = kind(filter).require(Is(DATA));
    if let Some(sources) = sources {
        // The program goes on behind the list if one of them is it.
        filter = one_of(filter.load(Word, SOURCE), sources);
    }
    let filter = filter
        .load(Byte, FLAGS)
        .require(HasNone(FLAG_INFO | FLAG_FILE))
        .then(And, FLAG_STREAM)
        .require(Is(FLAG_STREAM));
    let id = |filter: Filter| filter.load(Byte, FEC_ID);
    // Reed-Solomon of 8 bits (RFC 5510), which libnorm chooses; of 16, if a block and its parity are more than 255; and what versions before 1.5 sent.
    let filter = id(filter).when(Is(5), |filter| {
        let fti = PAYLOAD_ID + 4;
        let filter = information(filter, fti, 3, max_buffer);
        let filter = segment(filter, fti + 8);
        let filter =
            filter.load(Byte, fti + 10).keep(BLOCK).load(Byte, fti + 11).plus(BLOCK).require(AtMost(255));
        payload(block(filter).load(Byte, PAYLOAD_ID + 3).keep(SYMBOL))
    });
    let filter = id(filter).when(Is(2), |filter| {
        let fti = PAYLOAD_ID + 4;
        let filter = information(filter, fti, 4, max_buffer);
        let filter = filter.load(Byte, fti + 8).require(Is(16));
        let filter = segment(filter, fti + 10);
        let filter = filter.load(Half, fti + 12).require(AtMost(255)).keep(BLOCK);
        let filter = filter.load(Half, fti + 14).require(AtMost(255)).plus(BLOCK);
        payload(block(filter).load(Half, PAYLOAD_ID + 2).keep(SYMBOL))
    });
    id(filter)
        .when(Is(129), |filter| {
            let fti = PAYLOAD_ID + 8;
            let filter = information(filter, fti, 4, max_buffer);
            let filter = filter.load(Half, fti + 8).require(Is(0));
            let filter = segment(filter, fti + 10);
            let filter =
                filter.load(Half, fti + 12).keep(BLOCK).load(Half, fti + 14).require(AtMost(255)).plus(BLOCK);
            let filter = filter.require(AtMost(255));
            payload(block(filter).load(Half, PAYLOAD_ID + 6).keep(SYMBOL))
        })
        .drop()
}

/// The header has so many bytes, at least.
fn header(filter: Filter, bytes: u32) -> Filter {
    filter.kept(HEADER).require(AtLeast(UDP + bytes))
}

/// Drops the packet unless the accumulator is one of these.
fn one_of(filter: Filter, numbers: &[u32]) -> Filter {
    let filter = filter.keep(SYMBOL).then(And, 0).keep(BEFORE);
    let filter = numbers.iter().fold(filter, |filter, &number| {
        filter.kept(SYMBOL).when(Is(number), |filter| filter.then(And, 0).then(Add, 1).keep(BEFORE))
    });
    filter.kept(BEFORE).require(Is(1))
}

fn command(filter: Filter) -> Filter {
    let flavor = |filter: Filter| filter.load(Byte, FLAVOR);
    let filter = header(filter, 16);
    let filter = flavor(filter).when(Is(CC), |filter| header(filter, 24).accept());
    let filter = flavor(filter).when(Is(FLUSH), |filter| {
        let known = |filter: Filter, id, bytes| {
            filter.load(Byte, FEC_ID).when(Is(id), |filter| header(filter, bytes).accept())
        };
        known(known(known(filter, 5, 20), 2, 20), 129, 24).drop()
    });
    let filter = flavor(filter).when(Is(SQUELCH), |filter| header(filter, 20).accept());
    // The end of a transmission, repairs that are told to all, requests to acknowledge. What programs make up isn't for libzmq.
    flavor(filter).require(AtMost(ACK_REQ)).require(AtLeast(2)).accept()
}

/// The object's information is where libnorm puts it: first among the extensions, in each packet. What the sender keeps is bounded.
fn information(filter: Filter, at: u32, words: u32, max_buffer: u32) -> Filter {
    filter
        .kept(HEADER)
        .require(AtLeast(at + words * 4))
        .load(Byte, at)
        .require(Is(FTI))
        .load(Byte, at + 1)
        .require(Is(words))
        .load(Half, at + 2)
        .require(Is(0))
        .load(Word, at + 4)
        .require(AtLeast(1))
        .require(AtMost(max_buffer))
}

/// The longest payload, which isn't nothing.
fn segment(filter: Filter, at: u32) -> Filter {
    filter.load(Half, at).require(AtLeast(1)).keep(SEGMENT)
}

/// Packets of data and of parity, which are in the accumulator, aren't more than may be kept; and there is data.
fn block(filter: Filter) -> Filter {
    filter.times(SEGMENT).require(AtMost(MAX_BLOCK)).kept(BLOCK).require(AtLeast(1))
}

/// What a packet carries is no longer than it may be. If it is data, not parity, so it is by its own account.
fn payload(filter: Filter) -> Filter {
    let filter = filter.kept(SEGMENT).then(Add, STREAM_HEADER).keep(BEFORE);
    let filter =
        filter.kept(LENGTH).minus(HEADER).require(AtLeast(STREAM_HEADER)).require(AtMostKept(BEFORE));
    let filter = filter.then(Sub, STREAM_HEADER).keep(BEFORE).kept(SYMBOL);
    let parity: Condition = AtLeastKept(BLOCK);
    filter
        .when(parity, Filter::accept)
        .load_behind(Half, HEADER, 0)
        .require(AtMostKept(SEGMENT))
        .require(AtMostKept(BEFORE))
        .accept()
}
