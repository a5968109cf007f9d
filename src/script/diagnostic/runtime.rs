//! Explanations of errors of evaluation.

use rhai::{Engine, EvalAltResult, Position};

use super::calls::{Call, Explanation, NOTHING};
use super::lite_parser::{Held, MapText, Outline};
use super::message::{Diagnostic, Diagnostics, Place, lowercase_first};
use super::names::{a_type, counted, listed, meant_or_known, type_name};
use super::parse::{ITERABLE, mistakes, of_constant};
use super::signatures::{Signature, natives, properties};
use super::tokens::offset_of;
use crate::metrics::unit_hint;
use crate::script::language::BUILT_IN;
use crate::script::native_error::message_and_help;
use crate::script::sandbox::limit_error::LimitReached;
use crate::script::sources::Sources;
use crate::util::suggest::nearest;

/// Values of other languages, with their equivalents in scripts.
const VALUES: [(&str, &str); 7] = [
    ("None", "()"),
    ("undefined", "()"),
    ("NaN", "0.0 / 0.0"),
    ("True", "true"),
    ("False", "false"),
    ("self", "this"),
    ("math", "x.sqrt(), x.exp(), x.ln(), PI()"),
];

/// An explainer of errors: the engine, the texts and the names that it consults.
#[derive(Clone, Copy)]
pub(crate) struct Explainer<'a> {
    /// The engine that failed.
    pub(in crate::script) engine: &'a Engine,
    /// The texts that it ran.
    pub(in crate::script) sources: &'a Sources,
    /// The names of the script's arguments.
    pub(in crate::script) args: &'a [String],
    /// The names of the metrics that were passed to the failing function, if any.
    pub(in crate::script) metrics: &'a [String],
    /// A function that finds the entries of the map that is accessed at a byte of a text.
    pub(in crate::script) entries: &'a EntriesAt<'a>,
}

/// A function from the label of a text and a byte to the entries of the map that is accessed there.
pub(in crate::script) type EntriesAt<'a> = dyn Fn(&str, usize) -> Option<Vec<String>> + 'a;

const fn no_entries(_: &str, _: usize) -> Option<Vec<String>> {
    None
}

/// An error without the calls around it, and its place.
struct Innermost<'e> {
    error: &'e EvalAltResult,
    label: String,
    position: Position,
    stack: Box<[String]>,
}

impl<'e> Innermost<'e> {
    /// Unwraps an error: the innermost one has the message, the last known position the place.
    fn of(error: &'e EvalAltResult, label: &str) -> Self {
        let (mut error, mut label) = (error, label.to_owned());
        let mut position = Position::NONE;
        let mut stack = Vec::new();
        loop {
            match error {
                EvalAltResult::ErrorInFunctionCall(name, source, next, at) => {
                    // A call without a text is the services's, and says nothing new beside a place.
                    if let Some(at) = Place::of(*at, &label) {
                        stack.insert(0, format!("in {}, called at {at}", function_name(name)));
                    }
                    position = *at;
                    if !source.is_empty() {
                        label.clone_from(source);
                        position = Position::NONE;
                    }
                    error = next;
                }
                EvalAltResult::ErrorInModule(name, next, at) => {
                    stack.insert(0, format!("in a module imported at {}", at_text(&label, *at)));
                    label.clone_from(name);
                    position = Position::NONE;
                    error = next;
                }
                _ => break,
            }
        }
        if !error.position().is_none() {
            position = error.position();
        }
        Self { error, label, position, stack: stack.into() }
    }
}

fn at_text(label: &str, position: Position) -> String {
    Place::of(position, label).map_or_else(|| label.to_owned(), |place| place.to_string())
}

/// Returns the name of a function for messages: closures are named by hashes.
fn function_name(name: &str) -> String {
    if name.starts_with("anon$") { "a closure".to_owned() } else { format!("`{name}`") }
}

impl<'a> Explainer<'a> {
    /// Creates an explainer that knows no arguments, metrics or maps.
    pub(crate) const fn new(engine: &'a Engine, sources: &'a Sources) -> Self {
        Self { engine, sources, args: &[], metrics: &[], entries: &no_entries }
    }

    /// Returns the message of an error that started in the text of a label.
    pub(crate) fn explain(&self, error: &EvalAltResult, label: &str) -> Diagnostic {
        let Innermost { error, label, position, stack } = Innermost::of(error, label);
        let mut diagnostic = Diagnostic { stack, ..Diagnostic::new("") }.at(position, &label);
        self.say(error, &label, position).write_into(&mut diagnostic);
        diagnostic
    }

