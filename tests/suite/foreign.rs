//! Folders and files of other programs: nothing in them is read as a store, changed or removed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use crate::damage::files;
use crate::support::{Place, SCRIPT};

/// Commands that need an existing store.
const ON_A_STORE: [&[&str]; 18] = [
    &["runs"],
    &["show", "x-1"],
    &["watch", "x-1"],
    &["query", "true"],
    &["pareto", "x-1"],
    &["explain", "x-1", "0"],
    &["figure", "x-1", "--out", "out.svg"],
    &["rescore", "x-1"],
    &["export", "x-1"],
    &["trainings"],
    &["resume", "x-1"],
    &["store", "verify"],
    &["store", "status"],
    &["store", "export", "out.tar.zst"],
    &["store", "compact"],
    &["store", "salvage", "DIR", "--to", "new"],
    &["show", "x-1", "--summary"],
    &["resume", "x-1", "--fork"],
];

/// Commands that create a store.
const MAKE: [&[&str]; 2] = [&["run", "x.rhai"], &["store", "import", "a.tar.zst"]];

/// Returns a folder with a script, a store and an archive.
fn place() -> Place {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai", "--store", "first"]);
    place.ok(&["store", "export", "a.tar.zst", "--store", "first"]);
    place
}

/// Checks that all commands fail on a folder and change nothing.
#[track_caller]
fn refused(place: &Place, dir: &str, commands: &[&[&str]], text: &str) {
    let before = files(place.path());
    for command in commands {
        let command: Vec<&str> =
            command.iter().map(|&word| if word == "DIR" { dir } else { word }).collect();
        let ran = place.run(&[&command, &["--store", dir][..]].concat());
        assert_eq!(ran.code, 2, "{command:?} on {dir}: {}{}", ran.out, ran.err);
        let is_salvage = command.contains(&"salvage");
        assert!(is_salvage || ran.err.contains(text), "{command:?} on {dir}: {}", ran.err);
        assert!(files(place.path()) == before, "{command:?} on {dir} changed something");
    }
}

#[test]
fn folders_with_other_things_are_left_as_they_are() {
    let place = place();
    let sqlite = format!("SQLite format 3\0{}", "x".repeat(9000));
    for (name, text) in [
        ("one/incoming/x.csv", "a"),
        ("two/incoming.part/x.csv", "a"),
        ("three/db", sqlite.as_str()),
        ("four/conf", "mine"),
        ("five/holder", "mine"),
        ("six/synced", "7\n"),
        ("seven/blobs/1", "mine"),
        ("eight/trainings/model", "mine"),
        ("nine/lock", ""),
        ("ten/serving/socket", "mine"),
        ("eleven/tandem-store", "mine"),
        ("twelve/snap.0000000000000001.generating", "mine"),
        ("thirteen/db/file", "mine"),
        ("fourteen/.hidden", "mine"),
        ("fifteen/incoming/db", "mine"),
    ] {
        place.write(name, text);
    }
    fs::create_dir_all(place.path().join("one/incoming/sub")).unwrap();
    fs::create_dir_all(place.path().join("sixteen/incoming")).unwrap();
    fs::create_dir_all(place.path().join("seventeen/trainings")).unwrap();
    // Another program's database of the same kind.
    let db = sled::open(place.path().join("eighteen")).unwrap();
    db.insert("key", "value").unwrap();
    db.flush().unwrap();
    drop(db);
    for dir in [
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
    ] {
        refused(&place, dir, &ON_A_STORE, "holds other files than a store's");
        refused(&place, dir, &MAKE, "holds other files than a store's");
    }
}

#[test]
fn what_is_not_there_is_not_made_by_who_reads() {
    let place = place();
    fs::create_dir(place.path().join("empty")).unwrap();
    for dir in ["missing", "missing/deeper", "empty"] {
        refused(&place, dir, &ON_A_STORE, &format!("there is no store at {dir}"));
    }
    refused(&place, "x.rhai", &ON_A_STORE, "x.rhai is no folder");
    refused(&place, "x.rhai", &MAKE, "x.rhai is no folder");
    place.ok(&["run", "x.rhai", "--store", "empty"]);
}

