//! Parts beside brute force.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;

use super::*;
use crate::space::{Domain, Options, Part, Space, Value};

fn rule(draft: &Draft, mut holds: impl FnMut(&mut Trail) -> bool) -> Rule {
    Rule::of(&draft.sizes(), |trail| Ok::<_, Infallible>(holds(trail))).unwrap()
}

fn texts(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| Value::Text((*name).to_owned())).collect()
}

/// An accelerator: an array with a data flow, or a vector unit that is not tall.
fn accelerator() -> Draft {
    let mut draft = Draft::default();
    draft.choose("engine", texts(&["systolic", "vector"])).unwrap();
    draft.choose("rows", integers(4, 64, 4).unwrap()).unwrap();
    draft.choose("clock_mhz", reals(100.0, 800.0, 15, false).unwrap()).unwrap();
    draft.choose("dataflow", texts(&["weight stationary", "os", "\"\\"])).unwrap();
    draft.when(rule(&draft, |c| c.option(0) == 0)).unwrap();
    // More than 32 rows.
    let tall = rule(&draft, |c| c.option(0) == 1 && c.option(1) > 7);
    draft.forbid(Some("tall vector"), tall).unwrap();
    draft
}

#[test]
fn an_accelerator_is_counted_written_and_read() {
    let part = accelerator().finish().unwrap();
    assert_eq!(part.count(), (16 * 3 + 8) * 15);
    assert_eq!(
        part.choices().iter().map(|c| c.ordered).collect::<Vec<_>>(),
        [false, true, true, false]
    );
    let text = "engine=systolic rows=16 clock_mhz=250 dataflow=\"weight stationary\"";
    assert_eq!(part.parse(text), Ok(vec![0, 3, 3, 0]));
    assert_eq!(part.canonical(&[0, 3, 3, 0]), text);
    assert_eq!(part.canonical(&[1, 0, 0, 0]), "engine=vector rows=4 clock_mhz=100");
    let quotes = "dataflow=\"\\\"\\\\\" engine=systolic rows=4.0 clock_mhz=1e2";
    assert_eq!(part.parse(quotes), Ok(vec![0, 0, 0, 2]));
    let values = part.values(&[1, 0, 0, 0]);
    assert_eq!(values[0], ("engine", Some(&Value::Text("vector".to_owned()))));
    assert_eq!(values[3], ("dataflow", None));
    assert_eq!(
        part.rules(),
        [
            ("dataflow is decided".to_owned(), Some(720)),
            ("only `tall vector` forbids".to_owned(), Some(120))
        ]
    );
    let mut options = [1, 2, 3, 2];
    part.settle(&mut options);
    assert_eq!(options, [1, 2, 3, 0]);
}

#[test]
fn what_is_not_legal_is_said() {
    let part = accelerator().finish().unwrap();
    let refusal = |options: &[u16]| part.check(options).unwrap_err().0;
    assert_eq!(refusal(&[0; 3]), "3 options given for 4 choices");
    assert_eq!(refusal(&[0, 16, 0, 0]), "rows has 16 options, and option 16 was given");
    assert_eq!(
        refusal(&[1, 0, 0, 1]),
        "dataflow is not decided here; its option must be 0, and is 1"
    );
    assert_eq!(refusal(&[1, 8, 0, 0]), "`tall vector` forbids engine=vector rows=36");
    for (text, reason) in [
        ("fast", "`fast` is not of the form `engine=...`"),
        ("engine=vector rows 4", "`rows 4` is not of the form `engine=...`"),
        (
            "engine=vector row=4",
            "there is no choice `row`; there are engine, rows, clock_mhz, dataflow",
        ),
        ("engine=vector engine=vector", "`engine` is given twice"),
        ("engine=vector rows=4", "`clock_mhz` is missing"),
        ("engine=\"vector", "the quotes of `engine=\"vector` do not end"),
        ("rows=5", "`rows` has no option `5`; it has 4, 8, 12, 16, 20, 24, 28, 32, ... 64"),
        (
            "engine=vector rows=4 clock_mhz=100 dataflow=os",
            "the text gives `dataflow`, which is not decided with the choices before it; leave it \
             out",
        ),
        ("engine=vector rows=36 clock_mhz=100", "`tall vector` forbids engine=vector rows=36"),
    ] {
        assert_eq!(part.parse(text).unwrap_err().0, reason);
    }
}

