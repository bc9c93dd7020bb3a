//! Datagrams that come to a DISH.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zmq::zmtp::datagram::{parse, write_head};

fuzz_target!(|data: &[u8]| {
    let Some((group, body)) = parse(data) else { return };
    let mut again = Vec::new();
    write_head(group, &mut again);
    again.extend_from_slice(body);
    assert_eq!(again, data);
});
