//! Changes between two versions of a script, and the functions that they affect.

use std::collections::{BTreeMap, BTreeSet};

use rhai::Engine;

use super::contract::check::effect;
use super::function_spans::{Body, Offsets, bodies};

/// The changes between two versions of a script and the files that it imports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptChanges {
    /// The files whose code differs; comments and layout do not count.
    pub files: BTreeSet<String>,
    /// The contract functions that the changes can reach, each with the results that depend on it.
    pub effects: BTreeMap<&'static str, &'static str>,
    /// True if a statement outside of functions differs; every function may depend on it.
    pub outside: bool,
}

/// The code of one file without comments and layout.
struct Code {
    /// The code of each function, by name and number of parameters.
    functions: BTreeMap<(String, usize), String>,
    /// All code.
    whole: String,
    /// The code outside of functions.
    outside: String,
}

impl ScriptChanges {
    /// Compares two versions of the texts of a script and its imports, by file name.
    pub fn between(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Self {
        let mut engine = Engine::new();
        engine.set_max_expr_depths(0, 0);
        let mut changes = Self::default();
        let mut changed: BTreeSet<String> = BTreeSet::new();
        let mut calls: Vec<(String, BTreeSet<String>)> = Vec::new();
        for name in before.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
            let read = |texts: &BTreeMap<String, String>| {
                texts.get(name).map(|text| Code::read(&engine, text))
            };
            let (before, now) = (read(before), read(now));
            let function = |code: &Option<Code>, key| {
                code.as_ref().and_then(|code| code.functions.get(key).cloned())
            };
            let both = [&before, &now].into_iter().flatten();
            for key in both.flat_map(|code| code.functions.keys()) {
                let (old, new) = (function(&before, key), function(&now, key));
                for text in [&old, &new].into_iter().flatten() {
                    calls.push((key.0.clone(), words(text)));
                }
                if old != new {
                    changed.insert(key.0.clone());
                }
            }
            let text =
                |code: &Option<Code>, of: fn(&Code) -> &String| code.as_ref().map(of).cloned();
            if text(&before, |code| &code.whole) != text(&now, |code| &code.whole) {
                changes.files.insert(name.clone());
            }
            changes.outside |=
                text(&before, |code| &code.outside) != text(&now, |code| &code.outside);
        }
        // Whoever names a function that changed may come to something else; by the name alone, which
        // errs on the safe side.
        loop {
            let reached = calls
                .iter()
                .filter(|(name, words)| !changed.contains(name) && !words.is_disjoint(&changed));
            let reached: Vec<String> = reached.map(|(name, _)| name.clone()).collect();
            if reached.is_empty() {
                break;
            }
            changed.extend(reached);
        }
        let reached = |name: &str| changes.outside || changed.contains(name);
        let defined = calls.iter().filter_map(|(name, _)| effect(name));
        changes.effects = defined.filter(|(name, _)| reached(name)).collect();
        changes
    }

    /// Returns true if no code differs.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl Code {
    /// Reads a text; one that does not parse counts as a single statement outside of functions.
    fn read(engine: &Engine, text: &str) -> Self {
        let compact = |text: &str| engine.compact_script(text).unwrap_or_else(|_| text.to_owned());
        let whole = compact(text);
        let mut outside = text.to_owned();
        let mut functions = BTreeMap::new();
        if let Ok(ast) = engine.compile(text) {
            let mut bodies = bodies(&ast, &Offsets::of(text));
            bodies.sort_by_key(|body| std::cmp::Reverse(body.start));
            for Body { name, parameters, start, end } in bodies {
                let code = format!("({}){}", parameters.join(","), compact(&text[start..end]));
                functions.insert((name, parameters.len()), code);
                // Its head stays: a function that comes or goes is a change outside, too, unless
                // it is taken out.
                let head = outside[..start].rfind("fn ").unwrap_or(start);
                let private = outside[..head].trim_end().strip_suffix("private");
                let head = private.map_or(head, str::len);
                outside.replace_range(head..end, "");
            }
        }
        Self { functions, whole, outside: compact(&outside) }
    }
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = r#"
        import "costs" as costs;
        // How much.
        const LIMIT = 3;
        fn space() { #{ x: choice([1, 2, 3]) } }
        fn half(x) { x / 2.0 }
        fn evaluate(point) { #{ accuracy: half(point.x), cost: costs::cost(point) } }
        fn reward(metrics) { metrics.accuracy }
        fn schedule(run) {
            phase("all", #{ reward: |m| m.accuracy * 2, label: "a } brace" })
        }
        private fn unused(x) { x }
    "#;
    const COSTS: &str = "fn cost(p) { price(p) + 1 } fn price(p) { p.x * 2 }";

    fn between(from: &str, to: &str) -> (Vec<String>, Vec<&'static str>, bool) {
        let texts = |change: bool| {
            let edit = |text: &str| match change {
                true => text.replace(from, to),
                false => text.to_owned(),
            };
            assert!(SCRIPT.contains(from) || COSTS.contains(from), "{from}");
            BTreeMap::from([
                ("x.rhai".to_owned(), edit(SCRIPT)),
                ("costs.rhai".to_owned(), edit(COSTS)),
            ])
        };
        let changes = ScriptChanges::between(&texts(false), &texts(true));
        let effects = changes.effects.keys().copied().collect();
        (changes.files.into_iter().collect(), effects, changes.outside)
    }

    #[test]
    fn a_change_reaches_the_functions_that_use_it() {
        let x = || vec!["x.rhai".to_owned()];
        assert_eq!(between("// How much.", "// How little.\n\n"), (vec![], vec![], false));
        assert_eq!(between("fn half(x) { x / 2.0 }", "fn half(x) {\n x /2.0 }").0, x()[..0]);
        assert_eq!(between("x / 2.0", "x / 3.0"), (x(), vec!["evaluate"], false));
        assert_eq!(between("m.accuracy * 2", "m.accuracy"), (x(), vec!["schedule"], false));
        assert_eq!(between("a } brace", "a } b"), (x(), vec!["schedule"], false));
        assert_eq!(between("fn unused(x) { x }", "fn unused(x) { 1 }"), (x(), vec![], false));
        assert_eq!(between("private fn unused(x) { x }", ""), (x(), vec![], false));
        let all = vec!["evaluate", "reward", "schedule", "space"];
        assert_eq!(between("LIMIT = 3", "LIMIT = 4"), (x(), all.clone(), true));
        let imported = (vec!["costs.rhai".to_owned()], vec!["evaluate"], false);
        assert_eq!(between("p.x * 2", "p.x * 3"), imported);
        assert_eq!(between("fn half(x) {", "fn half(x {"), (x(), all, true));
    }
}
