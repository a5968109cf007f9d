//! Comparison of sweeps with brute force.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::Rng;
use rand::seq::IndexedRandom;

use super::*;
use crate::accel::chaidnn::{Batch, ChaidnnSpace, Configuration, Platform, lower};
use crate::network::{Family, Nasbench101Family, Nasbench101Settings};
use crate::pareto::{Term, Weighted, dominance};
use crate::space::Domain;
use crate::space::nasbench101::{Cell101, Nasbench101Space};
use crate::util::rng::stream;

fn weighted(terms: &[(&str, f64, f64, f64)], limits: &[&str]) -> Weighted {
    let term = |&(name, weight, worst, best): &(&str, f64, f64, f64)| {
        (name.to_owned(), Term { weight, worst, best })
    };
    Weighted {
        terms: terms.iter().map(term).collect(),
        limits: limits.iter().map(|limit| limit.parse().unwrap()).collect(),
    }
}

fn goal(name: &str, terms: &[(&str, f64, f64, f64)], limits: &[&str]) -> SweepObjective {
    SweepObjective::new(name, &weighted(terms, limits)).unwrap()
}

/// Every pair that runs, with the numbers of its network and configuration.
struct All(Vec<(u32, u32, Values)>);

impl All {
    fn frontier(&self) -> BTreeMap<(u32, u32), (Values, u64)> {
        let costs = |v: &Values| [-v.accuracy, v.latency_ms, v.area_mm2];
        let mut frontier = BTreeMap::new();
        for &(network, configuration, values) in &self.0 {
            let (mut beaten, mut pairs) = (false, 0);
            for (other_network, other_configuration, other) in &self.0 {
                match dominance(&costs(other), &costs(&values)) {
                    Some(Ordering::Less) => beaten = true,
                    Some(Ordering::Equal) => {
                        pairs += 1;
                        beaten |= (*other_network, *other_configuration) < (network, configuration);
                    }
                    _ => {}
                }
            }
            if !beaten {
                frontier.insert((network, configuration), (values, pairs));
            }
        }
        frontier
    }

    fn best(&self, goal: &SweepObjective, top: usize) -> (Vec<Ranked>, u64) {
        let ranked = |&(network, configuration, values): &(u32, u32, Values)| Ranked {
            network,
            configuration,
            accuracy: values.accuracy,
            latency_ms: values.latency_ms,
            area_mm2: values.area_mm2,
            reward: goal.sum(values),
        };
        let mut best: Vec<Ranked> =
            self.0.iter().filter(|(_, _, values)| goal.holds(*values)).map(ranked).collect();
        best.sort_by(Ranked::merit);
        let valid = best.len() as u64;
        best.truncate(top);
        (best, valid)
    }
}

/// Sweeps on the given number of threads, interrupted and restored after some rounds.
fn sweep<P: Pairs>(
    pairs: &P,
    settings: &SweepSettings,
    threads: usize,
    rounds: usize,
) -> SweepState {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let sweep = FastSweep::new(pairs, settings.clone()).unwrap();
        let mut state = sweep.start();
        loop {
            let mut left = rounds;
            let end = sweep.advance(&mut state, |_| {
                left -= 1;
                if left == 0 {
                    std::ops::ControlFlow::Break(())
                } else {
                    std::ops::ControlFlow::Continue(())
                }
            });
            if end.unwrap() {
                return state;
            }
            let bytes = postcard::to_stdvec(&state).unwrap();
            state = postcard::from_bytes(&bytes).unwrap();
        }
    })
}

fn check<P: Pairs>(pairs: &P, all: &All, goals: &[SweepObjective], top: usize) {
    let settings = SweepSettings { goals: goals.to_vec(), top };
    let areas = FastSweep::new(pairs, settings.clone()).unwrap();
    let state = sweep(pairs, &settings, 1, usize::MAX);
    for (threads, rounds) in [(1, 1), (2, 2), (3, usize::MAX)] {
        assert_eq!(sweep(pairs, &settings, threads, rounds), state);
    }
    let found: BTreeMap<(u32, u32), (Values, u64)> = state
        .frontier
        .iter()
        .map(|m| {
            let (accuracy, latency_ms) = (m.accuracy, m.latency_ms);
            let area_mm2 = areas.area_mm2(m.area_rank);
            ((m.network, m.configuration), (Values { accuracy, latency_ms, area_mm2 }, m.pairs))
        })
        .collect();
    assert_eq!(found.len(), state.frontier.len());
    assert_eq!(found, all.frontier());
    for ((goal, best), valid) in goals.iter().zip(&state.best).zip(&state.valid) {
        assert_eq!((best.clone(), *valid), all.best(goal, top), "{}", goal.name());
    }
    assert_eq!(state.running, all.0.len() as u64);
    let highest = all.0.iter().map(|(_, _, values)| values.latency_ms).fold(0.0, f64::max);
    assert_eq!(state.highest_ms, highest);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Small integers, so that all metrics have ties.
    #[test]
    fn equals_brute_force_with_ties(
        accuracies in prop::collection::vec(0u8..6, 1..30),
        areas in prop::collection::vec(1u8..7, 1..12),
        latencies in prop::collection::vec(0u8..9, 360),
        top in 0usize..9,
    ) {
        let (networks, configurations) = (accuracies.len(), areas.len());
        let accuracies: Vec<f64> = accuracies.iter().map(|&a| f64::from(a) / 8.0).collect();
        let areas: Vec<f64> = areas.into_iter().map(f64::from).collect();
        let latency = |network: u32, configuration: u32| {
            match latencies[network as usize * 12 + configuration as usize] {
                0 => None,
                latency => Some(f64::from(latency)),
            }
        };
        let mut all = Vec::new();
        for network in 0..networks as u32 {
            for configuration in 0..configurations as u32 {
                if let Some(latency_ms) = latency(network, configuration) {
                    let accuracy = accuracies[network as usize];
                    let area_mm2 = areas[configuration as usize];
                    all.push((network, configuration, Values { accuracy, latency_ms, area_mm2 }));
                }
            }
        }
        let goals = [
            goal("all", &[("accuracy", 0.5, 0.0, 1.0), ("latency_ms", 0.25, 8.0, 0.0)], &[]),
            goal("limited", &[("accuracy", 1.0, 0.0, 1.0)], &["latency_ms < 4", "area_mm2 <= 3"]),
            goal("dense", &[("img_s_cm2", 1.0, 0.0, 1e4)], &["accuracy > 0.25"]),
            goal("fast", &[("area_mm2", 1.0, 9.0, 0.0)], &["img_s_cm2 >= 10000"]),
            goal("never", &[("area_mm2", 1.0, 9.0, 0.0)], &["latency_ms < 1"]),
        ];
        check(&OneByOne::new(accuracies, areas, latency), &All(all), &goals, top);
    }
}

