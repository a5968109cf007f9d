//! The `run` that `schedule` and `summary` receive.

use std::collections::BTreeSet;
use std::sync::Arc;

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, FuncArgs, Map, Module, NativeCallContext};

use super::part_value::ScriptPart;
use super::space::ScriptPoint;
use crate::pareto::{Direction, Objective};
use crate::run::{PhaseProgress, Progress};
use crate::script::metric_map::script_map;
use crate::script::native::{name_type, native};
use crate::script::options::{described, error_at_call, error_at_call_with_help};
use crate::space::{Point, Space};
use crate::store::{Outcome, Trial};
use crate::util::rng::stream;
use crate::util::suggest::nearest;

/// The state of a run as scripts see it.
#[derive(Clone)]
pub(in crate::script) struct ScriptRun {
    progress: Arc<Progress>,
    parts: Arc<Vec<ScriptPart>>,
    space: Arc<Space>,
}

impl ScriptRun {
    /// Takes a snapshot of a run; `parts` are in the space's order.
    pub(in crate::script) fn new(
        progress: &Progress,
        parts: Arc<Vec<ScriptPart>>,
        space: Arc<Space>,
    ) -> Self {
        Self { progress: Arc::new(progress.clone()), parts, space }
    }

    fn point(&self, trial: &Trial) -> Result<ScriptPoint, String> {
        script_point(&self.space, &self.parts, &Point(trial.point.clone()))
    }

    fn trial(&self, trial: Option<&Arc<Trial>>) -> Result<Dynamic, Box<EvalAltResult>> {
        let Some(trial) = trial else { return Ok(Dynamic::UNIT) };
        let mut map = Map::from([
            ("step".into(), int(trial.step)),
            ("phase".into(), int(u64::from(trial.phase))),
            ("point".into(), Dynamic::from(self.point(trial)?)),
        ]);
        if let Outcome::Done { metrics, reward, valid } = &trial.outcome {
            map.insert("metrics".into(), script_map(metrics));
            map.insert("reward".into(), (*reward).into());
            map.insert("valid".into(), (*valid).into());
        }
        Ok(Dynamic::from_map(map))
    }

    fn phase(&self, phase: Option<&PhaseProgress>) -> Result<Dynamic, Box<EvalAltResult>> {
        let Some(phase) = phase else { return Ok(Dynamic::UNIT) };
        Ok(Map::from([
            ("name".into(), phase.name.clone().into()),
            ("steps".into(), int(phase.steps)),
            ("valid".into(), int(phase.valid)),
            ("best".into(), self.trial(phase.best.as_ref())?),
        ])
        .into())
    }

    /// Draws a legal point from the run's seed, the same at every call.
    fn start(&self) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut rng = stream(self.progress.seed(), "start", 0);
        let point = self.space.draw(&mut rng).map_err(|error| error.to_string())?;
        Ok(Dynamic::from(script_point(&self.space, &self.parts, &point)?))
    }

    /// Refuses the name of a metric that no trial has and that resembles one of a trial.
    fn check_metric(
        &self,
        context: &NativeCallContext,
        metric: &str,
    ) -> Result<(), Box<EvalAltResult>> {
        let all = self.progress.trials().iter().map(|trial| trial.outcome.metrics());
        if all.clone().any(|metrics| metrics.contains_key(metric)) {
            return Ok(());
        }
        let known: BTreeSet<&str> = all.flat_map(|m| m.keys().map(String::as_str)).collect();
        match nearest(metric, known).first() {
            Some(near) => {
                let reason = format!("no trial has a metric `{metric}`");
                Err(error_at_call_with_help(context, reason, &format!("is `{near}` meant?")))
            }
            None => Ok(()),
        }
    }

    fn extreme(
        &self,
        context: &NativeCallContext,
        (metric, direction): (&str, Direction),
        filter: Option<&FnPtr>,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        self.check_metric(context, metric)?;
        let objective = Objective { metric: metric.to_owned(), direction };
        let found = self.progress.extreme(&objective, |metrics| {
            let Some(filter) = filter else { return Ok(true) };
            call::<bool>(context, filter, (script_map(metrics),))
        })?;
        self.trial(found)
    }
}

/// Converts a point to the value that scripts see.
pub(in crate::script) fn script_point(
    space: &Space,
    parts: &[ScriptPart],
    point: &Point,
) -> Result<ScriptPoint, String> {
    let mut values = Map::new();
    for (index, (part, script)) in space.parts().iter().zip(parts).enumerate() {
        let value = (script.value)(space.options(point, index))?;
        values.insert(part.name.as_str().into(), value);
    }
    Ok(ScriptPoint { point: point.clone(), values })
}

