//! Where the functions of a script are in its text.

use rhai::{AST, Position};

/// The places of a text by lines and columns.
pub(super) struct Offsets<'t> {
    pub(super) text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Offsets<'t> {
    /// The places of a text.
    pub(super) fn of(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        Self { text, starts: starts.collect() }
    }

    /// The byte of a position.
    pub(super) fn byte(&self, position: Position) -> Option<usize> {
        let line = *self.starts.get(position.line()?.checked_sub(1)?)?;
        let column = position.position()?.checked_sub(1)?;
        let (at, _) = self.text[line..].char_indices().nth(column)?;
        Some(line + at)
    }

    /// The line and the column of a byte, both from 1.
    pub(super) fn line_column(&self, byte: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|&start| start <= byte);
        let start = self.starts[line - 1];
        (line, self.text[start..byte].chars().count() + 1)
    }
}

/// A function's body in a text, braces included.
pub(super) struct Body {
    pub(super) name: String,
    pub(super) parameters: Vec<String>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The functions of a script, with where their bodies are in its text. Closures are part of the
/// functions that they are written in.
pub(super) fn bodies(ast: &AST, places: &Offsets<'_>) -> Vec<Body> {
    let named = ast.iter_fn_def().filter(|function| !function.name.starts_with("anon$"));
    named
        .filter_map(|function| {
            let body = &function.body;
            let start = places.byte(body.start_position())?;
            let end = places.byte(body.end_position())? + 1;
            let is_body = places.text.get(start..end)?.starts_with('{') && start < end;
            is_body.then(|| Body {
                name: function.name.to_string(),
                parameters: function.params.iter().map(ToString::to_string).collect(),
                start,
                end,
            })
        })
        .collect()
}
