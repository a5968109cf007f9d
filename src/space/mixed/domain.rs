//! The finished part: what is legal, how much of it there is, and draws from it.

use std::collections::HashMap;

use rand::{Rng, RngCore};

use super::count::{Elimination, Factor, Uncountable};
use super::draft::{Draft, MixedError};
use super::rule::Rule;
use super::text;
use crate::space::{Choice, Domain, Illegal, Value};

/// A part of named choices, some of them decided only under conditions, and forbidden combinations.
///
/// A choice that is not decided has option 0, so that no two legal combinations differ only in it.
/// A condition that reads a choice that is not decided does not hold, and a rule that reads one
/// forbids nothing.
#[derive(Clone, Debug)]
pub struct Mixed {
    draft: Draft,
    /// For each choice, its options in classes that no rule tells apart.
    classes: Vec<Vec<Vec<u16>>>,
    counts: Elimination,
}

impl Mixed {
    pub(super) fn new(draft: Draft) -> Result<Self, MixedError> {
        let classes = classes(&draft);
        let counts = count(&draft, &classes, None)?;
        if counts.total() == 0 {
            return Err(MixedError::Infeasible { rules: culprits(draft) });
        }
        Ok(Self { draft, classes, counts })
    }

    /// For each choice, its value; `None` where it is not decided.
    pub fn values(&self, options: &[u16]) -> Vec<(&str, Option<&Value>)> {
        let decided = self.decided(options);
        let choices = self.draft.choices.iter().zip(decided);
        choices
            .map(|(choice, option)| {
                let value = option.and_then(|option| choice.options.get(usize::from(option)));
                (choice.name.as_str(), value)
            })
            .collect()
    }

    /// The options of the choices that are decided.
    pub(super) fn decided(&self, options: &[u16]) -> Vec<Option<u16>> {
        let mut decided: Vec<Option<u16>> = Vec::with_capacity(options.len());
        for (condition, &option) in self.draft.conditions.iter().zip(options) {
            let is = condition.as_ref().is_none_or(|rule| rule.holds(|choice| decided[choice]));
            decided.push(is.then_some(option));
        }
        decided
    }

    /// Refuses options that choices do not have.
    fn fits(&self, options: &[u16]) -> Result<(), Illegal> {
        let choices = &self.draft.choices;
        if options.len() != choices.len() {
            let (given, expected) = (options.len(), choices.len());
            return Err(Illegal(format!("{given} options given for {expected} choices")));
        }
        let beyond =
            |(choice, option): &(&Choice, &u16)| usize::from(**option) >= choice.options.len();
        match choices.iter().zip(options).find(beyond) {
            None => Ok(()),
            Some((choice, option)) => Err(Illegal(format!(
                "{} has {} options, and option {option} was given",
                choice.name,
                choice.options.len()
            ))),
        }
    }

    /// The rule that forbids a combination, with the options that it forbids.
    fn forbidding(&self, decided: &[Option<u16>]) -> Option<String> {
        let forbidden = &self.draft.forbidden;
        let found = forbidden.iter().find(|known| known.rule.holds(|choice| decided[choice]))?;
        let only = |choice: usize| decided[choice].filter(|_| found.rule.reads().contains(&choice));
        let read: Vec<Option<u16>> = (0..decided.len()).map(only).collect();
        let read = text::write(&self.draft.choices, &read);
        Some(format!("`{}` forbids {read}", found.name))
    }
}

