//! Predicates over the choices of a part, as decision trees.
//!
//! A predicate is a function that someone else wrote. It is asked once, when the part is made, for
//! every combination of the options that it reads, and only for those: what it reads is observed.
//! The answers form a tree, and the function is not needed any more: a rule is cheap to check,
//! can be shared between threads, and can be counted.

use std::collections::{BTreeSet, HashMap};

/// The most combinations that one predicate is asked for.
pub const MAX_QUESTIONS: usize = 1_000_000;

/// What a predicate reads in one call: choices and the options that they have in this call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    read: Vec<(usize, u16)>,
}

impl Trail {
    /// The option that a choice has in this call.
    pub fn option(&mut self, choice: usize) -> u16 {
        if let Some(&(_, option)) = self.read.iter().find(|(known, _)| *known == choice) {
            return option;
        }
        self.read.push((choice, 0));
        0
    }
}

/// A predicate that cannot be made a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError<E> {
    /// The predicate failed.
    Failed(E),
    /// It tells more than [`MAX_QUESTIONS`] combinations apart.
    TooLarge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Node {
    Answer(bool),
    Read { choice: usize, next: Vec<u32> },
}

/// A yes or no for every combination of some choices.
///
/// A rule speaks of choices that are decided: it does not hold where it reads one that is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// No two of them are equal.
    nodes: Vec<Node>,
    root: u32,
}

impl Rule {
    /// Asks a predicate for everything that it can tell apart.
    ///
    /// `sizes` are the numbers of options of the choices; the predicate reads options from the
    /// trail that it is given, and must answer the same whenever it reads the same.
    ///
    /// # Errors
    /// The predicate fails, or it tells too many combinations apart.
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

    /// Whether the rule holds where choices have the given options, or are not decided.
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

    /// The same rule over choices that come after `by` others.
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

    /// For every place where the rule reads a choice, what follows from each of its options: equal
    /// numbers where the same follows.
    pub(super) fn questions(&self) -> impl Iterator<Item = (usize, &[u32])> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Answer(_) => None,
            Node::Read { choice, next } => Some((*choice, next.as_slice())),
        })
    }
}

/// Nodes, each made once.
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

    /// A node all of whose children are known. One that says no whatever is read says no.
    ///
    /// One that always says yes stays: it says no where the choice is not decided.
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
