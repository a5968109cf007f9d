//! The pages of help: commands by purpose, examples, and first steps.

use std::fmt::Write as _;

use clap::Command;

/// The commands by purpose; any others come last.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Write and search", &["new", "check", "run", "resume", "sweep", "study"]),
    (
        "Look at what was found",
        &["runs", "show", "watch", "query", "pareto", "explain", "figure", "rescore", "export"],
    ),
    ("One network, one pair", &["estimate", "train", "trainings", "train-predictor"]),
    ("Data and store", &["data", "store"]),
    ("The program", &["definitions", "completions", "man", "help"]),
];

/// Examples below the help of commands.
const EXAMPLES: [(&str, &str); 11] = [
    (
        "new",
        "  tandem new first                       first.rhai: a search that needs no download
  tandem new chip --template space       a space and a cost model of your own
  tandem new cells --template train      accuracies by training
  tandem new big --folder                big/experiment.rhai with its settings in YAML",
    ),
    (
        "check",
        "  tandem check first.rhai
  tandem check first.rhai --strict       warnings are errors, for continuous integration
  tandem check first.rhai --set trials=100000 --json",
    ),
    (
        "run",
        "  tandem run first.rhai
  tandem run first.rhai --seed 3 --steps 500 --set limit_ms=4
  tandem run settings.yaml --quiet       results and errors, and nothing else
  tandem run first.rhai --json | jq .best.metrics",
    ),
    (
        "resume",
        "  tandem resume first-1
  tandem resume first-1 --steps 2000     goes on beyond a limit that `--steps 1000` had set
  tandem resume first-1 --fork           a new run, with the script as it is now",
    ),
    (
        "sweep",
        "  tandem sweep experiments/cifar100/sweep.rhai
  tandem sweep sweep.rhai --top 20 --format csv > frontier.csv",
    ),
    (
        "study",
        "  tandem study experiments/cifar10/study.yaml
  tandem study study.yaml --threads 4 --report study.html",
    ),
    (
        "show",
        "  tandem show first-1
  tandem show first-1 1234               one trial in full
  tandem show first-1 --summary          what the run printed at its end",
    ),
    (
        "query",
        "  tandem query 'accuracy > 0.9 && latency_ms < 4' --sort latency_ms --limit 10
  tandem query on_frontier --run first-1 --format csv
  tandem query '!failed' --by phase --agg count,max:accuracy",
    ),
    (
        "pareto",
        "  tandem pareto first-1 first-2
  tandem pareto first-1 --objectives accuracy:max,latency_ms:min --sweep sweep-1",
    ),
    ("explain", "  tandem explain first-1 1234"),
    (
        "completions",
        "  tandem completions bash > ~/.local/share/bash-completion/completions/tandem
  tandem completions zsh > ~/.zfunc/_tandem
  tandem completions fish > ~/.config/fish/completions/tandem.fish",
    ),
];

/// Length in characters above which a description in the list of commands is cut at a comma.
const SHORT: usize = 80;

/// The exit codes and their meanings.
pub const EXIT_CODES: [(u8, &str); 7] = [
    (0, "done"),
    (1, "the work failed"),
    (2, "wrong usage"),
    (3, "the script or its settings are wrong"),
    (4, "the store is damaged or held by another process"),
    (99, "a threshold of the experiment does not hold"),
    (130, "interrupted; `tandem resume` goes on"),
];

/// The environment variables that the program reads.
pub const ENVIRONMENT: [(&str, &str); 7] = [
    ("TANDEM_STORE", "the folder of the store, as --store"),
    ("TANDEM_DATA", "the folder of benchmark tables and image sets, as --data"),
    ("TANDEM_CACHE", "the folder of what takes long to compute; else tandem in the user's cache"),
    ("TANDEM_LOG", "how much is logged: a level, or target=level,..."),
    ("NO_COLOR", "no colours, unless it is empty"),
    ("CLICOLOR_FORCE", "colours also where there is no terminal"),
    ("TERM", "`dumb`: no colours, and lines instead of bars"),
];

/// Returns the examples of a command.
pub fn examples(name: &str) -> Option<&'static str> {
    EXAMPLES.into_iter().find(|(known, _)| *known == name).map(|(_, examples)| examples)
}

/// Adds examples and a list of commands by purpose to the help of a command line.
pub fn described(command: Command) -> Command {
    let mut command = command;
    for (name, examples) in EXAMPLES {
        let header = command.get_styles().get_header();
        let text = format!("{header}Examples:{header:#}\n{examples}");
        command = command.mut_subcommand(name, |subcommand| subcommand.after_help(text));
    }
    let template = template(&command);
    command.help_template(template)
}

fn template(command: &Command) -> String {
    let header = command.get_styles().get_header();
    let literal = command.get_styles().get_literal();
    let commands: Vec<(String, String)> = command
        .get_subcommands()
        .map(|command| (command.get_name().to_owned(), in_short(command)))
        .chain([("help".to_owned(), "Says more of a command".to_owned())])
        .collect();
    let rest: Vec<&str> = commands
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| GROUPS.iter().all(|(_, group)| !group.contains(name)))
        .collect();
    let mut text = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for (title, group) in GROUPS.into_iter().chain([("More", rest.as_slice())]) {
        let known = |name: &&str| commands.iter().find(|(known, _)| known == name);
        let known: Vec<_> = group.iter().filter_map(known).collect();
        if known.is_empty() {
            continue;
        }
        let _ = write!(text, "\n{header}{title}:{header:#}\n");
        for (name, about) in known {
            let _ = writeln!(text, "  {literal}{name:<16}{literal:#}{about}");
        }
    }
    let _ =
        write!(text, "\n{header}Options:{header:#}\n{{options}}\n\n{header}Exit codes:{header:#}");
    for (code, meaning) in EXIT_CODES {
        let _ = write!(text, "\n  {code:<5}{meaning}");
    }
    text += "\n\n`tandem help COMMAND` has the options of a command, with examples.";
    text
}

/// The description of a command up to its first colon, semicolon or period.
fn in_short(command: &Command) -> String {
    let about = command.get_about().map_or_else(String::new, ToString::to_string);
    let mut text = about.as_str();
    for end in [&[':', ';', '.'][..], &[',']] {
        if let Some(at) = text.find(end).filter(|_| end.len() > 1 || text.len() > SHORT) {
            text = &text[..at];
        }
    }
    text.to_owned()
}

/// The text that is printed if no command is given.
pub fn start() -> String {
    format!(
        "\
tandem {}: searches a CNN and the accelerator that runs it together

Start with an experiment:
  tandem new first           writes first.rhai, a search that runs as it is
  tandem check first.rhai    a dry run: the space, a few points, the cost
  tandem run first.rhai      searches; Ctrl-C stops it, `tandem resume` goes on

Then ask what was found:
  tandem runs                the runs of the store, .tandem/ in this folder
  tandem show first-1        one of them
  tandem pareto first-1      its frontier
  tandem explain first-1 42  why a pair costs what it costs

`tandem help` lists all commands, `tandem help run` says more of one.
",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_command_is_listed_once_and_the_command_line_makes_sense() {
        let mut command = described(Cli::command());
        command.clone().debug_assert();
        let names: Vec<String> =
            command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        let help = command.render_help().to_string();
        for name in &names {
            let listed =
                help.lines().filter(|line| line.starts_with(&format!("  {name} "))).count();
            assert_eq!(listed, 1, "{name} in {help}");
        }
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
        for (name, _) in EXAMPLES {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
    }
}
