//! The module `space`: parts of named choices, with conditions and forbidden combinations.

use std::sync::{Arc, Mutex, PoisonError};

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FnPtr, FuncRegistration, Map, Module, NativeCallContext,
};

use super::space::{ScriptPart, options_of, to_dynamic};
use crate::script::options::{Options, number, refuse};
use crate::space::mixed::{
    DEFAULT_STEPS, Draft, Mixed, MixedError, RangeError, Rule, RuleError, Trail, integers,
    powers_of_two, reals,
};

/// A part in the making, as scripts chain calls on it.
#[derive(Clone, Default)]
pub(in crate::script) struct ScriptDraft(Draft);

impl ScriptDraft {
    /// The finished part.
    pub(in crate::script) fn finish(&self) -> Result<ScriptPart, MixedError> {
        Ok(ScriptPart::new(self.0.clone().finish()?, |part: &Mixed, options| {
            let value = |value: Option<_>| value.map_or(Dynamic::UNIT, to_dynamic);
            let values = part.values(options).into_iter();
            Ok(values.map(|(name, v)| (name.into(), value(v))).collect::<Map>().into())
        }))
    }
}

/// What a condition or a rule sees of a combination: the choices by name.
#[derive(Clone)]
struct Combination {
    draft: Arc<Draft>,
    /// Choices from this one on cannot be seen.
    end: usize,
    trail: Arc<Mutex<Trail>>,
}

type Chained = Result<ScriptDraft, Box<EvalAltResult>>;

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<ScriptDraft>("Part");
    engine.register_type_with_name::<Combination>("Combination");
    engine.register_indexer_get(read);
    engine.register_fn("choice", choice);
    engine.register_fn("integer", |context: NativeCallContext, part, name: &str, low, high| {
        integer(&context, part, name, low, high, Map::new())
    });
    engine.register_fn(
        "integer",
        |context: NativeCallContext, part, name: &str, low, high, options: Map| {
            integer(&context, part, name, low, high, options)
        },
    );
    engine.register_fn("real", |context: NativeCallContext, part, name: &str, low, high| {
        real(&context, part, name, low, high, Map::new())
    });
    engine.register_fn(
        "real",
        |context: NativeCallContext, part, name: &str, low, high, options: Map| {
            real(&context, part, name, low, high, options)
        },
    );
    engine.register_fn("when", when);
    engine.register_fn("forbid", |context: NativeCallContext, part, predicate| {
        forbid(&context, part, None, &predicate)
    });
    engine.register_fn("forbid", |context: NativeCallContext, part, name: &str, predicate| {
        forbid(&context, part, Some(name), &predicate)
    });

    let mut module = Module::new();
    FuncRegistration::new("part").set_into_module(&mut module, ScriptDraft::default);
    engine.register_static_module("space", module.into());
}

fn choice(context: NativeCallContext, mut part: ScriptDraft, name: &str, values: Array) -> Chained {
    let options = options_of(&context, &values)?;
    part.0.choose(name, options).map_err(|error| refuse(&context, error.to_string()))?;
    Ok(part)
}

fn integer(
    context: &NativeCallContext,
    mut part: ScriptDraft,
    name: &str,
    low: Dynamic,
    high: Dynamic,
    options: Map,
) -> Chained {
    let wrong = |error: RangeError| refuse(context, format!("integer `{name}`: {error}"));
    let whole = |bound: &Dynamic| {
        bound.as_int().map_err(|kind| {
            let reason = format!("integer `{name}` takes whole bounds, not {bound} ({kind})");
            refuse(context, reason)
        })
    };
    let (low, high) = (whole(&low)?, whole(&high)?);
    let mut options = Options::new(context, "integer()", options);
    let step = options.whole("step", 1)?;
    let log = options.flag("log")?;
    options.end()?;
    let values = match (log, step) {
        (true, Some(_)) => {
            let reason = format!("integer `{name}` has a `step` and `log: true`; give one of them");
            return Err(refuse(context, reason));
        }
        (true, None) => powers_of_two(low, high),
        (false, step) => integers(low, high, step.unwrap_or(1)),
    };
    let added = part.0.choose(name, values.map_err(wrong)?);
    added.map_err(|error| refuse(context, error.to_string()))?;
    Ok(part)
}

