//! Comparison of parts with brute force.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;

use super::*;
use crate::space::domain::tests::numbered;
use crate::space::{Domain, Part, SingleChoice, Space, Value};

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
    let Chosen::Part(values) = part.chosen(&[1, 0, 0, 0]) else { panic!() };
    assert_eq!(values[0], ("engine", Chosen::Value(&Value::Text("vector".to_owned()))));
    assert_eq!(values[3], ("dataflow", Chosen::Undecided));
    assert_eq!(
        part.rules(),
        [
            ("dataflow is decided".to_owned(), Some(720)),
            ("only `tall vector` forbids".to_owned(), Some(120))
        ]
    );
    let mut options = [1, 2, 3, 2];
    part.canonicalize(&mut options);
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
    let chain = chain.finish().unwrap();
    let count = 30 * 29u128.pow(24);
    assert_eq!(chain.count(), count);
    let nth = |number| chain.nth(number).unwrap();
    for number in [0, 1, count / 2, count - 1] {
        assert_eq!(chain.check(&nth(number)), Ok(()));
    }
    assert_ne!(nth(count / 2), nth(count / 2 + 1));
    assert_eq!(chain.nth(count), None);

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

/// A subset of operations, an order of loops, and an array that only one engine has.
fn nested() -> Draft {
    let mut array = Draft::default();
    array.choose("rows", integers(1, 4, 1).unwrap()).unwrap();
    let loops = texts(&["a", "b", "c"]);
    array.add("loops", Content::Permutation(loops)).unwrap();
    // Three or four rows.
    array.when(rule(&array, |c| c.option(0) >= 2)).unwrap();
    // Row 4 with "a" first.
    array.forbid(Some("first"), rule(&array, |c| c.option(0) == 3 && c.option(1) == 0)).unwrap();

    let mut draft = Draft::default();
    let items = texts(&["conv", "pool", "skip", "none"]);
    draft.add("ops", Content::Subset { items, least: 0, most: 2 }).unwrap();
    draft.add("array", Content::Part(array)).unwrap();
    // With a convolution.
    draft.when(rule(&draft, |c| c.option(0) == 1)).unwrap();
    let cells = Arc::new(SingleChoice::new(texts(&["one", "the other"])));
    draft.add("cell", Content::Native(cells)).unwrap();
    draft
}

#[test]
fn parts_within_parts_are_counted_written_and_read() {
    let part = nested().finish().unwrap();
    // 1, 1, 6, 4 of each number of rows; 4 subsets of at most 2 items with a convolution, 7 without.
    assert_eq!(part.count(), (4 * (1 + 1 + 6 + 4) + 7) * 2);
    let names: Vec<&str> = part.choices().iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "ops.conv",
            "ops.pool",
            "ops.skip",
            "ops.none",
            "array.rows",
            "array.loops.1",
            "array.loops.2",
            "cell.value"
        ]
    );
    for (options, text) in [
        ([1, 1, 0, 0, 2, 1, 1, 0], "ops=conv+pool array.rows=3 array.loops=b,c,a cell=one"),
        ([1, 0, 0, 1, 0, 0, 0, 0], "ops=conv+\"none\" array.rows=1 cell=one"),
        ([0, 0, 0, 0, 0, 0, 0, 1], "ops=none cell=\"the other\""),
    ] {
        assert_eq!(part.canonical(&options), text);
        assert_eq!(part.parse(text), Ok(options.to_vec()));
        assert_eq!(part.check(&options), Ok(()));
    }
    let text = |value: &str| Value::Text(value.to_owned());
    let options = [1, 0, 1, 0, 2, 2, 0, 1];
    let chosen = part.chosen(&options);
    let (conv, skip) = (text("conv"), text("skip"));
    let (c, a, b) = (text("c"), text("a"), text("b"));
    let rows = Value::Int(3);
    assert_eq!(
        chosen,
        Chosen::Part(vec![
            ("ops", Chosen::Items(vec![&conv, &skip])),
            (
                "array",
                Chosen::Part(vec![
                    ("rows", Chosen::Value(&rows)),
                    ("loops", Chosen::Items(vec![&c, &a, &b]))
                ])
            ),
            ("cell", Chosen::Native { number: 0, options: &[1] }),
        ])
    );
    let Chosen::Part(below) = part.chosen(&[0; 8]) else { panic!() };
    assert_eq!(below[1], ("array", Chosen::Undecided));
    let rules = [
        ("array.loops is decided".to_owned(), Some(2 * 4 * 10)),
        ("array is decided".to_owned(), Some(2 * 4 * 12)),
        ("only `array.first` forbids".to_owned(), Some(2 * 4 * 2)),
    ];
    assert_eq!(part.rules(), rules);
}

