//! Errors of commands, with a message, a hint and an exit code.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use serde_json::{Map, Value, json};

use crate::cli::common::shell_quote::quoted;
use tandem::accel::table::TableImportError;
use tandem::accuracy::nasbench101::{ImportError, Nasbench101TableError};
use tandem::pareto::ParseObjectiveError;
use tandem::query::{QueryError, QuestionError};
use tandem::report::Verbosity;
use tandem::run::RunError;
use tandem::script::{Diagnostic, ScriptError, SettingsError, Sources};
use tandem::session::{Change, SessionError};
use tandem::store::StoreError;
use tandem::study::PlanError;
use tandem::train::TrainError;
use tandem::train::data::AcquireError;

/// The exit code of wrong usage.
pub const USAGE: u8 = 2;

/// Errors of commands.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The request is invalid.
    #[error("{message}")]
    Usage {
        /// The problem.
        message: String,
        /// A remedy.
        hint: Option<String>,
    },
    /// The experiment cannot be loaded.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The experiment fails, with a message that is rendered already.
    #[error("{rendered}")]
    Experiment {
        /// The message, with its source line where that is known.
        rendered: String,
    },
    /// A function of the experiment fails, at a known place.
    #[error("{diagnostic}")]
    Call {
        /// Text before the message.
        head: Option<String>,
        /// The message and its place.
        diagnostic: Box<Diagnostic>,
        /// The source texts that the diagnostic refers to.
        sources: Sources,
    },
    /// A query is wrong.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The store reports an error.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run stops with an error.
    #[error(transparent)]
    Run(RunError),
    /// A table cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A table of devices cannot be imported.
    #[error(transparent)]
    ImportDevices(#[from] TableImportError),
    /// A table cannot be opened.
    #[error(transparent)]
    Table(#[from] Nasbench101TableError),
    /// A data set cannot be downloaded or imported.
    #[error(transparent)]
    Acquire(#[from] AcquireError),
    /// A training fails.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// An objective cannot be parsed.
    #[error(transparent)]
    Objective(#[from] ParseObjectiveError),
    /// The experiment of a run changed.
    #[error("run `{run}` cannot go on: {}", Change::list(changes))]
    Changed {
        /// The run's name.
        run: String,
        /// The changes.
        changes: Vec<Change>,
    },
    /// A study's file is wrong.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The file or an experiment of a study changed.
    #[error("study `{study}` cannot go on: {}", Change::list(changes))]
    ChangedStudy {
        /// The study's name.
        study: String,
        /// The changes.
        changes: Vec<Change>,
        /// The study's file.
        file: PathBuf,
    },
    /// A file cannot be used.
    #[error("cannot use {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The results cannot be written.
    #[error("cannot write the results: {0}")]
    Output(#[from] std::io::Error),
}

impl From<QuestionError> for CliError {
    fn from(error: QuestionError) -> Self {
        match error {
            QuestionError::Store(error) => Self::Store(error),
            QuestionError::Query(error) => Self::Query(error),
        }
    }
}

impl From<SessionError> for CliError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Script(error) => Self::Script(error),
            SessionError::Call { head, diagnostic, sources } => {
                Self::Call { head, diagnostic, sources }
            }
            SessionError::Failed(reason) => Self::failed(&reason),
            SessionError::SweepPairs(error) => Self::failed(&error.to_string()),
            SessionError::Store(error) => Self::Store(error),
            SessionError::Run(error) => Self::Run(error),
            SessionError::Changed { run, changes } => Self::Changed { run, changes },
            other => Self::Usage { message: other.to_string(), hint: other.help() },
        }
    }
}

impl CliError {
    /// An error of the experiment without a place.
    pub fn failed(reason: &str) -> Self {
        Self::Experiment { rendered: format!("error: {reason}") }
    }

    /// A usage error without a hint.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    fn code(&self) -> u8 {
        match self {
            Self::Usage { .. } | Self::Objective(_) => USAGE,
            Self::Script(
                ScriptError::Read { .. } | ScriptError::Settings(SettingsError::Form(_)),
            )
            | Self::Plan(PlanError::Read { .. }) => USAGE,
            Self::Script(_)
            | Self::Experiment { .. }
            | Self::Call { .. }
            | Self::Query(_)
            | Self::Changed { .. }
            | Self::ChangedStudy { .. }
            | Self::Plan(PlanError::Form { .. } | PlanError::Wrong { .. })
            | Self::Run(
                RunError::Schedule(_)
                | RunError::Phase { .. }
                | RunError::Space { .. }
                | RunError::AllFailed { .. }
                | RunError::Unusable(_)
                | RunError::OriginChanged { .. }
                | RunError::MissingObjective { .. }
                | RunError::Threshold(_)
                | RunError::Sweep(_)
                | RunError::Contradiction { .. },
            ) => 3,
            Self::Store(error) | Self::Run(RunError::Store(error)) => store_code(error),
            Self::Run(RunError::Diverged { .. } | RunError::Checkpoint { .. }) => 4,
            Self::Run(_)
            | Self::Import(_)
            | Self::ImportDevices(_)
            | Self::Table(_)
            | Self::Acquire(_)
            | Self::Train(_)
            | Self::File { .. }
            | Self::Output(_) => 1,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } => hint.clone(),
            Self::Changed { run, .. } => Some(format!(
                "undo the change, or `tandem resume {run} --fork` to start a new run with it"
            )),
            Self::ChangedStudy { file, .. } => Some(format!(
                "undo the change, or `tandem study {} --fork` to start a new study with it; repeats, \
                 strategies and scenarios may be added to the old one",
                quoted(&file.display().to_string())
            )),
            Self::Run(RunError::OriginChanged { run, .. }) => Some(format!(
                "bring back what it was, or `tandem resume {run} --fork` to start a new run"
            )),
            Self::Run(RunError::Diverged { run, .. }) => Some(format!(
                "something that decides the run changed; `tandem resume {run} --fork` starts anew"
            )),
            Self::Acquire(AcquireError::Download(_)) => Some(
                "`--mirror URL` names another server, and `tandem data import` takes files that you \
                 have"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// Prints an error of the store that no caller can receive, and returns the exit code.
    pub fn report_store(error: &StoreError) -> i32 {
        let code = store_code(error);
        if Verbosity::get().json {
            eprintln!("{}", json!({ "error": error.to_string(), "code": code }));
        } else {
            eprintln!("error: {error}");
        }
        i32::from(code)
    }

    /// The diagnostic and its source texts, if the error is about a place in a script.
    fn diagnostic(&self) -> Option<(&Diagnostic, &Sources)> {
        match self {
            Self::Script(ScriptError::Script { diagnostics, sources }) => {
                Some((&diagnostics.first, sources))
            }
            Self::Script(ScriptError::Settings(SettingsError::Wrong { diagnostic, sources }))
            | Self::Query(QueryError { diagnostic, sources })
            | Self::Call { diagnostic, sources, .. } => Some((diagnostic, sources)),
            _ => None,
        }
    }

    /// The message of an error in a script, with its source line if that is known.
    pub fn rendered(&self) -> Option<String> {
        let colors = Verbosity::get().colors();
        match self {
            Self::Experiment { rendered } => return Some(rendered.clone()),
            Self::Script(ScriptError::Script { diagnostics, sources }) => {
                return Some(diagnostics.render(sources, colors));
            }
            Self::Plan(PlanError::Form { path, text, error }) => {
                let label = path.display().to_string();
                let diagnostic = Diagnostic::of_yaml(&label, text, error);
                return Some(diagnostic.render(&Sources::of(&label, text), colors));
            }
            _ => {}
        }
        let (diagnostic, sources) = self.diagnostic()?;
        let rendered = diagnostic.render(sources, colors);
        Some(match self {
            Self::Call { head: Some(head), .. } => format!("error: {head}\n{rendered}"),
            _ => rendered,
        })
    }

    /// The causes of the error that its message does not include.
    fn causes(&self) -> Vec<String> {
        // The messages of the other kinds name their causes themselves.
        let mut source = match self {
            Self::Store(_) | Self::Run(_) => self.source(),
            _ => None,
        };
        let mut causes = Vec::new();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        causes
    }

    /// The error as JSON; fields that do not apply are left out.
    fn json(&self) -> Value {
        let message = match (self, self.diagnostic()) {
            (Self::Call { head: Some(head), diagnostic, .. }, _) => {
                format!("{head} {}", diagnostic.message)
            }
            (_, Some((diagnostic, _))) => diagnostic.message.clone(),
            (Self::Experiment { rendered }, _) => {
                rendered.strip_prefix("error: ").unwrap_or(rendered).to_owned()
            }
            _ => self.to_string(),
        };
        let mut object = described("error", &message, self.diagnostic().map(|(wrong, _)| wrong));
        if let Self::Script(ScriptError::Script { diagnostics, .. }) = self
            && !diagnostics.others.is_empty()
        {
            let others = diagnostics.others.iter();
            object["others"] =
                others.map(|other| described("error", &other.message, Some(other))).collect();
        }
        object["code"] = self.code().into();
        let causes = self.causes();
        if !causes.is_empty() {
            object["because"] = causes.into();
        }
        if let Some(hint) = self.hint().filter(|_| object.get("help").is_none()) {
            object["help"] = hint.into();
        }
        object
    }

    /// Prints the error to standard error and returns its exit code.
    pub fn report(&self) -> ExitCode {
        if let Self::Output(error) = self
            && error.kind() == std::io::ErrorKind::BrokenPipe
        {
            return ExitCode::SUCCESS;
        }
        if Verbosity::get().json {
            eprintln!("{}", self.json());
            return ExitCode::from(self.code());
        }
        match self.rendered() {
            Some(rendered) => eprintln!("{rendered}"),
            None => {
                eprintln!("error: {self}");
                self.causes().iter().for_each(|cause| eprintln!("  because: {cause}"));
            }
        }
        if let Some(hint) = self.hint() {
            eprintln!("hint: {hint}");
        }
        ExitCode::from(self.code())
    }
}

/// A usage error as JSON.
///
/// The message is the first paragraph of the text for people; the help is the tips that follow or, without
/// any, the usage.
pub fn usage_json(error: &clap::Error) -> Value {
    let text = error.render().to_string();
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let paragraphs: Vec<String> = text.split("\n\n").map(one_line).collect();
    // A page of help is all that there is to print where a command of a command is missing.
    let message = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a command is missing",
        _ => paragraphs[0].trim_start_matches("error: "),
    };
    let tips: Vec<&str> = paragraphs.iter().filter_map(|text| text.strip_prefix("tip: ")).collect();
    let help = match tips.is_empty() {
        true => paragraphs.iter().find(|text| text.starts_with("Usage: ")).cloned(),
        false => Some(tips.join("; ")),
    };
    let mut object = described("error", message, None);
    object["code"] = USAGE.into();
    if let Some(help) = help {
        object["help"] = help.into();
    }
    object
}

/// A message as JSON under the key `kind`, with its place, notes, stack and help if there are any.
pub fn described(kind: &str, message: &str, about: Option<&Diagnostic>) -> Value {
    let mut object = Map::new();
    object.insert(kind.to_owned(), message.into());
    if let Some(about) = about {
        if let Some(place) = &about.place {
            object.insert("file".into(), place.label.as_str().into());
            object.insert("line".into(), place.line.into());
            object.insert("column".into(), place.column.into());
        }
        if !about.notes.is_empty() {
            object.insert("notes".into(), about.notes.to_vec().into());
        }
        if !about.stack.is_empty() {
            object.insert("stack".into(), about.stack.to_vec().into());
        }
        if let Some(help) = &about.help {
            object.insert("help".into(), help.as_str().into());
        }
    }
    Value::Object(object)
}

const fn store_code(error: &StoreError) -> u8 {
    match error {
        StoreError::NoRun { .. }
        | StoreError::NoStore { .. }
        | StoreError::NotAStore { .. }
        | StoreError::NotAFolder { .. }
        | StoreError::LeadsNowhere { .. }
        | StoreError::LeadsAstray { .. }
        | StoreError::NothingToSalvage { .. }
        | StoreError::NotEmpty { .. } => 2,
        StoreError::Io { .. }
        | StoreError::Full { .. }
        | StoreError::Stuck { .. }
        | StoreError::File { .. }
        | StoreError::Archive { .. }
        | StoreError::NewerArchive { .. } => 1,
        _ => 4,
    }
}
