//! The time per pair of a sweep, compared with single estimates and with the processor's peak load rate.
//!
//! `cargo bench --bench sweep`. If the NASBench-101 table is in `TANDEM_DATA` (default ../shared/data), the
//! whole space is swept too, with the paper's three scenarios.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Instant;

use tandem::accel::chaidnn::{Batch, ChaidnnSpace, Configuration, Platform, SlotMemory, lower};
use tandem::accuracy::nasbench101::Nasbench101Table;
use tandem::network::{Family, Nasbench101Family, Nasbench101Settings};
use tandem::pareto::{Term, Weighted};
use tandem::space::nasbench101::{Catalog, Cell101};
use tandem::sweep::{FastSweep, OnChaidnn, SweepObjective, SweepSettings};
use tandem_kernels::{Wide, widest};

#[path = "../tests/suite/data_folder.rs"]
mod data_folder;

const ROUNDS: usize = 5;

fn median(mut run: impl FnMut() -> f64) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS).map(|_| run()).collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn seconds(run: impl FnOnce()) -> f64 {
    let started = Instant::now();
    run();
    started.elapsed().as_secs_f64()
}

fn main() {
    let configurations: Vec<Configuration> = ChaidnnSpace::new().configurations().collect();
    let platform = Platform::codesign_nas();
    let all: Vec<Cell101> = Catalog::enumerate().iter().map(|(_, cell)| cell).collect();
    let settings = Nasbench101Settings::default();

    let cells: Vec<Cell101> = all.iter().copied().step_by(331).take(1_280).collect();
    let family = Nasbench101Family { cells, settings };
    let networks: Vec<u32> = (0..family.len() as u32).collect();
    let batch = Batch::new(&family, configurations.clone(), &platform).unwrap();
    let pairs = (family.len() * configurations.len()) as f64;
    println!(
        "{} operations, {} classes of {} configurations",
        batch.operations(),
        batch.classes().len(),
        configurations.len()
    );

    let programs: Vec<_> = networks
        .iter()
        .step_by(64)
        .map(|&network| lower(&family.network(network as usize).unwrap()).unwrap())
        .collect();
    let single = median(|| {
        seconds(|| {
            for program in &programs {
                for configuration in &configurations {
                    black_box(program.estimate(configuration, &platform).unwrap());
                }
            }
        }) * 1e9
            / (programs.len() * configurations.len()) as f64
    });
    println!("one estimate at a time: {single:.0} ns a pair");

    let limits = vec![f64::NEG_INFINITY; batch.classes().len()];
    let mut memory = SlotMemory::new();
    let together = median(|| {
        seconds(|| {
            for chunk in networks.chunks(64) {
                black_box(batch.scan(&family, chunk, &limits, &[], &mut memory).unwrap());
            }
        }) * 1e9
            / pairs
    });
    let (steps, sums) = batch.cost(&family, &networks).unwrap();
    println!(
        "together, one thread: {together:.2} ns a pair, {:.0} times faster",
        single / together
    );
    // A step loads three vectors, adds, takes a maximum and stores; a term of a sum loads and adds.
    let per_class = steps / networks.len() as f64 / batch.classes().len() as f64;
    let terms = sums / networks.len() as f64 / batch.classes().len() as f64;
    let loads = 3.0 * per_class + terms;
    let class_ns = together * configurations.len() as f64 / batch.classes().len() as f64;
    println!(
        "for each class of configurations {per_class:.1} steps and {terms:.1} terms: {:.1} G loads, \
         {:.1} G sums and maxima, {:.1} G stores of f64 a second",
        loads / class_ns,
        (2.0 * per_class + terms) / class_ns,
        per_class / class_ns
    );
    println!("an array in the first-level cache: {:.1} G loads of f64 a second", load_rate());

    let Some(data) = data_folder::data_dir() else { return };
    let Ok(table) = Nasbench101Table::open(&data) else {
        println!("no NASBench-101 table in {}: the whole space is not swept", data.display());
        return;
    };
    let cells = table.cells().to_vec();
    let accuracies = cells.iter().filter_map(|cell| table.accuracy(cell)).collect();
    let family = Nasbench101Family { cells, settings };
    let started = Instant::now();
    let batch = Batch::new(&family, configurations, &platform).unwrap();
    println!("preparing the whole space: {:.1} s", started.elapsed().as_secs_f64());
    let pairs = OnChaidnn { family, accuracies, batch };
    for goals in [Vec::new(), scenarios()] {
        let count = goals.len();
        let sweep = FastSweep::new(&pairs, SweepSettings { goals, top: 100 }).unwrap();
        let mut times: Vec<f64> = (0..3)
            .map(|_| {
                seconds(|| {
                    let mut state = sweep.start();
                    sweep.advance(&mut state, |_| ControlFlow::Continue(())).unwrap();
                })
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        println!(
            "whole space, {count} objectives, {threads} threads: {:.1} s, {:.0} million pairs a second",
            times[1],
            sweep.size() as f64 / times[1] / 1e6
        );
    }
}

/// Measures the f64 loads per nanosecond of sums over an array of 16 KB, which fits in the first-level cache.
fn load_rate() -> f64 {
    const SIZE: usize = 2048;
    const TIMES: usize = 20_000;
    let array: Vec<f64> = (0..SIZE).map(|index| index as f64).collect();
    let rate = median(|| {
        let time = seconds(|| {
            for _ in 0..TIMES {
                black_box(tandem_sum(black_box(&array)));
            }
        });
        time * 1e9 / (SIZE * TIMES) as f64
    });
    1.0 / rate
}

#[inline(never)]
fn tandem_sum(array: &[f64]) -> [f64; 64] {
    widest(Sum(array))
}

struct Sum<'a>(&'a [f64]);

impl Wide for Sum<'_> {
    type Output = [f64; 64];

    #[inline(always)]
    fn run(self) -> [f64; 64] {
        sum(self.0)
    }
}

#[inline(always)]
fn sum(array: &[f64]) -> [f64; 64] {
    let mut sums = [0.0; 64];
    for chunk in array.as_chunks::<64>().0 {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += value;
        }
    }
    sums
}

fn scenarios() -> Vec<SweepObjective> {
    let accuracy = |weight| ("accuracy".to_owned(), Term { weight, worst: 0.1, best: 0.95 });
    let latency = |weight| ("latency_ms".to_owned(), Term { weight, worst: 2e3, best: 0.0 });
    let area = |weight| ("area_mm2".to_owned(), Term { weight, worst: 400.0, best: 0.0 });
    let goal = |name: &str, terms: Vec<(String, Term)>, limits: &[&str]| {
        let limits = limits.iter().map(|limit| limit.parse().unwrap()).collect();
        SweepObjective::new(name, &Weighted { terms: terms.into_iter().collect(), limits }).unwrap()
    };
    vec![
        goal("unconstrained", vec![accuracy(0.1), latency(0.8), area(0.1)], &[]),
        goal("one_constraint", vec![accuracy(0.9), area(0.1)], &["latency_ms < 100"]),
        goal("two_constraints", vec![latency(1.0)], &["accuracy > 0.92", "area_mm2 < 100"]),
    ]
}
