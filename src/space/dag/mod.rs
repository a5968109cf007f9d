//! Small directed acyclic graphs, as used by cells; the first vertex is the input, the last the output.
//!
//! - `choices`: conversion between graphs and choices.
//! - `graph`: edges as bits, pruning, and topological orders.
//! - `text`: conversion between graphs and texts such as `conv3x3(0) conv1x1(0,1) output(2)`.

mod choices;
mod graph;
mod text;

pub(super) use choices::{graph_choices, graph_of, graph_options};
pub(super) use graph::{Graph, MAX_VERTICES, VertexOrder, edge_bit, has_edge, pruned};
pub(super) use text::{TextError, read, write};
