//! Metrics as scripts see them, and the names that they may have.

use rhai::{Dynamic, Map};

use crate::metrics::Metrics;

/// The longest name of something that is kept and shown, in bytes.
pub(in crate::script) const LONGEST_NAME: usize = 100;

/// Metrics as scripts see them.
pub(in crate::script) fn script_map(metrics: &Metrics) -> Dynamic {
    // Neither collected nor converted, which would sort them and build the map anew.
    let mut map = Map::new();
    for (name, &value) in metrics {
        map.insert(name.as_str().into(), value.into());
    }
    Dynamic::from_map(map)
}

/// Whether a text may be the name of something that is kept and shown: a metric, a part, a phase.
pub(in crate::script) fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len()) && !text.contains(char::is_control)
}
