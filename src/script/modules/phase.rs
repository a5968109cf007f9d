//! `phase` and the controllers that it takes.

use std::sync::Arc;

#[expect(
    deprecated,
    reason = "rhai calls it volatile, not deprecated; Closure says why it is used"
)]
use rhai::NativeCallContextStore;
use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FnPtr, Map, NativeCallContext, serde::from_dynamic,
};

use serde::de::DeserializeOwned;

use super::space::ScriptPoint;
use crate::pareto::Weighted;
use crate::script::options::{Options, refuse};
use crate::search::{ControllerSpec, ReinforceSettings};
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

/// A function of a script, and where it was made: the functions and imports that it can see.
///
/// A closure of an imported module finds what it calls in the state of the call that made it; that
/// state is the only thing that lets it be called from outside.
#[derive(Clone)]
#[expect(deprecated, reason = "rhai calls it volatile, not deprecated")]
pub(in crate::script) struct Closure {
    function: FnPtr,
    made_in: Arc<NativeCallContextStore>,
}

impl Closure {
    /// Calls the function.
    #[expect(deprecated, reason = "rhai calls it volatile, not deprecated")]
    pub(in crate::script) fn call(
        &self,
        engine: &Engine,
        argument: Dynamic,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        self.function.call_raw(&self.made_in.create_context(engine), None, [argument])
    }

    /// What tells the function from others of the same script: its name, if it has one, and the
    /// values that it has captured.
    pub(in crate::script) fn describe(&self) -> String {
        let text = format!("{} {:?}", self.function.fn_name(), self.function.curry());
        // Closures are named by hashes that differ from process to process.
        let mut parts = text.split("anon$");
        let head = parts.next().unwrap_or_default().to_owned();
        parts.fold(head, |text, part| {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
            text + "closure" + rest
        })
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<ScriptPhase>("Phase");
    engine.register_type_with_name::<ControllerSpec>("Controller");
    engine.register_fn("phase", phase);
    engine.register_fn("random", || ControllerSpec::Random);
    controller(engine, "reinforce", ControllerSpec::Reinforce);
    controller(engine, "evolution", ControllerSpec::Evolution);
    controller(engine, "local", ControllerSpec::Local);
    controller(engine, "nsga2", ControllerSpec::Nsga2);
    controller(engine, "guided", ControllerSpec::Guided);
}

/// Registers a controller that is made with or without settings.
fn controller<S>(engine: &mut Engine, name: &'static str, make: fn(S) -> ControllerSpec)
where
    S: Default + DeserializeOwned + 'static,
{
    engine.register_fn(name, move || make(S::default()));
    engine.register_fn(
        name,
        move |context: NativeCallContext, map: Map| -> Result<ControllerSpec, Box<EvalAltResult>> {
            let wrong = |reason: String| refuse(&context, format!("{name}(): {reason}"));
            let settings: S = from_dynamic(&Dynamic::from(map)).map_err(|error| {
                let error = error.to_string();
                wrong(error.strip_prefix("Syntax error: ").unwrap_or(&error).to_owned())
            })?;
            let spec = make(settings);
            spec.validate().map_err(|error| wrong(error.to_string()))?;
            Ok(spec)
        },
    );
}

fn phase(
    context: NativeCallContext,
    name: &str,
    options: Map,
) -> Result<ScriptPhase, Box<EvalAltResult>> {
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
    let steps = options
        .whole("steps", 1)?
        .ok_or_else(|| refuse(&context, "phase() needs the option `steps`, the most trials"))?;
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
            let function = value.read_lock::<FnPtr>().map(|f| closure(&context, &f));
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
            Some(function) => Some(closure(&context, &function)),
            None => {
                return Err(options.wrong("screen", "a function of the point", &value));
            }
        },
    };
    options.end()?;
    let name = name.to_owned();
    Ok(ScriptPhase { name, search, fixed, steps, valid, controller, keep, reward, screen })
}

#[expect(deprecated, reason = "rhai calls it volatile, not deprecated")]
fn closure(context: &NativeCallContext, function: &FnPtr) -> Closure {
    Closure { function: function.clone(), made_in: Arc::new(context.store_data()) }
}
