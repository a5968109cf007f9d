//! Labelings of vertices up to the symmetries of their graph, by index.
//!
//! A labeling is a partition of the vertices into blocks of equal label, with distinct labels for its blocks.
//! Symmetries map partitions to each other; the smallest represents them. The symmetries that preserve a
//! partition permute its blocks, and only the identity leaves distinct labels unchanged. So a class of
//! labellings is a partition, a set of labels, and one of b! / h classes of assignments of b labels to b
//! blocks, for h permutations of blocks.

use std::collections::BTreeSet;

/// The block of each vertex; blocks are numbered in the order of their first vertices.
type Partition = Vec<usize>;

/// Returns a labeling by the index of its class under the symmetries; `None` past the last.
///
/// A symmetry is the old vertex at each new place.
pub(super) fn nth_labeling(
    symmetries: &[Vec<usize>],
    vertices: usize,
    labels: u16,
    number: u128,
) -> Option<Vec<u16>> {
    if let [_] = symmetries {
        return nth_of_all(vertices, labels, number);
    }
    let mut rest = number;
    for partition in partitions(vertices) {
        let Some(permutations) = of_blocks(&partition, symmetries) else { continue };
        let blocks = partition.iter().max().map_or(0, |last| last + 1);
        let orders = factorial(blocks) / permutations.len() as u128;
        let count = choose(labels.into(), blocks) * orders;
        if rest >= count {
            rest -= count;
            continue;
        }
        let set = nth_set(labels.into(), blocks, rest / orders);
        let order = nth_order(blocks, &permutations, rest % orders)?;
        return Some(partition.iter().map(|&block| set[order[block]] as u16).collect());
    }
    None
}

/// Returns a labeling by its index without symmetries; the last vertex changes fastest.
fn nth_of_all(vertices: usize, labels: u16, number: u128) -> Option<Vec<u16>> {
    let labels = u128::from(labels);
    let place = |vertex: usize| labels.pow((vertices - 1 - vertex) as u32);
    (number < labels.pow(vertices as u32))
        .then(|| (0..vertices).map(|vertex| (number / place(vertex) % labels) as u16).collect())
}

/// All partitions of some vertices.
fn partitions(vertices: usize) -> Vec<Partition> {
    let mut all: Vec<Partition> = vec![Vec::new()];
    for _ in 0..vertices {
        let with_one_more = |partition: Partition| {
            let blocks = partition.iter().max().map_or(0, |last| last + 1);
            (0..=blocks).map(move |block| [partition.as_slice(), &[block]].concat())
        };
        all = all.into_iter().flat_map(with_one_more).collect();
    }
    all
}

/// The permutations of a partition's blocks by the symmetries that preserve it; `None` if a symmetry maps it
/// to a smaller partition.
fn of_blocks(partition: &Partition, symmetries: &[Vec<usize>]) -> Option<BTreeSet<Vec<usize>>> {
    let mut permutations = BTreeSet::new();
    for symmetry in symmetries {
        let mapped: Vec<usize> = symmetry.iter().map(|&vertex| partition[vertex]).collect();
        let mut met: Vec<usize> = Vec::new();
        let numbered = mapped.iter().map(|block| {
            met.iter().position(|known| known == block).unwrap_or_else(|| {
                met.push(*block);
                met.len() - 1
            })
        });
        let numbered: Partition = numbered.collect();
        match numbered.cmp(partition) {
            std::cmp::Ordering::Less => return None,
            std::cmp::Ordering::Equal => drop(permutations.insert(met)),
            std::cmp::Ordering::Greater => {}
        }
    }
    Some(permutations)
}

/// Returns an order of blocks by its index among those that no permutation of blocks maps to a smaller one.
fn nth_order(
    blocks: usize,
    permutations: &BTreeSet<Vec<usize>>,
    number: u128,
) -> Option<Vec<usize>> {
    let is_least = |order: &Vec<usize>| {
        permutations
            .iter()
            .all(|permutation| order.iter().le(permutation.iter().map(|&block| &order[block])))
    };
    (0..factorial(blocks)).map(|n| nth_permutation(blocks, n)).filter(is_least).nth(number as usize)
}

