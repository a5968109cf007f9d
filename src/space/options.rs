//! A part that is a single choice from listed values.

use super::domain::combination;
use super::{Choice, Domain, Illegal, Value};

/// A part with one choice, all of whose options are legal.
#[derive(Clone, Debug)]
pub struct SingleChoice {
    choices: [Choice; 1],
}

impl SingleChoice {
    /// Creates a part with one choice.
    pub fn new(values: Vec<Value>) -> Self {
        Self { choices: [Choice::new("value", values)] }
    }

    /// The value of the only option; `None` if it does not exist.
    pub fn value(&self, options: &[u16]) -> Option<&Value> {
        options.first().and_then(|&option| self.choices[0].options.get(usize::from(option)))
    }
}

impl Domain for SingleChoice {
    fn kind(&self) -> &'static str {
        "choice"
    }

    fn choices(&self) -> &[Choice] {
        &self.choices
    }

    fn check(&self, options: &[u16]) -> Result<(), Illegal> {
        self.value(options).map(|_| ()).ok_or_else(|| Illegal("no such option".to_owned()))
    }

    fn count(&self) -> u128 {
        self.choices[0].options.len() as u128
    }

    fn nth(&self, number: u128) -> Option<Vec<u16>> {
        combination(&self.choices, number)
    }

    fn canonical(&self, options: &[u16]) -> String {
        self.value(options).map_or_else(String::new, Value::to_string)
    }

    fn parse(&self, text: &str) -> Result<Vec<u16>, Illegal> {
        let options = &self.choices[0].options;
        position_of(options, text).map(|index| vec![index]).ok_or_else(|| {
            Illegal(format!("there is no option `{text}`; there are {}", shown(options)))
        })
    }
}

/// The index of the option that a text stands for: the one with the same text, or else with the same number.
pub(super) fn position_of(options: &[Value], text: &str) -> Option<u16> {
    let whole = || text.parse().ok().map(Value::Int);
    let number = whole().or_else(|| text.parse().ok().map(Value::Float));
    let exact = options.iter().position(|value| value.to_string() == text);
    let equal = |value: &Value| number.as_ref().is_some_and(|number| value.is_same(number));
    let found = exact.or_else(|| options.iter().position(equal));
    found.and_then(|index| u16::try_from(index).ok())
}

/// Lists options for messages: the first eight, and the last.
pub(crate) fn shown(options: &[Value]) -> String {
    const SHOWN: usize = 8;
    let first: Vec<String> = options.iter().take(SHOWN).map(Value::to_string).collect();
    let last = options.last().filter(|_| options.len() > SHOWN);
    let tail = last.map_or_else(String::new, |last| format!(", ... {last}"));
    format!("{}{tail}", first.join(", "))
}