#[test]
fn lists_and_parts_that_are_wrong_are_refused() {
    let part = nested().finish().unwrap();
    for (text, reason) in [
        ("ops=conv+conv cell=one", "`ops` lists `conv` twice"),
        ("ops=con cell=one", "`ops` has no item `con`; it has conv, pool, skip, none"),
        ("ops=conv+none cell=one", "`array.rows` is missing"),
        ("ops=pool+skip+\"none\" cell=one", "`ops` has 3 items; it takes at most 2"),
        (
            "ops=none array.rows=1 cell=one",
            "the text gives `array.rows`, which is not decided with the choices before it; leave it \
             out",
        ),
        (
            "ops=conv array.rows=3 array.loops=a,b cell=one",
            "`array.loops` lists 2 of its 3 items; it takes them all",
        ),
        (
            "ops=conv array.rows=4 array.loops=a,b,c cell=one",
            "`array.first` forbids array.rows=4 array.loops=a,b,c",
        ),
        ("ops=none cell=two", "`cell`: there is no option `two`; there are one, the other"),
    ] {
        assert_eq!(part.parse(text).unwrap_err().0, reason);
    }
    let mut draft = Draft::default();
    let say = |result: Result<(), MixedError>| result.unwrap_err().to_string();
    let items = texts(&["a", "b"]);
    let bounds = |least, most| Content::Subset { items: items.clone(), least, most };
    assert_eq!(
        say(draft.add("x", bounds(2, 1))),
        "subset `x` of 2 items cannot have at least 2 and at most 1 of them; 0 <= least <= most <= 2"
    );
    assert!(draft.add("x", bounds(0, 3)).is_err());
    assert_eq!(
        say(draft.add("x", Content::Permutation(texts(&["a"])))),
        "permutation `x` has one item; there is nothing to order"
    );
    assert_eq!(
        say(draft.add("x", Content::Part(Draft::default()))),
        "the part `x` has nothing to choose from"
    );
}

#[test]
fn large_subsets_and_orders_are_counted() {
    let items: Vec<Value> = (0..24).map(Value::Int).collect();
    let subset = |least, most| {
        let content = Content::Subset { items: items.clone(), least, most };
        Draft::alone(content).unwrap().finish().unwrap()
    };
    assert_eq!(subset(0, 24).count(), 1 << 24);
    assert_eq!(subset(12, 12).count(), 2_704_156);
    assert_eq!(subset(0, 2).count(), 1 + 24 + 276);
    let order = Draft::alone(Content::Permutation(items[..20].to_vec())).unwrap().finish().unwrap();
    assert_eq!(order.count(), (1..=20).product::<u128>());

    // Every item of a subset of exactly 12 is in half of all, those that no rule reads included.
    let mut draft = Draft::alone(Content::Subset { items, least: 12, most: 12 }).unwrap();
    let first = rule(&draft, |c| c.option(0) == 1 && c.option(1) == 1);
    draft.forbid(None, first).unwrap();
    let part = draft.finish().unwrap();
    assert_eq!(part.count(), 2_704_156 - 646_646);
    let mut rng = ChaCha12Rng::seed_from_u64(5);
    let mut last = 0;
    for _ in 0..4_000 {
        let options = part.draw(&mut rng).unwrap();
        assert_eq!(part.check(&options), Ok(()));
        last += u32::from(options[23]);
    }
    // Of the 2,057,510 that are left, 1,058,148 have the last item: C(23, 11) - C(21, 9).
    let expected = 4_000.0 * 1_058_148.0 / 2_057_510.0;
    assert!((f64::from(last) - expected).abs() < 130.0, "{last} {expected}");
}

/// A predicate over two choices, given by numbers among the readable ones.
#[derive(Clone, Debug)]
struct Predicate {
    first: usize,
    second: usize,
    bits: u64,
}

impl Predicate {
    fn reads(&self, readable: &[usize]) -> Option<(usize, usize)> {
        let count = readable.len();
        (count > 0).then(|| (readable[self.first % count], readable[self.second % count]))
    }

    fn says(&self, first: u16, second: u16) -> bool {
        self.bits >> ((first * 8 + second) % 64) & 1 == 1
    }

    fn rule(&self, draft: &Draft, (first, second): (usize, usize)) -> Rule {
        rule(draft, |trail| self.says(trail.option(first), trail.option(second)))
    }

    fn holds(&self, decided: &[Option<u16>], (first, second): (usize, usize)) -> bool {
        match (decided[first], decided[second]) {
            (Some(first), Some(second)) => self.says(first, second),
            _ => false,
        }
    }
}

#[derive(Clone, Debug)]
enum Kind {
    Choice(usize),
    Subset { items: usize, least: usize, most: usize },
    Permutation(usize),
    Native(usize),
    Part(Sketch),
}

