//! The batch against single estimates.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::super::{ChaidnnSpace, Configuration, Platform, Precision, lower};
use super::*;
use crate::accel::{LatencyLevel, ScannedPair};
use crate::network::{
    Family, Nasbench101Family, Nasbench101Settings, Nasbench201Family, Nasbench201Settings,
};
use crate::space::Domain;
use crate::space::nasbench101::{Cell101, Nasbench101Space};
use crate::space::nasbench201::Cell201;
use crate::util::rng::stream;

fn cells101(count: usize) -> Vec<Cell101> {
    let space = Nasbench101Space::new();
    let mut rng = stream(7, "cells", 0);
    let mut draw = || loop {
        let options: Vec<u16> = space
            .choices()
            .iter()
            .map(|choice| rng.random_range(0..choice.options.len() as u16))
            .collect();
        if let Ok(cell) = space.cell(&options) {
            return cell.kept();
        }
    };
    let mut cells = vec![Cell101::resnet_like(), Cell101::inception_like()];
    cells.extend((0..count).map(|_| draw()));
    cells
}

fn some_configurations(count: usize) -> Vec<Configuration> {
    let all: Vec<Configuration> = ChaidnnSpace::new().configurations().collect();
    all.choose_multiple(&mut stream(7, "configurations", 0), count).copied().collect()
}

/// Every latency equals the one of a single estimate, bit for bit.
fn agrees<F: Family>(family: &F, configurations: Vec<Configuration>, platform: &Platform) {
    let batch = Batch::new(family, configurations, platform).unwrap();
    let networks: Vec<u32> = (0..family.len() as u32).collect();
    let limits = vec![f64::INFINITY; batch.classes().len()];
    let scan = batch.scan(family, &networks, &limits, &[], &mut SlotMemory::new()).unwrap();
    let mut latencies = vec![vec![f64::NAN; batch.configurations().len()]; family.len()];
    for found in &scan.found {
        for &configuration in &batch.classes()[found.class as usize] {
            latencies[found.network as usize][configuration as usize] = found.latency_ms;
        }
    }
    let mut highest = 0.0_f64;
    for (network, latencies) in latencies.iter().enumerate() {
        let program = lower(&family.network(network).unwrap()).unwrap();
        for (configuration, &latency) in batch.configurations().iter().zip(latencies) {
            match program.estimate(configuration, platform) {
                Ok(estimate) => {
                    assert_eq!(latency, estimate.latency_ms, "{network} on {configuration}");
                    highest = highest.max(latency);
                }
                Err(_) => assert_eq!(latency, f64::INFINITY),
            }
        }
    }
    assert_eq!(scan.highest_ms, highest);
}

#[test]
fn latencies_are_those_of_single_estimates() {
    let settings = Nasbench101Settings::default();
    let family = Nasbench101Family { cells: cells101(60), settings };
    agrees(&family, some_configurations(300), &Platform::codesign_nas());

    // Too large for some configurations, and few enough channels for remainders to matter.
    let settings = Nasbench101Settings { stem_channels: 20, image_size: 224, ..settings };
    let family = Nasbench101Family { cells: cells101(5), settings };
    agrees(&family, some_configurations(300), &Platform::zu9(250.0, Precision::SixBit));

    let mut cells: Vec<Cell201> = Cell201::all().step_by(400).collect();
    cells.push(Cell201::all().next().unwrap());
    let family = Nasbench201Family { cells, settings: Nasbench201Settings::default() };
    agrees(&family, some_configurations(300), &Platform::codesign_nas());
}

#[test]
fn limits_and_levels_are_exact() {
    let settings = Nasbench101Settings::default();
    let family = Nasbench101Family { cells: cells101(30), settings };
    let platform = Platform::codesign_nas();
    let batch = Batch::new(&family, some_configurations(500), &platform).unwrap();
    let networks: Vec<u32> = (0..family.len() as u32).rev().collect();
    let classes = batch.classes().len();
    let scan = |limits: &[f64], levels: &[LatencyLevel]| {
        batch.scan(&family, &networks, limits, levels, &mut SlotMemory::new()).unwrap()
    };
    let all = scan(&vec![f64::INFINITY; classes], &[]).found;
    assert_eq!(all.len(), classes * family.len());

    // A limit for each class that one of its latencies equals.
    let mut rng = stream(7, "limits", 0);
    let limits: Vec<f64> = (0..classes as u32)
        .map(|class| {
            let of_class: Vec<f64> =
                all.iter().filter(|f| f.class == class).map(|f| f.latency_ms).collect();
            *of_class.choose(&mut rng).unwrap()
        })
        .collect();
    let passes = |found: &&ScannedPair| found.latency_ms <= limits[found.class as usize];
    let expected: Vec<ScannedPair> = all.iter().filter(passes).copied().collect();
    let weight: Vec<u32> = batch.classes().iter().map(|members| members.len() as u32).collect();
    let level = LatencyLevel { networks: 10, most_ms: limits.clone(), weight: weight.clone() };
    let scan = scan(&limits, &[level]);
    assert_eq!(scan.found, expected);
    let counted: u64 = expected
        .iter()
        .filter(|found| networks[..10].contains(&found.network))
        .map(|found| u64::from(weight[found.class as usize]))
        .sum();
    assert_eq!(scan.counts, [counted]);
}

#[test]
fn every_width_gives_the_same() {
    use super::code::{Code, Compiler, QueueOutline};
    use super::machine::tests::Alone;
    use super::machine::{LANES, Query, Slot};
    use crate::accel::chaidnn::lower::{Lowering, lower_into};
    use crate::accel::chaidnn::operation::Engines;

    let settings = Nasbench101Settings::default();
    let family = Nasbench101Family { cells: cells101(20), settings };
    let mut lowering = Lowering::default();
    let (mut code, mut works) = (Code::default(), Vec::new());
    for network in 0..family.len() {
        lower_into(&mut lowering, &family, network).unwrap();
        let queue = lowering.queue();
        for task in 0..queue.len() {
            if !works.contains(queue.work(task)) {
                works.push(*queue.work(task));
            }
        }
        let row = |task: usize| {
            1 + works.iter().position(|work| work == queue.work(task)).unwrap() as u16
        };
        let engines = Engines { pool: true, pointwise: true };
        let outline = QueueOutline::new(queue);
        Compiler::default().compile(queue, &outline, engines, row, 2_000, &mut code).unwrap();
    }
    let mut rng = stream(7, "durations", 0);
    let durations: Vec<Slot> = works
        .iter()
        .map(|_| Slot(std::array::from_fn::<_, LANES, _>(|_| rng.random_range(1.0..1e4))))
        .collect();
    let query = Query { limits_us: Slot::all(f64::INFINITY), levels: Vec::new() };
    let run = Alone { durations: &durations, code: &code, query: &query };
    let answers = tandem_kernels::every_width(run);
    for (width, answer) in &answers {
        assert_eq!(answer.found.len(), LANES * family.len(), "{width}");
        assert_eq!(answer.found, answers[0].1.found, "{width}");
        assert_eq!(answer.highest_us, answers[0].1.highest_us, "{width}");
    }
}
