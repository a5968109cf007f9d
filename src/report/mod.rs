//! What people and other programs see: tables, numbers, the course of runs and downloads.

mod course;
mod curves;
mod download;
mod figure;
mod html;
mod live;
mod number;
mod parquet;
mod rate;
mod rows;
mod study;
mod sweep;
mod table;
mod terminal;
mod training;
mod trials;
mod voice;
mod watching;
mod wrap;

pub use curves::{Curve, Marks, curves, scatter};
pub use download::DownloadBar;
pub use figure::{Axes, FigureError, Series, figure};
pub use html::Page;
pub use live::clear_bar;
pub use number::{counted, duration, grouped, number};
pub use rows::{Column, Kind, Rows};
pub use study::StudyBar;
pub use sweep::SweepBar;
pub use table::{Cell, Format, Table, elided};
pub use terminal::{Terminal, columns_of_notes, columns_of_results, rows_of_results};
pub use training::{TrainingBar, describe as describe_training};
pub use trials::{TrialColumns, metric_names, spread};
pub use voice::{Colour, Voice};
pub use watching::{Pace, Sight, WatchBar};
pub use wrap::wrapped;
