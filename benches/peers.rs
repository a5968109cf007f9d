//! Controllers on a table of costs, for `benches/peers/run`.
//!
//! `peers TABLE CONTROLLER BUDGET SEED`: the table's first line says how many columns are choices, each further line has
//! the options of a point and then its costs, smaller being better. The controller is its JSON
//! (`{"nsga2": {}}`). Prints, as JSON, the rows proposed, in order, and the seconds that asking and telling took
//! on one thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use tandem::search::{ControllerSpec, Searched, Told};

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [table, controller, budget, seed] = arguments.as_slice() else {
        println!("nothing measured: benches/peers/run calls this with a table");
        return;
    };
    let spec: ControllerSpec = serde_json::from_str(controller).expect("a controller");
    let (budget, seed): (usize, u64) =
        (budget.parse().expect("a budget"), seed.parse().expect("a seed"));
    let text = std::fs::read_to_string(table).expect("a table");
    let mut lines = text.lines();
    let choices: usize =
        lines.next().and_then(|line| line.parse().ok()).expect("a number of choices");
    let mut rows = HashMap::new();
    let mut costs = Vec::new();
    let mut sizes = vec![0; choices];
    for line in lines {
        let mut cells = line.split(',');
        let point: Vec<u16> =
            cells.by_ref().take(choices).map(|cell| cell.parse().expect("an option")).collect();
        for (size, &option) in sizes.iter_mut().zip(&point) {
            *size = usize::max(*size, usize::from(option) + 1);
        }
        rows.insert(point, costs.len());
        costs.push(cells.map(|cell| cell.parse().expect("a cost")).collect::<Vec<f64>>());
    }
    let rows = Arc::new(rows);
    let legal = {
        let rows = rows.clone();
        Arc::new(move |point: &[u16]| rows.contains_key(point))
    };
    let mut controller =
        spec.build(Searched::new(sizes, legal), seed, "peers").expect("a controller");
    let mut proposed = Vec::with_capacity(budget);
    let started = Instant::now();
    for _ in 0..budget {
        let point = controller.ask().expect("a point");
        let row = rows[&point];
        proposed.push(row);
        let costs = costs[row].clone();
        // What follows a single reward is told the sum of the costs, which the table has on one scale.
        let reward = Some(-costs.iter().sum::<f64>());
        controller.tell(Told { reward, valid: true, costs }).expect("a turn");
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{}", json!({ "rows": proposed, "seconds": seconds }));
}
