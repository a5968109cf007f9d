//! The module `train`: accuracies by training.

use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, Module, NativeCallContext};

use crate::accuracy::training_cache::TrainingRecord;
use crate::network::Network;
use crate::script::native::{name_type, native};
use crate::script::options::{OptionReader, error_at_call, number};
use crate::script::sandbox::budget::untimed;
use crate::script::services::{ScriptNetwork, Services, Source};
use crate::store::Reused;
use crate::train::{Recipe, Schedule, TrainError, Training, UpdateRule, check_activations};

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// The most seeds of one call.
const SEEDS: u64 = 1_000;

/// A plan to train a network, as a script describes it.
#[derive(Clone)]
pub struct TrainingPlan {
    /// The network to train.
    pub(in crate::script) network: ScriptNetwork,
    /// The name of the image set.
    pub data: String,
    /// The recipe: epochs, optimizer, learning rates and augmentation.
    pub recipe: Recipe,
    /// The first seed.
    pub seed: u64,
    /// The number of consecutive seeds.
    pub seeds: u64,
}

/// The training runs of one network with one recipe.
#[derive(Clone)]
struct Trained {
    records: Arc<Vec<TrainingRecord>>,
}

pub(super) fn register(engine: &mut Engine, globals: &mut Module, services: &Arc<Services>) {
    register_trained(globals);
    name_type::<TrainingPlan>(
        globals,
        "TrainingPlan",
        "A network with how it is trained, as `train::plan` gives it.",
    );
    engine.register_static_module("train", module(services).into());
}

fn module(services: &Arc<Services>) -> Module {
    let (first, second) = (services.clone(), services.clone());
    let mut module = Module::new();
    module.set_doc(
        "Accuracies by training on the processor. A training is known by the network, the images, the recipe \
         and the seed, and done once.",
    );
    native! { &mut module =>
        /// Trains a network and gives what came of it. A loss or gradient that is no longer finite is a failure
        /// of the trial; missing images end the run. docs/training.md has the sets of images.
        ///
        /// | option | default | what |
        /// |---|---|---|
        /// | `data` | needed | the images, such as `"cifar100"`; the network's `image_size`, `image_channels` and `classes` must fit |
        /// | `recipe` | `"short"` | where the other defaults come from: `"short"`, the ones here, or `"nasbench101"` (108 epochs of batch 256, RMSProp, rate 0.2, weight decay 1e-4, no warming up, norm momentum 0.003) |
        /// | `epochs` | 12 | passes over the training images, 1 to a million |
        /// | `batch` | 64 | images of a step, 1 to a million; what is left at the end of an epoch is left out of it |
        /// | `optimiser` | `"nesterov"` | `"sgd"`, `"nesterov"`, `"rmsprop"` (TensorFlow's form) or `"adamw"` |
        /// | `momentum` | 0.9 | at least 0 and below 1; of AdamW its first decay rate |
        /// | `learning_rate` | 0.1 | the highest, above 0 |
        /// | `schedule` | `"cosine"` | how the rate falls: `"constant"`, `"cosine"` to 0, or `"steps"` |
        /// | `steps_at` | none | epochs at which the rate of `"steps"` falls |
        /// | `steps_factor` | 0.1 with `"steps"` | by what it is multiplied there |
        /// | `warmup_epochs` | 1, or a quarter of the epochs if that is less | epochs in which the rate rises linearly from 0 |
        /// | `weight_decay` | 5e-4 | decay of weights, at least 0; biases and normalizations do not decay |
        /// | `clip` | none | the largest norm of all gradients together, above 0 |
        /// | `label_smoothing` | 0.0 | the share of the target that is spread over all classes, at least 0 and below 1 |
        /// | `norm_momentum` | 0.1 | the share of a batch in the running statistics, above 0 and at most 1 |
        /// | `pad` | 4 | pixels by which an image moves at most, 0 to 1000 |
        /// | `flip` | true | whether every other image, on average, is mirrored |
        /// | `cutout` | 0 | the side in pixels of a square that is wiped out, 0 to 1000 |
        /// | `images` | all | how many training images to learn from |
        /// | `validation` | 0 | how many training images are held out, always the same ones |
        /// | `stop_below` | none | validation accuracies, epoch by epoch, below which the training is given up |
        /// | `seed` | 0 | the first seed |
        /// | `seeds` | 1 | how many seeds are trained, 1 to 1000 |
        ///
        /// ```rhai
        /// let cell = nasbench201::cell(
        ///     "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|skip_connect~2|");
        /// let net = nasbench201::network(cell, #{ stem_channels: 2, cells: 1, image_size: 16 });
        /// let trained = train::fit(net, #{
        ///     data: "procedural", epochs: 1, batch: 16, images: 64, validation: 100, seeds: 2,
        /// });
        /// trained.accuracies.len() // => 2
        /// ```
        fn fit(net: Network, options: Map) -> Training =
            move |context: NativeCallContext, network: ScriptNetwork, options: Map| {
                let plan = read(&context, "train::fit", network, options)?;
                fit(&context, &first, &plan)
            };
        /// Trains as a plan says.
        ///
        /// ```rhai
        /// let cell = nasbench201::cell(
        ///     "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|skip_connect~2|");
        /// let net = nasbench201::network(cell, #{ stem_channels: 2, cells: 1, image_size: 16 });
        /// let plan = train::plan(net, #{ data: "procedural", epochs: 1, batch: 16, images: 64 });
        /// train::fit(plan).stopped // => false
        /// ```
        fn fit(plan: TrainingPlan) -> Training =
            move |context: NativeCallContext, plan: TrainingPlan| fit(&context, &second, &plan);
        /// A network with how it is trained, without doing it, for `training(point)` to return and for
        /// `train::fit(plan)`. The options are those of `train::fit`.
        ///
        /// ```rhai
        /// fn space() { #{ cnn: nasbench201::space() } }
        ///
        /// fn training(point) {
        ///     let net = nasbench201::network(point.cnn, #{ classes: 100 });
        ///     train::plan(net, #{ data: "cifar100", epochs: 8, validation: 2_000 })
        /// }
        /// ```
        fn plan(net: Network, options: Map) -> TrainingPlan =
            |context: NativeCallContext, network: ScriptNetwork, options: Map| {
                read(&context, "train::plan", network, options)
            };
    }
    module
}

