//! Tests of the controller as a whole: learning, exact repetition, and saving the state at any time.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// The options of 14 choices.
const SIZES: [usize; 14] = [2, 3, 4, 5, 6, 2, 3, 4, 5, 6, 2, 3, 4, 5];

fn space(legal: impl Fn(&[u16]) -> bool + Send + Sync + 'static) -> SearchSpace {
    SearchSpace::new(SIZES.to_vec(), Arc::new(legal))
}

fn small() -> ReinforceSettings {
    ReinforceSettings { hidden: 8, batch: 6, ..Default::default() }
}

fn even(point: &[u16]) -> bool {
    point.iter().map(|&option| u32::from(option)).sum::<u32>().is_multiple_of(2)
}

/// The hidden point of a problem.
fn target(seed: u64) -> Vec<u16> {
    let all = space(even);
    draw_legal(&all, &mut rng::stream(seed, "target", 0)).unwrap()
}

/// The share of choices in which a point agrees with another.
fn agreement(point: &[u16], target: &[u16]) -> f64 {
    let equal = point.iter().zip(target).filter(|(a, b)| a == b).count();
    equal as f64 / target.len() as f64
}

/// The mean reward of the last tenth of a search.
fn last_tenth(
    controller: &mut dyn Controller,
    steps: usize,
    mut reward: impl FnMut(&[u16]) -> Option<f64>,
) -> f64 {
    let mut sum = 0.0;
    for step in 0..steps {
        let point = controller.ask().unwrap();
        let reward = reward(&point);
        if step >= steps - steps / 10 {
            sum += reward.unwrap_or(0.0);
        }
        controller.tell(Feedback::reward(reward)).unwrap();
    }
    sum / (steps / 10) as f64
}

fn compare(
    seed: u64,
    legal: fn(&[u16]) -> bool,
    reward: impl Fn(&[u16]) -> Option<f64>,
) -> (f64, f64) {
    let settings = ReinforceSettings::default();
    let mut reinforce = Reinforce::new(settings, space(legal), seed, "test").unwrap();
    let mut random = crate::search::Random::new(space(legal), seed, "test").unwrap();
    let reinforce = last_tenth(&mut reinforce, 2000, &reward);
    (reinforce, last_tenth(&mut random, 2000, &reward))
}

#[test]
fn it_finds_a_hidden_point() {
    for seed in 0..3 {
        let target = target(seed);
        let (learnt, random) = compare(seed, |_| true, |point| Some(agreement(point, &target)));
        assert!(learnt >= 0.9 && random < 0.35, "seed {seed}: {learnt}, random {random}");
    }
}

#[test]
fn it_finds_a_hidden_point_among_illegal_ones() {
    for seed in 0..3 {
        let target = target(seed);
        let (learnt, random) = compare(seed, even, |point| Some(agreement(point, &target)));
        assert!(learnt >= 0.85 && random < 0.35, "seed {seed}: {learnt}, random {random}");
    }
}

#[test]
fn it_learns_pairs_of_choices_of_which_one_alone_is_worse_than_none() {
    for seed in 0..3 {
        let target = target(seed);
        let reward = |point: &[u16]| {
            let pair = |k: usize| match (point[k] == target[k], point[k + 7] == target[k + 7]) {
                (true, true) => 1.0,
                (false, false) => 0.3,
                _ => 0.0,
            };
            Some((0..7).map(pair).sum::<f64>() / 7.0)
        };
        let (learnt, random) = compare(seed, |_| true, reward);
        assert!(learnt >= 0.55 && random < 0.3, "seed {seed}: {learnt}, random {random}");
    }
}

