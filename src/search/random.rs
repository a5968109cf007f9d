//! Uniform random search.

use rand_chacha::ChaCha12Rng;
use serde::{Deserialize, Serialize};

use super::about::{About, ControllerSettings};
use super::controller::{
    Controller, Feedback, MAX_DRAWS, NOTHING_ASKED, SearchError, SearchSpace, check_feedback,
};
use super::settings::{Declared, Setting, SettingValue};
use super::state::StateFormat;
use crate::util::rng;

/// The number of points that may be asked for ahead; none of them depends on a reward.
const BATCH: usize = 64;

const ABOUT: About = About {
    name: "random",
    title: "Uniform draws",
    doc: "A controller that draws points uniformly: a baseline.",
    example: "phase(\"baseline\", #{ steps: 1_000, controller: random() });",
    settings_example: "",
};

const FORMAT: StateFormat = StateFormat { name: ABOUT.name, kind: 1, version: 1 };

/// The settings of random search, of which there are none.
#[derive(Debug)]
pub struct RandomSettings;

impl Declared for RandomSettings {
    fn declared(&self) -> &'static [Setting] {
        &[]
    }

    fn values(&self) -> Vec<SettingValue> {
        Vec::new()
    }
}

impl ControllerSettings for RandomSettings {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn build(
        &self,
        space: SearchSpace,
        seed: u64,
        stream_name: &str,
    ) -> Result<Box<dyn Controller>, SearchError> {
        Ok(Box::new(Random::new(space, seed, stream_name)?))
    }
}

/// Uniform random search: legal points, all equally likely.
///
/// No proposal depends on a reward, so any number of points may be asked for ahead.
#[derive(Debug)]
pub struct Random {
    space: SearchSpace,
    state: State,
}

#[derive(Debug, Serialize, Deserialize)]
struct State {
    sizes: Vec<usize>,
    rng: ChaCha12Rng,
    /// The number of points that were asked for and not yet told.
    outstanding: u64,
}

impl Random {
    /// Creates a controller that draws from the stream `(seed, "STREAM_NAME/draws", 0)`.
    ///
    /// # Errors
    /// [`SearchError::Setting`] if there is nothing to search.
    pub fn new(space: SearchSpace, seed: u64, stream_name: &str) -> Result<Self, SearchError> {
        space.validate()?;
        let rng = rng::stream(seed, &format!("{stream_name}/draws"), 0);
        let state = State { sizes: space.sizes.clone(), rng, outstanding: 0 };
        Ok(Self { space, state })
    }
}

impl Controller for Random {
    fn batch(&self) -> usize {
        BATCH
    }

    fn ask(&mut self) -> Result<Vec<u16>, SearchError> {
        let point = draw_legal(&self.space, &mut self.state.rng)?;
        self.state.outstanding += 1;
        Ok(point)
    }

    fn tell(&mut self, told: Feedback) -> Result<(), SearchError> {
        check_feedback(&told)?;
        self.state.outstanding = self.state.outstanding.checked_sub(1).ok_or(NOTHING_ASKED)?;
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>, SearchError> {
        FORMAT.encode(&self.state)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), SearchError> {
        let state: State = FORMAT.decode(state)?;
        check_sizes(&state.sizes, &self.space)?;
        self.state = state;
        Ok(())
    }
}

/// Checks that a saved state has the same choices as a search.
pub(super) fn check_sizes(saved: &[usize], space: &SearchSpace) -> Result<(), SearchError> {
    if saved == space.sizes {
        return Ok(());
    }
    Err(SearchError::State(format!(
        "it is of choices with {saved:?} options, and the controller searches choices with {:?}",
        space.sizes
    )))
}

/// Draws a legal point uniformly.
///
/// # Errors
/// [`SearchError::NoLegalPoint`] after [`MAX_DRAWS`] draws.
pub(super) fn draw_legal(
    space: &SearchSpace,
    rng: &mut ChaCha12Rng,
) -> Result<Vec<u16>, SearchError> {
    (space.draw)(rng).ok_or(SearchError::NoLegalPoint(MAX_DRAWS))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use super::*;

    fn space(sizes: &[usize], legal: fn(&[u16]) -> bool) -> SearchSpace {
        SearchSpace::new(sizes.to_vec(), Arc::new(legal))
    }

    fn controller(seed: u64) -> Random {
        let unequal = space(&[2, 3, 4], |point| point[0] != point[1]);
        Random::new(unequal, seed, "phase 0").unwrap()
    }

    #[test]
    fn legal_points_are_equally_likely() {
        let mut random = controller(1);
        let mut seen = HashMap::<Vec<u16>, u32>::new();
        let draws = 16_000;
        for _ in 0..draws {
            *seen.entry(random.ask().unwrap()).or_default() += 1;
            random.tell(Feedback::reward(None)).unwrap();
        }
        assert_eq!(seen.len(), 2 * 2 * 4);
        assert!(seen.keys().all(|point| point[0] != point[1]));
        // Pearson's statistic with 15 degrees of freedom: 37.7 is exceeded once in 1,000.
        let expected = f64::from(draws) / seen.len() as f64;
        let statistic: f64 =
            seen.values().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
        assert!(statistic < 37.7, "{statistic}");
    }

    #[test]
    fn a_restored_controller_goes_on_identically() {
        let mut first = controller(2);
        for step in 0..200 {
            let mut second = controller(99);
            second.restore(&first.save().unwrap()).unwrap();
            for _ in 0..3 {
                assert_eq!(second.ask().unwrap(), first.ask().unwrap());
            }
            first.tell(Feedback::reward(Some(f64::from(step)))).unwrap();
        }
    }

    #[test]
    fn seeds_and_streams_differ() {
        let draws = |seed, name| {
            let all = space(&[2, 3, 4], |_| true);
            let mut random = Random::new(all, seed, name).unwrap();
            (0..20).map(|_| random.ask().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draws(1, "a"), draws(1, "a"));
        assert_ne!(draws(1, "a"), draws(2, "a"));
        assert_ne!(draws(1, "a"), draws(1, "b"));
    }

    #[test]
    fn misuse_is_an_error() {
        let mut random = controller(3);
        assert!(matches!(random.tell(Feedback::reward(Some(1.0))), Err(SearchError::Turn(_))));
        random.ask().unwrap();
        assert!(matches!(
            random.tell(Feedback::reward(Some(f64::NAN))),
            Err(SearchError::Reward(_))
        ));
        random.tell(Feedback::reward(Some(1.0))).unwrap();

        let mut other = Random::new(space(&[2, 3], |_| true), 3, "phase 0").unwrap();
        let error = other.restore(&random.save().unwrap()).unwrap_err();
        assert!(matches!(error, SearchError::State(_)), "{error}");

        assert!(Random::new(space(&[], |_| true), 0, "").is_err());
        assert!(Random::new(space(&[2, 0], |_| true), 0, "").is_err());
        assert!(Random::new(space(&[65_537], |_| true), 0, "").is_err());
        let mut none = Random::new(space(&[2], |_| false), 0, "").unwrap();
        assert!(matches!(none.ask(), Err(SearchError::NoLegalPoint(MAX_DRAWS))));
    }
}
