//! Tables on standard output, for people and for other programs.

use std::io::{self, Write};

use comfy_table::{CellAlignment, presets};

use super::cell::{Format, TableCell};

/// The gap between two columns of a table for people.
const GAP: usize = 2;

/// The minimum width of a shortened text, in letters.
const SHORTEST: usize = 12;

/// Rows under named columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<TableCell>>,
}

impl Table {
    /// Creates a table without rows.
    pub fn new(columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { columns: columns.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Creates a table of names and values, which has no head for people.
    pub fn of_properties(format: Format) -> Self {
        match format {
            Format::Table => Self::new(["", ""]),
            _ => Self::new(["name", "value"]),
        }
    }

    /// Adds a row with a value for every column.
    pub fn push(&mut self, row: Vec<TableCell>) {
        debug_assert_eq!(row.len(), self.columns.len(), "a value for every column");
        self.rows.push(row);
    }

    /// Returns true if there are no rows.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn rows(&self) -> &[Vec<TableCell>] {
        &self.rows
    }

    /// The number of rows.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Removes a column, if it exists.
    pub fn take_out(&mut self, column: &str) {
        if let Some(index) = self.columns.iter().position(|name| name == column) {
            self.columns.remove(index);
            self.rows.iter_mut().for_each(|row| drop(row.remove(index)));
        }
    }

    /// Writes the table for people within a width in columns of letters. If it is wider, heads are broken
    /// into lines, then the middle of long texts is left out, down to 12 letters. Numbers are never
    /// shortened.
    ///
    /// # Errors
    /// An error of `out`.
    pub fn write_within(&self, width: usize, out: impl Write) -> io::Result<()> {
        self.within(width).write(Format::Table, out)
    }

    /// Removes columns, one after another, until [`write_within`](Self::write_within) can keep to a width.
    pub fn take_out_for<'c>(&mut self, width: usize, columns: impl IntoIterator<Item = &'c str>) {
        for column in columns {
            if self.within(width).width() <= width {
                return;
            }
            self.take_out(column);
        }
    }

    /// The table as [`write_within`](Self::write_within) writes it.
    fn within(&self, width: usize) -> Self {
        let mut table = self.clone();
        if table.width() > width {
            for index in 0..table.columns.len() {
                let widest = table.rows.iter().map(|row| letters(&row[index].for_people())).max();
                table.columns[index] = broken(&table.columns[index], widest.unwrap_or(0));
            }
            table.shorten(width);
        }
        table
    }

    /// Leaves out the middle of the longest texts until the table fits a width.
    fn shorten(&mut self, width: usize) {
        let mut widths = self.widths();
        let is_text =
            |index: usize| self.rows.iter().any(|row| matches!(row[index], TableCell::Text(_)));
        let heads: Vec<usize> = self.columns.iter().map(|name| head_letters(name)).collect();
        for _ in width..self.width() {
            let widest = (0..widths.len())
                .filter(|&index| is_text(index) && widths[index] > SHORTEST.max(heads[index]))
                .max_by_key(|&index| widths[index]);
            let Some(index) = widest else { break };
            widths[index] -= 1;
        }
        for row in &mut self.rows {
            for (cell, width) in row.iter_mut().zip(&widths) {
                if let TableCell::Text(text) = cell {
                    *text = elided(text, *width);
                }
            }
        }
    }

    /// The width of each column in letters, as written for people.
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|name| head_letters(name)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(letters(&cell.for_people()));
            }
        }
        widths
    }

    fn width(&self) -> usize {
        self.widths().iter().sum::<usize>() + GAP * self.columns.len().saturating_sub(1)
    }

    pub(crate) fn for_people(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        if self.columns.iter().any(|column| !column.is_empty()) {
            table.set_header(self.columns.iter().map(|name| visible(name)));
        }
        for row in &self.rows {
            table.add_row(row.iter().map(|cell| visible(&cell.for_people())));
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, GAP as u16));
            let numeric = |row: &Vec<TableCell>| {
                matches!(row[index], TableCell::Empty) || row[index].is_number()
            };
            if !self.rows.is_empty() && self.rows.iter().all(numeric) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.trim_fmt()
    }
}

/// Escapes control characters, so that no text commands the terminal; line breaks are kept.
fn visible(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => c.to_string(),
        _ if c.is_control() => c.escape_default().to_string(),
        _ => c.to_string(),
    };
    if text.contains(char::is_control) {
        text.chars().map(shown).collect()
    } else {
        text.to_owned()
    }
}

fn letters(text: &str) -> usize {
    text.chars().count()
}

fn head_letters(name: &str) -> usize {
    name.lines().map(letters).max().unwrap_or(0)
}

/// Breaks a head into lines of at most `width` letters, unless a word is longer.
fn broken(name: &str, width: usize) -> String {
    let width = width.max(name.split(' ').map(letters).max().unwrap_or(0));
    let mut lines: Vec<String> = Vec::new();
    for word in name.split(' ') {
        match lines.last_mut() {
            Some(line) if letters(line) + 1 + letters(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// Shortens a text to at most `columns` columns, by leaving out its middle.
pub fn elided(text: &str, columns: usize) -> String {
    let length = text.chars().count();
    if length <= columns {
        return text.to_owned();
    }
    let kept = columns.saturating_sub(1);
    let head: String = text.chars().take(kept - kept / 3).collect();
    let tail: String = text.chars().skip(length - kept / 3).collect();
    if columns == 0 { String::new() } else { format!("{head}…{tail}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_ends() {
        assert_eq!(elided("abcdefghij", 10), "abcdefghij");
        assert_eq!(elided("abcdefghij", 7), "abcd…ij");
        assert_eq!((elided("abc", 1), elided("abc", 0)), ("…".to_owned(), String::new()));
    }

    #[test]
    fn a_table_fits_by_its_texts() {
        let mut table = Table::new(["step", "valid", "reward", "cnn", "hw"]);
        let cnn = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|";
        let hw = "16x32-i8K-w2K-o2K-m512-pool-r0.5";
        table.push(vec![1234.into(), true.into(), 0.5.into(), cnn.into(), hw.into()]);
        table.take_out("valid");
        table.take_out("valid");
        let within = |width| {
            let mut out = Vec::new();
            table.write_within(width, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let lines = |width| within(width).lines().map(|line| line.chars().count()).max().unwrap();
        assert!(within(200).contains(cnn) && within(200).contains(hw));
        assert_eq!((lines(200), lines(100), lines(60)), (127, 100, 60));
        assert!(within(100).contains(hw), "{}", within(100));
        let mut wide = Table::new(["accuracy, points", "design"]);
        wide.push(vec![(-0.87).into(), "a design of many words, too long".into()]);
        let mut out = Vec::new();
        wide.write_within(30, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "accuracy,  design\n   points\n    -0.87  a design of …o long\n"
        );
        // No less than the shortest texts.
        assert_eq!((lines(10), lines(40)), (40, 40));
        assert!(
            within(10).contains("1234") && within(10).contains("|nor_con…~2|"),
            "{}",
            within(10)
        );
        table.take_out_for(40, ["step", "reward"]);
        assert_eq!(table.columns(), ["step", "reward", "cnn", "hw"]);
        table.take_out_for(39, ["step", "reward"]);
        assert_eq!(table.columns(), ["reward", "cnn", "hw"]);
    }
}
