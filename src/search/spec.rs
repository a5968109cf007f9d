//! The recipe of a phase's controller, which can be stored and built.

use serde::{Deserialize, Serialize};

use super::about::{About, ControllerSettings};
use super::controller::{Controller, SearchError, SearchSpace};
use super::evolution::Evolution;
use super::guided::Guided;
use super::local::Local;
use super::nsga2::Nsga2;
use super::random::RandomSettings;
use super::reinforce::ReinforceSettings;
use super::settings::{Setting, table};

/// A controller's kind and settings.
///
/// In JSON it is `"random"`, or `{"reinforce": {...}}` with the settings that differ from their
/// defaults; unknown settings are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ControllerSpec {
    /// Uniform random search.
    Random,
    /// A recurrent policy trained with REINFORCE.
    Reinforce(ReinforceSettings),
    /// Regularized evolution.
    Evolution(Evolution),
    /// Hill climbing with restarts.
    Local(Local),
    /// NSGA-II.
    Nsga2(Nsga2),
    /// Search guided by a surrogate that is fitted to the trials so far.
    Guided(Guided),
}

impl Default for ControllerSpec {
    /// REINFORCE with its default settings, the controller of Codesign-NAS.
    fn default() -> Self {
        Self::Reinforce(ReinforceSettings::default())
    }
}

impl ControllerSpec {
    /// Every controller with its default settings.
    pub fn all() -> Vec<Self> {
        vec![
            Self::Random,
            Self::Reinforce(ReinforceSettings::default()),
            Self::Evolution(Evolution::default()),
            Self::Local(Local::default()),
            Self::Nsga2(Nsga2::default()),
            Self::Guided(Guided::default()),
        ]
    }

    /// The settings, through which everything else of the controller is reached.
    fn controller_settings(&self) -> &dyn ControllerSettings {
        match self {
            Self::Random => &RandomSettings,
            Self::Reinforce(settings) => settings,
            Self::Evolution(settings) => settings,
            Self::Local(settings) => settings,
            Self::Nsga2(settings) => settings,
            Self::Guided(settings) => settings,
        }
    }

