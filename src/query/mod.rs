//! Questions about stored trials: which there are, in what order, what groups of them come to, and
//! what another reward would make of them.
//!
//! Trials are read a stretch at a time, some stretches at once on all threads; what is found does not
//! depend on how many. No more than some stretches are in memory, and what was found of them.

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
