//! Commands with simulated disk faults: `tests/crash/faults.c` is compiled and preloaded into them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{Place, project};

/// The maximum time of a command: twice the minute after which the program gives up a write.
const TOO_LONG: Duration = Duration::from_secs(120);

/// The end of a command.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; none if it was killed.
    pub code: Option<i32>,
    pub err: String,
}

/// Returns the library with the faults, or `None` where it cannot be compiled; without a compiler in
/// continuous integration, it panics.
pub fn library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    LIBRARY.get_or_init(compile).as_deref()
}

fn compile() -> Option<PathBuf> {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        eprintln!("skipped: faults of the disk are made on Linux with glibc");
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (library, new) =
        (folder.join("faults.so"), folder.join(format!("{}.so", std::process::id())));
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&new);
    compiler.arg(project().join("tests/crash/faults.c")).arg("-lpthread");
    match compiler.status() {
        Ok(status) => assert!(status.success(), "tests/crash/faults.c does not compile"),
        Err(error) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "no C compiler: {error}");
            eprintln!("skipped: no C compiler: {error}");
            return None;
        }
    }
    std::fs::rename(&new, &library).unwrap();
    Some(library)
}

/// Returns the canonical path of the store of a place, for the library and the command.
pub fn store(place: &Place) -> PathBuf {
    place.path().canonicalize().unwrap().join(".tandem")
}

/// Runs a command with the given faults, which `faults.c` documents.
pub fn run(library: &Path, place: &Place, arguments: &[&str], faults: &[(&str, &str)]) -> Ended {
    let store = store(place);
    let mut command = place.command(arguments);
    command.arg("--store").arg(&store);
    command.env("LD_PRELOAD", library).env("FAULTS_DIR", &store);
    for (name, value) in faults {
        command.env(format!("FAULTS_{name}"), value);
    }
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > TOO_LONG {
            child.kill().unwrap();
            panic!("{arguments:?} hangs with {faults:?}");
        }
        sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap();
    Ended { code: output.status.code(), err: String::from_utf8(output.stderr).unwrap() }
}

/// Counts the calls of a kind that a command makes.
pub fn count(library: &Path, place: &Place, arguments: &[&str], op: &str) -> u64 {
    let file = place.path().join("count");
    let faults = [("KIND", "count"), ("OP", op), ("COUNT", file.to_str().unwrap())];
    let ended = run(library, place, arguments, &faults);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    std::fs::read_to_string(file).unwrap().parse().unwrap()
}

/// Asserts that a command ended with an error that names the store and the way out.
pub fn assert_clear(ended: &Ended, store: &Path, what: &str) {
    assert!(matches!(ended.code, Some(1 | 4)), "{what}: {ended:?}");
    let error = ended.err.find("error: ").unwrap_or_else(|| panic!("{what}: {}", ended.err));
    let error = &ended.err[error..];
    assert!(error.contains(&store.display().to_string()), "{what}: {error}");
    let ways = ["resume", "--store", "tandem store salvage"];
    assert!(ways.iter().any(|way| error.contains(way)), "{what}: {error}");
    assert!(!ended.err.contains("panicked"), "{what}: {}", ended.err);
}
