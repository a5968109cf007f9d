//! The test accuracies of all NASBench-101 cells, from a table that the user imports.
//!
//! Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search" (ICML 2019): each cell was
//! trained three times on CIFAR-10 for 108 epochs.

mod import;
mod official;
pub mod predictor;
mod table;
mod tfrecord;

pub use import::{ImportError, ImportedNasbench101, import};
pub use table::{Nasbench101Table, Nasbench101TableError};
