//! Which patterns match a topic.

use super::{
    keys::{NodeKey, OfNode},
    slab::Slab,
};
use crate::destination::is_rest;
use alloc::{boxed::Box, vec::Vec};
use std::collections::HashMap;

/// A tree of the segments of patterns. To find the patterns that match a topic takes a step for each of
/// its segments, and branches only where patterns have `*`, however many patterns there are.
#[derive(Debug)]
pub(super) struct Patterns<T> {
    nodes: Slab<OfNode, Node<T>>,
    root: Option<NodeKey>,
}

#[derive(Debug)]
struct Node<T> {
    literals: HashMap<Box<str>, NodeKey>,
    star: Option<NodeKey>,
    /// The value of the pattern that ends here.
    here: Option<T>,
    /// The values of the patterns that go on with `**` and with `>`.
    rest: [Option<T>; 2],
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literals: HashMap::new(), star: None, here: None, rest: [None, None] }
    }
}

impl<T: Copy> Patterns<T> {
    pub(super) const fn new() -> Self {
        Self { nodes: Slab::new(), root: None }
    }

    /// Adds a pattern, or replaces its value. Returns `false` if there is no room.
    pub(super) fn insert(&mut self, pattern: &str, value: T) -> bool {
        self.try_insert(pattern, value).is_some()
    }

    fn try_insert(&mut self, pattern: &str, value: T) -> Option<()> {
        let mut node = match self.root {
            Some(root) => root,
            None => *self.root.insert(self.nodes.insert(Node::default())?),
        };
        for segment in pattern.split('/') {
            if is_rest(segment) {
                self.nodes.get_mut(node)?.rest[rest_index(segment)] = Some(value);
                return Some(());
            }
            node = match self.child(node, segment) {
                Some(child) => child,
                None => {
                    let child = self.nodes.insert(Node::default())?;
                    let parent = self.nodes.get_mut(node)?;
                    match segment {
                        "*" => parent.star = Some(child),
                        _ => drop(parent.literals.insert(segment.into(), child)),
                    }
                    child
                }
            };
        }
        self.nodes.get_mut(node)?.here = Some(value);
        Some(())
    }

    pub(super) fn get(&self, pattern: &str) -> Option<T> {
        let mut node = self.root?;
        for segment in pattern.split('/') {
            if is_rest(segment) {
                return self.nodes.get(node)?.rest[rest_index(segment)];
            }
            node = self.child(node, segment)?;
        }
        self.nodes.get(node)?.here
    }

    /// Removes a pattern, and the nodes that only it needed.
    pub(super) fn remove(&mut self, pattern: &str) -> Option<T> {
        let mut path = Vec::new();
        let mut node = self.root?;
        let mut removed = None;
        let mut at_rest = false;
        for segment in pattern.split('/') {
            if is_rest(segment) {
                removed = self.nodes.get_mut(node)?.rest[rest_index(segment)].take();
                at_rest = true;
                break;
            }
            let child = self.child(node, segment)?;
            path.push((node, segment));
            node = child;
        }
        if !at_rest {
            removed = self.nodes.get_mut(node)?.here.take();
        }
        while self.nodes.get(node).is_some_and(Node::is_unused) {
            self.nodes.remove(node);
            let Some((parent, segment)) = path.pop() else {
                self.root = None;
                break;
            };
            if let Some(parent) = self.nodes.get_mut(parent) {
                parent.forget(segment);
            }
            node = parent;
        }
        removed
    }

    /// Calls `found` with the value of each pattern that matches.
    pub(super) fn matching(&self, topic: &str, found: &mut impl FnMut(T)) {
        if let Some(root) = self.root {
            self.walk(root, Some(topic), found);
        }
    }

    /// Looks at what is left of the topic, `None` behind its last segment. The depth of the recursion is
    /// that of the patterns.
    fn walk(&self, node: NodeKey, left: Option<&str>, found: &mut impl FnMut(T)) {
        let Some(node) = self.nodes.get(node) else { return };
        node.rest.iter().flatten().for_each(|&value| found(value));
        let Some(left) = left else {
            node.here.iter().for_each(|&value| found(value));
            return;
        };
        let (segment, left) = match left.split_once('/') {
            Some((segment, left)) => (segment, Some(left)),
            None => (left, None),
        };
        if let Some(&child) = node.literals.get(segment) {
            self.walk(child, left, found);
        }
        if let Some(child) = node.star {
            self.walk(child, left, found);
        }
    }

    fn child(&self, node: NodeKey, segment: &str) -> Option<NodeKey> {
        let node = self.nodes.get(node)?;
        if segment == "*" { node.star } else { node.literals.get(segment).copied() }
    }
}

impl<T> Node<T> {
    fn is_unused(&self) -> bool {
        self.literals.is_empty()
            && self.star.is_none()
            && self.here.is_none()
            && self.rest.iter().all(Option::is_none)
    }

    fn forget(&mut self, segment: &str) {
        match segment {
            "*" => self.star = None,
            _ => drop(self.literals.remove(segment)),
        }
    }
}

fn rest_index(segment: &str) -> usize {
    usize::from(segment == ">")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::Pattern;
    use alloc::string::String;
    use proptest::{collection::vec, prelude::*};

    fn names() -> impl Strategy<Value = Vec<String>> {
        let segment = prop_oneof![Just("a"), Just("b"), Just("*")];
        let rest = prop_oneof![3 => Just(""), 1 => Just("/**"), 1 => Just("/>")];
        let name = (vec(segment, 1..4), rest)
            .prop_map(|(segments, rest)| alloc::format!("/topic/{}{rest}", segments.join("/")));
        vec(name, 0..12)
    }

    proptest! {
        #[test]
        fn the_tree_finds_what_each_pattern_matches(names in names(), kept in any::<u16>(), topic in vec("[abc]", 1..5)) {
            let topic = alloc::format!("/topic/{}", topic.join("/"));
            let mut tree = Patterns::new();
            for (name, index) in names.iter().zip(0_usize..) {
                prop_assert!(tree.insert(name, index));
            }
            let mut expected = Vec::new();
            for (name, index) in names.iter().zip(0_usize..) {
                let is_newest = names.iter().rposition(|other| other == name) == Some(index);
                if !is_newest {
                    continue;
                }
                prop_assert_eq!(tree.get(name), Some(index));
                if kept & 1 << index == 0 {
                    prop_assert_eq!(tree.remove(name), Some(index));
                    prop_assert_eq!(tree.remove(name), None);
                } else if name.parse::<Pattern>().unwrap().matches(&topic) {
                    expected.push(index);
                }
            }
            let mut found = Vec::new();
            tree.matching(&topic, &mut |index| found.push(index));
            found.sort_unstable();
            prop_assert_eq!(found, expected);
            for name in &names {
                tree.remove(name);
            }
            prop_assert!(tree.root.is_none() && tree.nodes.len() == 0);
        }
    }
}
