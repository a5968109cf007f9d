//! The metrics of a swept pair, and objectives over them.

use crate::pareto::{Direction, Limit, Term, Weighted};

/// A metric that a sweep provides for every pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SweepMetric {
    /// The network's accuracy, a fraction.
    Accuracy,
    /// The latency of a batch, in ms.
    LatencyMs,
    /// The accelerator's area, in mm2.
    AreaMm2,
    /// The paper's performance per area: 1 / (latency x area), in 1/s/cm2.
    ImgSCm2,
}

/// Accuracy, latency and area of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Values {
    /// The accuracy, a fraction.
    pub accuracy: f64,
    /// The latency of a batch, in ms.
    pub latency_ms: f64,
    /// The area, in mm2.
    pub area_mm2: f64,
}

impl SweepMetric {
    /// Every metric.
    pub const ALL: [Self; 4] = [Self::Accuracy, Self::LatencyMs, Self::AreaMm2, Self::ImgSCm2];

    /// The name, including the unit.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::LatencyMs => "latency_ms",
            Self::AreaMm2 => "area_mm2",
            Self::ImgSCm2 => "img_s_cm2",
        }
    }

    /// The metric with the given name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// The direction of improvement.
    pub const fn direction(self) -> Direction {
        match self {
            Self::Accuracy | Self::ImgSCm2 => Direction::Max,
            Self::LatencyMs | Self::AreaMm2 => Direction::Min,
        }
    }

    /// Its value for a pair.
    pub fn value(self, pair: Values) -> f64 {
        match self {
            Self::Accuracy => pair.accuracy,
            Self::LatencyMs => pair.latency_ms,
            Self::AreaMm2 => pair.area_mm2,
            Self::ImgSCm2 => 1e5 / (pair.latency_ms * pair.area_mm2),
        }
    }

    /// Returns true if the metric depends on latency.
    const fn has_latency(self) -> bool {
        matches!(self, Self::LatencyMs | Self::ImgSCm2)
    }
}

/// Reasons that an objective cannot be swept.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SweepObjectiveError {
    /// A metric that the sweep does not provide.
    #[error(
        "objective `{goal}` is about `{metric}`, which the sweep does not produce; it produces {}",
        names()
    )]
    Metric {
        /// The objective's name.
        goal: String,
        /// The metric.
        metric: String,
    },
    /// A term that rewards a worse value.
    #[error(
        "objective `{goal}` rewards {} {metric}; a sweep takes objectives that want {}",
        if *.direction == Direction::Max { "less" } else { "more" },
        if *.direction == Direction::Max { "more of it" } else { "less of it" }
    )]
    Direction {
        /// The objective's name.
        goal: String,
        /// The metric.
        metric: &'static str,
        /// The metric's direction of improvement.
        direction: Direction,
    },
    /// A constraint that forbids better values.
    #[error(
        "objective `{goal}` has the limit `{limit}`; a sweep takes limits that forbid the bad end: \
         {} of {metric}",
        if *.direction == Direction::Max { "the least" } else { "the most" }
    )]
    Limit {
        /// The objective's name.
        goal: String,
        /// The limit.
        limit: String,
        /// The metric.
        metric: &'static str,
        /// The metric's direction of improvement.
        direction: Direction,
    },
    /// An objective without a weight other than 0.
    #[error("objective `{goal}` has no weight other than 0")]
    Nothing {
        /// The objective's name.
        goal: String,
    },
    /// A weight or a range that is not finite, or a range with equal ends.
    #[error(
        "objective `{goal}`: {metric} has weight {} and range [{}, {}]; they must be finite, and \
         the ends of the range differ",
        .term.weight, .term.worst, .term.best
    )]
    Term {
        /// The objective's name.
        goal: String,
        /// The metric.
        metric: String,
        /// The term, with weight and range.
        term: Term,
    },
}

fn names() -> String {
    SweepMetric::ALL.map(SweepMetric::name).join(", ")
}

/// An objective that can be swept: it never gets worse with higher accuracy, lower latency or smaller area.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepObjective {
    name: String,
    weighted: Weighted,
    terms: Vec<(SweepMetric, Term)>,
    limits: Vec<(SweepMetric, Limit)>,
}

impl SweepObjective {
    /// Creates a sweepable objective with a name.
    ///
    /// # Errors
    /// Returns an error for a metric that a sweep does not provide, for a weight or constraint against its
    /// metric's direction, for a term that is not finite, and without any weight.
    pub fn new(name: &str, weighted: &Weighted) -> Result<Self, SweepObjectiveError> {
        let goal = || name.to_owned();
        let known = |metric: &String| {
            SweepMetric::of(metric)
                .ok_or_else(|| SweepObjectiveError::Metric { goal: goal(), metric: metric.clone() })
        };
        let mut terms = Vec::new();
        for (metric_name, &term) in &weighted.terms {
            let metric = known(metric_name)?;
            let Term { weight, worst, best } = term;
            if ![weight, worst, best].iter().all(|x| x.is_finite()) || worst == best {
                return Err(SweepObjectiveError::Term {
                    goal: goal(),
                    metric: metric_name.clone(),
                    term,
                });
            }
            let rises = weight / (best - worst) > 0.0;
            if weight != 0.0 && rises != (metric.direction() == Direction::Max) {
                let (metric, direction) = (metric.name(), metric.direction());
                return Err(SweepObjectiveError::Direction { goal: goal(), metric, direction });
            }
            terms.push((metric, term));
        }
        let mut limits = Vec::new();
        for limit in &weighted.limits {
            let metric = known(&limit.metric)?;
            if limit.relation.is_upper() != (metric.direction() == Direction::Min) {
                let (metric, direction) = (metric.name(), metric.direction());
                let limit = limit.to_string();
                return Err(SweepObjectiveError::Limit { goal: goal(), limit, metric, direction });
            }
            limits.push((metric, limit.clone()));
        }
        if terms.iter().all(|(_, term)| term.weight == 0.0) {
            return Err(SweepObjectiveError::Nothing { goal: goal() });
        }
        Ok(Self { name: goal(), weighted: weighted.clone(), terms, limits })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The underlying objective.
    pub const fn weighted(&self) -> &Weighted {
        &self.weighted
    }

    /// Returns true if there is a constraint.
    pub fn is_limited(&self) -> bool {
        !self.limits.is_empty()
    }

    /// Returns true if a constraint depends on latency.
    pub(super) fn limits_latency(&self) -> bool {
        self.limits.iter().any(|(metric, _)| metric.has_latency())
    }

    /// Returns true if a pair satisfies all constraints.
    pub fn holds(&self, pair: Values) -> bool {
        self.limits.iter().all(|(metric, limit)| limit.holds(metric.value(pair)))
    }

    /// Returns true if an accuracy satisfies the constraints on accuracy.
    pub(super) fn holds_accuracy(&self, accuracy: f64) -> bool {
        let of_accuracy = |metric: &SweepMetric| *metric == SweepMetric::Accuracy;
        self.limits.iter().all(|(metric, limit)| !of_accuracy(metric) || limit.holds(accuracy))
    }

    /// The weighted sum, regardless of constraints.
    pub fn sum(&self, pair: Values) -> f64 {
        let mut sum = 0.0;
        for (metric, term) in &self.terms {
            sum += term.of(metric.value(pair));
        }
        sum
    }

    /// The sum of the relative excesses over violated constraints.
    pub fn excess(&self, pair: Values) -> f64 {
        self.limits.iter().map(|(metric, limit)| limit.excess(metric.value(pair))).sum()
    }
}
