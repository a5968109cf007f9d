//! A part that is a single choice of listed values.

use super::{Choice, Domain, Illegal, Value};

/// A part with one choice, of which every option is legal.
#[derive(Clone, Debug)]
pub struct Options {
    choices: [Choice; 1],
}

impl Options {
    /// Makes a part of one choice.
    pub fn new(values: Vec<Value>) -> Self {
        Self { choices: [Choice::new("value", values)] }
    }

    /// The value of an option.
    pub fn value(&self, options: &[u16]) -> Option<&Value> {
        options.first().and_then(|&option| self.choices[0].options.get(usize::from(option)))
    }
}

impl Domain for Options {
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

    fn canonical(&self, options: &[u16]) -> String {
        self.value(options).map_or_else(String::new, Value::to_string)
    }

    fn parse(&self, text: &str) -> Result<Vec<u16>, Illegal> {
        let options = &self.choices[0].options;
        let index = options.iter().position(|value| value.to_string() == text);
        index.and_then(|index| u16::try_from(index).ok()).map(|index| vec![index]).ok_or_else(
            || {
                let known: Vec<String> = options.iter().map(Value::to_string).collect();
                Illegal(format!("there is no option `{text}`; there are {}", known.join(", ")))
            },
        )
    }
}
