//! Dominance, frontiers and hypervolume.

mod frontier;
mod hypervolume;
mod objective;

pub use frontier::Frontier;
pub use hypervolume::hypervolume;
pub use objective::{Direction, Objective, ParseObjectiveError, costs, dominance};
