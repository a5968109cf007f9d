//! Questions about stored trials: Rhai expressions over the values of a trial.
//!
//! An [`Asker`] compiles expressions; one that is bound to what there is in some runs gives a value,
//! or yes and no, for every trial of a stretch. Conditions that only compare columns with numbers and
//! texts are answered from the columns, without the interpreter.

mod columnar;
mod compiler;
mod expression;
mod names;
mod run_context;
mod sources;
mod stored_script;

pub use compiler::{Asker, QueryError};
pub use expression::{Bound, Expression, Known};
pub use run_context::Facts;

#[cfg(test)]
mod tests;
