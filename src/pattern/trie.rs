//! A radix tree over byte strings, in an arena.
//!
//! Every node holds the bytes that lead to it from its parent, so a prefix costs about one node however
//! long it is, and a look-up touches one node per branching point. Nodes without a value have at least two
//! children (but for the root), which keeps the tree no larger than twice the number of prefixes.
//!
//! Peers choose the prefixes, so nothing here recurses, and memory is given back when they leave.

/// Labels up to this length are stored in the node itself.
const INLINE_LABEL: usize = 22;
/// Arenas smaller than this are not worth compacting.
const COMPACT_FROM: usize = 64;
const ROOT: u32 = 0;

/// The bytes on the way from a node's parent to the node. Empty for the root alone.
enum Label {
    Inline { len: u8, bytes: [u8; INLINE_LABEL] },
    Heap(Box<[u8]>),
}

impl Label {
    fn new(bytes: &[u8]) -> Self {
        if bytes.len() <= INLINE_LABEL {
            let mut inline = [0; INLINE_LABEL];
            inline[..bytes.len()].copy_from_slice(bytes);
            Self::Inline { len: bytes.len() as u8, bytes: inline }
        } else {
            Self::Heap(bytes.into())
        }
    }

    #[inline]
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Self::Heap(bytes) => bytes,
        }
    }
}

impl Default for Label {
    fn default() -> Self {
        Self::Inline { len: 0, bytes: [0; INLINE_LABEL] }
    }
}

/// What a node stores for its prefix.
pub trait Value: Default {
    /// True if nobody subscribes to exactly this prefix.
    fn is_vacant(&self) -> bool;
}

struct Edge {
    /// First byte of the child's label; edges are sorted by it.
    byte: u8,
    child: u32,
}

#[derive(Default)]
struct Node<V> {
    label: Label,
    edges: Vec<Edge>,
    value: V,
}

impl<V> Node<V> {
    #[inline]
    fn child(&self, byte: u8) -> Option<u32> {
        // Most nodes are leaves or continue in one way only.
        match self.edges.as_slice() {
            [] => None,
            [edge] => (edge.byte == byte).then_some(edge.child),
            edges => edges.binary_search_by_key(&byte, |edge| edge.byte).ok().map(|at| edges[at].child),
        }
    }
}

/// The tree itself, whatever its nodes store.
pub struct Trie<V> {
    /// The root is at index 0; an empty vector is an empty tree.
    nodes: Vec<Node<V>>,
    /// Indices of nodes that are not in use.
    free: Vec<u32>,
    /// Number of prefixes that have a value.
    prefixes: usize,
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self { nodes: Vec::new(), free: Vec::new(), prefixes: 0 }
    }
}

/// One level of an iterative walk through the whole tree.
struct Frame {
    node: u32,
    entered: bool,
    next_edge: usize,
}

impl Frame {
    fn new(node: u32) -> Self {
        Self { node, entered: false, next_edge: 0 }
    }
}

impl<V: Value> Trie<V> {
    /// Calls `visit` with the value of every prefix of `topic`, shortest first, until it says `false`.
    #[inline]
    pub fn walk(&self, topic: &[u8], mut visit: impl FnMut(&V) -> bool) {
        let Some(mut node) = self.nodes.first() else { return };
        let mut rest = topic;
        loop {
            if !node.value.is_vacant() && !visit(&node.value) {
                return;
            }
            let Some(&byte) = rest.first() else { return };
            let Some(child) = node.child(byte) else { return };
            node = &self.nodes[child as usize];
            let Some(after) = rest.strip_prefix(node.label.as_slice()) else { return };
            rest = after;
        }
    }

    /// The node for exactly `prefix` and its parent, if it is in the tree.
    fn find(&self, prefix: &[u8]) -> Option<(u32, u32)> {
        let (mut parent, mut at, mut rest) = (ROOT, ROOT, prefix);
        self.nodes.first()?;
        while let Some(&byte) = rest.first() {
            let child = self.nodes[at as usize].child(byte)?;
            rest = rest.strip_prefix(self.nodes[child as usize].label.as_slice())?;
            (parent, at) = (at, child);
        }
        Some((parent, at))
    }

