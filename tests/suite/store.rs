//! Maintenance of the store: verification, export, import, compaction, measurement.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::support::{Place, SCRIPT, project};

/// Returns a store with two runs of more than a stretch of trials, one of them with failed trials.
fn filled() -> Place {
    let script = SCRIPT.replace("steps: 64", "steps: 600");
    let place = Place::with(&script);
    place.ok(&["run", "x.rhai"]);
    let failing = "{ if p.x == 2 { throw \"no\" } #{ accuracy";
    place.write("y.rhai", &script.replace("{ #{ accuracy", failing));
    place.ok(&["run", "y.rhai"]);
    place
}

/// Returns the files below a folder with their contents, sorted by path.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

/// Returns the checkpoint of a training run, after its hash.
fn weights() -> Vec<u8> {
    [blake3::hash(b"weights").as_bytes().as_slice(), b"weights"].concat()
}

fn tree(place: &Place, name: &str, change: impl FnOnce(&sled::Tree)) {
    // A database that was closed may stay locked for a moment.
    let opened = (0..200).find_map(|_| {
        thread::sleep(Duration::from_millis(5));
        sled::open(place.path().join(".tandem")).ok()
    });
    let db = opened.unwrap();
    change(&db.open_tree(name).unwrap());
    db.flush().unwrap();
}

