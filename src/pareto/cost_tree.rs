//! An index of cost vectors none of which dominates another.
//!
//! A k-d tree (Bentley, Communications of the ACM 18(9), 1975) whose nodes know the lowest and the highest
//! value of each cost below them. By these a search dismisses or takes a node as a whole, as in the ND-tree
//! (Jaszkiewicz and Lust, IEEE Transactions on Evolutionary Computation 22(5), 2018). A node is rebuilt when
//! one side has far more vectors than the other (Galperin and Rivest, Scapegoat Trees, SODA 1993), so vectors
//! may come in any order.
//!
//! For n vectors of two costs a search takes O(log n) steps: in the order of the first cost the second falls,
//! and each node holds neighbors. With more costs it grows with the number of nodes that reach below a vector
//! in every cost, far fewer than n for three to five costs.

use std::cmp::Ordering;

use super::dominance::{at_most, compare_cost, dominance, dominates};

/// The maximum number of vectors in a leaf.
const CAPACITY: usize = 32;

/// Reasons that a vector cannot join a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rival {
    /// A vector of the tree dominates it.
    Better,
    /// The vector in this slot equals it.
    Equal(usize),
}

/// A set of vectors of the same length, at least one cost, each with the index of its slot in the frontier.
#[derive(Clone, Debug)]
pub(super) struct CostTree {
    root: Option<Node>,
}

impl CostTree {
    /// Makes an empty tree.
    pub(super) const fn new() -> Self {
        Self { root: None }
    }

    /// Finds a vector that dominates or equals a given one.
    pub(super) fn rival(&self, costs: &[f64]) -> Option<Rival> {
        self.root.as_ref().and_then(|root| root.rival(costs))
    }

    /// Removes the vectors that a given one dominates, and adds their slots to `taken`. No vector may equal
    /// it.
    pub(super) fn take_dominated(&mut self, costs: &[f64], taken: &mut Vec<usize>) {
        if let Some(root) = &mut self.root {
            root.take_dominated(costs, taken);
            if root.len == 0 {
                self.root = None;
            }
        }
    }

    /// Inserts a vector that no other dominates or equals.
    pub(super) fn insert(&mut self, slot: usize, costs: &[f64]) {
        match &mut self.root {
            Some(root) => root.insert(slot, costs, 0),
            None => {
                let mut first = Vectors::new(costs.len());
                first.push(slot, costs);
                self.root = Some(Node::build(&first, &mut [0], 0));
            }
        }
    }

    /// Renumbers the slots: slot `s` becomes `to[s]`.
    pub(super) fn renumber(&mut self, to: &[usize]) {
        if let Some(root) = &mut self.root {
            root.renumber(to);
        }
    }
}

/// A node with the vectors below it.
#[derive(Clone, Debug)]
struct Node {
    /// The lowest value of each cost, then the highest of each.
    corners: Vec<f64>,
    len: usize,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Leaf(Vectors),
    Inner {
        /// The cost by which the vectors are split.
        axis: usize,
        /// Vectors with at least this value of that cost go to the second child.
        bound: f64,
        children: Box<[Node; 2]>,
    },
}

/// Vectors stored one after another.
#[derive(Clone, Debug)]
struct Vectors {
    /// The number of costs of each vector.
    width: usize,
    slots: Vec<usize>,
    costs: Vec<f64>,
}

impl Vectors {
    const fn new(width: usize) -> Self {
        Self { width, slots: Vec::new(), costs: Vec::new() }
    }

    fn push(&mut self, slot: usize, costs: &[f64]) {
        self.slots.push(slot);
        self.costs.extend_from_slice(costs);
    }

    fn append(&mut self, other: &Self) {
        self.slots.extend_from_slice(&other.slots);
        self.costs.extend_from_slice(&other.costs);
    }

    fn at(&self, place: usize) -> &[f64] {
        &self.costs[place * self.width..(place + 1) * self.width]
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[f64])> {
        self.slots.iter().copied().zip(self.costs.chunks_exact(self.width))
    }
}

impl Node {
    /// Builds a node from at least one of the vectors, given by their indices.
    fn build(vectors: &Vectors, places: &mut [usize], axis: usize) -> Self {
        let width = vectors.width;
        let mut corners = vectors.at(places[0]).repeat(2);
        for &place in &places[1..] {
            widen(&mut corners, vectors.at(place));
        }
        let len = places.len();
        if len <= CAPACITY {
            let mut leaf = Vectors::new(width);
            for &place in &*places {
                leaf.push(vectors.slots[place], vectors.at(place));
            }
            return Self { corners, len, content: Content::Leaf(leaf) };
        }
        // In turn, but for costs that are the same of all.
        let differs = |axis: &usize| compare_cost(corners[*axis], corners[width + *axis]).is_ne();
        let axis = (axis..axis + width).map(|axis| axis % width).find(differs).unwrap_or(0);
        let by_axis = |a: &usize, b: &usize| {
            let (a, b) = (vectors.at(*a), vectors.at(*b));
            let mut costs = (axis..axis + width).map(|axis| axis % width);
            costs
                .find_map(|axis| Some(compare_cost(a[axis], b[axis])).filter(|order| order.is_ne()))
                .unwrap_or(Ordering::Equal)
        };
        places.select_nth_unstable_by(len / 2, by_axis);
        let bound = vectors.at(places[len / 2])[axis];
        let (before, from) = places.split_at_mut(len / 2);
        let children = [before, from].map(|places| Self::build(vectors, places, axis + 1));
        Self { corners, len, content: Content::Inner { axis, bound, children: Box::new(children) } }
    }

