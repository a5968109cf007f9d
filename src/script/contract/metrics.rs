//! Checks of the metrics that a script's functions return.

use rhai::{Dynamic, Map};

use crate::metrics::{Metrics, is_accuracy};
use crate::pareto::Objective;
use crate::script::compiled::{Compiled, missing};
use crate::script::metric_map::{LONGEST_NAME, is_name};
use crate::script::options::number;
use crate::script::truncate::brief_name;
use crate::script::{Diagnostic, Place};

/// The result that `evaluate(point)` must have, for messages.
const EXPECTED: &str = "a map of metrics";

/// The most metrics of a point.
const MAX_METRICS: usize = 1_000;

/// An example of such a result.
const EXAMPLE: &str = "write for example `#{ accuracy: 0.93, latency_ms: cost.latency_ms }`";

/// Reads the metrics that `evaluate(point)` returned.
///
/// Anything but finite numbers, an accuracy that is no fraction, or a missing objective is an error.
pub(in crate::script) fn evaluated(
    compiled: &Compiled,
    value: Dynamic,
    objectives: &[Objective],
) -> Result<Metrics, Diagnostic> {
    let map = value
        .try_cast_result::<Map>()
        .map_err(|value| compiled.returned("evaluate", &value, EXPECTED).with_help(EXAMPLE))?;
    let metrics = read(compiled, map, &|name| compiled.mention("evaluate", name))?;
    match objectives.iter().find(|objective| !metrics.contains_key(&objective.metric)) {
        None => Ok(metrics),
        Some(Objective { metric, .. }) => {
            let place = compiled.mention("objectives", metric);
            Err(missing("an objective of the experiment", metric, &metrics).in_place(place))
        }
    }
}

/// Reads the metrics that the screen of a phase returned; `place` finds the screen.
pub(in crate::script) fn screened(
    compiled: &Compiled,
    value: Dynamic,
    place: &dyn Fn() -> Option<Place>,
) -> Result<Metrics, Diagnostic> {
    let map = value.try_cast_result::<Map>().map_err(|value| {
        let kind = compiled.kind_of(&value);
        let message = format!("the screen returned {kind}; it must return {EXPECTED}");
        Diagnostic::new(message).with_help(EXAMPLE).in_place(place())
    })?;
    read(compiled, map, &|_| place())
}

fn read(
    compiled: &Compiled,
    map: Map,
    place: &dyn Fn(&str) -> Option<Place>,
) -> Result<Metrics, Diagnostic> {
    if map.len() > MAX_METRICS {
        let message =
            format!("there are {} metrics, and at most {MAX_METRICS} are kept", map.len());
        return Err(Diagnostic::new(message).in_place(place("")));
    }
    if let Some(name) = map.keys().find(|name| !is_name(name)) {
        let message = format!("`{}` is no name for a metric", brief_name(name));
        let help = format!("a name has from 1 to {LONGEST_NAME} bytes and is a line of text");
        return Err(Diagnostic::new(message).with_help(help).in_place(place("")));
    }
    map.into_iter()
        .map(|(name, value)| match number(&value) {
            Some(number) if is_plausible(&name, number) => Ok((name.to_string(), number)),
            number => Err(wrong(compiled, &name, &value, number).in_place(place(&name))),
        })
        .collect()
}

/// Returns true if a metric can have a value: a finite number, and for accuracies a fraction.
fn is_plausible(name: &str, value: f64) -> bool {
    value.is_finite() && ((0.0..=1.0).contains(&value) || !is_accuracy(name))
}

fn wrong(compiled: &Compiled, name: &str, value: &Dynamic, number: Option<f64>) -> Diagnostic {
    match number {
        Some(number) if number.is_nan() => Diagnostic::new(format!("metric `{name}` is NaN"))
            .with_help("it comes from 0.0 / 0.0, or the root or logarithm of a number below 0"),
        Some(number) if number.is_infinite() => {
            Diagnostic::new(format!("metric `{name}` is {number}"))
                .with_help("it comes from a division by 0.0, or the logarithm of 0")
        }
        Some(number) => {
            let diagnostic = Diagnostic::new(format!(
                "metric `{name}` is {number}, and an accuracy is a fraction from 0 to 1"
            ));
            if number > 1.0 && number <= 100.0 {
                diagnostic.with_help("divide it by 100: an accuracy of 93.2 % is 0.932")
            } else {
                diagnostic.with_help("call what is no accuracy by another name")
            }
        }
        None => {
            let kind = compiled.kind_of(value);
            let diagnostic =
                Diagnostic::new(format!("metric `{name}` is {kind}; a metric is a number"));
            match kind.as_str() {
                "a bool" => diagnostic.with_help("write `if flag { 1.0 } else { 0.0 }`"),
                "a function" => {
                    diagnostic.with_help("a function is called with parentheses, `name()`")
                }
                _ => diagnostic,
            }
        }
    }
}
