//! The errors of choices and rules.

use super::rule::MAX_QUESTIONS;

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
    /// Values of which there are none.
    #[error("{0} has no options; it needs at least one")]
    NoOptions(String),
    /// More options than a point can index.
    #[error("{what} has {options} options; at most 65,536 can be told apart")]
    TooManyOptions {
        /// What has them.
        what: String,
        /// How many options it has.
        options: usize,
    },
    /// Options that no text tells apart.
    #[error("{what} lists {option} twice")]
    OptionTwice {
        /// What lists it.
        what: String,
        /// The option.
        option: String,
    },
    /// An option that cannot be written in a line.
    #[error("{what} has the option {option}, with a line break or another such character")]
    NotALine {
        /// What has it.
        what: String,
        /// The option.
        option: String,
    },
    /// A subset whose bounds leave nothing or go beyond its items.
    #[error(
        "{what} of {items} items cannot have at least {least} and at most {most} of them; \
         0 <= least <= most <= {items}"
    )]
    Bounds {
        /// The subset.
        what: String,
        /// How many items it has.
        items: usize,
        /// The fewest that are chosen.
        least: usize,
        /// The most that are chosen.
        most: usize,
    },
    /// An order of a single item.
    #[error("{0} has one item; there is nothing to order")]
    OneItem(String),
    /// A part within the part that has nothing in it.
    #[error("the part `{0}` has nothing to choose from")]
    EmptyPart(String),
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
        "it depends on more than {MAX_QUESTIONS} combinations of options; let it read fewer \
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
