//! The progress of a run as seen from another process.

use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::cell::{Format, TableCell};
use super::number::number;
use super::rate::Rate;
use super::run_progress::{words_line, work_line};
use super::table::Table;
use super::terminal;
use crate::run::RunStats;
use crate::store::{LockOwner, RunRecord};

/// A snapshot of the progress of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchSnapshot {
    run: String,
    status: String,
    phase: Option<String>,
    trials: u64,
    steps: Option<u64>,
    valid: u64,
    failed: u64,
    best: Option<(f64, u64)>,
    frontier: u64,
    /// The numbers of finished and of all networks of a sweep.
    networks: Option<(u64, u64)>,
    process: Option<u32>,
}

impl WatchSnapshot {
    /// Creates a snapshot from the record of a run, its trials, and the process that works on it.
    pub fn new(run: &RunRecord, tally: &RunStats, holder: Option<&LockOwner>) -> Self {
        // The trials of a sweep come at its end.
        let sweep = run.sweep.as_ref();
        Self {
            run: run.name.clone(),
            status: run.status.to_string(),
            phase: run.phases.last().filter(|_| sweep.is_none()).map(|phase| phase.name.clone()),
            trials: tally.trials(),
            steps: run.end().filter(|_| sweep.is_none()),
            valid: tally.valid(),
            failed: tally.failed(),
            best: tally.best().filter(|_| sweep.is_none()).map(|best| (best.reward, best.step)),
            frontier: sweep.map_or(tally.frontier_len() as u64, |sweep| sweep.frontier),
            networks: sweep.map(|sweep| (sweep.done, sweep.networks)),
            process: holder.map(|holder| holder.process),
        }
    }

    /// The finished work, and all of it if that is known: trials, or networks of a sweep.
    fn work(&self) -> (u64, Option<u64>) {
        match self.networks {
            Some((done, all)) => (done, Some(all)),
            None => (self.trials, self.steps),
        }
    }

    const fn unit(&self) -> &'static str {
        if self.networks.is_some() { "networks" } else { "trials" }
    }

    /// The snapshot as one line, with its pace.
    pub fn line(&self, pace: &Pace) -> String {
        let phase = self.phase.as_ref().map_or_else(String::new, |name| format!(", phase {name}"));
        let counts = self.counts().map_or_else(String::new, |counts| format!(" ({counts})"));
        let (done, unit) = (self.done(), self.unit());
        let words = [self.found(), pace.words(self)].concat().join(", ");
        format!("{}: {}{phase}, {done} {unit}{counts}, {words}", self.run, self.status)
    }

    /// The snapshot as two lines that fit a terminal of `width` columns.
    fn lines(&self, pace: &Pace, width: usize) -> [String; 2] {
        let phase = self.phase.as_ref().map_or_else(String::new, |name| format!(", {name}"));
        let name = format!("{} {}{phase}", self.run, self.status);
        let (done, all) = self.work();
        let tail = [vec![self.done()], pace.words(self)].concat();
        let found = self.found().into_iter().chain(self.counts()).collect();
        [work_line(&name, all.map(|all| (done, all)), tail, width), words_line(found, width)]
    }

    fn done(&self) -> String {
        match self.work() {
            (done, Some(all)) => format!("{done}/{all}"),
            (done, None) => done.to_string(),
        }
    }

    /// The numbers of feasible and failed trials; `None` for a sweep, whose trials are stored at its end.
    fn counts(&self) -> Option<String> {
        let is_sweep = self.networks.is_some();
        (!is_sweep).then(|| format!("{} valid, {} failed", self.valid, self.failed))
    }

    /// The results so far, the most important first.
    fn found(&self) -> Vec<String> {
        let best = self.best.filter(|_| self.networks.is_none());
        let best = best.map(|(reward, _)| format!("best reward {}", number(reward)));
        best.into_iter().chain([format!("frontier {}", self.frontier)]).collect()
    }

    /// The snapshot as a table of one row, for other programs.
    pub fn table(&self, pace: &Pace) -> Table {
        let cells: [(&str, TableCell); 15] = [
            ("run", self.run.as_str().into()),
            ("status", self.status.as_str().into()),
            ("phase", self.phase.clone().into()),
            ("trials", self.trials.into()),
            ("steps", self.steps.into()),
            ("valid", self.valid.into()),
            ("failed", self.failed.into()),
            ("best_reward", self.best.map(|best| best.0).into()),
            ("best_step", self.best.map(|best| best.1).into()),
            ("frontier", self.frontier.into()),
            ("networks_done", self.networks.map(|networks| networks.0).into()),
            ("networks", self.networks.map(|networks| networks.1).into()),
            ("per_s", pace.per_s(self).into()),
            ("seconds_left", pace.left(self).into()),
            ("process", self.process.map(u64::from).into()),
        ];
        let (names, values): (Vec<_>, Vec<_>) = cells.into_iter().unzip();
        let mut table = Table::new(names);
        table.push(values);
        table
    }

    /// Writes the snapshot: a line for people, an object for other programs.
    ///
    /// # Errors
    /// An error of `out`.
    pub fn write(
        &self,
        pace: &Pace,
        format: Format,
        mut out: impl std::io::Write,
    ) -> std::io::Result<()> {
        match format {
            Format::Table => writeln!(out, "{}", self.line(pace))?,
            other => self.table(pace).write(other, &mut out)?,
        }
        out.flush()
    }
}