#[test]
fn choices_and_rules_that_make_no_part_are_refused() {
    let mut draft = accelerator();
    let say = |result: Result<(), MixedError>| result.unwrap_err().to_string();
    assert_eq!(
        say(draft.choose("two words", texts(&["a"]))),
        "`two words` is no name for a choice; a name has letters, digits and `_`, and starts with \
         no digit"
    );
    assert_eq!(
        say(draft.choose("rows", texts(&["a"]))),
        "there are two choices `rows`; every choice of a part has a name of its own"
    );
    assert_eq!(
        say(draft.choose("x", texts(&[]))),
        "choice `x` has no options; it needs at least one"
    );
    assert_eq!(
        say(draft.choose("x", vec![Value::Int(1), Value::Float(1.0)])),
        "choice `x` lists 1 twice"
    );
    let always = rule(&draft, |_| true);
    assert_eq!(
        say(draft.when(always.clone())),
        "a condition follows the choice that it is about, as in `.choice(...).when(...)`"
    );
    draft.choose("x", texts(&["a", "b"])).unwrap();
    draft.when(always.clone()).unwrap();
    assert_eq!(
        say(draft.when(always.clone())),
        "choice `x` has two conditions; join them with `&&`"
    );
    assert!(matches!(draft.forbid(Some("tall vector"), always), Err(MixedError::RuleTwice(_))));
}

#[test]
fn rules_that_leave_nothing_are_named() {
    let mut draft = accelerator();
    let odd = rule(&draft, |c| c.option(1) % 2 == 1);
    let vector = rule(&draft, |c| c.option(0) == 1);
    let even = rule(&draft, |c| c.option(0) == 0 && c.option(1) % 2 == 0);
    draft.forbid(Some("odd"), odd).unwrap();
    draft.forbid(None, vector).unwrap();
    assert_eq!(draft.clone().finish().unwrap().count(), 8 * 15 * 3);
    draft.forbid(None, even).unwrap();
    assert_eq!(
        draft.finish().unwrap_err().to_string(),
        "every combination is forbidden by `odd` and `rule 3` and `rule 4`"
    );
}

#[test]
fn large_parts_are_counted_if_their_rules_are_small() {
    let mut draft = Draft::default();
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        draft.choose(name, integers(0, 9_999, 1).unwrap()).unwrap();
    }
    // One combination of all choices.
    let one = rule(&draft, |c| (0..8).all(|choice| c.option(choice) == 0));
    draft.forbid(None, one).unwrap();
    assert_eq!(draft.clone().finish().unwrap().count(), 10u128.pow(32) - 1);
    for name in ["i", "j"] {
        draft.choose(name, integers(0, 9_999, 1).unwrap()).unwrap();
    }
    assert_eq!(draft.finish().unwrap_err(), MixedError::TooMany);

    let mut chain = Draft::default();
    let size = 30;
    for place in 0..25 {
        chain.choose(&format!("x{place}"), integers(0, size - 1, 1).unwrap()).unwrap();
    }
    // Neighbours differ.
    for place in 0..24 {
        let same = rule(&chain, |c| c.option(place) == c.option(place + 1));
        chain.forbid(None, same).unwrap();
    }
    assert_eq!(chain.finish().unwrap().count(), 30 * 29u128.pow(24));

    let mut tied = Draft::default();
    for place in 0..8 {
        tied.choose(&format!("x{place}"), integers(0, 99, 1).unwrap()).unwrap();
    }
    for first in 0..8 {
        for second in 0..first {
            let same = rule(&tied, |c| c.option(first) == c.option(second));
            tied.forbid(None, same).unwrap();
        }
    }
    let MixedError::Linked { choices } = tied.finish().unwrap_err() else { panic!() };
    assert_eq!(choices.len(), 8);
}

