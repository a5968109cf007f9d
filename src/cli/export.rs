//! `tandem export`: writes all trials of a run for other tools.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use crate::cli::common::output::Output;
use tandem::query::{KnownNames, SelectedRun, known, scan};
use tandem::report::{Column, ColumnKind, Format, Rows, TableCell};
use tandem::store::{StoreError, TrialBlock};

/// Writes all trials of a run for other tools, as CSV unless --format asks for another format.
///
/// The columns are, in this order: run, step, phase (its name), the metrics, reward, valid, failed (the
/// reason), the parts of the point, options (the option of each choice, by its number), duration_s and
/// from_cache. Metrics and parts are those that any trial of the run has, by name; one with the name of
/// another column has `metric.` or `point.` before it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run's name.
    run: String,
    /// Leaves out duration_s and from_cache, which differ between runs with the same trials.
    #[arg(long)]
    no_effort: bool,
    /// Writes into a file, which is there whole or not at all.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let format = match common.format {
        Format::Table => Format::Csv,
        format => format,
    };
    let store = common.reader()?;
    let reader = store.as_ref();
    let subjects = [SelectedRun::new(reader, reader.run(&args.run)?)?];
    let phases: Vec<String> =
        subjects[0].context.record.phases.iter().map(|phase| phase.name.clone()).collect();
    let known = known(reader, &subjects, None)?;
    let shape = Shape { known, effort: !args.no_effort };
    let output = Output::new(args.output.as_deref(), format)?;
    let mut rows = Rows::new(format, shape.columns(), output)?;
    let look = |_, block: &TrialBlock| {
        let row = |at| shape.row(&args.run, &phases, block, at);
        Ok((0..block.len()).map(row).collect::<Vec<_>>())
    };
    let mut written = Ok(());
    scan(reader, &subjects, look, |found| {
        written = found.into_iter().try_for_each(|row| rows.push(row));
        let more = if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        Ok::<_, StoreError>(more)
    })?;
    written?;
    rows.finish()?.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// The columns of an export.
struct Shape {
    known: KnownNames,
    effort: bool,
}

/// The columns of every export; [`EFFORT`] follows at the end unless left out.
const FIXED: [(&str, ColumnKind); 7] = [
    ("run", ColumnKind::Text),
    ("step", ColumnKind::Int),
    ("phase", ColumnKind::Text),
    ("reward", ColumnKind::Number),
    ("valid", ColumnKind::Flag),
    ("failed", ColumnKind::Text),
    ("options", ColumnKind::Text),
];
const EFFORT: [(&str, ColumnKind); 2] =
    [("duration_s", ColumnKind::Number), ("from_cache", ColumnKind::Text)];

impl Shape {
    fn columns(&self) -> Vec<Column> {
        let fixed = |range: std::ops::Range<usize>| {
            FIXED[range].iter().map(|&(name, kind)| Column::new(name, kind))
        };
        let taken = |name: &str| FIXED.iter().chain(&EFFORT).any(|(known, _)| *known == name);
        let metrics = self.known.metrics.iter().map(|name| match taken(name) {
            true => Column::new(format!("metric.{name}"), ColumnKind::Number),
            false => Column::new(name, ColumnKind::Number),
        });
        let parts = self.known.parts.iter().map(|name| {
            match taken(name) || self.known.metrics.contains(name) {
                true => Column::new(format!("point.{name}"), ColumnKind::Text),
                false => Column::new(name, ColumnKind::Text),
            }
        });
        let effort = EFFORT.iter().filter(|_| self.effort);
        fixed(0..3)
            .chain(metrics)
            .chain(fixed(3..6))
            .chain(parts)
            .chain(fixed(6..7))
            .chain(effort.map(|&(name, kind)| Column::new(name, kind)))
            .collect()
    }

    fn row(&self, run: &str, phases: &[String], block: &TrialBlock, at: usize) -> Vec<TableCell> {
        let phase = phases.get(block.phase(at) as usize).map(String::as_str);
        let mut row: Vec<TableCell> = vec![run.into(), block.step(at).into(), phase.into()];
        row.extend(self.known.metrics.iter().map(|name| {
            let value = block.values(name).map(|values| values[at]);
            TableCell::from(value.filter(|value| !value.is_nan()))
        }));
        let reward = block.reward(at);
        row.push(reward.into());
        row.push(reward.map(|_| block.is_valid(at)).into());
        row.push(block.reason(at).into());
        row.extend(
            self.known.parts.iter().map(|name| {
                TableCell::from(block.part(name).and_then(|part| block.text(at, part)))
            }),
        );
        let options: Vec<String> = block.point(at).iter().map(u16::to_string).collect();
        row.push(options.join(" ").into());
        if self.effort {
            let effort = block.effort(at);
            row.extend([effort.seconds().into(), effort.reused.text().into()]);
        }
        row
    }
}
