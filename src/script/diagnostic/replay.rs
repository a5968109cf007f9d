//! Repeated runs of a script with changes to its text, for details that an error lacks.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult};

use crate::script::contract::check::bind_args;
use crate::script::engine::engine;
use crate::script::functions::ScriptFunctions;
use crate::script::resolver::Resolver;
use crate::script::{Limits, Services, Sources};

/// The most seconds of a repeated call.
const SECONDS: f64 = 5.0;

/// A loaded script.
#[derive(Clone, Copy)]
pub(in crate::script) struct Original<'a> {
    /// The texts of the script and its imports.
    pub(in crate::script) sources: &'a Sources,
    /// The label of the script's own text.
    pub(in crate::script) label: &'a str,
    /// The values of the arguments.
    pub(in crate::script) args: &'a BTreeMap<String, Dynamic>,
    pub(in crate::script) services: &'a Arc<Services>,
    pub(in crate::script) limits: &'a Limits,
}

/// A script with changes to its text.
pub(in crate::script) struct Replay {
    engine: Engine,
    own: ScriptFunctions,
    services: Arc<Services>,
    limits: Limits,
}

impl Replay {
    /// Loads a script with each of its texts changed, by label; `None` if it cannot be loaded.
    pub(in crate::script) fn new(
        original: Original<'_>,
        mut change: impl FnMut(&str, &str) -> String,
        prepare: impl FnOnce(&mut Engine),
    ) -> Option<Self> {
        let Original { sources, label, args, services, limits } = original;
        let changed = |(label, text): (String, Arc<str>)| {
            let text = change(&label, &text);
            (label, text)
        };
        let mut texts: BTreeMap<String, String> = sources.all().into_iter().map(changed).collect();
        let text = texts.remove(label)?;
        let limits = Limits { seconds: limited(limits.seconds), ..*limits };
        let mut engine = engine(Resolver::of_stored(texts, Sources::default()), services, &limits);
        // It has been said the first time.
        engine.on_print(|_| {}).on_debug(|_, _, _| {});
        prepare(&mut engine);
        bind_args(&mut engine, args);
        let mut ast = engine.compile(&text).ok()?;
        ast.set_source(label);
        let own = ScriptFunctions::new(&engine, &limits, &ast).ok()?;
        Some(Self { engine, own, services: services.clone(), limits })
    }

    /// Calls a function of the script; unit stands for no argument.
    pub(in crate::script) fn call(
        &self,
        function: &str,
        argument: Dynamic,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        // All that it asks for has been asked for by the first run.
        let reused = self.services.take_reused();
        let result = self.limits.timed(|| self.own.call(&self.engine, function, argument));
        self.services.take_reused();
        self.services.reused(reused);
        result
    }
}

/// Returns the limit of a repeated call in seconds; a limit of 0 stands for none.
fn limited(seconds: f64) -> f64 {
    if seconds > 0.0 { seconds.min(SECONDS) } else { SECONDS }
}
