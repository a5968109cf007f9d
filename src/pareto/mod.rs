//! Dominance, frontiers and hypervolume.

mod frontier;
mod hypervolume;
mod objective;
mod weighted;

pub use frontier::Frontier;
pub use hypervolume::{hypervolume, hypervolume_within};
pub use objective::{Direction, Objective, ParseObjectiveError, compare_costs, costs, dominance};
pub use weighted::{Limit, ParseLimitError, Relation, Term, Weighted, Worth};
