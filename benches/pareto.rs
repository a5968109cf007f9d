//! The time to find a Pareto frontier and its hypervolume, compared with a frontier that compares each vector
//! with all members.
//!
//! `cargo bench --bench pareto`. Without optimization, comparisons that take minutes are skipped.

use std::time::Instant;

use tandem::pareto::{Frontier, dominates, hypervolume};

fn seconds(run: impl FnOnce()) -> f64 {
    let started = Instant::now();
    run();
    started.elapsed().as_secs_f64()
}

/// Returns a generator of pseudo-random numbers below 2^20 (splitmix64).
fn numbers(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) >> 44
    }
}

/// Returns vectors of whole costs with the same sum, so that none dominates another.
fn vectors(count: usize, width: usize) -> Vec<Vec<f64>> {
    let mut next = numbers(width as u64);
    let vector = |_| {
        let mut costs: Vec<f64> = (1..width).map(|_| next() as f64).collect();
        costs.push((width << 20) as f64 - costs.iter().sum::<f64>());
        costs
    };
    (0..count).map(vector).collect()
}

/// Counts the members of the frontier by comparing each vector with all members so far.
fn one_by_one(vectors: &[Vec<f64>]) -> usize {
    let mut members: Vec<&Vec<f64>> = Vec::new();
    for vector in vectors {
        if !members.iter().any(|known| *known == vector || dominates(known, vector)) {
            members.retain(|known| !dominates(vector, known));
            members.push(vector);
        }
    }
    members.len()
}

fn main() {
    for width in 2..=4 {
        for count in [6_000, 60_000] {
            let vectors = vectors(count, width);
            let mut frontier = Frontier::new();
            let indexed = seconds(|| {
                for vector in &vectors {
                    frontier.offer(vector.clone(), ());
                }
            });
            let members = frontier.len();
            let us = indexed * 1e6 / count as f64;
            print!("{width} costs, {members} members: {us:.2} us an offer");
            if count == 6_000 || !cfg!(debug_assertions) {
                let mut found = 0;
                let slow = seconds(|| found = one_by_one(&vectors));
                assert_eq!(found, members);
                print!(", {:.1} times faster than one by one ({slow:.2} s)", slow / indexed);
            }
            if width <= 3 {
                let reference = vec![(width << 20) as f64; width];
                let volume = seconds(|| assert!(hypervolume(&vectors, &reference) > 0.0));
                print!("; hypervolume {volume:.3} s");
            }
            println!();
        }
    }
}
