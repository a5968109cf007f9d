//! The report of a check.

use std::io::{self, Write};

use super::probe::Tried;
use tandem::accuracy::training_cache::TrainingEstimate;
use tandem::metrics::{Origin, Trust};
use tandem::report::{Format, Table, duration, grouped, number};
use tandem::run::{DryRunEnd, DryRunPhase, Experiment, Threshold};
use tandem::script::{Services, SweepPlan};
use tandem::session::Loaded;
use tandem::space::Space;

/// The time that the store takes per trial, in seconds (docs/benchmarks.md, commits of 64 trials).
const STORE_S: f64 = 15e-6;

/// The maximum number of phases that are listed.
const LISTED: usize = 8;

/// Rows of names and values, in groups.
#[derive(Default)]
pub struct Report {
    groups: Vec<(&'static str, Vec<(String, String)>)>,
}

impl Report {
    fn group(&mut self, title: &'static str) -> &mut Vec<(String, String)> {
        self.groups.push((title, Vec::new()));
        // Just pushed.
        let last = self.groups.len() - 1;
        &mut self.groups[last].1
    }

    /// Adds the parts of the space, the effect of their rules, and the number of points.
    pub fn space(&mut self, space: &Space) {
        let rows = self.group("Space");
        for part in space.parts() {
            let domain = &part.domain;
            let (kind, choices) = (domain.kind(), domain.choices().len());
            let text = format!("{kind}: {} points, {choices} choices", grouped(domain.count()));
            rows.push((format!("part {}", part.name), text));
        }
        for part in space.parts() {
            for (what, points) in part.domain.rules() {
                let points = points.map_or_else(
                    || "too many points to be counted".to_owned(),
                    |points| format!("{} points", grouped(points)),
                );
                rows.push((format!("rule of {}", part.name), format!("{what}: {points}")));
            }
        }
        let count = space.count().map_or_else(|| "2^128 or more".to_owned(), grouped);
        rows.push(("space".into(), format!("{count} points")));
    }

    /// Adds the values of the arguments.
    pub fn arguments(&mut self, loaded: &Loaded) {
        let args = loaded.script.args().into_iter();
        let args = args.map(|(name, value)| (format!("args.{name}"), value)).collect();
        *self.group("Arguments") = args;
    }

    /// Adds the metrics of the points that were evaluated.
    pub fn metrics(&mut self, tried: &Tried) {
        let rows = self.group("Metrics");
        let Some(last) = tried.metrics.last() else { return };
        for (name, value) in last {
            let values = || tried.metrics.iter().filter_map(|metrics| metrics.get(name));
            let text = if tried.made_up.contains(name) {
                "by training, which is left out here".to_owned()
            } else {
                let least = values().copied().fold(f64::INFINITY, f64::min);
                let most = values().copied().fold(f64::NEG_INFINITY, f64::max);
                let points = tried.metrics.len();
                let (value, least, most) = (number(*value), number(least), number(most));
                format!("{value} at one point, {least} to {most} at {points}")
            };
            rows.push((format!("metric {name}"), text));
        }
    }

    /// Adds the phases of the rehearsal.
    pub fn phases(&mut self, tried: &Tried, runs: bool) {
        let rows = self.group("Phases");
        let Some(dry_run) = &tried.dry_run else { return };
        if runs && dry_run.phases.is_empty() {
            rows.push(("first phase".into(), "none: the schedule ends at once".into()));
        }
        for (index, phase) in dry_run.phases.iter().take(LISTED).enumerate() {
            let name =
                if index == 0 { "first phase".to_owned() } else { format!("phase {}", index + 1) };
            rows.push((name, in_words(phase)));
        }
        let (count, trials) = (dry_run.phases.len(), dry_run.progress.steps());
        let phases = phases(count);
        let trials = grouped(trials.into());
        let text = match &dry_run.end {
            DryRunEnd::Schedule => {
                format!("{phases}, {trials} trials if all goes on as it was tried out")
            }
            DryRunEnd::Limit => {
                format!("{trials} trials, the limit `steps`, in {phases}")
            }
            DryRunEnd::Cut => format!("more than the {phases} that could be tried out"),
            DryRunEnd::Failed(_) => format!("unknown after {phases}"),
        };
        if count > 0 {
            rows.push(("all phases".into(), text));
        }
    }

