//! The evaluation of a study's runs, scenario by scenario.

use rayon::prelude::*;

use super::exact::SweptPairs;
use super::experiments::Experiments;
use crate::cli::common::error::CliError;
use tandem::metrics::Origin;
use tandem::pareto::Objective;
use tandem::run::RunError;
use tandem::store::{RunRecord, Store, StoreError, StudyRecord, Trial};
use tandem::study::{Optimum, Outcomes, RunSummary, StudyPlan, compare};
use tandem::sweep::stored_frontier;
use tandem::util::deep_stack::pool;

/// The relative amount by which a reward may exceed the best of all pairs through rounding.
const ROUNDING: f64 = 1e-9;

/// A scenario with the outcomes of its strategies.
pub struct ScenarioVerdict {
    /// The scenario's name.
    pub name: String,
    /// The text of the reward.
    pub reward: String,
    /// The objectives of the frontier.
    pub objectives: Vec<Objective>,
    /// The runs of each strategy, in the order of the study.
    pub strategies: Vec<(String, Vec<RunSummary>)>,
    /// The outcomes of the strategies and their differences.
    pub outcomes: Outcomes,
    /// The shares of the best reward for which reports give the steps to reach them.
    pub fractions: Vec<f64>,
    /// The exact best pairs.
    pub exact: Option<ExactBest>,
    /// True if accuracies are predicted.
    pub predicted: bool,
    /// The origins of the numbers.
    pub origins: Vec<Origin>,
}

/// The exact best pairs of a scenario.
pub struct ExactBest {
    /// The sweep's name.
    pub sweep: String,
    /// The best pairs.
    pub target: Optimum,
    /// The number of pairs that satisfy the constraints.
    pub valid: u64,
    /// The points of the exact frontier.
    pub frontier: Vec<Trial>,
}

/// Evaluates the finished runs of a study on a number of threads.
pub fn judge(
    store: &Store,
    plan: &StudyPlan,
    study: &StudyRecord,
    experiments: &Experiments,
    swept: Option<&SweptPairs>,
    threads: usize,
) -> Result<Vec<ScenarioVerdict>, CliError> {
    let pool =
        pool(threads).map_err(|source| CliError::Run(RunError::Threads { threads, source }))?;
    let scenario =
        |(name, _): &(String, _)| judge_scenario(store, plan, study, experiments, swept, name);
    pool.install(|| plan.scenarios.0.iter().map(scenario).collect())
}

fn judge_scenario(
    store: &Store,
    plan: &StudyPlan,
    study: &StudyRecord,
    experiments: &Experiments,
    swept: Option<&SweptPairs>,
    name: &str,
) -> Result<ScenarioVerdict, CliError> {
    let mut judged = ScenarioVerdict {
        name: name.to_owned(),
        reward: "as the function `reward` of the script says".to_owned(),
        objectives: Vec::new(),
        strategies: Vec::new(),
        outcomes: Outcomes { best_known: None, strategies: Vec::new(), differences: Vec::new() },
        fractions: plan.fractions.clone(),
        exact: None,
        predicted: false,
        origins: Vec::new(),
    };
    for entry in experiments.of_scenario(name) {
        let script = &entry.loaded().script;
        let names: Vec<String> = (0..plan.repeats)
            .map(|repeat| StudyPlan::run_name(&study.name, name, &entry.strategy, repeat))
            .collect();
        let runs = names.iter().map(|run| store.run(run)).collect::<Result<Vec<_>, _>>()?;
        if judged.strategies.is_empty() {
            if let Some(objective) = script.objective() {
                judged.reward = objective.to_string();
                judged.exact = swept.and_then(|swept| exact_best(swept, objective, &runs));
            }
            judged.objectives = runs.first().map(|run| run.objectives.clone()).unwrap_or_default();
        }
        judged.predicted |= runs.iter().any(RunRecord::is_predicted);
        for origin in runs.iter().flat_map(|run| &run.origins) {
            if !judged.origins.contains(origin) {
                judged.origins.push(origin.clone());
            }
        }
        let target = judged.exact.as_ref().map(|exact| &exact.target);
        let course = |run: &String| {
            let trials = store.trials(run)?;
            let reward = |metrics: &_| script.reward(metrics);
            RunSummary::of(trials, reward, target, &judged.objectives)
        };
        // A store's iterator reads ahead of no other: each run is read by one thread.
        let courses: Result<Vec<RunSummary>, StoreError> = names.par_iter().map(course).collect();
        judged.strategies.push((entry.strategy.clone(), courses?));
    }
    refuse_better(&judged)?;
    let target = judged.exact.as_ref().map(|exact| &exact.target);
    judged.outcomes = compare(name, &judged.strategies, target, &plan.fractions, plan.seed);
    Ok(judged)
}

fn exact_best(
    swept: &SweptPairs,
    objective: &tandem::pareto::Weighted,
    runs: &[RunRecord],
) -> Option<ExactBest> {
    let (target, valid) = swept.target(objective)?;
    let mut record = swept.record.clone();
    if let Some(run) = runs.first() {
        record.objectives.clone_from(&run.objectives);
    }
    let frontier = stored_frontier(&record, &swept.trials).into_iter().cloned().collect();
    Some(ExactBest { sweep: record.name, target, valid, frontier })
}

/// Refuses a sweep whose best reward a run exceeds, as its numbers then differ from the run's.
fn refuse_better(judged: &ScenarioVerdict) -> Result<(), CliError> {
    let Some(exact) = &judged.exact else { return Ok(()) };
    let best = exact.target.best().unwrap_or(f64::NEG_INFINITY);
    for (strategy, courses) in &judged.strategies {
        for (course, repeat) in courses.iter().zip(1u64..) {
            if course.score() > best + ROUNDING * best.abs() {
                return Err(CliError::Run(RunError::Sweep(format!(
                    "run {repeat} of strategy `{strategy}` on scenario `{}` has a reward of {}, above \
                     the best of all pairs of sweep `{}`, {best}; the scenario and `exact` must \
                     evaluate pairs alike",
                    judged.name,
                    course.score(),
                    exact.sweep
                ))));
            }
        }
    }
    Ok(())
}
