//! A folder with an experiment and a store, and the program run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

/// A search over three numbers and the accelerator, done in a moment.
pub const SCRIPT: &str = r#"fn space() { #{ x: choice([1, 2, 3]), hw: chaidnn::space() } }
fn evaluate(p) { #{ accuracy: p.x / 4.0, area_mm2: 1.0 } }
fn reward(m) { m.accuracy }
fn schedule(run) { if run.phases == 0 { phase("all", #{ steps: 64, controller: random() }) } }
"#;

/// What a command gave.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A folder of its own.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// With a script `x.rhai`.
    pub fn with(script: &str) -> Self {
        let place = Self::new();
        place.write("x.rhai", script);
        place
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The program, to be run in the folder, with nothing of the user's settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(cargo_bin!("tandem"));
        command.current_dir(self.path()).args(arguments).stdin(Stdio::null());
        for name in ["TANDEM_STORE", "TANDEM_DATA", "TANDEM_LOG", "RUST_BACKTRACE"] {
            command.env_remove(name);
        }
        // Servers of tests are on this machine, which no proxy leads to.
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.env("TANDEM_CACHE", self.path().join("cache"));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs what must succeed, and gives what it printed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        ran.out
    }

    /// Starts something that is going to be stopped.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// All trials of a run, as they are exported.
    pub fn trials(&self, run: &str) -> String {
        self.ok(&["query", "true", "--run", run, "--format", "jsonl"])
    }
}

/// The project's folder.
pub fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
