//! Parts that several commands share: arguments, errors, output and summaries.

pub mod breakdown;
pub mod context;
pub mod efforts;
pub mod error;
pub mod help;
pub mod interrupt;
pub mod layout;
pub mod origins;
pub mod output;
pub mod run_json;
pub mod shell_quote;
pub mod summary;
pub mod thresholds;