fn real(
    context: &NativeCallContext,
    mut part: ScriptDraft,
    name: &str,
    low: Dynamic,
    high: Dynamic,
    options: Map,
) -> Chained {
    let bound = |bound: &Dynamic| {
        number(bound).ok_or_else(|| {
            let kind = bound.type_name();
            refuse(context, format!("real `{name}` takes numbers as bounds, not {bound} ({kind})"))
        })
    };
    let (low, high) = (bound(&low)?, bound(&high)?);
    let mut options = Options::new(context, "real()", options);
    let steps = options.whole("steps", 2)?.unwrap_or(DEFAULT_STEPS as u64);
    let log = options.flag("log")?;
    options.end()?;
    let values = reals(low, high, steps, log)
        .map_err(|error| refuse(context, format!("real `{name}`: {error}")))?;
    part.0.choose(name, values).map_err(|error| refuse(context, error.to_string()))?;
    Ok(part)
}

fn when(context: NativeCallContext, mut part: ScriptDraft, predicate: FnPtr) -> Chained {
    let wrong = |error: MixedError| refuse(&context, error.to_string());
    let (place, subject) = part.0.subject().map_err(wrong)?;
    let what = format!("the condition of `{}`", subject.name);
    let rule = rule(&context, &part.0, place, &what, &predicate)?;
    part.0.when(rule).map_err(wrong)?;
    Ok(part)
}

fn forbid(
    context: &NativeCallContext,
    mut part: ScriptDraft,
    name: Option<&str>,
    predicate: &FnPtr,
) -> Chained {
    let wrong = |error: MixedError| refuse(context, error.to_string());
    let what = name.map_or_else(|| "the rule".to_owned(), |name| format!("the rule `{name}`"));
    let end = part.0.choices().len();
    let rule = rule(context, &part.0, end, &what, predicate)?;
    part.0.forbid(name, rule).map_err(wrong)?;
    // Refused here, rules that leave nothing are shown at the last of them.
    part.0.clone().finish().map_err(wrong)?;
    Ok(part)
}

/// Asks a script's predicate for everything that it tells apart.
fn rule(
    context: &NativeCallContext,
    draft: &Draft,
    end: usize,
    what: &str,
    predicate: &FnPtr,
) -> Result<Rule, Box<EvalAltResult>> {
    let draft = Arc::new(draft.clone());
    let shared = Arc::new(Mutex::new(Trail::default()));
    let asked = Rule::of(&draft.sizes(), |trail| {
        let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
        *lock() = std::mem::take(trail);
        let combination = Combination { draft: draft.clone(), end, trail: shared.clone() };
        let answer = predicate
            .call_within_context::<Dynamic>(context, (combination,))
            .map_err(|error| explain(context, what, predicate, error))?;
        *trail = std::mem::take(&mut *lock());
        answer.as_bool().map_err(|kind| {
            refuse(context, format!("{what} gave {answer} ({kind}); it must give true or false"))
        })
    });
    asked.map_err(|error| match error {
        RuleError::Failed(error) => error,
        RuleError::TooLarge => refuse(context, format!("{what}: {}", MixedError::TooLarge)),
    })
}

/// A predicate with another number of parameters is, to the engine, one that there is not.
fn explain(
    context: &NativeCallContext,
    what: &str,
    predicate: &FnPtr,
    error: Box<EvalAltResult>,
) -> Box<EvalAltResult> {
    match &*error {
        EvalAltResult::ErrorFunctionNotFound(signature, _)
            if signature.starts_with(predicate.fn_name()) =>
        {
            let form = "a function of one combination, such as |c| c.rows > 32";
            refuse(context, format!("{what} must be {form}"))
        }
        _ => error,
    }
}

/// What a choice of a combination is.
fn read(
    context: NativeCallContext,
    combination: &mut Combination,
    name: &str,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let seen = &combination.draft.choices()[..combination.end];
    let Some(place) = seen.iter().position(|choice| choice.name == name) else {
        let seen: Vec<String> = seen.iter().map(|choice| format!("`{}`", choice.name)).collect();
        let what = if seen.is_empty() { "nothing".to_owned() } else { seen.join(", ") };
        let near = combination.draft.choices()[..combination.end]
            .iter()
            .map(|choice| (strsim::damerau_levenshtein(&choice.name, name), &choice.name))
            .min();
        let hint = match near {
            Some((distance, near)) if distance <= 2 => format!("; is `{near}` meant?"),
            _ => String::new(),
        };
        let reason = format!(
            "no choice `{name}` is decided before this: conditions and rules see the choices above \
             them, which are {what}{hint}"
        );
        return Err(refuse(&context, reason));
    };
    let mut trail = combination.trail.lock().unwrap_or_else(PoisonError::into_inner);
    let option = trail.option(place);
    Ok(to_dynamic(&seen[place].options[usize::from(option)]))
}
