//! The work of the fuzz targets on a text: the same as the program's, with a panic if it shows a bug.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tandem::run::{Experiment, Progress};
use tandem::script::{Limits, Script, ScriptError, Settings};
use tandem::study::StudyPlan;
use tandem::util::rng::stream;

/// The limits of each script.
pub const LIMITS: Limits = Limits {
    operations: 20_000,
    call_depth: 32,
    expression_depth: 64,
    string_bytes: 1 << 16,
    array_items: 10_000,
    map_entries: 1_000,
    modules: 16,
    variables: 500,
    functions: 200,
    memory_mb: 32,
    seconds: 2.0,
};

/// The maximum time for a whole input: a dozen calls, and the time of native functions.
const PATIENCE: Duration = Duration::from_secs(20);

/// A part of the message of each panic in a call.
const FAULT: &str = "a bug of tandem";

/// Loads a text as a script, and calls the functions that it defines with two points.
///
/// # Panics
/// If there is a bug: a message of a panic, or a message of more than 1 MiB.
pub fn script(text: &str) {
    // Trainings take as long as the script asks for; messages quote a text in which the fuzzer puts what is
    // looked for.
    if text.contains("procedural") || text.contains(FAULT) {
        return;
    }
    let started = Instant::now();
    let settings = Settings { limits: LIMITS, threads: Some(1), ..Settings::default() };
    let data = PathBuf::from("no data");
    match Script::of_text(Path::new("experiments/fuzz.rhai"), text, &settings, data) {
        Err(error) => see(&told(&error)),
        Ok(script) => call(&script),
    }
    assert!(started.elapsed() < PATIENCE, "it took {:?}", started.elapsed());
}

fn call(script: &Script) {
    let mut rng = stream(0, "fuzz", 0);
    for _ in 0..2 {
        let Ok(point) = script.space().draw(&mut rng) else { return };
        see(&script.space().texts(&point).join(" "));
        if script.defines("evaluate") {
            match script.evaluate(&point) {
                Err(failure) => see(failure.message()),
                Ok(metrics) if script.defines("reward") => {
                    if let Err(failure) = script.reward(&metrics) {
                        see(failure.message());
                    }
                }
                Ok(_) => {}
            }
        }
        if script.defines("training")
            && let Err(failure) = script.training(&point)
        {
            see(failure.message());
        }
    }
    let progress = Progress::new(script.objectives().to_vec(), 0);
    match script.next_phase(&progress) {
        Err(failure) => see(failure.message()),
        Ok(Some(phase)) => see(&phase.description),
        Ok(None) => {}
    }
    if let Err(failure) = script.summary(&progress) {
        see(failure.message());
    }
    if script.defines("sweep")
        && let Err(error) = script.sweep_plan()
    {
        see(&told(&error));
    }
}

/// Reads a text as settings and as the plan of a study.
///
/// # Panics
/// If there is a bug: a message of a panic, or a message of more than 1 MiB.
pub fn settings(text: &str) {
    match Settings::of_text(Path::new("fuzz.yaml"), text) {
        Err(error) => is_brief(&error.to_string()),
        Ok(mut settings) => {
            if let Err(error) = settings.validate() {
                is_brief(&error.to_string());
            }
            for line in text.lines().take(16) {
                if let Err(error) = settings.set(line) {
                    is_brief(&error.to_string());
                }
            }
        }
    }
    if let Err(error) = StudyPlan::of_text(Path::new("fuzz.yaml"), text) {
        is_brief(&error.to_string());
    }
}

/// Returns an error as the program shows it.
fn told(error: &ScriptError) -> String {
    match error {
        ScriptError::Script { diagnostics, sources } => diagnostics.render(sources, false),
        other => other.to_string(),
    }
}

fn see(message: &str) {
    assert!(!message.contains(FAULT), "{message}");
    is_brief(message);
}

fn is_brief(message: &str) {
    assert!(message.len() < 1 << 20, "a message of {} bytes", message.len());
}