fn fit(context: &NativeCallContext, services: &Services, plan: &TrainingPlan) -> Fallible<Trained> {
    let TrainingPlan { network, data, recipe, .. } = plan;
    let train = |seed| {
        let trained = untimed(|| services.trainer().train(network.network(), data, recipe, seed));
        trained.map_err(|error| {
            let of_all = matches!(
                error,
                TrainError::Data(_) | TrainError::Cache(_) | TrainError::Checkpoint { .. }
            );
            if of_all {
                services.unusable();
            }
            error_at_call(context, error.to_string())
        })
    };
    let trained = plan.seeds().map(train).collect::<Fallible<Vec<_>>>()?;
    if trained.iter().any(|(_, is_known)| *is_known) {
        services.reused(Reused::ACCURACY);
    }
    let records = trained.into_iter().map(|(record, _)| record).collect();
    services.used(Source::Trained);
    Ok(Trained { records: Arc::new(records) })
}

fn read(
    context: &NativeCallContext,
    function: &'static str,
    network: ScriptNetwork,
    options: Map,
) -> Fallible<TrainingPlan> {
    let mut options = OptionReader::new(context, function, options);
    let data = options.text("data")?;
    let data = options.required("data", data, ", such as \"cifar100\"")?;
    let seed = options.whole("seed", 0)?.unwrap_or(0);
    let seeds = options.whole("seeds", 1)?.unwrap_or(1);
    if seeds > SEEDS {
        return Err(error_at_call(context, format!("seeds is {seeds}; it is at most {SEEDS}")));
    }
    let base = match options.text("recipe")?.as_deref() {
        None | Some("short") => Recipe::default(),
        Some("nasbench101") => Recipe::nasbench101(),
        Some(other) => {
            let value = other.to_owned().into();
            return Err(options.wrong("recipe", "\"short\" or \"nasbench101\"", &value));
        }
    };
    let recipe = read_recipe(&mut options, base)?;
    options.end()?;
    check_activations(network.network())
        .map_err(|error| error_at_call(context, error.to_string()))?;
    Ok(TrainingPlan { network, data, recipe, seed, seeds })
}

