//! Checks of the records of runs, studies, scripts, training runs and estimates.

use super::super::engine::Tree;
use super::super::format::record::RunRecord;
use super::super::store::Store;
use super::super::studies::StudyRecord;
use super::{Findings, IMPORT};
use crate::store::layout::{FORMAT_KEY, SYNCED_KEY};
use crate::util::checksum;

/// The names of a store's trees.
const KNOWN: [&str; 8] =
    ["accuracies", "checkpoints", "estimates", "journal", "meta", "runs", "scripts", "studies"];

impl Store {
    /// Reports unknown trees, and checks the records about the store itself.
    pub(super) fn verify_trees(&self, findings: &mut Findings) {
        let unknown = match self.db.trees() {
            Ok(trees) => trees,
            Err(error) => {
                return findings.damage("database", self.failed(error).to_string(), IMPORT);
            }
        };
        for (name, _) in unknown {
            if !KNOWN.iter().any(|known| name == known.as_bytes()) {
                let place = format!("tree `{}`", name.escape_ascii());
                findings.note(place, "is no tree of a store", "nothing reads it");
            }
        }
        self.walk("meta", &self.meta, findings, |findings, key, value| {
            let length = match key {
                key if key == FORMAT_KEY.as_bytes() => 4,
                key if key == SYNCED_KEY.as_bytes() => 8,
                _ => return,
            };
            if value.len() != length {
                let place = format!("meta, `{}`", key.escape_ascii());
                findings.damage(place, "has another length than it should", IMPORT);
            }
        });
    }

    /// Checks the records of runs and the records to which they refer.
    pub(super) fn verify_runs(&self, findings: &mut Findings) {
        self.walk("runs", &self.runs, findings, |findings, key, value| {
            findings.runs += 1;
            let place = format!("run `{}`", key.escape_ascii());
            let run: RunRecord = match serde_json::from_slice(value) {
                Ok(run) => run,
                Err(error) => {
                    return findings.damage(place, format!("its record: {error}"), IMPORT);
                }
            };
            if run.name.as_bytes() != key {
                let what = format!("its record is that of run `{}`", run.name);
                return findings.damage(place, what, IMPORT);
            }
            for (file, digest) in &run.sources {
                self.verify_source(&place, file, digest, findings);
            }
            self.verify_forked_from(&self.runs, &place, run.forked_from.as_deref(), findings);
            if let Some((study, _)) = run.name.split_once('/')
                && !self.studies.contains_key(study).unwrap_or(true)
            {
                let what = format!("there is no study `{study}`, of which it is a run");
                findings.damage(&place, what, IMPORT);
            }
            if let Some(lost) = &run.lost {
                let remedy = format!("`tandem show {}` has what is left of it", run.name);
                let what = format!("was salvaged from a damaged store, which had lost {lost}");
                findings.note(&place, what, remedy);
            }
            self.verify_journal(&run, findings);
        });
    }

    /// Checks the records of studies and the records to which they refer.
    pub(super) fn verify_studies(&self, findings: &mut Findings) {
        self.walk("studies", &self.studies, findings, |findings, key, value| {
            findings.studies += 1;
            let place = format!("study `{}`", key.escape_ascii());
            let study: StudyRecord = match serde_json::from_slice(value) {
                Ok(study) => study,
                Err(error) => {
                    return findings.damage(place, format!("its record: {error}"), IMPORT);
                }
            };
            if study.name.as_bytes() != key {
                let what = format!("its record is that of study `{}`", study.name);
                return findings.damage(place, what, IMPORT);
            }
            self.verify_source(&place, &study.file, &study.source, findings);
            self.verify_forked_from(&self.studies, &place, study.forked_from.as_deref(), findings);
            let runs = self.runs.scan_prefix(format!("{}/", study.name)).keys().next();
            if runs.is_none() {
                let remedy = format!("`tandem study {}` goes on with it", study.file);
                findings.note(place, "it has no runs", remedy);
            }
        });
    }

    /// Checks the texts of scripts against their hashes.
    pub(super) fn verify_scripts(&self, findings: &mut Findings) {
        self.walk("scripts", &self.scripts, findings, |findings, key, value| {
            findings.scripts += 1;
            if blake3::hash(value).to_hex().as_bytes() != key {
                let place = format!("script {}", key.escape_ascii());
                findings.damage(place, "its text has another hash", IMPORT);
            }
        });
    }

    /// Checks the records of training runs against their hashes.
    pub(super) fn verify_trainings(&self, findings: &mut Findings) {
        self.walk("accuracies", &self.accuracies, findings, |findings, key, value| {
            findings.trainings += 1;
            verify_hash("training", key, value, findings);
        });
    }

    /// Checks the estimates of accelerators against their hashes.
    pub(super) fn verify_estimates(&self, findings: &mut Findings) {
        self.walk("estimates", &self.estimates, findings, |findings, key, value| {
            findings.estimates += 1;
            verify_hash("estimate", key, value, findings);
        });
    }

    /// Calls `each` for every record of a tree. The first record that cannot be read is reported and ends the
    /// walk.
    pub(super) fn walk(
        &self,
        name: &str,
        tree: &Tree,
        findings: &mut Findings,
        mut each: impl FnMut(&mut Findings, &[u8], &[u8]),
    ) {
        let mut last = None;
        for record in tree {
            match record {
                Ok((key, value)) => {
                    each(findings, &key, &value);
                    last = Some(key);
                }
                Err(error) => {
                    let place = match last {
                        None => format!("tree `{name}`"),
                        Some(key) => format!("tree `{name}`, after `{}`", key.escape_ascii()),
                    };
                    let what = format!("cannot be read: {}", self.failed(error));
                    return findings.damage(place, what, IMPORT);
                }
            }
        }
    }

    fn verify_source(&self, place: &str, file: &str, digest: &str, findings: &mut Findings) {
        // Whether the text is what its hash says is looked at where all texts are.
        if !self.scripts.contains_key(digest).unwrap_or(true) {
            findings.damage(place, format!("the text of {file} is missing ({digest})"), IMPORT);
        }
    }

    fn verify_forked_from(
        &self,
        tree: &Tree,
        place: &str,
        from: Option<&str>,
        findings: &mut Findings,
    ) {
        if let Some(from) = from
            && !tree.contains_key(from).unwrap_or(true)
        {
            let what = format!("was forked from `{from}`, which the store does not have");
            findings.note(place, what, "it needs it for nothing");
        }
    }
}

fn verify_hash(what: &str, key: &[u8], value: &[u8], findings: &mut Findings) {
    if checksum::body(value).is_none() {
        let place = format!("{what} {}", key.escape_ascii());
        findings.damage(place, "its record has another hash", IMPORT);
    }
}
