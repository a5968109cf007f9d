//! The settings of controllers, each declared once with its type, default, range and meaning.
//!
//! [`settings!`](settings) turns a declaration into the struct that records store, its defaults, the check of
//! its ranges, and the table in the script reference.

use std::fmt;

use super::controller::SearchError;

/// A declared setting of a controller.
#[derive(Debug)]
pub struct Setting {
    /// The name in scripts, JSON and messages.
    pub name: &'static str,
    /// The valid values.
    pub range: Range,
    /// The subject of the message about a value out of range: "the members".
    pub subject: &'static str,
    /// The lines of its documentation: a sentence that begins with a common noun.
    pub doc: &'static [&'static str],
}

/// The valid values of a setting.
///
/// Displayed as in documents: `2 to 65,536`, `above 0 and at most 1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// Whole numbers from the first to the second.
    Whole(usize, usize),
    /// Whole numbers from the first to the value of another setting.
    UpTo(usize, &'static str),
    /// Numbers from the first to the second.
    Between(f64, f64),
    /// Numbers above the first and at most the second.
    Above(f64, f64),
    /// Numbers of at least the first and below the second.
    Below(f64, f64),
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(low, high) => write!(f, "{} to {}", grouped(*low), grouped(*high)),
            Self::UpTo(low, setting) => write!(f, "{} to `{setting}`", grouped(*low)),
            Self::Between(low, high) => write!(f, "{low} to {high}"),
            Self::Above(low, high) => write!(f, "above {low} and at most {high}"),
            Self::Below(low, high) => write!(f, "at least {low} and below {high}"),
        }
    }
}

/// Formats a whole number, with commas from five digits on.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The value of a setting.
///
/// Displayed as in messages; [`SettingValue::literal`] is the form in scripts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SettingValue {
    /// A whole number.
    Whole(usize),
    /// A number.
    Real(f64),
    /// No value of an optional setting.
    Unset,
}

impl From<usize> for SettingValue {
    fn from(number: usize) -> Self {
        Self::Whole(number)
    }
}

impl From<f64> for SettingValue {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<Option<f64>> for SettingValue {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::Unset, Self::Real)
    }
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            Self::Real(number) => number.fmt(f),
            Self::Unset => f.write_str("none"),
        }
    }
}

impl SettingValue {
    /// The value as written in scripts: `100`, `5.0`; `none` if there is no value.
    pub fn literal(&self) -> String {
        match self {
            // Unlike `Display` with the point that makes it no whole number.
            Self::Real(number) => format!("{number:?}"),
            other => other.to_string(),
        }
    }
}

/// Settings that `settings!` declares.
pub trait Declared {
    /// The declarations of all settings, in the order of saved states.
    fn declared(&self) -> &'static [Setting];

    /// The value of each setting, in the order of [`declared`](Self::declared).
    fn values(&self) -> Vec<SettingValue>;

    /// Checks every setting against its range.
    ///
    /// # Errors
    /// [`SearchError::Setting`] for the first setting that is out of range or not a number.
    fn validate(&self) -> Result<(), SearchError> {
        let (declared, values) = (self.declared(), self.values());
        let whole = |name: &str| {
            let mut known = declared.iter().zip(&values);
            known.find_map(|(setting, value)| match value {
                SettingValue::Whole(number) if setting.name == name => Some(*number),
                _ => None,
            })
        };
        for (setting, &value) in declared.iter().zip(&values) {
            let fits = match (setting.range, value) {
                (_, SettingValue::Unset) => true,
                (Range::Whole(low, high), SettingValue::Whole(x)) => (low..=high).contains(&x),
                (Range::UpTo(low, other), SettingValue::Whole(x)) => {
                    whole(other).is_some_and(|high| (low..=high).contains(&x))
                }
                (Range::Between(low, high), SettingValue::Real(x)) => (low..=high).contains(&x),
                (Range::Above(low, high), SettingValue::Real(x)) => low < x && x <= high,
                (Range::Below(low, high), SettingValue::Real(x)) => (low..high).contains(&x),
                // A declaration whose type and range do not go together; a test of all defaults meets it.
                _ => false,
            };
            if !fits {
                let range = match setting.range {
                    Range::Whole(..) | Range::Between(..) => format!("from {}", setting.range),
                    Range::UpTo(low, other) => format!("from {low} to the {other}"),
                    Range::Above(..) | Range::Below(..) => setting.range.to_string(),
                };
                let expected = format!("{} must be {range}", setting.subject);
                return Err(SearchError::Setting {
                    name: setting.name,
                    value: value.to_string(),
                    expected,
                });
            }
        }
        Ok(())
    }
}

/// The settings as the lines of a Markdown table: option, default, range, meaning.
pub fn table(defaults: &dyn Declared) -> Vec<String> {
    let mut rows =
        vec!["| option | default | range | what |".to_owned(), "|---|---|---|---|".to_owned()];
    for (setting, value) in defaults.declared().iter().zip(defaults.values()) {
        let Setting { name, range, .. } = setting;
        rows.push(format!("| `{name}` | {} | {range} | {} |", value.literal(), setting.meaning()));
    }
    rows
}