/// A rule over two choices as the set of pairs of options for which it holds.
type Pairs = (usize, usize, BTreeSet<(u16, u16)>);

#[derive(Clone, Debug)]
struct Plan {
    sizes: Vec<usize>,
    conditions: Vec<Option<Pairs>>,
    forbidden: Vec<Pairs>,
}

fn pairs(below: usize, sizes: &[usize]) -> impl Strategy<Value = Pairs> + use<> {
    let sizes = sizes.to_vec();
    (0..below, 0..below).prop_flat_map(move |(a, b)| {
        let all: Vec<(u16, u16)> = (0..sizes[a] as u16)
            .flat_map(|first| (0..sizes[b] as u16).map(move |second| (first, second)))
            .collect();
        let count = all.len();
        prop::sample::subsequence(all, 0..=count)
            .prop_map(move |pairs| (a, b, pairs.into_iter().collect()))
    })
}

fn plan() -> impl Strategy<Value = Plan> {
    prop::collection::vec(1usize..4, 1..6).prop_flat_map(|sizes| {
        let condition = |choice: usize| match choice {
            0 => Just(None).boxed(),
            _ => prop::option::of(pairs(choice, &sizes)).boxed(),
        };
        let conditions: Vec<_> = (0..sizes.len()).map(condition).collect();
        let forbidden = prop::collection::vec(pairs(sizes.len(), &sizes), 0..3);
        (Just(sizes), conditions, forbidden).prop_map(|(sizes, conditions, forbidden)| Plan {
            sizes,
            conditions,
            forbidden,
        })
    })
}

impl Plan {
    fn draft(&self) -> Draft {
        let mut draft = Draft::default();
        let holds = |(a, b, pairs): &Pairs, trail: &mut Trail| {
            pairs.contains(&(trail.option(*a), trail.option(*b)))
        };
        for (choice, &size) in self.sizes.iter().enumerate() {
            let options = (0..size as i64).map(Value::Int).collect();
            draft.choose(&format!("x{choice}"), options).unwrap();
            if let Some(pairs) = &self.conditions[choice] {
                draft.when(rule(&draft, |trail| holds(pairs, trail))).unwrap();
            }
        }
        for pairs in &self.forbidden {
            draft.forbid(None, rule(&draft, |trail| holds(pairs, trail))).unwrap();
        }
        draft
    }

    /// What is decided by the words of the documentation.
    fn decided(&self, options: &[u16]) -> Vec<Option<u16>> {
        let mut decided: Vec<Option<u16>> = Vec::new();
        for (condition, &option) in self.conditions.iter().zip(options) {
            let is = condition.as_ref().is_none_or(|pairs| holds(pairs, &decided));
            decided.push(is.then_some(option));
        }
        decided
    }

    fn legal(&self) -> BTreeSet<Vec<Option<u16>>> {
        let mut legal = BTreeSet::new();
        for index in 0..self.sizes.iter().product::<usize>() {
            let mut rest = index;
            let options: Vec<u16> = self
                .sizes
                .iter()
                .map(|size| {
                    let option = (rest % size) as u16;
                    rest /= size;
                    option
                })
                .collect();
            let decided = self.decided(&options);
            if !self.forbidden.iter().any(|pairs| holds(pairs, &decided)) {
                legal.insert(decided);
            }
        }
        legal
    }
}

