//! The records found in the files of a store: the newest version of each that can be verified.
//!
//! Records of a journal have a checksum of key and value, the key of a script is the hash of its text, and
//! checkpoints, training runs and estimates follow their own hash. Records of runs and studies have no
//! checksum: those from a damaged page are used only if there is no other version.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::disk::migration;
use super::super::format::record::RunRecord;
use super::super::format::trial::Entry;
use super::super::format::trial_block::TrialBlock;
use super::super::format::{entry_codec, keys};
use super::super::image::Finder;
use super::super::studies::StudyRecord;
use super::carve::{carve, carve_names};
use crate::store::layout::{FORMAT, FORMAT_KEY};
use crate::util::checksum::body;

/// The number of the database, then the position in the log: the greater, the newer.
type Age = (u8, i64);

/// A version of a record.
#[derive(Debug)]
pub(super) struct Version<T> {
    age: Age,
    pub content: T,
}

impl<T> Version<T> {
    /// Returns true if this version is newer than another.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        self.age > other.age
    }
}

/// The versions of the record of a run or a study.
#[derive(Debug)]
pub(super) struct RecordVersions<T> {
    /// The newest version from an intact page.
    pub whole: Option<Version<T>>,
    /// The newest version from a damaged page.
    pub doubtful: Option<Version<T>>,
}

impl<T> Default for RecordVersions<T> {
    fn default() -> Self {
        Self { whole: None, doubtful: None }
    }
}

/// Values by run and step.
type BySteps = BTreeMap<String, BTreeMap<u64, Version<Vec<u8>>>>;
/// Values by key.
type ByKeys = BTreeMap<String, Version<Vec<u8>>>;

/// The records found in the files of a store.
#[derive(Debug, Default)]
pub(super) struct Finds {
    pub runs: BTreeMap<String, RecordVersions<RunRecord>>,
    pub studies: BTreeMap<String, RecordVersions<StudyRecord>>,
    /// Packed blocks of trials as stored in a journal, by run and number of the block.
    pub blocks: BySteps,
    /// Unpacked trials as stored in a journal, by run and step.
    pub trials: BySteps,
    /// Checkpoints, by run and number of trials that they cover.
    pub checkpoints: BySteps,
    pub scripts: ByKeys,
    pub trainings: ByKeys,
    pub estimates: ByKeys,
    /// The version of a layout newer than this program knows, if one was found.
    pub newer: Option<u32>,
    /// True if the version of a layout was found.
    has_format: bool,
    /// The number of the database that is being read. Records of a later database replace those of earlier
    /// ones.
    database: u8,
    /// Values with unknown keys, and damaged bytes that may contain records.
    unplaced: Vec<Vec<u8>>,
}

/// Keeps a version if no newer one is known.
fn keep<T>(place: &mut Option<Version<T>>, age: Age, content: T) {
    if place.as_ref().is_none_or(|known| known.age <= age) {
        *place = Some(Version { age, content });
    }
}

fn keep_in<K: Ord>(all: &mut BTreeMap<K, Version<Vec<u8>>>, key: K, age: Age, content: &[u8]) {
    let is_newest = all.get(&key).is_none_or(|known| known.age <= age);
    if is_newest {
        all.insert(key, Version { age, content: content.to_vec() });
    }
}

/// Keeps the record of a run or a study if its name ends with `key`, whose beginning may be lost; returns
/// true if it does.
fn keep_record<T>(
    all: &mut BTreeMap<String, RecordVersions<T>>,
    name: String,
    key: &[u8],
    age: Age,
    record: T,
    is_whole: bool,
) -> bool {
    let is_of_key = !name.is_empty() && name.as_bytes().ends_with(key);
    if is_of_key {
        let known = all.entry(name).or_default();
        keep(if is_whole { &mut known.whole } else { &mut known.doubtful }, age, record);
    }
    is_of_key
}

impl Finds {
    /// Begins with the next database, whose records replace those of the ones before.
    pub fn next_database(&mut self) {
        self.database += 1;
    }

    /// Returns true if nothing was found that only a store contains.
    pub fn is_nothing(&self) -> bool {
        !self.has_format
            && self.names().is_empty()
            && self.studies.is_empty()
            && self.scripts.is_empty()
            && self.trainings.is_empty()
            && self.estimates.is_empty()
    }

    /// Returns the names of all runs of which a record, a trial or a checkpoint was found.
    pub fn names(&self) -> BTreeSet<String> {
        let by_steps = [&self.blocks, &self.trials, &self.checkpoints];
        let names = by_steps.into_iter().flat_map(BTreeMap::keys);
        names.chain(self.runs.keys()).cloned().collect()
    }

    /// Looks for trials in the bytes without known keys, now that the names of the runs are known.
    pub fn place_the_rest(&mut self) {
        let mut names = self.names();
        let unplaced = std::mem::take(&mut self.unplaced);
        names.extend(unplaced.iter().flat_map(|bytes| carve_names(bytes)));
        for bytes in unplaced {
            for (key, value) in carve(&bytes, &names) {
                self.journal((0, 0), &key, value);
            }
        }
    }

