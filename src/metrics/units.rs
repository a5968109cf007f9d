//! The units in the names of metrics: latency_ms, area_mm2, energy_mj.

/// A physical quantity and its units.
pub(super) struct Quantity {
    /// The word for it in the names of metrics, and the unit that those must have, if it is fixed.
    pub fixed: Option<(&'static str, &'static str)>,
    /// The suffixes of its units, each with its factor to the base unit.
    pub units: &'static [(&'static str, f64)],
}

/// The quantities that metrics measure.
pub(super) const QUANTITIES: [Quantity; 7] = [
    Quantity {
        fixed: Some(("latency", "ms")),
        units: &[("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("s", 1.0)],
    },
    Quantity {
        fixed: Some(("area", "mm2")),
        units: &[("um2", 1e-12), ("mm2", 1e-6), ("cm2", 1e-4), ("m2", 1.0)],
    },
    Quantity {
        fixed: Some(("energy", "mj")),
        units: &[("pj", 1e-12), ("nj", 1e-9), ("uj", 1e-6), ("mj", 1e-3), ("j", 1.0), ("kj", 1e3)],
    },
    Quantity {
        fixed: Some(("power", "mw")),
        units: &[("uw", 1e-6), ("mw", 1e-3), ("w", 1.0), ("kw", 1e3)],
    },
    Quantity { fixed: None, units: &[("hz", 1.0), ("khz", 1e3), ("mhz", 1e6), ("ghz", 1e9)] },
    Quantity {
        fixed: None,
        units: &[
            ("b", 1.0),
            ("bytes", 1.0),
            ("kb", 1e3),
            ("mb", 1e6),
            ("gb", 1e9),
            ("kib", 1024.0),
            ("mib", 1_048_576.0),
            ("gib", 1_073_741_824.0),
        ],
    },
    Quantity { fixed: None, units: &[("percent", 0.01), ("fraction", 1.0)] },
];

/// Splits a name into stem and unit; the unit is an index into [`QUANTITIES`] and a factor.
fn parts(name: &str) -> (&str, Option<(usize, f64)>) {
    let Some((stem, suffix)) = name.rsplit_once('_') else { return (name, None) };
    let unit = QUANTITIES.iter().enumerate().find_map(|(quantity, known)| {
        known.units.iter().find(|(unit, _)| *unit == suffix).map(|(_, size)| (quantity, *size))
    });
    if unit.is_some() { (stem, unit) } else { (name, None) }
}

/// Returns a hint if a known name is the requested quantity in another unit.
///
/// The hint states the factor between the units, or that one of the names has no unit.
pub fn unit_hint<S: AsRef<str>>(asked: &str, known: &[S]) -> Option<String> {
    let (stem, unit) = parts(asked);
    known.iter().map(AsRef::as_ref).filter(|name| *name != asked).find_map(|name| {
        let (other_stem, other) = parts(name);
        if other_stem != stem {
            return None;
        }
        match (unit, other) {
            (Some((quantity, size)), Some((same, other_size))) if quantity == same => {
                let factor = size / other_size;
                let factor = if factor >= 1.0 {
                    format!("{asked} = {name} / {}", rounded(factor))
                } else {
                    format!("{asked} = {name} * {}", rounded(1.0 / factor))
                };
                Some(format!("`{name}` is the same in another unit: {factor}"))
            }
            (Some(_), None) => Some(format!(
                "is `{name}` meant? names end with their units: call it `{asked}` if it is in that unit"
            )),
            (None, Some(_)) => Some(format!("is `{name}` meant? names end with their units")),
            _ => None,
        }
    })
}

/// Formats a factor between units, rounded to three decimals.
fn rounded(factor: f64) -> String {
    let rounded = (factor * 1e3).round() / 1e3;
    format!("{rounded}")
}

/// Returns true if a metric is an accuracy, which is a fraction.
pub fn is_accuracy(name: &str) -> bool {
    name == "accuracy" || name.ends_with("_accuracy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_between_units_is_said() {
        let said = |asked: &str, known: &str| unit_hint(asked, &[known]);
        assert_eq!(
            said("latency_s", "latency_ms").unwrap(),
            "`latency_ms` is the same in another unit: latency_s = latency_ms / 1000"
        );
        assert_eq!(
            said("area_mm2", "area_cm2").unwrap(),
            "`area_cm2` is the same in another unit: area_mm2 = area_cm2 * 100"
        );
        assert!(said("latency_ms", "latency").unwrap().contains("call it `latency_ms`"));
        assert!(said("energy", "energy_mj").unwrap().contains("`energy_mj` meant"));
        assert_eq!(said("latency_ms", "latency_mj"), None);
        assert_eq!(said("latency_ms", "area_mm2"), None);
        assert_eq!(said("accuracy", "accuracy"), None);
    }
}
