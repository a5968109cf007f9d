//! Power losses: stores of which the operating system has not written everything to the disk.
//!
//! Every change of the store's files is logged during a run. From the log, the tests make the folder as a
//! loss of power could leave it at any moment. Each file has its synced contents and a random choice of the
//! blocks written later; the folder has the synced names and the first few of the later changes, since file
//! systems keep their order.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::cases::{RUN, SEARCH};
use super::draw;
use super::ending::{assert_same, of_store, stored};
use super::shim;
use crate::support::Place;

/// Bytes that a disk writes atomically.
const BLOCK: u64 = 4096;

/// A change of the store's folder; see `record` in `faults.c`.
#[derive(Debug)]
enum Change {
    Make(String),
    Folder(String),
    Write(String, u64, Vec<u8>),
    Length(String, u64),
    Sync(String),
    Rename(String, String),
    Remove(String),
}

fn read_log(path: &Path) -> Vec<Change> {
    let bytes = fs::read(path).unwrap();
    let (mut rest, mut changes) = (bytes.as_slice(), Vec::new());
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let line = std::str::from_utf8(&rest[..end]).unwrap();
        rest = &rest[end + 1..];
        let fields: Vec<&str> = line.splitn(4, ' ').collect();
        let (offset, length) = (fields[1].parse().unwrap(), fields[2].parse().unwrap());
        let name = fields[3].to_owned();
        let (payload, later) = rest.split_at(length);
        rest = later;
        changes.push(match fields[0] {
            "C" => Change::Make(name),
            "M" => Change::Folder(name),
            "W" => Change::Write(name, offset, payload.to_vec()),
            "T" => Change::Length(name, offset),
            "S" => Change::Sync(name),
            "R" => Change::Rename(name, String::from_utf8(payload.to_vec()).unwrap()),
            "U" => Change::Remove(name),
            other => panic!("{other} is no change"),
        });
    }
    changes
}

/// A file's synced contents, and its later changes.
#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Edit>,
}

#[derive(Clone, Debug)]
enum Edit {
    Write(u64, Vec<u8>),
    Length(u64),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(at, new) => {
                let (from, to) = (*at as usize, *at as usize + new.len());
                if bytes.len() < to {
                    bytes.resize(to, 0);
                }
                bytes[from..to].copy_from_slice(new);
            }
            Self::Length(length) => bytes.resize(*length as usize, 0),
        }
    }

    /// Splits the change into blocks, as a disk writes it.
    fn blocks(&self) -> Vec<Self> {
        let Self::Write(at, bytes) = self else { return vec![self.clone()] };
        let (mut blocks, mut from) = (Vec::new(), 0);
        while from < bytes.len() {
            let start = at + from as u64;
            let to = bytes.len().min(from + (BLOCK - start % BLOCK) as usize);
            blocks.push(Self::Write(start, bytes[from..to].to_vec()));
            from = to;
        }
        blocks
    }
}

/// A change of the names in a folder.
#[derive(Clone, Debug)]
enum Naming {
    Add(String, usize),
    Rename(String, String),
    Remove(String),
}

impl Naming {
    fn folder(&self) -> &str {
        let (Self::Add(name, _) | Self::Rename(name, _) | Self::Remove(name)) = self;
        name.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Add(name, file) => {
                names.insert(name.clone(), *file);
            }
            Self::Rename(from, to) => {
                let file = names.remove(from).unwrap();
                names.insert(to.clone(), file);
            }
            Self::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

/// The state of a store's folder, on the disk and as programs see it.
#[derive(Clone, Debug, Default)]
struct Disk {
    files: Vec<File>,
    /// Indices of files and folders by their names, as programs see them.
    names: BTreeMap<String, usize>,
    /// The synced names.
    durable: BTreeMap<String, usize>,
    pending: Vec<Naming>,
    folders: HashMap<usize, ()>,
}

impl Disk {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Make(name) => self.add(name),
            Change::Folder(name) => {
                self.folders.insert(self.files.len(), ());
                self.add(name);
            }
            Change::Write(name, at, bytes) => self.edit(name, Edit::Write(*at, bytes.clone())),
            Change::Length(name, length) => self.edit(name, Edit::Length(*length)),
            Change::Rename(from, to) => self.rename(Naming::Rename(from.clone(), to.clone())),
            Change::Remove(name) => self.rename(Naming::Remove(name.clone())),
            Change::Sync(name) => self.sync(name),
        }
    }