    /// Takes a checkpoint, training run or estimate whose own hash matches; returns true if the value is one.
    fn hashed(&mut self, age: Age, key: &[u8], value: &[u8]) -> bool {
        let Some(content) = body(value) else { return false };
        if let Some((run, step)) = keys::run(key).zip(keys::step(key)) {
            keep_in(self.checkpoints.entry(run.to_owned()).or_default(), step, age, value);
            return true;
        }
        let name = std::str::from_utf8(key).ok().filter(|name| is_digest(name));
        if let Some(name) = name {
            let is_training = is_training(content);
            let all = if is_training { &mut self.trainings } else { &mut self.estimates };
            keep_in(all, name.to_owned(), age, value);
        }
        name.is_some()
    }

    fn script(&mut self, age: Age, key: &[u8], value: &[u8]) -> bool {
        let digest = blake3::hash(value).to_hex();
        // The hash tells the key even where its beginning is lost.
        let is_script = !key.is_empty() && digest.as_bytes().ends_with(key);
        if is_script {
            keep_in(&mut self.scripts, digest.to_string(), age, value);
        }
        is_script
    }

    /// Takes a record of a journal; returns true if it is one.
    fn journal(&mut self, age: Age, key: &[u8], value: &[u8]) -> bool {
        let Some((run, step)) = keys::run(key).zip(keys::step(key)) else { return false };
        if !entry_codec::is_whole(key, value) {
            return false;
        }
        if entry_codec::is_packed(value) {
            let of_run = self.blocks.entry(run.to_owned()).or_default();
            keep_in(of_run, step / TrialBlock::LEN, age, value);
        } else {
            keep_in(self.trials.entry(run.to_owned()).or_default(), step, age, value);
        }
        true
    }

    /// Takes a trial of format 1; returns true if it is one.
    fn old_trial(&mut self, key: &[u8], value: &[u8]) -> bool {
        let Some((run, step)) = keys::run(key).zip(keys::step(key)) else { return false };
        let Some(trial) = migration::old_trial(step, value) else { return false };
        let Ok(value) = entry_codec::single(key, &Entry::from(trial)) else { return false };
        // What a journal has is newer.
        keep_in(self.trials.entry(run.to_owned()).or_default(), step, (0, 0), &value);
        true
    }

    /// Takes the record of a run or a study; returns true if it is one.
    fn record_of(&mut self, age: Age, key: &[u8], value: &[u8], is_whole: bool) -> bool {
        if value.first() != Some(&b'{') {
            return false;
        }
        if let Ok(run) = serde_json::from_slice::<RunRecord>(value) {
            return keep_record(&mut self.runs, run.name.clone(), key, age, run, is_whole);
        }
        match serde_json::from_slice::<StudyRecord>(value) {
            Ok(study) => {
                keep_record(&mut self.studies, study.name.clone(), key, age, study, is_whole)
            }
            Err(_) => false,
        }
    }

    /// Takes any record of an intact page; returns true if its kind was recognized.
    fn taken(&mut self, age: Age, key: &[u8], value: &[u8]) -> bool {
        self.journal(age, key, value)
            || self.hashed(age, key, value)
            || self.script(age, key, value)
            || self.record_of(age, key, value, true)
    }
}

impl Finder for Finds {
    fn record(&mut self, lsn: i64, key: &[u8], value: &[u8]) {
        let age = (self.database, lsn);
        if key == FORMAT_KEY.as_bytes()
            && let Ok(format) = <[u8; 4]>::try_from(value).map(u32::from_be_bytes)
        {
            self.has_format = true;
            self.newer = self.newer.max((format > FORMAT).then_some(format));
            return;
        }
        // The beginning of a change's key may be that of an older version of its page.
        if !self.taken(age, key, value) && !self.old_trial(key, value) {
            self.unplaced.push(value.to_vec());
        }
    }

    fn ending(&mut self, lsn: i64, end: &[u8], value: &[u8]) {
        let age = (self.database, lsn);
        // Most pages have keys without anything in common.
        if !self.taken(age, end, value) {
            self.unplaced.push(value.to_vec());
        }
    }

    fn doubtful(&mut self, lsn: i64, key: &[u8], value: &[u8]) {
        let age = (self.database, lsn);
        // What proves its value but not its key may be another's.
        let _ = self.journal(age, key, value)
            || self.script(age, key, value)
            || self.record_of(age, key, value, false);
    }

    fn damaged(&mut self, bytes: &[u8]) {
        self.unplaced.push(bytes.to_vec());
    }
}

/// Returns true if a key is a hash in hexadecimal digits.
fn is_digest(key: &str) -> bool {
    key.len() == 2 * blake3::OUT_LEN && key.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns true if a value is the record of a training run, not an estimate: only the former has a recipe.
fn is_training(content: &[u8]) -> bool {
    let value: Option<Value> = serde_json::from_slice(content).ok();
    value.is_some_and(|value| value.get("recipe").is_some() && value.get("training").is_some())
}
