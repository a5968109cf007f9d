//! Where a call was when it reached a limit.
//!
//! The engine's errors of limits carry no places from within functions. The call is made again with a
//! mark before every statement of every function: the marks that were passed last are the place and
//! the calls that led there.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Dynamic, Engine, Module, NativeCallContext, Scope};

use super::contract::{SELF, bind_args};
use super::diagnostic::{Diagnostic, Outline, Place};
use super::engine::engine;
use super::host::Host;
use super::limits::Limits;
use super::resolver::Resolver;
use super::sources::Sources;

/// What marks call.
const MARK: &str = "tandem_mark";

/// The second run of a call takes at most this long.
const SECONDS: f64 = 5.0;

/// A statement of a function.
struct Mark {
    function: String,
    place: Place,
}

thread_local! {
    /// For each level of calls, the mark that it passed last.
    static PASSED: RefCell<Vec<(usize, usize)>> = const { RefCell::new(Vec::new()) };
}

/// A script with marks.
pub(super) struct Tracer {
    engine: Engine,
    marks: Vec<Mark>,
    limits: Limits,
}

impl Tracer {
    /// Puts marks into a script that has been loaded; `None` if it cannot be loaded with them.
    pub(super) fn new(
        label: &str,
        sources: &Sources,
        args: &BTreeMap<String, Dynamic>,
        host: &Arc<Host>,
        limits: &Limits,
    ) -> Option<Self> {
        let mut marks = Vec::new();
        let mut texts: BTreeMap<String, String> = sources
            .all()
            .into_iter()
            .map(|(label, text)| {
                let marked = marked(&label, &text, &mut marks);
                (label, marked)
            })
            .collect();
        let text = texts.remove(label)?;
        let limits = Limits { seconds: limited(limits.seconds), ..*limits };
        let resolver = Resolver::of_stored(texts, Sources::default());
        let mut engine = engine(resolver, host, &limits);
        // It has been said the first time.
        engine.on_print(|_| {}).on_debug(|_, _, _| {});
        engine.register_fn(MARK, |context: NativeCallContext, mark: i64| {
            let level = context.call_level();
            PASSED.with_borrow_mut(|passed| {
                passed.retain(|(known, _)| *known < level);
                passed.push((level, usize::try_from(mark).unwrap_or_default()));
            });
        });
        bind_args(&mut engine, args);
        let mut ast = engine.compile(&text).ok()?;
        ast.set_source(label);
        let module = limits.timed(|| Module::eval_ast_as_new(Scope::new(), &ast, &engine)).ok()?;
        engine.register_static_module(SELF, module.into());
        Some(Self { engine, marks, limits })
    }

    /// Makes a call that reached a limit again, and writes where it was into its message; a call
    /// that goes well this time says nothing.
    pub(super) fn trace(&self, function: &str, argument: Dynamic, diagnostic: &mut Diagnostic) {
        let argument_text = if argument.is_unit() { "" } else { "argument" };
        let Ok(call) = self.engine.compile(format!("{SELF}::{function}({argument_text})")) else {
            return;
        };
        let mut scope = Scope::new();
        scope.push_dynamic("argument", argument);
        PASSED.take();
        let outcome =
            self.limits.timed(|| self.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &call));
        let passed = PASSED.take();
        let failed = outcome.is_err_and(|error| error.is_system_exception());
        let marks: Vec<&Mark> =
            passed.iter().filter_map(|(_, mark)| self.marks.get(*mark)).collect();
        let Some(last) = marks.last().filter(|_| failed) else { return };
        diagnostic.place = Some(last.place.clone());
        let stack: Vec<String> = marks
            .windows(2)
            .rev()
            .map(|pair| format!("in `{}`, called at {}", pair[1].function, pair[0].place))
            .collect();
        diagnostic.stack = shortened(stack).into();
    }
}

/// A limit of seconds for the second run; 0 is none.
fn limited(seconds: f64) -> f64 {
    if seconds > 0.0 { seconds.min(SECONDS) } else { SECONDS }
}

/// Leaves out the middle of a long stack.
fn shortened(mut stack: Vec<String>) -> Vec<String> {
    const ENDS: usize = 3;
    if stack.len() > 2 * ENDS + 1 {
        let left_out = stack.len() - 2 * ENDS;
        let more = format!("... {left_out} calls more ...");
        stack.splice(ENDS..stack.len() - ENDS, [more]);
    }
    stack
}

/// A text with marks before the statements of its functions; lines stay, columns do not.
fn marked(label: &str, text: &str, marks: &mut Vec<Mark>) -> String {
    let outline = Outline::of(text);
    let mut places: Vec<(usize, String)> = outline
        .functions
        .iter()
        .flat_map(|function| {
            let starts = outline.statements(function).into_iter();
            starts.map(|start| (start, function.name.clone()))
        })
        .collect();
    places.sort_unstable();
    let mut marked = String::with_capacity(text.len() * 2);
    let mut end = 0;
    for (start, function) in places {
        marked.push_str(&text[end..start]);
        marked.push_str(&format!("{MARK}({}); ", marks.len()));
        marks.push(Mark { function, place: Place::of_offset(label, text, start) });
        end = start;
    }
    marked.push_str(&text[end..]);
    marked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_has_a_mark() {
        let text = "fn f(x) {\n    let y = x;\n    if y > 1 { 1 } else { 2 }\n    loop { y += 1; }\n    \
                    #{ a: y }\n}\nlet z = 1;\nfn g() { }\n";
        let mut marks = Vec::new();
        assert_eq!(
            marked("x", text, &mut marks),
            "fn f(x) {\n    tandem_mark(0); let y = x;\n    tandem_mark(1); if y > 1 { 1 } else { 2 \
             }\n    tandem_mark(2); loop { y += 1; }\n    tandem_mark(3); #{ a: y }\n}\nlet z = \
             1;\nfn g() { }\n"
        );
        assert_eq!(marks[3].place.to_string(), "x:5:5");
    }
}
