//! The time of an estimate of the CHaiDNN model, compared with the reference model in Python.
//!
//! `cargo bench --bench chaidnn`; the comparison needs python3 and the reference model's folder,
//! `TANDEM_REFERENCE` (default ../shared/reference/chaidnn).

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use tandem::accel::chaidnn::{ChaidnnSpace, Configuration, Platform, Program, lower};
use tandem::network::{Nasbench101Settings, Nasbench201Settings, nasbench101, nasbench201};
use tandem::space::nasbench101::Cell101;
use tandem::space::nasbench201::Cell201;

const ROUNDS: usize = 9;

/// Returns the median over the rounds of the time of `run`, divided by `count`, in microseconds.
fn median_us(count: usize, mut run: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed().as_secs_f64() * 1e6 / count as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

/// Measures the reference model's time for a NAS-Bench-201 network and a configuration, in microseconds;
/// returns `None` if python3 or the reference model is missing.
fn reference_us() -> Option<f64> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("TANDEM_REFERENCE")
        .map_or_else(|| root.join("../shared/reference/chaidnn"), PathBuf::from);
    let output = Command::new("python3")
        .arg(root.join("tests/oracles/chaidnn.py"))
        .args(["--time", "--reference"])
        .arg(folder)
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn main() {
    let platform = Platform::codesign_nas();
    let configurations: Vec<Configuration> =
        ChaidnnSpace::new().configurations().step_by(29).collect();
    let cells201: Vec<Cell201> = Cell201::all().step_by(521).collect();
    let networks201: Vec<_> = cells201
        .iter()
        .map(|&cell| nasbench201(cell, Nasbench201Settings::default()).expect("a network"))
        .collect();
    let networks101: Vec<_> = [Cell101::resnet_like(), Cell101::inception_like()]
        .iter()
        .map(|cell| nasbench101(cell, Nasbench101Settings::default()).expect("a network"))
        .collect();

    let lower_us = median_us(networks201.len(), || {
        for network in &networks201 {
            std::hint::black_box(lower(network).expect("it can run"));
        }
    });
    let estimate_us = |programs: &[Program]| {
        median_us(programs.len() * configurations.len(), || {
            for program in programs {
                for configuration in &configurations {
                    let _ = std::hint::black_box(program.estimate(configuration, &platform));
                }
            }
        })
    };
    let programs = |networks: &[tandem::network::Network]| -> Vec<Program> {
        networks.iter().map(|network| lower(network).expect("it can run")).collect()
    };
    let rows = [
        ("estimate, NAS-Bench-201", estimate_us(&programs(&networks201))),
        ("estimate, NASBench-101", estimate_us(&programs(&networks101))),
        ("lower, NAS-Bench-201", lower_us),
    ];
    let reference = reference_us();
    println!("{:26} {:>10} {:>22}", "case", "us", "reference / this");
    for (name, us) in rows {
        let ratio = reference.map_or_else(|| "-".to_owned(), |other| format!("{:.0}", other / us));
        println!("{name:26} {us:10.2} {ratio:>22}");
    }
    match reference {
        Some(us) => println!("{:26} {us:10.2} {:>22}", "reference, NAS-Bench-201", 1),
        None => println!("no comparison: python3 or the reference model is missing"),
    }
}
