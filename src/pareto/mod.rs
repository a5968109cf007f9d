//! Dominance, frontiers and hypervolume.

mod cost_tree;
mod dominance;
mod frontier;
mod hypervolume;
mod objective;
mod weighted;

pub use dominance::{compare_costs, dominance, dominates};
pub use frontier::Frontier;
pub use hypervolume::{hypervolume, hypervolume_within};
pub use objective::{Direction, MissingMetric, Objective, ParseObjectiveError, costs};
pub use weighted::{Limit, ParseLimitError, Relation, Term, Weighted, Worth};
