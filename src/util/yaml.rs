//! Reading YAML, with a limit on size, and mappings with unique, ordered keys.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_yaml::Value;

/// The maximum size of a text with its aliases expanded, in bytes.
const MAX: usize = 64 << 20;

/// The size counted for a value in addition to its text, in bytes.
const VALUE: usize = 64;

/// Parses a text, after checking its size with aliases expanded; a small text could otherwise exhaust memory.
///
/// # Errors
/// Returns an error if the text is not YAML, does not match `T`, or exceeds 64 MiB with its aliases expanded.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_yaml::Error> {
    let left = Cell::new(MAX);
    // What else is wrong is said when it is read.
    if Measure(&left).deserialize(serde_yaml::Deserializer::from_str(text)).is_err()
        && left.get() == 0
    {
        return Err(Error::custom("its aliases (`*name`) stand for more than 64 MB"));
    }
    serde_yaml::from_str(text)
}

/// A visitor that counts the size of values and discards them.
#[derive(Clone, Copy)]
struct Measure<'l>(&'l Cell<usize>);

impl Measure<'_> {
    fn take<E: Error>(self, bytes: usize) -> Result<(), E> {
        let left = self.0.get().saturating_sub(VALUE + bytes);
        self.0.set(left);
        if left == 0 { Err(E::custom("too large")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Measure<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Measure<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.take(0)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.take(0)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.take(0)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.take(0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.take(text.len())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.take(0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.take(0)?;
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.take(0)?;
        while entries.next_key_seed(self)?.is_some() {
            entries.next_value_seed(self)?;
        }
        Ok(())
    }
}

/// A mapping with unique keys, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T> Named<T> {
    /// The value of a key.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, thing)| thing)
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, thing) in &self.0 {
            map.serialize_entry(name, thing)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut known = BTreeSet::new();
                let mut entries = Vec::new();
                while let Some(name) = map.next_key_seed(NewName(&mut known))? {
                    entries.push((name, map.next_value()?));
                }
                Ok(Named(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

/// Deserializes a mapping with unique keys.
///
/// # Errors
/// Returns an error if a key occurs twice, or if the input is not a mapping.
pub fn each_once<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Value>, D::Error> {
    Named::deserialize(deserializer).map(|Named(values)| values.into_iter().collect())
}

/// Deserializes a key, and rejects one that occurred before.
struct NewName<'k>(&'k mut BTreeSet<String>);

impl<'de> DeserializeSeed<'de> for NewName<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NewName<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<String, E> {
        if !self.0.insert(name.to_owned()) {
            return Err(E::custom(format!("`{name}` is there twice")));
        }
        Ok(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_written_out_as_far_as_there_is_room() {
        let known: Value = read("a: &a [1, 2]\nb: *a").unwrap();
        assert_eq!(known["b"], known["a"]);
        let ones = vec!["1"; 5_000].join(",");
        let aliases = vec!["*a"; 5_000].join(",");
        let bomb = read::<Value>(&format!("a: &a [{ones}]\nb: [{aliases}]")).unwrap_err();
        assert_eq!(bomb.to_string(), "its aliases (`*name`) stand for more than 64 MB");
        let text = "y".repeat(100_000);
        let bomb = read::<Value>(&format!("a: &a {text}\nb: [{aliases}]")).unwrap_err();
        assert!(bomb.to_string().contains("aliases"), "{bomb}");
        assert!(read::<Value>("a: [").unwrap_err().to_string().contains("line"));
    }
}
