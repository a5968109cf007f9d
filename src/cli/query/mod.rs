//! `tandem query`: the trials for which an expression holds.

mod text;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::common::context::{Common, label_predicted};
use crate::cli::common::error::CliError;
use crate::cli::common::output::Output;
use tandem::note;
use tandem::query::{
    Aggregate, AggregateFunction, FoundTrials, Grouping, QueryValue, SelectedRun, SortKey, find,
    frontier, group, known, select,
};
use tandem::query::{BoundExpression, Expression, ExpressionCompiler, KnownNames};
use tandem::report::{Column, Rows, TableCell, TrialColumns};
use tandem::script::{ScriptError, Settings};
use tandem::session::read_settings;
use tandem::store::{Reader, RunRecord, TrialBlock};
use text::{named, sort_key, split};

/// Prints the stored trials for which a Rhai expression holds, or what groups of them come to.
///
/// An expression sees the metrics by their names (together as the map `m`), the parts of the point
/// (`hw`, `point.hw`), step, phase, reward, valid, failed, reason, run, duration_s, from_cache,
/// on_frontier (of its run, by the run's objectives), and the run's args, seed, file and settings. What
/// a trial lacks is `()`. Where one run is named, or with --script, the functions of the script are at
/// hand.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The condition, for example 'accuracy > 0.73 && latency_ms < 5'.
    expression: String,
    /// The runs to look in, by their names or a study's; all of them if none is named.
    #[arg(long)]
    run: Vec<String>,
    /// Sorts by an expression such as a metric: KEY for ascending, KEY:max for descending order; the
    /// next ones decide between equals.
    #[arg(long, value_name = "KEY[:max]", allow_hyphen_values = true)]
    sort: Vec<String>,
    /// Prints at most this many trials or groups.
    #[arg(long)]
    limit: Option<usize>,
    /// Groups the trials by an expression such as phase, run, a metric or a part.
    #[arg(long, value_name = "KEY")]
    by: Vec<String>,
    /// What the trials, or each group, come to: count, or min, max, sum, mean, median or q0 to q100
    /// with a colon and what of, for example count,max:accuracy,q90:latency_ms.
    #[arg(long, value_name = "AGGREGATES")]
    agg: Vec<String>,
    /// The columns: expressions, each with `name=` before it or not, separated by commas.
    #[arg(long, visible_alias = "columns", value_name = "EXPRESSIONS")]
    select: Vec<String>,
    /// The script whose functions are at hand.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Overrides a limit of what expressions may use up (limits.NAME), or an argument of the script.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Writes into a file, which is there whole or not at all.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let store = common.reader()?;
    let reader = store.as_ref();
    let records = select(reader, &args.run)?;
    let texts = Texts::read(args)?;
    let compiler = compiler(common, reader, args, &records, &texts)?;
    let condition = compiler.expression("query", &args.expression)?;
    let is_of_trials = texts.aggregates.is_empty() && texts.by.is_empty();
    let question = Question { texts, compiler, condition };
    if is_of_trials {
        trials(common, reader, args, records, question)
    } else {
        groups(common, reader, args, records, question)
    }
}

/// The expressions of a query, and the compiler for those that are still texts.
struct Question {
    texts: Texts,
    compiler: ExpressionCompiler,
    condition: Expression,
}

/// The expressions in the options, split and parsed for names.
struct Texts {
    /// The expressions to sort by, and true for descending order.
    sort: Vec<(String, bool)>,
    /// The names of the group columns and their expressions.
    by: Vec<(String, String)>,
    aggregates: Vec<Aggregate>,
    /// The names of the selected columns and their expressions.
    select: Vec<(String, String)>,
}

