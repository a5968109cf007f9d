//! Parts of named choices: listed values, whole numbers, real numbers, choices that are decided
//! only under a condition, and combinations that are forbidden.
//!
//! A [`Draft`] collects choices and rules, and [`Draft::finish`] makes a [`Mixed`] of it, which is a
//! [`Domain`](super::Domain).
//!
//! - `range`: the grids of whole and real numbers.
//! - `rule`: predicates over choices, asked once for everything they can tell apart.
//! - `count`: exact counts and uniform draws by variable elimination.
//! - `draft`: choices and rules, checked as they are added.
//! - `domain`: the finished part.
//! - `text`: combinations as readable texts, and back.

mod count;
mod domain;
mod draft;
mod range;
mod rule;
#[cfg(test)]
mod tests;
mod text;

pub use domain::Mixed;
pub use draft::{Draft, MixedError};
pub use range::{DEFAULT_STEPS, RangeError, integers, powers_of_two, reals};
pub use rule::{MOST_QUESTIONS, Rule, RuleError, Trail};
