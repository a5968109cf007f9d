//! `phase` and the controllers that it takes.

use std::sync::Arc;

use rhai::{
    Array, Dynamic, EvalAltResult, FnPtr, Map, Module, NativeCallContext, serde::from_dynamic,
};

use serde::de::DeserializeOwned;

use super::closure::Closure;
use super::space::ScriptPoint;
use crate::pareto::Weighted;
use crate::script::metric_map::is_name;
use crate::script::native::{name_type, native};
use crate::script::options::{Options, refuse, unknown_option};
use crate::script::sandbox::depth::HoldsFunctions;
use crate::search::{ControllerSpec, Evolution, Guided, Local, Nsga2, ReinforceSettings};
use crate::space::Point;

/// A phase as a script describes it.
#[derive(Clone)]
pub(in crate::script) struct ScriptPhase {
    pub name: String,
    /// All parts, if the script names none.
    pub search: Option<Vec<String>>,
    pub fixed: Option<Point>,
    pub steps: u64,
    pub valid: Option<u64>,
    pub controller: ControllerSpec,
    pub keep: Option<String>,
    /// The script's `reward`, if the phase has none of its own.
    pub reward: Option<PhaseReward>,
    /// What is known of a point before it is evaluated.
    pub screen: Option<Closure>,
}

/// The reward of a phase: a function of the metrics, or an objective.
#[derive(Clone)]
pub(in crate::script) enum PhaseReward {
    Function(Closure),
    Objective(Arc<Weighted>),
}

impl PhaseReward {
    /// What tells the reward from others.
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
    register_phase(globals);
    register_controllers(globals);
}