    fn add(&mut self, name: &str) {
        // The store's own folder is given.
        if !name.is_empty() {
            self.files.push(File::default());
            self.rename(Naming::Add(name.to_owned(), self.files.len() - 1));
        }
    }

    fn rename(&mut self, naming: Naming) {
        naming.apply(&mut self.names);
        self.pending.push(naming);
    }

    fn edit(&mut self, name: &str, edit: Edit) {
        let file = self.names.get(name).unwrap_or_else(|| panic!("{name} is not there"));
        self.files[*file].pending.push(edit);
    }

    fn sync(&mut self, name: &str) {
        let is_folder = |file: &usize| self.folders.contains_key(file);
        if name.is_empty() || self.names.get(name).is_some_and(is_folder) {
            let (now, later) =
                std::mem::take(&mut self.pending).into_iter().partition(|p| p.folder() == name);
            self.pending = later;
            let now: Vec<Naming> = now;
            now.iter().for_each(|naming| naming.apply(&mut self.durable));
        } else if let Some(file) = self.names.get(name) {
            let file = &mut self.files[*file];
            for edit in std::mem::take(&mut file.pending) {
                edit.apply(&mut file.durable);
            }
        }
    }

    /// Returns descriptions of the changes that a loss of power could undo.
    fn undone(&self) -> Vec<String> {
        let contents = self.names.iter().filter(|(_, file)| !self.files[**file].pending.is_empty());
        let contents = contents.map(|(name, _)| format!("contents of {name}"));
        contents.chain(self.pending.iter().map(|naming| format!("{naming:?}"))).collect()
    }

    /// Writes the folder as programs see it.
    fn whole(&self, folder: &Path) {
        make(folder, &self.names, |file| {
            let mut bytes = self.files[file].durable.clone();
            self.files[file].pending.iter().for_each(|edit| edit.apply(&mut bytes));
            (!self.folders.contains_key(&file)).then_some(bytes)
        });
    }

    /// Writes the folder as a loss of power leaves it, with about `share` of the blocks that were not synced.
    fn after_loss(&self, folder: &Path, share: f64, rng: &mut ChaCha8Rng) {
        let mut names = self.durable.clone();
        let kept = rng.random_range(0..=self.pending.len());
        for naming in &self.pending[..kept] {
            naming.apply(&mut names);
        }
        make(folder, &names, |file| {
            let mut bytes = self.files[file].durable.clone();
            for block in self.files[file].pending.iter().flat_map(Edit::blocks) {
                if rng.random_bool(share) {
                    block.apply(&mut bytes);
                }
            }
            (!self.folders.contains_key(&file)).then_some(bytes)
        });
    }
}

fn make(
    folder: &Path,
    names: &BTreeMap<String, usize>,
    mut contents: impl FnMut(usize) -> Option<Vec<u8>>,
) {
    for (name, &file) in names {
        let path = folder.join(name);
        match contents(file) {
            None => fs::create_dir_all(path).unwrap(),
            // A file whose folder never reached the disk is not there either.
            Some(bytes) if path.parent().unwrap().is_dir() => fs::write(path, bytes).unwrap(),
            Some(_) => {}
        }
    }
}

