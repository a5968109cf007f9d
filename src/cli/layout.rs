//! What of a summary is printed where a screen has so much room.

use std::io;

use tandem::report::{columns_of_notes, columns_of_results, rows_of_results, wrapped};

/// The width of what is printed where there is no terminal that has one.
const WIDTH: usize = 100;

/// Rows of a long list where there is room; the rest is a command away.
const MAX: usize = 10;

/// Rows of a long list where there is none.
const FEWEST: usize = 3;

/// Lines of the screen beside a summary: the run's name before it; how it went, what is next and the prompt
/// after it.
const BESIDE: usize = 7;

/// The columns of results.
pub fn width() -> usize {
    columns_of_results().unwrap_or(WIDTH)
}

/// The columns of what is said beside results.
pub fn width_of_notes() -> usize {
    columns_of_notes().unwrap_or(WIDTH)
}

/// A sentence among results: in lines of a terminal, where there is one.
pub fn result(text: &str, indent: usize) -> String {
    columns_of_results().map_or_else(|| text.to_owned(), |width| wrapped(text, width, indent))
}

/// A sentence beside results: in lines of a terminal, where there is one.
pub fn note(text: &str, indent: usize) -> String {
    columns_of_notes().map_or_else(|| text.to_owned(), |width| wrapped(text, width, indent))
}

/// The part of a summary that has a long list, with as many rows of it as the screen has room for beside
/// so many other lines.
///
/// # Errors
/// Those of the part.
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

/// The lines of the screen that a text takes.
pub fn lines(text: &[u8]) -> usize {
    let width = width();
    let text = String::from_utf8_lossy(text);
    text.lines().map(|line| line.chars().count().div_ceil(width).max(1)).sum()
}
