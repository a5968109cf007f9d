//! The progress of a run, as lines of a given width.

use std::time::{Duration, Instant};

use super::number::{duration, grouped, number};
use super::rate::Rate;
use super::table::elided;
use crate::run::Progress;
use crate::store::TrialCost;

/// The time after which another log line is due.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The time after which another log line is due if a tenth of the work was done meanwhile.
const LINE_AFTER: Duration = Duration::from_secs(1);

/// The minimum length of a bar, in columns; shorter ones are left out.
const SHORTEST_BAR: usize = 8;

/// The displayed progress of a run.
#[derive(Clone, Debug)]
pub(super) struct RunProgress {
    /// The limit of trials of the run.
    limit: Option<u64>,
    phase: String,
    /// The limits of the phase: trials, and feasible trials.
    most: (Option<u64>, Option<u64>),
    /// The number of trials of the run; `in_phase` has those of the phase, and the feasible ones among them.
    steps: u64,
    in_phase: (u64, u64),
    failed: u64,
    /// The best reward of the phase, with its step.
    best: Option<(f64, u64)>,
    frontier: usize,
    /// Trials since the program started, and those among them of which something was cached.
    made: (u64, u64),
    trials: Rate,
    valid: Rate,
    /// The current training run, in words.
    training: Option<String>,
    entered: Instant,
    /// The time of the last log line, and the work done by then.
    said: (Instant, u64),
}

impl RunProgress {
    /// Creates the progress of a run with at most `limit` trials.
    pub(super) fn new(limit: Option<u64>, now: Instant) -> Self {
        Self {
            limit,
            phase: String::new(),
            most: (None, None),
            steps: 0,
            in_phase: (0, 0),
            failed: 0,
            best: None,
            frontier: 0,
            made: (0, 0),
            trials: Rate::default(),
            valid: Rate::default(),
            training: None,
            entered: now,
            said: (now, 0),
        }
    }

    /// Enters a phase that ends after `steps` trials or after `valid` feasible ones.
    pub(super) fn enter(
        &mut self,
        name: &str,
        steps: Option<u64>,
        valid: Option<u64>,
        now: Instant,
    ) {
        name.clone_into(&mut self.phase);
        self.most = (steps, valid);
        self.in_phase = (0, 0);
        self.best = None;
        self.valid = Rate::default();
        self.entered = now;
        self.said = (now, 0);
    }

    /// Records new trials.
    pub(super) fn add(&mut self, efforts: &[TrialCost], progress: &Progress, now: Instant) {
        let new = efforts.len() as u64;
        self.steps = progress.steps();
        self.failed = progress.failed();
        self.frontier = progress.frontier_len();
        let known = efforts.iter().filter(|effort| !effort.reused.is_nothing()).count() as u64;
        self.made = (self.made.0 + new, self.made.1 + known);
        if self.made.0 == new {
            // What was stored before took none of the time.
            self.trials.note(self.entered, self.steps - new);
            self.said.1 = self.work().map_or(0, |(done, _)| done.saturating_sub(new));
        }
        self.trials.note(now, self.steps);
        if let Some(phase) = progress.phases().last() {
            self.in_phase = (phase.steps, phase.valid);
            self.valid.note(now, phase.valid);
            let best = phase.best.as_ref();
            self.best = best.and_then(|best| Some((best.outcome.reward()?, best.step)));
        }
        self.training = None;
    }

    /// Records the current training run.
    pub(super) fn train(&mut self, text: String) {
        self.training = Some(text);
    }

    /// The number of finished trials, and its limit: of the run if that is limited, else of the phase.
    fn work(&self) -> Option<(u64, u64)> {
        match self.limit {
            Some(limit) => Some((self.steps, limit)),
            None => Some((self.in_phase.0, self.most.0?)),
        }
    }

