//! Groups of trials with their aggregates.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::aggregate::{AggregateFunction, Gathered};
use super::find::places;
use super::scan::{QuestionError, scan};
use super::selection::SelectedRun;
use super::value::QueryValue;
use crate::query::BoundExpression;
use crate::store::{Reader, TrialBlock};

/// The keys by which trials are grouped, and the aggregates of each group.
pub struct Grouping {
    /// The expressions whose values the trials of a group share; without any there is one group.
    pub keys: Vec<BoundExpression>,
    /// The function of each aggregate and the expression that it is applied to; `None` counts all trials.
    pub aggregates: Vec<(AggregateFunction, Option<BoundExpression>)>,
}

/// A group of trials.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialGroup {
    /// The values of the keys.
    pub keys: Vec<QueryValue>,
    /// The values of the aggregates.
    pub values: Vec<QueryValue>,
}

/// The groups of a block in the order of their first trials.
#[derive(Default)]
struct Partial {
    places: HashMap<String, usize>,
    groups: Vec<(Vec<QueryValue>, Vec<Gathered>)>,
}

impl Partial {
    fn group(&mut self, keys: Vec<QueryValue>, grouping: &Grouping) -> &mut Vec<Gathered> {
        // Texts of values tell every value from every other.
        let text = format!("{keys:?}");
        let place = *self.places.entry(text).or_insert_with(|| {
            let empty = grouping.aggregates.iter().map(|(function, _)| Gathered::new(*function));
            self.groups.push((keys, empty.collect()));
            self.groups.len() - 1
        });
        &mut self.groups[place].1
    }
}

/// Groups the trials that satisfy a condition; the groups are sorted by their keys.
///
/// # Errors
/// The store fails, an expression fails for a trial, or gives a text where a number is needed.
pub fn group(
    reader: &dyn Reader,
    subjects: &[SelectedRun],
    condition: &BoundExpression,
    grouping: &Grouping,
) -> Result<Vec<TrialGroup>, QuestionError> {
    let look = |run: usize, block: &TrialBlock| {
        let context = &subjects[run].context;
        let places = places(&condition.holds(context, block)?);
        let values = |bound: &BoundExpression| -> Result<Vec<QueryValue>, QuestionError> {
            let values = bound.values(context, block, &places)?;
            Ok(values.into_iter().map(QueryValue::from).collect())
        };
        let keys = grouping.keys.iter().map(values).collect::<Result<Vec<_>, _>>()?;
        let mut columns = Vec::with_capacity(grouping.aggregates.len());
        for (function, of) in &grouping.aggregates {
            let column = of.as_ref().map(|of| values(of).map(|values| (of, values))).transpose();
            columns.push((*function, column?));
        }
        let mut partial = Partial::default();
        for at in 0..places.len() {
            let key = keys.iter().map(|column| column[at].clone()).collect();
            let gathered = partial.group(key, grouping);
            for (gathered, (function, column)) in gathered.iter_mut().zip(&columns) {
                match column.as_ref().map(|(of, values)| (of, &values[at])) {
                    None => gathered.add(0.0),
                    Some((_, QueryValue::Missing)) => {}
                    Some((of, QueryValue::Text(text))) if *function != AggregateFunction::Count => {
                        let message = format!("`{text}` is a text; only numbers have a {function}");
                        return Err(QuestionError::Query(of.refuse(message)));
                    }
                    Some((_, value)) => gathered.add(value.number().unwrap_or(0.0)),
                }
            }
        }
        Ok(partial.groups)
    };
    let mut whole = Partial::default();
    if grouping.keys.is_empty() {
        whole.group(Vec::new(), grouping);
    }
    scan(reader, subjects, look, |groups| {
        for (keys, gathered) in groups {
            let known = whole.group(keys, grouping);
            known.iter_mut().zip(gathered).for_each(|(known, more)| known.merge(more));
        }
        Ok::<_, QuestionError>(ControlFlow::Continue(()))
    })?;
    let mut groups: Vec<TrialGroup> = whole
        .groups
        .into_iter()
        .map(|(keys, gathered)| {
            let values = gathered.into_iter().map(Gathered::finish).collect();
            TrialGroup { keys, values }
        })
        .collect();
    groups.sort_by(|a, b| {
        let pairs = a.keys.iter().zip(&b.keys);
        pairs
            .map(|(a, b)| a.compare(b, false))
            .find(|ordering| ordering.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    Ok(groups)
}
