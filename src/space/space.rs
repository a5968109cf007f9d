//! A space: named parts, their choices, and points.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{Choice, Domain, Illegal};

/// One option for each choice of a space, by index, in the order of [`Space::choices`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Point(pub Vec<u16>);

/// A named part of a space.
#[derive(Clone, Debug)]
pub struct Part {
    /// The name that scripts and results use (`cnn`, `hw`).
    pub name: String,
    /// Its choices and their legal combinations.
    pub domain: Arc<dyn Domain>,
}

/// Errors of a space: unsuitable parts, an unknown part, or a failed draw.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    /// A space without parts.
    #[error("the space has no parts")]
    Empty,
    /// A part without a legal combination.
    #[error("part `{part}` of the space has nothing to choose from")]
    EmptyPart {
        /// The part's name.
        part: String,
    },
    /// A choice with no options.
    #[error("choice `{choice}` of part `{part}` has no options")]
    EmptyChoice {
        /// The part's name.
        part: String,
        /// The choice's name.
        choice: String,
    },
    /// A choice with more options than a point can index.
    #[error(
        "choice `{choice}` of part `{part}` has {options} options; at most 65,536 can be told apart"
    )]
    TooManyOptions {
        /// The part's name.
        part: String,
        /// The choice's name.
        choice: String,
        /// The number of its options.
        options: usize,
    },
    /// A part whose legal combinations are too rare to be found by drawing.
    #[error("no legal combination of part `{part}` among a million draws")]
    Rare {
        /// The part's name.
        part: String,
    },
    /// A part that the space does not have.
    #[error("the space has no part `{part}`; its parts are {parts}")]
    NoPart {
        /// The requested name.
        part: String,
        /// The names of the space's parts.
        parts: String,
    },
}

/// The choices of an experiment: named parts in ascending order of their names.
#[derive(Clone, Debug)]
pub struct Space {
    parts: Vec<Part>,
    ranges: Vec<Range<usize>>,
}

impl Space {
    /// Creates a space of named parts.
    ///
    /// # Errors
    /// Returns an error without parts, for a part or a choice without options, and for a choice with more
    /// than 65,536.
    pub fn new(mut parts: Vec<Part>) -> Result<Self, SpaceError> {
        if parts.is_empty() {
            return Err(SpaceError::Empty);
        }
        parts.sort_by(|a, b| a.name.cmp(&b.name));
        let mut ranges = Vec::with_capacity(parts.len());
        let mut start = 0;
        for part in &parts {
            for choice in part.domain.choices() {
                let (name, options) = (choice.name.clone(), choice.options.len());
                if options == 0 {
                    return Err(SpaceError::EmptyChoice { part: part.name.clone(), choice: name });
                }
                if options > usize::from(u16::MAX) + 1 {
                    let part = part.name.clone();
                    return Err(SpaceError::TooManyOptions { part, choice: name, options });
                }
            }
            let choices = part.domain.choices().len();
            if choices == 0 || part.domain.count() == 0 {
                return Err(SpaceError::EmptyPart { part: part.name.clone() });
            }
            ranges.push(start..start + choices);
            start += choices;
        }
        Ok(Self { parts, ranges })
    }

    /// The parts, in ascending order of their names.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// All choices, part after part.
    pub fn choices(&self) -> impl Iterator<Item = (&Part, &Choice)> {
        self.parts.iter().flat_map(|part| part.domain.choices().iter().map(move |c| (part, c)))
    }

    /// The exact number of distinct legal points; `None` from 2^128 on.
    pub fn count(&self) -> Option<u128> {
        self.parts.iter().try_fold(1u128, |product, part| product.checked_mul(part.domain.count()))
    }

    /// Returns a point by its index, with the last part changing fastest; `None` from [`Space::count`] on.
    ///
    /// Each distinct legal point has one index.
    pub fn nth(&self, number: u128) -> Option<Point> {
        let mut rest = number;
        let mut point = self.zero_point();
        for (part, range) in self.parts.iter().zip(&self.ranges).rev() {
            let count = part.domain.count();
            point.0[range.clone()].copy_from_slice(&part.domain.nth(rest % count)?);
            rest /= count;
        }
        (rest == 0).then_some(point)
    }

    /// The point with the first option of every choice, which need not be legal.
    pub fn zero_point(&self) -> Point {
        Point(vec![0; self.choices().count()])
    }

