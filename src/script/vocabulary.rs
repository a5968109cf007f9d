//! The names that scripts can call.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use rhai::Engine;

use super::engine::engine;
use super::host::Host;
use super::limits::Limits;
use super::resolver::Resolver;
use super::sources::Sources;

/// The functions that scripts can call without importing anything, as they call them: `chaidnn::estimate`,
/// `sqrt`; operators and properties are not among them.
pub fn vocabulary() -> BTreeSet<String> {
    let host = Arc::new(Host::new(PathBuf::new(), 1));
    let resolver = Resolver::of_stored(std::collections::BTreeMap::new(), Sources::default());
    let described = describe(&engine(resolver, &host, &Limits::default()));
    let mut names = functions(&described);
    for (module, described) in modules(&described) {
        names.extend(functions(described).into_iter().map(|name| format!("{module}::{name}")));
    }
    names
}

fn describe(engine: &Engine) -> serde_json::Value {
    let described = engine.gen_fn_metadata_to_json(true).unwrap_or_default();
    serde_json::from_str(&described).unwrap_or_default()
}

fn modules(described: &serde_json::Value) -> impl Iterator<Item = (&String, &serde_json::Value)> {
    described.get("modules").and_then(|modules| modules.as_object()).into_iter().flatten()
}

fn functions(described: &serde_json::Value) -> BTreeSet<String> {
    let functions = described.get("functions").and_then(|functions| functions.as_array());
    let name = |function: &serde_json::Value| {
        let name = function.get("name")?.as_str()?;
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_plain.then(|| name.to_owned())
    };
    functions.into_iter().flatten().filter_map(name).collect()
}
