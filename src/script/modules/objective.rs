//! The module `objective`: objectives as values, which the host can evaluate natively.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration, Map, Module, NativeCallContext};

use super::reward::Rejected;
use crate::pareto::{Limit, Term, Weighted};
use crate::script::options::{number, refuse};

/// The ranges that are used where a script gives none, each from worst to best.
///
/// They span NASBench-101 and NAS-Bench-201 on the CHaiDNN accelerator at 100 MHz.
const RANGES: [(&str, f64, f64); 3] =
    [("accuracy", 0.0, 1.0), ("latency_ms", 2_000.0, 0.0), ("area_mm2", 400.0, 0.0)];

pub(super) fn register(engine: &mut Engine) {
    type O = Arc<Weighted>;
    engine.register_type_with_name::<O>("Objective");
    engine.register_fn("to_string", |objective: &mut O| objective.to_string());
    engine.register_fn("subject_to", subject_to);
    engine.register_fn("reward", reward);

    let mut module = Module::new();
    FuncRegistration::new("weighted")
        .set_into_module(&mut module, |context: NativeCallContext, weights: Map| {
            weighted(&context, weights, Map::new())
        });
    FuncRegistration::new("weighted")
        .set_into_module(&mut module, |context: NativeCallContext, weights: Map, ranges: Map| {
            weighted(&context, weights, ranges)
        });
    engine.register_static_module("objective", module.into());
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
            refuse(context, format!("the weight of {name} is {weight}; it must be a finite number"))
        })?;
        let (worst, best) = match ranges.remove(name.as_str()) {
            Some(range) => read_range(&range).ok_or_else(|| {
                let reason = format!(
                    "the range of {name} is {range}; it must be [worst, best], two different \
                     finite numbers"
                );
                refuse(context, reason)
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
                    refuse(context, reason)
                })?,
        };
        terms.insert(name.to_string(), Term { weight, worst, best });
    }
    if terms.is_empty() {
        return Err(refuse(context, "objective::weighted needs at least one weight"));
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
        limit.parse().map_err(|error| refuse(&context, format!("subject_to: {error}")))?;
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
    let worth = objective.worth(metric).map_err(|metric| {
        refuse(&context, format!("the objective is about `{metric}`, and there is no such metric"))
    })?;
    Ok(if worth.valid { worth.reward.into() } else { Dynamic::from(Rejected(worth.reward)) })
}
