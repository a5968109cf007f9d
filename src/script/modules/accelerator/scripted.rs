//! Accelerators defined by scripts.

use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, NativeCallContext, Position};

use crate::accel::{Breakdown, LayerCost, PartCost};
use crate::metrics::{Metrics, check_metric_name};
use crate::run::Failure;
use crate::script::diagnostic::{a_type, type_name};
use crate::script::modules::Closure;
use crate::script::modules::part_value::ScriptDraft;
use crate::script::modules::part_value::ScriptPart;
use crate::script::options::{error_at_call, number};
use crate::script::services::{ScriptNetwork, Services, Traced};

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// The form of the function `estimate`, for messages.
pub(super) const FORM: &str =
    "a function of a network and a configuration, such as |net, config| #{ latency_ms: 1.0 }";

/// The entries of an estimate that are not metrics.
const LAYERS: &str = "layers";
const PARTS: &str = "parts";

/// An accelerator that a script defines.
pub(in crate::script) struct Scripted {
    name: String,
    space: SpaceSource,
    estimate: Closure,
}

/// The source of the space.
pub(super) enum SpaceSource {
    /// A value.
    Given(Dynamic),
    /// A function that returns it.
    Made(Closure),
}

/// Returns true if a value can be a space: a part, a draft of one, or a map of parts.
pub(super) fn is_space(value: &Dynamic) -> bool {
    value.is::<ScriptPart>() || value.is::<ScriptDraft>() || value.is::<Map>()
}

/// The result of a script's estimate of a pair.
struct Cost {
    metrics: Map,
    layers: Option<Dynamic>,
    parts: Option<Dynamic>,
}

impl Scripted {
    pub(super) fn new(name: &str, space: SpaceSource, estimate: Closure) -> Self {
        Self { name: name.to_owned(), space, estimate }
    }

    /// Returns the nesting depth of the values that its functions have captured.
    pub(super) const fn levels(&self) -> usize {
        let estimate = self.estimate.levels();
        match &self.space {
            SpaceSource::Made(space) if space.levels() > estimate => space.levels(),
            _ => estimate,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the space that the script gives; `position` is the place of errors.
    pub(super) fn space(&self, engine: &Engine, position: Position) -> Fallible<Dynamic> {
        let space = match &self.space {
            SpaceSource::Given(space) => return Ok(space.clone()),
            SpaceSource::Made(function) => function.call(engine, []).map_err(|error| {
                self.explain((function, "space", "a function of nothing"), error, position)
            })?,
        };
        if is_space(&space) {
            return Ok(space);
        }
        let kind = a_type(type_name(space.type_name()));
        let reason =
            format!("the space of accelerator `{}` is {kind}, not a part of a space", self.name);
        Err(failed(reason, position))
    }

    /// Returns the metrics of a pair for a script, and records the use of the accelerator.
    pub(super) fn cost(
        &self,
        context: &NativeCallContext,
        services: &Services,
        net: Dynamic,
        configuration: Dynamic,
    ) -> Fallible<Map> {
        let network = net.read_lock::<ScriptNetwork>().map(|network| network.clone());
        let cost = self.ask(context.engine(), context.call_position(), [net, configuration])?;
        let Cost { metrics, layers, parts } =
            cost.map_err(|reason| error_at_call(context, self.within(&reason)))?;
        services.used_scripted(&self.name);
        services.trace(|| Traced {
            accelerator: self.name.clone(),
            breakdown: breakdown(layers, parts)
                .map_err(|reason| Failure::new(self.within(&reason))),
            network,
        });
        Ok(metrics)
    }

    /// Returns the metrics of a pair for a sweep.
    pub(in crate::script) fn estimate(
        &self,
        engine: &Engine,
        network: Dynamic,
        configuration: Dynamic,
    ) -> Fallible<Metrics> {
        let cost = self.ask(engine, Position::NONE, [network, configuration])?;
        let metrics = cost.map_err(|reason| self.within(&reason))?.metrics;
        let number = |value: &Dynamic| number(value).unwrap_or(f64::NAN);
        Ok(metrics.iter().map(|(name, value)| (name.to_string(), number(value))).collect())
    }

    /// Calls the script's function; the inner error is about its result.
    fn ask(
        &self,
        engine: &Engine,
        position: Position,
        pair: [Dynamic; 2],
    ) -> Fallible<Result<Cost, String>> {
        let value = self
            .estimate
            .call(engine, pair)
            .map_err(|error| self.explain((&self.estimate, "estimate", FORM), error, position))?;
        Ok(Cost::read(value))
    }

    fn within(&self, reason: &str) -> String {
        format!("the estimate of accelerator `{}` {reason}", self.name)
    }

    /// Explains a function with a wrong number of parameters, which the engine reports as unknown.
    fn explain(
        &self,
        (function, what, form): (&Closure, &str, &str),
        error: Box<EvalAltResult>,
        position: Position,
    ) -> Box<EvalAltResult> {
        match &*error {
            EvalAltResult::ErrorFunctionNotFound(signature, _)
                if signature.starts_with(function.name()) =>
            {
                let reason = format!("`{what}` of accelerator `{}` must be {form}", self.name);
                failed(reason, position)
            }
            _ => error,
        }
    }
}

impl Cost {
    fn read(value: Dynamic) -> Result<Self, String> {
        let kind = a_type(type_name(value.type_name()));
        let mut metrics =
            value.try_cast::<Map>().ok_or_else(|| format!("is {kind}, not a map of metrics"))?;
        let (layers, parts) = (metrics.remove(LAYERS), metrics.remove(PARTS));
        if metrics.is_empty() {
            return Err("has no metrics; it gives for example #{ latency_ms: 1.0 }".to_owned());
        }
        for (name, value) in &mut metrics {
            *value = metric(name, value)?.into();
        }
        Ok(Self { metrics, layers, parts })
    }
}

fn failed(reason: String, position: Position) -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorRuntime(reason.into(), position))
}

