//! The names that expressions may mention.

use std::ops::ControlFlow;

use super::scan::scan;
use super::selection::SelectedRun;
use crate::query::{Expression, KnownNames};
use crate::store::{Reader, StoreError, TrialBlock};

/// Collects the names that expressions may mention of some runs; all names if there are no expressions.
///
/// The first and last blocks of the runs almost always have them. All blocks are read only if an
/// expression mentions a name that those lack, or if there are no expressions.
///
/// # Errors
/// The store fails.
pub fn known(
    reader: &dyn Reader,
    subjects: &[SelectedRun],
    expressions: Option<&[&Expression]>,
) -> Result<KnownNames, StoreError> {
    let mut known = KnownNames::default();
    for subject in subjects {
        known.add_facts(&subject.context);
        let last = subject.blocks().saturating_sub(1);
        for number in [0, last].iter().take(1 + usize::from(last > 0)) {
            if let Some(block) = reader.block(&subject.context.record.name, *number)? {
                known.add(&block);
            }
        }
    }
    if expressions.is_some_and(|all| all.iter().all(|expression| expression.is_known(&known))) {
        return Ok(known);
    }
    let of = |_, block: &TrialBlock| {
        let mut known = KnownNames::default();
        known.add(block);
        Ok::<_, StoreError>(known)
    };
    scan(reader, subjects, of, |more| {
        known.metrics.extend(more.metrics);
        known.parts.extend(more.parts);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(known)
}
