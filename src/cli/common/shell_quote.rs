//! Quoting of words for a shell.

/// Quotes a word for a command line: in single quotes, if a shell would change it otherwise.
pub fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "_-./,:=@%+".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_it_otherwise() {
        let words = ["a/b-1.rhai", "größer", "a b", "it's", "", "$HOME", "~"];
        assert_eq!(
            words.map(quoted),
            ["a/b-1.rhai", "größer", "'a b'", r"'it'\''s'", "''", "'$HOME'", "'~'"]
        );
    }
}
