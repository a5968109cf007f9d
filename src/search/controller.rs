//! The common interface of all controllers.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use rand::Rng as _;
use rand_chacha::ChaCha12Rng;
use serde::{Deserialize, Serialize};

use crate::space::Subspace;

/// A function that returns true if a combination of options is legal.
pub type Legality = Arc<dyn Fn(&[u16]) -> bool + Send + Sync>;

/// A function that sets the choices that others leave undecided to their only option.
pub type Canonicalize = Arc<dyn Fn(&mut [u16]) + Send + Sync>;

/// A function that draws a legal combination uniformly; `None` if it meets none.
pub type Draw = Arc<dyn Fn(&mut ChaCha12Rng) -> Option<Vec<u16>> + Send + Sync>;

/// A function that identifies legal combinations by a number: equal for two that stand for the same point,
/// and in practice for no others.
pub type Identity = Arc<dyn Fn(&[u16]) -> u64 + Send + Sync>;

/// The choices that a controller searches: the number of options of each, and the legal combinations.
#[derive(Clone)]
pub struct SearchSpace {
    /// The number of options of each choice, in decision order; from 1 to 65,536 each.
    pub sizes: Vec<usize>,
    /// True for each choice whose options have a natural order, such as numbers, so that adjacent ones are
    /// alike.
    pub ordered: Vec<bool>,
    /// Returns true if a full combination is legal.
    pub legal: Legality,
    /// Identifies legal combinations by a number.
    pub identity: Identity,
    /// Sets the choices that others leave undecided to the only option that is legal for them.
    pub canonicalize: Canonicalize,
    /// Draws a legal combination uniformly.
    pub draw: Draw,
}

impl SearchSpace {
    /// Creates choices without an order, of which different combinations are different points.
    pub fn new(sizes: Vec<usize>, legal: Legality) -> Self {
        let identity: Identity = Arc::new(|options: &[u16]| {
            let mut hasher = blake3::Hasher::new();
            for option in options {
                hasher.update(&option.to_le_bytes());
            }
            first_bytes(&hasher)
        });
        let canonicalize: Canonicalize = Arc::new(|_| ());
        let draw: Draw = {
            let (sizes, legal) = (sizes.clone(), legal.clone());
            Arc::new(move |rng| draw_until(&sizes, &legal, rng))
        };
        Self { ordered: vec![false; sizes.len()], sizes, legal, identity, canonicalize, draw }
    }

    /// Checks that there is a choice, and that each choice has 1 to 65,536 options.
    ///
    /// # Errors
    /// [`SearchError::Setting`] if there is no choice, or a choice has no or too many options.
    pub fn validate(&self) -> Result<(), SearchError> {
        if self.sizes.is_empty() {
            return Err(SearchError::Setting {
                name: "choices",
                value: "0".to_owned(),
                expected: "a controller needs at least one choice to search".to_owned(),
            });
        }
        match self.sizes.iter().find(|&&size| size == 0 || size > MAX_OPTIONS) {
            None => Ok(()),
            Some(size) => Err(SearchError::Setting {
                name: "options of a choice",
                value: size.to_string(),
                expected: "a controller searches choices of 1 to 65,536 options".to_owned(),
            }),
        }
    }

    /// Returns true if `point` has an existing option for each choice and is legal.
    pub fn accepts(&self, point: &[u16]) -> bool {
        self.fits(point) && (self.legal)(point)
    }

    /// Returns true if `point` has an existing option for each choice, whether it is legal or not.
    pub fn fits(&self, point: &[u16]) -> bool {
        point.len() == self.sizes.len()
            && point.iter().zip(&self.sizes).all(|(&option, &size)| usize::from(option) < size)
    }
}

impl From<&Subspace> for SearchSpace {
    /// Creates the choices of the searched parts of a space; combinations with the same canonical text are
    /// the same point.
    fn from(subspace: &Subspace) -> Self {
        let legal = {
            let subspace = subspace.clone();
            Arc::new(move |options: &[u16]| subspace.is_legal(options))
        };
        let identity = {
            let subspace = subspace.clone();
            Arc::new(move |options: &[u16]| {
                let mut hasher = blake3::Hasher::new();
                for text in subspace.texts(options) {
                    hasher.update(&(text.len() as u64).to_le_bytes());
                    hasher.update(text.as_bytes());
                }
                first_bytes(&hasher)
            })
        };
        let canonicalize = {
            let subspace = subspace.clone();
            Arc::new(move |options: &mut [u16]| subspace.canonicalize(options))
        };
        let draw = {
            let subspace = subspace.clone();
            Arc::new(move |rng: &mut ChaCha12Rng| subspace.draw(rng).ok())
        };
        Self {
            sizes: subspace.sizes(),
            ordered: subspace.ordered(),
            legal,
            identity,
            canonicalize,
            draw,
        }
    }
}

/// Draws every choice uniformly until the combination is legal; `None` after [`MAX_DRAWS`] draws.
fn draw_until(sizes: &[usize], legal: &Legality, rng: &mut ChaCha12Rng) -> Option<Vec<u16>> {
    let mut point = vec![0; sizes.len()];
    for _ in 0..MAX_DRAWS {
        for (option, &size) in point.iter_mut().zip(sizes) {
            let last = u16::try_from(size.saturating_sub(1)).unwrap_or(u16::MAX);
            *option = rng.random_range(0..=last);
        }
        if legal(&point) {
            return Some(point);
        }
    }
    None
}

