//! The thresholds of an experiment, which must hold when a run ends.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::progress::Progress;
use crate::metrics::Metrics;
use crate::metrics::units::{is_accuracy, unit_hint};
use crate::pareto::{Direction, Objective, Relation, costs, hypervolume};
use crate::store::{Outcome, Trial};
use crate::util::suggest::nearest;

/// A quantity of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThresholdQuantity {
    /// A metric of the feasible trial with the highest reward.
    Best(String),
    /// The highest value of a metric among the feasible trials.
    Most(String),
    /// The lowest value of a metric among the feasible trials.
    Least(String),
    /// The highest reward of a feasible trial.
    Reward,
    /// The hypervolume of the frontier, in the product of the objectives' units, as in `tandem pareto`: the
    /// reference point is the worst value of each objective among the finished trials.
    Hypervolume,
    /// The number of points of the frontier.
    Frontier,
    /// The number of trials.
    Trials,
    /// The number of feasible trials, which satisfy the constraints of their phase.
    Valid,
    /// The number of failed trials, which have no reward.
    Failed,
    /// The failed trials as a fraction of all.
    FailedShare,
}

impl ThresholdQuantity {
    /// The quantities without a metric, by name.
    const PLAIN: [(&'static str, Self); 7] = [
        ("reward", Self::Reward),
        ("hypervolume", Self::Hypervolume),
        ("frontier", Self::Frontier),
        ("trials", Self::Trials),
        ("valid", Self::Valid),
        ("failed", Self::Failed),
        ("failed_share", Self::FailedShare),
    ];

    /// The direction in which it moves as trials are added; `None` if it may move in both.
    const fn trend(&self) -> Option<Direction> {
        match self {
            Self::Most(_) | Self::Reward | Self::Trials | Self::Valid | Self::Failed => {
                Some(Direction::Max)
            }
            Self::Least(_) => Some(Direction::Min),
            // The reference of the hypervolume moves, and so may the best trial's metrics.
            Self::Best(_) | Self::Hypervolume | Self::Frontier | Self::FailedShare => None,
        }
    }

    fn read(name: &str) -> Option<Self> {
        if let Some((_, plain)) = Self::PLAIN.into_iter().find(|(known, _)| *known == name) {
            return Some(plain);
        }
        let (head, metric) = name.split_once('.').filter(|(_, metric)| !metric.is_empty())?;
        let metric = metric.to_owned();
        match head {
            "best" => Some(Self::Best(metric)),
            "max" => Some(Self::Most(metric)),
            "min" => Some(Self::Least(metric)),
            _ => None,
        }
    }

    /// The metric of the quantity, if it has one.
    fn metric(&self) -> Option<&str> {
        match self {
            Self::Best(metric) | Self::Most(metric) | Self::Least(metric) => Some(metric),
            _ => None,
        }
    }

    /// The current value; `None` if no trial gives one.
    fn value(&self, progress: &Progress) -> Option<f64> {
        let best = || progress.best().map(|trial| &trial.outcome).filter(|o| o.is_valid());
        #[expect(clippy::cast_precision_loss, reason = "trials stay far below 2^53")]
        let count = |count: u64| count as f64;
        match self {
            Self::Best(metric) => best()?.metric(metric),
            Self::Reward => best()?.reward(),
            Self::Most(metric) => extreme(progress.trials(), metric, Direction::Max),
            Self::Least(metric) => extreme(progress.trials(), metric, Direction::Min),
            Self::Hypervolume => dominated(progress),
            Self::Frontier => Some(count(progress.frontier_len() as u64)),
            Self::Trials => Some(count(progress.steps())),
            Self::Valid => Some(count(progress.valid())),
            Self::Failed => Some(count(progress.failed())),
            Self::FailedShare => {
                (progress.steps() > 0).then(|| count(progress.failed()) / count(progress.steps()))
            }
        }
    }
}

impl fmt::Display for ThresholdQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Best(metric) => write!(f, "best.{metric}"),
            Self::Most(metric) => write!(f, "max.{metric}"),
            Self::Least(metric) => write!(f, "min.{metric}"),
            plain => {
                let name = Self::PLAIN.iter().find(|(_, known)| known == plain);
                f.write_str(name.map_or("", |(name, _)| name))
            }
        }
    }
}

