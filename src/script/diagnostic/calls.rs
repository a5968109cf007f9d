//! Calls of functions that do not exist: misspelled, of another module, or with other arguments.

use rhai::{AST, ASTNode, Engine, Expr, FnPtr, Position};

use super::lite_parser::{Import, Outline};
use super::message::{Diagnostic, Place};
use super::names::{a_type, counted, listed, type_name};
use super::signatures::{Signature, is_name, modules, natives};
use super::tokens::offset_of;
use crate::script::language::BUILT_IN;
use crate::script::sources::Sources;
use crate::script::truncate::brief;
use crate::util::suggest::nearest;

/// The most signatures of one name that are listed.
const LISTED: usize = 4;

/// Functions of other languages, with their equivalents in scripts.
const ELSEWHERE: [(&str, &str); 21] = [
    ("println", "print(...)"),
    ("printf", "print(...)"),
    ("append", "array.push(value)"),
    ("length", "value.len()"),
    ("size", "value.len()"),
    ("str", "value.to_string()"),
    ("double", "value.to_float()"),
    ("pow", "base ** exponent"),
    ("powf", "base ** exponent"),
    ("powi", "base ** exponent"),
    ("log2", "x.log(2.0)"),
    ("log10", "x.log(10.0)"),
    ("sum", "array.reduce(|sum, x| sum + x, 0.0)"),
    ("join", "array.reduce(|text, x| text + x, \"\")"),
    ("forEach", "for x in array { ... }"),
    ("typeof", "type_of(value)"),
    ("type", "type_of(value)"),
    ("parseFloat", "parse_float(text)"),
    ("parseInt", "parse_int(text)"),
    ("includes", "array.contains(value)"),
    ("lower", "text.to_lower()"),
];

/// A call for which the engine found no function.
pub(super) struct Call<'a> {
    pub(super) engine: &'a Engine,
    pub(super) sources: &'a Sources,
    /// The label of the calling text.
    pub(super) label: &'a str,
    pub(super) position: Position,
}

/// The message about an error, with notes and help.
#[derive(Debug, Default)]
pub(super) struct Explanation {
    pub(super) message: String,
    pub(super) notes: Vec<String>,
    pub(super) help: Option<String>,
    /// The place, if it is not the one that the engine gives.
    pub(super) place: Option<Place>,
}

impl Explanation {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Writes the explanation into a message.
    pub(super) fn write_into(self, diagnostic: &mut Diagnostic) {
        // Names in them may be any text.
        diagnostic.message = brief(self.message);
        diagnostic.notes = self.notes.into_iter().map(brief).collect();
        diagnostic.help = self.help.map(brief);
        if self.place.is_some() {
            diagnostic.place = self.place;
        }
    }
}

/// Splits a signature such as `estimate (Network, i64)` into its name and the types of its arguments.
fn parse(signature: &str) -> (&str, Vec<&str>) {
    let Some((name, arguments)) = signature.rsplit_once(" (") else {
        return (signature, Vec::new());
    };
    let arguments = arguments.strip_suffix(')').unwrap_or(arguments);
    let kinds = arguments.split(", ").filter(|kind| !kind.is_empty()).map(type_name);
    (name, kinds.collect())
}

