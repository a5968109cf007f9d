//! Isomorphic numberings of a cell's vertices, and the one that the benchmark keeps.
//!
//! The benchmark enumerates graphs by ascending vertex count, ascending adjacency bits, and labels
//! in product order, vertex 1 changing slowest, and keeps the first of each isomorphism class: the
//! one with the smallest (adjacency, labels). Its numberings are topological: edges lead from
//! smaller to larger numbers.

use super::cell::{Cell101, MOST_VERTICES, edge_bit};

/// A graph as the sets of each vertex's sources.
pub(super) struct Graph {
    vertices: usize,
    sources: [u8; MOST_VERTICES],
}

/// Vertices in a new order: the old number at each new place.
pub(super) type Order = [usize; MOST_VERTICES];

impl Graph {
    /// The graph of some adjacency bits.
    pub(super) fn new(adjacency: u32, vertices: usize) -> Self {
        let mut sources = [0; MOST_VERTICES];
        for (to, sources) in sources.iter_mut().enumerate().take(vertices).skip(1) {
            for from in 0..to {
                if adjacency & edge_bit(from, to) != 0 {
                    *sources |= 1 << from;
                }
            }
        }
        Self { vertices, sources }
    }

    /// Whether every vertex but the input reads another, and every one but the output is read.
    ///
    /// In a topological numbering that puts every vertex on a path from input to output.
    pub(super) fn is_full(&self) -> bool {
        let read = self.sources[..self.vertices].iter().fold(0, |all, sources| all | sources);
        read == (1 << (self.vertices - 1)) - 1
            && self.sources[1..self.vertices].iter().all(|&sources| sources != 0)
    }

    /// Calls back with every topological order that has the input first and the output last, and
    /// the adjacency bits in it, until the callback says to stop.
    pub(super) fn orders(&self, visit: &mut impl FnMut(&Order, u32) -> bool) {
        let mut order = [0; MOST_VERTICES];
        self.extend(&mut order, 1, 1, 0, visit);
    }

    fn extend(
        &self,
        order: &mut Order,
        placed: usize,
        placed_set: u8,
        adjacency: u32,
        visit: &mut impl FnMut(&Order, u32) -> bool,
    ) -> bool {
        if placed == self.vertices {
            return visit(order, adjacency);
        }
        let output = self.vertices - 1;
        let candidates = if placed == output { output..output + 1 } else { 1..output };
        for vertex in candidates {
            let sources = self.sources[vertex];
            if placed_set & 1 << vertex != 0 || sources & !placed_set != 0 {
                continue;
            }
            order[placed] = vertex;
            let incoming = (0..placed)
                .filter(|&from| sources & 1 << order[from] != 0)
                .fold(0, |bits, from| bits | edge_bit(from, placed));
            let set = placed_set | 1 << vertex;
            if !self.extend(order, placed + 1, set, adjacency | incoming, visit) {
                return false;
            }
        }
        true
    }
}

/// Labels in a new order, packed as in a cell.
pub(super) fn labels_in(order: &Order, vertices: usize, label: impl Fn(usize) -> usize) -> u32 {
    (1..vertices - 1)
        .fold(0, |bits, place| bits | (label(order[place]) as u32) << (2 * (place - 1)))
}

/// What labels are compared by: vertex 1 decides first.
pub(super) fn label_rank(labels: u32, vertices: usize) -> u32 {
    (0..vertices - 2).fold(0, |rank, place| rank << 2 | labels >> (2 * place) & 3)
}

impl Cell101 {
    /// The isomorphic cell that the benchmark keeps, whose channel counts and parameters are those
    /// of its table.
    pub fn kept(self) -> Self {
        let vertices = self.vertices();
        let graph = Graph::new(self.adjacency(), vertices);
        let mut best: Option<(u32, u32, u32)> = None;
        graph.orders(&mut |order, adjacency| {
            if best.is_none_or(|(least, _, _)| adjacency <= least) {
                let labels = labels_in(order, vertices, |vertex| self.label(vertex));
                let found = (adjacency, label_rank(labels, vertices), labels);
                if best.is_none_or(|best| found < best) {
                    best = Some(found);
                }
            }
            true
        });
        best.map_or(self, |(adjacency, _, labels)| Self::from_parts(adjacency, labels))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::Op101;
    use super::*;

    /// Any cell, in any numbering.
    pub fn any_cell() -> impl Strategy<Value = Cell101> {
        let graph = (0..1u32 << 21, prop::collection::vec(0..3usize, 5));
        graph.prop_filter_map("not a cell", |(adjacency, labels)| {
            let operations: Vec<Op101> = labels.into_iter().map(|l| Op101::ALL[l]).collect();
            Cell101::pruned(adjacency, &operations).ok()
        })
    }

    proptest! {
        #[test]
        fn isomorphic_cells_keep_the_same_graph_and_hash(cell in any_cell()) {
            let (kept, hash) = (cell.kept(), cell.hash());
            prop_assert_eq!(kept.kept(), kept);
            prop_assert_eq!(kept.hash(), hash);
            prop_assert!(Cell101::from_packed(kept.packed()).is_some());
            let vertices = cell.vertices();
            let mut others = Vec::new();
            Graph::new(cell.adjacency(), vertices).orders(&mut |order, adjacency| {
                let labels = labels_in(order, vertices, |vertex| cell.label(vertex));
                others.push(Cell101::from_parts(adjacency, labels));
                true
            });
            prop_assert!(others.contains(&cell) && others.contains(&kept));
            for other in others {
                prop_assert_eq!(other.kept(), kept);
                prop_assert_eq!(other.hash(), hash);
                prop_assert!(kept.adjacency() <= other.adjacency());
            }
        }

        #[test]
        fn cells_survive_text_and_bits(cell in any_cell()) {
            prop_assert_eq!(cell.to_string().parse::<Cell101>(), Ok(cell));
            prop_assert_eq!(Cell101::from_packed(cell.packed()), Some(cell));
        }
    }
}
