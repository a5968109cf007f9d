//! Verbosity and color of the messages on standard error.

use std::io::{IsTerminal, stderr};
use std::sync::OnceLock;
use std::{env, fmt};

use clap::ValueEnum;

use super::active_bar;

/// The condition under which text is colored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` has a value; everywhere if `CLICOLOR_FORCE` has one.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// The user's choice of verbosity and color.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verbosity {
    /// True if only results and errors are printed.
    pub quiet: bool,
    /// True if errors are printed as lines of JSON.
    pub json: bool,
    /// The condition under which messages are colored.
    pub color: Color,
}

static VOICE: OnceLock<Verbosity> = OnceLock::new();

impl Verbosity {
    /// Makes this the voice of the process; only the first call has an effect.
    pub fn set(self) {
        let _ = VOICE.set(self);
    }

    /// The voice of the process.
    pub fn get() -> Self {
        VOICE.get().copied().unwrap_or_default()
    }

    /// Returns true if messages on standard error are colored.
    pub fn colors(self) -> bool {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if set("NO_COLOR").is_some() => false,
            Color::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
            Color::Auto => stderr().is_terminal() && !is_dumb(),
        }
    }

    /// Returns true if standard error is a terminal on which lines can be redrawn, and the program is not
    /// quiet.
    pub fn is_live(self) -> bool {
        !self.quiet && stderr().is_terminal() && !is_dumb()
    }

    /// Prints a note beside results and errors, unless the program is quiet.
    pub fn note(self, text: fmt::Arguments<'_>) {
        if !self.quiet {
            active_bar::aside(|| eprintln!("{text}"));
        }
    }
}

/// Returns true if the terminal can only print lines.
fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Prints a note beside results and errors, like `eprintln!`, unless the program is quiet.
#[macro_export]
macro_rules! note {
    ($($text:tt)+) => {
        $crate::report::Verbosity::get().note(format_args!($($text)+))
    };
}