#[test]
fn links_say_where_they_lead() {
    let place = place();
    let link = |to: &str, name: &str| symlink(to, place.path().join(name)).unwrap();
    link("nowhere", "dangling");
    link("cache/other", "astray");
    place.write("cache/other/x.txt", "mine");
    link("loop", "loop");
    link("first", "good");
    refused(&place, "dangling", &ON_A_STORE, "dangling is a link to nowhere, and there is nothing");
    refused(&place, "dangling", &MAKE, "dangling is a link to nowhere, and there is nothing");
    refused(&place, "astray", &ON_A_STORE, "astray is a link to cache/other, which is no store");
    refused(&place, "astray", &MAKE, "astray is a link to cache/other, which is no store");
    assert_eq!(place.run(&["runs", "--store", "loop"]).code, 1);
    assert!(place.ok(&["runs", "--store", "good"]).contains("x-1"));
    place.ok(&["run", "x.rhai", "--store", "good"]);
    assert!(place.ok(&["runs", "--store", "first"]).contains("x-2"));
    fs::create_dir(place.path().join("nowhere")).unwrap();
    place.ok(&["run", "x.rhai", "--store", "dangling"]);
}

/// Checks that foreign files in a store stay, also in folders with the names that it uses temporarily.
#[test]
fn what_is_no_part_of_a_store_is_left_in_it() {
    let place = Place::with(SCRIPT);
    place.ok(&["run", "x.rhai"]);
    for name in [".tandem/incoming/x.csv", ".tandem/incoming.part/x.csv", ".tandem/notes.txt"] {
        place.write(name, "mine");
    }
    let kept = |place: &Place| {
        ["incoming/x.csv", "incoming.part/x.csv", "notes.txt"].iter().all(|name| {
            fs::read_to_string(place.path().join(".tandem").join(name))
                .is_ok_and(|text| text == "mine")
        })
    };
    place.ok(&["runs"]);
    place.ok(&["run", "x.rhai"]);
    place.ok(&["resume", "x-1", "--fork"]);
    let ran = place.run(&["store", "compact"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("`incoming` in it is not the store's own"), "{}", ran.err);
    assert!(kept(&place));
    place.ok(&["store", "verify"]);
}

/// Collects the permissions of all files and folders below a folder.
fn modes(folder: &Path, found: &mut Vec<(String, u32)>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let metadata = entry.metadata().unwrap();
        found.push((entry.path().display().to_string(), metadata.mode() & 0o777));
        if metadata.is_dir() {
            modes(&entry.path(), found);
        }
    }
}

/// A script with checkpoints that are large enough for separate files.
const LONG: &str = r#"fn space() {
    let options = [];
    for i in 0..99 { options.push(i); }
    let space = #{};
    for i in 0..60 { space["x" + i] = choice(options); }
    space
}
fn evaluate(p) { #{ accuracy: p.x0 / 99.0, area_mm2: 1.0 } }
fn reward(m) { m.accuracy }
fn schedule(run) { if run.phases == 0 { phase("all", #{ steps: 300, controller: reinforce() }) } }
"#;

#[test]
fn files_are_as_private_as_the_folder() {
    for (mode, allowed) in [(0o700, 0o700), (0o750, 0o750), (0o755, 0o755)] {
        let place = Place::with(SCRIPT);
        place.write("long.rhai", LONG);
        let folder = place.path().join("private");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        let store = ["--store", "private/store"];
        place.ok(&[&["run", "x.rhai"][..], &store].concat());
        place.ok(&[&["run", "long.rhai"][..], &store].concat());
        place.ok(&[&["resume", "x-1", "--fork"][..], &store].concat());
        place.ok(&[&["store", "compact"][..], &store].concat());
        let mut found = Vec::new();
        modes(&folder, &mut found);
        assert!(found.len() > 4);
        for (name, mode) in &found {
            assert_eq!(mode & !allowed, 0, "{name} has {mode:o} in a folder with {allowed:o}");
        }
        let db = found.iter().find(|(name, _)| name.ends_with("/db")).unwrap();
        assert_eq!(db.1 & 0o600, 0o600);
        // What is open to more than its folder is restricted by the next that writes.
        for (name, mode) in [("store/db", 0o666), ("store/blobs", 0o777)] {
            fs::set_permissions(folder.join(name), Permissions::from_mode(mode)).unwrap();
        }
        place.ok(&[&["run", "x.rhai"][..], &store].concat());
        for name in ["store/db", "store/blobs"] {
            let mode = fs::metadata(folder.join(name)).unwrap().mode() & 0o777;
            assert_eq!(mode & !allowed, 0, "{name}: {mode:o}");
        }
    }
}