fn read_recipe(options: &mut OptionReader<'_>, base: Recipe) -> Fallible<Recipe> {
    let Recipe { epochs, batch, rule, schedule, mut augment, .. } = base.clone();
    let epochs = options.size("epochs", epochs as usize)?;
    let batch = options.size("batch", batch)?;
    let rule = read_rule(options, rule)?;
    let schedule = read_schedule(options, schedule)?;
    augment.pad = options.whole("pad", 0)?.map_or(augment.pad, |pad| pad.min(1_000) as usize);
    augment.cutout =
        options.whole("cutout", 0)?.map_or(augment.cutout, |side| side.min(1_000) as usize);
    if let Some(flip) = options.take("flip") {
        augment.flip = flip.as_bool().map_err(|_| options.wrong("flip", "true or false", &flip))?;
    }
    let mut or = |name, default: f64| options.number(name).map(|given| given.unwrap_or(default));
    let rate = or("learning_rate", base.rate)?;
    let warmup_epochs = or("warmup_epochs", base.warmup_epochs.min(epochs as f64 / 4.0))?;
    let weight_decay = or("weight_decay", base.weight_decay)?;
    let smoothing = or("label_smoothing", base.smoothing)?;
    let norm_momentum = or("norm_momentum", base.norm_momentum)?;
    Ok(Recipe {
        epochs: u32::try_from(epochs).unwrap_or(u32::MAX),
        batch,
        rule,
        rate,
        schedule,
        warmup_epochs,
        weight_decay,
        clip: options.number("clip")?.or(base.clip),
        smoothing,
        norm_momentum,
        augment,
        images: options.whole("images", 1)?.map(|images| images as usize),
        validation: options.whole("validation", 0)?.map_or(base.validation, |count| count as usize),
        stop_below: read_numbers(options, "stop_below")?.unwrap_or_default(),
    })
}

fn read_rule(options: &mut OptionReader<'_>, base: UpdateRule) -> Fallible<UpdateRule> {
    let given = options.text("optimiser")?;
    let momentum = options.number("momentum")?;
    if let Some(value) = momentum.filter(|value| !(0.0..1.0).contains(value)) {
        return Err(options.wrong("momentum", "at least 0 and below 1", &value.into()));
    }
    let kept = momentum.unwrap_or(0.9);
    let rule = match given.as_deref() {
        None => base,
        Some("sgd") => UpdateRule::Sgd { momentum: kept, nesterov: false },
        Some("nesterov") => UpdateRule::Sgd { momentum: kept, nesterov: true },
        Some("rmsprop") => UpdateRule::RmsProp { decay: 0.9, momentum: kept, epsilon: 1.0 },
        Some("adamw") => UpdateRule::AdamW { beta1: kept, beta2: 0.999, epsilon: 1e-8 },
        Some(other) => {
            let expected = "\"sgd\", \"nesterov\", \"rmsprop\" or \"adamw\"";
            return Err(options.wrong("optimiser", expected, &other.to_owned().into()));
        }
    };
    Ok(match rule {
        UpdateRule::Sgd { nesterov, .. } if momentum.is_some() => {
            UpdateRule::Sgd { momentum: kept, nesterov }
        }
        UpdateRule::RmsProp { decay, epsilon, .. } if momentum.is_some() => {
            UpdateRule::RmsProp { decay, momentum: kept, epsilon }
        }
        rule => rule,
    })
}

fn read_schedule(options: &mut OptionReader<'_>, base: Schedule) -> Fallible<Schedule> {
    let at = read_numbers(options, "steps_at")?;
    let factor = options.number("steps_factor")?;
    let given = options.text("schedule")?;
    let wrong = |options: &OptionReader<'_>, other: &str| {
        let expected = "\"constant\", \"cosine\" or \"steps\"";
        Err(options.wrong("schedule", expected, &other.to_owned().into()))
    };
    let with_steps = at.is_some() || factor.is_some();
    match given.as_deref() {
        Some("steps") => {
            Ok(Schedule::Steps { at: at.unwrap_or_default(), factor: factor.unwrap_or(0.1) })
        }
        Some(other) if with_steps => Err(options.wrong(
            "schedule",
            "\"steps\" where `steps_at` or `steps_factor` is given",
            &other.to_owned().into(),
        )),
        None if with_steps => {
            Ok(Schedule::Steps { at: at.unwrap_or_default(), factor: factor.unwrap_or(0.1) })
        }
        None => Ok(base),
        Some("constant") => Ok(Schedule::Constant),
        Some("cosine") => Ok(Schedule::Cosine),
        Some(other) => wrong(options, other),
    }
}

