//! Tests of salvage: everything intact is salvaged, whatever else is damaged.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::super::format::{entry_codec, keys};
use super::super::tests::{entry, open, record, study};
use super::super::{Entry, Lost, OpenMode, Outcome, PhaseRecord, RunRecord, Status, TrialBlock};
use super::*;

/// Fills a store with some of everything.
fn fill(path: &Path, trials: u64, at_once: usize) {
    let store = open(path);
    let source = store.put_source("fn space() {}").unwrap();
    store.create_study(study(&store)).unwrap();
    for (name, trials) in [("a-1", trials), ("a-2", 3), ("s-1/x", 200)] {
        let mut run = record(name);
        run.sources.insert("r.rhai".to_owned(), source.clone());
        run.phases = vec![PhaseRecord {
            index: 0,
            name: "all".to_owned(),
            first_step: 0,
            steps: None,
            digest: String::new(),
        }];
        store.add_runs(&[run.clone()]).unwrap();
        let entries: Vec<Entry> = (0..trials).map(mixed).collect();
        for part in entries.chunks(at_once) {
            store.append(name, part).unwrap();
        }
        for step in [trials / 2, trials] {
            store.save_checkpoint(name, step, &vec![step as u8; 3000]).unwrap();
        }
        run.trials = trials;
        run.failed =
            entries.iter().filter(|entry| entry.trial.outcome.reward().is_none()).count() as u64;
        run.status = Status::Finished;
        store.update_run(&run).unwrap();
    }
    let key = |text: &str| blake3::hash(text.as_bytes()).to_hex().to_string();
    store.put_training(&key("t"), br#"{"recipe": 1, "training": 2}"#).unwrap();
    store.put_estimate(&key("e"), b"{}").unwrap();
    fs::create_dir_all(path.join(TRAININGS)).unwrap();
    fs::write(path.join("trainings/abd"), checksum::hashed(b"weights")).unwrap();
}

/// A trial; every fifth one failed.
fn mixed(step: u64) -> Entry {
    let mut entry = entry(step, step as f64 / 7.0);
    entry.trial.phase = 0;
    if step % 5 == 1 {
        let (metrics, reason) = (BTreeMap::new(), format!("no {step}"));
        entry.trial.outcome = Outcome::Failed { metrics, reason };
    }
    entry
}

/// The records of a tree.
type Records = Vec<(Vec<u8>, Vec<u8>)>;
/// A run, its first step and the number of trials.
type Trials = (String, u64, u64);
/// The places of the copies of a value: files and ranges of bytes.
type Copies = Vec<(PathBuf, Range<usize>)>;

/// Returns the records of all trees, without the number of the last sync.
fn contents(path: &Path) -> BTreeMap<Vec<u8>, Records> {
    let store = Store::open(path, OpenMode::ReadOnlyMustExist).unwrap();
    let trees = store.db.trees().unwrap().into_iter().map(|(name, tree)| {
        let records = tree.iter().map(|record| record.unwrap());
        let records = records.map(|(key, value)| (key.to_vec(), value.to_vec()));
        (name.to_vec(), records.filter(|(key, _)| key != b"synced").collect())
    });
    trees.collect()
}

fn salvaged(from: &Path, to: &Path) -> Salvaged {
    let before = settled(from);
    let salvaged = Store::salvage(from, to).unwrap();
    assert!(files(from) == before, "the damaged store was changed");
    salvaged
}

/// Returns the files of a store that this process has closed, once they no longer change: sled's threads may
/// still remove unused long values.
fn settled(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut before = files(folder);
    for _ in 0..100 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let now = files(folder);
        if now == before {
            break;
        }
        before = now;
    }
    before
}

/// Returns the files below a folder with their contents.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            found.insert(entry.path(), Vec::new());
            found.extend(files(&entry.path()));
        } else {
            match fs::read(entry.path()) {
                Ok(bytes) => drop(found.insert(entry.path(), bytes)),
                // It went meanwhile.
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}"),
            }
        }
    }
    found
}

