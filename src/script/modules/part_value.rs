//! The parts of a space as scripts see them, finished or in the making.

use std::sync::Arc;

use rhai::{Array, Dynamic, EvalAltResult, Map, NativeCallContext};

use super::values;
use crate::script::diagnostic::{a_type, type_name};
use crate::script::options::error_at_call;
use crate::space::params::{Chosen, Content, Draft, Mixed, MixedError, check_values};
use crate::space::{Domain, Options};

/// What scripts see of a part's options.
pub(super) type ToScript = Arc<dyn Fn(&[u16]) -> Result<Dynamic, String> + Send + Sync>;

/// A part of a space, with the value that scripts see for its options.
#[derive(Clone)]
pub(in crate::script) struct ScriptPart {
    pub domain: Arc<dyn Domain>,
    pub value: ToScript,
    /// What it is made of, if that can stand under a name of another part.
    content: Option<Content>,
}

/// What makes a value unfit to be a part of a space.
#[derive(Clone, Debug, thiserror::Error)]
pub(in crate::script) enum PartError {
    /// It is something else.
    #[error("part `{path}` of the space is {kind}, not a space")]
    NotAPart {
        /// The names that lead to it.
        path: String,
        /// What it is.
        kind: String,
    },
    /// Its choices and rules do not make a part.
    #[error("part `{path}` of the space: {error}")]
    Mixed {
        /// The names that lead to it.
        path: String,
        /// What is wrong with them.
        error: MixedError,
    },
}

impl ScriptPart {
    /// Makes a part of a domain and its values.
    pub(in crate::script) fn new<D: Domain + 'static>(
        domain: D,
        value: impl Fn(&D, &[u16]) -> Result<Dynamic, String> + Send + Sync + 'static,
    ) -> Self {
        let domain = Arc::new(domain);
        let shared = domain.clone();
        let value: ToScript = Arc::new(move |options| value(&shared, options));
        Self { domain, value, content: None }
    }

    /// Makes a part of a shared domain and its values.
    pub(super) fn shared(domain: Arc<dyn Domain>, value: ToScript) -> Self {
        Self { domain, value, content: None }
    }

    /// The part that a value of a script's space stands for: a part, one in the making, or the
    /// product of the parts of a map.
    pub(in crate::script) fn of(path: &str, value: Dynamic) -> Result<Self, PartError> {
        value.try_cast_result::<Self>().or_else(|value| {
            let named = |error| PartError::Mixed { path: path.to_owned(), error };
            draft(path, value)?.finish().map_err(named)
        })
    }

    /// A part of a single choice, subset or permutation.
    pub(super) fn alone(content: Content) -> Result<Self, MixedError> {
        let part = match content.clone() {
            Content::Choice(options) => {
                check_values(&options)?;
                Self::new(Options::new(options), |domain, options| {
                    let value = domain.value(options).map(values::to_dynamic);
                    value.ok_or_else(|| "no such option".to_owned())
                })
            }
            content => {
                let draft = Draft::alone(content)?;
                ScriptDraft { draft, natives: Vec::new() }.finish()?
            }
        };
        Ok(Self { content: Some(content), ..part })
    }
}

/// What a value of a script stands for under a name, with the values of its parts of other kinds.
pub(super) fn contents(path: &str, value: Dynamic) -> Result<(Content, Vec<ToScript>), PartError> {
    match value.try_cast_result::<ScriptPart>() {
        Ok(ScriptPart { content: Some(content), .. }) => Ok((content, Vec::new())),
        Ok(ScriptPart { domain, value, .. }) => Ok((Content::Native(domain), vec![value])),
        Err(value) => {
            let ScriptDraft { draft, natives } = draft(path, value)?;
            Ok((Content::Part(draft), natives))
        }
    }
}

/// A part in the making, or the product of the parts of a map.
fn draft(path: &str, value: Dynamic) -> Result<ScriptDraft, PartError> {
    let value = match value.try_cast_result::<ScriptDraft>() {
        Ok(draft) => return Ok(draft),
        Err(value) => value,
    };
    let map = value.try_cast_result::<Map>().map_err(|value| {
        let kind = a_type(type_name(value.type_name()).trim_start_matches("Script"));
        PartError::NotAPart { path: path.to_owned(), kind }
    })?;
    let mut product = ScriptDraft::default();
    for (name, value) in map {
        let (content, natives) = contents(&format!("{path}.{name}"), value)?;
        let named = |error| PartError::Mixed { path: path.to_owned(), error };
        product.add(&name, content, natives).map_err(named)?;
    }
    Ok(product)
}

/// A part in the making, as scripts chain calls on it.
#[derive(Clone, Default)]
pub(in crate::script) struct ScriptDraft {
    pub(super) draft: Draft,
    /// What scripts see of the parts of other kinds in it.
    pub(super) natives: Vec<ToScript>,
}

impl ScriptDraft {
    /// The finished part.
    pub(super) fn finish(self) -> Result<ScriptPart, MixedError> {
        let Self { draft, natives } = self;
        Ok(ScriptPart::new(draft.finish()?, move |part: &Mixed, options| {
            shown(&part.chosen(options), &natives)
        }))
    }

    /// Adds something under a name, with what scripts see of the parts of other kinds in it.
    pub(super) fn add(
        &mut self,
        name: &str,
        content: Content,
        natives: Vec<ToScript>,
    ) -> Result<(), MixedError> {
        self.draft.add(name, content)?;
        self.natives.extend(natives);
        Ok(())
    }

    /// Adds something without parts of other kinds.
    pub(super) fn with(
        mut self,
        context: &NativeCallContext,
        name: &str,
        content: Content,
    ) -> Result<Self, Box<EvalAltResult>> {
        let added = self.add(name, content, Vec::new());
        added.map_err(|error| error_at_call(context, error.to_string()))?;
        Ok(self)
    }
}

/// What is chosen, as scripts see it.
fn shown(chosen: &Chosen<'_>, natives: &[ToScript]) -> Result<Dynamic, String> {
    Ok(match chosen {
        Chosen::Undecided => Dynamic::UNIT,
        Chosen::Value(value) => values::to_dynamic(value),
        Chosen::Items(items) => {
            items.iter().map(|item| values::to_dynamic(item)).collect::<Array>().into()
        }
        Chosen::Part(names) => {
            let named = |(name, chosen): &(&str, Chosen<'_>)| {
                Ok::<_, String>(((*name).into(), shown(chosen, natives)?))
            };
            Dynamic::from_map(names.iter().map(named).collect::<Result<Map, _>>()?)
        }
        Chosen::Native { number, options } => natives[*number](options)?,
    })
}
