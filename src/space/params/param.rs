//! What a name of a part stands for, and how it is encoded by choices.
//!
//! A subset of n items is n choices between no and yes. A permutation of n items is its Lehmer code,
//! n - 1 choices of n, n - 1, ..., 2 options: each says which of the items that are left comes next,
//! so that every combination is a permutation, and every permutation one combination.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use super::error::MixedError;
use crate::space::{Choice, Domain, Illegal, Value};

/// What a single name without further names below it stands for.
#[derive(Clone, Debug)]
pub enum Leaf {
    /// One of the options of its choice.
    Choice,
    /// Some of the items.
    Subset {
        /// What may be chosen.
        items: Vec<Value>,
        /// The fewest that are chosen.
        least: usize,
        /// The most that are chosen.
        most: usize,
    },
    /// All items in some order.
    Permutation {
        /// What is ordered.
        items: Vec<Value>,
    },
    /// A part of another kind.
    Native {
        /// Its choices.
        domain: Arc<dyn Domain>,
        /// How many parts of another kind come before it.
        number: usize,
    },
}

/// A leaf at its place.
#[derive(Clone, Debug)]
pub struct Field {
    /// The names that lead to it, joined by dots; empty where it is all of a part.
    pub(super) path: String,
    /// Its choices.
    pub(super) range: Range<usize>,
    /// The condition under which it is decided; always, without one.
    pub(super) gate: Option<usize>,
    pub(super) leaf: Leaf,
}

impl Field {
    /// What the name stands for.
    pub const fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// The place of its first choice.
    pub const fn start(&self) -> usize {
        self.range.start
    }

    /// Says whether decided options stand for something.
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

    /// Makes decided options legal where what is missing follows from the rest: of a subset with its
    /// most items no more are chosen, and what its least need is.
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

    /// The name in quotes, or what stands for it where there is none.
    pub(super) fn called(&self, otherwise: &str) -> String {
        match self.path.as_str() {
            "" => otherwise.to_owned(),
            path => format!("`{path}`"),
        }
    }
}

/// A name and what is below it.
#[derive(Clone, Debug)]
pub struct Name {
    pub(super) name: String,
    pub(super) gate: Option<usize>,
    pub(super) below: Below,
}

/// What is below a name.
#[derive(Clone, Debug)]
pub(super) enum Below {
    /// A leaf, by its place among all of the part.
    Leaf(usize),
    Part(Vec<Name>),
}

impl Name {
    /// The name itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The place of the field that it stands for; `None` if there are further names below it.
    pub const fn field(&self) -> Option<usize> {
        match self.below {
            Below::Leaf(leaf) => Some(leaf),
            Below::Part(_) => None,
        }
    }
}

/// The items that a subset's options choose, in the order in which they are listed.
pub(super) fn chosen<'i>(items: &'i [Value], options: &[u16]) -> Vec<&'i Value> {
    items.iter().zip(options).filter(|(_, option)| **option == 1).map(|(item, _)| item).collect()
}

/// The items in the order that a Lehmer code stands for.
pub fn ordered<'i>(items: &'i [Value], code: &[u16]) -> Vec<&'i Value> {
    let mut left: Vec<&Value> = items.iter().collect();
    let mut order = Vec::with_capacity(items.len());
    for &next in code {
        order.push(left.remove(usize::from(next)));
    }
    order.extend(left);
    order
}

/// The Lehmer code of an order, which has every place once.
pub(super) fn code(order: &[u16]) -> Vec<u16> {
    let mut left: Vec<u16> = (0..order.len() as u16).collect();
    let next = |place: &u16| {
        let at = left.iter().position(|known| known == place).unwrap_or(0);
        left.remove(at);
        at as u16
    };
    order[..order.len().saturating_sub(1)].iter().map(next).collect()
}

/// A choice's name below a path.
fn below(path: &str, name: impl std::fmt::Display) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

/// The choices that encode one of some values, a subset, a permutation or another kind of part.
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

/// Refuses values that are none, too many, not told apart by their texts or not written in a line.
///
/// `what` is what errors call them: "choice `rows`".
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