    /// Returns the messages of an error of loading; a text that does not parse may have several.
    pub(in crate::script) fn explain_all(&self, error: &EvalAltResult, label: &str) -> Diagnostics {
        let inner = Innermost::of(error, label);
        let text = self.sources.get(&inner.label);
        let found = match (&inner.error, text) {
            (EvalAltResult::ErrorParsing(..), Some(text)) => {
                let (_, mut found) = mistakes(self.engine, &inner.label, &text);
                for diagnostic in &mut found {
                    diagnostic.stack.clone_from(&inner.stack);
                }
                found
            }
            _ => Vec::new(),
        };
        Diagnostics::of(found).unwrap_or_else(|| self.explain(error, label).into())
    }

    fn say(&self, error: &EvalAltResult, label: &str, position: Position) -> Explanation {
        let call = Call { engine: self.engine, sources: self.sources, label, position };
        match error {
            EvalAltResult::ErrorRuntime(value, _) if value.is_string() => {
                self.native(&value.to_string())
            }
            EvalAltResult::ErrorRuntime(value, _) => {
                Explanation::new(format!("the script threw {value}"))
            }
            EvalAltResult::ErrorFunctionNotFound(signature, _) => call.explain(signature),
            EvalAltResult::ErrorModuleNotFound(name, _) => call.module(name),
            EvalAltResult::ErrorVariableNotFound(name, _) => self.variable(name, label, position),
            EvalAltResult::ErrorPropertyNotFound(name, _) => self.entry(name, label, position),
            EvalAltResult::ErrorDotExpr(text, _) => {
                self.of_function(label, position).unwrap_or_else(|| self.property(text))
            }
            EvalAltResult::ErrorIndexingType(kinds, _) => {
                let (kind, key) = kinds.split_once(" [").unwrap_or((kinds, ""));
                let key = key.split(']').next().unwrap_or_default();
                let (kind, key) = (type_name(kind), type_name(key));
                if kind == "function"
                    && let Some(said) = self.of_function(label, position)
                {
                    return said;
                }
                Explanation::new(format!(
                    "{} has no entries to be found by {}",
                    a_type(kind),
                    a_type(key)
                ))
                .help("`value[key]` is for arrays, strings and maps")
            }
            EvalAltResult::ErrorMismatchDataType(expected, given, _) => {
                let (expected, given) = (type_name(expected), type_name(given));
                let said = Explanation::new(format!(
                    "this is {}, but {} is expected here",
                    a_type(given),
                    a_type(expected)
                ));
                match (expected, given) {
                    ("bool", "nothing") => said.help(NOTHING),
                    ("bool", _) => {
                        said.help("a condition is true or false: compare with `==`, `>` ...")
                    }
                    _ => said,
                }
            }
            EvalAltResult::ErrorArrayBounds(length, index, _) => {
                bounds("array", "item", *length, *index)
            }
            EvalAltResult::ErrorStringBounds(length, index, _) => {
                bounds("string", "character", *length, *index)
            }
            EvalAltResult::ErrorFor(_) => {
                Explanation::new("this cannot be gone through by `for`").help(ITERABLE)
            }
            EvalAltResult::ErrorAssignmentToConstant(name, _) => {
                let (message, help) = of_constant(name);
                Explanation { help, ..Explanation::new(message) }
            }
            EvalAltResult::ErrorNonPureMethodCallOnConstant(name, _) => {
                Explanation::new(format!("`{name}` would change a constant"))
                    .help("declare it with `let` where it shall change")
            }
            EvalAltResult::ErrorUnboundThis(_) => {
                Explanation::new("`this` is known in functions that are called as methods only")
            }
            EvalAltResult::ErrorTerminated(token, _) => match token.read_lock::<LimitReached>() {
                Some(reached) => {
                    Explanation::new(reached.message.as_str()).help(reached.help.as_str())
                }
                None => Explanation::new(token.to_string()),
            },
            EvalAltResult::ErrorParsing(kind, at) => {
                let text = self.sources.get(label).unwrap_or_default();
                let error = rhai::ParseError(kind.clone().into(), *at);
                let Diagnostic { message, help, place, .. } =
                    super::parse::of_parse_error(&error, label, &text);
                Explanation { help, place, ..Explanation::new(message) }
            }
            other => {
                let mut other = other.to_string();
                if let Some(at) = other.find(" (line ") {
                    other.truncate(at);
                }
                Explanation::new(lowercase_first(&other))
            }
        }
    }

