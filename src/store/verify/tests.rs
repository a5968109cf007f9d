//! Tests of the check: each kind of damage is found.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::super::engine::Tree;
use super::super::format::{entry_codec, keys};
use super::super::tests::{entry, open, record, study};
use super::super::{Entry, Outcome, PhaseRecord, Store};
use super::{Findings, Weight};

/// Creates an undamaged store with some of everything.
fn filled(path: &Path) -> Store {
    let store = open(path);
    let source = store.put_source("fn space() {}").unwrap();
    let study = store.create_study(study(&store)).unwrap();
    for name in ["a-1", "a-2", "s-1/x"] {
        let mut run = record(name);
        run.sources.insert("r.rhai".to_owned(), source.clone());
        run.phases = [0, 2, 2]
            .into_iter()
            .zip(0..)
            .map(|(first_step, index)| PhaseRecord {
                index,
                name: format!("phase {index}"),
                first_step,
                steps: None,
                digest: String::new(),
            })
            .collect();
        (run.trials, run.failed) = (6, 2);
        store.add_runs(&[run]).unwrap();
        store.append(name, &(0..8).map(judged).collect::<Vec<_>>()).unwrap();
        store.save_checkpoint(name, 6, b"controllers").unwrap();
    }
    assert_eq!(study.name, "s-1");
    store.put_training("abc", b"{}").unwrap();
    store.put_estimate("abe", b"{}").unwrap();
    fs::create_dir_all(path.join("trainings")).unwrap();
    let bytes = [blake3::hash(b"weights").as_bytes().as_slice(), b"weights"].concat();
    fs::write(path.join("trainings/abd"), bytes).unwrap();
    store
}

/// A trial of a run in [`filled`].
fn judged(step: u64) -> Entry {
    let mut entry = entry(step, 0.5);
    entry.trial.phase = if step < 2 { 0 } else { 2 };
    if step < 8 && step % 3 == 1 {
        let (metrics, reason) = (BTreeMap::new(), "no".to_owned());
        entry.trial.outcome = Outcome::Failed { metrics, reason };
    }
    entry
}

/// Returns the findings after a change, also as texts `place: what`.
fn found(change: impl FnOnce(&Store)) -> (Findings, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(&dir.path().join("store"));
    change(&store);
    let findings = store.verify();
    let text = |finding: &super::Finding| {
        assert!(!finding.remedy.is_empty());
        let place = finding.place.replace(&format!("{}/", store.path().display()), "");
        format!("{place}: {}", finding.what)
    };
    let texts = findings.list.iter().map(text).collect();
    assert_eq!(findings, store.verify(), "looking changes nothing");
    (findings, texts)
}

#[track_caller]
fn damages(change: impl FnOnce(&Store), expected: &[&str]) {
    let (findings, texts) = found(change);
    assert_eq!(texts, expected);
    assert_eq!((findings.damages, findings.notes), (expected.len() as u64, 0));
}

fn change_run(store: &Store, name: &str, change: impl FnOnce(&mut super::super::RunRecord)) {
    let mut run = store.run(name).unwrap();
    change(&mut run);
    store.update_run(&run).unwrap();
}

fn flip_last(tree: &Tree, key: &[u8]) {
    let mut value = tree.get(key).unwrap().unwrap().to_vec();
    *value.last_mut().unwrap() ^= 1;
    tree.insert(key, value).unwrap();
}

#[test]
fn a_whole_store_has_nothing_wrong() {
    let (findings, texts) = found(|_| {});
    assert_eq!(texts, Vec::<String>::new());
    assert_eq!((findings.damages, findings.notes, findings.omitted()), (0, 0, 0));
    assert_eq!((findings.runs, findings.trials, findings.checkpoints), (3, 24, 3));
    assert_eq!((findings.studies, findings.scripts), (1, 2));
    assert_eq!((findings.trainings, findings.estimates, findings.files), (1, 1, 1));
}

