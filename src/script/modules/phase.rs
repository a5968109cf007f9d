//! The function `phase`, which describes a stretch of the search.

use std::sync::Arc;

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, Map, Module, NativeCallContext};

use super::closure::Closure;
use super::space::ScriptPoint;
use crate::pareto::Weighted;
use crate::script::metric_map::is_name;
use crate::script::native::{name_type, native};
use crate::script::options::{OptionReader, error_at_call};
use crate::script::sandbox::depth::HoldsFunctions;
use crate::search::ControllerSpec;
use crate::space::Point;

/// A phase that a script describes.
#[derive(Clone)]
pub(in crate::script) struct ScriptPhase {
    pub name: String,
    /// The names of the parts to search; `None` for all.
    pub search: Option<Vec<String>>,
    pub fixed: Option<Point>,
    pub steps: u64,
    pub valid: Option<u64>,
    pub controller: ControllerSpec,
    pub keep: Option<String>,
    /// The reward of the phase; `None` for the script's `reward`.
    pub reward: Option<PhaseReward>,
    /// A function of the point that gives some of its metrics before it is evaluated.
    pub screen: Option<Closure>,
}

/// The reward of a phase: a function of the metrics, or an objective.
#[derive(Clone)]
pub(in crate::script) enum PhaseReward {
    Function(Closure),
    Objective(Arc<Weighted>),
}

impl PhaseReward {
    /// Returns a description of the reward that is the same in every process.
    pub(in crate::script) fn describe(&self) -> String {
        match self {
            Self::Function(function) => function.describe(),
            Self::Objective(objective) => objective.to_string(),
        }
    }
}

impl HoldsFunctions for ScriptPhase {
    fn levels(&self) -> usize {
        let reward = match &self.reward {
            Some(PhaseReward::Function(function)) => function.levels(),
            _ => 0,
        };
        reward.max(self.screen.as_ref().map_or(0, Closure::levels))
    }
}

pub(super) fn register(globals: &mut Module) {
    name_type::<ScriptPhase>(globals, "Phase", "A stretch of the search, as `phase` gives it.");
    native! { globals =>
        /// A stretch of the search, for `schedule(run)` to return.
        ///
        /// | option | default | what |
        /// |---|---|---|
        /// | `steps` | needed | the most trials, at least 1 |
        /// | `valid` | none | valid trials, at least 1, after which the phase ends |
        /// | `controller` | `reinforce()` | what proposes points |
        /// | `search` | all parts | names of the parts that the controller chooses |
        /// | `fixed` | needed where `search` leaves parts out | the point that gives these their values, such as `run.best.point` |
        /// | `keep` | none | a name: the controller goes on where the last phase with this name ended |
        /// | `reward` | `reward(metrics)` | the phase's own reward: a function of the metrics, or an objective |
        /// | `screen` | none | a function of the point: what is known of its metrics before `evaluate`. A pair that the reward rejects by these alone is not evaluated |
        ///
        /// ```rhai
        /// fn space() { #{ x: choice([1, 2, 3]), y: choice([1, 2, 3]) } }
        /// fn evaluate(point) { #{ latency_ms: point.x * point.y } }
        /// fn reward(m) { -m.latency_ms }
        ///
        /// fn schedule(run) {
        ///     if run.phases == 0 {
        ///         return phase("both", #{ steps: 6, controller: random() });
        ///     }
        ///     if run.phases == 1 {
        ///         phase("only x", #{ steps: 3, search: ["x"], fixed: run.best.point, controller: local() })
        ///     }
        /// }
        /// ```
        fn phase(name: String, options: Map) -> Phase = phase;
    }
}

fn phase(
    context: NativeCallContext,
    name: &str,
    options: Map,
) -> Result<ScriptPhase, Box<EvalAltResult>> {
    if !is_name(name) {
        return Err(error_at_call(
            &context,
            "the name of a phase has from 1 to 100 bytes and is a line of text",
        ));
    }
    let mut options = OptionReader::new(&context, "phase()", options);
    let search = match options.take("search") {
        None => None,
        Some(value) => {
            let wrong = |value: &Dynamic| options.wrong("search", "names of parts", value);
            let names: Array = value.clone().into_array().map_err(|_| wrong(&value))?;
            let names: Result<Vec<String>, _> =
                names.into_iter().map(Dynamic::into_string).collect();
            Some(names.map_err(|_| wrong(&value))?)
        }
    };
    let fixed = match options.take("fixed") {
        None => None,
        Some(value) => match value.read_lock::<ScriptPoint>() {
            Some(point) => Some(point.point.clone()),
            None => return Err(options.wrong("fixed", "a point, such as run.best.point", &value)),
        },
    };
    let steps = options.whole("steps", 1)?;
    let steps = options.required("steps", steps, ", the most trials")?;
    let valid = options.whole("valid", 1)?;
    let controller = match options.take("controller") {
        None => ControllerSpec::default(),
        Some(value) => match value.read_lock::<ControllerSpec>() {
            Some(spec) => spec.clone(),
            None => {
                let expected = "a controller, such as reinforce() or random()";
                return Err(options.wrong("controller", expected, &value));
            }
        },
    };
    let keep = options.text("keep")?;
    let reward = match options.take("reward") {
        None => None,
        Some(value) => {
            let function = value.read_lock::<FnPtr>().map(|f| Closure::new(&context, &f));
            let function = function.transpose()?;
            let objective = value.read_lock::<Arc<Weighted>>().map(|objective| objective.clone());
            match (function, objective) {
                (Some(function), _) => Some(PhaseReward::Function(function)),
                (_, Some(objective)) => Some(PhaseReward::Objective(objective)),
                _ => {
                    let expected = "a function of the metrics or an objective";
                    return Err(options.wrong("reward", expected, &value));
                }
            }
        }
    };
    let screen = match options.take("screen") {
        None => None,
        Some(value) => match value.read_lock::<FnPtr>() {
            Some(function) => Some(Closure::new(&context, &function)?),
            None => {
                return Err(options.wrong("screen", "a function of the point", &value));
            }
        },
    };
    options.end()?;
    let name = name.to_owned();
    Ok(ScriptPhase { name, search, fixed, steps, valid, controller, keep, reward, screen })
}
