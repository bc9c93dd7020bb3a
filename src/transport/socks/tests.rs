use super::*;

const USER: &[u8] = b"user";
const PASSWORD: &[u8] = b"pass";
const TARGET: &str = "192.0.2.1:258";
const GREETING: &[u8] = &[5, 1, 0];
const REQUEST: &[u8] = &[5, 1, 0, 1, 192, 0, 2, 1, 1, 2];
const REPLY: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

fn exchange(username: &[u8]) -> Exchange {
    Exchange::new(TARGET, username, PASSWORD).unwrap()
}

/// Takes what the exchange says.
fn hear(exchange: &mut Exchange) -> Vec<u8> {
    let said = exchange.output().to_vec();
    exchange.advance(said.len());
    said
}

/// Tells it no more at a time than it wants. How much it took of `bytes`.
fn tell(exchange: &mut Exchange, bytes: &[u8]) -> Result<usize, Refusal> {
    let mut taken = 0;
    while exchange.wanted() > 0 && taken < bytes.len() {
        let len = exchange.wanted().min(bytes.len() - taken);
        exchange.receive(&bytes[taken..taken + len])?;
        taken += len;
    }
    Ok(taken)
}

/// An exchange that has come to await the reply to its request.
fn requested() -> Exchange {
    let mut exchange = exchange(b"");
    assert_eq!(hear(&mut exchange), GREETING);
    assert_eq!(tell(&mut exchange, &[5, 0]), Ok(2));
    assert_eq!(hear(&mut exchange), REQUEST);
    exchange
}

fn request_for(target: &str) -> Result<Vec<u8>> {
    let mut exchange = Exchange::new(target, b"", b"")?;
    hear(&mut exchange);
    tell(&mut exchange, &[5, 0]).unwrap();
    Ok(hear(&mut exchange))
}

#[test]
fn without_authentication() {
    let mut exchange = requested();
    assert!(!exchange.is_done());
    assert_eq!(tell(&mut exchange, REPLY), Ok(REPLY.len()));
    assert!(exchange.is_done());
    assert_eq!((exchange.output(), exchange.wanted()), (&[][..], 0));
}

#[test]
fn with_user_name_and_password() {
    let mut exchange = exchange(USER);
    assert_eq!(hear(&mut exchange), [5, 1, 2]);
    assert_eq!(tell(&mut exchange, &[5, 2]), Ok(2));
    assert_eq!(hear(&mut exchange), b"\x01\x04user\x04pass");
    assert_eq!(tell(&mut exchange, &[1, 0]), Ok(2));
    assert_eq!(hear(&mut exchange), REQUEST);
    assert_eq!(tell(&mut exchange, REPLY), Ok(REPLY.len()));
    assert!(exchange.is_done());
}

/// As upstream's library takes it.
#[test]
fn the_proxy_may_choose_what_was_not_offered() {
    let mut spared = exchange(USER);
    hear(&mut spared);
    tell(&mut spared, &[5, 0]).unwrap();
    assert_eq!(hear(&mut spared), REQUEST);

    let mut asked = Exchange::new(TARGET, b"", b"").unwrap();
    hear(&mut asked);
    tell(&mut asked, &[5, 2]).unwrap();
    assert_eq!(hear(&mut asked), [1, 0, 0]);
}

#[test]
fn byte_by_byte() {
    let name = [&[5, 0, 0, 3, 255][..], &[b'x'; 255], &[0, 80]].concat();
    let ipv6 = [&[5, 0, 0, 4][..], &[7; 18]].concat();
    for reply in [REPLY, &ipv6, &name, &[5, 0, 0, 3, 0, 0, 0]] {
        let mut exchange = exchange(USER);
        for answer in [&[5, 2][..], &[1, 0], reply] {
            while !exchange.output().is_empty() {
                assert_eq!(exchange.wanted(), 0, "first it speaks");
                exchange.advance(1);
            }
            assert!(!exchange.is_done());
            for byte in answer {
                assert_ne!(exchange.wanted(), 0);
                exchange.receive(&[*byte]).unwrap();
            }
        }
        assert!(exchange.is_done(), "{reply:?}");
    }
}

#[test]
fn what_follows_the_reply_is_left_alone() {
    let name = b"\x05\x00\x00\x03\x04host\x00\x50";
    for reply in [REPLY, &[5, 0, 0, 3, 0, 0, 0], name] {
        let mut exchange = requested();
        let with_more = [reply, &[0xff; 300]].concat();
        assert_eq!(tell(&mut exchange, &with_more), Ok(reply.len()));
        assert!(exchange.is_done());
    }
    // Nor is more taken from one who reads too much.
    let mut careless = requested();
    careless.receive(&[5; 600]).unwrap_err();
    let mut careless = requested();
    careless.receive(&[5, 0, 0, 1, 0, 9, 9, 9, 9, 9, 9, 9, 9]).unwrap();
    assert_eq!(careless.wanted(), 5);
    assert!(!careless.is_done());
}