/// Returns the value of a metric; an invalid name, or anything but a finite number, is an error.
fn metric(name: &str, value: &Dynamic) -> Result<f64, String> {
    check_metric_name(name).map_err(|error| format!("is wrong: {error}"))?;
    number(value).filter(|number| number.is_finite()).ok_or_else(|| {
        let kind = type_name(value.type_name());
        format!("has {name} = {value} ({kind}); a metric is a finite number")
    })
}

/// Reads the costs of layers and parts that a script gives.
fn breakdown(layers: Option<Dynamic>, parts: Option<Dynamic>) -> Result<Breakdown, String> {
    let mut breakdown = Breakdown::default();
    for (at, mut entry) in entries(LAYERS, layers)?.into_iter().enumerate() {
        let place = |reason: String| format!("is wrong at {LAYERS}[{at}]: it {reason}");
        let name = text(&mut entry, "name").map_err(place)?.unwrap_or_default();
        let (engine, bound) = (text(&mut entry, "engine"), text(&mut entry, "bound"));
        let start_ms = entry.remove("start_ms").map(|value| metric("start_ms", &value));
        breakdown.layers.push(LayerCost {
            name,
            engine: engine.map_err(place)?,
            start_ms: start_ms.transpose().map_err(place)?,
            bound: bound.map_err(place)?,
            metrics: metrics(&entry).map_err(place)?.into_iter().collect::<Metrics>(),
        });
    }
    for (at, mut entry) in entries(PARTS, parts)?.into_iter().enumerate() {
        let place = |reason: String| format!("is wrong at {PARTS}[{at}]: it {reason}");
        let name = text(&mut entry, "name").map_err(place)?.unwrap_or_default();
        breakdown.parts.push(PartCost { name, metrics: metrics(&entry).map_err(place)? });
    }
    Ok(breakdown)
}

/// Reads an array of maps, each with a `name`; empty if there is no value.
fn entries(what: &str, value: Option<Dynamic>) -> Result<Vec<Map>, String> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let kind = a_type(type_name(value.type_name()));
    let array = value
        .try_cast::<Array>()
        .ok_or_else(|| format!("has `{what}` that is {kind}, not an array of maps"))?;
    let read = |(at, entry): (usize, Dynamic)| {
        let map = entry.try_cast::<Map>().filter(|map| map.contains_key("name"));
        map.ok_or_else(|| format!("is wrong at {what}[{at}]: it is no map with a `name`"))
    };
    array.into_iter().enumerate().map(read).collect()
}

fn text(entry: &mut Map, name: &str) -> Result<Option<String>, String> {
    let Some(value) = entry.remove(name) else { return Ok(None) };
    let wrong =
        |kind: &str| format!("has `{name}` that is {}, not a text", a_type(type_name(kind)));
    value.into_string().map(Some).map_err(wrong)
}

fn metrics(entry: &Map) -> Result<Vec<(String, f64)>, String> {
    let metric =
        |(name, value): (&rhai::Identifier, &Dynamic)| Ok((name.to_string(), metric(name, value)?));
    entry.iter().map(metric).collect()
}