#[test]
fn equals_brute_force_on_a_part_of_the_papers_space() {
    let mut rng = stream(11, "subspace", 0);
    let space = Nasbench101Space::new();
    let mut draw = || loop {
        let sizes = space.choices().iter().map(|choice| choice.options.len() as u16);
        let options: Vec<u16> = sizes.map(|size| rng.random_range(0..size)).collect();
        if let Ok(cell) = space.cell(&options) {
            return cell.kept();
        }
    };
    let cells: Vec<Cell101> = (0..40).map(|_| draw()).collect();
    let family = Nasbench101Family { cells, settings: Nasbench101Settings::default() };
    let accuracies: Vec<f64> =
        (0..family.len()).map(|_| f64::from(rng.random_range(900u16..940)) / 1e3).collect();
    let mut configurations: Vec<Configuration> = ChaidnnSpace::new().configurations().collect();
    configurations = configurations.choose_multiple(&mut rng, 200).copied().collect();
    let platform = Platform::codesign_nas();

    let mut all = Vec::new();
    for (network, &accuracy) in accuracies.iter().enumerate() {
        let program = lower(&family.network(network).unwrap()).unwrap();
        for (index, configuration) in configurations.iter().enumerate() {
            let estimate = program.estimate(configuration, &platform).unwrap();
            let values = Values {
                accuracy,
                latency_ms: estimate.latency_ms,
                area_mm2: estimate.area.area_mm2,
            };
            assert_eq!(SweepMetric::ImgSCm2.value(values), estimate.img_s_cm2());
            all.push((network as u32, index as u32, values));
        }
    }
    let batch = Batch::new(&family, configurations, &platform).unwrap();
    let pairs = OnChaidnn { family, accuracies, batch };
    let (accuracy, latency, area) = (
        ("accuracy", 0.1, 0.1, 0.95),
        ("latency_ms", 0.8, 2_000.0, 0.0),
        ("area_mm2", 0.1, 400.0, 0.0),
    );
    let goals = [
        goal("unconstrained", &[accuracy, latency, area], &[]),
        goal("one", &[("accuracy", 0.9, 0.1, 0.95), area], &["latency_ms < 100"]),
        goal("two", &[latency], &["accuracy > 0.92", "area_mm2 < 100"]),
        goal("dense", &[accuracy], &["img_s_cm2 >= 10"]),
    ];
    check(&pairs, &All(all), &goals, 25);
}

#[test]
fn what_cannot_be_swept_is_refused() {
    let refusal = |terms: &[(&str, f64, f64, f64)], limits: &[&str]| {
        SweepObjective::new("mine", &weighted(terms, limits)).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(&[("energy_mj", 1.0, 1.0, 0.0)], &[]),
        "objective `mine` is about `energy_mj`, which the sweep does not produce; it produces \
         accuracy, latency_ms, area_mm2, img_s_cm2"
    );
    assert_eq!(
        refusal(&[("accuracy", 1.0, 1.0, 0.0)], &[]),
        "objective `mine` rewards less accuracy; a sweep takes objectives that want more of it"
    );
    assert_eq!(
        refusal(&[("latency_ms", -1.0, 9.0, 0.0)], &[]),
        "objective `mine` rewards more latency_ms; a sweep takes objectives that want less of it"
    );
    assert_eq!(
        refusal(&[("accuracy", 1.0, 0.0, 1.0)], &["latency_ms > 3"]),
        "objective `mine` has the limit `latency_ms > 3`; a sweep takes limits that forbid the bad \
         end: the most of latency_ms"
    );
    assert_eq!(
        refusal(&[("accuracy", 1.0, 1.0, 1.0)], &[]),
        "objective `mine`: accuracy has weight 1 and range [1, 1]; they must be finite, and the \
         ends of the range differ"
    );
    assert_eq!(
        refusal(&[("accuracy", 0.0, 0.0, 1.0)], &[]),
        "objective `mine` has no weight other than 0"
    );
    let sweep = |accuracies: &[f64], areas: &[f64]| {
        let pairs = OneByOne::new(accuracies.to_vec(), areas.to_vec(), |_, _| None);
        FastSweep::new(&pairs, SweepSettings::default()).err().map(|error| error.to_string())
    };
    assert_eq!(sweep(&[], &[1.0]).unwrap(), "the space has no networks");
    assert_eq!(sweep(&[1.0], &[]).unwrap(), "the space has no configurations");
    assert_eq!(
        sweep(&[0.5, f64::NAN], &[1.0]).unwrap(),
        "the accuracy of network 1 is NaN; it must be a finite number"
    );
    assert_eq!(sweep(&[0.5], &[1.0]), None);
}
