//! Trees of an image.

use std::sync::{Arc, OnceLock};

use crate::store::bytes::Bytes;

use super::log::{Flaw, ImageError};
use super::page::Data;
use super::pages::{Image, LeafPage};

/// The most levels of a tree: each level has at least twice the pages of the one above.
const MAX_LEVELS: usize = 40;

/// Pages with the lowest key of each, in order.
type Index = Vec<(Vec<u8>, u64)>;

/// A tree of an image.
#[derive(Clone, Debug)]
pub struct ImageTree {
    image: Arc<Image>,
    root: u64,
    /// The children of the lowest index nodes. A leaf that was just created may be missing; the leaf to its
    /// left leads to it.
    leaves: Arc<OnceLock<Index>>,
}

impl ImageTree {
    pub(super) fn new(image: Arc<Image>, root: u64) -> Self {
        Self { image, root, leaves: Arc::default() }
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ImageError> {
        let (_, leaf) = self.leaf_of(key)?;
        let place = leaf.records.binary_search_by(|(known, _)| known.as_ref().cmp(key));
        Ok(place.ok().map(|place| leaf.records[place].1.clone()))
    }

    /// Iterates over the records from a key on, as long as their keys begin with a prefix.
    pub fn ascending(&self, from: &[u8], prefix: &[u8]) -> Ascending {
        let next = Next::Key(from.to_vec());
        Ascending { tree: self.clone(), prefix: prefix.to_vec(), next }
    }

    /// Iterates over the records whose keys begin with a prefix, in reverse order.
    pub fn descending(&self, prefix: &[u8]) -> Descending {
        Descending {
            tree: self.clone(),
            prefix: prefix.to_vec(),
            slots: None,
            leaves: Vec::new(),
            at: None,
        }
    }

    fn leaves(&self) -> Result<&[(Vec<u8>, u64)], ImageError> {
        if let Some(leaves) = self.leaves.get() {
            return Ok(leaves);
        }
        let leaves = lowest_index(&self.image, self.root)?;
        Ok(self.leaves.get_or_init(|| leaves))
    }

    /// Finds the leaf whose range contains a key, and the index of the slot that leads to it.
    fn leaf_of(&self, key: &[u8]) -> Result<(usize, Arc<LeafPage>), ImageError> {
        let leaves = self.leaves()?;
        let slot = leaves.partition_point(|(low, _)| low.as_slice() <= key).saturating_sub(1);
        let leaf = follow(&self.image, leaves[slot].1, key)?.1;
        Ok((slot, leaf))
    }

    /// Finds the page and the leaf whose range contains a key, from the root; `None` if the tree has no
    /// pages.
    pub(super) fn find(
        image: &Image,
        root: u64,
        key: &[u8],
    ) -> Result<Option<(u64, Arc<LeafPage>)>, ImageError> {
        let leaves = lowest_index(image, root)?;
        let slot = leaves.partition_point(|(low, _)| low.as_slice() <= key).saturating_sub(1);
        leaves.get(slot).map(|&(_, page)| follow(image, page, key)).transpose()
    }
}

fn read_leaf(image: &Image, page: u64) -> Result<Arc<LeafPage>, ImageError> {
    image.leaf(page)?.ok_or_else(|| bad_tree(page))
}

pub(super) fn bad_tree(page: u64) -> ImageError {
    let what = format!("page {page} does not fit the pages that lead to it");
    Flaw { file: "db".to_owned(), at: None, what }.into()
}

/// Reads the first leaf of a tree.
pub(super) fn leftmost(
    image: &Image,
    index: &[(Vec<u8>, u64)],
) -> Result<(u64, Arc<LeafPage>), ImageError> {
    let &(_, page) = index.first().ok_or_else(|| bad_tree(0))?;
    let leaf = read_leaf(image, page)?;
    if leaf.low.is_empty() { Ok((page, leaf)) } else { Err(bad_tree(page)) }
}

/// Reads the leaf to the right of another; an error if it does not begin where the other one ends.
pub(super) fn right_of(
    image: &Image,
    leaf: &LeafPage,
) -> Result<Option<(u64, Arc<LeafPage>)>, ImageError> {
    let Some(page) = leaf.next else {
        return if leaf.high.is_empty() { Ok(None) } else { Err(bad_tree(0)) };
    };
    let next = read_leaf(image, page)?;
    // Keys rise from leaf to leaf, so that no walk goes round.
    if leaf.high.is_empty() || next.low != leaf.high || next.low <= leaf.low {
        return Err(bad_tree(page));
    }
    Ok(Some((page, next)))
}

/// Moves to the right from a leaf to the one whose range contains a key.
fn follow(image: &Image, page: u64, key: &[u8]) -> Result<(u64, Arc<LeafPage>), ImageError> {
    let (mut page, mut leaf) = (page, read_leaf(image, page)?);
    if leaf.low.as_slice() > key {
        return Err(bad_tree(page));
    }
    while !leaf.high.is_empty() && leaf.high.as_slice() <= key {
        (page, leaf) = right_of(image, &leaf)?.ok_or_else(|| bad_tree(page))?;
    }
    Ok((page, leaf))
}

/// Reads the index nodes of a tree down to the lowest level; returns the children of that level, in order.
pub(super) fn lowest_index(image: &Image, root: u64) -> Result<Index, ImageError> {
    let mut first = root;
    let mut level = vec![(Vec::new(), root)];
    for _ in 0..MAX_LEVELS {
        let mut below = Vec::new();
        let (mut page, mut low) = (Some(first), None::<Vec<u8>>);
        while let Some(number) = page {
            let node = image.node(number)?;
            let Data::Index(children) = node.data else { return Ok(level) };
            if low.as_ref().is_some_and(|low| node.low <= *low) {
                return Err(bad_tree(number));
            }
            // A child that is being merged may have been left by its records.
            let merging = node.merging_child;
            below.extend(children.into_iter().filter(|&(_, child)| Some(child) != merging));
            (page, low) = (node.next, Some(node.low));
        }
        first = below.first().ok_or_else(|| bad_tree(first))?.1;
        level = below;
    }
    Err(bad_tree(root))
}

#[derive(Debug)]
enum Next {
    /// The first record whose key is not below this one.
    Key(Vec<u8>),
    /// A record of a leaf, by its index.
    Record(Arc<LeafPage>, usize),
    /// The end.
    End,
}

/// An iterator over the records of a tree from a key on that begin with a prefix.
#[derive(Debug)]
pub struct Ascending {
    tree: ImageTree,
    prefix: Vec<u8>,
    next: Next,
}

impl Ascending {
    fn step(&mut self) -> Result<Option<(Bytes, Bytes)>, ImageError> {
        loop {
            let (leaf, at) = match std::mem::replace(&mut self.next, Next::End) {
                Next::End => return Ok(None),
                Next::Record(leaf, at) => (leaf, at),
                Next::Key(key) => {
                    let (_, leaf) = self.tree.leaf_of(&key)?;
                    let at = leaf.records.partition_point(|(known, _)| known.as_ref() < &key[..]);
                    (leaf, at)
                }
            };
            if let Some((key, value)) = leaf.records.get(at) {
                if !key.starts_with(&self.prefix) {
                    return Ok(None);
                }
                let record = (key.clone(), value.clone());
                self.next = Next::Record(leaf, at + 1);
                return Ok(Some(record));
            }
            if let Some((_, right)) = right_of(&self.tree.image, &leaf)? {
                self.next = Next::Record(right, 0);
            }
        }
    }
}

impl Iterator for Ascending {
    type Item = Result<(Bytes, Bytes), ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

/// An iterator over the records of a tree that begin with a prefix, in reverse order.
#[derive(Debug)]
pub struct Descending {
    tree: ImageTree,
    prefix: Vec<u8>,
    /// The number of slots of the index still to be read; `None` before the first step.
    slots: Option<usize>,
    /// The leaves of the last slot still to be read.
    leaves: Vec<Arc<LeafPage>>,
    at: Option<(Arc<LeafPage>, usize)>,
}

impl Descending {
    fn step(&mut self) -> Result<Option<(Bytes, Bytes)>, ImageError> {
        loop {
            if let Some((leaf, at)) = self.at.take() {
                if at > 0 {
                    let (key, value) = &leaf.records[at - 1];
                    if !key.starts_with(&self.prefix) {
                        if key.as_ref() < self.prefix.as_slice() {
                            self.slots = Some(0);
                            self.leaves.clear();
                            return Ok(None);
                        }
                        self.at = Some((leaf, at - 1));
                        continue;
                    }
                    let record = (key.clone(), value.clone());
                    self.at = Some((leaf, at - 1));
                    return Ok(Some(record));
                }
                continue;
            }
            if let Some(leaf) = self.leaves.pop() {
                let at = self.end_in(&leaf);
                self.at = Some((leaf, at));
                continue;
            }
            let slots = match self.slots {
                Some(slots) => slots,
                None => self.first_slots()?,
            };
            let Some(slot) = slots.checked_sub(1) else {
                self.slots = Some(0);
                return Ok(None);
            };
            self.slots = Some(slot);
            self.leaves = self.slot(slot)?;
        }
    }

