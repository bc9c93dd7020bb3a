use super::*;

const IDENTITY: Identity = Identity { tsi: Tsi { gsi: [1, 2, 3, 4, 5, 6], port: 0x1234 }, port: 0x5678 };

fn v4(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, last).into()
}

fn v6(last: u16) -> IpAddr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last).into()
}

/// With a right checksum.
fn sealed(mut packet: Vec<u8>) -> Vec<u8> {
    packet[6..8].fill(0);
    let sum = checksum(&packet).to_be_bytes();
    packet[6..8].copy_from_slice(&sum);
    packet
}

fn data(payload: &[u8]) -> Vec<u8> {
    let mut packet = [&[0; DATA_HEADER], payload].concat();
    finish_data(IDENTITY, Sequence(7), Sequence(3), &mut packet);
    packet
}

/// Original data with options.
fn data_with(options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut packet = data(payload);
    packet[5] = OPTIONS_PRESENT;
    packet.splice(DATA_HEADER..DATA_HEADER, options.iter().copied());
    sealed(packet)
}

#[test]
fn data_are_laid_out_as_the_rfc_says() {
    let packet = data(b"abc");
    let expected = b"\x12\x34\x56\x78\x04\x00\xe3\xf5\x01\x02\x03\x04\x05\x06\x00\x03\x00\x00\x00\x07\x00\x00\x00\x03abc";
    assert_eq!(packet[..6], expected[..6]);
    assert_eq!(packet[8..], expected[8..]);
    let parsed = parse(&packet).unwrap();
    assert_eq!((parsed.tsi, parsed.port), (IDENTITY.tsi, IDENTITY.port));
    let whole = Data {
        sequence: Sequence(7),
        trail: Sequence(3),
        fragment: None,
        marks: Marks::default(),
        payload: b"abc",
    };
    assert_eq!(parsed.body, Body::Data(whole));
    let mut repair = packet;
    turn_into_repair(Sequence(5), &mut repair);
    assert_eq!(repair[4], 5);
    assert_eq!(parse(&repair).unwrap().body, Body::Data(Data { trail: Sequence(5), ..whole }));
}

#[test]
fn what_is_written_can_be_read() {
    for (path, group) in [(v4(1), v4(2)), (v6(1), v6(2))] {
        for fin in [false, true] {
            let marks = Marks { fin, rst: false };
            let message = Spm { sequence: Sequence(9), trail: Sequence(3), lead: Sequence(2), path, marks };
            let packet = spm(IDENTITY, &message);
            let size = 16 + 12 + 4 + if path.is_ipv4() { 4 } else { 16 } + if fin { 8 } else { 0 };
            assert_eq!(packet.len(), size);
            let parsed = parse(&packet).unwrap();
            assert_eq!((parsed.tsi, parsed.body), (IDENTITY.tsi, Body::Spm(message)));
        }
        for count in [1, 2, 63] {
            let sequences: Vec<_> = (0..count).map(|number| Sequence(number * 3)).collect();
            for confirms in [false, true] {
                let packet = nak(IDENTITY, confirms, &sequences, path, group).unwrap();
                let parsed = parse(&packet).unwrap();
                assert_eq!((parsed.tsi, parsed.port), (IDENTITY.tsi, IDENTITY.port));
                let named = match (confirms, parsed.body) {
                    (false, Body::Nak(nak)) | (true, Body::Ncf(nak)) => nak,
                    (_, other) => panic!("{other:?}"),
                };
                assert_eq!((named.source, named.group), (path, group));
                assert!(named.sequences().eq(sequences.iter().copied()));
            }
        }
    }
    let request = spmr(IDENTITY);
    assert_eq!(request[..6], *b"\x56\x78\x12\x34\x0c\x00", "the ports are the other way round");
    assert_eq!(parse(&request).unwrap(), Packet { tsi: IDENTITY.tsi, port: IDENTITY.port, body: Body::Spmr });
    assert!(nak(IDENTITY, false, &[], v4(1), v4(2)).is_none());
    let many = [Sequence(1); 100];
    let packet = nak(IDENTITY, false, &many, v4(1), v4(2)).unwrap();
    let Body::Nak(named) = parse(&packet).unwrap().body else { panic!("not a NAK") };
    assert_eq!(named.sequences().count(), MAX_NAMED);
}

#[test]
fn a_wrong_checksum_or_none_is_noticed() {
    for at in 0..27 {
        let mut packet = data(b"abc");
        packet[at] ^= 1;
        assert!(parse(&packet).is_none(), "byte {at}");
    }
    let mut without = data(b"abc");
    without[6..8].fill(0);
    assert!(parse(&without).is_none(), "data must have one");
    let mut request = spmr(IDENTITY);
    request[6..8].fill(0);
    assert!(parse(&request).is_some(), "others needn't");
}