/// A part with any content.
#[derive(Clone, Debug)]
struct Sketch {
    names: Vec<(Kind, Option<Predicate>)>,
    forbidden: Vec<Predicate>,
}

/// Values, some of which need quotes in texts.
fn values(count: usize) -> Vec<Value> {
    let texts = ["none", "a+b", "c,d", "", "e f"].map(|text| Value::Text(text.to_owned()));
    let others = [Value::Int(7), Value::Float(0.5), Value::Flag(true)];
    let mut all: Vec<Value> = texts.into_iter().chain(others).collect();
    all.rotate_left(count % 5);
    all.truncate(count);
    all
}

impl Kind {
    fn content(&self) -> Content {
        match self {
            Self::Choice(options) => Content::Choice(values(*options)),
            Self::Subset { items, least, most } => {
                Content::Subset { items: values(*items), least: *least, most: *most }
            }
            Self::Permutation(items) => Content::Permutation(values(*items)),
            Self::Native(options) => Content::Native(Arc::new(SingleChoice::new(values(*options)))),
            Self::Part(sketch) => Content::Part(sketch.draft()),
        }
    }

    /// The number of choices, and the places of those that rules can read.
    fn choices(&self) -> (usize, Vec<usize>) {
        let all = |count| (count, (0..count).collect());
        match self {
            Self::Choice(_) => all(1),
            Self::Subset { items, .. } => all(*items),
            Self::Permutation(items) => all(items - 1),
            Self::Native(_) => (1, Vec::new()),
            Self::Part(sketch) => sketch.choices(),
        }
    }
}

impl Sketch {
    fn choices(&self) -> (usize, Vec<usize>) {
        self.names.iter().fold((0, Vec::new()), |(start, mut readable), (kind, _)| {
            let (count, own) = kind.choices();
            readable.extend(own.into_iter().map(|choice| choice + start));
            (start + count, readable)
        })
    }

    /// The choices that can be read before each name, and after the last.
    fn readable(&self) -> Vec<Vec<usize>> {
        let before = |place: usize| {
            let names = self.names[..place].to_vec();
            Self { names, forbidden: Vec::new() }.choices().1
        };
        (0..=self.names.len()).map(before).collect()
    }

    fn draft(&self) -> Draft {
        let mut draft = Draft::default();
        let readable = self.readable();
        for (place, (kind, condition)) in self.names.iter().enumerate() {
            draft.add(&format!("x{place}"), kind.content()).unwrap();
            if let Some(condition) = condition
                && let Some(reads) = condition.reads(&readable[place])
            {
                draft.when(condition.rule(&draft, reads)).unwrap();
            }
        }
        for predicate in &self.forbidden {
            if let Some(reads) = predicate.reads(&readable[self.names.len()]) {
                draft.forbid(None, predicate.rule(&draft, reads)).unwrap();
            }
        }
        draft
    }

    /// Decides options as the documentation describes; returns true if they are legal.
    fn decide(&self, options: &[u16], is_open: bool, all: &mut Vec<Option<u16>>) -> bool {
        let start = all.len();
        let mut is_legal = true;
        let readable = self.readable();
        for (place, (kind, condition)) in self.names.iter().enumerate() {
            let holds = |condition: &Predicate| {
                let reads = condition.reads(&readable[place])?;
                Some(condition.holds(&all[start..], reads))
            };
            let is = is_open && condition.as_ref().and_then(holds).unwrap_or(true);
            let first = all.len();
            if let Kind::Part(sketch) = kind {
                is_legal &= sketch.decide(options, is, all);
                continue;
            }
            let own = &options[first..first + kind.choices().0];
            all.extend(own.iter().map(|&option| is.then_some(option)));
            if let Kind::Subset { least, most, .. } = kind {
                let chosen = own.iter().filter(|&&option| option == 1).count();
                is_legal &= !is || (*least <= chosen && chosen <= *most);
            }
        }
        let forbids = |predicate: &Predicate| {
            let reads = predicate.reads(&readable[self.names.len()]);
            reads.is_some_and(|reads| predicate.holds(&all[start..], reads))
        };
        is_legal && !self.forbidden.iter().any(forbids)
    }
}

/// Every combination of options.
fn combinations(sizes: &[usize]) -> impl Iterator<Item = Vec<u16>> + '_ {
    (0..sizes.iter().product::<usize>()).map(|index| {
        let mut rest = index;
        let mut option = |size: &usize| {
            let option = (rest % size) as u16;
            rest /= size;
            option
        };
        sizes.iter().map(&mut option).collect()
    })
}

fn predicate() -> impl Strategy<Value = Predicate> {
    (0..8usize, 0..8usize, any::<u64>()).prop_map(|(first, second, bits)| Predicate {
        first,
        second,
        bits,
    })
}

