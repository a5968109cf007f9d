//! The module `objective`: objectives as values, which the services evaluates natively.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, Map, Module, NativeCallContext};

use super::reward::Rejected;
use crate::metrics::unit_hint;
use crate::pareto::{Limit, MissingMetric, Term, Weighted};
use crate::script::diagnostic::meant_or_known;
use crate::script::native::{name_type, native};
use crate::script::options::{described, error_at_call, error_at_call_with_help, number};

/// The default ranges of metrics, each from worst to best.
///
/// They span NASBench-101 and NAS-Bench-201 on the CHaiDNN accelerator at 100 MHz.
const RANGES: [(&str, f64, f64); 3] =
    [("accuracy", 0.0, 1.0), ("latency_ms", 2_000.0, 0.0), ("area_mm2", 400.0, 0.0)];

pub(super) fn register(engine: &mut Engine, globals: &mut Module) {
    register_objective(globals);
    let mut module = Module::new();
    module.set_doc(
        "Objectives as values. They may stand wherever a reward may: the host evaluates them without the \
         script, over billions of pairs in a sweep.",
    );
    native! { &mut module =>
        /// A weighted sum of metrics, each normalized linearly so that its worst value counts 0 and its best 1:
        /// the reward of Codesign-NAS. `weights` has a finite number for each metric. The ranges are those that
        /// span NASBench-101 and NAS-Bench-201 on CHaiDNN at 100 MHz, from worst to best: `accuracy` 0 to 1,
        /// `latency_ms` 2000 to 0, `area_mm2` 400 to 0. A metric beyond its range counts below 0 or above 1.
        ///
        /// ```rhai
        /// let objective = objective::weighted(#{ accuracy: 0.9, area_mm2: 0.1 });
        /// objective.reward(#{ accuracy: 0.8, area_mm2: 200.0 }) // => 0.77
        /// ```
        fn weighted(weights: Map) -> Objective = |context: NativeCallContext, weights: Map| {
            weighted(&context, weights, Map::new())
        };
        /// A weighted sum of metrics, normalized by the given ranges: `[worst, best]` for each metric, two
        /// different finite numbers. A metric that has none takes that of `objective::weighted(weights)`, and is
        /// refused if there is none either.
        ///
        /// ```rhai
        /// let objective = objective::weighted(#{ energy_mj: 1.0 }, #{ energy_mj: [50.0, 0.0] });
        /// objective.reward(#{ energy_mj: 10.0 }) // => 0.8
        /// ```
        fn weighted(weights: Map, ranges: Map) -> Objective =
            |context: NativeCallContext, weights: Map, ranges: Map| {
                weighted(&context, weights, ranges)
            };
    }
    engine.register_static_module("objective", module.into());
}

fn register_objective(globals: &mut Module) {
    type O = Arc<Weighted>;
    name_type::<O>(
        globals,
        "Objective",
        "A weighted sum of normalised metrics, for the pairs within its limits.",
    );
    native! { globals =>
        /// The objective in words.
        ///
        /// ```rhai
        /// objective::weighted(#{ accuracy: 1.0 }).subject_to("latency_ms <= 100").to_string() // => 1 accuracy [0, 1] subject to latency_ms <= 100
        /// ```
        fn to_string(objective: Objective) -> String = |objective: &mut O| objective.to_string();
        /// The objective with one limit more, written as a metric, one of `<`, `<=`, `>`, `>=`, and a number. A
        /// pair beyond a limit is rejected, and its reward is minus the sum of what it is beyond, relative to
        /// the limits, at least -1.
        ///
        /// ```rhai
        /// let objective = objective::weighted(#{ accuracy: 1.0 }).subject_to("latency_ms <= 100");
        /// objective.reward(#{ accuracy: 0.9, latency_ms: 80.0 })  // => 0.9
        /// objective.reward(#{ accuracy: 0.9, latency_ms: 120.0 }) // => reject(-0.2)
        /// ```
        fn subject_to(objective: Objective, limit: String) -> Objective = subject_to;
        /// The reward of a pair with these metrics: a number, or for a pair beyond a limit what `reject` gives.
        /// A metric that the objective is about must be there.
        ///
        /// ```rhai
        /// objective::weighted(#{ accuracy: 2.0 }).reward(#{ accuracy: 0.75 }) // => 1.5
        /// ```
        fn reward(objective: Objective, metrics: Map) -> Dynamic = reward;
    }
}

fn weighted(
    context: &NativeCallContext,
    weights: Map,
    mut ranges: Map,
) -> Result<Arc<Weighted>, Box<EvalAltResult>> {
    let mut terms = BTreeMap::new();
    for (name, weight) in weights {
        let finite = number(&weight).filter(|weight| weight.is_finite());
        let weight = finite.ok_or_else(|| {
            let weight = described(context, &weight);
            error_at_call(
                context,
                format!("the weight of {name} is {weight}; it must be a finite number"),
            )
        })?;
        let (worst, best) = match ranges.remove(name.as_str()) {
            Some(range) => read_range(&range).ok_or_else(|| {
                let reason = format!(
                    "the range of {name} is {range}; it must be [worst, best], two different \
                     finite numbers"
                );
                error_at_call(context, reason)
            })?,
            None => RANGES
                .iter()
                .find(|(known, _, _)| *known == name.as_str())
                .map(|&(_, worst, best)| (worst, best))
                .ok_or_else(|| {
                    let reason = format!(
                        "objective::weighted needs the range of {name}: give \
                         `#{{ {name}: [worst, best] }}` as the second argument"
                    );
                    match unit_hint(&name, &RANGES.map(|(known, _, _)| known)) {
                        Some(hint) => error_at_call_with_help(context, reason, &hint),
                        None => error_at_call(context, reason),
                    }
                })?,
        };
        terms.insert(name.to_string(), Term { weight, worst, best });
    }
    if terms.is_empty() {
        return Err(error_at_call(context, "objective::weighted needs at least one weight"));
    }
    Ok(Arc::new(Weighted { terms, limits: Vec::new() }))
}

fn read_range(range: &Dynamic) -> Option<(f64, f64)> {
    let ends = range.read_lock::<rhai::Array>()?;
    let [worst, best] = ends.as_slice() else { return None };
    let (worst, best) = (number(worst)?, number(best)?);
    (worst.is_finite() && best.is_finite() && worst != best).then_some((worst, best))
}

fn subject_to(
    context: NativeCallContext,
    objective: Arc<Weighted>,
    limit: &str,
) -> Result<Arc<Weighted>, Box<EvalAltResult>> {
    let limit: Limit =
        limit.parse().map_err(|error| error_at_call(&context, format!("subject_to: {error}")))?;
    let mut objective = Weighted::clone(&objective);
    objective.limits.push(limit);
    Ok(Arc::new(objective))
}

fn reward(
    context: NativeCallContext,
    objective: Arc<Weighted>,
    metrics: Map,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let metric = |name: &str| metrics.get(name).and_then(number);
    let worth = objective.worth(metric).map_err(|MissingMetric(metric)| {
        let reason = format!("the objective is about `{metric}`, and there is no such metric");
        let known: Vec<&str> = metrics.keys().map(|name| name.as_str()).collect();
        let help =
            unit_hint(&metric, &known).or_else(|| meant_or_known(&metric, &known, "there are"));
        match help {
            Some(help) => error_at_call_with_help(&context, reason, &help),
            None => error_at_call(&context, reason),
        }
    })?;
    Ok(if worth.valid { worth.reward.into() } else { Dynamic::from(Rejected(worth.reward)) })
}
