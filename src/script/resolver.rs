//! Imports of script modules: from the experiment's folder, `scripts/` and the program, nowhere else.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

use super::language::BUILT_IN;
use super::read_script::read_resolved;
use super::review::shadowing::refuse_hidden;
use super::sandbox::depth::kept;
use super::sandbox::limits::Limits;
use super::sources::{OTHER, Sources};

/// A resolver that finds and loads imported modules.
///
/// A name is looked up below the experiment's folder, then below the nearest `scripts/` folder in or above
/// it, then among the built-in modules. The script of a stored run finds only modules stored with the run.
pub(crate) struct Resolver {
    folders: Vec<PathBuf>,
    /// The label of the script itself.
    script: String,
    /// The texts of a stored run, by their labels.
    stored: Option<BTreeMap<String, String>>,
    sources: Sources,
    limits: Limits,
    loaded: Mutex<HashMap<String, Shared<Module>>>,
    /// The labels of loaded modules by imported name, so that calls that import read no files.
    labels: Mutex<HashMap<String, String>>,
    /// The labels that each thread is loading; two threads may load the same module at once.
    loading: Mutex<HashSet<(ThreadId, String)>>,
}

struct Found {
    label: String,
    text: String,
}

impl Resolver {
    /// Creates a resolver for a script in a folder; `script` is its label.
    pub(crate) fn new(folder: &Path, script: &str, sources: Sources) -> Self {
        let mut folders = vec![folder.to_path_buf()];
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        if let Some(scripts) =
            absolute.ancestors().map(|above| above.join("scripts")).find(|scripts| scripts.is_dir())
        {
            folders.push(scripts);
        }
        Self { folders, script: script.to_owned(), ..Self::of(None, sources) }
    }

    /// Creates a resolver for the script of a stored run; `texts` has the labels that [`Self::find`] gave.
    pub(crate) fn of_stored(texts: BTreeMap<String, String>, sources: Sources) -> Self {
        Self::of(Some(texts), sources)
    }

    fn of(stored: Option<BTreeMap<String, String>>, sources: Sources) -> Self {
        Self {
            folders: Vec::new(),
            script: String::new(),
            stored,
            sources,
            limits: Limits::default(),
            loaded: Mutex::default(),
            labels: Mutex::default(),
            loading: Mutex::default(),
        }
    }

    /// Returns the resolver with the limits of an engine.
    pub(super) fn under(self, limits: &Limits) -> Self {
        Self { limits: *limits, ..self }
    }

    fn find(&self, name: &str) -> Result<Found, String> {
        let relative = relative_path(name)?;
        if let Some(stored) = &self.stored {
            let own = relative.display().to_string();
            let found = [format!("{OTHER}{own}"), own.clone(), format!("scripts/{own}")]
                .into_iter()
                .find_map(|label| Some(Found { text: stored.get(&label)?.clone(), label }));
            return found.ok_or_else(|| format!("the run has stored no `{own}`"));
        }
        for (index, folder) in self.folders.iter().enumerate() {
            let path = folder.join(&relative);
            let Ok(real) = path.canonicalize() else { continue };
            let root = folder.canonicalize().map_err(|error| error.to_string())?;
            if !real.starts_with(&root) {
                return Err(format!("`{name}` leads out of `{}`", folder.display()));
            }
            let text = read_resolved(&real)
                .map_err(|error| format!("`{name}` cannot be read: {error}"))?;
            let place = if index == 0 { "" } else { "scripts/" };
            let label = format!("{place}{}", relative.display());
            // The script itself is called by its path, which may be that of another below its folder.
            let label = if label == self.script { format!("{OTHER}{label}") } else { label };
            return Ok(Found { label, text });
        }
        if let Some((name, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Ok(Found { label: format!("scripts/{name}.rhai"), text: (*text).to_owned() });
        }
        let mut places: Vec<String> =
            self.folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
        places.push("what comes with tandem (rewards, strategies)".to_owned());
        Err(format!("there is no `{}` in {}", relative.display(), places.join(" or ")))
    }

    /// Returns the module that an earlier import of the name gave.
    fn known(&self, name: &str) -> Option<Shared<Module>> {
        let label = held(&self.labels).get(name).cloned()?;
        held(&self.loaded).get(&label).cloned()
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Converts an imported name to a path below a folder: no root, no `..`, the extension added.
fn relative_path(name: &str) -> Result<PathBuf, String> {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || name.contains(['\\', '\0', ':']) || !plain {
        return Err(format!("`{name}` is not a path below the experiment's folder or `scripts/`"));
    }
    // `a/./b` and `a//b` are `a/b`.
    let path: PathBuf = path.components().collect();
    Ok(match path.extension() {
        Some(extension) if extension == "rhai" => path,
        _ => PathBuf::from(format!("{}.rhai", path.display())),
    })
}

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        name: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let refuse = |reason: String| {
            Box::new(EvalAltResult::ErrorRuntime(
                format!("cannot import: {reason}").into(),
                position,
            ))
        };
        if let Some(module) = self.known(name) {
            return Ok(module);
        }
        let Found { label, text } = self.find(name).map_err(refuse)?;
        if let Some(module) = held(&self.loaded).get(&label) {
            held(&self.labels).insert(name.to_owned(), label);
            return Ok(module.clone());
        }
        let thread = thread::current().id();
        let begun = (thread, label.clone());
        let depth = held(&self.loading).iter().filter(|(other, _)| *other == thread).count();
        // The engine counts those of each module apart.
        if held(&self.loaded).len() + depth >= engine.max_modules() {
            return Err(Box::new(EvalAltResult::ErrorTooManyModules(position)));
        }
        if !held(&self.loading).insert(begun.clone()) {
            return Err(refuse(format!("`{name}` imports itself")));
        }
        // Those that fail are kept, too: messages show them.
        if !self.sources.may_put(&label, engine.max_modules()) {
            held(&self.loading).remove(&begun);
            return Err(Box::new(EvalAltResult::ErrorTooManyModules(position)));
        }
        self.sources.put(&label, &text);
        let module =
            engine.compile(&text).map_err(Box::<EvalAltResult>::from).and_then(|mut ast| {
                ast.set_source(label.as_str());
                refuse_hidden(engine, &ast).map_err(|(reason, position)| {
                    Box::new(EvalAltResult::ErrorRuntime(reason.into(), position))
                })?;
                Module::eval_ast_as_new(Scope::new(), &ast, engine)
            });
        held(&self.loading).remove(&begun);
        match module {
            Ok(module) => {
                let module = kept(module, &self.limits);
                held(&self.labels).insert(name.to_owned(), label.clone());
                Ok(held(&self.loaded).entry(label).or_insert(module).clone())
            }
            Err(error) => Err(Box::new(EvalAltResult::ErrorInModule(label, error, position))),
        }
    }
}
