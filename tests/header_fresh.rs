//! The committed `include/zmq.h` is the one that the build makes from `ffi/`.

#[test]
fn header_is_up_to_date() {
    let made = include_str!(concat!(env!("OUT_DIR"), "/zmq.h"));
    let committed = include_str!("../include/zmq.h");
    let differing = made.lines().zip(committed.lines()).position(|(made, committed)| made != committed);
    assert!(
        made == committed,
        "include/zmq.h is stale from line {} on; `FERROZMQ_WRITE_HEADER=1 cargo build` writes it anew",
        1 + differing.unwrap_or_else(|| made.lines().count().min(committed.lines().count())),
    );
}