    /// The options of one part of a point.
    pub fn options<'p>(&self, point: &'p Point, part: usize) -> &'p [u16] {
        &point.0[self.ranges[part].clone()]
    }

    /// Checks that a point is legal.
    ///
    /// # Errors
    /// Returns the reason for a wrong number of options, an option that a choice does not have, or a
    /// combination that is not legal in its part.
    pub fn check(&self, point: &Point) -> Result<(), Illegal> {
        let choices = self.ranges.last().map_or(0, |range| range.end);
        if point.0.len() != choices {
            let given = point.0.len();
            return Err(Illegal(format!("{given} options given for {choices} choices")));
        }
        for ((part, choice), &option) in self.choices().zip(&point.0) {
            if usize::from(option) >= choice.options.len() {
                return Err(Illegal(format!(
                    "choice `{}` of part `{}` has no option {option}",
                    choice.name, part.name
                )));
            }
        }
        for (index, part) in self.parts.iter().enumerate() {
            part.domain
                .check(self.options(point, index))
                .map_err(|illegal| Illegal(format!("part `{}`: {illegal}", part.name)))?;
        }
        Ok(())
    }

    /// The index of a part.
    ///
    /// # Errors
    /// Returns an error if the space has no part of that name.
    pub fn part(&self, name: &str) -> Result<usize, SpaceError> {
        self.parts.iter().position(|part| part.name == name).ok_or_else(|| SpaceError::NoPart {
            part: name.to_owned(),
            parts: self
                .parts
                .iter()
                .map(|p| format!("`{}`", p.name))
                .collect::<Vec<_>>()
                .join(", "),
        })
    }

    /// The canonical texts of a legal point, one for each part in order.
    pub fn texts(&self, point: &Point) -> Vec<String> {
        (0..self.parts.len())
            .map(|index| self.parts[index].domain.canonical(self.options(point, index)))
            .collect()
    }

    /// A point with the options of one part replaced.
    ///
    /// `options` must have an option for each choice of the part.
    #[must_use]
    pub fn with(&self, point: &Point, part: usize, options: &[u16]) -> Point {
        let mut point = point.clone();
        point.0[self.ranges[part].clone()].copy_from_slice(options);
        point
    }

    /// Draws a legal point uniformly.
    ///
    /// Parts are drawn independently, as no rule spans parts.
    ///
    /// # Errors
    /// Returns an error if a million draws find no legal combination of a part.
    pub fn draw(&self, rng: &mut impl Rng) -> Result<Point, SpaceError> {
        draw(self.parts.iter(), rng).map(Point)
    }

    /// Sets each choice to the only option that the others leave to it; see [`Domain::canonicalize`].
    ///
    /// The point must have an existing option for each choice.
    pub fn canonicalize(&self, point: &mut Point) {
        for (part, range) in self.parts.iter().zip(&self.ranges) {
            part.domain.canonicalize(&mut point.0[range.clone()]);
        }
    }

    /// The subspace of the named parts; the other parts keep their options in `held`.
    ///
    /// # Errors
    /// Returns an error for a name that the space does not have, and without names.
    pub fn subspace(&self, searched: &[String], held: &Point) -> Result<Subspace, SpaceError> {
        let mut parts =
            searched.iter().map(|name| self.part(name)).collect::<Result<Vec<_>, _>>()?;
        parts.sort_unstable();
        parts.dedup();
        if parts.is_empty() {
            return Err(SpaceError::Empty);
        }
        Ok(Subspace { space: Arc::new(self.clone()), parts, held: held.clone() })
    }
}

/// Draws the options of parts, one part after another.
fn draw<'p>(
    parts: impl Iterator<Item = &'p Part>,
    rng: &mut impl Rng,
) -> Result<Vec<u16>, SpaceError> {
    let mut options = Vec::new();
    for part in parts {
        let drawn = part.domain.draw(rng);
        options.extend(drawn.ok_or_else(|| SpaceError::Rare { part: part.name.clone() })?);
    }
    Ok(options)
}

/// The searched parts of a space; the other parts keep the options of one point.
#[derive(Clone)]
pub struct Subspace {
    space: Arc<Space>,
    parts: Vec<usize>,
    held: Point,
}

impl fmt::Debug for Subspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subspace").field("parts", &self.parts).field("held", &self.held).finish()
    }
}

impl Subspace {
    /// The number of options of each searched choice, in order.
    pub fn sizes(&self) -> Vec<usize> {
        self.searched().flat_map(|part| part.domain.choices()).map(|c| c.options.len()).collect()
    }

    /// The canonical text of each searched part, for legal options.
    pub fn texts<'v>(&'v self, options: &'v [u16]) -> impl Iterator<Item = String> + 'v {
        let mut rest = options;
        self.searched().map(move |part| {
            let (head, tail) = rest.split_at(part.domain.choices().len());
            rest = tail;
            part.domain.canonical(head)
        })
    }

    /// The value of [`Choice::ordered`] for each searched choice, in order.
    pub fn ordered(&self) -> Vec<bool> {
        self.searched().flat_map(|part| part.domain.choices()).map(|c| c.ordered).collect()
    }

    /// Sets each searched choice to the only option that the others leave to it; see
    /// [`Domain::canonicalize`].
    ///
    /// The result is legal unless a rule forbids it. Every option must exist.
    pub fn canonicalize(&self, options: &mut [u16]) {
        let mut rest = options;
        for part in self.searched() {
            let (head, tail) = rest.split_at_mut(part.domain.choices().len());
            part.domain.canonicalize(head);
            rest = tail;
        }
    }

    /// Draws a legal combination of the searched options uniformly.
    ///
    /// # Errors
    /// Returns an error if a million draws find no legal combination of a part.
    pub fn draw(&self, rng: &mut impl Rng) -> Result<Vec<u16>, SpaceError> {
        draw(self.searched(), rng)
    }

    /// Returns true if a combination of the searched options is legal.
    pub fn is_legal(&self, options: &[u16]) -> bool {
        let mut rest = options;
        for part in self.searched() {
            let Some((head, tail)) = rest.split_at_checked(part.domain.choices().len()) else {
                return false;
            };
            if part.domain.check(head).is_err() {
                return false;
            }
            rest = tail;
        }
        rest.is_empty()
    }

    /// The point with the given searched options and the held ones.
    pub fn point(&self, options: &[u16]) -> Point {
        let mut point = self.held.clone();
        let mut rest = options;
        for &part in &self.parts {
            let range = self.space.ranges[part].clone();
            let (head, tail) = rest.split_at(range.len());
            point.0[range].copy_from_slice(head);
            rest = tail;
        }
        point
    }

    fn searched(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().map(|&part| &self.space.parts[part])
    }
}