/// The highest or lowest value of a metric among the feasible trials.
fn extreme(trials: &[Arc<Trial>], metric: &str, direction: Direction) -> Option<f64> {
    let objective = Objective { metric: metric.to_owned(), direction };
    let valid = trials.iter().map(|trial| &trial.outcome).filter(|o| o.is_valid());
    let values = valid.filter_map(|outcome| outcome.metric(metric));
    values.map(|value| objective.cost(value)).min_by(f64::total_cmp).map(|c| objective.value(c))
}

/// The hypervolume of the frontier, with the worst value of each objective as reference point.
fn dominated(progress: &Progress) -> Option<f64> {
    let objectives = progress.objectives();
    if objectives.is_empty() {
        return None;
    }
    let of = |outcome: &Outcome| match outcome {
        Outcome::Done { metrics, .. } => costs(objectives, metrics).ok(),
        Outcome::Failed { .. } => None,
    };
    let mut worst = vec![f64::NEG_INFINITY; objectives.len()];
    for costs in progress.trials().iter().filter_map(|trial| of(&trial.outcome)) {
        for (worst, cost) in worst.iter_mut().zip(costs) {
            *worst = worst.max(cost);
        }
    }
    let frontier: Vec<Vec<f64>> =
        progress.frontier().into_iter().filter_map(|trial| of(&trial.outcome)).collect();
    (!frontier.is_empty()).then(|| hypervolume(&frontier, &worst))
}

/// A comparison of a quantity of a run, which must hold when the run ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The quantity.
    pub quantity: ThresholdQuantity,
    /// The comparison.
    pub relation: Relation,
    /// The number that the quantity is compared with.
    pub value: f64,
    /// True if the run ends as soon as the threshold can no longer hold.
    pub stops: bool,
}

/// The suffix of a threshold that stops a run.
const STOPS: &str = " or stop";

/// The result of a threshold for a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgment {
    /// The quantity's value; `None` if no trial gives one.
    pub value: Option<f64>,
    /// True if the threshold holds; false without a value.
    pub holds: bool,
}

/// Reasons that a threshold is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// The text is not a comparison of a quantity with a finite number.
    #[error(
        "`{0}` is not a threshold; write it like `best.accuracy >= 0.93` or `valid >= 100` (<, <=, \
         >, >=)"
    )]
    Form(String),
    /// The threshold should stop the run, but may still come to hold until the run ends.
    #[error(
        "threshold `{0}` cannot stop a run: until the end it may come to hold; what can is an upper \
         limit of max.METRIC, reward, trials, valid or failed, and a lower one of min.METRIC"
    )]
    Open(String),
    /// An accuracy is compared with a number that is not a fraction.
    #[error("threshold `{0}`: an accuracy is a fraction from 0 to 1, 93.2 % is 0.932")]
    Percent(String),
    /// The quantity is unknown.
    #[error(
        "threshold `{threshold}`: there is no quantity `{quantity}`{}; there are {}, and best.METRIC, \
         max.METRIC, min.METRIC",
        meant(.near.as_deref()),
        ThresholdQuantity::PLAIN.map(|(name, _)| name).join(", ")
    )]
    Quantity {
        /// The threshold.
        threshold: String,
        /// The unknown quantity.
        quantity: String,
        /// A quantity that may have been meant.
        near: Option<String>,
    },
    /// Trials do not have the metric.
    #[error(
        "threshold `{threshold}` is about `{metric}`, which evaluate(point) does not give{}; it gives \
         {known}{}",
        meant(.near.as_deref()),
        .unit.as_deref().map_or_else(String::new, |unit| format!("; {unit}"))
    )]
    Metric {
        /// The threshold.
        threshold: String,
        /// The metric.
        metric: String,
        /// A metric that may have been meant.
        near: Option<String>,
        /// The relation to a metric in another unit, if there is one.
        unit: Option<String>,
        /// The metrics of trials.
        known: String,
    },
}