fn sketch(depth: u32) -> impl Strategy<Value = Sketch> {
    let subset = (1..4usize).prop_flat_map(|items| {
        (0..=items).prop_flat_map(move |most| {
            (0..=most).prop_map(move |least| Kind::Subset { items, least, most })
        })
    });
    let leaf = prop_oneof![
        3 => (1..4usize).prop_map(Kind::Choice),
        2 => subset,
        1 => (2..4usize).prop_map(Kind::Permutation),
        1 => (1..3usize).prop_map(Kind::Native),
    ];
    let kind = match depth {
        0 => leaf.boxed(),
        _ => prop_oneof![3 => leaf, 1 => sketch(depth - 1).prop_map(Kind::Part)].boxed(),
    };
    let names = prop::collection::vec((kind, prop::option::of(predicate())), 1..5);
    (names, prop::collection::vec(predicate(), 0..3))
        .prop_map(|(names, forbidden)| Sketch { names, forbidden })
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 100_000, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn equals_brute_force(sketch in sketch(2)) {
        let draft = sketch.draft();
        let sizes = draft.sizes();
        prop_assume!(sizes.iter().product::<usize>() <= 5_000);
        let mut legal = BTreeSet::new();
        for options in combinations(&sizes) {
            let mut decided = Vec::new();
            if sketch.decide(&options, true, &mut decided) {
                legal.insert(decided);
            }
        }
        let part = match draft.finish() {
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
            let mut settled = options.clone();
            part.canonicalize(&mut settled);
            prop_assert_eq!(&settled, &options);
            prop_assert_eq!(seen.insert(text, options), None);
        }
        prop_assert!(numbered(&part).iter().eq(seen.keys()));
        // A canonical combination is legal, unless a rule forbids it.
        for mut options in combinations(&sizes) {
            let was = part.check(&options);
            part.canonicalize(&mut options);
            let is = part.check(&options);
            prop_assert!(is.is_ok() || is.unwrap_err().0.contains("forbids"));
            prop_assert!(was.is_err() || part.check(&options).is_ok());
        }
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        for _ in 0..64 {
            let options = part.draw(&mut rng).unwrap();
            prop_assert_eq!(part.check(&options), Ok(()));
        }
    }
}

/// The deviation of Pearson's statistic from its expectation, in standard deviations, for draws of a part in
/// which everything is drawn.
fn unevenness(part: &Mixed, draws: u32) -> f64 {
    let mut rng = ChaCha12Rng::seed_from_u64(7);
    let mut seen = BTreeMap::<Vec<u16>, u32>::new();
    for _ in 0..draws {
        *seen.entry(part.draw(&mut rng).unwrap()).or_default() += 1;
    }
    assert_eq!(seen.len() as u128, part.count());
    let expected = f64::from(draws) / seen.len() as f64;
    let statistic: f64 =
        seen.values().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
    let freedom = seen.len() as f64 - 1.0;
    (statistic - freedom) / (2.0 * freedom).sqrt()
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
    for part in [part, nested().finish().unwrap()] {
        // Exceeded once in some 1,000 times.
        let unevenness = unevenness(&part, 20_000);
        assert!(unevenness < 4.0, "{unevenness}");
    }
}

#[test]
fn views_settle_and_draw_what_they_search() {
    let part = |name: &str, domain: Arc<dyn Domain>| Part { name: name.to_owned(), domain };
    let space = Space::new(vec![
        part("hw", Arc::new(accelerator().finish().unwrap())),
        part("a", Arc::new(SingleChoice::new(texts(&["x", "y"])))),
        part("z", Arc::new(SingleChoice::new(vec![Value::Int(1), Value::Int(2)]))),
    ])
    .unwrap();
    assert_eq!(space.count(), Some(2 * 840 * 2));
    let mut rng = ChaCha12Rng::seed_from_u64(3);
    let mut point = space.draw(&mut rng).unwrap();
    assert_eq!(space.check(&point), Ok(()));
    let subspace = space.subspace(&["hw".to_owned(), "z".to_owned()], &point).unwrap();
    assert_eq!(subspace.ordered(), [false, true, true, false, true]);
    assert_eq!(subspace.sizes(), [2, 16, 15, 3, 2]);
    let mut options = [1, 2, 3, 2, 1];
    assert!(!subspace.is_legal(&options));
    subspace.canonicalize(&mut options);
    assert_eq!(options, [1, 2, 3, 0, 1]);
    assert!(subspace.is_legal(&options));
    for _ in 0..100 {
        assert!(subspace.is_legal(&subspace.draw(&mut rng).unwrap()));
    }
    point.0[1..5].copy_from_slice(&[1, 0, 0, 2]);
    space.canonicalize(&mut point);
    assert_eq!(point.0[1..5], [1, 0, 0, 0]);
}
