//! The fields of a part, and their encoding as choices.
//!
//! A subset of n items is n choices between no and yes. A permutation of n items is its Lehmer code: n - 1
//! choices of n, n - 1, ..., 2 options, each the index of the next item among those that are left.
//! Permutations and combinations thus correspond one to one.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use super::error::MixedError;
use crate::space::{Choice, Domain, Illegal, Value};

/// The content of a name with no names below it.
#[derive(Clone, Debug)]
pub enum Leaf {
    /// One of the options of its choice.
    Choice,
    /// A subset of the items.
    Subset {
        /// The items to choose from.
        items: Vec<Value>,
        /// The minimum number of chosen items.
        least: usize,
        /// The maximum number of chosen items.
        most: usize,
    },
    /// All items in some order.
    Permutation {
        /// The items, in the order in which they are listed.
        items: Vec<Value>,
    },
    /// A domain of another kind, opaque to rules.
    Native {
        /// The domain.
        domain: Arc<dyn Domain>,
        /// The number of nested domains before it.
        number: usize,
    },
}

/// A leaf with its name, choices and condition.
#[derive(Clone, Debug)]
pub struct Field {
    /// The path of its name, joined by dots; empty if the field is the whole part.
    pub(super) path: String,
    /// The places of its choices in the part.
    pub(super) range: Range<usize>,
    /// The condition under which it is decided; always, without one.
    pub(super) gate: Option<usize>,
    pub(super) leaf: Leaf,
}

impl Field {
    /// The content of the name.
    pub const fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// The place of its first choice in the part.
    pub const fn start(&self) -> usize {
        self.range.start
    }

    /// Checks the options of a decided field: the bounds of a subset, or the rules of a nested domain.
    pub(super) fn check(&self, options: &[u16]) -> Result<(), Illegal> {
        match &self.leaf {
            Leaf::Choice | Leaf::Permutation { .. } => Ok(()),
            Leaf::Subset { least, most, .. } => {
                let chosen = options.iter().filter(|&&option| option == 1).count();
                let bound = match chosen {
                    _ if chosen < *least => format!("at least {least}"),
                    _ if chosen > *most => format!("at most {most}"),
                    _ => return Ok(()),
                };
                let what = self.called("the subset");
                Err(Illegal(format!("{what} has {chosen} items; it takes {bound}")))
            }
            Leaf::Native { domain, .. } => {
                let named = |illegal: Illegal| Illegal(format!("`{}`: {illegal}", self.path));
                domain.check(options).map_err(named)
            }
        }
    }

    /// Corrects the options of a decided field, first to last: a subset gets no more than its maximum number
    /// of items, and its last items as far as its minimum requires.
    pub(super) fn canonicalize(&self, options: &mut [u16]) {
        match &self.leaf {
            Leaf::Choice | Leaf::Permutation { .. } => {}
            Leaf::Subset { least, most, .. } => {
                let (mut chosen, mut left) = (0, options.len());
                for option in options {
                    if chosen + left <= *least {
                        *option = 1;
                    } else if chosen >= *most {
                        *option = 0;
                    }
                    chosen += usize::from(*option);
                    left -= 1;
                }
            }
            Leaf::Native { domain, .. } => domain.canonicalize(options),
        }
    }

    /// The path in backquotes, or `otherwise` if the field has none.
    pub(super) fn called(&self, otherwise: &str) -> String {
        match self.path.as_str() {
            "" => otherwise.to_owned(),
            path => format!("`{path}`"),
        }
    }
}

/// A name and its content.
#[derive(Clone, Debug)]
pub struct Name {
    pub(super) name: String,
    pub(super) gate: Option<usize>,
    pub(super) below: Below,
}

/// The content of a name.
#[derive(Clone, Debug)]
pub(super) enum Below {
    /// A leaf, by its place among the part's fields.
    Leaf(usize),
    Part(Vec<Name>),
}

impl Name {
    /// The name without its path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The place of its field; `None` if there are names below it.
    pub const fn field(&self) -> Option<usize> {
        match self.below {
            Below::Leaf(leaf) => Some(leaf),
            Below::Part(_) => None,
        }
    }
}

/// The chosen items of a subset, in the order in which they are listed.
pub(super) fn chosen<'i>(items: &'i [Value], options: &[u16]) -> Vec<&'i Value> {
    items.iter().zip(options).filter(|(_, option)| **option == 1).map(|(item, _)| item).collect()
}

/// The items in the order that a Lehmer code gives.
pub fn ordered<'i>(items: &'i [Value], code: &[u16]) -> Vec<&'i Value> {
    let mut left: Vec<&Value> = items.iter().collect();
    let mut order = Vec::with_capacity(items.len());
    for &next in code {
        order.push(left.remove(usize::from(next)));
    }
    order.extend(left);
    order
}

/// The Lehmer code of a permutation of the places from 0.
pub(super) fn code(order: &[u16]) -> Vec<u16> {
    let mut left: Vec<u16> = (0..order.len() as u16).collect();
    let next = |place: &u16| {
        let at = left.iter().position(|known| known == place).unwrap_or(0);
        left.remove(at);
        at as u16
    };
    order[..order.len().saturating_sub(1)].iter().map(next).collect()
}

/// The name of a choice below a path.
fn below(path: &str, name: impl std::fmt::Display) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

/// The choices that encode a leaf; `values` are the options of a plain choice.
pub(super) fn choices(path: &str, leaf: &Leaf, values: Vec<Value>) -> Vec<Choice> {
    let unordered = |name, options| Choice { name, options, ordered: false };
    match leaf {
        Leaf::Choice => vec![Choice::new(if path.is_empty() { "value" } else { path }, values)],
        Leaf::Subset { items, .. } => {
            let options = vec![Value::Flag(false), Value::Flag(true)];
            items.iter().map(|item| unordered(below(path, item), options.clone())).collect()
        }
        Leaf::Permutation { items } => {
            let left = |place: usize| (1..=(items.len() - place) as i64).map(Value::Int).collect();
            let places = 0..items.len() - 1;
            places.map(|place| unordered(below(path, place + 1), left(place))).collect()
        }
        Leaf::Native { domain, .. } => {
            let named =
                |choice: &Choice| Choice { name: below(path, &choice.name), ..choice.clone() };
            domain.choices().iter().map(named).collect()
        }
    }
}

/// Checks that there are values, at most 65,536, with distinct texts and without control characters.
///
/// `what` is the subject of error messages, such as "choice `rows`".
pub(super) fn distinct(what: &str, values: &[Value]) -> Result<(), MixedError> {
    let what = || what.to_owned();
    if values.is_empty() {
        return Err(MixedError::NoOptions(what()));
    }
    if values.len() > usize::from(u16::MAX) + 1 {
        return Err(MixedError::TooManyOptions { what: what(), options: values.len() });
    }
    // Points are known by their texts: 1, 1.0 and "1" would be the same.
    let mut known = HashSet::with_capacity(values.len());
    for value in values {
        let text = value.to_string();
        if text.chars().any(char::is_control) {
            return Err(MixedError::NotALine { what: what(), option: format!("{text:?}") });
        }
        // The zero below nothing is the same number.
        let number = if text == "-0" { "0".to_owned() } else { text.clone() };
        if !known.insert(number) {
            return Err(MixedError::OptionTwice { what: what(), option: text });
        }
    }
    Ok(())
}
