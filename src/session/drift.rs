//! The changes since a run started, and their effects.

use std::collections::BTreeMap;
use std::path::Path;

use super::change::{Change, diff, one_line};
use super::error::SessionError;
use super::load::{Loaded, read_settings, stored_settings, to_stored};
use crate::accel::registry;
use crate::script::{ScriptChanges, Settings};
use crate::store::{RunRecord, Store};

/// Lists the changes since a run started: of script texts, of the file with its settings, of the program, of
/// models.
///
/// Comments and layout of scripts, and settings that affect only speed, are ignored.
///
/// # Errors
/// The settings file cannot be read, or the store fails.
pub fn changes(
    store: &Store,
    known: &RunRecord,
    experiment: &Loaded,
) -> Result<Vec<Change>, SessionError> {
    let mut changes = script_changes(store, known, experiment)?;
    changes.extend(setting_changes(known)?);
    let program = env!("CARGO_PKG_VERSION");
    if known.program != program {
        changes.push(Change {
            what: "the program".to_owned(),
            affects: "everything: another version may propose and compute something else"
                .to_owned(),
            diff: one_line(&format!("tandem {}", known.program), &format!("tandem {program}")),
        });
    }
    if known.sweep.is_none() {
        changes.extend(model_changes(&known.data, registry::versions()));
    }
    Ok(changes)
}

/// The models whose version is not the recorded one. A family that the record does not name was
/// registered later, and gave it no numbers.
fn model_changes(
    known: &BTreeMap<String, String>,
    now: BTreeMap<String, String>,
) -> impl Iterator<Item = Change> {
    now.into_iter().filter_map(|(model, now)| {
        let before = known.get(&model).filter(|before| **before != now)?;
        Some(Change {
            what: "a model".to_owned(),
            affects: "the metrics of every trial".to_owned(),
            diff: one_line(&format!("{model} {before}"), &format!("{model} {now}")),
        })
    })
}

fn script_changes(
    store: &Store,
    known: &RunRecord,
    experiment: &Loaded,
) -> Result<Vec<Change>, SessionError> {
    let now: BTreeMap<String, String> = experiment
        .script
        .sources()
        .into_iter()
        .map(|(name, text)| (name, text.as_ref().to_owned()))
        .collect();
    let (mut before, mut lost) = (BTreeMap::new(), Vec::new());
    for (name, digest) in &known.sources {
        let text = store.source(digest)?;
        // A text that a damaged store has lost may be there still.
        let text = text.or_else(|| {
            now.get(name)
                .filter(|text| blake3::hash(text.as_bytes()).to_hex().as_str() == digest)
                .cloned()
        });
        match text {
            Some(text) => drop(before.insert(name.clone(), text)),
            None => lost.push(Change {
                what: format!("`{name}` (of which the store has lost the text)"),
                affects: "whatever depends on it".to_owned(),
                diff: one_line(
                    digest,
                    &now.get(name).map_or_else(String::new, |text| {
                        blake3::hash(text.as_bytes()).to_hex().to_string()
                    }),
                ),
            }),
        }
    }
    if !lost.is_empty() {
        return Ok(lost);
    }
    if before == now {
        return Ok(Vec::new());
    }
    let changes = ScriptChanges::between(&before, &now);
    let effects: Vec<String> =
        changes.effects.iter().map(|(name, effect)| format!("{effect} ({name})")).collect();
    let affects = if effects.is_empty() {
        "nothing that the experiment calls".to_owned()
    } else {
        effects.join("; ")
    };
    let text =
        |texts: &BTreeMap<String, String>, name| texts.get(name).cloned().unwrap_or_default();
    Ok(changes
        .files
        .iter()
        .map(|name| Change {
            what: format!("`{name}`"),
            affects: affects.clone(),
            diff: diff(name, &text(&before, name), &text(&now, name)),
        })
        .collect())
}