#[test]
fn the_scale_of_the_rewards_and_failures_do_not_keep_it_from_learning() {
    for (scale, origin) in [(1e-3, 0.0), (1e3, -700.0), (1e-3, 5.0)] {
        let target = target(5);
        let settings = ReinforceSettings::default();
        let mut reinforce = Reinforce::new(settings, space(|_| true), 5, "test").unwrap();
        let mut last = Vec::new();
        for _ in 0..2000 {
            let point = reinforce.ask().unwrap();
            let agreement = agreement(&point, &target);
            // A third of all points fail: those that are wrong in a choice of three options.
            let failed = point[1] != target[1] && point[0] == 0;
            last.push(agreement);
            reinforce
                .tell(Feedback::reward((!failed).then_some(scale * agreement + origin)))
                .unwrap();
        }
        let mean = last[1800..].iter().sum::<f64>() / 200.0;
        assert!(mean >= 0.9, "rewards times {scale}: {mean}");
    }
}

#[test]
fn it_learns_what_is_legal() {
    // One combination in 32 is legal; no reward says which.
    let legal = |point: &[u16]| point[..5].iter().all(|&option| option == 1);
    let sizes = vec![2, 2, 2, 2, 2, 3];
    let space = SearchSpace::new(sizes, Arc::new(legal));
    let settings = ReinforceSettings::default();
    let mut reinforce = Reinforce::new(settings, space, 1, "test").unwrap();
    let share = |reinforce: &Reinforce| {
        let mut rng = rng::stream(2, "test", 0);
        let points = reinforce.policy.sample(1000, &mut rng);
        points.iter().filter(|point| legal(point)).count() as f64 / 1000.0
    };
    assert!(share(&reinforce) < 0.1);
    for _ in 0..800 {
        reinforce.ask().unwrap();
        reinforce.tell(Feedback::reward(Some(1.0))).unwrap();
    }
    assert!(share(&reinforce) > 0.8, "{}", share(&reinforce));
}

#[test]
fn rare_legal_points_are_found_by_drawing_uniformly() {
    let legal = |point: &[u16]| point[..8].iter().all(|&option| option == 1);
    let mut reinforce = Reinforce::new(small(), space(legal), 1, "test").unwrap();
    for _ in 0..30 {
        assert!(legal(&reinforce.ask().unwrap()));
        reinforce.tell(Feedback::reward(None)).unwrap();
    }
    let mut none = Reinforce::new(small(), space(|_| false), 1, "test").unwrap();
    assert!(matches!(none.ask(), Err(SearchError::NoLegalPoint(_))));
}

/// A reward that depends on everything told so far, so that any difference persists.
fn reward(point: &[u16], step: usize) -> Option<f64> {
    let sum: f64 = point.iter().enumerate().map(|(k, &x)| f64::from(x) * (k as f64).cos()).sum();
    (step % 7 != 3).then_some(sum + (step as f64).sin())
}

