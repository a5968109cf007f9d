//! Damaged stores: commands read the right data or fail, change nothing, and salvage all that is intact.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tandem::store::{OpenMode, Store};

use crate::support::{Place, SCRIPT};

/// A search with training runs.
const TRAINS: &str = r#"fn space() { #{ cnn: nasbench201::space(), hw: choice([1, 2]) } }
fn evaluate(p) {
    let net = nasbench201::network(p.cnn, #{ stem_channels: 4, cells: 1, image_size: 16, classes: 10 });
    let plan = train::plan(net, #{ data: "procedural", epochs: 1, images: 320, validation: 100 });
    #{ accuracy: train::fit(plan).accuracy, area_mm2: p.hw * 1.0 }
}
fn reward(m) { m.accuracy }
fn schedule(run) { if run.phases == 0 { phase("all", #{ steps: 3, controller: random() }) } }
"#;

/// Commands that only read; each is tried on a third of the damages.
const READING: [&[&str]; 9] = [
    &["query", "true", "--run", "x-1", "--format", "jsonl"],
    &["runs", "--format", "csv"],
    &["show", "x-1", "--format", "jsonl"],
    &["pareto", "x-1", "--format", "csv"],
    &["watch", "x-1", "--format", "jsonl"],
    &["export", "x-1", "--format", "csv"],
    &["trainings", "--format", "csv"],
    &["show", "x-1", "--script"],
    &["store", "export", "-"],
];

/// The contents of files by their paths below a folder; a folder is an empty file with a slash.
type Files = BTreeMap<PathBuf, Vec<u8>>;

pub fn files(folder: &Path) -> Files {
    fn add(folder: &Path, below: &Path, found: &mut Files) {
        for entry in fs::read_dir(folder.join(below)).unwrap().map(Result::unwrap) {
            let path = below.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                add(folder, &path, found);
                found.insert(path.join(""), Vec::new());
            } else {
                found.insert(path.clone(), fs::read(folder.join(path)).unwrap_or_default());
            }
        }
    }
    let mut found = Files::new();
    add(folder, Path::new(""), &mut found);
    found
}

fn write(folder: &Path, files: &Files) {
    fs::create_dir_all(folder).unwrap();
    for (path, bytes) in files {
        let to = folder.join(path);
        if path.to_string_lossy().ends_with('/') {
            fs::create_dir_all(to).unwrap();
        } else {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, bytes).unwrap();
        }
    }
}

/// Runs a command, and returns its exit code, its output (bytes, since it may be an archive) and its errors.
fn run(place: &Place, arguments: &[&str]) -> (i32, Vec<u8>, String) {
    let output = place.command(arguments).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), output.stdout, err)
}

/// An intact store, with the output of each reading command and its trials.
struct Whole {
    place: Place,
    files: Files,
    said: Vec<(i32, Vec<u8>)>,
    trials: BTreeMap<(String, u64), Value>,
    runs: Vec<String>,
}

/// The results of all damages.
#[derive(Debug, Default)]
struct Tally {
    damages: u64,
    /// The numbers of commands that answered as before, and of those that reported the damage.
    answers: (u64, u64),
    /// The numbers of trials in the stores before the damage, and of those that were salvaged.
    trials: (u64, u64),
}

impl Whole {
    fn new(place: Place) -> Self {
        let files = files(&place.path().join(".tandem"));
        let said = READING.iter().map(|command| run(&place, command));
        let said = said.map(|(code, out, _)| (code, out)).collect();
        let runs = names(&place, &[]);
        let trials = trials(&place, &runs, &[]);
        Self { place, files, said, trials, runs }
    }

    /// Damages each file in several ways: removes it, and at some places (about `parts` in the database)
    /// flips a bit, zeroes a page, or cuts the rest off.
    fn damage_all(&self, name: &str, parts: usize) -> Tally {
        let mut tally = Tally::default();
        for (path, bytes) in &self.files {
            let is_file = !path.to_string_lossy().ends_with('/');
            if !is_file || path == Path::new("lock") {
                continue;
            }
            self.damage(path, 0..bytes.len(), None, &mut tally);
            let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            let is_database = path.ends_with("db");
            let parts = if is_database { parts } else { 2 };
            let mut places: BTreeSet<usize> = (0..used).step_by((used / parts).max(1)).collect();
            if is_database {
                // The headers of segments, and the first message.
                places.extend((0..used).step_by(512 << 10));
                places.extend([12, 22].into_iter().filter(|&at| at < used));
            }
            for at in places {
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x10;
                self.damage(path, at..at + 1, Some(flipped), &mut tally);
                let end = (at + 4096).min(bytes.len());
                let mut zeroed = bytes.clone();
                zeroed[at..end].fill(0);
                self.damage(path, at..end, Some(zeroed), &mut tally);
                self.damage(path, at..bytes.len(), Some(bytes[..at].to_vec()), &mut tally);
            }
        }
        eprintln!("damage: {name}: {tally:?}");
        tally
    }

    fn damage(&self, path: &Path, part: Range<usize>, bytes: Option<Vec<u8>>, tally: &mut Tally) {
        let what =
            format!("{}, {part:?}, {:?} bytes", path.display(), bytes.as_ref().map(Vec::len));
        let place = Place::new();
        let store = place.path().join(".tandem");
        let mut damaged = self.files.clone();
        let bytes_are_gone = bytes.is_none();
        match bytes {
            Some(bytes) => damaged.insert(path.to_owned(), bytes),
            None => damaged.remove(path),
        };
        write(&store, &damaged);
        tally.damages += 1;
        let third = tally.damages as usize % 3;
        for (number, command) in
            READING.iter().enumerate().filter(|(number, _)| number % 3 == third)
        {
            let (code, out, err) = run(&place, command);
            let (known, said) = &self.said[number];
            // That a training was cut off, nothing but its checkpoint shows.
            let is_forgotten = path.starts_with("trainings") && bytes_are_gone;
            if is_forgotten && command.contains(&"export") {
                assert_eq!(code, 0, "{what}: {err}");
            } else if code == 4 {
                assert!(err.contains("damage"), "{what}: {command:?}: {err}");
                tally.answers.1 += 1;
            } else {
                assert!((code, &out) == (*known, said), "{what}: {command:?}: {code}, {err}");
                tally.answers.0 += 1;
            }
        }
        let (code, _, err) = run(&place, &["store", "verify"]);
        assert!(code == 0 || code == 4 && err.contains("damage"), "{what}: {code}, {err}");
        let is_sound = code == 0;
        let (code, _, err) = run(&place, &["store", "status"]);
        assert!(code == 0 || code == 4 && err.contains("damage"), "{what}: {code}, {err}");
        let (code, _, err) = run(&place, &["store", "salvage", ".tandem", "--to", "new"]);
        match code {
            0 | 4 => {
                assert!(code == 4 || is_sound, "{what}: {err}");
                self.compare(&place, &what, code == 0, tally);
            }
            _ => assert!(code == 2 && err.contains("recognised"), "{what}: {code}, {err}"),
        }
        assert!(files(&store) == damaged, "{what}: the damaged store was changed");
        tally.trials.0 += self.trials.len() as u64;
    }

    /// Compares the salvaged store with the original one.
    fn compare(&self, place: &Place, what: &str, is_all: bool, tally: &mut Tally) {
        let store = ["--store", "new"];
        let runs = names(place, &store);
        let found = trials(place, &runs, &store);
        assert!(
            !is_all || (&found, &runs) == (&self.trials, &self.runs),
            "{what}: something is lost"
        );
        for (key, trial) in &found {
            let is_lost =
                trial["failed"].as_str().is_some_and(|text| text.contains("was lost with"));
            if !is_lost {
                let known = self.trials.get(key);
                assert!(Some(trial) == known, "{what}: {key:?}: {trial:?}, not {known:?}");
                tally.trials.1 += 1;
            }
        }
    }
}

/// Returns the names of the runs in a store.
fn names(place: &Place, store: &[&str]) -> Vec<String> {
    let lines = place.ok(&[&["runs", "--format", "jsonl"], store].concat());
    let name = |line: &str| {
        serde_json::from_str::<Value>(line).unwrap()["run"].as_str().map(str::to_owned)
    };
    lines.lines().filter_map(name).collect()
}

/// Returns all trials of runs, by run and step.
fn trials(place: &Place, runs: &[String], store: &[&str]) -> BTreeMap<(String, u64), Value> {
    let mut found = BTreeMap::new();
    for run in runs {
        let lines =
            place.ok(&[&["query", "true", "--run", run, "--format", "jsonl"], store].concat());
        for line in lines.lines() {
            let mut trial: Value = serde_json::from_str(line).unwrap();
            // A column is there if any trial has it.
            trial.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            let step = trial["step"].as_u64().unwrap();
            found.insert((run.clone(), step), trial);
        }
    }
    found
}

#[test]
fn a_fresh_store() {
    let place = Place::new();
    drop(Store::open(&place.path().join(".tandem"), OpenMode::ReadWrite).unwrap());
    let tally = Whole::new(place).damage_all("fresh", 8);
    assert!(tally.answers.0 > 0 && tally.answers.1 > 0, "{tally:?}");
}

#[test]
fn a_small_store() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai"]);
    place.ok(&["run", "x.rhai", "--seed", "2"]);
    let tally = Whole::new(place).damage_all("small", 10);
    assert!(tally.answers.0 > 0 && tally.answers.1 > 0, "{tally:?}");
    assert!(tally.trials.1 * 2 > tally.trials.0, "{tally:?}");
}

