//! The file of a study.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_yaml::Value;

use crate::store::plain_name;
use crate::util::yaml::{self, Named};

/// The maximum number of repeats of a strategy on a scenario.
const MAX_REPEATS: u64 = 10_000;

/// The expectation of an error for a list in place of a number of repeats.
const ONLY_SEEDS: &str = "a number: repeats differ in their seed alone, which the study gives; make what else \
                          differs a strategy";

/// The default fractions of the best reward whose steps are reported.
const FRACTIONS: [f64; 3] = [0.9, 0.99, 0.999];

/// Values for the arguments of scripts.
pub type Arguments = BTreeMap<String, Value>;

/// A study: each strategy on each scenario, repeated over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyPlan {
    /// The number of runs of each strategy on each scenario.
    #[serde(default = "once", deserialize_with = "count")]
    pub repeats: u64,
    /// The seed of the first repeat; each further repeat increments it.
    #[serde(default)]
    pub seed: u64,
    /// The maximum number of trials of a run.
    #[serde(default)]
    pub steps: Option<u64>,
    /// Arguments of the scripts in every run.
    #[serde(default, deserialize_with = "yaml::each_once")]
    pub args: Arguments,
    /// The experiments, as paths relative to the file.
    #[serde(default)]
    pub scenarios: Named<PathBuf>,
    /// The arguments of scripts that define each strategy.
    #[serde(default, deserialize_with = "strategies")]
    pub strategies: Named<Arguments>,
    /// The experiment whose sweep gives the exact best pairs, as a path relative to the file.
    #[serde(default)]
    pub exact: Option<PathBuf>,
    /// The fractions of the best reward for which the needed steps are reported.
    #[serde(default = "fractions")]
    pub fractions: Vec<f64>,
}

const fn once() -> u64 {
    1
}

fn fractions() -> Vec<f64> {
    FRACTIONS.to_vec()
}

/// Reads the arguments of each strategy.
fn strategies<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Named<Arguments>, D::Error> {
    let Named(strategies) = Named::<Named<Value>>::deserialize(deserializer)?;
    let own = |(name, Named(own)): (String, Named<Value>)| (name, own.into_iter().collect());
    Ok(Named(strategies.into_iter().map(own).collect()))
}

/// Reads the number of repeats, with a helpful error for a list.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Count;
    impl<'de> Visitor<'de> for Count {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a whole number from 1 to {MAX_REPEATS}")
        }

        fn visit_u64<E>(self, count: u64) -> Result<u64, E> {
            Ok(count)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<u64, A::Error> {
            Err(A::Error::invalid_type(Unexpected::Seq, &ONLY_SEEDS))
        }

        fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<u64, A::Error> {
            Err(A::Error::invalid_type(Unexpected::Map, &ONLY_SEEDS))
        }
    }
    deserializer.deserialize_any(Count)
}

/// Errors of a study's file.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is not valid YAML, or has an unknown key or a value of a wrong type.
    #[error("{path}: {error}")]
    Form {
        /// The file.
        path: PathBuf,
        /// Its text.
        text: String,
        /// The error with its place.
        error: serde_yaml::Error,
    },
    /// The file does not define a study.
    #[error("{path}: {what}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Its text.
        text: String,
        /// The keys that lead to the wrong value.
        keys: Vec<String>,
        /// The message, with the expected value.
        what: String,
    },
}

