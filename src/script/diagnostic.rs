//! Script errors as messages with a source line and a caret.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use rhai::{EvalAltResult, ParseError, Position};

use super::sources::Sources;

/// Where in which script text something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The label of the text in [`Sources`].
    pub label: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.label, self.line, self.column)
    }
}

/// One message about a script: what is wrong, where, by which calls, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, in a line.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// The script functions that led there, innermost first.
    pub stack: Vec<String>,
    /// What to do.
    pub help: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.place {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

impl Diagnostic {
    /// A message about a script as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, stack: Vec::new(), help: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds where it is in a text.
    #[must_use]
    pub(super) fn at(self, position: Position, label: &str) -> Self {
        Self { place: place(position, label), ..self }
    }

    /// The message of a text that does not parse.
    pub(super) fn of_parse_error(error: &ParseError, label: &str) -> Self {
        let place = place(error.position(), label);
        Self { place, ..Self::new(lowercase_first(&error.err_type().to_string())) }
    }

    /// The message of an error of evaluation that started in a given text.
    pub(super) fn of_error(error: &EvalAltResult, label: &str) -> Self {
        let mut label = label.to_owned();
        let mut stack = Vec::new();
        let mut position = Position::NONE;
        let mut inner = error;
        // The innermost error says what is wrong; the last position met on the way says where.
        loop {
            match inner {
                EvalAltResult::ErrorInFunctionCall(name, source, next, at) => {
                    let name = function_name(name);
                    if !at.is_none() && !label.is_empty() {
                        position = *at;
                        stack.insert(0, format!("in {name}, called at {}", at_text(&label, *at)));
                    } else {
                        stack.insert(0, format!("in {name}"));
                    }
                    if !source.is_empty() {
                        label.clone_from(source);
                        position = Position::NONE;
                    }
                    inner = next;
                }
                EvalAltResult::ErrorInModule(name, next, at) => {
                    stack.insert(0, format!("in a module imported at {}", at_text(&label, *at)));
                    label.clone_from(name);
                    position = Position::NONE;
                    inner = next;
                }
                _ => break,
            }
        }
        if !inner.position().is_none() {
            position = inner.position();
        }
        let mut diagnostic = Self::new(message_of(inner));
        diagnostic.place = place(position, &label);
        diagnostic.stack = stack;
        diagnostic.help = help_for(inner);
        diagnostic
    }

    /// The message with its source line and a caret, in colour if asked for.
    pub fn render(&self, sources: &Sources, colour: bool) -> String {
        self.render_as(&Level::ERROR, sources, colour)
    }

    /// The same of something that may be meant so.
    pub fn render_warning(&self, sources: &Sources, colour: bool) -> String {
        self.render_as(&Level::WARNING, sources, colour)
    }

    fn render_as(&self, level: &Level<'_>, sources: &Sources, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let text = self.place.as_ref().and_then(|place| sources.get(&place.label));
        let mut group = Group::with_title(level.clone().primary_title(self.message.as_str()));
        if let (Some(place), Some(text)) = (&self.place, &text) {
            let start = byte_offset(text, place.line, place.column);
            let end = token_end(text, start);
            group = group.element(
                Snippet::source(text.to_string())
                    .path(place.label.as_str())
                    .fold(true)
                    .annotation(AnnotationKind::Primary.span(start..end)),
            );
        }
        // The outermost call is the host's and says nothing new beside a place.
        let calls = self.stack.len() - usize::from(self.place.is_some() && !self.stack.is_empty());
        for call in &self.stack[..calls] {
            group = group.element(Level::NOTE.message(call.as_str()));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

fn place(position: Position, label: &str) -> Option<Place> {
    let line = position.line()?;
    (!label.is_empty()).then(|| Place {
        label: label.to_owned(),
        line,
        column: position.position().unwrap_or(1),
    })
}

fn at_text(label: &str, position: Position) -> String {
    place(position, label).map_or_else(|| label.to_owned(), |place| place.to_string())
}

/// A function as people know it: closures are named by hashes.
fn function_name(name: &str) -> String {
    if name.starts_with("anon$") { "a closure".to_owned() } else { format!("`{name}`") }
}

fn message_of(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorRuntime(value, _) if value.is_string() => value.to_string(),
        EvalAltResult::ErrorRuntime(value, _) => format!("the script threw {value}"),
        EvalAltResult::ErrorTerminated(value, _) => value.to_string(),
        EvalAltResult::ErrorParsing(kind, _) => lowercase_first(&kind.to_string()),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            format!("there is no function `{signature}`")
        }
        EvalAltResult::ErrorVariableNotFound(name, _) => format!("there is no variable `{name}`"),
        EvalAltResult::ErrorPropertyNotFound(name, _) => format!("there is no property `{name}`"),
        EvalAltResult::ErrorModuleNotFound(name, _) => format!("there is no module `{name}`"),
        EvalAltResult::ErrorTooManyOperations(_) => {
            "the script runs too long: it reached the limit of operations".to_owned()
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            "the script calls too deep: it reached the limit of nested calls".to_owned()
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => {
            format!("the script holds too much: {}", lowercase_first(what))
        }
        other => {
            let mut other = other.to_string();
            if let Some(at) = other.find(" (line ") {
                other.truncate(at);
            }
            lowercase_first(&other)
        }
    }
}

fn help_for(error: &EvalAltResult) -> Option<String> {
    let help = match error {
        EvalAltResult::ErrorTooManyOperations(_) => {
            "look for a loop that does not end; `limits.operations` in the settings raises the limit"
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            "look for a function that calls itself; `limits.call_depth` in the settings raises the \
             limit"
        }
        EvalAltResult::ErrorTerminated(..) => "`limits.seconds` in the settings raises the limit",
        EvalAltResult::ErrorVariableNotFound(..) => {
            "a function sees its parameters, its own variables and imported modules, but no \
             variables of the script around it"
        }
        _ => return None,
    };
    Some(help.to_owned())
}

fn lowercase_first(text: &str) -> String {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        // A word in capitals stays.
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain([second]).chain(characters).collect()
        }
        _ => text.to_owned(),
    }
}

fn byte_offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[start.min(text.len())..];
    let within =
        rest.char_indices().take_while(|(_, c)| *c != '\n').map(|(at, c)| at + c.len_utf8());
    start + std::iter::once(0).chain(within).nth(column.saturating_sub(1)).unwrap_or(0)
}

/// The end of the word at an offset, at least one character on.
fn token_end(text: &str, start: usize) -> usize {
    let rest = &text[start.min(text.len())..];
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
    let one = rest.chars().next().map_or(0, char::len_utf8);
    start + length.max(one)
}
