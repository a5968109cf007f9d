//! Parts of named choices: listed values, whole numbers, real numbers, subsets, orders, parts within
//! parts, names that are decided only under a condition, and combinations that are forbidden.
//!
//! A [`Draft`] collects names and rules, and [`Draft::finish`] makes a [`Mixed`] of it, which is a
//! [`Domain`](super::Domain).
//!
//! - `range`: the grids of whole and real numbers.
//! - `rule`: predicates over choices, asked once for everything they can tell apart.
//! - `param`: what a name stands for, and the choices that encode it.
//! - `condition`: when something is decided.
//! - `builder`: names and rules, checked as they are added.
//! - `count`: exact counts and uniform draws by variable elimination.
//! - `model`: a part as the variables and factors of such a count.
//! - `domain`: the finished part.
//! - `text`: combinations as readable texts, and back.

mod builder;
mod condition;
mod count;
mod domain;
mod error;
mod model;
mod param;
mod range;
mod rule;
#[cfg(test)]
mod tests;
mod text;

pub use builder::{Content, Draft};
pub use domain::{Chosen, Mixed};
pub use error::MixedError;
pub use param::{Field, Leaf, Name};
pub use range::{DEFAULT_STEPS, RangeError, integers, powers_of_two, reals};
pub use rule::{MAX_QUESTIONS, Rule, RuleError, Trail};

use super::Value;

/// Refuses the values of a choice of its own that are none, too many, or not told apart by their texts.
///
/// # Errors
/// As said.
pub fn check_values(values: &[Value]) -> Result<(), MixedError> {
    param::distinct("choice()", values)
}
