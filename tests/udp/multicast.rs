//! Groups of hosts, within one machine: by the loopback interface, which needs no route.

use zmq::ffi::constants::*;

use crate::support::{Context, Socket};
use crate::{dish, free_port, hear, heard, join, publish, together, try_hear};

fn radio(context: &Context, endpoint: &str, options: &[(i32, i32)]) -> Socket {
    let radio = context.socket(ZMQ_RADIO);
    for &(option, value) in options {
        radio.set(option, value).expect("an option");
    }
    radio.connect(endpoint).expect("an endpoint");
    radio
}

#[test]
fn all_members_hear_it() {
    let _together = together();
    let context = Context::new();
    let port = free_port();
    let by_name = dish(&context, &format!("udp://lo;239.11.0.1:{port}"), &["g"]);
    let by_address = dish(&context, &format!("udp://127.0.0.1;239.11.0.1:{port}"), &["g"]);
    for source in ["lo", "127.0.0.1"] {
        let radio = radio(&context, &format!("udp://{source};239.11.0.1:{port}"), &[]);
        publish(&radio, "g", source.as_bytes()).expect("sent");
        for dish in [&by_name, &by_address] {
            assert_eq!(hear(dish), heard("g", source));
        }
    }
}

#[test]
fn ipv6_groups_need_the_name_of_an_interface() {
    let _together = together();
    let context = Context::new();
    let port = free_port();
    let dish = context.socket(ZMQ_DISH);
    dish.set(ZMQ_IPV6, 1).expect("an option");
    assert_eq!(dish.bind(&format!("udp://[::1];[ff02::1234]:{port}")), Err(libc::ENODEV));
    dish.bind(&format!("udp://lo;[ff02::1234]:{port}")).expect("an endpoint");
    assert_eq!(dish.last_endpoint(), format!("lo;[ff02::1234]:{port}"));
    // Whether such datagrams arrive is tested between namespaces: the loopback interface has no IPv6 multicast.
}

#[test]
fn groups_of_ipv4_are_reached_with_ipv6_allowed() {
    let _together = together();
    let context = Context::new();
    let port = free_port();
    let dish = context.socket(ZMQ_DISH);
    dish.set(ZMQ_IPV6, 1).expect("an option");
    dish.bind(&format!("udp://lo;239.11.0.2:{port}")).expect("an endpoint");
    join(&dish, "g").expect("joined");
    let radio = radio(&context, &format!("udp://lo;239.11.0.2:{port}"), &[(ZMQ_IPV6, 1)]);
    publish(&radio, "g", b"1").expect("sent");
    assert_eq!(hear(&dish), heard("g", "1"));
}

#[test]
fn a_group_is_left_with_its_endpoint() {
    let _together = together();
    let context = Context::new();
    let port = free_port();
    let endpoint = format!("udp://lo;239.11.0.4:{port}");
    let (stays, goes) = (dish(&context, &endpoint, &["g"]), dish(&context, &endpoint, &["g"]));
    let radio = radio(&context, &endpoint, &[]);
    publish(&radio, "g", b"1").expect("sent");
    assert_eq!((hear(&stays), hear(&goes)), (heard("g", "1"), heard("g", "1")));
    goes.unbind(&endpoint).expect("bound");
    publish(&radio, "g", b"2").expect("sent");
    assert_eq!(hear(&stays), heard("g", "2"));
    assert_eq!(try_hear(&goes), Err(libc::EAGAIN));
}

#[test]
fn a_dgram_takes_part_in_a_group() {
    let _together = together();
    let context = Context::new();
    let port = free_port();
    let dgram = context.socket(ZMQ_DGRAM);
    dgram.bind(&format!("udp://lo;239.11.0.5:{port}")).expect("an endpoint");
    dgram.send_more(format!("239.11.0.5:{port}").as_bytes()).expect("an address");
    dgram.send(b"to all").expect("a body");
    assert_eq!(dgram.recv_all().expect("its own datagram")[1], b"to all");
}
