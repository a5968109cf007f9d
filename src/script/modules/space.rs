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
    let mut options: Vec<Value> = Vec::with_capacity(values.len());
    for value in &values {
        let option = read(value).ok_or_else(|| {
            let kind = value.type_name();
            let expected = "flags, finite numbers and texts";
            refuse(&context, format!("choice() takes {expected}, not {value} ({kind})"))
        })?;
        if options.contains(&option) {
            return Err(refuse(&context, format!("choice() lists {option} twice")));
        }
        options.push(option);
    }
    Ok(ScriptPart::new(Options::new(options), |domain, options| {
        let value = domain.value(options).ok_or("no such option")?;
        Ok(match value {
            Value::Flag(flag) => (*flag).into(),
            Value::Int(int) => (*int).into(),
            Value::Float(float) => (*float).into(),
            Value::Text(text) => text.into(),
        })
    }))
}