    /// Returns the number of slots whose keys may begin with the prefix or are below it.
    fn first_slots(&self) -> Result<usize, ImageError> {
        let above = |low: &[u8]| !low.starts_with(&self.prefix) && low > self.prefix.as_slice();
        Ok(self.tree.leaves()?.partition_point(|(low, _)| !above(low)))
    }

    /// Reads the leaves of a slot: the one in the index, and those to its right that the index lacks.
    fn slot(&self, slot: usize) -> Result<Vec<Arc<LeafPage>>, ImageError> {
        let (image, index) = (&self.tree.image, self.tree.leaves()?);
        let mut leaves = vec![read_leaf(image, index[slot].1)?];
        let end = index.get(slot + 1).map(|(low, _)| low);
        while let Some(last) = leaves.last()
            && !last.high.is_empty()
            && end.is_none_or(|end| last.high < *end)
            && let Some((_, right)) = right_of(image, last)?
        {
            leaves.push(right);
        }
        Ok(leaves)
    }

    /// Returns the index after the last record of a leaf that begins with the prefix or is below it.
    fn end_in(&self, leaf: &LeafPage) -> usize {
        leaf.records.partition_point(|(key, _)| {
            key.starts_with(&self.prefix) || key.as_ref() < self.prefix.as_slice()
        })
    }
}

impl Iterator for Descending {
    type Item = Result<(Bytes, Bytes), ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