    /// Explains an error of a native function, or a text that the script throws.
    fn native(&self, text: &str) -> Explanation {
        let (message, help) = message_and_help(text);
        let absent = message.strip_prefix("cannot import: there is no `");
        let absent = absent.and_then(|rest| rest.split_once(".rhai`"));
        let help = help.map(str::to_owned).or_else(|| {
            let names = BUILT_IN.map(|(name, _)| name);
            let near = nearest(absent?.0, names);
            near.first().map(|near| format!("is `{near}` meant?"))
        });
        Explanation { help, ..Explanation::new(message) }
    }

    /// Explains an unknown variable.
    fn variable(&self, name: &str, label: &str, position: Position) -> Explanation {
        if let Some(name) = name.strip_prefix("args::") {
            return self.argument(name);
        }
        if let Some((module, name)) = name.rsplit_once("::") {
            return self.constant(module, name);
        }
        let text = self.sources.get(label).unwrap_or_default();
        let outline = Outline::of(&text);
        let offset = offset_in(&text, position);
        if let Some(end) = outline.unended(offset, name) {
            let place = Some(Place::of_offset(label, &text, end));
            let said = Explanation::new(format!(
                "a `;` is missing here to end the statement that declares `{name}`"
            ));
            return Explanation { place, ..said };
        }
        let is_global = outline.globals().iter().any(|known| known == name);
        if is_global && outline.function_around(offset).is_some() {
            let said = Explanation::new(format!("the function does not see the script's `{name}`"));
            return if outline.is_constant(name) {
                said.help(format!("write `global::{name}`"))
            } else {
                said.help(format!(
                    "a function sees its parameters and what it declares; make `{name}` a parameter, \
                     or a constant: `const {name} = ...` and `global::{name}`"
                ))
            };
        }
        Explanation::new(format!("there is no variable `{name}`"))
            .help(self.instead_of_variable(name, &outline, offset))
    }

    /// An argument that the script does not declare.
    fn argument(&self, name: &str) -> Explanation {
        let help = meant_or_known(name, self.args, "args() gives");
        let declare = "the script declares no arguments; `fn args() { #{ name: default } }` would";
        Explanation::new(format!("there is no argument `{name}`"))
            .help(help.unwrap_or_else(|| declare.to_owned()))
    }

    /// A constant that a module has not.
    fn constant(&self, module: &str, name: &str) -> Explanation {
        let names = natives(self.engine);
        let is_function = names.iter().any(|s| s.module == module && s.name == name);
        let said = Explanation::new(format!("`{module}` has no constant `{name}`"));
        if is_function {
            said.help(format!("`{name}` is a function; write `{module}::{name}(...)`"))
        } else {
            said
        }
    }

    /// Suggests a name for one that is no variable: the nearest first, then other kinds of names.
    fn instead_of_variable(&self, name: &str, outline: &Outline<'_>, offset: usize) -> String {
        if self.args.iter().any(|known| known == name) {
            return format!("an argument is written `args::{name}`");
        }
        let seen = outline.variables_at(offset);
        if let Some(near) = nearest(name, seen.iter().map(String::as_str)).first() {
            return format!("is `{near}` meant?");
        }
        if let Some(function) = outline.functions.iter().find(|f| f.name == name) {
            return format!("`{name}` is a function; call it: `{}`", function.signature());
        }
        if let Some((_, ours)) = VALUES.iter().find(|(theirs, _)| *theirs == name) {
            return format!("write `{ours}`");
        }
        if outline.is_assigned(offset) {
            return format!("a variable is declared with `let`: `let {name} = ...`");
        }
        let own = |s: &&Signature| s.module.is_empty() && s.name == name;
        if let Some(native) = natives(self.engine).iter().find(own) {
            let arguments = if native.parameters.is_empty() { "" } else { "..." };
            return format!("`{name}` is a function; call it: `{name}({arguments})`");
        }
        if let Some(near) = nearest(name, self.args.iter().map(String::as_str)).first() {
            return format!("is `args::{near}` meant?");
        }
        let modules = super::signatures::modules(self.engine);
        let aliases = outline.imports.iter().map(|import| &import.alias);
        if aliases.chain(&modules).any(|known| known == name) {
            return format!("`{name}` is a module; write `{name}::...`");
        }
        if seen.is_empty() {
            return "a function sees its parameters, its own variables and imported modules, but no \
                    variables of the script around it"
                .to_owned();
        }
        format!("{} can be seen here", listed(&seen, "and"))
    }

