//! The finished part: its legal combinations, their count, and draws from them.

use rand::{Rng, RngCore};

use super::builder::Draft;
use super::condition::{Decided, Gates};
use super::error::MixedError;
use super::model::PartModel;
use super::param::{self, Below, Field, Leaf, Name};
use super::text;
use crate::space::domain::{combination, fits};
use crate::space::{Choice, Domain, Illegal, Value};

/// A part of named choices, subsets, permutations and nested parts, with conditions and forbidden
/// combinations.
///
/// Undecided choices have option 0, so that no two legal combinations differ only in them. A condition that
/// reads an undecided choice does not hold, and a rule that reads one forbids nothing.
#[derive(Clone, Debug)]
pub struct Mixed {
    draft: Draft,
    model: PartModel,
    /// True if all combinations are legal and distinct.
    is_free: bool,
}

/// The value of a combination, or of a name in it.
#[derive(Clone, Debug, PartialEq)]
pub enum Chosen<'a> {
    /// An undecided name.
    Undecided,
    /// The value of a choice.
    Value(&'a Value),
    /// The items of a subset or a permutation.
    Items(Vec<&'a Value>),
    /// The names of a part with their values.
    Part(Vec<(&'a str, Self)>),
    /// A nested domain of another kind.
    Native {
        /// The number of nested domains before it.
        number: usize,
        /// Its own options.
        options: &'a [u16],
    },
}

impl Draft {
    /// Counts the legal combinations.
    ///
    /// # Errors
    /// Returns an error if there are none, or if they cannot be counted.
    pub fn finish(self) -> Result<Mixed, MixedError> {
        Mixed::new(self)
    }
}

impl Mixed {
    fn new(draft: Draft) -> Result<Self, MixedError> {
        let model = PartModel::new(&draft)?;
        if model.total() == 0 {
            return Err(MixedError::Infeasible { rules: culprits(draft) });
        }
        let all = draft
            .choices
            .iter()
            .try_fold(1u128, |product, choice| product.checked_mul(choice.options.len() as u128));
        let is_free = all == Some(model.total());
        Ok(Self { draft, model, is_free })
    }

    /// The values of a combination, by name.
    pub fn chosen<'a>(&'a self, options: &'a [u16]) -> Chosen<'a> {
        let decided = self.decided(options);
        match self.draft.names.as_slice() {
            [only] if only.name.is_empty() => self.below(only, &decided),
            names => self.part(names, &decided),
        }
    }

    fn part<'a>(&'a self, names: &'a [Name], decided: &Decided<'a>) -> Chosen<'a> {
        let named = |name: &'a Name| (name.name.as_str(), self.below(name, decided));
        Chosen::Part(names.iter().map(named).collect())
    }

    fn below<'a>(&'a self, name: &'a Name, decided: &Decided<'a>) -> Chosen<'a> {
        if !decided.is(name.gate) {
            return Chosen::Undecided;
        }
        let field = match &name.below {
            Below::Part(names) => return self.part(names, decided),
            Below::Leaf(leaf) => &self.draft.fields[*leaf],
        };
        let options = &decided.options[field.range.clone()];
        match &field.leaf {
            Leaf::Choice => {
                let choice = &self.draft.choices[field.range.start];
                Chosen::Value(&choice.options[usize::from(options[0])])
            }
            Leaf::Subset { items, .. } => Chosen::Items(param::chosen(items, options)),
            Leaf::Permutation { items } => Chosen::Items(param::ordered(items, options)),
            Leaf::Native { number, .. } => Chosen::Native { number: *number, options },
        }
    }

    /// Evaluates the conditions for a combination.
    fn decided<'a>(&self, options: &'a [u16]) -> Decided<'a> {
        let mut gates = Gates::new(&self.draft.gates);
        let mut before = Vec::with_capacity(options.len());
        for field in &self.draft.fields {
            let is = gates.is_open(field.gate, &before);
            before.extend(options[field.range.clone()].iter().map(|&o| is.then_some(o)));
        }
        Decided { options, open: gates.finish() }
    }

    /// Describes the rule that forbids a combination, with the choices that it reads; `None` if it is legal.
    fn forbidding(&self, decided: &Decided<'_>) -> Option<String> {
        let Draft { fields, choices, forbidden, .. } = &self.draft;
        let option = |choice| decided.option(fields, choice);
        let found = forbidden.iter().find(|known| known.rule.holds(option))?;
        let reads = found.rule.reads();
        let is_read = |field: &&Field| reads.range(field.range.clone()).next().is_some();
        let read = text::write(choices, fields.iter().filter(is_read), decided);
        Some(format!("`{}` forbids {read}", found.name))
    }
}

