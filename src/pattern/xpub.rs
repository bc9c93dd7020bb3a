//! XPUB: a publisher that sees its subscriptions (RFC 29).
//!
//! A subscriber sends its subscriptions as messages of [`Kind::Subscribe`] and [`Kind::Cancel`], or, if it is older
//! than ZMTP 3.1, as data that begins with a byte 1 or 0. The program always receives the latter form.

use std::collections::VecDeque;

use super::routing::Distribution;
use super::subscriptions::{Removed, Subscriptions, subscription};
use super::{Attachment, Env, Pattern, SUBSCRIBE, UNSUBSCRIBE};
use crate::error::{Error, Result};
use crate::message::{Kind, Message};
use crate::pipe::PipeId;

/// The XPUB pattern, and most of PUB.
#[derive(Default)]
pub struct XPub {
    subscriptions: Subscriptions<PipeId>,
    /// What subscribers have asked for in manual mode, where `subscriptions` has what the program has granted.
    requests: Subscriptions<PipeId>,
    outbound: Distribution,
    pending: VecDeque<Pending>,
    /// Manual mode: whose request was received last.
    requester: Option<PipeId>,
    /// Nobody ever receives here (PUB).
    mute: bool,
}

/// What the program receives next.
struct Pending {
    message: Message,
    /// Manual mode: it is a request, and came from this pipe if that is still there.
    request_from: Option<Option<PipeId>>,
}

impl XPub {
    /// For a socket that only sends.
    pub fn mute() -> Self {
        Self { mute: true, ..Self::default() }
    }

    /// Carries a subscription or cancellation out; true if the program is to hear of it.
    fn apply(&mut self, env: &mut Env, pipe: PipeId, subscribe: bool, topic: &[u8]) -> bool {
        if env.options.xpub_manual {
            if subscribe {
                self.requests.add(topic, pipe);
            } else {
                self.requests.remove(topic, pipe);
            }
            true
        } else if subscribe {
            self.subscriptions.add(topic, pipe) || env.options.xpub_verbose
        } else {
            // A cancellation of what was never subscribed to is passed on, as upstream does.
            self.subscriptions.remove(topic, pipe) != Removed::Remaining || env.options.xpub_verboser
        }
    }

    /// Reads all that a subscriber has sent.
    fn read_all(&mut self, env: &mut Env, pipe: PipeId) {
        let mut message = Message::new();
        let (mut first, mut may_subscribe) = (true, true);
        while env.pipes.read(pipe, &mut message) {
            let change = if first || may_subscribe { subscription(&message) } else { None };
            let notify = change.map(|(subscribe, topic)| self.apply(env, pipe, subscribe, topic));
            if first {
                may_subscribe = !env.options.only_first_subscribe || change.is_some();
            }
            first = !message.more();
            if self.mute || notify == Some(false) {
                continue;
            }
            let mut request_from = None;
            if let Some((subscribe, topic)) = change {
                if message.kind() != Kind::Data {
                    let metadata = message.metadata().cloned();
                    let Ok(plain) = notification(subscribe, topic) else { continue };
                    message = plain;
                    message.set_metadata(metadata);
                }
                message.set_more(false);
                request_from = env.options.xpub_manual.then_some(Some(pipe));
            }
            self.pending.push_back(Pending { message: std::mem::take(&mut message), request_from });
        }
    }

    /// Marks whom a message with this topic goes to.
    fn select(&mut self, env: &Env, topic: &[u8]) {
        let Self { subscriptions, outbound, .. } = self;
        outbound.clear_marks();
        match self.requester {
            Some(pipe) if env.options.xpub_manual && env.options.xpub_manual_last_value => {
                subscriptions.matches(topic, |pipes| {
                    if pipes.binary_search(&pipe).is_ok() {
                        outbound.mark(pipe);
                    }
                });
            }
            _ => subscriptions.matches(topic, |pipes| {
                for &pipe in pipes {
                    outbound.mark(pipe);
                }
            }),
        }
        if env.options.invert_matching {
            outbound.invert_marks();
        }
    }
}