impl StudyPlan {
    /// Reads a study's file; returns the study and the text of the file.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, is not YAML, has an unknown key or an invalid value,
    /// has no scenarios or strategies, lists the same one twice, or gives a setting such as `seed` as an
    /// argument.
    pub fn load(path: &Path) -> Result<(Self, String), PlanError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| PlanError::Read { path: path.to_path_buf(), source })?;
        Self::of_text(path, &text).map(|plan| (plan, text))
    }

    /// Parses `text` as the content of the file at `path`; see [`Self::load`].
    ///
    /// # Errors
    /// Returns the errors of [`Self::load`], except those of reading the file.
    pub fn of_text(path: &Path, text: &str) -> Result<Self, PlanError> {
        let file = || (path.to_path_buf(), text.to_owned());
        let plan: Self = yaml::read(text).map_err(|error| {
            let (path, text) = file();
            PlanError::Form { path, text, error }
        })?;
        plan.validate().map_err(|Wrong { keys, what }| {
            let (path, text) = file();
            PlanError::Wrong { path, text, keys, what }
        })?;
        Ok(plan)
    }

    /// Returns the first invalid value as an error.
    fn validate(&self) -> Result<(), Wrong> {
        let refuse = |key: &str, what: String| Err(Wrong::new(&[key], what));
        if !(1..=MAX_REPEATS).contains(&self.repeats) {
            let what = format!("repeats is {}; it must be from 1 to {MAX_REPEATS}", self.repeats);
            return refuse("repeats", what);
        }
        if self.seed.checked_add(self.repeats).is_none() {
            return refuse("seed", "seed is too large for so many repeats".to_owned());
        }
        if self.steps == Some(0) {
            return refuse("steps", "steps is 0; it must be at least 1".to_owned());
        }
        let ascending = self.fractions.is_sorted_by(|a, b| a < b);
        if !ascending || self.fractions.iter().any(|share| !(*share > 0.0 && *share <= 1.0)) {
            let what = "fractions must rise and be above 0 and at most 1, such as [0.9, 0.99]";
            return refuse("fractions", what.to_owned());
        }
        if self.scenarios.0.is_empty() {
            let what = "the study has no scenarios; name experiments, such as `scenarios: { fast: \
                        fast.rhai }`";
            return refuse("scenarios", what.to_owned());
        }
        if self.strategies.0.is_empty() {
            let what = "the study has no strategies; name some with the arguments that make them, such \
                        as `strategies: { plain: {}, slow: { strategy: slow } }`";
            return refuse("strategies", what.to_owned());
        }
        if let Some((name, _)) =
            self.scenarios.0.iter().find(|(_, file)| file.as_os_str().is_empty())
        {
            let what = format!(
                "scenario `{name}` names no experiment; write for example `{name}: fast.rhai`"
            );
            return Err(Wrong::new(&["scenarios", name], what));
        }
        distinct(("scenarios", "scenario"), &self.scenarios.0, |file| file.clone())?;
        let whole = |own: &Arguments| format!("{:?}", self.arguments(own));
        distinct(("strategies", "strategy"), &self.strategies.0, whole)?;
        arguments_only(&["args"], &self.args)?;
        let own = |(name, own): &(String, _)| arguments_only(&["strategies", name], own);
        self.strategies.0.iter().try_for_each(own)
    }

    /// The arguments of a strategy: those of every run, overridden by its own.
    pub fn arguments(&self, own: &Arguments) -> Arguments {
        let mut all = self.args.clone();
        all.extend(own.clone());
        all
    }

    /// The total number of runs.
    pub fn runs(&self) -> u64 {
        (self.scenarios.0.len() * self.strategies.0.len()) as u64 * self.repeats
    }

    /// The name of a run of a study; `repeat` counts from 0, and the name from 1.
    pub fn run_name(study: &str, scenario: &str, strategy: &str, repeat: u64) -> String {
        format!("{study}/{}/{}/{}", plain_name(scenario), plain_name(strategy), repeat + 1)
    }

    /// The changes since the plan with which a study started that prevent resuming it with this one.
    ///
    /// Scenarios, strategies and repeats may be added, and the settings of reports may change.
    pub fn conflicts(&self, before: &Self) -> Vec<String> {
        let mut changed = Vec::new();
        let mut check = |same: bool, what: String| {
            if !same {
                changed.push(what);
            }
        };
        check(self.repeats >= before.repeats, "fewer repeats".to_owned());
        check(self.seed == before.seed, "seed".to_owned());
        check(self.steps == before.steps, "steps".to_owned());
        for (name, file) in &before.scenarios.0 {
            check(self.scenarios.get(name) == Some(file), format!("scenario `{name}`"));
        }
        for (name, own) in &before.strategies.0 {
            let now = self.strategies.get(name).map(|own| self.arguments(own));
            check(now.as_ref() == Some(&before.arguments(own)), format!("strategy `{name}`"));
        }
        changed
    }
}

/// An invalid value, by the keys that lead to it.
struct Wrong {
    keys: Vec<String>,
    what: String,
}

impl Wrong {
    fn new(keys: &[&str], what: String) -> Self {
        Self { keys: keys.iter().map(|&key| key.to_owned()).collect(), what }
    }
}

/// Checks that entries have distinct names, also as parts of the names of runs, and distinct content.
fn distinct<T, K: Ord>(
    (key, kind): (&str, &str),
    entries: &[(String, T)],
    same: impl Fn(&T) -> K,
) -> Result<(), Wrong> {
    let mut names: BTreeMap<String, &String> = BTreeMap::new();
    let mut things: BTreeMap<K, &String> = BTreeMap::new();
    for (name, thing) in entries {
        let refuse = |what: String| Err(Wrong::new(&[key, name], what));
        if name.trim().is_empty() {
            return refuse(format!("a {kind} has no name"));
        }
        if let Some(other) = names.insert(plain_name(name), name) {
            return refuse(format!(
                "{kind} `{name}` and {kind} `{other}` have the same name in runs; rename one"
            ));
        }
        if let Some(other) = things.insert(same(thing), name) {
            return refuse(format!(
                "{kind} `{name}` is the same as {kind} `{other}`; take one away, and raise `repeats` if \
                 more runs are wanted"
            ));
        }
    }
    Ok(())
}

