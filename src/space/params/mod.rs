//! Parts of named choices: listed values, integers, real numbers, subsets, permutations and nested parts,
//! with conditions and forbidden combinations.
//!
//! A [`Draft`] collects names and rules; [`Draft::finish`] turns it into a [`Mixed`], which is a
//! [`Domain`](super::Domain).
//!
//! - `range`: grids of integers and real numbers.
//! - `rule`: predicates over choices, evaluated once for all combinations that they distinguish.
//! - `param`: the fields of a part, and the choices that encode them.
//! - `condition`: conditions under which names are decided.
//! - `builder`: names and rules, checked as they are added.
//! - `count`: exact counts and uniform draws by variable elimination.
//! - `model`: a part as variables and factors for counting.
//! - `domain`: the finished part.
//! - `text`: conversion between combinations and readable texts.

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

/// Checks the values of a choice without a name: some, not too many, and with distinct texts.
///
/// # Errors
/// Returns an error if the values do not satisfy that, or if one contains a control character.
pub fn check_values(values: &[Value]) -> Result<(), MixedError> {
    param::distinct("choice()", values)
}
