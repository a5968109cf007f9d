//! The variables that an expression may mention.

use super::run_context::RunContext;
use crate::store::TrialBlock;

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
pub(super) fn duration_s(block: &TrialBlock, at: usize) -> f64 {
    block.effort(at).seconds()
}

/// Returns true if a trial is on the frontier of its run; false if the frontier was not computed.
pub(super) fn on_frontier(context: &RunContext, block: &TrialBlock, at: usize) -> bool {
    context.frontier.as_ref().is_some_and(|frontier| frontier.contains(&block.step(at)))
}
