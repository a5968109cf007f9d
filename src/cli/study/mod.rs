//! `tandem study`: strategies x scenarios x repeats, compared.

mod command;
mod exact;
mod experiments;
mod page;
mod tables;
mod verdict;

pub use command::{Args, run};
