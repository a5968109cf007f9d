//! `tandem study`: strategies x scenarios x repeats, compared.

mod command;
mod exact;
mod experiments;
mod judged;
mod page;
mod tables;

pub use command::{Args, run};
