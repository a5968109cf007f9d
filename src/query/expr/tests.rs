//! Tests of expressions over blocks: the values that they see, their errors, and the agreement between
//! columns and interpreter.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::store::{Entry, Outcome, Reused, RunRecord, Status, Trial, TrialBlock, TrialCost};

fn record() -> RunRecord {
    RunRecord {
        number: 1,
        settings: serde_json::json!({ "seed": 7, "args": { "depth": 3, "rate": 0.5 } }),
        seed: 7,
        status: Status::Finished,
        created_s: 0,
        updated_s: 0,
        phases: ["first", "second"]
            .into_iter()
            .enumerate()
            .map(|(index, name)| crate::store::PhaseRecord {
                index: index as u32,
                name: name.to_owned(),
                first_step: index as u64,
                steps: None,
                digest: String::new(),
            })
            .collect(),
        ..RunRecord::new("x-1", "x.rhai")
    }
}

fn context() -> RunContext {
    let mut context = RunContext::new(record());
    context.frontier = Some(Arc::new([1, 4, 5, 9].into_iter().collect()));
    context
}

fn trial(step: u64, outcome: Outcome) -> Entry {
    let text = [("hw".to_owned(), format!("hw{}", step % 3))].into();
    let trial = Trial { step, phase: (step % 2) as u32, point: vec![1], text, outcome };
    let effort = TrialCost { micros: 1_500_000 * step, reused: Reused::METRICS };
    Entry { trial, effort }
}

fn done(metrics: &[(&str, f64)], reward: f64, valid: bool) -> Outcome {
    let metrics = metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    Outcome::Done { metrics, reward, valid }
}

/// Three trials: a feasible one, an infeasible one without `b`, and one that failed.
fn block() -> TrialBlock {
    let failed = Outcome::Failed { metrics: [].into(), reason: "too large".to_owned() };
    let entries = [
        trial(0, done(&[("a", 0.5), ("b", 2.0)], 0.5, true)),
        trial(1, done(&[("a", 0.25)], -1.0, false)),
        trial(2, failed),
    ];
    TrialBlock::of(entries.iter())
}

fn bind(text: &str) -> Result<BoundExpression, QueryError> {
    let mut known = KnownNames::default();
    known.add(&block());
    known.add_facts(&context());
    ExpressionCompiler::default().expression("query", text)?.bind(&known)
}

fn holds(text: &str) -> Vec<bool> {
    bind(text).and_then(|bound| bound.holds(&context(), &block())).unwrap()
}

fn refusal(text: &str) -> String {
    let result = bind(text).and_then(|bound| bound.holds(&context(), &block()));
    let error = result.expect_err("it is refused");
    error.diagnostic.render(&error.sources, false)
}

#[test]
fn expressions_see_everything_of_a_trial() {
    for (text, expected) in [
        ("a > 0.3", [true, false, false]),
        ("b == ()", [false, true, true]),
        ("reward < 0", [false, true, false]),
        ("valid", [true, false, false]),
        ("failed && reason == \"too large\"", [false, false, true]),
        ("step >= 1", [false, true, true]),
        ("phase == \"second\"", [false, true, false]),
        ("run == \"x-1\" && file == \"x.rhai\" && seed == 7", [true; 3]),
        ("point.hw == \"hw1\"", [false, true, false]),
        ("hw.contains(\"2\")", [false, false, true]),
        ("point.len() == 1", [true; 3]),
        ("duration_s > 1.0", [false, true, true]),
        ("from_cache == \"metrics\"", [true; 3]),
        ("on_frontier", [false, true, false]),
        ("args.depth == 3 && settings.seed == 7 && args.rate < 1", [true; 3]),
        ("m.len() == 2 && m.a + m.b == 2.5", [true, false, false]),
        ("[0.25, 0.5].some(|x| x == a)", [true, true, false]),
        ("(b ?? 9.0) > 5", [false, true, true]),
    ] {
        assert_eq!(holds(text), expected, "{text}");
    }
}

#[test]
fn comparisons_are_answered_from_the_columns() {
    for text in [
        "a > 0.3 && (b < 3 || !valid)",
        "step != 3 && phase == \"x\"",
        "point.hw == \"y\"",
        "true",
        "b == ()",
    ] {
        assert!(bind(text).unwrap().is_native(), "{text}");
    }
    for text in ["a + 1.0 > 2.0", "valid == true", "hw.len() == 3", "a < b < 3"] {
        assert!(!bind(text).unwrap().is_native(), "{text}");
    }
}

