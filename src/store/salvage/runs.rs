//! Salvage of runs: their records, trials and checkpoints.

use super::super::checkpoints::KEPT;
use super::super::disk::trees::Filling;
use super::super::engine::Tree;
use super::super::error::StoreError;
use super::super::format::entry_codec::{self, JournalRecord};
use super::super::format::keys;
use super::super::format::record::{Lost, PhaseRecord, RunRecord, Status};
use super::super::format::trial::{Entry, Outcome, Trial, TrialCost};
use super::super::format::trial_block::TrialBlock;
use super::finds::{Finds, Version};
use super::outcome::{Salvaged, SalvagedRun};

/// Writes all runs of which a record or a trial was found.
pub(super) fn fill(
    finds: &Finds,
    filling: &mut Filling,
    salvaged: &mut Salvaged,
) -> Result<(), StoreError> {
    for name in finds.names() {
        let found = finds.runs.get(&name);
        let whole = found.and_then(|record| record.whole.as_ref());
        let doubtful = found.and_then(|record| record.doubtful.as_ref());
        let has_trials = finds.blocks.contains_key(&name) || finds.trials.contains_key(&name);
        if found.is_none() && !has_trials {
            // A checkpoint alone is of no use.
            continue;
        }
        let mut record = match whole.or(doubtful) {
            Some(version) => version.content.clone(),
            None => unknown(&name),
        };
        let journal = Journal::of(&name, finds);
        if found.is_none() {
            record.phases = journal.phases();
        }
        // What is doubtful does not say how many trials there were.
        let expected = if whole.is_some() { record.trials } else { 0 };
        let gone = expected.saturating_sub(journal.end);
        // The trials of a sweep come all at once: there is no going on with them.
        let fill_up = record.sweep.is_some() && gone > 0;
        let end = if fill_up { expected } else { journal.end };
        let mut lost = journal.lost.clone();
        if fill_up {
            lost.push((journal.end, expected - 1));
        }
        let failed = journal.write(&record, end, filling)?;
        let checkpoints = checkpoints(&name, &record, end, finds);
        let tree = filling.tree(b"checkpoints")?;
        for (step, bytes) in &checkpoints {
            filling.insert(&tree, &keys::key(&name, *step), bytes)?;
        }
        let is_doubtful = whole.is_none() && doubtful.is_some();
        let run = SalvagedRun {
            trials: journal.trials,
            lost_at_end: if fill_up { 0 } else { gone },
            has_lost_record: found.is_none(),
            has_doubtful_record: is_doubtful,
            // What is left of a page that was overwritten looks like a newer one in a store that is whole.
            has_older_record: salvaged.damage.is_some()
                && whole.is_some_and(|whole| {
                    let is_newer = |other: &Version<RunRecord>| {
                        other.is_newer_than(whole) && other.content != whole.content
                    };
                    doubtful.is_some_and(is_newer)
                        || (record.sweep.is_none() && journal.phases().len() > record.phases.len())
                }),
            lost_sources: lost_sources(&record, finds),
            goes_on: lost.is_empty() && whole.is_some(),
            lost,
            name,
        };
        if !run.is_whole() {
            mend(&mut record, &run, end, &failed);
        }
        let bytes = serde_json::to_vec(&record).map_err(|error| StoreError::Encode {
            what: format!("run `{}`", run.name),
            reason: error.to_string(),
        })?;
        let tree = filling.tree(b"runs")?;
        filling.insert(&tree, run.name.as_bytes(), &bytes)?;
        salvaged.runs.push(run);
    }
    Ok(())
}

/// Returns a record for a run whose own record is lost.
fn unknown(name: &str) -> RunRecord {
    let status = Status::Failed { reason: "its record is lost".to_owned() };
    RunRecord { status, ..RunRecord::new(name, "") }
}

fn lost_sources(record: &RunRecord, finds: &Finds) -> Vec<String> {
    let sources = record.sources.iter();
    let lost = sources.filter(|(_, digest)| !finds.scripts.contains_key(digest.as_str()));
    lost.map(|(file, _)| file.clone()).collect()
}