#[test]
fn a_whole_store_comes_back_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (path, to) = (dir.path().join("store"), dir.path().join("new"));
    fill(&path, 700, 50);
    let salvaged = salvaged(&path, &to);
    assert!(salvaged.is_all(), "{salvaged:?}");
    assert_eq!((salvaged.trials(), salvaged.lost_trials()), (903, 0));
    assert_eq!((salvaged.scripts, salvaged.trainings, salvaged.estimates), (2, 1, 1));
    assert_eq!((salvaged.files, salvaged.studies.len()), (1, 1));
    assert!(salvaged.runs.iter().all(|run| run.goes_on));
    assert!(contents(&path) == contents(&to));
    let store = Store::open(&to, OpenMode::ReadWrite).unwrap();
    assert_eq!(store.verify().damages, 0);
    drop(store);
    assert!(matches!(Store::salvage(&path, &to), Err(StoreError::NotEmpty { .. })));
    let missing = Store::salvage(&dir.path().join("missing"), &to);
    assert!(matches!(missing, Err(StoreError::NoStore { .. })));
    fs::write(dir.path().join("x"), "x").unwrap();
    let foreign = Store::salvage(dir.path(), &dir.path().join("other"));
    assert!(matches!(foreign, Err(StoreError::NothingToSalvage { .. })), "{foreign:?}");
}

/// sled reuses segments of the log; old contents that remain in them are no damage.
#[test]
fn a_store_that_was_used_for_long_comes_back_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (path, to) = (dir.path().join("store"), dir.path().join("new"));
    fill(&path, 300, 50);
    for round in 0..6 {
        let store = open(&path);
        let mut run = store.create_run(record("b")).unwrap();
        for step in 0..60 {
            store
                .append(&run.name, &(step * 20..step * 20 + 20).map(mixed).collect::<Vec<_>>())
                .unwrap();
            let bytes: Vec<u8> = (0..20_000).map(|at| (at * (step + round)) as u8).collect();
            store.save_checkpoint(&run.name, step * 20 + 20, &bytes).unwrap();
            run.seed = step;
            store.update_run(&run).unwrap();
        }
        store.sync().unwrap();
    }
    let salvaged = salvaged(&path, &to);
    assert!(salvaged.is_all(), "{salvaged:?}");
    assert!(contents(&path) == contents(&to));
}

/// The places of the value of each journal record, with all of its copies.
struct Truth {
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// By run, first step and number of trials.
    copies: Vec<(Trials, Copies)>,
}

impl Truth {
    fn of(path: &Path) -> Self {
        let store = Store::open(path, OpenMode::ReadOnlyMustExist).unwrap();
        let mut values: HashMap<[u8; 8], Vec<(usize, Vec<u8>)>> = HashMap::new();
        let mut copies = Vec::new();
        for (key, value) in store.journal.iter().map(Result::unwrap) {
            let count = if entry_codec::is_packed(&value) { TrialBlock::LEN } else { 1 };
            let run = keys::run(&key).unwrap().to_owned();
            let of_head = values.entry(*value.first_chunk().unwrap()).or_default();
            of_head.push((copies.len(), value.to_vec()));
            copies.push(((run, keys::step(&key).unwrap(), count), Vec::new()));
        }
        let files = files(path);
        for (name, bytes) in &files {
            for at in 0..bytes.len().saturating_sub(8) {
                let Some(known) = values.get(bytes[at..].first_chunk::<8>().unwrap()) else {
                    continue;
                };
                for (number, value) in known {
                    if bytes[at..].starts_with(value) {
                        copies[*number].1.push((name.clone(), at..at + value.len()));
                    }
                }
            }
        }
        assert!(copies.iter().all(|(_, places)| !places.is_empty()));
        Self { files, copies }
    }

    /// Returns the records of which a copy is outside the damaged range of a file.
    fn whole(&self, file: &Path, damaged: &Range<usize>) -> Vec<&Trials> {
        let is_whole = |places: &Copies| {
            places.iter().any(|(name, place)| {
                name != file || place.end <= damaged.start || damaged.end <= place.start
            })
        };
        self.copies.iter().filter(|(_, places)| is_whole(places)).map(|(key, _)| key).collect()
    }
}