/// The pace of a run.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    rate: Rate,
}

impl Pace {
    /// Records the finished work of a snapshot.
    pub fn note(&mut self, at: Instant, sight: &WatchSnapshot) {
        self.rate.note(at, sight.work().0);
    }

    /// Recent trials or networks per second; `None` if that is unknown or no process works on the run.
    fn per_s(&self, sight: &WatchSnapshot) -> Option<f64> {
        self.rate.per_s().filter(|_| sight.process.is_some())
    }

    /// The seconds to the end at this pace; `None` if either is unknown or no process works on the run.
    fn left(&self, sight: &WatchSnapshot) -> Option<f64> {
        let (done, all) = sight.work();
        self.rate.seconds(all?.saturating_sub(done)).filter(|_| sight.process.is_some())
    }

    /// The pace and the remaining time, in words.
    fn words(&self, sight: &WatchSnapshot) -> Vec<String> {
        let per_s = self.per_s(sight).map(|per_s| format!("{} {}/s", number(per_s), sight.unit()));
        let left = self.left(sight).map(Duration::from_secs_f64);
        let left = left.map(|left| format!("{} left", HumanDuration(left)));
        per_s.into_iter().chain(left).collect()
    }
}

/// A view of a run on the terminal, kept up to date.
pub struct WatchBar {
    bar: ProgressBar,
}

impl Default for WatchBar {
    /// Creates a view of two lines that are redrawn.
    fn default() -> Self {
        let bar = ProgressBar::no_length();
        bar.set_draw_target(ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{prefix}\n{msg}") {
            bar.set_style(style);
        }
        Self { bar }
    }
}

impl WatchBar {
    /// Shows a snapshot.
    pub fn show(&self, sight: &WatchSnapshot, pace: &Pace) {
        let [work, found] = sight.lines(pace, terminal::width());
        self.bar.set_prefix(work);
        self.bar.set_message(found);
        self.bar.tick();
    }

    /// Removes the view from the terminal.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for WatchBar {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sight_is_one_line_and_its_pace_is_of_late() {
        let mut sight = WatchSnapshot {
            run: "x-1".to_owned(),
            status: "running".to_owned(),
            phase: Some("joint".to_owned()),
            trials: 0,
            steps: Some(1_000),
            valid: 0,
            failed: 0,
            best: None,
            frontier: 0,
            networks: None,
            process: Some(1),
        };
        let mut pace = Pace::default();
        let start = Instant::now();
        pace.note(start, &sight);
        assert_eq!(
            sight.line(&pace),
            "x-1: running, phase joint, 0/1000 trials (0 valid, 0 failed), frontier 0"
        );
        for second in 1..=40 {
            sight.trials = if second <= 5 { 0 } else { 10 * (second - 5) };
            pace.note(start + Duration::from_secs(second), &sight);
        }
        (sight.valid, sight.failed, sight.best, sight.frontier) = (300, 7, Some((0.5, 4)), 12);
        assert_eq!(
            sight.line(&pace),
            "x-1: running, phase joint, 350/1000 trials (300 valid, 7 failed), best reward 0.5, \
             frontier 12, 10 trials/s, 65 seconds left"
        );
        assert_eq!(
            sight.lines(&pace, 90),
            [
                "x-1 running, joint  ██████████░░░░░░░░░░░░░░░░░░░  350/1000  10 trials/s  65 seconds left",
                "best reward 0.5, frontier 12, 300 valid, 7 failed"
            ]
        );
        for width in 1..120 {
            let lines = sight.lines(&pace, width);
            assert!(lines.iter().all(|line| line.chars().count() < width.max(11)), "{lines:?}");
        }
        let mut json = Vec::new();
        sight.write(&pace, Format::Jsonl, &mut json).unwrap();
        assert_eq!(
            String::from_utf8(json).unwrap(),
            "{\"run\":\"x-1\",\"status\":\"running\",\"phase\":\"joint\",\"trials\":350,\"steps\":1000,\
             \"valid\":300,\"failed\":7,\"best_reward\":0.5,\"best_step\":4,\"frontier\":12,\
             \"networks_done\":null,\"networks\":null,\"per_s\":10.0,\"seconds_left\":65.0,\
             \"process\":1}\n"
        );
        sight.process = None;
        assert_eq!(
            sight.line(&pace),
            "x-1: running, phase joint, 350/1000 trials (300 valid, 7 failed), best reward 0.5, \
             frontier 12"
        );
        assert_eq!((pace.per_s(&sight), pace.left(&sight)), (None, None));
        sight.networks = Some((7, 9));
        sight.steps = None;
        sight.best = None;
        assert_eq!(
            sight.line(&Pace::default()),
            "x-1: running, phase joint, 7/9 networks, frontier 12"
        );
    }
}
