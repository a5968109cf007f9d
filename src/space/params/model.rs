//! A part as weighted assignments, one unit of weight for each legal combination.
//!
//! Each choice is a variable. Its values are classes of options that no rule distinguishes, weighted by their
//! sizes, and one more value if a condition may leave the choice undecided. More variables follow from the
//! choices: for each condition, whether it holds; for each bounded subset, the number of items chosen up to
//! each item but the last. A nested domain of another kind is a factor with its count as weight. So the
//! weights of all assignments add up to the number of legal combinations.

use std::collections::HashMap;

use rand::RngCore;

use super::builder::Draft;
use super::count::{Elimination, Factor, Uncountable};
use super::error::MixedError;
use super::param::{Field, Leaf};
use super::rule::Rule;

/// The legal combinations of a part, counted.
#[derive(Clone, Debug)]
pub(super) struct PartModel {
    classes: Vec<Vec<Vec<u16>>>,
    counts: Elimination,
}

/// A drawn assignment.
pub(super) struct Drawn<'a> {
    model: &'a PartModel,
    values: Vec<usize>,
}

impl Drawn<'_> {
    /// The options of a choice, all equally likely; empty if it is undecided.
    pub(super) fn of(&self, choice: usize) -> &[u16] {
        self.model.classes[choice].get(self.values[choice]).map_or(&[], Vec::as_slice)
    }

    /// Returns true if a condition holds.
    pub(super) fn is_open(&self, gate: usize) -> bool {
        self.values[self.model.classes.len() + gate] == 1
    }
}

impl PartModel {
    pub(super) fn new(draft: &Draft) -> Result<Self, MixedError> {
        let classes = classes(draft);
        let counts = count(draft, &classes, None)?;
        Ok(Self { classes, counts })
    }

    pub(super) const fn total(&self) -> u128 {
        self.counts.total()
    }

    /// Returns the assignment at an index below the total, and an index among the combinations that it stands
    /// for.
    pub(super) fn nth(&self, number: u128) -> (Drawn<'_>, u128) {
        let (values, rest) = self.counts.nth(number);
        (Drawn { model: self, values }, rest)
    }

    /// Draws an assignment by its weight; the total must not be zero.
    pub(super) fn draw(&self, rng: &mut dyn RngCore) -> Drawn<'_> {
        Drawn { model: self, values: self.counts.draw(rng) }
    }

    /// Counts the combinations for which a condition holds.
    pub(super) fn count_open(&self, draft: &Draft, gate: usize) -> Result<u128, MixedError> {
        count(draft, &self.classes, Some(gate)).map(|counts| counts.total())
    }

    /// Counts the combinations of a draft with some of this part's rules removed.
    pub(super) fn count_instead(&self, draft: &Draft) -> Result<u128, MixedError> {
        count(draft, &self.classes, None).map(|counts| counts.total())
    }
}

/// The options of each choice, grouped in classes that every rule treats alike.
///
/// The options of each choice of a nested domain are in one class, as rules do not read them.
fn classes(draft: &Draft) -> Vec<Vec<Vec<u16>>> {
    let mut followed: Vec<Vec<Vec<u32>>> =
        draft.choices.iter().map(|choice| vec![Vec::new(); choice.options.len()]).collect();
    let conditions = draft.gates.iter().map(|gate| &gate.rule);
    for rule in conditions.chain(draft.forbidden.iter().map(|known| &known.rule)) {
        for (choice, next) in rule.questions() {
            for (followed, &child) in followed[choice].iter_mut().zip(next) {
                followed.push(child);
            }
        }
    }
    for item in draft.fields.iter().filter(|field| is_bounded(field)).flat_map(|f| f.range.clone())
    {
        // A bounded subset counts its items.
        (0..).zip(&mut followed[item]).for_each(|(option, followed)| followed.push(option));
    }
    let group = |followed: Vec<Vec<u32>>| {
        let mut known: HashMap<Vec<u32>, usize> = HashMap::new();
        let mut classes: Vec<Vec<u16>> = Vec::new();
        for (option, followed) in (0..=u16::MAX).zip(followed) {
            let class = *known.entry(followed).or_insert(classes.len());
            if class == classes.len() {
                classes.push(Vec::new());
            }
            classes[class].push(option);
        }
        classes
    };
    followed.into_iter().map(group).collect()
}

/// Returns true if a field is a subset with effective bounds on its size.
fn is_bounded(field: &Field) -> bool {
    match &field.leaf {
        Leaf::Subset { items, least, most } => *least > 0 || *most < items.len(),
        _ => false,
    }
}

/// Counts the legal combinations, or only those in which the condition `open` holds.
fn count(
    draft: &Draft,
    classes: &[Vec<Vec<u16>>],
    open: Option<usize>,
) -> Result<Elimination, MixedError> {
    let explain = |uncountable: Uncountable| match uncountable {
        Uncountable::TooMany => MixedError::TooMany,
        Uncountable::Linked { variables } => {
            let known = variables.into_iter().filter_map(|v| draft.choices.get(v));
            MixedError::Linked { choices: known.map(|choice| choice.name.clone()).collect() }
        }
    };
    let mut network = Network::new(draft, classes);
    network.count(open).map_err(explain)?;
    Elimination::new(network.sizes, network.factors).map_err(explain)
}

