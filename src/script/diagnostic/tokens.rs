//! Tokens of a script's text, as far as messages need them.
//!
//! Unlike the engine's own, they can be read from texts that do not parse, and each has an end.

use std::ops::Range;

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// `(`, `[`, `{` or `#{`, as the last of its characters.
    Open(u8),
    /// `)`, `]` or `}`.
    Close(u8),
    /// A name, a keyword or the digits of a number.
    Word,
    /// A string or a character.
    Text,
    /// A string or comment without an end.
    Unclosed,
    /// Any other character.
    Symbol,
}

/// A token and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) at: Range<usize>,
}

/// Returns the tokens of a text, without its comments.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let rest = &text[at..];
        let kind = match bytes[at] {
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'/' if rest.starts_with("//") => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            b'/' if rest.starts_with("/*") => {
                at = end_of_comment(bytes, at);
                if at < bytes.len() || text.ends_with("*/") {
                    continue;
                }
                TokenKind::Unclosed
            }
            b'"' => {
                let closed = skip_quoted(bytes, &mut at, b'"');
                if closed { TokenKind::Text } else { TokenKind::Unclosed }
            }
            b'\'' => {
                let mut end = at;
                // A lone quote is a character of its own.
                if skip_quoted(bytes, &mut end, b'\'') && text[at..end].chars().count() <= 12 {
                    at = end;
                    TokenKind::Text
                } else {
                    at += 1;
                    TokenKind::Symbol
                }
            }
            b'`' => {
                let closed = skip_template(bytes, &mut at);
                if closed { TokenKind::Text } else { TokenKind::Unclosed }
            }
            b'#' if rest.starts_with("#{") => {
                at += 2;
                TokenKind::Open(b'{')
            }
            b'#' if raw_quote(rest).is_some() => {
                let closing = format!("\"{}", &rest[..raw_quote(rest).unwrap_or(0)]);
                let inner = at + closing.len();
                match text[inner..].find(&closing) {
                    Some(length) => {
                        at = inner + length + closing.len();
                        TokenKind::Text
                    }
                    None => {
                        at = text.len();
                        TokenKind::Unclosed
                    }
                }
            }
            open @ (b'(' | b'[' | b'{') => {
                at += 1;
                TokenKind::Open(open)
            }
            close @ (b')' | b']' | b'}') => {
                at += 1;
                TokenKind::Close(close)
            }
            _ => {
                let word = |c: char| c.is_alphanumeric() || c == '_';
                let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
                at += length.max(rest.chars().next().map_or(1, char::len_utf8));
                if length > 0 { TokenKind::Word } else { TokenKind::Symbol }
            }
        };
        tokens.push(Token { kind, at: start..at });
    }
    tokens
}

/// Returns the number of `#` before the quote of a raw string; `None` if there is no quote.
fn raw_quote(rest: &str) -> Option<usize> {
    let hashes = rest.bytes().take_while(|byte| *byte == b'#').count();
    (rest.as_bytes().get(hashes) == Some(&b'"')).then_some(hashes)
}

