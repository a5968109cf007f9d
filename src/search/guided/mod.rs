//! Search guided by a surrogate model of the trials so far.

mod features;
mod scores;
mod strategy;
mod surrogate;

pub use strategy::Guided;