impl Domain for Mixed {
    fn kind(&self) -> &'static str {
        match self.draft.fields.as_slice() {
            [Field { path, leaf, .. }] if path.is_empty() => match leaf {
                Leaf::Choice => "choice",
                Leaf::Subset { .. } => "subset",
                Leaf::Permutation { .. } => "permutation",
                Leaf::Native { domain, .. } => domain.kind(),
            },
            _ => "choices",
        }
    }

    fn choices(&self) -> &[Choice] {
        &self.draft.choices
    }

    fn check(&self, options: &[u16]) -> Result<(), Illegal> {
        fits(&self.draft.choices, options)?;
        let decided = self.decided(options);
        for field in &self.draft.fields {
            let own = &options[field.range.clone()];
            if decided.is(field.gate) {
                field.check(own)?;
            } else if let Some(place) = own.iter().position(|&option| option != 0) {
                let name = &self.draft.choices[field.range.start + place].name;
                let option = own[place];
                return Err(Illegal(format!(
                    "{name} is not decided here; its option must be 0, and is {option}"
                )));
            }
        }
        self.forbidding(&decided).map_or(Ok(()), |reason| Err(Illegal(reason)))
    }

    fn count(&self) -> u128 {
        self.model.total()
    }

    fn nth(&self, number: u128) -> Option<Vec<u16>> {
        let choices = &self.draft.choices;
        if number >= self.count() {
            return None;
        }
        if self.is_free {
            return combination(choices, number);
        }
        let (classes, mut rest) = self.model.nth(number);
        let mut split = |count: u128| {
            let own = rest % count;
            rest /= count;
            own
        };
        let mut options = vec![0; choices.len()];
        for field in self.draft.fields.iter().rev() {
            if field.gate.is_some_and(|gate| !classes.is_open(gate)) {
                continue;
            }
            let own = &mut options[field.range.clone()];
            if let Leaf::Native { domain, .. } = &field.leaf {
                own.copy_from_slice(&domain.nth(split(domain.count()))?);
                continue;
            }
            for (option, choice) in own.iter_mut().zip(field.range.clone()).rev() {
                let class = classes.of(choice);
                *option = class[split(class.len() as u128) as usize];
            }
        }
        Some(options)
    }

    fn canonical(&self, options: &[u16]) -> String {
        text::write(&self.draft.choices, &self.draft.fields, &self.decided(options))
    }

    fn parse(&self, text: &str) -> Result<Vec<u16>, Illegal> {
        let Draft { choices, fields, .. } = &self.draft;
        let given = text::read(choices, fields, text)?;
        let mut options = Vec::with_capacity(choices.len());
        for (field, given) in fields.iter().zip(&given) {
            match given {
                Some(given) => options.extend_from_slice(given),
                None => options.resize(options.len() + field.range.len(), 0),
            }
        }
        let decided = self.decided(&options);
        for (field, given) in fields.iter().zip(&given) {
            let name = &field.path;
            match (decided.is(field.gate), given) {
                (true, None) => return Err(Illegal(format!("`{name}` is missing"))),
                (false, Some(_)) => {
                    let reason = "which is not decided with the choices before it";
                    return Err(Illegal(format!(
                        "the text gives `{name}`, {reason}; leave it out"
                    )));
                }
                _ => {}
            }
        }
        self.check(&options)?;
        Ok(options)
    }

    fn canonicalize(&self, options: &mut [u16]) {
        let mut gates = Gates::new(&self.draft.gates);
        let mut before = Vec::with_capacity(options.len());
        for field in &self.draft.fields {
            let is = gates.is_open(field.gate, &before);
            let own = &mut options[field.range.clone()];
            if is {
                field.canonicalize(own);
            } else {
                own.fill(0);
            }
            before.extend(own.iter().map(|&option| is.then_some(option)));
        }
    }

    fn draw(&self, rng: &mut dyn RngCore) -> Option<Vec<u16>> {
        let classes = self.model.draw(rng);
        let mut options = vec![0; self.draft.choices.len()];
        for field in &self.draft.fields {
            if field.gate.is_some_and(|gate| !classes.is_open(gate)) {
                continue;
            }
            let own = &mut options[field.range.clone()];
            if let Leaf::Native { domain, .. } = &field.leaf {
                own.copy_from_slice(&domain.draw(rng)?);
                continue;
            }
            for (option, choice) in own.iter_mut().zip(field.range.clone()) {
                *option = match classes.of(choice) {
                    [] => 0,
                    [only] => *only,
                    class => class[rng.random_range(0..class.len())],
                };
            }
        }
        Some(options)
    }

    fn rules(&self) -> Vec<(String, Option<u128>)> {
        let (draft, all) = (&self.draft, self.count());
        let mut rules: Vec<_> = (0..draft.gates.len())
            .map(|gate| {
                let what = format!("{} is decided", draft.gates[gate].what);
                (what, self.model.count_open(draft, gate).ok())
            })
            .collect();
        for (index, forbidden) in draft.forbidden.iter().enumerate() {
            let mut without = draft.clone();
            without.forbidden.remove(index);
            let counts = self.model.count_instead(&without);
            let what = format!("only `{}` forbids", forbidden.name);
            rules.push((what, counts.ok().map(|counts| counts - all)));
        }
        rules
    }
}

/// The names of a minimal set of rules that together forbid every combination.
fn culprits(draft: Draft) -> Vec<String> {
    let mut draft = draft;
    let mut index = 0;
    while index < draft.forbidden.len() {
        let mut without = draft.clone();
        without.forbidden.remove(index);
        match PartModel::new(&without) {
            Ok(model) if model.total() == 0 => draft = without,
            _ => index += 1,
        }
    }
    draft.forbidden.into_iter().map(|known| format!("`{}`", known.name)).collect()
}
