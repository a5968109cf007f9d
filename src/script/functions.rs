//! Calls of a script's functions by the services.

use rhai::{
    AST, Dynamic, Engine, EvalAltResult, GlobalRuntimeState, Module, NativeCallContext, Position,
    Scope,
};

use super::sandbox::depth::{kept, shallow};
use super::sandbox::limits::Limits;

/// The functions of a script with the imports and constants around them.
pub(super) struct ScriptFunctions {
    global: GlobalRuntimeState,
}

impl ScriptFunctions {
    /// Runs the statements outside of a script's functions and keeps its functions.
    pub(super) fn new(
        engine: &Engine,
        limits: &Limits,
        ast: &AST,
    ) -> Result<Self, Box<EvalAltResult>> {
        let module = limits.timed(|| Module::eval_ast_as_new(Scope::new(), ast, engine))?;
        let mut own = Self::none(engine);
        own.global.lib.push(kept(module, limits));
        Ok(own)
    }

    /// An empty set of functions.
    pub(super) fn none(engine: &Engine) -> Self {
        Self { global: engine.new_global_runtime_state() }
    }

    /// Registers the functions globally in an engine.
    pub(super) fn register(self, engine: &mut Engine) {
        for functions in self.global.lib {
            engine.register_global_module(functions);
        }
    }

    /// Calls a function with an argument, or without one if `argument` is unit.
    ///
    /// A result that is nested too deep is an error. The engine's ways to call by an expression copy the
    /// argument, and those to call by a name do not know the imports around the functions.
    pub(super) fn call(
        &self,
        engine: &Engine,
        function: &str,
        mut argument: Dynamic,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let (global, nowhere) = (&self.global, Position::NONE);
        let context =
            NativeCallContext::new_with_all_fields(engine, function, None, global, nowhere);
        let value = if argument.is_unit() {
            context.call_fn_raw(function, false, false, &mut [])?
        } else {
            context.call_fn_raw(function, false, false, &mut [&mut argument])?
        };
        shallow(format_args!("{function}() returned"), value)
    }
}