    /// Adds the thresholds of a run and the objectives of a sweep.
    pub fn goals(&mut self, thresholds: &[Threshold], plan: Option<&SweepPlan>) {
        let rows = self.group("Goals");
        rows.extend(thresholds.iter().map(|t| ("threshold".into(), t.to_string())));
        for goal in plan.iter().flat_map(|plan| &plan.goals) {
            rows.push((format!("objective {}", goal.name), goal.objective.to_string()));
        }
    }

    /// Adds the estimated cost of a run and of a sweep.
    pub fn cost(&mut self, loaded: &Loaded, tried: &Tried, runs: bool, plan: Option<&SweepPlan>) {
        let rows = self.group("Cost");
        if tried.points == 0 {
            return;
        }
        if !tried.seconds.is_empty() {
            let at = |percent: usize| tried.seconds[(tried.seconds.len() - 1) * percent / 100];
            let (low, median, high) = (duration(at(5)), duration(at(50)), duration(at(95)));
            let text = format!("{median} a point, most from {low} to {high}");
            rows.push(("evaluation".into(), text));
        }
        if let Some(first_s) = tried.first_s.filter(|&first_s| first_s > 0.1) {
            rows.push(("first point".into(), format!("{}: tables are read", duration(first_s))));
        }
        rows.extend(training_row("training", tried));
        if !tried.of_summary.is_empty() {
            let (count, seconds) = (tried.of_summary.len(), total(&tried.of_summary));
            let text = format!("{count} trainings, about {}", duration(seconds));
            rows.push(("summary trains".into(), text));
        }
        if runs {
            time_rows(rows, loaded, tried);
            repeats_row(rows, loaded.script.space(), tried);
        }
        if plan.is_some_and(SweepPlan::is_of_points) {
            rows.extend(sweep_row(loaded, tried));
        }
        if let Some(bytes) = peak_bytes() {
            let most = tried.left_out.iter().chain(&tried.of_summary).map(|one| one.bytes).max();
            let training = most.map_or_else(String::new, |most| {
                format!(", and up to {} for a training", size(most as f64))
            });
            rows.push(("memory".into(), format!("{} so far{training}", size(bytes as f64))));
        }
        if let (Some(bytes), Some(dry_run)) = (tried.stored_bytes, &tried.dry_run) {
            let all = bytes * dry_run.trials() as f64;
            let least = if dry_run.end == DryRunEnd::Cut { "at least " } else { "" };
            let text =
                format!("about {} bytes a trial, {least}{} in all", bytes.round(), size(all));
            rows.push(("store".into(), text));
        }
    }

    /// Adds the origins of the numbers.
    pub fn sources(&mut self, services: &Services) {
        let rows = self.group("Numbers");
        for Origin { trust, source } in services.provenance().origins {
            rows.push((trust.map_or("", Trust::word).to_owned(), source));
        }
    }

    /// Writes the rows, for people in groups, for programs as names and values.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, format: Format, mut out: impl Write) -> io::Result<()> {
        let groups = self.groups.iter().filter(|(_, rows)| !rows.is_empty());
        if format != Format::Table {
            let mut table = Table::of_properties(format);
            for (name, value) in groups.flat_map(|(_, rows)| rows) {
                table.push(vec![name.as_str().into(), value.as_str().into()]);
            }
            return table.write(format, out);
        }
        let names = self.groups.iter().flat_map(|(_, rows)| rows);
        let width = names.map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (index, (title, rows)) in groups.enumerate() {
            writeln!(out, "{}{title}", if index > 0 { "\n" } else { "" })?;
            for (name, value) in rows {
                writeln!(out, "  {name:width$}  {value}")?;
            }
        }
        Ok(())
    }
}

fn in_words(phase: &DryRunPhase) -> String {
    let DryRunPhase { name, controller, search, steps, valid, .. } = phase;
    let steps = steps.map_or_else(String::new, |n| format!(", {n} trials at most"));
    let valid = valid.map_or_else(String::new, |n| format!(" or {n} valid"));
    format!("{name}: {controller} searches {}{steps}{valid}", search.join(", "))
}

fn training_row(name: &str, tried: &Tried) -> Option<(String, String)> {
    let most = tried.left_out.iter().map(|training| training.bytes).max();
    let stored = match tried.found {
        0 => String::new(),
        found => format!("; {found} that were asked for are in the store"),
    };
    let text = match most {
        Some(most) => format!(
            "{} of {} points need one, up to {} of memory, about {} each; left out here{stored}",
            tried.untrained,
            tried.points,
            size(most as f64),
            duration(total(&tried.left_out) / tried.left_out.len() as f64),
        ),
        None if tried.found > 0 => {
            format!("all {} that were asked for are in the store", tried.found)
        }
        None => return None,
    };
    Some((name.to_owned(), text))
}

