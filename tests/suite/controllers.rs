//! The controllers in scripts, and the screen of a phase.

use tandem::search::ControllerSpec;

use crate::support::Place;

/// Returns a script with two conflicting objectives, over a space with rules and an accelerator.
fn script(controller: &str) -> String {
    format!(
        r#"
fn space() {{
    #{{
        a: space::part()
            .int("x", 0, 40)
            .choice("kind", ["p", "q", "r"])
            .choice("more", ["s", "t"]).when(|c| c.kind == "q")
            .forbid(|c| c.kind == "r" && c.x > 30),
        hw: chaidnn::space(),
    }}
}}
fn objectives() {{ ["gain:max", "cost:min"] }}
fn evaluate(p) {{
    if p.a.x == 13 {{ throw "unlucky"; }}
    let kind = if p.a.kind == "q" {{ if p.a.more == "t" {{ 3.0 }} else {{ 1.0 }} }} else {{ 0.0 }};
    #{{ gain: p.a.x + 5.0 * kind, cost: p.a.x * p.a.x / 10.0 + kind }}
}}
fn reward(m) {{ if m.cost > 100.0 {{ return reject(100.0 - m.cost); }} m.gain - m.cost }}
fn schedule(run) {{ if run.phases < 2 {{ phase("all", #{{ steps: 150, controller: {controller}, keep: "one" }}) }} }}
"#
    )
}

/// Settings of the controllers that are slow here with their default settings.
const SMALL: [(&str, &str); 4] = [
    ("reinforce", "batch: 10, hidden: 8"),
    ("evolution", "population: 20, sample: 5"),
    ("nsga2", "population: 20"),
    ("guided", "initial: 30, batch: 10, candidates: 200"),
];

/// Returns a call of each controller.
fn all() -> impl Iterator<Item = String> {
    ControllerSpec::all().into_iter().map(|spec| {
        let name = spec.name();
        match SMALL.iter().find(|(known, _)| *known == name) {
            Some((_, settings)) => format!("{name}(#{{ {settings} }})"),
            None => format!("{name}()"),
        }
    })
}

#[test]
fn a_run_in_pieces_is_the_run_in_one() {
    for controller in all() {
        let whole = Place::with(&script(&controller));
        whole.ok(&["run", "x.rhai", "--set", "threads=2"]);
        let trials = whole.trials("x-1");
        assert_eq!(trials.lines().count(), 300, "{controller}");

        let pieces = Place::with(&script(&controller));
        pieces.ok(&["run", "x.rhai", "--steps", "37", "--set", "threads=1"]);
        let first = pieces.trials("x-1");
        assert!(trials.starts_with(&first), "{controller}");
    }
}

#[test]
fn settings_that_make_no_sense_are_refused_where_they_stand() {
    for (controller, expected) in [
        ("evolution(#{ sample: 0 })", "`sample` is 0: the sample must be from 1 to the population"),
        ("evolution(#{ sample: 30, population: 20 })", "`sample` is 30"),
        ("nsga2(#{ crossover: 2.0 })", "`crossover` is 2: the share must be from 0 to 1"),
        ("local(#{ bach: 3 })", "local() has no option `bach`; it takes batch"),
        ("guided(#{ initial: 1 })", "`initial` is 1: the points must be from 2 to 65,536"),
    ] {
        let place = Place::with(&script(controller));
        let ran = place.run(&["run", "x.rhai"]);
        assert_eq!(ran.code, 3, "{}", ran.err);
        assert!(ran.err.contains(expected), "{}", ran.err);
        assert!(ran.err.contains("x.rhai:19"), "{}", ran.err);
    }
}

const SCREENED: &str = r#"
fn space() { #{ x: choice([1, 2, 3, 4, 5, 6, 7, 8]), y: choice([1, 2, 3, 4]) } }
fn objectives() { ["gain:max", "cost:min"] }
fn cheap(p) { #{ cost: p.x * 1.0 } }
fn evaluate(p) {
    if p.x > 5 { throw "was to be screened"; }
    let m = cheap(p);
    m.gain = p.x + 0.1 * p.y;
    m
}
fn reward(m) { if m.cost > 5.0 { return reject(5.0 - m.cost); } m.gain }
fn schedule(run) {
    if run.phases == 0 {
        phase("all", #{ steps: 60, controller: local(#{ batch: 4 }), screen: |p| cheap(p) })
    }
}
"#;

#[test]
fn what_a_screen_rejects_is_not_evaluated() {
    let place = Place::with(SCREENED);
    place.ok(&["run", "x.rhai"]);
    let trials = place.trials("x-1");
    let (rejected, evaluated): (Vec<&str>, Vec<&str>) =
        trials.lines().partition(|trial| trial.contains("\"valid\":false"));
    assert!(rejected.len() > 5 && evaluated.len() > 20, "{trials}");
    assert!(rejected.iter().all(|trial| trial.contains("\"gain\":null")), "{trials}");
    assert!(evaluated.iter().all(|trial| !trial.contains("null")), "{trials}");
    assert!(!trials.contains("was to be screened"), "{trials}");
}

#[test]
fn a_screen_needs_declared_objectives_and_a_function() {
    let place = Place::with(&SCREENED.replace("fn objectives()", "fn goals()"));
    let ran = place.run(&["run", "x.rhai"]);
    assert_ne!(ran.code, 0);
    assert!(ran.err.contains("declare the ones that matter"), "{}", ran.err);

    let place = Place::with(&SCREENED.replace("|p| cheap(p)", "7"));
    let ran = place.run(&["run", "x.rhai"]);
    assert!(ran.err.contains("it takes a function of the point"), "{}", ran.err);
}
