//! The mistakes of a text that does not parse, as many as can be found.

use std::ops::Range;

use rhai::{AST, Engine, LexError, ParseError, ParseErrorType};

use super::bracket_recovery::{Unbalanced, early_end, is_function, items, unbalanced};
use super::message::{Diagnostic, Diagnostics, Place};
use super::names::counted;
use super::tokens::{Token, offset_of, tokens};
use crate::script::language::DISABLED;
use crate::util::suggest::nearest;

/// The most mistakes of one text that are shown.
const MAX: usize = 10;

/// Compiles a text; `label` names it in messages.
///
/// # Errors
/// The mistakes that are found: the function or statement of each is taken out, and the rest is parsed again.
pub(in crate::script) fn compile(
    engine: &Engine,
    label: &str,
    text: &str,
) -> Result<AST, Diagnostics> {
    let error = match engine.compile(text) {
        Ok(ast) => return Ok(ast),
        Err(error) => error,
    };
    let (_, found) = mistakes(engine, label, text);
    Err(Diagnostics::of(found).unwrap_or_else(|| of_parse_error(&error, label, text).into()))
}

/// Returns a text without its faulty items, and the mistakes from top to bottom.
pub(super) fn mistakes(engine: &Engine, label: &str, text: &str) -> (String, Vec<Diagnostic>) {
    let tokens = tokens(text);
    let mut left = text.to_owned();
    let mut found: Vec<(usize, Diagnostic)> = Vec::new();
    let items = items(text, &tokens);
    let mut function = None;
    for (index, item) in items.iter().enumerate() {
        let is_function = is_function(text, &tokens[item.clone()]);
        if is_function {
            function = Some(index);
        }
        let Some(wrong) = unbalanced(text, &tokens[item.clone()]) else { continue };
        let mut first = index;
        let mut blamed = wrong;
        if let (Unbalanced::Close(_), false, Some(before)) = (&blamed, is_function, function) {
            // What is between is of the function, which a brace has ended too early.
            first = before + 1;
            if let Some(early) = early_end(text, &tokens[items[before].clone()]) {
                blamed = Unbalanced::Close(early);
            }
        }
        found.push(of_unbalanced(&blamed, text, label));
        for item in &items[first..=index] {
            blank(&mut left, &span(&tokens, item));
        }
    }
    while found.len() < MAX {
        let Err(error) = engine.compile(&left) else { break };
        let at = offset(&error, &left);
        // What is missing at the end of an item is noticed at the next.
        let start = match error.err_type() {
            ParseErrorType::MissingToken(..) => left[..at].trim_end().len().saturating_sub(1),
            _ => at,
        };
        let around = |at: usize| {
            items.iter().find(|item| {
                let span = span(&tokens, item);
                span.contains(&at) && !left[span].trim().is_empty()
            })
        };
        let Some(item) = around(start).or_else(|| around(at)) else { break };
        found.push((at, explain(&error, label, text, at)));
        blank(&mut left, &span(&tokens, item));
    }
    found.sort_by_key(|(at, _)| *at);
    found.truncate(MAX);
    (left, found.into_iter().map(|(_, diagnostic)| diagnostic).collect())
}

/// Returns the bytes of an item, with the comments before it.
fn span(tokens: &[Token], item: &Range<usize>) -> Range<usize> {
    let start = item.start.checked_sub(1).map_or(0, |before| tokens[before].at.end);
    start..tokens[item.end - 1].at.end
}

/// Overwrites a part of a text with spaces; line breaks stay.
fn blank(text: &mut String, part: &Range<usize>) {
    let spaces: String = text[part.clone()]
        .chars()
        .flat_map(|c| std::iter::repeat_n(if c == '\n' { '\n' } else { ' ' }, c.len_utf8()))
        .collect();
    text.replace_range(part.clone(), &spaces);
}

fn of_unbalanced(wrong: &Unbalanced, text: &str, label: &str) -> (usize, Diagnostic) {
    let (at, message) = match wrong {
        Unbalanced::Open(at) => {
            let open = &text[at.clone()];
            let close = match open {
                "(" => ")",
                "[" => "]",
                _ => "}",
            };
            (at, format!("this `{open}` is not closed: its `{close}` is missing"))
        }
        Unbalanced::Close(at) => {
            (at, format!("this `{}` closes nothing: there is one too many", &text[at.clone()]))
        }
        Unbalanced::Crossed(open, close) => {
            let (open, close) = (&text[open.clone()], (close, &text[close.clone()]));
            (close.0, format!("this `{}` does not close the `{open}` before it", close.1))
        }
        Unbalanced::Text(at) if text[at.clone()].starts_with("/*") => {
            (at, "this comment is not closed: its `*/` is missing".to_owned())
        }
        Unbalanced::Text(at) => {
            let quote = &text[at.start..=at.start];
            (at, format!("this string is not closed: its {quote} is missing at the end"))
        }
    };
    let place = Place::of_offset(label, text, at.start);
    let diagnostic = Diagnostic::new(message).in_place(Some(place));
    (
        at.start,
        match wrong {
            Unbalanced::Text(at) if text[at.clone()].starts_with('"') => {
                diagnostic.with_help("a string over several lines is written in backticks")
            }
            _ => diagnostic,
        },
    )
}

