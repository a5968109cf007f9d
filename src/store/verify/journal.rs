//! Checks of the trials and checkpoints of runs.

use super::super::error::StoreError;
use super::super::format::entry_codec::{self, JournalRecord};
use super::super::format::keys;
use super::super::format::record::RunRecord;
use super::super::format::trial::Trial;
use super::super::format::trial_block::TrialBlock;
use super::super::store::Store;
use super::{Findings, IMPORT};
use crate::util::checksum;

impl Store {
    /// Checks the trials of a run, and the numbers of trials and phases in its record.
    pub(super) fn verify_journal(&self, run: &RunRecord, findings: &mut Findings) {
        let place = format!("run `{}`", run.name);
        let again = format!("`tandem resume {} --fork` searches anew, or {IMPORT}", run.name);
        let count = match self.trial_count(&run.name) {
            Ok(count) => count,
            Err(error) => return findings.damage(place, text(&error), again),
        };
        findings.trials += count;
        if run.trials > count {
            let what = format!("its record counts {} trials, and {count} are there", run.trials);
            findings.damage(&place, what, &again);
        }
        for (index, phase) in run.phases.iter().enumerate() {
            if phase.index as usize != index {
                let what = format!("phase {index} says that it is phase {}", phase.index);
                findings.damage(&place, what, &again);
            }
            let after = index.checked_sub(1).map_or(0, |before| run.phases[before].first_step);
            if phase.first_step > count || phase.first_step < after {
                let what = format!(
                    "phase {index} begins with trial {}, and the phase before with {after}; the \
                     run has {count}",
                    phase.first_step
                );
                findings.damage(&place, what, &again);
            }
        }
        let mut journal =
            Journal { run, place: &place, remedy: &again, findings, failed: 0, same: None };
        let all_read = journal.entries(self);
        let failed = journal.failed;
        // A sweep counts pairs, which are no trials.
        if all_read && run.sweep.is_none() && run.trials <= count && failed != run.failed {
            let what = format!(
                "its record counts {} failed trials of {}, and {failed} are there",
                run.failed, run.trials
            );
            findings.damage(place, what, again);
        }
    }

    /// Checks that the tree of journals contains only trials of existing runs.
    pub(super) fn verify_journal_keys(&self, findings: &mut Findings) {
        let mut lost: Option<(String, u64)> = None;
        let mut known = String::new();
        self.walk("journal", &self.journal, findings, |findings, key, _| {
            let Some(run) = keys::run(key) else {
                let place = format!("tree `journal`, `{}`", key.escape_ascii());
                return findings.damage(place, "is no trial's key", "nothing reads it");
            };
            if run == known {
                return;
            }
            match &mut lost {
                Some((name, entries)) if name == run => *entries += 1,
                _ if self.runs.contains_key(run).unwrap_or(true) => run.clone_into(&mut known),
                _ => {
                    if let Some(lost) = lost.replace((run.to_owned(), 1)) {
                        tell_lost(&lost, findings);
                    }
                }
            }
        });
        if let Some(lost) = lost {
            tell_lost(&lost, findings);
        }
    }

    /// Checks the checkpoints of runs.
    pub(super) fn verify_checkpoints(&self, findings: &mut Findings) {
        self.walk("checkpoints", &self.checkpoints, findings, |findings, key, value| {
            findings.checkpoints += 1;
            let (Some(run), Some(step)) = (keys::run(key), keys::step(key)) else {
                let place = format!("tree `checkpoints`, `{}`", key.escape_ascii());
                return findings.damage(place, "is no checkpoint's key", "nothing reads it");
            };
            let place = format!("run `{run}`, checkpoint {step}");
            if checksum::body(value).is_none() {
                let remedy = format!(
                    "`tandem resume {run}` takes the one before, or `--fork` searches anew"
                );
                findings.damage(&place, "has another hash", remedy);
            }
            if !self.runs.contains_key(run).unwrap_or(true) {
                return findings.damage(place, "there is no such run", IMPORT);
            }
            match self.run(run) {
                // A record that cannot be read is told with the others.
                Err(_) => {}
                // A sweep's checkpoints count networks.
                Ok(record) if record.sweep.is_some() => {}
                Ok(_) => {
                    let count = self.trial_count(run).unwrap_or(u64::MAX);
                    if step > count {
                        let what = format!("covers more than the {count} trials of the run");
                        findings.damage(place, what, IMPORT);
                    }
                }
            }
        });
    }
}

