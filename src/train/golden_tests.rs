//! Comparison of a hundred steps of training with PyTorch, from `tests/oracles/training.py`.

use candle_core::{Device, Tensor};
use serde::Deserialize;

use super::{Executor, Model, Optimizer, SimdLevel, UpdateRule, VariableRole};
use crate::network::{Nasbench101Settings, Nasbench201Settings, Network, nasbench101, nasbench201};
use crate::space::nasbench101::Cell101;
use crate::space::nasbench201::Cell201;

#[derive(Deserialize)]
struct Golden {
    networks: Vec<Trained>,
}

#[derive(Deserialize)]
struct Trained {
    name: String,
    losses: Vec<f64>,
    logits: Vec<f64>,
    /// The deviation of PyTorch's f32 from these f64 values: in early losses, in later ones, and in logits.
    deviation: [f64; 3],
}

const BATCH: usize = 16;
const SIZE: usize = 12;
const BATCHES: u64 = 7;

/// The oracle's generator.
fn noise(seed: u64, count: usize, scale: f32) -> Vec<f32> {
    let mut state = seed;
    let mut draw = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f64 / f64::from(1 << 23) - 1.0) as f32 * scale
    };
    (0..count).map(|_| draw()).collect()
}

fn network(name: &str) -> Network {
    match name {
        "nasbench101" => {
            let settings = Nasbench101Settings {
                stem_channels: 16,
                cells: 1,
                image_size: SIZE,
                ..Nasbench101Settings::default()
            };
            nasbench101(&Cell101::inception_like(), settings).unwrap()
        }
        _ => {
            let settings = Nasbench201Settings {
                stem_channels: 16,
                cells: 1,
                image_size: SIZE,
                ..Nasbench201Settings::default()
            };
            nasbench201(Cell201::from_index(9_930).unwrap(), settings).unwrap()
        }
    }
}

fn filled(network: &Network) -> Model {
    let model = Model::new(network, 0, &Device::Cpu).unwrap();
    let mut seed = 1;
    for variables in model.layers() {
        let Some(weight) = variables.weight else { continue };
        let variable = &model.variables()[weight];
        let count = variable.elem_count();
        let scale = (6.0 / (count / variable.dims()[0]) as f64).sqrt() as f32;
        let values = Tensor::from_vec(noise(seed, count, scale), variable.shape(), &Device::Cpu);
        variable.set(&values.unwrap()).unwrap();
        seed += 1;
    }
    for (index, variable) in model.variables().iter().enumerate() {
        if model.role(index) == VariableRole::Offset
            && model.names()[index].ends_with("classifier.bias")
        {
            variable.set(&variable.zeros_like().unwrap()).unwrap();
        }
    }
    model
}

fn batch(index: u64) -> (Vec<f32>, Vec<u32>) {
    let labels: Vec<u32> = (0..BATCH as u32).map(|i| (i * 7 + index as u32) % 10).collect();
    let each = SIZE * SIZE * 3;
    let mut images = noise(100 + index, BATCH * each, 1.7);
    for (image, &label) in images.chunks_exact_mut(each).zip(&labels) {
        image.iter_mut().for_each(|value| *value += label as f32 * 0.125);
    }
    (images, labels)
}

/// Losses and logits stay within five times the deviation of PyTorch's f32. A maximum or a rectifier that
/// rounding decides otherwise makes each path diverge.
#[test]
fn losses_and_logits_are_pytorchs() {
    let golden: Golden =
        serde_json::from_str(include_str!("../../tests/golden/training.json")).unwrap();
    assert_eq!(golden.networks.len(), 2);
    for trained in golden.networks {
        for level in SimdLevel::available() {
            let model = filled(&network(&trained.name));
            let mut executor = Executor::with_level(2, level);
            executor.prepare(model.parameters(), BATCH).unwrap();
            let rule = UpdateRule::Sgd { momentum: 0.9, nesterov: true };
            let mut optimizer = Optimizer::new(&model, rule, 5e-4);
            let mut worst = [0.0_f64; 2];
            for (step, expected) in trained.losses.iter().enumerate() {
                let (images, labels) = batch(step as u64 % BATCHES);
                executor.images_mut()[..images.len()].copy_from_slice(&images);
                let outcome = executor.train(model.parameters(), &labels, 0.1, 0.1).unwrap();
                optimizer.step(&model, &mut executor, 0.0005).unwrap();
                let difference = (outcome.mean_loss() - expected).abs() / expected;
                let worst = &mut worst[usize::from(step >= 20)];
                *worst = worst.max(difference);
            }
            let (images, labels) = batch(0);
            executor.images_mut()[..images.len()].copy_from_slice(&images);
            executor.evaluate(model.parameters(), &labels).unwrap();
            let largest = trained.logits.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
            let logits = executor.logits(BATCH).iter().zip(&trained.logits);
            let difference = |(own, expected): (&f32, &f64)| (f64::from(*own) - expected).abs();
            let difference = logits.map(difference).fold(0.0, f64::max) / largest;
            let seen = format!("{} {level:?}: {worst:?} {difference}", trained.name);
            eprintln!("{seen}");
            let all = [worst[0], worst[1], difference].into_iter().zip(trained.deviation);
            assert!(all.clone().all(|(own, theirs)| own < 5.0 * theirs), "{seen} {all:?}");
        }
    }
}
