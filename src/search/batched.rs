//! The common parts of controllers that work in batches: turns, proposed points, the saved state.

use std::collections::VecDeque;
use std::fmt;

use rand_chacha::ChaCha12Rng;
use rustc_hash::FxHashSet;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::about::{About, ControllerSettings};
use super::controller::{
    Controller, Feedback, NOTHING_ASKED, SearchError, SearchSpace, check_feedback,
};
use super::random::{check_sizes, draw_legal};
use super::settings::Declared;
use super::state::StateFormat;
use crate::util::rng;

/// A search strategy that works in batches.
pub trait Strategy:
    Declared + fmt::Debug + Clone + PartialEq + Serialize + DeserializeOwned + Send + 'static
{
    /// The state that it learns.
    type State: fmt::Debug + Default + Clone + Serialize + DeserializeOwned + Send;

    /// The description for documents.
    const ABOUT: About;

    /// The kind and version of its saved states.
    const FORMAT: StateFormat;

    /// The size of a batch; [`propose`](Self::propose) returns a multiple of it.
    fn batch(&self) -> usize;

    /// Proposes the next points: at least one.
    ///
    /// # Errors
    /// No legal point was met.
    fn propose(
        &self,
        state: &mut Self::State,
        proposer: &mut Proposer<'_>,
    ) -> Result<Vec<Vec<u16>>, SearchError>;

    /// Learns from the results of all points of a proposal.
    fn update(&self, state: &mut Self::State, results: Vec<EvaluatedPoint>);
}

impl<S: Strategy> ControllerSettings for S {
    fn about(&self) -> &'static About {
        &S::ABOUT
    }

    fn build(
        &self,
        space: SearchSpace,
        seed: u64,
        stream_name: &str,
    ) -> Result<Box<dyn Controller>, SearchError> {
        Ok(Box::new(Batched::new(self.clone(), space, seed, stream_name)?))
    }
}

/// A point with its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluatedPoint {
    /// The option of each choice.
    pub point: Vec<u16>,
    /// Its result.
    pub told: Feedback,
}

/// A source of points that were not proposed before, for a strategy.
pub struct Proposer<'a> {
    /// The search space.
    pub space: &'a SearchSpace,
    /// The controller's random numbers.
    pub rng: &'a mut ChaCha12Rng,
    /// The points that were proposed before.
    pub seen: &'a mut Seen,
}

/// The maximum number of draws for a point that was not proposed before.
const TRIES: usize = 200;

impl Proposer<'_> {
    /// Draws a legal point that was not proposed before. After 200 failures of `draw` it is drawn uniformly;
    /// after 200 more, as in a space that is nearly exhausted, it may be a repeated one.
    ///
    /// # Errors
    /// No legal point was met.
    pub fn fresh(
        &mut self,
        mut draw: impl FnMut(&mut ChaCha12Rng) -> Option<Vec<u16>>,
    ) -> Result<Vec<u16>, SearchError> {
        for _ in 0..TRIES {
            let Some(mut point) = draw(self.rng) else { continue };
            (self.space.canonicalize)(&mut point);
            if (self.space.legal)(&point) && self.seen.insert((self.space.identity)(&point)) {
                return Ok(point);
            }
        }
        self.uniform()
    }

    /// Draws a legal point uniformly, one that was not proposed before if 200 draws meet one.
    ///
    /// # Errors
    /// No legal point was met.
    pub fn uniform(&mut self) -> Result<Vec<u16>, SearchError> {
        let mut point = draw_legal(self.space, self.rng)?;
        for _ in 0..TRIES {
            if self.seen.insert((self.space.identity)(&point)) {
                break;
            }
            point = draw_legal(self.space, self.rng)?;
        }
        Ok(point)
    }
}

/// The points that were proposed: the identities of the last 100,000.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    known: FxHashSet<u64>,
    order: VecDeque<u64>,
}

/// The number of proposed points that are remembered, which keeps checkpoints small.
const REMEMBERED: usize = 100_000;

impl Seen {
    /// Returns true if a point is among them.
    pub fn contains(&self, identity: u64) -> bool {
        self.known.contains(&identity)
    }

