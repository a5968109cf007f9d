//! What a part of a space is made of.

use std::fmt;

use rand::{Rng, RngCore};

use super::Choice;

/// Draws after which the legal combinations of a part count as too rare to be met by chance.
const DRAWS: usize = 1_000_000;

/// A combination of options that stands for nothing, and why.
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

    /// Checks that a combination stands for something.
    ///
    /// # Errors
    /// It does not, and why.
    fn check(&self, options: &[u16]) -> Result<(), Illegal>;

    /// The number of distinct legal things: equivalent combinations count once.
    fn count(&self) -> u128;

    /// A combination for the thing of a number; `None` from [`Domain::count`] on.
    ///
    /// Each thing has one number. Where all combinations are legal and distinct, the last choice changes fastest.
    fn nth(&self, number: u128) -> Option<Vec<u16>>;

    /// A readable text that is equal for two combinations exactly when they are equivalent.
    ///
    /// Only called with legal options.
    fn canonical(&self, options: &[u16]) -> String;

    /// The options that a readable text stands for, [`Domain::canonical`] texts among them.
    ///
    /// # Errors
    /// The text stands for nothing, or for something that is not legal.
    fn parse(&self, text: &str) -> Result<Vec<u16>, Illegal>;

    /// Gives the choices that the others leave no option but one that option: 0 to what they leave
    /// undecided, and to the last items of a subset what its bounds ask for.
    ///
    /// Legal combinations stay as they are. The options must exist.
    fn canonicalize(&self, _options: &mut [u16]) {}

    /// A uniformly drawn legal combination; `None` if a million draws met none.
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

    /// What the rules of the part do, and to how many points if that can be counted.
    fn rules(&self) -> Vec<(String, Option<u128>)> {
        Vec::new()
    }
}

/// The combination of a number, legal or not, the last choice changing fastest; `None` past the last.
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

/// Refuses options that choices do not have.
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
    use crate::space::{Options, Value};

    /// The texts of what a part's numbers stand for: as many different ones as are counted, all legal.
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
        assert_eq!(numbered(&Options::new((0..5).map(Value::Int).collect())).len(), 5);
    }
}
