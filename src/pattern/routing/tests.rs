use crate::dice::Dice;
use crate::message::Kind;
use crate::options::SocketType;
use crate::pattern::testing::{Parts, Peer, Socket};

/// Sends numbered messages of one to three parts, a part at a time.
#[derive(Default)]
struct Sequence {
    message: usize,
    part: usize,
    parts: usize,
}

impl Sequence {
    fn next(&mut self, dice: &mut Dice) -> (String, bool) {
        if self.part == self.parts {
            *self = Self { message: self.message + 1, part: 0, parts: 1 + dice.below(3) };
        }
        self.part += 1;
        (format!("{} {}/{}", self.message, self.part, self.parts), self.part < self.parts)
    }

    fn at_start(&self) -> bool {
        self.part == self.parts
    }
}

/// The message's number, after checking that it is whole.
fn number(parts: &Parts) -> usize {
    let number = parts[0].split(' ').next().unwrap();
    for (index, part) in parts.iter().enumerate() {
        assert_eq!(*part, format!("{number} {}/{}", index + 1, parts.len()));
    }
    number.parse().unwrap()
}

/// A peer and what it has received, or was to receive.
struct Subscriber {
    peer: Peer,
    last: usize,
    received: usize,
    expected: usize,
}

#[test]
fn fan_out_is_whole_and_in_order_whoever_comes_and_goes() {
    for hwm in [0, 3] {
        let mut dice = Dice(1);
        let mut xpub = Socket::new(SocketType::XPub);
        xpub.options.sndhwm = hwm;
        let mut subscribers: Vec<Subscriber> = Vec::new();
        let mut sequence = Sequence::default();
        for _ in 0..20_000 {
            if dice.one_in(40) && subscribers.len() < 8 {
                let mut peer = xpub.peer();
                peer.send_kind(&mut xpub, Kind::Subscribe, "");
                subscribers.push(Subscriber { peer, last: 0, received: 0, expected: 0 });
            }
            if dice.one_in(60) && !subscribers.is_empty() {
                let gone = subscribers.swap_remove(dice.below(subscribers.len()));
                gone.peer.close(&mut xpub);
            }
            let first = sequence.at_start();
            let (body, more) = sequence.next(&mut dice);
            xpub.send_part(body.as_bytes(), more).unwrap();
            for subscriber in &mut subscribers {
                subscriber.expected += usize::from(first);
                if more || dice.one_in(3) {
                    continue;
                }
                while let Some(parts) = subscriber.peer.recv(&mut xpub) {
                    let number = number(&parts);
                    assert!(number > subscriber.last);
                    subscriber.last = number;
                    subscriber.received += 1;
                }
                // Without a mark nothing is missed. (The first message had begun when it came, maybe.)
                assert!(hwm > 0 || subscriber.received == subscriber.expected);
            }
        }
        assert!(sequence.message > 5_000);
    }
}

#[test]
fn load_balancing_keeps_messages_whole_and_loses_none_while_peers_stay() {
    let mut dice = Dice(2);
    let mut push = Socket::new(SocketType::Push);
    push.options.sndhwm = 3;
    let mut peers: Vec<Peer> = Vec::new();
    let mut sequence = Sequence::default();
    let (mut sent, mut received, mut lost) = (0, 0, 0);
    for _ in 0..20_000 {
        if peers.len() < 2 || (dice.one_in(40) && peers.len() < 6) {
            peers.push(push.peer());
        }
        if push.has_out() {
            let (body, more) = sequence.next(&mut dice);
            // A message whose peer has gone is dropped, one part after the other.
            push.send_part(body.as_bytes(), more).unwrap();
            sent += usize::from(!more);
        }
        let chosen = dice.below(peers.len());
        while let Some(parts) = peers[chosen].recv(&mut push) {
            number(&parts);
            received += 1;
        }
        if dice.one_in(60) && sequence.at_start() {
            let mut gone = peers.swap_remove(chosen);
            while gone.recv(&mut push).is_some() {
                received += 1;
            }
            gone.close(&mut push);
        } else if dice.one_in(60) {
            // It may take a message along that is half sent.
            lost += usize::from(!sequence.at_start());
            peers.swap_remove(chosen).close(&mut push);
        }
    }
    for peer in &mut peers {
        while let Some(parts) = peer.recv(&mut push) {
            number(&parts);
            received += 1;
        }
    }
    assert!(sent > 5_000 && received <= sent && sent - received <= lost, "{sent} {received} {lost}");
}

#[test]
fn fair_queueing_keeps_messages_whole_and_in_the_order_of_each_peer() {
    let mut dice = Dice(3);
    let mut pull = Socket::new(SocketType::Pull);
    let mut peers: Vec<(Peer, usize)> = Vec::new();
    let (mut sent, mut received) = (0, Parts::new());
    let mut got = 0;
    for _ in 0..20_000 {
        if peers.len() < 2 || (dice.one_in(40) && peers.len() < 6) {
            peers.push((pull.peer(), 0));
        }
        let chosen = dice.below(peers.len());
        if dice.one_in(50) {
            // What it has sent is still to be received.
            peers.swap_remove(chosen).0.close(&mut pull);
        } else if dice.one_in(2) {
            sent += 1;
            let parts = 1 + dice.below(3);
            let bodies: Vec<_> = (1..=parts).map(|part| format!("{sent} {part}/{parts}")).collect();
            peers[chosen].0.send(&mut pull, &bodies.iter().map(String::as_str).collect::<Vec<_>>());
        }
        if let Ok(part) = pull.recv_part() {
            received.push(String::from_utf8_lossy(part.data()).into_owned());
            if !part.more() {
                number(&std::mem::take(&mut received));
                got += 1;
            }
        }
    }
    while pull.recv_part().is_ok_and(|part| {
        part.more() || {
            got += 1;
            true
        }
    }) {}
    assert!(sent > 5_000);
    assert_eq!(got, sent);
}
