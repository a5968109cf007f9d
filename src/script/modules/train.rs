//! The module `train`: accuracies by training.

use std::sync::Arc;

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FuncRegistration, Map, Module, NativeCallContext,
};

use crate::accuracy::trained::TrainingRecord;
use crate::network::Network;
use crate::script::host::{Host, ScriptNetwork, Source};
use crate::script::limits::untimed;
use crate::script::options::{Options, number, refuse};
use crate::store::Reused;
use crate::train::{Recipe, Rule, Schedule, TrainError, Training};

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// The most seeds of one call.
const SEEDS: u64 = 1_000;

/// A network's training as a script describes it.
#[derive(Clone)]
pub struct TrainingPlan {
    /// What is trained.
    pub(in crate::script) network: ScriptNetwork,
    /// On what.
    pub data: String,
    /// How.
    pub recipe: Recipe,
    /// The first seed.
    pub seed: u64,
    /// How many seeds, one after another.
    pub seeds: u64,
}

/// Trainings of one network with one recipe.
#[derive(Clone)]
struct Trained {
    records: Arc<Vec<TrainingRecord>>,
}

pub(super) fn register(engine: &mut Engine, host: &Arc<Host>) {
    register_trained(engine);
    engine.register_type_with_name::<TrainingPlan>("TrainingPlan");
    let mut module = Module::new();
    let shared = host.clone();
    FuncRegistration::new("fit").set_into_module(
        &mut module,
        move |context: NativeCallContext, network: ScriptNetwork, options: Map| {
            let plan = read(&context, network, options)?;
            fit(&context, &shared, &plan)
        },
    );
    let shared = host.clone();
    FuncRegistration::new("fit")
        .set_into_module(&mut module, move |context: NativeCallContext, plan: TrainingPlan| {
            fit(&context, &shared, &plan)
        });
    FuncRegistration::new("plan").set_into_module(
        &mut module,
        |context: NativeCallContext, network: ScriptNetwork, options: Map| {
            read(&context, network, options)
        },
    );
    engine.register_static_module("train", module.into());
}

fn fit(context: &NativeCallContext, host: &Host, plan: &TrainingPlan) -> Fallible<Trained> {
    let TrainingPlan { network, data, recipe, .. } = plan;
    let train = |seed| {
        let trained = untimed(|| host.trainer().train(&network.network, data, recipe, seed));
        trained.map_err(|error| {
            let of_all = matches!(
                error,
                TrainError::Data(_) | TrainError::Cache(_) | TrainError::Checkpoint { .. }
            );
            if of_all {
                host.unusable();
            }
            refuse(context, error.to_string())
        })
    };
    let trained = plan.seeds().map(train).collect::<Fallible<Vec<_>>>()?;
    if trained.iter().any(|(_, is_known)| *is_known) {
        host.reused(Reused::ACCURACY);
    }
    let records = trained.into_iter().map(|(record, _)| record).collect();
    host.used(Source::Trained);
    Ok(Trained { records: Arc::new(records) })
}

fn read(
    context: &NativeCallContext,
    network: ScriptNetwork,
    options: Map,
) -> Fallible<TrainingPlan> {
    let mut options = Options::new(context, "train::fit", options);
    let data = options.text("data")?.ok_or_else(|| {
        refuse(context, "train::fit needs the option `data`, such as \"cifar100\"")
    })?;
    let seed = options.whole("seed", 0)?.unwrap_or(0);
    let seeds = options.whole("seeds", 1)?.unwrap_or(1);
    if seeds > SEEDS {
        return Err(refuse(context, format!("seeds is {seeds}; it is at most {SEEDS}")));
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
    Ok(TrainingPlan { network, data, recipe, seed, seeds })
}

fn read_recipe(options: &mut Options<'_>, base: Recipe) -> Fallible<Recipe> {
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

fn read_rule(options: &mut Options<'_>, base: Rule) -> Fallible<Rule> {
    let given = options.text("optimiser")?;
    let momentum = options.number("momentum")?;
    if let Some(value) = momentum.filter(|value| !(0.0..1.0).contains(value)) {
        return Err(options.wrong("momentum", "at least 0 and below 1", &value.into()));
    }
    let kept = momentum.unwrap_or(0.9);
    let rule = match given.as_deref() {
        None => base,
        Some("sgd") => Rule::Sgd { momentum: kept, nesterov: false },
        Some("nesterov") => Rule::Sgd { momentum: kept, nesterov: true },
        Some("rmsprop") => Rule::RmsProp { decay: 0.9, momentum: kept, epsilon: 1.0 },
        Some("adamw") => Rule::AdamW { beta1: kept, beta2: 0.999, epsilon: 1e-8 },
        Some(other) => {
            let expected = "\"sgd\", \"nesterov\", \"rmsprop\" or \"adamw\"";
            return Err(options.wrong("optimiser", expected, &other.to_owned().into()));
        }
    };
    Ok(match rule {
        Rule::Sgd { nesterov, .. } if momentum.is_some() => Rule::Sgd { momentum: kept, nesterov },
        Rule::RmsProp { decay, epsilon, .. } if momentum.is_some() => {
            Rule::RmsProp { decay, momentum: kept, epsilon }
        }
        rule => rule,
    })
}

fn read_schedule(options: &mut Options<'_>, base: Schedule) -> Fallible<Schedule> {
    let at = read_numbers(options, "steps_at")?;
    let factor = options.number("steps_factor")?;
    let given = options.text("schedule")?;
    let wrong = |options: &Options<'_>, other: &str| {
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

fn read_numbers(options: &mut Options<'_>, name: &'static str) -> Fallible<Option<Vec<f64>>> {
    let Some(value) = options.take(name) else { return Ok(None) };
    let wrong = || options.wrong(name, "an array of finite numbers", &value);
    let items = value.read_lock::<Array>().ok_or_else(wrong)?;
    let read = |item: &Dynamic| number(item).filter(|number| number.is_finite()).ok_or_else(wrong);
    items.iter().map(read).collect::<Fallible<Vec<f64>>>().map(Some)
}

impl TrainingPlan {
    /// What is trained.
    pub fn network(&self) -> &Network {
        &self.network.network
    }

    /// The seeds, one after another.
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

    /// The standard deviation over the seeds; 0 for a single one.
    fn spread(&self, value: impl Fn(&Training) -> f64 + Copy) -> f64 {
        let (values, mean) = (self.each(value), self.mean(value));
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (squares / (values.len() as f64 - 1.0).max(1.0)).sqrt()
    }

    /// The mean validation accuracy, or where nothing is held out training accuracy, of each epoch that
    /// all seeds have reached.
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

fn register_trained(engine: &mut Engine) {
    type T = Trained;
    engine.register_type_with_name::<T>("Training");
    engine.register_get("accuracy", |it: &mut T| it.mean(Training::accuracy));
    engine.register_get("spread", |it: &mut T| it.spread(Training::accuracy));
    engine.register_get("accuracies", |it: &mut T| -> Array {
        it.each(Training::accuracy).into_iter().map(Dynamic::from).collect()
    });
    engine.register_get("test_accuracy", |it: &mut T| it.mean(|t| t.test.accuracy));
    engine.register_get("test_spread", |it: &mut T| it.spread(|t| t.test.accuracy));
    engine.register_get("test_loss", |it: &mut T| it.mean(|t| t.test.loss));
    engine.register_get("curve", |it: &mut T| it.curve());
    engine.register_get("stopped", |it: &mut T| it.records.iter().any(|r| r.training.stopped));
}
