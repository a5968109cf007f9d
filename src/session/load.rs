//! A loaded experiment: a script with its settings.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::error::SessionError;
use crate::accel::registry;
use crate::run::{
    Experiment, Failure, Observer, Progress, RunEnd, RunError, Runner, StoredEstimates,
    StoredTrainings,
};
use crate::script::{Diagnostic, Script, ScriptError, Settings, SettingsError};
use crate::search::SearchError;
use crate::space::Point;
use crate::store::{RunRecord, Store};
use crate::util::rng::stream;

/// A loaded experiment: a script with its settings.
pub struct Loaded {
    /// The script.
    pub script: Script,
    /// Its settings, overrides included.
    pub settings: Settings,
    file: PathBuf,
}

impl Loaded {
    /// The file of the experiment.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The number of threads that evaluate its points.
    pub fn threads(&self) -> usize {
        self.settings.threads()
    }

    /// Creates the record of a new run, and puts the script's texts into the store. The record itself is not
    /// yet in the store ([`Store::create_run`]).
    ///
    /// # Errors
    /// The settings file cannot be read again, or the store fails.
    pub fn record(
        &self,
        store: &Store,
        forked_from: Option<String>,
    ) -> Result<RunRecord, SessionError> {
        let mut sources = BTreeMap::new();
        for (name, text) in self.script.sources() {
            sources.insert(name, store.put_source(&text)?);
        }
        let stem =
            self.file.file_stem().map_or_else(|| "run".into(), |stem| stem.to_string_lossy());
        Ok(RunRecord {
            sources,
            settings: to_stored(&self.settings)?,
            defaults: to_stored(&read_settings(&self.file)?)?,
            seed: self.settings.seed.unwrap_or(0),
            steps: self.settings.steps,
            objectives: self.script.objectives().to_vec(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            data: registry::versions(),
            forked_from,
            ..RunRecord::new(&stem, &self.file.display().to_string())
        })
    }

    /// Keeps the experiment's training runs and estimates in a store.
    pub fn keep_in(&self, store: &Arc<Store>) {
        self.script.services().estimates().keep_in(Arc::new(StoredEstimates(store.clone())));
        self.script.services().trainer().keep_in(Arc::new(StoredTrainings(store.clone())));
    }

    /// Continues a run of the store from the end of its journal, or starts it.
    ///
    /// # Errors
    /// The run stops, or the store fails.
    pub fn run(
        &self,
        store: &Arc<Store>,
        record: RunRecord,
        stop: &AtomicBool,
        observer: &mut dyn Observer,
    ) -> Result<(RunEnd, Progress), SessionError> {
        self.keep_in(store);
        let (experiment, threads) = (&self.script, self.threads());
        let runner = Runner { experiment, store, run: record, threads, stop, observer };
        runner.run().map_err(|error| self.explain(error))
    }

    /// A point with some parts given as texts (`part=text`); the others are drawn with the seed.
    ///
    /// # Errors
    /// A part is unknown, or a text is not one of its options.
    pub fn point(&self, at: &[String]) -> Result<Point, SessionError> {
        let wrong = |error: &dyn std::fmt::Display| SessionError::Point(error.to_string());
        let space = self.script.space();
        let mut rng = stream(self.settings.seed.unwrap_or(0), "estimate", 0);
        let mut point = space.draw(&mut rng).map_err(|error| wrong(&error))?;
        for assignment in at {
            let (name, text) = assignment.split_once('=').ok_or_else(|| {
                SessionError::Point(format!("`--at {assignment}` is not of the form part=text"))
            })?;
            let part = space.part(name).map_err(|error| wrong(&error))?;
            let options = space.parts()[part]
                .domain
                .parse(text)
                .map_err(|illegal| SessionError::Point(format!("part `{name}`: {illegal}")))?;
            point = space.with(&point, part, &options);
        }
        Ok(point)
    }

    /// The error of a function of the script, with its source line if that is known.
    pub fn failure(&self, failure: &Failure) -> SessionError {
        match failure.cause::<Diagnostic>() {
            Some(diagnostic) => self.call(None, diagnostic.clone()),
            None => SessionError::Failed(failure.to_string()),
        }
    }

    fn call(&self, head: Option<String>, diagnostic: Diagnostic) -> SessionError {
        let sources = self.script.texts().clone();
        SessionError::Call { head, diagnostic: Box::new(diagnostic), sources }
    }

    /// The error of a run, with the script's source line if that is known.
    pub fn explain(&self, error: RunError) -> SessionError {
        let (head, failure) = match &error {
            RunError::Threshold(error) => {
                return self.call(None, self.script.explain_threshold(error));
            }
            RunError::Phase { phase, .. }
            | RunError::Space { phase, .. }
            | RunError::Controller { phase, source: SearchError::Setting { .. } } => {
                let message = match error.source() {
                    Some(source) => format!("{error}: {source}"),
                    None => error.to_string(),
                };
                return self.call(None, self.script.explain_phase(phase, message));
            }
            RunError::Schedule(failure) | RunError::Unusable(failure) => (None, failure),
            RunError::AllFailed { trials, first } => {
                (Some(format!("each of the first {trials} trials failed, the first with:")), first)
            }
            _ => return SessionError::Run(error),
        };
        match failure.cause::<Diagnostic>() {
            Some(diagnostic) => self.call(head, diagnostic.clone()),
            None => SessionError::Run(error),
        }
    }
}

/// Loads the experiment of a file: a .rhai script, or a .yaml file that names one with its settings.
///
/// `set` overrides settings (`seed`, `steps`, `limits.NAME`, ...) and arguments of the script, each as
/// `key=value`. `data` is the folder of benchmark tables and image sets; by default that of the settings,
/// else `data`.
///
/// # Errors
/// The file is not an experiment, or something in it or an override is wrong.
pub fn load(file: &Path, set: &[String], data: Option<&Path>) -> Result<Loaded, SessionError> {
    let mut settings = read_settings(file)?;
    for assignment in set {
        settings.set(assignment).map_err(ScriptError::from)?;
    }
    load_with(file, settings, data)
}

/// Loads the experiment of a file with settings that are already complete.
///
/// # Errors
/// As [`load`].
pub fn load_with(
    file: &Path,
    settings: Settings,
    data: Option<&Path>,
) -> Result<Loaded, SessionError> {
    let path = settings.script.clone().unwrap_or_else(|| file.to_path_buf());
    let data = data_folder(data, Some(&settings));
    let script = Script::load(&path, &settings, data)?;
    Ok(Loaded { script, settings, file: file.to_path_buf() })
}

/// Loads the experiment of a stored run as it is now, with the run's settings.
///
/// # Errors
/// As [`load`], or the stored settings cannot be read.
pub fn load_run(record: &RunRecord, data: Option<&Path>) -> Result<Loaded, SessionError> {
    load_with(Path::new(&record.file), stored_settings(record)?, data)
}

/// The folder of benchmark tables and image sets: `asked`, else that of the settings, else `data`.
pub fn data_folder(asked: Option<&Path>, settings: Option<&Settings>) -> PathBuf {
    let setting = || settings.and_then(|settings| settings.data.clone());
    asked.map(Path::to_path_buf).or_else(setting).unwrap_or_else(|| PathBuf::from("data"))
}

/// The settings of an experiment's file, before any override.
///
/// # Errors
/// The file is not an experiment, or something in it is wrong.
pub fn read_settings(file: &Path) -> Result<Settings, SessionError> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("rhai") => Ok(Settings { script: Some(file.to_path_buf()), ..Settings::default() }),
        Some("yaml" | "yml") => Settings::load(file).map_err(|error| match error {
            SettingsError::Read { path, source } => ScriptError::Read { path, source }.into(),
            other => ScriptError::from(other).into(),
        }),
        _ => Err(SessionError::NotAnExperiment { path: file.to_path_buf() }),
    }
}

/// The settings with which a stored run was started.
///
/// # Errors
/// They cannot be read.
pub fn stored_settings(record: &RunRecord) -> Result<Settings, SessionError> {
    serde_json::from_value(record.settings.clone()).map_err(|error| SessionError::StoredSettings {
        run: record.name.clone(),
        is_doubtful: record.lost.as_ref().is_some_and(|lost| lost.record),
        error,
    })
}

/// Converts settings to the form that the store keeps.
pub(super) fn to_stored(settings: &Settings) -> Result<serde_json::Value, SessionError> {
    serde_json::to_value(settings).map_err(SessionError::Unstorable)
}