impl Setting {
    /// The documentation as a table cell: without the capital and the full stop of a sentence.
    fn meaning(&self) -> String {
        let lines: Vec<&str> = self.doc.iter().map(|line| line.trim()).collect();
        let text = lines.join(" ");
        let mut rest = text.strip_suffix('.').unwrap_or(&text).chars();
        rest.next().map_or_else(String::new, |first| first.to_lowercase().chain(rest).collect())
    }
}

/// Declares the settings of a controller.
///
/// ```ignore
/// settings! {
///     /// Hill climbing.
///     pub struct Local {
///         /// Points proposed before the first of them is judged.
///         batch: usize = 8, Whole(1, 4096), "the points at once";
///     }
/// }
/// ```
///
/// Each line has the name, the type (`usize`, `f64` or `Option<f64>`), the default, the [`Range`], and the
/// subject of the message about a value out of range. In JSON and script options all settings are optional,
/// and unknown ones are errors. The order is that of saved states: a change needs a new version of the
/// format.
macro_rules! settings {
    (
        $(#[$about:meta])*
        pub struct $name:ident {$(
            $(#[doc = $doc:literal])+
            $field:ident: $type:ty = $default:expr, $range:ident($($bound:literal),+), $subject:literal;
        )+}
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {$(
            $(#[doc = $doc])+
            #[doc = concat!(
                "\n\nDefault `", stringify!($default), "`, range `", stringify!($range($($bound),+)), "` (see ",
                "[`Range`](crate::search::Range))."
            )]
            pub $field: $type,
        )+}

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),+ }
            }
        }

        impl $crate::search::settings::Declared for $name {
            fn declared(&self) -> &'static [$crate::search::settings::Setting] {
                &[$($crate::search::settings::Setting {
                    name: stringify!($field),
                    range: $crate::search::settings::Range::$range($($bound),+),
                    subject: $subject,
                    doc: &[$($doc),+],
                }),+]
            }

            fn values(&self) -> Vec<$crate::search::settings::SettingValue> {
                vec![$(self.$field.into()),+]
            }
        }
    };
}
pub(super) use settings;

#[cfg(test)]
mod tests {
    use super::*;

    settings! {
        /// One setting of each kind.
        pub struct Everything {
            /// Members
            /// of it.
            members: usize = 12_000, Whole(2, 65_536), "the members";
            /// Sample.
            sample: usize = 2, UpTo(1, "members"), "the sample";
            /// Share.
            share: f64 = 1.0, Between(0.0, 1e3), "the share";
            /// Rate.
            rate: Option<f64> = None, Above(0.0, 1.0), "the rate";
            /// Decay.
            decay: f64 = 0.5, Below(0.001, 1.0), "the decay";
        }
    }

    fn refusal(change: impl Fn(&mut Everything)) -> String {
        let mut settings = Everything::default();
        settings.validate().unwrap();
        change(&mut settings);
        settings.validate().unwrap_err().to_string()
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        for wrong in [1, 65_537, usize::MAX] {
            let expected = format!("`members` is {wrong}: the members must be from 2 to 65,536");
            assert_eq!(refusal(|s| s.members = wrong), expected);
        }
        for wrong in [0, 12_001] {
            let expected = format!("`sample` is {wrong}: the sample must be from 1 to the members");
            assert_eq!(refusal(|s| s.sample = wrong), expected);
        }
        for wrong in [-0.1, 1000.5, f64::NAN, f64::INFINITY] {
            let expected = format!("`share` is {wrong}: the share must be from 0 to 1000");
            assert_eq!(refusal(|s| s.share = wrong), expected);
        }
        for wrong in [0.0, 1.1, f64::NAN] {
            let expected = format!("`rate` is {wrong}: the rate must be above 0 and at most 1");
            assert_eq!(refusal(|s| s.rate = Some(wrong)), expected);
        }
        for wrong in [0.0, 1.0, f64::NAN] {
            let expected =
                format!("`decay` is {wrong}: the decay must be at least 0.001 and below 1");
            assert_eq!(refusal(|s| s.decay = wrong), expected);
        }
    }

    #[test]
    fn bounds_that_belong_to_a_range_are_accepted() {
        let low = Everything { members: 2, sample: 1, share: 0.0, rate: Some(1e-9), decay: 0.001 };
        let high = Everything {
            members: 65_536,
            sample: 65_536,
            share: 1e3,
            rate: Some(1.0),
            decay: 0.999,
        };
        low.validate().unwrap();
        high.validate().unwrap();
    }

    #[test]
    fn the_table_has_defaults_and_ranges() {
        let rows = table(&Everything::default());
        assert_eq!(
            rows[2..],
            [
                "| `members` | 12000 | 2 to 65,536 | members of it |",
                "| `sample` | 2 | 1 to `members` | sample |",
                "| `share` | 1.0 | 0 to 1000 | share |",
                "| `rate` | none | above 0 and at most 1 | rate |",
                "| `decay` | 0.5 | at least 0.001 and below 1 | decay |",
            ]
        );
    }

    #[test]
    fn settings_are_optional_and_others_are_errors() {
        let read = |text: &str| serde_json::from_str::<Everything>(text);
        let expected = Everything { sample: 3, ..Everything::default() };
        assert_eq!(read("{\"sample\": 3}").unwrap(), expected);
        assert!(read("{\"simple\": 3}").is_err());
    }
}
