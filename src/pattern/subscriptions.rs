//! Who subscribes to what: sets of prefixes, for the publisher's and for the subscriber's side.

use super::trie::{Trie, Value};
use crate::message::{Kind, Message};

/// What a part that a subscriber sends asks for, if anything: true to subscribe to the topic, false to cancel that.
pub fn subscription(message: &Message) -> Option<(bool, &[u8])> {
    match (message.kind(), message.data()) {
        (Kind::Subscribe, topic) => Some((true, topic)),
        (Kind::Cancel, topic) => Some((false, topic)),
        (_, [byte @ (0 | 1), topic @ ..]) => Some((*byte == 1, topic)),
        _ => None,
    }
}

/// The pipes that subscribe to one prefix. A pipe counts once, however often it subscribes.
#[derive(Default)]
enum PipeSet<P> {
    #[default]
    Empty,
    One(P),
    /// Sorted.
    Many(Vec<P>),
}

impl<P: Copy + Ord> PipeSet<P> {
    fn add(&mut self, pipe: P) {
        match self {
            Self::Empty => *self = Self::One(pipe),
            Self::One(present) if *present == pipe => {}
            Self::One(present) => *self = Self::Many(vec![pipe.min(*present), pipe.max(*present)]),
            Self::Many(pipes) => {
                if let Err(gap) = pipes.binary_search(&pipe) {
                    pipes.insert(gap, pipe);
                }
            }
        }
    }

    /// True if the pipe was in the set.
    fn remove(&mut self, pipe: P) -> bool {
        match self {
            Self::One(present) if *present == pipe => *self = Self::Empty,
            Self::Empty | Self::One(_) => return false,
            Self::Many(pipes) => {
                let Ok(at) = pipes.binary_search(&pipe) else { return false };
                pipes.remove(at);
                if let [last] = pipes[..] {
                    *self = Self::One(last);
                } else if pipes.len() < pipes.capacity() / 4 {
                    pipes.shrink_to(pipes.len() * 2);
                }
            }
        }
        true
    }

    #[inline]
    fn as_slice(&self) -> &[P] {
        match self {
            Self::Empty => &[],
            Self::One(pipe) => std::slice::from_ref(pipe),
            Self::Many(pipes) => pipes,
        }
    }
}

impl<P> Value for PipeSet<P> {
    #[inline]
    fn is_vacant(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl Value for u32 {
    #[inline]
    fn is_vacant(&self) -> bool {
        *self == 0
    }
}

/// What became of a prefix when a subscription to it was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// There was no such subscription.
    NotFound,
    /// It was the last one to that prefix.
    Last,
    /// Others to that prefix remain.
    Remaining,
}

/// Who subscribes to what: the publisher's side (PUB, XPUB).
pub struct Subscriptions<P> {
    trie: Trie<PipeSet<P>>,
}

impl<P> Default for Subscriptions<P> {
    fn default() -> Self {
        Self { trie: Trie::default() }
    }
}

impl<P: Copy + Ord> Subscriptions<P> {
    /// Number of distinct prefixes (`ZMQ_TOPICS_COUNT`).
    pub fn len(&self) -> usize {
        self.trie.len()
    }

    /// True if nobody subscribes to anything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Subscribes a pipe; true if it is the first one to subscribe to this prefix.
    pub fn add(&mut self, prefix: &[u8], pipe: P) -> bool {
        self.trie.set(prefix, |pipes| {
            let first = pipes.is_vacant();
            pipes.add(pipe);
            first
        })
    }

    /// Takes a subscription back.
    pub fn remove(&mut self, prefix: &[u8], pipe: P) -> Removed {
        let removed = self.trie.change(prefix, |pipes| match (pipes.remove(pipe), pipes.is_vacant()) {
            (false, _) => Removed::NotFound,
            (true, true) => Removed::Last,
            (true, false) => Removed::Remaining,
        });
        removed.unwrap_or(Removed::NotFound)
    }

    /// Takes back all of a pipe's subscriptions. `removed` hears of each, in ascending order, and whether
    /// it was the last one to that prefix.
    pub fn remove_pipe(&mut self, pipe: P, mut removed: impl FnMut(&[u8], bool)) {
        self.trie.for_each_mut(|prefix, pipes| {
            if pipes.remove(pipe) {
                removed(prefix, pipes.is_vacant());
            }
        });
    }