#[test]
fn records_that_cannot_be_read_or_are_elsewhere_are_found() {
    damages(
        |store| store.runs.insert("a-1", "{").unwrap(),
        &["run `a-1`: its record: EOF while parsing an object at line 1 column 1"],
    );
    damages(
        |store| store.studies.insert("s-1", "[]").unwrap(),
        &[
            "study `s-1`: its record: invalid length 0, expected struct StudyRecord with 8 elements \
           at line 1 column 2",
        ],
    );
    damages(
        |store| {
            let record = store.runs.get("a-1").unwrap().unwrap();
            store.runs.insert("a-2", record).unwrap();
        },
        &["run `a-2`: its record is that of run `a-1`"],
    );
    damages(
        |store| store.runs.remove("a-1").unwrap(),
        &[
            "run `a-1`: there is no such run, and the journal has 8 entries of it",
            "run `a-1`, checkpoint 6: there is no such run",
        ],
    );
    damages(
        |store| store.studies.remove("s-1").unwrap(),
        &["run `s-1/x`: there is no study `s-1`, of which it is a run"],
    );
    damages(
        |store| store.meta.insert("synced", "x").unwrap(),
        &["meta, `synced`: has another length than it should"],
    );
}

#[test]
fn texts_and_trainings_that_changed_or_are_missing_are_found() {
    let digest = blake3::hash(b"strategies: []").to_hex().to_string();
    damages(
        |store| store.scripts.remove(&digest).unwrap(),
        &[&format!("study `s-1`: the text of s.yaml is missing ({digest})")],
    );
    damages(
        |store| flip_last(&store.scripts, digest.as_bytes()),
        &[&format!("script {digest}: its text has another hash")],
    );
    let script = blake3::hash(b"fn space() {}").to_hex().to_string();
    let (findings, texts) = found(|store| store.scripts.remove(&script).unwrap());
    assert_eq!(findings.damages, 3);
    assert_eq!(texts[0], format!("run `a-1`: the text of r.rhai is missing ({script})"));
    damages(
        |store| flip_last(&store.accuracies, b"abc"),
        &["training abc: its record has another hash"],
    );
    damages(
        |store| flip_last(&store.estimates, b"abe"),
        &["estimate abe: its record has another hash"],
    );
    damages(
        |store| fs::write(store.training_checkpoint("abd"), "x").unwrap(),
        &["trainings/abd: has another hash"],
    );
}

#[test]
fn checkpoints_that_changed_or_cover_too_much_are_found() {
    damages(
        |store| flip_last(&store.checkpoints, &keys::key("a-2", 6)),
        &["run `a-2`, checkpoint 6: has another hash"],
    );
    damages(
        |store| store.save_checkpoint("a-2", 9, b"later").unwrap(),
        &["run `a-2`, checkpoint 9: covers more than the 8 trials of the run"],
    );
    damages(
        |store| store.checkpoints.insert("a-2", "x").unwrap(),
        &["tree `checkpoints`, `a-2`: is no checkpoint's key"],
    );
}

#[test]
fn what_a_record_says_of_its_trials_is_held_against_them() {
    damages(
        |store| change_run(store, "a-1", |run| run.trials = 9),
        &["run `a-1`: its record counts 9 trials, and 8 are there"],
    );
    damages(
        |store| change_run(store, "a-1", |run| run.failed = 1),
        &["run `a-1`: its record counts 1 failed trials of 6, and 2 are there"],
    );
    damages(
        |store| change_run(store, "a-1", |run| run.phases[1].index = 7),
        &["run `a-1`: phase 1 says that it is phase 7"],
    );
    let (findings, texts) =
        found(|store| change_run(store, "a-1", |run| run.phases[2].first_step = 9));
    assert_eq!(
        texts,
        [
            "run `a-1`: phase 2 begins with trial 9, and the phase before with 2; the run has 8",
            "run `a-1`, trials 2 to 7: says that it is in phase 2, and is in 1",
        ]
    );
    assert_eq!(findings.damages, 2);
    let (_, texts) = found(|store| change_run(store, "a-1", |run| run.phases.clear()));
    assert_eq!(texts, ["run `a-1`, trials 0 to 7: is in no phase of the run's record"]);
}

