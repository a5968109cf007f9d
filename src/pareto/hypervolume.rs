//! The hypervolume of a frontier.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::dominance::compare_cost;
use super::frontier::Frontier;

/// The number of costs up to which a sweep along the last of them gives the volume.
const SWEPT: usize = 3;

/// The exact hypervolume: the volume that cost vectors dominate, bounded by a reference point.
///
/// Vectors that do not improve on the reference in every cost add nothing. Up to three costs take O(n log n)
/// time, by a sweep along the last cost over the staircase of the others (Fonseca, Paquete and López-Ibáñez,
/// IEEE Congress on Evolutionary Computation, 2006). More costs are reduced to three by the exclusive-volume
/// recursion of WFG (While, Bradstreet and Barone, IEEE Transactions on Evolutionary Computation 16(1),
/// 2012); its cost grows steeply past five objectives.
pub fn hypervolume(costs: &[Vec<f64>], reference: &[f64]) -> f64 {
    hypervolume_within(costs, reference, u64::MAX).unwrap_or(f64::NAN)
}

/// Computes [`hypervolume`] within a budget; `None` if all steps of the recursion together take more than
/// `most` vectors.
pub fn hypervolume_within(costs: &[Vec<f64>], reference: &[f64], most: u64) -> Option<f64> {
    let inside = |c: &&Vec<f64>| c.iter().zip(reference).all(|(c, r)| c < r);
    let mut left = most;
    volume(costs.iter().filter(inside).cloned().collect(), reference, &mut left)
}

fn volume(points: Vec<Vec<f64>>, reference: &[f64], left: &mut u64) -> Option<f64> {
    *left = left.checked_sub(points.len() as u64)?;
    let (&end, others) = match reference.split_last() {
        Some(parts) if reference.len() > SWEPT => parts,
        _ => return Some(swept(&points, reference)),
    };
    let mut frontier = Frontier::new();
    for point in points {
        frontier.offer(point, ());
    }
    let mut front: Vec<Vec<f64>> = frontier.into_members().map(|(point, ())| point).collect();
    front.sort_by(|a, b| compare_from_last(b, a));
    let mut total = 0.0;
    for (index, point) in front.iter().enumerate() {
        // The vectors behind reach as far along the last cost, so it is a factor of what they share.
        let own: f64 = point.iter().zip(others).map(|(p, r)| r - p).product();
        let behind = &front[index + 1..];
        let limit = |other: &Vec<f64>| -> Vec<f64> {
            let pairs = other.iter().zip(point).take(others.len());
            pairs.map(|(o, p)| o.max(*p)).collect()
        };
        let shared = volume(behind.iter().map(limit).collect(), others, left)?;
        total += (end - point[others.len()]) * (own - shared);
    }
    Some(total)
}

fn compare_from_last(a: &[f64], b: &[f64]) -> Ordering {
    let mut orders = a.iter().rev().zip(b.iter().rev()).map(|(&a, &b)| compare_cost(a, b));
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// The volume of at most three costs.
fn swept(points: &[Vec<f64>], reference: &[f64]) -> f64 {
    // Missing costs are from 0 to 1.
    let at =
        |costs: &[f64], place: usize, missing: f64| costs.get(place).copied().unwrap_or(missing);
    let ends: [f64; SWEPT] = std::array::from_fn(|place| at(reference, place, 1.0));
    let all = points.iter().map(|point| std::array::from_fn(|place| at(point, place, 0.0)));
    let mut points: Vec<[f64; SWEPT]> = all.collect();
    // A vector comes before those it dominates, which then add nothing, not even rounding.
    points.sort_by(|a, b| compare_from_last(a, b));
    let mut stairs = Stairs { steps: BTreeMap::new(), ends: [ends[0], ends[1]], area: 0.0 };
    let (mut total, mut reached) = (0.0, 0.0);
    for &[x, y, z] in &points {
        let Some(above) = stairs.above(x, y) else { continue };
        if stairs.area > 0.0 {
            total += stairs.area * (z - reached);
        }
        reached = z;
        stairs.add(x, y, above);
    }
    total + stairs.area * (ends[2] - reached)
}

/// The area that points with two costs dominate.
struct Stairs {
    /// The second cost of each non-dominated point, by its first cost: as the first rises, the second falls.
    steps: BTreeMap<Cost, f64>,
    ends: [f64; 2],
    area: f64,
}

impl Stairs {
    /// The second cost of the step above a point; `None` if the point is dominated, so that it adds no area.
    fn above(&self, x: f64, y: f64) -> Option<f64> {
        let step = self.steps.range(..=Cost(x)).next_back();
        Some(step.map_or(self.ends[1], |step| *step.1)).filter(|above| *above > y)
    }

    /// Adds a point below a step: one strip of area for each step that it beats, and one up to the next step.
    fn add(&mut self, x: f64, y: f64, mut above: f64) {
        let mut from = x;
        loop {
            let next = self.steps.range(Cost(x)..).next().map(|(x, y)| (x.0, *y));
            let to = next.map_or(self.ends[0], |next| next.0);
            self.area += (to - from) * (above - y);
            match next {
                Some((_, below)) if below >= y => above = below,
                _ => break,
            }
            self.steps.remove(&Cost(to));
            from = to;
        }
        self.steps.insert(Cost(x), y);
    }
}

/// A cost with a total order.
#[derive(Clone, Copy)]
struct Cost(f64);

impl Ord for Cost {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_cost(self.0, other.0)
    }
}