fn total(trainings: &[TrainingEstimate]) -> f64 {
    trainings.iter().map(|training| training.seconds).sum()
}

/// The mean time of an evaluation, in seconds.
fn mean_s(tried: &Tried) -> f64 {
    match tried.seconds.as_slice() {
        [] => 0.0,
        seconds => seconds.iter().sum::<f64>() / seconds.len() as f64,
    }
}

/// The estimated duration of a sweep of all points; `None` if evaluations were not timed.
fn sweep_row(loaded: &Loaded, tried: &Tried) -> Option<(String, String)> {
    let points = loaded.script.space().count().filter(|_| !tried.seconds.is_empty())?;
    let takes = points as f64 * mean_s(tried) / loaded.threads() as f64;
    Some(("sweep takes".into(), format!("about {}", duration(takes))))
}

/// Adds the estimated durations of the phases.
fn time_rows(rows: &mut Vec<(String, String)>, loaded: &Loaded, tried: &Tried) {
    let Some(dry_run) = &tried.dry_run else { return };
    let mean = mean_s(tried);
    let training_s = total(&tried.left_out) / tried.left_out.len().max(1) as f64;
    let takes = |index: usize, phase: &DryRunPhase| {
        let trials = phase.trials as f64;
        // A controller that waits for each reward keeps one processor busy.
        let at_once = loaded.threads().min(phase.batch) as f64;
        let asked = phase.asked.max(1) as f64;
        let different_trainings =
            tried.trainings.get(index).map_or(0, std::collections::BTreeSet::len);
        // A phase that asks for one training again and again pays for it once.
        let trained = match different_trainings {
            0 | 1 => different_trainings as f64,
            _ => trials * different_trainings as f64 / asked,
        };
        let space = loaded.script.space();
        let evaluations = different_points(space, phase);
        let per_trial = phase.controller_s + STORE_S;
        trials * per_trial + evaluations * mean / at_once + trained * training_s
    };
    let Some(first) = dry_run.phases.first() else { return };
    rows.push(("controller".into(), format!("{} a trial", duration(first.controller_s))));
    let text = format!("about {}", duration(takes(0, first)));
    rows.push(("first phase takes".into(), text));
    if dry_run.phases.len() > 1 && dry_run.end != DryRunEnd::Cut {
        let phases = dry_run.phases.iter().enumerate();
        let all: f64 = phases.map(|(index, phase)| takes(index, phase)).sum();
        rows.push(("all phases take".into(), format!("about {}", duration(all))));
    }
}

/// The expected number of distinct points among a phase's trials if they were drawn at random.
fn different_points(space: &Space, phase: &DryRunPhase) -> f64 {
    let searched = space.parts().iter().filter(|part| phase.search.contains(&part.name));
    let points: f64 = searched.map(|part| part.domain.count() as f64).product();
    let trials = phase.trials as f64;
    // Different ones among so many draws: n (1 - (1 - 1/n)^t), which logarithms keep exact for large n.
    let different = -points * (trials * (-1.0 / points).ln_1p()).exp_m1();
    different.min(trials)
}

/// Adds the expected share of repeated points in the first phase, if they were drawn at random.
fn repeats_row(rows: &mut Vec<(String, String)>, space: &Space, tried: &Tried) {
    let first = tried.dry_run.as_ref().and_then(|dry_run| dry_run.phases.first());
    let Some(phase) = first.filter(|phase| phase.trials > 0) else { return };
    let repeats = 1.0 - different_points(space, phase) / phase.trials as f64;
    if repeats >= 0.005 {
        let text = format!(
            "{} % of the first phase's trials, were they drawn by chance; they cost nothing again",
            number((1e3 * repeats).round() / 10.0)
        );
        rows.push(("repeats".into(), text));
    }
}

fn size(bytes: f64) -> String {
    match bytes {
        0.0..1e6 => format!("{} kB", number((bytes / 1e2).round() / 10.0)),
        _ => format!("{} MB", number((bytes / 1e5).round() / 10.0)),
    }
}

fn phases(count: usize) -> String {
    format!("{count} phase{}", if count == 1 { "" } else { "s" })
}

/// The peak memory of the process in bytes, where the system reports it.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
