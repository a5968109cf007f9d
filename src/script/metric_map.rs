//! Metrics as values of scripts, and valid names.

use rhai::{Dynamic, Map};

use crate::metrics::Metrics;

/// The longest name of a metric, part or phase, in bytes.
pub(in crate::script) const LONGEST_NAME: usize = 100;

/// Converts metrics to a map of a script.
pub(in crate::script) fn script_map(metrics: &Metrics) -> Dynamic {
    // Neither collected nor converted, which would sort them and build the map anew.
    let mut map = Map::new();
    for (name, &value) in metrics {
        map.insert(name.as_str().into(), value.into());
    }
    Dynamic::from_map(map)
}

/// Returns true if a text can name a metric, part or phase: up to 100 bytes, no control characters.
pub(in crate::script) fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len()) && !text.contains(char::is_control)
}
