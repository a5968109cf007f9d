//! Predicates over the choices of a part, as decision trees.
//!
//! A predicate is any function of options, such as one of a script. It is evaluated when the part is built,
//! once for every combination of the options that it reads; its reads are recorded. The answers form a
//! decision tree, and the function is no longer needed: a rule is cheap to check, can be shared between
//! threads, and can be counted.

use std::collections::{BTreeSet, HashMap};

/// The maximum number of combinations for which a predicate is evaluated.
pub const MAX_QUESTIONS: usize = 1_000_000;

/// The options that a predicate reads in one call, by choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    read: Vec<(usize, u16)>,
}

impl Trail {
    /// Returns the option of a choice in this call, and records that it was read.
    pub fn option(&mut self, choice: usize) -> u16 {
        if let Some(&(_, option)) = self.read.iter().find(|(known, _)| *known == choice) {
            return option;
        }
        self.read.push((choice, 0));
        0
    }
}

/// Reasons that a predicate cannot become a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError<E> {
    /// The predicate failed.
    Failed(E),
    /// It distinguishes more than [`MAX_QUESTIONS`] combinations.
    TooLarge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Node {
    Answer(bool),
    Read { choice: usize, next: Vec<u32> },
}

/// A Boolean function of choices, as a decision tree.
///
/// A rule does not hold if it reads an undecided choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The nodes, all different.
    nodes: Vec<Node>,
    root: u32,
}

impl Rule {
    /// Evaluates a predicate for all combinations that it distinguishes.
    ///
    /// `sizes` are the numbers of options of the choices. The predicate reads options from the trail, and
    /// must be a pure function of them.
    ///
    /// # Errors
    /// Returns an error if the predicate fails, or if it distinguishes more than [`MAX_QUESTIONS`]
    /// combinations.
    pub fn of<E>(
        sizes: &[usize],
        mut predicate: impl FnMut(&mut Trail) -> Result<bool, E>,
    ) -> Result<Self, RuleError<E>> {
        let mut builder = Builder::default();
        // The nodes on the way to the current answer, with the children they have so far.
        let mut open: Vec<(usize, Vec<u32>)> = Vec::new();
        let mut trail = Trail::default();
        for _ in 0..MAX_QUESTIONS {
            let answer = predicate(&mut trail).map_err(RuleError::Failed)?;
            let new = trail.read.iter().skip(open.len());
            open.extend(new.map(|&(choice, _)| (choice, Vec::new())));
            let mut done = builder.node(Node::Answer(answer));
            loop {
                let Some((choice, mut next)) = open.pop() else {
                    return Ok(Self { nodes: builder.nodes, root: done });
                };
                next.push(done);
                if next.len() < sizes[choice] {
                    trail.read.truncate(open.len());
                    // A choice has at most 65,536 options.
                    trail.read.push((choice, next.len() as u16));
                    open.push((choice, next));
                    break;
                }
                done = builder.close(choice, next);
            }
        }
        Err(RuleError::TooLarge)
    }

    /// Returns true if the rule holds for the options that `option` gives; `None` is an undecided choice.
    pub fn holds(&self, option: impl Fn(usize) -> Option<u16>) -> bool {
        let mut at = self.root;
        loop {
            match &self.nodes[at as usize] {
                Node::Answer(answer) => return *answer,
                Node::Read { choice, next } => match option(*choice) {
                    None => return false,
                    Some(option) => at = next[usize::from(option)],
                },
            }
        }
    }

    /// The choices that the answer depends on.
    pub fn reads(&self) -> BTreeSet<usize> {
        self.questions().map(|(choice, _)| choice).collect()
    }

    /// The same rule, with its choices moved behind `by` others.
    #[must_use]
    pub(super) fn behind(&self, by: usize) -> Self {
        let mut moved = self.clone();
        for node in &mut moved.nodes {
            if let Node::Read { choice, .. } = node {
                *choice += by;
            }
        }
        moved
    }

    /// The decision nodes: the choice that each reads, and the successor for each of its options. Equal
    /// numbers mean equal successors.
    pub(super) fn questions(&self) -> impl Iterator<Item = (usize, &[u32])> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Answer(_) => None,
            Node::Read { choice, next } => Some((*choice, next.as_slice())),
        })
    }
}

/// Builder of a tree without duplicate nodes.
#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    known: HashMap<Node, u32>,
}

impl Builder {
    fn node(&mut self, node: Node) -> u32 {
        // There are fewer nodes than questions.
        let next = self.nodes.len() as u32;
        let index = *self.known.entry(node.clone()).or_insert(next);
        if index == next {
            self.nodes.push(node);
        }
        index
    }

    /// Adds a node with known children, or returns its child if all of them are the answer no.
    ///
    /// A node whose children are all yes remains, as it means no for an undecided choice.
    fn close(&mut self, choice: usize, next: Vec<u32>) -> u32 {
        let no = self.known.get(&Node::Answer(false)).copied();
        match next.first() {
            Some(&first) if Some(first) == no && next.iter().all(|&child| child == first) => first,
            _ => self.node(Node::Read { choice, next }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn only_what_is_read_is_asked() {
        let mut asked = Vec::new();
        let rule = Rule::of(&[2, 100, 3], |trail| {
            let first = trail.option(0);
            let answer = first == 1 && trail.option(2) >= 1;
            asked.push(trail.clone());
            Ok::<_, Infallible>(answer)
        })
        .unwrap();
        assert_eq!(asked.len(), 1 + 3);
        assert_eq!(rule.reads(), BTreeSet::from([0, 2]));
        let holds = |first, third| rule.holds(|choice| [Some(first), None, third][choice]);
        assert_eq!([holds(0, Some(2)), holds(1, Some(0)), holds(1, Some(2))], [false, false, true]);
        assert!(!holds(1, None));
    }

    #[test]
    fn questions_without_an_influence_are_forgotten() {
        let never =
            Rule::of(&[5, 5], |trail| Ok::<_, Infallible>(trail.option(1) + trail.option(0) > 10))
                .unwrap();
        assert_eq!(never.reads(), BTreeSet::new());
        let always = Rule::of(&[5], |trail| Ok::<_, Infallible>(trail.option(0) < 10)).unwrap();
        assert!(always.holds(|_| Some(3)));
        assert!(!always.holds(|_| None));
    }

    #[test]
    fn failures_and_excess_are_errors() {
        let failed =
            Rule::of(&[2], |trail| if trail.option(0) == 1 { Err("no") } else { Ok(true) });
        assert_eq!(failed, Err(RuleError::Failed("no")));
        let large = Rule::of(&[1_001, 1_000], |trail| {
            Ok::<_, Infallible>(trail.option(0) > trail.option(1))
        });
        assert_eq!(large, Err(RuleError::TooLarge));
    }
}
