//! Graphs as choices: whether each possible edge is there.

use super::graph::edge_bit;
use crate::space::{Choice, Value};

/// A yes or no for each edge among so many vertices, in the order of their bits, and after these the given
/// operations for each inner vertex.
pub(in crate::space) fn graph_choices(vertices: usize, operations: &[Value]) -> Vec<Choice> {
    let pairs = (1..vertices).flat_map(|to| (0..to).map(move |from| (from, to)));
    let edges = pairs.map(|(from, to)| {
        Choice::new(format!("{from}->{to}"), [Value::Flag(false), Value::Flag(true)])
    });
    let inner = (1..vertices - 1).map(|v| Choice::new(format!("op{v}"), operations.to_vec()));
    edges.chain(inner).collect()
}

/// The adjacency bits of options among so many vertices, and the operations.
pub(in crate::space) fn graph_of(vertices: usize, options: &[u16]) -> (u32, &[u16]) {
    let (edges, operations) = options.split_at(vertices * (vertices - 1) / 2);
    let bit = |(edge, &option): (u32, &u16)| u32::from(option) << edge;
    ((0..).zip(edges).map(bit).sum(), operations)
}

/// Options among so many vertices for a graph of fewer: its vertices come first, and its output is the
/// last.
pub(in crate::space) fn graph_options(
    vertices: usize,
    edges: impl Iterator<Item = (usize, usize)>,
    operations: &[u16],
) -> Vec<u16> {
    let output = operations.len() + 1;
    let first = vertices * (vertices - 1) / 2;
    let mut options = vec![0; first + vertices - 2];
    for (from, to) in edges {
        let to = if to == output { vertices - 1 } else { to };
        options[edge_bit(from, to).trailing_zeros() as usize] = 1;
    }
    options[first..first + operations.len()].copy_from_slice(operations);
    options
}
