//! A part under construction: choices and rules, checked as they are added.

use std::sync::Arc;

use super::condition::Gate;
use super::error::MixedError;
use super::param::{Below, Field, Leaf, Name, choices, distinct};
use super::rule::Rule;
use crate::space::{Choice, Domain, Value};

/// The content of a name in a part.
#[derive(Clone, Debug)]
pub enum Content {
    /// One of some values.
    Choice(Vec<Value>),
    /// A subset of the items, with at least `least` and at most `most` of them.
    Subset {
        /// The items to choose from.
        items: Vec<Value>,
        /// The minimum number of chosen items.
        least: usize,
        /// The maximum number of chosen items.
        most: usize,
    },
    /// All items in some order.
    Permutation(Vec<Value>),
    /// A part nested in the part.
    Part(Draft),
    /// A domain of another kind, opaque to rules.
    Native(Arc<dyn Domain>),
}

/// A combination that is never chosen.
#[derive(Clone, Debug)]
pub(super) struct Forbidden {
    pub(super) name: String,
    pub(super) rule: Arc<Rule>,
}

/// A part under construction.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The choices that encode the fields, one field after the other.
    pub(super) choices: Vec<Choice>,
    pub(super) fields: Vec<Field>,
    pub(super) names: Vec<Name>,
    /// The conditions; an enclosing one comes after those inside it.
    pub(super) gates: Vec<Gate>,
    pub(super) forbidden: Vec<Forbidden>,
    /// True if the last thing added is a name or its condition, rather than a rule.
    open: bool,
}

impl Draft {
    /// Creates a part that is a single subset, permutation or choice, without names.
    ///
    /// # Errors
    /// Returns the errors of [`Draft::add`] about options.
    pub fn alone(content: Content) -> Result<Self, MixedError> {
        let mut draft = Self::default();
        draft.insert("", content)?;
        Ok(draft)
    }

    /// The choices so far, in the order in which they are decided.
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// The number of options of each choice so far.
    pub fn sizes(&self) -> Vec<usize> {
        self.choices.iter().map(|choice| choice.options.len()).collect()
    }

    /// The names so far; with a path, the names below the one at these places.
    pub fn names(&self, path: &[usize]) -> &[Name] {
        path.iter().fold(self.names.as_slice(), |names, &place| match &names[place].below {
            Below::Part(below) => below,
            Below::Leaf(_) => &[],
        })
    }

    /// The fields: names with nothing below them, in the order in which they are decided.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Adds a choice of listed values, decided after everything added before.
    ///
    /// # Errors
    /// Returns the errors of [`Draft::add`].
    pub fn choose(&mut self, name: &str, options: Vec<Value>) -> Result<(), MixedError> {
        self.add(name, Content::Choice(options))
    }

    /// Adds content under a name, decided after everything added before.
    ///
    /// # Errors
    /// Returns an error for a name that is invalid or taken, and for options that are missing, too many, or
    /// have equal texts.
    pub fn add(&mut self, name: &str, content: Content) -> Result<(), MixedError> {
        // What scripts can read as `c.name`.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.chars().all(plain)
            || name.starts_with(|c: char| c.is_ascii_digit())
            || name.is_empty()
        {
            return Err(MixedError::NotAName(name.to_owned()));
        }
        if self.names.iter().any(|known| known.name == name) {
            return Err(MixedError::Twice(name.to_owned()));
        }
        self.insert(name, content)
    }

    fn insert(&mut self, name: &str, content: Content) -> Result<(), MixedError> {
        let called = |kind: &str| match name {
            "" => format!("{kind}()"),
            name => format!("{kind} `{name}`"),
        };
        let (leaf, values) = match content {
            Content::Choice(values) => {
                distinct(&called("choice"), &values)?;
                (Leaf::Choice, values)
            }
            Content::Subset { items, least, most } => {
                let what = called("subset");
                distinct(&what, &items)?;
                if least > most || most > items.len() {
                    let items = items.len();
                    return Err(MixedError::Bounds { what, items, least, most });
                }
                (Leaf::Subset { items, least, most }, Vec::new())
            }
            Content::Permutation(items) => {
                let what = called("permutation");
                distinct(&what, &items)?;
                if items.len() < 2 {
                    return Err(MixedError::OneItem(what));
                }
                (Leaf::Permutation { items }, Vec::new())
            }
            Content::Native(domain) => {
                if domain.choices().is_empty() || domain.count() == 0 {
                    return Err(MixedError::EmptyPart(name.to_owned()));
                }
                (Leaf::Native { domain, number: self.natives() }, Vec::new())
            }
            Content::Part(part) => {
                if part.choices.is_empty() {
                    return Err(MixedError::EmptyPart(name.to_owned()));
                }
                self.insert_part(name, part);
                return Ok(());
            }
        };
        let choices = choices(name, &leaf, values);
        let start = self.choices.len();
        self.choices.extend(choices);
        let range = start..self.choices.len();
        let below = Below::Leaf(self.fields.len());
        self.fields.push(Field { path: name.to_owned(), range, gate: None, leaf });
        self.names.push(Name { name: name.to_owned(), gate: None, below });
        self.open = true;
        Ok(())
    }