/// The change of the settings file since the run started.
fn setting_changes(known: &RunRecord) -> Result<Option<Change>, SessionError> {
    let Some(before) = known.defaults.as_object() else { return Ok(None) };
    let now = to_stored(&read_settings(Path::new(&known.file))?)?;
    let (before, now) = (flat(before), now.as_object().map(flat).unwrap_or_default());
    let used = known.settings.as_object().map(flat).unwrap_or_default();
    let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    let line = |sign: char, name: &str, value: Option<&String>| {
        value.map_or_else(String::new, |value| format!("{sign}{name}: {value}\n"))
    };
    let mut text = String::new();
    let mut affects: Vec<String> = Vec::new();
    for name in names {
        let (old, new) = (before.get(name), now.get(name));
        // What the command line said counts, not what the file says.
        let is_overridden = used.get(name) != old;
        let Some(effect) = effect(name).filter(|_| old != new && !is_overridden) else { continue };
        text += &line('-', name, old);
        text += &line('+', name, new);
        affects.push(format!("{effect} ({name})"));
    }
    Ok((!affects.is_empty()).then(|| Change {
        what: format!("the settings in `{}`", known.file),
        affects: affects.join("; "),
        diff: text,
    }))
}

/// The settings of a fork of a run: those of the settings file now, and those that the command line gave when
/// the run started.
pub(super) fn forked_settings(known: &RunRecord) -> Result<Settings, SessionError> {
    let mut now = to_stored(&read_settings(Path::new(&known.file))?)?;
    let Some(before) = known.defaults.as_object() else {
        return stored_settings(known);
    };
    let groups = ["args", "limits"];
    for (name, used) in known.settings.as_object().into_iter().flatten() {
        let was = before.get(name);
        match used.as_object().filter(|_| groups.contains(&name.as_str())) {
            Some(group) => {
                for (inner, used) in group {
                    if was.and_then(|was| was.get(inner)) != Some(used) {
                        now[name.as_str()][inner.as_str()] = used.clone();
                    }
                }
            }
            None if was != Some(used) => now[name.as_str()] = used.clone(),
            None => {}
        }
    }
    stored_settings(&RunRecord { settings: now, ..known.clone() })
}

/// The effect of a setting; `None` if it affects only speed.
fn effect(name: &str) -> Option<&'static str> {
    match name.split_once('.').map_or(name, |(group, _)| group) {
        "threads" => None,
        "seed" => Some("every point"),
        "steps" => Some("where the run ends"),
        "top" => Some("how many pairs are kept"),
        "data" => Some("where tables and images are read"),
        "args" => Some("whatever uses this argument"),
        "limits" => Some("which calls of the script fail"),
        "thresholds" => Some("when the run ends and its verdict"),
        "script" => Some("everything"),
        _ => Some("the run"),
    }
}

/// Names and values of settings, those of groups under `group.name`.
fn flat(settings: &serde_json::Map<String, serde_json::Value>) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    for (name, value) in settings {
        match value.as_object() {
            Some(group) => flat.extend(
                group.iter().map(|(inner, value)| (format!("{name}.{inner}"), value.to_string())),
            ),
            None => drop(flat.insert(name.clone(), value.to_string())),
        }
    }
    flat.retain(|_, value| value != "null");
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_models_that_a_record_names_can_have_changed() {
        let versions = |versions: &[(&str, &str)]| -> BTreeMap<String, String> {
            let owned =
                |(model, version): &(&str, &str)| ((*model).to_owned(), (*version).to_owned());
            versions.iter().map(owned).collect()
        };
        let known = versions(&[("chaidnn", "chaidnn-1"), ("systolic", "systolic-1")]);
        let now = [("chaidnn", "chaidnn-2"), ("later", "later-1"), ("systolic", "systolic-1")];
        let changes: Vec<Change> = model_changes(&known, versions(&now)).collect();
        let diffs: Vec<&str> = changes.iter().map(|change| change.diff.as_str()).collect();
        assert_eq!(diffs, ["-chaidnn chaidnn-1\n+chaidnn chaidnn-2\n"]);
    }
}