    /// Adds a point; returns false if it was present.
    pub fn insert(&mut self, identity: u64) -> bool {
        if !self.known.insert(identity) {
            return false;
        }
        self.order.push_back(identity);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

/// A controller from a strategy.
pub struct Batched<S: Strategy> {
    strategy: S,
    space: SearchSpace,
    seen: Seen,
    progress: Progress<S::State>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Progress<T> {
    rng: ChaCha12Rng,
    /// The points of the current batch; empty before the first and between two batches.
    points: Vec<Vec<u16>>,
    /// The number of `points` that were asked for.
    asked: usize,
    /// The results of the first of `points`.
    told: Vec<Feedback>,
    state: T,
}

/// The saved state.
#[derive(Serialize, Deserialize)]
struct Saved<S, T> {
    strategy: S,
    sizes: Vec<usize>,
    seen: Vec<u64>,
    progress: Progress<T>,
}

impl<S: Strategy> fmt::Debug for Batched<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batched")
            .field("strategy", &self.strategy)
            .field("space", &self.space)
            .finish_non_exhaustive()
    }
}

impl<S: Strategy> Batched<S> {
    /// Creates a controller that draws from the stream `(seed, "STREAM_NAME/draws", 0)`.
    ///
    /// # Errors
    /// [`SearchError::Setting`] if there is nothing to search.
    pub fn new(
        strategy: S,
        space: SearchSpace,
        seed: u64,
        stream_name: &str,
    ) -> Result<Self, SearchError> {
        space.validate()?;
        let progress = Progress {
            rng: rng::stream(seed, &format!("{stream_name}/draws"), 0),
            points: Vec::new(),
            asked: 0,
            told: Vec::new(),
            state: S::State::default(),
        };
        Ok(Self { strategy, space, seen: Seen::default(), progress })
    }
}

impl<S: Strategy> Controller for Batched<S> {
    fn batch(&self) -> usize {
        self.strategy.batch()
    }

    fn ask(&mut self) -> Result<Vec<u16>, SearchError> {
        let Progress { rng, points, asked, told, state } = &mut self.progress;
        if *asked == points.len() {
            if !told.is_empty() || *asked > 0 {
                return Err(SearchError::Turn(
                    "the next point depends on rewards that are not told yet: tell them first",
                ));
            }
            let mut proposer = Proposer { space: &self.space, rng, seen: &mut self.seen };
            *points = self.strategy.propose(state, &mut proposer)?;
        }
        let point = points[*asked].clone();
        *asked += 1;
        Ok(point)
    }

    fn tell(&mut self, now: Feedback) -> Result<(), SearchError> {
        check_feedback(&now)?;
        let Progress { points, asked, told, state, .. } = &mut self.progress;
        if told.len() == *asked {
            return Err(NOTHING_ASKED);
        }
        told.push(now);
        if told.len() == points.len() {
            let results = points.drain(..).zip(told.drain(..));
            let results = results.map(|(point, told)| EvaluatedPoint { point, told }).collect();
            *asked = 0;
            self.strategy.update(state, results);
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>, SearchError> {
        S::FORMAT.encode(&Saved {
            strategy: self.strategy.clone(),
            sizes: self.space.sizes.clone(),
            seen: self.seen.order.iter().copied().collect(),
            progress: self.progress.clone(),
        })
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), SearchError> {
        let saved: Saved<S, S::State> = S::FORMAT.decode(state)?;
        check_sizes(&saved.sizes, &self.space)?;
        if saved.strategy != self.strategy {
            return Err(SearchError::State(format!(
                "it was saved with {:?}, and the controller has {:?}",
                saved.strategy, self.strategy
            )));
        }
        let Progress { points, asked, told, .. } = &saved.progress;
        if *asked > points.len() || told.len() > *asked {
            return Err(SearchError::State("it is damaged: more is told than asked".to_owned()));
        }
        if points.iter().any(|point| !self.space.fits(point)) {
            return Err(SearchError::State("it is damaged: a point does not fit".to_owned()));
        }
        self.seen = Seen::default();
        for identity in saved.seen {
            self.seen.insert(identity);
        }
        self.progress = saved.progress;
        Ok(())
    }
}
