//! The variables that an expression may mention.

use super::run_context::Facts;
use crate::store::Stretch;

/// The meaning of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Step,
    Phase,
    Reward,
    Valid,
    Failed,
    Reason,
    Run,
    /// The texts of all parts, or of the named ones.
    Point(Option<Vec<String>>),
    Metrics,
    Duration,
    FromCache,
    OnFrontier,
    Args,
    Seed,
    File,
    Settings,
    Metric(String),
    Part(String),
}

/// The variables of a trial beside its metrics and parts.
pub(super) static BUILT_IN: [(&str, Input); 16] = [
    ("step", Input::Step),
    ("phase", Input::Phase),
    ("reward", Input::Reward),
    ("valid", Input::Valid),
    ("failed", Input::Failed),
    ("reason", Input::Reason),
    ("run", Input::Run),
    ("point", Input::Point(None)),
    ("m", Input::Metrics),
    ("duration_s", Input::Duration),
    ("from_cache", Input::FromCache),
    ("on_frontier", Input::OnFrontier),
    ("args", Input::Args),
    ("seed", Input::Seed),
    ("file", Input::File),
    ("settings", Input::Settings),
];

/// The time that a trial took, in seconds.
pub(super) fn duration_s(stretch: &Stretch, at: usize) -> f64 {
    stretch.effort(at).seconds()
}

/// Returns true if a trial is on the frontier of its run; false if the frontier was not computed.
pub(super) fn on_frontier(facts: &Facts, stretch: &Stretch, at: usize) -> bool {
    facts.frontier.as_ref().is_some_and(|frontier| frontier.contains(&stretch.step(at)))
}