/// Returns the last checkpoints of a run that cover no more than its salvaged trials.
fn checkpoints<'a>(
    name: &str,
    record: &RunRecord,
    end: u64,
    finds: &'a Finds,
) -> Vec<(u64, &'a [u8])> {
    let all = finds.checkpoints.get(name).into_iter().flatten();
    // Those of a sweep count its networks.
    let usable = all.filter(|&(&step, _)| record.sweep.is_some() || step <= end);
    let mut usable: Vec<(u64, &[u8])> =
        usable.map(|(&step, version)| (step, version.content.as_slice())).collect();
    usable.drain(..usable.len().saturating_sub(KEPT));
    usable
}

/// Adapts a run's record to the trials that are left.
fn mend(record: &mut RunRecord, run: &SalvagedRun, end: u64, failed: &[u64]) {
    let has_lost_record = run.has_lost_record || run.has_doubtful_record;
    if run.has_lost_record || record.trials > end || !run.lost.is_empty() {
        record.trials = end;
    }
    record.failed = failed.iter().filter(|&&step| step < record.trials).count() as u64;
    record.phases.retain(|phase| phase.first_step <= end);
    if run.lost_at_end > 0 && record.status == Status::Finished {
        record.status = Status::Interrupted;
    }
    if !run.lost.is_empty() || has_lost_record {
        record.lost = Some(Lost { trials: run.lost.clone(), record: has_lost_record });
    }
}