fn meant(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!(" (is `{near}` meant?)"))
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let whole = text.trim();
        let (text, stops) = match whole.strip_suffix(STOPS) {
            Some(text) => (text.trim_end(), true),
            None => (whole, false),
        };
        let form = || ThresholdError::Form(whole.to_owned());
        let (name, relation, value) = Relation::split(text).ok_or_else(form)?;
        let (name, value) = (name.trim(), value.trim().replace('_', ""));
        let value: f64 = value.parse().map_err(|_| form())?;
        let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        if name.is_empty() || !name.chars().all(plain) || !value.is_finite() {
            return Err(form());
        }
        let quantity = ThresholdQuantity::read(name).ok_or_else(|| ThresholdError::Quantity {
            threshold: text.to_owned(),
            quantity: name.to_owned(),
            near: nearest(name, ThresholdQuantity::PLAIN.iter().map(|(known, _)| *known))
                .first()
                .map(|near| (*near).to_owned())
                .or_else(|| (!name.contains('.')).then(|| format!("best.{name}"))),
        })?;
        let is_fraction = quantity.metric().is_some_and(is_accuracy);
        if is_fraction && !(0.0..=1.0).contains(&value) {
            return Err(ThresholdError::Percent(whole.to_owned()));
        }
        let threshold = Self { quantity, relation, value, stops };
        if stops && !threshold.can_be_lost() {
            return Err(ThresholdError::Open(whole.to_owned()));
        }
        Ok(threshold)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.quantity, self.relation.symbol(), self.value)?;
        f.write_str(if self.stops { STOPS } else { "" })
    }
}

impl Threshold {
    /// Evaluates the threshold for a run.
    pub fn judge(&self, progress: &Progress) -> Judgment {
        let value = self.quantity.value(progress);
        Judgment { value, holds: value.is_some_and(|value| self.relation.holds(value, self.value)) }
    }

    /// Returns true if it can be certain before a run ends that the threshold does not hold.
    fn can_be_lost(&self) -> bool {
        match self.quantity.trend() {
            Some(Direction::Max) => self.relation.is_upper(),
            Some(Direction::Min) => !self.relation.is_upper(),
            None => false,
        }
    }

    /// The value with which the threshold can no longer hold, whatever follows; `None` if it still can. `new`
    /// are the trials that were added since the last call.
    pub fn lost(&self, progress: &Progress, new: &[Arc<Trial>]) -> Option<f64> {
        if !self.can_be_lost() {
            return None;
        }
        let value = match &self.quantity {
            ThresholdQuantity::Most(metric) => extreme(new, metric, Direction::Max),
            ThresholdQuantity::Least(metric) => extreme(new, metric, Direction::Min),
            other => other.value(progress),
        };
        value.filter(|&value| !self.relation.holds(value, self.value))
    }

