//! Queries of stored trials: search, sorting, groups with their aggregates, and rescoring with another
//! reward.
//!
//! Trials are read a stretch at a time, several stretches at once on all threads; results do not depend on
//! the number of threads. Only these stretches and the results are in memory.

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

pub use aggregate::{Aggregate, AggregateError, Function};
pub use expr::{Asker, Bound, Expression, Facts, Known, QueryError};
pub use find::{Found, Hit, Order, find};
pub use frontier::frontier;
pub use groups::{Group, Grouping, group};
pub use known_names::known;
pub use rescore::{Judged, Ranking, Rescored, rank, rescore};
pub use scan::{QuestionError, scan};
pub use selection::{Subject, select};
pub use value::Value;