/// A subscription or cancellation as the program receives it.
fn notification(subscribe: bool, topic: &[u8]) -> Result<Message> {
    let mut message = Message::with_size(topic.len() + 1)?;
    let data = message.data_mut();
    data[0] = u8::from(subscribe);
    data[1..].copy_from_slice(topic);
    Ok(message)
}

impl Pattern for XPub {
    fn attached(&mut self, env: &mut Env, pipe: PipeId, attachment: Attachment) {
        self.outbound.attach(pipe);
        if attachment.subscribe_to_all {
            self.subscriptions.add(b"", pipe);
        }
        if !env.options.xpub_welcome_msg.is_empty()
            && let Ok(mut welcome) = Message::from_slice(&env.options.xpub_welcome_msg)
            && env.pipes.write(pipe, &mut welcome)
        {
            env.pipes.flush(pipe);
        }
        self.read_all(env, pipe);
    }

    fn send(&mut self, env: &mut Env, message: &mut Message) -> Result<()> {
        let first = !self.outbound.is_mid_message();
        if first {
            self.select(env, message.data());
        }
        if env.options.xpub_nodrop && !self.outbound.has_room(env.pipes) {
            return Err(Error::Again);
        }
        if first && env.options.xpub_manual_last_value {
            self.requester = None;
        }
        self.outbound.send_to_marked(env.pipes, message);
        Ok(())
    }

    fn recv(&mut self, _env: &mut Env, out: &mut Message) -> Result<()> {
        let pending = self.pending.pop_front().ok_or(Error::Again)?;
        if let Some(pipe) = pending.request_from {
            self.requester = pipe.filter(|&pipe| self.outbound.contains(pipe));
        }
        *out = pending.message;
        Ok(())
    }

    fn has_in(&mut self, _env: &mut Env) -> bool {
        !self.pending.is_empty()
    }

    fn has_out(&mut self, _env: &mut Env) -> bool {
        true
    }

    fn read_activated(&mut self, env: &mut Env, pipe: PipeId) {
        self.read_all(env, pipe);
    }

    fn write_activated(&mut self, _env: &mut Env, pipe: PipeId) {
        self.outbound.activated(pipe);
    }

    fn terminated(&mut self, env: &mut Env, pipe: PipeId) {
        self.outbound.terminated(pipe);
        let manual = env.options.xpub_manual;
        let each = manual || env.options.xpub_verboser;
        let Self { subscriptions, requests, pending, mute, .. } = self;
        // What was granted goes too, and what was asked for before the mode was changed.
        let (told, untold) = if manual { (requests, subscriptions) } else { (subscriptions, requests) };
        untold.remove_pipe(pipe, |_, _| {});
        told.remove_pipe(pipe, |topic, last| {
            if !*mute
                && (each || last)
                && let Ok(message) = notification(false, topic)
            {
                pending.push_back(Pending { message, request_from: manual.then_some(None) });
            }
        });
        if self.requester == Some(pipe) {
            self.requester = None;
        }
    }

    fn set_option(&mut self, env: &mut Env, id: i32, value: &[u8]) -> Result<()> {
        if !env.options.xpub_manual || !matches!(id, SUBSCRIBE | UNSUBSCRIBE) {
            return Err(Error::Invalid);
        }
        if let Some(pipe) = self.requester {
            if id == SUBSCRIBE {
                self.subscriptions.add(value, pipe);
            } else {
                self.subscriptions.remove(value, pipe);
            }
        }
        Ok(())
    }