/// Returns the message of a parse error.
pub(crate) fn of_parse_error(error: &ParseError, label: &str, text: &str) -> Diagnostic {
    explain(error, label, text, offset(error, text))
}

/// Returns the byte of an error in its text; an error without a position is at the end.
fn offset(error: &ParseError, text: &str) -> usize {
    let column = error.position().position().unwrap_or(1);
    let end = || text.trim_end().len().saturating_sub(1);
    error.position().line().map_or_else(end, |line| offset_of(text, line, column))
}

fn explain(error: &ParseError, label: &str, text: &str, at: usize) -> Diagnostic {
    let tokens = tokens(text);
    let before = tokens.iter().rposition(|token| token.at.end <= at);
    let word = |token: Option<usize>| {
        token.and_then(|at| tokens.get(at)).map_or("", |token| &text[token.at.clone()])
    };
    let previous = word(before);
    let next = word(tokens.iter().position(|token| token.at.end > at));
    let mut place = at;
    let (message, help) = match error.err_type() {
        // Nothing is wrong with what comes next: something is missing before it.
        ParseErrorType::MissingToken(token, purpose) => {
            place = before.map_or(at, |before| tokens[before].at.end);
            let help = help_for_missing(token, previous, next, word(before.map(|at| at + 2)));
            (format!("a `{token}` is missing here {}", purpose_of(purpose)), help)
        }
        ParseErrorType::UnexpectedEOF => {
            place = text.trim_end().len();
            ("the script ends in the middle of something".to_owned(), None)
        }
        ParseErrorType::BadInput(error) => of_lexical(error, previous),
        ParseErrorType::UnknownOperator(operator) => {
            let help = match operator.as_str() {
                "?" => Some("write `if a { b } else { c }`".to_owned()),
                "++" => Some("write `x += 1`".to_owned()),
                "--" => Some("write `x -= 1`".to_owned()),
                _ => None,
            };
            (format!("`{operator}` is no operator of scripts"), help)
        }
        ParseErrorType::Reserved(word) => {
            let help = match word.as_str() {
                "var" => Some("a variable is declared with `let`".to_owned()),
                "null" | "nil" => Some("nothing is written `()`".to_owned()),
                "match" | "case" => {
                    Some("write `switch value { 1 => a, 2 | 3 => b, _ => c }`".to_owned())
                }
                "use" | "module" | "package" => {
                    Some("write `import \"name\" as name;` at the start".to_owned())
                }
                "#" => Some("a comment is written `// ...`, a map `#{ ... }`".to_owned()),
                "async" | "await" | "spawn" | "thread" => {
                    Some("what is evaluated at once is the host's to decide".to_owned())
                }
                _ => Some("choose another name".to_owned()),
            };
            (format!("`{word}` is a reserved word"), help)
        }
        ParseErrorType::ExprExpected(what) => (format!("{what} is missing here"), None),
        ParseErrorType::MismatchedType(expected, given) if expected.contains("iterable") => {
            (format!("`for` cannot go through {given}"), Some(ITERABLE.to_owned()))
        }
        ParseErrorType::MismatchedType(expected, given) => {
            (format!("{expected} is expected here, not {given}"), None)
        }
        ParseErrorType::AssignmentToConstant(name) => of_constant(name),
        ParseErrorType::AssignmentToInvalidLHS(_) => (
            "this cannot be assigned to".to_owned(),
            Some("a comparison is written `==`".to_owned()),
        ),
        ParseErrorType::DuplicatedProperty(name) => {
            (format!("the map has `{name}` twice"), None)
        }
        ParseErrorType::FnDuplicatedDefinition(name, parameters) => (
            format!(
                "the function `{name}` with {} is defined twice",
                counted(*parameters, "parameter")
            ),
            Some("rename one of them; functions of one name may differ in how many parameters they take".to_owned()),
        ),
        ParseErrorType::FnDuplicatedParam(name, parameter) => {
            (format!("the function `{name}` has the parameter `{parameter}` twice"), None)
        }
        ParseErrorType::FnMissingParams(name) => {
            let help = format!("write `fn {name}() {{ ... }}`");
            (format!("the function `{name}` has no parameters in parentheses"), Some(help))
        }
        ParseErrorType::FnMissingBody(name) => {
            place = before.map_or(at, |before| tokens[before].at.end);
            let what = if name.is_empty() { "the closure".to_owned() } else { format!("the function `{name}`") };
            (format!("{what} has no body in braces"), None)
        }
        ParseErrorType::WrongFnDefinition => (
            "a function cannot be defined within another".to_owned(),
            Some("move it out, or write a closure: `let f = |x| x + 1;`".to_owned()),
        ),
        ParseErrorType::WrongDocComment => (
            "a `///` comment belongs before a function".to_owned(),
            Some("write `//`".to_owned()),
        ),
        ParseErrorType::LoopBreak => {
            ("`break` and `continue` are for loops".to_owned(), None)
        }
        ParseErrorType::ExprTooDeep => (
            "this is nested too deep".to_owned(),
            Some("split it with `let`; `limits.expression_depth` in the settings raises the limit".to_owned()),
        ),
        ParseErrorType::VariableExpected => ("the name of a variable is missing here".to_owned(), None),
        ParseErrorType::PropertyExpected => ("the name of a property is missing here".to_owned(), None),
        ParseErrorType::FnMissingName if DISABLED.contains(&next) => {
            (format!("`{next}` is a reserved word"), Some("choose another name".to_owned()))
        }
        ParseErrorType::FnMissingName => ("the name of the function is missing here".to_owned(), None),
        other => (super::message::lowercase_first(&other.to_string()), None),
    };
    Diagnostic { help, ..Diagnostic::new(message) }
        .in_place(Some(Place::of_offset(label, text, place)))
}