    fn lowest(&self) -> &[f64] {
        &self.corners[..self.corners.len() / 2]
    }

    fn highest(&self) -> &[f64] {
        &self.corners[self.corners.len() / 2..]
    }

    fn rival(&self, costs: &[f64]) -> Option<Rival> {
        if !at_most(self.lowest(), costs) {
            return None;
        }
        if dominates(self.highest(), costs) {
            return Some(Rival::Better);
        }
        match &self.content {
            Content::Leaf(vectors) => {
                vectors.iter().find_map(|(slot, known)| match dominance(known, costs) {
                    Some(Ordering::Less) => Some(Rival::Better),
                    Some(Ordering::Equal) => Some(Rival::Equal(slot)),
                    _ => None,
                })
            }
            Content::Inner { children, .. } => children.iter().find_map(|node| node.rival(costs)),
        }
    }

    /// Removes dominated vectors; the corners of the remaining ones, if any, are tight.
    fn take_dominated(&mut self, costs: &[f64], taken: &mut Vec<usize>) {
        if !at_most(costs, self.highest()) {
            return;
        }
        if at_most(costs, self.lowest()) {
            self.each_leaf(&mut |leaf| taken.extend_from_slice(&leaf.slots));
            self.len = 0;
            return;
        }
        let before = taken.len();
        match &mut self.content {
            Content::Leaf(vectors) => {
                let mut left = Vectors::new(costs.len());
                for (slot, known) in vectors.iter() {
                    if dominates(costs, known) {
                        taken.push(slot);
                    } else {
                        left.push(slot, known);
                    }
                }
                *vectors = left;
            }
            Content::Inner { children, .. } => {
                children.iter_mut().for_each(|node| node.take_dominated(costs, taken));
            }
        }
        if taken.len() > before {
            self.tighten();
        }
    }

    /// Updates the length and the corners after removals below the node.
    fn tighten(&mut self) {
        match &mut self.content {
            Content::Leaf(vectors) => {
                self.len = vectors.slots.len();
                if self.len > 0 {
                    self.corners = vectors.at(0).repeat(2);
                    vectors.iter().for_each(|(_, costs)| widen(&mut self.corners, costs));
                }
            }
            Content::Inner { children, .. } => {
                if let Some(empty) = children.iter().position(|node| node.len == 0) {
                    let nothing = Self {
                        corners: Vec::new(),
                        len: 0,
                        content: Content::Leaf(Vectors::new(1)),
                    };
                    *self = std::mem::replace(&mut children[1 - empty], nothing);
                    return;
                }
                let [first, second] = &**children;
                self.len = first.len + second.len;
                self.corners.clone_from(&first.corners);
                widen(&mut self.corners, second.lowest());
                widen(&mut self.corners, second.highest());
            }
        }
    }

    fn insert(&mut self, slot: usize, costs: &[f64], turn: usize) {
        widen(&mut self.corners, costs);
        self.len += 1;
        let turn = match &mut self.content {
            Content::Leaf(vectors) => {
                vectors.push(slot, costs);
                if self.len <= CAPACITY {
                    return;
                }
                turn
            }
            Content::Inner { axis, bound, children } => {
                let child = &mut children[usize::from(compare_cost(costs[*axis], *bound).is_ge())];
                child.insert(slot, costs, *axis + 1);
                if 4 * child.len <= 3 * self.len + CAPACITY {
                    return;
                }
                *axis
            }
        };
        let mut all = Vectors::new(costs.len());
        self.each_leaf(&mut |leaf| all.append(leaf));
        let mut places: Vec<usize> = (0..self.len).collect();
        *self = Self::build(&all, &mut places, turn);
    }

    fn each_leaf(&self, look: &mut impl FnMut(&Vectors)) {
        match &self.content {
            Content::Leaf(vectors) => look(vectors),
            Content::Inner { children, .. } => {
                children.iter().for_each(|node| node.each_leaf(look))
            }
        }
    }

    fn renumber(&mut self, to: &[usize]) {
        match &mut self.content {
            Content::Leaf(vectors) => vectors.slots.iter_mut().for_each(|slot| *slot = to[*slot]),
            Content::Inner { children, .. } => {
                children.iter_mut().for_each(|node| node.renumber(to));
            }
        }
    }
}

/// Extends corners so that they enclose a vector.
fn widen(corners: &mut [f64], costs: &[f64]) {
    let (lowest, highest) = corners.split_at_mut(costs.len());
    for ((lowest, highest), &cost) in lowest.iter_mut().zip(highest).zip(costs) {
        if compare_cost(cost, *lowest).is_lt() {
            *lowest = cost;
        }
        if compare_cost(cost, *highest).is_gt() {
            *highest = cost;
        }
    }
}
