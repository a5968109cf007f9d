//! The names that expressions may mention.

use std::ops::ControlFlow;

use super::scan::scan;
use super::selection::Subject;
use crate::query::{Expression, Known};
use crate::store::{Reader, StoreError, Stretch};

/// Collects the names that expressions may mention of some runs; all names if there are no expressions.
///
/// The first and last stretches of the runs almost always have them. All stretches are read only if an
/// expression mentions a name that those lack, or if there are no expressions.
///
/// # Errors
/// The store fails.
pub fn known(
    reader: &dyn Reader,
    subjects: &[Subject],
    expressions: Option<&[&Expression]>,
) -> Result<Known, StoreError> {
    let mut known = Known::default();
    for subject in subjects {
        known.add_facts(&subject.facts);
        let last = subject.stretches().saturating_sub(1);
        for number in [0, last].iter().take(1 + usize::from(last > 0)) {
            if let Some(stretch) = reader.stretch(&subject.facts.record.name, *number)? {
                known.add(&stretch);
            }
        }
    }
    if expressions.is_some_and(|all| all.iter().all(|expression| expression.is_known(&known))) {
        return Ok(known);
    }
    let of = |_, stretch: &Stretch| {
        let mut known = Known::default();
        known.add(stretch);
        Ok::<_, StoreError>(known)
    };
    scan(reader, subjects, of, |more| {
        known.metrics.extend(more.metrics);
        known.parts.extend(more.parts);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(known)
}