/// The values that `for` accepts, as help.
pub(super) const ITERABLE: &str =
    "`for` goes through arrays, ranges such as 0..3, and the keys of a map: `map.keys()`";

/// Returns the message about an assignment to a constant, with help.
pub(super) fn of_constant(name: &str) -> (String, Option<String>) {
    let help = format!("declare it with `let {name} = ...` where it shall change");
    (format!("`{name}` is a constant and cannot be assigned to"), Some(help))
}

fn of_lexical(error: &LexError, previous: &str) -> (String, Option<String>) {
    match error {
        LexError::UnexpectedInput(input)
            if previous == ";" && matches!(input.as_str(), "else" | ".") =>
        {
            (
                format!("the `;` before it ends what `{input}` belongs to"),
                Some("leave out the `;`".to_owned()),
            )
        }
        LexError::UnexpectedInput(input) if is_operator(previous) => {
            (format!("a value is missing after `{previous}`, before `{input}`"), None)
        }
        LexError::UnexpectedInput(input) => {
            let help = match input.as_str() {
                "\u{201c}" | "\u{201d}" | "\u{201e}" => {
                    Some("a string is in straight quotes, `\"`")
                }
                "\u{2018}" | "\u{2019}" => Some("a string is in straight quotes, `\"`"),
                "\u{2212}" | "\u{2013}" => Some("the minus of scripts is `-`"),
                "#" => Some("a comment is written `// ...`, a map `#{ ... }`"),
                _ => None,
            };
            (format!("`{input}` does not belong here"), help.map(str::to_owned))
        }
        LexError::ImproperSymbol(symbol, description) => {
            if description.ends_with("is disabled") {
                let message = format!("`{symbol}` is not available in scripts");
                return (message, Some("nothing outside of the script decides a run".to_owned()));
            }
            if description.contains("typo of") {
                let help = "a comparison is written `==`".to_owned();
                return (format!("`{symbol}` assigns, and no value comes of that"), Some(help));
            }
            let meant = description
                .rsplit("Should it be")
                .next()
                .filter(|_| description.contains("Should it be"));
            let meant = meant.and_then(|rest| rest.split('\'').nth(1));
            let help = meant.map(|meant| format!("is `{meant}` meant?"));
            (format!("`{symbol}` means nothing in scripts"), help)
        }
        LexError::MalformedNumber(text) => (format!("`{text}` is no number"), None),
        LexError::MalformedEscapeSequence(text) => (
            format!("`{text}` is no escape sequence"),
            Some("a backslash in a string is written `\\\\`".to_owned()),
        ),
        LexError::MalformedChar(_) => (
            "single quotes are for one character".to_owned(),
            Some("write a string in double quotes".to_owned()),
        ),
        LexError::MalformedIdentifier(text) => (format!("`{text}` is no name"), None),
        LexError::StringTooLong(most) => (format!("a string may have at most {most} bytes"), None),
        other => (super::message::lowercase_first(&other.to_string()), None),
    }
}