impl Call<'_> {
    /// Explains a call, from the signature that the engine looked for.
    pub(super) fn explain(&self, signature: &str) -> Explanation {
        let (path, given) = parse(signature);
        if path.starts_with("anon$") {
            return self.closure(path, &given);
        }
        let (module, name) = match path.rsplit_once("::") {
            Some((module, name)) => (module, name),
            None => ("", path),
        };
        if !is_name(name) {
            return operator(name, &given);
        }
        let text = self.sources.get(self.label).unwrap_or_default();
        let outline = Outline::of(&text);
        let offset = self
            .position
            .line()
            .map_or(0, |line| offset_of(&text, line, self.position.position().unwrap_or(1)));
        let all = self.functions(&outline);
        let own: Vec<&Signature> =
            all.iter().filter(|s| s.module == module && s.name == name).collect();
        let is_method = module.is_empty() && outline.is_method(offset);
        if !own.is_empty() {
            return mismatch(path, &own, &given, is_method);
        }
        if self.is_private(&outline, (module, name)) {
            return Explanation::new(format!(
                "`{path}` is private: only its own module can call it"
            ));
        }
        let elsewhere = ELSEWHERE.iter().find(|(theirs, _)| *theirs == name);
        let missing = |path: &str| match given.first() {
            Some(kind) if is_method => {
                Explanation::new(format!("{} has no function `{name}`", a_type(kind)))
            }
            _ => Explanation::new(format!("there is no function `{path}`")),
        };
        if module.is_empty() && outline.variables_at(offset).iter().any(|known| known == name) {
            let arguments = if given.is_empty() { "" } else { "..." };
            return Explanation::new(format!("`{name}` is a variable, not a function"))
                .help(format!("where it holds a closure, write `{name}.call({arguments})`"));
        }
        let others: Vec<&Signature> =
            all.iter().filter(|s| s.name == name && s.module != module).collect();
        let alike = others.iter().find(|s| s.parameters.len() == given.len());
        if let Some(first) = alike.or(others.first()) {
            let help = if first.module.is_empty() {
                format!("`{name}` is in no module; write `{name}(...)`")
            } else {
                format!("`{name}` is in `{}`; write `{}(...)`", first.module, first.qualified())
            };
            return Explanation { notes: shown(&others, false), ..missing(path).help(help) };
        }
        if let Some((_, ours)) = elsewhere.filter(|_| module.is_empty()) {
            return missing(path).help(format!("write `{ours}`"));
        }
        let suits = |s: &&Signature| {
            let takes = |kind: &&&str| s.parameters.first().is_some_and(|p| p.takes(kind));
            !is_method || given.first().filter(takes).is_some()
        };
        let here: Vec<&Signature> =
            all.iter().filter(|s| s.module == module).filter(suits).collect();
        let near = nearest(name, here.iter().map(|s| s.name.as_str()));
        if let Some(&near) = near.first() {
            let meant: Vec<&Signature> = here.iter().copied().filter(|s| s.name == near).collect();
            let help = format!("is `{}` meant?", meant[0].qualified());
            return Explanation { notes: shown(&meant, is_method), ..missing(path).help(help) };
        }
        if !module.is_empty() {
            let mut names: Vec<&str> = here.iter().map(|s| s.name.as_str()).collect();
            names.dedup();
            return missing(path).help(format!("`{module}` has {}", listed(&names, "and")));
        }
        let everywhere: Vec<&str> = all.iter().map(|s| s.name.as_str()).collect();
        let near = nearest(name, everywhere);
        let meant: Vec<&Signature> =
            all.iter().filter(|s| near.first() == Some(&s.name.as_str())).filter(suits).collect();
        match meant.first() {
            Some(first) => {
                let help = format!("is `{}` meant?", first.qualified());
                Explanation { notes: shown(&meant, is_method), ..missing(path).help(help) }
            }
            None => missing(path),
        }
    }

    /// Explains an unknown module.
    pub(super) fn module(&self, name: &str) -> Explanation {
        let text = self.sources.get(self.label).unwrap_or_default();
        let said = Explanation::new(format!("there is no module `{name}`"));
        if let Some((built_in, _)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            let help = format!("add `import \"{built_in}\" as {built_in};` at the start");
            return said.help(help);
        }
        let mut known = modules(self.engine);
        known.extend(Outline::of(&text).imports.into_iter().map(|import| import.alias));
        known.sort_unstable();
        match nearest(name, known.iter().map(String::as_str)).first() {
            Some(near) => said.help(format!("is `{near}` meant?")),
            None => said.help(format!(
                "there are {}; a script of one's own is imported: `import \"{name}\" as {name};`",
                listed(&known, "and")
            )),
        }
    }

    /// Returns true if a function of an imported module is private.
    fn is_private(&self, outline: &Outline<'_>, (module, name): (&str, &str)) -> bool {
        let import = outline.imports.iter().find(|import| import.alias == module);
        let text = import.and_then(|import| self.sources.imported(&import.path));
        text.is_some_and(|(_, text)| {
            Outline::of(&text).functions.iter().any(|f| f.name == name && f.is_private)
        })
    }

    /// Returns all functions that the text can call.
    fn functions(&self, outline: &Outline<'_>) -> Vec<Signature> {
        let mut all = of_script("", outline);
        for Import { alias, path, .. } in &outline.imports {
            if let Some((_, text)) = self.sources.imported(path) {
                all.extend(of_script(alias, &Outline::of(&text)));
            }
        }
        all.extend(natives(self.engine));
        all
    }

    /// Explains a closure that is called with a wrong number of arguments, or from another module.
    fn closure(&self, name: &str, given: &[&str]) -> Explanation {
        let count = counted(given.len(), "argument");
        let mut texts = self.sources.all();
        // Most probably it is where it is called.
        let own = texts.remove_entry(self.label);
        for (label, text) in own.into_iter().chain(texts) {
            let Ok(ast) = self.engine.compile(&*text) else { continue };
            let Some(position) = position_of(&ast, name) else { continue };
            let Some(line) = position.line() else { continue };
            let at = offset_of(&text, line, position.position().unwrap_or(1));
            let Some((head, range)) = Outline::of(&text).closure(at) else { continue };
            let takes = head.matches(',').count() + usize::from(head != "||");
            let parameters = ast
                .iter_functions()
                .find(|function| function.name == name)
                .map_or(takes, |function| function.params.len());
            // What a closure captures are parameters before its own.
            let captured = parameters.saturating_sub(takes);
            let given = given.len().saturating_sub(captured);
            let place = Place::of_offset(&label, &text, range.start);
            if given == takes {
                return Explanation {
                    notes: vec![format!("the closure `{head}` is at {place}")],
                    ..Explanation::new("a closure can be called only in the script or module that it is written in")
                }
                .help(
                    "write the closure here, and have it call a function of the module: \
                     `|x| module::name(x)`",
                );
            }
            return Explanation {
                notes: vec![format!("the closure `{head}` is at {place}")],
                ..Explanation::new(format!(
                    "the closure takes {}, but is called with {given}",
                    counted(takes, "argument")
                ))
            };
        }
        Explanation::new(format!("the closure does not take {count}"))
    }
}

