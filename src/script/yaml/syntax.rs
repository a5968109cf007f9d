//! Texts that are not valid YAML.

/// A reason that a text is not YAML, with help.
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) help: Option<&'static str>,
    /// The line and the column, both from 1.
    pub(super) at: (usize, usize),
}

/// Explains the reader's error about a text that it cannot parse; `None` for other errors.
pub(super) fn fault(said: &str, text: &str, at: (usize, usize)) -> Option<Fault> {
    let at = within(text, at);
    let says = |words: &str| said.starts_with(words);
    let is_no_start = says("found character that cannot start any token");
    let start = character(text, at);
    let (message, help) = if says("found a tab character") || (is_no_start && start == Some('\t')) {
        ("YAML is indented with spaces, and this is a tab".to_owned(), None)
    } else if is_no_start {
        (format!("a text that starts with `{}` must be in quotes", start?), None)
    } else if let Some(expected) = said.strip_prefix("did not find expected ") {
        (missing(expected), None)
    } else if says("mapping values are not allowed") {
        let help = "keys that belong together start in the same column, and a text with `: ` in it must be in \
                    quotes";
        ("no `:` can be here".to_owned(), Some(help))
    } else if says("unknown anchor") {
        let help = "a text that starts with `*` must be in quotes";
        ("nothing has this name".to_owned(), Some(help))
    } else if says("deserializing from YAML containing more than one document") {
        ("the file has more than one document".to_owned(), Some(one_document(text)))
    } else {
        return unended(said, text);
    };
    Some(Fault { message, help, at })
}

/// Explains a text or key without an end, placed at its start.
fn unended(said: &str, text: &str) -> Option<Fault> {
    let at = context(said);
    let message = if said.starts_with("could not find expected ':'") {
        "a `:` is missing behind this".to_owned()
    } else if said.starts_with("found unexpected ")
        && said.contains("while scanning a quoted scalar")
    {
        let quote = character(text, at)?;
        format!("this text is not closed: its {quote} is missing at the end")
    } else {
        return None;
    };
    Some(Fault { message, help: None, at })
}

fn one_document(text: &str) -> &'static str {
    match text.lines().skip(1).any(|line| line.starts_with("---")) {
        true => "take out the line `---` and what is behind it",
        // Keys further left than the first end the document, too.
        false => "keys that belong together start in the same column",
    }
}

/// Returns a place within a text: one behind the last line becomes the end of that line.
fn within(text: &str, (line, column): (usize, usize)) -> (usize, usize) {
    let lines = text.lines().count();
    match text.lines().last() {
        Some(last) if line > lines => (lines, last.chars().count() + 1),
        _ => (line, column),
    }
}

fn character(text: &str, (line, column): (usize, usize)) -> Option<char> {
    text.lines().nth(line.checked_sub(1)?)?.chars().nth(column.checked_sub(1)?)
}

/// Returns the start of the unreadable part: the second place in the error, else the start of the text.
fn context(said: &str) -> (usize, usize) {
    let read = |at: &str| {
        let (line, column) = at.split_once(" column ")?;
        Some((line.parse().ok()?, column.parse().ok()?))
    };
    let mut places = said.split(" at line ").skip(2);
    places.next().and_then(read).unwrap_or((1, 1))
}

/// Returns the message about an element that the reader expected.
fn missing(expected: &str) -> String {
    let expected = expected.split(", while ").next().unwrap_or(expected);
    let expected = expected.split(" at line ").next().unwrap_or(expected);
    match expected {
        "node content" => "a value is expected here".to_owned(),
        "key" => "a key is expected here".to_owned(),
        "comment or line break" => "the end of the line is expected here".to_owned(),
        "<document start>" => "the end of the file is expected here".to_owned(),
        _ => format!("{} is expected here", expected.replace('\'', "`")),
    }
}

#[cfg(test)]
mod tests {
    use serde_yaml::Value;

    use super::*;

    fn said_of(text: &str) -> (String, (usize, usize)) {
        let error = serde_yaml::from_str::<Value>(text).unwrap_err();
        let at = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        let fault = fault(&error.to_string(), text, at).expect(text);
        (fault.message, fault.at)
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_place() {
        for (text, message, at) in [
            ("a:\n\tb: 3\n", "YAML is indented with spaces, and this is a tab", (2, 1)),
            ("\ta: 3\n", "YAML is indented with spaces, and this is a tab", (1, 1)),
            ("a: @b\n", "a text that starts with `@` must be in quotes", (1, 4)),
            (
                "a: 3\nb: \"c\nd: 4\n",
                "this text is not closed: its \" is missing at the end",
                (2, 4),
            ),
            ("'c\nd: 4\n", "this text is not closed: its ' is missing at the end", (1, 1)),
            ("a: 'c", "this text is not closed: its ' is missing at the end", (1, 4)),
            ("a: { b: 3\nc: 4\n", "`,` or `}` is expected here", (2, 2)),
            ("a: 3\nb: [4\n", "`,` or `]` is expected here", (2, 6)),
            ("a: {", "a value is expected here", (1, 5)),
            ("{", "a value is expected here", (1, 2)),
            ("a: b\n  c: 3\n", "no `:` can be here", (2, 4)),
            ("a: 3\nb 3\n", "a `:` is missing behind this", (2, 1)),
            ("  a: 3\n b: 4\n", "the file has more than one document", (1, 1)),
            ("a: *b\n", "nothing has this name", (1, 4)),
            ("a: 3\n---\na: 4\n", "the file has more than one document", (1, 1)),
        ] {
            assert_eq!(said_of(text), (message.to_owned(), at), "{text}");
        }
    }
}