#[test]
fn a_store_of_3000_trials() {
    let place = Place::with(&SCRIPT.replace("steps: 64", "steps: 3000"));
    place.ok(&["run", "x.rhai"]);
    let tally = Whole::new(place).damage_all("3,000 trials", 12);
    assert!(tally.answers.0 > 0 && tally.answers.1 > 0, "{tally:?}");
    assert!(tally.trials.1 * 2 > tally.trials.0, "{tally:?}");
}

#[test]
fn a_store_with_trainings() {
    let place = Place::with(TRAINS);
    place.ok(&["run", "x.rhai"]);
    // As a training that was cut off leaves it.
    let folder = place.path().join(".tandem/trainings");
    fs::create_dir_all(&folder).unwrap();
    let weights: Vec<u8> = (0..9000_u32).map(|at| at as u8).collect();
    let bytes = [blake3::hash(&weights).as_bytes().as_slice(), &weights].concat();
    fs::write(folder.join("0".repeat(64)), bytes).unwrap();
    let whole = Whole::new(place);
    let tally = whole.damage_all("with trainings", 8);
    assert!(tally.trials.1 * 2 > tally.trials.0, "{tally:?}");
}

#[test]
fn a_store_with_a_half_taken_over_import() {
    let place = Place::with(&SCRIPT.replace("steps: 64", "steps: 400"));
    place.ok(&["run", "x.rhai", "--store", "from"]);
    place.ok(&["store", "export", "a.tar.zst", "--store", "from"]);
    place.ok(&["store", "import", "a.tar.zst"]);
    // As a kill leaves it before the database gets its place.
    let store = place.path().join(".tandem");
    let incoming = store.join("incoming");
    fs::create_dir(&incoming).unwrap();
    fs::copy(store.join("tandem-store"), incoming.join("tandem-store")).unwrap();
    for name in ["db", "conf"] {
        fs::rename(store.join(name), incoming.join(name)).unwrap();
    }
    for entry in fs::read_dir(&store).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let whole = Whole::new(place);
    assert_eq!(whole.trials.len(), 400);
    let tally = whole.damage_all("half-taken-over import", 8);
    assert!(tally.trials.1 * 2 > tally.trials.0, "{tally:?}");
    // A command that writes ends it.
    let script = whole.place.run(&["resume", "x-1", "--steps", "401"]);
    assert!(!incoming.exists(), "{}", script.err);
}