pub(super) fn register(globals: &mut Module) {
    type R = ScriptRun;
    type Shown = Result<Dynamic, Box<EvalAltResult>>;
    name_type::<R>(
        globals,
        "Run",
        "A run so far, as `schedule(run)` and `summary(run)` see it. A trial of it is a map of `step`, `phase` \
         (its number), `point` and, unless it failed, `metrics`, `reward` and `valid`.",
    );
    native! { globals =>
        /// The number of trials.
        get steps(run: Run) -> int = |run: &mut R| int(run.progress.steps());
        /// The number of trials that met the limits of their phase.
        get valid(run: Run) -> int = |run: &mut R| int(run.progress.valid());
        /// The number of trials that failed.
        get failed(run: Run) -> int = |run: &mut R| int(run.progress.failed());
        /// The number of phases so far: 0 when the first is asked for.
        get phases(run: Run) -> int = |run: &mut R| int(run.progress.phases().len() as u64);
        /// A legal point that the run's seed draws, always the same: what a phase may hold parts at before there
        /// is a trial.
        get start(run: Run) -> Point = |run: &mut R| -> Shown { run.start() };
        /// The trial with the highest reward of any phase, a valid one before any other, the first of equals;
        /// `()` if there is none.
        get best(run: Run) -> Dynamic = |run: &mut R| -> Shown { run.trial(run.progress.best()) };
        /// The last phase, as a map of `name`, `steps` (trials), `valid` (valid trials) and `best` (its best
        /// trial, or `()`); `()` before the first.
        get last(run: Run) -> Dynamic = |run: &mut R| -> Shown { run.phase(run.progress.phases().last()) };
        /// The trials of the frontier, best first by the first objective.
        get frontier(run: Run) -> Array = |run: &mut R| -> Result<Array, Box<EvalAltResult>> {
            run.progress.frontier().into_iter().map(|trial| run.trial(Some(trial))).collect()
        };
        /// The trial with the most of a metric, the first of equals; `()` if no finished trial has it.
        ///
        /// ```rhai
        /// fn space() { #{ x: choice([1, 2, 3]) } }
        /// fn evaluate(point) { #{ accuracy: point.x / 4.0 } }
        /// fn reward(m) { m.accuracy }
        /// fn summary(run) { table("Best", ["x"], [[run.most("accuracy").point.x]]) }
        /// ```
        fn most(run: Run, metric: String) -> Dynamic =
            |context: NativeCallContext, run: &mut R, metric: &str| -> Shown {
                run.extreme(&context, (metric, Direction::Max), None)
            };
        /// The trial with the most of a metric among those whose metrics pass a filter, a function that gives true
        /// or false; the first of equals, or `()` if there is none.
        ///
        /// ```rhai
        /// fn space() { #{ x: choice([1, 2, 3]) } }
        /// fn evaluate(point) { #{ accuracy: point.x / 4.0, latency_ms: point.x * 10 } }
        /// fn reward(m) { m.accuracy }
        ///
        /// fn summary(run) {
        ///     let best = run.most("accuracy", |m| m.latency_ms < 25.0);
        ///     table("Fast enough", ["x", "accuracy"], [[best.point.x, best.metrics.accuracy]])
        /// }
        /// ```
        fn most(run: Run, metric: String, filter: FnPtr) -> Dynamic =
            |context: NativeCallContext, run: &mut R, metric: &str, filter: FnPtr| -> Shown {
                run.extreme(&context, (metric, Direction::Max), Some(&filter))
            };
        /// The trial with the least of a metric, the first of equals; `()` if no finished trial has it.
        ///
        /// ```rhai
        /// fn space() { #{ x: choice([1, 2, 3]) } }
        /// fn evaluate(point) { #{ latency_ms: point.x * 10 } }
        /// fn reward(m) { -m.latency_ms }
        /// fn summary(run) { table("Fastest", ["x"], [[run.least("latency_ms").point.x]]) }
        /// ```
        fn least(run: Run, metric: String) -> Dynamic =
            |context: NativeCallContext, run: &mut R, metric: &str| -> Shown {
                run.extreme(&context, (metric, Direction::Min), None)
            };
        /// The trial with the least of a metric among those whose metrics pass a filter, a function that gives true
        /// or false; the first of equals, or `()` if there is none.
        ///
        /// ```rhai
        /// fn space() { #{ x: choice([1, 2, 3]) } }
        /// fn evaluate(point) { #{ accuracy: point.x / 4.0, latency_ms: point.x * 10 } }
        /// fn reward(m) { m.accuracy }
        ///
        /// fn summary(run) {
        ///     let fastest = run.least("latency_ms", |m| m.accuracy >= 0.5);
        ///     table("Good enough", ["x", "ms"], [[fastest.point.x, fastest.metrics.latency_ms]])
        /// }
        /// ```
        fn least(run: Run, metric: String, filter: FnPtr) -> Dynamic =
            |context: NativeCallContext, run: &mut R, metric: &str, filter: FnPtr| -> Shown {
                run.extreme(&context, (metric, Direction::Min), Some(&filter))
            };
    }
}

/// Calls a script's function from a native one; a result of another type is an error.
fn call<T: Clone + Send + Sync + 'static>(
    context: &NativeCallContext,
    function: &FnPtr,
    args: impl FuncArgs,
) -> Result<T, Box<EvalAltResult>> {
    let value: Dynamic = function.call_within_context(context, args)?;
    let kind = described(context, &value);
    value.try_cast::<T>().ok_or_else(|| {
        error_at_call(context, format!("the function gave {kind} where true or false is needed"))
    })
}

fn int(count: u64) -> Dynamic {
    Dynamic::from(i64::try_from(count).unwrap_or(i64::MAX))
}