    /// The number of nested domains of another kind.
    fn natives(&self) -> usize {
        self.fields.iter().filter(|field| matches!(field.leaf, Leaf::Native { .. })).count()
    }

    fn insert_part(&mut self, name: &str, part: Self) {
        let (choices, fields) = (self.choices.len(), self.fields.len());
        let (gates, natives) = (self.gates.len(), self.natives());
        let path = |inner: &str| format!("{name}.{inner}");
        let behind = |gate: Option<usize>| gate.map(|gate| gate + gates);
        self.choices.extend(part.choices.into_iter().map(|c| Choice { name: path(&c.name), ..c }));
        self.gates.extend(part.gates.into_iter().map(|gate| Gate {
            what: path(&gate.what),
            within: behind(gate.within),
            rule: Arc::new(gate.rule.behind(choices)),
        }));
        self.forbidden.extend(part.forbidden.into_iter().map(|known| Forbidden {
            name: path(&known.name),
            rule: Arc::new(known.rule.behind(choices)),
        }));
        for mut field in part.fields {
            field.path = path(&field.path);
            field.range = field.range.start + choices..field.range.end + choices;
            field.gate = behind(field.gate);
            if let Leaf::Native { number, .. } = &mut field.leaf {
                *number += natives;
            }
            self.fields.push(field);
        }
        let mut below = part.names;
        shift(&mut below, fields, gates);
        self.names.push(Name { name: name.to_owned(), gate: None, below: Below::Part(below) });
        self.open = true;
    }

    /// The name that a condition would apply to, and its place: the last name, if no rule was added since.
    ///
    /// # Errors
    /// Returns an error if there is no such name, or if it already has a condition.
    pub fn subject(&self) -> Result<(usize, &str), MixedError> {
        match self.names.last() {
            Some(last) if self.open && last.gate.is_none() => {
                Ok((self.names.len() - 1, &last.name))
            }
            Some(last) if self.open => Err(MixedError::TwoConditions(last.name.clone())),
            _ => Err(MixedError::NoSubject),
        }
    }

    /// Makes the last name conditional: it is decided only if a rule over earlier choices holds.
    ///
    /// # Errors
    /// Returns the errors of [`Draft::subject`].
    ///
    /// # Panics
    /// If the rule reads a choice that is not decided earlier.
    pub fn when(&mut self, rule: Rule) -> Result<(), MixedError> {
        let what = self.subject()?.1.to_owned();
        let gate = self.gates.len();
        let Some(last) = self.names.last_mut() else { return Err(MixedError::NoSubject) };
        let fields = close(last, gate);
        let start = fields.iter().map(|&field| self.fields[field].range.start).min().unwrap_or(0);
        assert!(rule.reads().iter().all(|&read| read < start), "conditions look back");
        self.gates.push(Gate { what, within: None, rule: Arc::new(rule) });
        for field in fields {
            let field = &mut self.fields[field];
            match field.gate {
                None => field.gate = Some(gate),
                Some(own) => {
                    let outermost = std::iter::successors(Some(own), |&g| self.gates[g].within)
                        .take_while(|&g| g != gate)
                        .last()
                        .unwrap_or(own);
                    self.gates[outermost].within = Some(gate);
                }
            }
        }
        Ok(())
    }

    /// Forbids the combinations for which a rule holds; a rule without a name is called by its number.
    ///
    /// # Errors
    /// Returns an error for a name that another rule has.
    pub fn forbid(&mut self, name: Option<&str>, rule: Rule) -> Result<(), MixedError> {
        let is_taken = |name: &str| self.forbidden.iter().any(|known| known.name == name);
        let unnamed = || {
            let mut names = (self.forbidden.len() + 1..).map(|number| format!("rule {number}"));
            names.find(|name| !is_taken(name)).unwrap_or_default()
        };
        let name = name.map_or_else(unnamed, str::to_owned);
        if is_taken(&name) {
            return Err(MixedError::RuleTwice(name));
        }
        self.forbidden.push(Forbidden { name, rule: Arc::new(rule) });
        self.open = false;
        Ok(())
    }
}

/// Moves names behind `fields` other fields and `gates` other conditions.
fn shift(names: &mut [Name], fields: usize, gates: usize) {
    for name in names {
        name.gate = name.gate.map(|gate| gate + gates);
        match &mut name.below {
            Below::Leaf(leaf) => *leaf += fields,
            Below::Part(below) => shift(below, fields, gates),
        }
    }
}

/// Puts a name and all names below it under a condition; returns the affected fields.
fn close(name: &mut Name, gate: usize) -> Vec<usize> {
    name.gate = name.gate.or(Some(gate));
    match &mut name.below {
        Below::Leaf(leaf) => vec![*leaf],
        Below::Part(below) => below.iter_mut().flat_map(|name| close(name, gate)).collect(),
    }
}