impl Domain for Mixed {
    fn kind(&self) -> &'static str {
        "choices"
    }

    fn choices(&self) -> &[Choice] {
        &self.draft.choices
    }

    fn check(&self, options: &[u16]) -> Result<(), Illegal> {
        self.fits(options)?;
        let decided = self.decided(options);
        for ((choice, decided), &option) in self.draft.choices.iter().zip(&decided).zip(options) {
            if decided.is_none() && option != 0 {
                let name = &choice.name;
                return Err(Illegal(format!(
                    "{name} is not decided here; its option must be 0, and is {option}"
                )));
            }
        }
        self.forbidding(&decided).map_or(Ok(()), |reason| Err(Illegal(reason)))
    }

    fn count(&self) -> u128 {
        self.counts.total()
    }

    fn canonical(&self, options: &[u16]) -> String {
        text::write(&self.draft.choices, &self.decided(options))
    }

    fn parse(&self, text: &str) -> Result<Vec<u16>, Illegal> {
        let given = text::read(&self.draft.choices, text).map_err(Illegal)?;
        let options: Vec<u16> = given.iter().map(|option| option.unwrap_or(0)).collect();
        for ((choice, is), given) in
            self.draft.choices.iter().zip(self.decided(&options)).zip(&given)
        {
            let name = &choice.name;
            match (is, given) {
                (Some(_), None) => return Err(Illegal(format!("`{name}` is missing"))),
                (None, Some(_)) => {
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

    fn settle(&self, options: &mut [u16]) {
        let decided = self.decided(options);
        for (option, decided) in options.iter_mut().zip(decided) {
            *option = decided.unwrap_or(0);
        }
    }

    fn draw(&self, rng: &mut dyn RngCore) -> Option<Vec<u16>> {
        let values = self.counts.draw(rng);
        let mut option = |(value, classes): (usize, &Vec<Vec<u16>>)| match classes.get(value) {
            None => 0,
            Some(class) if class.len() == 1 => class[0],
            Some(class) => class[rng.random_range(0..class.len())],
        };
        Some(values.into_iter().zip(&self.classes).map(&mut option).collect())
    }

    fn rules(&self) -> Vec<(String, Option<u128>)> {
        let (draft, all) = (&self.draft, self.count());
        let conditional =
            (0..draft.choices.len()).filter(|&place| draft.conditions[place].is_some());
        let mut rules: Vec<_> = conditional
            .map(|place| {
                let counts = count(draft, &self.classes, Some(place));
                let what = format!("{} is decided", draft.choices[place].name);
                (what, counts.ok().map(|counts| counts.total()))
            })
            .collect();
        for (index, forbidden) in draft.forbidden.iter().enumerate() {
            let mut without = draft.clone();
            without.forbidden.remove(index);
            let counts = count(&without, &self.classes, None);
            let what = format!("only `{}` forbids", forbidden.name);
            rules.push((what, counts.ok().map(|counts| counts.total() - all)));
        }
        rules
    }
}

/// The options of each choice, those together that every rule treats alike.
fn classes(draft: &Draft) -> Vec<Vec<Vec<u16>>> {
    let mut followed: Vec<Vec<Vec<u32>>> =
        draft.choices.iter().map(|choice| vec![Vec::new(); choice.options.len()]).collect();
    for rule in rules(draft) {
        for (choice, next) in rule.questions() {
            for (followed, &child) in followed[choice].iter_mut().zip(next) {
                followed.push(child);
            }
        }
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

fn rules(draft: &Draft) -> impl Iterator<Item = &Rule> {
    let conditions = draft.conditions.iter().flatten();
    conditions.chain(draft.forbidden.iter().map(|known| &known.rule)).map(AsRef::as_ref)
}

/// Counts the legal combinations, of those only in which one choice is decided if it is given.
///
/// The variables are the choices. Their values are the classes of options, weighted by how many
/// options they have, and for a choice with a condition one more: not decided.
fn count(
    draft: &Draft,
    classes: &[Vec<Vec<u16>>],
    decided: Option<usize>,
) -> Result<Elimination, MixedError> {
    let conditional = |choice: usize| usize::from(draft.conditions[choice].is_some());
    let sizes: Vec<usize> =
        (0..classes.len()).map(|choice| classes[choice].len() + conditional(choice)).collect();
    let option = |choice: usize, value: usize| Some(*classes[choice].get(value)?.first()?);
    let explain = |uncountable: Uncountable| match uncountable {
        Uncountable::TooMany => MixedError::TooMany,
        Uncountable::Linked { variables } => MixedError::Linked {
            choices: variables.into_iter().map(|v| draft.choices[v].name.clone()).collect(),
        },
    };
    let mut factors = Vec::new();
    for choice in 0..classes.len() {
        factors.push(Factor::new(vec![choice], &sizes, |values| {
            classes[choice].get(values[choice]).map_or(1, |class| class.len() as u128)
        }));
        if let Some(rule) = &draft.conditions[choice] {
            let scope = rule.reads().into_iter().chain([choice]).collect();
            factors.push(Factor::new(scope, &sizes, |values| {
                let holds = rule.holds(|read| option(read, values[read]));
                u128::from(holds == (values[choice] < classes[choice].len()))
            }));
        }
    }
    for known in &draft.forbidden {
        let scope = known.rule.reads().into_iter().collect();
        factors.push(Factor::new(scope, &sizes, |values| {
            u128::from(!known.rule.holds(|read| option(read, values[read])))
        }));
    }
    if let Some(choice) = decided {
        factors.push(Factor::new(vec![choice], &sizes, |values| {
            u128::from(values[choice] < classes[choice].len())
        }));
    }
    let factors: Result<Vec<_>, _> = factors.into_iter().collect();
    Elimination::new(sizes, factors.map_err(explain)?).map_err(explain)
}

/// Rules that leave nothing together, and something without any one of them.
fn culprits(draft: Draft) -> Vec<String> {
    let mut draft = draft;
    let mut index = 0;
    while index < draft.forbidden.len() {
        let mut without = draft.clone();
        without.forbidden.remove(index);
        match count(&without, &classes(&without), None) {
            Ok(counts) if counts.total() == 0 => draft = without,
            _ => index += 1,
        }
    }
    draft.forbidden.into_iter().map(|known| format!("`{}`", known.name)).collect()
}
