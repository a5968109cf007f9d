//! Small directed acyclic graphs of which the first vertex is the input and the last the output: what
//! cells are made of.
//!
//! - `choices`: graphs as choices, and back.
//! - `graph`: edges as bits, pruning, and the numberings of a graph.
//! - `text`: `conv3x3(0) conv1x1(0,1) output(2)`, and back.

mod choices;
mod graph;
mod text;

pub(super) use choices::{graph_choices, graph_of, graph_options};
pub(super) use graph::{Graph, MAX_VERTICES, Order, edge_bit, has_edge, pruned};
pub(super) use text::{TextError, read, write};
