//! The 8,640 configurations as a [`Domain`] of a space.

use super::configuration::{
    Configuration, FILTER_PAR, INPUT_BUFFER_DEPTH, MEM_INTERFACE_WIDTH, OUTPUT_BUFFER_DEPTH,
    PIXEL_PAR, RATIO_CONV_ENGINES, WEIGHT_BUFFER_DEPTH,
};
use crate::space::{Choice, Domain, Illegal, Value, combination};

const PARAMETERS: usize = 8;

/// The paper's accelerator space: eight choices, every combination legal.
///
/// The first six are CHaiDNN's build macros; `mem_interface_width` and `ratio_conv_engines` are
/// recalled from the paper.
#[derive(Clone, Debug)]
pub struct ChaidnnSpace {
    choices: [Choice; PARAMETERS],
}

impl ChaidnnSpace {
    /// Makes the space.
    pub fn new() -> Self {
        let whole = |name: &str, options: &[u32]| {
            Choice::new(name, options.iter().map(|&option| Value::Int(option.into())))
        };
        Self {
            choices: [
                whole("filter_par", &FILTER_PAR),
                whole("pixel_par", &PIXEL_PAR),
                whole("input_buffer_depth", &INPUT_BUFFER_DEPTH),
                whole("weight_buffer_depth", &WEIGHT_BUFFER_DEPTH),
                whole("output_buffer_depth", &OUTPUT_BUFFER_DEPTH),
                Choice::new("pool_engine", [Value::Flag(true), Value::Flag(false)]),
                whole("mem_interface_width", &MEM_INTERFACE_WIDTH),
                Choice::new("ratio_conv_engines", RATIO_CONV_ENGINES.map(Value::Float)),
            ],
        }
    }

    /// Returns the configuration of a legal combination of options.
    ///
    /// # Panics
    /// If an option is missing or out of range; [`Domain::check`] rejects such options.
    pub fn configuration(&self, options: &[u16]) -> Configuration {
        let at = |choice: usize| usize::from(options[choice]);
        Configuration {
            filter_par: FILTER_PAR[at(0)],
            pixel_par: PIXEL_PAR[at(1)],
            input_buffer_depth: INPUT_BUFFER_DEPTH[at(2)],
            weight_buffer_depth: WEIGHT_BUFFER_DEPTH[at(3)],
            output_buffer_depth: OUTPUT_BUFFER_DEPTH[at(4)],
            pool_engine: at(5) == 0,
            mem_interface_width: MEM_INTERFACE_WIDTH[at(6)],
            ratio_conv_engines: RATIO_CONV_ENGINES[at(7)],
        }
    }

    /// Iterates over all configurations; the last parameter changes fastest.
    pub fn configurations(&self) -> impl Iterator<Item = Configuration> + '_ {
        let options = (0..self.count()).filter_map(|number| self.nth(number));
        options.map(|options| self.configuration(&options))
    }

    /// Returns the options of a configuration; `None` if it is not in the space.
    pub fn options(&self, configuration: &Configuration) -> Option<Vec<u16>> {
        let values = [
            Value::Int(configuration.filter_par.into()),
            Value::Int(configuration.pixel_par.into()),
            Value::Int(configuration.input_buffer_depth.into()),
            Value::Int(configuration.weight_buffer_depth.into()),
            Value::Int(configuration.output_buffer_depth.into()),
            Value::Flag(configuration.pool_engine),
            Value::Int(configuration.mem_interface_width.into()),
            Value::Float(configuration.ratio_conv_engines),
        ];
        let position = |(choice, value): (&Choice, &Value)| {
            choice.options.iter().position(|option| option == value).map(|index| index as u16)
        };
        self.choices.iter().zip(&values).map(position).collect()
    }
}

impl Default for ChaidnnSpace {
    fn default() -> Self {
        Self::new()
    }
}

impl Domain for ChaidnnSpace {
    fn kind(&self) -> &'static str {
        "chaidnn"
    }

    fn choices(&self) -> &[Choice] {
        &self.choices
    }

    fn check(&self, options: &[u16]) -> Result<(), Illegal> {
        if options.len() != PARAMETERS {
            let given = options.len();
            return Err(Illegal(format!("{given} options given for {PARAMETERS} parameters")));
        }
        let beyond = self
            .choices
            .iter()
            .zip(options)
            .find(|(choice, option)| usize::from(**option) >= choice.options.len());
        match beyond {
            None => Ok(()),
            Some((choice, option)) => Err(Illegal(format!(
                "{} has {} options, and option {option} was given",
                choice.name,
                choice.options.len()
            ))),
        }
    }

    fn count(&self) -> u128 {
        self.choices.iter().map(|choice| choice.options.len() as u128).product()
    }

    fn nth(&self, number: u128) -> Option<Vec<u16>> {
        combination(&self.choices, number)
    }

    fn canonical(&self, options: &[u16]) -> String {
        self.configuration(options).to_string()
    }

    fn parse(&self, text: &str) -> Result<Vec<u16>, Illegal> {
        let configuration: Configuration =
            text.parse().map_err(|error| Illegal(format!("{error}")))?;
        self.options(&configuration)
            .ok_or_else(|| Illegal(format!("the space has no configuration `{text}`")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_configuration_survives_its_text_and_options() {
        let space = ChaidnnSpace::new();
        assert_eq!(space.count(), 8_640);
        let mut texts = HashSet::new();
        for (number, configuration) in (0..).zip(space.configurations()) {
            assert_eq!(space.nth(number), space.options(&configuration));
            let text = configuration.to_string();
            assert_eq!(text.parse(), Ok(configuration));
            let options = space.parse(&text).unwrap();
            assert_eq!(space.check(&options), Ok(()));
            assert_eq!(space.configuration(&options), configuration);
            assert_eq!(space.canonical(&options), text);
            texts.insert(text);
        }
        assert_eq!(texts.len(), 8_640);
    }

    #[test]
    fn options_out_of_range_are_refused() {
        let space = ChaidnnSpace::new();
        let refusal = |options: &[u16]| space.check(options).unwrap_err().0;
        assert_eq!(refusal(&[0; 7]), "7 options given for 8 parameters");
        assert_eq!(
            refusal(&[0, 5, 0, 0, 0, 0, 0, 0]),
            "pixel_par has 5 options, and option 5 was given"
        );
    }
}
