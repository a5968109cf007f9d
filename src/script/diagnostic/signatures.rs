//! The functions that scripts can call, with their signatures.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::fmt;

use rhai::{Array, Dynamic, Engine, FnPtr, FuncInfo, ImmutableString, Map};

use super::names::type_name;

/// The signature of a function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Signature {
    /// The module; empty for global functions.
    pub(super) module: String,
    pub(super) name: String,
    pub(super) parameters: Vec<Parameter>,
    /// The type of the result; `None` if it is unknown or nothing.
    result: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Parameter {
    name: Option<String>,
    /// The type; `None` for any.
    pub(super) kind: Option<String>,
}

impl Parameter {
    /// Reads a parameter of the engine's metadata: `name: Type`, `Type`, or a name alone.
    fn of(info: Option<&str>, id: Option<&TypeId>) -> Self {
        let known = |kind: &str| {
            let kind = type_name(kind);
            (kind != "anything").then(|| kind.to_owned())
        };
        match info.and_then(|info| info.split_once(':')) {
            Some((name, kind)) => {
                let name = name.trim();
                let name = (name != "_" && !name.is_empty()).then(|| name.to_owned());
                Self { name, kind: known(kind) }
            }
            None => {
                let name = info.map(str::trim).filter(|name| !matches!(*name, "" | "_"));
                Self { name: name.map(str::to_owned), kind: id.and_then(of_id).map(str::to_owned) }
            }
        }
    }

    /// Returns true if the parameter takes a value of a type.
    pub(super) fn takes(&self, kind: &str) -> bool {
        self.kind.as_deref().is_none_or(|own| own == kind)
    }
}

/// Returns the script type of an undocumented parameter; `None` if it is any or unknown.
fn of_id(id: &TypeId) -> Option<&'static str> {
    let known = [
        (TypeId::of::<i64>(), "int"),
        (TypeId::of::<f64>(), "float"),
        (TypeId::of::<bool>(), "bool"),
        (TypeId::of::<char>(), "char"),
        (TypeId::of::<ImmutableString>(), "string"),
        (TypeId::of::<&str>(), "string"),
        (TypeId::of::<String>(), "string"),
        (TypeId::of::<Array>(), "array"),
        (TypeId::of::<Map>(), "map"),
        (TypeId::of::<FnPtr>(), "function"),
    ];
    if *id == TypeId::of::<Dynamic>() {
        return None;
    }
    known.into_iter().find(|(known, _)| known == id).map(|(_, name)| name)
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<String> = self
            .parameters
            .iter()
            .map(|parameter| match (&parameter.name, &parameter.kind) {
                (Some(name), Some(kind)) => format!("{name}: {kind}"),
                (Some(one), None) | (None, Some(one)) => one.clone(),
                (None, None) => "_".to_owned(),
            })
            .collect();
        write!(f, "{}({})", self.qualified(), parameters.join(", "))?;
        match &self.result {
            Some(result) => write!(f, " -> {result}"),
            None => Ok(()),
        }
    }
}

impl Signature {
    /// Returns the signature of a method: `array.push(item)`.
    pub(super) fn as_method(&self) -> String {
        let text = self.to_string();
        let (Some(first), Some(open)) = (self.parameters.first(), text.find('(')) else {
            return text;
        };
        let rest = text[open + 1..].split_once(", ").map_or_else(
            || text[text.find(')').unwrap_or(open)..].to_owned(),
            |(_, rest)| rest.to_owned(),
        );
        let on = first.kind.as_deref().or(first.name.as_deref()).unwrap_or("value");
        format!("{on}.{}({rest}", self.name)
    }

    /// Returns the signature of a script's function, whose parameters take any value.
    pub(super) fn of_script(module: &str, name: &str, parameters: &[String]) -> Self {
        let parameters =
            parameters.iter().map(|name| Parameter { name: Some(name.clone()), kind: None });
        Self {
            module: module.to_owned(),
            name: name.to_owned(),
            parameters: parameters.collect(),
            result: None,
        }
    }

    /// Returns the name, qualified by the module.
    pub(super) fn qualified(&self) -> String {
        if self.module.is_empty() {
            self.name.clone()
        } else {
            format!("{}::{}", self.module, self.name)
        }
    }
}

/// Types of the engine that values of scripts never, or hardly ever, have.
const UNSEEN: [&str; 15] = [
    "i8", "u8", "i16", "u16", "i32", "u32", "u64", "i128", "u128", "isize", "usize", "f32", "Blob",
    "Instant", "Decimal",
];

/// Returns all native functions of an engine, sorted, without properties and operators.
pub(super) fn natives(engine: &Engine) -> Vec<Signature> {
    let mut signatures = all(engine);
    signatures.retain(|s| is_name(&s.name));
    signatures.sort();
    signatures.dedup();
    signatures
}

/// Returns the qualified names of all native functions of an engine, those for [`UNSEEN`] types included.
pub(in crate::script) fn callable(engine: &Engine) -> BTreeSet<String> {
    let named = |function: FuncInfo| {
        let (module, name) = (&function.namespace, &function.metadata.name);
        let is_native = function.script.is_none() && is_name(name);
        is_native.then(|| match module.as_str() {
            "" => name.to_string(),
            module => format!("{module}::{name}"),
        })
    };
    engine.collect_fn_metadata(None, named, true).into_iter().collect()
}

/// Returns the properties of a type, sorted.
pub(super) fn properties(engine: &Engine, kind: &str) -> Vec<String> {
    let of_kind = |signature: &Signature| {
        let name = signature.name.strip_prefix("get$")?;
        let takes = signature.parameters.first()?.kind.as_deref() == Some(kind);
        takes.then(|| name.to_owned())
    };
    let mut names: Vec<String> = all(engine).iter().filter_map(of_kind).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Returns the native modules of an engine, sorted; imported ones are not among them.
pub(in crate::script) fn modules(engine: &Engine) -> Vec<String> {
    let mut names: Vec<String> =
        all(engine).into_iter().map(|signature| signature.module).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !name.is_empty());
    names
}

fn all(engine: &Engine) -> Vec<Signature> {
    engine.collect_fn_metadata(
        None,
        |function| {
            let (data, module) = (function.metadata, function.namespace.to_string());
            if function.script.is_some() {
                return None;
            }
            let parameters = (0..data.num_params).map(|at| {
                Parameter::of(
                    data.params_info.get(at).map(|i| i.as_str()),
                    data.param_types.get(at),
                )
            });
            let result = data.return_type.as_str();
            let inner = ["RhaiResultOf<", "Result<"].iter().find_map(|r| result.strip_prefix(r));
            let result = inner.map_or(result, |inner| {
                inner.split(',').next().unwrap_or(inner).trim_end_matches('>')
            });
            let result = type_name(result);
            let result = (!matches!(result, "anything" | "nothing" | "RhaiResult"))
                .then(|| result.to_owned());
            let name = data.name.to_string();
            let parameters: Vec<Parameter> = parameters.collect();
            let is_seen = |p: &Parameter| p.kind.as_deref().is_none_or(|k| !UNSEEN.contains(&k));
            let is_known = parameters.iter().all(is_seen);
            is_known.then_some(Signature { module, name, parameters, result })
        },
        true,
    )
}

/// Returns true if a function is called by its name: operators and properties are not.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}