#[test]
fn truncated_packets_are_refused_at_each_length() {
    let sequences: Vec<_> = (0..5).map(Sequence).collect();
    let end = Marks { fin: true, rst: false };
    let message =
        Spm { sequence: Sequence(9), trail: Sequence(3), lead: Sequence(2), path: v6(1), marks: end };
    let packets = [
        data(b"abc"),
        data_with(b"\0\x04\0\x14\x81\x10\0\0\0\0\0\x07\0\0\0\0\0\0\0\x09", b"abc"),
        nak(IDENTITY, false, &sequences, v4(1), v4(2)).unwrap(),
        spm(IDENTITY, &message),
    ];
    for packet in packets {
        assert!(parse(&packet).is_some());
        for len in 8..packet.len() {
            assert!(parse(&sealed(packet[..len].to_vec())).is_none(), "{len} of {packet:?}");
        }
        for len in 0..8 {
            assert!(parse(&packet[..len]).is_none());
        }
    }
}

#[test]
fn options_are_read_or_gone_past() {
    let fragment = |bytes: &[u8]| match parse(bytes).map(|packet| packet.body) {
        Some(Body::Data(data)) => Ok(data.fragment),
        Some(other) => panic!("{other:?}"),
        None => Err(()),
    };
    let part = b"\x81\x10\0\0\0\0\0\x07\0\0\0\0\0\0\0\x09";
    let expected = Fragment { first: Sequence(7), offset: 0, total: 9 };
    assert_eq!(fragment(&data_with(&[b"\0\x04\0\x14", &part[..]].concat(), b"abc")), Ok(Some(expected)));
    // One that isn't known, and OPT_JOIN, before it.
    let before = b"\0\x04\0\x20\x33\x04\0\0\x03\x08\0\0\0\0\0\x01";
    assert_eq!(fragment(&data_with(&[before, &part[..]].concat(), b"abc")), Ok(Some(expected)));
    // The whole of a unit isn't a part of one.
    let whole = b"\0\x04\0\x14\x81\x10\0\0\0\0\0\x07\0\0\0\0\0\0\0\x03";
    assert_eq!(fragment(&data_with(whole, b"abc")), Ok(None));
    for wrong in [
        // No OPT_LENGTH; a wrong one; more than there is; less than itself.
        &b"\x81\x10\0\0\0\0\0\x07\0\0\0\0\0\0\0\x09"[..],
        b"\0\x05\0\x14\x81\x10\0\0\0\0\0\x07\0\0\0\0\0\0\0\x09",
        b"\0\x04\xff\x14\x81\x10\0\0\0\0\0\x07\0\0\0\0\0\0\0\x09",
        b"\0\x04\0\x02\x81\x10\0\0\0\0\0\x07\0\0\0\0\0\0\0\x09",
        // An option of no length, of too short a one, of too long a one; none that is the last; bytes behind the last.
        b"\0\x04\0\x08\xb3\0\0\0",
        b"\0\x04\0\x08\xb3\x03\0\0",
        b"\0\x04\0\x08\xb3\x05\0\0",
        b"\0\x04\0\x08\x33\x04\0\0",
        b"\0\x04\0\x0c\xb3\x04\0\0\xb3\x04\0\0",
        // A fragment of another size; parts that can't be.
        b"\0\x04\0\x10\x81\x0c\0\0\0\0\0\x07\0\0\0\0",
        b"\0\x04\0\x14\x81\x10\0\0\0\0\0\x08\0\0\0\0\0\0\0\x09",
        b"\0\x04\0\x14\x81\x10\0\0\0\0\0\x07\0\0\0\x01\0\0\0\x09",
        b"\0\x04\0\x14\x81\x10\0\0\0\0\0\x06\0\0\0\x07\0\0\0\x09",
        b"\0\x04\0\x14\x81\x10\0\0\0\0\0\x06\xff\xff\xff\xff\0\0\0\x09",
    ] {
        assert_eq!(fragment(&data_with(wrong, b"abc")), Err(()), "{wrong:?}");
    }
    let many = [&b"\0\x04\0\x48"[..], &b"\x33\x04\0\0".repeat(16), b"\xb3\x04\0\0"].concat();
    assert_eq!(fragment(&data_with(&many, b"abc")), Err(()), "more than sixteen");
}

#[test]
fn what_cannot_be_true_is_refused() {
    let message = Spm {
        sequence: Sequence(0),
        trail: Sequence(3),
        lead: Sequence(2),
        path: v4(1),
        marks: Marks::default(),
    };
    assert!(parse(&spm(IDENTITY, &message)).is_some(), "an empty window");
    let beyond = Spm { trail: Sequence(4), ..message };
    assert!(parse(&spm(IDENTITY, &beyond)).is_none());
    for path in [Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(239, 0, 0, 1)] {
        assert!(parse(&spm(IDENTITY, &Spm { path: path.into(), ..message })).is_none(), "{path}");
    }
    let mut packet = data(b"abc");
    packet[23] = 8;
    assert!(parse(&sealed(packet)).is_none(), "a packet before the trail");
    for (at, value) in [(5, PARITY), (4, 0x44), (4, 0x01), (4, 0x0d), (15, 2), (15, 4)] {
        let mut packet = data(b"abc");
        packet[at] = value;
        assert!(parse(&sealed(packet)).is_none(), "{at}: {value}");
    }
}
