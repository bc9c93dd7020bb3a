//! What a ZAP handler may answer. Each frame is led by its length; the top bit says whether more follow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zmq::message::Message;
use zmq::security::zap::Reply;

fuzz_target!(|data: &[u8]| {
    let mut reply = Reply::default();
    let mut rest = data;
    while let [header, tail @ ..] = rest {
        let (body, next) = tail.split_at(usize::from(header & 0x7f).min(tail.len()));
        let mut frame = Message::from_slice(body).expect("memory");
        frame.set_more(header & 0x80 != 0);
        match reply.frame(frame) {
            Ok(None) => rest = next,
            _ => return,
        }
    }
});
