//! Corrupted and truncated files of a store.

use std::fs;
use std::path::{Path, PathBuf};

use rand::Rng;

use super::cases::SEARCH;
use super::draw;
use super::ending::{Ending, assert_same, copy_into, of_store};
use super::shim::{Ended, assert_clear};
use crate::support::{Place, Ran};

/// A partially stored run, and its expected results.
struct Part {
    script: String,
    trials: String,
    /// The number of trials of the whole run.
    steps: &'static str,
    place: Place,
    expected: Ending,
}

impl Part {
    /// Stores a run up to each of some numbers of trials but the last, which is that of the whole run.
    fn new(script: &str, limits: &[&'static str]) -> Self {
        let script = script.to_owned();
        let (place, whole) = (Place::with(&script), Place::with(&script));
        let (steps, parts) = limits.split_last().unwrap();
        place.ok(&["run", "x.rhai", "--steps", parts[0]]);
        for limit in &parts[1..] {
            place.ok(&["resume", "x-1", "--steps", limit]);
        }
        whole.ok(&["run", "x.rhai", "--steps", steps]);
        let (trials, expected) = (place.trials("x-1"), of_store(&whole));
        Self { script, trials, steps, place, expected }
    }

    fn store(&self) -> PathBuf {
        self.place.path().join(".tandem")
    }

    /// Corrupts one file, and checks that a command gives the right data or a clear error. Returns true if
    /// the run could not be resumed.
    fn spoil(&self, file: &Path, spoil: &dyn Fn(&mut Vec<u8>), what: &str) -> bool {
        let place = Place::with(&self.script);
        let store = place.path().join(".tandem");
        copy_into(&self.store(), &store);
        let file = store.join(file);
        let mut bytes = fs::read(&file).unwrap();
        spoil(&mut bytes);
        fs::write(&file, bytes).unwrap();
        let clear = |ran: Ran, command: &str| {
            let ended = Ended { code: Some(ran.code), err: ran.err };
            assert_clear(&ended, Path::new(".tandem"), &format!("{what}, {command}"));
        };
        // What can be read is what was stored.
        let read = place.run(&["query", "true", "--run", "x-1", "--format", "jsonl"]);
        match read.code {
            0 => assert!(read.out == self.trials, "{what}: other trials are read"),
            _ => clear(read, "query"),
        }
        let ran = place.run(&["resume", "x-1", "--steps", self.steps]);
        if ran.code == 0 {
            assert_same(&of_store(&place), &self.expected, what);
            return false;
        }
        clear(ran, "resume");
        true
    }

    /// Corrupts and truncates the files of a store at random; returns how often the run could be resumed and
    /// how often not.
    fn spoil_all(&self, name: &str, of_database: u64, of_others: u64) -> (u64, u64) {
        let mut rng = draw::random(name);
        let mut outcomes = (0, 0);
        for file in files(&self.store()) {
            let name = file.strip_prefix(self.store()).unwrap();
            let bytes = fs::read(&file).unwrap();
            if bytes.is_empty() {
                continue;
            }
            let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            let times = if name == Path::new("db") { of_database } else { of_others };
            for number in 0..times {
                let at = rng.random_range(0..used.max(1));
                let bit = 1 << rng.random_range(0..8);
                let refused = if number % 4 == 3 {
                    let what = format!("{} cut at {at}", name.display());
                    self.spoil(name, &|bytes| bytes.truncate(at), &what)
                } else {
                    let what = format!("{} with bit {bit} of byte {at} flipped", name.display());
                    self.spoil(name, &|bytes| bytes[at] ^= bit, &what)
                };
                *(if refused { &mut outcomes.1 } else { &mut outcomes.0 }) += 1;
            }
        }
        eprintln!("crash: {name}: {} went on, {} were refused", outcomes.0, outcomes.1);
        outcomes
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            files.extend(self::files(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    files
}

/// Checks a store with one segment of the database, a snapshot, and values in separate files.
#[test]
fn a_spoiled_or_shortened_file_is_refused_or_does_not_matter() {
    let part = Part::new(SEARCH, &["600", "640", "1000"]);
    let names = files(&part.store());
    let has = |what: &str| names.iter().any(|name| name.to_string_lossy().contains(what));
    assert!(has("blobs/") && has("snap.") && has("conf") && has("synced"), "{names:?}");
    let (_, refused) = part.spoil_all("spoiled files", draw::times(6), draw::times(1));
    assert!(refused > 0, "nothing was refused");
}

/// Checks a store with several segments of the database, some of them dead, which no snapshot covers.
#[test]
fn a_spoiled_long_database_is_refused_or_does_not_matter() {
    let script = SEARCH.replace("reinforce()", "random()").replace("1000 }", "6000 }");
    let part = Part::new(&script, &["5000", "6000"]);
    let length = part.store().join("db").metadata().unwrap().len();
    assert!(length > 1 << 20, "{length} bytes");
    let (_, refused) = part.spoil_all("spoiled database", draw::times(8), 0);
    assert!(refused > 0, "nothing was refused");
}