/// Returns a permutation by its index, decoded as a Lehmer code.
fn nth_permutation(length: usize, number: u128) -> Vec<usize> {
    let mut left: Vec<usize> = (0..length).collect();
    let mut rest = number;
    (0..length)
        .map(|place| {
            let others = factorial(length - 1 - place);
            let next = left.remove((rest / others) as usize);
            rest %= others;
            next
        })
        .collect()
}

/// Returns a set of `size` numbers below `of` by its index, ascending.
fn nth_set(of: usize, size: usize, number: u128) -> Vec<usize> {
    let mut set = Vec::with_capacity(size);
    let (mut rest, mut least) = (number, 0);
    while set.len() < size {
        // Those sets that have the least number that is left.
        let with = choose(of - least - 1, size - set.len() - 1);
        if rest < with {
            set.push(least);
        } else {
            rest -= with;
        }
        least += 1;
    }
    set
}

fn factorial(number: usize) -> u128 {
    (1..=number as u128).product()
}

/// The binomial coefficient: the number of sets of `size` among `of`.
fn choose(of: usize, size: usize) -> u128 {
    if size > of {
        return 0;
    }
    (0..size as u128).fold(1, |ways, place| ways * (of as u128 - place) / (place + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All permutations of some vertices.
    fn all(vertices: usize) -> Vec<Vec<usize>> {
        (0..factorial(vertices)).map(|number| nth_permutation(vertices, number)).collect()
    }

    /// The smallest labeling to which symmetries map the given one.
    fn least(labeling: &[u16], symmetries: &[Vec<usize>]) -> Vec<u16> {
        let mapped = |order: &Vec<usize>| order.iter().map(|&v| labeling[v]).collect::<Vec<u16>>();
        symmetries.iter().map(mapped).min().unwrap()
    }

    #[test]
    fn one_of_each_class_has_a_number() {
        let groups: Vec<(usize, Vec<Vec<usize>>)> = vec![
            (3, vec![vec![0, 1, 2]]),
            (3, all(3)),
            (4, all(4)),
            (4, vec![vec![0, 1, 2, 3], vec![1, 0, 2, 3]]),
            (4, vec![vec![0, 1, 2, 3], vec![1, 0, 3, 2]]),
            (4, vec![vec![0, 1, 2, 3], vec![1, 2, 3, 0], vec![2, 3, 0, 1], vec![3, 0, 1, 2]]),
            (5, vec![vec![0, 1, 2, 3, 4], vec![1, 0, 3, 2, 4]]),
        ];
        for (vertices, symmetries) in groups {
            for labels in 1..=4_u16 {
                let labellings = (0..).map_while(|n| nth_of_all(vertices, labels, n));
                let classes: BTreeSet<Vec<u16>> =
                    labellings.map(|labeling| least(&labeling, &symmetries)).collect();
                let numbered = |n| nth_labeling(&symmetries, vertices, labels, n);
                let found: Vec<Vec<u16>> =
                    (0..).map_while(numbered).map(|l| least(&l, &symmetries)).collect();
                assert_eq!(found.len(), classes.len(), "{vertices} {symmetries:?} {labels}");
                assert_eq!(BTreeSet::from_iter(found), classes);
            }
        }
    }

    #[test]
    fn many_labels_take_no_time() {
        let symmetries = all(6);
        let labels = 10_000_u16;
        let classes = choose(usize::from(labels) + 5, 6);
        let last = nth_labeling(&symmetries, 6, labels, classes - 1).unwrap();
        assert_eq!(BTreeSet::from_iter(last).len(), 6);
        assert_eq!(nth_labeling(&symmetries, 6, labels, classes), None);
    }
}