#[test]
fn what_is_worth_a_note_is_no_damage() {
    let (findings, texts) = found(|store| {
        change_run(store, "a-1", |run| run.forked_from = Some("b-1".to_owned()));
        store.db.tree(b"later").unwrap();
        fs::copy(store.training_checkpoint("abd"), store.training_checkpoint("abc")).unwrap();
    });
    assert_eq!(
        texts,
        [
            "tree `later`: is no tree of a store",
            "run `a-1`: was forked from `b-1`, which the store does not have",
            "trainings/abc: is of a training that is done",
        ]
    );
    assert_eq!((findings.damages, findings.notes), (0, 3));
    assert!(findings.list.iter().all(|finding| finding.weight == Weight::Note));
}

#[test]
fn the_list_is_bounded_and_the_rest_is_counted() {
    let (findings, _) = found(|store| {
        for number in 0..1500 {
            store.checkpoints.insert(format!("{number:04}"), "x").unwrap();
        }
    });
    assert_eq!((findings.damages, findings.list.len(), findings.omitted()), (1500, 1000, 500));
}

#[test]
fn trials_that_are_missing_or_changed_are_found() {
    damages(
        |store| {
            store.journal.remove(keys::key("a-1", 3)).unwrap();
            store.journal.remove(keys::key("a-1", 4)).unwrap();
            store.journal.insert(keys::key("a-1", 6), "").unwrap();
            flip_last(&store.journal, &keys::key("a-1", 7));
        },
        &[
            "run `a-1`, trials 3 to 4: missing",
            "run `a-1`, trial 6: it is empty",
            "run `a-1`, trial 7: its checksum does not hold",
        ],
    );
    damages(
        |store| {
            let key = keys::key("a-1", 5);
            let other = entry_codec::single(&key, &judged(6)).unwrap();
            store.journal.insert(key, other).unwrap();
        },
        &["run `a-1`, trial 5: says that it is trial 6"],
    );
    damages(
        |store| store.journal.insert("a-1", "x").unwrap(),
        &["tree `journal`, `a-1`: is no trial's key"],
    );
}

#[test]
fn blocks_that_are_out_of_place_are_found() {
    let more = |store: &Store| {
        let entries: Vec<Entry> = (8..1100).map(judged).collect();
        store.append("a-1", &entries).unwrap();
    };
    damages(more, &[]);
    let put = |store: &Store, step: u64, value: &[u8]| {
        store.journal.insert(keys::key("a-1", step), value).unwrap();
    };
    damages(
        |store| {
            more(store);
            flip_last(&store.journal, &keys::key("a-1", 128));
            put(store, 200, &entry_codec::single(&keys::key("a-1", 200), &judged(200)).unwrap());
        },
        &[
            "run `a-1`, trials 128 to 255: its checksum does not hold",
            "run `a-1`, trial 200: lies within the stretch of trials before it",
        ],
    );
    damages(
        |store| {
            more(store);
            store.journal.remove(keys::key("a-1", 0)).unwrap();
            store.journal.remove(keys::key("a-1", 1099)).unwrap();
        },
        &["run `a-1`, trials 0 to 127: missing"],
    );
    damages(
        |store| {
            more(store);
            let entries: Vec<Entry> = (128..256).map(judged).collect();
            let key = keys::key("a-1", 0);
            let value =
                entry_codec::packed(&key, &super::super::TrialBlock::of(entries.iter())).unwrap();
            store.journal.insert(key, value).unwrap();
        },
        &["run `a-1`, trials 0 to 127: the stretch is out of place"],
    );
    damages(
        |store| {
            more(store);
            for step in 128..256 {
                let key = keys::key("a-1", step);
                store
                    .journal
                    .insert(&key, entry_codec::single(&key, &judged(step)).unwrap())
                    .unwrap();
            }
        },
        &["run `a-1`, trials 128 to 1023: not packed, though the stretch is full"],
    );
}
