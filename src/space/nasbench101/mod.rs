//! The NASBench-101 cell, its isomorphism classes, and the space of all of them.
//!
//! Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search" (ICML 2019): a cell
//! is a directed acyclic graph of at most 7 vertices and 9 edges; the first vertex is its input,
//! the last its output, and each of the others has one of three operations. Up to isomorphism
//! there are 423,624 cells.

mod catalog;
mod cell;
mod channels;
mod domain;
mod hash;
mod order;

#[cfg(test)]
pub(crate) use catalog::tests::all as every_cell;
pub use catalog::{CELL_COUNT, Catalog};
pub use cell::{Cell101, Cell101Error, MAX_EDGES, MAX_VERTICES, Op101};
pub use channels::vertex_channels;
pub use domain::Nasbench101Space;
pub use hash::CellHash;
