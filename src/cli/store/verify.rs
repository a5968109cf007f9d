//! `tandem store verify`: checks the content of the store.

use std::io::stdout;
use std::process::ExitCode;

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use tandem::note;
use tandem::report::{Format, Table, counted, grouped};
use tandem::store::{Findings, Weight};

/// Reads everything that is in the store and lists what is wrong with it; changes nothing.
///
/// The exit code is 4 if anything is damaged.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Carries out the command.
pub fn run(common: &Common, _args: &Args) -> Result<ExitCode, CliError> {
    let findings = common.store_to_read()?.verify();
    let mut table = Table::new(["weight", "where", "what", "way_out"]);
    for finding in &findings.list {
        let weight = match finding.weight {
            Weight::Damage => "damage",
            Weight::Note => "note",
        };
        table.push(vec![
            weight.into(),
            finding.place.as_str().into(),
            finding.what.as_str().into(),
            finding.remedy.as_str().into(),
        ]);
    }
    if !table.is_empty() || common.format != Format::Table {
        table.write(common.format, stdout().lock())?;
    }
    if findings.omitted() > 0 {
        note!("{} more are not listed", grouped(findings.omitted().into()));
    }
    note!("{}", totals(&findings));
    Ok(ExitCode::from(if findings.damages > 0 { 4 } else { 0 }))
}

fn totals(findings: &Findings) -> String {
    let looked_at = [
        (findings.runs, "run", "runs"),
        (findings.trials, "trial", "trials"),
        (findings.checkpoints, "checkpoint", "checkpoints"),
        (findings.studies, "study", "studies"),
        (findings.scripts, "script", "scripts"),
        (findings.trainings, "training", "trainings"),
        (findings.estimates, "estimate", "estimates"),
        (findings.files, "file", "files"),
    ]
    .map(|(count, one, many)| counted(count, one, many))
    .join(", ");
    let found = match (findings.damages, findings.notes) {
        (0, 0) => "nothing is wrong".to_owned(),
        (0, notes) => format!("nothing is wrong, notes: {notes}"),
        (damages, 0) => format!("damages: {damages}"),
        (damages, notes) => format!("damages: {damages}, notes: {notes}"),
    };
    format!("{looked_at}: {found}")
}
