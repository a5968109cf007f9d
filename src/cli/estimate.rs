//! `tandem estimate`: evaluates one pair, outside a search.

use std::io::{Write, stdout};
use std::process::ExitCode;

use crate::cli::common::breakdown;
use crate::cli::common::context::{Common, PairArgs};
use crate::cli::common::error::CliError;
use crate::cli::common::origins;
use tandem::metrics::Trust;
use tandem::note;
use tandem::report::{Format, Table};
use tandem::run::Experiment;
use tandem::script::Traced;

/// Evaluates one pair of an experiment and shows what each layer costs.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pair: PairArgs,
    /// Prints the network's layers as text instead.
    #[arg(long, conflicts_with = "graphviz")]
    network: bool,
    /// Prints the network in Graphviz's DOT language instead.
    #[arg(long)]
    graphviz: bool,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let loaded = common.load(&args.pair.experiment.file, &args.pair.experiment.set)?;
    loaded.script.require("evaluate")?;
    let space = loaded.script.space();
    let point = loaded.point(&args.pair.at)?;
    let store = common.existing_store().ok();
    if let Some(store) = &store {
        loaded.keep_in(store);
    }
    let (metrics, traced) = loaded.script.services().traced(|| loaded.script.evaluate(&point));
    let metrics = metrics.map_err(|failure| loaded.failure(&failure))?;

    let mut out = stdout().lock();
    if args.network || args.graphviz {
        let network = traced
            .iter()
            .find_map(Traced::network)
            .ok_or_else(|| CliError::usage("the experiment estimates no network"))?;
        let text = if args.graphviz { network.to_graphviz() } else { network.to_text() };
        out.write_all(text.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::of_properties(common.format);
    for (part, text) in space.parts().iter().zip(space.texts(&point)) {
        table.push(vec![part.name.as_str().into(), text.into()]);
    }
    for (name, value) in metrics {
        table.push(vec![name.into(), value.into()]);
    }
    let origins = origins::origins(&loaded);
    if common.format == Format::Table {
        for origin in &origins {
            let trust = origin.trust.map_or("", Trust::word);
            table.push(vec![trust.into(), origin.source.as_str().into()]);
        }
    } else if origins.iter().any(|origin| origin.trust == Some(Trust::Predicted)) {
        note!("note: the accuracy is predicted");
    }
    table.write(common.format, &mut out)?;
    if common.format != Format::Table {
        return Ok(ExitCode::SUCCESS);
    }
    for traced in &traced {
        let breakdown = breakdown::of(traced)?;
        if breakdown.layers.is_empty() {
            continue;
        }
        let all: Vec<_> = breakdown.layers.iter().collect();
        writeln!(out)?;
        breakdown::layers(breakdown, &all).write(Format::Table, &mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}