impl Texts {
    fn read(args: &Args) -> Result<Self, CliError> {
        let column = |text: &str| {
            let (name, text) = named(text);
            (name.unwrap_or(text).to_owned(), text.to_owned())
        };
        let mut aggregates = Vec::new();
        for text in args.agg.iter().flat_map(|list| split(list)) {
            let (name, text) = named(text);
            let read = Aggregate::parse(name, text);
            aggregates.push(read.map_err(|error| CliError::usage(error.to_string()))?);
        }
        let texts = Self {
            sort: args.sort.iter().map(|text| sort_key(text)).collect(),
            by: args.by.iter().map(|text| column(text)).collect(),
            select: args.select.iter().flat_map(|list| split(list)).map(column).collect(),
            aggregates,
        };
        if texts.grouped() && !texts.select.is_empty() {
            return Err(CliError::Usage {
                message: "--select is about trials, --by and --agg are about groups".to_owned(),
                hint: Some("the columns of groups are what --by and --agg name".to_owned()),
            });
        }
        let groups = texts.by.iter().map(|(name, _)| name);
        let groups = groups.chain(texts.aggregates.iter().map(|aggregate| &aggregate.name));
        let names: Vec<&String> = groups.chain(texts.select.iter().map(|(name, _)| name)).collect();
        if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name))
        {
            return Err(CliError::Usage {
                message: format!("there are two columns `{}`", twice.1),
                hint: Some("give one of them another name: name=expression".to_owned()),
            });
        }
        Ok(texts)
    }

    fn grouped(&self) -> bool {
        !self.by.is_empty() || !self.aggregates.is_empty()
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        let sort = self.sort.iter().filter(|_| !self.grouped()).map(|(text, _)| text.as_str());
        let rest = self.by.iter().chain(&self.select).map(|(_, text)| text.as_str());
        let of = self.aggregates.iter().filter_map(|aggregate| aggregate.of.as_deref());
        sort.chain(rest).chain(of)
    }
}

/// Makes the compiler of expressions.
///
/// It knows the functions of the script that `--script` names or, if expressions call one, of the only run's.
fn compiler(
    common: &Common,
    reader: &dyn Reader,
    args: &Args,
    records: &[RunRecord],
    texts: &Texts,
) -> Result<ExpressionCompiler, CliError> {
    if let Some(file) = &args.script {
        let settings = read_settings(file)?.with(&args.set).map_err(ScriptError::from)?;
        let path = settings.script.clone().unwrap_or_else(|| file.clone());
        return Ok(ExpressionCompiler::of_file(
            &path,
            &settings,
            common.data_dir(Some(&settings)),
        )?);
    }
    let [record] = records else {
        let settings = Settings::default().with(&args.set).map_err(ScriptError::from)?;
        return Ok(ExpressionCompiler::of_language(&settings.limits));
    };
    let all: Vec<&str> = texts.all().chain([args.expression.as_str()]).collect();
    Ok(ExpressionCompiler::of_run(reader, record, common.data_dir(None), &all, &args.set)??)
}

/// Loads the facts of runs that the expressions need, and the names known in them.
fn subjects(
    common: &Common,
    reader: &dyn Reader,
    records: Vec<RunRecord>,
    expressions: &[&Expression],
) -> Result<(Vec<SelectedRun>, KnownNames), CliError> {
    let mentioned = |name: &str| expressions.iter().any(|expression| expression.mentions(name));
    let mut subjects = Vec::with_capacity(records.len());
    for record in records {
        let mut subject = SelectedRun::new(reader, record)?;
        if mentioned("args") {
            subject.context = subject.context.with_defaults(reader, &common.data_dir(None))?;
        }
        if mentioned("on_frontier") {
            let record = subject.context.record.clone();
            if record.objectives.is_empty() {
                return Err(CliError::Usage {
                    message: format!("run `{}` has no objectives, so no frontier", record.name),
                    hint: Some("`--run` names the runs to look in".to_owned()),
                });
            }
            let steps = frontier(reader, &subject, &record.objectives)?;
            subject.context.frontier = Some(Arc::new(steps));
        }
        subjects.push(subject);
    }
    let known = known(reader, &subjects, Some(expressions))?;
    Ok((subjects, known))
}

