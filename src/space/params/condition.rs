//! Conditions under which names are decided, and their evaluation.

use std::sync::Arc;

use super::param::Field;
use super::rule::Rule;

/// A condition under which a name is decided, within an enclosing condition if there is one.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// The path of the name, joined by dots.
    pub(super) what: String,
    pub(super) within: Option<usize>,
    pub(super) rule: Arc<Rule>,
}

/// Options, and for each condition true if it holds for them.
pub(super) struct Decided<'a> {
    pub(super) options: &'a [u16],
    pub(super) open: Vec<bool>,
}

impl Decided<'_> {
    /// Returns true if a name under the given condition is decided; always, without one.
    pub(super) fn is(&self, gate: Option<usize>) -> bool {
        gate.is_none_or(|gate| self.open[gate])
    }

    /// The option of a choice; `None` if its field is undecided.
    pub(super) fn option(&self, fields: &[Field], choice: usize) -> Option<u16> {
        // Fields are in the order of their choices.
        let after = fields.partition_point(|field| field.range.start <= choice);
        let field = fields.get(after.checked_sub(1)?)?;
        self.is(field.gate).then(|| self.options[choice])
    }
}

/// Evaluation of conditions, one field after another.
pub(super) struct Gates<'a> {
    gates: &'a [Gate],
    open: Vec<Option<bool>>,
}

impl<'a> Gates<'a> {
    pub(super) fn new(gates: &'a [Gate]) -> Self {
        Self { gates, open: vec![None; gates.len()] }
    }

    /// Returns true if a name under the given condition is decided, from the options of earlier choices.
    pub(super) fn is_open(&mut self, gate: Option<usize>, before: &[Option<u16>]) -> bool {
        let Some(gate) = gate else { return true };
        if let Some(known) = self.open[gate] {
            return known;
        }
        let Gate { within, rule, .. } = &self.gates[gate];
        let is = self.is_open(*within, before) && rule.holds(|choice| before[choice]);
        self.open[gate] = Some(is);
        is
    }

    pub(super) fn finish(self) -> Vec<bool> {
        self.open.into_iter().map(|open| open == Some(true)).collect()
    }
}