    /// Calls `found` with the pipes that a message with this topic goes to. A pipe that subscribes to several
    /// prefixes of the topic comes several times.
    #[inline]
    pub fn matches(&self, topic: &[u8], mut found: impl FnMut(&[P])) {
        self.trie.walk(topic, |pipes| {
            found(pipes.as_slice());
            true
        });
    }
}

/// What is subscribed to, and how often: the subscriber's side (SUB, XSUB).
#[derive(Default)]
pub struct CountedSubscriptions {
    trie: Trie<u32>,
}

impl CountedSubscriptions {
    /// Number of distinct prefixes (`ZMQ_TOPICS_COUNT`).
    pub fn len(&self) -> usize {
        self.trie.len()
    }

    /// True if there is no subscription.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Subscribes once more; true if it is the first time for this prefix.
    pub fn add(&mut self, prefix: &[u8]) -> bool {
        self.trie.set(prefix, |count| {
            *count = count.saturating_add(1);
            *count == 1
        })
    }

    /// Takes one subscription back.
    pub fn remove(&mut self, prefix: &[u8]) -> Removed {
        let removed = self.trie.change(prefix, |count| {
            *count -= 1;
            if *count == 0 { Removed::Last } else { Removed::Remaining }
        });
        removed.unwrap_or(Removed::NotFound)
    }

    /// True if a message with this topic is wanted.
    #[inline]
    pub fn matches(&self, topic: &[u8]) -> bool {
        let mut wanted = false;
        self.trie.walk(topic, |_| {
            wanted = true;
            false
        });
        wanted
    }

    /// Calls `visit` with every prefix once, in ascending order.
    pub fn for_each(&self, mut visit: impl FnMut(&[u8])) {
        self.trie.for_each(|prefix, _| visit(prefix));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;
    use std::collections::{BTreeMap, BTreeSet};

    fn matching(subscriptions: &Subscriptions<u32>, topic: &[u8]) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        subscriptions.matches(topic, |pipes| found.extend(pipes));
        found
    }

    fn topic(dice: &mut Dice) -> Vec<u8> {
        let len = if dice.one_in(20) { 40 } else { dice.below(6) };
        (0..len).map(|_| b'a' + dice.below(3) as u8).collect()
    }

    #[test]
    fn empty_prefix_matches_everything() {
        let mut subscriptions = Subscriptions::default();
        assert!(matching(&subscriptions, b"").is_empty());
        assert!(subscriptions.add(b"", 1));
        assert!(!subscriptions.add(b"", 2));
        assert_eq!(matching(&subscriptions, b""), [1, 2].into());
        assert_eq!(matching(&subscriptions, b"topic"), [1, 2].into());
        assert_eq!(subscriptions.remove(b"", 1), Removed::Remaining);
        assert_eq!(subscriptions.remove(b"", 1), Removed::NotFound);
        assert_eq!(subscriptions.remove(b"", 2), Removed::Last);
        assert_eq!(subscriptions.remove(b"", 2), Removed::NotFound);
        assert!(matching(&subscriptions, b"topic").is_empty());
    }

    #[test]
    fn a_pipe_counts_once_for_a_prefix() {
        let mut subscriptions = Subscriptions::default();
        assert!(subscriptions.add(b"a", 1));
        assert!(!subscriptions.add(b"a", 1));
        assert_eq!(subscriptions.remove(b"a", 1), Removed::Last);
        assert!(subscriptions.is_empty());
    }

    #[test]
    fn prefixes_that_only_share_a_beginning_are_told_apart() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.add(b"weather.de", 1);
        subscriptions.add(b"weather.dk", 2);
        subscriptions.add(b"weather", 3);
        assert_eq!(matching(&subscriptions, b"weather.d"), [3].into());
        assert_eq!(matching(&subscriptions, b"weather.dk.1"), [2, 3].into());
        assert!(matching(&subscriptions, b"weathe").is_empty());
        assert_eq!(subscriptions.remove(b"weather.d", 1), Removed::NotFound);
        assert_eq!(subscriptions.remove(b"weather.de", 2), Removed::NotFound);
        assert_eq!(subscriptions.len(), 3);
    }

    #[test]
    fn removing_a_pipe_tells_each_prefix_in_order() {
        let mut subscriptions = Subscriptions::default();
        for prefix in ["b", "a", "", "abc", "ab"] {
            subscriptions.add(prefix.as_bytes(), 1);
        }
        subscriptions.add(b"ab", 2);
        let mut told = Vec::new();
        subscriptions.remove_pipe(1, |prefix, last| told.push((prefix.to_vec(), last)));
        let expected = [("", true), ("a", true), ("ab", false), ("abc", true), ("b", true)];
        assert_eq!(told, expected.map(|(prefix, last)| (prefix.as_bytes().to_vec(), last)));
        assert_eq!(subscriptions.len(), 1);
        assert_eq!(matching(&subscriptions, b"abc"), [2].into());
    }