fn read_numbers(options: &mut OptionReader<'_>, name: &'static str) -> Fallible<Option<Vec<f64>>> {
    let Some(value) = options.take(name) else { return Ok(None) };
    let wrong = || options.wrong(name, "an array of finite numbers", &value);
    let items = value.read_lock::<Array>().ok_or_else(wrong)?;
    let read = |item: &Dynamic| number(item).filter(|number| number.is_finite()).ok_or_else(wrong);
    items.iter().map(read).collect::<Fallible<Vec<f64>>>().map(Some)
}

impl TrainingPlan {
    /// The network to train.
    pub fn network(&self) -> &Network {
        self.network.network()
    }

    /// The range of seeds.
    pub const fn seeds(&self) -> std::ops::Range<u64> {
        self.seed..self.seed.saturating_add(self.seeds)
    }
}

impl Trained {
    fn each(&self, value: impl Fn(&Training) -> f64) -> Vec<f64> {
        self.records.iter().map(|record| value(&record.training)).collect()
    }

    fn mean(&self, value: impl Fn(&Training) -> f64) -> f64 {
        let values = self.each(value);
        values.iter().sum::<f64>() / values.len() as f64
    }

    /// Returns the sample standard deviation over the seeds; 0 for a single one.
    fn spread(&self, value: impl Fn(&Training) -> f64 + Copy) -> f64 {
        let (values, mean) = (self.each(value), self.mean(value));
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (squares / (values.len() as f64 - 1.0).max(1.0)).sqrt()
    }

    /// Returns the mean validation accuracy of each epoch that all seeds have reached; training accuracy
    /// where no images are held out.
    fn curve(&self) -> Array {
        let epochs = self.records.iter().map(|record| record.training.curve.len()).min();
        let at = |epoch: usize| {
            self.mean(|training| {
                let epoch = &training.curve[epoch];
                epoch.validation.unwrap_or(epoch.train).accuracy
            })
        };
        (0..epochs.unwrap_or(0)).map(|epoch| at(epoch).into()).collect()
    }
}

fn register_trained(globals: &mut Module) {
    type T = Trained;
    name_type::<T>(
        globals,
        "Training",
        "What came of training a network, with one seed or several. Accuracies are fractions.",
    );
    native! { globals =>
        /// The accuracy on the images held out (`validation`), else on the test images: the mean over the seeds.
        get accuracy(training: Training) -> float = |it: &mut T| it.mean(Training::accuracy);
        /// The standard deviation of the accuracy over the seeds; 0 for one seed.
        get spread(training: Training) -> float = |it: &mut T| it.spread(Training::accuracy);
        /// The accuracy with each seed.
        get accuracies(training: Training) -> Array = |it: &mut T| -> Array {
            it.each(Training::accuracy).into_iter().map(Dynamic::from).collect()
        };
        /// The accuracy on the test images, the mean over the seeds.
        get test_accuracy(training: Training) -> float = |it: &mut T| it.mean(|t| t.test.accuracy);
        /// The standard deviation of the accuracy on the test images over the seeds; 0 for one seed.
        get test_spread(training: Training) -> float = |it: &mut T| it.spread(|t| t.test.accuracy);
        /// The cross entropy on the test images in nats, the mean over the seeds.
        get test_loss(training: Training) -> float = |it: &mut T| it.mean(|t| t.test.loss);
        /// The accuracy after each epoch that all seeds have reached, on the images held out, else on the
        /// training images: the mean over the seeds.
        get curve(training: Training) -> Array = |it: &mut T| it.curve();
        /// Whether a seed was given up early (`stop_below`).
        get stopped(training: Training) -> bool =
            |it: &mut T| it.records.iter().any(|record| record.training.stopped);
    }
}