fn trials(
    common: &Common,
    reader: &dyn Reader,
    args: &Args,
    records: Vec<RunRecord>,
    question: Question,
) -> Result<ExitCode, CliError> {
    let Question { texts, compiler, condition } = question;
    let mut sort = Vec::new();
    for (index, (text, descending)) in texts.sort.iter().enumerate() {
        sort.push((
            compiler.expression(&label("--sort", index, texts.sort.len()), text)?,
            *descending,
        ));
    }
    let mut columns = Vec::new();
    for (index, (name, text)) in texts.select.iter().enumerate() {
        let expression =
            compiler.expression(&label("--select", index, texts.select.len()), text)?;
        columns.push((name.clone(), expression));
    }
    let all: Vec<&Expression> = [&condition]
        .into_iter()
        .chain(sort.iter().map(|(expression, _)| expression))
        .chain(columns.iter().map(|(_, expression)| expression))
        .collect();
    let (subjects, known) = subjects(common, reader, records.clone(), &all)?;
    let condition = condition.bind(&known)?;
    let mut order = Vec::new();
    for (expression, descending) in sort {
        order.push(SortKey { key: expression.bind(&known)?, descending });
    }
    let mut selected = Vec::new();
    for (name, expression) in columns {
        selected.push((name, expression.bind(&known)?));
    }
    let found = find(reader, &subjects, &condition, &order, args.limit)?;
    let predicted = label_predicted(common, &records);
    let shape = if selected.is_empty() {
        let (metrics, parts) = (found.metrics.iter().cloned(), found.parts.iter().cloned());
        let columns = TrialColumns::of_names(
            metrics.collect(),
            parts.collect(),
            found.failed,
            subjects.len() > 1,
        );
        Shape::Whole(columns.labeled(predicted))
    } else {
        Shape::Selected(selected)
    };
    let output = Output::new(args.output.as_deref(), common.format)?;
    let mut rows = Rows::new(common.format, shape.columns(), output)?;
    write_rows(reader, &subjects, &found, &shape, &mut rows)?;
    if rows.count() == 0 {
        note!("no trial matches");
    }
    rows.finish()?.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// The name of an option in messages, numbered if it occurs several times.
fn label(option: &str, index: usize, count: usize) -> String {
    if count > 1 { format!("{option} {}", index + 1) } else { option.to_owned() }
}

/// The columns of trials.
enum Shape {
    Whole(TrialColumns),
    Selected(Vec<(String, BoundExpression)>),
}

impl Shape {
    fn columns(&self) -> Vec<Column> {
        match self {
            Self::Whole(columns) => columns.columns(),
            Self::Selected(columns) => {
                columns.iter().map(|(name, _)| Column { name: name.clone(), kind: None }).collect()
            }
        }
    }

    /// The rows of some trials of a block.
    fn rows(
        &self,
        subject: &SelectedRun,
        block: &TrialBlock,
        places: &[usize],
    ) -> Result<Vec<Vec<TableCell>>, CliError> {
        match self {
            Self::Whole(columns) => {
                let name = &subject.context.record.name;
                Ok(places.iter().map(|&at| columns.row(name, &block.trial(at))).collect())
            }
            Self::Selected(columns) => {
                let mut rows = vec![Vec::with_capacity(columns.len()); places.len()];
                for (_, bound) in columns {
                    let values = bound.values(&subject.context, block, places)?;
                    rows.iter_mut()
                        .zip(values)
                        .for_each(|(row, value)| row.push(QueryValue::from(value).into()));
                }
                Ok(rows)
            }
        }
    }
}

fn write_rows(
    reader: &dyn Reader,
    subjects: &[SelectedRun],
    found: &FoundTrials,
    shape: &Shape,
    rows: &mut Rows<Output>,
) -> Result<(), CliError> {
    let block_of = |run: usize, number| reader.block(&subjects[run].context.record.name, number);
    for (run, number, places) in &found.blocks {
        if let Some(block) = block_of(*run, *number)? {
            let places: Vec<usize> = places.iter().map(|&at| at.into()).collect();
            for row in shape.rows(&subjects[*run], &block, &places)? {
                rows.push(row)?;
            }
        }
    }
    let Some(hits) = &found.sorted else { return Ok(()) };
    // Each block is read once, whatever the order.
    let mut ranked: Vec<usize> = (0..hits.len()).collect();
    ranked.sort_by_key(|&rank| (hits[rank].run, hits[rank].step));
    let place = |rank: usize| (hits[rank].run, hits[rank].step / TrialBlock::LEN);
    let mut made: Vec<Vec<TableCell>> = vec![Vec::new(); hits.len()];
    for ranks in ranked.chunk_by(|&a, &b| place(a) == place(b)) {
        let (run, number) = place(ranks[0]);
        if let Some(block) = block_of(run, number)? {
            let at = |&rank: &usize| (hits[rank].step - block.first()) as usize;
            let places: Vec<usize> = ranks.iter().map(at).collect();
            for (row, &rank) in shape.rows(&subjects[run], &block, &places)?.into_iter().zip(ranks)
            {
                made[rank] = row;
            }
        }
    }
    for row in made {
        rows.push(row)?;
    }
    Ok(())
}

fn groups(
    common: &Common,
    reader: &dyn Reader,
    args: &Args,
    records: Vec<RunRecord>,
    question: Question,
) -> Result<ExitCode, CliError> {
    let Question { texts, compiler, condition } = question;
    let count =
        Aggregate { name: "count".to_owned(), function: AggregateFunction::Count, of: None };
    let aggregates =
        if texts.aggregates.is_empty() { vec![count] } else { texts.aggregates.clone() };
    let mut keys = Vec::new();
    for (index, (_, text)) in texts.by.iter().enumerate() {
        keys.push(compiler.expression(&label("--by", index, texts.by.len()), text)?);
    }
    let mut of = Vec::new();
    for (index, aggregate) in aggregates.iter().enumerate() {
        let label = label("--agg", index, aggregates.len());
        let of_one =
            aggregate.of.as_ref().map(|text| compiler.expression(&label, text)).transpose()?;
        of.push((aggregate.function, of_one));
    }
    let all: Vec<&Expression> = [&condition]
        .into_iter()
        .chain(&keys)
        .chain(of.iter().filter_map(|(_, expression)| expression.as_ref()))
        .collect();
    let names: Vec<&String> = texts
        .by
        .iter()
        .map(|(name, _)| name)
        .chain(aggregates.iter().map(|aggregate| &aggregate.name))
        .collect();
    let mut order = Vec::new();
    for (name, descending) in &texts.sort {
        let place = names.iter().position(|known| *known == name);
        let place = place.ok_or_else(|| CliError::Usage {
            message: format!("the groups have no column `{name}` to sort by"),
            hint: Some(format!(
                "there are {}",
                names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
            )),
        })?;
        order.push((place, *descending));
    }
    let (subjects, known) = subjects(common, reader, records.clone(), &all)?;
    let condition = condition.bind(&known)?;
    let mut grouping = Grouping { keys: Vec::new(), aggregates: Vec::new() };
    for key in keys {
        grouping.keys.push(key.bind(&known)?);
    }
    for (function, of) in of {
        grouping.aggregates.push((function, of.map(|of| of.bind(&known)).transpose()?));
    }
    let groups = group(reader, &subjects, &condition, &grouping)?;
    let mut table: Vec<Vec<QueryValue>> =
        groups.into_iter().map(|group| [group.keys, group.values].concat()).collect();
    table.sort_by(|a, b| {
        let by = order.iter().map(|&(at, descending)| a[at].compare(&b[at], descending));
        by.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
    table.truncate(args.limit.unwrap_or(usize::MAX));
    if label_predicted(common, &records) {
        note!("note: the accuracies are predicted");
    }
    let output = Output::new(args.output.as_deref(), common.format)?;
    let columns = names.into_iter().map(|name| Column { name: name.clone(), kind: None });
    let mut rows = Rows::new(common.format, columns.collect(), output)?;
    for row in table {
        rows.push(row.into_iter().map(TableCell::from).collect())?;
    }
    rows.finish()?.finish()?;
    Ok(ExitCode::SUCCESS)
}
