//! Metrics: named numbers of a pair, and the units in their names.

mod name;
mod origin;
pub(super) mod units;

use std::collections::BTreeMap;

pub(crate) use name::is_plain_word;
pub use name::{MetricNameError, check_metric_name};
pub use origin::{Origin, Trust};
pub use units::{is_accuracy, unit_hint};

/// Named numbers of a pair; every one is finite, and its unit is part of its name.
pub type Metrics = BTreeMap<String, f64>;
