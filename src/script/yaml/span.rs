//! Places of keys and values in a YAML text.
//!
//! The YAML reader gives places to errors only, so the search makes it fail at the key or value.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::script::diagnostic::Place;

/// The target at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::script) enum PathTarget {
    /// The key, or its second occurrence.
    Key {
        /// True for the second occurrence.
        second: bool,
    },
    /// The value, or the key where there is none.
    Value,
}

impl PathTarget {
    /// The first occurrence of the key.
    pub(in crate::script) const KEY: Self = Self::Key { second: false };
}

/// Returns the place to which keys lead in a text; the key of a list item is its index, from 0.
pub(in crate::script) fn place<S: AsRef<str>>(
    label: &str,
    text: &str,
    path: &[S],
    part: PathTarget,
) -> Option<Place> {
    let path: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
    let found = Cell::new(Found::Nothing);
    let search = Search { path: &path, part, found: &found };
    let error = search.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    match found.get() {
        // What is not written has the place of its key, if it has one.
        Found::Empty if part == PathTarget::Value => place(label, text, &path, PathTarget::KEY),
        Found::Nothing | Found::Empty => None,
        Found::Here => error.location().map(|at| Place {
            label: label.to_owned(),
            line: at.line(),
            column: at.column(),
        }),
    }
}

#[derive(Clone, Copy, Debug)]
enum Found {
    Nothing,
    /// A value that is not written.
    Empty,
    Here,
}

/// A reader of values up to the target.
#[derive(Clone, Copy)]
struct Search<'s> {
    path: &'s [&'s str],
    part: PathTarget,
    found: &'s Cell<Found>,
}

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.path {
            [] => {
                self.found.set(Found::Here);
                deserializer.deserialize_any(Here(self.found))
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let [name, rest @ ..] = self.path else { return Ok(()) };
        let mut is_second = false;
        loop {
            let is_wanted = rest.is_empty() && self.part == PathTarget::Key { second: is_second };
            let stop = is_wanted.then_some(self.found);
            match map.next_key_seed(Key { name, stop })? {
                None => return Ok(()),
                Some(true) if !rest.is_empty() || self.part == PathTarget::Value => {
                    map.next_value_seed(Self { path: rest, ..self })?;
                }
                Some(is_named) => {
                    is_second |= is_named;
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let [number, rest @ ..] = self.path else { return Ok(()) };
        for _ in 0..number.parse().unwrap_or(usize::MAX) {
            if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        items.next_element_seed(Self { path: rest, ..self })?;
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// A reader of a key: true if it has the name, or an error if it is also the target.
struct Key<'s> {
    name: &'s str,
    stop: Option<&'s Cell<Found>>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<bool, E> {
        match self.stop.filter(|_| name == self.name) {
            Some(found) => {
                found.set(Found::Here);
                Err(E::custom("found"))
            }
            None => Ok(name == self.name),
        }
    }
}

/// A reader that fails at any value.
struct Here<'s>(&'s Cell<Found>);

impl<'de> Visitor<'de> for Here<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.0.set(Found::Empty);
        Err(E::custom("empty"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_found_where_they_are() {
        let text = "script: a\nargs:\n  \"x\": 1\n  ä: 2\n  e:\nthresholds: [\"a\", b]\n\
                    limits: { a: 1, a: 2, é: { z: } }\n";
        let second = PathTarget::Key { second: true };
        for (keys, part, at) in [
            (&["script"][..], PathTarget::Value, Some((1, 9))),
            (&["args", "x"], PathTarget::KEY, Some((3, 3))),
            (&["args", "x"], PathTarget::Value, Some((3, 8))),
            (&["args", "ä"], PathTarget::Value, Some((4, 6))),
            // Nothing is written: its key.
            (&["args", "e"], PathTarget::Value, Some((5, 3))),
            (&["limits", "é", "z"], PathTarget::Value, Some((7, 28))),
            (&["args"], PathTarget::Value, Some((3, 3))),
            (&["thresholds", "1"], PathTarget::Value, Some((6, 19))),
            (&["thresholds", "2"], PathTarget::Value, None),
            (&["limits", "a"], PathTarget::KEY, Some((7, 11))),
            (&["limits", "a"], second, Some((7, 17))),
            (&["script"], second, None),
            (&["none"], PathTarget::KEY, None),
            (&["script", "x"], PathTarget::KEY, None),
        ] {
            let found = place("x.yaml", text, keys, part).map(|at| (at.line, at.column));
            assert_eq!(found, at, "{keys:?} {part:?}");
        }
    }
}