    /// Changes the value for exactly `prefix`, which is made if need be, and must not be left vacant.
    pub fn set<R>(&mut self, prefix: &[u8], change: impl FnOnce(&mut V) -> R) -> R {
        let at = self.make(prefix);
        let value = &mut self.nodes[at as usize].value;
        self.prefixes += usize::from(value.is_vacant());
        change(value)
    }

    /// Changes the value for exactly `prefix`, if it has one; it may be left vacant.
    pub fn change<R>(&mut self, prefix: &[u8], change: impl FnOnce(&mut V) -> R) -> Option<R> {
        let (parent, at) = self.find(prefix)?;
        let value = &mut self.nodes[at as usize].value;
        if value.is_vacant() {
            return None;
        }
        let result = change(value);
        if value.is_vacant() {
            self.prefixes -= 1;
            // The parent may have become a mere link to its last child. Above that nothing changes.
            if self.tidy(parent, at) {
                self.tidy(ROOT, parent);
            }
            self.compact();
        }
        Some(result)
    }

    /// Number of prefixes that have a value.
    pub fn len(&self) -> usize {
        self.prefixes
    }

    /// The node for exactly `prefix`, made if need be.
    fn make(&mut self, prefix: &[u8]) -> u32 {
        if self.nodes.is_empty() {
            self.nodes.reserve_exact(1);
            self.nodes.push(Node::default());
        }
        let (mut at, mut rest) = (ROOT, prefix);
        while let Some(&byte) = rest.first() {
            match self.nodes[at as usize].edges.binary_search_by_key(&byte, |edge| edge.byte) {
                Ok(found) => {
                    let child = self.nodes[at as usize].edges[found].child;
                    let label = self.nodes[child as usize].label.as_slice();
                    let common = label.iter().zip(rest).take_while(|(a, b)| a == b).count();
                    if common < label.len() {
                        self.split(child, common);
                    }
                    (at, rest) = (child, &rest[common..]);
                }
                Err(gap) => {
                    let child = self.insert(Node { label: Label::new(rest), ..Node::default() });
                    let edges = &mut self.nodes[at as usize].edges;
                    if edges.is_empty() {
                        edges.reserve_exact(1);
                    }
                    edges.insert(gap, Edge { byte, child });
                    (at, rest) = (child, &[]);
                }
            }
        }
        at
    }

    fn insert(&mut self, node: Node<V>) -> u32 {
        if let Some(index) = self.free.pop() {
            self.nodes[index as usize] = node;
            return index;
        }
        self.nodes.push(node);
        (self.nodes.len() - 1) as u32
    }

    /// Puts a node without value in front of `at`, which keeps its index for the upper part of its label.
    fn split(&mut self, at: u32, common: usize) {
        let node = &mut self.nodes[at as usize];
        let (upper, lower) = node.label.as_slice().split_at(common);
        let (upper, lower, byte) = (Label::new(upper), Label::new(lower), lower[0]);
        let below = Node { label: lower, ..std::mem::take(node) };
        let child = self.insert(below);
        let mut edges = Vec::with_capacity(2);
        edges.push(Edge { byte, child });
        self.nodes[at as usize] = Node { label: upper, edges, value: V::default() };
    }