/// The salvaged trials of a block.
enum Piece<'a> {
    /// The packed block.
    Block(&'a [u8]),
    /// Unpacked trials as stored, by step.
    Trials(Vec<(u64, &'a [u8])>),
}

/// The salvaged trials of a run.
struct Journal<'a> {
    name: &'a str,
    /// The trials by the number of their block.
    pieces: Vec<(u64, Piece<'a>)>,
    /// The step after the last salvaged trial.
    end: u64,
    /// The number of salvaged trials.
    trials: u64,
    /// The first and the last step of each series of lost trials before the end.
    lost: Vec<(u64, u64)>,
}

impl<'a> Journal<'a> {
    fn of(name: &'a str, finds: &'a Finds) -> Self {
        let mut pieces: Vec<(u64, Piece<'a>)> = Vec::new();
        let blocks = finds.blocks.get(name);
        for (&number, version) in blocks.into_iter().flatten() {
            pieces.push((number, Piece::Block(&version.content)));
        }
        let is_packed = |number: u64| blocks.is_some_and(|blocks| blocks.contains_key(&number));
        for (&step, version) in finds.trials.get(name).into_iter().flatten() {
            let number = step / TrialBlock::LEN;
            // What is left of before they were packed.
            if is_packed(number) {
                continue;
            }
            match pieces.last_mut() {
                Some((last, Piece::Trials(trials))) if *last == number => {
                    trials.push((step, &version.content));
                }
                _ => pieces.push((number, Piece::Trials(vec![(step, &version.content)]))),
            }
        }
        pieces.sort_by_key(|(number, _)| *number);
        let mut journal = Self { name, pieces: Vec::new(), end: 0, trials: 0, lost: Vec::new() };
        for (number, piece) in &pieces {
            match piece {
                Piece::Block(_) => journal.found(number * TrialBlock::LEN, TrialBlock::LEN),
                Piece::Trials(trials) => {
                    trials.iter().for_each(|&(step, _)| journal.found(step, 1))
                }
            }
        }
        journal.pieces = pieces;
        journal
    }

    /// Returns the phases of the run as far as its trials show them.
    fn phases(&self) -> Vec<PhaseRecord> {
        let mut phases: Vec<PhaseRecord> = Vec::new();
        let mut note = |index: u32, step: u64| {
            for index in phases.len() as u32..=index {
                phases.push(PhaseRecord {
                    index,
                    name: format!("phase {index}"),
                    first_step: step,
                    steps: None,
                    digest: String::new(),
                });
            }
        };
        let entry = |step: u64, value: &[u8]| entry_codec::read(&keys::key(self.name, step), value);
        for (number, piece) in &self.pieces {
            match piece {
                Piece::Block(value) => {
                    if let Ok(JournalRecord::Packed(block)) = entry(number * TrialBlock::LEN, value)
                    {
                        let steps = 0..block.len();
                        steps.for_each(|at| note(block.phase(at), block.step(at)));
                    }
                }
                Piece::Trials(trials) => {
                    for (step, value) in trials {
                        if let Ok(JournalRecord::Single(entry)) = entry(*step, value) {
                            note(entry.trial.phase, *step);
                        }
                    }
                }
            }
        }
        // What comes before the first trial that was found is of the first phase.
        if let Some(first) = phases.first_mut() {
            first.first_step = 0;
        }
        phases
    }

    fn found(&mut self, step: u64, count: u64) {
        if step > self.end {
            self.lost.push((self.end, step - 1));
        }
        self.end = step + count;
        self.trials += count;
    }

    /// Writes the trials up to the step `end`, and failed trials in place of lost ones; returns the steps of
    /// all failed trials.
    fn write(
        &self,
        record: &RunRecord,
        end: u64,
        filling: &mut Filling,
    ) -> Result<Vec<u64>, StoreError> {
        let tree = filling.tree(b"journal")?;
        let mut failed = Vec::new();
        let mut pieces = self.pieces.iter().peekable();
        for number in 0..end.div_ceil(TrialBlock::LEN) {
            let first = number * TrialBlock::LEN;
            let last = (first + TrialBlock::LEN).min(end);
            let piece = pieces.next_if(|(found, _)| *found == number).map(|(_, piece)| piece);
            let key = keys::key(self.name, first);
            let trials = match piece {
                Some(Piece::Block(value)) => {
                    if let Ok(JournalRecord::Packed(block)) = entry_codec::read(&key, value) {
                        let places = 0..block.len();
                        let lost = places.filter(|&at| block.reason(at).is_some());
                        failed.extend(lost.map(|at| block.step(at)));
                    }
                    filling.insert(&tree, &key, value)?;
                    continue;
                }
                Some(Piece::Trials(trials)) => trials.as_slice(),
                None => &[],
            };
            let mut found = trials.iter().peekable();
            let mut entries = Vec::new();
            for step in first..last {
                let value = found.next_if(|(at, _)| *at == step).map(|(_, value)| *value);
                let entry = value.and_then(|value| {
                    match entry_codec::read(&keys::key(self.name, step), value) {
                        Ok(JournalRecord::Single(entry)) if entry.trial.step == step => {
                            Some(*entry)
                        }
                        _ => None,
                    }
                });
                entries.push(entry.unwrap_or_else(|| placeholder(record, step)));
            }
            let of_outcome = entries.iter().filter(|entry| entry.trial.outcome.failure().is_some());
            failed.extend(of_outcome.map(|entry| entry.trial.step));
            self.write_entries(&entries, filling, &tree)?;
        }
        Ok(failed)
    }

    /// Writes the trials of a block, packed if it is full.
    fn write_entries(
        &self,
        entries: &[Entry],
        filling: &mut Filling,
        tree: &Tree,
    ) -> Result<(), StoreError> {
        let packed = super::super::packing::pack(self.name, &[], entries)?;
        packed.written.iter().try_for_each(|(key, value)| filling.insert(tree, key, value))
    }
}

/// Returns a failed trial to replace a lost one.
fn placeholder(record: &RunRecord, step: u64) -> Entry {
    let phases = record.phases.iter().filter(|phase| phase.first_step <= step);
    let trial = Trial {
        step,
        phase: phases.map(|phase| phase.index).max().unwrap_or(0),
        point: Vec::new(),
        text: std::collections::BTreeMap::new(),
        outcome: Outcome::Failed {
            metrics: std::collections::BTreeMap::new(),
            reason: "it was lost with a damaged store".to_owned(),
        },
    };
    Entry { trial, effort: TrialCost::default() }
}