fn first_bytes(hasher: &blake3::Hasher) -> u64 {
    let hash = hasher.finalize();
    hash.as_bytes()[..8].iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

impl fmt::Debug for SearchSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SearchSpace").field("sizes", &self.sizes).finish_non_exhaustive()
    }
}

/// The result of a combination, as a controller is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feedback {
    /// The number to maximize; `None` if the trial failed.
    pub reward: Option<f64>,
    /// True if the trial is feasible. The reward of an infeasible trial tells how badly it violates its
    /// constraints.
    pub valid: bool,
    /// The costs to minimize, in a fixed order; empty if they are unknown.
    pub costs: Vec<f64>,
}

impl Feedback {
    /// Creates the result of a trial that failed.
    pub const fn failed() -> Self {
        Self { reward: None, valid: false, costs: Vec::new() }
    }

    /// Creates a result from a reward alone; `None` is a failure.
    pub const fn reward(reward: Option<f64>) -> Self {
        Self { valid: reward.is_some(), reward, costs: Vec::new() }
    }

    /// Compares two results, of which the better one is greater: by feasibility, then by reward. A failed
    /// trial is below all others.
    pub fn compare(&self, other: &Self) -> Ordering {
        let key = |told: &Self| (told.valid, told.reward.unwrap_or(f64::NEG_INFINITY));
        let ((a_valid, a), (b_valid, b)) = (key(self), key(other));
        a_valid.cmp(&b_valid).then(a.total_cmp(&b))
    }
}

/// The maximum number of draws for one legal point.
///
/// A space in which one point in 100,000 is legal is still searched (its points are missed with probability
/// e^-10), and one without any legal point is refused within seconds.
pub(super) const MAX_DRAWS: usize = 1_000_000;

/// The maximum number of options of a choice: their indices are `u16`.
const MAX_OPTIONS: usize = 1 << 16;

/// The errors of controllers.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// No legal combination was met in a bounded number of draws.
    #[error(
        "no legal point among {0} draws: check that the space has legal points and that they are \
         not too rare to be met by drawing"
    )]
    NoLegalPoint(usize),
    /// A setting has an invalid value.
    #[error("`{name}` is {value}: {expected}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value it was given.
        value: String,
        /// The rule that the value breaks.
        expected: String,
    },
    /// A reward is not a finite number.
    #[error("the reward told is {0}: tell a finite number, or that the trial failed")]
    Reward(f64),
    /// A combination was asked for, or a result told, out of turn.
    #[error("a controller was used out of turn: {0}")]
    Turn(&'static str),
    /// A saved state does not fit the controller.
    #[error("the saved state of the controller does not fit: {0}")]
    State(String),
    /// The policy's gradient or weights are no longer finite numbers.
    #[error("the policy has diverged after {0} updates: lower `learning_rate` or `clip_norm`")]
    Diverged(u64),
}

/// A search strategy that proposes combinations of options and is told their results.
///
/// The sequence of proposals depends only on the settings, the seed and the results told. It does not depend
/// on threads, on the clock, on how far asking runs ahead of telling, or on saving and restoring the state.
///
/// Combinations come in batches of [`batch`](Self::batch): all of a batch may be asked for before the first
/// of them is told, and the next batch begins when the last of them is told.
pub trait Controller: Send {
    /// The number of combinations that may be asked for before the first of them is told.
    fn batch(&self) -> usize;

    /// Proposes the next legal combination: an option index for each choice.
    ///
    /// # Errors
    /// [`SearchError::NoLegalPoint`] if none was met, and [`SearchError::Turn`] if the proposal depends on
    /// results that are not yet told.
    fn ask(&mut self) -> Result<Vec<u16>, SearchError>;

    /// Tells the result of the oldest combination that has none yet.
    ///
    /// # Errors
    /// [`SearchError::Reward`] if a number is not finite, and [`SearchError::Turn`] if all combinations have
    /// their result; nothing is told then. [`SearchError::Diverged`] if the update of a policy fails.
    fn tell(&mut self, told: Feedback) -> Result<(), SearchError>;

    /// Saves the whole state. A controller with the same settings that is restored from it continues exactly
    /// as this one would.
    ///
    /// # Errors
    /// [`SearchError::State`] if it cannot be encoded.
    fn save(&self) -> Result<Vec<u8>, SearchError>;

    /// Restores a state from `save`, whatever this controller has done before.
    ///
    /// # Errors
    /// [`SearchError::State`] if it is damaged, of another version of the format, or of a controller of
    /// another kind, with other settings or over other choices. The controller stays as it was.
    fn restore(&mut self, state: &[u8]) -> Result<(), SearchError>;
}

/// Checks that all numbers of a result are finite.
pub(super) fn check_feedback(told: &Feedback) -> Result<(), SearchError> {
    match told.reward.iter().chain(&told.costs).find(|number| !number.is_finite()) {
        Some(&number) => Err(SearchError::Reward(number)),
        None => Ok(()),
    }
}

/// The error of telling a result when all combinations have theirs.
pub(super) const NOTHING_ASKED: SearchError =
    SearchError::Turn("a reward was told, but every point asked for has its reward: ask first");
