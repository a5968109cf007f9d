//! The place at which a call reached a limit.
//!
//! The engine's errors of limits carry no places within functions. The call is therefore repeated with a mark
//! before every statement of every function: the last marks passed are the place and the calls that led
//! there.

use std::cell::RefCell;

use rhai::{Dynamic, NativeCallContext};

use crate::script::diagnostic::Outline;
use crate::script::diagnostic::replay::{Original, Replay};
use crate::script::{Diagnostic, Place};

/// The name of the native function that each mark calls.
const MARK: &str = "tandem_mark";

/// A marked statement of a function.
struct Mark {
    function: String,
    place: Place,
}

thread_local! {
    /// The last mark passed on each level of calls.
    static PASSED: RefCell<Vec<(usize, usize)>> = const { RefCell::new(Vec::new()) };
}

/// A script with marks before its statements.
pub(in crate::script) struct Tracer {
    again: Replay,
    marks: Vec<Mark>,
}

impl Tracer {
    /// Adds marks to a loaded script; `None` if it cannot be loaded with them.
    pub(in crate::script) fn new(original: Original<'_>) -> Option<Self> {
        let mut marks = Vec::new();
        let again = Replay::new(
            original,
            |label, text| marked(label, text, &mut marks),
            |engine| {
                engine.register_fn(MARK, pass);
            },
        )?;
        Some(Self { again, marks })
    }

    /// Repeats a call that reached a limit, and writes its place and stack into the message.
    ///
    /// A call that reaches no limit this time leaves the message as it is.
    pub(in crate::script) fn trace(
        &self,
        function: &str,
        argument: Dynamic,
        diagnostic: &mut Diagnostic,
    ) {
        PASSED.take();
        let outcome = self.again.call(function, argument);
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

fn pass(context: NativeCallContext, mark: i64) {
    let level = context.call_level();
    PASSED.with_borrow_mut(|passed| {
        passed.retain(|(known, _)| *known < level);
        passed.push((level, usize::try_from(mark).unwrap_or_default()));
    });
}

/// Cuts the middle of a long stack.
fn shortened(mut stack: Vec<String>) -> Vec<String> {
    const ENDS: usize = 3;
    if stack.len() > 2 * ENDS + 1 {
        let left_out = stack.len() - 2 * ENDS;
        let more = format!("... {left_out} calls more ...");
        stack.splice(ENDS..stack.len() - ENDS, [more]);
    }
    stack
}

/// Adds marks before the statements of a text's functions; lines stay, columns do not.
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