/// Damages a copy of a store and asserts that everything intact is salvaged.
///
/// Returns the number of trials in intact records, and the number of salvaged trials.
fn damage(
    truth: &Truth,
    path: &Path,
    file: &Path,
    damaged: Range<usize>,
    bytes: Option<Vec<u8>>,
) -> (u64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("store"), dir.path().join("new"));
    let what = format!("{} from {} to {}", file.display(), damaged.start, damaged.end);
    for (name, content) in &truth.files {
        let place = from.join(name.strip_prefix(path).unwrap());
        if name.is_dir() {
            fs::create_dir_all(place).unwrap();
            continue;
        }
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        match &bytes {
            _ if name != file => fs::write(place, content).unwrap(),
            Some(bytes) => fs::write(place, bytes).unwrap(),
            None => {}
        }
    }
    let before = files(&from);
    let salvaged = match Store::salvage(&from, &to) {
        Ok(salvaged) => salvaged,
        Err(error) => {
            assert!(truth.whole(file, &damaged).is_empty(), "{what}: {error}");
            return (0, 0);
        }
    };
    assert!(files(&from) == before, "{what}: changed");
    let store = Store::open(&to, OpenMode::ReadWrite).unwrap();
    let mut back = 0;
    for (run, first, count) in truth.whole(file, &damaged) {
        for step in *first..first + count {
            let entry = (&store as &dyn super::super::Reader).entry(run, step);
            let found = entry.unwrap_or_else(|error| panic!("{what}: {run} {step}: {error}"));
            let found = found.unwrap_or_else(|| panic!("{what}: {run} {step} is missing"));
            assert_eq!(found, mixed(step), "{what}: {run} {step}");
            back += 1;
        }
    }
    assert!(salvaged.trials() >= back, "{what}");
    // What the new store says of itself holds; what it lacks is known.
    for finding in store.verify().list {
        if finding.weight == super::super::Weight::Note {
            continue;
        }
        let is_known = finding.place.contains("s-1/x") && !salvaged.lost_studies.is_empty()
            || finding.what.contains("the text of");
        assert!(is_known, "{what}: {finding:?}");
    }
    for run in &salvaged.runs {
        let record = store.run(&run.name).unwrap();
        let placeholders: u64 = run.lost.iter().map(|(first, last)| last - first + 1).sum();
        assert_eq!(store.trial_count(&run.name).unwrap(), run.trials + placeholders, "{what}");
        assert_eq!(record.lost.is_none(), run.goes_on, "{what}");
    }
    let is_damaged = !salvaged.is_all();
    assert!(salvaged.lost_trials() == 0 || is_damaged, "{what}");
    (back, salvaged.trials())
}

/// Damages every part of every file by a flipped bit, zeros and a cut, and removes each file.
#[test]
fn whatever_is_whole_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    fill(&path, 1500, 50);
    let truth = Truth::of(&path);
    let all = 1500 + 3 + 200;
    let (mut cases, mut whole, mut lowest) = (0, 0, all);
    let mut note = |(back, trials): (u64, u64)| {
        (cases, whole, lowest) = (cases + 1, whole + back, lowest.min(trials));
    };
    for (file, bytes) in truth.files.iter().filter(|(name, _)| name.is_file()) {
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        note(damage(&truth, &path, file, 0..bytes.len(), None));
        for at in (0..used).step_by((used / 20).max(1)) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            note(damage(&truth, &path, file, at..at + 1, Some(flipped)));
            let end = (at + 4096).min(bytes.len());
            let mut zeroed = bytes.clone();
            zeroed[at..end].fill(0);
            note(damage(&truth, &path, file, at..end, Some(zeroed)));
            note(damage(&truth, &path, file, at..bytes.len(), Some(bytes[..at].to_vec())));
        }
    }
    eprintln!("salvage: {cases} damages, {whole} trials of {} came back", cases * all);
    assert!(cases > 200 && whole > cases * all / 2, "{cases} cases, {whole} trials");
    assert!(lowest < all, "no damage lost a trial");
}

