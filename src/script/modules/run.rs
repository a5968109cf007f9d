//! The `run` that `schedule` and `summary` see.

use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, FuncArgs, Map, NativeCallContext};

use super::space::{ScriptPart, ScriptPoint};
use crate::pareto::{Direction, Objective};
use crate::script::options::refuse;
use crate::seed::stream;
use crate::space::{Point, Space};
use crate::store::{Outcome, Trial};
use crate::study::{PhaseProgress, Progress};

/// A run so far, as scripts see it.
#[derive(Clone)]
pub(in crate::script) struct ScriptRun {
    progress: Arc<Progress>,
    parts: Arc<Vec<ScriptPart>>,
    space: Arc<Space>,
}

impl ScriptRun {
    /// A snapshot of a run; `parts` are in the space's order.
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
            let metrics: Map =
                metrics.iter().map(|(name, &v)| (name.as_str().into(), v.into())).collect();
            map.insert("metrics".into(), metrics.into());
            map.insert("reward".into(), (*reward).into());
            map.insert("valid".into(), (*valid).into());
        }
        Ok(map.into())
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

    /// A legal point that the run's seed draws.
    fn start(&self) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut rng = stream(self.progress.seed(), "start", 0);
        let point = self.space.draw(&mut rng).map_err(|error| error.to_string())?;
        Ok(Dynamic::from(script_point(&self.space, &self.parts, &point)?))
    }

    fn extreme(
        &self,
        context: &NativeCallContext,
        (metric, direction): (&str, Direction),
        filter: Option<&FnPtr>,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let objective = Objective { metric: metric.to_owned(), direction };
        let found = self.progress.extreme(&objective, |metrics| {
            let Some(filter) = filter else { return Ok(true) };
            let map: Map =
                metrics.iter().map(|(name, &v)| (name.as_str().into(), v.into())).collect();
            call::<bool>(context, filter, (map,))
        })?;
        self.trial(found)
    }
}

/// A point as scripts see it.
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

pub(super) fn register(engine: &mut Engine) {
    type R = ScriptRun;
    type Shown = Result<Dynamic, Box<EvalAltResult>>;
    engine.register_type_with_name::<R>("Run");
    engine.register_get("steps", |run: &mut R| int(run.progress.steps()));
    engine.register_get("valid", |run: &mut R| int(run.progress.valid()));
    engine.register_get("failed", |run: &mut R| int(run.progress.failed()));
    engine.register_get("phases", |run: &mut R| int(run.progress.phases().len() as u64));
    engine.register_get("start", |run: &mut R| -> Shown { run.start() });
    engine.register_get("best", |run: &mut R| -> Shown { run.trial(run.progress.best()) });
    engine.register_get("last", |run: &mut R| -> Shown { run.phase(run.progress.phases().last()) });
    engine.register_get("frontier", |run: &mut R| -> Result<Array, Box<EvalAltResult>> {
        run.progress.frontier().into_iter().map(|trial| run.trial(Some(trial))).collect()
    });
    for (name, direction) in [("most", Direction::Max), ("least", Direction::Min)] {
        engine.register_fn(
            name,
            move |context: NativeCallContext, run: &mut R, metric: &str| -> Shown {
                run.extreme(&context, (metric, direction), None)
            },
        );
        engine.register_fn(
            name,
            move |context: NativeCallContext, run: &mut R, metric: &str, filter: FnPtr| -> Shown {
                run.extreme(&context, (metric, direction), Some(&filter))
            },
        );
    }
}

/// Calls a script's function from a native one.
fn call<T: Clone + Send + Sync + 'static>(
    context: &NativeCallContext,
    function: &FnPtr,
    args: impl FuncArgs,
) -> Result<T, Box<EvalAltResult>> {
    let value: Dynamic = function.call_within_context(context, args)?;
    let kind = value.type_name();
    value.try_cast::<T>().ok_or_else(|| {
        refuse(context, format!("the function gave {kind} where true or false is needed"))
    })
}

fn int(count: u64) -> Dynamic {
    Dynamic::from(i64::try_from(count).unwrap_or(i64::MAX))
}