/// The variables and factors of a part. The variables are choices, then conditions, then partial counts.
struct Network<'a> {
    draft: &'a Draft,
    classes: &'a [Vec<Vec<u16>>],
    sizes: Vec<usize>,
    factors: Vec<Factor>,
}

impl<'a> Network<'a> {
    fn new(draft: &'a Draft, classes: &'a [Vec<Vec<u16>>]) -> Self {
        let mut sizes = Vec::with_capacity(classes.len() + draft.gates.len());
        for field in &draft.fields {
            let own = match field.leaf {
                Leaf::Native { .. } => vec![1; field.range.len()],
                _ => field
                    .range
                    .clone()
                    .map(|choice| classes[choice].len() + usize::from(field.gate.is_some()))
                    .collect(),
            };
            sizes.extend(own);
        }
        sizes.resize(sizes.len() + draft.gates.len(), 2);
        Self { draft, classes, sizes, factors: Vec::new() }
    }

    fn count(&mut self, open: Option<usize>) -> Result<(), Uncountable> {
        for field in &self.draft.fields {
            self.field(field)?;
        }
        for (place, gate) in self.draft.gates.iter().enumerate() {
            let within = gate.within.map(|within| self.gate(within));
            let own = self.gate(place);
            let scope = gate.rule.reads().into_iter().chain(within).chain([own]).collect();
            self.factor(scope, |values, option| {
                let within = within.is_none_or(|within| values[within] == 1);
                let holds = within && gate.rule.holds(|read| option(values, read));
                u128::from(holds == (values[own] == 1))
            })?;
        }
        for known in &self.draft.forbidden {
            self.forbid(&known.rule)?;
        }
        if let Some(open) = open {
            let gate = self.gate(open);
            self.factor(vec![gate], |values, _| values[gate] as u128)?;
        }
        Ok(())
    }

    /// The variable of a condition.
    const fn gate(&self, gate: usize) -> usize {
        self.classes.len() + gate
    }

    /// Adds a factor. `weight` gets the values of all variables, and a function that returns the option for a
    /// choice's value, or `None` if it is undecided.
    fn factor(
        &mut self,
        scope: Vec<usize>,
        weight: impl Fn(&[usize], &dyn Fn(&[usize], usize) -> Option<u16>) -> u128,
    ) -> Result<(), Uncountable> {
        let classes = self.classes;
        let option =
            |values: &[usize], choice: usize| classes[choice].get(values[choice])?.first().copied();
        self.factors.push(Factor::new(scope, &self.sizes, |values| weight(values, &option))?);
        Ok(())
    }

    fn forbid(&mut self, rule: &Rule) -> Result<(), Uncountable> {
        self.factor(rule.reads().into_iter().collect(), |values, option| {
            u128::from(!rule.holds(|read| option(values, read)))
        })
    }

    fn field(&mut self, field: &Field) -> Result<(), Uncountable> {
        let gate = field.gate.map(|gate| self.gate(gate));
        if let Leaf::Native { domain, .. } = &field.leaf {
            let count = domain.count();
            return match gate {
                None => self.factor(Vec::new(), |_, _| count),
                Some(gate) => {
                    self.factor(vec![gate], |values, _| if values[gate] == 1 { count } else { 1 })
                }
            };
        }
        let classes = self.classes;
        for choice in field.range.clone() {
            let own = &classes[choice];
            let scope = gate.into_iter().chain([choice]).collect();
            self.factor(scope, |values, _| {
                let class = own.get(values[choice]);
                if gate.is_some_and(|gate| (values[gate] == 1) != class.is_some()) {
                    return 0;
                }
                class.map_or(1, |class| class.len() as u128)
            })?;
        }
        match field.leaf {
            Leaf::Subset { least, most, .. } if is_bounded(field) => self.bound(field, least, most),
            _ => Ok(()),
        }
    }

    /// Adds the bounds of a subset, with a variable for the number of items chosen up to each item but the
    /// last.
    fn bound(&mut self, field: &Field, least: usize, most: usize) -> Result<(), Uncountable> {
        // How many are chosen before the item; nothing is before the first.
        let mut before: Option<usize> = None;
        for item in field.range.clone() {
            let is_last = item + 1 == field.range.end;
            let after = (!is_last).then(|| {
                self.sizes.push((item - field.range.start + 1).min(most) + 1);
                self.sizes.len() - 1
            });
            let scope = before.into_iter().chain([item]).chain(after).collect();
            self.factor(scope, |values, option| {
                let known = before.map_or(0, |before| values[before]);
                u128::from(match (option(values, item), after) {
                    // Where nothing is decided, nothing is counted.
                    (None, after) => known == 0 && after.is_none_or(|after| values[after] == 0),
                    (Some(chosen), Some(after)) => known + usize::from(chosen) == values[after],
                    (Some(chosen), None) => (least..=most).contains(&(known + usize::from(chosen))),
                })
            })?;
            before = after;
        }
        Ok(())
    }
}