fn register_phase(globals: &mut Module) {
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

fn register_controllers(globals: &mut Module) {
    name_type::<ControllerSpec>(
        globals,
        "Controller",
        "What proposes the points of a phase; docs/controllers.md compares them.",
    );
    native! { globals =>
        /// A controller that draws points uniformly: a baseline.
        ///
        /// ```rhai
        /// phase("baseline", #{ steps: 1_000, controller: random() });
        /// ```
        fn random() -> Controller = || ControllerSpec::Random;
        /// A recurrent policy trained with REINFORCE, the controller of Codesign-NAS. It follows the phase's
        /// reward.
        ///
        /// ```rhai
        /// phase("joint", #{ steps: 10_000, controller: reinforce() });
        /// ```
        fn reinforce() -> Controller = || ControllerSpec::Reinforce(ReinforceSettings::default());
        /// A recurrent policy trained with REINFORCE, with other settings.
        ///
        /// | option | default | what |
        /// |---|---|---|
        /// | `hidden` | 64 | the LSTM cell's width, 1 to 4096 |
        /// | `batch` | 16 | points for each update of the weights, 1 to 4096; as many may be evaluated at once |
        /// | `learning_rate` | 0.01 | Adam's step size, above 0 and at most 1 |
        /// | `entropy` | 0.01 | what one nat of a choice's entropy is worth, in standard deviations of the reward, 0 to 1000 |
        /// | `baseline_decay` | 0.9 | what the moving mean and variance of the rewards keep at each update, at least 0 and below 1 |
        /// | `clip_norm` | 5.0 | the longest gradient, above 0 and at most 1000000 |
        /// | `temperature` | 1.0 | what the logits are divided by, 0.001 to 1000: above 1 the policy explores more |
        /// | `tanh_constant` | none | the bound of the logits, above 0 and at most 100, so that no option becomes certain |
        /// | `init_range` | 0.1 | the bound of the first weights, above 0 and at most 10 |
        /// | `advantage_limit` | 5.0 | the bound of an advantage, in standard deviations of the reward, above 0 and at most 1000 |
        /// | `failure_penalty` | 1.0 | how far below the baseline a failed trial counts at least, in standard deviations of the reward, 0 to 1000 |
        ///
        /// ```rhai
        /// let controller = reinforce(#{ learning_rate: 0.005, entropy: 0.02 });
        /// ```
        fn reinforce(options: Map) -> Controller = with_settings("reinforce", ControllerSpec::Reinforce);
        /// Regularised evolution: the best of a sample of the population is changed in one choice, and the
        /// oldest leaves. It follows the phase's reward.
        ///
        /// ```rhai
        /// phase("joint", #{ steps: 1_000, controller: evolution() });
        /// ```
        fn evolution() -> Controller = || ControllerSpec::Evolution(Evolution::default());
        /// Regularised evolution with other settings.
        ///
        /// | option | default | what |
        /// |---|---|---|
        /// | `population` | 100 | members, 2 to 65536 |
        /// | `sample` | 10 | members among which a parent is the best, 1 to `population` |
        /// | `batch` | 8 | points proposed before the first of them is judged, 1 to 4096; as many may be evaluated at once |
        ///
        /// ```rhai
        /// let controller = evolution(#{ population: 50, sample: 5 });
        /// ```
        fn evolution(options: Map) -> Controller = with_settings("evolution", ControllerSpec::Evolution);
        /// Hill climbing over all points one choice away, with restarts. It follows the phase's reward.
        ///
        /// ```rhai
        /// phase("joint", #{ steps: 200, controller: local() });
        /// ```
        fn local() -> Controller = || ControllerSpec::Local(Local::default());
        /// Hill climbing with other settings.
        ///
        /// | option | default | what |
        /// |---|---|---|
        /// | `batch` | 8 | points proposed before the first of them is judged, 1 to 4096; as many may be evaluated at once |
        ///
        /// ```rhai
        /// let controller = local(#{ batch: 1 });
        /// ```
        fn local(options: Map) -> Controller = with_settings("local", ControllerSpec::Local);
        /// NSGA-II: a population is ranked by non-dominance and crowding. It follows the experiment's
        /// `objectives()`.
        ///
        /// ```rhai
        /// phase("frontier", #{ steps: 5_000, controller: nsga2() });
        /// ```
        fn nsga2() -> Controller = || ControllerSpec::Nsga2(Nsga2::default());
        /// NSGA-II with other settings.
        ///
        /// | option | default | what |
        /// |---|---|---|
        /// | `population` | 50 | members, and children of a generation, 2 to 4096; as many may be evaluated at once |
        /// | `crossover` | 0.9 | the share of children that have two parents, 0 to 1 |
        /// | `mutation` | 1 over the number of choices | the probability that a child's choice is changed, above 0 and at most 1 |
        ///
        /// ```rhai
        /// let controller = nsga2(#{ population: 100, mutation: 0.05 });
        /// ```
        fn nsga2(options: Map) -> Controller = with_settings("nsga2", ControllerSpec::Nsga2);
        /// An ensemble of models of each objective, fitted to the trials so far, for expensive trials. It
        /// follows the experiment's `objectives()`.
        ///
        /// ```rhai
        /// phase("frontier", #{ steps: 500, controller: guided() });
        /// ```
        fn guided() -> Controller = || ControllerSpec::Guided(Guided::default());
        /// An ensemble of models of each objective with other settings.
        ///
        /// | option | default | what |
        /// |---|---|---|
        /// | `initial` | 100 | points drawn uniformly at first, 2 to 65536 |
        /// | `batch` | 8 | points proposed from one fit, 1 to 4096; as many may be evaluated at once |
        /// | `candidates` | 2000 | points that a batch is chosen from, 16 to 65536 |
        /// | `memory` | 2000 | trials that the models are fitted to at most, 100 to 65536: the best, then the latest |
        ///
        /// ```rhai
        /// let controller = guided(#{ initial: 40, batch: 4 });
        /// ```
        fn guided(options: Map) -> Controller = with_settings("guided", ControllerSpec::Guided);
    }
}

/// Makes a controller of an option map.
fn with_settings<S: Default + DeserializeOwned + 'static>(
    name: &'static str,
    make: fn(S) -> ControllerSpec,
) -> impl Fn(NativeCallContext, Map) -> Result<ControllerSpec, Box<EvalAltResult>> {
    move |context, map| {
        let wrong = |reason: String| refuse(&context, format!("{name}(): {reason}"));
        let settings: S = from_dynamic(&Dynamic::from(map)).map_err(|error| {
            let error = error.to_string();
            let error = error.strip_prefix("Syntax error: ").unwrap_or(&error);
            match unknown_field(error) {
                Some((field, known)) => {
                    unknown_option(&context, &format!("{name}()"), field, &known)
                }
                None => wrong(error.to_owned()),
            }
        })?;
        let spec = make(settings);
        spec.validate().map_err(|error| wrong(error.to_string()))?;
        Ok(spec)
    }
}

/// What serde says of a field that a structure has not, and those that it has.
fn unknown_field(error: &str) -> Option<(&str, Vec<&str>)> {
    let mut quoted = error.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    Some((quoted.next()?, quoted.collect()))
}

fn phase(
    context: NativeCallContext,
    name: &str,
    options: Map,
) -> Result<ScriptPhase, Box<EvalAltResult>> {
    if !is_name(name) {
        return Err(refuse(
            &context,
            "the name of a phase has from 1 to 100 bytes and is a line of text",
        ));
    }
    let mut options = Options::new(&context, "phase()", options);
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
        None => ControllerSpec::Reinforce(ReinforceSettings::default()),
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