#[test]
fn refusals() {
    let mut no_method = exchange(b"");
    hear(&mut no_method);
    assert_eq!(tell(&mut no_method, &[5, 255]), Err(Refusal::Method(255)));

    let mut gssapi = exchange(USER);
    hear(&mut gssapi);
    assert_eq!(tell(&mut gssapi, &[5, 1]), Err(Refusal::Method(1)));

    let mut wrong_password = exchange(USER);
    hear(&mut wrong_password);
    tell(&mut wrong_password, &[5, 2]).unwrap();
    hear(&mut wrong_password);
    assert_eq!(tell(&mut wrong_password, &[1, 7]), Err(Refusal::Credentials(7)));

    for code in 1..=LAST_REPLY {
        let mut exchange = requested();
        let mut reply = REPLY.to_vec();
        reply[1] = code;
        let (last, rest) = reply.split_last().unwrap();
        // It is heard to the end, so that the proxy can say it.
        assert_eq!(tell(&mut exchange, rest), Ok(rest.len()));
        assert_eq!(tell(&mut exchange, &[*last]), Err(Refusal::Request(code)));
    }
}

/// Nothing more is waited for.
#[test]
fn nonsense_is_seen_at_once() {
    let mut http = exchange(b"");
    hear(&mut http);
    assert_eq!(tell(&mut http, b"H"), Err(Refusal::Version(b'H')));

    let mut no_status = exchange(USER);
    hear(&mut no_status);
    tell(&mut no_status, &[5, 2]).unwrap();
    hear(&mut no_status);
    assert_eq!(tell(&mut no_status, &[5]), Err(Refusal::Version(5)));

    for (reply, refusal) in [
        (&[4][..], Refusal::Version(4)),
        (&[5, 9], Refusal::Request(9)),
        (&[5, 0, 1], Refusal::Malformed),
        (&[5, 0, 0, 0], Refusal::Malformed),
        (&[5, 0, 0, 2], Refusal::Malformed),
        (&[5, 0, 0, 5], Refusal::Malformed),
        (&[5, 0, 0, 255], Refusal::Malformed),
    ] {
        let mut exchange = requested();
        let (last, rest) = reply.split_last().unwrap();
        assert_eq!(tell(&mut exchange, rest), Ok(rest.len()), "{reply:?}");
        assert_eq!(tell(&mut exchange, &[*last]), Err(refusal), "{reply:?}");
    }
}

/// What the reference library was seen to send.
#[test]
fn targets() {
    let ipv6 =
        |tail: &[u8], port: [u8; 2]| [&[5, 1, 0, 4][..], &vec![0; 16 - tail.len()], tail, &port].concat();
    let name = |name: &[u8], port: [u8; 2]| [&[5, 1, 0, 3, name.len() as u8][..], name, &port].concat();
    for (target, request) in [
        ("127.1:5", vec![5, 1, 0, 1, 127, 0, 0, 1, 0, 5]),
        ("0x7f000001:5", vec![5, 1, 0, 1, 127, 0, 0, 1, 0, 5]),
        ("::1:5555", ipv6(&[1], [0x15, 0xb3])),
        ("[::1]:5555", ipv6(&[1], [0x15, 0xb3])),
        ("host.example:65541x", name(b"host.example", [0, 5])),
        ("[host]:5", name(b"host", [0, 5])),
    ] {
        assert_eq!(request_for(target).unwrap(), request, "{target}");
    }
    let local = request_for("[fe80::1%lo]:55").unwrap();
    assert_eq!((local[3], &local[4..6], local.len()), (IPV6, &[0xfe, 0x80][..], 22));
}

#[test]
fn what_cannot_be_said_is_refused_beforehand() {
    let long = "x".repeat(256);
    for target in ["", "host", ":5", "[]:5", "host:0", "host:", "host:x", &format!("{long}:5")] {
        assert_eq!(Exchange::new(target, b"", b"").unwrap_err(), Error::Invalid, "{target}");
    }
    assert!(Exchange::new(&format!("{}:5", &long[1..]), b"", b"").is_ok());
    let long = long.as_bytes();
    assert!(Exchange::new(TARGET, long, b"").is_err());
    assert!(Exchange::new(TARGET, USER, long).is_err());
    assert!(Exchange::new(TARGET, &long[1..], &long[1..]).is_ok());
}

#[test]
fn the_password_is_not_shown() {
    let shown = format!("{:?}", exchange(USER));
    assert!(shown.contains("Method") && !shown.contains("112"), "{shown}");
}
