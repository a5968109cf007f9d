//! Questions about stored trials: Rhai expressions over the values of a trial.
//!
//! An [`Asker`] compiles expressions; one that is bound to what there is in some runs gives a value,
//! or yes and no, for every trial of a stretch. Conditions that only compare columns with numbers and
//! texts are answered from the columns, without the interpreter.

mod asker;
mod expression;
mod facts;
mod names;
mod native;
mod stored;

pub use asker::{Asker, QueryError};
pub use expression::{Bound, Expression, Known};
pub use facts::Facts;

#[cfg(test)]
mod tests;
