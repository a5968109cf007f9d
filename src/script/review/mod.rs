//! Remarks on likely mistakes: arguments, functions, imports and parts of the space that nothing uses.

pub(super) mod shadowing;
mod uses;

use std::collections::BTreeSet;

use super::contract::check::is_contract;
use super::diagnostic::{Diagnostic, Place};
use super::experiment::Script;
use super::settings::Settings;
use crate::run::Experiment;
use crate::util::suggest::nearest;
use uses::{MentionKind, Uses};

/// The prefix of modules that many experiments share: their unused imports are not reported.
const SHARED: &str = "scripts/";

impl Script {
    /// Returns remarks on likely mistakes, the experiment's own text first.
    pub fn review(&self, settings: &Settings) -> Vec<Diagnostic> {
        let own = self.label();
        let texts = self.texts().all();
        let all: Vec<Uses> =
            texts.iter().filter_map(|(label, text)| Uses::read(label, text)).collect();
        let Some(main) = all.iter().find(|uses| uses.label == own) else { return Vec::new() };
        let mut remarks = Vec::new();
        remarks.extend(self.unused_arguments(&all, main, settings));
        for uses in all.iter().filter(|uses| !uses.label.starts_with(SHARED)) {
            remarks.extend(unused_imports(uses));
        }
        remarks.extend(unused_functions(main));
        remarks.extend(self.unread_parts(&all, main));
        remarks.sort_by_key(|remark| {
            remark.place.as_ref().map(|place| (place.label != own, place.line, place.column))
        });
        remarks
    }

    /// Returns remarks on arguments that no text reads.
    fn unused_arguments(&self, all: &[Uses], main: &Uses, settings: &Settings) -> Vec<Diagnostic> {
        let read: BTreeSet<&str> = all
            .iter()
            .flat_map(|uses| &uses.mentions)
            .filter_map(|mention| match &mention.kind {
                MentionKind::Qualified(root, name) if root == "args" => Some(name.as_str()),
                _ => None,
            })
            .collect();
        let args = self.args();
        let unused = args.keys().filter(|name| !read.contains(name.as_str()));
        unused
            .map(|name| {
                let message = match settings.args.contains_key(name) {
                    true => format!("argument `{name}` is set, and nothing reads it"),
                    false => format!("nothing reads the argument `{name}`"),
                };
                let near =
                    nearest(name, read.iter().copied().filter(|read| !args.contains_key(*read)));
                let help = match near.first() {
                    Some(near) => format!("the script reads `args::{near}`"),
                    None => format!("read it as `args::{name}`, or take it out of args()"),
                };
                let key = main.key("args", name);
                Diagnostic { place: key, ..Diagnostic::new(message).with_help(help) }
            })
            .collect()
    }

    /// Returns remarks on parts of the space that the evaluation of a point does not read.
    fn unread_parts(&self, all: &[Uses], main: &Uses) -> Vec<Diagnostic> {
        if !self.defines("evaluate") {
            return Vec::new();
        }
        let screens = main
            .mentions
            .iter()
            .any(|m| matches!(&m.kind, MentionKind::Key(key) if key == "screen"));
        let roots = if screens { &["evaluate", "schedule"][..] } else { &["evaluate"] };
        let reached = Uses::reached(all, roots.iter().map(|&name| name.to_owned()).collect());
        let points: BTreeSet<&str> = all
            .iter()
            .flat_map(|uses| reached.iter().flat_map(|function| uses.parameters(function)))
            .collect();
        let is_own = |name: &str| all.iter().flat_map(Uses::functions).any(|own| own == name);
        let (mut properties, mut indexed, mut anything) = (BTreeSet::new(), BTreeSet::new(), false);
        for uses in all {
            for mention in &uses.mentions {
                let Some(function) = uses.function_at(mention.byte) else { continue };
                if !reached.contains(function) {
                    continue;
                }
                match &mention.kind {
                    MentionKind::Property(name) => {
                        properties.insert(name.as_str());
                    }
                    MentionKind::Text(text) if function != "schedule" => {
                        indexed.insert(text.as_str());
                    }
                    // The whole point goes where it cannot be followed.
                    MentionKind::Handed(variable, to) if !to.as_deref().is_some_and(is_own) => {
                        anything |= points.contains(variable.as_str());
                    }
                    MentionKind::Computed(variable) => {
                        anything |= points.contains(variable.as_str())
                    }
                    _ => {}
                }
            }
        }
        if anything {
            return Vec::new();
        }
        let chooses = self.space().parts().iter().filter(|part| part.domain.count() > 1);
        let parts = chooses.map(|part| part.name.as_str());
        let unread = parts.filter(|name| !properties.contains(name) && !indexed.contains(name));
        unread
            .map(|name| {
                let message =
                    format!("evaluate(point) does not read the part `{name}` of the space");
                let help = format!("points that differ only in `{name}` come to the same metrics");
                let place = main.key("space", name);
                Diagnostic { place, ..Diagnostic::new(message).with_help(help) }
            })
            .collect()
    }
}

/// Returns remarks on imports that a text does not use.
fn unused_imports(uses: &Uses) -> Vec<Diagnostic> {
    let is_used = |alias: &str| {
        uses.mentions.iter().any(
            |mention| matches!(&mention.kind, MentionKind::Qualified(root, _) if root == alias),
        )
    };
    let imports = uses.mentions.iter().filter_map(|mention| match &mention.kind {
        MentionKind::Import(alias) if !alias.is_empty() && !is_used(alias) => {
            Some((mention, alias))
        }
        _ => None,
    });
    imports
        .map(|(mention, alias)| {
            let message = format!("nothing uses the import `{alias}`");
            let help = format!("its functions are called as `{alias}::name(...)`");
            let place = Some(uses.place(mention.byte));
            Diagnostic { place, ..Diagnostic::new(message).with_help(help) }
        })
        .collect()
}

/// Returns remarks on functions of the experiment that nothing calls.
fn unused_functions(main: &Uses) -> Vec<Diagnostic> {
    let roots = main.functions().filter(|name| is_contract(name)).map(ToOwned::to_owned).collect();
    let reached = Uses::reached(std::slice::from_ref(main), roots);
    let mut unused: Vec<&str> = main.functions().filter(|name| !reached.contains(*name)).collect();
    unused.dedup();
    unused
        .into_iter()
        .map(|name| {
            let message = format!("nobody calls the script's function `{name}`");
            Diagnostic { place: main.definition(name), ..Diagnostic::new(message) }
        })
        .collect()
}

impl Uses {
    /// Returns the place of a byte of the text.
    fn place(&self, byte: usize) -> Place {
        let (line, column) = self.line_column(byte);
        Place { label: self.label.clone(), line, column }
    }

    /// Returns the place of a function's definition.
    fn definition(&self, name: &str) -> Option<Place> {
        self.named(name).map(|byte| self.place(byte))
    }

    /// Returns the place where a function writes a key of a map, else the place of its definition.
    fn key(&self, function: &str, key: &str) -> Option<Place> {
        let within = |byte| self.function_at(byte) == Some(function);
        let found = self.mentions.iter().find(|mention| {
            matches!(&mention.kind, MentionKind::Key(name) if name == key) && within(mention.byte)
        });
        found.map(|mention| self.place(mention.byte)).or_else(|| self.definition(function))
    }
}
