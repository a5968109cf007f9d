//! `tandem store salvage`: copies the readable part of a damaged store into a new one.

use std::io::stdout;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use crate::cli::common::shell_quote::quoted;
use tandem::note;
use tandem::report::{Format, Table, counted, grouped};
use tandem::store::{Salvaged, SalvagedRun, Store};

/// Makes a new store of all that can be read of a damaged one, and says what could not be.
///
/// Nothing in the damaged store is changed. Trials that are lost between others become failed ones, so
/// that the others keep their steps; such a run cannot be resumed, but forked. The exit code is 4 if
/// anything is damaged.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the damaged store.
    dir: PathBuf,
    /// The folder of the new store: new or empty.
    #[arg(long, value_name = "NEW")]
    to: PathBuf,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    refuse_inside(&args.dir, &args.to)?;
    let salvaged = Store::salvage(&args.dir, &args.to)?;
    let mut table = Table::new(["run", "trials", "lost", "lost_steps", "note"]);
    for run in &salvaged.runs {
        table.push(vec![
            run.name.as_str().into(),
            run.trials.into(),
            run.lost_trials().into(),
            steps(run).into(),
            remarks(run).into(),
        ]);
    }
    if !table.is_empty() || common.format != Format::Table {
        table.write(common.format, stdout().lock())?;
    }
    notes(&salvaged, args);
    Ok(ExitCode::from(if salvaged.is_all() { 0 } else { 4 }))
}

/// Refuses a new store within the damaged one, which must not change.
fn refuse_inside(dir: &Path, to: &Path) -> Result<(), CliError> {
    let Ok(dir) = dir.canonicalize() else { return Ok(()) };
    // What is not there yet is in the first folder above it that is.
    let above = to.ancestors().find_map(|above| {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        above.canonicalize().ok()
    });
    if above.is_some_and(|above| above.starts_with(&dir)) {
        let message = "the new store is to be outside of the damaged one".to_owned();
        let hint = Some("name another folder with `--to`".to_owned());
        return Err(CliError::Usage { message, hint });
    }
    Ok(())
}

/// The lost steps of a run, in words.
fn steps(run: &SalvagedRun) -> String {
    let stretch = |&(first, last): &(u64, u64)| match first == last {
        true => first.to_string(),
        false => format!("{first} to {last}"),
    };
    let mut parts: Vec<String> = run.lost.iter().map(stretch).collect();
    if run.lost_at_end > 0 {
        parts.push(format!("{} at the end", run.lost_at_end));
    }
    parts.join(", ")
}

fn remarks(run: &SalvagedRun) -> String {
    let mut remarks = Vec::new();
    if run.has_lost_record {
        remarks.push("its record is lost".to_owned());
    }
    if run.has_doubtful_record {
        remarks.push("its record was read from a damaged page: check it".to_owned());
    }
    if run.has_older_record {
        remarks.push("its record is an older one, as a newer one is damaged".to_owned());
    }
    if !run.lost_sources.is_empty() {
        let texts = run.lost_sources.join(", ");
        remarks.push(format!("the text of {texts} is lost; it is resumed with the same text only"));
    }
    match (run.goes_on, run.has_lost_record) {
        (true, _) if run.lost_at_end > 0 => {
            remarks.push(format!("`tandem resume {}` makes the last ones again", run.name));
        }
        (true, _) => {}
        (false, true) => remarks.push("it cannot be resumed".to_owned()),
        (false, false) => remarks.push(format!("`tandem resume {} --fork` starts anew", run.name)),
    }
    remarks.join("; ")
}

fn notes(salvaged: &Salvaged, args: &Args) {
    if let Some(damage) = &salvaged.damage {
        note!("damaged: {damage}");
    }
    for study in &salvaged.lost_studies {
        note!("the record of study `{study}` is lost or was read from a damaged page");
    }
    for file in &salvaged.lost_files {
        note!("{} is not whole: that training starts anew", file.display());
    }
    let back = [
        (salvaged.runs.len() as u64, "run", "runs"),
        (salvaged.trials(), "trial", "trials"),
        (salvaged.studies.len() as u64, "study", "studies"),
        (salvaged.scripts as u64, "script", "scripts"),
        (salvaged.trainings as u64, "training", "trainings"),
        (salvaged.estimates as u64, "estimate", "estimates"),
        (salvaged.files as u64, "file", "files"),
    ]
    .map(|(count, one, many)| counted(count, one, many))
    .join(", ");
    let to = quoted(&args.to.display().to_string());
    note!("{back} are in {to}");
    if salvaged.is_all() {
        note!("nothing is lost");
    } else {
        note!(
            "{} known to be lost; what nothing counts may be lost as well: trials after a run's last \
             checkpoint, the newest record of a run, a whole run",
            lost(salvaged.lost_trials())
        );
    }
}

fn lost(trials: u64) -> String {
    match trials {
        0 => "no trial is".to_owned(),
        1 => "1 trial is".to_owned(),
        _ => format!("{} trials are", grouped(trials.into())),
    }
}
