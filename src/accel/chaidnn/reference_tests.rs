//! Comparison with the reference model on a golden file that `tests/oracles/chaidnn.py` writes.

use serde::Deserialize;

use super::area::Blocks;
use super::operation::{OperationKind, Work};
use super::queue::Queue;
use super::{Configuration, Platform, Precision, Program, lower};
use crate::network::{Nasbench201Settings, Shape, nasbench201};
use crate::space::nasbench201::Cell201;

#[derive(Deserialize)]
struct Golden {
    blocks: Vec<(String, f64, f64)>,
    networks: Vec<GoldenNetwork>,
}

#[derive(Deserialize)]
struct GoldenNetwork {
    network: String,
    operations: Vec<GoldenOperation>,
    pairs: Vec<(String, u64, f64, Option<f64>)>,
}

/// Kind; height, width, channels before; the same after; kernel, stride, groups; dependencies.
#[derive(Deserialize)]
struct GoldenOperation(
    String,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    Vec<u32>,
);

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../tests/golden/chaidnn.json")).unwrap()
}

fn program(operations: &[GoldenOperation]) -> Program {
    let mut queue = Queue::default();
    for row in operations {
        let GoldenOperation(kind, h, w, c, oh, ow, oc, kernel, stride, groups, after) = row;
        let kind = match kind.as_str() {
            "conv" => OperationKind::Convolution { groups: *groups },
            "maxpool" => OperationKind::MaxPool,
            "avgpool" => OperationKind::AveragePool,
            "eltwise" => OperationKind::Add,
            other => panic!("{other}"),
        };
        let (input, output) = (Shape::new(*c, *h, *w), Shape::new(*oc, *oh, *ow));
        let work = Work { kind, input, output, kernel: *kernel, stride: *stride };
        let mut after = after.clone();
        after.sort_unstable();
        queue.push(work, &after);
    }
    let names = vec![String::new(); queue.len()];
    Program::new(queue, names)
}

fn platform(bits: u64, clock_mhz: f64) -> Platform {
    Platform::zu9(clock_mhz, Precision::try_from(bits).unwrap())
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-9 * expected
}

#[test]
fn latencies_agree_with_the_reference_model() {
    let (mut feasible, mut infeasible) = (0, 0);
    for network in golden().networks {
        let program = program(&network.operations);
        for (text, bits, clock, expected_us) in network.pairs {
            let configuration: Configuration = text.parse().unwrap();
            let found = program.estimate(&configuration, &platform(bits, clock));
            let at = format!("{} on {text}, {bits} bit at {clock} MHz", network.network);
            match (found, expected_us) {
                (Ok(found), Some(expected)) => {
                    assert!(
                        close(found.latency_ms * 1e3, expected),
                        "{at}: {} us, expected {expected}",
                        found.latency_ms * 1e3
                    );
                    feasible += 1;
                }
                (Err(_), None) => infeasible += 1,
                (found, expected) => panic!("{at}: {found:?}, expected {expected:?}"),
            }
        }
    }
    assert_eq!(feasible + infeasible, 2_400);
    assert!(feasible > 1_800 && infeasible > 50, "{feasible} and {infeasible}");
}

#[test]
fn block_counts_agree_with_the_reference_model() {
    let blocks = golden().blocks;
    assert_eq!(blocks.len(), 200);
    for (text, bram36, dsp) in blocks {
        let found = Blocks::of(&text.parse().unwrap());
        assert_eq!((found.bram36, found.dsp), (bram36, dsp), "{text}");
    }
}

/// The golden file has the operations of some cells' networks, listed by the script from the
/// benchmark's description; ours come from the network that we build and lower.
#[test]
fn lowered_networks_take_as_long_as_the_listed_operations() {
    let mut cells = 0;
    for network in golden().networks {
        let Ok(cell) = network.network.parse::<Cell201>() else { continue };
        let built = nasbench201(cell, Nasbench201Settings::default()).unwrap();
        let program = lower(&built).unwrap();
        for (text, bits, clock, expected_us) in network.pairs {
            let found = program.estimate(&text.parse().unwrap(), &platform(bits, clock)).unwrap();
            let expected = expected_us.unwrap();
            assert!(close(found.latency_ms * 1e3, expected), "{cell} on {text}");
        }
        cells += 1;
    }
    assert_eq!(cells, 15);
}

#[test]
fn a_breakdown_adds_up_to_the_estimate() {
    for network in golden().networks {
        let program = program(&network.operations);
        for (text, bits, clock, expected_us) in network.pairs.iter().take(10) {
            let (configuration, platform) = (text.parse().unwrap(), platform(*bits, *clock));
            let Some(expected_us) = expected_us else { continue };
            let rows = program.breakdown(&configuration, &platform).unwrap();
            assert_eq!(rows.len(), network.operations.len());
            let end = rows.iter().map(|row| row.end_ms).fold(0.0, f64::max);
            assert!(close(end * 1e3, *expected_us));
            for row in &rows {
                let duration = row.cycles / platform.clock_mhz + platform.launch_us;
                assert!(close(1e3 * (row.end_ms - row.start_ms) + 1.0, duration + 1.0));
            }
        }
    }
}