    /// The remaining time, in words; `None` if it is unknown.
    fn left(&self) -> Option<String> {
        let (done, all) = self.work()?;
        let by_trials = self.trials.seconds(all.saturating_sub(done))?;
        if self.limit.is_some() {
            // The schedule may end the run before its limit is reached.
            let in_phase = self.most.0.map_or(0, |most| most.saturating_sub(self.in_phase.0));
            let is_sure = self.most.1.is_none() && self.steps + in_phase >= all;
            let at_most = if is_sure { "" } else { "at most " };
            return Some(format!("{at_most}{} left", duration(by_trials)));
        }
        let valid =
            self.most.1.and_then(|most| self.valid.seconds(most.saturating_sub(self.in_phase.1)));
        let seconds = valid.map_or(by_trials, |by_valid| by_valid.min(by_trials));
        Some(format!("{} left of the phase", duration(seconds)))
    }

    fn done(&self) -> String {
        match self.work() {
            Some((done, all)) => format!("{}/{}", grouped(done.into()), grouped(all.into())),
            None => grouped(self.steps.into()),
        }
    }

    fn per_s(&self) -> Option<String> {
        Some(format!("{}/s", short(self.trials.per_s()?)))
    }

    /// The results so far, the most important first.
    fn found(&self) -> Vec<String> {
        let best = match self.best {
            Some((reward, step)) => format!("best {} at {step}", number(reward)),
            None => "no best yet".to_owned(),
        };
        let mut found = vec![best, format!("frontier {}", self.frontier)];
        found.push(format!("{} failed", grouped(self.failed.into())));
        let (made, known) = self.made;
        if known > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a share for people")]
            let share = 100.0 * known as f64 / made as f64;
            found.push(format!("{share:.0} % known before"));
        }
        if let (_, Some(most)) = self.most {
            found.push(format!(
                "{}/{} valid",
                grouped(self.in_phase.1.into()),
                grouped(most.into())
            ));
        }
        found
    }

    /// The progress as two lines that fit a terminal of `width` columns.
    pub(super) fn lines(&self, width: usize) -> [String; 2] {
        let mut tail = vec![self.done()];
        tail.extend(self.per_s());
        tail.extend(self.left());
        let mut found = self.found();
        if let Some(training) = &self.training {
            found.insert(0, training.clone());
        }
        [work_line(&self.phase, self.work(), tail, width), words_line(found, width)]
    }

    /// The progress as a log line, if one is due.
    pub(super) fn line(&mut self, now: Instant) -> Option<String> {
        let since = now.duration_since(self.said.0);
        let work = self.work();
        let tenth =
            work.is_some_and(|(done, all)| done.saturating_sub(self.said.1) >= (all / 10).max(1));
        let due = since >= LINE_EVERY || (tenth && since >= LINE_AFTER);
        if !due {
            return None;
        }
        self.said = (now, work.map_or(self.steps, |(done, _)| done));
        let mut parts = vec![format!("{}: {} trials", self.phase, self.done())];
        parts.extend(self.per_s());
        parts.extend(self.found());
        parts.extend(self.training.clone());
        parts.extend(self.left());
        Some(parts.join(", "))
    }
}

/// The usable columns of a line of a terminal. The last column stays free, as some terminals break the line
/// there.
fn room(width: usize) -> usize {
    width.saturating_sub(1).max(10)
}

/// A line that fits a terminal: a name, a bar of the finished share of the work, and the words of `tail`, of
/// which the most important come first.
pub(super) fn work_line(
    name: &str,
    work: Option<(u64, u64)>,
    mut tail: Vec<String>,
    width: usize,
) -> String {
    let width = room(width);
    // What does not fit beside a few letters of the name is left out, the last first.
    while tail.len() > 1 && columns(&tail.join("  ")) + 10 > width {
        tail.pop();
    }
    let tail = tail.join("  ");
    let free = width.saturating_sub(columns(&tail) + 2);
    let short = elided(name, free.min((width / 3).max(10)));
    let bar = match (work, free.checked_sub(columns(&short) + 2)) {
        (Some((done, all)), Some(length)) if length >= SHORTEST_BAR => Some(bar(done, all, length)),
        _ => None,
    };
    let line = match bar {
        Some(bar) => format!("{short}  {bar}  {tail}"),
        None => format!("{}  {tail}", elided(name, free)),
    };
    elided(&line, width)
}

/// Joins as many words, the most important first, as fit a line of a terminal.
pub(super) fn words_line(mut words: Vec<String>, width: usize) -> String {
    let width = room(width);
    while words.len() > 1 && columns(&words.join(", ")) > width {
        words.pop();
    }
    elided(&words.join(", "), width)
}

