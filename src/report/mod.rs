//! What people and other programs see: tables, numbers, the course of runs and downloads.

mod active_bar;
mod curves;
mod download;
mod figure;
mod html;
mod number;
mod parquet;
mod rate;
mod rows;
mod run_progress;
mod study;
mod sweep;
mod table;
mod terminal;
mod training;
mod trials;
mod verbosity;
mod watch;
mod wrap;

pub use active_bar::clear_bar;
pub use curves::{Curve, Marks, curves, scatter};
pub use download::DownloadBar;
pub use figure::{Axes, FigureError, Series, figure};
pub use html::Page;
pub use number::{counted, duration, grouped, number};
pub use rows::{Column, Kind, Rows};
pub use study::StudyBar;
pub use sweep::SweepBar;
pub use table::{Cell, Format, Table, elided};
pub use terminal::{Terminal, columns_of_notes, columns_of_results, rows_of_results};
pub use training::{TrainingBar, describe as describe_training};
pub use trials::{TrialColumns, metric_names, spread};
pub use verbosity::{Colour, Voice};
pub use watch::{Pace, Sight, WatchBar};
pub use wrap::wrapped;
