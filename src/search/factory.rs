//! Which controller a phase uses: a recipe that can be written down and built.

use serde::{Deserialize, Serialize};

use super::controller::{Controller, SearchError, Searched};
use super::random::Random;
use super::reinforce::{Reinforce, ReinforceSettings};

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
}

impl Default for ControllerSpec {
    /// The paper's controller.
    fn default() -> Self {
        Self::Reinforce(ReinforceSettings::default())
    }
}

impl ControllerSpec {
    /// The name it has in scripts and reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Reinforce(_) => "reinforce",
        }
    }

    /// Builds the controller.
    ///
    /// Its random numbers come from the streams of `seed` whose names begin with `stream_name`, so
    /// controllers of different phases get different names.
    ///
    /// # Errors
    /// [`SearchError::Setting`] for a setting out of its range or a search without choices.
    pub fn build(
        &self,
        searched: Searched,
        seed: u64,
        stream_name: &str,
    ) -> Result<Box<dyn Controller>, SearchError> {
        Ok(match self {
            Self::Random => Box::new(Random::new(searched, seed, stream_name)?),
            Self::Reinforce(settings) => {
                Box::new(Reinforce::new(settings.clone(), searched, seed, stream_name)?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn specs_are_written_and_read() {
        let read = |text: &str| serde_json::from_str::<ControllerSpec>(text);
        assert_eq!(read("\"random\"").unwrap(), ControllerSpec::Random);
        assert_eq!(read("{\"reinforce\": {}}").unwrap(), ControllerSpec::default());
        let spec = read("{\"reinforce\": {\"batch\": 8, \"entropy\": 0.5}}").unwrap();
        let settings = ReinforceSettings { batch: 8, entropy: 0.5, ..Default::default() };
        assert_eq!(spec, ControllerSpec::Reinforce(settings));
        assert_eq!(read(&serde_json::to_string(&spec).unwrap()).unwrap(), spec);
        for wrong in ["\"greedy\"", "{\"reinforce\": {\"bach\": 8}}", "{\"random\": {}}"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn built_controllers_refuse_each_others_states() {
        let searched = Searched { sizes: vec![2, 3], legal: Arc::new(|_| true) };
        let build = |spec: &ControllerSpec| spec.build(searched.clone(), 1, "phase 0").unwrap();
        let specs = [ControllerSpec::Random, ControllerSpec::default()];
        let names = specs.each_ref().map(ControllerSpec::name);
        assert_eq!(names, ["random", "reinforce"]);
        let [mut random, mut reinforce] = specs.each_ref().map(build);
        assert!(searched.accepts(&random.ask().unwrap()));
        assert!(searched.accepts(&reinforce.ask().unwrap()));
        let error = random.restore(&reinforce.save().unwrap()).unwrap_err();
        assert!(error.to_string().contains("`random`"), "{error}");
        let error = reinforce.restore(&random.save().unwrap()).unwrap_err();
        assert!(error.to_string().contains("`reinforce`"), "{error}");
    }

    #[test]
    fn wrong_settings_are_refused_when_built() {
        let searched = Searched { sizes: vec![2, 3], legal: Arc::new(|_| true) };
        let spec = ControllerSpec::Reinforce(ReinforceSettings { batch: 0, ..Default::default() });
        let error = spec.build(searched, 1, "phase 0").err().unwrap();
        assert!(error.to_string().contains("`batch` is 0"), "{error}");
    }
}
