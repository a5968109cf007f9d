//! Reading of YAML texts that stay of a sane size.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};

/// What a text may come to in bytes when its aliases are written out.
const MOST: usize = 64 << 20;

/// What a value takes beside its text.
const VALUE: usize = 64;

/// Reads a text, which an alias may repeat: a small text can stand for more than fits the memory.
///
/// # Errors
/// It is no YAML, not what is read, or more than 64 MB with its aliases written out.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_yaml::Error> {
    let left = Cell::new(MOST);
    // What else is wrong is said when it is read.
    if Measure(&left).deserialize(serde_yaml::Deserializer::from_str(text)).is_err()
        && left.get() == 0
    {
        return Err(Error::custom("its aliases (`*name`) stand for more than 64 MB"));
    }
    serde_yaml::from_str(text)
}

/// Goes through values and keeps none.
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

#[cfg(test)]
mod tests {
    use serde_yaml::Value;

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
