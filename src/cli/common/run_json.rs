//! The outcome of a run as one JSON object.

use serde_json::{Map, Value, json};

use crate::cli::common::efforts::{Took, TrialCosts};
use crate::cli::common::error::CliError;
use crate::cli::common::origins::all_origins;
use crate::cli::common::output::print_json;
use tandem::run::{Experiment, Progress};
use tandem::script::SummaryTable;
use tandem::session::Loaded;
use tandem::store::{Outcome, Reader, RunRecord, Trial};

/// Prints the outcome of a run.
///
/// It has counts, phases, the best trial, the frontier, thresholds, the script's own tables, origins, and the
/// time of this process and the results it took from the cache.
pub fn print(
    loaded: &Loaded,
    store: &dyn Reader,
    record: &RunRecord,
    progress: &Progress,
    took: Option<Took>,
    tables: &[SummaryTable],
) -> Result<(), CliError> {
    let trial_of = |trial: &Trial| trial_object(record, trial);
    let phases: Vec<Value> = progress
        .phases()
        .iter()
        .map(|phase| {
            let best = phase.best.as_ref();
            json!({
                "phase": phase.name,
                "trials": phase.steps,
                "valid": phase.valid,
                "best_reward": best.and_then(|best| best.outcome.reward()),
                "best_step": best.map(|best| best.step),
            })
        })
        .collect();
    let judged = |threshold: &tandem::run::Threshold| {
        let judgment = threshold.judge(progress);
        json!({
            "threshold": threshold.to_string(),
            "value": judgment.value,
            "holds": judgment.holds,
        })
    };
    let tables = tables
        .iter()
        .map(|table| json!({ "title": table.title, "columns": table.columns, "rows": table.rows }));
    let session = match took {
        Some(took) => Some(took.efforts(store, record, progress)?.reused),
        None => None,
    };
    let objectives = progress.objectives().iter().map(ToString::to_string);
    let frontier = progress.frontier();
    let object = json!({
        "run": record.name,
        "status": record.status.to_string(),
        "seed": record.seed,
        "trials": progress.steps(),
        "valid": progress.valid(),
        "failed": progress.failed(),
        "points": loaded.script.space().count().and_then(|points| u64::try_from(points).ok()),
        "phases": phases,
        "best": progress.best().map(|best| trial_of(best)),
        "objectives": objectives.collect::<Vec<_>>(),
        "frontier": frontier.into_iter().map(|trial| trial_of(trial)).collect::<Vec<_>>(),
        "thresholds": loaded.script.thresholds().iter().map(judged).collect::<Vec<_>>(),
        "summary": tables.collect::<Vec<_>>(),
        "origins": all_origins(loaded, record),
        "known_before": TrialCosts::of(store, record)?.reused,
        "session_trials": took.map(|took| took.trials),
        "session_known_before": session,
        "seconds": took.map(|took| took.time.as_secs_f64()),
        "trials_per_s": took.map(Took::per_s),
    });
    print_json(&object)
}

/// A trial with its point and outcome.
fn trial_object(record: &RunRecord, trial: &Trial) -> Value {
    let phase = record.phases.get(trial.phase as usize).map(|phase| phase.name.as_str());
    let mut object = Map::new();
    object.insert("step".into(), trial.step.into());
    object.insert("phase".into(), phase.into());
    object.insert("metrics".into(), json!(trial.outcome.metrics()));
    match &trial.outcome {
        Outcome::Done { reward, valid, .. } => {
            object.insert("reward".into(), json!(reward));
            object.insert("valid".into(), json!(valid));
        }
        Outcome::Failed { reason, .. } => {
            object.insert("failed".into(), json!(reason));
        }
    }
    object.insert("point".into(), json!(trial.text));
    Value::Object(object)
}
