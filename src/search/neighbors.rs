//! Points near a point.

use rand::Rng;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha12Rng;

use super::controller::SearchSpace;

/// The maximum number of options of one choice in a list of neighbors.
const MAX: usize = 32;

/// Changes one choice of a point; `None` if no choice can be changed.
///
/// The choice is drawn uniformly among those with two options or more. The option is drawn uniformly among
/// the others; for half the draws of an ordered choice, it is one of the adjacent options instead.
pub fn mutate(space: &SearchSpace, point: &[u16], rng: &mut ChaCha12Rng) -> Option<Vec<u16>> {
    let open: Vec<usize> = (0..point.len()).filter(|&choice| space.sizes[choice] > 1).collect();
    let &choice = open.get(rng.random_range(0..open.len().max(1)))?;
    let mut changed = point.to_vec();
    changed[choice] = other(space, choice, point[choice], rng);
    Some(changed)
}

/// Changes each choice of a point with probability `rate`, but at least one; `None` if no choice can be
/// changed.
pub fn mutate_each(
    space: &SearchSpace,
    point: &[u16],
    rate: f64,
    rng: &mut ChaCha12Rng,
) -> Option<Vec<u16>> {
    let mut changed = point.to_vec();
    for choice in 0..point.len() {
        if space.sizes[choice] > 1 && rng.random_bool(rate) {
            changed[choice] = other(space, choice, point[choice], rng);
        }
    }
    if changed == point { mutate(space, point, rng) } else { Some(changed) }
}

/// Draws another option of a choice with two options or more.
fn other(space: &SearchSpace, choice: usize, option: u16, rng: &mut ChaCha12Rng) -> u16 {
    let last = u16::try_from(space.sizes[choice] - 1).unwrap_or(u16::MAX);
    if space.ordered[choice] && rng.random_bool(0.5) {
        let up = option == 0 || option < last && rng.random_bool(0.5);
        return if up { option + 1 } else { option - 1 };
    }
    let drawn = rng.random_range(0..last);
    if drawn >= option { drawn + 1 } else { drawn }
}

/// Takes each choice from either of two points, with equal probability.
pub fn cross(a: &[u16], b: &[u16], rng: &mut ChaCha12Rng) -> Vec<u16> {
    a.iter().zip(b).map(|(&a, &b)| if rng.random_bool(0.5) { a } else { b }).collect()
}

/// All legal points with one choice changed, and with what follows from the change, in a random order. Of a
/// choice with many options these are the nearest 32 if they are ordered, else 32 that are drawn.
pub fn neighbors(space: &SearchSpace, point: &[u16], rng: &mut ChaCha12Rng) -> Vec<Vec<u16>> {
    let mut all = Vec::new();
    for (choice, &size) in space.sizes.iter().enumerate() {
        let own = point[choice];
        let last = u16::try_from(size - 1).unwrap_or(u16::MAX);
        let mut options: Vec<u16> = (0..=last).filter(|&option| option != own).collect();
        if options.len() > MAX {
            if space.ordered[choice] {
                options.sort_by_key(|&option| (option.abs_diff(own), option));
            } else {
                options.shuffle(rng);
            }
            options.truncate(MAX);
        }
        for option in options {
            let mut changed = point.to_vec();
            changed[choice] = option;
            (space.canonicalize)(&mut changed);
            if (space.legal)(&changed) {
                all.push(changed);
            }
        }
    }
    all.shuffle(rng);
    all
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::util::rng;

    #[test]
    fn neighbors_differ_in_one_choice_and_are_legal() {
        let space = SearchSpace::new(vec![3, 1, 4, 100], Arc::new(|point| point[0] != point[2]));
        let mut rng = rng::stream(0, "test", 0);
        let point = [0, 0, 1, 50];
        let all = neighbors(&space, &point, &mut rng);
        // Of the first choice 1 is illegal, of the third 0.
        assert_eq!(all.len(), 1 + 2 + 32);
        for other in &all {
            assert_eq!(other.iter().zip(&point).filter(|(a, b)| a != b).count(), 1);
            assert!(space.accepts(other));
        }
        let mut sorted = all.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), all.len());
    }

    #[test]
    fn a_mutation_changes_what_can_be_changed() {
        let mut space = SearchSpace::new(vec![1, 2, 9], Arc::new(|_| true));
        space.ordered[2] = true;
        let mut rng = rng::stream(1, "test", 0);
        let mut counts = [[0_u32; 9]; 3];
        for _ in 0..4_000 {
            let changed = mutate(&space, &[0, 1, 8], &mut rng).unwrap();
            assert!(space.fits(&changed));
            let choice = (0..3).find(|&choice| changed[choice] != [0, 1, 8][choice]).unwrap();
            counts[choice][usize::from(changed[choice])] += 1;
        }
        assert_eq!(counts[0], [0; 9]);
        assert!((1_800..2_200).contains(&counts[1][0]));
        // Of the third half go to the neighbor, and an eighth of the others too.
        assert!((1_000..1_250).contains(&counts[2][7]), "{counts:?}");
        assert_eq!(counts[2][8], 0);
        let fixed = SearchSpace::new(vec![1, 1], Arc::new(|_| true));
        assert_eq!(mutate(&fixed, &[0, 0], &mut rng), None);
    }
}
