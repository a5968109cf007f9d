//! Parsing of lists of expressions on the command line.

/// Splits a list at its commas, except those within brackets and strings.
pub fn split(list: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in list.char_indices() {
        if let Some(end) = quote {
            if !escaped && c == end {
                quote = None;
            }
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '"' | '\'' | '`' => quote = Some(c),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// Splits an expression from the name before it, if it has one: `name=expression`.
pub fn named(text: &str) -> (Option<&str>, &str) {
    let text = text.trim();
    match text.split_once('=') {
        Some((name, expression))
            if !expression.starts_with('=')
                && !name.trim().is_empty()
                && name.trim().chars().all(|c| c.is_alphanumeric() || c == '_') =>
        {
            (Some(name.trim()), expression.trim())
        }
        _ => (None, text),
    }
}

/// Parses a sort key, `KEY`, `KEY:min` or `KEY:max`; the flag is true for descending order.
pub fn sort_key(text: &str) -> (String, bool) {
    match text.rsplit_once(':') {
        Some((key, "max")) => (key.to_owned(), true),
        Some((key, "min")) => (key.to_owned(), false),
        _ => (text.to_owned(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_outside_brackets_and_texts() {
        assert_eq!(split("a, b(c, d),[1,2]"), ["a", "b(c, d)", "[1,2]"]);
        assert_eq!(split(r#"x="a,\",b",y"#), [r#"x="a,\",b""#, "y"]);
        assert_eq!(split(" , "), [""; 0]);
    }

    #[test]
    fn names_and_directions_are_told_from_expressions() {
        assert_eq!(named("fast = latency_ms < 3"), (Some("fast"), "latency_ms < 3"));
        assert_eq!(named("a == b"), (None, "a == b"));
        assert_eq!(named("a <= b"), (None, "a <= b"));
        assert_eq!(sort_key("a:max"), ("a".to_owned(), true));
        assert_eq!(sort_key("a::b"), ("a::b".to_owned(), false));
    }
}