/// Formats a rate: with two decimals below 10, else as a whole number.
fn short(per_s: f64) -> String {
    match per_s {
        0.0..10.0 => number((per_s * 1e2).round() / 1e2),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        _ => grouped(per_s.round() as u128),
    }
}

/// A bar of `length` columns.
fn bar(done: u64, all: u64, length: usize) -> String {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "columns of a terminal"
    )]
    let full = ((done as f64 / all.max(1) as f64).min(1.0) * length as f64) as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(length - full))
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::store::{Outcome, Reused, Trial};

    fn progress(trials: u64) -> Progress {
        let mut progress = Progress::new(Vec::new(), 0);
        progress.enter("img_s_cm2 >= 147.8");
        for step in 0..trials {
            let metrics = BTreeMap::from([("accuracy".to_owned(), step as f64)]);
            let outcome =
                Outcome::Done { metrics, reward: 0.25 * step as f64, valid: step % 2 == 0 };
            let trial = Trial { step, phase: 0, point: vec![], text: BTreeMap::new(), outcome };
            progress.add(Arc::new(trial)).unwrap();
        }
        progress
    }

    /// A run with 900 stored trials, and 100 more within a second.
    fn course(limit: Option<u64>) -> (RunProgress, Instant) {
        let start = Instant::now();
        let mut course = RunProgress::new(limit, start);
        course.enter("img_s_cm2 >= 147.8", Some(9_000), None, start);
        let known = TrialCost { micros: 1, reused: Reused::METRICS };
        let mut efforts = vec![TrialCost::default(); 75];
        efforts.extend([known; 25]);
        course.add(&efforts, &progress(1_000), start + Duration::from_secs(1));
        (course, start)
    }

    #[test]
    fn lines_fit_every_width() {
        let (mut course, _) = course(None);
        assert_eq!(
            course.lines(100),
            [
                "img_s_cm2 >= 147.8  ███░░░░░░░░░░░░░░░░░░░░░░░░░░  1,000/9,000  100/s  1 min 20 s left of the phase",
                "best 249.5 at 998, frontier 1, 0 failed, 25 % known before"
            ]
        );
        assert_eq!(
            course.lines(40),
            ["img_s_cm2 >= 147.8  1,000/9,000  100/s", "best 249.5 at 998, frontier 1, 0 failed"]
        );
        course.train("epoch 1/2: loss 2.303, accuracy 10.0 %, 812 images/s, 3 s left".to_owned());
        for width in 1..250 {
            for line in course.lines(width) {
                assert!(columns(&line) < width.max(11), "{width}: {line}");
            }
        }
        assert!(course.lines(200)[1].starts_with("epoch 1/2: loss 2.303"));
    }

    #[test]
    fn what_is_left_is_of_the_run_where_that_is_known() {
        let left = |limit| course(limit).0.left().unwrap();
        assert_eq!(left(Some(2_000)), "10 s left");
        // More phases may come, or none.
        assert_eq!(left(Some(20_000)), "at most 3 min 10 s left");
        assert_eq!(left(None), "1 min 20 s left of the phase");
        let (mut course, start) = course(None);
        course.most.1 = Some(600);
        course.add(&[TrialCost::default(); 20], &progress(1_020), start + Duration::from_secs(2));
        // 20 trials a second of late in the second, and 10 of them valid.
        assert_eq!(course.left().unwrap(), "9.0 s left of the phase");
    }

    #[test]
    fn lines_of_a_log_are_sparse() {
        let (mut course, start) = course(Some(2_000));
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(course.line(at(1_000)), None);
        course.add(&[TrialCost::default(); 100], &progress(1_100), at(1_500));
        assert_eq!(
            course.line(at(1_500)).unwrap(),
            "img_s_cm2 >= 147.8: 1,100/2,000 trials, 133/s, best 274.5 at 1098, frontier 1, 0 failed, \
             12 % known before, 6.7 s left"
        );
        assert_eq!(course.line(at(2_000)), None);
        assert_eq!(course.line(at(11_400)), None);
        assert!(course.line(at(11_500)).is_some());
    }
}