    /// Checks that an evaluated point has the metric of the threshold.
    ///
    /// # Errors
    /// [`ThresholdError::Metric`] if the metric is not among `metrics`.
    pub fn check(&self, metrics: &Metrics) -> Result<(), ThresholdError> {
        match self.quantity.metric() {
            Some(metric) if !metrics.contains_key(metric) => {
                let known: Vec<&str> = metrics.keys().map(String::as_str).collect();
                let unit = unit_hint(metric, &known);
                let near = nearest(metric, known.iter().copied());
                let near = near.first().filter(|_| unit.is_none());
                let near = near.map(|near| (*near).to_owned());
                let (threshold, metric) = (self.to_string(), metric.to_owned());
                let known = known.join(", ");
                Err(ThresholdError::Metric { threshold, metric, near, unit, known })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Progress {
        let objectives = ["accuracy:max", "latency_ms:min"].map(|text| text.parse().unwrap());
        let mut progress = Progress::new(objectives.to_vec(), 0);
        progress.enter("all");
        let done = |accuracy, latency_ms, reward, valid| Outcome::Done {
            metrics: Metrics::from([
                ("accuracy".to_owned(), accuracy),
                ("latency_ms".to_owned(), latency_ms),
            ]),
            reward,
            valid,
        };
        let outcomes = [
            done(0.5, 1.0, 0.5, true),
            done(0.75, 3.0, 0.25, true),
            done(1.0, 5.0, 2.0, false),
            Outcome::Failed { metrics: Metrics::new(), reason: "no".to_owned() },
        ];
        for (step, outcome) in (0..).zip(outcomes) {
            let trial = Trial { step, phase: 0, point: vec![0], text: Default::default(), outcome };
            progress.add(Arc::new(trial)).unwrap();
        }
        progress
    }

    #[test]
    fn quantities_are_what_their_names_say() {
        let progress = progress();
        let value = |name: &str| {
            let threshold: Threshold = format!("{name} > 0").parse().unwrap();
            assert_eq!(threshold.to_string(), format!("{name} > 0"));
            threshold.judge(&progress).value
        };
        for (name, expected) in [
            ("best.accuracy", 0.5),
            ("max.accuracy", 0.75),
            ("min.latency_ms", 1.0),
            ("max.latency_ms", 3.0),
            ("reward", 0.5),
            // From 0.5 and 5 ms: two points improve on neither bound, one by 0.25 and 2 ms.
            ("hypervolume", 0.5),
            ("frontier", 3.0),
            ("trials", 4.0),
            ("valid", 2.0),
            ("failed", 1.0),
            ("failed_share", 0.25),
        ] {
            assert_eq!(value(name), Some(expected), "{name}");
        }
        assert_eq!(value("best.area_mm2"), None);
    }

    #[test]
    fn without_a_value_nothing_holds() {
        let nothing = Progress::new(Vec::new(), 0);
        for (text, holds) in [
            ("trials < 1", true),
            ("failed <= 0", true),
            ("failed_share < 1", false),
            ("hypervolume < 1", false),
            ("reward > -1e9", false),
            ("best.accuracy < 1", false),
        ] {
            assert_eq!(text.parse::<Threshold>().unwrap().judge(&nothing).holds, holds, "{text}");
        }
    }

    #[test]
    fn a_threshold_is_lost_where_nothing_can_mend_it() {
        let progress = progress();
        let lost = |text: &str| {
            let threshold: Threshold = text.parse().unwrap();
            threshold.lost(&progress, progress.trials())
        };
        for (text, expected) in [
            ("failed < 1", Some(1.0)),
            ("failed <= 1 or stop", None),
            ("trials <= 3 or stop", Some(4.0)),
            ("valid < 3", None),
            ("reward <= 0.25", Some(0.5)),
            ("max.latency_ms < 3", Some(3.0)),
            ("min.accuracy > 0.5 or stop", Some(0.5)),
            // May still come about, or go away.
            ("valid >= 100", None),
            ("min.latency_ms < 0.5", None),
            ("best.accuracy < 0.1", None),
            ("failed_share < 0.1", None),
        ] {
            assert_eq!(lost(text), expected, "{text}");
        }
        let threshold: Threshold = "max.latency_ms < 3".parse().unwrap();
        assert_eq!(threshold.lost(&progress, &progress.trials()[2..]), None);
        let refused = "valid >= 9 or stop".parse::<Threshold>().unwrap_err().to_string();
        assert!(
            refused.starts_with("threshold `valid >= 9 or stop` cannot stop a run"),
            "{refused}"
        );
        let text = "failed < 3 or stop";
        assert_eq!(text.parse::<Threshold>().unwrap().to_string(), text);
    }

    #[test]
    fn what_is_no_threshold_is_refused() {
        let refusal = |text: &str| text.parse::<Threshold>().unwrap_err().to_string();
        for text in ["", "valid", "> 3", "valid == 3", "valid > x", "valid > inf", "a b > 1"] {
            assert_eq!(
                refusal(text),
                format!(
                    "`{text}` is not a threshold; write it like `best.accuracy >= 0.93` or `valid >= \
                     100` (<, <=, >, >=)"
                )
            );
        }
        assert_eq!(
            refusal("hypervolum > 1_000"),
            "threshold `hypervolum > 1_000`: there is no quantity `hypervolum` (is `hypervolume` \
             meant?); there are reward, hypervolume, frontier, trials, valid, failed, failed_share, \
             and best.METRIC, max.METRIC, min.METRIC"
        );
        let threshold: Threshold = "best.acuracy >= 0.9".parse().unwrap();
        let metrics = Metrics::from([("accuracy".to_owned(), 0.5), ("area".to_owned(), 1.0)]);
        assert_eq!(
            threshold.check(&metrics).unwrap_err().to_string(),
            "threshold `best.acuracy >= 0.9` is about `acuracy`, which evaluate(point) does not give \
             (is `accuracy` meant?); it gives accuracy, area"
        );
    }
}
