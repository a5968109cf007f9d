//! How the program speaks on standard error: how much, and in colour or not.

use std::io::{IsTerminal, stderr};
use std::sync::OnceLock;
use std::{env, fmt};

use clap::ValueEnum;

use super::active_bar;

/// When text is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` has a value; everywhere if `CLICOLOR_FORCE` has one.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// What the user asked of the program's voice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Voice {
    /// Nothing is said but results and errors.
    pub quiet: bool,
    /// Errors are lines of JSON.
    pub json: bool,
    /// When messages are coloured.
    pub colour: Colour,
}

static VOICE: OnceLock<Voice> = OnceLock::new();

impl Voice {
    /// Makes it the voice of the process; the first call counts.
    pub fn set(self) {
        let _ = VOICE.set(self);
    }

    /// The voice of the process.
    pub fn get() -> Self {
        VOICE.get().copied().unwrap_or_default()
    }

    /// Whether messages on standard error are coloured.
    pub fn colours(self) -> bool {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        match self.colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if set("NO_COLOR").is_some() => false,
            Colour::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
            Colour::Auto => stderr().is_terminal() && !is_dumb(),
        }
    }

    /// Whether standard error is a terminal on which lines can be redrawn, and something may be said.
    pub fn is_live(self) -> bool {
        !self.quiet && stderr().is_terminal() && !is_dumb()
    }

    /// Says something beside results and errors, unless the program is to be quiet.
    pub fn note(self, text: fmt::Arguments<'_>) {
        if !self.quiet {
            active_bar::aside(|| eprintln!("{text}"));
        }
    }
}

/// A terminal that can do nothing but print lines.
fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Says something beside results and errors, as `eprintln!` does, unless the program is to be quiet.
#[macro_export]
macro_rules! note {
    ($($text:tt)+) => {
        $crate::report::Voice::get().note(format_args!($($text)+))
    };
}
