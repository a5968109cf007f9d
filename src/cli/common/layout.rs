//! Layout of summaries for the size of the screen.

use std::io;

use tandem::report::{columns_of_notes, columns_of_results, rows_of_results, wrapped};

/// The width of printed text without a terminal.
const WIDTH: usize = 100;

/// The maximum number of rows of a long list.
const MAX: usize = 10;

/// The minimum number of rows of a long list on a small screen.
const FEWEST: usize = 3;

/// Lines of the screen around a summary: the run's name before it; the effort, the next commands and the
/// prompt after it.
const BESIDE: usize = 7;

/// The width of results, in columns.
pub fn width() -> usize {
    columns_of_results().unwrap_or(WIDTH)
}

/// The width of notes on standard error, in columns.
pub fn width_of_notes() -> usize {
    columns_of_notes().unwrap_or(WIDTH)
}

/// Wraps a sentence among results to the width of the terminal, if there is one.
pub fn result(text: &str, indent: usize) -> String {
    columns_of_results().map_or_else(|| text.to_owned(), |width| wrapped(text, width, indent))
}

/// Wraps a note to the width of the terminal, if there is one.
pub fn note(text: &str, indent: usize) -> String {
    columns_of_notes().map_or_else(|| text.to_owned(), |width| wrapped(text, width, indent))
}

/// Renders a part of a summary with as many rows of its long list as fit the screen beside `others` other
/// lines.
///
/// # Errors
/// Those of `part`.
pub fn fitting(others: usize, part: impl Fn(usize) -> io::Result<Vec<u8>>) -> io::Result<Vec<u8>> {
    let room = rows_of_results().map(|rows| rows.saturating_sub(others + BESIDE));
    for rows in (FEWEST + 1..=MAX).rev() {
        let whole = part(rows)?;
        if room.is_none_or(|room| lines(&whole) <= room) {
            return Ok(whole);
        }
    }
    part(FEWEST)
}

/// The number of lines that a text takes on the screen.
pub fn lines(text: &[u8]) -> usize {
    let width = width();
    let text = String::from_utf8_lossy(text);
    text.lines().map(|line| line.chars().count().div_ceil(width).max(1)).sum()
}
