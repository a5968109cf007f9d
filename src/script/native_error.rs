//! The text of a native function's error, which a script can catch: a message and, on a line of its own, the
//! help. Scripts see texts, so that the engine carries no other form; they can `throw` such a text, too.

use std::fmt;

const HELP: &str = "\nhelp: ";

/// The text of a message with its help.
pub(in crate::script) fn with_help(message: impl fmt::Display, help: &str) -> String {
    format!("{message}{HELP}{help}")
}

/// The message of a text, and its help.
pub(in crate::script) fn message_and_help(text: &str) -> (&str, Option<&str>) {
    text.split_once(HELP).map_or((text, None), |(message, help)| (message, Some(help)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_gives_back_its_message_and_its_help() {
        assert_eq!(
            message_and_help(&with_help("no `a`", "write `b`")),
            ("no `a`", Some("write `b`"))
        );
        assert_eq!(message_and_help("no `a`"), ("no `a`", None));
    }
}
