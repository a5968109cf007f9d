//! The Rhai engine of an experiment.

use std::sync::Arc;

use rhai::Engine;
use rhai::module_resolvers::DummyModuleResolver;
use rhai::packages::{
    BasicArrayPackage, BasicBlobPackage, BasicMapPackage, BasicMathPackage, BitFieldPackage,
    CorePackage, LogicPackage, MoreStringPackage, Package,
};

use super::language::DISABLED;
use super::modules;
use super::resolver::Resolver;
use super::sandbox::budget::may_print;
use super::sandbox::limits::Limits;
use super::sandbox::safe_builtins;
use super::services::Services;
use super::truncate::brief;

/// Makes an engine whose scripts reach only the native modules and jailed imports.
pub(super) fn engine(resolver: Resolver, services: &Arc<Services>, limits: &Limits) -> Engine {
    let mut engine = plain(limits);
    engine.set_module_resolver(resolver.under(limits));
    engine.set_fail_on_invalid_map_property(true);
    modules::register(&mut engine, services);
    engine
}

/// Makes an engine with the language alone: no native modules, no imports.
pub(crate) fn plain(limits: &Limits) -> Engine {
    let mut engine = Engine::new_raw();
    // The standard packages, without the one of clocks.
    CorePackage::new().register_into_engine(&mut engine);
    BitFieldPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicBlobPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    engine.set_module_resolver(DummyModuleResolver::new());
    for symbol in DISABLED {
        engine.disable_symbol(symbol);
    }
    safe_builtins::register(&mut engine);
    limits.apply(&mut engine);
    engine.on_print(|text| say(&brief(text)));
    engine.on_debug(|text, source, position| {
        let source = source.unwrap_or("script");
        say(&format!("{source}:{position:?}: {}", brief(text)));
    });
    engine
}

/// Logs a line that a script prints, unless its call has printed too many.
fn say(text: &str) {
    match may_print() {
        Some(true) => tracing::info!(target: "script", "{text}"),
        Some(false) => {}
        None => tracing::info!(target: "script", "... what else this call prints is not shown"),
    }
}
