//! Tests of the program as its users meet it: arguments in, text, files and exit codes out.

mod bad_input;
mod commands;
mod controllers;
mod crash;
mod data;
mod nasbench101;
mod queries;
mod resuming;
mod sandbox;
mod server;
#[cfg(unix)]
mod serving;
mod spaces;
mod store;
mod study;
mod support;
mod sweep;
mod thresholds;
mod training;
