use super::*;
use std::net::IpAddr;

fn resolve(address: &str) -> Result<Address> {
    Address::resolve(address)
}

fn defaults() -> Options {
    Options::new(SocketType::Sub, &crate::options::ContextOptions::default())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn addresses_are_read_as_openpgm_does() {
    let lo = nix::net::if_::if_nametoindex("lo").unwrap();
    let plain = Address {
        own: ip("127.0.0.1"),
        interface: lo,
        receive: vec![ip("239.1.2.3")],
        send: ip("239.1.2.3"),
        port: 5555,
    };
    for address in [
        "127.0.0.1;239.1.2.3:5555",
        "lo;239.1.2.3:5555",
        "127.0.0.0/8;239.1.2.3:5555",
        "127.0.0.1;239.1.2.3;239.1.2.3:5555",
        "127.0.0.1;239.1.2.3;:5555x",
        "127.0.0.1;239.1.2.3: +71091",
    ] {
        assert_eq!(resolve(address), Ok(plain.clone()), "{address}");
    }
    assert_eq!(resolve("lo:5555").unwrap().receive, [ip("239.192.0.1")]);
    let several = resolve("lo;239.1.2.3,239.1.2.4;239.1.2.5:5555").unwrap();
    assert_eq!((several.receive, several.send), (vec![ip("239.1.2.3"), ip("239.1.2.4")], ip("239.1.2.5")));
    let sender = resolve("lo;;239.1.2.5:5555").unwrap();
    assert_eq!((sender.receive, sender.send), (vec![ip("239.192.0.1")], ip("239.1.2.5")));
}

#[test]
fn what_is_no_address_is_einval() {
    for address in [
        "",
        ":5555",
        "lo",
        "lo;239.1.2.3",
        "lo;239.1.2.3:",
        "lo;239.1.2.3:0",
        "lo;239.1.2.3:65536",
        "lo;239.1.2.3:x",
        "lo;10.1.2.3:5555",
        "lo;host:5555",
        "lo;239.1.2.3,:5555",
        "lo;239.1.2.3;10.1.1.1:5555",
        "lo;239.1.2.3;239.1.2.3;239.1.2.3:5555",
        "lo;239.1.2.3;[ff02::1]:5555",
        "nosuch;239.1.2.3:5555",
        "203.0.113.77;239.1.2.3:5555",
        "203.0.113.0/24;239.1.2.3:5555",
        "127.0.0.1/x;239.1.2.3:5555",
        "lo/8;239.1.2.3:5555",
        "127.0.0.1;[ff02::1]:5555",
        "[::1];239.1.2.3:5555",
    ] {
        // Nothing of the first two may be left to the machine, which has a default in some places only.
        let left_out = address.is_empty() || address.starts_with(':');
        assert!(resolve(address) == Err(Error::Invalid) || left_out, "{address}: {:?}", resolve(address));
    }
    let many = ["239.1.2.3"; 21].join(",");
    assert_eq!(resolve(&format!("lo;{many}:5555")), Err(Error::Invalid));
}

#[test]
fn sizes_are_openpgms() {
    let options = defaults();
    let data = |encapsulation, ipv6| {
        let sizes = Sizes::new(&options, encapsulation, ipv6).unwrap();
        sizes.max_tpdu - sizes.overhead - crate::pgm::DATA_HEADER
    };
    assert_eq!(data(Encapsulation::Udp, false), 1448);
    assert_eq!(data(Encapsulation::Ip, false), 1456);
    assert_eq!(data(Encapsulation::Udp, true), 1428);
    let sizes = Sizes::new(&options, Encapsulation::Udp, false).unwrap();
    assert_eq!((sizes.window, sizes.rate), (80, 12_500));
    for (tpdu, possible) in [(54, false), (55, true), (65_535, true), (65_536, false), (i32::MAX, false)] {
        let options = Options { multicast_maxtpdu: tpdu, ..defaults() };
        assert_eq!(Sizes::new(&options, Encapsulation::Udp, false).is_ok(), possible, "{tpdu}");
    }
    let most = Options { rate: i32::MAX, recovery_ivl: i32::MAX, multicast_maxtpdu: 55, ..defaults() };
    assert_eq!(Sizes::new(&most, Encapsulation::Udp, false).unwrap().window, i32::MAX as usize);
}

#[test]
fn what_the_machine_refuses_is_einval() {
    let options = Options { bindtodevice: b"nosuch".to_vec(), ..defaults() };
    assert!(matches!(open_epgm("lo;239.1.2.3:5555", &options), Err(Error::Invalid)));
}
