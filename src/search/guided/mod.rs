//! Search guided by what the trials so far predict.

mod features;
mod scores;
mod strategy;
mod surrogate;

pub use strategy::Guided;