/// Returns the position at which a closure is written.
fn position_of(ast: &AST, name: &str) -> Option<Position> {
    let mut found = None;
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Expr(Expr::DynamicConstant(value, position))) = path.last()
            && value.read_lock::<FnPtr>().is_some_and(|closure| closure.fn_name() == name)
        {
            found = Some(*position);
        }
        found.is_none()
    });
    found
}

fn of_script(module: &str, outline: &Outline<'_>) -> Vec<Signature> {
    // What is private in a module cannot be called from elsewhere.
    let functions = outline.functions.iter().filter(|f| module.is_empty() || !f.is_private);
    functions.map(|f| Signature::of_script(module, &f.name, &f.parameters)).collect()
}

/// Returns signatures as notes, of which only the first few are listed.
fn shown(signatures: &[&Signature], as_methods: bool) -> Vec<String> {
    let note = |signature: &&Signature| {
        let text = if as_methods { signature.as_method() } else { signature.to_string() };
        format!("there is {text}")
    };
    let mut notes: Vec<String> = signatures.iter().take(LISTED).map(note).collect();
    if signatures.len() > LISTED {
        notes.push(format!("and {} more", signatures.len() - LISTED));
    }
    notes
}

/// Returns the signatures that a call of their name can mean; all of them if none suits.
///
/// A method means those that take its receiver; any other call, those that are not methods of `Part`.
fn alike<'s>(own: &[&'s Signature], given: &[&str], is_method: bool) -> Vec<&'s Signature> {
    let first = |s: &Signature| s.parameters.first().and_then(|p| p.kind.clone());
    let suits = |s: &&&Signature| match given.first() {
        Some(kind) if is_method => s.parameters.first().is_some_and(|p| p.takes(kind)),
        _ => first(s).as_deref() != Some("Part"),
    };
    let suiting: Vec<&Signature> = own.iter().filter(suits).copied().collect();
    if suiting.is_empty() { own.to_vec() } else { suiting }
}