fn is_operator(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| "+-*/%=<>!&|^".contains(c))
}

/// Translates the engine's words for the purpose of a token.
fn purpose_of(purpose: &str) -> String {
    [
        ("to terminate", "to end"),
        ("to separate the arguments to function call ", "between the arguments of "),
        ("to separate", "between"),
        ("arguments list of this function call ", "arguments of "),
        ("parameters list", "parameters"),
        ("array literal", "array"),
        ("object map literal", "map"),
        ("statement block", "block"),
        ("anonymous function or closure", "this closure"),
        ("anonymous function", "this closure"),
        ("for a matching ( in this expression", "to close the `(` before it"),
        ("to start arguments list of function call", "before the arguments"),
        ("'", "`"),
    ]
    .into_iter()
    .fold(purpose.to_owned(), |purpose, (theirs, ours)| purpose.replace(theirs, ours))
}

/// The keywords that start statements.
const KEYWORDS: [&str; 15] = [
    "let", "const", "return", "throw", "for", "while", "loop", "if", "else", "switch", "import",
    "export", "private", "break", "continue",
];

/// Returns help for habits from other languages, by the words before, at and behind a missing token.
fn habit(previous: &str, next: &str, behind: &str) -> Option<&'static str> {
    Some(match (previous, next) {
        ("function" | "def" | "func" | "fun", _) => {
            "a function is written `fn name(parameter) { ... }`"
        }
        ("let", "mut") | ("mut", _) => "every variable can change: write `let x = ...`",
        (_, "and") => "`and` is written `&&`",
        (_, "or") => "`or` is written `||`",
        ("elif" | "elseif" | "elsif", _) => "write `else if`",
        ("not", _) => "`not` is written `!`",
        (_, "as") => "convert by `x.to_float()`, `x.to_int()` or `x.to_string()`",
        ("lambda", _) => "a closure is written `|x| x + 1`",
        (_, "if") if behind != "{" => "write `if condition { a } else { b }`",
        ("f", next) if next.starts_with(['"', '`']) => {
            "a text with values is written `a ${value}` in backticks"
        }
        ("class" | "struct" | "enum" | "type", _) => {
            "there are no types of one's own: a map holds what belongs together"
        }
        ("from", _) => "write `import \"name\" as name;`",
        ("import", _) => "write `import \"name\" as name;`",
        _ => return None,
    })
}

fn help_for_missing(token: &str, previous: &str, next: &str, behind: &str) -> Option<String> {
    if let Some(habit) = habit(previous, next, behind) {
        return Some(habit.to_owned());
    }
    match (token, next) {
        ("}", ";") => return Some("the entries of a map are separated by `,`".to_owned()),
        (";", ":") if behind != ":" => return Some("a map is written `#{ ... }`".to_owned()),
        // An argument or a parameter with a name or a default.
        (",", "=" | ":") => {
            return Some(
                "arguments have no names, and parameters neither types nor defaults: options are given as \
                 a map, `#{ name: value }`"
                    .to_owned(),
            );
        }
        _ => {}
    }
    let is_name = |word: &str| word.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if token == ";" && is_name(previous) && is_name(next) && !KEYWORDS.contains(&next) {
        let near = nearest(previous, KEYWORDS);
        return near.first().map(|near| format!("is `{near}` meant, not `{previous}`?"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let (_, found) = mistakes(&Engine::new_raw(), "x", text);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_item_with_a_mistake_is_reported() {
        let text = "fn a() {\n    let x = 1\n    x\n}\nfn b() { (1 }\nfn c() { \"a }\nfn d() { 1 }\n}\n\
                    const X = ;\nfn e() { 1 }\n";
        assert_eq!(
            messages(text),
            [
                "a `;` is missing here to end this statement (x:2:14)",
                "this `(` is not closed: its `)` is missing (x:5:10)",
                "this string is not closed: its \" is missing at the end (x:6:10)",
                "this `}` closes nothing: there is one too many (x:8:1)",
                "a value is missing after `=`, before `;` (x:9:11)",
            ]
        );
    }

    #[test]
    fn lines_and_columns_stay_where_something_is_taken_out() {
        let mut text = "fn ä() {\n  1 }\nx".to_owned();
        blank(&mut text, &(3..9));
        assert_eq!(text, "fn       \n  1 }\nx");
    }

    #[test]
    fn a_text_of_mistakes_only_ends() {
        let text = "fn a() { 1 1 }\n".repeat(30);
        assert_eq!(messages(&text).len(), MAX);
        assert!(!messages("@ # $").is_empty());
    }
}