impl PartialOrd for Cost {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Cost {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Cost {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_overlaps_once() {
        let front = [vec![0.0, 0.5], vec![0.5, 0.0]];
        assert!((hypervolume(&front, &[1.0, 1.0]) - 0.75).abs() < 1e-12);
        assert_eq!(hypervolume(&[vec![1.0, 0.0]], &[1.0, 1.0]), 0.0);
        assert_eq!(hypervolume(&[], &[1.0, 1.0]), 0.0);
        assert_eq!((hypervolume(&[vec![]], &[]), hypervolume(&[], &[])), (1.0, 0.0));
        assert_eq!(hypervolume_within(&front, &[1.0, 1.0], 2), Some(0.75));
        assert_eq!(hypervolume_within(&front, &[1.0, 1.0], 1), None);
        // Two vectors, and the second within the limits of the first.
        let front = front.map(|costs| [costs, vec![0.0, 0.0]].concat());
        assert_eq!(hypervolume_within(&front, &[1.0; 4], 3), Some(0.75));
        assert_eq!(hypervolume_within(&front, &[1.0; 4], 2), None);
    }

    #[test]
    fn neither_the_order_nor_dominated_vectors_change_a_bit() {
        let mut front: Vec<Vec<f64>> = Vec::new();
        for at in 0..400_u32 {
            let cost = |factor: u32| f64::from(at * factor % 401) / 401.0;
            front.push(vec![cost(7), cost(30), cost(101)]);
        }
        let mut frontier = Frontier::new();
        for costs in front.iter().rev() {
            frontier.offer(costs.clone(), ());
        }
        let members: Vec<Vec<f64>> = frontier.into_members().map(|(costs, ())| costs).collect();
        assert!(members.len() < front.len());
        for costs in 1..=3 {
            let of = |all: &[Vec<f64>]| {
                let all: Vec<Vec<f64>> = all.iter().map(|c| c[..costs].to_vec()).collect();
                hypervolume(&all, &[0.9; 3][..costs]).to_bits()
            };
            let (forth, mut back) = (of(&front), front.clone());
            back.reverse();
            assert_eq!(of(&back), forth);
            if costs == 3 {
                assert_eq!(of(&members), forth);
            }
        }
    }

    proptest! {
        /// On an integer grid the volume is the number of unit cubes with a vector below them.
        #[test]
        fn equals_counted_cubes(
            points in prop::collection::vec(prop::collection::vec(0u8..5, 5), 0..12)
        ) {
            for width in 1..=5 {
                let costs: Vec<Vec<f64>> =
                    points.iter().map(|p| p[..width].iter().map(|&v| f64::from(v)).collect()).collect();
                let cubes = (0..5_u32.pow(width as u32)).filter(|cube| {
                    let at = |place: usize| (cube / 5_u32.pow(place as u32) % 5) as u8;
                    points.iter().any(|p| p[..width].iter().enumerate().all(|(i, &v)| v <= at(i)))
                });
                let volume = hypervolume(&costs, &vec![5.0; width]);
                prop_assert!((volume - cubes.count() as f64).abs() < 1e-9);
            }
        }
    }
}