/// Returns the end of a comment; comments nest.
fn end_of_comment(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while at < bytes.len() {
        match &bytes[at..(at + 2).min(bytes.len())] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Skips a quoted text; returns true if it ends, which it must within its line.
fn skip_quoted(bytes: &[u8], at: &mut usize, quote: u8) -> bool {
    *at += 1;
    while let Some(&byte) = bytes.get(*at) {
        match byte {
            b'\n' => return false,
            b'\\' => *at = (*at + 2).min(bytes.len()),
            _ => {
                *at += 1;
                if byte == quote {
                    return true;
                }
            }
        }
    }
    false
}

/// Skips a text in backticks with the expressions in it; returns true if it ends.
fn skip_template(bytes: &[u8], at: &mut usize) -> bool {
    *at += 1;
    while let Some(&byte) = bytes.get(*at) {
        match byte {
            b'`' => {
                *at += 1;
                return true;
            }
            b'$' if bytes.get(*at + 1) == Some(&b'{') => {
                *at += 2;
                if !skip_expression(bytes, at) {
                    return false;
                }
            }
            _ => *at += 1,
        }
    }
    false
}

/// Returns the bytes of the expressions within a text in backticks.
pub(super) fn expressions(text: &str, template: &Range<usize>) -> Vec<Range<usize>> {
    let bytes = &text.as_bytes()[..template.end];
    let mut found = Vec::new();
    if bytes.get(template.start) != Some(&b'`') {
        return found;
    }
    let mut at = template.start + 1;
    while at < bytes.len() {
        if bytes[at] == b'$' && bytes.get(at + 1) == Some(&b'{') {
            let start = at + 2;
            at = start;
            if !skip_expression(bytes, &mut at) {
                break;
            }
            found.push(start..at - 1);
        } else {
            at += 1;
        }
    }
    found
}

/// Skips an expression within a text, and its `}`; returns true if it ends.
fn skip_expression(bytes: &[u8], at: &mut usize) -> bool {
    let mut depth = 1_usize;
    while let Some(&byte) = bytes.get(*at) {
        let closed = match byte {
            b'"' => skip_quoted(bytes, at, b'"'),
            b'`' => skip_template(bytes, at),
            _ => {
                *at += 1;
                match byte {
                    b'{' => depth += 1,
                    b'}' => depth -= 1,
                    _ => {}
                }
                true
            }
        };
        if !closed {
            return false;
        }
        if depth == 0 {
            return true;
        }
    }
    false
}

/// Returns the byte offset of a line and a column, both from 1.
pub(super) fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[start.min(text.len())..];
    let within =
        rest.char_indices().take_while(|(_, c)| *c != '\n').map(|(at, c)| at + c.len_utf8());
    start + std::iter::once(0).chain(within).nth(column.saturating_sub(1)).unwrap_or(0)
}

/// Returns the line and the column of a byte offset, both from 1.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text).into_iter().map(|token| &text[token.at]).collect()
    }

    #[test]
    fn comments_are_left_out_and_texts_are_whole() {
        assert_eq!(words("a // b\n/* c /* d */ e */ f"), ["a", "f"]);
        assert_eq!(
            words(r#"x = "a \" // b" + 'c';"#),
            ["x", "=", r#""a \" // b""#, "+", "'c'", ";"]
        );
        assert_eq!(words("`a ${f(\"}\", `b`)} c` d"), ["`a ${f(\"}\", `b`)} c`", "d"]);
        assert_eq!(words("#{ a: 4.0 }"), ["#{", "a", ":", "4", ".", "0", "}"]);
        assert_eq!(words("##\"a\"# b\"## c"), ["##\"a\"# b\"##", "c"]);
    }

    #[test]
    fn expressions_within_texts_are_found() {
        let text = "x + `a ${f(\"}\")} ${`${b}`}` + \"${c}\"";
        let found = |template: Range<usize>| {
            expressions(text, &template).into_iter().map(|at| &text[at]).collect::<Vec<_>>()
        };
        let all = tokens(text);
        assert_eq!(found(all[2].at.clone()), ["f(\"}\")", "`${b}`"]);
        assert!(found(all[4].at.clone()).is_empty());
    }

    #[test]
    fn a_text_without_an_end_ends_with_its_line() {
        let text = "f(\"abc);\ng";
        let kinds: Vec<TokenKind> = tokens(text).into_iter().map(|token| token.kind).collect();
        assert_eq!(
            kinds,
            [TokenKind::Word, TokenKind::Open(b'('), TokenKind::Unclosed, TokenKind::Word]
        );
    }

    #[test]
    fn places_and_offsets_agree() {
        let text = "ä b\nc d\n";
        for (at, _) in text.char_indices() {
            let (line, column) = line_and_column(text, at);
            assert_eq!(offset_of(text, line, column), at);
        }
    }
}
