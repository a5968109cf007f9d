//! `tandem data fetch`: downloads a data set.

use std::path::Path;
use std::process::ExitCode;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::acquired::tell;
use crate::cli::common::error::CliError;
use tandem::report::DownloadBar;
use tandem::train::data::{HttpClient, Official, RemoteFile, fetch};

/// Downloads an image set into the data folder; goes on where it was interrupted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The set.
    #[arg(value_parser = read_set())]
    set: Official,
    /// A server that has the same files: takes the place of everything before the file's name.
    #[arg(long, value_name = "URL", value_parser = read_mirror)]
    mirror: Option<String>,
}

/// Carries out the command.
pub fn run(data: &Path, args: &Args) -> Result<ExitCode, CliError> {
    let mut sources = args.set.sources();
    if let Some(mirror) = &args.mirror {
        sources = sources.iter().map(|source| RemoteFile::at(source, mirror)).collect();
    }
    let mut bar = DownloadBar::new();
    let fetched =
        fetch(&args.set, &sources, data, &HttpClient::new(), &mut |event| bar.observe(event));
    drop(bar);
    tell(&args.set, &fetched?);
    Ok(ExitCode::SUCCESS)
}

/// The parser of the names of published data sets; help lists them.
fn read_set() -> impl TypedValueParser<Value = Official> {
    let values = Official::all().into_iter().map(|set| {
        let set = set.publication();
        PossibleValue::new(set.name).help(set.about)
    });
    PossibleValuesParser::new(values).try_map(|name| name.parse::<Official>())
}

fn read_mirror(text: &str) -> Result<String, String> {
    match ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme)) {
        true => Ok(text.to_owned()),
        false => Err("a mirror's address begins with http:// or https://".to_owned()),
    }
}
