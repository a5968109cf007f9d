//! A part in the making: choices and rules, checked as they are added.

use std::sync::Arc;

use super::domain::Mixed;
use super::rule::{MOST_QUESTIONS, Rule};
use crate::space::{Choice, Value};

/// Choices and rules that do not make a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MixedError {
    /// A name that cannot be written as `point.part.name`.
    #[error(
        "`{0}` is no name for a choice; a name has letters, digits and `_`, and starts with no digit"
    )]
    NotAName(String),
    /// Two choices with one name.
    #[error("there are two choices `{0}`; every choice of a part has a name of its own")]
    Twice(String),
    /// A choice without options.
    #[error("choice `{0}` has no options; it needs at least one")]
    NoOptions(String),
    /// More options than a point can index.
    #[error("choice `{choice}` has {options} options; at most 65,536 can be told apart")]
    TooManyOptions {
        /// The choice.
        choice: String,
        /// How many options it has.
        options: usize,
    },
    /// Options that no text tells apart.
    #[error("choice `{choice}` lists {option} twice")]
    OptionTwice {
        /// The choice.
        choice: String,
        /// The option.
        option: String,
    },
    /// An option that cannot be written in a line.
    #[error(
        "choice `{choice}` has the option {option}, with a line break or another such character"
    )]
    NotALine {
        /// The choice.
        choice: String,
        /// The option.
        option: String,
    },
    /// A condition that does not follow its choice.
    #[error("a condition follows the choice that it is about, as in `.choice(...).when(...)`")]
    NoSubject,
    /// A second condition.
    #[error("choice `{0}` has two conditions; join them with `&&`")]
    TwoConditions(String),
    /// Two rules with one name.
    #[error("there are two rules `{0}`; every rule of a part has a name of its own")]
    RuleTwice(String),
    /// A predicate with too many different questions.
    #[error(
        "it depends on more than {MOST_QUESTIONS} combinations of options; let it read fewer \
         choices, or give them fewer options"
    )]
    TooLarge,
    /// Rules that leave nothing.
    #[error("every combination is forbidden by {}", .rules.join(" and "))]
    Infeasible {
        /// The rules; without any of them something would be left.
        rules: Vec<String>,
    },
    /// Rules that tie too many choices to each other.
    #[error(
        "the rules tie {} to each other so closely that their legal combinations cannot be counted; \
         let rules read fewer choices, or give these fewer options",
        .choices.join(", ")
    )]
    Linked {
        /// The choices.
        choices: Vec<String>,
    },
    /// More points than can be counted.
    #[error("there are 2^128 points or more; use fewer options, or several parts")]
    TooMany,
}

/// A combination that is never chosen.
#[derive(Clone, Debug)]
pub(super) struct Forbidden {
    pub(super) name: String,
    pub(super) rule: Arc<Rule>,
}

/// A part in the making.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub(super) choices: Vec<Choice>,
    /// For each choice, when it is decided; always, if there is no rule.
    pub(super) conditions: Vec<Option<Arc<Rule>>>,
    pub(super) forbidden: Vec<Forbidden>,
    /// Whether the last thing added is a choice or its condition.
    open: bool,
}

impl Draft {
    /// The choices so far, in the order in which they are decided.
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// The number of options of each choice so far.
    pub fn sizes(&self) -> Vec<usize> {
        self.choices.iter().map(|choice| choice.options.len()).collect()
    }

    /// Adds a choice, decided after those before it.
    ///
    /// # Errors
    /// A name that is none or is taken, or options that are none, too many or not told apart.
    pub fn choose(&mut self, name: &str, options: Vec<Value>) -> Result<(), MixedError> {
        let plain = |c: char| c.is_alphanumeric() || c == '_';
        if !name.chars().all(plain) || name.chars().next().is_none_or(char::is_numeric) {
            return Err(MixedError::NotAName(name.to_owned()));
        }
        if self.choices.iter().any(|choice| choice.name == name) {
            return Err(MixedError::Twice(name.to_owned()));
        }
        let choice = || name.to_owned();
        if options.is_empty() {
            return Err(MixedError::NoOptions(choice()));
        }
        if options.len() > usize::from(u16::MAX) + 1 {
            return Err(MixedError::TooManyOptions { choice: choice(), options: options.len() });
        }
        // Points are known by their texts: 1, 1.0 and "1" would be the same.
        let mut known = std::collections::HashSet::with_capacity(options.len());
        for option in &options {
            let text = option.to_string();
            if text.chars().any(char::is_control) {
                let option = format!("{text:?}");
                return Err(MixedError::NotALine { choice: choice(), option });
            }
            if known.contains(&text) {
                return Err(MixedError::OptionTwice { choice: choice(), option: text });
            }
            known.insert(text);
        }
        self.choices.push(Choice::new(name, options));
        self.conditions.push(None);
        self.open = true;
        Ok(())
    }

    /// The choice that a condition would be about, and its place: the last one, if nothing but it
    /// was added since.
    ///
    /// # Errors
    /// There is none, or it has a condition.
    pub fn subject(&self) -> Result<(usize, &Choice), MixedError> {
        match (self.open, self.choices.last(), self.conditions.last()) {
            (true, Some(choice), Some(None)) => Ok((self.choices.len() - 1, choice)),
            (true, Some(choice), _) => Err(MixedError::TwoConditions(choice.name.clone())),
            _ => Err(MixedError::NoSubject),
        }
    }

    /// Says when the last choice is decided: where a rule holds of those before it.
    ///
    /// # Errors
    /// As for [`Draft::subject`].
    ///
    /// # Panics
    /// If the rule reads a choice that is not before it.
    pub fn when(&mut self, rule: Rule) -> Result<(), MixedError> {
        let (place, _) = self.subject()?;
        assert!(rule.reads().iter().all(|&read| read < place), "conditions look back");
        self.conditions[place] = Some(Arc::new(rule));
        Ok(())
    }

    /// Forbids the combinations for which a rule holds.
    ///
    /// # Errors
    /// A name that another rule has.
    pub fn forbid(&mut self, name: Option<&str>, rule: Rule) -> Result<(), MixedError> {
        let number = self.forbidden.len() + 1;
        let name = name.map_or_else(|| format!("rule {number}"), str::to_owned);
        if self.forbidden.iter().any(|known| known.name == name) {
            return Err(MixedError::RuleTwice(name));
        }
        self.forbidden.push(Forbidden { name, rule: Arc::new(rule) });
        self.open = false;
        Ok(())
    }

    /// Counts what is legal.
    ///
    /// # Errors
    /// Nothing is, or it cannot be counted.
    pub fn finish(self) -> Result<Mixed, MixedError> {
        Mixed::new(self)
    }
}