    /// Restores the shape of the tree at `at` after its value or one of its children went: an unused
    /// leaf goes, a node that only leads on is joined with its child. True if `at` is gone.
    fn tidy(&mut self, parent: u32, at: u32) -> bool {
        let node = &self.nodes[at as usize];
        if at == ROOT || !node.value.is_vacant() {
            return false;
        }
        match node.edges.as_slice() {
            [] => {
                let byte = node.label.as_slice()[0];
                let edges = &mut self.nodes[parent as usize].edges;
                edges.retain(|edge| edge.byte != byte);
                if edges.is_empty() {
                    *edges = Vec::new();
                }
                self.release(at);
                true
            }
            [only] => {
                let child = only.child;
                let label = [node.label.as_slice(), self.nodes[child as usize].label.as_slice()].concat();
                let below = std::mem::take(&mut self.nodes[child as usize]);
                self.nodes[at as usize] = Node { label: Label::new(&label), ..below };
                self.free.push(child);
                false
            }
            _ => false,
        }
    }

    fn release(&mut self, at: u32) {
        self.nodes[at as usize] = Node::default();
        self.free.push(at);
    }

    /// Gives memory back once three quarters of the arena are unused.
    fn compact(&mut self) {
        if self.prefixes == 0 {
            *self = Self::default();
            return;
        }
        if self.nodes.len() < COMPACT_FROM || self.free.len() < self.nodes.len() / 4 * 3 {
            return;
        }
        let mut old = std::mem::take(&mut self.nodes);
        let mut new = Vec::with_capacity(old.len() - self.free.len());
        new.push(std::mem::take(&mut old[ROOT as usize]));
        let mut at = 0;
        while at < new.len() {
            let mut edges = std::mem::take(&mut new[at].edges);
            for edge in &mut edges {
                new.push(std::mem::take(&mut old[edge.child as usize]));
                edge.child = (new.len() - 1) as u32;
            }
            new[at].edges = edges;
            at += 1;
        }
        self.nodes = new;
        self.free = Vec::new();
    }

    /// Calls `visit` with every prefix that has a value, in ascending order.
    pub fn for_each(&self, mut visit: impl FnMut(&[u8], &V)) {
        let mut path = Vec::new();
        let mut stack = Vec::new();
        if !self.nodes.is_empty() {
            stack.push(Frame::new(ROOT));
        }
        while let Some(frame) = stack.last_mut() {
            let node = &self.nodes[frame.node as usize];
            if !std::mem::replace(&mut frame.entered, true) {
                path.extend_from_slice(node.label.as_slice());
                if !node.value.is_vacant() {
                    visit(&path, &node.value);
                }
            }
            if let Some(edge) = node.edges.get(frame.next_edge) {
                frame.next_edge += 1;
                stack.push(Frame::new(edge.child));
            } else {
                path.truncate(path.len() - node.label.as_slice().len());
                stack.pop();
            }
        }
    }

    /// Like `for_each`, but `visit` may change the values, and leave them vacant.
    pub fn for_each_mut(&mut self, mut visit: impl FnMut(&[u8], &mut V)) {
        let mut path = Vec::new();
        let mut stack = Vec::new();
        if !self.nodes.is_empty() {
            stack.push(Frame::new(ROOT));
        }
        while let Some(frame) = stack.last_mut() {
            let node = &mut self.nodes[frame.node as usize];
            if !std::mem::replace(&mut frame.entered, true) {
                path.extend_from_slice(node.label.as_slice());
                if !node.value.is_vacant() {
                    visit(&path, &mut node.value);
                    if node.value.is_vacant() {
                        self.prefixes -= 1;
                    }
                }
            }
            if let Some(edge) = node.edges.get(frame.next_edge) {
                frame.next_edge += 1;
                stack.push(Frame::new(edge.child));
                continue;
            }
            let node = frame.node;
            path.truncate(path.len() - self.nodes[node as usize].label.as_slice().len());
            stack.pop();
            if let Some(parent) = stack.last_mut()
                && self.tidy(parent.node, node)
            {
                // The later edges have moved up by one.
                parent.next_edge -= 1;
            }
        }
        self.compact();
    }
}

#[cfg(test)]
impl<V> Trie<V> {
    /// Number of nodes in use.
    pub fn nodes(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// Size of the arena in bytes.
    pub fn memory(&self) -> usize {
        self.nodes.capacity() * size_of::<Node<V>>()
    }
}