#[test]
fn a_state_saved_at_any_step_goes_on_identically() {
    let mut first = Reinforce::new(small(), space(even), 3, "test").unwrap();
    for step in 0..300 {
        let mut second = Reinforce::new(small(), space(even), 77, "other").unwrap();
        second.restore(&first.save().unwrap()).unwrap();
        let point = first.ask().unwrap();
        assert_eq!(second.ask().unwrap(), point, "step {step}");
        let mut third = Reinforce::new(small(), space(even), 78, "other").unwrap();
        third.restore(&first.save().unwrap()).unwrap();
        for controller in [&mut first, &mut second, &mut third] {
            controller.tell(Feedback::reward(reward(&point, step))).unwrap();
        }
        let state = first.save().unwrap();
        assert_eq!(second.save().unwrap(), state, "step {step}");
        assert_eq!(third.save().unwrap(), state, "step {step}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The points are those of plain turns, however far asking runs ahead of telling and wherever the state
    /// is saved and restored.
    #[test]
    fn the_points_depend_on_the_rewards_only(
        moves in prop::collection::vec((0..4_u8, prop::bool::weighted(0.1)), 600),
    ) {
        let mut plain = Reinforce::new(small(), space(even), 9, "test").unwrap();
        let mut other = Reinforce::new(small(), space(even), 9, "test").unwrap();
        let (mut asked, mut told) = (Vec::new(), 0);
        for (choice, interrupted) in moves {
            if interrupted {
                let state = other.save().unwrap();
                other = Reinforce::new(small(), space(even), 10, "test").unwrap();
                other.restore(&state).unwrap();
            }
            let may_ask = asked.len() < (told / 6 + 1) * 6;
            if may_ask && (choice > 1 || told == asked.len()) {
                asked.push(other.ask().unwrap());
            } else {
                let point: &Vec<u16> = &asked[told];
                prop_assert_eq!(&plain.ask().unwrap(), point);
                plain.tell(Feedback::reward(reward(point, told))).unwrap();
                other.tell(Feedback::reward(reward(point, told))).unwrap();
                told += 1;
            }
        }
    }

    /// No restored bytes cause a panic, and a refused state changes nothing.
    #[test]
    fn damaged_states_are_refused(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4),
        cut in any::<prop::sample::Index>(),
        truncated in any::<bool>(),
    ) {
        let mut controller = Reinforce::new(small(), space(even), 9, "test").unwrap();
        for step in 0..15 {
            let point = controller.ask().unwrap();
            controller.tell(Feedback::reward(reward(&point, step))).unwrap();
        }
        let before = controller.save().unwrap();
        let mut damaged = before.clone();
        for (at, bits) in flips {
            // The first half has what is not a weight: there a change is most likely to be seen.
            let at = at.index(damaged.len());
            damaged[at] ^= bits;
        }
        if truncated {
            damaged.truncate(cut.index(damaged.len()));
        }
        if controller.restore(&damaged).is_err() {
            prop_assert_eq!(controller.save().unwrap(), before);
        } else {
            let point = controller.ask().unwrap();
            prop_assert!(controller.space.accepts(&point));
        }
    }
}

#[test]
fn states_of_other_searches_are_refused() {
    let mut first = Reinforce::new(small(), space(even), 3, "test").unwrap();
    first.ask().unwrap();
    let state = first.save().unwrap();
    let refusal = |settings: ReinforceSettings, space: SearchSpace| {
        let mut other = Reinforce::new(settings, space, 3, "test").unwrap();
        match other.restore(&state) {
            Err(SearchError::State(text)) => text,
            other => panic!("{other:?}"),
        }
    };
    let text = refusal(ReinforceSettings { hidden: 9, ..small() }, space(even));
    assert!(text.contains("hidden: 8") && text.contains("hidden: 9"), "{text}");
    let mut fewer = space(even);
    fewer.sizes.pop();
    assert!(refusal(small(), fewer).contains("of choices with"));
    let text = refusal(small(), space(|point| !even(point)));
    assert!(text.contains("points that this search does not allow"), "{text}");
}

#[test]
fn use_out_of_turn_is_an_error_that_changes_nothing() {
    let mut reinforce = Reinforce::new(small(), space(even), 3, "test").unwrap();
    assert!(matches!(reinforce.tell(Feedback::reward(Some(1.0))), Err(SearchError::Turn(_))));
    let points: Vec<_> = (0..reinforce.batch()).map(|_| reinforce.ask().unwrap()).collect();
    let state = reinforce.save().unwrap();
    assert!(matches!(reinforce.ask(), Err(SearchError::Turn(_))));
    for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(matches!(
            reinforce.tell(Feedback::reward(Some(wrong))),
            Err(SearchError::Reward(_))
        ));
    }
    assert_eq!(reinforce.save().unwrap(), state);
    for (step, point) in points.iter().enumerate() {
        reinforce.tell(Feedback::reward(reward(point, step))).unwrap();
    }
    assert!(matches!(reinforce.tell(Feedback::reward(None)), Err(SearchError::Turn(_))));
    reinforce.ask().unwrap();
}

