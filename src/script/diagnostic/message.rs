//! Messages with places, and their rendering.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use rhai::Position;

use super::tokens::{line_and_column, offset_of};
use crate::script::sources::Sources;
use crate::script::truncate::brief;

/// A place in a script text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The label of the text in [`Sources`].
    pub label: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Place {
    /// Returns the place of a byte of a text.
    pub(in crate::script) fn of_offset(label: &str, text: &str, offset: usize) -> Self {
        let (line, column) = line_and_column(text, offset);
        Self { label: label.to_owned(), line, column }
    }

    /// Returns the place of a position in the text of a label; `None` if either is unknown.
    pub(in crate::script) fn of(position: Position, label: &str) -> Option<Self> {
        let line = position.line()?;
        (!label.is_empty()).then(|| Self {
            label: label.to_owned(),
            line,
            column: position.position().unwrap_or(1),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.label, self.line, self.column)
    }
}

/// A message about a script: the mistake, its place, the calls that led there, and help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The mistake, in one line.
    pub message: String,
    /// The place, if it is known.
    pub place: Option<Place>,
    /// Further facts, a line each, such as the existing signatures.
    pub notes: Box<[String]>,
    /// The script functions that led there, innermost first.
    pub stack: Box<[String]>,
    /// A suggestion to correct the mistake.
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

impl std::error::Error for Diagnostic {}

impl Diagnostic {
    /// Creates a message about a script as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        let message: String = message.into();
        let message = brief(message);
        Self { message, place: None, notes: Box::default(), stack: Box::default(), help: None }
    }

    /// Adds a suggestion to correct the mistake.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the place to a position in the text of a label.
    #[must_use]
    pub(crate) fn at(self, position: Position, label: &str) -> Self {
        self.in_place(Place::of(position, label))
    }

    /// Sets the place, if it is known.
    #[must_use]
    pub(in crate::script) fn in_place(self, place: Option<Place>) -> Self {
        Self { place, ..self }
    }

    /// Renders the message with its source line and a caret, in color if asked for.
    pub fn render(&self, sources: &Sources, color: bool) -> String {
        self.render_as(&Level::ERROR, sources, color)
    }

    /// Renders the message as a warning: the script may be right.
    pub fn render_warning(&self, sources: &Sources, color: bool) -> String {
        self.render_as(&Level::WARNING, sources, color)
    }

    fn render_as(&self, level: &Level<'_>, sources: &Sources, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let text = self.place.as_ref().and_then(|place| sources.get(&place.label));
        let mut group = Group::with_title(level.clone().primary_title(self.message.as_str()));
        if let (Some(place), Some(text)) = (&self.place, &text) {
            let start = offset_of(text, place.line, place.column);
            let end = token_end(text, start);
            group = group.element(
                Snippet::source(text.to_string())
                    .path(place.label.as_str())
                    .fold(true)
                    .annotation(AnnotationKind::Primary.span(start..end)),
            );
        }
        for note in &*self.notes {
            group = group.element(Level::NOTE.message(note.as_str()));
        }
        for call in &*self.stack {
            group = group.element(Level::NOTE.message(call.as_str()));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

/// The mistakes of a script: at least one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    /// The first message.
    pub first: Box<Diagnostic>,
    /// The further messages.
    pub others: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Collects messages; `None` if there are none.
    pub(in crate::script) fn of(messages: Vec<Diagnostic>) -> Option<Self> {
        let mut messages = messages.into_iter();
        let first = Box::new(messages.next()?);
        Some(Self { first, others: messages.collect() })
    }

    /// Yields the messages in order.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        std::iter::once(&*self.first).chain(&self.others)
    }

    /// Appends messages.
    pub(in crate::script) fn and(mut self, others: Vec<Diagnostic>) -> Self {
        self.others.extend(others);
        self
    }

    /// Returns the messages in order.
    pub(in crate::script) fn into_vec(self) -> Vec<Diagnostic> {
        std::iter::once(*self.first).chain(self.others).collect()
    }

    /// Renders the messages with their source lines, in color if asked for.
    pub fn render(&self, sources: &Sources, color: bool) -> String {
        let rendered: Vec<String> =
            self.iter().map(|diagnostic| diagnostic.render(sources, color)).collect();
        rendered.join("\n\n")
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { first: Box::new(diagnostic), others: Vec::new() }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        match self.others.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Returns a text with its first letter in lowercase, unless its first word is in capitals.
pub(super) fn lowercase_first(text: &str) -> String {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        // A word in capitals stays.
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain([second]).chain(characters).collect()
        }
        _ => text.to_owned(),
    }
}

/// Returns the end of the word at an offset, at least one character on; at a line's end, the offset itself.
fn token_end(text: &str, start: usize) -> usize {
    let rest = &text[start.min(text.len())..];
    if rest.starts_with(['\n', '\r']) {
        return start;
    }
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
    let one = rest.chars().next().map_or(0, char::len_utf8);
    start + length.max(one)
}