/// Checks a damage that only a read of the database detects, since the number of the last sync is lost with
/// the byte.
#[test]
fn a_changed_byte_heals_when_it_is_put_back() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai"]);
    let before = place.trials("x-1");
    let (db, synced) = (place.path().join(".tandem/db"), place.path().join(".tandem/synced"));
    let whole = fs::read(&db).unwrap();
    for has_synced in [true, false] {
        if !has_synced {
            fs::remove_file(&synced).unwrap();
        }
        let mut bytes = whole.clone();
        bytes[12] ^= 1;
        fs::write(&db, &bytes).unwrap();
        for command in [&["store", "verify"][..], &["runs"], &["resume", "x-1"], &["run", "x.rhai"]]
        {
            let ran = place.run(command);
            assert_eq!(ran.code, 4, "{command:?}: {}", ran.err);
            assert!(fs::read(&db).unwrap() == bytes, "{command:?} changed the database");
        }
        fs::write(&db, &whole).unwrap();
        assert_eq!(place.trials("x-1"), before);
    }
}

#[test]
fn a_salvaged_run_goes_on_or_says_why_not() {
    let place = Place::with(&SCRIPT.replace("steps: 64", "steps: 700"));
    place.ok(&["run", "x.rhai"]);
    let expected = place.trials("x-1");
    let db = place.path().join(".tandem/db");
    let length = fs::metadata(&db).unwrap().len();
    let whole = fs::read(&db).unwrap();
    let used = whole.iter().rposition(|&byte| byte != 0).unwrap() as u64;
    let (mut goes_on, mut refused) = (0, 0);
    for number in 1..8 {
        let to = format!("new-{number}");
        fs::write(&db, &whole).unwrap();
        let file = File::options().write(true).open(&db).unwrap();
        file.set_len(used * number / 8).unwrap();
        file.set_len(length).unwrap();
        let ran = place.run(&["store", "salvage", ".tandem", "--to", &to]);
        assert_eq!(ran.code, 4, "{}", ran.err);
        let ran = place.run(&["resume", "x-1", "--store", &to]);
        if ran.code == 0 {
            let query = ["query", "true", "--run", "x-1", "--format", "jsonl", "--store", &to];
            assert_eq!(place.ok(&query), expected, "cut at {number}/8");
            goes_on += 1;
        } else {
            assert_eq!(ran.code, 2, "cut at {number}/8: {}", ran.err);
            refused += 1;
        }
    }
    assert!(goes_on > 0, "{goes_on} went on, {refused} did not");
}

