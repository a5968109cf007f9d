//! The thresholds at the end of a run.

use std::io::{self, Write};
use std::process::ExitCode;

use tandem::report::{Format, Table, Verbosity};
use tandem::run::{Experiment, Progress};
use tandem::session::Loaded;

/// The exit code of a finished run with a threshold that does not hold.
const MISSED: u8 = 99;

/// Prints each threshold with its value; nothing if there are none.
pub fn print(out: &mut impl Write, loaded: &Loaded, progress: &Progress) -> io::Result<()> {
    let thresholds = loaded.script.thresholds();
    if thresholds.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(["threshold", "value", "holds"]);
    for threshold in thresholds {
        let judgment = threshold.judge(progress);
        let holds = if judgment.holds { "yes" } else { "no" };
        table.push(vec![threshold.to_string().into(), judgment.value.into(), holds.into()]);
    }
    writeln!(out)?;
    table.write(Format::Table, out)
}

/// Returns the exit code of a finished run and reports thresholds that do not hold.
pub fn verdict(loaded: &Loaded, progress: &Progress) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for threshold in loaded.script.thresholds() {
        let judgment = threshold.judge(progress);
        if !judgment.holds {
            let value = match judgment.value {
                // All digits: a value may miss the threshold by the last.
                Some(value) => format!("{} is {value}", threshold.quantity),
                None => format!("{} has no value", threshold.quantity),
            };
            if !Verbosity::get().json {
                eprintln!("threshold `{threshold}` does not hold: {value}");
            }
            code = ExitCode::from(MISSED);
        }
    }
    code
}
