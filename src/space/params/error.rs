//! Errors of choices and rules.

use super::rule::MAX_QUESTIONS;

/// Reasons that choices and rules do not form a part.
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
    /// A list of options without any.
    #[error("{0} has no options; it needs at least one")]
    NoOptions(String),
    /// More options than a point can index.
    #[error("{what} has {options} options; at most 65,536 can be told apart")]
    TooManyOptions {
        /// The choice, subset or permutation.
        what: String,
        /// The number of its options.
        options: usize,
    },
    /// Options with equal texts.
    #[error("{what} lists {option} twice")]
    OptionTwice {
        /// The choice, subset or permutation.
        what: String,
        /// The option.
        option: String,
    },
    /// An option with a control character, such as a line break.
    #[error("{what} has the option {option}, with a line break or another such character")]
    NotALine {
        /// The choice, subset or permutation.
        what: String,
        /// The option.
        option: String,
    },
    /// A subset whose bounds contradict each other or exceed its items.
    #[error(
        "{what} of {items} items cannot have at least {least} and at most {most} of them; \
         0 <= least <= most <= {items}"
    )]
    Bounds {
        /// The subset.
        what: String,
        /// The number of its items.
        items: usize,
        /// The minimum number of chosen items.
        least: usize,
        /// The maximum number of chosen items.
        most: usize,
    },
    /// A permutation of a single item.
    #[error("{0} has one item; there is nothing to order")]
    OneItem(String),
    /// A nested part without choices or legal combinations.
    #[error("the part `{0}` has nothing to choose from")]
    EmptyPart(String),
    /// A condition that does not follow a name.
    #[error("a condition follows the choice that it is about, as in `.choice(...).when(...)`")]
    NoSubject,
    /// A second condition of one name.
    #[error("choice `{0}` has two conditions; join them with `&&`")]
    TwoConditions(String),
    /// Two rules with one name.
    #[error("there are two rules `{0}`; every rule of a part has a name of its own")]
    RuleTwice(String),
    /// A predicate that distinguishes too many combinations.
    #[error(
        "it depends on more than {MAX_QUESTIONS} combinations of options; let it read fewer \
         choices, or give them fewer options"
    )]
    TooLarge,
    /// Rules that forbid every combination.
    #[error("every combination is forbidden by {}", .rules.join(" and "))]
    Infeasible {
        /// The names of the rules, none of which can be left out.
        rules: Vec<String>,
    },
    /// Rules that link too many choices to each other.
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
