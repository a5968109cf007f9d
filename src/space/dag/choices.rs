//! Graphs as choices: one for each possible edge, one for the operation of each inner vertex.

use super::graph::edge_bit;
use crate::space::{Choice, Value};

/// The choices of graphs with `vertices` vertices: a flag for each edge, in the order of its bit, then one of
/// the given operations for each inner vertex.
pub(in crate::space) fn graph_choices(vertices: usize, operations: &[Value]) -> Vec<Choice> {
    let pairs = (1..vertices).flat_map(|to| (0..to).map(move |from| (from, to)));
    let edges = pairs.map(|(from, to)| {
        Choice::new(format!("{from}->{to}"), [Value::Flag(false), Value::Flag(true)])
    });
    let inner = (1..vertices - 1).map(|v| Choice::new(format!("op{v}"), operations.to_vec()));
    edges.chain(inner).collect()
}

/// The adjacency bits and the operations that options of a graph with `vertices` vertices stand for.
pub(in crate::space) fn graph_of(vertices: usize, options: &[u16]) -> (u32, &[u16]) {
    let (edges, operations) = options.split_at(vertices * (vertices - 1) / 2);
    let bit = |(edge, &option): (u32, &u16)| u32::from(option) << edge;
    ((0..).zip(edges).map(bit).sum(), operations)
}

/// The options, among `vertices` vertices, of a graph that may have fewer: its vertices come first, and its
/// output is the last vertex.
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
