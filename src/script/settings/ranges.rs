//! Ranges of settings.

use super::{Settings, SettingsError};
use crate::run::{Threshold, ThresholdError};
use crate::script::diagnostic::Diagnostic;
use crate::script::yaml::PathTarget;

/// The most threads.
const MAX_THREADS: usize = 1_024;

/// The most best pairs that a sweep keeps for each objective.
pub(in crate::script) const MAX_TOP: usize = 100_000;

impl Settings {
    /// Checks every setting against its range.
    ///
    /// # Errors
    /// The first setting that is out of range, or a threshold that does not parse.
    pub fn validate(&self) -> Result<(), SettingsError> {
        for (key, value) in [("steps", self.steps), ("threads", self.threads.map(|n| n as u64))] {
            if value == Some(0) {
                return Err(self.out_of_range(&[key], "0", "at least 1"));
            }
        }
        for (key, value, most, expected) in [
            ("threads", self.threads, MAX_THREADS, "at most 1024"),
            ("top", self.top, MAX_TOP, "at most 100000"),
        ] {
            if let Some(value) = value.filter(|&value| value > most) {
                return Err(self.out_of_range(&[key], &value.to_string(), expected));
            }
        }
        self.validate_limits()?;
        self.validate_thresholds()
    }

    fn validate_limits(&self) -> Result<(), SettingsError> {
        for (name, count, most) in self.limits.counts() {
            if count == 0 || count > most {
                let expected =
                    if count == 0 { "at least 1".to_owned() } else { format!("at most {most}") };
                return Err(self.out_of_range(&["limits", name], &count.to_string(), &expected));
            }
        }
        let seconds = self.limits.seconds;
        if !(seconds.is_finite() && seconds >= 0.0) {
            let expected = "a number of seconds, or 0 for no limit";
            let keys = ["limits", "seconds"];
            return Err(self.out_of_range(&keys, &seconds.to_string(), expected));
        }
        Ok(())
    }

    fn validate_thresholds(&self) -> Result<(), SettingsError> {
        for (index, text) in self.thresholds.iter().enumerate() {
            text.parse::<Threshold>().map_err(|error: ThresholdError| {
                let diagnostic = Diagnostic::new(format!("the setting `thresholds`: {error}"));
                self.written.refuse(
                    &["thresholds", &index.to_string()],
                    PathTarget::Value,
                    diagnostic,
                )
            })?;
        }
        Ok(())
    }

    fn out_of_range(&self, keys: &[&str], value: &str, expected: &str) -> SettingsError {
        let (key, value, expected) = (keys.join("."), value.to_owned(), expected.to_owned());
        if self.written.place(keys, PathTarget::Value).is_none() {
            return SettingsError::Range { key, value, expected };
        }
        let message = format!("the setting `{key}` is {value}; it must be {expected}");
        self.written.refuse(keys, PathTarget::Value, Diagnostic::new(message))
    }
}
