//! The functions that an experiment script may define, with their documentation.

/// A function that an experiment may define.
pub(in crate::script) struct EntryPoint {
    pub(in crate::script) name: &'static str,
    pub(in crate::script) parameters: &'static [&'static str],
    /// The parameters with their types.
    pub(in crate::script) typed: &'static [&'static str],
    /// The type of its result.
    pub(in crate::script) result: &'static str,
    /// The results that depend on it, in words.
    pub(in crate::script) decides: &'static str,
    /// The lines of its documentation.
    pub(in crate::script) docs: &'static [&'static str],
}

/// Makes documented entry points, written as for [`native`](crate::script::native::native).
macro_rules! entry_points {
    ($(
        $(#[doc = $doc:literal])*
        fn $name:ident ( $($argument:ident : $type:ident),* ) -> $result:literal decides $decides:literal;
    )+) => {
        [$(EntryPoint {
            name: stringify!($name),
            parameters: &[$(stringify!($argument)),*],
            typed: &[$(concat!(stringify!($argument), ": ", stringify!($type))),*],
            result: $result,
            decides: $decides,
            docs: &[$($doc),*],
        }),+]
    };
}

/// The functions that an experiment may define.
pub(in crate::script) const ENTRY_POINTS: [EntryPoint; 10] = entry_points! {
    /// The arguments of the script with their defaults: a map of flags, numbers, texts, arrays or maps. The
    /// script reads them as `args::NAME`; `--set NAME=VALUE` and `args` in a settings file give others of the
    /// same types. No argument may have the name of a setting, such as `seed` or `steps`.
    ///
    /// ```rhai
    /// fn args() { #{ limit_ms: 5.0 } }
    /// fn space() { #{ rows: choice([4, 8, 16]) } }
    /// fn evaluate(point) { #{ accuracy: 0.9, latency_ms: 32.0 / point.rows } }
    /// fn reward(m) { if m.latency_ms > args::limit_ms { reject(-1.0) } else { m.accuracy } }
    /// ```
    fn args() -> "Map" decides "the arguments, and by them everything";
    /// What may be chosen: a map of named parts. Every experiment defines it.
    ///
    /// ```rhai
    /// fn space() { #{ cnn: nasbench201::space(), hw: chaidnn::space() } }
    /// ```
    fn space() -> "Map" decides "which points there are";
    /// What the frontier is made of: texts, `METRIC:max` or `METRIC:min`. Without it, the metrics whose names
    /// say what is wanted of them: more `accuracy`, less of what ends in `_ms`, `_us`, `_mm2` or `_mj`.
    ///
    /// ```rhai
    /// fn objectives() { ["accuracy:max", "latency_ms:min"] }
    /// ```
    fn objectives() -> "Array" decides "the frontier, and what some controllers are told";
    /// What must hold when a run ends: texts that compare a quantity of the run with a number. Where one does
    /// not hold, `tandem run` ends with exit code 99. With `or stop` behind an upper limit of what only grows,
    /// the run ends as soon as it is passed.
    ///
    /// ```rhai
    /// fn thresholds() { ["best.accuracy >= 0.93", "failed_share < 0.01", "failed <= 10 or stop"] }
    /// ```
    fn thresholds() -> "Array" decides "when the run ends and its verdict";
    /// The metrics of a point: a map of finite numbers, with units in their names (`latency_ms`, `area_mm2`);
    /// accuracies are fractions. An error is a failure of the trial, not of the run. Every experiment that is
    /// run defines it.
    ///
    /// ```rhai
    /// fn space() { #{ cnn: nasbench201::space(), hw: chaidnn::space() } }
    ///
    /// fn evaluate(point) {
    ///     let cost = chaidnn::estimate(nasbench201::network(point.cnn), point.hw);
    ///     #{
    ///         accuracy: accuracy::nasbench201(point.cnn, "cifar10"),
    ///         latency_ms: cost.latency_ms,
    ///         area_mm2: cost.area_mm2,
    ///     }
    /// }
    /// ```
    fn evaluate(point: Point) -> "Map" decides "the metrics of every trial";
    /// What controllers maximise: a finite number, or `reject(number)` for a pair that misses a limit. Without
    /// a parameter, `fn reward()` returns an objective instead. Every experiment that is run defines it; a
    /// phase may have its own.
    ///
    /// ```rhai
    /// fn reward(m) { if m.latency_ms > 5.0 { reject(5.0 - m.latency_ms) } else { m.accuracy } }
    /// reward(#{ accuracy: 0.9, latency_ms: 4.0 }) // => 0.9
    /// ```
    ///
    /// ```rhai
    /// fn reward() { objective::weighted(#{ accuracy: 1.0 }).subject_to("latency_ms <= 5") }
    /// ```
    fn reward(metrics: Map) -> "float or Rejected"
        decides "every reward, and by it the points that controllers propose";
    /// The next phase of a run, or nothing to end it. It is asked at the start and at the end of each phase.
    /// Without it, a run is one phase of 1000 trials with `reinforce()`.
    ///
    /// ```rhai
    /// fn space() { #{ rows: choice([4, 8, 16]), columns: choice([4, 8, 16]) } }
    /// fn evaluate(point) { #{ latency_ms: 512.0 / (point.rows * point.columns) } }
    /// fn reward(m) { -m.latency_ms }
    ///
    /// fn schedule(run) {
    ///     if run.phases == 0 { return phase("both", #{ steps: 6, controller: random() }); }
    ///     if run.phases == 1 { phase("rows", #{ steps: 3, search: ["rows"], fixed: run.best.point }) }
    /// }
    /// ```
    fn schedule(run: Run) -> "Phase or ()"
        decides "the phases and the points that their controllers propose";
    /// What `tandem sweep` sweeps: a map of `networks`, their `accuracy`, the `accelerator`, and if they are
    /// wanted `objectives` (a map of objectives by name) and `top` (how many of the best pairs for each are
    /// kept, 100 by default). The space must be the product of the networks and the accelerator.
    ///
    /// ```rhai
    /// fn space() { #{ cnn: nasbench201::space(), hw: chaidnn::space() } }
    ///
    /// fn sweep() {
    ///     #{
    ///         networks: nasbench201::networks(#{ classes: 100 }),
    ///         accuracy: accuracy::nasbench201("cifar100"),
    ///         accelerator: chaidnn::accelerator(),
    ///         objectives: #{ fast: objective::weighted(#{ latency_ms: 1.0 }).subject_to("accuracy >= 0.72") },
    ///         top: 10,
    ///     }
    /// }
    /// ```
    fn sweep() -> "Map" decides "what is swept";
    /// What is printed at the end of a run: a table, an array of tables, or nothing.
    ///
    /// ```rhai
    /// fn space() { #{ rows: choice([4, 8, 16]) } }
    /// fn evaluate(point) { #{ latency_ms: 32.0 / point.rows } }
    /// fn reward(m) { -m.latency_ms }
    ///
    /// fn summary(run) {
    ///     table("The fastest", ["rows", "latency ms"], run.frontier.map(|t| [t.point.rows, t.metrics.latency_ms]))
    /// }
    /// ```
    fn summary(run: Run) -> "Table, Array or ()" decides "nothing but the printed summary";
    /// How the network of a point is trained. `tandem train` asks it, and `evaluate` may, too.
    ///
    /// ```rhai
    /// fn space() { #{ cnn: nasbench201::space() } }
    ///
    /// fn training(point) {
    ///     let net = nasbench201::network(point.cnn, #{ classes: 100 });
    ///     train::plan(net, #{ data: "cifar100", epochs: 8, validation: 2_000 })
    /// }
    /// ```
    fn training(point: Point) -> "TrainingPlan" decides "nothing but `tandem train`";
};
