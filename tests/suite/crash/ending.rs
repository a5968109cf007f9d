//! The results of finished commands, in a comparable form.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tandem::store::{OpenMode, RunRecord, Status, Store, StoreError, Trial};
use tempfile::TempDir;

use crate::support::Place;

/// Texts by their descriptions.
pub type Ending = BTreeMap<String, String>;

/// Returns the contents of a store that must not depend on interruptions of its runs.
///
/// Only times are left out: `created_s` and `updated_s` of runs, `seconds` of sweeps and training runs.
pub fn of_store(place: &Place) -> Ending {
    let mut ending = Ending::new();
    let copy = copy_of(&place.path().join(".tandem"));
    let store = Store::open(copy.path(), OpenMode::ReadOnlyMustExist).unwrap();
    let runs = store.runs().unwrap();
    for run in &runs {
        let name = &run.name;
        ending.insert(format!("record of {name}"), timeless(run));
        let checkpoint = store.latest_checkpoint(name).unwrap();
        let checkpoint = checkpoint.map(|(step, bytes)| (step, blake3::hash(&bytes).to_hex()));
        ending.insert(format!("checkpoint of {name}"), format!("{checkpoint:?}"));
    }
    for key in store.training_keys().unwrap() {
        let record = store.training(&key).unwrap().unwrap();
        let mut record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        record["seconds"] = 0.into();
        ending.insert(format!("training {key}"), record.to_string());
    }
    drop(store);
    let left = fs::read_dir(place.path().join(".tandem/trainings")).map_or(0, Iterator::count);
    ending.insert("checkpoints of trainings that are left".to_owned(), left.to_string());
    for run in runs {
        let name = &run.name;
        ending.insert(format!("trials of {name}"), place.trials(name));
        if run.sweep.is_none() && run.status == Status::Finished {
            let summary = place.ok(&["show", name, "--summary"]);
            ending.insert(format!("summary of {name}"), summary);
        }
    }
    ending
}

fn timeless(run: &RunRecord) -> String {
    let mut run = run.clone();
    (run.created_s, run.updated_s) = (0, 0);
    if let Some(sweep) = &mut run.sweep {
        sweep.seconds = 0.0;
    }
    serde_json::to_string_pretty(&run).unwrap()
}

/// Returns the hashes of all files below a folder.
pub fn of_folder(path: &Path) -> Ending {
    let mut ending = Ending::new();
    for entry in fs::read_dir(path).into_iter().flatten() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            ending.extend(of_folder(&entry.path()));
        } else {
            let hash = blake3::hash(&fs::read(entry.path()).unwrap());
            ending.insert(entry.path().display().to_string(), hash.to_hex().to_string());
        }
    }
    ending
}

/// Asserts that two results are equal; fails with the first line that differs.
pub fn assert_same(found: &Ending, expected: &Ending, what: &str) {
    let names = |ending: &Ending| ending.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "{what}");
    for (name, text) in expected {
        let found = &found[name];
        for (number, (found, expected)) in found.lines().zip(text.lines()).enumerate() {
            assert_eq!(found, expected, "{what}: {name}, line {number}");
        }
        assert!(found == text, "{what}: {name} has another length");
    }
}

/// Returns, for each run of a closed store, its trials and the number of those that the last checkpoint
/// covers; `None` if there is no store or an empty one that is incomplete.
pub fn stored(path: &Path) -> Option<BTreeMap<String, (Vec<Trial>, u64)>> {
    if !path.join("db").is_file() {
        return None;
    }
    let copy = copy_of(path);
    let store = match Store::open(copy.path(), OpenMode::ReadOnlyMustExist) {
        // Its making was cut short, and it holds nothing yet.
        Err(StoreError::NoStore { .. }) => return None,
        store => store.unwrap(),
    };
    let of = |run: RunRecord| {
        let trials = store.trials(&run.name).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        let covered = store.latest_checkpoint(&run.name).unwrap().map_or(0, |(step, _)| step);
        (run.name, (trials, covered))
    };
    Some(store.runs().unwrap().into_iter().map(of).collect())
}

/// Returns a copy of a folder, which may be opened and changed.
pub fn copy_of(path: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_into(path, copy.path());
    copy
}

/// Copies the files and folders in a folder to another; skips sockets of dead processes, which cannot be
/// copied.
pub fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy_into(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
