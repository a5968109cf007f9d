//! An outline of a script's text: functions, variables, imports and map literals, with their places.

use std::ops::Range;

use super::message::Place;
use super::tokens::{Token, TokenKind, expressions, tokens};

/// A named function.
#[derive(Clone, Debug)]
pub(in crate::script) struct ParsedFunction {
    pub(in crate::script) name: String,
    pub(super) parameters: Vec<String>,
    pub(super) is_private: bool,
    /// The bytes of the name.
    pub(in crate::script) name_at: Range<usize>,
    /// The tokens between the braces of the body.
    body: Range<usize>,
}

impl ParsedFunction {
    /// Returns the name with the parameters.
    pub(super) fn signature(&self) -> String {
        format!("{}({})", self.name, self.parameters.join(", "))
    }
}

/// An import with an alias.
#[derive(Clone, Debug)]
pub(in crate::script) struct Import {
    /// The name of the module in the script.
    pub(super) alias: String,
    /// The path of the module.
    pub(in crate::script) path: String,
    /// The byte at which the path is written.
    pub(in crate::script) at: usize,
}

/// The key in an access to an entry of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::script) struct Key {
    /// The bytes of the key.
    pub(in crate::script) at: Range<usize>,
    /// True for a name, false for an expression in brackets.
    pub(in crate::script) is_name: bool,
}

/// Returns the place of a function's definition.
pub(in crate::script) fn definition(label: &str, text: &str, name: &str) -> Option<Place> {
    let outline = Outline::of(text);
    let function = outline.functions.iter().find(|function| function.name == name)?;
    Some(Place::of_offset(label, text, function.name_at.start))
}

/// An outline of a script's text, read from its tokens.
#[derive(Debug)]
pub(in crate::script) struct Outline<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    pub(in crate::script) functions: Vec<ParsedFunction>,
    pub(in crate::script) imports: Vec<Import>,
}

impl<'t> Outline<'t> {
    /// Reads the outline of a text.
    pub(in crate::script) fn of(text: &'t str) -> Self {
        let tokens = tokens(text);
        let mut outline = Self { text, tokens, functions: Vec::new(), imports: Vec::new() };
        outline.functions =
            (0..outline.tokens.len()).filter_map(|at| outline.function(at)).collect();
        outline.imports = (0..outline.tokens.len()).filter_map(|at| outline.import(at)).collect();
        outline
    }

