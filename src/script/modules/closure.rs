//! Functions of a script that outlive the call that created them.

use std::sync::Arc;

#[expect(
    deprecated,
    reason = "rhai calls it volatile, not deprecated; Closure says why it is used"
)]
use rhai::{
    Dynamic, Engine, EvalAltResult, FnPtr, Module, NativeCallContext, NativeCallContextStore,
    Position,
};

use crate::script::diagnostic::Place;
use crate::script::options::error_at_call;
use crate::script::sandbox::depth::{TOO_DEEP, levels_in, shallow};

/// A function of a script, with the state of the call that passed it to the services.
///
/// A closure of an imported module finds its functions and imports in that state; without it, the closure
/// cannot be called from outside.
#[derive(Clone)]
#[expect(deprecated, reason = "rhai calls it volatile, not deprecated")]
pub(in crate::script) struct Closure {
    function: FnPtr,
    /// The nesting depth of the captured values.
    levels: usize,
    made_in: Arc<NativeCallContextStore>,
}

impl Closure {
    /// Keeps a function that a script passes to a native one.
    ///
    /// Captured values that are nested too deep are an error.
    #[expect(deprecated, reason = "rhai calls it volatile, not deprecated")]
    pub(super) fn new(
        context: &NativeCallContext,
        function: &FnPtr,
    ) -> Result<Self, Box<EvalAltResult>> {
        let levels = levels_in(function.curry()).ok_or_else(|| {
            error_at_call(context, format!("the function has captured what is {TOO_DEEP}"))
        })?;
        Ok(Self { function: function.clone(), levels, made_in: Arc::new(context.store_data()) })
    }

    /// Returns the nesting depth of the captured values.
    pub(in crate::script) const fn levels(&self) -> usize {
        self.levels
    }

    /// Calls the function.
    #[expect(deprecated, reason = "rhai calls it volatile, not deprecated")]
    pub(in crate::script) fn call(
        &self,
        engine: &Engine,
        arguments: impl AsMut<[Dynamic]>,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let value =
            self.function.call_raw(&self.made_in.create_context(engine), None, arguments)?;
        shallow("the function returned", value)
    }

    /// The name of the function; that of a closure is a hash.
    pub(in crate::script) fn name(&self) -> &str {
        self.function.fn_name()
    }

    /// Returns the label of the text that has the function; `script` is the label of the script itself.
    #[expect(deprecated, reason = "rhai calls it volatile, not deprecated")]
    pub(in crate::script) fn label<'l>(&'l self, script: &'l str) -> &'l str {
        let own = self.definition().and_then(|(_, module)| module.id());
        own.or(self.made_in.source.as_deref()).unwrap_or(script)
    }

    /// Returns the position of the function's body and the module that defines it.
    #[expect(deprecated, reason = "rhai calls it volatile, not deprecated")]
    fn definition(&self) -> Option<(Position, &Module)> {
        let parameters = self.function.curry().len();
        let all = self.made_in.global.lib.iter().rev();
        all.flat_map(|module| module.iter_script_fn_info().map(move |f| (f, module))).find_map(
            |(f, module)| {
                let is_it = f.2 == self.name() && f.3 >= parameters;
                is_it.then(|| (f.4.body.start_position(), module.as_ref()))
            },
        )
    }

    /// Returns the place of the body, else of the call that received the function; `label` is the script's.
    #[expect(deprecated, reason = "rhai calls it volatile, not deprecated")]
    pub(in crate::script) fn place(&self, label: &str) -> Option<Place> {
        let label = self.label(label);
        let begins = self.definition().and_then(|(position, _)| Place::of(position, label));
        begins.or_else(|| Place::of(self.made_in.pos, label))
    }

    /// Describes the function by its name, or `closure`, and its captured values, alike in every process.
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
