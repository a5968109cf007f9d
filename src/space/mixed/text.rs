//! Combinations as readable texts: `engine=systolic rows=16 dataflow=ws`.
//!
//! Choices that are not decided are left out. An option with a space or a quote in it, or nothing,
//! stands in quotes, in which a backslash precedes quotes and backslashes.

use std::borrow::Cow;

use crate::space::{Choice, Value};

/// The text of the options of the choices that are decided.
pub(super) fn write(choices: &[Choice], decided: &[Option<u16>]) -> String {
    let mut text = String::new();
    for (choice, option) in choices.iter().zip(decided) {
        let Some(value) = option.and_then(|option| choice.options.get(usize::from(option))) else {
            continue;
        };
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&choice.name);
        text.push('=');
        text.push_str(&quoted(&value.to_string()));
    }
    text
}

fn quoted(text: &str) -> Cow<'_, str> {
    let special = |c: char| c.is_whitespace() || c == '"' || c == '\\';
    if !text.is_empty() && !text.contains(special) {
        return text.into();
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"").into()
}

/// The options that a text gives, in any order; `None` for the choices that it leaves out.
///
/// # Errors
/// The text is not of the form `choice=option choice=option`, names a choice or an option that
/// there is not, or gives a choice twice.
pub(super) fn read(choices: &[Choice], text: &str) -> Result<Vec<Option<u16>>, String> {
    let mut given = vec![None; choices.len()];
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let form = || {
            let first = choices.first().map_or("choice", |choice| choice.name.as_str());
            format!("`{rest}` is not of the form `{first}=...`")
        };
        let (name, after) = rest.split_once('=').ok_or_else(form)?;
        if name.contains(char::is_whitespace) {
            return Err(form());
        }
        let place = choices.iter().position(|choice| choice.name == name).ok_or_else(|| {
            let known: Vec<&str> = choices.iter().map(|choice| choice.name.as_str()).collect();
            format!("there is no choice `{name}`; there are {}", known.join(", "))
        })?;
        let (option, after) =
            token(after).ok_or_else(|| format!("the quotes of `{rest}` do not end"))?;
        let index = position(&choices[place], &option)?;
        if given[place].replace(index).is_some() {
            return Err(format!("`{name}` is given twice"));
        }
        rest = after.trim_start();
    }
    Ok(given)
}

/// The option at the start of a text, and what follows it.
fn token(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Some((text[..end].into(), &text[end..]));
    };
    let mut option = String::new();
    let mut characters = inner.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((option.into(), &inner[at + 1..])),
            '\\' => option.push(characters.next()?.1),
            other => option.push(other),
        }
    }
    None
}

/// The option of a choice that a text stands for: its own text, or a number that it is.
fn position(choice: &Choice, text: &str) -> Result<u16, String> {
    let number: Option<f64> = text.parse().ok();
    let is = |value: &Value| {
        value.to_string() == text || (value.number().is_some() && value.number() == number)
    };
    let found = choice.options.iter().position(is).and_then(|index| u16::try_from(index).ok());
    found.ok_or_else(|| {
        const SHOWN: usize = 8;
        let shown: Vec<String> = choice.options.iter().take(SHOWN).map(Value::to_string).collect();
        let more = choice.options.len().saturating_sub(SHOWN);
        let last = choice.options.last().filter(|_| more > 0);
        let tail = last.map_or_else(String::new, |last| format!(", ... {last}"));
        format!("`{}` has no option `{text}`; it has {}{tail}", choice.name, shown.join(", "))
    })
}
