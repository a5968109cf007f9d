//! Isomorphic numberings of a cell's vertices, and the benchmark's representative.
//!
//! The benchmark enumerates graphs by ascending vertex count, then ascending adjacency bits, then labels in
//! product order with vertex 1 changing slowest. It keeps the first of each isomorphism class: the one with
//! the smallest (adjacency, labels). Its numberings are topological: edges lead from smaller to larger
//! numbers.

use super::cell::Cell101;
use crate::space::dag::{Graph, VertexOrder};

/// Labels of vertices in a new order, packed as in a cell.
pub(super) fn labels_in(
    order: &VertexOrder,
    vertices: usize,
    label: impl Fn(usize) -> usize,
) -> u32 {
    (1..vertices - 1)
        .fold(0, |bits, place| bits | (label(order[place]) as u32) << (2 * (place - 1)))
}

/// The key by which labels are compared: two bits for each interior vertex, vertex 1 most significant.
pub(super) fn label_rank(labels: u32, vertices: usize) -> u32 {
    (0..vertices - 2).fold(0, |rank, place| rank << 2 | labels >> (2 * place) & 3)
}

impl Cell101 {
    /// The isomorphic cell that represents its class in the benchmark's table, with the channel counts and
    /// the parameters of that table.
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
