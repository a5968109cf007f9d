//! The Rhai engine of an experiment.

use std::sync::Arc;

use rhai::Engine;
use rhai::packages::{Package, StandardPackage};

use super::host::Host;
use super::limits::Limits;
use super::modules;
use super::resolver::Resolver;

/// What the language has and scripts do not: a clock would let a script decide by the time of day, and `eval`
/// would escape the parse limits.
pub(super) const DISABLED: [&str; 3] = ["eval", "timestamp", "sleep"];

/// Makes an engine that reaches nothing but the native modules and jailed imports.
pub(super) fn engine(resolver: Resolver, host: &Arc<Host>, limits: &Limits) -> Engine {
    let mut engine = Engine::new_raw();
    engine.register_global_module(StandardPackage::new().as_shared_module());
    engine.set_module_resolver(resolver);
    engine.set_fail_on_invalid_map_property(true);
    for symbol in DISABLED {
        engine.disable_symbol(symbol);
    }
    limits.apply(&mut engine);
    engine.on_print(|text| tracing::info!(target: "script", "{text}"));
    engine.on_debug(|text, source, position| {
        let source = source.unwrap_or("script");
        tracing::info!(target: "script", "{source}:{position:?}: {text}");
    });
    modules::register(&mut engine, host);
    engine
}
