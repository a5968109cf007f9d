//! Networks in the formats of other tools.

mod dot;
mod text;