    /// Returns the text of a token; empty behind the last one.
    fn word(&self, token: usize) -> &'t str {
        self.tokens.get(token).map_or("", |token| &self.text[token.at.clone()])
    }

    fn is_word(&self, token: usize) -> bool {
        self.tokens.get(token).is_some_and(|token| token.kind == TokenKind::Word)
    }

    /// Returns the token at a byte.
    fn token_at(&self, offset: usize) -> Option<usize> {
        self.tokens.iter().position(|token| token.at.start <= offset && offset < token.at.end)
    }

    /// Returns the token that closes the bracket at `open`.
    fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match token.kind {
                TokenKind::Open(_) => depth += 1,
                TokenKind::Close(_) => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(at);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Returns true if the script catches errors.
    pub(in crate::script) fn catches(&self) -> bool {
        (0..self.tokens.len()).any(|token| self.word(token) == "try")
    }

    /// Returns the token that opens the bracket around another.
    fn opening(&self, token: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for at in (0..token).rev() {
            match self.tokens[at].kind {
                TokenKind::Close(_) => depth += 1,
                TokenKind::Open(_) if depth == 0 => return Some(at),
                TokenKind::Open(_) => depth -= 1,
                _ => {}
            }
        }
        None
    }

    fn function(&self, at: usize) -> Option<ParsedFunction> {
        if self.word(at) != "fn" || !self.is_word(at + 1) || self.word(at + 2) != "(" {
            return None;
        }
        let end = self.closing(at + 2)?;
        if self.word(end + 1) != "{" {
            return None;
        }
        let body = end + 2..self.closing(end + 1)?;
        let parameters =
            (at + 3..end).filter(|&token| self.is_word(token)).map(|t| self.word(t).to_owned());
        Some(ParsedFunction {
            name: self.word(at + 1).to_owned(),
            parameters: parameters.collect(),
            is_private: self.word(at.wrapping_sub(1)) == "private",
            name_at: self.tokens[at + 1].at.clone(),
            body,
        })
    }

    fn import(&self, at: usize) -> Option<Import> {
        let path = self.tokens.get(at + 1).filter(|token| token.kind == TokenKind::Text)?;
        (self.word(at) == "import" && self.word(at + 2) == "as").then(|| Import {
            alias: self.word(at + 3).to_owned(),
            path: self.text[path.at.clone()].trim_matches('"').to_owned(),
            at: path.at.start,
        })
    }

    /// Returns the function around a byte.
    pub(super) fn function_around(&self, offset: usize) -> Option<&ParsedFunction> {
        let token = self.tokens.iter().position(|token| offset < token.at.end)?;
        self.functions.iter().find(|function| function.body.contains(&token))
    }

    /// Returns the function of a name, if there is exactly one.
    pub(super) fn only_function(&self, name: &str) -> Option<&ParsedFunction> {
        let mut found = self.functions.iter().filter(|function| function.name == name);
        found.next().filter(|_| found.next().is_none())
    }

    /// Returns the variables visible at a byte: parameters, and variables declared before it.
    pub(super) fn variables_at(&self, offset: usize) -> Vec<String> {
        let declares = self.declaration(offset).map(|(token, _)| token);
        let before = |token: &usize| self.tokens[*token].at.start < offset;
        let others = |token: &usize| Some(*token) != declares;
        match self.function_around(offset) {
            Some(function) => {
                let mut names = function.parameters.clone();
                let body = function.body.clone().take_while(before).filter(others);
                names.extend(self.declared(body));
                names
            }
            None => self.declared(self.outside().take_while(before).filter(others)).collect(),
        }
    }

    /// Returns true if the function around a byte declares a variable before it, which is thus no parameter.
    pub(super) fn is_declared(&self, name: &str, offset: usize) -> bool {
        let before = |token: &usize| self.tokens[*token].at.start < offset;
        let body = self.function_around(offset).map_or(0..self.tokens.len(), |f| f.body.clone());
        let declares =
            |at: usize| matches!(self.word(at), "let" | "const") && self.word(at + 1) == name;
        body.take_while(before).any(declares)
    }

    /// Returns the `let` or `const` of the statement around a byte, and the name that it declares.
    fn declaration(&self, offset: usize) -> Option<(usize, &'t str)> {
        let token = self.tokens.iter().rposition(|token| token.at.start <= offset)?;
        let mut depth = 0_usize;
        for at in (0..=token).rev() {
            match self.tokens[at].kind {
                TokenKind::Close(_) => depth += 1,
                TokenKind::Open(b'{') if depth == 0 && self.word(at) == "{" => return None,
                TokenKind::Open(_) => depth = depth.saturating_sub(1),
                _ if depth > 0 => {}
                _ if self.word(at) == ";" => return None,
                _ if matches!(self.word(at), "let" | "const") => {
                    return Some((at, self.word(at + 1)));
                }
                _ => {}
            }
        }
        None
    }

    /// Returns the end of the line on which the declaration of a variable probably lacks its `;`.
    ///
    /// The line behind it, which has the byte, starts with `(`, `[` or `-` and so continues the statement.
    pub(super) fn unended(&self, offset: usize, name: &str) -> Option<usize> {
        let (_, declared) = self.declaration(offset).filter(|(_, declared)| *declared == name)?;
        let at = self.token_at(offset)?;
        let line_starts = |token: &usize| {
            let before = self.tokens[*token - 1].at.end;
            self.text[before..self.tokens[*token].at.start].contains('\n')
        };
        let first = (1..=at).rev().find(line_starts)?;
        let starts = matches!(self.word(first), "(" | "[" | "-");
        (starts && !declared.is_empty()).then(|| self.tokens[first - 1].at.end)
    }

    /// Returns true if the name at a byte starts an assignment.
    pub(super) fn is_assigned(&self, offset: usize) -> bool {
        self.token_at(offset).is_some_and(|at| {
            let starts = at == 0 || matches!(self.word(at - 1), ";" | "{" | "}");
            starts && self.word(at + 1) == "=" && self.word(at + 2) != "="
        })
    }

    /// Returns the variables outside of functions.
    pub(super) fn globals(&self) -> Vec<String> {
        self.declared(self.outside()).collect()
    }

    /// Returns true if a variable outside of functions is a constant.
    pub(super) fn is_constant(&self, name: &str) -> bool {
        self.outside().any(|token| self.word(token) == "const" && self.word(token + 1) == name)
    }

    /// Yields the tokens outside of functions.
    fn outside(&self) -> impl Iterator<Item = usize> + '_ {
        let inside = |token: &usize| self.functions.iter().any(|f| f.body.contains(token));
        (0..self.tokens.len()).filter(move |token| !inside(token))
    }

    fn declared<'s>(
        &'s self,
        tokens: impl Iterator<Item = usize> + 's,
    ) -> impl Iterator<Item = String> + 's {
        tokens.flat_map(|at| {
            let words: Vec<usize> = match self.word(at) {
                "let" | "const" => vec![at + 1],
                "for" | "catch" if self.word(at + 1) == "(" => {
                    (at + 2..self.closing(at + 1).unwrap_or(at + 2)).collect()
                }
                "for" => vec![at + 1],
                // The parameters of a closure are behind something that no operator may follow.
                "|" if !self.ends_value(at.wrapping_sub(1))
                    && self.word(at.wrapping_sub(1)) != "|" =>
                {
                    (at + 1..self.tokens.len()).take_while(|&t| self.word(t) != "|").collect()
                }
                _ => Vec::new(),
            };
            words.into_iter().filter(|&t| self.is_word(t)).map(|t| self.word(t).to_owned())
        })
    }

    /// Returns true if a value may end with a token.
    fn ends_value(&self, token: usize) -> bool {
        self.tokens.get(token).is_some_and(|token| {
            matches!(token.kind, TokenKind::Word | TokenKind::Text | TokenKind::Close(_))
        })
    }

    /// Returns true if the name at a byte is that of a method or a property.
    pub(super) fn is_method(&self, offset: usize) -> bool {
        self.token_at(offset).is_some_and(|at| at > 0 && matches!(self.word(at - 1), "." | "?."))
    }

    /// Returns the key of the access at a byte: the name behind a dot, or the expression in brackets.
    pub(in crate::script) fn key(&self, offset: usize) -> Option<Key> {
        let token = self.token_at(offset)?;
        let Token { kind, at } = &self.tokens[token];
        if *kind == TokenKind::Text && offset > at.start {
            let (start, inner) = self.interpolated(token, offset)?;
            let Key { at, is_name } = Outline::of(inner).key(offset - start)?;
            return Some(Key { at: at.start + start..at.end + start, is_name });
        }
        if self.is_method(offset) {
            return Some(Key { at: self.tokens[token].at.clone(), is_name: true });
        }
        // A value is where its operator is.
        let open = self.opening(token)?;
        let at = self.tokens[open].at.end..self.tokens[self.closing(open)?].at.start;
        matches!(self.word(open), "[" | "?[").then_some(Key { at, is_name: false })
    }

    fn is_entry(&self, at: usize, key: &str) -> bool {
        let named = self.word(at) == key || self.word(at).trim_matches('"') == key;
        named && self.word(at + 1) == ":" && self.word(at + 2) != ":"
    }

    /// Returns the byte at which a function mentions a name: as an entry of a map, else in a string.
    pub(in crate::script) fn mention(
        &self,
        function: &ParsedFunction,
        name: &str,
    ) -> Option<usize> {
        let says = |at: &usize| {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            self.tokens[*at].kind == TokenKind::Text
                && self.word(*at).split(|c| !word(c)).any(|word| word == name)
        };
        let mut body = function.body.clone();
        let entry = body.clone().find(|&at| self.is_entry(at, name));
        entry.or_else(|| body.find(says)).map(|at| self.tokens[at].at.start)
    }

    /// Returns the bytes at which the statements of a function start, without those of its blocks.
    pub(in crate::script) fn statements(&self, function: &ParsedFunction) -> Vec<usize> {
        let blocks = ["if", "for", "while", "loop", "switch", "try", "do", "{"];
        let body = &function.body;
        let mut starts: Vec<usize> = body.clone().take(1).collect();
        let mut depth = 0_usize;
        for at in body.clone() {
            let ends = match self.tokens[at].kind {
                TokenKind::Open(_) => {
                    depth += 1;
                    false
                }
                TokenKind::Close(close) => {
                    depth = depth.saturating_sub(1);
                    let first = starts.last().map_or("", |&start| self.word(start));
                    let goes_on = matches!(self.word(at + 1), "else" | "catch" | "while" | "until");
                    depth == 0 && close == b'}' && blocks.contains(&first) && !goes_on
                }
                _ => depth == 0 && self.word(at) == ";",
            };
            if ends && body.contains(&(at + 1)) && self.word(at + 1) != ";" {
                starts.push(at + 1);
            }
        }
        starts.into_iter().map(|at| self.tokens[at].at.start).collect()
    }

    /// Returns the map literal that a function ends with, if it does.
    pub(super) fn result(&self, function: &ParsedFunction) -> Option<MapText> {
        let last = function.body.end.checked_sub(1)?;
        let open = function.body.clone().rev().find(|&at| self.closing(at) == Some(last))?;
        (self.word(open) == "#{").then(|| self.map(open)).flatten()
    }

    /// Returns the map literal or the call with which a variable was declared before a byte.
    ///
    /// The keys of a map include those assigned since.
    pub(super) fn held(&self, variable: &str, offset: usize) -> Option<Held> {
        let scope: Vec<usize> = match self.function_around(offset) {
            Some(function) => function.body.clone().collect(),
            None => self.outside().collect(),
        };
        let before = scope.into_iter().take_while(|&at| self.tokens[at].at.start < offset);
        let declared = before.clone().filter(|&at| {
            matches!(self.word(at), "let" | "const")
                && self.word(at + 1) == variable
                && self.word(at + 2) == "="
        });
        let value = declared.last()? + 3;
        if self.word(value) == "#{" {
            let mut map = self.map(value)?;
            for at in before {
                if self.word(at) == variable && self.word(at + 1) == "." && self.word(at + 3) == "="
                {
                    map.keys.push((self.word(at + 2).to_owned(), at + 4));
                }
            }
            return Some(Held::Map(map));
        }
        if self.is_word(value) && self.word(value + 1) == "(" {
            return Some(Held::Result(None, self.word(value).to_owned()));
        }
        let qualified = self.word(value + 1) == ":" && self.word(value + 2) == ":";
        (qualified && self.word(value + 4) == "(").then(|| {
            Held::Result(Some(self.word(value).to_owned()), self.word(value + 3).to_owned())
        })
    }

    /// Returns the map literal in an entry of a map, if it is one.
    pub(super) fn inner(&self, map: &MapText, key: &str) -> Option<MapText> {
        let (_, value) = map.keys.iter().find(|(name, _)| name == key)?;
        (self.word(*value) == "#{").then(|| self.map(*value)).flatten()
    }

    fn map(&self, open: usize) -> Option<MapText> {
        let close = self.closing(open)?;
        let mut keys = Vec::new();
        let mut at = open + 1;
        while at < close {
            keys.push((self.word(at).trim_matches('"').to_owned(), at + 2));
            while at < close && self.word(at) != "," {
                at = match self.tokens[at].kind {
                    TokenKind::Open(_) => self.closing(at)?,
                    _ => at,
                } + 1;
            }
            at += 1;
        }
        Some(MapText { keys })
    }

    /// Returns the expression around a byte in a text in backticks, and its start.
    fn interpolated(&self, token: usize, offset: usize) -> Option<(usize, &'t str)> {
        let Token { at, .. } = &self.tokens[token];
        let inner = expressions(self.text, at).into_iter().find(|inner| inner.contains(&offset))?;
        Some((inner.start, &self.text[inner]))
    }

    /// Returns the names of the chain `a.b.c` or `a.b["c"]` that ends at a byte, without the last.
    pub(super) fn chain(&self, offset: usize) -> Option<Vec<String>> {
        let mut at = self.token_at(offset)?;
        if let Some((start, inner)) = self.interpolated(at, offset) {
            return Outline::of(inner).chain(offset - start);
        }
        let mut names = Vec::new();
        if at >= 2 && self.word(at - 1) == "[" && self.is_word(at - 2) {
            at -= 2;
            names.push(self.word(at).to_owned());
        }
        while at >= 2 && self.word(at - 1) == "." && self.is_word(at - 2) {
            at -= 2;
            names.insert(0, self.word(at).to_owned());
        }
        let whole = at == 0 || !matches!(self.word(at - 1), "." | ":");
        (whole && !names.is_empty()).then_some(names)
    }

    /// Returns the first name of the chain `a.b` or `a["b"]` at a byte.
    pub(super) fn base(&self, offset: usize) -> Option<String> {
        let mut at = self.token_at(offset)?;
        if self.word(at) != "." && !self.is_word(at) && self.tokens[at].kind == TokenKind::Text {
            at = at.checked_sub(1)?;
        }
        while at > 0
            && (matches!(self.word(at), "." | "[" | "?.")
                || matches!(self.word(at - 1), "." | "?."))
        {
            at -= 1;
        }
        let whole = at == 0 || !matches!(self.word(at - 1), "." | ":");
        (whole && self.is_word(at)).then(|| self.word(at).to_owned())
    }

    /// Returns the parameters of the closure that starts at a byte, as they are written, and their bytes.
    pub(super) fn closure(&self, offset: usize) -> Option<(String, Range<usize>)> {
        let start = self.token_at(offset).filter(|&at| self.word(at) == "|")?;
        let end = (start + 1..self.tokens.len()).find(|&at| self.word(at) == "|")?;
        let at = self.tokens[start].at.start..self.tokens[end].at.end;
        Some((self.text[at.clone()].to_owned(), at))
    }
}

/// A map literal: its keys, each with the first token of its value.
#[derive(Debug)]
pub(super) struct MapText {
    keys: Vec<(String, usize)>,
}

impl MapText {
    pub(super) fn keys(&self) -> Vec<String> {
        self.keys.iter().map(|(key, _)| key.clone()).collect()
    }
}

/// The value of a variable.
#[derive(Debug)]
pub(super) enum Held {
    Map(MapText),
    /// The result of a function, perhaps one of a module.
    Result(Option<String>, String),
}
