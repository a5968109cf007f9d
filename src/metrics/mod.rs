//! Metrics: named numbers of a pair, with units in their names.

mod name;
mod origin;
pub(super) mod units;

use std::collections::BTreeMap;

pub(crate) use name::is_plain_word;
pub use name::{MetricNameError, check_metric_name};
pub use origin::{Origin, Trust};
pub use units::{is_accuracy, unit_hint};

/// Finite numbers of a pair by name; the name includes the unit.
pub type Metrics = BTreeMap<String, f64>;
