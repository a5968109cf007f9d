//! A temporary folder for an experiment and a store, in which the program runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

/// A short search over three numbers and the accelerator.
pub const SCRIPT: &str = r#"fn space() { #{ x: choice([1, 2, 3]), hw: chaidnn::space() } }
fn evaluate(p) { #{ accuracy: p.x / 4.0, area_mm2: 1.0 } }
fn reward(m) { m.accuracy }
fn schedule(run) { if run.phases == 0 { phase("all", #{ steps: 64, controller: random() }) } }
"#;

/// The result of a command.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A temporary folder.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Creates a folder with a script `x.rhai`.
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

    /// Returns a command that runs the program in the folder, without the user's environment settings.
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

    /// Runs a command that must succeed, and returns its output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        ran.out
    }

    /// Starts a command, without its output.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Returns all trials of a run in JSON lines, as `tandem query` prints them.
    pub fn trials(&self, run: &str) -> String {
        self.ok(&["query", "true", "--run", run, "--format", "jsonl"])
    }
}

/// Returns the project's folder.
pub fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
