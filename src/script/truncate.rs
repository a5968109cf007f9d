//! Texts of values, cut to a readable length.

use std::fmt::{self, Display, Write};

/// The most characters of a text.
const MAX: usize = 2_000;

/// The most characters of a name.
const MAX_OF_NAMES: usize = 60;

/// Returns the text of a value, cut to 2,000 characters; a cut text ends in `...`.
///
/// Control characters other than line breaks and tabs are escaped, so that no text can control the terminal.
/// A value that prints itself recursively stops printing at the cut.
pub(super) fn brief(value: impl Display) -> String {
    cut(value, MAX)
}

/// Returns the text of a value like [`brief`], cut to 60 characters: for names within sentences.
pub(super) fn brief_name(value: impl Display) -> String {
    cut(value, MAX_OF_NAMES)
}

fn cut(value: impl Display, most: usize) -> String {
    let mut text = Cut { text: String::new(), left: most };
    if write!(text, "{value}").is_err() {
        text.text.push_str("...");
    }
    text.text
}

struct Cut {
    text: String,
    left: usize,
}

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            match character {
                '\n' | '\t' => self.text.push(character),
                _ if character.is_control() => self.text.extend(character.escape_default()),
                _ => self.text.push(character),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_commands_shown() {
        assert_eq!(brief("ä\n\u{1b}[2J"), "ä\n\\u{1b}[2J");
        assert_eq!(brief("y".repeat(MAX)), "y".repeat(MAX));
        assert_eq!(brief("y".repeat(MAX + 1)), "y".repeat(MAX) + "...");
    }
}
