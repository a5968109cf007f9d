//! Wrapping of texts to the width of a terminal.

/// Wraps a text to lines of at most `width` columns, unless a word is longer; all but the first are indented.
/// Text in backticks is not broken.
pub fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in words(text) {
        match lines.last_mut() {
            Some(line) if letters(line) + 1 + letters(&word) <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            None => lines.push(word),
            Some(_) => lines.push(" ".repeat(indent) + word.as_str()),
        }
    }
    lines.join("\n")
}

/// Splits a text at the spaces outside backticks.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_open = false;
    for piece in text.split(' ') {
        match words.last_mut() {
            Some(word) if is_open => {
                word.push(' ');
                word.push_str(piece);
            }
            _ => words.push(piece.to_owned()),
        }
        is_open ^= piece.matches('`').count() % 2 == 1;
    }
    words
}

fn letters(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_not_within_commands() {
        let text = "next: `tandem show x-1 4` the best, `tandem help query`";
        assert_eq!(wrapped(text, 100, 6), text);
        let lines = "next: `tandem show x-1 4`\n      the best,\n      `tandem help query`";
        assert_eq!(wrapped(text, 27, 6), lines);
        assert_eq!(wrapped("measured  a b", 11, 2), "measured  a\n  b");
        assert_eq!(wrapped("", 10, 2), "");
    }
}
