//! The top-level items of a script and their brackets: a mistake in one item leaves the others intact.

use std::ops::Range;

use super::tokens::{Token, TokenKind};

/// A bracket or text of an item that is not closed, or a bracket that closes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unbalanced {
    /// An opening bracket that is not closed.
    Open(Range<usize>),
    /// A closing bracket that closes nothing.
    Close(Range<usize>),
    /// An opening bracket, and the wrong one that closes it.
    Crossed(Range<usize>, Range<usize>),
    /// A text or comment without an end.
    Text(Range<usize>),
}

/// Returns the ranges of tokens that are items: functions, and the statements around them.
///
/// Functions do not nest, so `fn` starts an item even where a brace before it is missing.
pub(super) fn items(text: &str, tokens: &[Token]) -> Vec<Range<usize>> {
    let word = |at: usize| tokens.get(at).map_or("", |token: &Token| &text[token.at.clone()]);
    let mut items = Vec::new();
    let (mut start, mut depth) = (0_usize, 0_usize);
    for at in 0..tokens.len() {
        let first = if word(at.wrapping_sub(1)) == "private" { at.saturating_sub(1) } else { at };
        // One that is indented within another is a mistake of its own.
        let is_outer =
            || depth == 0 || indentation(text, &tokens[first]) <= indentation(text, &tokens[start]);
        if word(at) == "fn" && first > start && is_outer() {
            items.push(start..first);
            (start, depth) = (first, 0);
        }
        match tokens[at].kind {
            TokenKind::Open(_) => depth += 1,
            TokenKind::Close(close) => {
                depth = depth.saturating_sub(1);
                let goes_on = matches!(word(at + 1), "else" | "catch" | "." | ";" | ",");
                if depth == 0 && close == b'}' && !goes_on {
                    items.push(start..at + 1);
                    start = at + 1;
                }
            }
            _ if depth == 0 && word(at) == ";" => {
                items.push(start..at + 1);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(start..tokens.len());
    items.retain(|item| !item.is_empty());
    items
}

/// Returns the first bracket or text of an item that is not balanced.
pub(super) fn unbalanced(text: &str, tokens: &[Token]) -> Option<Unbalanced> {
    if let Some(token) = tokens.iter().find(|token| token.kind == TokenKind::Unclosed) {
        return Some(Unbalanced::Text(token.at.clone()));
    }
    let mut open: Vec<(u8, &Token)> = Vec::new();
    // A brace that is closed at another depth of indentation than it was opened: if one is missing
    // at the end, it is probably this one's.
    let mut suspect = None;
    for token in tokens {
        match token.kind {
            TokenKind::Open(bracket) => open.push((bracket, token)),
            TokenKind::Close(bracket) => {
                let expected = match bracket {
                    b')' => b'(',
                    b']' => b'[',
                    _ => b'{',
                };
                match open.last() {
                    Some(&(bracket, opening)) if bracket == expected => {
                        if suspect.is_none() && is_outdented(text, opening, token) {
                            suspect = Some(opening.at.clone());
                        }
                        open.pop();
                    }
                    // `[1, 2)`: nothing else is open that it could close.
                    Some((b'(' | b'[', opening))
                        if bracket != b'}'
                            && !open.iter().any(|(bracket, _)| *bracket == expected) =>
                    {
                        return Some(Unbalanced::Crossed(opening.at.clone(), token.at.clone()));
                    }
                    Some((_, opening)) if open.iter().any(|(bracket, _)| *bracket == expected) => {
                        return Some(Unbalanced::Open(opening.at.clone()));
                    }
                    _ => return Some(Unbalanced::Close(token.at.clone())),
                }
            }
            _ => {}
        }
    }
    let (_, last) = open.last()?;
    Some(Unbalanced::Open(suspect.unwrap_or_else(|| last.at.clone())))
}

/// Returns true if an item is a function.
pub(super) fn is_function(text: &str, tokens: &[Token]) -> bool {
    let word = |at: usize| tokens.get(at).map_or("", |token| &text[token.at.clone()]);
    word(0) == "fn" || (word(0) == "private" && word(1) == "fn")
}

/// Returns the last brace of a function of several lines, if it is not aligned with the function's start.
pub(super) fn early_end(text: &str, function: &[Token]) -> Option<Range<usize>> {
    let (first, last) = (function.first()?, function.last()?);
    let (opened, closed) = (line_start(text, first), line_start(text, last));
    let belongs = starts_line(text, last) && indentation(text, first) == indentation(text, last);
    (opened != closed && !belongs).then(|| last.at.clone())
}

/// Returns true if a closing bracket starts a line that is indented less than that of its opening one.
fn is_outdented(text: &str, open: &Token, close: &Token) -> bool {
    starts_line(text, close) && indentation(text, close) < indentation(text, open)
}

/// The most bytes that are searched for the start of a line, to bound the time.
const LOOKED_AT: usize = 1_000;

fn line_start(text: &str, token: &Token) -> usize {
    let from = token.at.start.saturating_sub(LOOKED_AT);
    let before = &text.as_bytes()[from..token.at.start];
    before.iter().rposition(|&byte| byte == b'\n').map_or(from, |newline| from + newline + 1)
}

/// Returns the number of spaces and tabs at the start of a token's line.
fn indentation(text: &str, token: &Token) -> usize {
    let line = &text.as_bytes()[line_start(text, token)..];
    line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

fn starts_line(text: &str, token: &Token) -> bool {
    line_start(text, token) + indentation(text, token) == token.at.start
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        let tokens = tokens(text);
        let range = |item: &Range<usize>| tokens[item.start].at.start..tokens[item.end - 1].at.end;
        items(text, &tokens).iter().map(|item| &text[range(item)]).collect()
    }

    fn wrong(text: &str) -> Option<(&'static str, usize)> {
        Some(match unbalanced(text, &tokens(text))? {
            Unbalanced::Open(at) => ("open", at.start),
            Unbalanced::Close(at) => ("close", at.start),
            Unbalanced::Crossed(_, at) => ("crossed", at.start),
            Unbalanced::Text(at) => ("text", at.start),
        })
    }

    #[test]
    fn functions_and_statements_are_items() {
        let text = "import \"a\" as a; fn f() { { 1 } } const X = #{ a: 1 }; private fn g() { 2 }";
        assert_eq!(
            texts(text),
            [
                "import \"a\" as a;",
                "fn f() { { 1 } }",
                "const X = #{ a: 1 };",
                "private fn g() { 2 }"
            ]
        );
        assert_eq!(
            texts("fn f() { if x { 1 }\nfn g() { 2 }"),
            ["fn f() { if x { 1 }", "fn g() { 2 }"]
        );
    }

    #[test]
    fn the_bracket_to_blame_is_found() {
        assert_eq!(wrong("fn f() { g([1, 2]) }"), None);
        assert_eq!(wrong("fn f() { g(1; }"), Some(("open", 10)));
        assert_eq!(wrong("fn f() { 1 } }"), Some(("close", 13)));
        assert_eq!(wrong("fn f() { \"a }"), Some(("text", 9)));
        assert_eq!(wrong("fn f() { [1, 2); 3 }"), Some(("crossed", 14)));
        assert_eq!(wrong("fn f() { 1 /* 2 }"), Some(("text", 11)));
        // Seen by the indentation: the `if` is not closed.
        assert_eq!(wrong("fn f() {\n    if x {\n    1\n}\n"), Some(("open", 18)));
        assert_eq!(wrong("fn f() {\n    if x {\n        1\n    }\n"), Some(("open", 7)));
    }
}
