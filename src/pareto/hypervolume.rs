//! The volume that a frontier dominates.

use std::cmp::Ordering;

use super::dominance::dominance;

/// The exact volume dominated by cost vectors, up to a reference point.
///
/// Vectors that do not improve on the reference in every cost add nothing. The algorithm is the
/// exclusive-volume recursion of WFG (While, Bradstreet and Barone, IEEE Transactions on
/// Evolutionary Computation 16(1), 2012); its cost grows steeply past five objectives.
pub fn hypervolume(costs: &[Vec<f64>], reference: &[f64]) -> f64 {
    hypervolume_within(costs, reference, u64::MAX).unwrap_or(f64::NAN)
}

/// As [`hypervolume`], unless it takes more than so many vectors in all steps of the recursion.
pub fn hypervolume_within(costs: &[Vec<f64>], reference: &[f64], most: u64) -> Option<f64> {
    let inside = |c: &&Vec<f64>| c.iter().zip(reference).all(|(c, r)| c < r);
    let mut left = most;
    volume(non_dominated(costs.iter().filter(inside).cloned().collect()), reference, &mut left)
}

fn volume(mut front: Vec<Vec<f64>>, reference: &[f64], left: &mut u64) -> Option<f64> {
    *left = left.checked_sub(front.len() as u64)?;
    // Along the last cost each vector limits the ones after it as little as possible.
    front.sort_by(|a, b| compare(b, a));
    let mut total = 0.0;
    for (index, point) in front.iter().enumerate() {
        let own: f64 = point.iter().zip(reference).map(|(p, r)| r - p).product();
        let limited: Vec<Vec<f64>> = front[index + 1..]
            .iter()
            .map(|other| other.iter().zip(point).map(|(o, p)| o.max(*p)).collect())
            .collect();
        let shared =
            if limited.is_empty() { 0.0 } else { volume(non_dominated(limited), reference, left)? };
        total += own - shared;
    }
    Some(total)
}

fn compare(a: &[f64], b: &[f64]) -> Ordering {
    let pairs = a.iter().rev().zip(b.iter().rev());
    pairs.map(|(a, b)| a.total_cmp(b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

fn non_dominated(points: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let mut front: Vec<Vec<f64>> = Vec::new();
    for point in points {
        let beaten = |kept: &Vec<f64>| {
            matches!(dominance(kept, &point), Some(Ordering::Less | Ordering::Equal))
        };
        if !front.iter().any(beaten) {
            front.retain(|kept| dominance(&point, kept) != Some(Ordering::Less));
            front.push(point);
        }
    }
    front
}

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
        assert_eq!(hypervolume_within(&front, &[1.0, 1.0], 3), Some(0.75));
        assert_eq!(hypervolume_within(&front, &[1.0, 1.0], 2), None);
    }

    proptest! {
        /// On an integer grid the volume is the number of unit cubes with a vector below them.
        #[test]
        fn equals_counted_cubes(
            points in prop::collection::vec(prop::collection::vec(0u8..5, 3), 0..8)
        ) {
            let costs: Vec<Vec<f64>> =
                points.iter().map(|p| p.iter().map(|&v| f64::from(v)).collect()).collect();
            let mut cubes = 0;
            for x in 0..5u8 { for y in 0..5u8 { for z in 0..5u8 {
                let below = |p: &Vec<u8>| p[0] <= x && p[1] <= y && p[2] <= z;
                cubes += u32::from(points.iter().any(below));
            }}}
            prop_assert!((hypervolume(&costs, &[5.0; 3]) - f64::from(cubes)).abs() < 1e-9);
        }
    }
}