    /// The description of the controller for documents.
    pub fn about(&self) -> &'static About {
        self.controller_settings().about()
    }

    /// The name in scripts and reports.
    pub fn name(&self) -> &'static str {
        self.about().name
    }

    /// The declarations of its settings.
    pub fn settings(&self) -> &'static [Setting] {
        self.controller_settings().declared()
    }

    /// The settings as the lines of a Markdown table: option, default (here the current value), range,
    /// meaning.
    pub fn settings_table(&self) -> Vec<String> {
        table(self.controller_settings())
    }

    /// Checks every setting against its range.
    ///
    /// # Errors
    /// [`SearchError::Setting`] for the first setting that is out of range.
    pub fn validate(&self) -> Result<(), SearchError> {
        self.controller_settings().validate()
    }

    /// Builds the controller.
    ///
    /// Its random numbers come from the streams of `seed` whose names begin with `stream_name`, so
    /// controllers of different phases need different names.
    ///
    /// # Errors
    /// [`SearchError::Setting`] for a setting out of its range, or a search that is empty or too large.
    pub fn build(
        &self,
        space: SearchSpace,
        seed: u64,
        stream_name: &str,
    ) -> Result<Box<dyn Controller>, SearchError> {
        self.validate()?;
        self.controller_settings().build(space, seed, stream_name)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::search::Feedback;

    #[test]
    fn specs_are_written_and_read() {
        let read = |text: &str| serde_json::from_str::<ControllerSpec>(text);
        assert_eq!(read("\"random\"").unwrap(), ControllerSpec::Random);
        assert_eq!(read("{\"reinforce\": {}}").unwrap(), ControllerSpec::default());
        let spec = read("{\"reinforce\": {\"batch\": 8, \"entropy\": 0.5}}").unwrap();
        let settings = ReinforceSettings { batch: 8, entropy: 0.5, ..Default::default() };
        assert_eq!(spec, ControllerSpec::Reinforce(settings));
        assert_eq!(read(&serde_json::to_string(&spec).unwrap()).unwrap(), spec);
        let guided = Guided { batch: 4, ..Guided::default() };
        assert_eq!(read("{\"guided\": {\"batch\": 4}}").unwrap(), ControllerSpec::Guided(guided));
        for wrong in ["\"greedy\"", "{\"reinforce\": {\"bach\": 8}}", "{\"random\": {}}"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    /// `all` and the names in JSON are written apart from the variants.
    #[test]
    fn all_controllers_have_their_names_in_json() {
        let error = serde_json::from_str::<ControllerSpec>("\"greedy\"").unwrap_err().to_string();
        let known: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
        let names: Vec<&str> = ControllerSpec::all().iter().map(ControllerSpec::name).collect();
        assert_eq!(known, names);
        for spec in ControllerSpec::all() {
            spec.validate().unwrap();
            let expected = match serde_json::to_value(&spec).unwrap() {
                serde_json::Value::String(name) => (name, Vec::new()),
                other => {
                    let (name, settings) = other.as_object().unwrap().iter().next().unwrap();
                    let mut settings: Vec<String> =
                        settings.as_object().unwrap().keys().cloned().collect();
                    settings.sort();
                    (name.clone(), settings)
                }
            };
            let mut declared: Vec<String> =
                spec.settings().iter().map(|setting| setting.name.to_owned()).collect();
            declared.sort();
            assert_eq!((spec.name().to_owned(), declared), expected);
        }
    }

    #[test]
    fn built_controllers_refuse_each_others_states() {
        let space = SearchSpace::new(vec![2, 3], Arc::new(|_| true));
        let build = |spec: &ControllerSpec| spec.build(space.clone(), 1, "phase 0").unwrap();
        let specs = [ControllerSpec::Random, ControllerSpec::default()];
        let names = specs.each_ref().map(ControllerSpec::name);
        assert_eq!(names, ["random", "reinforce"]);
        let [mut random, mut reinforce] = specs.each_ref().map(build);
        assert!(space.accepts(&random.ask().unwrap()));
        assert!(space.accepts(&reinforce.ask().unwrap()));
        let error = random.restore(&reinforce.save().unwrap()).unwrap_err();
        assert!(error.to_string().contains("`random`"), "{error}");
        let error = reinforce.restore(&random.save().unwrap()).unwrap_err();
        assert!(error.to_string().contains("`reinforce`"), "{error}");
    }

    /// Every controller, with small settings where the default ones take long.
    fn all() -> Vec<ControllerSpec> {
        let small = |spec| match spec {
            ControllerSpec::Reinforce(settings) => {
                ControllerSpec::Reinforce(ReinforceSettings { hidden: 8, ..settings })
            }
            ControllerSpec::Evolution(_) => {
                ControllerSpec::Evolution(Evolution { population: 20, sample: 5, batch: 3 })
            }
            ControllerSpec::Local(_) => ControllerSpec::Local(Local { batch: 3 }),
            ControllerSpec::Nsga2(settings) => {
                ControllerSpec::Nsga2(Nsga2 { population: 8, ..settings })
            }
            ControllerSpec::Guided(_) => ControllerSpec::Guided(Guided {
                initial: 24,
                batch: 5,
                candidates: 100,
                memory: 100,
            }),
            other => other,
        };
        ControllerSpec::all().into_iter().map(small).collect()
    }

    /// Choices some of which are ordered, with forbidden combinations.
    fn mixed() -> SearchSpace {
        let legal = Arc::new(|point: &[u16]| point[0] != point[1] || point[2] > 3);
        let mut space = SearchSpace::new(vec![4, 4, 20, 2, 1], legal);
        space.ordered[2] = true;
        space
    }

    /// Two conflicting costs; some points are infeasible, some fail.
    fn judge(point: &[u16]) -> Feedback {
        let [a, b, c, d, _] = [0, 1, 2, 3, 4].map(|i| f64::from(point[i]));
        if point[2] == 7 {
            return Feedback::failed();
        }
        let costs = vec![a + 0.1 * c + d, 3.0 - b - 0.1 * c + d];
        if costs[0] + costs[1] > 6.0 {
            return Feedback { reward: Some(6.0 - costs[0] - costs[1]), valid: false, costs };
        }
        Feedback { reward: Some(10.0 - costs[0] - 2.0 * costs[1]), valid: true, costs }
    }

    #[test]
    fn controllers_propose_legal_points_and_go_on_from_any_saved_state() {
        for spec in all() {
            let build = |seed| spec.build(mixed(), seed, "phase 0").unwrap();
            let mut first = build(3);
            let mut waiting = std::collections::VecDeque::new();
            for step in 0..150 {
                let point = first.ask().unwrap();
                assert!(mixed().accepts(&point), "{} {point:?}", spec.name());
                waiting.push_back(point);
                // Every other batch is asked for as a whole before it is told.
                let batch = first.batch();
                if (step / batch) % 2 == 0 || step % batch == batch - 1 {
                    while let Some(point) = waiting.pop_front() {
                        first.tell(judge(&point)).unwrap();
                    }
                }
                if step % 7 == 3 {
                    let saved = first.save().unwrap();
                    let mut second = build(99);
                    second.restore(&saved).unwrap();
                    assert_eq!(second.save().unwrap(), saved, "{}", spec.name());
                    first = second;
                }
            }
            let mut whole = build(3);
            let mut other = build(3);
            for _ in 0..60 {
                let point = whole.ask().unwrap();
                assert_eq!(other.ask().unwrap(), point, "{}", spec.name());
                whole.tell(judge(&point)).unwrap();
                other.tell(judge(&point)).unwrap();
            }
            let error = whole.tell(Feedback::failed()).unwrap_err();
            assert!(matches!(error, SearchError::Turn(_)), "{error}");
        }
    }

    #[test]
    fn what_goes_on_from_a_saved_state_is_what_would_have_gone_on() {
        for spec in all() {
            let run = |save: bool| {
                let mut controller = spec.build(mixed(), 5, "phase 0").unwrap();
                let mut points = Vec::new();
                for step in 0..120 {
                    let point = controller.ask().unwrap();
                    if save && step % 11 == 5 {
                        let saved = controller.save().unwrap();
                        controller = spec.build(mixed(), 77, "other").unwrap();
                        controller.restore(&saved).unwrap();
                    }
                    controller.tell(judge(&point)).unwrap();
                    points.push(point);
                }
                points
            };
            assert_eq!(run(false), run(true), "{}", spec.name());
        }
    }

    #[test]
    fn batched_controllers_never_repeat_a_point_while_there_are_others() {
        for spec in &all()[2..] {
            let mut controller = spec.build(mixed(), 8, "phase 0").unwrap();
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..200 {
                let point = controller.ask().unwrap();
                controller.tell(judge(&point)).unwrap();
                assert!(seen.insert(point), "{}", spec.name());
            }
        }
    }

    /// Points that stand for the same thing count as one.
    #[test]
    fn equivalent_points_are_not_proposed_again() {
        for spec in &all()[2..] {
            let mut space = SearchSpace::new(vec![30, 30], Arc::new(|_| true));
            space.identity = Arc::new(|point| {
                u64::from(point[0].min(point[1])) << 16 | u64::from(point[0].max(point[1]))
            });
            let mut controller = spec.build(space, 8, "phase 0").unwrap();
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..150 {
                let mut point = controller.ask().unwrap();
                let sum = f64::from(point[0]) - f64::from(point[1]);
                controller
                    .tell(Feedback { reward: Some(sum), valid: true, costs: vec![-sum, sum] })
                    .unwrap();
                point.sort_unstable();
                assert!(seen.insert(point), "{}", spec.name());
            }
        }
    }

    #[test]
    fn learning_controllers_beat_random_search() {
        let mut rewards = Vec::new();
        for spec in all() {
            let mut best = Vec::new();
            for seed in 0..5 {
                let space = SearchSpace::new(vec![6; 12], Arc::new(|_| true));
                let mut controller = spec.build(space, seed, "phase 0").unwrap();
                let mut most = 0.0_f64;
                for _ in 0..400 {
                    let point = controller.ask().unwrap();
                    let sum: f64 = point.iter().map(|&option| f64::from(option)).sum();
                    most = most.max(sum);
                    controller
                        .tell(Feedback { reward: Some(sum), valid: true, costs: vec![-sum] })
                        .unwrap();
                }
                best.push(most);
            }
            best.sort_by(f64::total_cmp);
            rewards.push((spec.name(), best[2]));
        }
        let random = rewards[0].1;
        // The policy needs more trials than these to be far ahead.
        assert!(rewards[2..].iter().all(|(_, reward)| *reward > random + 5.0), "{rewards:?}");
    }

    #[test]
    fn damaged_and_foreign_states_are_refused() {
        for spec in &all()[2..] {
            let mut controller = spec.build(mixed(), 1, "phase 0").unwrap();
            controller.ask().unwrap();
            let saved = controller.save().unwrap();
            let whole = controller.save().unwrap();
            for cut in [0, 1, saved.len() / 2, saved.len() - 1] {
                assert!(controller.restore(&saved[..cut]).is_err());
            }
            let mut other =
                spec.build(SearchSpace::new(vec![2, 3], Arc::new(|_| true)), 1, "").unwrap();
            assert!(other.restore(&saved).is_err());
            assert_eq!(controller.save().unwrap(), whole);
        }
        let mut other = ControllerSpec::Local(Local { batch: 4 }).build(mixed(), 1, "").unwrap();
        let saved = all()[3].build(mixed(), 1, "").unwrap().save().unwrap();
        let text = other.restore(&saved).unwrap_err().to_string();
        assert!(text.contains("batch: 3") && text.contains("batch: 4"), "{text}");
    }

    #[test]
    fn wrong_settings_are_refused_when_built() {
        let space = SearchSpace::new(vec![2, 3], Arc::new(|_| true));
        let spec = ControllerSpec::Reinforce(ReinforceSettings { batch: 0, ..Default::default() });
        let error = spec.build(space, 1, "phase 0").err().unwrap();
        assert!(error.to_string().contains("`batch` is 0"), "{error}");
    }
}