#[test]
fn rewards_of_any_size_and_choices_of_one_option_are_possible() {
    let space = SearchSpace::new(vec![1, 1, 3, 1], Arc::new(|_| true));
    let mut reinforce = Reinforce::new(small(), space, 3, "test").unwrap();
    for step in 0..60 {
        let point = reinforce.ask().unwrap();
        let size = [f64::MAX, -f64::MAX, 1e-300, 0.0, -1.0][step % 5];
        reinforce.tell(Feedback::reward(Some(size * f64::from(point[2]).min(1.0)))).unwrap();
    }
    assert!(reinforce.policy.weights().iter().flatten().all(|weight| weight.is_finite()));
}

/// Guards that the arithmetic is the same on every machine, as a run could not be resumed on another one
/// otherwise: these points and this state do not depend on the processor that the test runs on.
///
/// A change of the algorithm changes them; a difference between two machines is an error. The
/// settings are such that every function has its part, and the rewards are exact.
#[test]
fn a_session_is_the_same_to_the_last_bit_on_every_machine() {
    let settings = ReinforceSettings {
        hidden: 21,
        batch: 6,
        temperature: 0.9,
        tanh_constant: Some(2.5),
        ..Default::default()
    };
    let mut reinforce = Reinforce::new(settings, space(even), 12, "test").unwrap();
    let mut points = Vec::new();
    for step in 0..120 {
        let point = reinforce.ask().unwrap();
        let terms = point.iter().enumerate().map(|(k, &option)| (k + 3) * usize::from(option) % 8);
        let reward = terms.sum::<usize>() as f64 / 16.0;
        reinforce.tell(Feedback::reward((step % 7 != 3).then_some(reward))).unwrap();
        points.push(point.iter().map(u16::to_string).collect::<String>());
    }
    let hash = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
    let state = hash(&reinforce.save().unwrap());
    let recorded = [&points[..6], &points[114..]].concat();
    insta::assert_debug_snapshot!((recorded, hash(points.concat().as_bytes()), state), @r#"
    (
        [
            "02032111031024",
            "11323102410103",
            "11242120120231",
            "11331121041211",
            "02221122021102",
            "10142122020034",
            "12210110041214",
            "10001020431134",
            "12215122041230",
            "02114002021214",
            "01311012101232",
            "12021122351123",
        ],
        "a510da0a46565dc3ff5bc734270e9a1bc3c7f7e0b9b9b59ddea2356df688fbfd",
        "b00adb0cea8c3a26eba59dace4879f1fccbf5ce2118b0bf34bdb80eda5c4a8c1",
    )
    "#);
}

/// The environment variable that turns the test below into the program that it starts.
const CHILD: &str = "TANDEM_TEST_REINFORCE_STATE";

/// The number of threads changes nothing, nor would it if products were shared among threads: a width of 192
/// is beyond the size at which libraries begin to share them.
#[test]
fn the_number_of_threads_changes_nothing() {
    let run = || {
        let settings = ReinforceSettings { hidden: 192, batch: 32, ..Default::default() };
        let mut reinforce = Reinforce::new(settings, space(even), 4, "test").unwrap();
        for step in 0..96 {
            let point = reinforce.ask().unwrap();
            reinforce.tell(Feedback::reward(reward(&point, step))).unwrap();
        }
        blake3::hash(&reinforce.save().unwrap()).to_hex().to_string()
    };
    if std::env::var_os(CHILD).is_some() {
        println!("{CHILD}={}", run());
        return;
    }
    let name = "search::reinforce::controller::tests::the_number_of_threads_changes_nothing";
    let states: Vec<String> = ["1", "2", "5"]
        .into_iter()
        .map(|threads| {
            let output = std::process::Command::new(std::env::current_exe().unwrap())
                .args([name, "--exact", "--nocapture"])
                .env(CHILD, "1")
                .env("RAYON_NUM_THREADS", threads)
                .env("CANDLE_NUM_THREADS", threads)
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let state =
                text.split_once(&format!("{CHILD}=")).map(|(_, rest)| rest[..64].to_owned());
            state.unwrap_or_else(|| panic!("{threads} threads: {text}"))
        })
        .collect();
    assert!(states.iter().all(|state| *state == states[0]), "{states:?}");
}