/// Explains a call of a known function with arguments that it does not take.
fn mismatch(path: &str, own: &[&Signature], given: &[&str], is_method: bool) -> Explanation {
    let own = &alike(own, given, is_method);
    // What a method is called on is its first argument.
    let skipped = usize::from(is_method);
    let mut counts: Vec<usize> = own.iter().map(|s| s.parameters.len()).collect();
    counts.sort_unstable();
    counts.dedup();
    let wrong_of = |signature: &Signature| -> Vec<usize> {
        let pairs = signature.parameters.iter().zip(given).enumerate();
        pairs.filter(|(_, (parameter, kind))| !parameter.takes(kind)).map(|(at, _)| at).collect()
    };
    let mut suited: Vec<&Signature> = own.to_vec();
    suited.sort_by_key(|s| (s.parameters.len() != given.len(), wrong_of(s).len()));
    let of_count = |s: &&&Signature| s.parameters.len() == given.len();
    // What is given may be the start of another signature.
    let begins = |s: &&&Signature| {
        let is_start = s.parameters.len() > given.len() && !given.is_empty();
        is_start && s.parameters[0].kind.is_some() && wrong_of(s).is_empty()
    };
    if counts.contains(&given.len())
        && suited.iter().filter(of_count).all(|s| !wrong_of(s).is_empty())
        && let Some(&begun) = suited.iter().find(begins)
    {
        let more = match begun.parameters.len() - given.len() {
            1 => "1 more argument".to_owned(),
            missing => format!("{missing} more arguments"),
        };
        let last = given.last().map_or_else(String::new, |kind| a_type(kind));
        let notes = shown(&[begun], is_method);
        return Explanation {
            notes,
            ..Explanation::new(format!("`{path}` takes {more} after {last}"))
        };
    }
    let notes = shown(&suited, is_method);
    if !counts.contains(&given.len()) {
        let takes: Vec<String> =
            counts.iter().map(|count| count.saturating_sub(skipped).to_string()).collect();
        let takes = match takes.as_slice() {
            [one] => counted(one.parse().unwrap_or_default(), "argument"),
            [first @ .., last] => format!("{} or {last} arguments", first.join(", ")),
            [] => String::new(),
        };
        let is = given.len().saturating_sub(skipped);
        let said = Explanation {
            notes,
            ..Explanation::new(format!("`{path}` takes {takes}, but {is} are given"))
        }
        .singular(is);
        let takes_array = |s: &&&Signature| {
            s.parameters.len() == skipped + 1
                && s.parameters[skipped].kind.as_deref() == Some("array")
        };
        return match own.iter().find(takes_array) {
            Some(_) if is > 1 => {
                said.help(format!("write the values as an array: `{path}([...])`"))
            }
            _ => said,
        };
    }
    let best = suited[0];
    let kinds = |at: usize| {
        let mut kinds: Vec<&str> = suited
            .iter()
            .filter(of_count)
            .filter_map(|s| s.parameters[at].kind.as_deref())
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.into_iter().map(a_type).collect::<Vec<_>>().join(" or ")
    };
    let wrong = wrong_of(best);
    let Some(&at) = wrong.first() else {
        return Explanation {
            notes,
            ..Explanation::new(format!("`{path}` does not take these arguments"))
        };
    };
    let (is, takes) = (a_type(given[at]), kinds(at));
    let message = if is_method && at == 0 {
        format!("`{path}` cannot be called on {is}; it is a function of {takes}")
    } else {
        let place = at + 1 - skipped;
        format!("argument {place} of `{path}` is {is}; it takes {takes}")
    };
    let said = Explanation { notes, ..Explanation::new(message) };
    match (given[at], takes.as_str()) {
        ("int", "a float") => {
            said.help("write a whole number as 1.0, or convert it: `x.to_float()`")
        }
        ("float", "an int") => said.help("convert it: `x.to_int()`"),
        ("nothing", _) => said.help(NOTHING),
        _ => said,
    }
}

impl Explanation {
    fn singular(mut self, count: usize) -> Self {
        if count == 1 {
            self.message = self.message.replace("but 1 are given", "but 1 is given");
        } else if count == 0 {
            self.message = self.message.replace("but 0 are given", "but none is given");
        }
        self
    }
}

/// The origins of `()`, as help.
pub(super) const NOTHING: &str = "`()` comes from a function that ends with `let`, an assignment or a loop, an `if` \
                                   without `else`, what changes an array in place (`sort`, `push`), or `run.best` \
                                   where nothing is best yet";

/// Explains an operator between values that it cannot take.
fn operator(name: &str, given: &[&str]) -> Explanation {
    let said = match given {
        [one] => Explanation::new(format!("`{name}` cannot be applied to {}", a_type(one))),
        [left, right] => Explanation::new(format!(
            "`{name}` cannot be applied to {} and {}",
            a_type(left),
            a_type(right)
        )),
        _ => Explanation::new(format!("`{name}` cannot be applied to these values")),
    };
    if given.contains(&"nothing") {
        said.help(NOTHING)
    } else if given.contains(&"string") && given.iter().any(|kind| matches!(*kind, "int" | "float"))
    {
        said.help("a string becomes a number by `parse_int(text)` or `parse_float(text)`")
    } else if given.contains(&"array") && name == "+" {
        said.help("an item is added with `array.push(item)`")
    } else {
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_of_the_engine_are_read() {
        assert_eq!(
            parse("chaidnn::estimate (Network, &str | ImmutableString | String, i64)"),
            ("chaidnn::estimate", vec!["Network", "string", "int"])
        );
        assert_eq!(parse("nope ()"), ("nope", vec![]));
        assert_eq!(parse("+ ((), f64)"), ("+", vec!["nothing", "float"]));
    }
}
