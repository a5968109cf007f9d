//! The report of a study as one page.

use super::tables;
use super::verdict::ScenarioVerdict;
use crate::cli::common::error::CliError;
use tandem::metrics::Origin;
use tandem::pareto::{Frontier, costs};
use tandem::report::{
    Curve, CurvePoint, FigureError, HtmlPage, Marks, curves, grouped, number, scatter,
};
use tandem::store::StudyRecord;
use tandem::study::statistics::{COVERAGE, Quartiles, RESAMPLES};
use tandem::study::{RunSummary, StudyPlan};

/// Renders the page: for each scenario, the curves of the strategies, their frontiers and the differences
/// with intervals.
pub fn page(
    plan: &StudyPlan,
    text: &str,
    study: &StudyRecord,
    judged: &[ScenarioVerdict],
) -> Result<String, CliError> {
    let mut page = HtmlPage::new(&format!("Study {}", study.name));
    let trials = judged.iter().flat_map(|j| &j.strategies).flat_map(|(_, courses)| courses);
    let trials: u64 = trials.map(|course| course.trials).sum();
    page.paragraph(&format!(
        "{}: {} scenarios x {} strategies x {} repeats (seeds {} to {}), {} runs, {} trials.",
        study.file,
        plan.scenarios.0.len(),
        plan.strategies.0.len(),
        plan.repeats,
        plan.seed,
        plan.seed + plan.repeats - 1,
        plan.runs(),
        grouped(trials.into())
    ));
    for judged in judged {
        scenario(&mut page, judged)?;
    }
    page.heading(2, "How to read this");
    page.paragraph(&format!(
        "Every run is judged by its scenario's reward, whatever its phases searched for; only pairs within \
         the scenario's limits count, and a run without one counts below all others. Curves and tables \
         give medians and quartiles over the repeats. Gaps are how far the best reward of the median run \
         is below that of the best pair of all; below 0 for the last of the best means among them. \
         Differences of medians have the percentile bootstrap interval of {} % ({} resamples, seed {}), \
         where each run has a pair within the limits; \"first ahead\" is how often a run of the first \
         strategy ends with more than one of the second, over all pairs of runs, equals counting half.",
        number(100.0 * COVERAGE),
        grouped(RESAMPLES as u128),
        plan.seed
    ));
    page.heading(2, "Where the numbers come from");
    let mut origins: Vec<&Origin> = judged.iter().flat_map(|judged| &judged.origins).collect();
    origins.sort();
    origins.dedup();
    origins.into_iter().for_each(|origin| page.paragraph(&origin.to_string()));
    page.folded("The study's file", |page| page.verbatim(text));
    page.note(&format!("tandem {}, study {}", study.program, study.name));
    Ok(page.finish())
}

fn scenario(page: &mut HtmlPage, judged: &ScenarioVerdict) -> Result<(), CliError> {
    page.heading(2, &judged.name);
    page.paragraph(&format!("Reward: {}", judged.reward));
    page.paragraph(&tables::known(judged));
    page.table(&tables::outcomes(judged));
    if let Some(drawing) = drawn(reward_curves(judged))? {
        let caption = "The best reward within the limits so far: median (line) and quartiles (band) over \
                       the repeats. A median begins where half of the runs have found a pair.";
        page.figure(&drawing, caption);
    }
    if let Some(drawing) = drawn(found(judged))? {
        let caption = "Small points: the non-dominated pairs within the limits that a strategy's runs \
                       found; triangles: the best pair of each run; grey: the exact frontier.";
        page.figure(&drawing, caption);
    }
    let differences = tables::differences(judged);
    if !differences.is_empty() {
        page.heading(3, "Differences");
        page.table(&differences);
    }
    page.folded("Every run", |page| page.table(&tables::runs(judged)));
    Ok(())
}

/// Returns a drawing, or `None` if there is nothing to draw.
fn drawn(drawing: Result<String, FigureError>) -> Result<Option<String>, CliError> {
    match drawing {
        Ok(drawing) => Ok(Some(drawing)),
        Err(FigureError::Empty) => Ok(None),
        Err(error) => Err(CliError::usage(error.to_string())),
    }
}

fn reward_curves(judged: &ScenarioVerdict) -> Result<String, FigureError> {
    let drawn: Vec<Curve> = judged
        .strategies
        .iter()
        .map(|(name, courses)| Curve { name: name.clone(), points: course_quartiles(courses) })
        .collect();
    let mut lines = Vec::new();
    if let Some(exact) = &judged.exact {
        lines.extend(exact.target.best().map(|best| ("best of all pairs".to_owned(), best)));
        let last = format!("number {}", exact.target.len());
        lines.extend(exact.target.last().map(|reward| (last, reward)));
    }
    let label = if judged.predicted { "best reward, accuracies predicted" } else { "best reward" };
    curves(&judged.name, label, &drawn, &lines)
}

/// The quartiles of the best rewards at each step at which one changes.
fn course_quartiles(courses: &[RunSummary]) -> Vec<CurvePoint> {
    let improved = courses.iter().flat_map(|course| &course.improvements).map(|best| best.step);
    let ends = courses.iter().map(|course| course.trials);
    let mut steps: Vec<u64> = improved.chain(ends).filter(|&step| step > 0).collect();
    steps.sort_unstable();
    steps.dedup();
    let at = |step| {
        let quartiles = Quartiles::of(courses.iter().map(|course| course.score_at(step)))?;
        let Quartiles { low, median, high } = quartiles;
        Some(CurvePoint { step, low, median, high })
    };
    steps.into_iter().filter_map(at).collect()
}

/// Draws the exact frontier and the frontier of each strategy, in the first two objectives.
fn found(judged: &ScenarioVerdict) -> Result<String, FigureError> {
    let [up, along, ..] = judged.objectives.as_slice() else { return Err(FigureError::Empty) };
    let place = |metrics: &tandem::metrics::Metrics| {
        Some((*metrics.get(&along.metric)?, *metrics.get(&up.metric)?))
    };
    let mut marks = Vec::new();
    if let Some(exact) = &judged.exact {
        let points: Vec<_> =
            exact.frontier.iter().filter_map(|trial| place(trial.outcome.metrics())).collect();
        let name = format!("exact frontier ({} points)", points.len());
        marks.push(Marks { name, color: None, large: false, points });
    }
    for (index, (name, courses)) in judged.strategies.iter().enumerate() {
        let mut frontier = Frontier::new();
        for (_, metrics) in courses.iter().flat_map(|course| course.frontier.members()) {
            if let Ok(costs) = costs(&judged.objectives, metrics) {
                frontier.offer(costs, metrics);
            }
        }
        let members = frontier.into_members();
        let points: Vec<_> = members.filter_map(|(_, metrics)| place(metrics)).collect();
        let name = format!("{name} ({} points)", points.len());
        marks.push(Marks { name, color: Some(index), large: false, points });
    }
    for (index, (name, courses)) in judged.strategies.iter().enumerate() {
        let best = courses.iter().filter_map(RunSummary::best);
        let points = best.filter_map(|best| place(&best.metrics)).collect();
        let name = format!("{name}, best of each run");
        marks.push(Marks { name, color: Some(index), large: true, points });
    }
    let note = if judged.predicted { "predicted" } else { "" };
    scatter(&judged.name, (&along.metric, &up.metric), note, &marks)
}