    fn topics_count(&self) -> Result<i32> {
        Ok(i32::try_from(self.subscriptions.len()).unwrap_or(i32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SocketType;
    use crate::pattern::testing::{Peer, Socket, part};

    fn xpub() -> Socket {
        Socket::new(SocketType::XPub)
    }

    fn subscribe(xpub: &mut Socket, peer: &mut Peer, topic: &str) {
        peer.send_kind(xpub, Kind::Subscribe, topic);
    }

    fn cancel(xpub: &mut Socket, peer: &mut Peer, topic: &str) {
        peer.send_kind(xpub, Kind::Cancel, topic);
    }

    /// What the program receives: subscriptions as `+topic`, cancellations as `-topic`.
    fn notes(xpub: &mut Socket) -> Vec<String> {
        std::iter::from_fn(|| xpub.recv_part().ok())
            .map(|message| match message.data() {
                [1, topic @ ..] => format!("+{}", String::from_utf8_lossy(topic)),
                [0, topic @ ..] => format!("-{}", String::from_utf8_lossy(topic)),
                other => String::from_utf8_lossy(other).into_owned(),
            })
            .collect()
    }

    #[test]
    fn messages_go_to_those_who_subscribed() {
        let mut xpub = xpub();
        let (mut a, mut b) = (xpub.peer(), xpub.peer());
        xpub.send(&["a"]).unwrap();
        subscribe(&mut xpub, &mut a, "a");
        subscribe(&mut xpub, &mut a, "ab");
        subscribe(&mut xpub, &mut b, "");
        xpub.send(&["abc", "body"]).unwrap();
        xpub.send(&["x"]).unwrap();
        assert_eq!(a.recv(&mut xpub).unwrap(), ["abc", "body"]);
        assert_eq!(a.recv(&mut xpub), None);
        assert_eq!(b.recv(&mut xpub).unwrap(), ["abc", "body"]);
        assert_eq!(b.recv(&mut xpub).unwrap(), ["x"]);
        assert!(xpub.has_out());
    }

    #[test]
    fn long_messages_are_shared() {
        let mut xpub = xpub();
        let mut peers = [xpub.peer(), xpub.peer(), xpub.peer()];
        for peer in &mut peers {
            subscribe(&mut xpub, peer, "");
        }
        xpub.send_part(&[7; 1000], false).unwrap();
        let received = peers.each_mut().map(|peer| peer.recv_part(&mut xpub).unwrap());
        assert!(received.iter().all(|message| message.data() == [7; 1000]));
        assert_eq!(received[0].data().as_ptr(), received[2].data().as_ptr());
    }

    #[test]
    fn first_subscriptions_and_last_cancellations_are_received() {
        let mut xpub = xpub();
        let (mut a, mut b) = (xpub.peer(), xpub.peer());
        subscribe(&mut xpub, &mut a, "x");
        subscribe(&mut xpub, &mut b, "x");
        assert!(xpub.has_in());
        assert_eq!(notes(&mut xpub), ["+x"]);
        assert_eq!(xpub.pattern.topics_count(), Ok(1));
        cancel(&mut xpub, &mut a, "x");
        assert_eq!(notes(&mut xpub), [""; 0]);
        cancel(&mut xpub, &mut b, "x");
        assert_eq!(notes(&mut xpub), ["-x"]);
        assert!(!xpub.has_in());
    }

    #[test]
    fn older_peers_subscribe_with_data() {
        let mut xpub = xpub();
        let mut a = xpub.peer();
        a.send(&mut xpub, &["\u{1}x"]);
        a.send(&mut xpub, &["\u{0}x"]);
        assert_eq!(notes(&mut xpub), ["+x", "-x"]);
    }

    #[test]
    fn verbose_shows_repeated_subscriptions_and_verboser_cancellations_too() {
        for (verboser, expected) in [(false, &["+x", "+x", "-x"][..]), (true, &["+x", "+x", "-x", "-x"])] {
            let mut xpub = xpub();
            xpub.options.xpub_verbose = true;
            xpub.options.xpub_verboser = verboser;
            let (mut a, mut b) = (xpub.peer(), xpub.peer());
            subscribe(&mut xpub, &mut a, "x");
            subscribe(&mut xpub, &mut b, "x");
            cancel(&mut xpub, &mut a, "x");
            b.close(&mut xpub);
            assert_eq!(notes(&mut xpub), expected);
        }
    }

    #[test]
    fn a_subscriber_that_goes_takes_its_subscriptions_along() {
        let mut xpub = xpub();
        let (mut a, mut b) = (xpub.peer(), xpub.peer());
        for topic in ["x", "y"] {
            subscribe(&mut xpub, &mut a, topic);
        }
        subscribe(&mut xpub, &mut b, "y");
        notes(&mut xpub);
        a.close(&mut xpub);
        assert_eq!(notes(&mut xpub), ["-x"]);
        assert_eq!(xpub.pattern.topics_count(), Ok(1));
    }

    #[test]
    fn messages_from_subscribers_are_received() {
        let mut xpub = xpub();
        let mut a = xpub.peer();
        a.send(&mut xpub, &["hello", "there"]);
        assert_eq!(xpub.recv().unwrap(), ["hello", "there"]);
        // By default any part may be a subscription.
        a.send(&mut xpub, &["hello", "\u{1}x"]);
        assert_eq!(notes(&mut xpub), ["hello", "+x"]);
        xpub.options.only_first_subscribe = true;
        a.send(&mut xpub, &["hello", "\u{1}y"]);
        assert_eq!(xpub.recv().unwrap(), ["hello", "\u{1}y"]);
        assert_eq!(xpub.pattern.topics_count(), Ok(1));
        a.send(&mut xpub, &["\u{1}y", "\u{1}z"]);
        assert_eq!(notes(&mut xpub), ["+y", "+z"]);
    }

    #[test]
    fn in_manual_mode_the_program_decides() {
        let mut xpub = xpub();
        xpub.options.xpub_manual = true;
        let (mut a, mut b) = (xpub.peer(), xpub.peer());
        subscribe(&mut xpub, &mut a, "a");
        subscribe(&mut xpub, &mut b, "a");
        xpub.set(SUBSCRIBE, b"nobody asked yet").unwrap();
        assert_eq!(xpub.recv().unwrap(), ["\u{1}a"]);
        xpub.set(SUBSCRIBE, b"granted").unwrap();
        xpub.send(&["a"]).unwrap();
        xpub.send(&["granted"]).unwrap();
        assert_eq!(a.recv_all(&mut xpub), ["granted"]);
        assert_eq!(b.recv_all(&mut xpub), [""; 0]);
        xpub.set(UNSUBSCRIBE, b"granted").unwrap();
        xpub.send(&["granted"]).unwrap();
        assert_eq!(a.recv_all(&mut xpub), [""; 0]);
        assert_eq!(notes(&mut xpub), ["+a"]);
        xpub.options.xpub_manual = false;
        assert_eq!(xpub.set(SUBSCRIBE, b"x"), Err(Error::Invalid));
    }

    #[test]
    fn in_manual_mode_each_subscriber_that_goes_cancels_what_it_asked_for() {
        let mut xpub = xpub();
        xpub.options.xpub_manual = true;
        let (mut a, mut b) = (xpub.peer(), xpub.peer());
        subscribe(&mut xpub, &mut a, "x");
        subscribe(&mut xpub, &mut b, "x");
        assert_eq!(xpub.recv().unwrap(), ["\u{1}x"]);
        xpub.set(SUBSCRIBE, b"y").unwrap();
        a.close(&mut xpub);
        assert_eq!(xpub.pattern.topics_count(), Ok(0));
        assert_eq!(notes(&mut xpub), ["+x", "-x"]);
        // The last one received came from a pipe that has gone.
        xpub.set(SUBSCRIBE, b"y").unwrap();
        assert_eq!(xpub.pattern.topics_count(), Ok(0));
    }

    #[test]
    fn the_last_value_goes_to_the_latest_subscriber() {
        let mut xpub = xpub();
        xpub.options.xpub_manual = true;
        xpub.options.xpub_manual_last_value = true;
        let (mut a, mut b) = (xpub.peer(), xpub.peer());
        for peer in [&mut a, &mut b] {
            subscribe(&mut xpub, peer, "x");
            assert_eq!(xpub.recv().unwrap(), ["\u{1}x"]);
            xpub.set(SUBSCRIBE, b"x").unwrap();
        }
        xpub.send(&["x1"]).unwrap();
        xpub.send(&["x2"]).unwrap();
        assert_eq!(a.recv_all(&mut xpub), ["x2"]);
        assert_eq!(b.recv_all(&mut xpub), ["x1", "x2"]);
    }

    #[test]
    fn a_full_subscriber_misses_messages_or_holds_up_all() {
        let mut xpub = xpub();
        xpub.options.sndhwm = 2;
        let (mut a, mut b) = (xpub.peer(), xpub.peer());
        for peer in [&mut a, &mut b] {
            subscribe(&mut xpub, peer, "");
        }
        for body in ["1", "2"] {
            xpub.send(&[body]).unwrap();
        }
        assert_eq!(b.recv_all(&mut xpub), ["1", "2"]);
        xpub.send(&["3"]).unwrap();
        assert_eq!(b.recv_all(&mut xpub), ["3"]);
        xpub.options.xpub_nodrop = true;
        xpub.send(&["4", "to b only"]).unwrap();
        assert_eq!(a.recv_all(&mut xpub), ["1", "2"]);
        assert_eq!(b.recv_all(&mut xpub), ["4to b only"]);
        xpub.send(&["5", "more"]).unwrap();
        xpub.send(&["6"]).unwrap();
        assert_eq!(xpub.send(&["7"]), Err(Error::Again));
        assert_eq!(b.recv_all(&mut xpub), ["5more", "6"]);
        assert_eq!(a.recv_all(&mut xpub), ["5more", "6"]);
        xpub.send(&["7"]).unwrap();
        assert_eq!(a.recv_all(&mut xpub), ["7"]);
    }

    #[test]
    fn a_subscriber_never_gets_the_rest_of_a_message_alone() {
        let mut xpub = xpub();
        let mut a = xpub.peer();
        subscribe(&mut xpub, &mut a, "");
        xpub.send_part(b"1", true).unwrap();
        let mut b = xpub.peer();
        subscribe(&mut xpub, &mut b, "");
        xpub.send_part(b"2", false).unwrap();
        xpub.send(&["3"]).unwrap();
        assert_eq!(a.recv_all(&mut xpub), ["12", "3"]);
        assert_eq!(b.recv_all(&mut xpub), ["3"]);
    }

    #[test]
    fn inverted_messages_go_to_those_who_did_not_subscribe() {
        let mut xpub = xpub();
        xpub.options.invert_matching = true;
        let (mut a, mut b, mut c) = (xpub.peer(), xpub.peer(), xpub.peer());
        subscribe(&mut xpub, &mut b, "x");
        xpub.send(&["x"]).unwrap();
        assert_eq!(a.recv_all(&mut xpub), ["x"]);
        assert_eq!(b.recv_all(&mut xpub), [""; 0]);
        assert_eq!(c.recv_all(&mut xpub), ["x"]);
    }

    #[test]
    fn newcomers_are_welcomed_and_may_get_everything() {
        let mut xpub = xpub();
        xpub.options.xpub_welcome_msg = b"welcome".to_vec();
        let mut a = xpub.peer_with(Attachment { subscribe_to_all: true, locally_initiated: false }, |_| {});
        assert_eq!(a.recv_all(&mut xpub), ["welcome"]);
        xpub.send(&["x"]).unwrap();
        assert_eq!(a.recv_all(&mut xpub), ["x"]);
    }

    #[test]
    fn subscriptions_that_came_before_the_pipe_was_attached_count() {
        let mut xpub = xpub();
        let mut a = xpub.peer_with(Attachment { subscribe_to_all: false, locally_initiated: false }, |end| {
            end.outbound.push(part(b"\x01x", false));
            let _ = end.outbound.flush();
        });
        xpub.send(&["x"]).unwrap();
        assert_eq!(a.recv_all(&mut xpub), ["x"]);
        assert_eq!(notes(&mut xpub), ["+x"]);
    }
}