#[test]
fn what_there_is_not_is_refused_with_the_nearest() {
    for (text, message, help) in [
        ("rewards > 1", "there is no variable `rewards`", "is `reward` meant?"),
        ("true && zzz == 1", "there is no variable `zzz`", "there are a, b, step"),
        ("point.hv == \"x\"", "the points have no part `hv`", "is `hw` meant?"),
        ("args.deepth == 1", "the runs have no argument `deepth`", "is `depth` meant?"),
        ("m.c > 1", "the trials have no metric `c`", "there are a, b"),
        ("a + 1.0", "the query gives a number, not true or false", "write a condition"),
        ("reward(m) > 1", "there is no function `reward`", "--script FILE"),
        ("fill()", "there is no function", "one run is named"),
    ] {
        let refusal = refusal(text);
        assert!(refusal.contains(message), "{text}: {refusal}");
        assert!(refusal.contains(help), "{text}: {refusal}");
        assert!(refusal.contains("--> query:1:"), "{text}: {refusal}");
        assert!(refusal.contains('^'), "{text}: {refusal}");
    }
}

#[test]
fn limits_are_named() {
    let refusal = refusal("[0].pad(200_000, 1) == ()");
    assert!(refusal.contains("the script holds too much"), "{refusal}");
    assert!(refusal.contains("the query is too much"), "{refusal}");
    assert!(refusal.contains("over 100000 items"), "{refusal}");
    assert!(refusal.contains("`--set limits.array_items=...`"), "{refusal}");
}

#[test]
fn what_an_expression_changes_is_changed_for_one_trial_only() {
    // The settings of a run are the same for its every trial.
    assert_eq!(holds("args.remove(\"depth\") == 3"), [true; 3]);
}

#[test]
fn values_come_for_the_trials_that_are_asked_for() {
    let values = |text: &str| {
        let values = bind(text).unwrap().values(&context(), &block(), &[2, 0]).unwrap();
        values.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(values("a"), ["", "0.5"]);
    assert_eq!(values("a ?? 9.0"), ["9.0", "0.5"]);
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a"),
        Just("b"),
        Just("reward"),
        Just("step"),
        Just("duration_s"),
        Just("1"),
        Just("0"),
        Just("0.5"),
        Just("-0.25"),
        Just("1.0"),
        Just("2"),
        Just("()"),
    ]
    .prop_map(str::to_owned)
}

fn condition() -> impl Strategy<Value = String> {
    let relation = || prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let text = prop::sample::select(vec!["phase", "run", "hw", "point.hw"]);
    let value = prop::sample::select(vec!["first", "x-1", "hw1", ""]);
    let same = prop::sample::select(vec!["==", "!="]);
    let leaf = prop_oneof![
        (number(), relation(), number()).prop_map(|(a, relation, b)| format!("{a} {relation} {b}")),
        (text, same, value).prop_map(|(text, same, value)| format!("{text} {same} \"{value}\"")),
        prop::sample::select(vec!["valid", "failed", "on_frontier", "true", "false"])
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) || ({b})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let value = || prop::sample::select(vec![-0.25, 0.0, -0.0, 0.5, 1.0, 2.0, 3.5]);
    let metrics = || {
        (prop::option::of(value()), prop::option::of(value())).prop_map(|(a, b)| {
            let pairs = [("a".to_owned(), a), ("b".to_owned(), b)].into_iter();
            pairs.filter_map(|(name, value)| Some((name, value?))).collect()
        })
    };
    prop_oneof![
        (metrics(), value(), any::<bool>()).prop_map(|(metrics, reward, valid)| Outcome::Done {
            metrics,
            reward,
            valid
        }),
        metrics().prop_map(|metrics| Outcome::Failed { metrics, reason: "no".to_owned() }),
    ]
}

proptest! {
    #[test]
    fn answers_from_the_columns_are_the_interpreters(
        text in condition(),
        outcomes in prop::collection::vec(outcome(), 1..12),
    ) {
        let entries: Vec<Entry> =
            outcomes.into_iter().zip(0..).map(|(outcome, step)| trial(step, outcome)).collect();
        let block = TrialBlock::of(entries.iter());
        let bound = bind(&text).unwrap();
        let by_script = bound.holds_by_script(&context(), &block).unwrap();
        prop_assert!(bound.is_native(), "{}", text);
        prop_assert_eq!(bound.holds(&context(), &block).unwrap(), by_script, "{}", text);
    }
}
