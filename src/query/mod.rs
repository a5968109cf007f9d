//! Queries of stored trials: search, sorting, groups with their aggregates, and rescoring with another
//! reward.
//!
//! Trials are read a block at a time, several blocks at once on all threads; results do not depend on
//! the number of threads. Only these blocks and the results are in memory.

mod aggregate;
mod expr;
mod find;
mod frontier;
mod groups;
mod known_names;
mod rescore;
mod scan;
mod selection;
mod value;

pub use aggregate::{Aggregate, AggregateError, AggregateFunction};
pub use expr::{
    BoundExpression, Expression, ExpressionCompiler, KnownNames, QueryError, RunContext,
};
pub use find::{FoundTrials, Hit, SortKey, find};
pub use frontier::frontier;
pub use groups::{Grouping, TrialGroup, group};
pub use known_names::known;
pub use rescore::{Ranking, Rescored, RescoredTrial, rank, rescore};
pub use scan::{QuestionError, scan};
pub use selection::{SelectedRun, select};
pub use value::QueryValue;