/// Returns the logged changes of a run that is killed and resumed, and its folder.
fn changes(library: &Path) -> (Vec<Change>, Place) {
    let place = Place::with(SEARCH);
    fs::create_dir(place.path().join(".tandem")).unwrap();
    let log = place.path().join("log").display().to_string();
    let killed = [("LOG", &*log), ("KIND", "kill"), ("OP", "write"), ("AT", "260")];
    let ended = shim::run(library, &place, &["run", "x.rhai"], &killed);
    assert_eq!(ended.code, None, "it was over before it was killed: {}", ended.err);
    let ended = shim::run(library, &place, &["resume", "x-1"], &[("LOG", &log)]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    (read_log(Path::new(&log)), place)
}

/// Returns true if a change is the last of a checkpoint, after which all earlier ones are synced.
fn ends_checkpoint(changes: &[Change], at: usize) -> bool {
    let renamed = |change: &Change| matches!(change, Change::Rename(_, to) if to == "synced");
    matches!(&changes[at], Change::Sync(name) if name.is_empty())
        && at > 0
        && renamed(&changes[at - 1])
}

#[test]
fn a_checkpoint_is_on_the_disk() {
    let Some(library) = shim::library() else { return };
    let (changes, place) = changes(library);
    let mut disk = Disk::default();
    let mut checkpoints = 0;
    for at in 0..changes.len() {
        disk.apply(&changes[at]);
        if ends_checkpoint(&changes, at) {
            checkpoints += 1;
            let mut undone = disk.undone();
            // Who holds the store is nothing that is kept.
            undone.retain(|what| !what.contains("holder") && !what.contains("serving/"));
            assert_eq!(undone, [""; 0], "checkpoint {checkpoints}, change {at}");
        }
    }
    assert!(checkpoints > 4, "{checkpoints} checkpoints");
    // What was written down is all there is: the folder that follows from it is the store's.
    let again = Place::with(SEARCH);
    disk.whole(&again.path().join(".tandem"));
    assert_same(&of_store(&again), &of_store(&place), "the folder made from what was written down");
}

#[test]
fn a_loss_of_power_costs_nothing_that_a_checkpoint_covers() {
    let Some(library) = shim::library() else { return };
    let (changes, place) = changes(library);
    let expected = of_store(&place);
    let mut rng = draw::random("power");
    let first = (0..changes.len()).find(|&at| ends_checkpoint(&changes, at)).unwrap();
    for number in 0..draw::times(8) {
        // Before the first checkpoint there is nothing to keep, and nothing may be in the way either.
        let from = if number % 4 == 0 { 0..first } else { first + 1..changes.len() };
        let at = rng.random_range(from);
        let share = [0.0, 0.3, 0.7, 0.95, 1.0][rng.random_range(0..5)];
        let what =
            format!("power lost at change {at} of {}, {share} of the rest kept", changes.len());
        let mut disk = Disk::default();
        let before = tempfile::tempdir().unwrap();
        for (number, change) in changes[..at].iter().enumerate() {
            disk.apply(change);
            if ends_checkpoint(&changes, number) {
                fs::remove_dir_all(before.path()).unwrap();
                disk.whole(before.path());
            }
        }
        let place = Place::with(SEARCH);
        let store = place.path().join(".tandem");
        fs::create_dir(&store).unwrap();
        disk.after_loss(&store, share, &mut rng);
        if let Some(before) = stored(before.path()) {
            let now = stored(&store).unwrap();
            for (run, (trials, covered)) in &before {
                let (now, covers) = now.get(run).unwrap_or_else(|| panic!("{what}: {run} is gone"));
                assert!(
                    now.starts_with(trials) && covers >= covered,
                    "{what}: {run} lost something"
                );
            }
        }
        let command = (RUN.go_on)(&place);
        let ran = place.run(&command.iter().map(String::as_str).collect::<Vec<_>>());
        let done = ran.code == 0 || ran.err.contains("is finished");
        assert!(done, "{what}: {}", ran.err);
        assert_same(&of_store(&place), &expected, &what);
    }
}
