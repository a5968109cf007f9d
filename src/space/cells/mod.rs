//! Custom cells: directed acyclic graphs with an operation for each inner vertex, as in NASBench-101, but
//! with any operations and up to 8 vertices.
//!
//! - `cell`: a pruned cell in the numbering shared by isomorphic cells.
//! - `catalog`: all graphs of such cells, their exact count, and uniform draws.
//! - `domain`: the cells as a part of a space.

mod catalog;
mod cell;
mod domain;
mod labellings;

pub use cell::{Cell, CellError, Operations};
pub use domain::CellSpace;
