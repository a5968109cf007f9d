//! `choice` and the values that points have in scripts.

use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, NativeCallContext};

use crate::script::options::refuse;
use crate::space::{Domain, Options, Point, Value};

type ToScript = Arc<dyn Fn(&[u16]) -> Result<Dynamic, String> + Send + Sync>;

/// A part of a space, with the value that scripts see for its options.
#[derive(Clone)]
pub(in crate::script) struct ScriptPart {
    pub domain: Arc<dyn Domain>,
    pub value: ToScript,
}

impl ScriptPart {
    /// Makes a part of a domain and its values.
    pub(in crate::script) fn new<D: Domain + 'static>(
        domain: D,
        value: impl Fn(&D, &[u16]) -> Result<Dynamic, String> + Send + Sync + 'static,
    ) -> Self {
        let domain = Arc::new(domain);
        let shared = domain.clone();
        Self { domain, value: Arc::new(move |options| value(&shared, options)) }
    }
}

/// A point as scripts see it: a value for each part, by name.
#[derive(Clone)]
pub(in crate::script) struct ScriptPoint {
    pub point: Point,
    pub values: Map,
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<ScriptPart>("SpacePart");
    engine.register_type_with_name::<ScriptPoint>("Point");
    engine.register_fn("choice", choice);
    engine.register_indexer_get(
        |context: NativeCallContext,
         point: &mut ScriptPoint,
         part: &str|
         -> Result<Dynamic, Box<EvalAltResult>> {
            point.values.get(part).cloned().ok_or_else(|| {
                let parts: Vec<&str> = point.values.keys().map(|k| k.as_str()).collect();
                let parts = parts.join("`, `");
                refuse(&context, format!("the point has no part `{part}`; it has `{parts}`"))
            })
        },
    );
}

fn choice(context: NativeCallContext, values: Array) -> Result<ScriptPart, Box<EvalAltResult>> {
    let options = options_of(&context, &values)?;
    let mut texts: Vec<String> = options.iter().map(Value::to_string).collect();
    texts.sort_unstable();
    // Points are known by their texts: 1, 1.0 and "1" would be the same.
    if let Some(pair) = texts.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(refuse(&context, format!("choice() lists {} twice", pair[0])));
    }
    Ok(ScriptPart::new(Options::new(options), |domain, options| {
        domain.value(options).map(to_dynamic).ok_or_else(|| "no such option".to_owned())
    }))
}

/// The options that a script lists.
pub(super) fn options_of(
    context: &NativeCallContext,
    values: &[Dynamic],
) -> Result<Vec<Value>, Box<EvalAltResult>> {
    let read = |value: &Dynamic| {
        if let Ok(flag) = value.as_bool() {
            Some(Value::Flag(flag))
        } else if let Ok(int) = value.as_int() {
            Some(Value::Int(int))
        } else if let Ok(float) = value.as_float() {
            float.is_finite().then_some(Value::Float(float))
        } else {
            value.clone().into_string().ok().map(Value::Text)
        }
    };
    let option = |value: &Dynamic| {
        read(value).ok_or_else(|| {
            let kind = value.type_name();
            let expected = "flags, finite numbers and texts";
            refuse(context, format!("choice() takes {expected}, not {value} ({kind})"))
        })
    };
    values.iter().map(option).collect()
}

/// A value of an option as scripts see it.
pub(super) fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Flag(flag) => (*flag).into(),
        Value::Int(int) => (*int).into(),
        Value::Float(float) => (*float).into(),
        Value::Text(text) => text.into(),
    }
}
