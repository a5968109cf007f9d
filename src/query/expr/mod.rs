//! Expressions of queries: Rhai expressions over the values of a trial.
//!
//! An [`ExpressionCompiler`] compiles expressions. Bound to the names of some runs, an expression has a value, or is true
//! or false, for every trial of a block. Conditions that only compare columns with numbers and texts are
//! evaluated on the columns, without the interpreter.

mod column;
mod columnar;
mod compiler;
mod error;
mod expression;
mod input;
mod names;
mod run_context;
mod sources;
mod stored_script;

pub use compiler::ExpressionCompiler;
pub use error::QueryError;
pub use expression::{BoundExpression, Expression, KnownNames};
pub use run_context::RunContext;

#[cfg(test)]
mod tests;
