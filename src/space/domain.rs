//! The structure of a part of a space.

use std::fmt;

use rand::{Rng, RngCore};

use super::Choice;

/// Draws without a legal combination after which [`Domain::draw`] gives up.
const DRAWS: usize = 1_000_000;

/// The reason that a combination of options, or a text, is not legal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Illegal(pub String);

/// The structure of one named part of a space: its choices and which combinations of them are
/// legal.
///
/// Options are given by their index within the choice, one for each choice, in the order of
/// [`Domain::choices`].
pub trait Domain: Send + Sync + fmt::Debug {
    /// The name of the kind of part, as scripts call it (`nasbench201`, `chaidnn`, `choice`).
    fn kind(&self) -> &'static str;

    /// The decisions, in the order in which a controller takes them.
    fn choices(&self) -> &[Choice];

    /// Checks that a combination is legal.
    ///
    /// # Errors
    /// Returns the reason if it is not.
    fn check(&self, options: &[u16]) -> Result<(), Illegal>;

    /// The number of distinct legal combinations: equivalent ones count once.
    fn count(&self) -> u128;

    /// Returns a combination by its index; `None` from [`Domain::count`] on.
    ///
    /// Equivalent combinations share one index. If all combinations are legal and distinct, the last choice
    /// changes fastest.
    fn nth(&self, number: u128) -> Option<Vec<u16>>;

    /// The canonical text of a combination: equal for two combinations exactly if they are equivalent.
    ///
    /// Only called with legal options.
    fn canonical(&self, options: &[u16]) -> String;

    /// Parses the options that a text stands for, [`Domain::canonical`] texts among them.
    ///
    /// # Errors
    /// Returns the reason if the text is malformed or its combination is not legal.
    fn parse(&self, text: &str) -> Result<Vec<u16>, Illegal>;

    /// Sets each choice to the only option that the others leave to it: 0 if it is undecided, and for the
    /// last items of a subset the option that its bounds require.
    ///
    /// Legal combinations remain unchanged. Every option must exist.
    fn canonicalize(&self, _options: &mut [u16]) {}

    /// Draws a legal combination uniformly; `None` if a million draws found none.
    fn draw(&self, rng: &mut dyn RngCore) -> Option<Vec<u16>> {
        let mut drawn = vec![0; self.choices().len()];
        for _ in 0..DRAWS {
            for (option, choice) in drawn.iter_mut().zip(self.choices()) {
                *option = u16::try_from(rng.random_range(0..choice.options.len())).unwrap_or(0);
            }
            if self.check(&drawn).is_ok() {
                return Some(drawn);
            }
        }
        None
    }

    /// Descriptions of the part's conditions and rules, each with the number of points that it affects, if
    /// that can be counted.
    fn rules(&self) -> Vec<(String, Option<u128>)> {
        Vec::new()
    }
}

/// Returns a combination, legal or not, by its index, with the last choice changing fastest; `None` past the
/// last.
pub(crate) fn combination(choices: &[Choice], number: u128) -> Option<Vec<u16>> {
    let mut rest = number;
    let mut options: Vec<u16> = Vec::with_capacity(choices.len());
    for choice in choices.iter().rev() {
        let size = choice.options.len() as u128;
        if size == 0 {
            return None;
        }
        // A choice has at most 65,536 options.
        options.push((rest % size) as u16);
        rest /= size;
    }
    options.reverse();
    (rest == 0).then_some(options)
}

/// Rejects a wrong number of options, and options that a choice does not have.
pub(super) fn fits(choices: &[Choice], options: &[u16]) -> Result<(), Illegal> {
    if options.len() != choices.len() {
        let (given, expected) = (options.len(), choices.len());
        return Err(Illegal(format!("{given} options given for {expected} choices")));
    }
    let beyond = |(choice, option): &(&Choice, &u16)| usize::from(**option) >= choice.options.len();
    match choices.iter().zip(options).find(beyond) {
        None => Ok(()),
        Some((choice, option)) => Err(Illegal(format!(
            "{} has {} options, and option {option} was given",
            choice.name,
            choice.options.len()
        ))),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::space::{SingleChoice, Value};

    /// The texts of all numbered combinations; asserts that they are legal and distinct.
    pub(in crate::space) fn numbered(domain: &dyn Domain) -> BTreeSet<String> {
        let all: BTreeSet<String> = (0..domain.count())
            .map(|number| {
                let options = domain.nth(number).unwrap();
                assert_eq!(domain.check(&options), Ok(()), "{number}");
                domain.canonical(&options)
            })
            .collect();
        assert_eq!(all.len() as u128, domain.count());
        for beyond in [domain.count(), u128::MAX] {
            assert_eq!(domain.nth(beyond), None);
        }
        all
    }

    #[test]
    fn the_last_choice_changes_fastest() {
        let choice = |name, size: i64| Choice::new(name, (0..size).map(Value::Int));
        let choices = [choice("a", 2), choice("b", 1), choice("c", 3)];
        let all: Vec<Vec<u16>> = (0..).map_while(|n| combination(&choices, n)).collect();
        assert_eq!(all.len(), 6);
        assert!(all.is_sorted_by(|a, b| a < b));
        assert_eq!(all[4], [1, 0, 1]);
        assert_eq!(numbered(&SingleChoice::new((0..5).map(Value::Int).collect())).len(), 5);
    }
}
