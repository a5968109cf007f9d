//! Controllers on a multi-objective problem, for `benches/peers/run`.
//!
//! A problem is a table or an experiment's script. The first line of a table is the number of choices; each
//! further line has the options of a point and then its costs. A script's costs are its objectives. Smaller
//! costs are better.
//!
//! `peers PROBLEM CONTROLLER BUDGET SEED`: runs a controller, given as JSON (`{"nsga2": {}}`). Prints, as
//! JSON, the proposed points in order with their costs, and the seconds that asking and telling took on one
//! thread.
//!
//! `peers PROBLEM serve`: prints the number of options of each choice, as JSON; then answers each line of
//! options (`0,1,0`) with its costs, as JSON, or `null` if the point is not legal.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tandem::pareto::costs;
use tandem::run::Experiment;
use tandem::script::{Script, Settings};
use tandem::search::{ControllerSpec, Feedback, SearchSpace};
use tandem::space::Subspace;

/// A problem: costs to minimize over a search space.
trait Problem {
    fn space(&self) -> SearchSpace;
    /// Evaluates a legal point.
    fn costs(&self, point: &[u16]) -> Vec<f64>;
}

struct Table {
    sizes: Vec<usize>,
    costs: Arc<HashMap<Vec<u16>, Vec<f64>>>,
}

impl Table {
    fn read(path: &str) -> Self {
        let text = std::fs::read_to_string(path).expect("a table");
        let mut lines = text.lines();
        let choices: usize =
            lines.next().and_then(|line| line.parse().ok()).expect("a number of choices");
        let mut costs = HashMap::new();
        let mut sizes = vec![0; choices];
        for line in lines {
            let mut cells = line.split(',');
            let point: Vec<u16> =
                cells.by_ref().take(choices).map(|cell| cell.parse().expect("an option")).collect();
            for (size, &option) in sizes.iter_mut().zip(&point) {
                *size = usize::max(*size, usize::from(option) + 1);
            }
            costs.insert(point, cells.map(|cell| cell.parse().expect("a cost")).collect());
        }
        Self { sizes, costs: Arc::new(costs) }
    }
}

impl Problem for Table {
    fn space(&self) -> SearchSpace {
        let costs = self.costs.clone();
        SearchSpace::new(
            self.sizes.clone(),
            Arc::new(move |point: &[u16]| costs.contains_key(point)),
        )
    }

    fn costs(&self, point: &[u16]) -> Vec<f64> {
        self.costs[point].clone()
    }
}

struct Scripted {
    script: Script,
    subspace: Subspace,
}

impl Scripted {
    fn load(path: &str) -> Self {
        let data = std::env::var_os("TANDEM_DATA").map_or_else(|| "data".into(), PathBuf::from);
        let script =
            Script::load(Path::new(path), &Settings::default(), data).expect("an experiment");
        let parts: Vec<String> =
            script.space().parts().iter().map(|part| part.name.clone()).collect();
        let zero_point = script.space().zero_point();
        let subspace = script.space().subspace(&parts, &zero_point).expect("all parts");
        Self { script, subspace }
    }
}

impl Problem for Scripted {
    fn space(&self) -> SearchSpace {
        SearchSpace::from(&self.subspace)
    }

    fn costs(&self, point: &[u16]) -> Vec<f64> {
        let metrics = self.script.evaluate(&self.subspace.point(point)).expect("metrics");
        costs(self.script.objectives(), &metrics).expect("every objective")
    }
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [path, rest @ ..] = arguments.as_slice() else {
        println!("nothing measured: benches/peers/run calls this with a problem");
        return;
    };
    let problem: Box<dyn Problem> = match Path::new(path).extension() {
        Some(extension) if extension == "rhai" => Box::new(Scripted::load(path)),
        _ => Box::new(Table::read(path)),
    };
    match rest {
        ["serve"] => serve(problem.as_ref()),
        [controller, budget, seed] => {
            let spec = serde_json::from_str(controller).expect("a controller");
            let (budget, seed) = (budget.parse().expect("a budget"), seed.parse().expect("a seed"));
            search(problem.as_ref(), &spec, budget, seed);
        }
        _ => panic!("after the problem comes `serve`, or a controller, a budget and a seed"),
    }
}

fn serve(problem: &dyn Problem) {
    let space = problem.space();
    let mut out = std::io::stdout().lock();
    let mut answer = |answer: serde_json::Value| {
        writeln!(out, "{answer}").and_then(|()| out.flush()).expect("a reader of answers");
    };
    answer(json!(space.sizes));
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let point: Vec<u16> =
            line.split(',').map(|option| option.parse().expect("an option")).collect();
        answer(match space.accepts(&point) {
            true => json!(problem.costs(&point)),
            false => json!(null),
        });
    }
}

fn search(problem: &dyn Problem, spec: &ControllerSpec, budget: usize, seed: u64) {
    let mut controller = spec.build(problem.space(), seed, "peers").expect("a controller");
    let mut points = Vec::with_capacity(budget);
    let mut judged = Vec::with_capacity(budget);
    let mut evaluating = Duration::ZERO;
    let started = Instant::now();
    for _ in 0..budget {
        let point = controller.ask().expect("a point");
        let evaluated = Instant::now();
        let costs = problem.costs(&point);
        evaluating += evaluated.elapsed();
        // What follows a single reward is told the sum of the costs, which tables have on one scale.
        let reward = Some(-costs.iter().sum::<f64>());
        controller.tell(Feedback { reward, valid: true, costs: costs.clone() }).expect("a turn");
        points.push(point);
        judged.push(costs);
    }
    let seconds = (started.elapsed() - evaluating).as_secs_f64();
    println!("{}", json!({ "points": points, "costs": judged, "seconds": seconds }));
}
