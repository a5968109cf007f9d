//! Search spaces: choices, the parts that they form, points, and exact counts.
//!
//! A [`Space`] has named parts. A [`Domain`] is the structure of a part: a list of choices and the rule for
//! the legal combinations of their options. A [`Point`] has one option for each choice. A [`Subspace`] is the
//! part of a space that one phase of a run searches.

pub mod cells;
mod choice;
mod dag;
mod domain;
pub mod mobilenet;
pub mod nasbench101;
pub mod nasbench201;
mod options;
pub mod params;
#[expect(clippy::module_inception, reason = "the module is named after its main type")]
mod space;

pub use choice::{Choice, Value};
pub(crate) use domain::combination;
pub use domain::{Domain, Illegal};
pub use options::SingleChoice;
pub(crate) use options::shown;
pub use space::{Part, Point, Space, SpaceError, Subspace};