    #[test]
    fn behaves_like_a_plain_map_of_sets() {
        let mut dice = Dice(7);
        let mut subscriptions = Subscriptions::default();
        let mut model: BTreeMap<Vec<u8>, BTreeSet<u32>> = BTreeMap::new();
        for round in 0..8_000 {
            let (prefix, pipe) = (topic(&mut dice), dice.below(4) as u32);
            match dice.below(if round % 2_000 < 1_000 { 5 } else { 3 }) {
                0 | 1 => {
                    let expected = match model.get_mut(&prefix) {
                        None => Removed::NotFound,
                        Some(pipes) => match (pipes.remove(&pipe), pipes.is_empty()) {
                            (false, _) => Removed::NotFound,
                            (true, true) => Removed::Last,
                            (true, false) => Removed::Remaining,
                        },
                    };
                    if expected == Removed::Last {
                        model.remove(&prefix);
                    }
                    assert_eq!(subscriptions.remove(&prefix, pipe), expected);
                }
                2 if dice.one_in(50) => {
                    let mut told = Vec::new();
                    subscriptions.remove_pipe(pipe, |prefix, last| told.push((prefix.to_vec(), last)));
                    let mut expected = Vec::new();
                    model.retain(|prefix, pipes| {
                        if pipes.remove(&pipe) {
                            expected.push((prefix.clone(), pipes.is_empty()));
                        }
                        !pipes.is_empty()
                    });
                    assert_eq!(told, expected);
                }
                _ => {
                    let pipes = model.entry(prefix.clone()).or_default();
                    assert_eq!(subscriptions.add(&prefix, pipe), pipes.is_empty());
                    pipes.insert(pipe);
                }
            }
            assert_eq!(subscriptions.len(), model.len());
            let topic = topic(&mut dice);
            let expected =
                model.iter().filter(|(prefix, _)| topic.starts_with(prefix)).flat_map(|(_, pipes)| pipes);
            assert_eq!(matching(&subscriptions, &topic), expected.copied().collect());
            let trie = &subscriptions.trie;
            assert!(trie.nodes() <= 2 * trie.len() + 1);
        }
    }

    #[test]
    fn topics_chosen_to_be_deep_cost_no_stack() {
        let mut subscriptions = Subscriptions::default();
        let topic = vec![b'x'; 4_000];
        for len in 0..topic.len() {
            subscriptions.add(&topic[..len], 1);
        }
        let mut told = 0;
        subscriptions.remove_pipe(1, |_, _| told += 1);
        assert_eq!(told, topic.len());
        assert!(subscriptions.is_empty());
    }

    #[test]
    fn memory_is_small_and_comes_back() {
        let mut subscriptions = Subscriptions::default();
        let topics: Vec<_> = (0..100_000).map(|i| format!("market.quotes.{i:08}")).collect();
        for topic in &topics {
            subscriptions.add(topic.as_bytes(), 1);
        }
        let bytes = subscriptions.trie.memory();
        assert!(bytes / topics.len() < 200, "{} bytes each", bytes / topics.len());
        for topic in &topics[10..] {
            assert_eq!(subscriptions.remove(topic.as_bytes(), 1), Removed::Last);
        }
        assert!(subscriptions.trie.memory() < 20_000);
        assert_eq!(subscriptions.len(), 10);
        assert_eq!(matching(&subscriptions, b"market.quotes.00000003"), [1].into());
    }

    #[test]
    fn counts_need_as_many_removals() {
        let mut subscriptions = CountedSubscriptions::default();
        assert!(!subscriptions.matches(b""));
        assert!(subscriptions.add(b"a"));
        assert!(!subscriptions.add(b"a"));
        assert!(subscriptions.add(b"ab"));
        assert!(subscriptions.matches(b"abc") && !subscriptions.matches(b"b"));
        assert_eq!(subscriptions.remove(b"a"), Removed::Remaining);
        assert_eq!(subscriptions.remove(b"a"), Removed::Last);
        assert_eq!(subscriptions.remove(b"a"), Removed::NotFound);
        assert!(!subscriptions.matches(b"aa"));
        let mut left = Vec::new();
        subscriptions.for_each(|prefix| left.push(prefix.to_vec()));
        assert_eq!(left, [b"ab"]);
        assert_eq!(subscriptions.len(), 1);
    }
}