/// Checks that arguments, found below `keys`, do not include settings of a run.
fn arguments_only(keys: &[&str], arguments: &Arguments) -> Result<(), Wrong> {
    const SETTINGS: [&str; 8] =
        ["seed", "script", "steps", "threads", "top", "data", "args", "limits"];
    let is_set = |setting: &&str| arguments.contains_key(*setting);
    let Some(setting) = SETTINGS.into_iter().find(is_set) else { return Ok(()) };
    let owner = keys.last().copied().unwrap_or_default();
    let what = match setting {
        "seed" => format!(
            "`{owner}` sets `seed`: runs of a strategy differ in their seed alone, which the study \
             gives, from its own `seed` on"
        ),
        _ => format!(
            "`{owner}` sets `{setting}`, which is not an argument of a script; what is set for all \
             runs is `steps` and `args` of the study"
        ),
    };
    Err(Wrong::new(&[keys, &[setting]].concat(), what))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "\
repeats: 3
seed: 5
steps: 100
args: { trials: 50 }
scenarios:
  free: free.rhai
  one limit: one.rhai
strategies:
  combined: { strategy: combined }
  phase: { strategy: phase, trials: 60 }
";

    fn load(text: &str) -> Result<StudyPlan, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.yaml");
        std::fs::write(&path, text).unwrap();
        let shown = |error: PlanError| match error {
            PlanError::Wrong { keys, what, .. } => format!("{}: {what}", keys.join("/")),
            other => other.to_string(),
        };
        StudyPlan::load(&path).map(|(plan, _)| plan).map_err(shown)
    }

    #[test]
    fn a_plan_keeps_its_order_and_survives_the_store() {
        let plan = load(PLAN).unwrap();
        let names: Vec<&str> = plan.scenarios.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["free", "one limit"]);
        assert_eq!(plan.runs(), 12);
        assert_eq!(plan.fractions, FRACTIONS);
        let phase = plan.arguments(plan.strategies.get("phase").unwrap());
        assert_eq!(phase["trials"], Value::from(60));
        assert_eq!(StudyPlan::run_name("s-1", "one limit", "phase", 0), "s-1/one-limit/phase/1");
        let stored = serde_json::to_value(&plan).unwrap();
        assert_eq!(serde_json::from_value::<StudyPlan>(stored).unwrap(), plan);
    }

    #[test]
    fn what_is_no_comparison_is_refused_with_its_keys() {
        let changed = |from: &str, to: &str| {
            assert!(PLAN.contains(from), "{from}");
            load(&PLAN.replace(from, to)).unwrap_err()
        };
        for (from, to, expected) in [
            ("repeats: 3", "repeats: 0", "repeats: repeats is 0"),
            ("repeats: 3", "repeats: [{ seed: 1 }]", "repeats differ in their seed alone"),
            ("repeats: 3", "repeat: 3", "unknown field `repeat`"),
            ("repeats: 3", "repeats: ten", "expected a whole number from 1 to 10000"),
            ("free: free.rhai", "free:", "scenarios/free: scenario `free` names no experiment"),
            (
                "trials: 60",
                "trials: 60, trials: 61",
                "`trials` is there twice at line 10 column 41",
            ),
            ("trials: 50", "trials: 50, trials: 51", "`trials` is there twice"),
            ("steps: 100", "steps: 0", "steps: steps is 0"),
            ("  phase:", "  combined:", "`combined` is there twice"),
            (
                "strategy: phase, trials: 60",
                "strategy: combined",
                "strategies/phase: strategy `phase` is the",
            ),
            (
                "one limit: one",
                "one limit: free",
                "scenarios/one limit: scenario `one limit` is the same",
            ),
            (
                "one limit: one.rhai",
                "one limit: one.rhai\n  one-limit: b.rhai",
                "have the same name",
            ),
            ("trials: 60", "seed: 60", "strategies/phase/seed: `phase` sets `seed`"),
            ("trials: 60", "threads: 2", "strategies/phase/threads: `phase` sets `threads`"),
            ("seed: 5", "seed: 5\nfractions: [0.9, 0.5]", "fractions: fractions must rise"),
        ] {
            let message = changed(from, to);
            assert!(message.contains(expected), "{message}");
        }
        let none = load("strategies: { a: {} }").unwrap_err();
        assert!(none.starts_with("scenarios: the study has no scenarios; name"), "{none}");
        let none = load("scenarios: { a: a.rhai }").unwrap_err();
        assert!(none.starts_with("strategies: the study has no strategies; name"), "{none}");
    }

    #[test]
    fn only_additions_let_a_study_go_on() {
        let before = load(PLAN).unwrap();
        let changed =
            |from: &str, to: &str| load(&PLAN.replace(from, to)).unwrap().conflicts(&before);
        assert!(changed("repeats: 3", "repeats: 4").is_empty());
        assert!(changed("  phase:", "  third: { strategy: third }\n  phase:").is_empty());
        assert!(changed("steps: 100", "steps: 100\nfractions: [0.5]").is_empty());
        assert_eq!(changed("repeats: 3", "repeats: 2"), ["fewer repeats"]);
        assert_eq!(changed("trials: 50", "trials: 51"), ["strategy `combined`"]);
        assert_eq!(changed("free: free", "free: other"), ["scenario `free`"]);
        assert_eq!(changed("steps: 100\n", ""), ["steps"]);
    }
}