/// Returns the value of a journal's record.
fn value(path: &Path, run: &str, step: u64) -> Vec<u8> {
    let store = Store::open(path, OpenMode::ReadOnlyMustExist).unwrap();
    store.journal.get(keys::key(run, step)).unwrap().unwrap().to_vec()
}

/// Changes all copies of a value in the database.
fn spoil(path: &Path, value: &[u8]) {
    let file = path.join("db");
    let mut bytes = fs::read(&file).unwrap();
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(value.len()).position(|part| part == value) {
        at += found;
        bytes[at + 20] ^= 1;
    }
    fs::write(&file, bytes).unwrap();
}

#[test]
fn what_is_lost_is_said_and_holds_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let (path, to) = (dir.path().join("store"), dir.path().join("new"));
    // No trial is written twice then.
    fill(&path, 700, 700);
    let values =
        [("a-1", 128), ("a-1", 699), ("a-2", 2)].map(|(run, step)| value(&path, run, step));
    values.iter().for_each(|value| spoil(&path, value));
    let salvaged = salvaged(&path, &to);
    assert!(!salvaged.is_all() && salvaged.damage.is_some());
    let run = |name: &str| salvaged.runs.iter().find(|run| run.name == name).unwrap();
    assert_eq!((run("a-1").lost.as_slice(), run("a-1").lost_at_end), (&[(128, 255)][..], 1));
    assert_eq!((run("a-1").trials, run("a-1").goes_on), (699 - 128, false));
    assert_eq!((run("a-2").lost.as_slice(), run("a-2").lost_at_end), (&[][..], 1));
    assert_eq!((run("a-2").trials, run("a-2").goes_on), (2, true));
    assert!(run("s-1/x").is_whole());
    let store = open(&to);
    assert_eq!(store.verify().damages, 0, "{:?}", store.verify());
    let record: RunRecord = store.run("a-1").unwrap();
    assert_eq!(record.lost, Some(Lost { trials: vec![(128, 255)], record: false }));
    assert_eq!((record.trials, &record.status), (699, &Status::Interrupted));
    let reader: &dyn super::super::Reader = &store;
    let lost = reader.entry("a-1", 200).unwrap().unwrap().trial.outcome;
    assert_eq!(lost.failure(), Some("it was lost with a damaged store"));
    assert_eq!(reader.entry("a-1", 256).unwrap(), Some(mixed(256)));
    // It goes on after the checkpoint before.
    assert_eq!(store.latest_checkpoint("a-2").unwrap().map(|(step, _)| step), Some(1));
    let record = store.run("a-2").unwrap();
    assert_eq!((record.trials, record.lost), (2, None));
    assert_eq!(record.status, Status::Interrupted);
}

#[test]
fn a_store_of_format_1_and_a_fresh_one_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = open(&path);
    let run = store.create_run(record("r")).unwrap().name;
    let old = store.db.tree(migration_tree()).unwrap();
    for step in 0..300 {
        let trial = entry(step, 0.5).trial;
        old.insert(keys::key(&run, step), postcard::to_stdvec(&trial).unwrap()).unwrap();
    }
    store.db.tree(META).unwrap().insert(FORMAT_KEY, &1u32.to_be_bytes()).unwrap();
    drop((old, store));
    let to = dir.path().join("new");
    assert!(salvaged(&path, &to).is_all());
    let store = Store::open(&to, OpenMode::ReadOnlyMustExist).unwrap();
    let entries: Result<Vec<Entry>, _> =
        (&store as &dyn super::super::Reader).entries(&run).unwrap().collect();
    assert_eq!(
        entries.unwrap(),
        (0..300).map(|step| entry(step, 0.5).trial.into()).collect::<Vec<Entry>>()
    );

    let fresh = dir.path().join("fresh");
    drop(open(&fresh));
    let to = dir.path().join("of fresh");
    let salvaged = salvaged(&fresh, &to);
    assert!(salvaged.is_all() && salvaged.runs.is_empty());
    assert_eq!(open(&to).runs().unwrap(), []);
}

const fn migration_tree() -> &'static [u8] {
    super::super::disk::migration::OLD_TRIALS.as_bytes()
}