fn holds((a, b, pairs): &Pairs, decided: &[Option<u16>]) -> bool {
    match (decided[*a], decided[*b]) {
        (Some(first), Some(second)) => pairs.contains(&(first, second)),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn equals_brute_force(plan in plan()) {
        let legal = plan.legal();
        let part = match plan.draft().finish() {
            Ok(part) => part,
            Err(MixedError::Infeasible { rules }) => {
                prop_assert!(legal.is_empty() && !rules.is_empty());
                return Ok(());
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        prop_assert_eq!(part.count(), legal.len() as u128);
        let mut seen = BTreeMap::new();
        for decided in &legal {
            let options: Vec<u16> = decided.iter().map(|option| option.unwrap_or(0)).collect();
            prop_assert_eq!(part.check(&options), Ok(()));
            let text = part.canonical(&options);
            prop_assert_eq!(part.parse(&text), Ok(options.clone()));
            prop_assert_eq!(seen.insert(text, options), None);
        }
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        for _ in 0..64 {
            let mut options = part.draw(&mut rng).unwrap();
            prop_assert_eq!(part.check(&options), Ok(()));
            let drawn = options.clone();
            part.settle(&mut options);
            prop_assert_eq!(drawn, options);
        }
    }
}

#[test]
fn draws_are_uniform() {
    let mut draft = Draft::default();
    draft.choose("a", texts(&["x", "y", "z"])).unwrap();
    draft.choose("b", integers(0, 4, 1).unwrap()).unwrap();
    draft.when(rule(&draft, |c| c.option(0) == 0)).unwrap();
    draft.choose("c", integers(0, 2, 1).unwrap()).unwrap();
    draft.forbid(None, rule(&draft, |c| c.option(1) == c.option(2))).unwrap();
    let part = draft.finish().unwrap();
    // 5 x 3 of x without three equal ones, and 3 of y and z each.
    assert_eq!(part.count(), 12 + 6);
    let mut rng = ChaCha12Rng::seed_from_u64(7);
    let mut seen = BTreeMap::<Vec<u16>, u32>::new();
    let draws = 18_000;
    for _ in 0..draws {
        *seen.entry(part.draw(&mut rng).unwrap()).or_default() += 1;
    }
    assert_eq!(seen.len(), 18);
    // Pearson's statistic with 17 degrees of freedom: 40.8 is exceeded once in 1,000.
    let expected = f64::from(draws) / seen.len() as f64;
    let statistic: f64 =
        seen.values().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
    assert!(statistic < 40.8, "{statistic}");
}

#[test]
fn views_settle_and_draw_what_they_search() {
    let part = |name: &str, domain: Arc<dyn Domain>| Part { name: name.to_owned(), domain };
    let space = Space::new(vec![
        part("hw", Arc::new(accelerator().finish().unwrap())),
        part("a", Arc::new(Options::new(texts(&["x", "y"])))),
        part("z", Arc::new(Options::new(vec![Value::Int(1), Value::Int(2)]))),
    ])
    .unwrap();
    assert_eq!(space.count(), Some(2 * 840 * 2));
    let mut rng = ChaCha12Rng::seed_from_u64(3);
    let mut point = space.draw(&mut rng).unwrap();
    assert_eq!(space.check(&point), Ok(()));
    let view = space.view(&["hw".to_owned(), "z".to_owned()], &point).unwrap();
    assert_eq!(view.ordered(), [false, true, true, false, true]);
    assert_eq!(view.sizes(), [2, 16, 15, 3, 2]);
    let mut options = [1, 2, 3, 2, 1];
    assert!(!view.is_legal(&options));
    view.settle(&mut options);
    assert_eq!(options, [1, 2, 3, 0, 1]);
    assert!(view.is_legal(&options));
    for _ in 0..100 {
        assert!(view.is_legal(&view.draw(&mut rng).unwrap()));
    }
    point.0[1..5].copy_from_slice(&[1, 0, 0, 2]);
    space.settle(&mut point);
    assert_eq!(point.0[1..5], [1, 0, 0, 0]);
}