#[test]
fn a_whole_store_is_verified() {
    let place = filled();
    let ran = place.run(&["store", "verify"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert_eq!(
        ran.err,
        "2 runs, 1,200 trials, 4 checkpoints, 0 studies, 2 scripts, 0 trainings, 0 estimates, 0 files: \
         nothing is wrong\n"
    );
    let ran = place.run(&["store", "verify", "--format", "json"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "[]\n"));
    assert_eq!(place.run(&["store", "verify", "--store", "none"]).code, 2);
}

#[test]
fn what_is_damaged_is_listed_and_everything_else_too() {
    let place = filled();
    tree(&place, "runs", |runs| drop(runs.insert("x-1", "{").unwrap()));
    tree(&place, "journal", |journal| {
        let key = [b"y-1\0".as_slice(), &512_u64.to_be_bytes()].concat();
        journal.remove(key).unwrap();
    });
    tree(&place, "scripts", |scripts| {
        let (key, _) = scripts.first().unwrap().unwrap();
        scripts.insert(key, "other").unwrap();
    });

    let ran = place.run(&["store", "verify", "--format", "csv"]);
    assert_eq!(ran.code, 4);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 4, "{}{}", ran.out, ran.err);
    assert_eq!(lines[0], "weight,where,what,way_out");
    assert!(lines[1].starts_with("damage,run `x-1`,its record: EOF while parsing"), "{}", ran.out);
    assert_eq!(
        lines[2],
        "damage,\"run `y-1`, trial 512\",missing,\"`tandem resume y-1 --fork` searches anew, or \
         `tandem store import` makes a store of an archive that has it\""
    );
    assert!(lines[3].ends_with(
        ",its text has another hash,`tandem store import` makes a store of an archive that has it"
    ));
    assert!(ran.err.ends_with(": damages: 3\n"), "{}", ran.err);
    let ran = place.run(&["runs"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("`tandem store salvage .tandem --to NEW` reads what"), "{}", ran.err);
}

#[test]
fn a_store_comes_back_from_its_archive() {
    let place = filled();
    fs::create_dir(place.path().join(".tandem/trainings")).unwrap();
    fs::write(place.path().join(".tandem/trainings/abc"), weights()).unwrap();
    let ran = place.run(&["store", "export", "a.tar.zst"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    assert!(ran.err.starts_with("2 runs, "), "{}", ran.err);
    assert!(ran.err.ends_with(" records in all, 1 file exported to a.tar.zst\n"), "{}", ran.err);
    let archive = fs::read(place.path().join("a.tar.zst")).unwrap();
    let names: Vec<_> = fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("a.tar"))
        .collect();
    assert_eq!(names, ["a.tar.zst"]);

    let ran = place.run(&["store", "import", "a.tar.zst", "--store", "b"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.ends_with(" 1 file imported into b\n"), "{}", ran.err);
    for run in ["x-1", "y-1"] {
        let query = |store| {
            place.ok(&["query", "true", "--run", run, "--format", "jsonl", "--store", store])
        };
        assert_eq!(query("b"), query(".tandem"));
        let show = |store| place.ok(&["show", run, "--format", "json", "--store", store]);
        assert_eq!(show("b"), show(".tandem"));
    }
    assert_eq!(fs::read(place.path().join("b/trainings/abc")).unwrap(), weights());
    place.ok(&["store", "export", "b.tar.zst", "--store", "b"]);
    assert!(fs::read(place.path().join("b.tar.zst")).unwrap() == archive);
    let runs = place.ok(&["runs", "--store", "b"]);
    let ran = place.run(&["store", "import", "a.tar.zst", "--store", "b"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: the store at b has "), "{}", ran.err);
    assert!(
        ran.err.ends_with(
            ", and what is imported or salvaged goes into an empty store; name a new or empty folder\n"
        ),
        "{}",
        ran.err
    );
    assert_eq!(place.ok(&["runs", "--store", "b"]), runs);
    place.ok(&["run", "x.rhai", "--store", "b"]);
    assert_eq!(place.ok(&["runs", "--store", "b"]).lines().count(), runs.lines().count() + 1);
}

#[test]
fn archives_go_through_pipes() {
    let place = filled();
    place.ok(&["store", "export", "a.tar.zst"]);
    let archive = fs::read(place.path().join("a.tar.zst")).unwrap();
    let out = place.command(&["store", "export", "-"]).output().unwrap();
    assert!(out.status.success() && out.stdout == archive);
    let import = |bytes: &[u8]| {
        let mut command = place.command(&["store", "import", "-", "--store", "b"]);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // One that refuses closes its end.
        let _ = child.stdin.take().unwrap().write_all(bytes);
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, err) = import(&archive[..archive.len() / 2]);
    assert_eq!(code, 1);
    assert!(err.starts_with("error: standard input is not a whole archive of a store: "), "{err}");
    assert!(!place.path().join("b").exists());
    assert_eq!(import(&archive).0, 0);
    place.ok(&["store", "verify", "--store", "b"]);
    assert_eq!(place.ok(&["runs", "--store", "b"]), place.ok(&["runs"]));
}

#[test]
fn a_spoiled_archive_is_refused_and_nothing_is_left() {
    let place = filled();
    place.ok(&["store", "export", "a.tar.zst"]);
    let archive = fs::read(place.path().join("a.tar.zst")).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(place.path().join("bad"), bytes).unwrap();
        let ran = place.run(&["store", "import", "bad", "--store", "b"]);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(
            ran.err.starts_with("error: bad is not a whole archive of a store: ")
                && ran.err.ends_with("; take another copy of it. Nothing was imported\n")
                && ran.err.lines().count() == 1,
            "{}",
            ran.err
        );
        assert!(!place.path().join("b").exists());
    };
    for part in 0..12 {
        refused(&archive[..archive.len() * part / 12]);
    }
    refused(&archive[..archive.len() - 1]);
    for part in 1..12 {
        let mut flipped = archive.clone();
        flipped[archive.len() * part / 12] ^= 1;
        refused(&flipped);
    }
    refused(b"PK\x03\x04 something else");
    let missing = place.run(&["store", "import", "missing", "--store", "b"]);
    assert_eq!(missing.code, 1);
    assert_eq!(missing.err, "error: cannot use missing: No such file or directory (os error 2)\n");
    let nowhere = place.run(&["store", "export", "missing/a.tar.zst"]);
    assert_eq!(nowhere.code, 1);
    assert_eq!(
        nowhere.err,
        "error: cannot read or write missing/a.tar.zst\n  because: No such file or directory (os \
         error 2)\n"
    );
}

#[test]
fn a_store_in_use_is_refused_with_its_holder() {
    let place = filled();
    place.ok(&["store", "export", "a.tar.zst"]);
    let db = sled::open(place.path().join(".tandem")).unwrap();
    for command in [
        &["store", "export", "b.tar.zst"][..],
        &["store", "import", "a.tar.zst"],
        &["store", "compact"],
    ] {
        let ran = place.run(command);
        assert_eq!(ran.code, 4, "{command:?}: {}", ran.err);
        assert!(ran.err.starts_with("error: the store at .tandem is in use by "), "{}", ran.err);
    }
    drop(db);
    place.ok(&["store", "verify"]);
}

#[test]
fn compacting_changes_nothing_but_the_size() {
    let place = filled();
    for _ in 0..3 {
        place.ok(&["run", "x.rhai", "--seed", "7"]);
    }
    let before = place.ok(&["store", "status", "--format", "csv"]);
    let live = |status: &str| -> Vec<String> {
        let trees = status.lines().filter(|line| line.ends_with(','));
        trees.map(str::to_owned).collect()
    };
    assert!(live(&before).iter().any(|line| line.starts_with("journal,")), "{before}");
    let trials = ["x-1", "y-1", "x-2", "x-4"].map(|run| place.trials(run));
    let ran = place.run(&["store", "compact"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    assert!(ran.err.starts_with("the database take") || ran.err.starts_with("the database took"));
    assert_eq!(live(&place.ok(&["store", "status", "--format", "csv"])), live(&before));
    assert_eq!(["x-1", "y-1", "x-2", "x-4"].map(|run| place.trials(run)), trials);
    assert_eq!(place.run(&["store", "verify"]).code, 0);
    let left: Vec<PathBuf> = fs::read_dir(place.path().join(".tandem"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().contains("incoming"))
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new());
    place.ok(&["run", "x.rhai"]);
}

#[test]
fn other_programs_are_told_what_was_written() {
    let place = filled();
    let json = |arguments: &[&str]| -> serde_json::Value {
        let ran = place.run(arguments);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        serde_json::from_str(&ran.out).unwrap()
    };
    let exported = json(&["store", "export", "a.tar.zst", "--json"]);
    assert_eq!(exported["written"], serde_json::json!(["a.tar.zst"]));
    assert_eq!((&exported["runs"], &exported["files"]), (&2.into(), &0.into()));
    let imported = json(&["store", "import", "a.tar.zst", "--store", "b", "--json"]);
    assert_eq!(imported["written"], serde_json::json!(["b"]));
    assert_eq!(imported["records"], exported["records"]);
    let compacted = json(&["store", "compact", "--json"]);
    let bytes = |name: &str| compacted[name].as_u64().unwrap();
    assert!(bytes("bytes_after") <= bytes("bytes_before"), "{compacted}");
    // Nothing but the archive goes where that goes.
    let output = place.command(&["store", "export", "-", "--json"]).output().unwrap();
    assert_eq!(output.stdout, fs::read(place.path().join("a.tar.zst")).unwrap());
}

#[cfg(unix)]
#[test]
fn an_archive_goes_through_links_and_into_pipes() {
    let place = filled();
    let at = |name: &str| place.path().join(name);
    place.write("real", "old");
    std::os::unix::fs::symlink("real", at("link")).unwrap();
    place.ok(&["store", "export", "link"]);
    assert_eq!(fs::read_link(at("link")).unwrap(), Path::new("real"));
    let archive = fs::read(at("real")).unwrap();
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    let mut export = place.start(&["store", "export", "pipe"]);
    assert!(fs::read(at("pipe")).unwrap() == archive);
    assert!(export.wait().unwrap().success());
    place.ok(&["store", "export", "/dev/null"]);
}

/// Kills a compaction and an import at moments spread over their time, and checks that the store is always
/// the same.
#[cfg(unix)]
#[test]
fn a_kill_while_compacting_or_importing_loses_nothing() {
    let place = filled();
    place.ok(&["store", "export", "a.tar.zst"]);
    let archive = fs::read(place.path().join("a.tar.zst")).unwrap();
    let same = |store: &str| {
        place.ok(&["store", "export", "again.tar.zst", "--store", store]);
        assert!(fs::read(place.path().join("again.tar.zst")).unwrap() == archive, "{store}");
    };
    for moment in 0..8 {
        let mut child = place.start(&["store", "compact"]);
        thread::sleep(Duration::from_millis(5 + 8 * moment));
        child.kill().unwrap();
        child.wait().unwrap();
        same(".tandem");
    }
    for moment in 0..8 {
        let mut child = place.start(&["store", "import", "a.tar.zst", "--store", "b"]);
        thread::sleep(Duration::from_millis(5 + 6 * moment));
        child.kill().unwrap();
        child.wait().unwrap();
        let runs = place.run(&["runs", "--store", "b"]);
        match runs.code {
            0 => same("b"),
            _ => {
                let expected = [
                    "there is no store at b",
                    "an import or a salvage into the store at b was cut off",
                ];
                assert!(expected.iter().any(|text| runs.err.contains(text)), "{}", runs.err);
                place.ok(&["store", "import", "a.tar.zst", "--store", "b"]);
                same("b");
            }
        }
        fs::remove_dir_all(place.path().join("b")).unwrap();
    }
    assert_eq!(place.run(&["store", "verify"]).code, 0);
    assert!(!files(&place.path().join(".tandem")).is_empty());
}

#[test]
fn the_space_is_measured() {
    let place = filled();
    let ran = place.run(&["store", "status", "--format", "jsonl"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let parts: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let part = |name: &str| parts.iter().find(|part| part["part"] == name).unwrap();
    assert_eq!(part("runs")["records"], 2);
    // Four stretches and 88 trials of each run.
    assert_eq!(part("journal")["records"], 2 * (4 + 600 % 128));
    let live = part("journal")["live_bytes"].as_u64().unwrap();
    assert_eq!(part("a trial")["records"], 1200);
    assert_eq!(part("a trial")["live_bytes"], live / 1200);
    let db = fs::metadata(place.path().join(".tandem/db")).unwrap().len();
    assert!(part("database")["disk_bytes"].as_u64().unwrap() >= db);
    assert!(ran.err.starts_with("1,200 trials; the database holds "), "{}", ran.err);
}

/// Checks that an independent program can read the archive as documented.
#[test]
fn another_program_reads_the_archive() {
    let place = filled();
    fs::create_dir(place.path().join(".tandem/trainings")).unwrap();
    fs::write(place.path().join(".tandem/trainings/abc"), weights()).unwrap();
    place.ok(&["store", "export", "a.tar.zst"]);
    let there = |command: &str, argument: &str| {
        Command::new(command).arg(argument).output().is_ok_and(|output| output.status.success())
    };
    if !there("python3", "--version") || !there("zstd", "--version") {
        eprintln!("skipped: no python3 or no zstd");
        return;
    }
    let output = Command::new("python3")
        .arg(project().join("tests/oracles/archive.py"))
        .arg(place.path().join("a.tar.zst"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        read,
        serde_json::json!({
            "files": ["trainings/abc"],
            "runs": { "x-1": "finished", "y-1": "finished" },
            "trees": [
                "accuracies", "checkpoints", "estimates", "journal", "meta", "runs", "scripts", "studies"
            ],
        })
    );
}