/// Checks a damage in the part of the log that was not synced, as a loss of power can leave it.
#[test]
fn what_follows_on_a_hole_is_kept_and_told() {
    let place = Place::with(&SCRIPT.replace("steps: 64", "steps: 100000"));
    // A run that was killed has trials that were not brought to the disk.
    let mut child = place.start(&["run", "x.rhai"]);
    let db = place.path().join(".tandem/db");
    for _ in 0..400 {
        std::thread::sleep(std::time::Duration::from_millis(5));
        if fs::metadata(&db).is_ok_and(|found| found.len() > 600_000) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let count = |place: &Place| place.trials("x-1").lines().count();
    let before = count(&place);
    let whole = fs::read(&db).unwrap();
    let used = whole.iter().rposition(|&byte| byte != 0).unwrap();
    // The end of the log is where it was written last.
    let (mut kept, mut at) = (0, 600);
    while kept < 2 && at < 20_000 {
        at += 400;
        let mut bytes = whole.clone();
        bytes[used - at] ^= 4;
        fs::write(&db, &bytes).unwrap();
        let runs = place.run(&["runs"]);
        assert!(!fs::exists(place.path().join(".tandem/torn-1")).unwrap());
        if runs.code != 0 || count(&place) == before {
            continue;
        }
        assert!(runs.err.contains("the log ends, though more of it follows"), "{}", runs.err);
        let verified = place.run(&["store", "verify"]);
        assert_eq!(verified.code, 0, "{}", verified.err);
        assert!(verified.out.contains("more of it follows"), "{}", verified.out);
        let to = format!("new-{at}");
        let salvaged = place.run(&["store", "salvage", ".tandem", "--to", &to]);
        assert_eq!(salvaged.code, 4, "{}", salvaged.err);
        let query = ["query", "true", "--run", "x-1", "--format", "jsonl", "--store"];
        let found = |to: &str| place.ok(&[&query[..], &[to]].concat()).lines().count();
        // All trials that are missing may be in the message with the changed byte.
        assert!(found(&to) >= count(&place));
        kept += usize::from(found(&to) > count(&place));
        // Who writes cuts it off, and keeps what it cuts.
        place.run(&["resume", "x-1", "--steps", "5"]);
        assert!(fs::exists(place.path().join(".tandem/torn-1")).unwrap());
        let after = format!("after-{at}");
        // The changed byte may be in a trial itself.
        let salvaged = place.run(&["store", "salvage", ".tandem", "--to", &after]);
        let is_all = salvaged.err.contains("nothing is lost");
        assert_eq!(salvaged.code, if is_all { 0 } else { 4 }, "{}", salvaged.err);
        assert_eq!(found(&after), found(&to));
        let verified = place.run(&["store", "verify"]);
        assert!(verified.out.contains("is the end of a log that was cut off"), "{}", verified.out);
        fs::remove_file(place.path().join(".tandem/torn-1")).unwrap();
    }
    assert!(kept > 0, "no byte was in what was not brought to the disk");
}

/// Checks the messages for a run whose record or script is lost everywhere.
#[test]
fn a_run_without_its_record_or_text_says_so() {
    let place = Place::with(&SCRIPT.replace("steps: 64", "steps: 300"));
    place.ok(&["run", "x.rhai", "--steps", "200"]);
    let spoil = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let db = place.path().join(".tandem/db");
        let mut bytes = fs::read(&db).unwrap();
        for at in 0..bytes.len() - from.len() {
            if bytes[at..].starts_with(from.as_bytes()) {
                bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            }
        }
        fs::write(&db, bytes).unwrap();
        place.run(&["store", "salvage", ".tandem", "--to", to])
    };
    let store = files(&place.path().join(".tandem"));
    let back = || write(&place.path().join(".tandem"), &store);

    let ran = spoil("{\"name\":\"x-1\"", "[\"name\":\"x-1\"");
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.out.contains("its record is lost; it cannot be resumed"), "{}", ran.out);
    let to = "[\"name\":\"x-1\"";
    assert_eq!(trials(&place, &["x-1".to_owned()], &["--store", to]).len(), 200);
    place.ok(&["store", "verify", "--store", to]);
    for command in [&["resume", "x-1"][..], &["resume", "x-1", "--fork"]] {
        let ran = place.run(&[command, &["--store", to]].concat());
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains("damaged store"), "{}", ran.err);
    }
    assert!(place.ok(&["show", "x-1", "--store", to]).contains("its record"));

    back();
    let ran = spoil("fn reward(m) { m.accuracy }", "fn reward(m) { m.accuraxy }");
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.out.contains("the text of x.rhai is lost"), "{}", ran.out);
    let store = ["--store", "fn reward(m) { m.accuraxy }"];
    let ran = place.run(&[&["resume", "x-1", "--steps", "201"][..], &store].concat());
    assert_eq!(ran.code, 0, "the same text is there: {}", ran.err);
    place.write("x.rhai", &SCRIPT.replace("4.0", "8.0"));
    let ran = place.run(&[&["resume", "x-1", "--steps", "250"][..], &store].concat());
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("of which the store has lost the text"), "{}", ran.err);
}

#[test]
fn a_new_store_is_made_outside_of_the_damaged_one() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai"]);
    let before = files(place.path());
    for to in [".tandem", ".tandem/new", ".tandem/../.tandem/a/b", "x.rhai"] {
        let ran = place.run(&["store", "salvage", ".tandem", "--to", to]);
        assert_eq!(ran.code, 2, "{to}: {}", ran.err);
    }
    let ran = place.run(&["store", "salvage", "x.rhai", "--to", "new"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let ran = place.run(&["store", "salvage", "missing", "--to", "new"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(files(place.path()) == before);
}
