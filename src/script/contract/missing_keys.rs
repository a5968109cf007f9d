//! The entries of a map in which one was missing.
//!
//! The engine's error has only the name of the entry. To see the map, the call is repeated with that one
//! access changed to a key that no map has.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rhai::{Dynamic, Engine, EvalAltResult, Map, Position};

use crate::script::diagnostic::Outline;
use crate::script::diagnostic::replay::{Original, Replay};

/// The prefix of the changed keys.
const PREFIX: &str = "tandem_missing_";

thread_local! {
    static SEEN: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// The witnesses of the places of a script at which an entry was missing.
#[derive(Default)]
pub(in crate::script) struct MissingKeys(Mutex<HashMap<(String, usize), Known>>);

/// A witness, made at first use; `None` if there is nothing to observe at its place.
type Known = Arc<OnceLock<Option<Witness>>>;

impl MissingKeys {
    /// Returns the entries of the map that is accessed at a byte of a text, in a call that finds one missing.
    pub(in crate::script) fn entries(
        &self,
        original: Original<'_>,
        (label, at): (&str, usize),
        (function, argument): (&str, Dynamic),
    ) -> Option<Vec<String>> {
        let known = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry((label.to_owned(), at)).or_default().clone()
        };
        let witness = known.get_or_init(|| Witness::new(original, (label, at)));
        witness.as_ref()?.entries(function, argument)
    }
}

/// A changed script that records the entries of the map at a place.
struct Witness(Replay);

impl Witness {
    /// Changes a script to record the map that is accessed at a byte of one of its texts.
    ///
    /// `None` if no map is accessed there, or if the script catches errors.
    fn new(original: Original<'_>, place: (&str, usize)) -> Option<Self> {
        // An entry that is missing elsewhere would be added, and not caught.
        let all = original.sources.all();
        if all.iter().any(|(_, text)| Outline::of(text).catches()) {
            return None;
        }
        let mut is_changed = false;
        let change = |label: &str, text: &str| {
            let changed = (label == place.0).then(|| asking(text, place.1)).flatten();
            is_changed |= changed.is_some();
            changed.unwrap_or_else(|| text.to_owned())
        };
        let again = Replay::new(original, change, watch)?;
        is_changed.then_some(Self(again))
    }

    fn entries(&self, function: &str, argument: Dynamic) -> Option<Vec<String>> {
        SEEN.take();
        let _ended = self.0.call(function, argument);
        SEEN.take()
    }
}

/// Changes the key of the map access at a byte of a text.
fn asking(text: &str, offset: usize) -> Option<String> {
    let key = Outline::of(text).key(offset)?;
    let (before, key_text, after) =
        (&text[..key.at.start], &text[key.at.clone()], &text[key.at.end..]);
    Some(if key.is_name {
        format!("{before}{PREFIX}{key_text}{after}")
    } else {
        format!("{before}\"{PREFIX}\" + ({key_text}){after}")
    })
}

fn watch(engine: &mut Engine) {
    engine.on_map_missing_property(|map: &mut Map, name, _| {
        let Some(name) = name.strip_prefix(PREFIX) else {
            // The engine asks here before it adds an entry, too.
            return map.entry(name.into()).or_insert(Dynamic::UNIT).try_into();
        };
        if !map.contains_key(name) {
            SEEN.set(Some(map.keys().map(ToString::to_string).collect()));
        }
        let missing = || EvalAltResult::ErrorPropertyNotFound(name.to_owned(), Position::NONE);
        map.get_mut(name).ok_or_else(missing)?.try_into()
    });
}