    /// Explains a missing entry of a map.
    fn entry(&self, name: &str, label: &str, position: Position) -> Explanation {
        let text = self.sources.get(label).unwrap_or_default();
        let outline = Outline::of(&text);
        let offset = offset_in(&text, position);
        let said = Explanation::new(format!("the map has no entry `{name}`"));
        let chain = outline.chain(offset).unwrap_or_default();
        // The text may not say all: entries can be added to a map that is written out.
        let written = || self.written(&outline, &chain, offset).map(|map| map.keys());
        let keys = (self.entries)(label, offset).or_else(written);
        if let Some(keys) = keys.filter(|keys| keys.is_empty() || keys.as_slice() != self.metrics) {
            return match meant_or_known(name, &keys, "it has") {
                Some(help) => said.help(help),
                None => said.help("it is empty"),
            };
        }
        // A map without a text may well be that of the metrics.
        let is_own = chain.first().is_some_and(|base| outline.is_declared(base, offset));
        if self.metrics.is_empty() || chain.len() > 1 || is_own {
            return said.help(format!("`\"{name}\" in map` says whether there is one"));
        }
        let given = format!("evaluate(point) gives {}", listed(self.metrics, "and"));
        match unit_hint(name, self.metrics) {
            Some(hint) => said.help(hint),
            None => said
                .help(meant_or_known(name, self.metrics, "evaluate(point) gives").unwrap_or(given)),
        }
    }

    /// Returns the map literal to which a chain of names leads, if there is one.
    fn written(&self, outline: &Outline<'_>, chain: &[String], offset: usize) -> Option<MapText> {
        let (base, inner) = chain.split_first()?;
        let map = match outline.held(base, offset)? {
            Held::Map(map) => map,
            Held::Result(None, name) => outline.result(outline.only_function(&name)?)?,
            Held::Result(Some(_), _) => return None,
        };
        inner.iter().try_fold(map, |map, name| outline.inner(&map, name))
    }

    /// Explains a function of the script that is used as if it were its result.
    fn of_function(&self, label: &str, position: Position) -> Option<Explanation> {
        let text = self.sources.get(label)?;
        let outline = Outline::of(&text);
        let offset = offset_in(&text, position);
        let base = outline.base(offset)?;
        let function = outline.functions.iter().find(|function| function.name == base)?;
        if outline.variables_at(offset).contains(&base) {
            return None;
        }
        let said = Explanation::new(format!("`{base}` is a function here, not what it returns"));
        Some(if base == "args" {
            said.help("an argument is written `args::name`")
        } else {
            said.help(format!("call it: `{}`", function.signature()))
        })
    }

    /// Explains a property that a value lacks, or that cannot be changed.
    fn property(&self, text: &str) -> Explanation {
        let quoted: Vec<&str> = text.split('\'').skip(1).step_by(2).collect();
        let [name, kind, ..] = quoted.as_slice() else {
            return Explanation::new(lowercase_first(text));
        };
        let kind = type_name(kind);
        let known = properties(self.engine, kind);
        let a_kind = a_type(kind);
        if text.starts_with("No writable") && known.iter().any(|known| known == name) {
            return Explanation::new(format!(
                "the property `{name}` of {a_kind} cannot be changed"
            ));
        }
        let said = Explanation::new(format!("{a_kind} has no property `{name}`"));
        if kind == "nothing" {
            return said.help(NOTHING);
        }
        let is_plain = matches!(kind, "int" | "float" | "bool" | "string" | "char" | "range");
        let functions = natives(self.engine);
        let is_function = |s: &Signature| {
            s.module.is_empty()
                && s.name == *name
                && s.parameters.len() == 1
                && s.parameters[0].takes(kind)
        };
        if functions.iter().any(is_function) {
            return said.help(format!("`{name}` is a function; write `{name}()`"));
        }
        let near = nearest(name, known.iter().map(String::as_str));
        let of_names = || match near.first() {
            Some(near) if is_plain => Some(format!("is `{near}` meant?")),
            None if is_plain => None,
            _ => meant_or_known(name, &known, "it has"),
        };
        match unit_hint(name, &known).or_else(of_names) {
            Some(help) => said.help(help),
            None => said,
        }
    }
}

fn offset_in(text: &str, position: Position) -> usize {
    position.line().map_or(0, |line| offset_of(text, line, position.position().unwrap_or(1)))
}

fn bounds(what: &str, part: &str, length: usize, index: i64) -> Explanation {
    let said = Explanation::new(format!(
        "index {index} is out of bounds: the {what} has {}",
        counted(length, part)
    ));
    match length {
        0 => said,
        1 => said.help("its index is 0"),
        _ => said.help(format!("they are counted from 0 to {}", length - 1)),
    }
}
