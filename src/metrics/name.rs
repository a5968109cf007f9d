//! The names of metrics, units included.

use super::units::QUANTITIES;

/// The maximum length of a name, in characters.
const LONGEST: usize = 64;

/// Reasons that a text is not the name of a metric.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricNameError {
    /// The name is not a letter followed by letters, digits and underscores, or is too long.
    #[error(
        "`{0}` is no name of a metric: it takes a letter, then letters, digits and _, at most 64 in all"
    )]
    Form(String),
    /// The unit is missing, or is not the one of this quantity.
    #[error("metric `{given}` is to be given in {unit}, as `{quantity}_{unit}`")]
    Unit {
        /// The name.
        given: String,
        /// The quantity, such as `latency`.
        quantity: &'static str,
        /// The unit of this quantity.
        unit: &'static str,
    },
    /// The name is `accuracy`, a metric of networks and not of accelerators.
    #[error("`accuracy` is of the network; an accelerator gives what running it costs")]
    Accuracy,
}

/// Checks the name of an accelerator's metric.
///
/// # Errors
/// If the name has the wrong form, is `accuracy`, or is a latency, area, energy or power without the unit ms,
/// mm2, mj or mw.
pub fn check_metric_name(name: &str) -> Result<(), MetricNameError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts || !name.chars().all(plain) || name.len() > LONGEST {
        let shown: String = name.chars().take(LONGEST).collect();
        return Err(MetricNameError::Form(shown));
    }
    if name == "accuracy" {
        return Err(MetricNameError::Accuracy);
    }
    for (quantity, unit) in QUANTITIES.iter().filter_map(|known| known.fixed) {
        let wrong = match name.strip_prefix(quantity) {
            Some("") => true,
            Some(rest) => {
                rest.strip_prefix('_').is_some_and(|given| given != unit && is_unit(given))
            }
            None => false,
        };
        if wrong {
            return Err(MetricNameError::Unit { given: name.to_owned(), quantity, unit });
        }
    }
    Ok(())
}

/// Returns true if a suffix is a unit of a quantity with a fixed unit; cycles are one, as a time at some
/// clock.
fn is_unit(suffix: &str) -> bool {
    let fixed = QUANTITIES.iter().filter(|known| known.fixed.is_some());
    suffix == "cycles" || fixed.flat_map(|known| known.units).any(|(unit, _)| *unit == suffix)
}

/// Returns true if a text can name a device, a column or a table: 1 to 64 of a-z, 0-9, `_` and `-`.
pub(crate) fn is_plain_word(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    (1..=LONGEST).contains(&text.len()) && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_everywhere_else() {
        for name in
            ["latency_ms", "area_mm2", "energy_mj", "power_mw", "dsp", "img_s_cm2", "area_use"]
        {
            assert_eq!(check_metric_name(name), Ok(()), "{name}");
        }
        let message = |name: &str| check_metric_name(name).unwrap_err().to_string();
        assert_eq!(message("latency"), "metric `latency` is to be given in ms, as `latency_ms`");
        assert_eq!(message("energy_uj"), "metric `energy_uj` is to be given in mj, as `energy_mj`");
        assert_eq!(message("area_ms"), "metric `area_ms` is to be given in mm2, as `area_mm2`");
        assert!(message("accuracy").starts_with("`accuracy` is of the network"));
        for name in ["", "Latency", "latency ms", "1st", "_x", &"x".repeat(65)] {
            assert!(message(name).contains("is no name of a metric"), "{name}");
        }
    }
}
