//! Conversion between combinations and texts: `engine=systolic array.rows=16 ops=conv+pool order=b,a,c`.
//!
//! Undecided fields are left out. An option that is empty or contains a space, a quote or a backslash is
//! quoted, with a backslash before quotes and backslashes; so is an item with a separator of items. The empty
//! subset is `none`.

use std::borrow::Cow;

use super::condition::Decided;
use super::param::{self, Field, Leaf};
use crate::space::options::{position_of, shown};
use crate::space::{Choice, Illegal, Value};

/// The separator of the items of a subset.
const AND: char = '+';

/// The separator of the items of a permutation.
const THEN: char = ',';

/// The text of the empty subset.
const NOTHING: &str = "none";

/// Writes the text of those of the given fields that are decided.
pub(super) fn write<'f>(
    choices: &[Choice],
    fields: impl IntoIterator<Item = &'f Field>,
    decided: &Decided<'_>,
) -> String {
    let mut text = String::new();
    for field in fields.into_iter().filter(|field| decided.is(field.gate)) {
        if !text.is_empty() {
            text.push(' ');
        }
        if !field.path.is_empty() {
            text.push_str(&field.path);
            text.push('=');
        }
        let options = &decided.options[field.range.clone()];
        text.push_str(&match &field.leaf {
            Leaf::Choice => {
                let value = choices[field.range.start].options.get(usize::from(options[0]));
                quoted(&value.map_or_else(String::new, Value::to_string)).into_owned()
            }
            Leaf::Subset { items, .. } => match param::chosen(items, options).as_slice() {
                [] => NOTHING.to_owned(),
                chosen => listed(chosen, AND),
            },
            Leaf::Permutation { items } => listed(&param::ordered(items, options), THEN),
            Leaf::Native { domain, .. } => quoted(&domain.canonical(options)).into_owned(),
        });
    }
    text
}

fn quoted(text: &str) -> Cow<'_, str> {
    let special = |c: char| c.is_whitespace() || c == '"' || c == '\\';
    if text.is_empty() || text.contains(special) { in_quotes(text).into() } else { text.into() }
}

fn in_quotes(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn listed(items: &[&Value], between: char) -> String {
    let item = |value: &&Value| {
        let text = value.to_string();
        if text.contains([AND, THEN]) || text == NOTHING {
            in_quotes(&text)
        } else {
            quoted(&text).into_owned()
        }
    };
    items.iter().map(item).collect::<Vec<_>>().join(between.encode_utf8(&mut [0; 4]))
}

/// Parses the options of each field, in any order; `None` for fields that the text leaves out.
///
/// # Errors
/// Returns an error if the text is not of the form `name=option name=option`, names an unknown field or
/// option, or gives a field twice.
pub(super) fn read(
    choices: &[Choice],
    fields: &[Field],
    text: &str,
) -> Result<Vec<Option<Vec<u16>>>, Illegal> {
    if let [only] = fields
        && only.path.is_empty()
    {
        let (options, rest) = read_field(choices, only, text.trim_start())?;
        return match rest.trim() {
            "" => Ok(vec![Some(options)]),
            rest => Err(Illegal(format!("nothing is expected before `{rest}`"))),
        };
    }
    let mut given = vec![None; fields.len()];
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let form = || {
            let first = fields.first().map_or("choice", |field| field.path.as_str());
            Illegal(format!("`{rest}` is not of the form `{first}=...`"))
        };
        let (name, after) = rest.split_once('=').ok_or_else(form)?;
        if name.contains(char::is_whitespace) {
            return Err(form());
        }
        let place = fields.iter().position(|field| field.path == name).ok_or_else(|| {
            let known: Vec<&str> = fields.iter().map(|field| field.path.as_str()).collect();
            Illegal(format!("there is no choice `{name}`; there are {}", known.join(", ")))
        })?;
        let (options, after) = read_field(choices, &fields[place], after)?;
        if given[place].replace(options).is_some() {
            return Err(Illegal(format!("`{name}` is given twice")));
        }
        rest = after.trim_start();
    }
    Ok(given)
}

/// Parses the options of a field at the start of a text; returns them and the rest of the text.
fn read_field<'t>(
    choices: &[Choice],
    field: &Field,
    text: &'t str,
) -> Result<(Vec<u16>, &'t str), Illegal> {
    let one = || token(text, &[]).ok_or_else(|| unended(field, text));
    match &field.leaf {
        Leaf::Choice => {
            let (option, rest) = one()?;
            let place = position(field, &choices[field.range.start].options, &option)?;
            Ok((vec![place], rest))
        }
        Leaf::Native { domain, .. } => {
            let (inner, rest) = one()?;
            let at_field = |Illegal(what)| Illegal(format!("`{}`: {what}", field.path));
            let options = domain.parse(&inner).map_err(at_field)?;
            Ok((options, rest))
        }
        Leaf::Subset { items, .. } => {
            let mut options = vec![0; items.len()];
            if let Some((nothing, rest)) = token(text, &[AND])
                && nothing == NOTHING
                && !text.starts_with('"')
                && !rest.starts_with(AND)
            {
                return Ok((options, rest));
            }
            let (places, rest) = read_items(field, items, AND, text)?;
            places.iter().for_each(|&place| options[usize::from(place)] = 1);
            Ok((options, rest))
        }
        Leaf::Permutation { items } => {
            let (places, rest) = read_items(field, items, THEN, text)?;
            if places.len() < items.len() {
                let (given, all) = (places.len(), items.len());
                let what = field.called("the order");
                return Err(Illegal(format!(
                    "{what} lists {given} of its {all} items; it takes them all"
                )));
            }
            Ok((param::code(&places), rest))
        }
    }
}

fn unended(field: &Field, text: &str) -> Illegal {
    let name = if field.path.is_empty() { String::new() } else { format!("{}=", field.path) };
    Illegal(format!("the quotes of `{name}{text}` do not end"))
}

/// Parses distinct items with a separator between them; returns their places and the rest of the text.
fn read_items<'t>(
    field: &Field,
    items: &[Value],
    between: char,
    text: &'t str,
) -> Result<(Vec<u16>, &'t str), Illegal> {
    let mut places = Vec::new();
    let mut rest = text;
    loop {
        let (item, after) = token(rest, &[between]).ok_or_else(|| unended(field, text))?;
        let place = position(field, items, &item)?;
        if places.contains(&place) {
            return Err(Illegal(format!("{} lists `{item}` twice", field.called("the text"))));
        }
        places.push(place);
        match after.strip_prefix(between) {
            Some(next) => rest = next,
            None => return Ok((places, after)),
        }
    }
}

/// Splits a text after its first word, which ends at white space or one of `ends`, and may be quoted; `None`
/// if its quotes do not end.
fn token<'t>(text: &'t str, ends: &[char]) -> Option<(Cow<'t, str>, &'t str)> {
    let Some(inner) = text.strip_prefix('"') else {
        let is_end = |c: char| c.is_whitespace() || ends.contains(&c);
        let end = text.find(is_end).unwrap_or(text.len());
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

fn position(field: &Field, options: &[Value], text: &str) -> Result<u16, Illegal> {
    position_of(options, text).ok_or_else(|| {
        let what = match field.leaf {
            Leaf::Choice => "option",
            _ => "item",
        };
        let whose = field.called("the part");
        Illegal(format!("{whose} has no {what} `{text}`; it has {}", shown(options)))
    })
}
