//! Pages: nodes of trees, and changes of nodes.

use std::collections::BTreeMap;

use super::format::{number, slice};

/// A node of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The page of the node to the right, if there is one.
    pub next: Option<u64>,
    /// The page of a child that is being merged into the one to its left.
    pub merging_child: Option<u64>,
    /// The lowest key of the node's range.
    pub low: Vec<u8>,
    /// The lowest key to the right of the node's range; empty if this is the last node.
    pub high: Vec<u8>,
    /// The content, by complete keys.
    pub data: Data,
}

/// The content of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// Records: values by their keys.
    Leaf(BTreeMap<Vec<u8>, Vec<u8>>),
    /// Child pages by the lowest key of each.
    Index(BTreeMap<Vec<u8>, u64>),
}

/// A change of a node. Its keys lack the node's prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link<'a> {
    /// A record is written.
    Set(&'a [u8], &'a [u8]),
    /// A record is removed.
    Del(&'a [u8]),
    /// A child is going to be merged into the one to its left.
    Merging(u64),
    /// The child that was being merged is merged.
    Merged,
    /// This node is being merged into the one to its left.
    Capped,
}

/// The head of an encoded node: everything before its keys.
struct Head<'a> {
    next: Option<u64>,
    merging_child: Option<u64>,
    low: &'a [u8],
    high: &'a [u8],
    prefix: &'a [u8],
    is_leaf: bool,
    count: usize,
}

impl<'a> Head<'a> {
    fn take(bytes: &mut &'a [u8]) -> Option<Self> {
        let page = |bytes: &mut &[u8]| Some(number(bytes)?).map(|page| (page != 0).then_some(page));
        let (next, merging_child) = (page(bytes)?, page(bytes)?);
        let (&[_merging, prefix], rest) = bytes.split_first_chunk::<2>()?;
        *bytes = rest;
        let (low, high) = (slice(bytes)?, slice(bytes)?);
        let prefix = low.get(..usize::from(prefix))?;
        let (&kind, rest) = bytes.split_first()?;
        *bytes = rest;
        let count = usize::try_from(number(bytes)?).ok()?;
        let is_leaf = match kind {
            0 => true,
            1 => false,
            _ => return None,
        };
        Some(Self { next, merging_child, low, high, prefix, is_leaf, count })
    }
}

impl Node {
    /// Decodes a node; `None` if `bytes` are not exactly one node.
    pub fn read(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let head = Head::take(bytes)?;
        // A key takes a byte at least, and so does what belongs to it.
        if head.count > bytes.len() {
            return None;
        }
        let key = |bytes: &mut &[u8]| Some([head.prefix, slice(bytes)?].concat());
        let keys: Vec<Vec<u8>> = (0..head.count).map(|_| key(bytes)).collect::<Option<_>>()?;
        let data = if head.is_leaf {
            let mut value = |key| Some((key, slice(bytes)?.to_vec()));
            Data::Leaf(keys.into_iter().map(&mut value).collect::<Option<_>>()?)
        } else {
            let mut child = |key| Some((key, number(bytes)?));
            Data::Index(keys.into_iter().map(&mut child).collect::<Option<_>>()?)
        };
        bytes.is_empty().then(|| Self {
            next: head.next,
            merging_child: head.merging_child,
            low: head.low.to_vec(),
            high: head.high.to_vec(),
            data,
        })
    }

    /// Applies a change; `None` if it does not fit the node. `prefix` is the prefix that the keys of changes
    /// lack.
    pub fn apply(&mut self, prefix: &[u8], link: &Link<'_>) -> Option<()> {
        match (link, &mut self.data) {
            (Link::Set(key, value), Data::Leaf(records)) => {
                records.insert([prefix, key].concat(), value.to_vec());
            }
            (Link::Del(key), Data::Leaf(records)) => {
                records.remove([prefix, key].concat().as_slice());
            }
            (Link::Merging(child), Data::Index(_)) => self.merging_child = Some(*child),
            (Link::Merged, Data::Index(children)) => {
                let merged = self.merging_child.take()?;
                children.retain(|_, child| *child != merged);
            }
            // Its records are about to be in the node to the left, and are in this one till then.
            (Link::Capped, _) => {}
            _ => return None,
        }
        Some(())
    }
}

/// Returns the prefix of an encoded node's keys, which the keys of its changes lack.
pub fn prefix_of(mut bytes: &[u8]) -> Option<&[u8]> {
    Some(Head::take(&mut bytes)?.prefix)
}

impl<'a> Link<'a> {
    /// Decodes a change; `None` if `bytes` are not exactly one change.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (&kind, mut rest) = bytes.split_first()?;
        let rest = &mut rest;
        let link = match kind {
            0 => Self::Set(slice(rest)?, slice(rest)?),
            1 => Self::Del(slice(rest)?),
            2 => Self::Merging(number(rest)?),
            3 => Self::Merged,
            4 => Self::Capped,
            _ => return None,
        };
        rest.is_empty().then_some(link)
    }
}

/// Decodes the names of the trees and the pages of their roots.
pub fn read_meta(mut bytes: &[u8]) -> Option<BTreeMap<Vec<u8>, u64>> {
    let bytes = &mut bytes;
    let mut roots = BTreeMap::new();
    while !bytes.is_empty() {
        let name = slice(bytes)?.to_vec();
        roots.insert(name, number(bytes)?);
    }
    Some(roots)
}

/// Decodes the records of a leaf that may be damaged, as far as the lengths lead. Keys whose values cannot be
/// reached are left out.
pub fn take_records(mut bytes: &[u8]) -> Vec<(Vec<u8>, &[u8])> {
    let bytes = &mut bytes;
    let Some(head) = Head::take(bytes).filter(|head| head.is_leaf) else { return Vec::new() };
    let mut keys = Vec::new();
    for _ in 0..head.count {
        let Some(key) = slice(bytes) else { return Vec::new() };
        keys.push([head.prefix, key].concat());
    }
    keys.into_iter().map_while(|key| Some((key, slice(bytes)?))).collect()
}