/// The check of one run's journal.
struct Journal<'a> {
    run: &'a RunRecord,
    place: &'a str,
    remedy: &'a str,
    findings: &'a mut Findings,
    /// The number of failed trials among those that the run's record counts.
    failed: u64,
    /// A series of trials with the same flaw, which the next trial may continue: the first step, the last
    /// step and the flaw.
    same: Option<(u64, u64, String)>,
}

impl Journal<'_> {
    /// Checks every record of the journal; returns true if all of them are right.
    fn entries(&mut self, store: &Store) -> bool {
        let before = self.findings.damages;
        let (mut next, mut first_single) = (0, None);
        for entry in store.journal.scan_prefix(keys::prefix(&self.run.name)) {
            let (key, value) = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let what = format!("cannot be read: {}", text(&store.failed(error)));
                    self.damage(next, next, what);
                    return false;
                }
            };
            // A key without a step is told with the keys.
            let Some(step) = keys::step(&key) else { continue };
            let length = if entry_codec::is_packed(&value) { TrialBlock::LEN } else { 1 };
            if step < next {
                let what = "lies within the stretch of trials before it";
                self.damage(step, step + length - 1, what);
                continue;
            }
            if step > next {
                self.damage(next, step - 1, "missing");
            }
            next = step + length;
            match entry_codec::read(&key, &value) {
                Err(error) => self.damage(step, next - 1, error.to_string()),
                Ok(JournalRecord::Single(entry)) => {
                    first_single = first_single.or(Some(step));
                    self.trial(step, &entry.trial);
                }
                Ok(JournalRecord::Packed(block))
                    if block.first() != step
                        || !step.is_multiple_of(TrialBlock::LEN)
                        || block.len() as u64 != TrialBlock::LEN =>
                {
                    self.damage(step, next - 1, "the stretch is out of place");
                }
                Ok(JournalRecord::Packed(block)) => {
                    for (at, step) in (0..block.len()).zip(step..) {
                        self.trial(step, &block.entry(at).trial);
                    }
                }
            }
        }
        self.tell();
        let packed = next - next % TrialBlock::LEN;
        if let Some(step) = first_single.filter(|&step| step < packed) {
            self.damage(step, packed - 1, "not packed, though the stretch is full");
        }
        self.findings.damages == before
    }

    fn trial(&mut self, step: u64, trial: &Trial) {
        let counts = step < self.run.trials && trial.outcome.reward().is_none();
        self.failed += u64::from(counts);
        let Some(what) = fault(self.run, step, trial) else { return };
        match &mut self.same {
            Some((_, last, known)) if *last + 1 == step && *known == what => *last = step,
            _ => {
                self.tell();
                self.same = Some((step, step, what));
            }
        }
    }

    /// Reports the last series of trials with the same flaw.
    fn tell(&mut self) {
        if let Some((first, last, what)) = self.same.take() {
            self.add(first, last, what);
        }
    }

    fn damage(&mut self, first: u64, last: u64, what: impl Into<String>) {
        self.tell();
        self.add(first, last, what);
    }

    fn add(&mut self, first: u64, last: u64, what: impl Into<String>) {
        let place = match last - first {
            0 => format!("{}, trial {first}", self.place),
            _ => format!("{}, trials {first} to {last}", self.place),
        };
        self.findings.damage(place, what, self.remedy);
    }
}

/// The fault of a trial, compared with its place and its run's record.
fn fault(run: &RunRecord, step: u64, trial: &Trial) -> Option<String> {
    if trial.step != step {
        return Some(format!("says that it is trial {}", trial.step));
    }
    if let Some(what) = trial.not_finite() {
        return Some(format!("has {what}, which is not a finite number"));
    }
    // A sweep has phases only when it is done.
    let entered = run.phases.partition_point(|phase| phase.first_step <= step);
    if run.sweep.is_none() && trial.phase as usize + 1 != entered {
        return Some(match entered {
            0 => "is in no phase of the run's record".to_owned(),
            _ => format!("says that it is in phase {}, and is in {}", trial.phase, entered - 1),
        });
    }
    None
}

fn tell_lost((run, entries): &(String, u64), findings: &mut Findings) {
    let place = format!("run `{run}`");
    let what = format!("there is no such run, and the journal has {entries} entries of it");
    findings.damage(place, what, IMPORT);
}

/// Returns the message of an error, without the path of the store if it is damaged.
fn text(error: &StoreError) -> String {
    match error {
        StoreError::Damaged { what, .. } => what.clone(),
        other => other.to_string(),
    }
}
