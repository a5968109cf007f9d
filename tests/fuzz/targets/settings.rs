//! The fuzz target over settings and studies in YAML.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| tandem_fuzz::settings(text));
