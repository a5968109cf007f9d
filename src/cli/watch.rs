//! `tandem watch`: follows a run that another process works on.

use std::io::{IsTerminal, stderr, stdout};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use tandem::note;
use tandem::report::{Format, Pace, WatchBar, WatchSnapshot};
use tandem::run::RunStats;
use tandem::store::{LockOwner, RunRecord, Status, StoreError, server};

/// Follows a run that another process works on, until it ends.
///
/// Exit codes: 0 the run is finished, 1 it failed or its process died, 130 it was interrupted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run's name.
    run: String,
    /// Seconds from one look to the next.
    #[arg(long, value_name = "S", default_value = "1", value_parser = interval)]
    interval: Duration,
}

fn interval(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.05..=3_600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a number of seconds from 0.05 to 3600".to_owned()),
    }
}

/// The ways in which a run ends.
enum End {
    Finished,
    Interrupted,
    Failed(String),
    /// The process that worked on it no longer exists.
    Died(LockOwner),
}

/// Runs the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    if !matches!(common.format, Format::Table | Format::Jsonl) {
        return Err(CliError::Usage {
            message: "`tandem watch` has no end that a table could be closed at".to_owned(),
            hint: Some("--format jsonl prints an object a line".to_owned()),
        });
    }
    let live = common.format == Format::Table && stdout().is_terminal() && stderr().is_terminal();
    let bar = live.then(WatchBar::default);
    let mut watch = Watch { common, name: &args.run, tally: None, worked: None };
    let (mut pace, mut shown) = (Pace::default(), None);
    let end = loop {
        let looked = Instant::now();
        let (sight, end) = match watch.look() {
            // Whoever was asked went away meanwhile; how, the next look tells.
            Err(CliError::Store(StoreError::Lost { .. })) => {
                sleep(Duration::from_millis(20));
                continue;
            }
            other => other?,
        };
        pace.note(looked, &sight);
        if let (Some(bar), None) = (&bar, &end) {
            bar.show(&sight, &pace);
        } else if end.is_some() || shown.as_ref() != Some(&sight) {
            if let Some(bar) = &bar {
                bar.clear();
            }
            sight.write(&pace, common.format, stdout().lock())?;
            shown = Some(sight);
        }
        if let Some(end) = end {
            break end;
        }
        sleep(args.interval.saturating_sub(looked.elapsed()));
    };
    drop(bar);
    Ok(match end {
        End::Finished => ExitCode::SUCCESS,
        End::Interrupted => {
            note!("interrupted; `tandem resume {}` goes on", args.run);
            ExitCode::from(130)
        }
        End::Failed(reason) => {
            eprintln!("failed: {reason}");
            ExitCode::FAILURE
        }
        End::Died(holder) => {
            note!(
                "process {} on {} died; `tandem resume {}` goes on",
                holder.process,
                holder.host,
                args.run
            );
            ExitCode::FAILURE
        }
    })
}

struct Watch<'a> {
    common: &'a Common,
    name: &'a str,
    tally: Option<RunStats>,
    /// The process last seen working on the run.
    worked: Option<LockOwner>,
}

impl Watch<'_> {
    /// Reads the state of the run once; returns its progress and, if it has ended, the way it did.
    fn look(&mut self) -> Result<(WatchSnapshot, Option<End>), CliError> {
        // Before the store is opened here, if nobody has it open: that overwrites who had.
        let noted = LockOwner::noted(&self.common.store);
        let store = match server::ask_holder(&self.common.store)? {
            Some(holder) => holder,
            None => self.common.reader()?,
        };
        let holder = store.holder()?;
        // Before the trials: of a run that has ended, all are there.
        let run = store.run(self.name)?;
        let tally = self.tally.get_or_insert_with(|| RunStats::new(run.objectives.clone()));
        tally.read(store.as_ref(), self.name)?;
        let sight = WatchSnapshot::new(
            &run,
            tally,
            holder.as_ref().filter(|_| run.status == Status::Running),
        );
        let end = match &run.status {
            Status::Running => {
                self.worked = holder;
                None
            }
            Status::Finished => Some(End::Finished),
            Status::Failed { reason } => Some(End::Failed(reason.clone())),
            Status::Created | Status::Interrupted => match (&self.worked, holder) {
                (None, Some(holder)) if is_about_to_work(&holder, &run) => None,
                (Some(worked), None) => Some(match noted {
                    Some(noted) if noted.is_same(worked) && !noted.is_alive() => End::Died(noted),
                    _ => End::Interrupted,
                }),
                _ => Some(End::Interrupted),
            },
        };
        Ok((sight, end))
    }
}

/// Returns true if the process that holds the store was started to work on this run, but has not begun.
fn is_about_to_work(holder: &LockOwner, run: &RunRecord) -> bool {
    let mut words = holder.command.split(' ');
    let mut has = |word: &str| words.any(|w| w == word);
    match run.name.split_once('/') {
        Some(_) => has("study"),
        None if run.status == Status::Created => ["run", "sweep", "resume"].into_iter().any(has),
        None => has(&run.name),
    }
}
