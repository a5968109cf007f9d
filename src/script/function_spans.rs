//! The spans of a script's functions in its text.

use rhai::{AST, Position};

/// An index of a text that converts between byte offsets and lines and columns.
pub(super) struct Offsets<'t> {
    pub(super) text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Offsets<'t> {
    /// Indexes the lines of a text.
    pub(super) fn of(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        Self { text, starts: starts.collect() }
    }

    /// Returns the byte offset of a position; `None` if it has no column or is outside the text.
    pub(super) fn byte(&self, position: Position) -> Option<usize> {
        let line = *self.starts.get(position.line()?.checked_sub(1)?)?;
        let column = position.position()?.checked_sub(1)?;
        let (at, _) = self.text[line..].char_indices().nth(column)?;
        Some(line + at)
    }

    /// Returns the line and column of a byte offset, both from 1; columns count characters.
    pub(super) fn line_column(&self, byte: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|&start| start <= byte);
        let start = self.starts[line - 1];
        (line, self.text[start..byte].chars().count() + 1)
    }
}

/// The span of a function's body in a text, braces included.
pub(super) struct Body {
    pub(super) name: String,
    pub(super) parameters: Vec<String>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Returns the functions of a script with the spans of their bodies, closures within included.
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
